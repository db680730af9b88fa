//! A node's configuration: `node.toml` in its data directory, every key with a default, overridden by environment
//! (`TAIZHANG_<KEY>`) and flags.

mod fault;

use crate::upstream::schedule::{Mode, Schedule};
use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{net::SocketAddr, path::Path};
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
    /// Within how many minutes a night that was slept through is made up for.
    pub catch_up: u64,
    /// Whose name stands behind what is entered from the command line.
    pub clerk: String,
    /// Where the console is found: an address of this computer, port 0 for any that is free.
    pub console: SocketAddr,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            unit: None,
            mode: Mode::Nightly,
            sync_at: "22:00".into(),
            sync_window: 240,
            catch_up: 15,
            clerk: "clerk".into(),
            console: SocketAddr::from(([127, 0, 0, 1], 7100)),
        }
    }
}

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A key is unknown or its value wrong.
    #[error("配置有误 (configuration)：{}", fault::words(.0))]
    Read(Box<figment::Error>),
    /// A value that can't be.
    #[error("配置有误 (configuration)：{0}")]
    Value(String),
    /// A time that is none.
    #[error("sync_at 应写成 22:00 这样的时间 (sync_at must be a time such as 22:00)")]
    Time,
}

/// The keys.
const KEYS: [&str; 7] = ["unit", "mode", "sync_at", "sync_window", "catch_up", "clerk", "console"];

/// The file's name in the data directory.
pub const FILE: &str = "node.toml";
/// The name of the same file in a hub's data directory.
pub const HUB_FILE: &str = "hub.toml";

/// That a directory is no hub's: an office's program would make a journal and a store beside the hub's.
///
/// # Errors
/// When it is one.
pub fn no_hubs(data: &Path) -> Result<(), ConfigError> {
    if data.join(HUB_FILE).exists() {
        let why = format!(
            "{} 是汇聚节点（县区、市）的数据目录，请用 taizhang-hub (a hub's directory: use taizhang-hub)",
            data.display()
        );
        return Err(ConfigError::Value(why));
    }
    Ok(())
}

/// The file that `init` writes.
pub const TEMPLATE: &str = r#"# taizhang node. Every key may be left out; the value shown is the default.
# A key can be overridden by the environment: TAIZHANG_MODE=live

# unit = 210402011003     # this office's unit; after `enrol` the certificate says it

mode = "nightly"          # nightly | live (keeps a connection open; changes move at once)
sync_at = "22:00"         # when the nightly window opens, Shanghai time
sync_window = 240         # minutes; each node calls at its own moment in the window
catch_up = 15             # minutes within which a computer that was off at night calls once it is on
clerk = "clerk"           # whose name stands behind entries from the command line
console = "127.0.0.1:7100" # where the pages are found; port 0: any that is free
"#;

impl Config {
    /// Reads the configuration of a data directory.
    ///
    /// # Errors
    /// Names the key that is wrong.
    pub fn load(data: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = layered(Self::default(), &data.join(FILE), &KEYS)?;
        if config.clerk.trim().is_empty() {
            config.clerk = Self::default().clerk; // every entry has somebody behind it
        }
        config.schedule()?;
        Ok(config)
    }

    /// When this node calls.
    ///
    /// # Errors
    /// When `sync_at` is no time.
    pub fn schedule(&self) -> Result<Schedule, ConfigError> {
        schedule(self.mode, &self.sync_at, self.sync_window, self.catch_up)
    }
}

/// What begins the name of every variable of the environment that means this program.
pub const PREFIX: &str = "TAIZHANG_";
/// Variables that mean it and are no keys of a configuration: the data directory, the log level, who decides, and the seeds
/// of tests.
const OTHERS: [&str; 6] = ["dir", "log", "by", "seed", "seeds", "year_seed"];

