//! The roll: who was retired and which tokens were used. This hub seals it, its children hold it and a file beside the
//! authority does, so neither an old backup nor a lost store brings a retired computer or a used token back.
//! Invariant: only what this hub's own seal proves is taken back, and of two words on one computer the later counts.

use crate::{
    rows::TokenRow,
    store::{Space, StoreError, View},
};
use bytes::Bytes;
use prost::Message;
use taizhang_proto::{
    pb::{Retirement, Roll, SealedRoll, UsedToken},
    session::MAX_ROLL_BYTES,
};

/// Where it stands among the documents, and its kind as a document.
pub const KIND: &str = "roll";
/// Before it, among the documents of a hub, the parent's.
pub(crate) const PARENTS: &[u8] = b"parent-roll";

fn key(secret: &[u8; 32]) -> [u8; 32] {
    blake3::derive_key("taizhang roll of retirements and tokens", secret)
}

/// Seals a roll.
pub(crate) fn seal(secret: &[u8; 32], roll: &Roll) -> Bytes {
    let text = roll.encode_to_vec();
    let seal = blake3::keyed_hash(&key(secret), &text).as_bytes().to_vec();
    SealedRoll { text: text.into(), seal: seal.into() }.encode_to_vec().into()
}

/// Reads a roll that this hub once sealed; none for anything else.
pub(crate) fn read(secret: &[u8; 32], sealed: &[u8]) -> Option<Roll> {
    let sealed = SealedRoll::decode(sealed).ok().filter(|_| sealed.len() <= MAX_ROLL_BYTES)?;
    let proven: [u8; 32] = sealed.seal.as_ref().try_into().ok()?;
    // Hashes compare in constant time.
    let proven = blake3::keyed_hash(&key(secret), &sealed.text) == blake3::Hash::from_bytes(proven);
    proven.then(|| Roll::decode(sealed.text).ok()).flatten()
}

/// The roll as the store has it; an empty one before the first entry.
///
/// # Errors
/// When the store fails.
pub(crate) fn of_store(view: &dyn View, secret: &[u8; 32]) -> Result<Roll, StoreError> {
    let Some(sealed) = view.get(Space::Documents, KIND.as_bytes())? else { return Ok(Roll::default()) };
    read(secret, &sealed).ok_or(StoreError::Row(Space::Documents))
}

/// Whether somebody is retired.
pub(crate) fn is_retired(roll: &Roll, id: &str) -> bool {
    roll.retired.iter().any(|one| one.id == id && one.at > 0)
}

/// Whether a token was used, by the hash of its secret.
pub(crate) fn is_used(roll: &Roll, hash: &[u8; 32]) -> bool {
    roll.used.iter().any(|one| one.hash[..] == hash[..])
}

/// Says that somebody is retired since `at`, seconds since 1970; 0: serves again.
pub(crate) fn retire(roll: &mut Roll, id: &str, at: u64) {
    roll.version += 1;
    roll.retired.retain(|one| one.id != id);
    roll.retired.push(Retirement { id: id.to_owned(), at, change: roll.version });
}

/// Says that a token was used. Those that have expired since need no entry: nobody is let in by them anyway.
pub(crate) fn used(roll: &mut Roll, hash: &[u8; 32], row: &TokenRow, now: u64) {
    roll.version += 1;
    roll.used.retain(|one| one.expires >= now && one.hash[..] != hash[..]);
    roll.used.push(UsedToken { hash: Bytes::copy_from_slice(hash), expires: row.expires });
    in_order(roll);
}

/// One order, so that equal rolls are equal bytes.
fn in_order(roll: &mut Roll) {
    roll.retired.sort_by(|one, two| (one.change, &one.id).cmp(&(two.change, &two.id)));
    roll.used.sort_by(|one, two| (one.expires, &one.hash).cmp(&(two.expires, &two.hash)));
}

/// Both rolls together, above both in number; none where `theirs` has nothing that `ours` has not.
pub(crate) fn merge(ours: &Roll, theirs: &Roll) -> Option<Roll> {
    let mut merged = ours.clone();
    for one in &theirs.retired {
        match merged.retired.iter_mut().find(|own| own.id == one.id) {
            Some(own) if (own.change, own.at) >= (one.change, one.at) => {}
            Some(own) => *own = one.clone(),
            None => merged.retired.push(one.clone()),
        }
    }
    for one in &theirs.used {
        if !merged.used.contains(one) {
            merged.used.push(one.clone());
        }
    }
    in_order(&mut merged);
    if merged == *ours && ours.version >= theirs.version {
        return None;
    }
    merged.version =
        ours.version.max(theirs.version) + u64::from(merged.retired != theirs.retired || merged.used != theirs.used);
    Some(merged)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_since_the_backup_comes_back_and_the_later_word_counts() {
        let mut old = Roll::default();
        retire(&mut old, "pc-1", 100);
        let mut newer = old.clone();
        retire(&mut newer, "pc-2", 200);
        retire(&mut newer, "pc-1", 0);
        used(&mut newer, &[7; 32], &TokenRow { expires: 900, ..TokenRow::default() }, 300);
        let merged = merge(&old, &newer).unwrap();
        assert_eq!(merged, newer, "it knew nothing that the newer one does not");
        assert!(is_retired(&merged, "pc-2") && !is_retired(&merged, "pc-1") && is_used(&merged, &[7; 32]));
        assert_eq!(merge(&merged, &old), None);
        // The restored hub went on by itself under the same numbers.
        let mut other = old.clone();
        retire(&mut other, "pc-3", 250);
        let merged = merge(&other, &newer).unwrap();
        assert!(["pc-2", "pc-3"].iter().all(|id| is_retired(&merged, id)));
        assert!(merged.version > newer.version, "so that every child hears it");
        used(&mut newer, &[8; 32], &TokenRow { expires: 2_000, ..TokenRow::default() }, 1_000);
        assert!(!is_used(&newer, &[7; 32]), "it has expired since");
    }

    #[test]
    fn only_the_own_seal_is_believed() {
        let mut roll = Roll::default();
        retire(&mut roll, "pc-1", 100);
        let sealed = seal(&[1; 32], &roll);
        assert_eq!(read(&[1; 32], &sealed), Some(roll));
        assert_eq!(read(&[2; 32], &sealed), None);
        let mut changed = sealed.to_vec();
        let last = changed.len() - 1;
        changed[last] ^= 1;
        assert_eq!(read(&[1; 32], &changed), None);
        assert_eq!(read(&[1; 32], b"nothing"), None);
        assert_eq!(read(&[1; 32], &[]), None);
    }
}
