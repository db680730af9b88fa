//! Commands of the months: how far the units are, approving, locking, what has changed since.

use super::{Guarded, print, report};
use crate::months::{self, MonthsError};
use clap::Subcommand;
use std::{path::PathBuf, process::ExitCode};
use taizhang_node::{
    cli::parse_month,
    say,
    show::{self, Reader},
};
use taizhang_proto::{
    OrgCode, indicator, limits,
    month::Month,
    pb::{self, TotalSpan, admin_client::AdminClient},
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// 已封账的月份，及下一个月份的进度 (locked months, and how far the units are with the next)
    Months {
        /// 看哪个月份的进度，如 2008-03 (whose progress)
        #[arg(value_parser = parse_month)]
        month: Option<String>,
    },
    /// 县区审核下级的月报 (a district approves the months that its offices closed)
    Approve {
        /// 月份，如 2008-03 (month)
        #[arg(value_parser = parse_month)]
        month: String,
        /// 单位，可多次；不写则审核全部待审单位 (units; every one that waits by default)
        #[arg(long = "unit")]
        units: Vec<OrgCode>,
        /// 退回并写明原因 (send back instead, and why)
        #[arg(long = "return")]
        reason: Option<String>,
        /// 审核人 (who)
        #[arg(long, env = "TAIZHANG_BY")]
        by: String,
    },
    /// 市级封账：签名后数字不再变动 (the city locks a month: signed, its figures never move again)
    Lock {
        /// 月份，如 2008-03 (month)
        #[arg(value_parser = parse_month)]
        month: String,
        /// 尚有单位缺报时的说明 (why, while units are missing)
        #[arg(long, default_value = "")]
        reason: String,
        /// 封账人 (who)
        #[arg(long, env = "TAIZHANG_BY")]
        by: String,
        /// 不再询问 (without asking)
        #[arg(long)]
        yes: bool,
    },
    /// 月报（通报）：封账时签名的数字、更正、缺报、排名；可另存为文件打印 (the report of a locked month, to read, print or
    /// send: its signed figures, corrections, who was missing, ranks)
    Report {
        /// 月份，如 2008-03 (month)
        #[arg(value_parser = parse_month)]
        month: String,
        /// 单位，可多次；默认本级及直属下级 (units; this hub's own and those right below it by default)
        #[arg(long = "unit")]
        units: Vec<OrgCode>,
        /// 另存为 .xlsx、.csv 或可打印的 .html (write it to a file, by its extension; html to print)
        #[arg(long)]
        file: Option<PathBuf>,
    },
    /// 封账之后的更正，将列入下一月报 (what has changed of a locked month since: the next one reports it)
    Adjustments {
        /// 月份，如 2008-03 (month)
        #[arg(value_parser = parse_month)]
        month: String,
    },
}

/// Runs one of them.
pub(super) async fn run(mut admin: AdminClient<Guarded>, command: Command, reader: Reader) -> anyhow::Result<ExitCode> {
    match command {
        Command::Months { month } => {
            let request = pb::MonthRequest { month: month.unwrap_or_default(), ..pb::MonthRequest::default() };
            overview(&admin.months(request).await?.into_inner(), reader);
        }
        Command::Approve { month, units, reason, by } => {
            let units = units.into_iter().map(OrgCode::number).collect();
            // Without words it would be an approval.
            let reason =
                reason.map(|reason| limits::reason(&reason).map(str::to_owned)).transpose()?.unwrap_or_default();
            let request = pb::MonthRequest { month, by, reason, units, ..pb::MonthRequest::default() };
            let answer = admin.approve(request).await?.into_inner();
            show::document(reader, serde_json::json!({ "done": answer.done, "failed": answer.failed }));
            if reader == Reader::Person {
                match (answer.done, answer.failed.is_empty()) {
                    (0, true) => say!("没有待审核的月报 (no unit's month waits)"),
                    (done, _) => say!("已办 {done} 个单位 (units done)"),
                }
                answer.failed.iter().for_each(|line| say!("{line}"));
            }
            return Ok(ExitCode::from(if answer.failed.is_empty() { 0 } else { 3 }));
        }
        Command::Lock { month, reason, by, yes } => {
            let facts = admin.status(pb::Empty {}).await?.into_inner().facts;
            if facts.iter().any(|fact| fact.key == "tier" && fact.value != "city") {
                return Err(MonthsError::NotCity.into());
            }
            let asked = pb::MonthRequest { month: month.clone(), ..pb::MonthRequest::default() };
            let before = admin.months(asked).await?.into_inner();
            let mut locked_before = before.locked.iter().filter_map(|locked| Month::read(&locked.month));
            if let Some(same) = locked_before.find(|locked| locked.to_string() == month) {
                return Err(MonthsError::Locked(same).into());
            }
            // Who is asked first, and then refused, has been asked for nothing.
            let open = before.open.filter(|open| open.month == month && !open.gaps.is_empty());
            if let Some(open) = open.as_ref().filter(|_| reason.trim().is_empty()) {
                return Err(months::missing(open).into());
            }
            let left = open.map(|open| format!("，缺报 {} 个单位 (units are missing)", open.gaps.len()));
            let left = left.unwrap_or_default();
            let is_first = before.locked.is_empty();
            let first = if is_first {
                "；首次封账：此前的月份不能再封 (the first that is locked: no earlier one can be locked after it)"
            } else {
                ""
            };
            let words = format!("{month} 将封账并签名，数字不再变动 (the month is locked and signed){left}{first}");
            show::confirmed(&words, yes)?;
            let request = pb::MonthRequest { month, by, reason, ..pb::MonthRequest::default() };
            let (headings, rows) = locked(&[admin.lock(request).await?.into_inner()]);
            show::table(reader, &headings, &rows);
        }
        Command::Report { month, units, file } => {
            let units = units.into_iter().map(OrgCode::number).collect();
            let request = pb::MonthRequest { month, units, ..pb::MonthRequest::default() };
            let answer = admin.report(request).await?.into_inner();
            report::show(&answer, file.as_deref(), reader)?;
        }
        Command::Adjustments { month } => {
            let request = pb::MonthRequest { month, ..pb::MonthRequest::default() };
            adjustments(&admin.adjustments(request).await?.into_inner(), reader);
        }
    }
    Ok(ExitCode::SUCCESS)
}

