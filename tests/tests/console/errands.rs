//! Errands from beginning to end.

use crate::{
    browser::{Browser, enter},
    office::{Console, HEAD},
};
use fantoccini::Locator;
use std::{path::Path, sync::Arc};
use taizhang_node::office::Office;
use taizhang_proto::register::number;
use taizhang_tests::scene::{FIRST, STREET, Scene};

fn office(scene: &Scene, unit: u64) -> Arc<Office> {
    scene.at(unit).office.clone()
}

fn roster(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/rosters").join(name).to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn from_the_first_start_to_the_first_entry_with_the_keyboard_alone() {
    let Some(browser) = Browser::open().await else { return };
    let scene = Scene::open().await;
    let console = Console::of(&office(&scene, FIRST)).await;
    // Without a user nobody gets in but by the link.
    browser.go(&console.at("/")).await;
    browser.reads("taizhang-node open").await;
    browser.go(&console.link).await;
    browser.keys(&format!("王芳\tcorrect horse\tcorrect horse{}", enter())).await;
    browser.reads("今日待办").await;
    browser.go(&console.link).await;
    browser.reads("此链接已失效").await;

    browser.go(&console.at("/")).await;
    browser.see("[data-key=N]").await;
    browser.keys("n").await;
    browser.arrives("/new/Resident").await;
    // A wrong number is told while it is typed, and again when it is sent.
    let number = scene.id_no(1);
    let wrong = format!("{}{}", &number[..17], if number.ends_with('1') { '2' } else { '1' });
    browser.write("#f-id_no", &wrong).await;
    browser.reads("校验位不符").await;
    browser.write("#f-name", "董珍").await;
    browser.click("form[data-form] button.go").await;
    browser.see("p.bad").await;
    assert!(scene.ledger(FIRST).ids(number::RESIDENT).unwrap().is_empty(), "nothing was saved");
    assert_eq!(browser.see("#f-name").await.prop("value").await.unwrap().unwrap(), "董珍", "what was typed stands");
    browser.write("#f-id_no", &number).await;
    browser.reads("校验码正确").await;
    // Enter goes from field to field.
    browser.keys(&enter()).await;
    let focused = browser.client.active_element().await.unwrap().attr("name").await.unwrap().unwrap();
    assert_eq!(focused, "id_no_15");
    browser.click("form[data-form] button.go").await;
    browser.arrives("/card/").await;
    browser.reads("已保存").await;
    let ids = scene.ledger(FIRST).ids(number::RESIDENT).unwrap();
    let record = scene.ledger(FIRST).view(ids[0]).unwrap().unwrap();
    assert_eq!(record.origins[0].by, "王芳", "the clerk's own name stands behind the entry");
    // Found by initials, without any of it in an address.
    browser.keys("/").await;
    browser.keys(&format!("DZ{}", enter())).await;
    browser.reads("董珍").await;
    assert!(!browser.client.current_url().await.unwrap().as_str().contains("DZ"));
    // And in English.
    browser.click("button[lang=en]").await;
    browser.reads("What is registered").await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_roster_is_looked_at_first_and_imported_once() {
    let Some(browser) = Browser::open().await else { return };
    let scene = Scene::open().await;
    let console = Console::with_head(&office(&scene, STREET)).await;
    browser.log_in(&console.base, HEAD.0, HEAD.1).await;
    browser.reads("今日待办").await;
    let held = || scene.ledger(STREET).ids(number::RESIDENT).unwrap().len();
    for (time, file) in ["求职登记台账.xlsx", "求职登记台账.xlsx"].iter().enumerate() {
        browser.go(&console.at("/import")).await;
        browser.see("input[type=file]").await.send_keys(&roster(file)).await.unwrap();
        browser.click("form[enctype] button.go").await;
        browser.arrives("/import/").await;
        browser.see(".tiles").await;
        if time > 0 {
            browser.reads("没有可导入的行").await;
            break;
        }
        assert_eq!(held(), 0, "looking saves nothing");
        browser.click("[data-key=I]").await;
        browser.reads("已导入").await;
        assert!(held() > 100, "{}", held());
    }
    // Not a roster at all.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("照片.xlsx");
    std::fs::write(&file, b"\xff\xd8\xff\xe0 no table").unwrap();
    browser.go(&console.at("/import")).await;
    browser.see("input[type=file]").await.send_keys(file.to_str().unwrap()).await.unwrap();
    browser.click("form[enctype] button.go").await;
    browser.reads("文件没有导入").await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_wrong_password_six_times_waits_and_keeps_nobody_else_out() {
    let Some(browser) = Browser::open().await else { return };
    let scene = Scene::open().await;
    let console = Console::with_head(&office(&scene, FIRST)).await;
    let users = taizhang_node::web::users::Users::of(scene.ledger(FIRST).data_dir()).unwrap();
    users.add("李强", taizhang_node::caller::Role::Reader, "battery staple").unwrap();
    for _ in 0..5 {
        browser.log_in(&console.base, HEAD.0, "no such password").await;
        browser.reads("用户名或密码不对").await;
    }
    browser.log_in(&console.base, HEAD.0, HEAD.1).await;
    browser.reads("分钟后再试").await;
    browser.log_in(&console.base, "李强", "battery staple").await;
    browser.reads("今日待办").await;
    // Who may look may not enter.
    browser.go(&console.at("/new/Resident")).await;
    browser.reads("只能查看").await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_case_leaves_today_once_somebody_is_placed_without_a_reload() {
    let Some(browser) = Browser::open().await else { return };
    let scene = Scene::open().await;
    let person = scene.enter(FIRST, number::RESIDENT, &[("id_no", &scene.id_no(1)), ("name", "董珍")]);
    let household = scene.household(FIRST, "H1", &[("head_person", &person.to_string())]);
    scene.member(FIRST, household, person);
    scene.case(FIRST, household, 18);
    scene.meet().await;
    let console = Console::with_head(&office(&scene, FIRST)).await;
    browser.log_in(&console.base, HEAD.0, HEAD.1).await;
    browser.reads("董珍").await;
    browser.reads("五日内").await;
    let today = browser.client.window().await.unwrap();
    // In another tab the placement is entered, from the case.
    let tab = browser.client.new_window(true).await.unwrap();
    browser.client.switch_to_window(tab.handle).await.unwrap();
    browser.go(&console.at(&format!("/card/{person}"))).await;
    browser.see("[data-key=A]").await;
    browser.keys("a").await;
    browser.arrives("/new/Placement").await;
    browser.see("#f-kind").await.select_by_index(1).await.unwrap();
    browser.write("#f-employer", "家家乐超市").await;
    browser.click("form[data-form] button.go").await;
    browser.arrives("/card/").await;
    browser.reads("家家乐超市").await;
    browser.client.switch_to_window(today).await.unwrap();
    browser.forgets("五日内").await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_tabs_on_one_card_are_told_and_neither_undoes_the_other() {
    let Some(browser) = Browser::open().await else { return };
    let scene = Scene::open().await;
    let person = scene.enter(
        FIRST,
        number::RESIDENT,
        &[("id_no", &scene.id_no(1)), ("name", "董珍"), ("phone", "52866123"), ("address", "学苑路12号")],
    );
    let console = Console::with_head(&office(&scene, FIRST)).await;
    browser.log_in(&console.base, HEAD.0, HEAD.1).await;
    browser.reads("今日待办").await;
    let edit = console.at(&format!("/edit/{person}"));
    browser.go(&edit).await;
    browser.see("#f-phone").await;
    // Meanwhile somebody else changes the phone.
    scene.amend(FIRST, person, &[("phone", "13940001234")]);
    browser.write("#f-address", "学苑路12号楼3单元502").await;
    browser.click("form[data-form] button.go").await;
    browser.arrives("/card/").await;
    assert_eq!(scene.says(FIRST, person, "phone"), "13940001234", "what nobody changed on the page is not undone");
    assert_eq!(scene.says(FIRST, person, "address"), "学苑路12号楼3单元502");
    // Now both change the same field.
    browser.go(&edit).await;
    browser.see("#f-phone").await;
    scene.amend(FIRST, person, &[("phone", "52860000")]);
    browser.write("#f-phone", "52861111").await;
    browser.click("form[data-form] button.go").await;
    browser.reads("已被别人更改").await;
    browser.reads("52860000").await;
    assert_eq!(scene.says(FIRST, person, "phone"), "52860000");
    browser.click("form[data-form] button.go").await;
    browser.arrives("/card/").await;
    assert_eq!(scene.says(FIRST, person, "phone"), "52861111");
    scene.meet().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_half_filled_form_is_there_again_after_the_light_went_out() {
    let Some(browser) = Browser::open().await else { return };
    let scene = Scene::open().await;
    let office = office(&scene, FIRST);
    let console = Console::with_head(&office).await;
    browser.log_in(&console.base, HEAD.0, HEAD.1).await;
    browser.reads("今日待办").await;
    browser.go(&console.at("/new/Resident")).await;
    browser.write("#f-name", "董珍").await;
    browser.reads("草稿已存").await;
    drop(console);
    // The program starts anew.
    let console = Console::of(&office).await;
    browser.log_in(&console.base, HEAD.0, HEAD.1).await;
    browser.reads("今日待办").await;
    browser.go(&console.at("/new/Resident")).await;
    browser.reads("上次没填完的内容已找回").await;
    assert_eq!(browser.see("#f-name").await.prop("value").await.unwrap().unwrap(), "董珍");
    browser.click("p.note a").await;
    browser.forgets("上次没填完").await;
    assert_eq!(browser.see("#f-name").await.prop("value").await.unwrap().unwrap(), "");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_page_opens_in_both_languages_prints_and_says_nothing_wrong_to_the_browser() {
    let Some(browser) = Browser::open().await else { return };
    let scene = Scene::open().await;
    let person = scene.enter(FIRST, number::RESIDENT, &[("id_no", &scene.id_no(1)), ("name", "董珍")]);
    let household = scene.household(FIRST, "H1", &[("head_person", &person.to_string())]);
    scene.member(FIRST, household, person);
    let case = scene.case(FIRST, household, 18);
    scene.meet().await;
    let console = Console::with_head(&office(&scene, FIRST)).await;
    browser.log_in(&console.base, HEAD.0, HEAD.1).await;
    browser.reads("今日待办").await;
    let mut pages: Vec<String> = [
        "/",
        "/people",
        "/registers",
        "/import",
        "/cases",
        "/cases/print",
        "/station",
        "/months",
        "/sync",
        "/refused",
        "/account",
        "/notice",
    ]
    .map(str::to_owned)
    .into();
    pages.extend([
        format!("/card/{person}"),
        format!("/edit/{person}"),
        format!("/history/{person}"),
        format!("/record/{case}"),
    ]);
    for def in taizhang_proto::register::registers().iter() {
        pages.extend([
            format!("/register/{}", def.name),
            format!("/register/{}/print", def.name),
            format!("/new/{}", def.name),
        ]);
    }
    for lang in ["zh", "en"] {
        if lang == "en" {
            browser.go(&console.at("/")).await;
            browser.click("button[lang=en]").await;
            browser.reads("To do today").await;
        }
        for page in &pages {
            browser.go(&console.at(page)).await;
            let main = browser.see("#main").await.text().await.unwrap();
            assert!(!main.trim().is_empty(), "{page}");
            let shown = browser.client.find_all(Locator::Css("p.said[role=alert]")).await.unwrap();
            assert!(shown.is_empty() || !main.contains("Something is wrong"), "{page}: {main}");
            // No style or script was refused by the page's own policy, and none is in the page.
            let inline = "return document.querySelectorAll('[style],script:not([src]),[onclick]').length";
            let count = browser.client.execute(inline, Vec::new()).await.unwrap();
            assert_eq!(count.as_u64(), Some(0), "{page}");
            // Every field has a label, every picture and link a name.
            let nameless = "return Array.from(document.querySelectorAll('input:not([type=hidden]),select')).filter(i => !(i.labels && i.labels.length) && !i.getAttribute('aria-label')).map(i => i.name).join()";
            let nameless = browser.client.execute(nameless, Vec::new()).await.unwrap();
            assert_eq!(nameless.as_str(), Some(""), "{page} in {lang}: fields without a label");
            let empty = "return Array.from(document.querySelectorAll('a,button')).filter(a => !a.textContent.trim() && !a.getAttribute('aria-label')).length";
            assert_eq!(
                browser.client.execute(empty, Vec::new()).await.unwrap().as_u64(),
                Some(0),
                "{page}: nameless links"
            );
        }
    }
    browser.go(&console.at("/cases/print")).await;
    let paper = fantoccini::wd::PrintConfiguration::default();
    let pdf = browser.client.print(paper).await.unwrap();
    assert!(pdf.starts_with(b"%PDF"), "{} bytes", pdf.len());
    scene.end().await;
}
