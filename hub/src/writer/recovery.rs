//! What a hub that was restored from a backup, or has lost its store, is told again by its children and neighbours.
//! Invariant: nothing here is entered by an ordinary entry, but by what a session says that the hub itself has asked to say it again;
//! what no seal and no certificate proves stands as told by whoever says it.

pub(super) mod offers;
pub(crate) mod signed;
mod told;
pub(super) mod unheld;

pub(super) use offers::{is_same, is_sealed, is_sealed_since, is_sound, keep_proven};
