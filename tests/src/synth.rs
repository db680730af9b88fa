//! Synthetic registers: the same seed gives the same city, so a load run or a failing test can be repeated.
//! Invariant: what comes out passes `check` on the generator's own day, and no two persons of one generator share an
//! id number. Nobody here exists: the area codes 210490 to 210499 are assigned to no place.
//! The load tool, the demo and the end-to-end tests fill offices through here.

mod words;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{collections::HashMap, ops::Range, sync::OnceLock};
use taizhang_node::desk::Draft;
use taizhang_proto::{
    OrgCode, RecordId, citizen_id,
    date::{self, Day},
    pb::Tier,
    register::{Value, number, registers},
};
use words::{
    EMPLOYERS, ESTATES, FORMER, GIVEN_FEMALE, GIVEN_MALE, JOBS, MIDDLE, NOTES, ROADS, SKILLS, STREETS, SURNAMES, TRADES,
};

/// First of the ten area codes that are assigned to no place.
const AREA: u64 = 210_490;
/// How many area codes.
const AREAS: u64 = 10;
/// Birthdays that are drawn from: 16 to nearly 60 years ago.
const BIRTHDAYS: u64 = 16_000;
/// How many id numbers there are: birthday, area and a three-digit sequence.
const NUMBERS: u64 = BIRTHDAYS * AREAS * 1_000;
/// Spreads consecutive serials evenly over all numbers; without a common divisor, so each number comes up once.
const STRIDE: u64 = 98_885_431;
/// Persons in the block of numbers in which a seed starts.
const BLOCK: u64 = 100_000;

/// One person in a hundred starts the household of a zero-employment case.
const PERSONS_PER_CASE: usize = 100;
/// Cases were recognised within this many days.
const CASE_DAYS: Day = 60;
/// How far back placements and spells begin, days.
const PAST: Day = 3 * 365;

/// A generator of registers, seeded. Generators whose seeds differ by less than 1,600 share no id number while each
/// makes at most 100,000 persons.
#[derive(Debug)]
pub struct City {
    rng: StdRng,
    today: Day,
    serial: u64,
    paper: u64,
}

/// Who a person is, as far as other records of the same group depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// In a job.
    Employed,
    /// Registered as unemployed.
    Registered,
    /// At school, at home, not looking.
    Apart,
}

/// What becomes of a zero-employment case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CaseFate {
    InTime,
    Late,
    Open,
    Dual,
}

/// A resident about to be saved.
struct Resident {
    id: RecordId,
    standing: Standing,
    drafts: Vec<Draft>,
}

impl City {
    /// A generator whose business day is `today`.
    pub fn new(seed: u64, today: Day) -> Self {
        let serial = seed % (NUMBERS / BLOCK) * BLOCK;
        Self { rng: StdRng::seed_from_u64(seed), today, serial, paper: seed % 10_000 * BLOCK }
    }

    /// The generator of a seed that has made so many persons already: what it makes from now on is new.
    pub fn going_on(seed: u64, today: Day, made: usize) -> Self {
        let mut city = Self::new(seed, today);
        // Somebody may have left since, and each person has a few papers.
        let made = made as u64 + 1_000;
        city.serial = (city.serial + made) % NUMBERS;
        city.paper += BLOCK / 2 + made;
        city.rng = StdRng::seed_from_u64(seed.wrapping_add(made << 32));
        city
    }

    /// One resident: some fifteen fields, about 300 bytes of message.
    pub fn person(&mut self, unit: OrgCode, id: RecordId) -> Draft {
        let resettled = self.chance(0.05);
        let standing = self.standing(resettled);
        self.resident(unit, id, standing, resettled)
    }

