//! The outbox as the way up reads it: letters by revision, still in the clear.

use super::rows::{Step, TransferRow, kind, under, under_revision};
use crate::{
    rows,
    store::{Space, StoreError, View},
};
use prost::Message;
use taizhang_proto::pb::{self, LetterKind};

/// Letters that change totals at the parent: they go with the cells of their commit.
pub(crate) fn is_counted(letter: &pb::Letter) -> bool {
    matches!(letter.kind(), LetterKind::Released | LetterKind::Taken)
}

/// Letters for one message, and those that come later but count now.
#[derive(Default)]
pub struct Outgoing {
    /// Letters in the order of their revisions.
    pub letters: Vec<pb::Letter>,
    /// What later letters say of totals: it belongs to cells that go now.
    pub counted: Vec<pb::Letter>,
    /// There are later letters: what is sent with these must not pass for all up to a later revision.
    pub more: bool,
}

/// Aim of the letters in one message, bytes. Small in unit tests, so that they cross it.
const MAX_LETTERS: usize = if cfg!(test) { 256 } else { 1024 * 1024 };

/// Most transfers out of a hub that are looked at for what is on the way.
const LOOKED_AT: usize = 50_000;

/// The transfers that this hub has let go and that nobody has said to have; none where there are too many to look.
///
/// # Errors
/// When the store fails.
pub fn released(view: &dyn View) -> Result<Option<pb::Released>, StoreError> {
    let mut found = pb::Released::default();
    for (place, row) in view.prefix(Space::Transfers, &[kind::OUT]).enumerate() {
        let (key, row) = row?;
        if place >= LOOKED_AT {
            return Ok(None);
        }
        let row = TransferRow::decode(row).map_err(|_| StoreError::Row(Space::Transfers))?;
        if row.step() == Step::Released {
            found.transfers.push(key.slice(1..));
        }
    }
    Ok(Some(found))
}

/// Letters after a revision.
///
/// # Errors
/// When the store fails.
pub fn after(view: &dyn View, revision: u64) -> Result<Outgoing, StoreError> {
    let mut found = Outgoing::default();
    let (mut size, mut full) = (0, false);
    let from = under_revision(kind::BY_REVISION, revision.saturating_add(1), &[]);
    for row in view.range(Space::Outbox, &from, &[kind::BY_REVISION + 1]) {
        let (key, _) = row?;
        let wrong = || StoreError::Row(Space::Outbox);
        let id = key.get(9..).ok_or_else(wrong)?;
        let letter: pb::Letter = rows::read(view, Space::Outbox, &under(kind::LETTER, id))?.ok_or_else(wrong)?;
        // Letters of one revision go together: the next message begins behind it.
        let same = found.letters.last().is_some_and(|last| last.revision == letter.revision);
        full |= size >= MAX_LETTERS && !same;
        if !full {
            size += letter.sealed.len() + 64 * letter.moved.len() + 128;
            found.letters.push(letter);
        } else if is_counted(&letter) {
            found.counted.push(pb::Letter { sealed: bytes::Bytes::new(), ..letter });
        }
    }
    found.more = full;
    Ok(found)
}
