//! Conflicts: raising, keeping, settling. Every disagreement has a number; what is open stands in the queue.
//! Invariant: an open conflict is in each list of the queue, a closed one in none, and the count of open ones is kept
//! in the same commit.

use super::{
    commit::{Commit, Question},
    kinds,
};
use crate::{
    rows::{self, meta, queue},
    store::{Space, StoreError},
    upkeep,
};
use prost::Message;
use std::collections::HashMap;
use taizhang_proto::{
    OrgCode, RecordId,
    cell::home_unit,
    pb::{self, Choice, ConflictKind, ConflictState},
};

/// Most claims that one conflict keeps; older ones stay in the record's history.
const MAX_CLAIMS: usize = 32;
/// Most open conflicts about one record: more than it has fields.
const MAX_OPEN: usize = 256;

fn next_conflict(commit: &mut Commit<'_>) -> Result<u64, StoreError> {
    let last = match commit.conflict_number {
        Some(last) => last,
        None => rows::counter(commit.view, meta::CONFLICT)?,
    };
    commit.conflict_number = Some(last + 1);
    Ok(last + 1)
}

/// The numbers of the open conflicts about a record.
pub(super) fn open_about(commit: &Commit<'_>, id: RecordId) -> Result<Vec<u64>, StoreError> {
    if let Some(numbers) = commit.open_about.get(&id) {
        return Ok(numbers.clone());
    }
    Ok(numbers_in(commit.view.get(Space::Queue, &queue::of_record(id))?.as_deref()))
}

/// The same, to be changed.
fn open_list<'c>(commit: &'c mut Commit<'_>, id: RecordId) -> Result<&'c mut Vec<u64>, StoreError> {
    let numbers = open_about(commit, id)?;
    Ok(commit.open_about.entry(id).or_insert(numbers))
}

/// A conflict by its number.
pub(super) fn conflict(commit: &Commit<'_>, number: u64) -> Result<Option<pb::Conflict>, StoreError> {
    if let Some(conflict) = commit.conflicts.get(&number) {
        return Ok(Some(conflict.clone()));
    }
    rows::read(commit.view, Space::Conflicts, &number.to_be_bytes())
}

/// The open conflicts of a kind about a record.
pub(super) fn open_of(commit: &Commit<'_>, id: RecordId, kind: ConflictKind) -> Result<Vec<pb::Conflict>, StoreError> {
    let mut found = Vec::new();
    for number in open_about(commit, id)? {
        found.extend(conflict(commit, number)?.filter(|open| open.kind() == kind));
    }
    Ok(found)
}

fn question_of(conflict: &pb::Conflict) -> Question {
    (conflict.kind, conflict.other.clone(), conflict.tags.clone())
}

/// The open conflict of this kind about these records and fields. All about a record are read once for a commit.
fn same_open(commit: &mut Commit<'_>, like: &pb::Conflict) -> Result<Option<pb::Conflict>, StoreError> {
    let Some(id) = RecordId::from_slice(&like.record) else { return Ok(None) };
    if !commit.asked.contains_key(&id) {
        let about = open_about(commit, id)?;
        commit.count_work(about.len() as u64);
        let mut asked = HashMap::with_capacity(about.len());
        // Of two that ask the same the first is meant.
        for number in about.into_iter().rev() {
            asked.extend(conflict(commit, number)?.map(|open| (question_of(&open), number)));
        }
        commit.asked.insert(id, asked);
    }
    let number = commit.asked[&id].get(&question_of(like)).copied();
    number.map_or(Ok(None), |number| conflict(commit, number))
}

/// The numbers of the findings about a record that a reviewer has let stand.
fn let_stand(commit: &Commit<'_>, id: RecordId) -> Result<Vec<u64>, StoreError> {
    if let Some(numbers) = commit.let_stand.get(&id) {
        return Ok(numbers.clone());
    }
    Ok(numbers_in(commit.view.get(Space::Queue, &queue::let_stand(id))?.as_deref()))
}

/// The same, to be changed.
fn stand_list<'c>(commit: &'c mut Commit<'_>, id: RecordId) -> Result<&'c mut Vec<u64>, StoreError> {
    let numbers = let_stand(commit, id)?;
    Ok(commit.let_stand.entry(id).or_insert(numbers))
}

