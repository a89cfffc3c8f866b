//! Names and addresses over all modules whose symbols are given, on dumps whose symbols were established elsewhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr, missing_docs)]

mod common;

use common::hex;
use ntlens::Symbols;
use ntlens::address::VirtAddr;
use ntlens::names::Names;
use ntlens::symbols::SymbolPath;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

#[test]
fn symbols_of_shared_dumps() {
    let Some(folder) = common::shared() else { return };
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("names-{}", std::process::id()));
    std::fs::create_dir_all(&own).unwrap();
    let (mut names, mut drivers) = (0, 0);
    for packed in common::files(&folder.join("dumps"), ".dmp.xz") {
        let path = common::dump_file(&packed);
        let truth = common::json(Path::new(&packed.to_str().unwrap().replace(".dmp.xz", ".truth.json.xz")));
        // A table of one driver, as if somebody had its symbols.
        let driver = truth["modules"].as_array().unwrap().iter().skip(1).find(|module| module["pdb"].is_object());
        let driver = driver.filter(|module| module["header"] == "present");
        let dump = ntlens::open(&path).unwrap();
        let mut search = SymbolPath::new();
        search.push(folder.join("isf")).unwrap();
        search.push(&own).unwrap();
        if let Some(driver) = driver {
            let pdb = &driver["pdb"];
            let table = json!({
                "metadata": {"format": "6.2.0", "windows": {"pdb": {
                    "GUID": pdb["guid"], "age": pdb["age"], "database": pdb["name"], "machine_type": 34404}}},
                "base_types": {}, "user_types": {}, "enums": {},
                "symbols": {"DriverEntry": {"address": 0x1010}, "Later": {"address": 0x1200}}});
            std::fs::write(own.join("any name.json"), table.to_string()).unwrap();
        }
        let symbols = Arc::new(Symbols::embedded().unwrap().with_path(search));
        let found = Names::of(&dump, &symbols).unwrap();
        for (name, address) in truth["kernel"]["symbols"].as_object().unwrap() {
            let Some(expected) = hex(address) else { continue };
            let Some(known) = found.addresses(&format!("nt!{name}")).pop() else { continue };
            assert_eq!(known.address.0, expected, "{}: {name}", path.display());
            let named = found.nearest(VirtAddr(expected)).unwrap();
            assert_eq!((named.module.as_str(), named.offset), ("nt", 0), "{name}");
            names += 1;
        }
        let Some(driver) = driver else { continue };
        let base = hex(&driver["base"]).unwrap();
        let stem = driver["name"].as_str().unwrap().rsplit_once('.').unwrap().0;
        let expected = format!("{stem}!DriverEntry+0x1");
        assert_eq!(found.nearest(VirtAddr(base + 0x1011)).unwrap().to_string(), expected);
        assert_eq!(found.addresses(&format!("{stem}!Later"))[0].address.0, base + 0x1200);
        drivers += 1;
    }
    std::fs::remove_dir_all(own).unwrap();
    eprintln!("{names} names of the kernel and {drivers} drivers");
    assert!(names > 100 && drivers > 3);
}
