//! The face of the calls by which a district's records are read: it says who asks, and translates.

use crate::{
    reading::{Asked, Readings},
    state::Core,
    writer::Writer,
};
use std::sync::Arc;
use taizhang_node::caller::{Caller, Role};
use taizhang_proto::pb::{self, reading_server::Reading};
use tokio::task::block_in_place;
use tonic::{Request, Response, Status};

/// The service.
pub(super) struct ReadingService(Readings);

impl ReadingService {
    pub(super) fn new(core: Arc<Core>, writer: Writer) -> Self {
        Self(Readings::new(core, writer))
    }

    /// Who asks, and whether for names.
    fn caller(&self, what: &pb::ReadRequest) -> Result<(Caller, bool), Status> {
        let who = what.who.clone().unwrap_or_default();
        Ok((Caller::or_nobody(&who.by, Role::Reader, self.0.unit())?, who.names))
    }
}

type Answer<T> = Result<Response<T>, Status>;

/// Has a call answer what is asked.
macro_rules! answered {
    ($own:expr, $call:ident, $request:expr) => {{
        let what = $request.into_inner();
        let (caller, names) = $own.caller(&what)?;
        let answer = $own.0.$call(&Asked { caller: &caller, names, what: &what }).await?;
        Ok(Response::new(answer))
    }};
}

#[tonic::async_trait]
impl Reading for ReadingService {
    async fn list(&self, request: Request<pb::ReadRequest>) -> Answer<pb::ListAnswer> {
        answered!(self, list, request)
    }

    async fn doubts(&self, request: Request<pb::ReadRequest>) -> Answer<pb::DoubtsAnswer> {
        answered!(self, doubts, request)
    }

    async fn search(&self, request: Request<pb::ReadRequest>) -> Answer<pb::SearchAnswer> {
        answered!(self, search, request)
    }

    async fn card(&self, request: Request<pb::ReadRequest>) -> Answer<pb::StatusAnswer> {
        answered!(self, card, request)
    }

    async fn history(&self, request: Request<pb::ReadRequest>) -> Answer<pb::HistoryAnswer> {
        answered!(self, history, request)
    }

    async fn export(&self, request: Request<pb::ReadRequest>) -> Answer<pb::ExportAnswer> {
        answered!(self, export, request)
    }

    async fn looks(&self, request: Request<pb::ReadRequest>) -> Answer<pb::LooksAnswer> {
        Ok(Response::new(block_in_place(|| self.0.looks(request.get_ref().limit))?))
    }
}
