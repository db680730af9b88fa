//! The locked months as a hub holds them, and as they go between hubs.
//! Invariant: what stands here was signed by the city, each month follows the one before it, and a sheet is one that its month
//! names (`taizhang_proto::month`).

use super::Core;
use crate::store::{Space, StoreError, View, WriteSet};
use bytes::Bytes;
use prost::Message;
use taizhang_node::upstream;
use taizhang_proto::{
    OrgCode,
    month::{self, Month},
    pb::{self, MonthSheet, MonthText, SignedMonth, Tier},
    session::MAX_MESSAGE_BYTES,
};

/// Largest sheets that go in one message, packed, bytes.
const MAX_PACKED: usize = MAX_MESSAGE_BYTES / 2;
/// Largest sheet, bytes.
const MAX_SHEET: u32 = 32 * 1024 * 1024;
/// Before a month's name: its signed text.
const LOCKED: &[u8] = b"locked-";
/// Before a month's name and a unit's number: the unit's sheet.
const SHEET: &[u8] = b"sheet-";
/// Before a month's name and its digest: a text that was signed and does not stand, for whoever asks what became of it.
const VOID: &[u8] = b"void-";
/// The last month that came back to a city which had lost it.
const RECOVERED: &[u8] = b"months-recovered";

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
    pub(crate) fn last(&self) -> Option<&SignedMonth> {
        self.0.last()
    }

    /// Each as it was signed, oldest first.
    pub(crate) fn signed(&self) -> impl Iterator<Item = &SignedMonth> {
        self.0.iter()
    }

    /// Their texts, oldest first.
    pub fn texts(&self) -> impl Iterator<Item = MonthText> {
        self.0.iter().filter_map(|signed| MonthText::decode(signed.text.clone()).ok())
    }

    /// The last of them.
    pub(crate) fn last_month(&self) -> Option<Month> {
        self.texts().last().and_then(|text| Month::read(&text.month))
    }

    /// Whether a month is among them.
    pub(crate) fn has(&self, month: Month) -> bool {
        let name = month.to_string();
        self.texts().any(|text| text.month == name)
    }

    /// The city's key, as the first month named it.
    pub(crate) fn key(&self) -> Option<&Bytes> {
        self.0.first().map(|first| &first.key)
    }

    /// The month at a place, from 1.
    fn at(&self, place: u64) -> Option<&SignedMonth> {
        self.0.get(usize::try_from(place.checked_sub(1)?).ok()?)
    }

    /// Whether a text is the one at a place, from 1.
    fn holds(&self, place: u64, signed: &SignedMonth) -> bool {
        self.at(place).is_some_and(|own| own.text == signed.text)
    }

    /// The short digest of the text at a place, from 1; nothing where there is none.
    pub(crate) fn short_digest(&self, place: u64) -> Bytes {
        self.at(place).map(|signed| month::short_digest(&signed.text).into()).unwrap_or_default()
    }

    /// How many months a child that says it holds `count`, the last with this digest, has in common with this hub; none
    /// where they may be other ones. A child of an older build says no digest.
    pub(crate) fn in_common(&self, count: u64, digest: &[u8]) -> u64 {
        let same = digest.is_empty() || count > self.count() || self.short_digest(count)[..] == *digest;
        if same { count } else { 0 }
    }

    /// With a month at a place, checked: signed by the city, and following the one before it. What stood there and
    /// behind it goes, where it is another; the same one changes nothing. `known` is the city's key.
    ///
    /// # Errors
    /// When it is not what the city signed, or does not follow.
    pub(crate) fn with(&self, place: u64, signed: &SignedMonth, known: &[u8]) -> Result<Self, month::MonthError> {
        let text = month::read(signed, Some(known))?;
        if self.holds(place, signed) {
            return Ok(self.clone());
        }
        let before = usize::try_from(place.saturating_sub(1)).unwrap_or(usize::MAX);
        let mut months = Self(self.0.get(..before).ok_or(month::MonthError::Chain(text.month.clone()))?.to_vec());
        month::follows(&text, months.last())?;
        months.0.push(bare(signed));
        Ok(months)
    }
}

/// A month without what travels with it.
fn bare(signed: &SignedMonth) -> SignedMonth {
    SignedMonth { sheets: Vec::new(), own: None, ..signed.clone() }
}

