//! Files as clerks bring them, through the reader of an office: workbooks, text, lists of units.

#![allow(clippy::unwrap_used)]

use super::ground::{self, ENGINE, TOWNSHIP, UNITS, clock, unit};
use crate::hostile::say;
use std::{
    cell::RefCell,
    io::{Cursor, Write},
};
use taizhang_node::{
    desk::Desk,
    exchange::{Format, ImportError, Options, Source, export, import as import_file},
    ledger::{Ledger, LedgerDesk},
    upstream::Replica,
};
use taizhang_proto::{
    org::UnitTree,
    pb::ChangeList,
    register::{number, registers},
};

/// What an input begins with that is packed into a workbook first: a list of names and contents in turn. A mutation of a
/// packed one would only break its checksums.
pub(super) const UNPACKED: &[u8] = b"tzzip";
/// One input in so many is saved, too.
const SAVE_EVERY: usize = 8;

thread_local! {
    /// An office that nothing is saved in.
    static OFFICE: RefCell<Option<(tempfile::TempDir, Ledger)>> = const { RefCell::new(None) };
}

fn open() -> (tempfile::TempDir, Ledger) {
    let dir = ground::scratch();
    let ledger = Ledger::open_with(dir.path(), unit(TOWNSHIP), clock(), ENGINE).unwrap();
    ledger.document(say::document("units", 1, UNITS)).unwrap();
    (dir, ledger)
}

/// A file is taken or refused in words; what is taken can be read again, and what is refused can be brought back.
pub fn import(data: &[u8]) {
    let _ = UnitTree::from_csv(&String::from_utf8_lossy(data)).map(|tree| {
        let written = tree.to_csv(unit(ground::CITY));
        UnitTree::from_csv(&written).map(|again| assert_eq!(again.to_csv(unit(ground::CITY)), written))
    });
    let packed = data.strip_prefix(UNPACKED).map(workbook);
    let content = packed.as_deref().unwrap_or(data);
    OFFICE.with_borrow_mut(|office| {
        let (_, ledger) = office.get_or_insert_with(open);
        bring(ledger, content, true);
    });
    if data.len().is_multiple_of(SAVE_EVERY) {
        let (_dir, ledger) = open();
        bring(&ledger, content, false);
        ledger.verify().expect("an office's store is sound");
        // What was refused comes back with its reasons; nothing of the rest is new.
        bring(&ledger, content, false);
    }
}

fn bring(ledger: &Ledger, content: &[u8], dry_run: bool) {
    let source = Source { file_name: "名册", content };
    let options = Options { dry_run, by: "clerk".into(), ..Options::default() };
    let mut last = (0, 0);
    let report = import_file(&LedgerDesk::new(ledger), &source, &options, &mut |done, all| {
        assert!(done >= last.0 && done <= all, "progress goes on");
        last = (done, all);
    });
    match report {
        Ok(report) => {
            let rows = report.new_rows + report.same_rows + report.changed_rows + report.wrong_rows;
            assert_eq!(report.rows, rows, "every row is accounted for");
            if let Some((file_name, content)) = &report.reasons {
                let again = Source { file_name, content };
                let dry = Options { dry_run: true, ..options };
                let again = import_file(&LedgerDesk::new(ledger), &again, &dry, &mut |_, _| {});
                assert!(again.is_ok(), "the file of reasons can be brought back: {:?}", again.err());
            }
        }
        Err(ImportError::Store(error)) => panic!("the office's own store failed: {error}"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A workbook of these parts.
fn workbook(parts: &[u8]) -> Vec<u8> {
    let parts = <ChangeList as prost::Message>::decode(parts).unwrap_or_default().changes;
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for part in parts.chunks_exact(2).take(32) {
        if zip.start_file(String::from_utf8_lossy(&part[0]), stored).is_ok() {
            zip.write_all(&part[1]).unwrap();
        }
    }
    zip.finish().map(Cursor::into_inner).unwrap_or_default()
}

/// The parts of a workbook, as an input.
pub(super) fn parts(workbook: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipArchive::new(Cursor::new(workbook)).unwrap();
    let mut changes = Vec::new();
    for place in 0..zip.len() {
        let mut part = zip.by_index(place).unwrap();
        let name = part.name().unwrap().into_owned();
        if name.contains("theme") {
            continue;
        }
        let mut content = Vec::new();
        std::io::copy(&mut part, &mut content).unwrap();
        changes.extend([name.into_bytes().into(), content.into()]);
    }
    [UNPACKED, &prost::Message::encode_to_vec(&ChangeList { changes })].concat()
}

/// The workbook of an office with one resident, in its parts, without what only its looks need.
pub(super) fn small_workbook() -> Vec<u8> {
    let (_dir, ledger) = open();
    let desk = LedgerDesk::new(&ledger);
    let resident = ground::honest_forms().iter().find(|form| form.register == number::RESIDENT).cloned();
    for saved in desk.save(resident.map(|form| vec![form]).into_iter().collect(), "clerk") {
        saved.unwrap();
    }
    parts(&export(&desk, registers().get(number::RESIDENT).unwrap(), None, Format::Xlsx).unwrap().0)
}
