//! Ministry field codes as headings, an office's own mapping files, and codes that no list knows.

use super::{
    desk::{Memory, def, show},
    files::{counts, id},
};
use crate::exchange::{Layouts, Options};
use rust_xlsxwriter::Workbook;
use taizhang_proto::{
    RecordId,
    pb::Format,
    register::{number, registers},
};

const HEADINGS: [&str; 25] = [
    "AAC002", "AAC003", "AAC004", "AAC005", "AAC006", "AAC009", "AAC010", "AAC011", "AAC067", "AAE006", "AAC021",
    "AAE043", "AJC090", "AJC093", "ACC02A", "ACC024", "ADC310", "ABC913", "ABC914", "BCC700", "AAE011", "AAE036",
    "AAE013", "AAB004", "AAC147",
];

/// Three persons: one out of work and in hardship, one with a contract, one in flexible work on allowance.
fn rows() -> Vec<Vec<String>> {
    let (one, two, three) = (id("19580301", 11), id("19710302", 22), id("19620303", 33));
    let rows = [
        [
            &one,
            "王强",
            "1",
            "11",
            "19580301",
            "1",
            "新抚区永宁街12号",
            "70",
            "13800000000",
            "永宁街12号3-1",
            "21041531979",
            "20080310",
            "20080201",
            "2",
            "1",
            "0",
            "06",
            "",
            "",
            "",
            "李四",
            "20080312",
            "低保边缘",
            "",
            &one,
        ],
        [
            &two,
            "李红",
            "2",
            "01",
            "19710302",
            "1",
            "",
            "40",
            "",
            "",
            "",
            "",
            "",
            "",
            "否",
            "否",
            "",
            "20080305",
            "20090304",
            "",
            "李四",
            "20080312",
            "",
            "抚顺矿务局",
            &two,
        ],
        [
            &three, "赵刚", "1", "01", "19620303", "7", "", "99", "", "", "", "", "", "", "0", "是", "77", "20080301",
            "", "02", "李四", "20080312", "", "", &three,
        ],
    ];
    rows.map(|row| row.map(str::to_owned).to_vec()).to_vec()
}

/// As GBK text, as the old software writes it.
fn csv(rows: &[Vec<String>]) -> Vec<u8> {
    let lines: Vec<String> = std::iter::once(HEADINGS.join(",")).chain(rows.iter().map(|row| row.join(","))).collect();
    encoding_rs::GB18030.encode(&(lines.join("\r\n") + "\r\n")).0.into_owned()
}

fn xlsx(rows: &[Vec<String>]) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write_row(0, 0, HEADINGS).unwrap();
    for (place, row) in (1..).zip(rows) {
        sheet.write_row(place, 0, row).unwrap();
    }
    book.save_to_buffer().unwrap()
}

fn person(desk: &Memory, name: &str) -> (RecordId, taizhang_proto::Record) {
    desk.which(number::RESIDENT, "name", name).unwrap()
}

