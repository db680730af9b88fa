//! The district's process killed while its offices work and the city listens.

use crate::{
    clerk::{self, Book, Clerk},
    town::{self, Town, seeded},
};
use rand::RngExt;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use taizhang_proto::pb::Empty;

const ROUNDS: u64 = 50;
const OFFICES: usize = 3;

#[test]
fn a_district_killed_fifty_times_under_load_loses_nothing_and_adds_up() {
    let (seed, mut rng) = seeded("kill -9 of the district");
    town::runtime().block_on(async {
        let mut town = Town::found(OFFICES, "live").await;
        for office in &mut town.offices {
            office.up().await;
        }
        let book = Arc::new(Book::default());
        let stop = Arc::new(AtomicBool::new(false));
        let clerks: Vec<_> = (0..OFFICES)
            .map(|n| Clerk::new(&town.offices[n].data, &book, seed + n as u64).at_ease().work(&stop))
            .collect();
        let district = town.district.data.clone();
        let mut in_start = 0;
        let mut in_talk = 0;
        for round in 0..ROUNDS {
            town.district.kill();
            town.district.start();
            if rng.random_bool(0.2) {
                in_start += 1;
                tokio::time::sleep(Duration::from_millis(rng.random_range(0..200))).await;
                continue;
            }
            town.district.ready().await;
            if round % 2 == 0 {
                // Offices that lost the line come back after a second or so: wait until one does and is heard.
                let before = revision(&district).await.unwrap_or_default();
                town::until("an office is heard", async || (revision(&district).await? > before).then_some(())).await;
                in_talk += 1;
            }
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..150))).await;
        }
        let enough = book.acknowledged() + 20;
        town::until("work goes on", async || (book.acknowledged() >= enough).then_some(())).await;
        stop.store(true, Ordering::Relaxed);
        for clerk in clerks {
            clerk.await.unwrap();
        }
        town.district.ready().await;
        for office in 0..OFFICES {
            town.quiet(office).await;
        }
        let mut held = std::collections::HashMap::new();
        for office in &town.offices {
            assert_eq!(office.status()["refused"], 0);
            assert_eq!(office.incidents(), Vec::<String>::new());
            held.extend(clerk::at_office(&office.data).await);
        }
        book.compare(&held, "the offices");
        assert_eq!(held.len(), book.residents(), "no answer was lost: the offices were never stopped");
        let residents = town.adds_up().await;
        assert_eq!(residents, book.residents() as i64);
        let nodes = town.district.tz(&["--json", "nodes"]).exits(0).rows();
        for node in nodes.as_array().unwrap() {
            assert_eq!((&node["incidents"], &node["refused"]), (&0.into(), &0.into()), "{node}");
        }
        assert!(!town.errors().contains("panicked"), "{}", town.errors());
        book.nobody_in(&town.errors());
        town.district.stop().await;
        let at_hub = clerk::at_hub(&district);
        book.compare(&at_hub, "the district");
        assert_eq!(at_hub, held);
        println!(
            "district killed {ROUNDS} times ({in_start} while it started, {in_talk} with an office heard): {OFFICES} \
             offices, {} saves answered, {residents} residents at offices, district and city",
            book.acknowledged()
        );
    });
}

/// The district's revision, while it answers.
async fn revision(data: &std::path::Path) -> Option<u64> {
    let facts = town::admin(data).await?.status(Empty {}).await.ok()?.into_inner().facts;
    facts.into_iter().find(|fact| fact.key == "revision")?.value.parse().ok()
}
