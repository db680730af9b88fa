//! Figures against an oracle that reads the definitions (domain-detail, section 3) day by day, from a plain model
//! of offices that shares no code with `cell`: no spans, no steps, only 'is it so on day D?'.

use crate::fixture::{MemoryShelf, id_of, put, unit};
use jiff::civil::Date;
use proptest::{collection::vec, option, prelude::*};
use std::collections::{BTreeMap, BTreeSet};
use taizhang_proto::{
    cell::{self, CellKey, Subject},
    date::{self, Day},
    indicator::{Part, Period, Span, Term, Window},
    plan::Plans,
    register::{Value, number},
};

/// Two urban communities.
const UNITS: [u64; 2] = [210_402_011_003, 210_402_011_004];

/// Something that lasts from a day up to but without another.
#[derive(Debug, Clone)]
struct Lasting {
    from: Day,
    to: Option<Day>,
    void: bool,
}

impl Lasting {
    fn on(&self, day: Day) -> bool {
        !self.void && self.from <= day && self.to.is_none_or(|to| day < to)
    }
}

#[derive(Debug, Clone)]
struct Person {
    unit: usize,
    void: bool,
    resettled: bool,
    laid_off: bool,
    able: Option<bool>,
    willing: Option<bool>,
    died_on: Option<Day>,
    moved_on: Option<Day>,
    jobs: Vec<Lasting>,
    spells: Vec<Lasting>,
}

impl Person {
    fn is_here(&self, day: Day) -> bool {
        !self.void && self.died_on.is_none_or(|on| day < on) && self.moved_on.is_none_or(|on| day < on)
    }

    /// Whoever died or moved away works for nobody here.
    fn works(&self, day: Day) -> bool {
        let left = [self.died_on, self.moved_on].into_iter().flatten().any(|left| left <= day);
        !left && self.jobs.iter().any(|job| job.on(day))
    }
}

#[derive(Debug, Clone)]
struct Membership {
    person: usize,
    counted: Option<bool>,
    from: Option<Day>,
    to: Option<Day>,
    void: bool,
}

impl Membership {
    fn on(&self, day: Day) -> bool {
        let inside = self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day < to);
        !self.void && self.counted != Some(false) && inside
    }
}

#[derive(Debug, Clone)]
struct Case {
    unit: usize,
    recognised: Day,
    dual: bool,
    asked: Option<Day>,
    exit: Option<Day>,
    graduate: bool,
    void: bool,
}

impl Case {
    fn counts(&self) -> bool {
        !self.void && !self.graduate
    }

    fn open(&self, day: Day) -> bool {
        self.recognised <= day && self.exit.is_none_or(|exit| day < exit)
    }

    fn due_one(&self) -> Day {
        self.recognised + 20
    }

    /// When dual employment was asked for; none when it was not, or when the case had left by then.
    fn asked_on(&self) -> Option<Day> {
        let asked = self.asked.unwrap_or(self.recognised).max(self.recognised);
        (self.dual && self.open(asked)).then_some(asked)
    }

    fn due_dual(&self) -> Option<Day> {
        self.asked_on().map(one_month_later)
    }
}

#[derive(Debug, Clone)]
struct House {
    unit: usize,
    void: bool,
    members: Vec<Membership>,
    cases: Vec<Case>,
}

#[derive(Debug, Clone)]
struct Helper {
    unit: usize,
    post: Lasting,
    certificates: Vec<Lasting>,
}

#[derive(Debug, Clone)]
struct City {
    persons: Vec<Person>,
    houses: Vec<House>,
    helpers: Vec<Helper>,
}

/// Month arithmetic by the calendar on the wall.
fn one_month_later(day: Day) -> Day {
    let date = date::civil(day).unwrap();
    let (year, month) = if date.month() == 12 { (date.year() + 1, 1) } else { (date.year(), date.month() + 1) };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    date::day(Date::constant(year, month, date.day().min(last)))
}

impl City {
    /// The counted members of a household who are in a job on a day, each once.
    fn working(&self, house: &House, day: Day) -> BTreeSet<usize> {
        let members = house.members.iter().filter(|member| member.on(day));
        members.map(|member| member.person).filter(|person| self.persons[*person].works(day)).collect()
    }

    /// How many counted members have been in a job on some day of the case up to `day`.
    fn placed_by(&self, house: &House, case: &Case, day: Day) -> usize {
        let days = (case.recognised..=day).filter(|past| case.open(*past));
        days.flat_map(|past| self.working(house, past)).collect::<BTreeSet<_>>().len()
    }

