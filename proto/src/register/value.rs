//! One field's value between three forms: wire bytes, a typed value, and the text a clerk reads and writes.

use super::{FieldDef, Shape};
use crate::{
    OrgCode, RecordId, citizen_id, date,
    pb::Format,
    text,
    wire::{self, Raw},
};
use bytes::Bytes;
use std::fmt;

/// Texts of so many characters are read by people and compared with nothing, so they stay as they were written; but not those that a
/// register asks for, as they are to tell its records apart.
const LONG: usize = 500;

/// A field's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text or a code.
    Text(String),
    /// A number in the field's unit times 10^decimals.
    Uint(u64),
    /// A day since 1970-01-01.
    Day(i32),
    /// Yes or no.
    Bool(bool),
    /// A reference.
    Ref(RecordId),
    /// A repeated field.
    Many(Vec<Value>),
}

/// Why a text is no value of a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct ValueError {
    /// The field's Chinese label.
    pub field: String,
    /// What is wrong and what to write instead; never the value itself.
    pub why: String,
}

impl Value {
    /// The value as the field's wire bytes.
    pub fn encode(&self, field: &FieldDef) -> Bytes {
        let mut out = Vec::new();
        self.put(field.tag, &mut out);
        out.into()
    }

    fn put(&self, tag: u32, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => wire::put_bytes(tag, text.as_bytes(), out),
            Self::Uint(value) => wire::put_varint(tag, *value, out),
            Self::Day(day) => wire::put_varint(tag, wire::zigzag(*day), out),
            Self::Bool(yes) => wire::put_varint(tag, u64::from(*yes), out),
            Self::Ref(id) => wire::put_bytes(tag, &id.0, out),
            Self::Many(values) => values.iter().for_each(|value| value.put(tag, out)),
        }
    }

    /// The value in a field's wire bytes; none when they do not have the field's shape.
    pub fn decode(field: &FieldDef, bytes: &[u8]) -> Option<Self> {
        let mut values = Vec::new();
        for raw in wire::occurrences(bytes) {
            match raw {
                // Numbers of a repeated field travel packed.
                Raw::Bytes(mut packed) if field.shape == Shape::Uint && field.many => {
                    while !packed.is_empty() {
                        values.push(Self::Uint(prost::encoding::decode_varint(&mut packed).ok()?));
                    }
                }
                raw => values.push(Self::one(field, raw)?),
            }
        }
        if field.many {
            return Some(Self::Many(values));
        }
        (values.len() == 1).then(|| values.pop()).flatten()
    }

    fn one(field: &FieldDef, raw: Raw<'_>) -> Option<Self> {
        match (field.shape, raw) {
            (Shape::Text, Raw::Bytes(bytes)) => std::str::from_utf8(bytes).ok().map(|text| Self::Text(text.to_owned())),
            (Shape::Bytes, Raw::Bytes(bytes)) => RecordId::from_slice(bytes).map(Self::Ref),
            (Shape::Uint, Raw::Varint(value)) => Some(Self::Uint(value)),
            (Shape::Sint, Raw::Varint(code)) => wire::unzigzag(code).map(Self::Day),
            (Shape::Bool, Raw::Varint(value)) if value <= 1 => Some(Self::Bool(value == 1)),
            _ => None,
        }
    }

    /// Reads what a clerk wrote. The second part is a finding to keep in `import_note`: a word that is in no code
    /// list, kept as it was written beside the list's 'other' code.
    ///
    /// # Errors
    /// Says what the field expects; the value itself is never repeated.
    pub fn parse(field: &FieldDef, written: &str) -> Result<(Self, Option<String>), ValueError> {
        if !field.many {
            return Self::parse_one(field, written);
        }
        let mut values = Vec::new();
        let mut notes = Vec::new();
        for part in written.split(['、', ',', '，', ';', '；']).filter(|part| !part.trim().is_empty()) {
            let (value, note) = Self::parse_one(field, part)?;
            // Two equal scores are two scores; a word said twice is one.
            if field.shape == Shape::Uint || !values.contains(&value) {
                values.push(value);
            }
            notes.extend(note);
        }
        Ok((Self::Many(values), (!notes.is_empty()).then(|| notes.join("; "))))
    }

    fn parse_one(field: &FieldDef, written: &str) -> Result<(Self, Option<String>), ValueError> {
        let wrong = |why: &str| ValueError { field: field.zh.clone(), why: why.to_owned() };
        let value = match (field.shape, field.format) {
            (_, Format::Date) => {
                Self::Day(text::parse_date(written).ok_or_else(|| wrong("不是日期，请写成 2008.3.20 (not a date)"))?)
            }
            (_, Format::Unit) => {
                let code: OrgCode = text::no_space(written)
                    .parse()
                    .map_err(|_| wrong("不是12位单位编码 (not a 12-digit unit code)"))?;
                Self::Uint(code.number())
            }
            (_, Format::Ref) => {
                Self::Ref(text::no_space(written).parse().map_err(|_| wrong("不是记录编号 (not a record id)"))?)
            }
            (_, Format::Code) => return parse_code(field, written),
            (Shape::Text, Format::CitizenId) => {
                let number = text::no_space(written).to_ascii_uppercase();
                // One of 15 digits is written as the 18 characters that it became (domain-detail 2.1).
                Self::Text(citizen_id::upgrade(&number).unwrap_or(number))
            }
            (Shape::Text, Format::PersonName) => Self::Text(text::person_name(written)),
            (Shape::Text, Format::Phone) => Self::Text(text::no_space(written).to_ascii_uppercase()),
            // What tells two records apart is written in one way: `ln 0807` is LN0807.
            (Shape::Text, _) if field.unique => Self::Text(text::no_space(written).to_uppercase()),
            (Shape::Text, _) if field.max >= LONG && !field.required => Self::Text(text::as_written(written)),
            (Shape::Text, _) => Self::Text(text::half_width(written)),
            (Shape::Bool, _) => {
                Self::Bool(text::parse_bool(written).ok_or_else(|| wrong("请填“是”或“否” (write 是 or 否)"))?)
            }
            (Shape::Uint, _) => Self::Uint(
                parse_number(&text::no_space(written), field.decimals)
                    .ok_or_else(|| wrong("不是数字 (not a number)"))?,
            ),
            (Shape::Sint | Shape::Bytes, _) => return Err(wrong("此栏不能填写 (can't be entered)")),
        };
        Ok((value, None))
    }

    /// The value as a clerk reads it.
    pub fn show(&self, field: &FieldDef) -> String {
        match self {
            Self::Text(code) => field.codes.and_then(|list| list.meaning(code)).unwrap_or(code).to_owned(),
            Self::Uint(value) if field.decimals > 0 => {
                let scale = 10_u64.pow(field.decimals);
                let fraction = format!("{:0width$}", value % scale, width = field.decimals as usize);
                let fraction = fraction.trim_end_matches('0');
                let point = if fraction.is_empty() { "" } else { "." };
                format!("{}{point}{fraction}", value / scale)
            }
            Self::Uint(value) => value.to_string(),
            Self::Day(day) => date::iso(*day),
            Self::Bool(yes) => if *yes { "是" } else { "否" }.to_owned(),
            Self::Ref(id) => id.to_string(),
            Self::Many(values) => values.iter().map(|value| value.show(field)).collect::<Vec<_>>().join("、"),
        }
    }
}

