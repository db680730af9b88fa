//! `import`: a clerk's file to the office, and the rows that were refused back to the clerk.
//! Invariant: the place for the refused rows is taken before anything is saved, and no file that is there is written over.

use super::{Client, parse_day};
use crate::{
    disk::{self, DiskError, Secrecy},
    exchange::{MAX_FILE, reasons_name},
    show::{self, Reader, lang},
};
use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};
use taizhang_proto::{OrgCode, date::Day, pb};

/// What to import, and how.
#[derive(Args)]
pub(super) struct Import {
    /// 文件 (file)
    file: PathBuf,
    /// 只检查，不保存 (check only)
    #[arg(long)]
    dry_run: bool,
    /// 表中未写单位时归属的单位 (unit of rows that name none)
    #[arg(long)]
    unit: Option<OrgCode>,
    /// 以前导入时未写单位、登记在本单位名下的，改到 --unit 或表中写明的单位 (move what stands in this office's own name)
    #[arg(long = "move")]
    moves: bool,
    /// 接收旧登记册时，表中未写的入册日期，如 2005-01-01；默认为行内最早的登记日期，没有则为导入当日 (since when they are on
    /// the register, for taking over an old one; else the row's earliest day, or today)
    #[arg(long, value_parser = parse_day)]
    registered_on: Option<Day>,
    /// 未通过的行写到此处，默认与文件同目录；已有同名文件时另起编号 (where the wrong rows go; an existing file is left alone)
    #[arg(long)]
    reasons: Option<PathBuf>,
    /// 尚未收到单位树时等待，而不是退出 (wait for the tree of units where none has come yet)
    #[arg(long)]
    wait: bool,
}

/// Runs the command.
pub(super) async fn import(client: Client, asked: Import, reader: Reader) -> anyhow::Result<ExitCode> {
    let content = disk::read_bounded(&asked.file, MAX_FILE as u64)?;
    let file_name = asked.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let wanted = asked.reasons.clone().unwrap_or_else(|| asked.file.with_file_name(reasons_name(&file_name, &content)));
    let place = Place::take(&wanted)?;
    let request = pb::ImportRequest {
        file_name,
        content: content.into(),
        unit: asked.unit.map_or(0, OrgCode::number),
        dry_run: asked.dry_run,
        by: String::new(),
        moves: asked.moves,
        registered_on: asked.registered_on,
    };
    let report = run(client, request, asked.wait).await?;
    let facts = [
        show::fact("rows", "数据行", "rows", report.rows),
        show::fact("new", "新增", "new", report.new_rows),
        show::fact("changed", "更新", "changed", report.changed_rows),
        show::fact("same", "已存在", "same", report.same_rows),
        show::fact("wrong", "未通过", "wrong", report.wrong_rows),
        show::fact("skipped", "跳过", "skipped", report.skipped_rows),
    ];
    let reasons = if report.reasons.is_empty() { None } else { Some(place.fill(&report)?) };
    if reader == Reader::Program {
        let mut told = show::object(&facts);
        told.insert("notes".into(), report.findings.clone().into());
        told.insert("reasons".into(), reasons.as_ref().map(|path| path.display().to_string()).into());
        show::document(reader, told.into());
    } else {
        show::facts(reader, &facts);
    }
    // A program has them in its document.
    for finding in report.findings.iter().filter(|_| reader == Reader::Person) {
        eprintln!("注意：{finding}");
    }
    let Some(path) = reasons else { return Ok(ExitCode::SUCCESS) };
    eprintln!("未通过的行及原因已写入 {}，改正后可再次导入 (wrong rows with reasons)", path.display());
    Ok(ExitCode::from(3))
}

/// Asks until there is an answer.
async fn run(mut client: Client, request: pb::ImportRequest, wait: bool) -> anyhow::Result<pb::ImportReport> {
    let mut told = false;
    let mut steps = loop {
        match client.import(request.clone()).await {
            Err(status) if wait && status.code() == tonic::Code::Unavailable => {
                if !std::mem::replace(&mut told, true) {
                    eprintln!(
                        "等待上级的单位树，Ctrl-C 放弃 (waiting for the tree of units; Ctrl-C gives up)：{}",
                        status.message()
                    );
                }
                // A session now, whatever the schedule says; why it fails is in `status`.
                let _ = client.sync_now(pb::Empty {}).await;
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
            answered => break answered?.into_inner(),
        }
    };
    let bar = ProgressBar::new(0);
    bar.set_style(
        ProgressStyle::with_template("导入 {bar:40} {pos}/{len} 行 {eta}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let mut last = None;
    loop {
        let step = tokio::select! {
            step = steps.message() => step?,
            _ = tokio::signal::ctrl_c() => {
                bar.finish_and_clear();
                anyhow::bail!(
                    "不再等待；若 serve 在运行，已开始的导入会继续做完，再导入同一文件即得到结果和原因文件 (no longer waiting: where `serve` runs it \
                     goes on; import the file again for its result and reasons)"
                );
            }
        };
        let Some(step) = step else { break };
        if let Some(progress) = step.progress {
            if !progress.what.is_empty() {
                eprintln!("{}", lang::either(&progress.what));
            }
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        }
        last = step.report.or(last);
    }
    bar.finish_and_clear();
    last.context("导入未完成 (the import did not finish)")
}

/// The place of the reasons file: a name that somebody may write to, and at which nothing stands before there is something to say, so
/// that an import which is killed leaves no empty file.
struct Place {
    wanted: PathBuf,
}

impl Place {
    /// Looks whether a file can be written there.
    fn take(wanted: &Path) -> anyhow::Result<Self> {
        let told = |error: DiskError| {
            anyhow::anyhow!(
                "原因文件写不到 {}，没有导入；请用 --reasons 另指位置 (nothing was imported: name another place with --reasons): {error}",
                wanted.display()
            )
        };
        let probe = disk::reserve(wanted).map_err(told)?;
        disk::remove(&probe).map_err(told)?;
        Ok(Self { wanted: wanted.to_owned() })
    }

    /// Writes the rows there, under a name that nobody has; as another kind of file than was expected where they need it.
    fn fill(self, report: &pb::ImportReport) -> anyhow::Result<PathBuf> {
        let ending = Path::new(&report.reasons_name).extension();
        // Rows that no workbook holds come as a text.
        let is_other =
            self.wanted.extension().is_some_and(|own| own == "xlsx") && ending.is_some_and(|ending| ending == "csv");
        let wanted = if is_other { self.wanted.with_extension("csv") } else { self.wanted };
        let path = disk::reserve(&wanted)?;
        if let Err(error) = disk::write_file(&path, &report.reasons, Secrecy::OwnerOnly) {
            let _ = disk::remove(&path);
            return Err(error.into());
        }
        Ok(path)
    }
}
