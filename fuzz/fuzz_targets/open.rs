//! See `ntlens_fuzz::open`.
#![no_main]

libfuzzer_sys::fuzz_target!(init: ntlens_fuzz::prepare(), |bytes: &[u8]| ntlens_fuzz::open::run(bytes));
