//! What a changed record means for its surroundings: duplicates, a job entered twice, places that are taken, recognitions
//! that facts contradict, transfers. Invariant: a finding stands in the queue exactly while its reason does, unless a
//! reviewer has ruled on it.

use super::{
    commit::{Commit, Reading, pending::Look},
    conflicts, merge, order,
    outcome::standing_claim,
    revise::{self, Hand, day},
    transfers,
};
use crate::store::StoreError;
use bytes::Bytes;
use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};
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

/// Looks at everything that changed, and at what that changes in turn.
pub(super) fn inspect_all(commit: &mut Commit<'_>) -> Result<(), StoreError> {
    let mut looked = 0;
    while !(commit.to_inspect.is_empty() && commit.to_look.is_empty()) && looked < MAX_INSPECTED {
        let mut seen = HashSet::new();
        for id in std::mem::take(&mut commit.to_inspect) {
            if seen.insert(id) {
                looked += 1;
                inspect(commit, id)?;
            }
        }
        let mut seen = HashSet::new();
        let mut rest = std::mem::take(&mut commit.to_look);
        while !rest.is_empty() {
            for look in rest.into_iter().filter(|look| seen.insert(*look)) {
                looked += 1;
                look_at(commit, look)?;
            }
            rest = std::mem::take(&mut commit.to_look);
        }
    }
    Ok(())
}

fn look_at(commit: &mut Commit<'_>, look: Look) -> Result<(), StoreError> {
    match look {
        Look::Post(post) => find_double_booking(commit, post),
        Look::CasesOf(person) => {
            for member in following(&Reading(commit), person, number::RESIDENT, number::MEMBER)? {
                find_contradictions_of(commit, member)?;
            }
            Ok(())
        }
        Look::CasesIn(household) => {
            for case in following(&Reading(commit), household, number::HOUSEHOLD, number::ZEF_CASE)? {
                find_contradiction(commit, case)?;
            }
            Ok(())
        }
        Look::Adults(one, two) => find_same_household(commit, one, two),
    }
}

