//! What the node's commands print.

use crate::{
    disk::{self, Secrecy},
    exchange::{self, Layouts},
    say,
    show::{self, Reader, lang},
};
use std::{path::Path, process::ExitCode};
use taizhang_proto::{RecordId, cell::worklist::Clock, date, limits::LIST_LINES, pb, register::registers};

/// What the columns of the list of cases are.
pub(super) const DUE_HEADINGS: [(&str, &str); 10] = [
    ("clock", "指标"),
    ("head", "户主"),
    ("due_on", "到期日"),
    ("days_left", "剩余天数"),
    ("phone", "电话"),
    ("address", "住址"),
    ("unit", "单位"),
    ("responsible", "责任人"),
    ("recognised_on", "认定日期"),
    ("record", "记录编号"),
];

/// The rows of the list of cases.
pub(super) fn due_rows(answer: &pb::DueAnswer) -> Vec<Vec<String>> {
    let row = |case: &pb::DueCase| {
        vec![
            case.clock.clone(),
            case.head.clone(),
            date::iso(case.due_on),
            case.days_left.to_string(),
            case.phone.clone(),
            case.address.clone(),
            case.unit_name.clone(),
            case.responsible.clone(),
            date::iso(case.recognised_on),
            RecordId::from_slice(&case.record).map(|id| id.to_string()).unwrap_or_default(),
        ]
    };
    answer.cases.iter().map(row).collect()
}

/// Cases with their days left.
pub(super) fn due(answer: &pb::DueAnswer, (within, found): (u32, Found), reader: Reader) {
    dated(
        (&DUE_HEADINGS, &due_rows(answer)),
        answer.cases.iter().map(|case| case.unit),
        (answer.on, within, found),
        reader,
    );
}

/// Prints what has a last day: how much of it there is, and its rows, each of the unit that is named for it.
fn dated(
    (headings, rows): (&[(&str, &str)], &[Vec<String>]),
    units: impl Iterator<Item = u64>,
    (on, within, found): (date::Day, u32, Found),
    reader: Reader,
) {
    if reader == Reader::Person {
        found.say(on, within, rows.len());
        return show::table(reader, headings, rows);
    }
    let mut told = show::listed(show::objects_of_units(headings, rows, units));
    told["on"] = date::iso(on).into();
    told["total"] = found.all.into();
    show::document(reader, told);
}

/// Writes a list to a table file, csv or xlsx, which is its owner's alone: it names people.
pub(super) fn to_sheet(
    file: &Path,
    (headings, rows): (&[(&str, &str)], &[Vec<String>]),
    (on, within, found): (date::Day, u32, Found),
    reader: Reader,
) -> anyhow::Result<ExitCode> {
    disk::write_file(file, &exchange::sheet(file, headings, rows)?, Secrecy::OwnerOnly)?;
    if reader == Reader::Person {
        found.say(on, within, found.all);
    }
    show::exported(reader, rows.len() as u64, file);
    Ok(ExitCode::SUCCESS)
}

/// What a worklist's columns are.
pub(super) const WORK_HEADINGS: [(&str, &str); 9] = [
    ("clock", "代码"),
    ("what", "事项"),
    ("title", "姓名/题名"),
    ("due_on", "期限"),
    ("days_left", "剩余天数"),
    ("phone", "电话"),
    ("address", "住址"),
    ("unit", "单位"),
    ("record", "记录编号"),
];

/// The column that says what has to be done.
const WHAT: usize = 1;

/// A worklist's rows.
pub(super) fn work_rows(answer: &pb::WorkAnswer) -> Vec<Vec<String>> {
    let row = |item: &pb::WorkItem| {
        vec![
            item.clock.clone(),
            item.what.clone(),
            item.title.clone(),
            date::iso(item.due_on),
            item.days_left.to_string(),
            item.phone.clone(),
            item.address.clone(),
            item.unit_name.clone(),
            item.record.clone(),
        ]
    };
    answer.items.iter().map(row).collect()
}

/// How much was found, before only some of it is shown.
pub(super) struct Found {
    all: usize,
    late: usize,
}

impl Found {
    /// Of how many days each has left.
    pub(super) fn of(days_left: impl Iterator<Item = i32>) -> Self {
        days_left.fold(Self { all: 0, late: 0 }, |found, days| Self {
            all: found.all + 1,
            late: found.late + usize::from(days < 0),
        })
    }

