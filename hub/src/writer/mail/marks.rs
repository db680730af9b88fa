//! A district's marks in a commit: which record carries which, and what the parent's ruling means for the records.
//! Invariant: a record says that another district counts it, or has it too, exactly while a ruling under a key in use
//! says so.

use crate::{
    mail::{
        marks::{MAX_SENT, MarkBatch},
        rows::{DeskRow, MARK, MarkRow, RecordMarks, ids_in, kind, mark_key, under, under_revision},
    },
    rows::meta,
    store::{Space, StoreError},
    writer::{
        Answer, WriteError,
        commit::Commit,
        conflicts, inspect,
        mail::across,
        order,
        revise::{self, Hand, nothing, number},
    },
};
use prost::Message;
use std::collections::{BTreeSet, HashSet};
use taizhang_proto::{
    OrgCode, RecordId,
    cell::{Counting, home_unit},
    date::Day,
    pb::{self, ConflictKind},
    register::{COUNTED_AT, COUNTING, ELSEWHERE_TOO, field, number as registers},
    rule::Rule,
    wire::{Field, put_bytes},
};

/// A ruling's turns; a city of an earlier build rules for all days.
fn turns_in(ruling: &pb::MarkRuling) -> Vec<pb::MarkTurn> {
    if ruling.turns.is_empty() && ruling.counts_at != 0 {
        return vec![pb::MarkTurn { from: Day::MIN, counts_at: ruling.counts_at }];
    }
    ruling.turns.clone()
}

/// Turns as a record says them.
fn counting(turns: &[pb::MarkTurn]) -> Field {
    let mut bytes = Vec::new();
    for turn in turns {
        let turn = Counting { from: turn.from, at: OrgCode::new(turn.counts_at).ok() };
        put_bytes(COUNTING, turn.to_text().as_bytes(), &mut bytes);
    }
    Field { tag: COUNTING, bytes: bytes.into() }
}

/// Takes marks worked out from a view; those of keys that have changed since are worked out again.
pub(in crate::writer) fn take_index(commit: &mut Commit<'_>, batch: MarkBatch) -> Result<Answer, WriteError> {
    let mut desk = across::desk(commit)?;
    let generations = desk.keys.iter().map(|key| key.generation);
    if !generations.eq(batch.generations.iter().copied()) || batch.upto <= desk.indexed {
        return Ok(Answer::Done);
    }
    let mut changed = HashSet::new();
    let mut touched = Vec::new();
    for (id, marks) in batch.records {
        let key = under(kind::OF_RECORD, &id.0);
        let old: RecordMarks = across::kept(commit, Space::Marks, &key)?.unwrap_or_default();
        if old == marks {
            continue;
        }
        for gone in old.marks.iter().filter(|mark| !marks.marks.contains(mark)) {
            let mut row = mark_row(commit, gone)?;
            row.records = ids_in(&row.records).into_iter().filter(|other| *other != id).flat_map(|id| id.0).collect();
            across::keep_row(commit, Space::Marks, under(kind::MARK, gone), &row);
        }
        for fresh in marks.marks.iter().filter(|mark| !old.marks.contains(mark)) {
            let mut row = mark_row(commit, fresh)?;
            row.records.extend_from_slice(&id.0);
            across::keep_row(commit, Space::Marks, under(kind::MARK, fresh), &row);
        }
        changed.extend(old.marks.into_iter().chain(marks.marks.iter().cloned()));
        if marks.marks.is_empty() {
            across::forget(commit, Space::Marks, key);
        } else {
            across::keep_row(commit, Space::Marks, key, &marks);
        }
        touched.push(id);
    }
    desk.indexed = batch.upto;
    if !changed.is_empty() {
        desk.marks = commit.take_revisions(1);
    }
    for mark in changed {
        let mut row = mark_row(commit, &mark)?;
        if row.records.is_empty() {
            row.counts_at = 0;
            row.turns.clear();
        }
        say_mark(commit, &mark, row, desk.marks);
    }
    across::keep_desk(commit, &desk);
    for id in touched {
        settle_counting(commit, id)?;
    }
    inspect::inspect_all(commit)?;
    Ok(Answer::Done)
}

fn mark_row(commit: &Commit<'_>, mark: &[u8]) -> Result<MarkRow, StoreError> {
    Ok(across::kept(commit, Space::Marks, &under(kind::MARK, mark))?.unwrap_or_default())
}

/// Takes who counts which mark. A ruling on a mark that no record here carries any more says nothing.
pub(super) fn take_rulings(commit: &mut Commit<'_>, rulings: &[pb::MarkRuling]) -> Result<(), StoreError> {
    let mut ruled = BTreeSet::new();
    for ruling in rulings.iter().filter(|ruling| ruling.mark.len() == MARK) {
        let mark = mark_key(ruling.generation, ruling.kind, &ruling.mark);
        let mut row = mark_row(commit, &mark)?;
        let turns = turns_in(ruling);
        if row.records.is_empty() || (row.counts_at == ruling.counts_at && row.turns == turns) {
            continue;
        }
        row.counts_at = ruling.counts_at;
        row.turns = turns;
        across::keep_row(commit, Space::Marks, under(kind::MARK, &mark), &row);
        ruled.extend(ids_in(&row.records));
    }
    // In the order of the records: that of the marks follows from a key that was drawn.
    for id in ruled {
        settle_counting(commit, id)?;
    }
    Ok(())
}

