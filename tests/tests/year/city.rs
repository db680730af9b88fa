//! Two districts and the city above them in one process: real registers, sessions and stores, and a clock that the test
//! turns. What is entered goes through the district bureau's own office, so every rule of form and wire applies.

use crate::{model::*, on};
use prost::Message;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use ring::signature::Ed25519KeyPair;
use std::{
    collections::BTreeMap,
    fmt::Write,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use taizhang_hub::{
    engine::FjallStore,
    months,
    rows::NodeRow,
    store::Space,
    totals::{audit, proven_value, value},
    writer::{Answer, Core, Job as Work, Peer, Review},
};
use taizhang_node::{
    desk::{Desk, Draft},
    ledger::{Clock, Ledger, LedgerDesk},
};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{CellKey, merged_into},
    citizen_id,
    date::{self, Day},
    indicator::{self, Period, Span},
    month::Month,
    pb::{self, Choice, ConflictState, Tier},
    register::{Value, number, registers},
};

use taizhang_tests::talk::session;

pub(crate) const CITY: u64 = 210_400_000_000;
/// Days from the first of a campaign to its last.
const CAMPAIGN_DAYS: Day = 30;
pub(crate) const DISTRICTS: [u64; 2] = [210_402_000_000, 210_403_000_000];
/// Every unit below the districts: streets, urban communities, a township, a village.
pub(crate) const UNITS: [u64; 8] = [
    210_402_011_000,
    210_402_011_003,
    210_402_011_004,
    210_403_002_000,
    210_403_002_001,
    210_403_103_000,
    210_403_103_201,
    210_403_103_202,
];

fn tree() -> String {
    let mut csv = String::from("code,name,parent,tier\n210400000000,抚顺市,,city\n");
    for code in DISTRICTS.into_iter().chain(UNITS) {
        let unit = OrgCode::new(code).unwrap();
        let tier = match unit.tier() {
            Tier::District => "district",
            Tier::Township => "township",
            _ => "community",
        };
        writeln!(csv, "{code},单位{code},{},{tier}", unit.parent().unwrap()).unwrap();
    }
    csv
}

struct District {
    core: Arc<Core>,
    bureau: Ledger,
    /// An office that only reads, and forgets to switch its computer on.
    reader: (u64, Ledger),
    sent: BTreeMap<CellKey, i64>,
}

/// The city on its day.
pub(crate) struct City {
    now: Arc<AtomicU64>,
    top: Arc<Core>,
    districts: Vec<District>,
    pub(crate) model: Model,
    random: StdRng,
    serial: u32,
    /// One of each district, and its first day.
    campaign: Option<([RecordId; 2], Day)>,
}

fn job(core: &Core, job: Work) -> Answer {
    core.commit(vec![job]).pop().unwrap().unwrap()
}

impl City {
    pub(crate) fn open(dir: &Path, seed: u64, day: Day) -> Self {
        let now = Arc::new(AtomicU64::new(0));
        let reading = now.clone();
        let clock: Clock = Arc::new(move || reading.load(Ordering::Relaxed));
        let hub = |code: u64, tier| {
            let store = FjallStore::open(&dir.join(format!("hub-{code}"))).unwrap();
            let core = Core::open(OrgCode::new(code).unwrap(), tier, Box::new(store), clock.clone()).unwrap();
            job(&core, Work::Tree(tree(), None));
            core
        };
        let top = hub(CITY, Tier::City);
        let districts = DISTRICTS.map(|code| {
            let unit = OrgCode::new(code).unwrap();
            let row = NodeRow { id: code.to_string(), unit: code, hub: true, ..NodeRow::default() };
            job(&top, Work::Enrolled(Box::new(row), None));
            let bureau = Ledger::open(&dir.join(format!("office-{code}")), unit, clock.clone()).unwrap();
            let own = UNITS.into_iter().find(|own| own / 1_000_000 == code / 1_000_000).unwrap();
            let place = dir.join(format!("office-{own}"));
            let reader = (own, Ledger::open(&place, OrgCode::new(own).unwrap(), clock.clone()).unwrap());
            District { core: hub(code, Tier::District), bureau, reader, sent: BTreeMap::new() }
        });
        let city = Self {
            now,
            top,
            districts: districts.into(),
            model: Model::default(),
            random: StdRng::seed_from_u64(seed),
            serial: 0,
            campaign: None,
        };
        city.turn_to(day);
        city
    }

    /// Turns the clock to the first minute of a day in Shanghai.
    pub(crate) fn turn_to(&self, day: Day) {
        self.now.store((day as u64 * 86_400 - 8 * 3_600 + 60) * 1_000, Ordering::Relaxed);
    }

    fn today(&self) -> Day {
        self.top.today()
    }

    /// How many commits and revisions there have been, on every hub.
    pub(crate) fn written(&self) -> Vec<u64> {
        let cores = self.districts.iter().map(|district| &district.core).chain([&self.top]);
        cores.map(|core| *core.subscribe().borrow()).collect()
    }

    fn dice(&mut self, below: usize) -> usize {
        self.random.random_range(0..below)
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.dice(100) < percent
    }

    fn new_id(&mut self) -> RecordId {
        RecordId::create(self.now.load(Ordering::Relaxed), self.random.random())
    }

    /// Saves a form at the bureau of the district that a unit is in.
    fn enter(&mut self, unit: u64, register: u32, id: RecordId, fields: &[(&str, Value)]) {
        let def = registers().get(register).unwrap();
        let mut draft = Draft::new(id, register);
        for (name, value) in fields {
            draft =
                draft.with(def.field_named(name).unwrap_or_else(|| panic!("{}.{name}", def.name)).tag, value.clone());
        }
        let district = self.districts.iter().find(|district| district.core.unit.covers(OrgCode::new(unit).unwrap()));
        for answer in LedgerDesk::new(&district.unwrap().bureau).save(vec![vec![draft]], "year") {
            answer.unwrap_or_else(|why| panic!("{} on {}: {why}", def.name, date::iso(self.today())));
        }
    }

    fn add(&mut self, unit: u64, register: u32, fields: &[(&str, Value)]) -> RecordId {
        let id = self.new_id();
        let home = [("home_unit", Value::Uint(unit))];
        self.enter(unit, register, id, &[&home[..], fields].concat());
        id
    }

