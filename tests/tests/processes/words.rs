//! What the programs say when something is not as it should be: in words that a clerk or an operator can act on.

use crate::town::{self, CITY, DISTRICT, Kind, OFFICES, Serving, Town, free_port, token, tz, units};
use std::{fs, net::TcpListener, path::Path};

fn save(data: &Path, nth: usize) {
    let id = taizhang_tests::books::id_no(4_000, nth);
    let fields = [format!("name=张{nth}"), format!("id_no={id}")];
    tz(Kind::Node, data, &["save", "resident", &fields[0], &fields[1]]).exits(0);
}

fn status(data: &Path) -> serde_json::Value {
    tz(Kind::Node, data, &["--json", "status"]).exits(0).json()
}

/// Sends an office's calls somewhere else.
fn call(data: &Path, address: &str) {
    let path = data.join("identity/hub.toml");
    let lines = fs::read_to_string(&path).unwrap();
    let kept = lines.lines().filter(|line| !line.starts_with("address"));
    let own = format!("address = {address:?}");
    let text = kept.chain([own.as_str()]).collect::<Vec<_>>().join("\n");
    fs::write(&path, text).unwrap();
}

fn address(hub: &Serving) -> String {
    hub.status()["address"].as_str().unwrap().to_owned()
}

#[test]
fn why_there_is_no_line_is_said_and_kept_until_there_is_one() {
    town::runtime().block_on(async {
        let mut town = Town::found(1, "nightly").await;
        let data = town.offices[0].data.clone();
        save(&data, 1);
        let own = address(&town.district);
        let fails = |words: &str| {
            let report = tz(Kind::Node, &data, &["--json", "sync"]).exits(1).json();
            assert!(report["error"].as_str().unwrap().contains(words), "{words}: {report}");
            // Another process asks afterwards.
            let told = status(&data);
            assert!(told["last_error"].as_str().unwrap().contains(words), "{words}: {told}");
            assert_eq!(told["equal"], false);
        };
        town.district.stop().await;
        fails("上级程序没有运行");
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = silent.local_addr().unwrap().port();
        let other = std::thread::spawn(move || {
            use std::io::{Read, Write};
            let (mut line, _) = silent.accept().unwrap();
            let _ = line.read(&mut [0; 512]);
            let _ = line.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        });
        call(&data, &format!("https://127.0.0.1:{port}"));
        fails("不是台账上级");
        other.join().unwrap();
        call(&data, "https://no-such-host.invalid:7201");
        fails("找不到上级的地址");
        call(&data, &address(&town.city));
        fails("另一机构");
        call(&data, &own);
        town.district.up().await;
        tz(Kind::Node, &data, &["sync"]).exits(0);
        let told = status(&data);
        assert!(told["last_error"].is_null() && told["equal"] == true, "{told}");
        let id = town.district.tz(&["--json", "nodes"]).exits(0).rows()[0]["node"].as_str().unwrap().to_owned();
        let unit = OFFICES[0];
        town.district.tz(&["retire", unit, "--by", "王科长"]).exits(2);
        town.district.tz(&["retire", unit, "--by", "王科长", "--reason", "已换电脑"]).exits(0);
        fails("停用");
        town.district.tz(&["retire", &id, "--undo", "--by", "王科长", "--reason", "误停"]).exits(0);
        tz(Kind::Node, &data, &["sync"]).exits(0);
        // Who did it, to whose computer, and why, in words; in English, too.
        let log = town.district.tz(&["audit-log"]).exits(0).out;
        for words in ["停用电脑", "恢复电脑", "已换电脑", "误停", "王科长", "登记电脑", "东八路社区"]
        {
            assert!(log.contains(words), "{words}: {log}");
        }
        assert!(town.district.tz(&["--lang", "en", "audit-log"]).exits(0).out.contains("computer retired"));
        let lines = town.district.tz(&["--json", "audit-log"]).exits(0).rows();
        let retired = lines.as_array().unwrap().iter().find(|line| line["what"] == "retire").cloned().unwrap();
        assert_eq!((&retired["of"], &retired["reason"]), (&id.as_str().into(), &"已换电脑".into()));
        town.district.stop().await;
        town.city.stop().await;
    });
}

