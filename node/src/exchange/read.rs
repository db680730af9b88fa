//! Bytes to cells. The kind of a file is told by its content, and every size is bounded before memory is taken.
//! Invariant: no file, however broken, makes this panic; the libraries that might are caught here.

use super::{
    ImportError, MAX_FILE, Source,
    cells::{Book, Cell, Container, Sheet},
    ole, package, text_file,
};
use calamine::{
    Data, DataRef, Dimensions, ExcelDateTime, Reader, SheetType, SheetVisible, Xls, XlsError, XlsOptions, Xlsx,
    XlsxError,
};
use std::{
    collections::BTreeMap,
    io::{Cursor, Read},
    panic::{AssertUnwindSafe, catch_unwind},
};
use taizhang_proto::text::{self, Moment};

/// Most rows of a sheet.
pub(super) const MAX_ROWS: usize = 1_000_000;
/// Most columns of a sheet.
pub(super) const MAX_COLUMNS: usize = 200;
/// Most cells of a file, empty ones left of a filled one included.
const MAX_CELLS: usize = 12_000_000;
/// Most text of a file, bytes.
const MAX_TEXT: usize = 256 << 20;
/// Most bytes that a workbook may unpack to.
const MAX_UNPACKED: u64 = 512 << 20;
/// Most sheets.
const MAX_SHEETS: usize = 1_000;
/// Blank rows in a sequence that are kept as they are; more of them are one.
const MAX_GAP: usize = 1_000;
/// Cells right of the columns taken that are passed over, told and counted, before a file is called too wide.
const MAX_STRAY: usize = 64;

const ZIP: &[u8] = b"PK\x03\x04";
const OLE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// Whether a file is a workbook, by its first bytes.
pub(super) fn is_workbook(content: &[u8]) -> bool {
    content.starts_with(ZIP) || content.starts_with(OLE)
}

/// Reads a file.
pub(super) fn read(source: &Source<'_>) -> Result<Book, ImportError> {
    let content = source.content;
    if content.is_empty() {
        return Err(ImportError::Empty);
    }
    if content.len() > MAX_FILE {
        return Err(ImportError::TooLarge { what: "字节数", limit: MAX_FILE as u64 });
    }
    let book = if content.starts_with(ZIP) {
        guarded(|| xlsx(content))?
    } else if content.starts_with(OLE) {
        guarded(|| xls(content))?
    } else {
        text_file::read(source)?
    };
    if book.sheets.iter().all(|sheet| sheet.rows.is_empty()) {
        return Err(ImportError::Empty);
    }
    Ok(book)
}

/// Runs a reader that may panic on a damaged file.
fn guarded(read: impl FnOnce() -> Result<Book, ImportError>) -> Result<Book, ImportError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(ImportError::Damaged("内部结构不一致".into())))
}

/// Cells as they arrive, in any order, within the bounds of a file. A cell far below the others, or far right of them, makes
/// no sheet larger.
#[derive(Default)]
pub(super) struct Filling {
    /// Of the sheet that is being filled, by number.
    rows: BTreeMap<usize, Vec<Cell>>,
    cells: usize,
    text: usize,
    stray: usize,
}

impl Filling {
    /// Puts a cell into its place.
    pub(super) fn put(&mut self, row: usize, column: usize, cell: Cell) -> Result<(), ImportError> {
        if cell.is_blank() {
            return Ok(());
        }
        if column >= MAX_COLUMNS {
            self.stray += 1;
            return within(self.stray, MAX_STRAY, "列数", MAX_COLUMNS);
        }
        if let Cell::Text(text) = &cell {
            self.text += text.len();
            within(self.text, MAX_TEXT, "文字量", MAX_TEXT)?;
        }
        self.set(row, column, cell)
    }

    fn set(&mut self, row: usize, column: usize, cell: Cell) -> Result<(), ImportError> {
        let cells = self.rows.entry(row).or_default();
        if cells.len() <= column {
            self.cells += column + 1 - cells.len();
            within(self.cells, MAX_CELLS, "单元格数", MAX_CELLS)?;
            cells.resize(column + 1, Cell::Empty);
        }
        cells[column] = cell;
        within(self.rows.len(), MAX_ROWS, "行数", MAX_ROWS)
    }

