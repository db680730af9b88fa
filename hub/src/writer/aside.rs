//! At a hub of hubs: looks at what children say for what can't be true, and sets aside what somebody decides.
//! Invariant: a part of a child in which a count falls below zero on some day is in no total, from the commit that finds it
//! to the commit that finds it mended; what was heard stays, so a session of it still ends quiet. No commit reads more than
//! [`BUDGET`] cells for it.

use super::{
    Answer, WriteError,
    commit::Commit,
    mail::{across, office, ruling},
};
use crate::{
    mail::rows::{CityMark, kind, under},
    rows::{NodeRow, OwnCell, meta},
    store::{Space, StoreError, View, WriteSet},
    totals::{
        self,
        aside::{AsideChild, AsideRow, Refuted, Turned, Unruled, falls_below_zero, pair_bytes, pairs},
        children,
    },
};
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};
use taizhang_proto::{
    OrgCode,
    cell::{CellKey, bounds},
    date::Day,
    limits,
    pb::Tier,
};

/// Cells that one commit reads for looking at what changed. Small in unit tests, so that they cross it.
const BUDGET: usize = if cfg!(test) { 8 } else { 200_000 };
/// What finding the cells of one count costs at least, as so many of them.
const A_LOOK: usize = if cfg!(test) { 1 } else { 16 };
/// Commits of a child that is still saying things after which they are looked at all the same.
const PATIENCE: u32 = 16;
/// False counts of one child after which nothing of it counts, until somebody has looked.
const MAX_REFUTED: usize = 64;
/// The same of a child that is still saying things: a day's steps may come before those that they take away from.
const MAX_WHILE_SAYING: usize = if cfg!(test) { 70 } else { 1_000 };

/// Marks that are looked at in one commit for a child that was set aside, or taken back.
const MARKS_AT_ONCE: usize = if cfg!(test) { 2 } else { 2_000 };

/// Where a count waits to be looked at.
fn unjudged_key((unit, part): (OrgCode, u16)) -> Vec<u8> {
    [meta::UNJUDGED, &pair_bytes(unit, part)[..]].concat()
}

/// Once at a city whose store is from before cells had bounds: takes what is out of bounds off the sums, and has every
/// count looked at with the next greetings.
pub(super) fn begin(view: &dyn View, top: OrgCode, set: &mut WriteSet) -> Result<(), StoreError> {
    if view.get(Space::Meta, meta::BOUNDED)?.is_some() {
        return Ok(());
    }
    set.put(Space::Meta, meta::BOUNDED, [1]);
    let mut row = totals::aside::row(view)?;
    let mut waiting: BTreeSet<(OrgCode, u16)> = pairs(&row.unjudged).collect();
    let mut off: BTreeMap<CellKey, i64> = BTreeMap::new();
    for found in view.prefix(Space::Own, &[]) {
        let (key, value) = found?;
        let wrong = || StoreError::Row(Space::Own);
        let (key, cell) = CellKey::from_slice(&key).zip(OwnCell::from_slice(&value)).ok_or_else(wrong)?;
        if key.unit != top && bounds::is_never_negative(key.part) {
            waiting.insert((key.unit, key.part));
        }
        if !bounds::is_plausible(key, cell.value) {
            for unit in key.unit.up_to(top) {
                let sum = off.entry(CellKey { unit, ..key }).or_default();
                *sum = sum.wrapping_add(cell.value);
            }
        }
    }
    for (key, value) in off {
        let bytes = key.to_bytes();
        let sum = view.get(Space::Sums, &bytes)?.and_then(|row| row.as_ref().try_into().ok().map(i64::from_be_bytes));
        // As they were added, wrapping.
        set.put(Space::Sums, bytes, sum.unwrap_or_default().wrapping_sub(value).to_be_bytes());
    }
    row.unjudged = waiting.into_iter().flat_map(|(unit, part)| pair_bytes(unit, part)).collect();
    set.put(Space::Meta, meta::ASIDE, row.encode_to_vec());
    Ok(())
}