    /// Whether a member had a job when the household was recognised as without: no clock runs for such a case.
    fn contradicted(&self, house: &House, case: &Case) -> bool {
        let before = self.working(house, case.recognised - 1);
        !before.is_disjoint(&self.working(house, case.recognised))
    }

    /// The cases that count, each with its household and the unit it counts in. Of cases open at one time, the one
    /// with the earliest clock.
    fn cases(&self) -> impl Iterator<Item = (usize, &House, &Case)> {
        self.houses.iter().flat_map(|house| {
            let counting = |case: &&Case| case.counts() && !self.contradicted(house, case);
            let mut cases: Vec<&Case> = house.cases.iter().filter(counting).collect();
            cases.sort_by_key(|case| (case.recognised, case.exit.unwrap_or(Day::MAX)));
            let mut first: Vec<&Case> = Vec::new();
            for case in cases {
                if !first.iter().any(|other| other.exit.is_none_or(|exit| case.recognised < exit)) {
                    first.push(case);
                }
            }
            first.into_iter().map(move |case| (if house.void { case.unit } else { house.unit }, house, case))
        })
    }

    /// A stock on a day, from the definition.
    fn stock(&self, part: Part, own: usize, day: Day) -> i64 {
        let cases = |holds: &dyn Fn(&House, &Case) -> bool| {
            self.cases().filter(|(unit, house, case)| *unit == own && holds(house, case)).count() as i64
        };
        let persons = |holds: &dyn Fn(&Person) -> bool| {
            self.persons.iter().filter(|person| person.unit == own && person.is_here(day) && holds(person)).count()
                as i64
        };
        let laid_off = |person: &Person| {
            person.resettled && person.laid_off && person.able == Some(true) && person.willing == Some(true)
        };
        match part {
            Part::Residents => persons(&|_| true),
            Part::Unemployed => persons(&|person| person.spells.iter().any(|spell| spell.on(day))),
            Part::ShantyLabour => persons(&laid_off),
            Part::ShantyEmployed => persons(&|person| laid_off(person) && person.works(day)),
            Part::ZefUnplaced => cases(&|house, case| case.open(day) && self.working(house, day).is_empty()),
            Part::ZefOverdue => {
                cases(&|house, case| case.open(day) && day > case.due_one() && self.placed_by(house, case, day) == 0)
            }
            Part::ZefDueSoon => cases(&|house, case| {
                case.open(day) && (0..=5).contains(&(case.due_one() - day)) && self.placed_by(house, case, day) == 0
            }),
            Part::DualAsked => cases(&|_, case| case.open(day) && case.asked_on().is_some_and(|asked| asked <= day)),
            Part::DualOverdue => cases(&|house, case| {
                case.open(day) && case.due_dual().is_some_and(|due| day > due) && self.placed_by(house, case, day) < 2
            }),
            Part::Stations => 1,
            Part::StationsCertified => {
                let certified = |helper: &Helper| {
                    helper.unit == own && helper.post.on(day) && helper.certificates.iter().any(|one| one.on(day))
                };
                i64::from(self.helpers.iter().any(certified))
            }
            other => panic!("{other:?} is no stock of this test"),
        }
    }

    /// What happened on one day, from the definition.
    fn flow(&self, part: Part, own: usize, day: Day) -> i64 {
        let cases = |holds: &dyn Fn(&House, &Case) -> bool| {
            self.cases().filter(|(unit, house, case)| *unit == own && holds(house, case)).count() as i64
        };
        // A case that left unplaced before its last day fell due for nobody.
        let due = |house: &House, case: &Case, due: Day, wanted: usize| {
            due == day && (case.open(day) || self.placed_by(house, case, day) >= wanted)
        };
        let due_dual = |house: &House, case: &Case| case.due_dual().is_some_and(|last| due(house, case, last, 2));
        match part {
            Part::ZefRecognised => cases(&|_, case| case.recognised == day),
            Part::ZefDue => cases(&|house, case| due(house, case, case.due_one(), 1)),
            Part::ZefDueMet => {
                cases(&|house, case| due(house, case, case.due_one(), 1) && self.placed_by(house, case, day) >= 1)
            }
            Part::DualDue => cases(&due_dual),
            Part::DualDueMet => cases(&|house, case| due_dual(house, case) && self.placed_by(house, case, day) >= 2),
            other => panic!("{other:?} is no flow of this test"),
        }
    }
}

