//! What every register writes, it reads: into the office that wrote it and into an empty one, nothing changes.

use super::desk::{Memory, def};
use crate::desk::Draft;
use crate::exchange::{Format as File, export, pending::merged};
use proptest::prelude::*;
use taizhang_proto::{
    RecordId, check,
    date::{Day, ymd},
    month::Month,
    pb::Format,
    register::{
        FieldDef, HOME_UNIT, MERGED_INTO, Refers, RegisterDef, STATE, Shape, VOID_REASON, Value, number, registers,
    },
};

/// Records of each register.
const EACH: u64 = 2;

fn id_of(register: u32, nth: u64) -> RecordId {
    RecordId::create(1_000_000 + u64::from(register) * 100 + nth, [9; 10])
}

fn today() -> Day {
    ymd(2008, 4, 10).unwrap()
}

/// A value that a field takes; texts are of these words.
fn value(def: &RegisterDef, field: &FieldDef, nth: u64, words: &[String]) -> Option<Value> {
    let word = || words[(field.tag as usize + nth as usize) % words.len()].clone();
    let serial = u64::from(def.number) * 100 + nth;
    let one = match (field.format, field.shape) {
        (Format::CitizenId, _) => Value::Text(super::files::id("19670320", 100 + serial as u32 % 800)),
        (Format::PersonName, _) => Value::Text(format!("艾力·甲{}", ["子", "丑", "寅"][nth as usize])),
        (Format::Phone, _) => Value::Text("139-0000-0000".into()),
        (Format::Date, _) if def.key.contains(&field.tag) => Value::Day(today() - nth as i32),
        (Format::Date, _) => Value::Day(today()),
        (Format::Unit, _) => Value::Uint("210402011004".parse::<taizhang_proto::OrgCode>().unwrap().number()),
        (Format::Code, _) => {
            Value::Text(field.codes?.codes.keys().nth((nth as usize) % field.codes?.codes.len())?.clone())
        }
        (Format::Ref, _) => match field.refers? {
            Refers::To(register) => Value::Ref(id_of(register, nth)),
            Refers::Any => Value::Ref(id_of(number::RESIDENT, nth)),
        },
        (_, Shape::Bool) => Value::Bool(nth == 0),
        (_, Shape::Uint) if def.key.contains(&field.tag) => Value::Uint(3 + nth),
        (_, Shape::Uint) => Value::Uint(3 + u64::from(field.decimals) * 5),
        (_, Shape::Text) if field.unique || def.key.contains(&field.tag) => Value::Text(format!("编号{serial:06}")),
        (_, Shape::Text) => Value::Text(word().chars().take(field.max).collect::<String>().trim().to_owned()),
        _ => return None,
    };
    let special = match (def.number, field.name.as_str()) {
        (_, "state") | (number::HOUSEHOLD, "status") => Value::Text("1".into()),
        (number::TASK, "indicator") => Value::Text("K08".into()),
        (number::PERIOD_CLOSE, "month") => Value::Text(format!("2008-0{}", 2 + nth)),
        (_, "id_no_15") => Value::Text("210402670320101".into()),
        _ => one,
    };
    Some(if field.many { Value::Many(vec![many(special, field)]) } else { special })
}

/// A part of a repeated field holds no separator: it was split when it was entered.
fn many(value: Value, field: &FieldDef) -> Value {
    match value {
        Value::Text(text) if field.codes.is_none() => {
            let plain: String = text.chars().filter(|sign| sign.is_alphanumeric()).collect();
            Value::Text(format!("甲{plain}").chars().take(field.max).collect())
        }
        other => other,
    }
}

/// An office with records in every register.
fn office(words: &[String]) -> Memory {
    let desk = Memory::street();
    for def in registers().iter() {
        for nth in 0..EACH {
            let id = id_of(def.number, nth);
            let mut draft = Draft::new(id, def.number);
            for field in def.fields.iter().filter(|field| ![MERGED_INTO, VOID_REASON].contains(&field.tag)) {
                // The second record has only what it must have.
                let must = field.required
                    || def.key.contains(&field.tag)
                    || matches!(field.tag, HOME_UNIT | STATE)
                    || field.name == "id_no";
                if nth == 0 || must {
                    draft.edits.extend(value(def, field, nth, words).map(|value| (field.tag, Some(value))));
                }
            }
            let record = merged(None, def, &draft);
            let found = check::check(&record, None, draft.edits.iter().map(|(tag, _)| *tag), today());
            assert!(found.is_empty(), "{} {found:?}", def.name);
            desk.records.borrow_mut().insert(id, record);
        }
    }
    desk
}

fn word() -> impl Strategy<Value = String> {
    "[甲乙丙a-zＡ0-9 ,，;=+'\"（）@、\n无/-]{1,14}"
        .prop_map(|text| text.trim().to_owned())
        .prop_filter("no text", |text| !text.is_empty() && text != "'")
}

