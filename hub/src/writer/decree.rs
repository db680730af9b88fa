//! The city's decisions on titles and its own entries, at the district that holds the records: whom to commend, and who loses the title (notice,
//! items 34 and 35; domain-detail 2.12). Invariant: a decision changes nothing that the district itself could not change
//! so, it is carried out once, and the record names who decided it at the city.

use super::{
    commit::{Commit, Reading},
    revise::{self, Hand, day, nothing, number, text, with},
};
use crate::{
    state::orders::{entered, with_place},
    store::{Space, StoreError},
};
use std::rc::Rc;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{Shelf, home_unit, is_active, not_commendable, not_revocable, unit_id},
    check, date,
    lifecycle::{self, Actor},
    orders::{entry, record_of},
    pb::{TaskOrder, Tier},
    register::{HOME_UNIT, STATE, VOID_REASON, code, field, number as registers},
    rule::Rule,
};

/// The unit that an order's has become since, which carries it out; none outside this hub.
pub(super) fn here_now(commit: &Commit<'_>, unit: OrgCode) -> Option<OrgCode> {
    let unit = commit.tree.current(unit, commit.core.today());
    let known = commit.tree.is_empty() || commit.tree.contains(unit);
    Some(unit).filter(|unit| known && commit.core.unit.covers(*unit))
}

/// Whose hand carries out a decision of the city.
fn hand_of<'h>(commit: &Commit<'_>, order: &'h TaskOrder) -> Hand<'h> {
    let reason = if order.demand.trim().is_empty() { &order.title } else { &order.demand };
    Hand { by: &order.by, reason: reason.trim(), of: commit.core.unit.parent(), ..Hand::rule(Rule::Ordered) }
}

/// The case by which a unit holds the title on a day, or lost it on that day.
fn title_on(commit: &mut Commit<'_>, unit: OrgCode, on: date::Day) -> Result<Option<(RecordId, Record)>, StoreError> {
    for id in Reading(commit).referring(unit_id(unit), registers::FEC_CASE)? {
        let case = commit.record(id)?.filter(|case| is_active(case) && home_unit(case) == Some(unit));
        let held = |case: &Rc<Record>| {
            case.day(field::fec_case::CERTIFIED_ON).is_some_and(|from| from <= on)
                && case.day(field::fec_case::REVOKED_ON).is_none_or(|revoked| on <= revoked)
        };
        if let Some(case) = case.filter(held) {
            return Ok(Some((id, Rc::unwrap_or_clone(case))));
        }
    }
    Ok(None)
}

/// One of those whom the city commends, in this place.
pub(super) fn commend(commit: &mut Commit<'_>, order: &TaskOrder, unit: OrgCode, place: u64) -> Result<(), StoreError> {
    let id = record_of(order, unit);
    let Some(unit) = here_now(commit, unit) else { return Ok(()) };
    let hand = hand_of(commit, order);
    let known = commit.record(id)?;
    if order.withdrawn_on > 0 {
        if known.as_deref().is_some_and(is_active) {
            let fields = vec![text(STATE, code::state::VOID.as_bytes()), text(VOID_REASON, "市级撤回评定".as_bytes())];
            revise::revise(commit, id, registers::COMMENDATION, fields, &hand)?;
        }
        return Ok(());
    }
    let Some((case, _)) = title_on(commit, unit, order.given_on)?.filter(|_| known.is_none()) else { return Ok(()) };
    let year = date::civil(order.given_on).map_or(0, jiff::civil::Date::year) as u64;
    let fields = vec![
        number(HOME_UNIT, unit.number()),
        text(field::commendation::FEC_CASE, &case.0),
        number(field::commendation::YEAR, year),
        number(field::commendation::RANK, place),
        day(field::commendation::DECIDED_ON, order.given_on),
    ];
    let commendation = with(None, registers::COMMENDATION, &fields);
    if let Some(why) = not_commendable(&Reading(commit), id, &commendation, &commit.core.plans())? {
        tracing::warn!(%unit, order = order.no, %why, "the city's commendation can't stand");
        return Ok(());
    }
    revise::revise(commit, id, registers::COMMENDATION, fields, &hand)?;
    Ok(())
}