#[test]
fn a_tree_that_leaves_units_out_is_taken_only_by_who_says_so_and_a_hub_is_what_its_code_says() {
    town::runtime().block_on(async {
        let mut town = Town::found(0, "nightly").await;
        let whole = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/data/fushun-units.csv")).unwrap();
        let file = town.dir.path().join("units.csv");
        let without: Vec<&str> = whole.lines().filter(|line| !line.starts_with("210402001002")).collect();
        std::fs::write(&file, without.join("\n")).unwrap();
        let file = file.to_str().unwrap();
        town.city.tz(&["units", file]).exits(1).says(&["少了 1 个单位（在册 0 人）", "东八路社区居委会", "--yes"]);
        assert!(town.city.tz(&["units", "find", "东八路"]).exits(0).out.contains("210402001002"));
        town.city.tz(&["units", file, "--yes", "--by", "王科长"]).exits(0);
        let log = town.city.tz(&["audit-log"]).exits(0).out;
        assert!(log.lines().any(|line| line.contains("王科长") && line.contains("单位")), "{log}");
        assert!(!town.city.tz(&["units", "find", "东八路"]).exits(0).out.contains("210402001002"));
        town.city.stop().await;
        let toml = town.city.data.join("hub.toml");
        let written = std::fs::read_to_string(&toml).unwrap();
        for (from, to, words) in [
            ("tier = \"city\"", "tier = \"district\"", "tier 不符"),
            ("sessions = 256", "sessions = 0", "sessions 至少为 1"),
        ] {
            assert!(written.contains(from), "{written}");
            std::fs::write(&toml, written.replace(from, to)).unwrap();
            town.city.tz(&["config", "check"]).exits(1).says(&[words, "hub.toml"]);
        }
        town.district.stop().await;
    });
}

#[test]
fn two_computers_with_one_identity_are_told_so_and_lose_nothing() {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().flatten() {
            let target = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy(&entry.path(), &target);
            } else {
                fs::copy(entry.path(), target).map(drop).unwrap();
            }
        }
    }
    town::runtime().block_on(async {
        let mut town = Town::found(1, "nightly").await;
        let one = town.offices[0].data.clone();
        save(&one, 1);
        tz(Kind::Node, &one, &["sync"]).exits(0);
        let two = town.dir.path().join("copy");
        copy(&one, &two);
        let mut entered = 1;
        for turn in 0..4 {
            for data in [&one, &two] {
                entered += 1;
                save(data, entered);
                tz(Kind::Node, data, &["sync"]).exits(0);
            }
            if turn == 0 {
                assert_eq!(status(&one)["twins"], false, "a backup that came back is none");
            }
        }
        for data in [&one, &two] {
            tz(Kind::Node, data, &["sync"]).exits(0);
            let told = status(data);
            assert!(told["twins"].as_str().unwrap().contains("新令牌"), "{told}");
        }
        assert!(town.district.tz(&["nodes"]).exits(0).out.contains("两台电脑使用同一身份"));
        assert!(!town.district.status()["twins"].as_str().unwrap().is_empty());
        assert!(town.district.errors().contains("两台电脑使用同一身份"), "in the log, too");
        assert_eq!(town.adds_up().await, entered as i64);
        // What it says to do ends it.
        let key = token(&town.district, OFFICES[0], false);
        let anew = town.dir.path().join("anew");
        tz(Kind::Node, &anew, &["enrol", &key]).exits(0);
        assert_eq!(status(&anew)["twins"], false);
        town.district.stop().await;
        town.city.stop().await;
    });
}

#[test]
fn what_contradicts_itself_makes_no_directory() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("hub");
    let (listen, units) = (format!("127.0.0.1:{}", free_port()), units());
    let init = |arguments: &[&str]| {
        let common = ["init", "--listen", &listen, "--units", &units];
        let answer = tz(Kind::Hub, &data, &[&common[..], arguments].concat());
        assert!(answer.code == 0 || !data.exists(), "nothing is left behind: {arguments:?}");
        answer
    };
    init(&["--tier", "district", "--unit", CITY]).exits(1).says(&["--tier", "210402000000"]);
    init(&["--tier", "city", "--unit", DISTRICT]).exits(1).says(&["--tier"]);
    init(&["--tier", "district", "--unit", "210499000000"]).exits(1).says(&["没有本级单位"]);
    init(&["--tier", "city", "--unit", CITY, "--advertise", "http://city.example:7201"]).exits(1).says(&["https://"]);
    init(&["--tier", "city", "--unit", CITY, "--advertise", "https://0.0.0.0:7201"]).exits(1).says(&["advertise"]);
    let made = init(&["--tier", "city", "--unit", CITY]).exits(0);
    assert!(made.out.contains(&format!("https://{listen}")), "it is shown: {made:?}");
    assert!(fs::read_to_string(data.join("hub.toml")).unwrap().contains("advertise"));
    let node = dir.path().join("node");
    tz(Kind::Node, &node, &["init", "--unit", DISTRICT]).exits(1).says(&["taizhang-hub init"]);
    assert!(!node.exists());
}

