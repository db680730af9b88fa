//! A hub's seal on its own word: when a backup has cost it a ruling, an office that holds the record says it again, and
//! the hub can tell that the ruling was its own. Invariant: a seal binds record, field, value, time and author.

use crate::{RecordId, pb, wire::Field};
use bytes::Bytes;

/// Bytes of one field's part of a seal.
pub(crate) const PART: usize = 8;

fn part(secret: &[u8; 32], id: RecordId, field: &Field, stamp: u64, by: &str) -> [u8; PART] {
    let mut hasher = blake3::Hasher::new_keyed(secret);
    hasher.update(&id.0).update(&field.tag.to_le_bytes()).update(&stamp.to_le_bytes());
    hasher.update(&(by.len() as u64).to_le_bytes()).update(by.as_bytes()).update(&field.bytes);
    let mut part = [0; PART];
    part.copy_from_slice(&hasher.finalize().as_bytes()[..PART]);
    part
}

/// The seal of an edit: a part for each field, so that it still speaks for those that stand when others are replaced.
pub fn seal<'f>(
    secret: &[u8; 32],
    id: RecordId,
    fields: impl IntoIterator<Item = &'f Field>,
    stamp: u64,
    by: &str,
) -> Bytes {
    fields.into_iter().flat_map(|field| part(secret, id, field, stamp, by)).collect::<Vec<u8>>().into()
}

/// Who a seal on a hub's own word names: the reviewer, and the unit below the hub where they sit, so that nobody can say
/// afterwards that it was another one's.
pub fn named(by: &str, of: Option<u64>) -> String {
    of.map_or_else(|| by.to_owned(), |unit| format!("{by}\u{0}{unit}"))
}

/// The unit below the hub in whose name an origin's seal speaks for a field; none inside for the hub itself, none at all
/// where it does not speak for it.
pub fn speaks_of(secret: &[u8; 32], id: RecordId, field: &Field, origin: &pb::Origin) -> Option<Option<u64>> {
    let is_named = |of: Option<u64>| {
        let own = part(secret, id, field, origin.stamp, &named(&origin.by, of));
        origin.seal.chunks_exact(PART).any(|part| part == own)
    };
    [None, Some(origin.unit)].into_iter().find(|of| is_named(*of))
}

/// The secret of seals on what a hub did not say itself but let pass, from that of its own word.
pub fn of_passing(secret: &[u8; 32]) -> [u8; 32] {
    blake3::derive_key("taizhang seal on what was let pass", secret)
}

/// The secret of seals on whose a record was when it was made, where offices below its owner hold it, too: that it was so, and
/// not that anybody may have it back.
pub fn of_belonging(secret: &[u8; 32]) -> [u8; 32] {
    blake3::derive_key("taizhang seal on whose it was", secret)
}

/// Bytes of a seal on a ruling.
const RULING: usize = 16;

/// The seal on a ruling in a record's history: over the words that it was about, who ruled, when, by which rule and why. The
/// numbers under which the words stand are not in it, since a hub that lost them gives others.
pub fn of_ruling(secret: &[u8; 32], id: RecordId, entry: &pb::Superseded) -> Bytes {
    let mut hasher = blake3::Hasher::new_keyed(&blake3::derive_key("taizhang seal on a ruling", secret));
    let (no_origin, no_ruling) = (pb::Origin::default(), pb::Ruling::default());
    let (origin, ruling) = (entry.origin.as_ref().unwrap_or(&no_origin), entry.ruling.as_ref().unwrap_or(&no_ruling));
    hasher.update(&id.0);
    for number in [origin.stamp, ruling.unit, ruling.at, ruling.conflict, origin.tags.len() as u64] {
        hasher.update(&number.to_le_bytes());
    }
    for tag in &origin.tags {
        hasher.update(&tag.to_le_bytes());
    }
    let words = [&entry.message[..], origin.by.as_bytes(), entry.rule.as_bytes()];
    for word in words.into_iter().chain([ruling.by.as_bytes(), ruling.reason.as_bytes()]) {
        hasher.update(&(word.len() as u64).to_le_bytes()).update(word);
    }
    Bytes::copy_from_slice(&hasher.finalize().as_bytes()[..RULING])
}

/// Whether this hub's seal proves the ruling of an entry.
pub fn proves_ruling(secret: &[u8; 32], id: RecordId, entry: &pb::Superseded) -> bool {
    entry.ruling.as_ref().is_some_and(|ruling| ruling.seal == of_ruling(secret, id, entry))
}

