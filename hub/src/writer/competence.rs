//! Whose ruling it is (domain-detail 4, its table of cases): a township settles what lies wholly within it, the district
//! everything. Invariant: what a district owns or has ruled, and what only it sees whole (posts, certificates, other
//! districts), is never settled below it.

use super::{
    pad::{Pad, Reading},
    resolve::Refusal,
};
use crate::store::StoreError;
use taizhang_proto::{
    OrgCode, RecordId,
    cell::{Shelf, home_unit},
    pb::{self, Choice, ConflictKind, Policy, Tier},
    register::{HOME_UNIT, number, registers},
};

/// The junior tier that may settle a conflict; every tier above it may, too.
pub fn settled_by(conflict: &pb::Conflict) -> Tier {
    let def = registers().get(conflict.register);
    let owned = |tag: &u32| {
        let field = def.and_then(|def| def.field(*tag));
        // A field that this build does not know may be anybody's; and where a record belongs decides who rules on it.
        *tag == HOME_UNIT
            || field.is_none_or(|field| field.ruled || (field.policy == Policy::Owned && field.owner >= Tier::District))
    };
    let from_above = |claim: &pb::ClaimedValue| {
        claim.origin.as_ref().is_some_and(|origin| {
            let tier = OrgCode::new(origin.unit).map_or(Tier::Unknown, OrgCode::tier);
            tier >= Tier::District && !origin.by.is_empty()
        })
    };
    let of_township = match conflict.kind() {
        ConflictKind::DoubleBooked
        | ConflictKind::Recognition
        | ConflictKind::CrossDistrict
        | ConflictKind::Certificate => false,
        ConflictKind::ClosedEdited => conflict.register != number::FEC_CASE,
        ConflictKind::Field | ConflictKind::Claim | ConflictKind::AfterTransfer => !conflict.tags.iter().any(owned),
        ConflictKind::Duplicate
        | ConflictKind::SameHousehold
        | ConflictKind::SameJob
        | ConflictKind::LeftButPlaced
        | ConflictKind::TwoHouseholds => true,
    };
    if of_township && !conflict.claims.iter().any(from_above) { Tier::Township } else { Tier::District }
}

/// Why somebody at a unit below the hub can't settle a conflict whose records are at home in these units.
pub(crate) fn refusal(conflict: &pb::Conflict, homes: &[OrgCode], of: OrgCode) -> Option<Refusal> {
    if settled_by(conflict) > of.tier() {
        return Some("此类冲突由县区裁定 (the district settles it)".into());
    }
    if homes.is_empty() || !homes.iter().all(|home| of.covers(*home)) {
        return Some("涉及本单位以外的记录，由县区裁定 (not wholly within this unit: the district settles it)".into());
    }
    None
}

/// The units that a conflict names.
pub(crate) fn units_of(conflict: &pb::Conflict) -> Vec<OrgCode> {
    [conflict.unit, conflict.other_unit].into_iter().filter_map(|code| OrgCode::new(code).ok()).collect()
}

/// The units that a conflict names, and those where its records now are.
///
/// # Errors
/// When the shelf fails.
pub(crate) fn homes_of<S: Shelf>(shelf: &S, conflict: &pb::Conflict) -> Result<Vec<OrgCode>, S::Error> {
    let mut homes = units_of(conflict);
    for id in [&conflict.record, &conflict.other].into_iter().filter_map(|id| RecordId::from_slice(id)) {
        homes.extend(shelf.look(id, |record| record.and_then(home_unit))?);
    }
    Ok(homes)
}

impl Pad<'_> {
    /// Why a reviewer can't settle a conflict; `of` is the unit below the hub where they sit, none at the hub itself.
    pub(super) fn incompetent(
        &mut self,
        conflict: &pb::Conflict,
        of: Option<OrgCode>,
    ) -> Result<Option<Refusal>, StoreError> {
        let Some(of) = of else { return Ok(None) };
        let homes = homes_of(&Reading(self), conflict)?;
        Ok(refusal(conflict, &homes, of))
    }
}