/// Puts the months that stand now on a write set, with sheets of the one at `place`. Those that stood before and do not
/// any more are kept aside.
///
/// # Errors
/// When a sheet is none of that month.
pub(crate) fn put(
    set: &mut WriteSet,
    (before, now): (&Months, &Months),
    place: u64,
    sheets: &[Bytes],
) -> Result<(), month::MonthError> {
    let signed = now.at(place).ok_or(month::MonthError::Format)?;
    let text = MonthText::decode(signed.text.clone()).map_err(|_| month::MonthError::Format)?;
    let read = |sheet: &Bytes| month::read_sheet(&text, sheet).map(|read| (read.unit, sheet.clone()));
    let sheets = sheets.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    if !before.holds(place, signed) {
        let from = usize::try_from(place.saturating_sub(1)).unwrap_or(usize::MAX);
        for gone in before.0.get(from..).unwrap_or_default() {
            let text = MonthText::decode(gone.text.clone()).map_err(|_| month::MonthError::Format)?;
            tracing::error!(
                month = text.month,
                "a month that was locked anew is void: another one was locked before it"
            );
            let digest = month::short_digest(&gone.text);
            set.put(Space::Documents, [VOID, text.month.as_bytes(), b"-", &digest].concat(), gone.encode_to_vec());
            set.remove(Space::Documents, [LOCKED, text.month.as_bytes()].concat());
            for sheet in &text.sheets {
                set.remove(Space::Documents, sheet_key(&text.month, sheet.unit));
            }
        }
        set.put(Space::Documents, [LOCKED, text.month.as_bytes()].concat(), signed.encode_to_vec());
    }
    for (unit, sheet) in sheets {
        set.put(Space::Documents, sheet_key(&text.month, unit), sheet);
    }
    Ok(())
}

/// At the city: what a child says of the month at a place, which the city may have lost. Of two that were locked for one
/// month the earlier stands. Returns the months as they stand with it; none where nothing changes but its sheets.
///
/// # Errors
/// When it was not signed here, or does not follow what stands.
pub(crate) fn recover(
    set: &mut WriteSet,
    before: &Months,
    place: u64,
    (signed, sheets): (&SignedMonth, &[Bytes]),
    key: &[u8],
) -> Result<Option<Months>, month::MonthError> {
    let text = month::read(signed, Some(key))?;
    let locked_at = |own: &SignedMonth| MonthText::decode(own.text.clone()).map_or(0, |text| text.locked_at);
    let known = before.holds(place, signed);
    if !known && before.at(place).is_some_and(|own| locked_at(own) <= text.locked_at) {
        return Ok(None);
    }
    let now = before.with(place, signed, key)?;
    put(set, (before, &now), place, sheets)?;
    if known {
        return Ok(None);
    }
    tracing::warn!(month = text.month, "a locked month came back from a district");
    set.put(Space::Documents, RECOVERED, text.month);
    Ok(Some(now))
}

/// Whether months came back to this hub without all the sheets of these units, of the first `held` months. Nothing is missing
/// where none came back.
///
/// # Errors
/// When the store fails.
pub(crate) fn lacks_sheets(
    view: &dyn View,
    months: &Months,
    held: u64,
    units: [OrgCode; 2],
) -> Result<bool, StoreError> {
    if view.get(Space::Documents, RECOVERED)?.is_none() {
        return Ok(false);
    }
    let held = months.texts().take(usize::try_from(held).unwrap_or(usize::MAX));
    let theirs = |unit: u64| units.iter().any(|own| own.number() == unit);
    Ok(missing_sheets(view, held, theirs).next().transpose()?.is_some())
}

/// The sheets of months that say something and are not here, of some units: the month, and whose.
pub(crate) fn missing_sheets(
    view: &dyn View,
    texts: impl Iterator<Item = MonthText>,
    is_asked: impl Fn(u64) -> bool,
) -> impl Iterator<Item = Result<(String, u64), StoreError>> {
    let all = texts.flat_map(|text| {
        let said = text.sheets.into_iter().filter(says_something);
        said.map(|one| (text.month.clone(), one.unit)).collect::<Vec<_>>()
    });
    all.filter(move |(_, unit)| is_asked(*unit)).filter_map(|(month, unit)| {
        match view.get(Space::Documents, &sheet_key(&month, unit)) {
            Ok(held) => held.is_none().then_some(Ok((month, unit))),
            Err(error) => Some(Err(error)),
        }
    })
}

