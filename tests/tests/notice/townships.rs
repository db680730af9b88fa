//! Rural townships and villages: premises, six in place, people and money (items 27, 36 to 42).

use crate::{TOWNSHIP, VILLAGE, counts, day, publish, second_plan, standing, stands, up};
use taizhang_proto::{
    RecordId,
    pb::{Choice, ConflictKind},
    plan::Bound,
    register::number,
};
use taizhang_tests::{
    books,
    scene::{DISTRICT, FIRST, STREET, Scene, unit},
};

const OPENED: &str = "2008-02-01";
const CHECKED: &str = "2008-06-30";
const DAY_BEFORE: &str = "2008-06-29";

fn office(scene: &Scene, fields: &[(&str, &str)]) -> RecordId {
    scene.enter(TOWNSHIP, number::FACILITY, &[&[("kind", "1"), ("opened_on", OPENED)], fields].concat())
}

/// The district has been there and verified something.
async fn verify(scene: &Scene, facility: RecordId, fields: &[(&str, &str)]) {
    scene.meet().await;
    let visit = [("checked_on", CHECKED), ("checked_by", "王芳")];
    scene.revise(facility, "Facility", &[&visit, fields].concat()).await;
    scene.agrees().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_township_office_has_100_square_metres_once_the_district_has_measured_them() {
    let scene = Scene::of(&[TOWNSHIP]).await;
    let own = office(&scene, &[("area_m2", "99.99"), ("ownership", "自有")]);
    let figures = |on| up(&scene, TOWNSHIP, "K18", on);
    verify(&scene, own, &[("area_verified", "是")]).await;
    assert_eq!(figures(CHECKED), [(0, 1); 3], "a hundredth too small");
    scene.amend(TOWNSHIP, own, &[("area_m2", "100")]);
    verify(&scene, own, &[("area_verified", "否")]).await;
    assert_eq!(figures(CHECKED), [(0, 1); 3], "nobody has measured it");
    let asked = standing(&scene, DISTRICT, "K18", CHECKED);
    assert_eq!((asked.target, asked.reached, asked.left), (1.0, false, 1));
    verify(&scene, own, &[("area_verified", "是")]).await;
    assert_eq!(figures(CHECKED), [(1, 1); 3]);
    assert_eq!(figures(DAY_BEFORE), [(0, 1); 3]);
    assert!(standing(&scene, DISTRICT, "K18", CHECKED).reached);
    stands(&scene, TOWNSHIP, own, &[("area_m2", "100"), ("area_verified", "是"), ("checked_by", "王芳")]);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn six_are_in_place_when_each_has_evidence_and_the_district_has_verified_all_of_them() {
    let scene = Scene::of(&[TOWNSHIP]).await;
    let figures = |on| up(&scene, TOWNSHIP, "K19", on);
    let proofs = "编办批复1、人员:聘用合同、经费:财政拨款单、场地:产权证、制度:上墙照片、工作:台账";
    let own = office(&scene, &[("six_claim", "1、2、3、4、5、6"), ("six_evidence", proofs)]);
    scene.agrees().await;
    assert_eq!(figures(CHECKED), [(0, 1); 3], "a claim does not count");
    // What the office says in the district's column is a claim, too.
    scene.amend(TOWNSHIP, own, &[("six_verified", "1、2、3、4、5、6")]);
    scene.agrees().await;
    let claim = scene.found(ConflictKind::Claim, own, &["six_verified"]).await;
    scene.rule(&claim, Choice::Keep).await;
    assert_eq!(figures(CHECKED), [(0, 1); 3]);

    verify(&scene, own, &[("six_verified", "1、2、3、4、5、6")]).await;
    assert_eq!(figures(CHECKED), [(0, 1); 3], "nothing proves the first one");
    scene.amend(TOWNSHIP, own, &[("six_evidence", &proofs.replace("编办批复1", "机构:编办批复"))]);
    verify(&scene, own, &[("six_verified", "1、2、3、4、5")]).await;
    assert_eq!(figures(CHECKED), [(0, 1); 3], "five are not six");
    let asked = standing(&scene, DISTRICT, "K19", CHECKED);
    assert_eq!((asked.target, asked.left), (1.0, 1));
    verify(&scene, own, &[("six_verified", "1、2、3、4、5、6")]).await;
    assert_eq!(figures(CHECKED), [(1, 1); 3], "as a street of the city has them");
    assert_eq!(figures(DAY_BEFORE), [(0, 1); 3]);
    let said =
        [("six_verified", "机构、人员、经费、场地、制度、工作"), ("checked_on", CHECKED), ("checked_by", "王芳")];
    stands(&scene, TOWNSHIP, own, &said);
    scene.queue_is_empty().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_village_is_covered_while_it_has_a_fixed_place_and_an_assistant() {
    let scene = Scene::of(&[VILLAGE, TOWNSHIP]).await;
    let figures = |on| up(&scene, VILLAGE, "K20", on);
    // The township has eleven villages, the district thirteen.
    let none = [(0, 1), (0, 11), (0, 13), (0, 13)];
    let place = scene.enter(VILLAGE, number::FACILITY, &[("kind", "4"), ("opened_on", OPENED), ("fixed_place", "是")]);
    scene.agrees().await;
    assert_eq!(figures("2008-06-01"), none, "a place without anybody in it");
    let fields = [("name", "刘桂兰"), ("from_on", "2008-05-01"), ("to_on", "2008-11-01"), ("role", "2")];
    let assistant = scene.enter(VILLAGE, number::ASSISTANT, &fields);
    scene.agrees().await;
    stands(&scene, VILLAGE, place, &[("kind", "村服务点"), ("fixed_place", "是")]);
    stands(&scene, VILLAGE, assistant, &[("name", "刘桂兰"), ("from_on", "2008-05-01")]);
    assert_eq!(figures("2008-04-30"), none);
    assert_eq!(figures("2008-05-01"), [(1, 1), (1, 11), (1, 13), (1, 13)]);
    assert_eq!(figures("2008-11-01"), none, "the assistant has left");
    assert_eq!(standing(&scene, DISTRICT, "K20", "2008-06-01").left, 12);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn staff_allotted_stand_beside_those_in_office_and_premises_are_a_line_of_the_capital_plan() {
    let scene = Scene::of(&[TOWNSHIP]).await;
    let line = "2008年千金乡劳动保障事务所新建工程120平方米";
    let own = office(&scene, &[("staff_planned", "3")]);
    for (nth, name) in ["王淑琴", "李卫东"].into_iter().enumerate() {
        let id_no = scene.id_no(nth + 1);
        let fields = [("name", name), ("id_no", &id_no), ("from_on", "2008-03-01"), ("hired_as", "2")];
        scene.enter(TOWNSHIP, number::ASSISTANT, &fields);
    }
    scene.agrees().await;
    stands(&scene, TOWNSHIP, own, &[("staff_planned", "3"), ("capital_plan_line", "")]);
    assert_eq!(counts(&scene, TOWNSHIP, "K16", "2008-02-29"), [0, 0, 0]);
    assert_eq!(counts(&scene, TOWNSHIP, "K16", "2008-03-01"), [2, 2, 2], "one of three allotted is missing");
    let places = books::records_at(&scene.hub().hub);
    let hired = places.values().filter(|record| record.register == number::ASSISTANT);
    assert_eq!(hired.filter(|record| books::shown(record, "hired_as") == "编制").count(), 2);

    scene.amend(TOWNSHIP, own, &[("capital_plan_line", line)]);
    scene.agrees().await;
    stands(&scene, TOWNSHIP, own, &[("staff_planned", "3"), ("capital_plan_line", line)]);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_premises_are_due_by_the_end_of_2008_and_what_is_missing_then_is_overdue_the_day_after() {
    let scene = Scene::of(&[TOWNSHIP]).await;
    let deadline = [
        ("title", "建成乡镇劳动保障基础设施"),
        ("from_unit", "210402000000"),
        ("given_on", "2008-03-24"),
        ("due_on", "2008-12-31"),
        ("indicator", "K18"),
    ];
    let task = scene.record(TOWNSHIP, "Task", &deadline).await;
    let own = office(&scene, &[("area_m2", "126.5")]);
    scene.agrees().await;
    let overdue = |on| counts(&scene, TOWNSHIP, "K44b", on);
    assert_eq!(overdue("2008-12-31"), [0, 0, 0]);
    assert_eq!(overdue("2009-01-01"), [1, 1, 1], "the deadline passes without a write");
    assert_eq!(standing(&scene, DISTRICT, "K18", "2008-12-31").left, 1);

    let done = [("area_verified", "是"), ("checked_on", "2008-12-31")];
    scene.revise(own, "Facility", &done).await;
    scene.meet().await;
    scene.amend(TOWNSHIP, task, &[("report", "已建成并验收"), ("reported_on", "2008-12-31")]);
    scene.meet().await;
    scene.amend(TOWNSHIP, task, &[("closed_on", "2008-12-31")]);
    scene.agrees().await;
    stands(&scene, TOWNSHIP, task, &[("due_on", "2008-12-31"), ("closed_on", "2008-12-31"), ("indicator", "K18")]);
    assert_eq!(overdue("2009-01-01"), [0, 0, 0]);
    assert_eq!(up(&scene, TOWNSHIP, "K44", "2008-12-31"), [(1, 1); 3]);
    assert_eq!(up(&scene, TOWNSHIP, "K18", "2008-12-30"), [(0, 1); 3]);
    assert_eq!(up(&scene, TOWNSHIP, "K18", "2008-12-31"), [(1, 1); 3], "on the last day of the year");
    assert!(standing(&scene, DISTRICT, "K18", "2008-12-31").reached);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_district_writes_its_own_standard_for_rural_offices_and_inspects_by_it() {
    let scene = Scene::of(&[TOWNSHIP, VILLAGE, FIRST, STREET]).await;
    let standard = "新抚区乡镇劳动保障平台建设标准";
    let paper = [
        ("document_no", "新劳发〔2008〕11号"),
        ("title", standard),
        ("issuer", "新抚区就业局"),
        ("issued_on", "2008-04-10"),
    ];
    let paper = scene.record(TOWNSHIP, "PolicyDocument", &paper).await;
    let visit = [
        ("on", "2008-05-20"),
        ("by_unit", "210402000000"),
        ("subject", "乡镇平台建设"),
        ("standard", standard),
        ("found", "村服务点2处未设协理员"),
        ("demand", "6月底前配齐"),
    ];
    let visit = scene.record(TOWNSHIP, "Inspection", &visit).await;
    scene.agrees().await;
    stands(&scene, TOWNSHIP, paper, &[("document_no", "新劳发〔2008〕11号"), ("issued_on", "2008-04-10")]);
    stands(&scene, TOWNSHIP, visit, &[("standard", standard), ("demand", "6月底前配齐"), ("by_unit", "210402000000")]);
    assert!(!scene.holds(FIRST, visit) && !scene.holds(STREET, visit), "another street's visit is none of theirs");

    // What the district asks of its own villages goes into the plan, and holds below it alone.
    let own = "\n[[breakdown]]\nunit = 210402201000\nindicator = \"K20\"\nat_least = 0.5\n";
    publish(&scene, &(second_plan(&scene) + own)).await;
    let today = scene.hub().hub.core.today();
    let asked = |code: u64, on| scene.ledger(VILLAGE).plans().on(on).bound_of(unit(code), "K20");
    assert_eq!(
        [VILLAGE, TOWNSHIP, DISTRICT].map(|code| asked(code, today)),
        [0.5, 0.5, 1.0].map(Bound::AtLeast).map(Some)
    );
    assert_eq!(asked(TOWNSHIP, day("2008-06-01")), Some(Bound::AtLeast(1.0)), "not before the plan's day");
    let line = standing(&scene, TOWNSHIP, "K20", &scene.ago(0));
    assert_eq!((line.target, line.denominator, line.left), (0.5, 11, 6), "half of eleven villages are six");
    scene.end().await;
}
