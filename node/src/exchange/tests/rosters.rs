//! The three files of one street, with the truth about their damage.

use super::desk::{Memory, file, show};
use crate::exchange::{MAX_FILE, Options};
use taizhang_proto::{register::number, text};

const LEDGER: &str = "求职登记台账.xlsx";
const ZEF: &str = "零就业家庭台账.xls";
const CSV: &str = "laodong99.csv";

/// Name, id and damage of each person of the two lists of persons.
fn truth() -> Vec<(String, String, bool)> {
    let text = String::from_utf8(file("truth.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let rows = reader.records().map(Result::unwrap);
    rows.map(|row| (text::no_space(&row[1]), text::no_space(&row[2]), !row[3].is_empty())).collect()
}

#[test]
fn every_sound_row_is_registered_and_every_damaged_one_comes_back() {
    let desk = Memory::street();
    let ledger = desk.import(LEDGER, &file(LEDGER));
    let list = desk.import(CSV, &file(CSV));
    assert!(ledger.findings.iter().all(|finding| finding.contains("读取")), "{:?}", ledger.findings);
    // It names no community: the street's own people they are until somebody says.
    let unsaid = |finding: &&String| !finding.contains("读取");
    let unsaid: Vec<_> = list.findings.iter().filter(unsaid).collect();
    assert!(unsaid.len() == 1 && unsaid[0].contains("没有写明社区") && unsaid[0].contains("59行"), "{unsaid:?}");
    for (name, id, damaged) in truth() {
        let found = desk.which(number::RESIDENT, "id_no", &id);
        assert_eq!(found.is_none(), damaged, "{name} {id}");
        if let Some((_, record)) = found {
            assert_eq!(show(&record, "name"), name);
        }
    }
    assert_eq!((ledger.rows, ledger.wrong_rows, ledger.skipped_rows), (240, 9, 4));
    assert_eq!((list.rows, list.wrong_rows, list.skipped_rows), (60, 1, 0));
    assert_eq!(desk.count(number::RESIDENT), 290);
}

#[test]
fn a_row_of_the_ledger_reads_as_it_was_written() {
    let desk = Memory::street();
    desk.import(LEDGER, &file(LEDGER));
    let (id, person) = desk.which(number::RESIDENT, "id_no", "210497197709276461").unwrap();
    for (field, expected) in [
        ("name", "那霞"),
        ("edu", "大学本科"),
        ("phone", "024-51579247"),
        ("laidoff_on", "2002-07-22"),
        ("hardship_claim", "低保"),
        ("emp_claim", "登记失业"),
        ("address", "6号楼6单元404"),
        ("source", "导入"),
        ("effective_on", "2008-04-01"),
        ("labour_able", "是"),
        ("home_unit", "210402011003"),
    ] {
        assert_eq!(show(&person, field), expected, "{field}");
    }
    let (_, spell) = desk.which(number::UNEMPLOYMENT_SPELL, "person", &id.to_string()).unwrap();
    assert_eq!((show(&spell, "reg_on"), show(&spell, "lost_on")), ("2008-04-01".into(), "2002-07-22".into()));
    let (id, _) = desk.which(number::RESIDENT, "id_no", "210491195405046205").unwrap();
    let (_, work) = desk.which(number::PLACEMENT, "person", &id.to_string()).unwrap();
    assert_eq!((show(&work, "kind"), show(&work, "start_on")), ("公益性岗位".into(), "2008-04-01".into()));
}

#[test]
fn the_ledger_of_families_makes_households_members_cases_and_placements() {
    let desk = Memory::street();
    let report = desk.import(ZEF, &file(ZEF));
    assert_eq!(report.rows, 12);
    let good = usize::try_from(report.new_rows).unwrap();
    assert_eq!(desk.count(number::HOUSEHOLD), good);
    assert_eq!(desk.count(number::ZEF_CASE), good);
    assert_eq!(desk.count(number::MEMBER), 2 * good);
    assert_eq!(desk.count(number::RESIDENT), 2 * good);
    let (head, person) = desk.which(number::RESIDENT, "id_no", "210499195611037503").unwrap();
    assert_eq!(show(&person, "home_unit"), "210402011006");
    let (household, _) = desk.which(number::HOUSEHOLD, "head_person", &head.to_string()).unwrap();
    let (_, case) = desk.which(number::ZEF_CASE, "household", &household.to_string()).unwrap();
    assert_eq!(show(&case, "recognised_on"), "2008-03-21");
    assert_eq!((show(&case, "want_dual"), show(&case, "responsible")), ("是".into(), "胡站长".into()));
    let (_, work) = desk.which(number::PLACEMENT, "person", &head.to_string()).unwrap();
    assert_eq!(show(&work, "start_on"), "2008-03-26");
}

#[test]
fn a_file_imported_twice_changes_nothing() {
    for name in [LEDGER, ZEF, CSV] {
        let desk = Memory::street();
        let first = desk.import(name, &file(name));
        let before = desk.records.borrow().clone();
        let second = desk.import(name, &file(name));
        assert_eq!(second.same_rows, first.new_rows, "{name}");
        assert_eq!((second.new_rows, second.changed_rows), (0, 0), "{name}");
        assert_eq!(*desk.records.borrow(), before);
    }
}

#[test]
fn a_trial_run_tells_the_same_and_saves_nothing() {
    for name in [LEDGER, ZEF, CSV] {
        let desk = Memory::street();
        let trial = desk.import_with(name, &file(name), &Options { dry_run: true, ..Options::default() });
        assert_eq!((desk.saves.get(), desk.records.borrow().len()), (0, 0));
        assert_eq!(desk.import(name, &file(name)), trial);
    }
}

#[test]
fn a_reasons_file_imported_as_it_is_gives_the_same_wrong_rows() {
    for name in [LEDGER, ZEF, CSV] {
        let desk = Memory::street();
        let first = desk.import(name, &file(name));
        let (reasons_name, reasons) = first.reasons.unwrap();
        assert!(
            reasons.len() < MAX_FILE
                && reasons_name.ends_with(if name == CSV { "-原因.csv" } else { "-原因.xlsx" })
        );
        let wrong = desk.import(&reasons_name, &reasons);
        assert_eq!((wrong.wrong_rows, wrong.rows), (first.wrong_rows, first.wrong_rows));
        // The file of the file is the file, but for the moment of its making.
        let again = desk.import("x", &wrong.reasons.unwrap().1);
        assert_eq!(again.wrong_rows, wrong.rows);
    }
}

#[test]
fn a_mended_csv_imports() {
    let desk = Memory::street();
    let (name, reasons) = desk.import(CSV, &file(CSV)).reasons.unwrap();
    let (text, _, broken) = encoding_rs::GB18030.decode(&reasons);
    assert!(!broken && text.contains("原因") && text.contains("末位丢失"), "{text}");
    let id = "21049219570316";
    let mended = (1..1000).map(|tail| format!("{id}{tail:03}")).find_map(|seventeen| {
        let last = taizhang_proto::citizen_id::check_character(seventeen.as_bytes())?;
        seventeen.ends_with('1').then(|| format!("{seventeen}{}", last as char))
    });
    let mended = text.replace("210492195703160000", &mended.unwrap());
    let report = desk.import(&name, &encoding_rs::GB18030.encode(&mended).0);
    assert_eq!((report.new_rows, report.wrong_rows), (1, 0), "{report:?}");
}

#[test]
fn every_damaged_row_stands_in_the_reasons_file_with_its_id() {
    let desk = Memory::street();
    let mut told = String::new();
    for name in [LEDGER, CSV] {
        let (file_name, content) = desk.import(name, &file(name)).reasons.unwrap();
        let source = crate::exchange::Source { file_name: &file_name, content: &content };
        let book = crate::exchange::read::read(&source).unwrap();
        let cells = book.sheets.iter().flat_map(|sheet| sheet.rows.iter().flatten());
        told.extend(cells.map(|cell| text::no_space(&cell.text()) + "\n"));
    }
    for (_, id, damaged) in truth() {
        assert_eq!(told.contains(&format!("{id}\n")), damaged, "{id}");
    }
    assert_eq!(told.matches("身份证号码末位丢失").count() + told.matches("身份证号码校验位不符").count(), 10);
}
