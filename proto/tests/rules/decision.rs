//! The hub's decisions: nothing offered is ever lost, and no clock decides whether edits were concurrent.

use crate::fixture::{NOW, community, edit, id_of, origin, take};
use bytes::Bytes;
use proptest::{collection::vec, prelude::*, sample::Index};
use std::collections::BTreeMap;
use taizhang_proto::{
    Record,
    change::Edit,
    decide::{self, Decision, Fate},
    pb,
    record::Revision,
    register::number,
    stamp::Stamp,
    wire::{self, Field},
};

/// An edit about to be offered: which state its author saw is drawn when it is, by [`Offer::edit`].
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) node: u32,
    /// Tag to text; empty clears the field.
    values: BTreeMap<u32, String>,
    /// Picks the state that the author saw, of all so far; none: the newest.
    saw: Option<Index>,
    stamp: Stamp,
}

impl Offer {
    /// The edit of an author who saw one of these states.
    pub(crate) fn edit(&self, states: &[Option<Record>]) -> Edit {
        let saw = self.saw.map_or(states.len() - 1, |index| index.index(states.len()));
        let base = |tag| states[saw].as_ref().map_or(0, |record| record.revision_of(tag));
        self.edit_on(base)
    }

    fn edit_on(&self, base: impl Fn(u32) -> Revision) -> Edit {
        let fields = self.values.iter().map(|(tag, text)| {
            let mut bytes = Vec::new();
            if !text.is_empty() {
                wire::put_bytes(*tag, text.as_bytes(), &mut bytes);
            }
            (Field { tag: *tag, bytes: bytes.into() }, base(*tag))
        });
        edit(id_of(number::RESIDENT, 0), number::RESIDENT, fields.collect(), self.stamp)
    }
}

/// Edits of one record by several nodes: few tags and few values, so that they meet; some tags unknown to this build.
pub(crate) fn offers() -> impl Strategy<Value = Vec<Offer>> {
    let tag = prop_oneof![Just(23_u32), Just(28), Just(29), Just(34), Just(4_000), Just((1 << 29) - 1)];
    let value = prop_oneof![Just(String::new()), Just("甲".to_owned()), Just("乙".to_owned()), "[a-z]{1,4}"];
    let values = prop::collection::btree_map(tag, value, 1..4);
    let stamp = (0..20_u64).prop_map(|step| Stamp(NOW.0 - (10 << 16) + (step << 16)));
    let stamp = prop_oneof![stamp, Just(Stamp(0)), Just(Stamp(u64::MAX))];
    let offer = (1..4_u32, values, prop::option::of(any::<Index>()), stamp)
        .prop_map(|(node, values, saw, stamp)| Offer { node, values, saw, stamp });
    vec(offer, 1..14)
}

/// What came of one offered value.
struct Offered {
    revision: Revision,
    field: Field,
    fate: Fate,
}

/// Whether the history holds this value as the change of this revision offered it.
fn in_history(history: &[pb::Superseded], revision: Revision, field: &Field) -> bool {
    history.iter().any(|entry| {
        let own = entry.origin.as_ref().unwrap();
        if own.revision != revision || !own.tags.contains(&field.tag) {
            return false;
        }
        let kept = wire::split(&entry.message).unwrap();
        let bytes = kept.into_iter().find(|kept| kept.tag == field.tag).map(|kept| kept.bytes).unwrap_or_default();
        bytes == field.bytes
    })
}

fn is_concurrent(fate: &Fate) -> bool {
    matches!(fate, Fate::Won(_) | Fate::Lost(_))
}