/// Why a reviewer at a unit below the hub can't write these fields into a conflict: it is about its own fields only.
pub(super) fn beyond_it(conflict: &pb::Conflict, request: &pb::ResolveRequest) -> Option<Refusal> {
    if request.choice() != Choice::Write {
        return None;
    }
    let def = registers().get(conflict.register)?;
    let mut names = request.fields.keys();
    let other = names.find(|name| def.field_named(name).is_none_or(|field| !conflict.tags.contains(&field.tag)))?;
    Some(format!("此冲突不涉及栏目 {other} (the conflict is not about this field)"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const COMMUNITY: u64 = 210_402_011_003;
    const OTHER_COMMUNITY: u64 = 210_402_011_001;
    const OTHER_STREET: u64 = 210_402_002_001;
    const DISTRICT: u64 = 210_402_000_000;

    fn unit(code: u64) -> OrgCode {
        OrgCode::new(code).unwrap()
    }

    fn street() -> OrgCode {
        unit(210_402_011_000)
    }

    fn claim(unit: u64, by: &str) -> pb::ClaimedValue {
        let origin = pb::Origin { unit, by: by.into(), ..pb::Origin::default() };
        pb::ClaimedValue { origin: Some(origin), ..pb::ClaimedValue::default() }
    }

    fn about(kind: ConflictKind, register: u32, name: &str) -> pb::Conflict {
        let tag = registers().get(register).unwrap().field_named(name).unwrap().tag;
        pb::Conflict {
            kind: kind.into(),
            register,
            tags: vec![tag],
            unit: COMMUNITY,
            claims: vec![claim(COMMUNITY, "甲"), claim(OTHER_COMMUNITY, "乙")],
            ..pb::Conflict::default()
        }
    }

    #[test]
    fn a_township_settles_what_lies_within_it_and_no_district_has_a_word_in() {
        let name = about(ConflictKind::Field, number::RESIDENT, "name");
        assert_eq!(settled_by(&name), Tier::Township);
        assert_eq!(refusal(&name, &units_of(&name), street()), None);
        let across = pb::Conflict { other_unit: OTHER_STREET, ..name.clone() };
        assert!(refusal(&across, &units_of(&across), street()).is_some(), "another street is in it");
        assert!(refusal(&name, &[], street()).is_some(), "of nobody");
        let homes = [unit(COMMUNITY), unit(OTHER_STREET)];
        assert!(refusal(&name, &homes, street()).is_some(), "a record that has moved away since");
        assert!(refusal(&name, &units_of(&name), unit(COMMUNITY)).is_some(), "a community rules on nothing");
        let ruled = pb::Conflict { claims: vec![claim(DISTRICT, "科长"), claim(COMMUNITY, "甲")], ..name.clone() };
        assert_eq!(settled_by(&ruled), Tier::District, "what the district has ruled");
        let by_rule = pb::Conflict { claims: vec![claim(DISTRICT, ""), claim(COMMUNITY, "甲")], ..name };
        assert_eq!(settled_by(&by_rule), Tier::Township, "a rule is nobody's word");
    }

    #[test]
    fn what_the_district_owns_stays_with_it() {
        let case = about(ConflictKind::Claim, number::FEC_CASE, "stage");
        let recognised = about(ConflictKind::Field, number::ZEF_CASE, "recognised_on");
        let exit = about(ConflictKind::Field, number::ZEF_CASE, "exit_on");
        let home = about(ConflictKind::Field, number::RESIDENT, "home_unit");
        let unknown = pb::Conflict { tags: vec![9_999], ..about(ConflictKind::Field, number::RESIDENT, "name") };
        let place = about(ConflictKind::DoubleBooked, number::PLACEMENT, "post");
        let wanted = [&case, &recognised, &exit, &home, &unknown, &place].map(settled_by);
        let (township, district) = (Tier::Township, Tier::District);
        assert_eq!(wanted, [district, district, township, district, district, district]);
    }

    #[test]
    fn a_township_writes_only_what_the_conflict_is_about() {
        let name = about(ConflictKind::Field, number::RESIDENT, "name");
        let mut request = pb::ResolveRequest { choice: Choice::Write.into(), ..pb::ResolveRequest::default() };
        request.fields.insert("name".into(), "王芳".into());
        assert_eq!(beyond_it(&name, &request), None);
        request.fields.insert("phone".into(), "52301234".into());
        assert!(beyond_it(&name, &request).unwrap().contains("phone"));
    }
}
