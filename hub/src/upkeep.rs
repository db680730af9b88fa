//! What a district counts of its own work: its offices' nodes (K41) and its queue of conflicts (K42).
//! Invariant: a pure function of the rows of children and conflicts, as contributions of records are one of records, so
//! a recount finds the same and the figures of past days stay.

use crate::{
    rows::NodeRow,
    store::{Space, StoreError, View},
};
use prost::Message;
use std::{collections::HashMap, ops::Range};
use taizhang_proto::{
    OrgCode,
    cell::{CellKey, Contribution},
    date::{Day, shanghai_of_seconds},
    indicator::Part,
    pb::{self, ConflictState},
    plan::{Counting, Plans},
};

/// Hours of a day.
const DAY_HOURS: u32 = 24;

struct Steps<'a> {
    unit: OrgCode,
    plans: &'a Plans,
    steps: Vec<Contribution>,
}

impl Steps<'_> {
    /// Counts one from a day up to but without another.
    fn during(&mut self, part: Part, from: Day, to: Day) {
        if from < to {
            self.step(part, from, 1);
            self.step(part, to, -1);
        }
    }

    /// The same, as far as it lies within a span of days.
    fn during_within(&mut self, own: &Range<Day>, part: Part, from: Day, to: Day) {
        self.during(part, from.max(own.start), to.min(own.end));
    }

    fn step(&mut self, part: Part, on: Day, delta: i64) {
        if on != Day::MAX {
            let key = CellKey { unit: self.unit, part: part.number(), date: self.plans.bucket(on) };
            self.steps.push(Contribution { key, delta });
        }
    }
}

/// What a child contributes: an office is a node from its enrolment on, and online on the days on which what it last
/// said and heard is no older than the plan's `silent_hours`. Ages are counted in whole days, so a node that syncs every
/// night is online all day. A hub below this one is none of this: its parent shows it by itself.
pub fn of_node(row: &NodeRow, plans: &Plans) -> Vec<Contribution> {
    if row.hub {
        return Vec::new();
    }
    let end = if row.retired > 0 { shanghai_of_seconds(row.retired) } else { Day::MAX };
    let mut steps = Vec::new();
    let mut from = Day::MIN;
    let past = row.homes.iter().map(|home| (home.unit, home.until));
    let online = online(row, plans);
    for (unit, until) in past.chain([(row.unit, Day::MAX)]) {
        // A day belongs to the unit that the child had then.
        let own = from..until.min(end);
        from = from.max(until);
        if let Ok(unit) = OrgCode::new(unit) {
            let mut of = Steps { unit, plans, steps: Vec::new() };
            of.during_within(&own, Part::Nodes, shanghai_of_seconds(row.enrolled), Day::MAX);
            for (from, to) in &online {
                of.during_within(&own, Part::NodesOnline, *from, *to);
            }
            steps.extend(of.steps);
        }
    }
    steps
}

/// The spans of days, each up to but without its last, on which a node was online.
fn online(row: &NodeRow, plans: &Plans) -> Vec<(Day, Day)> {
    let mut spans: Vec<(Day, Day)> = Vec::new();
    for (first, last) in row.sync_spans() {
        let silent_days = plans.on(last).work.silent_hours.div_ceil(DAY_HOURS) as Day;
        let to = last.saturating_add(1).saturating_add(silent_days);
        match spans.last_mut() {
            Some((_, end)) if *end >= first => *end = to.max(*end),
            _ => spans.push((first, to)),
        }
    }
    spans
}

/// When a conflict that is closed left the queue, seconds since 1970; of those of before that was kept, when it was ruled
/// or found.
pub(crate) fn closed_at(conflict: &pb::Conflict) -> u64 {
    match (conflict.closed, &conflict.ruling) {
        (0, Some(ruling)) => ruling.at,
        (0, None) => conflict.found,
        (closed, _) => closed,
    }
}

