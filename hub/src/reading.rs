//! 查阅: what a reviewer reads of the district's records: lists, a person's card, a record's history, exports, a search. The
//! commands are an office's, over every office of the hub.
//! Invariants: names are masked unless they were asked for with a name and a reason to be held to; each such look is kept, with
//! who, when and at what, and without anything personal; a city has no records to read.

mod desk;
mod mask;

pub(crate) use mask::masked_conflict;

use crate::{
    audit_log::{self, Entry, Role},
    caller::{Caller, Refusal},
    state::Core,
    store::{Space, StoreError},
    writer::{Job, Writer},
};
pub(crate) use desk::HubDesk;
use std::sync::Arc;
use taizhang_node::{
    desk::{Desk, find, search},
    exchange::{self, Format},
    office::{card, doubts, history},
};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::home_unit,
    limits::{self, LIST_LINES},
    pb::{self, reading_server::Reading},
    register::{number, registers},
};
use tokio::task::block_in_place;
use tonic::{Request, Response, Status};

/// Rows of a list or a search when the asker does not say.
const PAGE: u32 = 100;

/// The calls.
pub(crate) struct ReadingService {
    core: Arc<Core>,
    writer: Writer,
}

fn failed(error: impl ToString) -> Status {
    Status::internal(limits::told(error))
}

impl ReadingService {
    pub(crate) fn new(core: Arc<Core>, writer: Writer) -> Self {
        Self { core, writer }
    }

    /// Whoever wants names, or names somebody, says who they are; then the look is kept before anything is shown.
    async fn look(&self, what: &'static str, of: String, who: &pb::Looker) -> Result<(), Status> {
        self.look_if(who.names, what, of, who).await
    }

    async fn look_if(&self, kept: bool, what: &'static str, of: String, who: &pb::Looker) -> Result<(), Status> {
        if self.core.tier == pb::Tier::City {
            return Err(Status::failed_precondition(
                "市级没有个人登记，请在县区查阅 (a city has no records: look at the district)",
            ));
        }
        if !kept {
            return Ok(());
        }
        keep_look(&self.core, &self.writer, what, of, &who.by).await?;
        Ok(())
    }

    /// Runs a question on one view of the records.
    fn ask<T>(&self, names: bool, question: impl FnOnce(&HubDesk<'_>) -> Result<T, Status>) -> Result<T, Status> {
        block_in_place(|| {
            let view = self.core.view();
            question(&HubDesk::new(&self.core, view.as_ref(), names))
        })
    }

    /// The record that is meant. Who names somebody by anything but a record's own number could try numbers out: it is kept.
    async fn found(&self, register: Option<u32>, written: &str, who: &pb::Looker) -> Result<RecordId, Status> {
        let by_number = written.trim().parse::<RecordId>().is_ok();
        self.look_if(!by_number, "find", String::new(), who).await?;
        self.ask(false, |desk| find::record(desk, register, written).map_err(Status::from))
    }
}

/// Puts on disk that somebody looks at names, or names somebody; before anything is answered.
pub(crate) async fn keep_look(
    core: &Core,
    writer: &Writer,
    what: &'static str,
    of: String,
    by: &str,
) -> Result<(), Refusal> {
    log(core, writer, &Caller::new(by, Role::Reader, core.unit)?, what, of).await
}

/// Puts a line into the audit log of what no job does.
pub(crate) async fn log(core: &Core, writer: &Writer, caller: &Caller, what: &str, of: String) -> Result<(), Refusal> {
    let (by, what, unit) = (caller.name.clone(), what.to_owned(), caller.unit.number());
    let line = Entry { at: core.now(), by, what, of, unit, role: caller.role.into(), reason: String::new() };
    writer.write(Job::Log(line)).await?;
    Ok(())
}

fn limit_of(asked: u32) -> usize {
    if asked == 0 { PAGE as usize } else { asked.min(LIST_LINES) as usize }
}

#[allow(clippy::result_large_err)]
fn unit_or_all(core: &Core, code: u64) -> Result<OrgCode, Status> {
    if code == 0 {
        return Ok(core.unit);
    }
    let unit = OrgCode::new(code).map_err(|error| Status::invalid_argument(error.to_string()))?;
    if core.unit.covers(unit) {
        return Ok(unit);
    }
    Err(Status::invalid_argument(format!("{unit} 不在本级辖区内 (not below this hub)")))
}

#[tonic::async_trait]
impl Reading for ReadingService {
    async fn list(&self, request: Request<pb::ReadRequest>) -> Result<Response<pb::ListAnswer>, Status> {
        let request = request.into_inner();
        let who = request.who.clone().unwrap_or_default();
        let def = find::register(&request.register)?;
        let unit = unit_or_all(&self.core, request.unit)?;
        self.look("list", format!("{} {unit}", def.name), &who).await?;
        let answer = self.ask(who.names, |desk| {
            let mut answer = pb::ListAnswer::default();
            for (id, record) in desk.list(def.number).map_err(failed)? {
                if !home_unit(&record).is_some_and(|home| unit.covers(home)) {
                    continue;
                }
                answer.total += 1;
                if answer.rows.len() < limit_of(request.limit) {
                    answer.rows.push(history::row(desk, id, &record).map_err(failed)?);
                }
            }
            Ok(answer)
        });
        answer.map(Response::new)
    }

