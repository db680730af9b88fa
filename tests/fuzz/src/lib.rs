//! What the targets share: libFuzzer's mutations in turn with those that know protobuf.

/// One mutation of an input in place, at most `most` bytes long; returns its new length.
pub fn mutate(data: &mut [u8], size: usize, most: usize, seed: u32) -> usize {
    if seed & 1 == 0 {
        return libfuzzer_sys::fuzzer_mutate(data, size, most);
    }
    let mutated = taizhang_tests::fuzz::mutate::mutated(&data[..size], u64::from(seed));
    let length = mutated.len().min(most);
    data[..length].copy_from_slice(&mutated[..length]);
    length
}

/// Has a target use [`mutate`].
#[macro_export]
macro_rules! mutator {
    () => {
        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| {
            $crate::mutate(data, size, most, seed)
        });
    };
}
