//! Text files: encoding and separator told by the content, and written again the same way.

use super::{
    ImportError, Source,
    book::{Book, Container, Encoding, Long, Sheet},
    cells::Cell,
    rows::{Bounds, HELD_ROWS, Look, MAX_HELD, Rows, Walked},
};
use encoding_rs::{GB18030, UTF_16BE, UTF_16LE};
use records::{OpenQuote, Records};
use std::{borrow::Cow, cell::RefCell};

mod records;

const SEPARATORS: [u8; 4] = [b',', b'\t', b';', b'|'];
/// Lines looked at to find the separator.
const SAMPLE: usize = 40;

/// Reads a text file as one sheet.
pub(super) fn read<'s>(source: &Source<'s>) -> Result<Book<'s>, ImportError> {
    let mut findings = Vec::new();
    let (text, encoding) = decode(source.content, &mut findings)?;
    let start = text.trim_start();
    if start.starts_with('<') {
        return Err(ImportError::Kind("内容是网页或 XML"));
    }
    // Form feeds and line breaks of old printing programs are blanks; other controls are no text.
    if text.chars().any(|sign| sign.is_control() && !matches!(sign, '\n' | '\r' | '\t' | '\u{b}' | '\u{c}' | '\u{1a}'))
    {
        return Err(ImportError::Kind("内容不是文字"));
    }
    let (rest, named) = without_directive(&text);
    let delimiter = named.unwrap_or_else(|| separator(rest));
    let begin = text.len() - rest.len();
    let text = match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[begin..]),
        Cow::Owned(mut text) => {
            text.drain(..begin);
            Cow::Owned(text)
        }
    };
    let mut bounds = Bounds::default();
    let mut sheet = Sheet { name: stem(source.file_name).to_owned(), ..Sheet::default() };
    let mut cells = 0;
    let (_, signs) = walk(&text, delimiter, &mut bounds, &mut |_, row| {
        cells += row.len();
        if cells <= MAX_HELD {
            sheet.rows.push(row.into_owned());
        } else {
            sheet.is_long = true;
            sheet.rows.truncate(HELD_ROWS);
        }
        Ok(true)
    })?;
    if let Some(first) = signs.first() {
        let more = if signs.len() > 1 { format!("等{}行", signs.len()) } else { String::new() };
        findings.push(format!(
            "第{first}行{more}的引号没有成对，已按普通符号读取，请核对 (quotes that don't pair were read as signs)"
        ));
    }
    let stray = bounds.finding();
    if sheet.is_long {
        bounds = Bounds::default();
    }
    let container = Container::Text { encoding, delimiter };
    let long = Long::Text { text, delimiter };
    Ok(Book { sheets: vec![sheet], container, findings, stray, long, bounds: RefCell::new(bounds) })
}

/// Walks through the records of a text. Returns the lines on which a quote was read as a sign, too.
pub(super) fn walk(
    text: &str,
    delimiter: u8,
    bounds: &mut Bounds,
    look: Look<'_>,
) -> Result<(Walked, Vec<usize>), ImportError> {
    let mut rows = Rows::new(bounds, &[]);
    let mut records = Records::of(text, delimiter);
    let mut row = 0;
    while let Some(record) = records.next() {
        let record = record.map_err(|OpenQuote(line)| ImportError::Quote(line))?;
        for (column, field) in record.into_iter().enumerate() {
            let cell = if field == "\u{1a}" { Cell::Empty } else { Cell::Text(field) };
            let walked = rows.put(row, column, cell, look)?;
            if walked != Walked::Whole {
                return Ok((walked, records.signs));
            }
        }
        row += 1;
    }
    Ok((rows.hand_on(look)?, records.signs))
}

/// The text behind Excel's line `sep=;`, and the separator that it names.
fn without_directive(text: &str) -> (&str, Option<u8>) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let named = first.trim_end().trim_matches('"').strip_prefix("sep=").map(str::as_bytes);
    match named {
        Some([separator]) if separator.is_ascii() => (rest, Some(*separator)),
        _ => (text, None),
    }
}