    async fn doubts(&self, request: Request<pb::ReadRequest>) -> Result<Response<pb::DoubtsAnswer>, Status> {
        let request = request.into_inner();
        let who = request.who.clone().unwrap_or_default();
        let unit = unit_or_all(&self.core, request.unit)?;
        self.look("doubts", unit.to_string(), &who).await?;
        let on = if request.on == 0 { self.core.today() } else { request.on };
        let plans = self.core.plans();
        let answer = self.ask(who.names, |desk| {
            let mut finder = doubts::Finder::new(desk, &desk.shelf, &plans, on);
            let mut gathered = doubts::Gathered::new(&request.only, limit_of(request.limit));
            for row in desk.shelf.view.prefix(Space::Records, &[]) {
                let (key, value) = row.map_err(failed)?;
                // A row that can't be read is an incident of its own.
                let (Some(id), Ok(record)) = (RecordId::from_slice(&key), Record::decode(value)) else { continue };
                if !home_unit(&record).is_some_and(|home| unit.covers(home)) {
                    continue;
                }
                gathered.add(finder.of((id, &record)).map_err(failed)?);
            }
            Ok(gathered.answer(on))
        });
        answer.map(Response::new)
    }

    async fn search(&self, request: Request<pb::ReadRequest>) -> Result<Response<pb::SearchAnswer>, Status> {
        let request = request.into_inner();
        let who = request.who.clone().unwrap_or_default();
        let named = |name: &str| find::register(name).map(|def| def.number);
        let register = Some(request.register.as_str()).filter(|name| !name.is_empty()).map(named).transpose()?;
        let unit = (request.unit != 0).then(|| unit_or_all(&self.core, request.unit)).transpose()?;
        let query = search::Query::read(&request.reference, register, unit);
        let query = query.map_err(|error| Status::invalid_argument(limits::told(error)))?;
        // Parts of a name or number would tell the rest, a sign at a time, under any mask.
        if !who.names {
            return Err(Status::invalid_argument(
                "查找请加 --names 并写明查阅人 --by，将记入查阅记录 (a search shows names: say --names and --by)",
            ));
        }
        // What was searched for may be a name: it is not kept.
        self.look("search", String::new(), &who).await?;
        let limit = limit_of(request.limit);
        let answer = self.ask(who.names, |desk| {
            let found = desk.search(&query, limit).map_err(failed)?;
            search::answer(desk, &query, found, limit).map_err(failed)
        });
        answer.map(Response::new)
    }

