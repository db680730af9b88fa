//! A file as sheets of cells, whatever kind of file it was; `read` makes them, `form` and `row` read them.

use super::{
    ImportError,
    formula::unwrapped,
    read::{self, Bounds, Look, Walked, Workbook, guarded, held_whole},
    text_file,
};
use calamine::Dimensions;
use std::{borrow::Cow, cell::RefCell};
use taizhang_proto::{
    date::{self, Day},
    text,
};

/// One cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    /// Nothing.
    Empty,
    /// Text as it was written.
    Text(String),
    /// A number in a numeric cell.
    Number(f64),
    /// A number in a cell with the format of a date.
    Day(Day),
    /// A moment, as its number since 1900, so late on a day that the next one may be meant ([`text::excel_moment`]).
    Late(f64),
    /// A formula that says nothing, and why: `#N/A`, or that nobody has computed it. No row is there for its sake.
    Failed(&'static str),
}

/// From here on a numeric cell holds fewer digits than it shows.
const EXACT: f64 = 1e15;

impl Cell {
    /// Whether there is nothing to read.
    pub(super) fn is_blank(&self) -> bool {
        match self {
            Self::Empty | Self::Failed(_) => true,
            Self::Text(text) => text.chars().all(|sign| sign.is_whitespace() || text::is_unseen(sign)),
            Self::Number(_) | Self::Day(_) | Self::Late(_) => false,
        }
    }

    /// The cell as a clerk sees it.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => cleaned(unwrapped(text)),
            Self::Number(number) => number_text(*number),
            Self::Day(day) => date::iso(*day),
            Self::Late(serial) => moment_text(*serial),
            Self::Failed(why) => (*why).to_owned(),
        }
    }

    /// Why there is no value, where there should be one.
    pub(super) fn failed(&self) -> Option<&'static str> {
        if let Self::Failed(why) = self { Some(why) } else { None }
    }

    /// Whether the cell is numeric, so that its day may be a made-up first of the month.
    pub(super) fn is_numeric(&self) -> bool {
        matches!(self, Self::Number(_) | Self::Day(_) | Self::Late(_))
    }

    /// Whether digits of a long number got lost in it.
    pub(super) fn lost_digits(&self) -> bool {
        match self {
            Self::Number(number) => number.abs() >= EXACT,
            Self::Text(text) => {
                let folded = text::no_space(text).to_ascii_uppercase();
                folded.split_once("E+").is_some_and(|(digits, power)| {
                    digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && power.parse::<u8>().is_ok()
                })
            }
            Self::Empty | Self::Day(_) | Self::Late(_) | Self::Failed(_) => false,
        }
    }
}

/// A text without signs that nobody sees: a tab is a blank, a line break stays one.
fn cleaned(text: &str) -> String {
    let seen = text.chars().filter(|sign| !sign.is_control() || matches!(sign, '\n' | '\t'));
    seen.map(|sign| if sign == '\t' { ' ' } else { sign }).collect()
}

/// A moment as a clerk sees it.
fn moment_text(serial: f64) -> String {
    let seconds = (serial.fract() * 86_400.0).round() as i64;
    let day = text::excel_day(serial).map(date::iso).unwrap_or_default();
    format!("{day} {:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// A number with the 15 digits that spreadsheets keep, integers without a point.
fn number_text(number: f64) -> String {
    if !number.is_finite() {
        return String::new();
    }
    let kept: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    if kept.abs() < EXACT {
        return kept.to_string();
    }
    let written = format!("{number:.14e}");
    let (mantissa, power) = written.split_once('e').unwrap_or((&written, "0"));
    let digits: String = mantissa.chars().filter(|sign| *sign != '.').collect();
    match power.parse::<usize>() {
        Ok(power) if power < 30 => format!("{digits:0<width$}", width = power + 1 + usize::from(number < 0.0)),
        _ => written,
    }
}

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

impl Book<'_> {
    /// The first walk through a sheet, which finds what is wrong with it: nothing is saved before it ended. A sheet whose
    /// cells come in no order is held whole from then on, and the walk begins again with [`Walked::Unordered`].
    pub(super) fn first_walk(&mut self, sheet: usize, look: Look<'_>) -> Result<Walked, ImportError> {
        let long = &self.sheets[sheet];
        if !long.is_long {
            return self.walk(sheet, look);
        }
        let mut bounds = self.bounds.borrow().clone();
        let walked = guarded(|| self.read(sheet, &mut bounds, look))?;
        if walked == Walked::Unordered
            && let Long::Workbook(book, kind) = &self.long
        {
            let mut bounds = self.bounds.borrow_mut();
            let rows = guarded(|| held_whole(&mut book.borrow_mut(), long, kind, &mut bounds))?;
            drop(bounds);
            (self.sheets[sheet].rows, self.sheets[sheet].is_long) = (rows, false);
        } else {
            self.bounds.replace(bounds);
        }
        self.stray = self.bounds.borrow().finding();
        Ok(walked)
    }

    /// Walks through a sheet again.
    pub(super) fn walk(&self, sheet: usize, look: Look<'_>) -> Result<Walked, ImportError> {
        if self.sheets[sheet].is_long {
            return self.read(sheet, &mut Bounds::default(), look);
        }
        for (number, row) in self.sheets[sheet].rows.iter().enumerate() {
            if !look(number, Cow::Borrowed(row))? {
                return Ok(Walked::Enough);
            }
        }
        Ok(Walked::Whole)
    }

    fn read(&self, sheet: usize, bounds: &mut Bounds, look: Look<'_>) -> Result<Walked, ImportError> {
        match &self.long {
            Long::Held => Ok(Walked::Whole),
            Long::Workbook(book, kind) => read::walk(&mut book.borrow_mut(), &self.sheets[sheet], kind, bounds, look),
            Long::Text { text, delimiter } => text_file::walk(text, *delimiter, bounds, look).map(|(walked, _)| walked),
        }
    }
}
