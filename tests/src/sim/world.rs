//! The world of one seed: who there is, what time it is, what was promised, and the loop that lets things happen.

use super::{
    Failure,
    actions::ACTIONS,
    clock::{SimClock, Time, skew},
    copy::tear,
    crash::Armed,
    mem_store::Tables,
    model::{Model, Promise, changes_after},
    papers,
    process::{ENGINE, Hub, Office},
    session::{Child, Session},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use taizhang_hub::{rows::NodeRow, writer::Job};
use taizhang_node::ledger::Ledger;
use taizhang_proto::{OrgCode, pb};

/// What a seed may do.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Hubs come back from old backups, too, in half of the seeds.
    pub hub_restores: bool,
    /// Totals are recounted after every commit, to find the one that made them wrong.
    pub audit_commits: bool,
    /// Backups that come back, lost stores and records that move are drawn far more often than the rest.
    pub restores_and_moves: bool,
    /// Fewest and most steps of a seed.
    pub steps: (usize, usize),
}

impl Default for Options {
    fn default() -> Self {
        Self { hub_restores: true, audit_commits: false, restores_and_moves: false, steps: (40, 80) }
    }
}

/// How a seed went.
#[derive(Debug, Default)]
pub struct Report {
    /// How often each thing happened.
    pub counts: BTreeMap<&'static str, u64>,
    /// Every step.
    pub trace: Vec<String>,
}

/// Every unit there is: a city, two districts, three townships, five communities.
const UNITS: &str = "code,name,parent,tier
210400000000,抚顺市,,city
210402000000,新抚区,210400000000,district
210402001000,站前街道,210402000000,township
210402001002,东八路社区居委会,210402001000,community
210402001003,民主路社区居委会,210402001000,community
210402005000,福民街道,210402000000,township
210402005002,福民路社区居委会,210402005000,community
210403000000,东洲区,210400000000,district
210403001000,东洲街道,210403000000,township
210403001002,东洲社区居委会,210403001000,community
210403001003,绥化路社区居委会,210403001000,community
";

/// Hubs: the city first.
pub(super) const HUBS: [(&str, u64); 3] =
    [("city", 210_400_000_000), ("district-a", 210_402_000_000), ("district-b", 210_403_000_000)];

/// Offices: name, unit, hub.
const OFFICES: [(&str, u64, usize); 6] = [
    ("community-1", 210_402_001_002, 1),
    ("community-2", 210_402_001_003, 1),
    ("township-1", 210_402_001_000, 1),
    ("township-2", 210_402_005_000, 1),
    ("township-3", 210_403_001_000, 2),
    ("community-3", 210_403_001_002, 2),
];

/// One world.
pub(super) struct World {
    pub(super) random: StdRng,
    pub(super) options: Options,
    /// How often each action of the table is drawn in this seed.
    weights: Vec<u32>,
    pub(super) time: Time,
    pub(super) hubs: Vec<Hub>,
    pub(super) offices: Vec<Office>,
    pub(super) sessions: BTreeMap<u64, Session>,
    pub(super) last_session: u64,
    /// Of sessions that said everything.
    pub(super) reports: BTreeMap<u64, pb::SyncReport>,
    pub(super) model: Model,
    pub(super) counts: BTreeMap<&'static str, u64>,
    /// Nothing fails any more.
    pub(super) calm: bool,
    scratch: PathBuf,
    directories: u32,
    trace: Arc<Mutex<Vec<String>>>,
}

/// Whether something happens that does so `times` in `of`.
pub(super) fn chance(random: &mut StdRng, times: u32, of: u32) -> bool {
    random.random_range(0..of) < times
}

/// Runs one seed to its end.
///
/// # Errors
/// When something did not hold.
pub fn run(seed: u64, options: Options) -> Result<Report, Box<Failure>> {
    let trace = Arc::new(Mutex::new(Vec::new()));
    let mut step = 0;
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| live(seed, options, &trace, &mut step)));
    taizhang_node::disk::watch_points(None);
    let trace = std::mem::take(&mut *trace.lock().unwrap_or_else(PoisonError::into_inner));
    let what = match ran {
        Ok(Ok(counts)) => return Ok(Report { counts, trace }),
        Ok(Err(what)) => what,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            format!("panicked: {}", text.unwrap_or_default())
        }
    };
    Err(Box::new(Failure { seed, step, what, trace, options }))
}

