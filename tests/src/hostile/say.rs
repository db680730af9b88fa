//! Messages that are in order: greetings, batches of changes, cells, letters, marks, documents.
//! Invariant: each is what an honest child of this build might say, so what a test changes in it is the only lie.

use crate::{books, synth::City};
use bytes::Bytes;
use prost::Message;
use taizhang_node::{desk::Draft, upstream};
use taizhang_proto::{
    OrgCode, Record, RecordId, change,
    date::{self, Day},
    pb::{self, LetterKind},
    register::{Value, registers},
    session::PROTOCOL_MAX,
    stamp::Stamp,
    wire::Field,
};

/// A greeting.
pub fn hello() -> pb::Hello {
    pb::Hello {
        protocol_min: PROTOCOL_MAX,
        protocol_max: PROTOCOL_MAX,
        software: "by hand".into(),
        incarnation: vec![7; 16].into(),
        scope_digest: vec![0; 32].into(),
        ..pb::Hello::default()
    }
}

/// A list as it travels: its size and its zstd.
pub fn pack(message: &impl Message) -> (u32, Bytes) {
    let raw = message.encode_to_vec();
    (raw.len() as u32, upstream::compress(&raw).unwrap())
}

/// A batch of changes whose first has this number.
pub fn push(first: u64, changes: &[pb::Change]) -> pb::Push {
    let list = pb::ChangeList { changes: changes.iter().map(|change| change.encode_to_vec().into()).collect() };
    let (raw_len, packed) = pack(&list);
    let last = first + changes.len() as u64 - 1;
    pb::Push { first, last, changes: packed, raw_len, ..pb::Push::default() }
}

/// A hub's batch of cells that reaches revision `last` of its own.
pub fn cells(last: u64, cells: Vec<pb::CellValue>) -> pb::Push {
    let (raw_len, packed) = pack(&pb::CellList { cells });
    pb::Push { first: last, last, cells: packed, raw_len, ..pb::Push::default() }
}

/// One cell of a unit.
pub fn cell(unit: OrgCode, part: u32, date: Day, value: i64) -> pb::CellValue {
    pb::CellValue { unit: unit.number(), part, date, value }
}

/// A letter from one hub to another, about a transfer; `serial` makes its id.
pub fn letter(kind: LetterKind, (from, to): (OrgCode, OrgCode), serial: u8, revision: u64) -> pb::Letter {
    pb::Letter {
        id: vec![serial; 16].into(),
        from: from.number(),
        to: to.number(),
        kind: kind.into(),
        transfer: vec![serial; 16].into(),
        revision,
        ..pb::Letter::default()
    }
}

/// A blinded mark.
pub fn mark(serial: u8, gone: bool) -> pb::MarkValue {
    pb::MarkValue { generation: 1, kind: 1, mark: vec![serial; 16].into(), gone, since: 1, ..pb::MarkValue::default() }
}

/// A document.
pub fn document(kind: &str, version: u64, content: impl Into<Bytes>) -> pb::Document {
    pb::Document { kind: kind.to_owned(), version, content: content.into() }
}

/// A form as a change, based on what `seen` holds, saved now.
pub fn change(draft: &Draft, seen: Option<&Record>) -> pb::Change {
    change_at(draft, seen, now())
}

/// The same, saved at a time.
pub fn change_at(draft: &Draft, seen: Option<&Record>, millis: u64) -> pb::Change {
    let def = registers().get(draft.register).unwrap();
    let mut fields: Vec<(Field, u64)> = draft
        .edits
        .iter()
        .map(|(tag, value)| {
            let bytes = value.as_ref().map(|value| value.encode(def.field(*tag).unwrap())).unwrap_or_default();
            (Field { tag: *tag, bytes }, seen.map_or(0, |record| record.revision_of(*tag)))
        })
        .collect();
    fields.sort_by_key(|(field, _)| field.tag);
    change::write(draft.id, draft.register, &fields, Stamp::at_millis(millis), "mallory")
}

/// A new resident of a unit, as a change.
pub fn resident(seed: u64, unit: OrgCode) -> (RecordId, pb::Change) {
    let id = RecordId::create(now(), [seed as u8; 10]);
    let draft = City::new(seed, date::shanghai(now())).person(unit, id);
    (id, change(&draft, None))
}

/// One field of a resident, as a change.
pub fn edit(id: RecordId, field: &str, value: Value, seen: Option<&Record>) -> pb::Change {
    change(&books::edit(id, field, value), seen)
}

/// Milliseconds since 1970.
pub fn now() -> u64 {
    taizhang_node::ledger::system_clock()()
}
