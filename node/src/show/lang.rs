//! In which language people read: Chinese with English beside it, or English alone where there is a word for it.
//! Invariant: it changes words for people, and nothing that programs get. English words are those of the descriptors and the
//! catalogue: no word is written twice.

use super::Reader;
use clap::ValueEnum;
use std::sync::atomic::{AtomicBool, Ordering};
use taizhang_proto::{
    indicator, pb,
    register::{FieldDef, Shape, registers},
    rule::Rule,
};

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// 中文, with English beside it.
    Zh,
    /// English.
    En,
}

static ENGLISH: AtomicBool = AtomicBool::new(false);

/// The language was asked for by its name.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Speaks a language from now on: the one that is asked for, else the one of the surroundings (`LC_ALL`, `LC_MESSAGES`, `LANG`),
/// Chinese where they name none of the two. A program is told the same words whoever runs it.
pub fn set(asked: Option<Lang>, reader: Reader) {
    ASKED.store(asked.is_some(), Ordering::Relaxed);
    let surroundings = || ["LC_ALL", "LC_MESSAGES", "LANG"].iter().filter_map(|name| std::env::var(name).ok());
    let lang = asked.unwrap_or_else(|| of_locale(surroundings()));
    ENGLISH.store(lang == Lang::En && reader == Reader::Person, Ordering::Relaxed);
}

/// Has what follows, a paper that goes into a file, speak Chinese unless somebody has asked for English by its name: where it was made,
/// nobody sees later.
pub fn speak_as_papers_do() {
    if !ASKED.load(Ordering::Relaxed) {
        ENGLISH.store(false, Ordering::Relaxed);
    }
}

/// The language of the first locale that is set.
fn of_locale(mut locales: impl Iterator<Item = String>) -> Lang {
    let first = locales.find(|locale| !locale.is_empty()).unwrap_or_default();
    if first == "en" || first.starts_with("en_") || first.starts_with("en.") { Lang::En } else { Lang::Zh }
}

/// Whether English is spoken.
pub fn is_english() -> bool {
    ENGLISH.load(Ordering::Relaxed)
}

/// The language of this process; a page is in the language of whoever asks for it.
pub fn spoken() -> Lang {
    if is_english() { Lang::En } else { Lang::Zh }
}

impl Lang {
    /// The one of two words that is its own.
    pub fn word<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        if self == Self::En { en } else { zh }
    }

    /// A column's heading: the one that is written, or in English its name as words where that is Chinese.
    pub fn heading(self, name: &str, written: &str) -> String {
        let is_unit = name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit());
        let is_named = self == Self::En && !written.is_ascii() && !is_unit;
        if is_named { name.replace('_', " ") } else { written.to_owned() }
    }

    /// What an indicator is called; its code where it is unknown.
    pub fn indicator(self, code: &str) -> &str {
        indicator::by_code(code).map_or(code, |known| self.word(known.zh, known.en))
    }

    /// A register by its Chinese name, as it is called.
    pub fn register(self, zh: &str) -> &str {
        registers().named(zh).map_or(zh, |def| self.word(zh, def.en.as_str()))
    }

    /// A field's value as people read it, whose code or yes has an English word.
    pub fn value(self, field: Option<&FieldDef>, text: &str) -> String {
        let Some(field) = field.filter(|_| self == Self::En) else { return text.to_owned() };
        let one = |text: &str| match (field.codes, text) {
            (Some(list), _) => {
                let code = list.codes.iter().find(|(_, meaning)| *meaning == text).map(|(code, _)| code);
                code.and_then(|code| list.english(code)).unwrap_or(text).to_owned()
            }
            (None, "是") if field.shape == Shape::Bool => "yes".to_owned(),
            (None, "否") if field.shape == Shape::Bool => "no".to_owned(),
            _ => text.to_owned(),
        };
        if field.many { text.split('、').map(one).collect::<Vec<_>>().join(", ") } else { one(text) }
    }

    /// What a fact says: where its value stands for a code of the field that it is named after, that code's word.
    pub fn told(self, fact: &pb::Fact) -> String {
        // What a card derives is told in the words of the field that claims it.
        let key = if fact.key == "employment" { "emp_claim" } else { fact.key.as_str() };
        let is_its = |field: &&FieldDef| {
            let list = field.codes.filter(|_| field.name == key);
            list.is_some_and(|list| field.many || list.meaning(&fact.code).is_some_and(|meaning| meaning == fact.value))
        };
        match (fact.value.as_str(), self) {
            ("true", _) => return self.word("是", "yes").into(),
            ("false", _) => return self.word("否", "no").into(),
            (own, Self::Zh) => return own.to_owned(),
            _ => {}
        }
        let field = registers().iter().flat_map(|def| &def.fields).find(is_its);
        match (field, fact.value.as_str()) {
            (None, "是") => "yes".into(),
            (None, "否") => "no".into(),
            (None, "男") => "male".into(),
            (None, "女") => "female".into(),
            (None, "未知") => "unknown".into(),
            // What somebody has entered stays as it is.
            (None, own) if !registers().iter().any(|def| def.field_named(key).is_some()) => {
                english_part(own).unwrap_or(own).to_owned()
            }
            (field, own) => self.value(field, own),
        }
    }

    /// What is said in both languages, as `尚未同步 (not synced)`, in this one; anything else as it is.
    pub fn either(self, text: &str) -> &str {
        if self == Self::En { english_part(text).unwrap_or(text) } else { text }
    }

    /// A rule as people read it; as it is written where it has no word.
    pub fn rule(self, name: &str) -> &str {
        Rule::named(name).map_or_else(
            || self.either(name),
            |rule| {
                let (zh, en) = rule.words();
                self.word(zh, en)
            },
        )
    }
}

