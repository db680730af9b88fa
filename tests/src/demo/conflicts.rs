//! A hundred disagreements as offices make them, and the reviewers' commands that settle them.
//! Invariant: offices enter through their desks and reviewers rule through the hub's writer, as the programs do; at the
//! end every office holds what its district holds and every tier counts the same.

use crate::town::{OfficePlan, Town, agreement};
use anyhow::{Context, ensure};
use std::collections::BTreeMap;
use taizhang_hub::{
    review::{Query, open_conflicts},
    writer::{Answer, Job, Review},
};
use taizhang_node::desk::{Desk, Draft};
use taizhang_proto::{
    OrgCode, RecordId,
    citizen_id::check_character,
    pb::{self, Choice, ConflictKind},
    register::{Value, number, registers},
};

/// Streets that take part: each with two of its communities, all away from the line while they work.
const STREETS: [u64; 2] = [210_402_005_000, 210_403_002_000];
/// Persons on each street's register.
const PERSONS: usize = 60;

/// Three offices of one street, by place in the town.
struct Street {
    street: usize,
    communities: [usize; 2],
    persons: Vec<RecordId>,
    households: Vec<RecordId>,
}

/// A form with fields by name, as text a clerk writes.
fn form(id: RecordId, register: u32, fields: &[(&str, &str)]) -> anyhow::Result<Draft> {
    let def = registers().get(register).context("register")?;
    let mut draft = Draft::new(id, register);
    for (name, text) in fields {
        let field = def.field_named(name).with_context(|| format!("{name} in {}", def.name))?;
        draft = draft.with(field.tag, Value::parse(field, text).map_err(anyhow::Error::msg)?.0);
    }
    Ok(draft)
}

fn id_number(serial: usize) -> anyhow::Result<String> {
    let digits = format!("21040219{:02}0615{:03}", 60 + serial / 900, serial % 900 + 50);
    let check = check_character(digits.as_bytes()).context("digits")?;
    Ok(format!("{digits}{}", check as char))
}

fn enter(town: &Town, office: usize, drafts: Vec<Draft>) -> anyhow::Result<()> {
    for answer in town.offices[office].desk().save(drafts.into_iter().map(|draft| vec![draft]).collect(), "演示") {
        answer?;
    }
    Ok(())
}

async fn sync_all(town: &Town, streets: &[Street]) -> anyhow::Result<()> {
    // Three times: what the last one says reaches the first, and what a rule makes of it all of them.
    for _ in 0..3 {
        for street in streets {
            for office in street.communities.iter().chain([&street.street]) {
                let report = town.offices[*office].sync().await?;
                ensure!(report.ok, "{}", report.error);
            }
        }
    }
    Ok(())
}

/// Opens the offices of one street and fills its first community's registers.
async fn open_street(town: &mut Town, unit: u64, base: usize) -> anyhow::Result<Street> {
    let unit = OrgCode::new(unit)?;
    let communities: Vec<OrgCode> = town.tree.children(unit).take(2).map(|unit| unit.code).collect();
    let mut places = Vec::new();
    for unit in [vec![unit], communities].concat() {
        places.push(town.open_office(OfficePlan::nightly(unit)).await?);
    }
    let [street, first, second] = places[..] else { anyhow::bail!("{unit} has no two communities") };
    let desk = town.offices[first].desk();
    let (mut persons, mut households, mut drafts) = (Vec::new(), Vec::new(), Vec::new());
    for serial in 0..PERSONS {
        let id = desk.new_id();
        persons.push(id);
        let number = id_number(base + serial)?;
        drafts.push(form(id, number::RESIDENT, &[("id_no", &number), ("name", "王立新"), ("phone", "13840000000")])?);
        if serial % 4 == 0 {
            let household = desk.new_id();
            households.push(household);
            let book = format!("抚{}", base + serial);
            drafts.push(form(
                household,
                number::HOUSEHOLD,
                &[("hukou_book_no", &book), ("head_person", &id.to_string())],
            )?);
            let member = [("household", household.to_string()), ("person", id.to_string())];
            let member = member.each_ref().map(|(name, text)| (*name, text.as_str()));
            drafts.push(form(desk.new_id(), number::MEMBER, &member)?);
        }
    }
    drop(desk);
    enter(town, first, drafts)?;
    Ok(Street { street, communities: [first, second], persons, households })
}

