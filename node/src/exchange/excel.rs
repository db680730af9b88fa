//! Workbooks to cells: xlsx and xls, through a library. Every size is bounded before memory is taken.
//! Invariant: no file, however broken, makes this panic; the library that might is caught here.

use super::{
    ImportError,
    book::{Book, Container, Long, Sheet, Workbook},
    cells::Cell,
    ole, package,
    rows::{Bounds, Filling, HELD_ROWS, Look, MAX_HELD, MAX_SHEETS, Rows, Walked},
};
use crate::panics;
use calamine::{
    CellErrorType, Data, DataRef, ExcelDateTime, Reader, SheetType, SheetVisible, Xls, XlsError, XlsOptions, Xlsx,
    XlsxCellFormulaMetadataRecord, XlsxError,
};
use std::{
    borrow::Cow,
    cell::RefCell,
    io::{Cursor, Read},
};
use taizhang_proto::text::{self, Moment};

/// Most bytes that a workbook may unpack to.
const MAX_UNPACKED: u64 = 512 << 20;
/// Most texts that its sheets share: as many as a file may have cells.
const MAX_TEXTS: u64 = 12_000_000;
/// Most merged areas of its sheets.
const MAX_MERGED: u64 = 100_000;

/// Runs a reader that may panic on a damaged file.
pub(super) fn guarded<T>(read: impl FnOnce() -> Result<T, ImportError>) -> Result<T, ImportError> {
    panics::caught(read).unwrap_or_else(|| Err(ImportError::Damaged("内部结构不一致".into())))
}

/// Reads an xlsx.
pub(super) fn xlsx(content: &[u8]) -> Result<Book<'_>, ImportError> {
    bound_unpacked(content)?;
    let first = match guarded(|| workbook(Cow::Borrowed(content))) {
        Err(error @ (ImportError::Damaged(_) | ImportError::Kind(_))) => error,
        answer => return answer,
    };
    // Excel takes more than the reader does.
    match package::mended(content)? {
        Some(mended) => guarded(|| workbook(Cow::Owned(mended))).map_err(|_| first),
        None => Err(first),
    }
}

fn workbook(content: Cow<'_, [u8]>) -> Result<Book<'_>, ImportError> {
    let kind = package::other_kind(&content);
    let wrong = |error| xlsx_error(error, kind);
    let mut book: Workbook<'_> = Xlsx::new(Cursor::new(content)).map_err(wrong)?;
    let mut findings = Vec::new();
    let names = visible(book.sheets_metadata(), &mut findings)?;
    let is_1904 = book.has_1904_epoch();
    let mut bounds = Bounds::default();
    let mut sheets = Vec::with_capacity(names.len());
    for name in names {
        let merged = book.merge_cells_by_sheet_name(&name).unwrap_or_default();
        let mut sheet = Sheet { name, merged, is_1904, ..Sheet::default() };
        let before = bounds.clone();
        let held = bounds.cells;
        let mut rows = Vec::new();
        let mut cells = held;
        let walked = walk(&mut book, &sheet, kind, &mut bounds, &mut |_, row| {
            cells += row.len();
            rows.push(row.into_owned());
            Ok(cells <= MAX_HELD)
        })?;
        match walked {
            Walked::Whole => sheet.rows = rows,
            Walked::Enough => {
                // Its walk counts it.
                (bounds, sheet.is_long) = (before, true);
                rows.truncate(HELD_ROWS);
                sheet.rows = rows;
            }
            Walked::Unordered => {
                bounds = before;
                sheet.rows = held_whole(&mut book, &sheet, kind, &mut bounds)?;
            }
        }
        sheets.push(sheet);
    }
    let stray = bounds.finding();
    let long = Long::Workbook(Box::new(RefCell::new(book)), kind);
    Ok(Book { sheets, container: Container::Workbook, findings, stray, long, bounds: RefCell::new(bounds) })
}

/// Walks through a sheet of an xlsx.
pub(super) fn walk(
    book: &mut Workbook<'_>,
    sheet: &Sheet,
    kind: &'static str,
    bounds: &mut Bounds,
    look: Look<'_>,
) -> Result<Walked, ImportError> {
    let wrong = |error| xlsx_error(error, kind);
    let mut rows = Rows::new(bounds, &sheet.merged);
    let mut reader = book.worksheet_cells_reader(&sheet.name).map_err(wrong)?;
    while let Some(cell) = reader.next_cell_with_formula_metadata().map_err(wrong)? {
        let (row, column) = cell.pos;
        let cell = from_record(cell, sheet.is_1904);
        match rows.put(row as usize, column as usize, cell, look)? {
            Walked::Whole => {}
            ended => return Ok(ended),
        }
    }
    rows.hand_on(look)
}

/// All rows of a sheet whose cells come in no order.
pub(super) fn held_whole(
    book: &mut Workbook<'_>,
    sheet: &Sheet,
    kind: &'static str,
    bounds: &mut Bounds,
) -> Result<Vec<Vec<Cell>>, ImportError> {
    let wrong = |error| xlsx_error(error, kind);
    let mut filling = Filling::new(bounds);
    let mut reader = book.worksheet_cells_reader(&sheet.name).map_err(wrong)?;
    while let Some(cell) = reader.next_cell_with_formula_metadata().map_err(wrong)? {
        let (row, column) = cell.pos;
        filling.put(row as usize, column as usize, from_record(cell, sheet.is_1904))?;
    }
    drop(reader);
    filling.spread(&sheet.merged)?;
    Ok(filling.rows())
}

/// Unpacks every part of a workbook and throws it away: what the parts say of their size need not be true.
fn bound_unpacked(content: &[u8]) -> Result<(), ImportError> {
    let damaged = |error: &dyn std::fmt::Display| ImportError::Damaged(error.to_string());
    let mut archive = zip::ZipArchive::new(Cursor::new(content)).map_err(|error| damaged(&error))?;
    let mut left = MAX_UNPACKED;
    let mut tags = [&SHARED_TEXTS, &MERGED_AREAS].map(|of| Tags { of, name: Vec::new(), is_open: false, count: 0 });
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(|error| match error {
            zip::result::ZipError::UnsupportedArchive(zip::result::ZipError::PASSWORD_REQUIRED) => {
                ImportError::Password
            }
            other => damaged(&other),
        })?;
        let is_shared = part.name().is_ok_and(|name| name.to_ascii_lowercase().ends_with("sharedstrings.xml"));
        let tags = &mut tags[usize::from(!is_shared)];
        tags.is_open = false;
        let Listed { what, most: limit, .. } = *tags.of;
        let size = std::io::copy(&mut part.take(left + 1), tags).map_err(|error| match error.kind() {
            std::io::ErrorKind::QuotaExceeded => ImportError::TooLarge { what, limit },
            _ => damaged(&error),
        })?;
        left = left
            .checked_sub(size)
            .ok_or(ImportError::TooLarge { what: "解压后的字节数", limit: MAX_UNPACKED })?;
    }
    Ok(())
}

