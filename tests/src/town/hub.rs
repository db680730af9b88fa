//! One hub of a town.

use anyhow::Context;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};
use taizhang_hub::{
    authority, cli,
    config::Config,
    hub::{Hub, Running},
};
use taizhang_node::{identity::Identity, ledger::Clock};
use taizhang_proto::{OrgCode, date::Day, pb};
use tokio::sync::watch;

/// A running hub.
pub struct TownHub {
    /// Its unit.
    pub unit: OrgCode,
    /// Its data directory.
    pub dir: PathBuf,
    /// The hub itself.
    pub hub: Arc<Hub>,
    /// Where children call.
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    running: Running,
}

/// Where children of a hub get their tokens.
#[derive(Clone)]
pub struct Gate {
    hub: Arc<Hub>,
    address: String,
}

impl Gate {
    /// A one-time token for a unit below the hub.
    ///
    /// # Errors
    /// When the unit does not lie below the hub.
    pub async fn token(&self, unit: OrgCode, hub: bool) -> anyhow::Result<String> {
        self.made(&pb::TokenRequest { unit: unit.number(), hub, ..pb::TokenRequest::default() }).await
    }

    async fn made(&self, request: &pb::TokenRequest) -> anyhow::Result<String> {
        let (core, writer, own) = (&self.hub.core, &self.hub.writer, &self.hub.authority);
        let answer = authority::make_token(core, writer, own, &self.address, request).await;
        Ok(answer.map_err(|status| anyhow::anyhow!("{}", status.message()))?.token)
    }

    /// Enrols somebody who reads the figures of a unit and nothing else.
    ///
    /// # Errors
    /// When the hub refuses.
    pub async fn enrol_reader(&self, dir: &Path, unit: OrgCode, name: &str) -> anyhow::Result<Identity> {
        let request = pb::TokenRequest { unit: unit.number(), reader: name.to_owned(), ..pb::TokenRequest::default() };
        Ok(Identity::enrol(dir, &self.made(&request).await?).await?)
    }

    /// Enrols a child whose data directory is `dir`.
    ///
    /// # Errors
    /// When the hub refuses.
    pub async fn enrol(&self, dir: &Path, unit: OrgCode, hub: bool) -> anyhow::Result<Identity> {
        Ok(Identity::enrol(dir, &self.token(unit, hub).await?).await?)
    }
}

impl TownHub {
    /// Makes a hub as `taizhang-hub init` does, enrols it at its parent, and serves.
    pub(super) async fn create(
        dir: &Path,
        config: Config,
        units: Option<&Path>,
        parent: Option<&Gate>,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let unit = config.unit;
        cli::create(dir, &config, units).with_context(|| format!("{}", dir.display()))?;
        if let Some(parent) = parent {
            parent.enrol(dir, unit, true).await?;
        }
        let schedule = config.schedule()?;
        let hub = Hub::open(dir, config, schedule, clock)?;
        let (stop, stopped) = watch::channel(false);
        let running = hub.serve(stopped).await?;
        Ok(Self { unit, dir: dir.to_owned(), address: running.address, hub, stop, running })
    }

    /// Where children enrol.
    pub fn gate(&self) -> Gate {
        Gate { hub: self.hub.clone(), address: format!("https://{}", self.address) }
    }

    /// The child's row, as `taizhang-hub nodes` reads it.
    ///
    /// # Errors
    /// When the store fails or there is no such child.
    pub fn child(&self, id: &str) -> anyhow::Result<taizhang_hub::rows::NodeRow> {
        let children = taizhang_hub::totals::children(self.hub.core.view().as_ref())?;
        children.into_iter().find(|row| row.id == id).with_context(|| format!("no child {id}"))
    }

    /// One indicator of one unit below the hub, today.
    ///
    /// # Errors
    /// When there is no such indicator or the store fails.
    pub fn figure(&self, unit: OrgCode, code: &str) -> anyhow::Result<i64> {
        Ok(self.value(unit, code, 0)?.numerator)
    }

    /// The same with all that belongs to it, on a day; 0 is today.
    ///
    /// # Errors
    /// When there is no such indicator or the store fails.
    pub fn value(&self, unit: OrgCode, code: &str, on: Day) -> anyhow::Result<pb::TotalValue> {
        let request =
            pb::TotalsRequest { unit: unit.number(), on, indicators: vec![code.to_owned()], ..Default::default() };
        let answer = taizhang_hub::totals::answer(&self.hub.core, &request)?;
        answer.values.into_iter().next().context("no such figure")
    }

    pub(super) async fn stop(self) {
        let _ = self.stop.send(true);
        self.running.stopped().await;
    }
}
