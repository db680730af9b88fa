//! Deriving everything anew: when a program counts by other rules than the one that wrote the store, and when a plan
//! comes. Invariant: what is written is what a recount finds, in one commit with the rules' name, so a hub that is
//! stopped in between begins again and ends the same.

use super::commit::{Commit, depends_on_others};
use crate::{
    rows::{BelowRow, FeedRow, SubjectRow, UnitRow, meta},
    store::{Space, StoreError},
    totals::{audit::read_own, recount::Recount},
};
use prost::Message;
use std::collections::HashMap;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{RULES, Shelf, Subject, home_unit},
    digest::{Item, ScopeDigest},
    plan::Plans,
    register::is_for_below,
};

/// Names the rules by which a store was counted: the program's and the plans'.
pub(super) fn rules(plans: &Plans) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&RULES.to_be_bytes());
    hasher.update(format!("{plans:?}").as_bytes());
    *hasher.finalize().as_bytes()
}

/// Derives links, indexes, contributions and cells from the records alone, by these plans.
pub(super) fn rederive(commit: &mut Commit<'_>, plans: &Plans) -> Result<(), StoreError> {
    let records = Recount::read(commit.view, commit.core.unit, commit.core.tree())?;
    if records.records() > 0 {
        tracing::info!(records = records.records(), "counting everything anew");
    }
    let mut rows: HashMap<RecordId, SubjectRow> = HashMap::new();
    for (target, found) in &records.links {
        let row = rows.entry(*target).or_default();
        for (register, id) in found {
            row.link(*register, *id);
        }
    }
    let cells = records.cells(plans, |subject, steps| {
        let linked = rows.get(&subject.id()).is_some_and(|row| !row.links.is_empty());
        let own = match subject {
            Subject::Record(id) => records.record(id)?,
            _ => None,
        };
        if linked || depends_on_others(subject, &steps, own.as_ref()) {
            rows.entry(subject.id()).or_default().set_contributions(subject, &steps);
        }
        Ok(())
    })?;
    replace(commit, Space::Subjects, rows.into_iter().map(|(id, row)| (id.0.to_vec(), row.encode_to_vec())).collect())?;
    let values = records.values.iter().map(|(key, ids)| {
        let ids: Vec<u8> = ids.iter().flat_map(|id| id.0).collect();
        (key.to_vec(), ids)
    });
    replace(commit, Space::Uniques, values.collect())?;
    for key in read_own(commit.view)?.into_keys().filter(|key| !cells.contains_key(key)) {
        commit.set_cell(key, 0)?;
    }
    for (key, value) in cells {
        commit.set_cell(key, value)?;
    }
    find_what_is_for_below(commit)?;
    commit.set.put(Space::Meta, meta::RULES, rules(plans));
    Ok(())
}

/// Works out from the records what each unit has for everybody below it, and marks the news of it in the feed: an older
/// build kept neither, nor another one for a register that says so since.
fn find_what_is_for_below(commit: &mut Commit<'_>) -> Result<(), StoreError> {
    let mut found: HashMap<OrgCode, (ScopeDigest, u64, u64)> = HashMap::new();
    for row in commit.view.prefix(Space::Units, &[]) {
        let (key, value) = row?;
        let code = key.as_ref().try_into().ok().map(u64::from_be_bytes).and_then(|code| OrgCode::new(code).ok());
        let row = UnitRow::decode(value).map_err(|_| StoreError::Row(Space::Units))?;
        // The head stays where it was: departures moved it, too.
        if let (Some(unit), Some(below)) = (code, row.below) {
            found.entry(unit).or_default().2 = below.head;
        }
    }
    for row in commit.view.prefix(Space::Feed, &[]) {
        let (key, value) = row?;
        let news = FeedRow::from_slice(&value).ok_or(StoreError::Row(Space::Feed))?;
        let Some(bytes) = commit.view.get(Space::Records, &news.id.0)? else { continue };
        // A record that can't be read is for `verify` to say.
        let Ok(record) = Record::decode(bytes.clone()) else { continue };
        let for_below = is_for_below(record.register);
        if news.for_below != for_below {
            commit.set.put(Space::Feed, key.clone(), FeedRow { for_below, ..news }.to_bytes());
        }
        let revision = key.as_ref().try_into().map(u64::from_be_bytes).map_err(|_| StoreError::Row(Space::Feed))?;
        let Some(unit) = home_unit(&record).filter(|unit| for_below && commit.core.unit.covers(*unit)) else {
            continue;
        };
        let (digest, count, head) = found.entry(unit).or_default();
        *head = (*head).max(revision);
        // News of edits that lost stand beside the record's own row.
        if record.revision() == revision {
            digest.add(Item::record(news.id, &bytes));
            *count += 1;
        }
    }
    let row =
        |(digest, count, head): (ScopeDigest, u64, u64)| BelowRow { records: digest.to_bytes().to_vec(), count, head };
    commit.below_anew = Some(found.into_iter().map(|(unit, found)| (unit, row(found))).collect());
    Ok(())
}

/// Makes these the rows of a space.
fn replace(commit: &mut Commit<'_>, space: Space, mut rows: HashMap<Vec<u8>, Vec<u8>>) -> Result<(), StoreError> {
    for row in commit.view.prefix(space, &[]) {
        let (key, value) = row?;
        match rows.remove(key.as_ref()) {
            Some(own) if own == value.as_ref() => {}
            Some(own) => commit.set.put(space, key, own),
            None => commit.set.remove(space, key),
        }
    }
    for (key, value) in rows {
        commit.set.put(space, key, value);
    }
    Ok(())
}
