//! The `ntlens` command. Each command is a file of [`commands`]; nothing here decodes anything.

mod commands;
#[cfg(feature = "download")]
mod download;
mod options;
mod output;

use output::{Failure, Status};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let matches = commands::cli().get_matches();
    match commands::run(&matches) {
        Ok(Status::Complete) => ExitCode::SUCCESS,
        Ok(Status::Incomplete) => ExitCode::from(3),
        // The reader of a pipe had enough.
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            output::say("error", &failure.to_string());
            ExitCode::from(if matches!(failure, Failure::Usage(_)) { 2 } else { 1 })
        }
    }
}
