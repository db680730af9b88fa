//! What programs get: one document a command, with numbers as numbers, booleans, and times of RFC 3339 with their zone.
//! Invariant: what is a word for people is a word here, too; codes of units, records and persons are texts, however they look.

use serde_json::Value;

/// Keys whose values count something.
const NUMBERS: [&str; 51] = [
    "accepted",
    "acknowledged",
    "age",
    "beyond",
    "bytes_down",
    "bytes_up",
    "changed",
    "checked",
    "closed",
    "corrections",
    "days",
    "days_left",
    "figures",
    "fresh",
    "gaps",
    "generation",
    "head",
    "incidents",
    "left",
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
    "pulled",
    "pushed",
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
    "total",
    "unreadable",
    "version",
    "wrong",
    "years",
];

/// A cell or fact as a program reads it.
pub(super) fn typed(key: &str, value: &str) -> Value {
    match value {
        "true" => return true.into(),
        "false" => return false.into(),
        "从未 (never)" => return Value::Null,
        _ => {}
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
        assert_eq!(typed("unit", "210402011003"), Value::from("210402011003"));
        assert_eq!(typed("id_no", "210402198001011234"), Value::from("210402198001011234"));
        assert_eq!(typed("head", "张三"), Value::from("张三"));
        assert_eq!(typed("last_sync", "2026-11-29 03:46:59"), Value::from("2026-11-29T03:46:59+08:00"));
        assert_eq!(typed("last_sync", "从未 (never)"), Value::Null);
        assert_eq!(typed("due_on", "2008-04-20"), Value::from("2008-04-20"));
        assert_eq!(typed("remark", "2026-99-99 99:99:99"), Value::from("2026-99-99 99:99:99"));
    }
}
