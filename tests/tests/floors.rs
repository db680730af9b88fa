//! The floors of the house as ARCHITECTURE.md has them. Invariant: no module uses what is above it, and no modules go in a circle but
//! those that the table still names as one.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Which modules of a crate each one uses.
type Arrows = BTreeMap<String, BTreeSet<String>>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The rows of the table: crate, floor (or `circle`), modules.
fn table() -> Vec<(String, String, Vec<String>)> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let floors = text.split("\n## Floors\n").nth(1).expect("ARCHITECTURE.md has a chapter on floors");
    let rows = floors.lines().take_while(|line| !line.starts_with("## ")).filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let modules = cells[2].split(' ').map(|name| name.trim_matches('`').to_owned()).collect();
        (cells[0].trim_matches('`').to_owned(), cells[1].to_owned(), modules)
    })
    .collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
}

/// The names that follow `crate::` in a program without its comments and its tests: alone, or in a group.
fn named(text: &str) -> BTreeSet<String> {
    let program = text.split("\nmod tests {").next().unwrap_or_default();
    let lines = program.lines().map(|line| line.split("//").next().unwrap_or_default());
    let program = lines.collect::<Vec<_>>().join("\n");
    let word =
        |text: &str| text.trim_start().chars().take_while(|sign| sign.is_alphanumeric() || *sign == '_').collect();
    let mut names = BTreeSet::new();
    for (place, _) in program.match_indices("crate::") {
        let whole = program[..place].chars().last().is_none_or(|before| !before.is_alphanumeric() && before != '_');
        let rest = &program[place + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{').filter(|_| whole) else {
            names.extend(whole.then(|| word(rest)));
            continue;
        };
        let (mut depth, mut begins) = (0, 0);
        for (at, sign) in group.char_indices() {
            match sign {
                '{' => depth += 1,
                ',' if depth == 0 => {
                    names.insert(word(&group[begins..at]));
                    begins = at + 1;
                }
                '}' if depth == 0 => {
                    names.insert(word(&group[begins..at]));
                    break;
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
    names.remove(""); // behind the last comma of a group
    names
}

fn arrows(crate_name: &str) -> Arrows {
    let src = root().join(crate_name).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let module_of = |path: &Path| {
        let within = path.strip_prefix(&src).unwrap();
        within.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
    };
    let modules: BTreeSet<String> = files.iter().map(|path| module_of(path)).filter(|name| name != "lib").collect();
    let mut arrows: Arrows = modules.iter().map(|name| (name.clone(), BTreeSet::new())).collect();
    for path in &files {
        let in_tests = path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs");
        let (own, text) = (module_of(path), fs::read_to_string(path).unwrap());
        if let Some(uses) = arrows.get_mut(&own).filter(|_| !in_tests) {
            uses.extend(named(&text).into_iter().filter(|name| *name != own && modules.contains(name)));
        }
    }
    arrows
}

/// Everything that can be reached from a module.
fn reached(arrows: &Arrows, from: &str) -> BTreeSet<String> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(next) = open.pop() {
        for name in &arrows[&next] {
            if found.insert(name.clone()) {
                open.push(name.clone());
            }
        }
    }
    found
}

/// The circles of modules, each ascending.
fn circles(arrows: &Arrows) -> BTreeSet<Vec<String>> {
    let reach: BTreeMap<&String, BTreeSet<String>> = arrows.keys().map(|name| (name, reached(arrows, name))).collect();
    let together = |name: &String| -> Vec<String> {
        arrows.keys().filter(|other| reach[name].contains(*other) && reach[*other].contains(name)).cloned().collect()
    };
    arrows.keys().map(together).filter(|circle| circle.len() > 1).collect()
}

#[test]
fn nothing_uses_what_is_above_it() {
    let table = table();
    for crate_name in ["proto", "node", "hub"] {
        let arrows = arrows(crate_name);
        let own = || table.iter().filter(|(of, ..)| of == crate_name);
        let mut floor_of: BTreeMap<&str, u32> = BTreeMap::new();
        for (_, floor, modules) in own() {
            let Ok(floor) = floor.parse() else { continue };
            for module in modules {
                assert!(arrows.contains_key(module), "{crate_name}: the table names {module}, which is not there");
                assert!(floor_of.insert(module, floor).is_none(), "{crate_name}: {module} stands on two floors");
            }
        }
        for (module, uses) in &arrows {
            let floor = floor_of.get(module.as_str());
            let floor = floor.unwrap_or_else(|| panic!("{crate_name}: the table has no floor for {module}"));
            for used in uses {
                assert!(floor_of[used.as_str()] <= *floor, "{crate_name}: {module} uses {used}, which is above it");
            }
        }
        let known: BTreeSet<Vec<String>> = own()
            .filter(|(_, floor, _)| floor == "circle")
            .map(|(_, _, modules)| {
                let mut modules = modules.clone();
                modules.sort();
                modules
            })
            .collect();
        assert_eq!(circles(&arrows), known, "{crate_name}: circles, and those that the table still names");
    }
}

#[test]
fn an_arrow_is_found_however_it_is_written() {
    let text = "use crate::{\n    alpha,\n    beta::{gamma, delta},\n    epsilon::Zeta,\n};\nuse crate::eta::Theta;\n// crate::not\n\
                fn f() { crate::iota::g(); mycrate::h(); }\nmod tests { use crate::kappa; }";
    let found: Vec<String> = named(text).into_iter().collect();
    assert_eq!(found, ["alpha", "beta", "epsilon", "eta", "iota"]);
    let arrows = |pairs: &[(&str, &[&str])]| -> Arrows {
        pairs.iter().map(|(from, to)| ((*from).to_owned(), to.iter().map(|one| (*one).to_owned()).collect())).collect()
    };
    let house = arrows(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"]), ("d", &[])]);
    assert_eq!(circles(&house), BTreeSet::from([vec!["b".to_owned(), "c".to_owned()]]));
}
