//! Chores of the ntlens project: `cargo xtask <chore>`. A new one is a file and a line in [`CHORES`].
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool for maintainers talks to them")]

mod api;
mod demo;
mod failure;
mod fuzz;
mod minimal;
mod pack;
mod python;
mod stubs;
mod test;
mod wheels;

use failure::Failure;
use std::process::ExitCode;

/// A chore: its name, what it does, and the function that does it with the arguments after its name.
type Chore = (&'static str, &'static str, fn(&[String]) -> Result<(), Failure>);

const CHORES: &[Chore] = &[
    ("test", test::ABOUT, test::run),
    ("fuzz", fuzz::ABOUT, fuzz::run),
    ("api", api::ABOUT, api::run),
    ("minimal", minimal::ABOUT, minimal::run),
    ("pack", pack::ABOUT, pack::run),
    ("demo", demo::ABOUT, demo::run),
    ("stubs", stubs::ABOUT, stubs::run),
    ("wheels", wheels::ABOUT, wheels::run),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let chosen = arguments.split_first().and_then(|(name, rest)| {
        let (_, _, run) = CHORES.iter().find(|(chore, _, _)| chore == name)?;
        Some(run(rest))
    });
    match chosen {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(failure)) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("usage: cargo xtask <chore> ...\n");
            for (name, about, _) in CHORES {
                eprintln!("  {name}  {about}");
            }
            ExitCode::from(2)
        }
    }
}