#[test]
fn every_code_of_the_old_software_goes_to_its_register() {
    for (name, content) in [("laodong99.csv", csv(&rows())), ("laodong99.xlsx", xlsx(&rows()))] {
        let desk = Memory::street();
        let report = desk.import(name, &content);
        assert_eq!(counts(&report), [3, 0, 0, 0, 0], "{name} {report:?}");

        let (wang, record) = person(&desk, "王强");
        for (field, expected) in [
            ("ethnic", "满族"),
            ("hukou_kind", "非农业"),
            ("hukou_address", "新抚区永宁街12号"),
            ("address", "永宁街12号3-1"),
            ("edu", "初中"),
            ("phone", "13800000000"),
            ("certificate", "02 失业证 21041531979"),
            ("hardship_claim", "残疾、4050人员"),
            ("remark", "低保边缘"),
            ("effective_on", "2008-03-12"),
            ("import_note", "AAE011：李四"),
        ] {
            let shown = show(&record, field);
            let mut parts: Vec<&str> = shown.split('、').collect();
            let mut wanted: Vec<&str> = expected.split('、').collect();
            parts.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(parts, wanted, "{name} {field}");
        }
        let (_, spell) = desk.which(number::UNEMPLOYMENT_SPELL, "person", &wang.to_string()).unwrap();
        assert_eq!(
            ["reg_no", "reg_on", "lost_on", "cause"].map(|field| show(&spell, field)),
            ["21041531979", "2008-03-10", "2008-02-01", "裁员"]
        );
        let (_, case) = desk.which(number::HARDSHIP_CASE, "person", &wang.to_string()).unwrap();
        assert_eq!((show(&case, "applied_on"), show(&case, "recognised_on")), ("2008-03-12".into(), String::new()));
        assert!(show(&case, "kind").contains("残疾") && show(&case, "kind").contains("4050"));

        let (li, _) = person(&desk, "李红");
        let (_, work) = desk.which(number::PLACEMENT, "person", &li.to_string()).unwrap();
        assert_eq!(
            ["start_on", "contract_from", "contract_to", "employer", "kind", "remark"].map(|field| show(&work, field)),
            ["2008-03-05", "2008-03-05", "2009-03-04", "抚顺矿务局", "其他", ""]
        );

        let (zhao, record) = person(&desk, "赵刚");
        assert_eq!((show(&record, "hukou_kind"), show(&record, "edu")), ("其他".into(), "其他".into()));
        assert_eq!(show(&record, "import_note"), "户口性质：7；文化程度：99；AAE011：李四");
        let (_, work) = desk.which(number::PLACEMENT, "person", &zhao.to_string()).unwrap();
        assert_eq!((show(&work, "kind"), show(&work, "flexible_kind")), ("灵活就业".into(), "02".into()));
        let (home, household) = desk.which(number::HOUSEHOLD, "head_person", &zhao.to_string()).unwrap();
        assert_eq!((show(&household, "dibao"), show(&household, "status")), ("是".into(), "待核实".into()));
        assert!(desk.which(number::MEMBER, "household", &home.to_string()).is_some());
        let (_, case) = desk.which(number::HARDSHIP_CASE, "person", &zhao.to_string()).unwrap();
        assert_eq!((show(&case, "kind"), show(&case, "import_note")), ("其他".into(), "困难类别：77".into()));
        assert_eq!((desk.count(number::HOUSEHOLD), desk.count(number::PLACEMENT)), (1, 2));
        let told: Vec<_> = report.findings.iter().filter(|finding| finding.contains("代码表中没有")).collect();
        assert_eq!(told.len(), 3, "{told:?}");

        let before = desk.records.borrow().clone();
        assert_eq!(counts(&desk.import(name, &content)), [0, 3, 0, 0, 0], "{name}");
        assert_eq!(*desk.records.borrow(), before, "{name}");
    }
}

#[test]
fn the_reasons_file_of_coded_columns_comes_back_mended() {
    for (name, write) in [("a.csv", csv as fn(&[Vec<String>]) -> Vec<u8>), ("a.xlsx", xlsx)] {
        let desk = Memory::street();
        let mut wrong = rows();
        wrong[1][4] = "19710309".into();
        let first = desk.import(name, &write(&wrong));
        assert_eq!(counts(&first), [2, 0, 0, 1, 0]);
        let (reasons_name, reasons) = first.reasons.unwrap();
        assert_eq!(counts(&desk.import(&reasons_name, &reasons)), [0, 0, 0, 1, 0], "{name}");
        assert!(desk.which(number::RESIDENT, "name", "李红").is_none());
        // The clerk mends the birth date in the file that came back.
        if name == "a.csv" {
            let (text, _, _) = encoding_rs::GB18030.decode(&reasons);
            let mended = text.replace("19710309", "19710302");
            let report = desk.import(&reasons_name, &encoding_rs::GB18030.encode(&mended).0);
            assert_eq!(counts(&report), [1, 0, 0, 0, 0], "{report:?}");
        }
        let report = desk.import(name, &write(&rows()));
        assert_eq!(counts(&report)[1..], [if name == "a.csv" { 3 } else { 2 }, 0, 0, 0]);
    }
}

#[test]
fn what_lacks_a_date_is_kept_as_text_and_told() {
    let desk = Memory::street();
    let one = id("19580301", 11);
    let text = format!("AAC002,AAC003,ADC310,BCC700,AAC021\n{one},王强,06,02,21041531979\n");
    let report = desk.import("a.csv", text.as_bytes());
    assert_eq!(counts(&report), [1, 0, 0, 0, 0]);
    assert_eq!((desk.count(number::HARDSHIP_CASE), desk.count(number::PLACEMENT)), (0, 0));
    let (_, record) = person(&desk, "王强");
    let note = show(&record, "import_note");
    for kept in ["BCC700：02", "AAC021：21041531979"] {
        assert!(note.contains(kept), "{note}");
    }
    assert_eq!(show(&record, "hardship_claim"), "残疾");
    assert_eq!(
        report.findings.iter().filter(|finding| finding.contains("日期") && finding.contains("（1行：第2行）")).count(),
        3,
        "{:?}",
        report.findings
    );
}

