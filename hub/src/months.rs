//! Months (月报): offices close them, districts approve them, the city locks them.
//! Invariant: a locked month's figures never move. They are signed and chained (`taizhang_proto::month`); a late event
//! changes the live totals of its own day, and the month that is locked next reports it as a correction
//! (domain-detail 3, rule 6; 4, case 17).

mod approve;
mod correct;
mod gaps;
mod lock;
mod report;
mod sheet;

pub use approve::approve;
pub use correct::{adjustments, reported};
pub use gaps::progress;
pub(crate) use lock::missing;
pub use lock::{lock, sign};
pub use report::report;

pub use crate::state::months::verify;

use crate::{state::Core, store::StoreError, writer::WriteError};
use prost::Message;
use taizhang_proto::{
    limits::Unsaid,
    month::{self, Month},
    pb::{self, MonthText, SignedMonth},
};

/// Why a month can't be closed, approved, locked or compared.
#[derive(Debug, thiserror::Error)]
pub enum MonthsError {
    /// Not a month.
    #[error("{0} 不是月份，请写成 2008-03 (not a month)")]
    Name(String),
    /// It is not over.
    #[error("{0} 尚未结束，不能封账，也不能审核通过 (the month is not over)")]
    Running(Month),
    /// It has been locked before.
    #[error("{0} 已经封账，封账数字不再变动 (locked already: locked figures never move)")]
    Locked(Month),
    /// It was never locked, and later ones have been.
    #[error("{0} 从未封账，其后的月份已经封账，不能再补 (never locked, and months after it have been: too late)")]
    Passed(Month),
    /// It has not been locked.
    #[error("{0} 尚未封账 (not locked)")]
    Open(Month),
    /// Not the month that follows.
    #[error("应逐月封账，下一个是 {0} (months are locked one after the other; this is the next)")]
    Next(Month),
    /// Not the city.
    #[error("月份由市级封账；县区请用 approve 审核 (the city locks months; a district approves them)")]
    NotCity,
    /// Not a district.
    #[error("月份由县区审核 (a district approves months)")]
    NotDistrict,
    /// Units are missing.
    #[error(
        "尚有 {count} 个单位未办结：{units}；催办，或用 --reason 写明缺报原因后封账 (units are missing: wait, or give a reason)"
    )]
    Gaps {
        /// How many.
        count: usize,
        /// The first of them, and what is missing.
        units: String,
    },
    /// A sheet that was lost with the store, and has not come back yet.
    #[error(
        "{month} 中 {unit} 的数字尚未找回，无法比较其后的更正；待该县区同步后再封账，或用 --reason 写明 (a sheet is lost: lock once that district has synced, or give a reason)"
    )]
    Lost {
        /// The month.
        month: String,
        /// Whose sheet.
        unit: u64,
    },
    /// Who decides, or why, is too long.
    #[error(transparent)]
    Unsaid(#[from] Unsaid),
    /// What is stored is not what was signed.
    #[error(transparent)]
    Signed(#[from] month::MonthError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The writer.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Reads a month that is asked for.
fn month_asked(name: &str) -> Result<Month, MonthsError> {
    Month::read(name).ok_or_else(|| MonthsError::Name(name.chars().take(16).collect()))
}

/// Every locked month as this hub knows it, and how far the units are with the next.
///
/// # Errors
/// When the store fails, or the month that is asked for is none.
pub fn overview(core: &Core, request: &pb::MonthRequest) -> Result<pb::MonthsAnswer, MonthsError> {
    let locked: Vec<pb::MonthAnswer> = core.months().signed().map(|signed| answer(signed, Vec::new())).collect();
    let next = match request.month.as_str() {
        "" => core.months().last_month().map(Month::next),
        name => Some(month_asked(name)?),
    };
    // Before the first one it is the month that has ended last.
    let before = || {
        let this = Month::of(core.today())?;
        Month::of(this.first_day() - 1)
    };
    let open = next.or_else(before).map(|month| progress(core, month)).transpose()?;
    Ok(pb::MonthsAnswer { locked, open })
}

fn answer(signed: &SignedMonth, adjustments: Vec<pb::Adjustment>) -> pb::MonthAnswer {
    let text = MonthText::decode(signed.text.clone()).unwrap_or_default();
    pb::MonthAnswer {
        month: text.month,
        locked_at: text.locked_at,
        by: text.by,
        figures: text.sheets.iter().map(|sheet| u64::from(sheet.figures)).sum(),
        corrections: text.sheets.iter().map(|sheet| u64::from(sheet.corrections)).sum(),
        digest: month::digest(&signed.text).into(),
        gaps: text.gaps,
        reason: text.reason,
        adjustments,
    }
}
