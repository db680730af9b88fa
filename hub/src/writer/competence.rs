//! Whose ruling it is (domain-detail 4, its table of cases): a township settles what lies wholly within it, the district
//! everything. Invariant: what a district owns or has said, and what only it sees whole (posts, certificates, other
//! districts), is never settled below it; what a township settles it may take back while its ruling stands.

use super::{
    commit::{Commit, Reading},
    conflicts,
    kinds::{self, Settled},
    revise::with,
};
use crate::store::StoreError;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{Shelf, home_unit},
    check::Violation,
    decide::{HUB_NODE, tier_of},
    lifecycle::{self, Actor},
    pb::{self, Choice, Policy, Tier},
    register::{COUNTED_AT, DISTINCT, ELSEWHERE_TOO, HOME_UNIT, MERGED_INTO, STATE, registers},
    wire::Field,
};

/// Why a reviewer's request can't be done, in words.
pub(crate) type WhyNot = String;

/// The junior tier that may settle a conflict; every tier above it may, too.
pub fn settled_by(conflict: &pb::Conflict) -> Tier {
    let of_township = match kinds::of(conflict).settled {
        Settled::Township => true,
        Settled::Owner => !conflict.tags.iter().any(|tag| is_districts(conflict.register, *tag)),
        Settled::District => false,
    };
    let from_above = conflict.claims.iter().filter_map(|claim| claim.origin.as_ref()).any(is_from_above);
    if of_township && !from_above && is_of_one_township(conflict) { Tier::Township } else { Tier::District }
}

/// Whether the units that a conflict names are one township's: what goes beyond it is the district's.
fn is_of_one_township(conflict: &pb::Conflict) -> bool {
    let mut townships = named_in(conflict).map(|unit| match unit.tier() {
        Tier::Community => unit.parent(),
        Tier::Township => Some(unit),
        _ => None,
    });
    let Some(first) = townships.next() else { return true };
    first.is_some() && townships.all(|other| other == first)
}

/// Whether a field is the district's to settle: what it owns, the state of a case that it recognises, where a record
/// belongs, since that decides who rules on it, and what this build does not know.
fn is_districts(register: u32, tag: u32) -> bool {
    let field = registers().get(register).and_then(|def| def.field(tag));
    let is_state = || lifecycle::of(register).is_some_and(|way| way.tags().any(|own| own == tag));
    tag == HOME_UNIT
        || field.is_none_or(|field| {
            (field.policy == Policy::Owned && field.owner >= Tier::District) || (field.ruled && is_state())
        })
}

/// Whether a value is a person's word at the district or above; a rule's is nobody's.
fn is_from_above(origin: &pb::Origin) -> bool {
    tier_of(origin) >= Tier::District && !origin.by.is_empty()
}

/// Why somebody at a unit below the hub can't settle a conflict between these units.
pub(crate) fn refusal(conflict: &pb::Conflict, units: &[OrgCode], of: OrgCode) -> Option<WhyNot> {
    if !lies_within(units, of) {
        return Some(OUTSIDE.into());
    }
    if settled_by(conflict) > of.tier() {
        return Some(DISTRICTS.into());
    }
    None
}

/// What is said to a township of what lies outside: not that there is something.
pub(super) const OUTSIDE: &str = "没有此冲突，或涉及本单位以外，由县区裁定 (no such conflict within this unit)";
/// What is said to a township of what the district settles.
const DISTRICTS: &str = "此类冲突由县区裁定 (the district settles it)";

/// Whether all that a conflict is between lies within a unit.
pub(crate) fn lies_within(units: &[OrgCode], of: OrgCode) -> bool {
    !units.is_empty() && units.iter().all(|unit| of.covers(*unit))
}

/// The units that a conflict is between: those that it names, those where its records are now, and those below the hub
/// whose words it weighs.
///
/// # Errors
/// When the shelf fails.
pub(crate) fn units_of<S: Shelf>(shelf: &S, conflict: &pb::Conflict) -> Result<Vec<OrgCode>, S::Error> {
    let mut units: Vec<OrgCode> = named_in(conflict).collect();
    for id in records_of(conflict) {
        units.extend(shelf.look(id, |record| record.and_then(home_unit))?);
    }
    Ok(units)
}

/// The units that a conflict names, and those below the hub whose words it weighs.
fn named_in(conflict: &pb::Conflict) -> impl Iterator<Item = OrgCode> {
    let named = [conflict.unit, conflict.other_unit, conflict.moved_to];
    let words = conflict.claims.iter().filter_map(|claim| claim.origin.as_ref());
    let words = words.filter(|origin| tier_of(origin) < Tier::District).map(|origin| origin.unit);
    named.into_iter().chain(words).filter_map(|code| OrgCode::new(code).ok())
}

fn records_of(conflict: &pb::Conflict) -> impl Iterator<Item = RecordId> {
    [&conflict.record, &conflict.other].into_iter().filter_map(|id| RecordId::from_slice(id))
}

/// Why a reviewer can't settle a conflict; `of` is the unit below the hub where they sit, none at the hub itself.
fn incompetent(
    commit: &mut Commit<'_>,
    conflict: &pb::Conflict,
    of: Option<OrgCode>,
) -> Result<Option<WhyNot>, StoreError> {
    let Some(of) = of else { return Ok(None) };
    let units = units_of(&Reading(commit), conflict)?;
    if let Some(why) = refusal(conflict, &units, of) {
        return Ok(Some(why));
    }
    // The district may have had its word since the conflict came up: on what it is about, and on what settling writes.
    let tags = || conflict.tags.iter().chain(kinds::of(conflict).writes).chain(&[STATE, DISTINCT, MERGED_INTO]);
    for id in records_of(conflict) {
        let record = commit.record(id)?;
        if record.is_some_and(|record| tags().filter_map(|tag| record.origin(*tag)).any(is_from_above)) {
            return Ok(Some(DISTRICTS.into()));
        }
    }
    Ok(None)
}

