//! The parts of an xlsx as Excel would take them, written so that the reader takes them too: targets of relationships with
//! `./`, `../` or backslashes, sheets that say their size wrongly or not at all.
//! Invariant: what stands in cells is copied untouched; what can't be mended is left for the reader to refuse.

use super::ImportError;
use std::io::{Cursor, Read, Write};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

/// Largest list of relationships, bytes.
const MAX_RELATIONS: u64 = 16 << 20;
/// Where a sheet says its size, counted from its beginning, bytes.
const HEAD: u64 = 64 << 10;

/// A workbook with its small faults mended; none when there is nothing to mend. No part is held whole but its lists of
/// relationships.
///
/// # Errors
/// When such a list is larger than any program writes.
pub(super) fn mended(content: &[u8]) -> Result<Option<Vec<u8>>, ImportError> {
    let Ok(mut archive) = ZipArchive::new(Cursor::new(content)) else { return Ok(None) };
    let mut written = ZipWriter::new(Cursor::new(Vec::with_capacity(content.len() + 4_096)));
    let mut changed = false;
    for index in 0..archive.len() {
        match copy(&mut archive, index, &mut written)? {
            Some(mended) => changed |= mended,
            None => return Ok(None),
        }
    }
    Ok(written.finish().ok().filter(|_| changed).map(Cursor::into_inner))
}

/// Copies a part, mended; whether there was something to mend. None where it can't be read.
fn copy(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    index: usize,
    written: &mut ZipWriter<Cursor<Vec<u8>>>,
) -> Result<Option<bool>, ImportError> {
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let Some(name) = archive.by_index(index).ok().and_then(|part| Some(part.name().ok()?.into_owned())) else {
        return Ok(None);
    };
    let plain = name.replace('\\', "/").trim_start_matches('/').to_owned();
    let lower = plain.to_ascii_lowercase();
    let Ok(mut part) = archive.by_index(index) else { return Ok(None) };
    let mut head = Vec::new();
    let new = match lower.rsplit_once('.') {
        Some((_, "rels")) => {
            let read = (&mut part).take(MAX_RELATIONS + 1).read_to_end(&mut head);
            if head.len() as u64 > MAX_RELATIONS {
                return Err(ImportError::TooLarge { what: "关系表字节数", limit: MAX_RELATIONS });
            }
            let text = read.ok().and_then(|_| std::str::from_utf8(&head).ok());
            text.and_then(|text| relationships(text, &plain)).map(String::into_bytes)
        }
        Some((path, "xml")) if path.starts_with("xl/worksheets/") => {
            let read = (&mut part).take(HEAD).read_to_end(&mut head);
            read.ok().and_then(|_| without_dimension(&head))
        }
        _ => None,
    };
    let done = if let Some(new) = &new {
        let begun = written.start_file(&plain, stored).is_ok() && written.write_all(new).is_ok();
        // What a sheet has behind its head goes through as it is.
        begun && std::io::copy(&mut part, written).is_ok()
    } else {
        drop(part);
        let raw = archive.by_index_raw(index);
        raw.is_ok_and(|raw| written.raw_copy_file_rename(raw, &plain).is_ok())
    };
    Ok(done.then_some(new.is_some() || plain != name))
}

/// A list of relationships with plain targets from the root; none when all are plain.
fn relationships(text: &str, part: &str) -> Option<String> {
    let (folder, _) = part.rsplit_once("_rels/")?;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut changed = false;
    while let Some(at) = rest.find("Target=") {
        let (before, after) = rest.split_at(at + "Target=".len());
        out.push_str(before);
        let quote = after.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let end = after[1..].find(quote)? + 1;
        let target = &after[1..end];
        let plain = plain_target(target, folder).filter(|plain| plain != target);
        changed |= plain.is_some();
        out.push(quote);
        out.push_str(plain.as_deref().unwrap_or(target));
        rest = &after[end..];
    }
    out.push_str(rest);
    changed.then_some(out)
}

/// A target as a path from the root; none for an address outside, and for one that is plain as it is.
fn plain_target(target: &str, folder: &str) -> Option<String> {
    let odd = target.contains(['\\', '%']) || target.contains("./");
    if target.contains("://") || !odd {
        return None;
    }
    let target = unescaped(&target.replace('\\', "/"));
    let whole = if target.starts_with('/') { target } else { format!("/{folder}{target}") };
    let mut path: Vec<&str> = Vec::new();
    for step in whole.split('/') {
        match step {
            "" | "." => {}
            ".." => {
                path.pop();
            }
            step => path.push(step),
        }
    }
    Some(format!("/{}", path.join("/")))
}

/// A target with its `%20` written out.
fn unescaped(target: &str) -> String {
    let mut bytes = Vec::with_capacity(target.len());
    let mut rest = target.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        if let Some(byte) = code.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| target.to_owned())
}

