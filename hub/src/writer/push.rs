//! A batch of changes: read, bounded to the child's scope, decided, applied, answered.
//! Invariants: the child's acknowledged number moves with the records, so a repeated batch is recognised and answered
//! as it was the first time; at a city no record gets past here.

use super::{
    Peer, Pushed, WriteError, arrivals,
    commit::Commit,
    conflicts, inspect,
    judge::Arrived,
    moves::past_home,
    outcome::{FollowUps, Judgement, Landing, Taken},
    quota,
    recovery::{offers, unheld},
    revise,
};
use crate::{
    rows::{self, NodeRow},
    store::{Space, StoreError},
};
use bytes::Bytes;
use prost::Message;
use taizhang_proto::{
    RecordId,
    cell::is_held_at,
    change::{ChangeError, Edit},
    check::Violation,
    decide::{Applied, Author},
    digest::LogDigest,
    pb::{self, OutcomeKind},
    record::Revision,
    rule::Rule,
    session::MAX_BATCH_BYTES,
    stamp::{self, Stamp},
};

/// Bytes of an answer that are as much work as one record that is looked at.
const BYTES_A_STEP: u64 = 64;
/// Bytes of answers that are given again for one batch. A child that has missed more is told it at its greeting, as it reads.
const REPEATED_BYTES: usize = if cfg!(test) { 4 * 1024 } else { 8 * 1024 * 1024 };

/// What became of one change that was not simply accepted.
struct Special {
    kind: OutcomeKind,
    state: Option<pb::Record>,
    why: Option<Violation>,
}

impl Special {
    fn refused(why: Violation) -> Self {
        Self { kind: OutcomeKind::Refused, state: None, why: Some(why) }
    }
}

/// Takes a batch, or as much of it as there is room for in this commit: the verdicts, and what is left.
pub(super) fn push(
    commit: &mut Commit<'_>,
    peer: &Peer,
    (number, first): (u32, u64),
    changes: Vec<Pushed>,
    skew: Option<i64>,
) -> Result<(Vec<pb::Verdicts>, Vec<Pushed>), WriteError> {
    if commit.core.tier == pb::Tier::City {
        return Err(WriteError::NoRecords);
    }
    let mut node = commit.node(&peer.id)?.ok_or_else(|| WriteError::Unknown(peer.id.clone()))?;
    if number != node.number {
        // Its numbers are those of another log: taken for this one's, changes would pass for known.
        return Err(WriteError::Superseded);
    }
    if first > node.acknowledged + 1 || first == 0 {
        return Err(WriteError::Gap { first, acknowledged: node.acknowledged });
    }
    let skew = stamp::distrusted_skew(skew.unwrap_or(node.skew_millis));
    let mut answers = Vec::new();
    let known = (node.acknowledged + 1 - first).min(changes.len() as u64);
    if known > 0 {
        answers = repeat(commit, &node, first, first + known - 1)?;
    }
    let mut fresh = changes.into_iter().skip(known as usize).peekable();
    if fresh.peek().is_some() && quota::has_said_enough(commit, &node) {
        tracing::warn!(node = %peer.id, unit = %peer.unit, "a child has said as much today as one may: heard again tomorrow");
        return Err(WriteError::EnoughToday);
    }
    let mut begun = false;
    while fresh.peek().is_some() && !(begun && commit.is_full()) {
        answers.push(take(commit, peer, &mut node, &mut fresh, skew)?);
        begun = true;
    }
    // Only now: the changes of a batch have revisions in a row.
    arrivals::do_deferred(commit)?;
    inspect::inspect_all(commit)?;
    Ok((answers, fresh.collect()))
}

/// The verdicts given before, from the batch that holds change `first` to the one that holds `last`.
fn repeat(commit: &Commit<'_>, node: &NodeRow, first: u64, last: u64) -> Result<Vec<pb::Verdicts>, WriteError> {
    let from = rows::verdict_key(node.number, first);
    let to = rows::verdict_key(node.number, node.acknowledged + 1);
    let read = |row: Bytes| pb::Verdicts::decode(row).map_err(|_| StoreError::Row(Space::Verdicts));
    let mut found: Vec<pb::Verdicts> = Vec::new();
    let mut size = 0;
    for row in commit.view.range(Space::Verdicts, &from, &to) {
        let (_, row) = row?;
        size += row.len();
        if size > REPEATED_BYTES && !found.is_empty() {
            return Err(WriteError::Repeated);
        }
        commit.count_work(row.len() as u64 / BYTES_A_STEP);
        let verdicts = read(row)?;
        let is_last = verdicts.last >= last;
        found.push(verdicts);
        if is_last {
            return Ok(found);
        }
    }
    // The first time may have been in this very commit.
    for place in &commit.added_verdicts {
        if let Some((_, key, Some(value))) = commit.set.rows.get(*place)
            && from[..] <= key[..]
            && key[..] < to[..]
        {
            found.push(read(Bytes::copy_from_slice(value))?);
        }
    }
    Ok(found)
}