/// Once at a city: has the marks of those ruled on anew who were set aside by a program that left them what they had taken.
pub(super) fn begin_marks(view: &dyn View, set: &mut WriteSet) -> Result<(), StoreError> {
    if view.get(Space::Meta, meta::RULED)?.is_some() {
        return Ok(());
    }
    set.put(Space::Meta, meta::RULED, [1]);
    let mut row = totals::aside::row(view)?;
    let units: Vec<u64> = row.children.iter().map(|child| child.unit).collect();
    if !units.is_empty() {
        for unit in units {
            rule_anew(&mut row, unit);
        }
        set.put(Space::Meta, meta::ASIDE, row.encode_to_vec());
    }
    Ok(())
}

/// Has the marks of a child ruled on anew.
fn rule_anew(row: &mut AsideRow, unit: u64) {
    row.unruled.retain(|one| one.unit != unit);
    row.unruled.push(Unruled { unit, after: Vec::new() });
}

fn keep_aside_row(commit: &mut Commit<'_>, row: &AsideRow) {
    across::keep_row(commit, Space::Meta, meta::ASIDE.to_vec(), row);
}

/// Looks at the counts that changed, as far as a commit has time for it; called once, at the end of a commit. What it has no time
/// for waits in a row of its own.
pub(super) fn judge_cells(commit: &mut Commit<'_>) -> Result<(), StoreError> {
    if commit.unjudged.is_empty() && !commit.judge_now {
        return Ok(());
    }
    let before = across::aside(commit)?;
    let mut row = before.clone();
    // An older build kept those that wait in the row itself.
    let mut waiting: BTreeSet<(OrgCode, u16)> = pairs(&std::mem::take(&mut row.unjudged)).collect();
    waiting.extend(std::mem::take(&mut commit.unjudged));
    let mut kept = BTreeSet::new();
    row.waited = row.waited.saturating_add(1);
    if commit.judge_now || row.waited >= PATIENCE {
        row.waited = 0;
        for found in commit.view.prefix(Space::Meta, meta::UNJUDGED) {
            let (key, _) = found?;
            if kept.len() * A_LOOK > BUDGET {
                break;
            }
            kept.extend(pairs(&key[meta::UNJUDGED.len()..]));
        }
        waiting.extend(&kept);
        let mut budget = BUDGET;
        let (in_commit, mut found) = (cells_by_count(commit, &waiting), BTreeMap::new());
        while budget > 0
            && let Some(pair) = waiting.pop_first()
        {
            if row.is_in_nothing(pair.0) {
                // It is looked at when it counts again.
                budget = budget.saturating_sub(1);
                if kept.remove(&pair) {
                    commit.set.remove(Space::Meta, unjudged_key(pair));
                }
                continue;
            }
            let (false_now, read) = is_false(commit, pair, in_commit.get(&pair).map_or(&[], Vec::as_slice))?;
            budget = budget.saturating_sub(read.max(A_LOOK));
            note_judged(commit, &mut row, pair, false_now, &mut found)?;
            if kept.remove(&pair) {
                commit.set.remove(Space::Meta, unjudged_key(pair));
            }
        }
        for (child, count) in found {
            tracing::warn!(child, count, "counts of a child fall below zero on some day: set aside");
        }
    }
    for pair in waiting.into_iter().filter(|pair| !kept.contains(pair)) {
        commit.set.put(Space::Meta, unjudged_key(pair), []);
    }
    if row != before {
        keep_aside_row(commit, &row);
    }
    Ok(())
}

/// The cells in the commit of each of these counts.
fn cells_by_count(commit: &Commit<'_>, of: &BTreeSet<(OrgCode, u16)>) -> BTreeMap<(OrgCode, u16), Vec<(CellKey, i64)>> {
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (key, value) in commit.cells_in_commit().filter(|(key, _)| of.contains(&(key.unit, key.part))) {
        found.entry((key.unit, key.part)).or_default().push((key, value));
    }
    found
}

