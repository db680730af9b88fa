//! Task orders (工作调度): the tasks that the city gives to units below it, as one signed list that goes down; each
//! district makes them records of the units they are for (notice, item 20).
//! Invariant: an order becomes one record however often the list is heard, since its id follows from the order alone.

use crate::{
    OrgCode, RecordId, date,
    pb::{SignedOrders, TaskOrder, TaskOrders},
    sign::Purpose,
    text,
};
use prost::Message;

/// Most orders in a list; older ones are closed and stand as records.
pub const MAX_ORDERS: usize = 2_000;
/// Longest title, characters.
const MAX_TITLE: usize = 100;
/// Longest demand, characters.
const MAX_DEMAND: usize = 500;

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

/// Checks one order.
///
/// # Errors
/// When a field is missing, too long, or out of order; names it.
pub fn check(order: &TaskOrder) -> Result<(), OrderError> {
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
    if order.due_on < order.given_on {
        return wrong("due_on", "完成期限早于下达日期 (due before it is given)");
    }
    if date::civil(order.given_on).is_none() || date::civil(order.due_on).is_none() {
        return wrong("due_on", "不是日期 (not a date)");
    }
    if !order.indicator.is_empty() && crate::indicator::by_code(&order.indicator).is_none() {
        return wrong("indicator", "没有此指标 (no such indicator)");
    }
    Ok(())
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
    if list.orders.len() > MAX_ORDERS {
        return Err(OrderError::Format);
    }
    list.orders.iter().try_for_each(check)?;
    Ok(list)
}

/// The record that an order becomes at a unit.
pub fn record_of(order: &TaskOrder, unit: OrgCode) -> RecordId {
    let seed = [Purpose::Orders.to_sign(&order.no.to_be_bytes()), unit.number().to_be_bytes().to_vec()].concat();
    RecordId::derived(order.given_on, &seed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
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
            TaskOrder { indicator: "K99".into(), ..order() },
        ] {
            assert!(
                matches!(read(&signed(&city, wrong.clone()), None), Err(OrderError::Order { no: 7, .. })),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn an_order_is_one_record_at_each_unit() {
        let [one, other] = [210_402_000_000, 210_403_000_000].map(|code| OrgCode::new(code).unwrap());
        assert_eq!(record_of(&order(), one), record_of(&TaskOrder { demand: "附表".into(), ..order() }, one));
        assert_ne!(record_of(&order(), one), record_of(&order(), other));
        assert_ne!(record_of(&order(), one), record_of(&TaskOrder { no: 8, ..order() }, one));
    }
}
