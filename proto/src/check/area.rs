//! Area codes (GB/T 2260): what the first six digits of a citizen id may be. They change, and an id keeps the one of its day,
//! so an unknown one is worth a look and refuses nothing (domain-detail 2.1).

use std::sync::LazyLock;

/// Every code in force or given up since 1980, ascending.
static CODES: LazyLock<Vec<u32>> = LazyLock::new(|| read(include_str!("../../area-codes.txt")));

fn read(text: &str) -> Vec<u32> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let codes = lines.flat_map(|line| {
        let (area, counties) = line.split_once(' ').unwrap_or((line, ""));
        counties.split(' ').filter_map(move |county| format!("{area}{county}").parse().ok())
    });
    let mut codes: Vec<u32> = codes.collect();
    codes.sort_unstable();
    codes
}

/// Whether a citizen id begins with the code of an area that there is or was.
pub fn is_known(citizen_id: &str) -> bool {
    let code = citizen_id.get(..6).and_then(|code| code.parse().ok());
    code.is_some_and(|code| CODES.binary_search(&code).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_of_today_and_of_yesterday_are_known_and_others_are_not() {
        assert!(CODES.len() > 7_000, "{}", CODES.len());
        for known in ["210402", "210421", "110102", "110103", "132929"] {
            assert!(is_known(known), "{known}");
        }
        for unknown in ["210490", "000000", "21040", "", "二一〇四"] {
            assert!(!is_known(unknown), "{unknown}");
        }
    }
}
