//! What a unit counts in: full-employment communities (K01, K02), certified stations (K14, K15), township offices
//! (K18, K19). Which units are in scope follows from their codes.

use super::{
    Shelf, Tally, is_active, is_contested,
    span::{Span, Spans},
    unit_id,
};
use crate::{OrgCode, date::Day, indicator::Part, pb, register::number};

pub(super) fn count<S: Shelf>(shelf: &S, unit: OrgCode, tally: &mut Tally<'_>) -> Result<(), S::Error> {
    match shelf.given_up_on(unit) {
        Some(day) => tally.at_until(unit, day),
        None => tally.at(unit),
    }
    if unit.is_urban_community() {
        tally.always(Part::UrbanCommunities);
        tally.always(Part::Stations);
        count_title(shelf, unit, tally)?;
        count_certificates(shelf, unit, tally)?;
    }
    if unit.is_rural_township() {
        tally.always(Part::TownshipOffices);
        count_premises(shelf, unit, tally)?;
    }
    Ok(())
}

fn count_title<S: Shelf>(shelf: &S, unit: OrgCode, tally: &mut Tally<'_>) -> Result<(), S::Error> {
    let mut titles = Vec::new();
    let mut rectifying = Vec::new();
    for case in shelf.referring(unit_id(unit), number::FEC_CASE)? {
        let Some(record) = shelf.record(case)?.filter(is_active) else { continue };
        let case: pb::FecCase = record.typed(|tag| matches!(tag, 24..=28));
        let Some(from) = case.certified_on else { continue };
        let revoked = case.revoked_on.unwrap_or(Day::MAX);
        titles.push(Span { from, to: revoked });
        if let Some(ordered) = case.rectify_from {
            rectifying.push(Span { from: ordered, to: case.restored_on.unwrap_or(Day::MAX).min(revoked) });
        }
    }
    let (mut titles, rectifying) = (Spans::union(titles), Spans::union(rectifying));
    if !tally.plan.rectifying_counts {
        titles = titles.without(&rectifying);
    }
    tally.during(Part::FecTitle, &titles);
    tally.during(Part::FecRectifying, &rectifying);
    Ok(())
}

fn count_certificates<S: Shelf>(shelf: &S, unit: OrgCode, tally: &mut Tally<'_>) -> Result<(), S::Error> {
    let mut certified = Vec::new();
    for id in shelf.referring(unit_id(unit), number::ASSISTANT)? {
        let Some(record) = shelf.record(id)?.filter(is_active) else { continue };
        let assistant: pb::Assistant = record.typed(|tag| matches!(tag, 22 | 23));
        let Some(from) = assistant.from_on else { continue };
        let assigned = Spans::one(from, assistant.to_on.unwrap_or(Day::MAX));
        for credential in shelf.referring(id, number::CREDENTIAL)? {
            let Some(record) = shelf.record(credential)?.filter(is_active) else { continue };
            // One certificate makes one station certified (domain-detail 2.10).
            if is_contested(shelf, credential, &record)? {
                continue;
            }
            let credential: pb::Credential = record.typed(|tag| matches!(tag, 23 | 24));
            let Some(issued) = credential.issued_on else { continue };
            let valid = Spans::one(issued, credential.void_on.unwrap_or(Day::MAX));
            certified.extend(assigned.and(&valid).iter().copied());
        }
    }
    tally.during(Part::StationsCertified, &Spans::union(certified));
    Ok(())
}

fn count_premises<S: Shelf>(shelf: &S, unit: OrgCode, tally: &mut Tally<'_>) -> Result<(), S::Error> {
    let mut large = Vec::new();
    let mut six = Vec::new();
    for id in shelf.referring(unit_id(unit), number::FACILITY)? {
        let Some(record) = shelf.record(id)?.filter(is_active) else { continue };
        let facility: pb::Facility = record.typed(|tag| matches!(tag, 4 | 21 | 31..=33));
        let from = facility.checked_on.or(facility.effective_on).unwrap_or(Day::MIN);
        let since = Span { from, to: Day::MAX };
        let enough = facility.area_m2.unwrap_or(0) >= tally.plan.office_area_m2 * 100;
        if enough && facility.area_verified == Some(true) {
            large.push(since);
        }
        if ["1", "2", "3", "4", "5", "6"].iter().all(|item| facility.six_verified.iter().any(|code| code == item)) {
            six.push(since);
        }
    }
    tally.during(Part::OfficesLargeEnough, &Spans::union(large));
    tally.during(Part::OfficesSixInPlace, &Spans::union(six));
    Ok(())
}
