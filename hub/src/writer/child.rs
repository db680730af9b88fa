//! A child's row: who it is, what it has said and been told. Invariant: it moves in the commit that does what it says.

use super::{
    Answer, Decided, Paper, Peer, WriteError, anew, aside, commit::Commit, enlist, job::Cleared, mail::office,
};
use crate::{
    rows::{self, NodeRow, PastLog, PastUnit, UnitRow, meta},
    scope::Scope,
    state::readers,
    store::{Space, StoreError},
};
use prost::Message;
use std::collections::HashSet;
use taizhang_proto::{
    OrgCode,
    digest::LogDigest,
    pb::{self, OutcomeKind},
    session::{MAX_NUMBER, PROTOCOL_MAX},
};

/// The highest revision that a child is believed to have heard: no hub gives out so many.
const HIGHEST_HEARD: u64 = 1 << 48;
/// The numbers of a greeting that count something.
fn numbers_of(hello: &pb::Hello) -> [u64; 9] {
    let pb::Hello { head, settled, pulled, tree_version, mailed, plan_version, months, orders, heard, .. } = hello;
    [head, settled, pulled, tree_version, mailed, plan_version, months, orders, heard].map(|number| *number)
}

/// Takes note of a child's greeting. A new incarnation gets a new number and begins at nothing; what a hub had said that says
/// everything anew was `cleared` before.
pub(super) fn greet(
    commit: &mut Commit<'_>,
    peer: &Peer,
    hello: &pb::Hello,
    cleared: &Cleared,
) -> Result<Answer, WriteError> {
    debug_assert!(hello.protocol_max <= PROTOCOL_MAX || hello.protocol_min <= PROTOCOL_MAX);
    // Who was cleared has begun anew with the first commit of that.
    let greeting = if cleared.is_granted { commit.node(&peer.id)? } else { anew::row_of(commit, peer, hello)? };
    let mut row = greeting.ok_or(WriteError::TooOften)?;
    if numbers_of(hello).into_iter().any(|number| number > MAX_NUMBER) {
        row.incidents = row.incidents.saturating_add(1);
        tracing::warn!(node = %peer.id, unit = %peer.unit, "a child greets with numbers that nobody can have");
    }
    if let Ok(before) = OrgCode::new(row.unit)
        && before != peer.unit
    {
        row.rescoped = true;
        let until = commit.tree.given_up_on(before).unwrap_or_else(|| commit.core.today());
        row.homes.push(PastUnit { unit: row.unit, until });
    }
    row.unit = peer.unit.number();
    row.hub = peer.hub;
    let other_log = anew::is_other_log(&row, hello);
    if other_log {
        let known = row.past.iter().position(|past| past.incarnation[..] == hello.incarnation[..]);
        let log = match known {
            Some(place) => {
                row.note_return(commit.core.now());
                if row.twins(commit.core.now()) > 0 {
                    tracing::warn!(
                        node = %peer.id,
                        unit = %peer.unit,
                        "两台电脑使用同一身份：请让其中一台停用并用新令牌重新登记 (two computers use one identity: stop one of \
                         them and enrol it anew)"
                    );
                }
                row.past.remove(place)
            }
            None => PastLog {
                incarnation: hello.incarnation.to_vec(),
                number: next_node_number(commit)?,
                acknowledged: 0,
                log_digest: LogDigest::default().0.to_vec(),
            },
        };
        if row.number != 0 && !row.is_unheard() {
            row.incidents += 1; // restored from a backup, or its data was lost
            tracing::warn!(node = %peer.id, unit = %peer.unit, "a child goes on under another incarnation");
        }
        row.switch_to(log);
    } else if !hello.rebuild {
        forget_verdicts(commit, &mut row, hello.settled)?;
    }
    if peer.hub && hello.rebuild {
        // It says everything anew; what it does not say again must not stay.
        row.equal = false;
        row.acknowledged = 0;
        row.marked = 0;
        row.stretch.clear();
        (row.cells, row.beyond) = (cleared.cells, 0);
        office::forget_transits_of(commit, peer.unit, |_, _| true)?;
    } else if let Some(released) = hello.released.as_ref().filter(|_| peer.hub)
        && office::is_under_way(commit, peer.unit)?
        && !office::may_lack_mail(commit, peer, hello)?
    {
        // A letter of its own batches is never newer than what it has counted; whatever else stands here, it has not said.
        let said: HashSet<&[u8]> = released.transfers.iter().map(AsRef::as_ref).collect();
        office::forget_transits_of(commit, peer.unit, |id, row| row.revision <= hello.head && !said.contains(id))?;
    }
    if peer.hub {
        row.announced = hello.head.min(MAX_NUMBER);
        commit.judge_now = true;
        if row.acknowledged >= row.announced && !hello.rebuild {
            aside::has_said_all(commit, peer.unit)?;
        }
        office::forget_mail(commit, peer.unit, hello)?;
    }
    if !peer.hub && commit.core.lineage.floor(hello, row.answered(hello)) > 0 {
        // What it says again comes under new numbers, after all that were given out before: who came first stays first.
        commit.go_on_after(hello.pulled.max(hello.heard).min(HIGHEST_HEARD));
        enlist::find_older(commit, "下级听到过本级已丢失的内容 (a child has heard what it has lost)", Some(hello))?;
    }
    row.software = hello.software.chars().take(32).collect();
    row.skew_millis = i64::try_from(hello.clock).unwrap_or(i64::MAX).saturating_sub_unsigned((commit.core.clock)());
    compare(commit, peer, hello, &mut row)?;
    commit.put_node(row.clone());
    Ok(Answer::Greeted(Box::new(row)))
}

