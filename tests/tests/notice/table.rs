//! The table of the notice's 52 items: each names the tests that exercise it, and every one of them exists.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// How many items there are.
const ITEMS: usize = 52;

/// One row: what the notice says, the tests, what they assert.
struct Row<'t> {
    item: usize,
    term: &'t str,
    tests: Vec<&'t str>,
    asserted: &'t str,
}

/// The rows of a Markdown table whose first cell is a number.
fn rows(text: &str) -> Vec<Row<'_>> {
    text.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<Row<'_>> {
    let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
    let [item, term, tests, asserted] = cells[..] else { return None };
    let tests = tests.split("<br>").map(|test| test.trim().trim_matches('`')).collect();
    Some(Row { item: item.parse().ok()?, term, tests, asserted })
}

/// The file of a test `target::module::function`, or `target::function`, and the function's name.
fn place(tests: &Path, name: &str) -> Option<(PathBuf, String)> {
    match name.split("::").collect::<Vec<_>>()[..] {
        [target, function] => {
            let (single, many) = (tests.join(format!("{target}.rs")), tests.join(target).join("main.rs"));
            Some((if single.exists() { single } else { many }, function.to_owned()))
        }
        [target, module, function] => Some((tests.join(target).join(format!("{module}.rs")), function.to_owned())),
        _ => None,
    }
}

/// The names of the tests in a source file: the functions that follow a `#[test]` or `#[tokio::test(…)]`.
fn tests_in(source: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    let mut marked = false;
    for line in source.lines().map(str::trim) {
        let head = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "));
        if let (true, Some(head)) = (marked, head) {
            found.extend(head.split('(').next());
        }
        marked = line.starts_with("#[test]") || line.starts_with("#[tokio::test");
    }
    found
}

#[test]
fn every_item_of_the_notice_is_in_the_table_once_and_its_tests_exist() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(home.join("NOTICE.md")).unwrap();
    let rows = rows(&text);
    let items: Vec<usize> = rows.iter().map(|row| row.item).collect();
    assert_eq!(items, (1..=ITEMS).collect::<Vec<_>>(), "each item once, in order");
    let mut sources = BTreeMap::new();
    let mut named = BTreeSet::new();
    for row in &rows {
        assert!(!row.term.is_empty() && row.asserted.chars().count() > 20, "item {} says too little", row.item);
        for test in &row.tests {
            let (file, function) = place(&home.join("tests"), test).unwrap_or_else(|| panic!("{test} names no test"));
            let source =
                sources.entry(file).or_insert_with_key(|file| std::fs::read_to_string(file).unwrap_or_default());
            assert!(tests_in(source).contains(function.as_str()), "item {}: there is no test {test}", row.item);
            named.insert(*test);
        }
    }
    // What is tested here is tested for an item.
    let notice = home.join("tests/notice");
    for file in std::fs::read_dir(&notice).unwrap().map(|entry| entry.unwrap().path()) {
        let module = file.file_stem().unwrap().to_string_lossy().into_owned();
        let source = std::fs::read_to_string(&file).unwrap();
        for function in tests_in(&source).into_iter().filter(|_| module != "table") {
            let name = format!("notice::{module}::{function}");
            assert!(named.contains(name.as_str()), "{name} is for no item of the table");
        }
    }
}
