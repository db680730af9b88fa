//! 查找: residents, households and whatever else has a name, a number, a phone or an address, by a part of it. Pure but for
//! [`answer`], which reads the records that were found.
//! Invariant: what fits is a function of the records alone, so an index that is kept and a scan of the records find the same.

mod answer;
mod finder;
mod pinyin;
mod row;

pub use answer::answer;
pub use finder::{Finder, Found};
pub use row::Row;

use taizhang_proto::{OrgCode, text};

/// Most words of a search: what fits is kept by word.
pub const MAX_WORDS: usize = 6;
/// Longest word, characters.
pub const MAX_WORD: usize = 64;

/// How well a word fits. The least is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// The whole of a name or number.
    Exact,
    /// Its beginning, or the end of a number.
    Start,
    /// Some part of it.
    Part,
}

impl Fit {
    /// Its name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Start => "start",
            Self::Part => "part",
        }
    }

    /// Its name for people.
    pub fn zh(self) -> &'static str {
        match self {
            Self::Exact => "全同",
            Self::Start => "首尾",
            Self::Part => "部分",
        }
    }
}

/// Why nothing can be looked for.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// No words.
    #[error(
        "请写明要查找的姓名、拼音、证号后四位、电话或住址 (say what to look for: name, pinyin, end of a number, phone, address)"
    )]
    Nothing,
    /// Too many words, or too long ones.
    #[error("查找的词太多或太长：最多{MAX_WORDS}个，每个{MAX_WORD}字以内 (too many words, or too long ones)")]
    TooLong,
}

/// What a text says of its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Name,
    IdNo,
    Phone,
    Address,
    Number,
}

/// From so many signs on the end of a number is told from chance.
const TAIL: usize = 4;
/// From so many signs on the middle of an id number, a day of birth say.
const MIDDLE: usize = 6;

struct Word {
    text: String,
    /// As phones are written, without dashes.
    bare: String,
    is_letters: bool,
}

/// What is looked for.
pub struct Query {
    words: Vec<Word>,
    register: Option<u32>,
    unit: Option<OrgCode>,
}

impl Query {
    /// Words apart by blanks, all of which must fit; in one register or in all, in one unit and below or anywhere.
    ///
    /// # Errors
    /// When there is no word, or more than is looked for.
    pub fn read(written: &str, register: Option<u32>, unit: Option<OrgCode>) -> Result<Self, QueryError> {
        let mut words = Vec::new();
        for part in text::half_width(written).split_whitespace() {
            if words.len() == MAX_WORDS || part.chars().count() > MAX_WORD {
                return Err(QueryError::TooLong);
            }
            let text = folded(part);
            let is_letters = text.bytes().all(|byte| byte.is_ascii_alphabetic());
            let bare = text.replace('-', "");
            words.extend((!text.is_empty()).then_some(Word { text, bare, is_letters }));
        }
        if words.is_empty() {
            return Err(QueryError::Nothing);
        }
        Ok(Self { words, register, unit })
    }

    /// Whether units are looked for, too.
    fn wants_units(&self) -> bool {
        self.register.is_none()
    }
}

/// A text as it is compared.
fn folded(written: &str) -> String {
    text::no_space(written).to_lowercase()
}

/// How a word fits a text of this kind.
fn fit(kind: Kind, text: &str, word: &Word) -> Option<Fit> {
    let written = if kind == Kind::Phone { &word.bare } else { &word.text };
    let length = written.len();
    if text == written {
        return Some(Fit::Exact);
    }
    let starts = || text.starts_with(written.as_str()).then_some(Fit::Start);
    let ends = |least: usize| (length >= least && text.ends_with(written.as_str())).then_some(Fit::Start);
    let holds = |least: usize| (length >= least && text.contains(written.as_str())).then_some(Fit::Part);
    match kind {
        Kind::Name => {
            let plain = starts().or_else(|| holds(1));
            let heard = word.is_letters.then(|| pinyin::fit(text, written)).flatten();
            plain.into_iter().chain(heard).min()
        }
        Kind::Address => starts().or_else(|| holds(1)),
        Kind::IdNo => ends(TAIL).or_else(|| holds(MIDDLE)),
        Kind::Phone => ends(TAIL).or_else(|| holds(TAIL)),
        Kind::Number => ends(TAIL).or_else(starts).or_else(|| holds(TAIL)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn fits(kind: Kind, text: &str, word: &str) -> Option<Fit> {
        fit(kind, &folded(text), &Query::read(word, None, None).unwrap().words[0])
    }

    #[test]
    fn a_word_fits_as_people_mean_it() {
        for (kind, text, word, expected) in [
            (Kind::Name, "赵铁柱", "赵铁柱", Some(Fit::Exact)),
            (Kind::Name, "赵铁柱", "赵", Some(Fit::Start)),
            (Kind::Name, "赵铁柱", "铁", Some(Fit::Part)),
            (Kind::Name, "赵铁柱", "ZTZ", Some(Fit::Exact)),
            (Kind::Name, "赵铁柱", "ｚｔ", Some(Fit::Start)),
            (Kind::IdNo, "21040219700312411X", "411x", Some(Fit::Start)),
            (Kind::IdNo, "21040219700312411X", "11x", None),
            (Kind::IdNo, "21040219700312411X", "19700312", Some(Fit::Part)),
            (Kind::IdNo, "21040219700312411X", "2104", None),
            (Kind::Phone, "13841300001", "0001", Some(Fit::Start)),
            (Kind::Phone, "02452620001", "024-52620001", Some(Fit::Exact)),
            (Kind::Phone, "13841300001", "138", None),
            (Kind::Address, "和平街8号", "和平街", Some(Fit::Start)),
            (Kind::Address, "抚顺市和平街8号", "和平街", Some(Fit::Part)),
            (Kind::Number, "210402-2008-0017", "2008", Some(Fit::Part)),
            (Kind::Number, "210402-2008-0017", "0017", Some(Fit::Start)),
        ] {
            assert_eq!(fits(kind, text, word), expected, "{text} {word}");
        }
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        assert!(matches!(Query::read(" 　 ", None, None), Err(QueryError::Nothing)));
        assert!(matches!(Query::read(&"字".repeat(65), None, None), Err(QueryError::TooLong)));
        assert!(matches!(Query::read("一 二 三 四 五 六 七", None, None), Err(QueryError::TooLong)));
    }
}
