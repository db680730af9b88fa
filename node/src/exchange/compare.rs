//! What a row says against what a register holds: same record, same value. Pure.

use super::layout::Role;
use taizhang_proto::{
    Record,
    register::{FieldDef, RegisterDef, Value},
    text,
};

/// The key itself, then the keys with another code in the fields that an old record may hold otherwise.
pub(super) fn alternatives(role: &Role, key: Vec<Value>) -> Vec<Vec<Value>> {
    let mut keys = vec![key];
    for (place, tag) in role.register.key.iter().enumerate().filter(|(_, tag)| role.any.contains(tag)) {
        let codes = role.register.field(*tag).and_then(|field| field.codes).map(|list| list.codes.keys());
        for code in codes.into_iter().flatten() {
            let mut other = keys[0].clone();
            other[place] = Value::Text(code.clone());
            keys.push(other);
        }
    }
    keys
}

/// What to write so that the record says what the row says; none when it does.
pub(super) fn difference(field: &FieldDef, old: Option<&Record>, value: &Value) -> Option<Value> {
    let held = old.and_then(|record| record.bytes(field.tag)).and_then(|bytes| Value::decode(field, bytes));
    match (held, value) {
        (Some(Value::Many(mut held)), Value::Many(more)) => {
            let before = held.len();
            held.extend(more.iter().filter(|value| !held.contains(value)).cloned().collect::<Vec<_>>());
            (held.len() > before).then_some(Value::Many(held))
        }
        (Some(Value::Text(held)), Value::Text(new)) if text::half_width(&held) == text::half_width(new) => None,
        (Some(held), new) if held == *new => None,
        (_, new) => Some(new.clone()),
    }
}

/// Whether two records have the same natural key, whole.
pub(super) fn same_key(def: &RegisterDef, one: &Record, other: &Record) -> bool {
    def.key.iter().all(|tag| one.bytes(*tag).is_some() && one.bytes(*tag) == other.bytes(*tag))
}
