//! Which address has a name, and which name an address? (over all modules whose symbols are known)
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::Symbols;
use ntlens::names::Names;
use std::sync::Arc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    // The embedded layouts name some symbols of each kernel; `with_path` adds PDBs, ISF tables, folders and stores.
    let symbols = Arc::new(Symbols::embedded()?);
    let names = Names::of(&dump, &symbols)?;
    for found in names.addresses("nt!PsInitialSystemProcess") {
        println!("{found} is at {}", found.address);
        let behind = found.address.wrapping_add(4);
        println!("{behind} is {}", names.nearest(behind).ok_or("outside of all modules")?);
    }
    Ok(())
}
