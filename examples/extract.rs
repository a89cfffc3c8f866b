//! How do I hand over one process of a dump, and nothing of the others?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::Symbols;
use ntlens::extract::{Extract, Of};
use ntlens::nt::snapshot::Options;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let layouts = Symbols::embedded()?;
    let dump = ntlens::open_with(support::dump_path()?, &layouts, Options::default())?;
    let processes = dump.processes()?.processes;
    let process = processes.last().ok_or("the dump has no process")?;
    let extract = Extract::new(&dump, &layouts, Options::default(), Of::Process(process.pid()?))?;
    let mut bytes = Vec::new();
    extract.write(&mut bytes)?;
    let small = ntlens::open_bytes("extract", bytes)?;
    let kept = small.processes()?.processes.into_iter().find(|kept| kept.eprocess() == process.eprocess());
    println!("{} pages of {:?}", extract.pages(), dump.dump().pages_present().unwrap_or(0));
    println!("{:?}", kept.ok_or("the process is missing")?.command_line());
    Ok(())
}