/// A file name without its folder and ending.
pub(super) fn stem(file_name: &str) -> &str {
    let name = file_name.rsplit(['/', '\\']).next().unwrap_or(file_name);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

fn decode<'a>(content: &'a [u8], findings: &mut Vec<String>) -> Result<(Cow<'a, str>, Encoding), ImportError> {
    if let Some(rest) = content.strip_prefix(b"\xef\xbb\xbf") {
        let text = std::str::from_utf8(rest).map_err(|_| ImportError::Kind("文字编码不是 UTF-8"))?;
        return Ok((Cow::Borrowed(text), Encoding::Utf8 { marked: true }));
    }
    // 'Unicode text' as Excel saves it.
    for (mark, wide) in [(b"\xff\xfe", UTF_16LE), (b"\xfe\xff", UTF_16BE)] {
        if content.starts_with(mark) {
            let (text, _, broken) = wide.decode(content);
            let text = (!broken).then_some(text).ok_or(ImportError::Kind("文字编码不是 UTF-16"))?;
            return Ok((text, Encoding::Utf8 { marked: true }));
        }
    }
    if let Ok(text) = std::str::from_utf8(content) {
        return Ok((Cow::Borrowed(text), Encoding::Utf8 { marked: false }));
    }
    let (text, broken) = GB18030.decode_without_bom_handling(content);
    if broken {
        let lost = text.chars().filter(|sign| *sign == char::REPLACEMENT_CHARACTER).count();
        if lost * 100 > text.chars().count() {
            return Err(ImportError::Kind("文字编码既不是 UTF-8 也不是 GBK"));
        }
        findings.push(format!("文件中有{lost}处乱码，请核对 (characters that can't be read)"));
    }
    Ok((text, Encoding::Gb18030))
}

/// The separator that most of the first records use, and of those that as many do the one that they use most: one cell full of
/// another sign decides nothing. A quote reaches over lines; where one never ends, each line counts by itself.
fn separator(text: &str) -> u8 {
    let lines: Vec<&str> = text.lines().take(SAMPLE).collect();
    let whole = lines.iter().flat_map(|line| line.bytes()).filter(|byte| *byte == b'"').count() % 2 == 0;
    let used = |separator: u8| {
        let (mut records, mut signs, mut quoted, mut in_record) = (0, 0, false, 0);
        for line in &lines {
            quoted &= whole;
            for byte in line.bytes() {
                quoted ^= byte == b'"';
                in_record += usize::from(byte == separator && !quoted);
            }
            if !(quoted && whole) {
                records += usize::from(in_record > 0);
                signs += std::mem::take(&mut in_record);
            }
        }
        (records, signs)
    };
    SEPARATORS.into_iter().rev().max_by_key(|separator| used(*separator)).unwrap_or(b',')
}

/// Writes records the way the file was written. Where a cell has another sign in it that could be taken for the separator, every cell
/// is quoted, so that the file can be read again.
pub(super) fn write(rows: &[Vec<String>], encoding: Encoding, delimiter: u8) -> Result<Vec<u8>, csv::Error> {
    let is_other = |byte: u8| byte != delimiter && SEPARATORS.contains(&byte);
    let is_plain = !rows.iter().flatten().any(|cell| cell.bytes().any(is_other));
    let mut writer = csv::WriterBuilder::new()
        .flexible(true)
        .quote_style(if is_plain { csv::QuoteStyle::Necessary } else { csv::QuoteStyle::Always })
        .delimiter(delimiter)
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    for row in rows {
        writer.write_record(row)?;
    }
    let plain = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(match encoding {
        Encoding::Utf8 { marked: false } => plain,
        Encoding::Utf8 { marked: true } => [b"\xef\xbb\xbf".as_slice(), &plain].concat(),
        Encoding::Gb18030 => {
            let text = String::from_utf8_lossy(&plain);
            GB18030.encode(&text).0.into_owned()
        }
    })
}
