#![no_std]
#![forbid(unsafe_code)]
//! core
extern crate alloc;
pub mod absent;
pub mod address;
pub mod layout;
pub use absent::Absent;
