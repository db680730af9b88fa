//! A real city in one process: hubs with their own certificate authorities and stores, offices enrolled with one-time
//! tokens, TLS on loopback ports. The demo and the end-to-end tests start the same thing as the programs do.
//! Invariant: nothing here reaches around a tier's own library; what a town does, `taizhang-hub` and
//! `taizhang-node` can do.

mod audit;
mod hub;
mod line;
mod office;
mod registers;
mod wait;

pub use audit::{Agreement, agreement, apart, has_figures_of, unheard};
pub use hub::{Gate, TownHub};
pub use line::{Line, Weather};
pub use office::{OfficePlan, TownOffice};
pub use registers::{residents, write};
pub use wait::until;

use anyhow::Context;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use taizhang_hub::config::{Config, HubTier};
use taizhang_node::{
    ledger::{Clock, system_clock},
    upstream::schedule::Mode,
};
use taizhang_proto::{OrgCode, org::UnitTree};
use tokio::{sync::Semaphore, task::JoinSet};

/// The real tree of units of Fushun; `tests/data/README.md` names its source.
pub const UNITS: &str = include_str!("../data/fushun-units.csv");

/// Offices that are enrolled and opened at a time.
const AT_A_TIME: usize = 16;

/// What a town is made with.
pub struct Plan {
    /// The tree of units, as CSV.
    pub units: String,
    /// Sessions that each hub admits at a time.
    pub sessions: usize,
    /// How districts keep in touch with the city.
    pub mode: Mode,
    /// Everybody's clock, unless an office has its own.
    pub clock: Clock,
}

impl Default for Plan {
    fn default() -> Self {
        Self { units: UNITS.to_owned(), sessions: 2_048, mode: Mode::Live, clock: system_clock() }
    }
}

/// A running city.
pub struct Town {
    /// The tree of units.
    pub tree: UnitTree,
    /// The city's hub.
    pub city: TownHub,
    /// The districts' hubs, in the order in which they were opened.
    pub districts: Vec<TownHub>,
    /// The offices, in the order in which they were opened.
    pub offices: Vec<TownOffice>,
    dir: PathBuf,
    plan: Plan,
}

/// The directories in one, by name.
fn directories(dir: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| format!("{}", dir.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
        }
    }
    found.sort_unstable();
    Ok(found)
}

impl Town {
    /// Starts the city's hub in `dir`, which holds everything that follows.
    ///
    /// # Errors
    /// When the tree can't be read, the disk fails, or there is a town already.
    pub async fn start(dir: &Path, plan: Plan) -> anyhow::Result<Self> {
        let tree = UnitTree::from_csv(&plan.units)?;
        let first = plan.units.lines().nth(1).and_then(|line| line.split(',').next());
        let unit = first.context("the tree names the city first")?.parse()?;
        std::fs::create_dir_all(dir)?;
        let units = dir.join("units.csv");
        std::fs::write(&units, &plan.units)?;
        let config = Self::config(&plan, unit, HubTier::City);
        let city = TownHub::create(&dir.join("city"), config, Some(&units), None, plan.clock.clone()).await?;
        Ok(Self { tree, city, districts: Vec::new(), offices: Vec::new(), dir: dir.to_owned(), plan })
    }

    /// Starts the town again whose directories are in `dir`, with everything that it held. `on_step` gets how many hubs and
    /// offices are open.
    ///
    /// # Errors
    /// When there is none, or one of them does not open.
    pub async fn reopen(dir: &Path, mut plan: Plan, mut on_step: impl FnMut(usize)) -> anyhow::Result<Self> {
        plan.units = std::fs::read_to_string(dir.join("units.csv"))?;
        let tree = UnitTree::from_csv(&plan.units)?;
        let city = TownHub::reopen(&dir.join("city"), plan.sessions, None, plan.clock.clone()).await?;
        let (districts, offices) = (Vec::new(), Vec::new());
        let mut town = Self { tree, city, districts, offices, dir: dir.to_owned(), plan };
        for (name, path) in directories(&dir.join("districts"))? {
            let clock = town.plan.clock.clone();
            let opened = TownHub::reopen(&path, town.plan.sessions, Some(&town.city), clock).await;
            town.districts.push(opened.with_context(|| name)?);
            on_step(town.districts.len());
        }
        // A node's directory is named by its unit and its place in the town.
        let mut nodes = Vec::new();
        for (name, path) in directories(&dir.join("nodes"))? {
            let (unit, number) = name.split_once('-').with_context(|| name.clone())?;
            nodes.push((number.parse::<usize>()?, unit.parse::<OrgCode>()?, path));
        }
        nodes.sort_unstable();
        for (_, unit, path) in nodes {
            let clock = town.plan.clock.clone();
            let opened = TownOffice::reopen(&path, &OfficePlan::live(unit), town.district_of(unit)?, clock).await;
            town.offices.push(opened.with_context(|| unit)?);
            on_step(town.districts.len() + town.offices.len());
        }
        Ok(town)
    }

