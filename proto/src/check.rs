//! The one validator, run wherever data enters: form, import, wire.
//! Invariant: a record that passes here can be counted, shown and exported by every tier without a further check.

pub mod area;
mod registered;
mod rules;

pub use registered::{days_of_registration, registered_since};
pub use rules::WORKING_AGE;
pub(crate) use rules::has_happened;

use crate::{
    OrgCode, Record, citizen_id,
    date::{self, Day},
    limits::{ORIGIN_BYTES, RECORD_BYTES, RECORD_FIELDS, REVIEW_BYTES, REVIEW_FIELDS, STORED_BYTES, STORED_FIELDS},
    pb::{self, Format, Tier},
    record::home_unit,
    register::{FIRST_OWN, FieldDef, HOME_UNIT, RegisterDef, Shape, field, registers},
    wire::{self, Field, Raw},
};
use bytes::Bytes;
use prost::encoding::{decode_varint, encoded_len_varint, key_len};

/// A broken rule: where, which, and what to do. Never holds the value itself, which may be personal data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", place(register, field))]
pub struct Violation {
    /// Register name.
    pub register: String,
    /// Field name; empty when the rule is the record's.
    pub field: String,
    /// Short name of the rule, stable for programs.
    pub rule: &'static str,
    /// For people: Chinese, then English.
    pub message: String,
}

impl From<Violation> for pb::Violation {
    fn from(violation: Violation) -> Self {
        Self {
            register: violation.register,
            field: violation.field,
            rule: violation.rule.to_owned(),
            message: violation.message,
        }
    }
}

/// Where a rule is broken, for people: the names of register and field, as far as there are any.
fn place(register: &str, field: &str) -> String {
    let Some(def) = registers().named(register) else { return String::new() };
    let field = def.field_named(field).map(|field| format!("·{}", field.zh)).unwrap_or_default();
    format!("{}{field}：", def.zh)
}

/// Most values a repeated field may hold.
const MAX_VALUES: usize = 64;

/// How large a record is, as far as its size has a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// Bytes and number of all its fields, cleared ones included.
    whole: (usize, usize),
    /// The same without the known fields that every record has: each of those is short by its own rule, and who voids a record, or
    /// moves it, is not hindered by what others have put into it.
    own: (usize, usize),
    /// Bytes of its origins, about.
    origins: usize,
}

/// Bytes of an origin beside its name, its seal and the numbers of its fields.
const ORIGIN: usize = 48;

impl Size {
    /// The size of a record; nothing where there is none.
    pub fn of(record: Option<&Record>) -> Self {
        let Some(record) = record else { return Self::default() };
        let def = registers().get(record.register);
        let origins = record.origins.iter().map(|origin| ORIGIN + origin.by.len() + origin.seal.len()).sum::<usize>();
        let mut size = Self { origins: origins + 3 * record.fields.len(), ..Self::default() };
        for standing in &record.fields {
            let (tag, bytes) = (standing.field.tag, standing.field.bytes.len());
            size.whole = (size.whole.0 + bytes, size.whole.1 + 1);
            if tag >= FIRST_OWN || def.is_none_or(|def| def.field(tag).is_none()) {
                size.own = (size.own.0 + bytes, size.own.1 + 1);
            }
        }
        size
    }

    /// Whether a record of this size can be read again wherever it goes.
    pub fn can_be_read(self) -> bool {
        self.whole.0 <= STORED_BYTES && self.whole.1 <= STORED_FIELDS && self.origins <= 2 * ORIGIN_BYTES
    }

    /// Each size that has a limit, with its limit.
    fn limited(self) -> [(usize, usize); 5] {
        [
            (self.own.0, RECORD_BYTES),
            (self.own.1, RECORD_FIELDS),
            (self.whole.0, STORED_BYTES - REVIEW_BYTES),
            (self.whole.1, STORED_FIELDS - REVIEW_FIELDS),
            (self.origins, ORIGIN_BYTES),
        ]
    }

