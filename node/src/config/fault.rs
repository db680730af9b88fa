//! What is wrong with a configuration, for whoever wrote it: which key, where it stands, and what may stand there.

use figment::{
    Error, Source,
    error::{Actual, Kind},
};

/// The first fault, in a sentence.
pub(super) fn words(error: &Error) -> String {
    let key = error.path.join(".");
    let key = if key.is_empty() { String::new() } else { format!("{key}：") };
    let place = match error.metadata.as_ref().map(|data| (data.source.as_ref(), data.name.as_ref())) {
        Some((Some(Source::File(path)), _)) => path.display().to_string(),
        Some((_, name)) if name.contains("environment") => "环境变量 (environment)".to_owned(),
        _ => String::new(),
    };
    let what = match &error.kind {
        Kind::UnknownField(field, known) => {
            format!("没有“{field}”这一项，可用 (no such key; there are)：{}", known.join("、"))
        }
        Kind::UnknownVariant(written, known) => {
            format!("“{written}”不是可选的值，只能是 (one of)：{}", known.join("、"))
        }
        Kind::MissingField(field) => format!("缺少“{field}”这一项 (this key is missing)"),
        Kind::DuplicateField(field) => format!("“{field}”写了两次 (written twice)"),
        Kind::InvalidType(actual, wanted) | Kind::InvalidValue(actual, wanted) => {
            format!("写的是{}，应为{} (not what is expected)", written(actual), kind(wanted))
        }
        Kind::ISizeOutOfRange(number) => format!("{number} 超出范围 (out of range)"),
        Kind::USizeOutOfRange(number) => format!("{number} 超出范围 (out of range)"),
        Kind::Message(why) if place.is_empty() && key.is_empty() => format!("文件格式有误 (not TOML)：{why}"),
        Kind::Message(why) => why.clone(),
        other => other.to_string(),
    };
    let place = if place.is_empty() { place } else { format!("；见 {place}") };
    format!("{key}{what}{place}")
}

/// What should stand there; the library names it by the program's own types.
fn kind(wanted: &str) -> &str {
    match wanted {
        "string" => "文字",
        "boolean" => "true 或 false",
        wanted if wanted.starts_with(['u', 'i']) => "整数",
        wanted => wanted,
    }
}

fn written(actual: &Actual) -> String {
    match actual {
        Actual::Str(text) => format!("文字“{text}”"),
        Actual::Bool(yes) => format!("是否值 {yes}"),
        Actual::Unsigned(number) => format!("数字 {number}"),
        Actual::Signed(number) => format!("数字 {number}"),
        Actual::Float(number) => format!("数字 {number}"),
        other => other.to_string(),
    }
}
