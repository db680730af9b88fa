//! Commands of target assessment: standings, commendation, draws.

use super::{Guarded, totals::By};
use clap::Args;
use taizhang_node::{
    cli::parse_day,
    show::{self, Reader},
};
use taizhang_proto::{
    OrgCode,
    date::{self, Day},
    pb::{self, admin_client::AdminClient, totals_client::TotalsClient},
};

/// Whose standing.
#[derive(Args)]
pub(super) struct Asked {
    /// 单位 (unit)
    #[arg(long)]
    unit: Option<OrgCode>,
    /// 哪一天 (as of)
    #[arg(long, value_parser = parse_day)]
    on: Option<Day>,
    /// 各县区、乡镇街道或社区的得分和名次 (scores and ranks of a tier below)
    #[arg(long)]
    by: Option<By>,
}

/// Whom to commend.
#[derive(Args)]
pub(super) struct Commend {
    /// 评定日 (the day on which the title must be held)
    #[arg(long, value_parser = parse_day)]
    on: Option<Day>,
    /// 名额，默认按工作目标 (how many; the plan's by default)
    #[arg(long, default_value_t = 0)]
    count: u32,
}

/// Whom to check.
#[derive(Args)]
pub(super) struct Draw {
    /// 哪一天的达标社区 (those certified on the day)
    #[arg(long, value_parser = parse_day)]
    on: Option<Day>,
    /// 随机种子，默认随机 (the seed; random by default, and printed)
    #[arg(long, default_value = "")]
    seed: String,
    /// 抽查比例，默认按工作目标 (the share to draw; the plan's by default)
    #[arg(long, default_value_t = 0.0)]
    share: f64,
}

/// Which task.
#[derive(Args)]
pub(super) struct Tasks {
    /// 下达：任务名称 (give a task with this title)
    #[arg(long, requires_all = ["to", "due"])]
    give: Option<String>,
    /// 承办单位，可多次 (units that have to do it)
    #[arg(long)]
    to: Vec<OrgCode>,
    /// 完成期限 (due on)
    #[arg(long, value_parser = parse_day)]
    due: Option<Day>,
    /// 要求 (what is demanded)
    #[arg(long, default_value = "")]
    demand: String,
    /// 对应指标 (the indicator that it is about)
    #[arg(long, default_value = "")]
    indicator: String,
    /// 撤回任务，写任务号 (take back the task with this number)
    #[arg(long, conflicts_with = "give")]
    withdraw: Option<u32>,
}

/// Gives a task, takes one back, or lists them.
pub(super) async fn tasks(mut admin: AdminClient<Guarded>, asked: Tasks, reader: Reader) -> anyhow::Result<()> {
    let answer = match (asked.give, asked.withdraw) {
        (None, None) => admin.orders(pb::Empty {}).await?,
        (give, withdraw) => {
            let order = pb::TaskOrder {
                title: give.unwrap_or_default(),
                to: asked.to.into_iter().map(OrgCode::number).collect(),
                due_on: asked.due.unwrap_or_default(),
                demand: asked.demand,
                indicator: asked.indicator.to_uppercase(),
                ..pb::TaskOrder::default()
            };
            admin.order(pb::OrderRequest { order: Some(order), withdraw: withdraw.unwrap_or_default() }).await?
        }
    };
    let answer = answer.into_inner();
    let name = |unit: &u64| {
        let known = answer.names.iter().find(|name| name.unit == *unit);
        known.map_or_else(|| unit.to_string(), |known| known.name.clone())
    };
    let day = |day: Day| if day == 0 { String::new() } else { date::iso(day) };
    let row = |order: &pb::TaskOrder| {
        vec![
            order.no.to_string(),
            order.title.clone(),
            order.to.iter().map(name).collect::<Vec<_>>().join("、"),
            day(order.given_on),
            day(order.due_on),
            order.indicator.clone(),
            order.demand.clone(),
            day(order.withdrawn_on),
        ]
    };
    let headings = [
        ("no", "任务号"),
        ("title", "任务"),
        ("to", "承办单位"),
        ("given_on", "下达"),
        ("due_on", "期限"),
        ("indicator", "指标"),
        ("demand", "要求"),
        ("withdrawn_on", "撤回"),
    ];
    show::table(reader, &headings, &answer.orders.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

/// A unit's targets, and the scores of those below.
pub(super) async fn standing(mut totals: TotalsClient<Guarded>, asked: Asked, reader: Reader) -> anyhow::Result<()> {
    let request = pb::StandingRequest {
        unit: asked.unit.map_or(0, OrgCode::number),
        on: asked.on.unwrap_or(0),
        by: By::tier(asked.by),
    };
    let answer = totals.standing(request).await?.into_inner();
    show::standing(reader, &answer);
    Ok(())
}

/// Those proposed for commendation.
pub(super) async fn commend(mut totals: TotalsClient<Guarded>, asked: Commend, reader: Reader) -> anyhow::Result<()> {
    let request = pb::CommendRequest { on: asked.on.unwrap_or(0), count: asked.count };
    let answer = totals.commend(request).await?.into_inner();
    let row = |one: &pb::Commended| {
        let decided = match one.decided.as_str() {
            "overdue" => "同分，超期户较少",
            "in_time" => "同分，按期率较高",
            "code" => "各项相同，按编码，须人工定夺",
            _ => "得分",
        };
        vec![
            one.rank.to_string(),
            one.name.clone(),
            one.unit.to_string(),
            format!("{:.2}", one.score),
            one.overdue.to_string(),
            format!("{}/{}", one.in_time, one.due),
            decided.to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = answer.proposed.iter().map(row).collect();
    let headings = [
        ("rank", "名次"),
        ("name", "社区"),
        ("unit", "编码"),
        ("score", "得分"),
        ("overdue", "超期户"),
        ("in_time", "按期安置"),
        ("decided", "先于下一名的理由"),
    ];
    show::table(reader, &headings, &rows);
    if reader == Reader::Person {
        println!("评定日 {}；达标社区 {} 个 (certified on the day)", date::iso(answer.on), answer.candidates);
        if let Some(next) = &answer.next {
            println!("未入选的下一名：{}，得分 {:.2} (the next one)", next.name, next.score);
        }
    }
    Ok(())
}

/// A draw that anybody can replay.
pub(super) async fn draw(mut totals: TotalsClient<Guarded>, asked: Draw, reader: Reader) -> anyhow::Result<()> {
    let request = pb::DrawRequest { on: asked.on.unwrap_or(0), seed: asked.seed, share: asked.share };
    let answer = totals.draw(request).await?.into_inner();
    let rows: Vec<Vec<String>> = answer.drawn.iter().map(|one| vec![one.name.clone(), one.unit.to_string()]).collect();
    show::table(reader, &[("name", "社区"), ("unit", "编码")], &rows);
    if reader == Reader::Person {
        println!(
            "{} 的达标社区 {} 个，抽出 {} 个；种子 {}，用 draw --on {} --seed {} 可复核 (replay it with this seed)",
            date::iso(answer.on),
            answer.candidates,
            answer.drawn.len(),
            answer.seed,
            date::iso(answer.on),
            answer.seed
        );
    } else {
        show::facts(reader, &[show::fact("seed", "", "", answer.seed)]);
    }
    Ok(())
}
