//! The settings, `/etc/mdns.allow` and `/etc/resolv.conf`: see `resolver_core_fuzz::files`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| resolver_core_fuzz::files::check(data));
