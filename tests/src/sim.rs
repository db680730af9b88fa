//! A simulated city: real ledgers and real hub cores, with everything between and around them (network, clocks, disks,
//! crashes, clerks, reviewers) made up from one seed. One thread, no real time, no sockets.
//! Invariant: the seed decides every step, so a failing seed fails again; no decision here depends on a hash map or on
//! the random ids that the product makes.
//!
//! To add something that happens: a function on the world and a line in `actions.rs`. To add something that must hold:
//! `checks.rs`.

mod actions;
mod backups;
mod checks;
mod clerk;
mod clock;
mod copy;
pub use copy::copy as copy_dir;
mod crash;
mod forms;
mod mem_store;
mod model;
mod network;
mod papers;
mod people;
mod process;
mod quiet;
mod reviewer;
pub mod seeds;
mod session;
mod tell;
mod world;

pub use mem_store::{Fate, MemStore, Tables};
pub(crate) use papers::of as papers_of;
pub use world::{Options, Report, run};

/// A seed that failed: what did not hold, and how it came to that.
#[derive(Debug, thiserror::Error)]
#[error(
    "seed {seed}, step {step}: {what}\nreplay: cargo run --release --bin simulate -- --seed {seed}{}",
    if options.restores_and_moves { " --restores-and-moves" } else { "" }
)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The step after which it was found.
    pub step: usize,
    /// What did not hold.
    pub what: String,
    /// Every step up to there.
    pub trace: Vec<String>,
    /// What the seed was allowed to do.
    pub options: Options,
}
