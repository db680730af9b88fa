//! Commands that read figures: totals of a day, trends, what moves as it lands.

use super::{
    Guarded,
    assess::{self, By},
    print,
};
use clap::{Args, Subcommand};
use taizhang_node::{
    cli::{parse_day, stop_signal},
    say,
    show::{self, Reader, lang},
};
use taizhang_proto::{
    OrgCode,
    date::{self, Day},
    indicator::{self, Kind},
    pb::{self, totals_client::TotalsClient},
};

/// Commands that read figures and nothing else: what a reader's certificate opens, beside draws.
#[derive(Subcommand)]
pub(super) enum Command {
    /// 实时总数 (live totals)
    Totals(Asked),
    /// 总数变化随到随显 (every change of a total as it lands)
    Watch(Figures),
    /// 指标目录 (the catalogue of indicators)
    Indicators,
    /// 目标完成情况与排名 (standing against the targets, and ranks)
    Standing(assess::Asked),
    /// 对照充分就业社区考核标准：一个社区，或单位以下各城市社区 (a community, or the urban ones below a unit, against the standard)
    Standard(assess::OnDay),
    /// 评选先进：达标社区排名及建议名单 (the certified communities proposed for commendation)
    Commend(assess::Commend),
}

/// Runs one of them.
pub(super) async fn run(totals: TotalsClient<Guarded>, command: Command, reader: Reader) -> anyhow::Result<()> {
    match command {
        Command::Totals(asked) => show(totals, asked, reader).await,
        Command::Watch(figures) => watch(totals, figures, reader).await,
        Command::Standing(asked) => assess::standing(totals, asked, reader).await,
        Command::Standard(asked) => assess::standard(totals, asked, reader).await,
        Command::Commend(asked) => assess::commend(totals, asked, reader).await,
        Command::Indicators => {
            catalogue(reader);
            Ok(())
        }
    }
}

/// Which figures.
#[derive(Args)]
pub(super) struct Figures {
    /// 单位 (unit)
    #[arg(long)]
    unit: Option<OrgCode>,
    /// 连同下级 (the unit's children too)
    #[arg(long)]
    children: bool,
    /// 指标，默认全部 (indicators)
    #[arg(long = "indicator")]
    indicators: Vec<String>,
    /// 流量按月累计，默认按年 (sum flows from the first of the month instead of the year)
    #[arg(long)]
    month: bool,
}

/// Figures of a day, or along many.
#[derive(Args)]
pub(super) struct Asked {
    #[command(flatten)]
    figures: Figures,
    /// 哪一天 (as of)
    #[arg(long, value_parser = parse_day)]
    on: Option<Day>,
    /// 列出每个县区、乡镇街道或社区村 (every unit of a tier below)
    #[arg(long)]
    by: Option<By>,
    /// 走势：每月末一行 (a trend: a row at each month's end)
    #[arg(long)]
    trend: bool,
    /// 走势逐日 (a trend with a row a day)
    #[arg(long, requires = "trend")]
    daily: bool,
    /// 走势的起日，默认当年1月1日 (first day of the trend)
    #[arg(long, value_parser = parse_day, requires = "trend")]
    from: Option<Day>,
}

fn request(figures: Figures) -> pb::TotalsRequest {
    pb::TotalsRequest {
        unit: figures.unit.map_or(0, OrgCode::number),
        children: figures.children,
        indicators: figures.indicators,
        span: span(figures.month).into(),
        ..pb::TotalsRequest::default()
    }
}

fn span(month: bool) -> pb::TotalSpan {
    if month { pb::TotalSpan::Month } else { pb::TotalSpan::Year }
}

/// Figures of a day, or a trend.
async fn show(mut totals: TotalsClient<Guarded>, asked: Asked, reader: Reader) -> anyhow::Result<()> {
    if asked.trend {
        return trend(totals, asked, reader).await;
    }
    let request = pb::TotalsRequest { on: asked.on.unwrap_or(0), by: By::tier(asked.by), ..request(asked.figures) };
    print::show_totals(&totals.query(request).await?.into_inner(), reader);
    Ok(())
}

async fn trend(mut totals: TotalsClient<Guarded>, asked: Asked, reader: Reader) -> anyhow::Result<()> {
    let mut codes = asked.figures.indicators;
    if codes.is_empty() {
        codes.push("K01".into());
    }
    let mut headings = vec![("on".to_owned(), "日期".to_owned())];
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut micros = 0;
    for code in codes {
        let answer = totals
            .trend(pb::TrendRequest {
                unit: asked.figures.unit.map_or(0, OrgCode::number),
                indicator: code,
                from: asked.from.unwrap_or(0),
                to: asked.on.unwrap_or(0),
                span: span(asked.figures.month).into(),
                monthly: !asked.daily,
            })
            .await?
            .into_inner();
        headings
            .push((answer.indicator.clone(), format!("{} {}", answer.indicator, lang::indicator(&answer.indicator))));
        for (place, point) in answer.points.iter().enumerate() {
            if rows.len() <= place {
                rows.push(vec![date::iso(point.on)]);
            }
            rows[place].push(print::figure(&pb::TotalValue {
                indicator: answer.indicator.clone(),
                numerator: point.numerator,
                denominator: point.denominator,
                ratio: answer.ratio,
                duplicates: point.duplicates,
                ..pb::TotalValue::default()
            }));
        }
        micros += answer.micros;
    }
    let headings: Vec<(&str, &str)> = headings.iter().map(|(key, name)| (key.as_str(), name.as_str())).collect();
    show::table(reader, &headings, &rows);
    if reader == Reader::Person {
        say!("{} 行，用时 {:.1} 毫秒 (took ms)", rows.len(), micros as f64 / 1_000.0);
    }
    Ok(())
}

/// Every change of a figure as it lands.
async fn watch(mut totals: TotalsClient<Guarded>, figures: Figures, reader: Reader) -> anyhow::Result<()> {
    let mut stream = totals.watch(request(figures)).await?.into_inner();
    loop {
        tokio::select! {
            answer = stream.message() => match answer? {
                Some(answer) => {
                    print::show_changes(&answer, reader);
                    if !show::is_read() {
                        return Ok(());
                    }
                }
                None => return Ok(()),
            },
            () = stop_signal() => return Ok(()),
        }
    }
}

/// The catalogue of indicators.
fn catalogue(reader: Reader) {
    let rows: Vec<Vec<String>> = indicator::all()
        .map(|one| {
            vec![
                one.code.to_owned(),
                one.zh.to_owned(),
                one.en.to_owned(),
                format!("{:?}", one.class),
                if one.kind == Kind::Flow { "期间" } else { "时点" }.to_owned(),
                if one.timed { "随日期变动" } else { "" }.to_owned(),
                if one.up { "↑" } else { "↓" }.to_owned(),
            ]
        })
        .collect();
    let headings = [
        ("code", "指标"),
        ("zh", "名称"),
        ("en", "英文名"),
        ("class", "类别"),
        ("kind", "口径"),
        ("timed", "时间"),
        ("direction", "方向"),
    ];
    show::table(reader, &headings, &rows);
}
