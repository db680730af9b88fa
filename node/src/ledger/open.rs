//! Opening a ledger: journal first, then the store, and a rebuild where the store is lost.
//! Invariant: after `open`, every change in the journal that the hub has not answered for is pending in the store.

use super::{
    Clock, Inner, KnownPlans, Ledger, LedgerError, mend, pending,
    repair::Repair,
    time::{Time, uptime},
};
use crate::{
    disk,
    journal::{Entry, Found, Journal},
    store::{self, Engine, FORMAT, State, Store, StoreError, key},
};
use prost::Message;
use sled::Batch;
use std::{
    collections::HashSet,
    path::Path,
    sync::{Arc, Mutex, RwLock},
};
use taizhang_proto::{
    OrgCode,
    digest::LogDigest,
    month,
    org::UnitTree,
    pb,
    plan::{self, Plans},
};
use tokio::sync::watch;

/// A file that says the store failed while it was in use: the next `open` sets it aside.
const DAMAGED_MARK: &str = "store-damaged";

impl Ledger {
    /// Opens or creates the registers of `unit` in a data directory. Registers of another unit go over to this one:
    /// the next session pulls what it may see and lets go what it may not. A store that can't be read is set aside under a
    /// dated name; what it held comes back from the journal and, at the next session, from the hub.
    ///
    /// # Errors
    /// When the directory is in use, the disk fails, or the store was written by another version of the program.
    pub fn open(data: &Path, unit: OrgCode, clock: Clock) -> Result<Self, LedgerError> {
        Self::open_with(data, unit, clock, Engine::default())
    }

