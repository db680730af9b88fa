//! A look at an xls before it is read. The reader trusts what the file says of its own size and follows its sector
//! chains without an end in sight; memory asked for in vain stops the whole process, which no caller can catch.
//! Invariant: a file that passes has chains that end, and sheets that fit into memory.

use super::{ImportError, read::MAX_COLUMNS};
use std::{borrow::Cow, collections::BTreeSet};

/// Most cells in the rectangles around the filled cells of all sheets.
const MAX_AREA: u64 = 8_000_000;
/// Most cells that the sheets may say they have; old files often claim every row.
const MAX_CLAIMED: u64 = 64_000_000;
/// Sector ids from here on are marks.
const MARKS: u32 = 0xFFFF_FFFA;
const ROOT: usize = 0;
/// Streams below this size lie in small sectors of the root's stream.
const SMALL_STREAM: usize = 4096;
const ENTRY: usize = 128;

/// A file that can be read in bounded memory: as it is, or without the few cells that lie far from all others.
///
/// # Errors
/// When it can't be, or is no workbook.
pub(super) fn inspect(content: &[u8]) -> Result<Cow<'_, [u8]>, ImportError> {
    let damaged = || ImportError::Damaged("复合文档结构不完整".into());
    let stream = workbook(content).ok_or_else(damaged)?;
    let stream = stream.ok_or(ImportError::Kind("是 Office 文件，但不是 Excel 工作簿"))?;
    let sizes = measure(&stream.bytes).ok_or_else(damaged)?;
    if sizes.claimed > MAX_CLAIMED {
        return Err(ImportError::TooLarge { what: "单元格数", limit: MAX_AREA });
    }
    if sizes.filled <= MAX_AREA {
        return Ok(Cow::Borrowed(content));
    }
    let stray = stray(&stream.bytes).ok_or_else(damaged)?;
    let mut without = content.to_vec();
    let mut thinner = stream.bytes.clone();
    for at in stray {
        // A record of a kind that nobody knows is passed over.
        thinner[at..at + 2].copy_from_slice(&NOTHING.to_le_bytes());
        for offset in [at, at + 1] {
            without[stream.place(offset).ok_or_else(damaged)?] = NOTHING.to_le_bytes()[offset - at];
        }
    }
    match measure(&thinner) {
        Some(sizes) if sizes.filled <= MAX_AREA => Ok(Cow::Owned(without)),
        _ => Err(ImportError::TooLarge { what: "单元格数", limit: MAX_AREA }),
    }
}

/// A stream, and where in the file its sectors lie.
struct Stream {
    bytes: Vec<u8>,
    sectors: Vec<usize>,
    sector: usize,
}

