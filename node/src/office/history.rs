//! A record's whole story, as its office reads it: what stands, what stood, what lost by which rule, and what a reviewer
//! decided and why.

use crate::{ledger::Ledger, store::StoreError};
use taizhang_proto::{
    OrgCode, RecordId,
    pb::{self, HistoryLine},
    register::{RegisterDef, Value, registers},
    wire,
};

/// The story of a record; none when the office has no such record.
///
/// # Errors
/// When the store fails.
pub fn story(ledger: &Ledger, id: RecordId) -> Result<Option<pb::HistoryAnswer>, StoreError> {
    let Some(record) = ledger.view(id)? else { return Ok(None) };
    let Some(def) = registers().get(record.register) else { return Ok(None) };
    let units = ledger.units();
    let office = |unit: u64| OrgCode::new(unit).map(|unit| units.name(unit)).unwrap_or_default();
    let mut lines = Vec::new();
    for standing in &record.fields {
        let origin = &record.origins[standing.origin];
        let line = HistoryLine {
            stands: true,
            by: origin.by.clone(),
            office: office(origin.unit),
            at: origin.received,
            ..HistoryLine::default()
        };
        lines.extend(shown(def, standing.field.tag, &standing.field.bytes, line));
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
                office: office(origin.unit),
                at: origin.received,
                rule: entry.rule.clone(),
                decided_by: ruling.by.clone(),
                reason: ruling.reason.clone(),
                decided_at: ruling.at,
                ..HistoryLine::default()
            };
            lines.extend(shown(def, *tag, &bytes.unwrap_or_default(), line));
        }
    }
    Ok(Some(pb::HistoryAnswer { register: def.zh.clone(), lines }))
}

fn shown(def: &RegisterDef, tag: u32, bytes: &[u8], line: HistoryLine) -> Option<HistoryLine> {
    let field = def.field(tag)?;
    let value =
        if bytes.is_empty() { "（空）(nothing)".to_owned() } else { Value::decode(field, bytes)?.show(field) };
    Some(HistoryLine { field: field.name.clone(), label: field.zh.clone(), value, ..line })
}