/// The revision of this store up to which a locked month was counted; 0 where that was in a history that was lost.
pub(crate) fn counted_up_to(view: &dyn View, text: &MonthText) -> Result<u64, StoreError> {
    let recovered = view.get(Space::Documents, RECOVERED)?;
    Ok(if recovered.is_some_and(|name| name[..] >= *text.month.as_bytes()) { 0 } else { text.revision })
}

/// The month that a child holding `known` of them is told next, as a document: with its own sheet where it is a hub.
///
/// # Errors
/// When the store fails.
pub(crate) fn next_document(
    core: &Core,
    view: &dyn View,
    known: u64,
    (unit, is_hub): (OrgCode, bool),
) -> Result<Option<pb::Document>, StoreError> {
    let units = if is_hub { vec![unit, core.unit] } else { Vec::new() };
    let Some(document) = document(core, view, known.saturating_add(1), &units)? else { return Ok(None) };
    if is_hub {
        return Ok(Some(document));
    }
    let wrong = |_| StoreError::Row(Space::Documents);
    let mut signed = SignedMonth::decode(document.content.clone()).map_err(wrong)?;
    let text = MonthText::decode(signed.text.clone()).map_err(wrong)?;
    if let Some(sheet) = view.get(Space::Documents, &sheet_key(&text.month, core.unit.number()))? {
        let own = below(MonthSheet::decode(sheet).map_err(wrong)?, unit).encode_to_vec();
        let zstd = upstream::compress(&own).map_err(|error| StoreError::Engine(error.to_string()))?;
        signed.own = (zstd.len() <= MAX_PACKED).then(|| pb::PackedSheet { zstd, raw_len: own.len() as u32 });
    }
    Ok(Some(pb::Document { content: signed.encode_to_vec().into(), ..document }))
}

/// What a sheet says of one unit and everything below it.
fn below(mut sheet: MonthSheet, unit: OrgCode) -> MonthSheet {
    let is_below = |code: u64| OrgCode::new(code).is_ok_and(|code| unit.covers(code));
    sheet.figures.retain(|figure| is_below(figure.unit));
    sheet.corrections.retain(|one| one.now.as_ref().is_some_and(|now| is_below(now.unit)));
    sheet.unit = unit.number();
    sheet
}

/// The month at a place, from 1, as a document: with the sheets of these units that are here.
///
/// # Errors
/// When the store fails.
pub(crate) fn document(
    core: &Core,
    view: &dyn View,
    place: u64,
    units: &[OrgCode],
) -> Result<Option<pb::Document>, StoreError> {
    let months = core.months();
    let Some(signed) = months.at(place) else { return Ok(None) };
    let mut signed = signed.clone();
    let text = MonthText::decode(signed.text.clone()).map_err(|_| StoreError::Row(Space::Documents))?;
    let mut room = MAX_PACKED;
    for unit in units {
        let Some(sheet) = view.get(Space::Documents, &sheet_key(&text.month, unit.number()))? else { continue };
        let zstd = upstream::compress(&sheet).map_err(|error| StoreError::Engine(error.to_string()))?;
        // What no message could carry must not keep the child from syncing; `verify` there says that it is missing.
        if let Some(left) = room.checked_sub(zstd.len()) {
            room = left;
            signed.sheets.push(pb::PackedSheet { zstd, raw_len: sheet.len() as u32 });
        }
    }
    Ok(Some(pb::Document { kind: "month".into(), version: place, content: signed.encode_to_vec().into() }))
}

/// A month as a document brings it, with its sheets unpacked. Nothing is unpacked before the text is known to be signed,
/// with the city's key where that is known; then one sheet after the other, and none after one that the text does not
/// name.
///
/// # Errors
/// When it can't be read, is not signed, or brings what the text does not name.
pub(crate) fn read_document(
    content: Bytes,
    known: Option<&[u8]>,
) -> Result<(SignedMonth, Vec<Bytes>), month::MonthError> {
    let signed = SignedMonth::decode(content).map_err(|_| month::MonthError::Format)?;
    let text = month::read(&signed, known)?;
    let fits = |sheet: &pb::PackedSheet| sheet.raw_len <= MAX_SHEET;
    if signed.sheets.len() > text.sheets.len() || !signed.sheets.iter().all(fits) {
        return Err(month::MonthError::Format);
    }
    let mut sheets = Vec::with_capacity(signed.sheets.len());
    for packed in &signed.sheets {
        sheets.push(unpack(&text, packed)?);
    }
    Ok((bare(&signed), sheets))
}