#[test]
fn an_allowance_goes_to_the_household_of_which_the_person_is_a_member() {
    let desk = Memory::street();
    let (head, wife) = (id("19700301", 11), id("19710302", 22));
    let family = format!("户主,户主身份证号,配偶,配偶身份证号,认定日期\n甲,{head},乙,{wife},2008.3.1\n");
    desk.import("a.csv", family.as_bytes());
    let list = |dibao: &str| format!("AAC002,AAC003,ACC024\n{wife},乙,{dibao}\n");
    assert_eq!(counts(&desk.import("b.csv", list("1").as_bytes())), [0, 0, 1, 0, 0]);
    assert_eq!((desk.count(number::HOUSEHOLD), desk.count(number::MEMBER)), (1, 2));
    let (head, _) = person(&desk, "甲");
    let household = || desk.which(number::HOUSEHOLD, "head_person", &head.to_string()).unwrap().1;
    assert_eq!((show(&household(), "dibao"), show(&household(), "status")), ("是".into(), "正常".into()));
    assert_eq!(counts(&desk.import("b.csv", list("1").as_bytes())), [0, 1, 0, 0, 0]);
    assert_eq!(counts(&desk.import("c.csv", list("0").as_bytes())), [0, 0, 1, 0, 0]);
    assert_eq!(show(&household(), "dibao"), "否");
}

#[test]
fn no_coded_field_of_any_register_drops_a_row_for_a_code_that_nobody_knows() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("mappings");
    std::fs::create_dir(&folder).unwrap();
    let mut seen = 0;
    for def in registers().iter() {
        let coded: Vec<_> = def.fields.iter().filter(|field| field.format == Format::Code).collect();
        for field in &coded {
            let file = format!(
                "[[layout]]\nname = \"试\"\nidentify = [\"own.remark\", \"own.{0}\"]\nmain = \"own\"\n\
                 headings = {{ \"own.remark\" = [\"试备注\"], \"own.{0}\" = [\"试代码\"] }}\n\
                 [[layout.role]]\nname = \"own\"\nregister = \"{1}\"\nrequired = true\n",
                field.name, def.name
            );
            std::fs::write(folder.join("a.toml"), file).unwrap();
            let options = Options { layouts: Layouts::load(dir.path()).unwrap(), ..Options::default() };
            let desk = Memory::street();
            let report = desk.import_with("a.csv", "试备注,试代码\n一,天书77\n".as_bytes(), &options);
            let reasons = report.reasons.map(|(_, bytes)| String::from_utf8(bytes).unwrap()).unwrap_or_default();
            // A record may lack what its register requires; the code itself is never the reason where it has a place.
            let lacking = reasons.contains("必须填写") || reasons.contains("须");
            assert!(report.wrong_rows == 0 || lacking, "{}.{}: {reasons}", def.name, field.name);
            assert!(!reasons.contains("只能填"), "{}.{}: {reasons}", def.name, field.name);
            if report.wrong_rows == 0 {
                let record = desk.records.borrow().values().next().unwrap().clone();
                assert!(show(&record, "import_note").contains("天书77"), "{}.{}", def.name, field.name);
            }
            assert!(report.findings.iter().any(|finding| finding.contains("试代码")) || report.wrong_rows == 1);
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen}");
}

