//! Messages, and names as text: see `resolver_core_fuzz::message`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| resolver_core_fuzz::message::check(data));
