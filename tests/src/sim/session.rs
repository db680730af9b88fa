//! One session: the two real machines and what is on its way between them.

use bytes::Bytes;
use prost::Message;
use rand::{RngExt, rngs::StdRng};
use std::{collections::VecDeque, sync::Arc};
use taizhang_hub::session::Server;
use taizhang_node::upstream::{self, Client, Replica};
use taizhang_proto::pb::{self, up};

/// Who opened a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Child {
    /// An office, by its index.
    Office(usize),
    /// A district's hub, by its index.
    District(usize),
}

/// A session. A side that is gone is `None`; what it had sent may still arrive.
pub(super) struct Session {
    pub(super) child: Child,
    pub(super) hub: usize,
    pub(super) client: Option<Client<Arc<dyn Replica>>>,
    pub(super) server: Option<Server>,
    pub(super) up: VecDeque<pb::Up>,
    pub(super) down: VecDeque<pb::Down>,
    /// Jobs that wait for the writer.
    pub(super) waiting: usize,
    /// The hub has greeted.
    pub(super) greeted: bool,
    /// Whose log it speaks of.
    pub(super) incarnation: Bytes,
    /// An old batch was put into it.
    pub(super) meddled: bool,
}

impl Session {
    /// Whether nothing more can happen in it.
    pub(super) fn is_over(&self) -> bool {
        match (&self.client, &self.server) {
            (None, None) => true,
            (None, Some(_)) => self.up.is_empty() && self.waiting == 0,
            (Some(_), None) => self.down.is_empty(),
            (Some(client), Some(_)) => {
                let said = self.up.is_empty() && self.down.is_empty() && self.waiting == 0;
                said && client.is_finished()
            }
        }
    }

    /// The child is gone; so many of its messages still arrive.
    pub(super) fn lose_client(&mut self, arriving: usize) {
        self.client = None;
        self.down.clear();
        self.up.truncate(arriving);
    }

    /// The hub's side is gone; so many of its messages still arrive.
    pub(super) fn lose_server(&mut self, arriving: usize) {
        self.server = None;
        self.up.clear();
        self.down.truncate(arriving);
    }
}

/// Cuts a batch of changes into smaller ones, as a child with more to say, or less room, would have sent it.
pub(super) fn cut(message: pb::Up, random: &mut StdRng) -> Vec<pb::Up> {
    let Some(up::It::Push(push)) = &message.it else { return vec![message] };
    if push.changes.is_empty() || random.random_bool(0.5) {
        return vec![message];
    }
    let raw = upstream::decompress(&push.changes, push.raw_len).ok();
    let Some(list) = raw.and_then(|raw| pb::ChangeList::decode(raw).ok()) else { return vec![message] };
    let size = random.random_range(1..4);
    let mut first = push.first;
    let mut parts = Vec::new();
    for changes in list.changes.chunks(size) {
        let raw = pb::ChangeList { changes: changes.to_vec() }.encode_to_vec();
        let Ok(packed) = upstream::compress(&raw) else { return vec![message] };
        let last = first + changes.len() as u64 - 1;
        let (raw_len, skew_millis) = (raw.len() as u32, push.skew_millis);
        let part = pb::Push { first, last, changes: packed, raw_len, skew_millis, ..pb::Push::default() };
        parts.push(pb::Up { it: Some(up::It::Push(part)) });
        first = last + 1;
    }
    parts
}
