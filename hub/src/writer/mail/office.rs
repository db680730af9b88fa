//! The city's side: letters from one child hub to another, what counts here while a transfer is under way, and what
//! every child hub is told.
//! Invariants: `from` is what the certificate says; a letter said again takes the place of the first; a transfer
//! counts here exactly while its old hub has let go and its new one has not taken it in, in whatever order that is
//! heard.

use crate::{
    mail::{
        envelope::MAX_SEALED,
        post,
        rows::{MailRow, OfficeRow, Remarked, TransitRow, TransitSum, kind, mail_at, mail_of, under},
    },
    rows::{NodeRow, meta},
    store::{Space, StoreError},
    totals,
    writer::{
        Peer, WriteError,
        commit::Commit,
        enlist,
        mail::{
            across, boxes,
            ruling::{self, MAX_AHEAD},
        },
    },
};
use std::collections::{BTreeMap, BTreeSet};
use taizhang_proto::{
    OrgCode,
    cell::{CellKey, bounds},
    date,
    indicator::Part,
    pb::{self, LetterKind},
};

/// Most steps that one transfer moves.
const MAX_MOVED: usize = 8 * 1024;
/// No person or household counts this much of anything.
const MAX_STEP: u64 = 1 << 20;
/// No person or household counts so many heads.
const MAX_HEADS: u64 = 1_024;
/// Heads that any district may have on their way to others, however few it has left. Small in unit tests, so that they cross
/// it.
const UNDER_WAY: u64 = if cfg!(test) { 16 } else { 4_096 };
/// How long a letter or a ruling stays once it was heard, seconds: a hub that was restored from an older backup hears it again.
const KEPT: u64 = 30 * 86_400;

/// Takes a child hub's letters, in the commit of the cells that came with them.
pub(in crate::writer) fn take_letters(
    commit: &mut Commit<'_>,
    peer: &Peer,
    letters: Vec<pb::Letter>,
    last: u64,
    node: &mut NodeRow,
) -> Result<(), WriteError> {
    if letters.is_empty() {
        return Ok(());
    }
    let hubs: Vec<u64> = post::neighbours(commit.view)?.into_iter().map(|hub| hub.unit).collect();
    let until_today = i32::MIN..=commit.core.today();
    let residents = totals::sum(commit.view, peer.unit, Part::Residents.number(), until_today)?;
    for mut letter in letters {
        let sizes = letter.id.len() == 16 && (letter.transfer.is_empty() || letter.transfer.len() == 16);
        if !sizes || letter.sealed.len() > MAX_SEALED || letter.moved.len() > MAX_MOVED {
            node.refused += 1;
            continue;
        }
        #[cfg(test)]
        crate::writer::tests::trip(&letter.sealed)?;
        letter.from = peer.unit.number();
        // No letter of a batch is newer than what its district has counted by then.
        let said_at = letter.revision.min(last.max(node.acknowledged));
        if letter.to == 0 {
            hear(commit, &letter)?;
            continue;
        }
        if letter.to == letter.from || !hubs.contains(&letter.to) {
            node.refused += 1; // nobody would ever fetch it
            continue;
        }
        count_transit(commit, &letter, (said_at, residents), node)?;
        letter.moved.clear();
        if !letter.sealed.is_empty() {
            relay(commit, letter)?;
        }
    }
    Ok(())
}

/// Puts a letter into its receiver's mail.
fn relay(commit: &mut Commit<'_>, letter: pb::Letter) -> Result<(), StoreError> {
    let place = mail_of(&letter.id);
    // The senders of one id are told apart, or one hub could take out another's letter.
    let old: Option<pb::Letter> = across::kept(commit, Space::Mailbox, &place)?;
    if let Some(old) = old.filter(|old| old.from == letter.from) {
        across::forget(commit, Space::Mailbox, mail_at(old.to, old.revision));
    }
    let mut mark = pb::Letter { sealed: bytes::Bytes::new(), ..letter.clone() };
    mark.revision = boxes::post(commit, letter.to, MailRow { letter: Some(letter), ..MailRow::default() });
    across::keep_row(commit, Space::Mailbox, place, &mark);
    Ok(())
}

