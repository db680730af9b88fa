//! What the cells of a column say together, where one alone may mean two things. Pure; made once for a sheet.

use super::{
    cells::{Cell, Container, Sheet},
    form::Form,
    layout::Target,
};
use std::collections::HashMap;
use taizhang_proto::{
    check::citizen_id::{self, Fault},
    pb::Format,
    text,
};

/// From so many numbers on whose last digits were lost, one that passes the check by chance is taken for lost, too.
const SEVERAL: usize = 2;

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

impl Survey {
    /// Looks at every row of the table.
    pub(super) fn of(form: &Form<'_>, sheet: &Sheet, container: Container) -> Self {
        let is_text = matches!(container, Container::Text { .. });
        let mut survey = Self { is_text, is_1904: sheet.is_1904, ..Self::default() };
        let rows = || sheet.rows[form.body.min(sheet.rows.len())..].iter();
        for (index, column) in form.columns.iter().enumerate() {
            let format = match column.target {
                Some(Target::Field { role, tag }) => form.layout.field((role, tag)).map(|field| field.format),
                Some(Target::Birth { .. }) => Some(Format::Date),
                _ => None,
            };
            let cells = || rows().filter_map(|row| row.get(index));
            match format {
                Some(Format::Date) => {
                    let months = months(cells().filter(|cell| is_text || cell.is_numeric()), is_text);
                    survey.months.insert(index, months);
                }
                Some(Format::CitizenId) if cells().filter(|cell| has_lost_digits(cell)).count() >= SEVERAL => {
                    survey.cut.push(index);
                }
                _ => {}
            }
        }
        survey
    }

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

fn months<'c>(cells: impl Iterator<Item = &'c Cell>, is_text: bool) -> Months {
    let mut found = Months::Unsaid;
    for cell in cells {
        let written = text::half_width(&cell.text());
        let Some((year, month)) = written.split_once('.').filter(|(year, _)| year.len() == 4) else { continue };
        if !year.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        match month.as_bytes() {
            [b'0', b'1'..=b'9'] => return Months::TwoDigits,
            b"10" if is_text => found = Months::AsWritten,
            _ => {}
        }
    }
    found
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
