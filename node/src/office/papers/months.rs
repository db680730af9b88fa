//! An office's months: how far each is, and its figures: as the city has locked them, or as they stand until then.

use super::{
    super::standing::{Registers, Sums},
    day, name, shown, standing, table,
};
use crate::{ledger::Ledger, show, store::StoreError};
use std::collections::BTreeMap;
use taizhang_proto::{
    OrgCode,
    indicator::{self, Indicator, Kind, Period, Span},
    month::{self, Month, Stage},
    pb::{self, TotalSpan},
    register::number,
};

/// Every month that an office of the scope has closed, or the city has locked, the last first.
pub(super) fn overview(ledger: &Ledger) -> Result<pb::Paper, StoreError> {
    let locked: BTreeMap<String, pb::MonthText> =
        ledger.locked_months()?.into_iter().map(|(text, _)| (text.month.clone(), text)).collect();
    let lock = |month: &str| match locked.get(month) {
        Some(text) => [show::time(text.locked_at), text.by.clone()],
        None => [String::new(), String::new()],
    };
    let mut rows = BTreeMap::new();
    for (id, home, record) in standing(ledger, number::PERIOD_CLOSE, false)? {
        let close: pb::PeriodClose = record.typed(|tag| tag >= 20);
        let month = close.month.clone().unwrap_or_default();
        let words = match month::stage(&close) {
            // Whoever was to approve it came too late: nobody will.
            Stage::Closed if locked.contains_key(&month) => {
                "未经审核，市级已封账 (locked before it was approved)".to_owned()
            }
            Stage::Closed => "待审核 (closed)".to_owned(),
            Stage::Approved => format!("{} {}", day(close.approved_on), close.approved_by.clone().unwrap_or_default()),
            Stage::Returned => format!("已退回 (sent back)：{}", close.returned_reason.clone().unwrap_or_default()),
        };
        let mut row = vec![month.clone(), name(ledger, home), day(close.closed_on), shown(&record, "closed_by")];
        row.extend([close.version.unwrap_or(1).to_string(), words]);
        row.extend(lock(&month));
        rows.insert((std::cmp::Reverse(month), home, id), row);
    }
    for month in locked.keys() {
        let own = |(of, home, _): &(std::cmp::Reverse<String>, OrgCode, _)| of.0 == *month && *home == ledger.unit();
        if !rows.keys().any(own) {
            let mut row = vec![month.clone(), name(ledger, ledger.unit())];
            row.extend([
                "未封账，市级已封账，不必再报 (not closed, and locked: nothing to do)".to_owned(),
                String::new(),
                String::new(),
                String::new(),
            ]);
            row.extend(lock(month));
            let nobody = taizhang_proto::RecordId([0; 16]);
            rows.insert((std::cmp::Reverse(month.clone()), ledger.unit(), nobody), row);
        }
    }
    let columns = [
        ("month", "月份"),
        ("name", "单位"),
        ("closed_on", "封账日期"),
        ("closed_by", "填报人"),
        ("version", "版次"),
        ("approved", "县区审核"),
        ("locked_at", "市级封账时间"),
        ("locked_by", "市级封账人"),
    ];
    Ok(pb::Paper {
        title: format!("{}月报", name(ledger, ledger.unit())),
        tables: vec![table("months", "月份 (months)", &columns, rows.into_values().collect())],
        ..pb::Paper::default()
    })
}

