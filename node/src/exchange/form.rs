//! The table on a sheet: what each row below its headings is, whose form it is and of which day. Pure but for the walk through its rows.

use super::{
    ImportError,
    book::{Book, Sheet},
    cells::Cell,
    headings::{self, Column, Headings},
    layout::{Layout, Layouts, Target, Words, folded},
    rows::Walked,
    survey::{Survey, Surveyor},
};
use crate::desk::units::{Units, has_code};
use taizhang_proto::{OrgCode, date::Day, pb::Format, text};

/// Most rows that are kept of a form's frame: signatures, unit, date.
const MAX_FRAME: usize = 200;

/// From so many digits on a cell is meant as a citizen id.
const ID_LIKE: usize = 6;

/// What a form says of the unit it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    /// This unit.
    Unit(OrgCode),
    /// A unit by a name that is not in the office's tree.
    Unknown(String),
    /// Nothing.
    Unsaid,
}

/// A sheet that was understood.
#[derive(Debug)]
pub(super) struct Form<'l> {
    layouts: &'l Layouts,
    pub(super) layout: &'l Layout,
    /// First row below the headings.
    pub(super) body: usize,
    /// First row of the headings.
    pub(super) head: usize,
    /// By column of the sheet.
    pub(super) columns: Vec<Column>,
    /// What the clerk should know of how the headings were read.
    pub(super) findings: Vec<String>,
    pub(super) owner: Owner,
    /// 填报日期.
    pub(super) date: Option<Day>,
    /// What its columns as a whole say of their cells.
    pub(super) survey: Survey,
    /// The rows below the table that belong to its frame.
    pub(super) frame: Vec<Vec<Cell>>,
    /// How many rows the sheet has.
    pub(super) length: usize,
}

/// What a row below the headings is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// To import.
    Data,
    /// Blank, a total, headings again, or a line for signatures.
    Other,
}

/// Finds the table on a sheet, and looks at every row of it; none without a row of headings.
pub(super) fn find<'l>(
    book: &mut Book<'_>,
    index: usize,
    layouts: &'l Layouts,
    units: &Units<'_>,
) -> Result<Option<Form<'l>>, ImportError> {
    loop {
        let Some(Headings { head, body, layout, columns, findings }) = headings::find(&book.sheets[index], layouts)
        else {
            return Ok(None);
        };
        let (survey, frame) = (Survey::default(), Vec::new());
        let mut form = Form {
            layouts,
            layout,
            body,
            head,
            columns,
            findings,
            owner: Owner::Unsaid,
            date: None,
            survey,
            frame,
            length: 0,
        };
        let mut surveyor = Surveyor::new(
            form.layout,
            form.columns.iter().map(|one| one.target),
            book.sheets[index].is_1904,
            book.container,
        );
        let (mut frame, mut length) = (Vec::new(), 0);
        let mut is_named_in_rows = false;
        let walked = book.first_walk(index, &mut |number, row| {
            length = number + 1;
            if number >= body {
                is_named_in_rows |= units.are_missing() && form.names_unknown_unit(&row, units);
                surveyor.look(&row);
                // A program's file has no frame.
                if !layout.exact && frame.len() < MAX_FRAME && form.is_footer(&row) {
                    frame.push(row.into_owned());
                }
            }
            Ok(true)
        })?;
        if walked == Walked::Unordered {
            continue; // it is held now, in order
        }
        if is_named_in_rows {
            return Err(ImportError::NoTree);
        }
        let sheet = &book.sheets[index];
        let titles = &sheet.rows[..head];
        let around = || titles.iter().chain(&frame);
        let words = &layouts.words;
        let date = around().find_map(|row| labelled(row, &words.date, words).and_then(|text| text::parse_date(&text)));
        form.owner = owner(sheet, around().find_map(|row| labelled(row, &words.unit, words)), titles, units);
        form.date = date.or_else(|| titles.iter().flatten().find_map(bare_date));
        form.survey = surveyor.survey();
        (form.frame, form.length) = (frame, length);
        return Ok(Some(form));
    }
}

