//! The `ntlens-testkit` command: synthetic machines as dump files, with what is true of them.
#![forbid(unsafe_code)]

mod kernels;
mod make;
mod write;

use clap::Command;
use ntlens_core::text::visible;
use std::io::{self, Write};
use std::process::ExitCode;

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Usage(String),
    #[error("{}: {error}", path.display())]
    File { path: std::path::PathBuf, error: io::Error },
    #[error("the answer could not be written: {0}")]
    Write(#[from] io::Error),
}

fn command() -> Command {
    Command::new("ntlens-testkit")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Write synthetic Windows x64 machines as kernel memory dumps, with what is true of them")
        .after_help("The same options give the same bytes. Exit status: 0 done, 1 not done, 2 wrong usage.")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(make::command())
        .subcommand(Command::new("kinds").about("The kinds of dumps, with their DumpType"))
        .subcommand(Command::new("builds").about("The kernels that a machine can have"))
        .subcommand(Command::new("schema").about("The JSON Schema of what is true of a machine"))
}

fn run() -> Result<(), Failure> {
    let matches = command().get_matches();
    let mut out = io::stdout().lock();
    match matches.subcommand() {
        Some(("make", matches)) => make::run(matches)?,
        Some(("kinds", _)) => {
            for kind in ntlens_testkit::Kind::ALL {
                let number = kind.dump_type().map_or_else(|| "-".into(), |number| number.to_string());
                writeln!(out, "{:<12}{number:>3}  {}", kind.name(), kind.about())?;
            }
        }
        Some(("builds", _)) => out.write_all(kernels::list().as_bytes())?,
        _ => writeln!(out, "{:#}", ntlens_testkit::truth::schema())?,
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody reads on.
        Err(Failure::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            // If standard error is gone too, the status says it.
            let _ = writeln!(io::stderr(), "error: {}", visible(&failure.to_string()));
            ExitCode::from(if matches!(failure, Failure::Usage(_)) { 2 } else { 1 })
        }
    }
}
