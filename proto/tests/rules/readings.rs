//! The smallest cases of readings of the catalogue on which an independent count differed: each figure of each day, as the
//! catalogue has it.
#![allow(clippy::unnecessary_wraps)] // a form's value, or none: as `put` takes them

use crate::fixture::{HOME, MemoryShelf, id_of, put, unit};
use taizhang_proto::{
    OrgCode, RecordId,
    cell::{self, Counting, PastHome, doubt},
    date::{self, Day},
    indicator::{self, Period, Span},
    plan::Plans,
    register::{Value, number},
};

const OTHER: u64 = 210_402_011_004;
const DISTRICT: u64 = 210_402_000_000;
const TOWNSHIP: u64 = 210_403_103_000;

fn on(month: i8, day: i8) -> Day {
    date::ymd(2008, month, day).unwrap()
}

fn text(value: &str) -> Option<Value> {
    Some(Value::Text(value.to_owned()))
}

fn day(month: i8, day: i8) -> Option<Value> {
    Some(Value::Day(on(month, day)))
}

fn yes() -> Option<Value> {
    Some(Value::Bool(true))
}

fn to(register: u32, slot: u32) -> Option<Value> {
    Some(Value::Ref(id_of(register, slot)))
}

fn at(unit: u64) -> (&'static str, Option<Value>) {
    ("home_unit", Some(Value::Uint(unit)))
}

/// Value or numerator, denominator, and duplicates beside the value, of the year up to a day, in a unit and below it.
fn figure(shelf: &MemoryShelf, code: &str, within: u64, on: Day) -> (i64, i64, i64) {
    let (within, plans) = (unit(within), Plans::notice_2008());
    let units = [HOME, OTHER, TOWNSHIP].map(unit);
    let Ok(subjects) = cell::all_subjects(shelf, units, shelf.records.keys().copied());
    let mut steps = Vec::new();
    for subject in subjects {
        let Ok(own) = cell::contributions(shelf, subject, plans);
        steps.extend(own.into_iter().filter(|step| within.covers(step.key.unit)));
    }
    let sum = |part: u16, dates: std::ops::RangeInclusive<Day>| {
        let own = steps.iter().filter(|step| step.key.part == part && dates.contains(&step.key.date));
        Ok::<i64, ()>(own.map(|step| step.delta).sum())
    };
    let figure = indicator::by_code(code).unwrap().figure(&Period::up_to(on, Span::Year), sum).unwrap();
    (figure.numerator, figure.denominator, figure.duplicates)
}

fn value(shelf: &MemoryShelf, code: &str, within: u64, on: Day) -> i64 {
    figure(shelf, code, within, on).0
}

fn ratio(shelf: &MemoryShelf, code: &str, within: u64, on: Day) -> (i64, i64) {
    let (numerator, denominator, _) = figure(shelf, code, within, on);
    (numerator, denominator)
}

const ID: &str = "210402196801011238";

fn resident(shelf: &mut MemoryShelf, slot: u32, fields: &[(&str, Option<Value>)]) {
    let able = [("name", text("某某")), ("labour_able", yes()), ("job_willing", yes())];
    put(shelf, number::RESIDENT, slot, &[&able[..], fields].concat());
}

fn job(shelf: &mut MemoryShelf, slot: u32, person: u32, fields: &[(&str, Option<Value>)]) {
    let own =
        [("person", to(number::RESIDENT, person)), ("proof", Some(Value::Many(vec![Value::Text("合同".into())])))];
    put(shelf, number::PLACEMENT, slot, &[&own[..], fields].concat());
}

fn spell(shelf: &mut MemoryShelf, slot: u32, person: u32, fields: &[(&str, Option<Value>)]) {
    let own = [("person", to(number::RESIDENT, person))];
    put(shelf, number::UNEMPLOYMENT_SPELL, slot, &[&own[..], fields].concat());
}

fn doubts_of(shelf: &MemoryShelf, register: u32, slot: u32, today: Day) -> Vec<&'static str> {
    let id = id_of(register, slot);
    let Ok(found) = doubt::doubts(shelf, (id, &shelf.records[&id]), Plans::notice_2008(), today);
    found.into_iter().map(doubt::Doubt::code).collect()
}

