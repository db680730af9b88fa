//! What placements contradict: a job entered twice, somebody placed after leaving, a post without a place.

use super::{Finding, Stays, Twins};
use crate::{
    store::StoreError,
    writer::{
        commit::{Known, Reading, pending::Look},
        conflicts,
        outcome::standing_claim,
        revise::day,
    },
};
use std::rc::Rc;
use taizhang_proto::{
    Record, RecordId,
    cell::{following, is_active, left_on, survivor, without_place},
    date::Day,
    pb::{ConflictKind, ConflictState},
    register::{field, number},
    rule::Rule,
    text::no_space,
};

/// Most pairs that are tried: the first nearly always can be one, and an office may enter one job ten thousand times.
const MOST_TWINS: usize = 8;

impl Known<'_, '_> {
    pub(super) fn find_around_placement(
        self,
        id: RecordId,
        record: &Record,
        found: &mut Vec<Finding>,
    ) -> Result<(), StoreError> {
        let post = record.reference(field::placement::POST);
        let post = post.map(|post| survivor(&Reading(&self), post)).transpose()?;
        found.extend(post.map(|post| Finding::Look(Look::Post(post))));
        // What was asked about another post is over.
        let by_field = post.into_iter().collect();
        found.extend(self.over(id, ConflictKind::DoubleBooked, Stays { by_field, ..Stays::default() }));
        let Some(person) = record.reference(field::placement::PERSON) else { return Ok(()) };
        let person = survivor(&Reading(&self), person)?;
        let twins = self.twins_of(id, record, person)?;
        if twins.is_empty() {
            self.find_placed_after_leaving(id, found)?;
        } else {
            // Which of the two stands then is known when they are one.
            found.extend([Finding::OneJob(twins), Finding::Look(Look::PlacementsOf(person))]);
        }
        found.push(Finding::Look(Look::CasesOf(person)));
        Ok(())
    }

    /// One job entered twice is one placement: the first stands, the later of two starting days until a reviewer has
    /// seen the contract.
    fn twins_of(self, id: RecordId, record: &Record, person: RecordId) -> Result<Vec<Twins>, StoreError> {
        let mut found = Vec::new();
        if !is_active(record) {
            return Ok(found);
        }
        for other in following(&Reading(&self), person, number::RESIDENT, number::PLACEMENT)? {
            self.count_work(1);
            let is_twin = |twin: &Rc<Record>| {
                other != id && is_active(twin) && overlap(record, twin) && is_at_same_employer(twin, record)
            };
            let Some(twin) = self.record(other)?.filter(is_twin) else { continue };
            let comes_first = (record.created, id) < (twin.created, other);
            let (first, second) = if comes_first { (id, other) } else { (other, id) };
            let (stands, absorbed) = if comes_first { (record, &*twin) } else { (&*twin, record) };
            let note = "同一就业两次录入 (one job, entered twice)";
            let tags = [field::placement::START_ON];
            let mut ask = self.question(ConflictKind::SameJob, first, Some(second), &tags, note)?;
            ask.claims = vec![standing_claim(stands, &tags), standing_claim(absorbed, &tags)];
            let (own, theirs) = (start(stands), start(absorbed));
            let mut says = Vec::new();
            if own == theirs {
                ask.set_state(ConflictState::ByRule);
            } else {
                if theirs > own {
                    says.push(day(field::placement::START_ON, theirs.unwrap_or_default()));
                    ask.claims.reverse();
                }
                ask.set_kind(ConflictKind::Field);
                Rule::Review.name().clone_into(&mut ask.rule);
                ask.other = bytes::Bytes::new();
            }
            found.push(Twins { first, second, says, ask });
            if found.len() == MOST_TWINS {
                break;
            }
        }
        Ok(found)
    }

    pub(super) fn find_placed_after_leaving(self, id: RecordId, found: &mut Vec<Finding>) -> Result<(), StoreError> {
        let Some(record) = self.record(id)? else { return Ok(()) };
        let Some(person) = record.reference(field::placement::PERSON) else { return Ok(()) };
        let person = survivor(&Reading(&self), person)?;
        let left = self.record(person)?.as_deref().and_then(left_on);
        let after = left.zip(start(&record)).is_some_and(|(left, start)| start >= left) && is_active(&record);
        let kind = ConflictKind::LeftButPlaced;
        if after {
            let note = "就业日期在死亡或迁出之后，待核实，不计入 (placed after the person had left: not counted)";
            let tags = [field::placement::START_ON];
            found.push(Finding::Ask(self.question(kind, id, Some(person), &tags, note)?));
        } else {
            found.extend(self.over(id, kind, Stays::default()));
        }
        Ok(())
    }

    /// Places go to whoever arrived first; the others wait and do not count.
    pub(super) fn find_double_booking(self, post: RecordId, found: &mut Vec<Finding>) -> Result<(), StoreError> {
        let waiting = without_place(&Reading(&self), post)?;
        let post = survivor(&Reading(&self), post)?;
        let kind = ConflictKind::DoubleBooked;
        for id in following(&Reading(&self), post, number::POST, number::PLACEMENT)? {
            let waits = waiting.contains(&id);
            // Whoever waits has no job: cases are looked at again where that has changed.
            if waits == conflicts::open_of(&self, id, kind)?.is_empty() {
                let person = self.record(id)?.and_then(|placement| placement.reference(field::placement::PERSON));
                let person = person.map(|person| survivor(&Reading(&self), person)).transpose()?;
                found.extend(person.map(|person| Finding::Look(Look::CasesOf(person))));
            }
            if waits {
                let note = "岗位已满，候补，安置待定，不计入 (the post is full: waiting, not counted)";
                let tags = [field::placement::POST];
                found.push(Finding::Ask(self.question(kind, id, Some(post), &tags, note)?));
            } else {
                found.extend(self.over(id, kind, Stays::default()));
            }
        }
        Ok(())
    }
}

fn start(placement: &Record) -> Option<Day> {
    placement.day(field::placement::START_ON)
}

/// An employer's code or name, without white space.
fn employer(placement: &Record, tag: u32) -> Option<String> {
    let text = placement.slice(tag).map(|bytes| no_space(&String::from_utf8_lossy(bytes)));
    text.filter(|text| !text.is_empty())
}

/// Whether two jobs are at one employer: by its code where both have one, else by its name.
fn is_at_same_employer(one: &Record, two: &Record) -> bool {
    let equal = |tag| employer(one, tag).zip(employer(two, tag)).map(|(one, two)| one == two);
    equal(field::placement::EMPLOYER_CODE).or(equal(field::placement::EMPLOYER)).unwrap_or(false)
}

fn overlap(one: &Record, two: &Record) -> bool {
    let end = |record: &Record| record.day(field::placement::END_ON).unwrap_or(Day::MAX);
    match (start(one), start(two)) {
        (Some(first), Some(second)) => first < end(two) && second < end(one),
        _ => false,
    }
}
