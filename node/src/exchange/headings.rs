//! Which row of a sheet, or which two, are the headings of its table, and what each column means. Pure.
//! Invariant: what stands below the heading of somebody else's columns (配偶情况, 介绍人) is never taken for the person's own; where two
//! groups of columns could both name the person, one of them is, and the other's cells are kept as what nobody could place.

mod numbering;
mod whose;

pub(super) use numbering::is_numbering;

use super::{
    book::Sheet,
    cells::Cell,
    layout::{Layout, Layouts, Target, Words, folded},
};
use std::collections::{BTreeSet, HashSet};
use taizhang_proto::text;
use whose::{Bracketed, Met, Others, Says, Whose};

/// Rows searched for headings.
const SEARCHED: usize = 30;

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

/// The heading of one column as it may be read.
#[derive(Clone)]
struct Written {
    /// As a whole, the most exact way first.
    ways: Vec<String>,
    /// Below the heading of a group: what stands there by itself.
    below: Option<Below>,
}

#[derive(Clone)]
struct Below {
    /// The first column of the group.
    group: usize,
    /// Its heading.
    over: String,
    /// Whose columns it says they are.
    whose: Whose,
    text: String,
}

impl Written {
    fn whole(text: String) -> Self {
        Self { ways: vec![text], below: None }
    }

    /// What stands in the column's own cell.
    fn own(&self) -> &str {
        let whole = || self.ways.first().map(String::as_str).unwrap_or_default();
        self.below.as_ref().map_or_else(whole, |below| &below.text)
    }
}

/// The headings of a table.
pub(super) struct Headings<'l> {
    /// Their first row.
    pub(super) head: usize,
    /// The first row below them.
    pub(super) body: usize,
    /// Whose they are.
    pub(super) layout: &'l Layout,
    pub(super) columns: Vec<Column>,
    /// What the clerk should know of how they were read.
    pub(super) findings: Vec<String>,
}

/// What the columns mean by one layout.
struct Meant {
    columns: Vec<Column>,
    /// Headings that would mean something, and are of somebody else.
    withheld: Vec<String>,
    /// Whether the heading of a group has a say in any of it.
    by_group: bool,
    findings: Vec<String>,
}

/// The row, or the two rows, with the most headings that one layout knows.
pub(super) fn find<'l>(sheet: &Sheet, layouts: &'l Layouts) -> Option<Headings<'l>> {
    if let Some(found) = exported(sheet, layouts) {
        return Some(found);
    }
    let mut best: Option<(usize, Headings<'l>)> = None;
    // One row before two: a title above the headings adds nothing to them.
    for is_two in [false, true] {
        for first in 0..sheet.rows.len().min(SEARCHED) {
            let pair = if is_two { groups(sheet, layouts, first) } else { None };
            let (written, body) = match (is_two, pair) {
                (true, Some((written, lower))) => (written, lower + 1),
                (true, None) => continue,
                (false, _) => (plain(&sheet.rows[first]), first + 1),
            };
            let above = if is_two {
                None
            } else {
                above(sheet, first, layouts).and_then(|upper| groups(sheet, layouts, upper))
            };
            let read: Vec<_> = layouts.all.iter().map(|layout| (layout, meant(layouts, layout, &written))).collect();
            // Known, though of somebody else: it is a row of headings, whichever layout it is of.
            let others: BTreeSet<String> = read.iter().flat_map(|(_, meant)| meant.withheld.clone()).collect();
            for (layout, Meant { columns, findings, .. }) in read {
                // What a group above says of these columns is not passed over.
                if above.as_ref().is_some_and(|(above, _)| meant(layouts, layout, above).by_group) {
                    continue;
                }
                let own = score(layout, &columns);
                let score = if own == 0 { 0 } else { own + others.len() };
                if score > best.as_ref().map_or(1, |(held, _)| *held) {
                    best = Some((score, Headings { head: first, body, layout, columns, findings }));
                }
            }
        }
    }
    best.map(|(_, mut found)| {
        if let Some(above) = found.head.checked_sub(1).filter(|_| found.body == found.head + 1) {
            take_from_above(&sheet.rows[above], layouts, found.layout, &mut found.columns);
        }
        found
    })
}

/// Whether a row says nothing of what stands below it: it is blank, numbers the columns, or belongs to the frame.
fn is_between(row: &[Cell], layouts: &Layouts) -> bool {
    row.iter().all(Cell::is_blank) || is_numbering(row) || is_frame(row, layouts)
}

