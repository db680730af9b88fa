//! Who is missing from a month: units with a node that did not close it, closings that no district approved, districts
//! that have not told all since it ended.

use crate::{
    rows::{self, NodeRow},
    state::Core,
    store::StoreError,
    totals,
};
use std::collections::BTreeSet;
use taizhang_proto::{
    OrgCode,
    cell::CellKey,
    date::{self, Day},
    indicator::Part,
    month::{self, Month},
    pb::{self, MonthGap, Tier},
};

/// How far the units of a hub are with a month.
///
/// # Errors
/// When the store fails.
pub fn progress(core: &Core, month: Month) -> Result<pb::MonthProgress, StoreError> {
    let (view, tree) = (core.view(), core.tree());
    let view = view.as_ref();
    let last = month.last_day();
    let mut answer = pb::MonthProgress { month: month.to_string(), ..pb::MonthProgress::default() };
    let gap = |answer: &mut pb::MonthProgress, unit: OrgCode, why: &str| {
        let name = totals::unit_name(&tree, unit).name;
        answer.gaps.push(MonthGap { unit: unit.number(), why: why.to_owned(), name });
        answer.names.push(totals::unit_name(&tree, unit));
    };
    for unit in tree.below(core.unit).map(|unit| unit.code) {
        // A unit's own nodes are its sum without those of the units below it.
        let has_node = |on: Day| -> Result<bool, StoreError> {
            let nodes = |unit| totals::sum(view, unit, Part::Nodes.number(), i32::MIN..=on);
            let below: i64 = tree.children(unit).map(|child| nodes(child.code)).sum::<Result<_, _>>()?;
            Ok(nodes(unit)? > below)
        };
        let of = |part: Part| rows::own_cell(view, CellKey { unit, part: part.number(), date: last });
        let (closed, approved) = (of(Part::MonthsClosed)?.value > 0, of(Part::MonthsApproved)?.value > 0);
        let returned = of(Part::MonthsReturned)?.value > 0;
        // Who closed a month of before its computer was enrolled has reported, too, and was sent it back; what another unit closed for
        // one without any is not waited for.
        let reports = has_node(last)? || ((closed || returned) && has_node(core.today())?);
        if !reports {
            continue;
        }
        answer.expected += 1;
        answer.closed += u64::from(closed);
        answer.approved += u64::from(approved);
        if !approved {
            gap(&mut answer, unit, if closed { "not_approved" } else { "not_closed" });
        }
    }
    // Of a month that still runs nobody can have told all.
    if last < core.today() {
        let set_aside = totals::aside::row(view)?;
        let children = totals::children(view)?;
        let hubs: Vec<&NodeRow> = children.iter().filter(|child| child.hub && child.retired == 0).collect();
        // One that says everything anew has not said it yet; one that a lost store knew may not have come back.
        let told = |hub: &NodeRow| hub.equal && date::shanghai_of_seconds(hub.last_sync) > last;
        let retired = |unit: u64| children.iter().any(|child| child.unit == unit && child.retired > 0);
        let last = core.months().texts().last().unwrap_or_default();
        // What a sheet has of a district that was never heard is the tree's.
        let never = |unit: u64| month::is_unheard(&last.gaps, unit);
        let had_figures = |sheet: &pb::SheetDigest| {
            sheet.figures > 0 && sheet.unit != core.unit.number() && !retired(sheet.unit) && !never(sheet.unit)
        };
        let before = last.sheets.clone();
        let known = before.into_iter().filter(|_| core.tier == Tier::City).filter(had_figures).map(|sheet| sheet.unit);
        let expected: BTreeSet<u64> = hubs.iter().map(|hub| hub.unit).chain(known).collect();
        if core.tier == Tier::City {
            // Their units are in the denominators, and nobody has said anything of them.
            for unit in totals::unheard::districts(&tree, core.unit, &children) {
                if !expected.contains(&unit.number()) {
                    gap(&mut answer, unit, month::UNHEARD);
                }
            }
        }
        for unit in expected {
            let silent = !hubs.iter().any(|hub| hub.unit == unit && told(hub));
            let Ok(unit) = OrgCode::new(unit) else { continue };
            if silent {
                gap(&mut answer, unit, "silent");
            }
            if set_aside.at(unit) > 0 {
                gap(&mut answer, unit, "aside");
            }
        }
    }
    Ok(answer)
}
