//! A city that comes back from an old backup: its districts still hold what it signed since, and say it again.

use crate::pair::{UNITS, unit, write};
use prost::Message;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use taizhang_hub::{
    engine::FjallStore,
    months::{self, MonthsError},
    orders, plans,
    upward::Upward,
    writer::{Core, Job, Peer},
};
use taizhang_node::ledger::{Clock, Ledger};
use taizhang_proto::{
    date, orders as list_of,
    pb::{self, MonthText, SignedMonth, SignedOrders, TaskOrder, TaskOrders, Tier},
    register::number,
};
use taizhang_tests::{books, sim::copy_dir, talk::session};

const CITY: u64 = 210_400_000_000;
const DISTRICTS: [u64; 3] = [210_402_000_000, 210_403_000_000, 210_404_000_000];
/// An office in each of them.
const OFFICES: [u64; 3] = [210_402_001_000, 210_403_002_000, 210_404_002_000];

struct District {
    core: Arc<Core>,
    up: Arc<Upward>,
    office: Ledger,
}

/// Where everything is kept, and what time it is.
struct Place {
    dir: tempfile::TempDir,
    now: Arc<AtomicU64>,
}

impl Place {
    /// On 10 September 2026.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("authority")).unwrap();
        Self { dir, now: Arc::new(AtomicU64::new(1_789_000_000_000)) }
    }

    fn clock(&self) -> Clock {
        let now = self.now.clone();
        Arc::new(move || now.load(Ordering::Relaxed))
    }

    fn back_up(&self) -> tempfile::TempDir {
        let backup = tempfile::tempdir().unwrap();
        copy_dir(&self.dir.path().join(CITY.to_string()), backup.path()).unwrap();
        backup
    }
}

struct Federation {
    place: Place,
    city: Arc<Core>,
    districts: Vec<District>,
}

fn hub(place: &Place, code: u64, tier: Tier) -> Arc<Core> {
    let store = FjallStore::open(&place.dir.path().join(code.to_string())).unwrap();
    let core = Core::open(unit(code), tier, Box::new(store), place.clock()).unwrap();
    if tier == Tier::City {
        core.sign_with(plans::signing_key(place.dir.path()).unwrap());
    }
    if core.tree().is_empty() {
        // The districts of this city, and no other: one that was never heard is missing from a month.
        let own = |line: &&str| [CITY].iter().chain(&DISTRICTS).any(|code| line.starts_with(&code.to_string()[..6]));
        let heading = UNITS.lines().take(1);
        let lines: Vec<&str> = heading.chain(UNITS.lines().skip(1).filter(own)).collect();
        write(&core, Job::Tree(lines.join("\n"), None)).unwrap();
    }
    core
}

impl Federation {
    fn new() -> Self {
        let place = Place::new();
        let city = hub(&place, CITY, Tier::City);
        let district = |(code, own): (u64, u64)| {
            let core = hub(&place, code, Tier::District);
            let office = place.dir.path().join(format!("office-{own}"));
            let office = Ledger::open(&office, unit(own), place.clock()).unwrap();
            let house = books::enter(&office, number::HOUSEHOLD, &[("hh_no", "户1")]).to_string();
            let case = [("household", house.as_str()), ("kind", "1"), ("recognised_on", "2026-07-10")];
            books::enter(&office, number::ZEF_CASE, &case);
            District { up: Upward::new(core.clone(), None), core, office }
        };
        let districts = DISTRICTS.into_iter().zip(OFFICES).map(district).collect();
        Self { place, city, districts }
    }

    /// The city's data is what a backup holds.
    fn restore(&mut self, backup: &Path) {
        let nothing = tempfile::tempdir().unwrap();
        let store = FjallStore::open(nothing.path()).unwrap();
        self.city = Core::open(unit(CITY), Tier::City, Box::new(store), self.place.clock()).unwrap();
        let dir = self.place.dir.path().join(CITY.to_string());
        std::fs::remove_dir_all(&dir).unwrap();
        copy_dir(backup, &dir).unwrap();
        self.city = hub(&self.place, CITY, Tier::City);
    }

