//! The computers below the hub, and those who read its figures: who they are, who is let go of, and what is set aside.

use super::Calls;
use crate::{
    hub::Hub,
    rows::NodeRow,
    state::readers,
    store::StoreError,
    totals::{
        aside::{self, AsideChild},
        children,
    },
    writer::{Answer, Decided, Job},
};
use taizhang_node::caller::{Caller, Refusal};
use taizhang_proto::{OrgCode, limits, pb};
use tokio::task::block_in_place;

impl Hub {
    /// The child or reader that an operator means: by its id, or by the code or name of a unit where only one serves (or, to be
    /// taken back, only one was retired).
    fn one_named(&self, named: &str, retired: bool) -> Result<String, Refusal> {
        let view = self.core.view();
        let (rows, readers) = (children(view.as_ref())?, readers::all(&self.core)?);
        let is_known = rows.iter().any(|row| row.id == named) || readers.iter().any(|reader| reader.id == named);
        if is_known || self.core.roll().retired.iter().any(|one| one.id == named) {
            return Ok(named.to_owned());
        }
        let tree = self.core.tree();
        let unit = named.parse().ok().or_else(|| tree.by_name(self.core.unit, named)).map(OrgCode::number);
        let of_unit = rows.iter().filter(|row| Some(row.unit) == unit && (row.retired > 0) == retired);
        let of_name = readers.iter().filter(|reader| reader.name == named && (reader.retired > 0) == retired);
        let found: Vec<&str> = of_unit.map(|row| row.id.as_str()).chain(of_name.map(|one| one.id.as_str())).collect();
        match found[..] {
            [one] => Ok(one.to_owned()),
            [] if rows.iter().any(|row| Some(row.unit) == unit) => Err(Refusal::refused(if retired {
                format!("{named} 没有停用的电脑 (none of this unit is retired)")
            } else {
                format!("{named} 的电脑已经停用 (retired already)")
            })),
            [] => Err(Refusal::unknown(format!("没有 {named}，见 nodes (no such child or reader: see `nodes`)"))),
            _ => Err(Refusal::refused(format!(
                "{named} 有 {} 台，请写明节点编号 (several: name the id): {}",
                found.len(),
                found.join(" ")
            ))),
        }
    }

    fn nodes(&self, online: &[String]) -> Result<pb::NodesAnswer, StoreError> {
        let tree = self.core.tree();
        let view = self.core.view();
        let set_aside = aside::row(view.as_ref())?;
        let now = self.core.now();
        let whole = |row: &NodeRow| set_aside.child(row.unit).filter(|_| row.hub).cloned().unwrap_or_default();
        let refuted = |row: &NodeRow| set_aside.refuted.iter().filter(|one| row.hub && one.child == row.unit).count();
        let mut nodes: Vec<pb::NodeInfo> = children(view.as_ref())?
            .into_iter()
            .map(|row| (whole(&row), refuted(&row), row))
            .map(|(aside, refuted, row)| pb::NodeInfo {
                twins: row.twins(now),
                aside: aside.at,
                aside_by: aside.by,
                aside_reason: aside.reason,
                beyond: row.beyond,
                refuted: refuted as u32,
                unit: row.unit,
                unit_name: OrgCode::new(row.unit).map(|unit| tree.name(unit)).unwrap_or_default(),
                hub: row.hub,
                enrolled: row.enrolled,
                last_sync: row.last_sync,
                acknowledged: row.acknowledged,
                pulled: row.pulled,
                equal: row.equal,
                software: row.software,
                skew_millis: row.skew_millis,
                refused: row.refused,
                retired: row.retired,
                retired_by: row.retired_by,
                retired_reason: row.retired_reason,
                incidents: row.incidents,
                online: online.contains(&row.id),
                ends: row.ends,
                generation: row.generation,
                node: row.id,
            })
            .collect();
        let readers = readers::all(&self.core)?;
        // Of whom the roll alone still knows: the row was lost with a store.
        let is_known = |id: &str| nodes.iter().any(|one| one.node == id) || readers.iter().any(|one| one.id == id);
        let roll = self.core.roll();
        let lost = roll.retired.iter().filter(|one| one.at > 0 && !is_known(&one.id));
        let lost: Vec<pb::NodeInfo> =
            lost.map(|one| pb::NodeInfo { node: one.id.clone(), retired: one.at, ..pb::NodeInfo::default() }).collect();
        nodes.extend(lost);
        // Silent ones first: they are why somebody looks. Of retired ones nobody expects anything.
        nodes.sort_by_key(|node| (node.retired > 0, node.last_sync, node.unit));
        Ok(pb::NodesAnswer { nodes, readers })
    }
}

impl Calls {
    /// Everybody below the hub, silent ones first, and who reads its figures.
    pub(in crate::hub) fn nodes(&self) -> Result<pb::NodesAnswer, Refusal> {
        Ok(self.hub.nodes(&self.sync.online())?)
    }

    /// Lets go of a child or a reader for a reason, or takes it back.
    pub(in crate::hub) async fn retire(
        &self,
        caller: &Caller,
        (named, undo): (&str, bool),
        reason: &str,
    ) -> Result<pb::NodesAnswer, Refusal> {
        let reason = limits::reason(reason)?.to_owned();
        let id = block_in_place(|| self.hub.one_named(named, undo))?;
        let decided = Decided { by: caller.name.clone(), reason };
        if let Answer::Refused(why) = self.hub.writer.write(Job::Retire { id: id.clone(), undo, decided }).await? {
            return Err(Refusal::Refused(why));
        }
        tracing::info!(node = %id, undo, "a child or reader was retired, or serves again");
        block_in_place(|| self.nodes())
    }

    /// Leaves what a child says out of all figures, or counts it again. The writer looks at name and reason.
    pub(in crate::hub) async fn set_aside(&self, asked: pb::AsideRequest) -> Result<pb::NodesAnswer, Refusal> {
        let pb::AsideRequest { unit, by, reason, undo } = asked;
        let child = AsideChild { unit, by, reason, ..AsideChild::default() };
        match self.hub.writer.write(Job::Aside { child, undo }).await? {
            Answer::Refused(why) => Err(Refusal::refused(why)),
            _ => block_in_place(|| self.nodes()),
        }
    }
}