    /// Everything that one office holds, in groups that are each saved whole: a household or a single person with
    /// what belongs to them, and the office's own records. Zero-employment cases and titles are for urban
    /// communities, premises for rural townships; districts and cities hold nothing.
    pub fn office(&mut self, unit: OrgCode, persons: usize, new_id: &mut dyn FnMut() -> RecordId) -> Vec<Vec<Draft>> {
        if matches!(unit.tier(), Tier::District | Tier::City) {
            return Vec::new();
        }
        let mut groups = Vec::new();
        let mut made = 0;
        let mut next_case = self.below(PERSONS_PER_CASE);
        while made < persons {
            let left = persons - made;
            if unit.is_urban_community() && made >= next_case && left >= 2 {
                let adults = if left > 2 && self.chance(0.3) { 3 } else { 2 };
                groups.push(self.case_family(unit, adults, new_id));
                next_case += PERSONS_PER_CASE;
                made += adults;
            } else if left >= 2 && self.chance(0.4) {
                let adults = if left > 2 && self.chance(0.4) { 3 } else { 2 };
                groups.push(self.family(unit, adults, new_id));
                made += adults;
            } else {
                groups.push(self.adult(unit, new_id).drafts);
                made += 1;
            }
        }
        groups.extend(self.premises(unit, new_id));
        groups.extend(self.staff(unit, new_id));
        groups.extend(self.title(unit, new_id));
        groups
    }

    /// One live entry, saved whole: a placement of someone on the register, a new phone number, or a new resident who
    /// registers as unemployed.
    pub fn live_edit(
        &mut self,
        existing: &[RecordId],
        new_id: &mut dyn FnMut() -> RecordId,
        unit: OrgCode,
    ) -> Vec<Draft> {
        let kind = self.below(10);
        if existing.is_empty() || kind < 2 {
            let person = new_id();
            let resident = self.resident(unit, person, Standing::Registered, false);
            let registered = self.today;
            return vec![resident, self.spell(unit, new_id(), person, registered)];
        }
        let person = existing[self.below(existing.len())];
        if kind < 5 {
            let phone = self.phone();
            return vec![fill(person, number::RESIDENT, [("phone", phone), ("verified_on", Value::Day(self.today))])];
        }
        let start = self.ago(0..7);
        vec![self.placement(unit, new_id(), person, start)]
    }

    fn standing(&mut self, resettled: bool) -> Standing {
        // The notice asks for 95 % of resettled laid-off workers in a job (item 11); a city near its target.
        let employed = if resettled { 0.94 } else { 0.27 };
        match self.rng.random_range(0.0..1.0) {
            face if face < employed => Standing::Employed,
            face if face < employed + 0.26 => Standing::Registered,
            _ => Standing::Apart,
        }
    }

    fn resident(&mut self, unit: OrgCode, id: RecordId, standing: Standing, resettled: bool) -> Draft {
        let (id_no, male) = self.id_no();
        let claim = match standing {
            Standing::Employed => self.pick(&["11", "12", "13", "14"]),
            Standing::Registered => "20",
            Standing::Apart => self.pick(&["21", "31", "34"]),
        };
        let willing = resettled || claim.starts_with(['1', '2']);
        let draft = fill(
            id,
            number::RESIDENT,
            [
                ("home_unit", Value::Uint(unit.number())),
                ("source", text("1")),
                ("id_no", Value::Text(id_no)),
                ("name", self.name(male)),
                ("ethnic", text(self.pick(&["01", "01", "01", "01", "11", "11", "10", "38"]))),
                ("hukou_kind", text(if unit.is_urban_community() { "1" } else { self.pick(&["1", "2", "3"]) })),
                ("address", self.address()),
                ("phone", self.phone()),
                ("edu", text(self.pick(&["20", "30", "40", "60", "60", "70", "70", "70", "80"]))),
                ("marital", text(self.pick(&["10", "20", "20", "20", "30", "40"]))),
                ("skill", self.some_of(&SKILLS)),
                ("intent_job", self.some_of(&JOBS)),
                ("intent_wage", Value::Uint(self.rng.random_range(7..20) * 100)),
                ("labour_able", Value::Bool(true)),
                ("job_willing", Value::Bool(willing)),
                ("emp_claim", text(claim)),
                ("remark", text(self.pick(&NOTES))),
            ],
        );
        let draft = if resettled || self.chance(0.5) { self.laid_off(draft) } else { draft };
        if resettled { self.resettled(draft) } else { draft }
    }

