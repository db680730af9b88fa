//! What the writer is asked for, and what it answers.

use crate::{
    audit_log::Entry,
    certificate::issued_by,
    mail::{marks::MarkBatch, rows::NeighbourRow},
    rows::{self, NodeRow},
    state::{Peer, access::RETIRED},
    store::{Space, StoreError},
};
use bytes::Bytes;
use prost::Message;
use taizhang_node::{
    caller::Refusal,
    identity::{ders, lifetime},
    panics,
};
use taizhang_proto::{
    OrgCode,
    change::{ChangeError, Edit},
    check,
    digest::LogDigest,
    pb, plan,
};

/// One change of a pushed batch, with all that can be said of it without the store: that is worked out by its session, many at a time,
/// so that the writer need not.
pub struct Pushed {
    /// As the log digest chains it.
    pub raw: Bytes,
    /// Read, or why it can't be.
    pub edit: Result<Edit, ChangeError>,
    /// Each of its fields keeps the rules of its own.
    pub(super) is_sound: bool,
    /// The digest of its log before it and after it.
    chained: Option<(LogDigest, LogDigest)>,
}

impl Pushed {
    /// A change as it came.
    pub fn read(raw: Bytes) -> Self {
        let edit = pb::Change::decode(raw.clone()).map_err(|_| ChangeError::Empty).and_then(Edit::read);
        // Where it panics the writer looks at it once more, and can set it aside.
        let look =
            |edit: &Edit| panics::caught(|| check::are_sound(edit.register, edit.fields.iter())).unwrap_or(false);
        let is_sound = edit.as_ref().is_ok_and(look);
        Self { raw, edit, is_sound, chained: None }
    }

    /// The same as the next of a log, whose digest goes on with it.
    #[must_use]
    pub(crate) fn next_of(self, log: &mut LogDigest) -> Self {
        let before = std::mem::replace(log, log.then(&self.raw));
        Self { chained: Some((before, *log)), ..self }
    }

    /// The digest of a log that goes on with it.
    pub(super) fn chain(&self, log: LogDigest) -> LogDigest {
        self.chained.filter(|(before, _)| *before == log).map_or_else(|| log.then(&self.raw), |(_, after)| after)
    }

    /// The same change, which is answered as one that can't be taken.
    pub(super) fn set_aside(&self) -> Self {
        Self { raw: self.raw.clone(), edit: Err(ChangeError::SetAside), is_sound: false, chained: self.chained }
    }
}

/// What a parent said, checked and opened.
pub enum News {
    /// Hubs below the same parent.
    Neighbours(Vec<NeighbourRow>),
    /// A letter, with its text in the clear in place of what was sealed.
    Letter(pb::Letter),
    /// Who counts which mark.
    Rulings(Vec<pb::MarkRuling>),
    /// What every hub is told of the mark keys: before the letters, whose keys are only taken from the hub that makes them, and
    /// whose questions are of later than the keys that go.
    Keys {
        /// Unit of the hub that makes the mark keys.
        key_holder: u64,
        /// Every hub has re-marked up to this one.
        generation: u32,
    },
    /// How far the mail reaches: behind all of it.
    Heard {
        /// Everything up to this revision of the parent has been sent.
        upto: u64,
        /// The parent's epoch.
        epoch: Vec<u8>,
    },
    /// The parent was restored from an old backup: it is to say everything it holds again.
    Forget,
}

/// What a reviewer asks the writer for.
pub enum Review {
    /// Settle conflicts.
    Resolve(pb::ResolveRequest),
    /// Put one back into the queue and take its effect back.
    Reopen(pb::ReopenRequest),
    /// Merge two records, or take a merge back.
    Merge(pb::MergeRequest),
    /// Edit a record by the hub's own hand.
    Revise(pb::ReviseRequest),
}

/// How far a child was cleared.
#[derive(Debug, Default)]
pub struct Cleared {
    pub(super) stage: Stage,
    /// The first row of the stage that was not looked at.
    pub(super) next: Vec<u8>,
    /// Cells that stay, as zeros.
    pub(super) cells: u64,
    /// That it may begin anew was found, and counted, with the first.
    pub(super) is_granted: bool,
}

/// What of a child is cleared.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    #[default]
    Cells,
    Marks,
    Done,
}

