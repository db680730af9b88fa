//! Whether a child has heard things from this hub that the hub has lost: it was restored from an old backup.
//! Invariant: every start of the hub that writes anything begins a new stretch of its history, with a name drawn at random and the last
//! revision before it. A child names the stretches that it heard: what it has beyond the end of the last that both know
//! was said in a future that this hub does not have. A name says where its stretch began, so it also tells where a
//! future that is lost as a whole branched off.

use crate::{
    rows::{self, meta},
    store::{Space, StoreError, View},
};
use prost::Message;
use taizhang_proto::{pb, record::Revision, session::STRETCH_NAME};

/// Most stretches that are remembered; a child that has been away for longer is taken to know more than the hub.
const MAX_STRETCHES: usize = 1_024;

/// Bytes of a name that are drawn at random.
const RANDOM: usize = STRETCH_NAME - size_of::<Revision>();

/// One stretch of a hub's history.
#[derive(Clone, PartialEq, Message)]
struct Stretch {
    /// Drawn at random.
    #[prost(bytes = "vec", tag = "1")]
    random: Vec<u8>,
    /// Last revision before it.
    #[prost(uint64, tag = "2")]
    after: u64,
}

impl Stretch {
    /// Its name, [`STRETCH_NAME`] bytes: the last revision before it, and what was drawn.
    fn name(&self) -> Vec<u8> {
        [&self.after.to_be_bytes(), &self.random[..]].concat()
    }

    fn is_named(&self, name: &[u8]) -> bool {
        name.strip_prefix(&self.after.to_be_bytes()[..]).is_some_and(|random| random == self.random)
    }
}

/// Last revision before the stretch of this name.
fn after(name: &[u8]) -> Revision {
    name.first_chunk().map_or(0, |after| u64::from_be_bytes(*after))
}

/// The stretches of a hub's history, oldest first.
#[derive(Clone, PartialEq, Message)]
pub struct Lineage {
    #[prost(message, repeated, tag = "1")]
    stretches: Vec<Stretch>,
    /// The secret under which this hub seals its own word, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    secret: Vec<u8>,
}

impl Lineage {
    /// What the store says.
    ///
    /// # Errors
    /// When the store fails.
    pub fn read(view: &dyn View) -> Result<Self, StoreError> {
        Ok(rows::read(view, Space::Meta, meta::LINEAGE)?.unwrap_or_default())
    }

    /// Seals under a secret that is kept outside the store, where this store has none of its own yet: the hub's word stays
    /// its word when a store is lost.
    #[must_use]
    pub fn sealing(mut self, secret: Option<[u8; 32]>) -> Self {
        if let Some(secret) = secret.filter(|_| self.secret.len() != 32) {
            self.secret = secret.to_vec();
        }
        self
    }

    /// Begins a new stretch after a revision.
    #[must_use]
    pub fn begin(mut self, after: Revision) -> Self {
        self.stretches.push(Stretch { random: rand::random::<[u8; RANDOM]>().to_vec(), after });
        let surplus = self.stretches.len().saturating_sub(MAX_STRETCHES);
        self.stretches.drain(..surplus);
        if self.secret.len() != 32 {
            self.secret = rand::random::<[u8; 32]>().to_vec();
        }
        self
    }

    /// The name of the stretch that runs.
    pub fn current(&self) -> Vec<u8> {
        self.stretches.last().map(Stretch::name).unwrap_or_default()
    }

    /// The secret of this hub's seals.
    pub fn secret(&self) -> [u8; 32] {
        self.secret.as_slice().try_into().unwrap_or_default()
    }

    /// From which revision on a child has to say again what it heard, 0 when this hub has all of it. The child names the
    /// stretches that it heard, newest first; `acknowledged` is what the hub has of the child's log under the
    /// incarnation that it greets with.
    pub fn floor(&self, hello: &pb::Hello, acknowledged: u64) -> Revision {
        let names: Vec<&[u8]> = hello.epoch.chunks_exact(STRETCH_NAME).collect();
        let common = names.iter().enumerate().find_map(|(age, name)| Some((age, self.place(name)?)));
        let Some((age, place)) = common else {
            // Never heard anything; or only what this hub has lost, or has long forgotten.
            return u64::from(!names.is_empty());
        };
        let Some(next) = self.stretches.get(place + 1) else { return 0 };
        let beyond = age > 0 || hello.pulled.max(hello.heard) > next.after || hello.settled > acknowledged;
        // What the child heard after the common stretch may have branched off before this hub's own next one, and again
        // before that: a store that was lost as a whole begins at nothing.
        let branched = names[..age].iter().map(|newer| after(newer)).min().unwrap_or(Revision::MAX);
        if beyond { next.after.min(branched) + 1 } else { 0 }
    }

