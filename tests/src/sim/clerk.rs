//! What clerks do: few people, edited by many offices at once.

use super::{
    forms::{Form, citizen, field, text, values},
    session::Child,
    world::{World, chance},
};
use rand::RngExt;
use std::sync::Arc;
use taizhang_node::{
    desk::{Draft, SaveError},
    ledger::Ledger,
};
use taizhang_proto::{
    Record, RecordId,
    date::Day,
    pb::{Policy, Tier},
    register::{FieldDef, HOME_UNIT, Refers, Shape, Value, number, registers},
};

/// How many different people there are; more registrations than that share an id number.
const PEOPLE: u32 = 14;

/// What a clerk may edit: register and field.
type Fields = &'static [(u32, &'static str)];

const LATEST: Fields = &[
    (number::RESIDENT, "phone"),
    (number::RESIDENT, "phone"),
    (number::RESIDENT, "address"),
    (number::HOUSEHOLD, "address"),
    (number::UNEMPLOYMENT_SPELL, "former_unit"),
    (number::PLACEMENT, "employer"),
    (number::ZEF_CASE, "plan"),
    (number::FACILITY, "network"),
    (number::FEC_CASE, "material"),
    (number::POST, "requirement"),
    (number::POST, "requirement"),
];

const REVIEWED: Fields = &[
    (number::RESIDENT, "name"),
    (number::RESIDENT, "live_unit"),
    (number::RESIDENT, "id_no"),
    (number::RESIDENT, "labour_able"),
    (number::PLACEMENT, "start_on"),
    (number::ZEF_CASE, "recognised_on"),
    (number::RESIDENT, "death_on"),
    (number::HOUSEHOLD, "live_unit"),
];

const REPEATED: Fields = &[
    (number::RESIDENT, "skill"),
    (number::RESIDENT, "hardship_claim"),
    (number::RESIDENT, "intent_job"),
    (number::PLACEMENT, "proof"),
    (number::FACILITY, "window"),
    (number::FACILITY, "six_claim"),
];

const OWNED: Fields = &[
    (number::FEC_CASE, "stage"),
    (number::FEC_CASE, "score"),
    (number::FACILITY, "six_verified"),
    (number::FACILITY, "area_verified"),
    (number::ZEF_CASE, "confirmed"),
];

const FIXED: Fields = &[(number::HOUSEHOLD, "hh_no"), (number::ZEF_CASE, "case_no"), (number::MEMBER, "person")];

const ENDS: &[(u32, &str, &str, &str)] = &[
    (number::UNEMPLOYMENT_SPELL, "end_on", "end_cause", "1"),
    (number::PLACEMENT, "end_on", "end_cause", "2"),
    (number::MEMBER, "to_on", "", ""),
    (number::ZEF_CASE, "exit_on", "exit_cause", "1"),
];

impl World {
    fn ledger(&self, office: usize) -> Arc<Ledger> {
        self.offices[office].ledger.clone()
    }

    /// An id for a new record; the seed's, so that whatever goes by ids goes the same way again.
    fn new_id(&mut self, office: usize) -> RecordId {
        RecordId::create(self.offices[office].clock.now(), self.random.random())
    }

    /// A record of one of the registers that the office sees; more often an old one, so that offices meet.
    fn pick(&mut self, office: usize, registers: &[u32]) -> Result<Option<(RecordId, Record)>, String> {
        let known: Vec<RecordId> =
            self.model.records.iter().filter(|one| registers.contains(&one.register)).map(|one| one.id).collect();
        for _ in 0..8 {
            if known.is_empty() {
                return Ok(None);
            }
            let (one, other) = (self.random.random_range(0..known.len()), self.random.random_range(0..known.len()));
            let id = known[one.min(other)];
            if let Some(record) = self.ledger(office).view(id).map_err(|error| error.to_string())? {
                return Ok(Some((id, record)));
            }
        }
        Ok(None)
    }