/// Something to write.
pub enum Job {
    /// What somebody has done who gives a name, where the job itself has none.
    By(String, Box<Job>),
    /// A child opens a session.
    Greet {
        /// Who.
        peer: Peer,
        /// By which session of this process; 0 where nothing else can speak for the child.
        session: u64,
        /// With what.
        hello: Box<pb::Hello>,
        /// How far a child hub that says everything anew is cleared of what it had said.
        cleared: Cleared,
    },
    /// A child's batch of changes.
    Push {
        /// Who.
        peer: Peer,
        /// This hub's number for the child's log, as its session was greeted under.
        node: u32,
        /// Number of the first change.
        first: u64,
        /// The changes.
        changes: Vec<Pushed>,
        /// How far the clock was off by which they were stamped; none where the greeting says it.
        skew: Option<i64>,
        /// Room in memory for the batch, given back once it is written.
        room: Option<tokio::sync::OwnedSemaphorePermit>,
    },
    /// A child hub's cells.
    Cells {
        /// Who.
        peer: Peer,
        /// By which session, as it greeted.
        session: u64,
        /// The child's revision that these reach.
        last: u64,
        /// Values.
        cells: Vec<pb::CellValue>,
        /// Letters that belong to those revisions.
        letters: Vec<pb::Letter>,
        /// Blinded marks.
        marks: Vec<pb::MarkValue>,
        /// The child's revision that the marks reach.
        marked: u64,
        /// The stretch of the child's history that runs.
        stretch: Bytes,
    },
    /// A child hub's batch on which this hub has failed: it is passed by.
    Skipped {
        /// Who.
        peer: Peer,
        /// The child's revision that its cells reach.
        last: u64,
        /// The child's revision that its marks reach.
        marked: u64,
        /// The stretch of the child's history that runs.
        stretch: Bytes,
    },
    /// A child has everything up to a revision on its disk.
    Heard {
        /// Who.
        peer: Peer,
        /// What it says.
        heard: pb::Heard,
    },
    /// A child stays in its session with nothing to say.
    Present {
        /// Who.
        peer: Peer,
    },
    /// A child's records differ from the hub's without a reason.
    Differs {
        /// Who.
        peer: Peer,
    },
    /// A new tree of units, as CSV, and its version where the parent gave it one.
    Tree(String, Option<u64>),
    /// The published plans, as the city signed them.
    Plans(Bytes),
    /// Rows that nobody needs any more.
    Forget(Vec<(Space, Vec<u8>)>),
    /// The program counts by other rules than before: what it writes of its own accord is written anew.
    Settle,
    /// Somebody who may read figures, and the token that was used for it.
    Reader([u8; 32], rows::TokenRow, pb::ReaderInfo),
    /// A draw for the record, under its key.
    Draw(Vec<u8>, Vec<u8>),
    /// The tasks that the city has given, as it signed them.
    Orders(Bytes),
    /// A token for enrolment: hash of its secret, what it allows.
    Token([u8; 32], rows::TokenRow),
    /// The parent has acknowledged the cells up to a revision; seconds since 1970 when everything was said.
    Upward(u64, Option<u64>),
    /// The parent's mail, checked and opened.
    News(Vec<News>),
    /// A letter on which this hub has failed: it is kept, and tried again at the next start.
    Unread(Box<pb::Letter>),
    /// Marks of records, worked out from a view.
    Marks(MarkBatch),
    /// Every mark under a generation has been sent.
    Remarked(u32),
    /// A new mark key, where this hub makes them.
    RotateKey,
    /// A child was enrolled.
    Enrolled(Box<NodeRow>, Option<([u8; 32], rows::TokenRow)>),
    /// A child will not come back, or does after all.
    Retire {
        /// Its id.
        id: String,
        /// It serves again.
        undo: bool,
        /// By whose word.
        decided: Decided,
    },
    /// A line of the audit log: somebody looks at names, or has done what is no job.
    Log(Entry),
    /// A roll as this hub once sealed it, from beside its authority.
    Roll(Bytes),
    /// The parent's roll, under its version.
    ParentsRoll(u64, Bytes),
    /// This hub finds itself older than its children, and why.
    Older(String),
    /// Somebody has looked after that: who.
    Confirm(String),
    /// A child hub is to count in no total, or to count again.
    Aside {
        /// Its unit, who decides and why.
        child: crate::totals::aside::AsideChild,
        /// It counts again.
        undo: bool,
    },
    /// The certificate, PEM, of a child hub that was enrolled before its neighbours needed it.
    Certificate(String, Paper),
    /// A reviewer rules.
    Review(Review),
    /// A reviewer rules at a unit below, on what is its own to settle.
    ReviewBelow(OrgCode, Review),
    /// A month that the city has locked.
    Month {
        /// Its place among the months, from 1, where the parent says it; the city locks the next.
        place: Option<u64>,
        /// Its signed text.
        signed: Box<pb::SignedMonth>,
        /// Sheets: at the city every one, below it those that came along.
        sheets: Vec<Bytes>,
    },
    /// What this hub once signed and a child says again, because the store that had it was lost.
    Again {
        /// Who says it.
        peer: Peer,
        /// What.
        document: pb::Document,
    },
}

