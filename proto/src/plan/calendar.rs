//! Working days: Monday to Friday but for holidays, and the weekends worked in their place, as the State Council
//! arranges each year. Invariant: a year without a table has plain weekends, so a clock never stops.

use crate::date::{self, Day};
use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Which days a clock counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Counting {
    /// Every day.
    Calendar,
    /// Working days only.
    Working,
}

/// The holiday table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Calendar {
    /// Weekdays off.
    pub holidays: BTreeSet<Date>,
    /// Weekend days worked.
    pub workdays: BTreeSet<Date>,
}

impl Calendar {
    /// Whether a day is worked.
    pub fn is_working(&self, day: Day) -> bool {
        let Some(date) = date::civil(day) else { return true };
        let weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
        if weekend { self.workdays.contains(&date) } else { !self.holidays.contains(&date) }
    }

    /// The last day of a term of `days` that starts on `from`; the first day is not counted.
    pub fn after(&self, from: Day, days: i32, counting: Counting) -> Day {
        match counting {
            Counting::Calendar => from.saturating_add(days),
            Counting::Working => {
                let mut day = from;
                let mut left = days;
                while left > 0 && day < Day::MAX {
                    day += 1;
                    left -= i32::from(self.is_working(day));
                }
                day
            }
        }
    }

    /// Working days after `from` up to and including `to`; 0 when `to` is not after `from`.
    pub fn working_between(&self, from: Day, to: Day) -> i64 {
        // A hundred years is longer than any term here, and bounds the work that a wrong date makes.
        let to = to.min(from.saturating_add(36_525));
        (from.saturating_add(1)..=to).filter(|day| self.is_working(*day)).count() as i64
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::plan::Plans;

    #[test]
    fn spring_festival_2008_is_counted_as_the_state_council_arranged_it() {
        let calendar = &Plans::notice_2008().on(0).calendar;
        let day = |month, day| date::ymd(2008, month, day).unwrap();
        // Saturday and Sunday worked, Wednesday to Tuesday off.
        assert!(calendar.is_working(day(2, 2)) && calendar.is_working(day(2, 3)));
        assert!((6..=12).all(|of| !calendar.is_working(day(2, of))));
        assert_eq!(calendar.after(day(2, 1), 5, Counting::Working), day(2, 13));
        assert_eq!(calendar.after(day(2, 1), 5, Counting::Calendar), day(2, 6));
        assert_eq!(calendar.working_between(day(2, 1), day(2, 13)), 5);
        assert_eq!(calendar.working_between(day(2, 13), day(2, 1)), 0);
    }
}
