//! The node's store: one sled tree, so that everything one save touches is one atomic batch.
//! Invariant: what stands here is a prefix of what the journal and the hub have said; the store alone is never the
//! only place of an acknowledged change.
//!
//! Keys, by first byte: `r` record as the hub holds it · `p` pending change by number · `q` pending changes of a record ·
//! `x` refused changes · `g` register listing · `k` natural keys · `l` links · `h` history · `d` documents · `m` state ·
//! `o` own words on records that are no longer held here.

use crate::{
    disk::{self, Point},
    panics,
};
use bytes::Bytes;
use prost::Message;
use sled::Batch;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    digest::{Item, ScopeDigest},
    pb,
    record::RecordError,
    session::{STRETCH_NAME, STRETCHES_HEARD},
};
use tokio::sync::watch;

/// Version of the layout above. A store of another version is not opened.
pub const FORMAT: u32 = 1;

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// sled reports a fault.
    #[error("存储出错 (store)：{0}")]
    Sled(sled::Error),
    /// There is no room: what is on disk is sound, so nothing is set aside for this.
    #[error("磁盘已满，请清理空间后重试 (the disk is full: make room and try again)")]
    Full,
    /// Somebody has it open: the last one who did in this process may still be closing it.
    #[error("存储仍被占用，请稍后重试 (the store is still in use: try again in a moment)")]
    InUse,
    /// Its directory can't be made.
    #[error("{0}")]
    Directory(String),
    /// sled panicked while opening.
    #[error("存储打不开 (the store can't be opened)")]
    Panicked,
    /// A row can't be read.
    #[error("存储中有一行读不出 (row {0} of the store can't be read)")]
    Row(&'static str),
    /// A record can't be read.
    #[error("存储中有一条记录读不出 (a record of the store)：{0}")]
    Record(#[from] RecordError),
    /// The digest kept beside the records is not theirs.
    #[error("存储中的记录与其摘要不符 (records and their digest differ)")]
    Digest,
    /// Written by another version of the program.
    #[error(
        "存储格式为第{found}版，本程序只认第{FORMAT}版，请使用写下它的程序或更新的版本 (the store has format {found}, this program knows {FORMAT}: run the version that wrote it, or a newer one)"
    )]
    Format {
        /// The version on disk.
        found: u32,
    },
}

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => Self::Full,
            // It has no kind of its own.
            sled::Error::Io(error) if error.to_string().contains("could not acquire lock") => Self::InUse,
            error => Self::Sled(error),
        }
    }
}

