//! What a session carries and the ways in which it can fail, apart from who carries it: an office's ledger, or a hub's totals on their
//! way up. Invariant: what a message says it unpacks to is bounded before anything is unpacked.

use crate::{disk::DiskError, store::StoreError};
use bytes::Bytes;
use taizhang_proto::{
    OrgCode,
    pb::{self, up},
    session::{self, VersionError},
};
use tokio::sync::watch;

/// Why the ledger failed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The hub said something that can't be right.
    #[error("上级 (hub)：{0}")]
    Peer(String),
    /// The hub knows another log under this incarnation: this replica was restored from an old backup.
    #[error(
        "上级收到过本机的另一份日志，本机重新开始 (the hub knows another log of this node: a new incarnation is needed)"
    )]
    UnknownLog,
    /// The hub was restored from an old backup and has lost what it answered for from this revision on.
    #[error(
        "上级已丢失第{floor}号以后的内容，由本机重新上报 (the hub has lost what it answered for from revision {floor} on)"
    )]
    Forgotten {
        /// First revision that it may have lost.
        floor: u64,
        /// The stretch of its history that it is in now.
        epoch: Vec<u8>,
    },
    /// The certificate names another unit than before; everything is pulled for it.
    #[error("本机的单位已改为 {0} (the scope is another now)")]
    NewScope(OrgCode),
}

/// Why a session can't go on.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The replica failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The builds do not fit.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// The hub said something out of turn.
    #[error("上级违反了同步协议 (the hub broke the protocol): {0}")]
    Protocol(&'static str),
    /// The digests differ; everything is pulled again in the next session.
    #[error("与上级的登记数据不一致，将全部重新下载 (the registers differ from the hub's; all will be pulled again)")]
    Different,
    /// This replica took a new incarnation and has to come back.
    #[error(
        "本机或上级曾由旧备份恢复，本机已换用新的编号，将重新同步 (this office or its hub was restored from a backup: a new incarnation was taken)"
    )]
    NewIncarnation,
    /// This computer's clock was set: the hub has to be told what it reads now.
    #[error("本机时钟已被调整，将重新连接上级核对 (this computer's clock was set; the hub is greeted anew)")]
    ClockSet,
    /// The certificate names another unit than this replica was: it has to come back to pull that one's records.
    #[error("本机所属单位已变更为{0}，将重新同步 (this office's unit is now another; all will be pulled for it)")]
    NewScope(OrgCode),
}

/// What the hub's greeting means for this replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    /// Both sides hold the same and neither has anything to say.
    Quiet,
    /// Push from after this change on.
    Talk {
        /// Last change that the hub has.
        acknowledged: u64,
    },
}

/// What comparing with the hub has shown once everything is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// The digests are equal, or are compared later because more has been said since.
    Equal,
    /// They differ: this is asked to find out where.
    Ask(pb::Range),
    /// A repair is under way and will end in another `Caught`.
    Later,
    /// They differ, and everything is pulled again.
    Different,
}

