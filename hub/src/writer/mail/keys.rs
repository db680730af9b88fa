//! The mark key at a district: made at one, passed to the others sealed, changed without a finding lost.
//! Invariant: while two keys are in use every record is marked under both, and the older one goes only when the parent
//! says that every hub stands under the later.

use crate::{
    mail::rows::{DeskRow, KeyRing, MarkKey, letter_id},
    store::StoreError,
    writer::{
        Answer, WriteError,
        commit::Commit,
        mail::{
            across::{self, letter},
            ruling::MAX_AHEAD,
        },
    },
};
use prost::Message;
use taizhang_proto::pb::{self, LetterKind, Tier};

/// Bytes of a key.
const KEY: usize = 32;
/// Keys in use at a time: the one that goes and the one that comes.
const MAX_KEYS: usize = 2;

fn fresh(generation: u32) -> MarkKey {
    MarkKey { generation, key: rand::random::<[u8; KEY]>().to_vec() }
}

fn newest(keys: &[MarkKey]) -> u32 {
    keys.last().map_or(0, |key| key.generation)
}

/// The same question to the same hub is one letter.
fn question(own: u64, to: u64) -> Vec<u8> {
    letter_id(LetterKind::KeyAsked, &[&own.to_be_bytes(), &to.to_be_bytes()])
}

fn answer_id(generation: u32, to: u64) -> Vec<u8> {
    letter_id(LetterKind::Key, &[&generation.to_be_bytes(), &to.to_be_bytes()])
}

/// Goes on with what the parent says of the keys, and writes the desk.
pub(super) fn settle_keys(commit: &mut Commit<'_>, mut desk: DeskRow, generation: u32) -> Result<(), StoreError> {
    let own = commit.core.unit.number();
    if commit.core.tier == Tier::City {
        across::keep_desk(commit, &desk); // a city never holds a key
        return Ok(());
    }
    if generation > desk.generation {
        desk.generation = generation;
        let before = desk.keys.len();
        desk.keys.retain(|key| key.generation >= generation);
        if desk.keys.len() != before {
            desk.indexed = 0; // what stood under the key that goes is taken back
        }
        for unit in across::neighbours(commit)? {
            across::unsend(commit, &answer_id(generation, unit))?;
        }
    }
    if desk.keys.is_empty() {
        if desk.key_holder == own {
            desk.keys.push(fresh(desk.generation.saturating_add(1)));
            desk.indexed = 0;
            across::keep_desk(commit, &desk);
            // A neighbour's question may have come before this hub heard that it is the one to answer.
            for unit in across::neighbours(commit)? {
                give_keys(commit, unit)?;
            }
        } else {
            let id = question(own, desk.key_holder);
            if !across::is_in_outbox(commit, &id)? {
                across::send(commit, letter(LetterKind::KeyAsked, desk.key_holder, &[], id));
            }
        }
    }
    across::keep_desk(commit, &desk);
    Ok(())
}

/// Sends a neighbour every key in use.
pub(super) fn give_keys(commit: &mut Commit<'_>, to: u64) -> Result<(), StoreError> {
    let desk = across::desk(commit)?;
    if desk.keys.is_empty() || desk.key_holder != commit.core.unit.number() {
        return Ok(());
    }
    let id = answer_id(newest(&desk.keys), to);
    let text = KeyRing { keys: desk.keys.clone() }.encode_to_vec().into();
    let generation = newest(&desk.keys);
    across::send(commit, pb::Letter { sealed: text, generation, ..letter(LetterKind::Key, to, &[], id) });
    Ok(())
}

/// Takes the keys that the holder sent.
pub(super) fn take_keys(commit: &mut Commit<'_>, letter: &pb::Letter) -> Result<(), StoreError> {
    let mut desk = across::desk(commit)?;
    let ring = KeyRing::decode(letter.sealed.clone()).unwrap_or_default();
    let sane = ring.keys.len() <= MAX_KEYS && ring.keys.iter().all(|key| key.key.len() == KEY);
    if letter.from != desk.key_holder || !sane || commit.core.tier == Tier::City {
        return Ok(());
    }
    for key in ring.keys {
        let sane = (desk.generation.max(1)..=desk.generation.saturating_add(MAX_AHEAD)).contains(&key.generation);
        match desk.keys.iter_mut().find(|own| own.generation == key.generation) {
            Some(own) if *own == key => {}
            // Its maker was restored from a backup of before, and has made it anew.
            Some(own) => {
                *own = key;
                desk.indexed = 0;
            }
            None if sane => {
                desk.keys.push(key);
                desk.indexed = 0;
            }
            None => {}
        }
    }
    desk.keys.sort_by_key(|key| key.generation);
    across::keep_desk(commit, &desk);
    across::unsend(commit, &question(commit.core.unit.number(), letter.from))
}

/// Makes the next key, where this hub makes them and the last change is through.
pub(in crate::writer) fn rotate_key(commit: &mut Commit<'_>) -> Result<Answer, WriteError> {
    let mut desk = across::desk(commit)?;
    if desk.key_holder != commit.core.unit.number() || desk.keys.is_empty() {
        return Err(WriteError::NoKey);
    }
    if desk.keys.len() >= MAX_KEYS || desk.generation < newest(&desk.keys) {
        return Err(WriteError::Rotating);
    }
    desk.keys.push(fresh(newest(&desk.keys).saturating_add(1)));
    desk.indexed = 0;
    across::keep_desk(commit, &desk);
    for unit in across::neighbours(commit)? {
        give_keys(commit, unit)?;
    }
    Ok(Answer::Done)
}

/// Every record is marked under the newest key and the parent has the marks: it is told so.
pub(in crate::writer) fn say_remarked(commit: &mut Commit<'_>, generation: u32) -> Result<Answer, WriteError> {
    let mut desk = across::desk(commit)?;
    if generation > desk.remarked && generation == newest(&desk.keys) {
        desk.remarked = generation;
        across::keep_desk(commit, &desk);
        let own = commit.core.unit.number().to_be_bytes();
        let id = letter_id(LetterKind::Remarked, &[&own, &generation.to_be_bytes()]);
        across::send(commit, pb::Letter { generation, ..letter(LetterKind::Remarked, 0, &[], id) });
    }
    Ok(Answer::Done)
}