/// A configuration from its defaults, the file over them, and over both the variables of the environment that are named after
/// one of its `keys`. A variable that nobody knows is ignored, with one warning: it may be meant for another version.
///
/// # Errors
/// Names the key that is unknown, wrong or missing.
pub fn layered<C: DeserializeOwned>(defaults: impl Serialize, file: &Path, keys: &[&str]) -> Result<C, ConfigError> {
    static WARNED: std::sync::Once = std::sync::Once::new();
    let unknown = unknown_variables(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()), keys);
    if !unknown.is_empty() {
        WARNED.call_once(|| {
            eprintln!(
                "不认识的环境变量，已忽略 (unknown variables of the environment, ignored): {}",
                unknown.join(", ")
            );
        });
    }
    Figment::from(Serialized::defaults(defaults))
        .merge(Toml::file(file))
        .merge(Env::prefixed(PREFIX).only(keys))
        .extract()
        .map_err(|error| ConfigError::Read(Box::new(error)))
}

/// Of the names of variables, those that mean this program and that it does not know.
fn unknown_variables(names: impl Iterator<Item = String>, keys: &[&str]) -> Vec<String> {
    let is_unknown = |name: &String| {
        let Some(key) = name.strip_prefix(PREFIX).map(str::to_lowercase) else { return false };
        !keys.contains(&key.as_str()) && !OTHERS.contains(&key.as_str())
    };
    names.filter(is_unknown).collect()
}

/// A schedule from its keys: `sync_at` as `HH:MM` in Shanghai, the window and the time to catch up in minutes.
///
/// # Errors
/// When `sync_at` is no time.
pub fn schedule(mode: Mode, sync_at: &str, sync_window: u64, catch_up: u64) -> Result<Schedule, ConfigError> {
    let (hours, minutes) = sync_at.split_once(':').ok_or(ConfigError::Time)?;
    let hours: u64 = hours.parse().ok().filter(|hours| *hours < 24).ok_or(ConfigError::Time)?;
    let minutes: u64 = minutes.parse().ok().filter(|minutes| *minutes < 60).ok_or(ConfigError::Time)?;
    let (window, catch_up) = (sync_window.min(1_440) * 60, catch_up.min(1_440) * 60);
    Ok(Schedule { mode, opens: (hours * 60 + minutes) * 60, window, catch_up })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_with_its_key_its_place_and_what_may_stand_there() {
        let dir = tempfile::tempdir().unwrap();
        let said = |text: &str| {
            std::fs::write(dir.path().join(FILE), text).unwrap();
            Config::load(dir.path()).unwrap_err().to_string()
        };
        let cases = [
            ("modee = \"live\"", "没有“modee”这一项", "sync_window"),
            ("mode = \"weekly\"", "mode：", "nightly"),
            ("sync_window = \"long\"", "sync_window：写的是文字“long”", "应为"),
            ("catch_up = -1", "catch_up：", "-1"),
            ("unit = \"2104\"", "unit：", "12位单位编码"),
            ("unit = 2104", "unit：", "12位单位编码"),
            ("mode = ", "文件格式有误，第1行", "node.toml"),
            ("mode = nightly", "文字要加引号", "node.toml"),
        ];
        for (text, one, other) in cases {
            let told = said(text);
            assert!(told.contains(one) && told.contains(other) && told.contains("node.toml"), "{text}: {told}");
        }
        for text in ["unit = \"210402011003\"", "unit = 210402011003"] {
            std::fs::write(dir.path().join(FILE), text).unwrap();
            assert_eq!(Config::load(dir.path()).unwrap().unit, Some(OrgCode::new(210_402_011_003).unwrap()));
        }
    }

    #[test]
    fn every_key_can_come_from_the_environment_and_what_nobody_knows_is_named() {
        let config = Config { unit: Some(OrgCode::new(210_402_011_003).unwrap()), ..Config::default() };
        let all = serde_json::to_value(config).unwrap();
        let mut keys: Vec<_> = all.as_object().unwrap().keys().map(String::as_str).collect();
        let mut known = KEYS.to_vec();
        keys.sort_unstable();
        known.sort_unstable();
        assert_eq!(keys, known);
        let names = ["PATH", "TAIZHANG_BY", "TAIZHANG_MODE", "TAIZHANG_SYNCAT", "TAIZHANG_DIR", "TAIZHANGX"];
        assert_eq!(unknown_variables(names.into_iter().map(str::to_owned), &KEYS), ["TAIZHANG_SYNCAT"]);
    }
}
