//! Processors, their tables and the services of the kernel against what is known of them: the truth files of the shared
//! folder, its real dumps, machines of the testkit, and volatility3.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr, missing_docs)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/kit.rs"]
mod kit;
#[path = "../common/peer.rs"]
mod peer;

mod code_integrity;
mod machines;
mod shared;
mod system;

use ntlens::OpenDump;
use ntlens::report::{Wanted, question};

/// The remarks of an answer.
fn remarks(dump: &OpenDump, table: &str) -> Vec<String> {
    question(table).unwrap().ask(dump, Wanted::All).unwrap().remarks
}
