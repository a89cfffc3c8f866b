//! Why a whole operation could not be done.

use crate::absent::Absent;
use crate::identity::PdbId;
use crate::source::ReadError;
use alloc::boxed::Box;
use alloc::string::String;

/// Symbols that were given for a kernel and are those of another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{source_name}: these are the symbols of {found}, and the dump's kernel {}; they are used only if that is forced",
    wanted.map_or("does not tell which it needs".into(), |wanted| alloc::format!("needs those of {wanted}"))
)]
pub struct OtherSymbols {
    /// The file.
    pub source_name: String,
    /// The identity of its symbols.
    pub found: PdbId,
    /// The identity that the kernel needs, if it can be read.
    pub wanted: Option<PdbId>,
}

/// What stopped an operation. One missing value is an [`Absent`] instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file is something else than a dump that can be read, and says so itself.
    #[error("{what}: {advice}")]
    Unsupported {
        /// What the file is.
        what: String,
        /// What can be done with it.
        advice: &'static str,
    },
    /// A field of a structure of the file holds what it cannot hold.
    #[error("{structure} at file offset {offset:#x}: {field} is {found}, expected {expected}")]
    Malformed {
        /// The structure's name.
        structure: &'static str,
        /// File offset of the field.
        offset: u64,
        /// The field's name.
        field: &'static str,
        /// What it holds.
        found: String,
        /// What it should hold.
        expected: String,
    },
    /// The kernel could not be found in the dump.
    #[error("no Windows kernel found in the dump: {tried}")]
    NoKernel {
        /// Where it was looked for, and what was found there.
        tried: String,
    },
    /// No layout fits the dump's kernel.
    #[error("no layout fits this kernel ({kernel}): {reason}")]
    NoLayout {
        /// The kernel as far as it could be told.
        kernel: String,
        /// Why those at hand do not fit.
        reason: String,
    },
    /// The symbols that the user gives are those of another kernel.
    #[error(transparent)]
    OtherSymbols(Box<OtherSymbols>),
    /// A collection of layouts is broken.
    #[error("the layouts of {source_name} cannot be used: {message}")]
    LayoutSource {
        /// The collection's name.
        source_name: String,
        /// What is wrong with it.
        message: String,
    },
    /// What was asked needs something that this dump does not hold.
    #[error("{what}: {why}")]
    Missing {
        /// What was asked for.
        what: &'static str,
        /// Why it is not there.
        why: Absent,
    },
    /// Nothing in the dump is what was asked for.
    #[error("no {what} in the dump")]
    NotFound {
        /// What was asked for, such as `process with the id 4`.
        what: String,
    },
    /// This kind of dump can never answer the question.
    #[error("a {kind} dump cannot hold {what}")]
    NotInKind {
        /// The kind of dump.
        kind: &'static str,
        /// What was asked for.
        what: &'static str,
    },
}
