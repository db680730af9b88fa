//! Enrolling a computer: the certificate, and at once the first session, which brings what an office needs to work (the tree of
//! units, the plan, the records of a unit that has some).
//! Invariant: a directory of one unit does not become another unit's. It is set aside whole, and only when nothing in it still
//! waits for its hub.

use crate::{
    audit_log::{self, Entry},
    caller::Role,
    config::{self, Config},
    disk::{self, Secrecy},
    identity::{CertKind, Identity, Token},
    ledger::system_clock,
    office::Office,
    show::{self, Reader},
    upstream::{Replica, link::LinkError, schedule::Keeper},
};
use anyhow::{Context, bail};
use indicatif::ProgressBar;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use taizhang_proto::{OrgCode, pb};

/// Tells a program who was enrolled where, and how many records the first session brought; none where there was no session.
pub fn enrolled(identity: &Identity, records: Option<u64>, reader: Reader) {
    let told = serde_json::json!({
        "unit": identity.name.unit.number(), "node": identity.name.id, "hub": identity.hub_unit.to_string(),
        "address": identity.address, "first_session": records.is_some(), "records": records,
    });
    show::document(reader, told);
}

/// What is said where a first session could not be made.
pub const RUNS_ON: &str = "本机程序如正在运行，请停止后重新运行 serve，新的登记才生效 (if `serve` runs here, stop and start it: it goes \
                           by the old identity until then)";

/// Enrolled, and the first session is still to be made.
const PARTLY: u8 = 3;

/// Enrols the office in a directory.
///
/// # Errors
/// When the directory is another unit's, or the hub does not admit it.
pub(super) async fn enrol(dir: &Path, text: &str, replace: bool, reader: Reader) -> anyhow::Result<ExitCode> {
    let token = Token::from_text(text)?;
    token.is_for(CertKind::Node)?;
    let unit = OrgCode::new(token.unit).context("令牌不完整 (the token is not whole)")?;
    let identity = match unit_of(dir)?.filter(|other| *other != unit) {
        Some(other) => {
            may_be_set_aside(dir, (other, unit), replace)?;
            // The hub's word first: a token that is good for nothing must not cost anybody a directory.
            let fresh = free_name(dir, unit);
            if let Err(error) = Identity::enrol(&fresh, text).await {
                let _ = std::fs::remove_dir_all(&fresh); // nothing but a key that nobody knows
                return Err(error.into());
            }
            let aside = free_name(dir, other);
            let moved = |from: &Path, to: &Path| {
                std::fs::rename(from, to).with_context(|| format!("{} -> {}", from.display(), to.display()))
            };
            moved(dir, &aside)?;
            moved(&fresh, dir)?;
            show::line(reader, &format!("原数据已另存为 {} (the old data was set aside)", aside.display()));
            Identity::load(dir)?
        }
        None => Identity::enrol(dir, text).await?,
    };
    if !dir.join(config::FILE).exists() {
        disk::write_file(&dir.join(config::FILE), config::TEMPLATE.as_bytes(), Secrecy::Plain)?;
    }
    let (at, unit, of) = (system_clock()() / 1_000, identity.name.unit.number(), identity.name.id.clone());
    let what = if replace { "enrol --replace" } else { "enrol" };
    // It is enrolled all the same.
    if let Err(error) =
        audit_log::put(dir, &Entry { at, by: String::new(), role: Role::Operator, unit, what: what.into(), of })
    {
        eprintln!("{error}");
    }
    let words = format!("已登记：单位 {}，上级 {} ({})", identity.name.unit, identity.hub_unit, identity.address);
    show::line(reader, &words);
    let told = |records: Option<u64>| enrolled(&identity, records, reader);
    let config = Config::load(dir)?;
    let office = match Office::open(dir, &config, config.schedule()?, system_clock()) {
        Ok(office) => office,
        Err(error) => {
            eprintln!("首次同步未进行，运行 serve 时再同步 (no first session yet; `serve` makes it): {error}");
            eprintln!("{RUNS_ON}");
            told(None);
            return Ok(ExitCode::from(PARTLY));
        }
    };
    let keeper = office.keeper.as_ref().context("the office has its identity")?;
    Ok(match first_session(keeper).await {
        Ok(report) => {
            let units = office.ledger.units().len();
            let words = format!(
                "首次同步完成：单位树 {units} 个单位，收到记录 {} 条 (first session done: units, records)",
                report.pulled
            );
            show::line(reader, &words);
            told(Some(report.pulled));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!(
                "首次同步未完成，运行 serve 时继续 (the first session broke off; `serve` goes on with it): {error}"
            );
            told(None);
            ExitCode::from(PARTLY)
        }
    })
}

/// The first session of who was just enrolled, with progress.
///
/// # Errors
/// When it breaks off; nothing is lost by that.
pub async fn first_session<R: Replica + ?Sized>(keeper: &Arc<Keeper<R>>) -> Result<pb::SyncReport, LinkError> {
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(200));
    let mut session = std::pin::pin!(keeper.sync_now());
    let outcome = loop {
        tokio::select! {
            outcome = &mut session => break outcome,
            () = tokio::time::sleep(Duration::from_millis(200)) => {
                bar.set_message(format!("首次同步 (first session)：已收到 {} 条", keeper.state().report.pulled));
            }
        }
    };
    bar.finish_and_clear();
    outcome
}

/// The unit whose directory this is, as its certificate says, or its configuration before it has one.
pub(super) fn unit_of(dir: &Path) -> anyhow::Result<Option<OrgCode>> {
    if let Some(identity) = Identity::load_if_enrolled(dir)? {
        return Ok(Some(identity.name.unit));
    }
    if dir.join(config::FILE).exists() { Ok(Config::load(dir)?.unit) } else { Ok(None) }
}

/// Whether the directory of another unit may be set aside: that was asked for, and nothing waits in it.
fn may_be_set_aside(dir: &Path, (other, unit): (OrgCode, OrgCode), replace: bool) -> anyhow::Result<()> {
    let config = Config::load(dir)?;
    let waiting = {
        let office = Office::open(dir, &config, config.schedule()?, system_clock())?;
        let refused = office.ledger.refused().map_err(anyhow::Error::new)?.len() as u64;
        (office.ledger.pending(), refused)
    };
    if waiting != (0, 0) {
        bail!(
            "{} 是单位 {other} 的数据，其中 {} 条待上报、{} 条被退回，不能改为单位 {unit}；请先同步并处理完毕，或另用一个目录 (this directory \
             is another unit's, and entries in it wait for their hub: let it sync and settle them first, or use another directory)",
            dir.display(),
            waiting.0,
            waiting.1
        );
    }
    if !replace {
        bail!(
            "{} 是单位 {other} 的数据，令牌属于单位 {unit}；如确要改用，请加 --replace，原数据整体另存 (this directory is another \
             unit's: add --replace to set it aside whole and begin anew, or use another directory)",
            dir.display()
        );
    }
    Ok(())
}

/// A name beside the directory that nothing has yet.
fn free_name(dir: &Path, unit: OrgCode) -> PathBuf {
    let today = taizhang_proto::date::iso(taizhang_proto::date::shanghai(system_clock()()));
    let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let names = std::iter::once(String::new()).chain((2..).map(|nth| format!("-{nth}")));
    let mut paths = names.map(|end| dir.with_file_name(format!("{name}.{unit}-{today}{end}")));
    paths.find(|path| !path.exists()).unwrap_or_else(|| dir.with_extension("old"))
}
