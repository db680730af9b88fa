use super::*;
use std::collections::HashSet;
use taizhang_proto::{
    Record,
    cell::{self, Shelf},
    change::{self, Edit},
    check, decide, pb,
    record::Revision,
    stamp::Stamp,
    wire::Field,
};

const COMMUNITY: u64 = 210_402_011_003;
const TOWNSHIP: u64 = 210_421_101_000;

fn today() -> Day {
    date::ymd(2008, 11, 24).unwrap()
}

fn unit(code: u64) -> OrgCode {
    OrgCode::new(code).unwrap()
}

/// Ids in the order in which they are asked for.
fn ids() -> impl FnMut() -> RecordId {
    let mut count = 0_u64;
    move || {
        count += 1;
        RecordId::create(1_204_000_000_000 + count, [9; 10])
    }
}

/// A draft as an office saves it: over the wire into the record.
fn saved(current: Option<&Record>, draft: &Draft, revision: Revision) -> Record {
    let def = registers().get(draft.register).unwrap();
    let mut fields: Vec<(Field, Revision)> = Vec::new();
    for (tag, value) in &draft.edits {
        let bytes = value.as_ref().map(|value| value.encode(def.field(*tag).unwrap())).unwrap_or_default();
        fields.push((Field { tag: *tag, bytes }, current.map_or(0, |record| record.revision_of(*tag))));
    }
    fields.sort_by_key(|(field, _)| field.tag);
    let stamp = Stamp::at_millis(1_204_000_000_000);
    let edit = Edit::read(change::write(draft.id, draft.register, &fields, stamp, "synth")).unwrap();
    let decision = decide::decide(current, &edit, decide::Author { node: 1, tier: pb::Tier::District });
    assert!(decision.is_plain());
    let origin = pb::Origin { revision, stamp: stamp.0, node: 1, ..pb::Origin::default() };
    decide::apply(current, &edit, &decision, &origin).record
}

/// The records of drafts, each checked as it is saved.
fn records(groups: &[Vec<Draft>]) -> HashMap<RecordId, Record> {
    let mut records: HashMap<RecordId, Record> = HashMap::new();
    for (index, draft) in groups.iter().flatten().enumerate() {
        let record = saved(records.get(&draft.id), draft, index as u64 + 1);
        let tags: HashSet<u32> = draft.edits.iter().map(|(tag, _)| *tag).collect();
        assert_eq!(tags.len(), draft.edits.len(), "a field is filled in twice: {draft:?}");
        let found = check::check(&record, None, tags.iter().copied(), today());
        assert!(found.is_empty(), "{found:?} in {draft:?}");
        records.insert(draft.id, record);
    }
    records
}

fn office(seed: u64, code: u64, persons: usize) -> Vec<Vec<Draft>> {
    City::new(seed, today()).office(unit(code), persons, &mut ids())
}

fn count(groups: &[Vec<Draft>], register: u32) -> usize {
    groups.iter().flatten().filter(|draft| draft.register == register).count()
}

struct Box<'a>(&'a HashMap<RecordId, Record>);

impl Shelf for Box<'_> {
    type Error = std::convert::Infallible;

    fn record(&self, id: RecordId) -> Result<Option<Record>, Self::Error> {
        Ok(self.0.get(&id).cloned())
    }

    fn about(&self, target: RecordId) -> Result<Vec<(u32, RecordId)>, Self::Error> {
        let refers = |record: &Record| cell::links(record).contains(&target);
        Ok(self.0.iter().filter(|(_, record)| refers(record)).map(|(id, record)| (record.register, *id)).collect())
    }

    fn sharing(&self, _: u32, _: u32, _: &[u8]) -> Result<Vec<RecordId>, Self::Error> {
        Ok(Vec::new()) // every synthetic person is another
    }
}

#[test]
fn every_draft_of_an_office_passes_check_and_refers_to_what_its_group_holds() {
    for (seed, code) in [(1, COMMUNITY), (2, TOWNSHIP), (3, COMMUNITY + 1), (4, 210_421_101_201)] {
        let groups = office(seed, code, 300);
        let records = records(&groups);
        assert_eq!(records.len(), groups.iter().flatten().count(), "each draft has its own id");
        assert_eq!(count(&groups, number::RESIDENT), 300);
        for group in &groups {
            let held: HashSet<RecordId> = group.iter().map(|draft| draft.id).collect();
            let values = group.iter().flat_map(|draft| &draft.edits).filter_map(|(_, value)| value.as_ref());
            for value in values {
                assert!(!matches!(value, Value::Ref(id) if !held.contains(id)), "{group:?}");
            }
        }
    }
}

#[test]
fn the_shares_are_those_of_a_city() {
    let groups: Vec<Vec<Draft>> = (0..20).flat_map(|seed| office(seed, COMMUNITY + seed, 300)).collect();
    let share = |register| count(&groups, register) as f64 / 6_000.0;
    // Those who are registered now, and those of the employed who were before.
    assert!((0.30..0.40).contains(&share(number::UNEMPLOYMENT_SPELL)), "{}", share(number::UNEMPLOYMENT_SPELL));
    assert!((0.26..0.34).contains(&share(number::PLACEMENT)), "{}", share(number::PLACEMENT));
    assert!((0.008..0.012).contains(&share(number::ZEF_CASE)), "{}", share(number::ZEF_CASE));
    assert!((0.15..0.30).contains(&share(number::HOUSEHOLD)), "{}", share(number::HOUSEHOLD));
    assert_eq!(count(&groups, number::FEC_CASE), 20);
    let resettled = tag(number::RESIDENT, "shanty_resettled");
    let count = groups.iter().flatten().filter(|draft| draft.register == number::RESIDENT);
    let count = count.filter(|draft| draft.edits.iter().any(|(tag, _)| *tag == resettled)).count();
    assert!((230..370).contains(&count), "{count} of 6000 resettled");
}