    /// Writes a cell merged over several rows into each of them: every row of the table is read by itself.
    fn spread(&mut self, merged: &[Dimensions]) -> Result<(), ImportError> {
        for area in merged {
            let (top, bottom, column) = (area.start.0 as usize, area.end.0 as usize, area.start.1 as usize);
            let Some(cell) = self.rows.get(&top).and_then(|row| row.get(column)).cloned() else { continue };
            if bottom <= top {
                continue;
            }
            let below: Vec<usize> = self.rows.range(top + 1..=bottom).map(|(row, _)| *row).collect();
            for row in below {
                if self.rows[&row].get(column).is_none_or(Cell::is_blank) {
                    self.set(row, column, cell.clone())?;
                }
            }
        }
        Ok(())
    }

    /// The rows of the sheet, and room for the next one. Of a long sequence of blank rows one is kept.
    pub(super) fn take(&mut self) -> Vec<Vec<Cell>> {
        let mut rows = Vec::with_capacity(self.rows.len());
        let mut next = 0;
        for (row, cells) in std::mem::take(&mut self.rows) {
            let blank = row - next;
            rows.resize_with(rows.len() + if blank > MAX_GAP { 1 } else { blank }, Vec::new);
            rows.push(cells);
            next = row + 1;
        }
        rows
    }

    /// What the clerk should know of cells that were passed over.
    pub(super) fn finding(&self) -> Option<String> {
        (self.stray > 0).then(|| {
            format!("第{MAX_COLUMNS}列以后有{}个零散的单元格，没有读取 (stray cells were not read)", self.stray)
        })
    }
}

fn within(count: usize, most: usize, what: &'static str, limit: usize) -> Result<(), ImportError> {
    if count <= most { Ok(()) } else { Err(ImportError::TooLarge { what, limit: limit as u64 }) }
}

fn xlsx(content: &[u8]) -> Result<Book, ImportError> {
    bound_unpacked(content)?;
    let first = match guarded(|| workbook(content)) {
        Err(error @ (ImportError::Damaged(_) | ImportError::Kind(_))) => error,
        answer => return answer,
    };
    // Excel takes more than the reader does.
    match package::mended(content) {
        Some(mended) => guarded(|| workbook(&mended)).map_err(|_| first),
        None => Err(first),
    }
}

fn workbook(content: &[u8]) -> Result<Book, ImportError> {
    let wrong = |error| xlsx_error(error, content);
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(content)).map_err(wrong)?;
    let mut findings = Vec::new();
    let names = visible(book.sheets_metadata(), &mut findings)?;
    let is_1904 = book.has_1904_epoch();
    let mut filling = Filling::default();
    let mut sheets = Vec::with_capacity(names.len());
    for name in names {
        let mut reader = book.worksheet_cells_reader(&name).map_err(wrong)?;
        while let Some(cell) = reader.next_cell().map_err(wrong)? {
            let (row, column) = cell.get_position();
            filling.put(row as usize, column as usize, from_ref(cell.get_value().clone(), is_1904))?;
        }
        drop(reader);
        let merged = book.merge_cells_by_sheet_name(&name).unwrap_or_default();
        filling.spread(&merged)?;
        sheets.push(Sheet { name, rows: filling.take(), is_1904 });
    }
    findings.extend(filling.finding());
    Ok(Book { sheets, container: Container::Workbook, findings })
}

/// Unpacks every part of a workbook and throws it away: what the parts say of their size need not be true.
fn bound_unpacked(content: &[u8]) -> Result<(), ImportError> {
    let damaged = |error: &dyn std::fmt::Display| ImportError::Damaged(error.to_string());
    let mut archive = zip::ZipArchive::new(Cursor::new(content)).map_err(|error| damaged(&error))?;
    let mut left = MAX_UNPACKED;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(|error| match error {
            zip::result::ZipError::UnsupportedArchive(zip::result::ZipError::PASSWORD_REQUIRED) => {
                ImportError::Password
            }
            other => damaged(&other),
        })?;
        let size = std::io::copy(&mut part.take(left + 1), &mut std::io::sink()).map_err(|error| damaged(&error))?;
        left = left
            .checked_sub(size)
            .ok_or(ImportError::TooLarge { what: "解压后的字节数", limit: MAX_UNPACKED })?;
    }
    Ok(())
}

/// Code pages of Excel 97 and later, and of Excel 95 in Chinese.
const UTF_16: u16 = 1_200;
const GBK: u16 = 936;