/// Takes changes until the verdicts on them fill a message.
fn take(
    commit: &mut Commit<'_>,
    peer: &Peer,
    node: &mut NodeRow,
    changes: &mut impl Iterator<Item = Pushed>,
    skew: i64,
) -> Result<pb::Verdicts, StoreError> {
    let first = node.acknowledged + 1;
    let mut revision = 0;
    let mut size = 0;
    let received = commit.core.now();
    let now = Stamp::at_millis(received * 1_000);
    let mut digest = LogDigest::from_slice(&node.log_digest).unwrap_or_default();
    let mut outcomes = Vec::new();
    while size < MAX_BATCH_BYTES
        && (node.acknowledged < first || !commit.is_full())
        && let Some(change) = changes.next()
    {
        digest = change.chain(digest);
        let Pushed { raw, edit, is_sound, .. } = change;
        node.acknowledged += 1;
        let (seq, own) = (node.acknowledged, commit.take_revisions(1));
        let offers = edit.as_ref().is_ok_and(|edit| edit.offer.is_some());
        if revision == 0 {
            revision = own;
        }
        node.note_said(commit.core.today(), raw.len());
        let special = match edit {
            Ok(mut edit) => {
                edit.stamp = edit.stamp.believed(now, skew);
                decide_one(commit, peer, node.number, (edit, is_sound), own, received)?
            }
            Err(error) => {
                node.incidents += u64::from(error == ChangeError::SetAside);
                Some(Special::refused(Violation {
                    register: String::new(),
                    field: String::new(),
                    rule: "encoding",
                    message: error.to_string(),
                }))
            }
        };
        if let Some(special) = special {
            if special.kind == OutcomeKind::Refused {
                node.refused += 1;
                let why = special.why.as_ref();
                let (register, field) = why.map_or(("", ""), |why| (why.register.as_str(), why.field.as_str()));
                let rule = why.map_or("", |why| why.rule);
                tracing::info!(node = %peer.id, unit = %peer.unit, seq, register, field, rule, "a change was refused");
            }
            if special.why.as_ref().is_some_and(|why| why.rule == quota::RULE) {
                node.incidents += 1;
                tracing::warn!(node = %peer.id, unit = %peer.unit, "a child is over its quota: a change was refused");
            }
            let outcome =
                pb::Outcome { seq, kind: special.kind.into(), state: special.state, why: special.why.map(Into::into) };
            let bytes = outcome.encoded_len();
            size += bytes;
            commit.count_work(bytes as u64 / BYTES_A_STEP);
            node.note_said(commit.core.today(), bytes); // what is answered is kept for it, too
            outcomes.push(outcome);
        }
        if offers && commit.newest_revision() != own {
            break; // it took more than its own: the next change's no longer follows the first one's
        }
    }
    node.log_digest = digest.0.to_vec();
    let verdicts = pb::Verdicts {
        first,
        last: node.acknowledged,
        revision,
        received,
        outcomes,
        log_digest: Bytes::copy_from_slice(&digest.0),
        node: node.number,
        skew_millis: skew,
        unit: peer.unit.number(),
    };
    commit.added_verdicts.push(commit.set.rows.len());
    commit.set.put(Space::Verdicts, rows::verdict_key(node.number, node.acknowledged), verdicts.encode_to_vec());
    commit.put_node(node.clone());
    Ok(verdicts)
}