#[test]
fn a_person_is_registered_twice_on_the_days_with_two_active_registrations_and_on_no_other() {
    let mut shelf = MemoryShelf::default();
    resident(&mut shelf, 0, &[("id_no", text(ID)), ("registered_on", day(2, 4))]);
    resident(&mut shelf, 1, &[at(OTHER), ("id_no", text(ID)), ("registered_on", day(4, 7))]);
    let twice = |shelf: &MemoryShelf, day| value(shelf, "K43", DISTRICT, day);
    let before = |shelf: &MemoryShelf| [on(2, 3), on(2, 4), on(4, 6), on(4, 7), on(6, 4)].map(|day| twice(shelf, day));
    assert_eq!(before(&shelf), [0, 0, 0, 1, 1]);
    resident(&mut shelf, 0, &[("moveout_on", day(6, 5))]);
    assert_eq!(before(&shelf), [0, 0, 0, 1, 1], "who leaves later was there before");
    assert_eq!((twice(&shelf, on(6, 5)), twice(&shelf, on(12, 31))), (0, 0));
}

#[test]
fn on_each_day_exactly_one_of_the_active_registrations_counts() {
    let mut shelf = MemoryShelf::default();
    resident(&mut shelf, 0, &[("id_no", text(ID)), ("registered_on", day(2, 4))]);
    resident(&mut shelf, 1, &[at(OTHER), ("id_no", text(ID)), ("registered_on", day(4, 7))]);
    let unemployed = [("lost_on", day(1, 1)), ("reg_on", day(2, 10))];
    spell(&mut shelf, 0, 0, &unemployed);
    spell(&mut shelf, 1, 1, &unemployed);
    let counted = |shelf: &MemoryShelf, code: &str, day| {
        [HOME, OTHER, DISTRICT].map(|unit| figure(shelf, code, unit, day)).map(|figure| (figure.0, figure.2))
    };
    let both = [(1, 0), (0, 1), (1, 1)];
    assert_eq!(counted(&shelf, "K00", on(5, 1)), both);
    resident(&mut shelf, 0, &[("moveout_on", day(6, 5))]);
    for code in ["K00", "K24"] {
        assert_eq!(counted(&shelf, code, on(3, 1)), [(1, 0), (0, 0), (1, 0)], "{code}");
        assert_eq!(counted(&shelf, code, on(5, 1)), both, "{code}");
        assert_eq!(counted(&shelf, code, on(7, 1)), [(0, 0), (1, 0), (1, 0)], "{code}");
    }
}

#[test]
fn of_two_registrations_that_districts_hold_each_says_on_which_days_it_counts() {
    let mut shelf = MemoryShelf::default();
    let other: OrgCode = "210403000000".parse().unwrap();
    let turns = [
        Counting { from: on(4, 7), at: Some(unit(DISTRICT)) },
        Counting { from: on(5, 7), at: Some(other) },
        Counting { from: on(6, 5), at: None },
    ];
    let turns = turns.map(|turn| Value::Text(turn.to_text())).to_vec();
    let fields = [("id_no", text(ID)), ("registered_on", day(2, 4)), ("counting", Some(Value::Many(turns)))];
    resident(&mut shelf, 0, &fields);
    let of = |code: &str, day| {
        let figure = figure(&shelf, code, DISTRICT, day);
        (figure.0, figure.2)
    };
    assert_eq!([on(4, 6), on(4, 7), on(5, 7), on(6, 5)].map(|day| of("K00", day)), [(1, 0), (1, 0), (0, 1), (1, 0)]);
    assert_eq!([on(4, 6), on(4, 7), on(5, 7), on(6, 5)].map(|day| of("K43", day)), [(0, 0), (1, 0), (0, 0), (0, 0)]);
}

