//! The command lines as programs and people use them: exit codes, JSON, answers beside a running `serve`, errors that
//! name the remedy.

use crate::town::{self, CITY, DISTRICT, Kind, OFFICES, Serving, Town, token, tz, tz_start, units};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};
use taizhang_hub::{
    engine::FjallStore,
    rows::{self, TokenRow},
    store::{Space, Store, WriteSet},
};

fn roster() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/data/rosters/laodong99.csv").to_owned()
}

#[test]
fn wrong_use_exits_two_and_a_missing_directory_names_init() {
    let dir = tempfile::tempdir().unwrap();
    let nowhere = dir.path().join("nowhere");
    for kind in [Kind::Node, Kind::Hub] {
        tz(kind, &nowhere, &["--help"]).exits(0);
        for wrong in [&["no-such-command"][..], &["status", "--no-such-flag"], &["init", "--unit", "12"], &[]] {
            tz(kind, &nowhere, wrong).exits(2);
        }
        tz(kind, &nowhere, &["status"]).exits(1).says(&["init"]);
    }
    tz(Kind::Node, &nowhere, &["due", "--on", "soon"]).exits(2);
    for kind in [Kind::Node, Kind::Hub] {
        let said = tz(kind, &nowhere, &["--json", "no-such-command"]).exits(2).err;
        let said: serde_json::Value = serde_json::from_str(&said).expect("an error is a document, too");
        assert!(said["error"].as_str().unwrap().contains("no-such-command"), "{said}");
    }
    assert!(!nowhere.exists(), "a wrong command made {}", nowhere.display());
}

#[test]
fn a_configuration_is_shown_and_its_faults_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let node = dir.path().join("node");
    tz(Kind::Node, &node, &["init", "--unit", OFFICES[0]]).exits(0);
    tz(Kind::Node, &node, &["init"]).exits(1).says(&["exists already"]);
    assert_eq!(tz(Kind::Node, &node, &["config", "check"]).exits(0).json()["sync_at"], "22:00");
    fs::write(node.join("node.toml"), "sync_at = \"25:99\"\n").unwrap();
    tz(Kind::Node, &node, &["config", "check"]).exits(1).says(&["sync_at", "22:00"]);
    fs::write(node.join("node.toml"), "sync_atte = \"22:00\"\n").unwrap();
    tz(Kind::Node, &node, &["config", "check"]).exits(1).says(&["sync_atte"]);
    let hub = dir.path().join("hub");
    let set = ["init", "--unit", DISTRICT, "--tier", "district", "--units", &units()];
    tz(Kind::Hub, &hub, &set).exits(0);
    tz(Kind::Hub, &hub, &set).exits(1);
    assert_eq!(tz(Kind::Hub, &hub, &["config", "check"]).exits(0).json()["tier"], "district");
    println!("wrong and right configurations: named and shown");
}

#[test]
fn a_token_works_once_and_says_why_it_does_not() {
    town::runtime().block_on(async {
        let mut town = Town::found(0, "nightly").await;
        let office = |name: &str| town.dir.path().join(name);
        let (first, second, third) = (office("first"), office("second"), office("third"));
        for data in [&first, &second, &third] {
            tz(Kind::Node, data, &["init"]).exits(0);
            tz(Kind::Node, data, &["status"]).exits(1).says(&["enrol", "init --unit"]);
        }
        let key = token(&town.district, OFFICES[0], false);
        tz(Kind::Node, &first, &["enrol", &key]).exits(0);
        tz(Kind::Node, &first, &["enrol", &key]).exits(0); // the same key may ask again: its answer may have been lost
        tz(Kind::Node, &second, &["enrol", &key]).exits(1).says(&["used already", "new token"]);
        tz(Kind::Node, &second, &["enrol", &key[..key.len() - 9]]).exits(1).says(&["token"]);
        tz(Kind::Node, &second, &["enrol", "nonsense"]).exits(1).says(&["copy the whole line again"]);
        town.district.tz(&["token", "--unit", CITY]).exits(1).says(&["no such unit below this hub"]);

        let late = token(&town.district, OFFICES[1], false);
        let file = town.dir.path().join("token.txt");
        fs::write(&file, format!("{late}\n")).unwrap();
        town.district.stop().await;
        tz(Kind::Node, &third, &["enrol", &late]).exits(1).says(&["can't reach the hub", "127.0.0.1"]);
        expire_tokens(&town.district);
        town.district.up().await;
        let at_file = format!("@{}", file.display());
        tz(Kind::Node, &third, &["enrol", &at_file]).exits(1).says(&["expired", "new token"]);
        println!("tokens: used once, refused used, cut, wrong, expired and while the hub was away");
    });
}

