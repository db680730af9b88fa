//! The workbook out of an xls, in a container of our own. The reader of xls follows the chains of a container without an end in
//! sight and takes memory as a file claims it; memory asked for in vain stops the whole process, which no caller can catch.
//! Invariant: the reader meets only containers that were written here, in which no text is longer than its bytes, no formula has to be
//! read, and what the sheets hold fits into memory.

use super::{
    ImportError,
    rows::{MAX_COLUMNS, MAX_SHEETS},
};
use std::collections::BTreeSet;

/// Most cells in the rectangles around the filled cells of all sheets.
const MAX_AREA: u64 = 8_000_000;
/// Most cells that the sheets may say they have; old files often claim every row.
const MAX_CLAIMED: u64 = 64_000_000;
/// Most characters that the cells of all sheets have of texts which they share: the reader copies them.
const MAX_SHARED: u64 = 64 << 20;
/// Pieces of records that go on, beyond one for so many bytes: the reader moves all that are left for each of them.
const MAX_PIECES: usize = 1_000;
const BYTES_A_PIECE: usize = 1_024;
/// Sector ids from here on are marks.
const MARKS: u32 = 0xFFFF_FFFA;
const END_OF_CHAIN: u32 = 0xFFFF_FFFE;
const TABLE_SECTOR: u32 = 0xFFFF_FFFD;
const ROOT: usize = 0;
/// Streams below this size lie in small sectors of the root's stream.
const SMALL_STREAM: usize = 4096;
const ENTRY: usize = 128;
/// Where the header lists the sectors of the table, and how many find room.
const PLACES: std::ops::Range<usize> = 76..512;
/// What the stream with the sheets is called: since Excel 97, and in Excel 95.
const NAMES: [&str; 2] = ["Workbook", "Book"];

/// The sheets of an xls as a container that can be read in bounded memory: all of them, or without the few cells that lie far from
/// all others.
///
/// # Errors
/// When it can't be, or is no workbook.
pub(super) fn inspect(content: &[u8]) -> Result<Vec<u8>, ImportError> {
    let damaged = || ImportError::Damaged("复合文档结构不完整".into());
    let stream = workbook(content).ok_or_else(damaged)?;
    let (name, mut stream) = stream.ok_or(ImportError::Kind("是 Office 文件，但不是 Excel 工作簿"))?;
    if records(&stream).take_while(|record| record.kind != END).any(|record| record.kind == PASSWORD) {
        return Err(ImportError::Password);
    }
    simplify(&mut stream).ok_or_else(damaged)?;
    let sizes = measure(&stream).ok_or_else(damaged)?;
    let too_large = |what, limit| Err(ImportError::TooLarge { what, limit });
    if sizes.sheets > MAX_SHEETS {
        return too_large("工作表数", MAX_SHEETS as u64);
    }
    if sizes.claimed > MAX_CLAIMED {
        return too_large("单元格数", MAX_AREA);
    }
    if sizes.shared > MAX_SHARED {
        return too_large("文字量", MAX_SHARED);
    }
    if sizes.filled > MAX_AREA {
        for at in stray(&stream).ok_or_else(damaged)? {
            // A record of a kind that nobody knows is passed over.
            stream[at..at + 2].copy_from_slice(&NOTHING.to_le_bytes());
        }
        if measure(&stream).is_none_or(|sizes| sizes.filled > MAX_AREA) {
            return too_large("单元格数", MAX_AREA);
        }
    }
    if stream.len() < SMALL_STREAM {
        // It is handed on as a large one: what is added is behind its end, wherever a sheet has none.
        stream.extend([END.to_le_bytes(), [0; 2]].concat());
        stream.resize(stream.len().max(SMALL_STREAM), 0);
    }
    container(name, &stream).ok_or_else(damaged)
}