/// Who decided something, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decided {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What a hub keeps of the certificate of a child or a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paper {
    /// PEM.
    pub pem: String,
    /// When it ends, seconds since 1970.
    pub ends: u64,
    /// Which of the hub's authorities signed it.
    pub generation: u32,
}

impl Paper {
    /// Of a certificate in PEM.
    pub fn of(certificate: &str) -> Self {
        let der = ders(certificate).into_iter().next().unwrap_or_default();
        let ends = lifetime(&der).map_or(0, |(_, ends)| ends);
        Self { pem: certificate.to_owned(), ends, generation: issued_by(&der) }
    }
}

impl Job {
    /// What is to be done, whoever has it done.
    pub(super) fn itself(mut self) -> Self {
        while let Self::By(_, job) = self {
            self = *job;
        }
        self
    }

    /// A child greets, by a session of this process.
    pub fn greet_by(session: u64, peer: Peer, hello: pb::Hello) -> Self {
        Self::Greet { peer, session, hello: Box::new(hello), cleared: Cleared::default() }
    }

    /// A child greets, and nothing else speaks for it.
    pub fn greet(peer: Peer, hello: pb::Hello) -> Self {
        Self::greet_by(0, peer, hello)
    }

    /// What a job is done again from, in parts, when the hub fails on it: a batch by its bytes, a child hub's as it is, a letter that
    /// is left unread. None for jobs of which nothing can be left out.
    pub(super) fn spare(&self) -> Option<Self> {
        Some(match self {
            Self::Push { peer, node, first, changes, skew, .. } => {
                let changes = changes.iter().map(Pushed::set_aside).collect();
                Self::Push { peer: peer.clone(), node: *node, first: *first, changes, skew: *skew, room: None }
            }
            Self::Cells { peer, session, last, cells, letters, marks, marked, stretch } => Self::Cells {
                peer: peer.clone(),
                session: *session,
                last: *last,
                cells: cells.clone(),
                letters: letters.clone(),
                marks: marks.clone(),
                marked: *marked,
                stretch: stretch.clone(),
            },
            Self::News(news) => match &news[..] {
                [News::Letter(letter)] => Self::Unread(Box::new(letter.clone())),
                _ => return None,
            },
            _ => return None,
        })
    }

    /// The room in memory that a batch holds.
    pub(super) fn room(&mut self) -> Option<&mut Option<tokio::sync::OwnedSemaphorePermit>> {
        if let Self::Push { room, .. } = self { Some(room) } else { None }
    }

    /// The child whose job it is, if it is one's: those of one child are done in their order.
    pub(super) fn child(&self) -> Option<&str> {
        match self {
            Self::Greet { peer, .. }
            | Self::Push { peer, .. }
            | Self::Cells { peer, .. }
            | Self::Skipped { peer, .. }
            | Self::Heard { peer, .. }
            | Self::Present { peer }
            | Self::Differs { peer }
            | Self::Again { peer, .. } => Some(&peer.id),
            Self::Enrolled(row, _) => Some(&row.id),
            Self::Certificate(id, _) | Self::Retire { id, .. } => Some(id),
            _ => None,
        }
    }
}

/// What became of a job.
pub enum Answer {
    /// The child as it is known now, and the views it is greeted with.
    Greeted(Box<NodeRow>),
    /// Verdicts on a push, in order; the second and later are repeats of earlier answers.
    Verdicts(Vec<pb::Verdicts>),
    /// What became of a reviewer's request.
    Reviewed(pb::ResolveAnswer),
    /// The record that a reviewer edited.
    Revised(taizhang_proto::RecordId),
    /// Why a reviewer's edit was not taken.
    Refused(String),
    /// A document that a child said again was looked at.
    Again(pb::Document),
    /// Done.
    Done,
}

