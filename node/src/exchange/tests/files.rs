//! Files with the habits of other offices.

use super::desk::{Memory, show};
use crate::{
    desk::Desk,
    exchange::{Options, Report},
};
use rust_xlsxwriter::{Format, Workbook};
use taizhang_proto::{citizen_id::check_character, date, register::number};

/// A citizen id of this birth date and serial; the serial's parity is the sex.
pub(super) fn id(birth: &str, serial: u32) -> String {
    let seventeen = format!("210402{birth}{serial:03}");
    let last = check_character(seventeen.as_bytes()).unwrap();
    format!("{seventeen}{}", last as char)
}

pub(super) fn counts(report: &Report) -> [u64; 5] {
    [report.new_rows, report.same_rows, report.changed_rows, report.wrong_rows, report.skipped_rows]
}

#[test]
fn a_csv_of_any_separator_with_titles_and_a_mark_is_read() {
    for separator in [',', '\t', ';'] {
        let row = |cells: &[&str]| format!("{}\r\n", cells.join(&separator.to_string()));
        let mut text = String::from("\u{feff}");
        text += &row(&["新抚区永安台街道", "", ""]);
        text += &row(&["失业人员花名册", "", ""]);
        text += &row(&["填报单位：永宁社区  填报日期：2008年3月31日", "", ""]);
        text += &"\r\n".repeat(3);
        text += &row(&["序 号", "姓　名", "身份证号码（18位）", "性别", "手机", "民族", "特殊情况"]);
        text += &row(&["1", "王 小 明", &id("19700301", 11).to_lowercase(), "男", "13800000000/5551234", "满", "腿疾"]);
        text += &row(&["2", "李红", &id("19710302", 22), "女", "", "满族", ""]);
        text += &row(&["序号", "姓名", "身份证号码（18位）", "性别", "手机", "民族", "特殊情况"]);
        text += &row(&["3", "赵强", &id("19720303", 22), "男", "", "〃", ""]);
        text += &row(&["合 计", "3人", ""]);
        text += &row(&["填报人：张三", "", "审核人：李四"]);
        let desk = Memory::street();
        let report = desk.import("名册.csv", text.as_bytes());
        assert_eq!(counts(&report), [2, 0, 0, 1, 6 - 3], "{separator:?} {:?}", report.findings);
        let (_, wang) = desk.which(number::RESIDENT, "name", "王小明").unwrap();
        assert_eq!(show(&wang, "home_unit"), "210402011004");
        assert_eq!((show(&wang, "phone"), show(&wang, "phone2")), ("13800000000".into(), "5551234".into()));
        assert_eq!(show(&wang, "import_note"), "特殊情况：腿疾");
        assert_eq!(show(&wang, "effective_on"), "2008-03-31");
        let reasons = String::from_utf8(report.reasons.unwrap().1).unwrap();
        assert!(reasons.starts_with('\u{feff}') && reasons.contains("“性别”：与身份证号码不符"), "{reasons}");
        assert!(reasons.contains("满族") && !reasons.contains('〃'), "ditto is written out: {reasons}");
    }
}

#[test]
fn a_fifteen_digit_id_is_upgraded_and_all_faults_of_a_row_are_told() {
    let desk = Memory::street();
    let text = "姓名,身份证号,出生年月,联系电话,文化程度\n\
                甲,110105491231002,1949年12月,53222239,私塾\n\
                乙，,210402197003010118,19700301,12,初中\n\
                ,110105194912310029,1949.12.31,,\n";
    let report = desk.import("a.txt", text.as_bytes());
    assert_eq!(counts(&report), [1, 0, 0, 2, 0]);
    let (_, person) = desk.which(number::RESIDENT, "id_no_15", "110105491231002").unwrap();
    assert_eq!(show(&person, "id_no"), "11010519491231002X");
    assert_eq!((show(&person, "edu"), show(&person, "import_note")), ("其他".into(), "文化程度：私塾".into()));
    let reasons = String::from_utf8(report.reasons.unwrap().1).unwrap();
    assert!(reasons.contains("“身份证号”：身份证号码校验位不符，请核对原件；“姓名”：必须填写"), "{reasons}");
}

