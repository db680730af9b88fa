//! `init`: a hub's data directory. Invariant: what contradicts itself makes none; each refusal says what to write instead.

use crate::{
    advertise,
    authority::Authority,
    config::{self, Config, HubTier},
    engine::FjallStore,
    hub::STORE,
    state::Core,
    writer::Job,
};
use anyhow::{Context, bail};
use std::path::Path;
use taizhang_node::{
    cli::check_clock,
    disk::{self, Secrecy},
    identity::{CertKind, Token},
    ledger::system_clock,
    show::{self, Reader},
};
use taizhang_proto::{OrgCode, org::UnitTree, pb};

/// The unit and tier of the hub that a token is for.
pub(super) fn of_token(text: &str) -> anyhow::Result<(OrgCode, HubTier)> {
    let token = Token::from_text(text)?;
    token.is_for(CertKind::Hub)?;
    let unit = OrgCode::new(token.unit)?;
    match unit.tier() {
        pb::Tier::District => Ok((unit, HubTier::District)),
        pb::Tier::City => Ok((unit, HubTier::City)),
        other => bail!("令牌属于{}，不设上级节点 (a unit of that tier has no hub)", tier_word(other)),
    }
}

/// Makes what the command asks for, and returns the configuration as it was written.
pub(super) fn init(dir: &Path, config: Config, units: Option<&Path>, reader: Reader) -> anyhow::Result<Config> {
    check_clock(system_clock()())?;
    let (tier, of_code) = (pb::Tier::from(config.tier), config.unit.tier());
    if tier != of_code {
        bail!(
            "编码 {} 是{}的编码，与 --tier {} 不符；县区编码形如 210402000000，市编码形如 210400000000 (this code is not of that \
             tier: a district's is like 210402000000, a city's like 210400000000)",
            config.unit,
            tier_word(of_code),
            format!("{:?}", config.tier).to_lowercase()
        );
    }
    let advertise = match &config.advertise {
        Some(address) => {
            advertise::check(address).map_err(anyhow::Error::msg)?;
            Some(address.trim_end_matches('/').to_owned())
        }
        // Which port it will be is known once it listens.
        None if config.listen.port() == 0 => None,
        None => match advertise::derived(config.listen) {
            Some(address) => Some(address),
            None => bail!(
                "不知道下级用什么地址连接本机，请用 --advertise https://主机名或IP:{} 写明 (how do children call this computer? say it \
                 with --advertise https://host:{})",
                config.listen.port(),
                config.listen.port()
            ),
        },
    };
    let config = Config { advertise, ..config };
    create(dir, &config, units)?;
    if let Some(advertise) = &config.advertise {
        let words = format!(
            "下级连接地址：{advertise}，写进令牌；如有误请改 hub.toml 的 advertise (goes into tokens: mend it in hub.toml)"
        );
        show::line(reader, &words);
    }
    show::line(reader, &format!("已建立 {}", dir.display()));
    Ok(config)
}

/// Says what follows for a hub that was made without a token.
pub(super) fn next(dir: &Path, config: &Config, reader: Reader) {
    let next = match config.tier {
        HubTier::City => "serve",
        // Without a parent a district has no plan, and its totals go nowhere.
        HubTier::District => "enrol @市给的令牌 (the city's token)，然后 (then) serve",
    };
    let next = format!("taizhang-hub --dir {} {next}", dir.display());
    show::line(reader, &format!("下一步：{next}"));
    let told = serde_json::json!({
        "dir": dir, "unit": config.unit.number(), "advertise": config.advertise, "next": next,
    });
    show::document(reader, told);
}

fn tier_word(tier: pb::Tier) -> &'static str {
    match tier {
        pb::Tier::City => "市 (city)",
        pb::Tier::District => "县区 (district)",
        pb::Tier::Township => "街道乡镇 (township)",
        _ => "社区村 (community)",
    }
}

/// Largest tree of units or plan that is read, bytes: what a message to the hub may carry.
pub(super) const MAX_TEXT: u64 = 4 * 1024 * 1024;

/// Makes a hub's data directory: authority, configuration, tree of units.
///
/// # Errors
/// When there is a hub already, or the tree can't be read or does not have the hub's own unit.
pub fn create(dir: &Path, config: &Config, units: Option<&Path>) -> anyhow::Result<()> {
    let now = system_clock()() / 1_000;
    let tree = match units {
        Some(path) => {
            let csv = disk::read_text(path, MAX_TEXT)?;
            UnitTree::handed(&csv, config.unit).with_context(|| path.display().to_string())?;
            Some(csv)
        }
        None => None,
    };
    disk::create_dir(dir)?;
    Authority::init(dir, config.unit, now)?;
    disk::write_file(&dir.join(config::FILE), to_toml(config).as_bytes(), Secrecy::Plain)?;
    if let Some(csv) = tree {
        // Without a writer's thread the store is closed when this returns, and `serve` can open it at once.
        let store = Box::new(FjallStore::open(&dir.join(STORE))?);
        let core = Core::open(config.unit, config.tier.into(), store, system_clock())?;
        for answer in core.commit(vec![Job::Tree(csv, None)]) {
            answer?;
        }
    }
    Ok(())
}

fn to_toml(config: &Config) -> String {
    let advertise = config.advertise.as_ref().map(|address| format!("advertise = {address:?}\n")).unwrap_or_default();
    format!(
        "# taizhang hub. A key can be overridden by the environment: TAIZHANG_LISTEN=0.0.0.0:7201\n\
         unit = {}\n\
         tier = \"{}\"             # district | city\n\
         listen = \"{}\"    # where children call\n\
         {advertise}\
         sessions = {}               # sessions admitted at a time\n\
         mode = \"{}\"               # towards the parent: live | nightly\n\
         sync_at = \"{}\"           # when the nightly window opens, Shanghai time\n\
         sync_window = {}            # minutes\n",
        config.unit.number(),
        format!("{:?}", config.tier).to_lowercase(),
        config.listen,
        config.sessions,
        format!("{:?}", config.mode).to_lowercase(),
        config.sync_at,
        config.sync_window,
    )
}
