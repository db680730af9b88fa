//! In which language people read: Chinese with English beside it, or English alone where there is a word for it.
//! Invariant: it changes words for people, and nothing that programs get. English words are those of the descriptors and the
//! catalogue: no word is written twice.

use clap::ValueEnum;
use std::sync::atomic::{AtomicBool, Ordering};
use taizhang_proto::{
    indicator, pb,
    register::{FieldDef, Shape, registers},
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

/// Speaks a language from now on: the one that is asked for, else the one of the surroundings (`LC_ALL`, `LC_MESSAGES`, `LANG`),
/// Chinese where they name none of the two.
pub fn set(asked: Option<Lang>) {
    let surroundings = || ["LC_ALL", "LC_MESSAGES", "LANG"].iter().filter_map(|name| std::env::var(name).ok());
    let lang = asked.unwrap_or_else(|| of_locale(surroundings()));
    ENGLISH.store(lang == Lang::En, Ordering::Relaxed);
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

/// The one of two words that is spoken.
pub fn word<'a>(zh: &'a str, en: &'a str) -> &'a str {
    if is_english() { en } else { zh }
}

/// A column's heading: the one that is written, or in English its name as words where that is Chinese.
pub fn heading(name: &str, written: &str) -> String {
    if is_english() && !written.is_ascii() { name.replace('_', " ") } else { written.to_owned() }
}

/// What an indicator is called; its code where it is unknown.
pub fn indicator(code: &str) -> &str {
    indicator::by_code(code).map_or(code, |known| word(known.zh, known.en))
}

/// A field's value as people read it, whose code or yes has an English word.
pub fn value(field: Option<&FieldDef>, text: &str) -> String {
    let Some(field) = field.filter(|_| is_english()) else { return text.to_owned() };
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
pub fn told(fact: &pb::Fact) -> String {
    let is_its = |field: &&FieldDef| {
        let list = field.codes.filter(|_| field.name == fact.key && !fact.code.is_empty());
        list.and_then(|list| list.meaning(&fact.code)).is_some_and(|meaning| meaning == fact.value)
    };
    let field = if is_english() { registers().iter().flat_map(|def| &def.fields).find(is_its) } else { None };
    value(field, &fact.value)
}

/// The unit's English label on what a mark says.
pub fn incomplete() -> &'static str {
    word("（不完整）", " (incomplete)")
}

#[cfg(test)]
mod tests {
    use super::*;

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
