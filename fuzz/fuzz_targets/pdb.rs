//! Any bytes as a file of symbols, PDBs before all: read, then every structure and symbol looked up.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ntlens_symbols::{file, pdb};
use std::io::Cursor;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let name = Path::new("input");
    let identity = pdb::identify(name, Cursor::new(bytes));
    let Ok(table) = file::read_bytes(name, bytes) else { return };
    if let Ok(id) = identity {
        assert_eq!(id, table.id, "the whole file says who it is, and its headers say other");
    }
    for structure in table.layouts.structures() {
        assert!(table.layouts.structure(&structure.name).is_some(), "a structure is listed and cannot be found");
        for field in &structure.fields {
            let _ = table.layouts.place(&structure.name, &field.name);
        }
    }
    for (name, _) in table.layouts.symbols() {
        assert!(table.layouts.symbol(name).is_ok(), "a symbol is listed and cannot be found");
    }
});
