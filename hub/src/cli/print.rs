//! What the hub's commands print.

pub use taizhang_node::show::figure;
use taizhang_node::{
    identity::ends_words,
    say,
    show::{self, Reader, lang, lang::word},
};
use taizhang_proto::{date, indicator, pb};

/// Children, in the order given.
pub(super) fn nodes(answer: &pb::NodesAnswer, reader: Reader) {
    if reader == Reader::Program {
        return show::document(reader, nodes_document(answer));
    }
    let rows: Vec<Vec<String>> = answer.nodes.iter().map(columns_of).collect();
    let is_narrow = show::width().is_some_and(|width| width < WIDE_ENOUGH);
    let shown: Vec<usize> =
        (0..COLUMNS.len()).filter(|place| !is_narrow || FIRST.contains(&COLUMNS[*place].0)).collect();
    let headings: Vec<(&str, &str)> = shown.iter().map(|place| COLUMNS[*place]).collect();
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| shown.iter().map(|place| row[*place].clone()).collect()).collect();
    show::table(reader, &headings, &rows);
    if is_narrow && !rows.is_empty() {
        say!(
            "{}",
            word(
                "其余各栏见 --wide（编码、节点编号、已收变更、版本等）",
                "more columns: --wide (code, node, changes, version and others)"
            )
        );
    }
    if !answer.readers.is_empty() && reader == Reader::Person {
        say!("{}", word("只读单位 (readers of figures)", "readers of figures"));
        let row = |own: &pb::ReaderInfo| {
            let state = match own.retired {
                0 => String::new(),
                since => format!("{} {}", show::time(since), word("停用", "retired")),
            };
            let ends = certificate_end(own.ends);
            vec![own.name.clone(), state, own.unit_name.clone(), show::time(own.enrolled), ends, own.id.clone()]
        };
        let headings = [
            ("name", "名称"),
            ("state", "状态"),
            ("unit", "可看单位"),
            ("enrolled", "登记"),
            ("certificate_ends", "证书到期"),
            ("id", "编号"),
        ];
        show::table(reader, &headings, &answer.readers.iter().map(row).collect::<Vec<_>>());
    }
}

/// What is said of each child, with its heading.
const COLUMNS: [(&str, &str); 14] = [
    ("name", "单位"),
    ("unit", "编码"),
    ("kind", "类型"),
    ("last_sync", "最近同步"),
    ("online", "在线"),
    ("counted", "计入总数"),
    ("acknowledged", "已收变更"),
    ("equal", "摘要"),
    ("refused", "累计退回"),
    ("incidents", "事故"),
    ("skew_seconds", "时钟偏差"),
    ("software", "版本"),
    ("certificate_ends", "证书到期"),
    ("node", "节点"),
];
/// Of these, what is shown where there is no room for all.
const FIRST: [&str; 6] = ["name", "last_sync", "online", "counted", "equal", "certificate_ends"];
/// From so many columns of text on a terminal has room for all.
const WIDE_ENOUGH: usize = 180;

fn columns_of(node: &pb::NodeInfo) -> Vec<String> {
    let kind = match (node.unit, node.hub) {
        (0, _) => "",
        (_, true) => word("汇聚", "hub"),
        (_, false) => word("基层", "office"),
    };
    let state = match (node.retired, node.online, node.twins) {
        (0, true, 0) => word("在线", "online").into(),
        (0, false, 0) => String::new(),
        (0, _, seen) => {
            format!(
                "{} {}",
                word("两台电脑使用同一身份，仍见于", "two computers with one identity, last seen"),
                show::time(seen)
            )
        }
        (since, ..) => {
            let (time, by, why) = (show::time(since), &node.retired_by, &node.retired_reason);
            format!("{time} {} {by} {why}", word("停用", "retired")).trim_end().to_owned()
        }
    };
    vec![
        if node.unit == 0 {
            word("（登记已丢失）", "(its row was lost)").into()
        } else {
            node.unit_name.clone()
        },
        if node.unit == 0 { String::new() } else { node.unit.to_string() },
        kind.into(),
        show::time(node.last_sync),
        state,
        counted(node),
        node.acknowledged.to_string(),
        if node.equal { word("一致", "equal") } else { word("未确认", "not known") }.into(),
        node.refused.to_string(),
        node.incidents.to_string(),
        show::off(node.skew_millis),
        node.software.clone(),
        certificate_end(node.ends),
        node.node.clone(),
    ]
}

