//! Full-employment communities: how one is certified, how many there must be, and what becomes of those that slip (items
//! 6, 9, 30 to 35 and 47).

use crate::{CITY, communities, counts, day, standing, stands, titled, up};
use taizhang_hub::{draws, totals, writer::Core};
use taizhang_proto::{
    RecordId, cell,
    pb::{self, Choice, ConflictKind},
    register::number,
};
use taizhang_tests::{
    books,
    scene::{DISTRICT, FIRST, SECOND, STREET, Scene, unit},
};

const STANDARD: &str = "[2007]8号 FS2008-default";
const CERTIFIED: &str = "2008-06-01";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_community_applies_is_assessed_by_the_standard_and_gets_the_title_step_by_step() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let application = [
        ("stage", "1"),
        ("applied_on", "2008-04-01"),
        ("score_self", "93"),
        ("material", "就业台账、零就业家庭动态为零"),
    ];
    let case = scene.enter(FIRST, number::FEC_CASE, &application);
    scene.meet().await;
    scene.amend(STREET, case, &[("score_township", "91.5"), ("reviewed_by_street_on", "2008-04-15")]);
    scene.agrees().await;
    stands(&scene, FIRST, case, &[("stage", "申报"), ("score_self", "93"), ("score_township", "91.5")]);

    // No step can be left out, and whoever tries is told which ones there are.
    let rash = scene.refused(case, "FecCase", &[("stage", "5"), ("certified_on", CERTIFIED)]).await;
    assert!(rash.contains("街道初审") && !rash.contains("县区考核") && !rash.contains("责令整顿"), "{rash}");
    scene.revise(case, "FecCase", &[("stage", "2")]).await;
    let unpublished = scene.refused(case, "FecCase", &[("stage", "5"), ("certified_on", CERTIFIED)]).await;
    assert!(unpublished.contains("县区考核"), "{unpublished}");
    let empty = scene.refused(case, "FecCase", &[("stage", "3")]).await;
    assert!(empty.contains("考核日期、考核得分"), "{empty}");
    let assessed = [("stage", "3"), ("assessed_on", "2008-05-10"), ("score", "90.5"), ("rule_set", STANDARD)];
    scene.revise(case, "FecCase", &assessed).await;
    let public = [("stage", "4"), ("publicity_from", "2008-05-20"), ("publicity_to", "2008-05-30")];
    scene.revise(case, "FecCase", &public).await;
    scene.agrees().await;
    let figures = |on| (up(&scene, FIRST, "K01", on), counts(&scene, FIRST, "K02", on));
    let none = (vec![(0, 1), (0, 11), (0, 61), (0, 61)], vec![0; 4]);
    assert_eq!(figures(CERTIFIED), none, "not before the district has said so");
    stands(&scene, FIRST, case, &[("stage", "公示"), ("publicity_to", "2008-05-30")]);

    scene.certify(case, CERTIFIED, true).await.unwrap();
    scene.agrees().await;
    stands(&scene, FIRST, case, &[("stage", "达标"), ("score", "90.5"), ("rule_set", STANDARD)]);
    assert_eq!(figures("2008-05-31"), none);
    assert_eq!(figures(CERTIFIED), (vec![(1, 1), (1, 11), (1, 61), (1, 61)], vec![1; 4]));
    let plan = scene.ledger(FIRST).plans();
    assert_eq!(plan.on(day(CERTIFIED)).fec.standard.score, 85, "the least score of the standard that is in force");

    // Criterion by criterion: of two who are able and willing one has a job, then both.
    let able = [("labour_able", "是"), ("job_willing", "是")];
    let people = [1, 2].map(|nth| scene.resident(FIRST, nth, &able).to_string());
    for (person, start) in people.iter().zip(["2008-05-01", "2008-06-02"]) {
        scene.enter(FIRST, number::PLACEMENT, &[("person", person), ("kind", "1"), ("start_on", start)]);
    }
    scene.agrees().await;
    let against = |core: &Core, on: &str| {
        let asked = pb::StandingRequest { unit: FIRST, on: day(on), ..pb::StandingRequest::default() };
        totals::standard(core, &asked, core.unit).unwrap()
    };
    let district = against(&scene.hub().hub.core, CERTIFIED);
    let line = |answer: &pb::StandardAnswer, code: &str| {
        let line = answer.lines.iter().find(|line| line.indicator == code).unwrap().clone();
        (line.numerator, line.denominator, line.reached, line.left)
    };
    assert_eq!(line(&district, "K04"), (1, 2, false, 1), "95 of a hundred of two are two");
    assert_eq!((line(&district, "K08").2, line(&district, "K14").2), (true, false), "no certified assistant yet");
    let score = &district.scores[0];
    assert_eq!((score.measured, score.score, district.score_needed), (true, 90.5, 85.0));
    assert_eq!(line(&against(&scene.hub().hub.core, "2008-06-02"), "K04"), (2, 2, true, 0));
    let city = against(&scene.town.city.hub.core, CERTIFIED);
    assert_eq!((line(&city, "K04"), city.scores[0].measured), ((1, 2, false, 1), false), "cases stay at the district");
    assert_eq!(line(&against(&scene.hub().hub.core, "2008-05-09"), "K08"), (0, 0, true, 0));
    assert!(!against(&scene.hub().hub.core, "2008-05-09").scores[0].measured, "not assessed by then");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_community_below_the_standard_is_certified_only_by_who_says_so_and_what_it_lacked_is_kept() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let application = [("stage", "1"), ("applied_on", "2008-04-01"), ("reviewed_by_street_on", "2008-04-15")];
    let case = scene.enter(FIRST, number::FEC_CASE, &application);
    let able = [("labour_able", "是"), ("job_willing", "是")];
    let people = [1, 2].map(|nth| scene.resident(FIRST, nth, &able).to_string());
    scene.enter(FIRST, number::PLACEMENT, &[("person", &people[0]), ("kind", "1"), ("start_on", "2008-05-01")]);
    scene.agrees().await;
    scene.revise(case, "FecCase", &[("stage", "2")]).await;
    let assessed = [("stage", "3"), ("assessed_on", "2008-05-10"), ("score", "84.9"), ("rule_set", STANDARD)];
    scene.revise(case, "FecCase", &assessed).await;
    let public = [("stage", "4"), ("publicity_from", "2008-05-20"), ("publicity_to", "2008-05-30")];
    scene.revise(case, "FecCase", &public).await;

    let why = scene.certify(case, CERTIFIED, false).await.unwrap_err();
    for part in ["K04", "1/2", "考核得分 84.9", "85", "--despite", CERTIFIED] {
        assert!(why.contains(part), "{part}: {why}");
    }
    assert!(!why.contains("K08"), "nothing is overdue: {why}");
    scene.agrees().await;
    stands(&scene, FIRST, case, &[("stage", "公示")]);
    // Nor by taking what the community claims.
    scene.amend(FIRST, case, &[("stage", "5"), ("certified_on", CERTIFIED)]);
    scene.meet().await;
    let claim = scene.found(ConflictKind::Claim, case, &["stage", "certified_on"]).await;
    let answer = scene.tries(&claim, Choice::Take, false).await;
    assert!(answer.settled == 0 && answer.failed[0].contains("K04"), "{answer:?}");
    scene.certify(case, CERTIFIED, true).await.unwrap();
    scene.meet().await;
    scene.meet().await;
    stands(&scene, FIRST, case, &[("stage", "达标")]);
    let told: Vec<String> = scene.ledger(FIRST).history(case).unwrap().into_iter().map(|entry| entry.reason).collect();
    assert!(told.iter().any(|reason| reason.contains("未达标准") && reason.contains("K04")), "{told:?}");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_score_sheet_has_a_column_for_each_who_scores_and_a_sum_that_differs_is_told() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let applied = [("stage", "1"), ("applied_on", "2008-04-01"), ("score_self", "95")];
    let case = scene.enter(FIRST, number::FEC_CASE, &applied);
    let of = case.to_string();
    let mut items = Vec::new();
    for (item, full, own) in [("就业率", "60", "57"), ("台账", "40", "38")] {
        let fields = [("fec_case", of.as_str()), ("item", item), ("full", full), ("self", own)];
        items.push(scene.enter(FIRST, number::SCORE_ITEM, &fields));
    }
    let over = books::refused(scene.ledger(FIRST), number::SCORE_ITEM, Some(items[0]), &[("self", "60.1")]);
    assert!(over.contains("超过满分"), "{over}");
    scene.agrees().await;
    let differs = |office: u64| {
        let found = scene.at(office).office.doubtful(0, &[]).unwrap().items;
        found.iter().filter(|doubt| doubt.code == "sheet_differs").count()
    };
    assert_eq!(differs(FIRST), 0, "95 are 57 and 38");
    // The street scores its own column, the district its own; a community's word on the district's is a claim.
    for (item, street, district) in [(items[0], "55", "54.5"), (items[1], "37", "36")] {
        scene.amend(STREET, item, &[("township", street)]);
        scene.revise(item, "ScoreItem", &[("district", district)]).await;
    }
    scene.amend(STREET, case, &[("score_township", "93")]);
    scene.agrees().await;
    assert_eq!((differs(FIRST), differs(STREET)), (1, 1), "92 is not 93");
    scene.amend(STREET, case, &[("score_township", "92")]);
    scene.agrees().await;
    assert_eq!((differs(FIRST), differs(STREET)), (0, 0));
    let score =
        [("stage", "3"), ("reviewed_by_street_on", "2008-05-02"), ("assessed_on", "2008-05-10"), ("score", "90.6")];
    scene.revise(case, "FecCase", &[("stage", "2"), ("reviewed_by_street_on", "2008-05-02")]).await;
    scene.revise(case, "FecCase", &score).await;
    scene.agrees().await;
    assert_eq!(differs(FIRST), 1, "54.5 and 36 are 90.5");
    scene.revise(case, "FecCase", &[("score", "90.5")]).await;
    scene.amend(FIRST, items[0], &[("district", "60")]);
    scene.agrees().await;
    assert_eq!(differs(FIRST), 0, "the community's word on the district's points does not stand");
    stands(&scene, FIRST, items[0], &[("self", "57"), ("township", "55"), ("district", "54.5")]);
    let claim = scene.found(ConflictKind::Claim, items[0], &["district"]).await;
    scene.rule(&claim, Choice::Keep).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_percent_are_asked_of_each_district_and_a_fraction_of_a_community_is_a_whole_one() {
    // Two communities in 抚顺县, thirteen in 新宾: 2 and 8 are needed, 10 in all, but 9 of 15 would be the city's share.
    let counties = [210_421_000_000, 210_422_000_000];
    let scene = Scene::of(&[210_421_101_001, 210_422_100_001]).await;
    let [small, large] = counties.map(|county| communities(&scene, county));
    assert_eq!((small.len(), large.len()), (2, 13));
    titled(&scene, small[0]).await;
    for code in &large[..8] {
        titled(&scene, *code).await;
    }
    scene.agrees().await;
    let titles = |code| {
        let line = standing(&scene, code, "K01", CERTIFIED);
        (line.numerator, line.denominator, line.reached, line.left)
    };
    assert_eq!(counties.map(titles), [(1, 2, false, 1), (8, 13, true, 0)]);
    assert_eq!(titles(CITY), (9, 320, false, 183), "of the communities of the tree, whoever is connected");
    let each = |on| {
        let line = standing(&scene, CITY, "K01", on);
        (line.target, line.each_reached, line.each)
    };
    assert_eq!(each(CERTIFIED), (0.60, 1, 7), "one of its districts has its 60 percent");

    let second = titled(&scene, small[1]).await;
    scene.agrees().await;
    assert_eq!(titles(counties[0]), (2, 2, true, 0));
    assert_eq!(each(CERTIFIED), (0.60, 2, 7));
    assert_eq!(each("2008-05-31"), (0.60, 0, 7));
    assert_eq!(up(&scene, large[0], "K01", CERTIFIED)[2..], [(8, 13), (10, 15)]);
    assert!(books::records_at(&scene.town.city.hub).is_empty() && !scene.holds(210_422_100_001, second));
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_spot_check_is_drawn_by_a_seed_that_gives_the_same_communities_again() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let candidates = communities(&scene, DISTRICT);
    let mut cases = Vec::new();
    for code in &candidates[..40] {
        cases.push(titled(&scene, *code).await);
    }
    scene.agrees().await;
    let on = day("2008-09-01");
    let draw = |seed: &str, share| {
        let asked = pb::DrawRequest { on, seed: seed.into(), share };
        let hubs = [&scene.hub().hub.core, &scene.town.city.hub.core];
        let [district, city] = hubs.map(|core| totals::draw(core, &asked, core.unit).unwrap());
        if !seed.is_empty() {
            assert_eq!(district, city, "district and city draw the same by one seed");
        }
        district
    };
    // Five percent of forty.
    let first = draw("", 0.0);
    assert_eq!((first.candidates, first.drawn.len()), (40, 2));
    assert!(first.seed.len() >= 32, "a seed that nobody chose: {}", first.seed);
    assert_eq!(draw(&first.seed, 0.0), first, "replayed");
    let others: Vec<_> = (0..20).map(|nth| draw(&format!("{nth}"), 0.0).drawn).collect();
    assert!(others.iter().any(|drawn| *drawn != others[0]), "another seed, another draw");
    assert!(first.drawn.iter().all(|one| candidates[..40].contains(&one.unit)), "only who has the title");

    // A draw for the record names who drew; drawing again shows as a second one.
    let (core, writer) = (&scene.hub().hub.core, &scene.hub().hub.writer);
    let asked = pb::DrawRequest { on, ..pb::DrawRequest::default() };
    for by in ["周敏", "王芳"] {
        let kept = draws::record(core, writer, &asked, by).await.unwrap().draw.unwrap();
        assert_eq!(draw(&kept.seed, 0.0), kept, "anybody can replay what is on record");
    }
    let kept = draws::recorded(core).unwrap();
    let who: Vec<&str> = kept.iter().map(|one| one.by.as_str()).collect();
    assert_eq!(who.len(), 2);
    assert!(who.contains(&"周敏") && who.contains(&"王芳"), "{who:?}");

    // The district goes there and files what it found under the draw.
    let batch = format!("{} {}", "2008-09-01", first.seed);
    let mut checks = Vec::new();
    for one in &first.drawn {
        let case = cases[candidates.iter().position(|code| *code == one.unit).unwrap()].to_string();
        let fields = [("fec_case", case.as_str()), ("draw", &batch), ("checked_on", "2008-09-03"), ("result", "1")];
        checks.push(scene.record(one.unit, "SpotCheck", &fields).await);
    }
    scene.agrees().await;
    let share = |on| {
        let line = standing(&scene, CITY, "K35", on);
        (line.numerator, line.denominator, line.reached, line.left)
    };
    assert_eq!(share("2008-09-02"), (0, 40, false, 2));
    assert_eq!(share("2008-09-03"), (2, 40, true, 0));
    let records = books::records_at(&scene.hub().hub);
    assert!(checks.iter().all(|check| books::shown(&records[check], "draw") == batch));
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_slips_is_ordered_to_rectify_and_loses_the_title_only_when_that_fails() {
    let scene = Scene::of(&[FIRST, SECOND, STREET]).await;
    let (lost, kept) = (titled(&scene, FIRST).await, titled(&scene, SECOND).await);
    scene.agrees().await;
    let revocation = [("stage", "7"), ("revoked_on", "2008-10-20"), ("revoke_reason", "整顿后仍不到位")];
    let rash = scene.refused(lost, "FecCase", &revocation).await;
    assert!(rash.contains("可以转为：责令整顿"), "a title is not revoked without an order to rectify: {rash}");

    let mut orders = Vec::new();
    for (code, case) in [(FIRST, lost), (SECOND, kept)] {
        let order = [("stage", "6"), ("rectify_from", "2008-09-10"), ("rectify_due", "2008-10-10")];
        scene.revise(case, "FecCase", &order).await;
        let of = case.to_string();
        let order =
            [("fec_case", of.as_str()), ("ordered_on", "2008-09-10"), ("due_on", "2008-10-10"), ("demand", "台账不实")];
        orders.push(scene.record(code, "Rectification", &order).await);
    }
    scene.agrees().await;
    let titles = |on| counts(&scene, FIRST, "K02", on);
    let rectifying = |on| (counts(&scene, FIRST, "K02b", on), counts(&scene, FIRST, "K35b", on));
    assert_eq!(titles("2008-09-10"), [1, 2, 2, 2], "the title stands while it is put right");
    assert_eq!(rectifying("2008-09-09"), (vec![0; 4], vec![0; 4]));
    assert_eq!(rectifying("2008-10-10"), (vec![1, 2, 2, 2], vec![0; 4]));
    assert_eq!(rectifying("2008-10-11"), (vec![1, 2, 2, 2], vec![1, 2, 2, 2]), "overdue the day after");

    // Each says what it did, with evidence; the district looks again.
    for (code, order, measures) in [(FIRST, orders[0], "正在整改"), (SECOND, orders[1], "逐户复核并补建台账")]
    {
        let report = [("measures", measures), ("evidence", "入户核实表、照片"), ("reported_on", "2008-10-08")];
        scene.amend(code, order, &report);
    }
    scene.meet().await;
    scene.revise(orders[1], "Rectification", &[("rechecked_on", "2008-10-10"), ("result", "1")]).await;
    scene.revise(kept, "FecCase", &[("stage", "5"), ("restored_on", "2008-10-11")]).await;
    scene.revise(orders[0], "Rectification", &[("rechecked_on", "2008-10-10"), ("result", "2")]).await;
    let bare = scene.refused(lost, "FecCase", &[("stage", "7")]).await;
    assert!(bare.contains("取消日期、取消原因"), "{bare}");
    scene.revise(lost, "FecCase", &revocation).await;
    scene.agrees().await;
    stands(
        &scene,
        FIRST,
        lost,
        &[("stage", "取消"), ("revoke_reason", "整顿后仍不到位"), ("revoked_on", "2008-10-20")],
    );
    stands(&scene, FIRST, orders[0], &[("result", "不合格"), ("evidence", "入户核实表、照片")]);
    stands(&scene, SECOND, kept, &[("stage", "达标"), ("restored_on", "2008-10-11")]);
    stands(&scene, SECOND, orders[1], &[("result", "合格"), ("measures", "逐户复核并补建台账")]);
    assert_eq!(titles("2008-10-19"), [1, 2, 2, 2]);
    assert_eq!(titles("2008-10-20"), [0, 1, 1, 1]);
    assert_eq!(up(&scene, SECOND, "K01", "2008-10-20"), [(1, 1), (1, 11), (1, 61), (1, 61)]);
    assert_eq!(counts(&scene, FIRST, "K36", "2008-10-19"), [0; 4]);
    assert_eq!(counts(&scene, FIRST, "K36", "2008-10-20"), [1; 4]);
    assert_eq!(rectifying("2008-10-20"), (vec![0; 4], vec![0; 4]), "nothing is left to put right");

    // An appeal is heard, but the office can't take the title back by itself.
    scene.amend(FIRST, lost, &[("appeal", "请求复议")]);
    scene.agrees().await;
    stands(&scene, FIRST, lost, &[("appeal", "请求复议"), ("stage", "取消")]);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_failed_spot_check_orders_rectification_and_who_lost_the_title_waits_a_year_to_apply_again() {
    let scene = Scene::of(&[FIRST, SECOND, STREET]).await;
    let (case, sound) = (titled(&scene, FIRST).await, titled(&scene, SECOND).await);
    let check = |of: RecordId, result: &str| {
        [
            ("fec_case", of.to_string()),
            ("checked_on", "2008-09-03".into()),
            ("result", result.into()),
            ("found", "台账不实".into()),
        ]
    };
    let mut checks = Vec::new();
    for (code, of, result) in [(FIRST, case, "2"), (SECOND, sound, "1")] {
        let fields = check(of, result);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        checks.push(scene.record(code, "SpotCheck", &fields).await);
    }
    scene.agrees().await;
    // Thirty days by the plan, from the day of the check.
    stands(
        &scene,
        FIRST,
        case,
        &[("stage", "责令整顿"), ("rectify_from", "2008-09-03"), ("rectify_due", "2008-10-03")],
    );
    stands(&scene, SECOND, sound, &[("stage", "达标"), ("rectify_from", "")]);
    let orders = || -> Vec<RecordId> {
        let records = books::records_at(&scene.hub().hub).into_iter();
        records.filter(|(_, record)| record.register == number::RECTIFICATION).map(|(id, _)| id).collect()
    };
    let order = orders();
    assert_eq!(order.len(), 1, "one order, for the one that failed");
    let told = [("ordered_on", "2008-09-03"), ("due_on", "2008-10-03"), ("demand", "台账不实")];
    stands(&scene, FIRST, order[0], &told);
    assert_eq!(counts(&scene, FIRST, "K35b", "2008-10-04"), [1; 4]);
    // More evidence of the same check orders nothing anew.
    scene.revise(checks[0], "SpotCheck", &[("checked_by", "周敏")]).await;
    scene.agrees().await;
    assert_eq!(orders(), order);

    // The other one fails a later check, puts it right, and fails again: each time is one of its own.
    let of = sound.to_string();
    let fails = |on| [("fec_case", of.as_str()), ("checked_on", on), ("result", "2"), ("found", "台账不实")];
    let first = scene.record(SECOND, "SpotCheck", &fails("2008-09-10")).await;
    scene.revise(sound, "FecCase", &[("stage", "5"), ("restored_on", "2008-09-25")]).await;
    scene.agrees().await;
    let [closed] = orders().into_iter().filter(|id| *id != order[0]).collect::<Vec<_>>()[..] else { panic!("one") };
    stands(&scene, SECOND, closed, &[("rechecked_on", "2008-09-25"), ("result", "合格")]);
    scene.revise(first, "SpotCheck", &[("checked_by", "周敏")]).await;
    stands(&scene, SECOND, sound, &[("stage", "达标")]);
    scene.record(SECOND, "SpotCheck", &fails("2008-11-03")).await;
    scene.agrees().await;
    stands(&scene, SECOND, sound, &[("stage", "责令整顿"), ("rectify_from", "2008-11-03")]);
    assert_eq!(orders().len(), 3);
    let days = ["2008-09-09", "2008-09-10", "2008-09-24", "2008-09-25", "2008-11-02", "2008-11-03", "2008-12-03"];
    let rectifying = days.map(|on| counts(&scene, SECOND, "K02b", on)[0]);
    assert_eq!(rectifying, [0, 1, 1, 0, 0, 1, 1]);
    assert_eq!(["2008-12-03", "2008-12-04"].map(|on| counts(&scene, SECOND, "K35b", on)[0]), [0, 1]);

    let revocation = [("stage", "7"), ("revoked_on", "2008-10-20"), ("revoke_reason", "整顿后仍不到位")];
    scene.revise(case, "FecCase", &revocation).await;
    scene.agrees().await;
    let again = |on| [("stage", "1"), ("applied_on", on)];
    let early = books::refused(scene.ledger(FIRST), number::FEC_CASE, None, &again("2009-10-19"));
    assert!(early.contains("2009-10-20"), "it is told from which day on: {early}");
    let anew = scene.enter(FIRST, number::FEC_CASE, &again("2009-10-20"));
    scene.agrees().await;
    stands(&scene, FIRST, anew, &[("stage", "申报")]);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_household_past_its_term_keeps_its_community_from_the_title_until_it_is_placed() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let (household, person) = (scene.household(FIRST, "零-1", &[]), scene.resident(FIRST, 1, &[]));
    scene.member(FIRST, household, person);
    let of = household.to_string();
    let case = [("household", of.as_str()), ("kind", "1"), ("recognised_on", "2008-04-01")];
    scene.enter(FIRST, number::ZEF_CASE, &case);
    let application = scene.enter(FIRST, number::FEC_CASE, &[("stage", "1"), ("applied_on", "2008-04-01")]);
    scene.meet().await;
    let assessed = [("stage", "3"), ("assessed_on", "2008-05-10"), ("score", "90.5"), ("rule_set", STANDARD)];
    scene.revise(application, "FecCase", &[("stage", "2"), ("reviewed_by_street_on", "2008-04-15")]).await;
    scene.revise(application, "FecCase", &assessed).await;
    scene.revise(application, "FecCase", &[("stage", "4"), ("publicity_from", "2008-05-20")]).await;
    let title = [("stage", "5"), ("certified_on", CERTIFIED)];
    let veto = scene.refused(application, "FecCase", &title).await;
    assert!(veto.contains("1 户零就业家庭超期"), "{veto}");
    // On the last of the twenty days nobody was overdue.
    let of = person.to_string();
    scene.enter(FIRST, number::PLACEMENT, &[("person", of.as_str()), ("kind", "1"), ("start_on", "2008-05-20")]);
    scene.meet().await;
    scene.revise(application, "FecCase", &title).await;
    scene.agrees().await;
    assert_eq!(counts(&scene, FIRST, "K02", CERTIFIED), [1; 4]);
    stands(&scene, FIRST, application, &[("stage", "达标")]);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_are_commended_all_of_them_certified_and_an_overdue_household_puts_one_behind() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let all = communities(&scene, DISTRICT);
    let mut chosen: Vec<u64> = all.iter().copied().filter(|code| *code != FIRST).take(10).collect();
    chosen.push(FIRST);
    for code in &chosen {
        titled(&scene, *code).await;
    }
    // One more has applied, and one has lost the title again.
    let waiting = [("stage", "1"), ("applied_on", "2008-05-01")];
    scene.record(all[20], "FecCase", &waiting).await;
    let gone = titled(&scene, all[21]).await;
    let order = [("stage", "6"), ("rectify_from", "2008-07-01"), ("rectify_due", "2008-08-01")];
    scene.revise(gone, "FecCase", &order).await;
    let gone_on = [("stage", "7"), ("revoked_on", "2008-09-01"), ("revoke_reason", "整顿后仍不到位")];
    scene.revise(gone, "FecCase", &gone_on).await;
    // A household of the last one has been without employment since April.
    let seen = [("verified_on", "2008-12-01")];
    let (household, person) = (scene.household(FIRST, "零-1", &seen), scene.resident(FIRST, 1, &seen));
    scene.member(FIRST, household, person);
    let of = household.to_string();
    let case = [("household", of.as_str()), ("kind", "1"), ("recognised_on", "2008-04-01")];
    scene.enter(FIRST, number::ZEF_CASE, &case);
    scene.agrees().await;

    let on = day("2008-12-20");
    let commend = || {
        let core = &scene.town.city.hub.core;
        totals::commend(core, &pb::CommendRequest { on, count: 0 }, core.unit).unwrap()
    };
    let answer = commend();
    assert_eq!((answer.candidates, answer.proposed.len()), (11, 10), "the notice says ten");
    let ranks: Vec<u32> = answer.proposed.iter().map(|one| one.rank).collect();
    assert_eq!(ranks, (1..=10).collect::<Vec<_>>());
    assert!(answer.proposed.iter().all(|one| chosen.contains(&one.unit)), "only who holds the title on the day");
    let eleventh = answer.next.unwrap();
    assert_eq!((eleventh.unit, eleventh.overdue), (FIRST, 1), "a household overdue keeps it from the ten");
    assert_eq!(counts(&scene, FIRST, "K08", "2008-12-20"), [1; 4]);
    let earlier = pb::CommendRequest { on: day("2008-05-31"), count: 0 };
    let core = &scene.town.city.hub.core;
    assert_eq!(totals::commend(core, &earlier, core.unit).unwrap().candidates, 0);

    // Somebody finds work in time: the household was none to begin with.
    let of = person.to_string();
    let job = [("person", of.as_str()), ("kind", "1"), ("start_on", "2008-04-10")];
    scene.enter(FIRST, number::PLACEMENT, &job);
    scene.agrees().await;
    assert_eq!(counts(&scene, FIRST, "K08", "2008-12-20"), [0; 4]);
    let answer = commend();
    let first = &answer.proposed[0];
    assert_eq!((first.unit, first.overdue, first.in_time, first.due), (FIRST, 0, 1, 1), "placed in time, it leads");

    // The decision is a record of the community, and reaches it.
    let case =
        books::records_of(scene.ledger(FIRST)).into_iter().find(|(_, record)| record.register == number::FEC_CASE);
    let case = case.unwrap().0.to_string();
    let award = [
        ("fec_case", case.as_str()),
        ("year", "2008"),
        ("rank", "1"),
        ("decided_on", "2008-12-20"),
        ("award", "奖金5000元、奖牌"),
    ];
    let award = scene.record(FIRST, "Commendation", &award).await;
    scene.agrees().await;
    stands(&scene, FIRST, award, &[("rank", "1"), ("award", "奖金5000元、奖牌"), ("decided_on", "2008-12-20")]);
    let answer = commend();
    assert_eq!((answer.recorded, answer.places), (1, 10), "the city sees how many are on record in all districts");
    let other = books::records_at(&scene.hub().hub)
        .into_iter()
        .find(|(_, record)| record.register == number::FEC_CASE && cell::home_unit(record) == Some(unit(chosen[0])));
    let other = other.unwrap().0;
    for (of, case, rank, on, why) in [
        (all[21], gone, "2", "2008-12-20", "未持有"),
        (chosen[0], other, "2", "2008-05-31", "未持有"),
        (chosen[0], other, "11", "2008-12-20", "名额为 10"),
        (chosen[0], other, "1", "2008-12-20", "此名次已有"),
    ] {
        let case = case.to_string();
        let award = [("fec_case", case.as_str()), ("year", "2008"), ("rank", rank), ("decided_on", on)];
        let refused = scene.not_recorded(of, "Commendation", &award).await;
        assert!(refused.contains(why), "{refused}");
    }
    let order = [("stage", "6"), ("rectify_from", "2008-12-01"), ("rectify_due", "2008-12-31")];
    scene.revise(other, "FecCase", &order).await;
    let case = other.to_string();
    let award_now = [("fec_case", case.as_str()), ("year", "2008"), ("rank", "2"), ("decided_on", "2008-12-20")];
    let refused = scene.not_recorded(chosen[0], "Commendation", &award_now).await;
    assert!(refused.contains("正在整顿"), "{refused}");
    let mine = books::refused(scene.ledger(FIRST), number::COMMENDATION, Some(award), &[("rank", "0")]);
    assert!(mine.contains("名次"), "{mine}");
    scene.end().await;
}