fn owner(sheet: &Sheet, label: Option<String>, titles: &[Vec<Cell>], units: &Units<'_>) -> Owner {
    let labelled = label.as_deref().and_then(|text| units.named(text).or_else(|| units.mentioned(text)));
    let titled = || titles.iter().flatten().find_map(|cell| units.mentioned(&cell.text()));
    let tab = || units.named(&sheet.name).or_else(|| units.mentioned(&sheet.name));
    match (labelled, label) {
        (Some(unit), _) => Owner::Unit(unit),
        (None, Some(text)) => Owner::Unknown(text),
        (None, None) => titled().or_else(tab).map_or(Owner::Unsaid, Owner::Unit),
    }
}

/// What stands after one of these labels, in its cell or the next filled one.
fn labelled(row: &[Cell], labels: &[String], words: &Words) -> Option<String> {
    for (index, cell) in row.iter().enumerate() {
        let Cell::Text(written) = cell else { continue };
        let written = text::no_space(written);
        let Some(rest) = labels.iter().find_map(|label| written.split_once(label.as_str()).map(|(_, rest)| rest))
        else {
            continue;
        };
        let rest = rest.split_once(')').filter(|_| rest.starts_with('(')).map_or(rest, |(_, after)| after);
        let value = before_next_label(rest.trim_start_matches([':', '：']), words);
        if !value.is_empty() {
            return Some(value.to_owned());
        }
        let next = row[index + 1..].iter().find(|cell| !cell.is_blank()).map(Cell::text);
        return next.filter(|next| before_next_label(&text::no_space(next), words).len() == text::no_space(next).len());
    }
    None
}

fn before_next_label<'r>(rest: &'r str, words: &Words) -> &'r str {
    let labels = words.unit.iter().chain(&words.date).chain(&words.footer);
    let end = labels.filter_map(|label| rest.find(label.as_str())).min().unwrap_or(rest.len());
    rest[..end].trim_end_matches(['(', ';', ',', '。'])
}

/// A title cell that is a day and nothing else.
fn bare_date(cell: &Cell) -> Option<Day> {
    match cell {
        Cell::Day(day) => Some(*day),
        Cell::Text(text) if digit_groups(text) == 3 => text::parse_date(text),
        _ => None,
    }
}

/// How many numbers stand in a text.
fn digit_groups(written: &str) -> usize {
    text::half_width(written).split(|sign: char| !sign.is_ascii_digit()).filter(|part| !part.is_empty()).count()
}

