//! What is known of this computer's clock. Invariant: how far it was off is believed only for a few minutes after a hub
//! said so, and not across a jump of the clock or a restart: a stale difference would date entries by a clock that is
//! right again.

use super::Clock;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use taizhang_proto::stamp;

/// How long a measured difference is believed, milliseconds.
const BELIEVED: u64 = 5 * 60 * 1000;
/// A clock that moved by more than this against the time since start was set, milliseconds.
pub const JUMP: u64 = 60 * 1000;

/// Whether a clock that read `before` and reads `now` was set in between, and by how much it moved ahead, milliseconds.
/// Each reading is of the clock and of the time since start.
pub fn jump(before: (u64, u64), now: (u64, u64)) -> Option<i64> {
    let clock = (now.0 as i64).wrapping_sub(before.0 as i64);
    let passed = (now.1 as i64).wrapping_sub(before.1 as i64);
    let moved = clock.saturating_sub(passed);
    (moved.unsigned_abs() > JUMP).then_some(moved)
}

/// Milliseconds since this process began to count, which nobody can set.
pub fn uptime() -> Clock {
    let start = Instant::now();
    Arc::new(move || start.elapsed().as_millis() as u64)
}

/// The clock and what is known of it.
pub(super) struct Time {
    clock: Clock,
    uptime: Clock,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The readings when it was last looked at.
    last: Option<(u64, u64)>,
    /// How far the clock was ahead of the hub's, and the readings then.
    measured: Option<(i64, (u64, u64))>,
    /// What was stamped before the clock was set, oldest first.
    past: Vec<Past>,
    /// The clock was set since the hub last greeted.
    moved: bool,
    /// The last change of an earlier run of the program: how its clock was then nobody knows.
    before: u64,
}

/// A time before the clock was set.
struct Past {
    /// Last change that was stamped by then.
    upto: u64,
    /// How far the clock was off, where a hub had said so.
    skew: Option<i64>,
    /// How far it was moved ahead at the end.
    jump: i64,
}

impl Time {
    pub(super) fn new(clock: Clock, uptime: Clock) -> Self {
        let known = Known { last: Some((clock(), uptime())), ..Known::default() };
        Self { clock, uptime, known: Mutex::new(known) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reading(&self) -> (u64, u64) {
        ((self.clock)(), (self.uptime)())
    }

    pub(super) fn now(&self) -> u64 {
        (self.clock)()
    }

    /// How far the clock is ahead of the hub's, as far as that is known now.
    pub(super) fn skew(&self) -> Option<i64> {
        let (skew, then) = self.known().measured?;
        let now = self.reading();
        (jump(then, now).is_none() && now.1.saturating_sub(then.1) <= BELIEVED).then_some(skew)
    }

    /// Takes note of what the hub's clock says.
    pub(super) fn measure(&self, hub: u64) -> i64 {
        let now = self.reading();
        let skew = (now.0 as i64).saturating_sub_unsigned(hub);
        self.known().measured = Some((skew, now));
        skew
    }

    /// The hub was told what this clock reads.
    pub(super) fn greeted(&self) {
        self.known().moved = false;
    }

    /// Looks whether the clock was set since the last look; changes up to `head` were stamped before that.
    pub(super) fn look(&self, head: u64) {
        let now = self.reading();
        let mut known = self.known();
        let jumped = known.last.and_then(|last| jump(last, now));
        known.last = Some(now);
        if let Some(jump) = jumped {
            tracing::warn!(seconds = jump / 1_000, "this computer's clock was set");
            let skew = known.measured.take().map(|(skew, _)| skew);
            known.past.push(Past { upto: head, skew, jump });
            known.moved = true;
        }
    }

    /// Whether the clock was set since the hub greeted.
    pub(super) fn has_moved(&self) -> bool {
        self.known().moved
    }

    /// The log was numbered anew or is answered for up to here.
    pub(super) fn forget_before(&self, settled: u64) {
        self.known().past.retain(|past| past.upto > settled);
    }

    /// What the changes from `seq` on were stamped by: the last change for which it holds, and how far the clock was off,
    /// where it was another one than now and that is known.
    pub(super) fn stamped(&self, seq: u64) -> Option<(u64, Option<i64>)> {
        let known = self.known();
        let place = known.past.iter().position(|past| seq <= past.upto)?;
        let mut skew = known.measured.map(|(skew, _)| skew);
        for past in known.past[place..].iter().rev() {
            // A clock that only moved ahead may have slept; one that was set back was wrong, or is now.
            skew = past.skew.or_else(|| skew.filter(|_| past.jump < 0).map(|skew| skew.saturating_sub(past.jump)));
        }
        Some((known.past[place].upto, skew))
    }

    /// The time by the hub's clock, as far as that is known now.
    pub(super) fn hub_millis(&self) -> Option<u64> {
        self.skew().map(|skew| self.now().saturating_add_signed(skew.saturating_neg()))
    }

    /// The log reached so far when this run began.
    pub(super) fn began(&self, head: u64) {
        self.known().before = head;
    }

    /// Whether this clock is off by more than is believed.
    pub(super) fn is_wrong(&self) -> bool {
        self.skew().is_some_and(|skew| stamp::distrusted_skew(skew) != 0)
    }

    /// Whether a change of an earlier run was stamped by a clock that was right, though this one is wrong: it lies between the
    /// last session (`synced`, by the hub's clock) and now, and set right by the difference of today it would not.
    pub(super) fn is_right(&self, seq: u64, stamp: u64, synced: u64) -> bool {
        let (Some(hub), Some(skew), before) = (self.hub_millis(), self.skew(), self.known().before) else {
            return false;
        };
        let is_possible = |millis: u64| (synced..=hub.saturating_add(stamp::MAX_AHEAD_MILLIS)).contains(&millis);
        let asked = self.is_wrong() && seq <= before && synced > 0;
        asked && is_possible(stamp) && !is_possible(stamp.saturating_add_signed(skew.saturating_neg()))
    }

    /// In how long the hub should be asked for its time again: a clock that is wrong is worked with only as long as the
    /// difference is fresh.
    pub(super) fn ask_again(&self) -> Option<Duration> {
        let (skew, then) = self.known().measured?;
        if stamp::distrusted_skew(skew) == 0 {
            return None;
        }
        let age = (self.uptime)().saturating_sub(then.1);
        Some(Duration::from_millis((BELIEVED / 5 * 4).saturating_sub(age).max(1_000)))
    }
}
