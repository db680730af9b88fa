//! Offices, their districts and the city over real sessions, clerks who enter records as text, and the districts'
//! reviewers: what the tests of disagreements and of the notice play on.
//! Invariant: a scene ends only when every office holds what its hub holds, every total is what a recount finds, and
//! nothing was refused that the test does not say. What can't be done is a broken test, so nothing here returns an error.

#![allow(clippy::unwrap_used)]

use crate::{
    books,
    town::{OfficePlan, Plan, Town, TownHub, TownOffice, agreement, apart, has_figures_of},
};
use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};
use taizhang_hub::hub::ReviewService;
use taizhang_node::{
    ledger::{Ledger, system_clock},
    upstream::schedule::Mode,
};
use taizhang_proto::{
    OrgCode, RecordId, date,
    pb::{self, Choice, ConflictKind, review_server::Review},
    register::{Value, number},
    wire,
};
use tonic::{Request, Status};

/// A community.
pub const FIRST: u64 = 210_402_011_003;
/// Another one of the same street.
pub const SECOND: u64 = 210_402_011_004;
/// The street that both belong to.
pub const STREET: u64 = 210_402_011_000;
/// Its district, also the first of a scene whose offices name none.
pub const DISTRICT: u64 = 210_402_000_000;

/// Who rules.
pub const REVIEWER: &str = "wang.fang";
/// Why.
pub const REASON: &str = "查验原件后确定";
/// Nobody ruled: a policy or rule did.
pub const RULE: &str = "";

/// A city in which something is about to happen.
pub struct Scene {
    /// Its hubs and offices.
    pub town: Town,
    /// Entries that the hub refuses in this case, over all offices.
    pub refusals: usize,
    /// Restored backups in this case.
    pub incidents: u64,
    /// The district calls the city only when it is told to.
    nightly: bool,
    drifts: HashMap<u64, Arc<AtomicI64>>,
    _dir: tempfile::TempDir,
}

/// A value of a record that does not stand, as an office remembers it.
#[derive(Debug, PartialEq, Eq)]
pub struct Past {
    /// As people read it.
    pub value: String,
    /// The rule that it lost by.
    pub rule: String,
    /// Who ruled.
    pub by: String,
}

/// A unit by its code.
pub fn unit(code: u64) -> OrgCode {
    OrgCode::new(code).unwrap()
}

impl Scene {
    /// The street and both communities, nothing entered.
    pub async fn open() -> Self {
        Self::of(&[FIRST, STREET, SECOND]).await
    }

    /// Offices of these units, with their districts.
    pub async fn of(units: &[u64]) -> Self {
        Self::with(units, Mode::Live).await
    }

    /// The same, with districts that keep in touch with the city in this way.
    pub async fn with(units: &[u64], mode: Mode) -> Self {
        Self::planned(units, Plan { mode, ..Plan::default() }).await
    }

    /// The same in a city of this plan.
    pub async fn planned(units: &[u64], plan: Plan) -> Self {
        let (dir, mode) = (tempfile::tempdir().unwrap(), plan.mode);
        let mut town = Town::start(dir.path(), plan).await.unwrap();
        for code in units {
            let district = unit(code - code % 1_000_000);
            if town.districts.iter().all(|open| open.unit != district) {
                town.open_district(district).await.unwrap();
            }
        }
        let drifts: HashMap<u64, Arc<AtomicI64>> = units.iter().map(|code| (*code, Arc::default())).collect();
        let plan = |code: &u64| {
            let (drift, clock) = (drifts[code].clone(), system_clock());
            let clock = move || clock().saturating_add_signed(drift.load(Ordering::Relaxed));
            OfficePlan { clock: Some(Arc::new(clock)), ..OfficePlan::nightly(unit(*code)) }
        };
        town.open_offices(units.iter().map(plan).collect(), |_| {}).await.unwrap();
        let scene = Self { town, refusals: 0, incidents: 0, nightly: mode == Mode::Nightly, drifts, _dir: dir };
        scene.meet().await;
        scene
    }

