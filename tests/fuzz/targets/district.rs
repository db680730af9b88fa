//! See `taizhang_tests::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| taizhang_tests::fuzz::district(data));
taizhang_fuzz::mutator!();
