//! The floors of the house as ARCHITECTURE.md has them. Invariant: no module uses what is above it, and no modules go in a circle.

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

/// The rows of the table: crate or folder, floor, modules.
fn table() -> Vec<(String, u32, Vec<String>)> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let floors = text.split("\n## Floors\n").nth(1).expect("ARCHITECTURE.md has a chapter on floors");
    let rows = floors.lines().take_while(|line| !line.starts_with("## ")).filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let modules = cells[2].split(' ').map(|name| name.trim_matches('`').to_owned()).collect();
        (cells[0].trim_matches('`').to_owned(), cells[1].parse().unwrap(), modules)
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
        let mut floor_of: BTreeMap<&str, u32> = BTreeMap::new();
        for (_, floor, modules) in table.iter().filter(|(of, ..)| of == crate_name) {
            for module in modules {
                assert!(arrows.contains_key(module), "{crate_name}: the table names {module}, which is not there");
                assert!(floor_of.insert(module, *floor).is_none(), "{crate_name}: {module} stands on two floors");
            }
        }
        for (module, uses) in &arrows {
            let floor = floor_of.get(module.as_str());
            let floor = floor.unwrap_or_else(|| panic!("{crate_name}: the table has no floor for {module}"));
            for used in uses {
                assert!(floor_of[used.as_str()] <= *floor, "{crate_name}: {module} uses {used}, which is above it");
            }
        }
        assert_eq!(circles(&arrows), BTreeSet::new(), "{crate_name}");
    }
}

/// The paths that a tree of a `use` names: `a::{b, c::D}` are `a::b` and `a::c::D`.
fn leaves(tree: &str, before: &[String], found: &mut Vec<Vec<String>>) {
    let tree = tree.trim();
    let (path, group) = tree.split_once('{').map_or((tree, None), |(path, group)| (path, group.strip_suffix('}')));
    let names = path.split("::").map(str::trim).filter(|name| !name.is_empty() && *name != "self");
    let path: Vec<String> = before.iter().cloned().chain(names.map(str::to_owned)).collect();
    let Some(group) = group else { return found.push(path) };
    let (mut depth, mut begins) = (0, 0);
    for (at, sign) in group.char_indices().chain([(group.len(), ',')]) {
        match sign {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let one = &group[begins..at];
                begins = at + 1;
                if !one.trim().is_empty() {
                    leaves(one, &path, found);
                }
            }
            _ => {}
        }
    }
}

/// Every path that begins with `super`, `self` or `crate` in a program without its comments and its tests.
fn paths(text: &str) -> Vec<Vec<String>> {
    let lines = text.lines().take_while(|line| *line != "mod tests {");
    let program: String = lines.map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect();
    let mut found = Vec::new();
    for item in program.split(';') {
        // An attribute may stand before it.
        if let Some((_, tree)) =
            item.rsplit_once("use ").filter(|(before, _)| before.rsplit('\n').next().is_some_and(is_public))
        {
            leaves(tree, &[], &mut found);
            continue;
        }
        let words = item.split(|sign: char| !(sign.is_alphanumeric() || "_:".contains(sign)));
        found
            .extend(words.filter(|word| word.contains("::")).map(|word| word.split("::").map(str::to_owned).collect()));
    }
    // What begins with a module that the file declares is below it.
    let declared: BTreeSet<&str> = program
        .split(';')
        .filter_map(|item| {
            item.rsplit_once("mod ").filter(|(before, _)| before.rsplit('\n').next().is_some_and(is_public))
        })
        .map(|(_, name)| name)
        .collect();
    for path in &mut found {
        if declared.contains(path[0].as_str()) {
            path.insert(0, "self".to_owned());
        }
    }
    found.retain(|path: &Vec<String>| ["super", "self", "crate"].contains(&path[0].as_str()));
    found
}

/// Whether this stands before a `use` that is public.
fn is_public(before: &str) -> bool {
    let before = before.trim();
    before.is_empty() || before == "pub" || before.starts_with("pub(")
}