#[test]
fn a_household_that_is_closed_counts_no_more_and_the_other_one_of_its_number_does() {
    let mut shelf = MemoryShelf::default();
    put(&mut shelf, number::HOUSEHOLD, 0, &[("hukou_book_no", text("簿1")), ("registered_on", day(1, 5))]);
    put(&mut shelf, number::HOUSEHOLD, 1, &[at(OTHER), ("hukou_book_no", text("簿1")), ("registered_on", day(2, 5))]);
    let closed = [("status", text("4")), ("closed_on", day(6, 1)), ("closed_reason", text("迁出"))];
    put(&mut shelf, number::HOUSEHOLD, 0, &closed);
    put(
        &mut shelf,
        number::ZEF_CASE,
        0,
        &[at(OTHER), ("household", to(number::HOUSEHOLD, 1)), ("kind", text("1")), ("recognised_on", day(3, 1))],
    );
    let of = |day| {
        let figure = figure(&shelf, "K05", DISTRICT, day);
        (figure.0, figure.2)
    };
    assert_eq!([on(3, 1), on(5, 31), on(6, 1)].map(of), [(0, 1), (0, 1), (1, 0)]);
}

#[test]
fn who_had_no_job_yet_is_helped_where_the_household_lives_by_then() {
    let mut shelf = MemoryShelf::default();
    let moved = PastHome { until: on(5, 1), unit: unit(HOME) }.to_text();
    let past = ("past_home", Some(Value::Many(vec![Value::Text(moved)])));
    put(&mut shelf, number::HOUSEHOLD, 0, &[at(OTHER), past.clone(), ("hh_no", text("户1"))]);
    resident(&mut shelf, 0, &[at(OTHER), past, ("id_no", text(ID))]);
    let member =
        [("household", to(number::HOUSEHOLD, 0)), ("person", to(number::RESIDENT, 0)), ("relation", text("02"))];
    put(&mut shelf, number::MEMBER, 0, &member);
    let case = [("household", to(number::HOUSEHOLD, 0)), ("kind", text("1")), ("recognised_on", day(3, 1))];
    put(&mut shelf, number::ZEF_CASE, 0, &case);
    job(&mut shelf, 0, 0, &[("start_on", day(6, 10)), ("employer", text("厂"))]);
    let cleared = |day| [HOME, OTHER, DISTRICT].map(|unit| ratio(&shelf, "K13", unit, day));
    assert_eq!(cleared(on(4, 30)), [(0, 1), (0, 0), (0, 1)]);
    assert_eq!(cleared(on(5, 1)), [(0, 0), (0, 1), (0, 1)]);
    assert_eq!(cleared(on(6, 10)), [(0, 0), (1, 1), (1, 1)]);
    assert_eq!(cleared(on(12, 31)), [(0, 0), (1, 1), (1, 1)]);
    let next = date::ymd(2009, 1, 1).unwrap();
    assert_eq!(cleared(next), [(0, 0), (0, 0), (0, 0)]);
}

fn assistant(shelf: &mut MemoryShelf, slot: u32, fields: &[(&str, Option<Value>)]) {
    let own = [("name", text("助手")), ("id_no", text(ID))];
    put(shelf, number::ASSISTANT, slot, &[&own[..], fields].concat());
}

fn certificate(shelf: &mut MemoryShelf, slot: u32, fields: &[(&str, Option<Value>)]) {
    let mut own = vec![("assistant", to(number::ASSISTANT, slot)), ("level", text("4"))];
    if fields.iter().all(|(name, _)| *name != "cert_no") {
        own.push(("cert_no", text(&format!("证{slot}"))));
    }
    put(shelf, number::CREDENTIAL, slot, &[&own[..], fields].concat());
}

