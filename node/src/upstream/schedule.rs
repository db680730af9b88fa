//! When a node calls: nightly at its own slot in a window, or live; and how it tries again.

use super::{Replica, link, night::Night};
use crate::{
    disk::{self, Secrecy},
    identity::Identity,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use taizhang_proto::{date::SHANGHAI, pb, session::slot_in_window};
use tokio::sync::{Notify, watch};

/// How a replica keeps in touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Once a night.
    Nightly,
    /// All the time.
    Live,
}

/// The schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Nightly or live.
    pub mode: Mode,
    /// The window opens: seconds after midnight in Shanghai.
    pub opens: u64,
    /// How long it stays open, seconds.
    pub window: u64,
    /// Within how long a slot that was slept through is made up for, seconds.
    pub catch_up: u64,
}

/// How often a node in nightly mode looks at the clock: a computer that was asleep notices it by then.
const TICK: Duration = Duration::from_secs(60);
/// How long a process that is asked to end still tries to say what it holds.
const LAST_TRY: Duration = Duration::from_secs(10);
/// First pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How often a live session is asked whether it has said everything.
const LIVE_POLL: Duration = Duration::from_millis(20);
/// Longest pause between two calls that failed, what they waited among it: a hub that is back is found within two
/// minutes.
const LONGEST_PAUSE: Duration = Duration::from_secs(90);
/// Longest time for which a hub may ask a child to stay away.
const LONGEST_ASKED: Duration = Duration::from_secs(300);

/// The pause after the `failures`-th failure in a row: doubling, with half of it at random.
pub fn pause_after(failures: u32, random: f64) -> Duration {
    let full = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
    full.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
}

/// Seconds from `now` (seconds since 1970) until this identity's next slot.
pub fn until_slot(schedule: Schedule, identity: &str, now: u64) -> u64 {
    const DAY: u64 = 86_400;
    let slot = (schedule.opens + slot_in_window(identity, schedule.window)) % DAY;
    let of_day = (now + SHANGHAI) % DAY;
    (slot + DAY - of_day) % DAY
}

/// The identity's last slot up to `now`, seconds since 1970.
pub fn last_slot(schedule: Schedule, identity: &str, now: u64) -> u64 {
    let until = until_slot(schedule, identity, now);
    if until == 0 { now } else { (now + until).saturating_sub(86_400) }
}

/// What the link is doing, for status pages.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LinkState {
    /// A live session is open.
    pub connected: bool,
    /// The last thing that went wrong.
    pub last_error: String,
    /// When that was, seconds since 1970.
    pub failed_at: u64,
    /// Failures in a row.
    pub failures: u32,
    /// Since when it waits for the hub, seconds since 1970; none while it waits for nothing.
    pub waiting_since: Option<u64>,
    /// The last report.
    pub report: pb::SyncReport,
}

impl LinkState {
    fn failed(&mut self, error: &link::LinkError) {
        self.last_error = error.to_string();
        self.failed_at = now();
    }

    /// As the last process left it.
    fn remembered(file: &Path) -> Self {
        let kept = disk::read_text(file, MAX_MEMORY).ok();
        let kept: Option<Remembered> = kept.and_then(|text| serde_json::from_str(&text).ok());
        kept.map(|kept| Self { last_error: kept.error, failed_at: kept.at, ..Self::default() }).unwrap_or_default()
    }

    /// What goes wrong and since when the hub is waited for, in words.
    pub fn words(&self, time: impl Fn(u64) -> String) -> (String, String) {
        let waits = self
            .waiting_since
            .map(|since| format!("自本机时间 {} 起 (since then, by this computer's clock)", time(since)))
            .unwrap_or_default();
        // By this computer's clock, which may be what is wrong.
        let failed = (!self.last_error.is_empty())
            .then(|| format!("本机时间 (by this computer's clock) {} {}", time(self.failed_at), self.last_error));
        (waits, failed.unwrap_or_default())
    }
}

/// What outlives the process: a command that syncs once and fails must not be forgotten by the next that asks.
#[derive(Serialize, Deserialize)]
struct Remembered {
    error: String,
    at: u64,
}

/// The file in the data directory that holds it.
const MEMORY: &str = "last-error.json";
/// Largest such file, bytes.
const MAX_MEMORY: u64 = 64 * 1024;

fn now() -> u64 {
    jiff::Timestamp::now().as_second().max(0) as u64
}