    /// Every bureau tells its district, every district the city.
    pub(crate) fn sync(&mut self) {
        let today = self.today();
        self.model.disputes.clear();
        for (place, district) in self.districts.iter_mut().enumerate() {
            let (unit, reader) = &district.reader;
            let peer = Peer { id: format!("reader-{unit}"), unit: OrgCode::new(*unit).unwrap(), hub: false };
            // Two days of seven, and one of the districts' readers is away in June.
            if (today + place as Day) % 7 < 2 && !(place == 1 && (on(6, 1)..=on(6, 30)).contains(&today)) {
                session(&district.core, reader, &peer).unwrap();
                self.model.note_sync(*unit, today);
            }
            self.model.note_sync(district.core.unit.number(), today);
            let bureau = Peer { id: "bureau".into(), unit: district.core.unit, hub: false };
            let report = session(&district.core, &district.bureau, &bureau).unwrap();
            assert_eq!(report.refused, 0, "the district refused an entry");
            Self::review(district, today, &mut self.model);
            let cells: BTreeMap<CellKey, i64> = audit::own_cells(&district.core).unwrap().into_iter().collect();
            let gone = district.sent.keys().filter(|key| !cells.contains_key(key)).map(|key| (*key, 0));
            let news = cells.iter().filter(|(key, value)| district.sent.get(key) != Some(value));
            let changed: Vec<pb::CellValue> = news
                .map(|(key, value)| (*key, *value))
                .chain(gone)
                .map(|(key, value)| pb::CellValue {
                    unit: key.unit.number(),
                    part: key.part.into(),
                    date: key.date,
                    value,
                })
                .collect();
            district.sent = cells;
            let peer = Peer { id: district.core.unit.to_string(), unit: district.core.unit, hub: true };
            let last = *district.core.subscribe().borrow();
            job(
                &self.top,
                Work::Cells {
                    session: 0,
                    peer,
                    last,
                    cells: changed,
                    letters: Vec::new(),
                    marks: Vec::new(),
                    marked: 0,
                    stretch: prost::bytes::Bytes::new(),
                },
            );
        }
    }

    /// The queue of a district's reviewer: every second conflict is settled after two weeks, the others wait. Of two
    /// registrations of one person the later is merged into the earlier.
    fn review(district: &District, today: Day, model: &mut Model) {
        let day = |seconds: u64| date::shanghai(seconds * 1_000);
        let rows = || -> Vec<pb::Conflict> {
            let view = district.core.view();
            let rows = view.prefix(Space::Conflicts, &[]);
            rows.map(|row| pb::Conflict::decode(row.unwrap().1).unwrap()).collect()
        };
        // Of somebody who has left one of two registers nobody decides: who counts on which day is clear without it.
        let left: Vec<RecordId> = model
            .doubles
            .iter()
            .map(|double| (double.id, &model.persons[double.person]))
            .filter(|(_, person)| person.moved.is_some())
            .flat_map(|(double, person)| [double, person.id])
            .collect();
        let of_left = |row: &pb::Conflict| RecordId::from_slice(&row.record).is_some_and(|id| left.contains(&id));
        let waits = |row: &pb::Conflict| row.number % 2 == 1 || today < day(row.found) + 14 || of_left(row);
        for row in rows().into_iter().filter(|row| row.state() == ConflictState::Unsettled && !waits(row)) {
            let double = row.kind() == pb::ConflictKind::Duplicate;
            let keep = pb::ResolveRequest {
                numbers: vec![row.number],
                choice: if double { Choice::Merge } else { Choice::Keep }.into(),
                reason: "查验原件".into(),
                by: "year".into(),
                ..pb::ResolveRequest::default()
            };
            let Answer::Reviewed(answer) = job(&district.core, Work::Review(Review::Resolve(keep))) else { panic!() };
            assert!(answer.failed.is_empty(), "{:?}: {:?}", row.kind(), answer.failed);
        }
        model.disputes.extend(rows().into_iter().filter(|row| row.state() != ConflictState::ByRule).map(|row| {
            Dispute {
                unit: row.unit,
                found: day(row.found),
                closed: (row.state() != ConflictState::Unsettled).then(|| day(row.closed)),
            }
        }));
        let view = district.core.view();
        let merged = |id: RecordId| {
            let row = view.get(Space::Records, &id.0).unwrap();
            row.is_some_and(|row| merged_into(&Record::decode(row).unwrap()).is_some())
        };
        model.doubles.retain(|double| !merged(double.id));
    }

    /// Every figure of every unit equals what the oracle says; ancestors equal the sum of what is below them.
    pub(crate) fn compare(&self, day: Day) -> usize {
        let sum = |core: &Core, unit, one: &indicator::Indicator, period: &Period| {
            let value = value(core.view().as_ref(), unit, one, period).unwrap();
            (value.numerator, value.denominator, value.duplicates)
        };
        self.compare_with(&self.model, day, sum)
    }

    /// The same of what a closed month would hold: jobs without proof do not count.
    pub(crate) fn compare_proven(&self, day: Day) -> usize {
        let sum = |core: &Core, unit, one: &indicator::Indicator, period: &Period| {
            let value = proven_value(core.view().as_ref(), unit, one, period).unwrap();
            (value.numerator, value.denominator, value.duplicates)
        };
        self.compare_with(&self.model.proven(), day, sum)
    }

    fn compare_with(
        &self,
        model: &Model,
        day: Day,
        read: impl Fn(&Core, OrgCode, &indicator::Indicator, &Period) -> (i64, i64, i64),
    ) -> usize {
        let mut compared = 0;
        let period = Period::up_to(day, Span::Year);
        for one in indicator::all() {
            for (unit, wanted) in self.by_the_catalogue(model, one, day) {
                let code = OrgCode::new(unit).unwrap();
                for core in self.districts.iter().map(|district| &district.core).chain([&self.top]) {
                    if !core.unit.covers(code) {
                        continue;
                    }
                    let found = read(core, code, one, &period);
                    assert_eq!(
                        found,
                        wanted,
                        "{} {} of {unit} at {} on {} (found, by the catalogue)",
                        one.code,
                        one.zh,
                        core.unit,
                        date::iso(day)
                    );
                    compared += 1;
                }
            }
        }
        compared
    }

