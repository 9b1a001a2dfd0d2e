//! A lookup of a host's addresses: see `resolver_core_fuzz::host_lookup`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| resolver_core_fuzz::host_lookup::check(data));