fn live(
    seed: u64,
    options: Options,
    trace: &Arc<Mutex<Vec<String>>>,
    step: &mut usize,
) -> Result<BTreeMap<&'static str, u64>, String> {
    // In memory where there is such a place: a disk would only make the same answers slower.
    let shared = Path::new("/dev/shm");
    let scratch = if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() };
    let scratch = scratch.map_err(|error| error.to_string())?;
    let mut world = World::new(seed, options, scratch.path().to_owned(), trace.clone())?;
    let steps = world.random.random_range(options.steps.0..=options.steps.1);
    while *step < steps {
        *step += 1;
        world.step()?;
        if step.is_multiple_of(8) {
            world.audit_districts()?;
        }
    }
    world.calm_down()?;
    world.check_everything()?;
    Ok(std::mem::take(&mut world.counts))
}

impl World {
    fn new(seed: u64, options: Options, scratch: PathBuf, trace: Arc<Mutex<Vec<String>>>) -> Result<Self, String> {
        let mut random = StdRng::seed_from_u64(seed);
        let half = random.random_bool(0.5) || options.restores_and_moves;
        let options = Options { hub_restores: options.hub_restores && half, ..options };
        let weights = draw_weights(options, &mut random);
        let time = Time::new();
        let mut hubs = Vec::new();
        for (name, unit) in HUBS {
            let clock = SimClock::new(&time, random.random_range(-90_000..90_000));
            hubs.push(Hub::start(name, code(unit)?, clock, Tables::default(), None)?);
        }
        for answer in hubs[0].core.commit(vec![Job::Tree(UNITS.to_owned(), None)]) {
            answer.map_err(|error| error.to_string())?;
        }
        for hub in &hubs[1..] {
            let (_, certificate) = papers::of(hub.unit)?;
            let unit = hub.unit.number();
            let row = NodeRow { id: hub.name.to_owned(), unit, hub: true, certificate, ..NodeRow::default() };
            for answer in hubs[0].core.commit(vec![Job::Enrolled(Box::new(row), None)]) {
                answer.map_err(|error| error.to_string())?;
            }
        }
        let mut offices = Vec::new();
        for (name, unit, hub) in OFFICES {
            // The first three share people; of the others one may be missing.
            if offices.len() >= 3 && chance(&mut random, 1, 3) {
                continue;
            }
            let clock = SimClock::new(&time, skew(&mut random));
            let dir = scratch.join(name);
            let ledger = open(&dir, code(unit)?, &clock)?;
            offices.push(Office {
                name,
                unit: code(unit)?,
                hub,
                clock,
                ledger: Arc::new(ledger),
                dir,
                flushed: None,
                cut_off: false,
                backups: Vec::new(),
                damaged: false,
                last_push: None,
            });
        }
        let mut world = Self {
            random,
            options,
            weights,
            time,
            hubs,
            offices,
            sessions: BTreeMap::new(),
            last_session: 0,
            reports: BTreeMap::new(),
            model: Model::default(),
            counts: BTreeMap::new(),
            calm: true,
            scratch,
            directories: 0,
            trace,
        };
        for district in 1..world.hubs.len() {
            world.sync(Child::District(district))?;
        }
        world.share_people()?;
        world.calm = false;
        Ok(world)
    }

    /// One thing happens, and a little time passes.
    fn step(&mut self) -> Result<(), String> {
        let pause = match self.random.random_range(0..10) {
            0..6 => self.random.random_range(1..2_000),
            6..9 => self.random.random_range(2_000..600_000),
            _ => self.random.random_range(600_000..2 * 86_400_000),
        };
        self.time.pass(pause);
        // Where something can't happen now, another thing is drawn.
        for _ in 0..20 {
            let total: u32 = self.weights.iter().sum();
            let mut drawn = self.random.random_range(0..total);
            let action = ACTIONS.iter().zip(&self.weights).find(|(_, weight)| {
                let chosen = drawn < **weight;
                drawn = drawn.saturating_sub(**weight);
                chosen
            });
            let Some((action, _)) = action else { return Ok(()) };
            let before = self.trace().len();
            self.note(|_| action.name.to_owned());
            if (action.run)(self).map_err(|error| format!("{}: {error}", action.name))? {
                self.count(action.name);
                return Ok(());
            }
            self.trace().truncate(before);
        }
        Ok(())
    }

    /// Takes a line into the trace.
    pub(super) fn note(&self, line: impl FnOnce(&Self) -> String) {
        let line = line(self);
        self.trace().push(line);
    }

