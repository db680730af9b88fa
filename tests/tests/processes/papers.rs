//! What offices read, print and post up, and what the city has of its own, by the commands that people type.

use crate::town::{self, Kind, OFFICES, Town, tz};
use calamine::Reader as _;
use std::{fs, path::Path};
use taizhang_proto::{date, month::Month};
use taizhang_tests::books::id_no;

fn record(answer: &town::Answer) -> String {
    answer.json()["record"].as_str().unwrap().to_owned()
}

/// The lines of the one sheet of a file, cells apart.
fn sheet(file: &Path) -> Vec<Vec<String>> {
    let mut book: calamine::Xlsx<_> = calamine::open_workbook(file).unwrap();
    let range = book.worksheet_range_at(0).unwrap().unwrap();
    range.rows().map(|row| row.iter().map(ToString::to_string).collect()).collect()
}

/// The lines of a csv file with a byte order mark, read by a library that did not write it.
fn csv_lines(file: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(file).unwrap();
    let text = text.strip_prefix('\u{feff}').expect("Excel reads it by its mark");
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// The month before the one that runs.
fn last_month() -> Month {
    let today = date::shanghai(jiff::Timestamp::now().as_millisecond() as u64);
    Month::of(Month::of(today).unwrap().first_day() - 1).unwrap()
}

#[test]
fn what_the_city_and_the_district_have_for_everybody_is_listed_and_referred_to_at_an_office() {
    town::runtime().block_on(async {
        let mut town = Town::found(1, "nightly").await;
        let data = town.offices[0].data.clone();
        let month = last_month();
        let (from, to) = (date::iso(month.first_day()), date::iso(month.last_day()));
        let city = &town.city;
        let [from_on, to_on] = [format!("from_on={from}"), format!("to_on={to}")];
        city.tz(&["papers", "give", "campaign", "title=全市援助月", &from_on, &to_on, "--by", "王局长"]).exits(0);
        let paper =
            ["document_no=抚再办发〔2008〕4号", "title=平台建设通知", "issuer=市再就业办", "issued_on=2008-03-20"];
        city.tz(&[&["papers", "give", "政策文件"], &paper[..], &["--by", "王局长"]].concat()).exits(0);
        let visit = ["on=2008-04-22", "by_unit=210400000000", "subject=一站式指导", "--to", OFFICES[0]];
        city.tz(&[&["papers", "give", "inspection"], &visit[..], &["--by", "王局长"]].concat()).exits(0);
        let pair = ["leader=李市长", "leader_unit=市财政局", "from_on=2008-01-10", "--to", OFFICES[0]];
        city.tz(&[&["papers", "give", "pairing"], &pair[..], &["--by", "王局长"]].concat()).exits(0);
        // Nothing of a person, no fields that there are not, and somebody answers for it.
        city.tz(&["papers", "give", "resident", "name=张三", "--by", "王"]).exits(1).says(&["援助月"]);
        city.tz(&["papers", "give", "campaign", "title=x", "--by", "王"]).exits(1).says(&["开始日期"]);
        city.tz(&["papers", "give", "campaign", "remark=张三", "title=x", &from_on, &to_on, "--by", "王"])
            .exits(1)
            .says(&["个人信息"]);
        city.tz(&["papers", "give", "inspection", "on=2008-04-22", "by_unit=210400000000", "subject=x", "--by", "王"])
            .exits(1)
            .says(&["承办单位"]);
        let listed = city.tz(&["--json", "papers", "list"]).exits(0).rows();
        assert_eq!(listed.as_array().unwrap().len(), 4, "{listed}");
        assert!(city.tz(&["papers", "list", "2"]).exits(0).out.contains("抚再办发〔2008〕4号"));
        town.district.tz(&["sync"]).exits(0);
        assert_eq!(town.district.tz(&["--json", "papers", "list"]).exits(0).rows().as_array().unwrap().len(), 4);
        let home = format!("home_unit={}", town::DISTRICT);
        let post = ["post_no=G-1", "places=2", "kind=20", &home, "--reason", "公岗", "--by", "王科长"];
        let revise = [&["--json", "revise", "post"], &post[..]].concat();
        let post = record(&town.district.tz(&revise).exits(0));
        // A second click enters no second one; nor does a number that is taken, unless it is meant.
        town.district.tz(&revise).exits(1).says(&["--despite", &post]);
        let raised =
            ["title=无合适岗位", "raised_on=2008-04-20", "owner=周敏", &home, "--reason", "走访", "--by", "王科长"];
        let issue = [&["--json", "revise", "issue"], &raised[..]].concat();
        let first = record(&town.district.tz(&issue).exits(0));
        town.district.tz(&issue).exits(1).says(&["刚才已登记", &first]);
        assert_ne!(record(&town.district.tz(&[&issue[..], &["--despite"]].concat()).exits(0)), first);
        let person = |name: &str, despite: &[&str]| {
            let name = format!("name={name}");
            let fields = [&name, "id_no=110101196601010023", &home, "--reason", "补录", "--by", "王科长"];
            town.district.tz(&[&["--json", "revise", "resident"], &fields[..], despite].concat())
        };
        let first = record(&person("甲一", &[]).exits(0));
        person("甲二", &[]).exits(1).says(&["公民身份号码", &first, "--despite"]);
        person("甲二", &["--despite"]).exits(0);

        tz(Kind::Node, &data, &["sync"]).exits(0);
        let campaigns = tz(Kind::Node, &data, &["--json", "campaigns"]).exits(0).rows();
        assert_eq!(campaigns[0]["title"], "全市援助月");
        let campaign = campaigns[0]["record"].as_str().unwrap().to_owned();
        for (register, shown) in [
            ("post", "G-1"),
            ("policy_document", "平台建设通知"),
            ("inspection", "一站式指导"),
            ("pairing", "市财政局"),
        ] {
            let listed = tz(Kind::Node, &data, &["--json", "list", register]).exits(0).out;
            assert!(listed.contains(shown), "{register}: {listed}");
        }
        // An export is the office's own register: what is the district's is not in it.
        let file = town.dir.path().join("岗位.csv");
        tz(Kind::Node, &data, &["export", "post", file.to_str().unwrap()]).exits(0);
        assert!(!fs::read_to_string(&file).unwrap().contains("G-1"));
        tz(Kind::Node, &data, &["save", "post", "--record", "G-1", "places=9"]).exits(1).says(&["不能在本单位修改"]);
        let id = format!("id_no={}", id_no(5_100, 1));
        tz(Kind::Node, &data, &["save", "resident", "name=赵铁柱", &id]).exits(0);
        let person = tz(Kind::Node, &data, &["--json", "list", "resident"]).exits(0).json();
        let person = format!("person={}", person["rows"][0]["record"].as_str().unwrap());
        // The city paired a leader with this unit; the unit says with whom.
        let pairing = tz(Kind::Node, &data, &["--json", "list", "pairing"]).exits(0).json();
        let pairing = pairing["rows"][0]["record"].as_str().unwrap().to_owned();
        tz(Kind::Node, &data, &["save", "pairing", "--record", &pairing, &person]).exits(0);
        let [at, served] = [format!("post={post}"), format!("campaign={campaign}")];
        tz(Kind::Node, &data, &["save", "placement", &person, "kind=3", &at, &format!("start_on={from}")]).exits(0);
        tz(Kind::Node, &data, &["save", "service_record", &person, "kind=1", &format!("on={from}"), &served]).exits(0);
        tz(Kind::Node, &data, &["sync"]).exits(0);
        assert_eq!(tz(Kind::Node, &data, &["--json", "refused"]).exits(0).rows().as_array().map(Vec::len), Some(0));
        // What the city takes back is void below.
        city.tz(&["papers", "withdraw", "1"]).exits(0);
        town.district.tz(&["sync"]).exits(0);
        tz(Kind::Node, &data, &["sync"]).exits(0);
        assert_eq!(tz(Kind::Node, &data, &["--json", "campaigns"]).exits(0).rows().as_array().unwrap().len(), 0);
        town.adds_up().await;
        town.district.stop().await;
        town.city.stop().await;
    });
}

#[test]
fn an_office_posts_up_recognised_households_and_prints_its_archive() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("office");
    tz(Kind::Node, &data, &["init", "--unit", OFFICES[0]]).exits(0);
    let save = |fields: &[&str]| record(&tz(Kind::Node, &data, &[&["--json", "save"], fields].concat()).exits(0));
    let number = id_no(5_200, 1);
    let ids = [format!("id_no={number}"), format!("id_no={}", id_no(5_200, 2))];
    let head = save(&["resident", "name=钱二妹", &ids[0], "phone=13841300001", "address=和平街8号"]);
    let son = save(&["resident", "name=钱小宝", &ids[1]]);
    let household = save(&["household", &format!("head_person={head}"), "address=和平街8号", "status=1"]);
    for person in [&head, &son] {
        let fields = [format!("household={household}"), format!("person={person}"), "counted=是".into()];
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        save(&[&["member"], &fields[..]].concat());
    }
    let of = format!("household={household}");
    save(&["zef_case", &of, "kind=1", "recognised_on=2008-03-20"]);
    let file = dir.path().join("公示.xlsx");
    tz(Kind::Node, &data, &["publicity", "--file", file.to_str().unwrap()]).exits(0);
    let lines = sheet(&file);
    let row = lines.iter().find(|row| row[1] == "钱二妹").unwrap_or_else(|| panic!("{lines:?}"));
    assert_eq!((row[0].as_str(), row[3].as_str(), row[4].as_str()), ("1", "2008-03-20", "2"));
    for ending in ["csv", "html"] {
        let file = dir.path().join(format!("公示.{ending}"));
        tz(Kind::Node, &data, &["publicity", "--file", file.to_str().unwrap()]).exits(0);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains("钱二妹") && text.contains("公示期"));
        for personal in [&number, "13841300001", "和平街", "钱小宝"] {
            assert!(!text.contains(personal) && !format!("{lines:?}").contains(personal), "{personal} is posted up");
        }
    }
    tz(Kind::Node, &data, &["publicity", "--file", "公示.doc"]).exits(1).says(&[".xlsx"]);
    assert_eq!(
        tz(Kind::Node, &data, &["--json", "publicity", "--from", "2008-03-21"]).exits(0).rows(),
        serde_json::json!([])
    );

    let entry = ["class=册", "title=零就业家庭台账", "pages=36", "formed_on=2008-12-31", "archived_on=2009-01-08"];
    save(&[&["archive_entry", "archive_no=JX-2008-3-001", "keep=30年", "place=2柜3格"], &entry[..]].concat());
    save(&["archive_entry", "archive_no=JX-2009-1-001", "keep=永久", "class=表", "title==1+1", "formed_on=2009-02-01"]);
    let catalogue = dir.path().join("目录.csv");
    tz(Kind::Node, &data, &["archive", "--file", catalogue.to_str().unwrap()]).exits(0);
    let lines = csv_lines(&catalogue);
    let heading =
        ["顺序号", "档号", "题名", "类别", "形成日期", "页数", "归档日期", "保管期限", "存放位置", "立卷单位"];
    assert!(lines.iter().any(|row| *row == heading), "{lines:?}");
    let row = lines.iter().find(|row| row.contains(&"JX-2008-3-001".to_owned())).unwrap();
    assert_eq!(row[2..9], ["零就业家庭台账", "册", "2008-12-31", "36", "2009-01-08", "30年", "2柜3格"]);
    assert!(!lines.iter().flatten().any(|cell| cell.starts_with('=')), "no cell is a formula: {lines:?}");
    let narrowed = tz(Kind::Node, &data, &["--json", "archive", "--year", "2008", "--class", "册"]).exits(0).rows();
    assert_eq!(narrowed.as_array().unwrap().len(), 1);
    tz(Kind::Node, &data, &["archive", "--class", "没有"]).exits(1).says(&["册"]);
    let labels = dir.path().join("标签.html");
    tz(Kind::Node, &data, &["archive", "--labels", "--file", labels.to_str().unwrap()]).exits(0);
    let page = fs::read_to_string(&labels).unwrap();
    assert_eq!(page.matches("class=\"label\"").count(), 2);
    assert!(page.contains("保管期限：30年") && page.contains("年度：2008"));
}