    /// A district calls the city until it is quiet, then its office the district. Returns how many sessions that took.
    fn call(&self, nth: usize) -> usize {
        let District { core, up, office } = &self.districts[nth];
        let talk = |hub: &Core, child: &dyn Fn() -> Option<pb::SyncReport>| {
            (1..6).find(|_| child().is_some_and(|report| report.equal && report.round_trips == 1)).unwrap_or_else(
                || {
                    panic!("{}: the sessions do not become quiet", hub.unit);
                },
            )
        };
        let peer = Peer { id: core.unit.to_string(), unit: core.unit, hub: true };
        let calls = talk(&self.city, &|| session(&self.city, &**up, &peer));
        let peer = Peer { id: "office".into(), unit: office.unit(), hub: false };
        calls + talk(core, &|| session(core, office, &peer))
    }

    fn call_each(&self, districts: std::ops::Range<usize>) {
        for nth in districts {
            self.call(nth);
        }
    }

    fn lock(&self, month: &str, reason: &str) -> Result<SignedMonth, MonthsError> {
        self.place.now.fetch_add(60_000, Ordering::Relaxed);
        let (month, reason, by) = (month.into(), reason.into(), "王科长".into());
        let request = pb::MonthRequest { month, reason, by, ..pb::MonthRequest::default() };
        let (signed, sheets) = months::sign(&self.city, self.city.signer().unwrap(), &request)?;
        write(&self.city, Job::Month { place: None, signed: Box::new(signed.clone()), sheets }).unwrap();
        Ok(signed)
    }

    fn give(&self, title: &str) {
        let order = TaskOrder {
            title: title.into(),
            to: OFFICES.into(),
            due_on: self.city.today() + 9,
            ..TaskOrder::default()
        };
        let request = pb::OrderRequest { order: Some(order), withdraw: 0 };
        write(&self.city, Job::Orders(orders::give(&self.city, self.city.signer().unwrap(), &request).unwrap()))
            .unwrap();
    }

    fn publish(&self, version: u32) {
        self.publish_with(version, 20);
    }

    fn publish_with(&self, version: u32, days: i32) {
        let text = include_str!("../../../proto/plan-2008.toml")
            .replace("days = 20 ", &format!("days = {days} "))
            .replace("version = 1\n", &format!("version = {version}\n"))
            .replace("\"2008-01-01\"", &format!("\"{}\"", date::iso(self.city.today())));
        let list = plans::publish(&self.city, self.city.signer().unwrap(), &text).unwrap();
        write(&self.city, Job::Plans(list)).unwrap();
    }

    fn titles(&self) -> Vec<(u32, String)> {
        orders::standing(&self.city).unwrap().orders.into_iter().map(|order| (order.no, order.title)).collect()
    }
}

fn locked(core: &Core) -> Vec<(String, u64)> {
    core.months().texts().map(|text| (text.month, text.locked_at)).collect()
}

fn text(signed: &SignedMonth) -> (String, u64) {
    let text = MonthText::decode(signed.text.clone()).unwrap();
    (text.month, text.locked_at)
}

#[test]
fn a_plan_under_a_number_that_was_given_before_the_restore_is_the_plan_of_everybody() {
    let mut all = Federation::new();
    all.call_each(0..3);
    let backup = all.place.back_up();
    all.publish_with(2, 15);
    all.call_each(0..2);
    all.restore(backup.path());
    // Nobody has called yet who could have said that there was a version 2.
    all.publish_with(2, 18);
    let days = |nth: usize| {
        let District { core, office, .. } = &all.districts[nth];
        let today = all.city.today();
        (core.plans().on(today).zef.days, office.plans().on(today).zef.days)
    };
    assert_eq!(days(0), (15, 15));
    for nth in [2, 0, 1] {
        all.call(nth);
        assert_eq!(days(nth), (18, 18), "{nth}");
        assert_eq!(all.districts[nth].core.plan_digest(), all.city.plan_digest());
    }
    assert_eq!(
        all.city.plans().on(all.city.today()).zef.days,
        18,
        "nothing that a district holds changes the city's word"
    );
    for nth in 0..3 {
        assert_eq!(all.call(nth), 2, "and then everybody is quiet at once");
    }
    all.publish_with(3, 17);
    all.call_each(0..3);
    assert_eq!([0, 1, 2].map(days), [(17, 17); 3]);
}

