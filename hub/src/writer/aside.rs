//! At a hub of hubs: looks at what children say for what can't be true, and sets aside what somebody decides.
//! Invariant: a part of a child in which a count falls below zero on some day is in no total, from the commit that finds it
//! to the commit that finds it mended; what was heard stays, so a session of it still ends quiet. No commit reads more than
//! [`BUDGET`] cells for it.

use super::{Answer, WriteError, pad::Pad};
use crate::{
    rows::{NodeRow, OwnCell, meta},
    store::{Space, StoreError, View, WriteSet},
    totals::{
        self,
        aside::{AsideChild, AsideRow, Refuted, Turned, falls_below_zero, pair_bytes, pairs},
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
};

/// Cells that one commit reads for looking at what changed. Small in unit tests, so that they cross it.
const BUDGET: usize = if cfg!(test) { 8 } else { 200_000 };
/// Commits of a child that is still saying things after which they are looked at all the same.
const PATIENCE: u32 = 16;
/// False counts of one child after which nothing of it counts, until somebody has looked.
const MAX_REFUTED: usize = 1_000;

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

impl Pad<'_> {
    /// What is set aside, as this commit sees it.
    pub(super) fn aside(&self) -> Result<AsideRow, StoreError> {
        Ok(self.kept(Space::Meta, meta::ASIDE)?.unwrap_or_default())
    }

    fn keep_aside_row(&mut self, row: &AsideRow) {
        self.keep_row(Space::Meta, meta::ASIDE.to_vec(), row);
    }

    /// Looks at the counts that changed, as far as a commit has time for it; called once, at the end of a commit.
    pub(super) fn judge_cells(&mut self) -> Result<(), StoreError> {
        if self.unjudged.is_empty() && !self.judge_now {
            return Ok(());
        }
        let before = self.aside()?;
        let mut row = before.clone();
        let mut waiting: BTreeSet<(OrgCode, u16)> = pairs(&row.unjudged).collect();
        waiting.extend(std::mem::take(&mut self.unjudged));
        row.waited = row.waited.saturating_add(1);
        if self.judge_now || row.waited >= PATIENCE {
            row.waited = 0;
            let mut budget = BUDGET;
            while budget > 0
                && let Some((unit, part)) = waiting.pop_first()
            {
                let (false_now, read) = self.is_false(unit, part)?;
                budget = budget.saturating_sub(read.max(1));
                self.note_judged(&mut row, (unit, part), false_now)?;
            }
        }
        row.unjudged = waiting.into_iter().flat_map(|(unit, part)| pair_bytes(unit, part)).collect();
        if row.unjudged.is_empty() {
            row.waited = 0;
        }
        if row != before {
            self.keep_aside_row(&row);
        }
        Ok(())
    }

    /// Whether a count of a unit falls below zero on some day; and how many cells were read for it.
    fn is_false(&self, unit: OrgCode, part: u16) -> Result<(bool, usize), StoreError> {
        let key = |date| CellKey { unit, part, date }.to_bytes();
        let mut to = key(Day::MAX).to_vec();
        to.push(0);
        let mut steps: BTreeMap<Day, i64> = BTreeMap::new();
        for row in self.view.range(Space::Own, &key(Day::MIN), &to) {
            let (key, value) = row?;
            let wrong = || StoreError::Row(Space::Own);
            let (key, cell) = CellKey::from_slice(&key).zip(OwnCell::from_slice(&value)).ok_or_else(wrong)?;
            steps.insert(key.date, bounds::counted(key, cell.value));
        }
        let on_pad = self.cells_of(unit, part);
        steps.extend(on_pad.map(|(key, value)| (key.date, bounds::counted(key, value))));
        let read = steps.len();
        Ok((falls_below_zero(steps), read))
    }

    fn note_judged(
        &mut self,
        row: &mut AsideRow,
        (unit, part): (OrgCode, u16),
        false_now: bool,
    ) -> Result<(), StoreError> {
        let place = row.refuted.iter().position(|one| one.unit == unit.number() && one.part == u32::from(part));
        match (place, false_now) {
            (Some(place), false) => {
                let child = row.refuted.remove(place).child;
                self.turn(row, child);
            }
            (None, true) => {
                let owner = children(self.view)?
                    .into_iter()
                    .find(|child| child.hub && OrgCode::new(child.unit).is_ok_and(|own| own.covers(unit)));
                let Some(owner) = owner else { return Ok(()) };
                let child = owner.unit;
                row.refuted.push(Refuted { child, unit: unit.number(), part: part.into() });
                tracing::warn!(child, %unit, part, "a count of a child falls below zero on some day: set aside");
                self.turn(row, child);
                if let Some(node) = self.node(&owner.id)? {
                    self.put_node(NodeRow { incidents: node.incidents.saturating_add(1), ..node });
                }
                let many = row.refuted.iter().filter(|one| one.child == child).count() > MAX_REFUTED;
                if many && row.child(child).is_none() {
                    let reason = "多处计数为负 (too many counts below zero)".to_owned();
                    self.set_aside(row, AsideChild { unit: child, by: String::new(), reason, at: self.core.now() })?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// What a child counts begins or ceases to be in the totals.
    fn turn(&mut self, row: &mut AsideRow, unit: u64) {
        let revision = self.take_revisions(1);
        row.turned.retain(|one| one.unit != unit);
        row.turned.push(Turned { unit, revision });
    }

    fn set_aside(&mut self, row: &mut AsideRow, child: AsideChild) -> Result<(), StoreError> {
        let unit = child.unit;
        self.count_transits_of(unit, -1)?;
        self.turn(row, unit);
        row.children.push(child);
        Ok(())
    }

    /// Somebody decides that a child counts in nothing, or that it counts again.
    pub(super) fn decide_aside(&mut self, child: AsideChild, undo: bool) -> Result<Answer, WriteError> {
        let known = children(self.view)?.into_iter().any(|node| node.hub && node.unit == child.unit);
        if !known {
            return Ok(Answer::Refused(format!("下级中没有单位{} (no hub of this unit below)", child.unit)));
        }
        let (by, reason) = match limits::who_and_why(&child.by, &child.reason) {
            Ok((by, reason)) => (by.to_owned(), reason.to_owned()),
            Err(why) => return Ok(Answer::Refused(why.to_string())),
        };
        let child = AsideChild { by, reason, at: self.core.now(), ..child };
        let mut row = self.aside()?;
        let place = row.children.iter().position(|own| own.unit == child.unit);
        match (place, undo) {
            (None, false) => {
                tracing::warn!(unit = child.unit, by = child.by, reason = child.reason, "a child is set aside");
                self.set_aside(&mut row, child)?;
            }
            (Some(place), true) => {
                tracing::warn!(unit = child.unit, by = child.by, reason = child.reason, "a child counts again");
                row.children.remove(place);
                self.count_transits_of(child.unit, 1)?;
                self.turn(&mut row, child.unit);
            }
            (None, true) => return Ok(Answer::Refused("该单位并未搁置 (it is not set aside)".into())),
            (Some(_), false) => return Ok(Answer::Refused("该单位已经搁置 (it is set aside already)".into())),
        }
        self.keep_aside_row(&row);
        Ok(Answer::Done)
    }
}
