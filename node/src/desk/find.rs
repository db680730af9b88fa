//! A record as people name it: by id number, certificate or case number, or by name; by its own number last.
//! Invariant: what could mean two records means none; the candidates are named, so that one of them can be chosen.

use super::{Desk, SaveError, units::Units};
use crate::caller::Refusal;
use std::collections::HashSet;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{home_unit, is_active},
    citizen_id, limits,
    pb::Subject,
    register::{Refers, RegisterDef, Shape, Value, field, number, registers},
    text,
};

/// Why a record was not found.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Nothing here has this number or name.
    #[error("没有找到“{0}”；可写身份证号、姓名、案件或证书编号，或记录编号 (nothing of this number or name here)")]
    None(String),
    /// Several have it.
    #[error(
        "“{written}”有 {all} 条，请写{}记录编号 (several: say which)：\n{}{}",
        if citizen_id::check(.written).is_ok() { "" } else { "身份证号或" },
        .found.join("\n"),
        if .found.len() < *.all { "\n……" } else { "" }
    )]
    Several {
        /// As it was written.
        written: String,
        /// How many.
        all: usize,
        /// The first of them, each in a line: name, unit, record id. Holds names: for the screen that asked.
        found: Vec<String>,
    },
    /// No unit, or more than one, is named so.
    #[error(
        "没有名为“{0}”的单位，或不止一个，请写编码，见 units find (no unit of this name, or several: write the code)"
    )]
    NoUnit(String),
    /// No register is called so.
    #[error("没有登记表 {written} (no such register); 有 (there are): {all}")]
    NoRegister {
        /// As it was written.
        written: String,
        /// Those that there are.
        all: String,
    },
    /// The registers.
    #[error(transparent)]
    Registers(#[from] SaveError),
}

impl From<FindError> for Refusal {
    fn from(error: FindError) -> Self {
        match error {
            FindError::Registers(error) => Self::failed(error),
            FindError::NoRegister { .. } => Self::wrong(error),
            other => Self::unknown(other),
        }
    }
}

/// As gRPC says it.
impl From<FindError> for tonic::Status {
    fn from(error: FindError) -> Self {
        Refusal::from(error).into()
    }
}

/// The register that a command names, by its name on the wire or its Chinese one.
///
/// # Errors
/// Lists all of them where there is none of this name.
pub fn register(named: &str) -> Result<&'static RegisterDef, FindError> {
    registers().named(named).ok_or_else(|| {
        let names: Vec<_> = registers().iter().map(|def| format!("{} ({})", def.name, def.zh)).collect();
        FindError::NoRegister { written: named.to_owned(), all: names.join(", ") }
    })
}

/// Most candidates that are named.
const NAMED: usize = 20;

/// The record that somebody means, in one register or in any.
///
/// # Errors
/// When there is none, or more than one.
pub fn record<D: Desk>(desk: &D, register: Option<u32>, written: &str) -> Result<RecordId, FindError> {
    let written = written.trim();
    if let Ok(id) = written.parse::<RecordId>() {
        return match desk.view(id)? {
            Some(_) => Ok(id),
            None => Err(FindError::None(written.to_owned())),
        };
    }
    let mut found = Vec::new();
    for def in registers().iter().filter(|def| register.is_none_or(|wanted| wanted == def.number)) {
        if let Some(value) = natural(def, written) {
            found.extend(desk.find(def.number, &[value])?);
        }
    }
    if found.is_empty() {
        let (name, own) = (text::no_space(written), Carried::new(written));
        let is =
            // Of any register only people are meant by a name; who was asked for in one may be known by nothing else.
            |record: &Record| own.is_in(record) || ((register.is_some() || record.register == number::RESIDENT) && has_name(record, &name));
        found = desk.matching(register, &is)?;
        if let Some(register) = register.filter(|_| found.is_empty()) {
            found = of_person(desk, register, &name)?;
        }
        // What a community has one of, as its facility or its title, is its own.
        let of_units =
            register.and_then(|number| registers().get(number)).filter(|def| def.subject == Subject::UnitSubject);
        if let Some(def) = of_units.filter(|_| found.is_empty())
            && let Some(of) = written.parse().ok().or_else(|| unit(desk, written).ok())
        {
            found = desk.matching(Some(def.number), &|record| home_unit(record) == Some(of))?;
        }
    }
    found.sort_unstable();
    found.dedup();
    // Of several the one that stands is meant: not one that was voided, or merged into another.
    if found.len() > 1 {
        let mut standing = Vec::with_capacity(found.len());
        for id in &found {
            standing.extend(desk.view(*id)?.filter(is_active).map(|_| *id));
        }
        if !standing.is_empty() {
            found = standing;
        }
    }
    match found[..] {
        [] => Err(FindError::None(written.to_owned())),
        [one] => Ok(one),
        _ => {
            let (mut lines, mut room) = (Vec::new(), limits::TOLD_CHARS - 200);
            for id in found.iter().take(NAMED) {
                let line = line(desk, *id)?;
                let Some(rest) = room.checked_sub(line.chars().count() + 1) else { break };
                room = rest;
                lines.push(line);
            }
            Err(FindError::Several { written: written.to_owned(), all: found.len(), found: lines })
        }
    }
}

