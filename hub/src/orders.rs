//! The city's orders at a hub, tasks and decisions on titles: giving and taking back at the city, keeping the list that was
//! heard below it.
//! Invariant: the list that stands is the newest that the city signed; what it asks for is in the records of the units
//! from the commit on that took it.

pub use crate::state::orders::standing;

use crate::{
    plans,
    state::{Core, orders::entered},
    store::StoreError,
    totals,
    writer::{Job, WriteError, Writer},
};
use bytes::Bytes;
use ring::signature::Ed25519KeyPair;
use std::collections::BTreeSet;
use taizhang_proto::{
    OrgCode, check,
    date::{self, Day},
    indicator::Part,
    orders::{self, MAX_ORDERS, OrderError, Progress},
    pb::{self, OrderKind, TaskOrder, TaskOrders, Tier},
    register::is_for_below,
};

/// How often giving a task is tried while others do.
const TRIES: usize = 8;

/// Why a task can't be given or taken back.
#[derive(Debug, thiserror::Error)]
pub enum GiveError {
    /// Not the city.
    #[error("此处只由市级下达任务；县区请直接登记调度任务 (the city gives tasks so; a district enters them)")]
    NotCity,
    /// A unit that is not there.
    #[error("没有单位 {0} (no such unit)")]
    Unit(u64),
    /// No such task.
    #[error("没有任务 {0}，或已撤回 (no such task, or taken back already)")]
    None(u32),
    /// The same was given today.
    #[error(
        "今日已下达（任务号 {0}）；确要再下达一份，请改动标题或要求 (given today already: change its title or its demand)"
    )]
    Again(u32),
    /// A decision on titles that the figures do not bear out.
    #[error("{0}")]
    Decision(String),
    /// Too many.
    #[error("在办任务过多：至多 {MAX_ORDERS} 项；请先撤回不再需要的 (too many tasks: take back what is not needed)")]
    Full,
    /// The writer.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The order.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The orders with how far each one is on a day; with a number only that one, unit by unit as it was given. Read from
/// cells, since the city has no records.
///
/// # Errors
/// When the store fails, or there is no order with that number.
pub fn progress(core: &Core, no: u32) -> Result<pb::OrdersAnswer, GiveError> {
    let mut orders = standing(core)?.orders;
    if no > 0 {
        orders.retain(|order| order.no == no);
        if orders.is_empty() {
            return Err(GiveError::None(no));
        }
    }
    let (view, tree, today) = (core.view(), core.tree(), core.today());
    let view = view.as_ref();
    let mut answer = pb::OrdersAnswer::default();
    for order in &mut orders {
        // Every district holds the whole list, and the cells of its own units.
        order.to.retain(|unit| OrgCode::new(*unit).is_ok_and(|unit| core.unit.covers(unit)));
    }
    for order in &orders {
        if let Some(part) = decided_in(order) {
            let recorded = |unit: u64, done: i64| pb::OrderProgress {
                no: order.no,
                unit,
                given: done,
                closed: done,
                ..pb::OrderProgress::default()
            };
            let mut all = 0;
            for unit in order.to.iter().filter_map(|unit| OrgCode::new(*unit).ok()) {
                let now = tree.current(unit, today);
                let done = totals::own_sum(view, now, part.number(), order.given_on..=order.given_on)?.min(1);
                all += done;
                answer.progress.extend((no > 0).then(|| recorded(unit.number(), done)));
            }
            answer.progress.push(recorded(0, all));
            continue;
        }
        if order.kind() == OrderKind::Entry {
            continue; // it is read, not done
        }
        let whole = |part: u16| totals::sum(view, core.unit, part, Day::MIN..=today);
        answer.progress.push(counted(order, 0, whole)?);
        for unit in order.to.iter().filter(|_| no > 0).filter_map(|unit| OrgCode::new(*unit).ok()) {
            let now = tree.current(unit, today);
            let alone = |part: u16| totals::own_sum(view, now, part, Day::MIN..=today);
            answer.progress.push(counted(order, unit.number(), alone)?);
        }
    }
    let units: BTreeSet<u64> = orders.iter().flat_map(|order| order.to.iter().copied()).collect();
    let name = |unit: u64| OrgCode::new(unit).map(|code| totals::unit_name(&tree, code));
    answer.names = units.into_iter().filter_map(|unit| name(unit).ok()).collect();
    answer.orders = orders;
    Ok(answer)
}

