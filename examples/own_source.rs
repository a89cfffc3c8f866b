//! How is a dump read that is no file, and how much of it is read? A source of bytes of one's own.
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::OpenDump;
use ntlens::nt::snapshot::Options;
use ntlens::source::{ByteSource, ReadError};
use ntlens::symbols::Pack;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Bytes in memory that count what is read of them; it could as well be a network share or an archive.
struct Counted {
    bytes: Vec<u8>,
    reads: AtomicU64,
    read_bytes: AtomicU64,
}

impl ByteSource for Counted {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        self.reads.fetch_add(1, Relaxed);
        self.read_bytes.fetch_add(out.len() as u64, Relaxed);
        self.bytes.read_at(offset, out)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bytes = std::fs::read(support::dump_path()?)?;
    let source = Arc::new(Counted { bytes, reads: AtomicU64::new(0), read_bytes: AtomicU64::new(0) });
    let dump = OpenDump::open("counted", source.clone(), &Pack::embedded()?, Options::default())?;
    let found = dump.processes()?.processes.len();
    let (reads, bytes) = (source.reads.load(Relaxed), source.read_bytes.load(Relaxed));
    println!("{found} processes with {reads} reads of {bytes} bytes, of {} in the dump", source.len());
    Ok(())
}
