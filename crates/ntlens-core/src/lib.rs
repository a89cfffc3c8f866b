#![no_std]
//! core
extern crate alloc;
pub mod absent;
pub mod address;
pub mod dump;
pub mod error;
pub mod incomplete;
pub mod kdbg;
pub mod layout;
pub mod memory;
pub mod nt;
pub mod opened;
pub mod report;
pub mod source;
pub mod text;
pub use absent::Absent;
pub use error::Error;
pub use incomplete::Incomplete;
pub use opened::OpenDump;