    /// The same town after something was done to the data of its first office while it was closed.
    #[must_use]
    pub async fn with_first_reopened(mut self, between: impl FnOnce(&Path) -> anyhow::Result<()>) -> Self {
        let office = self.town.offices.remove(0).reopened(between).await.unwrap();
        self.town.offices.insert(0, office);
        self
    }

    /// The hub of the first district.
    pub fn hub(&self) -> &TownHub {
        &self.town.districts[0]
    }

    /// The hub of the district that a unit lies in.
    pub fn hub_of(&self, code: u64) -> &TownHub {
        self.town.district_of(unit(code)).unwrap()
    }

    /// The office of a unit.
    pub fn at(&self, code: u64) -> &TownOffice {
        self.town.offices.iter().find(|office| office.unit.number() == code).unwrap()
    }

    /// An office's registers.
    pub fn ledger(&self, code: u64) -> &Ledger {
        self.at(code).ledger()
    }

    /// Sets an office's clock so many milliseconds ahead of the right time.
    pub fn set_clock(&self, code: u64, ahead: i64) {
        self.drifts[&code].store(ahead, Ordering::Relaxed);
    }

    /// A day as a clerk writes it.
    pub fn ago(&self, days: i32) -> String {
        date::iso(self.hub().hub.core.today() - days)
    }

    // What clerks do.

    /// A clerk enters a record; returns its id.
    pub fn enter(&self, office: u64, register: u32, fields: &[(&str, &str)]) -> RecordId {
        books::enter(self.ledger(office), register, fields)
    }

    /// A clerk edits a record that the office sees.
    pub fn amend(&self, office: u64, id: RecordId, fields: &[(&str, &str)]) {
        books::amend(self.ledger(office), id, fields);
    }

    /// The id number of the nth person of the scene.
    pub fn id_no(&self, nth: usize) -> String {
        books::id_no(self.hub().hub.core.today() - 40 * 365, nth)
    }

    /// A resident of the office's own unit.
    pub fn resident(&self, office: u64, nth: usize, fields: &[(&str, &str)]) -> RecordId {
        let id_no = self.id_no(nth);
        let own = [("id_no", id_no.as_str()), ("name", "赵立新")];
        self.enter(office, number::RESIDENT, &[&own, fields].concat())
    }

    /// A household of the office's own unit.
    pub fn household(&self, office: u64, hh_no: &str, fields: &[(&str, &str)]) -> RecordId {
        self.enter(office, number::HOUSEHOLD, &[&[("hh_no", hh_no), ("status", "1")], fields].concat())
    }

    /// A person who counts in a household.
    pub fn member(&self, office: u64, household: RecordId, person: RecordId) -> RecordId {
        let (household, person) = (household.to_string(), person.to_string());
        self.enter(office, number::MEMBER, &[("household", &household), ("person", &person), ("counted", "是")])
    }

    /// A household recognised as without employment so many days ago.
    pub fn case(&self, office: u64, household: RecordId, days: i32) -> RecordId {
        let (household, day) = (household.to_string(), self.ago(days));
        let fields = [("household", household.as_str()), ("kind", "1"), ("recognised_on", &day)];
        self.enter(office, number::ZEF_CASE, &fields)
    }

    /// A job that began so many days ago.
    pub fn job(&self, office: u64, person: RecordId, days: i32, fields: &[(&str, &str)]) -> RecordId {
        let (person, day) = (person.to_string(), self.ago(days));
        let own = [("person", person.as_str()), ("kind", "1"), ("start_on", &day)];
        self.enter(office, number::PLACEMENT, &[&own, fields].concat())
    }

    /// A person of the first community whose name it and the street correct differently while apart; the district has heard
    /// both, the community first.
    pub async fn two_names(&self) -> RecordId {
        let id = self.resident(FIRST, 1, &[]);
        self.meet().await;
        self.amend(FIRST, id, &[("name", "赵立欣")]);
        self.amend(STREET, id, &[("name", "赵丽新")]);
        self.sync(FIRST).await;
        self.sync(STREET).await;
        id
    }

    // Meeting.