#[test]
fn a_certificate_is_the_persons_and_counts_at_the_open_assignment_under_whichever_it_was_entered() {
    let mut shelf = MemoryShelf::default();
    assistant(&mut shelf, 0, &[("from_on", day(1, 1)), ("to_on", day(7, 1))]);
    certificate(&mut shelf, 0, &[("issued_on", day(1, 1))]);
    assistant(&mut shelf, 1, &[at(OTHER), ("from_on", day(7, 1))]);
    let certified = |shelf: &MemoryShelf, day| [HOME, OTHER].map(|unit| ratio(shelf, "K14", unit, day));
    assert_eq!(certified(&shelf, on(6, 30)), [(1, 1), (0, 1)]);
    assert_eq!(certified(&shelf, on(7, 1)), [(0, 1), (1, 1)]);
    assert_eq!(value(&shelf, "K15", OTHER, on(7, 1)), 0);
    assert_eq!(value(&shelf, "K16c", OTHER, on(7, 1)), 1);
    // Of two at a time the earliest, though each has a certificate of its own.
    assistant(&mut shelf, 0, &[("to_on", None)]);
    certificate(&mut shelf, 1, &[("issued_on", day(7, 1))]);
    let record = shelf.edited(id_of(number::ASSISTANT, 0), number::ASSISTANT, &[(23, None)]);
    shelf.put(id_of(number::ASSISTANT, 0), record);
    assert_eq!(certified(&shelf, on(8, 1)), [(1, 1), (0, 1)]);
}

#[test]
fn a_certificate_that_two_persons_use_counts_for_the_one_who_serves_first_on_the_days_of_the_service() {
    let mut shelf = MemoryShelf::default();
    assistant(&mut shelf, 0, &[("from_on", day(1, 1)), ("to_on", day(6, 1))]);
    put(
        &mut shelf,
        number::ASSISTANT,
        1,
        &[at(OTHER), ("name", text("另人")), ("id_no", text("210402197001011236")), ("from_on", day(2, 1))],
    );
    certificate(&mut shelf, 0, &[("issued_on", day(1, 1)), ("cert_no", text("证甲"))]);
    certificate(&mut shelf, 1, &[("issued_on", day(1, 1)), ("cert_no", text("证甲"))]);
    let certified = |day| [HOME, OTHER].map(|unit| ratio(&shelf, "K14", unit, day).0);
    assert_eq!([on(3, 1), on(5, 31), on(6, 1)].map(certified), [[1, 0], [1, 0], [0, 1]]);
}

#[test]
fn who_serves_again_within_31_days_has_moved_and_not_left() {
    let left = |again: i8| {
        let mut shelf = MemoryShelf::default();
        assistant(&mut shelf, 0, &[("from_on", Some(Value::Day(on(1, 1) - 100))), ("to_on", day(5, 1))]);
        assistant(&mut shelf, 1, &[at(OTHER), ("from_on", day(6, again))]);
        ratio(&shelf, "K17", DISTRICT, on(12, 31))
    };
    assert_eq!((left(1), left(2)), ((0, 1), (1, 1)));
}

#[test]
fn a_check_verifies_from_its_day_on_and_un_says_nothing_before_it() {
    let mut shelf = MemoryShelf::default();
    let three = |points: u64| Some(Value::Many(vec![Value::Uint(points); 3]));
    let six = |last: u8| Some(Value::Many((1..=last).map(|code| Value::Text(code.to_string())).collect()));
    let evidence = Some(Value::Many(["1", "2", "3", "4", "5", "6"].map(|code| Value::Text(code.into())).to_vec()));
    let claims = [
        at(TOWNSHIP),
        ("kind", text("1")),
        ("effective_on", day(1, 20)),
        ("area_m2", Some(Value::Uint(12_000))),
        ("three_score", three(85)),
        ("six_evidence", evidence),
    ];
    put(&mut shelf, number::FACILITY, 0, &claims);
    // As the hub's own hand does it: what a check would un-say is kept beside it.
    let check = |shelf: &mut MemoryShelf, fields: &[(&str, Option<Value>)]| {
        let id = id_of(number::FACILITY, 0);
        let before = shelf.records[&id].clone();
        put(shelf, number::FACILITY, 0, &[&[at(TOWNSHIP)], fields].concat());
        if let Some((tag, text)) = cell::remembered(&before, &shelf.records[&id]) {
            let mut past: Vec<Value> = past_of(&shelf.records[&id]);
            past.push(Value::Text(text));
            shelf.write(id, number::FACILITY, &[(tag, Some(Value::Many(past)))]);
        }
    };
    let of = |shelf: &MemoryShelf, code: &str, day| ratio(shelf, code, TOWNSHIP, day).0;
    let days = [on(1, 19), on(1, 20), on(5, 29), on(5, 30), on(10, 29), on(10, 30)];
    let found = [("checked_on", day(5, 30)), ("area_verified", yes()), ("six_verified", six(6))];
    check(&mut shelf, &found);
    assert_eq!(days.map(|day| of(&shelf, "K23b", day)), [0, 1, 1, 1, 1, 1], "points of 20 January");
    assert_eq!(days.map(|day| of(&shelf, "K18", day)), [0, 0, 0, 1, 1, 1]);
    assert_eq!(days.map(|day| ratio(&shelf, "K22", TOWNSHIP, day).1), [0, 1, 1, 1, 1, 1]);
    let worse = [
        ("checked_on", day(10, 30)),
        ("area_m2", Some(Value::Uint(9_000))),
        ("six_verified", six(5)),
        ("three_score", three(70)),
    ];
    check(&mut shelf, &worse);
    assert_eq!(days.map(|day| of(&shelf, "K23b", day)), [0, 1, 1, 1, 1, 0]);
    assert_eq!(days.map(|day| of(&shelf, "K18", day)), [0, 0, 0, 1, 1, 0]);
    assert_eq!(days.map(|day| of(&shelf, "K19", day)), [0, 0, 0, 1, 1, 0]);
}

