//! The city's list of orders as a hub holds it, and what an entry of it becomes at a unit.
//! Invariant: the list that stands is the newest that the city signed.

use super::Core;
use crate::store::{Space, StoreError, View};
use bytes::Bytes;
use prost::Message;
use taizhang_proto::{
    OrgCode, Record, month,
    pb::{self, SignedOrders, TaskOrder, TaskOrders},
    register::{HOME_UNIT, field, number},
    wire::{self, Field},
};

/// The list's name among the documents.
pub(crate) const DOCUMENT: &[u8] = b"orders";
/// Before a version: the short digest of the list that the city signed under it.
const PAST: &[u8] = b"orders-past-";
/// The list that stands in a store, as it goes down, under its version; none before the city has given a task.
///
/// # Errors
/// When the store fails.
pub(crate) fn read(view: &dyn View) -> Result<Option<(u64, Bytes)>, StoreError> {
    let Some(list) = view.get(Space::Documents, DOCUMENT)? else { return Ok(None) };
    Ok(Some((decode(&list)?.version, list)))
}

/// Where the short digest of the list under a version is kept: of what the city once signed, it knows what it lost.
pub(crate) fn past_key(version: u64) -> Vec<u8> {
    [PAST, &version.to_be_bytes()].concat()
}

/// The short digest of a list's text.
///
/// # Errors
/// When it is none.
pub(crate) fn short_digest(list: &Bytes) -> Result<Vec<u8>, StoreError> {
    let signed = SignedOrders::decode(list.clone()).map_err(|_| StoreError::Row(Space::Documents))?;
    Ok(month::short_digest(&signed.text))
}

/// What a list says.
///
/// # Errors
/// When it can't be read.
pub(crate) fn decode(list: &Bytes) -> Result<TaskOrders, StoreError> {
    let signed = SignedOrders::decode(list.clone()).map_err(|_| StoreError::Row(Space::Documents))?;
    TaskOrders::decode(signed.text).map_err(|_| StoreError::Row(Space::Documents))
}

/// The orders as they stand at a hub.
///
/// # Errors
/// When the list can't be read.
pub fn standing(core: &Core) -> Result<TaskOrders, StoreError> {
    core.orders().map_or(Ok(TaskOrders::default()), |(_, list)| decode(&list))
}

/// The list for a child hub that knows an older one, as a document.
pub(crate) fn newer(core: &Core, known: u64) -> Option<pb::Document> {
    let (version, content) = core.orders().filter(|(version, _)| *version > known)?;
    Some(pb::Document { kind: "orders".into(), version, content })
}

/// The fields of an entry with what the hub adds: whose it is, and of a pairing, which waits for a household, its number.
pub(crate) fn with_place(order: &TaskOrder, unit: OrgCode, mut fields: Vec<Field>) -> Vec<Field> {
    let field = |tag, value| {
        let mut bytes = Vec::new();
        wire::put_varint(tag, value, &mut bytes);
        Field { tag, bytes: bytes.into() }
    };
    fields.insert(0, field(HOME_UNIT, unit.number()));
    fields.extend((order.register == number::PAIRING).then(|| field(field::pairing::ORDER_NO, order.no.into())));
    fields
}

/// The record that an entry of the city becomes at a unit.
pub(crate) fn entered(order: &TaskOrder, unit: OrgCode, fields: Vec<Field>) -> Record {
    let mut record = Record { register: order.register, ..Record::default() };
    record.set(with_place(order, unit, fields), pb::Origin { revision: u64::MAX, ..pb::Origin::default() });
    record
}
