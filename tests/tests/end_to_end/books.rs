//! Registers of the tests: synthetic offices, and records read back.

use std::collections::HashMap;
use taizhang_hub::{hub::Hub, store::Space};
use taizhang_node::{
    desk::{Desk, Draft},
    ledger::{Ledger, LedgerDesk},
};
use taizhang_proto::{
    Record, RecordId,
    register::{Value, number, registers},
};
use taizhang_tests::{synth::City, town};

/// Writes a synthetic office of so many persons; returns its residents.
pub(crate) fn fill(ledger: &Ledger, seed: u64, persons: usize) -> Vec<RecordId> {
    fill_for(ledger, ledger.unit(), seed, persons)
}

/// The same for a unit below the office.
pub(crate) fn fill_for(ledger: &Ledger, unit: taizhang_proto::OrgCode, seed: u64, persons: usize) -> Vec<RecordId> {
    let desk = LedgerDesk::new(ledger);
    let groups = City::new(seed, ledger.business_day()).office(unit, persons, &mut || desk.new_id());
    let residents = town::residents(&groups).collect();
    town::write(ledger, groups, |_| {}).unwrap();
    residents
}

/// Saves one form.
pub(crate) fn save(ledger: &Ledger, draft: Draft) {
    for answer in LedgerDesk::new(ledger).save(vec![vec![draft]], "test") {
        answer.unwrap();
    }
}

/// The tag of a resident's field.
pub(crate) fn tag(field: &str) -> u32 {
    registers().get(number::RESIDENT).unwrap().field_named(field).unwrap().tag
}

/// A form that sets one field of a resident.
pub(crate) fn edit(id: RecordId, field: &str, value: Value) -> Draft {
    Draft::new(id, number::RESIDENT).with(tag(field), value)
}

/// A field as people read it; empty when it is not there.
pub(crate) fn shown(record: &Record, field: &str) -> String {
    let def = registers().get(record.register).unwrap().field_named(field).unwrap();
    record.bytes(def.tag).and_then(|bytes| Value::decode(def, bytes)).map(|value| value.show(def)).unwrap_or_default()
}

/// All records of a hub.
pub(crate) fn records_at(hub: &Hub) -> HashMap<RecordId, Record> {
    let view = hub.core.view();
    let rows = view.prefix(Space::Records, &[]).map(Result::unwrap);
    rows.map(|(key, value)| (RecordId::from_slice(&key).unwrap(), Record::decode(value).unwrap())).collect()
}

/// All records of an office, as it sees them.
pub(crate) fn records_of(ledger: &Ledger) -> HashMap<RecordId, Record> {
    let desk = LedgerDesk::new(ledger);
    registers().iter().flat_map(|def| desk.list(def.number).unwrap()).collect()
}
