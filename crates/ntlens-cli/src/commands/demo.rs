//! `demo`: the process table of a small sample dump that is part of the program.

use super::Other;
use crate::options;
use crate::output::{Failure, say};
use clap::Command;
use ntlens::report::processes::PROCESSES;

/// A synthetic machine, made by `cargo xtask demo`: no person's memory.
const SAMPLE: &[u8] = include_bytes!("../../assets/demo.dmp.zlib");
/// The sample is not larger when unpacked.
const MAX_SAMPLE: usize = 64 << 20;

pub(super) const DEMO: Other = Other {
    spec: || {
        let command =
            Command::new("demo").about("The process protection table of a small sample dump that is part of ntlens");
        options::with_parameters(command, PROCESSES.parameters).args(options::selection()).args(options::output())
    },
    run: |matches| {
        let target = options::target(matches)?;
        let sample = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(SAMPLE, MAX_SAMPLE)
            .map_err(|error| Failure::NotFound(format!("the sample dump cannot be unpacked: {error}")))?;
        let dump = ntlens::open_bytes("demo.dmp", sample)?;
        let status = super::ask(&PROCESSES, &dump, matches, &target)?;
        if !target.quiet {
            say("note", "this was a made-up machine; for a dump of your own: ntlens processes MEMORY.DMP");
        }
        Ok(status)
    },
};