/// The one of two words that is spoken.
pub fn word<'a>(zh: &'a str, en: &'a str) -> &'a str {
    spoken().word(zh, en)
}

/// [`Lang::heading`] of the language that is spoken.
pub fn heading(name: &str, written: &str) -> String {
    spoken().heading(name, written)
}

/// [`Lang::indicator`] of the language that is spoken.
pub fn indicator(code: &str) -> &str {
    spoken().indicator(code)
}

/// [`Lang::register`] of the language that is spoken.
pub fn register(zh: &str) -> &str {
    spoken().register(zh)
}

/// [`Lang::value`] of the language that is spoken.
pub fn value(field: Option<&FieldDef>, text: &str) -> String {
    spoken().value(field, text)
}

/// [`Lang::told`] of the language that is spoken.
pub fn told(fact: &pb::Fact) -> String {
    spoken().told(fact)
}

/// [`Lang::either`] of the language that is spoken.
pub fn either(text: &str) -> &str {
    spoken().either(text)
}

/// The English of what is said in both languages, as `尚未同步 (not synced)`; none of anything else.
fn english_part(text: &str) -> Option<&str> {
    let (chinese, english) = text.strip_suffix(')')?.split_once(" (")?;
    let is_both =
        !chinese.is_ascii() && english.is_ascii() && english.contains(|sign: char| sign.is_ascii_alphabetic());
    is_both.then_some(english)
}

/// [`Lang::rule`] of the language that is spoken.
pub fn rule(name: &str) -> &str {
    spoken().rule(name)
}

/// The unit's English label on what a mark says.
pub fn incomplete() -> &'static str {
    word("（不完整）", " (incomplete)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_said_in_both_languages_has_an_english_part() {
        assert_eq!(english_part("尚未与上级核对 (not compared with the hub)"), Some("not compared with the hub"));
        for other in ["16.9% (54/320)", "新抚区 (210402000000)", "友谊社区居委会(210402011003)", "6号楼 (3单元)", "是"]
        {
            assert_eq!(english_part(other), None, "{other}");
        }
    }

    #[test]
    fn a_rule_has_its_words_and_what_is_none_stays() {
        assert_eq!((rule("DUPLICATE"), rule("NEWER")), ("重复登记", "NEWER"));
    }

    #[test]
    fn the_first_locale_that_is_set_decides_and_chinese_where_it_names_neither() {
        let of = |locales: &[&str]| of_locale(locales.iter().map(|&one| one.to_owned()));
        assert_eq!(of(&["", "", "en_US.UTF-8"]), Lang::En);
        assert_eq!(of(&["zh_CN.UTF-8", "en_US.UTF-8"]), Lang::Zh);
        assert_eq!(of(&["C.UTF-8"]), Lang::Zh);
        assert_eq!(of(&["eno"]), Lang::Zh);
        assert_eq!(of(&[]), Lang::Zh);
    }
}
