//! The calls of a node's command line, on the open office.

use super::{
    Office, failed,
    import::{Files, ImportStream},
    refused::RefusedError,
    worklist::reach,
    wrong,
};
use crate::{
    audit_log,
    desk::{
        Desk, SaveError,
        find::{self, FindError},
        search,
    },
    exchange::{self, Format},
    ledger::{LedgerDesk, refused::number_of},
    show,
};
use std::sync::Arc;
use taizhang_proto::{
    OrgCode, date,
    limits::{self, AUDIT_LINES, LIST_LINES},
    month::Month,
    pb::{self, office_server},
    register::{field, number, registers},
    stamp,
};
use tokio::task::block_in_place;
use tonic::{Request, Response, Status};

/// Rows of a list when the asker does not say.
const PAGE: u32 = 100;
/// The calls.
pub(super) struct Calls {
    office: Arc<Office>,
    files: Files,
}

impl Calls {
    pub(super) fn new(office: Arc<Office>) -> Self {
        Self { office, files: Files::default() }
    }

    /// Has the audit log say that what is asked for goes `to_file`, before it is answered.
    fn note_file(&self, to_file: bool, what: &str, of: String) -> Result<(), Status> {
        if !to_file {
            return Ok(());
        }
        block_in_place(|| self.office.note(&self.office.clerk, what, of)).map_err(failed)
    }
}

fn asked(error: RefusedError) -> Status {
    match error {
        RefusedError::Asked(why) => wrong(why),
        RefusedError::Save(error) => failed(error),
    }
}

#[allow(clippy::result_large_err)]
pub(super) fn unit_or_none(code: u64) -> Result<Option<OrgCode>, Status> {
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

impl Office {
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
        let mut answer = search::answer(&LedgerDesk::new(&self.ledger), &query, found, limit).map_err(failed)?;
        // Who was refused is on no register, and is asked for by the clerk who has just entered them.
        if answer.hits.is_empty() && register.is_none() {
            answer.hits = self.refused_hits(&request.text, unit_or_none(request.unit)?).map_err(failed)?;
            answer.total = answer.hits.len() as u64;
            answer.hits.truncate(limit);
        }
        Ok(answer)
    }

    /// Why nobody was found; where a refusal has this name, that one.
    pub(super) fn unless_refused(&self, why: FindError) -> Status {
        if let FindError::None(written) = &why
            && let Ok(refused) = self.refused_as(written)
            && let Some(one) = refused.first().filter(|one| one.waits)
        {
            return Status::not_found(format!(
                "“{written}”的登记被退回（第 {} 号），不在登记簿上；见 refused、history (refused, and on no register)",
                number_of(one.seq)
            ));
        }
        why.into()
    }

    /// The refusals that carry a name or number, as a search shows them.
    fn refused_hits(&self, text: &str, within: Option<OrgCode>) -> Result<Vec<pb::SearchHit>, SaveError> {
        let found = self.refused_like(text)?;
        let items = if found.is_empty() { Vec::new() } else { self.refused(false)? };
        let is_within =
            |unit: u64| within.is_none_or(|within| OrgCode::new(unit).is_ok_and(|unit| within.covers(unit)));
        let has =
            |item: &pb::RefusedItem| is_within(item.unit) && found.iter().any(|one| number_of(one.seq) == item.number);
        let hit = |item: pb::RefusedItem| {
            let said = |keys: &[&str]| {
                let fact = item.fields.iter().find(|fact| keys.contains(&fact.key.as_str()));
                fact.map(|fact| fact.value.clone()).unwrap_or_default()
            };
            pb::SearchHit {
                number: said(&["id_no", "other_no", "reg_no", "case_no", "hh_no"]),
                phone: said(&["phone", "phone2"]),
                address: said(&["address"]),
                state: format!("被退回，第 {} 号 (refused)", item.number),
                fits: "exact".into(),
                register: registers().named(&item.register).map(|def| def.name.clone()).unwrap_or_default(),
                record: item.record,
                register_zh: item.register,
                title: item.title,
                unit: item.unit,
                unit_name: item.unit_name,
            }
        };
        Ok(items.into_iter().filter(has).map(hit).collect())
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

#[tonic::async_trait]
impl office_server::Office for Calls {
    type ImportStream = ImportStream;

    async fn status(&self, _: Request<pb::Empty>) -> Result<Response<pb::StatusAnswer>, Status> {
        Ok(Response::new(pb::StatusAnswer { facts: block_in_place(|| self.office.facts()) }))
    }

    async fn import(&self, request: Request<pb::ImportRequest>) -> Result<Response<ImportStream>, Status> {
        self.files.import(self.office.clone(), request.into_inner()).map(Response::new)
    }

    async fn export(&self, request: Request<pb::ExportRequest>) -> Result<Response<pb::ExportAnswer>, Status> {
        let _place = self.files.place().await;
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
            let id =
                find::record(&desk, Some(number::RESIDENT), &record).map_err(|why| self.office.unless_refused(why))?;
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
                Err(_) => match find::record(&LedgerDesk::new(ledger), None, written) {
                    Err(none @ FindError::None(_)) => {
                        let refused = self.office.refused_as(written).map_err(failed)?;
                        refused.first().map(|one| one.record).ok_or_else(|| Status::from(none))?
                    }
                    found => found.map_err(Status::from)?,
                },
            };
            self.note_file(to_file, "history", id.to_string())?;
            super::history::story(ledger, id).map_err(failed)
        })?;
        story.map(Response::new).ok_or_else(|| Status::not_found("本机没有此记录 (no such record here)"))
    }

    async fn close(&self, request: Request<pb::MonthRequest>) -> Result<Response<pb::CloseAnswer>, Status> {
        let pb::MonthRequest { month, by, sure, .. } = request.into_inner();
        let month = Month::read(&month).ok_or_else(|| wrong("请写成 2008-03 (not a month)"))?;
        let by = limits::name(self.office.named(&by)).map_err(wrong)?;
        let answer = block_in_place(|| self.office.close_month(month, by, sure)).map_err(wrong)?;
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
        let tree = self.office.ledger.units();
        let name = |unit: OrgCode| tree.contains(unit).then(|| tree.name(unit));
        let named = |word: &str| word.parse().ok().and_then(name).unwrap_or_else(|| word.to_owned());
        let line = |entry: audit_log::Entry| pb::AuditEntry {
            role: entry.role.code().to_owned(),
            at: entry.at,
            by: entry.by,
            unit: entry.unit,
            unit_name: OrgCode::new(entry.unit).ok().and_then(name).unwrap_or_default(),
            named: entry.of.split(' ').map(named).collect::<Vec<_>>().join(" "),
            what: entry.what,
            of: entry.of,
            reason: String::new(),
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