    /// Whether what a child heard of another history than this hub's was lost before a stretch began: who looked in that stretch has
    /// seen that loss. A child that has nothing in common with a store that began anew heard what was lost with the one before.
    pub fn lost_before(&self, hello: &pb::Hello, stretch: &[u8]) -> bool {
        let names: Vec<&[u8]> = hello.epoch.chunks_exact(STRETCH_NAME).collect();
        let Some(looked) = self.place(stretch) else { return false };
        match names.iter().find_map(|name| self.place(name)) {
            Some(common) => looked > common,
            None => names.iter().any(|name| after(name) == 0),
        }
    }

    /// Whether this hub still has what it said, up to a revision, in a stretch of its history; none was named before
    /// hubs named them.
    pub fn reaches(&self, stretch: &[u8], revision: Revision) -> bool {
        let Some(place) = self.place(stretch) else { return stretch.is_empty() };
        self.stretches.get(place + 1).is_none_or(|next| revision <= next.after)
    }

    fn place(&self, name: &[u8]) -> Option<usize> {
        self.stretches.iter().position(|stretch| stretch.is_named(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(epoch: &[u8], pulled: u64, settled: u64) -> pb::Hello {
        pb::Hello { epoch: epoch.to_vec().into(), pulled, settled, ..pb::Hello::default() }
    }

    #[test]
    fn a_loss_that_somebody_has_looked_at_is_not_found_again_after_a_restart() {
        let first = Lineage::default().begin(0);
        let lost = first.clone().begin(40).current();
        // Restored, looked at, started twice more.
        let looked = first.clone().begin(30);
        let later = looked.clone().begin(90).begin(95);
        let late = hello(&[lost.clone(), first.current()].concat(), 50, 0);
        assert!(later.floor(&late, 0) > 0 && later.lost_before(&late, &looked.current()));
        assert!(!later.lost_before(&late, &first.current()), "looked at before that loss");
        // Restored once more: what was said since is another loss.
        let again = looked.clone().begin(60);
        let since = hello(&[later.current(), looked.current()].concat(), 99, 0);
        assert!(again.floor(&since, 0) > 0 && !again.lost_before(&since, &looked.current()));
        // A store that was lost as a whole, and one child that was admitted in a future that is lost.
        let anew = Lineage::default().begin(0);
        let whole = hello(&[lost, first.current()].concat(), 50, 0);
        assert!(anew.clone().begin(7).lost_before(&whole, &anew.current()));
        let young = hello(&anew.clone().begin(9).current(), 10, 0);
        assert!(!anew.clone().begin(8).lost_before(&young, &anew.current()));
    }

    #[test]
    fn a_child_that_heard_beyond_the_end_of_its_stretch_says_it_again() {
        let first = Lineage::default().begin(0);
        let name = first.current();
        assert_eq!(first.floor(&hello(&name, 50, 3), 3), 0, "the stretch runs");
        // The backup was made at revision 20; the hub went on to 50, was restored and started again.
        let second = first.clone().begin(20);
        assert_eq!(second.floor(&hello(&name, 50, 3), 3), 21);
        assert_eq!(second.floor(&hello(&name, 20, 3), 3), 0, "it has heard nothing that is lost");
        assert_eq!(second.floor(&hello(&name, 20, 4), 3), 21, "an answer of the hub is lost");
        let in_part = pb::Hello { heard: 34, ..hello(&name, 0, 0) };
        assert_eq!(second.floor(&in_part, 0), 21, "a rebuild that broke off has brought what is lost");
        assert_eq!(second.floor(&hello(&[9; STRETCH_NAME], 5, 3), 3), 1, "a stretch that was lost as a whole");
        let trail = [&[9; STRETCH_NAME], &name[..]].concat();
        assert_eq!(second.floor(&hello(&trail, 5, 3), 3), 21, "after one that this hub knows the end of");
        // First an older backup, of revision 12, was put back, and then the newer one of revision 20.
        let wrong = first.clone().begin(12);
        let trail = [wrong.current(), name.clone()].concat();
        assert_eq!(second.floor(&hello(&trail, 15, 3), 3), 13, "the child's stretch began before this hub's");
        // A backup was put back, then everything was lost and said again, and then the backup came back.
        let nothing = Lineage::default().begin(0);
        let trail = [nothing.current(), first.clone().begin(20).current(), name.clone()].concat();
        assert_eq!(second.floor(&hello(&trail, 15, 3), 3), 1, "its newest stretch began at nothing");
        assert_eq!(second.floor(&hello(&[], 0, 0), 0), 0, "a child that never heard anything");
        assert_eq!(second.secret(), first.secret());
    }

    #[test]
    fn a_hub_knows_what_it_has_lost_of_what_it_said() {
        let first = Lineage::default().begin(0);
        let name = first.current();
        let lost = first.clone().begin(30).current();
        let second = first.begin(20);
        assert!(second.reaches(&name, 20) && second.reaches(&second.current(), 99) && second.reaches(&[], 99));
        assert!(!second.reaches(&name, 21) && !second.reaches(&lost, 5));
    }
}
