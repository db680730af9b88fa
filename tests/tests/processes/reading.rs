//! What a district's reviewer reads, and how an office and a district find a record by what people have in their hands.

use crate::town::{self, Kind, Town, tz};
use std::fs;

#[test]
fn a_district_reads_its_records_with_names_masked_unless_somebody_answers_for_the_look() {
    town::runtime().block_on(async {
        let mut town = Town::found(1, "nightly").await;
        let data = town.offices[0].data.clone();
        let ids: Vec<String> = (1..=3).map(|nth| taizhang_tests::books::id_no(4_100, nth)).collect();
        for (id, name) in ids.iter().zip(["赵铁柱", "赵铁柱", "钱二妹"]) {
            let fields =
                [format!("name={name}"), format!("id_no={id}"), "phone=13841300001".into(), "address=和平街8号".into()];
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            tz(Kind::Node, &data, &[&["save", "resident"], &fields[..]].concat()).exits(0);
        }
        tz(Kind::Node, &data, &["sync"]).exits(0);

        // The office searches by whatever is known, with the register of each and how many more there are.
        let search = |words: &[&str]| tz(Kind::Node, &data, &[&["--json", "search"], words].concat()).exits(0).json();
        for words in [&["赵铁柱"][..], &["ztz"], &["zhaotiezhu"], &["铁柱", "和平街"]] {
            assert_eq!(search(words)["total"], 2, "{words:?}");
        }
        assert_eq!(search(&["qianermei"])["rows"][0]["name"], "钱二妹");
        assert_eq!(search(&[&ids[2][14..]])["rows"][0]["number"], ids[2].as_str());
        let few = search(&["13841300001", "--limit", "1"]);
        assert_eq!(
            (&few["total"], &few["more"], &few["rows"][0]["register"]),
            (&3.into(), &2.into(), &"Resident".into())
        );
        let shown = tz(Kind::Node, &data, &["search", "钱"]).exits(0).out;
        assert!(["钱二妹", "居民登记", "共 1 条"].iter().all(|said| shown.contains(said)), "{shown}");
        assert_eq!(search(&["钱", "--register", "household"])["total"], 0);
        tz(Kind::Node, &data, &["search", " "]).exits(1).says(&["请写明要查找的"]);

        // The office finds people by name and number.
        tz(Kind::Node, &data, &["card", "钱二妹"]).exits(0);
        tz(Kind::Node, &data, &["card", &ids[0]]).exits(0);
        tz(Kind::Node, &data, &["card", "赵铁柱"]).exits(1).says(&["有 2 条"]);
        tz(Kind::Node, &data, &["history", "没有此人"]).exits(1).says(&["没有找到"]);
        tz(Kind::Node, &data, &["save", "resident", "--record", "钱二妹", "phone=13841300002"]).exits(0);
        assert!(tz(Kind::Node, &data, &["history", "钱二妹"]).exits(0).out.contains("13841300002"));
        let id = taizhang_tests::books::id_no(4_100, 9);
        let id = format!("id_no={id}");
        let assistant = ["save", "assistant", "name=秦小妹", &id, "from_on=2008-03-01", "edu=不详的学历"];
        tz(Kind::Node, &data, &assistant).exits(0);
        tz(Kind::Node, &data, &["sync"]).exits(0);

        let district = &town.district;
        let listed = district.tz(&["list", "resident", "--wide"]).exits(0).out;
        assert!(listed.contains("赵**") && listed.contains("共 3 条"), "{listed}");
        for personal in ["铁柱", "二妹", "13841300001", "和平街", &ids[0]] {
            assert!(!listed.contains(personal), "{personal} in {listed}");
        }
        let story = district.tz(&["history", "钱二妹", "--by", "王科长"]).exits(0).out;
        assert!(story.contains("138") && !story.contains("13841300001") && !story.contains("二妹"), "{story}");
        district.tz(&["list", "resident", "--names"]).exits(1).says(&["--by"]);
        // A unit by its name, where one alone has it.
        for unit in ["--unit=站前街道", "--unit=东八路社区居委会"] {
            assert!(district.tz(&["list", "resident", "--wide", unit]).exits(0).out.contains("共 3 条"), "{unit}");
        }
        let own = ["--json", "list", "resident", "--unit", "东八路社区居委会"];
        assert_eq!(tz(Kind::Node, &data, &own).exits(0).json()["total"], 3);
        district.tz(&["list", "resident", "--unit", "社区居委会"]).exits(2).says(&["请写编码", "210402001002"]);
        district.tz(&["list", "resident", "--unit", "没有的街道"]).exits(2).says(&["没有名为"]);
        district.tz(&["doubts", "--only", "nothing_of_the_kind"]).exits(2).says(&["no_area"]);
        // Nobody tries out numbers unseen.
        district.tz(&["card", &ids[2]]).exits(1).says(&["--by"]);
        district.tz(&["search", "2104"]).exits(1).says(&["--names"]);
        assert!(district.tz(&["list", "resident", "--names", "--by", "王科长"]).exits(0).out.contains("钱二妹"));
        let card = district.tz(&["--json", "card", &ids[2], "--names", "--by", "王科长"]).exits(0).json();
        assert_eq!((card["name"].as_str(), card["phone"].as_str()), (Some("钱二妹"), Some("13841300002")));
        let found = district.tz(&["--json", "search", "41300001", "--names", "--by", "李审核"]).exits(0).json();
        assert_eq!(found["total"], 2);
        let heard = district.tz(&["--json", "search", "qem", "和平街", "--names", "--by", "李审核"]).exits(0).json();
        assert_eq!((&heard["total"], &heard["rows"][0]["name"]), (&1.into(), &"钱二妹".into()));
        // What refers to somebody names them as people do.
        tz(Kind::Node, &data, &["save", "household", "hh_no=H-1", "head_person=钱二妹"]).exits(0);
        let unit = "live_unit=东八路社区居委会";
        tz(Kind::Node, &data, &["save", "household", "--record", "钱二妹", "address=和平街9号", unit]).exits(0);
        let household = tz(Kind::Node, &data, &["--json", "list", "household"]).exits(0).out;
        assert!(household.contains("东八路社区"), "{household}");
        let nowhere = ["save", "household", "--record", "钱二妹", "live_unit=没有的社区"];
        tz(Kind::Node, &data, &nowhere).exits(1).says(&["没有名为“没有的社区”的单位"]);
        tz(Kind::Node, &data, &["sync"]).exits(0);
        let unit = town::OFFICES[1];
        assert_eq!(district.tz(&["--json", "list", "resident", "--unit", unit]).exits(0).json()["total"], 0);
        let file = town.dir.path().join("册.csv");
        district.tz(&["export", "resident", file.to_str().unwrap()]).exits(0);
        assert!(!fs::read_to_string(&file).unwrap().contains("二妹"));
        // Whatever is derived from a record, only what the mask leaves is shown.
        let doubts = district.tz(&["--json", "doubts"]).exits(0);
        let listed = doubts.json();
        assert!(listed["total"].as_u64().unwrap() > 0 && listed["rows"][0]["record"].is_string(), "{listed}");
        assert!(doubts.out.contains("秦*") && !doubts.out.contains("秦小妹"), "{}", doubts.out);
        let named = district.tz(&["doubts", "--names", "--by", "王科长", "--wide"]).exits(0).out;
        assert!(named.contains("秦小妹"), "{named}");
        // Nor does a conflict tell more than the records that it is about.
        let revised =
            ["revise", "resident", "--record", "钱二妹", "--by", "王科长", "--reason", "二妹来信", "name=钱二美"];
        district.tz(&revised).exits(0);
        tz(Kind::Node, &data, &["save", "resident", "--record", "钱二妹", "name=钱尔妹", "--reason", "二妹说的"])
            .exits(0);
        tz(Kind::Node, &data, &["sync"]).exits(0);
        let number = district.tz(&["--json", "conflicts"]).exits(0).rows()[0]["number"].to_string();
        for asked in [&["show", &number][..], &["--json", "show", &number]] {
            let shown = district.tz(asked).exits(0).out;
            assert!(shown.contains("钱**"), "{shown}");
            for personal in ["二美", "尔妹", "二妹", "13841300002", &ids[2]] {
                assert!(!shown.contains(personal), "{personal} in {shown}");
            }
        }
        // The queue says whose it is, as far as who asks may see, and is asked by what people have.
        let queue = district.tz(&["conflicts", "--wide"]).exits(0).out;
        assert!(queue.contains("钱**") && !queue.contains("二美"), "{queue}");
        district.tz(&["conflicts", "--record", "钱二美"]).exits(1).says(&["--by"]);
        let about = ["--json", "conflicts", "--record", "钱二美", "--names", "--by", "孙复核"];
        let about = district.tz(&about).exits(0).rows();
        assert_eq!((about[0]["number"].to_string(), &about[0]["about"]), (number.clone(), &"钱二美".into()));
        district.tz(&["show", &number, "--names"]).exits(1).says(&["--by"]);
        let shown = district.tz(&["show", &number, "--names", "--by", "孙复核"]).exits(0).out;
        assert!(shown.contains("钱二美") && shown.contains("钱尔妹") && shown.contains(&ids[2]), "{shown}");
        let unit = &district.tz(&["--json", "show", &number]).exits(0).json()["sides"][0]["values"];
        assert!(shown.contains("社区"), "a unit has a name, and not its code alone: {shown} {unit}");
        let reason = ["--choice", "keep", "--reason", "二妹本人来过", "--by", "王科长"];
        district.tz(&[&["resolve", &number][..], &reason].concat()).exits(0);
        let closed = district.tz(&["conflicts", "--closed", "--wide"]).exits(0).out;
        assert!(closed.contains("王科长") && !closed.contains("二妹"), "{closed}");
        let closed = district.tz(&["--json", "conflicts", "--closed", "--names", "--by", "周复核"]).exits(0).out;
        assert!(closed.contains("二妹本人来过"), "{closed}");
        let looks = district.tz(&["looks"]).exits(0).out;
        assert!(looks.contains("周复核"), "{looks}");
        assert!(["王科长", "李审核", "孙复核"].iter().all(|who| looks.contains(who)), "{looks}");
        for personal in ["二妹", "41300001", &ids[2]] {
            assert!(!looks.contains(personal), "{looks}");
        }
        town.city.tz(&["list", "resident"]).exits(1).says(&["市级没有个人登记"]);
        assert!(!town.errors().contains("二妹"), "nothing personal in a log");
        town.district.stop().await;
        town.city.stop().await;
    });
}
