//! What an operator may ask of an open hub, whatever the face: what is asked, by whom, and the answer.
//! Invariant: whatever is done stands in the audit log under the name that was given, by the writer's own hand where a job does it; a face
//! adds nothing but its own words.

mod children;
mod log;
mod status;
mod units;

use super::Hub;
use crate::{
    authority,
    backdated::{self, Asked},
    campaigns, draws, months, orders, plans, reading,
    session::serve::SyncService,
    totals::{QueryError, audit, shares},
    writer::Job,
};
use std::sync::Arc;
use taizhang_node::caller::{Caller, Refusal, Role};
use taizhang_proto::{OrgCode, month::Month, pb};
use tokio::task::block_in_place;

/// The calls of an operator.
pub(super) struct Calls {
    hub: Arc<Hub>,
    sync: SyncService,
    advertised: String,
}

impl Calls {
    pub(super) fn new(hub: Arc<Hub>, sync: SyncService, advertised: String) -> Self {
        Self { hub, sync, advertised }
    }

    /// The operator of this name.
    pub(super) fn operator(&self, name: &str) -> Result<Caller, Refusal> {
        Caller::new(name, Role::Operator, self.hub.core.unit)
    }

    /// The operator of this name, or one who does not say it.
    pub(super) fn any_operator(&self, name: &str) -> Result<Caller, Refusal> {
        Caller::or_nobody(name, Role::Operator, self.hub.core.unit)
    }

    /// Has the writer do something in the name of a caller.
    async fn write(&self, caller: &Caller, job: Job) -> Result<(), Refusal> {
        self.hub.writer.write(Job::By(caller.name.clone(), Box::new(job))).await?;
        Ok(())
    }

    /// Keeps who did what is done to files beside the store.
    async fn log(&self, caller: &Caller, what: &str, of: String) -> Result<(), Refusal> {
        reading::log(&self.hub.core, &self.hub.writer, caller, what, of).await
    }

    /// Gives a one-time token.
    pub(super) async fn token(&self, asked: &pb::TokenRequest) -> Result<pb::TokenAnswer, Refusal> {
        let hub = &self.hub;
        authority::make_token(&hub.core, &hub.writer, &hub.authority, &self.advertised, asked).await
    }

    /// Turns to new mark keys.
    pub(super) async fn rotate_key(&self, caller: &Caller) -> Result<pb::StatusAnswer, Refusal> {
        self.write(caller, Job::RotateKey).await?;
        block_in_place(|| self.keys())
    }

    /// The authorities; with a new one that signs from now on, or without a former one, where the caller says so.
    pub(super) async fn ca(&self, asked: &pb::CaRequest) -> Result<pb::CaAnswer, Refusal> {
        let hub = &self.hub;
        if asked.rotate || asked.drop != 0 {
            let caller = self.operator(&asked.by)?;
            if asked.rotate {
                let number = block_in_place(|| hub.authority.rotate(hub.core.now())).map_err(Refusal::failed)?;
                tracing::warn!(number, "a new authority signs from now on");
                self.log(&caller, "ca rotate", format!("#{number}")).await?;
            }
            if asked.drop != 0 {
                block_in_place(|| hub.authority.drop_former(asked.drop)).map_err(Refusal::refused)?;
                tracing::warn!(number = asked.drop, "a former authority was let go of");
                self.log(&caller, "ca drop", format!("#{}", asked.drop)).await?;
            }
        }
        hub.core.go_by(hub.authority.in_force());
        block_in_place(|| self.authorities())
    }

    /// Somebody has looked after a restored store: it enrols again.
    pub(super) async fn confirm(&self, caller: &Caller) -> Result<pb::StatusAnswer, Refusal> {
        self.hub.writer.write(Job::Confirm(caller.name.clone())).await?;
        tracing::warn!("somebody has looked after the restored store; this hub enrols again");
        block_in_place(|| self.status())
    }

    /// Compares every total with a recount.
    pub(super) fn audit(&self) -> Result<pb::AuditAnswer, Refusal> {
        Ok(audit::audit(&self.hub.core)?)
    }

    /// What children say of each other's figures.
    pub(super) fn shares(&self, asked: &pb::SharesRequest) -> Result<pb::SharesAnswer, QueryError> {
        shares(&self.hub.core, asked)
    }

    /// Signs a plan and has it counted by.
    pub(super) async fn publish_plan(&self, caller: &Caller, text: &str) -> Result<pb::PlanText, Refusal> {
        let list = block_in_place(|| {
            let key = self.hub.core.signer().ok_or(plans::PublishError::NotCity)?;
            plans::publish(&self.hub.core, key, text)
        });
        self.write(caller, Job::Plans(list.map_err(Refusal::refused)?)).await?;
        self.plan()
    }

