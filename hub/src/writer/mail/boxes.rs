//! The mailboxes of a city's children, and what the city knows of its hubs, as a commit writes them.
//! Invariant: a piece of mail stands behind all that were posted before it.

use crate::{
    mail::rows::{MailRow, OfficeRow, mail_at, mail_head},
    rows::meta,
    store::{Space, StoreError},
    writer::{commit::Commit, mail::across},
};
use taizhang_proto::OrgCode;

/// Puts a piece of mail at the end of a child's.
pub(in crate::writer) fn post(commit: &mut Commit<'_>, unit: u64, mut row: MailRow) -> u64 {
    let revision = commit.take_revisions(1);
    row.posted = commit.core.now();
    across::keep_row(commit, Space::Mailbox, mail_at(unit, revision), &row);
    if let Ok(unit) = OrgCode::new(unit) {
        across::keep_bytes(commit, Space::Meta, mail_head(unit), revision.to_be_bytes().to_vec());
    }
    revision
}

pub(in crate::writer) fn office(commit: &Commit<'_>) -> Result<OfficeRow, StoreError> {
    Ok(across::kept(commit, Space::Meta, meta::OFFICE)?.unwrap_or_default())
}