/// Which files of a folder use which others, each by its path within it: what `super` names is followed through what a file hands on
/// (`pub use`). The file that bears the folder's name holds what all share and is none of them; `whole` are folders that are one.
fn arrows_within(folder: &Path, whole: &[&str]) -> Arrows {
    let mut files = Vec::new();
    sources(folder, &mut files);
    let tests = |path: &PathBuf| {
        path.components().any(|part| ["tests", "tests.rs"].iter().any(|name| part.as_os_str() == *name))
    };
    files.retain(|path| !tests(path));
    let name = |path: &Path| path.strip_prefix(folder).unwrap().with_extension("").to_str().unwrap().to_owned();
    let own = folder.file_name().unwrap().to_str().unwrap();
    let mut texts: BTreeMap<String, String> =
        files.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect();
    let modules: BTreeSet<String> = texts.keys().cloned().collect();
    texts.insert(String::new(), fs::read_to_string(folder.with_extension("rs")).unwrap());
    // A path from the folder on, of one that stands in a file.
    let absolute = |file: &str, path: &[String]| -> Option<Vec<String>> {
        let mut base: Vec<String> = file.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        match path[0].as_str() {
            "crate" => return (path.get(1)? == own).then(|| path[2..].to_vec()),
            "self" => {}
            _ => {
                for _ in path.iter().take_while(|name| *name == "super") {
                    base.pop()?;
                }
            }
        }
        base.extend(path.iter().skip_while(|name| ["super", "self"].contains(&name.as_str())).cloned());
        Some(base)
    };
    let handed_on = |file: &str, wanted: &String| -> Option<Vec<String>> {
        let uses = texts[file].split(';').filter_map(|item| {
            let (before, tree) = item.rsplit_once("use ")?;
            before.rsplit('\n').next().is_some_and(|line| line.trim().starts_with("pub")).then_some(tree)
        });
        let mut found = Vec::new();
        uses.for_each(|tree| leaves(tree, &[], &mut found));
        let renamed = format!(" as {wanted}");
        let is_it = |path: &Vec<String>| path.last().is_some_and(|last| last == wanted || last.ends_with(&renamed));
        let mut path = found.into_iter().find(is_it)?;
        if let Some((name, _)) = path.last().and_then(|last| last.split_once(" as ")) {
            let name = name.to_owned();
            path.pop();
            path.push(name);
        }
        let relative = !["super", "self", "crate"].contains(&path[0].as_str());
        absolute(file, &if relative { [vec!["self".to_owned()], path].concat() } else { path })
    };
    let module_of = |mut path: Vec<String>| -> Option<String> {
        for _ in 0..4 {
            let found = (0..=path.len()).rev().map(|length| path[..length].join("/"));
            let found = found.into_iter().find(|name| name.is_empty() || modules.contains(name))?;
            let length = found.split('/').filter(|part| !part.is_empty()).count();
            match path.get(length).and_then(|wanted| handed_on(&found, wanted)) {
                Some(next) if next != path => path = next,
                _ => return Some(found).filter(|name| !name.is_empty()),
            }
        }
        None
    };
    let one = |name: String| {
        let of = whole.iter().find(|folder| name.strip_prefix(**folder).is_some_and(|rest| rest.starts_with('/')));
        of.map_or(name, |folder| (*folder).to_owned())
    };
    let mut arrows: Arrows = modules.iter().map(|name| (one(name.clone()), BTreeSet::new())).collect();
    for file in &modules {
        let used = paths(&texts[file]).into_iter().filter_map(|path| module_of(absolute(file, &path)?)).map(one);
        let from = one(file.clone());
        let used: Vec<String> = used.filter(|name| *name != from).collect();
        arrows.get_mut(&from).unwrap().extend(used);
    }
    arrows
}

/// Checks the files of a folder against its rows of the table.
fn hold_their_floors(folder: &str, whole: &[&str]) -> Arrows {
    let arrows = arrows_within(&root().join(folder), whole);
    let table = table();
    let floors = table.iter().filter(|(of, ..)| of == folder);
    let floor_of: BTreeMap<&String, u32> =
        floors.flat_map(|(_, floor, rooms)| rooms.iter().map(|room| (room, *floor))).collect();
    assert_eq!(
        arrows.keys().collect::<Vec<_>>(),
        floor_of.keys().copied().collect::<Vec<_>>(),
        "rooms, and the table's"
    );
    for (room, uses) in &arrows {
        for used in uses {
            assert!(floor_of[used] <= floor_of[room], "{folder}: {room} uses {used}, which is above it");
        }
    }
    assert_eq!(circles(&arrows), BTreeSet::new(), "{folder}");
    arrows
}

#[test]
fn no_rule_of_counting_uses_what_is_above_it() {
    let arrows = hold_their_floors("proto/src/cell", &[]);
    assert!(arrows["household"].contains("services") && arrows["doubt"].contains("worklist"), "{arrows:?}");
}

#[test]
fn no_room_of_the_writer_uses_what_is_above_it() {
    // A commit is one: what it reads, holds and derives lies in several files.
    let arrows = hold_their_floors("hub/src/writer", &["commit"]);
    // What only a path shows that is handed on is seen, too.
    assert!(arrows["mail"].contains("job") && arrows["judge"].contains("recovery/offers"), "{arrows:?}");
}

/// The folders of a crate that bear a module's name.
fn folders(under: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "tests") {
            if path.with_extension("rs").is_file() {
                found.push(path.clone());
            }
            folders(&path, found);
        }
    }
}

/// The circles among the rooms of a folder, in which a module is one with the folder that bears its name: that folder is looked at by
/// itself.
fn circles_within(folder: &Path) -> BTreeSet<Vec<String>> {
    let rooms: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().with_extension("").file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    circles(&arrows_within(folder, &rooms.iter().map(String::as_str).collect::<Vec<_>>()))
}

#[test]
fn the_files_of_a_folder_go_in_no_circle() {
    let mut all = Vec::new();
    for crate_name in ["proto", "node", "hub"] {
        folders(&root().join(crate_name).join("src"), &mut all);
    }
    assert!(all.len() > 40, "{}", all.len());
    let name = |folder: &Path| folder.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    // Those with floors of their own are looked at file by file, above.
    all.retain(|folder| !["proto/src/cell", "hub/src/writer"].contains(&name(folder).as_str()));
    let found = all.iter().flat_map(|folder| circles_within(folder).into_iter().map(|circle| (name(folder), circle)));
    assert_eq!(found.collect::<Vec<_>>(), []);
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
    let inner = "mod below;\n#[cfg(x)]\nuse super::{alpha::{self, Beta}, gamma};\npub(super) use crate::delta;\nfn f() { super::g::h(1); below::i(); }";
    let inner: Vec<String> = paths(inner).into_iter().map(|path| path.join("::")).collect();
    assert_eq!(
        inner,
        ["super::alpha", "super::alpha::Beta", "super::gamma", "crate::delta", "super::g::h", "self::below::i"]
    );
    let house = arrows(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"]), ("d", &[])]);
    assert_eq!(circles(&house), BTreeSet::from([vec!["b".to_owned(), "c".to_owned()]]));
}
