//! In which language people read: Chinese with English beside it, or English alone where there is a word for it.
//! Invariant: it changes words for people, and nothing that programs get. English words are those of the descriptors and the
//! catalogue: no word is written twice.

use clap::ValueEnum;
use std::sync::atomic::{AtomicBool, Ordering};
use taizhang_proto::indicator;

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

/// A column's heading: its Chinese one, or its name as words.
pub fn heading(name: &str, zh: &str) -> String {
    if is_english() { name.replace('_', " ") } else { zh.to_owned() }
}

/// What an indicator is called; its code where it is unknown.
pub fn indicator(code: &str) -> &str {
    indicator::by_code(code).map_or(code, |known| word(known.zh, known.en))
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
