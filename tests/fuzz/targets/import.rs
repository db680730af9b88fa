//! See `taizhang_tests::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(
    // Libraries that read workbooks panic on some, which the reader answers as a damaged file: what counts is that no panic comes out.
    init: drop(std::panic::take_hook()),
    |data: &[u8]| taizhang_tests::fuzz::import(data)
);
taizhang_fuzz::mutator!();
