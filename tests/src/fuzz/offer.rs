//! What a child says again to a hub that came back from an old backup: origins, history and seals of its own making.

use super::{
    forms,
    ground::{self, NOW},
    input::{self, Mode, bytes, number, rarely},
    push,
};
use crate::hostile::say;
use arbitrary::{Arbitrary, Result, Unstructured};
use taizhang_proto::{
    RecordId,
    decide::{FOREIGN_NODE, HUB_NODE},
    pb, seal,
    wire::{self, Field},
};

/// Most origins, and most rows of history, of one offer.
const MOST: u8 = 4;

/// Somebody hostile offers again what the hub never said; an honest child is heard, and everything can be read and
/// counted again.
pub fn offer(data: &[u8]) {
    let Some((mode, rest)) = Mode::of(data) else { return };
    let core = ground::district();
    let messages = match mode {
        Mode::Messages => input::read(rest),
        Mode::Script => {
            let mut messages = Vec::new();
            // A stretch of history that this hub does not know: it has lost what was said in it.
            let hello = pb::Hello { epoch: vec![9; 16].into(), pulled: 1_000, ..say::hello() };
            let secret = core.lineage.secret();
            let change = |script: &mut Unstructured<'_>| offered(script, &secret);
            let _ = push::script(&mut Unstructured::new(rest), &mut messages, hello, change);
            messages
        }
    };
    ground::converse(&core, ground::mallory(data[0]), messages);
    ground::holds(&core, data);
}

fn offered(script: &mut Unstructured<'_>, secret: &[u8; 32]) -> Result<pb::Change> {
    let mut change = forms::change(script)?;
    let fields = wire::split(&change.message).unwrap_or_default();
    let mut offer = pb::Offer::default();
    for _ in 0..u8::arbitrary(script)? % MOST {
        offer.origins.push(origin(script, &change, &fields, secret)?);
    }
    for _ in 0..u8::arbitrary(script)? % MOST {
        let origin = if rarely(script, 8)? { None } else { Some(origin(script, &change, &fields, secret)?) };
        let message = if rarely(script, 8)? { bytes(script, 40)? } else { change.message.clone() };
        let rules = ["", "LATEST", "REVIEW", "OWNED", "FIXED", "SENIOR", "UNION", "RESTORED", "no such rule"];
        let ruling = if bool::arbitrary(script)? {
            None
        } else {
            Some(pb::Ruling { by: "reviewer".into(), unit: number(script)?, ..pb::Ruling::default() })
        };
        let (rule, replaced_by) = ((*script.choose(&rules)?).to_owned(), number(script)?);
        let reason = if bool::arbitrary(script)? { String::new() } else { "as it was told".into() };
        offer.history.push(pb::Superseded { origin, message, replaced_by, rule, ruling, reason });
    }
    change.offer = Some(offer);
    Ok(change)
}

/// Where a field came from, as the hub is said to have given it: now and then with a seal that is the hub's own.
fn origin(
    script: &mut Unstructured<'_>,
    change: &pb::Change,
    fields: &[Field],
    secret: &[u8; 32],
) -> Result<pb::Origin> {
    let stamp = if rarely(script, 4)? { number(script)? } else { NOW << 16 };
    let kept = u32::arbitrary(script)?;
    let chosen: Vec<&Field> =
        (0_u32..).zip(fields).filter(|(place, _)| kept >> (place % 32) & 1 == 1).map(|(_, one)| one).collect();
    let by = "reviewer";
    let seal = match (u8::arbitrary(script)? % 4, RecordId::from_slice(&change.record)) {
        (0, _) => bytes(script, 40)?,
        (1, Some(id)) => seal::seal(secret, id, chosen.iter().copied(), stamp, by),
        (2, Some(id)) => seal::seal(&seal::of_passing(secret), id, chosen.iter().copied(), stamp, by),
        _ => prost::bytes::Bytes::new(),
    };
    let node = match u8::arbitrary(script)? % 4 {
        0 => HUB_NODE,
        1 => FOREIGN_NODE,
        _ => number(script)? as u32,
    };
    Ok(pb::Origin {
        revision: number(script)?,
        stamp,
        received: number(script)?,
        unit: if bool::arbitrary(script)? { ground::TOWNSHIP } else { number(script)? },
        node,
        by: by.to_owned(),
        tags: chosen.iter().map(|field| field.tag).collect(),
        seal,
        told_by: if rarely(script, 4)? { number(script)? } else { 0 },
    })
}
