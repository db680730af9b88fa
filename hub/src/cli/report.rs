//! The report of a locked month as people read it: on the terminal, as a sheet for Excel, as csv, and as a page to print.
//! Invariant: all of them show the same tables.

use super::print;
use std::path::Path;
use taizhang_node::show::{self, Reader, paper, span_name};
use taizhang_proto::{
    indicator::{self, Kind},
    month,
    pb::{self, TotalSpan},
};

/// Shows a report, or writes it to a file.
///
/// # Errors
/// When the file can't be made.
pub(super) fn show(report: &pb::MonthReport, file: Option<&Path>, reader: Reader) -> anyhow::Result<()> {
    let paper = pb::Paper {
        title: title(report),
        notes: notes(report),
        tables: tables(report),
        foot: "审核人：　　　　　　填报日期：　　　　　　（盖章）".into(),
    };
    paper::show(&paper, file, reader)
}

fn title(report: &pb::MonthReport) -> String {
    let month = report.month.clone().unwrap_or_default().month;
    let (year, of_year) = month.split_once('-').unwrap_or((&month, ""));
    format!("{}就业工作月报（通报） {year}年{}月", report.unit_name, of_year.trim_start_matches('0'))
}

fn notes(report: &pb::MonthReport) -> Vec<String> {
    let month = report.month.clone().unwrap_or_default();
    let mut notes = vec![format!(
        "填报单位：{}　填报人：{}　封账时间：{}　摘要：{}",
        report.unit_name,
        month.by,
        show::time(month.locked_at),
        show::hex(&month.digest)
    )];
    if month.gaps.is_empty() {
        notes.push("数据完整性：各单位均已封账、审核 (complete)".into());
    } else {
        let missing = month.gaps.iter().zip(&report.gap_names);
        let missing: Vec<String> =
            missing.map(|(gap, name)| format!("{}（{}）", name.name, month::gap_words(&gap.why))).collect();
        notes.push(format!("数据完整性：不完整，缺{}个单位 (incomplete)：{}", month.gaps.len(), missing.join("、")));
        notes.push(format!("缺报说明：{}", month.reason));
    }
    notes.push(
        "封账数字不含没有证明材料的就业，与当日实时总数可能不同 (without placements that nothing proves: live totals of the day may differ)".into(),
    );
    if !report.lost.is_empty() {
        let lost: Vec<&str> = report.lost.iter().map(|unit| unit.name.as_str()).collect();
        notes.push(format!(
            "数字随本机数据丢失，尚未找回：{}；待该县区同步后重新打印 (lost with this hub's store: print it anew once they have \
             synced)",
            lost.join("、")
        ));
    }
    notes
}

fn tables(report: &pb::MonthReport) -> Vec<pb::PaperTable> {
    let heading = |key: &str, name: &str| pb::PaperColumn { key: key.to_owned(), name: name.to_owned() };
    let mut rows = Vec::new();
    let gaps = report.month.iter().flat_map(|month| &month.gaps).collect::<Vec<_>>();
    for one in indicator::all() {
        let spans: &[TotalSpan] =
            if one.kind == Kind::Flow { &[TotalSpan::Month, TotalSpan::Year] } else { &[TotalSpan::Year] };
        for span in spans {
            let mut row = vec![one.code.to_owned(), one.zh.to_owned(), span_name(one, *span).to_owned()];
            for unit in &report.units {
                let of = |value: &&pb::TotalValue| {
                    value.unit == unit.unit && value.indicator == one.code && value.span() == *span
                };
                let zero = || pb::TotalValue {
                    indicator: one.code.to_owned(),
                    ratio: one.is_ratio(),
                    ..pb::TotalValue::default()
                };
                let is_lost = report.lost.iter().any(|lost| lost.unit == unit.unit);
                let is_unheard = gaps.iter().any(|gap| gap.unit == unit.unit && gap.why == month::UNHEARD);
                row.push(match report.figures.iter().find(of) {
                    _ if is_unheard => "未报".to_owned(),
                    None if is_lost => "缺".to_owned(),
                    found => print::figure(&found.cloned().unwrap_or_else(zero)),
                });
            }
            rows.push(row);
        }
    }
    let mut headings = vec![heading("indicator", "指标"), heading("name", "名称"), heading("span", "口径")];
    headings.extend(report.units.iter().map(|unit| heading(&unit.unit.to_string(), &unit.name)));
    let month = report.month.clone().unwrap_or_default();
    let corrections = |key: &str, title: &str, lines: &[pb::Adjustment]| pb::PaperTable {
        key: key.to_owned(),
        title: title.to_owned(),
        columns: [
            ("month", "月份"),
            ("name", "单位"),
            ("indicator", "指标"),
            ("span", "口径"),
            ("reported", "原报数"),
            ("now", "更正为"),
        ]
        .map(|(key, name)| heading(key, name))
        .to_vec(),
        rows: lines.iter().filter_map(correction).map(of_cells).collect(),
    };
    vec![
        pb::PaperTable {
            key: "figures".into(),
            title: "一、指标 (figures)".into(),
            columns: headings,
            rows: rows.into_iter().map(of_cells).collect(),
        },
        pb::PaperTable {
            key: "ranks".into(),
            title: format!("二、排名（{}） (ranks)", report.plan),
            columns: vec![heading("rank", "名次"), heading("name", "单位"), heading("score", "得分")],
            rows: report.ranks.iter().map(ranked).map(of_cells).collect(),
        },
        corrections("corrects", "三、更正以前月份 (corrections of earlier months)", &report.corrects),
        corrections("corrected", "四、本月数字此后的更正 (what later months corrected of this one)", &report.corrected),
        corrections("open", "五、封账后更正，将列入下一月报 (changed since, not reported yet)", &month.adjustments),
    ]
}

fn of_cells(cells: Vec<String>) -> pb::PaperRow {
    pb::PaperRow { cells }
}

fn ranked(one: &pb::UnitScore) -> Vec<String> {
    let score = if one.measured { format!("{:.2}", one.score) } else { "—".into() };
    let rank = if one.rank == 0 { "—".to_owned() } else { one.rank.to_string() };
    vec![rank, one.name.clone(), score]
}

fn correction(line: &pb::Adjustment) -> Option<Vec<String>> {
    let own = line.correction.clone()?;
    let (was, now) = (own.was.unwrap_or_default(), own.now.unwrap_or_default());
    let known = indicator::by_code(&now.indicator)?;
    Some(vec![
        own.month,
        line.unit_name.clone(),
        format!("{} {}", known.code, known.zh),
        span_name(known, now.span()).to_owned(),
        print::figure(&was),
        print::figure(&now),
    ])
}
