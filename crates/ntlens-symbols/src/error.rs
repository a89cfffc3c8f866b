//! Why symbols could not be read.

use crate::path::PointerError;
use alloc::string::String;
use ntlens_core::layout::PdbId;
use std::path::{Path, PathBuf};

/// Why symbols could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SymbolError {
    /// The file is no symbol file of a known kind.
    #[error("{}: neither a PDB nor an ISF table", path.display())]
    NotSymbols {
        /// The file.
        path: PathBuf,
    },
    /// The file is a PDB of before 1999, a format that no x64 kernel has.
    #[error("{}: a PDB of format 2.00; only 7.00 is read", path.display())]
    OldPdb {
        /// The file.
        path: PathBuf,
    },
    /// The path leads to a folder, a device or a pipe.
    #[error("{}: not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file cannot be opened or read.
    #[error("{}: {message}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        message: String,
    },
    /// Symbols of another image, where those of this one should be.
    #[error("{place}: has the symbols {found}, the image needs {wanted}")]
    Mismatch {
        /// The file or URL.
        place: String,
        /// GUID and age of the image.
        wanted: PdbId,
        /// GUID and age in the file.
        found: PdbId,
    },
    /// A `file.ptr` that is not followed.
    #[error("{place}: {why}")]
    Pointer {
        /// The file or URL.
        place: String,
        /// What is wrong with it.
        why: PointerError,
    },
    /// A server could not be asked, or gave something else than symbols.
    #[error("{url}: {message}")]
    Download {
        /// What was asked for.
        url: String,
        /// What went wrong.
        message: String,
    },
    /// The file, or what is packed in it, is larger than any file of symbols.
    #[error("{}: more than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read, in bytes.
        limit: u64,
    },
    /// The file is packed, and cannot be unpacked.
    #[error("{}: damaged {packing} data: {message}", path.display())]
    Unpack {
        /// The file.
        path: PathBuf,
        /// How it is packed: `xz`, `gzip` or `cabinet`.
        packing: &'static str,
        /// What the decoder says.
        message: String,
    },
    /// A part of the file is not what its format says.
    #[error("{}: {place}: expected {expected}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The stream or structure, and where in it.
        place: String,
        /// What should be there.
        expected: String,
    },
}

/// A failure before anybody says which file it is of.
#[derive(Debug)]
pub(crate) enum Fault {
    NotSymbols,
    OldPdb,
    NotAFile,
    Io(String),
    TooLarge(u64),
    Unpack { packing: &'static str, message: String },
    Malformed { place: String, expected: String },
}

impl Fault {
    pub(crate) fn malformed(place: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Malformed { place: place.into(), expected: expected.into() }
    }

    pub(crate) fn in_file(self, path: &Path) -> SymbolError {
        let path = path.into();
        match self {
            Self::NotSymbols => SymbolError::NotSymbols { path },
            Self::OldPdb => SymbolError::OldPdb { path },
            Self::NotAFile => SymbolError::NotAFile { path },
            Self::Io(message) => SymbolError::Io { path, message },
            Self::TooLarge(limit) => SymbolError::TooLarge { path, limit },
            Self::Unpack { packing, message } => SymbolError::Unpack { path, packing, message },
            Self::Malformed { place, expected } => SymbolError::Malformed { path, place, expected },
        }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Io(alloc::string::ToString::to_string(&error))
    }
}
