//! The face of an operator's calls that programs and the command line use: it translates, and decides nothing.

use super::calls::Calls;
use taizhang_proto::pb::{self, admin_server::Admin};
use tokio::task::block_in_place;
use tonic::{Request, Response, Status};

/// The service.
pub(super) struct Face(pub(super) Calls);

type Answer<T> = Result<Response<T>, Status>;

/// An answer that only reads.
fn read<T, E: Into<Status>>(answer: impl FnOnce() -> Result<T, E>) -> Answer<T> {
    block_in_place(answer).map(Response::new).map_err(Into::into)
}

#[tonic::async_trait]
impl Admin for Face {
    async fn status(&self, _: Request<pb::Empty>) -> Answer<pb::StatusAnswer> {
        read(|| self.0.status())
    }

    async fn token(&self, request: Request<pb::TokenRequest>) -> Answer<pb::TokenAnswer> {
        Ok(Response::new(self.0.token(request.get_ref()).await?))
    }

    async fn nodes(&self, _: Request<pb::Empty>) -> Answer<pb::NodesAnswer> {
        read(|| self.0.nodes())
    }

    async fn retire(&self, request: Request<pb::RetireRequest>) -> Answer<pb::NodesAnswer> {
        let pb::RetireRequest { node, undo, by, reason } = request.into_inner();
        let caller = self.0.operator(&by)?;
        Ok(Response::new(self.0.retire(&caller, (&node, undo), &reason).await?))
    }

    async fn audit_log(&self, request: Request<pb::AuditLogRequest>) -> Answer<pb::AuditLogAnswer> {
        read(|| self.0.audit_log(request.get_ref().limit))
    }

    async fn shares(&self, request: Request<pb::SharesRequest>) -> Answer<pb::SharesAnswer> {
        read(|| self.0.shares(request.get_ref()))
    }

    async fn aside(&self, request: Request<pb::AsideRequest>) -> Answer<pb::NodesAnswer> {
        Ok(Response::new(self.0.set_aside(request.into_inner()).await?))
    }

    async fn audit(&self, _: Request<pb::Empty>) -> Answer<pb::AuditAnswer> {
        read(|| self.0.audit())
    }

    async fn verify(&self, _: Request<pb::Empty>) -> Answer<pb::VerifyAnswer> {
        read(|| self.0.verify())
    }

    async fn keys(&self, _: Request<pb::Empty>) -> Answer<pb::StatusAnswer> {
        read(|| self.0.keys())
    }

    async fn rotate_key(&self, request: Request<pb::RotateKeyRequest>) -> Answer<pb::StatusAnswer> {
        let caller = self.0.any_operator(&request.get_ref().by)?;
        Ok(Response::new(self.0.rotate_key(&caller).await?))
    }

    async fn ca(&self, request: Request<pb::CaRequest>) -> Answer<pb::CaAnswer> {
        Ok(Response::new(self.0.ca(request.get_ref()).await?))
    }

    async fn confirm(&self, request: Request<pb::ConfirmRequest>) -> Answer<pb::StatusAnswer> {
        let caller = self.0.operator(&request.get_ref().by)?;
        Ok(Response::new(self.0.confirm(&caller).await?))
    }

    async fn find_units(&self, request: Request<pb::FindUnitsRequest>) -> Answer<pb::UnitsAnswer> {
        Ok(Response::new(self.0.find_units(&request.get_ref().word)))
    }

    async fn units(&self, request: Request<pb::UnitsRequest>) -> Answer<pb::Empty> {
        let pb::UnitsRequest { csv, sure, by } = request.into_inner();
        self.0.take_units(&self.0.any_operator(&by)?, csv, sure).await?;
        Ok(Response::new(pb::Empty {}))
    }

    async fn publish_plan(&self, request: Request<pb::PlanText>) -> Answer<pb::PlanText> {
        let pb::PlanText { text, by, .. } = request.into_inner();
        Ok(Response::new(self.0.publish_plan(&self.0.any_operator(&by)?, &text).await?))
    }

    async fn plan(&self, _: Request<pb::Empty>) -> Answer<pb::PlanText> {
        read(|| self.0.plan())
    }

    async fn order(&self, request: Request<pb::OrderRequest>) -> Answer<pb::OrdersAnswer> {
        Ok(Response::new(self.0.order(request.get_ref()).await?))
    }

    async fn orders(&self, request: Request<pb::OrdersRequest>) -> Answer<pb::OrdersAnswer> {
        read(|| self.0.orders(request.get_ref().no))
    }

    async fn record_draw(&self, request: Request<pb::RecordDrawRequest>) -> Answer<pb::RecordedDraw> {
        let pb::RecordDrawRequest { draw, by } = request.into_inner();
        Ok(Response::new(self.0.record_draw(&self.0.operator(&by)?, &draw.unwrap_or_default()).await?))
    }

    async fn draws(&self, _: Request<pb::Empty>) -> Answer<pb::DrawsAnswer> {
        read(|| self.0.draws())
    }

    async fn backdated(&self, request: Request<pb::BackdatedRequest>) -> Answer<pb::BackdatedAnswer> {
        read(|| self.0.backdated(request.get_ref()))
    }

    async fn campaigns(&self, request: Request<pb::CampaignsRequest>) -> Answer<pb::CampaignsAnswer> {
        read(|| self.0.campaigns(request.get_ref().on))
    }

    async fn months(&self, request: Request<pb::MonthRequest>) -> Answer<pb::MonthsAnswer> {
        read(|| self.0.months(request.get_ref()))
    }

    async fn approve(&self, request: Request<pb::MonthRequest>) -> Answer<pb::ApproveAnswer> {
        Ok(Response::new(self.0.approve(request.get_ref()).await?))
    }

    async fn lock(&self, request: Request<pb::MonthRequest>) -> Answer<pb::MonthAnswer> {
        Ok(Response::new(self.0.lock(request.get_ref()).await?))
    }

    async fn report(&self, request: Request<pb::MonthRequest>) -> Answer<pb::MonthReport> {
        read(|| self.0.report(request.get_ref()))
    }

    async fn adjustments(&self, request: Request<pb::MonthRequest>) -> Answer<pb::MonthAnswer> {
        read(|| self.0.adjustments(request.get_ref()))
    }

    async fn sync_now(&self, _: Request<pb::Empty>) -> Answer<pb::SyncReport> {
        Ok(Response::new(self.0.sync_now().await?))
    }
}
