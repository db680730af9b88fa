//! Personal text in a form that names nobody: enough to tell rows apart, too little to find somebody.
//! Invariant: of a personal text, and of anything written freely about a person or household, nothing leaves here but its first
//! sign (a name), its province and city (an id number) or its first three digits (a phone); everything else becomes stars.

use bytes::Bytes;
use taizhang_proto::{
    Record,
    pb::{self, Format, Subject},
    register::{FieldDef, RegisterDef, Shape, Value, registers},
    wire,
};

/// A record whose personal text is masked.
pub(crate) fn masked(mut record: Record) -> Record {
    let Some(def) = registers().get(record.register) else { return record };
    for standing in &mut record.fields {
        if let Some(field) = def.field(standing.field.tag) {
            standing.field.bytes = masked_field(field, is_about_people(def), &standing.field.bytes);
        }
    }
    record
}

/// A field's bytes, masked where the field is personal text.
pub(super) fn masked_field(field: &FieldDef, about_people: bool, bytes: &Bytes) -> Bytes {
    let is_text = matches!(field.shape, Shape::Text) && field.codes.is_none();
    // What is written freely about a person says who it is, whatever the field is meant for.
    let is_free = about_people && !field.name.ends_with("_no") && !field.name.ends_with("reg_no");
    if !is_text || bytes.is_empty() || !(field.personal || is_free) {
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
        Format::CitizenId => 4,
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
    past.message = masked_message(def, &past.message);
    mask_reason(&mut past.reason);
    if let Some(ruling) = &mut past.ruling {
        mask_reason(&mut ruling.reason);
    }
}

/// What a conflict shows of the records that it is about, masked.
pub(crate) fn masked_conflict(conflict: &mut pb::Conflict) {
    let def = registers().get(conflict.register);
    for claim in &mut conflict.claims {
        claim.message = def.map(|def| masked_message(def, &claim.message)).unwrap_or_default();
        mask_reason(&mut claim.reason);
    }
    if let Some(ruling) = &mut conflict.ruling {
        mask_reason(&mut ruling.reason);
    }
}

fn masked_message(def: &RegisterDef, message: &Bytes) -> Bytes {
    let fields = wire::split(message).unwrap_or_default();
    let masked = fields.iter().map(|field| match def.field(field.tag) {
        Some(known) => masked_field(known, is_about_people(def), &field.bytes),
        None => Bytes::new(),
    });
    wire::join(masked.collect::<Vec<_>>().iter())
}

fn mask_reason(reason: &mut String) {
    if !reason.is_empty() {
        "***".clone_into(reason);
    }
}

fn is_about_people(def: &RegisterDef) -> bool {
    matches!(def.subject, Subject::Person | Subject::Household)
}
