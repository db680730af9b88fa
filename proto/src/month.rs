//! Locked months (月报封账): what the city signs, and how anybody proves that a locked month is untouched.
//! Invariant: a month's text names its sheets by their digests and the month before it by its text's digest, and is
//! signed; so no figure, no sheet and no month can be changed, left out or put in without the signature showing it.

use crate::{
    date::{self, Day},
    pb::{self, MonthSheet, MonthText, SignedMonth},
    sign::Purpose,
};
use jiff::civil::Date;
use prost::Message;

/// A calendar month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(Date);

impl Month {
    /// The month of a year; none when there is no such month.
    pub fn new(year: i16, month: i8) -> Option<Self> {
        Date::new(year, month, 1).ok().map(Self)
    }

    /// The month that a day is in; none outside the calendar.
    pub fn of(day: Day) -> Option<Self> {
        date::civil(day).map(|date| Self(date.first_of_month()))
    }

    /// Reads `2008-03`; none for anything else.
    pub fn read(name: &str) -> Option<Self> {
        let (year, month) = name.split_once('-').filter(|(year, month)| year.len() == 4 && month.len() == 2)?;
        // One name for each month: a sign is no digit.
        Self::new(year.parse().ok()?, month.parse().ok()?).filter(|month| month.to_string() == name)
    }

    /// Its first day.
    pub fn first_day(self) -> Day {
        date::day(self.0)
    }

    /// Its last day.
    pub fn last_day(self) -> Day {
        date::day(self.0.last_of_month())
    }

    /// The month after it; itself at the end of the calendar.
    #[must_use]
    pub fn next(self) -> Self {
        Self::of(self.last_day() + 1).unwrap_or(self)
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.0.year(), self.0.month())
    }
}

/// How far an office's month is before the city locks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Closed by the office.
    Closed,
    /// Sent back by the district, to be closed again under the next version.
    Returned,
    /// Approved by the district.
    Approved,
}

/// Why a district may not approve a closing, or send it back, as it stands; none where it may.
pub fn refusal(close: &pb::PeriodClose, sends_back: bool) -> Option<String> {
    match (stage(close), sends_back) {
        (Stage::Returned, _) => Some("已退回，等该单位重封 (sent back: it waits for the office)".to_owned()),
        (Stage::Approved, false) => {
            let who = close.approved_by.as_deref().unwrap_or("?");
            let when = close.approved_on.map(date::iso).unwrap_or_default();
            Some(format!("{when} 已由{who}审核 (approved already)"))
        }
        (Stage::Approved, true) | (Stage::Closed, _) => None,
    }
}

/// How far a closing is. The district's word is about one version; what the office closes anew waits again.
pub fn stage(close: &pb::PeriodClose) -> Stage {
    let version = close.version.unwrap_or(1);
    let said = |on: Option<Day>, of: Option<u32>| on.is_some() && of.unwrap_or(1) >= version;
    if said(close.returned_on, close.returned_version) {
        Stage::Returned
    } else if said(close.approved_on, close.approved_version) {
        Stage::Approved
    } else {
        Stage::Closed
    }
}

/// Why a month has a gap: a district that was never heard.
pub const UNHEARD: &str = "unheard";

/// Whether a month is without a unit that had told nothing at all when it was locked.
pub fn is_unheard(gaps: &[pb::MonthGap], unit: u64) -> bool {
    gaps.iter().any(|gap| gap.unit == unit && gap.why == UNHEARD)
}

/// What is missing of a unit whose month is not complete, for people (`MonthGap.why`): in Chinese, and in English.
pub fn gap_words(why: &str) -> (&'static str, &'static str) {
    match why {
        "silent" => ("月末以来未同步", "not heard since the month ended"),
        UNHEARD => ("从未上报（未接入）", "never heard"),
        "aside" => ("数字存疑，未计入总数", "set aside: in no total"),
        "not_approved" => ("待审核", "not approved"),
        _ => ("未封账", "not closed"),
    }
}