    /// The newest plan.
    pub(super) fn plan(&self) -> Result<pb::PlanText, Refusal> {
        let plans = self.hub.core.plans();
        let newest = plans.iter().max_by_key(|plan| plan.version);
        let newest = newest.ok_or_else(|| Refusal::unknown("没有工作目标 (no plan)"))?;
        let text = toml::to_string(newest).map_err(Refusal::failed)?;
        Ok(pb::PlanText { text, version: newest.version, effective_on: newest.from(), by: String::new() })
    }

    /// Gives a task, or withdraws one.
    pub(super) async fn order(&self, asked: &pb::OrderRequest) -> Result<pb::OrdersAnswer, Refusal> {
        let hub = &self.hub;
        let key = hub.core.signer().ok_or(orders::GiveError::NotCity).map_err(Refusal::refused)?;
        // A task needs no name, a decision does: `orders::change` asks for it.
        let by = asked.order.as_ref().map(|order| order.by.as_str()).unwrap_or_default();
        let caller = self.any_operator(by)?;
        orders::change(&hub.core, &hub.writer, key, asked).await.map_err(Refusal::refused)?;
        let of = match asked.withdraw {
            0 => {
                let standing = orders::standing(&hub.core).map_err(Refusal::failed)?.orders;
                standing.last().map(|order| format!("give {}", order.no)).unwrap_or_default()
            }
            no => format!("withdraw {no}"),
        };
        self.log(&caller, "tasks", of).await?;
        block_in_place(|| self.orders(0))
    }

    /// How far a task is, or all of them.
    pub(super) fn orders(&self, no: u32) -> Result<pb::OrdersAnswer, Refusal> {
        orders::progress(&self.hub.core, no).map_err(Refusal::refused)
    }

    /// Keeps a draw that can be replayed.
    pub(super) async fn record_draw(
        &self,
        caller: &Caller,
        draw: &pb::DrawRequest,
    ) -> Result<pb::RecordedDraw, Refusal> {
        draws::record(&self.hub.core, &self.hub.writer, draw, &caller.name).await.map_err(Refusal::refused)
    }

    /// The draws that were kept.
    pub(super) fn draws(&self) -> Result<pb::DrawsAnswer, Refusal> {
        Ok(pb::DrawsAnswer { draws: draws::recorded(&self.hub.core)? })
    }

    /// What was entered long after it happened; of this month so far, where nobody says of when.
    pub(super) fn backdated(&self, asked: &pb::BackdatedRequest) -> Result<pb::BackdatedAnswer, Refusal> {
        let core = &self.hub.core;
        let unit = if asked.unit == 0 { Ok(core.unit) } else { OrgCode::new(asked.unit).map_err(Refusal::refused) }?;
        let to = if asked.to == 0 { core.today() } else { asked.to };
        let first = Month::of(to).map_or(to, Month::first_day);
        let asked = Asked { unit, from: if asked.from == 0 { first } else { asked.from }, to };
        Ok(pb::BackdatedAnswer { lines: backdated::backdated(core, asked).map_err(Refusal::failed)? })
    }

    /// How far the campaigns are on a day.
    pub(super) fn campaigns(&self, on: i32) -> Result<pb::CampaignsAnswer, Refusal> {
        campaigns::answer(&self.hub.core, on).map_err(Refusal::failed)
    }

    /// The locked months, and how far the units are with a month.
    pub(super) fn months(&self, asked: &pb::MonthRequest) -> Result<pb::MonthsAnswer, Refusal> {
        months::overview(&self.hub.core, asked).map_err(Refusal::refused)
    }

    /// Approves a month of units below, or sends it back.
    pub(super) async fn approve(&self, asked: &pb::MonthRequest) -> Result<pb::ApproveAnswer, Refusal> {
        months::approve(&self.hub.core, &self.hub.writer, asked).await.map_err(Refusal::refused)
    }

    /// Signs a month.
    pub(super) async fn lock(&self, asked: &pb::MonthRequest) -> Result<pb::MonthAnswer, Refusal> {
        let hub = &self.hub;
        let key = hub.core.signer().ok_or(months::MonthsError::NotCity).map_err(Refusal::refused)?;
        months::lock(&hub.core, &hub.writer, key, asked).await.map_err(Refusal::refused)
    }

    /// The report of a month.
    pub(super) fn report(&self, asked: &pb::MonthRequest) -> Result<pb::MonthReport, Refusal> {
        months::report(&self.hub.core, asked).map_err(Refusal::refused)
    }

    /// What has changed of a locked month since.
    pub(super) fn adjustments(&self, asked: &pb::MonthRequest) -> Result<pb::MonthAnswer, Refusal> {
        months::adjustments(&self.hub.core, asked).map_err(Refusal::refused)
    }

    /// Has a session with the parent now.
    pub(super) async fn sync_now(&self) -> Result<pb::SyncReport, Refusal> {
        let keeper = self.hub.keeper.as_ref();
        let keeper = keeper.ok_or_else(|| Refusal::refused("没有上级 (no parent: enrol this hub first)"))?;
        Ok(match keeper.sync_now().await {
            Ok(report) => report,
            Err(error) => pb::SyncReport { error: error.to_string(), ..pb::SyncReport::default() },
        })
    }
}