    fn laid_off(&mut self, draft: Draft) -> Draft {
        let certificate = format!("再就业优惠证 辽{:010}", self.paper());
        let more = [
            ("laidoff_kind", text(self.pick(&["1", "1", "2", "2", "3", "4"]))),
            ("laidoff_on", Value::Day(self.ago(PAST..4 * PAST))),
            ("certificate", Value::Many(vec![Value::Text(certificate)])),
            ("hardship_claim", Value::Many(vec![text(self.pick(&["01", "04", "06", "07"]))])),
            ("train_wish", text(self.pick(&TRADES))),
        ];
        with(draft, more)
    }

    fn resettled(&mut self, draft: Draft) -> Draft {
        let more = [
            ("shanty_resettled", Value::Bool(true)),
            ("shanty_moved_on", Value::Day(self.ago(30..2 * 365))),
            ("shanty_estate", text(self.pick(&ESTATES))),
        ];
        with(draft, more)
    }

    /// A resident with the job or the spell that their standing says.
    fn adult(&mut self, unit: OrgCode, new_id: &mut dyn FnMut() -> RecordId) -> Resident {
        let resettled = self.chance(0.05);
        let standing = self.standing(resettled);
        let id = new_id();
        let resident = self.resident(unit, id, standing, resettled);
        // An office that keeps its registers: nine of ten were verified in the last three months.
        let verified = if self.chance(0.9) { self.ago(1..85) } else { self.ago(100..300) };
        let mut drafts = vec![with(resident, [("verified_on", Value::Day(verified))])];
        match standing {
            Standing::Employed => {
                let start = self.ago(0..PAST);
                // Some were registered as unemployed before it.
                if self.chance(0.3) {
                    let registered = start - self.days(10..150);
                    let spell = self.spell(unit, new_id(), id, registered);
                    drafts.push(with(spell, [("end_on", Value::Day(start)), ("end_cause", text("1"))]));
                }
                drafts.push(self.placement(unit, new_id(), id, start));
            }
            Standing::Registered => {
                let registered = if self.chance(0.85) { self.ago(0..300) } else { self.ago(300..PAST) };
                drafts.push(self.spell(unit, new_id(), id, registered));
                // Whoever has been registered for long was visited or called meanwhile, but for a few.
                if registered < self.today - 150 && self.chance(0.95) {
                    drafts.push(self.contact(unit, new_id(), id));
                }
            }
            Standing::Apart => {}
        }
        Resident { id, standing, drafts }
    }

    fn family(&mut self, unit: OrgCode, adults: usize, new_id: &mut dyn FnMut() -> RecordId) -> Vec<Draft> {
        let members: Vec<Resident> = (0..adults).map(|_| self.adult(unit, new_id)).collect();
        let household = new_id();
        self.household(unit, household, members, new_id)
    }

    /// Residents, then their household, then who belongs to it.
    fn household(
        &mut self,
        unit: OrgCode,
        household: RecordId,
        members: Vec<Resident>,
        new_id: &mut dyn FnMut() -> RecordId,
    ) -> Vec<Draft> {
        let persons: Vec<(RecordId, Standing)> = members.iter().map(|member| (member.id, member.standing)).collect();
        let mut drafts: Vec<Draft> = members.into_iter().flat_map(|member| member.drafts).collect();
        let hh_no = format!("{unit}-{:06}", self.paper());
        let income = persons.iter().filter(|(_, standing)| *standing == Standing::Employed).count() as u64 * 900;
        drafts.push(fill(
            household,
            number::HOUSEHOLD,
            [
                ("home_unit", Value::Uint(unit.number())),
                ("source", text("1")),
                ("hh_no", Value::Text(hh_no)),
                ("head_person", Value::Ref(persons[0].0)),
                ("address", self.address()),
                ("income_month", Value::Uint(income)),
                ("dibao", Value::Bool(income == 0 && self.chance(0.6))),
                ("status", text("1")),
            ],
        ));
        for ((person, _), relation) in persons.iter().zip(["02", "10", "20"]) {
            let fields = [
                ("home_unit", Value::Uint(unit.number())),
                ("household", Value::Ref(household)),
                ("person", Value::Ref(*person)),
                ("relation", text(relation)),
                ("counted", Value::Bool(true)),
            ];
            drafts.push(fill(new_id(), number::MEMBER, fields));
        }
        drafts
    }

