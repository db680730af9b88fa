//! Where a record counts, day by day: a transfer or a change of the tree of units takes effect on a day, and what
//! was counted before stays where it was (domain-detail 3, rule 8; 4, cases 5 and 15).
//! Invariant: on every day a record is at home in at most one unit.

use super::{home_unit, span::Span};
use crate::{
    OrgCode, Record,
    date::{self, Day},
    register::{PAST_HOME, is_for_below},
    wire,
};

/// A unit that a record belonged to until a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PastHome {
    /// First day on which it no longer did.
    pub until: Day,
    /// The unit.
    pub unit: OrgCode,
}

impl PastHome {
    /// As it stands in the field: `2008-03-20:210402001002`.
    pub fn to_text(self) -> String {
        format!("{}:{}", date::iso(self.until), self.unit)
    }

    /// Reads what [`PastHome::to_text`] wrote.
    pub fn from_text(text: &str) -> Option<Self> {
        let (until, unit) = text.split_once(':')?;
        let until: jiff::civil::Date = until.parse().ok()?;
        Some(Self { until: date::day(until), unit: unit.parse().ok()? })
    }
}

/// Whether an office of a unit holds a record: one of its own subtree, or one that a unit above it has for everybody below.
pub fn is_held_at(record: &Record, unit: OrgCode) -> bool {
    home_unit(record).is_some_and(|home| unit.covers(home)) || is_from_above(record, unit)
}

/// Whether a record is for everybody below its owner and a unit lies below it: to read there and to refer to, not to edit.
pub fn is_from_above(record: &Record, unit: OrgCode) -> bool {
    is_for_below(record.register) && home_unit(record).is_some_and(|home| home != unit && home.covers(unit))
}

/// The units that a record belonged to before, oldest first.
pub fn past_homes(record: &Record) -> Vec<PastHome> {
    let Some(bytes) = record.bytes(PAST_HOME) else { return Vec::new() };
    let mut past: Vec<PastHome> = wire::occurrences(bytes)
        .filter_map(|raw| match raw {
            wire::Raw::Bytes(text) => PastHome::from_text(std::str::from_utf8(text).ok()?),
            _ => None,
        })
        .collect();
    past.sort_unstable();
    past
}

/// The units that a record belongs to or did, each once.
pub(super) fn units_of(record: &Record) -> impl Iterator<Item = OrgCode> {
    let mut units: Vec<OrgCode> = past_homes(record).into_iter().map(|past| past.unit).collect();
    units.extend(home_unit(record));
    units.sort_unstable();
    units.dedup();
    units.into_iter()
}

/// A record's homes over time.
#[derive(Debug, Clone, Default)]
pub(super) struct Homes {
    /// The first day; none for a record, which was at home all along.
    from: Option<Day>,
    past: Vec<PastHome>,
    now: Option<OrgCode>,
}

impl Homes {
    pub(super) fn of(record: &Record) -> Self {
        Self { from: None, past: past_homes(record), now: home_unit(record) }
    }

    /// A unit from a day up to but without another.
    pub(super) fn during(unit: OrgCode, from: Day, until: Day) -> Self {
        let ends = until != Day::MAX;
        let past = if ends { vec![PastHome { until, unit }] } else { Vec::new() };
        Self { from: Some(from), past, now: (!ends).then_some(unit) }
    }

    /// The home on a day.
    pub(super) fn on(&self, day: Day) -> Option<OrgCode> {
        if self.from.is_some_and(|from| day < from) {
            return None;
        }
        self.past.iter().find(|past| day < past.until).map(|past| past.unit).or(self.now)
    }

    /// Each home with the days on which it was.
    pub(super) fn stays(&self) -> impl Iterator<Item = (OrgCode, Span)> + '_ {
        let starts = std::iter::once(self.from.unwrap_or(Day::MIN)).chain(self.past.iter().map(|past| past.until));
        let ends = self.past.iter().map(|past| (past.until, Some(past.unit))).chain([(Day::MAX, self.now)]);
        starts.zip(ends).filter_map(|(from, (to, unit))| Some((unit?, Span { from, to })).filter(|_| from < to))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_past_home_reads_back_and_each_day_has_one_home() {
        let (one, two) = ("210402001002".parse().unwrap(), "210402001003".parse().unwrap());
        let past = PastHome { until: date::ymd(2008, 3, 20).unwrap(), unit: one };
        assert_eq!(PastHome::from_text(&past.to_text()), Some(past));
        assert_eq!(PastHome::from_text("yesterday:1"), None);
        let homes = Homes { from: None, past: vec![past], now: Some(two) };
        assert_eq!(homes.on(past.until - 1), Some(one));
        assert_eq!(homes.on(past.until), Some(two));
        let stays: Vec<_> = homes.stays().collect();
        assert_eq!(
            stays,
            [(one, Span { from: Day::MIN, to: past.until }), (two, Span { from: past.until, to: Day::MAX })]
        );
    }
}