/// Takes a child out of service, or into it again: a computer that was replaced is waited for by nobody.
pub(super) fn retire(commit: &mut Commit<'_>, id: String, undo: bool, decided: Decided) -> Result<Answer, WriteError> {
    let retired = if undo { 0 } else { commit.core.now() };
    let known = readers::read(commit.view, &id)?;
    let since = match (&known, commit.node(&id)?) {
        (Some(reader), _) => reader.retired,
        (None, Some(row)) => row.retired,
        // Its row was lost with a store; the roll, which came back, still keeps it out.
        (None, None) => enlist::retired_since(commit, &id).ok_or_else(|| WriteError::Unknown(id.clone()))?,
    };
    match (undo, since) {
        (true, 0) => return Ok(Answer::Refused("并未停用 (it is not retired)".into())),
        (false, 1..) => return Ok(Answer::Refused("已经停用 (it is retired already)".into())),
        _ => {}
    }
    if let Some(reader) = known {
        enlist::enlist_retired(commit, &id, retired);
        readers::put(&mut commit.set, &pb::ReaderInfo { retired, ..reader });
        return Ok(Answer::Done);
    }
    enlist::enlist_retired(commit, &id, retired);
    let Some(row) = commit.node(&id)? else { return Ok(Answer::Done) };
    let Decided { by: retired_by, reason: retired_reason } = decided;
    commit.put_node(NodeRow { retired, retired_by, retired_reason, ..row });
    Ok(Answer::Done)
}

/// Keeps what is known of a newer certificate, and of a hub's the certificate itself, for its neighbours.
pub(super) fn learn_certificate(commit: &mut Commit<'_>, id: &str, paper: Paper) -> Result<Answer, WriteError> {
    let Paper { pem, ends, generation } = paper;
    if let Some(row) = commit.node(id)?.filter(|row| row.is_news(ends, generation)) {
        let certificate = if row.hub { pem } else { String::new() };
        let is_for_neighbours = certificate != row.certificate;
        let row = NodeRow { certificate, ends, generation, ..row };
        if is_for_neighbours {
            office::note_enrolled(commit, &row)?;
        }
        commit.put_node(row);
    } else if let Some(reader) = readers::read(commit.view, id)?.filter(|reader| reader.ends < ends) {
        // A reader holds no session in which it would show it.
        let generation = if pem.is_empty() { generation } else { Paper::of(&pem).generation };
        readers::put(&mut commit.set, &pb::ReaderInfo { ends, generation, ..reader });
    }
    Ok(Answer::Done)
}

