//! Workbooks that Excel opens, whatever program wrote them, and the names of what comes back.

use super::{
    desk::{Memory, show},
    files::{counts, id},
    habits::{row, sheet},
};
use crate::exchange::{ImportError, Options, Source, import, reasons_name};
use rust_xlsxwriter::{Formula, Workbook};
use std::io::{Cursor, Read, Write};
use taizhang_proto::register::number;
use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

/// A workbook with some of its parts changed.
fn changed(content: &[u8], change: impl Fn(&str, String) -> (String, String)) -> Vec<u8> {
    let mut archive = ZipArchive::new(Cursor::new(content)).unwrap();
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for place in 0..archive.len() {
        let mut part = archive.by_index(place).unwrap();
        let name = part.name().unwrap().into_owned();
        let mut text = String::new();
        part.read_to_string(&mut text).unwrap();
        let (name, text) = change(&name, text);
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn roster() -> Vec<u8> {
    sheet(&[
        row(&["姓名", "身份证号码", "登记日期", "失业日期"]),
        row(&["甲", &id("19670320", 1), "2008.3.20", "#38065"]),
    ])
}

#[test]
fn targets_and_sizes_that_excel_takes_are_taken() {
    let plain = roster();
    let target = |from: &'static str, to: &'static str| {
        move |name: &str, text: String| {
            let text = if name.ends_with("workbook.xml.rels") { text.replace(from, to) } else { text };
            (name.to_owned(), text)
        }
    };
    let size = |to: &'static str| {
        move |name: &str, text: String| (name.to_owned(), text.replace("<dimension ref=\"A1:D2\"/>", to))
    };
    let files = [
        changed(&plain, target("worksheets/sheet1.xml", "./worksheets/sheet1.xml")),
        changed(&plain, target("worksheets/sheet1.xml", "../xl/worksheets/sheet1.xml")),
        changed(&plain, target("worksheets/sheet1.xml", "/xl/worksheets/sheet1.xml")),
        changed(&plain, target("worksheets/sheet1.xml", "worksheets\\sheet1.xml")),
        changed(&plain, size("<dimension/>")),
        changed(&plain, size("<dimension ref=\"A:D\"/>")),
        changed(&plain, size("<dimension ref=\"D9:A1\"/>")),
        changed(&plain, size("<dimension ref=\"#REF!\"></dimension>")),
        changed(&plain, |name, text| (name.replace('/', "\\"), text)),
    ];
    for (nth, file) in files.iter().enumerate() {
        assert_ne!(*file, plain);
        assert_eq!(counts(&Memory::street().import("a.xlsx", file)), [1, 0, 0, 0, 0], "{nth}");
    }
}

#[test]
fn days_since_1904_are_days_whether_or_not_their_cells_say_so() {
    let since_1904 = changed(&roster(), |name, text| {
        let text =
            if name == "xl/workbook.xml" { text.replace("<workbookPr", "<workbookPr date1904=\"1\"") } else { text };
        (name.to_owned(), text)
    });
    let desk = Memory::street();
    assert_eq!(desk.import("a.xlsx", &since_1904).new_rows, 1);
    let found = desk.which(taizhang_proto::register::number::UNEMPLOYMENT_SPELL, "lost_on", "2008-03-20");
    assert!(found.is_some(), "38065 days after 1904-01-01");
}

#[test]
fn a_cell_far_from_all_others_makes_no_file_too_large() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write_row(0, 0, ["姓名", "身份证号码"]).unwrap();
    sheet.write_row(1, 0, ["甲", &id("19670320", 1)]).unwrap();
    sheet.write(1_048_575, 3, "x").unwrap();
    sheet.write(5, 16_383, "y").unwrap();
    let report = Memory::street().import("a.xlsx", &book.save_to_buffer().unwrap());
    assert_eq!((report.new_rows, report.wrong_rows), (1, 0));
    assert!(report.skipped_rows < 10 && report.findings.iter().any(|finding| finding.contains("零散")), "{report:?}");
}

#[test]
fn whatever_a_sheet_is_called_its_refused_rows_come_back() {
    let plain = sheet(&[row(&["姓名", "身份证号码"]), row(&["甲", &id("19670320", 1)]), row(&["乙", "12"])]);
    let long = "很长的名字".repeat(10);
    for name in ["a/b:c*d?[e]", "'引号'", "History", long.as_str(), "&#1;x"] {
        let file = changed(&plain, |part, text| {
            let text = if part == "xl/workbook.xml" {
                text.replace("name=\"Sheet1\"", &format!("name=\"{name}\""))
            } else {
                text
            };
            (part.to_owned(), text)
        });
        let desk = Memory::street();
        let report = desk.import("a.xlsx", &file);
        assert_eq!(counts(&report), [1, 0, 0, 1, 0], "{name}");
        let (reasons_name, reasons) = report.reasons.unwrap();
        assert_eq!(counts(&desk.import(&reasons_name, &reasons)), [0, 0, 0, 1, 0], "{name}");
    }
}

