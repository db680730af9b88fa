//! The district's own hand: merging records and revising them. Its reviewers' other commands are those of a township.

use clap::Subcommand;
use std::process::ExitCode;
use taizhang_node::{
    cli::review::{Client, pairs, print_settled},
    show::{self, Reader},
};
use taizhang_proto::pb;

/// The commands.
#[derive(Subcommand)]
pub(super) enum Command {
    /// 把一条记录并入另一条 (merge a record into another)
    Merge {
        /// 保留的记录 (the record that stands)
        survivor: String,
        /// 并入的记录 (the record that is absorbed)
        absorbed: String,
        /// 取被并记录的栏目 (fields whose value the absorbed record gives)
        #[arg(long)]
        take: Vec<String>,
        /// 撤回合并 (take the merge back)
        #[arg(long)]
        undo: bool,
        /// 两条的公民身份号码不同：确为同一人，仍要合并 (they carry two id numbers, and are one person all the same)
        #[arg(long)]
        despite: bool,
        /// 理由，必填 (why)
        #[arg(long)]
        reason: String,
        /// 审核人，必填 (who decides)
        #[arg(long, env = "TAIZHANG_BY")]
        by: String,
    },
    /// 县区直接登记或更正：认定、核验、撤销等 (the district's own entry: certify, verify, correct)
    Revise {
        /// 登记表 (register)
        register: String,
        /// 已有记录的编号 (id of the record to edit)
        #[arg(long, default_value = "")]
        record: String,
        /// 字段=值 (field=value)
        #[arg(required = true)]
        fields: Vec<String>,
        /// 理由，必填 (why)
        #[arg(long)]
        reason: String,
        /// 审核人，必填 (who decides)
        #[arg(long, env = "TAIZHANG_BY")]
        by: String,
        /// 未达标准、号码已有、另立一案或重复登记：仍要登记，理由随记录保存 (enter all the same what is below the standard, carries a number
        /// that is taken, or stands already)
        #[arg(long)]
        despite: bool,
    },
}

pub(super) async fn run(mut review: Client, command: Command, reader: Reader) -> anyhow::Result<ExitCode> {
    match command {
        Command::Merge { survivor, absorbed, take, undo, reason, by, despite } => {
            let request = pb::MergeRequest { survivor, absorbed, take, reason, by, undo, despite };
            Ok(print_settled(&review.merge(request).await?.into_inner(), reader))
        }
        Command::Revise { register, record, fields, reason, by, despite } => {
            let request = pb::ReviseRequest { record, register, fields: pairs(&fields)?, reason, by, despite };
            let answer = review.revise(request).await?.into_inner();
            show::facts(reader, &[show::fact("record", "记录编号", "record", answer.record)]);
            for doubt in &answer.doubts {
                eprintln!("请注意：{doubt}");
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}
