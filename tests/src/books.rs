//! Registers of the tests: synthetic offices, forms as clerks fill them in, and records read back.
//! Invariant: everything goes in through an office's desk, as a program's does. What can't be done is a broken test, so
//! nothing here returns an error.

#![allow(clippy::unwrap_used)]

use crate::{synth::City, town};
use std::collections::HashMap;
use taizhang_hub::{
    hub::Hub,
    store::{SPACES, Space},
};
use taizhang_node::{
    desk::{Desk, Draft},
    ledger::{Ledger, LedgerDesk},
};
use taizhang_proto::{
    Record, RecordId, cell, citizen_id, date,
    date::Day,
    register::{FieldDef, Value, number, registers},
};

/// Writes a synthetic office of so many persons; returns its residents.
pub fn fill(ledger: &Ledger, seed: u64, persons: usize) -> Vec<RecordId> {
    fill_for(ledger, ledger.unit(), seed, persons)
}

/// The same for a unit below the office.
pub fn fill_for(ledger: &Ledger, unit: taizhang_proto::OrgCode, seed: u64, persons: usize) -> Vec<RecordId> {
    let desk = LedgerDesk::new(ledger);
    let mut groups = City::new(seed, ledger.business_day()).office(unit, persons, &mut || desk.new_id());
    // A community has one case at a time; of what is written on top of an earlier office it is left out.
    let its_case = |record: &Record| cell::home_unit(record) == Some(unit);
    if desk.list(number::FEC_CASE).unwrap().iter().any(|(_, record)| its_case(record)) {
        groups.retain(|group| group.iter().all(|draft| draft.register != number::FEC_CASE));
    }
    let residents = town::residents(&groups).collect();
    town::write(ledger, groups, |_| {}).unwrap();
    residents
}

/// A form with fields as a clerk writes them, by their names; an empty one is cleared.
pub fn form(register: u32, id: RecordId, fields: &[(&str, &str)]) -> Draft {
    let mut draft = Draft::new(id, register);
    for (name, written) in fields {
        let field = field(register, name);
        let value = (!written.is_empty()).then(|| Value::parse(field, written).unwrap().0);
        draft.edits.push((field.tag, value));
    }
    draft
}

/// Enters a new record; returns its id.
pub fn enter(ledger: &Ledger, register: u32, fields: &[(&str, &str)]) -> RecordId {
    let id = LedgerDesk::new(ledger).new_id();
    save(ledger, form(register, id, fields));
    id
}

/// Edits fields of a record that the office sees.
pub fn amend(ledger: &Ledger, id: RecordId, fields: &[(&str, &str)]) {
    let register = ledger.view(id).unwrap().unwrap().register;
    save(ledger, form(register, id, fields));
}

/// A field of a register.
pub fn field(register: u32, name: &str) -> &'static FieldDef {
    let def = registers().get(register).unwrap();
    def.field_named(name).unwrap_or_else(|| panic!("{} has no field {name}", def.name))
}

/// The valid id number of the nth person born in this district on this day.
pub fn id_no(born: Day, nth: usize) -> String {
    let digits = format!("210402{}{nth:03}", date::iso(born).replace('-', ""));
    let last = citizen_id::check_character(digits.as_bytes()).unwrap();
    format!("{digits}{}", char::from(last))
}

/// Saves one form.
pub fn save(ledger: &Ledger, draft: Draft) {
    for answer in LedgerDesk::new(ledger).save(vec![vec![draft]], "test") {
        answer.unwrap();
    }
}

/// What an office's desk says to a form that breaks a rule: a new record, or an edit of one that the office sees.
pub fn refused(ledger: &Ledger, register: u32, id: Option<RecordId>, fields: &[(&str, &str)]) -> String {
    let desk = LedgerDesk::new(ledger);
    let draft = form(register, id.unwrap_or_else(|| desk.new_id()), fields);
    let answer = desk.save(vec![vec![draft]], "test").pop().unwrap();
    answer.expect_err("the desk refuses this").to_string()
}

/// The tag of a resident's field.
pub fn tag(field: &str) -> u32 {
    registers().get(number::RESIDENT).unwrap().field_named(field).unwrap().tag
}

/// A form that sets one field of a resident.
pub fn edit(id: RecordId, field: &str, value: Value) -> Draft {
    Draft::new(id, number::RESIDENT).with(tag(field), value)
}

/// A field as people read it; empty when it is not there.
pub fn shown(record: &Record, field: &str) -> String {
    let def = self::field(record.register, field);
    record.bytes(def.tag).and_then(|bytes| Value::decode(def, bytes)).map(|value| value.show(def)).unwrap_or_default()
}

/// All records of a hub.
pub fn records_at(hub: &Hub) -> HashMap<RecordId, Record> {
    let view = hub.core.view();
    let rows = view.prefix(Space::Records, &[]).map(Result::unwrap);
    rows.map(|(key, value)| (RecordId::from_slice(&key).unwrap(), Record::decode(value).unwrap())).collect()
}

/// Every key and value of a hub's store, unpacked.
pub fn rows_at(hub: &Hub) -> Vec<u8> {
    let view = hub.core.view();
    let rows = SPACES.iter().flat_map(|space| view.prefix(*space, &[]));
    rows.flat_map(|row| row.map(|(key, value)| [key.to_vec(), vec![0], value.to_vec(), vec![0]].concat()).unwrap())
        .collect()
}

/// All records of an office, as it sees them.
pub fn records_of(ledger: &Ledger) -> HashMap<RecordId, Record> {
    let desk = LedgerDesk::new(ledger);
    registers().iter().flat_map(|def| desk.list(def.number).unwrap()).collect()
}