    /// The city locks a month, and what it has reported of it and of every month before is what the catalogue says of
    /// those months' last days by now. Returns how many figures that were, and how many lines corrected earlier months.
    pub(crate) fn lock(&mut self, month: Month) -> (usize, u32) {
        let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let by = "王科长".to_owned();
        let mut request = pb::MonthRequest { month: month.to_string(), by, ..pb::MonthRequest::default() };
        let refused = months::sign(&self.top, &key, &request).unwrap_err();
        assert!(matches!(refused, months::MonthsError::Gaps { .. }), "no office closes its month here: {refused}");
        request.reason = "基层未建月报".into();
        let (signed, sheets) = months::sign(&self.top, &key, &request).unwrap();
        job(&self.top, Work::Month { place: None, signed: Box::new(signed), sheets });
        let months = self.top.months();
        assert_eq!(months::verify(&self.top).unwrap(), [] as [&str; 0]);
        let model = self.model.proven();
        let mut compared = 0;
        for (name, figures) in months::reported(self.top.view().as_ref(), &months).unwrap() {
            let last = Month::read(&name).unwrap().last_day();
            for one in indicator::all() {
                for (unit, wanted) in self.by_the_catalogue(&model, one, last) {
                    let key = (unit, one.code.to_owned(), 0);
                    let found = figures
                        .get(&key)
                        .map_or((0, 0, 0), |value| (value.numerator, value.denominator, value.duplicates));
                    assert_eq!(found, wanted, "{} of {unit} in {name}, reported by {month}", one.code);
                    compared += 1;
                }
            }
        }
        let corrections = months.texts().last().unwrap().sheets.iter().map(|sheet| sheet.corrections).sum();
        (compared, corrections)
    }

    /// How many conflicts there were, and how many are settled.
    pub(crate) fn disputes(&self) -> (usize, usize) {
        let own = &self.model.disputes;
        (own.len(), own.iter().filter(|dispute| dispute.closed.is_some()).count())
    }

    /// What the catalogue says of an indicator in every unit; ancestors are the sum of what is below them.
    fn by_the_catalogue(&self, model: &Model, one: &indicator::Indicator, day: Day) -> BTreeMap<u64, (i64, i64, i64)> {
        let mut sums: BTreeMap<u64, (i64, i64, i64)> = BTreeMap::new();
        for unit in UNITS.into_iter().chain(DISTRICTS).chain([CITY]) {
            let Some(own) = model.figure(one.code, unit, day) else { continue };
            for above in OrgCode::new(unit).unwrap().up_to(self.top.unit) {
                let sum = sums.entry(above.number()).or_default();
                *sum = (sum.0 + own.0, sum.1 + own.1, sum.2 + own.2);
            }
        }
        sums
    }

    /// No recount finds a difference.
    pub(crate) fn recount(&self) {
        for core in self.districts.iter().map(|district| &district.core).chain([&self.top]) {
            let answer = audit::audit(core).unwrap();
            assert!(answer.differences.is_empty(), "{}: {:?}", core.unit, answer.differences);
        }
    }

    pub(crate) fn figure(&self, unit: u64, code: &str, day: Day) -> i64 {
        let (code, one) = (OrgCode::new(unit).unwrap(), indicator::by_code(code).unwrap());
        value(self.top.view().as_ref(), code, one, &Period::up_to(day, Span::Year)).unwrap().numerator
    }
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

/// What happens on a day.
impl City {
    pub(crate) fn live(&mut self, events: usize) {
        for _ in 0..events {
            match self.dice(40) {
                0..=3 => self.family(),
                4..=6 => self.lose_work(),
                7..=10 => self.find_work(),
                11 => self.leave_work(),
                12..=14 => self.recognise(),
                15 => self.leave_case(),
                16 | 17 => self.hardship(),
                18..=20 => self.visit(),
                21 | 22 => self.train(),
                23 => self.pair(),
                24 => self.post(),
                25 | 26 => self.assistant(),
                27 => self.premises(),
                28 => self.paper(),
                29 | 30 => self.title(),
                31 => self.task(),
                32 => self.fair(),
                33 => self.register_again(),
                34 => self.transfer(),
                35 => self.check_premises(),
                36 => self.verify(),
                37 => self.move_out(),
                38 => self.deregister(),
                _ => self.file_or_die(),
            }
        }
    }

    fn community(&mut self) -> u64 {
        let urban = [UNITS[1], UNITS[2], UNITS[4], UNITS[6], UNITS[7]];
        urban[self.dice(urban.len())]
    }

    fn any_unit(&mut self) -> u64 {
        UNITS[self.dice(UNITS.len())]
    }

    fn some(&mut self, length: usize) -> Option<usize> {
        (length > 0).then(|| self.dice(length))
    }

    /// A household of one to three persons, the third a child of the head.
    fn family(&mut self) {
        let (unit, today) = (self.community(), self.today());
        let verified = self.chance(60).then_some(today);
        let mut fields = vec![("hh_no", text(&format!("户{}", self.serial)))];
        fields.extend(verified.map(|day| ("verified_on", Value::Day(day))));
        let registered = self.registered();
        fields.extend(registered.map(|day| ("registered_on", Value::Day(day))));
        let resettled = self.chance(40);
        fields.push(("shanty_resettled", Value::Bool(resettled)));
        let house = self.add(unit, number::HOUSEHOLD, &fields);
        let index = self.model.houses.len();
        self.model.houses.push(House { id: house, resettled, unit, verified, registered });
        for place in 0..=self.dice(3) {
            self.person(unit, index, place == 2);
        }
    }

    /// Most forms name no day of registration, some that day, some an earlier one.
    fn registered(&mut self) -> Option<Day> {
        let today = self.today();
        [None, None, Some(today), Some(today - 40)][self.dice(4)]
    }

