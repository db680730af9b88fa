//! The notice itself, the law that it rests on, and what offices publish (items 1, 3 and 28).

use crate::{counts, day, publish, second_plan, stands, up};
use taizhang_proto::{plan::Plan, register::number};
use taizhang_tests::{
    books,
    scene::{FIRST, STREET, Scene},
};

const NUMBER: &str = "抚再办发〔2008〕4号";
const LAW: &str = "中华人民共和国就业促进法";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_notice_is_on_the_register_of_documents_and_every_target_rests_on_it() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let fields = [
        ("document_no", NUMBER),
        ("title", "关于开展充分就业社区创建活动的通知"),
        ("issuer", "市再就业工作领导小组办公室"),
        ("issued_on", "2008-03-20"),
        ("basis", LAW),
    ];
    let notice = scene.enter(STREET, number::POLICY_DOCUMENT, &fields);
    let nameless = books::refused(scene.ledger(STREET), number::POLICY_DOCUMENT, None, &fields[1..]);
    assert!(nameless.contains("文号必须填写"), "{nameless}");
    scene.agrees().await;
    stands(&scene, STREET, notice, &fields);

    let cores = [&scene.hub().hub.core, &scene.town.city.hub.core];
    let plans: Vec<_> = [FIRST, STREET]
        .map(|code| scene.ledger(code).plans())
        .into_iter()
        .chain(cores.map(|core| core.plans()))
        .collect();
    for plans in plans {
        let plan: &Plan = plans.on(day("2008-03-20"));
        assert!(plan.basis.contains(&scene.says(STREET, notice, "document_no")), "{:?}", plan.basis);
        // Item 9 asks for K01, item 11 for K03, items 12 and 13 for the clocks, and so on.
        let item = |code: &str| plan.targets[code].item;
        assert_eq!(["K01", "K03", "K07", "K11", "K14", "K18", "K44"].map(item), [9, 11, 12, 13, 16, 39, 20].map(Some));
        assert!(plan.targets.values().filter_map(|target| target.item).all(|item| (1..=52).contains(&item)));
    }
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_plan_cites_the_law_that_it_rests_on_and_a_later_one_cites_its_own() {
    let scene = Scene::of(&[FIRST]).await;
    let of_2008 = |scene: &Scene| scene.ledger(FIRST).plans().on(day("2008-03-20")).basis.clone();
    assert_eq!(of_2008(&scene), [NUMBER, LAW]);
    let text = second_plan(&scene).replace(&format!("\"{LAW}\"]"), &format!("\"{LAW}\", \"国发〔2008〕5号\"]"));
    publish(&scene, &text).await;
    let plans = scene.ledger(FIRST).plans();
    let now = plans.on(scene.hub().hub.core.today());
    assert_eq!((now.version, &now.basis[..]), (2, &[NUMBER.to_owned(), LAW.into(), "国发〔2008〕5号".into()][..]));
    assert_eq!(of_2008(&scene), [NUMBER, LAW], "what was measured by the first plan goes on resting on its documents");
    for core in [&scene.hub().hub.core, &scene.town.city.hub.core] {
        assert_eq!(*core.plans(), *plans);
    }
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_four_kinds_are_published_until_one_of_them_expires() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    scene.enter(FIRST, number::FACILITY, &[("kind", "3"), ("effective_on", "2008-01-15")]);
    let publish = |kind, title, until| {
        let fields = [("kind", kind), ("title", title), ("published_on", "2008-04-01"), ("place", "办事大厅公示栏")];
        let until = [("until", until)];
        scene.enter(FIRST, number::PUBLISHED_DOC, &[&fields[..], &until].concat())
    };
    publish("1", "工作制度", "");
    publish("2", "小额担保贷款政策", "");
    let steps = publish("3", "失业登记办事规程", "2008-09-30");
    scene.agrees().await;
    let complete = |on| up(&scene, FIRST, "K22", on);
    assert_eq!(complete("2008-05-01"), [(0, 1); 4], "three of four are not all");

    let promise = publish("4", "服务承诺", "");
    scene.agrees().await;
    let said = [("kind", "服务承诺"), ("published_on", "2008-04-01"), ("place", "办事大厅公示栏")];
    stands(&scene, FIRST, promise, &said);
    assert_eq!(complete("2008-03-31"), [(0, 1); 4]);
    assert_eq!(complete("2008-04-01"), [(1, 1); 4]);
    assert_eq!(complete("2008-09-30"), [(1, 1); 4], "in force on its last day");
    assert_eq!(complete("2008-10-01"), [(0, 1); 4], "it expires without a write");

    scene.amend(FIRST, steps, &[("until", "2009-12-31")]);
    scene.agrees().await;
    assert_eq!(complete("2008-10-01"), [(1, 1); 4]);
    let early = [("kind", "4"), ("title", "旧承诺"), ("published_on", "2008-04-01"), ("until", "2008-03-01")];
    let refused = books::refused(scene.ledger(FIRST), number::PUBLISHED_DOC, None, &early);
    assert!(refused.contains("有效期早于公布日期"), "{refused}");
    assert_eq!(counts(&scene, STREET, "K22", "2008-05-01"), [1, 1, 1], "the street has no platform of its own");
    scene.end().await;
}