    /// An office syncs once.
    pub async fn sync(&self, office: u64) -> pb::SyncReport {
        let report = self.at(office).sync().await.unwrap();
        assert!(report.ok && report.equal, "{report:?}");
        report
    }

    /// Everybody syncs until everybody has heard everything.
    pub async fn meet(&self) {
        self.town.sync_all().await.unwrap();
    }

    /// The district talks to the city.
    pub async fn call_the_city(&self) {
        let keeper = self.hub().hub.keeper.clone().unwrap();
        assert!(keeper.sync_now().await.unwrap().ok);
    }

    // What offices and hub hold.

    /// A field as an office shows it; empty where it has none.
    pub fn says(&self, office: u64, id: RecordId, field: &str) -> String {
        let view = self.ledger(office).view(id).unwrap();
        books::shown(&view.unwrap_or_else(|| panic!("{office} does not hold {id}")), field)
    }

    /// Whether an office holds a record.
    pub fn holds(&self, office: u64, id: RecordId) -> bool {
        self.ledger(office).view(id).unwrap().is_some()
    }

    /// What every office that holds a record shows is this.
    pub fn all_say(&self, id: RecordId, field: &str, value: &str) {
        for office in &self.town.offices {
            if let Some(view) = office.ledger().view(id).unwrap() {
                assert_eq!(books::shown(&view, field), value, "{field} at {}", office.unit);
            }
        }
        let records = self.town.districts.iter().filter_map(|hub| books::records_at(&hub.hub).remove(&id));
        let at_hubs: Vec<String> = records.map(|record| books::shown(&record, field)).collect();
        assert_eq!(at_hubs, [value], "{field} at the hub");
    }

    /// What an office remembers of a field.
    pub fn past(&self, office: u64, id: RecordId, field: &str) -> Vec<Past> {
        let ledger = self.ledger(office);
        let def = books::field(ledger.view(id).unwrap().unwrap().register, field);
        let mut found = Vec::new();
        for entry in ledger.history(id).unwrap() {
            let by = entry.ruling.unwrap_or_default().by;
            for own in wire::split(&entry.message).unwrap().iter().filter(|own| own.tag == def.tag) {
                let value = Value::decode(def, &own.bytes).map(|value| value.show(def)).unwrap_or_default();
                found.push(Past { value, rule: entry.rule.clone(), by: by.clone() });
            }
        }
        found
    }

    /// Every office that holds the record remembers a value, the rule that it lost by, and who ruled, with the reason.
    pub fn all_remember(&self, id: RecordId, field: &str, value: &str, rule: &str, by: &str) {
        let wanted = Past { value: value.into(), rule: rule.into(), by: by.into() };
        let holders: Vec<u64> =
            self.town.offices.iter().map(|office| office.unit.number()).filter(|code| self.holds(*code, id)).collect();
        assert!(!holders.is_empty(), "nobody holds {id}");
        for office in holders {
            let past = self.past(office, id, field);
            assert!(past.contains(&wanted), "{office} remembers of {field}: {past:?}, not {wanted:?}");
            if !by.is_empty() {
                let history = self.ledger(office).history(id).unwrap();
                let mut rulings = history.into_iter().filter_map(|entry| entry.ruling).filter(|one| one.by == by);
                assert!(rulings.any(|one| one.reason == REASON), "the reason is not told at {office}");
            }
        }
    }

    /// A figure of a unit today.
    pub fn figure(&self, code: u64, indicator: &str) -> i64 {
        self.hub().figure(unit(code), indicator).unwrap()
    }

    /// A figure of a unit so many days ago.
    pub fn figure_then(&self, code: u64, indicator: &str, days: i32) -> i64 {
        let on = self.hub().hub.core.today() - days;
        self.hub().value(unit(code), indicator, on).unwrap().numerator
    }

    /// How many count among the duplicates of a figure.
    pub fn duplicates(&self, code: u64, indicator: &str) -> i64 {
        self.hub().value(unit(code), indicator, 0).unwrap().duplicates
    }

    // The reviewer.

