//! Where on a sheet the table is: its row of headings below title rows, what the columns mean, whose form it is and
//! of which day. Pure but for the walk through its rows.

use super::{
    ImportError,
    cells::{Book, Cell, Sheet},
    layout::{Layout, Layouts, Target, Words, folded},
    read::Walked,
    survey::{Survey, Surveyor},
};
use crate::desk::units::{Units, has_code};
use std::collections::HashSet;
use taizhang_proto::{OrgCode, date::Day, pb::Format, text};

/// Rows searched for headings.
const SEARCHED: usize = 30;

/// Most rows that are kept of a form's frame: signatures, unit, date.
const MAX_FRAME: usize = 200;

/// From so many digits on a cell is meant as a citizen id.
const ID_LIKE: usize = 6;

/// One column of the table.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Its heading as written; made up where there is none.
    pub(super) heading: String,
    /// What it means; none: nothing that we know.
    pub(super) target: Option<Target>,
    /// What it may mean besides; each word of a cell goes where it is known.
    pub(super) others: Vec<Target>,
    /// Whether nothing stands in its heading.
    is_bare: bool,
}

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
        let Some((head, body, layout, columns)) = headings(&book.sheets[index], layouts) else { return Ok(None) };
        let (survey, frame) = (Survey::default(), Vec::new());
        let mut form =
            Form { layouts, layout, body, head, columns, owner: Owner::Unsaid, date: None, survey, frame, length: 0 };
        let mut surveyor = Surveyor::new(&form, book.sheets[index].is_1904, book.container);
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

type Headings<'l> = (usize, usize, &'l Layout, Vec<Column>);

/// The row, or the two rows, with the most headings that one layout knows.
fn headings<'l>(sheet: &Sheet, layouts: &'l Layouts) -> Option<Headings<'l>> {
    if let Some(found) = exported(sheet, layouts) {
        return Some(found);
    }
    let mut best: Option<(usize, Headings<'l>)> = None;
    // One row before two: a title above the headings adds nothing to them.
    for height in [1, 2] {
        for head in 0..sheet.rows.len().min(SEARCHED) {
            let Some(written) = written_headings(sheet, head, height) else { continue };
            let others = of_others(sheet, (head, height), layouts);
            for layout in &layouts.all {
                let columns = columns(layouts, layout, &written);
                let own = score(layout, &columns);
                let score = if own == 0 { 0 } else { own + others };
                if score > best.as_ref().map_or(1, |(held, _)| *held) {
                    best = Some((score, (head, head + height, layout, columns)));
                }
            }
        }
    }
    best.map(|(_, (head, body, layout, mut columns))| {
        if let Some(above) = head.checked_sub(1).filter(|_| body == head + 1) {
            take_from_above(&sheet.rows[above], layouts, layout, &mut columns);
        }
        (head, body, layout, columns)
    })
}

/// Columns without a heading whose cell above it has one that is known: cells that were merged down to it, beside a group's.
fn take_from_above(above: &[Cell], layouts: &Layouts, layout: &Layout, columns: &mut [Column]) {
    let words = &layouts.words;
    let is_frame = |cell: &Cell| {
        let written = text::no_space(&cell.text());
        words.unit.iter().chain(&words.date).any(|word| written.starts_with(word.as_str()))
    };
    if above.iter().any(is_frame) {
        return; // whose form it is, and of which day
    }
    let mut taken: HashSet<Target> = columns.iter().filter_map(|column| column.target).collect();
    for (column, cell) in columns.iter_mut().zip(above).filter(|(column, _)| column.is_bare) {
        let written = cell.text();
        if let Some(target) = layouts.target(layout, &written).filter(|target| !taken.contains(target)) {
            taken.insert(target);
            let others = layout.others(&written).unwrap_or_default().to_vec();
            *column = Column { heading: text::no_space(&written), target: Some(target), others, is_bare: false };
        }
    }
}

/// The headings of a file that the export wrote.
fn exported<'l>(sheet: &Sheet, layouts: &'l Layouts) -> Option<Headings<'l>> {
    let mut titled = vec![sheet.name.clone()];
    for (head, row) in sheet.rows.iter().take(SEARCHED).enumerate() {
        let headings: Vec<String> = row.iter().map(Cell::text).collect();
        if let Some(layout) = Layouts::exact(&headings, &titled) {
            let written: Vec<Vec<String>> = headings.into_iter().map(|heading| vec![heading]).collect();
            return Some((head, head + 1, layout, columns(layouts, layout, &written)));
        }
        titled.extend(headings);
    }
    None
}

/// How many different targets are recognised; 0 when one that identifies the layout is missing.
fn score(layout: &Layout, columns: &[Column]) -> usize {
    let found: HashSet<Target> = columns.iter().filter_map(|column| column.target).collect();
    let identified = layout.identify.iter().all(|target| found.contains(target));
    if identified { found.iter().filter(|target| **target != Target::Ignore).count() } else { 0 }
}