/// The record that a field refers to, named as everywhere. One that is named by its own number may not be here yet.
///
/// # Errors
/// When there is none of that name, or more than one.
pub fn referred<D: Desk>(desk: &D, refers: Refers, written: &str) -> Result<RecordId, FindError> {
    if let Ok(id) = written.trim().parse() {
        return Ok(id);
    }
    let register = if let Refers::To(register) = refers { Some(register) } else { None };
    record(desk, register, written)
}

/// The unit that a field of a form names: by its code, its name, or its street's name and its own.
///
/// # Errors
/// When no unit of the city, or more than one, is named so.
pub fn unit<D: Desk>(desk: &D, written: &str) -> Result<OrgCode, FindError> {
    Units::new(desk.tree(), desk.unit()).anywhere(written).ok_or_else(|| FindError::NoUnit(written.trim().to_owned()))
}

/// The records of a register that are about somebody of a name, or about a household of which that is the head.
fn of_person<D: Desk>(desk: &D, register: u32, name: &str) -> Result<Vec<RecordId>, SaveError> {
    let persons = desk.matching(Some(number::RESIDENT), &|record| has_name(record, name))?;
    if persons.is_empty() || register == number::RESIDENT {
        return Ok(Vec::new());
    }
    let is_head =
        |record: &Record| record.reference(field::household::HEAD_PERSON).is_some_and(|head| persons.contains(&head));
    if register == number::HOUSEHOLD {
        return desk.matching(Some(register), &is_head);
    }
    let households = desk.matching(Some(number::HOUSEHOLD), &is_head)?;
    let whose: HashSet<RecordId> = persons.into_iter().chain(households).collect();
    let refs = registers().get(register).map(|def| def.refs.as_slice()).unwrap_or_default();
    let is_about =
        |record: &Record| refs.iter().any(|tag| record.reference(*tag).is_some_and(|of| whose.contains(&of)));
    desk.matching(Some(register), &is_about)
}

/// What is written as the value of a register's natural key, where that is one text.
fn natural(def: &RegisterDef, written: &str) -> Option<Value> {
    let [tag] = def.key[..] else { return None };
    let field = def.field(tag)?;
    let is_text = matches!(field.shape, Shape::Text) && field.codes.is_none();
    is_text.then(|| Value::parse(field, written).ok()).flatten().map(|(value, _)| value)
}

/// Whether a record has exactly this name.
fn has_name(record: &Record, name: &str) -> bool {
    let tag = registers().get(record.register).and_then(|def| def.field_named("name")).map(|field| field.tag);
    tag.and_then(|tag| record.slice(tag)).is_some_and(|held| held == name.as_bytes())
}

/// A number that papers carry: of a household, a case, a certificate, a post, an archive.
struct Carried {
    written: String,
}

impl Carried {
    fn new(written: &str) -> Self {
        Self { written: text::no_space(written) }
    }

    fn is_in(&self, record: &Record) -> bool {
        let Some(def) = registers().get(record.register).filter(|_| !self.written.is_empty()) else { return false };
        let numbers = def.fields.iter().filter(|field| field.name.ends_with("_no") || field.name == "number");
        numbers
            .filter(|field| matches!(field.shape, Shape::Text) && !field.many)
            .any(|field| record.slice(field.tag).is_some_and(|held| held == self.written.as_bytes()))
    }
}

fn line<D: Desk>(desk: &D, id: RecordId) -> Result<String, SaveError> {
    let Some(record) = desk.view(id)? else { return Ok(id.to_string()) };
    let def = registers().get(record.register);
    let text = |name: &str| {
        let tag = def?.field_named(name)?.tag;
        record.slice(tag).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    let unit = home_unit(&record).map(|unit: OrgCode| desk.tree().name(unit)).unwrap_or_default();
    let words = [def.map(|def| def.zh.clone()), text("name"), Some(unit), text("address"), Some(id.to_string())];
    Ok(words.into_iter().flatten().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("  "))
}
