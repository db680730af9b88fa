//! One office of a town.

use super::{Gate, TownHub};
use anyhow::Context;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use taizhang_node::{
    config::Config,
    identity::Identity,
    ledger::{Clock, Ledger, LedgerDesk},
    office::Office,
    parts::Parts,
    upstream::schedule::Mode,
};
use taizhang_proto::{OrgCode, pb};
use tokio::{sync::watch, task::JoinHandle};

/// What an office is opened with.
#[derive(Clone)]
pub struct OfficePlan {
    /// Its unit.
    pub unit: OrgCode,
    /// Live offices keep their link from the start; the others sync when told to.
    pub mode: Mode,
    /// Its own clock; none for the town's.
    pub clock: Option<Clock>,
}

impl OfficePlan {
    /// An office that keeps its link open.
    pub fn live(unit: OrgCode) -> Self {
        Self { unit, mode: Mode::Live, clock: None }
    }

    /// An office that syncs when [`TownOffice::sync`] is called.
    pub fn nightly(unit: OrgCode) -> Self {
        Self { unit, mode: Mode::Nightly, clock: None }
    }
}

/// An open office.
pub struct TownOffice {
    /// Its unit.
    pub unit: OrgCode,
    /// Its data directory.
    pub dir: PathBuf,
    /// Who it is towards its hub.
    pub identity: Identity,
    /// The office itself.
    pub office: Arc<Office>,
    plan: OfficePlan,
    clock: Clock,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl TownOffice {
    /// Enrols and opens an office, and answers its command line.
    pub(super) async fn create(dir: &Path, plan: &OfficePlan, gate: &Gate, clock: Clock) -> anyhow::Result<Self> {
        let identity = gate.enrol(dir, plan.unit, false).await?;
        Self::open(dir, plan, identity, clock).await
    }

    /// Opens an office that was made before, at its hub, wherever that is now.
    pub(super) async fn reopen(dir: &Path, plan: &OfficePlan, hub: &TownHub, clock: Clock) -> anyhow::Result<Self> {
        hub.told_where(dir)?;
        Self::open(dir, plan, Identity::load(dir)?, clock).await
    }

    /// Opens an office that is enrolled.
    async fn open(dir: &Path, plan: &OfficePlan, identity: Identity, clock: Clock) -> anyhow::Result<Self> {
        let config = Config { mode: plan.mode, ..Config::default() };
        let schedule = config.schedule()?;
        let path = dir.to_owned();
        let own = clock.clone();
        let office = tokio::task::spawn_blocking(move || Office::open(&path, &config, schedule, own)).await??;
        let (stop, stopped) = watch::channel(false);
        let mut tasks = vec![office.serve_control(stopped.clone()).await?.1];
        if plan.mode == Mode::Live {
            tasks.extend(office.keep_in_touch(&Parts::new(), stopped));
        }
        Ok(Self { unit: plan.unit, dir: dir.to_owned(), identity, office, plan: plan.clone(), clock, stop, tasks })
    }

    /// Closes the office, has something done to its data directory, and opens it again.
    ///
    /// # Errors
    /// When that fails, or the office does not open.
    pub async fn reopened(self, between: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<Self> {
        let (dir, plan, identity, clock) =
            (self.dir.clone(), self.plan.clone(), self.identity.clone(), self.clock.clone());
        self.stop().await;
        between(&dir)?;
        Self::open(&dir, &plan, identity, clock).await
    }

    /// Its registers.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.office.ledger
    }

    /// A desk on its registers.
    pub fn desk(&self) -> LedgerDesk<'_> {
        LedgerDesk::new(&self.office.ledger)
    }

    /// Syncs once, to the end.
    ///
    /// # Errors
    /// When the session breaks.
    pub async fn sync(&self) -> anyhow::Result<pb::SyncReport> {
        let keeper = self.office.keeper.as_ref().context("an enrolled office has a keeper")?;
        Ok(keeper.sync_now().await?)
    }

    pub(super) async fn stop(self) {
        let _ = self.stop.send(true);
        for task in self.tasks {
            let _ = task.await;
        }
    }
}
