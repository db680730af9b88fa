//! 查阅: what a reviewer reads of the district's records: lists, a person's card, a record's history, exports, a search, whatever the
//! face. The commands are an office's, over every office of the hub.
//! Invariants: names are masked unless they were asked for with a name and a reason to be held to; each such look is kept, with
//! who, when and at what, and without anything personal; a city has no records to read.

mod desk;
mod mask;

pub(crate) use mask::masked_conflict;

use crate::{
    audit_log::{self, Entry},
    state::Core,
    store::{Space, StoreError},
    totals,
    writer::{Job, Writer},
};
pub(crate) use desk::HubDesk;
use std::sync::Arc;
use taizhang_node::{
    caller::{Caller, Refusal, Role},
    desk::{Desk, find, search},
    exchange,
    office::{card, doubts, history},
};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::home_unit,
    limits, pb,
    register::{number, registers},
};
use tokio::task::block_in_place;

/// Rows of a list or a search when the asker does not say.
const PAGE: u32 = 100;

/// What is asked for, and whether names are shown in it.
pub(crate) struct Asked<'r> {
    /// By whom.
    pub(crate) caller: &'r Caller,
    /// Personal text as it stands.
    pub(crate) names: bool,
    /// What.
    pub(crate) what: &'r pb::ReadRequest,
}

/// The calls of whoever reads a district's records.
pub(crate) struct Readings {
    core: Arc<Core>,
    writer: Writer,
}

impl Readings {
    pub(crate) fn new(core: Arc<Core>, writer: Writer) -> Self {
        Self { core, writer }
    }

    /// The unit of the hub.
    pub(crate) fn unit(&self) -> OrgCode {
        self.core.unit
    }

    /// Whoever wants names says who it is; then the look is kept before anything is shown.
    async fn look(&self, asked: &Asked<'_>, what: &'static str, of: String) -> Result<(), Refusal> {
        self.look_if(asked.names, asked.caller, what, of).await
    }

    async fn look_if(&self, kept: bool, caller: &Caller, what: &'static str, of: String) -> Result<(), Refusal> {
        if self.core.tier == pb::Tier::City {
            return Err(Refusal::refused(
                "市级没有个人登记，请在县区查阅 (a city has no records: look at the district)",
            ));
        }
        if kept { keep_look(&self.core, &self.writer, caller, what, of).await } else { Ok(()) }
    }

