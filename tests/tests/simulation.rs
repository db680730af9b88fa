//! Real offices and hubs in a simulated city: many seeds, each with clerks, reviewers, crashes, broken sessions,
//! restored backups and wrong clocks. `TAIZHANG_SEED=n` replays one seed, `TAIZHANG_SEEDS=a..b` runs others.

use std::time::Instant;
use taizhang_tests::sim::{Options, run, seeds::run_all};

/// Seeds of an ordinary run.
const SEEDS: u64 = 500;
/// Run at a time.
const THREADS: usize = 2;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_fails_nothing_is_lost_and_nothing_counts_twice() {
    if let Some(seed) = number("TAIZHANG_SEED") {
        match run(seed, Options::default()) {
            Ok(report) => println!("{}", report.trace.join("\n")),
            Err(failure) => panic!("{}\n{failure}", failure.trace.join("\n")),
        }
        return;
    }
    let seeds = std::env::var("TAIZHANG_SEEDS").ok();
    let asked = seeds.as_deref().and_then(|text| text.split_once(".."));
    let asked = asked.and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    let started = Instant::now();
    match run_all(asked.unwrap_or(0..SEEDS), THREADS, Options::default(), |_| {}) {
        Ok(summary) => {
            println!("{} seeds in {:.1} s: {:?}", summary.seeds, started.elapsed().as_secs_f64(), summary.counts);
        }
        Err(failure) => {
            let from = failure.trace.len().saturating_sub(40);
            panic!("{}\n{failure}", failure.trace[from..].join("\n"));
        }
    }
}

/// Seeds of many restores and moves that found a fault, of the product or of the model, on some build (`tests/FAULTS.md`).
const FAILED_ONCE: [u64; 28] = [
    1_084, 3_475, 307_436, 310_670, 313_576, 313_856, 316_639, 321_199, 324_144, 347_666, 368_222, 400_285, 405_822,
    409_023, 615_787, 623_235, 631_186, 653_777, 739_720, 742_504, 749_499, 758_926, 767_970, 772_702, 773_014,
    779_061, 8_000_130, 13_002_089,
];

/// Runs a seed, which prints its steps where it fails.
fn holds(seed: u64, options: Options) {
    if let Err(failure) = run(seed, options) {
        panic!("{}\n{failure}", failure.trace.join("\n"));
    }
}

#[test]
fn seeds_that_failed_once_hold() {
    for seed in FAILED_ONCE {
        let options = Options { restores_and_moves: true, ..Options::default() };
        holds(seed, options);
    }
}

/// The seed of ordinary faults by which a value was first lost.
#[test]
fn the_first_seed_that_lost_a_value_holds_with_audits_and_without() {
    for audit_commits in [false, true] {
        let options = Options { audit_commits, ..Options::default() };
        holds(9_309_403, options);
    }
}

/// A district's marks were on their way while it greeted anew, and came behind those that it said then.
#[test]
fn what_an_overtaken_session_of_a_district_says_marks_nobody() {
    let options = Options { audit_commits: true, ..Options::default() };
    holds(16_010_499, options);
}

/// A job moved away with its person while its office waited for the verdict on it, which came in a later session.
#[test]
fn a_verdict_of_a_later_session_brings_nothing_back_that_has_left() {
    holds(15_107_240, Options::default());
}

/// A registration was merged into another while it had a job and its number a third registration.
#[test]
fn who_is_merged_while_employed_is_counted_as_a_recount_does() {
    let options = Options { audit_commits: true, ..Options::default() };
    holds(16_003_457, options);
}

#[test]
fn a_seed_goes_the_same_way_again() {
    for seed in 0..3 {
        let [first, second] = [(); 2].map(|()| run(seed, Options::default()));
        let trace = |ran: Result<taizhang_tests::sim::Report, Box<taizhang_tests::sim::Failure>>| {
            ran.map_or_else(|failure| failure.trace, |report| report.trace)
        };
        let (first, second) = (trace(first), trace(second));
        let differing = first.iter().zip(&second).position(|(one, other)| one != other);
        assert_eq!(differing.map(|place| (&first[place], &second[place])), None, "seed {seed}");
        assert_eq!(first.len(), second.len(), "seed {seed}");
    }
}