/// The headings of a row; of two rows: the upper one, which may span columns, before the lower one.
fn written_headings(sheet: &Sheet, head: usize, height: usize) -> Option<Vec<Vec<String>>> {
    let upper = &sheet.rows[head];
    if height == 1 {
        return Some(upper.iter().map(|cell| vec![cell.text()]).collect());
    }
    let lower = sheet.rows.get(head + 1)?;
    let mut over = String::new();
    let width = upper.len().max(lower.len());
    let both = (0..width).map(|column| {
        let above = upper.get(column).map(Cell::text).unwrap_or_default();
        let below = lower.get(column).map(Cell::text).unwrap_or_default();
        if !above.trim().is_empty() {
            over = above;
        }
        if below.trim().is_empty() {
            return vec![over.clone()];
        }
        // One cell that was merged down over both rows is one heading.
        if upper.get(column).is_some_and(|own| !own.is_blank() && folded(&own.text()) == folded(&below)) {
            return vec![below];
        }
        // 配偶情况 over 电话 is 配偶电话, and never the person's own.
        let whose = GROUPS.iter().find_map(|group| over.strip_suffix(group)).unwrap_or(&over);
        let mut ways = vec![format!("{over}{below}"), format!("{whose}{below}")];
        ways.extend((!is_of_another(&over)).then_some(below));
        ways
    });
    Some(both.collect())
}

/// Whether a row numbers the columns: 1 2 3 4, or 甲 乙 1 2.
fn is_numbering(row: &[Cell]) -> bool {
    const STEMS: [&str; 6] = ["甲", "乙", "丙", "丁", "戊", "己"];
    let (mut stems, mut numbers) = (0, 0);
    for cell in row {
        let written = text::no_space(&cell.text());
        if written.is_empty() {
            continue;
        }
        if numbers == 0 && STEMS.get(stems).is_some_and(|stem| written == *stem) {
            stems += 1;
            continue;
        }
        numbers += 1;
        let plain = written.trim_start_matches(['(', '（']).trim_end_matches([')', '）']);
        // Most rows are none, and say it in their first cell.
        if plain != numbers.to_string() {
            return false;
        }
    }
    stems + numbers >= 3
}

/// What the heading of a group ends with that says nothing.
const GROUPS: [&str; 4] = ["情况", "信息", "资料", "简况"];
/// In the heading of a group: what stands below it is of somebody else.
const OTHERS: [&str; 12] =
    ["配偶", "联系人", "父亲", "母亲", "父母", "子女", "家属", "监护人", "担保人", "家庭成员", "亲属", "法定代表人"];

/// Longest heading of a group, characters; a title says more.
const GROUP_CHARS: usize = 8;

/// Whether a cell is the heading of a group of somebody else's columns: no title, and no label with what it says behind it.
fn is_of_another(over: &str) -> bool {
    let over = text::no_space(over);
    let is_group =
        over.chars().count() <= GROUP_CHARS && !over.contains([':', '：']) && !over.ends_with(['表', '册', '账', '单']);
    is_group && OTHERS.iter().any(|other| over.contains(other))
}

/// How many different headings of the lower row some layout knows, though they are of somebody else: it is a row of headings, whichever
/// layout it is of.
fn of_others(sheet: &Sheet, (head, height): (usize, usize), layouts: &Layouts) -> usize {
    let Some(lower) = sheet.rows.get(head + 1).filter(|_| height == 2) else { return 0 };
    let mut is_other = false;
    let mut known = HashSet::new();
    for (column, below) in lower.iter().enumerate() {
        let above = sheet.rows[head].get(column).map(Cell::text).unwrap_or_default();
        if !above.trim().is_empty() {
            is_other = is_of_another(&above);
        }
        let written = folded(&below.text());
        let means = |layout| layouts.target(layout, &written).is_some_and(|target| target != Target::Ignore);
        if is_other && !below.is_blank() && folded(&above) != written && layouts.all.iter().any(means) {
            known.insert(written);
        }
    }
    known.len()
}

/// What each column means. A heading met again belongs to the person whose columns stand left of it.
fn columns(layouts: &Layouts, layout: &Layout, written: &[Vec<String>]) -> Vec<Column> {
    let mut taken = HashSet::new();
    let mut left = None;
    let mut columns = Vec::with_capacity(written.len());
    for (index, ways) in written.iter().enumerate() {
        let mut target = ways.iter().find_map(|way| layouts.target(layout, way));
        if let (Some(again), Some(left)) = (target.filter(|target| taken.contains(target)), left) {
            target = Some(of_role(layout, again, left));
        }
        if let Some(target) = target {
            taken.insert(target);
            left = role_of(target).or(left);
        }
        let heading = ways.iter().find(|way| !way.trim().is_empty());
        let is_bare = heading.is_none();
        let heading = heading.map_or_else(|| format!("第{}列", index + 1), |way| text::no_space(way));
        let others = ways.iter().find_map(|way| layout.others(way)).unwrap_or_default().to_vec();
        columns.push(Column { heading, target, others, is_bare });
    }
    columns
}

fn role_of(target: Target) -> Option<usize> {
    match target {
        Target::Field { role, .. } | Target::Code { role, .. } | Target::Sex { role } | Target::Birth { role } => {
            Some(role)
        }
        Target::Record
        | Target::RefName { .. }
        | Target::RefNumber { .. }
        | Target::RefId { .. }
        | Target::Unit
        | Target::Ignore => None,
    }
}

/// The same target of another role, if both are of one register.
fn of_role(layout: &Layout, target: Target, role: usize) -> Target {
    let same = |old: usize| layout.roles[old].register.number == layout.roles[role].register.number;
    match target {
        Target::Field { role: old, tag } if same(old) => Target::Field { role, tag },
        Target::Code { role: old, tag, code } if same(old) => Target::Code { role, tag, code },
        Target::Sex { role: old } if same(old) => Target::Sex { role },
        Target::Birth { role: old } if same(old) => Target::Birth { role },
        other => other,
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
        if filled.is_empty() || self.is_heading(row) || (!self.layout.exact && is_numbering(row)) {
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
        let written = folded(written);
        self.layouts.words.nobody.contains(&written)
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
