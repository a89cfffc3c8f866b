//! Why symbols could not be read.

use crate::path::PointerError;
use alloc::string::String;
use ntlens_core::layout::PdbId;
use std::path::PathBuf;

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
    /// The file cannot be opened or read.
    #[error("{}: {message}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        message: String,
    },
    /// The path leads to a folder, a device or a pipe.
    #[error("{}: not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
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
}
