//! A child hub's cells, by value: idempotent, so a repeated or reordered batch does no harm.
//! Invariant: whatever a child says, it stays within its own subtree, within a number of cells that follows from its units,
//! and out of the sums where no honest count could be (`taizhang_proto::cell::bounds`). What is out of bounds is kept as
//! it was said, so that both sides' digests agree and nobody says it again and again.

use super::{
    Answer, Peer, WriteError, aside,
    commit::Commit,
    mail::{office, ruling},
    quota,
};
use crate::{
    rows::NodeRow,
    store::{Space, StoreError},
};
use bytes::Bytes;
use prost::Message;
use taizhang_proto::{
    OrgCode,
    cell::{CellKey, bounds},
    pb,
    session::MAX_NUMBER,
};

/// Cells of a child for each unit that it has, on the average. One unit alone may hold more.
const CELLS_A_UNIT: u64 = if cfg!(test) { 100 } else { 20_000 };
/// Cells that every child may have. Both are small in unit tests, so that they cross them.
const CELLS_AT_LEAST: u64 = if cfg!(test) { 1_000 } else { 500_000 };

/// Work of a cell, as so many records that are looked at: it is read and written with the sums of its unit and of all above it, by day
/// and by year.
const WORK_A_CELL: u64 = 40;
/// Cells of one batch that one commit takes on; others have their turn before the next.
pub(super) const CELLS_AT_ONCE: usize = if cfg!(test) { 250 } else { 25_000 };

/// How many cells a child may have.
fn room(commit: &Commit<'_>, unit: OrgCode) -> u64 {
    let units = commit.tree.below(unit).count() as u64;
    units.saturating_mul(CELLS_A_UNIT).max(CELLS_AT_LEAST)
}

/// How many cells a child has, counted where that was never kept.
fn held(commit: &Commit<'_>, peer: &Peer, node: &NodeRow) -> Result<u64, StoreError> {
    if node.cells > 0 {
        return Ok(node.cells);
    }
    let (from, to) = (peer.unit.number().to_be_bytes(), (peer.unit.last() + 1).to_be_bytes());
    let mut held = 0;
    for row in commit.view.range(Space::Own, &from, &to) {
        row?;
        held += 1;
    }
    Ok(held)
}

pub(super) fn take_cells(
    commit: &mut Commit<'_>,
    peer: &Peer,
    (last, stretch): (u64, &[u8]),
    cells: &[pb::CellValue],
    letters: Vec<pb::Letter>,
    (marks, marked): (&[pb::MarkValue], u64),
) -> Result<Answer, WriteError> {
    let mut node = commit.node(&peer.id)?.ok_or_else(|| WriteError::Unknown(peer.id.clone()))?;
    if last > MAX_NUMBER || marked > MAX_NUMBER {
        node.incidents = node.incidents.saturating_add(1);
        tracing::warn!(node = %peer.id, unit = %peer.unit, "a child says that it has counted further than anybody can");
        commit.put_node(node);
        return Err(WriteError::Beyond);
    }
    // Its figures are taken all the same: what is not heard is the letters and marks, and with them the batch.
    let says_more = !(letters.is_empty() && marks.is_empty());
    let is_enough = says_more && quota::has_said_enough(commit, &node);
    if says_more && !is_enough {
        let bytes = letters.iter().map(Message::encoded_len).sum::<usize>()
            + marks.iter().map(Message::encoded_len).sum::<usize>();
        node.note_said(commit.core.today(), bytes);
    }
    set_cells(commit, peer, cells, &mut node)?;
    if is_enough {
        tracing::warn!(node = %peer.id, unit = %peer.unit, "a child has said as much today as one may: heard again tomorrow");
        commit.put_node(node);
        return Err(WriteError::EnoughToday);
    }
    office::take_letters(commit, peer, letters, last, &mut node)?;
    ruling::take_marks(commit, peer, marks, marked, &mut node)?;
    let first = node.acknowledged.saturating_add(1);
    node.acknowledged = node.acknowledged.max(last);
    node.stretch = stretch.to_vec();
    if last >= node.announced {
        aside::has_said_all(commit, peer.unit)?;
    }
    let verdicts = pb::Verdicts {
        first,
        last: node.acknowledged,
        received: commit.core.now(),
        log_digest: Bytes::new(),
        node: node.number,
        ..pb::Verdicts::default()
    };
    commit.put_node(node);
    Ok(Answer::Verdicts(vec![verdicts]))
}

