//! The city's mail as a session reads it: what a child hub has not heard, in the order of the city's revisions.

use super::rows::{MailRow, OfficeRow, kind, mail_at, mail_head};
use crate::{
    rows::{self, meta},
    store::{Space, StoreError, View},
    totals::children,
};
use prost::Message;
use std::collections::BTreeMap;
use taizhang_proto::{OrgCode, pb};

/// Aim of one message, bytes. Small in unit tests, so that they cross it.
const MAX_MAIL: usize = if cfg!(test) { 512 } else { 1024 * 1024 };
/// Rulings and letters in one message.
const MAX_PIECES: usize = 4096;

/// The last revision of a child's mail.
///
/// # Errors
/// When the store fails.
pub fn head(view: &dyn View, unit: OrgCode) -> Result<u64, StoreError> {
    let own = rows::counter(view, &mail_head(unit))?;
    let office: OfficeRow = rows::read(view, Space::Meta, meta::OFFICE)?.unwrap_or_default();
    Ok(own.max(office.revision))
}

/// The letters on which this hub has failed.
///
/// # Errors
/// When the store fails.
pub fn unread(view: &dyn View) -> Result<Vec<pb::Letter>, StoreError> {
    let read = |row: bytes::Bytes| pb::Letter::decode(row).map_err(|_| StoreError::Row(Space::Transfers));
    view.prefix(Space::Transfers, &[kind::UNREAD]).map(|row| read(row?.1)).collect()
}

/// A child's mail after a revision, as much as one message takes.
///
/// # Errors
/// When the store fails.
pub fn collect(view: &dyn View, unit: OrgCode, after: u64) -> Result<pb::Mail, StoreError> {
    let office: OfficeRow = rows::read(view, Space::Meta, meta::OFFICE)?.unwrap_or_default();
    let mut mail = pb::Mail {
        key_holder: office.key_holder,
        generation: office.generation,
        upto: head(view, unit)?,
        ..pb::Mail::default()
    };
    if office.revision > after {
        mail.neighbours = neighbours(view)?;
    }
    let mut size = 0;
    let mut reached = after;
    let from = mail_at(unit.number(), after.saturating_add(1));
    for row in view.range(Space::Mailbox, &from, &mail_at(unit.number() + 1, 0)) {
        let (key, value) = row?;
        let wrong = || StoreError::Row(Space::Mailbox);
        size += value.len();
        let pieces = mail.letters.len() + mail.rulings.len();
        if pieces > 0 && (size > MAX_MAIL || pieces >= MAX_PIECES) {
            mail.upto = reached;
            mail.generation = 0; // marks of older generations go only once every ruling has come
            break;
        }
        reached = u64::from_be_bytes(key.get(8..16).and_then(|at| at.try_into().ok()).ok_or_else(wrong)?);
        let row = MailRow::decode(value).map_err(|_| wrong())?;
        mail.letters.extend(row.letter);
        mail.rulings.extend(row.ruling);
    }
    Ok(mail)
}

/// Every child hub that was given a certificate: of two of one unit, the one enrolled last.
///
/// # Errors
/// When the store fails.
pub fn neighbours(view: &dyn View) -> Result<Vec<pb::Neighbour>, StoreError> {
    let mut newest: BTreeMap<u64, (u64, String)> = BTreeMap::new();
    for child in children(view)?.into_iter().filter(|child| child.hub && !child.certificate.is_empty()) {
        let place = newest.entry(child.unit).or_default();
        if child.enrolled >= place.0 {
            *place = (child.enrolled, child.certificate);
        }
    }
    Ok(newest.into_iter().map(|(unit, (_, certificate))| pb::Neighbour { unit, certificate }).collect())
}
