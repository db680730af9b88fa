//! Whether the rows of a store are those that were written: every record read and compared with the digest and the count
//! that each commit keeps of them, what refers to records followed, every other row read.
//! Invariant: a store that fails the check at its start is set aside whole, never mended in place; what it held comes back
//! from the hub's children.

use crate::{
    engine::FjallStore,
    mail::post,
    rows::{self, FeedRow, NEEDED, OwnCell, UnitRow, meta},
    store::{SPACES, Space, StoreError, View},
};
use prost::Message;
use std::path::Path;
use taizhang_node::disk::{self, DiskError};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{CellKey, home_unit},
    digest::{Item, ScopeDigest},
    pb,
    rule::Rule,
};

/// Most problems that are listed.
const MAX_LISTED: usize = 50;

/// What a check found.
#[derive(Debug, Default)]
pub struct Checked {
    /// Records read.
    pub records: u64,
    /// Rows of all kinds that were read.
    pub rows: u64,
    /// What is wrong, for the operator; names no person.
    pub problems: Vec<String>,
}

impl Checked {
    fn wrong(&mut self, what: String) {
        if self.problems.len() < MAX_LISTED {
            self.problems.push(what);
        }
    }
}

/// Reads every record and compares with the digest and the count kept beside them.
pub fn records(view: &dyn View, unit: OrgCode) -> Checked {
    let mut checked = Checked::default();
    let mut digest = ScopeDigest::default();
    let mut handed_over = 0;
    for row in view.prefix(Space::Records, &[]) {
        let (key, value) = match row {
            Ok(row) => row,
            Err(error) => {
                checked.wrong(error.to_string());
                break;
            }
        };
        checked.records += 1;
        match (RecordId::from_slice(&key), Record::decode(value.clone())) {
            // What was handed over to another district stays here, and belongs to it.
            (Some(_), Ok(record)) if home_unit(&record).is_none_or(|home| !unit.covers(home)) => handed_over += 1,
            (Some(id), Ok(_)) => digest.add(Item::record(id, &value)),
            (Some(id), Err(error)) => checked.wrong(format!("{id}: {error}")),
            (None, _) => checked.wrong("记录的键有误 (a record under a wrong key)".into()),
        }
    }
    let kept: Result<Option<UnitRow>, _> = rows::read(view, Space::Units, &unit.number().to_be_bytes());
    match kept.map(Option::unwrap_or_default) {
        Err(error) => checked.wrong(error.to_string()),
        Ok(kept) => {
            if kept.records_digest() != digest {
                checked.wrong("记录与其摘要不符 (the records and their digest differ)".into());
            }
            let own = checked.records - handed_over;
            if kept.count != own {
                checked.wrong(format!("记录数 {own} 与登记的 {} 不符 (count differs)", kept.count));
            }
        }
    }
    checked
}

/// A row can't be read.
struct Unreadable;

/// The record that a row speaks of, where it has to be there.
fn record_of(space: Space, key: &[u8], value: &bytes::Bytes) -> Result<Option<RecordId>, Unreadable> {
    let is_read = match space {
        Space::Feed => return FeedRow::from_slice(value).map(|row| Some(row.id)).ok_or(Unreadable),
        Space::History => {
            let id = key.get(..16).and_then(RecordId::from_slice);
            let entry = pb::Superseded::decode(value.clone()).ok();
            // Words on a record that was lost wait for whoever tells it.
            let (id, entry) = id.zip(entry).ok_or(Unreadable)?;
            return Ok((entry.rule != Rule::Left.name()).then_some(id));
        }
        Space::Conflicts => pb::Conflict::decode(value.clone()).is_ok(),
        Space::Verdicts => pb::Verdicts::decode(value.clone()).is_ok(),
        Space::Nodes => rows::NodeRow::decode(value.clone()).is_ok(),
        Space::Units => UnitRow::decode(value.clone()).is_ok(),
        Space::Subjects => rows::SubjectRow::decode(value.clone()).is_ok(),
        Space::Own => CellKey::from_slice(key).is_some() && OwnCell::from_slice(value).is_some(),
        Space::CellFeed => key.split_at_checked(8).is_some_and(|(_, cell)| CellKey::from_slice(cell).is_some()),
        Space::Sums => CellKey::from_slice(key).is_some() && value.len() == size_of::<i64>(),
        Space::Meta if [meta::YEARS, meta::UNHEARD].iter().any(|sums| key.starts_with(sums)) => {
            value.len() == size_of::<i64>()
        }
        _ => true,
    };
    if is_read { Ok(None) } else { Err(Unreadable) }
}

