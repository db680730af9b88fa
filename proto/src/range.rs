//! Range-based reconciliation (the `negentropy` crate): which records differ, in log(n) messages of bounded size.
//! Invariant: an item is a pure function of a record's id and canonical bytes, so two replicas differ in an item
//! exactly where they differ in a record. What comes from the other side may be anything and never panics.

use crate::RecordId;
use negentropy::{Id, Negentropy, NegentropyStorageVector};
use std::collections::BTreeSet;

/// Largest message of a reconciliation, bytes.
pub const MAX_RANGE_BYTES: usize = 64 * 1024;
/// Most records that are repaired one by one; when more differ, everything is pulled again.
pub const MAX_DIFFERENT: usize = 16 * 1024;
/// Most messages that one side sends; bounds the work that a peer can ask for.
pub const MAX_ROUNDS: usize = 256;
/// Most ids in one [`crate::pb::Want`].
pub const MAX_WANT: usize = 1024;

/// Why a reconciliation can't go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// The other side's message is none, or is too large.
    #[error("a range that can't be read")]
    Unreadable,
    /// More than [`MAX_DIFFERENT`] records, or more than [`MAX_ROUNDS`] messages.
    #[error("too much differs to be repaired record by record")]
    TooMuch,
}

impl From<negentropy::Error> for RangeError {
    fn from(_: negentropy::Error) -> Self {
        Self::Unreadable
    }
}

/// 32 bytes that stand for a record as it is: its id, then half of the hash of id and canonical bytes.
pub fn item(id: RecordId, canonical: &[u8]) -> [u8; 32] {
    let hash = blake3::Hasher::new().update(&id.0).update(canonical).finalize();
    let mut item = [0; 32];
    item[..16].copy_from_slice(&id.0);
    item[16..].copy_from_slice(&hash.as_bytes()[..16]);
    item
}

/// The records of a scope, 40 bytes each.
#[derive(Debug, Default)]
pub struct Items(NegentropyStorageVector);

impl Items {
    /// Adds a record. Ids are UUIDv7, so the milliseconds in front order them by age: neighbours in time are
    /// neighbours in a range.
    ///
    /// # Errors
    /// Never before [`Self::into_side`].
    pub fn add(&mut self, id: RecordId, canonical: &[u8]) -> Result<(), RangeError> {
        let mut millis = [0; 8];
        millis[2..].copy_from_slice(&id.0[..6]);
        Ok(self.0.insert(u64::from_be_bytes(millis), Id::from_byte_array(item(id, canonical)))?)
    }

    fn into_side(mut self) -> Result<Side, RangeError> {
        self.0.seal()?;
        Ok(Negentropy::owned(self.0, MAX_RANGE_BYTES as u64)?)
    }
}

type Side = Negentropy<'static, NegentropyStorageVector>;

/// The side that asks and learns what differs: the child.
#[derive(Debug)]
pub struct Asker {
    side: Side,
    different: BTreeSet<RecordId>,
    rounds: usize,
}

impl Asker {
    /// Begins; returns the first message too.
    ///
    /// # Errors
    /// When the items can't be put in order.
    pub fn open(items: Items) -> Result<(Self, Vec<u8>), RangeError> {
        let mut side = items.into_side()?;
        let first = side.initiate()?;
        Ok((Self { side, different: BTreeSet::new(), rounds: 1 }, first))
    }

    /// Takes an answer; returns the next message, none when all that differs is known.
    ///
    /// # Errors
    /// When the answer can't be read, or too much differs.
    pub fn hear(&mut self, message: &[u8]) -> Result<Option<Vec<u8>>, RangeError> {
        if message.len() > 2 * MAX_RANGE_BYTES {
            return Err(RangeError::Unreadable);
        }
        let (mut have, mut need) = (Vec::new(), Vec::new());
        let next = self.side.reconcile_with_ids(message, &mut have, &mut need)?;
        let ids = have.iter().chain(&need).filter_map(|item| RecordId::from_slice(&item[..16]));
        self.different.extend(ids);
        self.rounds += 1;
        if self.different.len() > MAX_DIFFERENT || self.rounds > MAX_ROUNDS {
            return Err(RangeError::TooMuch);
        }
        Ok(next)
    }

    /// The records whose copies differ, or that one side lacks.
    pub fn into_different(self) -> BTreeSet<RecordId> {
        self.different
    }
}

/// The side that answers: the hub.
#[derive(Debug)]
pub struct Answerer {
    side: Side,
    rounds: usize,
}

