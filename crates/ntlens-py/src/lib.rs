//! The compiled half of the Python package `ntlens`: classes around what the library `ntlens` answers.
//!
//! Nothing here decodes anything, and nothing is listed twice: questions, their parameters and columns come from
//! `ntlens::report::QUESTIONS`. Everything is immutable and shared between threads; long work runs without the
//! interpreter's lock ([`progress`]), errors become exceptions in [`error`].
#![forbid(unsafe_code)]
#![allow(clippy::doc_markdown, reason = "documentation of classes and functions is what Python shows")]

mod arrow;
mod cell;
mod dump;
mod error;
mod html;
mod listing;
mod opened;
mod process;
mod progress;
mod questions;
mod row;
mod source;
mod table;
mod text;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The module `ntlens._ntlens`.
#[pyo3::pymodule(gil_used = false)]
mod _ntlens {
    #[pymodule_export]
    use super::dump::{Dump, demo, embedded, open};
    #[pymodule_export]
    use super::error::{
        DumpError, Error, IncompleteError, IncompleteWarning, NoLayoutError, NotInDumpError, SymbolsError,
    };
    #[pymodule_export]
    use super::listing::Listing;
    #[pymodule_export]
    use super::process::Process;
    #[pymodule_export]
    use super::questions::questions;
    #[pymodule_export]
    use super::row::Row;
    #[pymodule_export]
    use super::table::Table;
    #[pymodule_export]
    use super::text::visible;
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
