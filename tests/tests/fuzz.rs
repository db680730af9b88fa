//! The fuzz targets without a fuzzer: every seed of the repository, and mutations of it, on any toolchain. A machine with
//! nightly goes on from here (`tests/fuzz`).

#![allow(clippy::unwrap_used)]

use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::panic::{AssertUnwindSafe, catch_unwind};
use taizhang_tests::fuzz::{TARGETS, Target, mutate, seeds};

/// Mutations of all seeds of a target together; `TAIZHANG_FUZZ` sets another number.
const MUTATIONS: usize = 300;

fn target(name: &str) -> Target {
    *TARGETS.iter().find(|(known, _)| *known == name).unwrap()
}

/// Runs an input; one that fails is kept, so that it can become a seed.
fn play((name, run): Target, what: &str, data: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| run(data))).is_err() {
        let kept = std::env::temp_dir().join(format!("taizhang-fuzz-{name}"));
        std::fs::write(&kept, data).unwrap();
        panic!("{name}: {what} does not hold; the input is in {}", kept.display());
    }
}

/// Every seed, then mutations, always the same.
fn short_run(name: &str) {
    let target = target(name);
    let committed = seeds::committed(name).unwrap();
    assert!(!committed.is_empty());
    for (seed, data) in &committed {
        play(target, seed, data);
    }
    let mutations = std::env::var("TAIZHANG_FUZZ").ok().map_or(MUTATIONS, |number| number.parse().unwrap());
    let mut random = StdRng::seed_from_u64(1);
    for number in 0..mutations {
        let (seed, data) = &committed[random.random_range(0..committed.len())];
        let data = mutate::mutated(data, random.random());
        play(target, &format!("mutation {number}, of {seed}"), &data);
    }
}

macro_rules! short_runs {
    ($($test:ident: $target:literal,)*) => {
        $(#[test]
        fn $test() {
            short_run($target);
        })*
    };
}

short_runs! {
    a_hostile_push_leaves_a_hub_that_answers_counts_and_reads: "push",
    a_hostile_district_leaves_a_city_that_answers_and_counts: "district",
    a_hostile_greeting_is_answered_or_refused: "greeting",
    a_hostile_offer_leaves_a_hub_that_answers_counts_and_reads: "offer",
    a_hostile_token_or_request_enrols_nobody_else: "token",
    a_hostile_range_is_read_or_refused: "range",
    a_hostile_file_is_taken_or_refused_in_words: "import",
    a_hostile_hub_leaves_its_children_sound: "down",
}

/// Not a test: writes the seeds anew, beside those that crashed once.
/// `cargo test -p taizhang-tests --test fuzz -- --ignored`
#[test]
#[ignore = "writes into the repository"]
fn write_the_seeds_anew() {
    for (name, _) in TARGETS {
        let folder = seeds::folder(name);
        std::fs::create_dir_all(&folder).unwrap();
        for (seed, data) in seeds::fresh(name) {
            std::fs::write(folder.join(seed), data).unwrap();
        }
    }
}
