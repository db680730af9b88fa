//! The load tool: how fast a hub takes records in, what they weigh on the wire, what a node and a hub take in memory.
//! The hub is a process of its own: real TLS, real store, on disk before each answer, totals kept.
//! Invariant: every figure printed was measured in this run.

mod bench;
pub mod figures;
pub mod reconcile;
pub mod search;

use crate::synth;
use anyhow::{Context, bail};
use bytes::Bytes;
use prost::Message;
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use taizhang_node::{
    config::Config,
    control::ControlFile,
    desk::{Desk, Draft},
    identity::Identity,
    ledger::{Ledger, LedgerDesk, system_clock},
    office::{Office, standing},
    upstream::{self, Comparison, Greeting, Replica, SessionError, VerdictCount, link},
};
use taizhang_proto::{
    OrgCode, RecordId, change, date,
    pb::{self, admin_client::AdminClient},
    register::registers,
    session::{MAX_BATCH_CHANGES, PROTOCOL_MAX, PROTOCOL_MIN},
    stamp::Stamp,
    wire::{Field, put_varint},
};
use tokio::sync::watch;
use tonic::transport::Channel;

/// The district that the load goes to, and its tree.
const DISTRICT: u64 = 210_402_000_000;
const UNITS: &str = include_str!("../data/fushun-units.csv");

/// A hub in a process of its own.
pub struct HubProcess {
    child: Child,
    dir: PathBuf,
}

impl HubProcess {
    /// Makes and starts a district hub in a directory.
    ///
    /// # Errors
    /// When a program can't be run or the hub does not come up.
    pub async fn start(dir: &Path, program: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let units = dir.join("units.csv");
        std::fs::write(&units, UNITS)?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let hub = dir.join("hub");
        let made = Command::new(program)
            .args(["hub", "--dir"])
            .arg(&hub)
            .args([
                "init",
                "--tier",
                "district",
                "--unit",
                &DISTRICT.to_string(),
                "--listen",
                &port.to_string(),
                "--units",
            ])
            .arg(&units)
            .stdout(Stdio::null())
            .status()?;
        if !made.success() {
            bail!("the hub could not be made in {}", hub.display());
        }
        let mut process = Self { child: Self::spawn(program, &hub)?, dir: hub };
        process.wait_until_up().await?;
        Ok(process)
    }

    fn spawn(program: &Path, hub: &Path) -> anyhow::Result<Child> {
        Command::new(program).args(["hub", "--dir"]).arg(hub).arg("serve").stdout(Stdio::null()).spawn().context("hub")
    }

    /// Stops the hub and starts it again on its data.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn restart(&mut self, program: &Path) -> anyhow::Result<()> {
        self.stop();
        self.child = Self::spawn(program, &self.dir)?;
        self.wait_until_up().await
    }

    async fn wait_until_up(&mut self) -> anyhow::Result<()> {
        for _ in 0..600 {
            if let Some(file) = ControlFile::read(&self.dir)
                && file.connect().await.is_some()
            {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the hub ended: {status}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the hub did not come up")
    }

    async fn admin(&self) -> anyhow::Result<AdminClient<Channel>> {
        let file = ControlFile::read(&self.dir).context("no control file")?;
        let channel = file.connect().await.context("the hub does not answer")?;
        Ok(AdminClient::new(channel).max_decoding_message_size(taizhang_node::control::MAX_MESSAGE))
    }

    /// A kibibyte figure of the process, such as `VmRSS` or `VmHWM`.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn memory(&self, name: &str) -> anyhow::Result<u64> {
        memory_of(&self.child.id().to_string(), name)
    }

    fn stop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

impl Drop for HubProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A figure of a process from `/proc`, KiB.
fn memory_of(process: &str, name: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).context("no such figure")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}

/// Changes held in memory, pushed through the real session: what the hub can take, without a client's store.
struct Feeder {
    changes: Vec<Bytes>,
    incarnation: [u8; 16],
    settled: AtomicU64,
    changed: watch::Sender<u64>,
}