fn past_of(record: &taizhang_proto::Record) -> Vec<Value> {
    let bytes = record.bytes(44); // as it was before
    let raw = bytes.map(|bytes| taizhang_proto::wire::occurrences(bytes)).into_iter().flatten();
    raw.filter_map(|raw| match raw {
        taizhang_proto::wire::Raw::Bytes(text) => Some(Value::Text(String::from_utf8(text.to_vec()).unwrap())),
        _ => None,
    })
    .collect()
}

#[test]
fn who_is_verified_again_was_verified_before() {
    let mut shelf = MemoryShelf::default();
    resident(&mut shelf, 0, &[("id_no", text(ID)), ("registered_on", day(1, 5)), ("verified_on", day(1, 5))]);
    let before = shelf.records[&id_of(number::RESIDENT, 0)].clone();
    resident(&mut shelf, 0, &[("verified_on", day(8, 1))]);
    let (tag, day) = cell::remembered(&before, &shelf.records[&id_of(number::RESIDENT, 0)]).unwrap();
    let id = id_of(number::RESIDENT, 0);
    shelf.write(id, number::RESIDENT, &[(tag, Some(Value::Many(vec![Value::Text(day)])))]);
    let fresh = |day| ratio(&shelf, "K38", HOME, day);
    assert_eq!([on(3, 1), on(6, 1), on(8, 1)].map(fresh), [(1, 1), (0, 1), (1, 1)]);
}

#[test]
fn who_became_employed_follows_from_the_jobs_and_not_from_what_ends_a_registration() {
    let mut shelf = MemoryShelf::default();
    resident(&mut shelf, 0, &[("id_no", text(ID)), ("registered_on", day(1, 1))]);
    spell(&mut shelf, 0, 0, &[("lost_on", day(1, 1)), ("reg_on", day(2, 1))]);
    job(&mut shelf, 0, 0, &[("start_on", day(3, 10)), ("employer", text("厂"))]);
    assert_eq!(ratio(&shelf, "K25", HOME, on(3, 9)), (0, 1));
    assert_eq!(ratio(&shelf, "K25", HOME, on(3, 10)), (1, 1), "the registration was left open");
    assert!(doubts_of(&shelf, number::UNEMPLOYMENT_SPELL, 0, on(3, 10)).contains(&"employed"));

    let mut shelf = MemoryShelf::default();
    resident(&mut shelf, 0, &[("id_no", text(ID)), ("registered_on", day(1, 1))]);
    let ended = [("lost_on", day(1, 1)), ("reg_on", day(2, 1)), ("end_on", day(3, 10)), ("end_cause", text("1"))];
    spell(&mut shelf, 0, 0, &ended);
    assert_eq!(ratio(&shelf, "K25", HOME, on(12, 31)), (0, 1), "no job is on record");
    assert!(doubts_of(&shelf, number::UNEMPLOYMENT_SPELL, 0, on(3, 10)).contains(&"no_job"));
}

