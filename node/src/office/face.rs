//! The face of an office's calls that programs and the command line use: it says who asks, translates, and decides nothing.

use super::Office;
use crate::caller::Refusal;
use std::{pin::Pin, sync::Arc};
use taizhang_proto::pb::{self, office_server};
use tokio::task::block_in_place;
use tokio_stream::{Stream, StreamExt, wrappers::ReceiverStream};
use tonic::{Request, Response, Status};

/// The service.
pub(super) struct Face {
    office: Arc<Office>,
}

impl Face {
    pub(super) fn new(office: Arc<Office>) -> Self {
        Self { office }
    }
}

type Answer<T> = Result<Response<T>, Status>;

/// An answer that is worked out here and now.
fn now<T>(answer: impl FnOnce() -> Result<T, Refusal>) -> Answer<T> {
    Ok(Response::new(block_in_place(answer)?))
}

#[tonic::async_trait]
impl office_server::Office for Face {
    type ImportStream = Pin<Box<dyn Stream<Item = Result<pb::ImportStep, Status>> + Send>>;

    async fn status(&self, _: Request<pb::Empty>) -> Answer<pb::StatusAnswer> {
        now(|| Ok(pb::StatusAnswer { facts: self.office.facts() }))
    }

    async fn import(&self, request: Request<pb::ImportRequest>) -> Answer<Self::ImportStream> {
        let caller = self.office.clerk(&request.get_ref().by)?;
        let steps = self.office.files.import(self.office.clone(), caller, request.into_inner())?;
        Ok(Response::new(Box::pin(ReceiverStream::new(steps).map(|step| step.map_err(Status::from)))))
    }

    async fn export(&self, request: Request<pb::ExportRequest>) -> Answer<pb::ExportAnswer> {
        let _place = self.office.files.place().await;
        now(|| self.office.export(&self.office.clerk("")?, request.get_ref()))
    }

    async fn due(&self, request: Request<pb::DueRequest>) -> Answer<pb::DueAnswer> {
        now(|| self.office.due(&self.office.clerk("")?, request.get_ref()))
    }

    async fn card(&self, request: Request<pb::CardRequest>) -> Answer<pb::StatusAnswer> {
        now(|| self.office.card(request.get_ref()))
    }

    async fn to_file(&self, request: Request<pb::ToFileRequest>) -> Answer<pb::ToFileAnswer> {
        now(|| self.office.to_file(request.into_inner()))
    }

    async fn worklist(&self, request: Request<pb::DueRequest>) -> Answer<pb::WorkAnswer> {
        now(|| self.office.worklist(&self.office.clerk("")?, request.get_ref()))
    }

    async fn doubts(&self, request: Request<pb::DoubtsRequest>) -> Answer<pb::DoubtsAnswer> {
        now(|| self.office.doubts(request.get_ref()))
    }

    async fn standing(&self, request: Request<pb::StandingRequest>) -> Answer<pb::StandingAnswer> {
        now(|| self.office.standing(request.get_ref()))
    }

    async fn sync_now(&self, _: Request<pb::Empty>) -> Answer<pb::SyncReport> {
        Ok(Response::new(self.office.sync_now().await?))
    }

    async fn verify(&self, _: Request<pb::Empty>) -> Answer<pb::VerifyAnswer> {
        now(|| Ok(self.office.verify()))
    }

    async fn save(&self, request: Request<pb::SaveRequest>) -> Answer<pb::SaveAnswer> {
        let request = request.into_inner();
        now(|| self.office.save_form(&self.office.clerk(&request.by)?, &request))
    }

    async fn history(&self, request: Request<pb::HistoryRequest>) -> Answer<pb::HistoryAnswer> {
        now(|| self.office.history(&self.office.clerk("")?, request.get_ref()))
    }

    async fn close(&self, request: Request<pb::MonthRequest>) -> Answer<pb::CloseAnswer> {
        let request = request.into_inner();
        now(|| self.office.close(&self.office.clerk(&request.by)?, &request))
    }

    async fn paper(&self, request: Request<pb::PaperRequest>) -> Answer<pb::Paper> {
        now(|| self.office.paper(&self.office.clerk("")?, request.get_ref()))
    }

    async fn find_units(&self, request: Request<pb::FindUnitsRequest>) -> Answer<pb::UnitsAnswer> {
        now(|| Ok(self.office.find_units(&request.get_ref().word)))
    }

    async fn refused(&self, request: Request<pb::RefusedRequest>) -> Answer<pb::RefusedAnswer> {
        now(|| Ok(pb::RefusedAnswer { items: self.office.refused(request.get_ref().all)? }))
    }

    async fn resend(&self, request: Request<pb::ResendRequest>) -> Answer<pb::RefusedSteps> {
        let request = request.into_inner();
        now(|| Ok(pb::RefusedSteps { steps: self.office.resend(&self.office.clerk(&request.by)?, &request)? }))
    }

    async fn let_go(&self, request: Request<pb::LetGoRequest>) -> Answer<pb::RefusedSteps> {
        let request = request.into_inner();
        now(|| Ok(pb::RefusedSteps { steps: self.office.let_go(&self.office.clerk(&request.by)?, &request)? }))
    }

    async fn audit_log(&self, request: Request<pb::AuditLogRequest>) -> Answer<pb::AuditLogAnswer> {
        now(|| self.office.audit_log(request.get_ref().limit))
    }

    async fn search(&self, request: Request<pb::SearchRequest>) -> Answer<pb::SearchAnswer> {
        now(|| self.office.search(request.get_ref()))
    }

    async fn list(&self, request: Request<pb::ListRequest>) -> Answer<pb::ListAnswer> {
        now(|| self.office.list(request.get_ref()))
    }
}