/// What a conflict contributes: open from the day it was found until it was settled, and again from the day it was
/// reopened; overdue from the day after the plan's `conflict_days` working days. What a rule settled at once never waited
/// for anybody.
pub fn of_conflict(conflict: &pb::Conflict, hub: OrgCode, plans: &Plans) -> Vec<Contribution> {
    let last = match conflict.state() {
        ConflictState::Unsettled => Day::MAX,
        ConflictState::Ruled | ConflictState::Passed => shanghai_of_seconds(closed_at(conflict)),
        ConflictState::ByRule if conflict.reopened.is_empty() => return Vec::new(),
        ConflictState::ByRule => Day::MIN,
    };
    let unit = OrgCode::new(conflict.unit).ok().filter(|unit| hub.covers(*unit)).unwrap_or(hub);
    let mut own = Steps { unit, plans, steps: Vec::new() };
    let mut from = shanghai_of_seconds(conflict.found);
    let turns = conflict.reopened.chunks_exact(2).map(|turn| (turn[0], turn[1]));
    let turns = turns.map(|(closed, again)| (shanghai_of_seconds(closed), shanghai_of_seconds(again)));
    for (to, next) in turns.chain([(last, Day::MAX)]) {
        let plan = plans.on(from);
        let due = plan.calendar.after(from, plan.work.conflict_days, Counting::Working);
        own.during(Part::ConflictsOpen, from, to);
        own.during(Part::ConflictsOverdue, due.saturating_add(1), to);
        from = next;
    }
    own.steps
}

