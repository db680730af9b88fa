//! The Employment Assistance Month: its plan and quotas, pairing, the four sends around the Spring Festival of 7 February
//! 2008, and that communities carry it out (items 43 to 46).

use crate::{counts, standing, stands, up};
use taizhang_hub::campaigns;
use taizhang_proto::{RecordId, date, pb, register::number};
use taizhang_tests::{
    books,
    scene::{DISTRICT, FIRST, SECOND, STREET, Scene},
};

/// A family without employment since January, and its adult.
fn family(scene: &Scene, office: u64, nth: usize) -> (RecordId, RecordId) {
    let household = scene.household(office, &format!("户-{nth}"), &[]);
    let adult = scene.resident(office, nth, &[]);
    scene.member(office, household, adult);
    let of = household.to_string();
    let case = [("household", of.as_str()), ("kind", "1"), ("recognised_on", "2008-01-10")];
    scene.enter(office, number::ZEF_CASE, &case);
    (household, adult)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn policies_posts_skills_and_services_are_brought_home_and_counted_against_the_campaigns_quotas() {
    let scene = Scene::of(&[FIRST, SECOND, STREET]).await;
    let plan = [
        ("title", "2008年就业援助月"),
        ("from_on", "2008-01-20"),
        ("to_on", "2008-02-20"),
        ("plan", "走访慰问、专场招聘、结对帮扶"),
        ("quota_visits", "2"),
        ("quota_placed", "1"),
    ];
    let campaign = scene.enter(STREET, number::CAMPAIGN, &plan);
    let backwards = [("title", "援助月"), ("from_on", "2008-02-20"), ("to_on", "2008-01-20")];
    let refused = books::refused(scene.ledger(STREET), number::CAMPAIGN, None, &backwards);
    assert!(refused.contains("结束早于开始"), "{refused}");
    let (home, adult) = family(&scene, FIRST, 1);
    let (other, _) = family(&scene, SECOND, 2);
    scene.agrees().await;
    stands(&scene, STREET, campaign, &plan);
    let tally = |code: u64, on| ["K32", "K32b", "K32c"].map(|figure| counts(&scene, code, figure, on));
    assert_eq!(tally(FIRST, "2008-02-20"), [vec![0; 4], vec![0; 4], vec![0; 4]]);

    let of = campaign.to_string();
    let visit = |office, household: RecordId, on, sends, campaign: &str| {
        let household = household.to_string();
        let own = [("household", household.as_str()), ("kind", "1"), ("on", on), ("send_type", sends)];
        let of = [("campaign", campaign), ("by_assistant", "孙丽华"), ("content", "送春联和岗位信息")];
        scene.enter(office, number::SERVICE_RECORD, &[&own[..], &of].concat())
    };
    let first = visit(FIRST, home, "2008-02-05", "1、2", &of);
    visit(FIRST, home, "2008-02-14", "送技能、送服务", &of);
    visit(SECOND, other, "2008-02-06", "4", &of);
    visit(SECOND, other, "2008-02-10", "1、2、3、4", "");
    visit(SECOND, other, "2008-02-21", "1、2", &of);
    let person = adult.to_string();
    let job = [("person", person.as_str()), ("kind", "1"), ("start_on", "2008-02-15"), ("channel", "5")];
    scene.enter(FIRST, number::PLACEMENT, &job);
    scene.agrees().await;
    stands(&scene, FIRST, first, &[("send_type", "送政策、送岗位"), ("by_assistant", "孙丽华"), ("campaign", &of)]);
    assert_eq!(tally(FIRST, "2008-02-05"), [vec![1; 4], vec![2; 4], vec![0; 4]]);
    assert_eq!(tally(FIRST, "2008-02-06"), [vec![1, 2, 2, 2], vec![2, 3, 3, 3], vec![0; 4]]);
    let end = tally(FIRST, "2008-02-20");
    assert_eq!(
        end,
        [vec![1, 2, 2, 2], vec![4, 5, 5, 5], vec![1; 4]],
        "a household twice visited is one; four sends are four"
    );
    assert_eq!(tally(SECOND, "2008-02-20")[1][0], 1, "a visit outside the campaign is none of it");
    let quota = |name| scene.says(STREET, campaign, name).parse::<i64>().unwrap();
    assert_eq!((end[0][1], end[2][1]), (quota("quota_visits"), quota("quota_placed")), "the street has met its quotas");

    assert_eq!(tally(SECOND, "2008-02-29")[1][0], 1, "nor is one after its last day, whatever it says");
    let district = &scene.hub().hub.core;
    let day = |text: &str| date::day(text.parse().unwrap());
    let line = |on| campaigns::campaigns(district, day(on)).unwrap().remove(0);
    let of_line = |line: pb::CampaignLine| {
        (line.unit, line.visited.unwrap_or_default(), line.quota_visits, line.placed, line.quota_placed)
    };
    assert_eq!(of_line(line("2008-02-05")), (STREET, 1, 2, 0, 1));
    assert_eq!(of_line(line("2008-02-29")), (STREET, 2, 2, 1, 1));
    let shown = |on| {
        let request = pb::DueRequest { on: day(on), within: 30, to_file: false };
        let items = scene.at(STREET).office.work(&request).unwrap().items.into_iter();
        items.filter(|item| item.clock == "campaign").map(|item| item.title).collect::<Vec<_>>()
    };
    assert_eq!(shown("2008-02-06"), ["2008年就业援助月（走访 2/2 户，帮扶就业 0/1 人）"]);
    // A longer window takes the late visit in, at the office and at the district.
    scene.amend(STREET, campaign, &[("to_on", "2008-02-29")]);
    scene.agrees().await;
    assert_eq!(tally(SECOND, "2008-02-29")[1], [3, 7, 7, 7]);
    scene.amend(STREET, campaign, &[("to_on", "2008-02-20")]);
    scene.agrees().await;

    // A visit entered by mistake is taken back by a counter-entry, not rubbed out.
    let (household, wrong) = (home.to_string(), first.to_string());
    let back = [("household", household.as_str()), ("kind", "1"), ("on", "2008-02-05"), ("counters", &wrong)];
    scene.enter(FIRST, number::SERVICE_RECORD, &back);
    scene.agrees().await;
    assert_eq!(tally(FIRST, "2008-02-20")[1], [2, 3, 3, 3]);
    assert!(scene.holds(FIRST, first));
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_recognised_household_has_somebody_who_stands_by_it() {
    let scene = Scene::of(&[FIRST, SECOND, STREET]).await;
    let (home, _) = family(&scene, FIRST, 1);
    let (other, adult) = family(&scene, SECOND, 2);
    scene.agrees().await;
    let paired = |on| up(&scene, FIRST, "K33", on);
    assert_eq!(paired("2008-01-31"), [(0, 1), (0, 2), (0, 2), (0, 2)]);
    let (of, person) = (home.to_string(), adult.to_string());
    let pair = |office, about: (&str, &str), from| {
        let fields =
            [about, ("leader", "周局长"), ("leader_unit", "市就业局"), ("from_on", from), ("promise", "推荐岗位两次")];
        scene.enter(office, number::PAIRING, &fields)
    };
    let pairing = pair(FIRST, ("household", &of), "2008-02-01");
    scene.agrees().await;
    stands(
        &scene,
        FIRST,
        pairing,
        &[("leader_unit", "市就业局"), ("from_on", "2008-02-01"), ("promise", "推荐岗位两次")],
    );
    assert_eq!(
        (paired("2008-01-31"), paired("2008-02-01")),
        (vec![(0, 1), (0, 2), (0, 2), (0, 2)], vec![(1, 1), (1, 2), (1, 2), (1, 2)])
    );
    assert_eq!(standing(&scene, DISTRICT, "K33", "2008-02-01").left, 1);
    // A pair of one of the family is a pair of the family.
    pair(SECOND, ("person", &person), "2008-02-03");
    scene.amend(FIRST, pairing, &[("done", "推荐到物业公司")]);
    scene.agrees().await;
    assert_eq!(paired("2008-02-03"), [(1, 1), (2, 2), (2, 2), (2, 2)]);
    assert!(standing(&scene, DISTRICT, "K33", "2008-02-03").reached);
    stands(&scene, FIRST, pairing, &[("done", "推荐到物业公司")]);
    scene.amend(FIRST, pairing, &[("to_on", "2008-06-01")]);
    scene.agrees().await;
    assert_eq!(paired("2008-06-01"), [(0, 1), (1, 2), (1, 2), (1, 2)], "a pairing that ended stands by nobody");
    let nobody =
        books::refused(scene.ledger(SECOND), number::PAIRING, None, &[("leader", "周局长"), ("from_on", "2008-02-01")]);
    assert!(nobody.contains("须写明结对的家庭或人员"), "{nobody}");
    assert!(scene.holds(SECOND, other));
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_campaign_is_a_task_of_each_community_and_each_reports_its_own_part() {
    let scene = Scene::of(&[FIRST, SECOND, STREET]).await;
    let task = |code: u64| {
        let home = code.to_string();
        let fields = [
            ("home_unit", home.as_str()),
            ("title", "就业援助月入户走访"),
            ("from_unit", "210402011000"),
            ("given_on", "2008-01-18"),
            ("due_on", "2008-02-20"),
            ("indicator", "K32"),
        ];
        scene.enter(STREET, number::TASK, &fields)
    };
    let [first, second] = [FIRST, SECOND].map(task);
    scene.agrees().await;
    assert!(scene.holds(FIRST, first) && !scene.holds(FIRST, second), "each has its own");
    assert!(scene.holds(SECOND, second) && !scene.holds(SECOND, first));
    let overdue = || (counts(&scene, FIRST, "K44b", "2008-02-21"), counts(&scene, SECOND, "K44b", "2008-02-21"));
    assert_eq!(overdue(), (vec![1, 2, 2, 2], vec![1, 2, 2, 2]));
    let done = [("responsible", "孙丽华"), ("report", "走访12户"), ("reported_on", "2008-02-18")];
    scene.amend(FIRST, first, &done);
    scene.meet().await;
    scene.amend(STREET, first, &[("closed_on", "2008-02-19")]);
    scene.agrees().await;
    stands(&scene, FIRST, first, &[("report", "走访12户"), ("responsible", "孙丽华"), ("closed_on", "2008-02-19")]);
    assert_eq!(overdue(), (vec![0, 1, 1, 1], vec![1, 1, 1, 1]), "the other's part is still to be done");
    assert_eq!(up(&scene, FIRST, "K44", "2008-02-20"), [(1, 1), (1, 2), (1, 2), (1, 2)]);
    scene.end().await;
}
