//! What goes out, and that it comes back.

use super::desk::{Memory, def, file, show};
use crate::exchange::{Format, Options, Source, export, headings::find, read::read, template, tests::files};
use taizhang_proto::register::{number, registers};

#[test]
fn an_exported_register_imported_again_changes_nothing() {
    let desk = Memory::street();
    desk.import("求职登记台账.xlsx", &file("求职登记台账.xlsx"));
    desk.import("laodong99.csv", &file("laodong99.csv"));
    let note =
        format!("姓名,身份证号,家庭住址,特长,别的\n甲,{},=1+1，甲：乙,车工、钳工,“注”\n", files::id("19700301", 11));
    assert_eq!(desk.import("a.csv", note.as_bytes()).new_rows, 1);
    let before = desk.records.borrow().clone();
    for (format, name) in [(Format::Csv, "a.csv"), (Format::Xlsx, "a.xlsx")] {
        let (bytes, rows) = export(&desk, def(number::RESIDENT), None, format).unwrap();
        assert_eq!(rows, 291);
        let report = desk.import(name, &bytes);
        assert_eq!((report.rows, report.same_rows), (291, 291), "{format:?} {:?}", report.findings);
        assert!(*desk.records.borrow() == before);
    }
}

#[test]
fn an_export_taken_in_by_an_empty_office_gives_the_same_residents() {
    let desk = Memory::street();
    desk.import("求职登记台账.xlsx", &file("求职登记台账.xlsx"));
    let (bytes, rows) =
        export(&desk, def(number::RESIDENT), Some("210402011004".parse().unwrap()), Format::Xlsx).unwrap();
    assert_eq!(rows, 58);
    let other = Memory::street();
    assert_eq!(other.import("a.xlsx", &bytes).new_rows, 58);
    for record in other.records.borrow().values() {
        let (_, old) = desk.which(number::RESIDENT, "id_no", &show(record, "id_no")).unwrap();
        assert_eq!(old.message(), record.message());
    }
    assert_eq!(other.count(number::UNEMPLOYMENT_SPELL), 0);
}

#[test]
fn references_are_people_units_have_names_and_no_cell_is_a_formula() {
    let desk = Memory::street();
    desk.import("零就业家庭台账.xls", &file("零就业家庭台账.xls"));
    let text = |register| {
        let (bytes, _) = export(&desk, def(register), None, Format::Csv).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    for register in [number::HOUSEHOLD, number::MEMBER, number::ZEF_CASE, number::PLACEMENT] {
        let text = text(register);
        assert!(text.starts_with("\u{feff}归属单位,"), "{text}");
        assert!(text.contains("南台社区居委会(210402011006)") && text.contains("赵平,210499195611037503"), "{text}");
    }
    let formula = format!("姓名,身份证号,家庭住址\n甲,{},=cmd()\n", files::id("19700301", 11));
    desk.import("a.csv", formula.as_bytes());
    assert!(text(number::RESIDENT).contains(",'=cmd(),"));
}

#[test]
fn a_formula_is_neutral_in_every_file_and_comes_back_as_it_was() {
    let signs = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "＝cmd|x", "＋1", "－1", "＠x", "'=x"];
    let starts = |cell: &str| cell.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r']);
    for (nth, sign) in signs.iter().enumerate() {
        let desk = Memory::street();
        // One good row, and one that is refused for its number; as a program writes it that knows no apostrophes.
        let id = files::id("19700301", 11 + nth as u32);
        let content = format!("姓名,身份证号,家庭住址\n甲,{id},\"'{sign}\"\n乙,123,\"{sign}\"\n");
        let report = desk.import("a.csv", content.as_bytes());
        assert_eq!((report.new_rows, report.wrong_rows), (1, 1), "{sign}");
        let (_, record) = desk.which(number::RESIDENT, "id_no", &id).unwrap();
        let before = desk.records.borrow().clone();
        let kept = show(&record, "address");
        let (_, reasons) = report.reasons.unwrap();
        let mut files = vec![reasons.clone()];
        for format in [Format::Csv, Format::Xlsx] {
            let (bytes, _) = export(&desk, def(number::RESIDENT), None, format).unwrap();
            assert_eq!(desk.import("b", &bytes).same_rows, 1, "{sign} {kept} {format:?}");
            assert!(*desk.records.borrow() == before);
            if format == Format::Csv {
                files.push(bytes);
            }
        }
        for file in files {
            let text = String::from_utf8(file).unwrap();
            let mut reader =
                csv::ReaderBuilder::new().flexible(true).from_reader(text.trim_start_matches('\u{feff}').as_bytes());
            for row in reader.records() {
                assert!(row.unwrap().iter().all(|cell| !starts(cell)), "{text}");
            }
        }
        // The refused row, mended.
        let other = files::id("19700302", 11 + nth as u32);
        let mended = String::from_utf8(reasons).unwrap().replace("123", &other);
        assert_eq!(desk.import("c.csv", mended.as_bytes()).new_rows, 1);
        let (_, record) = desk.which(number::RESIDENT, "id_no", &other).unwrap();
        assert_eq!(show(&record, "address"), kept.trim_start_matches('\''));
    }
}

