//! A hub's configuration: `hub.toml` in its data directory, every key with a default, overridden by environment
//! (`TAIZHANG_<KEY>`) and flags.

use crate::advertise;
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::Path};
use taizhang_node::{
    config::{ConfigError, PREFIX, layered, schedule},
    upstream::schedule::{Mode, Schedule},
};
use taizhang_proto::{OrgCode, pb};

/// What a hub is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum HubTier {
    /// 县区: holds every record of its offices.
    District,
    /// 市: holds totals, no personal data.
    City,
}

impl From<HubTier> for pb::Tier {
    fn from(tier: HubTier) -> Self {
        match tier {
            HubTier::District => Self::District,
            HubTier::City => Self::City,
        }
    }
}

/// All keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The hub's unit.
    pub unit: OrgCode,
    /// District or city.
    pub tier: HubTier,
    /// Where children call.
    pub listen: SocketAddr,
    /// The address that goes into enrolment tokens; without it, `listen`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advertise: Option<String>,
    /// Sessions admitted at a time.
    pub sessions: usize,
    /// How this hub keeps in touch with its parent: `nightly` or `live`.
    pub mode: Mode,
    /// When the nightly window opens, `HH:MM` in Shanghai.
    pub sync_at: String,
    /// How long it stays open, minutes.
    pub sync_window: u64,
    /// Within how many minutes a window that was slept through is made up for.
    pub catch_up: u64,
}

/// The keys.
const KEYS: [&str; 9] =
    ["unit", "tier", "listen", "advertise", "sessions", "mode", "sync_at", "sync_window", "catch_up"];

/// The file's name in the data directory.
pub use taizhang_node::config::HUB_FILE as FILE;

/// That a directory is no office's.
///
/// # Errors
/// When it is one.
pub fn no_offices(data: &Path) -> Result<(), ConfigError> {
    if data.join(taizhang_node::config::FILE).exists() {
        let why = format!(
            "{} 是单位的数据目录，请用 taizhang-node (an office's directory: use taizhang-node)",
            data.display()
        );
        return Err(ConfigError::Value(why));
    }
    Ok(())
}

/// What may be left out.
#[derive(Serialize)]
struct Defaults {
    listen: SocketAddr,
    sessions: usize,
    mode: Mode,
    sync_at: &'static str,
    sync_window: u64,
    catch_up: u64,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 7201)),
            sessions: 256,
            mode: Mode::Live,
            sync_at: "02:30",
            sync_window: 60,
            catch_up: 15,
        }
    }
}

impl Config {
    /// A configuration with defaults.
    pub fn new(unit: OrgCode, tier: HubTier, listen: SocketAddr) -> Self {
        let Defaults { sessions, mode, sync_at, sync_window, catch_up, .. } = Defaults::default();
        Self { unit, tier, listen, advertise: None, sessions, mode, sync_at: sync_at.into(), sync_window, catch_up }
    }

    /// Reads the configuration of a data directory.
    ///
    /// # Errors
    /// Names the key that is wrong or missing.
    pub fn load(data: &Path) -> Result<Self, ConfigError> {
        let is_named = |key: &str| std::env::var_os(format!("{PREFIX}{key}")).is_some();
        let says_what_it_is = data.join(FILE).exists() || (is_named("UNIT") && is_named("TIER"));
        if !says_what_it_is {
            let why = format!(
                "{} 不是县区或市级的数据目录（没有 {FILE}）：请先 init；只读目录只能用 totals、standing 等查询命令 (no hub's directory: run \
                 `init`; a reader's is for asking for figures)",
                data.display()
            );
            return Err(ConfigError::Value(why));
        }
        let config: Self = layered(Defaults::default(), &data.join(FILE), &KEYS)?;
        config.schedule()?;
        let file = data.join(FILE);
        if pb::Tier::from(config.tier) != config.unit.tier() {
            let why = format!(
                "{}：unit = {} 与 tier 不符，请核对 (the unit is of another tier than `tier` says)",
                file.display(),
                config.unit
            );
            return Err(ConfigError::Value(why));
        }
        if config.sessions == 0 {
            let why = format!("{}：sessions 至少为 1，否则谁也连不上 (nobody could call)", file.display());
            return Err(ConfigError::Value(why));
        }
        if let Some(Err(why)) = config.advertise.as_deref().map(advertise::check) {
            return Err(ConfigError::Value(why));
        }
        Ok(config)
    }

    /// When this hub calls its parent.
    ///
    /// # Errors
    /// When `sync_at` is no time.
    pub fn schedule(&self) -> Result<Schedule, ConfigError> {
        schedule(self.mode, &self.sync_at, self.sync_window, self.catch_up)
    }
}