/// Children and readers as a program reads them.
fn nodes_document(answer: &pb::NodesAnswer) -> serde_json::Value {
    let (at, some) = (show::moment, show::some);
    // What was lost with its row nobody knows.
    let kind = |own: &pb::NodeInfo| (own.unit != 0).then_some(if own.hub { "hub" } else { "office" });
    let node = |own: &pb::NodeInfo| {
        serde_json::json!({
            "node": own.node, "unit": own.unit, "name": own.unit_name,
            "kind": kind(own), "enrolled": at(own.enrolled), "last_sync": at(own.last_sync),
            "online": own.online, "acknowledged": own.acknowledged, "equal": own.equal, "refused": own.refused,
            "incidents": own.incidents, "skew_seconds": own.skew_millis as f64 / 1_000.0, "software": own.software,
            "certificate_ends": at(own.ends), "authority": own.generation, "two_computers": at(own.twins),
            "retired": at(own.retired), "retired_by": some(&own.retired_by), "retired_reason": some(&own.retired_reason),
            "aside": at(own.aside), "aside_by": some(&own.aside_by), "aside_reason": some(&own.aside_reason), "beyond": own.beyond,
            "refuted": own.refuted,
        })
    };
    let reader = |own: &pb::ReaderInfo| {
        serde_json::json!({
            "node": own.id, "unit": own.unit, "name": own.name, "kind": "reader",
            "enrolled": at(own.enrolled), "certificate_ends": at(own.ends), "retired": at(own.retired),
        })
    };
    show::listed(answer.nodes.iter().map(node).chain(answer.readers.iter().map(reader)).collect())
}

/// When a certificate ends, in words; what is near or over stands out.
fn certificate_end(ends: u64) -> String {
    let now = jiff::Timestamp::now().as_second().max(0) as u64;
    if ends == 0 { String::new() } else { ends_words(ends, now) }
}

/// The hub's authorities.
pub(super) fn authorities(answer: &pb::CaAnswer, reader: Reader) {
    let row = |one: &pb::CaInfo| {
        let state = if one.signs { word("签发", "signs") } else { word("旧，仍认可", "older, still trusted") };
        vec![one.number.to_string(), state.into(), day(one.from), day(one.ends), one.left.join("\n")]
    };
    let headings = [("number", "第几代"), ("state", "状态"), ("from", "起"), ("ends", "止"), ("left", "使用它的下级")];
    show::table(reader, &headings, &answer.authorities.iter().map(row).collect::<Vec<_>>());
}

fn day(seconds: u64) -> String {
    date::iso(date::shanghai(seconds.saturating_mul(1_000)))
}

/// Whether what a child says counts, in words.
fn counted(node: &pb::NodeInfo) -> String {
    match (node.aside, node.refuted, node.beyond) {
        (0, 0, 0) => String::new(),
        (0, refuted, beyond) if lang::is_english() => {
            format!("incomplete ({refuted} below zero, {beyond} cells beyond)")
        }
        (0, refuted, beyond) => format!("不完整（负数{refuted}处，越界{beyond}格）"),
        (since, _, _) => {
            let (words, why) = (word("不完整，搁置于", "incomplete, set aside"), &node.aside_reason);
            format!("{words} {}：{why}", show::time(since))
        }
    }
}

/// What each child contributes to a figure.
pub(super) fn shares(answer: &pb::SharesAnswer, reader: Reader) {
    let mut rows: Vec<Vec<String>> = answer
        .shares
        .iter()
        .map(|share| {
            let said = share.said.as_ref().map(figure).unwrap_or_default();
            let state = if share.counts { "计入".to_owned() } else { format!("不计入：{}", share.why) };
            vec![share.name.clone(), share.unit.to_string(), said, state]
        })
        .collect();
    if let Some(total) = &answer.total {
        let words = "总数，含在途 (what counts, with what is on its way)";
        rows.push(vec![words.to_owned(), total.unit.to_string(), figure(total), String::new()]);
    }
    show::table(reader, &[("name", "单位"), ("unit", "编码"), ("said", "上报"), ("counts", "计入")], &rows);
}

