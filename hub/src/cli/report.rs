//! The report of a locked month as people read it: on the terminal, as a sheet for Excel, as csv, and as a page to print.
//! Invariant: all of them show the same tables.

use super::print;
use anyhow::Context;
use rust_xlsxwriter::Workbook;
use std::{fmt::Write, path::Path};
use taizhang_node::{
    disk::{self, Secrecy},
    say,
    show::{self, Reader},
};
use taizhang_proto::{
    indicator::{self, Kind},
    month,
    pb::{self, TotalSpan},
};

/// A table with its title.
struct Table {
    key: &'static str,
    title: String,
    headings: Vec<(String, String)>,
    rows: Vec<Vec<String>>,
}

/// Shows a report, or writes it to a file.
///
/// # Errors
/// When the file can't be made.
pub(super) fn show(report: &pb::MonthReport, file: Option<&Path>, reader: Reader) -> anyhow::Result<()> {
    let (title, notes, tables) = (title(report), notes(report), tables(report));
    let Some(file) = file else {
        if reader == Reader::Person {
            say!("{title}");
            for note in &notes {
                say!("{note}");
            }
        }
        for table in tables.iter().filter(|table| table.key == "figures" || !table.rows.is_empty()) {
            if reader == Reader::Person {
                say!("{}", table.title);
            }
            let headings: Vec<(&str, &str)> =
                table.headings.iter().map(|(key, name)| (key.as_str(), name.as_str())).collect();
            show::table(reader, &headings, &table.rows);
        }
        return Ok(());
    };
    let content = match file.extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "csv" => csv(&title, &notes, &tables),
        "html" => html(&title, &notes, &tables),
        "xlsx" => xlsx(&title, &notes, &tables)?,
        other => anyhow::bail!("不能另存为 .{other}；请用 .xlsx、.csv 或 .html (not a kind of file that is written)"),
    };
    disk::write_file(file, &content, Secrecy::OwnerOnly)?;
    say!("已写到 {} (written)", file.display());
    Ok(())
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
    notes
}

fn span_name(one: &indicator::Indicator, span: TotalSpan) -> &'static str {
    match (one.kind, span) {
        (Kind::Stock, _) => "月末",
        (Kind::Flow, TotalSpan::Year) => "年累计",
        (Kind::Flow, TotalSpan::Month) => "本月",
    }
}

fn tables(report: &pb::MonthReport) -> Vec<Table> {
    let heading = |key: &str, name: &str| (key.to_owned(), name.to_owned());
    let mut rows = Vec::new();
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
                row.push(print::figure(&report.figures.iter().find(of).cloned().unwrap_or_else(zero)));
            }
            rows.push(row);
        }
    }
    let mut headings = vec![heading("indicator", "指标"), heading("name", "名称"), heading("span", "口径")];
    headings.extend(report.units.iter().map(|unit| (unit.unit.to_string(), unit.name.clone())));
    let month = report.month.clone().unwrap_or_default();
    let corrections = |key, title: &str, lines: &[pb::Adjustment]| Table {
        key,
        title: title.to_owned(),
        headings: [
            ("month", "月份"),
            ("name", "单位"),
            ("indicator", "指标"),
            ("span", "口径"),
            ("reported", "原报数"),
            ("now", "更正为"),
        ]
        .map(|(key, name)| heading(key, name))
        .to_vec(),
        rows: lines.iter().filter_map(correction).collect(),
    };
    vec![
        Table { key: "figures", title: "一、指标 (figures)".into(), headings, rows },
        Table {
            key: "ranks",
            title: format!("二、排名（{}） (ranks)", report.plan),
            headings: vec![heading("rank", "名次"), heading("name", "单位"), heading("score", "得分")],
            rows: report.ranks.iter().map(ranked).collect(),
        },
        corrections("corrects", "三、更正以前月份 (corrections of earlier months)", &report.corrects),
        corrections("corrected", "四、本月数字此后的更正 (what later months corrected of this one)", &report.corrected),
        corrections("open", "五、封账后更正，将列入下一月报 (changed since, not reported yet)", &month.adjustments),
    ]
}

fn ranked(one: &pb::UnitScore) -> Vec<String> {
    let score = if one.measured { format!("{:.2}", one.score) } else { "—".into() };
    vec![one.rank.to_string(), one.name.clone(), score]
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

/// UTF-8 with a byte order mark, so that Excel reads it.
fn csv(title: &str, notes: &[String], tables: &[Table]) -> Vec<u8> {
    let quoted = |cell: &str| format!("\"{}\"", cell.replace('"', "\"\""));
    let mut text = String::from("\u{feff}");
    let mut line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
        let _ = write!(text, "{}\r\n", cells.join(","));
    };
    line(&[title.to_owned()]);
    for note in notes {
        line(std::slice::from_ref(note));
    }
    for table in tables {
        line(std::slice::from_ref(&table.title));
        line(&table.headings.iter().map(|(_, name)| name.clone()).collect::<Vec<_>>());
        for row in &table.rows {
            line(row);
        }
    }
    text.into_bytes()
}

/// One sheet, landscape, for printing.
fn xlsx(title: &str, notes: &[String], tables: &[Table]) -> anyhow::Result<Vec<u8>> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.set_landscape().set_paper_size(9); // A4
    let mut at = 0;
    let mut line = |cells: &[String]| -> anyhow::Result<()> {
        for (column, cell) in cells.iter().enumerate() {
            sheet.write_string(at, u16::try_from(column)?, cell)?;
        }
        at += 1;
        Ok(())
    };
    line(&[title.to_owned()])?;
    for note in notes {
        line(std::slice::from_ref(note))?;
    }
    for table in tables {
        line(std::slice::from_ref(&table.title))?;
        line(&table.headings.iter().map(|(_, name)| name.clone()).collect::<Vec<_>>())?;
        for row in &table.rows {
            line(row)?;
        }
    }
    book.save_to_buffer().context("文件无法生成 (the file can't be made)")
}

/// A page that prints on A4 and needs nothing from elsewhere.
fn html(title: &str, notes: &[String], tables: &[Table]) -> Vec<u8> {
    let safe = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let cells = |tag: &str, cells: &mut dyn Iterator<Item = &String>| -> String {
        let cells: Vec<String> = cells.map(|cell| format!("<{tag}>{}</{tag}>", safe(cell))).collect();
        format!("<tr>{}</tr>", cells.concat())
    };
    let mut page = format!(
        "<!doctype html><html lang=\"zh\"><meta charset=\"utf-8\"><title>{0}</title><style>@page{{size:A4 landscape;\
         margin:12mm}}body{{font-family:serif}}table{{border-collapse:collapse}}td,th{{border:1px solid;padding:2px 6px;\
         font-size:10pt}}h1{{text-align:center}}thead{{display:table-header-group}}</style><h1>{0}</h1>",
        safe(title)
    );
    for note in notes {
        _ = write!(page, "<p>{}</p>", safe(note));
    }
    for table in tables {
        let heads = cells("th", &mut table.headings.iter().map(|(_, name)| name));
        let rows: String = table.rows.iter().map(|row| cells("td", &mut row.iter())).collect();
        let _ =
            write!(page, "<h2>{}</h2><table><thead>{heads}</thead><tbody>{rows}</tbody></table>", safe(&table.title));
    }
    page.push_str("<p>审核人：　　　　　　填报日期：　　　　　　（盖章）</p></html>");
    page.into_bytes()
}