type Rows = (Vec<(&'static str, &'static str)>, Vec<Vec<String>>);

/// Locked months, a row each.
fn locked(months: &[pb::MonthAnswer]) -> Rows {
    let row = |one: &pb::MonthAnswer| {
        vec![
            one.month.clone(),
            show::time(one.locked_at),
            one.by.clone(),
            one.figures.to_string(),
            one.corrections.to_string(),
            one.gaps.len().to_string(),
            one.reason.clone(),
            show::hex(&one.digest),
        ]
    };
    let headings = vec![
        ("month", "月份"),
        ("locked_at", "封账时间"),
        ("by", "封账人"),
        ("figures", "数字"),
        ("corrections", "更正前月"),
        ("gaps", "缺报单位"),
        ("reason", "缺报说明"),
        ("digest", "摘要"),
    ];
    (headings, months.iter().map(row).collect())
}

pub(super) fn overview(answer: &pb::MonthsAnswer, reader: Reader) {
    let (headings, locked) = locked(&answer.locked);
    let open = answer.open.as_ref();
    if reader == Reader::Program {
        let for_program = |(gap, name): (&pb::MonthGap, &pb::UnitName)| {
            let why = show::code_of(&gap.why, report::gap_word(&gap.why));
            serde_json::json!({ "unit": show::code_of(gap.unit, &name.name), "why": why })
        };
        let open = open.map(|open| {
            serde_json::json!({
                "month": open.month, "expected": open.expected, "closed": open.closed, "approved": open.approved,
                "missing": open.gaps.iter().zip(&open.names).map(for_program).collect::<Vec<_>>(),
            })
        });
        let told = serde_json::json!({ "locked": show::objects(&headings, &locked), "open": open });
        return show::document(reader, told);
    }
    show::table(reader, &headings, &locked);
    if let Some(open) = open {
        say!(
            "{}：应报 {}，已封账 {}，已审核 {} (expected, closed, approved)",
            open.month,
            open.expected,
            open.closed,
            open.approved
        );
    }
    let line = |(gap, name): (&pb::MonthGap, &pb::UnitName)| {
        vec![name.name.clone(), gap.unit.to_string(), report::gap_word(&gap.why).to_owned()]
    };
    let rows: Vec<Vec<String>> = open.iter().flat_map(|open| open.gaps.iter().zip(&open.names).map(line)).collect();
    if !rows.is_empty() {
        show::table(reader, &[("name", "单位"), ("unit", "编码"), ("why", "缺什么")], &rows);
    }
}

/// A locked month and what has changed of it since.
fn adjustments(answer: &pb::MonthAnswer, reader: Reader) {
    let rows: Vec<Vec<String>> = answer
        .adjustments
        .iter()
        .map(|one| {
            let correction = one.correction.clone().unwrap_or_default();
            let (was, now) = (correction.was.unwrap_or_default(), correction.now.unwrap_or_default());
            let flow = indicator::by_code(&now.indicator).is_some_and(|known| known.kind == indicator::Kind::Flow);
            let span = match (flow, now.span()) {
                (false, _) => "月末",
                (true, TotalSpan::Year) => "年累计",
                (true, TotalSpan::Month) => "本月",
            };
            vec![
                one.unit_name.clone(),
                one.unit.to_string(),
                now.indicator.clone(),
                span.to_owned(),
                print::figure(&was),
                print::figure(&now),
            ]
        })
        .collect();
    if reader == Reader::Person {
        let (headings, locked) = locked(std::slice::from_ref(answer));
        show::table(reader, &headings, &locked);
        say!("封账后更正 {} 处，列入下一月报 (changed since; the next month reports it)", rows.len());
    }
    let headings = [
        ("name", "单位"),
        ("unit", "编码"),
        ("indicator", "指标"),
        ("span", "口径"),
        ("reported", "已报数"),
        ("now", "现在"),
    ];
    if reader == Reader::Program || !rows.is_empty() {
        show::table(reader, &headings, &rows);
    }
}
