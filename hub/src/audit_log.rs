//! 操作日志: who ruled, decided, exported, looked at names, enrolled and retired at this hub, in the order of the acts; read by
//! whoever answers for the district's data.
//! Invariants: an act of the writer stands in the log in the very commit that does it, what is done to files, and the city's
//! orders, right after; no line is
//! ever changed or taken out; a line says who, where, when and at what, and nothing that is in a record.

use crate::store::{Space, StoreError, View, WriteSet};
use prost::Message;
use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU32, Ordering},
};
use taizhang_node::caller::Role;

/// Before an entry's time. The first entries of these were looks at names alone.
const ENTRY: &[u8] = b"look-";

/// One act, or one look at names.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Entry {
    /// When, seconds since 1970 by the hub's clock.
    #[prost(uint64, tag = "1")]
    pub at: u64,
    /// Who, by the name that they gave; empty where the command does not ask for one.
    #[prost(string, tag = "2")]
    pub by: String,
    /// By which command.
    #[prost(string, tag = "3")]
    pub what: String,
    /// At what: a record's or a computer's id, a conflict's number, or a register and a unit.
    #[prost(string, tag = "4")]
    pub of: String,
    /// The unit where they sit; 0 of a look of before units were kept.
    #[prost(uint64, tag = "5")]
    pub unit: u64,
    /// As what they acted.
    #[prost(enumeration = "Role", tag = "6")]
    pub role: i32,
    /// Why, of what is done to computers, units and months; of what is done to a record, its history says it.
    #[prost(string, tag = "7")]
    pub reason: String,
}

/// How many entries this program has put.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// Puts an entry.
pub(crate) fn put(set: &mut WriteSet, entry: &Entry) {
    // Those of one second lie in their order; of a program that was started anew within it, none over another.
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let key = [ENTRY, &entry.at.to_be_bytes(), &count.to_be_bytes(), &rand::random::<[u8; 4]>()].concat();
    set.put(Space::Documents, key, entry.encode_to_vec());
}

/// The newest entries that are wanted, the last one first.
///
/// # Errors
/// When the store fails.
pub(crate) fn newest(
    view: &dyn View,
    limit: usize,
    is_wanted: impl Fn(&Entry) -> bool,
) -> Result<Vec<Entry>, StoreError> {
    let mut newest = VecDeque::new();
    for row in view.prefix(Space::Documents, ENTRY) {
        let entry = Entry::decode(row?.1).map_err(|_| StoreError::Row(Space::Documents))?;
        if is_wanted(&entry) {
            newest.push_front(entry);
            newest.truncate(limit);
        }
    }
    Ok(newest.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{engine::FjallStore, store::Store};

    #[test]
    fn what_was_done_in_one_second_stands_in_its_order() {
        let dir = tempfile::tempdir().unwrap();
        let store = FjallStore::open(&dir.path().join("store")).unwrap();
        let mut set = WriteSet::default();
        for number in 0..40_u32 {
            put(&mut set, &Entry { at: 7, of: number.to_string(), ..Entry::default() });
        }
        put(&mut set, &Entry { at: 6, of: "before".into(), ..Entry::default() });
        store.commit(set).unwrap();
        let of = |limit| -> Vec<String> {
            newest(store.view().as_ref(), limit, |_| true).unwrap().into_iter().map(|entry| entry.of).collect()
        };
        assert_eq!(of(3), ["39", "38", "37"]);
        assert_eq!((of(100).len(), of(100).last().map(String::as_str)), (41, Some("before")));
    }
}
