//! Platforms of streets and communities: the three-izations, one-stop windows, exemplar halls, and those whom the notice
//! puts first (items 4, 5, 7, 8, 10, 11, 22 and 24 to 26).

use crate::{TOWNSHIP, standing, stands, up};
use taizhang_proto::{
    RecordId,
    pb::{Choice, ConflictKind},
    register::number,
};
use taizhang_tests::{
    books,
    scene::{DISTRICT, FIRST, SECOND, STREET, Scene, unit},
};

const BEFORE: &str = "2008-02-29";
const SINCE: &str = "2008-03-01";

/// An office's own premises, as they are since March.
fn premises(scene: &Scene, office: u64, kind: &str, fields: &[(&str, &str)]) -> RecordId {
    scene.enter(office, number::FACILITY, &[&[("kind", kind), ("effective_on", SINCE)], fields].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_three_izations_are_the_mean_of_three_scores_and_each_kind_of_platform_has_its_mark() {
    let scene = Scene::of(&[FIRST, STREET, TOWNSHIP]).await;
    let new_town = premises(&scene, FIRST, "3", &[("shanty", "是"), ("three_score", "95、90、84")]);
    let hall = premises(&scene, STREET, "2", &[("three_score", "99、99")]);
    let rural = premises(&scene, TOWNSHIP, "1", &[("three_score", "80、80、79")]);
    scene.agrees().await;
    // 61 communities and 6 streets of the district, 11 communities of this street.
    assert_eq!(up(&scene, FIRST, "K23a", SINCE), [(0, 1), (0, 12), (0, 67), (0, 67)], "269 of 270 points");
    assert_eq!(up(&scene, FIRST, "K23c", SINCE), [(0, 1); 4]);
    assert_eq!(up(&scene, TOWNSHIP, "K23b", SINCE), [(0, 1); 3], "239 of 240 points");
    let rest = standing(&scene, DISTRICT, "K23c", SINCE);
    assert_eq!((rest.target, rest.reached, rest.left), (1.0, false, 1));

    scene.amend(FIRST, new_town, &[("three_score", "95、90、85")]);
    scene.amend(STREET, hall, &[("three_score", "99、99、72")]);
    scene.amend(TOWNSHIP, rural, &[("three_score", "80、80、80")]);
    scene.agrees().await;
    stands(&scene, FIRST, new_town, &[("three_score", "95、90、85"), ("shanty", "是")]);
    stands(&scene, TOWNSHIP, rural, &[("three_score", "80、80、80")]);
    assert_eq!(up(&scene, FIRST, "K23a", SINCE), [(1, 1), (2, 12), (2, 67), (2, 67)]);
    assert_eq!(up(&scene, FIRST, "K23a", BEFORE), [(0, 1), (0, 12), (0, 67), (0, 67)]);
    assert_eq!(up(&scene, FIRST, "K23c", SINCE), [(1, 1); 4]);
    assert_eq!(up(&scene, FIRST, "K23c", BEFORE), [(0, 0); 4], "not yet a resettlement community");
    assert_eq!(up(&scene, TOWNSHIP, "K23b", SINCE), [(1, 1); 3], "80 are enough for 'initially'");
    let target = |code| standing(&scene, DISTRICT, code, SINCE);
    let basically = target("K23a");
    // 'Basically' is nine of ten: 61 of 67.
    assert_eq!((basically.target, basically.reached, basically.left), (0.90, false, 59));
    assert_eq!((target("K23b").target, target("K23b").reached), (0.80, true));
    assert_eq!((target("K23c").target, target("K23c").reached), (1.0, true));
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_resettlement_community_must_have_a_window_and_others_where_the_premises_allow() {
    let scene = Scene::of(&[FIRST, SECOND, STREET]).await;
    let must = premises(&scene, FIRST, "3", &[("shanty", "是"), ("premises_fit", "是")]);
    let may = premises(&scene, SECOND, "3", &[("premises_fit", "是"), ("one_stop_window", "否")]);
    premises(&scene, STREET, "2", &[("one_stop_window", "是"), ("window", "失业登记、社保代办")]);
    scene.agrees().await;
    let figures = || (up(&scene, FIRST, "K21a", SINCE), up(&scene, SECOND, "K21b", SINCE));
    assert_eq!(figures(), (vec![(0, 1); 4], vec![(0, 1); 4]));
    assert_eq!(standing(&scene, DISTRICT, "K21a", SINCE).left, 1);

    scene.amend(FIRST, must, &[("one_stop_window", "是"), ("window", "一站式窗口")]);
    scene.agrees().await;
    stands(&scene, FIRST, must, &[("one_stop_window", "是"), ("window", "一站式窗口")]);
    assert_eq!(figures(), (vec![(1, 1); 4], vec![(0, 1); 4]), "a resettlement community is not among the others");
    assert!(standing(&scene, DISTRICT, "K21a", SINCE).reached);

    scene.amend(SECOND, may, &[("one_stop_window", "是")]);
    scene.agrees().await;
    stands(&scene, SECOND, may, &[("one_stop_window", "是"), ("premises_fit", "是")]);
    assert_eq!(figures(), (vec![(1, 1); 4], vec![(1, 1); 4]));
    assert_eq!(up(&scene, SECOND, "K21b", BEFORE), [(0, 0); 4]);

    // Premises that do not allow one are not asked for one.
    scene.amend(SECOND, may, &[("one_stop_window", "否"), ("premises_fit", "否")]);
    scene.agrees().await;
    assert_eq!(figures(), (vec![(1, 1); 4], vec![(0, 0); 4]));
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_halls_of_fushuncheng_and_changchun_streets_are_exemplars_by_the_districts_word() {
    let streets = [210_411_007_000, 210_411_002_000, 210_411_003_000];
    let scene = Scene::of(&streets).await;
    assert_eq!(streets.map(|code| scene.town.tree.name(unit(code))), ["抚顺城街道", "长春街道", "葛布街道"]);
    let halls = streets.map(|code| premises(&scene, code, "2", &[("exemplar", "是")]));
    scene.meet().await;
    for hall in halls {
        scene.all_say(hall, "exemplar", "");
    }
    let claims = scene.open_ones(ConflictKind::Claim).await;
    assert_eq!(claims.len(), 3, "an office's own word is a claim");
    for claim in &claims {
        let named = claim.record[..] != halls[2].0[..];
        scene.rule(claim, if named { Choice::Take } else { Choice::Keep }).await;
    }
    scene.agrees().await;
    for (code, hall, exemplar) in
        [(streets[0], halls[0], "是"), (streets[1], halls[1], "是"), (streets[2], halls[2], "")]
    {
        stands(&scene, code, hall, &[("kind", "办事大厅"), ("exemplar", exemplar)]);
    }
    let records = books::records_at(&scene.hub().hub);
    assert_eq!(records.values().filter(|record| books::shown(record, "exemplar") == "是").count(), 2);
    scene.queue_is_empty().await;
    scene.end().await;
}

/// Somebody resettled and laid off, able and willing to work.
fn resettled(scene: &Scene, nth: usize) -> RecordId {
    let fields = [
        ("shanty_resettled", "是"),
        ("shanty_estate", "新屯新村"),
        ("laidoff_kind", "2"),
        ("labour_able", "是"),
        ("job_willing", "是"),
    ];
    scene.resident(FIRST, nth, &fields)
}

fn job(scene: &Scene, person: RecordId, start_on: &str) -> RecordId {
    let person = person.to_string();
    let fields = [("person", person.as_str()), ("kind", "1"), ("employer", "抚顺石化"), ("start_on", start_on)];
    scene.enter(FIRST, number::PLACEMENT, &fields)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nineteen_of_twenty_resettled_laid_off_are_95_percent_and_eighteen_are_one_too_few() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let persons: Vec<RecordId> = (1..=20).map(|nth| resettled(&scene, nth)).collect();
    // Neither of them is asked about: not resettled, and not able to work.
    scene.resident(FIRST, 21, &[("laidoff_kind", "2"), ("labour_able", "是"), ("job_willing", "是")]);
    scene.resident(FIRST, 22, &[("shanty_resettled", "是"), ("laidoff_kind", "2"), ("labour_able", "否")]);
    for person in &persons[..18] {
        job(&scene, *person, "2008-03-01");
    }
    scene.agrees().await;
    assert_eq!(up(&scene, FIRST, "K03", "2008-06-30"), [(18, 20); 4]);
    let asked = standing(&scene, DISTRICT, "K03", "2008-06-30");
    assert_eq!((asked.target, asked.reached, asked.left), (0.95, false, 1));

    let last = job(&scene, persons[18], "2008-07-01");
    scene.agrees().await;
    stands(&scene, FIRST, last, &[("employer", "抚顺石化"), ("start_on", "2008-07-01")]);
    stands(&scene, FIRST, persons[18], &[("shanty_resettled", "是"), ("laidoff_kind", "厂办大集体下岗")]);
    assert_eq!(up(&scene, FIRST, "K03", "2008-06-30"), [(18, 20); 4]);
    assert_eq!(up(&scene, FIRST, "K03", "2008-07-01"), [(19, 20); 4]);
    assert!(standing(&scene, DISTRICT, "K03", "2008-07-01").reached);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn resettled_communities_and_people_in_hardship_are_marked_and_counted_by_themselves() {
    let scene = Scene::of(&[FIRST, SECOND, STREET]).await;
    premises(&scene, FIRST, "3", &[("shanty", "是")]);
    premises(&scene, SECOND, "3", &[]);
    let person = resettled(&scene, 1);
    let other = scene.resident(SECOND, 2, &[("labour_able", "是"), ("job_willing", "是")]);
    let household = scene.household(FIRST, "回迁-1", &[("shanty_resettled", "是"), ("shanty_moved_on", "2007-11-01")]);
    let of = other.to_string();
    let hardship =
        [("person", of.as_str()), ("kind", "01、14"), ("applied_on", SINCE), ("recognised_on", "2008-03-15")];
    let case = scene.enter(SECOND, number::HARDSHIP_CASE, &hardship);
    scene.agrees().await;
    stands(&scene, FIRST, household, &[("shanty_resettled", "是"), ("shanty_moved_on", "2007-11-01")]);
    stands(&scene, SECOND, case, &[("kind", "4050人员、棚改回迁")]);
    assert_eq!(up(&scene, FIRST, "K03", "2008-03-31"), [(0, 1); 4]);
    assert_eq!(up(&scene, SECOND, "K03", "2008-03-31"), [(0, 0), (0, 1), (0, 1), (0, 1)]);
    assert_eq!(up(&scene, SECOND, "K26", "2008-03-14"), [(0, 0); 4]);
    assert_eq!(up(&scene, SECOND, "K26", "2008-03-15"), [(0, 1); 4]);
    assert_eq!(up(&scene, FIRST, "K26", "2008-03-31"), [(0, 0), (0, 1), (0, 1), (0, 1)]);
    assert_eq!(up(&scene, FIRST, "K23c", "2008-03-31"), [(0, 1); 4], "one resettlement community");
    assert_eq!(up(&scene, SECOND, "K23c", "2008-03-31"), [(0, 0), (0, 1), (0, 1), (0, 1)]);

    job(&scene, person, "2008-03-20");
    scene.agrees().await;
    assert_eq!(up(&scene, FIRST, "K03", "2008-03-31"), [(1, 1); 4]);
    assert_eq!(up(&scene, SECOND, "K26", "2008-03-31"), [(0, 1); 4]);
    scene.end().await;
}