    fn person(&mut self, unit: u64, house: usize, child: bool) {
        self.serial += 1;
        let born = if child {
            (1986 + (self.serial % 4) as i16, 2, 3)
        } else {
            // Birthdays all over the year, around the ages that clocks turn on.
            let years = [1948, 1953, 1958, 1963, 1968, 1975];
            (years[self.dice(6)], 1 + self.dice(12) as i8, 1 + self.dice(28) as i8)
        };
        let male = self.chance(50);
        let order = self.model.persons.len() as u32 % 500 * 2 + u32::from(male);
        let digits = format!("210402{:04}{:02}{:02}{order:03}", born.0, born.1, born.2);
        let check = char::from(citizen_id::check_character(digits.as_bytes()).unwrap());
        let id_no = format!("{digits}{check}");
        // Whose own record says nothing of it is resettled as the household is.
        let (labour, own) = (self.chance(80), self.chance(60).then(|| self.chance(40)));
        let resettled = own.unwrap_or(self.model.houses[house].resettled);
        let (wishes_training, verified): (bool, Vec<Day>) =
            (self.chance(60), self.chance(70).then(|| self.today()).into_iter().collect());
        let mut fields = vec![
            ("id_no", text(&id_no)),
            ("name", text("某某")),
            ("labour_able", Value::Bool(labour)),
            ("job_willing", Value::Bool(labour)),
            ("laidoff_kind", text("1")),
        ];
        fields.extend(own.map(|own| ("shanty_resettled", Value::Bool(own))));
        fields.push(("train_wish", text(if wishes_training { "电工" } else { "无" })));
        fields.extend(verified.iter().map(|day| ("verified_on", Value::Day(*day))));
        let registered = self.registered();
        fields.extend(registered.map(|day| ("registered_on", Value::Day(day))));
        let id = self.add(unit, number::RESIDENT, &fields);
        let relation = text(if child { "20" } else { "10" });
        let household = Value::Ref(self.model.houses[house].id);
        self.add(unit, number::MEMBER, &[("household", household), ("person", Value::Ref(id)), ("relation", relation)]);
        self.model.persons.push(Person {
            id,
            id_no,
            unit,
            house,
            child,
            male,
            born,
            labour,
            resettled,
            wishes_training,
            verified,
            registered,
            died: None,
            moved: None,
            retired: None,
        });
    }

    /// Another office of the district registers somebody once more.
    fn register_again(&mut self) {
        let Some(person) = self.somebody() else { return };
        let (today, unit) = (self.today(), self.community());
        let own = &self.model.persons[person];
        let elsewhere = unit != own.unit && unit / 1_000_000 == own.unit / 1_000_000;
        if !elsewhere || self.model.doubles.iter().any(|double| double.person == person) || self.is_sent(person) {
            return;
        }
        let mut fields = vec![("id_no", text(&own.id_no)), ("name", text("某某"))];
        let verified = self.chance(50).then_some(today);
        fields.extend(verified.map(|day| ("verified_on", Value::Day(day))));
        // Never before the first one: which of the two came first is clear, and where the first counts all its own does.
        let first = self.model.persons[person].registered;
        let registered = match (self.registered(), first) {
            (own, None) => own,
            (own, Some(first)) => Some(own.unwrap_or(today).max(first)),
        };
        fields.extend(registered.map(|day| ("registered_on", Value::Day(day))));
        let id = self.add(unit, number::RESIDENT, &fields);
        self.model.doubles.push(Double { id, person, unit, verified, registered, moved: None });
    }

    /// Somebody moves away from where it was registered first; the office of the second registration knows nothing of it.
    fn move_out(&mut self) {
        let today = self.today();
        let twice = self.some(self.model.doubles.len()).map(|at| self.model.doubles[at].person);
        let Some(person) = twice.filter(|_| self.chance(70)).or_else(|| self.somebody()) else { return };
        let own = &self.model.persons[person];
        let gone = own.died.is_some() || own.moved.is_some() || own.retired.is_some();
        let works = self.model.jobs.iter().any(|job| job.person == person && job.days.from > today);
        if gone || works || self.is_sent(person) {
            return;
        }
        let (unit, id) = (own.unit, own.id);
        self.enter(unit, number::RESIDENT, id, &[("moveout_on", Value::Day(today))]);
        self.model.persons[person].moved = Some(today);
    }

    /// Somebody is verified again: that un-says no day on which it was before.
    fn verify(&mut self) {
        let Some(person) = self.somebody() else { return };
        let today = self.today();
        if self.model.persons[person].verified.last() == Some(&today) {
            return;
        }
        let (unit, id) = (self.model.persons[person].unit, self.model.persons[person].id);
        self.enter(unit, number::RESIDENT, id, &[("verified_on", Value::Day(today))]);
        self.model.persons[person].verified.push(today);
    }

    /// A registration ends with work as its cause, and nobody tells of a job.
    fn deregister(&mut self) {
        let today = self.today();
        let open = |spell: &Spell| spell.days.to.is_none() && spell.days.from < today;
        let open: Vec<usize> = (0..self.model.spells.len()).filter(|at| open(&self.model.spells[*at])).collect();
        let Some(at) = self.some(open.len()).map(|at| open[at]) else { return };
        let (person, id) = (self.model.spells[at].person, self.model.spells[at].id);
        if self.model.persons[person].died.is_some() || self.model.persons[person].moved.is_some() {
            return;
        }
        let unit = self.model.persons[person].unit;
        let end = [("end_on", Value::Day(today)), ("end_cause", text("1"))];
        self.enter(unit, number::UNEMPLOYMENT_SPELL, id, &end);
        self.model.spells[at].days.to = Some(today);
    }

    fn is_sent(&self, person: usize) -> bool {
        self.model.transfers.iter().any(|own| own.person == person && own.answered.is_none())
    }

    /// An office sends somebody to another one of the district, or one that was asked sends somebody back.
    fn transfer(&mut self) {
        let today = self.today();
        let waiting: Vec<usize> = (0..self.model.transfers.len())
            .filter(|at| self.model.transfers[*at].answered.is_none() && self.model.transfers[*at].asked < today)
            .collect();
        if let Some(at) = self.some(waiting.len()).map(|at| waiting[at]).filter(|_| self.random.random_bool(0.4)) {
            let own = self.model.transfers[at].clone();
            let person = self.model.persons[own.person].id;
            let id = self.asked_for(own.to, person);
            let answer = [("decision", text("2")), ("decision_reason", text("查无此人"))];
            self.enter(own.to, number::TRANSFER, id, &answer);
            self.model.transfers[at].answered = Some(today);
            return;
        }
        let Some(person) = self.somebody() else { return };
        let (to, (unit, _)) = (self.community(), self.of(person));
        let within = to != unit && to / 1_000_000 == unit / 1_000_000;
        if !within || self.is_sent(person) || self.model.doubles.iter().any(|double| double.person == person) {
            return;
        }
        let id = self.model.persons[person].id;
        self.enter(unit, number::RESIDENT, id, &[("transfer_to", Value::Uint(to))]);
        self.model.transfers.push(Transfer { person, to, asked: today, answered: None });
    }

