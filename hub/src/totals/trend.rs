//! One indicator over many days, from one walk over the cells of each of its parts.
//! Invariant: every point equals what a query of that day answers.

use super::{
    QueryError,
    aside::{self, Left},
    bounds, day_asked, span_asked, unit_within,
};
use crate::{
    rows::meta,
    state::Core,
    store::{Space, StoreError, View},
};
use std::collections::{BTreeMap, HashMap};
use taizhang_proto::{
    OrgCode,
    cell::CellKey,
    date::{self, Day},
    indicator::{self, Period, Span},
    pb,
};

/// Most days of one trend: ten years.
pub const MAX_POINTS: usize = 3_660;

/// The cells of a part of one unit with the sum of all up to each.
struct Running(Vec<(Day, i64)>);

impl Running {
    /// Of a unit, without what is set aside.
    fn read(view: &dyn View, unit: OrgCode, part: u16) -> Result<Self, StoreError> {
        let below = match aside::row(view)?.left_out(unit, part) {
            Left::All => return Ok(Self(Vec::new())),
            Left::None => Vec::new(),
            Left::Of(below) => below,
        };
        let mut steps: BTreeMap<Day, i64> = BTreeMap::new();
        for (unit, sign) in [(unit, 1)].into_iter().chain(below.into_iter().map(|child| (child, -1))) {
            for (day, step) in Self::steps(view, unit, part)? {
                let sum = steps.entry(day).or_default();
                *sum = i64::saturating_add(*sum, step.saturating_mul(sign));
            }
        }
        let mut running: i64 = 0;
        let sums = steps.into_iter().map(|(day, step)| {
            running = running.saturating_add(step);
            (day, running)
        });
        Ok(Self(sums.collect()))
    }

    fn steps(view: &dyn View, unit: OrgCode, part: u16) -> Result<Vec<(Day, i64)>, StoreError> {
        let mut steps = Vec::new();
        // What is summed, and what the tree says of districts that were never heard.
        for (space, prefix) in [(Space::Sums, &[][..]), (Space::Meta, meta::UNHEARD)] {
            let key = |date| [prefix, &CellKey { unit, part, date }.to_bytes()].concat();
            let mut to = key(Day::MAX);
            to.push(0);
            for row in view.range(space, &key(Day::MIN), &to) {
                let (key, value) = row?;
                let wrong = || StoreError::Row(space);
                let step = i64::from_be_bytes(value.as_ref().try_into().map_err(|_| wrong())?);
                let cell = key.get(prefix.len()..).and_then(CellKey::from_slice).ok_or_else(wrong)?;
                steps.push((cell.date, step));
            }
        }
        Ok(steps)
    }

    /// The sum of all cells up to and including a day.
    fn up_to(&self, day: Day) -> i64 {
        let after = self.0.partition_point(|(date, _)| *date <= day);
        after.checked_sub(1).map_or(0, |last| self.0[last].1)
    }
}

/// Answers a trend of somebody who may see `scope` only.
///
/// # Errors
/// When the store fails, or unit, indicator or days are wrong.
pub fn trend(core: &Core, request: &pb::TrendRequest, scope: OrgCode) -> Result<pb::TrendAnswer, QueryError> {
    let started = std::time::Instant::now();
    let unit = unit_within(request.unit, scope)?;
    let indicator = indicator::by_code(&request.indicator).ok_or_else(|| bounds::unknown(&request.indicator))?;
    let to = day_asked(core, request.to)?;
    let from = if request.from == 0 { Period::up_to(to, Span::Year).from() } else { bounds::day(request.from)? };
    let days = i64::from(to) - i64::from(from) + 1;
    if !(1..=MAX_POINTS as i64).contains(&days) {
        return Err(QueryError::Days);
    }
    let span = span_asked(request.span());
    let view = core.view();
    let mut parts: HashMap<u16, Running> = HashMap::new();
    let mut points = Vec::new();
    let shown = |day: &Day| !request.monthly || *day == to || is_month_end(*day);
    for on in (from..=to).filter(shown) {
        let figure = indicator.figure(&Period::up_to(on, span), |part, dates| -> Result<i64, StoreError> {
            let running = match parts.entry(part) {
                std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::hash_map::Entry::Vacant(place) => {
                    place.insert(Running::read(view.as_ref(), unit, part)?)
                }
            };
            let before = dates.start().checked_sub(1).map_or(0, |day| running.up_to(day));
            Ok(running.up_to(*dates.end()).saturating_sub(before))
        })?;
        points.push(pb::TrendPoint {
            on,
            numerator: figure.numerator,
            denominator: figure.denominator,
            duplicates: figure.duplicates,
        });
    }
    Ok(pb::TrendAnswer {
        unit: unit.number(),
        name: core.tree().name(unit),
        indicator: indicator.code.to_owned(),
        ratio: indicator.is_ratio(),
        points,
        micros: started.elapsed().as_micros() as u64,
    })
}

fn is_month_end(day: Day) -> bool {
    date::civil(day).is_some_and(|civil| civil == civil.last_of_month())
}
