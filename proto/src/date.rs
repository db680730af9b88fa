//! Business days: Asia/Shanghai calendar days as days since 1970-01-01, and the month arithmetic of the clocks.
//! Shanghai has kept UTC+8 without daylight saving since 1992, so a day is a plain division; what lies before is told by
//! [`is_summer_time`].

use jiff::{Span, civil::Date};

/// Days since 1970-01-01.
pub type Day = i32;

const EPOCH: Date = Date::constant(1970, 1, 1);

/// The days that anything here can be about, 1900 to 2199: records name days up to 2099, and terms end later.
pub const KNOWN: std::ops::RangeInclusive<Day> = -25_567..=84_005;

/// 1949-10-01: no register here is older, nor anything that one tells of.
pub const OLDEST: Day = -7_397;

/// How far Shanghai is ahead of UTC, seconds.
pub const SHANGHAI: u64 = 8 * 3_600;

/// The day of a civil date.
pub fn day(date: Date) -> Day {
    (date - EPOCH).get_days()
}

/// The day of year, month and day of month; none when there is no such day.
pub fn ymd(year: i16, month: i8, day_of_month: i8) -> Option<Day> {
    Date::new(year, month, day_of_month).ok().map(day)
}

/// The civil date of a day; none outside the years that exist.
pub fn civil(day: Day) -> Option<Date> {
    // `day.days()` would panic beyond the calendar.
    EPOCH.checked_add(Span::new().try_days(day).ok()?).ok()
}

/// `2008-03-20`; the bare number for a day outside the calendar.
pub fn iso(day: Day) -> String {
    civil(day).map_or_else(|| day.to_string(), |date| date.to_string())
}

/// The day `months` later, clamped to the end of its month: 31 January plus one month is 28 or 29 February.
pub fn add_months(day: Day, months: i32) -> Day {
    later(day, months).unwrap_or(day)
}

fn later(day: Day, months: i32) -> Option<Day> {
    let months = Span::new().try_months(months).ok()?;
    civil(day)?.checked_add(months).ok().map(self::day)
}

/// The business day in Shanghai at an instant, milliseconds since 1970.
pub fn shanghai(millis: u64) -> Day {
    ((millis / 1_000 + SHANGHAI) / 86_400) as Day
}

/// The business day in Shanghai at an instant, seconds since 1970.
pub fn shanghai_of_seconds(seconds: u64) -> Day {
    shanghai(seconds.saturating_mul(1_000))
}

/// A month and a day of it.
type MonthDay = (i8, i8);

/// The years in which China kept summer time, with its first and last day: month and day of each. It began and ended at two
/// in the morning.
const SUMMERS: [(i16, MonthDay, MonthDay); 6] = [
    (1986, (5, 4), (9, 14)),
    (1987, (4, 12), (9, 13)),
    (1988, (4, 17), (9, 11)),
    (1989, (4, 16), (9, 17)),
    (1990, (4, 15), (9, 16)),
    (1991, (4, 14), (9, 15)),
];

/// Whether clocks in China stood an hour ahead at this moment, seconds of its standard time (UTC+8) since 1970.
pub fn is_summer_time(standard: i64) -> bool {
    const TURN: i64 = 2 * 3_600;
    SUMMERS.iter().any(|(year, from, to)| {
        let at = |(month, day)| ymd(*year, month, day).map_or(0, |day| i64::from(day) * 86_400);
        // The second clock to turn back is summer time's own.
        (at(*from) + TURN..at(*to) + TURN - 3_600).contains(&standard)
    })
}

/// Full years between two days.
pub fn years_between(from: Day, to: Day) -> i32 {
    match (civil(from), civil(to)) {
        (Some(from), Some(to)) => {
            let before = (to.month(), to.day()) < (from.month(), from.day());
            i32::from(to.year()) - i32::from(from.year()) - i32::from(before)
        }
        _ => 0,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_clamped_to_its_end() {
        let january = ymd(2008, 1, 31).unwrap();
        assert_eq!(iso(add_months(january, 1)), "2008-02-29");
        assert_eq!(iso(add_months(ymd(2007, 1, 31).unwrap(), 1)), "2007-02-28");
    }

    #[test]
    fn the_known_days_are_those_of_three_centuries() {
        assert_eq!((Some(*KNOWN.start()), Some(*KNOWN.end())), (ymd(1900, 1, 1), ymd(2199, 12, 31)));
    }

    #[test]
    fn midnight_in_shanghai_is_16_utc() {
        let utc_16 = 16 * 3_600 * 1_000;
        assert_eq!(shanghai(utc_16 - 1), 0);
        assert_eq!(shanghai(utc_16), 1);
    }
}
