//! What programs get: one document a command, with numbers as numbers, booleans, and times of RFC 3339 with their zone.
//! Invariant: what is a word for people is a word here, too; codes of units, records and persons are texts, however they look.

use serde_json::Value;
use taizhang_proto::register::{FieldDef, Shape, registers};

/// Keys whose values count something.
const NUMBERS: [&str; 62] = [
    "accepted",
    "acknowledged",
    "age",
    "asked",
    "beyond",
    "bytes_down",
    "bytes_up",
    "changed",
    "checked",
    "closed",
    "corrections",
    "days",
    "days_left",
    "disk",
    "figures",
    "fresh",
    "gaps",
    "generation",
    "given",
    "head",
    "held",
    "incidents",
    "left",
    "lines",
    "lines_refused",
    "millis",
    "months",
    "new",
    "no",
    "nodes",
    "number",
    "online",
    "overdue",
    "pending",
    "people",
    "placed",
    "pulled",
    "pushed",
    "quota_placed",
    "quota_visits",
    "rank",
    "records",
    "refused",
    "remarked",
    "reported",
    "revision",
    "round_trips",
    "rows",
    "same",
    "score",
    "seed",
    "seq",
    "settled",
    "skew_seconds",
    "skipped",
    "strangers",
    "total",
    "unreadable",
    "version",
    "visited",
    "wrong",
    "years",
];

/// Keys whose values are figures, as people read them.
const FIGURES: [&str; 4] = ["actual", "now", "reported", "said"];

/// Keys whose values are 是 or 否 for people.
const YES_OR_NO: [&str; 2] = ["elderly", "hardship"];

/// Keys whose values are codes of units: they are texts, however they came.
const UNITS: [&str; 4] = ["unit", "home_unit", "other_unit", "units"];

/// A document in which every code of a unit is a text.
pub(super) fn with_texts_for_codes(document: Value) -> Value {
    match document {
        Value::Object(pairs) => {
            let told = pairs.into_iter().map(|(key, value)| {
                let text = match &value {
                    Value::Number(number) if UNITS.contains(&key.as_str()) => Some(number.to_string()),
                    _ => None,
                };
                (key, text.map_or_else(|| with_texts_for_codes(value), Value::from))
            });
            Value::Object(told.collect())
        }
        Value::Array(items) => items.into_iter().map(with_texts_for_codes).collect(),
        other => other,
    }
}

/// A figure as people read it: a count as a number, `16.9% (54/320)` as its parts, `—` (nothing to measure) as null.
fn figure(text: &str) -> Option<Value> {
    if text == "—" {
        return Some(Value::Null);
    }
    if let Ok(count) = text.parse::<i64>() {
        return Some(count.into());
    }
    if let Some(number) = text.parse().ok().and_then(serde_json::Number::from_f64) {
        return Some(number.into());
    }
    let (_, parts) = text.strip_suffix(')')?.split_once("% (")?;
    let (numerator, denominator) = parts.split_once('/')?;
    let (numerator, denominator) = (numerator.parse::<i64>().ok()?, denominator.parse::<i64>().ok()?);
    Some(serde_json::json!({ "numerator": numerator, "denominator": denominator }))
}

/// A field's value, as people read it, as a program does.
pub(super) fn of_field(field: Option<&FieldDef>, value: &str) -> Value {
    match field {
        _ if value.is_empty() => Value::Null,
        Some(field) if field.shape == Shape::Uint && !field.many => figure(value).unwrap_or_else(|| value.into()),
        Some(field) if field.shape == Shape::Bool => (value == "是").into(),
        _ => value.into(),
    }
}

/// Whether a name is that of a field which is yes or no, in every register that has it.
fn is_flag(key: &str) -> bool {
    let mut of_it = registers().iter().flat_map(|def| &def.fields).filter(|field| field.name == key).peekable();
    of_it.peek().is_some() && of_it.all(|field| field.shape == Shape::Bool)
}

/// A cell or fact as a program reads it.
pub(super) fn typed(key: &str, value: &str) -> Value {
    if key == "register" && !value.is_empty() {
        return super::register(value).into();
    }
    match value {
        "true" => return true.into(),
        "false" | "否 (no)" => return false.into(),
        "" | "从未 (never)" | "无 (none)" => return Value::Null,
        // Nothing was measured by which somebody could be ranked.
        "—" if matches!(key, "rank" | "score") => return Value::Null,
        _ => {}
    }
    if matches!(value, "是" | "否") && (YES_OR_NO.contains(&key) || is_flag(key)) {
        return (value == "是").into();
    }
    // A column of figures of one unit, or of one indicator, is named by its code.
    let is_unit = key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_digit());
    let is_indicator = key.starts_with('K') && key[1..].starts_with(|first: char| first.is_ascii_digit());
    if (is_unit || is_indicator || FIGURES.contains(&key))
        && let Some(figure) = figure(value)
    {
        return figure;
    }
    if NUMBERS.contains(&key) {
        if let Ok(number) = value.parse::<i64>() {
            return number.into();
        }
        if let Some(number) = value.parse().ok().and_then(serde_json::Number::from_f64) {
            return number.into();
        }
    }
    match moment(value) {
        Some(moment) => moment.into(),
        None => value.into(),
    }
}

/// A time as [`super::time`] writes it, in RFC 3339; none for anything else.
fn moment(value: &str) -> Option<String> {
    let shape = value.len() == 19 && value.as_bytes()[10] == b' ' && value.as_bytes()[13] == b':';
    let (day, time) = value.split_once(' ').filter(|_| shape)?;
    let moment = format!("{day}T{time}+08:00");
    moment.parse::<jiff::Timestamp>().ok().map(|_| moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_is_a_number_and_what_names_is_a_text() {
        assert_eq!(typed("pending", "12"), Value::from(12));
        assert_eq!(typed("skew_seconds", "-1.5"), Value::from(-1.5));
        assert_eq!(typed("equal", "true"), Value::from(true));
        assert_eq!(typed("210402011003", "59"), Value::from(59));
        assert_eq!(typed("actual", "16.9% (54/320)"), serde_json::json!({ "numerator": 54, "denominator": 320 }));
        assert_eq!(typed("now", "—"), Value::Null);
        assert_eq!(typed("now", "未达标"), Value::from("未达标"));
        let document = serde_json::json!({ "unit": 210_402_011_003_u64, "of": [{ "home_unit": 7, "rows": 7 }] });
        let told = serde_json::json!({ "unit": "210402011003", "of": [{ "home_unit": "7", "rows": 7 }] });
        assert_eq!(with_texts_for_codes(document), told);
        assert_eq!(typed("unit", "210402011003"), Value::from("210402011003"));
        assert_eq!(typed("id_no", "210402198001011234"), Value::from("210402198001011234"));
        assert_eq!(typed("head", "张三"), Value::from("张三"));
        assert_eq!(typed("last_sync", "2026-11-29 03:46:59"), Value::from("2026-11-29T03:46:59+08:00"));
        assert_eq!(typed("last_sync", "从未 (never)"), Value::Null);
        assert_eq!((typed("month", "无 (none)"), typed("twins", "否 (no)")), (Value::Null, false.into()));
        assert_eq!(typed("phone", ""), Value::Null);
        // A field that is yes or no, and a text that happens to say it.
        assert_eq!((typed("labour_able", "是"), typed("remark", "是")), (true.into(), "是".into()));
        assert_eq!(typed("due_on", "2008-04-20"), Value::from("2008-04-20"));
        assert_eq!(typed("remark", "2026-99-99 99:99:99"), Value::from("2026-99-99 99:99:99"));
    }
}
