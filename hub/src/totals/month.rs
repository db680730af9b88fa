//! Closed months: the figures of every unit as they stood when the month was closed, and what came later.
//! Invariant: closed figures never move. A late event changes the live totals of its own day, and shows as an
//! adjustment against the closed month (domain-detail 3, rule 6; 4, case 17).

use crate::{
    rows,
    store::{Space, StoreError},
    totals,
    writer::{Answer, Core, Job, WriteError, Writer},
};
use prost::Message;
use taizhang_proto::{
    OrgCode,
    date::{self, Day},
    indicator::{self, Period, Span},
    pb,
};

/// A closed month on disk.
#[derive(Clone, PartialEq, Message)]
pub struct MonthRow {
    /// Last day of the month.
    #[prost(sint32, tag = "1")]
    pub last_day: Day,
    /// When it was closed, seconds since 1970.
    #[prost(uint64, tag = "2")]
    pub closed_at: u64,
    /// Who closed it.
    #[prost(string, tag = "3")]
    pub by: String,
    /// Every figure of every unit.
    #[prost(message, repeated, tag = "4")]
    pub figures: Vec<pb::TotalValue>,
}

/// Why a month can't be closed or compared.
#[derive(Debug, thiserror::Error)]
pub enum MonthError {
    /// Not a month.
    #[error("没有这个月份 (no such month): {0}-{1:02}")]
    Month(u32, u32),
    /// It is not over.
    #[error("{0}-{1:02} 尚未结束，不能封账 (the month is not over)")]
    Running(u32, u32),
    /// It has been closed before.
    #[error("{0}-{1:02} 已经封账，封账数字不再变动 (closed already: closed figures never move)")]
    Closed(u32, u32),
    /// It has not been closed.
    #[error("{0}-{1:02} 尚未封账 (not closed)")]
    Open(u32, u32),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The writer.
    #[error(transparent)]
    Write(#[from] WriteError),
}

fn key(year: u32, month: u32) -> Vec<u8> {
    format!("month-{year:04}-{month:02}").into_bytes()
}

fn last_day(year: u32, month: u32) -> Result<Day, MonthError> {
    let wrong = || MonthError::Month(year, month);
    let (year, month) = (i16::try_from(year).map_err(|_| wrong())?, i8::try_from(month).map_err(|_| wrong())?);
    let first = jiff::civil::Date::new(year, month, 1).map_err(|_| wrong())?;
    Ok(date::day(first.last_of_month()))
}

/// Every figure of every unit on a day, in the order of units and indicators.
fn figures(core: &Core, on: Day) -> Result<Vec<pb::TotalValue>, StoreError> {
    let view = core.view();
    let tree = core.tree();
    let period = Period::up_to(on, Span::Year);
    let mut units: Vec<OrgCode> = tree.below(core.unit).map(|unit| unit.code).collect();
    if units.is_empty() {
        units.push(core.unit);
    }
    let mut found = Vec::with_capacity(units.len());
    for unit in units {
        for indicator in indicator::all() {
            found.push(totals::value(view.as_ref(), unit, indicator, &period)?);
        }
    }
    Ok(found)
}

/// Closes a month.
///
/// # Errors
/// When it is not over or closed already, or the store fails.
pub async fn close(core: &Core, writer: &Writer, request: &pb::MonthRequest) -> Result<pb::MonthAnswer, MonthError> {
    let (year, month) = (request.year, request.month);
    let last_day = last_day(year, month)?;
    if last_day >= core.today() {
        return Err(MonthError::Running(year, month));
    }
    let row = MonthRow {
        last_day,
        closed_at: core.now(),
        by: request.by.chars().take(64).collect(),
        figures: tokio::task::block_in_place(|| figures(core, last_day))?,
    };
    match writer.write(Job::Month(key(year, month), row.encode_to_vec())).await? {
        Answer::Done => Ok(answer(year, month, &row, Vec::new())),
        _ => Err(MonthError::Closed(year, month)),
    }
}

/// What has changed of a closed month's figures since.
///
/// # Errors
/// When it is not closed, or the store fails.
pub fn adjustments(core: &Core, request: &pb::MonthRequest) -> Result<pb::MonthAnswer, MonthError> {
    let (year, month) = (request.year, request.month);
    let row: Option<MonthRow> = rows::read(core.view().as_ref(), Space::Documents, &key(year, month))?;
    let row = row.ok_or(MonthError::Open(year, month))?;
    let tree = core.tree();
    let view = core.view();
    let period = Period::up_to(row.last_day, Span::Year);
    let mut found = Vec::new();
    for closed in &row.figures {
        let (Ok(unit), Some(indicator)) = (OrgCode::new(closed.unit), indicator::by_code(&closed.indicator)) else {
            continue;
        };
        let now = totals::value(view.as_ref(), unit, indicator, &period)?;
        if (now.numerator, now.denominator) != (closed.numerator, closed.denominator) {
            found.push(pb::Adjustment {
                unit: closed.unit,
                unit_name: tree.name(unit),
                indicator: closed.indicator.clone(),
                closed_numerator: closed.numerator,
                closed_denominator: closed.denominator,
                numerator: now.numerator,
                denominator: now.denominator,
                ratio: closed.ratio,
            });
        }
    }
    Ok(answer(year, month, &row, found))
}

fn answer(year: u32, month: u32, row: &MonthRow, adjustments: Vec<pb::Adjustment>) -> pb::MonthAnswer {
    let mut hasher = blake3::Hasher::new();
    for figure in &row.figures {
        hasher.update(&figure.encode_length_delimited_to_vec());
    }
    pb::MonthAnswer {
        year,
        month,
        closed_at: row.closed_at,
        by: row.by.clone(),
        figures: row.figures.len() as u64,
        digest: hasher.finalize().as_bytes().to_vec().into(),
        adjustments,
    }
}