/// Decides one change; `None` when it was simply accepted.
fn decide_one(
    commit: &mut Commit<'_>,
    peer: &Peer,
    node: u32,
    (edit, is_sound): (Edit, bool),
    revision: Revision,
    received: u64,
) -> Result<Option<Special>, StoreError> {
    #[cfg(test)]
    crate::writer::tests::trip(edit.by.as_bytes())?;
    let author = Author { node, tier: peer.unit.tier() };
    let origin = pb::Origin {
        revision,
        stamp: edit.stamp.0,
        received,
        unit: peer.unit.number(),
        node,
        by: edit.by.clone(),
        ..pb::Origin::default()
    };
    let quietly = Some(Special { kind: OutcomeKind::Settled, state: None, why: None });
    let (is_told, arrived) = (edit.offer.is_some(), Arrived { edit, is_sound, author, origin });
    let known = commit.known();
    Ok(match if is_told { known.judge_told(peer, arrived) } else { known.judge(peer, arrived) }? {
        Judgement::Refused(why) => Some(Special::refused(why)),
        Judgement::Known => quietly,
        Judgement::Note { edit, origin, of } => {
            for (edit, origin) in commit.known().told_parts(peer, &edit, author, &origin) {
                arrivals::note_late(commit, &edit, &origin, of)?;
            }
            if let (Some(offer), Some(record)) = (&edit.offer, commit.record(edit.id)?) {
                offers::take_offered_history(commit, peer.unit, (edit.id, &record), offer, revision)?;
            }
            quietly
        }
        Judgement::Unheld { edit, origin } => {
            unheld::keep_unheld(commit, peer, &edit, author, &origin)?;
            quietly
        }
        Judgement::Taken(taken) => apply_judged(commit, peer, *taken)?,
    })
}

/// Brings about what follows from a change that is taken.
fn bring_about(commit: &mut Commit<'_>, follow_ups: FollowUps) -> Result<(), StoreError> {
    for conflict in follow_ups.conflicts {
        conflicts::raise(commit, conflict)?;
    }
    commit.deferred.extend(follow_ups.deferred);
    Ok(())
}

/// Writes what a change was judged to bring about; `None` when it was simply accepted.
fn apply_judged(commit: &mut Commit<'_>, peer: &Peer, taken: Taken) -> Result<Option<Special>, StoreError> {
    let Taken { edit, landing, decision, applied, origin, before, follow_ups, given_up, revisions } = taken;
    commit.take_revisions(revisions);
    bring_about(commit, follow_ups)?;
    if let Landing::Survivor { absorbed, aside } = &landing {
        arrivals::keep_aside(commit, *absorbed, aside, &origin);
    }
    revise::keep_history(commit, edit.id, &applied.superseded);
    if let Some(offer) = &edit.offer {
        offers::take_offered_history(commit, peer.unit, (edit.id, &applied.record), offer, origin.revision)?;
    }
    let is_here = commit.record(edit.id)?.is_some();
    if !is_here && !applied.superseded.is_empty() {
        commit.disputed.insert(edit.id);
    }
    if !decision.is_plain() {
        arrivals::raise_from(commit, &edit, &decision, &origin, before.as_deref(), &applied)?;
    }
    if !decision.changes_record() && !applied.superseded.is_empty() {
        commit.note_lost(edit.id, origin.revision);
    }
    let special = match landing {
        // With what stands: the offer may be all that an office has of it, until it has pulled everything.
        Landing::Home
            if edit.offer.is_none() && decision.is_plain() && given_up.is_none() && origin.seal.is_empty() =>
        {
            None
        }
        Landing::Home | Landing::FromBelow => Some(settled(edit.id, &applied)),
        // The author is not sent again what it wrote itself, so this is how it hears where that has landed.
        Landing::Survivor { .. } | Landing::Followed if is_held_at(&applied.record, peer.unit) => {
            Some(settled(edit.id, &applied))
        }
        Landing::Survivor { .. } | Landing::Followed | Landing::Note { .. } => {
            Some(Special { kind: OutcomeKind::Settled, state: None, why: None })
        }
    };
    if let Some(given_up) = given_up {
        arrivals::defer(commit, edit.id, edit.register, vec![past_home(&applied.record, given_up)], Rule::Units);
    }
    if decision.changes_record() {
        commit.put_record(edit.id, applied.record)?;
    }
    if edit.offer.is_some() && !is_here {
        unheld::is_held_again(commit, edit.id)?;
    }
    Ok(special)
}

fn settled(id: RecordId, applied: &Applied) -> Special {
    let state = pb::Record {
        id: Bytes::copy_from_slice(&id.0),
        state: Some(applied.record.state()),
        history: applied.superseded.clone(),
    };
    Special { kind: OutcomeKind::Settled, state: Some(state), why: None }
}