impl Form<'_> {
    /// What a row below the headings is.
    pub(super) fn kind(&self, row: &[Cell]) -> Kind {
        let said = |index: usize| self.columns.get(index).is_none_or(|column| column.target != Some(Target::Ignore));
        let filled: Vec<usize> = row
            .iter()
            .enumerate()
            .filter(|(index, cell)| !cell.is_blank() && said(*index))
            .map(|(index, _)| index)
            .collect();
        if filled.is_empty() || self.is_heading(row) || (!self.layout.exact && headings::is_numbering(row)) {
            return Kind::Other;
        }
        // A program's file has no frame.
        if self.layout.exact {
            return Kind::Data;
        }
        if self.is_total(row) || self.is_footer(row) {
            return Kind::Other;
        }
        // One lone cell that names nobody: the heading of a section.
        if let [only] = filled[..]
            && !self.columns.get(only).is_some_and(|column| self.identifies(column.target))
        {
            return Kind::Other;
        }
        Kind::Data
    }

    /// Whether a row to import names a unit that nobody knows.
    fn names_unknown_unit(&self, row: &[Cell], units: &Units<'_>) -> bool {
        let is_unknown = |(cell, column): (&Cell, &Column)| {
            // A code that is none of the office's is that row's fault, tree or no tree.
            column.target == Some(Target::Unit) && !cell.is_blank() && {
                let written = cell.text();
                units.named(&written).is_none() && !has_code(&written)
            }
        };
        row.iter().zip(&self.columns).any(is_unknown) && self.kind(row) == Kind::Data
    }

    /// Whether a cell for somebody's name says that there is nobody: 离异, 丧偶.
    pub(super) fn is_nobody(&self, written: &str) -> bool {
        // 丧偶（2005）, 已离婚.
        let half = text::half_width(written);
        let written = folded(half.split('(').next().unwrap_or_default());
        let words = &self.layouts.words.nobody;
        words.contains(&written) || written.strip_prefix('已').is_some_and(|rest| words.iter().any(|word| word == rest))
    }

    fn identifies(&self, target: Option<Target>) -> bool {
        let must = |role: usize, tag: u32| self.layout.roles[role].must.contains(&tag);
        matches!(target, Some(Target::Field { role, tag }) if must(role, tag))
    }

    fn is_heading(&self, row: &[Cell]) -> bool {
        let again = row.iter().zip(&self.columns).filter(|(cell, column)| {
            column.target.is_some_and(|target| target != Target::Ignore)
                && !cell.is_blank()
                && folded(&cell.text()) == folded(&column.heading)
        });
        again.count() >= 2
    }

    /// Whether no citizen id stands in the row.
    fn is_anonymous(&self, row: &[Cell]) -> bool {
        !row.iter().zip(&self.columns).any(|(cell, column)| match column.target {
            Some(Target::Field { role, tag }) => {
                let field = self.layout.field((role, tag));
                let digits = || text::no_space(&cell.text()).bytes().filter(u8::is_ascii_digit).count();
                field.is_some_and(|field| field.format == Format::CitizenId) && digits() >= ID_LIKE
            }
            _ => false,
        })
    }

    /// Whether the row names a person, as a frame never does: in the column for the name stands what can be a name.
    fn names_somebody(&self, row: &[Cell]) -> bool {
        row.iter().zip(&self.columns).any(|(cell, column)| match column.target {
            Some(Target::Field { role, tag }) => {
                let field = self.layout.field((role, tag));
                let is_name = field.is_some_and(|field| field.format == Format::PersonName);
                let written = text::person_name(&cell.text());
                is_name && self.identifies(column.target) && self.can_be_a_name(&written)
            }
            _ => false,
        })
    }

    fn can_be_a_name(&self, written: &str) -> bool {
        let letters = |sign: char| sign.is_alphabetic() || sign == text::NAME_DOT;
        let words = &self.layouts.words;
        !written.is_empty()
            && written.chars().all(letters)
            && !words.total.iter().any(|word| written == word)
            && !words.footer.iter().any(|word| written.starts_with(word.trim_end_matches(':')))
    }

    fn is_total(&self, row: &[Cell]) -> bool {
        if !self.is_anonymous(row) {
            return false;
        }
        let mut filled = row.iter().filter(|cell| !cell.is_blank()).take(3).map(|cell| self.says_total(cell));
        filled.next().unwrap_or(false) || !self.names_somebody(row) && filled.any(|total| total)
    }

    fn says_total(&self, cell: &Cell) -> bool {
        let written = folded(&cell.text());
        let count = |text: &str| text.contains(|sign: char| sign.is_numeric());
        let counted = written.starts_with('共') && written.ends_with(['人', '户', '名', '条', '页']) && count(&written);
        counted || self.layouts.words.total.iter().any(|word| written.starts_with(word.as_str()))
    }

    /// Whether the row belongs to the frame of the form: signatures, unit, date. Its label stands first, or nobody is named.
    pub(super) fn is_footer(&self, row: &[Cell]) -> bool {
        if !self.is_anonymous(row) {
            return false;
        }
        let mut filled = row.iter().filter(|cell| !cell.is_blank()).map(|cell| self.says_footer(cell));
        filled.next().unwrap_or(false) || !self.names_somebody(row) && filled.any(|footer| footer)
    }

    fn says_footer(&self, cell: &Cell) -> bool {
        let Cell::Text(written) = cell else { return false };
        let written = text::no_space(written);
        self.layouts.words.footer.iter().any(|word| written.starts_with(word.as_str()))
    }
}