#[test]
fn what_the_city_signed_after_its_backup_comes_back_from_its_districts() {
    let mut all = Federation::new();
    all.give("核查零就业家庭");
    all.call_each(0..3);
    let backup = all.place.back_up();

    // Lost: two months, of which only the first district hears the second one; a plan; two tasks.
    all.publish(2);
    let july = all.lock("2026-07", "").unwrap();
    all.call_each(0..2);
    let august = all.lock("2026-08", "").unwrap();
    all.give("月报");
    all.call(0);
    all.restore(backup.path());
    assert_eq!((locked(&all.city), all.titles().len(), all.city.plan_version()), (vec![], 1, 0));

    // Before anybody calls, July is locked again, and another task is given under the number of the lost one; the third
    // district, which had heard of neither, hears these.
    let again = all.lock("2026-07", "").unwrap();
    all.give("招聘会");
    all.call(2);
    assert_eq!(locked(&all.districts[2].core), [text(&again)]);

    // The second district brings July as it was locked first, the first one August.
    all.call(1);
    assert_eq!(locked(&all.city), [text(&july)], "the one locked earlier stands");
    assert_eq!(all.city.plan_version(), 2);
    all.call(0);
    assert_eq!(locked(&all.city), [text(&july), text(&august)]);
    let titles = ["核查零就业家庭", "招聘会", "月报"].map(str::to_owned);
    assert_eq!(all.titles(), [1, 2, 3].into_iter().zip(titles).collect::<Vec<_>>());
    for nth in [1, 2, 0] {
        all.call(nth);
    }
    for (nth, District { core, office, .. }) in all.districts.iter().enumerate() {
        assert_eq!(locked(core), [text(&july), text(&august)], "{nth}");
        assert_eq!((core.plan_version(), office.plans().version()), (2, 2));
        assert_eq!(core.orders(), all.city.orders());
        assert_eq!(office.locked_month().as_deref(), Some("2026-08"), "{nth}");
        assert_eq!(office.state().months, 2);
        assert_eq!(office.ids(number::TASK).unwrap().len(), 3, "each task is one record");
        assert_eq!(all.call(nth), 2, "nobody has anything to say");
    }

    // The sheets came back with the districts that had heard of the month, and the city's own with any of them.
    let lost: Vec<u64> = DISTRICTS[1..].to_vec();
    let problems = months::verify(&all.city).unwrap();
    let missing =
        |month: &str, unit: u64| problems.iter().any(|one| one.contains(month) && one.contains(&unit.to_string()));
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(missing("2026-07", lost[1]) && missing("2026-08", lost[0]) && missing("2026-08", lost[1]), "{problems:?}");

    // What is reported of units whose figures are lost must not pass for corrections.
    all.place.now.fetch_add(30 * 86_400_000, Ordering::Relaxed);
    all.call_each(0..3);
    let refused = all.lock("2026-09", "").unwrap_err();
    assert!(matches!(refused, MonthsError::Lost { .. }), "{refused}");
    let september = all.lock("2026-09", "数字随硬盘丢失").unwrap();
    all.call_each(0..3);
    assert!(all.districts.iter().all(|one| locked(&one.core).last() == Some(&text(&september))));
}

