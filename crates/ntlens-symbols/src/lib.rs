//! Where ntlens takes the layouts of Windows kernel structures from.
//!
//! [`pack`] decodes the layouts that are part of this crate: all types of about two hundred kernels in one file of some
//! two hundred kilobytes. It needs neither `std` nor a network nor a file. [`dt`] prints types as `WinDbg` does.
//! With the feature `std`, `path` looks for symbols in files, folders and symbol stores.
//!
//! ```
//! use ntlens_symbols::Pack;
//!
//! let pack = Pack::embedded()?;
//! let table = pack.tables().iter().position(|table| table.version.to_string() == "10.0.18362.592").unwrap();
//! let layouts = pack.kernel_layouts(table)?;
//! assert_eq!(layouts.place("_EPROCESS", "SystemProcess")?.offset, 0x6fc);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(feature = "std")]
mod assemble;
#[cfg(feature = "std")]
mod base;
pub mod dt;
#[cfg(feature = "std")]
pub mod error;
#[cfg(feature = "std")]
pub mod file;
#[cfg(feature = "std")]
pub mod isf;
pub mod pack;
#[cfg(feature = "std")]
pub mod path;
#[cfg(feature = "std")]
pub mod pdb;
#[cfg(feature = "std")]
mod sound;
pub mod table;
#[cfg(feature = "std")]
mod unpack;

#[cfg(feature = "std")]
pub use assemble::sort_fields;
#[cfg(feature = "std")]
pub use error::SymbolError;
pub use pack::{EMBEDDED, Pack, PackError, Source, TableInfo};
#[cfg(feature = "std")]
pub use path::SymbolPath;
pub use table::SymbolTable;