/// Why a locked month can't be taken, or is not what the city locked. Names the month where it is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MonthError {
    /// Not a month at all.
    #[error("不是封账月份的文件 (no locked month)")]
    Format,
    /// Another key.
    #[error("{0} 的签名密钥不是本市的 (not signed with the key of this city)")]
    Key(String),
    /// The signature.
    #[error("{0} 的签名不符，文本被改动过 (the signature is wrong: the text was changed)")]
    Signature(String),
    /// A sheet.
    #[error("{month} 中 {unit} 的数字与封账时不符 (the figures are not those that were locked)")]
    Sheet {
        /// The month.
        month: String,
        /// The unit of the sheet.
        unit: u64,
    },
    /// The chain.
    #[error("{0} 与上一封账月份不衔接 (it does not follow the month locked before it)")]
    Chain(String),
}

/// The digest of a text or a sheet, 32 bytes.
pub fn digest(bytes: &[u8]) -> Vec<u8> {
    blake3::hash(bytes).as_bytes().to_vec()
}

/// The first 8 bytes of a text's digest: enough to tell two texts of one city apart.
pub fn short_digest(bytes: &[u8]) -> Vec<u8> {
    digest(bytes)[..8].to_vec()
}

/// Reads a signed month and checks its signature. `known` is the city's key as it was first heard.
///
/// # Errors
/// When it is no month, or not signed by the city.
pub fn read(signed: &SignedMonth, known: Option<&[u8]>) -> Result<MonthText, MonthError> {
    let text = MonthText::decode(signed.text.clone()).map_err(|_| MonthError::Format)?;
    let month = Month::read(&text.month).ok_or(MonthError::Format)?;
    if text.last_day != month.last_day() {
        return Err(MonthError::Format);
    }
    if known.is_some_and(|known| *known != signed.key[..]) {
        return Err(MonthError::Key(text.month));
    }
    if !Purpose::Month.is_signed(&signed.text, &signed.key, &signed.signature) {
        return Err(MonthError::Signature(text.month));
    }
    Ok(text)
}

/// Checks that a month follows the one locked before it; none before it, where it is the first.
///
/// # Errors
/// When it does not.
pub fn follows(text: &MonthText, before: Option<&SignedMonth>) -> Result<(), MonthError> {
    let wrong = || MonthError::Chain(text.month.clone());
    let Some(before) = before else {
        return if text.previous.is_empty() { Ok(()) } else { Err(wrong()) };
    };
    let earlier = MonthText::decode(before.text.clone()).map_err(|_| MonthError::Format)?;
    let next = Month::read(&earlier.month).map(|month| month.next().to_string());
    if text.previous[..] != digest(&before.text)[..] || next.as_deref() != Some(&text.month) {
        return Err(wrong());
    }
    Ok(())
}

/// Reads a unit's sheet and checks it against the month's text.
///
/// # Errors
/// When it is not the sheet that was signed.
pub fn read_sheet(text: &MonthText, sheet: &[u8]) -> Result<MonthSheet, MonthError> {
    let read = MonthSheet::decode(sheet).map_err(|_| MonthError::Format)?;
    let signed = text.sheets.iter().find(|one| one.unit == read.unit);
    if signed.is_none_or(|one| one.digest[..] != digest(sheet)[..]) {
        return Err(MonthError::Sheet { month: text.month.clone(), unit: read.unit });
    }
    Ok(read)
}

/// What a figure is of: unit, indicator, and over a year or a month.
pub type FigureKey = (u64, String, i32);

/// The key of a figure.
pub fn key_of(value: &pb::TotalValue) -> FigureKey {
    (value.unit, value.indicator.clone(), value.span)
}

