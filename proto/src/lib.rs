//! The contract of taizhang: everything that two tiers must compute alike.
//!
//! No I/O, no clock and no async runtime here: time, randomness and storage come in as arguments, so every rule
//! is a pure function that a property test can call. `node` and `hub` only carry these rules to disk and wire.

pub mod assess;
pub mod cell;
pub mod change;
pub mod check;
pub mod citizen_id;
pub mod date;
pub mod decide;
pub mod digest;
pub mod indicator;
pub mod lifecycle;
pub mod limits;
pub mod month;
pub mod orders;
pub mod org;
pub mod plan;
pub mod range;
pub mod record;
pub mod register;
pub mod rule;
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

/// When this program was built, milliseconds since 1970: a clock that reads an earlier time is wrong.
pub const BUILT_MILLIS: u64 = seconds(env!("TAIZHANG_BUILT")) * 1_000;

/// Reads a decimal number.
const fn seconds(digits: &str) -> u64 {
    let (digits, mut place, mut number) = (digits.as_bytes(), 0, 0);
    while place < digits.len() {
        number = number * 10 + (digits[place] - b'0') as u64;
        place += 1;
    }
    number
}

pub use org::OrgCode;
pub use record::{Record, RecordId};
