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

pub mod code;
mod dump_files;
mod input;
mod kernels;
pub mod log;
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

use std::time::Duration;

/// A target: its name, how many runs of it the smoke test makes, what it does, and which code it is about.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name, which is that of its file here, of its program and of its folder of seeds in `fuzz/`.
    pub name: &'static str,
    /// Runs that take about four seconds of one processor with little optimisation.
    pub smoke_runs: u32,
    /// Panics if the library breaks a promise with these bytes.
    pub run: fn(&[u8]),
    /// Files and folders below `crates/`: what they say decides whether the promise holds.
    pub code: &'static [&'static str],
}

const fn target(name: &'static str, smoke_runs: u32, run: fn(&[u8]), code: &'static [&'static str]) -> Target {
    Target { name, smoke_runs, run, code }
}

/// Code that has run with a target for so long has been fuzzed; what has not runs longer in the smoke test.
pub const ENOUGH: Duration = Duration::from_secs(60);

/// What opening any dump goes through.
const DUMP: &[&str] = &["ntlens-core/src/dump", "ntlens-core/src/memory", "ntlens-core/src/source.rs"];
/// What answers about whole dumps go through.
const CORE: &[&str] = &["ntlens-core/src"];

/// All targets.
pub const TARGETS: &[Target] = &[
    target("doctor", 800, doctor::run, CORE),
    target("dump_header", 300_000, dump_header::run, DUMP),
    target("extract", 500, extract::run, &["ntlens-core/src", "ntlens/src/extract"]),
    target("filter", 400_000, filter::run, &["ntlens-core/src/report/filter", "ntlens-core/src/report/selection.rs"]),
    target("handle_table", 300_000, handle_table::run, &["ntlens-core/src/nt/handle_table.rs"]),
    target(
        "isf",
        600_000,
        isf::run,
        &["ntlens-symbols/src/isf", "ntlens-symbols/src/assemble.rs", "ntlens-symbols/src/sound.rs"],
    ),
    target("kdbg", 2_000_000, kdbg::run, &["ntlens-core/src/kdbg.rs"]),
    target("object_directory", 500_000, object_directory::run, &["ntlens-core/src/nt/directory.rs"]),
    target("open", 500_000, open::run, DUMP),
    target("pack", 600_000, pack::run, &["ntlens-symbols/src/pack"]),
    target(
        "pdb",
        200_000,
        pdb::run,
        &[
            "ntlens-symbols/src/pdb",
            "ntlens-symbols/src/assemble.rs",
            "ntlens-symbols/src/sound.rs",
            "ntlens-symbols/src/unpack.rs",
        ],
    ),
    target("processes", 600, processes::run, CORE),
    target("sid", 500_000, sid::run, &["ntlens-core/src/nt/sid.rs", "ntlens-core/src/nt/well_known_sid.rs"]),
    target("token", 15_000, token::run, &["ntlens-core/src/nt/token.rs", "ntlens-core/src/nt/sid.rs"]),
    target("translate", 500_000, translate::run, &["ntlens-core/src/memory"]),
    target(
        "unicode_string",
        700_000,
        unicode_string::run,
        &["ntlens-core/src/nt/unicode_string.rs", "ntlens-core/src/text.rs"],
    ),
];

/// Decodes the layouts that targets share, so that this is not counted as the first input's time.
pub fn prepare() {
    let _ = kernels::KERNELS.len();
}
