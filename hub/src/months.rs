//! Months (月报): offices close them, districts approve them, the city locks them.
//! Invariant: a locked month's figures never move. They are signed and chained (`taizhang_proto::month`); a late event
//! changes the live totals of its own day, and the month that is locked next reports it as a correction
//! (domain-detail 3, rule 6; 4, case 17).

mod approve;
mod correct;
mod gaps;
mod lock;

pub use approve::approve;
pub use correct::{adjustments, reported};
pub use gaps::progress;
pub use lock::{lock, sign};

use crate::{
    store::{Space, StoreError, View, WriteSet},
    writer::{Core, WriteError},
};
use bytes::Bytes;
use prost::Message;
use taizhang_proto::{
    OrgCode,
    month::{self, Month},
    pb::{self, MonthText, SignedMonth, Tier},
    session::MAX_MESSAGE_BYTES,
};

/// Largest sheet that goes down, bytes.
const MAX_SHEET: usize = MAX_MESSAGE_BYTES / 2;
/// Before a month's name: its signed text.
const LOCKED: &[u8] = b"locked-";
/// Before a month's name and a unit's number: the unit's sheet.
const SHEET: &[u8] = b"sheet-";

/// Why a month can't be closed, approved, locked or compared.
#[derive(Debug, thiserror::Error)]
pub enum MonthsError {
    /// Not a month.
    #[error("{0} 不是月份，请写成 2008-03 (not a month)")]
    Name(String),
    /// It is not over.
    #[error("{0} 尚未结束，不能封账 (the month is not over)")]
    Running(Month),
    /// It has been locked before.
    #[error("{0} 已经封账，封账数字不再变动 (locked already: locked figures never move)")]
    Locked(Month),
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
    /// The key.
    #[error(transparent)]
    Key(#[from] crate::plans::PublishError),
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

fn sheet_key(month: &str, unit: u64) -> Vec<u8> {
    [SHEET, format!("{month}-{unit}").as_bytes()].concat()
}

/// The locked months that a hub holds, oldest first, without their sheets.
#[derive(Debug, Clone, Default)]
pub struct Months(Vec<SignedMonth>);

impl Months {
    /// Reads them.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn read(view: &dyn View) -> Result<Self, StoreError> {
        // Their names sort as the months do.
        let decode = |row: Bytes| SignedMonth::decode(row).map_err(|_| StoreError::Row(Space::Documents));
        view.prefix(Space::Documents, LOCKED).map(|row| decode(row?.1)).collect::<Result<_, _>>().map(Self)
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// The last one.
    fn last(&self) -> Option<&SignedMonth> {
        self.0.last()
    }

    /// Their texts, oldest first.
    pub fn texts(&self) -> impl Iterator<Item = MonthText> {
        self.0.iter().filter_map(|signed| MonthText::decode(signed.text.clone()).ok())
    }

    /// The city's key, as the first month named it.
    fn key(&self) -> Option<&[u8]> {
        self.0.first().map(|first| &first.key[..])
    }

    /// With one more month, checked: signed by the city, and the next one. `known` is the city's key where the plan
    /// told it.
    ///
    /// # Errors
    /// When it is not what the city signed, or does not follow.
    pub(crate) fn with(&self, signed: &SignedMonth, known: Option<&[u8]>) -> Result<Self, month::MonthError> {
        let text = month::read(signed, self.key().or(known))?;
        month::follows(&text, self.last())?;
        if !signed.sheet.is_empty() {
            month::read_sheet(&text, &signed.sheet)?;
        }
        let mut months = self.clone();
        months.0.push(SignedMonth { sheet: Bytes::new(), ..signed.clone() });
        Ok(months)
    }
}

/// Puts a month and its sheets on a write set.
///
/// # Errors
/// When the text or a sheet is none.
pub(crate) fn put(set: &mut WriteSet, signed: &SignedMonth, sheets: &[Bytes]) -> Result<(), month::MonthError> {
    let text = MonthText::decode(signed.text.clone()).map_err(|_| month::MonthError::Format)?;
    for sheet in sheets.iter().chain(Some(&signed.sheet).filter(|sheet| !sheet.is_empty())) {
        let unit = month::read_sheet(&text, sheet)?.unit;
        set.put(Space::Documents, sheet_key(&text.month, unit), sheet.clone());
    }
    let bare = SignedMonth { sheet: Bytes::new(), ..signed.clone() };
    set.put(Space::Documents, [LOCKED, text.month.as_bytes()].concat(), bare.encode_to_vec());
    Ok(())
}

/// The month that a child holding `known` of them is told next, as a document: with its own sheet where it is a hub.
///
/// # Errors
/// When the store fails.
pub(crate) fn next_document(
    core: &Core,
    view: &dyn View,
    known: u64,
    hub: Option<OrgCode>,
) -> Result<Option<pb::Document>, StoreError> {
    let months = core.months();
    let Some(signed) = usize::try_from(known).ok().and_then(|known| months.0.get(known)) else { return Ok(None) };
    let mut signed = signed.clone();
    if let (Some(unit), Ok(text)) = (hub, MonthText::decode(signed.text.clone())) {
        let sheet = view.get(Space::Documents, &sheet_key(&text.month, unit.number()))?;
        // What no message could carry must not keep the child from syncing; `verify` there says that it is missing.
        signed.sheet = sheet.filter(|sheet| sheet.len() <= MAX_SHEET).unwrap_or_default();
    }
    Ok(Some(pb::Document { kind: "month".into(), version: known + 1, content: signed.encode_to_vec().into() }))
}

/// The sheets of a month that this hub holds, read as they are.
fn sheets(view: &dyn View, text: &MonthText) -> Result<Vec<(u64, Bytes)>, StoreError> {
    let mut found = Vec::new();
    for one in &text.sheets {
        found.extend(view.get(Space::Documents, &sheet_key(&text.month, one.unit))?.map(|sheet| (one.unit, sheet)));
    }
    Ok(found)
}

/// Proves every locked month untouched: signatures, sheets, and that none is missing between them. Returns what is
/// wrong.
///
/// # Errors
/// When the store fails.
pub fn verify(core: &Core) -> Result<Vec<String>, StoreError> {
    let view = core.view();
    let stored = Months::read(view.as_ref())?;
    let known = core.city_key();
    let mut problems = Vec::new();
    let mut proven = Months::default();
    for signed in &stored.0 {
        let checked = month::read(signed, known.as_deref().or(proven.key()));
        let follows = checked.and_then(|text| month::follows(&text, proven.last()).map(|()| text));
        match follows {
            Ok(text) => {
                let own = sheets(view.as_ref(), &text)?;
                problems.extend(own.iter().filter_map(|(unit, sheet)| {
                    let fault = || month::MonthError::Sheet { month: text.month.clone(), unit: *unit };
                    let read = month::read_sheet(&text, sheet).map_err(|_| fault());
                    let wrong = read.and_then(|sheet| if sheet.unit == *unit { Ok(()) } else { Err(fault()) });
                    wrong.err().map(|error| error.to_string())
                }));
                let is_ours = |unit: u64| core.tier == Tier::City || unit == core.unit.number();
                let missing = text.sheets.iter().filter(|one| is_ours(one.unit));
                let missing = missing.filter(|one| !own.iter().any(|(unit, _)| *unit == one.unit));
                problems.extend(
                    missing.map(|one| format!("{} 缺少 {} 的数字 (its sheet is missing)", text.month, one.unit)),
                );
            }
            Err(error) => problems.push(error.to_string()),
        }
        proven.0.push(signed.clone());
    }
    // What the process works with is what it read at its start.
    if stored.count() < core.months().count() {
        problems.push("有封账月份丢失 (a locked month is gone)".into());
    }
    Ok(problems)
}

/// Every locked month as this hub knows it, and how far the units are with the next.
///
/// # Errors
/// When the store fails, or the month that is asked for is none.
pub fn overview(core: &Core, request: &pb::MonthRequest) -> Result<pb::MonthsAnswer, MonthsError> {
    let locked: Vec<pb::MonthAnswer> = core.months().0.iter().map(|signed| answer(signed, Vec::new())).collect();
    let next = match request.month.as_str() {
        "" => core.months().texts().last().and_then(|text| Month::read(&text.month)).map(Month::next),
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
