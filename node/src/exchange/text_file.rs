//! Text files: encoding and separator told by the content, and written again the same way.

use super::{
    ImportError, Source,
    cells::{Book, Cell, Container, Encoding, Sheet},
    read::Filling,
};
use encoding_rs::{GB18030, UTF_16BE, UTF_16LE};
use records::OpenQuote;
use std::borrow::Cow;

mod records;

const SEPARATORS: [u8; 4] = [b',', b'\t', b';', b'|'];
/// Lines looked at to find the separator.
const SAMPLE: usize = 40;

/// Reads a text file as one sheet.
pub(super) fn read(source: &Source<'_>) -> Result<Book, ImportError> {
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
    let (text, named) = without_directive(&text);
    let delimiter = named.unwrap_or_else(|| separator(text));
    let (records, signs) = records::split(text, delimiter).map_err(|OpenQuote(line)| ImportError::Quote(line))?;
    if let Some(first) = signs.first() {
        let more = if signs.len() > 1 { format!("等{}行", signs.len()) } else { String::new() };
        findings.push(format!(
            "第{first}行{more}的引号没有成对，已按普通符号读取，请核对 (quotes that don't pair were read as signs)"
        ));
    }
    let mut filling = Filling::default();
    for (row, record) in records.into_iter().enumerate() {
        for (column, field) in record.into_iter().enumerate() {
            let cell = if field == "\u{1a}" { Cell::Empty } else { Cell::Text(field) };
            filling.put(row, column, cell)?;
        }
    }
    findings.extend(filling.finding());
    let sheet = Sheet { name: stem(source.file_name).to_owned(), rows: filling.take(), is_1904: false };
    Ok(Book { sheets: vec![sheet], container: Container::Text { encoding, delimiter }, findings })
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

/// The separator that the first lines use most, outside quotes.
fn separator(text: &str) -> u8 {
    let count = |separator: u8| {
        text.lines()
            .take(SAMPLE)
            .map(|line| {
                let mut quoted = false;
                line.bytes()
                    .filter(|byte| {
                        quoted ^= *byte == b'"';
                        *byte == separator && !quoted
                    })
                    .count()
            })
            .sum::<usize>()
    };
    SEPARATORS.into_iter().rev().max_by_key(|separator| count(*separator)).unwrap_or(b',')
}

/// Writes records the way the file was written.
pub(super) fn write(rows: &[Vec<String>], encoding: Encoding, delimiter: u8) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new()
        .flexible(true)
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