#[test]
fn each_district_gives_its_own_sheet_back_whoever_has_brought_the_month() {
    let mut all = Federation::new();
    // What its office has told it, a district tells the city when it calls next.
    all.call_each(0..3);
    all.call_each(0..3);
    let backup = all.place.back_up();
    all.lock("2026-07", "").unwrap();
    all.lock("2026-08", "").unwrap();
    let asked = pb::MonthRequest { month: "2026-07".into(), ..pb::MonthRequest::default() };
    let signed = months::report(&all.city, &asked).unwrap();
    all.call_each(0..3);
    all.restore(backup.path());
    for nth in [1, 0, 2] {
        all.call(nth);
        let report = months::report(&all.city, &asked).unwrap();
        let lost = DISTRICTS.into_iter().enumerate().filter(|(place, _)| match nth {
            1 => *place != 1,
            0 => *place == 2,
            _ => false,
        });
        let lost: Vec<u64> = lost.map(|(_, code)| code).collect();
        assert_eq!(report.lost.iter().map(|unit| unit.unit).collect::<Vec<_>>(), lost, "what is not here is not 0");
        assert!(report.ranks.iter().all(|one| !lost.contains(&one.unit)));
        assert_eq!(report.month.unwrap().adjustments, [], "nor has it been corrected");
    }
    assert_eq!(months::verify(&all.city).unwrap(), Vec::<String>::new());
    let report = months::report(&all.city, &asked).unwrap();
    assert_eq!((&report.figures, &report.ranks), (&signed.figures, &signed.ranks));
    for nth in 0..3 {
        assert_eq!(all.call(nth), 2, "and nobody is asked again");
    }
}

#[test]
fn a_child_can_not_put_in_what_the_city_never_signed() {
    let mut all = Federation::new();
    let backup = all.place.back_up();
    all.lock("2026-07", "各县区尚未接入").unwrap();
    all.give("核查零就业家庭");
    all.call(0);
    all.restore(backup.path());
    // A district that lies: its list is signed by itself, and its month is another one.
    let own = tempfile::tempdir().unwrap();
    std::fs::create_dir(own.path().join("authority")).unwrap();
    let forger = plans::signing_key(own.path()).unwrap();
    let order =
        TaskOrder {
            no: 7, title: "假".into(), to: vec![DISTRICTS[0]], given_on: 1, due_on: 2, ..TaskOrder::default()
        };
    let list = TaskOrders { version: 9, orders: vec![order] };
    let (key, signature) = plans::sign(&forger, taizhang_proto::sign::Purpose::Orders, &list.encode_to_vec());
    let forged = SignedOrders { text: list.encode_to_vec().into(), key, signature };
    assert!(list_of::read(&forged, None).is_ok(), "sound but for its key");
    let peer = || Peer { id: "one".into(), unit: unit(DISTRICTS[0]), hub: true };
    let say = |kind: &str, version: u64, content: Vec<u8>| {
        let document = pb::Document { kind: kind.into(), version, content: content.into() };
        write(&all.city, Job::Again { peer: peer(), document }).unwrap();
    };
    say("orders", 9, forged.encode_to_vec());
    say("orders", 9, vec![0xff; 40]);
    say("month", 1, vec![0xff; 40]);
    say("plan", 9, vec![0xff; 40]);
    assert_eq!((locked(&all.city), all.titles().len(), all.city.plan_version()), (vec![], 0, 0));
    all.call(0);
    assert_eq!((locked(&all.city).len(), all.titles().len()), (1, 1), "what it did sign comes back");

    // What was not asked for ends the session.
    let mut server = taizhang_hub::session::Server::new(peer());
    let hello = pb::Hello { protocol_min: 2, protocol_max: 2, incarnation: vec![1; 16].into(), ..pb::Hello::default() };
    server.receive(pb::Up { it: Some(pb::up::It::Hello(hello)) }).unwrap();
    let document = pb::Document { kind: "month".into(), version: 1, content: Vec::new().into() };
    assert!(server.receive(pb::Up { it: Some(pb::up::It::Document(document)) }).is_err());
}