/// Leaves out of a workbook what nobody asks for and is long work to read: names, links to other sheets, and the terms of formulas, whose
/// values stand beside them. No text says that it is longer than its bytes.
///
/// None where a part of it lies outside or in another one: what is changed in the one would be read as something else in the other.
fn simplify(stream: &mut [u8]) -> Option<()> {
    for (at, kind, length) in every_record(stream)? {
        let body = &mut stream[at + 4..at + 4 + length];
        // How many bytes stand before the length of a text.
        let before = match kind {
            NAME | LINKS => {
                stream[at..at + 2].copy_from_slice(&NOTHING.to_le_bytes());
                continue;
            }
            FORMULA if length >= 22 => {
                body[20..22].fill(0);
                continue;
            }
            TEXT_OF_FORMULA => 0,
            LABEL | RICH_LABEL => 6,
            _ => continue,
        };
        if let Some(said) = u16_at(body, before) {
            let most = (length - before - 2) as u16;
            body[before..before + 2].copy_from_slice(&said.min(most).to_le_bytes());
        }
    }
    Some(())
}

/// The records that a reader meets, each with where it lies, its kind and how long its body is: those before the sheets, and from where
/// each sheet begins. None where two of these parts overlap.
fn every_record(stream: &[u8]) -> Option<Vec<(usize, u16, usize)>> {
    let mut found = Vec::new();
    let mut parts = Vec::new();
    let mut part = |start: usize, records: &mut dyn Iterator<Item = Piece<'_>>| {
        let first = found.len();
        found.extend(records.map(|record| (start + record.at, record.kind, record.body.len())));
        let end = found[first..].last().map_or(start, |(at, _, length)| at + 4 + length);
        parts.push(start..end);
        found.len() * 4 <= stream.len()
    };
    part(0, &mut records(stream).take_while(|record| record.kind != END));
    for sheet in sheets(stream).take(MAX_SHEETS) {
        let (start, records) = sheet?;
        if !part(start, &mut records.map(|(_, record)| record)) {
            return None; // more than there is room for: they share theirs
        }
    }
    parts.sort_unstable_by_key(|part| (part.start, part.end));
    parts.windows(2).all(|pair| pair[0].end <= pair[1].start).then_some(found)
}

