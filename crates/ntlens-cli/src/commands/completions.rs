//! `completions`: scripts that let a shell complete commands and options.

use super::Other;
use crate::output::{Failure, Status};
use clap::{Arg, Command};
use clap_complete::Shell;
use std::io::Write;

pub(super) const COMPLETIONS: Other = Other {
    spec: || {
        Command::new("completions")
            .about("A script that lets a shell complete commands and options")
            .arg(Arg::new("shell").value_name("SHELL").required(true).value_parser(clap::value_parser!(Shell)))
    },
    run: |matches| {
        let shell = matches.get_one::<Shell>("shell").copied();
        let shell = shell.ok_or_else(|| Failure::Usage("no shell is given".into()))?;
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut super::cli(), "ntlens", &mut script);
        std::io::stdout().lock().write_all(&script)?;
        Ok(Status::Complete)
    },
};
