//! An office closes its month (月报): what it holds at that moment, counted and digested, goes to the district as a
//! record. Invariant: a month is closed once; only one that the district sent back is closed again, as a new version.

use super::Office;
use crate::{
    caller::Refusal,
    desk::{Desk, Draft, SaveError},
    ledger::{Ledger, LedgerDesk},
    show,
    store::StoreError,
};
use std::collections::BTreeMap;
use taizhang_proto::{
    Record, RecordId,
    cell::{home_unit, is_active, is_from_above},
    date::{self, Day, add_months},
    digest::{Item, ScopeDigest},
    month::{self, Month, Stage},
    pb,
    plan::Counting,
    register::{HOME_UNIT, Value, number, registers},
};

/// Why a month can't be closed.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// It is closed, and was not sent back.
    #[error("{0} 已经封账；如需更正，请县区退回后再封 (closed already: the district has to send it back first)")]
    Closed(Month),
    /// The city has locked it.
    #[error(
        "{0} 市级已封账，数字不再变动；现在更正的，列入下一月报的更正 (locked by the city: what is corrected now is reported with the next month)"
    )]
    Locked(Month),
    /// It was never locked, and a later one is.
    #[error(
        "{0} 从未封账，而其后的 {1} 已由市级封账：不能再封 (never locked, and {1} is: it can't be closed any more)"
    )]
    Passed(Month, Month),
    /// An older one is open.
    #[error("{0} 尚未封账，请先封：各月依次封账 (close that one first: months are closed in their order)")]
    Order(Month),
    /// It lies before the first that this office has closed.
    #[error(
        "{0} 以前的月份不再补封：各月依次封账 (months before that one are not closed any more: they are closed in their order)"
    )]
    Before(Month),
    /// It would be the first that this office closes, and there were people on its register before.
    #[error(
        "本单位从未封账：封了 {0}，以前的月份就不能再补封；确认请加 --yes (the first month that this office closes: no earlier one can be \
         closed after it; --yes if that is meant)"
    )]
    First(Month),
    /// It leaves out others that this office has not closed, further back than anybody asks for.
    #[error(
        "{open} 起还有未封账的月份：封了 {month}，就不能再补封；确认请加 --yes (months from {open} on are not closed, and none can be after this \
         one; --yes if that is meant)"
    )]
    LeavesOut {
        /// The first of those.
        open: Month,
        /// What would be closed.
        month: Month,
    },
    /// No register is so old.
    #[error("{0} 早于1949年10月，请核对年份 (too far back: check the year)")]
    TooOld(Month),
    /// What the rules say.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<CloseError> for Refusal {
    fn from(why: CloseError) -> Self {
        match why {
            CloseError::Save(why) => why.into(),
            CloseError::Store(why) => why.into(),
            why @ (CloseError::First(_) | CloseError::LeavesOut { .. }) => Self::unsure(why),
            why => Self::wrong(why),
        }
    }
}

impl Office {
    /// Closes a month; one that leaves out earlier ones for good, which this office has people for, only where somebody is `sure`.
    ///
    /// # Errors
    /// As [`close`], [`CloseError::First`] and [`CloseError::LeavesOut`].
    pub fn close_month(&self, month: Month, by: &str, sure: bool) -> Result<pb::CloseAnswer, CloseError> {
        let _one_at_a_time = self.one_at_a_time();
        // Nobody is asked about a month that can't be closed yet.
        if !sure && month.last_day() < self.ledger.business_day() {
            if leaves_out(&self.ledger, month)? {
                return Err(CloseError::First(month));
            }
            if let Some(open) = passed_over(&self.ledger, month)? {
                return Err(CloseError::LeavesOut { open, month });
            }
        }
        close(&self.ledger, month, by)
    }
}