#[test]
fn output_that_nobody_reads_to_its_end_is_no_fault() {
    let dir = tempfile::tempdir().unwrap();
    let mut mappings = tz_start(Kind::Node, dir.path(), &["mappings"]);
    drop(mappings.0.stdout.take()); // as `| head` does
    assert!(mappings.0.wait().unwrap().success());
}

#[test]
fn a_reader_asks_for_figures_from_a_directory_of_its_own_until_it_is_retired() {
    town::runtime().block_on(async {
        let town = Town::found(0, "nightly").await;
        let member = town.dir.path().join("member");
        town.city.tz(&["token", "--unit", DISTRICT]).exits(1).says(&["takes no records"]);
        town.city.tz(&["token", "--unit", CITY, "--hub", "--reader", "市财政局"]).exits(2);
        let key = town.city.tz(&["token", "--unit", CITY, "--reader", "市财政局"]).exits(0).out;
        tz(Kind::Hub, &member, &["enrol", key.trim()]).exits(0);
        let figures = tz(Kind::Hub, &member, &["--json", "totals", "--by", "district", "--indicator", "K00"]);
        assert!(figures.exits(0).json().to_string().contains("K00"));
        for allowed in [
            &["standing"][..],
            &["totals", "--trend"],
            &["commend"],
            &["draw", "--seed", "1"],
            &["indicators"],
            &["months"],
        ] {
            tz(Kind::Hub, &member, allowed).exits(0);
        }
        // The city's tasks and campaigns too, which it may not give.
        let give = ["tasks", "--give", "核查台账", "--to", DISTRICT, "--due", "2090-01-31", "--by", "李局长"];
        town.city.tz(&give).exits(0);
        // A second click gives no second one.
        town.city.tz(&give).exits(1).says(&["今日已下达（任务号 1）"]);
        assert!(tz(Kind::Hub, &member, &["tasks"]).exits(0).out.contains("核查台账"));
        assert!(tz(Kind::Hub, &member, &["tasks", "1"]).exits(0).out.contains("新抚区"));
        let days = ["title=市援助月", "from_on=2026-12-01", "to_on=2026-12-31", "quota_visits=100", "--by", "李局长"];
        town.city.tz(&[&["papers", "give", "campaign"], &days[..]].concat()).exits(0);
        town.city.tz(&[&["papers", "give", "campaign"], &days[..]].concat()).exits(1).says(&["今日已下达（任务号 2）"]);
        let campaigns = tz(Kind::Hub, &member, &["--json", "campaigns"]).exits(0).rows();
        let own = ["title", "visited", "quota_visits"].map(|key| campaigns[0][key].clone());
        assert_eq!(own, ["市援助月".into(), serde_json::Value::Null, 100.into()], "{campaigns}");
        tz(Kind::Hub, &member, &["report", "2008-03"]).exits(1);
        tz(Kind::Hub, &member, &give).exits(1).says(&["a reader's directory"]);
        // Five other districts of the tree have no hub: they are named, beside how many.
        let silent = tz(Kind::Hub, &member, &["--json", "totals"]).exits(0).json()["silent"].clone();
        let silent: Vec<_> =
            silent.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
        assert!(silent.len() > 4 && !silent.contains(&String::new()), "{silent:?}");
        let told = tz(Kind::Hub, &member, &["totals"]).exits(0).out;
        assert!(told.contains(&format!("{} 从未上报", silent[0])), "{told}");
        for refused in [&["nodes"][..], &["audit"], &["draw", "--list"], &["token", "--unit", DISTRICT]] {
            tz(Kind::Hub, &member, refused).exits(1).says(&["a reader's directory"]);
        }
        let nodes = town.city.tz(&["nodes"]).exits(0).out;
        let line = nodes.lines().find(|line| line.contains("市财政局")).unwrap();
        let id = line.trim_end_matches('│').trim().rsplit(' ').next().unwrap();
        assert!(town.city.tz(&["retire", id, "--by", "王科长", "--reason", "已调离"]).exits(0).out.contains("停用"));
        tz(Kind::Hub, &member, &["totals"]).exits(1).says(&["停用"]);
        town.city.tz(&["retire", "市财政局", "--undo", "--by", "王科长", "--reason", "仍需查看"]).exits(0);
        tz(Kind::Hub, &member, &["totals"]).exits(0);
    });
}

