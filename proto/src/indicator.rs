//! The catalogue of indicators (domain-detail section 3) and how a figure is read from additive parts.
//! Invariant: parts are additive over units and dates; an indicator is a sum of parts, divided last when it is a
//! ratio. A stock on a day is the sum of a part's cells up to that day; a flow in a period is the sum inside it.

mod catalogue;
mod part;

pub use catalogue::INDICATORS;
pub use part::{DUPLICATES, PARTS, PENDING, Part};

use crate::date::{self, Day};
use jiff::civil::Date;
use std::ops::RangeInclusive;

/// Whether an indicator is read at a day or over a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As it stands on a day.
    Stock,
    /// What happened in a period.
    Flow,
}

/// What sort of figure it is (domain-detail section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Adds up.
    Additive,
    /// Numerator and denominator add up; divided last.
    Ratio,
    /// As a ratio, but a mean, not a share.
    Mean,
    /// Counts persons or households once: raw = counted + duplicates.
    Distinct,
    /// A ratio of distinct persons.
    DistinctRatio,
}

/// Which of a part's cells a term takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// All up to the day.
    Stock,
    /// Those inside the period.
    Flow,
    /// Those from 1 January up to the day, whatever the period.
    Year,
    /// All before the period began.
    Opening,
}

/// One term of a sum.
#[derive(Debug, Clone, Copy)]
pub struct Term {
    /// The part.
    pub part: Part,
    /// The part that counts distinct persons inside a month, where a year's must not be summed by month.
    pub monthly: Option<Part>,
    /// Its sign.
    pub sign: i64,
    /// Which cells.
    pub window: Window,
}

/// How long a flow is summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// From 1 January.
    Year,
    /// From the first of the month.
    Month,
}

/// The period of a figure: from the first of the year or month up to and including a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    span: Span,
    from: Day,
    on: Day,
}

impl Period {
    /// The year or month up to a day.
    pub fn up_to(on: Day, span: Span) -> Self {
        let first = |date: Date| match span {
            Span::Year => date.first_of_year(),
            Span::Month => date.first_of_month(),
        };
        Self { span, from: date::civil(on).map_or(on, |civil| date::day(first(civil))), on }
    }

    /// The day.
    pub fn on(&self) -> Day {
        self.on
    }

    /// The first day.
    pub fn from(&self) -> Day {
        self.from
    }
}

impl Term {
    /// The part to sum in a period, and over which dates.
    pub fn read(&self, period: &Period) -> (Part, RangeInclusive<Day>) {
        let monthly = self.monthly.filter(|_| period.span == Span::Month);
        let dates = match self.window {
            Window::Stock => Day::MIN..=period.on,
            Window::Flow => period.from..=period.on,
            Window::Year => Period::up_to(period.on, Span::Year).from..=period.on,
            Window::Opening => Day::MIN..=period.from.saturating_sub(1),
        };
        (monthly.unwrap_or(self.part), dates)
    }
}

/// A tier at which an indicator is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// Every unit.
    All,
    /// From townships up.
    Township,
    /// From districts up.
    District,
}

/// One indicator.
#[derive(Debug)]
pub struct Indicator {
    /// Its code, such as `K08`.
    pub code: &'static str,
    /// Chinese name.
    pub zh: &'static str,
    /// English name.
    pub en: &'static str,
    /// Stock or flow.
    pub kind: Kind,
    /// What sort of figure.
    pub class: Class,
    /// It moves as days pass, without a write.
    pub timed: bool,
    /// Where it is shown.
    pub grain: Grain,
    /// What adds up to the value or numerator.
    pub numerator: &'static [Term],
    /// What adds up to the denominator of a ratio; empty for what is none.
    pub denominator: &'static [Term],
    /// Whether more is better.
    pub up: bool,
}

