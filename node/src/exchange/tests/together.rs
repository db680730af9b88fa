//! Two clerks at once, on a ledger as an office has it: nobody is registered twice, whoever comes second.

use super::{desk::show, files::id};
use crate::{
    desk::{Desk, Draft, SaveError, TAKEN},
    exchange::{Options, Report, Source, import},
    ledger::{Ledger, LedgerDesk, system_clock},
};
use std::{collections::HashMap, sync::Barrier};
use taizhang_proto::{
    RecordId,
    register::{Value, number, registers},
};

const PERSONS: u32 = 600;

fn ledger(dir: &std::path::Path) -> Ledger {
    Ledger::open(dir, "210402011003".parse().unwrap(), system_clock()).unwrap()
}

fn roster(remark: &str, from: u32) -> String {
    let mut text = String::from("姓名,身份证号,登记日期,失业日期,备注\n");
    for nth in from..from + PERSONS {
        let number = id(&format!("19{}0320", 60 + nth / 900), nth % 900 + 1);
        text += &["甲,", &number, ",2008.3.20,2008.1.1,", remark, "\n"].concat();
    }
    text
}

fn bring(ledger: &Ledger, text: &str) -> Report {
    let source = Source { file_name: "a.csv", content: text.as_bytes() };
    import(&LedgerDesk::new(ledger), &source, &Options::default(), &mut |_, _| {}).unwrap()
}

/// How often each id number stands in an office, and how many spells of unemployment there are.
fn persons(ledger: &Ledger) -> (HashMap<String, usize>, usize) {
    let desk = LedgerDesk::new(ledger);
    let mut found = HashMap::new();
    for (_, record) in desk.list(number::RESIDENT).unwrap() {
        *found.entry(show(&record, "id_no")).or_default() += 1;
    }
    (found, desk.list(number::UNEMPLOYMENT_SPELL).unwrap().len())
}

#[test]
fn two_imports_at_once_of_one_file_or_of_two_put_nobody_in_twice() {
    for (one, other, persons_in_all) in [
        (roster("", 0), roster("", 0), PERSONS),
        (roster("甲表", 0), roster("甲表", PERSONS / 2), PERSONS + PERSONS / 2),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let ledger = ledger(dir.path());
        let start = Barrier::new(2);
        let run = |text: &str| {
            start.wait();
            bring(&ledger, text)
        };
        let (first, second) = std::thread::scope(|scope| {
            let other = scope.spawn(|| run(&other));
            (run(&one), other.join().unwrap())
        });
        let (found, spells) = persons(&ledger);
        assert_eq!((found.len(), spells), (persons_in_all as usize, persons_in_all as usize));
        assert!(found.values().all(|count| *count == 1));
        assert_eq!((first.wrong_rows, second.wrong_rows), (0, 0), "{:?}", second.findings);
        assert_eq!(first.new_rows + second.new_rows, u64::from(persons_in_all));
    }
}

/// A resident's form.
fn form(desk: &LedgerDesk<'_>, id_no: &str) -> Draft {
    Draft::new(desk.new_id(), number::RESIDENT)
        .with(21, Value::Text(id_no.to_owned()))
        .with(23, Value::Text("甲".to_owned()))
}

fn taken(answer: &Result<(), SaveError>) -> bool {
    matches!(answer, Err(SaveError::Invalid(found)) if found.iter().all(|violation| violation.rule == TAKEN))
}

#[test]
fn an_import_beside_forms_finds_whom_they_registered() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(dir.path());
    let start = Barrier::new(2);
    let refused = std::thread::scope(|scope| {
        let forms = scope.spawn(|| {
            let desk = LedgerDesk::new(&ledger);
            start.wait();
            let numbers = (0..PERSONS).rev().map(|nth| id(&format!("19{}0320", 60 + nth / 900), nth % 900 + 1));
            let answers = numbers.map(|number| desk.save(vec![vec![form(&desk, &number)]], "clerk").remove(0));
            answers.filter(taken).count()
        });
        start.wait();
        let report = bring(&ledger, &roster("", 0));
        assert_eq!(report.wrong_rows, 0);
        let refused = forms.join().unwrap();
        assert_eq!(report.new_rows as usize, refused, "each person came one way");
        refused
    });
    let (found, spells) = persons(&ledger);
    assert_eq!((found.len(), spells), (PERSONS as usize, PERSONS as usize), "{refused} by the file");
    assert!(found.values().all(|count| *count == 1));
}

