//! Who started whom? A process that is younger than its child is not its parent, whoever has the id now.
#![expect(clippy::print_stdout, clippy::indexing_slicing, reason = "an example prints its answer")]

mod support;

use ntlens::nt::family::Family;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    let found = dump.processes()?;
    let (processes, family) = (&found.processes, Family::of(&found.processes, found.unseen));
    for index in family.order() {
        let process = &processes[*index];
        let orphan =
            if family.parent(*index)?.is_none() && process.ppid()? != 0 { " (its parent is gone)" } else { "" };
        let indent = "  ".repeat(usize::try_from(family.depth(*index)?)?.min(16));
        println!("{indent}{} {}{orphan}", process.pid()?, process.name()?);
    }
    Ok(())
}
