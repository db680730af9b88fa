//! A desk in memory that holds what passes the one validator.

use crate::{
    desk::{Desk, Draft, SaveError},
    exchange::{Options, Report, Source, import, pending::merged},
};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};
use taizhang_proto::{
    OrgCode, Record, RecordId, check,
    date::{Day, ymd},
    month::Month,
    org::UnitTree,
    register::{RegisterDef, Value, registers},
};

pub(super) struct Memory {
    unit: OrgCode,
    tree: UnitTree,
    next: Cell<u64>,
    pub(super) records: RefCell<BTreeMap<RecordId, Record>>,
    pub(super) saves: Cell<u64>,
    /// Whether a key may stand twice, as where two units have registered one person.
    pub(super) twins: Cell<bool>,
    /// The last month that the city has locked.
    pub(super) locked: Cell<Option<Month>>,
}

pub(super) fn path(name: &str) -> String {
    format!("{}/../tests/data/rosters/{name}", env!("CARGO_MANIFEST_DIR"))
}

pub(super) fn file(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

const UNITS: &str = "code,name,parent,tier
210402000000,新抚区,210400000000,district
210402011000,永安台街道,210402000000,township
210402011003,友谊社区居委会,210402011000,community
210402011004,永宁社区居委会,210402011000,community
210402011005,迎宾社区居委会,210402011000,community
210402011006,南台社区居委会,210402011000,community
210402011007,西公园社区居委会,210402011000,community
210402011008,南阳社区居委会,210402011000,community
210402011009,北台社区居委会,210402011000,community
210402011010,学苑社区居委会,210402011000,community
210402011011,安运社区居委会,210402011000,community
";

impl Memory {
    pub(super) fn street() -> Self {
        Self::with(UnitTree::from_csv(UNITS).unwrap())
    }

    /// The same before a hub has told it any unit.
    pub(super) fn without_tree() -> Self {
        Self::with(UnitTree::default())
    }

    fn with(tree: UnitTree) -> Self {
        Self {
            unit: "210402011000".parse().unwrap(),
            tree,
            next: Cell::new(1),
            records: RefCell::default(),
            saves: Cell::new(0),
            twins: Cell::new(false),
            locked: Cell::default(),
        }
    }

    pub(super) fn import(&self, file_name: &str, content: &[u8]) -> Report {
        let options = Options { by: "测试".into(), ..Options::default() };
        self.import_with(file_name, content, &options)
    }

    pub(super) fn import_with(&self, file_name: &str, content: &[u8], options: &Options) -> Report {
        let mut last = (0, 0);
        let report = import(self, &Source { file_name, content }, options, &mut |done, total| {
            assert!(done >= last.0 && done <= total);
            last = (done, total);
        })
        .unwrap();
        assert_eq!(last.0, last.1);
        assert_eq!(report.rows, report.new_rows + report.same_rows + report.changed_rows + report.wrong_rows);
        let partial = report.findings.iter().any(|finding| finding.contains("放不下"));
        assert_eq!(report.reasons.is_some(), report.wrong_rows > 0 || partial);
        report
    }

    pub(super) fn count(&self, register: u32) -> usize {
        self.records.borrow().values().filter(|record| record.register == register).count()
    }

    /// The record of a register in which a field reads like this.
    pub(super) fn which(&self, register: u32, field: &str, text: &str) -> Option<(RecordId, Record)> {
        let records = self.records.borrow();
        let mut hits = records.iter().filter(|(_, record)| record.register == register && show(record, field) == text);
        hits.next().map(|(id, record)| (*id, record.clone()))
    }
}

pub(super) fn def(register: u32) -> &'static RegisterDef {
    registers().get(register).unwrap()
}

/// A field as a clerk reads it; empty when it is not set.
pub(super) fn show(record: &Record, field: &str) -> String {
    let field = def(record.register).field_named(field).unwrap();
    record.bytes(field.tag).map(|bytes| Value::decode(field, bytes).unwrap().show(field)).unwrap_or_default()
}

impl Desk for Memory {
    fn unit(&self) -> OrgCode {
        self.unit
    }

    fn tree(&self) -> &UnitTree {
        &self.tree
    }

    fn today(&self) -> Day {
        ymd(2008, 4, 20).unwrap()
    }

    fn locked_month(&self) -> Option<Month> {
        self.locked.get()
    }

    fn new_id(&self) -> RecordId {
        self.next.set(self.next.get() + 1);
        RecordId::create(self.next.get(), [7; 10])
    }

    fn view(&self, id: RecordId) -> Result<Option<Record>, SaveError> {
        Ok(self.records.borrow().get(&id).cloned())
    }

    fn find(&self, register: u32, key: &[Value]) -> Result<Vec<RecordId>, SaveError> {
        let def = def(register);
        let fits = |record: &Record| {
            def.key
                .iter()
                .zip(key)
                .all(|(tag, value)| record.bytes(*tag) == Some(&value.encode(def.field(*tag).unwrap())))
        };
        let records = self.records.borrow();
        let hits = records.iter().filter(|(_, record)| record.register == register && fits(record));
        Ok(hits.map(|(id, _)| *id).collect())
    }

    fn list(&self, register: u32) -> Result<Vec<(RecordId, Record)>, SaveError> {
        let records = self.records.borrow();
        Ok(records.iter().filter(|(_, one)| one.register == register).map(|(id, one)| (*id, one.clone())).collect())
    }

    fn save(&self, groups: Vec<Vec<Draft>>, _by: &str) -> Vec<Result<(), SaveError>> {
        self.saves.set(self.saves.get() + 1);
        groups.into_iter().map(|group| self.save_one(&group)).collect()
    }
}

impl Memory {
    fn save_one(&self, group: &[Draft]) -> Result<(), SaveError> {
        assert!(!group.is_empty());
        let mut all = self.records.borrow().clone();
        let mut found = Vec::new();
        for draft in group {
            assert!(!draft.edits.is_empty());
            let def = def(draft.register);
            let record = merged(all.get(&draft.id), def, draft);
            found.extend(check::check(&record, None, draft.edits.iter().map(|(tag, _)| *tag), self.today()));
            let key: Vec<_> = def.key.iter().map(|tag| record.bytes(*tag)).collect();
            let twice = |(id, other): (&RecordId, &Record)| {
                *id != draft.id
                    && other.register == draft.register
                    && def.key.iter().zip(&key).all(|(tag, value)| value.is_some() && other.bytes(*tag) == *value)
            };
            assert!(self.twins.get() || !all.iter().any(twice), "two records with one key");
            all.insert(draft.id, record);
        }
        if !found.is_empty() {
            return Err(SaveError::Invalid(found));
        }
        *self.records.borrow_mut() = all;
        Ok(())
    }
}
