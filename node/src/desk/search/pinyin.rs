//! Chinese by its sound: initials (`zs`), whole syllables (`zhangsan`), or the two mixed (`zhangs`), in every reading of a
//! sign. Pure. Invariant: the work is bounded by the length of the text, whatever readings its signs have.

use super::Fit;
use pinyin::ToPinyinMulti;

/// Longest word that is looked for by sound, letters: places in it are kept as bits.
pub(super) const LONGEST: usize = 64;

/// How letters stand for a text.
#[derive(Clone, Copy)]
enum Way {
    /// Nothing but initials so far.
    Initials,
    /// Nothing but whole syllables so far.
    Whole,
    /// Some of each.
    Mixed,
}

/// Places in the word up to which the signs read so far may stand, by the way in which they do.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Reached([u128; 3]);

impl Reached {
    fn add(&mut self, way: Way, place: usize) {
        self.0[way as usize] |= 1 << place;
    }

    fn any(self) -> u128 {
        self.0[0] | self.0[1] | self.0[2]
    }

    fn has(self, way: Way, place: usize) -> bool {
        self.0[way as usize] & (1 << place) != 0
    }
}

/// How a word of small letters fits the sound of a text; none where it does not.
pub(super) fn fit(text: &str, word: &str) -> Option<Fit> {
    let word = word.as_bytes();
    if word.is_empty() || word.len() > LONGEST {
        return None;
    }
    let mut best = None;
    for (start, _) in text.char_indices() {
        match from(&text[start..], word) {
            Some(true) if start == 0 => return Some(Fit::Exact),
            Some(_) if start == 0 => best = Some(Fit::Start),
            Some(_) => best = best.or(Some(Fit::Part)),
            None => {}
        }
        if best.is_some() {
            break; // what begins later fits no better
        }
    }
    best
}

/// Whether the word stands for the signs from here on, and if so whether for all of them, in one way.
fn from(text: &str, word: &[u8]) -> Option<bool> {
    let mut reached = Reached::default();
    reached.add(Way::Initials, 0);
    reached.add(Way::Whole, 0);
    let mut ended = false;
    let mut signs = text.chars().filter(|sign| sign.is_alphanumeric());
    while let Some(sign) = signs.next() {
        let mut next = Reached::default();
        ended |= step(sign, word, reached, &mut next);
        if next.any() == 0 {
            break;
        }
        let whole = next.has(Way::Initials, word.len()) || next.has(Way::Whole, word.len());
        if whole && signs.clone().next().is_none() {
            return Some(true);
        }
        ended |= next.any() & (1 << word.len()) != 0;
        reached = next;
    }
    ended.then_some(false)
}

/// Reads one sign; whether the word ends within it.
fn step(sign: char, word: &[u8], reached: Reached, next: &mut Reached) -> bool {
    if sign.is_ascii() {
        let sign = sign.to_ascii_lowercase() as u8;
        return spell(&[sign], word, reached, next);
    }
    let Some(readings) = sign.to_pinyin_multi() else { return false };
    let mut ended = false;
    for reading in readings {
        let plain = reading.plain();
        if plain.is_ascii() {
            ended |= spell(plain.as_bytes(), word, reached, next);
        } else {
            // 吕 is typed `lv` or `lu`.
            for letter in ["v", "u"] {
                ended |= spell(plain.replace('ü', letter).as_bytes(), word, reached, next);
            }
        }
    }
    ended
}

fn spell(syllable: &[u8], word: &[u8], reached: Reached, next: &mut Reached) -> bool {
    let mut ended = false;
    let mut places = reached.any();
    while places != 0 {
        let place = places.trailing_zeros() as usize;
        places &= places - 1;
        let rest = &word[place.min(word.len())..];
        if rest.is_empty() {
            continue;
        }
        let same = rest.iter().zip(syllable).take_while(|(one, other)| one == other).count();
        ended |= same == rest.len();
        if same == 0 {
            continue;
        }
        let [initials, whole] = [Way::Initials, Way::Whole].map(|way| reached.has(way, place));
        // `zh`, `ch`, `sh` are initials, and so are their first letters.
        let two = same >= 2 && syllable[1] == b'h' && matches!(syllable[0], b'z' | b'c' | b's');
        for length in [Some(1), two.then_some(2)].into_iter().flatten() {
            next.add(if initials { Way::Initials } else { Way::Mixed }, place + length);
        }
        if same == syllable.len() {
            next.add(if whole { Way::Whole } else { Way::Mixed }, place + same);
        }
    }
    ended
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_is_found_by_initials_syllables_and_both_in_every_reading() {
        for (name, word, fits) in [
            ("张三", "zs", Some(Fit::Exact)),
            ("张三", "zhangsan", Some(Fit::Exact)),
            ("张三", "zhs", Some(Fit::Exact)),
            ("张三", "zhangs", Some(Fit::Start)),
            ("张三", "zhan", Some(Fit::Start)),
            ("张三", "z", Some(Fit::Start)),
            ("张三", "san", Some(Fit::Part)),
            ("张三", "ang", None),
            ("张三", "zsx", None),
            ("单雄信", "shanxiongxin", Some(Fit::Exact)),
            ("单雄信", "danxx", Some(Fit::Start)),
            ("曾国藩", "zgf", Some(Fit::Exact)),
            ("曾国藩", "cengguofan", Some(Fit::Exact)),
            ("吕布", "lvbu", Some(Fit::Exact)),
            ("吕布", "lubu", Some(Fit::Exact)),
            ("阿布都·热西提", "abdrxt", Some(Fit::Exact)),
            ("A座张", "azz", Some(Fit::Exact)),
        ] {
            assert_eq!(fit(name, word), fits, "{name} {word}");
        }
    }

    proptest! {
        #[test]
        fn every_start_of_a_spelling_is_found(first in "[张王李赵单曾吕]", second in "[一二三伟芳]{1,2}", cut in 1_usize..9) {
            let name = format!("{first}{second}");
            let spelt: String = name.chars().filter_map(|sign| sign.to_pinyin_multi()?.into_iter().next()).map(|one| one.plain().replace('ü', "v")).collect();
            let word = &spelt[..cut.min(spelt.len())];
            prop_assert!(matches!(fit(&name, word), Some(Fit::Exact | Fit::Start)));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}", word in "[a-z]{0,70}") {
            _ = fit(&text, &word);
        }
    }
}