/// Takes some of the cells of a batch, of which the rest and all that is said with it comes with a later commit: until then the
/// batch is not heard.
pub(super) fn take_some_cells(
    commit: &mut Commit<'_>,
    peer: &Peer,
    last: u64,
    cells: &[pb::CellValue],
) -> Result<(), WriteError> {
    let mut node = commit.node(&peer.id)?.ok_or_else(|| WriteError::Unknown(peer.id.clone()))?;
    set_cells(commit, peer, cells, &mut node)?;
    // It has more to say, and what it has said is not what it counts.
    node.announced = node.announced.max(last.min(MAX_NUMBER));
    node.equal = false;
    commit.put_node(node);
    Ok(())
}

fn set_cells(
    commit: &mut Commit<'_>,
    peer: &Peer,
    cells: &[pb::CellValue],
    node: &mut NodeRow,
) -> Result<(), StoreError> {
    let (refused, beyond) = (node.refused, node.beyond);
    node.cells = if cells.is_empty() { node.cells } else { held(commit, peer, node)? };
    let room = room(commit, peer.unit);
    for cell in cells {
        take_cell(commit, peer, cell, node, room)?;
    }
    commit.count_work(WORK_A_CELL * cells.len() as u64);
    if node.refused > refused || node.beyond > beyond {
        tracing::warn!(
            node = %peer.id, unit = %peer.unit, refused = node.refused - refused, beyond = node.beyond,
            "a child says what can't be: it is in no total"
        );
        node.incidents = node.incidents.saturating_add(1);
    }
    Ok(())
}

/// A batch on which this hub has failed counts as heard: what comes after it is not held back.
pub(super) fn pass_by(
    commit: &mut Commit<'_>,
    peer: &Peer,
    reached: (u64, &[u8]),
    marked: u64,
) -> Result<Answer, WriteError> {
    let answer = take_cells(commit, peer, reached, &[], Vec::new(), (&[], marked))?;
    if let Some(node) = commit.node(&peer.id)? {
        commit.put_node(NodeRow { incidents: node.incidents.saturating_add(1), ..node });
    }
    Ok(answer)
}

fn take_cell(
    commit: &mut Commit<'_>,
    peer: &Peer,
    cell: &pb::CellValue,
    node: &mut NodeRow,
    room: u64,
) -> Result<(), StoreError> {
    let unit = OrgCode::new(cell.unit).ok().filter(|unit| peer.unit.covers(*unit));
    let (Some(unit), Ok(part)) = (unit, u16::try_from(cell.part)) else {
        // A hub may speak for its own subtree only, whatever it sends.
        node.refused = node.refused.saturating_add(1);
        return Ok(());
    };
    let key = CellKey { unit, part, date: cell.date };
    let (known, before) = commit.known_cell(key)?;
    if before == cell.value {
        return Ok(());
    }
    if !known && before == 0 {
        if node.cells >= room {
            node.refused = node.refused.saturating_add(1);
            return Ok(());
        }
        node.cells += 1;
    }
    match (bounds::is_plausible(key, before), bounds::is_plausible(key, cell.value)) {
        (true, false) => node.beyond = node.beyond.saturating_add(1),
        (false, true) => node.beyond = node.beyond.saturating_sub(1),
        _ => {}
    }
    if bounds::is_never_negative(part) {
        commit.unjudged.insert((unit, part));
    }
    commit.set_cell(key, cell.value)
}
