//! A file as a source of bytes: positioned reads, with a cache of blocks in front.

use crate::error::Error;
use crate::positioned;
use ntlens_core::source::{ByteSource, ReadError};
use std::fmt;
use std::fs::{File, FileType, Metadata};
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of one cached block. Most reads of a dump are small and far apart, and a page costs four times the copying.
const BLOCK: usize = 0x400;
/// Slots of the cache, together 8 MiB. A power of two.
const SLOTS: usize = 0x2000;
/// Reads of this size and more go past the cache.
const LARGE: usize = 2 * BLOCK;

/// A file that is read at any position by any number of threads.
///
/// Each block of the file has one slot of the cache, whose memory is used again and again: most reads of a dump are of
/// pages that are needed once, and an allocation for each costs as much as the read.
pub struct FileSource {
    file: File,
    len: u64,
    slots: Vec<Mutex<Slot>>,
}

/// The block that was last read into a slot.
#[derive(Default)]
struct Slot {
    number: Option<u64>,
    bytes: Vec<u8>,
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
        let slots = (0..SLOTS).map(|_| Mutex::default()).collect();
        Ok(Self { file, len: metadata.len(), slots })
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let end = offset.saturating_add(out.len() as u64);
        positioned::read_exact_at(&self.file, offset, out).map_err(|error| match error.kind() {
            // The file was cut after it was opened.
            io::ErrorKind::UnexpectedEof => ReadError::PastEnd { offset, end },
            _ => ReadError::Failed { offset, message: error.to_string() },
        })
    }

    /// The slot of a block, holding it.
    fn block(&self, number: u64) -> Result<MutexGuard<'_, Slot>, ReadError> {
        // Neighbours lie in different slots, and so do blocks that are powers of two apart.
        let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SLOTS.ilog2());
        let slot = usize::try_from(hash).ok().and_then(|index| self.slots.get(index));
        let slot = slot.ok_or(ReadError::PastEnd { offset: 0, end: 0 })?;
        // A thread that panicked while it held a slot left it with a number only if its bytes were read.
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.number != Some(number) {
            slot.number = None;
            slot.bytes.resize(BLOCK, 0);
            self.read(number * BLOCK as u64, &mut slot.bytes)?;
            slot.number = Some(number);
        }
        Ok(slot)
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
            let held = block.bytes.get(skip..).unwrap_or_default();
            let piece = held.len().min(rest.len());
            if let (Some(to), Some(from)) = (rest.get_mut(..piece), held.get(..piece)) {
                to.copy_from_slice(from);
            }
            done += piece;
        }
        Ok(())
    }
}
