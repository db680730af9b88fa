//! Files that nobody should send: an error in words, never a panic, never a flood.

use super::desk::{Memory, file};
use crate::exchange::{ImportError, MAX_FILE, Options, Source, import};
use rust_xlsxwriter::Workbook;

fn outcome(content: &[u8]) -> Result<u64, ImportError> {
    let desk = Memory::street();
    let source = Source { file_name: "x", content };
    import(&desk, &source, &Options::default(), &mut |_, _| {}).map(|report| report.rows)
}

#[test]
fn every_cut_and_every_scratch_is_an_error_or_a_report() {
    for name in ["求职登记台账.xlsx", "零就业家庭台账.xls", "laodong99.csv"] {
        let whole = file(name);
        for cut in (0..whole.len()).step_by(whole.len() / 60) {
            _ = outcome(&whole[..cut]);
        }
        let mut random = 88_172_645_463_325_252_u64;
        for _ in 0..150 {
            let mut scratched = whole.clone();
            for _ in 0..8 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let place = random as usize % scratched.len();
                scratched[place] = (random >> 40) as u8;
            }
            _ = outcome(&scratched);
        }
    }
}

#[test]
fn noise_of_every_kind_is_refused() {
    let noise: Vec<u8> = (0..5_000_u32).map(|place| (place.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for magic in [&b""[..], b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"\xff\xfe", b"\xef\xbb\xbf"] {
        assert!(outcome(&[magic, &noise].concat()).is_err());
    }
}

#[test]
fn each_refusal_says_what_is_wrong() {
    assert!(matches!(outcome(b""), Err(ImportError::Empty)));
    assert!(matches!(outcome(b"\n\n"), Err(ImportError::Empty)));
    assert!(matches!(outcome(&vec![b'a'; MAX_FILE + 1]), Err(ImportError::TooLarge { .. })));
    assert!(matches!(outcome(b"<html><table></table></html>"), Err(ImportError::Kind(_))));
    assert!(matches!(outcome("天气,温度\n晴,20\n".as_bytes()), Err(ImportError::NoHeader)));
    assert!(matches!(outcome(",".repeat(300).replace(',', "a,").as_bytes()), Err(ImportError::TooLarge { .. })));
    let locked =
        [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".as_slice(), b"E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e\0"].concat();
    assert!(matches!(outcome(&locked), Err(ImportError::Password)));
}

#[test]
fn a_workbook_that_swells_or_spreads_is_refused() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for column in 0..300 {
        sheet.write(0, column, "x").unwrap();
    }
    assert!(matches!(outcome(&book.save_to_buffer().unwrap()), Err(ImportError::TooLarge { .. })));
    // Merged areas without end, in parts of a few hundred kilobytes.
    let mut areas = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (sheet, count) in [(1, 60_000), (2, 40_001)] {
        let stored = zip::write::SimpleFileOptions::default();
        areas.start_file(format!("xl/worksheets/sheet{sheet}.xml"), stored).unwrap();
        let tags = "<mergeCell ref=\"A1:A2\"/>".repeat(count);
        std::io::Write::write_all(&mut areas, tags.as_bytes()).unwrap();
    }
    let many = areas.finish().unwrap().into_inner();
    assert!(matches!(outcome(&many), Err(ImportError::TooLarge { what: "合并单元格数", .. })));
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let deflated = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    zip.start_file("xl/workbook.xml", deflated).unwrap();
    let blank = vec![b' '; 1 << 20];
    for _ in 0..520 {
        std::io::Write::write_all(&mut zip, &blank).unwrap();
    }
    let bomb = zip.finish().unwrap().into_inner();
    assert!(bomb.len() < 4 << 20 && matches!(outcome(&bomb), Err(ImportError::TooLarge { .. })));
}
