//! The hub as a node towards its parent: what it pushes are its own cells, by value; records never leave a district.
//! Invariant: personal data can't go up, because nothing here reads a record.

use crate::{
    rows::{self, OwnCell, UnitRow, meta},
    store::{Space, StoreError},
    writer::{Core, Job},
};
use prost::Message;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use taizhang_node::{
    ledger::LedgerError,
    upstream::{self, Greeting, Replica, SessionError, Standing, VerdictCount},
};
use taizhang_proto::{
    cell::CellKey,
    pb,
    session::{PROTOCOL_MAX, PROTOCOL_MIN},
};
use tokio::sync::watch;

/// A hub's totals as a replica.
pub struct Upward {
    core: Arc<Core>,
    /// The parent holds what this hub does not: everything is said anew, and what is not said again goes there.
    anew: AtomicBool,
}

/// Cells in one batch; whole revisions are kept together, so a batch may be a little larger.
const MAX_CELLS: usize = 20_000;

fn failed(error: impl ToString) -> SessionError {
    SessionError::Ledger(LedgerError::Peer(error.to_string()))
}

impl Upward {
    /// The totals of a hub.
    pub fn new(core: Arc<Core>) -> Arc<Self> {
        Arc::new(Self { core, anew: AtomicBool::new(false) })
    }

    fn digest_and_head(&self) -> Result<(Vec<u8>, u64), StoreError> {
        let view = self.core.view();
        let row: UnitRow =
            rows::read(view.as_ref(), Space::Units, &self.core.unit.number().to_be_bytes())?.unwrap_or_default();
        Ok((row.cells_digest().to_bytes().to_vec(), rows::counter(view.as_ref(), meta::CELLS)?))
    }

    fn note(&self, acknowledged: u64, everything_said: Option<u64>) -> Result<(), SessionError> {
        for answer in self.core.commit(vec![Job::Upward(acknowledged, everything_said)]) {
            answer.map_err(failed)?;
        }
        Ok(())
    }

    /// The cells after a revision, and the revision they reach.
    fn cells_after(&self, after: u64) -> Result<(pb::CellList, u64), StoreError> {
        let view = self.core.view();
        let mut list = pb::CellList::default();
        let mut reached = after;
        for row in view.range(Space::CellFeed, &(after + 1).to_be_bytes(), &[0xff; 9]) {
            let (key, _) = row?;
            let wrong = || StoreError::Row(Space::CellFeed);
            let (revision, cell) = key.split_at_checked(8).ok_or_else(wrong)?;
            let revision = u64::from_be_bytes(revision.try_into().map_err(|_| wrong())?);
            if list.cells.len() >= MAX_CELLS && revision != reached {
                break;
            }
            let own = view.get(Space::Own, cell)?.as_deref().and_then(OwnCell::from_slice).ok_or_else(wrong)?;
            let key = CellKey::from_slice(cell).ok_or_else(wrong)?;
            list.cells.push(pb::CellValue {
                unit: key.unit.number(),
                part: u32::from(key.part),
                date: key.date,
                value: own.value,
            });
            reached = revision;
        }
        Ok((list, reached))
    }
}

impl Replica for Upward {
    fn hello(&self, live: bool) -> Result<pb::Hello, SessionError> {
        let (digest, head) = self.digest_and_head().map_err(failed)?;
        let view = self.core.view();
        let counter = |name| rows::counter(view.as_ref(), name).map_err(failed);
        Ok(pb::Hello {
            protocol_min: PROTOCOL_MIN,
            protocol_max: PROTOCOL_MAX,
            software: env!("CARGO_PKG_VERSION").to_owned(),
            incarnation: view.get(Space::Meta, meta::EPOCH).map_err(failed)?.unwrap_or_default(),
            head,
            settled: counter(meta::UP)?,
            scope_digest: digest.into(),
            live,
            rebuild: self.anew.load(Ordering::Relaxed),
            tree_version: counter(meta::TREE)?,
            clock: (self.core.clock)(),
            ..pb::Hello::default()
        })
    }

    fn welcome(&self, welcome: &pb::Welcome) -> Result<Greeting, SessionError> {
        let (digest, head) = self.digest_and_head().map_err(failed)?;
        let equal = digest[..] == welcome.scope_digest[..];
        if welcome.acknowledged > head {
            // This hub was restored from a backup.
            self.anew.store(true, Ordering::Relaxed);
            return Err(SessionError::NewIncarnation);
        }
        let wants_tree = self.core.tree().is_empty() && welcome.tree_version > 0;
        if welcome.acknowledged == head && equal && !wants_tree {
            self.note(head, Some(self.core.now()))?;
            return Ok(Greeting::Quiet);
        }
        // Cells travel by value, so where the two sides differ without a reason everything is simply said again.
        let acknowledged = if welcome.acknowledged >= head { 0 } else { welcome.acknowledged };
        Ok(Greeting::Talk { acknowledged })
    }

    fn batch(&self, after: u64) -> Result<Option<pb::Push>, SessionError> {
        let (list, last) = self.cells_after(after).map_err(failed)?;
        if list.cells.is_empty() {
            return Ok(None);
        }
        let raw = list.encode_to_vec();
        let cells = upstream::compress(&raw).map_err(failed)?;
        Ok(Some(pb::Push { first: after + 1, last, cells, raw_len: raw.len() as u32, ..pb::Push::default() }))
    }

    fn verdicts(&self, verdicts: pb::Verdicts) -> Result<VerdictCount, SessionError> {
        self.note(verdicts.last, None)?;
        Ok(VerdictCount { accepted: verdicts.last.saturating_sub(verdicts.first) + 1, ..VerdictCount::default() })
    }

    fn records(&self, _: pb::Records) -> Result<u64, SessionError> {
        Ok(0) // a parent of this build sends none to a hub
    }

    fn document(&self, document: pb::Document) -> Result<(), SessionError> {
        if document.kind != "units" || !self.core.tree().is_empty() {
            return Ok(());
        }
        let csv = String::from_utf8_lossy(&document.content).into_owned();
        for answer in self.core.commit(vec![Job::Tree(csv)]) {
            answer.map_err(failed)?;
        }
        Ok(())
    }

    fn caught(&self, caught: &pb::Caught) -> Result<Standing, SessionError> {
        let (digest, head) = self.digest_and_head().map_err(failed)?;
        if caught.acknowledged != head {
            return Ok(Standing::Equal); // more has been counted since; that is compared later
        }
        let equal = digest[..] == caught.scope_digest[..];
        self.anew.store(!equal, Ordering::Relaxed);
        if equal {
            self.note(head, Some(self.core.now()))?;
        }
        Ok(if equal { Standing::Equal } else { Standing::Different })
    }

    fn pending(&self) -> u64 {
        let view = self.core.view();
        let counter = |name| rows::counter(view.as_ref(), name).unwrap_or(0);
        counter(meta::CELLS).saturating_sub(counter(meta::UP))
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.core.subscribe()
    }
}