/// Whether an origin's seal speaks for a field.
pub fn speaks_for(secret: &[u8; 32], id: RecordId, field: &Field, origin: &pb::Origin) -> bool {
    let own = part(secret, id, field, origin.stamp, &origin.by);
    origin.seal.chunks_exact(PART).any(|part| part == own)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_speaks_for_each_of_its_fields_and_for_nothing_else() {
        let field = |tag: u32, text: &'static str| Field { tag, bytes: Bytes::from_static(text.as_bytes()) };
        let (secret, id) = ([7; 32], RecordId([1; 16]));
        let fields = [field(20, "one"), field(24, "two")];
        let origin = pb::Origin {
            stamp: 9,
            by: "reviewer".into(),
            seal: seal(&secret, id, &fields, 9, "reviewer"),
            ..pb::Origin::default()
        };
        assert!(fields.iter().all(|field| speaks_for(&secret, id, field, &origin)));
        assert_eq!(speaks_of(&secret, id, &fields[0], &origin), Some(None));
        let unit = 210_402_011_000;
        let sealed = seal(&secret, id, &fields, origin.stamp, &named(&origin.by, Some(unit)));
        let below = pb::Origin { unit, seal: sealed, ..origin.clone() };
        assert_eq!(speaks_of(&secret, id, &fields[0], &below), Some(Some(unit)));
        let other = pb::Origin { unit: unit + 1_000, ..below };
        assert_eq!(speaks_of(&secret, id, &fields[0], &other), None, "another unit's");
        assert!(!speaks_for(&secret, id, &field(20, "two"), &origin), "another value");
        assert!(!speaks_for(&secret, id, &field(21, "one"), &origin), "another field");
        assert!(!speaks_for(&secret, RecordId([2; 16]), &fields[0], &origin), "another record");
        assert!(!speaks_for(&[8; 32], id, &fields[0], &origin), "another hub");
        assert!(!speaks_for(&of_passing(&secret), id, &fields[0], &origin), "another purpose");
        assert!(!speaks_for(&of_belonging(&secret), id, &fields[0], &origin), "another purpose");
        assert!(!speaks_for(&secret, id, &fields[0], &pb::Origin { stamp: 10, ..origin }), "another time");
    }

    #[test]
    fn a_seal_on_a_ruling_binds_all_that_it_says_and_no_number_of_the_hubs() {
        let (secret, id) = ([7; 32], RecordId([1; 16]));
        let origin = pb::Origin { stamp: 9, by: "clerk".into(), tags: vec![20, 24], ..pb::Origin::default() };
        let ruling =
            pb::Ruling { by: "reviewer".into(), unit: 4, at: 5, reason: "why".into(), ..pb::Ruling::default() };
        let mut entry = pb::Superseded {
            origin: Some(origin),
            message: Bytes::from_static(b"words"),
            rule: "REVIEW".into(),
            ruling: Some(ruling),
            ..pb::Superseded::default()
        };
        assert!(!proves_ruling(&secret, id, &entry), "unsealed");
        let seal = of_ruling(&secret, id, &entry);
        entry.ruling.as_mut().unwrap().seal = seal;
        entry.replaced_by = 70;
        entry.origin.as_mut().unwrap().revision = 60;
        assert!(proves_ruling(&secret, id, &entry), "under other numbers");
        assert!(!proves_ruling(&[8; 32], id, &entry), "another hub");
        assert!(!proves_ruling(&secret, RecordId([2; 16]), &entry), "another record");
        let changed: [fn(&mut pb::Superseded); 9] = [
            |entry| entry.message = Bytes::from_static(b"other"),
            |entry| entry.rule = "FIXED".into(),
            |entry| entry.ruling.as_mut().unwrap().by = "another".into(),
            |entry| entry.ruling.as_mut().unwrap().reason = "because".into(),
            |entry| entry.ruling.as_mut().unwrap().unit = 6,
            |entry| entry.ruling.as_mut().unwrap().at = 6,
            |entry| entry.origin.as_mut().unwrap().by = "another".into(),
            |entry| entry.origin.as_mut().unwrap().stamp = 10,
            |entry| entry.origin.as_mut().unwrap().tags = vec![20],
        ];
        for (place, change) in changed.into_iter().enumerate() {
            let mut other = entry.clone();
            change(&mut other);
            assert!(!proves_ruling(&secret, id, &other), "{place}");
        }
    }
}