/// Everything small that belongs together, in one row written with every batch.
#[derive(Clone, PartialEq, Message)]
pub struct State {
    /// Layout version.
    #[prost(uint32, tag = "1")]
    pub format: u32,
    /// Whose log this is.
    #[prost(bytes = "vec", tag = "2")]
    pub incarnation: Vec<u8>,
    /// Last change saved.
    #[prost(uint64, tag = "3")]
    pub head: u64,
    /// Last change that the hub has answered for.
    #[prost(uint64, tag = "4")]
    pub settled: u64,
    /// Log digest at `settled`.
    #[prost(bytes = "vec", tag = "5")]
    pub settled_digest: Vec<u8>,
    /// Last hub revision applied.
    #[prost(uint64, tag = "6")]
    pub pulled: u64,
    /// Digest of the hub's records held here.
    #[prost(bytes = "vec", tag = "7")]
    pub scope_digest: Vec<u8>,
    /// How many they are.
    #[prost(uint64, tag = "8")]
    pub count: u64,
    /// The stretches of the hub's history that were heard, newest first.
    #[prost(bytes = "vec", tag = "9")]
    pub epoch: Vec<u8>,
    /// This node's number at the hub.
    #[prost(uint32, tag = "10")]
    pub node: u32,
    /// Last stamp given out.
    #[prost(uint64, tag = "11")]
    pub stamp: u64,
    /// Everything must be pulled again: the store was lost or the digests differed.
    #[prost(bool, tag = "12")]
    pub rebuild: bool,
    /// Version of the tree of units.
    #[prost(uint64, tag = "13")]
    pub tree_version: u64,
    /// When the last session ended well, seconds since 1970.
    #[prost(uint64, tag = "14")]
    pub last_sync: u64,
    /// Whether the digests were equal then.
    #[prost(bool, tag = "15")]
    pub equal: bool,
    /// How often the store was lost or the digests differed.
    #[prost(uint64, tag = "16")]
    pub incidents: u64,
    /// What the last of them was.
    #[prost(string, tag = "17")]
    pub last_incident: String,
    /// The unit whose records these are; 0 in a store older than this row.
    #[prost(uint64, tag = "18")]
    pub unit: u64,
    /// The certificate is new since the last session: the hub may not know this log under its name.
    #[prost(bool, tag = "19")]
    pub renamed: bool,
    /// Version of the plan.
    #[prost(uint64, tag = "31")]
    pub plan_version: u64,
    /// How many locked months were heard.
    #[prost(uint64, tag = "32")]
    pub months: u64,
    /// Version of the hub's roll that is held here.
    #[prost(uint64, tag = "33")]
    pub roll: u64,
    /// When the hub last saw two computers use this identity, seconds since 1970; 0: it sees none.
    #[prost(uint64, tag = "34")]
    pub twins: u64,
    /// What units above have for everybody is held here as far as `pulled`.
    #[prost(bool, tag = "35")]
    pub everybody: bool,
    /// The locked months were heard with this office's own figures; an older build kept the last text alone.
    #[prost(bool, tag = "36")]
    pub month_figures: bool,
    /// Highest revision of a record that came in a rebuild or a repair; nobody counts on all before it being here.
    #[prost(uint64, tag = "37")]
    pub heard: u64,
    /// From which revision on history that is held here may have numbers of a time that the hub has lost; none: it has lost nothing yet.
    #[prost(uint64, optional, tag = "38")]
    pub lost_from: Option<u64>,
    /// When the last session ended well, by the hub's clock, seconds since 1970; 0: not known.
    #[prost(uint64, tag = "39")]
    pub synced_at: u64,
    /// How far this computer's clock was ahead of the hub's at the last session, milliseconds.
    #[prost(sint64, tag = "30")]
    pub skew_millis: i64,
}

impl State {
    /// Goes over to another unit: everything is pulled for it, the tree of its units too.
    pub fn move_to(&mut self, unit: OrgCode) {
        self.unit = unit.number();
        self.rebuild = true;
        self.tree_version = 0;
    }

    /// Takes note of the stretch of its history that the hub is in.
    pub fn hear_stretch(&mut self, name: &[u8]) {
        if name.len() == STRETCH_NAME && !self.epoch.starts_with(name) {
            self.epoch.splice(..0, name.iter().copied());
            self.epoch.truncate(STRETCH_NAME * STRETCHES_HEARD);
        }
    }

    /// The digest of the hub's records held here.
    pub fn digest(&self) -> ScopeDigest {
        ScopeDigest::from_slice(&self.scope_digest).unwrap_or_default()
    }
}

/// A refused change with its reason, kept until somebody deals with it.
#[derive(Clone, PartialEq, Message)]
pub struct RefusedChange {
    /// The encoded change.
    #[prost(bytes = "bytes", tag = "1")]
    pub change: Bytes,
    /// Why.
    #[prost(message, optional, tag = "2")]
    pub why: Option<pb::Violation>,
    /// When, by the hub's clock, seconds since 1970; 0 where that is not known.
    #[prost(uint64, tag = "3")]
    pub at: u64,
    /// What became of it; none while it waits for somebody.
    #[prost(message, optional, tag = "4")]
    pub end: Option<RefusalEnd>,
}