/// An entry of the city's own, as a record of the unit that it is for. What stands is left alone: it is the district's to
/// go on with.
pub(super) fn enter_for_city(commit: &mut Commit<'_>, order: &TaskOrder, unit: OrgCode) -> Result<(), StoreError> {
    let id = record_of(order, unit);
    let (Some(unit), Some(own)) = (here_now(commit, unit), entry(order)) else { return Ok(()) };
    let known = commit.record(id)?;
    if order.withdrawn_on > 0 {
        if known.as_deref().is_some_and(is_active) {
            let fields = vec![text(STATE, code::state::VOID.as_bytes()), text(VOID_REASON, "市级撤回".as_bytes())];
            revise::revise(commit, id, order.register, fields, &hand_of(commit, order))?;
        }
        return Ok(());
    }
    if known.is_some() {
        return Ok(());
    }
    let record = entered(order, unit, own.clone());
    let tags = own.iter().map(|field| field.tag);
    if let Some(broken) = check::check(&record, None, tags, commit.core.today()).into_iter().next() {
        tracing::warn!(%unit, order = order.no, rule = broken.rule, "the city's entry can't stand here");
        return Ok(());
    }
    let fields = with_place(order, unit, own);
    revise::revise(commit, id, order.register, fields, &hand_of(commit, order))?;
    Ok(())
}

/// A title that the city takes away, or, where it takes that back, gives back to be put right. Looked at once each way:
/// what becomes of the case afterwards is the district's.
pub(super) fn revoke(commit: &mut Commit<'_>, order: &TaskOrder, unit: OrgCode) -> Result<(), StoreError> {
    let key = done_key(record_of(order, unit), order.withdrawn_on > 0);
    let Some(unit) = here_now(commit, unit) else { return Ok(()) };
    if commit.view.get(Space::Documents, &key)?.is_some() {
        return Ok(());
    }
    commit.set.put(Space::Documents, key, []);
    let Some((id, case)) = title_on(commit, unit, order.given_on)? else { return Ok(()) };
    let hand = hand_of(commit, order);
    let reason = text(field::fec_case::REVOKE_REASON, hand.reason.as_bytes());
    let by_this = case.day(field::fec_case::REVOKED_ON) == Some(order.given_on)
        && case.bytes(field::fec_case::REVOKE_REASON) == Some(&reason.bytes);
    let fields = match (order.withdrawn_on > 0, by_this) {
        (false, false) if case.day(field::fec_case::REVOKED_ON).is_none() => {
            vec![
                text(field::fec_case::STAGE, code::title_stage::REVOKED.as_bytes()),
                day(field::fec_case::REVOKED_ON, order.given_on),
                reason,
            ]
        }
        (true, true) => vec![
            text(field::fec_case::STAGE, code::title_stage::ORDERED_TO_RECTIFY.as_bytes()),
            nothing(field::fec_case::REVOKED_ON),
            nothing(field::fec_case::REVOKE_REASON),
        ],
        _ => return Ok(()),
    };
    let way = lifecycle::of(registers::FEC_CASE);
    let after = with(Some(&case), registers::FEC_CASE, &fields);
    let undue =
        not_revocable(&Reading(commit), id, &after)?.filter(|_| after.day(field::fec_case::REVOKED_ON).is_some());
    if let Some(why) = undue {
        tracing::warn!(%unit, order = order.no, %why, "the city's decision on a title can't be carried out");
        return Ok(());
    }
    if let Some(why) = way.and_then(|way| way.refusal(Some(&case), &after, Actor::deciding(Tier::City))) {
        tracing::warn!(%unit, order = order.no, %why, "the city's decision on a title can't be carried out");
        return Ok(());
    }
    revise::revise(commit, id, registers::FEC_CASE, fields, &hand)?;
    Ok(())
}

/// Where it is noted that a decision, or its taking back, was looked at.
fn done_key(decision: RecordId, withdrawn: bool) -> Vec<u8> {
    let what: &[u8] = if withdrawn { b"decree-back-" } else { b"decree-done-" };
    [what, &decision.0].concat()
}