/// Keeps a replica in touch with its hub until the process ends.
pub struct Keeper<R: ?Sized> {
    replica: Arc<R>,
    identity: Identity,
    schedule: Schedule,
    state: Mutex<LinkState>,
    memory: PathBuf,
    one_session: tokio::sync::Mutex<()>,
    /// Somebody asks for a session now: a live one makes way for it.
    asked: Notify,
}

impl<R: Replica + ?Sized> Keeper<R> {
    /// A keeper; [`Keeper::run`] does the work.
    pub fn new(replica: Arc<R>, identity: Identity, schedule: Schedule) -> Arc<Self> {
        let memory = identity.data_dir().join(MEMORY);
        let state = Mutex::new(LinkState::remembered(&memory));
        Arc::new(Self {
            replica,
            identity,
            schedule,
            state,
            memory,
            one_session: tokio::sync::Mutex::default(),
            asked: Notify::new(),
        })
    }

    /// What the link is doing.
    pub fn state(&self) -> LinkState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, change: impl FnOnce(&mut LinkState)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = state.last_error.clone();
        change(&mut state);
        if state.last_error != before {
            self.remember(&state);
        }
    }

    /// Writes down what went wrong, or that it goes well again. Best effort: it is told to people and decides nothing.
    fn remember(&self, state: &LinkState) {
        let outcome = if state.last_error.is_empty() {
            disk::remove(&self.memory)
        } else {
            let kept = Remembered { error: state.last_error.clone(), at: state.failed_at };
            disk::write_file(&self.memory, serde_json::json!(kept).to_string().as_bytes(), Secrecy::OwnerOnly)
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "what went wrong on the line can't be kept");
        }
    }

    /// Syncs once now, beside the schedule: the hub has answered when this returns. A live session says first what it has to
    /// say, and what became of that is in the report.
    ///
    /// # Errors
    /// When the session breaks, or a live one gets on with nothing for as long as the hub is waited for.
    pub async fn sync_now(&self) -> Result<pb::SyncReport, link::LinkError> {
        let mut stalled = Stalled::default();
        let mut said = pb::SyncReport::default();
        let mut lock = std::pin::pin!(self.one_session.lock());
        let _one = loop {
            let state = self.state();
            if state.connected {
                // The live session holds the lock for as long as it lives; its own limits end it when it hangs.
                if self.replica.pending() == 0 {
                    self.asked.notify_waiters();
                } else {
                    stalled.look(self.replica.pending(), state.report.pulled, &self.identity)?;
                }
                said = state.report;
            }
            tokio::select! {
                one = &mut lock => break one,
                () = tokio::time::sleep(LIVE_POLL) => {}
            }
        };
        let outcome = link::sync_fully(&self.replica, &self.identity, |step| self.waits(&step)).await;
        self.note(|state| state.waiting_since = None);
        let mut report = outcome.inspect_err(|error| self.note(|state| state.failed(error)))?;
        self.note(|state| {
            state.report = report.clone();
            state.last_error.clear();
        });
        for (now, before) in [
            (&mut report.pushed, said.pushed),
            (&mut report.accepted, said.accepted),
            (&mut report.settled, said.settled),
            (&mut report.refused, said.refused),
            (&mut report.pulled, said.pulled),
            (&mut report.repaired, said.repaired),
        ] {
            *now = now.saturating_add(before);
        }
        Ok(report)
    }

    fn waits(&self, step: &link::Step<'_>) {
        match step {
            link::Step::Waits => self.note(|state| state.waiting_since = Some(now())),
            link::Step::Waited => self.note(|state| state.waiting_since = None),
            link::Step::Moved(report) => self.note(|state| state.report = (*report).clone()),
        }
    }

    /// Runs until `stop` turns true.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let id = self.identity.name.id.clone();
        let mut failures = 0_u32;
        let mut night = Night::default();
        // The last call that went well, by both clocks: the replica may not say that it was heard.
        let (mut called_at, mut rested) = (0, TICK);
        let mut asked = Duration::ZERO; // when the hub said to come back
        let mut spent = Duration::ZERO; // what the last call took
        loop {
            let is_time = match (self.schedule.mode, failures) {
                (Mode::Nightly, 0) => {
                    let (now, slot) = (now(), last_slot(self.schedule, &id, now()));
                    let heard = Some(self.replica.last_heard()).filter(|heard| *heard <= now || called_at == 0);
                    let heard = heard.unwrap_or_default().max(called_at);
                    night.is_time(slot, (now, heard), self.schedule.catch_up, || rand::rng().random())
                }
                _ => true,
            };
            let pause = match failures {
                0 if is_time && self.schedule.mode == Mode::Live => Duration::ZERO,
                0 if is_time => TICK.saturating_sub(rested),
                0 => TICK,
                failures => {
                    let pause = pause_after(failures, rand::rng().random());
                    pause.saturating_sub(spent).max(FIRST_PAUSE / 2).max(asked)
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.changed() => return self.last_try().await,
            }
            rested = rested.saturating_add(pause);
            if !is_time {
                continue;
            }
            let called = tokio::time::Instant::now();
            let outcome = tokio::select! {
                outcome = self.session() => outcome,
                _ = stop.changed() => return self.last_try().await,
            };
            spent = called.elapsed();
            match outcome {
                Ok(()) => {
                    failures = 0;
                    (called_at, rested) = (now(), Duration::ZERO);
                }
                Err(error) => {
                    // A session that was heard began the count anew: a line that breaks now and then is not down.
                    failures = self.state().failures + 1;
                    asked = error.retry_after().unwrap_or_default().min(LONGEST_ASKED);
                    tracing::info!(%error, failures, "session ended; it will be tried again");
                    self.note(|state| {
                        state.failed(&error);
                        state.failures = failures;
                    });
                }
            }
        }
    }

    /// Before the process ends: what was saved and not said yet is said, if the hub answers soon.
    async fn last_try(&self) {
        self.note(|state| state.connected = false);
        if self.replica.pending() == 0 {
            return;
        }
        tracing::info!("one last session before the end");
        let session = link::sync_fully(&self.replica, &self.identity, |step| self.waits(&step));
        match tokio::time::timeout(LAST_TRY, session).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::info!(%error, "what is left is said at the next start"),
            Err(_) => tracing::info!("the hub does not answer in time; what is left is said at the next start"),
        }
    }

    async fn session(&self) -> Result<(), link::LinkError> {
        let _one = self.one_session.lock().await;
        let outcome = match self.schedule.mode {
            Mode::Nightly => link::sync_fully(&self.replica, &self.identity, |step| self.waits(&step)).await,
            Mode::Live => {
                let told = |step: link::Step<'_>| {
                    self.waits(&step);
                    let link::Step::Moved(report) = step else { return };
                    let report = report.clone();
                    self.note(|state| {
                        state.connected = true;
                        state.last_error.clear();
                        if report.ok {
                            state.failures = 0; // everything was said, not merely greeted
                        }
                        state.report = report;
                    });
                };
                link::run(&self.replica, &self.identity, true, self.asked.notified(), told).await
            }
        };
        self.note(|state| {
            state.connected = false;
            state.waiting_since = None;
        });
        let report = outcome?;
        self.note(|state| {
            state.report = report;
            state.failures = 0;
            state.last_error.clear();
        });
        Ok(())
    }
}