/// The part in which a decision on titles shows once it is on record; none for a task, which has parts of its own.
fn decided_in(order: &TaskOrder) -> Option<Part> {
    match order.kind() {
        OrderKind::Task | OrderKind::Entry => None,
        OrderKind::Commend => Some(Part::Commended),
        OrderKind::Revoke => Some(Part::TitlesRevoked),
    }
}

fn counted(
    order: &TaskOrder,
    unit: u64,
    sum: impl Fn(u16) -> Result<i64, StoreError>,
) -> Result<pb::OrderProgress, StoreError> {
    let count = |of: Progress| sum(of.part(order.no));
    Ok(pb::OrderProgress {
        no: order.no,
        unit,
        given: count(Progress::Given)?,
        reported: count(Progress::Reported)?,
        closed: count(Progress::Closed)?,
        overdue: count(Progress::Overdue)?,
    })
}

/// The list with one more task, or with one taken back, signed.
///
/// # Errors
/// When this is not the city, or the order makes no sense.
pub fn give(core: &Core, key: &Ed25519KeyPair, request: &pb::OrderRequest) -> Result<Bytes, GiveError> {
    if core.tier != Tier::City {
        return Err(GiveError::NotCity);
    }
    let mut list = standing(core)?;
    let today = core.today();
    if request.withdraw > 0 {
        let stands = |order: &&mut TaskOrder| order.no == request.withdraw && order.withdrawn_on == 0;
        let order = list.orders.iter_mut().find(stands).ok_or(GiveError::None(request.withdraw))?;
        order.withdrawn_on = today;
    } else {
        let (no, id) = (orders::next_number(&list), rand::random::<[u8; 16]>().to_vec().into());
        let mut asked = request.order.clone().unwrap_or_default();
        if asked.to.is_empty() && asked.kind() == OrderKind::Entry && is_for_below(asked.register) {
            // For everybody: each district has it, for all that is below.
            asked.to = core.tree().children(core.unit).map(|district| district.code.number()).collect();
        }
        // A decision is of its day; a task has a term.
        let due_on = if asked.kind() == OrderKind::Task { asked.due_on } else { today };
        let order = TaskOrder { no, id, given_on: today, due_on, withdrawn_on: 0, ..asked };
        orders::check(&order)?;
        let tree = core.tree();
        let there = |unit: u64| OrgCode::new(unit).is_ok_and(|unit| unit != core.unit && tree.contains(unit));
        if let Some(unknown) = order.to.iter().find(|unit| !there(**unit)) {
            return Err(GiveError::Unit(*unknown));
        }
        check_decision(core, &list, &order)?;
        if let Some(other) = list.orders.iter().find(|other| is_the_same(other, &order)) {
            return Err(GiveError::Again(other.no));
        }
        list.orders.push(order);
        orders::prune(&mut list, today);
        if !orders::fits(&list) {
            return Err(GiveError::Full);
        }
    }
    list.version += 1;
    Ok(plans::sign_orders(key, &list))
}

/// Whether an order that stands asks for what another one does, on the same day: it was sent twice.
fn is_the_same(stands: &TaskOrder, other: &TaskOrder) -> bool {
    let asked = |order: &TaskOrder| {
        // Fields stand in any order.
        let mut fields = orders::entry(order).unwrap_or_default();
        fields.sort_by_key(|field| field.tag);
        let units: BTreeSet<u64> = order.to.iter().copied().collect();
        (order.kind, order.register, fields, units, order.title.clone(), order.indicator.clone(), order.demand.clone())
    };
    stands.withdrawn_on == 0
        && (stands.given_on, stands.due_on) == (other.given_on, other.due_on)
        && asked(stands) == asked(other)
}

