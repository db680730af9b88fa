//! An office's process killed in the middle of its work.

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

const ROUNDS: u64 = 50;

#[test]
fn an_office_killed_fifty_times_under_load_loses_nothing_that_it_answered_for() {
    let (seed, mut rng) = seeded("kill -9 of the office");
    town::runtime().block_on(async {
        let mut town = Town::found(1, "live").await;
        let data = town.offices[0].data.clone();
        let book = Arc::new(Book::default());
        let stop = Arc::new(AtomicBool::new(false));
        let clerks = [0, 1].map(|n| Clerk::new(&data, &book, seed + n).work(&stop));
        let mut in_start = 0;
        for _ in 0..ROUNDS {
            town.offices[0].start();
            if rng.random_bool(0.2) {
                // A random moment, not a wait: some fall into opening, replaying and greeting.
                in_start += 1;
                tokio::time::sleep(Duration::from_millis(rng.random_range(0..150))).await;
            } else {
                let enough = book.acknowledged() + rng.random_range(1..40);
                town::until("the clerks get answers", async || (book.acknowledged() >= enough).then_some(())).await;
                tokio::time::sleep(Duration::from_micros(rng.random_range(0..8_000))).await;
            }
            town.offices[0].kill();
        }
        town.offices[0].up().await;
        let enough = book.acknowledged() + 5;
        town::until("work goes on", async || (book.acknowledged() >= enough).then_some(())).await;
        stop.store(true, Ordering::Relaxed);
        for clerk in clerks {
            clerk.await.unwrap();
        }
        town.quiet(0).await;
        let status = town.offices[0].status();
        assert_eq!(
            (&status["equal"], &status["pending"], &status["refused"]),
            (&true.into(), &0.into(), &0.into())
        );
        let held = clerk::at_office(&data).await;
        book.compare(&held, "the office");
        let residents = town.adds_up().await;
        assert_eq!(residents, held.len() as i64);

        let incidents = town.offices[0].incidents();
        // A kill while sled writes its snapshot may cost the store, which journal and hub give back.
        for incident in &incidents {
            let known = ["unfinished end of a journal segment", "the store was set aside"];
            assert!(known.iter().any(|known| incident.contains(known)), "{incident}");
        }
        assert!(!town.errors().contains("panicked"), "{}", town.errors());
        book.nobody_in(&town.errors());
        town.offices[0].stop().await;
        town.district.stop().await;
        book.compare(&clerk::at_hub(&town.district.data), "the district");
        println!(
            "office killed {ROUNDS} times ({in_start} while it started): {} saves answered, {} residents, {} torn ends or stores rebuilt",
            book.acknowledged(),
            book.residents(),
            incidents.len()
        );
    });
}
