//! What a fuzzer does: one function a target, from bytes to something that holds or a panic that says what did not.
//! `tests/fuzz` hands them to libFuzzer; `tests/tests/fuzz.rs` runs them over the seeds and over scratched seeds, on any
//! toolchain.
//! Invariant: bytes alone decide what a target says, so a crashing input crashes again; what the product draws at random
//! (names, keys) never decides whether something holds.
//!
//! The first byte of most inputs is the [`input::Mode`]: messages as they travel, or a script from which changes, cells and
//! letters are put together that refer to each other and lie in places.

mod district;
mod down;
mod forms;
mod greeting;
mod ground;
mod import;
pub mod input;
pub mod mutate;
mod offer;
mod push;
mod range;
pub mod seeds;
mod token;

pub use district::district;
pub use down::down;
pub use greeting::greeting;
pub use import::import;
pub use offer::offer;
pub use push::push;
pub use range::range;
pub use token::token;

/// A target: what it is called, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 8] = [
    ("push", push),
    ("district", district),
    ("greeting", greeting),
    ("offer", offer),
    ("token", token),
    ("range", range),
    ("import", import),
    ("down", down),
];
