//! Collects what one subject counts, as steps. Invariant: a step falls into a unit where the subject is at home on its day.

use super::{CellKey, Contribution, home, span};
use crate::{
    OrgCode, Record,
    date::{self, Day},
    indicator::{DUPLICATES, Part},
    plan::{Plan, Plans},
};

/// Collects one subject's steps.
pub(super) struct Tally<'a> {
    pub(super) plans: &'a Plans,
    pub(super) steps: Vec<Contribution>,
    /// Where the subject counts, day by day.
    pub(super) homes: home::Homes,
    /// The days on which the subject counts among the duplicates: another record counts in its place.
    pub(super) behind: span::Spans,
}

impl Tally<'_> {
    /// What follows counts where this record is at home, and was before.
    pub(super) fn at_home_of(&mut self, record: &Record) {
        self.homes = home::Homes::of(record);
    }

    /// What follows counts at one unit.
    pub(super) fn at(&mut self, unit: OrgCode) {
        self.at_during(unit, Day::MIN, Day::MAX);
    }

    /// What follows counts at one unit from a day up to but without another.
    pub(super) fn at_during(&mut self, unit: OrgCode, from: Day, until: Day) {
        self.homes = home::Homes::during(unit, from, until);
    }

    /// Counts one in `part` for as long as the unit is one.
    pub(super) fn always(&mut self, part: Part) {
        self.during(part, &span::Spans::one(Day::MIN, Day::MAX));
    }

    fn put(&mut self, unit: OrgCode, part: u16, date: Day, delta: i64) {
        let key = CellKey { unit, part, date: self.plans.bucket(date) };
        self.steps.push(Contribution { key, delta });
    }

    /// Counts `delta` of what happened on a day, where the subject was at home then.
    pub(super) fn step(&mut self, part: Part, date: Day, delta: i64) {
        if let Some(unit) = self.homes.on(date) {
            let part = if self.behind.has(date) { part.duplicates() } else { part.number() };
            self.put(unit, part, date, delta);
        }
    }

    /// Counts one in `part` on every day of the spans, where the subject was at home on that day.
    pub(super) fn during(&mut self, part: impl Into<u16>, spans: &span::Spans) {
        self.during_many(part, spans, 1);
    }

    /// As [`Tally::during`], but `count` instead of one.
    pub(super) fn during_many(&mut self, part: impl Into<u16>, spans: &span::Spans, count: i64) {
        self.stretches(part.into(), spans, (count, Day::MAX));
    }

    /// As [`Tally::during`] with spans inside one year: what is still so when the year ends is not taken off, since the
    /// year's sum ends with it ([`crate::indicator::Window::Year`]).
    pub(super) fn during_year(&mut self, part: Part, spans: &span::Spans, next_year: Day) {
        self.stretches(part.number(), spans, (1, next_year));
    }

    /// Counts so many on the days of the spans, those on which the subject is behind apart; what lasts up to `end` is not
    /// taken off there.
    fn stretches(&mut self, part: u16, spans: &span::Spans, (count, end): (i64, Day)) {
        if self.behind.is_empty() {
            return self.at_each_home(part, spans, (count, end));
        }
        self.at_each_home(part, &spans.without(&self.behind), (count, end));
        self.at_each_home(part + DUPLICATES, &spans.and(&self.behind), (count, end));
    }

    fn at_each_home(&mut self, part: u16, spans: &span::Spans, (count, end): (i64, Day)) {
        let stays: Vec<(OrgCode, span::Span)> = self.homes.stays().collect();
        for span in spans.iter() {
            for (unit, stay) in &stays {
                let (from, to) = (span.from.max(stay.from), span.to.min(stay.to));
                if from >= to {
                    continue;
                }
                self.put(*unit, part, from, count);
                if to < end {
                    self.put(*unit, part, to, -count);
                }
            }
        }
    }

    /// The days on which something measured by the plan of each day is so.
    pub(super) fn by_plan(&self, so: impl Fn(&Plan) -> span::Spans) -> span::Spans {
        let parts = self.plans.periods().map(|(from, to, plan)| so(plan).and(&span::Spans::one(from, to)));
        span::Spans::all(parts)
    }

    /// Counts the first of these days in each year in one part, and the first in each month in another: of those on which
    /// the subject counts, and of those on which it is behind.
    pub(super) fn once(&mut self, parts: (Option<Part>, Option<Part>), days: &[Day]) {
        let (mut behind, mut counting): (Vec<Day>, Vec<Day>) = days.iter().partition(|day| self.behind.has(**day));
        self.first_of_each(parts, &mut counting);
        self.first_of_each(parts, &mut behind);
    }

    fn first_of_each(&mut self, (yearly, monthly): (Option<Part>, Option<Part>), days: &mut [Day]) {
        days.sort_unstable();
        let mut last: Option<(i16, i8)> = None;
        for (day, date) in days.iter().filter_map(|day| Some((*day, date::civil(*day)?))) {
            let (year, month) = (date.year(), date.month());
            if let Some(part) = yearly.filter(|_| last.is_none_or(|(last, _)| last != year)) {
                self.step(part, day, 1);
            }
            if let Some(part) = monthly.filter(|_| last != Some((year, month))) {
                self.step(part, day, 1);
            }
            last = Some((year, month));
        }
    }
}