/// A finding like this one, with the same values, that a reviewer has let stand.
fn same_ruled(commit: &Commit<'_>, like: &pb::Conflict) -> Result<Option<u64>, StoreError> {
    let Some(id) = RecordId::from_slice(&like.record).filter(|_| kinds::of(like).is_finding) else {
        return Ok(None);
    };
    let values = |conflict: &pb::Conflict| -> Vec<bytes::Bytes> {
        conflict.claims.iter().map(|claim| claim.message.clone()).collect()
    };
    for number in let_stand(commit, id)? {
        if let Some(ruled) = conflict(commit, number)?
            && (ruled.kind, &ruled.other, &ruled.tags) == (like.kind, &like.other, &like.tags)
            && values(&ruled) == values(like)
        {
            return Ok(Some(number));
        }
    }
    Ok(None)
}

/// Raises a conflict. One that is open about the same thing gets the new claims instead; one that a reviewer has
/// let stand is not asked again. Returns its number.
pub(super) fn raise(commit: &mut Commit<'_>, mut conflict: pb::Conflict) -> Result<u64, StoreError> {
    conflict.found = commit.core.now();
    if conflict.state() != ConflictState::Unsettled {
        conflict.number = next_conflict(commit)?;
        let number = conflict.number;
        commit.conflicts.insert(number, conflict);
        return Ok(number);
    }
    if let Some(number) = same_ruled(commit, &conflict)? {
        return Ok(number);
    }
    if let Some(mut open) = same_open(commit, &conflict)? {
        let news: Vec<_> = conflict.claims.into_iter().filter(|claim| !open.claims.contains(claim)).collect();
        if !news.is_empty() {
            open.claims.extend(news);
            let surplus = open.claims.len().saturating_sub(MAX_CLAIMS);
            open.claims.drain(1..=surplus.min(open.claims.len() - 1)).for_each(drop);
            open.revision = open.revision.max(conflict.revision);
        }
        let number = open.number;
        commit.conflicts.insert(number, open);
        return Ok(number);
    }
    if let Some(id) = RecordId::from_slice(&conflict.record) {
        let open = open_about(commit, id)?;
        if let Some(last) = open.last().filter(|_| open.len() >= MAX_OPEN) {
            if commit.overfull.insert(id) {
                tracing::warn!(record = %id, "a record has more open questions than anybody would answer: what else was said is in its history");
            }
            return Ok(*last);
        }
    }
    conflict.number = next_conflict(commit)?;
    let number = conflict.number;
    enter(commit, &conflict)?;
    commit.conflicts.insert(number, conflict);
    Ok(number)
}

/// Puts an open conflict into the queue.
fn enter(commit: &mut Commit<'_>, conflict: &pb::Conflict) -> Result<(), StoreError> {
    for key in entries(conflict, commit.core.unit) {
        commit.set.put(Space::Queue, key, []);
    }
    if let Some(id) = RecordId::from_slice(&conflict.record) {
        open_list(commit, id)?.push(conflict.number);
        if let Some(asked) = commit.asked.get_mut(&id) {
            asked.entry(question_of(conflict)).or_insert(conflict.number);
        }
    }
    commit.opened += 1;
    Ok(())
}

/// Takes an open conflict out of the queue, as ruled or passed.
pub(super) fn close_conflict(
    commit: &mut Commit<'_>,
    mut conflict: pb::Conflict,
    state: ConflictState,
) -> Result<(), StoreError> {
    if conflict.state() == ConflictState::Unsettled {
        for key in entries(&conflict, commit.core.unit) {
            commit.set.remove(Space::Queue, key);
        }
        if let Some(id) = RecordId::from_slice(&conflict.record) {
            open_list(commit, id)?.retain(|number| *number != conflict.number);
            // Another one may ask the same: what is left is read anew.
            commit.asked.remove(&id);
        }
        commit.opened -= 1;
        conflict.closed = commit.core.now();
    }
    conflict.set_state(state);
    let stands = state == ConflictState::Ruled && matches!(conflict.choice(), Choice::Keep | Choice::Distinct);
    if let Some(id) = RecordId::from_slice(&conflict.record).filter(|_| stands && kinds::of(&conflict).is_finding) {
        stand_list(commit, id)?.push(conflict.number);
    }
    commit.conflicts.insert(conflict.number, conflict);
    Ok(())
}

