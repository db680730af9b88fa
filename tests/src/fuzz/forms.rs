//! Changes from a script: honest forms, copied or edited, with lies in places; several registers that refer to each other.

use super::{
    ground::{COMMUNITY, FAR, NEIGHBOUR, NOW, TOWNSHIP, honest_forms},
    input::{bytes, number, rarely},
};
use crate::hostile::say;
use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Bytes;
use taizhang_proto::{
    RecordId, pb,
    register::{FieldDef, Shape, Value, registers},
    wire,
};

/// Most fields that are rewritten in one form.
const LIES: u8 = 4;

/// A record of a script: one of the honest office's, or a copy of it under an id of one's own.
pub(super) fn record(script: &mut Unstructured<'_>) -> Result<RecordId> {
    let forms = honest_forms();
    let id = forms[script.choose_index(forms.len())?].id;
    Ok(if bool::arbitrary(script)? { id } else { copy(id, u8::arbitrary(script)? % 4) })
}

/// The id of a copy.
fn copy(mut id: RecordId, which: u8) -> RecordId {
    id.0[8] |= 0x30 + which;
    id
}

/// One change.
pub(super) fn change(script: &mut Unstructured<'_>) -> Result<pb::Change> {
    let forms = honest_forms();
    let form = &forms[script.choose_index(forms.len())?];
    let mut change = say::change_at(form, None, NOW);
    let which = u8::arbitrary(script)?;
    let copies = which % 4 != 0;
    let mut fields = wire::split(&change.message).unwrap_or_default();
    if copies {
        change.record = Bytes::copy_from_slice(&copy(form.id, which % 4).0);
        if bool::arbitrary(script)? {
            // What it refers to are copies too.
            let def = registers().get(form.register);
            for field in &mut fields {
                let refers = def.and_then(|def| def.field(field.tag)).is_some_and(|rule| rule.refers.is_some());
                let target = wire::occurrences(&field.bytes).last();
                if let (true, Some(wire::Raw::Bytes(id))) = (refers, target)
                    && let Some(id) = RecordId::from_slice(id)
                {
                    let mut out = Vec::new();
                    wire::put_bytes(field.tag, &copy(id, which % 4).0, &mut out);
                    field.bytes = out.into();
                }
            }
        }
    } else {
        // An edit: some fields, over what was seen or what was not.
        let kept = u32::arbitrary(script)?;
        let mut place = 0;
        fields.retain(|_| {
            place = (place + 1) % 32;
            kept >> place & 1 == 1
        });
        let base = number(script)?;
        change.bases = fields
            .iter()
            .map(|field| pb::FieldBase { tag: field.tag, revision: base, ..pb::FieldBase::default() })
            .collect();
    }
    for _ in 0..u8::arbitrary(script)? % LIES {
        lie(script, &mut change, &mut fields)?;
    }
    change.message = wire::join(fields.iter().map(|field| &field.bytes));
    Ok(change)
}

fn lie(script: &mut Unstructured<'_>, change: &mut pb::Change, fields: &mut Vec<wire::Field>) -> Result<()> {
    let all: Vec<_> = registers().iter().collect();
    match u8::arbitrary(script)? % 16 {
        0 => change.register = all[script.choose_index(all.len())?].number,
        1 => change.register = number(script)? as u32,
        2 => change.record = Bytes::copy_from_slice(&record(script)?.0),
        3 => change.record = bytes(script, 20)?,
        4 => change.cleared.push(number(script)? as u32 % 80),
        5 => change.stamp = number(script)?,
        6 => change.seen = number(script)?,
        7 => change.by = String::from_utf8_lossy(&bytes(script, 80)?).into_owned(),
        8 => change.reason = "x".repeat(usize::from(u8::arbitrary(script)?)),
        9 => {
            let base =
                pb::FieldBase { tag: number(script)? as u32 % 80, revision: number(script)?, seen: bytes(script, 40)? };
            change.bases.push(base);
        }
        10 => {
            let tag = u32::arbitrary(script)? % 100;
            put(fields, wire::Field { tag, bytes: bytes(script, 64)? });
        }
        _ => {
            let Some(def) = registers().get(change.register) else { return Ok(()) };
            let field = script.choose(&def.fields)?;
            put(fields, wire::Field { tag: field.tag, bytes: value(script, field)? });
        }
    }
    Ok(())
}

fn put(fields: &mut Vec<wire::Field>, field: wire::Field) {
    match fields.binary_search_by_key(&field.tag, |one| one.tag) {
        Ok(place) => fields[place] = field,
        Err(place) => fields.insert(place, field),
    }
}

/// A value of a field: of its shape, sound or at an edge; now and then of another shape.
fn value(script: &mut Unstructured<'_>, field: &FieldDef) -> Result<Bytes> {
    let count = if field.many || rarely(script, 32)? { u8::arbitrary(script)? % 4 } else { 1 };
    let mut out = Vec::new();
    for _ in 0..count {
        let shape = if rarely(script, 32)? { Shape::Uint } else { field.shape };
        let value = match shape {
            Shape::Text => Value::Text(text(script, field)?),
            Shape::Uint if bool::arbitrary(script)? => Value::Uint(*script.choose(&UNITS_NAMED)?),
            Shape::Uint => Value::Uint(number(script)?),
            Shape::Sint => Value::Day(day(script)?),
            Shape::Bool => Value::Bool(bool::arbitrary(script)?),
            Shape::Bytes if rarely(script, 16)? => Value::Text(text(script, field)?),
            Shape::Bytes => Value::Ref(record(script)?),
        };
        out.extend(value.encode(field));
    }
    Ok(out.into())
}

const UNITS_NAMED: [u64; 6] = [COMMUNITY, NEIGHBOUR, TOWNSHIP, FAR, 0, 210_402_001_999];

fn text(script: &mut Unstructured<'_>, field: &FieldDef) -> Result<String> {
    if let Some(codes) = field.codes
        && !rarely(script, 8)?
    {
        let codes: Vec<&str> = codes.codes.keys().map(String::as_str).collect();
        return Ok((*script.choose(&codes)?).to_owned());
    }
    Ok(match u8::arbitrary(script)? % 8 {
        0 => String::new(),
        1 => "长".repeat(field.max + 1),
        2 => "\u{0}\u{202e}=cmd|".to_owned(),
        3 => "210402196001010017".to_owned(),
        4 => "13800000000".to_owned(),
        5 => String::from_utf8_lossy(&bytes(script, 40)?).into_owned(),
        _ => format!("{}", number(script)?),
    })
}

/// A day near today, or where days end.
pub(super) fn day(script: &mut Unstructured<'_>) -> Result<i32> {
    let today = taizhang_proto::date::shanghai(NOW);
    Ok(match u8::arbitrary(script)? % 8 {
        0 => i32::MIN,
        1 => i32::MAX,
        2 => number(script)? as i32,
        3 => today,
        _ => today - i32::from(i16::arbitrary(script)? % 8_000),
    })
}
