//! Rows that number the columns: 1 2 3 4, 甲 乙 1 2, ① ② ③, Ⅰ Ⅱ Ⅲ, A B C, 第1栏 第2栏, 栏次 1 2 3=1+2.

use super::super::cells::Cell;
use taizhang_proto::text;

/// What may stand before the first number.
const LABELS: [&str; 7] = ["栏次", "列次", "栏目", "栏号", "列号", "序号", "项次"];
/// Signs around a number that say nothing.
const AROUND: &str = "()[]【】第栏列项.、，,";
/// 甲 乙 丙 number columns of words, and are counted by themselves.
const STEMS: &str = "甲乙丙丁戊己庚辛壬癸";
const CIRCLED: &str = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳";
const ROMAN: &str = "ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩⅪⅫ";
const CHINESE: &str = "一二三四五六七八九";
/// From so many cells on a row that counts up is no row of a person.
const FEWEST: usize = 3;
/// Most columns that are numbered.
const MOST: u32 = 200;

/// A number that a cell is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Count {
    /// 甲, 乙, by its place.
    Stem(u32),
    /// Any other.
    Number(u32),
}

fn place(signs: &str, of: char) -> Option<u32> {
    signs.chars().position(|sign| sign == of).map(|place| place as u32 + 1)
}

/// 一 to 九十九.
fn chinese(written: &str) -> Option<u32> {
    let digit = |part: &str| match part.chars().collect::<Vec<_>>()[..] {
        [] => Some(None),
        [one] => place(CHINESE, one).map(Some),
        _ => None,
    };
    match written.split_once('十') {
        None => digit(written)?,
        Some((tens, ones)) => Some(digit(tens)?.unwrap_or(1) * 10 + digit(ones)?.unwrap_or(0)),
    }
}

/// The number that a cell is; none of anything that says more.
fn count(written: &str) -> Option<Count> {
    // 3=1+2: the third column is the sum of two.
    let written = written.split('=').next().unwrap_or_default().trim_matches(|sign: char| AROUND.contains(sign));
    let mut signs = written.chars();
    let (first, second) = (signs.next()?, signs.next());
    let one = |signs: &str| if second.is_none() { place(signs, first) } else { None };
    if let Some(stem) = one(STEMS) {
        return Some(Count::Stem(stem));
    }
    let letter = first.to_ascii_uppercase();
    let number = written.parse().ok().or_else(|| one(CIRCLED)).or_else(|| one(ROMAN)).or_else(|| chinese(written));
    let letter = || (second.is_none() && letter.is_ascii_uppercase()).then(|| letter as u32 - 'A' as u32 + 1);
    number.or_else(letter).filter(|number| *number <= MOST).map(Count::Number)
}

/// Whether a row numbers the columns: each cell with something in it is the next number, whatever the first one is; 甲 乙 count by themselves.
pub(in crate::exchange) fn is_numbering(row: &[Cell]) -> bool {
    let cells = row.iter().map(|cell| text::no_space(&text::half_width(&cell.text())));
    let mut cells: Vec<String> = cells.filter(|cell| !cell.is_empty() && !text::is_nothing(cell)).collect();
    if cells.len() > 1 && LABELS.contains(&cells[0].as_str()) {
        cells.remove(0);
    }
    let counts: Option<Vec<Count>> = cells.iter().map(|cell| count(cell)).collect();
    let Some(counts) = counts.filter(|counts| counts.len() >= FEWEST - 1) else { return false };
    let (mut stem, mut number) = (0, None);
    for count in &counts {
        match count {
            Count::Stem(next) if *next == stem + 1 => stem = *next,
            Count::Number(next) if number.is_none_or(|number| *next == number + 1) => number = Some(*next),
            _ => return false,
        }
    }
    let filled = row.iter().filter(|cell| !cell.is_blank()).count();
    filled >= FEWEST && (stem > 0 || number.is_some_and(|last| last as usize >= counts.len() - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(row: &str) -> bool {
        is_numbering(&row.split(' ').map(|cell| Cell::Text(cell.into())).collect::<Vec<_>>())
    }

    #[test]
    fn rows_that_count_up_in_any_way_number_the_columns() {
        for row in [
            "1 2 3 4",
            "(1) (2) (3)",
            "（1） （2） （3）",
            "甲 乙 1 2 3",
            "甲 1 2 3",
            "1 甲 2 3",
            "甲 乙 丙",
            "A B C D",
            "a b c",
            "一 二 三 四 五 六 七 八 九 十 十一 十二",
            "① ② ③ ④",
            "Ⅰ Ⅱ Ⅲ",
            "栏次 1 2 3",
            "栏目 一 二 三",
            "1 2 3=1+2",
            "第1栏 第2栏 第3栏",
            "0 1 2",
            "2 3 4",
            "01 02 03",
            "1. 2. 3.",
            "1列 2列 3列",
            "— 1 2",
        ] {
            assert!(is(row), "{row}");
        }
        assert_eq!(
            (chinese("二十"), chinese("二十一"), chinese("十"), chinese("千")),
            (Some(20), Some(21), Some(10), None)
        );
    }

    #[test]
    fn rows_of_people_number_nothing() {
        for row in [
            "1 2",
            "1 张三 210402196703200011",
            "1 2 4",
            "甲 乙 210402196703200011",
            "栏次 甲 210402",
            "A B D",
            "5 王 46",
            "1 乙 210402196703200011",
        ] {
            assert!(!is(row), "{row}");
        }
    }
}
