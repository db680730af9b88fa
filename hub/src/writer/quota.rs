//! What one office may make of one record, history and fields that this build does not know; and what it may say in a day.
//! Invariant: a quota is an office's own. What others wrote is never counted against it, so nobody's entry is refused for
//! what somebody else did; and what was acknowledged once is taken again, whatever its size.

use super::{
    commit::{Commit, Known},
    outcome::violation,
    revise,
};
use crate::{
    rows::{self, NodeRow},
    store::{Space, StoreError},
};
use prost::Message;
use taizhang_proto::{
    OrgCode, Record, RecordId, change::Edit, check::Violation, decide::HUB_NODE, pb, register::registers,
};

/// The rule that a refusal for a quota names.
pub(super) const RULE: &str = "quota";
/// Histories below this size are measured by reading them; above it, the size is kept.
const MEASURED: u64 = 64 * 1024;

impl Known<'_, '_> {
    /// Why an edit that adds so many bytes to its record's history can't be taken: its office has filled it.
    pub(super) fn too_much_history(
        self,
        office: OrgCode,
        edit: &Edit,
        adds: usize,
    ) -> Result<Option<Violation>, StoreError> {
        let most = self.core.plans().on(self.core.today()).limits.history_bytes;
        // What was acknowledged once and lost is taken again, beside what has been said since; not without an end.
        let most = if edit.offer.is_some() { 2 * most } else { most };
        if adds == 0 || history_size(&self, edit.id)? + adds as u64 <= most {
            return Ok(None);
        }
        let own: u64 = revise::whole_history_of(&self, edit.id)?
            .iter()
            .filter(|entry| entry.origin.as_ref().is_some_and(|origin| origin.unit == office.number()))
            .map(|entry| entry.encoded_len() as u64)
            .sum();
        Ok((own + adds as u64 > most).then(|| {
            let message = format!(
                "本单位对此记录的历次修改已达 {most} 字节，不再接收；请核对录入程序，如需继续请上级在工作目标中调高 limits.history_bytes \
                 (this office's edits of the record fill its history: look for a program that repeats them, or have the plan's limit raised)"
            );
            refused(edit, message)
        }))
    }

    /// Why words on a record that is not here can't be kept: there are too many of them already, whoever said them.
    pub(super) fn too_much_unheld(self, edit: &Edit, adds: usize) -> Result<Option<Violation>, StoreError> {
        let most = self.core.plans().on(self.core.today()).limits.history_bytes;
        let full = history_size(&self, edit.id)? + adds as u64 > most;
        Ok(full.then(|| {
            let message =
                "此记录上级没有，代存的内容已满 (the hub does not have this record, and keeps no more words on it)";
            refused(edit, message.to_owned())
        }))
    }

    /// Why an edit of fields that this build does not know can't be taken: its office has put too much of them into the
    /// record.
    pub(super) fn too_much_unknown(self, office: OrgCode, edit: &Edit, after: &Record) -> Option<Violation> {
        let def = registers().get(edit.register);
        let is_unknown = |tag: u32| def.is_none_or(|def| def.field(tag).is_none());
        if edit.offer.is_some() || !edit.fields.iter().any(|field| is_unknown(field.tag) && !field.bytes.is_empty()) {
            return None;
        }
        let most = self.core.plans().on(self.core.today()).limits.unknown_bytes;
        let own: usize = after
            .fields
            .iter()
            .filter(|standing| is_unknown(standing.field.tag))
            .filter(|standing| after.origins.get(standing.origin).is_some_and(|origin| origin.unit == office.number()))
            .map(|standing| standing.field.bytes.len())
            .sum();
        (own as u64 > most).then(|| {
            let message = format!(
                "本级程序不认识的字段超过 {most} 字节；请先升级上级的程序 \
                 (too many bytes in fields that this hub does not know: update the hub's program first)"
            );
            refused(edit, message)
        })
    }
}

