//! Splitting and joining: what a build carries it gives back byte for byte, and no bytes make it panic.

use crate::fixture::{any_fields, any_value, register_def};
use bytes::Bytes;
use proptest::{collection::vec, prelude::*, sample::Index};
use prost::encoding::{WireType, encode_key, encode_varint};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use std::sync::OnceLock;
use taizhang_proto::{
    Record, RecordId,
    change::Edit,
    check, date, decide, pb,
    register::{RegisterDef, Value, pool, registers},
    wire::{self, Field},
};

/// The highest field number that protobuf allows.
const MAX_TAG: u32 = (1 << 29) - 1;

/// One occurrence of a field of any wire type but groups.
fn occurrence(tag: impl Strategy<Value = u32>) -> impl Strategy<Value = (u32, Vec<u8>)> {
    (tag, 0..4_u8, any::<u64>(), vec(any::<u8>(), 0..20)).prop_map(|(tag, kind, number, bytes)| {
        let mut out = Vec::new();
        match kind {
            0 => {
                encode_key(tag, WireType::Varint, &mut out);
                encode_varint(number, &mut out);
            }
            1 => {
                encode_key(tag, WireType::SixtyFourBit, &mut out);
                out.extend(number.to_le_bytes());
            }
            2 => {
                encode_key(tag, WireType::ThirtyTwoBit, &mut out);
                out.extend((number as u32).to_le_bytes());
            }
            _ => {
                encode_key(tag, WireType::LengthDelimited, &mut out);
                encode_varint(bytes.len() as u64, &mut out);
                out.extend(bytes);
            }
        }
        (tag, out)
    })
}

/// A register's message in tag order as its occurrences, each with its tag.
fn message_of(def: &'static RegisterDef) -> impl Strategy<Value = Vec<(u32, Vec<u8>)>> {
    any_fields(def).prop_map(|fields| {
        let mut parts = Vec::new();
        for (field, value) in fields {
            match value {
                Value::Many(values) => parts.extend(values.iter().map(|one| (field.tag, one.encode(field).to_vec()))),
                one => parts.push((field.tag, one.encode(field).to_vec())),
            }
        }
        parts
    })
}

/// The same message, read by its descriptor.
fn dynamic(def: &RegisterDef, message: &[u8]) -> DynamicMessage {
    DynamicMessage::decode(descriptor(def), message).unwrap()
}

/// A register's descriptor, always of one pool: messages of two pools are never equal.
fn descriptor(def: &RegisterDef) -> MessageDescriptor {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    POOL.get_or_init(pool).get_message_by_name(&format!("taizhang.v1.{}", def.name)).unwrap()
}

fn concat(parts: &[(u32, Vec<u8>)]) -> Bytes {
    parts.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect::<Vec<u8>>().into()
}

fn rejoin(message: &Bytes) -> Bytes {
    wire::join(wire::split(message).unwrap().iter().map(|field| &field.bytes))
}

/// A record that holds whatever bytes are offered, as a hub that does not check would hold it.
fn unchecked(register: u32, message: Bytes) -> Option<Record> {
    let change = pb::Change { record: vec![7; 16].into(), register, message, ..pb::Change::default() };
    let edit = Edit::read(change).ok()?;
    let origin = pb::Origin { revision: 1, ..pb::Origin::default() };
    Some(decide::apply(None, &edit, &decide::Decision::accepted(&edit), &origin).record)
}