#[test]
fn nobody_counts_before_the_day_of_registration() {
    let mut shelf = MemoryShelf::default();
    let resettled = [("laidoff_kind", text("1")), ("shanty_resettled", yes())];
    resident(&mut shelf, 0, &[&[("id_no", text(ID)), ("registered_on", day(5, 10))][..], &resettled].concat());
    spell(&mut shelf, 0, 0, &[("lost_on", Some(Value::Day(on(1, 1) - 400))), ("reg_on", day(1, 10))]);
    let hard = [("person", to(number::RESIDENT, 0)), ("applied_on", day(1, 2)), ("recognised_on", day(1, 10))];
    let kind = [("kind", Some(Value::Many(vec![Value::Text("07".into())])))];
    put(&mut shelf, number::HARDSHIP_CASE, 0, &[&hard[..], &kind].concat());
    let class = [("class_no", text("班1")), ("free", yes())];
    put(&mut shelf, number::TRAINING_CLASS, 0, &class);
    let enrolled = [
        ("person", to(number::RESIDENT, 0)),
        ("training_class", to(number::TRAINING_CLASS, 0)),
        ("enrolled_on", day(2, 1)),
    ];
    put(&mut shelf, number::TRAINEE, 0, &enrolled);
    for code in ["K00", "K03", "K04", "K24", "K26", "K29", "K29b", "K38", "K39"] {
        let (numerator, denominator, _) = figure(&shelf, code, HOME, on(5, 9));
        assert_eq!((numerator, denominator), (0, 0), "{code}");
    }
    let day = on(5, 10);
    assert_eq!(ratio(&shelf, "K03", HOME, day), (0, 1));
    assert_eq!(
        (value(&shelf, "K00", HOME, day), value(&shelf, "K24", HOME, day), value(&shelf, "K39", HOME, day)),
        (1, 1, 1)
    );
    assert!(doubts_of(&shelf, number::TRAINEE, 0, day).contains(&"before_registered"));
}

#[test]
fn a_job_known_only_at_the_second_registration_counts_for_the_person() {
    let mut shelf = MemoryShelf::default();
    resident(&mut shelf, 0, &[("id_no", text(ID)), ("registered_on", day(2, 4))]);
    resident(&mut shelf, 1, &[at(OTHER), ("id_no", text(ID)), ("registered_on", day(4, 7))]);
    job(&mut shelf, 0, 1, &[at(OTHER), ("start_on", day(5, 1)), ("employer", text("厂")), ("channel", text("5"))]);
    assert_eq!(figure(&shelf, "K04", HOME, on(5, 1)), (1, 1, 0));
    assert_eq!(figure(&shelf, "K04", OTHER, on(5, 1)), (0, 0, 1));
    assert_eq!((value(&shelf, "K32c", HOME, on(5, 1)), value(&shelf, "K32c", DISTRICT, on(5, 1))), (1, 1));
}

#[test]
fn a_case_that_nobody_can_reach_stays_in_until_its_day() {
    let due = |cause: &str| {
        let mut shelf = MemoryShelf::default();
        put(&mut shelf, number::HOUSEHOLD, 0, &[("hh_no", text("户1"))]);
        let case = [("household", to(number::HOUSEHOLD, 0)), ("kind", text("1")), ("recognised_on", day(3, 1))];
        let left = [("exit_on", day(3, 10)), ("exit_cause", text(cause))];
        put(&mut shelf, number::ZEF_CASE, 0, &[&case[..], &left].concat());
        [on(3, 20), on(3, 21)].map(|day| ratio(&shelf, "K07", HOME, day))
    };
    assert_eq!(due("3"), [(0, 0), (0, 1)]);
    assert_eq!(due("6"), [(0, 0), (0, 0)]);
}