    fn config(plan: &Plan, unit: OrgCode, tier: HubTier) -> Config {
        let mut config = Config::new(unit, tier, std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
        config.sessions = plan.sessions;
        config.mode = plan.mode;
        config
    }

    /// Enrols a district's hub at the city and starts it. It waits for the tree of units, which the city sends.
    ///
    /// # Errors
    /// When enrolling or starting fails.
    pub async fn open_district(&mut self, unit: OrgCode) -> anyhow::Result<()> {
        let dir = self.dir.join("districts").join(unit.to_string());
        let config = Self::config(&self.plan, unit, HubTier::District);
        let live = config.mode == Mode::Live;
        let gate = self.city.gate();
        let district = TownHub::create(&dir, config, None, Some(&gate), self.plan.clock.clone()).await?;
        if !live && let Some(keeper) = &district.hub.keeper {
            keeper.sync_now().await?;
        }
        until("the district has the tree of units", || !district.hub.core.tree().is_empty()).await?;
        self.districts.push(district);
        Ok(())
    }

    /// The hub of the district that a unit lies in.
    ///
    /// # Errors
    /// When it has not been opened.
    pub fn district_of(&self, unit: OrgCode) -> anyhow::Result<&TownHub> {
        let found = self.districts.iter().find(|district| district.unit.covers(unit));
        found.with_context(|| format!("the district of {unit} is not open"))
    }

    /// Enrols an office at its district and opens it. Returns its place in [`Town::offices`].
    ///
    /// # Errors
    /// When enrolling or opening fails.
    pub async fn open_office(&mut self, plan: OfficePlan) -> anyhow::Result<usize> {
        self.open_offices(vec![plan], |_| {}).await?;
        Ok(self.offices.len() - 1)
    }

    /// Enrols and opens many offices, several at a time, and keeps their order. `on_step` gets how many are open.
    ///
    /// # Errors
    /// When one of them can't be enrolled or opened.
    pub async fn open_offices(&mut self, plans: Vec<OfficePlan>, mut on_step: impl FnMut(usize)) -> anyhow::Result<()> {
        let places = Arc::new(Semaphore::new(AT_A_TIME));
        let mut opening = JoinSet::new();
        let before = self.offices.len();
        for (number, plan) in (before..).zip(plans) {
            let gate = self.district_of(plan.unit)?.gate();
            let dir = self.dir.join("nodes").join(format!("{}-{number:04}", plan.unit));
            let clock = plan.clock.clone().unwrap_or_else(|| self.plan.clock.clone());
            let places = places.clone();
            opening.spawn(async move {
                let _place = places.acquire_owned().await?;
                anyhow::Ok((number, TownOffice::create(&dir, &plan, &gate, clock).await?))
            });
        }
        let mut opened = Vec::with_capacity(opening.len());
        while let Some(done) = opening.join_next().await {
            opened.push(done??);
            on_step(opened.len());
        }
        opened.sort_by_key(|(number, _)| *number);
        self.offices.extend(opened.into_iter().map(|(_, office)| office));
        Ok(())
    }

    /// Every office syncs, twice: what the last one said reaches the first.
    ///
    /// # Errors
    /// When a session breaks, or an office and its hub do not hold the same afterwards.
    pub async fn sync_all(&self) -> anyhow::Result<()> {
        for office in self.offices.iter().chain(&self.offices) {
            let report = office.sync().await?;
            anyhow::ensure!(report.ok && report.equal, "{}: {report:?}", office.unit);
        }
        Ok(())
    }

    /// Waits until every change of every office has been answered for and every figure of the districts stands at
    /// the city. `on_step` gets how many changes are settled and how many there are.
    ///
    /// # Errors
    /// When that does not happen in time, with what is missing.
    pub async fn settled(&self, mut on_step: impl FnMut(u64, u64)) -> anyhow::Result<()> {
        wait::within(wait::GREAT_PATIENCE, "every office's changes are settled", || {
            let states = self.offices.iter().map(|office| office.ledger().state());
            let (settled, head) = states.fold((0, 0), |sum, state| (sum.0 + state.settled, sum.1 + state.head));
            on_step(settled, head);
            settled == head
        })
        .await?;
        wait::within(wait::GREAT_PATIENCE, "the city has the districts' figures", || {
            self.districts.iter().all(|district| has_figures_of(&self.city, district).unwrap_or(false))
        })
        .await
    }

    /// Ends everything, offices first.
    pub async fn stop(self) {
        let mut ending = JoinSet::new();
        for office in self.offices {
            ending.spawn(office.stop());
        }
        ending.join_all().await;
        for district in self.districts {
            district.stop().await;
        }
        self.city.stop().await;
    }
}
