//! Signs that stand for nothing of their own: those that nobody sees, dots between the parts of a name, dashes.

/// Whether a sign takes no room and says nothing: Unicode's format characters (Cf), variation selectors, the place of an
/// object. They come along with what is copied from web pages and chat programs.
pub fn is_unseen(sign: char) -> bool {
    // Most of what is read.
    if sign.is_ascii() || is_han(sign) {
        return false;
    }
    matches!(sign,
        '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
        | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffc}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a sign is a common Chinese character.
pub(super) fn is_han(sign: char) -> bool {
    matches!(sign, '\u{4e00}'..='\u{9fff}')
}

/// Whether a sign is some keyboard's dot.
pub(super) fn is_dot(sign: char) -> bool {
    matches!(
        sign,
        '.' | '。'
            | '\u{b7}'
            | '\u{2d9}'
            | '\u{387}'
            | '\u{5c1}'
            | '\u{1427}'
            | '\u{16eb}'
            | '\u{2022}'
            | '\u{2024}'
            | '\u{2027}'
            | '\u{2219}'
            | '\u{22c5}'
            | '\u{25cf}'
            | '\u{25e6}'
            | '\u{26ab}'
            | '\u{2981}'
            | '\u{2b24}'
            | '\u{2e30}'
            | '\u{2e31}'
            | '\u{2e33}'
            | '\u{30fb}'
            | '\u{a78f}'
            | '\u{fe52}'
            | '\u{ff0e}'
            | '\u{ff61}'
            | '\u{ff65}'
            | '\u{10101}'
    )
}

/// Whether a sign is a dash of any length.
pub(super) fn is_dash(sign: char) -> bool {
    matches!(
        sign,
        '-' | '\u{2010}'
            ..='\u{2015}'
                | '\u{2043}'
                | '\u{2212}'
                | '\u{2500}'
                | '\u{2501}'
                | '\u{2e3a}'
                | '\u{2e3b}'
                | '\u{30fc}'
                | '\u{fe58}'
                | '\u{fe63}'
                | '\u{ff0d}'
                | '_'
                | '~'
                | '\u{301c}'
    )
}

/// Whether a cell of this sign alone says nothing.
pub(super) fn is_mark(sign: char) -> bool {
    is_dash(sign)
        || is_dot(sign)
        || matches!(
            sign,
            '/' | '\\'
                | '|'
                | '*'
                | '?'
                | '+'
                | '×'
                | '✕'
                | '╳'
                | '╱'
                | '╲'
                | '∕'
                | '⁄'
                | '…'
                | '〇'
                | '○'
                | '◯'
                | '△'
                | '※'
                | ','
                | '，'
                | '、'
                | ':'
                | '：'
                | ';'
                | '∅'
                | 'Ø'
        )
}
