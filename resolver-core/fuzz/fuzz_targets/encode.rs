//! Answers and buffers for the module's encoder: see `resolver_core_fuzz::encoding`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| resolver_core_fuzz::encoding::check(data));
