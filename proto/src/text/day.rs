//! Days as offices and their programs write them. Invariant: what is read is the one day, or the one month, that the text
//! can mean; what can mean two is none.

use super::{half_width, signs};
use crate::date::{self, Day, SHANGHAI};
use std::borrow::Cow;

/// Days from 1970-01-01 back to Excel's day 0 (1899-12-30, which hides its 29 February 1900).
const EXCEL_EPOCH: i32 = 25_569;
const DAY_SECONDS: f64 = 86_400.0;

/// A date that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The day.
    Day(Day),
    /// A month, as its first day.
    Month(Day),
}

impl Written {
    /// The day; a month's first.
    pub fn day(self) -> Day {
        match self {
            Self::Day(day) | Self::Month(day) => day,
        }
    }
}

/// A moment in a spreadsheet's count of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Of this day.
    Day(Day),
    /// As late on this day as the next one begins in another time zone, or under another reckoning: this day or the next.
    Late(Day),
}

/// The day of an Excel serial number, its time left aside; none outside 1900 to 2099.
pub fn excel_day(serial: f64) -> Option<Day> {
    (61.0..73_050.0).contains(&serial).then(|| serial.floor() as i32 - EXCEL_EPOCH)
}

/// By how many seconds Shanghai's own mean time differs from its zone time (8:05:43), whole and without the minutes: programs
/// that reckon by it move midnight by as much.
const MEAN_TIME: [f64; 2] = [343.0, 43.0];

/// The day that a serial number with a time means; none outside 1900 to 2099. A hair's breadth before midnight is the
/// midnight; a whole hour in the evening may be the midnight of another zone, or of summer time.
pub fn excel_moment(serial: f64) -> Option<Moment> {
    let day = excel_day(serial)?;
    let left = (1.0 - serial.fract()) * DAY_SECONDS;
    let near = |seconds: f64, by: f64| (left - seconds).abs() <= by;
    if left < 0.9 || MEAN_TIME.iter().any(|seconds| near(*seconds, 1.0)) {
        return excel_day(serial.floor() + 1.0).map(Moment::Day);
    }
    let hour = (left / 3_600.0).round();
    let of_zone =
        hour <= 9.0 && (near(hour * 3_600.0, 1.0) || MEAN_TIME.iter().any(|mean| near(hour * 3_600.0 + mean, 1.0)));
    Some(if of_zone || left < 600.0 { Moment::Late(day) } else { Moment::Day(day) })
}

/// A date in any of the ways offices write one, as [`read_date`] reads it; a month is its first day.
pub fn parse_date(text: &str) -> Option<Day> {
    read_date(text).map(Written::day)
}

/// Reads a date: `2008.3.20` with any signs between, `20080320`, `2008年3月20日`, `二〇〇八年三月`, `20-Mar-08`, a month, an Excel
/// serial number, with a time or a day of the week after it. A time with its zone is Shanghai's day; of a day that was no such day of
/// the week one of the two is wrong.
pub fn read_date(text: &str) -> Option<Written> {
    let text = half_width(&text.replace(['\n', '\r', '\t'], " "));
    let text = without_remark(
        text.trim_start_matches(['\'', '`', '‘', '’', '"', '“']).trim_end_matches(['\'', '’', '"', '”']),
    );
    let (text, weekday) = split_weekday(text);
    let read = read_moment(&text)?;
    let fits = |weekday: i8| match read {
        Written::Day(day) => date::civil(day).is_some_and(|date| date.weekday().to_monday_zero_offset() == weekday),
        Written::Month(_) => false,
    };
    weekday.is_none_or(fits).then_some(read)
}

/// The text without a Chinese day of the week, and which that was, Monday 0.
fn split_weekday(text: &str) -> (Cow<'_, str>, Option<i8>) {
    for word in ["星期", "礼拜", "周"] {
        let Some((before, after)) = text.split_once(word) else { continue };
        let Some(sign) = after.chars().next() else { continue };
        let day = match sign {
            '日' | '天' => 6,
            _ => match "一二三四五六".chars().position(|day| day == sign) {
                Some(day) => day as i8,
                None => continue,
            },
        };
        return (format!("{before} {}", &after[sign.len_utf8()..]).trim().to_owned().into(), Some(day));
    }
    (text.into(), None)
}

/// A date, with a time after it perhaps.
fn read_moment(text: &str) -> Option<Written> {
    if let Some((date, time)) = split_time(text)? {
        let Written::Day(day) = read_plain(&date)? else { return None };
        return Some(Written::Day(time.shanghai(day)));
    }
    read_plain(text)
}

