//! A hub whose store is gone. A district says so, its office tells it everything again, and nobody new is let in until somebody
//! has looked. A city has its tree of units beside its authority, and the rest from its districts.

use crate::{
    clerk::{Book, Clerk},
    town::{self, Kind, Town, token, tz},
};
use std::{fs, sync::Arc};

#[test]
fn a_district_that_lost_its_store_says_so_and_is_told_everything_again() {
    town::runtime().block_on(async {
        let mut town = Town::found(2, "live").await;
        let book = Arc::new(Book::default());
        for office in &mut town.offices {
            office.up().await;
        }
        town.quiet(0).await;
        let mut clerk = Clerk::new(&town.offices[0].data, &book, 1);
        town::until("five entries are saved", async || {
            clerk.enter().await;
            (book.acknowledged() >= 5).then_some(())
        })
        .await;
        town.quiet(0).await;
        let before = town.adds_up().await;
        assert_eq!(before, book.residents() as i64);
        town.offices[1].stop().await;
        let spare = token(&town.district, town::OFFICES[2], false);
        town.district.stop().await;
        fs::remove_dir_all(town.district.data.join("store")).unwrap();
        town.district.up().await;
        town::until("the office has told it again", async || {
            let audit = town.district.tz(&["--json", "audit"]).exits(0).json();
            let totals = audit["totals"].as_array()?.clone();
            totals.into_iter().find(|total| total["indicator"] == "K00" && total["numerator"] == before).map(drop)
        })
        .await;
        town.quiet(0).await;
        assert!(town.district.status()["older"].is_string(), "it knows that it is older than its children");
        assert!(!town.district.incidents().is_empty(), "and says what befell the store");
        let fresh = town.dir.path().join("fresh");
        tz(Kind::Node, &fresh, &["init", "--unit", town::OFFICES[2]]).exits(0);
        assert_ne!(tz(Kind::Node, &fresh, &["enrol", &spare]).code, 0, "a token of before is not known any more");
        let key = token(&town.district, town::OFFICES[2], false);
        tz(Kind::Node, &fresh, &["enrol", &key]).exits(1).says(&["confirm"]);
        town.district.tz(&["confirm", "--by", "王科长"]).exits(0);
        tz(Kind::Node, &fresh, &["enrol", &key]).exits(0);
        assert!(!town.errors().contains("panicked"), "{}", town.errors());
        book.nobody_in(&town.errors());
    });
}

#[test]
fn a_city_that_lost_its_store_has_its_tree_and_its_figures_again() {
    town::runtime().block_on(async {
        let mut town = Town::found(1, "live").await;
        let book = Arc::new(Book::default());
        town.offices[0].up().await;
        town.quiet(0).await;
        let mut clerk = Clerk::new(&town.offices[0].data, &book, 1);
        town::until("three entries are saved", async || {
            clerk.enter().await;
            (book.acknowledged() >= 3).then_some(())
        })
        .await;
        town.quiet(0).await;
        let before = town.adds_up().await;
        town.city.stop().await;
        fs::remove_dir_all(town.city.data.join("store")).unwrap();
        town.city.up().await;
        assert_eq!(town.adds_up().await, before, "its district has told it again");
        let status = town.city.status();
        assert_ne!(status["unit"]["label"], status["unit"]["code"], "it knows its own name: {}", status["unit"]);
        assert!(status["older"].is_string(), "it knows that it has lost something");
        let below = town.city.tz(&["totals", "--children", "--indicator", "K00"]).exits(0);
        assert!(below.out.contains("新抚区"), "names are there again: {}", below.out);
        assert!(!town.errors().contains("panicked"), "{}", town.errors());
    });
}