/// What a session carries: an office's ledger, or a hub's totals on their way up. The calls block on disk.
pub trait Replica: Send + Sync + 'static {
    /// When everything was last said and heard, seconds since 1970 by this computer's clock; 0: never.
    fn last_heard(&self) -> u64;

    /// What it opens with. Everything it claims is flushed to disk.
    ///
    /// # Errors
    /// When the replica fails.
    fn hello(&self, live: bool) -> Result<pb::Hello, SessionError>;

    /// Takes the hub's greeting.
    ///
    /// # Errors
    /// [`SessionError::NewIncarnation`] when the hub knows another log, [`SessionError::NewScope`] when the certificate
    /// names another unit.
    fn welcome(&self, welcome: &pb::Welcome) -> Result<Greeting, SessionError>;

    /// The next batch after a change; none when that was the last.
    ///
    /// # Errors
    /// When the replica fails.
    fn batch(&self, after: u64) -> Result<Option<pb::Push>, SessionError>;

    /// Takes verdicts; durable when the next `hello` is made.
    ///
    /// # Errors
    /// When the replica fails or the verdicts can't be its own.
    fn verdicts(&self, verdicts: pb::Verdicts) -> Result<VerdictCount, SessionError>;

    /// Takes records of the scope. Returns how many.
    ///
    /// # Errors
    /// When the replica fails or they can't be read.
    fn records(&self, records: pb::Records) -> Result<u64, SessionError>;

    /// Takes a document.
    ///
    /// # Errors
    /// When the replica fails or it can't be read.
    fn document(&self, document: pb::Document) -> Result<(), SessionError>;

    /// The documents of this kind that it holds, because the hub has lost its own: only a hub is asked.
    ///
    /// # Errors
    /// When the replica fails.
    fn said_again(&self, _: &str) -> Result<Vec<pb::Document>, SessionError> {
        Err(SessionError::Protocol("an office is asked for documents"))
    }

    /// Takes what other hubs below the same parent said, and what the parent found. An office gets none.
    ///
    /// # Errors
    /// When the replica fails or it can't be read.
    fn mail(&self, _: pb::Mail) -> Result<(), SessionError> {
        Err(SessionError::Protocol("mail for an office"))
    }

    /// Takes the end of what the hub had to send, and compares.
    ///
    /// # Errors
    /// When the replica fails.
    fn caught(&self, caught: &pb::Caught) -> Result<Comparison, SessionError>;

    /// Takes the hub's word on the ranges asked for; returns what to say next. Only a replica whose `caught` asks for
    /// ranges hears it.
    ///
    /// # Errors
    /// When the replica fails or the message can't be read.
    fn range(&self, _: &pb::Range) -> Result<Vec<up::It>, SessionError> {
        Err(SessionError::Protocol("a range that was not asked for"))
    }

    /// How many records the repairs of this session put right.
    fn repaired(&self) -> u64 {
        0
    }

    /// How much it has to say that the hub has not answered for.
    fn pending(&self) -> u64;

    /// In how long a live session greets anew, because what its greeting said of the clocks must be fresh.
    fn greet_again(&self) -> Option<std::time::Duration> {
        None
    }

    /// Changes with every new thing to push.
    fn changed(&self) -> watch::Receiver<u64>;
}

/// How a batch of verdicts went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VerdictCount {
    /// Simply accepted.
    pub accepted: u64,
    /// Settled by rule.
    pub settled: u64,
    /// Refused.
    pub refused: u64,
}

/// zstd level for batches: level 3 costs less time than the bytes it saves on an office's line.
pub const ZSTD_LEVEL: i32 = 3;

/// Compresses a batch.
///
/// # Errors
/// When zstd fails, which it does only for lack of memory.
pub fn compress(raw: &[u8]) -> std::io::Result<Bytes> {
    zstd::bulk::compress(raw, ZSTD_LEVEL).map(Bytes::from)
}

/// Decompresses a batch that says it has `raw_len` bytes; never makes more than the bound allows.
///
/// # Errors
/// When it is over the bound or not what it says.
pub fn decompress(packed: &[u8], raw_len: u32) -> Result<Bytes, SessionError> {
    // A single large record may exceed the aim of a batch, so the bound is the one on messages.
    decompress_within(packed, raw_len, session::MAX_MESSAGE_BYTES as u32)
}

/// The same under another bound, bytes.
///
/// # Errors
/// As [`decompress`].
pub fn decompress_within(packed: &[u8], raw_len: u32, bound: u32) -> Result<Bytes, SessionError> {
    if raw_len > bound {
        return Err(SessionError::Protocol("a batch over the size bound"));
    }
    let raw = zstd::bulk::decompress(packed, raw_len as usize)
        .map_err(|_| SessionError::Protocol("a batch that can't be decompressed"))?;
    if raw.len() == raw_len as usize { Ok(raw.into()) } else { Err(SessionError::Protocol("a batch of another size")) }
}
