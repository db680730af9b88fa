//! The parts of an xlsx as Excel would take them, written so that the reader takes them too: targets of relationships with
//! `./`, `../` or backslashes, sheets that say their size wrongly or not at all.
//! Invariant: what stands in cells is copied untouched; what can't be mended is left for the reader to refuse.

use std::io::{Cursor, Read, Write};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

/// Largest part that is looked into, bytes.
const MAX_PART: u64 = 256 << 20;
/// Where a sheet says its size, counted from its beginning, bytes.
const HEAD: usize = 64 << 10;

/// A workbook with its small faults mended; none when there is nothing to mend.
pub(super) fn mended(content: &[u8]) -> Option<Vec<u8>> {
    let mut archive = ZipArchive::new(Cursor::new(content)).ok()?;
    let mut written = ZipWriter::new(Cursor::new(Vec::with_capacity(content.len() + 4_096)));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let mut changed = false;
    for index in 0..archive.len() {
        let name = archive.by_index(index).ok()?.name().ok()?.into_owned();
        let plain = name.replace('\\', "/").trim_start_matches('/').to_owned();
        let part = |archive: &mut ZipArchive<Cursor<&[u8]>>| {
            let mut text = String::new();
            archive.by_index(index).ok()?.take(MAX_PART).read_to_string(&mut text).ok()?;
            Some(text)
        };
        let lower = plain.to_ascii_lowercase();
        let new = match lower.rsplit_once('.') {
            Some((_, "rels")) => part(&mut archive).and_then(|text| relationships(&text, &plain)),
            Some((path, "xml")) if path.starts_with("xl/worksheets/") => {
                part(&mut archive).and_then(|text| without_dimension(&text))
            }
            _ => None,
        };
        changed |= new.is_some() || plain != name;
        match new {
            Some(text) => {
                written.start_file(plain, stored).ok()?;
                written.write_all(text.as_bytes()).ok()?;
            }
            None => written.raw_copy_file_rename(archive.by_index_raw(index).ok()?, plain).ok()?,
        }
    }
    let bytes = written.finish().ok()?.into_inner();
    changed.then_some(bytes)
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

/// A sheet without the size that it claims, which nobody needs; none when it claims none.
fn without_dimension(text: &str) -> Option<String> {
    let limit = (0..=HEAD.min(text.len())).rev().find(|at| text.is_char_boundary(*at))?;
    let at = text[..limit].find("dimension")?;
    let start = text[..at].rfind('<')?;
    let end = at + text[at..].find('>')? + 1;
    let closed = text[..end].ends_with("/>");
    let close = if closed { end } else { end + text[end..].find('>')? + 1 };
    Some(format!("{}{}", &text[..start], &text[close..]))
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
            assert_eq!(without_dimension(&text).as_deref(), Some(plain));
        }
        assert_eq!(without_dimension(plain), None);
    }
}