    /// Whether a record of this size may be entered, whatever was there.
    fn may_be_entered(self) -> bool {
        self.limited().iter().all(|(size, most)| size <= most)
    }

    /// Whether what is over its limit was less before. What makes a large record no larger is never hindered.
    fn is_larger_than(self, stood: Self) -> bool {
        self.limited().iter().zip(stood.limited()).any(|((now, most), (was, _))| now > most && *now > was)
    }
}

/// Checks the fields in `edited`, every rule that spans fields, and that the record has not grown too large from what `stood`.
/// `today` is the business day of whoever checks.
/// Fields and registers that this build does not know pass: they are another build's to check.
pub fn check(record: &Record, stood: Option<&Record>, edited: impl Iterator<Item = u32>, today: Day) -> Vec<Violation> {
    check_beside(record, stood, edited, today, false)
}

/// Whether each of these fields of a register keeps the rules of its own, whatever record it stands in: the part of [`check`] that
/// needs no record.
pub fn are_sound<'a>(register: u32, mut fields: impl Iterator<Item = &'a Field>) -> bool {
    let def = registers().get(register);
    let rule = |field: &Field| def.and_then(|def| def.field(field.tag)).filter(|_| !field.bytes.is_empty());
    fields.all(|field| rule(field).is_none_or(|rule| check_field(rule, &field.bytes).is_ok()))
}

/// As [`check`], where the edited fields `are_sound` as they stand in the record, or have to be looked at.
pub fn check_beside(
    record: &Record,
    stood: Option<&Record>,
    edited: impl Iterator<Item = u32>,
    today: Day,
    are_sound: bool,
) -> Vec<Violation> {
    let mut found = Vec::new();
    let def = registers().get(record.register);
    let size = Size::of(Some(record));
    if !size.may_be_entered() && size.is_larger_than(Size::of(stood)) {
        return vec![Violation {
            register: def.map_or_else(|| record.register.to_string(), |def| def.name.clone()),
            field: String::new(),
            rule: "length",
            message: "记录过大，请先清空不用的栏目 (the record is too large: clear some of its fields first)".into(),
        }];
    }
    let Some(def) = def else {
        return check_owner(record);
    };
    let mut opened = false;
    for tag in edited {
        opened |= tag == HOME_UNIT || def.field(tag).is_some_and(|field| field.personal);
        let (false, Some(field), Some(bytes)) = (are_sound, def.field(tag), record.bytes(tag)) else { continue };
        if let Err((rule, message)) = check_field(field, bytes) {
            found.push(violation(def, &field.name, rule, message));
        }
    }
    if opened && goes_down(def, record) {
        for field in def.fields.iter().filter(|field| field.personal && record.bytes(field.tag).is_some()) {
            let message =
                format!("{}会随本表发到所有下级单位，请清空 ({} would go to every office below)", field.zh, field.en);
            found.push(violation(def, &field.name, BELOW, message));
        }
    }
    for field in def.fields.iter().filter(|field| field.required && record.bytes(field.tag).is_none()) {
        found.push(violation(def, &field.name, "required", format!("{}必须填写 ({} is required)", field.zh, field.en)));
    }
    if found.is_empty() {
        rules::check(def, record, today, &mut found);
    }
    found
}

/// The days of a record, whole or not, that come before those they should follow.
pub fn out_of_order(record: &Record, today: Day) -> Vec<Violation> {
    let mut found = Vec::new();
    if let Some(def) = registers().get(record.register) {
        rules::check(def, record, today, &mut found);
    }
    found.retain(|violation| violation.rule == ORDER);
    found
}

/// What a resident's number says of birth and sex; none without a valid one.
pub fn born(record: &Record) -> Option<citizen_id::Facts> {
    citizen_id::check(std::str::from_utf8(record.slice(field::resident::ID_NO)?).ok()?).ok()
}

