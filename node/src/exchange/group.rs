//! One row's values into the drafts of its records, compared with what the registers hold. Nothing is saved here.
//! Invariant: a draft holds only what differs; what a row leaves empty is never cleared; what a layout adds of its own
//! (constants, the form's date) never replaces what stands.

use super::{
    compare::{alternatives, difference, same_key},
    form::{Form, Owner},
    layout::exact::RECORD,
    layout::{Copied, Place, Role, When},
    note::{Note, chinese},
    pending::{Pending, merged},
    row::{Lead, Row},
};
use crate::desk::{Desk, Draft, SaveError};
use std::collections::{BTreeMap, HashMap, HashSet};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    check::{self, Violation},
    citizen_id,
    date::{self, Day},
    month::Month,
    pb::{Format, Tier},
    register::{
        EFFECTIVE_ON, FieldDef, HOME_UNIT, IMPORT_NOTE, Refers, RegisterDef, VERIFIED_ON, Value, field, number,
        registered_on, registers,
    },
    text,
};

/// Days of what came before, from which nothing is counted.
const BEGINNINGS: [&str; 2] = ["lost_on", "laidoff_on"];

/// The days of premises: in force, opened, checked.
const PREMISES: [u32; 3] = [EFFECTIVE_ON, 28, 33];

/// What a group is made against.
pub(super) struct Scene<'a, D> {
    pub(super) desk: &'a D,
    pub(super) pending: &'a Pending,
    /// Persons with an open record, by register.
    pub(super) open: &'a HashSet<(u32, RecordId)>,
    /// The records that rows of the file have named by their own numbers.
    pub(super) said: &'a HashSet<RecordId>,
    /// The units of which closings stood before the file came.
    pub(super) closed: &'a HashSet<u64>,
    /// The household of each person who is a member of one.
    pub(super) homes: &'a HashMap<RecordId, RecordId>,
    /// The unit of rows that name none.
    pub(super) fallback: OrgCode,
    /// Whether the clerk chose it, so that it stands in for a unit that the form names but nobody knows.
    pub(super) chosen: bool,
    /// Whether records that stand in the office's own name move to the unit that the clerk chose.
    pub(super) moves: bool,
    /// Since when those are on the register of whom the file does not say it; none: since today.
    pub(super) registered_on: Option<Day>,
    /// Whether records not yet saved may be built upon, as in a trial run.
    pub(super) trial: bool,
}

/// A record of the group as it will be.
pub(super) struct Made {
    pub(super) def: &'static RegisterDef,
    pub(super) id: RecordId,
    pub(super) record: Record,
}

/// What a row comes to.
#[derive(Default)]
pub(super) struct Group {
    pub(super) drafts: Vec<Draft>,
    pub(super) made: Vec<Made>,
    /// Whether the layout's main record is new.
    pub(super) is_new: bool,
    pub(super) faults: Vec<String>,
    pub(super) findings: Vec<String>,
    /// What no record had room for: kept in the reasons file, though the row is saved.
    pub(super) left_out: Vec<String>,
}

/// Why there is no group yet.
pub(super) enum Stop {
    /// The row builds upon records of a row that is not saved yet: save first, then make it again.
    SaveFirst,
    /// The store failed.
    Store(SaveError),
}

impl From<SaveError> for Stop {
    fn from(error: SaveError) -> Self {
        Self::Store(error)
    }
}

/// A record that a role stands for.
struct Found {
    id: RecordId,
    old: Option<Record>,
}

/// Makes the group of a row.
pub(super) fn make<D: Desk>(scene: &Scene<'_, D>, form: &Form<'_>, row: &Row) -> Result<Group, Stop> {
    let mut maker = Maker {
        scene,
        form,
        row,
        group: Group::default(),
        ids: vec![None; form.layout.roles.len()],
        fresh: Vec::new(),
        notes: Vec::new(),
        days: Vec::new(),
        since: scene.desk.today(),
    };
    maker.group.faults.clone_from(&row.faults);
    let owner = maker.owner();
    maker.check_must();
    if !maker.group.faults.is_empty() {
        return Ok(maker.group);
    }
    // The main record goes last among the notes: what other roles could not take is kept there.
    let mut fields = Vec::new();
    for role in 0..form.layout.roles.len() {
        if let Some((found, values)) = maker.find(role, owner)? {
            maker.ids[role] = Some(found.id);
            fields.push((role, found, values));
        } else {
            maker.tell_if_of_nobody(role);
            maker.keep_as_notes(role);
        }
    }
    maker.keep_what_is_out_of_order(&mut fields);
    maker.since = maker.since(&fields);
    for (role, found, values) in fields {
        maker.draft(role, found, values)?;
    }
    maker.register_since();
    maker.tell_if_above_communities();
    Ok(maker.group)
}