/// How a refusal ended.
#[derive(Clone, PartialEq, Message)]
pub struct RefusalEnd {
    /// When, by this computer's clock, seconds since 1970.
    #[prost(uint64, tag = "1")]
    pub at: u64,
    /// Who said so.
    #[prost(string, tag = "2")]
    pub by: String,
    /// Why it was let go; empty where it was sent again.
    #[prost(string, tag = "3")]
    pub reason: String,
    /// The change as which it was sent again; 0: it was let go.
    #[prost(uint64, tag = "4")]
    pub sent_as: u64,
}

/// Key builders.
pub(crate) mod key {
    use taizhang_proto::RecordId;

    pub(crate) const STATE: &[u8] = b"m";
    /// All refused changes.
    pub(crate) const REFUSED: &[u8] = b"x";

    fn join(prefix: u8, parts: &[&[u8]]) -> Vec<u8> {
        let mut key = vec![prefix];
        for part in parts {
            key.extend_from_slice(part);
        }
        key
    }

    /// Under which every record lies as the hub holds it.
    pub(crate) const RECORDS: &[u8] = b"r";
    /// Under which every record that has pending changes is named, by each of them.
    pub(crate) const EDITED: &[u8] = b"q";

    /// The record that a row under [`EDITED`] names.
    pub(crate) fn edited(row: &[u8]) -> Option<RecordId> {
        row.get(1..17).and_then(RecordId::from_slice)
    }

    pub(crate) fn record(id: RecordId) -> Vec<u8> {
        join(b'r', &[&id.0])
    }

    /// Own words that the hub answered for at a revision, on a record that is not held here.
    pub(crate) fn own_word(revision: u64, id: RecordId) -> Vec<u8> {
        join(b'o', &[&revision.to_be_bytes(), &id.0])
    }

    pub(crate) fn pending(seq: u64) -> Vec<u8> {
        join(b'p', &[&seq.to_be_bytes()])
    }

    pub(crate) fn pending_of(id: RecordId, seq: u64) -> Vec<u8> {
        join(b'q', &[&id.0, &seq.to_be_bytes()])
    }

    pub(crate) fn pending_of_prefix(id: RecordId) -> Vec<u8> {
        join(b'q', &[&id.0])
    }

    pub(crate) fn refused(seq: u64) -> Vec<u8> {
        join(b'x', &[&seq.to_be_bytes()])
    }

    pub(crate) fn listed(register: u32, id: RecordId) -> Vec<u8> {
        join(b'g', &[&register.to_be_bytes(), &id.0])
    }

    pub(crate) fn listed_prefix(register: u32) -> Vec<u8> {
        join(b'g', &[&register.to_be_bytes()])
    }

    pub(crate) fn natural_prefix(register: u32, hash: &[u8; 32]) -> Vec<u8> {
        join(b'k', &[&register.to_be_bytes(), &hash[..16]])
    }

    pub(crate) fn natural(register: u32, hash: &[u8; 32], id: RecordId) -> Vec<u8> {
        join(b'k', &[&register.to_be_bytes(), &hash[..16], &id.0])
    }

    pub(crate) fn link(target: RecordId, register: u32, id: RecordId) -> Vec<u8> {
        join(b'l', &[&target.0, &register.to_be_bytes(), &id.0])
    }

    pub(crate) fn link_prefix(target: RecordId) -> Vec<u8> {
        join(b'l', &[&target.0])
    }

    /// The register and id of the record that a link comes from.
    pub(crate) fn linked(key: &[u8]) -> Option<(u32, RecordId)> {
        let register = key.get(17..21)?.try_into().ok()?;
        Some((u32::from_be_bytes(register), last_id(key)?))
    }

    pub(crate) fn history_prefix(id: RecordId) -> Vec<u8> {
        join(b'h', &[&id.0])
    }