/// A child has said all that it has to say: where a rule had set it aside before that, it counts again as far as what it says can be
/// true.
pub(super) fn has_said_all(commit: &mut Commit<'_>, unit: OrgCode) -> Result<(), StoreError> {
    commit.judge_now = true;
    let mut row = across::aside(commit)?;
    let Some(place) = row.children.iter().position(|child| child.unit == unit.number() && child.early) else {
        return Ok(());
    };
    row.children.remove(place);
    office::count_transits_of(commit, unit.number(), 1)?;
    turn(commit, &mut row, unit.number());
    rule_anew(&mut row, unit.number());
    keep_aside_row(commit, &row);
    judge_anew(commit, unit.number())
}

/// Rules anew on some of the marks of children that were set aside, or taken back: who is set aside counts nobody, so nobody is
/// taken from another by its word. Called once, at the end of a commit.
pub(super) fn rule_on_marks(commit: &mut Commit<'_>) -> Result<(), StoreError> {
    if commit.core.tier != Tier::City {
        return Ok(());
    }
    let mut row = across::aside(commit)?;
    let Some(Unruled { unit, after }) = row.unruled.first().cloned() else { return Ok(()) };
    let (from, to) = (under(kind::HOLDERS, &[]).max([&after[..], &[0]].concat()), [kind::HOLDERS + 1]);
    let mut last = None;
    for (place, found) in commit.view.range(Space::Marks, &from, &to).enumerate() {
        let (key, _) = found?;
        if place >= MARKS_AT_ONCE {
            break;
        }
        let mark: Option<CityMark> = across::kept(commit, Space::Marks, &key)?;
        if let Some(mark) = mark.filter(|mark| mark.holders.iter().any(|holder| holder.unit == unit)) {
            let several = mark.holders.len();
            ruling::rule(commit, &key, mark, several)?;
        }
        last = (place + 1 == MARKS_AT_ONCE).then(|| key.to_vec());
    }
    match last {
        Some(last) => row.unruled[0].after = last,
        None => drop(row.unruled.remove(0)),
    }
    keep_aside_row(commit, &row);
    Ok(())
}

/// Has every count of a child looked at with this commit, and with those behind it.
fn judge_anew(commit: &mut Commit<'_>, unit: u64) -> Result<(), StoreError> {
    let Ok(unit) = OrgCode::new(unit) else { return Ok(()) };
    let (from, to) = (unit.number().to_be_bytes(), (unit.last() + 1).to_be_bytes());
    for row in commit.view.range(Space::Own, &from, &to) {
        let key = CellKey::from_slice(&row?.0).ok_or(StoreError::Row(Space::Own))?;
        if bounds::is_never_negative(key.part) {
            commit.unjudged.insert((key.unit, key.part));
        }
    }
    commit.judge_now = true;
    Ok(())
}

/// Whether a count of a unit falls below zero on some day; and how many cells were read for it.
fn is_false(
    commit: &Commit<'_>,
    (unit, part): (OrgCode, u16),
    in_commit: &[(CellKey, i64)],
) -> Result<(bool, usize), StoreError> {
    let key = |date| CellKey { unit, part, date }.to_bytes();
    let mut to = key(Day::MAX).to_vec();
    to.push(0);
    let mut steps: BTreeMap<Day, i64> = BTreeMap::new();
    for row in commit.view.range(Space::Own, &key(Day::MIN), &to) {
        let (key, value) = row?;
        let wrong = || StoreError::Row(Space::Own);
        let (key, cell) = CellKey::from_slice(&key).zip(OwnCell::from_slice(&value)).ok_or_else(wrong)?;
        steps.insert(key.date, bounds::counted(key, cell.value));
    }
    steps.extend(in_commit.iter().map(|(key, value)| (key.date, bounds::counted(*key, *value))));
    let read = steps.len();
    Ok((falls_below_zero(steps), read))
}

