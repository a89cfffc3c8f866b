//! See `ntlens_fuzz::object_directory`.
#![no_main]

libfuzzer_sys::fuzz_target!(init: ntlens_fuzz::prepare(), |bytes: &[u8]| ntlens_fuzz::object_directory::run(bytes));
