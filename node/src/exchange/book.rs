//! A file as sheets of cells, whatever kind of file it was; `read` makes them, `form` and `row` read them.
//! Invariant: of a long sheet the first rows are held, the others stay in the file.

use super::{cells::Cell, rows::Bounds};
use calamine::{Dimensions, Xlsx};
use std::{borrow::Cow, cell::RefCell, io::Cursor};

/// An xlsx that is open, with the table of texts that its sheets share.
pub(super) type Workbook<'s> = Xlsx<Cursor<Cow<'s, [u8]>>>;

/// One sheet.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Sheet {
    /// Its name; for a text file the file's.
    pub(super) name: String,
    /// Rows, each as long as its last cell with something in it: all of them, or the first ones of a long sheet.
    pub(super) rows: Vec<Vec<Cell>>,
    /// Whether there are more rows than are held.
    pub(super) is_long: bool,
    /// Areas of cells merged into one.
    pub(super) merged: Vec<Dimensions>,
    /// Whether its numbers count days from 1904.
    pub(super) is_1904: bool,
}

/// How a text file was written, to write the reasons file the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// UTF-8, with or without a byte order mark.
    Utf8 { marked: bool },
    /// GBK and its successor GB18030.
    Gb18030,
}

/// What kind of file the sheets came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    /// xlsx or xls.
    Workbook,
    /// Text, one record a line.
    Text { encoding: Encoding, delimiter: u8 },
}

/// Where the rows of long sheets come from.
pub(super) enum Long<'s> {
    /// There is none.
    Held,
    /// An open xlsx, and what it is if it is none.
    Workbook(Box<RefCell<Workbook<'s>>>, &'static str),
    /// A text as it is split into records.
    Text { text: Cow<'s, str>, delimiter: u8 },
}

/// A file. What is long in it stays where it is, and is read row by row.
pub(super) struct Book<'s> {
    /// Its sheets, hidden ones left out.
    pub(super) sheets: Vec<Sheet>,
    /// Its kind.
    pub(super) container: Container,
    /// What the clerk should know of the reading.
    pub(super) findings: Vec<String>,
    /// And of the cells that were passed over in what is held.
    pub(super) stray: Option<String>,
    pub(super) long: Long<'s>,
    /// How much of the file the first walk through each sheet has read.
    pub(super) bounds: RefCell<Bounds>,
}
