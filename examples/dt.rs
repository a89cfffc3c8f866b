//! What does System's `_EPROCESS` hold, and what of it was elsewhere in the Windows before?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::Symbols;
use ntlens::symbols::dt::{Diff, Dt, Pattern, find};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let symbols = Symbols::embedded()?;
    let dump = ntlens::open(support::dump_path()?)?;
    let kernel = dump.kernel()?;
    let types = symbols.types(kernel)?;
    let eprocess = find(&types, "nt!_eprocess").ok_or("no such type")?;

    let processes = dump.processes()?.processes;
    let system = processes.iter().find(|process| process.pid() == Ok(4)).ok_or("no System")?;
    for field in ["UniqueProcessId", "ImageFileName"] {
        print!("{}", Dt::new(&types, eprocess).only(Pattern::new(field)).at(kernel.space(), system.eprocess()));
    }

    let pack = symbols.pack();
    let older = ntlens::embedded::kernel(pack, 18362, None).ok_or("no such build")?;
    let older = pack.all_layouts(older)?;
    let before = find(&older, "_EPROCESS").ok_or("no such type")?;
    print!("{}", Diff::new(before, eprocess, Some(&Pattern::new("Protection"))));
    Ok(())
}
