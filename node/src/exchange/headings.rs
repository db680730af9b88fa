//! Which row of a sheet, or which two, are the headings of its table, and what each column means. Pure.
//! Invariant: what stands below the heading of somebody else's columns (配偶情况, 介绍人) is never taken for the person's own; where two
//! groups of columns could both name the person, one of them is, and the other's cells are kept as what nobody could place.

mod numbering;
mod whose;

pub(super) use numbering::is_numbering;

use super::{
    cells::{Cell, Sheet},
    layout::{Layout, Layouts, Target, folded},
};
use std::collections::{BTreeSet, HashSet};
use taizhang_proto::text;
use whose::{Met, Whose};

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
struct Written {
    /// As a whole, the most exact way first.
    ways: Vec<String>,
    /// Below the heading of a group: what stands there by itself.
    below: Option<Below>,
}

struct Below {
    /// The first column of the group.
    group: usize,
    /// Whose columns it says they are.
    whose: Whose,
    text: String,
}

impl Written {
    fn whole(text: String) -> Self {
        Self { ways: vec![text], below: None }
    }
}

/// First row of the headings, first row below them, whose they are, and the columns.
type Headings<'l> = (usize, usize, &'l Layout, Vec<Column>);

/// The row, or the two rows, with the most headings that one layout knows.
pub(super) fn find<'l>(sheet: &Sheet, layouts: &'l Layouts) -> Option<Headings<'l>> {
    if let Some(found) = exported(sheet, layouts) {
        return Some(found);
    }
    let mut best: Option<(usize, Headings<'l>)> = None;
    // One row before two: a title above the headings adds nothing to them.
    for height in [1, 2] {
        for head in 0..sheet.rows.len().min(SEARCHED) {
            let Some(written) = written(sheet, head, height) else { continue };
            let read: Vec<_> = layouts.all.iter().map(|layout| (layout, columns(layouts, layout, &written))).collect();
            // Known, though of somebody else: it is a row of headings, whichever layout it is of.
            let others: BTreeSet<String> = read.iter().flat_map(|(_, (_, withheld))| withheld.clone()).collect();
            for (layout, (columns, _)) in read {
                let own = score(layout, &columns);
                let score = if own == 0 { 0 } else { own + others.len() };
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
            let written: Vec<Written> = headings.into_iter().map(Written::whole).collect();
            return Some((head, head + 1, layout, columns(layouts, layout, &written).0));
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
fn written(sheet: &Sheet, head: usize, height: usize) -> Option<Vec<Written>> {
    let upper = &sheet.rows[head];
    if height == 1 {
        return Some(upper.iter().map(|cell| Written::whole(cell.text())).collect());
    }
    let lower = sheet.rows.get(head + 1)?;
    let mut over = String::new();
    let mut group = 0;
    let width = upper.len().max(lower.len());
    let both = (0..width).map(|column| {
        let above = upper.get(column).map(Cell::text).unwrap_or_default();
        let below = lower.get(column).map(Cell::text).unwrap_or_default();
        if !above.trim().is_empty() && above != over {
            (over, group) = (above.clone(), column);
        }
        if below.trim().is_empty() {
            return Written::whole(over.clone());
        }
        // One cell that was merged down over both rows is one heading.
        if over.is_empty() || folded(&above) == folded(&below) {
            return Written::whole(below);
        }
        // 配偶情况 over 电话 is 配偶电话, and never the person's own.
        let short = whose::GROUPS.iter().find_map(|word| over.strip_suffix(word)).unwrap_or(&over);
        let ways = vec![format!("{over}{below}"), format!("{short}{below}")];
        Written { ways, below: Some(Below { group, whose: Whose::of(&over), text: below }) }
    });
    Some(both.collect())
}

/// What each column means, and the headings that would mean something and are of somebody else. A heading met again belongs to the
/// person whose columns stand left of it.
fn columns(layouts: &Layouts, layout: &Layout, written: &[Written]) -> (Vec<Column>, Vec<String>) {
    let met = |one: &Written| {
        let whole = one.ways.iter().find_map(|way| layouts.target(layout, way)).map(Met::Whole);
        let below = || {
            let below = one.below.as_ref()?;
            Some(Met::Below(below.group, below.whose, layouts.target(layout, &below.text)?))
        };
        whole.or_else(below)
    };
    let met: Vec<Option<Met>> = written.iter().map(met).collect();
    let withheld = whose::of_somebody_else(layout, &met);
    let mut taken = HashSet::new();
    let mut left = None;
    let mut columns = Vec::with_capacity(written.len());
    for (index, (one, met)) in written.iter().zip(&met).enumerate() {
        let mut target = met.as_ref().filter(|_| !withheld.contains(&index)).map(Met::target);
        if let (Some(again), Some(left)) = (target.filter(|target| taken.contains(target)), left) {
            target = Some(of_role(layout, again, left));
        }
        if let Some(target) = target {
            taken.insert(target);
            left = role_of(target).or(left);
        }
        let heading = one.ways.iter().find(|way| !way.trim().is_empty());
        let is_bare = heading.is_none();
        let heading = heading.map_or_else(|| format!("第{}列", index + 1), |way| text::no_space(way));
        let own = one.below.as_ref().filter(|_| !withheld.contains(&index)).map(|below| &below.text);
        let others = one.ways.iter().chain(own).find_map(|way| layout.others(way)).unwrap_or_default().to_vec();
        columns.push(Column { heading, target, others, is_bare });
    }
    let text = |index: &usize| written[*index].below.as_ref().map(|below| folded(&below.text));
    (columns, withheld.iter().filter_map(text).collect())
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
