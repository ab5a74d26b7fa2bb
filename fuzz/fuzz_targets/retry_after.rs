//! See `targets::retry_after`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| targets::retry_after(input));