impl Feeder {
    fn new(changes: Vec<Bytes>) -> Arc<Self> {
        let changed = watch::Sender::new(0);
        Arc::new(Self { changes, incarnation: rand::random(), settled: AtomicU64::new(0), changed })
    }
}

impl Replica for Feeder {
    fn last_heard(&self) -> u64 {
        0
    }

    fn hello(&self, live: bool) -> Result<pb::Hello, SessionError> {
        Ok(pb::Hello {
            protocol_min: PROTOCOL_MIN,
            protocol_max: PROTOCOL_MAX,
            software: "load".into(),
            incarnation: self.incarnation.to_vec().into(),
            head: self.changes.len() as u64,
            settled: self.settled.load(Ordering::Relaxed),
            live,
            tree_version: u64::MAX,
            scope_digest: vec![0; 32].into(),
            ..pb::Hello::default()
        })
    }

    fn welcome(&self, welcome: &pb::Welcome) -> Result<Greeting, SessionError> {
        Ok(Greeting::Talk { acknowledged: welcome.acknowledged })
    }

    fn batch(&self, after: u64) -> Result<Option<pb::Push>, SessionError> {
        let from = after as usize;
        let to = (from + MAX_BATCH_CHANGES).min(self.changes.len());
        if from >= to {
            return Ok(None);
        }
        let raw = pb::ChangeList { changes: self.changes[from..to].to_vec() }.encode_to_vec();
        let changes = upstream::compress(&raw).map_err(|_| SessionError::Protocol("out of memory"))?;
        Ok(Some(pb::Push {
            first: after + 1,
            last: to as u64,
            changes,
            raw_len: raw.len() as u32,
            ..pb::Push::default()
        }))
    }

    fn verdicts(&self, verdicts: pb::Verdicts) -> Result<VerdictCount, SessionError> {
        let special = verdicts.outcomes.len() as u64;
        let all = verdicts.last - verdicts.first + 1;
        self.settled.store(verdicts.last, Ordering::Relaxed);
        Ok(VerdictCount { accepted: all - special, settled: 0, refused: special })
    }

    fn records(&self, _: pb::Records) -> Result<u64, SessionError> {
        Ok(0)
    }

    fn document(&self, _: pb::Document) -> Result<(), SessionError> {
        Ok(())
    }

    fn caught(&self, _: &pb::Caught) -> Result<Comparison, SessionError> {
        Ok(Comparison::Equal)
    }

