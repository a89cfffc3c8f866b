//! Decodes Windows x64 kernel memory dumps: headers, page tables, and kernel structures by layouts that symbols tell.
//!
//! The crate needs no `std`, does no input and output, and depends on no symbol format. It is given a source of bytes
//! ([`source::ByteSource`]) and a source of layouts ([`layout::source::LayoutSource`]; the crate `ntlens-symbols` carries
//! one), and answers from there:
//!
//! ```
//! use ntlens_core::nt::snapshot::Options;
//! use ntlens_core::{Error, OpenDump, layout::source::LayoutSource, source::ByteSource};
//!
//! fn protected(bytes: Vec<u8>, layouts: &dyn LayoutSource) -> Result<Vec<String>, Error> {
//!     let dump = OpenDump::open("memory", std::sync::Arc::new(bytes), layouts, Options::default())?;
//!     let processes = dump.processes()?.processes;
//!     let protected = processes.iter().filter(|process| process.protection().is_ok_and(|level| level.0 != 0));
//!     Ok(protected.filter_map(|process| process.name().ok()).collect())
//! }
//! ```
//!
//! Two kinds of failure only: an [`Error`] stops an operation, an [`Absent`] explains one missing value.
//!
//! Inside, imports point one way: addresses and errors, then [`memory`], [`layout`], [`dump`], [`nt`] (the kernel's own
//! objects), [`report`] (questions and their tables).
#![no_std]

extern crate alloc;

pub mod absent;
pub mod address;
pub mod doctor;
pub mod dump;
pub mod error;
pub mod identity;
pub mod incomplete;
pub mod kdbg;
pub mod layout;
pub mod memory;
pub mod nt;
pub mod opened;
pub mod pattern;
pub mod report;
pub mod source;
pub mod spread;
pub mod text;

pub use absent::Absent;
pub use error::Error;
pub use incomplete::Incomplete;
pub use opened::OpenDump;
