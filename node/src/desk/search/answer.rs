//! What was found as it is shown: each with name, unit, number, phone and address, so that the right one can be told.

use super::{Fit, Found, Query, finder::whole, row::Row};
use crate::desk::{Desk, SaveError};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{home_unit, is_active},
    pb,
    register::{MERGED_INTO, RegisterDef, registers},
};

/// The lines for what was found, and behind them the units of that name below the desk's own, as far as there is room.
///
/// # Errors
/// When the desk fails.
pub fn answer<D: Desk>(desk: &D, query: &Query, found: Found, limit: usize) -> Result<pb::SearchAnswer, SaveError> {
    let mut answer = pb::SearchAnswer { total: found.total, ..pb::SearchAnswer::default() };
    for (id, fit) in found.hits {
        // It may have left between the search and now.
        if let Some(record) = desk.view(id)? {
            answer.hits.push(hit(desk, id, &record, fit)?);
        }
    }
    if !query.wants_units() {
        return Ok(answer);
    }
    let tree = desk.tree();
    let mut units: Vec<(Fit, OrgCode, &str)> = tree
        .below(desk.unit())
        .filter_map(|unit| {
            let row = Row::of_unit(unit.code, &unit.name);
            let fit = row.is_asked(query).then(|| whole(query, row.fits(query))).flatten()?;
            Some((fit, unit.code, unit.name.as_str()))
        })
        .collect();
    units.sort_unstable();
    answer.total += units.len() as u64;
    for (fit, unit, name) in units.into_iter().take(limit.saturating_sub(answer.hits.len())) {
        answer.hits.push(pb::SearchHit {
            record: unit.to_string(),
            register: "unit".into(),
            register_zh: "单位".into(),
            title: name.to_owned(),
            unit: unit.number(),
            unit_name: unit.parent().map(|parent| tree.name(parent)).unwrap_or_default(),
            number: unit.to_string(),
            fits: fit.name().into(),
            ..pb::SearchHit::default()
        });
    }
    Ok(answer)
}

fn hit<D: Desk>(desk: &D, id: RecordId, record: &Record, fit: Fit) -> Result<pb::SearchHit, SaveError> {
    let Some(def) = registers().get(record.register) else { return Ok(pb::SearchHit::default()) };
    let of = |names: &[&str]| first(def, record, names);
    let unit = home_unit(record);
    let mut hit = pb::SearchHit {
        record: id.to_string(),
        register: def.name.clone(),
        register_zh: def.zh.clone(),
        title: of(&["name", "title", "employer"]),
        unit: unit.map_or(0, OrgCode::number),
        unit_name: unit.map(|unit| desk.tree().name(unit)).unwrap_or_default(),
        number: of(&["id_no", "other_no", "hh_no", "case_no", "number", "cert_no", "reg_no", "hukou_book_no"]),
        phone: of(&["phone", "phone2"]),
        address: of(&["address", "hukou_address"]),
        state: state(record).into(),
        fits: fit.name().into(),
    };
    if hit.number.is_empty() {
        let numbers = def.fields.iter().filter(|field| field.name.ends_with("_no")).map(|field| field.name.as_str());
        hit.number = of(&numbers.collect::<Vec<_>>());
    }
    // A household goes by its head, a person's papers by the person.
    let named_by = ["head_person", "person"].iter().find_map(|name| record.reference(def.field_named(name)?.tag));
    if let Some(person) = named_by.filter(|_| hit.title.is_empty())
        && let Some(person) = desk.view(person)?
        && let Some(def) = registers().get(person.register)
    {
        hit.title = first(def, &person, &["name"]);
        if hit.phone.is_empty() {
            hit.phone = first(def, &person, &["phone", "phone2"]);
        }
    }
    Ok(hit)
}

/// The first of these texts that the record has.
fn first(def: &RegisterDef, record: &Record, names: &[&str]) -> String {
    let held = names.iter().find_map(|name| record.slice(def.field_named(name)?.tag));
    held.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
}

fn state(record: &Record) -> &'static str {
    match (is_active(record), record.bytes(MERGED_INTO).is_some()) {
        (_, true) => "已并入",
        (false, _) => "作废",
        (true, false) => "",
    }
}