/// Forgets mail that a child has on its disk once no restored backup needs it. Of rulings on one mark only the last is there.
pub(in crate::writer) fn forget_mail(
    commit: &mut Commit<'_>,
    unit: OrgCode,
    hello: &pb::Hello,
) -> Result<(), StoreError> {
    if hello.mailed == 0 || !holds_mail(commit, unit, hello)? {
        return Ok(());
    }
    let (unit, view) = (unit.number(), commit.view);
    for row in view.range(Space::Mailbox, &mail_at(unit, 0), &mail_at(unit, hello.mailed.saturating_add(1))) {
        let (key, value) = row?;
        let row: MailRow = prost::Message::decode(value).map_err(|_| StoreError::Row(Space::Mailbox))?;
        if row.posted.saturating_add(KEPT) > commit.core.now() {
            break; // what comes behind it was posted later
        }
        if let Some(letter) = row.letter {
            across::forget(commit, Space::Mailbox, mail_of(&letter.id));
        }
        across::forget(commit, Space::Mailbox, key.to_vec());
    }
    Ok(())
}

/// Counts a transfer here from the moment that the old hub lets go until the new one has it.
fn count_transit(
    commit: &mut Commit<'_>,
    letter: &pb::Letter,
    (said_at, residents): (u64, i64),
    node: &mut NodeRow,
) -> Result<(), StoreError> {
    let (released, taken) = (letter.kind() == LetterKind::Released, letter.kind() == LetterKind::Taken);
    if !(released || taken) || letter.transfer.len() != 16 {
        return Ok(());
    }
    let key = under(kind::TRANSIT, &letter.transfer);
    let mut row: TransitRow = across::kept(commit, Space::Transfers, &key)?.unwrap_or_default();
    let (from, to) = if released { (letter.from, letter.to) } else { (letter.to, letter.from) };
    let of_others = (row.from, row.to) != (0, 0) && (row.from, row.to) != (from, to);
    if of_others || (released && row.released) || (taken && row.taken) {
        return Ok(());
    }
    (row.from, row.to) = (from, to);
    count_row(commit, &row, -1)?;
    if released {
        (row.released, row.revision) = (true, said_at);
        if !row.taken {
            if let Some(weight) = weight_of(commit, (from, residents), &letter.moved)? {
                (row.weight, row.cells) = (weight, letter.moved.clone());
            } else {
                tracing::warn!(from, to, "a transfer that moves more than its district can count is not counted");
                node.refused = node.refused.saturating_add(1);
                node.incidents = node.incidents.saturating_add(1);
            }
        }
    }
    row.taken |= taken;
    count_row(commit, &row, 1)?;
    if row.taken && row.released {
        row.cells.clear();
        row.weight = 0;
    }
    across::keep_row(commit, Space::Transfers, key, &row);
    Ok(())
}

/// Adds what a transfer counts here to the cells of this hub, or takes it off; nothing where it counts nothing now.
fn count_row(commit: &mut Commit<'_>, row: &TransitRow, sign: i64) -> Result<(), StoreError> {
    if !row.released || row.taken || row.cells.is_empty() {
        return Ok(());
    }
    let place = [meta::TRANSIT, &row.from.to_be_bytes()[..]].concat();
    let mut sum: TransitSum = across::kept(commit, Space::Meta, &place)?.unwrap_or_default();
    let weight = i64::try_from(row.weight).unwrap_or(i64::MAX);
    sum.weight = sum.weight.saturating_add_signed(weight.saturating_mul(sign));
    across::keep_row(commit, Space::Meta, place, &sum);
    if across::aside(commit)?.child(row.from).is_none() {
        add_transit(commit, row, sign)?;
    }
    Ok(())
}

