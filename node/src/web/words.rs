//! What pages say, in one catalogue: Chinese first, English a switch away. Words that the registers have (fields, codes, kinds) come from
//! their descriptors and are not written again here.
//! Invariant: both languages have the same messages; a test says so.

use crate::show::lang::Lang;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};
use std::sync::OnceLock;

const ZH: &str = include_str!("words/zh.ftl");
const EN: &str = include_str!("words/en.ftl");

type Bundle = FluentBundle<FluentResource>;

fn bundle(lang: Lang) -> &'static Bundle {
    static BUNDLES: OnceLock<[Bundle; 2]> = OnceLock::new();
    let bundles = BUNDLES.get_or_init(|| {
        let read = |name: &str, text: &str| {
            let mut bundle = Bundle::new_concurrent(name.parse().into_iter().collect());
            bundle.set_use_isolating(false);
            // What can't be read is left out, and a test says which lines those are.
            let resource = FluentResource::try_new(text.to_owned()).unwrap_or_else(|(readable, _)| readable);
            bundle.add_resource_overriding(resource);
            bundle
        };
        [read("zh-CN", ZH), read("en", EN)]
    });
    &bundles[usize::from(lang == Lang::En)]
}

/// The words of a page in one language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// Which.
    pub lang: Lang,
}

impl Words {
    /// A message without gaps; its id where there is none.
    pub fn say(self, id: &str) -> String {
        self.with(id, &[])
    }

    /// A message with a number in it, named `n`.
    pub fn count(self, id: &str, n: impl TryInto<i64>) -> String {
        self.with(id, &[("n", FluentValue::from(n.try_into().unwrap_or(i64::MAX)))])
    }

    /// A message with a text in it, named `what`.
    pub fn of(self, id: &str, what: &str) -> String {
        self.with(id, &[("what", FluentValue::from(what))])
    }

    /// A message with what fills its gaps.
    pub fn with(self, id: &str, gaps: &[(&str, FluentValue<'_>)]) -> String {
        let bundle = bundle(self.lang);
        let Some(pattern) = bundle.get_message(id).and_then(|message| message.value()) else { return id.to_owned() };
        let args: FluentArgs<'_> = gaps.iter().map(|(name, value)| (*name, value.clone())).collect();
        let mut wrong = Vec::new();
        bundle.format_pattern(pattern, Some(&args), &mut wrong).into_owned()
    }

    /// What is said in both languages, as `尚未同步 (not synced)`: its own part.
    pub fn either(self, text: &str) -> String {
        match self.lang {
            Lang::En => self.lang.either(text).to_owned(),
            Lang::Zh => without_english(text),
        }
    }
}

/// What is said in both languages without its English, in each of its sentences: `甲 (a)；乙 (b)` is `甲；乙`.
fn without_english(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(opens) = rest.find(" (") {
        let inner = &rest[opens + 2..];
        let Some(closes) = inner.find(')') else { break };
        let said = &inner[..closes];
        let is_english = said.is_ascii()
            && said.contains(|sign: char| sign.is_ascii_lowercase())
            && (said.contains(' ') || !said.contains(|sign: char| sign.is_ascii_digit()));
        kept.push_str(&rest[..opens]);
        if !is_english {
            kept.push_str(&rest[opens..=opens + 2 + closes]);
        }
        rest = &inner[closes + 1..];
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, fs, path::Path};

    fn ids(text: &str) -> BTreeSet<&str> {
        let named = text.lines().filter(|line| line.starts_with(|sign: char| sign.is_ascii_lowercase()));
        named.filter_map(|line| Some(line.split_once(" =")?.0)).collect()
    }

    #[test]
    fn both_languages_have_the_same_messages_and_every_line_can_be_read() {
        for text in [ZH, EN] {
            let read = FluentResource::try_new(text.to_owned());
            assert!(read.is_ok(), "{:?}", read.err().map(|(_, errors)| errors));
        }
        let (zh, en) = (ids(ZH), ids(EN));
        assert_eq!(zh.difference(&en).collect::<Vec<_>>(), Vec::<&&str>::new(), "without English");
        assert_eq!(en.difference(&zh).collect::<Vec<_>>(), Vec::<&&str>::new(), "without Chinese");
    }

    fn sources(folder: &Path, all: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, all);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                all.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn every_message_that_a_page_asks_for_is_there_and_none_is_left_over() {
        let mut all = String::new();
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        for room in ["web", "console"] {
            sources(&src.join(room), &mut all);
        }
        all.push_str(&fs::read_to_string(src.join("console.rs")).unwrap());
        let known = ids(ZH);
        for call in [".say(\"", ".count(\"", ".of(\"", ".with(\""] {
            for (at, _) in all.match_indices(call) {
                let id = all[at + call.len()..].split('"').next().unwrap();
                let in_test = id.is_empty() || id.contains(' ');
                assert!(in_test || known.contains(id) || !all[..at].ends_with("words"), "no message {id}");
            }
        }
        let left: Vec<_> = known.iter().filter(|id| !all.contains(&format!("\"{id}\""))).collect();
        assert!(left.is_empty(), "nothing asks for {left:?}");
    }

    #[test]
    fn each_language_keeps_its_own_part_of_what_is_said_in_both() {
        let (zh, en) = (Words { lang: Lang::Zh }, Words { lang: Lang::En });
        let both = "尚未同步 (not synced)";
        assert_eq!((zh.either(both).as_str(), en.either(both).as_str()), ("尚未同步", "not synced"));
        assert_eq!(zh.either("甲 (not a)；乙 (not b)"), "甲；乙");
        assert_eq!(zh.either("名单 (households)"), "名单");
        assert_eq!(zh.either("新抚区 (210402000000)"), "新抚区 (210402000000)");
        assert_eq!(zh.say("no-such-message"), "no-such-message");
    }
}