    /// The open transfer of somebody, as the district wrote it for the unit that was asked.
    fn asked_for(&self, to: u64, person: RecordId) -> RecordId {
        let district = self.districts.iter().find(|district| district.core.unit.covers(OrgCode::new(to).unwrap()));
        let view = district.unwrap().core.view();
        let mut rows = view.prefix(Space::Records, &[]).map(Result::unwrap);
        let found = rows.find(|(_, row)| {
            let record = Record::decode(row.clone()).unwrap();
            let open = record.register == number::TRANSFER && record.day(27).is_none();
            open && record.reference(20) == Some(person)
        });
        RecordId::from_slice(&found.unwrap().0).unwrap()
    }

    /// Somebody who is alive and has not retired.
    fn somebody(&mut self) -> Option<usize> {
        let index = self.some(self.model.persons.len())?;
        let person = &self.model.persons[index];
        (person.died.is_none() && person.moved.is_none() && person.retired.is_none()).then_some(index)
    }

    fn of(&self, person: usize) -> (u64, Value) {
        let person = &self.model.persons[person];
        (person.unit, Value::Ref(person.id))
    }

    fn lose_work(&mut self) {
        let Some(person) = self.somebody() else { return };
        let today = self.today();
        if self.model.spells.iter().any(|spell| spell.person == person && spell.days.to.is_none_or(|to| to >= today)) {
            return;
        }
        let lost = today - [0, 10, 100, 300, 360, 500][self.dice(6)];
        let (unit, of) = self.of(person);
        let id = self.add(
            unit,
            number::UNEMPLOYMENT_SPELL,
            &[("person", of), ("lost_on", Value::Day(lost)), ("reg_on", Value::Day(today))],
        );
        let days = Lasting { from: today, to: None };
        self.model.spells.push(Spell { id, person, lost, days });
    }

    fn find_work(&mut self) {
        let helped = if self.chance(40) { self.somebody_helped() } else { None };
        let Some(person) = helped.or_else(|| self.somebody()) else { return };
        let today = self.today();
        // Now and then somebody tells of a job that began long ago; where a case might be contradicted, nobody does.
        let house = self.model.persons[person].house;
        let told_late = self.chance(8) && !self.model.cases.iter().any(|case| case.house == house);
        let from = if told_late { today - 8 - self.dice(30) as Day } else { today + [0, 0, 0, 1, 7][self.dice(5)] };
        let campaign = self.chance(30);
        let (unit, of) = self.of(person);
        // The office of a second registration may hear of it first.
        let double = self.model.doubles.iter().find(|double| double.person == person).filter(|_| !told_late).cloned();
        let double = double.filter(|_| self.chance(50));
        let (unit, of) = double.as_ref().map_or((unit, of), |double| (double.unit, Value::Ref(double.id)));
        let here: Vec<usize> = (0..self.model.posts.len()).filter(|at| self.model.posts[*at].unit == unit).collect();
        let post = if self.chance(50) && !told_late && double.is_none() {
            self.some(here.len()).map(|at| here[at])
        } else {
            None
        };
        self.serial += 1;
        let mut fields = vec![
            ("person", of),
            ("kind", text(if post.is_some() { "2" } else { "1" })),
            ("employer", text(&format!("厂{}", self.serial))),
            ("start_on", Value::Day(from)),
            ("channel", text(if campaign { "5" } else { "3" })),
        ];
        let proven = !self.serial.is_multiple_of(3);
        if proven {
            fields.push(("proof", Value::Many(vec![text("合同")])));
        }
        fields.extend(post.map(|at| ("post", Value::Ref(self.model.posts[at].id))));
        let id = self.add(unit, number::PLACEMENT, &fields);
        let days = Lasting { from, to: None };
        self.model.jobs.push(Job { id, person, days, entered: today, campaign, post, proven });
        let unit = self.model.persons[person].unit;
        let open = self.model.spells.iter().position(|spell| spell.person == person && spell.days.to.is_none());
        if let Some(open) = open.filter(|_| from > today) {
            let worked = self.chance(80);
            let end = [("end_on", Value::Day(from)), ("end_cause", text(if worked { "1" } else { "7" }))];
            self.enter(unit, number::UNEMPLOYMENT_SPELL, self.model.spells[open].id, &end);
            self.model.spells[open].days.to = Some(from);
        }
    }

    /// A member of a household that asks for two jobs: offices look for those first.
    fn somebody_helped(&mut self) -> Option<usize> {
        let model = &self.model;
        let asks =
            |house| model.cases.iter().any(|case| case.house == house && case.exit.is_none() && case.asked.is_some());
        let seeks = |at: &usize| {
            let person = &model.persons[*at];
            asks(person.house) && person.died.is_none() && person.moved.is_none() && person.retired.is_none()
        };
        let without = |at: &usize| !model.jobs.iter().any(|job| job.person == *at && job.days.to.is_none());
        let seeking: Vec<usize> = (0..model.persons.len()).filter(|at| seeks(at) && without(at)).collect();
        self.some(seeking.len()).map(|at| seeking[at])
    }

    fn leave_work(&mut self) {
        let Some(at) = self.some(self.model.jobs.len()) else { return };
        let (today, own) = (self.today(), self.model.jobs[at].clone());
        if own.days.to.is_some() || own.days.from > today || self.model.persons[own.person].died.is_some() {
            return;
        }
        let unit = self.model.persons[own.person].unit;
        self.enter(unit, number::PLACEMENT, own.id, &[("end_on", Value::Day(today + 1)), ("end_cause", text("2"))]);
        self.model.jobs[at].days.to = Some(today + 1);
    }