    /// The reviewer of the first district.
    pub fn reviewer(&self) -> ReviewService {
        Self::reviewer_at(self.hub())
    }

    fn reviewer_at(hub: &TownHub) -> ReviewService {
        ReviewService::new(hub.hub.core.clone(), hub.hub.writer.clone())
    }

    async fn page(&self, query: pb::ConflictQuery) -> Vec<pb::Conflict> {
        let query = pb::ConflictQuery { who: Some(pb::Looker { by: "reviewer".into(), names: true }), ..query };
        let page = self.reviewer().conflicts(Request::new(query)).await.unwrap().into_inner();
        page.lines.into_iter().map(|line| line.conflict.unwrap()).collect()
    }

    /// The open conflicts of a kind.
    pub async fn every_open_one(&self) -> Vec<pb::Conflict> {
        self.page(pb::ConflictQuery::default()).await
    }

    /// Open conflicts of a kind.
    pub async fn open_ones(&self, kind: ConflictKind) -> Vec<pb::Conflict> {
        self.page(pb::ConflictQuery { kinds: vec![kind.into()], ..Default::default() }).await
    }

    /// The conflicts of a kind that are settled, newest first.
    pub async fn settled_ones(&self, kind: ConflictKind) -> Vec<pb::Conflict> {
        self.page(pb::ConflictQuery { kinds: vec![kind.into()], closed: true, ..Default::default() }).await
    }

    /// The only open conflict of a kind, which is about this record and these fields.
    pub async fn found(&self, kind: ConflictKind, id: RecordId, fields: &[&str]) -> pb::Conflict {
        let mut open = self.open_ones(kind).await;
        assert_eq!(open.len(), 1, "{open:?}");
        let conflict = open.remove(0);
        let record = &books::records_at(&self.hub().hub)[&id];
        let tags: Vec<u32> = fields.iter().map(|name| books::field(record.register, name).tag).collect();
        assert_eq!((&conflict.record[..], &conflict.tags), (&id.0[..], &tags), "{conflict:?}");
        assert_eq!(Some(conflict.unit), record.varint(taizhang_proto::register::HOME_UNIT));
        conflict
    }

    /// Nothing waits for a reviewer.
    pub async fn queue_is_empty(&self) {
        let open = self.page(pb::ConflictQuery::default()).await;
        assert!(open.is_empty(), "{open:?}");
    }

    /// What becomes of a ruling of the reviewer that need not go well.
    pub async fn tries(&self, conflict: &pb::Conflict, choice: Choice, despite: bool) -> pb::ResolveAnswer {
        let request = pb::ResolveRequest {
            numbers: vec![conflict.number],
            choice: choice.into(),
            reason: REASON.into(),
            by: REVIEWER.into(),
            despite,
            ..Default::default()
        };
        self.reviewer().resolve(Request::new(request)).await.unwrap().into_inner()
    }

    /// The reviewer settles a conflict.
    pub async fn rule(&self, conflict: &pb::Conflict, choice: Choice) {
        self.rule_as(conflict, choice, &[]).await;
    }

    /// The same with values of the reviewer's own.
    pub async fn rule_as(&self, conflict: &pb::Conflict, choice: Choice, fields: &[(&str, &str)]) {
        let request = pb::ResolveRequest {
            numbers: vec![conflict.number],
            choice: choice.into(),
            fields: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            reason: REASON.into(),
            by: REVIEWER.into(),
            despite: true,
            ..Default::default()
        };
        let answer = self.reviewer().resolve(Request::new(request)).await.unwrap().into_inner();
        assert_eq!((answer.settled, &answer.failed[..]), (1, &[][..]));
    }

    /// The reviewer takes a ruling back.
    pub async fn reopen(&self, conflict: &pb::Conflict) {
        let request = pb::ReopenRequest { number: conflict.number, reason: REASON.into(), by: REVIEWER.into() };
        let answer = self.reviewer().reopen(Request::new(request)).await.unwrap().into_inner();
        assert_eq!((answer.settled, &answer.failed[..]), (1, &[][..]));
    }

