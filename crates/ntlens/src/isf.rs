//! The types and symbols of a kernel as ISF, which volatility3 reads.

use crate::Error;
use crate::symbols::isf::{self, WriteError};
use ntlens_core::Error as CoreError;
use ntlens_core::layout::Layouts;
use ntlens_core::nt::Snapshot;
use std::io::Write;

/// The name of the kernel's PDB where the image does not tell it.
const USUAL_PDB: &str = "ntkrnlmp.pdb";

/// Writes layouts as a table: those of the kernel of a dump, if it is given. Layouts of no one kernel have no GUID, which a
/// table needs.
pub fn write(mut out: impl Write, layouts: &Layouts, kernel: Option<&Snapshot>) -> Result<(), Error> {
    let refused = |message: String| {
        let source = kernel.map(|kernel| kernel.selected().source.clone());
        let source_name = source.unwrap_or_else(|| "embedded".into());
        Error::Core(CoreError::LayoutSource { source_name, message })
    };
    let nameless = "they are not the symbols of one kernel, and a table needs its GUID";
    let id = layouts.id().ok_or_else(|| refused(nameless.into()))?;
    let symbols = kernel.and_then(Snapshot::kernel_symbols);
    let pdb = symbols.map_or(USUAL_PDB, |symbols| symbols.pdb_name.as_str());
    isf::write(&mut out, layouts, id, pdb).map_err(|error| match error {
        WriteError::Io(error) => Error::Write(error),
        other => refused(other.to_string()),
    })?;
    Ok(writeln!(out)?)
}
