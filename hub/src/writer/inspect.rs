//! What a changed record means for its surroundings: duplicates, a job entered twice, places that are taken, recognitions
//! that facts contradict, transfers. Invariant: a finding stands in the queue exactly while its reason does, unless a
//! reviewer has ruled on it.

use super::{
    arrivals::standing_claim,
    commit::{Commit, Reading},
    revise::{Hand, day},
};
use crate::store::StoreError;
use bytes::Bytes;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{
        Shelf, contest_key, contradicts_recognition, following, home_unit, is_active, is_closed, left_on, meet,
        survivor, without_place,
    },
    check::born,
    date::{self, Day},
    pb::{self, ConflictKind, ConflictState},
    register::{PERSON, TRANSFER_TO, field, number},
    rule::Rule,
    text::no_space,
};

/// Years from which somebody is an adult as two households share them (domain-detail 4, case 8).
const ADULT: i32 = 16;
/// Most records that one batch may have looked at; what is beyond is looked at with the next edit of it.
const MAX_INSPECTED: usize = 100_000;

/// What several records have looked at, once for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Look {
    /// Who has a place on a post.
    Post(RecordId),
    /// Whether the cases of somebody's households stand against what the person works.
    CasesOf(RecordId),
    /// Whether the cases of a household stand against what its members work.
    CasesIn(RecordId),
    /// Whether two households share adults.
    Adults(RecordId, RecordId),
}

