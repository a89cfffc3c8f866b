//! The built command, as people and scripts call it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod demo;
mod escaping;
mod evidence;
mod exit_status;
mod formats;
mod memory;
mod output_file;
mod remarks;
mod schema;
mod selection;
mod support;
mod symbols;
mod terminal;
mod tools;
