//! Commands that read and print what an office holds: months, tasks, campaigns, lists to post up, the archive.

use super::{Client, parse_day, parse_month};
use crate::show::{Reader, paper};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use taizhang_proto::{
    date::Day,
    pb::{self, PaperKind},
};

/// The commands.
#[derive(Subcommand)]
pub(super) enum Command {
    /// 月报：各月封账、审核、市级封账情况；写明月份则列出该月数字 (closed, approved and locked months; the figures of one that is
    /// named)
    Months {
        /// 月份，如 2008-03 (month)
        #[arg(value_parser = parse_month)]
        month: Option<String>,
        #[command(flatten)]
        out: Out,
    },
    /// 调度任务：未办结的在前 (tasks that were given to this office)
    Tasks {
        /// 也列出已销号、已撤回的 (those that are over, too)
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        out: Out,
    },
    /// 援助月等活动：本级及上级组织的，及本单位完成情况 (campaigns of this office and of those above, and what was done here)
    Campaigns {
        #[command(flatten)]
        out: Out,
    },
    /// 公示名单：已认定的零就业家庭，只有户主姓名、社区、认定日期、人口 (recognised zero-employment households, to post up)
    Publicity {
        /// 只列此日起认定的 (recognised from this day on)
        #[arg(long, value_parser = parse_day)]
        from: Option<Day>,
        #[command(flatten)]
        out: Out,
    },
    /// 档案：卷宗目录、卷宗标签 (the archive's catalogue, and labels for its volumes)
    Archive {
        /// 打印标签而不是目录 (labels instead of the catalogue)
        #[arg(long)]
        labels: bool,
        /// 只列此年形成的 (formed in this year)
        #[arg(long, default_value_t = 0)]
        year: u32,
        /// 只列此类别，如 册 (of this class)
        #[arg(long, default_value = "")]
        class: String,
        #[command(flatten)]
        out: Out,
    },
}

/// As of when, and where to.
#[derive(Args)]
pub(super) struct Out {
    /// 哪一天，默认今天 (as of)
    #[arg(long, value_parser = parse_day)]
    on: Option<Day>,
    /// 另存为 .xlsx、.csv 或可打印的 .html (write it to a file, by its extension; html to print)
    #[arg(long)]
    file: Option<PathBuf>,
}

/// Runs one of them.
pub(super) async fn run(mut client: Client, command: Command, reader: Reader) -> anyhow::Result<()> {
    let (request, out) = match command {
        Command::Months { month: None, out } => (of(PaperKind::PaperMonths), out),
        Command::Months { month: Some(month), out } => (pb::PaperRequest { month, ..of(PaperKind::PaperMonth) }, out),
        Command::Tasks { all, out } => (pb::PaperRequest { all, ..of(PaperKind::PaperTasks) }, out),
        Command::Campaigns { out } => (of(PaperKind::PaperCampaigns), out),
        Command::Publicity { from, out } => {
            (pb::PaperRequest { from: from.unwrap_or(0), ..of(PaperKind::PaperPublicity) }, out)
        }
        Command::Archive { labels, year, class, out } => {
            let kind = if labels { PaperKind::PaperLabels } else { PaperKind::PaperCatalogue };
            (pb::PaperRequest { year, class, ..of(kind) }, out)
        }
    };
    let answer = client.paper(pb::PaperRequest { on: out.on.unwrap_or(0), ..request }).await?.into_inner();
    paper::show(&answer, out.file.as_deref(), reader)
}

fn of(kind: PaperKind) -> pb::PaperRequest {
    pb::PaperRequest { kind: kind.into(), ..pb::PaperRequest::default() }
}
