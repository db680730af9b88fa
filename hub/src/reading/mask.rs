//! Personal text in a form that names nobody: enough to tell rows apart, too little to find somebody.
//! Invariant: of a personal text field nothing leaves here but its first sign (a name), its area (an id number) or its first
//! three digits (a phone); everything else becomes stars.

use bytes::Bytes;
use taizhang_proto::{
    Record,
    pb::{self, Format},
    register::{FieldDef, RegisterDef, Shape, Value, registers},
    wire,
};

/// A record whose personal text is masked.
pub(super) fn masked(mut record: Record) -> Record {
    let Some(def) = registers().get(record.register) else { return record };
    for standing in &mut record.fields {
        if let Some(field) = def.field(standing.field.tag) {
            standing.field.bytes = masked_field(field, &standing.field.bytes);
        }
    }
    record
}

/// A field's bytes, masked where the field is personal text.
pub(super) fn masked_field(field: &FieldDef, bytes: &Bytes) -> Bytes {
    let is_text = matches!(field.shape, Shape::Text) && field.codes.is_none();
    if !field.personal || !is_text || bytes.is_empty() {
        return bytes.clone();
    }
    match Value::decode(field, bytes) {
        Some(value) => mask_value(field, value).encode(field),
        None => Bytes::new(),
    }
}

fn mask_value(field: &FieldDef, value: Value) -> Value {
    match value {
        Value::Text(text) => Value::Text(mask_text(field, &text)),
        Value::Many(values) => Value::Many(values.into_iter().map(|value| mask_value(field, value)).collect()),
        other => other,
    }
}

fn mask_text(field: &FieldDef, text: &str) -> String {
    let kept = match field.format {
        Format::CitizenId => 6,
        Format::Phone => 3,
        Format::PersonName => 1,
        _ => 0,
    };
    let length = text.chars().count();
    let kept = kept.min(length.saturating_sub(1));
    // How long an address or a remark is says too much already.
    let stars = if kept == 0 { 3 } else { length - kept };
    text.chars().take(kept).chain(std::iter::repeat_n('*', stars)).collect()
}

/// A value that no longer stands, masked like those that do.
pub(super) fn masked_past(def: &RegisterDef, past: &mut pb::Superseded) {
    let fields = wire::split(&past.message).unwrap_or_default();
    let masked: Vec<Bytes> = fields
        .iter()
        .map(|field| match def.field(field.tag) {
            Some(known) => masked_field(known, &field.bytes),
            None => Bytes::new(),
        })
        .collect();
    past.message = wire::join(masked.iter());
}
