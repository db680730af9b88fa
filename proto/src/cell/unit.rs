//! What a unit counts in: its title (K01, K02, K35, K36), its people (K14 to K17), its premises and papers (K18 to K23).

use super::{Shelf, Tally, facility, refs::Refs, station, title, unit_id};
use crate::{OrgCode, date::Day, indicator::Part};

pub(super) fn count<S: Shelf>(shelf: &S, unit: OrgCode, tally: &mut Tally<'_>) -> Result<(), S::Error> {
    let (from, until) = (shelf.founded_on(unit), shelf.given_up_on(unit));
    tally.at_during(unit, from.unwrap_or(Day::MIN), until.unwrap_or(Day::MAX));
    let refs = Refs::to(shelf, unit_id(unit), 0)?;
    if unit.is_urban_community() {
        tally.always(Part::UrbanCommunities);
        tally.always(Part::Stations);
        tally.always(Part::UrbanPlatforms);
        title::count(shelf, unit, &refs, tally)?;
    }
    if unit.is_village() {
        tally.always(Part::Villages);
    }
    if unit.is_street() {
        tally.always(Part::UrbanPlatforms);
    }
    if unit.is_rural_township() {
        tally.always(Part::TownshipOffices);
    }
    let staffed = station::count(shelf, unit, &refs, tally)?;
    facility::count(shelf, unit, &refs, &staffed, tally)
}