#[test]
fn a_token_is_not_used_up_in_the_wrong_place() {
    town::runtime().block_on(async {
        let town = Town::found(0, "nightly").await;
        town.district.tz(&["token", "--hub", "--unit", OFFICES[2]]).exits(1).says(&["汇聚节点只设在县区"]);
        town.district.tz(&["token", "--unit", OFFICES[2]]).exits(0).says(&[OFFICES[2], "只能用一次"]);
        let office = token(&town.district, OFFICES[0], false);
        let hub = token(&town.city, DISTRICT, true);
        let data = town.dir.path().join("office");
        tz(Kind::Node, &data, &["enrol", &hub]).exits(1).says(&["taizhang-hub"]);
        tz(Kind::Hub, &town.dir.path().join("reader"), &["enrol", &office]).exits(1).says(&["taizhang-node"]);
        // A double click enrols one computer, whose key is that of its certificate; the second is told the same as the first.
        let click = || {
            std::thread::scope(|clicks| {
                let two = [0, 1].map(|_| clicks.spawn(|| tz(Kind::Node, &data, &["enrol", &office]).code));
                two.map(|click| click.join().unwrap())
            })
        };
        let codes = click();
        assert!(codes.iter().any(|code| [0, 3].contains(code)), "{codes:?}");
        tz(Kind::Node, &data, &["sync"]).exits(0);
        let nodes = town.district.tz(&["--json", "nodes"]).exits(0).rows();
        assert_eq!(nodes.as_array().map(Vec::len), Some(1), "{nodes}");
        // A hub that was made with a token that is used up says what is there now, and what follows.
        let made = |name: &str| {
            let dir = town.dir.path().join(name);
            tz(Kind::Hub, &dir, &["init", &hub, "--advertise", "https://127.0.0.1:7999"])
        };
        made("one").exits(0);
        made("two").exits(1).says(&["已建立，尚未登记", "enrol"]);
    });
}

#[test]
fn in_english_a_code_has_its_english_word_and_a_program_gets_what_it_always_got() {
    town::runtime().block_on(async {
        let mut town = Town::found(1, "nightly").await;
        let data = town.offices[0].data.clone();
        let id = taizhang_tests::books::id_no(4_000, 9);
        let fields = ["name=张三".to_owned(), format!("id_no={id}"), "marital=已婚".into(), "edu=大专".into()];
        let fields: Vec<&str> = ["save", "resident"].into_iter().chain(fields.iter().map(String::as_str)).collect();
        tz(Kind::Node, &data, &fields).exits(0);
        for command in [&["--wide", "list", "resident"][..], &["history", "张三"]] {
            let asked: Vec<&str> = ["--lang", "en"].iter().chain(command).copied().collect();
            let (english, chinese) =
                (tz(Kind::Node, &data, &asked).exits(0).out, tz(Kind::Node, &data, command).exits(0).out);
            for (en, zh) in [("Married", "已婚"), ("Junior college", "大学专科"), ("Education", "文化程度")] {
                assert!(english.contains(en) && !english.contains(zh), "{english}");
                assert!(chinese.contains(zh) && !chinese.contains(en), "{chinese}");
            }
            let json = |lang: &str| {
                let asked: Vec<&str> = ["--json", "--lang", lang].iter().chain(command).copied().collect();
                // Without `at`: the second may have turned between the two.
                tz(Kind::Node, &data, &asked).exits(0).rows()
            };
            assert_eq!(json("en"), json("zh"));
        }
        let fields = tz(Kind::Node, &data, &["--lang", "en", "fields", "resident"]).exits(0).out;
        assert!(
            fields.contains("20 Married") && fields.contains("needs a reason") && !fields.contains("已婚"),
            "{fields}"
        );
        town.district.stop().await;
        town.city.stop().await;
    });
}
