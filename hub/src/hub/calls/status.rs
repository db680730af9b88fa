//! How the hub stands: what `status`, `verify`, `keys` and `ca` say.

use super::Calls;
use crate::{
    authority,
    hub::Hub,
    integrity,
    mail::marks::desk,
    rows::{self, NodeRow, UnitRow, meta},
    store::{Space, StoreError},
    totals::children,
};
use taizhang_node::{caller::Refusal, identity::ends_words, show};
use taizhang_proto::{OrgCode, date, pb};

impl Hub {
    fn facts(&self, online: usize) -> Result<Vec<pb::Fact>, StoreError> {
        let core = &self.core;
        if let Some(fault) = core.store.fault() {
            // Its rows may not be readable now.
            return Ok(vec![show::fact("fault", "存储故障，暂停写入", "the store takes no writes", fault)]);
        }
        let view = core.view();
        let view = view.as_ref();
        let unit: UnitRow = rows::read(view, Space::Units, &core.unit.number().to_be_bytes())?.unwrap_or_default();
        let nodes = children(view)?;
        let now = core.now();
        let fresh = nodes.iter().filter(|node| node.last_sync + 86_400 >= now).count();
        let unit_of = |row: &NodeRow| OrgCode::new(row.unit).map(|unit| core.tree().name(unit)).unwrap_or_default();
        let twins: Vec<String> = nodes.iter().filter(|row| row.twins(now) > 0).map(unit_of).collect();
        let link = self.keeper.as_ref().map(|keeper| keeper.state()).unwrap_or_default();
        let (waits, last_error) = link.words(show::time);
        let (lines, strangers) = self.door.open_lines();
        let parent = match &self.parent {
            Some(identity) => format!("{} {}", identity.hub_unit, identity.address),
            None => "无 (none)".into(),
        };
        Ok(vec![
            show::unit_fact(&core.tree(), core.unit),
            show::fact("tier", "层级", "tier", core.tier.as_str_name().to_lowercase()),
            show::fact("address", "下级连接地址", "address for children", self.advertised(self.config.listen)),
            show::fact("parent", "上级", "parent", parent),
            show::fact(
                "certificate",
                "上级颁发的证书到期",
                "certificate from the parent ends",
                self.certificate_words(),
            ),
            show::fact("ca", "本级证书机构", "own authority", self.ca_words()),
            show::fact("mode", "同步方式", "mode", format!("{:?}", self.schedule.mode).to_lowercase()),
            show::fact("connected", "与上级在线", "connected to the parent", link.connected),
            show::fact("waiting_since", "等待上级答复", "waiting for the parent", waits),
            show::fact("last_up", "最近上报", "last told the parent", show::time(rows::counter(view, meta::UP_AT)?)),
            show::fact("records", "记录数", "records", unit.count),
            show::fact("revision", "修订号", "revision", rows::counter(view, meta::REVISION)?),
            show::fact("nodes", "下级数", "children", nodes.len()),
            show::fact("months", "已封账月份", "locked months", core.months().count()),
            show::fact("online", "在线", "online", online),
            show::fact("fresh", "一日内同步", "synced within a day", fresh),
            show::fact("twins", "两台电脑使用同一身份", "two computers with one identity", twins.join("，")),
            show::fact("lines", "连接数", "lines", lines),
            show::fact("strangers", "未出示证书的连接数", "lines without a certificate", strangers),
            show::fact("lines_refused", "拒绝的连接", "lines refused", self.door.refused()),
            show::fact("last_error", "最近错误", "last error", last_error),
            show::fact(
                "older",
                "早于下级，暂停登记",
                "older than its children: enrols nobody",
                core.older()?.unwrap_or_default(),
            ),
            show::fact("unreadable", "无法读取的记录", "records that can't be read", core.unreadable()),
            show::fact("incident", "存储事故", "what befell the store", &self.incident),
            show::fact(show::DISK, "占用磁盘", "on disk", core.store.size_on_disk()),
        ])
    }

    /// Reads every record and compares with the digest kept beside them.
    fn check(&self) -> Result<pb::VerifyAnswer, StoreError> {
        let view = self.core.view();
        let view = view.as_ref();
        let mut checked = integrity::records(view, self.core.unit);
        integrity::rest(view, &mut checked);
        checked.problems.extend(crate::months::verify(&self.core)?);
        if !self.incident.is_empty() {
            checked.problems.push(self.incident.clone());
        }
        let (rows, months) = (checked.rows, self.core.months().count());
        Ok(pb::VerifyAnswer { checked: checked.records, problems: checked.problems, rows, months })
    }

    /// How the mark keys stand. Says nothing of the keys themselves.
    fn key_facts(&self) -> Result<Vec<pb::Fact>, StoreError> {
        let desk = desk(self.core.view().as_ref())?;
        let name = |unit: u64| match OrgCode::new(unit) {
            Ok(unit) => format!("{} {unit}", self.core.tree().name(unit)),
            Err(_) => "无 (none)".into(),
        };
        let held: Vec<String> = desk.keys.iter().map(|key| key.generation.to_string()).collect();
        Ok(vec![
            show::fact("key_holder", "掌管密钥的县区", "makes the keys", name(desk.key_holder)),
            show::fact("held", "本级持有", "held here", held.join(" ")),
            show::fact("remarked", "本级已比对到", "marked here up to", desk.remarked),
            show::fact("generation", "各县区均已比对到", "marked everywhere up to", desk.generation),
        ])
    }

    /// When the certificate that the parent gave ends.
    fn certificate_words(&self) -> String {
        self.parent.as_ref().map(|identity| ends_words(identity.ends(), self.core.now())).unwrap_or_default()
    }

    /// Which authority signs and until when, and how many are still gone by.
    fn ca_words(&self) -> String {
        let generations = self.authority.generations();
        let Some(newest) = generations.first() else { return String::new() };
        let ends = date::iso(date::shanghai(newest.lifetime.1.saturating_mul(1_000)));
        format!(
            "第 {} 代，至 {ends}，到期前自动更换；仍认可的旧机构 {} 个 (no. {0}, until {ends}, replaced by itself in time; {1} former ones still gone by)",
            newest.number,
            generations.len() - 1
        )
    }

    fn authorities(&self) -> Result<pb::CaAnswer, StoreError> {
        let mut answer = pb::CaAnswer::default();
        for (place, one) in self.authority.generations().into_iter().enumerate() {
            let left = authority::goes_by(&self.core, one.number)?;
            answer.authorities.push(pb::CaInfo {
                number: one.number,
                from: one.lifetime.0,
                ends: one.lifetime.1,
                signs: place == 0,
                left,
            });
        }
        Ok(answer)
    }
}

impl Calls {
    /// How the hub stands.
    pub(in crate::hub) fn status(&self) -> Result<pb::StatusAnswer, Refusal> {
        Ok(pb::StatusAnswer { facts: self.hub.facts(self.sync.online().len())? })
    }

    /// Reads every record and compares with the digest kept beside them.
    pub(in crate::hub) fn verify(&self) -> Result<pb::VerifyAnswer, Refusal> {
        Ok(self.hub.check()?)
    }

    /// How the mark keys stand.
    pub(in crate::hub) fn keys(&self) -> Result<pb::StatusAnswer, Refusal> {
        Ok(pb::StatusAnswer { facts: self.hub.key_facts()? })
    }

    /// The authorities that are gone by.
    pub(super) fn authorities(&self) -> Result<pb::CaAnswer, Refusal> {
        Ok(self.hub.authorities()?)
    }
}