impl Stream {
    /// Where a byte of the stream stands in the file.
    fn place(&self, offset: usize) -> Option<usize> {
        Some(self.sectors.get(offset / self.sector)? + offset % self.sector)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.chunks_exact(4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
}

/// The stream that holds the sheets, the inner none where there is no such; none where a chain breaks or runs in a circle.
#[allow(clippy::option_option)] // both are answers
fn workbook(content: &[u8]) -> Option<Option<Stream>> {
    let shift = u32::from(u16_at(content, 30)?);
    if !(shift == 9 || shift == 12) {
        return None;
    }
    let size = 1_usize << shift;
    let sector = |id: u32| content.get((id as usize + 1) << shift..).map(|rest| &rest[..rest.len().min(size)]);
    let table = allocation(content, &sector, content.len() / size + 1)?;
    let directory = chain(u32_at(content, 48)?, &table, &sector)?;
    let entries: Vec<&[u8]> = directory.chunks_exact(ENTRY).collect();
    let named = |name: &str| entries.iter().find(|entry| name_of(entry).eq_ignore_ascii_case(name));
    let Some(entry) = named("Workbook").or_else(|| named("Book")) else { return Some(None) };
    let (start, length) = (u32_at(entry, 116)?, u32_at(entry, 120)? as usize);
    let mut sectors = Vec::new();
    let mut bytes = if length < SMALL_STREAM {
        let small = chain(u32_at(entries.get(ROOT)?, 116)?, &table, &sector)?;
        let small_table: Vec<u32> = numbers(&chain(u32_at(content, 60)?, &table, &sector)?).collect();
        chain(start, &small_table, &|id| small.get(id as usize * 64..(id as usize + 1) * 64))?
    } else {
        let mut id = start;
        let bytes = chain(start, &table, &sector)?;
        while sectors.len() * size < bytes.len() {
            sectors.push((id as usize + 1) << shift);
            id = *table.get(id as usize)?;
        }
        bytes
    };
    bytes.truncate(length);
    Some(Some(Stream { bytes, sectors, sector: size }))
}

fn name_of(entry: &[u8]) -> String {
    let units = entry[..64].chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units.take_while(|unit| *unit != 0)).map(|sign| sign.unwrap_or('?')).collect()
}

/// The table that says which sector follows which.
fn allocation<'a>(content: &[u8], sector: &impl Fn(u32) -> Option<&'a [u8]>, most: usize) -> Option<Vec<u32>> {
    let mut places: Vec<u32> = numbers(content.get(76..512)?).collect();
    let mut next = u32_at(content, 68)?;
    let mut seen = 0;
    while next < MARKS {
        seen += 1;
        if seen > most {
            return None;
        }
        places.extend(numbers(sector(next)?));
        next = places.pop()?;
    }
    let mut table = Vec::new();
    for place in places.into_iter().filter(|place| *place < MARKS) {
        if table.len() > content.len() {
            return None;
        }
        table.extend(numbers(sector(place)?));
    }
    Some(table)
}

/// The bytes of a chain of sectors.
fn chain<'a>(start: u32, table: &[u32], sector: &impl Fn(u32) -> Option<&'a [u8]>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut id = start;
    let mut steps = 0;
    while id < MARKS {
        steps += 1;
        if steps > table.len() {
            return None;
        }
        bytes.extend_from_slice(sector(id)?);
        id = *table.get(id as usize)?;
    }
    Some(bytes)
}

/// Cells of all sheets: around the filled ones, and as claimed.
#[derive(Default)]
struct Sizes {
    filled: u64,
    claimed: u64,
}

/// The rectangle around cells.
struct Area {
    rows: (u64, u64),
    columns: (u64, u64),
}

impl Area {
    const NONE: Self = Self { rows: (u64::MAX, 0), columns: (u64::MAX, 0) };

    fn add(&mut self, row: u16, column: u16) {
        let (row, column) = (u64::from(row), u64::from(column));
        self.rows = (self.rows.0.min(row), self.rows.1.max(row));
        self.columns = (self.columns.0.min(column), self.columns.1.max(column));
    }

    fn cells(&self) -> u64 {
        let span = |(first, last): (u64, u64)| if first > last { 0 } else { last - first + 1 };
        span(self.rows) * span(self.columns)
    }
}

/// The last column that a sheet of an xls has.
const LAST_COLUMN: u16 = 0xFF;
const SHEET: u16 = 0x0085;
const DIMENSIONS: u16 = 0x0200;
const START: u16 = 0x0809;
const END: u16 = 0x000A;
const RUN: u16 = 0x00BD;
const FORMULA: u16 = 0x0006;
const TEXT_OF_FORMULA: u16 = 0x0207;
/// A kind of record that nobody knows.
const NOTHING: u16 = 0x0FFF;
/// Rows below a gap that are few, and how many rows a gap has at least.
const FEW: usize = 64;
const GAP: u16 = 1_000;
const CELLS: [u16; 8] = [0x0006, 0x00D6, 0x00FD, 0x0203, 0x0204, 0x0205, 0x027E, RUN];

