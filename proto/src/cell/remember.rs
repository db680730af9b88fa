//! What a later word of one record would un-say, and is kept beside it: the days on which it was verified before, and
//! premises as they were up to a check, the day by which a legal clock ran (domain-detail 2.0, 2.5, 2.11). A hub writes it by its own hand when it takes the later
//! word. Invariant: what was so on a past day is so whatever is checked or verified after it.

use crate::{
    Record,
    date::{self, Day},
    pb,
    register::{EFFECTIVE_ON, PAST_VERIFIED, VERIFIED_ON, field, number},
    wire::{self, Field, put_bytes},
};

/// The tag of the days on which somebody or a household had been recognised by an earlier word.
pub(super) const PAST_RECOGNISED: u32 = field::zef_case::PAST_RECOGNISED;

/// The tag of the day of recognition, in the cases that one begins.
pub(super) fn recognised_on(register: u32) -> Option<u32> {
    match register {
        number::ZEF_CASE => Some(field::zef_case::RECOGNISED_ON),
        number::HARDSHIP_CASE => Some(field::hardship_case::RECOGNISED_ON),
        _ => None,
    }
}
/// Most entries that are kept, the oldest go first: as many as a field may hold, so that what is said again to a hub that lost it
/// is taken.
const MOST: usize = 64;
/// Points that are kept one by one; more of them as their sum, which is what counts.
const POINTS: usize = 8;
/// In place of a day that there is not.
const NONE: &str = "-";

/// What a record that replaces another one has to remember of it: the field, and what to add to it.
pub fn remembered(old: &Record, new: &Record) -> Option<(u32, String)> {
    match new.register {
        number::RESIDENT | number::HOUSEHOLD => {
            let (before, now) = old.day(VERIFIED_ON).zip(new.day(VERIFIED_ON))?;
            (before < now).then(|| (PAST_VERIFIED, date::iso(before)))
        }
        number::ZEF_CASE | number::HARDSHIP_CASE => {
            let tag = recognised_on(new.register)?;
            let before = old.day(tag)?;
            (new.day(tag) != Some(before)).then(|| (PAST_RECOGNISED, date::iso(before)))
        }
        number::FACILITY => {
            let (before, now) = (Version::of(old), Version::of(new));
            // Who gives premises without a day one puts it right; who checks them says what is so from then on.
            let later = match before.latest() {
                None => now.checked.is_some(),
                Some(day) => now.latest() > Some(day),
            };
            later.then(|| (field::facility::PAST_VERSION, before.to_text()))
        }
        _ => None,
    }
}

/// Whether a field is such a memory: only the hub writes it, and it only grows.
pub fn is_memory(register: u32, tag: u32) -> bool {
    match register {
        number::FACILITY if tag == field::facility::PAST_VERSION => true,
        number::ZEF_CASE | number::HARDSHIP_CASE if tag == PAST_RECOGNISED => true,
        _ => tag == PAST_VERIFIED,
    }
}

/// A field of texts with one more, each once, in order.
pub fn with_one_more(record: &Record, tag: u32, more: String) -> Field {
    let mut texts: Vec<String> = texts_in(record, tag).map(str::to_owned).collect();
    if !texts.contains(&more) {
        texts.push(more);
    }
    texts.sort_unstable();
    let mut bytes = Vec::new();
    for text in &texts[texts.len().saturating_sub(MOST)..] {
        put_bytes(tag, text.as_bytes(), &mut bytes);
    }
    Field { tag, bytes: bytes.into() }
}

pub(super) fn texts_in(record: &Record, tag: u32) -> impl Iterator<Item = &str> {
    let raw = record.bytes(tag).map(|bytes| wire::occurrences(bytes)).into_iter().flatten();
    raw.filter_map(|raw| match raw {
        wire::Raw::Bytes(text) => std::str::from_utf8(text).ok(),
        _ => None,
    })
}

/// What premises say that counts, from a day on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Version {
    /// What is claimed holds from this day on; none: it has been so all along.
    pub(super) from: Option<Day>,
    /// The district's last check.
    pub(super) checked: Option<Day>,
    /// Hundredths of a square metre.
    pub(super) area: u64,
    pub(super) area_verified: bool,
    /// Codes of what is in place (L29), verified.
    pub(super) six: Vec<String>,
    pub(super) three: Vec<u64>,
    pub(super) shanty: bool,
    pub(super) fit: bool,
    pub(super) window: bool,
    pub(super) fixed: bool,
}