/// The open conflicts about a record that has come to another unit lie in that one's lists, too.
pub(super) fn file_conflicts_at(commit: &mut Commit<'_>, id: RecordId, to: OrgCode) -> Result<(), StoreError> {
    for number in open_about(commit, id)? {
        let Some(mut open) = conflict(commit, number)? else { continue };
        for key in entries(&open, commit.core.unit) {
            commit.set.remove(Space::Queue, key);
        }
        open.moved_to = if to.number() == open.unit { 0 } else { to.number() };
        for key in entries(&open, commit.core.unit) {
            commit.set.put(Space::Queue, key, []);
        }
        commit.conflicts.insert(number, open);
    }
    Ok(())
}

/// Puts a closed conflict back into the queue.
pub(super) fn reopen_conflict(commit: &mut Commit<'_>, mut conflict: pb::Conflict) -> Result<(), StoreError> {
    if conflict.state() != ConflictState::Unsettled {
        let was = upkeep::closed_at(&conflict);
        conflict.reopened.extend([was, commit.core.now().max(was)]);
        conflict.set_state(ConflictState::Unsettled);
        conflict.closed = 0;
        let id = RecordId::from_slice(&conflict.record);
        let home = id.map(|id| commit.record(id)).transpose()?.flatten().as_deref().and_then(home_unit);
        conflict.moved_to = home.map(OrgCode::number).filter(|home| *home != conflict.unit).unwrap_or(0);
        enter(commit, &conflict)?;
        if let Some(id) = RecordId::from_slice(&conflict.record).filter(|_| kinds::of(&conflict).is_finding) {
            stand_list(commit, id)?.retain(|number| *number != conflict.number);
        }
    }
    commit.conflicts.insert(conflict.number, conflict);
    Ok(())
}

/// Closes the open conflicts of a kind about a record whose reason is gone. `stays` says which of them still
/// stand, by the other record.
pub(super) fn pass_conflicts(
    commit: &mut Commit<'_>,
    id: RecordId,
    kind: ConflictKind,
    stays: impl Fn(&pb::Conflict) -> bool,
) -> Result<(), StoreError> {
    for open in open_of(commit, id, kind)?.into_iter().filter(|open| !stays(open)) {
        close_conflict(commit, open, ConflictState::Passed)?;
    }
    Ok(())
}

/// Puts the conflicts of this commit into the write set.
pub(super) fn write_conflicts(commit: &mut Commit<'_>) -> Result<(), StoreError> {
    for (number, conflict) in std::mem::take(&mut commit.conflicts) {
        commit.set.put(Space::Conflicts, number.to_be_bytes(), conflict.encode_to_vec());
    }
    let about = std::mem::take(&mut commit.open_about).into_iter().map(|(id, own)| (queue::of_record(id), own));
    let stand = std::mem::take(&mut commit.let_stand).into_iter().map(|(id, own)| (queue::let_stand(id), own));
    for (key, numbers) in about.chain(stand) {
        let row: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
        let stood = commit.view.get(Space::Queue, &key)?;
        if row.is_empty() && stood.is_some() {
            commit.set.remove(Space::Queue, key);
        } else if !row.is_empty() && stood.as_deref() != Some(&row[..]) {
            commit.set.put(Space::Queue, key, row);
        }
    }
    if let Some(last) = commit.conflict_number {
        commit.set.put(Space::Meta, meta::CONFLICT, last.to_be_bytes());
    }
    if commit.opened != 0 {
        let open = rows::counter(commit.view, meta::OPEN)?.saturating_add_signed(commit.opened);
        commit.set.put(Space::Meta, meta::OPEN, open.to_be_bytes());
    }
    Ok(())
}

/// The numbers in a row of them.
fn numbers_in(row: Option<&[u8]>) -> Vec<u64> {
    let numbers = row.unwrap_or_default().chunks_exact(8);
    numbers.filter_map(|number| Some(u64::from_be_bytes(number.try_into().ok()?))).collect()
}

/// The keys of an open conflict in the queue's lists: of every unit below the hub that it lies in, so that a filter by
/// unit reads one list at any level.
fn entries(conflict: &pb::Conflict, hub: OrgCode) -> Vec<Vec<u8>> {
    let mut keys =
        vec![queue::entry(queue::ALL, conflict.number), queue::entry(&queue::of_kind(conflict.kind), conflict.number)];
    let units = [conflict.unit, conflict.other_unit, conflict.moved_to];
    for unit in units.into_iter().filter_map(|code| OrgCode::new(code).ok()) {
        let below = unit.up_to(hub).filter(|unit| *unit != hub);
        keys.extend(below.map(|unit| queue::entry(&queue::of_unit(unit), conflict.number)));
    }
    keys.sort();
    keys.dedup();
    keys
}
