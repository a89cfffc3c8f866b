//! Where are the fields of a kernel's structures? (`layouts [BUILD]`, from the embedded layouts, without a dump)
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

use ntlens::symbols::{Pack, Source};

const FIELDS: [&str; 5] = ["Pcb.DirectoryTableBase", "UniqueProcessId", "Token", "ImageFileName", "Protection"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let build: u32 = std::env::args().nth(1).as_deref().unwrap_or("19041").parse()?;
    let pack = Pack::embedded()?;
    // In the order of versions: the last of a build is its newest revision. Other sources know only some structures.
    let whole = pack.tables().iter().rposition(|table| table.version.build == build && table.source == Source::Isf);
    let table = whole.ok_or("no kernel of this build is embedded")?;
    let layouts = pack.kernel_layouts(table)?;
    println!("kernel {}", layouts.version().ok_or("a kernel without a version")?);
    for field in FIELDS {
        match layouts.place("_EPROCESS", field) {
            Ok(place) => println!("+{:#05x} {field}", place.offset),
            Err(why) => println!("       {field}: {why}"),
        }
    }
    Ok(())
}
