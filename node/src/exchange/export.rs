//! Registers out as csv or xlsx, for printing and for offices without this program.
//! Invariant: what is exported and imported again changes nothing; no cell starts a formula.

use super::{
    formula::{formats, harmless, is_formula, unwrapped},
    layout::exact::{RECORD, heading, id_heading, is_to_person, number_heading},
};
use crate::{
    caller::Refusal,
    desk::{Desk, SaveError},
};
use rust_xlsxwriter::{Format as Style, FormatAlign, Workbook};
use std::collections::HashMap;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::is_from_above,
    date,
    org::UnitTree,
    pb,
    register::{FieldDef, HOME_UNIT, RegisterDef, Shape, Value, registers},
};

/// The kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// UTF-8 with a byte order mark, commas.
    Csv,
    /// One sheet.
    Xlsx,
}

impl std::str::FromStr for Format {
    type Err = ExportError;

    fn from_str(word: &str) -> Result<Self, ExportError> {
        match word {
            "csv" => Ok(Self::Csv),
            "xlsx" => Ok(Self::Xlsx),
            other => Err(ExportError::Format(other.to_owned())),
        }
    }
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// No such kind of file.
    #[error("不支持 {0}，请用 csv 或 xlsx (csv or xlsx)")]
    Format(String),
    /// The office's store failed.
    #[error("{0}")]
    Store(#[from] SaveError),
    /// More rows than a sheet holds.
    #[error("记录超过{MAX_ROWS}条，一张工作表放不下，请按单位分开导出或导出为 csv (too many rows for a sheet)")]
    TooMany,
    /// The file can't be made.
    #[error("文件无法生成：{0} (the file can't be made)")]
    File(String),
}

impl From<ExportError> for Refusal {
    fn from(why: ExportError) -> Self {
        if matches!(why, ExportError::Format(_)) { Self::wrong(why) } else { Self::failed(why) }
    }
}

/// Most rows of a sheet, headings left aside.
const MAX_ROWS: usize = 1_000_000;
/// Rows above the first record of a sheet: title, unit and date, headings.
const TOP: u32 = 3;

/// A register's records of a unit and those below it, the office's own when there is none: bytes and row count.
/// References are written as the person's name and citizen id, units as name and code.
///
/// # Errors
/// When the store fails, or a sheet can't hold the rows.
pub fn export<D: Desk>(
    desk: &D,
    register: &RegisterDef,
    unit: Option<OrgCode>,
    format: Format,
) -> Result<(Vec<u8>, u64), ExportError> {
    let mut records = desk.list(register.number)?;
    // What units above have for everybody is theirs: an export is a register that can be read in again.
    let own = |record: &Record| !is_from_above(record, desk.unit());
    records.retain(|(_, record)| unit.map_or_else(|| own(record), |unit| owned_by(record, unit)));
    if format == Format::Xlsx && records.len() > MAX_ROWS {
        return Err(ExportError::TooMany);
    }
    let mut people = People::new(desk);
    let mut rows = Vec::with_capacity(records.len());
    let leads: Vec<&FieldDef> = register.fields.iter().filter(|field| is_to_person(field)).collect();
    for (id, record) in &records {
        let mut row = Vec::with_capacity(register.fields.len());
        for field in &register.fields {
            row.extend(people.cells(field, record)?);
        }
        // For the way back, right of what people read.
        row.push(id.to_string());
        row.extend(leads.iter().map(|field| record.reference(field.tag).map(|id| id.to_string()).unwrap_or_default()));
        rows.push(row);
    }
    let mut headings: Vec<String> = register.fields.iter().flat_map(|field| columns(register, field)).collect();
    headings.push(RECORD.to_owned());
    headings.extend(leads.iter().map(|field| id_heading(register, field)));
    let bytes = match format {
        Format::Csv => csv_file(&headings, &rows, false),
        Format::Xlsx => {
            let unit = unit.unwrap_or(desk.unit());
            let title = format!("{}{}", desk.tree().name(unit), register.zh);
            let from = format!("填报单位:{}", with_code(desk.tree(), unit));
            let on = format!("填报日期:{}", date::iso(desk.today()));
            xlsx_file(&title, &from, &on, &headings, &rows, register)
        }
    };
    bytes.map(|bytes| (bytes, rows.len() as u64)).map_err(ExportError::File)
}

fn owned_by(record: &Record, unit: OrgCode) -> bool {
    record.varint(HOME_UNIT).and_then(|code| OrgCode::new(code).ok()).is_some_and(|home| unit.covers(home))
}

/// A field's columns: a reference to a person has one for the citizen id too.
fn columns(def: &RegisterDef, field: &FieldDef) -> Vec<String> {
    let own = heading(def, field);
    if is_to_person(field) { vec![own, number_heading(def, field)] } else { vec![own] }
}

pub(crate) fn with_code(tree: &UnitTree, unit: OrgCode) -> String {
    if tree.contains(unit) { format!("{}({unit})", tree.name(unit)) } else { unit.to_string() }
}

/// Persons by the records that refer to them.
pub(crate) struct People<'a, D> {
    desk: &'a D,
    known: HashMap<RecordId, [String; 2]>,
}

