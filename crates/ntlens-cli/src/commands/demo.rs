//! `demo`: the process table of a small sample dump that is part of the program.

use super::Other;
use crate::options;
use crate::output::{Failure, say};
use clap::Command;
use ntlens::render::Format;
use ntlens::report::{Wanted, question};

/// A synthetic machine, made by `cargo xtask demo`: no person's memory.
const SAMPLE: &[u8] = include_bytes!("../../assets/demo.dmp.zlib");
/// The sample is not larger when unpacked.
const MAX_SAMPLE: usize = 64 << 20;

pub(super) const DEMO: Other = Other {
    spec: || {
        Command::new("demo")
            .about("The process protection table of a small sample dump that is part of ntlens")
            .args(options::output())
    },
    run: |matches| {
        let target = options::target(matches)?;
        let sample = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(SAMPLE, MAX_SAMPLE)
            .map_err(|error| Failure::NotFound(format!("the sample dump cannot be unpacked: {error}")))?;
        let dump = ntlens::open_bytes("demo.dmp", sample)?;
        let Some(processes) = question("processes") else {
            return Err(Failure::NotFound("the table of processes is not built in".into()));
        };
        let wanted = if target.format == Format::Table { Wanted::Screen } else { Wanted::All };
        let answer = processes.ask(&dump, wanted)?;
        let status = target.answer(&dump, &answer)?;
        if !target.quiet {
            say("note", "this was a made-up machine; for a dump of your own: ntlens processes MEMORY.DMP");
        }
        Ok(status)
    },
};
