//! A child hub says everything anew: what it had said is taken to nothing first, as much of it in a commit as one holds.
//! Invariant: from the first of these commits on the child counts as one that has said nothing, whatever stops the rest: nobody takes
//! what is left for its figures, and all of it is asked for again.

use super::{
    Peer, anew,
    commit::Commit,
    job::{Cleared, Stage},
    mail::{across, ruling},
};
use crate::{
    mail::rows::{CityMark, kind},
    rows::{NodeRow, OwnCell},
    store::{Space, StoreError},
};
use prost::Message;
use taizhang_proto::{
    OrgCode,
    cell::CellKey,
    pb::{self, MonthText},
};

/// Work of taking one cell to nothing, with its sums, or one mark with the ruling on it: as so many records that are looked at.
const WORK_CLEARED: u64 = 16;

/// Clears what a child had said that says everything anew. Returns whether nothing of it is left; else the commit is full.
pub(super) fn is_cleared(
    commit: &mut Commit<'_>,
    peer: &Peer,
    hello: &pb::Hello,
    cleared: &mut Cleared,
) -> Result<bool, StoreError> {
    if !(peer.hub && hello.rebuild) {
        return Ok(true);
    }
    if !cleared.is_granted {
        let Some(row) = anew::row_of(commit, peer, hello)? else { return Ok(true) }; // too often: the greeting says so
        commit.put_node(NodeRow { equal: false, acknowledged: 0, marked: 0, stretch: Vec::new(), ..row });
        cleared.is_granted = true;
    }
    if cleared.stage == Stage::Cells && !clear_cells(commit, peer.unit, cleared)? {
        return Ok(false);
    }
    if cleared.stage == Stage::Marks && !clear_marks(commit, peer.unit, cleared)? {
        return Ok(false);
    }
    Ok(true)
}

/// Takes every cell of a unit's subtree to zero, and forgets those that were zero when the last month was locked: nobody
/// has to hear of them any more.
fn clear_cells(commit: &mut Commit<'_>, unit: OrgCode, cleared: &mut Cleared) -> Result<bool, StoreError> {
    let locked = commit.core.months().texts().last().map_or(u64::MAX, |text: MonthText| text.revision);
    let (mut from, to) = (unit.number().to_be_bytes().to_vec(), (unit.last() + 1).to_be_bytes());
    if !cleared.next.is_empty() {
        from.clone_from(&cleared.next);
    }
    // What was false is looked at again.
    let refuted = across::aside(commit)?.refuted.into_iter().filter(|one| one.child == unit.number());
    let pairs = refuted.filter_map(|one| Some((OrgCode::new(one.unit).ok()?, u16::try_from(one.part).ok()?)));
    commit.unjudged.extend(pairs);
    let view = commit.view;
    for row in view.range(Space::Own, &from, &to) {
        let (row_key, value) = row?;
        let Some((key, cell)) = CellKey::from_slice(&row_key).zip(OwnCell::from_slice(&value)) else { continue };
        if cell.value == 0 && cell.revision <= locked && !commit.is_in_commit(key) {
            commit.forget_cell(key, cell.revision);
        } else {
            cleared.cells += 1;
            commit.set_cell(key, 0)?;
        }
        commit.count_work(WORK_CLEARED);
        if commit.is_full() {
            cleared.next = after(&row_key);
            return Ok(false);
        }
    }
    (cleared.stage, cleared.next) = (Stage::Marks, vec![kind::HOLDERS]);
    Ok(true)
}

/// Has a child hold no mark: what it does not say again is gone.
fn clear_marks(commit: &mut Commit<'_>, unit: OrgCode, cleared: &mut Cleared) -> Result<bool, StoreError> {
    let view = commit.view;
    for row in view.range(Space::Marks, &cleared.next, &[kind::HOLDERS + 1]) {
        let (key, value) = row?;
        let row = CityMark::decode(value).map_err(|_| StoreError::Row(Space::Marks))?;
        let mut row = across::kept(commit, Space::Marks, &key)?.unwrap_or(row);
        let several = row.holders.len();
        row.holders.retain(|holder| holder.unit != unit.number());
        commit.count_work(1);
        if row.holders.len() != several {
            ruling::rule(commit, &key, row, several)?;
            commit.count_work(WORK_CLEARED);
        }
        if commit.is_full() {
            cleared.next = after(&key);
            return Ok(false);
        }
    }
    cleared.stage = Stage::Done;
    Ok(true)
}

/// The key that comes next.
fn after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}
