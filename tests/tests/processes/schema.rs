//! What programs get of `--json`: every command of both programs answers with one document, whose numbers are numbers, whose
//! booleans are booleans and whose times are of RFC 3339; and an error is one document, too.
//! Invariant: a command that is not asked here fails the test; what it prints is then looked at by the same rules.

use crate::town::{self, CITY, DISTRICT, Kind, OFFICES, Town, tz};
use serde_json::Value as Json;
use std::{collections::BTreeSet, path::Path};
use taizhang_node::identity::Identity;
use taizhang_proto::{date, month::Month};

/// Commands that print no data: they run on, or print a text for a shell.
const NO_DATA: [&str; 5] = ["serve", "completions", "man", "help", "watch"];

/// Keys whose values name something, though they may look like numbers.
const NAMES: [&str; 10] = ["code", "unit", "home_unit", "id_no", "number", "phone", "units", "hub", "other", "value"];

/// A command with who decides and why.
fn with<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &["--by", "王科长", "--reason", "经查户口簿"]].concat()
}

/// What is wrong with a document, by the path of each fault.
fn faults(path: &str, key: &str, value: &Json, found: &mut Vec<String>) {
    match value {
        Json::Object(pairs) => {
            for (key, value) in pairs {
                faults(&format!("{path}.{key}"), key, value, found);
            }
        }
        Json::Array(items) => {
            for item in items {
                faults(&format!("{path}[]"), key, item, found);
            }
        }
        Json::String(text) => {
            let is_number = text.parse::<f64>().is_ok() && !NAMES.contains(&key);
            let is_time = text.len() == 19 && text.as_bytes()[10] == b' ' && text.as_bytes()[13] == b':';
            if is_number || is_time || ["true", "false"].contains(&text.as_str()) {
                found.push(format!("{path} is a text, such as {text:?}"));
            }
        }
        Json::Number(_) if NAMES.contains(&key) && !["number", "units"].contains(&key) => {
            found.push(format!("{path} = {value}"));
        }
        // Seconds and milliseconds since 1970 are no times to a reader.
        Json::Number(number) if number.as_f64().is_some_and(|number| number > 1e9 && number < 3e12) => {
            found.push(format!("{path} = {number}"));
        }
        _ => {}
    }
}