impl Answerer {
    /// The side that holds these items.
    ///
    /// # Errors
    /// When the items can't be put in order.
    pub fn new(items: Items) -> Result<Self, RangeError> {
        Ok(Self { side: items.into_side()?, rounds: 0 })
    }

    /// The answer to a message.
    ///
    /// # Errors
    /// When the message can't be read, or there were too many.
    pub fn answer(&mut self, message: &[u8]) -> Result<Vec<u8>, RangeError> {
        self.rounds += 1;
        if self.rounds > MAX_ROUNDS {
            return Err(RangeError::TooMuch);
        }
        if message.len() > 2 * MAX_RANGE_BYTES {
            return Err(RangeError::Unreadable);
        }
        Ok(self.side.reconcile(message)?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Set = BTreeMap<RecordId, Vec<u8>>;

    fn items(set: &Set) -> Items {
        let mut items = Items::default();
        for (id, bytes) in set {
            items.add(*id, bytes).unwrap();
        }
        items
    }

    /// What the asker finds, the bytes on the wire, and the largest message.
    fn reconcile(child: &Set, hub: &Set) -> (Result<BTreeSet<RecordId>, RangeError>, usize, usize) {
        let mut answerer = Answerer::new(items(hub)).unwrap();
        let (mut asker, mut message) = Asker::open(items(child)).unwrap();
        let (mut bytes, mut largest) = (0, 0);
        loop {
            let answer = answerer.answer(&message).unwrap();
            bytes += message.len() + answer.len();
            largest = largest.max(message.len()).max(answer.len());
            match asker.hear(&answer) {
                Ok(Some(next)) => message = next,
                Ok(None) => return (Ok(asker.into_different()), bytes, largest),
                Err(error) => return (Err(error), bytes, largest),
            }
        }
    }

    fn numbered(number: u64) -> RecordId {
        let hash = blake3::hash(&number.to_be_bytes());
        RecordId::create(1_790_000_000_000 + number * 37, hash.as_bytes()[..10].try_into().unwrap())
    }

    proptest! {
        #[test]
        fn exactly_the_records_that_differ_are_found(
            entries in prop::collection::vec((0_u64..3_000, 0_u8..5), 0..1_500),
        ) {
            let (mut child, mut hub) = (Set::new(), Set::new());
            for (number, kind) in entries {
                let id = numbered(number);
                if kind != 0 {
                    hub.insert(id, vec![1]);
                }
                if kind != 1 {
                    child.insert(id, vec![if kind == 2 { 2 } else { 1 }]);
                }
            }
            let all: BTreeSet<RecordId> = child.keys().chain(hub.keys()).copied().collect();
            let expected: BTreeSet<RecordId> = all.into_iter().filter(|id| child.get(id) != hub.get(id)).collect();
            let (found, _, largest) = reconcile(&child, &hub);
            prop_assert_eq!(found.unwrap(), expected);
            prop_assert!(largest <= 2 * MAX_RANGE_BYTES);
        }

        #[test]
        fn whatever_the_other_side_says_is_read_or_refused(message in prop::collection::vec(any::<u8>(), 0..400)) {
            let set: Set = (0..200).map(|number| (numbered(number), vec![7])).collect();
            let (mut asker, _) = Asker::open(items(&set)).unwrap();
            let mut message = message;
            let _ = asker.hear(&message);
            message.insert(0, 0x61);
            let _ = asker.hear(&message);
            let _ = Answerer::new(items(&set)).unwrap().answer(&message);
        }
    }

    #[test]
    fn ten_of_three_hundred_thousand_are_found_with_few_bytes() {
        let hub: Set = (0..300_000).map(|number| (numbered(number), vec![1])).collect();
        let mut child = hub.clone();
        for place in 0..10 {
            child.insert(numbered(place * 29_989 + 17), vec![2]);
        }
        let (found, bytes, _) = reconcile(&child, &hub);
        println!("10 of 300000 records differ: found with {bytes} bytes");
        assert_eq!(found.unwrap().len(), 10);
        assert!(bytes < 50 * 1024, "{bytes} bytes");
    }

    #[test]
    fn a_wholly_different_register_is_not_repaired_record_by_record() {
        let hub: Set = (0..40_000).map(|number| (numbered(number), vec![1])).collect();
        let child: Set = hub.keys().map(|id| (*id, vec![2])).collect();
        let (found, _, largest) = reconcile(&child, &hub);
        assert_eq!(found, Err(RangeError::TooMuch));
        assert!(largest <= 2 * MAX_RANGE_BYTES, "{largest}");
    }
}
