//! The hub's side of a session, as a machine that is fed messages and answers.
//! Invariants: scope comes from the certificate alone; verdicts leave only after the writer's sync; what is sent
//! down was read from one view, so a digest and the records it covers belong together.

mod repair;
pub mod serve;

use crate::{
    mail::post,
    months, orders,
    rows::{self, FeedRow, NodeRow, UnitRow, meta},
    store::{Space, StoreError, View},
    writer::{Answer, Core, Job, Peer, Pushed, WriteError, recover},
};
use prost::Message;
use taizhang_node::upstream::{self, SessionError};
use taizhang_proto::{
    OrgCode, RecordId,
    change::{ChangeError, Edit},
    digest::LogDigest,
    pb::{self, down, up},
    session::{self, MAX_BATCH_BYTES, MAX_BATCH_CHANGES, PROTOCOL_MAX, PROTOCOL_MIN, VersionError},
};

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
    /// The unit in the child's certificate, which it knows itself by; its scope may have another code by now.
    certified: OrgCode,
    stage: Stage,
    hello: pb::Hello,
    node: u32,
    /// Pushes that the writer has not answered.
    outstanding: usize,
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
    /// Kinds of documents that the child is asked to say, and has not said whole: until then it is told none of them.
    wanted: Vec<String>,
    list_records: usize,
    repair: repair::Repair,
}

/// Largest list of records sent at once before zstd, bytes.
const MAX_LIST_BYTES: usize = 1024 * 1024;
/// Records looked at before a list is sent even when it is small.
const MAX_LIST_RECORDS: usize = 4096;
/// Longest field the greeting may carry.
const MAX_GREETING_FIELD: usize = 64;
/// Longest names of stretches of a hub's history.
const MAX_STRETCHES: usize = session::STRETCH_NAME * session::STRETCHES_HEARD;

