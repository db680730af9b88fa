//! Which child contributes what to a figure, counted or not: where a figure looks wrong, this says whose it is.
//! Invariant: what a child said is shown as it said it; the total is what every query answers.

use super::{QueryError, aside, bounds, children, day_asked, sum_heard, total_value, value};
use crate::state::Core;
use std::collections::BTreeSet;
use taizhang_proto::{
    OrgCode,
    indicator::{self, Period, Span},
    pb,
};

/// Each child hub with what it says of an indicator in the year up to a day.
///
/// # Errors
/// When the store fails, or there is no such indicator.
pub fn shares(core: &Core, request: &pb::SharesRequest) -> Result<pb::SharesAnswer, QueryError> {
    let on = day_asked(core, request.on)?;
    let indicator = indicator::by_code(&request.indicator).ok_or_else(|| bounds::unknown(&request.indicator))?;
    let (view, tree, period) = (core.view(), core.tree(), Period::up_to(on, Span::Year));
    let view = view.as_ref();
    let row = aside::row(view)?;
    let mut answer =
        pb::SharesAnswer { on, total: Some(value(view, core.unit, indicator, &period)?), shares: Vec::new() };
    let hubs = children(view)?.into_iter().filter(|child| child.hub);
    let units: BTreeSet<OrgCode> = hubs.filter_map(|child| OrgCode::new(child.unit).ok()).collect();
    let parts: BTreeSet<u16> = indicator
        .numerator
        .iter()
        .chain(indicator.denominator)
        .flat_map(|term| {
            let part = term.read(&period).0;
            [part.number(), part.duplicates()]
        })
        .collect();
    for unit in units {
        let said = indicator.figure(&period, |part, dates| sum_heard(view, unit, part, dates))?;
        let refuted: Vec<String> = row
            .refuted
            .iter()
            .filter(|one| one.child == unit.number())
            .filter(|one| u16::try_from(one.part).is_ok_and(|part| parts.contains(&part)))
            .map(|one| OrgCode::new(one.unit).map_or_else(|_| one.unit.to_string(), |unit| tree.name(unit)))
            .collect();
        let why = match row.child(unit.number()) {
            Some(child) => child.reason.clone(),
            None if refuted.is_empty() => String::new(),
            None => format!("{} 有一日计数为负 (below zero on some day)", refuted.join("、")),
        };
        answer.shares.push(pb::Share {
            unit: unit.number(),
            name: tree.name(unit),
            said: Some(total_value(unit, indicator, said)),
            counts: why.is_empty(),
            why,
        });
    }
    Ok(answer)
}