/// Whether a name in an export is that of a record; one that a district has masked may be anybody's.
fn same_name(said: &str, held: &str) -> bool {
    said.ends_with('*') || text::person_name(said) == text::person_name(held)
}

struct Maker<'a, D> {
    scene: &'a Scene<'a, D>,
    form: &'a Form<'a>,
    row: &'a Row,
    group: Group,
    ids: Vec<Option<RecordId>>,
    /// Ids of the records that this row makes.
    fresh: Vec<RecordId>,
    /// What no record took, for the main one.
    notes: Vec<String>,
    /// Of that, days on which a register had whom the row is about, with their notes.
    days: Vec<(Day, String)>,
    /// Since when somebody new is on the register.
    since: Day,
}

/// The values of one role: of the row, and those that only fill gaps or serve new records.
#[derive(Default)]
struct Values {
    own: BTreeMap<u32, Value>,
    gaps: BTreeMap<u32, Value>,
    new: BTreeMap<u32, Value>,
}

impl<'a, D: Desk> Maker<'a, D> {
    fn role(&self, role: usize) -> &'a Role {
        &self.form.layout.roles[role]
    }

    /// The unit that the row belongs to.
    fn owner(&mut self) -> OrgCode {
        match (self.row.unit, &self.form.owner) {
            (Some(unit), _) => unit,
            (None, Owner::Unit(unit)) => *unit,
            (None, Owner::Unknown(_)) if !self.scene.chosen => {
                self.group.faults.push("“填报单位”：不是本单位所辖的单位，请填写全称或12位编码".into());
                self.scene.fallback
            }
            (None, Owner::Unknown(_) | Owner::Unsaid) => self.scene.fallback,
        }
    }

    /// Somebody new whose community nobody wrote stands in the name of a street, which most of its people do not live under by itself.
    fn tell_if_above_communities(&mut self) {
        let people = [number::RESIDENT, number::HOUSEHOLD];
        let of_people =
            self.form.layout.roles.iter().any(|role| role.required && people.contains(&role.register.number));
        let unsaid = self.row.unit.is_none() && matches!(self.form.owner, Owner::Unsaid) && !self.scene.chosen;
        if self.group.is_new && of_people && unsaid && self.scene.fallback.tier() > Tier::Community {
            self.group.findings.push(
                "没有写明社区（村），登记在本单位名下；属于某个社区的，请加 --unit 和 --move 再导入一次 (no community is named)".into(),
            );
        }
    }

    /// Whether a row speaks of somebody: a phone or an address alone, left from whoever stood there, is of nobody.
    fn names(&self, index: usize) -> bool {
        let is_left = |tag: u32| {
            let field = self.form.layout.field((index, tag));
            field.is_some_and(|field| field.format == Format::Phone || field.name == "address")
        };
        self.row.values.keys().any(|(own, tag)| *own == index && !is_left(*tag))
    }

    /// What a person must have, once the row says who that is.
    fn check_must(&mut self) {
        for (index, role) in self.form.layout.roles.iter().enumerate() {
            if !role.required && !self.names(index) {
                continue;
            }
            for tag in role.must.iter().filter(|tag| !self.row.values.contains_key(&(index, **tag))) {
                let place = (index, *tag);
                let heading = self.heading(place);
                // A value that could not be read has its fault already.
                if !self.row.faults.iter().any(|fault| fault.starts_with(&format!("“{heading}”"))) {
                    self.group.faults.push(format!("“{heading}”：必须填写"));
                }
            }
        }
    }

    /// The heading of a place: the row's column, else the form's, else the register's label.
    fn heading(&self, place: Place) -> String {
        let target = super::layout::Target::Field { role: place.0, tag: place.1 };
        let column = || self.form.columns.iter().find(|column| column.target == Some(target));
        let label = || self.form.layout.field(place).map(|field| field.zh.clone()).unwrap_or_default();
        let written = self.row.headings.get(&place).cloned();
        written.or_else(|| column().map(|column| column.heading.clone())).unwrap_or_else(label)
    }

    fn holds(&self, when: &When) -> bool {
        match self.row.values.get(&when.place) {
            Some(_) if when.is.is_empty() => true,
            Some(Value::Text(code)) => when.is.contains(code),
            Some(Value::Bool(yes)) => when.is.iter().any(|is| text::parse_bool(is) == Some(*yes)),
            // What can't be read was said all the same.
            None => when.is.is_empty() && self.row.unread.contains(&when.place),
            _ => false,
        }
    }

    /// The record of a role and its values; none when the row gives no such record.
    fn find(&mut self, index: usize, owner: OrgCode) -> Result<Option<(Found, Values)>, Stop> {
        let role = self.role(index);
        let mut values = Values::default();
        let own = self.row.values.range((index, 0)..(index + 1, 0));
        values.own.extend(own.map(|((_, tag), value)| (*tag, value.clone())));
        if !role.required && !role.must.is_empty() && !self.names(index) {
            return Ok(None);
        }
        if self.form.layout.exact {
            return self.find_exactly(values, owner);
        }
        let links: Option<Vec<_>> = role.links.iter().map(|(tag, to)| Some((*tag, self.ids[*to]?))).collect();
        let Some(links) = links else { return Ok(None) };
        let holds = |all: &[When]| all.iter().any(|when| self.holds(when));
        if (!role.when.is_empty() && !holds(&role.when)) || holds(&role.unless) {
            return Ok(None);
        }
        self.copy(role, &mut values);
        // Another column's date stands in for a record's own as the form's does, but it is not a guess.
        let unsaid = role.once_open.is_some_and(|date| !self.row.values.contains_key(&(index, date)));
        if role.once_open.is_some_and(|date| !values.own.contains_key(&date)) {
            values.new.extend(parsed(role, &role.presumed));
        }
        self.fill(role, &mut values);
        let open = unsaid && links.iter().any(|(_, id)| self.scene.open.contains(&(role.register.number, *id)));
        values.own.extend(links.into_iter().map(|(tag, id)| (tag, Value::Ref(id))));
        if role.needs.iter().any(|tag| !values.own.contains_key(tag)) {
            self.group.findings.extend(role.without.clone());
            return Ok(None);
        }
        values.new.insert(HOME_UNIT, Value::Uint(owner.number()));
        let found = self.look_up(role, &mut values)?;
        let unasked = !role.new_when.is_empty() && !role.new_when.iter().any(|when| self.holds(when));
        if (open || unasked) && found.old.is_none() {
            return Ok(None);
        }
        Ok(Some((found, values)))
    }

    /// The record that a row of an export stands for: by its id, else by its natural key, else the same record anew.
    fn find_exactly(&mut self, mut values: Values, owner: OrgCode) -> Result<Option<(Found, Values)>, Stop> {
        let role = self.role(self.form.layout.main);
        let def = role.register;
        for (tag, lead) in &self.row.leads {
            let Some(field) = def.field(*tag) else { continue };
            match self.led_to(field, lead)? {
                Some(id) => _ = values.own.insert(*tag, Value::Ref(id)),
                None => self.group.faults.push(format!("“{}”：本单位没有登记此人，请先导入人员", field.zh)),
            }
        }
        values.new.insert(HOME_UNIT, Value::Uint(owner.number()));
        if let Some(id) = self.row.record
            && let Some(found) = self.known(id)?
        {
            if found.old.as_ref().is_some_and(|old| old.register != def.number) {
                self.group.faults.push(format!("“{RECORD}”：此编号属于另一种登记表"));
            }
            return Ok(Some((found, values)));
        }
        let found = match (self.look_up(role, &mut values)?, self.row.record) {
            (Found { old: None, .. }, Some(id)) => Found { id, old: None },
            // What stands under two numbers in one export is two records, whatever else they share.
            (found, Some(id)) if self.scene.said.contains(&found.id) => Found { id, old: None },
            (found, _) => found,
        };
        Ok(Some((found, values)))
    }

    /// The record that a reference of an export leads to.
    fn led_to(&self, field: &FieldDef, lead: &Lead) -> Result<Option<RecordId>, Stop> {
        if let Some(id) = lead.id
            && (self.scene.pending.get(id).is_some() || self.scene.desk.view(id)?.is_some())
        {
            return Ok(Some(id));
        }
        if let (Some(number), Some(Refers::To(register))) = (&lead.number, field.refers)
            && let Some(id) = self.numbered(register, number)?
        {
            // Two people may have been registered by one number: the row says which of them it is about.
            let other = lead.name.as_ref().zip(self.person_of(id)?).is_some_and(|(said, held)| !same_name(said, &held));
            return Ok((!other).then_some(id));
        }
        // A record that comes with another file has its id already.
        Ok(lead.id.or_else(|| lead.name.as_deref().and_then(|name| name.parse().ok())))
    }

    /// The name of a person, or of whoever heads a household, as the registers have it.
    fn person_of(&self, id: RecordId) -> Result<Option<String>, Stop> {
        let record = |id: RecordId| -> Result<Option<Record>, Stop> {
            Ok(match self.scene.pending.get(id) {
                Some(record) => Some(record.clone()),
                None => self.scene.desk.view(id)?,
            })
        };
        let mut held = record(id)?;
        if held.as_ref().is_some_and(|held| held.register == number::HOUSEHOLD) {
            let head = held.as_ref().and_then(|household| household.reference(field::household::HEAD_PERSON));
            held = head.map(record).transpose()?.flatten();
        }
        let name = held.as_ref().and_then(|person| {
            let tag = registers().get(person.register)?.field_named("name")?.tag;
            person.slice(tag)
        });
        Ok(name.map(|name| String::from_utf8_lossy(name).into_owned()))
    }

    /// The person with an id number, the household of that person, or the assistant.
    fn numbered(&self, register: u32, number: &str) -> Result<Option<RecordId>, Stop> {
        let find = |register: u32, key: &[Value]| -> Result<Option<RecordId>, Stop> {
            let pending = registers().get(register).and_then(|def| self.scene.pending.find(def, key));
            Ok(pending.or(self.scene.desk.find(register, key)?.first().copied()))
        };
        let person = || find(number::RESIDENT, &[Value::Text(number.to_owned())]);
        match register {
            number::RESIDENT => person(),
            number::HOUSEHOLD => match person()? {
                Some(head) => find(number::HOUSEHOLD, &[Value::Ref(head)]),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// Takes over what other columns say.
    fn copy(&self, role: &Role, values: &mut Values) {
        for copy in &role.copy {
            if let Some(value) = self.copied(role, copy) {
                values.own.entry(copy.tag).or_insert(value);
            }
        }
    }

    fn copied(&self, role: &Role, copy: &Copied) -> Option<Value> {
        let value = self.row.values.get(&copy.of)?;
        let value = match (value, &copy.text) {
            (value, Some(text)) => Value::Text(text.replace("{}", &value.show(self.form.layout.field(copy.of)?))),
            (Value::Text(code), None) if !copy.map.is_empty() => Value::Text(copy.map.get(code)?.clone()),
            (value, None) => value.clone(),
        };
        let many = role.register.field(copy.tag)?.many && !matches!(value, Value::Many(_));
        Some(if many { Value::Many(vec![value]) } else { value })
    }

    /// Adds what the layout knows besides the row.
    fn fill(&self, role: &Role, values: &mut Values) {
        for tag in &role.dates {
            let Some(day) = self.form.date else { break };
            let in_key = role.register.key.contains(tag);
            let place = if in_key { &mut values.own } else { &mut values.gaps };
            place.entry(*tag).or_insert(Value::Day(day));
        }
        for (when, set) in &role.imply {
            if self.holds(when) {
                values.gaps.extend(parsed(role, set));
            }
        }
        values.new.extend(parsed(role, &role.constants));
    }

    /// The record that the role stands for: the household of its person, the one with the natural key of the values, or a
    /// new one.
    fn look_up(&mut self, role: &Role, values: &mut Values) -> Result<Found, Stop> {
        let def = role.register;
        let person = role.home_of.and_then(|person| self.ids[person]);
        if let Some(home) = person.and_then(|person| self.scene.homes.get(&person))
            && let Some(found) = self.known(*home)?
        {
            // Who heads a household that there is, is not for a member's row to say.
            role.links.iter().for_each(|(tag, _)| _ = values.own.remove(tag));
            return Ok(found);
        }
        let value = |tag: &u32| values.own.get(tag).or_else(|| values.new.get(tag)).cloned();
        let key: Option<Vec<Value>> = def.key.iter().map(value).collect();
        // Nothing refers to a record that this row makes.
        let fresh = |value: &Value| matches!(value, Value::Ref(id) if self.fresh.contains(id));
        if let Some(key) = key.filter(|key| !key.iter().any(fresh)) {
            for key in alternatives(role, key) {
                if let Some(found) = self.existing(def, &key)? {
                    role.any.iter().for_each(|tag| _ = values.own.remove(tag));
                    return Ok(found);
                }
            }
        }
        let id = self.scene.desk.new_id();
        self.fresh.push(id);
        Ok(Found { id, old: None })
    }

    fn existing(&mut self, def: &RegisterDef, key: &[Value]) -> Result<Option<Found>, Stop> {
        if let Some(id) = self.scene.pending.find(def, key) {
            if !self.scene.trial {
                return Err(Stop::SaveFirst);
            }
            return Ok(Some(Found { id, old: self.scene.pending.get(id).cloned() }));
        }
        let Some(id) = self.scene.desk.find(def.number, key)?.first().copied() else { return Ok(None) };
        if self.ids.contains(&Some(id)) {
            return Ok(None);
        }
        self.known(id)
    }

    /// A record that there is.
    fn known(&self, id: RecordId) -> Result<Option<Found>, Stop> {
        let old = match self.scene.pending.get(id) {
            Some(_) if !self.scene.trial => return Err(Stop::SaveFirst),
            Some(record) => Some(record.clone()),
            None => self.scene.desk.view(id)?,
        };
        Ok(old.map(|old| Found { id, old: Some(old) }))
    }

    /// Tells of what a row says of somebody whom it does not name, as the day on which a spouse began to work.
    fn tell_if_of_nobody(&mut self, index: usize) {
        let is_nobodys = self.role(index).links.iter().any(|(_, to)| self.ids[*to].is_none());
        let said = self.row.values.iter().find(|((own, _), value)| *own == index && **value != Value::Bool(false));
        if let Some((place, _)) = said.filter(|_| is_nobodys && !self.form.layout.exact) {
            let heading = self.heading(*place);
            self.group.findings.push(format!("“{heading}”写了内容，而没有写明是谁：没有登记，原文保存在“导入存疑”中"));
        }
    }

    /// Keeps the cells of a role without a record as text; a no about a record that there is none of says nothing.
    fn keep_as_notes(&mut self, index: usize) {
        self.notes.extend(self.row.notes.iter().filter(|(role, _)| *role == index).map(|(_, note)| note.clone()));
        let says = |((role, _), value): &(&Place, &Value)| *role == index && **value != Value::Bool(false);
        let cells = self.row.values.iter().filter(says);
        for (place, value) in cells {
            if let (Some(heading), Some(field)) = (self.row.headings.get(place), self.form.layout.field(*place)) {
                let note = format!("{heading}：{}", value.show(field));
                match value {
                    Value::Day(day) if is_of_registration(self.role(index).register, place.1) => {
                        self.days.push((*day, note));
                    }
                    _ => self.notes.push(note),
                }
            }
        }
    }

    /// Keeps as text a day from which nothing is counted, and which does not come before one that it should: nobody is refused for it. A
    /// day that ends something is never left out: what has ended would go on. An export says what stood, and is taken as it is.
    fn keep_what_is_out_of_order(&mut self, fields: &mut [(usize, Found, Values)]) {
        if self.form.layout.exact {
            return;
        }
        for (index, found, values) in fields {
            let role = self.role(*index);
            let def = role.register;
            let out_of_order = |own: &BTreeMap<u32, Value>| -> Vec<Violation> {
                let mut draft = Draft::new(found.id, def.number);
                draft.edits.extend(own.iter().map(|(tag, value)| (*tag, Some(value.clone()))));
                check::out_of_order(&merged(found.old.as_ref(), def, &draft), self.scene.desk.today())
            };
            let may_go = |field: &&FieldDef| !field.required && !role.needs.contains(&field.tag);
            for field in BEGINNINGS.iter().filter_map(|name| def.field_named(name)).filter(may_go) {
                let Some(value @ Value::Day(_)) = values.own.get(&field.tag).cloned() else { continue };
                let broken = out_of_order(&values.own);
                let Some(violation) = broken.first() else { continue };
                values.own.remove(&field.tag);
                if out_of_order(&values.own).len() == broken.len() {
                    values.own.insert(field.tag, value); // it is not this one
                    continue;
                }
                let (heading, why) = (self.heading((*index, field.tag)), chinese(&violation.message));
                self.notes.push(format!("{heading}：{}（{why}）", value.show(field)));
            }
        }
    }

    /// Compares a role's values with its record and adds a draft of what differs.
    fn draft(&mut self, index: usize, found: Found, values: Values) -> Result<(), SaveError> {
        let def = self.role(index).register;
        let mut draft = Draft::new(found.id, def.number);
        let old = found.old.as_ref();
        let held = |tag: u32| old.and_then(|record| record.bytes(tag));
        for (tag, value) in &values.own {
            let Some(field) = def.field(*tag) else { continue };
            if field.format == Format::PersonName
                && let Some(held) = old.and_then(|record| record.slice(*tag)).map(String::from_utf8_lossy)
                && let Value::Text(name) = value
            {
                self.compare_name((index, *tag), &held, name);
                continue;
            }
            if *tag != HOME_UNIT
                && let Some(value) = difference(field, old, value)
            {
                draft.edits.push((*tag, Some(value)));
            }
        }
        let added = values.gaps.iter().chain(values.new.iter().filter(|_| old.is_none()));
        for (tag, value) in added {
            if held(*tag).is_none() && !values.own.contains_key(tag) && !draft.edits.iter().any(|(own, _)| own == tag) {
                draft.edits.push((*tag, Some(value.clone())));
            }
        }
        self.place_owner(&mut draft, old, &values);
        let asked = self.scene.registered_on.filter(|_| index == self.form.layout.main);
        let stood = old.zip(registered_on(def.number)).and_then(|(old, tag)| old.day(tag));
        if asked.zip(stood).is_some_and(|(asked, stood)| asked != stood) {
            self.tell("已经在册，入册日期未按 --registered-on 改动；如需更改请用 save");
        }
        let mut notes: Vec<String> =
            self.row.notes.iter().filter(|(role, _)| *role == index).map(|(_, note)| note.clone()).collect();
        if index == self.form.layout.main {
            // What is registered since that very day has nothing left to ask.
            let registered = registered_on(def.number).and_then(|tag| match (old, values.own.get(&tag)) {
                (_, Some(Value::Day(said))) => Some(*said),
                (Some(old), _) => old.day(tag),
                (None, _) => Some(self.since),
            });
            let untold = self.days.iter().filter(|(day, _)| registered != Some(*day));
            notes.extend(untold.map(|(_, note)| note.clone()));
            notes.append(&mut self.notes);
        }
        let before =
            held(IMPORT_NOTE).and_then(|_| old?.slice(IMPORT_NOTE)).map(String::from_utf8_lossy).unwrap_or_default();
        let Note { text, left_out } = Note::extended(&before, &notes);
        if let Some(note) = text {
            draft.edits.push((IMPORT_NOTE, Some(Value::Text(note))));
        }
        self.group.left_out.extend(left_out);
        self.group.is_new |= index == self.form.layout.main && old.is_none();
        if draft.edits.is_empty() {
            return Ok(());
        }
        if def.number == number::PERIOD_CLOSE && !self.is_taken_over(def, (draft.id, old), &values)? {
            let heading = self.heading((self.form.layout.main, field::period_close::MONTH));
            self.group.faults.push(format!("“{heading}”：月份用 close 封账，数字由程序清点，不能导入或改动"));
            return Ok(());
        }
        self.add(index, old, def, draft);
        Ok(())
    }

    /// Whether a closing comes with those of a unit that has none here, as when its registers are taken over: one that is changed or
    /// added was never counted. Of a month there is one, and of what the city has locked there will be none.
    fn is_taken_over(
        &self,
        def: &RegisterDef,
        (id, old): (RecordId, Option<&Record>),
        values: &Values,
    ) -> Result<bool, SaveError> {
        let said = |tag: &u32| values.own.get(tag).or_else(|| values.new.get(tag)).cloned();
        let Some(Value::Uint(owner)) = said(&HOME_UNIT) else { return Ok(false) };
        let month = match said(&field::period_close::MONTH) {
            Some(Value::Text(month)) => Month::read(&month),
            _ => None,
        };
        let stands = |key: &[Value]| -> Result<bool, SaveError> {
            let pending = self.scene.pending.find(def, key).filter(|other| *other != id);
            Ok(pending.is_some() || !self.scene.desk.find(def.number, key)?.is_empty())
        };
        let is_locked = month.is_some() && month <= self.scene.desk.locked_month();
        let key: Option<Vec<Value>> = def.key.iter().map(said).collect();
        let is_free = old.is_none() && !is_locked && !self.scene.closed.contains(&owner);
        Ok(is_free && !key.map_or(Ok(false), |key| stands(&key))?)
    }

    fn add(&mut self, index: usize, old: Option<&Record>, def: &'static RegisterDef, draft: Draft) {
        let record = merged(old, def, &draft);
        let edited = draft.edits.iter().map(|(tag, _)| *tag);
        for violation in check::entry(&record, old, edited, self.scene.desk.today()) {
            let fault = self.fault(index, def, &violation);
            if !self.group.faults.contains(&fault) {
                self.group.faults.push(fault);
            }
        }
        let clash = def.number == number::RESIDENT
            && self.group.made.iter().any(|made| made.def.number == def.number && same_key(def, &made.record, &record));
        if clash {
            self.group.faults.push("一行中两人的身份证号码相同，请核对".into());
        }
        self.group.made.push(Made { def, id: draft.id, record });
        self.group.drafts.push(draft);
    }

    /// Since when somebody new is on the register whom the row gives no such day: the earliest day of what it makes; else that of a
    /// column which made nothing, else the form's, where they can be; else the day of the import.
    fn since(&self, fields: &[(usize, Found, Values)]) -> Day {
        let today = self.scene.desk.today();
        let written = |role: &usize, values: &Values, tag: u32| match values.own.get(&tag) {
            Some(Value::Text(text)) if self.role(*role).register.number == number::RESIDENT => Some(text.clone()),
            _ => None,
        };
        let ids = fields.iter().filter_map(|(role, _, values)| written(role, values, field::resident::ID_NO));
        let births: Vec<Day> = ids.filter_map(|id| Some(citizen_id::check(&id).ok()?.birth)).collect();
        // Nobody registers on a day to come, or as a child: a slip of the pen moves no month.
        let can_be = |day: &Day| {
            *day <= today && births.iter().all(|birth| date::years_between(*birth, *day) >= check::WORKING_AGE)
        };
        let columns = self.days.iter().map(|(day, _)| *day).filter(can_be).min();
        let said = columns.or(self.form.date.filter(can_be)).unwrap_or(today);
        let days = fields.iter().flat_map(|(role, found, values)| {
            let day = |tag| match values.own.get(&tag).or(values.gaps.get(&tag)).or(values.new.get(&tag)) {
                Some(Value::Day(day)) => Some(*day),
                _ => found.old.as_ref()?.day(tag),
            };
            check::days_of_registration(self.role(*role).register.number).filter_map(day).collect::<Vec<_>>()
        });
        check::registered_since(days, self.scene.registered_on.unwrap_or(said))
    }

    /// Whoever is new and comes without a day of registration is on the register since the earliest day that the row says.
    /// An old register is to be verified from the day on which it was taken over, not from the day it was begun.
    fn register_since(&mut self) {
        let (today, since) = (self.scene.desk.today(), self.since);
        let entered = self.scene.registered_on.unwrap_or(today);
        for made in self.group.made.iter_mut().filter(|made| self.fresh.contains(&made.id)) {
            let unsaid = |tags: &[u32]| tags.iter().all(|tag| made.record.day(*tag).is_none());
            let mut dated = Vec::new();
            if let Some(tag) = registered_on(made.def.number) {
                dated.extend(unsaid(&[tag]).then_some((tag, since)));
                let registered = made.record.day(tag).unwrap_or(since);
                let untold = unsaid(&[VERIFIED_ON]) && !self.form.layout.exact;
                dated.extend((untold && registered < today).then_some((VERIFIED_ON, today)));
            } else if made.def.number == number::FACILITY {
                // Premises of which no day is known are known since they were entered, and not since always.
                dated.extend(unsaid(&PREMISES).then_some((EFFECTIVE_ON, entered)));
            }
            if dated.is_empty() {
                continue;
            }
            let Some(draft) = self.group.drafts.iter_mut().find(|draft| draft.id == made.id) else { continue };
            draft.edits.extend(dated.into_iter().map(|(tag, day)| (tag, Some(Value::Day(day)))));
            made.record = merged(None, made.def, draft);
        }
    }

    /// A broken rule as the clerk who wrote the row reads it.
    fn fault(&self, index: usize, def: &RegisterDef, violation: &Violation) -> String {
        let heading = def.field_named(&violation.field).map(|field| self.heading((index, field.tag)));
        format!("“{}”：{}", heading.unwrap_or_else(|| def.zh.clone()), chinese(&violation.message))
    }

    /// A known id number with another name: the person was renamed, or the number belongs to somebody else. A file does not
    /// decide that.
    fn compare_name(&mut self, place: Place, held: &str, name: &str) {
        if !text::is_same_name(held, name) {
            let heading = self.heading(place);
            self.group.faults.push(format!(
                "“{heading}”：此身份证号码已登记为“{held}”，与表中姓名不同；请核对号码，确已更名的先在登记中改姓名再导入"
            ));
        }
    }

    /// Another unit's record stays that unit's: moving it is a transfer, not an import. What stands in the office's own name
    /// because a file named no unit is moved on demand.
    fn place_owner(&mut self, draft: &mut Draft, old: Option<&Record>, values: &Values) {
        let own = self.scene.desk.unit().number();
        let said = self.row.unit.is_some() || matches!(self.form.owner, Owner::Unit(_));
        let (Some(Value::Uint(owner)), Some(held)) =
            (values.new.get(&HOME_UNIT), old.and_then(|record| record.varint(HOME_UNIT)))
        else {
            return;
        };
        if held == *owner {
            return;
        }
        let unplaced = held == own && (said || self.scene.chosen);
        if unplaced && self.scene.moves {
            draft.edits.push((HOME_UNIT, Some(Value::Uint(*owner))));
            return;
        }
        let finding = match (unplaced, said) {
            (true, _) => "以前导入时未写单位，登记在本单位名下；加 --move 可改到所选单位",
            (false, true) => "已在其他单位登记，归属单位未改；迁移请办理转移",
            (false, false) => return,
        };
        self.tell(finding);
    }

    /// Says something of the row, once.
    fn tell(&mut self, finding: &str) {
        if !self.group.findings.iter().any(|known| known == finding) {
            self.group.findings.push(finding.into());
        }
    }
}

/// Whether a field tells a day on which its register had somebody.
fn is_of_registration(def: &RegisterDef, tag: u32) -> bool {
    check::days_of_registration(def.number).any(|own| own == tag)
}

/// Values that a layout writes as text.
fn parsed<'r>(role: &'r Role, written: &'r [(u32, String)]) -> impl Iterator<Item = (u32, Value)> + use<'r> {
    written.iter().filter_map(|(tag, text)| {
        let field = role.register.field(*tag)?;
        Value::parse(field, text).ok().map(|(value, _)| (*tag, value))
    })
}

/// The faults of a group that the desk refused after all.
pub(super) fn refused(form: &Form<'_>, violations: &[Violation]) -> String {
    let why: Vec<String> = violations
        .iter()
        .map(|violation| {
            let def = form.layout.roles.iter().map(|role| role.register).find(|def| def.name == violation.register);
            let label = def.and_then(|def| def.field_named(&violation.field)).map(|field| field.zh.as_str());
            format!("“{}”：{}", label.unwrap_or(&violation.register), chinese(&violation.message))
        })
        .collect();
    why.join("；")
}
