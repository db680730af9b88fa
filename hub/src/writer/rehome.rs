//! Changes of the tree of units: what belongs to a code that was given up belongs to the code that it became, from the
//! day of the change on; before that day it counts where it was (domain-detail 4, case 15).

use super::{
    arrivals::unit_in,
    commit::{Commit, Known},
    revise::{Hand, number as number_field},
};
use crate::store::{Space, StoreError};
use taizhang_proto::{
    Record, RecordId,
    cell::{PastHome, home_unit, past_homes},
    change::Edit,
    date::Day,
    register::{HOME_UNIT, PAST_HOME},
    rule::Rule,
    wire::{Field, put_bytes},
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

impl Commit<'_> {
    /// Moves every record of a code that is given up by today.
    pub(super) fn follow_tree(&mut self) -> Result<(), StoreError> {
        let today = self.core.today();
        let tree = self.tree.clone();
        let next = tree.aliases().map(|(_, alias)| alias.since).filter(|since| *since > today).min();
        self.follow_next = Some(next.unwrap_or(Day::MAX));
        if !tree.aliases().any(|(_, alias)| alias.since <= today) {
            return Ok(());
        }
        let mut moving = Vec::new();
        for row in self.view.prefix(Space::Records, &[]) {
            let (key, value) = row?;
            let wrong = || StoreError::Row(Space::Records);
            let id = RecordId::from_slice(&key).ok_or_else(wrong)?;
            let record = Record::decode(value).map_err(|_| wrong())?;
            if home_unit(&record).is_some_and(|unit| tree.current(unit, today) != unit) {
                moving.push(id);
            }
        }
        for id in moving {
            let Some(record) = self.record(id)? else { continue };
            let Some(from) = home_unit(&record) else { continue };
            let to = tree.current(from, today);
            let since = tree.given_up_on(from).unwrap_or(today);
            let fields =
                vec![number_field(HOME_UNIT, to.number()), past_home(&record, PastHome { until: since, unit: from })];
            self.revise(id, record.register, fields, &Hand::rule(Rule::Units))?;
            self.file_conflicts_at(id, to)?;
        }
        Ok(())
    }
}

/// The former units of a record with one more.
pub(super) fn past_home(record: &Record, more: PastHome) -> Field {
    let mut past = past_homes(record);
    if !past.contains(&more) {
        past.push(more);
    }
    past.sort_unstable();
    let mut bytes = Vec::new();
    for home in past {
        put_bytes(PAST_HOME, home.to_text().as_bytes(), &mut bytes);
    }
    Field { tag: PAST_HOME, bytes: bytes.into() }
}