    /// Runs a question on one view of the records.
    fn ask<T>(&self, names: bool, question: impl FnOnce(&HubDesk<'_>) -> Result<T, Refusal>) -> Result<T, Refusal> {
        block_in_place(|| {
            let view = self.core.view();
            question(&HubDesk::new(&self.core, view.as_ref(), names))
        })
    }

    /// The record that is meant. Who names somebody by anything but a record's own number could try numbers out: it is kept.
    async fn found(&self, asked: &Asked<'_>, register: Option<u32>) -> Result<RecordId, Refusal> {
        let written = &asked.what.reference;
        let by_number = written.trim().parse::<RecordId>().is_ok();
        self.look_if(!by_number, asked.caller, "find", String::new()).await?;
        self.ask(false, |desk| Ok(find::record(desk, register, written)?))
    }

    /// The records of a register.
    pub(crate) async fn list(&self, asked: &Asked<'_>) -> Result<pb::ListAnswer, Refusal> {
        let request = asked.what;
        let def = find::register(&request.register)?;
        let unit = unit_or_all(&self.core, request.unit)?;
        self.look(asked, "list", format!("{} {unit}", def.name)).await?;
        self.ask(asked.names, |desk| {
            let mut answer = pb::ListAnswer::default();
            for (id, record) in desk.list(def.number)? {
                if !home_unit(&record).is_some_and(|home| unit.covers(home)) {
                    continue;
                }
                answer.total += 1;
                if answer.rows.len() < limits::lines(request.limit, PAGE) {
                    answer.rows.push(history::row(desk, id, &record)?);
                }
            }
            Ok(answer)
        })
    }

    /// What is to be looked into.
    pub(crate) async fn doubts(&self, asked: &Asked<'_>) -> Result<pb::DoubtsAnswer, Refusal> {
        let request = asked.what;
        let unit = unit_or_all(&self.core, request.unit)?;
        let on = totals::day_asked(&self.core, request.on)?;
        self.look(asked, "doubts", unit.to_string()).await?;
        let plans = self.core.plans();
        self.ask(asked.names, |desk| {
            let mut finder = doubts::Finder::new(desk, &desk.shelf, &plans, on);
            let mut gathered = doubts::Gathered::new(&request.only, limits::lines(request.limit, PAGE));
            for row in desk.shelf.view.prefix(Space::Records, &[]) {
                let (key, value) = row?;
                // A row that can't be read is an incident of its own.
                let (Some(id), Ok(record)) = (RecordId::from_slice(&key), Record::decode(value)) else { continue };
                if !home_unit(&record).is_some_and(|home| unit.covers(home)) {
                    continue;
                }
                gathered.add(finder.of((id, &record))?);
            }
            Ok(gathered.answer(on))
        })
    }

    /// A search by parts of names and numbers: it shows names, or nothing.
    pub(crate) async fn search(&self, asked: &Asked<'_>) -> Result<pb::SearchAnswer, Refusal> {
        let request = asked.what;
        let named = |name: &str| find::register(name).map(|def| def.number);
        let register = Some(request.register.as_str()).filter(|name| !name.is_empty()).map(named).transpose()?;
        let unit = (request.unit != 0).then(|| unit_or_all(&self.core, request.unit)).transpose()?;
        let query = search::Query::read(&request.reference, register, unit);
        let query = query.map_err(Refusal::wrong)?;
        // Parts of a name or number would tell the rest, a sign at a time, under any mask.
        if !asked.names {
            return Err(Refusal::wrong(
                "查找请加 --names 并写明查阅人 --by，将记入查阅记录 (a search shows names: say --names and --by)",
            ));
        }
        // What was searched for may be a name: it is not kept.
        self.look(asked, "search", String::new()).await?;
        let limit = limits::lines(request.limit, PAGE);
        self.ask(asked.names, |desk| {
            let found = desk.search(&query, limit)?;
            Ok(search::answer(desk, &query, found, limit)?)
        })
    }

    /// Somebody's card.
    pub(crate) async fn card(&self, asked: &Asked<'_>) -> Result<pb::StatusAnswer, Refusal> {
        let on = totals::day_asked(&self.core, asked.what.on)?;
        let id = self.found(asked, Some(number::RESIDENT)).await?;
        self.look(asked, "card", id.to_string()).await?;
        let facts = self.ask(asked.names, |desk| {
            let derived = card::card(&desk.shelf, &self.core.plans(), id, on)?;
            // With area and sex the day of birth is nearly the id number.
            let shown = derived.into_iter().flatten().filter(|fact| asked.names || fact.key != "born");
            let page = card::page(desk, id, shown.collect())?;
            page.ok_or_else(|| Refusal::unknown("没有此人 (no such person)"))
        })?;
        Ok(pb::StatusAnswer { facts })
    }

    /// The story of a record.
    pub(crate) async fn history(&self, asked: &Asked<'_>) -> Result<pb::HistoryAnswer, Refusal> {
        let id = self.found(asked, None).await?;
        self.look(asked, "history", id.to_string()).await?;
        let story = self.ask(asked.names, |desk| {
            let past = desk.shelf.view.prefix(Space::History, &id.0).map(|row| {
                let past = <pb::Superseded as prost::Message>::decode(row?.1);
                past.map_err(|_| StoreError::Row(Space::History))
            });
            let mut past: Vec<pb::Superseded> = past.collect::<Result<_, StoreError>>()?;
            let record = desk.view(id)?;
            if let Some(def) = record.as_ref().filter(|_| !asked.names).and_then(|one| registers().get(one.register)) {
                for entry in &mut past {
                    mask::masked_past(def, entry);
                }
            }
            let past = history::Past { history: past, ..history::Past::default() };
            Ok(history::tell(desk, id, record.as_ref(), past)?)
        })?;
        story.ok_or_else(|| Refusal::unknown("没有此记录 (no such record)"))
    }

    /// A register as a file.
    pub(crate) async fn export(&self, asked: &Asked<'_>) -> Result<pb::ExportAnswer, Refusal> {
        let request = asked.what;
        let def = find::register(&request.register)?;
        let unit = unit_or_all(&self.core, request.unit)?;
        let format = request.format.parse()?;
        self.look(asked, "export", format!("{} {unit}", def.name)).await?;
        if !asked.names {
            // Every export is in the log, with names or without.
            log(
                &self.core,
                &self.writer,
                &asked.caller.acting(Role::Reviewer),
                "export",
                format!("{} {unit} masked", def.name),
            )
            .await?;
        }
        let (content, rows) = self.ask(asked.names, |desk| Ok(exchange::export(desk, def, Some(unit), format)?))?;
        Ok(pb::ExportAnswer { content: content.into(), rows })
    }

    /// The newest looks at names.
    pub(crate) fn looks(&self, limit: u32) -> Result<pb::LooksAnswer, Refusal> {
        let limit = limits::lines(limit, PAGE);
        let is_look = |entry: &Entry| entry.role() == Role::Reader;
        let looks = audit_log::newest(self.core.view().as_ref(), limit, is_look)?;
        let line = |look: Entry| pb::LookLine { at: look.at, by: look.by, what: look.what, of: look.of };
        Ok(pb::LooksAnswer { looks: looks.into_iter().map(line).collect() })
    }
}

/// Puts on disk that somebody looks at names, or names somebody; before anything is answered.
pub(crate) async fn keep_look(
    core: &Core,
    writer: &Writer,
    caller: &Caller,
    what: &'static str,
    of: String,
) -> Result<(), Refusal> {
    caller.named()?;
    log(core, writer, &caller.acting(Role::Reader), what, of).await
}

/// Puts a line into the audit log of what no job does.
pub(crate) async fn log(core: &Core, writer: &Writer, caller: &Caller, what: &str, of: String) -> Result<(), Refusal> {
    let (by, what, unit) = (caller.name.clone(), what.to_owned(), caller.unit.number());
    let line = Entry { at: core.now(), by, what, of, unit, role: caller.role.into(), reason: String::new() };
    writer.write(Job::Log(line)).await?;
    Ok(())
}

fn unit_or_all(core: &Core, code: u64) -> Result<OrgCode, Refusal> {
    if code == 0 {
        return Ok(core.unit);
    }
    let unit = OrgCode::new(code).map_err(Refusal::wrong)?;
    if core.unit.covers(unit) {
        return Ok(unit);
    }
    Err(Refusal::wrong(format!("{unit} 不在本级辖区内 (not below this hub)")))
}
