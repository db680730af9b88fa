//! Repair towards the hub: where the digests differ without a reason, the records that differ are found by ranges and
//! the hub's copies put in place of this office's, in the same session.
//! Invariant: a session repairs once; what still differs after it is pulled whole.

use super::{Ledger, LedgerError, work::Work};
use crate::{
    replica::SessionError,
    store::{State, StoreError, key},
};
use bytes::Bytes;
use std::collections::BTreeSet;
use taizhang_proto::{
    RecordId,
    digest::{Item, ScopeDigest},
    pb::{self, up},
    range::{Asker, Items, MAX_WANT, RangeError},
};

/// Where the repair of a session stands.
#[derive(Default)]
pub(super) enum Repair {
    /// None was needed.
    #[default]
    None,
    /// Finding out which records differ.
    Asking(Box<Asker>),
    /// The hub was asked for these.
    Wanted {
        /// Not answered yet.
        ids: BTreeSet<RecordId>,
        /// How many were put right.
        repaired: u64,
    },
    /// It did not help.
    Over {
        /// How many were put right.
        repaired: u64,
    },
    /// It made the digests equal; a live session may need another one, days later.
    Mended {
        /// How many were put right.
        repaired: u64,
    },
}

impl Repair {
    /// Begins a repair; none when this session has had one, or when the records can't be put in order.
    pub(super) fn begin(&mut self, ledger: &Ledger, state: &mut State) -> Result<Option<pb::Range>, StoreError> {
        if let Self::Wanted { repaired, .. } = *self {
            *self = Self::Over { repaired };
        }
        if !matches!(self, Self::None | Self::Mended { .. }) {
            return Ok(None);
        }
        *self = Self::Over { repaired: 0 };
        let mut items = Items::default();
        let mut digest = ScopeDigest::default();
        for row in ledger.store.scan(b"r") {
            let (row_key, bytes) = row?;
            let id = key::last_id(&row_key).ok_or(StoreError::Row("record"))?;
            digest.add(Item::record(id, &bytes));
            if items.add(id, &bytes).is_err() {
                return Ok(None);
            }
        }
        // It may be the digest that is wrong, and not a record.
        state.scope_digest = digest.to_bytes().to_vec();
        let Ok((asker, first)) = Asker::open(items) else { return Ok(None) };
        *self = Self::Asking(Box::new(asker));
        Ok(Some(pb::Range { message: first.into() }))
    }

    /// Takes the hub's answer; returns what to say next: more ranges, or the records wanted, with an empty list at the
    /// end of them.
    pub(super) fn hear(&mut self, message: &[u8]) -> Result<Vec<up::It>, SessionError> {
        let Self::Asking(asker) = self else {
            return Err(SessionError::Protocol("a range that was not asked for"));
        };
        match asker.hear(message) {
            Ok(Some(next)) => return Ok(vec![up::It::Range(pb::Range { message: next.into() })]),
            Ok(None) => {}
            Err(RangeError::Unreadable) => return Err(SessionError::Protocol("a range that can't be read")),
            Err(RangeError::TooMuch) => {
                // The hub says `Caught` again, and everything is pulled.
                *self = Self::Over { repaired: 0 };
                return Ok(vec![up::It::Want(pb::Want::default())]);
            }
        }
        let Self::Asking(asker) = std::mem::take(self) else { return Ok(Vec::new()) };
        let ids = asker.into_different();
        let all: Vec<Bytes> = ids.iter().map(|id| Bytes::copy_from_slice(&id.0)).collect();
        let mut messages: Vec<up::It> =
            all.chunks(MAX_WANT).map(|some| up::It::Want(pb::Want { ids: some.to_vec() })).collect();
        messages.push(up::It::Want(pb::Want::default()));
        *self = Self::Wanted { ids, repaired: 0 };
        Ok(messages)
    }

    /// Whether ranges are on their way: a `Caught` that crossed them says nothing yet.
    pub(super) fn is_asking(&self) -> bool {
        matches!(self, Self::Asking(_))
    }

    /// Whether records that come now are those that were asked for.
    pub(super) fn is_wanted(&self) -> bool {
        matches!(self, Self::Wanted { ids, .. } if !ids.is_empty())
    }

    /// Takes what was asked for. What was not is taken like any other record.
    pub(super) fn take(&mut self, work: &mut Work<'_>, list: pb::RecordList) -> Result<(), LedgerError> {
        let Self::Wanted { ids, repaired } = self else { return Ok(()) };
        for record in list.records {
            let asked_for = RecordId::from_slice(&record.id).is_some_and(|id| ids.remove(&id));
            if asked_for {
                *repaired += u64::from(work.replace(record)?);
            } else {
                work.take(record)?;
            }
        }
        for id in list.departed {
            let id = RecordId::from_slice(&id).ok_or_else(|| LedgerError::Peer("a departure without an id".into()))?;
            if ids.remove(&id) {
                *repaired += u64::from(work.hub(id)?.is_some());
            }
            work.depart(id)?;
        }
        for id in list.unreadable.iter().filter_map(|id| RecordId::from_slice(id)) {
            ids.remove(&id); // the hub can't read its own
        }
        Ok(())
    }

    /// How many records were put right in this session.
    pub(super) fn repaired(&self) -> u64 {
        match self {
            Self::Wanted { repaired, .. } | Self::Over { repaired } | Self::Mended { repaired } => *repaired,
            Self::None | Self::Asking(_) => 0,
        }
    }

    /// The digests are equal: notes what a repair did, once.
    pub(super) fn note(&mut self, state: &mut State, revision: u64) {
        if let Self::Wanted { repaired, .. } = *self {
            *self = Self::Mended { repaired };
            state.incidents += 1;
            state.last_incident = format!(
                "{repaired}条记录与上级不一致，已改正 ({repaired} records differed at revision {revision} and were repaired)"
            );
            tracing::warn!(repaired, revision, "records differed from the hub's and were put right");
        }
    }
}