/// Compares digests where both sides stand at the same point.
fn compare(commit: &mut Commit<'_>, peer: &Peer, hello: &pb::Hello, row: &mut NodeRow) -> Result<(), StoreError> {
    // Who holds nothing yet of what is for everybody is told it first.
    if !peer.hub && hello.everybody == Some(false) {
        return Ok(());
    }
    let everybody = !peer.hub && hello.everybody.is_some();
    let unit: UnitRow = Scope { unit: peer.unit, hub: commit.core.unit, everybody }.row(commit.view)?;
    let everything_said = hello.head == row.acknowledged && hello.settled == row.acknowledged;
    let (digest, everything_heard) =
        if peer.hub { (unit.cells_digest(), true) } else { (unit.records_digest(), hello.pulled >= unit.head) };
    if hello.rebuild || !everything_said || !everything_heard {
        return Ok(());
    }
    row.equal = digest.to_bytes()[..] == hello.scope_digest[..];
    if row.equal {
        row.note_sync(commit.core.now());
        // A hub that was restored may have given out less than the child has heard.
        row.pulled = hello.pulled.min(commit.newest_revision());
    } else if peer.hub {
        row.incidents += 1; // an office counts when it comes to be repaired
    }
    Ok(())
}

fn next_node_number(commit: &mut Commit<'_>) -> Result<u32, WriteError> {
    // Numbers are given out one greeting at a time, so several in one commit must see each other.
    let last = match commit.pending_number {
        Some(last) => last,
        None => rows::counter(commit.view, meta::NODE)?,
    };
    let next = last.saturating_add(1);
    let number = u32::try_from(next).map_err(|_| WriteError::TooOften)?;
    commit.pending_number = Some(next);
    commit.set.put(Space::Meta, meta::NODE, next.to_be_bytes());
    Ok(number)
}

/// Removes verdicts that the child says are on its disk. One that holds a refusal stays: what was refused is on
/// the child's disk alone, and an old backup of it must hear again that it is to be kept there.
fn forget_verdicts(commit: &mut Commit<'_>, row: &mut NodeRow, settled: u64) -> Result<(), StoreError> {
    let settled = settled.min(row.acknowledged);
    let from = rows::verdict_key(row.number, row.forgotten.saturating_add(1));
    let to = rows::verdict_key(row.number, settled.saturating_add(1));
    for found in commit.view.range(Space::Verdicts, &from, &to) {
        let (key, verdicts) = found?;
        let verdicts = pb::Verdicts::decode(verdicts).map_err(|_| StoreError::Row(Space::Verdicts))?;
        if !verdicts.outcomes.iter().any(|outcome| outcome.kind() == OutcomeKind::Refused) {
            commit.set.remove(Space::Verdicts, key.to_vec());
        }
    }
    row.forgotten = row.forgotten.max(settled);
    Ok(())
}

/// The child's records differ from the hub's, both being at the same point.
pub(super) fn differs(commit: &mut Commit<'_>, peer: &Peer) -> Result<Answer, WriteError> {
    let mut row = commit.node(&peer.id)?.ok_or_else(|| WriteError::Unknown(peer.id.clone()))?;
    row.incidents += 1;
    row.equal = false;
    tracing::warn!(node = %peer.id, unit = %peer.unit, "an office's records differ and are being repaired");
    commit.put_node(row);
    Ok(Answer::Done)
}

/// A child with an open session and nothing to say is there: what it holds is what the hub holds.
pub(super) fn present(commit: &mut Commit<'_>, peer: &Peer) -> Result<Answer, WriteError> {
    let mut row = commit.node(&peer.id)?.ok_or_else(|| WriteError::Unknown(peer.id.clone()))?;
    if row.equal {
        row.note_sync(commit.core.now());
        commit.put_node(row);
    }
    Ok(Answer::Done)
}

/// The child has everything up to a revision on its disk.
pub(super) fn heard(commit: &mut Commit<'_>, peer: &Peer, heard: pb::Heard) -> Result<Answer, WriteError> {
    let mut row = commit.node(&peer.id)?.ok_or_else(|| WriteError::Unknown(peer.id.clone()))?;
    commit.judge_now |= peer.hub;
    if heard.revision > commit.newest_revision() {
        // It was told of no such revision; what else it says is not believed either.
        row.incidents = row.incidents.saturating_add(1);
        tracing::warn!(node = %peer.id, unit = %peer.unit, "a child has heard what was never said");
        commit.put_node(row);
        return Ok(Answer::Done);
    }
    row.note_sync(commit.core.now());
    row.pulled = row.pulled.max(heard.revision);
    row.incidents += u64::from(row.equal && !heard.equal);
    row.equal = heard.equal;
    row.rescoped &= !heard.equal;
    commit.put_node(row);
    Ok(Answer::Done)
}