/// The commands that a program has, by its help.
fn commands(kind: Kind) -> BTreeSet<String> {
    let help = tz(kind, Path::new("nowhere"), &["--help"]).exits(0).out;
    let listed = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let names =
        listed.take_while(|line| !line.is_empty()).filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// Asks every command in turn and tells what is wrong with what it prints.
struct Asked {
    names: BTreeSet<String>,
    found: Vec<String>,
}

impl Asked {
    fn new() -> Self {
        Self { names: NO_DATA.map(str::to_owned).into(), found: Vec::new() }
    }

    /// Asks with `--json`, expects it to go well or (3) partly well.
    fn ask(&mut self, kind: Kind, data: &Path, arguments: &[&str]) -> Json {
        self.names.insert(arguments[0].to_owned());
        let answer = tz(kind, data, &[&["--json"], arguments].concat());
        let said = arguments.join(" ");
        if ![0, 3].contains(&answer.code) {
            self.found.push(format!("{said}: exit {} {}{}", answer.code, answer.out, answer.err));
        }
        let document = document(&answer.out);
        match &document {
            Some(document) => {
                if !document.is_object() {
                    self.found.push(format!("{said}: no object, which could say of when it is"));
                }
                faults(&said, "", document, &mut self.found);
            }
            None => {
                self.found.push(format!("{said}: no document: {:?}", answer.out.chars().take(200).collect::<String>()));
            }
        }
        document.unwrap_or_default()
    }
}

fn document(text: &str) -> Option<Json> {
    serde_json::from_str(text).ok()
}

#[test]
fn every_command_answers_a_program_with_one_document_of_data() {
    town::runtime().block_on(async {
        let mut town = Town::found(3, "live").await;
        for office in &mut town.offices {
            office.up().await;
        }
        let (office, street) = (town.offices[0].data.clone(), town.offices[2].data.clone());
        let (district, city) = (town.district.data.clone(), town.city.data.clone());
        let aside = |name: &str| town.dir.path().join(name).display().to_string();
        let today = date::shanghai(taizhang_node::ledger::system_clock()());
        let month = Month::of(Month::of(today).unwrap().first_day() - 1).unwrap().to_string();
        let today = date::iso(today);
        let mut node = Asked::new();
        let mut hub = Asked::new();

        // An office.
        let (new, new_hub) = (town.dir.path().join("new"), town.dir.path().join("new-hub"));
        node.ask(Kind::Node, &new, &["init", "--unit", OFFICES[1]]);
        hub.ask(
            Kind::Hub,
            &new_hub,
            &["init", "--unit", CITY, "--tier", "city", "--advertise", "https://city.example:7201"],
        );
        let key = hub.ask(Kind::Hub, &city, &["token", "--hub", "--unit", "210403000000"]);
        let key = key["token"].as_str().unwrap_or_default();
        let neighbour = town.dir.path().join("neighbour");
        hub.ask(Kind::Hub, &neighbour, &["init", key, "--advertise", "https://localhost:7299"]);
        hub.ask(Kind::Hub, &neighbour, &["enrol", key]);
        let token = hub.ask(Kind::Hub, &district, &["token", "--unit", OFFICES[1]]);
        node.ask(Kind::Node, &new, &["enrol", token["token"].as_str().unwrap_or_default()]);
        let roster = aside("roster.csv");
        std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/data/rosters/laodong99.csv"), &roster).unwrap();
        node.ask(Kind::Node, &office, &["import", &roster]);
        let id = ["110101196501010018", "110101196601010023"].map(|id| format!("id_no={id}"));
        let resident =
            |name: &str, id: &str| tz(Kind::Node, &office, &["--json", "save", "resident", name, id]).exits(0);
        resident("name=钱二妹", &id[0]);
        resident("name=钱小宝", &id[1]);
        node.ask(
            Kind::Node,
            &office,
            &["save", "household", "head_person=110101196501010018", "address=和平街8号", "status=1"],
        );
        node.ask(
            Kind::Node,
            &office,
            &["save", "member", "household=钱二妹", "person=110101196501010018", "counted=是"],
        );
        node.ask(Kind::Node, &office, &["save", "zef_case", "household=钱二妹", "kind=1"]);
        for read in [
            &["status"][..],
            &["sync"],
            &["refused"],
            &["due"],
            &["worklist"],
            &["doubts"],
            &["to-file"],
            &["standing"],
            &["list", "resident"],
            &["list", "zef_case"],
            &["search", "钱"],
            &["fields"],
            &["fields", "resident"],
            &["history", "110101196501010018"],
            &["card", "110101196501010018"],
            &["mappings"],
            &["mappings", "姓名", "AAC003"],
            &["months"],
            &["tasks", "--all"],
            &["campaigns"],
            &["publicity"],
            &["archive"],
            &["verify"],
            &["config", "check"],
            &["open"],
            &["user", "list"],
            &["units", "find", "街道"],
            &["export", "resident", &aside("a.csv")],
            &["worklist", "--export", &aside("w.csv")],
            &["due", "--export", &aside("due.csv")],
            &["history", "110101196501010018", "--print", &aside("h.html")],
            &["close", &month],
            &["months", &month],
        ] {
            node.ask(Kind::Node, &office, read);
        }

        // A word that stands for a code has the code beside it; what counts is a number, what is yes or no a boolean.
        let member = tz(Kind::Node, &office, &["--json", "list", "member"]).exits(0).json();
        assert_eq!(member["rows"][0]["counted"], true, "{member}");
        let case = tz(Kind::Node, &office, &["--json", "list", "zef_case"]).exits(0).json();
        assert_eq!(case["rows"][0]["kind"], serde_json::json!({ "code": "1", "label": "零就业家庭" }));
        assert_eq!(case["rows"][0]["home_unit"]["code"], OFFICES[0]);

        // The same person at the street: a duplicate to settle.
        tz(Kind::Node, &street, &["save", "resident", "name=钱二妹", "id_no=110101196501010018", "phone=13841300001"])
            .exits(0);
        tz(Kind::Node, &street, &["save", "resident", "name=孙三", "id_no=110101196701010039"]).exits(0);
        town::until("the district has somebody to settle", async || {
            let open = tz(Kind::Hub, &district, &["--json", "conflicts"]).exits(0).json();
            (open.to_string().contains("duplicate")).then_some(())
        })
        .await;
        for read in [&["conflicts"][..], &["show", "1"]] {
            node.ask(Kind::Node, &street, read);
            hub.ask(Kind::Hub, &district, read);
        }
        hub.ask(Kind::Hub, &district, &with(&["resolve", "1", "--choice", "merge"]));
        node.ask(Kind::Node, &street, &["conflicts", "--closed"]);
        hub.ask(Kind::Hub, &district, &["conflicts", "--closed"]);
        hub.ask(Kind::Hub, &district, &with(&["reopen", "1"]));
        // What the district has ruled on stays with it; a command that did nothing says so in its document, too.
        for settle in [&["resolve", "1", "--choice", "merge"][..], &["reopen", "1"]] {
            node.names.insert(settle[0].to_owned());
            let answer = tz(Kind::Node, &street, &[&["--json"], &with(settle)[..]].concat()).exits(1);
            assert_eq!(answer.json()["settled"], 0, "{answer:?}");
        }
        hub.ask(
            Kind::Hub,
            &district,
            &with(&["revise", "resident", "--record", "110101196701010039", "phone=13841300002"]),
        );
        hub.ask(Kind::Hub, &district, &with(&["merge", "110101196601010023", "110101196701010039", "--despite"]));

        // Who names somebody there is kept among those who looked.
        let looks = tz(Kind::Hub, &district, &["--json", "looks"]).exits(0).rows();
        assert!(
            looks.as_array().unwrap().iter().all(|look| look["by"] == "王科长") && looks.as_array().unwrap().len() >= 2
        );

        // What was done is in the log, and nobody's number.
        let log = tz(Kind::Hub, &district, &["--json", "audit-log"]).exits(0).rows();
        let did =
            |what: &str| log.as_array().unwrap().iter().any(|line| line["what"] == what && line["by"] == "王科长");
        assert!(["revise", "merge"].into_iter().all(did), "{log}");
        assert!(
            log.as_array().unwrap().iter().any(|line| line["what"] == "enrol" && line["role"] == "operator"),
            "{log}"
        );
        assert!(!log.to_string().contains("11010119"), "{log}");

        // At the office, too.
        let acts = ["import", "export", "worklist", "due", "history"].map(|what| (&office, what, "clerk"));
        for (data, what, role) in acts.into_iter().chain([(&new, "enrol", "operator")]) {
            let log = tz(Kind::Node, data, &["--json", "audit-log"]).exits(0).rows();
            let did = log.as_array().unwrap().iter().any(|line| line["what"] == what && line["role"] == role);
            assert!(did && !log.to_string().contains("11010119"), "{log}");
        }
        node.ask(Kind::Node, &office, &["audit-log"]);

        // The district, and the city.
        let clerk = ["--names", "--by", "王科长"];
        for read in [
            &["status"][..],
            &["nodes"],
            &["ca", "show"],
            &["keys", "show"],
            &["list", "resident"],
            &["list", "resident", clerk[0], clerk[1], clerk[2]],
            &["search", "钱", clerk[0], clerk[1], clerk[2]],
            &["card", "110101196601010023", clerk[0], clerk[1], clerk[2]],
            &["history", "110101196601010023", clerk[0], clerk[1], clerk[2]],
            &["doubts"],
            &["looks"],
            &["export", "resident", &aside("d.csv")],
            &["history", "110101196601010023", "--print", &aside("d.html"), clerk[0], clerk[1], clerk[2]],
            &["approve", &month, "--by", "王科长"],
            &["sync"],
        ] {
            hub.ask(Kind::Hub, &district, read);
        }
        hub.ask(Kind::Hub, &city, &with(&["lock", &month, "--yes"]));
        for (data, is_city) in [(&district, false), (&city, true)] {
            for read in [
                &["totals"][..],
                &["fields", "FecCase"],
                &["audit-log"],
                &["totals", "--trend"],
                &["totals", "--children"],
                &["totals", "--on", &today, "--by", "district"],
                &["indicators"],
                &["standing"],
                &["standing", "--only-missed"],
                &["standard"],
                &["commend"],
                &["draw", "--list"],
                &["plan"],
                &["backdated"],
                &["campaigns"],
                &["tasks"],
                &["months"],
                &["months", &month],
                &["report", &month],
                &["report", &month, "--file", &aside(if is_city { "c.xlsx" } else { "x.xlsx" })],
                &["adjustments", &month],
                &["audit"],
                &["verify"],
                &["config", "check"],
                &["units", "find", "永安台"],
                &["shares", "K00"],
                &["status"],
                &["nodes"],
            ] {
                hub.ask(Kind::Hub, data, read);
            }
        }
        hub.ask(
            Kind::Hub,
            &city,
            &[
                "papers",
                "give",
                "policy_document",
                "title=通知",
                "document_no=抚就发〔2026〕1号",
                "issuer=市就业局",
                "issued_on=2026-01-05",
                "--by",
                "张主任",
            ],
        );
        hub.ask(Kind::Hub, &city, &["papers", "list"]);
        hub.names.insert("decide".to_owned());
        let nobody = ["--json", "decide", "commend", "210402001002", "--by", "张主任"];
        assert!(document(&tz(Kind::Hub, &city, &nobody).exits(1).err).is_some(), "nobody holds the title");
        hub.ask(Kind::Hub, &city, &["confirm", "--by", "张主任"]);
        hub.ask(Kind::Hub, &city, &with(&["aside", DISTRICT]));
        let named = Identity::load(&new).unwrap().name.id;
        hub.ask(Kind::Hub, &district, &with(&["retire", &named]));
        node.ask(Kind::Node, &office, &["months", &month]);

        for (kind, asked) in [(Kind::Node, &node), (Kind::Hub, &hub)] {
            let left: Vec<String> = commands(kind).difference(&asked.names).cloned().collect();
            assert!(left.is_empty(), "{kind:?}: nobody asks {left:?} with --json");
        }
        let mut found = [node.found, hub.found].concat();
        found.sort();
        // One of each kind says enough.
        found.dedup_by_key(|fault| fault.split(" is a text").next().unwrap_or_default().to_owned());
        assert!(found.is_empty(), "{} faults:\n{}", found.len(), found.join("\n"));

        // An error is one document, too, on the error stream.
        for (kind, data, wrong) in [
            (Kind::Node, &office, &["history", "没有这个人"][..]),
            (Kind::Node, &office, &["save", "resident", "name=赵"]),
            (Kind::Node, &office, &["import", "nowhere.csv"]),
            (Kind::Hub, &district, &["show", "4711"]),
            (Kind::Hub, &district, &["report", "1999-01"]),
        ] {
            let answer = tz(kind, data, &[&["--json"], wrong].concat());
            assert_eq!(answer.code, 1, "{wrong:?}: {answer:?}");
            assert!(document(&answer.err).is_some_and(|error| error["error"].is_string()), "{wrong:?}: {answer:?}");
            assert!(answer.out.is_empty(), "{wrong:?}: {answer:?}");
        }
    });
}
