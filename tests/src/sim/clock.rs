//! Time: one for the world, and for each process a clock that is wrong by some amount of its own.

use rand::{RngExt, rngs::StdRng};
use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
};
use taizhang_node::ledger::Clock;

/// When the simulation begins, milliseconds since 1970.
const START: u64 = 1_790_000_000_000;
const MINUTE: i64 = 60_000;
const YEAR: i64 = 365 * 24 * 60 * MINUTE;

/// The world's time.
#[derive(Debug, Clone)]
pub(super) struct Time(Arc<AtomicU64>);

impl Time {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(START)))
    }

    pub(super) fn pass(&self, millis: u64) {
        self.0.fetch_add(millis, Ordering::Relaxed);
    }

    pub(super) fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A process's clock.
#[derive(Debug, Clone)]
pub(super) struct SimClock {
    time: Time,
    skew: Arc<AtomicI64>,
}

impl SimClock {
    pub(super) fn new(time: &Time, skew: i64) -> Self {
        Self { time: time.clone(), skew: Arc::new(AtomicI64::new(skew)) }
    }

    pub(super) fn now(&self) -> u64 {
        self.time.now().saturating_add_signed(self.skew.load(Ordering::Relaxed))
    }

    /// As the product takes it.
    pub(super) fn reading(&self) -> Clock {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }

    /// The time since start, as the product takes it: the world's, which nobody sets.
    pub(super) fn uptime(&self) -> Clock {
        let time = self.time.clone();
        Arc::new(move || time.now())
    }

    pub(super) fn set(&self, skew: i64) {
        self.skew.store(skew, Ordering::Relaxed);
    }
}

/// How wrong an office's clock is: mostly seconds, sometimes minutes, now and then years.
pub(super) fn skew(random: &mut StdRng) -> i64 {
    match random.random_range(0..10) {
        0..5 => random.random_range(-5_000..5_000),
        5..7 => random.random_range(-4 * MINUTE..4 * MINUTE),
        7..9 => random.random_range(-60 * MINUTE..60 * MINUTE),
        _ if random.random_bool(0.5) => random.random_range(YEAR..6 * YEAR),
        _ => -random.random_range(YEAR..6 * YEAR),
    }
}