/// The totals as a table: a row an indicator, a column a unit.
pub fn totals_table(answer: &pb::TotalsAnswer) -> (Vec<(String, String)>, Vec<Vec<String>>) {
    let mut headings = vec![("code".to_owned(), "指标".to_owned()), ("name".to_owned(), "名称".to_owned())];
    headings.extend(answer.units.iter().map(|unit| {
        let mark = if unit.silent > 0 || unit.aside > 0 { lang::incomplete() } else { "" };
        (unit.unit.to_string(), format!("{}{mark}", unit.name))
    }));
    let mut codes: Vec<&str> = Vec::new();
    for value in &answer.values {
        if !codes.contains(&value.indicator.as_str()) {
            codes.push(&value.indicator);
        }
    }
    let rows = codes
        .into_iter()
        .map(|code| {
            let mut row = vec![code.to_owned(), lang::indicator(code).to_owned()];
            row.extend(answer.units.iter().map(|unit| {
                let value = answer.values.iter().find(|value| value.unit == unit.unit && value.indicator == code);
                value.map(figure).unwrap_or_default()
            }));
            row
        })
        .collect();
    (headings, rows)
}

/// Prints the totals with their freshness.
pub fn show_totals(answer: &pb::TotalsAnswer, reader: Reader) {
    if reader == Reader::Program {
        return show::document(reader, totals_document(answer));
    }
    if let Some(width) = show::width().filter(|width| is_too_wide(answer, *width)) {
        say!("{}", totals_board(answer, width));
        say!("只列主要指标；全部请加 --wide (key figures only: --wide for all)");
        return freshness(answer);
    }
    let (headings, mut rows) = totals_table(answer);
    if answer.units.iter().any(|unit| unit.silent > 0) {
        let mut row = vec!["silent".to_owned(), "未按时同步的节点".to_owned()];
        row.extend(answer.units.iter().map(|unit| format!("{}/{}", unit.silent, unit.nodes)));
        rows.push(row);
    }
    let headings: Vec<(&str, &str)> = headings.iter().map(|(key, name)| (key.as_str(), name.as_str())).collect();
    show::table(reader, &headings, &rows);
    freshness(answer);
}

/// What the figures stand for.
fn freshness(answer: &pb::TotalsAnswer) {
    say!(
        "业务日 {}；截至 {}；修订号 {}；{} 个下级中 {} 个按时同步 (children heard in time)",
        date::iso(answer.on),
        show::time(answer.as_of),
        answer.revision,
        answer.children,
        answer.fresh
    );
    if !answer.silent.is_empty() {
        let named = answer.silent.iter().take(SILENT_NAMED).map(|child| match child.last_sync {
            0 => format!("{} {}", child.unit_name, word("从未上报", "(never heard)")),
            since => format!("{} {}", child.unit_name, show::time(since)),
        });
        let named: Vec<String> = named.collect();
        let more = answer.silent.len() - named.len();
        let more = if more > 0 { format!(" … +{more}，见 nodes (see `nodes`)") } else { String::new() };
        say!("{}{}{more}", word("未按时同步，最近一次：", "not heard in time, last: "), named.join("、"));
    }
    show::beside_figures(&answer.aside, answer.on);
    say!("用时 {:.1} 毫秒 (took ms)", answer.micros as f64 / 1_000.0);
}

/// Of the children that were not heard in time, so many are named below a table.
const SILENT_NAMED: usize = 8;

/// The figures that a leader looks at first, in this order (the notice's targets, then what moves daily).
const KEY: [&str; 14] =
    ["K00", "K01", "K05", "K07", "K08", "K24", "K25", "K13", "K14", "K12", "K38", "K43", "K42", "K41"];
/// Columns of text that a unit's name and a figure take on a board.
const NAME_WIDTH: usize = 20;
const FIGURE_WIDTH: usize = 13;

/// Whether a table with a column for each unit does not fit a terminal.
fn is_too_wide(answer: &pb::TotalsAnswer, width: usize) -> bool {
    40 + answer.units.len() * 18 > width
}

/// Units as rows and as many key figures as fit: what can be read on any terminal.
pub fn totals_board(answer: &pb::TotalsAnswer, width: usize) -> comfy_table::Table {
    let asked = |code: &&str| answer.values.iter().any(|value| value.indicator == **code);
    let mut codes: Vec<&str> = KEY.iter().copied().filter(|code| asked(code)).collect();
    for value in &answer.values {
        if !codes.contains(&value.indicator.as_str()) {
            codes.push(&value.indicator);
        }
    }
    codes.truncate((width.saturating_sub(NAME_WIDTH) / FIGURE_WIDTH).max(1));
    let mut table = show::new_table();
    let heading = |code: &str| format!("{code} {}", lang::indicator(code));
    table.set_header(
        std::iter::once(lang::word("单位", "unit").to_owned()).chain(codes.iter().map(|code| heading(code))),
    );
    for unit in &answer.units {
        let mark = if unit.silent > 0 || unit.aside > 0 { lang::incomplete() } else { "" };
        let cell = |code: &&str| {
            let value = answer.values.iter().find(|value| value.unit == unit.unit && value.indicator == **code);
            // The parts of a ratio are in the wide table.
            let text = value.map(figure).unwrap_or_default();
            text.split(" (").next().unwrap_or_default().to_owned()
        };
        table.add_row(std::iter::once(format!("{}{mark}", unit.name)).chain(codes.iter().map(cell)));
    }
    table
}