/// What the offices of a street enter while none hears the others.
fn disagree(town: &Town, street: &Street, base: usize) -> anyhow::Result<()> {
    let [first, second] = street.communities;
    let new_id = || town.offices[first].desk().new_id();
    let person = |place: usize| street.persons[place];
    let edit = |place: usize, fields: &[(&str, &str)]| form(person(place), number::RESIDENT, fields);
    let (mut ours, mut theirs, mut next) = (Vec::new(), Vec::new(), Vec::new());
    // Both correct the phone: the later stands. Both correct the name: a reviewer decides.
    for place in 0..22 {
        ours.push(edit(place, &[("phone", &format!("138000000{place:02}"))])?);
        theirs.push(edit(place, &[("phone", &format!("139000000{place:02}"))])?);
    }
    for place in 22..28 {
        ours.push(edit(place, &[("name", "王力新")])?);
        theirs.push(edit(place, &[("name", "王立欣")])?);
    }
    // Registered a second time in the next community.
    for place in 28..34 {
        let number = id_number(base + place)?;
        next.push(form(new_id(), number::RESIDENT, &[("id_no", &number), ("name", "王立新")])?);
    }
    // One job, entered by the community and from the employer's list, with another day.
    for place in 34..37 {
        let who = person(place).to_string();
        let job = |day: &'static str| {
            [("person", who.as_str()), ("employer", "抚顺石化公司"), ("start_on", day), ("kind", "1")].map(|pair| pair)
        };
        ours.push(form(new_id(), number::PLACEMENT, &job("2008-03-05"))?);
        theirs.push(form(new_id(), number::PLACEMENT, &job("2008-03-09"))?);
    }
    // Voided by the community while the street goes on with it.
    for place in 37..40 {
        ours.push(edit(place, &[("state", "2"), ("void_reason", "录入错误")])?);
        theirs.push(edit(place, &[("address", "永安台三委")])?);
    }
    // Placed after the day of death that the other office records.
    for place in 40..43 {
        let who = person(place).to_string();
        ours.push(edit(place, &[("death_on", "2008-02-20")])?);
        theirs.push(form(new_id(), number::PLACEMENT, &[("person", &who), ("start_on", "2008-03-01"), ("kind", "3")])?);
    }
    // One place, two placements.
    let post = new_id();
    let post_no = format!("公岗{base}");
    theirs.push(form(post, number::POST, &[("post_no", &post_no), ("places", "1"), ("kind", "1")])?);
    for place in 43..46 {
        let (who, post) = (person(place).to_string(), post.to_string());
        let fields = [("person", who.as_str()), ("start_on", "2008-03-03"), ("kind", "2"), ("post", post.as_str())];
        theirs.push(form(new_id(), number::PLACEMENT, &fields)?);
    }
    // Recognised as without employment, while the street knows of a job that began before.
    for (place, household) in street.households.iter().enumerate().skip(11).take(3) {
        let (who, household) = (person(place * 4).to_string(), household.to_string());
        ours.push(form(new_id(), number::ZEF_CASE, &[("household", &household), ("recognised_on", "2008-03-01")])?);
        theirs.push(form(new_id(), number::PLACEMENT, &[("person", &who), ("start_on", "2008-01-10"), ("kind", "1")])?);
    }
    // A community that says it is certified: the district's word.
    let case = [("applied_on", "2008-01-08"), ("stage", "5"), ("certified_on", "2008-02-28")];
    for (office, forms) in [(first, &mut ours), (second, &mut next)] {
        let desk = town.offices[office].desk();
        let own = desk.list(number::FEC_CASE)?.into_iter().map(|(id, _)| id).next();
        forms.push(form(own.unwrap_or_else(|| desk.new_id()), number::FEC_CASE, &case)?);
    }
    enter(town, first, ours)?;
    enter(town, street.street, theirs)?;
    enter(town, second, next)
}

/// How a reviewer settles each kind in bulk, with the reason given.
const RULINGS: [(ConflictKind, Choice, &str); 9] = [
    (ConflictKind::Field, Choice::Take, "经查户口簿和劳动合同，以街道所报为准"),
    (ConflictKind::Claim, Choice::Take, "经考核合格，予以认定"),
    (ConflictKind::Duplicate, Choice::Merge, "同一人，并入先登记的一条"),
    (ConflictKind::SameHousehold, Choice::Merge, "同一户"),
    (ConflictKind::ClosedEdited, Choice::Keep, "作废有据，维持"),
    (ConflictKind::LeftButPlaced, Choice::Revoke, "死亡后的安置，作废"),
    (ConflictKind::DoubleBooked, Choice::Keep, "岗位已满，列入候补"),
    (ConflictKind::Recognition, Choice::Revoke, "认定时已有工作，撤销认定"),
    (ConflictKind::TwoHouseholds, Choice::Revoke, "以先登记的一户为准"),
];

/// The open conflicts of a district, by kind.
fn queue(town: &Town, district: usize) -> anyhow::Result<BTreeMap<i32, Vec<u64>>> {
    let core = &town.districts[district].hub.core;
    let query = pb::ConflictQuery { limit: 1_000, ..pb::ConflictQuery::default() };
    let query = Query::read(&query, core.now(), None).map_err(anyhow::Error::msg)?;
    let mut kinds: BTreeMap<i32, Vec<u64>> = BTreeMap::new();
    for conflict in open_conflicts(core, &query)?.0 {
        kinds.entry(conflict.kind).or_default().push(conflict.number);
    }
    Ok(kinds)
}

