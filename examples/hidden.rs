//! Which processes are missing from the list that everybody walks, and how were they found?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::nt::process::Sources;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    for process in dump.processes()?.processes {
        if !process.sources().contains(Sources::ACTIVE_LIST) {
            let found_by = process.sources().names().join(", ");
            println!("{:>6} {:<15} found by {found_by}", process.pid()?, process.name()?);
        }
    }
    Ok(())
}
