//! What somebody above or a finding orders, as records by the hub's own hand: the city's tasks, and rectification after a
//! failed spot check. Invariant: a task becomes one record, whose id follows from the order, so hearing it again adds
//! nothing; the city's decisions on titles are in `decree`.

use super::{
    Answer, WriteError,
    commit::{Commit, Reading},
    decree,
    revise::{self, Hand, day, number, text},
};
use crate::{
    plans,
    state::orders::{self as list_of, DOCUMENT, past_key},
    store::{Space, StoreError},
};
use bytes::Bytes;
use prost::Message;
use ring::signature::{Ed25519KeyPair, KeyPair};
use taizhang_proto::{
    OrgCode, RecordId,
    cell::{following, home_unit, is_active, survivor},
    indicator,
    orders::{self, OrderError, record_of},
    pb::{OrderKind, SignedOrders, TaskOrder, Tier},
    register::{HOME_UNIT, code, field, number as registers},
    rule::Rule,
};

/// The list as it stands in the commit.
fn orders(commit: &Commit<'_>) -> Option<(u64, Bytes)> {
    commit.new_orders.clone().or_else(|| commit.core.orders())
}

/// Takes a newer list of the city's tasks; at a district what is for its units becomes their records. The city takes
/// the one that follows the one that stands: what was made from an older one would lose what came between.
pub(super) fn take_orders(commit: &mut Commit<'_>, list: Bytes) -> Result<Answer, WriteError> {
    let signed = SignedOrders::decode(list.clone()).map_err(|_| OrderError::Format)?;
    let standing = orders(commit).map_or(0, |(version, _)| version);
    let read = orders::read(&signed, commit.core.city_key().as_deref())?;
    let is_city = commit.core.tier == Tier::City;
    if is_city && read.version != standing + 1 {
        return Err(OrderError::Stale.into());
    }
    if read.version <= standing {
        return Ok(Answer::Done); // an old message
    }
    put_orders(commit, read.version, list)?;
    give_tasks(commit)?;
    Ok(Answer::Done)
}

/// At a district, makes every order of the list that stands what it asks for in the records of its units.
pub(super) fn give_tasks(commit: &mut Commit<'_>) -> Result<(), StoreError> {
    let Some((_, list)) = orders(commit).filter(|_| commit.core.tier != Tier::City) else { return Ok(()) };
    for order in &list_of::decode(&list)?.orders {
        // What a newer city orders otherwise, this build leaves alone.
        let Ok(kind) = OrderKind::try_from(order.kind) else { continue };
        for (place, unit) in (1..).zip(order.to.iter().filter_map(|unit| OrgCode::new(*unit).ok())) {
            match kind {
                OrderKind::Task => give_task(commit, order, unit)?,
                OrderKind::Commend => decree::commend(commit, order, unit, place)?,
                OrderKind::Revoke => decree::revoke(commit, order, unit)?,
                OrderKind::Entry => decree::enter_for_city(commit, order, unit)?,
            }
        }
    }
    Ok(())
}

fn put_orders(commit: &mut Commit<'_>, version: u64, list: Bytes) -> Result<(), StoreError> {
    if commit.core.tier == Tier::City {
        commit.set.put(Space::Documents, past_key(version), list_of::short_digest(&list)?);
    }
    commit.set.put(Space::Documents, DOCUMENT, list.clone());
    commit.new_orders = Some((version, list));
    Ok(())
}

/// At the city: a list that it once signed and that a child still holds. Every order of it is on the list again.
pub(super) fn recover_orders(commit: &mut Commit<'_>, list: &Bytes, key: &Ed25519KeyPair) -> Result<(), WriteError> {
    let signed = SignedOrders::decode(list.clone()).map_err(|_| OrderError::Format)?;
    let theirs = orders::read(&signed, Some(key.public_key().as_ref()))?;
    let ours = orders(commit).map(|(_, list)| list_of::decode(&list)).transpose()?.unwrap_or_default();
    let mut merged = orders::merge(&ours, &theirs);
    if merged.orders == ours.orders && ours.version > theirs.version {
        return Ok(());
    }
    // Above both, so that every child hears it, and what it heard is known again.
    merged.version = ours.version.max(theirs.version) + 1;
    orders::prune(&mut merged, commit.core.today());
    if !orders::fits(&merged) {
        return Err(OrderError::Format.into());
    }
    tracing::warn!(orders = merged.orders.len(), "the list of tasks came back from a district");
    let known = list_of::short_digest(list)?;
    if theirs.version > ours.version {
        commit.set.put(Space::Documents, past_key(theirs.version), known);
    }
    put_orders(commit, merged.version, plans::sign_orders(key, &merged))?;
    Ok(())
}