const STOCKS: [Part; 11] = [
    Part::Residents,
    Part::Unemployed,
    Part::ShantyLabour,
    Part::ShantyEmployed,
    Part::ZefUnplaced,
    Part::ZefOverdue,
    Part::ZefDueSoon,
    Part::DualAsked,
    Part::DualOverdue,
    Part::Stations,
    Part::StationsCertified,
];
const FLOWS: [Part; 5] = [Part::ZefRecognised, Part::ZefDue, Part::ZefDueMet, Part::DualDue, Part::DualDueMet];

fn base() -> Day {
    date::ymd(2008, 1, 1).unwrap()
}

/// Days around the turn of the year, before which history is one bucket.
fn any_day() -> impl Strategy<Value = Day> {
    (-45..80_i32).prop_map(|offset| base() + offset)
}

fn seldom() -> impl Strategy<Value = bool> {
    (0..8_u8).prop_map(|face| face == 0)
}

fn mostly() -> impl Strategy<Value = Option<bool>> {
    prop_oneof![6 => Just(Some(true)), 1 => Just(Some(false)), 1 => Just(None)]
}

fn lasting() -> impl Strategy<Value = Lasting> {
    (any_day(), option::of(0..50_i32), seldom()).prop_map(|(from, length, void)| Lasting {
        from,
        to: length.map(|length| from + length),
        void,
    })
}

fn person() -> impl Strategy<Value = Person> {
    let leaves = || option::weighted(0.15, any_day());
    (
        (0..2_usize, seldom(), any::<bool>(), any::<bool>(), mostly(), mostly()),
        (leaves(), leaves(), vec(lasting(), 0..3), vec(lasting(), 0..3)),
    )
        .prop_map(|((unit, void, resettled, laid_off, able, willing), (died_on, moved_on, jobs, spells))| Person {
            unit,
            void,
            resettled,
            laid_off,
            able,
            willing,
            died_on,
            moved_on,
            jobs,
            spells,
        })
}

fn case() -> impl Strategy<Value = Case> {
    let asked = option::of(-5..40_i32);
    (0..2_usize, any_day(), any::<bool>(), asked, option::weighted(0.4, 0..70_i32), seldom(), seldom()).prop_map(
        |(unit, recognised, dual, asked, exit, graduate, void)| Case {
            unit,
            recognised,
            dual,
            asked: asked.map(|after| recognised + after),
            exit: exit.map(|after| recognised + after),
            graduate,
            void,
        },
    )
}

fn house(persons: usize) -> impl Strategy<Value = House> {
    let counted = prop_oneof![3 => Just(None), 3 => Just(Some(true)), 1 => Just(Some(false))];
    let (from, to) = (option::weighted(0.3, any_day()), option::weighted(0.3, any_day()));
    let member = (0..persons, counted, from, to, seldom()).prop_map(|(person, counted, from, to, void)| Membership {
        person,
        counted,
        from,
        to,
        void,
    });
    (0..2_usize, seldom(), vec(member, 0..4), vec(case(), 1..3)).prop_map(|(unit, void, members, cases)| House {
        unit,
        void,
        members,
        cases,
    })
}

fn city() -> impl Strategy<Value = City> {
    let helper = (0..2_usize, lasting(), vec(lasting(), 0..3));
    let helper = helper.prop_map(|(unit, post, certificates)| Helper { unit, post, certificates });
    (vec(person(), 4), vec(house(4), 1..3), vec(helper, 0..3)).prop_map(|(persons, houses, helpers)| City {
        persons,
        houses,
        helpers,
    })
}

fn home(place: usize) -> (&'static str, Option<Value>) {
    ("home_unit", Some(Value::Uint(UNITS[place])))
}

fn state(void: bool) -> (&'static str, Option<Value>) {
    ("state", void.then(|| Value::Text("2".into())))
}

fn day_value(day: Option<Day>) -> Option<Value> {
    day.map(Value::Day)
}

fn refer(register: u32, slot: usize) -> Value {
    Value::Ref(id_of(register, slot as u32))
}

