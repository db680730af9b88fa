//! Changes of the tree of units: what belongs to a code that was given up belongs to the code that it became, from the
//! day of the change on; before that day it counts where it was (domain-detail 4, case 15).

use super::{
    commit::{Commit, Known},
    conflicts,
    moves::{past_home, unit_in},
    revise::{self, Hand, number as number_field},
};
use crate::store::{Space, StoreError};
use taizhang_proto::{
    Record, RecordId,
    cell::{PastHome, home_unit},
    change::Edit,
    date::Day,
    org::UnitTree,
    pb::Tier,
    register::HOME_UNIT,
    rule::Rule,
};

impl Known<'_, '_> {
    /// An edit that files under a code that was given up is one of the code that it became. Returns the old one.
    pub(super) fn follow_unit(self, edit: &mut Edit) -> Option<PastHome> {
        let field = edit.fields.iter_mut().find(|field| field.tag == HOME_UNIT)?;
        let old = unit_in(field)?;
        let new = self.tree.current(old, self.core.today());
        if new == old {
            return None;
        }
        *field = number_field(HOME_UNIT, new.number());
        Some(PastHome { until: self.tree.given_up_on(old)?, unit: old })
    }
}

/// Makes every unit of the tree count, and what belongs to a code that was given up belong to its new one.
pub(super) fn set_tree(
    commit: &mut Commit<'_>,
    tree: &UnitTree,
    csv: String,
    version: Option<u64>,
) -> Result<(), StoreError> {
    commit.put_tree(tree, csv, version);
    if commit.core.tier == Tier::City { Ok(()) } else { follow_tree(commit) }
}

/// Moves every record of a code that is given up by today.
pub(super) fn follow_tree(commit: &mut Commit<'_>) -> Result<(), StoreError> {
    let today = commit.core.today();
    let tree = commit.tree.clone();
    let next = tree.aliases().map(|(_, alias)| alias.since).filter(|since| *since > today).min();
    commit.follow_next = Some(next.unwrap_or(Day::MAX));
    if !tree.aliases().any(|(_, alias)| alias.since <= today) {
        return Ok(());
    }
    let mut moving = Vec::new();
    for row in commit.view.prefix(Space::Records, &[]) {
        let (key, value) = row?;
        let wrong = || StoreError::Row(Space::Records);
        let id = RecordId::from_slice(&key).ok_or_else(wrong)?;
        let record = Record::decode(value).map_err(|_| wrong())?;
        if home_unit(&record).is_some_and(|unit| tree.current(unit, today) != unit) {
            moving.push(id);
        }
    }
    for id in moving {
        let Some(record) = commit.record(id)? else { continue };
        let Some(from) = home_unit(&record) else { continue };
        let to = tree.current(from, today);
        let since = tree.given_up_on(from).unwrap_or(today);
        let fields =
            vec![number_field(HOME_UNIT, to.number()), past_home(&record, PastHome { until: since, unit: from })];
        revise::revise(commit, id, record.register, fields, &Hand::rule(Rule::Units))?;
        conflicts::file_conflicts_at(commit, id, to)?;
    }
    Ok(())
}
