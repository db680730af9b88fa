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
        self.made(&pb::TokenRequest { unit: unit.number(), hub, again: true, ..pb::TokenRequest::default() }).await
    }

    async fn made(&self, request: &pb::TokenRequest) -> anyhow::Result<String> {
        let (core, writer, own) = (&self.hub.core, &self.hub.writer, &self.hub.authority);
        let answer = authority::make_token(core, writer, own, &self.address, request).await;
        Ok(answer?.token)
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

/// Gives a key of a file of settings another value.
fn changed_line(path: &Path, key: &str, value: &str) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let is_it = |line: &str| line.split('=').next().is_some_and(|own| own.trim() == key);
    let changed =
        text.lines().map(|line| if is_it(line) { format!("{key} = \"{value}\"\n") } else { format!("{line}\n") });
    let changed: String = changed.collect();
    if changed != text {
        std::fs::write(path, changed)?;
    }
    Ok(())
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
        Self::open(dir, config, clock).await
    }

    /// Opens a hub that was made before, on the port that it had; on another one where somebody has taken that meanwhile.
    pub(super) async fn reopen(
        dir: &Path,
        sessions: usize,
        parent: Option<&Self>,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let mut config = Config::load(dir).with_context(|| format!("{}", dir.display()))?;
        config.sessions = sessions;
        if tokio::net::TcpListener::bind(config.listen).await.is_err() {
            config.listen.set_port(0);
        }
        if let Some(parent) = parent {
            parent.told_where(dir)?;
        }
        Self::open(dir, config, clock).await
    }

    async fn open(dir: &Path, config: Config, clock: Clock) -> anyhow::Result<Self> {
        let (unit, listen) = (config.unit, config.listen);
        let schedule = config.schedule()?;
        let hub = Hub::open(dir, config, schedule, clock).with_context(|| format!("{}", dir.display()))?;
        let (stop, stopped) = watch::channel(false);
        let running = hub.serve(stopped).await?;
        let own = Self { unit, dir: dir.to_owned(), address: running.address, hub, stop, running };
        if own.address != listen {
            // So that it is where its children look for it when it is started again.
            changed_line(&dir.join("hub.toml"), "listen", &own.address.to_string())?;
        }
        Ok(own)
    }

    /// Tells a child that is closed where this hub is now.
    pub(super) fn told_where(&self, child: &Path) -> anyhow::Result<()> {
        changed_line(&child.join("identity").join("hub.toml"), "address", &format!("https://{}", self.address))
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