#[test]
fn rows_see_the_rows_before_them() {
    let desk = Memory::street();
    let one = id("19700301", 11);
    let text = format!("姓名,身份证号,联系电话\n甲,{one},53222239\n甲,{one},53222239\n甲,{one},53222240\n甲,{one},\n");
    let trial = desk.import_with("a.csv", text.as_bytes(), &Options { dry_run: true, ..Options::default() });
    let report = desk.import("a.csv", text.as_bytes());
    assert_eq!(counts(&report), [1, 2, 1, 0, 0]);
    assert_eq!(report, trial);
    assert_eq!(show(&desk.which(number::RESIDENT, "id_no", &one).unwrap().1, "phone"), "53222240");
}

#[test]
fn next_months_list_opens_no_second_spell_and_clears_nothing() {
    let desk = Memory::street();
    let one = id("19700301", 11);
    let list =
        |day: &str, phone: &str| format!("填报日期:{day}\n姓名,身份证号,联系电话,就业状况\n甲,{one},{phone},失业\n");
    desk.import("a.csv", list("2008.3.1", "53222239").as_bytes());
    let report = desk.import("b.csv", list("2008.4.1", "").as_bytes());
    assert_eq!(counts(&report), [0, 1, 0, 0, 0]);
    assert_eq!(desk.count(number::UNEMPLOYMENT_SPELL), 1);
    let report = desk.import("c.csv", format!("姓名,身份证号,就业状况\n乙,{},失业\n", id("19700301", 22)).as_bytes());
    assert!(report.findings.iter().any(|finding| finding.contains("未建失业登记（1行：第")), "{:?}", report.findings);
}

#[test]
fn a_unit_below_the_office_is_found_by_name_or_code_and_another_is_refused() {
    let desk = Memory::street();
    let text = format!(
        "姓名,身份证号,社区\n甲,{},友谊\n乙,{},210402011004\n丙,{},永安台街道南台社区居委会\n丁,{},天边社区\n戊,{},210402012001\n",
        id("19700301", 11),
        id("19700301", 22),
        id("19700301", 33),
        id("19700301", 44),
        id("19700301", 55)
    );
    let report = desk.import("a.csv", text.as_bytes());
    assert_eq!(counts(&report), [3, 0, 0, 2, 0]);
    for (name, unit) in [("甲", "210402011003"), ("乙", "210402011004"), ("丙", "210402011006")] {
        assert_eq!(show(&desk.which(number::RESIDENT, "name", name).unwrap().1, "home_unit"), unit);
    }
    let options = Options { unit: Some("210402011005".parse().unwrap()), ..Options::default() };
    desk.import_with("b.csv", format!("姓名,身份证号\n己,{}\n", id("19700301", 66)).as_bytes(), &options);
    assert_eq!(show(&desk.which(number::RESIDENT, "name", "己").unwrap().1, "home_unit"), "210402011005");
    let unknown = format!("填报单位:天边社区\n姓名,身份证号\n庚,{}\n", id("19700301", 77));
    assert_eq!(counts(&desk.import("c.csv", unknown.as_bytes())), [0, 0, 0, 1, 0]);
}

#[test]
fn who_comes_in_a_file_without_a_day_of_registration_has_the_rows_earliest_the_clerks_or_that_of_the_import() {
    let text = format!(
        "姓名,身份证号,失业时间,登记日期\n甲,{},2008-01-02,2008-02-03\n乙,{},,\n",
        id("19700301", 11),
        id("19700301", 22)
    );
    let since = |options: &Options| {
        let desk = Memory::street();
        desk.import_with("a.csv", text.as_bytes(), options);
        ["甲", "乙"].map(|name| show(&desk.which(number::RESIDENT, "name", name).unwrap().1, "registered_on"))
    };
    let today = date::iso(Memory::street().today());
    assert_eq!(since(&Options::default()), ["2008-02-03".to_owned(), today]);
    let taken_over = Options { registered_on: date::ymd(2005, 1, 1), ..Options::default() };
    assert_eq!(since(&taken_over), ["2005-01-01", "2005-01-01"]);
}

#[test]
fn a_day_of_registration_holds_for_who_has_no_unemployment_to_it_and_so_does_the_day_of_the_form() {
    let desk = Memory::street();
    let text = format!(
        "填报日期:2008-04-06\n姓名,身份证号,就业状况,登记日期\n甲,{},已就业,2008-03-05\n乙,{},已就业,\n",
        id("19700301", 11),
        id("19700301", 22)
    );
    assert_eq!(counts(&desk.import("a.csv", text.as_bytes())), [2, 0, 0, 0, 0]);
    let of = |name: &str, field: &str| show(&desk.which(number::RESIDENT, "name", name).unwrap().1, field);
    assert_eq!(["甲", "乙"].map(|name| of(name, "registered_on")), ["2008-03-05", "2008-04-06"]);
    assert_eq!(of("甲", "import_note"), "", "nothing is left to ask");
    assert_eq!(desk.count(number::UNEMPLOYMENT_SPELL), 0);
    assert_eq!(counts(&desk.import("a.csv", text.as_bytes())), [0, 2, 0, 0, 0]);
    // Who is registered since a later day is not taken back by a file: its day is asked about.
    let earlier = text.replace("2008-03-05", "2008-02-01");
    desk.import("b.csv", earlier.as_bytes());
    assert_eq!(
        (of("甲", "registered_on").as_str(), of("甲", "import_note").as_str()),
        ("2008-03-05", "登记日期：2008-02-01")
    );
}