fn inspect(commit: &mut Commit<'_>, id: RecordId) -> Result<(), StoreError> {
    let Some(register) = commit.record(id)?.as_deref().map(|record| record.register) else { return Ok(()) };
    match register {
        number::RESIDENT => {
            find_duplicates(commit, id, register)?;
            ask_if_sent(commit, id)?;
            if commit.record(id)?.as_deref().is_some_and(|record| left_on(record).is_some()) {
                for placement in following(&Reading(commit), id, register, number::PLACEMENT)? {
                    find_placed_after_leaving(commit, placement)?;
                }
            }
        }
        number::HOUSEHOLD => {
            find_duplicates(commit, id, register)?;
            ask_if_sent(commit, id)?;
        }
        number::CREDENTIAL | number::HELD_CERTIFICATE => find_duplicates(commit, id, register)?,
        number::ASSISTANT => {
            for credential in following(&Reading(commit), id, register, number::CREDENTIAL)? {
                find_duplicates(commit, credential, number::CREDENTIAL)?;
            }
        }
        number::PLACEMENT => inspect_placement(commit, id)?,
        number::POST => commit.to_look.push(Look::Post(id)),
        number::MEMBER => inspect_member(commit, id)?,
        number::ZEF_CASE => find_contradiction(commit, id)?,
        number::FEC_CASE => order::close_order(commit, id)?,
        number::SPOT_CHECK => order::order_to_rectify(commit, id)?,
        number::TRANSFER => {
            if let Some(record) = commit.record(id)? {
                transfers::answer_transfer(commit, id, &record)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn ask_if_sent(commit: &mut Commit<'_>, id: RecordId) -> Result<(), StoreError> {
    // Who was never sent anywhere has never been asked for: as almost everybody.
    let Some(record) = commit.record(id)?.filter(|record| record.origin(TRANSFER_TO).is_some()) else {
        return Ok(());
    };
    transfers::withdraw_askings(commit, id, &record)?;
    if record.bytes(TRANSFER_TO).is_some() { transfers::ask_transfer(commit, id, &record) } else { Ok(()) }
}

/// A finding about a record, with the other one where there is one.
pub(super) fn finding(
    commit: &mut Commit<'_>,
    kind: ConflictKind,
    id: RecordId,
    other: Option<RecordId>,
    tags: &[u32],
    note: &str,
) -> Result<pb::Conflict, StoreError> {
    let record = commit.record(id)?.unwrap_or_default();
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
        if let Some(record) = commit.record(other)? {
            conflict.other_unit = unit_of(&record);
            if record.register == conflict.register {
                conflict.claims.push(standing_claim(&record, tags));
            }
        }
    }
    Ok(conflict)
}

/// Two records with one unique number: both stay, the one that came later is contested.
fn find_duplicates(commit: &mut Commit<'_>, id: RecordId, register: u32) -> Result<(), StoreError> {
    let mut rivals = commit.rivals(id)?;
    if register == number::HELD_CERTIFICATE {
        // Each kind has its own numbers, and one person may have been entered twice with one.
        let of = |commit: &mut Commit<'_>, id| -> Result<_, StoreError> {
            let record = commit
                .record(id)?
                .as_deref()
                .map(|record| (record.bytes(field::held_certificate::KIND).cloned(), record.reference(PERSON)));
            let (kind, person) = record.unwrap_or_default();
            Ok((kind, person.map(|person| survivor(&Reading(commit), person)).transpose()?))
        };
        let (kind, person) = of(commit, id)?;
        let mut theirs = Vec::new();
        for rival in rivals {
            let other = of(commit, rival.0)?;
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
    if rivals.is_empty() && commit.is_new(id) {
        return Ok(());
    }
    let key = |commit: &Commit<'_>, id| -> Result<_, StoreError> {
        let record = Reading(commit).record(id)?;
        record.map_or(Ok(None), |record| contest_key(&Reading(commit), id, &record))
    };
    let own = key(commit, id)?;
    let mut standing: HashMap<RecordId, u32> = HashMap::new();
    for (other, tag) in rivals {
        let (Some(own), Some(theirs)) = (own, key(commit, other)?) else { continue };
        // Who left one register before coming to the other is in no two at a time.
        let follow = matches!(register, number::RESIDENT | number::HOUSEHOLD);
        if follow && !meet(&Reading(commit), id, other)? {
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
            ConflictKind::Certificate if !same_assistant(commit, later, earlier)? => {
                "同一证书编号登记在两人名下 (one certificate number, two persons: check for fraud)"
            }
            ConflictKind::Certificate => "同一证书在两个工作站使用 (one certificate at two stations)",
            _ => "唯一编号重复 (one unique number in two records)",
        };
        let finding = finding(commit, kind, later, Some(earlier), &[tag], note)?;
        conflicts::raise(commit, finding)?;
    }
    let shares_adults = still_sharing(commit, id, kind)?;
    let shared = |conflict: &pb::Conflict| {
        let other = RecordId::from_slice(&conflict.other);
        other.is_some_and(|other| {
            let by_adults = conflict.tags.is_empty();
            if by_adults { shares_adults.contains(&other) } else { standing.contains_key(&other) }
        })
    };
    conflicts::pass_conflicts(commit, id, kind, shared)
}

/// The households with which one was found to share adults and still does.
fn still_sharing(commit: &mut Commit<'_>, id: RecordId, kind: ConflictKind) -> Result<HashSet<RecordId>, StoreError> {
    let mut sharing = HashSet::new();
    if kind != ConflictKind::SameHousehold || !lives(commit, id)? {
        return Ok(sharing);
    }
    for number in conflicts::open_about(commit, id)? {
        let open = conflicts::conflict(commit, number)?.filter(|open| open.kind() == kind && open.tags.is_empty());
        let Some(other) = open.and_then(|open| RecordId::from_slice(&open.other)) else { continue };
        if lives(commit, other)? && shared_adults(commit, id, other)? >= 2 {
            sharing.insert(other);
        }
    }
    Ok(sharing)
}

/// Whether a household is one: neither void, merged nor closed.
fn lives(commit: &mut Commit<'_>, household: RecordId) -> Result<bool, StoreError> {
    Ok(commit.record(household)?.as_deref().is_some_and(|record| is_active(record) && !is_closed(record)))
}

/// Whether two certificates belong to the same person.
fn same_assistant(commit: &mut Commit<'_>, one: RecordId, two: RecordId) -> Result<bool, StoreError> {
    let mut holders = Vec::new();
    for credential in [one, two] {
        let assistant = commit
            .record(credential)?
            .as_deref()
            .and_then(|record| record.slice(field::credential::ASSISTANT))
            .and_then(RecordId::from_slice);
        let Some(assistant) = assistant else { return Ok(false) };
        let record = commit.record(assistant)?;
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

fn inspect_placement(commit: &mut Commit<'_>, id: RecordId) -> Result<(), StoreError> {
    let Some(record) = commit.record(id)? else { return Ok(()) };
    if let Some(post) = record.reference(field::placement::POST) {
        commit.to_look.push(Look::Post(survivor(&Reading(commit), post)?));
    }
    let Some(person) = record.reference(field::placement::PERSON) else { return Ok(()) };
    let person = survivor(&Reading(commit), person)?;
    find_same_job(commit, id, &record, person)?;
    find_placed_after_leaving(commit, id)?;
    commit.to_look.push(Look::CasesOf(person));
    Ok(())
}

/// One job entered twice is one placement: the first stands, the later of two starting days until a reviewer has
/// seen the contract.
fn find_same_job(commit: &mut Commit<'_>, id: RecordId, record: &Record, person: RecordId) -> Result<(), StoreError> {
    if !is_active(record) {
        return Ok(());
    }
    for other in following(&Reading(commit), person, number::RESIDENT, number::PLACEMENT)? {
        commit.count_work(1);
        let is_twin =
            |twin: &Rc<Record>| other != id && is_active(twin) && overlap(record, twin) && same_employer(twin, record);
        let Some(twin) = commit.record(other)?.filter(is_twin) else { continue };
        let first = if (twin.created, other) < (record.created, id) { other } else { id };
        let second = if first == id { other } else { id };
        let (stands, absorbed) = if first == id { (record, &*twin) } else { (&*twin, record) };
        let (stands, absorbed) = (stands.clone(), absorbed.clone());
        let hand = Hand::rule(Rule::SameJob);
        if merge::merge(commit, first, second, &[], &hand)?.is_err() {
            continue;
        }
        let mut found = finding(
            commit,
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
            conflicts::raise(commit, found)?;
            return Ok(());
        }
        if theirs > own {
            revise::revise(
                commit,
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
        conflicts::raise(commit, found)?;
        return Ok(());
    }
    Ok(())
}

fn find_placed_after_leaving(commit: &mut Commit<'_>, id: RecordId) -> Result<(), StoreError> {
    let Some(record) = commit.record(id)? else { return Ok(()) };
    let Some(person) = record.reference(field::placement::PERSON) else { return Ok(()) };
    let person = survivor(&Reading(commit), person)?;
    let left = commit.record(person)?.as_deref().and_then(left_on);
    let after = left.zip(start(&record)).is_some_and(|(left, start)| start >= left) && is_active(&record);
    let kind = ConflictKind::LeftButPlaced;
    if after {
        let note = "就业日期在死亡或迁出之后，待核实，不计入 (placed after the person had left: not counted)";
        let finding = finding(commit, kind, id, Some(person), &[field::placement::START_ON], note)?;
        conflicts::raise(commit, finding)?;
    } else if !commit.is_new(id) {
        conflicts::pass_conflicts(commit, id, kind, |_| false)?;
    }
    Ok(())
}

/// Places go to whoever arrived first; the others wait and do not count.
fn find_double_booking(commit: &mut Commit<'_>, post: RecordId) -> Result<(), StoreError> {
    let waiting = without_place(&Reading(commit), post)?;
    let post = survivor(&Reading(commit), post)?;
    for id in following(&Reading(commit), post, number::POST, number::PLACEMENT)? {
        if waiting.contains(&id) {
            let note = "岗位已满，候补，安置待定，不计入 (the post is full: waiting, not counted)";
            let finding = finding(commit, ConflictKind::DoubleBooked, id, Some(post), &[field::placement::POST], note)?;
            conflicts::raise(commit, finding)?;
        } else if !commit.is_new(id) {
            conflicts::pass_conflicts(commit, id, ConflictKind::DoubleBooked, |_| false)?;
        }
    }
    Ok(())
}

fn inspect_member(commit: &mut Commit<'_>, id: RecordId) -> Result<(), StoreError> {
    find_contradictions_of(commit, id)?;
    let Some(record) = commit.record(id)? else { return Ok(()) };
    let (Some(household), Some(person)) =
        (record.reference(field::member::HOUSEHOLD), record.reference(field::member::PERSON))
    else {
        return Ok(());
    };
    let (household, person) = (survivor(&Reading(commit), household)?, survivor(&Reading(commit), person)?);
    let mut elsewhere = Vec::new();
    if counts_as_member(&record) {
        for other in following(&Reading(commit), person, number::RESIDENT, number::MEMBER)? {
            let Some(twin) = commit.record(other)?.filter(|twin| other != id && counts_as_member(twin)) else {
                continue;
            };
            let Some(theirs) = twin.reference(field::member::HOUSEHOLD) else { continue };
            let theirs = survivor(&Reading(commit), theirs)?;
            if theirs != household && lives(commit, theirs)? {
                elsewhere.push((other, theirs));
            }
        }
    }
    // The same person registered once more is found as a duplicate; the households it belongs to may be one.
    let mut twins = Vec::new();
    let id_no = commit
        .record(person)?
        .as_deref()
        .and_then(|record| record.bytes(field::resident::ID_NO))
        .cloned()
        .unwrap_or_default();
    let sharing = Reading(commit).sharing(number::RESIDENT, field::resident::ID_NO, &id_no)?;
    for twin in sharing.into_iter().filter(|twin| !id_no.is_empty() && *twin != person) {
        for other in following(&Reading(commit), twin, number::RESIDENT, number::MEMBER)? {
            let of = commit
                .record(other)?
                .filter(|record| counts_as_member(record))
                .and_then(|own| own.reference(field::member::HOUSEHOLD));
            let Some(theirs) = of.map(|theirs| survivor(&Reading(commit), theirs)).transpose()? else { continue };
            if theirs != household && counts_as_member(&record) && lives(commit, theirs)? {
                twins.push(theirs);
            }
        }
    }
    for (other, _) in &elsewhere {
        let note = "同一人计入两户 (one person counted in two households)";
        let finding =
            finding(commit, ConflictKind::TwoHouseholds, id, Some(*other), &[field::member::HOUSEHOLD], note)?;
        conflicts::raise(commit, finding)?;
    }
    for theirs in elsewhere.iter().map(|(_, theirs)| *theirs).chain(twins) {
        commit.to_look.push(Look::Adults(household.min(theirs), household.max(theirs)));
    }
    if commit.is_new(id) {
        return Ok(());
    }
    if elsewhere.is_empty() {
        conflicts::pass_conflicts(commit, id, ConflictKind::TwoHouseholds, |_| false)?;
    }
    // Who left one of two households may have been what they shared.
    for other in following(&Reading(commit), person, number::RESIDENT, number::MEMBER)? {
        let of = commit.record(other)?.as_deref().and_then(|twin| twin.reference(field::member::HOUSEHOLD));
        commit.to_inspect.extend(of);
    }
    Ok(())
}

fn find_same_household(commit: &mut Commit<'_>, one: RecordId, two: RecordId) -> Result<(), StoreError> {
    if shared_adults(commit, one, two)? < 2 {
        return Ok(());
    }
    let created = |commit: &mut Commit<'_>, id| -> Result<_, StoreError> {
        Ok((commit.record(id)?.as_deref().map_or(0, |record| record.created), id))
    };
    let (one, two) = (created(commit, one)?, created(commit, two)?);
    let (later, earlier) = if one > two { (one.1, two.1) } else { (two.1, one.1) };
    let note = "两户有两名以上相同的成年成员 (two households share at least two adults)";
    let finding = finding(commit, ConflictKind::SameHousehold, later, Some(earlier), &[], note)?;
    conflicts::raise(commit, finding)?;
    Ok(())
}

/// How many adults two households both count. One id number is one person, before anybody has merged the records.
fn shared_adults(commit: &mut Commit<'_>, one: RecordId, two: RecordId) -> Result<usize, StoreError> {
    let mut persons = Vec::new();
    for household in [one, two] {
        let mut own = HashSet::new();
        for member in following(&Reading(commit), household, number::HOUSEHOLD, number::MEMBER)? {
            let member = commit.record(member)?.filter(|record| counts_as_member(record));
            let Some(person) = member.and_then(|member| member.reference(field::member::PERSON)) else { continue };
            let person = survivor(&Reading(commit), person)?;
            let record = commit.record(person)?;
            let record = record.as_deref();
            let (id_no, born) =
                (record.and_then(|record| record.bytes(field::resident::ID_NO)).cloned(), record.and_then(born));
            if born.is_none_or(|born| date::years_between(born.birth, commit.core.today()) >= ADULT) {
                own.insert(id_no.unwrap_or_else(|| Bytes::copy_from_slice(&person.0)));
            }
        }
        persons.push(own);
    }
    Ok(persons[0].intersection(&persons[1]).count())
}

/// Looks at the cases of the household that a member belongs to.
fn find_contradictions_of(commit: &mut Commit<'_>, member: RecordId) -> Result<(), StoreError> {
    let household = commit
        .record(member)?
        .as_deref()
        .and_then(|record| record.slice(field::member::HOUSEHOLD))
        .and_then(RecordId::from_slice);
    let Some(household) = household else { return Ok(()) };
    let household = survivor(&Reading(commit), household)?;
    commit.to_look.push(Look::CasesIn(household));
    Ok(())
}

fn find_contradiction(commit: &mut Commit<'_>, case: RecordId) -> Result<(), StoreError> {
    let working = contradicts_recognition(&Reading(commit), case)?;
    for (person, _) in &working {
        let note = "认定当日家庭成员已有工作，时钟暂停 (a member had a job when it was recognised: no clock runs)";
        let finding =
            finding(commit, ConflictKind::Recognition, case, Some(*person), &[field::zef_case::RECOGNISED_ON], note)?;
        conflicts::raise(commit, finding)?;
    }
    if !commit.is_new(case) {
        let still = |conflict: &pb::Conflict| working.iter().any(|(person, _)| person.0[..] == conflict.other[..]);
        conflicts::pass_conflicts(commit, case, ConflictKind::Recognition, still)?;
    }
    Ok(())
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
