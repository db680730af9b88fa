//! An office in nightly mode whose computer is off at night.

use crate::{
    clerk::{Book, Clerk, at_hub},
    town::{self, Town},
};
use std::{fs, sync::Arc};

#[test]
fn an_office_that_was_off_at_night_is_heard_once_it_is_on_and_once_more_before_it_goes_off() {
    town::runtime().block_on(async {
        let mut town = Town::found(1, "nightly").await;
        let file = town.offices[0].data.join("node.toml");
        let config = fs::read_to_string(&file).unwrap();
        assert!(config.contains("catch_up = 15"), "{config}");
        fs::write(&file, config.replace("catch_up = 15", "catch_up = 0")).unwrap();
        // Last night's slot was slept through: nobody has ever been heard here.
        town.offices[0].up().await;
        town.quiet(0).await;
        assert!(town.offices[0].status()["last_sync"].is_string(), "heard since it is on");

        // What is entered by day waits for the night, or for the end of the day at this computer.
        let book = Arc::new(Book::default());
        let mut clerk = Clerk::new(&town.offices[0].data, &book, 1);
        town::until("three entries are saved", async || {
            clerk.enter().await;
            (book.acknowledged() >= 3).then_some(())
        })
        .await;
        town.offices[0].stop().await;
        town.district.stop().await;
        book.compare(&at_hub(&town.district.data), "the district, once the computer is off");

        // Without a line it goes off all the same, and keeps what it has.
        town.offices[0].up().await;
        let before = book.acknowledged();
        town::until("one more is saved", async || {
            clerk.enter().await;
            (book.acknowledged() > before).then_some(())
        })
        .await;
        town.offices[0].stop().await;
        assert_ne!(town.offices[0].status()["pending"], 0);
        assert!(!town.errors().contains("panicked"), "{}", town.errors());
        town.city.stop().await;
    });
}