#[test]
fn a_locked_month_is_read_at_its_office_and_its_report_says_the_same_in_every_file() {
    town::runtime().block_on(async {
        let mut town = Town::found(1, "nightly").await;
        let data = town.offices[0].data.clone();
        let month = last_month();
        let name = month.to_string();
        let on = format!("registered_on={}", date::iso(month.first_day() + 2));
        let enter = |nth| {
            let id = format!("id_no={}", id_no(5_300, nth));
            tz(Kind::Node, &data, &["save", "resident", "name=孙三", &id, &on]).exits(0);
            tz(Kind::Node, &data, &["sync"]).exits(0);
        };
        enter(1);
        let own = |answer: serde_json::Value, code: &str| {
            let figures = answer.get("figures").or_else(|| answer.get("rows")).cloned().unwrap_or_default();
            let line = figures.as_array().unwrap().iter().find(|line| line["indicator"] == code).cloned().unwrap();
            line[OFFICES[0]].to_string().trim_matches('"').to_owned()
        };
        let months = |month: &[&str]| tz(Kind::Node, &data, &[&["--json", "months"], month].concat()).exits(0).json();
        assert_eq!(own(months(&[&name]), "K00"), "1", "not locked: as the registers stand");
        assert!(tz(Kind::Node, &data, &["months", &name]).exits(0).out.contains("尚未封账"));
        tz(Kind::Node, &data, &["close", &name, "--by", "张三"]).exits(0);
        tz(Kind::Node, &data, &["sync"]).exits(0);
        assert!(tz(Kind::Node, &data, &["months"]).exits(0).out.contains("待审核"));
        town.district.tz(&["approve", &name, "--by", "王科长"]).exits(0);
        town.district.tz(&["sync"]).exits(0);
        // Whom it would refuse it does not ask first.
        town.city.tz(&["lock", &name, "--by", "李局长"]).exits(1).says(&["缺报原因"]);
        town.city.tz(&["lock", &name, "--by", "李局长", "--reason", "其余县区未接入", "--yes"]).exits(0);
        town.district.tz(&["sync"]).exits(0);
        tz(Kind::Node, &data, &["sync"]).exits(0);
        let overview = tz(Kind::Node, &data, &["months"]).exits(0).out;
        assert!(overview.contains("王科长") && overview.contains("李局长"), "{overview}");
        // What comes later changes the month nowhere, and is a correction.
        enter(2);
        town.district.tz(&["sync"]).exits(0);
        assert_eq!(own(months(&[&name]), "K00"), "1", "as it was locked");
        assert!(tz(Kind::Node, &data, &["months", &name]).exits(0).out.contains("市级已封账"));

        let hub = &town.city;
        let unit = ["--unit", town::DISTRICT, "--unit", OFFICES[0]];
        let file = |ending: &str| town.dir.path().join(format!("月报.{ending}"));
        for ending in ["xlsx", "csv", "html"] {
            hub.tz(&[&["report", &name, "--file", file(ending).to_str().unwrap()], &unit[..]].concat()).exits(0);
        }
        let [book, text] = [sheet(&file("xlsx")), csv_lines(&file("csv"))];
        let trimmed = |lines: &[Vec<String>]| -> Vec<Vec<String>> {
            let end = |row: &Vec<String>| row.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1);
            lines.iter().map(|row| row[..end(row)].to_vec()).collect()
        };
        assert_eq!(trimmed(&book), trimmed(&text), "one report, whatever the file");
        let page = fs::read_to_string(file("html")).unwrap();
        for cell in text.iter().flatten().filter(|cell| !cell.is_empty()) {
            let cell = cell.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            assert!(page.contains(&cell), "{cell} is not on the page");
        }
        let has = |cells: &[&str]| text.iter().any(|row| cells.iter().all(|cell| row.iter().any(|own| own == cell)));
        assert!(text[0][0].contains("月报") && text.iter().any(|row| row[0].contains("不完整")), "{text:?}");
        assert!(text.iter().any(|row| row[0] == "K00" && row[3..5] == ["1", "1"]), "the locked figure");
        let opened = text.iter().position(|row| row[0].contains("封账后更正")).unwrap();
        let corrected = &text[opened..];
        let changed = |row: &&Vec<String>| row.len() >= 6 && row[2].starts_with("K00 ") && row[4..6] == ["1", "2"];
        assert_eq!(corrected.iter().filter(changed).count(), 2, "of both units: {corrected:?}");
        assert!(has(&["指标", "名称", "口径"]) && has(&["月份", "单位", "原报数", "更正为"]));
        // The same on the terminal and to a program.
        let shown = hub.tz(&[&["--wide", "report", &name], &unit[..]].concat()).exits(0).out;
        assert!(shown.contains("封账后更正") && shown.contains("其余县区未接入"), "{shown}");
        let read = hub.tz(&[&["--json", "report", &name], &unit[..]].concat()).exits(0).json();
        assert_eq!(own(read.clone(), "K00"), "1");
        assert!(!read["open"].as_array().unwrap().is_empty());
        town.district.stop().await;
        town.city.stop().await;
    });
}

