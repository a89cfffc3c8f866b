//! Which physical memory does the dump describe, and how much of it is in the file?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    // A triage dump has no physical memory, and this says so.
    let memory = dump.dump().physical()?;
    for run in memory.frames().runs() {
        println!("{} {} pages", run.first.base(), run.count);
    }
    let (described, present) = (dump.dump().pages_described(), dump.dump().pages_present());
    println!("{} of {} pages are in the file", present.unwrap_or(0), described.unwrap_or(0));
    Ok(())
}
