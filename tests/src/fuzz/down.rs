//! A hostile hub: what it says to an office, and to a district.

#![allow(clippy::unwrap_used)]

use super::{
    ground::{self, COMMUNITY, DISTRICT, ENGINE, clock, honest_forms, unit},
    input::{self, Mode},
};
use crate::sim::papers_of;
use taizhang_hub::{totals::audit, upward::Upward};
use taizhang_node::{
    desk::Desk,
    ledger::{Ledger, LedgerDesk},
    upstream::{self, Client, Replica},
};
use taizhang_proto::{
    pb::{self, down},
    register::registers,
};

/// Whatever a hub says, its child reads or refuses it, and its own store stays sound.
pub fn down(data: &[u8]) {
    let Some((_, rest)) = Mode::of(data) else { return };
    let messages = input::read(rest).into_iter().map(packed);
    let live = data[0] & 2 != 0;
    if data[0] & 1 == 0 { to_office(messages, live) } else { to_district(messages, live) }
}

/// As [`input::packed`].
fn packed(mut message: pb::Down) -> pb::Down {
    if let Some(down::It::Records(records)) = &mut message.it
        && records.raw_len == 0
    {
        records.raw_len = records.list.len() as u32;
        records.list = upstream::compress(&records.list).unwrap_or_default();
    }
    message
}

/// The opposite, for seeds.
pub(super) fn unpacked(mut message: pb::Down) -> pb::Down {
    if let Some(down::It::Records(records)) = &mut message.it {
        records.list = upstream::decompress(&records.list, records.raw_len).unwrap_or_default();
        records.raw_len = 0;
    }
    message
}

fn hear(child: &impl Replica, messages: impl Iterator<Item = pb::Down>, live: bool) {
    let mut client = Client::new(child, live);
    client.open().unwrap();
    for message in messages {
        if client.receive(message).is_err() {
            return;
        }
        // What it answers; a child that never ends would fill the wire.
        for said in 0.. {
            assert!(said < 4_096, "a child's answer to one message never ends");
            match client.poll() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
        if client.is_finished() {
            return;
        }
    }
}

/// An office that has something to say.
pub(super) fn office(dir: &std::path::Path) -> Ledger {
    let ledger = Ledger::open_with(dir, unit(COMMUNITY), clock(), ENGINE).unwrap();
    let forms = honest_forms().iter().take(3).cloned().collect();
    for saved in LedgerDesk::new(&ledger).save(vec![forms], "clerk") {
        saved.unwrap();
    }
    ledger
}

fn to_office(messages: impl Iterator<Item = pb::Down>, live: bool) {
    let dir = ground::scratch();
    let ledger = office(dir.path());
    let saved = ledger.state().head;
    hear(&ledger, messages, live);
    let sound = |ledger: &Ledger| {
        ledger.verify().expect("an office's store is sound");
        for def in registers().iter() {
            LedgerDesk::new(ledger).list(def.number).expect("an office's registers can be read");
        }
        ledger.refused().expect("what was refused can be read");
        let state = ledger.state();
        assert!(state.head >= saved && state.settled <= state.head, "a hub settles only what was said: {state:?}");
    };
    sound(&ledger);
    drop(ledger);
    sound(&Ledger::open_with(dir.path(), unit(COMMUNITY), clock(), ENGINE).expect("an office opens again"));
}

/// A district that hears from its city.
pub(super) fn district() -> std::sync::Arc<Upward> {
    Upward::new(ground::district(), Some(papers_of(unit(DISTRICT)).unwrap().0))
}

fn to_district(messages: impl Iterator<Item = pb::Down>, live: bool) {
    let core = ground::district();
    let up = Upward::new(core.clone(), Some(papers_of(unit(DISTRICT)).unwrap().0));
    hear(&*up, messages, live);
    // A city may give it another tree or another plan, so its offices may be others than before; it still counts right.
    let audit = audit::audit(&core).expect("totals can be counted again");
    assert!(audit.differences.is_empty(), "totals are the recount: {:?}", audit.differences);
    ground::rows_are_whole(&core);
}
