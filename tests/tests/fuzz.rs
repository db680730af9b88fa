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

/// The names that a manifest lists under `[dependencies]`.
fn dependencies(manifest: &str) -> Vec<&str> {
    let listed = manifest.split("[dependencies]\n").nth(1).unwrap_or_default();
    let lines = listed.lines().take_while(|line| !line.starts_with('['));
    lines.filter_map(|line| line.split(['.', ' ', '=']).next().filter(|name| !name.is_empty())).collect()
}

#[test]
fn the_lock_file_of_the_targets_knows_what_they_are_built_of() {
    // They are a workspace of their own, which no other build touches.
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let lock = read("fuzz/Cargo.lock");
    for (name, manifest) in [("tests", "Cargo.toml"), ("hub", "../hub/Cargo.toml"), ("node", "../node/Cargo.toml")] {
        let section = lock.split("[[package]]").find(|one| one.contains(&format!("name = \"taizhang-{name}\"")));
        let section = section.unwrap();
        let named = read(manifest);
        let named = dependencies(&named);
        assert!(named.len() > 5, "{name}: {named:?}");
        let missing: Vec<_> = named.iter().filter(|one| !section.contains(&format!("\"{one}"))).collect();
        assert!(missing.is_empty(), "{name}: {missing:?}; `cargo update --workspace` in tests/fuzz");
    }
}
