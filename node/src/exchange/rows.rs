//! Cells into rows, within the bounds of a file: as they come where they come in order, or all of a sheet where they do not.
//! Invariant: both make the same rows of the same cells, with the same numbers, so a sheet can be read again and again.

use super::{ImportError, cells::Cell};
use calamine::Dimensions;
use std::{borrow::Cow, collections::BTreeMap};

/// Most sheets.
pub(super) const MAX_SHEETS: usize = 1_000;
/// Cells of a file that are held; a sheet with more is read anew for each walk through it.
pub(super) const MAX_HELD: usize = 250_000;
/// Rows of such a sheet that are held: its headings are among them.
pub(super) const HELD_ROWS: usize = 64;
/// Most rows of a sheet.
pub(super) const MAX_ROWS: usize = 1_000_000;
/// Most columns of a sheet.
pub(super) const MAX_COLUMNS: usize = 200;
/// Most cells of a file, empty ones left of a filled one included.
const MAX_CELLS: usize = 12_000_000;
/// Most text of a file, bytes.
const MAX_TEXT: usize = 256 << 20;
/// Blank rows in a sequence that are kept as they are; more of them are one.
const MAX_GAP: usize = 1_000;
/// Cells right of the columns taken that are passed over, told and counted, before a file is called too wide.
const MAX_STRAY: usize = 64;

fn within(count: usize, most: usize, what: &'static str, limit: usize) -> Result<(), ImportError> {
    if count <= most { Ok(()) } else { Err(ImportError::TooLarge { what, limit: limit as u64 }) }
}

/// What is done with each row: its number, from 0, and its cells. No: the rest is not wanted.
pub(super) type Look<'l> = &'l mut dyn FnMut(usize, Cow<'_, [Cell]>) -> Result<bool, ImportError>;

/// How a walk through a sheet ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Walked {
    /// At its end.
    Whole,
    /// Where whoever looked had seen enough.
    Enough,
    /// At a cell above one that came before it: such a sheet is held whole.
    Unordered,
}

/// How much of a file was read.
#[derive(Debug, Default, Clone)]
pub(super) struct Bounds {
    pub(super) cells: usize,
    text: usize,
    stray: usize,
}

impl Bounds {
    /// Whether a cell is one of the table's.
    fn takes(&mut self, column: usize, cell: &Cell) -> Result<bool, ImportError> {
        if cell.failed().is_some() {
            return Ok(column < MAX_COLUMNS);
        }
        if cell.is_blank() {
            return Ok(false);
        }
        if column >= MAX_COLUMNS {
            self.stray += 1;
            return within(self.stray, MAX_STRAY, "列数", MAX_COLUMNS).map(|()| false);
        }
        self.holds(cell)?;
        Ok(true)
    }

    /// Counts the text of a cell that is held, or stands in one more row.
    fn holds(&mut self, cell: &Cell) -> Result<(), ImportError> {
        if let Cell::Text(text) = cell {
            self.text += text.len();
            within(self.text, MAX_TEXT, "文字量", MAX_TEXT)?;
        }
        Ok(())
    }

    fn set(&mut self, cells: &mut Vec<Cell>, column: usize, cell: Cell) -> Result<(), ImportError> {
        if cells.len() <= column {
            self.cells += column + 1 - cells.len();
            within(self.cells, MAX_CELLS, "单元格数", MAX_CELLS)?;
            cells.resize(column + 1, Cell::Empty);
        }
        cells[column] = cell;
        Ok(())
    }

    /// What the clerk should know of cells that were passed over.
    pub(super) fn finding(&self) -> Option<String> {
        (self.stray > 0).then(|| {
            format!("第{MAX_COLUMNS}列以后有{}个零散的单元格，没有读取 (stray cells were not read)", self.stray)
        })
    }
}

/// Where blank rows between filled ones are: of a long sequence one is kept.
fn blanks(row: usize, next: usize) -> usize {
    let blank = row.saturating_sub(next);
    if blank > MAX_GAP { 1 } else { blank }
}