    /// A unit of the office's own scope.
    fn home(&mut self, office: usize) -> Value {
        let ledger = self.ledger(office);
        let units: Vec<u64> = ledger.units().below(ledger.unit()).map(|unit| unit.code.number()).collect();
        if units.is_empty() || chance(&mut self.random, 1, 2) {
            return Value::Uint(ledger.unit().number());
        }
        Value::Uint(units[self.random.random_range(0..units.len())])
    }

    /// Saves one group of forms. The office may crash in it.
    pub(super) fn save(&mut self, office: usize, drafts: Vec<Draft>) -> Result<bool, String> {
        let by = self.model.next_login();
        let ledger = self.ledger(office);
        let head = ledger.state().head;
        let what: Vec<String> = drafts
            .iter()
            .map(|draft| format!("{}:{}{:?}", self.model.name(draft.id), draft.register, tags(draft)))
            .collect();
        self.note(|world| format!("  {} saves {by}: {}", world.offices[office].name, what.join(", ")));
        let groups = [drafts];
        let (answers, crashed) = self.at_risk(Child::Office(office), |_| ledger.save(&groups, &by))?;
        match answers.into_iter().next() {
            Some(Ok(())) => {
                self.count(if crashed { "saves that a crash cut short" } else { "saves" });
                self.take_saved(office, head, &ledger, crashed)?;
                let fresh = self.ledger(office);
                if crashed {
                    let pending = super::model::changes_after(&fresh, fresh.state().settled)?;
                    self.model.found_pending(office, &pending, false);
                }
            }
            Some(Err(SaveError::Invalid(why))) => {
                self.count("forms that broke a rule");
                self.note(|_| format!("  not saved: {}", why.first().map_or("", |one| one.rule)));
            }
            Some(Err(error)) => return Err(format!("a save failed: {error}")),
            None => return Err("a save without an answer".into()),
        }
        let live: Vec<u64> =
            self.sessions.iter().filter(|(_, one)| one.child == Child::Office(office)).map(|(id, _)| *id).collect();
        for id in live {
            self.speak(id)?;
        }
        Ok(true)
    }

    /// A few people, households and cases that every office of a township holds from the beginning.
    pub(super) fn share_people(&mut self) -> Result<(), String> {
        let townships: Vec<usize> =
            (0..self.offices.len()).filter(|office| self.offices[*office].unit.tier() == Tier::Township).collect();
        for office in townships {
            self.sync(Child::Office(office))?;
            for _ in 0..self.random.random_range(1..4) {
                self.register(office)?;
            }
            for more in [Self::household, Self::facility, Self::case] {
                if chance(&mut self.random, 1, 2) {
                    more(self, office)?;
                }
            }
            self.sync(Child::Office(office))?;
        }
        for office in 0..self.offices.len() {
            self.sync(Child::Office(office))?;
        }
        Ok(())
    }

    pub(super) fn register_resident(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        self.register(office)
    }

    fn register(&mut self, office: usize) -> Result<bool, String> {
        let id = self.new_id(office);
        let mut form = Form::new(id, number::RESIDENT)
            .set("home_unit", self.home(office))
            .set("id_no", text(citizen(self.random.random_range(0..PEOPLE))))
            .set("name", self.some_value(office, number::RESIDENT, "name")?)
            .set("phone", self.some_value(office, number::RESIDENT, "phone")?);
        if chance(&mut self.random, 2, 3) {
            form = form.set("labour_able", Value::Bool(true)).set("job_willing", Value::Bool(true));
        }
        self.save(office, vec![form.done()])
    }

    pub(super) fn register_household(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        self.household(office)
    }

    fn household(&mut self, office: usize) -> Result<bool, String> {
        let id = self.new_id(office);
        let mut form = Form::new(id, number::HOUSEHOLD).set("home_unit", self.home(office));
        let head = self.pick(office, &[number::RESIDENT])?;
        let mut drafts = Vec::new();
        if let Some((head, _)) = head {
            form = form.set("head_person", Value::Ref(head));
            let member = self.new_id(office);
            let form = Form::new(member, number::MEMBER)
                .set("household", Value::Ref(id))
                .set("person", Value::Ref(head))
                .set("relation", text("02"))
                .set("counted", Value::Bool(true));
            drafts.push(form.done());
        }
        if chance(&mut self.random, 1, 3) {
            form = form.set("hukou_book_no", text(format!("B{}", self.random.random_range(0..5))));
        }
        drafts.insert(0, form.set("status", text("1")).done());
        self.save(office, drafts)
    }

