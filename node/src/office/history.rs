//! A record's whole story, as its office reads it: what stands, what stood, what lost by which rule, and what a reviewer
//! decided and why.

use crate::{
    desk::{Desk, SaveError},
    exchange::{People, with_code},
    ledger::{Ledger, LedgerDesk, read_edit},
    show,
    store::RefusedChange,
};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::home_unit,
    pb::{self, Format, HistoryLine},
    register::{FieldDef, RegisterDef, Value, registers},
};

/// The story of a record at an office; none when the office has no such record.
///
/// # Errors
/// When the store fails.
pub fn story(ledger: &Ledger, id: RecordId) -> Result<Option<pb::HistoryAnswer>, SaveError> {
    let mut refused = ledger.refusals()?;
    refused.retain(|(_, refusal)| read_edit(&refusal.change).is_ok_and(|edit| edit.id == id));
    let refused: Vec<RefusedChange> = refused.into_iter().map(|(_, refusal)| refusal).collect();
    let desk = LedgerDesk::new(ledger);
    let past = Past { history: ledger.history(id)?, replaced: ledger.replaced_here(id)?, refused };
    tell(&desk, id, ledger.view(id)?.as_ref(), past)
}

/// What does not stand in a record.
#[derive(Default)]
pub struct Past {
    /// As the hub keeps it.
    pub history: Vec<pb::Superseded>,
    /// Replaced at this office and not yet sent up: field, its bytes, where they came from.
    pub replaced: Vec<(u32, bytes::Bytes, pb::Origin)>,
    /// What the hub refused.
    pub refused: Vec<RefusedChange>,
}

/// A record's story: what stands, what stood, and what was refused; none where there is nothing of it.
///
/// # Errors
/// When the desk fails.
pub fn tell<D: Desk>(
    desk: &D,
    id: RecordId,
    record: Option<&Record>,
    past: Past,
) -> Result<Option<pb::HistoryAnswer>, SaveError> {
    let Past { history: mut past, replaced, refused } = past;
    let edits = refused.iter().map(|refusal| read_edit(&refusal.change)).collect::<Result<Vec<_>, _>>()?;
    // A record that the hub never took is readable all the same.
    let register = record.map(|record| record.register).or(edits.last().map(|edit| edit.register));
    let Some(def) = register.and_then(|register| registers().get(register)) else { return Ok(None) };
    let (units, mut reader) = (desk.tree(), Reader::new(def, desk));
    let office = |origin: &pb::Origin| show::office_of(units, origin);
    let mut lines = Vec::new();
    for (standing, origins) in record.iter().flat_map(|record| record.fields.iter().map(|one| (one, &record.origins))) {
        let origin = &origins[standing.origin];
        let line = HistoryLine {
            stands: true,
            by: origin.by.clone(),
            office: office(origin),
            at: origin.received,
            revision: numbered(origin),
            ..HistoryLine::default()
        };
        lines.extend(reader.shown(standing.field.tag, &standing.field.bytes, line)?);
    }
    // What was replaced here and has not been up yet, the latest first.
    for (tag, bytes, origin) in replaced.into_iter().rev() {
        let line = HistoryLine {
            by: origin.by.clone(),
            office: office(&origin),
            at: origin.received,
            rule: "待上报的更改 (replaced here, not yet sent up)".into(),
            ..HistoryLine::default()
        };
        lines.extend(reader.shown(tag, &bytes, line)?);
    }
    past.sort_by_key(|entry| std::cmp::Reverse(entry.replaced_by));
    for entry in past {
        let said = entry.said();
        let origin = entry.origin.unwrap_or_default();
        let ruling = entry.ruling.unwrap_or_default();
        for field in said {
            let line = HistoryLine {
                by: origin.by.clone(),
                office: office(&origin),
                at: origin.received,
                revision: numbered(&origin),
                rule: entry.rule.clone(),
                decided_by: show::reviewer_of(units, &ruling),
                reason: both(&ruling.reason, &entry.reason),
                decided_at: ruling.at,
                ..HistoryLine::default()
            };
            lines.extend(reader.shown(field.tag, &field.bytes, line)?);
        }
    }
    for (refusal, edit) in refused.into_iter().zip(edits) {
        let (why, end) = (refusal.why.unwrap_or_default(), refusal.end.unwrap_or_default());
        let reason = both(&end.reason, &why.message);
        for field in &edit.fields {
            let line = HistoryLine {
                by: edit.by.clone(),
                office: units.name(desk.unit()),
                at: refusal.at,
                rule: format!("退回 (refused: {})", why.rule),
                decided_by: end.by.clone(),
                reason: reason.clone(),
                decided_at: end.at,
                ..HistoryLine::default()
            };
            lines.extend(reader.shown(field.tag, &field.bytes, line)?);
        }
    }
    Ok(Some(pb::HistoryAnswer {
        register: def.zh.clone(),
        lines,
        record: id.to_string(),
        unit: record.and_then(home_unit).map(|unit| with_code(units, unit)).unwrap_or_default(),
        on: desk.today(),
    }))
}

