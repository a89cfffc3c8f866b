//! Packed files of symbols: xz and gzip, as people keep ISF tables, and cabinets, as symbol stores keep PDBs.

use crate::error::Fault;
use alloc::string::ToString;
use core::cell::RefCell;
use std::io::{self, Read, Seek, SeekFrom};

/// Memory for the window of xz, in KiB: its strongest setting takes 64 MiB.
const XZ_MEMORY: u32 = 80 << 10;

/// What a file may unpack to whatever its own size is.
const ALWAYS: u64 = 64 << 20;

/// How many times its own size a larger file may unpack to. Symbols shrink to a tenth or so.
const RATIO: u64 = 100;

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Xz,
    Gzip,
    Cabinet,
}

impl Packing {
    /// Tells by the first bytes of a file.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        let known: [(&[u8], Self); 3] =
            [(b"\xfd7zXZ\0", Self::Xz), (b"\x1f\x8b", Self::Gzip), (b"MSCF", Self::Cabinet)];
        known.into_iter().find_map(|(magic, packing)| head.starts_with(magic).then_some(packing))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Xz => "xz",
            Self::Gzip => "gzip",
            Self::Cabinet => "cabinet",
        }
    }
}

/// Gives what is in a packed file to `take`, with the most bytes that it may have. Of a cabinet that is its first file.
pub(crate) fn unpack<T>(
    packing: Packing,
    mut source: impl Read + Seek,
    take: impl FnOnce(&mut dyn Read, u64) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let length = source.seek(SeekFrom::End(0))?;
    source.rewind()?;
    let limit = length.saturating_mul(RATIO).max(ALWAYS);
    let damaged = |message| Fault::Unpack { packing: packing.name(), message };
    let failure = RefCell::new(None);
    let taken = match packing {
        Packing::Xz => {
            take(&mut Watched(lzma_rust2::XzReader::new_mem_limit(source, true, XZ_MEMORY), &failure), limit)
        }
        Packing::Gzip => take(&mut Watched(flate2::read::MultiGzDecoder::new(source), &failure), limit),
        Packing::Cabinet => {
            let offset = first_file_offset(&mut source).ok_or_else(|| damaged("no file in it".to_string()))?;
            // The decoder can only skip what it finds: a first file that starts elsewhere is none.
            if offset != 0 {
                return Err(damaged("its first file is not the first of its folder".to_string()));
            }
            source.rewind()?;
            let mut cabinet = cab::Cabinet::new(source).map_err(|error| damaged(error.to_string()))?;
            let first = cabinet.folder_entries().flat_map(cab::FolderEntry::file_entries).next();
            let name = first.map(|file| file.name().to_string()).ok_or_else(|| damaged("no file in it".to_string()))?;
            let file = cabinet.read_file(&name).map_err(|error| damaged(error.to_string()))?;
            take(&mut Watched(file, &failure), limit)
        }
    };
    // What fails inside the decoder is not the fault of who reads from it.
    match failure.into_inner() {
        Some(message) => Err(damaged(message)),
        None => taken,
    }
}

/// Where the first file of a cabinet starts in its folder.
fn first_file_offset(source: &mut (impl Read + Seek)) -> Option<u32> {
    let mut number = |at: u64| {
        let mut bytes = [0; 4];
        source.seek(SeekFrom::Start(at)).ok()?;
        source.read_exact(&mut bytes).ok()?;
        Some(u32::from_le_bytes(bytes))
    };
    let first = number(16)?;
    number(u64::from(first) + 4)
}

/// A decoder whose failure is remembered.
struct Watched<'f, R>(R, &'f RefCell<Option<alloc::string::String>>);

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                *self.1.borrow_mut() = Some(error.to_string());
            }
        })
    }
}
