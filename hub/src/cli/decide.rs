//! The city's decisions on titles: the year's commendations, and a title that is revoked (notice, items 34 and 35).

use super::{Session, assess};
use anyhow::bail;
use clap::Subcommand;
use taizhang_node::show::{self, Reader};
use taizhang_proto::{
    OrgCode,
    pb::{self, OrderKind},
};

/// The commands.
#[derive(Subcommand)]
pub(super) enum Command {
    /// 评定本年度表彰单位：不写编码则按 commend 的建议名单 (decide whom to commend: the proposal, or these, by rank)
    Commend {
        /// 社区编码，按名次 (communities, by rank)
        units: Vec<OrgCode>,
        /// 审核人，必填 (who decides)
        #[arg(long, env = "TAIZHANG_BY")]
        by: String,
    },
    /// 取消称号：责令整顿后仍不到位的社区 (revoke the title of a community that was ordered to rectify and has not)
    Revoke {
        /// 社区编码 (community)
        unit: OrgCode,
        /// 理由，必填 (why)
        #[arg(long)]
        reason: String,
        /// 审核人，必填 (who decides)
        #[arg(long, env = "TAIZHANG_BY")]
        by: String,
    },
}

pub(super) async fn run(session: &Session, command: Command, reader: Reader) -> anyhow::Result<()> {
    let order = match command {
        Command::Commend { units, by } => {
            let units = if units.is_empty() { proposed(session, reader).await? } else { units };
            order(OrderKind::Commend, "充分就业工作先进单位", units, String::new(), by)
        }
        Command::Revoke { unit, reason, by } => {
            order(OrderKind::Revoke, "取消充分就业社区称号", vec![unit], reason, by)
        }
    };
    let request = pb::OrderRequest { order: Some(order), withdraw: 0 };
    let answer = session.admin.clone().order(request).await?.into_inner();
    assess::all_tasks(&answer, reader);
    Ok(())
}

fn order(kind: OrderKind, title: &str, units: Vec<OrgCode>, demand: String, by: String) -> pb::TaskOrder {
    let to = units.into_iter().map(OrgCode::number).collect();
    pb::TaskOrder { kind: kind.into(), title: title.into(), to, demand, by, ..pb::TaskOrder::default() }
}

/// The proposal, where figures alone decide it. Where there are no more than there are places, all of them are commended:
/// nobody loses by a tie, and equal ones rank by their codes.
async fn proposed(session: &Session, reader: Reader) -> anyhow::Result<Vec<OrgCode>> {
    let answer = session.totals.clone().commend(pb::CommendRequest::default()).await?.into_inner();
    if answer.proposed.is_empty() {
        bail!("没有持有称号且未在整顿的社区，无可表彰 (nobody holds the title: there is nobody to commend)");
    }
    if answer.candidates <= answer.places {
        let words = format!(
            "符合条件的社区 {} 个，名额 {} 个，全部评定；各项相同的按编码排名 (as many as there are; equal ones rank by code)",
            answer.candidates, answer.places
        );
        show::line(reader, &words);
        return Ok(answer.proposed.iter().filter_map(|one| OrgCode::new(one.unit).ok()).collect());
    }
    let followed = answer.proposed.len() - usize::from(answer.next.is_none() && !answer.proposed.is_empty());
    if let Some(tie) = answer.proposed.iter().take(followed).find(|one| one.decided == "code") {
        bail!(
            "第{}名与下一名各项相同，须人工定夺：请按名次写明全部社区编码 (a tie: name all communities, by rank)",
            tie.rank
        );
    }
    Ok(answer.proposed.iter().filter_map(|one| OrgCode::new(one.unit).ok()).collect())
}