    fn recognise(&mut self) {
        let Some(house) = self.some(self.model.houses.len()) else { return };
        let (today, graduate) = (self.today(), self.chance(25));
        let employed = |person: &Person| {
            let index = self.model.persons.iter().position(|own| own.id == person.id);
            self.model.jobs.iter().any(|job| Some(job.person) == index && job.days.to.is_none_or(|to| to > today))
        };
        let works = self.model.persons.iter().filter(|person| person.house == house).any(employed);
        let busy =
            self.model.cases.iter().any(|case| case.house == house && case.graduate == graduate && case.exit.is_none());
        if works || busy {
            return;
        }
        let applied = today - self.dice(20) as Day;
        let asked = self.chance(50).then(|| today + self.dice(5) as Day);
        let (unit, id) = (self.model.houses[house].unit, self.model.houses[house].id);
        let mut fields = vec![
            ("household", Value::Ref(id)),
            ("kind", text(if graduate { "2" } else { "1" })),
            ("applied_on", Value::Day(applied)),
            ("recognised_on", Value::Day(today)),
        ];
        if let Some(asked) = asked {
            fields.extend([("want_dual", Value::Bool(true)), ("asked_on", Value::Day(asked))]);
        }
        let id = self.add(unit, number::ZEF_CASE, &fields);
        let (exit, stable, silent) = (None, false, false);
        self.model.cases.push(Case { id, house, graduate, applied, recognised: today, asked, exit, stable, silent });
    }

    fn leave_case(&mut self) {
        let Some(at) = self.some(self.model.cases.len()) else { return };
        let (today, own) = (self.today(), self.model.cases[at].clone());
        if own.exit.is_some() || own.recognised >= today {
            return;
        }
        let stable = self.chance(50);
        let silent = !stable && self.chance(50);
        let cause = text(match (stable, silent) {
            (true, _) => "1",
            (_, true) => "3",
            _ => "4",
        });
        let unit = self.model.houses[own.house].unit;
        self.enter(unit, number::ZEF_CASE, own.id, &[("exit_on", Value::Day(today)), ("exit_cause", cause)]);
        self.model.cases[at].exit = Some(today);
        self.model.cases[at].stable = stable;
        self.model.cases[at].silent = silent;
    }

    fn hardship(&mut self) {
        let Some(person) = self.somebody() else { return };
        let today = self.today();
        let (unit, of) = self.of(person);
        let open = self.model.hardships.iter().position(|case| case.person == person && case.days.to.is_none());
        if let Some(open) = open {
            if self.model.hardships[open].days.from < today && self.chance(40) {
                let id = self.model.hardships[open].id;
                let fields = [("exit_on", Value::Day(today)), ("exit_cause", text("5"))];
                self.enter(unit, number::HARDSHIP_CASE, id, &fields);
                self.model.hardships[open].days.to = Some(today);
            }
            return;
        }
        let id = self.add(
            unit,
            number::HARDSHIP_CASE,
            &[
                ("person", of),
                ("kind", Value::Many(vec![text("01"), text("07")])),
                ("applied_on", Value::Day(today - 8)),
                ("recognised_on", Value::Day(today)),
            ],
        );
        self.model.hardships.push(Hardship { id, person, days: Lasting { from: today, to: None } });
    }

    fn visit(&mut self) {
        let today = self.today();
        let Some(house) = self.some(self.model.houses.len()) else { return };
        let unit = self.model.houses[house].unit;
        let members: Vec<usize> =
            (0..self.model.persons.len()).filter(|at| self.model.persons[*at].house == house).collect();
        let person = if self.chance(60) { self.some(members.len()).map(|at| members[at]) } else { None };
        let of_house = person.is_none() || self.chance(40);
        let (visit, campaign) = (self.chance(70), self.chance(50));
        let sends = self.dice(4);
        let mut fields = vec![("kind", text(if visit { "1" } else { "2" })), ("on", Value::Day(today))];
        fields.extend(person.map(|at| ("person", self.of(at).1)));
        fields.extend(of_house.then(|| ("household", Value::Ref(self.model.houses[house].id))));
        if sends > 0 {
            let codes = (1..=sends).map(|code| text(&code.to_string())).collect();
            fields.push(("send_type", Value::Many(codes)));
        }
        let campaign = campaign.then(|| {
            let (ids, from) = self.campaign_of_now();
            fields.push(("campaign", Value::Ref(ids[usize::from(unit >= DISTRICTS[1])])));
            (from, from + CAMPAIGN_DAYS)
        });
        self.add(unit, number::SERVICE_RECORD, &fields);
        let house = of_house.then_some(house);
        self.model.services.push(Service { person, house, on: today, visit, campaign, sends: sends as i64 });
    }

    /// The campaigns that visits are made for: each lasts for a month, and visits go on when it is over.
    fn campaign_of_now(&mut self) -> ([RecordId; 2], Day) {
        let today = self.today();
        if let Some(known) = self.campaign.filter(|(_, from)| today < from + 3 * CAMPAIGN_DAYS) {
            return known;
        }
        self.serial += 1;
        let title = format!("援助月{}", self.serial);
        let to = Value::Day(today + CAMPAIGN_DAYS);
        let month = [("title", text(&title)), ("from_on", Value::Day(today)), ("to_on", to)];
        let started = (DISTRICTS.map(|unit| self.add(unit, number::CAMPAIGN, &month)), today);
        self.campaign = Some(started);
        started
    }

    fn train(&mut self) {
        let Some(person) = self.somebody() else { return };
        let (today, free) = (self.today(), self.chance(70));
        let (unit, of) = self.of(person);
        self.serial += 1;
        let class = self.add(
            unit,
            number::TRAINING_CLASS,
            &[("class_no", text(&format!("班{}", self.serial))), ("free", Value::Bool(free))],
        );
        let fields = [("person", of), ("training_class", Value::Ref(class)), ("enrolled_on", Value::Day(today))];
        self.add(unit, number::TRAINEE, &fields);
        self.model.trainings.push(Training { person, free, on: today });
    }

    fn pair(&mut self) {
        let Some(house) = self.some(self.model.houses.len()) else { return };
        let (today, unit) = (self.today(), self.model.houses[house].unit);
        let to = self.chance(50).then(|| today + 40);
        let member = (0..self.model.persons.len()).find(|at| self.model.persons[*at].house == house);
        let person = if self.chance(50) { member } else { None };
        let mut fields = vec![("leader", text("某局长")), ("from_on", Value::Day(today))];
        fields.extend(to.map(|to| ("to_on", Value::Day(to))));
        fields.push(match person {
            Some(at) => ("person", self.of(at).1),
            None => ("household", Value::Ref(self.model.houses[house].id)),
        });
        self.add(unit, number::PAIRING, &fields);
        let house = person.is_none().then_some(house);
        self.model.pairs.push(Pair { person, house, days: Lasting { from: today, to } });
    }

