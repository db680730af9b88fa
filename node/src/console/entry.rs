//! A form for a record of any register, new or as it stands. Invariant: only what somebody has changed on the page is saved, so that
//! nobody undoes what came meanwhile; where both changed the same field, they are shown it and asked.

use super::{Hall, Shown, find as search, id_of, now, unsent::Typed};
use crate::{
    caller::Refusal,
    desk::{Desk, find},
    ledger::LedgerDesk,
    web::{
        Words,
        form::{self, Filled},
        login::{Posted, Visit},
        shell,
    },
};
use axum::{
    Json,
    extract::{Path, Query, State},
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use taizhang_proto::{
    RecordId, citizen_id, date,
    pb::{self, Policy},
    register::{
        FIRST_OWN, FieldDef, HOME_UNIT, RegisterDef, STATE, TRANSFER_TO, VERIFIED_ON, VOID_REASON, Value, field, number,
    },
    text,
};

/// What a form is for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct For {
    /// The record that a new one is about.
    #[serde(default)]
    of: String,
    /// It is to move to another unit.
    #[serde(default, rename = "move")]
    moves: String,
    /// A draft is not wanted.
    #[serde(default)]
    fresh: String,
}

/// A form as it is shown.
struct Sheet<'a> {
    def: &'static RegisterDef,
    /// The record that is edited; none of a new one.
    record: Option<RecordId>,
    /// The record that a new one is about.
    of: Option<RecordId>,
    /// What stood when the page was made, by field.
    was: BTreeMap<String, String>,
    /// What is in the fields, by field.
    now: BTreeMap<String, String>,
    /// What is wrong, by field.
    wrong: HashMap<String, String>,
    /// What is said above.
    said: Option<String>,
    /// The same was saved a moment ago: it can be entered again.
    again: bool,
    from_draft: bool,
    reason: String,
    moves: bool,
    visit: &'a Visit,
}

/// The name of a form, for its draft.
fn form_name(def: &RegisterDef, record: Option<RecordId>, of: Option<RecordId>) -> String {
    match (record, of) {
        (Some(id), _) => format!("edit/{id}"),
        (None, Some(of)) => format!("new/{}/{of}", def.name),
        (None, None) => format!("new/{}", def.name),
    }
}

/// Whether a clerk fills this field in: the others are written by programs.
fn is_filled_in(field: &FieldDef, is_new: bool) -> bool {
    field.tag >= FIRST_OWN
        || field.tag == HOME_UNIT
        || (field.tag == VERIFIED_ON && !is_new)
        || (matches!(field.tag, STATE | VOID_REASON) && !is_new)
}

/// The field of a register that refers to a record, and to which one of that record's own where that is only on the way: the household of
/// a case.
fn refers_to(
    hall: &Hall,
    def: &'static RegisterDef,
    of: RecordId,
) -> Result<Option<(&'static FieldDef, RecordId)>, Refusal> {
    let (target, record, _) = hall.office.record(of)?;
    let direct = |register: u32| {
        def.fields.iter().find(|one| {
            !one.many
                && one.tag >= FIRST_OWN
                && one.refers.is_some_and(|refers| refers == taizhang_proto::register::Refers::To(register))
        })
    };
    if let Some(field) = direct(target.number) {
        return Ok(Some((field, of)));
    }
    if target.number == number::ZEF_CASE
        && let Some(household) = record.reference(field::zef_case::HOUSEHOLD)
    {
        return Ok(direct(number::HOUSEHOLD).map(|field| (field, household)));
    }
    Ok(None)
}

/// A record's fields as a clerk writes them.
fn written(hall: &Hall, def: &RegisterDef, record: &taizhang_proto::Record) -> BTreeMap<String, String> {
    let desk = LedgerDesk::new(&hall.office.ledger);
    let fields = def.fields.iter().filter(|field| is_filled_in(field, false));
    let of = |field: &FieldDef| {
        let value = record.bytes(field.tag).and_then(|bytes| Value::decode(field, bytes));
        let text = match value {
            None => String::new(),
            Some(Value::Uint(unit)) if field.format == pb::Format::Unit => unit_name(&desk, unit),
            Some(value) => value.show(field),
        };
        (field.name.clone(), text)
    };
    fields.map(of).collect()
}