#[test]
fn who_was_born_on_29_february_is_a_year_older_on_1_march() {
    let mut shelf = MemoryShelf::default();
    // A woman born on 29 February 1968 is 41 on 1 March 2009; the 4050 begin at 40, which is in a leap year.
    let id = "21040219680229002";
    let check = taizhang_proto::citizen_id::check_character(id.as_bytes()).unwrap();
    let born = taizhang_proto::citizen_id::check(&format!("{id}{}", char::from(check))).unwrap();
    assert!(!born.male);
    resident(&mut shelf, 0, &[("id_no", text(&format!("{id}{}", char::from(check))))]);
    spell(&mut shelf, 0, 0, &[("reg_on", day(1, 1)), ("lost_on", day(1, 1))]);
    let retired = |year, month, day| value(&shelf, "K24c", HOME, date::ymd(year, month, day).unwrap());
    assert_eq!((retired(2023, 2, 28), retired(2023, 3, 1)), (0, 1), "55 in a common year");
}

#[test]
fn what_is_decided_without_a_step_is_a_doubt_that_names_it() {
    let mut shelf = MemoryShelf::default();
    put(&mut shelf, number::HOUSEHOLD, 0, &[("hh_no", text("户1"))]);
    let case = [("household", to(number::HOUSEHOLD, 0)), ("kind", text("1")), ("recognised_on", day(3, 1))];
    put(&mut shelf, number::ZEF_CASE, 0, &case);
    let id = id_of(number::ZEF_CASE, 0);
    let words = |shelf: &MemoryShelf| -> Vec<String> {
        let Ok(found) = doubt::doubts(shelf, (id, &shelf.records[&id]), Plans::notice_2008(), on(3, 2));
        found.into_iter().filter(|one| one.code() == "missing_step").map(doubt::Doubt::words).collect()
    };
    let found = words(&shelf);
    assert!(found.len() == 2 && found[0].contains("核实") && found[1].contains("公示"), "{found:?}");
    let steps = [("visited_on", day(2, 1)), ("publicity_from", day(2, 10)), ("publicity_to", day(2, 20))];
    put(&mut shelf, number::ZEF_CASE, 0, &steps);
    assert_eq!(words(&shelf), [""; 0]);
}

#[test]
fn a_title_is_revoked_only_after_the_term_or_a_failed_recheck() {
    let mut shelf = MemoryShelf::default();
    let case = [
        ("stage", text("7")),
        ("applied_on", day(1, 1)),
        ("certified_on", day(2, 1)),
        ("rectify_from", day(4, 1)),
        ("rectify_due", day(5, 1)),
    ];
    put(&mut shelf, number::FEC_CASE, 0, &case);
    let id: RecordId = id_of(number::FEC_CASE, 0);
    let refused = |shelf: &mut MemoryShelf, month, day_of| {
        put(shelf, number::FEC_CASE, 0, &[("revoked_on", day(month, day_of))]);
        let Ok(why) = cell::not_revocable(shelf, id, &shelf.records[&id]);
        why.is_some()
    };
    assert!(refused(&mut shelf, 4, 1) && refused(&mut shelf, 5, 1));
    assert!(!refused(&mut shelf, 5, 2));
    let order = [("fec_case", Some(Value::Ref(id))), ("ordered_on", day(4, 1)), ("due_on", day(5, 1))];
    put(
        &mut shelf,
        number::RECTIFICATION,
        0,
        &[&order[..], &[("rechecked_on", day(4, 20)), ("result", text("2"))]].concat(),
    );
    assert!(refused(&mut shelf, 4, 19) && !refused(&mut shelf, 4, 20));
}

#[test]
fn a_job_after_a_death_is_a_doubt() {
    let mut shelf = MemoryShelf::default();
    resident(&mut shelf, 0, &[("id_no", text(ID)), ("death_on", day(3, 1))]);
    job(&mut shelf, 0, 0, &[("start_on", day(3, 1)), ("employer", text("厂"))]);
    assert!(doubts_of(&shelf, number::PLACEMENT, 0, on(4, 1)).contains(&"after_leaving"));
}