    fn post(&mut self) {
        let (unit, today) = (self.community(), self.today());
        self.serial += 1;
        let (places, until) = (1 + self.dice(2) as u64, today + [20, 70, 90][self.dice(3)]);
        let to = self.chance(30).then(|| today + 100);
        let mut fields = vec![
            ("post_no", text(&format!("公岗{}", self.serial))),
            ("kind", text("1")),
            ("places", Value::Uint(places)),
            ("from_on", Value::Day(today)),
            ("subsidy_until", Value::Day(until)),
        ];
        fields.extend(to.map(|to| ("to_on", Value::Day(to))));
        let id = self.add(unit, number::POST, &fields);
        let days = Lasting { from: today, to };
        self.model.posts.push(Post { id, unit, places: places as i64, days, subsidy_until: until });
    }

    fn assistant(&mut self) {
        let (unit, today) = (self.any_unit(), self.today());
        if self.chance(30) {
            let Some(at) = self.some(self.model.helpers.len()) else { return };
            let own = self.model.helpers[at].clone();
            if own.days.to.is_none() && own.days.from < today {
                self.enter(own.unit, number::ASSISTANT, own.id, &[("to_on", Value::Day(today))]);
                self.model.helpers[at].days.to = Some(today);
            }
            return;
        }
        // Of few people some serve several offices of one district.
        let who = if unit >= DISTRICTS[1] { 10 } else { 0 } + self.dice(6) as u32;
        let digits = format!("2104021970010{}{who:03}", 1 + who % 9);
        let check = char::from(citizen_id::check_character(digits.as_bytes()).unwrap());
        let id = self.add(
            unit,
            number::ASSISTANT,
            &[("name", text("助手")), ("id_no", text(&format!("{digits}{check}"))), ("from_on", Value::Day(today))],
        );
        let mut certificate = None;
        if self.chance(50) {
            self.serial += 1;
            let (level, to) = (3 + self.dice(2) as u8, self.chance(30).then(|| today + 60));
            let mut fields = vec![
                ("assistant", Value::Ref(id)),
                ("level", text(&level.to_string())),
                ("cert_no", text(&format!("证{}", self.serial))),
                ("issued_on", Value::Day(today)),
            ];
            fields.extend(to.map(|to| ("void_on", Value::Day(to))));
            self.add(unit, number::CREDENTIAL, &fields);
            certificate = Some((level, Lasting { from: today, to }));
        }
        self.model.helpers.push(Helper { id, unit, who, days: Lasting { from: today, to: None }, certificate });
    }

    fn premises(&mut self) {
        let (unit, from) = (self.any_unit(), self.today());
        // Of two versions of one day nobody knows which is the later.
        if self.model.premises.iter().any(|own| own.unit == unit && own.from == from) {
            return;
        }
        // A resettlement community is never one of the others whose premises would allow a window.
        let (shanty, fit) = (unit == UNITS[1] && self.chance(60), self.chance(50));
        let (window, fixed) = (self.chance(50), self.chance(50));
        let (area, six) = (9_900 + self.dice(3) as u64 * 100, self.chance(50));
        let three = [80, 85, 95].map(|least| least + self.dice(8) as u64);
        let checked = self.chance(60);
        let mut fields = vec![
            ("kind", text("3")),
            ("effective_on", Value::Day(from)),
            ("shanty", Value::Bool(shanty)),
            ("premises_fit", Value::Bool(fit)),
            ("one_stop_window", Value::Bool(window)),
            ("fixed_place", Value::Bool(fixed)),
            ("area_m2", Value::Uint(area)),
            ("three_score", Value::Many(three.map(Value::Uint).to_vec())),
        ];
        let check = Checked { on: from, area, six };
        if checked {
            fields.retain(|(name, _)| *name != "area_m2");
            fields.extend(Self::found(check));
        }
        let papers = ["机构", "2 聘用合同", "经费", "4 产权证", "制度", "6 台账"];
        fields.push(("six_evidence", Value::Many(papers.map(text).to_vec())));
        let id = self.add(unit, number::FACILITY, &fields);
        let checks = if checked { vec![check] } else { Vec::new() };
        self.model.premises.push(Premises { id, unit, from, shanty, fit, window, fixed, checks, three });
    }