    pub(crate) fn history(id: RecordId, entry: &taizhang_proto::pb::Superseded) -> Vec<u8> {
        let of = entry.origin.as_ref().map_or(0, |origin| origin.revision);
        // One edit may lose several values by one rule at once.
        let (replaced_by, of) = (entry.replaced_by.to_be_bytes(), of.to_be_bytes());
        join(b'h', &[&id.0, &replaced_by, &of, entry.rule.as_bytes(), &entry.value_key()])
    }

    pub(crate) fn document(kind: &str) -> Vec<u8> {
        join(b'd', &[kind.as_bytes()])
    }

    /// The id at the end of a key.
    pub(crate) fn last_id(key: &[u8]) -> Option<RecordId> {
        key.len().checked_sub(16).and_then(|start| RecordId::from_slice(&key[start..]))
    }
}

/// An open store.
#[derive(Debug, Clone)]
pub struct Store {
    db: sled::Db,
    tree: sled::Tree,
    flush: Flush,
    fault: Arc<watch::Sender<Option<String>>>,
}

/// How the engine is set up.
#[derive(Debug, Clone, Copy)]
pub struct Engine {
    /// Memory that sled may use for its cache, bytes.
    pub cache: u64,
    /// When it puts on disk what was applied, besides when it is told to.
    pub flush: Flush,
}

/// When the engine flushes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// So many milliseconds after the last time.
    Every(u64),
    /// With every batch, so that what is on disk depends on nothing but the calls.
    EachBatch,
}

impl Default for Engine {
    /// An office's PC has little memory, and its registers are small.
    fn default() -> Self {
        Self { cache: 8 * 1024 * 1024, flush: Flush::Every(1_000) }
    }
}

/// How long a store that was just closed is waited for.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });

impl Store {
    /// Opens or creates the store and reads every row once: what opens here can be relied on.
    ///
    /// # Errors
    /// When it can't be opened, or anything in it can't be read; [`StoreError::InUse`] and [`StoreError::Full`] say nothing
    /// against what is in it.
    pub fn open(path: &Path, engine: Engine) -> Result<(Self, Option<State>), StoreError> {
        let opened = panics::caught(|| -> Result<_, StoreError> {
            // Made here, so that only its owner can read what is in it.
            disk::create_dir(path).map_err(|error| StoreError::Directory(error.to_string()))?;
            let every = match engine.flush {
                Flush::Every(millis) => Some(millis),
                Flush::EachBatch => None,
            };
            let config = sled::Config::new().path(path).cache_capacity(engine.cache).flush_every_ms(every);
            // sled lets go of its files only when its last thread has ended, some time after it was dropped.
            let began = Instant::now();
            let db = loop {
                match config.open().map_err(StoreError::from) {
                    Err(StoreError::InUse) if began.elapsed() < PATIENCE => std::thread::sleep(PATIENCE / 500),
                    opened => break opened?,
                }
            };
            let tree = db.open_tree("office")?;
            let store = Self { db, tree, flush: engine.flush, fault: Arc::default() };
            let state = store.state()?;
            if let Some(state) = &state {
                if state.format != FORMAT {
                    return Err(StoreError::Format { found: state.format });
                }
                store.check(state)?;
            }
            Ok((store, state))
        });
        opened.unwrap_or(Err(StoreError::Panicked))
    }

    /// Why the store can't be used any more, once sled has reported a fault: from then on it refuses everything until
    /// it is opened again.
    pub fn fault(&self) -> watch::Receiver<Option<String>> {
        self.fault.subscribe()
    }

    fn noted(&self, error: sled::Error) -> StoreError {
        note(&self.fault, error)
    }

    /// Reads everything and compares the records with their digest. Returns how many rows there are.
    ///
    /// # Errors
    /// At the first thing that can't be read, or when the digest differs.
    pub fn check(&self, state: &State) -> Result<u64, StoreError> {
        let mut digest = ScopeDigest::default();
        let mut rows = 0;
        for row in &self.tree {
            let (key, value) = row.map_err(|error| self.noted(error))?;
            rows += 1;
            match key.first() {
                Some(b'r') => {
                    let id = RecordId::from_slice(&key[1..]).ok_or(StoreError::Row("record"))?;
                    Record::decode(value.to_vec())?;
                    digest.add(Item::record(id, &value));
                }
                Some(b'p') => {
                    pb::Change::decode(value.as_ref()).map_err(|_| StoreError::Row("pending"))?;
                }
                _ => {}
            }
        }
        if digest == state.digest() { Ok(rows) } else { Err(StoreError::Digest) }
    }

