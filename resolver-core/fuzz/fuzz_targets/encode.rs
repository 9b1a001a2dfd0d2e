//! Any answer into any buffer, in glibc's forms.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| resolver_core_fuzz::encoding::check(data));
