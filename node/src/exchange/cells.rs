//! What stands in a cell of a file, whatever kind of file it was.

use super::formula::unwrapped;
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
