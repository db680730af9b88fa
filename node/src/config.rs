//! A node's configuration: `node.toml` in its data directory, every key with a default, overridden by environment
//! (`TAIZHANG_<KEY>`) and flags.

use crate::upstream::schedule::{Mode, Schedule};
use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::path::Path;
use taizhang_proto::OrgCode;

/// All keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// This office's unit; the certificate must name the same once enrolled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<OrgCode>,
    /// `nightly` or `live`.
    pub mode: Mode,
    /// When the nightly window opens, `HH:MM` in Shanghai.
    pub sync_at: String,
    /// How long it stays open, minutes.
    pub sync_window: u64,
    /// Whose name stands behind what is entered from the command line.
    pub clerk: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { unit: None, mode: Mode::Nightly, sync_at: "22:00".into(), sync_window: 240, clerk: "clerk".into() }
    }
}

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A key is unknown or its value wrong.
    #[error("配置有误 (configuration): {0}")]
    Read(Box<figment::Error>),
    /// A time that is none.
    #[error("sync_at 应写成 22:00 这样的时间 (sync_at must be a time such as 22:00)")]
    Time,
}

/// The file's name in the data directory.
pub const FILE: &str = "node.toml";

/// The file that `init` writes.
pub const TEMPLATE: &str = r#"# taizhang node. Every key may be left out; the value shown is the default.
# A key can be overridden by the environment: TAIZHANG_MODE=live

# unit = "210402011003"   # this office's unit; after `enrol` the certificate says it

mode = "nightly"          # nightly | live (keeps a connection open; changes move at once)
sync_at = "22:00"         # when the nightly window opens, Shanghai time
sync_window = 240         # minutes; each node calls at its own moment in the window
clerk = "clerk"           # whose name stands behind entries from the command line
"#;

impl Config {
    /// Reads the configuration of a data directory.
    ///
    /// # Errors
    /// Names the key that is wrong.
    pub fn load(data: &Path) -> Result<Self, ConfigError> {
        let config: Self = layered(Self::default(), &data.join(FILE))?;
        config.schedule()?;
        Ok(config)
    }

    /// When this node calls.
    ///
    /// # Errors
    /// When `sync_at` is no time.
    pub fn schedule(&self) -> Result<Schedule, ConfigError> {
        schedule(self.mode, &self.sync_at, self.sync_window)
    }
}

/// A configuration from its defaults, the file over them, and the environment over both.
///
/// # Errors
/// Names the key that is unknown, wrong or missing.
pub fn layered<C: DeserializeOwned>(defaults: impl Serialize, file: &Path) -> Result<C, ConfigError> {
    Figment::from(Serialized::defaults(defaults))
        .merge(Toml::file(file))
        .merge(Env::prefixed("TAIZHANG_").ignore(&["dir", "log"]))
        .extract()
        .map_err(|error| ConfigError::Read(Box::new(error)))
}

/// A schedule from its keys: `sync_at` as `HH:MM` in Shanghai, the window in minutes.
///
/// # Errors
/// When `sync_at` is no time.
pub fn schedule(mode: Mode, sync_at: &str, sync_window: u64) -> Result<Schedule, ConfigError> {
    let (hours, minutes) = sync_at.split_once(':').ok_or(ConfigError::Time)?;
    let hours: u64 = hours.parse().ok().filter(|hours| *hours < 24).ok_or(ConfigError::Time)?;
    let minutes: u64 = minutes.parse().ok().filter(|minutes| *minutes < 60).ok_or(ConfigError::Time)?;
    Ok(Schedule { mode, opens: (hours * 60 + minutes) * 60, window: sync_window.min(1_440) * 60 })
}