#[test]
fn the_reasons_file_has_a_name_that_every_disk_takes() {
    let workbook = b"PK\x03\x04";
    for (name, content, expected) in [
        ("求职.xlsx", &workbook[..], "求职-原因.xlsx"),
        ("求职.csv", b"a,b", "求职-原因.csv"),
        ("求职-原因.xlsx", workbook, "求职-原因.xlsx"),
        ("求职-原因3.xlsx", workbook, "求职-原因.xlsx"),
        ("C:\\表\\a:b?.xls", workbook, "a_b_-原因.xlsx"),
        ("", workbook, "导入-原因.xlsx"),
    ] {
        assert_eq!(reasons_name(name, content), expected, "{name}");
    }
    assert!(reasons_name(&"长".repeat(300), workbook).len() <= 255);
}

#[test]
fn what_is_no_xlsx_is_refused_with_the_true_reason() {
    let zip = |name: &str| {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(b"x").unwrap();
        zip.finish().unwrap().into_inner()
    };
    let why = |content: &[u8]| {
        let source = Source { file_name: "x", content };
        match import(&Memory::street(), &source, &Options::default(), &mut |_, _| {}) {
            Err(error @ (ImportError::Kind(_) | ImportError::Quote(_))) => error.to_string(),
            other => panic!("{other:?}"),
        }
    };
    for (name, expected) in
        [("xl/workbook.bin", "xlsb"), ("content.xml", "ods"), ("word/document.xml", "Word"), ("a.txt", "压缩文件")]
    {
        assert!(why(&zip(name)).contains(expected), "{name}");
    }
    assert!(why("姓名,身份证号,备注\n甲,\"1\n乙,2,x\n".as_bytes()).contains("第2行"));
}

#[test]
fn a_formula_without_a_result_is_told_and_not_taken_for_nothing() {
    const OPEN: &str = "424242";
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    let headings = ["姓名", "身份证号码", "所属社区", "联系电话", "家庭住址", "登记日期", "帮手"];
    for (column, heading) in headings.into_iter().enumerate() {
        sheet.write(0, column as u16, heading).unwrap();
    }
    let failed = |result: &str| Formula::new("=X1").set_result(result);
    let persons = ["甲", "乙", "丙", "丁", "戊"];
    for (row, name) in persons.into_iter().enumerate() {
        let row = row as u32 + 1;
        sheet.write(row, 0, name).unwrap();
        sheet.write(row, 1, id("19700301", 10 + row)).unwrap();
        sheet.write(row, 2, "南台社区").unwrap();
    }
    // What need not be there; whose it is; where it belongs; a formula that says nothing on purpose.
    for (column, result) in [(3, "#N/A"), (4, OPEN), (6, "#VALUE!")] {
        sheet.write_formula(1, column, failed(result)).unwrap();
    }
    sheet.write_formula(2, 1, failed(OPEN)).unwrap();
    sheet.write_formula(3, 2, failed("#N/A")).unwrap();
    sheet.write_formula(4, 4, failed("")).unwrap();
    sheet.write_formula(5, 5, failed("#REF!")).unwrap();
    // Filled down far below the last person.
    for row in 6..40 {
        sheet.write_formula(row, 3, failed("#N/A")).unwrap();
        sheet.write_formula(row, 4, failed(OPEN)).unwrap();
    }
    let content = changed(&workbook.save_to_buffer().unwrap(), |name, text| {
        (name.to_owned(), text.replace(&format!("<v>{OPEN}</v>"), "").replace("<v></v>", "<v/>"))
    });
    let desk = Memory::street();
    let report = desk.import("a.xlsx", &content);
    assert_eq!(counts(&report), [2, 0, 0, 3, 0], "{:?}", report.findings);
    let note = |name: &str| show(&desk.which(number::RESIDENT, "name", name).unwrap().1, "import_note");
    for kept in ["联系电话：#N/A", "家庭住址：公式尚未计算"] {
        assert!(note("甲").contains(kept), "{}", note("甲"));
    }
    assert_eq!(note("丁"), "");
    let mut reasons = String::new();
    let mut archive = ZipArchive::new(Cursor::new(report.reasons.unwrap().1)).unwrap();
    archive.by_name("xl/sharedStrings.xml").unwrap().read_to_string(&mut reasons).unwrap();
    assert!(
        ["“身份证号码”：公式尚未计算", "“所属社区”：#N/A", "“登记日期”：#REF!"].iter().all(|why| reasons.contains(why)),
        "{reasons}"
    );
}
