//! Judging what an office says again: a way of its own, so that no ordinary entry passes through what concerns only a hub that was
//! restored. What is left of it then is judged like every other word.
//! Invariant: nothing is taken of it that this hub has not lost; what no seal proves is judged as told by whoever says it.

use super::offers::{is_sealed, keep_proven};
use crate::{
    store::StoreError,
    writer::{
        Peer,
        commit::Known,
        judge::Arrived,
        moves::unit_in,
        outcome::{Judgement, Landing},
    },
};
use prost::Message;
use taizhang_proto::{
    OrgCode,
    cell::home_unit,
    change::Edit,
    register::{HOME_UNIT, is_for_below},
};

impl Known<'_, '_> {
    /// What becomes of a change that says again what this hub has lost.
    pub(in crate::writer) fn judge_told(self, peer: &Peer, arrived: Arrived) -> Result<Judgement, StoreError> {
        let Arrived { mut edit, author, origin, .. } = arrived;
        let given_up = self.follow_unit(&mut edit);
        let landing = if let Some(own) = self.is_told_from_below(peer, &edit)? {
            let is_here = self.record(edit.id)?.is_some();
            keep_proven(&self.core.lineage.secret(), &mut edit, own.then_some(peer.unit), is_here);
            Landing::FromBelow
        } else {
            match self.landing(peer, &mut edit, author)? {
                Ok(landing) => landing,
                Err(why) => return Ok(Judgement::Refused(why)),
            }
        };
        self.forget_known(&mut edit, &landing)?;
        let says_nothing = edit.fields.is_empty() && edit.offer.as_ref().is_none_or(|offer| offer.history.is_empty());
        if landing == Landing::FromBelow && says_nothing {
            return Ok(Judgement::Known);
        }
        let said: usize = edit.fields.iter().map(|field| field.bytes.len()).sum();
        if let Landing::Note { of } = landing {
            return Ok(match self.too_much_history(peer.unit, &edit, said)? {
                Some(why) => Judgement::Refused(why),
                None => Judgement::Note { edit, origin, of },
            });
        }
        if self.is_unheld(&edit)? {
            let adds = edit.offer.as_ref().map_or(0, Message::encoded_len) + said;
            return Ok(match self.too_much_unheld(&edit, adds)? {
                Some(why) => Judgement::Refused(why),
                None => Judgement::Unheld { edit, origin },
            });
        }
        let (decision, applied, revisions) = self.apply_offer(peer, &edit, author, (&origin, &landing))?;
        let arrived = Arrived { edit, is_sound: false, author, origin };
        self.judge_decided(peer, arrived, landing, (decision, applied), (given_up, revisions))
    }

    /// Whether an office offers a record that is for everybody and belongs to a unit above it; inside, whether it is the office's
    /// own as far as this hub knows, and only a sealed word takes it away.
    fn is_told_from_below(self, peer: &Peer, edit: &Edit) -> Result<Option<bool>, StoreError> {
        if !is_for_below(edit.register) || edit.offer.as_ref().is_none_or(|offer| offer.aside) {
            return Ok(None);
        }
        let current = self.record(edit.id)?;
        if current.as_deref().is_some_and(|record| record.register != edit.register) {
            return Ok(None);
        }
        let stood = current.as_deref().and_then(home_unit);
        let home = edit.field(HOME_UNIT).and_then(unit_in).or(stood);
        let is_above = |home: OrgCode| !peer.unit.covers(home) && home.covers(peer.unit) && self.core.unit.covers(home);
        if !home.is_some_and(is_above) {
            return Ok(None);
        }
        let own = stood.is_some_and(|stood| peer.unit.covers(stood));
        let secret = self.core.lineage.secret();
        let sealed = edit.field(HOME_UNIT).is_some_and(|home| is_sealed(&secret, edit, home));
        Ok((!own || sealed).then_some(own))
    }
}