/// Merged areas that reach over several rows: what stands in the first row of one is written into each of the others, since
/// every row of a table is read by itself. Areas of a sheet do not overlap: of two in one column the lower one goes on.
struct Merged {
    /// Those that are not begun, the first last.
    left: Vec<Dimensions>,
    /// What runs in a column: the last row of its area, and what stands in it.
    runs: BTreeMap<usize, (usize, Cell)>,
}

impl Merged {
    fn of(areas: &[Dimensions]) -> Self {
        let mut left: Vec<Dimensions> = areas.iter().filter(|area| area.end.0 > area.start.0).copied().collect();
        left.sort_by_key(|area| std::cmp::Reverse(area.start.0));
        Self { left, runs: BTreeMap::new() }
    }

    /// Fills a row's blank cells; rows come from the top.
    fn fill(&mut self, bounds: &mut Bounds, row: usize, cells: &mut Vec<Cell>) -> Result<(), ImportError> {
        self.runs.retain(|_, (bottom, _)| *bottom >= row);
        for (column, (_, cell)) in &self.runs {
            if cells.get(*column).is_none_or(Cell::is_blank) {
                bounds.holds(cell)?;
                bounds.set(cells, *column, cell.clone())?;
            }
        }
        while self.left.last().is_some_and(|area| area.start.0 as usize <= row) {
            let Some(area) = self.left.pop() else { break };
            let column = area.start.1 as usize;
            if let Some(cell) = cells.get(column).filter(|cell| area.start.0 as usize == row && !cell.is_blank()) {
                self.runs.insert(column, (area.end.0 as usize, cell.clone()));
            }
        }
        Ok(())
    }
}

/// Rows as their cells come, one held at a time.
pub(super) struct Rows<'r> {
    bounds: &'r mut Bounds,
    merged: Merged,
    /// The row that is being filled, by its number on the sheet.
    row: usize,
    cells: Vec<Cell>,
    /// The row below the last one that was handed on, and how many were.
    next: usize,
    number: usize,
    filled: usize,
}

impl<'r> Rows<'r> {
    /// Rows of a sheet with these merged areas.
    pub(super) fn new(bounds: &'r mut Bounds, merged: &[Dimensions]) -> Self {
        Self { bounds, merged: Merged::of(merged), row: 0, cells: Vec::new(), next: 0, number: 0, filled: 0 }
    }

    /// Puts a cell into its place; hands on the row above it once it is done.
    pub(super) fn put(&mut self, row: usize, column: usize, cell: Cell, look: Look<'_>) -> Result<Walked, ImportError> {
        if !self.bounds.takes(column, &cell)? {
            return Ok(Walked::Whole);
        }
        if row < self.row {
            return Ok(Walked::Unordered);
        }
        if row > self.row && self.hand_on(look)? == Walked::Enough {
            return Ok(Walked::Enough);
        }
        self.row = row;
        self.bounds.set(&mut self.cells, column, cell)?;
        Ok(Walked::Whole)
    }

    /// Hands on the row that is being filled.
    pub(super) fn hand_on(&mut self, look: Look<'_>) -> Result<Walked, ImportError> {
        // Formulas that say nothing, filled down below a table, make no rows.
        if self.cells.iter().all(Cell::is_blank) {
            self.bounds.cells -= self.cells.len();
            self.cells.clear();
            return Ok(Walked::Whole);
        }
        let (row, mut cells) = (self.row, std::mem::take(&mut self.cells));
        self.merged.fill(self.bounds, row, &mut cells)?;
        for _ in 0..blanks(row, self.next) {
            self.number += 1;
            if !look(self.number - 1, Cow::Borrowed(&[]))? {
                return Ok(Walked::Enough);
            }
        }
        self.next = row + 1;
        self.filled += 1;
        within(self.filled, MAX_ROWS, "行数", MAX_ROWS)?;
        self.number += 1;
        Ok(if look(self.number - 1, Cow::Owned(cells))? { Walked::Whole } else { Walked::Enough })
    }
}

/// Cells as they arrive, in any order. A cell far below the others, or far right of them, makes no sheet larger.
pub(super) struct Filling<'f> {
    bounds: &'f mut Bounds,
    rows: BTreeMap<usize, Vec<Cell>>,
}

impl<'f> Filling<'f> {
    pub(super) fn new(bounds: &'f mut Bounds) -> Self {
        Self { bounds, rows: BTreeMap::new() }
    }

