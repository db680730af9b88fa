//! What arrives more than the plan's days after it happened counts once, on the day of arrival.

use crate::fixture::{MemoryShelf, NOW, id_of, put, unit};
use taizhang_proto::{
    cell::{self, Subject},
    date::{self, Day},
    indicator::Part,
    plan::Plans,
    register::{Value, number},
};

/// What a household, its one member and what is recorded of them count as backdated on each day; the last register is
/// recorded `days` before it arrives.
fn counted(register: u32, days: Day) -> Vec<(Day, i64)> {
    let mut shelf = MemoryShelf::default();
    let on = Some(Value::Day(date::shanghai(NOW.millis()) - days));
    let to = |register| Some(Value::Ref(id_of(register, 0)));
    put(&mut shelf, number::HOUSEHOLD, 0, &[]);
    put(&mut shelf, number::RESIDENT, 0, &[("name", Some(Value::Text("王芳".into())))]);
    let member = [("household", to(number::HOUSEHOLD)), ("person", to(number::RESIDENT))];
    put(&mut shelf, number::MEMBER, 0, &member);
    let (person, household) = (("person", to(number::RESIDENT)), ("household", to(number::HOUSEHOLD)));
    let fields = match register {
        number::PLACEMENT => [person, ("start_on", on)],
        number::ZEF_CASE => [household, ("recognised_on", on)],
        number::HARDSHIP_CASE => [person, ("recognised_on", on)],
        _ => [person, ("reg_on", on)],
    };
    put(&mut shelf, register, 0, &fields);
    let subjects = [Subject::Person(id_of(number::RESIDENT, 0)), Subject::Household(id_of(number::HOUSEHOLD, 0))];
    let steps = subjects.into_iter().flat_map(|of| cell::contributions(&shelf, of, Plans::notice_2008()).unwrap());
    // What nothing proves stands once more in the pending part.
    let own =
        steps.filter(|step| step.key.part == Part::Backdated.number() && step.key.unit == unit(crate::fixture::HOME));
    own.map(|step| (step.key.date, step.delta)).collect()
}

const ALL: [u32; 4] = [number::PLACEMENT, number::ZEF_CASE, number::HARDSHIP_CASE, number::UNEMPLOYMENT_SPELL];

#[test]
fn each_of_the_four_registers_counts_once_what_came_late() {
    let today = date::shanghai(NOW.millis());
    for register in ALL {
        assert_eq!(counted(register, 7), [], "{register} in time");
        assert_eq!(counted(register, 8), [(today, 1)], "{register} a day late");
    }
}
