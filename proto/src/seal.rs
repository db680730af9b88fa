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

/// Whether an origin's seal speaks for a field.
pub fn speaks_for(secret: &[u8; 32], id: RecordId, field: &Field, origin: &pb::Origin) -> bool {
    let own = part(secret, id, field, origin.stamp, &origin.by);
    origin.seal.chunks_exact(PART).any(|part| part == own)
}

#[cfg(test)]
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
}
