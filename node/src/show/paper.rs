//! A paper as people read it: on the terminal, as a sheet for Excel, as csv, and as a page to print.
//! Invariant: all of them show the same tables; no cell starts a formula.

use super::{Reader, document, exported, listed, objects, table};
use crate::{
    disk::{self, Secrecy},
    exchange::{formats, harmless, is_formula},
    say,
};
use rust_xlsxwriter::Workbook;
use std::{fmt::Write, path::Path};
use taizhang_proto::pb;

/// Shows a paper, or writes it to a file by its extension: csv, xlsx, html.
///
/// # Errors
/// When it is no such file, or it can't be made.
pub fn show(paper: &pb::Paper, file: Option<&Path>, reader: Reader) -> anyhow::Result<()> {
    let Some(file) = file else {
        print(paper, reader);
        return Ok(());
    };
    let extension = file.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase);
    let content = match extension.as_deref().unwrap_or_default() {
        "csv" => csv(paper),
        "html" => html(paper),
        "xlsx" => xlsx(paper)?,
        other => anyhow::bail!("不能另存为 .{other}；请用 .xlsx、.csv 或 .html (not a kind of file that is written)"),
    };
    disk::write_file(file, &content, Secrecy::OwnerOnly)?;
    exported(reader, paper.tables.iter().map(|table| table.rows.len() as u64).sum(), file);
    Ok(())
}

/// On the terminal, empty tables left out but for the first; to a program one document: the rows, or those of each table by
/// its key where there are several.
fn print(paper: &pb::Paper, reader: Reader) {
    let rows = |one: &pb::PaperTable| one.rows.iter().map(|row| row.cells.clone()).collect::<Vec<_>>();
    if reader == Reader::Program {
        let told = match &paper.tables[..] {
            [one] => listed(objects(&headings(one), &rows(one))),
            all => all.iter().map(|one| (one.key.clone(), objects(&headings(one), &rows(one)))).collect(),
        };
        return document(reader, told);
    }
    say!("{}", paper.title);
    paper.notes.iter().for_each(|note| say!("{note}"));
    for (place, one) in paper.tables.iter().enumerate() {
        if place > 0 && one.rows.is_empty() {
            continue;
        }
        if paper.tables.len() > 1 {
            say!("{}", one.title);
        }
        table(reader, &headings(one), &rows(one));
    }
}

fn headings(table: &pb::PaperTable) -> Vec<(&str, &str)> {
    table.columns.iter().map(|column| (column.key.as_str(), column.name.as_str())).collect()
}

fn heads(table: &pb::PaperTable) -> Vec<String> {
    table.columns.iter().map(|column| column.name.clone()).collect()
}

/// Every line of a paper, cells apart.
fn lines(paper: &pb::Paper) -> Vec<Vec<String>> {
    let mut lines = vec![vec![paper.title.clone()]];
    lines.extend(paper.notes.iter().map(|note| vec![note.clone()]));
    for table in &paper.tables {
        lines.push(vec![table.title.clone()]);
        lines.push(heads(table));
        lines.extend(table.rows.iter().map(|row| row.cells.clone()));
    }
    lines.extend((!paper.foot.is_empty()).then(|| vec![paper.foot.clone()]));
    lines
}

/// UTF-8 with a byte order mark, so that Excel reads it.
fn csv(paper: &pb::Paper) -> Vec<u8> {
    let quoted = |cell: &String| format!("\"{}\"", harmless(cell).replace('"', "\"\""));
    let mut text = String::from("\u{feff}");
    for line in lines(paper) {
        let _ = write!(text, "{}\r\n", line.iter().map(quoted).collect::<Vec<_>>().join(","));
    }
    text.into_bytes()
}

/// One sheet, landscape, for printing; every cell a text.
fn xlsx(paper: &pb::Paper) -> anyhow::Result<Vec<u8>> {
    let mut book = Workbook::new();
    let (text, quoted) = formats();
    let sheet = book.add_worksheet();
    sheet.set_landscape().set_paper_size(9); // A4
    for (at, line) in lines(paper).into_iter().enumerate() {
        for (column, cell) in line.into_iter().enumerate() {
            let style = if is_formula(&cell) { &quoted } else { &text };
            sheet.write_string_with_format(u32::try_from(at)?, u16::try_from(column)?, cell, style)?;
        }
    }
    Ok(book.save_to_buffer()?)
}

/// The style of a page that prints on A4.
const STYLE: &str = "@page{size:A4 landscape;margin:12mm}body{font-family:serif}table{border-collapse:collapse}td,th{\
    border:1px solid;padding:2px 6px;font-size:10pt}h1{text-align:center}thead{display:table-header-group}.label{\
    display:inline-block;width:60mm;border:1px solid;margin:2mm;padding:2mm;page-break-inside:avoid}";

/// A page that prints on A4 and needs nothing from elsewhere. Labels are boxes to cut out.
fn html(paper: &pb::Paper) -> Vec<u8> {
    let safe = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let cells = |tag: &str, cells: &[String]| -> String {
        let cells: Vec<String> = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", safe(cell))).collect();
        format!("<tr>{}</tr>", cells.concat())
    };
    let mut page = format!(
        "<!doctype html><html lang=\"zh\"><meta charset=\"utf-8\"><title>{0}</title><style>{STYLE}</style><h1>{0}</h1>",
        safe(&paper.title)
    );
    for note in &paper.notes {
        _ = write!(page, "<p>{}</p>", safe(note));
    }
    for table in &paper.tables {
        let names = heads(table);
        if table.key == "labels" {
            for row in &table.rows {
                let lines =
                    names.iter().zip(&row.cells).map(|(name, cell)| format!("{}：{}<br>", safe(name), safe(cell)));
                _ = write!(page, "<div class=\"label\">{}</div>", lines.collect::<String>());
            }
            continue;
        }
        let rows: String = table.rows.iter().map(|row| cells("td", &row.cells)).collect();
        let (title, heads) = (safe(&table.title), cells("th", &names));
        _ = write!(page, "<h2>{title}</h2><table><thead>{heads}</thead><tbody>{rows}</tbody></table>");
    }
    _ = write!(page, "<p>{}</p></html>", safe(&paper.foot));
    page.into_bytes()
}
