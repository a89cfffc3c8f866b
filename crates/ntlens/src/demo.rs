//! A small dump to try things with.

use crate::Error;
use ntlens_core::OpenDump;

/// A synthetic machine, made by `cargo xtask demo`: no person's memory.
const SAMPLE: &[u8] = include_bytes!("../assets/demo.dmp.zlib");
/// The sample is not larger when unpacked.
const MAX_SAMPLE: usize = 64 << 20;
/// What it is called in answers.
pub const NAME: &str = "demo.dmp";

/// The bytes of the sample dump.
pub fn bytes() -> Result<Vec<u8>, Error> {
    miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(SAMPLE, MAX_SAMPLE)
        .map_err(|error| Error::Demo(error.to_string()))
}

/// Opens the sample dump.
pub fn open() -> Result<OpenDump, Error> {
    crate::open_bytes(NAME, bytes()?)
}
