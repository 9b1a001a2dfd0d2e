//! The hosts line of `nsswitch.conf`: see `resolver_core_fuzz::hosts_line`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| resolver_core_fuzz::hosts_line::check(data));
