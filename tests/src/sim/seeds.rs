//! Many seeds, on a few threads.

use super::{Failure, Options, run};
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// What many seeds did together.
#[derive(Debug, Default)]
pub struct Summary {
    /// How many seeds.
    pub seeds: u64,
    /// How often each thing happened.
    pub counts: BTreeMap<&'static str, u64>,
}

/// Runs seeds until one fails. `on_seed` hears of each that held.
///
/// # Errors
/// The first seed that failed, the lowest of those that were found.
pub fn run_all(
    seeds: Range<u64>,
    threads: usize,
    options: Options,
    on_seed: impl Fn(u64) + Sync,
) -> Result<Summary, Box<Failure>> {
    let next = AtomicU64::new(seeds.start);
    let failed = AtomicBool::new(false);
    let summary = Mutex::new(Summary::default());
    let failures: Mutex<Vec<Box<Failure>>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while !failed.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    match run(seed, options) {
                        Ok(report) => {
                            let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
                            summary.seeds += 1;
                            for (what, count) in report.counts {
                                *summary.counts.entry(what).or_default() += count;
                            }
                            drop(summary);
                            on_seed(seed);
                        }
                        Err(failure) => {
                            failed.store(true, Ordering::Relaxed);
                            failures.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
                        }
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.sort_by_key(|failure| failure.seed);
    match failures.into_iter().next() {
        Some(first) => Err(first),
        None => Ok(summary.into_inner().unwrap_or_else(PoisonError::into_inner)),
    }
}