/// A figure: counted, its denominator, and how many duplicates stand beside what counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figure {
    /// Value, or numerator of a ratio.
    pub numerator: i64,
    /// Denominator; 0 for what is no ratio.
    pub denominator: i64,
    /// Numerator among the duplicates: raw = numerator + duplicates.
    pub duplicates: i64,
    /// Denominator among the duplicates.
    pub duplicate_base: i64,
}

impl Indicator {
    /// Whether it is a ratio.
    pub fn is_ratio(&self) -> bool {
        !self.denominator.is_empty()
    }

    /// Reads it, given the sum of a part's cells over dates.
    ///
    /// # Errors
    /// When `sum` fails.
    pub fn figure<E>(
        &self,
        period: &Period,
        mut sum: impl FnMut(u16, RangeInclusive<Day>) -> Result<i64, E>,
    ) -> Result<Figure, E> {
        let mut figure = Figure::default();
        for term in self.numerator {
            let (part, dates) = term.read(period);
            add(&mut figure.numerator, term.sign, sum(part.number(), dates.clone())?);
            add(&mut figure.duplicates, term.sign, sum(part.duplicates(), dates)?);
        }
        for term in self.denominator {
            let (part, dates) = term.read(period);
            add(&mut figure.denominator, term.sign, sum(part.number(), dates.clone())?);
            add(&mut figure.duplicate_base, term.sign, sum(part.duplicates(), dates)?);
        }
        Ok(figure)
    }

    /// As [`Indicator::figure`], but as a closed month has it: without what no proof was shown for.
    ///
    /// # Errors
    /// When `sum` fails.
    pub fn proven_figure<E>(
        &self,
        period: &Period,
        mut sum: impl FnMut(u16, RangeInclusive<Day>) -> Result<i64, E>,
    ) -> Result<Figure, E> {
        self.figure(period, |part, dates| Ok(sum(part, dates.clone())?.saturating_sub(sum(part + PENDING, dates)?)))
    }
}

/// Adds a term. No sum wraps: the largest numbers stay the largest.
fn add(figure: &mut i64, sign: i64, sum: i64) {
    *figure = figure.saturating_add(sum.saturating_mul(sign));
}

/// All indicators, in the order of the catalogue.
pub fn all() -> impl Iterator<Item = &'static Indicator> {
    INDICATORS.iter()
}

/// The indicator with this code.
pub fn by_code(code: &str) -> Option<&'static Indicator> {
    all().find(|indicator| indicator.code.eq_ignore_ascii_case(code))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_catalogue_is_whole_and_its_codes_and_parts_are_unique() {
        let codes: BTreeSet<&str> = all().map(|one| one.code).collect();
        assert_eq!(codes.len(), INDICATORS.len());
        for number in (1..=45).filter(|number| *number != 4) {
            let code = format!("K{number:02}");
            let own = |known: &&&str| {
                **known == code || known.strip_prefix(code.as_str()).is_some_and(|rest| rest.len() == 1)
            };
            // The share of targets reached is worked out where it is asked for.
            assert!(code == "K45" || codes.iter().any(|known| own(&known)), "{code} is missing");
        }
        let numbers: BTreeSet<u16> = PARTS.iter().map(|part| part.number()).collect();
        assert_eq!(numbers.len(), PARTS.len());
        assert!(numbers.iter().all(|number| *number < DUPLICATES));
        for one in all() {
            assert_eq!(
                one.is_ratio(),
                matches!(one.class, Class::Ratio | Class::Mean | Class::DistinctRatio),
                "{}",
                one.code
            );
            let flows = one.numerator.iter().any(|term| term.window == Window::Flow);
            assert_eq!(flows, one.kind == Kind::Flow, "{}", one.code);
        }
    }

    #[test]
    fn a_month_and_a_year_begin_on_their_first() {
        let on = date::ymd(2008, 3, 31).unwrap();
        assert_eq!(Period::up_to(on, Span::Year).from(), date::ymd(2008, 1, 1).unwrap());
        assert_eq!(Period::up_to(on, Span::Month).from(), date::ymd(2008, 3, 1).unwrap());
    }
}
