//! Filling an office's registers, through its desk.

use anyhow::bail;
use taizhang_node::{
    desk::{Desk, Draft},
    ledger::{Ledger, LedgerDesk},
};
use taizhang_proto::{RecordId, register::number};

/// Groups saved with one sync to disk.
const GROUPS: usize = 128;

/// Saves groups in batches. `on_step` gets how many persons each batch held.
///
/// # Errors
/// When a group is refused or the disk fails.
pub fn write(ledger: &Ledger, groups: Vec<Vec<Draft>>, mut on_step: impl FnMut(usize)) -> anyhow::Result<()> {
    let desk = LedgerDesk::new(ledger);
    let mut groups = groups.into_iter().peekable();
    while groups.peek().is_some() {
        let batch: Vec<Vec<Draft>> = groups.by_ref().take(GROUPS).collect();
        let persons = residents(&batch).count();
        if let Some(refused) = desk.save(batch, "demo").into_iter().find_map(Result::err) {
            bail!("{}: {refused}", ledger.unit());
        }
        on_step(persons);
    }
    Ok(())
}

/// The residents that groups of drafts make.
pub fn residents(groups: &[Vec<Draft>]) -> impl Iterator<Item = RecordId> {
    groups.iter().flatten().filter(|draft| draft.register == number::RESIDENT).map(|draft| draft.id)
}