#[test]
fn a_day_on_which_nobody_can_have_registered_is_asked_about_and_moves_nobody() {
    let desk = Memory::street();
    let (first, second) = (id("19700301", 11), id("19700301", 22));
    let of = |name: &str, field: &str| show(&desk.which(number::RESIDENT, "name", name).unwrap().1, field);
    let today = date::iso(desk.today());
    // A year that is mistyped, above the sheet and in a cell, and one to come.
    let text = format!(
        "填报日期:1908-04-06\n姓名,身份证号,就业状况,登记日期\n甲,{first},已就业,1908-03-05\n乙,{second},已就业,2009-01-05\n"
    );
    assert_eq!(counts(&desk.import("a.csv", text.as_bytes())), [2, 0, 0, 0, 0]);
    assert_eq!([of("甲", "registered_on"), of("乙", "registered_on")], [today.clone(), today]);
    assert_eq!([of("甲", "import_note"), of("乙", "import_note")], ["登记日期：1908-03-05", "登记日期：2009-01-05"]);
    assert_eq!(counts(&desk.import("a.csv", text.as_bytes())), [0, 2, 0, 0, 0]);
    // A later day than that since which somebody is registered is not dropped either.
    let later = format!("姓名,身份证号,就业状况,登记日期\n丙,{},已就业,2008-02-01\n", id("19700301", 33));
    desk.import("b.csv", later.as_bytes());
    desk.import("c.csv", later.replace("2008-02-01", "2008-03-09").as_bytes());
    assert_eq!(
        (of("丙", "registered_on").as_str(), of("丙", "import_note").as_str()),
        ("2008-02-01", "登记日期：2008-03-09")
    );
}

/// A workbook with a two-storey heading, a person's id in a numeric cell, and the date below the rows.
fn families() -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    let plain = Format::new();
    sheet.merge_range(0, 0, 0, 9, "零就业家庭登记表", &plain).unwrap();
    sheet.merge_range(3, 1, 3, 3, "户主", &plain).unwrap();
    sheet.merge_range(3, 4, 3, 6, "配偶", &plain).unwrap();
    for (column, heading) in ["序号", "", "", "", "", "", "", "所属\n社区", "认定日期", "双就业"].iter().enumerate()
    {
        if !heading.is_empty() {
            sheet.write(3, column as u16, *heading).unwrap();
        }
    }
    for (column, heading) in ["姓名", "身份证号", "性别", "姓名", "身份证号", "性别"].iter().enumerate()
    {
        sheet.write(4, column as u16 + 1, *heading).unwrap();
    }
    let day = Format::new().set_num_format("yyyy\"年\"m\"月\"d\"日\"");
    for (row, wife) in [(5, id("19710302", 22)), (6, String::new())] {
        sheet.write(row, 0, row).unwrap();
        sheet.write(row, 1, format!("户主{row}")).unwrap();
        sheet.write(row, 2, id("19700301", 1 + 2 * row)).unwrap();
        sheet.write(row, 3, "男").unwrap();
        if !wife.is_empty() {
            sheet.write(row, 4, "妻子").unwrap();
            sheet.write(row, 5, wife).unwrap();
            sheet.write(row, 6, "女").unwrap();
        }
        sheet.write(row, 7, if row == 5 { "友谊社区" } else { "同上" }).unwrap();
        sheet.write_with_format(row, 8, 39_527, &day).unwrap();
        sheet.write(row, 9, "是").unwrap();
    }
    sheet.write(7, 1, "户主丙").unwrap();
    sheet.write(7, 2, 210_402_197_003_011_234_f64).unwrap();
    sheet.write(8, 1, "共3户").unwrap();
    sheet.write(9, 0, "填报人：甲").unwrap();
    sheet.write(9, 5, "填报日期").unwrap();
    sheet.write_with_format(9, 6, 39_538, &day).unwrap();
    book.save_to_buffer().unwrap()
}

