//! The table of symbols that volatility3 needs for a kernel. (`write_isf [BUILD]`, from the embedded layouts, or
//! `write_isf PDB`; the table goes to standard output.)
//!
//! volatility3 looks for it in `symbols/windows/ntkrnlmp.pdb/<GUID>-<AGE>.json`.

use ntlens::layout::Layouts;
use ntlens::symbols::{Pack, Source, file, isf};
use std::error::Error;
use std::io::stdout;

fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args_os().nth(1).unwrap_or("19041".into());
    let layouts = match argument.to_str().and_then(|text| text.parse().ok()) {
        Some(build) => embedded(build)?,
        None => file::read(argument.as_ref())?.layouts,
    };
    let id = layouts.id().ok_or("layouts of no one kernel")?;
    Ok(isf::write(stdout().lock(), &layouts, id, "ntkrnlmp.pdb")?)
}

/// All types of a build's newest kernel, and of its symbols those that the library looks for.
fn embedded(build: u32) -> Result<Layouts, Box<dyn Error>> {
    let pack = Pack::embedded()?;
    let whole = pack.tables().iter().rposition(|table| table.version.build == build && table.source == Source::Isf);
    Ok(pack.all_layouts(whole.ok_or("no kernel of this build is embedded")?)?)
}
