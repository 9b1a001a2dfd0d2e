//! Any octets as a reply of avahi-daemon.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| resolver_core_fuzz::daemon::check(data));
