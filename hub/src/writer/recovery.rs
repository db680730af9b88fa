//! What a hub that was restored from a backup, or has lost its store, is told again by its children and neighbours.
//! Invariant: no ordinary entry passes through here, and what is said again has a way of its own to be judged (`admission`). What no seal
//! and no certificate proves stands as told by whoever says it: a hub learns what it lost from its children alone, so that it was asked
//! proves nothing.

pub(super) mod admission;
pub(super) mod offers;
pub(crate) mod signed;
mod told;
pub(super) mod unheld;

pub(super) use offers::{is_same, is_sealed, is_sealed_since, is_sound};