/// Whether a child has said as much today as it may. It is heard again tomorrow: what it has saved stays where it is.
pub(super) fn has_said_enough(commit: &Commit<'_>, node: &NodeRow) -> bool {
    let today = commit.core.today();
    node.said_on(today) >= commit.core.plans().on(today).limits.day_bytes
}

/// Leaves out of what an office tells of a record's past what would fill it: as much as one office may make of a history, of words
/// that its certificate or nothing at all proves. What this hub had said itself nobody can make up, so it is not counted.
pub(super) fn keep_what_fits(
    commit: &mut Commit<'_>,
    teller: OrgCode,
    id: RecordId,
    told: &mut Vec<pb::Superseded>,
) -> Result<(), StoreError> {
    let most = commit.core.plans().on(commit.core.today()).limits.history_bytes;
    let size = |entries: &[pb::Superseded]| entries.iter().map(|entry| entry.encoded_len() as u64).sum::<u64>();
    if history_size(commit, id)? + size(told) <= most {
        return Ok(());
    }
    let counts = |entry: &pb::Superseded| {
        entry.origin.as_ref().is_some_and(|origin| {
            let is_theirs = OrgCode::new(origin.unit).is_ok_and(|unit| teller.covers(unit));
            origin.told_by == teller.number() || (origin.told_by == 0 && origin.node != HUB_NODE && is_theirs)
        })
    };
    let held = revise::whole_history_of(commit, id)?.into_iter().filter(|entry| counts(entry));
    let mut full: u64 = held.map(|entry| entry.encoded_len() as u64).sum();
    let before = told.len();
    told.retain(|entry| {
        full += if counts(entry) { entry.encoded_len() as u64 } else { 0 };
        !counts(entry) || full <= most
    });
    if told.len() < before {
        let left_out = before - told.len();
        tracing::warn!(%teller, record = %id, left_out, "an office tells more of a record's past than a history may hold");
    }
    Ok(())
}

/// Bytes of a record's history, what this commit adds included.
fn history_size(commit: &Commit<'_>, id: RecordId) -> Result<u64, StoreError> {
    let known = commit.history_stood.borrow().get(&id).copied();
    if let Some(stood) = known {
        return Ok(stood + added_bytes(commit, id));
    }
    let kept = kept_size(commit, id)?;
    let stood = kept.map_or_else(|| measure(commit, id), Ok)?;
    commit.history_stood.borrow_mut().insert(id, stood);
    Ok(stood + added_bytes(commit, id))
}

fn kept_size(commit: &Commit<'_>, id: RecordId) -> Result<Option<u64>, StoreError> {
    let row = commit.view.get(Space::Meta, &rows::meta::history_size(id))?;
    row.map(|row| row.as_ref().try_into().map(u64::from_be_bytes).map_err(|_| StoreError::Row(Space::Meta))).transpose()
}

fn measure(commit: &Commit<'_>, id: RecordId) -> Result<u64, StoreError> {
    let mut size = 0;
    for row in commit.view.prefix(Space::History, &id.0) {
        size += row?.1.len() as u64;
        commit.count_work(1);
    }
    Ok(size)
}

fn added_bytes(commit: &Commit<'_>, id: RecordId) -> u64 {
    let places = commit.added_history.get(&id).into_iter().flatten();
    places.filter_map(|place| commit.set.rows.get(*place)?.2.as_ref()).map(|value| value.len() as u64).sum()
}

/// Keeps the sizes of long histories, so that no edit has to read them.
pub(super) fn write_history_sizes(commit: &mut Commit<'_>) -> Result<(), StoreError> {
    let grown: Vec<RecordId> = commit.added_history.keys().copied().collect();
    for id in grown {
        let stood = match commit.history_stood.get_mut().get(&id) {
            Some(stood) => Some(*stood),
            None => kept_size(commit, id)?,
        };
        let now = stood.map_or(0, |stood| stood + added_bytes(commit, id));
        if now > MEASURED {
            commit.set.put(Space::Meta, rows::meta::history_size(id), now.to_be_bytes());
        }
    }
    Ok(())
}

fn refused(edit: &Edit, message: String) -> Violation {
    violation(edit, "", RULE, message)
}
