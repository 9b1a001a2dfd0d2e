//! The kernel's tables of links and addresses: see `resolver_core_fuzz::netlink`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| resolver_core_fuzz::netlink::check(data));