impl Server {
    /// A session with a child.
    pub fn new(peer: Peer) -> Self {
        Self {
            certified: peer.unit,
            peer,
            stage: Stage::Waiting,
            hello: pb::Hello::default(),
            node: 0,
            outstanding: 0,
            done: false,
            cursor: 0,
            whole: 0,
            caught: None,
            said_end: false,
            told_tree: 0,
            told_plan: (0, bytes::Bytes::new()),
            told_months: 0,
            told_orders: 0,
            wanted: Vec::new(),
            list_records: MAX_LIST_RECORDS,
            repair: repair::Repair::default(),
        }
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
                let place = match document.kind.as_str() {
                    "month" => (1..=self.hello.months).contains(&document.version),
                    _ => true,
                };
                if !place || !self.wanted.contains(&document.kind) {
                    return Err(Fault::Protocol("a document that was not asked for"));
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
        let digests = [&hello.scope_digest, &hello.month_digest, &hello.orders_digest, &hello.plan_digest];
        let sizes = digests.map(bytes::Bytes::len).into_iter().chain([hello.software.len()]);
        let wrong = hello.incarnation.len() != 16 || hello.epoch.len() > MAX_STRETCHES;
        if wrong || sizes.into_iter().any(|size| size > MAX_GREETING_FIELD) {
            return Err(Fault::Protocol("a greeting with a field of the wrong size"));
        }
        self.stage = Stage::Greeting;
        self.cursor = if hello.rebuild { 0 } else { hello.pulled };
        self.hello = hello.clone();
        Ok(Job::Greet { peer: self.peer.clone(), hello: Box::new(hello) })
    }

    fn read_push(&self, push: pb::Push) -> Result<Job, Fault> {
        let peer = self.peer.clone();
        if self.peer.hub {
            let raw = upstream::decompress(&push.cells, push.raw_len)?;
            let list = pb::CellList::decode(raw).map_err(|_| Fault::Protocol("cells that can't be read"))?;
            let pb::Push { last, letters, marks, marked, stretch, .. } = push;
            if stretch.len() > MAX_STRETCHES {
                return Err(Fault::Protocol("a batch with a field of the wrong size"));
            }
            return Ok(Job::Cells { peer, last, cells: list.cells, letters, marks, marked, stretch });
        }
        let raw = upstream::decompress(&push.changes, push.raw_len)?;
        let list = pb::ChangeList::decode(raw).map_err(|_| Fault::Protocol("changes that can't be read"))?;
        let count = list.changes.len() as u64;
        if count == 0 || count > MAX_BATCH_CHANGES as u64 || push.last.wrapping_sub(push.first).wrapping_add(1) != count
        {
            return Err(Fault::Protocol("a batch whose numbers do not fit its changes"));
        }
        let read = |raw: bytes::Bytes| {
            let edit = pb::Change::decode(raw.clone()).map_err(|_| ChangeError::Empty).and_then(Edit::read);
            Pushed { raw, edit }
        };
        let changes = list.changes.into_iter().map(read).collect();
        Ok(Job::Push { peer, node: self.node, first: push.first, changes, room: None })
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
                Ok(verdicts.into_iter().map(|one| wrap(down::It::Verdicts(one))).collect())
            }
            Answer::Again(document) => {
                self.heard_again(core, &document);
                Ok(Vec::new())
            }
            Answer::Greeted(row) => self.greet(core, &row),
        }
    }

    /// Once the child has said a kind of documents whole, it is told what stands now.
    fn heard_again(&mut self, core: &Core, document: &pb::Document) {
        match document.kind.as_str() {
            "month" if document.version < self.hello.months => return,
            "month" => self.told_months = core.months().in_common(self.hello.months, &self.hello.month_digest),
            "orders" => self.told_orders = 0,
            _ => {}
        }
        self.wanted.retain(|kind| *kind != document.kind);
    }

    /// The published plans, where they are newer than what the child has, or others under the same number.
    fn newer_plan(&mut self, core: &Core) -> Option<pb::Document> {
        let (version, content) = core.published_plans()?;
        let (known, digest) = &self.told_plan;
        let own = core.plan_digest();
        // A child of an older build does not say which list it has.
        let other = version == *known && !digest.is_empty() && *digest != own;
        (version > *known || other).then(|| {
            self.told_plan = (version, own);
            pb::Document { kind: "plan".into(), version, content }
        })
    }

    fn greet(&mut self, core: &Core, row: &NodeRow) -> Result<Vec<pb::Down>, Fault> {
        let view = core.view();
        let unit = unit_row(view.as_ref(), &self.peer)?;
        self.stage = Stage::Talking;
        self.node = row.number;
        if row.rescoped && !self.peer.hub {
            // What the new scope holds from before was never news to this child.
            self.cursor = 0;
        }
        self.whole = self.cursor.min(row.pulled);
        let mail = if self.peer.hub { post::head(view.as_ref(), self.peer.unit)? } else { 0 };
        let epoch = view.get(Space::Meta, meta::EPOCH)?.unwrap_or_default();
        if self.peer.hub {
            // A hub that was restored may have less mail than the child has heard: it says all that it holds.
            let known = self.hello.epoch == epoch && self.hello.mailed <= mail;
            self.cursor = if known { self.hello.mailed } else { 0 };
        }
        let (head, digest) = if self.peer.hub { (mail, &unit.cells) } else { (unit.head, &unit.records) };
        let digest = if digest.is_empty() { vec![0; 32] } else { digest.clone() };
        let tree = self.newer_tree(core, self.hello.tree_version);
        self.told_tree = tree.as_ref().map_or(self.hello.tree_version, |document| document.version);
        let hub = self.peer.hub.then_some(self.peer.unit);
        self.wanted = if self.peer.hub { recover::wanted(core, view.as_ref(), &self.hello)? } else { Vec::new() };
        self.told_months = core.months().in_common(self.hello.months, &self.hello.month_digest);
        let month =
            if self.wants("month") { None } else { months::next_document(core, view.as_ref(), self.told_months, hub)? };
        self.told_months += u64::from(month.is_some());
        self.told_orders = self.hello.orders;
        self.told_plan = (self.hello.plan_version, self.hello.plan_digest.clone());
        let plan = self.newer_plan(core);
        let news: Vec<pb::Document> = tree.into_iter().chain(plan).chain(month).collect();
        let welcome = pb::Welcome {
            protocol: self.hello.protocol_max.clamp(PROTOCOL_MIN, PROTOCOL_MAX),
            software: env!("CARGO_PKG_VERSION").to_owned(),
            acknowledged: row.acknowledged,
            head,
            scope_digest: digest.into(),
            node: row.number,
            log_digest: log_digest(row).into(),
            // A hub's child asks which store it speaks to; an office, which stretch of its history.
            epoch: if self.peer.hub { epoch } else { core.lineage.current().into() },
            floor: if self.peer.hub { 0 } else { core.lineage.floor(&self.hello, row.acknowledged) },
            marked: row.marked,
            stretch: row.stretch.clone().into(),
            unit: self.certified.number(),
            hub_unit: core.unit.number(),
            tree_version: self.told_tree,
            plan_version: self.told_plan.0,
            // A child that has a later list than this hub waits for none.
            plan_digest: if self.hello.plan_version > core.plan_version() {
                bytes::Bytes::new()
            } else {
                core.plan_digest()
            },
            months: core.months().count(),
            orders: if self.peer.hub { core.orders_version() } else { 0 },
            wanted: self.wanted.clone(),
            month_digest: core.months().short_digest(self.hello.months),
            clock: (core.clock)(),
        };
        // What the child has already: nothing is sent in a live session until one of these moves. A child that is sent a
        // tree waits to hear that this was all.
        let silent = news.is_empty() && self.wanted.is_empty();
        let equal = welcome.scope_digest == self.hello.scope_digest && !self.hello.rebuild && silent;
        if equal && self.cursor >= head && self.hello.settled == row.acknowledged {
            let moved = if self.peer.hub { row.acknowledged } else { unit.head };
            self.caught = Some((moved, row.acknowledged));
        }
        let mut messages = vec![wrap(down::It::Welcome(welcome))];
        messages.extend(news.into_iter().map(|document| wrap(down::It::Document(document))));
        if !self.peer.hub {
            messages.extend(missed_verdicts(view.as_ref(), row, self.hello.settled)?);
        }
        Ok(messages)
    }

    fn wants(&self, kind: &str) -> bool {
        self.wanted.iter().any(|wanted| wanted == kind)
    }

    /// The tree of units as the child sees it, where that is newer than what it has. A tree that does not know the
    /// child's unit has nothing to tell it.
    fn newer_tree(&self, core: &Core, known: u64) -> Option<pb::Document> {
        let (version, tree) = core.versioned_tree();
        if version <= known || tree.below(self.peer.unit).next().is_none() {
            return None;
        }
        let content = tree.to_csv(self.peer.unit).into_bytes().into();
        Some(pb::Document { kind: "units".into(), version, content })
    }

    /// The next message that moves the child towards the hub's head; none when there is nothing to say now.
    ///
    /// # Errors
    /// When the store fails.
    pub fn pull(&mut self, core: &Core) -> Result<Option<pb::Down>, Fault> {
        if self.stage != Stage::Talking {
            return Ok(None);
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
        if self.peer.hub
            && !self.wants("orders")
            && let Some(document) = orders::newer(core, self.told_orders)
        {
            self.told_orders = document.version;
            return Ok(Some(wrap(down::It::Document(document))));
        }
        if self.told_months < core.months().count() && !self.wants("month") {
            let hub = self.peer.hub.then_some(self.peer.unit);
            if let Some(document) = months::next_document(core, core.view().as_ref(), self.told_months, hub)? {
                self.told_months = document.version;
                return Ok(Some(wrap(down::It::Document(document))));
            }
        }
        if self.repair.is_open() {
            let message = self.repair.next(core, self.peer.unit)?;
            if !self.repair.is_open() {
                // What was put right is compared once more.
                (self.caught, self.said_end) = (None, false);
            }
            if message.is_some() || self.repair.is_open() {
                return Ok(message);
            }
        }
        let view = core.view();
        let unit = unit_row(view.as_ref(), &self.peer)?;
        if self.peer.hub && self.cursor < post::head(view.as_ref(), self.peer.unit)? {
            let mail = post::collect(view.as_ref(), self.peer.unit, self.cursor)?;
            self.cursor = mail.upto;
            return Ok(Some(wrap(down::It::Mail(mail))));
        }
        if !self.peer.hub && self.outstanding == 0 && self.cursor < unit.head {
            let (list, upto) = self.collect(view.as_ref())?;
            self.cursor = upto;
            if !list.records.is_empty() || !list.departed.is_empty() {
                return pack(&list, upto).map(Some);
            }
        }
        self.catch_up(view.as_ref(), &unit)
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

    /// Records of the scope after the cursor, as many as fit one message, and the revision they reach.
    fn collect(&self, view: &dyn View) -> Result<(pb::RecordList, u64), Fault> {
        let mut list = pb::RecordList::default();
        let mut size = 0;
        let mut upto = rows::counter(view, meta::REVISION)?;
        let from = (self.cursor + 1).to_be_bytes();
        for row in view.range(Space::Feed, &from, &[0xff; 9]) {
            let (key, value) = row?;
            let revision = key.as_ref().try_into().map(u64::from_be_bytes).map_err(|_| StoreError::Row(Space::Feed))?;
            let news = FeedRow::from_slice(&value).ok_or(StoreError::Row(Space::Feed))?;
            let made_by_child = news.sole_author == self.node && !self.hello.rebuild;
            if made_by_child || !self.peer.unit.covers(news.unit) {
                continue;
            }
            if let Some(record) = self.read_for_child(view, &news, revision)? {
                size += record.encoded_len();
                list.records.push(record);
            }
            if size > MAX_LIST_BYTES.min(MAX_BATCH_BYTES) || list.records.len() >= self.list_records {
                upto = revision;
                break;
            }
        }
        let (from, to) = (rows::at_revision(self.cursor + 1, &[]), rows::at_revision(upto + 1, &[]));
        for row in view.range(Space::Departed, &from, &to) {
            let (key, value) = row?;
            let left = value.as_ref().try_into().map(u64::from_be_bytes).ok();
            let left = left.and_then(|code| taizhang_proto::OrgCode::new(code).ok());
            if left.is_some_and(|unit| self.peer.unit.covers(unit))
                && let Some(id) = key.get(8..).and_then(RecordId::from_slice)
                && !self.still_here(view, id)?
            {
                list.departed.push(id.0.to_vec().into());
            }
        }
        Ok((list, upto))
    }

    /// A record that the feed names at a revision, with the history that is new to the child; none when the child made
    /// all of what is new itself.
    fn read_for_child(&self, view: &dyn View, news: &FeedRow, at: u64) -> Result<Option<pb::Record>, StoreError> {
        let id = news.id;
        let bytes = view.get(Space::Records, &id.0)?.ok_or(StoreError::Row(Space::Records))?;
        let state = pb::RecordState::decode(bytes).map_err(|_| StoreError::Row(Space::Records))?;
        let by_others = |origin: &pb::Origin| self.hello.rebuild || origin.node != self.node;
        let mut newer = state.origins.iter().filter(|origin| origin.revision > self.whole);
        let has_news = newer.any(by_others);
        // Where an edit lost, the record is older than the row, and may have left the unit that the row names.
        let lost = state.origins.last().is_none_or(|origin| origin.revision != at);
        let concerns_child = if lost { self.still_here(view, id)? } else { has_news };
        if !concerns_child {
            return Ok(None);
        }
        // Only what one node made alone, and all of which stands, has none.
        let history = if lost || state.changes > 1 || news.sole_author == 0 {
            history_after(view, id, self.whole)?
        } else {
            Vec::new()
        };
        // An answer to the child's own claim is news to it.
        let is_news = |entry: &pb::Superseded| entry.ruling.is_some() || entry.origin.as_ref().is_some_and(by_others);
        let has_history = || history.iter().any(is_news);
        if lost && !has_news && !has_history() {
            return Ok(None);
        }
        Ok(Some(pb::Record { id: id.0.to_vec().into(), state: Some(state), history }))
    }

    /// Whether a record that left one unit of the scope is in another of it.
    fn still_here(&self, view: &dyn View, id: RecordId) -> Result<bool, StoreError> {
        let Some(bytes) = view.get(Space::Records, &id.0)? else { return Ok(false) };
        let record = taizhang_proto::Record::decode(bytes).map_err(|_| StoreError::Row(Space::Records))?;
        Ok(taizhang_proto::cell::home_unit(&record).is_some_and(|unit| self.peer.unit.covers(unit)))
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

fn pack(list: &pb::RecordList, upto: u64) -> Result<pb::Down, Fault> {
    let raw = list.encode_to_vec();
    let list = upstream::compress(&raw).map_err(|_| Fault::Protocol("out of memory"))?;
    Ok(wrap(down::It::Records(pb::Records { list, raw_len: raw.len() as u32, upto })))
}

/// What no longer stands in a record since a revision. The newest come through however long the history is; the rest
/// stays at the hub.
fn history_after(view: &dyn View, id: RecordId, cursor: u64) -> Result<Vec<pb::Superseded>, StoreError> {
    let mut history = Vec::new();
    for row in view.prefix(Space::History, &id.0) {
        let entry = pb::Superseded::decode(row?.1).map_err(|_| StoreError::Row(Space::History))?;
        if entry.replaced_by > cursor {
            history.push(entry);
        }
    }
    let mut room = MAX_LIST_BYTES;
    let fits = history.iter().rev().take_while(|entry| {
        let size = entry.encoded_len();
        let fits = size <= room;
        room = room.saturating_sub(size);
        fits
    });
    let fits = fits.count();
    history.drain(..history.len() - fits);
    Ok(history)
}

fn unit_row(view: &dyn View, peer: &Peer) -> Result<UnitRow, StoreError> {
    Ok(rows::read(view, Space::Units, &peer.unit.number().to_be_bytes())?.unwrap_or_default())
}

fn log_digest(row: &NodeRow) -> Vec<u8> {
    LogDigest::from_slice(&row.log_digest).unwrap_or_default().0.to_vec()
}

/// Verdicts that a broken session kept from the child.
fn missed_verdicts(view: &dyn View, row: &NodeRow, settled: u64) -> Result<Vec<pb::Down>, StoreError> {
    let from = rows::verdict_key(row.number, settled.saturating_add(1));
    let to = rows::verdict_key(row.number, row.acknowledged.saturating_add(1));
    view.range(Space::Verdicts, &from, &to)
        .map(|found| {
            let verdicts = pb::Verdicts::decode(found?.1).map_err(|_| StoreError::Row(Space::Verdicts))?;
            Ok(wrap(down::It::Verdicts(verdicts)))
        })
        .collect()
}

fn wrap(message: down::It) -> pb::Down {
    pb::Down { it: Some(message) }
}