/// Rules on everything open that is of these kinds; returns how many were settled.
async fn settle(town: &Town, kinds: &[(ConflictKind, Choice, &str)]) -> anyhow::Result<u64> {
    let mut settled = 0;
    for district in 0..town.districts.len() {
        for (kind, choice, reason) in kinds {
            let answer = rule(town, district, *kind, *choice, reason).await?;
            ensure!(answer.failed.is_empty(), "{:?}", answer.failed);
            settled += answer.settled;
        }
    }
    Ok(settled)
}

/// Rules alike on all of a kind that is open at a district.
async fn rule(
    town: &Town,
    district: usize,
    kind: ConflictKind,
    choice: Choice,
    reason: &str,
) -> anyhow::Result<pb::ResolveAnswer> {
    let Some(numbers) = queue(town, district)?.remove(&kind.into()) else { return Ok(pb::ResolveAnswer::default()) };
    let request = pb::ResolveRequest {
        numbers,
        choice: choice.into(),
        reason: reason.into(),
        by: "县区审核员".into(),
        despite: true,
        ..pb::ResolveRequest::default()
    };
    match town.districts[district].hub.writer.write(Job::Review(Review::Resolve(request))).await? {
        Answer::Reviewed(answer) => Ok(answer),
        _ => anyhow::bail!("the writer answered something else"),
    }
}

/// Districts decide on what offices say of certification and checks, which are the districts' to say. What the rules
/// refuse to confirm, such as a title where a household is past its days, a reviewer turns down. Returns how many were
/// confirmed and how many turned down.
pub(super) async fn certify(town: &Town) -> anyhow::Result<(u64, u64)> {
    let (mut confirmed, mut turned_down) = (0, 0);
    for district in 0..town.districts.len() {
        let answer = rule(town, district, ConflictKind::Claim, Choice::Take, "据历年考核结果，予以确认").await?;
        confirmed += answer.settled;
        let left = rule(town, district, ConflictKind::Claim, Choice::Keep, "不符合认定条件，不予确认").await?;
        ensure!(left.failed.is_empty(), "{:?}", left.failed);
        turned_down += left.settled;
    }
    Ok((confirmed, turned_down))
}

/// Makes the disagreements, shows them, settles them, and says whether everything agrees afterwards.
///
/// # Errors
/// When something can't be entered, synced or settled.
pub(super) async fn run(town: &mut Town) -> anyhow::Result<bool> {
    let mut streets = Vec::new();
    for (place, unit) in STREETS.into_iter().enumerate() {
        streets.push(open_street(town, unit, place * 200 + 100).await?);
    }
    sync_all(town, &streets).await?;
    for (place, street) in streets.iter().enumerate() {
        disagree(town, street, place * 200 + 100)?;
    }
    sync_all(town, &streets).await?;
    println!("\n冲突 (conflicts)：{} 个街道的 {} 个节点离线各自录入之后", streets.len(), streets.len() * 3);
    let mut open = 0;
    for district in 0..town.districts.len() {
        for (kind, numbers) in queue(town, district)? {
            let kind = ConflictKind::try_from(kind).unwrap_or_default();
            println!(
                "  {} {:16} {:3} 个，编号 {}…",
                town.tree.name(town.districts[district].unit),
                kind.as_str_name().to_lowercase(),
                numbers.len(),
                numbers[0]
            );
            open += numbers.len();
        }
    }
    let by_rule = by_rule(town)?;
    println!("  待裁定 (open) {open}，按规则已处理 (settled by rule) {by_rule}，共 (in all) {}", open as u64 + by_rule);
    let settled = settle(town, &RULINGS).await?;
    sync_all(town, &streets).await?;
    town.settled(|_, _| {}).await?;
    let mut left = 0;
    for district in 0..town.districts.len() {
        left += queue(town, district)?.values().map(Vec::len).sum::<usize>();
    }
    let equal = streets.iter().all(|street| {
        street.communities.iter().chain([&street.street]).all(|office| town.offices[*office].ledger().state().equal)
    });
    let agreement = tokio::task::block_in_place(|| agreement(town))?;
    let holds = agreement.holds() && equal && left == 0;
    println!(
        "  审核员裁定 (ruled) {settled}，剩余 (left) {left}；各节点与县区一致 (digests equal): {equal}；重新清点差异 (differences) {} 处：{}",
        agreement.differences.len(),
        if holds { "一致" } else { "不一致 (DIFFERENT)" }
    );
    Ok(holds)
}

/// How many concurrent edits rules have settled in all districts.
fn by_rule(town: &Town) -> anyhow::Result<u64> {
    use prost::Message;
    let mut count = 0;
    for district in &town.districts {
        for row in district.hub.core.view().prefix(taizhang_hub::store::Space::Conflicts, &[]) {
            let conflict = pb::Conflict::decode(row?.1)?;
            count += u64::from(conflict.state() == pb::ConflictState::ByRule);
        }
    }
    Ok(count)
}
