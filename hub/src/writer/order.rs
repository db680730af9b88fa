//! What somebody above or a finding orders, as records by the hub's own hand: the city's tasks, and rectification after a
//! failed spot check. Invariant: a task becomes one record, whose id follows from the order, so hearing it again adds
//! nothing; the city's decisions on titles are in `decree`.

use super::{
    Answer, WriteError,
    commit::{Commit, Reading},
    revise::{Hand, day, number, text},
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

impl Commit<'_> {
    /// The list as it stands in the commit.
    fn orders(&self) -> Option<(u64, Bytes)> {
        self.new_orders.clone().or_else(|| self.core.orders())
    }

    /// Takes a newer list of the city's tasks; at a district what is for its units becomes their records. The city takes
    /// the one that follows the one that stands: what was made from an older one would lose what came between.
    pub(super) fn take_orders(&mut self, list: Bytes) -> Result<Answer, WriteError> {
        let signed = SignedOrders::decode(list.clone()).map_err(|_| OrderError::Format)?;
        let standing = self.orders().map_or(0, |(version, _)| version);
        let read = orders::read(&signed, self.core.city_key().as_deref())?;
        let is_city = self.core.tier == Tier::City;
        if is_city && read.version != standing + 1 {
            return Err(OrderError::Stale.into());
        }
        if read.version <= standing {
            return Ok(Answer::Done); // an old message
        }
        self.put_orders(read.version, list)?;
        self.give_tasks()?;
        Ok(Answer::Done)
    }

    /// At a district, makes every order of the list that stands what it asks for in the records of its units.
    pub(super) fn give_tasks(&mut self) -> Result<(), StoreError> {
        let Some((_, list)) = self.orders().filter(|_| self.core.tier != Tier::City) else { return Ok(()) };
        for order in &list_of::decode(&list)?.orders {
            // What a newer city orders otherwise, this build leaves alone.
            let Ok(kind) = OrderKind::try_from(order.kind) else { continue };
            for (place, unit) in (1..).zip(order.to.iter().filter_map(|unit| OrgCode::new(*unit).ok())) {
                match kind {
                    OrderKind::Task => self.give_task(order, unit)?,
                    OrderKind::Commend => self.commend(order, unit, place)?,
                    OrderKind::Revoke => self.revoke(order, unit)?,
                    OrderKind::Entry => self.enter_for_city(order, unit)?,
                }
            }
        }
        Ok(())
    }

    fn put_orders(&mut self, version: u64, list: Bytes) -> Result<(), StoreError> {
        if self.core.tier == Tier::City {
            self.set.put(Space::Documents, past_key(version), list_of::short_digest(&list)?);
        }
        self.set.put(Space::Documents, DOCUMENT, list.clone());
        self.new_orders = Some((version, list));
        Ok(())
    }

    /// At the city: a list that it once signed and that a child still holds. Every order of it is on the list again.
    pub(super) fn recover_orders(&mut self, list: &Bytes, key: &Ed25519KeyPair) -> Result<(), WriteError> {
        let signed = SignedOrders::decode(list.clone()).map_err(|_| OrderError::Format)?;
        let theirs = orders::read(&signed, Some(key.public_key().as_ref()))?;
        let ours = self.orders().map(|(_, list)| list_of::decode(&list)).transpose()?.unwrap_or_default();
        let mut merged = orders::merge(&ours, &theirs);
        if merged.orders == ours.orders && ours.version > theirs.version {
            return Ok(());
        }
        // Above both, so that every child hears it, and what it heard is known again.
        merged.version = ours.version.max(theirs.version) + 1;
        orders::prune(&mut merged, self.core.today());
        if !orders::fits(&merged) {
            return Err(OrderError::Format.into());
        }
        tracing::warn!(orders = merged.orders.len(), "the list of tasks came back from a district");
        let known = list_of::short_digest(list)?;
        if theirs.version > ours.version {
            self.set.put(Space::Documents, past_key(theirs.version), known);
        }
        self.put_orders(merged.version, plans::sign_orders(key, &merged))?;
        Ok(())
    }

    /// The unit that an order's has become since, which carries it out; none outside this hub.
    pub(super) fn here_now(&self, unit: OrgCode) -> Option<OrgCode> {
        let unit = self.tree.current(unit, self.core.today());
        let known = self.tree.is_empty() || self.tree.contains(unit);
        Some(unit).filter(|unit| known && self.core.unit.covers(*unit))
    }

    fn give_task(&mut self, order: &TaskOrder, unit: OrgCode) -> Result<(), StoreError> {
        let id = record_of(order, unit);
        let Some(unit) = self.here_now(unit) else { return Ok(()) };
        let known = self.record(id)?;
        let mut fields = Vec::new();
        if known.is_none() {
            let city = self.core.unit.parent().unwrap_or(self.core.unit);
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
        let open = known.as_ref().is_none_or(|task| {
            task.day(field::task::CLOSED_ON).is_none() && task.day(field::task::WITHDRAWN_ON).is_none()
        });
        fields.extend((order.withdrawn_on > 0 && open).then(|| day(field::task::WITHDRAWN_ON, order.withdrawn_on)));
        let hand = Hand { reason: "市级下达调度任务", ..Hand::rule(Rule::Ordered) };
        self.revise(id, registers::TASK, fields, &hand)?;
        Ok(())
    }

    /// A community that is restored has done what it was ordered: the order says so, too, and with it that this time is
    /// over when the case is ordered to rectify again.
    pub(super) fn close_order(&mut self, case: RecordId) -> Result<(), StoreError> {
        let Some(record) = self.record(case)?.filter(|case| is_active(case)) else { return Ok(()) };
        let (Some(ordered), Some(restored)) =
            (record.day(field::fec_case::RECTIFY_FROM), record.day(field::fec_case::RESTORED_ON))
        else {
            return Ok(());
        };
        if restored < ordered {
            return Ok(());
        }
        for other in following(&Reading(self), case, registers::FEC_CASE, registers::RECTIFICATION)? {
            let Some(order) = self.record(other)? else { continue };
            let unit = home_unit(&order).filter(|unit| self.core.unit.covers(*unit));
            if unit.is_some()
                && is_active(&order)
                && order.day(field::rectification::ORDERED_ON) == Some(ordered)
                && order.day(field::rectification::RECHECKED_ON).is_none()
            {
                let hand = Hand { reason: "称号已恢复", ..Hand::rule(Rule::Ordered) };
                self.revise(
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
    pub(super) fn order_to_rectify(&mut self, check: RecordId) -> Result<(), StoreError> {
        let Some(found) = self.record(check)?.filter(|record| is_active(record)) else { return Ok(()) };
        let (Some(case), Some(on)) =
            (found.reference(field::spot_check::FEC_CASE), found.day(field::spot_check::CHECKED_ON))
        else {
            return Ok(());
        };
        let case = survivor(&Reading(self), case)?;
        let Some(record) = self.record(case)?.filter(|case| case.register == registers::FEC_CASE) else {
            return Ok(());
        };
        let unit = home_unit(&record).filter(|unit| self.core.unit.covers(*unit));
        let fails = found.slice(field::spot_check::RESULT) == Some(code::check_result::FAILED.as_bytes())
            && record.slice(field::fec_case::STAGE) == Some(code::title_stage::CERTIFIED.as_bytes());
        // A check of before the title, or of before the last restoration, says nothing of how it stands now.
        let of_now = record.day(field::fec_case::CERTIFIED_ON).is_some_and(|from| from <= on)
            && record.day(field::fec_case::RESTORED_ON).is_none_or(|from| from < on);
        let Some(unit) = unit.filter(|_| fails && of_now) else { return Ok(()) };
        let order_id = RecordId::derived(on, &check.0);
        if self.record(order_id)?.is_some() {
            return Ok(()); // ordered by this check before
        }
        for other in following(&Reading(self), case, registers::FEC_CASE, registers::RECTIFICATION)? {
            if self
                .record(other)?
                .as_deref()
                .is_some_and(|order| is_active(order) && order.day(field::rectification::ORDERED_ON) == Some(on))
            {
                return Ok(()); // ordered by hand
            }
        }
        let due = on.saturating_add(self.core.plans().on(on).fec.rectify_days);
        let hand = Hand { reason: "抽查不合格", ..Hand::rule(Rule::Ordered) };
        let mut order = vec![
            number(HOME_UNIT, unit.number()),
            text(field::rectification::FEC_CASE, &case.0),
            day(field::rectification::ORDERED_ON, on),
            day(field::rectification::DUE_ON, due),
        ];
        order.extend(found.slice(field::spot_check::FOUND).map(|demand| text(field::rectification::DEMAND, demand)));
        self.revise(order_id, registers::RECTIFICATION, order, &hand)?;
        self.revise(
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
}
