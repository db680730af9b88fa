//! What a hub keeps in files beside its authority as well, so that it outlives the store: the roll of whom it has retired,
//! and the tree of units.
//! Invariant: the files follow the store, after each commit that changes one of them. A file that can't be written is told,
//! and fails nothing: the store has it all the same.

use super::Core;
use std::{path::PathBuf, sync::OnceLock};
use taizhang_node::disk::{self, Secrecy};

/// Where the files are.
#[derive(Debug, Default)]
pub(super) struct Outside {
    roll: OnceLock<PathBuf>,
    units: OnceLock<PathBuf>,
}

/// Begins the file of the tree of units; its number follows, and then the CSV.
const VERSION: &str = "# version ";

/// The tree of units in such a file, with its number; none where it is no such file.
pub(crate) fn read_units(file: &str) -> Option<(u64, &str)> {
    let (head, csv) = file.split_once('\n')?;
    Some((head.strip_prefix(VERSION)?.trim().parse().ok()?, csv))
}

impl Core {
    /// Keeps the roll and the tree of units in files outside the store, too, from now on.
    pub fn keep_outside(&self, roll: PathBuf, units: PathBuf) {
        let _ = self.outside.roll.set(roll);
        let _ = self.outside.units.set(units);
        self.write_roll();
        self.write_units();
    }

    /// Writes the roll.
    pub(super) fn write_roll(&self) {
        let Some(file) = self.outside.roll.get() else { return };
        if let Err(error) = disk::write_file(file, &self.sealed_roll(), Secrecy::OwnerOnly) {
            tracing::error!(%error, "the roll of retirements can't be kept outside the store");
        }
    }

    /// Writes the tree of units, where there is one.
    pub(super) fn write_units(&self) {
        let Some(file) = self.outside.units.get() else { return };
        let Some((version, csv)) = self.units_document() else { return };
        let text = format!("{VERSION}{version}\n{csv}");
        if std::fs::read_to_string(file).is_ok_and(|kept| kept == text) {
            return;
        }
        if let Err(error) = disk::write_file(file, text.as_bytes(), Secrecy::Plain) {
            tracing::error!(%error, "the tree of units can't be kept outside the store");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_with_its_number_is_a_tree() {
        assert_eq!(read_units("# version 7\ncode,name\n"), Some((7, "code,name\n")));
        for wrong in ["", "# version 7", "# version x\ncode", "code,name\n1,2\n"] {
            assert_eq!(read_units(wrong), None, "{wrong}");
        }
    }
}