/// Keeps whether a count is one that can't be. Of a child of which too many are, it counts as a whole in nothing, and no more of
/// them are kept; `found` says how many were found of each.
fn note_judged(
    commit: &mut Commit<'_>,
    row: &mut AsideRow,
    (unit, part): (OrgCode, u16),
    false_now: bool,
    found: &mut BTreeMap<u64, u64>,
) -> Result<(), StoreError> {
    let place = row.refuted.iter().position(|one| one.unit == unit.number() && one.part == u32::from(part));
    match (place, false_now) {
        (Some(place), false) => {
            let child = row.refuted.remove(place).child;
            turn(commit, row, child);
        }
        (None, true) => {
            let owner = children(commit.view)?
                .into_iter()
                .find(|child| child.hub && OrgCode::new(child.unit).is_ok_and(|own| own.covers(unit)));
            let Some(owner) = owner else { return Ok(()) };
            let child = owner.unit;
            *found.entry(child).or_default() += 1;
            row.refuted.push(Refuted { child, unit: unit.number(), part: part.into() });
            turn(commit, row, child);
            if let Some(node) = commit.node(&owner.id)? {
                commit.put_node(NodeRow { incidents: node.incidents.saturating_add(1), ..node });
            }
            let saying = commit.node(&owner.id)?.unwrap_or(owner);
            let early = saying.acknowledged < saying.announced;
            let most = if early { MAX_WHILE_SAYING } else { MAX_REFUTED };
            if row.refuted.iter().filter(|one| one.child == child).count() > most {
                row.refuted.retain(|one| one.child != child);
                let reason = "多处计数为负 (too many counts below zero)".to_owned();
                let at = commit.core.now();
                set_aside(commit, row, AsideChild { unit: child, reason, at, early, ..AsideChild::default() })?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// What a child counts begins or ceases to be in the totals.
fn turn(commit: &mut Commit<'_>, row: &mut AsideRow, unit: u64) {
    let revision = commit.take_revisions(1);
    row.turned.retain(|one| one.unit != unit);
    row.turned.push(Turned { unit, revision });
}

fn set_aside(commit: &mut Commit<'_>, row: &mut AsideRow, child: AsideChild) -> Result<(), StoreError> {
    let unit = child.unit;
    office::count_transits_of(commit, unit, -1)?;
    turn(commit, row, unit);
    row.children.push(child);
    rule_anew(row, unit);
    Ok(())
}

/// Somebody decides that a child counts in nothing, or that it counts again.
pub(super) fn decide_aside(commit: &mut Commit<'_>, child: AsideChild, undo: bool) -> Result<Answer, WriteError> {
    let known = children(commit.view)?.into_iter().any(|node| node.hub && node.unit == child.unit);
    if !known {
        return Ok(Answer::Refused(format!("下级中没有单位{} (no hub of this unit below)", child.unit)));
    }
    let (by, reason) = match limits::who_and_why(&child.by, &child.reason) {
        Ok((by, reason)) => (by.to_owned(), reason.to_owned()),
        Err(why) => return Ok(Answer::Refused(why.to_string())),
    };
    let child = AsideChild { by, reason, at: commit.core.now(), ..child };
    let mut row = across::aside(commit)?;
    let place = row.children.iter().position(|own| own.unit == child.unit);
    match (place, undo) {
        (None, false) => {
            tracing::warn!(unit = child.unit, "a child is set aside");
            set_aside(commit, &mut row, child)?;
        }
        (Some(place), true) => {
            tracing::warn!(unit = child.unit, "a child counts again");
            row.children.remove(place);
            judge_anew(commit, child.unit)?;
            office::count_transits_of(commit, child.unit, 1)?;
            turn(commit, &mut row, child.unit);
            rule_anew(&mut row, child.unit);
        }
        (None, true) => return Ok(Answer::Refused("该单位并未搁置 (it is not set aside)".into())),
        (Some(_), false) => return Ok(Answer::Refused("该单位已经搁置 (it is set aside already)".into())),
    }
    keep_aside_row(commit, &row);
    Ok(Answer::Done)
}
