//! What of a record is looked at in a search. Invariant: a row is a function of the record as it is seen, and nothing else.

use super::{Fit, Kind, MAX_WORDS, Query, fit, folded};
use std::{collections::HashMap, sync::OnceLock};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{home_unit, is_active},
    pb::{Format, Subject},
    register::{FieldDef, MERGED_INTO, RegisterDef, Shape, field, number, registers},
};

/// How each word of a query fits a row.
pub(super) type Fits = [Option<Fit>; MAX_WORDS];

/// What is looked at of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub(super) register: u32,
    /// Whether it is neither void nor merged into another.
    pub(super) stands: bool,
    unit: u64,
    /// Who a household is named by.
    pub(super) head: Option<RecordId>,
    /// Each text on a line of its own, behind a sign for its kind.
    texts: Box<str>,
}

/// The fields that are looked at, by register.
fn looked_at() -> &'static HashMap<u32, Vec<(u32, Kind)>> {
    static FIELDS: OnceLock<HashMap<u32, Vec<(u32, Kind)>>> = OnceLock::new();
    FIELDS.get_or_init(|| {
        let of = |def: &RegisterDef| {
            let fields = def.fields.iter().filter_map(|field| Some((field.tag, kind_of(def, field)?)));
            (def.number, fields.collect::<Vec<_>>())
        };
        registers().iter().map(of).filter(|(_, fields)| !fields.is_empty()).collect()
    })
}

fn kind_of(def: &RegisterDef, field: &FieldDef) -> Option<Kind> {
    if !matches!(field.shape, Shape::Text) || field.codes.is_some() || field.many {
        return None;
    }
    match (field.format, field.name.as_str()) {
        (Format::PersonName, _) => Some(Kind::Name),
        (Format::CitizenId, _) | (_, "id_no_15" | "other_no") => Some(Kind::IdNo),
        (Format::Phone, _) => Some(Kind::Phone),
        (_, name) if name.contains("address") => Some(Kind::Address),
        (_, name) if name.ends_with("_no") || name == "number" => Some(Kind::Number),
        // What a person is called is in the resident's record: a skill's name names nobody.
        (_, "name" | "title" | "employer") if def.subject != Subject::Person => Some(Kind::Name),
        _ => None,
    }
}

impl Row {
    /// What is looked at of a record; none where there is nothing.
    pub fn of(record: &Record) -> Option<Self> {
        let fields = looked_at().get(&record.register)?;
        let mut texts = String::new();
        for (tag, kind) in fields {
            let Some(held) = record.slice(*tag).and_then(|bytes| std::str::from_utf8(bytes).ok()) else { continue };
            push(&mut texts, *kind, held);
        }
        let head =
            (record.register == number::HOUSEHOLD).then(|| record.reference(field::household::HEAD_PERSON)).flatten();
        if texts.is_empty() && head.is_none() {
            return None;
        }
        Some(Self {
            register: record.register,
            stands: is_active(record) && record.bytes(MERGED_INTO).is_none(),
            unit: home_unit(record).map_or(0, OrgCode::number),
            head,
            texts: texts.into_boxed_str(),
        })
    }

    /// What is looked at of a unit: its name and its code. It is of no register.
    pub(super) fn of_unit(unit: OrgCode, name: &str) -> Self {
        let mut texts = String::new();
        push(&mut texts, Kind::Name, name);
        push(&mut texts, Kind::Number, &unit.to_string());
        Self { register: 0, stands: true, unit: unit.number(), head: None, texts: texts.into_boxed_str() }
    }

    /// How each word fits.
    pub(super) fn fits(&self, query: &Query) -> Fits {
        let mut fits = Fits::default();
        for line in self.texts.lines() {
            let mut signs = line.chars();
            let Some(kind) = signs.next().and_then(kind_from) else { continue };
            for (best, word) in fits.iter_mut().zip(&query.words) {
                let found = fit(kind, signs.as_str(), word);
                *best = best.iter().chain(&found).min().copied();
            }
        }
        fits
    }

    /// Whether the query asks for rows of this register and unit.
    pub(super) fn is_asked(&self, query: &Query) -> bool {
        let unit = || OrgCode::new(self.unit).ok();
        query.register.is_none_or(|wanted| wanted == self.register)
            && query.unit.is_none_or(|wanted| unit().is_some_and(|unit| wanted.covers(unit)))
    }
}

fn push(texts: &mut String, kind: Kind, written: &str) {
    let mut text = folded(written);
    if kind == Kind::Phone {
        text.retain(|sign| sign != '-');
    }
    if !text.is_empty() {
        texts.push(sign_of(kind));
        texts.push_str(&text);
        texts.push('\n');
    }
}

fn sign_of(kind: Kind) -> char {
    match kind {
        Kind::Name => 'n',
        Kind::IdNo => 'i',
        Kind::Phone => 'p',
        Kind::Address => 'a',
        Kind::Number => 'o',
    }
}

fn kind_from(sign: char) -> Option<Kind> {
    [Kind::Name, Kind::IdNo, Kind::Phone, Kind::Address, Kind::Number].into_iter().find(|kind| sign_of(*kind) == sign)
}
