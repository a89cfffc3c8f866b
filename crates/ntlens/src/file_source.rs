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
        let file = open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        // Something else may have taken the name in between.
        regular(&metadata)?;
        let source = Positioned { file, len: metadata.len(), written: metadata.modified().ok() };
        Ok(Self(BlockCache::new(source, BLOCK_BITS, SLOT_BITS)))
    }
}

/// Opens for reading, and waits for nobody: a pipe that took the name of a file would be opened when somebody writes to it.
fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    options.read(true).open(path)
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    /// A file and a pipe take turns at one name. Whatever is met, nobody waits for a writer.
    #[test]
    fn a_pipe_that_takes_the_name_of_a_file_hangs_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (path, file, pipe) = (at("dump"), at("file"), at("pipe"));
        std::fs::write(&file, "bytes").unwrap();
        if !Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
            return;
        }
        std::fs::hard_link(&file, &path).unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let swapping = std::thread::spawn({
            let (done, path, next) = (done.clone(), path.clone(), at("next"));
            move || {
                while !done.load(Ordering::Relaxed) {
                    for what in [&pipe, &file] {
                        std::fs::hard_link(what, &next).unwrap();
                        std::fs::rename(&next, &path).unwrap();
                        // Names of one file are not changed by a rename.
                        let _ = std::fs::remove_file(&next);
                    }
                }
            }
        });
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let opened = (0..20_000).filter(|_| FileSource::open(&path).is_ok()).count();
            // Nobody waits any more if this took too long.
            let _ = send.send(opened);
        });
        let opened = receive.recv_timeout(Duration::from_secs(60));
        done.store(true, Ordering::Relaxed);
        swapping.join().unwrap();
        let opened = opened.expect("an open waits for a writer");
        assert!(opened > 0 && opened < 20_000, "{opened} times a file was met");
    }
}
