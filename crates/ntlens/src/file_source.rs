//! A file as a source of bytes: positioned reads, with a cache of blocks in front.

use crate::block_cache::BlockCache;
use crate::error::Error;
use crate::positioned;
use ntlens_core::source::{ByteSource, ReadError};
use std::fs::{File, FileType, Metadata};
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// Bits of one cached block's size. Most reads of a dump are small and far apart, and a page costs four times the copying.
const BLOCK_BITS: u8 = 10;
/// Bits of the number of slots of the cache, together 8 MiB.
const SLOT_BITS: u8 = 13;

/// A file that is read at any position by any number of threads.
#[derive(Debug)]
pub struct FileSource(BlockCache<Positioned>);

/// A file, and how long it was and when it had last been written to when it was opened.
#[derive(Debug)]
struct Positioned {
    file: File,
    len: u64,
    written: Option<SystemTime>,
}

impl FileSource {
    /// Opens a file for reading only. Anything but a regular file is refused before it is opened: a pipe would block.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let io = |error| Error::Io { path: path.into(), error };
        let regular = |metadata: &Metadata| match not_a_file(metadata.file_type()) {
            None => Ok(()),
            Some(what) => Err(Error::NotAFile { path: path.into(), what }),
        };
        regular(&std::fs::metadata(path).map_err(io)?)?;
        let file = File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        // The path may have been replaced in between.
        regular(&metadata)?;
        let source = Positioned { file, len: metadata.len(), written: metadata.modified().ok() };
        Ok(Self(BlockCache::new(source, BLOCK_BITS, SLOT_BITS)))
    }
}

fn not_a_file(kind: FileType) -> Option<&'static str> {
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some("a folder")
    } else {
        Some("a pipe or a device")
    }
}

impl ByteSource for Positioned {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let end = offset.saturating_add(out.len() as u64);
        positioned::read_exact_at(&self.file, offset, out).map_err(|error| match error.kind() {
            // The file was cut after it was opened.
            io::ErrorKind::UnexpectedEof => ReadError::PastEnd { offset, end },
            _ => ReadError::Failed { offset, message: error.to_string() },
        })
    }

    fn has_changed(&self) -> bool {
        let now = self.file.metadata().map(|metadata| (metadata.len(), metadata.modified().ok()));
        now.map_or(true, |now| now != (self.len, self.written))
    }
}

impl ByteSource for FileSource {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        self.0.read_at(offset, out)
    }

    fn has_changed(&self) -> bool {
        self.0.has_changed()
    }
}
