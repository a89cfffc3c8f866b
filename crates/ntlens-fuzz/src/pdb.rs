//! Any bytes as a file of symbols, PDBs before all: read, then every structure and symbol looked up.
use crate::pack::look_up;
use ntlens_symbols::{file, pdb};
use std::io::Cursor;
use std::path::Path;

/// Reads and looks up.
pub fn run(bytes: &[u8]) {
    let name = Path::new("input");
    let identity = pdb::identify(name, Cursor::new(bytes));
    let Ok(table) = file::read_bytes(name, bytes) else { return };
    if let Ok(id) = identity {
        assert_eq!(id, table.id, "the whole file says who it is, and its headers say other");
    }
    look_up(&table.layouts);
}
