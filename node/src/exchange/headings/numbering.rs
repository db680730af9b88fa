//! Rows that number the columns: 1 2 3 4, 甲 乙 1 2, ① ② ③, A B C, 栏次 1 2 3.

use super::super::cells::Cell;
use taizhang_proto::text;

/// What may stand before the first number.
const LABELS: [&str; 6] = ["栏次", "列次", "栏号", "列号", "序号", "甲"];
/// The ways in which columns are numbered, by what the next one is called.
const WAYS: [fn(u32) -> Option<String>; 5] = [
    |number| Some(number.to_string()),
    |number| char::from_u32('①' as u32 + number - 1).filter(|_| number <= 20).map(String::from),
    |number| char::from_u32('A' as u32 + number - 1).filter(|_| number <= 26).map(String::from),
    |number| nth("甲乙丙丁戊己庚辛壬癸", number).map(String::from),
    chinese,
];
/// From so many cells on a row that counts up is no row of a person.
const FEWEST: usize = 3;

fn nth(signs: &str, number: u32) -> Option<char> {
    signs.chars().nth(number as usize - 1)
}

/// 一 to 九十九.
fn chinese(number: u32) -> Option<String> {
    const DIGITS: &str = "一二三四五六七八九";
    let ten = match number / 10 {
        0 => String::new(),
        1 => "十".into(),
        tens => format!("{}十", nth(DIGITS, tens)?),
    };
    let one = if number.is_multiple_of(10) { None } else { nth(DIGITS, number % 10) };
    Some(ten.chars().chain(one).collect())
}

/// Whether a row numbers the columns: in one way all along, or the first ones as 甲 乙 and the rest from 1 on, in brackets or not.
pub(in crate::exchange) fn is_numbering(row: &[Cell]) -> bool {
    let cells = row.iter().map(|cell| text::no_space(&cell.text())).filter(|written| !written.is_empty());
    let cells: Vec<String> = cells.map(|written| written.trim_matches(['(', ')', '（', '）']).to_owned()).collect();
    let plain = WAYS[0];
    let counts = |cells: &[String], way: fn(u32) -> Option<String>| {
        (1..).zip(cells).all(|(number, cell)| way(number).is_some_and(|name| cell.eq_ignore_ascii_case(&name)))
    };
    let stems = (1..).zip(&cells).take_while(|(number, cell)| WAYS[3](*number).as_ref() == Some(*cell)).count();
    let label = usize::from(cells.first().is_some_and(|first| LABELS.contains(&first.as_str())));
    cells.len() >= FEWEST
        && ([0, label].iter().any(|from| WAYS.iter().any(|way| counts(&cells[*from..], *way)))
            || counts(&cells[stems..], plain))
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
            "甲 乙 丙",
            "A B C D",
            "a b c",
            "一 二 三 四 五 六 七 八 九 十 十一 十二",
            "① ② ③ ④",
            "栏次 1 2 3",
            "栏次 一 二 三",
        ] {
            assert!(is(row), "{row}");
        }
        let twenty: Vec<String> = (1..=21).filter_map(chinese).collect();
        assert_eq!((twenty.len(), twenty[19].as_str(), twenty[20].as_str()), (21, "二十", "二十一"));
    }

    #[test]
    fn rows_of_people_number_nothing() {
        for row in [
            "1 2",
            "1 张三 210402196703200011",
            "1 2 4",
            "2 3 4",
            "甲 乙 210402196703200011",
            "栏次 甲 210402",
            "A B D",
        ] {
            assert!(!is(row), "{row}");
        }
    }
}