/// The fields of `edited` that tell of what has happened, on a day that has not come to whoever asks, and a death before birth: asked
/// of what somebody enters now, and not of what stood before or is said again.
pub fn ahead(record: &Record, edited: impl Iterator<Item = u32>, today: Day) -> Vec<Violation> {
    let Some(def) = registers().get(record.register) else { return Vec::new() };
    let is_ahead =
        |tag: &u32| has_happened(def.number, *tag) && record.day(*tag).is_some_and(|day| day > today.saturating_add(1));
    let (mut found, mut dies) = (Vec::new(), false);
    for tag in edited {
        dies |= tag == rules::DEATH_ON;
        if let Some(field) = def.field(tag).filter(|_| is_ahead(&tag)) {
            let said = format!("{}在今天之后 ({} lies ahead)", field.zh, field.en);
            found.push(violation(def, &field.name, AHEAD, said));
        }
    }
    if dies && rules::died_before_birth(record) {
        found.push(violation(def, "death_on", ORDER, "死亡日期早于出生日期 (died before birth)"));
    }
    found
}

/// All that is wrong with what somebody enters now: [`check`], and [`ahead`].
pub fn entry(
    record: &Record,
    stood: Option<&Record>,
    edited: impl Iterator<Item = u32> + Clone,
    today: Day,
) -> Vec<Violation> {
    let mut found = check(record, stood, edited.clone(), today);
    found.extend(ahead(record, edited, today));
    found
}

/// The rule that two days break which come in the wrong order.
pub const ORDER: &str = "order";

/// The rule that a day breaks which has not come.
pub const AHEAD: &str = "ahead";

/// The rule of what may be said where every office below hears it.
pub const BELOW: &str = "below";

/// Whether a record goes to offices that are not its owner's.
fn goes_down(def: &RegisterDef, record: &Record) -> bool {
    def.for_below && home_unit(record).is_some_and(|home| home.tier() > Tier::Community)
}

/// What holds for a register that only a newer build knows: its owning unit still bounds who may see it.
fn check_owner(record: &Record) -> Vec<Violation> {
    let owned = record.varint(crate::register::HOME_UNIT).is_some_and(|code| OrgCode::new(code).is_ok());
    if owned {
        return Vec::new();
    }
    vec![Violation {
        register: record.register.to_string(),
        field: "home_unit".into(),
        rule: "required",
        message: "归属单位必须填写 (the owning unit is required)".into(),
    }]
}

pub(crate) fn violation(def: &RegisterDef, field: &str, rule: &'static str, message: impl Into<String>) -> Violation {
    Violation { register: def.name.clone(), field: field.to_owned(), rule, message: message.into() }
}

