//! A district whose store is gone: it says so, its office tells it everything again, and nobody new is let in until somebody
//! has looked.

use crate::town::{self, Kind, Town, token, tz};
use std::fs;

#[test]
fn a_district_that_lost_its_store_says_so_and_is_told_everything_again() {
    town::runtime().block_on(async {
        let mut town = Town::found(2, "live").await;
        let roster = town.dir.path().join("roster.csv");
        fs::write(&roster, "姓名,身份证号,家庭住址\n赵秘密,210402197003010019,永安台街12号\n").unwrap();
        for office in &mut town.offices {
            office.up().await;
        }
        town.offices[0].tz(&["import", roster.to_str().unwrap()]).exits(0);
        town.quiet(0).await;
        let before = town.adds_up().await;
        assert_eq!(before, 1);
        town.offices[1].stop().await;
        let spare = token(&town.district, town::OFFICES[2], false);
        town.district.stop().await;
        fs::remove_dir_all(town.district.data.join("store")).unwrap();
        town.district.up().await;
        town::until("the office has told it again", async || {
            let audit = town.district.tz(&["--json", "audit"]).exits(0).json();
            let totals = audit["totals"].as_array()?.clone();
            totals.into_iter().find(|total| total["indicator"] == "K00" && total["numerator"] == 1).map(drop)
        })
        .await;
        town.quiet(0).await;
        assert_ne!(town.district.status()["older"], "", "it knows that it is older than its children");
        assert!(!town.district.incidents().is_empty(), "and says what befell the store");
        let fresh = town.dir.path().join("fresh");
        tz(Kind::Node, &fresh, &["init", "--unit", town::OFFICES[2]]).exits(0);
        assert_ne!(tz(Kind::Node, &fresh, &["enrol", &spare]).code, 0, "a token of before is not known any more");
        let key = token(&town.district, town::OFFICES[2], false);
        tz(Kind::Node, &fresh, &["enrol", &key]).exits(1).says(&["confirm"]);
        town.district.tz(&["confirm", "--by", "王科长"]).exits(0);
        tz(Kind::Node, &fresh, &["enrol", &key]).exits(0);
        assert!(!town.errors().contains("panicked"), "{}", town.errors());
        assert!(!town.errors().contains("赵秘密"), "no name in a log");
    });
}
