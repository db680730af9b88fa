//! What a parent says to a hub, and what other districts say through it, as a commit takes it.
//! Invariant: a letter on which this hub fails is kept, and keeps none of those behind it.

pub(in crate::writer) mod across;
mod boxes;
pub(in crate::writer) mod intake;
pub(in crate::writer) mod keys;
pub(in crate::writer) mod marks;
pub(in crate::writer) mod note;
pub(in crate::writer) mod office;
pub(in crate::writer) mod ruling;
pub(in crate::writer) mod transfer;

use crate::{
    mail::rows::{DeskRow, NeighbourRow, kind, under},
    store::{Space, StoreError},
    writer::{Answer, News, WriteError, arrivals, commit::Commit, inspect, mail::note::Paper},
};
use prost::Message;
use taizhang_proto::{
    OrgCode,
    cell::past_homes,
    change::Edit,
    decide::HUB_NODE,
    pb::{self, LetterKind},
    register::HOME_UNIT,
};

/// Takes what the parent said.
pub(super) fn take_news(commit: &mut Commit<'_>, news: Vec<News>) -> Result<Answer, WriteError> {
    for one in news {
        match one {
            News::Neighbours(rows) => take_neighbours(commit, rows)?,
            News::Letter(letter) => take_letter(commit, &letter)?,
            News::Rulings(rulings) => marks::take_rulings(commit, &rulings)?,
            News::Keys { key_holder, generation } => {
                let desk = DeskRow { key_holder, ..across::desk(commit)? };
                keys::settle_keys(commit, desk, generation)?;
            }
            News::Heard { upto, epoch } => {
                let desk = DeskRow { mailed: upto, epoch, ..across::desk(commit)? };
                across::keep_desk(commit, &desk);
            }
            News::Forget => {
                let mut desk = across::desk(commit)?;
                desk.mailed = 0;
                marks::say_ruled_again(commit, &mut desk)?;
                across::keep_desk(commit, &desk);
            }
        }
    }
    inspect::inspect_all(commit)?;
    Ok(Answer::Done)
}

/// Keeps neighbours that are new or have a newer certificate; what was written to such a one goes again, sealed to
/// its key.
fn take_neighbours(commit: &mut Commit<'_>, rows: Vec<NeighbourRow>) -> Result<(), StoreError> {
    let mut fresh = Vec::new();
    for row in rows {
        let key = row.unit.to_be_bytes();
        let known: Option<NeighbourRow> = across::kept(commit, Space::Neighbours, &key)?;
        let changed = known.as_ref().is_none_or(|known| known.key != row.key);
        if let Some(known) = known.filter(|known| known.key != row.key) {
            tracing::warn!(unit = row.unit, newer = row.from > known.from, "a neighbour's key has changed");
            if row.from <= known.from {
                continue;
            }
        }
        if changed {
            fresh.push(row.unit);
        }
        across::keep_row(commit, Space::Neighbours, key.to_vec(), &row);
    }
    if fresh.is_empty() {
        return Ok(());
    }
    for row in commit.view.prefix(Space::Outbox, &[kind::LETTER]) {
        let letter = pb::Letter::decode(row?.1).map_err(|_| StoreError::Row(Space::Outbox))?;
        if fresh.contains(&letter.to) {
            across::send(commit, letter);
        }
    }
    Ok(())
}

/// Keeps a letter on which this hub has failed.
pub(super) fn leave_unread(commit: &mut Commit<'_>, letter: &pb::Letter) {
    across::keep_row(commit, Space::Transfers, unread(letter), letter);
}

fn take_letter(commit: &mut Commit<'_>, letter: &pb::Letter) -> Result<(), StoreError> {
    #[cfg(test)]
    crate::writer::tests::trip(&letter.sealed)?;
    let left = unread(letter);
    if across::kept::<pb::Letter>(commit, Space::Transfers, &left)?.is_some() {
        across::forget(commit, Space::Transfers, left);
    }
    match letter.kind() {
        LetterKind::KeyAsked => keys::give_keys(commit, letter.from),
        LetterKind::Key => keys::take_keys(commit, letter),
        LetterKind::OfferOut => intake::take_offer(commit, letter),
        LetterKind::Wanted => transfer::release(commit, letter),
        LetterKind::Returned => {
            let reason = transfer::take_return(commit, letter)?;
            intake::withdrawn(commit, letter, &reason)
        }
        LetterKind::Released => intake::take_in(commit, letter),
        LetterKind::Taken => transfer::take_taken(commit, letter),
        LetterKind::Note => take_note(commit, letter),
        LetterKind::Remarked | LetterKind::LetterUnknown => Ok(()),
    }
}

/// Takes a note of an edit that reached the old district after the hand-over: into the record's history, and as a finding.
fn take_note(commit: &mut Commit<'_>, note: &pb::Letter) -> Result<(), StoreError> {
    let seen = under(kind::NOTE, &note.id);
    if across::kept::<pb::Empty>(commit, Space::Transfers, &seen)?.is_some() {
        return Ok(());
    }
    let Ok(Paper { change: Some(change), origin: Some(origin) }) = Paper::decode(note.sealed.clone()) else {
        return Ok(());
    };
    let Ok(edit) = Edit::read(change) else { return Ok(()) };
    let Some(record) = commit.record(edit.id)? else { return Ok(()) };
    // Only where it belonged before has anybody anything to say of it.
    let was_there = |district: OrgCode| past_homes(&record).iter().any(|past| district.covers(past.unit));
    if record.register != edit.register || !OrgCode::new(note.from).is_ok_and(was_there) {
        return Ok(());
    }
    across::keep_row(commit, Space::Transfers, seen, &pb::Empty {});
    let revision = commit.take_revisions(1);
    let origin = pb::Origin { revision, node: HUB_NODE, seal: bytes::Bytes::new(), tags: Vec::new(), ..origin };
    let handed_over = record.revision_of(HOME_UNIT);
    arrivals::note_late(commit, &edit, &origin, handed_over)
}

/// Where a letter lies that could not be taken: by sender and id.
fn unread(letter: &pb::Letter) -> Vec<u8> {
    under(kind::UNREAD, &[&letter.from.to_be_bytes()[..], &letter.id].concat())
}
