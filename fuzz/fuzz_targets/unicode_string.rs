//! See `ntlens_fuzz::unicode_string`.
#![no_main]

libfuzzer_sys::fuzz_target!(init: ntlens_fuzz::prepare(), |bytes: &[u8]| ntlens_fuzz::unicode_string::run(bytes));