/// The text without a remark in brackets behind it, as long as the remark has no number of its own.
fn without_remark(text: &str) -> &str {
    let trimmed = text.trim_end();
    match trimmed.strip_suffix(')').and_then(|_| trimmed.rfind('(')) {
        Some(open) if open > 0 && !trimmed[open..].contains(|sign: char| sign.is_numeric() && !is_han_digit(sign)) => {
            trimmed[..open].trim_end()
        }
        _ => trimmed,
    }
}

fn is_han_digit(sign: char) -> bool {
    han_digit(sign).is_some() || sign == '十'
}

/// A time of day.
struct Time {
    seconds: i64,
    /// How far its zone is ahead of UTC; none where the text names none.
    zone: Option<i64>,
}

impl Time {
    /// The day in Shanghai.
    fn shanghai(&self, day: Day) -> Day {
        let Some(zone) = self.zone else { return day };
        let utc = i64::from(day) * 86_400 + self.seconds - zone;
        let standard = utc + SHANGHAI as i64;
        let summer = i64::from(date::is_summer_time(standard)) * 3_600;
        (standard + summer).div_euclid(86_400) as Day
    }
}

/// The part before a time, with the year where that stands behind it, and the time; the outer none where there is a colon
/// that belongs to no time.
#[allow(clippy::option_option)] // no time at all is an answer
fn split_time(text: &str) -> Option<Option<(String, Time)>> {
    let Some(colon) = text.find(':') else { return Some(None) };
    let start = text[..colon].trim_end_matches(|sign: char| sign.is_ascii_digit()).len();
    let (hour, rest) = (&text[start..colon], &text[colon + 1..]);
    let (minute, rest) = digits(rest);
    let (second, rest) = match rest.strip_prefix(':') {
        Some(rest) => digits(rest),
        None => ("0", rest),
    };
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => digits(fraction).1,
        None => rest,
    };
    let number = |text: &str, most: i64| text.parse::<i64>().ok().filter(|number| (0..=most).contains(number));
    let seconds = number(hour, 24)? * 3_600 + number(minute, 59)? * 60 + number(second, 60)?;
    let (zone, year) = zone_and_year(rest)?;
    let mut before = text[..start].trim_end();
    for word in ["上午", "下午", "凌晨", "晚上", "早上", "T", "t"] {
        before = before.strip_suffix(word).unwrap_or(before).trim_end();
    }
    let before = year.map_or_else(|| before.to_owned(), |year| format!("{before} {year}"));
    Some(Some((before, Time { seconds, zone })))
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// What stands behind a time: a zone, half a day, a year (`00:00:00 CST 2008`).
fn zone_and_year(rest: &str) -> Option<(Option<i64>, Option<&str>)> {
    let mut rest = rest.split('(').next()?.trim();
    let mut year = None;
    if let Some((before, last)) = rest.rsplit_once(' ')
        && last.len() == 4
        && last.bytes().all(|byte| byte.is_ascii_digit())
    {
        (rest, year) = (before.trim(), Some(last));
    }
    let upper = rest.to_ascii_uppercase();
    let name = upper.trim_start_matches(|sign: char| sign.is_ascii_alphabetic());
    let word = &upper[..upper.len() - name.len()];
    let ahead = match (word, name.trim()) {
        ("" | "AM" | "PM" | "CST", "") => None,
        ("Z" | "UTC" | "GMT", "") => Some(0),
        ("" | "UTC" | "GMT", offset) => Some(self::offset(offset)?),
        _ => return None,
    };
    Some((ahead, year))
}

/// `+08:00`, `+0800`, `+8` as seconds.
fn offset(text: &str) -> Option<i64> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let plain = rest.replace(':', "");
    if plain.is_empty() || plain.len() > 4 || !plain.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = plain.parse().ok()?;
    let (hours, minutes) = if plain.len() > 2 { (number / 100, number % 100) } else { (number, 0) };
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// The numbers and words of a date without a time.
#[derive(Default)]
struct Parts {
    numbers: Vec<String>,
    /// A month by its English name, and how many numbers stand before it.
    month: Option<(usize, i8)>,
    /// Whether the first number is called a year.
    is_year: bool,
    /// Counted from 1911.
    is_republic: bool,
}

