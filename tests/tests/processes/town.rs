//! A town of real processes: `tz hub …` and `tz node …` in data directories of their own, killed when dropped.
//! Invariant: nothing here sleeps for a fixed time where it can wait for a condition.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value as Json;
use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};
use taizhang_node::control::{self, ControlFile};
use taizhang_proto::pb::{Empty, admin_client::AdminClient, office_client::OfficeClient};
use tonic::transport::Channel;

pub const CITY: &str = "210400000000";
pub const DISTRICT: &str = "210402000000";
/// Two communities and their township, which covers both.
pub const OFFICES: [&str; 3] = ["210402001002", "210402001003", "210402001000"];
/// Longest wait for any condition: far more than a slow machine needs.
const PATIENCE: Duration = Duration::from_secs(90);

pub type Channels = Channel;

/// The seed of a test: random, or the one in `TAIZHANG_TEST_SEED`, so that a failing run can be repeated.
pub fn seeded(test: &str) -> (u64, StdRng) {
    let given = std::env::var("TAIZHANG_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| rand::rng().random_range(0..1_000_000));
    println!("{test}: seed {seed} (TAIZHANG_TEST_SEED={seed} repeats it)");
    (seed, StdRng::seed_from_u64(seed))
}

/// A runtime for the calls of one test.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Waits until `there` returns something.
pub async fn until<T>(what: &str, mut there: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = there().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// One of the two programs, in a data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Node,
    Hub,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Hub => "hub",
        }
    }
}

/// What a command answered.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Answer {
    /// Asserts the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    /// The one JSON value that was printed.
    #[track_caller]
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The rows of the one document that was printed.
    #[track_caller]
    pub fn rows(&self) -> Json {
        let document = self.json();
        assert!(document["at"].is_string(), "{document}");
        document["rows"].clone()
    }

    /// Asserts that both languages' words are in the error text.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.err.contains(word), "no {word:?} in {self:?}");
        }
        self
    }
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }
}

fn command(kind: Kind, data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tz"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TAIZHANG_")) {
        command.env_remove(name);
    }
    for locale in ["LANG", "LC_ALL", "LC_MESSAGES"] {
        command.env_remove(locale);
    }
    command.arg(kind.word()).arg("--dir").arg(data).args(arguments).stdin(Stdio::null());
    command
}

/// Runs one command to its end.
pub fn tz(kind: Kind, data: &Path, arguments: &[&str]) -> Answer {
    command(kind, data, arguments).output().unwrap().into()
}

