//! See `ntlens_fuzz::handle_table`.
#![no_main]

libfuzzer_sys::fuzz_target!(init: ntlens_fuzz::prepare(), |bytes: &[u8]| ntlens_fuzz::handle_table::run(bytes));
