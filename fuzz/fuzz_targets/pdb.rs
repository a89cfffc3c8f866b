//! See `ntlens_fuzz::pdb`.
#![no_main]

libfuzzer_sys::fuzz_target!(init: ntlens_fuzz::prepare(), |bytes: &[u8]| ntlens_fuzz::pdb::run(bytes));