    /// Says so to people, and how much of it is shown.
    fn say(&self, on: date::Day, within: u32, shown: usize) {
        let (Self { all, late }, on) = (self, date::iso(on));
        let is_part = shown < *all;
        if lang::is_english() {
            let some = if is_part { format!("; {shown} shown") } else { String::new() };
            return say!("{on}: {all} due within {within} days, {late} of them late{some}");
        }
        let some = if is_part { format!("；列出 {shown} 项 (shown)") } else { String::new() };
        say!("截至 {on}，{within} 天内到期：{all} 项，其中超期 {late} 项 (due, late among them){some}");
    }
}

/// Everything with a last day, the late first.
pub(super) fn worklist(answer: &pb::WorkAnswer, (within, found): (u32, Found), reader: Reader) {
    let mut rows = work_rows(answer);
    if reader == Reader::Person && lang::is_english() {
        for (row, item) in rows.iter_mut().zip(&answer.items) {
            let clock = Clock::ALL.iter().find(|clock| clock.code() == item.clock);
            row[WHAT] = clock.map_or_else(|| lang::either(&item.what).to_owned(), |clock| clock.en().to_owned());
        }
    }
    dated((&WORK_HEADINGS, &rows), answer.items.iter().map(|item| item.unit), (answer.on, within, found), reader);
}

/// Prints what should be looked into.
pub fn doubts(answer: &pb::DoubtsAnswer, reader: Reader) {
    let row = |item: &pb::DoubtItem| {
        vec![
            item.code.clone(),
            lang::either(&item.what).to_owned(),
            item.register.clone(),
            item.unit_name.clone(),
            item.title.clone(),
            item.record.clone(),
        ]
    };
    let headings = [
        ("code", "代码"),
        ("what", "事项"),
        ("register", "登记表"),
        ("unit", "单位"),
        ("title", "姓名/题名"),
        ("record", "记录编号"),
    ];
    let rows: Vec<Vec<String>> = answer.items.iter().map(row).collect();
    if reader == Reader::Program {
        let rows = show::objects_of_units(&headings, &rows, answer.items.iter().map(|item| item.unit));
        let kinds = answer.kinds.iter().map(|kind| serde_json::json!({ "code": kind.code, "count": kind.count }));
        let kinds: Vec<_> = kinds.collect();
        let told =
            serde_json::json!({ "on": date::iso(answer.on), "total": answer.total, "kinds": kinds, "rows": rows });
        return show::document(reader, told);
    }
    let (on, total, listed) = (date::iso(answer.on), answer.total, answer.items.len());
    let kinds: Vec<String> = answer.kinds.iter().map(|kind| format!("{} {}", kind.code, kind.count)).collect();
    if lang::is_english() {
        say!("{on}: {total} to be looked into, {listed} listed");
    } else {
        say!("截至 {on}，需要核实 {total} 项，列出 {listed} 项 (to be looked into; listed)");
    }
    if kinds.len() > 1 {
        let one = lang::word("；用 --only 代码 只看一类 (one kind: --only)", "; one kind: --only CODE");
        say!("{}{one}", kinds.join(lang::word("，", ", ")));
    }
    show::table(reader, &headings, &rows);
}

/// What is to be filed, with the days left.
pub(super) fn to_file(answer: &pb::ToFileAnswer, within: u32, reader: Reader) {
    let row = |item: &pb::ToFileItem| {
        vec![
            item.unit_name.clone(),
            item.register.clone(),
            item.title.clone(),
            date::iso(item.since),
            date::iso(item.due_on),
            item.days_left.to_string(),
            item.record.clone(),
            item.entry.clone(),
        ]
    };
    if reader == Reader::Person {
        let overdue = answer.items.iter().filter(|item| item.days_left < 0).count();
        let (on, all) = (date::iso(answer.on), answer.items.len());
        if lang::is_english() {
            say!("{on}: {all} to be filed within {within} days, {overdue} of them overdue");
        } else {
            say!("截至 {on}，{within} 天内应归档：{all} 项，其中超期 {overdue} 项 (to be filed, overdue among them)");
        }
    }
    let headings = [
        ("unit", "单位"),
        ("register", "登记表"),
        ("title", "姓名/题名"),
        ("since", "办结/形成日期"),
        ("due_on", "归档期限"),
        ("days_left", "剩余天数"),
        ("record", "记录编号"),
        ("entry", "档案条目"),
    ];
    show::table(reader, &headings, &answer.items.iter().map(row).collect::<Vec<_>>());
}