fn parse_code(field: &FieldDef, written: &str) -> Result<(Value, Option<String>), ValueError> {
    let wrong = |why: String| ValueError { field: field.zh.clone(), why };
    let list = field.codes.ok_or_else(|| wrong("没有代码表 (no code list)".into()))?;
    if let Some(code) = list.code(written) {
        return Ok((Value::Text(code.to_owned()), None));
    }
    let other = list.other.as_ref().ok_or_else(|| {
        let choices: Vec<_> = list.codes.values().map(String::as_str).collect();
        wrong(format!("只能填：{} (not in the code list {})", choices.join("、"), list.id))
    })?;
    let note = format!("{}：{}", field.zh, text::as_written(written));
    Ok((Value::Text(other.clone()), Some(note)))
}

/// A non-negative number with up to `decimals` digits after the point, times 10^decimals.
fn parse_number(text: &str, decimals: u32) -> Option<u64> {
    let text = text.replace(',', "");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > decimals as usize || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let padded = format!("{fraction:0<width$}", width = decimals as usize);
    let fraction: u64 = if padded.is_empty() { 0 } else { padded.parse().ok()? };
    whole.checked_mul(10_u64.checked_pow(decimals)?)?.checked_add(fraction)
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Uint(value) => value.fmt(f),
            Self::Day(day) => f.write_str(&date::iso(*day)),
            Self::Bool(yes) => yes.fmt(f),
            Self::Ref(id) => fmt::Display::fmt(id, f),
            Self::Many(values) => f.write_str(&values.iter().map(ToString::to_string).collect::<Vec<_>>().join("、")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::register::{number, registers};

    fn round_trip(register: u32, field: &str, written: &str) -> String {
        let field = registers().get(register).unwrap().field_named(field).unwrap();
        let (value, _) = Value::parse(field, written).unwrap();
        let bytes = value.encode(field);
        assert_eq!(Value::decode(field, &bytes), Some(value.clone()));
        value.show(field)
    }

    #[test]
    fn what_a_clerk_writes_comes_back_as_the_register_shows_it() {
        assert_eq!(round_trip(number::RESIDENT, "edu", "大专"), "大学专科");
        assert_eq!(round_trip(number::RESIDENT, "laidoff_on", "2008.3.20"), "2008-03-20");
        assert_eq!(round_trip(number::RESIDENT, "name", "曹　志"), "曹志");
        assert_eq!(round_trip(number::RESIDENT, "hardship_claim", "低保、残疾"), "低保、残疾");
        assert_eq!(round_trip(number::FACILITY, "area_m2", "100.5"), "100.5");
        assert_eq!(round_trip(number::FACILITY, "area_m2", "1,200"), "1200");
        assert_eq!(round_trip(number::ZEF_CASE, "want_dual", "是"), "是");
        assert_eq!(round_trip(number::FACILITY, "three_score", "90、80"), "90、80");
        assert_eq!(round_trip(number::FACILITY, "three_score", "80、80、80"), "80、80、80");
    }

    #[test]
    fn what_people_read_stays_as_it_was_written_and_what_is_compared_does_not() {
        let written = "电话（晚上）：１２号；见附件Ａ，已核！";
        assert_eq!(round_trip(number::RESIDENT, "remark", &format!("　{written}\u{200b} ")), written);
        assert_eq!(round_trip(number::RESIDENT, "address", "１２号（后院）"), "12号(后院)");
        // No key holds a text that two offices may write in two ways.
        for def in registers().iter() {
            let keys = def.key.iter().filter_map(|tag| def.field(*tag));
            for field in keys.filter(|field| field.shape == Shape::Text) {
                assert!(field.max < LONG || field.required, "{} {}", def.name, field.name);
            }
        }
    }

    #[test]
    fn an_unknown_word_keeps_its_text_and_gets_the_other_code() {
        let field = registers().get(number::RESIDENT).unwrap().field_named("edu").unwrap();
        let (value, note) = Value::parse(field, "私塾").unwrap();
        assert_eq!(value, Value::Text("90".into()));
        assert_eq!(note.unwrap(), "文化程度：私塾");
    }
}