/// A compound file ([MS-CFB], version 4) with one stream that is not small; none where that is larger than the header's own list of sectors allows.
fn container(name: &str, stream: &[u8]) -> Option<Vec<u8>> {
    const SECTOR: usize = 4096;
    const IDS: usize = SECTOR / 4;
    let sectors = stream.len().div_ceil(SECTOR);
    // The directory is sector 0, then comes the stream, then the table.
    let used = 1 + sectors;
    let tables = (1..=PLACES.len() / 4).find(|tables| tables * IDS >= used + tables)?;
    let ids = |range: std::ops::Range<usize>| range.map(|id| id as u32);
    let mut file = vec![0; SECTOR];
    file[..8].copy_from_slice(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1");
    for (at, number) in [(24, 0x3E), (26, 4), (28, 0xFFFE_u16), (30, 12), (32, 6)] {
        file[at..at + 2].copy_from_slice(&number.to_le_bytes());
    }
    let places = ids(used..used + tables).chain(std::iter::repeat(u32::MAX)).take(PLACES.len() / 4);
    let (directories, small) = (1, SMALL_STREAM as u32);
    let numbers = [directories, tables as u32, 0, 0, small, END_OF_CHAIN, 0, END_OF_CHAIN, 0];
    for (at, number) in (40..).step_by(4).zip(numbers.into_iter().chain(places)) {
        file[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
    // It holds no small sectors: of an end at once the reader makes an empty file.
    file.extend(entry("Root Entry", 5, 0, 0));
    file.extend(entry(name, 2, 1, stream.len()));
    file.resize(2 * SECTOR, 0);
    file.extend_from_slice(stream);
    file.resize((1 + used) * SECTOR, 0);
    let links = [END_OF_CHAIN].into_iter().chain(ids(2..used)).chain([END_OF_CHAIN]);
    for id in links.chain(std::iter::repeat_n(TABLE_SECTOR, tables)) {
        file.extend(id.to_le_bytes());
    }
    file.resize((1 + used + tables) * SECTOR, 0xFF);
    Some(file)
}

/// One entry of the directory.
fn entry(name: &str, kind: u8, start: u32, length: usize) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    for (pair, unit) in entry.chunks_exact_mut(2).zip(name.encode_utf16()) {
        pair.copy_from_slice(&unit.to_le_bytes());
    }
    entry[64] = 2 * (name.len() as u8 + 1);
    (entry[66], entry[67]) = (kind, 1);
    entry[68..80].fill(0xFF);
    entry[116..120].copy_from_slice(&start.to_le_bytes());
    entry[120..128].copy_from_slice(&(length as u64).to_le_bytes());
    entry
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

/// The stream that holds the sheets and its name, the inner none where there is no such; none where a chain breaks or runs in a circle.
#[allow(clippy::option_option)] // both are answers
fn workbook(content: &[u8]) -> Option<Option<(&'static str, Vec<u8>)>> {
    let shift = u32::from(u16_at(content, 30)?);
    if !(shift == 9 || shift == 12) {
        return None;
    }
    let size = 1_usize << shift;
    let sector = |id: u32| content.get((id as usize + 1) << shift..).map(|rest| &rest[..rest.len().min(size)]);
    let table = allocation(content, &sector)?;
    let whole = |start| chain(start, &table, content.len(), &sector);
    let directory = whole(u32_at(content, 48)?)?;
    let entries: Vec<&[u8]> = directory.chunks_exact(ENTRY).collect();
    let named = |name: &&str| entries.iter().find(|entry| name_of(entry).eq_ignore_ascii_case(name));
    let Some((name, entry)) = NAMES.iter().find_map(|name| Some((*name, named(name)?))) else {
        // One that is cut in its directory may have had it.
        return (directory.len() % size == 0).then_some(None);
    };
    let (start, length) = (u32_at(entry, 116)?, u32_at(entry, 120)? as usize);
    let mut bytes = if length < SMALL_STREAM {
        let small = whole(u32_at(entries.get(ROOT)?, 116)?)?;
        let small_table: Vec<u32> = numbers(&whole(u32_at(content, 60)?)?).collect();
        let sector = |id: u32| small.get(id as usize * 64..(id as usize + 1) * 64);
        chain(start, &small_table, SMALL_STREAM, &sector)?
    } else {
        whole(start)?
    };
    bytes.truncate(length);
    Some(Some((name, bytes)))
}

fn name_of(entry: &[u8]) -> String {
    let units = entry[..64].chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units.take_while(|unit| *unit != 0)).map(|sign| sign.unwrap_or('?')).collect()
}

/// The table that says which sector follows which. It lies in the file itself, so it is no longer than that.
fn allocation<'a>(content: &[u8], sector: &impl Fn(u32) -> Option<&'a [u8]>) -> Option<Vec<u32>> {
    let most = content.len() / 4;
    let mut places: Vec<u32> = numbers(content.get(PLACES)?).collect();
    let mut next = u32_at(content, 68)?;
    while next < MARKS {
        places.extend(numbers(sector(next)?));
        if places.len() > most + PLACES.len() {
            return None;
        }
        next = places.pop()?;
    }
    let mut table = Vec::new();
    for place in places.into_iter().filter(|place| *place < MARKS) {
        table.extend(numbers(sector(place)?));
        if table.len() > most {
            return None;
        }
    }
    Some(table)
}

/// The bytes of a chain of sectors; none where it leads nowhere or has more bytes than there can be, as a circle has.
fn chain<'a>(start: u32, table: &[u32], most: usize, sector: &impl Fn(u32) -> Option<&'a [u8]>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut id = start;
    while id < MARKS {
        let more = sector(id)?;
        if more.is_empty() || bytes.len() + more.len() > most {
            return None;
        }
        bytes.extend_from_slice(more);
        id = *table.get(id as usize)?;
    }
    Some(bytes)
}

