//! Code lists, a data file: what each code means and what offices write instead of it.

use crate::text;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashMap},
    sync::OnceLock,
};

/// One code list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeList {
    /// Its number, such as `L03`.
    #[serde(skip)]
    pub id: String,
    /// Chinese name.
    pub name: String,
    /// Code to meaning.
    pub codes: BTreeMap<String, String>,
    /// Code to meaning in English.
    en: BTreeMap<String, String>,
    /// Word to code.
    #[serde(default)]
    words: HashMap<String, String>,
    /// The code that an unknown word gets, its text kept beside it.
    #[serde(default)]
    pub other: Option<String>,
    /// Where the rules have the names of its codes; for the build alone.
    #[serde(default, rename = "module")]
    _module: Option<String>,
}

impl CodeList {
    /// What a code means.
    pub fn meaning(&self, code: &str) -> Option<&str> {
        self.codes.get(code).map(String::as_str)
    }

    /// What a code means in English.
    pub fn english(&self, code: &str) -> Option<&str> {
        self.en.get(code).map(String::as_str)
    }

    /// The code that a clerk means by a code, its meaning, or one of the words for it.
    pub fn code(&self, text: &str) -> Option<&str> {
        let text = text::no_space(text);
        if let Some((code, _)) = self.codes.get_key_value(&text) {
            return Some(code);
        }
        if let Some((code, _)) = self.codes.iter().find(|(_, meaning)| **meaning == text) {
            return Some(code);
        }
        if let Some(code) = self.words.get(&text) {
            return Some(code);
        }
        // '1' for '01': leading zeros get lost in numeric cells.
        let padded = format!("0{text}");
        self.codes.get_key_value(&padded).map(|(code, _)| code.as_str())
    }
}

/// The list with this number.
pub(super) fn list(id: &str) -> Option<&'static CodeList> {
    static LISTS: OnceLock<HashMap<String, CodeList>> = OnceLock::new();
    let lists = LISTS.get_or_init(|| {
        let mut lists: HashMap<String, CodeList> = toml::from_str(include_str!("../../registers/codes.toml"))
            .expect("the code lists compiled into this program can be read");
        for (id, list) in &mut lists {
            list.id.clone_from(id);
        }
        lists
    });
    lists.get(id)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_word_a_meaning_and_a_code_find_the_same_code() {
        let edu = list("L03").unwrap();
        assert_eq!(edu.code("本科"), Some("20"));
        assert_eq!(edu.code("大学本科"), Some("20"));
        assert_eq!(edu.code("20"), Some("20"));
        assert_eq!(edu.code("私塾"), None);
        assert_eq!(list("L06").unwrap().code("4050"), Some("01"));
        assert_eq!(list("L06").unwrap().code("6"), Some("06"));
    }

    #[test]
    fn words_and_the_other_code_point_at_codes_of_their_list() {
        for id in ["L00", "L02", "L03", "L06", "L07", "L09", "L10", "L14", "L21", "GB3304"] {
            let list = list(id).unwrap();
            assert!(list.words.values().chain(&list.other).all(|code| list.codes.contains_key(code)), "{id}");
        }
    }

    #[test]
    fn every_code_has_an_english_word_of_its_own() {
        for field in crate::register::registers().iter().flat_map(|def| &def.fields) {
            let Some(list) = field.codes else { continue };
            assert!(list.codes.keys().eq(list.en.keys()), "{}", list.id);
            let words: std::collections::BTreeSet<&String> = list.en.values().collect();
            assert_eq!(words.len(), list.en.len(), "{}: two codes with one word", list.id);
            assert!(words.iter().all(|word| word.is_ascii() && !word.is_empty()), "{}", list.id);
        }
    }
}
