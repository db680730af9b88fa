//! The ledger: the one way in and out of an office's registers. Forms, imports and the sync session all end here.
//! Invariants: a save is in the journal, synced, before it is answered; the store is a prefix of journal and hub; a
//! view is the hub's record under this office's pending edits, in their order.

pub mod filled;
mod index;
mod mend;
mod numbers;
mod offer;
mod open;
mod pending;
pub mod refused;
mod repair;
mod save;
mod search;
mod sync;
pub mod time;
mod work;

pub use crate::replica::LedgerError;
pub use sync::Batch;

use crate::{
    desk::{Desk, Draft, SaveError},
    journal::Journal,
    store::{State, Store, StoreError, key},
};
use prost::Message;
use std::{
    fs::File,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{CaseClock, Shelf, clock_of},
    change::Edit,
    date::{self, Day},
    decide::{Decision, Fate, apply},
    digest::LogDigest,
    month::{self, Month},
    org::UnitTree,
    pb::{self, Tier},
    plan::Plans,
    register::{Value, number, registers},
    stamp,
};
use tokio::sync::watch;

/// Where the time comes from: milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The computer's clock.
pub fn system_clock() -> Clock {
    Arc::new(|| jiff::Timestamp::now().as_millisecond().max(0) as u64)
}

/// The plans as they were heard.
struct KnownPlans {
    plans: Arc<Plans>,
    /// The city's key as it was first heard; none before that.
    key: Option<bytes::Bytes>,
    /// The short digest of the list.
    digest: bytes::Bytes,
}

/// An office's open registers. Share it in an [`Arc`]; one writes at a time, readers do not wait.
pub struct Ledger {
    /// The scope: what the certificate named when this was opened, or the hub in a greeting since.
    unit: RwLock<OrgCode>,
    data: PathBuf,
    store: Store,
    time: time::Time,
    inner: Mutex<Inner>,
    tree: RwLock<Arc<UnitTree>>,
    /// The plan as the hub last sent it, with the city's key.
    plan: RwLock<KnownPlans>,
    /// The last month that the city has locked, as the hub sent it.
    locked: RwLock<Option<pb::SignedMonth>>,
    changed: watch::Sender<u64>,
    search: search::Index,
    numbers: numbers::Numbers,
    _lock: File,
}

struct Inner {
    state: State,
    journal: Journal,
    /// Records seen while everything is pulled again; what is not among them at the end is gone at the hub.
    seen: Option<std::collections::HashSet<RecordId>>,
    /// Records of which this session has heard that they left, up to a revision of the hub: a verdict that was given
    /// before may be repeated after it.
    left: std::collections::HashMap<RecordId, u64>,
    /// Last change that the hub has answered for, as it said in its greeting: it owes the verdicts up to there, unless
    /// this store told it before that it has them.
    owed: u64,
    /// The hub of this session sends what units above have for everybody.
    everybody: bool,
    /// What was said again with a day that can be; what was entered on top of it may still be refused.
    said_again: filled::SaidAgain,
    /// The repair of this session, once the digests differed.
    repair: repair::Repair,
}