/// The city as records.
fn shelf(city: &City) -> MemoryShelf {
    let mut shelf = MemoryShelf::default();
    let mut serial = 0_u32;
    let mut next = || {
        serial += 1;
        serial
    };
    for (slot, person) in city.persons.iter().enumerate() {
        put(
            &mut shelf,
            number::RESIDENT,
            slot as u32,
            &[
                home(person.unit),
                state(person.void),
                ("shanty_resettled", Some(Value::Bool(person.resettled))),
                ("laidoff_kind", person.laid_off.then(|| Value::Text("1".into()))),
                ("labour_able", person.able.map(Value::Bool)),
                ("job_willing", person.willing.map(Value::Bool)),
                ("death_on", day_value(person.died_on)),
                ("moveout_on", day_value(person.moved_on)),
            ],
        );
        for job in &person.jobs {
            put(
                &mut shelf,
                number::PLACEMENT,
                next(),
                &[
                    home(person.unit),
                    state(job.void),
                    ("person", Some(refer(number::RESIDENT, slot))),
                    ("start_on", Some(Value::Day(job.from))),
                    ("end_on", day_value(job.to)),
                ],
            );
        }
        for spell in &person.spells {
            put(
                &mut shelf,
                number::UNEMPLOYMENT_SPELL,
                next(),
                &[
                    home(person.unit),
                    state(spell.void),
                    ("person", Some(refer(number::RESIDENT, slot))),
                    ("reg_on", Some(Value::Day(spell.from))),
                    ("end_on", day_value(spell.to)),
                ],
            );
        }
    }
    for (slot, house) in city.houses.iter().enumerate() {
        put(&mut shelf, number::HOUSEHOLD, slot as u32, &[home(house.unit), state(house.void)]);
        for member in &house.members {
            put(
                &mut shelf,
                number::MEMBER,
                next(),
                &[
                    home(house.unit),
                    state(member.void),
                    ("household", Some(refer(number::HOUSEHOLD, slot))),
                    ("person", Some(refer(number::RESIDENT, member.person))),
                    ("counted", member.counted.map(Value::Bool)),
                    ("from_on", day_value(member.from)),
                    ("to_on", day_value(member.to)),
                ],
            );
        }
        for case in &house.cases {
            put(
                &mut shelf,
                number::ZEF_CASE,
                next(),
                &[
                    home(case.unit),
                    state(case.void),
                    ("household", Some(refer(number::HOUSEHOLD, slot))),
                    ("kind", Some(Value::Text(if case.graduate { "2" } else { "1" }.into()))),
                    ("recognised_on", Some(Value::Day(case.recognised))),
                    ("want_dual", Some(Value::Bool(case.dual))),
                    ("asked_on", day_value(case.asked)),
                    ("exit_on", day_value(case.exit)),
                ],
            );
        }
    }
    for (slot, helper) in city.helpers.iter().enumerate() {
        put(
            &mut shelf,
            number::ASSISTANT,
            slot as u32,
            &[
                home(helper.unit),
                state(helper.post.void),
                ("from_on", Some(Value::Day(helper.post.from))),
                ("to_on", day_value(helper.post.to)),
            ],
        );
        for certificate in &helper.certificates {
            put(
                &mut shelf,
                number::CREDENTIAL,
                next(),
                &[
                    home(helper.unit),
                    state(certificate.void),
                    ("assistant", Some(refer(number::ASSISTANT, slot))),
                    ("issued_on", Some(Value::Day(certificate.from))),
                    ("void_on", day_value(certificate.to)),
                ],
            );
        }
    }
    shelf
}

/// All cells of a shelf.
fn cells(shelf: &MemoryShelf) -> BTreeMap<CellKey, i64> {
    let mut subjects: BTreeSet<Subject> = UNITS.into_iter().map(|code| Subject::Unit(unit(code))).collect();
    for (id, record) in &shelf.records {
        let mut found = Vec::new();
        cell::subjects_of(shelf, *id, record, &mut found).unwrap();
        subjects.extend(found);
    }
    let mut cells = BTreeMap::new();
    for subject in subjects {
        for step in cell::contributions(shelf, subject, Plans::notice_2008()).unwrap() {
            *cells.entry(step.key).or_default() += step.delta;
        }
    }
    cells
}

fn read(cells: &BTreeMap<CellKey, i64>, place: usize, part: Part, dates: std::ops::RangeInclusive<Day>) -> i64 {
    let key = |date| CellKey { unit: unit(UNITS[place]), part: part.number(), date };
    cells.range(key(*dates.start())..=key(*dates.end())).map(|(_, value)| value).sum()
}

