//! What a file says that no field holds, kept as text beside the record (`import_note`).

/// Longest note, characters.
const MAX: usize = 1_000;

/// A note with parts added that it does not hold yet; none when nothing changes. Whole parts only, so that the same
/// parts brought again change nothing.
pub(crate) fn extended(held: &str, parts: &[String]) -> Option<String> {
    let mut note = held.to_owned();
    for part in parts {
        let part: String = part.chars().filter(|sign| !sign.is_control() || *sign == '\n').take(MAX / 2).collect();
        let known = note.split('；').any(|old| old == part) || note.contains(&part);
        if known || note.chars().count() + part.chars().count() + 1 > MAX {
            continue;
        }
        if !note.is_empty() {
            note.push('；');
        }
        note.push_str(&part);
    }
    (note != held).then_some(note)
}

/// The Chinese part of a message that ends with its English in brackets.
pub(super) fn chinese(message: &str) -> &str {
    match message.rsplit_once(" (") {
        Some((chinese, english)) if english.ends_with(')') && !chinese.is_empty() => chinese,
        _ => message,
    }
}