#[test]
fn a_remark_that_ends_in_stars_is_no_mask() {
    let desk = Memory::street();
    let written = format!("姓名,公民身份号码,联系电话\n甲,{},139********\n", files::id("19700301", 11));
    desk.import("a.csv", written.as_bytes());
    let (bytes, _) = export(&desk, def(number::RESIDENT), None, Format::Csv).unwrap();
    let other = Memory::street();
    other.import("b.csv", &bytes);
    let note = |desk: &Memory| show(&desk.which(number::RESIDENT, "name", "甲").unwrap().1, "import_note");
    assert!(note(&desk).contains("139********"), "{}", note(&desk));
    assert_eq!(note(&other), note(&desk));
}

#[test]
fn two_records_of_one_id_number_come_back_as_two_and_each_keeps_what_is_about_it() {
    let id = files::id("19700301", 11);
    let registered = |name: &str, at: &str| {
        format!("姓名,身份证号码,登记日期,失业日期,原工作单位\n{name},{id},2008.3.1,2008.2.1,{at}\n")
    };
    let desk = Memory::street();
    desk.import("a.csv", registered("异乙", "一厂").as_bytes());
    let (first, _) = export(&desk, def(number::RESIDENT), None, Format::Csv).unwrap();
    // A neighbour has registered somebody else by the same number; the street holds both.
    let neighbour = Memory::street();
    neighbour.import(
        "a.csv",
        format!(
            "姓名,身份证号码\n先来,{}\n再来,{}\n又来,{}\n",
            files::id("19710301", 11),
            files::id("19720301", 11),
            files::id("19730301", 11)
        )
        .as_bytes(),
    );
    let before = neighbour.records.borrow().clone();
    neighbour.import("a.csv", registered("异丙", "二厂").as_bytes());
    let theirs = neighbour.records.borrow().clone().into_iter().filter(|(id, _)| !before.contains_key(id));
    desk.records.borrow_mut().extend(theirs);
    let held = desk.records.borrow().clone();
    assert_eq!(held.len(), 4);
    let registers = [number::RESIDENT, number::UNEMPLOYMENT_SPELL];
    for (format, name) in [(Format::Csv, "a.csv"), (Format::Xlsx, "a.xlsx")] {
        let files = registers.map(|register| export(&desk, def(register), None, format).unwrap().0);
        let empty = Memory::street();
        empty.twins.set(true);
        for again in 0..2 {
            let wrong: u64 = files.iter().map(|file| empty.import(name, file).wrong_rows).sum();
            assert_eq!(wrong, 0, "{again}");
            let back = empty.records.borrow();
            assert_eq!(back.keys().collect::<Vec<_>>(), held.keys().collect::<Vec<_>>(), "{again}");
            assert!(back.iter().all(|(id, record)| record.message() == held[id].message()), "{again}");
        }
        // Where she is not registered, what is about her is not his.
        let his = Memory::street();
        his.import("a.csv", &first);
        let report = his.import(name, &files[1]);
        assert_eq!((report.new_rows, report.wrong_rows, his.count(number::UNEMPLOYMENT_SPELL)), (1, 1, 1));
    }
}

#[test]
fn an_empty_template_is_known_as_its_register_s_by_every_column() {
    let layouts = Options::default().layouts;
    for def in registers().iter() {
        let content = template(def).unwrap();
        let book = read(&Source { file_name: "a.xlsx", content: &content }).unwrap();
        assert_eq!(book.sheets.len(), 1, "{}: the lists are hidden", def.zh);
        let found = find(&book.sheets[0], &layouts).unwrap_or_else(|| panic!("{}: no headings", def.zh));
        assert_eq!(found.layout.name, def.zh);
        let unknown: Vec<_> = found.columns.iter().filter(|one| one.target.is_none()).map(|one| &one.heading).collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", def.zh);
    }
}