impl Ledger {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // The state is replaced only after a batch succeeded, so a panic elsewhere leaves it sound.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The office's unit. It follows the certificate: see [`SessionError::NewScope`](crate::upstream::SessionError).
    pub fn unit(&self) -> OrgCode {
        *self.unit.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the ledger knows of itself.
    pub fn state(&self) -> State {
        self.inner().state.clone()
    }

    /// Becomes newer whenever a change is saved.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The last month that the city has locked, as this office has heard; none before the first.
    pub fn locked_month(&self) -> Option<String> {
        let locked = self.locked.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        pb::MonthText::decode(locked.text).ok().map(|text| text.month)
    }

    /// The short digest of that month's text.
    fn month_digest(&self) -> bytes::Bytes {
        let locked = self.locked.read().unwrap_or_else(PoisonError::into_inner);
        locked.as_ref().map(|locked| month::short_digest(&locked.text).into()).unwrap_or_default()
    }

    /// Every version of the plan that was heard; the notice's own until then.
    pub fn plans(&self) -> Arc<Plans> {
        self.plan.read().unwrap_or_else(PoisonError::into_inner).plans.clone()
    }

    /// The short digest of the list of plans; empty before one was heard.
    fn plan_digest(&self) -> bytes::Bytes {
        self.plan.read().unwrap_or_else(PoisonError::into_inner).digest.clone()
    }

    /// The tree of units, as the hub last sent it.
    pub fn units(&self) -> Arc<UnitTree> {
        self.tree.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The business day in Shanghai: by the hub's clock, where this computer's is known to be far off.
    pub fn business_day(&self) -> Day {
        let skew = stamp::distrusted_skew(self.skew_millis().unwrap_or(0));
        date::shanghai(self.now_millis().saturating_add_signed(skew.saturating_neg()))
    }

    /// How far this computer's clock is ahead of the hub's, milliseconds; none where that is not known for certain: no
    /// hub has said it in the last minutes, or the clock was set since.
    pub fn skew_millis(&self) -> Option<i64> {
        self.time.skew()
    }

    /// What to say of days where the clock reads earlier than it was at the last session: then it can't be right, unless the hub's
    /// was wrong. None where a hub has said in the last minutes how far it is off, as that is reckoned with.
    pub fn clock_doubt(&self) -> Option<String> {
        let (now, synced) = (self.now_millis(), self.state().synced_at.saturating_mul(1_000));
        let behind = self.skew_millis().is_none() && now.saturating_add(time::JUMP) < synced;
        behind.then(|| {
            format!(
                "本机日期是{}，上次同步时已是{}：请先校对本机时钟 (this computer's clock is behind its last sync: set it first)",
                date::iso(date::shanghai(now)),
                date::iso(date::shanghai(synced))
            )
        })
    }

    /// Milliseconds since 1970 by this ledger's clock.
    pub fn now_millis(&self) -> u64 {
        self.time.now()
    }

    /// The encoded changes of a record that the hub has not answered for, by number.
    fn pending_of(&self, id: RecordId) -> Result<Vec<(u64, bytes::Bytes)>, StoreError> {
        let mut pending = Vec::new();
        for row in self.store.scan(&key::pending_of_prefix(id)) {
            let (row_key, _) = row?;
            let seq = row_key.last_chunk().map(|seq| u64::from_be_bytes(*seq)).ok_or(StoreError::Row("pending"))?;
            pending.extend(self.store.get(&key::pending(seq))?.map(|change| (seq, change)));
        }
        Ok(pending)
    }

    /// What was entered on a record and waits for the hub's answer, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn waiting(&self, id: RecordId) -> Result<Vec<Edit>, StoreError> {
        self.pending_of(id)?.iter().map(|(_, change)| read_edit(change)).collect()
    }

    /// A record as this office sees it.
    ///
    /// # Errors
    /// When the store fails.
    pub fn view(&self, id: RecordId) -> Result<Option<Record>, StoreError> {
        // Pending changes first: one that is settled in between is in the record that is read after it.
        let pending = self.pending_of(id)?;
        let mut view = self.store.record(id)?;
        for (_, change) in pending {
            view = Some(self.overlay(view.as_ref(), &change)?);
        }
        Ok(view)
    }

    /// What this office has replaced in a record since the hub last answered, oldest first: field, value, and who had said it.
    ///
    /// # Errors
    /// When the store fails.
    pub fn replaced_here(&self, id: RecordId) -> Result<Vec<(u32, bytes::Bytes, pb::Origin)>, StoreError> {
        let pending = self.pending_of(id)?;
        let mut view = self.store.record(id)?;
        let mut replaced = Vec::new();
        for (_, change) in pending {
            let next = self.overlay(view.as_ref(), &change)?;
            for (view, standing) in view.iter().flat_map(|view| view.fields.iter().map(move |one| (view, one))) {
                let (tag, origin) = (standing.field.tag, &view.origins[standing.origin]);
                // Who says again what stands replaces it, too: the hub's history will show both.
                if next.origin(tag) != Some(origin) {
                    replaced.push((tag, standing.field.bytes.clone(), origin.clone()));
                }
            }
            view = Some(next);
        }
        Ok(replaced)
    }

    /// A view with one more pending change on it: a claim changes nothing before it is decided, here as at the hub.
    pub(crate) fn overlay(&self, view: Option<&Record>, change: &[u8]) -> Result<Record, StoreError> {
        let edit = read_edit(change)?;
        let mut decision = Decision::accepted(&edit);
        let tags = edit.fields.iter().map(|field| field.tag);
        if let Some(view) = view.filter(|_| self.may_claim(edit.register, tags)) {
            for (field, fate) in edit.fields.iter().zip(&mut decision.fates) {
                let is_other = |stands: &bytes::Bytes| !stands.is_empty() && *stands != field.bytes;
                if view.bytes(field.tag).is_some_and(is_other)
                    && self.may_claim(edit.register, std::iter::once(field.tag))
                {
                    *fate = Fate::Lost(pb::Policy::Review);
                }
            }
        }
        Ok(self.applied(view, &edit, &decision))
    }

    /// Whether an edit of these fields is a claim where they stand already.
    pub(crate) fn may_claim(&self, register: u32, mut tags: impl Iterator<Item = u32>) -> bool {
        let def = registers().get(register).filter(|_| self.unit().tier() < Tier::Township);
        def.is_some_and(|def| tags.any(|tag| def.field(tag).is_some_and(|field| field.clock)))
    }

    /// The same, with claims in it as if they stood: what a form says is looked at as it was said.
    pub(crate) fn as_said(&self, view: Option<&Record>, change: &[u8]) -> Result<Record, StoreError> {
        let edit = read_edit(change)?;
        Ok(self.applied(view, &edit, &Decision::accepted(&edit)))
    }

    fn applied(&self, view: Option<&Record>, edit: &Edit, decision: &Decision) -> Record {
        let origin = pb::Origin {
            revision: u64::MAX,
            stamp: edit.stamp.0,
            unit: self.unit().number(),
            by: edit.by.clone(),
            ..pb::Origin::default()
        };
        apply(view, edit, decision, &origin).record
    }

    /// Ids of a register's records, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub fn ids(&self, register: u32) -> Result<Vec<RecordId>, StoreError> {
        let rows = self.store.scan(&key::listed_prefix(register));
        rows.map(|row| row.and_then(|(key, _)| key::last_id(&key).ok_or(StoreError::Row("listing")))).collect()
    }

