//! 待办清单: everything of an office that has a last day, late or soon to be, whatever register it comes from (domain-detail 3,
//! the time-driven list). Invariant: what is listed as late is what the totals count as late ([`worklist`]).

use super::{Office, close, standing, to_file::title};
use crate::{
    desk::SaveError,
    exchange::People,
    ledger::{Ledger, LedgerDesk},
    show::of_quota,
};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{
        self, Contribution, Subject, campaign, contributions,
        worklist::{self, Clock, DATED, Due},
    },
    date::Day,
    indicator::Part,
    pb,
};

/// Days that the registers are looked ahead for at most.
const MAX_WITHIN: u32 = 3_660;

impl Office {
    /// What is late on a day, or falls due within so many days; the latest first.
    ///
    /// # Errors
    /// When the store fails.
    pub fn worklist(&self, request: &pb::DueRequest) -> Result<pb::WorkAnswer, SaveError> {
        let ledger = &self.ledger;
        let on = if request.on == 0 { ledger.business_day() } else { request.on };
        let within = request.within.min(MAX_WITHIN);
        let (plans, scope) = (ledger.plans(), ledger.unit());
        let desk = LedgerDesk::new(ledger);
        let mut list = List {
            office: self,
            people: People::new(&desk),
            on,
            last: on.saturating_add_unsigned(within),
            items: Vec::new(),
        };
        let mut placed = Vec::new();
        let registers = standing::Registers::read(ledger)?;
        for subject in registers.subjects()? {
            let steps = contributions(&registers, subject, &plans)?;
            let here: Vec<_> = steps.into_iter().filter(|step| scope.covers(step.key.unit)).collect();
            placed.extend(here.iter().filter(|step| step.key.part == Part::CampaignPlaced.number()).copied());
            // Where it counts by then: whoever moved is the new unit's.
            let unit =
                here.iter().filter(|step| step.key.date <= on && step.delta > 0).max_by_key(|step| step.key.date);
            let unit = unit.or(here.first()).map_or(scope, |step| step.key.unit);
            for due in worklist::of_contributions(&here, on, within) {
                let (unit, record) = match subject {
                    Subject::Unit(unit) => (unit, None),
                    of => (unit, Some(of.id())),
                };
                list.add(due, unit, record)?;
            }
        }
        for register in DATED {
            for id in ledger.ids(register)? {
                let Some(record) = ledger.view(id)? else { continue };
                let Some(unit) = cell::home_unit(&record).filter(|unit| scope.covers(*unit)) else { continue };
                for due in worklist::of_record(ledger.as_ref(), (id, &record), &plans, on)? {
                    let shown = list.add(due, unit, Some(id))?;
                    if let Some(item) = shown.filter(|_| due.clock == Clock::Campaign) {
                        item.title += &progress(ledger, (id, &record), unit, &placed, on)?;
                    }
                }
            }
        }
        // Which month waits is known of today alone.
        if on == ledger.business_day()
            && let Some((month, last)) = close::waiting(ledger)?
        {
            let due = Due { last, clock: Clock::Month };
            if let Some(item) = list.add(due, scope, None)? {
                item.title = month.to_string();
            }
        }
        let mut items = list.items;
        items.sort_by(|one, two| {
            (one.due_on, one.unit, &one.clock, &one.record).cmp(&(two.due_on, two.unit, &two.clock, &two.record))
        });
        Ok(pb::WorkAnswer { on, items })
    }
}

struct List<'a> {
    office: &'a Office,
    people: People<'a, LedgerDesk<'a>>,
    on: Day,
    last: Day,
    items: Vec<pb::WorkItem>,
}

impl List<'_> {
    fn add(
        &mut self,
        due: Due,
        unit: OrgCode,
        record: Option<RecordId>,
    ) -> Result<Option<&mut pb::WorkItem>, SaveError> {
        if due.last > self.last {
            return Ok(None);
        }
        let ledger = &self.office.ledger;
        let unit_name = ledger.units().name(unit);
        let held = match record {
            Some(id) => ledger.view(id)?.map(|record| (id, record)),
            None => None,
        };
        let title = match &held {
            Some((id, record)) => title(ledger, &mut self.people, (*id, record))?,
            None => None,
        };
        self.items.push(pb::WorkItem {
            clock: due.clock.code().into(),
            what: due.clock.zh().into(),
            unit: unit.number(),
            title: title.unwrap_or_else(|| unit_name.clone()),
            unit_name,
            due_on: due.last,
            days_left: due.last.saturating_sub(self.on),
            record: record.map(|id| id.to_string()).unwrap_or_default(),
        });
        Ok(self.items.last_mut())
    }
}

/// What was done for a campaign of a unit by a day, of its quotas.
fn progress(
    ledger: &Ledger,
    (id, record): (RecordId, &Record),
    unit: OrgCode,
    placed: &[Contribution],
    on: Day,
) -> Result<String, SaveError> {
    let own: pb::Campaign = record.typed(|tag| matches!(tag, 24 | 25));
    let days = campaign::days_of(record);
    let of_it =
        |step: &&Contribution| unit.covers(step.key.unit) && days.contains(&step.key.date) && step.key.date <= on;
    let placed: i64 = placed.iter().filter(of_it).map(|step| step.delta).sum();
    let visited = campaign::visited(ledger, id, unit, on)?;
    Ok(format!(
        "（走访 {} 户，帮扶就业 {} 人）",
        of_quota(visited, own.quota_visits.unwrap_or(0)),
        of_quota(placed, own.quota_placed.unwrap_or(0))
    ))
}
