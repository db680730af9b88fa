//! Citizen identification numbers by GB 11643-1999: 17 digits and a check character (ISO 7064 MOD 11-2).

use crate::date::{self, Day};

/// What a valid number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Born on.
    pub birth: Day,
    /// Odd 17th digit.
    pub male: bool,
}

/// Why a number is not valid. The messages never hold the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not 18 characters.
    #[error("身份证号码应为18位 (18 characters)")]
    Length,
    /// Something other than 17 digits and a digit or X.
    #[error("身份证号码只能是17位数字加一位数字或X (17 digits, then a digit or X)")]
    Characters,
    /// The first two digits are no province.
    #[error("身份证号码前两位不是省份代码 (first two digits are no province)")]
    Province,
    /// Digits 7 to 14 are no date.
    #[error("身份证号码中的出生日期不存在 (no such birth date)")]
    Birth,
    /// The last digits were lost in a numeric spreadsheet cell.
    #[error("身份证号码末位丢失：Excel 数字格式只保留15位，请改为文本格式后重新填写 (digits lost in a numeric cell)")]
    LostDigits,
    /// The check character does not fit.
    #[error("身份证号码校验位不符，请核对原件 (check character does not fit)")]
    Check,
}

const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHARACTERS: &[u8; 11] = b"10X98765432";
const PROVINCES: [u8; 35] = [
    11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53, 54, 61, 62, 63,
    64, 65, 71, 81, 82, 83,
];

/// The check character for 17 digits; none when they are not digits.
pub fn check_character(digits: &[u8]) -> Option<u8> {
    if digits.len() != 17 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    Some(CHARACTERS[(sum % 11) as usize])
}

/// Checks a number, upper-case X.
///
/// # Errors
/// The first fault found, in the order of the enum; lost digits before a wrong check character.
pub fn check(text: &str) -> Result<Facts, Fault> {
    let bytes: &[u8; 18] = text.as_bytes().try_into().map_err(|_| Fault::Length)?;
    let (digits, last) = bytes.split_at(17);
    let expected = check_character(digits).ok_or(Fault::Characters)?;
    let last = last[0];
    if !last.is_ascii_digit() && last != b'X' {
        return Err(Fault::Characters);
    }
    let number = |range: std::ops::Range<usize>| {
        digits[range].iter().fold(0_i16, |sum, digit| sum.wrapping_mul(10).wrapping_add(i16::from(digit - b'0')))
    };
    if !PROVINCES.contains(&(number(0..2) as u8)) {
        return Err(Fault::Province);
    }
    if expected != last && bytes.ends_with(b"000") {
        return Err(Fault::LostDigits);
    }
    let birth = date::ymd(number(6..10), number(10..12) as i8, number(12..14) as i8).filter(|_| number(6..10) >= 1900);
    let birth = birth.ok_or(Fault::Birth)?;
    if expected != last {
        return Err(Fault::Check);
    }
    Ok(Facts { birth, male: digits[16] % 2 == 1 })
}

/// The 18-character number of a 15-digit one: the century inserted, the check character computed.
pub fn upgrade(fifteen: &str) -> Option<String> {
    if fifteen.len() != 15 || !fifteen.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seventeen = format!("{}19{}", &fifteen[..6], &fifteen[6..]);
    let last = check_character(seventeen.as_bytes())?;
    let full = format!("{seventeen}{}", last as char);
    check(&full).ok().map(|_| full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vectors_pass() {
        assert!(check("11010519491231002X").is_ok_and(|facts| !facts.male));
        assert!(check("440524188001010014").is_err_and(|fault| fault == Fault::Birth));
        assert_eq!(check_character(b"44052418800101001"), Some(b'4'));
        assert_eq!(upgrade("110105491231002").as_deref(), Some("11010519491231002X"));
    }

    #[test]
    fn each_fault_is_named() {
        assert_eq!(check("1101051949123100"), Err(Fault::Length));
        assert_eq!(check("11010519491231002x"), Err(Fault::Characters));
        assert_eq!(check("01010519491231002X"), Err(Fault::Province));
        assert_eq!(check("110105194912310021"), Err(Fault::Check));
        assert_eq!(check("110105194912310000"), Err(Fault::LostDigits));
        assert_eq!(check("11010519491331002X").map_err(|fault| fault == Fault::Birth), Err(true));
    }
}