/// The totals as a program reads them: parts of each figure as numbers, with the day and the revision that they stand for.
fn totals_document(answer: &pb::TotalsAnswer) -> serde_json::Value {
    let units: Vec<_> = answer
        .units
        .iter()
        .map(|unit| {
            serde_json::json!({
                "unit": unit.unit, "name": unit.name, "nodes": unit.nodes, "silent": unit.silent,
                "complete": unit.silent == 0 && unit.aside == 0,
            })
        })
        .collect();
    let values: Vec<_> = answer
        .values
        .iter()
        .map(|value| {
            let known = indicator::by_code(&value.indicator);
            serde_json::json!({
                "unit": value.unit, "indicator": value.indicator, "zh": known.map_or("", |one| one.zh),
                "en": known.map_or("", |one| one.en), "numerator": value.numerator, "denominator": value.denominator,
                "duplicates": value.duplicates,
            })
        })
        .collect();
    let silent = answer.silent.iter().map(|child| {
        serde_json::json!({
            "unit": child.unit, "name": child.unit_name, "last_sync": show::moment(child.last_sync),
        })
    });
    let silent: Vec<_> = silent.collect();
    serde_json::json!({
        "aside": answer.aside,
        "silent": silent,
        "on": date::iso(answer.on), "as_of": show::moment(answer.as_of), "revision": answer.revision, "children": answer.children,
        "fresh": answer.fresh, "units": units, "values": values,
    })
}

pub(super) fn show_changes(answer: &pb::TotalsAnswer, reader: Reader) {
    for value in &answer.values {
        let unit = answer.units.iter().find(|unit| unit.unit == value.unit).map_or("", |unit| unit.name.as_str());
        match reader {
            Reader::Person => {
                say!("{} {unit} {} {}", show::time(answer.as_of), value.indicator, figure(value));
            }
            Reader::Program => {
                let told = serde_json::json!({
                    "as_of": show::moment(answer.as_of), "revision": answer.revision, "unit": value.unit,
                    "indicator": value.indicator, "numerator": value.numerator, "denominator": value.denominator,
                    "duplicates": value.duplicates,
                });
                show::document(reader, told);
            }
        }
    }
}

pub(super) fn show_audit(answer: &pb::AuditAnswer, reader: Reader) {
    if reader == Reader::Program {
        let totals: Vec<_> = answer
            .totals
            .iter()
            .map(|value| serde_json::json!({"indicator": value.indicator, "numerator": value.numerator, "denominator": value.denominator, "duplicates": value.duplicates}))
            .collect();
        let differences: Vec<_> = answer
            .differences
            .iter()
            .map(|one| serde_json::json!({"where": one.r#where, "unit": one.unit, "part": one.part, "date": date::iso(one.date), "stored": one.stored, "recount": one.recount}))
            .collect();
        let told = serde_json::json!({"records": answer.records, "cells": answer.cells, "totals": totals, "differences": differences, "aside": answer.aside, "beyond": answer.beyond});
        return show::document(reader, told);
    }
    for one in &answer.differences {
        say!(
            "差异 (difference) {}: {} {} {}: 存 (stored) {}，清点 (recount) {}",
            one.r#where,
            one.unit,
            one.part,
            date::iso(one.date),
            one.stored,
            one.recount
        );
    }
    for line in &answer.aside {
        say!("{line}");
    }
    if answer.beyond > 0 {
        say!("越界的数字 {} 格，不计入总数 (cells that can't be: in no total)", answer.beyond);
    }
    for value in &answer.totals {
        say!("{:5} {} {}", value.indicator, figure(value), lang::indicator(&value.indicator));
    }
    say!(
        "清点 {} 条记录、{} 个单元，{} 毫秒；差异 {} 处 (recounted; differences {})",
        answer.records,
        answer.cells,
        answer.millis,
        answer.differences.len(),
        answer.differences.len()
    );
}