/// Puts the end of every unused token into the past.
fn expire_tokens(hub: &Serving) {
    let store = FjallStore::open(&hub.data.join("store")).unwrap();
    let view = store.view();
    let mut set = WriteSet::default();
    for row in view.prefix(Space::Tokens, &[]) {
        let (hash, _) = row.unwrap();
        let token: TokenRow = rows::read(view.as_ref(), Space::Tokens, &hash).unwrap().unwrap();
        if token.used_for.is_empty() {
            let past = TokenRow { expires: 1, ..token };
            set.put(Space::Tokens, hash.to_vec(), prost::Message::encode_to_vec(&past));
        }
    }
    assert!(!set.is_empty());
    store.commit(set).unwrap();
}

#[test]
fn commands_answer_with_and_without_a_running_serve() {
    town::runtime().block_on(async {
        let mut town = Town::found(1, "nightly").await;
        let out = town.dir.path().join("out");
        fs::create_dir(&out).unwrap();
        let reasons = out.join("reasons.csv").display().to_string();
        let import = ["--json", "import", &roster(), "--reasons", &reasons];

        // Without `serve` each command opens the office itself; the import leaves its wrong rows with reasons.
        let office = &town.offices[0];
        office.tz(&["import", "no-such-file.csv"]).exits(1).says(&["no-such-file.csv", "can't read"]);
        let dry = office.tz(&["--json", "import", &roster(), "--reasons", &reasons, "--dry-run"]);
        assert_eq!(dry.code, 3, "{dry:?}");
        assert_eq!(office.status()["pending"], 0, "a dry run saved something");
        fs::remove_file(&reasons).unwrap();
        let imported = office.tz(&import).exits(3);
        assert!(imported.err.contains("reasons.csv"));
        let first = imported.json();
        let count = |report: &serde_json::Value, key: &str| report[key].as_u64().unwrap();
        let wrong = fs::read(&reasons).unwrap();
        assert!(count(&first, "new") > 0 && count(&first, "wrong") > 0 && !wrong.is_empty(), "{first}");

        town.offices[0].up().await;
        let office = &town.offices[0];
        let again = office.tz(&import).exits(3);
        // What a clerk is mending is left alone.
        assert_eq!(fs::read(&reasons).unwrap(), wrong);
        assert!(again.err.contains("reasons2.csv") && out.join("reasons2.csv").exists(), "{again:?}");
        let again = again.json();
        assert_eq!((count(&again, "new"), count(&again, "changed")), (0, 0), "{again}");
        assert_eq!(count(&again, "same"), count(&first, "new") + count(&first, "same") + count(&first, "changed"));
        assert_eq!(count(&again, "wrong"), count(&first, "wrong"));

        let second = office.tz(&["serve"]).exits(1);
        second.says(&["another process is using this data directory", "210402001002"]);
        let pending = count(&office.status(), "pending");
        assert!(pending > 0);
        let report = office.tz(&["--json", "sync"]).exits(0).json();
        assert_eq!((count(&report, "pushed"), &report["equal"]), (pending, &true.into()), "{report}");
        office.tz(&["--json", "due", "--within", "90"]).exits(0).json();
        office.tz(&["due", "--on", "2008-07-01"]).exits(0);
        office.tz(&["verify"]).exits(0);
        let listed = office.tz(&["--json", "list", "resident", "--limit", "3"]).exits(0);
        let listed = listed.json();
        assert_eq!((listed["rows"].as_array().unwrap().len(), listed["total"].as_u64().unwrap() > 3), (3, true));
        for name in ["residents.csv", "residents.xlsx"] {
            let file = out.join(name).display().to_string();
            office.tz(&["export", "resident", &file]).exits(0);
            assert!(fs::metadata(&file).unwrap().len() > 1_000);
        }
        let exported = out.join("residents.csv").display().to_string();
        let back = office.tz(&["--json", "import", &exported, "--reasons", &reasons]).exits(0).json();
        assert_eq!((count(&back, "new"), count(&back, "changed")), (0, 0), "{back}");
        office.tz(&["export", "no-such-register", &exported]).exits(1).says(&["no such register", "Resident"]);
        let pdf = out.join("residents.pdf").display().to_string();
        office.tz(&["export", "resident", &pdf]).exits(1).says(&["csv or xlsx"]);
        office.tz(&["save", "resident", "no_such=1"]).exits(1).says(&["no such field"]);

        // The hubs, while they serve.
        let residents = town.adds_up().await;
        let totals = town.district.tz(&["--json", "totals", "--children", "--indicator", "K00"]).exits(0).json();
        let own = totals["values"].as_array().unwrap().iter().find(|value| value["unit"] == DISTRICT).unwrap();
        assert_eq!((&own["indicator"], &own["numerator"]), (&"K00".into(), &residents.into()), "{totals}");
        town.district.tz(&["totals"]).exits(0);
        assert_eq!(town.district.status()["tier"], "district");
        let nodes = town.district.tz(&["--json", "nodes"]).exits(0).rows();
        assert_eq!((nodes.as_array().unwrap().len(), &nodes[0]["unit"]), (1, &OFFICES[0].into()));
        town.district.tz(&["--json", "sync"]).exits(0).json();
        town.district.tz(&["serve"]).exits(1).says(&["another process is using this data directory"]);
        town.city.tz(&["sync"]).exits(1).says(&["no parent"]);
        watch_sees_a_save(&town);
        let errors = town.errors() + &imported.err;
        for (id, fields) in crate::clerk::at_office(&town.offices[0].data).await {
            for field in ["id_no", "name"] {
                assert!(!errors.contains(&fields[field]), "the {field} of {id} stands in the logs");
            }
        }

        town.offices[0].stop().await;
        town.district.stop().await;
        town.offices[0].tz(&["sync"]).exits(1);
        town.district.tz(&["audit"]).exits(0);
        town.district.tz(&["--json", "status"]).exits(0).json();
        println!("commands with and without serve: first import {first}, again {again}, {residents} residents");
    });
}