/// Columns of a list for a person, unless all are asked for: what tells records apart comes first in a register.
const COLUMNS: usize = 7;

/// Records as a table, a column a field: the first ones that any record has, or with `--wide` all of them; for a program one
/// document with every field.
pub fn list(answer: &pb::ListAnswer, register: &str, reader: Reader) {
    if reader == Reader::Program {
        let object = |row: &pb::Row| {
            let fields = row.fields.iter().map(|fact| (fact.key.clone(), show::field(register, fact)));
            let record = ("record".to_owned(), row.record.clone().into());
            serde_json::Value::Object(fields.chain([record]).collect())
        };
        let rows: Vec<_> = answer.rows.iter().map(object).collect();
        return show::document(reader, serde_json::json!({ "total": answer.total, "rows": rows }));
    }
    // Who owns a record, where it came from and who looked at it stands in every one of them: last.
    let common = [
        "home_unit",
        "source",
        "remark",
        "state",
        "effective_on",
        "verified_on",
        "import_note",
        "reviewed_by",
        "reviewed_on",
        "review_result",
    ];
    let mut columns: Vec<(&str, &str)> = Vec::new();
    for fact in answer.rows.iter().flat_map(|row| &row.fields) {
        if !columns.iter().any(|(key, _)| *key == fact.key) {
            columns.push((&fact.key, lang::word(&fact.zh, &fact.en)));
        }
    }
    columns.sort_by_key(|(key, _)| common.contains(key));
    columns.truncate(if show::is_wide() { columns.len() } else { COLUMNS });
    let def = registers().named(register);
    let rows: Vec<Vec<String>> = answer
        .rows
        .iter()
        .map(|row| {
            let field = |key: &str| def.and_then(|def| def.field_named(key));
            let value = |key: &str| {
                row.fields.iter().find(|fact| fact.key == key).map(|fact| lang::value(field(key), &fact.value))
            };
            let cells = columns.iter().map(|(key, _)| value(key).unwrap_or_default());
            cells.chain([row.record.clone()]).collect()
        })
        .collect();
    let headings: Vec<(&str, &str)> = columns.into_iter().chain([("record", "记录编号")]).collect();
    show::table(reader, &headings, &rows);
    let (shown, total) = (answer.rows.len(), answer.total);
    match (shown as u64 == total, lang::is_english()) {
        (true, true) => say!("{total} in all"),
        (false, true) if total > u64::from(LIST_LINES) => say!("{shown} of {total}; all of them: export"),
        (false, true) => say!("{shown} of {total}; more: --limit {total}, or write them to a file: export"),
        (true, false) => say!("共 {total} 条"),
        (false, false) if total > u64::from(LIST_LINES) => {
            say!("共 {total} 条，显示 {shown} 条；全部用 export 导出 (all of them: export)");
        }
        (false, false) => {
            say!("共 {total} 条，显示 {shown} 条；其余用 --limit {total}，或用 export 导出 (more: --limit, or export)");
        }
    }
}

/// What a search found, the best first, and how many more there are.
pub fn found(answer: &pb::SearchAnswer, reader: Reader) {
    let more = answer.total.saturating_sub(answer.hits.len() as u64);
    if reader == Reader::Program {
        let row = |hit: &pb::SearchHit| {
            serde_json::json!({
                "record": hit.record, "register": hit.register, "name": hit.title, "unit": hit.unit, "unit_name": hit.unit_name,
                "number": show::some(&hit.number), "phone": show::some(&hit.phone), "address": show::some(&hit.address),
                "state": show::some(&hit.state), "fits": hit.fits,
            })
        };
        let rows: Vec<_> = answer.hits.iter().map(row).collect();
        return show::document(reader, serde_json::json!({ "total": answer.total, "more": more, "rows": rows }));
    }
    let row = |hit: &pb::SearchHit| {
        let hit = hit.clone();
        vec![
            hit.title,
            hit.register_zh,
            hit.number,
            hit.phone,
            hit.address,
            hit.unit_name,
            lang::either(&hit.state).to_owned(),
            hit.record,
        ]
    };
    let headings = [
        ("name", "姓名/名称"),
        ("register", "登记表"),
        ("number", "证号/编号"),
        ("phone", "电话"),
        ("address", "住址"),
        ("unit", "单位"),
        ("state", "状态"),
        ("record", "记录编号"),
    ];
    show::table(reader, &headings, &answer.hits.iter().map(row).collect::<Vec<_>>());
    match more {
        0 => say!("共 {} 条 (of)", answer.total),
        more => say!("共 {} 条，还有 {more} 条，可加词缩小或用 --limit (more: add a word, or --limit)", answer.total),
    }
}

