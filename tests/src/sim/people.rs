//! That everybody counts once at the city, counted here from the registrations of all districts.

use super::world::World;
use std::collections::BTreeMap;
use taizhang_hub::{store::Space, totals::value};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{Counting, home_unit, is_active, past_homes},
    date,
    indicator::{self, Period, Span},
    pb,
    register::{COUNTED_AT, COUNTING, DISTINCT, ELSEWHERE_TOO, PAST_HOME, number},
    wire,
};

/// Tag of a resident's id number.
const ID_NO: u32 = 21;

/// The registrations of one id number in one district.
#[derive(Debug, Default)]
struct Group {
    names: Vec<String>,
    /// Those that a reviewer has not found to be somebody else.
    alike: i64,
    distinct: i64,
    /// Those that belonged to another unit before.
    moved: i64,
    /// The district has been told that another one counts them on the first day.
    elsewhere: bool,
    /// Those that belonged to another district on the first day.
    came: i64,
}

/// Whether another district counts a record on the first day, as the record itself says it.
fn counts_elsewhere(record: &Record, hub: OrgCode) -> bool {
    let first = date::ymd(2008, 1, 1).unwrap_or_default();
    let raw = record.bytes(COUNTING).map(|bytes| wire::occurrences(bytes)).into_iter().flatten();
    let turns = raw.filter_map(|raw| match raw {
        wire::Raw::Bytes(text) => Counting::from_text(std::str::from_utf8(text).ok()?),
        _ => None,
    });
    let last = turns.filter(|turn| turn.from <= first).max_by_key(|turn| turn.from);
    last.and_then(|turn| turn.at).is_some_and(|at| at != hub)
}

/// Whether a record belonged to another hub on the first day.
fn came_later(record: &Record, hub: OrgCode) -> bool {
    let first = date::ymd(2008, 1, 1).unwrap_or_default();
    let homes = past_homes(record);
    homes.iter().find(|home| first < home.until).is_some_and(|home| !hub.covers(home.unit))
}

/// A field of texts, to be read.
fn text_of(bytes: &bytes::Bytes) -> String {
    let texts = wire::occurrences(bytes).map(|raw| match raw {
        wire::Raw::Bytes(text) => String::from_utf8_lossy(text).into_owned(),
        _ => "?".into(),
    });
    texts.collect::<Vec<_>>().join(" ")
}

impl Group {
    /// Whether a district counts them on the first day.
    fn counts(&self) -> bool {
        !self.elsewhere && self.came < self.names.len() as i64
    }

    fn counted(&self) -> i64 {
        if self.elsewhere { 0 } else { self.alike.min(1) + self.distinct }
    }
}

impl World {
    /// At the city everybody is counted once among those registered twice (K43), wherever the registrations are.
    fn check_doubles(&self, people: &BTreeMap<Vec<u8>, BTreeMap<usize, Group>>, moved: i64) -> Result<(), String> {
        let twice = |districts: &&BTreeMap<usize, Group>| {
            let counting = districts.values().find(|group| !group.elsewhere);
            counting.is_some_and(|group| group.alike >= 2 || (group.alike == 1 && districts.len() > 1))
        };
        let expected = people.values().filter(twice).count() as i64;
        let found = self.at_city("K43")?.numerator;
        if (expected - moved..=expected + moved).contains(&found) {
            return Ok(());
        }
        Err(format!("the city counts {found} registered twice, not {expected}: {people:?}"))
    }

    /// A figure of the city on the first day.
    fn at_city(&self, code: &str) -> Result<pb::TotalValue, String> {
        let asked = indicator::by_code(code).ok_or("no such indicator")?;
        let period = Period::up_to(date::ymd(2008, 1, 1).ok_or("no such day")?, Span::Year);
        value(self.hubs[0].core.view().as_ref(), self.hubs[0].unit, asked, &period).map_err(|error| error.to_string())
    }

    /// At the city raw = counted + duplicates, and everybody counts in one district, once, however many registrations
    /// there are: before anybody died or moved away.
    pub(super) fn check_people(&self) -> Result<(), String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let (mut raw, mut people) = (0, BTreeMap::<Vec<u8>, BTreeMap<usize, Group>>::new());
        for (place, hub) in self.hubs.iter().enumerate().skip(1) {
            for row in hub.core.view().prefix(Space::Records, &[]) {
                let (id, bytes) = row.map_err(|error| text(&error))?;
                let record = Record::decode(bytes).map_err(|error| text(&error))?;
                let counts = record.register == number::RESIDENT && is_active(&record);
                if !counts || !home_unit(&record).is_some_and(|unit| hub.unit.covers(unit)) {
                    continue;
                }
                raw += 1;
                let person = record.slice(ID_NO).map_or_else(|| id.to_vec(), <[u8]>::to_vec);
                self.note(|world| {
                    let name = RecordId::from_slice(&id).map(|id| world.model.name(id)).unwrap_or_default();
                    let (elsewhere, too) = (record.varint(COUNTED_AT), record.varint(ELSEWHERE_TOO));
                    let (past, turns) = (past_homes(&record), record.bytes(COUNTING).map(text_of));
                    let who = String::from_utf8_lossy(&person);
                    format!("  {name} {who} at {place}: counted at {elsewhere:?}, also elsewhere {too:?}, {turns:?}, {past:?}")
                });
                let group = people.entry(person).or_default().entry(place).or_default();
                group.names.extend(RecordId::from_slice(&id).map(|id| self.model.name(id)));
                let distinct = record.varint(DISTINCT) == Some(1);
                *(if distinct { &mut group.distinct } else { &mut group.alike }) += 1;
                group.moved += i64::from(record.slice(PAST_HOME).is_some());
                group.came += i64::from(came_later(&record, hub.unit));
                group.elsewhere |= counts_elsewhere(&record, hub.unit);
            }
        }
        for districts in people.values() {
            let counting = districts.values().filter(|group| group.counts()).count();
            // Who came from another district, and has no registration there any more, counted there.
            let alone = districts.len() == 1 && districts.values().all(|group| !group.elsewhere);
            if counting != 1 && !alone {
                let names: Vec<_> = districts.iter().map(|(place, group)| (place, &group.names)).collect();
                return Err(format!("one id number counts in {counting} districts: {names:?}"));
            }
        }
        let found = self.at_city("K00")?;
        let counted: i64 = people.values().flat_map(BTreeMap::values).map(Group::counted).sum();
        let (numerator, duplicates) = (found.numerator, found.duplicates);
        let several =
            |districts: &&BTreeMap<usize, Group>| districts.values().map(|group| group.names.len()).sum::<usize>() > 1;
        // On that day who has moved since still counted, or did not, where it was: that is not this check's business.
        let moved: i64 = people.values().filter(several).flat_map(BTreeMap::values).map(|group| group.moved).sum();
        if numerator + duplicates == raw && (counted - moved..=counted + moved).contains(&numerator) {
            return self.check_doubles(&people, moved);
        }
        Err(format!(
            "the city counts {numerator} and {duplicates} duplicates; of {raw} registrations {counted} count: {:?}",
            people.values().filter(several).collect::<Vec<_>>()
        ))
    }
}