fn measure(stream: &[u8]) -> Option<Sizes> {
    let mut sizes = Sizes::default();
    for record in records(stream).take_while(|record| record.kind != END).filter(|record| record.kind == SHEET) {
        let body = stream.get(u32_at(record.body, 0)? as usize..)?;
        let mut area = Area::NONE;
        let mut depth = 0_usize;
        // Where the text of a formula goes: without one before it, into the first cell.
        let mut formula = (0, 0);
        for record in records(body) {
            match record.kind {
                START => depth += 1,
                END if depth <= 1 => break,
                END => depth -= 1,
                TEXT_OF_FORMULA => area.add(formula.0, formula.1),
                DIMENSIONS => sizes.claimed = sizes.claimed.saturating_add(claimed(record.body)?),
                kind if CELLS.contains(&kind) => {
                    let (row, column) = (u16_at(record.body, 0)?, u16_at(record.body, 2)?);
                    area.add(row, column);
                    if kind == FORMULA {
                        formula = (row, column);
                    }
                    if kind == RUN {
                        area.add(row, u16_at(record.body, record.body.len().checked_sub(2)?)?);
                    }
                }
                _ => {}
            }
        }
        sizes.filled = sizes.filled.saturating_add(area.cells());
    }
    Some(sizes)
}

/// The records of cells that lie far from all others: right of the columns that are taken, or below a gap that few rows follow.
fn stray(stream: &[u8]) -> Option<Vec<usize>> {
    let mut found = Vec::new();
    for record in records(stream).take_while(|record| record.kind != END).filter(|record| record.kind == SHEET) {
        let start = u32_at(record.body, 0)? as usize;
        let body = stream.get(start..)?;
        let mut cells = Vec::new();
        let mut is_formula = false;
        let mut depth = 0_usize;
        for record in records(body) {
            match record.kind {
                START => depth += 1,
                END if depth <= 1 => break,
                END => depth -= 1,
                kind if CELLS.contains(&kind) => {
                    is_formula = kind == FORMULA;
                    cells.push((u16_at(record.body, 0)?, u16_at(record.body, 2)?, start + record.at));
                }
                // The text of the formula before it goes with it.
                TEXT_OF_FORMULA if is_formula => {
                    let (row, column, _) = *cells.last()?;
                    cells.push((row, column, start + record.at));
                }
                _ => {}
            }
        }
        let rows: BTreeSet<u16> = cells.iter().map(|(row, ..)| *row).collect();
        let rows: Vec<u16> = rows.into_iter().collect();
        let gap = (1..rows.len()).find(|place| rows.len() - place <= FEW && rows[*place] - rows[place - 1] > GAP);
        let last = gap.map_or(u16::MAX, |place| rows[place - 1]);
        let far = |(row, column, _): &&(u16, u16, usize)| *row > last || usize::from(*column) >= MAX_COLUMNS;
        found.extend(cells.iter().filter(far).map(|(.., at)| *at));
    }
    Some(found)
}

/// How many cells a sheet says it has: rows in four bytes each, in two in files of Excel 95. They are as many as the reader asks memory
/// for: it takes a first column that can't be for the first one, and of rows that end before they begin the difference as it wraps.
fn claimed(body: &[u8]) -> Option<u64> {
    let wide = body.len() >= 14;
    let row = |index: usize| if wide { u32_at(body, index * 4) } else { u16_at(body, index * 2).map(u32::from) };
    let columns = if wide { 8 } else { 4 };
    let (first, behind) = (u16_at(body, columns)?, u16_at(body, columns + 2)?);
    let (top, below) = (row(0)?, row(1)?);
    if below == 0 || behind == 0 {
        return Some(1);
    }
    let first = if first > LAST_COLUMN || behind < first { 0 } else { first };
    Some(u64::from(below.wrapping_sub(top)) * u64::from(behind - first))
}

struct Piece<'a> {
    /// Where it begins.
    at: usize,
    kind: u16,
    body: &'a [u8],
}

