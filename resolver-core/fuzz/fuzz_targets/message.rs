//! Any octets as a message, and as the text of a name.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| resolver_core_fuzz::message::check(data));