fn xls(content: &[u8]) -> Result<Book, ImportError> {
    if contains_utf16(content, "EncryptedPackage") {
        return Err(ImportError::Password);
    }
    let content = &*ole::inspect(content)?;
    let mut book: Xls<_> = match Xls::new(Cursor::new(content)) {
        // Code pages that the reader has no table for: all of ours wrote Chinese.
        Err(XlsError::Cfb(error)) if error.to_string().contains("Codepage") => {
            let mut options = XlsOptions::default();
            options.force_codepage = Some(if contains_utf16(content, "Workbook") { UTF_16 } else { GBK });
            Xls::new_with_options(Cursor::new(content), options)
        }
        opened => opened,
    }
    .map_err(xls_error)?;
    let mut findings = Vec::new();
    let names = visible(book.sheets_metadata(), &mut findings)?;
    let is_1904 = book.has_1904_epoch();
    let mut filling = Filling::default();
    let mut sheets = Vec::with_capacity(names.len());
    for name in names {
        let range = book.worksheet_range(&name).map_err(xls_error)?;
        let (top, left) = range.start().unwrap_or_default();
        for (row, column, value) in range.used_cells() {
            let cell = from_data(value, is_1904);
            filling.put(row + top as usize, column + left as usize, cell)?;
        }
        let merged = book.merge_cells_by_sheet_name(&name).unwrap_or_default();
        filling.spread(&merged)?;
        sheets.push(Sheet { name, rows: filling.take(), is_1904 });
    }
    findings.extend(filling.finding());
    Ok(Book { sheets, container: Container::Workbook, findings })
}

/// The names of the sheets that a clerk sees; hidden ones are mostly lists for drop-downs.
fn visible(all: &[calamine::Sheet], findings: &mut Vec<String>) -> Result<Vec<String>, ImportError> {
    if all.len() > MAX_SHEETS {
        return Err(ImportError::TooLarge { what: "工作表数", limit: MAX_SHEETS as u64 });
    }
    let mut names = Vec::new();
    for sheet in all.iter().filter(|sheet| sheet.typ == SheetType::WorkSheet) {
        if sheet.visible == SheetVisible::Visible {
            names.push(sheet.name.clone());
        } else {
            findings.push(format!("隐藏的工作表“{}”没有导入", sheet.name));
        }
    }
    Ok(names)
}

/// A cell of an xlsx, its text not yet copied out of the table of shared texts.
fn from_ref(value: DataRef<'_>, is_1904: bool) -> Cell {
    match value {
        DataRef::SharedString(text) => Cell::Text(text.to_owned()),
        other => from_data(&other.into(), is_1904),
    }
}

fn from_data(value: &Data, is_1904: bool) -> Cell {
    match value {
        Data::Int(number) => Cell::Number(*number as f64),
        Data::Float(number) => Cell::Number(*number),
        Data::String(text) | Data::DurationIso(text) => Cell::Text(text.clone()),
        Data::Bool(yes) => Cell::Text(if *yes { "是" } else { "否" }.to_owned()),
        Data::DateTime(moment) => from_moment(moment, is_1904),
        Data::DateTimeIso(text) => text::parse_date(text).map_or_else(|| Cell::Text(text.clone()), Cell::Day),
        // A formula that failed says nothing.
        Data::Error(_) | Data::Empty => Cell::Empty,
    }
}

/// Days between the two epochs that workbooks count from.
pub(super) const EPOCH_1904: f64 = 1462.0;

fn from_moment(moment: &ExcelDateTime, is_1904: bool) -> Cell {
    let serial = moment.as_f64();
    let since_1900 = if is_1904 { serial + EPOCH_1904 } else { serial };
    match text::excel_moment(since_1900).filter(|_| moment.is_datetime()) {
        Some(Moment::Day(day)) => Cell::Day(day),
        Some(Moment::Late(_)) => Cell::Late(since_1900),
        None => Cell::Number(serial),
    }
}

/// Whether a stream of an OLE file has this name.
fn contains_utf16(content: &[u8], name: &str) -> bool {
    let wanted: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    content.windows(wanted.len()).any(|window| window == wanted)
}

fn xlsx_error(error: XlsxError, content: &[u8]) -> ImportError {
    match error {
        XlsxError::Password => ImportError::Password,
        XlsxError::FileNotFound(_) | XlsxError::RelationshipNotFound => ImportError::Kind(package::other_kind(content)),
        // Their messages would repeat what stands in a cell.
        XlsxError::CellError(_) | XlsxError::CellTAttribute(_) | XlsxError::Unrecognized { .. } => {
            ImportError::Damaged("单元格类型不明".into())
        }
        other => ImportError::Damaged(other.to_string()),
    }
}

fn xls_error(error: XlsError) -> ImportError {
    match error {
        XlsError::Password => ImportError::Password,
        other => ImportError::Damaged(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_panics_is_a_damaged_file() {
        assert!(matches!(guarded(|| panic!("as on a corrupt file")), Err(ImportError::Damaged(_))));
    }
}
