//! The telephone numbers in a cell, however many a clerk wrote into it and with whatever words beside them. Pure.
//! Invariant: each number that is found passes the register's rule; what is no number is told, so that it can be kept as text.

use taizhang_proto::text::half_width;

/// Fewest and most digits of a number (the rule of `proto::check`).
const DIGITS: std::ops::RangeInclusive<usize> = 7..=13;
/// Digits of a mobile number, and of a number within a town.
const MOBILE: usize = 11;

/// What a cell says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Phones {
    /// The numbers, in their order.
    pub(super) numbers: Vec<String>,
    /// Whether the cell says something else besides.
    pub(super) has_rest: bool,
}

/// Reads a cell.
pub(super) fn phones(written: &str) -> Phones {
    let folded = half_width(written).replace(['—', '–', '－', '―', '‐', '−', '─'], "-");
    let mut found = Phones::default();
    for piece in pieces(&folded) {
        match piece {
            Piece::Words => found.has_rest = true,
            Piece::Groups(groups) => {
                for number in joined(&groups) {
                    let plain = mobile(without_country(&number));
                    let count = plain.bytes().filter(u8::is_ascii_digit).count();
                    if DIGITS.contains(&count) {
                        // It is kept as it is written, and told.
                        found.has_rest |= is_miscounted(&plain);
                        found.numbers.push(plain);
                    } else {
                        found.has_rest = true;
                    }
                }
            }
        }
    }
    found.numbers.dedup();
    found
}

/// Whether a number begins as a mobile one and has a digit too few, or too many.
fn is_miscounted(number: &str) -> bool {
    let is_mobile = number.starts_with('1') && matches!(number.as_bytes().get(1), Some(b'3'..=b'9'));
    is_mobile
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && (MOBILE - 2..=MOBILE + 2).contains(&number.len())
        && number.len() != MOBILE
}

/// Groups of digits with blanks between them, or something else.
enum Piece {
    Groups(Vec<String>),
    Words,
}

fn pieces(folded: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut groups: Vec<String> = Vec::new();
    let mut after_extension = false;
    let flush = |groups: &mut Vec<String>, pieces: &mut Vec<Piece>, after_extension: &mut bool| {
        let groups = std::mem::take(groups);
        if !groups.is_empty() {
            // What follows 转 is an extension: a number of its own it is not.
            pieces.push(if std::mem::take(after_extension) { Piece::Words } else { Piece::Groups(groups) });
        }
    };
    let mut rest = folded;
    while let Some(sign) = rest.chars().next() {
        let fits = |sign: char| sign.is_ascii_digit() || matches!(sign, '-' | '+' | '(' | ')');
        let end = if fits(sign) { rest.find(|sign| !fits(sign)).unwrap_or(rest.len()) } else { sign.len_utf8() };
        match sign {
            _ if fits(sign) => {
                let group = &rest[..end];
                // `(024)56781234`, `+86(24)…`; brackets around nothing but words leave nothing here.
                let plain = group.replace('(', "").replace(')', "-");
                let plain = plain.trim_matches('-');
                if plain.bytes().any(|byte| byte.is_ascii_digit()) {
                    groups.push(plain.to_owned());
                }
            }
            ' ' | '\t' => {}
            '/' | '、' | ',' | '，' | ';' | '；' | '\n' | '\r' | '|' | '\\' | '。' | '.' | ':' | '：' => {
                flush(&mut groups, &mut pieces, &mut after_extension);
            }
            '或' | '和' | '及' => flush(&mut groups, &mut pieces, &mut after_extension),
            sign => {
                flush(&mut groups, &mut pieces, &mut after_extension);
                after_extension = matches!(sign, '转' | '#' | '分');
                pieces.push(Piece::Words);
            }
        }
        rest = &rest[end..];
    }
    flush(&mut groups, &mut pieces, &mut after_extension);
    pieces
}