/// A unit's name, where that is enough to find it by; else its code.
fn unit_name(desk: &LedgerDesk<'_>, unit: u64) -> String {
    let Ok(code) = taizhang_proto::OrgCode::new(unit) else { return unit.to_string() };
    let name = desk.tree().name(code);
    if find::unit(desk, &name).is_ok_and(|found| found == code) { name } else { unit.to_string() }
}

/// The page of a new record.
pub(super) async fn blank(
    State(hall): State<Hall>,
    visit: Visit,
    Path(register): Path<String>,
    Query(asked): Query<For>,
) -> Shown {
    now(&visit, || {
        hall.clerk(&visit)?;
        let def = find::register(&register)?;
        let of = (!asked.of.is_empty()).then(|| id_of(&asked.of)).transpose()?;
        let mut now = BTreeMap::new();
        if let Some(of) = of
            && let Some((field, target)) = refers_to(&hall, def, of)?
        {
            now.insert(field.name.clone(), target.to_string());
        }
        let today = hall.office.ledger.business_day();
        for field in &def.fields {
            // What is done is mostly done today.
            if [("ServiceRecord", "on"), ("Placement", "start_on"), ("UnemploymentSpell", "reg_on")]
                .contains(&(def.name.as_str(), field.name.as_str()))
            {
                now.insert(field.name.clone(), date::iso(today));
            }
        }
        let mut sheet = Sheet {
            def,
            record: None,
            of,
            was: BTreeMap::new(),
            now,
            wrong: HashMap::new(),
            said: None,
            again: false,
            from_draft: false,
            reason: String::new(),
            moves: false,
            visit: &visit,
        };
        sheet.take_draft(&hall, &asked);
        Ok(sheet.drawn(&hall))
    })
}

/// The page of a record as it stands.
pub(super) async fn filled(
    State(hall): State<Hall>,
    visit: Visit,
    Path(record): Path<String>,
    Query(asked): Query<For>,
) -> Shown {
    now(&visit, || {
        hall.clerk(&visit)?;
        let id = id_of(&record)?;
        let (def, held, _) = hall.office.record(id)?;
        let was = written(&hall, def, &held);
        let mut sheet = Sheet {
            def,
            record: Some(id),
            of: None,
            now: was.clone(),
            was,
            wrong: HashMap::new(),
            said: None,
            again: false,
            from_draft: false,
            reason: String::new(),
            moves: !asked.moves.is_empty(),
            visit: &visit,
        };
        sheet.take_draft(&hall, &asked);
        Ok(sheet.drawn(&hall))
    })
}