#[test]
fn an_office_alone_reads_its_mappings_what_is_to_be_filed_a_history_and_its_standing() {
    let dir = tempfile::tempdir().unwrap();
    let node = dir.path().join("node");
    let run = |args: &[&str]| tz(Kind::Node, &node, args);
    run(&["init", "--unit", OFFICES[0]]).exits(0);

    // A column of other software, by a file of the office's own.
    let known = run(&["--json", "mappings", "aac021", "本地工种"]).exits(0).rows();
    assert_eq!((known.as_array().unwrap().len(), &known[0]["target"]), (1, &"spell.reg_no".into()), "{known}");
    fs::create_dir(node.join("mappings")).unwrap();
    let own = node.join("mappings").join("local.toml");
    let mapping = |field: &str| {
        format!("[[layout]]\nname = \"求职登记台账\"\nheadings = {{ \"person.{field}\" = [\"本地工种\"] }}\n")
    };
    fs::write(&own, mapping("no_such")).unwrap();
    let list = dir.path().join("list.csv");
    fs::write(&list, format!("AAC002,AAC003,本地工种\n{},欧阳平,电工\n", crate::clerk::id_no(7))).unwrap();
    let list = list.display().to_string();
    for args in [&["config", "check"][..], &["mappings"], &["import", &list]] {
        run(args).exits(1).says(&["local.toml", "no_such", "person.no_such"]);
    }
    fs::write(&own, mapping("skill")).unwrap();
    run(&["config", "check"]).exits(0);
    let known = run(&["--json", "mappings", "本地工种"]).exits(0).rows();
    assert!(known[0]["source"].as_str().unwrap().ends_with("local.toml"), "{known}");
    run(&["import", &list]).exits(0);
    let person = run(&["--json", "list", "resident"]).exits(0).json()["rows"][0].clone();
    assert_eq!((&person["skill"], &person["name"]), (&serde_json::json!(["电工"]), &"欧阳平".into()), "{person}");

    // A completed case is to be filed; ten working days are long over.
    let of = format!("person={}", person["record"].as_str().unwrap());
    let fields = ["applied_on=2008-01-10", "recognised_on=2008-01-20", "exit_on=2008-03-10", "exit_cause=1", "kind=06"];
    let saved = run(&[&["--json", "save", "HardshipCase", &of][..], &fields].concat()).exits(0).json();
    let listed = run(&["--json", "to-file", "--on", "2008-04-01"]).exits(0).rows();
    assert_eq!((&listed[0]["record"], &listed[0]["title"]), (&saved["record"], &"欧阳平".into()), "{listed}");
    assert!(listed[0]["days_left"].as_i64().unwrap() < 0);
    run(&["to-file", "--on", "2008-03-09"]).exits(0);

    // Its history as a page, for the owner's eyes only.
    let page = dir.path().join("history.html");
    let record = saved["record"].as_str().unwrap();
    let told = run(&["history", record, "--print", &page.display().to_string()]).exits(0);
    assert!(told.out.contains("history.html"), "{told:?}");
    let written = fs::read_to_string(&page).unwrap();
    assert!(written.starts_with("<!DOCTYPE html>") && written.contains("就业困难人员历史记录表"), "{written}");
    assert!(written.contains("欧阳平 (") && written.contains("残疾") && written.contains("待上报"));
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&page).unwrap().permissions()) & 0o077, 0);
    run(&["history", "00000000-0000-0000-0000-000000000000", "--print", "x.html"]).exits(1).says(&["no such record"]);

    let told = run(&["standing", "--on", "2008-04-01"]).exits(0);
    assert!(told.out.contains("K37") && told.out.contains("还差1个达到95.0%"), "{}", told.out);
    println!("an office alone: mappings, to-file, history and standing");
}

