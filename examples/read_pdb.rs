//! What does a PDB say? (`read_pdb PDB [STRUCTURE]`; a table in ISF, packed or not, will do as well.)
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

use ntlens::symbols::dt::{Dt, find};
use ntlens::symbols::file;
use std::path::PathBuf;

/// What `ntlens-symbols` is tested with: a PDB by LLVM's linker.
const SAMPLE: &[u8] = include_bytes!("../crates/ntlens-symbols/tests/fixtures/lld.pdb.xz");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let table = match arguments.next().map(PathBuf::from) {
        Some(path) => file::read(&path)?,
        None => file::read_bytes("lld.pdb.xz".as_ref(), SAMPLE)?,
    };
    let layouts = &table.layouts;
    println!("symbols {}", table.id);
    let (structures, enumerations) = (layouts.structures().count(), layouts.enumerations().count());
    println!("{structures} structures, {enumerations} enumerations, {} symbols", layouts.symbols().count());
    let name = arguments.next().map_or("types::Process".into(), |name| name.to_string_lossy().into_owned());
    let found = find(layouts, &name).ok_or("no such structure")?;
    print!("{}", Dt::new(layouts, found));
    Ok(())
}
