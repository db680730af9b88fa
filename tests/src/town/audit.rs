//! Whether a city's figures are the sum of what its districts count again from their records.

use super::{Town, TownHub};
use std::collections::HashMap;
use taizhang_hub::{
    rows::{self, UnitRow},
    store::Space,
    totals::{self, audit},
};
use taizhang_proto::{cell::CellKey, pb};

/// What every tier counted, and whether it agrees.
pub struct Agreement {
    /// The city's recount.
    pub city: pb::AuditAnswer,
    /// The districts' recounts, in the town's order.
    pub districts: Vec<pb::AuditAnswer>,
    /// Where the tiers differ, in words.
    pub differences: Vec<String>,
}

impl Agreement {
    /// Whether every tier agrees with itself and with the others.
    pub fn holds(&self) -> bool {
        self.differences.is_empty()
    }

    /// The sum over the districts of one indicator's recounted numerator and denominator.
    pub fn districts_sum(&self, code: &str) -> (i64, i64) {
        let totals = self.districts.iter().flat_map(|district| &district.totals);
        totals
            .filter(|total| total.indicator == code)
            .fold((0, 0), |sum, total| (sum.0 + total.numerator, sum.1 + total.denominator))
    }
}

/// Counts everything again, at every hub, and compares.
///
/// # Errors
/// When a store fails.
pub fn agreement(town: &Town) -> anyhow::Result<Agreement> {
    let city = audit::audit(&town.city.hub.core)?;
    let districts =
        town.districts.iter().map(|district| audit::audit(&district.hub.core)).collect::<Result<Vec<_>, _>>()?;
    let mut agreement = Agreement { city, districts, differences: Vec::new() };
    let mut found = Vec::new();
    for (name, answer) in
        [&town.city].into_iter().chain(&town.districts).zip([&agreement.city].into_iter().chain(&agreement.districts))
    {
        found.extend(answer.differences.iter().map(|one| {
            format!("{}: {} {} {}: {} / {}", name.unit, one.r#where, one.unit, one.part, one.stored, one.recount)
        }));
    }
    for total in &agreement.city.totals {
        let sum = agreement.districts_sum(&total.indicator);
        if sum != (total.numerator, total.denominator) {
            found.push(format!("{}: {}/{} / {sum:?}", total.indicator, total.numerator, total.denominator));
        }
    }
    let mut below: HashMap<CellKey, i64> = HashMap::new();
    for district in &town.districts {
        below.extend(audit::own_cells(&district.hub.core)?);
    }
    if audit::own_cells(&town.city.hub.core)? != below {
        found.push("the city's cells are not the districts' cells".into());
    }
    agreement.differences = found;
    Ok(agreement)
}

/// Where an office does not hold exactly what its district holds of its scope, in words.
///
/// # Errors
/// When a store fails.
pub fn apart(town: &Town) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for office in &town.offices {
        let core = &town.district_of(office.unit)?.hub.core;
        let unit = core.tree().current(office.unit, core.today());
        let view = core.view();
        let row: Option<UnitRow> = rows::read(view.as_ref(), Space::Units, &unit.number().to_be_bytes())?;
        let row = row.unwrap_or_default();
        let state = office.ledger().state();
        if state.digest() != row.records_digest() || state.count != row.count {
            found.push(format!("{}: {} records, at the district {}", office.unit, state.count, row.count));
        }
    }
    Ok(found)
}

/// Whether the city shows for a district what the district shows for itself, and nothing is on its way.
///
/// # Errors
/// When a store fails.
pub fn has_figures_of(city: &TownHub, district: &TownHub) -> anyhow::Result<bool> {
    let request = pb::TotalsRequest { unit: district.unit.number(), ..pb::TotalsRequest::default() };
    let own = totals::answer(&district.hub.core, &request)?.values;
    let above = totals::answer(&city.hub.core, &request)?.values;
    let view = district.hub.core.view();
    let counter = |name| taizhang_hub::rows::counter(view.as_ref(), name);
    let said = counter(taizhang_hub::rows::meta::UP)? >= counter(taizhang_hub::rows::meta::CELLS)?;
    Ok(said && own == above)
}