/// The hub's revision at which a word came; 0 where it waits to be sent.
fn numbered(origin: &pb::Origin) -> u64 {
    if origin.revision == u64::MAX { 0 } else { origin.revision }
}

/// Two reasons as one text.
fn both(one: &str, two: &str) -> String {
    [one, two].into_iter().filter(|reason| !reason.is_empty()).collect::<Vec<_>>().join("；")
}

/// A record's fields as people read them, with names for what they refer to.
///
/// # Errors
/// When the desk fails.
pub fn row<D: Desk>(desk: &D, id: RecordId, record: &Record) -> Result<pb::Row, SaveError> {
    let mut fields = Vec::new();
    if let Some(def) = registers().get(record.register) {
        let mut reader = Reader::new(def, desk);
        for standing in record.fields.iter().filter(|standing| !standing.field.bytes.is_empty()) {
            fields.extend(reader.fact(standing.field.tag, &standing.field.bytes)?);
        }
    }
    Ok(pb::Row { record: id.to_string(), fields })
}

/// What a value stands for where people read it by a word: the code of a list, a unit, a record.
fn code(field: &FieldDef, value: &Value) -> Option<String> {
    match (field.format, value) {
        (Format::Code, Value::Text(code)) => Some(code.clone()),
        (Format::Unit, Value::Uint(unit)) => Some(unit.to_string()),
        (_, Value::Ref(id)) => Some(id.to_string()),
        _ => None,
    }
}

/// The values of a list, each as people read it.
fn items(field: &FieldDef, value: &Value) -> Vec<pb::Item> {
    let Value::Many(values) = value else { return Vec::new() };
    let item = |value: &Value| pb::Item { value: value.show(field), code: code(field, value).unwrap_or_default() };
    values.iter().map(item).collect()
}

/// Reads values of one register's records as people do: a person by name, a unit by name, each with its number.
pub struct Reader<'a, D> {
    def: &'a RegisterDef,
    desk: &'a D,
    people: People<'a, D>,
}

impl<'a, D: Desk> Reader<'a, D> {
    /// A reader of one register's values at a desk.
    pub fn new(def: &'a RegisterDef, desk: &'a D) -> Self {
        Self { def, desk, people: People::new(desk) }
    }

    /// A field with its value; none for a field that this build does not know.
    ///
    /// # Errors
    /// When the desk fails.
    pub fn fact(&mut self, tag: u32, bytes: &[u8]) -> Result<Option<pb::Fact>, SaveError> {
        let Some(field) = self.def.field(tag) else { return Ok(None) };
        let line = self.shown(tag, bytes, HistoryLine::default())?;
        let en = field.en.clone();
        Ok(line.map(|line| {
            let HistoryLine { field: key, label: zh, value, code, items, .. } = line;
            pb::Fact { key, zh, en, value, code, items }
        }))
    }

    /// A line with a field's value in it; none for a field that this build does not know.
    ///
    /// # Errors
    /// When the desk fails.
    pub fn shown(&mut self, tag: u32, bytes: &[u8], line: HistoryLine) -> Result<Option<HistoryLine>, SaveError> {
        let Some(field) = self.def.field(tag) else { return Ok(None) };
        let line = HistoryLine { field: field.name.clone(), label: field.zh.clone(), ..line };
        if bytes.is_empty() {
            return Ok(Some(HistoryLine { value: show::NOTHING.to_owned(), ..line }));
        }
        let Some(value) = Value::decode(field, bytes) else { return Ok(None) };
        let (code, items) = (code(field, &value).unwrap_or_default(), items(field, &value));
        let value = match value {
            Value::Ref(id) => match (self.people.name(id)?, id.to_string()) {
                (name, id) if name == id => id,
                (name, id) => format!("{name} ({id})"),
            },
            Value::Uint(code) if field.format == Format::Unit => {
                OrgCode::new(code).map_or_else(|_| code.to_string(), |unit| with_code(self.desk.tree(), unit))
            }
            value => value.show(field),
        };
        Ok(Some(HistoryLine { value, code, items, ..line }))
    }
}