/// Reads every row of a space, and follows those that speak of a record where that is asked for; returns how many of them speak of one
/// that is not there.
fn read(view: &dyn View, space: Space, follows: bool, checked: &mut Checked) -> u64 {
    let (mut unreadable, mut dangling) = (0_u64, 0_u64);
    for row in view.prefix(space, &[]) {
        let (key, value) = match row {
            Ok(row) => row,
            Err(error) => {
                checked.wrong(format!("{space:?}: {error}"));
                break;
            }
        };
        checked.rows += 1;
        match record_of(space, &key, &value) {
            Err(Unreadable) => unreadable += 1,
            Ok(Some(id)) if follows => dangling += u64::from(!matches!(view.get(Space::Records, &id.0), Ok(Some(_)))),
            Ok(_) => {}
        }
    }
    if unreadable > 0 {
        checked.wrong(format!("{space:?}: {unreadable} 行无法读取 (rows can't be read)"));
    }
    dangling
}

/// Follows what refers to records and reads every other row.
pub fn rest(view: &dyn View, checked: &mut Checked) {
    for space in SPACES {
        let dangling = read(view, space, true, checked);
        if dangling > 0 {
            checked.wrong(format!("{space:?}: {dangling} 行所指的记录不存在 (rows of records that are not there)"));
        }
    }
    cells(view, checked);
    match post::unread(view) {
        Ok(left) if left.is_empty() => {}
        Ok(left) => checked.wrong(format!(
            "{} 封来信未能处理，重新启动时再试；请升级程序 (letters that could not be taken are tried again at the next start)",
            left.len()
        )),
        Err(error) => checked.wrong(error.to_string()),
    }
}

/// Compares the cells that each child hub has said with the digest that is kept of them.
fn cells(view: &dyn View, checked: &mut Checked) {
    let Ok(children) = crate::totals::children(view) else { return };
    for unit in children.iter().filter(|child| child.hub).filter_map(|child| OrgCode::new(child.unit).ok()) {
        let mut digest = ScopeDigest::default();
        let (from, to) = (unit.number().to_be_bytes(), (unit.last() + 1).to_be_bytes());
        for (key, value) in view.range(Space::Own, &from, &to).flatten() {
            let Some((key, cell)) = CellKey::from_slice(&key).zip(OwnCell::from_slice(&value)) else { continue };
            if cell.value != 0 {
                digest.add(Item::cell(&key.to_bytes(), cell.value));
            }
        }
        let kept = rows::read::<UnitRow>(view, Space::Units, &unit.number().to_be_bytes());
        if kept.is_ok_and(|kept| kept.unwrap_or_default().cells_digest() != digest) {
            checked.wrong(format!("单位{unit}上报的数字与其摘要不符 (the cells of this unit and their digest differ)"));
        }
    }
}

/// A store that was found sound, and what is to be said of how that came about; empty where there is nothing.
pub struct Opened {
    /// The store.
    pub store: FjallStore,
    /// What happened to the one before, or to its end.
    pub incident: String,
}

/// Opens the store in a data directory and proves that it is whole; one that is damaged is set aside under a dated name,
/// and a new one begun.
///
/// # Errors
/// When the disk fails, or the store is of another version or held by another process.
pub fn open(path: &Path, unit: OrgCode) -> Result<Opened, StoreError> {
    let lost = !path.exists() && FjallStore::was_used(path);
    let why = match FjallStore::open(path) {
        Ok(store) => {
            let view = crate::store::Store::view(&store);
            let mut found = records(view.as_ref(), unit);
            let is_suspected = FjallStore::is_suspected(path);
            for space in SPACES.into_iter().filter(|space| is_suspected || NEEDED.contains(space)) {
                read(view.as_ref(), space, false, &mut found);
            }
            drop(view);
            if is_suspected && found.problems.is_empty() && FjallStore::is_met_again(path) {
                found.wrong("运行中两次遇到损坏 (damage was met twice while it ran)".into());
            }
            match found.problems.first() {
                None => {
                    let incident = said(&store, lost);
                    return Ok(Opened { store, incident });
                }
                Some(problem) => problem.clone(),
            }
        }
        Err(error) if error.is_damage() => error.to_string(),
        Err(error) => return Err(error),
    };
    let disk = |error: DiskError| StoreError::Engine(error.to_string());
    let aside = disk::set_aside(path).map_err(disk)?;
    FjallStore::forget_use(path).map_err(disk)?;
    let incident = format!(
        "存储已损坏，已移至 {}，下级将重新上报 (the store was damaged and set aside; children say it all again): {why}",
        aside.display()
    );
    Ok(Opened { store: FjallStore::open(path)?, incident })
}

/// What is to be said of a store that is whole by itself.
fn said(store: &FjallStore, lost: bool) -> String {
    match store.missing_commits() {
        0 => String::new(),
        _ if lost => "存储已丢失，下级将重新上报 (the store is gone; children say it all again)".into(),
        missing => format!(
            "存储缺少最近 {missing} 次已答复的提交：文件被截断，或换上了旧备份；下级将重新上报 ({missing} commits that were \
             answered for are missing: its files were cut, or an old backup was put in place; children say them again)"
        ),
    }
}