    /// What no longer stands in a record, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub fn history(&self, id: RecordId) -> Result<Vec<pb::Superseded>, StoreError> {
        self.store
            .scan(&key::history_prefix(id))
            .map(|row| {
                let (_, value) = row?;
                pb::Superseded::decode(value).map_err(|_| StoreError::Row("history"))
            })
            .collect()
    }

    /// Changes that the hub has not answered for.
    pub fn pending(&self) -> u64 {
        let inner = self.inner();
        inner.state.head.saturating_sub(inner.state.settled)
    }

    /// What was entered here on records that have left: the hub took it, and is told again if it loses it.
    ///
    /// # Errors
    /// When the store fails.
    pub fn own_words(&self) -> Result<Vec<Edit>, StoreError> {
        self.store.scan(b"o").map(|row| row.and_then(|(_, change)| read_edit(&change))).collect()
    }

    /// The clocks of every recognised case, with the case's record.
    ///
    /// # Errors
    /// When the store fails.
    pub fn clocks(&self, plan: &Plans) -> Result<Vec<(RecordId, Record, CaseClock)>, StoreError> {
        let mut clocks = Vec::new();
        for id in self.ids(number::ZEF_CASE)? {
            if let (Some(clock), Some(record)) = (clock_of(self, id, plan)?, self.view(id)?) {
                clocks.push((id, record, clock));
            }
        }
        Ok(clocks)
    }

    /// Turns to a reason when the store failed while in use; the ledger must then be opened again.
    pub fn fault(&self) -> watch::Receiver<Option<String>> {
        self.store.fault()
    }

    /// Reads every row and compares digests. Returns how many rows there are.
    ///
    /// # Errors
    /// At the first thing that can't be read.
    pub fn verify(&self) -> Result<u64, StoreError> {
        let inner = self.inner();
        self.store.check(&inner.state)
    }

    /// Bytes that the store takes on disk.
    pub fn size_on_disk(&self) -> u64 {
        self.store.size_on_disk()
    }

    /// Where the data is.
    pub fn data_dir(&self) -> &std::path::Path {
        &self.data
    }

    /// The log digest after `upto`, chained from the settled digest over the pending changes; none when `upto` is
    /// not between settled and head.
    fn log_digest_at(&self, state: &State, upto: u64) -> Result<Option<LogDigest>, StoreError> {
        if upto < state.settled || upto > state.head {
            return Ok(None);
        }
        let mut digest = LogDigest::from_slice(&state.settled_digest).unwrap_or_default();
        for seq in state.settled + 1..=upto {
            let change = self.store.get(&key::pending(seq))?.ok_or(StoreError::Row("pending"))?;
            digest = digest.then(&change);
        }
        Ok(Some(digest))
    }
}

