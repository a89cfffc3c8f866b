//! What can go wrong around a dump.

use std::io;
use std::path::PathBuf;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be opened or read.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The path is no regular file: a folder, a pipe or a device is never read as a dump.
    #[error("{}: is {what}, expected a file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The file is no dump that can be read.
    #[error("{}: {error}", path.display())]
    Dump {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: ntlens_core::Error,
    },
    /// The file is not what it was when it was opened.
    #[error("the file changed after it was opened: pages of two moments make no dump")]
    Changed,
    /// A question could not be answered.
    #[error(transparent)]
    Core(#[from] ntlens_core::Error),
    /// The embedded layouts are broken, which no release is.
    #[error("the embedded layouts cannot be read: {0}")]
    Pack(#[from] ntlens_symbols::PackError),
    /// The sample dump is broken, which no release has.
    #[error("the sample dump cannot be unpacked: {0}")]
    Demo(String),
    /// An answer could not be written.
    #[error("the answer could not be written: {0}")]
    Write(#[from] io::Error),
    /// A format that cannot hold an answer.
    #[error("{format} holds one table, which {what} is not: json and jsonl can hold it")]
    Format {
        /// The format.
        format: &'static str,
        /// The answer.
        what: &'static str,
    },
    /// A format that holds a timeline.
    #[error("{format} holds a timeline, and nothing else: ask for timeline")]
    NoTimeline {
        /// The format.
        format: &'static str,
    },
    /// A filter or a column that a table does not have.
    #[error(transparent)]
    Selection(#[from] ntlens_core::report::SelectionError),
}
