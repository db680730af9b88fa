//! What a demo was made with, in a file of its directory: it is there once everything was loaded, so a demo that is started
//! again goes on, and loads nothing twice.

use anyhow::{Context, ensure};
use std::path::Path;

/// Its file.
const FILE: &str = "demo.json";

/// What a demo was made with.
pub(super) struct Made {
    /// The seed of its registers.
    pub(super) seed: u64,
    /// Which offices, as they were asked for.
    pub(super) nodes: String,
    /// Whether its hundred conflicts were made.
    pub(super) conflicts: bool,
}

impl Made {
    /// What was made in a directory; none in one where nothing was.
    ///
    /// # Errors
    /// When a demo was begun there and did not come to its end.
    pub(super) fn read(dir: &Path) -> anyhow::Result<Option<Self>> {
        let path = dir.join(FILE);
        if !path.exists() {
            ensure!(
                !dir.join("city").exists(),
                "{} 中的演示数据没有准备完，请删除后重来或换一个目录 (a demo was begun here and not finished: remove it, or choose another \
                 directory)",
                dir.display()
            );
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path)?;
        let value: serde_json::Value = serde_json::from_str(&text).with_context(|| format!("{}", path.display()))?;
        let made = (|| {
            let (seed, nodes) = (value.get("seed")?.as_u64()?, value.get("nodes")?.as_str()?.to_owned());
            Some(Self { seed, nodes, conflicts: value.get("conflicts")?.as_bool()? })
        })();
        made.map(Some).with_context(|| format!("{} 不能读取 (can't be read)", path.display()))
    }

    /// Says that everything is loaded.
    ///
    /// # Errors
    /// When the disk fails.
    pub(super) fn write(&self, dir: &Path) -> anyhow::Result<()> {
        let value = serde_json::json!({ "seed": self.seed, "nodes": self.nodes, "conflicts": self.conflicts });
        Ok(std::fs::write(dir.join(FILE), value.to_string())?)
    }
}
