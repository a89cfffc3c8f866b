//! A file as a source of bytes: positioned reads, with a cache of blocks in front.

use crate::error::Error;
use crate::positioned;
use ntlens_core::source::{ByteSource, ReadError};
use quick_cache::sync::Cache;
use std::fmt;
use std::fs::{File, FileType, Metadata};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Bytes of one cached block: a page, so that a random read costs one page.
const BLOCK: usize = 0x1000;
/// Blocks that are kept: 12 MiB.
const BLOCKS: usize = 3072;
/// Reads of this size and more go past the cache.
const LARGE: usize = 4 * BLOCK;

/// A file that is read at any position by any number of threads.
pub struct FileSource {
    file: File,
    len: u64,
    cache: Cache<u64, Arc<[u8; BLOCK]>>,
}

impl fmt::Debug for FileSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSource").field("len", &self.len).finish_non_exhaustive()
    }
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
        Ok(Self { file, len: metadata.len(), cache: Cache::new(BLOCKS) })
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let end = offset.saturating_add(out.len() as u64);
        positioned::read_exact_at(&self.file, offset, out).map_err(|error| match error.kind() {
            // The file was cut after it was opened.
            io::ErrorKind::UnexpectedEof => ReadError::PastEnd { offset, end },
            _ => ReadError::Failed { offset, message: error.to_string() },
        })
    }

    fn block(&self, number: u64) -> Result<Arc<[u8; BLOCK]>, ReadError> {
        if let Some(block) = self.cache.get(&number) {
            return Ok(block);
        }
        let mut block = Arc::new([0; BLOCK]);
        if let Some(bytes) = Arc::get_mut(&mut block) {
            self.read(number * BLOCK as u64, bytes)?;
        }
        self.cache.insert(number, block.clone());
        Ok(block)
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

impl ByteSource for FileSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let end = offset.saturating_add(out.len() as u64);
        if end > self.len {
            return Err(ReadError::PastEnd { offset, end });
        }
        // The last block may be short, and is not worth a case in the cache.
        let cached = out.len() < LARGE && end <= self.len - self.len % BLOCK as u64;
        if !cached {
            return self.read(offset, out);
        }
        let mut done = 0;
        while let Some(rest) = out.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset + done as u64;
            let block = self.block(at / BLOCK as u64)?;
            let skip = usize::try_from(at % BLOCK as u64).unwrap_or(0);
            let held = block.get(skip..).unwrap_or_default();
            let piece = held.len().min(rest.len());
            if let (Some(to), Some(from)) = (rest.get_mut(..piece), held.get(..piece)) {
                to.copy_from_slice(from);
            }
            done += piece;
        }
        Ok(())
    }
}
