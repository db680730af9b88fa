//! What the member units of a hub's leading group (领导小组成员单位) read beside figures, with a reader's certificate: locked months and how
//! far the next one is, reports, the city's tasks, campaigns (notice, items 43 to 50).
//! Invariant: it is read only, names nobody of the registers, and is for whoever reads for the hub's own unit.

use crate::{
    campaigns,
    gate::Gate,
    months, orders,
    state::{Core, Peer},
};
use std::sync::Arc;
use taizhang_proto::pb::{self, bulletin_server};
use tokio::task::block_in_place;
use tonic::{Request, Response, Status};

/// Requests that are worked on at a time, that may wait, and of one certificate.
const WORKING: usize = 2;
const WAITING: usize = 30;
const EACH: usize = 2;

/// The service.
pub(super) struct Bulletin {
    core: Arc<Core>,
    queries: Gate,
}

impl Bulletin {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self { core, queries: Gate::new(WORKING, WAITING, EACH) }
    }

    /// Works out one answer, in turn, for somebody of the hub's own unit.
    async fn answer<Q, A, E: ToString>(
        &self,
        request: Request<Q>,
        work: impl FnOnce(&Core, &Q) -> Result<A, E>,
    ) -> Result<Response<A>, Status> {
        let peer = request.extensions().get::<Peer>().filter(|peer| peer.unit == self.core.unit && !peer.hub);
        let Some(peer) = peer else {
            return Err(Status::permission_denied("只对本级的成员单位开放 (for member units of this tier)"));
        };
        let _pass = self.queries.enter(&peer.id).await?;
        let answer = block_in_place(|| work(&self.core, request.get_ref()));
        answer.map(Response::new).map_err(|error| Status::failed_precondition(error.to_string()))
    }
}

#[tonic::async_trait]
impl bulletin_server::Bulletin for Bulletin {
    async fn months(&self, request: Request<pb::MonthRequest>) -> Result<Response<pb::MonthsAnswer>, Status> {
        self.answer(request, months::overview).await
    }

    async fn report(&self, request: Request<pb::MonthRequest>) -> Result<Response<pb::MonthReport>, Status> {
        self.answer(request, months::report).await
    }

    async fn orders(&self, request: Request<pb::OrdersRequest>) -> Result<Response<pb::OrdersAnswer>, Status> {
        self.answer(request, |core, asked| {
            let mut answer = orders::progress(core, asked.no)?;
            for order in &mut answer.orders {
                // What is asked for, and not the words of a record or who decided it.
                order.by.clear();
                order.message.clear();
            }
            Ok::<_, orders::GiveError>(answer)
        })
        .await
    }

    async fn campaigns(&self, request: Request<pb::CampaignsRequest>) -> Result<Response<pb::CampaignsAnswer>, Status> {
        self.answer(request, |core, asked| campaigns::answer(core, asked.on)).await
    }
}