    /// The state row.
    ///
    /// # Errors
    /// When the store fails.
    pub fn state(&self) -> Result<Option<State>, StoreError> {
        let row = self.tree.get(key::STATE).map_err(|error| self.noted(error))?;
        row.map(|row| State::decode(row.as_ref()).map_err(|_| StoreError::Row("state"))).transpose()
    }

    /// A record as the hub holds it.
    ///
    /// # Errors
    /// When the store fails.
    pub fn record(&self, id: RecordId) -> Result<Option<Record>, StoreError> {
        let row = self.tree.get(key::record(id)).map_err(|error| self.noted(error))?;
        row.map(|row| Record::decode(row.to_vec()).map_err(StoreError::from)).transpose()
    }

    /// One row.
    ///
    /// # Errors
    /// When the store fails.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let row = self.tree.get(key).map_err(|error| self.noted(error))?;
        Ok(row.map(|value| Bytes::copy_from_slice(&value)))
    }

    /// Rows of sled's, as they are read here: one that can't be is a fault of the store.
    fn rows(&self, rows: sled::Iter) -> impl Iterator<Item = Result<(Bytes, Bytes), StoreError>> + use<> {
        let fault = self.fault.clone();
        rows.map(move |row| match row {
            Ok((key, value)) => Ok((Bytes::copy_from_slice(&key), Bytes::copy_from_slice(&value))),
            Err(error) => Err(note(&fault, error)),
        })
    }

    /// Rows under a prefix, in key order.
    pub fn scan(&self, prefix: &[u8]) -> impl Iterator<Item = Result<(Bytes, Bytes), StoreError>> + use<> {
        self.rows(self.tree.scan_prefix(prefix))
    }

    /// Rows from a key on, while they keep its first byte.
    pub fn scan_from(&self, from: &[u8]) -> impl Iterator<Item = Result<(Bytes, Bytes), StoreError>> + use<> {
        let prefix = from.first().copied();
        self.rows(self.tree.range(from.to_vec()..)).take_while(move |row: &Result<(Bytes, Bytes), _>| {
            row.as_ref().map_or(true, |(key, _)| key.first().copied() == prefix)
        })
    }

    /// Applies one batch, atomically.
    ///
    /// # Errors
    /// When the store fails; then none of it was applied.
    pub fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        disk::reached(Point::Applying);
        self.tree.apply_batch(batch).map_err(|error| self.noted(error))?;
        disk::reached(Point::Applied);
        if self.flush == Flush::EachBatch { self.flush() } else { Ok(()) }
    }

    /// Puts everything applied so far on disk.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.db.flush().map_err(|error| self.noted(error))?;
        disk::reached(Point::Flushed);
        Ok(())
    }

    /// Bytes on disk.
    pub fn size_on_disk(&self) -> u64 {
        self.db.size_on_disk().unwrap_or(0)
    }
}

/// Takes note of a fault of sled's.
fn note(fault: &watch::Sender<Option<String>>, error: sled::Error) -> StoreError {
    let error = StoreError::from(error);
    fault.send_replace(Some(error.to_string()));
    error
}

/// Whether there is a store at this path.
pub fn exists(path: &Path) -> bool {
    fs::metadata(path).is_ok()
}

impl From<StoreError> for crate::caller::Refusal {
    fn from(why: StoreError) -> Self {
        Self::failed(why)
    }
}

/// The path of the store in a data directory.
pub fn path_in(data: &Path) -> PathBuf {
    data.join("store")
}