    fn pending(&self) -> u64 {
        self.changes.len() as u64 - self.settled.load(Ordering::Relaxed)
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

/// A draft as an encoded change of a new record.
pub(crate) fn encode(draft: &Draft, unit: OrgCode, stamp: Stamp) -> anyhow::Result<Bytes> {
    let def = registers().get(draft.register).context("register")?;
    let mut fields = Vec::new();
    for (tag, value) in &draft.edits {
        let field = def.field(*tag).context("field")?;
        let bytes = value.as_ref().map(|value| value.encode(field)).unwrap_or_default();
        fields.push((Field { tag: *tag, bytes }, 0));
    }
    if !draft.edits.iter().any(|(tag, _)| *tag == 1) {
        let mut bytes = Vec::new();
        put_varint(1, unit.number(), &mut bytes);
        fields.push((Field { tag: 1, bytes: bytes.into() }, 0));
    }
    fields.sort_by_key(|(field, _)| field.tag);
    Ok(change::write(draft.id, draft.register, &fields, stamp, "load").encode_to_vec().into())
}

/// Residents of a unit as encoded changes.
fn residents(unit: OrgCode, count: usize, seed: u64) -> anyhow::Result<Vec<Bytes>> {
    let now = jiff::Timestamp::now().as_millisecond().max(0) as u64;
    let mut city = synth::City::new(seed, date::shanghai(now));
    let mut stamp = Stamp::at_millis(now);
    (0..count)
        .map(|_| {
            stamp = stamp.tick(0);
            encode(&city.person(unit, RecordId::create(now, rand::random())), unit, stamp)
        })
        .collect()
}

/// One run of ingest.
pub struct Ingest {
    /// Children pushing at once.
    pub nodes: usize,
    /// Records in all.
    pub records: u64,
    /// From the first push to the last answer.
    pub seconds: f64,
    /// Application bytes up.
    pub bytes_up: u64,
    /// Application bytes down.
    pub bytes_down: u64,
    /// Mean size of a record's fields.
    pub record_bytes: f64,
}

async fn enrol(hub: &HubProcess, dir: &Path, unit: OrgCode) -> anyhow::Result<Identity> {
    let token = hub
        .admin()
        .await?
        .token(pb::TokenRequest { unit: unit.number(), hub: false, hours: 1, ..pb::TokenRequest::default() })
        .await?
        .into_inner();
    Ok(Identity::enrol(dir, &token.token).await?)
}

/// The communities of the district.
fn communities() -> anyhow::Result<Vec<OrgCode>> {
    let tree = taizhang_proto::org::UnitTree::from_csv(UNITS)?;
    let district = OrgCode::new(DISTRICT)?;
    Ok(tree.below(district).map(|unit| unit.code).filter(|code| code.span() == 1).collect())
}

/// Pushes `records` residents from `nodes` children at once.
///
/// # Errors
/// When a session breaks or a record is refused.
pub async fn ingest(hub: &HubProcess, dir: &Path, nodes: usize, records: usize, seed: u64) -> anyhow::Result<Ingest> {
    let units = communities()?;
    let mut feeders = Vec::new();
    let mut total = 0;
    for index in 0..nodes {
        let unit = units[index % units.len()];
        let identity = enrol(hub, &dir.join(format!("node-{seed}-{index}")), unit).await?;
        let changes = residents(unit, records / nodes, seed * 1_000 + index as u64)?;
        total += changes.iter().map(Bytes::len).sum::<usize>();
        feeders.push((Feeder::new(changes), identity));
    }
    let count: u64 = feeders.iter().map(|(feeder, _)| feeder.changes.len() as u64).sum();
    let started = Instant::now();
    let sessions: Vec<_> = feeders
        .into_iter()
        .map(|(feeder, identity)| {
            tokio::spawn(async move { link::run(&feeder, &identity, false, std::future::pending(), |_| {}).await })
        })
        .collect();
    let mut run = Ingest {
        nodes,
        records: count,
        seconds: 0.0,
        bytes_up: 0,
        bytes_down: 0,
        record_bytes: total as f64 / count as f64,
    };
    for session in sessions {
        let report = session.await??;
        if report.refused > 0 {
            bail!("{} records were refused", report.refused);
        }
        run.bytes_up += report.bytes_up;
        run.bytes_down += report.bytes_down;
    }
    run.seconds = started.elapsed().as_secs_f64();
    Ok(run)
}

/// Resident memory of this process after an office of `people` was filled, closed and opened again, KiB.
///
/// # Errors
/// When the office can't be filled.
pub fn node_memory(dir: &Path, people: usize) -> anyhow::Result<(u64, u64)> {
    let unit = communities()?[0];
    let now = jiff::Timestamp::now().as_millisecond().max(0) as u64;
    let ledger = Ledger::open(dir, unit, system_clock())?;
    let desk = LedgerDesk::new(&ledger);
    let mut city = synth::City::new(7, date::shanghai(now));
    for chunk in (0..people).collect::<Vec<_>>().chunks(500) {
        let groups = chunk.iter().map(|_| vec![city.person(unit, desk.new_id())]).collect();
        for answer in desk.save(groups, "load") {
            answer?;
        }
    }
    let filled = memory_of("self", "VmRSS")?;
    Ok((ledger.state().head, filled))
}

/// Resident memory of this process with an office opened, KiB.
///
/// # Errors
/// When the office can't be opened.
pub fn open_node_memory(dir: &Path) -> anyhow::Result<(u64, u64)> {
    let ledger = Ledger::open(dir, communities()?[0], system_clock())?;
    ledger.verify()?;
    Ok((ledger.state().head, memory_of("self", "VmRSS")?))
}

/// Most memory that this process has taken with an office opened and its lists asked for, KiB, and how long each took.
pub struct Lists {
    /// Records of the office.
    pub records: u64,
    /// At most resident, KiB.
    pub peak: u64,
    /// Each list: its name, entries, milliseconds.
    pub took: Vec<(&'static str, usize, u128)>,
}

/// Opens an office, and asks for its standing, its worklist, and what is in doubt.
///
/// # Errors
/// When the office can't be opened or read.
pub fn lists(dir: &Path) -> anyhow::Result<Lists> {
    let config = Config { unit: Some(communities()?[0]), ..Config::default() };
    let office = Office::open(dir, &config, config.schedule()?, system_clock())?;
    let ledger = &office.ledger;
    let mut took = Vec::new();
    let mut note = |name, started: Instant, count| took.push((name, count, started.elapsed().as_millis()));
    let started = Instant::now();
    note("standing", started, standing::standing(ledger, ledger.business_day())?.lines.len());
    let started = Instant::now();
    note("worklist", started, office.work(&pb::DueRequest { on: 0, within: 7, to_file: false })?.items.len());
    let started = Instant::now();
    note("doubts", started, office.doubtful(0, &[])?.items.len());
    Ok(Lists { records: ledger.state().head, peak: memory_of("self", "VmHWM")?, took })
}

/// What a real node's first sync and a sync of 1 % changes cost.
pub struct NodeSync {
    /// The first sync.
    pub first: pb::SyncReport,
    /// After 1 % of the records were edited.
    pub changed: pb::SyncReport,
    /// With nothing to say.
    pub quiet: pb::SyncReport,
}

/// Syncs a real node, store and all.
///
/// # Errors
/// When a session breaks.
pub async fn node_sync(hub: &HubProcess, dir: &Path, people: usize) -> anyhow::Result<NodeSync> {
    let unit = communities()?[40];
    let identity = enrol(hub, dir, unit).await?;
    let ledger = Arc::new(Ledger::open(dir, unit, system_clock())?);
    let now = jiff::Timestamp::now().as_millisecond().max(0) as u64;
    let mut city = synth::City::new(99, date::shanghai(now));
    let ids: Vec<RecordId> = {
        let desk = LedgerDesk::new(&ledger);
        let drafts: Vec<Draft> = (0..people).map(|_| city.person(unit, desk.new_id())).collect();
        let ids = drafts.iter().map(|draft| draft.id).collect();
        for chunk in drafts.chunks(500) {
            for answer in desk.save(chunk.iter().map(|draft| vec![draft.clone()]).collect(), "load") {
                answer?;
            }
        }
        ids
    };
    let first = link::sync_fully(&ledger, &identity, |_| {}).await?;
    let phone = registers().named("resident").and_then(|def| def.field_named("phone")).context("phone")?.tag;
    {
        let desk = LedgerDesk::new(&ledger);
        let edit = |(index, id): (usize, &RecordId)| {
            let number = format!("138{:08}", index * 7_919 % 100_000_000);
            vec![Draft::new(*id, 1).with(phone, taizhang_proto::register::Value::Text(number))]
        };
        for answer in desk.save(ids.iter().step_by(100).enumerate().map(edit).collect(), "load") {
            answer?;
        }
    }
    let changed = link::sync_fully(&ledger, &identity, |_| {}).await?;
    let quiet = link::sync_fully(&ledger, &identity, |_| {}).await?;
    Ok(NodeSync { first, changed, quiet })
}