    pub(super) fn add_member(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        let (Some((household, _)), Some((person, _))) =
            (self.pick(office, &[number::HOUSEHOLD])?, self.pick(office, &[number::RESIDENT])?)
        else {
            return Ok(false);
        };
        let form = Form::new(self.new_id(office), number::MEMBER)
            .set("home_unit", self.home(office))
            .set("household", Value::Ref(household))
            .set("person", Value::Ref(person))
            .set("from_on", self.day(office, 40))
            .set("counted", Value::Bool(true));
        self.save(office, vec![form.done()])
    }

    pub(super) fn begin_spell(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        let Some((person, _)) = self.pick(office, &[number::RESIDENT])? else { return Ok(false) };
        let form = Form::new(self.new_id(office), number::UNEMPLOYMENT_SPELL)
            .set("person", Value::Ref(person))
            .set("reg_on", self.day(office, 400))
            .set("cause", text("1"));
        self.save(office, vec![form.done()])
    }

    pub(super) fn begin_placement(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        let Some((person, _)) = self.pick(office, &[number::RESIDENT])? else { return Ok(false) };
        let form = Form::new(self.new_id(office), number::PLACEMENT)
            .set("home_unit", self.home(office))
            .set("person", Value::Ref(person))
            .set("kind", text("1"))
            .set("employer", text(format!("厂{}", self.random.random_range(0..3))))
            .set("start_on", self.day(office, 60));
        self.save(office, vec![form.done()])
    }

    /// A post: of a township, or once the district has taken it over, it is for everybody below.
    pub(super) fn offer_post(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        let id = self.new_id(office);
        let form = Form::new(id, number::POST)
            .set("home_unit", self.home(office))
            .set("post_no", text(format!("G{}", self.model.records.len())))
            .set("kind", text("20"))
            .set("places", Value::Uint(self.random.random_range(1..3)));
        self.save(office, vec![form.done()])
    }

    pub(super) fn fill_post(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        let (Some((person, _)), Some((post, _))) =
            (self.pick(office, &[number::RESIDENT])?, self.pick(office, &[number::POST])?)
        else {
            return Ok(false);
        };
        let form = Form::new(self.new_id(office), number::PLACEMENT)
            .set("home_unit", self.home(office))
            .set("person", Value::Ref(person))
            .set("kind", text("3"))
            .set("post", Value::Ref(post))
            .set("start_on", self.day(office, 60));
        self.save(office, vec![form.done()])
    }

    pub(super) fn open_case(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        self.case(office)
    }

    fn case(&mut self, office: usize) -> Result<bool, String> {
        let Some((household, _)) = self.pick(office, &[number::HOUSEHOLD])? else { return Ok(false) };
        let form = Form::new(self.new_id(office), number::ZEF_CASE)
            .set("home_unit", self.home(office))
            .set("household", Value::Ref(household))
            .set("kind", text("1"))
            .set("recognised_on", self.day(office, 30));
        self.save(office, vec![form.done()])
    }

    pub(super) fn register_facility(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        self.facility(office)
    }

    fn facility(&mut self, office: usize) -> Result<bool, String> {
        let form = Form::new(self.new_id(office), number::FACILITY)
            .set("home_unit", self.home(office))
            .set("kind", text("3"))
            .set("six_claim", Value::Many(vec![text("1"), text("2")]));
        self.save(office, vec![form.done()])
    }

    pub(super) fn open_fec_case(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        let form = Form::new(self.new_id(office), number::FEC_CASE)
            .set("home_unit", self.home(office))
            .set("stage", text("1"))
            .set("applied_on", self.day(office, 300));
        self.save(office, vec![form.done()])
    }