proptest! {
    #[test]
    fn every_register_splits_and_joins_to_the_same_bytes(
        (def, parts) in register_def().prop_flat_map(|def| (Just(def), message_of(def)))
    ) {
        let message = concat(&parts);
        let fields = wire::split(&message).unwrap();
        prop_assert!(fields.is_sorted_by(|one, two| one.tag < two.tag));
        prop_assert_eq!(&wire::join(fields.iter().map(|field| &field.bytes)), &message);
        for field in &fields {
            let known = def.field(field.tag).unwrap();
            let value = Value::decode(known, &field.bytes).unwrap();
            prop_assert_eq!(&value.encode(known), &field.bytes);
        }
        prop_assert_eq!(dynamic(def, &rejoin(&message)), dynamic(def, &message));
    }

    #[test]
    fn unknown_fields_of_any_type_come_through_untouched(
        (parts, unknown) in (
            register_def().prop_flat_map(message_of),
            vec(occurrence(prop_oneof![60_u32..200, 200..=MAX_TAG, Just(MAX_TAG)]), 1..8),
        )
    ) {
        let mut parts = parts;
        parts.extend(unknown);
        parts.sort_by_key(|(tag, _)| *tag);
        let message = concat(&parts);
        prop_assert_eq!(rejoin(&message), message);
    }

    #[test]
    fn out_of_order_fields_are_put_in_order_once_and_mean_the_same(
        (def, parts) in register_def().prop_flat_map(|def| {
            (Just(def), (message_of(def), message_of(def)).prop_map(|(one, two)| [one, two].concat()).prop_shuffle())
        })
    ) {
        let message = concat(&parts);
        let joined = rejoin(&message);
        prop_assert_eq!(joined.len(), message.len());
        prop_assert_eq!(&rejoin(&joined), &joined);
        prop_assert_eq!(wire::split(&joined).unwrap(), wire::split(&message).unwrap());
        prop_assert_eq!(dynamic(def, &joined), dynamic(def, &message));
    }

    #[test]
    fn a_message_cut_short_is_refused_or_a_shorter_message(
        parts in register_def().prop_flat_map(message_of), cut in any::<Index>()
    ) {
        let message = concat(&parts);
        let cut = message.slice(..cut.index(message.len() + 1));
        if let Ok(fields) = wire::split(&cut) {
            prop_assert_eq!(wire::join(fields.iter().map(|field| &field.bytes)), cut);
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..120), register in 0..13_u32, tag in any::<u32>()) {
        let bytes = Bytes::from(bytes);
        if let Ok(fields) = wire::split(&bytes) {
            prop_assert_eq!(fields.iter().map(|field| field.bytes.len()).sum::<usize>(), bytes.len());
        }
        wire::occurrences(&bytes).for_each(drop);
        if let Ok(record) = Record::decode(bytes.clone()) {
            prop_assert_eq!(Record::decode(record.encode()).unwrap(), record);
        }
        let state = pb::RecordState {
            register,
            message: bytes.clone(),
            origins: vec![pb::Origin { revision: 3, tags: vec![tag, 20], ..pb::Origin::default() }],
            changes: 1,
            created: 0,
        };
        let _refused_or_read = Record::from_state(state);
        let change = pb::Change {
            record: bytes.slice(..bytes.len().min(16)),
            register,
            message: bytes.clone(),
            cleared: vec![tag, 21],
            bases: vec![pb::FieldBase { tag, revision: 9, ..pb::FieldBase::default() }],
            ..pb::Change::default()
        };
        let _refused_or_read = Edit::read(change);
        for field in registers().iter().flat_map(|def| &def.fields) {
            if let Some(value) = Value::decode(field, &bytes) {
                let _shown = value.show(field);
            }
        }
    }

    #[test]
    fn check_answers_for_any_fields_of_any_wire_type(
        (def, known, strange) in register_def().prop_flat_map(|def| {
            let tags = def.fields.last().unwrap().tag + 3;
            (Just(def), any_fields(def), vec(occurrence(1..tags), 0..4))
        })
    ) {
        let mut message: Vec<u8> = known.iter().flat_map(|(field, value)| value.encode(field)).collect();
        message.extend(strange.into_iter().flat_map(|(_, bytes)| bytes));
        let Some(record) = unchecked(def.number, message.into()) else { return Ok(()) };
        let edited: Vec<u32> = record.fields.iter().map(|standing| standing.field.tag).collect();
        let today = date::ymd(2008, 3, 20).unwrap();
        let found = check::check(&record, None, edited.iter().copied(), today);
        // What was found sound by itself needs no second look in its record, and nothing else passes so.
        let fields = || record.fields.iter().map(|standing| &standing.field);
        if check::are_sound(def.number, fields()) {
            prop_assert_eq!(&found, &check::check_beside(&record, None, edited.iter().copied(), today, true));
        } else {
            prop_assert!(!found.is_empty());
        }
        if found.is_empty() {
            for standing in &record.fields {
                if let Some(field) = def.field(standing.field.tag) {
                    prop_assert!(Value::decode(field, &standing.field.bytes).is_some(), "{} passed but can't be shown", field.name);
                }
            }
        }
    }

    #[test]
    fn each_field_that_passes_check_can_be_shown_and_read_as_its_type(
        (def, index, bytes, packed) in register_def().prop_flat_map(|def| {
            (Just(def), any::<Index>(), any::<Index>(), vec(any::<u8>(), 0..12)).prop_flat_map(|(def, index, _, packed)| {
                let field = &def.fields[index.index(def.fields.len())];
                (Just(def), Just(index), any_value(field), Just(packed))
            })
        })
    ) {
        let field = &def.fields[index.index(def.fields.len())];
        let mut as_bytes = Vec::new();
        wire::put_bytes(field.tag, &packed, &mut as_bytes);
        for bytes in [bytes.encode(field), as_bytes.into()] {
            let Some(record) = unchecked(def.number, bytes.clone()) else { continue };
            let today = date::ymd(2008, 3, 20).unwrap();
            let faults = check::check(&record, None, std::iter::once(field.tag), today);
            if faults.iter().all(|fault| fault.field != field.name || fault.rule == "required") {
                prop_assert!(Value::decode(field, &bytes).is_some(), "{}.{} passed but can't be shown", def.name, field.name);
                prop_assert!(DynamicMessage::decode(descriptor(def), bytes).is_ok());
            }
        }
    }
}

#[test]
fn a_cleared_field_is_no_bytes_in_the_message() {
    let fields = [Field { tag: 3, bytes: Bytes::new() }, Field { tag: 4, bytes: Bytes::from_static(&[0x20, 2]) }];
    assert_eq!(wire::join(fields.iter().map(|field| &field.bytes)), Bytes::from_static(&[0x20, 2]));
    let id = RecordId([1; 16]);
    let cleared = Edit::read(pb::Change {
        record: Bytes::copy_from_slice(&id.0),
        register: 1,
        cleared: vec![3],
        ..pb::Change::default()
    });
    assert!(cleared.unwrap().field(3).unwrap().bytes.is_empty());
}

#[test]
fn packed_scores_that_are_no_numbers_are_refused() {
    let field = registers().named("facility").unwrap().field_named("three_score").unwrap();
    let broken: [&[u8]; 3] = [&[0xff], &[90, 0x80], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]];
    for packed in broken {
        let mut bytes = Vec::new();
        wire::put_bytes(field.tag, packed, &mut bytes);
        let record = unchecked(7, bytes.into()).unwrap();
        let faults = check::check(&record, None, std::iter::once(field.tag), 14_000);
        assert!(faults.iter().any(|fault| fault.field == field.name), "{packed:?} passed");
    }
}