/// Starts a command that goes on by itself, its output readable; killed when dropped.
pub fn tz_start(kind: Kind, data: &Path, arguments: &[&str]) -> Killed {
    Killed(command(kind, data, arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
}

/// A child process that does not outlive its owner.
pub struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A serving process, stopped or not, with its data directory and all it ever said.
pub struct Serving {
    kind: Kind,
    pub data: PathBuf,
    logs: PathBuf,
    runs: usize,
    arguments: Vec<&'static str>,
    child: Option<Killed>,
}

impl Serving {
    fn new(kind: Kind, data: PathBuf, logs: &Path, arguments: &[&'static str]) -> Self {
        let name = data.file_name().unwrap().to_string_lossy().into_owned();
        Self { kind, data, logs: logs.join(name), runs: 0, arguments: arguments.to_vec(), child: None }
    }

    /// A node in a directory that has been set up already.
    pub fn node(data: &Path, logs: &Path, arguments: &[&'static str]) -> Self {
        Self::new(Kind::Node, data.to_owned(), logs, arguments)
    }

    /// A hub in a directory that has been set up already.
    pub fn hub(data: &Path, logs: &Path, arguments: &[&'static str]) -> Self {
        Self::new(Kind::Hub, data.to_owned(), logs, arguments)
    }

    /// The process that runs.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").0.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let child = self.child.as_ref().expect("it runs");
        let sent = Command::new("kill").args(["-s", name, &child.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Stops it in the middle of what it does, and returns when no thread of it runs: the kernel
    /// tells the threads one after another, so on a busy machine some would still answer.
    pub fn freeze(&self) {
        self.signal("STOP");
        let tasks = PathBuf::from(format!("/proc/{}/task", self.pid()));
        let stopped = |task: &Path| {
            let stat = fs::read_to_string(task.join("stat")).unwrap_or_default();
            stat.is_empty() || stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
        };
        let end = Instant::now() + PATIENCE;
        while !fs::read_dir(&tasks).unwrap().all(|task| stopped(&task.unwrap().path())) {
            assert!(Instant::now() < end, "a thread goes on after STOP");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Starts `serve` and returns at once.
    pub fn start(&mut self) {
        assert!(self.child.is_none(), "{} runs already", self.data.display());
        self.runs += 1;
        let log = |ending: &str| {
            let path = self.logs.with_extension(format!("{}.{ending}", self.runs));
            File::create(path).unwrap()
        };
        let mut command = command(self.kind, &self.data, &self.arguments);
        command.stdout(log("out")).stderr(log("err"));
        self.child = Some(Killed(command.spawn().unwrap()));
    }

    fn said(&self, ending: &str) -> String {
        fs::read_to_string(self.logs.with_extension(format!("{}.{ending}", self.runs))).unwrap_or_default()
    }

    /// Everything that every run wrote to its error stream.
    pub fn errors(&self) -> String {
        let read = |run| fs::read_to_string(self.logs.with_extension(format!("{run}.err"))).unwrap_or_default();
        (1..=self.runs).map(read).collect()
    }

    /// Waits until the process says that it serves.
    pub async fn ready(&mut self) {
        let began = Instant::now();
        loop {
            if self.said("out").contains("taizhang-") {
                return;
            }
            let ended = self.child.as_mut().and_then(|child| child.0.try_wait().unwrap());
            assert!(ended.is_none(), "{} ended: {ended:?}\n{}", self.data.display(), self.said("err"));
            assert!(began.elapsed() < PATIENCE, "{} does not serve\n{}", self.data.display(), self.said("err"));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Starts and waits until it serves.
    pub async fn up(&mut self) {
        self.start();
        self.ready().await;
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        drop(self.child.take().expect("it runs"));
    }

    /// Asks it to stop, as a service manager does, and waits for the end.
    pub async fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let asked = Command::new("kill").arg(child.0.id().to_string()).status().unwrap();
        assert!(asked.success());
        let end = until("the process stops", async || child.0.try_wait().unwrap()).await;
        assert_eq!(end.code(), Some(0), "{}", self.said("err"));
    }

    /// A command to it.
    pub fn tz(&self, arguments: &[&str]) -> Answer {
        tz(self.kind, &self.data, arguments)
    }

    /// A fact of `status --json`.
    pub fn status(&self) -> Json {
        self.tz(&["--json", "status"]).exits(0).json()
    }

    /// The incidents that it logged.
    pub fn incidents(&self) -> Vec<String> {
        let lines = self.errors();
        let fields = lines.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
        fields.filter_map(|line| Some(line["fields"]["incident"].as_str()?.to_owned())).collect()
    }
}

/// The control socket of a running process in a data directory.
async fn channel(data: &Path) -> Option<Channels> {
    ControlFile::read(data)?.connect().await
}

/// The calls of a node, when it answers.
pub async fn office(data: &Path) -> Option<OfficeClient<Channels>> {
    let client = OfficeClient::new(channel(data).await?);
    Some(client.max_decoding_message_size(control::MAX_MESSAGE))
}

/// The calls of a hub, when it answers.
pub async fn admin(data: &Path) -> Option<AdminClient<Channels>> {
    Some(AdminClient::new(channel(data).await?).max_decoding_message_size(control::MAX_MESSAGE))
}

/// A fact of a running node; none while it does not answer.
pub async fn fact(data: &Path, key: &str) -> Option<String> {
    let answer = office(data).await?.status(Empty {}).await.ok()?.into_inner();
    answer.facts.into_iter().find(|fact| fact.key == key).map(|fact| fact.value)
}

/// A city, one district and some offices.
pub struct Town {
    pub dir: tempfile::TempDir,
    pub city: Serving,
    pub district: Serving,
    pub offices: Vec<Serving>,
}

impl Town {
    /// Sets up and starts the city and the district, enrols `offices` offices and leaves them stopped.
    pub async fn found(offices: usize, mode: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("logs");
        fs::create_dir(&logs).unwrap();
        let mut hubs = [(CITY, "city"), (DISTRICT, "district")].map(|(unit, tier)| {
            let data = dir.path().join(tier);
            let listen = format!("127.0.0.1:{}", free_port());
            let units = units();
            let set = ["init", "--unit", unit, "--tier", tier, "--listen", &listen, "--units", &units];
            tz(Kind::Hub, &data, &set).exits(0);
            Serving::new(Kind::Hub, data, &logs, &["serve"])
        });
        hubs[0].up().await;
        let key = token(&hubs[0], DISTRICT, true);
        hubs[1].tz(&["enrol", &key]).exits(0);
        hubs[1].up().await;
        let [city, district] = hubs;
        let mut town = Self { dir, city, district, offices: Vec::new() };
        for unit in &OFFICES[..offices] {
            let data = town.dir.path().join(unit);
            tz(Kind::Node, &data, &["init", "--unit", unit]).exits(0);
            let key = token(&town.district, unit, false);
            tz(Kind::Node, &data, &["enrol", &key]).exits(0);
            let arguments: &[&str] = if mode == "live" { &["serve", "--live"] } else { &["serve"] };
            town.offices.push(Serving::node(&data, &logs, arguments));
        }
        town
    }

    /// Waits until an office has nothing left to say and holds what the district holds.
    pub async fn quiet(&self, office: usize) {
        let data = &self.offices[office].data;
        until("the office is quiet", async || {
            let facts = [fact(data, "pending").await?, fact(data, "equal").await?];
            (facts == ["0", "true"]).then_some(())
        })
        .await;
    }

    /// `audit` and `verify` at the district and `audit` at the city print no difference; the city has the district's
    /// figures. Returns the residents on the register.
    pub async fn adds_up(&self) -> i64 {
        let residents = |audit: &Json| {
            let totals = audit["totals"].as_array().unwrap();
            totals.iter().find(|total| total["indicator"] == "K00").unwrap()["numerator"].as_i64().unwrap()
        };
        let audit = |hub: &Serving| {
            let audit = hub.tz(&["--json", "audit"]).exits(0).json();
            assert_eq!(audit["differences"], Json::Array(Vec::new()));
            audit
        };
        let district = audit(&self.district);
        self.district.tz(&["verify"]).exits(0);
        let want = residents(&district);
        until("the city has the district's figures", async || (residents(&audit(&self.city)) == want).then_some(()))
            .await;
        // At the city the districts without a hub count by the tree, where units are counted.
        let by_tree = ["K01", "K14", "K15", "K18", "K19", "K20", "K23a", "K23b"];
        let figures = |audit: &Json| -> Vec<Json> {
            let totals = audit["totals"].as_array().unwrap().iter();
            totals.filter(|total| !by_tree.iter().any(|code| total["indicator"] == *code)).cloned().collect()
        };
        assert_eq!(figures(&district), figures(&audit(&self.city)));
        for offices in &self.offices {
            offices.tz(&["verify"]).exits(0);
        }
        want
    }

    /// Everything that any process wrote to its error stream.
    pub fn errors(&self) -> String {
        let offices: String = self.offices.iter().map(Serving::errors).collect();
        self.city.errors() + &self.district.errors() + &offices
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.dir.disable_cleanup(true);
            println!("kept: {}", self.dir.path().display());
        }
    }
}

/// A one-time token of a running hub.
pub fn token(hub: &Serving, unit: &str, is_hub: bool) -> String {
    let mut arguments = vec!["token", "--unit", unit];
    if is_hub {
        // One that a test makes for a district that has a hub is meant.
        arguments.extend(["--hub", "--again"]);
    }
    hub.tz(&arguments).exits(0).out.trim().to_owned()
}

/// The tree of units of the test data.
pub fn units() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/data/fushun-units.csv").to_owned()
}

/// A port that nothing listens on, outside the range from which the system gives ports of its own accord: a hub that
/// is down for a moment must find its port free again.
pub fn free_port() -> u16 {
    loop {
        let port = rand::rng().random_range(20_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
