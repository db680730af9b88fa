//! How long what people write may be, and how large a record: one limit each, in one unit, at every entrance of both ends.
//! Invariant: what may be entered is less than what is read, by the head-room that a hub needs for what it adds itself; so nothing that
//! was taken once can't be read again.

/// Most characters of the name of whoever enters, decides, looks or reads.
pub const NAME_CHARS: usize = 60;
/// Longest name on the wire, bytes: as many characters of the longest kind.
pub const NAME_BYTES: usize = 4 * NAME_CHARS;
/// Most characters of a reason.
pub const REASON_CHARS: usize = 200;
/// Longest reason on the wire, bytes.
pub const REASON_BYTES: usize = 4 * REASON_CHARS;
/// Most characters of the reason for which a month is locked with gaps: it may name the units that are missing.
pub const LOCK_REASON_CHARS: usize = 500;
/// Longest name of a rule, bytes; it becomes part of a key.
pub const RULE_BYTES: usize = 32;

/// Largest record that may be entered, bytes of its message.
pub const RECORD_BYTES: usize = 64 * 1024;
/// Most fields of a record that may be entered, cleared ones included: with those that every record has, as many as one change can
/// tell a hub again that has lost it.
pub const RECORD_FIELDS: usize = CHANGE_FIELDS - 64;
/// Largest record that is read, bytes: what may be entered, and as much again for what a hub adds by its own hand.
pub const STORED_BYTES: usize = 2 * RECORD_BYTES;
/// Most fields of a record that is read, cleared ones included; with the same head-room.
pub const STORED_FIELDS: usize = 2 * 1024;
/// Most that the origins of a record may come to, bytes: names, seals, numbers of fields.
pub const ORIGIN_BYTES: usize = 512 * 1024;
/// Room that rules leave in a stored record for what a reviewer decides, bytes.
pub const REVIEW_BYTES: usize = 8 * 1024;
/// The same, fields.
pub const REVIEW_FIELDS: usize = 64;
/// Most fields in one change.
pub const CHANGE_FIELDS: usize = 512;

/// Most lines of one answer to a list.
pub const LIST_LINES: u32 = 20_000;

/// How many lines are shown of a list: as many as were `asked` for, [`LIST_LINES`] at most, or `unsaid` where nobody says.
pub fn lines(asked: u32, unsaid: u32) -> usize {
    (if asked == 0 { unsaid } else { asked.min(LIST_LINES) }) as usize
}
/// Lines of the audit log where nobody says how many.
pub const AUDIT_LINES: u32 = 100;

/// Most characters of the words of an error. They travel in a header of the answer, where a character may take twelve
/// bytes; peers take headers of 16 KB and report any more as a broken line.
pub const TOLD_CHARS: usize = 1_200;

/// An error in words that fit into an answer: of what is longer, since it repeats what somebody wrote, its beginning and its
/// end, where the remedy stands.
pub fn told(error: impl ToString) -> String {
    let text = error.to_string();
    let (half, length) = (TOLD_CHARS / 2, text.chars().count());
    if length <= TOLD_CHARS {
        return text;
    }
    let end: String = text.chars().skip(length - half).collect();
    format!("{} …… {end}", fitting(&text, half))
}

/// As much of a text as has so many characters.
pub fn fitting(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
}

/// Why a name or a reason is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsaid {
    /// Nobody is named.
    #[error("请写明经办人，用 --by (say who decides: --by)")]
    Name,
    /// The name is too long.
    #[error("姓名超过{NAME_CHARS}个字 (a name of more than {NAME_CHARS} characters)")]
    LongName,
    /// No reason is given.
    #[error("请写明理由，用 --reason (give a reason: --reason)")]
    Reason,
    /// The reason is too long.
    #[error("理由超过{0}个字 (a reason of more than {0} characters)")]
    LongReason(usize),
}

/// A name, without the spaces around it.
///
/// # Errors
/// When there is none, or it is too long.
pub fn name(by: &str) -> Result<&str, Unsaid> {
    let by = by.trim();
    match by.chars().count() {
        0 => Err(Unsaid::Name),
        1..=NAME_CHARS => Ok(by),
        _ => Err(Unsaid::LongName),
    }
}

/// A name that need not be given, without the spaces around it.
///
/// # Errors
/// When it is too long.
pub fn name_or_none(by: &str) -> Result<&str, Unsaid> {
    if by.trim().is_empty() { Ok("") } else { name(by) }
}

/// A reason, without the spaces around it.
///
/// # Errors
/// When there is none, or it is too long.
pub fn reason(why: &str) -> Result<&str, Unsaid> {
    match reason_within(why, REASON_CHARS)? {
        "" => Err(Unsaid::Reason),
        why => Ok(why),
    }
}

/// Who decides and why: every decision says both (domain-detail 4, G3).
///
/// # Errors
/// When one is missing or too long.
pub fn who_and_why<'t>(by: &'t str, why: &'t str) -> Result<(&'t str, &'t str), Unsaid> {
    Ok((name(by)?, reason(why)?))
}

/// A reason that need not be given, of so many characters at most.
///
/// # Errors
/// When it is too long.
pub fn reason_within(why: &str, most: usize) -> Result<&str, Unsaid> {
    let why = why.trim();
    if why.chars().count() > most { Err(Unsaid::LongReason(most)) } else { Ok(why) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_is_taken_whatever_its_signs_and_one_more_is_not() {
        for sign in ["x", "王", "𠮷"] {
            assert_eq!(name(&format!(" {} ", sign.repeat(NAME_CHARS))), Ok(sign.repeat(NAME_CHARS).as_str()));
            assert!(sign.repeat(NAME_CHARS).len() <= NAME_BYTES && sign.repeat(REASON_CHARS).len() <= REASON_BYTES);
            assert_eq!(name(&sign.repeat(NAME_CHARS + 1)), Err(Unsaid::LongName));
            assert!(reason(&sign.repeat(REASON_CHARS)).is_ok());
            assert_eq!(reason(&sign.repeat(REASON_CHARS + 1)), Err(Unsaid::LongReason(REASON_CHARS)));
        }
        assert_eq!((name(" "), reason("\n")), (Err(Unsaid::Name), Err(Unsaid::Reason)));
        assert_eq!(reason_within("", 5), Ok(""));
        let (long, short) = (format!("查无{}：请核对", "𠮷".repeat(20_000)), "查无此人".repeat(10));
        let words = told(&long);
        assert!(
            words.starts_with("查无𠮷") && words.ends_with("：请核对") && words.len() * 3 < 15 * 1024,
            "{}",
            words.len()
        );
        assert_eq!(told(&short), short);
        assert_eq!((fitting("王小明", 2), fitting("王小明", 3), fitting("", 0)), ("王小", "王小明", ""));
    }
}
