//! Orders of the city: tasks (工作调度; notice, item 20), its decisions on titles, whom to commend and who loses the title
//! (items 34 and 35), and its own entries: campaigns, policy documents, pairings, guidance (items 1, 18, 43 and 44). One
//! signed list goes down, and each district makes it records of the units that it is about.
//! Invariant: an order is carried out once however often the list is heard: the id of what it becomes follows from the order
//! alone.

use crate::{
    OrgCode, RecordId,
    date::{self, Day},
    limits::{self, NAME_CHARS},
    pb::{OrderKind, Policy, SignedOrders, TaskOrder, TaskOrders},
    register::{number, registers},
    session::MAX_MESSAGE_BYTES,
    sign::Purpose,
    text,
    wire::{self, Field},
};
use prost::Message;
use std::collections::BTreeSet;

/// Most orders in a list; older ones are closed and stand as records.
pub const MAX_ORDERS: usize = 2_000;
/// Most bytes of a list: it goes down in one message.
const MAX_BYTES: usize = MAX_MESSAGE_BYTES / 2;
/// Most units that one order names.
const MAX_UNITS: usize = 2_000;
/// Days after its due date from which an order may leave the list: it stands as records, and nobody takes it back.
const KEPT_DAYS: Day = 366;
/// Longest title, characters.
const MAX_TITLE: usize = 100;
/// Longest id of an order or an indicator, bytes.
const MAX_ID: usize = 32;
/// Longest demand, characters.
const MAX_DEMAND: usize = 500;

/// Most bytes of an entry's fields.
const MAX_ENTRY: usize = 8 * 1024;
/// The registers in which a city has entries of its own: nothing in them is of a person, but what a district adds.
pub const ENTRIES: [u32; 4] = [number::CAMPAIGN, number::PAIRING, number::INSPECTION, number::POLICY_DOCUMENT];

/// The first of the part numbers under which orders are counted one by one, above all parts that indicators have.
const FIRST_PART: u16 = 10_000;
/// Orders that have parts of their own; far more than a list holds. The one after the last would count in the parts of the
/// first.
const SLOTS: u32 = 10_000;

/// How many of the units that an order is for have come how far. Each includes those after it but `Overdue`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Progress {
    /// It was given and not taken back.
    Given = 0,
    /// Reported done, or closed.
    Reported = 1,
    /// Closed.
    Closed = 2,
    /// Neither closed nor taken back by the day it was due.
    Overdue = 3,
}

impl Progress {
    /// The part in which it is counted for the order with this number.
    pub fn part(self, no: u32) -> u16 {
        FIRST_PART + (no % SLOTS) as u16 * 4 + self as u16
    }
}

/// Why a list of orders, or an order, can't be taken. Names the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// Not a list.
    #[error("不是调度任务清单 (no list of tasks)")]
    Format,
    /// Another key.
    #[error("任务清单的签名密钥不是本市的 (not signed with the key of this city)")]
    Key,
    /// The signature.
    #[error("任务清单的签名不符 (the signature is wrong)")]
    Signature,
    /// Somebody else changed the list.
    #[error("任务清单刚被他人改动，请重试 (the list has just been changed by somebody else: try again)")]
    Stale,
    /// An order that makes no sense.
    #[error("任务{no} {field}: {why}")]
    Order {
        /// Its number.
        no: u32,
        /// The field.
        field: &'static str,
        /// What would be right.
        why: &'static str,
    },
}

/// Checks an order that is given.
///
/// # Errors
/// When a field is missing, too long, or out of order; names it.
pub fn check(order: &TaskOrder) -> Result<(), OrderError> {
    if !order.indicator.is_empty() && crate::indicator::by_code(&order.indicator).is_none() {
        return Err(OrderError::Order { no: order.no, field: "indicator", why: "没有此指标 (no such indicator)" });
    }
    if order.kind() != OrderKind::Task && order.by.trim().is_empty() {
        return Err(OrderError::Order { no: order.no, field: "by", why: "请写明审核人 (name who decides)" });
    }
    check_heard(order)?;
    if order.kind() == OrderKind::Entry {
        let wrong = |why| Err(OrderError::Order { no: order.no, field: "message", why });
        let Some(fields) = entry(order) else {
            return wrong("市级只登记援助月、政策文件、结对子、指导检查 (not a register of the city's own)");
        };
        let def = registers().get(order.register);
        let is_citys = |field: &Field| {
            let rule = def.and_then(|def| def.field(field.tag));
            rule.is_some_and(|rule| {
                rule.tag >= 20 && !rule.personal && rule.refers.is_none() && rule.policy != Policy::Owned
            })
        };
        if fields.is_empty() || !fields.iter().all(is_citys) {
            return wrong("含有个人信息、引用或未知的栏目 (a field of a person, a reference, or an unknown one)");
        }
    }
    Ok(())
}

