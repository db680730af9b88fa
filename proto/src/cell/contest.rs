//! Which of several records of one person, household or certificate counts on a day: the others count among the
//! duplicates of that day until a reviewer merges or clears them, so that raw = counted + duplicates (domain-detail 3,
//! rule 3; 4, cases 1, 8 and 9). Invariants: on each day exactly one of the records that are active on it counts; who
//! leaves, is transferred or is registered later changes no day before that; it follows from the records alone, so a
//! recount finds the same.

use super::{
    Shelf, assignment,
    days::{assigned_from, closed_on, left_on, on_register_since},
    home::Homes,
    home_unit, is_active, past_homes,
    span::Spans,
    survivor,
};
use crate::{
    OrgCode, Record, RecordId,
    date::{self, Day},
    pb::Tier,
    record::Revision,
    register::{COUNTED_AT, COUNTING, DISTINCT, ELSEWHERE_TOO, field, number, registers},
    wire,
};
use bytes::Bytes;
use std::cmp::Reverse;

/// The unique fields of a record that have a value.
pub fn unique_fields(record: &Record) -> impl Iterator<Item = (u32, &Bytes)> {
    let fields = registers().get(record.register).map(|def| def.unique.as_slice()).unwrap_or_default();
    fields.iter().filter_map(|tag| Some((*tag, record.bytes(*tag)?)))
}

/// The fields of a record by whose value others are found, as the index behind [`Shelf::sharing`] keeps them.
pub fn indexed_fields(record: &Record) -> impl Iterator<Item = (u32, &Bytes)> {
    let fields = registers().get(record.register).map(|def| def.indexed.as_slice()).unwrap_or_default();
    fields.iter().filter_map(|tag| Some((*tag, record.bytes(*tag)?)))
}

/// Which of two records of one thing a finding is about: the greater one. Not moved out, registered where the hukou is,
/// taken in last by a transfer (domain-detail 3, rule 3), assigned earliest (a certificate), registered first, arrived first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContestKey {
    moved_out: bool,
    away: u8,
    taken_in: Reverse<Day>,
    since: Day,
    created: Revision,
    id: RecordId,
}

/// The key of a record as it stands now; none when it takes no part: not active, or found distinct by a reviewer.
///
/// # Errors
/// When the shelf fails.
pub fn contest_key<S: Shelf>(shelf: &S, id: RecordId, record: &Record) -> Result<Option<ContestKey>, S::Error> {
    if !takes_part(record) {
        return Ok(None);
    }
    let mut key = ContestKey {
        moved_out: false,
        away: 0,
        taken_in: Reverse(Day::MIN),
        since: Day::MIN,
        created: record.created,
        id,
    };
    match record.register {
        number::RESIDENT => {
            key.moved_out = record.bytes(field::resident::MOVEOUT_ON).is_some();
            key.away = away(record, home_unit(record));
            // Who was carried along by a change of the tree of units was not transferred.
            let taken_in = past_homes(record).last().copied();
            let taken_in = taken_in.filter(|past| shelf.given_up_on(past.unit) != Some(past.until));
            key.taken_in = Reverse(taken_in.map_or(Day::MIN, |past| past.until));
            key.since = on_register_since(record);
        }
        number::HOUSEHOLD => key.since = on_register_since(record),
        number::CREDENTIAL => {
            let assistant = record.reference(field::credential::ASSISTANT);
            let assigned = match assistant {
                Some(assistant) => shelf.look(survivor(shelf, assistant)?, |record| record.and_then(assigned_from))?,
                None => None,
            };
            key.since = assigned.unwrap_or(Day::MAX);
        }
        _ => {}
    }
    Ok(Some(key))
}

/// Whether a record may count in another one's place, or another one in its.
fn takes_part(record: &Record) -> bool {
    is_active(record) && record.varint(DISTINCT) != Some(1)
}

/// How far from its hukou a resident is registered: 0 there, 1 in the same district or not known, 2 in another one.
fn away(record: &Record, home: Option<OrgCode>) -> u8 {
    let district = |unit: OrgCode| unit.number() / 1_000_000;
    let hukou = record.varint(field::resident::HUKOU_UNIT).and_then(|code| OrgCode::new(code).ok());
    match hukou.zip(home) {
        Some((hukou, home)) if hukou.covers(home) && hukou.tier() < Tier::District => 0,
        Some((hukou, home)) if district(hukou) != district(home) => 2,
        _ => 1,
    }
}

/// On some days, by what a record would count before others.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stretch {
    days: Spans,
    /// Where it is at home then; none for a certificate.
    unit: Option<OrgCode>,
    /// Since when by a transfer; `Day::MIN` for none.
    taken_in: Day,
    /// Registered on; of a certificate, its holder's assignment.
    since: Day,
}