fn give_task(commit: &mut Commit<'_>, order: &TaskOrder, unit: OrgCode) -> Result<(), StoreError> {
    let id = record_of(order, unit);
    let Some(unit) = decree::here_now(commit, unit) else { return Ok(()) };
    let known = commit.record(id)?;
    let mut fields = Vec::new();
    if known.is_none() {
        let city = commit.core.unit.parent().unwrap_or(commit.core.unit);
        fields.extend([
            number(HOME_UNIT, unit.number()),
            text(field::task::TITLE, order.title.as_bytes()),
            number(field::task::FROM_UNIT, city.number()),
            day(field::task::GIVEN_ON, order.given_on),
            day(field::task::DUE_ON, order.due_on),
        ]);
        fields.extend(
            indicator::by_code(&order.indicator).map(|known| text(field::task::INDICATOR, known.code.as_bytes())),
        );
        fields.extend((!order.demand.is_empty()).then(|| text(field::task::DEMAND, order.demand.as_bytes())));
    }
    // Also on one that stands: the city may have given the order another number since.
    fields.push(number(field::task::ORDER_NO, u64::from(order.no)));
    let open = known
        .as_ref()
        .is_none_or(|task| task.day(field::task::CLOSED_ON).is_none() && task.day(field::task::WITHDRAWN_ON).is_none());
    fields.extend((order.withdrawn_on > 0 && open).then(|| day(field::task::WITHDRAWN_ON, order.withdrawn_on)));
    let hand = Hand { reason: "市级下达调度任务", ..Hand::rule(Rule::Ordered) };
    revise::revise(commit, id, registers::TASK, fields, &hand)?;
    Ok(())
}

/// A community that is restored has done what it was ordered: the order says so, too, and with it that this time is
/// over when the case is ordered to rectify again.
pub(super) fn close_order(commit: &mut Commit<'_>, case: RecordId) -> Result<(), StoreError> {
    let Some(record) = commit.record(case)?.filter(|case| is_active(case)) else { return Ok(()) };
    let (Some(ordered), Some(restored)) =
        (record.day(field::fec_case::RECTIFY_FROM), record.day(field::fec_case::RESTORED_ON))
    else {
        return Ok(());
    };
    if restored < ordered {
        return Ok(());
    }
    for other in following(&Reading(commit), case, registers::FEC_CASE, registers::RECTIFICATION)? {
        let Some(order) = commit.record(other)? else { continue };
        let unit = home_unit(&order).filter(|unit| commit.core.unit.covers(*unit));
        if unit.is_some()
            && is_active(&order)
            && order.day(field::rectification::ORDERED_ON) == Some(ordered)
            && order.day(field::rectification::RECHECKED_ON).is_none()
        {
            let hand = Hand { reason: "称号已恢复", ..Hand::rule(Rule::Ordered) };
            revise::revise(
                commit,
                other,
                registers::RECTIFICATION,
                vec![
                    day(field::rectification::RECHECKED_ON, restored),
                    text(field::rectification::RESULT, code::check_result::PASSED.as_bytes()),
                ],
                &hand,
            )?;
        }
    }
    Ok(())
}

/// A spot check that found a certified community wanting orders it to rectify within the plan's term (notice, item
/// 33): the case moves on and the order is a record, from the day of the check.
pub(super) fn order_to_rectify(commit: &mut Commit<'_>, check: RecordId) -> Result<(), StoreError> {
    let Some(found) = commit.record(check)?.filter(|record| is_active(record)) else { return Ok(()) };
    let (Some(case), Some(on)) =
        (found.reference(field::spot_check::FEC_CASE), found.day(field::spot_check::CHECKED_ON))
    else {
        return Ok(());
    };
    let case = survivor(&Reading(commit), case)?;
    let Some(record) = commit.record(case)?.filter(|case| case.register == registers::FEC_CASE) else {
        return Ok(());
    };
    let unit = home_unit(&record).filter(|unit| commit.core.unit.covers(*unit));
    let fails = found.slice(field::spot_check::RESULT) == Some(code::check_result::FAILED.as_bytes())
        && record.slice(field::fec_case::STAGE) == Some(code::title_stage::CERTIFIED.as_bytes());
    // A check of before the title, or of before the last restoration, says nothing of how it stands now.
    let of_now = record.day(field::fec_case::CERTIFIED_ON).is_some_and(|from| from <= on)
        && record.day(field::fec_case::RESTORED_ON).is_none_or(|from| from < on);
    let Some(unit) = unit.filter(|_| fails && of_now) else { return Ok(()) };
    let order_id = RecordId::derived(on, &check.0);
    if commit.record(order_id)?.is_some() {
        return Ok(()); // ordered by this check before
    }
    for other in following(&Reading(commit), case, registers::FEC_CASE, registers::RECTIFICATION)? {
        if commit
            .record(other)?
            .as_deref()
            .is_some_and(|order| is_active(order) && order.day(field::rectification::ORDERED_ON) == Some(on))
        {
            return Ok(()); // ordered by hand
        }
    }
    let due = on.saturating_add(commit.core.plans().on(on).fec.rectify_days);
    let hand = Hand { reason: "抽查不合格", ..Hand::rule(Rule::Ordered) };
    let mut order = vec![
        number(HOME_UNIT, unit.number()),
        text(field::rectification::FEC_CASE, &case.0),
        day(field::rectification::ORDERED_ON, on),
        day(field::rectification::DUE_ON, due),
    ];
    order.extend(found.slice(field::spot_check::FOUND).map(|demand| text(field::rectification::DEMAND, demand)));
    revise::revise(commit, order_id, registers::RECTIFICATION, order, &hand)?;
    revise::revise(
        commit,
        case,
        registers::FEC_CASE,
        vec![
            text(field::fec_case::STAGE, code::title_stage::ORDERED_TO_RECTIFY.as_bytes()),
            day(field::fec_case::RECTIFY_FROM, on),
            day(field::fec_case::RECTIFY_DUE, due),
        ],
        &hand,
    )?;
    Ok(())
}
