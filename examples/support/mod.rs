//! Which dump an example reads.

use std::error::Error;
use std::path::PathBuf;

/// The sample dump of `ntlens demo`: a made-up machine.
const SAMPLE: &[u8] = include_bytes!("../../crates/ntlens/assets/demo.dmp.zlib");

/// The first argument, else the sample, unpacked beside the example.
pub(crate) fn dump_path() -> Result<PathBuf, Box<dyn Error>> {
    if let Some(path) = std::env::args_os().nth(1) {
        return Ok(path.into());
    }
    let path = std::env::current_exe()?.with_file_name("sample.dmp");
    let sample = miniz_oxide::inflate::decompress_to_vec_zlib(SAMPLE).map_err(|error| error.to_string())?;
    std::fs::write(&path, sample)?;
    Ok(path)
}