/// The figures of one month that is over.
pub(super) fn figures(ledger: &Ledger, month: Month) -> Result<pb::Paper, StoreError> {
    let wanted = month.to_string();
    let all = ledger.locked_months()?;
    let locked = all.iter().find(|(text, _)| text.month == wanted);
    let mut paper = pb::Paper {
        title: format!("{}就业工作月报 {wanted}", name(ledger, ledger.unit())),
        foot: "填报人：　　　　　　审核人：　　　　　　填报日期：　　　　　　（盖章）".into(),
        ..pb::Paper::default()
    };
    let (units, values) = if let Some((text, sheet)) = locked {
        paper.notes.push(format!("市级已封账 (locked)：{} {}", show::time(text.locked_at), text.by));
        let Some(sheet) = sheet else {
            paper.notes.push("上级尚未下发本单位的数字 (the hub has not sent this unit's figures)".into());
            return Ok(paper);
        };
        (below(ledger), sheet.figures.clone())
    } else {
        paper.notes.push("尚未封账：按本机现有登记计算；封账数字不含没有证明材料的就业 (not locked: as the registers stand here now; a locked month is without placements that nothing proves)".into());
        (vec![ledger.unit()], counted(ledger, month)?)
    };
    let mut columns = vec![("indicator".to_owned(), "指标".to_owned()), ("name".into(), "名称".into())];
    columns.push(("span".into(), "口径".into()));
    columns.extend(units.iter().map(|unit| (unit.to_string(), name(ledger, *unit))));
    let columns: Vec<(&str, &str)> = columns.iter().map(|(key, name)| (key.as_str(), name.as_str())).collect();
    let rows = lines().map(|(one, span)| {
        let figure = |unit: &OrgCode| {
            let is = |value: &&pb::TotalValue| {
                value.unit == unit.number() && value.indicator == one.code && value.span() == span
            };
            let none =
                pb::TotalValue { indicator: one.code.into(), ratio: one.is_ratio(), ..pb::TotalValue::default() };
            show::figure(values.iter().find(is).unwrap_or(&none))
        };
        let head = [one.code.to_owned(), one.zh.to_owned(), show::span_names(one, span).0.to_owned()];
        head.into_iter().chain(units.iter().map(figure)).collect()
    });
    paper.tables.push(table("figures", "一、指标 (figures)", &columns, rows.collect()));
    let corrections = all.iter().filter_map(|(text, sheet)| Some((text, sheet.as_ref()?)));
    let corrections: Vec<Vec<String>> = corrections
        .flat_map(|(text, sheet)| sheet.corrections.iter().map(move |one| (text, one)))
        .filter(|(_, one)| one.month == wanted)
        .filter_map(|(text, one)| {
            let (was, now) = (one.was.clone().unwrap_or_default(), one.now.clone()?);
            let known = indicator::by_code(&now.indicator)?;
            let unit = OrgCode::new(now.unit).map(|unit| name(ledger, unit)).unwrap_or_default();
            let what = format!("{} {}", known.code, known.zh);
            let span = show::span_names(known, now.span()).0.to_owned();
            Some(vec![text.month.clone(), unit, what, span, show::figure(&was), show::figure(&now)])
        })
        .collect();
    if !corrections.is_empty() {
        let columns = [
            ("month", "更正月份"),
            ("name", "单位"),
            ("indicator", "指标"),
            ("span", "口径"),
            ("reported", "原报数"),
            ("now", "更正为"),
        ];
        paper.tables.push(table("corrected", "二、此后的更正 (corrected since)", &columns, corrections));
    }
    Ok(paper)
}

/// The office's own unit and those right below it.
fn below(ledger: &Ledger) -> Vec<OrgCode> {
    let (unit, units) = (ledger.unit(), ledger.units());
    std::iter::once(unit).chain(units.children(unit).map(|child| child.code)).collect()
}

/// The lines of a month's report: each indicator over its spans.
fn lines() -> impl Iterator<Item = (&'static Indicator, TotalSpan)> {
    indicator::all().flat_map(|one| {
        let spans: &[TotalSpan] =
            if one.kind == Kind::Flow { &[TotalSpan::Month, TotalSpan::Year] } else { &[TotalSpan::Year] };
        spans.iter().map(move |span| (one, *span))
    })
}

/// A month's figures as the registers of the office stand.
fn counted(ledger: &Ledger, month: Month) -> Result<Vec<pb::TotalValue>, StoreError> {
    let sums = Sums::count(&Registers::read(ledger)?, &ledger.plans())?;
    let mut values = Vec::new();
    for (one, span) in lines() {
        let over = if span == TotalSpan::Month { Span::Month } else { Span::Year };
        let period = Period::up_to(month.last_day(), over);
        let Ok(figure) = one.figure(&period, |part, dates| Ok::<_, std::convert::Infallible>(sums.sum(part, dates)));
        values.push(pb::TotalValue {
            unit: ledger.unit().number(),
            indicator: one.code.to_owned(),
            numerator: figure.numerator,
            denominator: figure.denominator,
            duplicates: figure.duplicates,
            duplicate_base: figure.duplicate_base,
            ratio: one.is_ratio(),
            span: span.into(),
        });
    }
    Ok(values)
}
