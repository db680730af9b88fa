//! What one commit holds of what goes across districts: rows as it sees them, and the letters that it sends.
//! Invariants: one row read after another is written sees it; a letter leaves the outbox only when its purpose is fulfilled; what it says of
//! totals has the revision of the cells that it belongs to.

use crate::{
    mail::{
        outbox::is_counted,
        rows::{DeskRow, NeighbourRow, kind, under, under_revision},
    },
    rows::meta,
    store::{Space, StoreError},
    totals::aside::AsideRow,
    writer::commit::Commit,
};
use bytes::Bytes;
use prost::Message;
use taizhang_proto::{
    OrgCode,
    pb::{self, LetterKind},
    record::Revision,
};

/// A row as this commit sees it.
pub(in crate::writer) fn kept<M: Message + Default>(
    commit: &Commit<'_>,
    space: Space,
    key: &[u8],
) -> Result<Option<M>, StoreError> {
    let row = match commit.across.rows.get(&(space, key.to_vec())) {
        Some(row) => row.clone().map(Bytes::from),
        None => commit.view.get(space, key)?,
    };
    row.map(|row| M::decode(row).map_err(|_| StoreError::Row(space))).transpose()
}

pub(in crate::writer) fn keep_row(commit: &mut Commit<'_>, space: Space, key: Vec<u8>, row: &impl Message) {
    commit.across.rows.insert((space, key), Some(row.encode_to_vec()));
}

pub(in crate::writer) fn keep_bytes(commit: &mut Commit<'_>, space: Space, key: Vec<u8>, row: Vec<u8>) {
    commit.across.rows.insert((space, key), Some(row));
}

pub(in crate::writer) fn forget(commit: &mut Commit<'_>, space: Space, key: Vec<u8>) {
    commit.across.rows.insert((space, key), None);
}

pub(in crate::writer) fn desk(commit: &Commit<'_>) -> Result<DeskRow, StoreError> {
    Ok(kept(commit, Space::Meta, meta::DESK)?.unwrap_or_default())
}

pub(in crate::writer) fn keep_desk(commit: &mut Commit<'_>, desk: &DeskRow) {
    keep_row(commit, Space::Meta, meta::DESK.to_vec(), desk);
}

/// Every neighbour that is known, this hub not among them.
pub(in crate::writer) fn neighbours(commit: &Commit<'_>) -> Result<Vec<u64>, StoreError> {
    let own = commit.core.unit.number();
    let known = commit.view.prefix(Space::Neighbours, &[]).map(|row| {
        let row = NeighbourRow::decode(row?.1).map_err(|_| StoreError::Row(Space::Neighbours))?;
        Ok(row.unit)
    });
    let known: Vec<u64> = known.collect::<Result<_, StoreError>>()?;
    Ok(known.into_iter().filter(|unit| *unit != own).collect())
}

/// The neighbour that a unit belongs to.
pub(in crate::writer) fn neighbour_of(commit: &Commit<'_>, unit: OrgCode) -> Result<Option<u64>, StoreError> {
    let covers = |code: &u64| OrgCode::new(*code).is_ok_and(|district| district.covers(unit));
    Ok(neighbours(commit)?.into_iter().find(covers))
}

/// Puts a letter into the outbox; one with the same id is replaced and goes again.
pub(in crate::writer) fn send(commit: &mut Commit<'_>, letter: pb::Letter) {
    commit.across.letters.retain(|other| other.id != letter.id);
    commit.across.letters.push(letter);
}

pub(in crate::writer) fn is_in_outbox(commit: &Commit<'_>, id: &[u8]) -> Result<bool, StoreError> {
    let waiting = commit.across.letters.iter().any(|letter| letter.id[..] == *id);
    Ok(waiting || kept::<pb::Letter>(commit, Space::Outbox, &under(kind::LETTER, id))?.is_some())
}

/// Takes a letter out of the outbox: its purpose is fulfilled.
pub(in crate::writer) fn unsend(commit: &mut Commit<'_>, id: &[u8]) -> Result<(), StoreError> {
    commit.across.letters.retain(|letter| letter.id[..] != *id);
    let key = under(kind::LETTER, id);
    if let Some(letter) = kept::<pb::Letter>(commit, Space::Outbox, &key)? {
        forget(commit, Space::Outbox, under_revision(kind::BY_REVISION, letter.revision, id));
        forget(commit, Space::Outbox, key);
    }
    Ok(())
}

/// Gives letters their revisions and writes the rows. Called once the cells have theirs: what changes totals gets
/// the revision of the cells, so a parent takes both in one commit.
pub(in crate::writer) fn write_letters(commit: &mut Commit<'_>, before_cells: Revision) -> Result<(), StoreError> {
    let mut letters = std::mem::take(&mut commit.across.letters);
    letters.sort_by_key(|letter| !is_counted(letter));
    let cells = Some(commit.newest_revision()).filter(|revision| *revision > before_cells);
    let mut reached = None;
    for mut letter in letters {
        let revision = match (reached, cells) {
            (None, Some(revision)) => revision,
            _ if is_counted(&letter) && reached.is_some() => reached.unwrap_or_default(),
            _ => commit.take_revisions(1),
        };
        reached = Some(revision);
        let id = letter.id.to_vec();
        unsend(commit, &id)?;
        letter.revision = revision;
        keep_bytes(commit, Space::Outbox, under_revision(kind::BY_REVISION, revision, &id), Vec::new());
        keep_row(commit, Space::Outbox, under(kind::LETTER, &id), &letter);
    }
    if let Some(reached) = reached {
        commit.set.put(Space::Meta, meta::CELLS, reached.to_be_bytes());
    }
    for ((space, key), row) in std::mem::take(&mut commit.across.rows) {
        match row {
            Some(row) => commit.set.put(space, key, row),
            None => commit.set.remove(space, key),
        }
    }
    Ok(())
}

/// A letter without a text.
pub(in crate::writer) fn letter(kind: LetterKind, to: u64, transfer: &[u8], id: Vec<u8>) -> pb::Letter {
    pb::Letter {
        id: id.into(),
        to,
        kind: kind.into(),
        transfer: Bytes::copy_from_slice(transfer),
        ..pb::Letter::default()
    }
}

/// What is set aside, as this commit sees it.
pub(in crate::writer) fn aside(commit: &Commit<'_>) -> Result<AsideRow, StoreError> {
    Ok(kept(commit, Space::Meta, meta::ASIDE)?.unwrap_or_default())
}
