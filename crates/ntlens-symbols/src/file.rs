//! Files of symbols, told apart by their content.

use crate::{SymbolError, SymbolTable};
use alloc::string::String;
use ntlens_core::layout::PdbId;
use std::path::Path;

/// Reads a PDB or an ISF table, compressed or not.
pub fn read(path: &Path) -> Result<SymbolTable, SymbolError> {
    Err(SymbolError::NotSymbols { path: path.into() })
}

/// What a file of symbols says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What ties it to its image.
    pub id: PdbId,
    /// The PDB's file name, if the file tells. It may be a lie.
    pub pdb_name: Option<String>,
}

/// Reads which symbols a file is of, and no more of it than that takes.
pub fn identify(path: &Path) -> Result<Identity, SymbolError> {
    Err(SymbolError::NotSymbols { path: path.into() })
}
