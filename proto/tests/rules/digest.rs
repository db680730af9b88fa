//! Digests of a scope: a sum, whatever the order in which a replica wrote.

use proptest::{collection::vec, prelude::*};
use taizhang_proto::{
    RecordId,
    digest::{Item, LogDigest, ScopeDigest},
};

fn items() -> impl Strategy<Value = Vec<Item>> {
    vec((any::<[u8; 16]>(), vec(any::<u8>(), 0..20)), 0..12)
        .prop_map(|items| items.iter().map(|(id, bytes)| Item::record(RecordId(*id), bytes)).collect())
}

/// Any 256-bit sum, often one whose carries run through.
fn digest() -> impl Strategy<Value = ScopeDigest> {
    vec(prop_oneof![Just(0_u8), Just(0xff), any::<u8>()], 32).prop_map(|bytes| ScopeDigest::from_slice(&bytes).unwrap())
}

fn sum(items: &[Item]) -> ScopeDigest {
    let mut digest = ScopeDigest::default();
    for item in items {
        digest.add(*item);
    }
    digest
}

proptest! {
    #[test]
    fn the_order_of_writes_does_not_matter(
        (one, two) in items().prop_flat_map(|items| (Just(items.clone()), Just(items).prop_shuffle()))
    ) {
        prop_assert_eq!(sum(&one), sum(&two));
    }

    #[test]
    fn adding_and_removing_cancel_out(start in digest(), items in items()) {
        let mut digest = start;
        for item in &items {
            digest.add(*item);
        }
        for item in &items {
            digest.remove(*item);
        }
        prop_assert_eq!(digest, start);
        // Removing first wraps below zero and comes back.
        for item in &items {
            digest.remove(*item);
        }
        for item in items.iter().rev() {
            digest.add(*item);
        }
        prop_assert_eq!(digest, start);
    }

    #[test]
    fn sums_commute_and_associate(a in digest(), b in digest(), c in digest()) {
        prop_assert_eq!(a.plus(b), b.plus(a));
        prop_assert_eq!(a.plus(b).plus(c), a.plus(b.plus(c)));
        prop_assert_eq!(a.plus(ScopeDigest::default()), a);
    }

    #[test]
    fn two_scopes_together_are_the_sum_of_their_digests(one in items(), two in items()) {
        prop_assert_eq!(sum(&one).plus(sum(&two)), sum(&[one, two].concat()));
    }

    #[test]
    fn a_digest_survives_its_bytes(digest in digest()) {
        prop_assert_eq!(ScopeDigest::from_slice(&digest.to_bytes()), Some(digest));
    }

    #[test]
    fn the_log_digest_tells_orders_apart(one in vec(any::<u8>(), 0..8), two in vec(any::<u8>(), 0..8)) {
        prop_assume!(one != two);
        let start = LogDigest::default();
        prop_assert_ne!(start.then(&one).then(&two), start.then(&two).then(&one));
    }
}

#[test]
fn a_digest_differs_when_a_value_or_an_id_does() {
    let (one, two) = (RecordId([1; 16]), RecordId([2; 16]));
    assert_ne!(Item::record(one, b"a"), Item::record(one, b"b"));
    assert_ne!(Item::record(one, b"a"), Item::record(two, b"a"));
    assert_ne!(Item::cell(b"key", 1), Item::cell(b"key", -1));
}
