//! Figures and targets as people read them, at the hub and at an office.

use super::{
    Reader, beside_figures, document,
    lang::{heading, is_english, word},
    new_table, objects, table, width,
};
use crate::say;
use comfy_table::{Cell, Color};
use taizhang_proto::{
    date,
    indicator::{self, Class},
    pb,
};

/// A figure as people read it: a ratio with its parts, or a count; where records are contested, what was counted, how
/// many duplicates there are, and both together as the registers have them.
pub fn figure(value: &pb::TotalValue) -> String {
    if !value.ratio {
        let counted = value.numerator;
        return match value.duplicates {
            0 => counted.to_string(),
            duplicates if is_english() => {
                format!("{counted} (registered {} = counted {counted} + duplicates {duplicates})", counted + duplicates)
            }
            duplicates => format!("{counted} (登记{}=计入{counted}+重复{duplicates})", counted + duplicates),
        };
    }
    if value.denominator == 0 {
        return "—".into();
    }
    let share = value.numerator as f64 / value.denominator as f64;
    if indicator::by_code(&value.indicator).is_some_and(|one| one.class == Class::Mean) {
        return format!("{share:.1} ({}/{})", value.numerator, value.denominator);
    }
    let percent = share * 100.0;
    format!("{percent:.1}% ({}/{})", value.numerator, value.denominator)
}

/// Over what a figure of a month's report is counted: in Chinese, and in English.
pub fn span_names(one: &indicator::Indicator, span: pb::TotalSpan) -> (&'static str, &'static str) {
    match (one.kind, span) {
        (indicator::Kind::Stock, _) => ("月末", "end of month"),
        (indicator::Kind::Flow, pb::TotalSpan::Year) => ("年累计", "this year"),
        (indicator::Kind::Flow, pb::TotalSpan::Month) => ("本月", "this month"),
    }
}

/// A share in percent, or a number as it is.
fn share(value: f64, ratio: bool) -> String {
    if ratio { format!("{:.1}%", value * 100.0) } else { format!("{value}") }
}

/// Whether a figure is a share of something, not a mean of days.
fn is_share(known: Option<&indicator::Indicator>) -> bool {
    known.is_some_and(|known| known.is_ratio() && known.class != Class::Mean)
}

/// What is left to reach a target, in words.
fn left(line: &pb::StandingLine, ratio: bool, is_mean: bool) -> String {
    let target = share(line.target, ratio);
    if line.measured && !line.reached && is_mean {
        // How many a mean is beyond its bound says nothing.
        return if is_english() { format!("above {target} on average") } else { format!("平均超过{target}天") };
    }
    match (line.measured, line.reached, line.at_most) {
        (false, ..) => word("无可考核 (nothing to measure)", "nothing to measure").into(),
        (true, true, _) => word("达标", "reached").into(),
        (true, false, false) if is_english() => format!("{} more to {target}", line.left),
        (true, false, false) => format!("还差{}个达到{target} ({} more to {target})", line.left, line.left),
        (true, false, true) if is_english() => format!("{} too many", line.left),
        (true, false, true) => format!("超出{}个 ({} too many)", line.left, line.left),
    }
}

/// A line's indicator by name, its target, its figure and what is left, as people read them.
fn of_line(line: &pb::StandingLine) -> [String; 4] {
    let known = indicator::by_code(&line.indicator);
    let (ratio, parts) = (is_share(known), known.is_some_and(indicator::Indicator::is_ratio));
    let unit = if parts && !ratio { word(" 天 (days)", " days") } else { "" };
    let value = pb::TotalValue {
        indicator: line.indicator.clone(),
        numerator: line.numerator,
        denominator: line.denominator,
        ratio: parts,
        ..pb::TotalValue::default()
    };
    let target = format!("{}{}{unit}", if line.at_most { "≤" } else { "≥" }, share(line.target, ratio));
    [
        known.map_or("", |known| word(known.zh, known.en)).to_owned(),
        target,
        figure(&value),
        left(line, ratio, parts && !ratio),
    ]
}

/// A line as a program reads it: numbers as numbers, a ratio as its parts, null where there is nothing to measure.
fn object(line: &pb::StandingLine) -> serde_json::Value {
    let known = indicator::by_code(&line.indicator);
    let parts = known.is_some_and(indicator::Indicator::is_ratio);
    let actual = match (line.measured, parts) {
        (false, _) => serde_json::Value::Null,
        (true, true) => serde_json::json!({ "numerator": line.numerator, "denominator": line.denominator }),
        (true, false) => line.numerator.into(),
    };
    serde_json::json!({
        "code": line.indicator, "name": known.map(|known| known.zh), "unit": line.unit, "target": line.target,
        "at_most": line.at_most, "actual": actual, "reached": line.measured.then_some(line.reached),
        "left": line.measured.then_some(line.left), "K45": line.measured.then_some(line.attained),
        "districts": line.each, "districts_reached": line.each_reached,
    })
}

/// The columns of how far a target is reached, and of what is left.
const ATTAINED: usize = 4;
const LEFT: usize = 5;
/// Signs in a bar.
const BAR: usize = 10;

