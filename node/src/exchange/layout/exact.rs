//! The layouts of what the export writes, one for each register, made from the register itself: what goes out comes back,
//! every column by its label and nothing made beside the record.

use super::{Layout, Role, Target, folded};
use std::{collections::HashMap, sync::OnceLock};
use taizhang_proto::{
    pb::Format,
    register::{FieldDef, HOME_UNIT, Refers, RegisterDef, STATE, number, registers},
};

/// Heading of the column for the record's own id.
pub(in crate::exchange) const RECORD: &str = "记录编号";

/// Heading of a field: its label, with the field's name where another one before it has the same.
pub(in crate::exchange) fn heading(def: &RegisterDef, field: &FieldDef) -> String {
    let again = def.fields.iter().any(|other| other.tag < field.tag && other.zh == field.zh);
    if again { format!("{}({})", field.zh, field.name) } else { field.zh.clone() }
}

/// Whether a reference is to somebody who has a name, or to the household of somebody.
pub(in crate::exchange) fn is_to_person(field: &FieldDef) -> bool {
    matches!(field.refers, Some(Refers::To(number::RESIDENT | number::HOUSEHOLD | number::ASSISTANT)))
}

/// Heading of the column for the id number of the person that a reference leads to.
pub(in crate::exchange) fn number_heading(def: &RegisterDef, field: &FieldDef) -> String {
    format!("{}公民身份号码", heading(def, field))
}

/// Heading of the column for the id of the record that a reference to a person leads to.
pub(in crate::exchange) fn id_heading(def: &RegisterDef, field: &FieldDef) -> String {
    format!("{}的记录编号", heading(def, field))
}

/// The layout whose export wrote these headings; `titled` are the sheet's name and what stands above the headings. A clerk may
/// have taken columns away, but never those that every export has.
pub(super) fn of(headings: &[String], titled: &[String]) -> Option<&'static Layout> {
    let keys: Vec<String> = headings.iter().map(|heading| folded(heading)).filter(|key| !key.is_empty()).collect();
    let fits = |layout: &&(&'static RegisterDef, Layout)| {
        let (def, layout) = layout;
        let has = |tag: u32| def.field(tag).is_some_and(|field| keys.contains(&folded(&heading(def, field))));
        let required = def.fields.iter().filter(|field| field.required).all(|field| has(field.tag));
        required
            && has(HOME_UNIT)
            && has(STATE)
            && keys.iter().all(|key| key == "原因" || layout.headings.contains_key(key))
    };
    let named = |def: &RegisterDef| titled.iter().any(|title| title.trim().ends_with(def.zh.as_str()));
    let missing = |layout: &Layout| layout.headings.len().saturating_sub(keys.len());
    layouts().iter().filter(fits).min_by_key(|(def, layout)| (!named(def), missing(layout))).map(|(_, layout)| layout)
}

fn layouts() -> &'static [(&'static RegisterDef, Layout)] {
    static LAYOUTS: OnceLock<Vec<(&'static RegisterDef, Layout)>> = OnceLock::new();
    LAYOUTS.get_or_init(|| registers().iter().map(|def| (def, layout(def))).collect())
}

fn layout(def: &'static RegisterDef) -> Layout {
    let mut headings = HashMap::new();
    for field in &def.fields {
        let target = match field.tag {
            HOME_UNIT => Target::Unit,
            tag if is_to_person(field) => {
                headings.insert(folded(&number_heading(def, field)), Target::RefNumber { tag });
                headings.insert(folded(&id_heading(def, field)), Target::RefId { tag });
                Target::RefName { tag }
            }
            tag => Target::Field { role: 0, tag },
        };
        headings.insert(folded(&heading(def, field)), target);
    }
    headings.insert(folded(RECORD), Target::Record);
    let plain = |field: &&FieldDef| field.required && field.tag != HOME_UNIT && field.format != Format::Ref;
    let must = def.fields.iter().filter(plain).map(|field| field.tag).collect();
    Layout {
        name: def.zh.clone(),
        main: 0,
        identify: Vec::new(),
        spill: HashMap::new(),
        roles: vec![Role { required: true, must, ..Role::of(def) }],
        answers: Vec::new(),
        exact: true,
        headings,
        others: HashMap::new(),
        codes: HashMap::new(),
    }
}