/// The days on which a record is active, with its standing among others on each.
fn stretches<S: Shelf>(shelf: &S, record: &Record) -> Result<Vec<Stretch>, S::Error> {
    let since = match record.register {
        number::RESIDENT | number::HOUSEHOLD => on_register_since(record),
        number::CREDENTIAL => {
            let held = assignment::held(shelf, record)?.into_iter();
            return Ok(held.map(|(days, since)| Stretch { days, unit: None, taken_in: Day::MIN, since }).collect());
        }
        _ => return Ok(Vec::new()),
    };
    let until = match record.register {
        number::RESIDENT => left_on(record),
        _ => closed_on(record),
    };
    let active = Spans::one(since, until.unwrap_or(Day::MAX));
    let (mut found, mut taken_in, mut before) = (Vec::new(), Day::MIN, None);
    for (unit, stay) in Homes::of(record).stays() {
        // Who was carried along by a change of the tree of units was not transferred.
        let moved = before.is_some_and(|before| shelf.given_up_on(before) != Some(stay.from));
        if moved && record.register == number::RESIDENT {
            taken_in = stay.from;
        }
        before = Some(unit);
        let days = active.and(&Spans::one(stay.from, stay.to));
        if !days.is_empty() {
            found.push(Stretch { days, unit: Some(unit), taken_in, since });
        }
    }
    Ok(found)
}

/// A record's standing among others: two that are equal leave everybody else's turn as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim(Vec<(Spans, Rank)>);

/// The order among records that are active on one day: the smallest counts.
type Rank = (u8, Reverse<Day>, Day, Revision, RecordId);

/// A record's claim; none when it takes no part in a contest.
///
/// # Errors
/// When the shelf fails.
pub fn claim<S: Shelf>(shelf: &S, id: RecordId, record: &Record) -> Result<Option<Claim>, S::Error> {
    if !takes_part(record) {
        return Ok(None);
    }
    let ranked = |own: Stretch| {
        let away = if record.register == number::RESIDENT { away(record, own.unit) } else { 0 };
        // What no hub has taken yet arrives after all that one has.
        let arrived = if record.created == 0 { Revision::MAX } else { record.created };
        (own.days, (away, Reverse(own.taken_in), own.since, arrived, id))
    };
    Ok(Some(Claim(stretches(shelf, record)?.into_iter().map(ranked).collect())))
}

/// A stretch of days on which a record stands among those of other hubs: of several on a day the one of the smallest rank
/// counts, and of equal ones the one of the lowest unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stay {
    /// First day.
    pub from: Day,
    /// First day after it.
    pub to: Day,
    /// Its hukou is here or not; taken in later or not; registered on, or assigned on; entered at.
    pub rank: Vec<i64>,
}

/// How a record of a hub stands among those of other hubs, by days (domain-detail 3, rule 3; 4, case 9).
///
/// # Errors
/// When the shelf fails.
pub fn stays<S: Shelf>(shelf: &S, id: RecordId, record: &Record, hub: OrgCode) -> Result<Vec<Stay>, S::Error> {
    let mut found = Vec::new();
    let hukou = record.varint(field::resident::HUKOU_UNIT).and_then(|code| OrgCode::new(code).ok());
    let at_home = record.register == number::RESIDENT && hukou.is_some_and(|unit| hub.covers(unit));
    let made = i64::try_from(id.made()).unwrap_or(i64::MAX);
    let mut taken_in = Day::MIN;
    for own in stretches(shelf, record)? {
        let here = own.unit.is_none_or(|unit| hub.covers(unit));
        if !here {
            taken_in = Day::MAX; // whatever comes after was taken in from beyond the hub
            continue;
        }
        if taken_in == Day::MAX {
            taken_in = own.taken_in;
        }
        let rank = vec![i64::from(!at_home), -i64::from(taken_in), i64::from(own.since), made];
        found.extend(own.days.iter().map(|span| Stay { from: span.from, to: span.to, rank: rank.clone() }));
    }
    Ok(found)
}

/// From a day on, which hub counts a record that several hold; none while one alone does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counting {
    /// First day.
    pub from: Day,
    /// The hub's unit.
    pub at: Option<OrgCode>,
}

impl Counting {
    /// As it stands in the field: `2008-04-07:210403000000`, and `2008-06-05:` where one holds it alone again.
    pub fn to_text(self) -> String {
        let from = if self.from == Day::MIN { String::new() } else { date::iso(self.from) };
        format!("{from}:{}", self.at.map(|unit| unit.to_string()).unwrap_or_default())
    }

    /// Reads what [`Counting::to_text`] wrote.
    pub fn from_text(text: &str) -> Option<Self> {
        let (from, at) = text.split_once(':')?;
        let from = if from.is_empty() { Day::MIN } else { date::day(from.parse().ok()?) };
        let at = if at.is_empty() { None } else { Some(at.parse().ok()?) };
        Some(Self { from, at })
    }
}

