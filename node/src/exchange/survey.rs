//! What the cells of a column say together, where one alone may mean two things. Pure; the rows of a sheet
//! are looked at one after the other, and none is held.

use super::{
    book::Container,
    cells::Cell,
    layout::{Layout, Target},
};
use std::collections::HashMap;
use taizhang_proto::{
    citizen_id::{self, Fault},
    pb::Format,
    text,
};

/// From so many numbers on whose last digits were lost, one that passes the check by chance is taken for lost, too.
const SEVERAL: usize = 2;

/// One in so many numbers that end in 000 is no accident any more: of those that were given out it is one in a thousand.
const UNLIKELY: usize = 50;

/// How a column writes months.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Months {
    /// `2008.1` may be January, or October whose zero a numeric cell has dropped.
    #[default]
    Unsaid,
    /// With two digits (`2008.03`), so `2008.1` was `2008.10`.
    TwoDigits,
    /// As texts that keep their zeros (`2008.10`), so `2008.1` is January.
    AsWritten,
}

/// What is known of the columns of a sheet.
#[derive(Debug, Default)]
pub(super) struct Survey {
    months: HashMap<usize, Months>,
    /// Columns of id numbers in which several have lost their last digits.
    cut: Vec<usize>,
    /// Whether all cells are texts, whatever they were in the program that wrote them.
    is_text: bool,
    pub(super) is_1904: bool,
}

/// A column as far as it was looked at.
enum Column {
    Days(Months),
    /// How many id numbers have lost their last digits, how many end as those do, and how many there are.
    Ids {
        lost: usize,
        zeros: usize,
        all: usize,
    },
    Other,
}

/// Looks at the rows of a table, one after the other.
pub(super) struct Surveyor {
    columns: Vec<Column>,
    is_text: bool,
    is_1904: bool,
}

impl Surveyor {
    /// For a table that is to be looked at.
    pub(super) fn new(
        layout: &Layout,
        targets: impl Iterator<Item = Option<Target>>,
        is_1904: bool,
        container: Container,
    ) -> Self {
        let column = |target: Option<Target>| {
            let format = match target {
                Some(Target::Field { role, tag }) => layout.field((role, tag)).map(|field| field.format),
                Some(Target::Birth { .. }) => Some(Format::Date),
                _ => None,
            };
            match format {
                Some(Format::Date) => Column::Days(Months::Unsaid),
                Some(Format::CitizenId) => Column::Ids { lost: 0, zeros: 0, all: 0 },
                _ => Column::Other,
            }
        };
        let columns = targets.map(column).collect();
        Self { columns, is_text: matches!(container, Container::Text { .. }), is_1904 }
    }

    /// Looks at a row of the table.
    pub(super) fn look(&mut self, row: &[Cell]) {
        for (column, cell) in self.columns.iter_mut().zip(row) {
            match column {
                Column::Days(months) if self.is_text || cell.is_numeric() => {
                    *months = months_said(*months, cell, self.is_text);
                }
                Column::Ids { lost, zeros, all } => {
                    *lost += usize::from(has_lost_digits(cell));
                    *zeros += usize::from(ends_in_zeros(cell));
                    *all += usize::from(!cell.text().trim().is_empty());
                }
                _ => {}
            }
        }
    }

    /// What is known of the columns now.
    pub(super) fn survey(self) -> Survey {
        let mut survey = Survey { is_text: self.is_text, is_1904: self.is_1904, ..Survey::default() };
        for (index, column) in self.columns.into_iter().enumerate() {
            match column {
                Column::Days(months) => _ = survey.months.insert(index, months),
                Column::Ids { lost, zeros, all } if lost >= SEVERAL || (zeros >= SEVERAL && zeros * UNLIKELY > all) => {
                    survey.cut.push(index);
                }
                _ => {}
            }
        }
        survey
    }
}

impl Survey {
    /// Whether a cell is a year with `.1`, which may be January or October; the month where the column tells.
    pub(super) fn tenth(&self, column: usize, cell: &Cell) -> Option<Months> {
        let written = match cell {
            Cell::Number(_) => cell.text(),
            Cell::Text(written) if self.is_text => text::half_width(written),
            _ => return None,
        };
        let (year, month) = written.split_once('.')?;
        let is_year = year.len() == 4 && (year.starts_with("19") || year.starts_with("20"));
        (is_year && month == "1").then(|| self.months.get(&column).copied().unwrap_or_default())
    }

    /// Whether the id numbers of a column were cut, so that one ending in 000 is not to be believed.
    pub(super) fn is_cut(&self, column: usize) -> bool {
        self.cut.contains(&column)
    }
}

/// What a column says of months once it has this cell, too. Two digits are the last word.
fn months_said(before: Months, cell: &Cell, is_text: bool) -> Months {
    if before == Months::TwoDigits {
        return before;
    }
    let written = text::half_width(&cell.text());
    let Some((year, month)) = written.split_once('.').filter(|(year, _)| year.len() == 4) else { return before };
    if !year.bytes().all(|byte| byte.is_ascii_digit()) {
        return before;
    }
    match month.as_bytes() {
        [b'0', b'1'..=b'9'] => Months::TwoDigits,
        b"10" if is_text => Months::AsWritten,
        _ => before,
    }
}

/// Whether an id number ends as one does that Excel has cut, though it may be somebody's.
fn ends_in_zeros(cell: &Cell) -> bool {
    matches!(cell, Cell::Text(written) if written.trim_end().ends_with("000"))
        && text::no_space(&cell.text()).len() == 18
}

fn has_lost_digits(cell: &Cell) -> bool {
    if let Cell::Text(written) = cell
        && !written.contains("000")
        && !written.contains(['E', 'e', '０'])
    {
        return false;
    }
    let written = text::no_space(&cell.text());
    cell.lost_digits() || written.len() == 18 && citizen_id::check(&written) == Err(Fault::LostDigits)
}