    /// A household in which nobody had a job when it was recognised, with its case and what came of it.
    fn case_family(&mut self, unit: OrgCode, adults: usize, new_id: &mut dyn FnMut() -> RecordId) -> Vec<Draft> {
        let recognised = self.ago(0..CASE_DAYS);
        let mut members = Vec::new();
        for _ in 0..adults {
            let id = new_id();
            let registered = recognised - self.days(1..400);
            let resident = self.resident(unit, id, Standing::Registered, false);
            let spell = self.spell(unit, new_id(), id, registered);
            members.push(Resident { id, standing: Standing::Registered, drafts: vec![resident, spell] });
        }
        let persons: Vec<RecordId> = members.iter().map(|member| member.id).collect();
        let household = new_id();
        let mut drafts = self.household(unit, household, members, new_id);

        let fate = self.pick(&[
            CaseFate::InTime,
            CaseFate::InTime,
            CaseFate::InTime,
            CaseFate::InTime,
            CaseFate::Late,
            CaseFate::Open,
            CaseFate::Open,
            CaseFate::Dual,
            CaseFate::Dual,
            CaseFate::Dual,
        ]);
        let applied = recognised - self.days(5..20);
        let case = fill(
            new_id(),
            number::ZEF_CASE,
            [
                ("home_unit", Value::Uint(unit.number())),
                ("source", text("1")),
                ("case_no", Value::Text(format!("零{unit}-{:06}", self.paper()))),
                ("household", Value::Ref(household)),
                ("kind", text("1")),
                ("applied_on", Value::Day(applied)),
                ("visited_on", Value::Day(applied + 2)),
                ("recognised_on", Value::Day(recognised)),
                ("want_dual", Value::Bool(fate == CaseFate::Dual)),
                ("plan", text("推荐岗位三次，免费技能培训，社区公益性岗位兜底")),
                ("responsible", self.name(false)),
            ],
        );
        let asked = (fate == CaseFate::Dual).then_some(("asked_on", Value::Day(recognised)));
        drafts.push(with(case, asked));
        let starts = match fate {
            CaseFate::InTime => vec![recognised + self.days(1..21)],
            CaseFate::Late => vec![recognised + self.days(21..40)],
            CaseFate::Open => Vec::new(),
            CaseFate::Dual => vec![recognised + self.days(1..21), recognised + self.days(10..45)],
        };
        // What lies ahead has not happened: such a case is still open.
        let today = self.today;
        for (person, start) in persons.into_iter().zip(starts).filter(|(_, start)| *start <= today) {
            drafts.push(self.placement(unit, new_id(), person, start));
        }
        drafts
    }

    fn placement(&mut self, unit: OrgCode, id: RecordId, person: RecordId, start: Day) -> Draft {
        let kind = self.pick(&["1", "1", "1", "2", "3", "3", "4"]);
        let draft = fill(
            id,
            number::PLACEMENT,
            [
                ("home_unit", Value::Uint(unit.number())),
                ("source", text("1")),
                ("person", Value::Ref(person)),
                ("kind", text(kind)),
                ("employer", text(self.pick(&EMPLOYERS))),
                ("occupation", text(self.pick(&JOBS))),
                ("start_on", Value::Day(start)),
                ("wage_month", Value::Uint(self.rng.random_range(7..20) * 100)),
                ("social_ins", Value::Bool(self.chance(0.6))),
                ("channel", text(self.pick(&["1", "2", "3", "4", "5"]))),
            ],
        );
        let contract = (kind == "1").then(|| {
            let until = date::add_months(start, 12) - 1;
            [("contract_from", Value::Day(start)), ("contract_to", Value::Day(until))]
        });
        with(draft, contract.into_iter().flatten())
    }

    /// A visit or a call in the last months.
    fn contact(&mut self, unit: OrgCode, id: RecordId, person: RecordId) -> Draft {
        let fields = [
            ("home_unit", Value::Uint(unit.number())),
            ("source", text("1")),
            ("person", Value::Ref(person)),
            ("kind", text(self.pick(&["1", "1", "2", "4", "5"]))),
            ("on", Value::Day(self.ago(1..140))),
            ("by_assistant", self.name(false)),
        ];
        fill(id, number::SERVICE_RECORD, fields)
    }

