//! The refused rows of a file as a file of the same kind and layout, with a last column 原因.
//! Invariant: once its rows are mended, the file imports as it is; the column 原因 says nothing to the importer.

use super::{
    ImportError,
    book::{Book, Container, Encoding, Sheet},
    cells::Cell,
    form::Form,
    formula::{as_it_was, formats, harmless, is_formula},
    read, text_file,
};
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, XlsxError};
use std::{borrow::Cow, collections::HashSet};
use taizhang_proto::date;

/// Heading of the column.
pub(super) const REASON: &str = "原因";

/// A row that was refused.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) sheet: usize,
    pub(super) row: usize,
    /// Its cells, 同上 written out.
    pub(super) cells: Vec<Cell>,
    pub(super) why: String,
}

/// Name and bytes of the reasons file.
pub(super) fn write(
    book: &Book<'_>,
    forms: &[Option<Form<'_>>],
    wrong: &[Wrong],
    file_name: &str,
) -> Result<(String, Vec<u8>), ImportError> {
    let tables: Vec<(&str, Table<'_>)> = book
        .sheets
        .iter()
        .zip(forms)
        .enumerate()
        .filter_map(|(index, (sheet, form))| {
            let own: Vec<&Wrong> = wrong.iter().filter(|wrong| wrong.sheet == index).collect();
            let form = form.as_ref().filter(|_| !own.is_empty())?;
            Some((sheet.name.as_str(), table(sheet, form, &own)))
        })
        .collect();
    let as_text = |encoding, delimiter| {
        let bytes = text(&tables, encoding, delimiter).map_err(|error| ImportError::Reasons(error.to_string()))?;
        Ok((named(file_name, "csv"), bytes))
    };
    match book.container {
        Container::Workbook => match workbook(&tables) {
            Ok(bytes) => Ok((named(file_name, "xlsx"), bytes)),
            // Good rows are saved by now: whatever a workbook can't hold, a text can.
            Err(_) => as_text(Encoding::Utf8 { marked: true }, b','),
        },
        Container::Text { encoding, delimiter } => as_text(encoding, delimiter),
    }
}

/// Longest part of a file's name that is taken over, characters: with what is added it stays a name that disks take.
const MAX_STEM: usize = 60;

/// The name of the reasons file of a file.
pub fn file_name(file_name: &str, content: &[u8]) -> String {
    named(file_name, if read::is_workbook(content) { "xlsx" } else { "csv" })
}

/// The first rows of such a file, to be looked at without saving it; none where there is no file.
pub fn reasons_table(file_name: &str, content: &[u8], most: usize) -> Option<Vec<Vec<String>>> {
    let book = read::read(&super::Source { file_name, content }).ok()?;
    let rows = book.sheets.iter().flat_map(|sheet| &sheet.rows).take(most);
    Some(rows.map(|row| row.iter().map(Cell::text).collect()).collect())
}

fn named(file_name: &str, extension: &str) -> String {
    let stem = text_file::stem(file_name);
    // The reasons of a reasons file are the file's own.
    let stem = match stem.rsplit_once("-原因") {
        Some((bare, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => bare,
        _ => stem,
    };
    let safe = |sign: char| if sign.is_control() || "\\/:*?\"<>|".contains(sign) { '_' } else { sign };
    let stem: String = stem.chars().map(safe).take(MAX_STEM).collect();
    let stem = stem.trim().trim_end_matches('.');
    format!("{}-原因.{extension}", if stem.is_empty() { "导入" } else { stem })
}

/// Longest name of a sheet, and longest text of a cell.
const MAX_SHEET_NAME: usize = 31;
const MAX_CELL: usize = 32_767;

/// Names for sheets that a workbook takes, no two alike.
fn sheet_names(tables: &[(&str, Table<'_>)]) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut names = Vec::with_capacity(tables.len());
    for (index, (name, _)) in tables.iter().enumerate() {
        let safe = |sign: char| if sign.is_control() || "[]:*?/\\".contains(sign) { '_' } else { sign };
        let short = |name: &str, most: usize| {
            let mut units = 0;
            let fits = |sign: &char| {
                units += sign.len_utf16();
                units <= most
            };
            name.chars().take_while(fits).collect::<String>()
        };
        let plain: String = name.chars().map(safe).collect();
        let plain = short(plain.trim_matches(['\'', ' ']), MAX_SHEET_NAME);
        let plain = plain.trim_matches(['\'', ' ']);
        let mut own = if plain.is_empty() || plain.eq_ignore_ascii_case("history") {
            format!("Sheet{}", index + 1)
        } else {
            plain.to_owned()
        };
        let mut number = 2;
        while !taken.insert(own.to_lowercase()) {
            own = format!("{}({number})", short(plain, MAX_SHEET_NAME - 6));
            number += 1;
        }
        names.push(own);
    }
    names
}

/// A text as a cell can hold it.
fn clipped(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_CELL {
        return Cow::Borrowed(text);
    }
    let mut units = 0;
    let fits = |sign: &char| {
        units += sign.len_utf16();
        units <= MAX_CELL
    };
    Cow::Owned(text.chars().take_while(fits).collect())
}

/// Rows of a reasons file; the flag marks headings.
struct Table<'a> {
    rows: Vec<(bool, Vec<&'a Cell>, Option<&'a str>)>,
    /// Where 原因 stands.
    reason: usize,
}

fn table<'a>(sheet: &'a Sheet, form: &'a Form<'_>, wrong: &[&'a Wrong]) -> Table<'a> {
    let heads = &sheet.rows[form.head..form.body];
    let before = form.columns.iter().position(|column| column.heading == REASON);
    let widest =
        heads.iter().map(Vec::len).chain(wrong.iter().map(|wrong| wrong.cells.len())).max().unwrap_or_default();
    let reason = before.unwrap_or(widest);
    let mut rows: Vec<_> = sheet.rows[..form.head].iter().map(|row| (false, row.iter().collect(), None)).collect();
    for (index, row) in heads.iter().enumerate() {
        rows.push((true, row.iter().collect(), (index == 0).then_some(REASON)));
    }
    rows.extend(wrong.iter().map(|wrong| (false, wrong.cells.iter().collect(), Some(wrong.why.as_str()))));
    // The unit or the date may stand below the rows.
    rows.extend(form.frame.iter().map(|row| (false, row.iter().collect(), None)));
    Table { rows, reason }
}

fn workbook(tables: &[(&str, Table<'_>)]) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    // The same rows are the same file, whenever it is written.
    let dated = ExcelDateTime::from_ymd(2008, 3, 20)?;
    book.set_properties(&DocProperties::new().set_creation_datetime(&dated));
    let bold = Format::new().set_bold();
    let (as_text, quoted) = formats();
    let as_day = Format::new().set_num_format("yyyy-mm-dd");
    let as_moment = Format::new().set_num_format("yyyy-mm-dd hh:mm:ss");
    let red = Format::new().set_font_color("C00000");
    for ((_, table), name) in tables.iter().zip(sheet_names(tables)) {
        let sheet = book.add_worksheet();
        sheet.set_name(name)?;
        for (row, (is_head, cells, why)) in table.rows.iter().enumerate() {
            let row = row as u32;
            for (column, cell) in
                cells.iter().enumerate().filter(|(column, _)| why.is_none() || *column != table.reason)
            {
                let column = column as u16;
                match cell {
                    // What the reason asks for is to be filled in.
                    Cell::Empty | Cell::Failed(_) => {}
                    Cell::Text(written) => {
                        let format = match (*is_head, is_formula(written) && !written.starts_with('\'')) {
                            (true, _) => &bold,
                            (false, true) => &quoted,
                            (false, false) => &as_text,
                        };
                        sheet.write_string_with_format(row, column, clipped(written), format)?;
                    }
                    // Format of text: what is typed over a number that lost its digits will keep them.
                    Cell::Number(number) if cell.lost_digits() => {
                        sheet.write_number_with_format(row, column, *number, &as_text)?;
                    }
                    Cell::Number(number) => {
                        sheet.write_number(row, column, *number)?;
                    }
                    Cell::Late(serial) => {
                        sheet.write_number_with_format(row, column, *serial, &as_moment)?;
                    }
                    Cell::Day(day) => {
                        sheet.write_number_with_format(row, column, excel_serial(*day), &as_day)?;
                    }
                }
            }
            if let Some(why) = why {
                let format = if *is_head { &bold } else { &red };
                sheet.write_string_with_format(row, table.reason as u16, clipped(why), format)?;
            }
        }
        sheet.set_column_width(table.reason as u16, 60)?;
    }
    book.save_to_buffer()
}

/// The number by which a workbook writes a day.
pub(super) fn excel_serial(day: date::Day) -> f64 {
    f64::from(day + 25_569)
}

fn text(tables: &[(&str, Table<'_>)], encoding: Encoding, delimiter: u8) -> Result<Vec<u8>, csv::Error> {
    let mut rows = Vec::new();
    for (_, table) in tables {
        for (_, cells, why) in &table.rows {
            let mut row: Vec<String> = cells
                .iter()
                .map(|cell| match cell {
                    Cell::Text(written) => as_it_was(written),
                    other => other.text(),
                })
                .collect();
            if let Some(why) = why {
                if row.len() <= table.reason {
                    row.resize(table.reason + 1, String::new());
                }
                row[table.reason] = harmless(why);
            }
            rows.push(row);
        }
    }
    text_file::write(&rows, encoding, delimiter)
}