/// A tag of which the reader makes a list, and how long that may be.
struct Listed {
    tag: &'static [u8],
    most: u64,
    what: &'static str,
}

/// The texts that the sheets of a workbook share, empty ones too.
const SHARED_TEXTS: Listed = Listed { tag: b"si", most: MAX_TEXTS, what: "共用文字数" };
/// The merged areas of its sheets.
const MERGED_AREAS: Listed = Listed { tag: b"mergeCell", most: MAX_MERGED, what: "合并单元格数" };

/// Counts tags as a part is unpacked.
struct Tags {
    of: &'static Listed,
    /// The name of the tag that is being read, without what stands before a colon, up to a byte more than is looked for.
    name: Vec<u8>,
    is_open: bool,
    count: u64,
}

impl std::io::Write for Tags {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        for byte in bytes {
            match byte {
                b'<' => {
                    self.name.clear();
                    self.is_open = true;
                }
                _ if !self.is_open => {}
                b':' => self.name.clear(),
                b'>' | b'/' | b' ' | b'\t' | b'\r' | b'\n' => {
                    self.count += u64::from(self.name == self.of.tag);
                    self.is_open = false;
                }
                byte if self.name.len() <= self.of.tag.len() => self.name.push(*byte),
                _ => {}
            }
        }
        if self.count > self.of.most { Err(std::io::ErrorKind::QuotaExceeded.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Code pages of Excel 97 and later, and of Excel 95 in Chinese.
const UTF_16: u16 = 1_200;
const GBK: u16 = 936;

/// An xls is held whole: its records lie in any order, and the reader has all of it before the first cell. No sheet of one
/// has more than 65,536 rows.
pub(super) fn xls(content: &[u8]) -> Result<Book<'_>, ImportError> {
    if contains_utf16(content, "EncryptedPackage") {
        return Err(ImportError::Password);
    }
    let content = &ole::inspect(content)?[..];
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
    let mut bounds = Bounds::default();
    let mut sheets = Vec::with_capacity(names.len());
    for name in names {
        let mut filling = Filling::new(&mut bounds);
        let range = book.worksheet_range(&name).map_err(xls_error)?;
        let (top, left) = range.start().unwrap_or_default();
        for (row, column, value) in range.used_cells() {
            let cell = from_data(value, is_1904);
            filling.put(row + top as usize, column + left as usize, cell)?;
        }
        let merged = book.merge_cells_by_sheet_name(&name).unwrap_or_default();
        filling.spread(&merged)?;
        sheets.push(Sheet { rows: filling.rows(), name, merged, is_1904, ..Sheet::default() });
    }
    let stray = bounds.finding();
    let bounds = RefCell::new(bounds);
    Ok(Book { sheets, container: Container::Workbook, findings, stray, long: Long::Held, bounds })
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

/// What is said of a formula without a result: a program has written it, and no Excel has opened the file since.
const NOT_COMPUTED: &str = "公式尚未计算，请用Excel打开并保存后再导入";

/// A cell of an xlsx, and whether it is a formula.
fn from_record(cell: XlsxCellFormulaMetadataRecord<'_>, is_1904: bool) -> Cell {
    match cell.value {
        DataRef::Empty if cell.formula.is_some() => Cell::Failed(NOT_COMPUTED),
        value => from_ref(value, is_1904),
    }
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
        Data::Error(error) => Cell::Failed(failure(error)),
        Data::Empty => Cell::Empty,
    }
}

/// How a spreadsheet writes that a formula failed.
fn failure(error: &CellErrorType) -> &'static str {
    match error {
        CellErrorType::Div0 => "#DIV/0!",
        CellErrorType::NA => "#N/A",
        CellErrorType::Name => "#NAME?",
        CellErrorType::Null => "#NULL!",
        CellErrorType::Num => "#NUM!",
        CellErrorType::Ref => "#REF!",
        CellErrorType::Value => "#VALUE!",
        CellErrorType::GettingData => "#DATA!",
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

fn xlsx_error(error: XlsxError, kind: &'static str) -> ImportError {
    match error {
        XlsxError::Password => ImportError::Password,
        XlsxError::FileNotFound(_) | XlsxError::RelationshipNotFound => ImportError::Kind(kind),
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
        assert!(matches!(guarded::<()>(|| panic!("as on a corrupt file")), Err(ImportError::Damaged(_))));
    }
}