#[test]
fn what_an_office_has_is_said_when_it_is_entered_again() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(dir.path());
    let desk = LedgerDesk::new(&ledger);
    let save = |draft: &Draft| desk.save(vec![vec![draft.clone()]], "clerk").remove(0);
    let head = form(&desk, &id("19670320", 1));
    save(&head).unwrap();
    let again = save(&form(&desk, &id("19670320", 1))).unwrap_err().to_string();
    assert!(again.contains(&head.id.to_string()) && !again.contains("19670320"), "{again}");
    // Two in one batch; and a number that is changed to somebody else's.
    let twice = [form(&desk, &id("19670320", 3)), form(&desk, &id("19670320", 3))];
    let answers = desk.save(twice.iter().map(|draft| vec![draft.clone()]).collect(), "clerk");
    assert!(answers[0].is_ok() && taken(&answers[1]));
    let changed = Draft::new(twice[0].id, number::RESIDENT).with(21, Value::Text(id("19670320", 1))).because("录错");
    assert!(taken(&save(&changed)));
    // Voided, it is nobody's any more.
    let voided =
        Draft::new(twice[0].id, number::RESIDENT).with(2, Value::Text("2".into())).with(3, Value::Text("重录".into()));
    save(&voided).unwrap();
    save(&form(&desk, &id("19670320", 3))).unwrap();

    let draft = |register: u32, fields: &[(&str, Value)]| {
        let def = registers().get(register).unwrap();
        let tag = |name: &str| def.field_named(name).unwrap().tag;
        fields
            .iter()
            .fold(Draft::new(desk.new_id(), register), |draft, (name, value)| draft.with(tag(name), value.clone()))
    };
    let household =
        draft(number::HOUSEHOLD, &[("head_person", Value::Ref(head.id)), ("status", Value::Text("1".into()))]);
    save(&household).unwrap();
    // A number that nobody else may carry, in the same batch, later, and taken over by a change; a voided record frees it.
    let numbered = |no: &str| draft(number::HOUSEHOLD, &[("hh_no", Value::Text(no.into()))]);
    let houses = [numbered("零-1"), numbered("零-1"), numbered("零-2")];
    let answers = desk.save(houses.iter().map(|draft| vec![draft.clone()]).collect(), "clerk");
    assert!(answers[0].is_ok() && taken(&answers[1]) && answers[2].is_ok(), "{answers:?}");
    let said = save(&numbered("零-1")).unwrap_err().to_string();
    assert!(said.contains("户编号") && said.contains(&houses[0].id.to_string()), "{said}");
    let void = [(2, Value::Text("2".into())), (3, Value::Text("重录".into()))];
    let voided = Draft { edits: void.map(|(tag, value)| (tag, Some(value))).to_vec(), ..numbered("") };
    save(&Draft { id: houses[0].id, ..voided }).unwrap();
    save(&numbered("零-1")).unwrap();
    assert!(taken(&save(&numbered("零-2"))));
    let home = Value::Ref(household.id);
    let member = draft(number::MEMBER, &[("household", home.clone()), ("person", Value::Ref(head.id))]);
    save(&member).unwrap();
    let other = draft(number::MEMBER, &[("household", home.clone()), ("person", Value::Ref(head.id))]);
    assert!(taken(&save(&other)));
    let day = ledger.business_day();
    let left = Draft::new(member.id, number::MEMBER).with(24, Value::Day(day));
    save(&left).unwrap();
    save(&other).unwrap();
    let case = |on: i32| {
        draft(
            number::ZEF_CASE,
            &[("household", home.clone()), ("kind", Value::Text("1".into())), ("recognised_on", Value::Day(on))],
        )
    };
    let first = case(day - 9);
    save(&first).unwrap();
    let second = case(day - 3);
    assert!(taken(&save(&second)));
    let mut unsaid = second.clone();
    unsaid.edits.retain(|(tag, _)| *tag != 22);
    assert!(taken(&save(&unsaid)), "a case whose kind is not said");
    let over = Draft::new(first.id, number::ZEF_CASE).with(34, Value::Day(day - 4)).with(35, Value::Text("1".into()));
    save(&over).unwrap();
    save(&second).unwrap();
    let hard = |days: i32| {
        draft(
            number::HARDSHIP_CASE,
            &[
                ("person", Value::Ref(head.id)),
                ("kind", Value::Many(vec![Value::Text("04".into())])),
                ("applied_on", Value::Day(day - days)),
            ],
        )
    };
    save(&hard(5)).unwrap();
    assert!(taken(&save(&hard(4))));
}

#[test]
fn a_name_that_was_changed_stands_in_the_history_before_any_sync() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(dir.path());
    let desk = LedgerDesk::new(&ledger);
    let person: RecordId = {
        let draft = form(&desk, &id("19670320", 1));
        desk.save(vec![vec![draft.clone()]], "clerk").remove(0).unwrap();
        draft.id
    };
    for name in ["乙", "丙"] {
        let renamed = Draft::new(person, number::RESIDENT).with(23, Value::Text(name.into()));
        desk.save(vec![vec![renamed]], "clerk").remove(0).unwrap();
    }
    let story = crate::office::history::story(&ledger, person).unwrap().unwrap();
    let names: Vec<(bool, &str)> =
        story.lines.iter().filter(|line| line.field == "name").map(|line| (line.stands, line.value.as_str())).collect();
    assert_eq!(names, [(true, "丙"), (false, "乙"), (false, "甲")]);
}

#[test]
fn a_number_that_two_rows_give_refuses_nobody_of_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(dir.path());
    let rows: Vec<String> = [1, 2].map(|nth| format!("H1,甲,{},2008.2.1\n", id("19670320", nth))).to_vec();
    let text = format!("零就业家庭台账\n户编号,户主姓名,户主身份证号,认定日期\n{}", rows.concat());
    for (new, same) in [(2, 0), (0, 2)] {
        let report = bring(&ledger, &text);
        assert_eq!((report.new_rows, report.same_rows, report.wrong_rows), (new, same, 0), "{:?}", report.findings);
        assert!(!report.findings.iter().any(|finding| finding.contains("前面已经出现过")), "{:?}", report.findings);
    }
    assert_eq!(persons(&ledger).0.len(), 2, "the district finds the two households");
}
