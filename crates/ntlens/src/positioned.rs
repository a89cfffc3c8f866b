//! Positioned reads, the one thing here in which operating systems differ.
//!
//! A file is never mapped into memory: one that is cut while it is open would kill the reader with a signal. A positioned
//! read gives an error instead.

use std::fs::File;
use std::io;

/// Fills `out` from an offset on, without a file position that threads would share.
#[cfg(unix)]
pub(crate) fn read_exact_at(file: &File, offset: u64, out: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, offset)
}

/// Fills `out` from an offset on. The file's position moves, but no read depends on it.
#[cfg(windows)]
pub(crate) fn read_exact_at(file: &File, mut offset: u64, mut out: &mut [u8]) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !out.is_empty() {
        match file.seek_read(out, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                out = out.get_mut(read..).unwrap_or_default();
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