/// The parent was restored from a backup and may not know what it ruled since: every mark with a ruling is said again,
/// with the ruling, and it answers where it says otherwise now.
pub(super) fn say_ruled_again(commit: &mut Commit<'_>, desk: &mut DeskRow) -> Result<(), StoreError> {
    let mut ruled = Vec::new();
    for row in commit.view.prefix(Space::Marks, &[kind::MARK]) {
        let (key, value) = row?;
        let row = MarkRow::decode(value).map_err(|_| StoreError::Row(Space::Marks))?;
        ruled.extend((!row.turns.is_empty()).then(|| key[1..].to_vec()));
    }
    for some in ruled.chunks(MAX_SENT) {
        desk.marks = commit.take_revisions(1);
        for mark in some {
            let row = mark_row(commit, mark)?;
            say_mark(commit, mark, row, desk.marks);
        }
    }
    Ok(())
}

/// Has a mark said under a new revision.
fn say_mark(commit: &mut Commit<'_>, mark: &[u8], mut row: MarkRow, revision: u64) {
    across::forget(commit, Space::Marks, under_revision(kind::CHANGED, row.revision, mark));
    row.revision = revision;
    across::keep_bytes(commit, Space::Marks, under_revision(kind::CHANGED, row.revision, mark), Vec::new());
    across::keep_row(commit, Space::Marks, under(kind::MARK, mark), &row);
}

/// What rulings and orders say, written once more: an earlier build wrote less of it.
pub(in crate::writer) fn settle_all(commit: &mut Commit<'_>) -> Result<Answer, WriteError> {
    let mut desk = across::desk(commit)?;
    if desk.indexed > 0 {
        desk.indexed = 0; // what is marked may have changed, too
        across::keep_desk(commit, &desk);
    }
    commit.set.remove(Space::Meta, meta::UNSETTLED);
    let mut ruled = BTreeSet::new();
    for row in commit.view.prefix(Space::Marks, &[kind::MARK]) {
        let row = MarkRow::decode(row?.1).map_err(|_| StoreError::Row(Space::Marks))?;
        if row.counts_at != 0 || !row.turns.is_empty() {
            ruled.extend(ids_in(&row.records));
        }
    }
    for id in ruled {
        settle_counting(commit, id)?;
    }
    order::give_tasks(commit)?;
    inspect::inspect_all(commit)?;
    Ok(Answer::Done)
}

/// Makes a record say who counts it, and whether others have it too, by the ruling under the newest key that has one.
/// What is at home elsewhere by now says neither: its district does.
fn settle_counting(commit: &mut Commit<'_>, id: RecordId) -> Result<(), StoreError> {
    let Some(record) = commit.record(id)? else { return Ok(()) };
    let (register, home, by_id) = (record.register, home_unit(&record), record.bytes(field::resident::ID_NO).is_some());
    let marks: RecordMarks = across::kept(commit, Space::Marks, &under(kind::OF_RECORD, &id.0))?.unwrap_or_default();
    let mut row = MarkRow::default();
    for mark in marks.marks.iter().rev().filter(|_| home.is_some_and(|unit| commit.core.unit.covers(unit))) {
        row = mark_row(commit, mark)?;
        if row.counts_at != 0 || !row.turns.is_empty() {
            break;
        }
    }
    let counts_at = row.counts_at;
    let ruled = counts_at != 0;
    let elsewhere = ruled && counts_at != commit.core.unit.number();
    let mut fields = vec![if elsewhere { number(COUNTED_AT, counts_at) } else { nothing(COUNTED_AT) }];
    fields.push(counting(&row.turns));
    if register == registers::RESIDENT {
        let here = ruled && !elsewhere;
        fields.push(if here { number(ELSEWHERE_TOO, 1) } else { nothing(ELSEWHERE_TOO) });
    }
    if revise::revise(commit, id, register, fields, &Hand::rule(Rule::CrossDistrict))?.is_some() && elsewhere {
        let note = "另一县区登记了同一人或同一证书 (another district registers the same person or certificate)";
        // The id number of a resident or of another card, the number of a certificate.
        let tag = match register {
            registers::RESIDENT if by_id => 21,
            registers::RESIDENT => 57,
            _ => 22,
        };
        let mut found = commit.known().question(ConflictKind::CrossDistrict, id, None, &[tag], note)?;
        found.other_unit = counts_at;
        conflicts::raise(commit, *found)?;
    }
    Ok(())
}
