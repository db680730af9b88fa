//! Forms as clerks fill them in, by field name.

use taizhang_node::desk::Draft;
use taizhang_proto::{
    Record, RecordId, citizen_id,
    register::{FieldDef, Value, registers},
};

/// A form being filled in.
#[derive(Debug, Clone)]
pub(super) struct Form(Draft);

impl Form {
    pub(super) fn new(id: RecordId, register: u32) -> Self {
        Self(Draft::new(id, register))
    }

    pub(super) fn set(self, name: &str, value: Value) -> Self {
        let tag = field(self.0.register, name).tag;
        Self(self.0.with(tag, value))
    }

    pub(super) fn clear(mut self, name: &str) -> Self {
        self.0.edits.push((field(self.0.register, name).tag, None));
        self
    }

    pub(super) fn done(self) -> Draft {
        self.0
    }
}

/// A field by its name.
pub(super) fn field(register: u32, name: &str) -> &'static FieldDef {
    let def = registers().get(register).expect("the simulation names registers that there are");
    def.field_named(name).expect("the simulation names fields that there are")
}

/// A text.
pub(super) fn text(value: impl Into<String>) -> Value {
    Value::Text(value.into())
}

/// The values of a repeated field.
pub(super) fn values(record: &Record, field: &FieldDef) -> Vec<Value> {
    match record.bytes(field.tag).and_then(|bytes| Value::decode(field, bytes)) {
        Some(Value::Many(values)) => values,
        _ => Vec::new(),
    }
}

/// The id number of one of the few people of this world.
pub(super) fn citizen(serial: u32) -> String {
    let digits = format!("210490{}{:03}", 19_600_101 + serial * 10_000, serial);
    let check = citizen_id::check_character(digits.as_bytes()).map_or('X', char::from);
    format!("{digits}{check}")
}
