//! See `targets::answers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| targets::answers(input));