/// Why a township can't say that a record is another one than the one beside it: said once, it holds towards every
/// record, so those elsewhere have a part in it.
pub(super) fn distinct_beyond(
    commit: &mut Commit<'_>,
    conflict: &pb::Conflict,
    of: OrgCode,
) -> Result<bool, StoreError> {
    for id in records_of(conflict) {
        let mut others: Vec<RecordId> = commit.rivals(id)?.into_iter().map(|(other, _)| other).collect();
        for open in conflicts::open_about(commit, id)? {
            others.extend(conflicts::conflict(commit, open)?.and_then(|open| RecordId::from_slice(&open.other)));
        }
        let homes =
            others.into_iter().map(|other| commit.record(other).map(|record| record.as_deref().and_then(home_unit)));
        let homes: Vec<Option<OrgCode>> = homes.collect::<Result<_, _>>()?;
        let beyond = homes.into_iter().flatten().any(|home| !of.covers(home));
        let elsewhere = |record: &Record| [COUNTED_AT, ELSEWHERE_TOO].iter().any(|tag| record.bytes(*tag).is_some());
        if beyond || commit.record(id)?.as_deref().is_some_and(elsewhere) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether what stands in these fields of a record is this unit's own ruling.
pub(super) fn is_own_ruling(
    commit: &mut Commit<'_>,
    id: RecordId,
    tags: &[u32],
    of: OrgCode,
) -> Result<bool, StoreError> {
    let own = |origin: &pb::Origin| origin.node == HUB_NODE && origin.unit == of.number();
    let record = commit.record(id)?;
    Ok(record.is_some_and(|record| tags.iter().all(|tag| record.origin(*tag).is_some_and(own))))
}

/// Why a reviewer can't write these fields into a conflict: it is about its own fields only.
pub(super) fn beyond_it(conflict: &pb::Conflict, request: &pb::ResolveRequest) -> Option<WhyNot> {
    if request.choice() != Choice::Write {
        return None;
    }
    let def = registers().get(conflict.register)?;
    let mut names = request.fields.keys();
    let other = names.find(|name| def.field_named(name).is_none_or(|field| !conflict.tags.contains(&field.tag)))?;
    Some(format!("此冲突不涉及栏目 {other} (the conflict is not about this field)"))
}

/// Why a reviewer of a tier may not move a case so. A ruling of the hub's own may: it chooses among what offices have
/// said.
pub(super) fn refused_way(
    commit: &Commit<'_>,
    id: RecordId,
    register: u32,
    fields: &[Field],
    tier: pb::Tier,
) -> Result<Option<Violation>, StoreError> {
    let Some(way) = lifecycle::of(register) else { return Ok(None) };
    let before = Reading(commit).record(id)?;
    let after = with(before.as_ref(), register, fields);
    Ok(way.refusal(before.as_ref(), &after, Actor::deciding(tier)))
}

/// The conflict of a number, for a reviewer who may settle it.
pub(super) fn conflict_for(
    commit: &mut Commit<'_>,
    number: u64,
    of: Option<OrgCode>,
) -> Result<Result<pb::Conflict, WhyNot>, StoreError> {
    let Some(conflict) = conflicts::conflict(commit, number)? else { return Ok(Err(unknown(of))) };
    Ok(match incompetent(commit, &conflict, of)? {
        Some(why) => Err(why),
        None => Ok(conflict),
    })
}

/// What is said of a number that there is not; a township is not told that there is one elsewhere.
fn unknown(of: Option<OrgCode>) -> WhyNot {
    match of {
        None => "没有此冲突 (no such conflict)".into(),
        Some(_) => OUTSIDE.into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use taizhang_proto::{pb::ConflictKind, register::number};

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
        let here = [unit(COMMUNITY), unit(OTHER_COMMUNITY)];
        assert_eq!(refusal(&name, &here, street()), None);
        let across = [unit(COMMUNITY), unit(OTHER_STREET)];
        assert!(refusal(&name, &across, street()).is_some(), "another street is in it");
        assert!(refusal(&name, &[], street()).is_some(), "of nobody");
        assert!(refusal(&name, &here[..1], here[0]).is_some(), "a community rules on nothing");
        let beyond = pb::Conflict { other_unit: OTHER_STREET, ..name.clone() };
        assert_eq!(settled_by(&beyond), Tier::District, "nobody is sent to a township that is not shown it");
        let ruled = pb::Conflict { claims: vec![claim(DISTRICT, "科长"), claim(COMMUNITY, "甲")], ..name.clone() };
        assert_eq!(settled_by(&ruled), Tier::District, "what the district has said");
        let own =
            pb::Conflict { claims: vec![claim(street().number(), "主任"), claim(COMMUNITY, "甲")], ..name.clone() };
        assert_eq!(settled_by(&own), Tier::Township, "what it has ruled itself");
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
        // The day on which a job began: by its proof, at the township (domain-detail 4, case 4).
        let start = about(ConflictKind::Field, number::PLACEMENT, "start_on");
        let wanted = [&case, &recognised, &exit, &home, &unknown, &place, &start].map(settled_by);
        let (township, district) = (Tier::Township, Tier::District);
        assert_eq!(wanted, [district, district, township, district, district, district, township]);
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
