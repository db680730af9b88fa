//! The calls of a node's command line, on the open office.

use super::{Office, refused::RefusedError, worklist::reach};
use crate::{
    audit_log,
    desk::{Desk, Draft, SaveError, find, search},
    exchange::{self, Format, Layouts, Options, Source, note::Note},
    identity::ends_words,
    ledger::LedgerDesk,
    show,
    store::StoreError,
};
use bytes::Bytes;
use std::{collections::BTreeMap, pin::Pin, sync::Arc};
use taizhang_proto::{
    BUILT_MILLIS, OrgCode, RecordId,
    cell::is_active,
    date,
    limits::{self, AUDIT_LINES, LIST_LINES},
    month::Month,
    pb::{self, Policy, office_server},
    register::{FieldDef, HOME_UNIT, IMPORT_NOTE, RegisterDef, Value, field, number, registered_on, registers},
    stamp,
};
use tokio::{
    sync::{Mutex, Semaphore, mpsc},
    task::block_in_place,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// Rows of a list when the asker does not say.
const PAGE: u32 = 100;
/// Said where rows can't name their units yet.
const NO_TREE: &str = "尚未从上级收到单位树，文件未读取；请接通上级后重试，或加 --wait 等待 (no tree of units has come from the hub yet, and \
                       nothing was read: try again once the line is up, or wait for it with --wait)";
/// A form that says what one of so long ago said is taken for a second click, milliseconds.
const MOMENT_MILLIS: u64 = 10 * 60 * 1_000;
/// Records that are looked at for that: a file may have brought many in a moment, and a second click comes right behind the first.
const LOOKED_AT: usize = 500;
/// Files that are read or written at a time; others wait in turn.
const FILES: usize = 2;

/// The calls.
pub(super) struct Calls {
    office: Arc<Office>,
    /// Imports and exports: each holds a whole file.
    files: Arc<Semaphore>,
    /// Imports that save: one after the other, so that the second finds what the first has entered.
    imports: Arc<Mutex<()>>,
}

impl Calls {
    pub(super) fn new(office: Arc<Office>) -> Self {
        Self { office, files: Arc::new(Semaphore::new(FILES)), imports: Arc::default() }
    }

    /// Has the audit log say that what is asked for goes `to_file`, before it is answered.
    fn note_file(&self, to_file: bool, what: &str, of: String) -> Result<(), Status> {
        if !to_file {
            return Ok(());
        }
        block_in_place(|| self.office.note(&self.office.clerk, what, of)).map_err(failed)
    }
}

/// What is said where two computers use one identity; when the hub last saw it, seconds since 1970.
fn twin_words(seen: u64) -> String {
    if seen == 0 {
        return "否 (no)".into();
    }
    format!(
        "是，上级最近见于 {}：两台都先同步一次，再让其中一台停用，用上级的新令牌在新目录登记；已录入的不会丢失 (yes: let both sync, then \
         stop one and enrol it with a new token in a new directory; nothing entered is lost)",
        show::time(seen)
    )
}

fn wrong(error: impl ToString) -> Status {
    Status::invalid_argument(error.to_string())
}

fn failed(error: impl ToString) -> Status {
    Status::internal(error.to_string())
}

fn asked(error: RefusedError) -> Status {
    match error {
        RefusedError::Asked(why) => wrong(why),
        RefusedError::Save(error) => failed(error),
    }
}

#[allow(clippy::result_large_err)]
fn unit_or_none(code: u64) -> Result<Option<OrgCode>, Status> {
    if code == 0 { Ok(None) } else { OrgCode::new(code).map(Some).map_err(wrong) }
}

/// The day that is asked for, or today.
#[allow(clippy::result_large_err)]
fn day_asked(on: date::Day, office: &Office) -> Result<date::Day, Status> {
    match on {
        0 => Ok(office.ledger.business_day()),
        on if date::KNOWN.contains(&on) => Ok(on),
        _ => Err(wrong("日期应在1900年至2199年之间 (a day between 1900 and 2199)")),
    }
}

/// The coded fields by whose values figures are counted.
const COUNTED: [(u32, &[&str]); 13] = [
    (number::RESIDENT, &["laidoff_kind", "hardship_claim", "emp_claim", "intent_kind"]),
    (number::MEMBER, &["relation"]),
    (number::UNEMPLOYMENT_SPELL, &["cause", "end_cause"]),
    (number::ZEF_CASE, &["exit_cause"]),
    (number::PLACEMENT, &["kind", "end_cause", "channel"]),
    (number::HARDSHIP_CASE, &["kind", "exit_cause"]),
    (number::SERVICE_RECORD, &["kind"]),
    (number::TRAINING_CLASS, &["kind"]),
    (number::TRAINEE, &["group"]),
    (number::POST, &["kind"]),
    (number::REFERRAL, &["result"]),
    (number::EVENT, &["kind"]),
    (number::HELD_CERTIFICATE, &["kind"]),
];

fn is_counted(def: &RegisterDef, field: &FieldDef) -> bool {
    COUNTED.iter().any(|(register, fields)| *register == def.number && fields.contains(&field.name.as_str()))
}

/// What is said to a word that a code list does not have.
fn allowed(field: &FieldDef) -> String {
    let words: Vec<&str> = field.codes.iter().flat_map(|list| list.codes.values()).map(String::as_str).collect();
    format!("{}只能填：{} (not in the code list: one of these words)", field.zh, words.join("、"))
}

impl Office {
    fn facts(&self) -> Vec<pb::Fact> {
        let state = self.ledger.state();
        let unit = self.ledger.unit();
        let link = self.keeper.as_ref().map(|keeper| keeper.state()).unwrap_or_default();
        let hub = match &self.identity {
            Some(identity) => format!("{} {}", self.ledger.units().name(identity.hub_unit), identity.address),
            None => "未登记 (not enrolled)".into(),
        };
        let (waits, last_error) = link.words(show::time);
        let refused = self.ledger.refused().map_or(0, |refused| refused.len());
        vec![
            show::fact("unit", "单位", "unit", format!("{} {unit}", self.ledger.units().name(unit))),
            show::fact("hub", "上级", "hub", hub),
            show::fact("certificate", "证书到期", "certificate ends", self.certificate_words()),
            show::fact("mode", "同步方式", "mode", format!("{:?}", self.schedule.mode).to_lowercase()),
            show::fact("connected", "在线", "connected", link.connected),
            show::fact("waiting_since", "等待上级答复", "waiting for the hub", waits),
            show::fact("last_sync", "最近同步", "last sync", show::time(state.last_sync)),
            // What was compared last says nothing of what was entered since, nor of what a failed session left unheard.
            show::fact(
                "equal",
                "与上级一致",
                "equal to the hub",
                state.equal && state.head == state.settled && last_error.is_empty(),
            ),
            show::fact("records", "上级已有记录", "records at the hub", state.count),
            show::fact("pending", "待上报", "waiting for the hub", state.head - state.settled),
            show::fact("refused", "被退回", "refused", refused),
            show::fact("head", "本机变更号", "last change", state.head),
            show::fact("month", "待封账月份", "month to close", self.month_words()),
            show::fact("locked_month", "最近封账", "last locked month", self.ledger.locked_month().unwrap_or_default()),
            show::fact("clock", "时钟", "clock", self.clock_words()),
            show::fact("twins", "两台电脑使用同一身份", "two computers with one identity", twin_words(state.twins)),
            show::fact("incidents", "数据事故", "incidents", state.incidents),
            show::fact("last_incident", "最近事故", "last incident", state.last_incident),
            show::fact("last_error", "最近错误", "last error", last_error),
            show::fact(show::DISK, "占用磁盘", "on disk", self.ledger.size_on_disk()),
        ]
    }

    /// The month that waits to be closed.
    fn month_words(&self) -> String {
        match super::close::waiting(&self.ledger) {
            Ok(Some((month, due))) => format!("{month}，应于 {} 前封账 (close it by this day)", date::iso(due)),
            _ => "无 (none)".into(),
        }
    }

    fn certificate_words(&self) -> String {
        let now = self.ledger.now_millis() / 1_000;
        self.identity.as_ref().map(|identity| ends_words(identity.ends(), now)).unwrap_or_default()
    }

    /// Whether the clock of this computer agrees with the hub's, as far as is known.
    fn clock_words(&self) -> String {
        match self.ledger.skew_millis() {
            Some(skew) if stamp::distrusted_skew(skew) == 0 => "正常 (agrees with the hub)".into(),
            Some(skew) => show::wrong_clock(skew),
            None if self.ledger.now_millis() < BUILT_MILLIS => show::impossible_clock(self.ledger.now_millis()),
            None => self.ledger.clock_doubt().unwrap_or_else(|| self.clock_of_last_session()),
        }
    }

    /// How far the clock was off when a hub last said its time.
    fn clock_of_last_session(&self) -> String {
        let state = self.ledger.state();
        let skew = (state.last_sync as i64).saturating_sub_unsigned(state.synced_at).saturating_mul(1_000);
        if state.synced_at == 0 || stamp::distrusted_skew(skew) == 0 {
            return "尚未与上级核对 (not compared with the hub in the last minutes)".into();
        }
        format!(
            "上次同步时{}，如已校准，同步一次即核对 (at the last sync; if it was set since, sync to compare)",
            show::off(skew)
        )
    }

    fn due(&self, request: pb::DueRequest) -> Result<pb::DueAnswer, SaveError> {
        let on = request.on;
        let last = on.saturating_add_unsigned(request.within);
        let units = self.ledger.units();
        let mut cases = Vec::new();
        for (id, record, clock) in self.ledger.clocks(&self.ledger.plans())? {
            let open = |placed: Option<date::Day>| {
                clock.exit_on.is_none_or(|exit| exit > on) && placed.is_none_or(|placed| placed > on)
            };
            let mut due = Vec::new();
            if open(clock.first_placed_on) {
                due.push(("K08", clock.due_one));
            }
            if let Some(dual) = clock.dual.filter(|dual| open(dual.second_placed_on)) {
                due.push(("K12", dual.due));
            }
            let case: pb::ZefCase =
                record.typed(|tag| matches!(tag, field::zef_case::HOUSEHOLD | field::zef_case::RESPONSIBLE));
            for (clock_code, due_on) in due.into_iter().filter(|(_, day)| *day <= last) {
                let unit = taizhang_proto::cell::home_unit(&record).unwrap_or(self.ledger.unit());
                let who = reach(&self.ledger, (id, &record))?;
                cases.push(pb::DueCase {
                    record: id.0.to_vec().into(),
                    unit: unit.number(),
                    unit_name: units.name(unit),
                    head: who.household.unwrap_or_default(),
                    clock: clock_code.into(),
                    recognised_on: clock.recognised_on,
                    due_on,
                    days_left: due_on - on,
                    responsible: case.responsible.clone().unwrap_or_default(),
                    phone: who.phone,
                    address: who.address,
                });
            }
        }
        cases.sort_by_key(|case| (case.due_on, case.unit));
        Ok(pb::DueAnswer { on, cases })
    }

    /// Saves a form that somebody filled in, for whom the answer's doubts are: what is saved and should be looked into.
    ///
    /// # Errors
    /// For people: a word or a record that is not known, a rule that is broken, a day that this clock can't say; the store.
    pub fn save_form(&self, request: &pb::SaveRequest) -> Result<pb::SaveAnswer, Status> {
        let def = find::register(&request.register)?;
        if def.number == number::PERIOD_CLOSE {
            return Err(wrong(
                "月份用 close 封账，数字由程序清点，不能手工登记 (a month is closed by `close`, which counts it)",
            ));
        }
        let desk = LedgerDesk::new(&self.ledger);
        let above = |field: &&FieldDef| {
            field.required && field.policy == Policy::Owned && desk.unit().tier() < field.owner && field.open.is_none()
        };
        if let Some(field) = def.fields.iter().find(above).filter(|_| request.record.is_empty()) {
            let owner = if field.owner >= pb::Tier::District { "县区" } else { "街道" };
            return Err(wrong(format!(
                "{}由{owner}登记：其{}由{owner}填写 (entered above this office: it fills in what is required)",
                def.zh, field.zh
            )));
        }
        let id = if request.record.is_empty() {
            desk.new_id()
        } else {
            match request.record.trim().parse() {
                Ok(id) => id,
                Err(_) => find::record(&desk, Some(def.number), &request.record).map_err(Status::from)?,
            }
        };
        let mut draft = Draft::new(id, def.number).because(&request.reason);
        let held = self.ledger.view(id).map_err(failed)?;
        let (mut notes, mut asked) = (Vec::new(), Vec::new());
        for (name, written) in &request.fields {
            let field = def.field_named(name).ok_or_else(|| wrong(def.no_field(name)))?;
            let parsed = match field.refers {
                _ if written.trim().is_empty() => None,
                // A record is named as elsewhere.
                Some(refers) if !field.many => {
                    let found = find::referred(&desk, refers, written).map_err(Status::from)?;
                    Some((Value::Ref(found), None))
                }
                // So is a unit; of a code that is none it is said what a code is.
                None if field.format == pb::Format::Unit && !written.is_ascii() => {
                    let found = find::unit(&desk, written).map_err(Status::from)?;
                    Some((Value::Uint(found.number()), None))
                }
                _ => Some(Value::parse(field, written).map_err(wrong)?),
            };
            // A word that no code list has is kept, as an import keeps it; not where figures go by it.
            let unknown = parsed.as_ref().is_some_and(|(_, note)| note.is_some());
            if unknown && is_counted(def, field) {
                return Err(wrong(allowed(field)));
            }
            notes.extend(unknown.then(|| format!("{}：{}", field.zh, written.trim())));
            let value = parsed.map(|(value, _)| value);
            let encoded = value.as_ref().map(|value| value.encode(field)).unwrap_or_default();
            let before = held.as_ref().and_then(|record| record.bytes(field.tag));
            if field.reason && before.is_some_and(|before| *before != encoded) && request.reason.trim().is_empty() {
                return Err(wrong(format!("更改{}请写明理由，用 --reason (say why it changes)", field.zh)));
            }
            let is_claim = field.clock && desk.unit().tier() < pb::Tier::Township;
            if is_claim && before.is_some_and(|before| !before.is_empty() && *before != encoded) {
                asked.push(format!(
                    "{}已定，更改由街道或县区审核；审核前以原值为准 (what stands is changed by a reviewer: until then the old one counts)",
                    field.zh
                ));
            }
            let is_owned = field.policy == Policy::Owned && desk.unit().tier() < field.owner;
            let applies = field.open.as_deref().is_some_and(|open| written.trim() == open);
            if is_owned && !applies && before.is_none_or(|before| *before != encoded) && !encoded.is_empty() {
                asked.push(format!("{}由上级审定，审定前不生效 (decided above: until then this is a claim)", field.zh));
            }
            draft.edits.push((field.tag, value));
        }
        // Who is entered by a form that names no day is registered today; a file's rows may be old.
        let registered = registered_on(def.number).filter(|_| request.record.is_empty());
        if let Some(tag) =
            registered.filter(|tag| !draft.edits.iter().any(|(own, value)| own == tag && value.is_some()))
        {
            if let Some(clock) = self.ledger.clock_doubt() {
                return Err(wrong(format!(
                    "{clock}；或写明入册日期 registered_on=年-月-日 (or say since when they are on the register)"
                )));
            }
            draft.edits.retain(|(own, _)| *own != tag);
            draft.edits.push((tag, Some(Value::Day(self.ledger.business_day()))));
        }
        let note = held.as_ref().and_then(|record| record.slice(IMPORT_NOTE)).map(String::from_utf8_lossy);
        if let Some(note) = Note::extended(&note.unwrap_or_default(), &notes).text {
            draft.edits.retain(|(tag, _)| *tag != IMPORT_NOTE);
            draft.edits.push((IMPORT_NOTE, Some(Value::Text(note))));
        }
        let by = self.named(&request.by);
        // One new form after the other, so that the second click finds what the first has saved.
        let is_new = request.record.is_empty() && !request.again;
        let one_at_a_time = is_new.then(|| self.saving.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        if is_new && let Some(same) = self.saved_a_moment_ago(&draft).map_err(failed)? {
            return Err(Status::already_exists(format!(
                "刚才已保存过内容相同的一条：{same}；确须再登记一条，请加 --again (the same was saved a moment ago, as this record: \
                 --again enters another)"
            )));
        }
        // While a store that was lost comes back from the hub, an edit may come before the record that it edits.
        let is_missing = self.ledger.state().rebuild && held.is_none();
        for answer in desk.save(vec![vec![draft]], by) {
            answer.map_err(|error| match error {
                SaveError::Invalid(_) if is_missing => Status::unavailable(
                    "登记簿正在从上级恢复，此记录尚未取回，请稍后再改 (being rebuilt from the hub: try again later)",
                ),
                SaveError::Invalid(_) => wrong(
                    self.ledger.clock_doubt().map_or_else(|| error.to_string(), |clock| format!("{error}；{clock}")),
                ),
                SaveError::Store(_) => failed(error),
            })?;
        }
        drop(one_at_a_time);
        // It is saved, whatever can't be read of the store after that: nobody may be told otherwise.
        let mut doubts = self.doubts_of(id).unwrap_or_else(|error| {
            tracing::warn!(%error, "what is doubtful about a saved record can't be told");
            Vec::new()
        });
        doubts.splice(0..0, asked.into_iter().chain(self.ledger.clock_doubt()));
        Ok(pb::SaveAnswer { record: id.to_string(), seq: self.ledger.state().head, doubts })
    }

    /// A record made a moment ago, here or by a file, of which was said what this form says, and nothing else.
    fn saved_a_moment_ago(&self, draft: &Draft) -> Result<Option<RecordId>, StoreError> {
        let Some(def) = registers().get(draft.register) else { return Ok(None) };
        let mut said: BTreeMap<u32, Bytes> = BTreeMap::new();
        let home = (HOME_UNIT, Some(Value::Uint(self.ledger.unit().number())));
        for (tag, value) in [&home].into_iter().chain(&draft.edits) {
            let bytes = value.as_ref().zip(def.field(*tag)).map(|(value, field)| value.encode(field));
            said.extend(bytes.map(|bytes| (*tag, bytes)));
        }
        let said = |one: &mut dyn Iterator<Item = (u32, Bytes)>| {
            one.filter(|(_, bytes)| !bytes.is_empty()).collect::<BTreeMap<_, _>>() == said
        };
        let now = self.ledger.now_millis();
        let moment = now.saturating_sub(MOMENT_MILLIS)..=now.saturating_add(MOMENT_MILLIS);
        // An id says when its record was made; the newest stand last.
        let newest = self.ledger.ids(draft.register)?.into_iter().rev().take(LOOKED_AT);
        for id in newest.take_while(|id| id.millis() >= *moment.start()) {
            if !moment.contains(&id.millis()) {
                continue; // by a clock that has been put right since
            }
            // One that can't be read is for `verify` to say, and keeps nobody from entering another.
            let Ok(Some(record)) = self.ledger.view(id) else { continue };
            if !is_active(&record) {
                continue;
            }
            // What is a claim does not stand as it was said: until the hub has answered, its words are here.
            let first = self.ledger.waiting(id).unwrap_or_default().into_iter().next();
            let mut words = first.into_iter().flat_map(|edit| edit.fields).map(|field| (field.tag, field.bytes));
            let mut stands = record.fields.iter().map(|one| (one.field.tag, one.field.bytes.clone()));
            if said(&mut words) || said(&mut stands) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    fn list(&self, request: &pb::ListRequest) -> Result<pb::ListAnswer, Status> {
        let def = find::register(&request.register)?;
        let unit = unit_or_none(request.unit)?;
        let limit = if request.limit == 0 { PAGE } else { request.limit.min(LIST_LINES) } as usize;
        let mut answer = pb::ListAnswer::default();
        let desk = LedgerDesk::new(&self.ledger);
        for (id, record) in desk.list(def.number).map_err(failed)? {
            let owner = taizhang_proto::cell::home_unit(&record);
            if unit.is_some_and(|unit| !owner.is_some_and(|owner| unit.covers(owner))) {
                continue;
            }
            answer.total += 1;
            if answer.rows.len() < limit {
                answer.rows.push(super::history::row(&desk, id, &record).map_err(failed)?);
            }
        }
        Ok(answer)
    }

    fn search(&self, request: &pb::SearchRequest) -> Result<pb::SearchAnswer, Status> {
        let named = |name: &str| find::register(name).map(|def| def.number);
        let register = Some(request.register.as_str()).filter(|name| !name.is_empty()).map(named).transpose()?;
        let query = search::Query::read(&request.text, register, unit_or_none(request.unit)?).map_err(wrong)?;
        let limit = if request.limit == 0 { PAGE } else { request.limit.min(LIST_LINES) } as usize;
        let found = self.ledger.search(&query, limit).map_err(failed)?;
        search::answer(&LedgerDesk::new(&self.ledger), &query, found, limit).map_err(failed)
    }

    fn export(&self, request: &pb::ExportRequest) -> Result<pb::ExportAnswer, Status> {
        let def = find::register(&request.register)?;
        let format = match request.format.as_str() {
            "csv" => Format::Csv,
            "xlsx" => Format::Xlsx,
            other => return Err(wrong(format!("不支持 {other}，请用 csv 或 xlsx (csv or xlsx)"))),
        };
        let unit = unit_or_none(request.unit)?;
        let of = unit.unwrap_or(self.ledger.unit());
        self.note(&self.clerk, "export", format!("{} {of}", def.name)).map_err(failed)?;
        let (content, rows) = exchange::export(&LedgerDesk::new(&self.ledger), def, unit, format).map_err(failed)?;
        Ok(pb::ExportAnswer { content: content.into(), rows })
    }
}

type ImportStream = Pin<Box<dyn tokio_stream::Stream<Item = Result<pb::ImportStep, Status>> + Send>>;

#[tonic::async_trait]
impl office_server::Office for Calls {
    type ImportStream = ImportStream;

    async fn status(&self, _: Request<pb::Empty>) -> Result<Response<pb::StatusAnswer>, Status> {
        Ok(Response::new(pb::StatusAnswer { facts: block_in_place(|| self.office.facts()) }))
    }

    async fn import(&self, request: Request<pb::ImportRequest>) -> Result<Response<ImportStream>, Status> {
        let request = request.into_inner();
        let unit = unit_or_none(request.unit)?;
        let by = self.office.named(&request.by).to_owned();
        limits::name_or_none(&by).map_err(wrong)?;
        let office = self.office.clone();
        if office.identity.is_some() && office.ledger.units().is_empty() {
            // No row could name its unit: nothing is read of the file.
            return Err(Status::unavailable(NO_TREE));
        }
        if let Some(day) =
            request.registered_on.filter(|day| !(date::OLDEST..=office.ledger.business_day()).contains(day))
        {
            return Err(wrong(format!(
                "入册日期 {} 在今天之后，或早于1949年10月，请核对年份 (--registered-on lies ahead, or too far back)",
                date::iso(day)
            )));
        }
        if let Some(clock) = office.ledger.clock_doubt().filter(|_| request.registered_on.is_none()) {
            return Err(wrong(format!(
                "{clock}；或用 --registered-on 写明表中未写的入册日期 (or say with --registered-on since when those are on the register of whom \
                 the file does not say it)"
            )));
        }
        // Read anew for each file, so that a mapping file is in force once it is in its folder.
        let layouts = block_in_place(|| Layouts::load(office.ledger.data_dir())).map_err(wrong)?;
        let (sender, receiver) = mpsc::channel(64);
        let turn = if request.dry_run { None } else { Some(self.imports.clone().lock_owned().await) };
        let file = self.files.clone().acquire_owned().await;
        if !request.dry_run {
            // Whatever ends it, somebody sees that it was begun.
            let of = format!("{} begun", unit.unwrap_or(office.ledger.unit()));
            block_in_place(|| office.note(&by, "import", of)).map_err(failed)?;
        }
        tokio::task::spawn_blocking(move || {
            let (_turn, _file) = (turn, file);
            let source = Source { file_name: &request.file_name, content: &request.content };
            let (moves, registered_on) = (request.moves, request.registered_on);
            let options = Options { unit, moves, dry_run: request.dry_run, by, layouts, registered_on };
            let mut progress = |done, total| {
                let progress = pb::Progress { done, total, what: String::new() };
                // A slow screen must not slow the import: a step that does not fit is left out.
                let _ = sender.try_send(Ok(pb::ImportStep { progress: Some(progress), report: None }));
            };
            let report = exchange::import(&LedgerDesk::new(&office.ledger), &source, &options, &mut progress);
            if !options.dry_run {
                let unit = unit.unwrap_or(office.ledger.unit());
                let of = match &report {
                    Ok(report) => format!("{unit} new {} changed {}", report.new_rows, report.changed_rows),
                    Err(_) => format!("{unit} broken off"),
                };
                // What was read of it stands, and each record says by whom: it does not fail for the log.
                if let Err(error) = office.note(&options.by, "import", of) {
                    tracing::error!(%error, "a file was imported, and the audit log can't be written");
                }
            }
            let last = report.map(|report| {
                let (reasons_name, reasons) = report.reasons.unwrap_or_default();
                pb::ImportStep {
                    progress: None,
                    report: Some(pb::ImportReport {
                        rows: report.rows,
                        new_rows: report.new_rows,
                        same_rows: report.same_rows,
                        changed_rows: report.changed_rows,
                        wrong_rows: report.wrong_rows,
                        skipped_rows: report.skipped_rows,
                        reasons: reasons.into(),
                        reasons_name,
                        findings: office.ledger.clock_doubt().into_iter().chain(report.findings).collect(),
                    }),
                }
            });
            let _ = sender.blocking_send(last.map_err(wrong));
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn export(&self, request: Request<pb::ExportRequest>) -> Result<Response<pb::ExportAnswer>, Status> {
        let _file = self.files.acquire().await;
        block_in_place(|| self.office.export(request.get_ref())).map(Response::new)
    }

    async fn due(&self, request: Request<pb::DueRequest>) -> Result<Response<pb::DueAnswer>, Status> {
        let mut request = request.into_inner();
        request.on = day_asked(request.on, &self.office)?;
        self.note_file(request.to_file, "due", String::new())?;
        block_in_place(|| self.office.due(request)).map(Response::new).map_err(failed)
    }

    async fn card(&self, request: Request<pb::CardRequest>) -> Result<Response<pb::StatusAnswer>, Status> {
        let pb::CardRequest { record, on } = request.into_inner();
        let ledger = &self.office.ledger;
        let on = day_asked(on, &self.office)?;
        let facts = block_in_place(|| {
            let desk = LedgerDesk::new(ledger);
            let id = find::record(&desk, Some(number::RESIDENT), &record).map_err(Status::from)?;
            let derived = super::card::card(ledger.as_ref(), &ledger.plans(), id, on).map_err(failed)?;
            derived.map_or(Ok(None), |derived| super::card::page(&desk, id, derived)).map_err(failed)
        })?;
        let facts = facts.ok_or_else(|| Status::not_found("本机没有此人 (no such person here)"))?;
        Ok(Response::new(pb::StatusAnswer { facts }))
    }

    async fn to_file(&self, request: Request<pb::ToFileRequest>) -> Result<Response<pb::ToFileAnswer>, Status> {
        let mut request = request.into_inner();
        request.on = day_asked(request.on, &self.office)?;
        block_in_place(|| self.office.to_file(request)).map(Response::new).map_err(failed)
    }

    async fn worklist(&self, request: Request<pb::DueRequest>) -> Result<Response<pb::WorkAnswer>, Status> {
        let mut request = request.into_inner();
        request.on = day_asked(request.on, &self.office)?;
        self.note_file(request.to_file, "worklist", String::new())?;
        block_in_place(|| self.office.worklist(&request)).map(Response::new).map_err(failed)
    }

    async fn doubts(&self, request: Request<pb::DoubtsRequest>) -> Result<Response<pb::DoubtsAnswer>, Status> {
        let request = request.into_inner();
        let on = day_asked(request.on, &self.office)?;
        block_in_place(|| self.office.doubts(on, &request.only)).map(Response::new).map_err(failed)
    }

    async fn standing(&self, request: Request<pb::StandingRequest>) -> Result<Response<pb::StandingAnswer>, Status> {
        let ledger = &self.office.ledger;
        let on = day_asked(request.get_ref().on, &self.office)?;
        block_in_place(|| super::standing::standing(ledger, on)).map(Response::new).map_err(failed)
    }

    async fn sync_now(&self, _: Request<pb::Empty>) -> Result<Response<pb::SyncReport>, Status> {
        let keeper = self.office.keeper.as_ref();
        let keeper = keeper.ok_or_else(super::not_enrolled)?;
        let mut report = match keeper.sync_now().await {
            Ok(report) => report,
            Err(error) => pb::SyncReport { error: error.to_string(), ..pb::SyncReport::default() },
        };
        report.pending = self.office.ledger.pending();
        let skew = self.office.ledger.skew_millis().unwrap_or(0);
        if stamp::distrusted_skew(skew) != 0 {
            report.clock = show::wrong_clock(skew);
        }
        Ok(Response::new(report))
    }

    async fn verify(&self, _: Request<pb::Empty>) -> Result<Response<pb::VerifyAnswer>, Status> {
        let answer = match block_in_place(|| self.office.ledger.verify()) {
            Ok(checked) => pb::VerifyAnswer { checked, ..pb::VerifyAnswer::default() },
            Err(error) => pb::VerifyAnswer { problems: vec![error.to_string()], ..pb::VerifyAnswer::default() },
        };
        Ok(Response::new(answer))
    }

    async fn save(&self, request: Request<pb::SaveRequest>) -> Result<Response<pb::SaveAnswer>, Status> {
        block_in_place(|| self.office.save_form(request.get_ref())).map(Response::new)
    }

    async fn history(&self, request: Request<pb::HistoryRequest>) -> Result<Response<pb::HistoryAnswer>, Status> {
        let pb::HistoryRequest { record, to_file } = request.into_inner();
        let (ledger, written) = (&self.office.ledger, record.trim());
        let story = block_in_place(|| {
            // What was refused is read by its number alone: the registers do not have it.
            let id = match written.parse() {
                Ok(id) => id,
                Err(_) => find::record(&LedgerDesk::new(ledger), None, written).map_err(Status::from)?,
            };
            self.note_file(to_file, "history", id.to_string())?;
            super::history::story(ledger, id).map_err(failed)
        })?;
        story.map(Response::new).ok_or_else(|| Status::not_found("本机没有此记录 (no such record here)"))
    }

    async fn close(&self, request: Request<pb::MonthRequest>) -> Result<Response<pb::CloseAnswer>, Status> {
        let pb::MonthRequest { month, by, .. } = request.into_inner();
        let month = Month::read(&month).ok_or_else(|| wrong("请写成 2008-03 (not a month)"))?;
        let by = limits::name(self.office.named(&by)).map_err(wrong)?;
        let answer = block_in_place(|| super::close::close(&self.office.ledger, month, by)).map_err(wrong)?;
        // It is done, and the month says by whom: it does not fail for the log.
        if let Err(error) = block_in_place(|| self.office.note(by, "close", month.to_string())) {
            tracing::error!(%error, "a month was closed, and the audit log can't be written");
        }
        Ok(Response::new(answer))
    }

    async fn paper(&self, request: Request<pb::PaperRequest>) -> Result<Response<pb::Paper>, Status> {
        let request = request.into_inner();
        let on = day_asked(request.on, &self.office)?;
        // What is posted up or filed names people; the others are lists of months and tasks.
        let kind = pb::PaperKind::try_from(request.kind).unwrap_or_default();
        if matches!(kind, pb::PaperKind::PaperPublicity | pb::PaperKind::PaperCatalogue | pb::PaperKind::PaperLabels) {
            let what = kind.as_str_name().trim_start_matches("PAPER_").to_lowercase();
            block_in_place(|| self.office.note(&self.office.clerk, &what, String::new())).map_err(failed)?;
        }
        block_in_place(|| self.office.paper(&request, on)).map(Response::new)
    }

    async fn find_units(&self, request: Request<pb::FindUnitsRequest>) -> Result<Response<pb::UnitsAnswer>, Status> {
        let ledger = &self.office.ledger;
        Ok(Response::new(show::find_units(&ledger.units(), ledger.unit(), &request.get_ref().word)))
    }

    async fn refused(&self, request: Request<pb::RefusedRequest>) -> Result<Response<pb::RefusedAnswer>, Status> {
        let items = block_in_place(|| self.office.refused(request.get_ref().all)).map_err(failed)?;
        Ok(Response::new(pb::RefusedAnswer { items }))
    }

    async fn resend(&self, request: Request<pb::ResendRequest>) -> Result<Response<pb::RefusedSteps>, Status> {
        let steps = block_in_place(|| self.office.resend(request.get_ref())).map_err(asked)?;
        Ok(Response::new(pb::RefusedSteps { steps }))
    }

    async fn let_go(&self, request: Request<pb::LetGoRequest>) -> Result<Response<pb::RefusedSteps>, Status> {
        let steps = block_in_place(|| self.office.let_go(request.get_ref())).map_err(asked)?;
        Ok(Response::new(pb::RefusedSteps { steps }))
    }

    async fn audit_log(&self, request: Request<pb::AuditLogRequest>) -> Result<Response<pb::AuditLogAnswer>, Status> {
        let limit = match request.get_ref().limit {
            0 => AUDIT_LINES,
            asked => asked.min(LIST_LINES),
        };
        let newest = block_in_place(|| audit_log::newest(self.office.ledger.data_dir(), limit as usize));
        let line = |entry: audit_log::Entry| pb::AuditEntry {
            role: entry.role.code().to_owned(),
            at: entry.at,
            by: entry.by,
            unit: entry.unit,
            what: entry.what,
            of: entry.of,
        };
        let entries = newest.map_err(failed)?.into_iter().map(line).collect();
        Ok(Response::new(pb::AuditLogAnswer { entries }))
    }

    async fn search(&self, request: Request<pb::SearchRequest>) -> Result<Response<pb::SearchAnswer>, Status> {
        block_in_place(|| self.office.search(request.get_ref())).map(Response::new)
    }

    async fn list(&self, request: Request<pb::ListRequest>) -> Result<Response<pb::ListAnswer>, Status> {
        block_in_place(|| self.office.list(request.get_ref())).map(Response::new)
    }
}
