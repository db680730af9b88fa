//! What arrives more than the plan's days after it happened counts once, on the day of arrival; a ruling is no arrival.

use crate::fixture::{MemoryShelf, NOW, id_of, put, unit};
use taizhang_proto::{
    cell::{self, Subject},
    date::{self, Day},
    decide::HUB_NODE,
    indicator::Part,
    pb,
    plan::Plans,
    register::{Value, number, registers},
};

/// What a household, its one member and what is recorded of them count as backdated on each day; the last register is
/// recorded `days` before it arrives.
fn counted(register: u32, days: Day, change: impl FnOnce(&mut MemoryShelf)) -> Vec<(Day, i64)> {
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
    for (id, record) in shelf.records.clone() {
        // As an office's entry arrives: the fixture writes by the hub's hand.
        let mut record = record;
        for origin in &mut record.origins {
            origin.node = 1;
        }
        shelf.put(id, record);
    }
    change(&mut shelf);
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
        assert_eq!(counted(register, 7, |_| {}), [], "{register} in time");
        assert_eq!(counted(register, 8, |_| {}), [(today, 1)], "{register} a day late");
    }
}

#[test]
fn a_ruling_on_the_day_of_business_is_no_arrival() {
    let later = NOW.millis() / 1_000 + 30 * 86_400;
    let rule = |register: u32| {
        move |shelf: &mut MemoryShelf| {
            let def = registers().get(register).unwrap();
            let name = ["start_on", "recognised_on", "reg_on"].into_iter().find_map(|name| def.field_named(name));
            let tag = name.unwrap().tag;
            let mut record = shelf.records[&id_of(register, 0)].clone();
            let field = record.fields.iter().find(|own| own.field.tag == tag).unwrap().field.clone();
            record.set(
                vec![field],
                pb::Origin { revision: 999, received: later, node: HUB_NODE, ..pb::Origin::default() },
            );
            shelf.put(id_of(register, 0), record);
        }
    };
    let today = date::shanghai(NOW.millis());
    for register in ALL {
        assert_eq!(counted(register, 3, rule(register)), [], "{register}: it came in time");
        assert_eq!(counted(register, 9, rule(register)), [(today, 1)], "{register}: it came late, when it came");
    }
}