/// The row above another one that says something.
fn above(sheet: &Sheet, row: usize, layouts: &Layouts) -> Option<usize> {
    (0..row).rev().find(|above| !is_between(&sheet.rows[*above], layouts))
}

/// The headings of a row.
fn plain(row: &[Cell]) -> Vec<Written> {
    row.iter().map(|cell| Written::whole(cell.text())).collect()
}

/// What stands behind the label of a form's frame that a cell begins with, as 填报单位 or 日期.
fn behind_label<'w>(written: &'w str, words: &Words) -> Option<&'w str> {
    words.unit.iter().chain(&words.date).find_map(|label| written.strip_prefix(label.as_str()))
}

/// Whether a row belongs to the frame of a form: it says whose that is or of which day, has numbers in it, or is a note.
fn is_frame(row: &[Cell], layouts: &Layouts) -> bool {
    row.iter().map(|cell| text::no_space(&cell.text())).any(|written| {
        // A label by itself may be a heading.
        let label = behind_label(&written, &layouts.words).is_some_and(|rest| !rest.is_empty());
        // A colon that nothing follows may be that of a group.
        let says = written.trim_end_matches([':', '：']).contains([':', '：']);
        let is_note = written.starts_with(['(', '（', '注', '※']);
        label || says || is_note || written.bytes().filter(u8::is_ascii_digit).count() > 2
    })
}

/// Whether a row above headings has the labels of a frame, filled or not, and groups nothing: nobody's columns are named in it, and no heading
/// below stands twice.
fn is_labels(upper: &[Cell], lower: &[Cell]) -> bool {
    let mut met = HashSet::new();
    let is_twice = lower.iter().filter(|cell| !cell.is_blank()).any(|cell| !met.insert(folded(&cell.text())));
    let labels: Vec<String> = upper.iter().map(Cell::text).filter(|cell| !cell.trim().is_empty()).collect();
    let mut is_filled = false;
    let of_frame = labels.iter().all(|label| {
        let own = whose::is_of_frame(label);
        // What stands behind a label is what it says.
        let is_value = std::mem::replace(&mut is_filled, own);
        own || is_value || Whose::of(label).is_none()
    });
    let is_persons = |label: &String| matches!(Whose::of(label), Some(Whose::Subject | Whose::Own | Whose::Head));
    !is_twice && of_frame && !labels.iter().any(is_persons) && labels.iter().any(|label| whose::is_of_frame(label))
}

/// The headings of two rows, the upper of which has groups that may span columns, and which row the lower one is; none where the upper
/// one is no such row.
fn groups(sheet: &Sheet, layouts: &Layouts, head: usize) -> Option<(Vec<Written>, usize)> {
    let upper = &sheet.rows[head];
    let last = sheet.rows.len().min(SEARCHED + 1);
    let lower_row = (head + 1..last).find(|row| !is_between(&sheet.rows[*row], layouts))?;
    let lower = &sheet.rows[lower_row];
    if is_between(upper, layouts) || is_labels(upper, lower) {
        return None;
    }
    // Where the cell of a group is merged, it says how far the group goes.
    let spans = |column: usize| {
        let area = sheet.merged.iter().find(|area| {
            (area.start.0..=area.end.0).contains(&(head as u32))
                && area.start.1 as usize == column
                && area.end.1 > area.start.1
        });
        area.map(|area| area.end.1 as usize)
    };
    let (mut over, mut group, mut end) = (String::new(), 0, usize::MAX);
    let mut met: HashSet<String> = HashSet::new();
    let width = upper.len().max(lower.len());
    let both = (0..width).map(|column| {
        let own = upper.get(column).map(Cell::text).unwrap_or_default();
        let own = own.trim_end_matches([':', '：']).to_owned();
        let below = lower.get(column).map(Cell::text).unwrap_or_default();
        if !own.trim().is_empty() && own != over {
            (over, group, end) = (own.clone(), column, spans(column).unwrap_or(usize::MAX));
            met.clear();
        }
        // Where no cell says how far a group goes, it goes no further than to the next name.
        let is_again = !below.trim().is_empty() && !met.insert(folded(&below)) && own.trim().is_empty();
        if column > end || (is_again && whose::names(&below)) {
            (over, end) = (String::new(), usize::MAX);
            met.clear();
        }
        if below.trim().is_empty() {
            return Written::whole(over.clone());
        }
        // One cell that was merged down over both rows is one heading.
        if over.is_empty() || folded(&own) == folded(&below) {
            return Written::whole(below);
        }
        let Some(whose) = Whose::of(&over) else { return Written::whole(below) };
        // 配偶情况 over 电话 is 配偶电话, and never the person's own; over 配偶电话 it adds nothing.
        let short = whose::short(&over);
        let ways = if below.starts_with(&short) {
            vec![below.clone()]
        } else {
            vec![format!("{over}{below}"), format!("{short}{below}")]
        };
        Written { ways, below: Some(Below { group, over: over.clone(), whose, text: below }) }
    });
    Some((both.collect(), lower_row))
}