fn add_transit(commit: &mut Commit<'_>, row: &TransitRow, sign: i64) -> Result<(), StoreError> {
    for cell in &row.cells {
        let Ok(part) = u16::try_from(cell.part) else { continue };
        let key = CellKey { unit: commit.core.unit, part, date: cell.date };
        commit.add_to_cell(key, cell.value.saturating_mul(sign))?;
    }
    Ok(())
}

/// The transfers of a district that are between it and another, as this commit sees them.
fn transits_of(commit: &Commit<'_>, unit: u64) -> Result<Vec<(Vec<u8>, TransitRow)>, StoreError> {
    let mut keys = BTreeSet::new();
    for row in commit.view.prefix(Space::Transfers, &[kind::TRANSIT]) {
        keys.insert(row?.0.to_vec());
    }
    let fresh = commit.across.rows.keys().filter(|(space, _)| *space == Space::Transfers);
    keys.extend(fresh.map(|(_, key)| key.clone()).filter(|key| key.first() == Some(&kind::TRANSIT)));
    let mut found = Vec::new();
    for key in keys {
        let row: Option<TransitRow> = across::kept(commit, Space::Transfers, &key)?;
        found.extend(row.filter(|row| row.from == unit && row.released && !row.taken).map(|row| (key, row)));
    }
    Ok(found)
}

/// What a district has let go counts here again, or does no more: the district was set aside.
pub(in crate::writer) fn count_transits_of(commit: &mut Commit<'_>, unit: u64, sign: i64) -> Result<(), StoreError> {
    for (_, row) in transits_of(commit, unit)? {
        add_transit(commit, &row, sign)?;
    }
    Ok(())
}

/// Whether anything of a district counts as on the way; it almost never does.
pub(in crate::writer) fn is_under_way(commit: &Commit<'_>, unit: OrgCode) -> Result<bool, StoreError> {
    let place = [meta::TRANSIT, &unit.number().to_be_bytes()[..]].concat();
    Ok(across::kept::<TransitSum>(commit, Space::Meta, &place)?.is_some_and(|sum| sum.weight > 0))
}

/// Whether this hub may have lost who has taken in what: it was restored, and nobody has looked at that, or the child has heard mail
/// that it does not have. Then a transfer that its district has done with still counts here until the other one has called.
pub(in crate::writer) fn may_lack_mail(
    commit: &Commit<'_>,
    peer: &Peer,
    hello: &pb::Hello,
) -> Result<bool, StoreError> {
    Ok(enlist::is_older(commit)? || (hello.mailed > 0 && !holds_mail(commit, peer.unit, hello)?))
}

/// Whether this hub has said, in this history of its own, all the mail that a child has heard.
fn holds_mail(commit: &Commit<'_>, unit: OrgCode, hello: &pb::Hello) -> Result<bool, StoreError> {
    Ok(commit.core.lineage.reaches(&hello.epoch, hello.mailed) && hello.mailed <= post::head(commit.view, unit)?)
}

/// A district says everything anew, or which transfers it has let go: what it does not say was never let go, where `is_gone` says so
/// of its id.
pub(in crate::writer) fn forget_transits_of(
    commit: &mut Commit<'_>,
    unit: OrgCode,
    is_gone: impl Fn(&[u8], &TransitRow) -> bool,
) -> Result<(), StoreError> {
    for (key, mut row) in transits_of(commit, unit.number())?.into_iter().filter(|(key, row)| is_gone(&key[1..], row)) {
        count_row(commit, &row, -1)?;
        (row.released, row.weight) = (false, 0);
        row.cells.clear();
        across::keep_row(commit, Space::Transfers, key, &row);
    }
    Ok(())
}

