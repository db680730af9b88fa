//! A register page by page, and everything that is around one record. Invariant: what is shown is what stands, as the desk sees it;
//! nothing is worked out here that a total would count otherwise.

use super::{Office, history, title};
use crate::{
    caller::Refusal,
    desk::{Desk, SaveError},
    exchange::People,
    ledger::LedgerDesk,
};
use std::cmp::Ordering;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{Shelf, home_unit, is_active},
    date::Day,
    pb::{self, Format},
    register::{FieldDef, RegisterDef, Shape, Value, field, number, registers},
};

/// Which records of a register are wanted, in which order.
#[derive(Debug, Clone, Default)]
pub struct Browse {
    /// The field by whose value they are put in order; as they were entered where there is none.
    pub sort: Option<u32>,
    /// The last first.
    pub descending: bool,
    /// Of this unit and below; all where there is none.
    pub unit: Option<OrgCode>,
    /// One coded field's code.
    pub only: Option<(u32, String)>,
    /// Those that were voided or merged into others, too.
    pub all: bool,
    /// Records left out before the first, and most of them.
    pub skip: usize,
    /// Most of them.
    pub take: usize,
}

/// One record on a page.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its id.
    pub id: RecordId,
    /// Whether it stands.
    pub stands: bool,
    /// Its unit, as people read it.
    pub unit: String,
    /// Its values, as people read them.
    pub facts: Vec<pb::Fact>,
}

/// One record that refers to another.
#[derive(Debug, Clone)]
pub struct Around {
    /// Its register.
    pub register: &'static RegisterDef,
    /// The day that it is about, where it has one.
    pub day: Option<Day>,
    /// Itself.
    pub line: Line,
    /// Whose it is.
    pub title: String,
}

/// What orders values: numbers and days by their size, everything else as it is written.
fn key(field: &FieldDef, record: &Record) -> (i64, String) {
    let Some(value) = record.bytes(field.tag).and_then(|bytes| Value::decode(field, bytes)) else {
        return (i64::MAX, String::new()); // what says nothing comes last
    };
    match (field.shape, &value) {
        (Shape::Sint, Value::Day(day)) => (i64::from(*day), String::new()),
        (Shape::Uint, Value::Uint(number)) => ((*number).min(i64::MAX as u64 - 1) as i64, String::new()),
        _ => (0, value.show(field)),
    }
}

/// The field by which a record has its place in a story: the first day that is its own.
fn day_field(def: &RegisterDef) -> Option<u32> {
    def.fields
        .iter()
        .find(|one| one.tag >= taizhang_proto::register::FIRST_OWN && one.format == Format::Date)
        .map(|one| one.tag)
}

fn line(desk: &LedgerDesk<'_>, id: RecordId, record: &Record) -> Result<Line, SaveError> {
    let unit = home_unit(record).map(|unit| desk.tree().name(unit)).unwrap_or_default();
    Ok(Line { id, stands: is_active(record), unit, facts: history::row(desk, id, record)?.fields })
}

impl Office {
    /// Records of a register, and how many there are of these.
    ///
    /// # Errors
    /// When the store fails.
    pub fn browse(&self, def: &'static RegisterDef, wanted: &Browse) -> Result<(Vec<Line>, u64), Refusal> {
        let desk = LedgerDesk::new(&self.ledger);
        let field = wanted.sort.and_then(|tag| def.field(tag));
        // Of a whole register no more is held than what puts it in order.
        let mut found = Vec::new();
        for id in self.ledger.ids(def.number)? {
            let Some(record) = desk.view(id)? else { continue };
            let owner = home_unit(&record);
            let is_there = wanted.unit.is_none_or(|unit| owner.is_some_and(|owner| unit.covers(owner)));
            let stands = wanted.all || is_active(&record);
            let has = |(tag, code): &(u32, String)| {
                let value = def.field(*tag).and_then(|field| Value::decode(field, record.bytes(*tag)?));
                match value {
                    Some(Value::Text(own)) => own == *code,
                    Some(Value::Many(all)) => all.contains(&Value::Text(code.clone())),
                    _ => false,
                }
            };
            if is_there && stands && wanted.only.as_ref().is_none_or(has) {
                found.push((field.map(|field| key(field, &record)), id));
            }
        }
        let total = found.len() as u64;
        if field.is_some() {
            found.sort();
        }
        if wanted.descending {
            found.reverse();
        }
        let mut lines = Vec::new();
        for (_, id) in found.into_iter().skip(wanted.skip).take(wanted.take) {
            if let Some(record) = desk.view(id)? {
                lines.push(line(&desk, id, &record)?);
            }
        }
        Ok((lines, total))
    }

