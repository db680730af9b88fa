//! How a session begins, and the documents that come with it: the tree of units, plans, locked months.
//! Invariant: a child that says what it holds already is told nothing of it again.

use super::{Fault, MISSED_AT_ONCE, Server, Stage, wrap};
use crate::{
    mail::post,
    roll,
    rows::{self, NodeRow},
    state::{Core, months},
    store::{Space, StoreError, View},
    writer::recovery,
};
use prost::Message;
use taizhang_proto::{
    digest::LogDigest,
    pb::{self, down},
    session::{PROTOCOL_MAX, PROTOCOL_MIN},
};

impl Server {
    /// Once the child has said a kind of documents whole, it is told what stands now.
    pub(super) fn heard_again(&mut self, core: &Core, document: &pb::Document) {
        match document.kind.as_str() {
            "month" if document.version < self.hello.months => return,
            "month" => self.told_months = core.months().in_common(self.hello.months, &self.hello.month_digest),
            "orders" => self.told_orders = 0,
            roll::KIND => self.told_roll = Some(0),
            _ => {}
        }
        self.wanted.retain(|kind| *kind != document.kind);
    }

    /// The published plans, where they are newer than what the child has, or others under the same number.
    pub(super) fn newer_plan(&mut self, core: &Core) -> Option<pb::Document> {
        let (version, content) = core.published_plans()?;
        let (known, digest) = &self.told_plan;
        let own = core.plan_digest();
        // A child of an older build does not say which list it has.
        let other = version == *known && !digest.is_empty() && *digest != own;
        (version > *known || other).then(|| {
            self.told_plan = (version, own);
            pb::Document { kind: "plan".into(), version, content }
        })
    }

    /// The hub's roll, where it is newer than what the child holds; a child of an older build holds none.
    pub(super) fn newer_roll(&mut self, core: &Core) -> Option<pb::Document> {
        let version = core.roll().version;
        if self.wants(roll::KIND) || self.told_roll.is_none_or(|told| told >= version) {
            return None;
        }
        self.told_roll = Some(version);
        Some(pb::Document { kind: roll::KIND.into(), version, content: core.sealed_roll() })
    }

