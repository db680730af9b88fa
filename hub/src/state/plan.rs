//! The plan in force: the newest list that the city published, or the notice's own numbers.

use crate::store::{Space, StoreError};
use bytes::Bytes;
use std::{collections::HashSet, sync::Arc};
use taizhang_proto::{
    cell::Subject,
    month::short_digest,
    plan::{self, Plans},
};

/// The plan as it stands at a hub.
#[derive(Clone)]
pub(crate) struct PlanInForce {
    /// Every version of it.
    pub(crate) plans: Arc<Plans>,
    /// The published list and its version, as it goes down; none before the city has published one.
    pub(crate) published: Option<(u64, Bytes)>,
    /// The short digest of that list; empty without one.
    pub(crate) digest: Bytes,
    /// The city's key as it was first heard.
    pub(crate) key: Option<Bytes>,
}

/// Who is counted otherwise by a list of plans that has come, as far as it is known.
pub(crate) struct Foreseen {
    /// Which look it is: of two for one list, each has its own.
    pub(crate) look: u64,
    /// The short digest of the list.
    pub(crate) digest: Bytes,
    /// Whoever a commit has touched since the look was begun.
    pub(crate) touched: HashSet<Subject>,
    /// Whom the look has found; none while it goes on.
    pub(crate) found: Option<Vec<Subject>>,
}

impl PlanInForce {
    /// The notice's own numbers, before the city has published any.
    pub(crate) fn of_the_notice() -> Self {
        let plans = Arc::new(Plans::notice_2008().clone());
        Self { plans, published: None, digest: Bytes::new(), key: None }
    }

    /// Version of the published list; 0 before the first.
    pub(crate) fn version(&self) -> u64 {
        self.published.as_ref().map_or(0, |(version, _)| *version)
    }

    /// The one that a stored list says; the notice's own without one.
    ///
    /// # Errors
    /// When the list can't be read.
    pub(crate) fn read(list: Option<Bytes>) -> Result<Self, StoreError> {
        let Some(list) = list else { return Ok(Self::of_the_notice()) };
        let read = plan::read_list(&list, None).map_err(|_| StoreError::Row(Space::Documents))?;
        Ok(Self::of(read, list))
    }

    /// A list that was read.
    pub(crate) fn of(read: plan::Published, list: Bytes) -> Self {
        let digest = short_digest(&list).into();
        Self { plans: Arc::new(read.plans), published: Some((read.version, list)), digest, key: Some(read.key) }
    }
}