/// This office's closings, by month.
fn closings(ledger: &Ledger) -> Result<BTreeMap<Month, (RecordId, pb::PeriodClose)>, StoreError> {
    let mut found = BTreeMap::new();
    for id in ledger.ids(number::PERIOD_CLOSE)? {
        let Some(record) = ledger.view(id)?.filter(is_active) else { continue };
        let close: pb::PeriodClose = record.typed(|tag| tag >= 20);
        let month = close.month.as_deref().and_then(Month::read);
        if let Some(month) = month.filter(|_| home_unit(&record) == Some(ledger.unit())) {
            found.entry(month).or_insert((id, close));
        }
    }
    Ok(found)
}

/// Every record that counts of the office and what is below it, closings left out: how many, and their digest, hex.
fn holdings(ledger: &Ledger) -> Result<(u64, String), StoreError> {
    let (mut rows, mut digest) = (0, ScopeDigest::default());
    for def in registers().iter().filter(|def| def.number != number::PERIOD_CLOSE) {
        for id in ledger.ids(def.number)? {
            let own = |record: &Record| is_active(record) && !is_from_above(record, ledger.unit());
            if let Some(record) = ledger.view(id)?.filter(own) {
                rows += 1;
                digest.add(Item::record(id, &record.encode()));
            }
        }
    }
    Ok((rows, show::hex(&digest.to_bytes())))
}

/// Closes a month.
///
/// # Errors
/// When it is closed already, not over, or the store fails.
pub fn close(ledger: &Ledger, month: Month, by: &str) -> Result<pb::CloseAnswer, CloseError> {
    if month.first_day() < date::OLDEST {
        return Err(CloseError::TooOld(month));
    }
    let mut closings = closings(ledger)?;
    let first = closings.keys().next().copied();
    let before = closings.remove(&month);
    if let Some(last) = locked(ledger).filter(|last| *last >= month) {
        let wanted = month.to_string();
        let is_locked = ledger.locked_months()?.iter().any(|(text, _)| text.month == wanted);
        return Err(if is_locked { CloseError::Locked(month) } else { CloseError::Passed(month, last) });
    }
    if let Some(first) = first.filter(|_| before.is_none()) {
        // Nobody is asked for years at once: who leaves the older months out leaves them out for good.
        let asked = asked_from(ledger.business_day()).filter(|asked| *asked <= month);
        let later = closings.keys().copied().find(|own| *own > month && asked.is_none());
        if let Some(later) = later.or((month < first).then_some(first)) {
            return Err(CloseError::Before(later));
        }
        let locked = locked(ledger);
        let since = asked.map_or(first, |asked| asked.max(first));
        let earlier = std::iter::successors(Some(since), |earlier| Some(earlier.next())).take_while(|own| *own < month);
        if let Some(open) = earlier.into_iter().find(|own| !is_done(&closings, locked, *own)) {
            return Err(CloseError::Order(open));
        }
    }
    let version = match &before {
        Some((_, close)) if month::stage(close) != Stage::Returned => return Err(CloseError::Closed(month)),
        Some((_, close)) => close.version.unwrap_or(1).saturating_add(1),
        None => 1,
    };
    let desk = LedgerDesk::new(ledger);
    let is_new = before.is_none();
    let id = before.map_or_else(|| desk.new_id(), |(id, _)| id);
    let (rows, digest) = holdings(ledger)?;
    let mut draft = Draft::new(id, number::PERIOD_CLOSE);
    let fields = [
        ("closed_on", Value::Day(ledger.business_day())),
        ("closed_by", Value::Text(by.to_owned())),
        ("rows", Value::Uint(rows)),
        ("digest", Value::Text(digest.clone())),
        ("version", Value::Uint(version.into())),
    ];
    let first = [("month", Value::Text(month.to_string()))];
    let def = registers().get(number::PERIOD_CLOSE);
    for (name, value) in fields.into_iter().chain(first.into_iter().filter(|_| is_new)) {
        if let Some(field) = def.and_then(|def| def.field_named(name)) {
            draft = draft.with(field.tag, value);
        }
    }
    if is_new {
        draft = draft.with(HOME_UNIT, Value::Uint(ledger.unit().number()));
    }
    for answer in desk.save(vec![vec![draft]], by) {
        answer?;
    }
    Ok(pb::CloseAnswer { record: id.to_string(), rows, digest, version })
}

