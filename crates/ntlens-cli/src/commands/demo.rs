//! `demo`: the process table of a small sample dump that is part of the program.

use super::Other;
use crate::options;
use crate::output::say;
use clap::Command;
use ntlens::report::processes::PROCESSES;

pub(super) const DEMO: Other = Other {
    spec: || {
        let command =
            Command::new("demo").about("The process protection table of a small sample dump that is part of ntlens");
        options::with_parameters(command, PROCESSES.parameters).args(options::selection()).args(options::output())
    },
    run: |matches| {
        let target = options::target(matches)?;
        let dump = ntlens::demo::open()?;
        let status = super::ask(&PROCESSES, &dump, matches, &target)?;
        if !target.quiet {
            say("note", "this was a made-up machine; for a dump of your own: ntlens processes MEMORY.DMP");
        }
        Ok(status)
    },
};
