//! Files of symbols, told apart by their content.

use crate::{SymbolError, SymbolTable};
use std::path::Path;

/// Reads a PDB or an ISF table, compressed or not.
pub fn read(path: &Path) -> Result<SymbolTable, SymbolError> {
    Err(SymbolError::NotSymbols { path: path.into() })
}