/// Counts all of it from the rows, into cells.
///
/// # Errors
/// When the store fails.
pub(crate) fn recount(
    view: &dyn View,
    hub: OrgCode,
    plans: &Plans,
    cells: &mut HashMap<CellKey, i64>,
) -> Result<(), StoreError> {
    let mut add = |steps: Vec<Contribution>| {
        for one in steps.into_iter().filter(|one| hub.covers(one.key.unit)) {
            *cells.entry(one.key).or_default() += one.delta;
        }
    };
    for row in view.prefix(Space::Nodes, &[]) {
        add(of_node(&NodeRow::decode(row?.1).map_err(|_| StoreError::Row(Space::Nodes))?, plans));
    }
    for row in view.prefix(Space::Conflicts, &[]) {
        let conflict = pb::Conflict::decode(row?.1).map_err(|_| StoreError::Row(Space::Conflicts))?;
        add(of_conflict(&conflict, hub, plans));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use taizhang_proto::date;

    const UNIT: u64 = 210_402_011_003;

    fn on(month: i8, day: i8) -> Day {
        date::ymd(2008, month, day).unwrap()
    }

    fn noon(day: Day) -> u64 {
        day as u64 * 86_400 + 4 * 3_600
    }

    fn sum(steps: &[Contribution], part: Part, day: Day) -> i64 {
        let own = steps.iter().filter(|one| one.key.part == part.number() && one.key.date <= day);
        own.map(|one| one.delta).sum()
    }

    #[test]
    fn a_node_is_online_on_the_day_of_a_sync_and_the_next() {
        let plans = Plans::notice_2008();
        let mut row = NodeRow { unit: UNIT, enrolled: noon(on(3, 1)), ..NodeRow::default() };
        for day in [on(3, 3), on(3, 4), on(3, 8), on(3, 9), on(3, 9)] {
            row.note_sync(noon(day));
        }
        let steps = of_node(&row, plans);
        let online: Vec<i64> = (on(3, 1)..=on(3, 12)).map(|day| sum(&steps, Part::NodesOnline, day)).collect();
        assert_eq!(online, [0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0]);
        assert_eq!([on(2, 29), on(3, 1), on(12, 31)].map(|day| sum(&steps, Part::Nodes, day)), [0, 1, 1]);
        row.hub = true;
        assert!(of_node(&row, plans).is_empty());
    }

    #[test]
    fn a_node_counts_where_it_belonged_on_the_day_and_no_longer_once_it_is_retired() {
        let plans = Plans::notice_2008();
        let old = 210_402_011_004;
        let mut row = NodeRow { unit: UNIT, enrolled: noon(on(3, 1)), ..NodeRow::default() };
        row.homes.push(crate::rows::PastUnit { unit: old, until: on(3, 5) });
        for day in on(3, 2)..=on(3, 9) {
            row.note_sync(noon(day));
        }
        row.retired = noon(on(3, 8));
        let steps = of_node(&row, plans);
        let at = |unit: u64, part| -> Vec<i64> {
            let own: Vec<_> = steps.iter().filter(|step| step.key.unit.number() == unit).copied().collect();
            (on(3, 1)..=on(3, 9)).map(|day| sum(&own, part, day)).collect()
        };
        assert_eq!(at(old, Part::Nodes), [1, 1, 1, 1, 0, 0, 0, 0, 0]);
        assert_eq!(at(UNIT, Part::Nodes), [0, 0, 0, 0, 1, 1, 1, 0, 0]);
        assert_eq!(at(old, Part::NodesOnline), [0, 1, 1, 1, 0, 0, 0, 0, 0]);
        assert_eq!(at(UNIT, Part::NodesOnline), [0, 0, 0, 0, 1, 1, 1, 0, 0]);
    }

    #[test]
    fn a_reopened_conflict_leaves_the_days_before_as_they_were() {
        let (plans, hub) = (Plans::notice_2008(), OrgCode::new(210_402_000_000).unwrap());
        let reopened = vec![noon(on(3, 5)), noon(on(3, 10))];
        let mut conflict = pb::Conflict { unit: UNIT, found: noon(on(3, 3)), reopened, ..pb::Conflict::default() };
        conflict.set_state(ConflictState::Unsettled);
        let days = |conflict: &pb::Conflict, part| {
            let steps = of_conflict(conflict, hub, plans);
            (on(3, 2)..=on(3, 18)).filter(|day| sum(&steps, part, *day) == 1).collect::<Vec<_>>()
        };
        let open: Vec<Day> = (on(3, 3)..on(3, 5)).chain(on(3, 10)..=on(3, 18)).collect();
        assert_eq!(days(&conflict, Part::ConflictsOpen), open);
        assert_eq!(days(&conflict, Part::ConflictsOverdue), [on(3, 18)], "five working days after it came back");
        conflict.set_state(ConflictState::Ruled);
        conflict.closed = noon(on(3, 12));
        let open: Vec<Day> = (on(3, 3)..on(3, 5)).chain(on(3, 10)..on(3, 12)).collect();
        assert_eq!(days(&conflict, Part::ConflictsOpen), open);
    }

    #[test]
    fn a_conflict_is_overdue_after_five_working_days_by_the_table_of_the_plan() {
        let (plans, hub) = (Plans::notice_2008(), OrgCode::new(210_402_000_000).unwrap());
        // Found on Friday 1 February 2008: Saturday and Sunday were worked, Wednesday to Tuesday off.
        let mut conflict = pb::Conflict { unit: UNIT, found: noon(on(2, 1)), ..pb::Conflict::default() };
        conflict.set_state(ConflictState::Unsettled);
        let steps = of_conflict(&conflict, hub, plans);
        let so = |part, day| sum(&of_conflict(&conflict, hub, plans), part, day);
        assert_eq!([on(1, 31), on(2, 1)].map(|day| sum(&steps, Part::ConflictsOpen, day)), [0, 1]);
        assert_eq!([on(2, 13), on(2, 14)].map(|day| so(Part::ConflictsOverdue, day)), [0, 1]);
        conflict.set_state(ConflictState::Ruled);
        conflict.closed = noon(on(2, 20));
        let steps = of_conflict(&conflict, hub, plans);
        assert_eq!([on(2, 19), on(2, 20)].map(|day| sum(&steps, Part::ConflictsOpen, day)), [1, 0]);
        assert_eq!([on(2, 19), on(2, 20)].map(|day| sum(&steps, Part::ConflictsOverdue, day)), [1, 0]);
        conflict.set_state(ConflictState::ByRule);
        assert!(of_conflict(&conflict, hub, plans).is_empty());
    }
}
