//! Texts that a spreadsheet would take for a formula, and the apostrophe that keeps it from doing so.
//! Invariant: what is written with [`harmless`] or [`as_it_was`] starts no formula in a text file, and is read by
//! [`unwrapped`] as what it was before.

use rust_xlsxwriter::Format;

/// Signs that begin a formula, or are skipped before one, in some program: full-width ones are folded by those that know
/// Chinese.
const SIGNS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// Whether a spreadsheet might take a text for a formula, once its apostrophes are gone.
pub(crate) fn is_formula(text: &str) -> bool {
    let bare = text.trim_start_matches('\'');
    bare.starts_with(SIGNS) || bare.trim_start().starts_with(SIGNS)
}

/// Whether an apostrophe before this stands for nothing but 'this is text'.
fn is_guarded(rest: &str) -> bool {
    is_formula(rest) || rest.trim_start_matches('\'').starts_with(|sign: char| sign.is_ascii_digit())
}

/// A text without what programs put around it to keep it a text: `="012"`, `'012`.
pub(super) fn unwrapped(text: &str) -> &str {
    let text = text.trim();
    if let Some(inner) = text.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')) {
        return inner;
    }
    match text.strip_prefix('\'') {
        Some(rest) if is_guarded(rest) => rest,
        _ => text,
    }
}

/// A value as it is written into a file.
pub fn harmless(value: &str) -> String {
    let changes = unwrapped(value) != value.trim();
    if changes || is_formula(value) { format!("'{value}") } else { value.to_owned() }
}

/// How cells of a workbook are written that are texts: as they stand, and with the mark that begins no formula when somebody edits
/// them or saves them as a text file.
pub(crate) fn formats() -> (Format, Format) {
    let text = Format::new().set_num_format("@");
    (text.clone(), text.set_quote_prefix())
}

/// A cell of a file as it is written into another one: it reads as it did.
pub(super) fn as_it_was(cell: &str) -> String {
    let bare = cell.trim_start();
    if bare.starts_with('\'') || !is_formula(cell) {
        return cell.to_owned();
    }
    match unwrapped(cell) {
        inner if inner == cell.trim() => format!("'{bare}"),
        inner if is_guarded(inner) => format!("'{inner}"),
        inner => inner.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: [&str; 18] = [
        "=cmd|' /C calc'!A0",
        "+1",
        "-1",
        "@SUM(A1)",
        "＝cmd|x",
        "＋1",
        "－1",
        "＠x",
        "'=x",
        "''=x",
        "'012",
        "012",
        "=\"012\"",
        "甲'=乙",
        "'甲",
        "",
        "南台社区",
        "'",
    ];

    #[test]
    fn what_is_written_starts_no_formula_and_reads_as_before() {
        for value in VALUES {
            let written = harmless(value);
            assert_eq!(unwrapped(&written), value, "{written}");
            assert!(!written.starts_with(SIGNS), "{written}");
            // As a cell of somebody's file.
            let again = as_it_was(value);
            assert_eq!(unwrapped(&again), unwrapped(value), "{again}");
            assert!(!again.starts_with(SIGNS), "{again}");
        }
        for hidden in ["\t=cmd|x", "\r=cmd|x", " =cmd|x", "\n@x"] {
            for written in [harmless(hidden), as_it_was(hidden)] {
                assert!(written.starts_with('\''), "{written:?}");
                assert_eq!(unwrapped(&written).trim(), hidden.trim());
            }
        }
    }
}
