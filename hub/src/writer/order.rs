//! What somebody above or a finding orders, as records by the hub's own hand: the city's tasks, and rectification after a
//! failed spot check. Invariant: an order becomes one record, whose id follows from the order, so hearing it again adds
//! nothing.

use super::{
    Answer, WriteError,
    pad::{Pad, Reading},
    revise::{Hand, day, number, text},
};
use crate::{
    orders::DOCUMENT,
    store::{Space, StoreError},
};
use bytes::Bytes;
use prost::Message;
use taizhang_proto::{
    OrgCode, RecordId,
    cell::{Shelf, home_unit, is_active},
    orders::{self, OrderError, record_of},
    pb::{SignedOrders, TaskOrder, Tier},
    register::{HOME_UNIT, number as registers},
};

/// The district's spot checks that found a community wanting (L41).
const FAILED: &[u8] = b"2";
/// Stages of a case (L32).
const CERTIFIED: &[u8] = b"5";
const RECTIFYING: &[u8] = b"6";

impl Pad<'_> {
    /// Takes a newer list of the city's tasks; at a district what is for its units becomes their records.
    pub(super) fn take_orders(&mut self, list: Bytes) -> Result<Answer, WriteError> {
        let signed = SignedOrders::decode(list.clone()).map_err(|_| OrderError::Format)?;
        let before = self.new_orders.clone().or_else(|| self.core.orders());
        let key = |list: &Bytes| SignedOrders::decode(list.clone()).map(|before| before.key).ok();
        let known = self.core.city_key().or_else(|| before.as_ref().and_then(|(_, list)| key(list)));
        let read = orders::read(&signed, known.as_deref())?;
        if before.is_some_and(|(version, _)| read.version <= version) {
            return Ok(Answer::Done); // an old message
        }
        self.set.put(Space::Documents, DOCUMENT, list.clone());
        self.new_orders = Some((read.version, list));
        if self.core.tier != Tier::City {
            for order in &read.orders {
                for unit in order.to.iter().filter_map(|unit| OrgCode::new(*unit).ok()) {
                    self.give_task(order, unit)?;
                }
            }
        }
        Ok(Answer::Done)
    }

    fn give_task(&mut self, order: &TaskOrder, unit: OrgCode) -> Result<(), StoreError> {
        // A unit that was merged since has its tasks done by the one it became; the record is the one it was given as.
        let id = record_of(order, unit);
        let unit = self.tree.current(unit, self.core.today());
        if !self.core.unit.covers(unit) || (!self.tree.is_empty() && !self.tree.contains(unit)) {
            return Ok(());
        }
        let known = self.record(id)?.cloned();
        let mut fields = Vec::new();
        if known.is_none() {
            let city = self.core.unit.parent().unwrap_or(self.core.unit);
            fields.extend([
                number(HOME_UNIT, unit.number()),
                text(20, order.title.as_bytes()),
                number(21, city.number()),
                day(22, order.given_on),
                day(23, order.due_on),
            ]);
            fields.extend((!order.indicator.is_empty()).then(|| text(24, order.indicator.as_bytes())));
            fields.extend((!order.demand.is_empty()).then(|| text(25, order.demand.as_bytes())));
        }
        let open = known.as_ref().is_none_or(|task| task.day(30).is_none() && task.day(31).is_none());
        fields.extend((order.withdrawn_on > 0 && open).then(|| day(31, order.withdrawn_on)));
        let hand = Hand { by: "", reason: "市级下达调度任务", rule: "ORDERED", conflict: 0 };
        self.revise(id, registers::TASK, fields, &hand)?;
        Ok(())
    }

    /// A spot check that found a certified community wanting orders it to rectify within the plan's term (notice, item
    /// 33): the case moves on and the order is a record, from the day of the check.
    pub(super) fn order_to_rectify(&mut self, check: RecordId) -> Result<(), StoreError> {
        let Some(found) = self.record(check)?.filter(|record| is_active(record)).cloned() else { return Ok(()) };
        let (Some(case), Some(on)) = (found.reference(20), found.day(22)) else { return Ok(()) };
        let Some(record) = self.record(case)?.filter(|case| case.register == registers::FEC_CASE).cloned() else {
            return Ok(());
        };
        let unit = home_unit(&record).filter(|unit| self.core.unit.covers(*unit));
        let (Some(unit), true) = (unit, found.slice(24) == Some(FAILED) && record.slice(20) == Some(CERTIFIED)) else {
            return Ok(());
        };
        for other in Reading(self).referring(case, registers::RECTIFICATION)? {
            if self.record(other)?.is_some_and(|order| is_active(order) && order.day(21) == Some(on)) {
                return Ok(()); // ordered by hand, or by this check before
            }
        }
        let due = on.saturating_add(self.core.plans().on(on).fec.rectify_days);
        let hand = Hand { by: "", reason: "抽查不合格", rule: "ORDERED", conflict: 0 };
        let mut order = vec![number(HOME_UNIT, unit.number()), text(20, &case.0), day(21, on), day(22, due)];
        order.extend(found.slice(25).map(|demand| text(23, demand)));
        self.revise(RecordId::derived(on, &check.0), registers::RECTIFICATION, order, &hand)?;
        self.revise(case, registers::FEC_CASE, vec![text(20, RECTIFYING), day(25, on), day(26, due)], &hand)?;
        Ok(())
    }
}
