//! What was every process at the moment of the dump, how was it protected, and what crosses the borders that should
//! hold: a reader of Windows x64 kernel memory dumps that needs neither Windows nor a debugger.
//!
//! ```no_run
//! let dump = ntlens::open("MEMORY.DMP")?;
//! for process in dump.processes()?.processes {
//!     println!("{:>6} {:<15} {}", process.pid()?, process.name()?, process.protection()?);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`open`] takes a dump of any kind. Every question of [`report::QUESTIONS`] is answered with a [`report::Table`], which
//! [`render`] writes as text, JSON, JSON lines or CSV. A value that is not in the dump is an [`Absent`] that says why.
//!
//! The decoding is in `ntlens-core`, which needs no `std`; this crate adds files and output.

#[cfg(feature = "arrow")]
pub mod arrow;
mod block_cache;
#[cfg(feature = "demo")]
pub mod demo;
pub mod embedded;
mod error;
pub mod extract;
mod file_source;
pub mod isf;
pub mod names;
mod positioned;
pub mod render;
pub mod schema;
mod sources;
mod threads;

pub use block_cache::BlockCache;
pub use error::Error;
pub use file_source::FileSource;
/// Why a question could not be answered, and what is wrong with a file.
pub use ntlens_core::Error as CoreError;
pub use ntlens_core::{
    Absent, Incomplete, OpenDump, absent, address, doctor, dump, incomplete, kdbg, layout, memory, nt, opened, report,
    source, spread, text,
};
pub use ntlens_symbols as symbols;
pub use sources::{Symbols, symbol_path};
pub use threads::Threads;

use layout::source::LayoutSource;
use nt::snapshot::Options;
use std::path::Path;
use std::sync::Arc;

/// Opens a dump with the embedded layouts.
pub fn open(path: impl AsRef<Path>) -> Result<OpenDump, Error> {
    open_with(path, &Symbols::embedded()?, Options::default())
}

/// Opens a dump with other layouts, such as [`Symbols`] that the user has, and what the caller knows better than the dump.
pub fn open_with(path: impl AsRef<Path>, layouts: &dyn LayoutSource, options: Options) -> Result<OpenDump, Error> {
    let path = path.as_ref();
    let source = FileSource::open(path)?;
    open_source(&path.to_string_lossy(), Arc::new(source), layouts, options)
}

/// Opens the bytes of a dump that is already in memory; `name` is shown to the user.
pub fn open_bytes(name: &str, bytes: Vec<u8>) -> Result<OpenDump, Error> {
    open_source(name, Arc::new(bytes), &Symbols::embedded()?, Options::default())
}

/// Opens a dump wherever its bytes come from; `name` is shown to the user.
pub fn open_source(
    name: &str,
    source: Arc<dyn source::ByteSource>,
    layouts: &dyn LayoutSource,
    options: Options,
) -> Result<OpenDump, Error> {
    let dump = OpenDump::open(name, source, layouts, options);
    Ok(dump.map_err(|error| Error::Dump { path: name.into(), error })?.with_spread(&Threads))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_opened_is_shared_between_threads() {
        fn shared<T: Send + Sync + 'static>() {}
        shared::<OpenDump>();
        shared::<nt::Snapshot>();
        shared::<nt::Process>();
        shared::<FileSource>();
        shared::<Error>();
        shared::<Symbols>();
    }
}