proptest! {
    #[test]
    fn stocks_are_what_the_definitions_say_on_every_day(city in city()) {
        let cells = cells(&shelf(&city));
        for day in base() - 1..base() + 130 {
            for (place, part) in (0..2).flat_map(|place| STOCKS.map(|part| (place, part))) {
                let figure = read(&cells, place, part, dates(Window::Stock, day));
                let defined = city.stock(part, place, day);
                prop_assert_eq!(figure, defined, "{:?} of unit {} on {}", part, place, date::iso(day));
            }
        }
    }

    #[test]
    fn flows_are_what_happened_in_the_period(city in city(), from in 0..60_i32, length in 0..90_i32) {
        let cells = cells(&shelf(&city));
        let period = base() + from..=base() + from + length;
        for (place, part) in (0..2).flat_map(|place| FLOWS.map(|part| (place, part))) {
            let figure = read(&cells, place, part, period.clone());
            let defined: i64 = period.clone().map(|day| city.flow(part, place, day)).sum();
            prop_assert_eq!(figure, defined, "{:?} of unit {} in {:?}", part, place, period);
            let year = read(&cells, place, part, dates(Window::Flow, *period.end()));
            let defined: i64 = (base()..=*period.end()).map(|day| city.flow(part, place, day)).sum();
            prop_assert_eq!(year, defined, "{:?} of unit {} in the year up to {}", part, place, period.end());
        }
    }

    #[test]
    fn a_month_later_is_the_wall_calendar_s(day in -30_000..60_000_i32) {
        prop_assert_eq!(date::add_months(day, 1), one_month_later(day));
    }
}

/// The dates that make a part's figure on a day, for a stock or for the year's flow.
fn dates(window: Window, day: Day) -> std::ops::RangeInclusive<Day> {
    Term { part: Part::Residents, monthly: None, sign: 1, window }.read(&Period::up_to(day, Span::Year)).1
}

fn on(month: i8, day: i8) -> Day {
    date::ymd(2008, month, day).unwrap()
}

/// One household of two unemployed adults, recognised on a day.
fn family(recognised: Day, dual: bool) -> City {
    let person = Person {
        unit: 0,
        void: false,
        resettled: false,
        laid_off: true,
        able: Some(true),
        willing: Some(true),
        died_on: None,
        moved_on: None,
        jobs: Vec::new(),
        spells: Vec::new(),
    };
    let case = Case { unit: 0, recognised, dual, asked: None, exit: None, graduate: false, void: false };
    let member = |person| Membership { person, counted: Some(true), from: None, to: None, void: false };
    let house = House { unit: 0, void: false, members: vec![member(0), member(1)], cases: vec![case] };
    City { persons: vec![person.clone(), person], houses: vec![house], helpers: Vec::new() }
}

fn clock(city: &City) -> cell::CaseClock {
    let shelf = shelf(city);
    let case = shelf.records.iter().find(|(_, record)| record.register == number::ZEF_CASE).unwrap();
    cell::clock_of(&shelf, *case.0, Plans::notice_2008()).unwrap().unwrap()
}

fn stock(city: &City, part: Part, day: Day) -> i64 {
    read(&cells(&shelf(city)), 0, part, dates(Window::Stock, day))
}

#[test]
fn recognised_on_31_january_with_dual_employment_is_due_on_29_february_2008() {
    let clock = clock(&family(on(1, 31), true));
    assert_eq!(clock.due_one, on(2, 20));
    assert_eq!(clock.dual.unwrap().due, on(2, 29));
    let city = family(on(1, 31), true);
    assert_eq!((stock(&city, Part::DualOverdue, on(2, 29)), stock(&city, Part::DualOverdue, on(3, 1))), (0, 1));
}

#[test]
fn the_twentieth_day_is_in_time_and_the_day_after_is_overdue() {
    let mut city = family(on(3, 1), false);
    assert_eq!((stock(&city, Part::ZefOverdue, on(3, 21)), stock(&city, Part::ZefOverdue, on(3, 22))), (0, 1));
    assert_eq!((stock(&city, Part::ZefDueSoon, on(3, 15)), stock(&city, Part::ZefDueSoon, on(3, 16))), (0, 1));
    city.persons[0].jobs.push(Lasting { from: on(3, 21), to: None, void: false });
    assert_eq!(stock(&city, Part::ZefOverdue, on(3, 22)), 0);
    let flow = |part| read(&cells(&shelf(&city)), 0, part, on(3, 1)..=on(3, 31));
    assert_eq!((flow(Part::ZefDueMet), flow(Part::ZefDue)), (1, 1));
}