#[test]
fn an_office_teaches_the_import_a_column_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("mappings");
    std::fs::create_dir(&folder).unwrap();
    let own = r#"
        [[layout]]
        name = "求职登记台账"
        headings = { "person.skill" = ["本地工种", "aac021"], "person.hardship_claim=06" = ["是否残疾"] }
        codes = { "person.edu" = { "21" = "20" } }
    "#;
    std::fs::write(folder.join("本地.toml"), own).unwrap();
    let layouts = Layouts::load(dir.path()).unwrap();
    let source = |heading: &str| {
        layouts.mapped().iter().find(|one| one.heading == heading).map(|one| (one.means.clone(), one.source.clone()))
    };
    assert!(source("aac021").unwrap().1.ends_with("本地.toml"));
    assert_eq!(source("aac003").unwrap(), ("居民登记.姓名".into(), "内置 laodong99.toml".into()));
    assert_eq!(source("是否残疾").unwrap().0, "居民登记.困难类别=残疾");
    let desk = Memory::street();
    let text = format!("AAC002,姓名,本地工种,aac011,是否残疾,AAC021\n{},甲,电工,21,是,焊工\n", id("19700301", 11));
    let report = desk.import_with("a.csv", text.as_bytes(), &Options { layouts, ..Options::default() });
    assert_eq!(counts(&report), [1, 0, 0, 0, 0], "{report:?}");
    let (_, record) = person(&desk, "甲");
    assert_eq!(
        ["skill", "edu", "hardship_claim", "certificate"].map(|field| show(&record, field)),
        ["电工、焊工", "大学本科", "残疾", ""]
    );
    assert_eq!(def(number::RESIDENT).name, "Resident");
}

#[test]
fn a_mapping_file_that_names_nothing_is_refused_with_its_name_and_place() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("mappings");
    std::fs::create_dir(&folder).unwrap();
    let refusal = |text: &[u8]| {
        std::fs::write(folder.join("bad.toml"), text).unwrap();
        Layouts::load(dir.path()).unwrap_err().to_string()
    };
    let layout = |rest: &str| refusal(format!("[[layout]]\nname = \"求职登记台账\"\n{rest}").as_bytes());
    for (why, expected) in [
        (layout("headings = { \"person.foo\" = [\"甲\"] }"), "没有栏目 foo"),
        (layout("headings = { \"who.name\" = [\"甲\"] }"), "没有角色 who"),
        (layout("headings = { \"person.edu=77\" = [\"甲\"] }"), "没有此代码"),
        (layout("headings = { \"person.edu\" = [\"甲\"], \"person.name\" = [\"甲\"] }"), "还写在别处"),
        (layout("headings = { \"person.edu\" = [\"（）\"] }"), "空的栏目名"),
        (layout("codes = { \"person.edu\" = { \"1\" = \"77\" } }"), "没有 77"),
        (layout("[[layout.role]]\nname = \"new\"\nregister = \"Nothing\""), "没有登记表 Nothing"),
        (layout("[[layout.role]]\nname = \"new\""), "没有写登记表"),
        (layout("[[layout.role]]\nname = \"person\"\nlinks = { merged_into = \"spell\" }"), "应写在前面"),
        (layout("[[layout.role]]\nname = \"person\"\nconstants = { source = \"77\" }"), "source"),
        (layout("colour = 1"), "line 3"),
        (refusal(b"[[layout]]\nname = \"x\""), "main"),
        (refusal(b"\xff\xfe"), "bad.toml"),
        (refusal(&vec![b'#'; 300 << 10]), "过大"),
    ] {
        assert!(why.contains(expected) && why.contains("bad.toml"), "{expected}: {why}");
    }
    std::fs::remove_file(folder.join("bad.toml")).unwrap();
    std::fs::create_dir(folder.join("dir.toml")).unwrap();
    assert!(Layouts::load(dir.path()).unwrap_err().to_string().contains("dir.toml"));
    std::fs::remove_dir(folder.join("dir.toml")).unwrap();
    for number in 0..65 {
        std::fs::write(folder.join(format!("{number}.toml")), "").unwrap();
    }
    assert!(Layouts::load(dir.path()).unwrap_err().to_string().contains("64"));
}

#[test]
fn a_mapping_file_is_read_as_whatever_editor_wrote_it() {
    let text = "[[layout]]\nname = \"求职登记台账\"\nheadings = { \"person.skill\" = [\"本地工种\"] }\n";
    let utf16: Vec<u8> = std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let gbk = encoding_rs::GB18030.encode(text).0.into_owned();
    for bytes in [text.as_bytes().to_vec(), gbk, utf16, [b"\xef\xbb\xbf", text.as_bytes()].concat()] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("mappings")).unwrap();
        std::fs::write(dir.path().join("mappings").join("a.toml"), bytes).unwrap();
        let layouts = Layouts::load(dir.path()).unwrap();
        assert!(layouts.mapped().iter().any(|one| one.heading == "本地工种" && one.means == "居民登记.技能特长"));
    }
}
