//! Who takes part, and forms, books and registers: the development zone as a district of its own, archives, files of the
//! older software, and data that are kept alive (items 2 and 52).

use crate::{CITY, counts, standing, stands, up};
use taizhang_hub::{
    state::readers,
    totals::{answer_within, children},
    writer::Job,
};
use taizhang_node::{
    exchange::{self, Format, Options, Source},
    identity::Identity,
};
use taizhang_proto::{
    pb::{self, admin_client::AdminClient, sync_client::SyncClient, totals_client::TotalsClient},
    register::{number, registers},
};
use taizhang_tests::{
    books,
    scene::{DISTRICT, FIRST, STREET, Scene, unit},
    town::{Plan, UNITS},
};

/// The development zone: a committee at a district's place, with one street and one community.
const ZONE: u64 = 210_471_000_000;
const ZONE_STREET: u64 = 210_471_001_000;
const ZONE_COMMUNITY: u64 = 210_471_001_001;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_development_zone_reports_beside_the_districts_and_sees_nothing_of_theirs() {
    let units = format!(
        "{UNITS}\n{ZONE},经济开发区管委会,{CITY},district\n{ZONE_STREET},高湾街道,{ZONE},township\n\
         {ZONE_COMMUNITY},高湾社区居委会,{ZONE_STREET},community\n"
    );
    let scene = Scene::planned(&[FIRST, ZONE_COMMUNITY], Plan { units, ..Plan::default() }).await;
    let ours = scene.resident(FIRST, 1, &[]);
    let (theirs, second) = (scene.resident(ZONE_COMMUNITY, 2, &[]), scene.resident(ZONE_COMMUNITY, 3, &[]));
    scene.agrees().await;
    stands(&scene, ZONE_COMMUNITY, theirs, &[("name", "赵立新"), ("home_unit", &ZONE_COMMUNITY.to_string())]);
    stands(&scene, FIRST, ours, &[("name", "赵立新")]);
    assert_eq!(counts(&scene, ZONE_COMMUNITY, "K00", "2008-03-20"), [2, 2, 2, 3]);
    assert_eq!(counts(&scene, FIRST, "K00", "2008-03-20"), [1, 1, 1, 3]);
    let [ours_at, theirs_at] = [FIRST, ZONE_COMMUNITY].map(|code| books::records_at(&scene.hub_of(code).hub));
    assert!(!ours_at.contains_key(&theirs) && !theirs_at.contains_key(&ours) && theirs_at.contains_key(&second));
    // It is one of those that the 60 percent are asked of.
    let each = |on| {
        let line = standing(&scene, CITY, "K01", on);
        (line.each_reached, line.each)
    };
    assert_eq!(each("2008-06-01"), (0, 8), "whoever is connected");
    let title = [("stage", "5"), ("applied_on", "2008-04-01"), ("certified_on", "2008-06-01")];
    scene.record(ZONE_COMMUNITY, "FecCase", &title).await;
    scene.agrees().await;
    assert_eq!(each("2008-06-01"), (1, 8));
    assert!(scene.hub_of(ZONE_COMMUNITY).figure(unit(FIRST), "K00").is_err(), "it can't ask for another's figures");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_member_unit_reads_the_figures_of_its_unit_and_nothing_else() {
    let scene = Scene::of(&[FIRST]).await;
    scene.resident(FIRST, 1, &[]);
    scene.agrees().await;
    let city = &scene.town.city;
    let dir = tempfile::tempdir().unwrap();
    let enrol = |name: &'static str, code| {
        let (gate, place) = (city.gate(), dir.path().join(name));
        async move { gate.enrol_reader(&place, unit(code), name).await }
    };
    let finance = enrol("市财政局", CITY).await.unwrap();
    let district_union = enrol("新抚区总工会", DISTRICT).await.unwrap();
    assert!(enrol(" ", CITY).await.is_err(), "nobody is no reader");
    let ask = |identity: &Identity, of: u64| {
        let (identity, asked) = (identity.clone(), vec!["K00".to_owned()]);
        let request = pb::TotalsRequest { unit: of, indicators: asked, ..pb::TotalsRequest::default() };
        async move { TotalsClient::new(identity.connect().await.unwrap()).query(request).await }
    };
    let counted = |answer: tonic::Response<pb::TotalsAnswer>| answer.into_inner().values[0].numerator;
    assert_eq!(counted(ask(&finance, 0).await.unwrap()), 1);
    // Whoever reads a figure is told whether somebody behind it has not been heard: today everybody was, in three days
    // nobody will have been.
    let heard = |on| {
        let answer =
            answer_within(&city.hub.core, &pb::TotalsRequest { on, ..pb::TotalsRequest::default() }, unit(CITY));
        answer.unwrap().units.iter().map(|unit| (unit.nodes, unit.silent)).collect::<Vec<_>>()
    };
    let today = city.hub.core.today();
    assert_eq!(
        (heard(0), heard(today + 3)),
        (vec![(8, 6)], vec![(8, 7)]),
        "an office, its district, and six never heard"
    );
    assert_eq!(counted(ask(&finance, FIRST).await.unwrap()), 1, "down to a community");
    assert_eq!(counted(ask(&district_union, 0).await.unwrap()), 1);
    assert!(ask(&district_union, CITY).await.is_err(), "no more than its district");
    // Nothing but figures: neither a session nor the hub's own commands.
    let channel = finance.connect().await.unwrap();
    let up = tokio_stream::iter([pb::Up::default()]);
    let refused = SyncClient::new(channel.clone()).session(up).await.unwrap_err();
    assert!(refused.message().contains("只读"), "{refused}");
    assert_eq!(AdminClient::new(channel).nodes(pb::Empty {}).await.unwrap_err().code(), tonic::Code::Unimplemented);
    let readers = readers::all(&city.hub.core).unwrap();
    assert_eq!(readers.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["市财政局", "新抚区总工会"]);
    assert!(children(city.hub.core.view().as_ref()).unwrap().iter().all(|node| node.hub), "a reader is no node");
    let retire = |undo| {
        city.hub.writer.write(Job::Retire {
            id: readers[0].id.clone(),
            undo,
            decided: taizhang_hub::writer::Decided::default(),
        })
    };
    retire(false).await.unwrap();
    assert!(ask(&finance, 0).await.unwrap_err().message().contains("停用"));
    retire(true).await.unwrap();
    ask(&finance, 0).await.unwrap();
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn forms_books_and_registers_are_filed_within_ten_working_days() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let file = |no, class, archived_on| {
        let fields = [
            ("archive_no", no),
            ("class", class),
            ("title", "2008年一季度失业登记"),
            ("formed_on", "2008-03-20"),
            ("keep", "三十年"),
            ("place", "2-3"),
        ];
        scene.enter(FIRST, number::ARCHIVE_ENTRY, &[&fields[..], &[("archived_on", archived_on)]].concat())
    };
    let form = file("YY-2008-B-1", "表", "2008-04-03");
    // The notice prints 薄 where it means 簿; offices copy it.
    let book = file("YY-2008-B-2", "薄", "2008-04-07");
    let list = file("YY-2008-C-1", "册", "");
    scene.agrees().await;
    stands(&scene, FIRST, form, &[("class", "表"), ("keep", "30年"), ("place", "2-3"), ("archived_on", "2008-04-03")]);
    stands(&scene, FIRST, book, &[("class", "簿")]);
    let filed = |on| up(&scene, FIRST, "K37", on);
    // Ten working days after 20 March; the 4th of April is a holiday.
    assert_eq!((filed("2008-04-02"), filed("2008-04-03")), (vec![(0, 0); 4], vec![(1, 3); 4]));
    let asked = standing(&scene, DISTRICT, "K37", "2008-04-03");
    assert_eq!((asked.target, asked.left), (0.95, 2));
    scene.amend(
        FIRST,
        list,
        &[("archived_on", "2008-03-28"), ("digital_hash", "blake3:71fa"), ("borrow", "周敏 2008-05-06")],
    );
    scene.agrees().await;
    stands(
        &scene,
        FIRST,
        list,
        &[("archived_on", "2008-03-28"), ("digital_hash", "blake3:71fa"), ("borrow", "周敏 2008-05-06")],
    );
    assert_eq!(filed("2008-04-03"), [(2, 3); 4]);
    let early = [
        ("archive_no", "YY-2"),
        ("class", "1"),
        ("title", "表"),
        ("keep", "1"),
        ("formed_on", "2008-03-20"),
        ("archived_on", "2008-03-01"),
    ];
    let refused = books::refused(scene.ledger(FIRST), number::ARCHIVE_ENTRY, None, &early);
    assert!(refused.contains("归档早于形成"), "{refused}");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_table_of_the_older_software_comes_in_travels_and_goes_out_again() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let source = Source { file_name: "laodong99.csv", content: include_bytes!("../../data/rosters/laodong99.csv") };
    let options = Options { by: "test".into(), ..Options::default() };
    let import = || exchange::import(&scene.at(FIRST).desk(), &source, &options, &mut |_, _| {}).unwrap();
    let report = import();
    assert_eq!((report.rows, report.new_rows, report.wrong_rows), (60, 59, 1), "{:?}", report.findings);
    assert!(report.reasons.is_some(), "the wrong row comes back with its reason");
    scene.agrees().await;
    let today = scene.ago(0);
    assert_eq!(counts(&scene, FIRST, "K00", &today), [59; 4]);
    let again = import();
    assert_eq!((again.new_rows, again.changed_rows, again.same_rows), (0, 0, 59));
    let at_district = books::records_at(&scene.hub().hub);
    let people = at_district.iter().filter(|(_, record)| record.register == number::RESIDENT);
    let (id, _) = people.min_by_key(|(id, _)| **id).unwrap();
    stands(&scene, FIRST, *id, &[("source", "导入")]);

    let register = registers().get(number::RESIDENT).unwrap();
    let (bytes, rows) = exchange::export(&scene.at(STREET).desk(), register, None, Format::Csv).unwrap();
    assert_eq!(rows, 59, "the street has what its community imported");
    let text = String::from_utf8_lossy(&bytes);
    for person in at_district.values().filter(|record| record.register == number::RESIDENT) {
        assert!(text.contains(&books::shown(person, "id_no")));
    }
    // What was exported is what stands: taking it in again changes nothing.
    let file = Source { file_name: "居民登记.csv", content: &bytes };
    let back = exchange::import(&scene.at(STREET).desk(), &file, &options, &mut |_, _| {}).unwrap();
    assert_eq!((back.rows, back.new_rows, back.changed_rows), (59, 0, 0), "{:?}", back.findings);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn data_are_alive_while_somebody_has_verified_them_of_late() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let verified = [("verified_on", "2008-03-01")];
    let person = scene.resident(FIRST, 1, &verified);
    scene.resident(FIRST, 2, &[]);
    scene.agrees().await;
    let fresh = |on| up(&scene, FIRST, "K38", on);
    assert_eq!((fresh("2008-02-29"), fresh("2008-03-01")), (vec![(0, 2); 4], vec![(1, 2); 4]));
    assert_eq!((fresh("2008-05-30"), fresh("2008-05-31")), (vec![(1, 2); 4], vec![(0, 2); 4]), "ninety days");
    assert_eq!(standing(&scene, DISTRICT, "K38", "2008-03-01").left, 1);
    // A visit verifies; people in hardship are to be seen every thirty days.
    let of = person.to_string();
    let visit = [("person", of.as_str()), ("kind", "1"), ("on", "2008-05-20"), ("by_assistant", "孙丽华")];
    scene.enter(FIRST, number::SERVICE_RECORD, &visit);
    scene.agrees().await;
    assert_eq!(
        (fresh("2008-05-31"), fresh("2008-08-18"), fresh("2008-08-19")),
        (vec![(1, 2); 4], vec![(1, 2); 4], vec![(0, 2); 4])
    );
    let hardship =
        [("person", of.as_str()), ("kind", "01"), ("applied_on", "2008-05-01"), ("recognised_on", "2008-05-20")];
    scene.enter(FIRST, number::HARDSHIP_CASE, &hardship);
    scene.agrees().await;
    assert_eq!((fresh("2008-06-19"), fresh("2008-06-20")), (vec![(1, 2); 4], vec![(0, 2); 4]));
    scene.end().await;
}