#[test]
fn a_job_a_day_late_ends_the_overdue_day_but_not_the_miss() {
    let mut city = family(on(3, 1), false);
    city.persons[0].jobs.push(Lasting { from: on(3, 22), to: None, void: false });
    assert!((on(3, 1)..on(4, 1)).all(|day| stock(&city, Part::ZefOverdue, day) == 0));
    let flow = |part| read(&cells(&shelf(&city)), 0, part, on(3, 1)..=on(3, 31));
    assert_eq!((flow(Part::ZefDueMet), flow(Part::ZefDue)), (0, 1));
}

#[test]
fn asking_for_dual_employment_later_starts_that_clock_later() {
    let mut city = family(on(1, 10), true);
    city.houses[0].cases[0].asked = Some(on(1, 31));
    assert_eq!(clock(&city).dual.unwrap().due, on(2, 29));
    city.houses[0].cases[0].asked = Some(on(1, 5));
    assert_eq!(clock(&city).dual.unwrap().due, on(2, 10), "asked before recognition counts from recognition");
}

#[test]
fn two_jobs_of_one_person_are_not_dual_employment() {
    let mut city = family(on(3, 1), true);
    let job = |from| Lasting { from, to: None, void: false };
    city.persons[0].jobs = vec![job(on(3, 5)), job(on(3, 6))];
    assert_eq!(stock(&city, Part::DualOverdue, on(4, 2)), 1);
    city.persons[1].jobs = vec![job(on(4, 1))];
    assert_eq!(stock(&city, Part::DualOverdue, on(4, 2)), 0);
}

#[test]
fn a_lost_job_makes_the_household_unplaced_again_but_not_overdue() {
    let mut city = family(on(3, 1), false);
    city.persons[0].jobs.push(Lasting { from: on(3, 10), to: Some(on(5, 1)), void: false });
    assert_eq!((stock(&city, Part::ZefUnplaced, on(4, 30)), stock(&city, Part::ZefUnplaced, on(5, 1))), (0, 1));
    assert_eq!(stock(&city, Part::ZefOverdue, on(5, 10)), 0);
}

#[test]
fn dual_employment_asked_for_after_the_case_left_falls_due_for_nobody() {
    let mut city = family(on(1, 10), true);
    let job = |from| vec![Lasting { from, to: None, void: false }];
    (city.persons[0].jobs, city.persons[1].jobs) = (job(on(1, 12)), job(on(1, 13)));
    city.houses[0].cases[0].exit = Some(on(1, 20));
    city.houses[0].cases[0].asked = Some(on(1, 25));
    assert_eq!(clock(&city).dual, None);
    assert_eq!(read(&cells(&shelf(&city)), 0, Part::DualDue, on(1, 1)..=on(12, 31)), 0);
}

#[test]
fn the_job_of_someone_who_left_the_household_places_nobody_in_it() {
    let mut city = family(on(3, 1), false);
    city.persons[0].jobs.push(Lasting { from: on(3, 15), to: None, void: false });
    city.houses[0].members[0].to = Some(on(3, 10));
    assert_eq!(clock(&city).first_placed_on, None);
    assert_eq!(stock(&city, Part::ZefOverdue, on(3, 22)), 1);
    city.houses[0].members[0].to = Some(on(4, 1));
    assert_eq!(stock(&city, Part::ZefOverdue, on(3, 22)), 0);
    assert_eq!((stock(&city, Part::ZefUnplaced, on(3, 31)), stock(&city, Part::ZefUnplaced, on(4, 1))), (0, 1));
}

#[test]
fn a_case_that_leaves_on_its_last_day_fell_due_for_nobody() {
    let due = |exit, part| {
        let mut city = family(on(1, 31), true);
        city.houses[0].cases[0].exit = Some(exit);
        read(&cells(&shelf(&city)), 0, part, on(1, 1)..=on(12, 31))
    };
    assert_eq!((due(on(2, 20), Part::ZefDue), due(on(2, 21), Part::ZefDue)), (0, 1));
    assert_eq!((due(on(2, 29), Part::DualDue), due(on(3, 1), Part::DualDue)), (0, 1));
}