    fn spell(&mut self, unit: OrgCode, id: RecordId, person: RecordId, registered: Day) -> Draft {
        let lost = registered - self.days(1..90);
        fill(
            id,
            number::UNEMPLOYMENT_SPELL,
            [
                ("home_unit", Value::Uint(unit.number())),
                ("source", text("1")),
                ("person", Value::Ref(person)),
                ("reg_no", Value::Text(format!("失{:010}", self.paper()))),
                ("lost_on", Value::Day(lost)),
                ("reg_on", Value::Day(registered)),
                ("cause", text(self.pick(&["1", "2", "3", "4", "8"]))),
                ("former_unit", text(self.pick(&FORMER))),
            ],
        )
    }

    /// The premises of a rural township's office: 60 to 160 square metres, and which of the six it claims.
    fn premises(&mut self, unit: OrgCode, new_id: &mut dyn FnMut() -> RecordId) -> Option<Vec<Draft>> {
        if !unit.is_rural_township() {
            return None;
        }
        let six = ["1", "2", "3", "4", "5", "6"];
        let claimed = if self.chance(0.7) { 6 } else { 3 + self.below(3) };
        let facility = fill(
            new_id(),
            number::FACILITY,
            [
                ("home_unit", Value::Uint(unit.number())),
                ("effective_on", Value::Day(self.ago(30..PAST))),
                ("kind", text("1")),
                ("area_m2", Value::Uint(self.rng.random_range(60..=160) * 100)),
                ("ownership", text(self.pick(&["自有", "租用", "借用"]))),
                ("one_stop_window", Value::Bool(self.chance(0.6))),
                ("pcs", Value::Uint(self.rng.random_range(1..6))),
                ("network", text("ADSL")),
                ("six_claim", Value::Many(six[..claimed].iter().map(|item| text(item)).collect())),
            ],
        );
        Some(vec![facility])
    }

    /// An urban community's assistants; at four of five at least one is certified.
    fn staff(&mut self, unit: OrgCode, new_id: &mut dyn FnMut() -> RecordId) -> Option<Vec<Draft>> {
        if !unit.is_urban_community() {
            return None;
        }
        let certified = self.chance(0.8);
        let mut drafts = Vec::new();
        for place in 0..=self.below(3) {
            let assistant = new_id();
            let (id_no, male) = self.id_no();
            let from = self.ago(60..PAST);
            let fields = [
                ("home_unit", Value::Uint(unit.number())),
                ("name", self.name(male)),
                ("id_no", Value::Text(id_no)),
                ("from_on", Value::Day(from)),
                ("role", text(if place == 0 { "1" } else { "2" })),
                ("full_time", Value::Bool(true)),
                ("hired_as", text(self.pick(&["1", "2", "3"]))),
                ("phone", self.phone()),
            ];
            drafts.push(fill(assistant, number::ASSISTANT, fields));
            if certified && (place == 0 || self.chance(0.4)) {
                let fields = [
                    ("home_unit", Value::Uint(unit.number())),
                    ("assistant", Value::Ref(assistant)),
                    ("level", text(self.pick(&["3", "4", "4", "4"]))),
                    ("cert_no", Value::Text(format!("LN{:012}", self.paper()))),
                    ("issued_on", Value::Day(from - self.days(0..365))),
                ];
                drafts.push(fill(new_id(), number::CREDENTIAL, fields));
            }
        }
        Some(drafts)
    }

    /// An urban community's way to the title; two of three hold it.
    fn title(&mut self, unit: OrgCode, new_id: &mut dyn FnMut() -> RecordId) -> Option<Vec<Draft>> {
        if !unit.is_urban_community() {
            return None;
        }
        let applied = self.ago(200..PAST);
        let case = fill(
            new_id(),
            number::FEC_CASE,
            [
                ("home_unit", Value::Uint(unit.number())),
                ("applied_on", Value::Day(applied)),
                ("material", text("申报表、自评报告、就业台账各一份")),
            ],
        );
        if !self.chance(0.65) {
            return Some(vec![with(case, [("stage", text(self.pick(&["1", "2", "3"])))])]);
        }
        let certified = [
            ("stage", text("5")),
            ("assessed_on", Value::Day(applied + self.days(20..60))),
            ("score", Value::Uint(self.rng.random_range(850..=1_000))),
            ("certified_on", Value::Day(applied + self.days(60..120))),
        ];
        Some(vec![with(case, certified)])
    }