/// The fields of an entry of the city; none for another order, or where only a newer build knows the register.
pub fn entry(order: &TaskOrder) -> Option<Vec<Field>> {
    let known = order.kind == OrderKind::Entry as i32 && ENTRIES.contains(&order.register);
    wire::split(&order.message).ok().filter(|_| known)
}

/// Checks an order that is heard: a newer city may know indicators that this build does not.
fn check_heard(order: &TaskOrder) -> Result<(), OrderError> {
    let wrong = |field, why| Err(OrderError::Order { no: order.no, field, why });
    if text::no_space(&order.title).is_empty() || order.title.chars().count() > MAX_TITLE {
        return wrong("title", "任务名称应为1至100字 (1 to 100 characters)");
    }
    if order.demand.chars().count() > MAX_DEMAND {
        return wrong("demand", "要求不超过500字 (at most 500 characters)");
    }
    if order.to.is_empty() || order.to.iter().any(|unit| OrgCode::new(*unit).is_err()) {
        return wrong("to", "应写明承办单位 (name the units it is for)");
    }
    let distinct: BTreeSet<u64> = order.to.iter().copied().collect();
    if distinct.len() != order.to.len() || order.to.len() > MAX_UNITS {
        return wrong("to", "承办单位重复或超过2000个 (a unit twice, or more than 2000)");
    }
    if order.id.len() > MAX_ID || order.indicator.len() > MAX_ID {
        return wrong("indicator", "过长 (too long)");
    }
    if order.by.chars().count() > NAME_CHARS {
        return wrong("by", "姓名不超过60字 (at most 60 characters)");
    }
    if order.kind == OrderKind::Revoke as i32 && (order.to.len() != 1 || limits::reason(&order.demand).is_err()) {
        return wrong("demand", "取消称号一次一个社区，并写明理由，不超过200字 (one community, and why)");
    }
    if order.message.len() > MAX_ENTRY || wire::split(&order.message).is_err() {
        return wrong("message", "登记内容过长或无法读取 (too long, or can't be read)");
    }
    if order.due_on < order.given_on {
        return wrong("due_on", "完成期限早于下达日期 (due before it is given)");
    }
    if date::civil(order.given_on).is_none() || date::civil(order.due_on).is_none() {
        return wrong("due_on", "不是日期 (not a date)");
    }
    Ok(())
}

/// Whether a list fits into one message.
pub fn fits(list: &TaskOrders) -> bool {
    list.orders.len() <= MAX_ORDERS && list.encoded_len() <= MAX_BYTES
}

/// Takes orders that are long over off a list, as many as it takes for it to fit.
pub fn prune(list: &mut TaskOrders, today: Day) {
    while !fits(list)
        && let Some(over) = list.orders.iter().position(|order| order.due_on.saturating_add(KEPT_DAYS) < today)
    {
        list.orders.remove(over);
    }
}

/// What tells two orders apart, whatever their numbers. One of an older build has no id of its own.
fn identity(order: &TaskOrder) -> Vec<u8> {
    if order.id.is_empty() { order.no.to_be_bytes().to_vec() } else { order.id.to_vec() }
}

/// Two lists of one city that has forgotten one of them: every order of either, taken back where either says so. Numbers
/// stay as they are in `ours`; one that `theirs` gave to another order becomes a new one.
#[must_use]
pub fn merge(ours: &TaskOrders, theirs: &TaskOrders) -> TaskOrders {
    let mut merged = ours.clone();
    for order in &theirs.orders {
        let same = |known: &&mut TaskOrder| {
            identity(known) == identity(order) && (known.given_on, &known.title) == (order.given_on, &order.title)
        };
        if let Some(known) = merged.orders.iter_mut().find(same) {
            known.withdrawn_on = known.withdrawn_on.max(order.withdrawn_on);
            continue;
        }
        let taken = merged.orders.iter().any(|known| known.no == order.no);
        let no = if taken && !order.id.is_empty() { next_number(&merged) } else { order.no };
        merged.orders.push(TaskOrder { no, ..order.clone() });
    }
    merged
}

