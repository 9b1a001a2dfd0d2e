//! A lookup of an address's name: see `resolver_core_fuzz::reverse_lookup`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| resolver_core_fuzz::reverse_lookup::check(data));
