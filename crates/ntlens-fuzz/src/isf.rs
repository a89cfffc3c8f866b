//! Any bytes as an ISF table: read, written, and read again as the same.
use ntlens_symbols::isf;
use std::path::Path;

/// Reads and writes.
pub fn run(bytes: &[u8]) {
    let name = Path::new("input");
    let identity = isf::identify(name, bytes);
    let Ok(table) = isf::read(name, bytes) else { return };
    let identity = identity.expect("a table that is read has metadata");
    assert_eq!((identity.id, &identity.pdb_name), (table.id, &table.pdb_name));
    let mut written = Vec::new();
    // Base types that C has not cannot be written.
    if isf::write(&mut written, &table.layouts, table.id, "a.pdb").is_err() {
        return;
    }
    let again = isf::read(name, &written).expect("what was written is read");
    let mut twice = Vec::new();
    isf::write(&mut twice, &again.layouts, again.id, "a.pdb").expect("what was written is written again");
    assert!(written == twice, "a table does not come back as it was written");
}
