//! Tables that the library writes, in volatility3: they pass its schema, and its answers do not change.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr, missing_docs)]

mod common;
#[path = "common/peer.rs"]
mod peer;

use common::{dump_file, shared};
use ntlens::symbols::{Pack, file, isf};
use peer::{python, volatility};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A dump that volatility3 opens by itself, and the folder of its kernel's PDB.
const DUMP: &str = "dumps/s1-18362-active.dmp.xz";
const PDB: &str = "pdb/18362.592/ntkrnlmp.pdb.xz";

/// Writes what a PDB says as a table where volatility3 looks for it: the folder of symbols, and the table.
fn table_of_pdb(pdb: &Path) -> (PathBuf, PathBuf) {
    let symbols = Path::new(env!("CARGO_TARGET_TMPDIR")).join("isf-written/symbols");
    let table = file::read(pdb).unwrap();
    let path = symbols.join(format!("windows/ntkrnlmp.pdb/{:032X}-{}.json", table.id.guid, table.id.age));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    isf::write(std::fs::File::create(&path).unwrap(), &table.layouts, table.id, "ntkrnlmp.pdb").unwrap();
    (symbols, path)
}

#[test]
fn volatility3_accepts_and_believes_what_is_written() {
    let (Some(python), Some(shared)) = (python(), shared()) else { return };
    let (symbols, table) = table_of_pdb(&shared.join(PDB));
    validate(&python, &table);
    let dump = dump_file(&shared.join(DUMP));
    let theirs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("isf-given/symbols");
    let given = shared.join("isf").join(table.with_extension("json.xz").file_name().unwrap());
    std::fs::create_dir_all(theirs.join("windows/ntkrnlmp.pdb")).unwrap();
    std::fs::copy(&given, theirs.join("windows/ntkrnlmp.pdb").join(given.file_name().unwrap())).unwrap();
    for plugin in ["windows.pslist", "windows.modules"] {
        let ours = volatility(&python, &symbols, &dump, plugin);
        assert!(!ours.is_empty(), "{plugin} found nothing");
        assert_eq!(ours, volatility(&python, &theirs, &dump, plugin), "{plugin}");
        eprintln!("volatility3 {plugin}: {} rows, the same with both tables", ours.len());
    }
}

/// Kernels of the pack can be written too, and come back.
#[test]
fn what_the_pack_holds_is_written() {
    let pack = Pack::embedded().unwrap();
    let tables: Vec<_> = (0..pack.tables().len()).filter(|table| pack.tables()[*table].id.is_some()).collect();
    // The first, the middle and the last: Windows 7, 10 and 11.
    for table in [tables[0], tables[tables.len() / 2], tables[tables.len() - 1]] {
        let layouts = pack.all_layouts(table).unwrap();
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("pack-{table}.json"));
        let id = layouts.id().unwrap();
        isf::write(std::fs::File::create(&path).unwrap(), &layouts, id, "ntkrnlmp.pdb").unwrap();
        let again = file::read(&path).unwrap().layouts;
        assert!(again.structures().eq(layouts.structures()) && again.enumerations().eq(layouts.enumerations()));
        assert_eq!(again.version(), layouts.version());
    }
}

/// Holds a table against the schema that volatility3 brings for its version.
fn validate(python: &Path, table: &Path) {
    const VALIDATE: &str = "import json, sys; from volatility3 import schemas; import jsonschema; \
                            print(schemas.validate(json.load(open(sys.argv[1])), use_cache=False))";
    let has = Command::new(python).args(["-c", "import jsonschema"]).output().unwrap();
    if !has.status.success() {
        eprintln!("skipped: no jsonschema, without which volatility3 validates nothing");
        return;
    }
    let output = Command::new(python).args(["-c", VALIDATE]).arg(table).output().unwrap();
    let (said, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.trim(), "True", "{}: {error}", table.display());
    eprintln!("{} passes the schema", table.display());
}