/// Writes every register of an office with these words, and reads it into the same office and into an empty one.
fn there_and_back(words: &[String]) -> Result<(), TestCaseError> {
    let desk = office(words);
    let before = desk.records.borrow().clone();
    for (kind, ending) in [(File::Csv, "csv"), (File::Xlsx, "xlsx")] {
        let empty = Memory::street();
        for def in registers().iter() {
            let (bytes, rows) = export(&desk, def, None, kind).unwrap();
            prop_assert_eq!(rows, EACH);
            let name = format!("导出.{ending}");
            let same = desk.import(&name, &bytes);
            for (id, record) in desk.records.borrow().iter() {
                let changed: Vec<_> = record
                    .fields
                    .iter()
                    .filter(|one| before[id].bytes(one.field.tag) != Some(&one.field.bytes))
                    .map(|one| &one.field)
                    .collect();
                prop_assert!(changed.is_empty(), "{} {kind:?} {changed:?}", def.name);
            }
            prop_assert_eq!((same.same_rows, same.rows), (EACH, EACH), "{} {:?} {:?}", def.name, kind, reasons(&same));
            let new = empty.import(&name, &bytes);
            prop_assert_eq!((new.new_rows, new.rows), (EACH, EACH), "{} {:?} {:?}", def.name, kind, reasons(&new));
            prop_assert_eq!(&new.findings, &same.findings);
        }
        prop_assert!(*desk.records.borrow() == before);
        for (id, record) in &before {
            let taken = empty.records.borrow().get(id).cloned();
            let fields = |record: &taizhang_proto::Record| {
                record.fields.iter().map(|one| (one.field.tag, one.field.bytes.clone())).collect::<Vec<_>>()
            };
            prop_assert_eq!(
                taken.map(|record| fields(&record)),
                Some(fields(record)),
                "{}",
                super::desk::def(record.register).name
            );
        }
    }
    Ok(())
}

#[test]
fn words_that_a_clerk_would_mean_otherwise_come_back_as_they_are() {
    let words = ["\"", "同上", "无", "-", "0", "2008.1", "'12", "合计", "备注:", "=\"\"", "=\"1\""];
    there_and_back(&words.map(str::to_owned)).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_every_register_writes_it_reads(words in proptest::collection::vec(word(), 7)) {
        there_and_back(&words)?;
    }
}

fn reasons(report: &crate::exchange::Report) -> String {
    report
        .reasons
        .as_ref()
        .map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned())
        .filter(|text| !text.starts_with("PK"))
        .unwrap_or_default()
}

#[test]
fn an_export_with_columns_taken_away_is_still_its_registers() {
    let desk = office(&["甲".to_owned()]);
    let before = desk.records.borrow().clone();
    let (bytes, _) = export(&desk, def(number::HOUSEHOLD), None, File::Csv).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let kept: Vec<usize> = reader
        .headers()
        .unwrap()
        .iter()
        .enumerate()
        .filter(|(_, heading)| !heading.contains("编号") && !heading.contains("回迁"))
        .map(|(place, _)| place)
        .collect();
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(kept.iter().map(|place| reader.headers().unwrap()[*place].to_owned()).collect::<Vec<_>>())
        .unwrap();
    for record in reader.records() {
        let record = record.unwrap();
        out.write_record(kept.iter().map(|place| &record[*place])).unwrap();
    }
    let report = desk.import("a.csv", &out.into_inner().unwrap());
    assert_eq!((report.same_rows, report.wrong_rows), (EACH, 0), "{}", reasons(&report));
    assert!(report.findings.iter().any(|finding| finding.contains("按“家庭登记”读取")));
    assert!(*desk.records.borrow() == before);
}

#[test]
fn what_a_month_was_closed_with_is_taken_over_whole_and_never_typed() {
    let desk = office(&["甲".to_owned()]);
    let before = desk.records.borrow().clone();
    let closings = def(number::PERIOD_CLOSE);
    let (bytes, _) = export(&desk, closings, None, File::Csv).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let changed = |old: &str, new: &str| {
        assert!(text.contains(old), "{old} in {text}");
        text.replace(old, new)
    };
    let another = changed(&id_of(closings.number, 0).to_string(), &id_of(closings.number, 7).to_string());
    // Other figures, another month, a closing of one's own making.
    for forged in [changed("2008-02", "2007-11"), another.replace("2008-02", "2007-11")] {
        let report = desk.import("a.csv", forged.as_bytes());
        assert!(report.new_rows == 0 && report.changed_rows == 0 && report.wrong_rows > 0, "{report:?}");
        assert!(reasons(&report).contains("close"), "{}", reasons(&report));
    }
    assert!(*desk.records.borrow() == before);
}

#[test]
fn of_a_month_one_closing_is_taken_over_and_none_of_what_the_city_has_locked() {
    let desk = office(&["甲".to_owned()]);
    let closings = def(number::PERIOD_CLOSE);
    let text = String::from_utf8(export(&desk, closings, None, File::Csv).unwrap().0).unwrap();
    let row = text.lines().find(|line| line.contains("2008-02")).unwrap();
    let twice = row.replace(&id_of(closings.number, 0).to_string(), &id_of(closings.number, 7).to_string());
    for (locked, taken) in [(None, 2), (Month::read("2008-02"), 1), (Month::read("2008-03"), 0)] {
        let empty = Memory::street();
        empty.locked.set(locked);
        let report = empty.import("a.csv", format!("{text}{twice}\n").as_bytes());
        assert_eq!((report.new_rows, report.wrong_rows), (taken, 3 - taken), "{locked:?} {report:?}");
        assert_eq!(empty.count(closings.number) as u64, taken);
    }
}
