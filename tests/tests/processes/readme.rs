//! The README's set-up, typed line by line as it stands: it ends with a roster imported and the city's total moved.

use crate::town::{self, Answer, Kind, Serving, free_port, tz, units};
use std::{fs, path::Path};

/// Most commands that it may take for a city, a district and an office together.
const MOST_COMMANDS: usize = 10;

/// The roster that the reader imports.
const ROSTER: &str = "求职登记台账.xlsx";

/// The lines that are typed, without what is said about them.
fn typed() -> Vec<String> {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let section = readme.split("## Set up for real").nth(1).unwrap();
    let lines = section
        .lines()
        .skip_while(|line| !line.starts_with("    "))
        .take_while(|line| line.is_empty() || line.starts_with("    "));
    let lines =
        lines.map(|line| line.split(" #").next().unwrap_or_default().trim().trim_start_matches("# ").to_owned());
    lines.filter(|line| line.starts_with("taizhang-")).collect()
}

/// A line's program, directory, other words, and the file that its answer goes into.
struct Line {
    kind: Kind,
    dir: String,
    words: Vec<String>,
    into: Option<String>,
}

impl Line {
    fn read(line: &str) -> Self {
        let (command, into) = match line.split_once(" > ") {
            Some((command, into)) => (command, Some(into.trim().to_owned())),
            None => (line, None),
        };
        let mut words = command.split_whitespace().map(str::to_owned);
        let kind = if words.next().unwrap() == "taizhang-hub" { Kind::Hub } else { Kind::Node };
        assert_eq!(words.next().as_deref(), Some("--dir"), "{line}");
        Self { kind, dir: words.next().unwrap(), words: words.collect(), into }
    }

    /// With what stands for this computer in place of what the reader has.
    fn here(mut self, dir: &Path, ports: [u16; 2]) -> Self {
        let place = |word: &str| dir.join(word).display().to_string();
        for word in &mut self.words {
            if let Some(file) = word.strip_prefix('@') {
                *word = format!("@{}", place(file));
            } else if word == ROSTER {
                *word = place(word);
            } else if word == "units.csv" {
                *word = units();
            }
            let [city, district] = ports.map(|port| format!("127.0.0.1:{port}"));
            *word = word.replace("city.example:7201", &city).replace("xinfu.example:7202", &district);
        }
        self
    }

    fn run(&self, dir: &Path) -> Answer {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let answer = tz(self.kind, &dir.join(&self.dir), &words).exits(if self.words[0] == "import" { 3 } else { 0 });
        if let Some(file) = &self.into {
            fs::write(dir.join(file), &answer.out).unwrap();
        }
        answer
    }
}

#[test]
fn the_readme_typed_as_it_stands_ends_with_the_citys_total_moved() {
    let lines = typed();
    assert!(!lines.is_empty() && lines.len() <= MOST_COMMANDS, "{} commands: {lines:#?}", lines.len());
    town::runtime().block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("logs");
        fs::create_dir(&logs).unwrap();
        fs::copy(format!("{}/data/rosters/{ROSTER}", env!("CARGO_MANIFEST_DIR")), dir.path().join(ROSTER)).unwrap();
        let ports = [free_port(), free_port()];
        let mut running = Vec::new();
        let mut imported = String::new();
        for line in lines.iter().map(|line| Line::read(line).here(dir.path(), ports)) {
            if line.words[0] != "serve" {
                imported = line.run(dir.path()).out;
                continue;
            }
            let data = dir.path().join(&line.dir);
            let is_live = line.words.iter().any(|word| word == "--live");
            let mut serving = match line.kind {
                Kind::Hub => Serving::hub(&data, &logs, &["serve"]),
                Kind::Node if is_live => Serving::node(&data, &logs, &["serve", "--live"]),
                Kind::Node => Serving::node(&data, &logs, &["serve"]),
            };
            serving.up().await;
            running.push(serving);
        }
        assert!(imported.contains("231"), "{imported}");
        town::until("the city's total has moved", async || {
            let totals = running[0].tz(&["--json", "totals", "--indicator", "K00"]).exits(0).json();
            (totals["values"][0]["numerator"] == 231).then_some(())
        })
        .await;
        for mut process in running.into_iter().rev() {
            process.stop().await;
        }
    });
}
