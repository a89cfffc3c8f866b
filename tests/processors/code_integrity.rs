//! The options of code integrity, which only symbols of `CI.dll` tell.

use crate::common::{Tally, rows};
use crate::kit::{bare, dump};
use crate::machines::BUILDS;
use crate::remarks;
use ntlens::layout::PdbId;
use ntlens::nt::snapshot::Options;
use ntlens::symbols::SymbolPath;
use ntlens::{OpenDump, Symbols};
use ntlens_testkit::{Kind, ModuleSpec};
use serde_json::{Value as Json, json};
use std::path::Path;
use std::sync::Arc;

/// Where the variable lies in the machines' `CI.dll`.
const RVA: u32 = 0x3010;
const ID: PdbId = PdbId { guid: 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10, age: 3 };

/// A table of symbols as volatility3 has them, of the image with this identity.
fn write_isf(folder: &Path, id: PdbId) -> std::path::PathBuf {
    let guid = format!("{:032X}", id.guid);
    let pdb = json!({"GUID": guid, "age": id.age, "database": "ci.pdb", "machine_type": 34404});
    let table = json!({
        "metadata": {"format": "6.2.0", "producer": {"name": "test", "version": "1"}, "windows": {"pdb": pdb}},
        "base_types": {"pointer": {"kind": "int", "size": 8, "signed": false, "endian": "little"}},
        "user_types": {}, "enums": {}, "symbols": {"g_CiOptions": {"address": RVA}},
    });
    let path = folder.join(format!("{guid}.json"));
    std::fs::write(&path, table.to_string()).unwrap();
    path
}

/// A machine whose `CI.dll` has these options, opened with what a folder has.
fn open(build: u32, options: u32, folder: &Path) -> OpenDump {
    let mut machine = bare(build);
    let ci = ModuleSpec::named("CI.dll").size(0x8000).symbols(ID, "d:\\build\\ci.pdb");
    machine.module(ci.variable(RVA, options.to_le_bytes()));
    let (bytes, _) = dump(&machine.build(), Kind::BitmapKernel { live: false });
    let mut path = SymbolPath::new();
    path.push(folder).unwrap();
    let symbols = Symbols::embedded().unwrap().with_path(path);
    ntlens::open_source("code integrity", Arc::new(bytes), &symbols, Options::default()).unwrap()
}

#[test]
fn symbols_of_ci_tell_its_options() {
    let mut tally = Tally::default();
    let folder = tempfile::tempdir().unwrap();
    let own = write_isf(folder.path(), ID).display().to_string();
    write_isf(folder.path(), PdbId { guid: 7, age: 1 });
    for build in BUILDS {
        let place = format!("machine {build}");
        for (options, remark) in [
            (6, None),
            (0xe, None),
            (0, Some("g_CiOptions is 0: drivers load without signatures, unless a hypervisor checks code")),
        ] {
            let dump = open(build, options, folder.path());
            let row = &rows(&dump, "security")[0];
            tally.check("ci_options", &place, &row["ci_options"], &options.into());
            tally.check("ci_symbols", &place, &row["ci_symbols"], &own.as_str().into());
            let found = remarks(&dump, "security");
            tally.check("remarks", &place, &json!(found), &json!(remark.into_iter().collect::<Vec<_>>()));
            // The symbols of another image change nothing of the kernel's.
            let document = crate::common::document(&dump, "processes");
            tally.check("layout", &place, &document["layout"]["origin"], &Json::from("exact"));
        }
    }
    // Only symbols of exactly that image.
    let others = tempfile::tempdir().unwrap();
    write_isf(others.path(), PdbId { age: ID.age + 1, ..ID });
    let dump = open(19041, 6, others.path());
    let row = &rows(&dump, "security")[0];
    tally.check_absent("ci_options", "other symbols", row, &["symbols-needed"]);
    tally.check_absent("ci_symbols", "other symbols", row, &["symbols-needed"]);
    tally.finish("options of code integrity");
}