    pub(super) fn edit_latest(&mut self) -> Result<bool, String> {
        self.edit_one_of(LATEST)
    }

    pub(super) fn edit_reviewed(&mut self) -> Result<bool, String> {
        self.edit_one_of(REVIEWED)
    }

    pub(super) fn edit_owned(&mut self) -> Result<bool, String> {
        self.edit_one_of(OWNED)
    }

    pub(super) fn edit_fixed(&mut self) -> Result<bool, String> {
        self.edit_one_of(FIXED)
    }

    /// One field of the table, where the office sees a record that has it.
    fn edit_one_of(&mut self, fields: Fields) -> Result<bool, String> {
        let office = self.any_office();
        let (register, name) = fields[self.random.random_range(0..fields.len())];
        let Some((id, _)) = self.pick(office, &[register])? else { return Ok(false) };
        let mut form = Form::new(id, register).set(name, self.some_value(office, register, name)?);
        if name == "stage" {
            form = form.set("certified_on", self.day(office, 10));
        }
        self.save(office, vec![form.done()])
    }

    /// Adds to a repeated field, or takes something out.
    pub(super) fn edit_union(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        let (register, name) = REPEATED[self.random.random_range(0..REPEATED.len())];
        let Some((id, record)) = self.pick(office, &[register])? else { return Ok(false) };
        let mut now = values(&record, field(register, name));
        if now.is_empty() || chance(&mut self.random, 2, 3) {
            let Value::Many(more) = self.some_value(office, register, name)? else { return Ok(false) };
            now.extend(more);
            let mut seen = Vec::new();
            now.retain(|value| {
                !seen.contains(value) && {
                    seen.push(value.clone());
                    true
                }
            });
        } else {
            now.remove(self.random.random_range(0..now.len()));
        }
        let form = Form::new(id, register);
        let form = if now.is_empty() { form.clear(name) } else { form.set(name, Value::Many(now)) };
        self.save(office, vec![form.done()])
    }

    pub(super) fn clear_field(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        let (register, name) = LATEST[self.random.random_range(0..LATEST.len())];
        let Some((id, _)) = self.pick(office, &[register])? else { return Ok(false) };
        self.save(office, vec![Form::new(id, register).clear(name).done()])
    }

    /// Several fields of one record, of several policies, and the same field of another record in the same group.
    pub(super) fn edit_many(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        let Some((id, _)) = self.pick(office, &[number::RESIDENT])? else { return Ok(false) };
        let mut drafts = Vec::new();
        let mut form = Form::new(id, number::RESIDENT);
        for name in ["phone", "name", "skill", "job_willing"] {
            if chance(&mut self.random, 2, 3) {
                form = form.set(name, self.some_value(office, number::RESIDENT, name)?);
            }
        }
        drafts.push(form.done());
        if let Some((other, _)) = self.pick(office, &[number::RESIDENT])?.filter(|(other, _)| *other != id) {
            let phone = self.some_value(office, number::RESIDENT, "phone")?;
            drafts.push(Form::new(other, number::RESIDENT).set("phone", phone).done());
        }
        drafts.retain(|draft| !draft.edits.is_empty());
        if drafts.is_empty() { Ok(false) } else { self.save(office, drafts) }
    }

    pub(super) fn void_record(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        let all: Vec<u32> = registers().iter().map(|def| def.number).collect();
        let Some((id, record)) = self.pick(office, &all)? else { return Ok(false) };
        let form = Form::new(id, record.register).set("state", text("2")).set("void_reason", text("重复"));
        self.save(office, vec![form.done()])
    }

    pub(super) fn close_household(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        let Some((id, _)) = self.pick(office, &[number::HOUSEHOLD])? else { return Ok(false) };
        let form = Form::new(id, number::HOUSEHOLD)
            .set("status", text("4"))
            .set("closed_reason", text("迁出"))
            .set("closed_on", self.day(office, 1));
        self.save(office, vec![form.done()])
    }

