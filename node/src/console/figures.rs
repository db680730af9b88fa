//! What Today and the station's page show, worked out once for each change whoever looks. Invariant: what is shown is of one moment, and says of which; it is
//! worked out anew after each change and at midnight, never by a page.

use crate::{caller::Refusal, office::Office};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use taizhang_proto::{date::Day, pb};
use tokio::sync::Notify;

/// Days that Today looks ahead.
pub(super) const WITHIN: u32 = 30;

/// What an office has to do, and how it stands.
#[derive(Debug)]
pub(super) struct Picture {
    /// The business day.
    pub(super) on: Day,
    /// Cases with their clocks.
    pub(super) due: Vec<pb::DueCase>,
    /// Everything else with a last day.
    pub(super) work: Vec<pb::WorkItem>,
    /// What the district sent back and waits.
    pub(super) refused: Vec<pb::RefusedItem>,
    /// How the office stands against its targets.
    pub(super) standing: pb::StandingAnswer,
    /// What is to be looked into.
    pub(super) doubts: pb::DoubtsAnswer,
    /// Its tasks.
    pub(super) tasks: pb::Paper,
    /// Campaigns, with what was done here.
    pub(super) campaigns: pb::Paper,
    /// What is to be filed.
    pub(super) to_file: pb::ToFileAnswer,
}

#[derive(Default)]
struct Inner {
    drawn: Option<(u64, Arc<Picture>)>,
    /// The change for which it is wanted.
    wanted: u64,
    is_working: bool,
}

/// The picture, and what it is a picture of.
#[derive(Default)]
pub(super) struct Figures {
    inner: Mutex<Inner>,
    ready: Notify,
}

impl Figures {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest picture, and whether it is of what stands now.
    pub(super) fn newest(&self) -> Option<(Arc<Picture>, bool)> {
        let inner = self.inner();
        inner.drawn.as_ref().map(|(of, picture)| (picture.clone(), *of == inner.wanted))
    }

    /// The newest picture, waited for where there is none yet, but not for long.
    pub(super) async fn soon(&self, patience: std::time::Duration) -> Option<(Arc<Picture>, bool)> {
        let ready = self.ready.notified();
        if let Some(newest) = self.newest() {
            return Some(newest);
        }
        let _ = tokio::time::timeout(patience, ready).await;
        self.newest()
    }

    /// Says that something has changed. Returns whether somebody has to begin to work.
    pub(super) fn outdate(&self) -> bool {
        let mut inner = self.inner();
        inner.wanted += 1;
        !std::mem::replace(&mut inner.is_working, true)
    }

    /// Works until the picture is of what stands; `told` after each.
    pub(super) fn work(&self, office: &Office, told: impl Fn()) {
        loop {
            let wanted = self.inner().wanted;
            // One that breaks must not keep the next from being drawn.
            let drawn = catch_unwind(AssertUnwindSafe(|| draw(office)))
                .unwrap_or_else(|_| Err(Refusal::failed("程序出错 (it broke)")));
            if let Err(error) = &drawn {
                tracing::error!(%error, "what is due can't be worked out");
            }
            let mut inner = self.inner();
            if let Ok(picture) = drawn {
                inner.drawn = Some((wanted, Arc::new(picture)));
            }
            let is_done = inner.wanted == wanted;
            inner.is_working = !is_done;
            drop(inner);
            self.ready.notify_waiters();
            told();
            if is_done {
                return;
            }
        }
    }
}

fn draw(office: &Office) -> Result<Picture, Refusal> {
    let nobody = office.clerk("")?;
    let asked = pb::DueRequest { within: WITHIN, ..pb::DueRequest::default() };
    let due = office.due(&nobody, &asked)?;
    let mut work = office.worklist(&nobody, &asked)?.items;
    // The cases have a list of their own, and so has what was sent back.
    work.retain(|item| !["K08", "K12", crate::office::worklist::REFUSED].contains(&item.clock.as_str()));
    let paper = |kind: pb::PaperKind| {
        office.paper(&nobody, &pb::PaperRequest { kind: kind.into(), ..pb::PaperRequest::default() })
    };
    Ok(Picture {
        tasks: paper(pb::PaperKind::PaperTasks)?,
        campaigns: paper(pb::PaperKind::PaperCampaigns)?,
        on: due.on,
        due: due.cases,
        work,
        refused: office.refused(false)?,
        standing: office.standing(&pb::StandingRequest::default())?,
        doubts: office.doubts(&pb::DoubtsRequest::default())?,
        to_file: office.to_file(pb::ToFileRequest { on: 0, within: WITHIN })?,
    })
}
