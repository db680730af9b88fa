//! The face of the reviewers' calls that command lines and townships' offices use: it says who asks, and translates.
//! Invariant: nobody below the hub asks for more than the certificate names, and none asks for so much that others wait.

use crate::{
    gate::{Gate, Pass},
    review::Reviews,
    state::{Core, Peer},
    writer::Writer,
};
use std::sync::Arc;
use taizhang_node::caller::{Caller, Refusal, Role};
use taizhang_proto::pb::{self, Tier, review_server};
use tonic::{Request, Response, Status};

/// Requests that are worked on at a time, that may wait, and of one office.
const WORKING: usize = 4;
const WAITING: usize = 28;
const EACH: usize = 4;

/// The service.
#[derive(Clone)]
pub struct ReviewService {
    calls: Reviews,
    /// Whether it answers offices below, each by the [`Peer`] that its certificate names; else the hub's own reviewers.
    below: bool,
    gate: Gate,
}

impl ReviewService {
    /// A service for the hub's own reviewers.
    pub fn new(core: Arc<Core>, writer: Writer) -> Self {
        Self { calls: Reviews::new(core, writer), below: false, gate: Gate::new(WORKING, WAITING, EACH) }
    }

    /// A service for reviewers of the townships below: each request carries the [`Peer`] that its certificate names.
    pub fn for_townships(core: Arc<Core>, writer: Writer) -> Self {
        Self { below: true, ..Self::new(core, writer) }
    }

    /// Who asks, by a name that they give, and the place that they have at the hub meanwhile.
    async fn caller<T>(&self, request: &Request<T>, by: &str) -> Result<(Caller, Pass), Refusal> {
        let peer = request.extensions().get::<Peer>();
        let pass = self.gate.enter(peer.map_or("", |peer| peer.id.as_str())).await?;
        let unit = match peer.filter(|_| self.below) {
            None if self.below => return Err(Refusal::NotTheirs("no certificate".into())),
            None => self.calls.unit(),
            Some(peer) if peer.hub || peer.unit.tier() != Tier::Township => {
                return Err(Refusal::NotTheirs(
                    "由街道、乡镇或县区的审核人裁定 (reviewers of a township or the district settle it)".into(),
                ));
            }
            Some(peer) => peer.unit,
        };
        Ok((Caller::or_nobody(by, Role::Reviewer, unit)?, pass))
    }
}

/// Who looks, and whether at names.
fn looker(who: Option<&pb::Looker>) -> (&str, bool) {
    who.map_or(("", false), |who| (who.by.as_str(), who.names))
}

#[tonic::async_trait]
impl review_server::Review for ReviewService {
    async fn conflicts(&self, request: Request<pb::ConflictQuery>) -> Result<Response<pb::ConflictPage>, Status> {
        let (by, names) = looker(request.get_ref().who.as_ref());
        let (caller, _pass) = self.caller(&request, by).await?;
        Ok(Response::new(self.calls.conflicts(&caller, names, request.into_inner()).await?))
    }

    async fn show(&self, request: Request<pb::ConflictNumber>) -> Result<Response<pb::ConflictDetail>, Status> {
        let (by, names) = looker(request.get_ref().who.as_ref());
        let (caller, _pass) = self.caller(&request, by).await?;
        Ok(Response::new(self.calls.show(&caller, names, request.get_ref().number).await?))
    }

    async fn resolve(&self, request: Request<pb::ResolveRequest>) -> Result<Response<pb::ResolveAnswer>, Status> {
        let (caller, _pass) = self.caller(&request, &request.get_ref().by).await?;
        Ok(Response::new(self.calls.resolve(&caller, request.into_inner()).await?))
    }

    async fn reopen(&self, request: Request<pb::ReopenRequest>) -> Result<Response<pb::ResolveAnswer>, Status> {
        let (caller, _pass) = self.caller(&request, &request.get_ref().by).await?;
        Ok(Response::new(self.calls.reopen(&caller, request.into_inner()).await?))
    }

    async fn merge(&self, request: Request<pb::MergeRequest>) -> Result<Response<pb::ResolveAnswer>, Status> {
        let (caller, _pass) = self.caller(&request, &request.get_ref().by).await?;
        Ok(Response::new(self.calls.merge(&caller, request.into_inner()).await?))
    }

    async fn revise(&self, request: Request<pb::ReviseRequest>) -> Result<Response<pb::SaveAnswer>, Status> {
        let (caller, _pass) = self.caller(&request, &request.get_ref().by).await?;
        Ok(Response::new(self.calls.revise(&caller, request.into_inner()).await?))
    }
}
