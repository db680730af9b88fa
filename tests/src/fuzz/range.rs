//! Range-based reconciliation with somebody who says anything: as the hub answers it, as an office hears it, and inside a
//! session.

#![allow(clippy::unwrap_used)]

use super::{
    ground::{self, NOW, office, up},
    input::{self, Mode},
};
use crate::hostile::say;
use taizhang_hub::{session::Server, store::Space};
use taizhang_proto::{
    RecordId,
    pb::{self, up},
    range::{Answerer, Asker, Items},
};

/// Both sides read or refuse whatever is said, and the hub goes on to repair others.
pub fn range(data: &[u8]) {
    let Some((mode, rest)) = Mode::of(data) else { return };
    if mode == Mode::Script {
        return sides(rest);
    }
    let core = ground::district();
    let hello = up(up::It::Hello(pb::Hello { live: data[0] % 2 == 1, ..say::hello() }));
    ground::converse(&core, ground::mallory(data[0] / 2), [hello].into_iter().chain(input::read::<pb::Up>(rest)));
    // The list of a scope that somebody held is free again.
    let mut server = Server::new(office("honest", ground::COMMUNITY));
    let hello = pb::Hello { incarnation: vec![3; 16].into(), ..say::hello() };
    ground::tell(&core, &mut server, up(up::It::Hello(hello))).expect("an honest child is welcome");
    let mut items = Items::default();
    for row in core.view().prefix(Space::Records, &[]) {
        let (key, bytes) = row.unwrap();
        items.add(RecordId::from_slice(&key).unwrap(), &bytes).unwrap();
    }
    let (mut asker, first) = Asker::open(items).unwrap();
    let said = ground::tell(&core, &mut server, up(up::It::Range(pb::Range { message: first.into() })));
    let answer = said.expect("an honest child is repaired").into_iter().find_map(|message| match message.it {
        Some(pb::down::It::Range(range)) => Some(range),
        _ => None,
    });
    let next = asker.hear(&answer.expect("a range is answered").message).expect("an answer can be read");
    assert!(next.is_none() && asker.into_different().is_empty(), "who holds the same differs in nothing");
}

/// Without a session: messages after one another, and each once more behind the mark that begins every message.
fn sides(data: &[u8]) {
    let items = || {
        let mut items = Items::default();
        for number in 0_u64..200 {
            let mut random = [0; 10];
            random[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            items.add(RecordId::create(NOW + number * 37, random), &[7]).unwrap();
        }
        items
    };
    let (mut asker, _) = Asker::open(items()).unwrap();
    let mut answerer = Answerer::new(items()).unwrap();
    for message in [data, &[&[0x61], data].concat()] {
        if let Ok(answer) = answerer.answer(message) {
            let _ = asker.hear(&answer);
        }
        let _ = asker.hear(message);
    }
}
