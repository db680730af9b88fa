//! A journal with holes is written anew before anything else, from a sound store or, where that lacks something too,
//! under a new incarnation. Invariant: no saved change that either of them still holds is left behind, and what is in the
//! journal afterwards can be replayed from its beginning.

use super::LedgerError;
use crate::{
    journal::{Entry, Found, Journal},
    store::{RefusedChange, State, Store, StoreError, key},
};
use prost::Message;
use std::collections::BTreeMap;
use taizhang_proto::digest::LogDigest;

/// Mends the journal where it needs it; returns what was done, for people.
pub(super) fn mend(
    journal: &mut Journal,
    found: &mut Found,
    store: (&Store, Option<&State>),
) -> Result<Option<String>, LedgerError> {
    let (store, state) = store;
    let saved = found.saved();
    let last = saved.last_key_value().map_or(found.before, |(last, _)| *last);
    let whole = saved.len() as u64 == last.saturating_sub(found.before)
        && saved.keys().next().is_none_or(|first| *first == found.before + 1);
    // A store of another incarnation, or one from before the journal's beginning, has nothing to add.
    let state = state.filter(|state| state.incarnation == journal.incarnation() && state.head >= found.before);
    let reaches = state.is_none_or(|state| {
        let begins = found.incidents.is_empty() || found.before <= state.settled;
        begins && state.head <= last
    });
    if whole && reaches {
        return Ok(None);
    }
    let mut log: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    let settled = state.map_or(0, |state| state.settled);
    if state.is_some() {
        for entry in super::pending::entries(store)? {
            if let Entry::Saved(seq, change) = entry {
                log.insert(seq, change);
            }
        }
    }
    for (seq, change) in saved.into_iter().filter(|(seq, _)| *seq > settled) {
        log.entry(seq).or_insert_with(|| change.to_vec());
    }
    let refusals = refusals(found, state.map(|_| store))?;
    let end = log.last_key_value().map_or(settled, |(last, _)| *last);
    if let Some(state) = state.filter(|_| log.len() as u64 == end - settled) {
        let digest = LogDigest::from_slice(&state.settled_digest).unwrap_or_default();
        let entries: Vec<Entry> =
            log.into_iter().map(|(seq, change)| Entry::Saved(seq, change)).chain(refusals).collect();
        journal.rewrite(settled, digest, &entries)?;
        *found = Found { entries, before: settled, digest, incidents: std::mem::take(&mut found.incidents) };
        return Ok(Some("the journal was damaged and written anew from the store".into()));
    }
    // What is missing is in neither: the log can't go on under its name. The hub knows again what it has heard.
    let count = log.len();
    let entries: Vec<Entry> =
        (1..).zip(log.into_values()).map(|(seq, change)| Entry::Saved(seq, change)).chain(refusals).collect();
    journal.restart(rand::random(), &entries)?;
    *found = Found { entries, incidents: std::mem::take(&mut found.incidents), ..Found::default() };
    Ok(Some(format!(
        "日志有缺口，{count}条登记重新上报 (the journal has a gap that the store can't fill; {count} changes go on under a new incarnation)"
    )))
}

/// The refusals that are still to be dealt with, from both.
fn refusals(found: &Found, store: Option<&Store>) -> Result<Vec<Entry>, StoreError> {
    let mut refusals: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    for entry in &found.entries {
        if let Entry::Refused(seq, payload) = entry {
            refusals.insert(*seq, payload.clone());
        }
    }
    if let Some(store) = store {
        for (seq, payload) in refused_in(store)? {
            // One that the journal knows ended has ended.
            let ended =
                |payload: &Vec<u8>| RefusedChange::decode(payload.as_slice()).is_ok_and(|one| one.end.is_some());
            if !refusals.get(&seq).is_some_and(ended) {
                refusals.insert(seq, payload);
            }
        }
    }
    Ok(refusals.into_iter().map(|(seq, payload)| Entry::Refused(seq, payload)).collect())
}

/// The refusals that a store holds, by number.
pub(super) fn refused_in(store: &Store) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
    let numbered = |row: Result<(bytes::Bytes, bytes::Bytes), StoreError>| {
        let (row_key, payload) = row?;
        let seq = row_key.get(1..9).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
        Ok((seq.ok_or(StoreError::Row("refused"))?, payload.to_vec()))
    };
    store.scan(key::REFUSED).map(numbered).collect()
}
