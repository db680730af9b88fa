//! A hub's configuration: `hub.toml` in its data directory, every key with a default, overridden by environment
//! (`TAIZHANG_<KEY>`) and flags.

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::Path};
use taizhang_node::{
    config::ConfigError,
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
}

/// The file's name in the data directory.
pub const FILE: &str = "hub.toml";

/// What may be left out.
#[derive(Serialize)]
struct Defaults {
    listen: SocketAddr,
    sessions: usize,
    mode: Mode,
    sync_at: &'static str,
    sync_window: u64,
}

impl Config {
    /// A configuration with defaults.
    pub fn new(unit: OrgCode, tier: HubTier, listen: SocketAddr) -> Self {
        Self {
            unit,
            tier,
            listen,
            advertise: None,
            sessions: 256,
            mode: Mode::Live,
            sync_at: "02:30".into(),
            sync_window: 60,
        }
    }

    /// Reads the configuration of a data directory.
    ///
    /// # Errors
    /// Names the key that is wrong or missing.
    pub fn load(data: &Path) -> Result<Self, ConfigError> {
        let defaults = Defaults {
            listen: SocketAddr::from(([0, 0, 0, 0], 7201)),
            sessions: 256,
            mode: Mode::Live,
            sync_at: "02:30",
            sync_window: 60,
        };
        let config: Self = Figment::from(Serialized::defaults(defaults))
            .merge(Toml::file(data.join(FILE)))
            .merge(Env::prefixed("TAIZHANG_").ignore(&["dir", "log"]))
            .extract()
            .map_err(|error| ConfigError::Read(Box::new(error)))?;
        config.schedule()?;
        Ok(config)
    }

    /// When this hub calls its parent.
    ///
    /// # Errors
    /// When `sync_at` is no time.
    pub fn schedule(&self) -> Result<Schedule, ConfigError> {
        let as_node = taizhang_node::config::Config {
            mode: self.mode,
            sync_at: self.sync_at.clone(),
            sync_window: self.sync_window,
            ..taizhang_node::config::Config::default()
        };
        as_node.schedule()
    }
}
