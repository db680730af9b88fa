//! The processes: offices with their disks, hubs with their stores.

use super::{
    clock::SimClock,
    mem_store::{MemStore, Tables},
    papers,
};
use std::{collections::VecDeque, path::PathBuf, sync::Arc};
use taizhang_hub::{
    upward::Upward,
    writer::{Core, Job, Peer},
};
use taizhang_node::{
    ledger::Ledger,
    store::{Engine, Flush},
};
use taizhang_proto::{OrgCode, pb::Tier};

/// The engine of the simulated offices: what is on disk at a point does not depend on a thread of the engine.
pub(super) const ENGINE: Engine = Engine { cache: 1024 * 1024, flush: Flush::EachBatch };

/// A copy of an office's directory.
pub(super) struct Backup {
    pub(super) dir: PathBuf,
    /// Of every change saved anywhere so far, whether it holds it.
    pub(super) saves: Vec<bool>,
}

/// An office.
pub(super) struct Office {
    pub(super) name: &'static str,
    pub(super) unit: OrgCode,
    /// Index of its hub.
    pub(super) hub: usize,
    pub(super) clock: SimClock,
    pub(super) ledger: Arc<Ledger>,
    pub(super) dir: PathBuf,
    /// The store as it was on disk when the office last called: a loss of power may take it back to there.
    pub(super) flushed: Option<PathBuf>,
    /// No line to the hub.
    pub(super) cut_off: bool,
    pub(super) backups: Vec<Backup>,
    /// Its disk was lost, or damaged, at least once.
    pub(super) damaged: bool,
    /// The last batch that the hub got of it, with the incarnation that sent it.
    pub(super) last_push: Option<(Vec<u8>, taizhang_proto::pb::Up)>,
}

impl Office {
    pub(super) fn peer(&self) -> Peer {
        Peer { id: self.name.to_owned(), unit: self.unit, hub: false }
    }
}

/// A hub.
pub(super) struct Hub {
    pub(super) name: &'static str,
    pub(super) unit: OrgCode,
    pub(super) clock: SimClock,
    pub(super) store: MemStore,
    pub(super) core: Arc<Core>,
    /// Towards its parent; a city has none here.
    pub(super) upward: Option<Arc<Upward>>,
    /// Jobs that wait for the writer, each with its session; 0: a reviewer's.
    pub(super) queue: VecDeque<(u64, Job)>,
    pub(super) backups: Vec<Tables>,
    /// It came back from a backup.
    pub(super) restored: bool,
}

impl Hub {
    /// A hub on rows, as it starts.
    ///
    /// # Errors
    /// When the rows can't be read.
    pub(super) fn start(
        name: &'static str,
        unit: OrgCode,
        clock: SimClock,
        tables: Tables,
        secret: Option<[u8; 32]>,
    ) -> Result<Self, String> {
        let tier = if unit.tier() == Tier::City { Tier::City } else { Tier::District };
        let store = MemStore::new(tables);
        let core = Core::open_sealing(unit, tier, Box::new(store.clone()), clock.reading(), secret)
            .map_err(|error| error.to_string())?;
        let upward = match tier {
            Tier::City => None,
            _ => Some(Upward::new(core.clone(), Some(papers::of(unit)?.0))),
        };
        let (queue, backups) = (VecDeque::new(), Vec::new());
        Ok(Self { name, unit, clock, store, core, upward, queue, backups, restored: false })
    }

    /// Starts again on rows, as after a crash or a restore.
    ///
    /// # Errors
    /// When the rows can't be read.
    pub(super) fn restart(&mut self, tables: Tables) -> Result<(), String> {
        // The secret of its seals is not in the store.
        let secret = Some(self.core.lineage.secret());
        let fresh = Self::start(self.name, self.unit, self.clock.clone(), tables, secret)?;
        let backups = std::mem::take(&mut self.backups);
        *self = Self { backups, restored: self.restored, ..fresh };
        Ok(())
    }

    pub(super) fn peer(&self) -> Peer {
        Peer { id: self.name.to_owned(), unit: self.unit, hub: true }
    }
}
