//! See `ntlens_fuzz::dump_header`.
#![no_main]

libfuzzer_sys::fuzz_target!(init: ntlens_fuzz::prepare(), |bytes: &[u8]| ntlens_fuzz::dump_header::run(bytes));