/// Cells of all sheets: around the filled ones, and as claimed.
#[derive(Default)]
struct Sizes {
    sheets: usize,
    filled: u64,
    claimed: u64,
    /// Characters that they have of shared texts.
    shared: u64,
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
const PASSWORD: u16 = 0x002F;
const NAME: u16 = 0x0018;
const LINKS: u16 = 0x0017;
const SHARED: u16 = 0x00FC;
const GOES_ON: u16 = 0x003C;
const SHARED_LABEL: u16 = 0x00FD;
const LABEL: u16 = 0x0204;
/// Most bytes of a record.
const MAX_RECORD: usize = 8_224;
const RICH_LABEL: u16 = 0x00D6;
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
const CELLS: [u16; 8] = [FORMULA, RICH_LABEL, SHARED_LABEL, 0x0203, LABEL, 0x0205, 0x027E, RUN];

/// The sheets that a stream lists, each with where it begins and its records up to its end, and whether they are its own or those of a
/// chart within it; none in place of one that lies outside.
fn sheets(stream: &[u8]) -> impl Iterator<Item = Option<(usize, impl Iterator<Item = (bool, Piece<'_>)>)>> {
    let listed = records(stream).take_while(|record| record.kind != END).filter(|record| record.kind == SHEET);
    listed.map(|record| {
        let start = u32_at(record.body, 0)? as usize;
        let mut inside = records(stream.get(start..)?);
        let mut depth = 0_usize;
        let to_the_end = std::iter::from_fn(move || {
            let record = inside.next()?;
            match record.kind {
                START => depth += 1,
                END if depth <= 1 => return None,
                END => depth -= 1,
                _ => {}
            }
            Some((depth <= 1, record))
        });
        Some((start, to_the_end))
    })
}

/// None where a sheet is cut or was overwritten, or where the sheets are together larger than what they lie in: they would share their records, and each
/// would be read anew.
fn measure(stream: &[u8]) -> Option<Sizes> {
    let pieces = records(stream).filter(|record| record.kind == GOES_ON).count();
    if pieces > MAX_PIECES + stream.len() / BYTES_A_PIECE {
        return None;
    }
    let shared = shared_lengths(stream);
    let mut sizes = Sizes::default();
    let mut read = 0;
    for sheet in sheets(stream).take(MAX_SHEETS + 1) {
        sizes.sheets += 1;
        let mut area = Area::NONE;
        // Where the text of a formula goes: without one before it, into the first cell.
        let mut formula = (0, 0);
        for (is_own, record) in sheet?.1 {
            read += 4 + record.body.len();
            if read > stream.len() || !record.can_be() {
                return None;
            }
            match record.kind {
                _ if !is_own => {}
                TEXT_OF_FORMULA => area.add(formula.0, formula.1),
                DIMENSIONS => sizes.claimed = sizes.claimed.saturating_add(claimed(record.body)?),
                kind if CELLS.contains(&kind) => {
                    let (row, column) = (u16_at(record.body, 0)?, u16_at(record.body, 2)?);
                    area.add(row, column);
                    match kind {
                        FORMULA => formula = (row, column),
                        RUN => area.add(row, u16_at(record.body, record.body.len().checked_sub(2)?)?),
                        SHARED_LABEL => {
                            let which = u32_at(record.body, 6)? as usize;
                            sizes.shared += shared.get(which).copied().map_or(0, u64::from);
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        sizes.filled = sizes.filled.saturating_add(area.cells());
    }
    Some(sizes)
}

/// How many characters each of the texts has that the sheets share ([MS-XLS] 2.4.265), as far as they can be read.
fn shared_lengths(stream: &[u8]) -> Vec<u16> {
    let mut pieces = records(stream)
        .take_while(|record| record.kind != END)
        .skip_while(|record| record.kind != SHARED)
        .enumerate()
        .take_while(|(place, record)| *place == 0 || record.kind == GOES_ON)
        .map(|(place, record)| if place == 0 { record.body.get(8..).unwrap_or_default() } else { record.body });
    let mut lengths = Vec::new();
    let mut rest = pieces.next().unwrap_or_default();
    loop {
        while rest.is_empty() {
            match pieces.next() {
                Some(piece) => rest = piece,
                None => return lengths,
            }
        }
        let (Some(characters), Some(flags)) = (u16_at(rest, 0), rest.get(2).copied()) else { return lengths };
        lengths.push(characters);
        // Behind the text: runs of its letters, and how it is pronounced.
        let (runs, spoken) = (usize::from(flags & 8 != 0) * 2, usize::from(flags & 4 != 0) * 4);
        let Some(behind) = rest.get(3..3 + runs + spoken) else { return lengths };
        let runs_of = if runs > 0 { u16_at(behind, 0).map_or(0, usize::from) * 4 } else { 0 };
        let mut behind = runs_of + if spoken > 0 { u32_at(behind, runs).map_or(0, |bytes| bytes as usize) } else { 0 };
        rest = &rest[3 + runs + spoken..];
        let (mut left, mut width) = (usize::from(characters), usize::from(flags & 1) + 1);
        loop {
            let here = left.min(rest.len() / width);
            left -= here;
            rest = &rest[here * width..];
            if left == 0 {
                break;
            }
            // What goes on in the next piece says anew how wide its letters are.
            let Some((flags, more)) = pieces.next().and_then(<[u8]>::split_first) else { return lengths };
            (width, rest) = (usize::from(flags & 1) + 1, more);
        }
        while behind > rest.len() {
            behind -= rest.len();
            match pieces.next() {
                Some(piece) => rest = piece,
                None => return lengths,
            }
        }
        rest = &rest[behind..];
    }
}

/// The records of cells that lie far from all others: right of the columns that are taken, or below a gap that few rows follow.
fn stray(stream: &[u8]) -> Option<Vec<usize>> {
    let mut found = Vec::new();
    for sheet in sheets(stream) {
        let (start, records) = sheet?;
        let mut cells = Vec::new();
        let mut is_formula = false;
        for (_, record) in records.filter(|(is_own, _)| *is_own) {
            match record.kind {
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

impl Piece<'_> {
    /// Whether a program can have written it: a record has a kind, and is no longer than one may be ([MS-XLS] 2.1.4). Zeros where a part of a
    /// disk was lost have not.
    fn can_be(&self) -> bool {
        self.kind != 0 && self.body.len() <= MAX_RECORD
    }
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
        assert!(chain(0, &[1, 0], 5_000, &|_| Some(&sector)).is_none());
        assert!(chain(0, &[1, 0], 5_000, &|_| Some(&sector[..0])).is_none());
        assert_eq!(chain(0, &[1, u32::MAX], 5_000, &|_| Some(&sector)).unwrap().len(), 1024);
    }

    /// One sheet with a cell in the corner, as Excel writes them.
    fn workbook_of(sheets: usize) -> Vec<u8> {
        let version = [&0x0600_u16.to_le_bytes()[..], &0x0010_u16.to_le_bytes(), &[0; 4]].concat();
        let listed = |place: u32| record(SHEET, &[&place.to_le_bytes()[..], &[0; 2], &[1, 0, b'A']].concat());
        let place = (record(START, &version).len() + sheets * listed(0).len() + 4) as u32;
        let number = [&[0; 6][..], &4.5_f64.to_le_bytes()].concat();
        let sheet = [record(START, &version), record(0x0203, &number), record(END, &[])].concat();
        let globals = [record(START, &version), (0..sheets).flat_map(|_| listed(place)).collect(), record(END, &[])];
        [globals.concat(), sheet].concat()
    }

    fn padded(mut stream: Vec<u8>) -> Vec<u8> {
        stream.resize(stream.len().max(SMALL_STREAM), 0);
        stream
    }

    /// A file of globals and one sheet with these records in it.
    fn file_of(globals: &[u8], cells: &[u8]) -> Vec<u8> {
        let version = [&0x0600_u16.to_le_bytes()[..], &0x0010_u16.to_le_bytes(), &[0; 4]].concat();
        let begun = record(START, &version);
        let place = (begun.len() + globals.len() + record(SHEET, &[0; 9]).len() + 4) as u32;
        let listed = record(SHEET, &[&place.to_le_bytes()[..], &[0; 2], &[1, 0, b'A']].concat());
        let stream = [&begun, globals, &listed, &record(END, &[]), &begun, cells, &record(END, &[])].concat();
        container("Workbook", &padded(stream)).unwrap()
    }

    fn cells_of(file: &[u8]) -> Vec<(u32, u32, String)> {
        use calamine::{Reader, Xls};
        let mut book = Xls::new(std::io::Cursor::new(inspect(file).unwrap())).unwrap();
        let range = book.worksheet_range("A").unwrap();
        let (row, column) = range.start().unwrap_or_default();
        let cell =
            |(y, x, value): (usize, usize, &calamine::Data)| (y as u32 + row, x as u32 + column, value.to_string());
        range.used_cells().map(cell).collect()
    }

    fn at(row: u16, column: u16, rest: &[u8]) -> Vec<u8> {
        [&row.to_le_bytes()[..], &column.to_le_bytes(), &[0; 2], rest].concat()
    }

    #[test]
    fn the_cells_of_a_chart_are_none_of_the_sheets() {
        let inner = [record(START, &[0; 8]), record(FORMULA, &at(60_000, 200, &[0; 16])), record(END, &[])].concat();
        let text = record(TEXT_OF_FORMULA, &[1, 0, 0, b'x']);
        let far = record(0x0203, &at(60_000, 200, &4.5_f64.to_le_bytes()));
        let sizes = |cells: &[Vec<u8>]| {
            let file = file_of(&[], &cells.concat());
            measure(&workbook(&file).unwrap().unwrap().1).unwrap().filled
        };
        assert_eq!(sizes(&[inner.clone(), text, far.clone()]), 60_001 * 201, "the text lies in the first cell");
        assert_eq!(sizes(&[inner, far]), 1);
    }

    #[test]
    fn a_text_is_no_longer_than_its_bytes_and_a_formula_is_not_read() {
        let label = record(LABEL, &at(0, 0, &[0xFF, 0xFF, 0, b'a', b'b']));
        let terms = [&[0; 14][..], &[40, 0], &[0x19, 0x40, 0, 3].repeat(10)].concat();
        let formula = record(FORMULA, &at(1, 0, &[&7.0_f64.to_le_bytes()[..], &terms[8..]].concat()));
        let file = file_of(&record(NAME, &[0; 20]), &[label, formula].concat());
        assert_eq!(cells_of(&file), [(0, 0, "ab".into()), (1, 0, "7".into())]);
        let mut stream = workbook(&file).unwrap().unwrap().1;
        simplify(&mut stream).unwrap();
        assert!(records(&stream).all(|record| record.kind != NAME));
        let longest =
            records(&stream).filter(|record| record.kind == LABEL).filter_map(|record| u16_at(record.body, 6));
        assert_eq!(longest.max(), Some(3));
    }

    /// Texts that sheets share: one in single bytes over two pieces, one wide with runs and a way to say it, one plain.
    fn shared() -> Vec<u8> {
        let wide: Vec<u8> = "名册".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let rich = [&[2, 0, 0x0D, 1, 0][..], &3_u32.to_le_bytes(), &wide, &[0; 4], &[0; 3]].concat();
        let first = [&[0; 8][..], &[5, 0, 0], b"abc"].concat();
        let second = [&[0][..], b"de", &rich, &[1, 0, 0, b'z']].concat();
        [record(SHARED, &first), record(GOES_ON, &second)].concat()
    }

    #[test]
    fn the_texts_that_cells_share_are_counted_as_often_as_they_stand() {
        let label = |row: u16, which: u32| record(SHARED_LABEL, &at(row, 0, &which.to_le_bytes()));
        let file = file_of(&shared(), &[label(0, 0), label(1, 1), label(2, 2), label(3, 0), label(4, 9)].concat());
        let stream = workbook(&file).unwrap().unwrap().1;
        assert_eq!(shared_lengths(&stream), [5, 2, 1]);
        assert_eq!(measure(&stream).unwrap().shared, 5 + 2 + 1 + 5);
        let texts: Vec<String> = cells_of(&file).into_iter().map(|(.., text)| text).collect();
        assert_eq!(texts, ["abcde", "名册", "z", "abcde"]);
        // Cut anywhere it is no worse.
        for end in 0..stream.len() {
            shared_lengths(&stream[..end]);
        }
    }

    #[test]
    fn a_file_with_a_password_says_so_whatever_its_sheets_claim() {
        let claims = record(DIMENSIONS, &[0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0xC8, 0, 0, 0]);
        let file = file_of(&record(PASSWORD, &[1, 0, 1, 0]), &claims);
        assert!(matches!(inspect(&file), Err(ImportError::Password)));
        assert!(matches!(inspect(&file_of(&[], &claims)), Err(ImportError::TooLarge { .. })));
    }

    #[test]
    fn a_sheet_of_which_a_part_was_overwritten_is_damaged_and_so_is_a_record_in_too_many_pieces() {
        let number = |row: u16| record(0x0203, &at(row, 0, &4.5_f64.to_le_bytes()));
        let sound: Vec<u8> = (0..40).flat_map(number).collect();
        assert_eq!(cells_of(&file_of(&[], &sound)).len(), 40);
        let mut lost = sound.clone();
        lost[36..180].fill(0);
        assert!(matches!(inspect(&file_of(&[], &lost)), Err(ImportError::Damaged(_))));
        let long = record(0x00EC, &vec![1; MAX_RECORD + 1]);
        assert!(matches!(inspect(&file_of(&[], &[sound, long].concat())), Err(ImportError::Damaged(_))));
        let pieces = [record(SHARED, &[0; 8]), record(GOES_ON, &[]).repeat(2_000)].concat();
        assert!(matches!(inspect(&file_of(&pieces, &[])), Err(ImportError::Damaged(_))));
    }

    #[test]
    fn what_is_handed_on_is_read_whatever_its_size() {
        use calamine::{Data, Reader, Xls};
        for padding in [4_096, 4_097, 40_000, 5 << 20] {
            let mut stream = workbook_of(1);
            stream.extend(std::iter::repeat_n(0, padding));
            let file = container("Workbook", &stream).unwrap();
            assert_eq!(workbook(&file).unwrap().unwrap(), ("Workbook", stream));
            let mut book = Xls::new(std::io::Cursor::new(inspect(&file).unwrap())).unwrap();
            let range = book.worksheet_range("A").unwrap();
            assert_eq!(range.get((0, 0)), Some(&Data::Float(4.5)), "{padding}");
        }
    }

    #[test]
    fn what_a_container_says_of_anything_but_the_workbook_is_not_handed_on() {
        let sound = container("Workbook", &padded(workbook_of(1))).unwrap();
        let mut endless = sound.clone();
        // Small sectors of which there are none, in a chain that begins nowhere.
        endless[60..68].copy_from_slice(&[3, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x7F]);
        endless[4096 + 120..4096 + 128].copy_from_slice(&(1_u64 << 40).to_le_bytes());
        assert_eq!(inspect(&endless).unwrap(), inspect(&sound).unwrap());
        // A name with a mark before it is another name.
        let mut marked = sound;
        marked[4096 + ENTRY..4096 + ENTRY + 2].copy_from_slice(&[0xFF, 0xFE]);
        assert!(matches!(inspect(&marked), Err(ImportError::Kind(_))));
    }

    #[test]
    fn a_sheet_that_begins_inside_of_something_is_simplified_or_refused() {
        let terms = [&[0; 20][..], &[9, 9], &[0x19; 9]].concat();
        let sheet = [record(START, &[]), record(FORMULA, &terms), record(END, &[])].concat();
        let hidden = record(NOTHING, &sheet);
        let lists = |place: usize| record(SHEET, &[&(place as u32).to_le_bytes()[..], &[0; 4]].concat());
        let list = lists(0).len();
        let length_of_terms = |stream: &[u8]| {
            let at = stream.len() - record(END, &[]).len() - terms.len();
            u16_at(stream, at + 20)
        };
        let mut behind = [lists(list + 8), record(END, &[]), hidden.clone()].concat();
        assert_eq!(length_of_terms(&behind), Some(0x0909));
        simplify(&mut behind).unwrap();
        assert_eq!(length_of_terms(&behind), Some(0));
        let mut within = [lists(list + 4), hidden, record(END, &[])].concat();
        assert_eq!(simplify(&mut within), None);
    }

    #[test]
    fn sheets_that_share_their_records_are_refused() {
        assert_eq!(measure(&workbook_of(1)).unwrap().sheets, 1);
        assert!(measure(&workbook_of(9)).is_none());
        let many = [record(SHEET, &[0xFF; 8]).repeat(MAX_SHEETS + 1), record(END, &[])].concat();
        assert!(measure(&many).is_none(), "they lie outside");
    }

    #[test]
    fn a_list_of_sectors_that_names_one_over_and_over_is_refused() {
        let mut file = container("Workbook", &padded(workbook_of(1))).unwrap();
        let table: [u8; 4] = file[PLACES.start..PLACES.start + 4].try_into().unwrap();
        for place in PLACES.step_by(4) {
            file[place..place + 4].copy_from_slice(&table);
        }
        assert!(workbook(&file).is_none());
    }
}