/// The beginning of a sheet without the size that it claims, which nobody needs; none when it claims none.
fn without_dimension(head: &[u8]) -> Option<Vec<u8>> {
    let find = |from: usize, wanted: &[u8]| {
        let found = head.get(from..)?.windows(wanted.len()).position(|part| part == wanted)?;
        Some(from + found)
    };
    // A tag of that name, before the cells: the word may stand in one.
    let cells = find(0, b"sheetData").unwrap_or(head.len());
    let tag = |at: &usize| {
        let start = head[..*at].iter().rposition(|byte| *byte == b'<')?;
        let prefix = &head[start + 1..*at];
        (prefix.is_empty()
            || prefix.ends_with(b":") && prefix[..prefix.len() - 1].iter().all(u8::is_ascii_alphanumeric))
        .then_some(start)
    };
    let at = find(0, b"dimension").filter(|at| *at < cells)?;
    let start = tag(&at)?;
    let end = find(at, b">")? + 1;
    let close = if head[..end].ends_with(b"/>") { end } else { find(end, b">")? + 1 };
    Some([&head[..start], &head[close..]].concat())
}

/// What kind of file a zip is that is no xlsx, for people.
pub(super) fn other_kind(content: &[u8]) -> &'static str {
    let names: Vec<String> = ZipArchive::new(Cursor::new(content))
        .map(|archive| archive.file_names().filter_map(Result::ok).map(std::borrow::Cow::into_owned).collect())
        .unwrap_or_default();
    let has = |wanted: &str| names.iter().any(|name| name.eq_ignore_ascii_case(wanted));
    if has("xl/workbook.bin") {
        "是 Excel 二进制工作簿 xlsb"
    } else if has("content.xml") {
        "是 OpenDocument 表格 ods"
    } else if has("word/document.xml") {
        "是 Word 文档"
    } else if has("ppt/presentation.xml") {
        "是 PowerPoint 文档"
    } else {
        "是压缩文件，但不是 Excel 工作簿"
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_paths_from_the_root() {
        for (target, plain) in [
            ("./worksheets/sheet1.xml", Some("/xl/worksheets/sheet1.xml")),
            ("../xl/worksheets/sheet1.xml", Some("/xl/worksheets/sheet1.xml")),
            ("worksheets\\sheet1.xml", Some("/xl/worksheets/sheet1.xml")),
            ("worksheets/sheet%31.xml", Some("/xl/worksheets/sheet1.xml")),
            ("worksheets/sheet1.xml", None),
            ("/xl/worksheets/sheet1.xml", None),
            ("http://a/../b", None),
            ("../../../etc", Some("/etc")),
        ] {
            assert_eq!(plain_target(target, "xl/").as_deref(), plain, "{target}");
        }
        let text =
            "<Relationships><Relationship Id='a' Target='./x.xml'/><Relationship Target=\"y.xml\"/></Relationships>";
        let mended =
            "<Relationships><Relationship Id='a' Target='/xl/x.xml'/><Relationship Target=\"y.xml\"/></Relationships>";
        assert_eq!(relationships(text, "xl/_rels/workbook.xml.rels").as_deref(), Some(mended));
    }

    #[test]
    fn a_sheet_loses_its_size_and_nothing_else() {
        let plain = "<worksheet><sheetData/></worksheet>";
        for size in ["<dimension ref=\"A1:B\"/>", "<dimension/>", "<x:dimension ref=''></x:dimension>"] {
            let text = plain.replace("<sheetData", &format!("{size}<sheetData"));
            assert_eq!(without_dimension(text.as_bytes()).as_deref(), Some(plain.as_bytes()));
        }
        assert_eq!(without_dimension(plain.as_bytes()), None);
        for text in [
            "<worksheet><sheetData><c t='inlineStr'><is><t>dimension of it</t></is></c></sheetData></worksheet>",
            "<worksheet><sheetPr name='dimension'/><sheetData/></worksheet>",
        ] {
            assert_eq!(without_dimension(text.as_bytes()), None, "{text}");
        }
    }

    /// A workbook of one part.
    fn zipped(name: &str, part: &[u8]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(part).unwrap();
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn a_long_sheet_is_mended_at_its_head_and_none_of_it_is_cut() {
        let rows = "<row><c><v>1</v></c></row>".repeat(20_000);
        let whole = format!("<worksheet><dimension ref=\"A1:B\"/><sheetData>{rows}</sheetData></worksheet>");
        let file = mended(&zipped("xl/worksheets/sheet1.xml", whole.as_bytes())).unwrap().unwrap();
        let mut text = String::new();
        ZipArchive::new(Cursor::new(file)).unwrap().by_index(0).unwrap().read_to_string(&mut text).unwrap();
        assert!(text == whole.replace("<dimension ref=\"A1:B\"/>", ""), "{} of {}", text.len(), whole.len());
    }

    #[test]
    fn a_list_of_relationships_that_no_program_writes_is_refused_in_words() {
        let part = vec![b' '; MAX_RELATIONS as usize + 1];
        let refused = mended(&zipped("xl/_rels/workbook.xml.rels", &part));
        assert!(matches!(refused, Err(ImportError::TooLarge { .. })));
    }
}