#[test]
fn headings_of_two_storeys_and_families_without_a_spouse_are_understood() {
    let desk = Memory::street();
    let report = desk.import("家庭.xlsx", &families());
    assert_eq!(counts(&report), [2, 0, 0, 1, 2], "{:?}", report.findings);
    assert_eq!((desk.count(number::RESIDENT), desk.count(number::MEMBER), desk.count(number::ZEF_CASE)), (3, 3, 2));
    let (_, head) = desk.which(number::RESIDENT, "name", "户主6").unwrap();
    assert_eq!(show(&head, "home_unit"), "210402011003");
    assert_eq!(show(&head, "effective_on"), "2008-03-31");
    assert_eq!(counts(&desk.import("家庭.xlsx", &families())), [0, 2, 0, 1, 2]);
    let (name, reasons) = report.reasons.unwrap();
    assert_eq!(name, "家庭-原因.xlsx");
    assert_eq!(counts(&desk.import(&name, &reasons)), [0, 0, 0, 1, 1]);
}

#[test]
fn two_persons_of_a_row_with_one_id_are_refused() {
    let desk = Memory::street();
    let one = id("19700301", 11);
    let text = format!("户主,户主身份证号,配偶,配偶身份证号,认定日期\n甲,{one},乙,{one},2008.3.1\n");
    let report = desk.import("a.csv", text.as_bytes());
    assert_eq!(counts(&report), [0, 0, 0, 1, 0]);
    assert!(String::from_utf8(report.reasons.unwrap().1).unwrap().contains("身份证号码相同"));
}

#[test]
fn a_heading_met_again_is_the_spouses_and_a_merged_unit_holds_for_all_its_rows() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    let headings = ["所属社区", "户主姓名", "身份证号", "性别", "配偶姓名", "身份证号", "性别", "认定时间"];
    for (column, heading) in headings.iter().enumerate() {
        sheet.write(0, column as u16, *heading).unwrap();
    }
    sheet.merge_range(1, 0, 2, 0, "迎宾社区", &Format::new()).unwrap();
    for row in 1..3 {
        let cells = ["", "甲", &id("19700301", 1 + 2 * row), "男", "乙", &id("19700301", 2 * row), "女", "2008.3"];
        for (column, cell) in cells.iter().enumerate().skip(1) {
            sheet.write(row, column as u16, *cell).unwrap();
        }
    }
    let content = book.save_to_buffer().unwrap();
    let desk = Memory::street();
    assert_eq!(counts(&desk.import("a.xlsx", &content)), [2, 0, 0, 0, 0]);
    assert_eq!(desk.count(number::MEMBER), 4);
    for record in desk.records.borrow().values() {
        assert_eq!(show(record, "home_unit"), "210402011005");
    }
}

#[test]
fn an_employer_and_a_day_make_a_placement_that_is_found_again_under_another_kind() {
    let desk = Memory::street();
    let one = id("19700301", 11);
    let text = format!("姓名,身份证号,用人单位,就业日期\n甲,{one},抚顺矿务局,2008.3.5\n");
    assert_eq!(counts(&desk.import("a.csv", text.as_bytes())), [1, 0, 0, 0, 0]);
    let (_, work) = desk.which(number::PLACEMENT, "start_on", "2008-03-05").unwrap();
    assert_eq!(
        (show(&work, "employer"), show(&work, "kind"), show(&work, "remark")),
        ("抚顺矿务局".into(), "其他".into(), String::new())
    );
    let text = format!("姓名,身份证号,用人单位,就业日期,就业状况\n甲,{one},抚顺矿务局,2008.3.5,单位就业\n");
    assert_eq!(counts(&desk.import("b.csv", text.as_bytes())), [0, 0, 1, 0, 0]);
    assert_eq!(desk.count(number::PLACEMENT), 1);
}

#[test]
fn another_units_resident_stays_there_and_the_clerk_is_told() {
    let desk = Memory::street();
    let one = id("19700301", 11);
    desk.import("a.csv", format!("姓名,身份证号,社区\n甲,{one},友谊社区\n").as_bytes());
    let report = desk.import("b.csv", format!("姓名,身份证号,社区\n甲,{one},南台社区\n").as_bytes());
    assert_eq!(counts(&report), [0, 1, 0, 0, 0]);
    assert!(report.findings.iter().any(|finding| finding.contains("归属单位未改")));
}
