//! A lookup of an address: any packets, from anywhere, at any time.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| resolver_core_fuzz::pointer::check(data));