    /// The next id number, and whether it is a man's.
    fn id_no(&mut self) -> (String, bool) {
        let place = self.serial * STRIDE % NUMBERS;
        self.serial = (self.serial + 1) % NUMBERS;
        let (birthday, rest) = (place / (AREAS * 1_000), place % (AREAS * 1_000));
        let youngest = date::add_months(self.today, -16 * 12);
        let born = date::iso(youngest - birthday as Day).replace('-', "");
        let (area, sequence) = (AREA + rest / 1_000, rest % 1_000);
        let digits = format!("{area}{born}{sequence:03}");
        let last = citizen_id::check_character(digits.as_bytes()).unwrap_or(b'?');
        (format!("{digits}{}", last as char), sequence % 2 == 1)
    }

    /// The next number of a paper: certificate, case, household.
    fn paper(&mut self) -> u64 {
        self.paper += 1;
        self.paper
    }

    fn name(&mut self, male: bool) -> Value {
        let given = self.pick(if male { &GIVEN_MALE } else { &GIVEN_FEMALE });
        let middle = if self.chance(0.6) { self.pick(&MIDDLE) } else { "" };
        Value::Text(format!("{}{middle}{given}", self.pick(&SURNAMES)))
    }

    fn address(&mut self) -> Value {
        let (street, road) = (self.pick(&STREETS), self.pick(&ROADS));
        let (house, door) = (self.rng.random_range(1..90), self.rng.random_range(1..5));
        let (floor, flat) = (self.rng.random_range(1..8), self.rng.random_range(1..4));
        Value::Text(format!("辽宁省抚顺市{street}{road}{house}号楼{door}单元{floor}0{flat}室"))
    }

    fn phone(&mut self) -> Value {
        if self.chance(0.3) {
            return Value::Text(format!("024-5{:07}", self.rng.random_range(0..10_000_000)));
        }
        let prefix = self.pick(&["130", "133", "135", "136", "138", "139", "159", "189"]);
        Value::Text(format!("{prefix}{:08}", self.rng.random_range(0..100_000_000)))
    }

    /// One or two different entries of a list.
    fn some_of(&mut self, list: &[&str]) -> Value {
        let first = self.below(list.len());
        let more = self.chance(0.6).then(|| (first + 1 + self.below(list.len() - 1)) % list.len());
        Value::Many([first].into_iter().chain(more).map(|index| text(list[index])).collect())
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    fn below(&mut self, count: usize) -> usize {
        self.rng.random_range(0..count)
    }

    fn chance(&mut self, share: f64) -> bool {
        self.rng.random_bool(share)
    }

    fn days(&mut self, range: Range<Day>) -> Day {
        self.rng.random_range(range)
    }

    /// A day so many days before today.
    fn ago(&mut self, range: Range<Day>) -> Day {
        self.today - self.days(range)
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A form with these fields, by name.
fn fill<'a>(id: RecordId, register: u32, fields: impl IntoIterator<Item = (&'a str, Value)>) -> Draft {
    with(Draft::new(id, register), fields)
}

fn with<'a>(draft: Draft, fields: impl IntoIterator<Item = (&'a str, Value)>) -> Draft {
    let register = draft.register;
    fields.into_iter().fold(draft, |draft, (name, value)| draft.with(tag(register, name), value))
}

/// The tag of a field by its name, looked up once.
fn tag(register: u32, name: &str) -> u32 {
    static TAGS: OnceLock<HashMap<(u32, &str), u32>> = OnceLock::new();
    let tags = TAGS.get_or_init(|| {
        let fields = registers().iter().flat_map(|def| def.fields.iter().map(move |field| (def.number, field)));
        fields.map(|(register, field)| ((register, field.name.as_str()), field.tag)).collect()
    });
    *tags.get(&(register, name)).expect("the registers of this build have the fields that are filled in here")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