    /// The same with another setting of the engine.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open_with(data: &Path, unit: OrgCode, clock: Clock, engine: Engine) -> Result<Self, LedgerError> {
        Self::open_timed(data, unit, (clock, uptime()), engine)
    }

    /// The same with another source of the time since start, milliseconds, which is the second one.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open_timed(
        data: &Path,
        unit: OrgCode,
        (clock, uptime): (Clock, Clock),
        engine: Engine,
    ) -> Result<Self, LedgerError> {
        let lock = disk::lock(data)?;
        // A full disk is no damage, though sled would report it as such.
        disk::check_room(data)?;
        let journal_dir = data.join("journal");
        let store_path = store::path_in(data);
        let opened = Journal::open(&journal_dir)?;
        let mut incident = opened.as_ref().and_then(|(_, found)| found.incidents.last().cloned());

        let mark = data.join(DAMAGED_MARK);
        let existed = store::exists(&store_path);
        let (store, state) = if mark.exists() {
            if existed {
                incident = Some(rebuild_aside(&store_path, "使用中出错 (failed while in use)")?);
            }
            disk::remove(&mark)?;
            Store::open(&store_path, engine)?
        } else {
            match Store::open(&store_path, engine) {
                Ok(opened) => opened,
                Err(error @ (StoreError::Format { .. } | StoreError::Full | StoreError::InUse)) => {
                    return Err(error.into());
                }
                Err(error) => {
                    incident = Some(rebuild_aside(&store_path, &error.to_string())?);
                    Store::open(&store_path, engine)?
                }
            }
        };
        // A journal without a store behind it: the store's files are gone, whether or not something said so.
        // One that died in its very first start has lost nothing.
        let is_new = |(_, found): &(Journal, Found)| existed && found.before == 0 && found.entries.is_empty();
        if state.is_none() && opened.as_ref().is_some_and(|opened| !is_new(opened)) && incident.is_none() {
            let how =
                if existed { "原来是空的 (it was empty" } else { "原来的文件不见了 (its files are gone" };
            incident = Some(format!("存储已重建：{how}; the store was rebuilt)"));
        }

        let had_store = state.is_some();
        let mut opened = opened;
        if let Some((journal, found)) = &mut opened
            && let Some(mended) = mend::mend(journal, found, (&store, state.as_ref()))?
        {
            incident = Some(mended);
        }
        let (journal, found, mut state) = match (opened, state) {
            (Some((journal, found)), Some(state)) => (journal, found, state),
            (Some((journal, found)), None) => {
                let state = blank_state(journal.incarnation(), found.before, found.digest, true);
                (journal, found, state)
            }
            (None, Some(state)) => {
                let incarnation = <[u8; 16]>::try_from(state.incarnation.as_slice()).unwrap_or_default();
                let digest = LogDigest::from_slice(&state.settled_digest).unwrap_or_default();
                let mut journal = Journal::create(&journal_dir, incarnation, state.settled, digest)?;
                // All that the lost one held and is still wanted: the store may be the next to go.
                let mut entries = pending::entries(&store)?;
                entries
                    .extend(mend::refused_in(&store)?.into_iter().map(|(seq, payload)| Entry::Refused(seq, payload)));
                journal.append(&entries, digest)?;
                (journal, Found::default(), state)
            }
            (None, None) => {
                let incarnation = rand::random();
                let journal = Journal::create(&journal_dir, incarnation, 0, LogDigest::default())?;
                (journal, Found::default(), blank_state(incarnation, 0, LogDigest::default(), false))
            }
        };
        if let Some(incident) = &incident {
            tracing::warn!(%incident, "store or journal damaged; rebuilding from journal and hub");
            state.incidents += 1;
            state.last_incident.clone_from(incident);
        }

        if state.unit != unit.number() {
            // A new certificate on an existing directory.
            if state.unit != 0 {
                tracing::info!(from = state.unit, to = %unit, "the office's unit changed; pulling everything for it");
                state.move_to(unit);
                state.renamed = true;
            }
            state.unit = unit.number();
        }

        let ledger = Self {
            unit: RwLock::new(unit),
            data: data.to_owned(),
            store,
            time: Time::new(clock, uptime),
            inner: Mutex::new(Inner {
                state: State::default(),
                journal,
                seen: None,
                left: std::collections::HashMap::new(),
                owed: 0,
                everybody: false,
                said_again: super::filled::SaidAgain::new(),
                repair: Repair::default(),
            }),
            tree: RwLock::new(Arc::new(UnitTree::default())),
            locked: RwLock::new(None),
            plan: RwLock::new(KnownPlans {
                plans: Arc::new(Plans::notice_2008().clone()),
                key: None,
                digest: bytes::Bytes::new(),
            }),
            changed: watch::Sender::new(0),
            search: super::search::Index::default(),
            numbers: super::numbers::Numbers::default(),
            _lock: lock,
        };
        ledger.load_documents()?;
        ledger.replay(state, &found, had_store)?;
        Ok(ledger)
    }

    /// Brings the store up to the journal.
    fn replay(&self, mut state: State, found: &Found, had_store: bool) -> Result<(), LedgerError> {
        let mut inner = self.inner();
        let incarnation = inner.journal.incarnation();
        let switched = state.incarnation != incarnation;
        let older = state.head < found.before;
        if had_store && (switched || older) {
            // The switch to a new incarnation reached the journal but not the store, or the store is so old that the
            // journal no longer holds what came after it; the hub does.
            self.drop_pending(&mut state)?;
            if switched {
                self.drop_refused()?; // the journal has them under their new numbers
            }
            state.incarnation = incarnation.to_vec();
            (state.head, state.settled) = (found.before, found.before);
            state.settled_digest = found.digest.0.to_vec();
            state.rebuild = true;
        }
        if had_store && older && !switched {
            state.incidents += 1;
            state.last_incident = format!(
                "存储比日志旧，由日志和上级补齐 (the store is older than the journal, which begins after {})",
                found.before
            );
            tracing::warn!(
                incident = state.last_incident,
                "store older than the journal; rebuilding from journal and hub"
            );
        }
        // The journal's last word on a refusal is at least as new as the store's, but for one that the store knows ended.
        let ended = self.refusals()?.into_iter().filter(|(_, refusal)| refusal.end.is_some());
        let ended: HashSet<u64> = ended.map(|(seq, _)| seq).collect();
        for entry in &found.entries {
            match entry {
                Entry::Saved(seq, change) if *seq > state.head => {
                    let edit = super::read_edit(change)?;
                    let old = self.view(edit.id)?;
                    let new = self.overlay(old.as_ref(), change)?;
                    let mut batch = Batch::default();
                    super::index::update(&mut batch, edit.id, old.as_ref(), Some(&new));
                    batch.insert(key::pending(*seq), change.as_slice());
                    batch.insert(key::pending_of(edit.id, *seq), &[]);
                    state.head = *seq;
                    state.stamp = state.stamp.max(edit.stamp.0);
                    batch.insert(key::STATE, prost::Message::encode_to_vec(&state));
                    self.store.apply(batch)?;
                }
                Entry::Refused(seq, payload) if !ended.contains(seq) => {
                    let mut batch = Batch::default();
                    batch.insert(key::refused(*seq), payload.as_slice());
                    self.store.apply(batch)?;
                }
                _ => {}
            }
        }
        let mut batch = Batch::default();
        self.index_claims(&mut batch)?;
        batch.insert(key::STATE, prost::Message::encode_to_vec(&state));
        self.store.apply(batch)?;
        self.store.flush()?;
        self.time.began(state.head);
        inner.state = state;
        Ok(())
    }

    /// Indexes what waits as it stands. An older build indexed claims as if they stood already.
    fn index_claims(&self, batch: &mut Batch) -> Result<(), LedgerError> {
        let mut seen = HashSet::new();
        for entry in pending::entries(&self.store)? {
            let Entry::Saved(_, change) = entry else { continue };
            let edit = super::read_edit(&change)?;
            let id = edit.id;
            if !self.may_claim(edit.register, edit.fields.iter().map(|field| field.tag)) || !seen.insert(id) {
                continue;
            }
            let mut said = self.store.record(id)?;
            for (_, change) in self.pending_of(id)? {
                said = Some(self.as_said(said.as_ref(), &change)?);
            }
            let stands = self.view(id)?;
            if said != stands {
                super::index::update(batch, id, said.as_ref(), stands.as_ref());
            }
        }
        Ok(())
    }

    /// Takes all pending changes out of the store; they are in the journal.
    pub(super) fn drop_pending(&self, state: &mut State) -> Result<(), StoreError> {
        for entry in pending::entries(&self.store)? {
            let Entry::Saved(seq, change) = entry else { continue };
            let edit = super::read_edit(&change)?;
            let old = self.view(edit.id)?;
            let mut remove = Batch::default();
            remove.remove(key::pending(seq));
            remove.remove(key::pending_of(edit.id, seq));
            self.store.apply(remove)?;
            let new = self.view(edit.id)?;
            let mut batch = Batch::default();
            super::index::update(&mut batch, edit.id, old.as_ref(), new.as_ref());
            self.store.apply(batch)?;
        }
        state.head = state.settled;
        Ok(())
    }

    fn drop_refused(&self) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for (seq, _) in self.refusals()? {
            batch.remove(key::refused(seq));
        }
        self.store.apply(batch)
    }

    /// Leaves word that the store failed while in use, so that the next `open` rebuilds it.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn mark_damaged(data: &Path) -> Result<(), disk::DiskError> {
        disk::write_file(&data.join(DAMAGED_MARK), b"", disk::Secrecy::Plain)
    }

    fn load_documents(&self) -> Result<(), LedgerError> {
        if let Some(csv) = self.store.get(&key::document("units"))? {
            self.set_tree(&String::from_utf8_lossy(&csv))?;
        }
        if let Some(list) = self.store.get(&key::document("plan"))? {
            self.set_plan(&list)?;
        }
        if let Some(month) = self.store.get(&key::document("month"))? {
            let month = pb::SignedMonth::decode(month).map_err(|_| StoreError::Row("month"))?;
            *self.locked.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(month);
        }
        let mut inner = self.inner();
        if !inner.state.month_figures {
            inner.state.months = 0; // heard again, each with this office's figures
            inner.state.month_figures = true;
        }
        Ok(())
    }

    /// Takes the month at a place, from 1: signed under the key that was heard first, and following the one before it.
    /// One that comes again is not compared.
    pub(super) fn set_month(&self, month: &[u8], place: u64) -> Result<(), LedgerError> {
        let peer = |error: String| LedgerError::Peer(error);
        let signed = pb::SignedMonth::decode(month).map_err(|error| peer(error.to_string()))?;
        let known = self.plan.read().unwrap_or_else(std::sync::PoisonError::into_inner).key.clone();
        let heard = self.inner().state.months;
        let mut locked = self.locked.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let key = known.or_else(|| locked.as_ref().map(|last| last.key.clone()));
        let text = month::read(&signed, key.as_deref()).map_err(|error| peer(error.to_string()))?;
        if place > heard {
            // Heard from the start, it follows nothing, whatever an older build had heard.
            let before = locked.as_ref().filter(|_| heard > 0);
            month::follows(&text, before).map_err(|error| peer(error.to_string()))?;
        }
        *locked = Some(signed);
        Ok(())
    }

    /// Takes a list of plans that the city has signed, under the key that was heard first.
    pub(super) fn set_plan(&self, list: &[u8]) -> Result<(), LedgerError> {
        let mut plan = self.plan.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let read = plan::read_list(list, plan.key.as_deref()).map_err(|error| LedgerError::Peer(error.to_string()))?;
        let digest = month::short_digest(list).into();
        *plan = KnownPlans { plans: Arc::new(read.plans), key: Some(read.key), digest };
        Ok(())
    }

    pub(super) fn set_tree(&self, csv: &str) -> Result<(), LedgerError> {
        let tree = UnitTree::from_csv(csv).map_err(|error| LedgerError::Peer(error.to_string()))?;
        *self.tree.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(tree);
        Ok(())
    }
}

fn rebuild_aside(path: &Path, why: &str) -> Result<String, LedgerError> {
    let aside = disk::set_aside(path)?;
    Ok(format!("存储已移到一边并重建 (the store was set aside as {} and rebuilt)：{why}", aside.display()))
}

fn blank_state(incarnation: [u8; 16], before: u64, digest: LogDigest, rebuild: bool) -> State {
    State {
        format: FORMAT,
        incarnation: incarnation.to_vec(),
        head: before,
        settled: before,
        settled_digest: digest.0.to_vec(),
        scope_digest: taizhang_proto::digest::ScopeDigest::default().to_bytes().to_vec(),
        rebuild,
        ..State::default()
    }
}