/// How many heads a transfer moves, where that can be: one person or household of a district that counts as many, and
/// not more on their way than it has. What counts no head weighs as one: nothing is on its way without an end.
fn weight_of(
    commit: &Commit<'_>,
    (from, residents): (u64, i64),
    moved: &[pb::CellValue],
) -> Result<Option<u64>, StoreError> {
    let mut parts: BTreeMap<u16, BTreeMap<i32, i64>> = BTreeMap::new();
    for cell in moved {
        let (Ok(part), true) = (u16::try_from(cell.part), date::KNOWN.contains(&cell.date)) else {
            return Ok(None);
        };
        if cell.value.unsigned_abs() > MAX_STEP || !bounds::moves_with_persons(part) {
            return Ok(None);
        }
        *parts.entry(part).or_default().entry(cell.date).or_default() += cell.value;
    }
    let mut weight = 0;
    for (part, steps) in parts {
        let (mut running, mut lowest, mut highest) = (0_i64, 0, 0);
        for step in steps.into_values() {
            running += step;
            (lowest, highest) = (running.min(lowest), running.max(highest));
        }
        let heads = bounds::counts_heads(part);
        let most = if heads { MAX_HEADS } else { MAX_STEP };
        if highest.max(-lowest) as u64 > most || (lowest < 0 && bounds::is_never_negative(part)) {
            return Ok(None);
        }
        if heads {
            weight = weight.max(highest as u64);
        }
    }
    let weight = weight.max(u64::from(!moved.is_empty()));
    let place = [meta::TRANSIT, &from.to_be_bytes()[..]].concat();
    let under_way = across::kept::<TransitSum>(commit, Space::Meta, &place)?.unwrap_or_default().weight;
    let most = u64::try_from(residents).unwrap_or_default().max(UNDER_WAY);
    Ok((under_way.saturating_add(weight) <= most).then_some(weight))
}

/// Every child hub is told on its next call.
fn tell_everybody(commit: &mut Commit<'_>, mut office: OfficeRow) {
    office.revision = commit.take_revisions(1);
    across::keep_row(commit, Space::Meta, meta::OFFICE.to_vec(), &office);
}

/// A child hub was given a certificate.
pub(in crate::writer) fn note_enrolled(commit: &mut Commit<'_>, row: &NodeRow) -> Result<(), StoreError> {
    if row.hub {
        let office = boxes::office(commit)?;
        tell_everybody(commit, office);
    }
    Ok(())
}

/// What a child hub says to the city itself.
fn hear(commit: &mut Commit<'_>, letter: &pb::Letter) -> Result<(), StoreError> {
    let mut office = boxes::office(commit)?;
    match letter.kind() {
        // Who offers itself first makes the keys.
        LetterKind::KeyAsked if office.key_holder == 0 => {
            office.key_holder = letter.from;
            tell_everybody(commit, office);
        }
        LetterKind::Remarked if letter.generation <= office.generation.saturating_add(MAX_AHEAD) => {
            let place = office.remarked.iter_mut().find(|one| one.unit == letter.from);
            match place {
                Some(one) => one.generation = one.generation.max(letter.generation),
                None => office.remarked.push(Remarked { unit: letter.from, generation: letter.generation }),
            }
            let done = remarked_by_all(commit, &office)?;
            if done > office.generation {
                office.generation = done;
                ruling::forget_marks_before(commit, done)?;
                tell_everybody(commit, office);
            } else {
                across::keep_row(commit, Space::Meta, meta::OFFICE.to_vec(), &office);
            }
        }
        _ => {}
    }
    Ok(())
}

/// The generation under which every child hub stands.
fn remarked_by_all(commit: &Commit<'_>, office: &OfficeRow) -> Result<u32, StoreError> {
    let reached = |unit: u64| office.remarked.iter().find(|one| one.unit == unit).map_or(0, |one| one.generation);
    let all = post::neighbours(commit.view)?;
    Ok(all.into_iter().map(|hub| reached(hub.unit)).min().unwrap_or(0))
}
