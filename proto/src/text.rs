//! What clerks write, read into values: full-width forms, dates of every habit, names with spaces.
//! Pure; the forms, the importer and the command line all read text through here.

use crate::date::{self, Day};

/// Full-width digits, letters and signs to half-width; U+3000 to a blank; ends trimmed.
pub fn half_width(text: &str) -> String {
    let folded: String = text
        .chars()
        .map(|sign| match sign {
            '\u{3000}' | '\u{a0}' => ' ',
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(sign as u32 - 0xfee0).unwrap_or(sign),
            other => other,
        })
        .filter(|sign| !matches!(sign, '\u{feff}' | '\u{200b}'))
        .collect();
    folded.trim().to_owned()
}

/// A text without any white space, as names and numbers are kept.
pub fn no_space(text: &str) -> String {
    half_width(text).chars().filter(|sign| !sign.is_whitespace()).collect()
}

/// Whether a cell stands for the one above it.
pub fn is_ditto(text: &str) -> bool {
    matches!(no_space(text).as_str(), "同上" | "〃" | "\"" | "″" | "''" | "同前" | "“" | "”")
}

/// Days from 1970-01-01 back to Excel's day 0 (1899-12-30, which hides its 29 February 1900).
const EXCEL_EPOCH: i32 = 25_569;

/// The day of an Excel serial number; none outside 1900 to 2099.
pub fn excel_day(serial: f64) -> Option<Day> {
    (61.0..73_050.0).contains(&serial).then(|| serial.floor() as i32 - EXCEL_EPOCH)
}

/// A date in any of the ways offices write one: `2008.3.20`, `2008-03-20`, `2008/3/20`, `20080320`,
/// `2008年3月20日`, `2008年3月` and `200803` (the month's first day), `39527` (Excel serial), with a time after it.
pub fn parse_date(text: &str) -> Option<Day> {
    let text = half_width(text);
    let text = text.split([' ', 'T']).next()?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.len() {
            8 => from_parts(&text[..4], &text[4..6], &text[6..]),
            6 => from_parts(&text[..4], &text[4..], "1"),
            5 => excel_day(text.parse().ok()?),
            _ => None,
        };
    }
    if let Some((whole, fraction)) = text.split_once('.')
        && whole.len() == 5
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
    {
        return excel_day(whole.parse().ok()?);
    }
    let mut parts = text.split(['.', '-', '/', '年', '月', '日', '号', '、']).filter(|part| !part.is_empty());
    let year = parts.next()?;
    let month = parts.next()?;
    let day = parts.next().unwrap_or("1");
    if parts.next().is_some() {
        return None;
    }
    from_parts(year, month, day)
}

fn from_parts(year: &str, month: &str, day: &str) -> Option<Day> {
    let year: i16 = match (year.len(), year.parse::<i16>().ok()?) {
        (4, year) => year,
        // Offices of 2008 wrote '08.3.20'; nobody registered was born before 1930 and nothing is due after 2030.
        (2, year) if year < 30 => 2000 + year,
        (2, year) => 1900 + year,
        _ => return None,
    };
    if !(1900..2100).contains(&year) {
        return None;
    }
    date::ymd(year, month.parse().ok()?, day.parse().ok()?)
}

/// Yes or no as offices tick it; none when it is neither.
pub fn parse_bool(text: &str) -> Option<bool> {
    match no_space(text).to_ascii_lowercase().as_str() {
        "是" | "有" | "√" | "✓" | "1" | "y" | "yes" | "true" | "对" => Some(true),
        "否" | "无" | "×" | "x" | "0" | "n" | "no" | "false" | "没有" | "不" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_date_is_the_same_day() {
        let expected = date::ymd(2008, 3, 20).unwrap();
        for text in [
            "2008.3.20",
            "2008-03-20",
            "2008/3/20",
            "20080320",
            "2008年3月20日",
            "39527",
            "２００８．３．２０",
            "08.3.20",
            "2008-03-20 00:00:00",
            "39527.0",
            " 2008.03.20 ",
        ] {
            assert_eq!(parse_date(text), Some(expected), "{text}");
        }
        assert_eq!(parse_date("2008年3月"), date::ymd(2008, 3, 1));
        for text in ["", "2008.13.1", "2008.2.30", "不详", "3.20", "2008.3.20.1", "99999"] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn full_width_and_ideographic_spaces_fold_away() {
        assert_eq!(no_space("曹　志 "), "曹志");
        assert_eq!(no_space("２１０４９２Ｘ"), "210492X");
        assert!(is_ditto(" 〃 ") && is_ditto("同　上") && !is_ditto("同上楼"));
    }
}