#[test]
fn where_there_are_fewer_titles_than_places_all_of_them_are_commended_and_nobody_where_there_is_none() {
    town::runtime().block_on(async {
        let mut town = Town::found(0, "nightly").await;
        town.city.tz(&["decide", "commend", "--by", "李局长"]).exits(1).says(&["没有持有称号"]);
        assert_eq!(town.city.tz(&["--json", "commend"]).exits(0).rows(), serde_json::json!([]));
        for (place, unit) in OFFICES[..2].iter().enumerate() {
            let home = format!("home_unit={unit}");
            let fields = ["stage=5", "applied_on=2008-04-01", "certified_on=2008-06-01", &home];
            let why = ["--reason", "县区考核达标", "--by", "王科长", "--despite"];
            let revise = [&["revise", "fec_case"], &fields[..], &why[..]].concat();
            town.district.tz(&revise).exits(0);
            // A second one is opened by nobody who does not say so; a month's closing by no hand at all.
            let again = [&["revise", "fec_case", "stage=1", "applied_on=2008-07-01", &home], &why[..4]].concat();
            town.district.tz(&again).exits(1).says(&["未结的充分就业社区创建", "--despite"]);
            let closing = [&["revise", "period_close", "month=2008-02", "rows=7", &home], &why[..]].concat();
            town.district.tz(&closing).exits(1).says(&["approve"]);
            town.district.tz(&["sync"]).exits(0);
            let listed = town.city.tz(&["commend"]).exits(0).out;
            assert!(listed.contains(unit), "{place}: {listed}");
        }
        let decided = town.city.tz(&["decide", "commend", "--by", "李局长"]).exits(0).out;
        assert!(decided.contains("符合条件的社区 2 个，名额 10 个，全部评定"), "{decided}");
        town.district.tz(&["sync"]).exits(0);
        let awards = town.district.tz(&["--json", "list", "commendation"]).exits(0).json();
        assert_eq!(awards["total"], 2, "{awards}");
        town.city.tz(&["decide", "commend", "--by", "李局长"]).exits(1).says(&["已评定"]);
        town.district.stop().await;
        town.city.stop().await;
    });
}