/// The number of the next order.
pub fn next_number(list: &TaskOrders) -> u32 {
    list.orders.iter().map(|order| order.no).max().unwrap_or(0).saturating_add(1)
}

/// Reads a signed list and checks it. `known` is the city's key as it was first heard.
///
/// # Errors
/// When it is no list, is not signed by the city, or holds an order that makes no sense.
pub fn read(signed: &SignedOrders, known: Option<&[u8]>) -> Result<TaskOrders, OrderError> {
    if known.is_some_and(|known| *known != signed.key[..]) {
        return Err(OrderError::Key);
    }
    if !Purpose::Orders.is_signed(&signed.text, &signed.key, &signed.signature) {
        return Err(OrderError::Signature);
    }
    let list = TaskOrders::decode(signed.text.clone()).map_err(|_| OrderError::Format)?;
    if !fits(&list) {
        return Err(OrderError::Format);
    }
    list.orders.iter().try_for_each(check_heard)?;
    Ok(list)
}

/// The record that an order becomes at a unit.
pub fn record_of(order: &TaskOrder, unit: OrgCode) -> RecordId {
    let seed = [Purpose::Orders.to_sign(&identity(order)), unit.number().to_be_bytes().to_vec()].concat();
    RecordId::derived(order.given_on, &seed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::indicator;
    use bytes::Bytes;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    fn order() -> TaskOrder {
        TaskOrder {
            no: 7,
            title: "核查零就业家庭".into(),
            to: vec![210_402_000_000],
            given_on: 13_960,
            due_on: 13_970,
            indicator: "K08".into(),
            ..TaskOrder::default()
        }
    }

    fn revoked() -> TaskOrder {
        let of = vec![210_402_011_003];
        let why = "整顿后仍不到位".to_owned();
        TaskOrder { kind: OrderKind::Revoke.into(), to: of, demand: why, by: "王局长".into(), ..order() }
    }

    #[test]
    fn a_decision_names_who_decided() {
        assert_eq!(check(&revoked()), Ok(()));
        let nobodys = TaskOrder { by: " ".into(), ..revoked() };
        assert!(matches!(check(&nobodys), Err(OrderError::Order { field: "by", .. })));
    }

    #[test]
    fn an_entry_of_the_city_names_its_register_and_nothing_of_a_person() {
        let field = |tag: u32, text: &str| {
            let mut bytes = Vec::new();
            wire::put_bytes(tag, text.as_bytes(), &mut bytes);
            bytes
        };
        let entry = |register, message: Vec<u8>| TaskOrder {
            kind: OrderKind::Entry.into(),
            register,
            message: message.into(),
            by: "王局长".into(),
            ..order()
        };
        assert_eq!(check(&entry(number::CAMPAIGN, field(20, "援助月"))), Ok(()));
        for wrong in [
            entry(number::RESIDENT, field(23, "张三")),
            entry(number::CAMPAIGN, Vec::new()),
            entry(number::CAMPAIGN, field(7, "备注里的人名")),
            entry(number::PAIRING, field(20, "0123456789abcdef")),
            entry(number::CAMPAIGN, field(99, "未知")),
            entry(number::CAMPAIGN, vec![0xff; 9]),
            entry(number::CAMPAIGN, field(20, &"长".repeat(MAX_ENTRY))),
        ] {
            assert!(matches!(check(&wrong), Err(OrderError::Order { field: "message", .. })), "{wrong:?}");
        }
        let newer = entry(99, field(20, "新表"));
        assert_eq!((check_heard(&newer), super::entry(&newer)), (Ok(()), None), "heard and left alone");
    }

    #[test]
    fn a_list_is_taken_under_the_citys_key_alone_and_whole() {
        let [city, other] = [[1; 32], [2; 32]].map(|seed| Ed25519KeyPair::from_seed_unchecked(&seed).unwrap());
        let signed = |key: &Ed25519KeyPair, order: TaskOrder| {
            let text = TaskOrders { version: 1, orders: vec![order] }.encode_to_vec();
            SignedOrders {
                signature: Bytes::copy_from_slice(key.sign(&Purpose::Orders.to_sign(&text)).as_ref()),
                key: Bytes::copy_from_slice(key.public_key().as_ref()),
                text: text.into(),
            }
        };
        let key = city.public_key().as_ref();
        assert_eq!(read(&signed(&city, order()), Some(key)).unwrap().orders, [order()]);
        assert_eq!(read(&signed(&other, order()), Some(key)), Err(OrderError::Key));
        let forged =
            SignedOrders { text: signed(&city, TaskOrder { no: 8, ..order() }).text, ..signed(&city, order()) };
        assert_eq!(read(&forged, Some(key)), Err(OrderError::Signature));
        for wrong in [
            TaskOrder { title: " ".into(), ..order() },
            TaskOrder { to: Vec::new(), ..order() },
            TaskOrder { to: vec![12], ..order() },
            TaskOrder { due_on: 13_959, ..order() },
            TaskOrder { due_on: i32::MAX, ..order() },
            TaskOrder { to: vec![210_402_000_000; 2], ..order() },
            TaskOrder { id: vec![0; 33].into(), ..order() },
            TaskOrder { by: "王".repeat(61), ..order() },
            TaskOrder { kind: OrderKind::Revoke.into(), ..order() },
            TaskOrder { kind: OrderKind::Revoke.into(), to: vec![210_402_011_003, 210_402_011_004], ..revoked() },
        ] {
            assert!(
                matches!(read(&signed(&city, wrong.clone()), None), Err(OrderError::Order { no: 7, .. })),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn an_indicator_of_a_newer_city_is_heard_and_not_given() {
        let newer = TaskOrder { indicator: "K99".into(), ..order() };
        assert!(matches!(check(&newer), Err(OrderError::Order { field: "indicator", .. })));
        assert_eq!((check_heard(&newer), check(&order())), (Ok(()), Ok(())));
    }

    #[test]
    fn what_is_long_over_makes_room() {
        let long =
            TaskOrder { demand: "要".repeat(500), to: (0..600).map(|one| 210_402_000_000 + one).collect(), ..order() };
        let over = |no| TaskOrder { no, due_on: 13_961, ..long.clone() };
        let mut list = TaskOrders { version: 1, orders: (1..=1_000).map(over).collect() };
        list.orders[0].due_on = 14_400;
        assert!(!fits(&list));
        prune(&mut list, 13_961 + KEPT_DAYS);
        assert_eq!(list.orders.len(), 1_000, "a day early");
        prune(&mut list, 13_962 + KEPT_DAYS);
        assert!(fits(&list) && list.orders.len() > 100);
        assert_eq!((list.orders[0].no, list.orders.last().map(|order| order.no)), (1, Some(1_000)), "the oldest went");
    }

    #[test]
    fn a_forgotten_list_and_the_one_since_become_one() {
        let of = |no, id: u8, title: &str| TaskOrder { no, id: vec![id; 16].into(), title: title.into(), ..order() };
        let ours = TaskOrders { version: 3, orders: vec![of(1, 1, "甲"), of(2, 9, "丁")] };
        let gone = TaskOrder { withdrawn_on: 13_965, ..of(1, 1, "甲") };
        let theirs = TaskOrders { version: 4, orders: vec![gone.clone(), of(2, 2, "乙"), of(3, 3, "丙")] };
        let merged = merge(&ours, &theirs);
        assert_eq!(merged.orders, [gone, of(2, 9, "丁"), of(3, 2, "乙"), of(4, 3, "丙")]);
        assert_eq!(merge(&merged, &theirs).orders, merged.orders, "heard again");
        let unit = OrgCode::new(210_402_000_000).unwrap();
        assert_eq!(
            record_of(&of(3, 2, "乙"), unit),
            record_of(&of(2, 2, "乙"), unit),
            "under another number the same record"
        );
    }

    #[test]
    fn orders_have_parts_of_their_own_above_those_of_every_indicator() {
        let most = indicator::PARTS.iter().map(|part| part.duplicates() + indicator::PENDING).max().unwrap();
        let all = [Progress::Given, Progress::Reported, Progress::Closed, Progress::Overdue];
        let parts: BTreeSet<u16> = (1..=SLOTS).flat_map(|no| all.map(|one| one.part(no))).collect();
        assert_eq!(parts.len(), SLOTS as usize * 4);
        assert!(parts.iter().all(|part| *part > most && part.checked_add(indicator::PENDING).is_some()));
        assert!(MAX_ORDERS < SLOTS as usize);
    }

    #[test]
    fn an_order_is_one_record_at_each_unit() {
        let [one, other] = [210_402_000_000, 210_403_000_000].map(|code| OrgCode::new(code).unwrap());
        assert_eq!(record_of(&order(), one), record_of(&TaskOrder { demand: "附表".into(), ..order() }, one));
        assert_ne!(record_of(&order(), one), record_of(&order(), other));
        assert_ne!(record_of(&order(), one), record_of(&TaskOrder { no: 8, ..order() }, one));
    }
}
