//! 待办清单: everything of an office that has a last day, late or soon to be, whatever register it comes from (domain-detail 3,
//! the time-driven list). Invariant: what is listed as late is what the totals count as late ([`worklist`]).

use super::{
    Office, close,
    head::{self, Known},
    standing,
    title::title,
};
use crate::{
    desk::SaveError,
    exchange::People,
    ledger::{Ledger, LedgerDesk},
    show::of_quota,
    store::StoreError,
};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{
        self, Contribution, Subject, campaign, contributions,
        worklist::{self, Clock, DATED, Due},
    },
    date::{self, Day},
    indicator::Part,
    pb,
    register::{PERSON, field, number},
};

/// The code of what was sent back; the others are those of [`Clock`].
pub const REFUSED: &str = "refused";
/// Days that the registers are looked ahead for at most.
const MAX_WITHIN: u32 = 3_660;

impl Office {
    /// What is late on a day, or falls due within so many days; the latest first.
    ///
    /// # Errors
    /// When the store fails.
    pub fn work(&self, request: &pb::DueRequest) -> Result<pb::WorkAnswer, SaveError> {
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
        // What a unit should have had before it kept any register is late, as the totals have it, and not by the years before.
        let began = close::held_since(ledger)?.unwrap_or(ledger.business_day());
        for subject in registers.subjects()? {
            let steps = contributions(&registers, subject, &plans)?;
            let here: Vec<_> = steps.into_iter().filter(|step| scope.covers(step.key.unit)).collect();
            placed.extend(here.iter().filter(|step| step.key.part == Part::CampaignPlaced.number()).copied());
            // Where it counts by then: whoever moved is the new unit's.
            let unit =
                here.iter().filter(|step| step.key.date <= on && step.delta > 0).max_by_key(|step| step.key.date);
            let unit = unit.or(here.first()).map_or(scope, |step| step.key.unit);
            for mut due in worklist::of_contributions(&here, on, within) {
                if matches!(due.clock, Clock::Certificate | Clock::Documents) {
                    due.last = due.last.max(began.min(on) - 1);
                }
                let (unit, record) = match (subject, due.clock) {
                    (Subject::Unit(unit), _) => (unit, None),
                    // The record that `due` names, too: where the placement is entered.
                    (Subject::Household(id), Clock::OneEmployed | Clock::DualEmployed) => {
                        (unit, Some(case_of(ledger, id, due)?.unwrap_or(id)))
                    }
                    (of, _) => (unit, Some(of.id())),
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
        // First of all what the district sent back: nobody else will ever see it.
        let mut back = self.sent_back(on)?;
        items.sort_by(|one, two| {
            (one.due_on, one.unit, &one.clock, &one.record).cmp(&(two.due_on, two.unit, &two.clock, &two.record))
        });
        back.append(&mut items);
        Ok(pb::WorkAnswer { on, items: back })
    }

    /// What the hub refused and nobody has dealt with, since the day on which that was heard.
    fn sent_back(&self, on: Day) -> Result<Vec<pb::WorkItem>, SaveError> {
        let item = |refused: pb::RefusedItem| {
            let since = if refused.since == 0 { on } else { date::shanghai(refused.since.saturating_mul(1_000)) };
            pb::WorkItem {
                clock: REFUSED.into(),
                what: format!("{}第 {} 号被退回，改正重报或放弃 (refused)", refused.register, refused.number),
                unit: refused.unit,
                unit_name: refused.unit_name,
                title: refused.title,
                due_on: since,
                days_left: since.saturating_sub(on).min(0),
                record: refused.record,
                ..pb::WorkItem::default()
            }
        };
        Ok(self.refused(false)?.into_iter().map(item).collect())
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
        let who = match &held {
            Some((id, record)) => reach(ledger, (*id, record))?,
            None => Reach::default(),
        };
        let title = match (&held, who.household) {
            (Some((id, record)), None) => title(&mut self.people, (*id, record))?,
            (_, known) => known,
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
            phone: who.phone,
            address: who.address,
        });
        Ok(self.items.last_mut())
    }
}

/// The case of a household whose clock that is.
fn case_of(ledger: &Ledger, household: RecordId, due: Due) -> Result<Option<RecordId>, StoreError> {
    let plans = ledger.plans();
    for id in cell::following(ledger, household, number::HOUSEHOLD, number::ZEF_CASE)? {
        let clock = cell::clock_of(ledger, id, &plans)?;
        let last = clock.and_then(|clock| match due.clock {
            Clock::OneEmployed => Some(clock.due_one),
            _ => clock.dual.map(|dual| dual.due),
        });
        if last == Some(due.last) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// The household that a record is, is a case of, or that was visited.
fn household_of(id: RecordId, record: &Record) -> Option<RecordId> {
    match record.register {
        number::HOUSEHOLD => Some(id),
        number::ZEF_CASE => record.reference(field::zef_case::HOUSEHOLD),
        number::SERVICE_RECORD if record.reference(field::service_record::PERSON).is_none() => {
            record.reference(field::service_record::HOUSEHOLD)
        }
        _ => None,
    }
}

/// Whom somebody finds who goes where a record sends them.
#[derive(Default)]
pub(super) struct Reach {
    /// The name by which its household is known, where it is about one.
    pub(super) household: Option<String>,
    pub(super) phone: String,
    pub(super) address: String,
}

/// Phone and address of the person that a record is about, or of whom a household is known by: for whoever has to go there.
pub(super) fn reach(ledger: &Ledger, (id, record): (RecordId, &Record)) -> Result<Reach, SaveError> {
    let known = household_of(id, record).map(|household| head::of(ledger, household)).transpose()?.flatten();
    let other = match household_of(id, record) {
        None if record.register != number::RESIDENT => {
            record.reference(PERSON).map(|id| ledger.view(id)).transpose()?.flatten()
        }
        _ => None,
    };
    let person = match (&known, record.register) {
        (Some(known), _) => Some(known.person()),
        (None, number::RESIDENT) => Some(record),
        (None, _) => other.as_ref().filter(|person| person.register == number::RESIDENT),
    };
    let text = |tag: u32| {
        let bytes = person.and_then(|person| person.slice(tag));
        bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
    };
    let (phone, address) = (text(field::resident::PHONE), text(field::resident::ADDRESS));
    Ok(Reach { household: known.as_ref().map(Known::name), phone, address })
}

/// What was done for a campaign of a unit by a day, of its quotas.
fn progress(
    ledger: &Ledger,
    (id, record): (RecordId, &Record),
    unit: OrgCode,
    placed: &[Contribution],
    on: Day,
) -> Result<String, SaveError> {
    let own: pb::Campaign =
        record.typed(|tag| matches!(tag, field::campaign::QUOTA_VISITS | field::campaign::QUOTA_PLACED));
    let days = campaign::days_of(record);
    let of_it =
        |step: &&Contribution| unit.covers(step.key.unit) && days.contains(&step.key.date) && step.key.date <= on;
    let placed: i64 = placed.iter().filter(of_it).map(|step| step.delta).sum();
    let visited = cell::visited(ledger, id, unit, on)?;
    Ok(format!(
        "（走访 {} 户，帮扶就业 {} 人）",
        of_quota(visited, own.quota_visits.unwrap_or(0)),
        of_quota(placed, own.quota_placed.unwrap_or(0))
    ))
}
