//! What clerks write, read into values: full-width forms, dates of every habit, names with spaces.
//! Pure; the forms, the importer and the command line all read text through here.

mod day;
mod signs;

pub use day::{Moment, Written, excel_day, excel_moment, parse_date, read_date};
pub use signs::is_unseen;

/// Full-width digits, letters and signs to half-width; U+3000 to a blank; what nobody sees dropped; ends trimmed.
pub fn half_width(text: &str) -> String {
    if text.chars().all(|sign| sign.is_ascii() || signs::is_han(sign)) {
        return text.trim().to_owned();
    }
    let folded: String = text
        .chars()
        .filter(|sign| !is_unseen(*sign))
        .map(|sign| match sign {
            '\u{3000}' | '\u{a0}' => ' ',
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(sign as u32 - 0xfee0).unwrap_or(sign),
            other => other,
        })
        .collect();
    folded.trim().to_owned()
}

/// A text as it was written, full-width signs and all: what nobody sees dropped, ends trimmed.
pub fn as_written(text: &str) -> String {
    text.chars().filter(|sign| !is_unseen(*sign)).collect::<String>().trim().to_owned()
}

/// A text without any white space, as names and numbers are kept.
pub fn no_space(text: &str) -> String {
    half_width(text).chars().filter(|sign| !sign.is_whitespace()).collect()
}

/// The sign between the parts of a name, as GB/T 15834 and the id card have it.
pub const NAME_DOT: char = '\u{b7}';

/// A name as it is kept: without blanks, and whichever dot stands between its parts is [`NAME_DOT`]. A blank between two
/// long parts stands for the dot; one in a name of up to four signs only spreads it over its cell.
pub fn person_name(written: &str) -> String {
    let folded = half_width(written);
    let parts: Vec<&str> = folded.split_whitespace().collect();
    let long =
        |part: &&str| part.chars().count() >= 2 && part.chars().all(|sign| !sign.is_ascii() && sign.is_alphanumeric());
    let apart = parts.len() > 1 && parts.iter().all(long) && parts.concat().chars().count() > 4;
    let joined = if apart { parts.join("\u{b7}") } else { parts.concat() };
    let dotted: String = joined.chars().map(|sign| if signs::is_dot(sign) { NAME_DOT } else { sign }).collect();
    let parts: Vec<&str> = dotted.split(NAME_DOT).filter(|part| !part.is_empty()).collect();
    parts.join("\u{b7}").to_ascii_uppercase()
}

/// Whether two names are one name, however their parts are set apart.
pub fn is_same_name(one: &str, other: &str) -> bool {
    let bare = |name: &str| person_name(name).replace(NAME_DOT, "");
    bare(one) == bare(other)
}

/// Whether a cell says that there is nothing to say: 无, 不详, a dash. An answer of no is [`parse_bool`]'s.
pub fn is_nothing(text: &str) -> bool {
    /// Longest cell that such a word or a row of dashes fills, bytes.
    const LONGEST: usize = 48;
    const WORDS: [&str; 27] = [
        "无",
        "無",
        "没有",
        "暂无",
        "尚无",
        "不详",
        "不明",
        "不清楚",
        "未知",
        "未填",
        "未提供",
        "待查",
        "待补",
        "待定",
        "略",
        "空",
        "空白",
        "无此项",
        "不适用",
        "NA",
        "N/A",
        "#N/A",
        "NULL",
        "NONE",
        "NIL",
        "(空)",
        "(无)",
    ];
    if text.len() > LONGEST {
        return false;
    }
    let bare = no_space(text).to_ascii_uppercase();
    let bare = bare.trim_end_matches(['。', '.']);
    !text.trim().is_empty() && (WORDS.contains(&bare) || bare.chars().all(signs::is_mark))
}

/// Whether a cell stands for the one above it.
pub fn is_ditto(text: &str) -> bool {
    matches!(no_space(text).as_str(), "同上" | "〃" | "\"" | "″" | "''" | "同前" | "“" | "”")
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
    fn full_width_and_ideographic_spaces_fold_away() {
        assert_eq!(no_space("曹　志 "), "曹志");
        assert_eq!(no_space("２１０４９２Ｘ"), "210492X");
        assert!(is_ditto(" 〃 ") && is_ditto("同　上") && !is_ditto("同上楼"));
    }

    #[test]
    fn what_nobody_sees_falls_away_wherever_it_stands() {
        for sign in [
            '\u{ad}',
            '\u{600}',
            '\u{61c}',
            '\u{180e}',
            '\u{200b}',
            '\u{200d}',
            '\u{202c}',
            '\u{2066}',
            '\u{206f}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{fffc}',
            '\u{e0001}',
            '\u{e0100}',
        ] {
            let written = format!("{sign}曹{sign}志{sign}");
            assert_eq!(no_space(&written), "曹志", "{:x}", sign as u32);
            assert_eq!(half_width(&format!("{sign} 一 {sign}")), "一", "{:x}", sign as u32);
            assert_eq!(parse_bool(&format!("{sign}是")), Some(true));
        }
    }

    #[test]
    fn every_dot_between_the_parts_of_a_name_is_one_sign() {
        for dot in "·•・‧･⋅∙．.●·。⸱ꞏ˙ᐧ◦⚫᛫ 　".chars() {
            assert_eq!(person_name(&format!("艾力{dot}买买提")), "艾力·买买提", "{:x}", dot as u32);
        }
        assert_eq!(person_name("·艾力··买买提."), "艾力·买买提");
        for (written, kept) in
            [("王 小 明", "王小明"), ("欧阳　修文", "欧阳修文"), ("li ming", "LIMING"), ("曹　志 ", "曹志")]
        {
            assert_eq!(person_name(written), kept);
        }
        assert!(is_same_name("艾力买买提", "艾力・买买提") && !is_same_name("张丽", "张莉"));
    }

    #[test]
    fn marks_of_nothing_are_nothing_and_words_are_words() {
        for mark in [
            "无", " 無 ", "/", "\\", "—", "——", "--", "×", "*", "╱", "N/A", "不 详", "暂无", "。", "…", "(无)", "无。",
            "〇",
        ] {
            assert!(is_nothing(mark), "{mark}");
        }
        for word in ["", "  ", "无锡路", "0", "1", "是", "否", "无证", "a", "张三"] {
            assert!(!is_nothing(word), "{word}");
        }
    }
}