/// Records one after another, to the end or the first that is cut.
fn records(stream: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let kind = u16_at(stream, at)?;
        let length = u16_at(stream, at + 2)? as usize;
        let body = stream.get(at + 4..at + 4 + length)?;
        let start = at;
        at += 4 + length;
        Some(Piece { at: start, kind, body })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn record(kind: u16, body: &[u8]) -> Vec<u8> {
        [&kind.to_le_bytes()[..], &(body.len() as u16).to_le_bytes(), body].concat()
    }

    /// A stream of one sheet with a cell at the corner and one far away, claiming so many rows.
    fn stream(row: u16, rows: u32) -> Vec<u8> {
        let dimensions =
            [&0_u32.to_le_bytes()[..], &rows.to_le_bytes(), &0_u16.to_le_bytes(), &200_u16.to_le_bytes(), &[0; 2]];
        let far = [&row.to_le_bytes()[..], &199_u16.to_le_bytes(), &[0; 10]].concat();
        let sheet = [
            record(START, &[]),
            record(DIMENSIONS, &dimensions.concat()),
            record(0x0203, &[0; 14]),
            record(0x0203, &far),
            record(END, &[]),
        ];
        let place = record(SHEET, &[0; 8]).len() as u32 + 4;
        let pointer = [&place.to_le_bytes()[..], &[0; 4]].concat();
        [record(SHEET, &pointer), record(END, &[]), sheet.concat()].concat()
    }

    #[test]
    fn a_sheet_is_as_large_as_its_farthest_cells_and_as_it_claims() {
        let sizes = measure(&stream(9, 65_536)).unwrap();
        assert_eq!((sizes.filled, sizes.claimed), (2_000, 65_536 * 200));
        let sizes = measure(&stream(65_535, u32::MAX)).unwrap();
        assert!(sizes.filled > MAX_AREA && sizes.claimed > MAX_CLAIMED);
    }

    #[test]
    fn a_sheet_claims_as_much_as_the_reader_asks_memory_for() {
        let wide = |rows: (u32, u32), columns: (u16, u16)| {
            let body = [
                &rows.0.to_le_bytes()[..],
                &rows.1.to_le_bytes(),
                &columns.0.to_le_bytes(),
                &columns.1.to_le_bytes(),
                &[0; 2],
            ];
            claimed(&body.concat()).unwrap()
        };
        assert_eq!((wide((2, 12), (1, 4)), wide((0, 0), (0, 0)), wide((5, 5), (0, 3))), (30, 1, 0));
        // A first column that can't be, or lies behind the last, is the first one.
        assert_eq!((wide((0, 10), (300, 302)), wide((0, 10), (5, 3))), (3_020, 30));
        assert!(wide((7, 6), (0, 200)) > MAX_CLAIMED, "rows that end before they begin");
    }

    #[test]
    fn the_text_of_a_formula_that_is_not_there_lies_in_the_first_cell() {
        let far = [&60_000_u16.to_le_bytes()[..], &60_000_u16.to_le_bytes(), &[0; 10]].concat();
        let sheet = [record(START, &[]), record(0x0203, &far), record(TEXT_OF_FORMULA, &[0; 4]), record(END, &[])];
        let place = record(SHEET, &[0; 8]).len() as u32 + 4;
        let pointer = [&place.to_le_bytes()[..], &[0; 4]].concat();
        let stream = [record(SHEET, &pointer), record(END, &[]), sheet.concat()].concat();
        assert_eq!(measure(&stream).unwrap().filled, 60_001 * 60_001);
    }

    #[test]
    fn cells_far_from_all_others_are_stray_and_without_them_a_sheet_is_small() {
        let mut stream = stream(65_535, 10);
        assert!(measure(&stream).unwrap().filled > MAX_AREA);
        let stray = stray(&stream).unwrap();
        assert_eq!(stray.len(), 1);
        stream[stray[0]..stray[0] + 2].copy_from_slice(&NOTHING.to_le_bytes());
        assert_eq!(measure(&stream).unwrap().filled, 1);
        assert!(super::stray(&super::tests::stream(900, 10)).unwrap().is_empty(), "no long way");
    }

    #[test]
    fn a_chain_in_a_circle_is_no_chain() {
        let sector = [0_u8; 512];
        assert!(chain(0, &[1, 0], &|_| Some(&sector)).is_none());
        assert_eq!(chain(0, &[1, u32::MAX], &|_| Some(&sector)).unwrap().len(), 1024);
    }
}