#[test]
fn cases_are_met_missed_and_open() {
    let mut seen = HashSet::new();
    for seed in 0..30 {
        let records = records(&office(seed, COMMUNITY, 300));
        for (id, record) in records.iter().filter(|(_, record)| record.register == number::ZEF_CASE) {
            assert_eq!(cell::home_unit(record), Some(unit(COMMUNITY)));
            let plan = taizhang_proto::plan::Plans::notice_2008();
            let clock = cell::clock_of(&Box(&records), *id, plan).unwrap().unwrap();
            assert!((today() - CASE_DAYS..=today()).contains(&clock.recognised_on));
            assert!(clock.first_placed_on != Some(clock.recognised_on), "nobody had a job when it was recognised");
            seen.insert(match clock.first_placed_on {
                Some(day) if day <= clock.due_one => "in time",
                Some(_) => "late",
                None if clock.due_one < today() => "overdue",
                None => "running",
            });
            seen.extend(clock.dual.map(|_| "dual"));
        }
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
}

#[test]
fn offices_of_each_kind_hold_what_they_should_and_districts_nothing() {
    assert_eq!(count(&office(5, TOWNSHIP, 0), number::FACILITY), 1);
    assert_eq!(count(&office(5, TOWNSHIP, 200), number::ZEF_CASE), 0);
    assert!(count(&office(5, COMMUNITY, 0), number::ASSISTANT) > 0);
    assert!(office(5, 210_402_000_000, 300).is_empty());
    let certified = (0..100).filter(|seed| count(&office(*seed, COMMUNITY, 0), number::CREDENTIAL) > 0).count();
    assert!((68..92).contains(&certified), "{certified} of 100 stations certified");
}

#[test]
fn the_same_seed_gives_the_same_drafts_and_another_seed_others() {
    assert_eq!(office(7, COMMUNITY, 120), office(7, COMMUNITY, 120));
    assert_ne!(office(7, COMMUNITY, 120), office(8, COMMUNITY, 120));
}

/// Every value of one text field.
fn texts<'a>(drafts: impl Iterator<Item = &'a Draft>, name: &str) -> Vec<String> {
    let value = |draft: &Draft| {
        let field = registers().get(draft.register)?.field_named(name)?;
        match draft.edits.iter().find(|(tag, _)| *tag == field.tag)?.1.as_ref()? {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    };
    drafts.filter_map(value).collect()
}

#[test]
fn no_two_people_share_an_id_number_and_no_two_papers_a_number() {
    let mut one = City::new(41, today());
    let mut next = City::new(42, today());
    let mut new_id = ids();
    let mut drafts: Vec<Draft> = Vec::new();
    for city in [&mut one, &mut next] {
        drafts.extend((0..20_000).map(|_| city.person(unit(COMMUNITY), new_id())));
        drafts.extend(city.office(unit(COMMUNITY), 300, &mut new_id).into_iter().flatten());
    }
    for name in ["id_no", "cert_no", "case_no", "hh_no", "reg_no"] {
        let all = texts(drafts.iter(), name);
        let distinct: HashSet<&String> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "{name}");
        assert!(!all.is_empty(), "{name}");
    }
    assert!(texts(drafts.iter(), "id_no").iter().all(|number| citizen_id::check(number).is_ok()));
}

#[test]
fn a_person_is_about_300_bytes_in_at_least_12_fields() {
    let mut city = City::new(11, today());
    let mut new_id = ids();
    let mut bytes = 0;
    for index in 0..2_000 {
        let draft = city.person(unit(COMMUNITY), new_id());
        assert!(draft.edits.len() >= 12);
        bytes += saved(None, &draft, index + 1).message().len();
    }
    let mean = bytes / 2_000;
    assert!((250..=350).contains(&mean), "{mean} bytes");
    println!("{mean} bytes a person");
}

#[test]
fn live_entries_pass_check_on_what_is_there() {
    let mut city = City::new(12, today());
    let mut new_id = ids();
    let mut groups = city.office(unit(COMMUNITY), 40, &mut new_id);
    let residents = |groups: &[Vec<Draft>]| -> Vec<RecordId> {
        let all = groups.iter().flatten().filter(|draft| draft.register == number::RESIDENT);
        all.map(|draft| draft.id).collect::<HashSet<_>>().into_iter().collect::<Vec<_>>()
    };
    let mut existing = residents(&groups);
    existing.sort_unstable();
    let mut kinds = HashSet::new();
    for _ in 0..200 {
        let entry = city.live_edit(&existing, &mut new_id, unit(COMMUNITY));
        kinds.insert((entry.len(), entry[0].register));
        groups.push(entry);
    }
    assert_eq!(kinds.len(), 3, "a placement, a phone change, a new resident with a spell");
    records(&groups);
    assert_eq!(city.live_edit(&[], &mut new_id, unit(COMMUNITY)).len(), 2);
}
