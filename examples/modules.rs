//! Which kernel modules were loaded, and where?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    let found = dump.modules()?;
    for module in &found.modules {
        println!("{} {:>9} {}", module.base?, module.size?, module.name.clone()?.unwrap_or_default());
    }
    // A list that is broken somewhere is told, never silently short.
    for missing in &found.incomplete {
        println!("missing: {} at {}: {}", missing.what, missing.place, missing.reason);
    }
    Ok(())
}
