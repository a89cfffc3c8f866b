//! Loaded images and areas of memory, side by side with volatility3.
//!
//! Two of its columns say something else and are left out: its load count is the field that Windows 8 made obsolete, and it
//! reads the names of protections from a table of the kernel's that the shared machines do not have.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr, missing_docs)]

mod common;
#[path = "common/peer.rs"]
mod peer;

use common::{Tally, address, dump_file, hex, rows, shared};
use peer::{given_symbols, python, volatility};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Dumps that volatility3 reads in seconds, and that hold user memory.
const DUMPS: [&str; 2] = ["s1-18362-active", "e3-9600-bitmap"];

/// Rows by process and address, for a column of addresses.
fn by_place<'a>(rows: &'a [Json], column: &str) -> BTreeMap<(u64, u64), &'a Json> {
    rows.iter().map(|row| ((row["pid"].as_u64().unwrap(), hex(&row[column]).unwrap()), row)).collect()
}

fn each(check: impl Fn(&mut Tally, &str, &ntlens::OpenDump, &dyn Fn(&str) -> Vec<Json>), what: &str) {
    let (Some(shared), Some(python)) = (shared(), python()) else { return };
    let symbols = given_symbols(&shared);
    let mut tally = Tally::default();
    for name in DUMPS {
        let path: PathBuf = dump_file(&shared.join(format!("dumps/{name}.dmp.xz")));
        let dump = ntlens::open(&path).unwrap();
        check(&mut tally, name, &dump, &|plugin| volatility(&python, &symbols, &path, plugin));
    }
    tally.finish(what);
}

#[test]
fn volatility_lists_the_same_images() {
    let check = |tally: &mut Tally, name: &str, dump: &ntlens::OpenDump, peer: &dyn Fn(&str) -> Vec<Json>| {
        let ours = rows(dump, "dlls");
        let theirs = peer("windows.dlllist");
        tally.check("images", name, &ours.len().into(), &theirs.len().into());
        let by_place = by_place(&ours, "base");
        for row in &theirs {
            let place = format!("{name} pid {} {}", row["PID"], row["Name"]);
            let key = (row["PID"].as_u64().unwrap(), row["Base"].as_u64().unwrap());
            let own = by_place.get(&key).copied().unwrap_or(&Json::Null);
            for (column, field) in [("process", "Process"), ("size", "Size"), ("name", "Name"), ("path", "Path")] {
                tally.check(column, &place, &own[column], &row[field]);
            }
            // It tells whole seconds.
            let seconds = |time: &Json| -> String { time.as_str().unwrap_or_default().chars().take(19).collect() };
            tally.check("load_time", &place, &seconds(&own["load_time"]).into(), &seconds(&row["LoadTime"]).into());
        }
    };
    each(check, "volatility3 images");
}

#[test]
fn volatility_lists_the_same_areas() {
    let check = |tally: &mut Tally, name: &str, dump: &ntlens::OpenDump, peer: &dyn Fn(&str) -> Vec<Json>| {
        let ours = rows(dump, "vads");
        let theirs = peer("windows.vadinfo");
        tally.check("areas", name, &ours.len().into(), &theirs.len().into());
        let by_place = by_place(&ours, "start");
        for row in &theirs {
            let start = row["Start VPN"].as_u64().unwrap();
            let place = format!("{name} pid {} {start:#x}", row["PID"]);
            let own = by_place.get(&(row["PID"].as_u64().unwrap(), start)).copied().unwrap_or(&Json::Null);
            let private = row["PrivateMemory"] != json!(0);
            for (column, expected) in [
                ("process", row["Process"].clone()),
                ("vad", address(row["Offset"].as_u64().unwrap())),
                ("end", address(row["End VPN"].as_u64().unwrap())),
                ("commit", row["CommitCharge"].clone()),
                ("private", private.into()),
            ] {
                tally.check(column, &place, &own[column], &expected);
            }
            // The pool tag tells whether the node is one that can have a file.
            let short = row["Tag"] == json!("VadS");
            tally.check("tag", &place, &short.into(), &private.into());
            // It leaves out the device.
            let file = own["file"].as_str().map(|file| file.trim_start_matches("\\Device\\HarddiskVolume3"));
            tally.check("file", &place, &file.into(), &row["File"]);
        }
    };
    each(check, "volatility3 areas");
}
