//! Records after any history: the encoding is read back whole, and equal records are equal bytes.

use crate::{
    decision::{Offer, offers},
    fixture::take,
};
use proptest::{collection::vec, prelude::*};
use taizhang_proto::Record;

/// The record after some offers, one revision each.
fn after(offers: &[Offer]) -> Option<Record> {
    let mut seen = vec![None];
    let mut current: Option<Record> = None;
    for (index, offer) in offers.iter().enumerate() {
        let edit = offer.edit(&seen);
        let (_, applied) = take(current.as_ref(), &edit, index as u64 + 1, offer.node);
        current = Some(applied.record);
        seen.push(current.clone());
    }
    current
}

proptest! {
    #[test]
    fn what_is_encoded_is_read_back(offers in offers()) {
        let Some(record) = after(&offers) else { return Ok(()) };
        let bytes = record.encode();
        let read = Record::decode(bytes.clone()).unwrap();
        prop_assert_eq!(&read, &record);
        prop_assert_eq!(read.encode(), bytes);
        prop_assert_eq!(Record::from_state(record.state()).unwrap(), record.clone());
        // Every field has an origin, every origin a field, in order.
        prop_assert!(record.fields.is_sorted_by(|one, two| one.field.tag < two.field.tag));
        prop_assert!(record.origins.is_sorted_by(|one, two| one.revision < two.revision));
        prop_assert!((0..record.origins.len()).all(|origin| record.fields.iter().any(|field| field.origin == origin)));
    }

    #[test]
    fn equal_records_are_equal_bytes_and_different_ones_are_not(
        mut offers in offers(), more in vec(any::<bool>(), 1..12)
    ) {
        let one = after(&offers);
        let mut kept = more.iter().cycle();
        offers.retain(|_| *kept.next().unwrap());
        let two = after(&offers);
        let (Some(one), Some(two)) = (one, two) else { return Ok(()) };
        prop_assert_eq!(one == two, one.encode() == two.encode());
    }

    #[test]
    fn a_record_without_an_origin_for_a_field_is_refused(offers in offers()) {
        let Some(record) = after(&offers) else { return Ok(()) };
        let mut state = record.state();
        let without = state.origins.remove(0);
        let orphan = without.tags.iter().any(|tag| record.bytes(*tag).is_some());
        prop_assert_eq!(Record::from_state(state.clone()).is_err(), orphan);
        state.origins.insert(0, without.clone());
        state.origins.push(without);
        prop_assert!(Record::from_state(state).is_err());
    }
}