/// Columns without a heading whose cell above it has one that is known: cells that were merged down to it, beside a group's.
fn take_from_above(above: &[Cell], layouts: &Layouts, layout: &Layout, columns: &mut Vec<Column>) {
    if above.iter().any(|cell| behind_label(&text::no_space(&cell.text()), &layouts.words).is_some()) {
        return; // whose form it is, and of which day
    }
    for column in columns.len()..above.len() {
        let heading = format!("第{}列", column + 1);
        columns.push(Column { heading, target: None, others: Vec::new(), is_bare: true });
    }
    let mut taken: HashSet<Target> = columns.iter().filter_map(|column| column.target).collect();
    for (column, cell) in columns.iter_mut().zip(above).filter(|(column, _)| column.is_bare) {
        let written = cell.text();
        let known = layouts.target(layout, &written).filter(|_| whose::bracketed(&written).is_none());
        if let Some(target) = known.filter(|target| !taken.contains(target)) {
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
            let written: Vec<Written> = headings.into_iter().map(Written::whole).collect();
            let Meant { columns, .. } = meant(layouts, layout, &written);
            return Some(Headings { head, body: head + 1, layout, columns, findings: Vec::new() });
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

/// Headings whose bracket says that they are somebody else's, as columns below a heading of that one's. Their groups have numbers behind the
/// last column.
fn with_brackets(written: &[Written]) -> Vec<Written> {
    let all: Vec<Option<Bracketed>> = written.iter().map(|one| whose::bracketed(one.own())).collect();
    let first = |over: &str| all.iter().position(|other| other.as_ref().is_some_and(|other| other.over == over));
    let read = |(one, bracketed): (&Written, &Option<Bracketed>)| match bracketed {
        None => one.clone(),
        Some(Bracketed { over, whose, text }) => {
            let group = written.len() + first(over).unwrap_or_default();
            let ways = vec![format!("{}{text}", whose::short(over)), format!("{text}{over}")];
            Written { ways, below: Some(Below { group, over: over.clone(), whose: *whose, text: text.clone() }) }
        }
    };
    written.iter().zip(&all).map(read).collect()
}

/// What each column means. A heading met again belongs to the person whose columns stand left of it; where the layout has nobody else, it
/// is somebody else's, and so is what says more of a person behind it.
fn meant(layouts: &Layouts, layout: &Layout, written: &[Written]) -> Meant {
    // A program writes its headings in its own way.
    let written = &if layout.exact { written.to_vec() } else { with_brackets(written) }[..];
    let whole = |one: &Written| one.ways.iter().find_map(|way| layouts.target(layout, way));
    // A group with a name that no heading of the layout is: its 其他电话 is that one's phone, and not another one of the person's.
    let strangers: HashSet<usize> = written
        .iter()
        .filter_map(|one| one.below.as_ref().filter(|below| whose::names(&below.text) && whole(one).is_none()))
        .filter(|below| !matches!(below.whose, Whose::Subject | Whose::Own | Whose::Head))
        .map(|below| below.group)
        .collect();
    let met = |one: &Written| {
        let of_stranger = one.below.as_ref().is_some_and(|below| strangers.contains(&below.group));
        let whole = whole(one).filter(|target| !of_stranger || whose::says(layout, *target) == Says::Else);
        match (&one.below, whole) {
            (Some(below), Some(target)) => Some(Met::Joined(below.group, target)),
            (None, Some(target)) => Some(Met::Alone(target)),
            (Some(below), None) => Some(Met::Below(below.group, below.whose, layouts.target(layout, &below.text)?)),
            (None, None) => None,
        }
    };
    let met: Vec<Option<Met>> = written.iter().map(met).collect();
    let below = written.iter().filter_map(|one| one.below.as_ref());
    let units: BTreeSet<usize> =
        below.filter(|below| whose::is_of_unit(&below.text)).map(|below| below.group).collect();
    let Others { columns: withheld, groups, only } = whose::of_somebody_else(layout, &met, &units);
    let mut taken = HashSet::new();
    let mut left = None;
    let (mut is_stranger, mut names) = (false, HashSet::new());
    // The last column that names somebody else, and those behind it that may be of either.
    let (mut behind, mut doubtful): (Option<usize>, Vec<(usize, usize)>) = (None, Vec::new());
    let mut columns = Vec::with_capacity(written.len());
    for (index, (one, met)) in written.iter().zip(&met).enumerate() {
        let mut target = met.as_ref().filter(|_| !withheld.contains(&index)).map(Met::target);
        if let (Some(again), Some(left)) = (target.filter(|target| taken.contains(target)), left) {
            target = Some(of_role(layout, again, left));
        }
        if let Some(again) = target {
            let says = whose::says(layout, again);
            // Another heading of the same is another place for it.
            let is_name_again =
                says == Says::Who && !names.insert(one.ways.iter().map(|way| folded(way)).collect::<Vec<_>>());
            is_stranger |= is_name_again && taken.contains(&again);
            if is_stranger && taken.contains(&again) && says != Says::Else {
                target = None;
            }
        }
        if one.below.is_none() && !layout.exact {
            // Right behind somebody else's name a second phone is that one's; of a first one nobody can say.
            let is_somebodys = target.is_some_and(|target| whose::says(layout, target) != Says::Else);
            match behind {
                _ if target.is_none() => behind = whose::is_of_stranger(one.own()).then_some(index).or(behind),
                Some(_) if is_somebodys && target.is_some_and(|target| taken.contains(&target)) => target = None,
                Some(stranger) if is_somebodys => doubtful.push((stranger, index)),
                _ => behind = None,
            }
        }
        if let Some(target) = target {
            taken.insert(target);
            left = role_of(target).or(left);
        }
        let heading = one.ways.iter().find(|way| !way.trim().is_empty());
        let is_bare = heading.is_none();
        let heading = heading.map_or_else(|| format!("第{}列", index + 1), |way| text::no_space(way));
        let own = one.below.as_ref().filter(|_| target.is_some()).map(|below| &below.text);
        let others = one.ways.iter().chain(own).find_map(|way| layout.others(way)).unwrap_or_default().to_vec();
        columns.push(Column { heading, target, others, is_bare });
    }
    let text = |index: &usize| written[*index].below.as_ref().map(|below| folded(&below.text));
    // A bracket is in the row itself.
    let is_of_row = |index: usize| written[index].below.as_ref().is_none_or(|below| below.group < written.len());
    let by_group = (withheld.iter().any(|index| is_of_row(*index)))
        || met.iter().enumerate().any(|(index, met)| matches!(met, Some(Met::Joined(..))) && is_of_row(index));
    // Nothing but their order says which of them is meant.
    let title = |group: &usize| {
        let below = written.iter().filter_map(|one| one.below.as_ref()).find(|below| below.group == *group);
        below.map(|below| text::no_space(&below.over)).unwrap_or_default()
    };
    let mut findings = Vec::new();
    if groups.len() > 1 {
        let named: Vec<String> = groups.iter().map(|group| format!("“{}”", title(group))).collect();
        findings.push(format!(
            "表头的{}各栏都有姓名：按{}登记，其余保存在“导入存疑”中，请核对",
            named.join("、"),
            named[0]
        ));
    }
    if let Some(group) = only {
        findings.push(format!("表头中只有“{}”栏写了是谁：按其登记，请核对", title(&group)));
    }
    for (stranger, index) in doubtful {
        let (stranger, own) = (text::no_space(written[stranger].own()), text::no_space(written[index].own()));
        findings.push(format!("“{own}”在“{stranger}”之后：按本人的登记，请核对"));
    }
    Meant { columns, withheld: withheld.iter().filter_map(text).collect(), by_group, findings }
}

/// Whose record a target is of.
pub(super) fn role_of(target: Target) -> Option<usize> {
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
