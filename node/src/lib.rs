//! An office: its registers on its own disk, and the way up to its hub.
pub mod desk;
