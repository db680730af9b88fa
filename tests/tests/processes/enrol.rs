//! Enrolment ends with a first session, and no directory becomes another unit's by accident.

use crate::{
    clerk::{Book, Clerk, at_office},
    town::{self, Kind, OFFICES, Town, token, tz},
};
use std::{fs, path::Path, sync::Arc};

/// A roster whose rows name their unit as people do.
fn roster(at: &Path) -> std::path::PathBuf {
    let path = at.join("求职登记.csv");
    let id = |nth: usize| taizhang_tests::books::id_no(3_000 + 40, nth);
    let heading = "姓名,身份证号,联系电话,社区".to_owned();
    let rows = (1..=20).map(|nth| format!("张{nth},{},1384130{nth:04},东八路社区", id(nth)));
    fs::write(&path, std::iter::once(heading).chain(rows).collect::<Vec<_>>().join("\n")).unwrap();
    path
}

#[test]
fn whoever_was_just_enrolled_can_import_at_once() {
    town::runtime().block_on(async {
        let mut town = Town::found(0, "nightly").await;
        let data = town.dir.path().join("fresh");
        let units = town.district.tz(&["--json", "nodes"]).exits(0);
        assert!(!units.out.is_empty());
        tz(Kind::Node, &data, &["init", "--unit", OFFICES[0]]).exits(0);
        let key = token(&town.district, OFFICES[0], false);
        let said = tz(Kind::Node, &data, &["enrol", &key]).exits(0);
        println!("{}", said.out);
        assert!(said.out.contains("首次同步完成"), "{}", said.out);
        let status = tz(Kind::Node, &data, &["--json", "status"]).exits(0).json();
        assert_ne!(status["unit"]["label"], status["unit"]["code"], "it knows its own name: {status}");
        let imported = tz(Kind::Node, &data, &["import", roster(town.dir.path()).to_str().unwrap()]);
        println!("{}{}", imported.out, imported.err);
        assert_eq!(imported.code, 0, "{imported:?}");
        tz(Kind::Node, &data, &["sync"]).exits(0);
        let counted = town.district.tz(&["--json", "audit"]).exits(0).json();
        let people = counted["totals"].as_array().unwrap().iter().find(|one| one["indicator"] == "K00").unwrap();
        assert_eq!(people["numerator"], 20);

        // Where the tree is lost and the hub is away, it says so before it reads the file, and waits if it is asked to.
        town.district.stop().await;
        fs::remove_dir_all(data.join("store")).unwrap();
        let file = roster(town.dir.path());
        let file = file.to_str().unwrap();
        tz(Kind::Node, &data, &["import", file]).exits(1).says(&["单位树", "--wait"]);
        let mut waits = town::tz_start(Kind::Node, &data, &["import", "--wait", file]);
        town.district.up().await;
        let code = town::until("the import goes on", async || waits.0.try_wait().unwrap()).await;
        assert_eq!(code.code(), Some(0));
        town.district.stop().await;
        town.city.stop().await;
    });
}

#[test]
fn a_directory_is_another_units_only_when_that_is_asked_for_and_nothing_waits_in_it() {
    town::runtime().block_on(async {
        let mut town = Town::found(1, "nightly").await;
        let data = town.offices[0].data.clone();
        town.offices[0].up().await;
        let book = Arc::new(Book::default());
        let mut clerk = Clerk::new(&data, &book, 1);
        town.district.stop().await;
        town::until("two entries are saved", async || {
            clerk.enter().await;
            (book.acknowledged() >= 2).then_some(())
        })
        .await;
        town.offices[0].stop().await;
        town.district.up().await;
        let other = token(&town.district, OFFICES[1], false);
        // What was saved waits for the hub: not even on request.
        for arguments in [&["enrol", &other][..], &["enrol", "--replace", &other]] {
            tz(Kind::Node, &data, arguments).exits(1).says(&["待上报", OFFICES[0], OFFICES[1]]);
        }
        tz(Kind::Node, &data, &["sync"]).exits(0);
        tz(Kind::Node, &data, &["enrol", &other]).exits(1).says(&["--replace"]);
        // A token that is good for nothing costs nobody a directory.
        let used = token(&town.district, OFFICES[1], false);
        let elsewhere = town.dir.path().join("elsewhere");
        tz(Kind::Node, &elsewhere, &["enrol", &used]).exits(0);
        assert_ne!(tz(Kind::Node, &data, &["enrol", "--replace", &used]).code, 0);
        // Nothing was touched, and the token still is good.
        town.offices[0].up().await;
        book.compare(&at_office(&data).await, "the office");
        town.offices[0].stop().await;
        let said = tz(Kind::Node, &data, &["enrol", "--replace", &other]).exits(0);
        println!("{}", said.out);
        assert!(said.out.contains("首次同步完成"), "{}", said.out);
        let aside: Vec<_> = fs::read_dir(town.dir.path()).unwrap().flatten().map(|entry| entry.path()).collect();
        let aside = aside.iter().find(|path| path.to_string_lossy().contains(&format!("{}.", OFFICES[0]))).unwrap();
        tz(Kind::Node, aside, &["verify"]).exits(0);
        let status = tz(Kind::Node, &data, &["--json", "status"]).exits(0).json();
        assert_eq!(status["unit"]["code"], OFFICES[1], "{status}");
        assert!(!town.errors().contains("panicked"), "{}", town.errors());
        town.district.stop().await;
        town.city.stop().await;
    });
}

#[test]
fn an_office_that_is_enrolled_anew_where_it_is_makes_no_hub_older_than_its_children() {
    town::runtime().block_on(async {
        let mut town = Town::found(1, "nightly").await;
        let data = town.offices[0].data.clone();
        tz(Kind::Node, &data, &["save", "Household", "hh_no=户1"]).exits(0);
        tz(Kind::Node, &data, &["sync"]).exits(0);
        town.district.stop().await;
        town.district.up().await;
        let anew = token(&town.district, OFFICES[0], false);
        tz(Kind::Node, &data, &["enrol", &anew]).exits(0);
        tz(Kind::Node, &data, &["sync"]).exits(0);
        let status = tz(Kind::Node, &data, &["--json", "status"]).exits(0).json();
        assert_eq!((status["incidents"].as_u64(), status["equal"].as_bool()), (Some(0), Some(true)), "{status}");
        assert!(town.district.status()["older"].is_null());
        let nodes = town.district.tz(&["--json", "nodes"]).exits(0).rows();
        assert!(nodes.as_array().unwrap().iter().all(|node| node["incidents"] == 0), "{nodes}");
        // And it enrols others.
        let other = token(&town.district, OFFICES[1], false);
        tz(Kind::Node, &town.dir.path().join("other"), &["enrol", &other]).exits(0);
        assert!(!town.errors().contains("panicked"), "{}", town.errors());
        town.district.stop().await;
        town.city.stop().await;
    });
}
