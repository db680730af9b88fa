//! What households contradict: one person counted in two, two that share adults, a recognition that a job speaks against.

use super::{Finding, Stays};
use crate::{
    store::StoreError,
    writer::commit::{
        Known, Reading,
        pending::{Look, is_household},
    },
};
use bytes::Bytes;
use std::collections::{HashMap, HashSet};
use taizhang_proto::{
    Record, RecordId,
    cell::{Shelf, contradicts_recognition, following, is_active, survivor},
    check::born,
    date,
    pb::ConflictKind,
    register::{field, number},
};

/// Years from which somebody is an adult as two households share them (domain-detail 4, case 8).
const ADULT: i32 = 16;
/// Memberships of one person that are looked at, the first of them: nobody has so many by mistake, and each is compared with all of
/// them.
const MOST_MEMBERSHIPS: usize = 32;
/// Of those elsewhere so many are asked about for each: whoever has settled them is asked about the next.
const MOST_ASKED: usize = 8;

fn counts(member: &Record) -> bool {
    is_active(member)
        && member.varint(field::member::COUNTED) != Some(0)
        && member.bytes(field::member::TO_ON).is_none()
}

impl Known<'_, '_> {
    /// The household that a record of membership counts somebody in, if it does.
    fn counted_in(self, member: RecordId) -> Result<Option<RecordId>, StoreError> {
        let record = self.record(member)?.filter(|record| counts(record));
        let household = record.and_then(|record| record.reference(field::member::HOUSEHOLD));
        household.map(|household| survivor(&Reading(&self), household)).transpose()
    }

    /// Whether a household stands.
    pub(super) fn stands(self, household: RecordId) -> Result<bool, StoreError> {
        Ok(self.record(household)?.is_some_and(|record| is_household(&record)))
    }

    pub(super) fn find_around_member(
        self,
        id: RecordId,
        record: &Record,
        found: &mut Vec<Finding>,
    ) -> Result<(), StoreError> {
        found.extend(self.cases_around(id)?);
        let (Some(household), Some(person)) =
            (record.reference(field::member::HOUSEHOLD), record.reference(field::member::PERSON))
        else {
            return Ok(());
        };
        let (household, person) = (survivor(&Reading(&self), household)?, survivor(&Reading(&self), person)?);
        found.push(Finding::Look(Look::MembershipsOf(person)));
        if counts(record) && self.stands(household)? {
            let mut may_be_one = self.households_of_twins(household, person)?;
            for other in self.memberships(person)?.into_iter().filter(|other| *other != id) {
                may_be_one.extend(self.counted_in(other)?.filter(|theirs| *theirs != household));
            }
            for theirs in may_be_one {
                found.push(Finding::Look(Look::Adults(household.min(theirs), household.max(theirs))));
            }
        }
        if self.is_new(id) {
            return Ok(());
        }
        // Who left one of two households may have been what they shared.
        found.extend(self.households_of(person)?.into_iter().map(Finding::Also));
        Ok(())
    }

    /// The memberships of somebody that are looked at.
    pub(super) fn memberships(self, person: RecordId) -> Result<Vec<RecordId>, StoreError> {
        let mut all = following(&Reading(&self), person, number::RESIDENT, number::MEMBER)?;
        all.truncate(MOST_MEMBERSHIPS);
        Ok(all)
    }

    /// The households that the memberships of somebody name.
    pub(super) fn households_of(self, person: RecordId) -> Result<Vec<RecordId>, StoreError> {
        let mut found = Vec::new();
        for member in self.memberships(person)? {
            found.extend(self.record(member)?.and_then(|of| of.reference(field::member::HOUSEHOLD)));
        }
        Ok(found)
    }

    /// The records of somebody's registrations: this one, and the first of those with the same number.
    pub(super) fn registrations(self, person: RecordId) -> Result<Vec<RecordId>, StoreError> {
        let mut all = vec![person];
        let id_no = self.record(person)?.and_then(|record| record.bytes(field::resident::ID_NO).cloned());
        if let Some(id_no) = id_no.filter(|id_no| !id_no.is_empty()) {
            let sharing = Reading(&self).sharing(number::RESIDENT, field::resident::ID_NO, &id_no)?;
            all.extend(sharing.into_iter().filter(|twin| *twin != person).take(MOST_MEMBERSHIPS));
        }
        Ok(all)
    }

    /// Whoever is counted in two households is asked about at the later membership, each pair once; what has no reason any more is over,
    /// at whichever of them it stands.
    pub(super) fn find_two_households(self, person: RecordId, found: &mut Vec<Finding>) -> Result<(), StoreError> {
        let kind = ConflictKind::TwoHouseholds;
        let all = self.memberships(survivor(&Reading(&self), person)?)?;
        let mut counted = Vec::new();
        for member in &all {
            let Some(household) = self.counted_in(*member)? else { continue };
            if self.stands(household)? {
                let created = self.record(*member)?.map_or(0, |record| record.created);
                counted.push((created, *member, household));
            }
        }
        counted.sort_unstable();
        let mut stays: HashMap<RecordId, HashSet<RecordId>> = HashMap::new();
        for (place, (_, later, household)) in counted.iter().enumerate() {
            let elsewhere = counted[..place].iter().filter(|(.., theirs)| theirs != household);
            let elsewhere: Vec<RecordId> = elsewhere.map(|(_, earlier, _)| *earlier).collect();
            for earlier in elsewhere.iter().take(MOST_ASKED) {
                let note = "同一人计入两户 (one person counted in two households)";
                let tags = [field::member::HOUSEHOLD];
                found.push(Finding::Ask(self.question(kind, *later, Some(*earlier), &tags, note)?));
            }
            stays.insert(*later, elsewhere.into_iter().collect());
        }
        for member in all {
            let by_field = stays.remove(&member).unwrap_or_default();
            found.extend(self.over(member, kind, Stays { by_field, ..Stays::default() }));
        }
        Ok(())
    }