    /// What a check by the district finds, as its form says it.
    fn found(check: Checked) -> [(&'static str, Value); 4] {
        let codes = (1..=if check.six { 6 } else { 5 }).map(|code: u8| text(&code.to_string())).collect();
        [
            ("checked_on", Value::Day(check.on)),
            ("area_m2", Value::Uint(check.area)),
            ("area_verified", Value::Bool(true)),
            ("six_verified", Value::Many(codes)),
        ]
    }

    /// The district checks premises as they stand, for the first time or once more, in the record that there is; now and
    /// then it finds other points than were claimed. What was so before stays so before.
    fn check_premises(&mut self) {
        let today = self.today();
        let (area, six, rescored) = (9_900 + self.dice(3) as u64 * 100, self.chance(60), self.chance(40));
        let unit = self.any_unit();
        let last = self.model.premises.iter().filter(|own| own.unit == unit).max_by_key(|own| own.from).cloned();
        let Some(mut own) = last.filter(|own| own.from < today) else { return };
        let check = Checked { on: today, area, six };
        let mut fields = Self::found(check).to_vec();
        if rescored {
            own.three = [80, 85, 95].map(|least| least + self.dice(8) as u64);
            fields.push(("three_score", Value::Many(own.three.map(Value::Uint).to_vec())));
        }
        self.enter(unit, number::FACILITY, own.id, &fields);
        (own.from, own.checks) = (today, vec![check]);
        self.model.premises.push(own);
    }

    fn paper(&mut self) {
        let (unit, from) = (self.any_unit(), self.today());
        for kind in 1..=4_u8 {
            if self.chance(20) {
                continue;
            }
            let until = self.chance(50).then(|| from + 50);
            let mut fields =
                vec![("kind", text(&kind.to_string())), ("title", text("制度")), ("published_on", Value::Day(from))];
            fields.extend(until.map(|until| ("until", Value::Day(until))));
            self.add(unit, number::PUBLISHED_DOC, &fields);
            self.model.papers.push(Paper { unit, kind, from, until });
        }
    }

    /// Certifies, orders to rectify, restores, revokes or checks.
    fn title(&mut self) {
        let urban = [UNITS[1], UNITS[2], UNITS[4]];
        let (unit, today) = (urban[self.dice(3)], self.today());
        let held = self.model.titles.iter().position(|title| title.unit == unit && title.revoked.is_none());
        let Some(at) = held else {
            // Whoever lost the title waits for a year, and an overdue household keeps a community from it.
            let lost = self.model.titles.iter().any(|title| title.unit == unit);
            if lost || self.figure(unit, "K08", today) > 0 {
                return;
            }
            let certified =
                [("stage", text("5")), ("applied_on", Value::Day(today - 60)), ("certified_on", Value::Day(today))];
            let id = self.add(unit, number::FEC_CASE, &certified);
            let (rectify, restored, revoked) = (None, None, None);
            self.model.titles.push(Title { id, unit, certified: today, rectify, restored, revoked });
            return;
        };
        let own = self.model.titles[at].clone();
        if self.chance(50) {
            let fields = [("fec_case", Value::Ref(own.id)), ("checked_on", Value::Day(today)), ("result", text("1"))];
            self.add(unit, number::SPOT_CHECK, &fields);
            self.model.checks.push(Check { unit, on: today });
        } else if own.rectify.is_none() && own.certified < today {
            let due = today + 5 + self.dice(20) as Day;
            let fields = [("stage", text("6")), ("rectify_from", Value::Day(today)), ("rectify_due", Value::Day(due))];
            self.enter(unit, number::FEC_CASE, own.id, &fields);
            self.model.titles[at].rectify = Some((today, due));
        } else if own.restored.is_none() && own.rectify.is_some_and(|(ordered, _)| ordered < today) && self.chance(50) {
            // Every second one mends it.
            if at.is_multiple_of(2) {
                self.enter(unit, number::FEC_CASE, own.id, &[("stage", text("5")), ("restored_on", Value::Day(today))]);
                self.model.titles[at].restored = Some(today);
            } else {
                let (ordered, due) = own.rectify.unwrap();
                if today <= due {
                    // Within the term only what a recheck has found is a reason.
                    let failed = [
                        ("fec_case", Value::Ref(own.id)),
                        ("ordered_on", Value::Day(ordered)),
                        ("due_on", Value::Day(due)),
                        ("rechecked_on", Value::Day(today)),
                        ("result", text("2")),
                    ];
                    self.add(unit, number::RECTIFICATION, &failed);
                }
                let why =
                    [("stage", text("7")), ("revoked_on", Value::Day(today)), ("revoke_reason", text("整顿不到位"))];
                self.enter(unit, number::FEC_CASE, own.id, &why);
                self.model.titles[at].revoked = Some(today);
            }
        }
    }

    fn task(&mut self) {
        let today = self.today();
        let open = self.model.tasks.iter().position(|task| task.closed.is_none() && task.withdrawn.is_none());
        if let Some(at) = open.filter(|_| self.random.random_bool(0.6)) {
            let own = self.model.tasks[at].clone();
            if self.chance(20) {
                self.enter(own.unit, number::TASK, own.id, &[("withdrawn_on", Value::Day(today))]);
                self.model.tasks[at].withdrawn = Some(today);
            } else {
                self.enter(
                    own.unit,
                    number::TASK,
                    own.id,
                    &[("report", text("已办")), ("closed_on", Value::Day(today))],
                );
                self.model.tasks[at].closed = Some(today);
            }
            return;
        }
        let (unit, due) = (self.any_unit(), today + 1 + self.dice(40) as Day);
        let district = DISTRICTS[usize::from(unit >= DISTRICTS[1])];
        let id = self.add(
            unit,
            number::TASK,
            &[
                ("title", text("清零")),
                ("from_unit", Value::Uint(district)),
                ("given_on", Value::Day(today)),
                ("due_on", Value::Day(due)),
            ],
        );
        self.model.tasks.push(Task { id, unit, due, closed: None, withdrawn: None });
    }

    fn fair(&mut self) {
        let (unit, on) = (self.any_unit(), self.today());
        let (in_community, intents, hired) = (self.chance(50), self.dice(30) as u64, self.dice(10) as u64);
        self.add(
            unit,
            number::EVENT,
            &[
                ("title", text("洽谈会")),
                ("kind", text(if in_community { "2" } else { "1" })),
                ("on", Value::Day(on)),
                ("intents", Value::Uint(intents)),
                ("hired", Value::Uint(hired)),
            ],
        );
        let (intents, hired) = (intents as i64, hired as i64);
        self.model.fairs.push(Fair { unit, on, in_community, intents, hired });
    }

    fn file_or_die(&mut self) {
        let today = self.today();
        match self.dice(4) {
            0 => {
                let Some(person) = self.somebody() else { return };
                let works = self.model.jobs.iter().any(|job| job.person == person && job.days.from > today);
                if !works {
                    let (unit, _) = self.of(person);
                    let id = self.model.persons[person].id;
                    self.enter(unit, number::RESIDENT, id, &[("death_on", Value::Day(today))]);
                    self.model.persons[person].died = Some(today);
                }
            }
            1 => {
                let Some(person) = self.somebody() else { return };
                let (unit, _) = self.of(person);
                let id = self.model.persons[person].id;
                self.enter(unit, number::RESIDENT, id, &[("retire_on", Value::Day(today))]);
                self.model.persons[person].retired = Some(today);
            }
            _ => {
                let done: Vec<usize> =
                    (0..self.model.cases.len()).filter(|at| self.model.cases[*at].exit.is_some()).collect();
                let case = if self.chance(60) { self.some(done.len()).map(|at| done[at]) } else { None };
                self.serial += 1;
                let formed = today - self.dice(25) as Day;
                let archived = self.chance(80).then_some(today);
                let (unit, files) = match case {
                    Some(case) => (self.model.houses[self.model.cases[case].house].unit, Files::Case(case)),
                    None => (self.any_unit(), Files::Paper),
                };
                let mut fields = vec![
                    ("archive_no", text(&format!("档{}", self.serial))),
                    ("class", text("1")),
                    ("title", text("台账")),
                    ("formed_on", Value::Day(formed)),
                    ("keep", text("2")),
                ];
                fields.extend(archived.map(|on| ("archived_on", Value::Day(on))));
                fields.extend(case.map(|case| ("record_ref", Value::Ref(self.model.cases[case].id))));
                self.add(unit, number::ARCHIVE_ENTRY, &fields);
                self.model.filed.push(Filed { unit, files, formed, archived });
            }
        }
    }
}