    /// The first district edits a record by its own hand.
    pub async fn revise(&self, id: RecordId, register: &str, fields: &[(&str, &str)]) {
        Self::written(self.hub(), &id.to_string(), register, fields).await.unwrap();
    }

    /// What a district says to an edit that it may not make.
    pub async fn refused(&self, id: RecordId, register: &str, fields: &[(&str, &str)]) -> String {
        let answer = Self::written(self.hub(), &id.to_string(), register, fields).await;
        answer.expect_err("the district refuses this").message().to_owned()
    }

    /// A unit's district enters a record of the unit by its own hand.
    pub async fn record(&self, code: u64, register: &str, fields: &[(&str, &str)]) -> RecordId {
        self.entered(code, register, fields).await.unwrap().record.parse().unwrap()
    }

    /// What a unit's district says to a record that it may not enter.
    pub async fn not_recorded(&self, code: u64, register: &str, fields: &[(&str, &str)]) -> String {
        let answer = self.entered(code, register, fields).await;
        answer.expect_err("the district refuses this").message().to_owned()
    }

    async fn entered(&self, code: u64, register: &str, fields: &[(&str, &str)]) -> Result<pb::SaveAnswer, Status> {
        let home = code.to_string();
        let fields = [&[("home_unit", home.as_str())], fields].concat();
        Self::written(self.hub_of(code), "", register, &fields).await
    }

    /// A district certifies a community on a day; below the standard where it says so.
    ///
    /// # Errors
    /// What it says where it refuses.
    pub async fn certify(&self, case: RecordId, on: &str, despite: bool) -> Result<(), String> {
        // As a reviewer writes them.
        let fields = [("阶段", "达标"), ("达标日期", on)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let request = pb::ReviseRequest {
            record: case.to_string(),
            register: "FecCase".into(),
            fields: fields.into(),
            reason: REASON.into(),
            by: REVIEWER.into(),
            despite,
        };
        let answer = self.reviewer().revise(Request::new(request)).await;
        answer.map(drop).map_err(|status| status.message().to_owned())
    }

    async fn written(
        hub: &TownHub,
        record: &str,
        register: &str,
        fields: &[(&str, &str)],
    ) -> Result<pb::SaveAnswer, Status> {
        let request = pb::ReviseRequest {
            record: record.into(),
            register: register.into(),
            fields: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            reason: REASON.into(),
            by: REVIEWER.into(),
            despite: true, // most scenes are about other things than the standard
        };
        Ok(Self::reviewer_at(hub).revise(Request::new(request)).await?.into_inner())
    }

    // The end.

    /// Everybody has heard everything, holds the same, and every total is what a recount finds.
    pub async fn agrees(&self) {
        self.meet().await;
        assert_eq!(apart(&self.town).unwrap(), Vec::<String>::new());
        let offices = || self.town.offices.iter().map(TownOffice::ledger);
        let refused: Vec<_> = offices().flat_map(|ledger| ledger.refused().unwrap()).collect();
        assert_eq!(refused.len(), self.refusals, "{refused:?}");
        let said: Vec<_> = offices().map(|ledger| (ledger.unit(), ledger.state().last_incident)).collect();
        assert_eq!(offices().map(|ledger| ledger.state().incidents).sum::<u64>(), self.incidents, "{said:?}");
        let mut calls = 0;
        while self.nightly && !self.city_has_all() {
            // The marks of what was just said follow in their own time, and nobody calls before the night.
            self.call_the_city().await;
            calls += 1;
            assert!(calls < 1_000, "the city never has all");
        }
        self.town.settled(|_, _| {}).await.unwrap();
        let agreement = agreement(&self.town).unwrap();
        assert!(agreement.holds(), "{:?}", agreement.differences);
    }

    fn city_has_all(&self) -> bool {
        let town = &self.town;
        town.districts.iter().all(|district| has_figures_of(&town.city, district).unwrap())
    }

    /// As [`Scene::agrees`], and all goes home.
    pub async fn end(self) {
        self.agrees().await;
        self.town.stop().await;
    }
}