    /// The same person registered once more is found as a duplicate; the households it belongs to may be one.
    fn households_of_twins(self, household: RecordId, person: RecordId) -> Result<Vec<RecordId>, StoreError> {
        let mut found = Vec::new();
        for twin in self.registrations(person)?.into_iter().filter(|twin| *twin != person) {
            for other in self.memberships(twin)? {
                let theirs = self.counted_in(other)?.filter(|theirs| *theirs != household);
                if let Some(theirs) = theirs
                    && self.stands(theirs)?
                {
                    found.push(theirs);
                }
            }
        }
        Ok(found)
    }

    /// A household stands no longer, or again: whoever it counts may be counted in two, or no more.
    pub(super) fn find_around_members(self, household: RecordId, found: &mut Vec<Finding>) -> Result<(), StoreError> {
        let mut persons = HashSet::new();
        for member in following(&Reading(&self), household, number::HOUSEHOLD, number::MEMBER)? {
            let Some(person) = self.record(member)?.and_then(|member| member.reference(field::member::PERSON)) else {
                continue;
            };
            let person = survivor(&Reading(&self), person)?;
            if !persons.insert(person) {
                continue;
            }
            let of_person = self.memberships(person)?;
            if of_person.len() > 1 {
                found.extend(of_person.into_iter().map(Finding::Also));
            }
        }
        Ok(())
    }

    pub(super) fn find_same_household(
        self,
        one: RecordId,
        two: RecordId,
        found: &mut Vec<Finding>,
    ) -> Result<(), StoreError> {
        if self.shared_adults(one, two)? < 2 {
            return Ok(());
        }
        let created = |id| -> Result<_, StoreError> { Ok((self.record(id)?.map_or(0, |record| record.created), id)) };
        let (one, two) = (created(one)?, created(two)?);
        let (later, earlier) = if one > two { (one.1, two.1) } else { (two.1, one.1) };
        let note = "两户有两名以上相同的成年成员 (two households share at least two adults)";
        found.push(Finding::Ask(self.question(ConflictKind::SameHousehold, later, Some(earlier), &[], note)?));
        Ok(())
    }

    /// How many adults two households both count. One id number is one person, before anybody has merged the records.
    pub(super) fn shared_adults(self, one: RecordId, two: RecordId) -> Result<usize, StoreError> {
        Ok(self.adults_in(one)?.intersection(&self.adults_in(two)?).count())
    }

    /// The adults that a household counts, by id number where there is one.
    fn adults_in(self, household: RecordId) -> Result<HashSet<Bytes>, StoreError> {
        let mut adults = HashSet::new();
        for member in following(&Reading(&self), household, number::HOUSEHOLD, number::MEMBER)? {
            let member = self.record(member)?.filter(|record| counts(record));
            let Some(person) = member.and_then(|member| member.reference(field::member::PERSON)) else { continue };
            let person = survivor(&Reading(&self), person)?;
            let record = self.record(person)?;
            let record = record.as_deref();
            let id_no = record.and_then(|record| record.bytes(field::resident::ID_NO)).cloned();
            let born = record.and_then(born);
            if born.is_none_or(|born| date::years_between(born.birth, self.core.today()) >= ADULT) {
                adults.insert(id_no.unwrap_or_else(|| Bytes::copy_from_slice(&person.0)));
            }
        }
        Ok(adults)
    }

    /// The cases of the household that a member belongs to are to be looked at.
    pub(super) fn cases_around(self, member: RecordId) -> Result<Option<Finding>, StoreError> {
        let household = self.record(member)?.and_then(|record| record.reference(field::member::HOUSEHOLD));
        let Some(household) = household else { return Ok(None) };
        Ok(Some(Finding::Look(Look::CasesIn(survivor(&Reading(&self), household)?))))
    }

    pub(super) fn find_contradiction(self, case: RecordId, found: &mut Vec<Finding>) -> Result<(), StoreError> {
        let working = contradicts_recognition(&Reading(&self), case)?;
        let kind = ConflictKind::Recognition;
        for (person, _) in working.iter().take(MOST_ASKED) {
            let note = "认定当日家庭成员已有工作，时钟暂停 (a member had a job when it was recognised: no clock runs)";
            let tags = [field::zef_case::RECOGNISED_ON];
            found.push(Finding::Ask(self.question(kind, case, Some(*person), &tags, note)?));
        }
        let by_field = working.into_iter().map(|(person, _)| person).collect();
        found.extend(self.over(case, kind, Stays { by_field, ..Stays::default() }));
        Ok(())
    }
}