/// One sheet, unpacked, which must be one that the text names.
fn unpack(text: &MonthText, packed: &pb::PackedSheet) -> Result<Bytes, month::MonthError> {
    #[cfg(test)]
    tests::UNPACKED.with(|count| count.set(count.get() + 1));
    let sheet = upstream::decompress_within(&packed.zstd, packed.raw_len, MAX_SHEET);
    let sheet = sheet.map_err(|_| month::MonthError::Format)?;
    month::read_sheet(text, &sheet)?;
    Ok(sheet)
}

/// The sheets of a month that this hub holds, read as they are.
pub(crate) fn sheets(view: &dyn View, text: &MonthText) -> Result<Vec<(u64, Bytes)>, StoreError> {
    let mut found = Vec::new();
    for one in &text.sheets {
        found.extend(view.get(Space::Documents, &sheet_key(&text.month, one.unit))?.map(|sheet| (one.unit, sheet)));
    }
    Ok(found)
}

/// Whether a sheet holds anything: one that does not is known without it.
fn says_something(sheet: &pb::SheetDigest) -> bool {
    sheet.figures > 0 || sheet.corrections > 0
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
        let checked = month::read(signed, known.as_deref());
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
                let missing = text.sheets.iter().filter(|one| is_ours(one.unit) && says_something(one));
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use ring::signature::{Ed25519KeyPair, KeyPair};
    use std::cell::Cell;
    use taizhang_proto::sign::Purpose;

    thread_local! {
        /// How many sheets this thread has unpacked.
        pub(super) static UNPACKED: Cell<usize> = const { Cell::new(0) };
    }

    fn key(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
    }

    fn packed(sheet: &[u8]) -> pb::PackedSheet {
        pb::PackedSheet { zstd: upstream::compress(sheet).unwrap(), raw_len: sheet.len() as u32 }
    }

    fn sheet(unit: u64) -> Vec<u8> {
        pb::MonthSheet { unit, ..pb::MonthSheet::default() }.encode_to_vec()
    }

    /// A month that names the sheets of these units, signed, with what travels along.
    fn document(signer: &Ed25519KeyPair, units: &[u64], sheets: Vec<pb::PackedSheet>) -> Bytes {
        let digest = |unit: &u64| pb::SheetDigest {
            unit: *unit,
            digest: month::digest(&sheet(*unit)).into(),
            ..pb::SheetDigest::default()
        };
        let month = Month::read("2026-03").unwrap();
        let text = MonthText {
            month: month.to_string(),
            last_day: month.last_day(),
            sheets: units.iter().map(digest).collect(),
            ..MonthText::default()
        };
        let text = text.encode_to_vec();
        let signature = signer.sign(&Purpose::Month.to_sign(&text)).as_ref().to_vec();
        let key = signer.public_key().as_ref().to_vec().into();
        SignedMonth { text: text.into(), key, signature: signature.into(), sheets, own: None }.encode_to_vec().into()
    }

    fn unpacked(read: impl FnOnce()) -> usize {
        let before = UNPACKED.with(Cell::get);
        read();
        UNPACKED.with(Cell::get) - before
    }

    #[test]
    fn nothing_is_unpacked_that_the_city_did_not_sign() {
        let (city, other) = (key(1), key(2));
        let known = city.public_key().as_ref();
        let bombs = vec![packed(&vec![0; 1 << 20]); 16];
        let foreign = document(&other, &[1, 2], bombs.clone());
        assert_eq!(unpacked(|| assert!(read_document(foreign, Some(known)).is_err())), 0);
        let mut forged = SignedMonth::decode(document(&city, &[1, 2], bombs.clone())).unwrap();
        forged.signature = vec![7; 64].into();
        assert_eq!(unpacked(|| assert!(read_document(forged.encode_to_vec().into(), Some(known)).is_err())), 0);
        let more = document(&city, &[1, 2], bombs.clone());
        assert_eq!(unpacked(|| assert!(read_document(more, Some(known)).is_err())), 0, "more than the text names");
        let named = document(&city, &[1, 2], bombs[..2].to_vec());
        assert_eq!(unpacked(|| assert!(read_document(named, Some(known)).is_err())), 1, "the first is none of them");
        let sound = document(&city, &[1, 2], vec![packed(&sheet(1)), packed(&sheet(2))]);
        assert_eq!(unpacked(|| assert_eq!(read_document(sound, Some(known)).unwrap().1.len(), 2)), 2);
    }
}
