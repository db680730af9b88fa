//! A township's reviewers: the office passes what they ask on to the district's hub, under its own certificate, which says
//! how far they may see and settle. Invariant: nothing is decided here; without a line to the hub nothing is settled, and
//! the answer says so.

use crate::{
    control::MAX_MESSAGE,
    desk::find,
    identity::Identity,
    ledger::{Ledger, LedgerDesk},
    upstream::schedule::Keeper,
};
use std::sync::Arc;
use taizhang_proto::{
    pb::{self, review_client::ReviewClient, review_server},
    register::Refers,
};
use tokio::task::block_in_place;
use tonic::{Request, Response, Status, transport::Channel};

/// The calls.
pub(super) struct Relay {
    /// Where its people are named.
    pub(super) ledger: Arc<Ledger>,
    /// None before the office is enrolled.
    pub(super) link: Option<(Identity, Arc<Keeper<Ledger>>)>,
}

impl Relay {
    async fn hub(&self) -> Result<ReviewClient<Channel>, Status> {
        let (identity, _) = self.link.as_ref().ok_or_else(super::not_enrolled)?;
        let channel = identity.connect().await;
        let channel = channel.map_err(|error| {
            Status::unavailable(format!("{error}；裁定须联网 (rulings need the line to the district)"))
        })?;
        Ok(ReviewClient::new(channel).max_decoding_message_size(MAX_MESSAGE))
    }

    /// Names the record that a query is about by its id: the hub lets nobody below it try names out.
    fn name(&self, query: &mut pb::ConflictQuery) -> Result<(), Status> {
        if !query.record.trim().is_empty() {
            let desk = LedgerDesk::new(&self.ledger);
            query.record = block_in_place(|| find::referred(&desk, Refers::Any, &query.record))?.to_string();
        }
        Ok(())
    }

    /// What the hub answers, which is not waited for without end.
    async fn answered<T>(&self, call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
        let (identity, _) = self.link.as_ref().ok_or_else(super::not_enrolled)?;
        identity.in_time(call).await.map_err(|error| Status::unavailable(error.to_string()))?
    }

    /// Brings what was settled home, so that the registers here say it; when that does not work now, the next sync does.
    async fn bring_home(&self, answer: &pb::ResolveAnswer) {
        if let Some((_, keeper)) = self.link.as_ref().filter(|_| answer.settled > 0)
            && let Err(error) = keeper.sync_now().await
        {
            tracing::warn!(%error, "settled at the district; it comes here with the next sync");
        }
    }
}

#[tonic::async_trait]
impl review_server::Review for Relay {
    async fn conflicts(&self, request: Request<pb::ConflictQuery>) -> Result<Response<pb::ConflictPage>, Status> {
        let mut query = request.into_inner();
        self.name(&mut query)?;
        let mut hub = self.hub().await?;
        self.answered(hub.conflicts(query)).await
    }

    async fn show(&self, request: Request<pb::ConflictNumber>) -> Result<Response<pb::ConflictDetail>, Status> {
        let mut hub = self.hub().await?;
        self.answered(hub.show(request.into_inner())).await
    }

    async fn resolve(&self, request: Request<pb::ResolveRequest>) -> Result<Response<pb::ResolveAnswer>, Status> {
        let mut request = request.into_inner();
        if let Some(like) = &mut request.like {
            self.name(like)?;
        }
        let mut hub = self.hub().await?;
        let answer = self.answered(hub.resolve(request)).await?;
        self.bring_home(answer.get_ref()).await;
        Ok(answer)
    }

    async fn reopen(&self, request: Request<pb::ReopenRequest>) -> Result<Response<pb::ResolveAnswer>, Status> {
        let mut hub = self.hub().await?;
        let answer = self.answered(hub.reopen(request.into_inner())).await?;
        self.bring_home(answer.get_ref()).await;
        Ok(answer)
    }

    async fn merge(&self, request: Request<pb::MergeRequest>) -> Result<Response<pb::ResolveAnswer>, Status> {
        let mut hub = self.hub().await?;
        self.answered(hub.merge(request.into_inner())).await
    }

    async fn revise(&self, request: Request<pb::ReviseRequest>) -> Result<Response<pb::SaveAnswer>, Status> {
        let mut hub = self.hub().await?;
        self.answered(hub.revise(request.into_inner())).await
    }
}