proptest! {
    #[test]
    fn every_value_ever_offered_stands_or_is_in_the_history(offers in offers()) {
        let mut states: Vec<Option<Record>> = vec![None];
        let mut history = Vec::new();
        let mut offered: Vec<Offered> = Vec::new();
        for (index, offer) in offers.iter().enumerate() {
            let current = states.last().unwrap().clone();
            let revision = index as u64 + 1;
            let edit = offer.edit(&states);
            let (decision, applied) = take(current.as_ref(), &edit, revision, offer.node);
            prop_assert_eq!(decision.changes_record(), current.as_ref() != Some(&applied.record) && !applied.record.fields.is_empty());
            for (field, fate) in edit.fields.iter().zip(&decision.fates) {
                if *fate == Fate::Equal {
                    let standing = current.as_ref().unwrap().standing(field.tag).unwrap();
                    prop_assert_eq!(&standing.field, field);
                }
                offered.push(Offered { revision, field: field.clone(), fate: fate.clone() });
            }
            for entry in &applied.superseded {
                prop_assert_eq!(entry.replaced_by, revision);
                prop_assert!(!entry.origin.as_ref().unwrap().tags.is_empty());
            }
            history.extend(applied.superseded);
            states.push(Some(applied.record));
        }
        let record = states.last().unwrap().as_ref().unwrap();
        for Offered { revision, field, fate } in offered {
            let stands = record.revision_of(field.tag) == revision
                && record.standing(field.tag).is_some_and(|standing| standing.field == field);
            let kept = in_history(&history, revision, &field);
            prop_assert!(
                match fate {
                    Fate::Equal => !stands && !kept,
                    Fate::Lost(_) | Fate::Joined(_) | Fate::Opened(_) => !stands && kept,
                    Fate::Accepted | Fate::Won(_) => stands != kept,
                },
                "{field:?} of revision {revision}: {fate:?}, stands {stands}, kept {kept}"
            );
        }
    }

    #[test]
    fn the_same_edit_meets_the_same_decision(offers in offers()) {
        let mut states: Vec<Option<Record>> = vec![None];
        for (index, offer) in offers.iter().enumerate() {
            let current = states.last().unwrap().clone();
            let edit = offer.edit(&states);
            let first = take(current.as_ref(), &edit, index as u64 + 1, offer.node);
            let read_again = current.as_ref().map(|record| Record::decode(record.encode()).unwrap());
            let second = take(read_again.as_ref(), &edit, index as u64 + 1, offer.node);
            prop_assert_eq!(&first, &second);
            states.push(Some(first.1.record));
        }
    }

    #[test]
    fn an_author_who_saw_what_stands_is_always_accepted(offers in offers(), last in offers()) {
        let mut states: Vec<Option<Record>> = vec![None];
        for (index, offer) in offers.iter().enumerate() {
            let edit = offer.edit(&states);
            let (_, applied) = take(states.last().unwrap().as_ref(), &edit, index as u64 + 1, offer.node);
            states.push(Some(applied.record));
        }
        let current = states.last().unwrap().as_ref();
        for mut offer in last {
            offer.saw = None;
            prop_assert!(decide::decide(current, &offer.edit(&states), community(offer.node)).is_plain());
        }
    }

    #[test]
    fn clocks_choose_a_winner_but_never_whether_edits_were_concurrent(
        offers in offers(), stamps in vec(any::<u64>(), 14), now in any::<u64>()
    ) {
        let mut states: Vec<Option<Record>> = vec![None];
        for (index, (offer, stamp)) in offers.iter().zip(stamps).enumerate() {
            let current = states.last().unwrap().clone();
            let edit = offer.edit(&states);
            let (decision, applied) = take(current.as_ref(), &edit, index as u64 + 1, offer.node);
            let mut other_clock = edit.clone();
            other_clock.stamp = Stamp(stamp);
            // A hub's clock of the next centuries; beyond them milliseconds would not fit their 48 bits.
            other_clock.stamp = other_clock.stamp.believed(Stamp(now >> 1), 0);
            let other = decide::decide(current.as_ref(), &other_clock, community(offer.node));
            for (one, two) in decision.fates.iter().zip(&other.fates) {
                prop_assert!(one == two || (is_concurrent(one) && is_concurrent(two)), "{:?} and {:?}", one, two);
            }
            states.push(Some(applied.record));
        }
    }

    #[test]
    fn a_plain_answer_lets_the_author_reach_the_same_bytes_alone(offers in offers()) {
        let mut states: Vec<Option<Record>> = vec![None];
        for (index, offer) in offers.iter().enumerate() {
            let current = states.last().unwrap().clone();
            let revision = index as u64 + 1;
            let mut edit = offer.edit(&states);
            edit.stamp = edit.stamp.believed(NOW, 0);
            let (decision, at_hub) = take(current.as_ref(), &edit, revision, offer.node);
            if decision.is_plain() {
                let at_node = current.as_ref().map(|record| Record::decode(record.encode()).unwrap());
                let at_node = decide::apply(
                    at_node.as_ref(), &edit, &Decision::accepted(&edit), &origin(&edit, revision, offer.node),
                );
                prop_assert_eq!(at_node.record.encode(), at_hub.record.encode());
                prop_assert_eq!(&at_node.superseded, &at_hub.superseded);
            }
            states.push(Some(at_hub.record));
        }
    }

    #[test]
    fn edits_of_different_fields_all_stand_in_any_order(
        (tags, order) in Just((20..50_u32).collect::<Vec<_>>()).prop_shuffle().prop_flat_map(|tags| {
            (Just(tags.clone()), Just(tags).prop_shuffle())
        })
    ) {
        let standing = |tags: &[u32]| {
            let mut record: Option<Record> = None;
            for (index, tag) in tags.iter().enumerate() {
                let values = BTreeMap::from([(*tag, format!("v{tag}"))]);
                let offer = Offer { node: *tag, values, saw: None, stamp: NOW };
                let (decision, applied) = take(record.as_ref(), &offer.edit_on(|_| 0), index as u64 + 1, *tag);
                assert!(decision.is_plain());
                record = Some(applied.record);
            }
            record.map_or_else(Bytes::new, |record| record.message())
        };
        prop_assert_eq!(standing(&tags), standing(&order));
    }
}

#[test]
fn an_office_clock_years_ahead_does_not_win_for_ever() {
    let write = |text: &str, node, stamp| {
        let values = BTreeMap::from([(29, text.to_owned())]);
        Offer { node, values, saw: None, stamp }
    };
    let first = write("1111111", 1, NOW).edit_on(|_| 0);
    let (_, first) = take(None, &first, 1, 1);
    let far = write("2222222", 2, Stamp(u64::MAX));
    let (decision, lost) = take(Some(&first.record), &far.edit_on(|_| 0), 2, 2);
    assert_eq!(decision.fates, [Fate::Lost(pb::Policy::Latest)], "believed to be now, a tie, and what stands wins");
    assert_eq!(lost.record, first.record);
    let (decision, stands) = take(Some(&first.record), &far.edit_on(|_| 1), 2, 2);
    assert!(decision.is_plain(), "its author had seen what stands");
    let later = write("3333333", 3, Stamp(NOW.0 + (1 << 16))).edit_on(|_| 1);
    let (decision, _) = take(Some(&stands.record), &later, 3, 3);
    assert_eq!(decision.fates, [Fate::Won(pb::Policy::Latest)]);
}
