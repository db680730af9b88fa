//! The rows that one message of a session changes, gathered before they become one atomic batch.
//! Invariant: digest, count and indexes follow from the records in the work, once, when it becomes rows.

use super::{Ledger, LedgerError, index, offer};
use crate::store::{State, StoreError, key};
use bytes::Bytes;
use prost::Message;
use sled::Batch as Rows;
use std::collections::{HashMap, HashSet};
use taizhang_proto::{Record, RecordId, digest::Item, pb};

/// A record with how it is seen; none where it is here no more.
pub(super) type Seen = (RecordId, Option<Record>);

/// The rows that one message changes, with the views they change them to.
pub(super) struct Work<'a> {
    ledger: &'a Ledger,
    pub(super) rows: Rows,
    hub: HashMap<RecordId, Option<Record>>,
    closed: HashMap<RecordId, HashSet<u64>>,
}

impl<'a> Work<'a> {
    pub(super) fn new(ledger: &'a Ledger) -> Self {
        Self { ledger, rows: Rows::default(), hub: HashMap::new(), closed: HashMap::new() }
    }

    /// A record as the hub holds it, after what this work did so far.
    pub(super) fn hub(&self, id: RecordId) -> Result<Option<Record>, StoreError> {
        match self.hub.get(&id) {
            Some(record) => Ok(record.clone()),
            None => self.ledger.store.record(id),
        }
    }

    /// Takes a pending change out.
    pub(super) fn close(&mut self, seq: u64, id: RecordId) -> Result<(), StoreError> {
        self.rows.remove(key::pending(seq));
        self.rows.remove(key::pending_of(id, seq));
        self.closed.entry(id).or_default().insert(seq);
        if let std::collections::hash_map::Entry::Vacant(vacant) = self.hub.entry(id) {
            vacant.insert(self.ledger.store.record(id)?);
        }
        Ok(())
    }

    pub(super) fn put(&mut self, id: RecordId, record: Record, history: &[pb::Superseded]) {
        for entry in history {
            let row_key = key::history(id, entry);
            self.rows.insert(row_key, entry.encode_to_vec());
        }
        self.hub.insert(id, Some(record));
    }

    /// Lets go of what a hub had said of the same words before: one that lost its store says them again under other numbers.
    fn forget_told(&mut self, id: RecordId, history: &[pb::Superseded]) -> Result<(), StoreError> {
        let told: HashMap<_, Vec<u8>> = history.iter().map(|entry| (entry.word(), key::history(id, entry))).collect();
        if told.is_empty() {
            return Ok(());
        }
        for row in self.ledger.store.scan(&key::history_prefix(id)) {
            let (row_key, value) = row?;
            let entry = pb::Superseded::decode(value).map_err(|_| StoreError::Row("history"))?;
            if told.get(&entry.word()).is_some_and(|again| again[..] != row_key[..]) {
                self.rows.remove(&row_key[..]);
            }
        }
        Ok(())
    }

    /// Takes a record from the hub, unless what is here is newer.
    pub(super) fn take(&mut self, record: pb::Record) -> Result<RecordId, LedgerError> {
        let id = RecordId::from_slice(&record.id).ok_or_else(|| LedgerError::Peer("a record without an id".into()))?;
        let state = record.state.ok_or_else(|| LedgerError::Peer("a record without a state".into()))?;
        let fresh = Record::from_state(state).map_err(StoreError::from)?;
        let current = self.hub(id)?;
        let stale = current.as_ref().is_some_and(|current| current.revision() > fresh.revision());
        let stands = if stale { current.unwrap_or_default() } else { fresh };
        self.forget_told(id, &record.history)?;
        self.put(id, stands, &record.history);
        Ok(id)
    }

    /// Puts the hub's copy in place of what is here, whichever is newer. Returns whether they differed.
    pub(super) fn replace(&mut self, record: pb::Record) -> Result<bool, LedgerError> {
        let id = RecordId::from_slice(&record.id).ok_or_else(|| LedgerError::Peer("a record without an id".into()))?;
        let state = record.state.ok_or_else(|| LedgerError::Peer("a record without a state".into()))?;
        let fresh = Record::from_state(state).map_err(StoreError::from)?;
        let differs = self.hub(id)?.as_ref() != Some(&fresh);
        self.forget_told(id, &record.history)?;
        self.put(id, fresh, &record.history);
        Ok(differs)
    }

    /// Holds a change that the hub has taken on a record that is not held here.
    pub(super) fn keep_word(&mut self, change: Bytes, origin: pb::Origin) -> Result<(), StoreError> {
        let change = pb::Change::decode(change).map_err(|_| StoreError::Row("pending"))?;
        let id = RecordId::from_slice(&change.record).ok_or(StoreError::Row("pending"))?;
        let (revision, change) = (origin.revision, offer::taken_elsewhere(change, origin));
        self.rows.insert(key::own_word(revision, id), change.encode_to_vec());
        Ok(())
    }

    /// The record left the scope. What was entered here is held for a hub that may lose it.
    pub(super) fn depart(&mut self, id: RecordId) -> Result<(), StoreError> {
        if let Some(record) = self.hub(id)? {
            let history = self.ledger.history(id)?;
            if let Some((revision, change)) = offer::own_words(self.ledger.unit(), id, &record, history) {
                self.rows.insert(key::own_word(revision, id), change.encode_to_vec());
            }
            self.hub.insert(id, None);
        }
        Ok(())
    }

    /// The whole batch, and how each record is seen after it; updates digest and count in the state.
    pub(super) fn into_rows(mut self, state: &mut State) -> Result<(Rows, Vec<Seen>), StoreError> {
        let mut views = Vec::with_capacity(self.hub.len());
        let mut digest = state.digest();
        for (id, new) in std::mem::take(&mut self.hub) {
            let old = self.ledger.store.record(id)?;
            let row = key::record(id);
            if let Some(old) = &old {
                digest.remove(Item::record(id, &old.encode()));
                state.count -= 1;
            }
            match &new {
                Some(new) => {
                    let bytes = new.encode();
                    digest.add(Item::record(id, &bytes));
                    state.count += 1;
                    self.rows.insert(row, bytes);
                }
                None if old.is_some() => self.rows.remove(row),
                None => {}
            }
            let old_view = self.ledger.view(id)?;
            let new_view = self.view_after(id, new)?;
            index::update(&mut self.rows, id, old_view.as_ref(), new_view.as_ref());
            views.push((id, new_view));
        }
        state.scope_digest = digest.to_bytes().to_vec();
        self.rows.insert(key::STATE, state.encode_to_vec());
        Ok((self.rows, views))
    }

    /// The view of a record once this work is applied.
    pub(super) fn view_after(&self, id: RecordId, hub: Option<Record>) -> Result<Option<Record>, StoreError> {
        let closed = self.closed.get(&id);
        let mut view = hub;
        for (seq, change) in self.ledger.pending_of(id)? {
            if !closed.is_some_and(|closed| closed.contains(&seq)) {
                view = Some(self.ledger.overlay(view.as_ref(), &change)?);
            }
        }
        Ok(view)
    }
}