/// Why a job was not done.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The store failed; nothing of the batch may be relied on.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A batch does not follow the last one.
    #[error(
        "本批从第{first}条开始，而上级只收到第{acknowledged}条 (the batch begins at {first}, but {acknowledged} is the last that arrived)"
    )]
    Gap {
        /// First change of the batch.
        first: u64,
        /// Last change on disk.
        acknowledged: u64,
    },
    /// The child has greeted under another log since: this session is an old one.
    #[error("本机已在另一次会话中继续 (the node goes on in another session, under another log)")]
    Superseded,
    /// A child has sent again so much of what was answered that its answers would be held by the hundred megabytes.
    #[error("重复上报过多，请重新连接后继续 (too much was sent again: call anew, and go on behind what is answered)")]
    Repeated,
    /// A child begins anew more often than anything can be restored.
    #[error(
        "本机短时间内多次重新开始，请检查是否有两台电脑共用一份数据，稍后再试 (begun anew too often: are two computers using one copy of the data? try again later)"
    )]
    TooOften,
    /// A child has said as much today as the plan's `limits.day_bytes` lets it.
    #[error(
        "本单位今日上报的内容已达上限，明日继续；尚未上报的登记在本机保存完好 (as much as an office may say in a day: it goes on tomorrow, and nothing is lost; look for a program that repeats entries, or have the plan's limits.day_bytes raised)"
    )]
    EnoughToday,
    /// A number that no hub reaches.
    #[error("编号超出范围 (a number beyond every count)")]
    Beyond,
    /// A city holds no personal data.
    #[error("市级节点不接收个人登记，请在所属县区登记 (a city takes no records: enrol at the district)")]
    NoRecords,
    /// Only an enrolled child may write.
    #[error(
        "上级没有此节点的登记，请向其管理员申请登记码，重新登记 (the hub does not know {0}: enrol it anew with a token)"
    )]
    Unknown(String),
    /// A reader wants to sync.
    #[error("只读证书只能查看，不能同步 (a reader's certificate is for reading: it can't sync)")]
    ReadOnly,
    /// A child that was retired.
    #[error("{RETIRED}")]
    Retired,
    /// The tree of units can't be read.
    #[error(transparent)]
    Tree(#[from] taizhang_proto::org::TreeError),
    /// The plan can't be taken.
    #[error(transparent)]
    Plan(#[from] plan::PlanError),
    /// A locked month can't be taken.
    #[error(transparent)]
    Month(#[from] taizhang_proto::month::MonthError),
    /// The task orders can't be taken.
    #[error(transparent)]
    Orders(#[from] taizhang_proto::orders::OrderError),
    /// Another hub makes the keys, or none does yet.
    #[error("本级不掌管比对密钥，请在掌管的县区操作 (this hub does not make the mark keys: ask the one that does)")]
    NoKey,
    /// A change of key is under way.
    #[error("上一次更换密钥尚未完成 (the last change of key is not through: wait until every district has synced)")]
    Rotating,
    /// The writer has stopped.
    #[error("上级正在停止 (the hub is shutting down)")]
    Stopped,
}

/// When a session that another one has overtaken may call again, milliseconds.
pub(crate) const RETRY_MILLIS: u64 = 3_000;
/// When whoever has said enough for a day may call again, milliseconds: midnight may be near.
const TOMORROW_MILLIS: u64 = 5 * 60_000;

impl From<WriteError> for Refusal {
    fn from(why: WriteError) -> Self {
        let words = why.to_string();
        match why {
            WriteError::Superseded | WriteError::Repeated | WriteError::TooOften => Self::Later(words, RETRY_MILLIS),
            WriteError::EnoughToday => Self::Later(words, TOMORROW_MILLIS),
            WriteError::Gap { .. }
            | WriteError::Beyond
            | WriteError::Tree(_)
            | WriteError::Plan(_)
            | WriteError::Month(_)
            | WriteError::Orders(_) => Self::Wrong(words),
            WriteError::Unknown(_)
            | WriteError::Retired
            | WriteError::ReadOnly
            | WriteError::NoRecords
            | WriteError::NoKey
            | WriteError::Rotating => Self::NotTheirs(words),
            WriteError::Store(_) | WriteError::Stopped => Self::Unavailable(words),
        }
    }
}