/// The figure that is not listed in a sheet where this one would stand.
pub fn nothing_like(value: &pb::TotalValue) -> pb::TotalValue {
    let (unit, indicator) = (value.unit, value.indicator.clone());
    pb::TotalValue { unit, indicator, ratio: value.ratio, span: value.span, ..pb::TotalValue::default() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    fn signed(key: &Ed25519KeyPair, month: &str, before: Option<&SignedMonth>, sheet: &MonthSheet) -> SignedMonth {
        let sheet = sheet.encode_to_vec();
        let text = MonthText {
            month: month.into(),
            last_day: Month::read(month).unwrap().last_day(),
            sheets: vec![pb::SheetDigest {
                unit: 210_402_000_000,
                digest: digest(&sheet).into(),
                ..Default::default()
            }],
            previous: before.map(|before| digest(&before.text).into()).unwrap_or_default(),
            ..MonthText::default()
        }
        .encode_to_vec();
        SignedMonth {
            signature: Bytes::copy_from_slice(key.sign(&Purpose::Month.to_sign(&text)).as_ref()),
            key: Bytes::copy_from_slice(key.public_key().as_ref()),
            text: text.into(),
            ..SignedMonth::default()
        }
    }

    #[test]
    fn a_month_has_a_name_and_a_last_day() {
        let february = Month::read("2008-02").unwrap();
        assert_eq!((february.to_string(), date::iso(february.last_day())), ("2008-02".into(), "2008-02-29".into()));
        assert_eq!(Month::read("2008-12").unwrap().next().to_string(), "2009-01");
        for wrong in ["2008-13", "2008-2", "200802", "", "2008-02-01", "2008-+3", "+008-03", "二〇〇八-02"] {
            assert_eq!(Month::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn any_byte_changed_in_a_locked_month_shows() {
        let [city, other] = [[1; 32], [2; 32]].map(|seed| Ed25519KeyPair::from_seed_unchecked(&seed).unwrap());
        let figure = pb::TotalValue { unit: 210_402_000_000, numerator: 7, ..pb::TotalValue::default() };
        let sheet = MonthSheet { unit: 210_402_000_000, figures: vec![figure], ..MonthSheet::default() };
        let march = signed(&city, "2008-03", None, &sheet);
        let key = city.public_key().as_ref();
        let text = read(&march, Some(key)).unwrap();
        let bytes_of_sheet = sheet.encode_to_vec();
        assert_eq!(read_sheet(&text, &bytes_of_sheet).unwrap(), sheet);
        for place in 0..march.text.len() {
            let mut bytes = march.text.to_vec();
            bytes[place] ^= 1;
            assert!(read(&SignedMonth { text: bytes.into(), ..march.clone() }, Some(key)).is_err(), "byte {place}");
        }
        for place in 0..bytes_of_sheet.len() {
            let mut bytes = bytes_of_sheet.clone();
            bytes[place] ^= 1;
            assert!(read_sheet(&text, &bytes).is_err(), "byte {place} of the sheet");
        }
        assert_eq!(read(&signed(&other, "2008-03", None, &sheet), Some(key)), Err(MonthError::Key("2008-03".into())));
    }

    #[test]
    fn months_follow_each_other_without_a_gap() {
        let city = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
        let march = signed(&city, "2008-03", None, &MonthSheet::default());
        let other = signed(&city, "2008-03", None, &MonthSheet { unit: 1, ..MonthSheet::default() });
        let after = |month, before| read(&signed(&city, month, before, &MonthSheet::default()), None).unwrap();
        let april = after("2008-04", Some(&march));
        assert_eq!(follows(&april, Some(&march)), Ok(()));
        let wrong = Err(MonthError::Chain("2008-04".into()));
        assert_eq!(follows(&april, Some(&other)), wrong, "another March");
        assert_eq!(follows(&april, None), wrong, "March is left out");
        assert_eq!(follows(&after("2008-04", None), Some(&march)), wrong);
        assert!(follows(&after("2008-05", Some(&march)), Some(&march)).is_err(), "April is left out");
        assert_eq!(follows(&after("2008-05", None), None), Ok(()));
    }
}
