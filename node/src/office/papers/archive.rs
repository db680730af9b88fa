//! 卷宗目录: the catalogue of an office's archive, and labels for its volumes (notice, item 52; domain-detail 2.14).

use super::{day, name, shown, standing, table};
use crate::{ledger::Ledger, store::StoreError};
use taizhang_proto::{
    OrgCode, Record,
    date::{self, Day},
    pb,
    register::{Value, field, number, registers},
};

/// A class as it is asked for, by its code or its word; none for all.
///
/// # Errors
/// Names the classes where there is no such one.
pub(super) fn class(written: &str) -> Result<Option<String>, String> {
    if written.trim().is_empty() {
        return Ok(None);
    }
    let field = registers().get(number::ARCHIVE_ENTRY).and_then(|def| def.field(field::archive_entry::CLASS));
    let parsed = field.and_then(|field| Value::parse(field, written).ok());
    if let Some((Value::Text(code), None)) = parsed {
        return Ok(Some(code));
    }
    let list = field.and_then(|field| field.codes);
    let words: Vec<&str> = list.iter().flat_map(|list| list.codes.values()).map(String::as_str).collect();
    Err(format!("档案类别为：{} (one of these classes)", words.join("、")))
}

/// The entries of a year and a class, by their numbers.
pub(super) fn entries(ledger: &Ledger, year: u32, class: Option<&str>) -> Result<Vec<(OrgCode, Record)>, StoreError> {
    let mut found = Vec::new();
    for (_, home, record) in standing(ledger, number::ARCHIVE_ENTRY, false)? {
        let of_year = year == 0 || year_of(&record).is_some_and(|own| i64::from(own) == i64::from(year));
        let of_class = class.is_none_or(|class| record.slice(field::archive_entry::CLASS) == Some(class.as_bytes()));
        if of_year && of_class {
            found.push((home, record));
        }
    }
    found.sort_by_cached_key(|(home, record)| (shown(record, "archive_no"), *home));
    Ok(found)
}

fn year_of(record: &Record) -> Option<i16> {
    record.day(field::archive_entry::FORMED_ON).and_then(date::civil).map(jiff::civil::Date::year)
}

/// Every entry in a line, with the place where it stands.
pub(super) fn catalogue(ledger: &Ledger, entries: &[(OrgCode, Record)], on: Day) -> pb::Paper {
    let row = |(place, (home, record)): (usize, &(OrgCode, Record))| {
        let of = |name: &str| shown(record, name);
        let filed = record.day(field::archive_entry::ARCHIVED_ON).filter(|filed| *filed <= on);
        let filed = filed.map_or_else(|| "未归档 (not filed)".to_owned(), date::iso);
        let head = [(place + 1).to_string(), of("archive_no"), of("title"), of("class")];
        let rest = [
            day(record.day(field::archive_entry::FORMED_ON)),
            of("pages"),
            filed,
            of("keep"),
            of("place"),
            name(ledger, *home),
        ];
        head.into_iter().chain(rest).collect()
    };
    let columns = [
        ("no", "顺序号"),
        ("archive_no", "档号"),
        ("title", "题名"),
        ("class", "类别"),
        ("formed_on", "形成日期"),
        ("pages", "页数"),
        ("archived_on", "归档日期"),
        ("keep", "保管期限"),
        ("place", "存放位置"),
        ("name", "立卷单位"),
    ];
    let pages: u64 = entries
        .iter()
        .filter_map(|(_, record)| record.varint(field::archive_entry::PAGES))
        .fold(0, u64::saturating_add);
    pb::Paper {
        title: format!("{}卷宗目录", name(ledger, ledger.unit())),
        notes: vec![format!("共 {} 件，{pages} 页，截至 {} (entries, pages)", entries.len(), date::iso(on))],
        tables: vec![table("catalogue", "目录 (catalogue)", &columns, entries.iter().enumerate().map(row).collect())],
        foot: "立卷人：　　　　　　检查人：　　　　　　立卷时间：　　　　　　".into(),
    }
}

/// A label for each volume: what stands on its back.
pub(super) fn labels(ledger: &Ledger, entries: &[(OrgCode, Record)]) -> pb::Paper {
    let row = |(home, record): &(OrgCode, Record)| {
        let of = |name: &str| shown(record, name);
        let year = year_of(record).map(|year| year.to_string()).unwrap_or_default();
        vec![
            name(ledger, *home),
            of("archive_no"),
            of("title"),
            year,
            of("class"),
            of("keep"),
            of("pages"),
            of("place"),
        ]
    };
    let columns = [
        ("name", "立卷单位"),
        ("archive_no", "档号"),
        ("title", "题名"),
        ("year", "年度"),
        ("class", "类别"),
        ("keep", "保管期限"),
        ("pages", "页数"),
        ("place", "存放位置"),
    ];
    pb::Paper {
        title: format!("{}卷宗标签", name(ledger, ledger.unit())),
        tables: vec![table("labels", "标签 (labels)", &columns, entries.iter().map(row).collect())],
        ..pb::Paper::default()
    }
}