impl<'a, D: Desk> People<'a, D> {
    pub(crate) fn new(desk: &'a D) -> Self {
        Self { desk, known: HashMap::new() }
    }

    /// The desk that holds them.
    pub(crate) fn desk(&self) -> &'a D {
        self.desk
    }

    /// The name of the person that a record is, or is about as a household is about its head; the record's id where the
    /// desk holds no such name.
    pub(crate) fn name(&mut self, id: RecordId) -> Result<String, SaveError> {
        self.person(id, 2).map(|[name, _]| name)
    }

    fn cells(&mut self, field: &FieldDef, record: &Record) -> Result<Vec<String>, SaveError> {
        let value = record.bytes(field.tag).and_then(|bytes| Value::decode(field, bytes));
        let width = 1 + usize::from(is_to_person(field));
        Ok(match value {
            None => vec![String::new(); width],
            Some(Value::Ref(id)) if width == 2 => self.person(id, 2)?.to_vec(),
            Some(Value::Uint(code)) if field.format == pb::Format::Unit => {
                vec![OrgCode::new(code).map_or_else(|_| code.to_string(), |unit| with_code(self.desk.tree(), unit))]
            }
            Some(value) => vec![value.show(field)],
        })
    }

    /// Name and citizen id of a person, of a household's head, or of an assistant; the id of a record not held here.
    fn person(&mut self, id: RecordId, depth: usize) -> Result<[String; 2], SaveError> {
        if let Some(known) = self.known.get(&id) {
            return Ok(known.clone());
        }
        let record = self.desk.view(id)?;
        let def = record.as_ref().and_then(|record| registers().get(record.register));
        let text = |field: &str| {
            let tag = def?.field_named(field)?.tag;
            record.as_ref()?.slice(tag).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        let head = || {
            let tag = def?.field_named("head_person")?.tag;
            record.as_ref()?.slice(tag).and_then(RecordId::from_slice)
        };
        let found = match (text("name"), head()) {
            (Some(name), _) => [name, text("id_no").unwrap_or_default()],
            (None, Some(head)) if depth > 0 => self.person(head, depth - 1)?,
            _ => [id.to_string(), String::new()],
        };
        self.known.insert(id, found.clone());
        Ok(found)
    }
}