    fn trace(&self) -> MutexGuard<'_, Vec<String>> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what happened.
    pub(super) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// A directory that was never used.
    pub(super) fn fresh_directory(&mut self, name: &str) -> PathBuf {
        self.directories += 1;
        self.scratch.join(format!("{name}-{}", self.directories))
    }

    /// Does something that writes to an office's disk, in which the office may crash. Returns what it did, and
    /// whether the office crashed: then it is open again from what was on its disk at that point, and whatever was
    /// done after it never was.
    pub(super) fn at_risk<T>(&mut self, child: Child, act: impl FnOnce(&mut Self) -> T) -> Result<(T, bool), String> {
        let Child::Office(office) = child else { return Ok((act(self), false)) };
        if self.calm || !chance(&mut self.random, 1, 25) {
            return Ok((act(self), false));
        }
        let copy = self.fresh_directory(self.offices[office].name);
        let armed = Armed::at(self.random.random_range(0..10), self.offices[office].dir.clone(), copy.clone());
        let done = act(self);
        let fired = armed.fired().map_err(|error| format!("copying what a crash left: {error}"))?;
        let Some(point) = fired else { return Ok((done, false)) };
        self.count("office crashes inside a write");
        self.note(|world| format!("{} dies at {point:?}", world.offices[office].name));
        self.reopen(office, copy)?;
        Ok((done, true))
    }

    /// An office starts again on a directory. It may crash in that, too.
    pub(super) fn reopen(&mut self, office: usize, mut dir: PathBuf) -> Result<(), String> {
        let arriving = self.random.random_range(0..4);
        for session in self.sessions.values_mut().filter(|session| session.child == Child::Office(office)) {
            session.lose_client(arriving);
        }
        self.sweep();
        if !self.calm && chance(&mut self.random, 1, 4) {
            let torn: Vec<u8> = (0..self.random.random_range(1..40)).map(|_| self.random.random_range(0..4)).collect();
            tear(&dir, &torn).map_err(|error| error.to_string())?;
            self.offices[office].damaged = true;
            self.count("torn journals");
        }
        let (unit, clock) = (self.offices[office].unit, self.offices[office].clock.clone());
        let mut crashes = if self.calm { 0 } else { self.random.random_range(0..3) };
        let ledger = loop {
            let copy = self.fresh_directory(self.offices[office].name);
            let point = if crashes > 0 { self.random.random_range(0..6) } else { u32::MAX };
            let armed = Armed::at(point, dir.clone(), copy.clone());
            let ledger = open(&dir, unit, &clock)?;
            let fired = armed.fired().map_err(|error| format!("copying what a crash left: {error}"))?;
            if fired.is_none() || crashes == 0 {
                break ledger;
            }
            self.count("office crashes while it opens");
            crashes -= 1;
            dir = copy;
        };
        (self.offices[office].ledger, self.offices[office].dir) = (Arc::new(ledger), dir);
        self.offices[office].flushed = None;
        let ledger = self.offices[office].ledger.clone();
        let pending = changes_after(&ledger, ledger.state().settled)?;
        self.model.found_pending(office, &pending, false);
        Ok(())
    }

    /// Takes what an office has just saved into the model.
    pub(super) fn take_saved(
        &mut self,
        office: usize,
        after: u64,
        ledger: &Ledger,
        crashed: bool,
    ) -> Result<(), String> {
        let promise = if crashed { Promise::Open } else { Promise::Saved };
        for edit in changes_after(ledger, after)? {
            self.model.saved(office, edit, promise);
        }
        Ok(())
    }
}

/// The weights of a seed. Half of the seeds take the table's; in the others some things never happen and some happen
/// often, which finds what a steady mixture rarely brings about (Groce et al., Swarm testing, ISSTA 2012).
fn draw_weights(options: Options, random: &mut StdRng) -> Vec<u32> {
    let steady = random.random_bool(0.5);
    let weights = ACTIONS.iter().map(|action| (action.weight)(&options));
    weights
        .map(|weight| match random.random_range(0..6) {
            _ if steady => weight,
            0 => 0,
            1..4 => weight,
            4 => weight * 5,
            _ => weight * 25,
        })
        .collect()
}

/// The code of a unit.
pub(super) fn code(number: u64) -> Result<OrgCode, String> {
    OrgCode::new(number).map_err(|error| error.to_string())
}

fn open(dir: &Path, unit: OrgCode, clock: &SimClock) -> Result<Ledger, String> {
    Ledger::open_timed(dir, unit, (clock.reading(), clock.uptime()), ENGINE)
        .map_err(|error| format!("opening {}: {error}", dir.display()))
}
