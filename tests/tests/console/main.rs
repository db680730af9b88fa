//! The office's console in a real browser: whole errands of a clerk. Invariant: what a page says was done is in the register.

#![allow(clippy::unwrap_used, missing_docs)]

mod browser;
mod errands;
mod office;
