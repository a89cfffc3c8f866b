//! Which processes are there, and how is each protected?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    for process in dump.processes()?.processes {
        // One value may be missing, such as the protection in Windows 7: the others still stand.
        let protection = process.protection().map_or_else(|why| why.to_string(), |protection| protection.to_string());
        println!("{:>6} {:<15} {protection}", process.pid()?, process.name()?);
    }
    Ok(())
}