impl Version {
    /// As a record says now.
    pub(super) fn of(record: &Record) -> Self {
        let says: pb::Facility = record.typed(|tag| {
            matches!(
                tag,
                EFFECTIVE_ON
                    | field::facility::AREA_M2
                    | field::facility::ONE_STOP_WINDOW
                    | field::facility::OPENED_ON
                    | field::facility::SHANTY
                    | field::facility::SIX_VERIFIED..=field::facility::FIXED_PLACE
            )
        });
        let yes = |flag: Option<bool>| flag == Some(true);
        Self {
            from: says.effective_on.or(says.opened_on),
            checked: says.checked_on,
            area: says.area_m2.unwrap_or(0).into(),
            area_verified: yes(says.area_verified),
            six: says.six_verified,
            three: says.three_score.into_iter().map(u64::from).collect(),
            shanty: yes(says.shanty),
            fit: yes(says.premises_fit),
            window: yes(says.one_stop_window),
            fixed: yes(says.fixed_place),
        }
    }

    /// What a record said before, oldest first.
    pub(super) fn before(record: &Record) -> impl Iterator<Item = Self> {
        texts_in(record, field::facility::PAST_VERSION).filter_map(Self::from_text)
    }

    pub(super) fn latest(&self) -> Option<Day> {
        self.from.max(self.checked)
    }

    fn to_text(&self) -> String {
        let day = |day: Option<Day>| day.map_or(NONE.to_owned(), date::iso); // sorts before every day
        let sum = [self.three.iter().sum()];
        let three = if self.three.len() > POINTS { &sum[..] } else { &self.three };
        let three: Vec<String> = three.iter().map(u64::to_string).collect();
        let flags = [self.area_verified, self.shanty, self.fit, self.window, self.fixed];
        let flags: String = flags.iter().map(|flag| if *flag { '1' } else { '0' }).collect();
        let six: std::collections::BTreeSet<&str> = self.six.iter().map(String::as_str).collect();
        let (six, three) = (six.into_iter().collect::<Vec<_>>().join(","), three.join(","));
        format!("{};{};{};{six};{three};{flags}", day(self.from), day(self.checked), self.area)
    }

    fn from_text(text: &str) -> Option<Self> {
        let day = |text: &str| if text == NONE { Some(None) } else { Some(Some(date::day(text.parse().ok()?))) };
        let list = |text: &str| text.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        let mut parts = text.split(';');
        let mut next = || parts.next();
        let (from, checked, area) = (day(next()?)?, day(next()?)?, next()?.parse().ok()?);
        let (six, three, flags) = (list(next()?), list(next()?), next()?.as_bytes());
        let three = three.iter().map(|points| points.parse().ok()).collect::<Option<_>>()?;
        let [area_verified, shanty, fit, window, fixed] = <[u8; 5]>::try_from(flags).ok()?.map(|flag| flag == b'1');
        Some(Self { from, checked, area, area_verified, six, three, shanty, fit, window, fixed })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_premises_were_reads_back(
            from in proptest::option::of(0..20_000),
            checked in proptest::option::of(0..20_000),
            area in any::<u32>(),
            six in prop::collection::vec("[1-6]", 0..7),
            three in prop::collection::vec(0_u64..101, 0..4),
            flags in any::<[bool; 5]>(),
        ) {
            let [area_verified, shanty, fit, window, fixed] = flags;
            let six: Vec<String> = six.into_iter().collect::<std::collections::BTreeSet<String>>().into_iter().collect();
            let own = Version { from, checked, area: area.into(), area_verified, six, three, shanty, fit, window, fixed };
            prop_assert_eq!(Version::from_text(&own.to_text()), Some(own));
        }

        #[test]
        fn what_is_kept_of_premises_fits_its_field(three in prop::collection::vec(any::<u32>(), 0..64)) {
            let sum: u64 = three.iter().map(|one| u64::from(*one)).sum();
            let six = vec!["1", "2", "3", "4", "5", "6"].into_iter().cycle().take(64).map(str::to_owned).collect();
            let three = three.into_iter().map(u64::from).collect();
            let own = Version { from: Some(14_000), checked: Some(14_001), area: u32::MAX.into(), six, three, ..Version::default() };
            let text = own.to_text();
            prop_assert!(text.chars().count() <= 150, "{}", text);
            prop_assert_eq!(Version::from_text(&text).unwrap().three.iter().sum::<u64>(), sum);
        }
    }
}