impl Sheet<'_> {
    fn name(&self) -> String {
        form_name(self.def, self.record, self.of)
    }

    /// What somebody had typed before the light went out.
    fn take_draft(&mut self, hall: &Hall, asked: &For) {
        let user = &self.visit.user.name;
        if !asked.fresh.is_empty() {
            return hall.unsent.forget(user, &self.name());
        }
        let Some(draft) = hall.unsent.get(user, &self.name()) else { return };
        let is_own = |name: &str| self.def.field_named(name).is_some();
        let said: Typed =
            draft.iter().filter(|(name, _)| is_own(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
        if said.iter().any(|(name, value)| self.now.get(name).map_or("", String::as_str) != value) {
            self.from_draft = true;
            // Against what stood when it was typed: what came meanwhile is not undone.
            for (name, value) in &draft {
                if let Some(own) = name.strip_prefix("was.") {
                    self.was.insert(own.to_owned(), value.clone());
                }
            }
            self.now.extend(said);
            self.reason = draft.get("reason").cloned().unwrap_or_default();
        }
    }

    fn filled(&self, hall: &Hall, desk: &LedgerDesk<'_>, field: &FieldDef) -> Filled {
        let is_owned = field.policy == Policy::Owned && desk.unit().tier() < field.owner && field.open.is_none();
        let units = || hall.office.find_units("").units.into_iter().filter(|line| line.given_up == 0).take(300);
        Filled {
            value: self.now.get(&field.name).cloned().unwrap_or_default(),
            wrong: self.wrong.get(&field.name).cloned(),
            offers: if field.format == pb::Format::Unit {
                units().map(|line| (line.name.clone(), line.within)).collect()
            } else {
                Vec::new()
            },
            fixed: is_owned,
        }
    }

    /// The form's page.
    fn drawn(&self, hall: &Hall) -> Response {
        let words = self.visit.words;
        let register = words.lang.word(&self.def.zh, &self.def.en);
        let title = if self.record.is_some() { words.of("edit-of", register) } else { words.of("new-of", register) };
        let body = self.body(hall, words, &title);
        hall.framed(
            self.visit,
            if self.def.number == number::RESIDENT { "/people" } else { "/registers" },
            &title,
            &body,
        )
    }

    fn body(&self, hall: &Hall, words: Words, title: &str) -> Markup {
        let desk = LedgerDesk::new(&hall.office.ledger);
        let action = match self.record {
            Some(id) => format!("/edit/{id}"),
            None => format!("/new/{}", self.def.name),
        };
        let fresh = self.of.map_or_else(|| format!("{action}?fresh=1"), |of| format!("{action}?of={of}&fresh=1"));
        let is_new = self.record.is_none();
        let (own, every): (Vec<&FieldDef>, Vec<&FieldDef>) = self
            .def
            .fields
            .iter()
            .filter(|field| is_filled_in(field, is_new))
            .partition(|field| field.tag >= FIRST_OWN);
        let transfer = self.def.field(TRANSFER_TO).filter(|_| self.moves);
        // One computer of a community has one unit: it need not be asked for.
        let every: Vec<&FieldDef> = every
            .into_iter()
            .filter(|field| field.tag != HOME_UNIT || hall.office.find_units("").units.len() > 1)
            .collect();
        html! {
            (search::search_box(self.visit, ""))
            form.sheet method="post" action=(action) data-form=(self.name()) autocomplete="off" novalidate {
                header { h1 { (title) } span.dim.small data-draft aria-live="polite" {} span.end.small.dim { (words.say("enter-walks")) } }
                div.body {
                    input type="hidden" name="csrf" value=(self.visit.session.csrf);
                    input type="hidden" name="of" value=(self.of.map(|of| of.to_string()).unwrap_or_default());
                    @if self.again { input type="hidden" name="again" value="1"; }
                    @for (name, value) in &self.was { input type="hidden" name=(format!("was.{name}")) value=(value); }
                    @if let Some(said) = &self.said { p.bad role="alert" { (words.either(said)) } }
                    @if self.from_draft { p.note { (words.say("draft-found")) " " a href=(fresh) { (words.say("draft-drop")) } } }
                    @for field in transfer.iter().chain(&own) { (self.field(hall, &desk, words, field)) }
                    @if !every.is_empty() {
                        h3 { (words.say("every-register")) }
                        @for field in &every { (self.field(hall, &desk, words, field)) }
                    }
                    @if !is_new {
                        div.field { label for="reason" { (words.say("reason")) } input #reason name="reason" value=(self.reason) maxlength="200"; }
                    }
                }
                div.acts {
                    a.btn data-back="" href=(self.record.map_or_else(|| "/people".to_owned(), |id| format!("/record/{id}"))) { (words.say("cancel")) }
                    button.btn.go type="submit" { (words.say(if self.again { "save-again" } else { "save" })) }
                }
            }
        }
    }

    fn field(&self, hall: &Hall, desk: &LedgerDesk<'_>, words: Words, field: &FieldDef) -> Markup {
        let filled = self.filled(hall, desk, field);
        // A record is shown by whose it is, and stays; one that nobody has chosen is named.
        if let Some(id) = field.refers.filter(|_| !field.many).and_then(|_| filled.value.parse::<RecordId>().ok()) {
            let title = hall
                .office
                .record(id)
                .and_then(|(_, held, _)| hall.office.title_of(id, &held))
                .unwrap_or_else(|_| id.to_string());
            return html! {
                div.field {
                    label for=(format!("f-{}", field.name)) { (words.lang.word(&field.zh, &field.en)) }
                    div {
                        input type="hidden" name=(field.name) value=(id);
                        a #(format!("f-{}", field.name)) href=(format!("/record/{id}")) { (title) }
                    }
                }
            };
        }
        form::field(words, field, &filled)
    }

    /// Puts what was said where it belongs: at the field that it names, or above.
    fn place(&mut self, words: Words, said: &str) {
        let named = self.def.fields.iter().filter(|field| said.contains(&field.zh)).max_by_key(|field| field.zh.len());
        if let Some(field) = named {
            self.wrong.insert(field.name.clone(), said.to_owned());
        }
        self.said = Some(words.either(said));
    }
}

/// Saves a new record.
pub(super) async fn save_new(State(hall): State<Hall>, Path(register): Path<String>, posted: Posted) -> Shown {
    now(&posted.visit, || {
        let def = find::register(&register)?;
        let of = (!posted.get("of").is_empty()).then(|| id_of(posted.get("of"))).transpose()?;
        take(&hall, &posted, def, (None, of))
    })
}

/// Saves what was changed of a record.
pub(super) async fn save(State(hall): State<Hall>, Path(record): Path<String>, posted: Posted) -> Shown {
    now(&posted.visit, || {
        let id = id_of(&record)?;
        let (def, ..) = hall.office.record(id)?;
        take(&hall, &posted, def, (Some(id), None))
    })
}

/// Saves a form, or shows it again with what is wrong.
fn take(
    hall: &Hall,
    posted: &Posted,
    def: &'static RegisterDef,
    (record, of): (Option<RecordId>, Option<RecordId>),
) -> Result<Response, Refusal> {
    let visit = &posted.visit;
    let words = visit.words;
    let caller = hall.clerk(visit)?;
    let is_field = |name: &str| def.field_named(name).is_some();
    let now: BTreeMap<String, String> = posted
        .fields()
        .filter(|(name, _)| is_field(name))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let was: BTreeMap<String, String> = posted
        .fields()
        .filter_map(|(name, value)| Some((name.strip_prefix("was.")?.to_owned(), value.to_owned())))
        .filter(|(name, _)| is_field(name))
        .collect();
    let changed: HashMap<String, String> =
        posted.changed().filter(|(name, _)| is_field(name)).map(|(name, value)| (name.into(), value.into())).collect();
    let mut sheet = Sheet {
        def,
        record,
        of,
        was,
        now,
        wrong: HashMap::new(),
        said: None,
        again: false,
        from_draft: false,
        reason: posted.get("reason").to_owned(),
        moves: !posted.get("transfer_to").is_empty(),
        visit,
    };
    if let Some(id) = record {
        let (_, held, line) = hall.office.record(id)?;
        let stands = written(hall, def, &held);
        // Somebody else has changed the same field since this page was opened.
        let both: Vec<&FieldDef> = def
            .fields
            .iter()
            .filter(|field| changed.contains_key(&field.name))
            .filter(|field| {
                let (stands, was) = (stands.get(&field.name), sheet.was.get(&field.name));
                stands != was && stands != sheet.now.get(&field.name)
            })
            .collect();
        if !both.is_empty() {
            for field in both {
                let who = held.origin(field.tag).map(|origin| origin.by.clone()).unwrap_or_default();
                let fact = line.facts.iter().find(|fact| fact.key == field.name);
                let value = fact.map_or_else(|| words.say("nothing"), |fact| words.lang.told(fact));
                let told = words.with("changed-by", &[("who", who.into()), ("what", value.into())]);
                sheet.wrong.insert(field.name.clone(), told);
            }
            // What stands now is what it will be compared with when it is sent once more.
            sheet.was = stands;
            sheet.said = Some(words.say("changed-both"));
            return Ok(sheet.drawn(hall));
        }
        if changed.is_empty() {
            hall.unsent.forget(&visit.user.name, &sheet.name());
            hall.tell(visit, words.say("nothing-changed"));
            return Ok(Redirect::to(&format!("/record/{id}")).into_response());
        }
    }
    let request = pb::SaveRequest {
        register: def.name.clone(),
        record: record.map(|id| id.to_string()).unwrap_or_default(),
        fields: changed,
        by: String::new(),
        reason: sheet.reason.clone(),
        again: posted.get("again") == "1",
    };
    match hall.office.save_form(&caller, &request) {
        Ok(answer) => {
            hall.unsent.forget(&visit.user.name, &sheet.name());
            hall.tell(visit, words.say("saved"));
            for doubt in answer.doubts {
                hall.tell(visit, doubt);
            }
            let to = of.filter(|_| def.number != number::HOUSEHOLD).map_or(answer.record, |of| of.to_string());
            Ok(Redirect::to(&format!("/record/{to}")).into_response())
        }
        Err(why @ (Refusal::Wrong(_) | Refusal::Refused(_) | Refusal::Exists(_))) => {
            sheet.again = matches!(why, Refusal::Exists(_));
            sheet.place(words, &why.to_string());
            let mut response = sheet.drawn(hall);
            *response.status_mut() = shell::status_of(&why);
            Ok(response)
        }
        Err(why) => Err(why),
    }
}

/// What is said of what somebody types.
#[derive(serde::Serialize)]
pub(super) struct Said {
    good: bool,
    /// Whether it is long enough to be called wrong.
    whole: bool,
    words: String,
}

/// Looks at what somebody types. Nothing is saved.
pub(super) async fn check(State(hall): State<Hall>, posted: Posted) -> Json<Said> {
    let words = posted.visit.words;
    let value = text::half_width(posted.get("value")).trim().to_uppercase();
    Json(match posted.get("kind") {
        "citizen-id" => tokio::task::block_in_place(|| check_id(&hall, words, &value, posted.get("form"))),
        _ => match text::parse_date(&value) {
            Some(day) => Said { good: true, whole: true, words: super::today::long_day(words, day) },
            None => Said { good: false, whole: value.len() >= 8, words: words.say("no-date") },
        },
    })
}

fn check_id(hall: &Hall, words: Words, value: &str, form: &str) -> Said {
    let facts = match citizen_id::check(value) {
        Ok(facts) => facts,
        Err(fault) => {
            let whole = value.chars().count() >= 18;
            let said = if whole {
                words.either(&fault.to_string())
            } else {
                words.count("id-left", 18 - value.chars().count())
            };
            return Said { good: false, whole, words: said };
        }
    };
    let desk = LedgerDesk::new(&hall.office.ledger);
    let held = desk.find(number::RESIDENT, &[Value::Text(value.to_owned())]).unwrap_or_default();
    if let Some(id) = held.first().filter(|id| form != format!("edit/{id}"))
        && let Ok((_, record, line)) = hall.office.record(*id)
    {
        let name = hall.office.title_of(*id, &record).unwrap_or_default();
        let what = format!("{name}，{}", line.unit);
        return Said { good: false, whole: true, words: words.of("id-taken", &what) };
    }
    let age = date::years_between(facts.birth, hall.office.ledger.business_day());
    let sex = if facts.male { words.lang.word("男", "male") } else { words.lang.word("女", "female") };
    let gaps = [("born", date::iso(facts.birth).into()), ("sex", sex.into()), ("n", age.into())];
    Said { good: true, whole: true, words: words.with("id-good", &gaps) }
}