/// Rows under headings as a file, by its extension: csv, or xlsx with every cell a text.
///
/// # Errors
/// When the extension is neither, or the library fails.
pub fn sheet(file: &std::path::Path, headings: &[(&str, &str)], rows: &[Vec<String>]) -> anyhow::Result<Vec<u8>> {
    let headings: Vec<String> = headings.iter().map(|(_, zh)| (*zh).to_owned()).collect();
    match file.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase).as_deref() {
        Some("csv") | None => csv_file(&headings, rows, true).map_err(anyhow::Error::msg),
        Some("xlsx") => {
            let mut book = Workbook::new();
            let (text, quoted) = formats();
            let page = book.add_worksheet();
            for (place, row) in std::iter::once(&headings).chain(rows).enumerate() {
                for (column, cell) in row.iter().enumerate() {
                    if let Some(number) = count(cell) {
                        page.write_number(u32::try_from(place)?, u16::try_from(column)?, number)?;
                        continue;
                    }
                    let style = if is_formula(cell) { &quoted } else { &text };
                    page.write_string_with_format(u32::try_from(place)?, u16::try_from(column)?, cell, style)?;
                }
            }
            Ok(book.save_to_buffer()?)
        }
        Some(other) => anyhow::bail!("不支持 {other}，请用 csv 或 xlsx (csv or xlsx)"),
    }
}

/// A count, or how many days are left; no number that is a name, as of a phone.
fn count(cell: &str) -> Option<f64> {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let is_count = matches!(digits.len(), 1..=7) && (digits == "0" || !digits.starts_with('0'));
    cell.parse().ok().filter(|_| is_count && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn csv_file(headings: &[String], rows: &[Vec<String>], counts: bool) -> Result<Vec<u8>, String> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(b"\xef\xbb\xbf".to_vec());
    writer.write_record(headings).map_err(|error| error.to_string())?;
    for row in rows {
        writer
            .write_record(
                row.iter().map(|cell| if counts && count(cell).is_some() { cell.clone() } else { harmless(cell) }),
            )
            .map_err(|error| error.to_string())?;
    }
    writer.into_inner().map_err(|error| error.to_string())
}

/// Columns that are numbers; all others are text, so that ids keep their digits.
fn numeric(register: &RegisterDef) -> Vec<bool> {
    let is_number = |field: &FieldDef| field.shape == Shape::Uint && !field.many && field.format != pb::Format::Unit;
    let fields = register.fields.iter().flat_map(|field| vec![is_number(field); 1 + usize::from(is_to_person(field))]);
    // The ids behind them are texts.
    let ids = 1 + register.fields.iter().filter(|field| is_to_person(field)).count();
    fields.chain(std::iter::repeat_n(false, ids)).collect()
}

fn xlsx_file(
    title: &str,
    from: &str,
    on: &str,
    headings: &[String],
    rows: &[Vec<String>],
    register: &RegisterDef,
) -> Result<Vec<u8>, String> {
    let numeric = numeric(register);
    let fill = || {
        let mut book = Workbook::new();
        let sheet = book.add_worksheet();
        sheet.set_name(&register.zh)?;
        let wide = Style::new().set_bold().set_font_size(16).set_align(FormatAlign::Center);
        let head = Style::new().set_bold().set_text_wrap();
        let (text, quoted) = formats();
        let last = (headings.len().max(2) - 1) as u16;
        sheet.merge_range(0, 0, 0, last, title, &wide)?;
        sheet.write_string(1, 0, from)?;
        sheet.write_string(1, last, on)?;
        for (column, heading) in headings.iter().enumerate() {
            sheet.write_string_with_format(TOP - 1, column as u16, heading, &head)?;
            sheet.set_column_width(column as u16, if numeric[column] { 10 } else { 20 })?;
        }
        sheet.set_freeze_panes(TOP, 0)?;
        for (row, cells) in (TOP..).zip(rows) {
            for (column, cell) in cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
                match cell.parse::<f64>() {
                    Ok(number) if numeric[column] => sheet.write_number(row, column as u16, number)?,
                    // What the way back would unwrap gets its apostrophe all the same.
                    _ if is_formula(cell) && !cell.starts_with('\'') && unwrapped(cell) == cell.trim() => {
                        sheet.write_string_with_format(row, column as u16, cell, &quoted)?
                    }
                    _ => sheet.write_string_with_format(row, column as u16, harmless(cell), &text)?,
                };
            }
        }
        book.save_to_buffer()
    };
    fill().map_err(|error: rust_xlsxwriter::XlsxError| error.to_string())
}
