//! What may be asked of an open office, whatever the face: what is asked, by whom, and the answer.
//! Invariant: what goes out as a file or is printed with names, and what is done that no record says by whom, is in the audit log before
//! it is answered; a face adds nothing but its own words.

use super::{Office, worklist::reach};
use crate::{
    audit_log,
    caller::{Caller, Refusal},
    desk::{
        Desk, SaveError,
        find::{self, FindError},
        search,
    },
    exchange,
    ledger::{LedgerDesk, refused::number_of},
    show,
};
use taizhang_proto::{
    OrgCode,
    date::{self, Day},
    limits::{self, AUDIT_LINES},
    month::Month,
    pb,
    register::{field, number, registers},
    stamp,
};

/// Rows of a list when the asker does not say.
const PAGE: u32 = 100;

/// A unit, where one is asked for.
pub(super) fn unit_or_none(code: u64) -> Result<Option<OrgCode>, Refusal> {
    if code == 0 { Ok(None) } else { OrgCode::new(code).map(Some).map_err(Refusal::wrong) }
}

impl Office {
    /// The cases that are due by a day and `within` days after it.
    pub(crate) fn due(&self, caller: &Caller, request: &pb::DueRequest) -> Result<pb::DueAnswer, Refusal> {
        let on = self.day_asked(request.on)?;
        self.note_file(request.to_file, caller, "due", String::new())?;
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

    /// The records of a register.
    pub(crate) fn list(&self, request: &pb::ListRequest) -> Result<pb::ListAnswer, Refusal> {
        let def = find::register(&request.register)?;
        let unit = unit_or_none(request.unit)?;
        let limit = limits::lines(request.limit, PAGE);
        let mut answer = pb::ListAnswer::default();
        let desk = LedgerDesk::new(&self.ledger);
        for (id, record) in desk.list(def.number)? {
            let owner = taizhang_proto::cell::home_unit(&record);
            if unit.is_some_and(|unit| !owner.is_some_and(|owner| unit.covers(owner))) {
                continue;
            }
            answer.total += 1;
            if answer.rows.len() < limit {
                answer.rows.push(super::history::row(&desk, id, &record)?);
            }
        }
        Ok(answer)
    }

    /// A search by parts of names and numbers.
    pub(crate) fn search(&self, request: &pb::SearchRequest) -> Result<pb::SearchAnswer, Refusal> {
        let named = |name: &str| find::register(name).map(|def| def.number);
        let register = Some(request.register.as_str()).filter(|name| !name.is_empty()).map(named).transpose()?;
        let query =
            search::Query::read(&request.text, register, unit_or_none(request.unit)?).map_err(Refusal::wrong)?;
        let limit = limits::lines(request.limit, PAGE);
        let found = self.ledger.search(&query, limit)?;
        let mut answer = search::answer(&LedgerDesk::new(&self.ledger), &query, found, limit)?;
        // Who was refused is on no register, and is asked for by the clerk who has just entered them.
        if answer.hits.is_empty() && register.is_none() {
            answer.hits = self.refused_hits(&request.text, unit_or_none(request.unit)?)?;
            answer.total = answer.hits.len() as u64;
            answer.hits.truncate(limit);
        }
        Ok(answer)
    }

    /// Why nobody was found; where a refusal has this name, that one.
    pub(crate) fn unless_refused(&self, why: FindError) -> Refusal {
        if let FindError::None(written) = &why
            && let Ok(refused) = self.refused_as(written)
            && let Some(one) = refused.first().filter(|one| one.waits)
        {
            return Refusal::unknown(format!(
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

    /// A register as a file.
    pub(crate) fn export(&self, caller: &Caller, request: &pb::ExportRequest) -> Result<pb::ExportAnswer, Refusal> {
        let def = find::register(&request.register)?;
        let format = request.format.parse()?;
        let unit = unit_or_none(request.unit)?;
        let of = unit.unwrap_or(self.ledger.unit());
        self.note(caller, "export", format!("{} {of}", def.name))?;
        let (content, rows) = exchange::export(&LedgerDesk::new(&self.ledger), def, unit, format)?;
        Ok(pb::ExportAnswer { content: content.into(), rows })
    }

    /// The day that is asked for, or today.
    fn day_asked(&self, on: Day) -> Result<Day, Refusal> {
        match on {
            0 => Ok(self.ledger.business_day()),
            on if date::KNOWN.contains(&on) => Ok(on),
            _ => Err(Refusal::wrong("日期应在1900年至2199年之间 (a day between 1900 and 2199)")),
        }
    }

    /// Has the audit log say that what is asked for goes `to_file`, before it is answered.
    fn note_file(&self, to_file: bool, caller: &Caller, what: &str, of: String) -> Result<(), Refusal> {
        if to_file { self.note(caller, what, of) } else { Ok(()) }
    }

    /// Somebody's card.
    pub(crate) fn card(&self, request: &pb::CardRequest) -> Result<pb::StatusAnswer, Refusal> {
        let (ledger, on) = (&self.ledger, self.day_asked(request.on)?);
        let desk = LedgerDesk::new(ledger);
        let found = find::record(&desk, Some(number::RESIDENT), &request.record);
        let id = found.map_err(|why| self.unless_refused(why))?;
        let derived = super::card::card(ledger.as_ref(), &ledger.plans(), id, on)?;
        let facts = derived.map_or(Ok(None), |derived| super::card::page(&desk, id, derived))?;
        let facts = facts.ok_or_else(|| Refusal::unknown("本机没有此人 (no such person here)"))?;
        Ok(pb::StatusAnswer { facts })
    }

    /// What is to be filed by a day and `within` days after it.
    pub(crate) fn to_file(&self, request: pb::ToFileRequest) -> Result<pb::ToFileAnswer, Refusal> {
        Ok(self.filings(self.day_asked(request.on)?, request.within)?)
    }

    /// What a clerk has to do by a day and `within` days after it.
    pub(crate) fn worklist(&self, caller: &Caller, request: &pb::DueRequest) -> Result<pb::WorkAnswer, Refusal> {
        let request = pb::DueRequest { on: self.day_asked(request.on)?, ..*request };
        self.note_file(request.to_file, caller, "worklist", String::new())?;
        Ok(self.work(&request)?)
    }

    /// What is to be looked into.
    pub(crate) fn doubts(&self, request: &pb::DoubtsRequest) -> Result<pb::DoubtsAnswer, Refusal> {
        Ok(self.doubtful(self.day_asked(request.on)?, &request.only)?)
    }

    /// The office's own figures.
    pub(crate) fn standing(&self, request: &pb::StandingRequest) -> Result<pb::StandingAnswer, Refusal> {
        Ok(super::standing::standing(&self.ledger, self.day_asked(request.on)?)?)
    }

    /// Calls the hub now.
    pub(crate) async fn sync_now(&self) -> Result<pb::SyncReport, Refusal> {
        let keeper = self.keeper.as_ref().ok_or_else(super::not_enrolled)?;
        let mut report = match keeper.sync_now().await {
            Ok(report) => report,
            Err(error) => pb::SyncReport { error: error.to_string(), ..pb::SyncReport::default() },
        };
        report.pending = self.ledger.pending();
        let skew = self.ledger.skew_millis().unwrap_or(0);
        if stamp::distrusted_skew(skew) != 0 {
            report.clock = show::wrong_clock(skew);
        }
        Ok(report)
    }

    /// Reads every row and compares what follows from others.
    pub(crate) fn verify(&self) -> pb::VerifyAnswer {
        match self.ledger.verify() {
            Ok(checked) => pb::VerifyAnswer { checked, ..pb::VerifyAnswer::default() },
            Err(error) => pb::VerifyAnswer { problems: vec![error.to_string()], ..pb::VerifyAnswer::default() },
        }
    }

    /// The story of a record.
    pub(crate) fn history(&self, caller: &Caller, request: &pb::HistoryRequest) -> Result<pb::HistoryAnswer, Refusal> {
        let written = request.record.trim();
        // What was refused is read by its number alone: the registers do not have it.
        let id = match written.parse() {
            Ok(id) => id,
            Err(_) => match find::record(&LedgerDesk::new(&self.ledger), None, written) {
                Err(none @ FindError::None(_)) => {
                    let refused = self.refused_as(written)?;
                    refused.first().map(|one| one.record).ok_or_else(|| Refusal::from(none))?
                }
                found => found?,
            },
        };
        self.note_file(request.to_file, caller, "history", id.to_string())?;
        let story = super::history::story(&self.ledger, id)?;
        story.ok_or_else(|| Refusal::unknown("本机没有此记录 (no such record here)"))
    }

    /// Closes a month.
    pub(crate) fn close(&self, caller: &Caller, request: &pb::MonthRequest) -> Result<pb::CloseAnswer, Refusal> {
        let month = Month::read(&request.month).ok_or_else(|| Refusal::wrong("请写成 2008-03 (not a month)"))?;
        let answer = self.close_month(month, caller.named()?, request.sure)?;
        // It is done, and the month says by whom: it does not fail for the log.
        if let Err(error) = self.note(caller, "close", month.to_string()) {
            tracing::error!(%error, "a month was closed, and the audit log can't be written");
        }
        Ok(answer)
    }

    /// What is printed, posted up or filed.
    pub(crate) fn paper(&self, caller: &Caller, request: &pb::PaperRequest) -> Result<pb::Paper, Refusal> {
        let on = self.day_asked(request.on)?;
        // What is posted up or filed names people; the others are lists of months and tasks.
        let kind = pb::PaperKind::try_from(request.kind).unwrap_or_default();
        if matches!(kind, pb::PaperKind::PaperPublicity | pb::PaperKind::PaperCatalogue | pb::PaperKind::PaperLabels) {
            let what = kind.as_str_name().trim_start_matches("PAPER_").to_lowercase();
            self.note(caller, &what, String::new())?;
        }
        self.drawn(request, on)
    }

    /// What hangs on the notice board: whoever stands before it has no name, and nothing of it is kept.
    pub(crate) fn posted_up(&self) -> Result<pb::Paper, Refusal> {
        let request = pb::PaperRequest { kind: pb::PaperKind::PaperPublicity.into(), ..pb::PaperRequest::default() };
        self.drawn(&request, self.ledger.business_day())
    }

    /// The units that a word names.
    pub(crate) fn find_units(&self, word: &str) -> pb::UnitsAnswer {
        show::find_units(&self.ledger.units(), self.ledger.unit(), word)
    }

    /// Who did what here, the last first.
    pub(crate) fn audit_log(&self, limit: u32) -> Result<pb::AuditLogAnswer, Refusal> {
        let newest =
            audit_log::newest(self.ledger.data_dir(), limits::lines(limit, AUDIT_LINES)).map_err(Refusal::failed)?;
        let tree = self.ledger.units();
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
        Ok(pb::AuditLogAnswer { entries: newest.into_iter().map(line).collect() })
    }
}
