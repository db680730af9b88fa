//! Figures and targets as people read them, at the hub and at an office.

use super::{Reader, table};
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

fn share(value: f64, ratio: bool) -> String {
    if ratio { format!("{:.1}%", value * 100.0) } else { format!("{value}") }
}

/// What is left to reach a target, in words.
fn left(line: &pb::StandingLine, ratio: bool) -> String {
    let target = share(line.target, ratio);
    match (line.measured, line.reached, line.at_most) {
        (false, ..) => "无可考核 (nothing to measure)".into(),
        (true, true, _) => "达标".into(),
        (true, false, false) => format!("还差{}个达到{target} ({} more to {target})", line.left, line.left),
        (true, false, true) => format!("超出{}个 ({} too many)", line.left, line.left),
    }
}

/// Prints a unit's targets with how they stand, and the scores.
pub fn standing(reader: Reader, answer: &pb::StandingAnswer) {
    let own = answer.lines.first().map_or(0, |line| line.unit);
    let rows: Vec<Vec<String>> = answer
        .lines
        .iter()
        .filter(|line| line.unit == own)
        .map(|line| {
            let known = indicator::by_code(&line.indicator);
            let ratio = known.is_some_and(indicator::Indicator::is_ratio);
            let value = pb::TotalValue {
                indicator: line.indicator.clone(),
                numerator: line.numerator,
                denominator: line.denominator,
                ratio,
                ..pb::TotalValue::default()
            };
            let each = if line.each > 0 { format!("{}/{}", line.each_reached, line.each) } else { String::new() };
            vec![
                line.indicator.clone(),
                known.map_or("", |known| known.zh).to_owned(),
                format!("{}{}", if line.at_most { "≤" } else { "≥" }, share(line.target, ratio)),
                figure(&value),
                left(line, ratio),
                each,
            ]
        })
        .collect();
    let headings = [
        ("code", "指标"),
        ("name", "名称"),
        ("target", "目标"),
        ("actual", "实际"),
        ("left", "差距"),
        ("each", "达标县区"),
    ];
    table(reader, &headings, &rows);
    let scored = |one: &pb::UnitScore| {
        let points = if one.measured { format!("{:.2}", one.score) } else { "—".into() };
        let rank = if one.rank == 0 { String::new() } else { one.rank.to_string() };
        vec![rank, one.name.clone(), one.unit.to_string(), points]
    };
    let scores: Vec<Vec<String>> = answer.scores.iter().map(scored).collect();
    table(reader, &[("rank", "名次"), ("name", "单位"), ("unit", "编码"), ("score", "得分")], &scores);
    if reader == Reader::Person {
        println!("业务日 {}；{} 第{}版 (plan)", date::iso(answer.on), answer.plan, answer.plan_version);
    }
}