    /// What a child is answered when it opens a session: how far both are, and the documents that are news to it.
    pub(super) fn greet(&mut self, core: &Core, row: &NodeRow) -> Result<Vec<pb::Down>, Fault> {
        let view = core.view();
        let unit = self.scope(core).row(view.as_ref())?;
        self.stage = Stage::Talking;
        self.node = row.number;
        self.log = LogDigest::from_slice(&row.log_digest).map(|digest| (row.acknowledged, digest));
        if row.rescoped && !self.peer.hub {
            // What the new scope holds from before was never news to this child.
            self.cursor = 0;
        }
        self.whole = self.cursor.min(row.pulled);
        if self.hello.everybody == Some(false) && !self.peer.hub {
            // What is for everybody comes to it from the beginning; all else it has heard.
            self.heard_own = Some(std::mem::take(&mut self.cursor));
        }
        let mail = if self.peer.hub { post::head(view.as_ref(), self.peer.unit)? } else { 0 };
        if self.peer.hub {
            // A hub that was restored may have less mail than the child has heard, or other mail under the same numbers: it
            // says all that it holds.
            let known = core.lineage.reaches(&self.hello.epoch, self.hello.mailed) && self.hello.mailed <= mail;
            self.cursor = if known { self.hello.mailed } else { 0 };
        }
        let (head, digest) = if self.peer.hub { (mail, &unit.cells) } else { (unit.head, &unit.records) };
        let digest = if digest.is_empty() { vec![0; 32] } else { digest.clone() };
        let tree = self.newer_tree(core, self.hello.tree_version);
        self.told_tree = tree.as_ref().map_or(self.hello.tree_version, |document| document.version);
        let child = (self.peer.unit, self.peer.hub);
        // An office can say the roll alone: months and orders it holds otherwise.
        self.wanted = recovery::signed::wanted(core, view.as_ref(), (self.peer.unit, &self.hello))?;
        self.wanted.retain(|kind| self.peer.hub || kind == roll::KIND);
        self.told_roll = self.hello.roll;
        self.told_months = core.months().in_common(self.hello.months, &self.hello.month_digest);
        let month = if self.wants("month") {
            None
        } else {
            months::next_document(core, view.as_ref(), self.told_months, child)?
        };
        self.told_months += u64::from(month.is_some());
        self.told_orders = self.hello.orders;
        self.told_plan = (self.hello.plan_version, self.hello.plan_digest.clone());
        let plan = self.newer_plan(core);
        let newer_roll = self.newer_roll(core);
        let news: Vec<pb::Document> = tree.into_iter().chain(plan).chain(month).chain(newer_roll).collect();
        let (renew, authorities) = self.papers(core);
        self.told_papers = Some((renew, authorities));
        let welcome = pb::Welcome {
            renew,
            twins: row.twins(core.now()),
            authorities: if authorities == [0; 8] { bytes::Bytes::new() } else { authorities.to_vec().into() },
            protocol: self.hello.protocol_max.clamp(PROTOCOL_MIN, PROTOCOL_MAX),
            software: env!("CARGO_PKG_VERSION").to_owned(),
            acknowledged: row.acknowledged,
            head,
            scope_digest: digest.into(),
            node: row.number,
            log_digest: log_digest(row).into(),
            epoch: core.lineage.current().into(),
            floor: if self.peer.hub {
                u64::from(self.cursor < self.hello.mailed)
            } else {
                core.lineage.floor(&self.hello, row.answered(&self.hello))
            },
            marked: row.marked,
            stretch: row.stretch.clone().into(),
            unit: self.certified.number(),
            hub_unit: core.unit.number(),
            tree_version: self.told_tree,
            plan_version: self.told_plan.0,
            // A child that has a later list than this hub waits for none.
            plan_digest: if self.hello.plan_version > core.plan_version() {
                bytes::Bytes::new()
            } else {
                core.plan_digest()
            },
            months: core.months().count(),
            orders: if self.peer.hub { core.orders_version() } else { 0 },
            wanted: self.wanted.clone(),
            roll: core.roll().version,
            month_digest: core.months().short_digest(self.hello.months),
            clock: (core.clock)(),
            everybody: true,
        };
        // What the child has already: nothing is sent in a live session until one of these moves. A child that is sent a
        // tree waits to hear that this was all.
        let silent = news.is_empty() && self.wanted.is_empty();
        let equal = welcome.scope_digest == self.hello.scope_digest && !self.hello.rebuild && silent;
        if equal && self.cursor >= head && self.hello.settled == row.acknowledged {
            let moved = if self.peer.hub { row.acknowledged } else { unit.head };
            self.caught = Some((moved, row.acknowledged));
        }
        let mut messages = vec![wrap(down::It::Welcome(welcome))];
        messages.extend(news.into_iter().map(|document| wrap(down::It::Document(document))));
        if !self.peer.hub {
            self.missed = self.hello.settled.saturating_add(1)..row.acknowledged.saturating_add(1);
            messages.extend(self.missed_verdicts(view.as_ref(), MISSED_AT_ONCE)?);
        }
        Ok(messages)
    }

    /// The next verdicts that a broken session kept from the child; a child that never says that it has them makes nobody hold them
    /// all at once.
    pub(super) fn missed_verdicts(&mut self, view: &dyn View, most: usize) -> Result<Vec<pb::Down>, StoreError> {
        if self.missed.is_empty() {
            return Ok(Vec::new());
        }
        let (from, to) =
            (rows::verdict_key(self.node, self.missed.start), rows::verdict_key(self.node, self.missed.end));
        let mut found = Vec::new();
        for row in view.range(Space::Verdicts, &from, &to).take(most) {
            let (key, value) = row?;
            let wrong = || StoreError::Row(Space::Verdicts);
            let verdicts = pb::Verdicts::decode(value).map_err(|_| wrong())?;
            let last = key.get(4..).unwrap_or_default().try_into().map(u64::from_be_bytes).map_err(|_| wrong())?;
            self.missed.start = last.saturating_add(1); // by its key, so that it goes on whatever the row says
            found.push(wrap(down::It::Verdicts(verdicts)));
        }
        if found.len() < most {
            self.missed = 0..0;
        }
        Ok(found)
    }

    pub(super) fn wants(&self, kind: &str) -> bool {
        self.wanted.iter().any(|wanted| wanted == kind)
    }

    /// The tree of units as the child sees it, where that is newer than what it has. A tree that does not know the
    /// child's unit has nothing to tell it.
    pub(super) fn newer_tree(&self, core: &Core, known: u64) -> Option<pb::Document> {
        let (version, tree) = core.versioned_tree();
        if version <= known || tree.below(self.peer.unit).next().is_none() {
            return None;
        }
        let content = tree.told_to(self.peer.unit, core.unit).into_bytes().into();
        Some(pb::Document { kind: "units".into(), version, content })
    }
}

fn log_digest(row: &NodeRow) -> Vec<u8> {
    LogDigest::from_slice(&row.log_digest).unwrap_or_default().0.to_vec()
}