impl Shelf for Ledger {
    type Error = StoreError;

    fn record(&self, id: RecordId) -> Result<Option<Record>, StoreError> {
        self.view(id)
    }

    fn about(&self, target: RecordId) -> Result<Vec<(u32, RecordId)>, StoreError> {
        let rows = self.store.scan(&key::link_prefix(target));
        rows.map(|row| row.and_then(|(key, _)| key::linked(&key).ok_or(StoreError::Row("link")))).collect()
    }

    /// Which of two records counts is the hub's to know: an office may hold only one of them.
    fn sharing(&self, _: u32, _: u32, _: &[u8]) -> Result<Vec<RecordId>, StoreError> {
        Ok(Vec::new())
    }

    fn given_up_on(&self, unit: OrgCode) -> Option<Day> {
        self.units().given_up_on(unit)
    }

    fn founded_on(&self, unit: OrgCode) -> Option<Day> {
        self.units().founded_on(unit)
    }
}

impl From<StoreError> for SaveError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

/// A [`Desk`] on a ledger: it keeps the tree of units it was made with, so that one import sees one tree.
pub struct LedgerDesk<'a> {
    ledger: &'a Ledger,
    tree: Arc<UnitTree>,
}

impl<'a> LedgerDesk<'a> {
    /// A desk on the ledger as it is now.
    pub fn new(ledger: &'a Ledger) -> Self {
        Self { ledger, tree: ledger.units() }
    }
}

impl Desk for LedgerDesk<'_> {
    fn unit(&self) -> OrgCode {
        self.ledger.unit()
    }

    fn tree(&self) -> &UnitTree {
        &self.tree
    }

    fn today(&self) -> Day {
        self.ledger.business_day()
    }

    fn locked_month(&self) -> Option<Month> {
        self.ledger.locked_month().and_then(|locked| Month::read(&locked))
    }

    fn new_id(&self) -> RecordId {
        RecordId::create(self.ledger.now_millis(), rand::random())
    }

    fn view(&self, id: RecordId) -> Result<Option<Record>, SaveError> {
        Ok(self.ledger.view(id)?)
    }

    fn find(&self, register: u32, key: &[Value]) -> Result<Vec<RecordId>, SaveError> {
        Ok(self.ledger.find(register, key)?)
    }

    fn list(&self, register: u32) -> Result<Vec<(RecordId, Record)>, SaveError> {
        let mut listed = Vec::new();
        for id in self.ledger.ids(register)? {
            listed.extend(self.ledger.view(id)?.map(|record| (id, record)));
        }
        Ok(listed)
    }

    fn save(&self, groups: Vec<Vec<Draft>>, by: &str) -> Vec<Result<(), SaveError>> {
        self.ledger.save(&groups, by)
    }

    fn save_rows(&self, groups: Vec<Vec<Draft>>, by: &str) -> Vec<Result<(), SaveError>> {
        self.ledger.save_from(save::Source::File, &groups, by)
    }
}

/// Reads an encoded change, as it is kept here.
pub(crate) fn read_edit(change: &[u8]) -> Result<Edit, StoreError> {
    let change = pb::Change::decode(bytes::Bytes::copy_from_slice(change)).map_err(|_| StoreError::Row("pending"))?;
    Edit::read(change).map_err(|_| StoreError::Row("pending"))
}

#[cfg(test)]
mod tests;
