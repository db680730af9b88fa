//! Who was in contact with a household: whoever served it, or somebody who belonged to it on that day.

use crate::fixture::{MemoryShelf, id_of, put};
use taizhang_proto::{
    cell::worklist::{self, Clock},
    date::{self, Day},
    plan::Plans,
    register::{Value, number},
};

fn day(month: i8, day: i8) -> Day {
    date::ymd(2008, month, day).unwrap()
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

/// By when the household of a case recognised on 1 February must be heard of, on 1 June. One member left on 1 March.
fn contact_by(served: Option<(Day, u32)>) -> Day {
    let mut shelf = MemoryShelf::default();
    let to = |register, slot| Some(Value::Ref(id_of(register, slot)));
    put(&mut shelf, number::HOUSEHOLD, 0, &[]);
    for (slot, left) in [(0, None), (1, Some(Value::Day(day(3, 1))))] {
        put(&mut shelf, number::RESIDENT, slot, &[("name", Some(text("王芳")))]);
        let member = [("household", to(number::HOUSEHOLD, 0)), ("person", to(number::RESIDENT, slot)), ("to_on", left)];
        put(&mut shelf, number::MEMBER, slot, &member);
    }
    let recognised = ("recognised_on", Some(Value::Day(day(2, 1))));
    put(&mut shelf, number::ZEF_CASE, 0, &[("household", to(number::HOUSEHOLD, 0)), recognised]);
    if let Some((on, person)) = served {
        let service =
            [("person", to(number::RESIDENT, person)), ("kind", Some(text("2"))), ("on", Some(Value::Day(on)))];
        put(&mut shelf, number::SERVICE_RECORD, 0, &service);
    }
    let case = id_of(number::ZEF_CASE, 0);
    let due = worklist::of_record(&shelf, (case, &shelf.records[&case]), Plans::notice_2008(), day(6, 1)).unwrap();
    due.into_iter().find(|due| due.clock == Clock::CaseContact).unwrap().last
}

#[test]
fn a_service_to_somebody_who_had_left_is_no_contact_with_the_household() {
    assert_eq!(contact_by(None), day(5, 1), "three months from the recognition");
    assert_eq!(contact_by(Some((day(2, 20), 0))), day(5, 20));
    assert_eq!(contact_by(Some((day(2, 20), 1))), day(5, 20), "a member then");
    assert_eq!(contact_by(Some((day(4, 10), 0))), day(7, 10));
    assert_eq!(contact_by(Some((day(4, 10), 1))), day(5, 1), "left in March");
}
