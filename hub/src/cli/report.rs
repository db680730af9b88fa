//! The report of a locked month as people read it: on the terminal, as a sheet for Excel, as csv, and as a page to print.
//! Invariant: all of them show the same tables.

use super::print;
use std::path::Path;
use taizhang_node::show::{
    self, Reader,
    lang::{self, word},
    paper, span_names,
};
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
    if file.is_some() {
        lang::speak_as_papers_do();
    }
    let paper = pb::Paper {
        title: title(report),
        notes: notes(report),
        tables: tables(report),
        foot: word(
            "审核人：　　　　　　填报日期：　　　　　　（盖章）",
            "approved by:            date:            (seal)",
        )
        .into(),
    };
    paper::show(&paper, file, reader)
}

fn title(report: &pb::MonthReport) -> String {
    let month = report.month.clone().unwrap_or_default().month;
    let (year, of_year) = month.split_once('-').unwrap_or((&month, ""));
    if lang::is_english() {
        return format!("{}: monthly report of employment work, {month}", report.unit_name);
    }
    format!("{}就业工作月报（通报） {year}年{}月", report.unit_name, of_year.trim_start_matches('0'))
}

fn notes(report: &pb::MonthReport) -> Vec<String> {
    let month = report.month.clone().unwrap_or_default();
    let (unit, by, at) = (&report.unit_name, &month.by, show::time(month.locked_at));
    let digest = show::hex(&month.digest);
    let mut notes = vec![if lang::is_english() {
        format!("by {unit}, {by}; locked {at}; digest {digest}")
    } else {
        format!("填报单位：{unit}　填报人：{by}　封账时间：{at}　摘要：{digest}")
    }];
    if month.gaps.is_empty() {
        notes.push(
            word("数据完整性：各单位均已封账、审核 (complete)", "complete: all units closed, all approved").into(),
        );
    } else {
        let missing = month.gaps.iter().zip(&report.gap_names);
        let missing: Vec<String> =
            missing.map(|(gap, name)| format!("{}（{}）", name.name, gap_word(&gap.why))).collect();
        let (count, missing) = (month.gaps.len(), missing.join("、"));
        notes.push(if lang::is_english() {
            format!("incomplete, without {count} units: {missing}")
        } else {
            format!("数据完整性：不完整，缺{count}个单位 (incomplete)：{missing}")
        });
        notes.push(format!("{}{}", word("缺报说明：", "why: "), month.reason));
    }
    let unproven = word(
        "封账数字不含没有证明材料的就业，与当日实时总数可能不同 (without placements that nothing proves: live totals of the day may differ)",
        "without placements that nothing proves: live totals of the day may differ",
    );
    notes.push(unproven.into());
    if !report.lost.is_empty() {
        let lost: Vec<&str> = report.lost.iter().map(|unit| unit.name.as_str()).collect();
        let lost = lost.join("、");
        notes.push(if lang::is_english() { format!("lost with this hub's store: {lost}; print it anew once they have synced") } else { format!(
                "数字随本机数据丢失，尚未找回：{lost}；待该县区同步后重新打印 (lost with this hub's store: print it anew once they \
                 have synced)"
            ) });
    }
    notes
}

fn tables(report: &pb::MonthReport) -> Vec<pb::PaperTable> {
    let column = |key: &str, name: String| pb::PaperColumn { key: key.to_owned(), name };
    let heading = |key: &str, name: &str| column(key, lang::heading(key, name));
    let mut rows = Vec::new();
    let gaps: &[pb::MonthGap] = report.month.as_ref().map_or(&[], |month| &month.gaps);
    for one in indicator::all() {
        let spans: &[TotalSpan] =
            if one.kind == Kind::Flow { &[TotalSpan::Month, TotalSpan::Year] } else { &[TotalSpan::Year] };
        for span in spans {
            let mut row = vec![one.code.to_owned(), lang::indicator(one.code).to_owned(), span_name(one, *span)];
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
                let is_unheard = month::is_unheard(gaps, unit.unit);
                row.push(match report.figures.iter().find(of) {
                    _ if is_unheard => word("未报", "not heard").to_owned(),
                    None if is_lost => word("缺", "lost").to_owned(),
                    found => print::figure(&found.cloned().unwrap_or_else(zero)),
                });
            }
            rows.push(row);
        }
    }
    let mut headings = vec![heading("indicator", "指标"), heading("name", "名称"), heading("span", "口径")];
    headings.extend(report.units.iter().map(|unit| column(&unit.unit.to_string(), unit.name.clone())));
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
            title: word("一、指标 (figures)", "1. Figures").into(),
            columns: headings,
            rows: rows.into_iter().map(of_cells).collect(),
        },
        pb::PaperTable {
            key: "ranks".into(),
            title: if lang::is_english() {
                format!("2. Ranks ({})", report.plan)
            } else {
                format!("二、排名（{}） (ranks)", report.plan)
            },
            columns: vec![heading("rank", "名次"), heading("name", "单位"), heading("score", "得分")],
            rows: report.ranks.iter().map(ranked).map(of_cells).collect(),
        },
        corrections(
            "corrects",
            word("三、更正以前月份 (corrections of earlier months)", "3. Corrections of earlier months"),
            &report.corrects,
        ),
        corrections(
            "corrected",
            word(
                "四、本月数字此后的更正 (what later months corrected of this one)",
                "4. What later months corrected of this one",
            ),
            &report.corrected,
        ),
        corrections(
            "open",
            word(
                "五、封账后更正，将列入下一月报 (changed since, not reported yet)",
                "5. Changed since, not reported yet",
            ),
            &month.adjustments,
        ),
    ]
}

fn span_name(one: &indicator::Indicator, span: TotalSpan) -> String {
    let (zh, en) = span_names(one, span);
    word(zh, en).to_owned()
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
        format!("{} {}", known.code, lang::indicator(known.code)),
        span_name(known, now.span()),
        print::figure(&was),
        print::figure(&now),
    ])
}

/// What is missing of a unit, in the language that is spoken.
pub(super) fn gap_word(why: &str) -> &'static str {
    let (zh, en) = taizhang_proto::month::gap_words(why);
    show::lang::word(zh, en)
}