/// The numbers that groups with blanks between them are: `139 0000 0000` is one, `56781234 13900000000` are two.
fn joined(groups: &[String]) -> Vec<String> {
    let count = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
    let mut numbers: Vec<String> = Vec::new();
    for group in groups {
        if is_country(group) {
            continue;
        }
        let whole = count(group) >= *DIGITS.start();
        match numbers.last_mut() {
            Some(last) if is_prefix(last) => {
                last.push('-');
                last.push_str(group);
            }
            Some(last)
                if !whole
                    && count(last) + count(group) <= MOBILE
                    && !(count(last) >= *DIGITS.start() && count(group) < 3) =>
            {
                last.push_str(group);
            }
            _ => numbers.push(group.clone()),
        }
    }
    numbers
}

/// Whether this is China's code, which a number follows.
fn is_country(group: &str) -> bool {
    matches!(group, "+86" | "0086" | "86")
}

/// Whether this is the code of a town, which a number follows.
fn is_prefix(group: &str) -> bool {
    group.starts_with('0') && matches!(group.len(), 3 | 4)
}

/// A mobile number has no hyphens.
fn mobile(number: String) -> String {
    let digits = number.replace('-', "");
    if digits.len() == MOBILE && digits.starts_with('1') { digits } else { number }
}

/// A number without China's code before it.
fn without_country(number: &str) -> String {
    let bare = number.trim_start_matches('+');
    let bare = match bare.strip_prefix("0086").or_else(|| number.strip_prefix("+86")) {
        Some(rest) => rest,
        None if bare.len() == MOBILE + 2 && bare.bytes().all(|byte| byte.is_ascii_digit()) => {
            bare.strip_prefix("86").unwrap_or(bare)
        }
        None => bare.strip_prefix("86-").unwrap_or(bare),
    };
    bare.trim_start_matches('-').replace('+', "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_told_apart_and_words_are_told() {
        for (written, numbers, has_rest) in [
            ("024-56781234", &["024-56781234"][..], false),
            ("(024)56781234", &["024-56781234"], false),
            ("（024）5678 1234", &["024-56781234"], false),
            ("024 56781234", &["024-56781234"], false),
            ("13900000000转801", &["13900000000"], true),
            ("1390000000", &["1390000000"], true),
            ("139000000000", &["139000000000"], true),
            ("56781234-801", &["56781234-801"], false),
            ("+8613900000000", &["13900000000"], false),
            ("+86 139 0000 0000", &["13900000000"], false),
            ("0086-13900000000", &["13900000000"], false),
            ("8613900000000", &["13900000000"], false),
            ("139-0000-0000", &["139-0000-0000"], false),
            ("139 0000 0000", &["13900000000"], false),
            ("13900000000（子）", &["13900000000"], true),
            ("13900000000/024-56781234", &["13900000000", "024-56781234"], false),
            ("56781234、13900000000、13900000001", &["56781234", "13900000000", "13900000001"], false),
            ("56781234 13900000000", &["56781234", "13900000000"], false),
            ("13900000000 13900000001", &["13900000000", "13900000001"], false),
            ("13900000000或56781234", &["13900000000", "56781234"], false),
            ("家13900000000", &["13900000000"], true),
            ("王某 13900000000", &["13900000000"], true),
            ("13900000000;", &["13900000000"], false),
            ("13900000000\n13900000001", &["13900000000", "13900000001"], false),
            ("139********", &[], true),
            ("024-5678123转12", &["024-5678123"], true),
            ("电话同上", &[], true),
            ("12", &[], true),
            ("5678123", &["5678123"], false),
            ("家：56781234，手机：13900000000", &["56781234", "13900000000"], true),
            ("13800000000/5551234", &["13800000000", "5551234"], false),
        ] {
            let found = phones(written);
            let plain: Vec<String> = found.numbers.iter().map(|number| number.replace('-', "")).collect();
            let expected: Vec<String> = numbers.iter().map(|number| number.replace('-', "")).collect();
            assert_eq!((plain, found.has_rest), (expected, has_rest), "{written} {found:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_found_passes_the_rule(written in "[0-9+()转 /、a-]{0,40}") {
            for number in phones(&written).numbers {
                prop_assert!(number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'), "{number}");
                prop_assert!(DIGITS.contains(&number.bytes().filter(u8::is_ascii_digit).count()));
            }
        }
    }
}
