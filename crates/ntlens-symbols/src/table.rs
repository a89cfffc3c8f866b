//! The symbols of one image, whatever file they came from.

use alloc::string::String;
use ntlens_core::layout::{Layouts, PdbId};

/// The types and symbols of one image.
#[derive(Clone, Debug)]
pub struct SymbolTable {
    /// What ties them to the image.
    pub id: PdbId,
    /// The file name of the PDB that they are from, such as `ntkrnlmp.pdb`, if the file tells. It may be a lie: never use
    /// it as a path unchecked.
    pub pdb_name: Option<String>,
    /// The types and symbols.
    pub layouts: Layouts,
}