/// The headings that an import knows, or those of them that are asked for, and how many each file gives.
pub(super) fn mappings(layouts: &Layouts, asked: &[String], reader: Reader) {
    let wanted = |heading: &str| asked.is_empty() || asked.iter().any(|one| one.eq_ignore_ascii_case(heading));
    let all: Vec<_> = layouts.mapped().iter().filter(|one| wanted(&one.heading)).collect();
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|one| {
            let one = (*one).clone();
            vec![one.layout, one.heading, one.means, one.target, one.source]
        })
        .collect();
    let headings =
        [("layout", "表"), ("heading", "栏目名"), ("means", "登记项"), ("target", "角色.栏目"), ("source", "文件")];
    show::table(reader, &headings, &rows);
    if reader == Reader::Person {
        let mut files: Vec<(&str, usize)> = Vec::new();
        for one in &all {
            match files.iter_mut().find(|(file, _)| *file == one.source) {
                Some((_, count)) => *count += 1,
                None => files.push((&one.source, 1)),
            }
        }
        for (file, count) in files {
            say!("{file}：{count} 个栏目名 (headings)");
        }
    }
}

/// A record's story, what stands first.
pub fn story(answer: &pb::HistoryAnswer, reader: Reader) {
    if reader == Reader::Program {
        return show::document(reader, story_object(answer));
    }
    let def = registers().named(&answer.register);
    let word = lang::word;
    let field = |line: &pb::HistoryLine| def.and_then(|def| def.field_named(&line.field));
    let rows: Vec<Vec<String>> = answer
        .lines
        .iter()
        .map(|line| {
            // A reason that was asked for stands where nobody had to decide, too.
            let decided = match line.decided_by.as_str() {
                "" => line.reason.clone(),
                by => format!("{by} {}：{}", show::time(line.decided_at), line.reason),
            };
            vec![
                field(line).map_or(line.label.as_str(), |field| lang::word(&field.zh, &field.en)).to_owned(),
                lang::value(field(line), &line.value),
                if line.stands { word("现值", "stands") } else { "" }.into(),
                line.by.clone(),
                if line.at == 0 { word("待上报", "not sent yet").into() } else { show::time(line.at) },
                lang::rule(&line.rule).to_owned(),
                decided,
                line.office.clone(),
            ]
        })
        .collect();
    let headings = [
        ("field", "栏目"),
        ("value", "值"),
        ("stands", "现值"),
        ("by", "录入人"),
        ("at", "到达时间"),
        ("rule", "规则"),
        ("decided", "裁定、理由"),
        ("office", "单位"),
    ];
    show::table(reader, &headings, &rows);
}

/// A record's story as a program reads it: values as in lists, null for what was cleared, nobody and never.
fn story_object(answer: &pb::HistoryAnswer) -> serde_json::Value {
    let value = |line: &pb::HistoryLine| {
        let pb::HistoryLine { field: key, value, code, items, .. } = line.clone();
        show::field(&answer.register, &pb::Fact { key, value, code, items, ..pb::Fact::default() })
    };
    let row = |line: &pb::HistoryLine| {
        serde_json::json!({
            "field": line.field, "label": line.label, "value": value(line), "stands": line.stands,
            "office": line.office, "by": line.by, "at": show::moment(line.at),
            "revision": (line.revision > 0).then_some(line.revision), "rule": show::some(&line.rule),
            "decided_by": show::some(&line.decided_by), "decided_at": show::moment(line.decided_at), "reason": show::some(&line.reason),
        })
    };
    let mut told = show::listed(answer.lines.iter().map(row).collect());
    let register = show::register(&answer.register).to_owned();
    let of = [("on", date::iso(answer.on)), ("register", register), ("record", answer.record.clone())];
    for (key, value) in of {
        told[key] = value.into();
    }
    told["unit"] = show::unit(&answer.unit);
    told
}