    /// A record with its register, as people read it.
    ///
    /// # Errors
    /// When there is none, or the store fails.
    pub fn record(&self, id: RecordId) -> Result<(&'static RegisterDef, Record, Line), Refusal> {
        let desk = LedgerDesk::new(&self.ledger);
        let record = desk.view(id)?.ok_or_else(|| Refusal::unknown("本机没有此记录 (no such record here)"))?;
        let def = registers().get(record.register);
        let def =
            def.ok_or_else(|| Refusal::refused("此记录属于新版本的登记表，请升级 (a register of a newer version)"))?;
        let line = line(&desk, id, &record)?;
        Ok((def, record, line))
    }

    /// Whose a record is, in a word; its register's name where nobody's.
    ///
    /// # Errors
    /// When the store fails.
    pub fn title_of(&self, id: RecordId, record: &Record) -> Result<String, Refusal> {
        let desk = LedgerDesk::new(&self.ledger);
        let named = title::title(&mut People::new(&desk), (id, record))?;
        let register = || registers().get(record.register).map(|def| def.zh.clone()).unwrap_or_default();
        Ok(named.filter(|title| !title.is_empty()).unwrap_or_else(register))
    }

    /// The records that refer to one, those that stand, the latest day first.
    ///
    /// # Errors
    /// When the store fails.
    pub fn around(&self, id: RecordId) -> Result<Vec<Around>, Refusal> {
        let desk = LedgerDesk::new(&self.ledger);
        let mut people = People::new(&desk);
        let mut found = Vec::new();
        for (register, about) in Shelf::about(self.ledger.as_ref(), id)? {
            let (Some(def), Some(record)) = (registers().get(register), desk.view(about)?) else { continue };
            if !is_active(&record) || about == id {
                continue;
            }
            let title = title::title(&mut people, (about, &record))?.unwrap_or_default();
            let day = day_field(def).and_then(|tag| record.day(tag));
            found.push(Around { register: def, day, line: line(&desk, about, &record)?, title });
        }
        found.sort_by(|one, other| match other.day.cmp(&one.day) {
            Ordering::Equal => other.line.id.cmp(&one.line.id),
            by_day => by_day,
        });
        found.dedup_by_key(|one| one.line.id);
        Ok(found)
    }

    /// The households of a person: each with its other members.
    ///
    /// # Errors
    /// When the store fails.
    pub fn family(&self, person: RecordId) -> Result<Vec<(RecordId, Vec<Around>)>, Refusal> {
        let mut households = Vec::new();
        for (register, member) in Shelf::about(self.ledger.as_ref(), person)? {
            if register != number::MEMBER {
                continue;
            }
            let Some(record) = self.ledger.view(member)?.filter(is_active) else { continue };
            let Some(household) = record.reference(field::member::HOUSEHOLD) else { continue };
            if !households.contains(&household) {
                households.push(household);
            }
        }
        let of = |household: RecordId| {
            let mut around = self.around(household)?;
            around.retain(|one| one.register.number == number::MEMBER);
            Ok((household, around))
        };
        households.into_iter().map(of).collect()
    }
}
