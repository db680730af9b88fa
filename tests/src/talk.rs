//! A session between a child, office or hub, and its hub in one process, with nothing in between: the two real machines, message by
//! message. What can't be done is a broken test, so nothing here returns an error.

#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use taizhang_hub::{
    session::Server,
    writer::{Core, Peer},
};
use taizhang_node::upstream::{Client, Replica, SessionError};
use taizhang_proto::pb;

/// A message of a session.
pub enum Said<'m> {
    /// The child's.
    Up(&'m pb::Up),
    /// The hub's.
    Down(&'m pb::Down),
}

/// One session to its end. `None` when the child has to come back.
pub fn session(core: &Core, child: &impl Replica, peer: &Peer) -> Option<pb::SyncReport> {
    overheard(core, child, peer, |_| {})
}

/// The same, with somebody who hears every message as it arrives.
pub fn overheard(
    core: &Core,
    child: &impl Replica,
    peer: &Peer,
    mut ear: impl FnMut(Said<'_>),
) -> Option<pb::SyncReport> {
    let mut client = Client::new(child, false);
    let mut server = Server::new(peer.clone());
    let mut up: VecDeque<pb::Up> = VecDeque::from([client.open().unwrap()]);
    let mut down: VecDeque<pb::Down> = VecDeque::new();
    loop {
        if let Some(message) = up.pop_front() {
            ear(Said::Up(&message));
            if let Some(job) = server.receive(message).unwrap() {
                down.extend(server.answered(core, core.commit(vec![job]).pop().unwrap().unwrap()).unwrap());
            }
        } else if let Some(message) = down.pop_front() {
            ear(Said::Down(&message));
            match client.receive(message) {
                Err(SessionError::NewIncarnation | SessionError::NewScope(_)) => return None,
                received => received.unwrap(),
            }
        } else {
            assert!(client.is_finished(), "the session stands still: {:?}", client.report);
            return Some(client.report);
        }
        while let Some(message) = server.pull(core).unwrap() {
            down.push_back(message);
        }
        while let Some(message) = client.poll().unwrap() {
            up.push_back(message);
        }
    }
}
