//! Who looked at whose names: kept in the order of the looks, read by whoever answers for the district's data.
//! Invariant: a line says who, when, by which command and at which record or register, and nothing that is in them.

use crate::store::{Space, StoreError, View, WriteSet};
use prost::Message;
use std::collections::VecDeque;

/// Before a look's number: the look.
const LOOK: &[u8] = b"look-";

/// One look.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Look {
    /// When, seconds since 1970.
    #[prost(uint64, tag = "1")]
    pub at: u64,
    /// Who.
    #[prost(string, tag = "2")]
    pub by: String,
    /// By which command.
    #[prost(string, tag = "3")]
    pub what: String,
    /// At what: a record's id, or a register and a unit.
    #[prost(string, tag = "4")]
    pub of: String,
}

/// Puts a look.
pub(crate) fn put_look(set: &mut WriteSet, look: &Look) {
    // Two looks of one second are two rows.
    let key = [LOOK, &look.at.to_be_bytes(), &rand::random::<[u8; 8]>()].concat();
    set.put(Space::Documents, key, look.encode_to_vec());
}

/// The newest looks, the last one first.
pub(super) fn newest(view: &dyn View, limit: usize) -> Result<Vec<Look>, StoreError> {
    let mut newest = VecDeque::new();
    for row in view.prefix(Space::Documents, LOOK) {
        newest.push_front(Look::decode(row?.1).map_err(|_| StoreError::Row(Space::Documents))?);
        newest.truncate(limit);
    }
    Ok(newest.into())
}
