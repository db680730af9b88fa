//! The way up: the child's side of a session, as a machine that is fed messages and never touches the network.
//! Invariant: whatever message the session breaks at, the replica's disk holds a state from which the next session
//! goes on; nothing is said twice that the hub has answered for.

pub mod link;
pub mod night;
pub mod schedule;

use bytes::Bytes;
use std::{collections::VecDeque, ops::Deref};
use taizhang_proto::{
    OrgCode,
    pb::{self, down, up},
    session::{self, IN_FLIGHT, VersionError},
};
use tokio::sync::watch;

/// Why a session can't go on.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The replica failed.
    #[error(transparent)]
    Ledger(#[from] crate::ledger::LedgerError),
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

/// How a replica stands to the hub once everything is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
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
    fn caught(&self, caught: &pb::Caught) -> Result<Standing, SessionError>;

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

/// The child's side of one session. It holds its replica by reference or by [`Arc`](std::sync::Arc).
pub struct Client<P> {
    replica: P,
    live: bool,
    stage: Stage,
    sent: u64,
    in_flight: VecDeque<u64>,
    said_done: bool,
    heard: Option<pb::Heard>,
    /// What is said before anything else: of a repair, and documents that the hub has lost.
    first: VecDeque<up::It>,
    /// A repair was asked for and is not yet at its end.
    asked: bool,
    /// What the hub's greeting says of this computer's papers, until somebody looks.
    papers: Option<Papers>,
    /// What happened, for people.
    pub report: pb::SyncReport,
}

/// What a hub says of its child's papers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Papers {
    /// The certificate should be renewed.
    pub renew: bool,
    /// The short digest of the authorities that the hub goes by; empty of an earlier build.
    pub authorities: Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Greeting,
    Talking,
    Finished,
}

impl<P: Deref<Target: Replica>> Client<P> {
    /// A session that ends when both sides have said everything, or with `live` stays open.
    pub fn new(replica: P, live: bool) -> Self {
        Self {
            replica,
            live,
            stage: Stage::Greeting,
            sent: 0,
            in_flight: VecDeque::new(),
            said_done: false,
            heard: None,
            first: VecDeque::new(),
            asked: false,
            papers: None,
            report: pb::SyncReport::default(),
        }
    }

    /// The first message.
    ///
    /// # Errors
    /// When the replica fails.
    pub fn open(&mut self) -> Result<pb::Up, SessionError> {
        let hello = self.replica.hello(self.live)?;
        self.report.round_trips = 1;
        Ok(wrap(up::It::Hello(hello)))
    }

    /// Takes one message of the hub.
    ///
    /// # Errors
    /// When the replica fails or the message is out of turn.
    pub fn receive(&mut self, message: pb::Down) -> Result<(), SessionError> {
        let message = message.it.ok_or(SessionError::Protocol("an empty message"))?;
        if numbers_of(&message).into_iter().any(|number| number > session::MAX_NUMBER) {
            return Err(SessionError::Protocol("a number that no hub reaches"));
        }
        match (self.stage, message) {
            (Stage::Greeting, down::It::Welcome(welcome)) => self.greet(&welcome)?,
            (Stage::Greeting, _) => return Err(SessionError::Protocol("no greeting first")),
            (_, down::It::Welcome(_)) => return Err(SessionError::Protocol("a second greeting")),
            (_, down::It::Verdicts(verdicts)) => {
                let last = verdicts.last;
                self.in_flight.retain(|sent| *sent > last);
                let count = self.replica.verdicts(verdicts)?;
                self.report.accepted = self.report.accepted.saturating_add(count.accepted);
                self.report.settled = self.report.settled.saturating_add(count.settled);
                self.report.refused = self.report.refused.saturating_add(count.refused);
            }
            (_, down::It::Records(records)) => self.report.pulled += self.replica.records(records)?,
            (_, down::It::Document(document)) => self.replica.document(document)?,
            (_, down::It::Mail(mail)) => self.replica.mail(mail)?,
            (_, down::It::Range(range)) => {
                self.report.round_trips += 1;
                self.first.extend(self.replica.range(&range)?);
            }
            (_, down::It::Caught(caught)) => self.compare(&caught)?,
        }
        Ok(())
    }

