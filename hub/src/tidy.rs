//! Rows that nobody needs any more, found behind the ingest path: news of edits that lost and that later news of the same
//! record repeat, departures that every child has heard, old verdicts of refusals.
//! Invariant: what is found here stays unneeded whatever is written meanwhile, so it may be removed by a later commit. A
//! child that was away for longer than the rows are kept is repaired by comparing.

use crate::{
    rows::{self, FeedRow, NodeRow, TokenRow},
    state::Core,
    store::{Space, StoreError, View},
    totals::children,
};
use prost::Message;
use std::collections::HashMap;
use taizhang_proto::{
    Record, RecordId,
    pb::{self, Tier},
};

/// How long a verdict of a refusal is kept for a child that comes back from a backup; and how long a departure waits for a
/// child that says nothing. Seconds.
const KEPT: u64 = 90 * 86_400;
/// Most rows of each kind that one commit should remove.
pub const AT_ONCE: usize = 16_384;

/// Rows that nobody needs, at most so many of each kind. There may be more as long as this finds any.
///
/// # Errors
/// When the store fails.
pub fn stale(core: &Core, most: usize) -> Result<Vec<(Space, Vec<u8>)>, StoreError> {
    let view = core.view();
    let view = view.as_ref();
    let mut found = Vec::new();
    old_tokens(view, core.now(), most, &mut found)?;
    if core.tier == Tier::City {
        return Ok(found);
    }
    let (nodes, now) = (children(view)?, core.now());
    repeated_news(view, most, &mut found)?;
    heard_departures(view, (&nodes, now), most, &mut found)?;
    old_refusals(view, (&nodes, now), most, &mut found)?;
    Ok(found)
}

/// News of an edit that lost, where the record has news after it. A record's own row is not: it is where the record is found
/// when it changes next.
fn repeated_news(view: &dyn View, most: usize, found: &mut Vec<(Space, Vec<u8>)>) -> Result<(), StoreError> {
    let mut last: HashMap<RecordId, bytes::Bytes> = HashMap::new();
    for row in view.prefix(Space::Feed, &[]) {
        let (key, value) = row?;
        // What can't be read is for `verify` to say.
        let Some(news) = FeedRow::from_slice(&value) else { continue };
        // Only what has several changes, or none that stands, has news besides its own.
        if news.sole_author != 0 {
            continue;
        }
        let Some(before) = last.insert(news.id, key) else { continue };
        let Ok(Some(bytes)) = view.get(Space::Records, &news.id.0) else { continue };
        let Ok(record) = Record::decode(bytes) else { continue };
        if record.revision().to_be_bytes()[..] != before[..] {
            found.push((Space::Feed, before.to_vec()));
        }
        if found.len() >= most {
            break;
        }
    }
    Ok(())
}

/// Departures that every child which still speaks has heard.
fn heard_departures(
    view: &dyn View,
    (nodes, now): (&[NodeRow], u64),
    most: usize,
    found: &mut Vec<(Space, Vec<u8>)>,
) -> Result<(), StoreError> {
    let speaks = |node: &&NodeRow| node.retired == 0 && node.last_sync.saturating_add(KEPT) >= now;
    let Some(heard) = nodes.iter().filter(speaks).map(|node| node.pulled).min() else { return Ok(()) };
    let end = rows::at_revision(heard.saturating_add(1), &[]);
    for row in view.range(Space::Departed, &[], &end).take(most) {
        found.push((Space::Departed, row?.0.to_vec()));
    }
    Ok(())
}

/// Tokens that have expired long ago: nobody is let in by them, and no renewal asks for them.
fn old_tokens(view: &dyn View, now: u64, most: usize, found: &mut Vec<(Space, Vec<u8>)>) -> Result<(), StoreError> {
    for row in view.prefix(Space::Tokens, &[]).take(most) {
        let (key, value) = row?;
        if TokenRow::decode(value).is_ok_and(|token| token.expires.saturating_add(KEPT) < now) {
            found.push((Space::Tokens, key.to_vec()));
        }
    }
    Ok(())
}

/// Refusals that were heard, and of logs that no child goes on with, once no backup needs them.
fn old_refusals(
    view: &dyn View,
    (nodes, now): (&[NodeRow], u64),
    most: usize,
    found: &mut Vec<(Space, Vec<u8>)>,
) -> Result<(), StoreError> {
    let mut left = most.max(1);
    let forgotten: HashMap<u32, u64> = nodes.iter().map(|node| (node.number, node.forgotten)).collect();
    for row in view.prefix(Space::Verdicts, &[]) {
        let (key, value) = row?;
        let Some(number) = key.get(..4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes) else {
            continue;
        };
        let Ok(verdicts) = pb::Verdicts::decode(value) else { continue };
        let is_heard = forgotten.get(&number).is_none_or(|settled| verdicts.last <= *settled);
        if is_heard && verdicts.received.saturating_add(KEPT) < now {
            found.push((Space::Verdicts, key.to_vec()));
            left -= 1;
            if left == 0 {
                break;
            }
        }
    }
    Ok(())
}
