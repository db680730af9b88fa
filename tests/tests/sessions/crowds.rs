//! Many records about one: the work that they make grows with their number alone, and a long batch is written in parts.

use crate::pair::{assert_sound, community, hub, office, peer, placement, residents, save, sync};
use std::collections::BTreeMap;
use taizhang_node::{
    desk::{Desk, Draft},
    ledger::{Ledger, LedgerDesk},
};
use taizhang_proto::{
    RecordId,
    pb::Format,
    register::{FieldDef, Refers, Shape, Value, number, registers},
};

/// The hub's work for so many placements on one post, that many of them without a place.
fn work_for_placements(count: usize) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    core.limit_work(u64::MAX);
    let node = office(dir.path(), "node", community(), 900_000);
    let me = peer("node", community());
    let people = residents(&node, community(), 0..count);
    let tag = |register, name: &str| registers().get(register).unwrap().field_named(name).unwrap().tag;
    let post = LedgerDesk::new(&node).new_id();
    let draft = Draft::new(post, number::POST)
        .with(1, Value::Uint(community().number()))
        .with(tag(number::POST, "post_no"), Value::Text("公-1".into()))
        .with(tag(number::POST, "kind"), Value::Text("1".into()))
        .with(tag(number::POST, "places"), Value::Uint(3));
    save(&node, vec![draft]);
    sync(&core, &node, &me);
    let before = core.work_done();
    let on_post = tag(number::PLACEMENT, "post");
    let placements = people.iter().map(|person| placement(&node, community(), *person).with(on_post, Value::Ref(post)));
    save(&node, placements.collect());
    sync(&core, &node, &me);
    let work = core.work_done() - before;
    assert_sound(&core, &node);
    work
}

#[test]
fn the_work_for_the_placements_of_one_post_grows_with_their_number_alone() {
    let (few, many) = (work_for_placements(30), work_for_placements(120));
    assert!(many < few * 6, "four times as many placements make {many} of work, not {few}");
}

#[test]
fn a_batch_that_is_cut_after_each_change_is_taken_once_and_whole() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    core.limit_work(1);
    let node = office(dir.path(), "node", community(), 900_000);
    let me = peer("node", community());
    let people = residents(&node, community(), 0..12);
    save(&node, people.iter().map(|person| placement(&node, community(), *person)).collect());
    let report = sync(&core, &node, &me);
    assert!(report.equal);
    assert_eq!(node.refused().unwrap().len(), 0);
    assert_sound(&core, &node);
}

/// A value that a field takes, another one for each n.
fn some_value(field: &FieldDef, nth: usize, mut target: impl FnMut(u32) -> RecordId) -> Value {
    let one = match (field.refers, field.format, field.shape) {
        (Some(Refers::To(register)), ..) => Value::Ref(target(register)),
        (Some(Refers::Any), ..) => Value::Ref(target(number::RESIDENT)),
        (None, Format::Unit, _) => Value::Uint(community().number()),
        (None, Format::Date, _) => Value::Day(13_900),
        (None, Format::Code, _) => Value::Text(field.codes.unwrap().codes.keys().next().unwrap().clone()),
        (None, _, Shape::Uint | Shape::Sint) => Value::Uint(2_007),
        (None, _, Shape::Bool) => Value::Bool(true),
        (None, ..) => Value::Text(format!("甲{nth}")),
    };
    if field.many { Value::Many(vec![one]) } else { one }
}

/// A record with what its register requires, and this field.
fn some_record(
    node: &Ledger,
    (register, also): (u32, Option<u32>),
    nth: usize,
    mut target: impl FnMut(u32) -> RecordId,
) -> Draft {
    let def = registers().get(register).unwrap();
    let fields = def.fields.iter().filter(|field| field.required || Some(field.tag) == also);
    fields.fold(Draft::new(LedgerDesk::new(node).new_id(), register), |draft, field| {
        draft.with(field.tag, some_value(field, nth, &mut target))
    })
}

/// The work for so many records of a register that all refer to one record by this field; none where no such records can be
/// entered by a machine.
fn work_around_one((register, field): (u32, u32), to: u32, count: usize) -> Result<u64, String> {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    core.limit_work(u64::MAX);
    let node = office(dir.path(), "node", community(), 900_000);
    let me = peer("node", community());
    let people = residents(&node, community(), 0..count + 1);
    let entered = |draft: Draft| {
        let answer = LedgerDesk::new(&node).save(vec![vec![draft]], "clerk").pop().unwrap();
        answer.map_err(|error| error.to_string())
    };
    // What the records need besides: one of each.
    let mut others: BTreeMap<u32, RecordId> = BTreeMap::from([(number::RESIDENT, people[count])]);
    for (needed, needs) in [
        (number::HOUSEHOLD, number::RESIDENT),
        (number::ASSISTANT, number::RESIDENT),
        (number::POST, number::RESIDENT),
        (number::TRAINING_CLASS, number::RESIDENT),
        (number::CAMPAIGN, number::RESIDENT),
        (number::TASK, number::RESIDENT),
        (number::FEC_CASE, number::RESIDENT),
        (number::SERVICE_RECORD, number::RESIDENT),
        (number::ZEF_CASE, number::HOUSEHOLD),
    ] {
        let draft =
            some_record(&node, (needed, None), 0, |register| others.get(&register).copied().unwrap_or(others[&needs]));
        let id = draft.id;
        if entered(draft).is_ok() {
            others.insert(needed, id);
        }
    }
    let one = *others.get(&to).ok_or("there is no such record to refer to")?;
    sync(&core, &node, &me);
    let before = core.work_done();
    for (nth, person) in people[..count].iter().enumerate() {
        // Each about another person, where the person is not what all of them are about.
        let draft = some_record(&node, (register, Some(field)), nth, |register| {
            let own = if to != number::RESIDENT && register == number::RESIDENT {
                Some(person)
            } else {
                others.get(&register)
            };
            own.copied().unwrap_or(one)
        });
        entered(draft)?;
    }
    sync(&core, &node, &me);
    let work = core.work_done() - before;
    assert_sound(&core, &node);
    Ok(work)
}

#[test]
fn the_work_for_many_records_about_one_grows_with_their_number_alone() {
    let mut measured = Vec::new();
    for def in registers().iter() {
        for field in def.fields.iter().filter(|field| field.tag > 19) {
            let Some(refers) = field.refers else { continue };
            let to = if let Refers::To(register) = refers { register } else { number::RESIDENT };
            let around = |count| work_around_one((def.number, field.tag), to, count);
            match (around(30), around(120)) {
                (Ok(0), Ok(_)) => println!("{} by {}: nothing that the district does not own", def.name, field.name),
                (Ok(few), Ok(many)) => {
                    println!("{} by {}: {few} for 30, {many} for 120", def.name, field.name);
                    measured.push((def.name.clone(), field.name.clone(), few, many));
                }
                (one, _) => println!("{} by {}: {}", def.name, field.name, one.unwrap_err()),
            }
        }
    }
    assert!(measured.len() >= 15, "{measured:?}");
    // Each job and each household of a person is compared with the others. A commit takes on so much of it and no more.
    let each_with_each = [("Placement", "person"), ("Member", "person")];
    measured.retain(|(register, field, few, many)| {
        let most = if each_with_each.contains(&(register.as_str(), field.as_str())) { 16 } else { 6 };
        *many >= few * most
    });
    assert!(measured.is_empty(), "four times as many records make much more than four times the work: {measured:?}");
}
