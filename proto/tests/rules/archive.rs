//! K37 and the list of what is to be filed are one rule.

use crate::fixture::{HOME, MemoryShelf, id_of, put, unit};
use proptest::{collection::vec, option, prelude::*};
use std::collections::BTreeSet;
use taizhang_proto::{
    cell::{self, FILED, Subject},
    date::{self, Day},
    indicator::{self, Period, Span},
    plan::{Counting, Plans},
    register::{Value, number},
};

fn first() -> Day {
    date::ymd(2008, 1, 15).unwrap()
}

/// A case of one of the three registers, or a paper, with the entries that may file it.
#[derive(Debug, Clone)]
struct Written {
    register: u32,
    completed: Option<i32>,
    void: bool,
    withdrawn: bool,
    /// Entries about it: filed on, and whether the entry is void.
    entries: Vec<(Option<i32>, bool)>,
}

fn written() -> impl Strategy<Value = Written> {
    let register = prop_oneof![
        Just(number::ZEF_CASE),
        Just(number::HARDSHIP_CASE),
        Just(number::FEC_CASE),
        Just(number::POLICY_DOCUMENT),
    ];
    let day = || option::weighted(0.8, 0..40_i32);
    (
        register,
        day(),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
        vec((day(), prop::bool::weighted(0.2)), 0..3),
    )
        .prop_map(|(register, completed, void, withdrawn, entries)| Written {
            register,
            completed,
            void,
            withdrawn,
            entries,
        })
}

fn fill(shelf: &mut MemoryShelf, all: &[Written]) {
    let day = |offset: i32| Some(Value::Day(first() + offset));
    let code = |code: &str| Some(Value::Text(code.into()));
    let to = |register, slot| Some(Value::Ref(id_of(register, slot)));
    for (slot, one) in (0..).zip(all) {
        let state = ("state", one.void.then(|| Value::Text("2".into())));
        let cause = ("exit_cause", code(if one.withdrawn { "7" } else { "1" }));
        let done = one.completed.and_then(day);
        match one.register {
            number::ZEF_CASE => {
                put(shelf, number::HOUSEHOLD, slot, &[]);
                let household = ("household", to(number::HOUSEHOLD, slot));
                put(
                    shelf,
                    one.register,
                    slot,
                    &[household, ("recognised_on", day(-5)), ("exit_on", done), cause, state],
                );
            }
            number::HARDSHIP_CASE => {
                put(shelf, number::RESIDENT, slot, &[("name", code("甲"))]);
                let person = ("person", to(number::RESIDENT, slot));
                put(shelf, one.register, slot, &[person, ("recognised_on", day(-5)), ("exit_on", done), cause, state]);
            }
            number::FEC_CASE => put(shelf, one.register, slot, &[("certified_on", done), state]),
            _ => put(shelf, one.register, slot, &[state]),
        }
        for (nth, (archived, void)) in (0..).zip(&one.entries) {
            let state = ("state", void.then(|| Value::Text("2".into())));
            let fields = [
                ("record_ref", to(one.register, slot)),
                ("formed_on", day(1)),
                ("archived_on", archived.and_then(day)),
                state,
            ];
            put(shelf, number::ARCHIVE_ENTRY, slot * 8 + nth, &fields);
        }
    }
}

proptest! {
    #[test]
    fn the_figure_and_the_list_of_what_is_to_be_filed_agree(all in vec(written(), 0..8)) {
        let plans = Plans::notice_2008();
        let mut shelf = MemoryShelf::default();
        fill(&mut shelf, &all);
        let mut subjects: BTreeSet<Subject> = BTreeSet::from([Subject::Unit(unit(HOME))]);
        let mut filings = Vec::new();
        for (id, record) in &shelf.records {
            let mut found = Vec::new();
            cell::subjects_of(&shelf, *id, record, &mut found).unwrap();
            subjects.extend(found);
            let filing = cell::filing(&shelf, (*id, record), plans).unwrap();
            prop_assert!(filing.is_none() || FILED.contains(&record.register));
            filings.extend(filing);
        }
        let steps: Vec<_> =
            subjects.iter().flat_map(|subject| cell::contributions(&shelf, *subject, plans).unwrap()).collect();
        let figure = indicator::by_code("K37").unwrap();
        let calendar = &plans.on(first()).calendar;
        for on in first()..first() + 70 {
            let sum = |part: u16, dates: std::ops::RangeInclusive<Day>| {
                let own = steps.iter().filter(|step| step.key.part == part && dates.contains(&step.key.date));
                Ok::<i64, ()>(own.map(|step| step.delta).sum())
            };
            let counted = figure.figure(&Period::up_to(on, Span::Year), sum).unwrap();
            let due: Vec<_> = filings.iter().filter(|filing| filing.due <= on).collect();
            let in_time = due.iter().filter(|filing| filing.archived.is_some_and(|filed| filed <= filing.due)).count();
            prop_assert_eq!(counted.denominator, due.len() as i64, "day {}", on - first());
            prop_assert_eq!(counted.numerator, in_time as i64);
        }
        for filing in &filings {
            prop_assert_eq!(filing.due, calendar.after(filing.since, 10, Counting::Working));
            prop_assert!(!filing.is_open_on(filing.since - 1));
            prop_assert_eq!(filing.is_open_on(filing.due + 1), filing.archived.is_none_or(|on| on > filing.due + 1));
        }
    }
}