impl Commit<'_> {
    /// Looks at everything that changed, and at what that changes in turn.
    pub(super) fn inspect_all(&mut self) -> Result<(), StoreError> {
        let mut looked = 0;
        while !(self.to_inspect.is_empty() && self.to_look.is_empty()) && looked < MAX_INSPECTED {
            let mut seen = HashSet::new();
            for id in std::mem::take(&mut self.to_inspect) {
                if seen.insert(id) {
                    looked += 1;
                    self.inspect(id)?;
                }
            }
            let mut seen = HashSet::new();
            let mut rest = std::mem::take(&mut self.to_look);
            while !rest.is_empty() {
                for look in rest.into_iter().filter(|look| seen.insert(*look)) {
                    looked += 1;
                    self.look(look)?;
                }
                rest = std::mem::take(&mut self.to_look);
            }
        }
        Ok(())
    }

    fn look(&mut self, look: Look) -> Result<(), StoreError> {
        match look {
            Look::Post(post) => self.find_double_booking(post),
            Look::CasesOf(person) => {
                for member in following(&Reading(self), person, number::RESIDENT, number::MEMBER)? {
                    self.find_contradictions_of(member)?;
                }
                Ok(())
            }
            Look::CasesIn(household) => {
                for case in following(&Reading(self), household, number::HOUSEHOLD, number::ZEF_CASE)? {
                    self.find_contradiction(case)?;
                }
                Ok(())
            }
            Look::Adults(one, two) => self.find_same_household(one, two),
        }
    }

    fn inspect(&mut self, id: RecordId) -> Result<(), StoreError> {
        let Some(register) = self.record(id)?.as_deref().map(|record| record.register) else { return Ok(()) };
        match register {
            number::RESIDENT => {
                self.find_duplicates(id, register)?;
                self.ask_if_sent(id)?;
                if self.record(id)?.as_deref().is_some_and(|record| left_on(record).is_some()) {
                    for placement in following(&Reading(self), id, register, number::PLACEMENT)? {
                        self.find_placed_after_leaving(placement)?;
                    }
                }
            }
            number::HOUSEHOLD => {
                self.find_duplicates(id, register)?;
                self.ask_if_sent(id)?;
            }
            number::CREDENTIAL | number::HELD_CERTIFICATE => self.find_duplicates(id, register)?,
            number::ASSISTANT => {
                for credential in following(&Reading(self), id, register, number::CREDENTIAL)? {
                    self.find_duplicates(credential, number::CREDENTIAL)?;
                }
            }
            number::PLACEMENT => self.inspect_placement(id)?,
            number::POST => self.to_look.push(Look::Post(id)),
            number::MEMBER => self.inspect_member(id)?,
            number::ZEF_CASE => self.find_contradiction(id)?,
            number::FEC_CASE => self.close_order(id)?,
            number::SPOT_CHECK => self.order_to_rectify(id)?,
            number::TRANSFER => {
                if let Some(record) = self.record(id)? {
                    self.answer_transfer(id, &record)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn ask_if_sent(&mut self, id: RecordId) -> Result<(), StoreError> {
        // Who was never sent anywhere has never been asked for: as almost everybody.
        let Some(record) = self.record(id)?.filter(|record| record.origin(TRANSFER_TO).is_some()) else {
            return Ok(());
        };
        self.withdraw_askings(id, &record)?;
        if record.bytes(TRANSFER_TO).is_some() { self.ask_transfer(id, &record) } else { Ok(()) }
    }

    /// A finding about a record, with the other one where there is one.
    pub(super) fn finding(
        &mut self,
        kind: ConflictKind,
        id: RecordId,
        other: Option<RecordId>,
        tags: &[u32],
        note: &str,
    ) -> Result<pb::Conflict, StoreError> {
        let record = self.record(id)?.unwrap_or_default();
        let unit_of = |record: &Record| home_unit(record).map_or(0, OrgCode::number);
        let mut conflict = pb::Conflict {
            kind: kind.into(),
            register: record.register,
            record: id.0.to_vec().into(),
            unit: unit_of(&record),
            tags: tags.to_vec(),
            claims: vec![standing_claim(&record, tags)],
            rule: Rule::from(kind).name().to_owned(),
            revision: record.revision(),
            note: note.to_owned(),
            ..pb::Conflict::default()
        };
        if let Some(other) = other {
            conflict.other = other.0.to_vec().into();
            if let Some(record) = self.record(other)? {
                conflict.other_unit = unit_of(&record);
                if record.register == conflict.register {
                    conflict.claims.push(standing_claim(&record, tags));
                }
            }
        }
        Ok(conflict)
    }

    /// Two records with one unique number: both stay, the one that came later is contested.
    fn find_duplicates(&mut self, id: RecordId, register: u32) -> Result<(), StoreError> {
        let mut rivals = self.rivals(id)?;
        if register == number::HELD_CERTIFICATE {
            // Each kind has its own numbers, and one person may have been entered twice with one.
            let of = |commit: &mut Self, id| -> Result<_, StoreError> {
                let record = commit
                    .record(id)?
                    .as_deref()
                    .map(|record| (record.bytes(field::held_certificate::KIND).cloned(), record.reference(PERSON)));
                let (kind, person) = record.unwrap_or_default();
                Ok((kind, person.map(|person| survivor(&Reading(commit), person)).transpose()?))
            };
            let (kind, person) = of(self, id)?;
            let mut theirs = Vec::new();
            for rival in rivals {
                let other = of(self, rival.0)?;
                if other.0 == kind && other.1 != person {
                    theirs.push(rival);
                }
            }
            rivals = theirs;
        }
        let kind = match register {
            number::HOUSEHOLD => ConflictKind::SameHousehold,
            number::CREDENTIAL | number::HELD_CERTIFICATE => ConflictKind::Certificate,
            _ => ConflictKind::Duplicate,
        };
        if rivals.is_empty() && self.is_new(id) {
            return Ok(());
        }
        let key = |commit: &Self, id| -> Result<_, StoreError> {
            let record = Reading(commit).record(id)?;
            record.map_or(Ok(None), |record| contest_key(&Reading(commit), id, &record))
        };
        let own = key(self, id)?;
        let mut standing: HashMap<RecordId, u32> = HashMap::new();
        for (other, tag) in rivals {
            let (Some(own), Some(theirs)) = (own, key(self, other)?) else { continue };
            // Who left one register before coming to the other is in no two at a time.
            let follow = matches!(register, number::RESIDENT | number::HOUSEHOLD);
            if follow && !meet(&Reading(self), id, other)? {
                continue;
            }
            let (later, earlier) = if own > theirs { (id, other) } else { (other, id) };
            // A finding is about the later one; where that has changed, the old one is over.
            if later == id {
                standing.insert(other, tag);
            }
            let note = match kind {
                _ if register == number::HELD_CERTIFICATE => {
                    "同一证件登记在两人名下 (two persons hold one certificate: check for fraud)"
                }
                ConflictKind::Certificate if !self.same_assistant(later, earlier)? => {
                    "同一证书编号登记在两人名下 (one certificate number, two persons: check for fraud)"
                }
                ConflictKind::Certificate => "同一证书在两个工作站使用 (one certificate at two stations)",
                _ => "唯一编号重复 (one unique number in two records)",
            };
            let finding = self.finding(kind, later, Some(earlier), &[tag], note)?;
            self.raise(finding)?;
        }
        let shares_adults = self.still_sharing(id, kind)?;
        let shared = |conflict: &pb::Conflict| {
            let other = RecordId::from_slice(&conflict.other);
            other.is_some_and(|other| {
                let by_adults = conflict.tags.is_empty();
                if by_adults { shares_adults.contains(&other) } else { standing.contains_key(&other) }
            })
        };
        self.pass_conflicts(id, kind, shared)
    }

    /// The households with which one was found to share adults and still does.
    fn still_sharing(&mut self, id: RecordId, kind: ConflictKind) -> Result<HashSet<RecordId>, StoreError> {
        let mut sharing = HashSet::new();
        if kind != ConflictKind::SameHousehold || !self.lives(id)? {
            return Ok(sharing);
        }
        for number in self.open_about(id)? {
            let open = self.conflict(number)?.filter(|open| open.kind() == kind && open.tags.is_empty());
            let Some(other) = open.and_then(|open| RecordId::from_slice(&open.other)) else { continue };
            if self.lives(other)? && self.shared_adults(id, other)? >= 2 {
                sharing.insert(other);
            }
        }
        Ok(sharing)
    }

    /// Whether a household is one: neither void, merged nor closed.
    fn lives(&mut self, household: RecordId) -> Result<bool, StoreError> {
        Ok(self.record(household)?.as_deref().is_some_and(|record| is_active(record) && !is_closed(record)))
    }

    /// Whether two certificates belong to the same person.
    fn same_assistant(&mut self, one: RecordId, two: RecordId) -> Result<bool, StoreError> {
        let mut holders = Vec::new();
        for credential in [one, two] {
            let assistant = self
                .record(credential)?
                .as_deref()
                .and_then(|record| record.slice(field::credential::ASSISTANT))
                .and_then(RecordId::from_slice);
            let Some(assistant) = assistant else { return Ok(false) };
            let record = self.record(assistant)?;
            // The id number where both have one, else the name.
            holders.push(record.map(|record| {
                (record.bytes(field::assistant::ID_NO).cloned(), record.bytes(field::assistant::NAME).cloned())
            }));
        }
        let [Some((id, name)), Some((other_id, other_name))] = &holders[..] else { return Ok(false) };
        Ok(match (id, other_id) {
            (Some(id), Some(other)) => id == other,
            _ => name == other_name,
        })
    }

    fn inspect_placement(&mut self, id: RecordId) -> Result<(), StoreError> {
        let Some(record) = self.record(id)? else { return Ok(()) };
        if let Some(post) = record.reference(field::placement::POST) {
            self.to_look.push(Look::Post(survivor(&Reading(self), post)?));
        }
        let Some(person) = record.reference(field::placement::PERSON) else { return Ok(()) };
        let person = survivor(&Reading(self), person)?;
        self.find_same_job(id, &record, person)?;
        self.find_placed_after_leaving(id)?;
        self.to_look.push(Look::CasesOf(person));
        Ok(())
    }

    /// One job entered twice is one placement: the first stands, the later of two starting days until a reviewer has
    /// seen the contract.
    fn find_same_job(&mut self, id: RecordId, record: &Record, person: RecordId) -> Result<(), StoreError> {
        if !is_active(record) {
            return Ok(());
        }
        for other in following(&Reading(self), person, number::RESIDENT, number::PLACEMENT)? {
            self.count_work(1);
            let is_twin = |twin: &Rc<Record>| {
                other != id && is_active(twin) && overlap(record, twin) && same_employer(twin, record)
            };
            let Some(twin) = self.record(other)?.filter(is_twin) else { continue };
            let first = if (twin.created, other) < (record.created, id) { other } else { id };
            let second = if first == id { other } else { id };
            let (stands, absorbed) = if first == id { (record, &*twin) } else { (&*twin, record) };
            let (stands, absorbed) = (stands.clone(), absorbed.clone());
            let hand = Hand::rule(Rule::SameJob);
            if self.merge(first, second, &[], &hand)?.is_err() {
                continue;
            }
            let mut found = self.finding(
                ConflictKind::SameJob,
                first,
                Some(second),
                &[field::placement::START_ON],
                "同一就业两次录入 (one job, entered twice)",
            )?;
            found.claims = vec![
                standing_claim(&stands, &[field::placement::START_ON]),
                standing_claim(&absorbed, &[field::placement::START_ON]),
            ];
            let (own, theirs) = (start(&stands), start(&absorbed));
            if own == theirs {
                found.set_state(ConflictState::ByRule);
                self.raise(found)?;
                return Ok(());
            }
            if theirs > own {
                self.revise(
                    first,
                    number::PLACEMENT,
                    vec![day(field::placement::START_ON, theirs.unwrap_or_default())],
                    &hand,
                )?;
                found.claims.reverse();
            }
            found.set_kind(ConflictKind::Field);
            Rule::Review.name().clone_into(&mut found.rule);
            found.other = bytes::Bytes::new();
            self.raise(found)?;
            return Ok(());
        }
        Ok(())
    }

    fn find_placed_after_leaving(&mut self, id: RecordId) -> Result<(), StoreError> {
        let Some(record) = self.record(id)? else { return Ok(()) };
        let Some(person) = record.reference(field::placement::PERSON) else { return Ok(()) };
        let person = survivor(&Reading(self), person)?;
        let left = self.record(person)?.as_deref().and_then(left_on);
        let after = left.zip(start(&record)).is_some_and(|(left, start)| start >= left) && is_active(&record);
        let kind = ConflictKind::LeftButPlaced;
        if after {
            let note = "就业日期在死亡或迁出之后，待核实，不计入 (placed after the person had left: not counted)";
            let finding = self.finding(kind, id, Some(person), &[field::placement::START_ON], note)?;
            self.raise(finding)?;
        } else if !self.is_new(id) {
            self.pass_conflicts(id, kind, |_| false)?;
        }
        Ok(())
    }

    /// Places go to whoever arrived first; the others wait and do not count.
    fn find_double_booking(&mut self, post: RecordId) -> Result<(), StoreError> {
        let waiting = without_place(&Reading(self), post)?;
        let post = survivor(&Reading(self), post)?;
        for id in following(&Reading(self), post, number::POST, number::PLACEMENT)? {
            if waiting.contains(&id) {
                let note = "岗位已满，候补，安置待定，不计入 (the post is full: waiting, not counted)";
                let finding =
                    self.finding(ConflictKind::DoubleBooked, id, Some(post), &[field::placement::POST], note)?;
                self.raise(finding)?;
            } else if !self.is_new(id) {
                self.pass_conflicts(id, ConflictKind::DoubleBooked, |_| false)?;
            }
        }
        Ok(())
    }

    fn inspect_member(&mut self, id: RecordId) -> Result<(), StoreError> {
        self.find_contradictions_of(id)?;
        let Some(record) = self.record(id)? else { return Ok(()) };
        let (Some(household), Some(person)) =
            (record.reference(field::member::HOUSEHOLD), record.reference(field::member::PERSON))
        else {
            return Ok(());
        };
        let (household, person) = (survivor(&Reading(self), household)?, survivor(&Reading(self), person)?);
        let mut elsewhere = Vec::new();
        if counts_as_member(&record) {
            for other in following(&Reading(self), person, number::RESIDENT, number::MEMBER)? {
                let Some(twin) = self.record(other)?.filter(|twin| other != id && counts_as_member(twin)) else {
                    continue;
                };
                let Some(theirs) = twin.reference(field::member::HOUSEHOLD) else { continue };
                let theirs = survivor(&Reading(self), theirs)?;
                if theirs != household && self.lives(theirs)? {
                    elsewhere.push((other, theirs));
                }
            }
        }
        // The same person registered once more is found as a duplicate; the households it belongs to may be one.
        let mut twins = Vec::new();
        let id_no = self
            .record(person)?
            .as_deref()
            .and_then(|record| record.bytes(field::resident::ID_NO))
            .cloned()
            .unwrap_or_default();
        let sharing = Reading(self).sharing(number::RESIDENT, field::resident::ID_NO, &id_no)?;
        for twin in sharing.into_iter().filter(|twin| !id_no.is_empty() && *twin != person) {
            for other in following(&Reading(self), twin, number::RESIDENT, number::MEMBER)? {
                let of = self
                    .record(other)?
                    .filter(|record| counts_as_member(record))
                    .and_then(|own| own.reference(field::member::HOUSEHOLD));
                let Some(theirs) = of.map(|theirs| survivor(&Reading(self), theirs)).transpose()? else { continue };
                if theirs != household && counts_as_member(&record) && self.lives(theirs)? {
                    twins.push(theirs);
                }
            }
        }
        for (other, _) in &elsewhere {
            let note = "同一人计入两户 (one person counted in two households)";
            let finding =
                self.finding(ConflictKind::TwoHouseholds, id, Some(*other), &[field::member::HOUSEHOLD], note)?;
            self.raise(finding)?;
        }
        for theirs in elsewhere.iter().map(|(_, theirs)| *theirs).chain(twins) {
            self.to_look.push(Look::Adults(household.min(theirs), household.max(theirs)));
        }
        if self.is_new(id) {
            return Ok(());
        }
        if elsewhere.is_empty() {
            self.pass_conflicts(id, ConflictKind::TwoHouseholds, |_| false)?;
        }
        // Who left one of two households may have been what they shared.
        for other in following(&Reading(self), person, number::RESIDENT, number::MEMBER)? {
            let of = self.record(other)?.as_deref().and_then(|twin| twin.reference(field::member::HOUSEHOLD));
            self.to_inspect.extend(of);
        }
        Ok(())
    }

    fn find_same_household(&mut self, one: RecordId, two: RecordId) -> Result<(), StoreError> {
        if self.shared_adults(one, two)? < 2 {
            return Ok(());
        }
        let created = |commit: &mut Self, id| -> Result<_, StoreError> {
            Ok((commit.record(id)?.as_deref().map_or(0, |record| record.created), id))
        };
        let (one, two) = (created(self, one)?, created(self, two)?);
        let (later, earlier) = if one > two { (one.1, two.1) } else { (two.1, one.1) };
        let note = "两户有两名以上相同的成年成员 (two households share at least two adults)";
        let finding = self.finding(ConflictKind::SameHousehold, later, Some(earlier), &[], note)?;
        self.raise(finding)?;
        Ok(())
    }

    /// How many adults two households both count. One id number is one person, before anybody has merged the records.
    fn shared_adults(&mut self, one: RecordId, two: RecordId) -> Result<usize, StoreError> {
        let mut persons = Vec::new();
        for household in [one, two] {
            let mut own = HashSet::new();
            for member in following(&Reading(self), household, number::HOUSEHOLD, number::MEMBER)? {
                let member = self.record(member)?.filter(|record| counts_as_member(record));
                let Some(person) = member.and_then(|member| member.reference(field::member::PERSON)) else { continue };
                let person = survivor(&Reading(self), person)?;
                let record = self.record(person)?;
                let record = record.as_deref();
                let (id_no, born) =
                    (record.and_then(|record| record.bytes(field::resident::ID_NO)).cloned(), record.and_then(born));
                if born.is_none_or(|born| date::years_between(born.birth, self.core.today()) >= ADULT) {
                    own.insert(id_no.unwrap_or_else(|| Bytes::copy_from_slice(&person.0)));
                }
            }
            persons.push(own);
        }
        Ok(persons[0].intersection(&persons[1]).count())
    }

    /// Looks at the cases of the household that a member belongs to.
    fn find_contradictions_of(&mut self, member: RecordId) -> Result<(), StoreError> {
        let household = self
            .record(member)?
            .as_deref()
            .and_then(|record| record.slice(field::member::HOUSEHOLD))
            .and_then(RecordId::from_slice);
        let Some(household) = household else { return Ok(()) };
        let household = survivor(&Reading(self), household)?;
        self.to_look.push(Look::CasesIn(household));
        Ok(())
    }

    fn find_contradiction(&mut self, case: RecordId) -> Result<(), StoreError> {
        let working = contradicts_recognition(&Reading(self), case)?;
        for (person, _) in &working {
            let note = "认定当日家庭成员已有工作，时钟暂停 (a member had a job when it was recognised: no clock runs)";
            let finding =
                self.finding(ConflictKind::Recognition, case, Some(*person), &[field::zef_case::RECOGNISED_ON], note)?;
            self.raise(finding)?;
        }
        if !self.is_new(case) {
            let still = |conflict: &pb::Conflict| working.iter().any(|(person, _)| person.0[..] == conflict.other[..]);
            self.pass_conflicts(case, ConflictKind::Recognition, still)?;
        }
        Ok(())
    }
}

fn start(placement: &Record) -> Option<Day> {
    placement.day(field::placement::START_ON)
}

/// An employer's code (23) or name (22), without white space.
fn employer(placement: &Record, tag: u32) -> Option<String> {
    let text = placement.slice(tag).map(|bytes| no_space(&String::from_utf8_lossy(bytes)));
    text.filter(|text| !text.is_empty())
}

/// Whether two jobs are at one employer: by its code where both have one, else by its name.
fn same_employer(one: &Record, two: &Record) -> bool {
    let equal = |tag| employer(one, tag).zip(employer(two, tag)).map(|(one, two)| one == two);
    equal(23).or(equal(22)).unwrap_or(false)
}

fn overlap(one: &Record, two: &Record) -> bool {
    let end = |record: &Record| record.day(field::placement::END_ON).unwrap_or(Day::MAX);
    match (start(one), start(two)) {
        (Some(first), Some(second)) => first < end(two) && second < end(one),
        _ => false,
    }
}

fn counts_as_member(member: &Record) -> bool {
    is_active(member)
        && member.varint(field::member::COUNTED) != Some(0)
        && member.bytes(field::member::TO_ON).is_none()
}
