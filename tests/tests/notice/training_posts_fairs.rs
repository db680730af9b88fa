//! Training, public-welfare posts and fairs (items 49 to 51).

use crate::{counts, standing, stands, up};
use taizhang_proto::{RecordId, pb::ConflictKind, register::number};
use taizhang_tests::scene::{DISTRICT, FIRST, SECOND, STREET, Scene};

fn class(scene: &Scene, no: &str, free: &str) -> RecordId {
    let fields = [
        ("class_no", no),
        ("kind", "1"),
        ("trade", "烹饪"),
        ("from_on", "2008-05-05"),
        ("free", free),
        ("places", "30"),
    ];
    scene.enter(STREET, number::TRAINING_CLASS, &fields)
}

fn enrol(scene: &Scene, person: RecordId, class: RecordId, on: &str, group: &str) -> RecordId {
    let (person, class) = (person.to_string(), class.to_string());
    let fields = [("person", person.as_str()), ("training_class", &class), ("enrolled_on", on), ("group", group)];
    scene.enter(FIRST, number::TRAINEE, &fields)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn children_of_households_without_employment_learn_a_trade_and_people_in_hardship_pay_nothing() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let household = scene.household(FIRST, "户-1", &[]);
    let parent = scene.resident(FIRST, 1, &[]);
    scene.member(FIRST, household, parent);
    let of = household.to_string();
    let children = [2, 3].map(|nth| {
        let child = scene.resident(FIRST, nth, &[("train_wish", "烹饪")]);
        let person = child.to_string();
        let member = [("household", of.as_str()), ("person", &person), ("relation", "20"), ("counted", "是")];
        scene.enter(FIRST, number::MEMBER, &member);
        child
    });
    let case = [("household", of.as_str()), ("kind", "1"), ("recognised_on", "2008-04-01")];
    scene.enter(FIRST, number::ZEF_CASE, &case);
    scene.agrees().await;
    let trained = |on| up(&scene, FIRST, "K30", on);
    assert_eq!((trained("2008-03-31"), trained("2008-05-05")), (vec![(0, 0); 4], vec![(0, 2); 4]));

    let (free, paid) = (class(&scene, "08-01", "是"), class(&scene, "08-02", "否"));
    scene.meet().await;
    let enrolment = enrol(&scene, children[0], free, "2008-05-05", "1");
    enrol(&scene, parent, free, "2008-05-06", "2");
    enrol(&scene, parent, paid, "2008-06-02", "2");
    scene.agrees().await;
    stands(&scene, FIRST, enrolment, &[("group", "零就业家庭子女"), ("enrolled_on", "2008-05-05")]);
    stands(&scene, STREET, free, &[("free", "是"), ("trade", "烹饪"), ("class_no", "08-01")]);
    assert_eq!(trained("2008-05-05"), [(1, 2); 4]);
    let asked = standing(&scene, DISTRICT, "K30", "2008-05-05");
    assert_eq!((asked.target, asked.left), (1.0, 1));
    let free_of_charge = |on| (counts(&scene, FIRST, "K29", on), counts(&scene, FIRST, "K29b", on));
    assert_eq!(free_of_charge("2008-05-04"), (vec![0; 4], vec![0; 4]));
    assert_eq!(free_of_charge("2008-06-30"), (vec![2; 4], vec![2; 4]), "a class that costs money is not among them");

    let again = class(&scene, "08-03", "是");
    scene.meet().await;
    enrol(&scene, parent, again, "2008-09-01", "2");
    enrol(&scene, children[1], again, "2008-09-01", "1");
    scene.agrees().await;
    assert_eq!(free_of_charge("2008-09-01"), (vec![4; 4], vec![3; 4]), "four enrolments of three persons");
    assert_eq!(trained("2008-09-01"), [(2, 2); 4]);
    assert!(standing(&scene, DISTRICT, "K30", "2008-09-01").reached);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn public_welfare_posts_are_filled_to_their_places_and_watched_until_their_support_ends() {
    let scene = Scene::of(&[FIRST, SECOND, STREET]).await;
    let fields = [
        ("post_no", "公-2008-1"),
        ("kind", "1"),
        ("employer", "永安台街道环卫所"),
        ("places", "2"),
        ("from_on", "2008-03-01"),
        ("subsidy_until", "2008-12-31"),
    ];
    let post = scene.enter(STREET, number::POST, &fields);
    scene.enter(
        STREET,
        number::POST,
        &[("post_no", "普-1"), ("kind", "10"), ("places", "5"), ("from_on", "2008-03-01")],
    );
    scene.agrees().await;
    stands(&scene, STREET, post, &[("kind", "保洁"), ("places", "2"), ("subsidy_until", "2008-12-31")]);
    let figures = |on| ["K27", "K27b", "K27c"].map(|code| counts(&scene, STREET, code, on));
    assert_eq!(figures("2008-02-29"), [vec![0; 3], vec![0; 3], vec![0; 3]]);
    assert_eq!(figures("2008-03-01"), [vec![2; 3], vec![0; 3], vec![2; 3]], "an ordinary vacancy is not among them");

    let on = post.to_string();
    let place = |office, nth, start| {
        let person = scene.resident(office, nth, &[]).to_string();
        let job = [("person", person.as_str()), ("kind", "2"), ("start_on", start), ("channel", "4"), ("post", &on)];
        scene.enter(office, number::PLACEMENT, &job)
    };
    let first = place(FIRST, 1, "2008-03-10");
    scene.meet().await;
    place(FIRST, 2, "2008-03-20");
    scene.meet().await;
    let waiting = place(SECOND, 3, "2008-04-01");
    scene.agrees().await;
    stands(&scene, FIRST, first, &[("kind", "公益性岗位"), ("post", &on)]);
    assert_eq!(figures("2008-03-10"), [vec![2; 3], vec![1; 3], vec![1; 3]]);
    assert_eq!(figures("2008-04-01"), [vec![2; 3], vec![2; 3], vec![0; 3]], "never more than there are places");
    scene.found(ConflictKind::DoubleBooked, waiting, &["post"]).await;
    scene.amend(FIRST, first, &[("end_on", "2008-08-01"), ("end_cause", "2")]);
    scene.amend(SECOND, waiting, &[("start_on", "2008-08-01")]);
    scene.agrees().await;
    assert_eq!(figures("2008-08-01"), [vec![2; 3], vec![2; 3], vec![0; 3]], "who waited has the place that came free");
    scene.queue_is_empty().await;

    let support = |on| (counts(&scene, STREET, "K28", on), counts(&scene, STREET, "K28b", on));
    assert_eq!(support("2008-10-31"), (vec![0; 3], vec![0; 3]));
    assert_eq!(support("2008-11-01"), (vec![1; 3], vec![0; 3]), "sixty days before the end");
    assert_eq!(support("2009-01-01"), (vec![0; 3], vec![1; 3]));
    assert_eq!(standing(&scene, DISTRICT, "K28b", "2009-01-01").left, 1);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn special_fairs_and_fairs_in_communities_are_counted_with_what_came_of_them() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let fair = |office, title, kind, on, intents, hired| {
        let fields = [
            ("title", title),
            ("kind", kind),
            ("on", on),
            ("employers", "18"),
            ("posts", "240"),
            ("visitors", "600"),
            ("intents", intents),
            ("hired", hired),
        ];
        scene.enter(office, number::EVENT, &fields)
    };
    let special = fair(STREET, "困难群体专场洽谈会", "专场洽谈会", "2008-02-13", "85", "31");
    let community = fair(FIRST, "洽谈会进友谊社区", "2", "2008-03-27", "20", "8");
    scene.agrees().await;
    stands(&scene, STREET, special, &[("kind", "专场"), ("posts", "240"), ("intents", "85"), ("hired", "31")]);
    stands(&scene, FIRST, community, &[("kind", "进社区"), ("on", "2008-03-27"), ("hired", "8")]);
    let figures = |code, on| ["K31", "K31b", "K31c", "K31d"].map(|figure| counts(&scene, code, figure, on));
    assert_eq!(figures(STREET, "2008-02-12"), [vec![0; 3], vec![0; 3], vec![0; 3], vec![0; 3]]);
    assert_eq!(figures(STREET, "2008-02-13"), [vec![1; 3], vec![0; 3], vec![85; 3], vec![31; 3]]);
    assert_eq!(
        figures(FIRST, "2008-03-27"),
        [vec![1, 2, 2, 2], vec![1; 4], vec![20, 105, 105, 105], vec![8, 39, 39, 39]]
    );
    scene.amend(FIRST, community, &[("state", "2"), ("void_reason", "因雨取消")]);
    scene.agrees().await;
    assert_eq!(figures(FIRST, "2008-03-27"), [vec![0, 1, 1, 1], vec![0; 4], vec![0, 85, 85, 85], vec![0, 31, 31, 31]]);
    scene.end().await;
}
