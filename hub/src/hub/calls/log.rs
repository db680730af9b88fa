//! The audit log as people read it: with the names of units and computers, and the months of closings.

use super::Calls;
use crate::{
    audit_log,
    state::readers,
    store::{Space, View},
    totals::children,
};
use std::collections::HashMap;
use taizhang_node::caller::Refusal;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::home_unit,
    limits::{self, AUDIT_LINES},
    org::UnitTree,
    pb,
    register::{field, number},
};

/// The month and unit of a closing that is named by its id; none of any other record, and where it can't be read.
fn month_of(view: &dyn View, tree: &UnitTree, id: &str) -> Option<String> {
    let id: RecordId = id.parse().ok()?;
    let record = Record::decode(view.get(Space::Records, &id.0).ok()??).ok()?;
    let month = record.slice(field::period_close::MONTH).filter(|_| record.register == number::PERIOD_CLOSE)?;
    let unit = home_unit(&record).map(|unit| tree.name(unit)).unwrap_or_default();
    Some(format!("{} {unit}", String::from_utf8_lossy(month)))
}

/// A unit's name; empty of none, and where the tree does not have it.
fn name_of(tree: &UnitTree, unit: u64) -> String {
    OrgCode::new(unit).ok().filter(|unit| tree.contains(*unit)).map(|unit| tree.name(unit)).unwrap_or_default()
}

impl Calls {
    /// The newest lines of the audit log.
    pub(in crate::hub) fn audit_log(&self, limit: u32) -> Result<pb::AuditLogAnswer, Refusal> {
        let limit = limits::lines(limit, AUDIT_LINES);
        let core = &self.hub.core;
        let (view, tree) = (core.view(), core.tree());
        let newest = audit_log::newest(view.as_ref(), limit, |_| true)?;
        let of_units = children(view.as_ref())?.into_iter().map(|row| (row.id, name_of(&tree, row.unit)));
        let of_readers = readers::all(core)?.into_iter().map(|reader| (reader.id, reader.name));
        let computers: HashMap<_, _> = of_units.chain(of_readers).collect();
        let named = |word: &str| match (word.parse::<OrgCode>(), computers.get(word)) {
            (Ok(unit), _) => tree.name(unit),
            (_, Some(name)) => format!("{name}({word})"),
            _ => month_of(view.as_ref(), &tree, word).unwrap_or_else(|| word.to_owned()),
        };
        let line = |entry: audit_log::Entry| {
            let words: Vec<String> = entry.of.split(' ').map(named).collect();
            pb::AuditEntry {
                role: entry.role().code().to_owned(),
                at: entry.at,
                by: entry.by,
                unit: entry.unit,
                what: entry.what,
                reason: entry.reason,
                unit_name: name_of(&tree, entry.unit),
                named: words.join(" "),
                of: entry.of,
            }
        };
        Ok(pb::AuditLogAnswer { entries: newest.into_iter().map(line).collect() })
    }
}