/// A cell of a target: on a terminal a bar of how far it is reached, and green or red for what is left.
fn cell(line: &pb::StandingLine, column: usize, text: String) -> Cell {
    if !line.measured || width().is_none() {
        return Cell::new(text);
    }
    let colour = if line.reached { Color::Green } else { Color::Red };
    match column {
        ATTAINED => {
            let full = (line.attained.clamp(0.0, 1.0) * BAR as f64).floor() as usize;
            Cell::new(format!("{}{} {text}", "█".repeat(full), "░".repeat(BAR - full)))
        }
        LEFT if std::env::var_os("NO_COLOR").is_none() => Cell::new(text).fg(colour),
        _ => Cell::new(text),
    }
}

/// Prints a unit's targets with how they stand, or only those that are missed, the worst first; and the scores.
pub fn standing(reader: Reader, answer: &pb::StandingAnswer, only_missed: bool) {
    let own = answer.lines.first().map_or(0, |line| line.unit);
    let mut lines: Vec<&pb::StandingLine> = answer.lines.iter().filter(|line| line.unit == own).collect();
    if only_missed {
        lines.retain(|line| line.measured && !line.reached);
        lines.sort_by(|one, two| one.attained.total_cmp(&two.attained));
    }
    let row = |line: &pb::StandingLine| {
        let [name, target, value, left] = of_line(line);
        let each = if line.each > 0 { format!("{}/{}", line.each_reached, line.each) } else { String::new() };
        let attained = if line.measured { share(line.attained, true) } else { "—".into() };
        vec![line.indicator.clone(), name, target, value, attained, left, each]
    };
    let headings = [
        ("code", "指标"),
        ("name", "名称"),
        ("target", "目标"),
        ("actual", "实际"),
        ("K45", "完成率"),
        ("left", "差距"),
        ("each", "达标县区"),
    ];
    let scored = |one: &pb::UnitScore| {
        let points = if one.measured { format!("{:.2}", one.score) } else { "—".into() };
        let rank = if one.rank == 0 { String::new() } else { one.rank.to_string() };
        vec![rank, one.name.clone(), one.unit.to_string(), points]
    };
    let scores: Vec<Vec<String>> = answer.scores.iter().map(scored).collect();
    let scored = [("rank", "名次"), ("name", "单位"), ("unit", "编码"), ("score", "指标得分")];
    if reader == Reader::Program {
        let targets: Vec<_> = lines.iter().map(|line| object(line)).collect();
        let told = serde_json::json!({
            "on": date::iso(answer.on), "plan": answer.plan, "plan_version": answer.plan_version, "targets": targets,
            "scores": objects(&scored, &scores), "aside": answer.aside,
        });
        return document(reader, told);
    }
    let mut drawn = new_table();
    drawn.set_header(headings.iter().map(|(name, zh)| heading(name, zh)));
    for line in &lines {
        drawn.add_row(row(line).into_iter().enumerate().map(|(column, text)| cell(line, column, text)));
    }
    say!("{drawn}");
    table(reader, &scored, &scores);
    say!("业务日 {}；{} 第{}版 (plan)", date::iso(answer.on), answer.plan, answer.plan_version);
    beside_figures(&answer.aside, answer.on);
}

/// Prints communities against the standard: a row a criterion, the assessed score last.
pub fn standard(reader: Reader, answer: &pb::StandardAnswer) {
    if reader == Reader::Program {
        let units = answer.scores.iter().map(|unit| {
            let own = answer.lines.iter().filter(|line| line.unit == unit.unit);
            serde_json::json!({
                "unit": unit.unit, "name": unit.name, "criteria": own.map(object).collect::<Vec<_>>(),
                "score": unit.measured.then_some(unit.score), "score_needed": answer.score_needed,
            })
        });
        let told = serde_json::json!({
            "on": date::iso(answer.on), "plan": answer.plan, "plan_version": answer.plan_version,
            "units": units.collect::<Vec<_>>(),
        });
        return document(reader, told);
    }
    let mut rows = Vec::new();
    for unit in &answer.scores {
        let own = [unit.name.clone(), unit.unit.to_string()];
        for line in answer.lines.iter().filter(|line| line.unit == unit.unit) {
            let told = own.iter().cloned().chain([line.indicator.clone()]).chain(of_line(line));
            rows.push(told.collect());
        }
        let (value, left) = match unit.measured {
            true if unit.score >= answer.score_needed => (format!("{:.1}", unit.score), "达标".to_owned()),
            true => (format!("{:.1}", unit.score), format!("还差{:.1}分", answer.score_needed - unit.score)),
            false => ("—".to_owned(), "未考核 (not assessed)".to_owned()),
        };
        let told = ["score".to_owned(), "考核得分".to_owned(), format!("≥{}", answer.score_needed), value, left];
        rows.push(own.into_iter().chain(told).collect());
    }
    let headings = [
        ("name", "社区"),
        ("unit", "编码"),
        ("indicator", "代码"),
        ("title", "项目"),
        ("target", "标准"),
        ("now", "现状"),
        ("left", "还差"),
    ];
    table(reader, &headings, &rows);
}