    /// Puts a cell into its place.
    pub(super) fn put(&mut self, row: usize, column: usize, cell: Cell) -> Result<(), ImportError> {
        if !self.bounds.takes(column, &cell)? {
            return Ok(());
        }
        self.bounds.set(self.rows.entry(row).or_default(), column, cell)?;
        within(self.rows.len(), MAX_ROWS, "行数", MAX_ROWS)
    }

    /// Writes cells merged over several rows into each of them.
    pub(super) fn spread(&mut self, merged: &[Dimensions]) -> Result<(), ImportError> {
        let mut merged = Merged::of(merged);
        for (row, cells) in self.rows.iter_mut().filter(|(_, cells)| !cells.iter().all(Cell::is_blank)) {
            merged.fill(self.bounds, *row, cells)?;
        }
        Ok(())
    }

    /// The rows of the sheet.
    pub(super) fn rows(self) -> Vec<Vec<Cell>> {
        let mut rows = Vec::with_capacity(self.rows.len());
        let mut next = 0;
        for (row, cells) in self.rows.into_iter().filter(|(_, cells)| !cells.iter().all(Cell::is_blank)) {
            rows.resize_with(rows.len() + blanks(row, next), Vec::new);
            rows.push(cells);
            next = row + 1;
        }
        rows
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_long_text_that_is_merged_over_many_rows_is_counted_in_each() {
        let text = Cell::Text("长".repeat(1 << 20));
        let area = [Dimensions { start: (0, 0), end: (1_000, 0) }];
        let fits = MAX_TEXT / (3 << 20);
        let (mut held, mut streamed) = (Bounds::default(), Bounds::default());
        let mut filling = Filling::new(&mut held);
        let mut rows = Rows::new(&mut streamed, &area);
        let mut handed = 0;
        let mut refused = None;
        filling.put(0, 0, text.clone()).unwrap();
        for row in 0..1_000 {
            let (column, cell) = if row == 0 { (0, text.clone()) } else { (1, Cell::Text("x".into())) };
            filling.put(row, column, cell.clone()).unwrap();
            let put = rows.put(row, column, cell, &mut |_, _| {
                handed += 1;
                Ok(true)
            });
            if let Err(why) = put {
                refused = Some(why);
                break;
            }
        }
        assert!(matches!(refused, Some(ImportError::TooLarge { .. })) && handed <= fits, "{handed} rows of {fits}");
        assert!(matches!(filling.spread(&area), Err(ImportError::TooLarge { .. })));
    }

    proptest! {
        /// Rows as they come are the rows of the sheet held whole.
        #[test]
        fn a_sheet_read_row_by_row_is_the_sheet(
            cells in proptest::collection::btree_map((0_usize..40, 0_usize..5), "[ 甲乙]{1,2}", 0..60),
            areas in proptest::collection::vec((0_u32..40, 0_u32..5, 0_u32..6), 0..4),
            far in 0_usize..3_000,
        ) {
            // Areas of a sheet do not overlap.
            let mut taken = std::collections::HashSet::new();
            let merged: Vec<Dimensions> = areas
                .into_iter()
                .filter(|(_, column, _)| taken.insert(*column))
                .map(|(top, column, height)| Dimensions { start: (top, column), end: (top + height, column) })
                .collect();
            let cells: Vec<_> = cells
                .into_iter()
                .map(|((row, column), text)| (if row > 30 { row + far } else { row }, column, Cell::Text(text)))
                .collect();
            let (mut one, mut other) = (Bounds::default(), Bounds::default());
            let mut filling = Filling::new(&mut one);
            let mut rows = Rows::new(&mut other, &merged);
            let mut read = Vec::new();
            let mut look = |number: usize, cells: Cow<'_, [Cell]>| {
                assert_eq!(number, read.len());
                read.push(cells.into_owned());
                Ok(true)
            };
            for (row, column, cell) in cells {
                filling.put(row, column, cell.clone()).unwrap();
                prop_assert_eq!(rows.put(row, column, cell, &mut look).unwrap(), Walked::Whole);
            }
            rows.hand_on(&mut look).unwrap();
            filling.spread(&merged).unwrap();
            prop_assert_eq!(read, filling.rows());
        }
    }
}