    async fn card(&self, request: Request<pb::ReadRequest>) -> Result<Response<pb::StatusAnswer>, Status> {
        let request = request.into_inner();
        let who = request.who.clone().unwrap_or_default();
        let id = self.found(Some(number::RESIDENT), &request.reference, &who).await?;
        self.look("card", id.to_string(), &who).await?;
        let on = if request.on == 0 { self.core.today() } else { request.on };
        let facts = self.ask(who.names, |desk| {
            let derived = card::card(&desk.shelf, &self.core.plans(), id, on).map_err(failed)?;
            // With area and sex the day of birth is nearly the id number.
            let shown = derived.into_iter().flatten().filter(|fact| who.names || fact.key != "born");
            let page = card::page(desk, id, shown.collect()).map_err(failed)?;
            page.ok_or_else(|| Status::not_found("没有此人 (no such person)"))
        })?;
        Ok(Response::new(pb::StatusAnswer { facts }))
    }

    async fn history(&self, request: Request<pb::ReadRequest>) -> Result<Response<pb::HistoryAnswer>, Status> {
        let request = request.into_inner();
        let who = request.who.clone().unwrap_or_default();
        let id = self.found(None, &request.reference, &who).await?;
        self.look("history", id.to_string(), &who).await?;
        let story = self.ask(who.names, |desk| {
            let past = desk.shelf.view.prefix(Space::History, &id.0).map(|row| {
                let past = <pb::Superseded as prost::Message>::decode(row?.1);
                past.map_err(|_| StoreError::Row(Space::History))
            });
            let mut past: Vec<pb::Superseded> = past.collect::<Result<_, StoreError>>().map_err(failed)?;
            let record = desk.view(id).map_err(failed)?;
            if let Some(def) = record.as_ref().filter(|_| !who.names).and_then(|one| registers().get(one.register)) {
                for entry in &mut past {
                    mask::masked_past(def, entry);
                }
            }
            let past = history::Past { history: past, ..history::Past::default() };
            history::tell(desk, id, record.as_ref(), past).map_err(failed)
        })?;
        story.map(Response::new).ok_or_else(|| Status::not_found("没有此记录 (no such record)"))
    }

    async fn export(&self, request: Request<pb::ReadRequest>) -> Result<Response<pb::ExportAnswer>, Status> {
        let request = request.into_inner();
        let who = request.who.clone().unwrap_or_default();
        let def = find::register(&request.register)?;
        let unit = unit_or_all(&self.core, request.unit)?;
        let format = match request.format.as_str() {
            "csv" => Format::Csv,
            "xlsx" => Format::Xlsx,
            other => {
                return Err(Status::invalid_argument(limits::told(format!(
                    "不支持 {other}，请用 csv 或 xlsx (csv or xlsx)"
                ))));
            }
        };
        self.look("export", format!("{} {unit}", def.name), &who).await?;
        if !who.names {
            // Every export is in the log, with names or without.
            let caller = Caller::or_nobody(&who.by, Role::Reviewer, self.core.unit)?;
            log(&self.core, &self.writer, &caller, "export", format!("{} {unit} masked", def.name)).await?;
        }
        let made = self.ask(who.names, |desk| exchange::export(desk, def, Some(unit), format).map_err(failed));
        let (content, rows) = made?;
        Ok(Response::new(pb::ExportAnswer { content: content.into(), rows }))
    }

    async fn looks(&self, request: Request<pb::ReadRequest>) -> Result<Response<pb::LooksAnswer>, Status> {
        let limit = limit_of(request.get_ref().limit);
        let is_look = |entry: &Entry| entry.role() == Role::Reader;
        let looks = block_in_place(|| audit_log::newest(self.core.view().as_ref(), limit, is_look)).map_err(failed)?;
        let line = |look: Entry| pb::LookLine { at: look.at, by: look.by, what: look.what, of: look.of };
        Ok(Response::new(pb::LooksAnswer { looks: looks.into_iter().map(line).collect() }))
    }
}
