//! A record's whole story, as its office reads it: what stands, what stood, what lost by which rule, and what a reviewer
//! decided and why.

use crate::{
    desk::{Desk, SaveError},
    exchange::{People, with_code},
    ledger::{Ledger, LedgerDesk},
    show,
};
use taizhang_proto::{
    OrgCode, RecordId,
    cell::home_unit,
    pb::{self, Format, HistoryLine},
    register::{RegisterDef, Value, registers},
    wire,
};

/// The story of a record; none when the office has no such record.
///
/// # Errors
/// When the store fails.
pub fn story(ledger: &Ledger, id: RecordId) -> Result<Option<pb::HistoryAnswer>, SaveError> {
    let Some(record) = ledger.view(id)? else { return Ok(None) };
    let Some(def) = registers().get(record.register) else { return Ok(None) };
    let desk = LedgerDesk::new(ledger);
    let (units, mut reader) = (desk.tree(), Reader { def, desk: &desk, people: People::new(&desk) });
    let office = |origin: &pb::Origin| show::office_of(units, origin);
    let mut lines = Vec::new();
    for standing in &record.fields {
        let origin = &record.origins[standing.origin];
        let line = HistoryLine {
            stands: true,
            by: origin.by.clone(),
            office: office(origin),
            at: origin.received,
            ..HistoryLine::default()
        };
        lines.extend(reader.shown(standing.field.tag, &standing.field.bytes, line)?);
    }
    // What was replaced here and has not been up yet, the latest first.
    for (tag, bytes, origin) in ledger.replaced_here(id)?.into_iter().rev() {
        let line = HistoryLine {
            by: origin.by.clone(),
            office: office(&origin),
            at: origin.received,
            rule: "待上报的更改 (replaced here, not yet sent up)".into(),
            ..HistoryLine::default()
        };
        lines.extend(reader.shown(tag, &bytes, line)?);
    }
    let mut past = ledger.history(id)?;
    past.sort_by_key(|entry| std::cmp::Reverse(entry.replaced_by));
    for entry in past {
        let origin = entry.origin.unwrap_or_default();
        let ruling = entry.ruling.unwrap_or_default();
        let fields = wire::split(&entry.message).unwrap_or_default();
        for tag in &origin.tags {
            let bytes = fields.iter().find(|field| field.tag == *tag).map(|field| field.bytes.clone());
            let line = HistoryLine {
                by: origin.by.clone(),
                office: office(&origin),
                at: origin.received,
                rule: entry.rule.clone(),
                decided_by: ruling.by.clone(),
                reason: ruling.reason.clone(),
                decided_at: ruling.at,
                ..HistoryLine::default()
            };
            lines.extend(reader.shown(*tag, &bytes.unwrap_or_default(), line)?);
        }
    }
    Ok(Some(pb::HistoryAnswer {
        register: def.zh.clone(),
        lines,
        record: id.to_string(),
        unit: home_unit(&record).map(|unit| with_code(units, unit)).unwrap_or_default(),
        on: ledger.business_day(),
    }))
}

/// Reads values of one register's records as people do: a person by name, a unit by name, each with its number.
struct Reader<'a> {
    def: &'a RegisterDef,
    desk: &'a LedgerDesk<'a>,
    people: People<'a, LedgerDesk<'a>>,
}

impl Reader<'_> {
    fn shown(&mut self, tag: u32, bytes: &[u8], line: HistoryLine) -> Result<Option<HistoryLine>, SaveError> {
        let Some(field) = self.def.field(tag) else { return Ok(None) };
        let value = match Value::decode(field, bytes) {
            _ if bytes.is_empty() => "（空）(nothing)".to_owned(),
            None => return Ok(None),
            Some(Value::Ref(id)) => match (self.people.name(id)?, id.to_string()) {
                (name, id) if name == id => id,
                (name, id) => format!("{name} ({id})"),
            },
            Some(Value::Uint(code)) if field.format == Format::Unit => {
                OrgCode::new(code).map_or_else(|_| code.to_string(), |unit| with_code(self.desk.tree(), unit))
            }
            Some(value) => value.show(field),
        };
        Ok(Some(HistoryLine { field: field.name.clone(), label: field.zh.clone(), value, ..line }))
    }
}
