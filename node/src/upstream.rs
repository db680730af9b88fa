//! The way up: the child's side of a session, as a machine that is fed messages and never touches the network.
//! Invariant: whatever message the session breaks at, the replica's disk holds a state from which the next session
//! goes on; nothing is said twice that the hub has answered for.

pub mod link;
pub mod night;
pub mod schedule;

pub use crate::replica::{
    Comparison, Greeting, Replica, SessionError, VerdictCount, ZSTD_LEVEL, compress, decompress, decompress_within,
};

use bytes::Bytes;
use std::{collections::VecDeque, ops::Deref};
use taizhang_proto::{
    pb::{self, down, up},
    session::{self, IN_FLIGHT},
};

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
        let compared = self.replica.caught(caught)?;
        self.report.repaired = self.replica.repaired();
        self.report.equal = compared == Comparison::Equal;
        self.asked = matches!(compared, Comparison::Ask(_) | Comparison::Later);
        match compared {
            Comparison::Ask(range) => {
                self.report.round_trips += 1;
                self.first.push_back(up::It::Range(range));
                return Ok(());
            }
            Comparison::Later => return Ok(()),
            Comparison::Different if self.live => return Err(SessionError::Different),
            Comparison::Equal | Comparison::Different => {}
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