fn read_plain(text: &str) -> Option<Written> {
    if let Some(serial) = serial(text) {
        return serial;
    }
    let parts = parts(text)?;
    let numbers: Vec<&str> = parts.numbers.iter().map(String::as_str).collect();
    if let Some((before, month)) = parts.month {
        return with_month_name(&numbers, before, month);
    }
    let full = |text: &str| text.len() == 4;
    match numbers[..] {
        [all] if !parts.is_year => match all.len() {
            8 => from_parts(&all[..4], &all[4..6], &all[6..]).map(Written::Day),
            6 => from_parts(&all[..4], &all[4..], "1").map(Written::Month),
            _ => None,
        },
        [year, month] if parts.is_republic => from_parts(&republic(year)?, month, "1").map(Written::Month),
        [year, month] if full(year) || (parts.is_year && year.len() == 2) => {
            from_parts(year, month, "1").map(Written::Month)
        }
        [month, year] if full(year) => from_parts(year, month, "1").map(Written::Month),
        [year, month, day] if parts.is_republic => from_parts(&republic(year)?, month, day).map(Written::Day),
        [year, month, day] if full(year) || year.len() == 2 && day.len() <= 2 => {
            from_parts(year, month, day).map(Written::Day)
        }
        [one, other, year] if full(year) => {
            let (as_month, as_day) = (from_parts(year, one, other), from_parts(year, other, one));
            match (as_month, as_day) {
                (Some(day), None) | (None, Some(day)) => Some(Written::Day(day)),
                (Some(day), Some(same)) if day == same => Some(Written::Day(day)),
                _ => None,
            }
        }
        _ => None,
    }
}

fn republic(year: &str) -> Option<String> {
    year.parse::<i32>().ok().filter(|year| *year < 200).map(|year| (year + 1911).to_string())
}

/// An Excel serial number, with a fraction perhaps. Those that begin like a year (`20083`) may be a year and a month.
#[allow(clippy::option_option)] // a number that is no day is an answer
fn serial(text: &str) -> Option<Option<Written>> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 5 || !plain(whole) || !plain(fraction) {
        return None;
    }
    if whole.starts_with('0') {
        return Some(None); // no program writes a serial number so: a slip of the pen
    }
    let number = text.parse::<f64>().ok().filter(|_| !whole.starts_with("19") && !whole.starts_with("20"));
    Some(number.and_then(excel_moment).and_then(|moment| match moment {
        Moment::Day(day) => Some(Written::Day(day)),
        Moment::Late(_) => None,
    }))
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const FULL_MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

fn parts(text: &str) -> Option<Parts> {
    let text = han_numbers(text);
    let mut parts = Parts::default();
    let mut rest = match text.strip_prefix("民国") {
        Some(rest) => {
            parts.is_republic = true;
            rest
        }
        None => text.as_str(),
    };
    while let Some(sign) = rest.chars().next() {
        let run = |fits: fn(char) -> bool| rest.find(|sign| !fits(sign)).unwrap_or(rest.len());
        let length = match sign {
            '0'..='9' => {
                let end = run(|sign| sign.is_ascii_digit());
                parts.numbers.push(rest[..end].to_owned());
                end
            }
            'a'..='z' | 'A'..='Z' => {
                let end = run(|sign| sign.is_ascii_alphabetic());
                let word = rest[..end].to_ascii_lowercase();
                let month = MONTHS.iter().position(|name| *name == word);
                let month = month.or_else(|| FULL_MONTHS.iter().position(|name| *name == word));
                match month {
                    Some(month) if parts.month.is_none() => parts.month = Some((parts.numbers.len(), month as i8 + 1)),
                    None if word == "sept" && parts.month.is_none() => parts.month = Some((parts.numbers.len(), 9)),
                    None if WEEKDAYS.iter().any(|day| word.starts_with(day)) && word.len() <= 9 => {}
                    _ => return None,
                }
                end
            }
            '年' => {
                if parts.numbers.len() != 1 {
                    return None;
                }
                parts.is_year = true;
                sign.len_utf8()
            }
            // A first of some sort: a case runs from that day.
            '起' if rest == "起" => sign.len_utf8(),
            '月' | '日' | '号' | '/' | '\\' | ',' | '，' | '、' => sign.len_utf8(),
            sign if sign.is_whitespace() || signs::is_dot(sign) || signs::is_dash(sign) => sign.len_utf8(),
            _ => return None,
        };
        rest = &rest[length..];
    }
    Some(parts)
}

