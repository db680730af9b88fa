//! The contract of taizhang: everything that two tiers must compute alike.
//!
//! No I/O, no clock and no async runtime here: time, randomness and storage come in as arguments, so every rule
//! is a pure function that a property test can call. `node` and `hub` only carry these rules to disk and wire.

pub mod assess;
pub mod cell;
pub mod change;
pub mod check;
pub mod date;
pub mod decide;
pub mod digest;
pub mod indicator;
pub mod lifecycle;
pub mod month;
pub mod orders;
pub mod org;
pub mod plan;
pub mod range;
pub mod record;
pub mod register;
pub mod seal;
pub mod session;
pub mod sign;
pub mod stamp;
pub mod text;
pub mod wire;

/// Messages and services generated from the `.proto` files of this crate.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod pb {
    tonic::include_proto!("taizhang.v1");
}

/// The encoded descriptor set of every `.proto` of this crate, for gRPC reflection and `register`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/taizhang.bin"));

pub use org::OrgCode;
pub use record::{Record, RecordId};
