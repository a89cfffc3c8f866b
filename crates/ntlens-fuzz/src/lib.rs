//! What the fuzz targets of ntlens do with their bytes: one file and one line of [`TARGETS`] each.
//!
//! A target takes any bytes, and panics if the library breaks a promise with them. Beside panics, overflows and runaway
//! memory in the library itself these are: two ways to read the same thing agree, what is asked twice is answered the same,
//! what is listed can be found, and no answer is longer than its source allows.
//!
//! `fuzz/` hands libFuzzer's inputs to these functions; `tests/smoke.rs` hands them the seeds and some mutations of them.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::indexing_slicing,
    reason = "a target stops where a promise is broken, and its own machines are sound"
)]

mod dump_files;
mod input;
mod kernels;
mod machine;
pub mod mutate;
pub mod seeds;
mod table_file;
mod words;

pub mod doctor;
pub mod dump_header;
pub mod extract;
pub mod filter;
pub mod handle_table;
pub mod isf;
pub mod kdbg;
pub mod object_directory;
pub mod open;
pub mod pack;
pub mod pdb;
pub mod processes;
pub mod sid;
pub mod token;
pub mod translate;
pub mod unicode_string;

/// A target: its name, how many runs of it the smoke test makes, and what it does.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name, which is that of its file here, of its program and of its folder of seeds in `fuzz/`.
    pub name: &'static str,
    /// Runs that take about four seconds of one processor with little optimisation.
    pub smoke_runs: u32,
    /// Panics if the library breaks a promise with these bytes.
    pub run: fn(&[u8]),
}

const fn target(name: &'static str, smoke_runs: u32, run: fn(&[u8])) -> Target {
    Target { name, smoke_runs, run }
}

/// All targets.
pub const TARGETS: &[Target] = &[
    target("doctor", 800, doctor::run),
    target("dump_header", 300_000, dump_header::run),
    target("extract", 500, extract::run),
    target("filter", 400_000, filter::run),
    target("handle_table", 300_000, handle_table::run),
    target("isf", 600_000, isf::run),
    target("kdbg", 2_000_000, kdbg::run),
    target("object_directory", 500_000, object_directory::run),
    target("open", 500_000, open::run),
    target("pack", 600_000, pack::run),
    target("pdb", 200_000, pdb::run),
    target("processes", 600, processes::run),
    target("sid", 500_000, sid::run),
    target("token", 15_000, token::run),
    target("translate", 500_000, translate::run),
    target("unicode_string", 700_000, unicode_string::run),
];

/// Decodes the layouts that targets share, so that this is not counted as the first input's time.
pub fn prepare() {
    let _ = kernels::KERNELS.len();
}