/// `watch` prints a resident's arrival as it lands.
fn watch_sees_a_save(town: &Town) {
    let mut watch = tz_start(Kind::Hub, &town.district.data, &["--json", "watch", "--indicator", "K00"]);
    let mut lines = BufReader::new(watch.0.stdout.take().unwrap()).lines();
    let first: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let office = &town.offices[0];
    let id_no = format!("id_no={}", crate::clerk::id_no(999_999));
    office.tz(&["save", "resident", &id_no, "name=欧阳来迟"]).exits(0);
    office.tz(&["sync"]).exits(0);
    let next: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let figure = |line: &serde_json::Value| line["numerator"].as_i64().unwrap();
    assert_eq!(figure(&next), figure(&first) + 1, "{first} {next}");
}

/// An office's directory, and a list of so many persons beside it.
fn with_a_list(dir: &Path, persons: u64) -> (PathBuf, String) {
    let data = dir.join("office");
    tz(Kind::Node, &data, &["init", "--unit", OFFICES[0]]).exits(0);
    let mut roster = String::from("姓名,身份证号,登记日期,失业日期\n");
    for serial in 0..persons {
        roster += &["甲,", &crate::clerk::id_no(serial), ",2008.3.20,2008.1.1\n"].concat();
    }
    let file = dir.join("名册.csv");
    fs::write(&file, roster).unwrap();
    (data, file.display().to_string())
}

/// An office that answers.
async fn serving(data: &Path) -> town::Killed {
    let serve = tz_start(Kind::Node, data, &["serve"]);
    while town::office(data).await.is_none() {
        tokio::task::yield_now().await;
    }
    serve
}

/// As a double click sends it, or two clerks with one list (public case 27).
#[test]
fn two_commands_that_import_one_file_at_once_put_nobody_in_twice() {
    town::runtime().block_on(async {
        const PERSONS: u64 = 1_500;
        let dir = tempfile::tempdir().unwrap();
        let (data, file) = with_a_list(dir.path(), PERSONS);
        let _serve = serving(&data).await;
        let mut imports = [(); 2].map(|()| tz_start(Kind::Node, &data, &["--json", "import", &file]));
        for import in &mut imports {
            assert!(import.0.wait().unwrap().success());
        }
        let exported = dir.path().join("out.csv").display().to_string();
        tz(Kind::Node, &data, &["export", "resident", &exported]).exits(0);
        let text = fs::read_to_string(&exported).unwrap();
        for serial in 0..PERSONS {
            assert_eq!(text.matches(&crate::clerk::id_no(serial)).count(), 1);
        }
    });
}

#[test]
fn an_import_whose_office_is_killed_says_so_and_what_to_do_and_its_repeat_puts_nobody_in_twice() {
    town::runtime().block_on(async {
        const PERSONS: u64 = 20_000;
        let dir = tempfile::tempdir().unwrap();
        let (data, file) = with_a_list(dir.path(), PERSONS);
        let serve = serving(&data).await;
        let import = std::thread::spawn({
            let (data, file) = (data.clone(), file.clone());
            move || tz(Kind::Node, &data, &["import", &file])
        });
        let total = || tz(Kind::Node, &data, &["--json", "list", "resident", "--limit", "1"]).json()["total"].as_u64();
        while total().is_none_or(|total| total == 0) {
            assert!(!import.is_finished(), "it was through before it could be killed");
        }
        drop(serve);
        import.join().unwrap().exits(1).says(&["应答前停止", "重新启动 serve"]);

        let _serve = serving(&data).await;
        tz(Kind::Node, &data, &["import", &file]).exits(0);
        assert_eq!(total(), Some(PERSONS));
    });
}