/// Whether the city's own figures of today bear a decision on titles out: it has no records to look at.
fn check_decision(core: &Core, list: &TaskOrders, order: &TaskOrder) -> Result<(), GiveError> {
    let (view, tree, today) = (core.view(), core.tree(), core.today());
    let units = || order.to.iter().filter_map(|unit| OrgCode::new(*unit).ok());
    let holds = |unit: OrgCode, part: Part| totals::own_sum(view.as_ref(), unit, part.number(), Day::MIN..=today);
    let refuse = |why: String| Err(GiveError::Decision(why));
    match order.kind() {
        OrderKind::Task => {}
        OrderKind::Entry => {
            let fields = orders::entry(order).unwrap_or_default();
            for unit in units() {
                let record = entered(order, unit, fields.clone());
                let tags = fields.iter().map(|field| field.tag);
                if let Some(broken) = check::entry(&record, None, tags, today).into_iter().next() {
                    return refuse(broken.to_string());
                }
            }
        }
        OrderKind::Revoke => {
            let same = |other: &&TaskOrder| {
                other.kind() == OrderKind::Revoke && other.withdrawn_on == 0 && other.given_on == today
            };
            if let Some(other) = list.orders.iter().filter(same).find(|other| other.to == order.to) {
                let no = other.no;
                return refuse(format!("今日已决定（任务号 {no}）(decided today already)"));
            }
            for unit in units() {
                let rectifying = holds(unit, Part::FecRectifying)? > 0;
                if rectifying && holds(unit, Part::RectifyOverdue)? + holds(unit, Part::RecheckFailed)? == 0 {
                    return refuse(format!(
                        "{}整顿期限未满，也没有复查不合格的记录，不能取消称号 (revoked only after the term, or a failed recheck)",
                        tree.name(unit)
                    ));
                }
                if !rectifying {
                    return refuse(format!(
                        "{}未在责令整顿，不能取消称号；整顿后仍不到位的才取消 (it is not ordered to rectify)",
                        tree.name(unit)
                    ));
                }
            }
        }
        OrderKind::Commend => {
            let year = |day: Day| date::civil(day).map(jiff::civil::Date::year);
            let same = |other: &&TaskOrder| {
                other.kind() == OrderKind::Commend && other.withdrawn_on == 0 && year(other.given_on) == year(today)
            };
            if let Some(other) = list.orders.iter().find(same) {
                let no = other.no;
                return refuse(format!(
                    "本年度已评定（任务号 {no}），改定请先撤回 (decided already: take it back first)"
                ));
            }
            let known = totals::commend(core, &pb::CommendRequest::default(), core.unit);
            let known = known.map_err(|error| GiveError::Decision(error.to_string()))?;
            if known.recorded > 0 {
                let count = known.recorded;
                return refuse(format!("县区已登记表彰 {count} 个，请先由县区作废 (districts have recorded some)"));
            }
            for unit in units() {
                if holds(unit, Part::FecTitle)? == 0 || holds(unit, Part::FecRectifying)? > 0 {
                    return refuse(format!(
                        "{}当日未持有称号，或正在整顿，不能表彰 (no title on the day, or rectifying)",
                        tree.name(unit)
                    ));
                }
            }
            let (places, there) = (known.places, known.candidates);
            if there == 0 {
                return refuse("没有持有称号且未在整顿的社区，无可表彰 (nobody holds the title)".into());
            }
            if order.to.len() != places.min(there) as usize {
                return refuse(format!(
                    "应评定 {} 个（名额 {places} 个，符合条件的 {there} 个），名单有 {} 个 (so many are commended, and the list \
                     has another number)",
                    places.min(there),
                    order.to.len()
                ));
            }
        }
    }
    Ok(())
}

/// Gives a task or takes one back, for good.
///
/// # Errors
/// As [`give`]; [`OrderError::Stale`] when others keep changing the list.
pub async fn change(
    core: &Core,
    writer: &Writer,
    key: &Ed25519KeyPair,
    request: &pb::OrderRequest,
) -> Result<(), GiveError> {
    for _ in 0..TRIES {
        let list = tokio::task::block_in_place(|| give(core, key, request))?;
        match writer.write(Job::Orders(list)).await {
            Err(WriteError::Orders(OrderError::Stale)) => {}
            other => return Ok(other.map(|_| ())?),
        }
    }
    Err(OrderError::Stale.into())
}
