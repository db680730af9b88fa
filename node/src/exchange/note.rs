//! What a file says that no field holds, kept as text beside the record (`import_note`).
//! Invariant: what a note has no room for is told, never dropped; the same parts brought again change nothing.

use taizhang_proto::text::half_width;

/// Longest note, characters.
const MAX: usize = 1_000;

/// A note with more in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// The new note; none when nothing changes.
    pub(crate) text: Option<String>,
    /// The parts that found no room.
    pub(crate) left_out: Vec<String>,
}

impl Note {
    /// A note with parts added that it does not hold yet, whole ones only.
    pub(crate) fn extended(held: &str, parts: &[String]) -> Self {
        let mut note = held.to_owned();
        let mut left_out = Vec::new();
        for part in parts {
            let part: String = part.chars().filter(|sign| !sign.is_control() || *sign == '\n').collect();
            // Notes of earlier days were kept in half-width signs.
            if half_width(&note).contains(&half_width(&part)) {
                continue;
            }
            if note.chars().count() + part.chars().count() + usize::from(!note.is_empty()) > MAX {
                left_out.push(part);
                continue;
            }
            if !note.is_empty() {
                note.push('；');
            }
            note.push_str(&part);
        }
        Self { text: (note != held).then_some(note), left_out }
    }
}

/// The Chinese part of a message that ends with its English in brackets.
pub(super) fn chinese(message: &str) -> &str {
    match message.rsplit_once(" (") {
        Some((chinese, english)) if english.ends_with(')') && !chinese.is_empty() => chinese,
        _ => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_told_and_the_same_again_changes_nothing() {
        let parts: Vec<String> = (0..40).map(|number| format!("栏目{number:02}：{}", "甲".repeat(30))).collect();
        let first = Note::extended("", &parts);
        let held = first.text.clone().unwrap_or_default();
        assert!(held.chars().count() <= MAX && !first.left_out.is_empty());
        assert!(parts.iter().all(|part| held.contains(part) || first.left_out.contains(part)));
        assert_eq!(Note::extended(&held, &parts), Note { text: None, left_out: first.left_out });
        assert_eq!(Note::extended("甲", &["乙".repeat(MAX)]).left_out.len(), 1);
    }
}