/// `20-Mar-08` as Excel shows it, `Mar 20 2008`, `Mar-08`.
fn with_month_name(numbers: &[&str], before: usize, month: i8) -> Option<Written> {
    let month = month.to_string();
    match numbers {
        [year] if year.len() == 4 || year.len() == 2 && before == 0 => {
            from_parts(year, &month, "1").map(Written::Month)
        }
        [day, year] if day.len() <= 2 && (year.len() == 4 || before == 1 && year.len() == 2) => {
            from_parts(year, &month, day).map(Written::Day)
        }
        [year, day] if year.len() == 4 => from_parts(year, &month, day).map(Written::Day),
        _ => None,
    }
}

fn han_digit(sign: char) -> Option<u32> {
    match sign {
        '〇' | '零' | '○' | '◯' => Some(0),
        _ => "一二三四五六七八九".chars().position(|digit| digit == sign).map(|place| place as u32 + 1),
    }
}

/// `二〇〇八年三月二十日`, `三月廿日` with their numbers in digits.
fn han_numbers(text: &str) -> String {
    let text = text.replace('廿', "二十").replace('卅', "三十");
    let mut written = String::with_capacity(text.len());
    let mut run: Vec<char> = Vec::new();
    let flush = |run: &mut Vec<char>, written: &mut String| {
        if let Some(place) = run.iter().position(|sign| *sign == '十') {
            let tens = run[..place].first().and_then(|sign| han_digit(*sign)).unwrap_or(1);
            let ones = run.get(place + 1).and_then(|sign| han_digit(*sign)).unwrap_or(0);
            written.push_str(&(tens * 10 + ones).to_string());
        } else {
            written
                .extend(run.iter().filter_map(|sign| han_digit(*sign)).filter_map(|digit| char::from_digit(digit, 10)));
        }
        run.clear();
    };
    for sign in text.chars() {
        if is_han_digit(sign) {
            run.push(sign);
        } else {
            flush(&mut run, &mut written);
            written.push(sign);
        }
    }
    flush(&mut run, &mut written);
    written
}

