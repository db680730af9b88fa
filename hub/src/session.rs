//! The hub's side of a session, as a machine that is fed messages and answers.
//! Invariants: scope comes from the certificate alone; verdicts leave only after the writer's sync; what is sent
//! down was read from one view, so a digest and the records it covers belong together.

mod greet;
mod records;
mod repair;
pub mod serve;

use crate::{
    certificate::is_due,
    mail::post,
    rows::{self, NodeRow, UnitRow, meta},
    scope::Scope,
    state::{Core, Peer, months, orders},
    store::{Space, StoreError, View},
    writer::{Answer, Job, Pushed, WriteError},
};
use prost::Message;
use std::{
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
};
use taizhang_node::upstream::{self, SessionError};
use taizhang_proto::{
    OrgCode,
    digest::LogDigest,
    pb::{self, down, up},
    session::{self, MAX_BATCH_CHANGES, PROTOCOL_MAX, PROTOCOL_MIN, VersionError},
};

/// The next session of this process.
static SESSIONS: AtomicU64 = AtomicU64::new(1);

/// Why the hub ends a session.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The store or the writer.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The builds do not fit. Read at the child, so it names both sides.
    #[error("{}", for_the_child(.0))]
    Version(#[from] VersionError),
    /// Another child is being repaired.
    #[error("上级正在与另一单位核对数据，请稍后再试 (another office is being repaired: come back later)")]
    Busy,
    /// The child's unit has another code by now.
    #[error("所属单位的编码已变更为{0}，请重新连接 (the unit's code has changed: greet anew)")]
    Moved(OrgCode),
    /// The child broke the protocol.
    #[error("下级违反了同步协议 (the child broke the protocol): {0}")]
    Protocol(&'static str),
}

fn for_the_child(error: &VersionError) -> String {
    match error {
        VersionError::TooOld { theirs } => format!(
            "下级的程序过旧：其协议最高为 {theirs}，上级最低要求 {PROTOCOL_MIN}，请升级下级的程序 (upgrade the child)"
        ),
        VersionError::TooNew { theirs } => format!(
            "上级的程序过旧：其协议最高为 {PROTOCOL_MAX}，下级最低要求 {theirs}，请升级上级的程序 (upgrade the hub)"
        ),
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Write(error.into())
    }
}

impl From<SessionError> for Fault {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Protocol(what) => Self::Protocol(what),
            _ => Self::Protocol("a batch that can't be read"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Greeting,
    Talking,
    Finished,
}

/// The hub's side of one session.
pub struct Server {
    peer: Peer,
    /// Which session of this process it is, from 1.
    number: u64,
    /// The unit in the child's certificate, which it knows itself by; its scope may have another code by now.
    certified: OrgCode,
    stage: Stage,
    hello: pb::Hello,
    node: u32,
    /// Pushes that the writer has not answered.
    outstanding: usize,
    /// Changes whose verdicts a broken session kept from the child, and that it has not been told since.
    missed: Range<u64>,
    done: bool,
    /// Last revision whose records were sent.
    cursor: u64,
    /// Last revision up to which the child has everything: a record that it edits in the middle of a long pull moves
    /// past the cursor with news that the cursor has passed.
    whole: u64,
    /// Subtree head, acknowledged number at the last `Caught`.
    caught: Option<(u64, u64)>,
    said_end: bool,
    /// Version of the tree of units that the child was told of.
    told_tree: u64,
    /// Version and short digest of the plans that the child was told of.
    told_plan: (u64, bytes::Bytes),
    /// How many locked months the child was told of.
    told_months: u64,
    /// Version of the task orders that the child was told of.
    told_orders: u64,
    /// Version of the roll that the child was told of; none where it holds none.
    told_roll: Option<u64>,
    /// Kinds of documents that the child is asked to say, and has not said whole: until then it is told none of them.
    wanted: Vec<String>,
    /// The last of the locked months that the child has said again.
    said_months: u64,
    list_records: usize,
    repair: repair::Repair,
    /// The certificate that was shown, DER; empty in memory.
    shown: Vec<u8>,
    /// Where the child holds nothing yet of what is for everybody: up to this revision it has heard all else.
    heard_own: Option<u64>,
    /// What the child was told of its papers; none before the greeting was answered.
    told_papers: Option<(bool, [u8; 8])>,
    /// The last change of the child's log whose digest is known, and the digest.
    log: Option<(u64, LogDigest)>,
}

/// Batches of verdicts that are read at once where the child missed them.
const MISSED_AT_ONCE: usize = 8;
/// Largest list of records sent at once before zstd, bytes.
const MAX_LIST_BYTES: usize = 1024 * 1024;
/// Records looked at before a list is sent even when it is small.
const MAX_LIST_RECORDS: usize = 4096;
/// Longest field the greeting may carry.
const MAX_GREETING_FIELD: usize = 64;
/// Most letters and marks in one batch of a hub: more than its outbox puts into one.
const MAX_LETTERS: usize = 16 * 1024;
const MAX_MARKS: usize = 16 * 1024;
/// Longest names of stretches of a hub's history.
const MAX_STRETCHES: usize = session::STRETCH_NAME * session::STRETCHES_HEARD;

impl Server {
    /// A session with a child.
    pub fn new(peer: Peer) -> Self {
        Self {
            certified: peer.unit,
            number: SESSIONS.fetch_add(1, Ordering::Relaxed),
            peer,
            stage: Stage::Waiting,
            hello: pb::Hello::default(),
            node: 0,
            outstanding: 0,
            missed: 0..0,
            done: false,
            cursor: 0,
            whole: 0,
            caught: None,
            said_end: false,
            told_tree: 0,
            told_plan: (0, bytes::Bytes::new()),
            told_months: 0,
            told_orders: 0,
            told_roll: None,
            wanted: Vec::new(),
            said_months: 0,
            list_records: MAX_LIST_RECORDS,
            repair: repair::Repair::default(),
            shown: Vec::new(),
            heard_own: None,
            told_papers: None,
            log: None,
        }
    }

    /// With the certificate that the child has shown, DER.
    #[must_use]
    pub fn showing(mut self, certificate: Vec<u8>) -> Self {
        self.shown = certificate;
        self
    }

    /// Whether the child's certificate should be renewed, and the digest of the authorities that it should go by.
    fn papers(&self, core: &Core) -> (bool, [u8; 8]) {
        match core.authorities() {
            (0, _) => (false, [0; 8]),
            (signing, digest) => (is_due(&self.shown, signing, core.now()), digest),
        }
    }

    /// Whether there is news about the child's papers, which only a greeting tells.
    pub(crate) fn has_new_papers(&self, core: &Core) -> bool {
        self.told_papers.is_some_and(|told| told != self.papers(core))
    }

    /// Whether the hub goes by other authorities than when it greeted the child.
    pub(crate) fn has_other_authorities(&self, core: &Core) -> bool {
        let (signing, digest) = core.authorities();
        signing != 0 && self.told_papers.is_some_and(|(_, told)| told != digest)
    }

    /// With the unit that the child's certificate names, where that is an older code of its own.
    #[must_use]
    pub fn certified_as(mut self, unit: OrgCode) -> Self {
        self.certified = unit;
        self
    }

    /// With lists of at most so many records: many small ones, in which a pull can break.
    #[must_use]
    pub fn with_lists_of(mut self, records: usize) -> Self {
        self.list_records = records.clamp(1, MAX_LIST_RECORDS);
        self
    }

    /// Takes a message; returns what has to be written for it.
    ///
    /// # Errors
    /// When the child is too old or too new, or breaks the protocol.
    pub fn receive(&mut self, message: pb::Up) -> Result<Option<Job>, Fault> {
        let message = message.it.ok_or(Fault::Protocol("an empty message"))?;
        match (self.stage, message) {
            (Stage::Waiting, up::It::Hello(hello)) => self.take_hello(hello).map(Some),
            (Stage::Waiting, _) => Err(Fault::Protocol("no greeting first")),
            (_, up::It::Hello(_)) => Err(Fault::Protocol("a second greeting")),
            (_, up::It::Push(push)) => {
                self.outstanding += 1;
                self.read_push(push).map(Some)
            }
            (_, up::It::Range(_) | up::It::Want(_)) if self.peer.hub || self.stage != Stage::Talking => {
                Err(Fault::Protocol("a range out of turn"))
            }
            (_, up::It::Range(range)) => {
                let is_first = self.repair.hear(range)?;
                Ok(is_first.then(|| Job::Differs { peer: self.peer.clone() }))
            }
            (_, up::It::Want(want)) => self.repair.want(want).map(|()| None),
            (_, up::It::Document(document)) => {
                // Each month once, in their order: none is read again and again.
                let place = match document.kind.as_str() {
                    "month" => (self.said_months.saturating_add(1)..=self.hello.months).contains(&document.version),
                    _ => true,
                };
                if !place || !self.wanted.contains(&document.kind) {
                    return Err(Fault::Protocol("a document that was not asked for"));
                }
                if document.kind == "month" {
                    self.said_months = document.version;
                }
                Ok(Some(Job::Again { peer: self.peer.clone(), document }))
            }
            (_, up::It::Done(_)) => {
                self.done = true;
                Ok(None)
            }
            (_, up::It::Heard(heard)) => {
                if !self.hello.live {
                    self.stage = Stage::Finished;
                }
                Ok(Some(Job::Heard { peer: self.peer.clone(), heard }))
            }
        }
    }

    fn take_hello(&mut self, hello: pb::Hello) -> Result<Job, Fault> {
        session::negotiate(hello.protocol_min, hello.protocol_max)?;
        let digests =
            [&hello.scope_digest, &hello.month_digest, &hello.orders_digest, &hello.plan_digest, &hello.roll_digest];
        let sizes = digests.map(bytes::Bytes::len).into_iter().chain([hello.software.len()]);
        let wrong = hello.incarnation.len() != 16 || hello.epoch.len() > MAX_STRETCHES;
        if wrong || sizes.into_iter().any(|size| size > MAX_GREETING_FIELD) {
            return Err(Fault::Protocol("a greeting with a field of the wrong size"));
        }
        self.stage = Stage::Greeting;
        // The writer is told what was said; the session goes by numbers that can be added to.
        self.hello = within_numbers(hello.clone());
        self.cursor = if hello.rebuild { 0 } else { self.hello.pulled };
        Ok(Job::greet_by(self.number, self.peer.clone(), hello))
    }

    fn read_push(&mut self, push: pb::Push) -> Result<Job, Fault> {
        let peer = self.peer.clone();
        if self.peer.hub {
            let raw = upstream::decompress(&push.cells, push.raw_len)?;
            let list = pb::CellList::decode(raw).map_err(|_| Fault::Protocol("cells that can't be read"))?;
            let pb::Push { last, letters, marks, marked, stretch, .. } = push;
            if stretch.len() > MAX_STRETCHES || letters.len() > MAX_LETTERS || marks.len() > MAX_MARKS {
                return Err(Fault::Protocol("a batch with a field of the wrong size"));
            }
            let (session, cells) = (self.number, list.cells);
            return Ok(Job::Cells { peer, session, last, cells, letters, marks, marked, stretch });
        }
        let raw = upstream::decompress(&push.changes, push.raw_len)?;
        let list = pb::ChangeList::decode(raw).map_err(|_| Fault::Protocol("changes that can't be read"))?;
        let count = list.changes.len() as u64;
        if count == 0 || count > MAX_BATCH_CHANGES as u64 || push.last.wrapping_sub(push.first).wrapping_add(1) != count
        {
            return Err(Fault::Protocol("a batch whose numbers do not fit its changes"));
        }
        let changes = list.changes.into_iter().map(Pushed::read);
        let mut known = self.log.take().filter(|(last, _)| push.first == last.saturating_add(1));
        let changes = match &mut known {
            Some((last, digest)) => {
                *last = push.last;
                changes.map(|change| change.next_of(digest)).collect()
            }
            None => changes.collect(),
        };
        self.log = known;
        Ok(Job::Push { peer, node: self.node, first: push.first, changes, skew: push.skew_millis, room: None })
    }

    /// Takes the writer's answer; returns what to send for it.
    ///
    /// # Errors
    /// When the store fails.
    pub fn answered(&mut self, core: &Core, answer: Answer) -> Result<Vec<pb::Down>, Fault> {
        match answer {
            Answer::Done | Answer::Reviewed(_) | Answer::Revised(_) | Answer::Refused(_) => Ok(Vec::new()),
            Answer::Verdicts(verdicts) => {
                self.outstanding -= 1;
                // In their order: whoever pulls between the messages has told the earlier ones already.
                let mut messages = Vec::new();
                while !self.missed.is_empty() {
                    messages.extend(self.missed_verdicts(core.view().as_ref(), MISSED_AT_ONCE)?);
                }
                messages.extend(verdicts.into_iter().map(|one| wrap(down::It::Verdicts(one))));
                Ok(messages)
            }
            Answer::Again(document) => {
                self.heard_again(core, &document);
                Ok(Vec::new())
            }
            Answer::Greeted(row) => self.greet(core, &row),
        }
    }

    /// The next message that moves the child towards the hub's head; none when there is nothing to say now.
    ///
    /// # Errors
    /// When the store fails.
    pub fn pull(&mut self, core: &Core) -> Result<Option<pb::Down>, Fault> {
        if self.stage != Stage::Talking {
            return Ok(None);
        }
        if !self.missed.is_empty()
            && let Some(verdicts) = self.missed_verdicts(core.view().as_ref(), 1)?.pop()
        {
            return Ok(Some(verdicts));
        }
        let current = core.tree().current(self.certified, core.today());
        if current != self.peer.unit {
            return Err(Fault::Moved(current));
        }
        if let Some(document) = self.newer_tree(core, self.told_tree) {
            self.told_tree = document.version;
            return Ok(Some(wrap(down::It::Document(document))));
        }
        if let Some(document) = self.newer_plan(core) {
            return Ok(Some(wrap(down::It::Document(document))));
        }
        if let Some(document) = self.newer_roll(core) {
            return Ok(Some(wrap(down::It::Document(document))));
        }
        if self.peer.hub
            && !self.wants("orders")
            && let Some(document) = orders::newer(core, self.told_orders)
        {
            self.told_orders = document.version;
            return Ok(Some(wrap(down::It::Document(document))));
        }
        if self.told_months < core.months().count() && !self.wants("month") {
            let child = (self.peer.unit, self.peer.hub);
            if let Some(document) = months::next_document(core, core.view().as_ref(), self.told_months, child)? {
                self.told_months = document.version;
                return Ok(Some(wrap(down::It::Document(document))));
            }
        }
        if self.repair.is_open() {
            let message = self.repair.next(core, &self.peer.id, self.scope(core))?;
            if !self.repair.is_open() {
                // What was put right is compared once more.
                (self.caught, self.said_end) = (None, false);
            }
            if message.is_some() || self.repair.is_open() {
                return Ok(message);
            }
        }
        let view = core.view();
        let unit = self.scope(core).row(view.as_ref())?;
        if self.peer.hub && self.cursor < post::head(view.as_ref(), self.peer.unit)? {
            let mail = post::collect(view.as_ref(), self.peer.unit, self.cursor)?;
            self.cursor = mail.upto;
            return Ok(Some(wrap(down::It::Mail(mail))));
        }
        if !self.peer.hub && self.outstanding == 0 && self.cursor < unit.head {
            let (list, upto) = self.collect(core, view.as_ref())?;
            self.cursor = upto;
            if !(list.records.is_empty() && list.departed.is_empty() && list.unreadable.is_empty()) {
                return records::pack(&list, upto).map(Some);
            }
        }
        self.catch_up(view.as_ref(), &unit)
    }

    /// What the child holds.
    fn scope(&self, core: &Core) -> Scope {
        let everybody = !self.peer.hub && self.hello.everybody.is_some();
        Scope { unit: self.peer.unit, hub: core.unit, everybody }
    }

    /// `Caught`, when everything has been said on both sides and it was not said before.
    fn catch_up(&mut self, view: &dyn View, unit: &UnitRow) -> Result<Option<pb::Down>, Fault> {
        if self.outstanding > 0 || !(self.done || self.hello.live) {
            return Ok(None);
        }
        if self.done && self.said_end {
            return Ok(None);
        }
        let row: Option<NodeRow> = rows::read(view, Space::Nodes, self.peer.id.as_bytes())?;
        if row.as_ref().is_some_and(|row| row.number != self.node) {
            // The numbers of another log would pass for this one's.
            return Err(WriteError::Superseded.into());
        }
        let acknowledged = row.map_or(0, |row| row.acknowledged);
        let now = (if self.peer.hub { acknowledged } else { unit.head }, acknowledged);
        if !self.done && self.caught == Some(now) {
            return Ok(None);
        }
        self.caught = Some(now);
        self.whole = self.cursor;
        self.said_end = self.done;
        let digest = if self.peer.hub { unit.cells_digest() } else { unit.records_digest() };
        Ok(Some(wrap(down::It::Caught(pb::Caught {
            revision: rows::counter(view, meta::REVISION)?,
            scope_digest: digest.to_bytes().to_vec().into(),
            acknowledged,
            count: unit.count,
        }))))
    }

    /// Whether the child has said who it is.
    pub fn has_greeted(&self) -> bool {
        self.stage != Stage::Waiting
    }

    /// Whether the child is being repaired, which nobody else is meanwhile.
    pub fn is_repairing(&self) -> bool {
        self.repair.is_open()
    }

    /// Whether everything has been said.
    pub fn is_finished(&self) -> bool {
        self.stage == Stage::Finished
    }

    /// What the writer notes of a child that stays, with everything said and heard.
    pub fn presence(&self) -> Option<Job> {
        let still = self.stage == Stage::Talking && self.outstanding == 0 && !self.repair.is_open();
        (still && self.caught.is_some()).then(|| Job::Present { peer: self.peer.clone() })
    }
}

/// A greeting without numbers beyond those that anybody reaches.
fn within_numbers(mut hello: pb::Hello) -> pb::Hello {
    let pb::Hello { head, settled, pulled, tree_version, mailed, plan_version, months, orders, .. } = &mut hello;
    for number in [head, settled, pulled, tree_version, mailed, plan_version, months, orders] {
        *number = (*number).min(session::MAX_NUMBER);
    }
    hello
}

fn wrap(message: down::It) -> pb::Down {
    pb::Down { it: Some(message) }
}