    fn compare(&mut self, caught: &pb::Caught) -> Result<(), SessionError> {
        let standing = self.replica.caught(caught)?;
        self.report.repaired = self.replica.repaired();
        self.report.equal = standing == Standing::Equal;
        self.asked = matches!(standing, Standing::Ask(_) | Standing::Later);
        match standing {
            Standing::Ask(range) => {
                self.report.round_trips += 1;
                self.first.push_back(up::It::Range(range));
                return Ok(());
            }
            Standing::Later => return Ok(()),
            Standing::Different if self.live => return Err(SessionError::Different),
            Standing::Equal | Standing::Different => {}
        }
        self.report.ok = true;
        self.heard = Some(pb::Heard { revision: caught.revision, equal: self.report.equal });
        Ok(())
    }

    /// What the hub said of this computer's papers; once.
    pub fn take_papers(&mut self) -> Option<Papers> {
        self.papers.take()
    }

    fn greet(&mut self, welcome: &pb::Welcome) -> Result<(), SessionError> {
        self.papers = Some(Papers { renew: welcome.renew, authorities: welcome.authorities.clone() });
        session::negotiate(welcome.protocol, welcome.protocol)?;
        match self.replica.welcome(welcome)? {
            Greeting::Quiet if !self.live => {
                self.stage = Stage::Finished;
                self.report.ok = true;
                self.report.equal = true;
            }
            Greeting::Quiet => {
                self.stage = Stage::Talking;
                self.sent = welcome.acknowledged;
                self.report.ok = true;
                self.report.equal = true;
            }
            Greeting::Talk { acknowledged } => {
                self.stage = Stage::Talking;
                self.sent = acknowledged;
                self.report.round_trips += 1;
            }
        }
        for kind in &welcome.wanted {
            self.first.extend(self.replica.said_again(kind)?.into_iter().map(up::It::Document));
        }
        Ok(())
    }

    /// The next message to send; none when the window is full or there is nothing to say.
    ///
    /// # Errors
    /// When the replica fails.
    pub fn poll(&mut self) -> Result<Option<pb::Up>, SessionError> {
        if let Some(message) = self.first.pop_front() {
            return Ok(Some(wrap(message)));
        }
        if let Some(heard) = self.heard.take() {
            if !self.live {
                self.stage = Stage::Finished;
            }
            return Ok(Some(wrap(up::It::Heard(heard))));
        }
        if self.stage != Stage::Talking || self.in_flight.len() >= IN_FLIGHT {
            return Ok(None);
        }
        if let Some(push) = self.replica.batch(self.sent)? {
            // A hub's marks come without a revision of its cells.
            self.report.pushed += push.last.saturating_add(1).saturating_sub(push.first);
            self.sent = push.last;
            self.in_flight.push_back(push.last);
            return Ok(Some(wrap(up::It::Push(push))));
        }
        if self.live || self.said_done {
            return Ok(None);
        }
        self.said_done = true;
        Ok(Some(wrap(up::It::Done(pb::PushDone {}))))
    }

    /// Whether the hub owes a message: its greeting, verdicts, an answer about a repair, or the end.
    pub fn is_owed(&self) -> bool {
        match self.stage {
            Stage::Greeting => true,
            Stage::Talking => !self.in_flight.is_empty() || self.asked || self.said_done,
            Stage::Finished => false,
        }
    }

    /// Whether the session has nothing more to do.
    pub fn is_finished(&self) -> bool {
        self.stage == Stage::Finished
    }
}

/// The numbers in a hub's message that count something: they are kept, and added to.
fn numbers_of(message: &down::It) -> [u64; 8] {
    let mut numbers = [0; 8];
    let found: &[u64] = match message {
        down::It::Welcome(own) => &[
            own.acknowledged,
            own.head,
            own.tree_version,
            own.floor,
            own.marked,
            own.plan_version,
            own.months,
            own.orders,
        ],
        down::It::Verdicts(own) => &[own.first, own.last, own.revision],
        down::It::Records(own) => &[own.upto],
        down::It::Caught(own) => &[own.revision, own.acknowledged],
        down::It::Document(own) => &[own.version],
        down::It::Mail(own) => &[own.upto],
        down::It::Range(_) => &[],
    };
    numbers[..found.len()].copy_from_slice(found);
    numbers
}

fn wrap(message: up::It) -> pb::Up {
    pb::Up { it: Some(message) }
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
