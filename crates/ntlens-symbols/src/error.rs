//! Why symbols could not be read.

use alloc::string::String;
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
}