/// Sees that something gets on.
#[derive(Default)]
struct Stalled {
    last: Option<((u64, u64), tokio::time::Instant)>,
}

impl Stalled {
    fn look(&mut self, pending: u64, pulled: u64, identity: &Identity) -> Result<(), link::LinkError> {
        let now = tokio::time::Instant::now();
        match &self.last {
            Some((seen, since)) if *seen == (pending, pulled) => {
                if now.duration_since(*since) > identity.timeouts.answer {
                    return Err(link::LinkError::Stalled { pending });
                }
            }
            _ => self.last = Some(((pending, pulled), now)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_differ() {
        assert_eq!(pause_after(1, 1.0), Duration::from_secs(1));
        assert_eq!(pause_after(3, 1.0), Duration::from_secs(4));
        assert_eq!(pause_after(3, 0.0), Duration::from_secs(2));
        assert_eq!(pause_after(40, 1.0), LONGEST_PAUSE);
    }

    #[test]
    fn the_slot_is_the_same_every_night() {
        let schedule = Schedule { mode: Mode::Nightly, opens: 23 * 3_600, window: 7_200, catch_up: 900 };
        let first = until_slot(schedule, "n1", 1_000_000);
        assert_eq!(until_slot(schedule, "n1", 1_000_000 + first), 0);
        assert_eq!(until_slot(schedule, "n1", 1_000_000 + first + 1), 86_399);
        assert_ne!(until_slot(schedule, "n1", 0), until_slot(schedule, "n2", 0));
    }
}