type Fault = (&'static str, String);

fn check_field(field: &FieldDef, bytes: &Bytes) -> Result<(), Fault> {
    let (mut count, mut runs) = (0, 0);
    let mut canonical = 0;
    for raw in wire::occurrences(bytes) {
        runs += 1;
        // Of packed numbers each counts, in however many runs they come.
        count += match raw {
            Raw::Bytes(packed) if field.many && field.shape == Shape::Uint => {
                packed.iter().filter(|byte| **byte < 0x80).count().max(1)
            }
            _ => 1,
        };
        canonical += key_len(field.tag);
        canonical += match raw {
            Raw::Varint(value) => encoded_len_varint(value),
            Raw::Bytes(value) => encoded_len_varint(value.len() as u64) + value.len(),
            Raw::Fixed => 0,
        };
        check_value(field, raw)?;
    }
    let label = &field.zh;
    if canonical != bytes.len() {
        return Err(("encoding", format!("{label}编码不规范 (not in canonical encoding)")));
    }
    if runs > 1 && !field.many {
        return Err(("encoding", format!("{label}只能有一个值 (takes one value)")));
    }
    if count > MAX_VALUES {
        return Err(("length", format!("{label}最多{MAX_VALUES}项 (at most {MAX_VALUES} values)")));
    }
    Ok(())
}

fn check_value(field: &FieldDef, raw: Raw<'_>) -> Result<(), Fault> {
    let label = &field.zh;
    let shape = || ("encoding", format!("{label}的类型不对 (wrong type)"));
    match (field.shape, raw) {
        (Shape::Text, Raw::Bytes(bytes)) => {
            let text = std::str::from_utf8(bytes).map_err(|_| shape())?;
            check_text(field, text)
        }
        (Shape::Bytes, Raw::Bytes(bytes)) if bytes.len() == 16 => Ok(()),
        (Shape::Bool, Raw::Varint(0 | 1)) => Ok(()),
        (Shape::Uint, Raw::Varint(code)) if field.format == Format::Unit => OrgCode::new(code)
            .map(|_| ())
            .map_err(|_| ("unit", format!("{label}不是12位单位编码 (not a 12-digit unit code)"))),
        (Shape::Uint, Raw::Varint(value)) if u32::try_from(value).is_ok() => Ok(()),
        (Shape::Uint, Raw::Bytes(packed)) if field.many => is_packed(packed).then_some(()).ok_or_else(shape),
        (Shape::Sint, Raw::Varint(code)) => {
            let day = wire::unzigzag(code).ok_or_else(shape)?;
            let years = date::ymd(1900, 1, 1)..date::ymd(2100, 1, 1);
            if Some(day) < years.start || Some(day) >= years.end {
                return Err(("date", format!("{label}不在1900年至2099年之间 (not between 1900 and 2099)")));
            }
            Ok(())
        }
        _ => Err(shape()),
    }
}

/// Whether these are packed 32-bit numbers, canonically encoded, and no more than a field may hold.
fn is_packed(mut packed: &[u8]) -> bool {
    let (length, mut canonical, mut count) = (packed.len(), 0, 0);
    while !packed.is_empty() {
        match decode_varint(&mut packed) {
            Ok(value) if u32::try_from(value).is_ok() => canonical += encoded_len_varint(value),
            _ => return false,
        }
        count += 1;
    }
    canonical == length && (1..=MAX_VALUES).contains(&count)
}

fn check_text(field: &FieldDef, text: &str) -> Result<(), Fault> {
    let label = &field.zh;
    if text.len() > field.max && text.chars().count() > field.max {
        return Err(("length", format!("{label}超过{}个字 (over {} characters)", field.max, field.max)));
    }
    if text.chars().any(|sign| sign.is_control() && sign != '\n') {
        return Err(("characters", format!("{label}含有控制字符 (control characters)")));
    }
    match field.format {
        Format::CitizenId => citizen_id::check(text).map(|_| ()).map_err(|fault| ("citizen_id", fault.to_string())),
        Format::Code => match field.codes {
            Some(list) if list.meaning(text).is_none() => {
                Err(("code", format!("{label}的代码不在代码表{}中 (not in code list {})", list.id, list.id)))
            }
            _ => Ok(()),
        },
        Format::PersonName => {
            let fine = !text.is_empty() && text.chars().all(|sign| sign.is_alphanumeric() || "·.・-'".contains(sign));
            fine.then_some(()).ok_or_else(|| ("name", format!("{label}不能有空格或符号 (no blanks or signs)")))
        }
        Format::Phone => {
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            let fine = (7..=13).contains(&digits) && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
            fine.then_some(())
                .ok_or_else(|| ("phone", format!("{label}应为7至13位数字，可带区号 (7 to 13 digits, hyphen allowed)")))
        }
        _ => Ok(()),
    }
}
/// What is said to a community that applies before the day from which it may.
pub fn too_early(from: date::Day) -> String {
    let from = date::iso(from);
    format!("称号取消后未满规定期限，{from} 起方可重新申报 (revoked: it may apply again from that day)")
}
