//! How an office is, as `status` says it.
//! Invariant: nothing is called well that waits, has failed, or is not known.

use super::{Office, close};
use crate::{identity::ends_words, show};
use taizhang_proto::{BUILT_MILLIS, date, pb, stamp};

/// What is said where two computers use one identity; when the hub last saw it, seconds since 1970.
fn twin_words(seen: u64) -> String {
    if seen == 0 {
        return "否 (no)".into();
    }
    format!(
        "是，上级最近见于 {}：两台都先同步一次，再让其中一台停用，用上级的新令牌在新目录登记；已录入的不会丢失 (yes: let both sync, then \
         stop one and enrol it with a new token in a new directory; nothing entered is lost)",
        show::time(seen)
    )
}

impl Office {
    pub(crate) fn facts(&self) -> Vec<pb::Fact> {
        let state = self.ledger.state();
        let unit = self.ledger.unit();
        let link = self.keeper.as_ref().map(|keeper| keeper.state()).unwrap_or_default();
        let hub = match &self.identity {
            Some(identity) => format!("{} {}", self.ledger.units().name(identity.hub_unit), identity.address),
            None => "未登记 (not enrolled)".into(),
        };
        let (waits, last_error) = link.words(show::time);
        let refused = self.ledger.refused().map_or(0, |refused| refused.len());
        vec![
            show::unit_fact(&self.ledger.units(), unit),
            show::fact("hub", "上级", "hub", hub),
            show::fact("certificate", "证书到期", "certificate ends", self.certificate_words()),
            show::fact("mode", "同步方式", "mode", format!("{:?}", self.schedule.mode).to_lowercase()),
            show::fact("connected", "在线", "connected", link.connected),
            show::fact("waiting_since", "等待上级答复", "waiting for the hub", waits),
            show::fact("last_sync", "最近同步", "last sync", show::time(state.last_sync)),
            // What was compared last says nothing of what was entered since, nor of what a failed session left unheard.
            show::fact(
                "equal",
                "与上级一致",
                "equal to the hub",
                state.equal && state.head == state.settled && last_error.is_empty(),
            ),
            show::fact("records", "上级已有记录", "records at the hub", state.count),
            show::fact("pending", "待上报", "waiting for the hub", state.head - state.settled),
            show::fact("refused", "被退回", "refused", refused),
            show::fact("head", "本机变更号", "last change", state.head),
            show::fact("month", "待封账月份", "month to close", self.month_words()),
            show::fact("locked_month", "最近封账", "last locked month", self.ledger.locked_month().unwrap_or_default()),
            show::fact("clock", "时钟", "clock", self.clock_words()),
            show::fact("twins", "两台电脑使用同一身份", "two computers with one identity", twin_words(state.twins)),
            show::fact("incidents", "数据事故", "incidents", state.incidents),
            show::fact("last_incident", "最近事故", "last incident", state.last_incident),
            show::fact("last_error", "最近错误", "last error", last_error),
            show::fact(show::DISK, "占用磁盘", "on disk", self.ledger.size_on_disk()),
        ]
    }

    /// The month that waits to be closed.
    fn month_words(&self) -> String {
        match close::waiting(&self.ledger) {
            Ok(Some((month, due))) => format!("{month}，应于 {0} 前封账 (close {month} by {0})", date::iso(due)),
            _ => "无 (none)".into(),
        }
    }

    fn certificate_words(&self) -> String {
        let now = self.ledger.now_millis() / 1_000;
        self.identity.as_ref().map(|identity| ends_words(identity.ends(), now)).unwrap_or_default()
    }

    /// Whether the clock of this computer agrees with the hub's, as far as is known.
    fn clock_words(&self) -> String {
        match self.ledger.skew_millis() {
            Some(skew) if stamp::distrusted_skew(skew) == 0 => "正常 (agrees with the hub)".into(),
            Some(skew) => show::wrong_clock(skew),
            None if self.ledger.now_millis() < BUILT_MILLIS => show::impossible_clock(self.ledger.now_millis()),
            None => self.ledger.clock_doubt().unwrap_or_else(|| self.clock_of_last_session()),
        }
    }

    /// How far the clock was off when a hub last said its time.
    fn clock_of_last_session(&self) -> String {
        let state = self.ledger.state();
        let skew = (state.last_sync as i64).saturating_sub_unsigned(state.synced_at).saturating_mul(1_000);
        if state.synced_at == 0 || stamp::distrusted_skew(skew) == 0 {
            return "尚未与上级核对 (not compared with the hub in the last minutes)".into();
        }
        format!(
            "上次同步时{}，如已校准，同步一次即核对 (at the last sync; if it was set since, sync to compare)",
            show::off(skew)
        )
    }
}
