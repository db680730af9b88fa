//! Whether a city's figures are the sum of what its districts count again from their records.

use super::{Town, TownHub};
use std::collections::HashMap;
use taizhang_hub::{
    scope::Scope,
    totals::{self, audit},
};
use taizhang_proto::{OrgCode, cell::CellKey, pb};

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

/// How many units there are in the districts of the tree that have no hub: they count all the same where units are counted.
struct Unheard {
    urban: i64,
    streets: i64,
    townships: i64,
    villages: i64,
}

impl Unheard {
    fn of(town: &Town) -> Self {
        let (core, mut own) = (&town.city.hub.core, Self { urban: 0, streets: 0, townships: 0, villages: 0 });
        let tree = core.tree();
        // One that has said something counts by what it says, whoever it is.
        let children = totals::children(core.view().as_ref()).unwrap_or_default();
        let said =
            |unit: OrgCode| children.iter().any(|row| row.hub && row.unit == unit.number() && row.acknowledged > 0);
        let has_hub = |unit: OrgCode| town.districts.iter().any(|district| district.unit == unit) || said(unit);
        let silent = tree.children(core.unit).map(|unit| unit.code).filter(|unit| !has_hub(*unit));
        for unit in silent.flat_map(|district| tree.below(district)).map(|unit| unit.code) {
            own.urban += i64::from(unit.is_urban_community());
            own.streets += i64::from(unit.is_street());
            own.townships += i64::from(unit.is_rural_township());
            own.villages += i64::from(unit.is_village());
        }
        own
    }

    /// What they add to the numerator and denominator of an indicator.
    fn counts(&self, code: &str) -> (i64, i64) {
        match code {
            "K01" | "K14" => (0, self.urban),
            "K15" => (self.urban, 0),
            "K18" | "K19" | "K23b" => (0, self.townships),
            "K20" => (0, self.villages),
            "K23a" => (0, self.urban + self.streets),
            _ => (0, 0),
        }
    }
}

/// What the units of districts without a hub add at the city to the numerator and denominator of an indicator.
pub fn unheard(town: &Town, indicator: &str) -> (i64, i64) {
    Unheard::of(town).counts(indicator)
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
    let unheard = Unheard::of(town);
    for total in &agreement.city.totals {
        let (numerator, denominator) = agreement.districts_sum(&total.indicator);
        let more = unheard.counts(&total.indicator);
        let sum = (numerator + more.0, denominator + more.1);
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
        let row = Scope { unit, hub: core.unit, everybody: true }.row(core.view().as_ref())?;
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