/// The days on which another hub counts a record, and those on which its own does while others hold it, too.
fn ruled(record: &Record) -> (Spans, Spans) {
    let home = home_unit(record);
    let always = Spans::one(Day::MIN, Day::MAX);
    let beyond = |unit: OrgCode| home.is_some_and(|home| !unit.covers(home));
    let Some(bytes) = record.bytes(COUNTING) else {
        // An earlier build's ruling is one for all days.
        let elsewhere = record.varint(COUNTED_AT).and_then(|code| OrgCode::new(code).ok()).is_some_and(beyond);
        let here = record.varint(ELSEWHERE_TOO) == Some(1);
        let so = |so: bool| if so { always.clone() } else { Spans::default() };
        return (so(elsewhere), so(here && !elsewhere));
    };
    let mut turns: Vec<Counting> = wire::occurrences(bytes)
        .filter_map(|raw| match raw {
            wire::Raw::Bytes(text) => Counting::from_text(std::str::from_utf8(text).ok()?),
            _ => None,
        })
        .collect();
    turns.sort_unstable_by_key(|turn| turn.from);
    let next = turns.iter().skip(1).map(|turn| turn.from).chain([Day::MAX]);
    let (mut elsewhere, mut here) = (Vec::new(), Vec::new());
    for (turn, to) in turns.iter().zip(next) {
        let Some(unit) = turn.at else { continue };
        if beyond(unit) { &mut elsewhere } else { &mut here }.push(Spans::one(turn.from, to));
    }
    (Spans::all(elsewhere), Spans::all(here))
}

/// How a record stands among those of the same person, household or certificate, day by day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Turns {
    /// Another record, here or in another district, counts in its place.
    pub(super) behind: Spans,
    /// It counts in the place of others, here or in another district.
    pub(super) first: Spans,
}

pub(super) fn turns<S: Shelf>(shelf: &S, id: RecordId, record: &Record) -> Result<Turns, S::Error> {
    if !matches!(record.register, number::RESIDENT | number::HOUSEHOLD | number::CREDENTIAL) {
        return Ok(Turns::default());
    }
    let (elsewhere, mut here) = ruled(record);
    if !takes_part(record) {
        here = Spans::default();
    }
    let (mut behind, mut beside) = (vec![elsewhere.clone()], vec![here]);
    let mut own = None;
    for other in rivals(shelf, id, record)? {
        let Some(rival) = shelf.record(other)? else { continue };
        let own = match &own {
            Some(own) => own,
            None => match claim(shelf, id, record)? {
                Some(claim) => own.insert(claim),
                None => break,
            },
        };
        let Some(theirs) = claim(shelf, other, &rival)? else { continue };
        for (days, rank) in &own.0 {
            for (their_days, their_rank) in &theirs.0 {
                let both = days.and(their_days);
                if their_rank < rank { &mut behind } else { &mut beside }.push(both);
            }
        }
    }
    let behind = Spans::all(behind);
    Ok(Turns { first: Spans::all(beside).without(&behind), behind })
}

/// The other records that carry one of a record's unique values, each once.
fn rivals<S: Shelf>(shelf: &S, id: RecordId, record: &Record) -> Result<Vec<RecordId>, S::Error> {
    let mut found = Vec::new();
    for (tag, bytes) in unique_fields(record) {
        found.extend(shelf.sharing(record.register, tag, bytes)?.into_iter().filter(|other| *other != id));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The registrations of one person: the one that is named, and those beside it that no reviewer has found to be somebody
/// else. What is known at one of them is known of the person.
///
/// # Errors
/// When the shelf fails.
pub(super) fn registrations<S: Shelf>(shelf: &S, person: RecordId) -> Result<Vec<RecordId>, S::Error> {
    let mut found = vec![person];
    let others = shelf.look(person, |record| {
        let record = record.filter(|record| record.register == number::RESIDENT && takes_part(record))?;
        Some(rivals(shelf, person, record))
    })?;
    for other in others.transpose()?.unwrap_or_default() {
        if shelf.look(other, |record| record.is_some_and(takes_part))? {
            found.push(other);
        }
    }
    Ok(found)
}

/// Whether another record, here or in another district, counts in this one's place on a day.
///
/// # Errors
/// When the shelf fails.
pub fn is_contested<S: Shelf>(shelf: &S, id: RecordId, record: &Record, on: Day) -> Result<bool, S::Error> {
    Ok(turns(shelf, id, record)?.behind.has(on))
}

/// Whether two records of one thing are active on some day together: one that has left before the other came is none too
/// many.
///
/// # Errors
/// When the shelf fails.
pub fn meet<S: Shelf>(shelf: &S, one: RecordId, two: RecordId) -> Result<bool, S::Error> {
    let days = |id: RecordId| -> Result<Spans, S::Error> {
        let Some(record) = shelf.record(survivor(shelf, id)?)? else { return Ok(Spans::default()) };
        Ok(Spans::all(stretches(shelf, &record)?.into_iter().map(|own| own.days)))
    };
    Ok(!days(one)?.and(&days(two)?).is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn who_counts_from_a_day_on_reads_back() {
        let unit: OrgCode = "210403000000".parse().unwrap();
        for turn in [
            Counting { from: Day::MIN, at: Some(unit) },
            Counting { from: date::ymd(2008, 4, 7).unwrap(), at: Some(unit) },
            Counting { from: date::ymd(2008, 6, 5).unwrap(), at: None },
        ] {
            assert_eq!(Counting::from_text(&turn.to_text()), Some(turn));
        }
        assert_eq!(Counting::from_text("yesterday:1"), None);
    }
}