/// Whether closing a month leaves out earlier ones for good that this office has people for.
///
/// # Errors
/// When the store fails.
pub fn leaves_out(ledger: &Ledger, month: Month) -> Result<bool, StoreError> {
    let is_first = closings(ledger)?.is_empty() && locked(ledger).is_none_or(|last| last.next() < month);
    Ok(is_first && held_since(ledger)?.is_some_and(|since| since < month.first_day()))
}

/// The first of the months since the last that was closed which closing a month leaves out for good: they lie further back than an
/// office is asked for.
fn passed_over(ledger: &Ledger, month: Month) -> Result<Option<Month>, StoreError> {
    let closings = closings(ledger)?;
    let asked = asked_from(ledger.business_day()).filter(|asked| *asked <= month);
    let before = closings.range(..month).next_back().map(|(last, _)| last.next());
    let Some((open, asked)) = before.zip(asked).filter(|_| !closings.contains_key(&month)) else { return Ok(None) };
    let locked = locked(ledger);
    let left = std::iter::successors(Some(open), |own| Some(own.next())).take_while(|own| *own < asked);
    Ok(left.into_iter().find(|own| !is_done(&closings, locked, *own)))
}

/// The last month that the city has locked, as far as this office has heard. They are locked in order: what came in late is the next
/// one's correction.
fn locked(ledger: &Ledger) -> Option<Month> {
    LedgerDesk::new(ledger).locked_month()
}

/// The first month that an office is asked for on a day.
fn asked_from(today: Day) -> Option<Month> {
    let newest = Month::of(Month::of(today)?.first_day() - 1)?;
    Month::of(add_months(newest.first_day(), 1 - ASKED_BACK))
}

/// Since when this office has had anybody on its register.
pub(super) fn held_since(ledger: &Ledger) -> Result<Option<Day>, StoreError> {
    Ok(ledger.ids(number::RESIDENT)?.into_iter().min().map(|first| date::shanghai(first.millis())))
}

/// Whether nobody waits for a month: the office has closed it and was not sent it back, or the city has locked it.
fn is_done(closings: &BTreeMap<Month, (RecordId, pb::PeriodClose)>, locked: Option<Month>, month: Month) -> bool {
    locked >= Some(month) || closings.get(&month).is_some_and(|(_, close)| month::stage(close) != Stage::Returned)
}

/// How far back an office is asked for a month, months.
const ASKED_BACK: i32 = 12;

/// The oldest month that has ended within a year, of those since the first that this office closed, or since it had anybody on its register
/// where it closed none, which neither this office has closed nor the city has locked; and the day by which it should (the plan's
/// `month_close_day`, a working day of the month that follows).
///
/// # Errors
/// When the store fails.
pub fn waiting(ledger: &Ledger) -> Result<Option<(Month, Day)>, StoreError> {
    let today = ledger.business_day();
    let Some(newest) = Month::of(today).and_then(|this| Month::of(this.first_day() - 1)) else { return Ok(None) };
    let closings = closings(ledger)?;
    let locked = locked(ledger);
    let earliest = asked_from(today).unwrap_or(newest);
    // Only an office that never closed a month has to look since when it has people.
    let since = if closings.is_empty() { held_since(ledger)? } else { None };
    // Whom a unit took over with its people has an older day than it.
    let founded = ledger.units().founded_on(ledger.unit()).and_then(Month::of);
    let first = closings.keys().next().copied().or_else(|| since.and_then(Month::of).max(founded));
    let mut month = first.unwrap_or(newest).clamp(earliest, newest);
    while is_done(&closings, locked, month) {
        if month == newest {
            return Ok(None);
        }
        month = month.next();
    }
    let plans = ledger.plans();
    let plan = plans.on(today);
    let due = plan.calendar.after(month.last_day(), plan.work.month_close_day, Counting::Working);
    if since.is_some_and(|since| since > due) {
        return Ok(None); // it was to be closed before there was anybody here
    }
    Ok(Some((month, due)))
}