    pub(super) fn move_home(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        let movable = [number::RESIDENT, number::HOUSEHOLD, number::PLACEMENT, number::FACILITY, number::POST];
        let Some((id, record)) = self.pick(office, &movable)? else { return Ok(false) };
        let draft = Draft::new(id, record.register).with(HOME_UNIT, self.home(office));
        self.save(office, vec![draft])
    }

    pub(super) fn send_out(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        let Some((id, record)) = self.pick(office, &[number::RESIDENT, number::HOUSEHOLD])? else { return Ok(false) };
        let to = self.any_unit();
        self.save(office, vec![Form::new(id, record.register).set("transfer_to", to).done()])
    }

    pub(super) fn answer_transfer(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        let ledger = self.ledger(office);
        let mut open = Vec::new();
        for id in ledger.ids(number::TRANSFER).map_err(|error| error.to_string())? {
            let Some(record) = ledger.view(id).map_err(|error| error.to_string())? else { continue };
            if record.bytes(field(number::TRANSFER, "decision").tag).is_none() {
                open.push(id);
            }
        }
        if open.is_empty() {
            return Ok(false);
        }
        let id = open[self.random.random_range(0..open.len())];
        let decision = if chance(&mut self.random, 3, 4) { "1" } else { "2" };
        self.save(office, vec![Form::new(id, number::TRANSFER).set("decision", text(decision)).done()])
    }

    pub(super) fn end_something(&mut self) -> Result<bool, String> {
        let office = self.any_office();
        let (register, on, cause, code) = ENDS[self.random.random_range(0..ENDS.len())];
        let Some((id, _)) = self.pick(office, &[register])? else { return Ok(false) };
        let mut form = Form::new(id, register).set(on, self.day(office, 3));
        if !cause.is_empty() {
            form = form.set(cause, text(code));
        }
        self.save(office, vec![form.done()])
    }

    /// A day up to so many days ago, by the office's clock.
    fn day(&mut self, office: usize, back: Day) -> Value {
        Value::Day(self.ledger(office).business_day() - self.random.random_range(0..=back))
    }

    /// Any unit below the city.
    fn any_unit(&mut self) -> Value {
        let tree = self.hubs[0].core.tree();
        let units: Vec<u64> = tree.below(self.hubs[0].unit).map(|unit| unit.code.number()).skip(1).collect();
        Value::Uint(units[self.random.random_range(0..units.len())])
    }

    /// Some value of a field: of a text one that nobody entered before.
    fn some_value(&mut self, office: usize, register: u32, name: &str) -> Result<Value, String> {
        let field: &FieldDef = field(register, name);
        let serial: u32 = self.random.random_range(0..100_000_000);
        let one = match (name, field.shape) {
            ("id_no", _) => text(citizen(self.random.random_range(0..PEOPLE))),
            ("phone", _) => text(format!("138{serial:08}")),
            ("name", _) => text(format!("张{serial}")),
            (_, Shape::Text) => match field.codes {
                Some(list) => {
                    let codes: Vec<&str> = list.codes.keys().map(String::as_str).collect();
                    text(codes[self.random.random_range(0..codes.len())])
                }
                None => text(format!("第{serial}")),
            },
            (_, Shape::Uint) if field.format == taizhang_proto::pb::Format::Unit => self.any_unit(),
            (_, Shape::Uint) => Value::Uint(u64::from(serial % 1_000)),
            (_, Shape::Sint) => self.day(office, 30),
            (_, Shape::Bool) => Value::Bool(self.random.random_bool(0.5)),
            (_, Shape::Bytes) => {
                let target = match field.refers {
                    Some(Refers::To(register)) => register,
                    _ => number::RESIDENT,
                };
                match self.pick(office, &[target])? {
                    Some((id, _)) => Value::Ref(id),
                    None => Value::Ref(self.new_id(office)),
                }
            }
        };
        debug_assert!(field.policy != Policy::Union || field.many);
        Ok(if field.many { Value::Many(vec![one]) } else { one })
    }
}

fn tags(draft: &Draft) -> Vec<u32> {
    draft.edits.iter().map(|(tag, _)| *tag).collect()
}
