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
        Kind::Message(why) => said(why),
        other => other.to_string(),
    };
    let place = if place.is_empty() { place } else { format!("；见 {place}") };
    format!("{key}{what}{place}")
}

/// What a library says, in words; as it says it where it is not known.
fn said(why: &str) -> String {
    if let Some(place) = why.split_once("TOML parse error at ").map(|(_, rest)| rest.lines().next().unwrap_or(rest)) {
        let last = why.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
        let place = place.replace("line ", "第").replace(", column ", "行第") + "列";
        return format!("文件格式有误，{place}；文字要加引号，每项一行，每项只写一次 (not TOML: {last})");
    }
    if why.contains("UTF-8") {
        return "文件不是 UTF-8 编码，请用 UTF-8 另存 (not UTF-8)".into();
    }
    if why.contains("socket address") {
        return "应为 地址:端口，如 0.0.0.0:7201，端口不超过 65535 (an address and a port)".into();
    }
    why.to_owned()
}

/// What should stand there; the library names it by the program's own types.
fn kind(wanted: &str) -> &str {
    match wanted {
        wanted if wanted.contains("string") => "文字",
        "boolean" => "true 或 false",
        wanted if wanted.starts_with('u') => "不小于 0 的整数",
        wanted if wanted.starts_with('i') => "整数",
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