fn from_parts(year: &str, month: &str, day: &str) -> Option<Day> {
    let year: i16 = match (year.len(), year.parse::<i16>().ok()?) {
        (4, year) => year,
        // Offices of 2008 wrote '08.3.20'; nobody registered was born before 1930 and nothing is due after 2030.
        (2, year) if year < 30 => 2000 + year,
        (2, year) => 1900 + year,
        _ => return None,
    };
    if !(1900..2100).contains(&year) || month.len() > 2 || day.len() > 2 {
        return None;
    }
    date::ymd(year, month.parse().ok()?, day.parse().ok()?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day() -> Day {
        date::ymd(2008, 3, 20).unwrap()
    }

    #[test]
    fn every_way_to_write_a_day_is_the_same_day() {
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
            "39527.5",
            " 2008.03.20 ",
            "2008.3.20.",
            "2008。3。20",
            "2008，3，20",
            "2008,3,20",
            "2008–3–20",
            "2008—3—20",
            "2008·3·20",
            "2008、3、20",
            "2008\\3\\20",
            "2008 3 20",
            "2008. 3. 20",
            "2008年 3月 20日",
            "二〇〇八年三月二十日",
            "二○○八年三月廿日",
            "2008-3-20 星期四",
            "2008年3月20日 周四 10:05",
            "星期四 2008.3.20",
            "2008年3月20日礼拜四",
            "二零零八年三月二十日",
            "二○○八年三月二十日",
            "08年3月20日",
            "’08.3.20",
            "2008.3.20起",
            "3/20/2008",
            "20/3/2008",
            "20-Mar-08",
            "20 March 2008",
            "Mar 20, 2008",
            "2008-03-20T00:00:00",
            "2008-03-20T00:00:00+08:00",
            "2008-03-19T16:00:00.000Z",
            "2008-03-19T16:00:00Z",
            "2008-03-19 16:00:00 UTC",
            "2008-03-19T16:00:00+00:00",
            "2008/3/20 0:00",
            "2008/3/20 23:59:59",
            "2008/3/20 上午 9:00",
            "2008-03-20 16:00:00.0",
            "Thu Mar 20 2008 00:00:00 GMT+0800 (中国标准时间)",
            "Thu Mar 20 00:00:00 CST 2008",
            "2008年3月20号",
            "民国97年3月20日",
            "2008.3.20（补登）",
            "\u{202c}2008.3.20\u{202c}",
        ] {
            assert_eq!(read_date(text), Some(Written::Day(day())), "{text}");
        }
        for text in [
            "2008年3月",
            "200803",
            "2008.3",
            "2008.03",
            "2008. 3",
            "2008-3",
            "二零零八年三月",
            "08年3月",
            "Mar-08",
            "3/2008",
            "2008/03月",
        ] {
            assert_eq!(read_date(text), Some(Written::Month(day() - 19)), "{text}");
        }
    }

    #[test]
    fn what_can_mean_two_days_or_none_is_no_day() {
        for text in [
            "",
            "2008.13.1",
            "2008.2.30",
            "不详",
            "3.20",
            "12.5",
            "2008.3.20.1",
            "99999",
            "20083",
            "08320",
            "08320.0",
            "19083",
            "2008320",
            "2008120",
            "2008.3.20-2009.3.19",
            "2008年3月20日—2009年3月19日",
            "2008年3月中旬",
            "2008年3月底",
            "2008年",
            "2008",
            "8.3.20",
            "1208.3.20",
            "2108.3.20",
            "2008.0.0",
            "0000-00-00",
            "1900-01-00",
            "2008.3.32",
            "2008-3-20 星期五",
            "2008年3月 星期四",
            "2008.3.2O",
            "2008.3.l0",
            "2008.3.20\n2009.4.1",
            "长期",
            "至今",
            "#########",
            "3/4/2008",
            "1205942400000",
            "2008.3.20(2009.4.1)",
            "1.5",
            "0.5",
            "08.3",
            "无",
            "/",
            "2008-03-20 25:00",
            "12:30",
            "2008-03-20 10:00 XYZ",
        ] {
            assert_eq!(read_date(text), None, "{text}");
        }
    }

    #[test]
    fn a_moment_in_a_zone_is_shanghais_day_summer_time_included() {
        let june = date::ymd(1990, 6, 15).unwrap();
        assert_eq!(parse_date("1990-06-14T15:00:00.000Z"), Some(june));
        assert_eq!(parse_date("1990-06-14T16:00:00.000Z"), Some(june));
        assert_eq!(parse_date("1990-12-14T15:00:00.000Z"), date::ymd(1990, 12, 14));
        assert_eq!(parse_date("2008-03-20T01:00:00-05:00"), Some(day()));
    }

    #[test]
    fn a_hair_before_midnight_is_midnight_and_an_hour_before_it_is_unsure() {
        let second = 1.0 / DAY_SECONDS;
        for (left, expected) in [
            (43.0, Moment::Day(day())),
            (343.0, Moment::Day(day())),
            (1e-4, Moment::Day(day())),
            (1.0, Moment::Late(day() - 1)),
            (3_600.0, Moment::Late(day() - 1)),
            (3_643.0, Moment::Late(day() - 1)),
            (8.0 * 3_600.0, Moment::Late(day() - 1)),
            (12.0 * 3_600.0, Moment::Day(day() - 1)),
            (7.6 * 3_600.0, Moment::Day(day() - 1)),
            (-43.0, Moment::Day(day())),
            (0.0, Moment::Day(day())),
        ] {
            assert_eq!(excel_moment(39_527.0 - left * second), Some(expected), "{left}");
        }
    }

    proptest! {
        #[test]
        fn a_day_written_in_any_common_way_is_that_day(day in -25_000..40_000, way in 0..9_usize) {
            let date = date::civil(day).unwrap();
            let (y, m, d) = (date.year(), date.month(), date.day());
            let text = match way {
                0 => format!("{y}.{m}.{d}"),
                1 => format!("{y}-{m:02}-{d:02}"),
                2 => format!("{y}年{m}月{d}日"),
                3 => format!("{y}{m:02}{d:02}"),
                4 => format!("{y}。 {m} 。{d}"),
                5 => format!("{d}-{}-{y}", MONTHS[m as usize - 1]),
                6 => format!("{y}-{m:02}-{d:02}T00:00:00+08:00"),
                7 => format!("{y}/{m}/{d} 8:30"),
                _ => format!("{y}、{m}、{d}（补）"),
            };
            prop_assert_eq!(read_date(&text), Some(Written::Day(day)));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,24}") {
            _ = read_date(&text);
            _ = super::super::person_name(&text);
        }

        #[test]
        fn no_serial_makes_the_reader_panic(serial in proptest::num::f64::ANY) {
            _ = excel_moment(serial);
        }
    }
}
