//! Files that are no dump, broken dumps and dumps made to harm: a typed error or a partial answer, in bounded time, and
//! nothing that is not there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/kit.rs"]
mod kit;
#[path = "../common/patched.rs"]
mod patched;

mod cuts;
mod fields;
mod files;
mod kernel;
mod names;
mod objects;
mod processors;
mod properties;
mod reads;
mod salvage;
mod sensors;

use common::{address, document, rows};
use kit::{bare, dump, offset, read_u64, symbol};
use ntlens::nt::snapshot::Options;
use ntlens::render::{self, Format, Terminal};
use ntlens::report::{QUESTIONS, Wanted, question};
use ntlens::source::{ByteSource, ReadError};
use ntlens::{CoreError, Error, OpenDump};
use ntlens_testkit::{Image, Kind, Placement, ProcessSpec};
use patched::{LAYOUTS, Patched};
use proptest::prelude::*;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

const KERNEL: Kind = Kind::BitmapKernel { live: false };

/// Opening a file of 24 MiB and asking everything takes a fraction of a second; this is for slow and busy machines.
const PATIENCE: Duration = Duration::from_secs(10);

/// A small machine: five processes, six modules, and nothing else.
static SMALL: LazyLock<Image> = LazyLock::new(|| {
    let mut machine = bare(19041).memory(24 << 20).processors(1);
    for (name, session) in [("smss.exe", None), ("one.exe", Some(0)), ("two.exe", Some(1)), ("three.exe", Some(1))] {
        let spec = ProcessSpec::named(name).threads(3);
        machine.process(session.map_or(spec.clone().no_session(), |session| spec.session(session)));
    }
    machine.typical_modules(5);
    machine.build()
});

static FULL: LazyLock<Arc<Vec<u8>>> = LazyLock::new(|| Arc::new(dump(&SMALL, Kind::Full).0));
static BITMAP: LazyLock<Arc<Vec<u8>>> = LazyLock::new(|| Arc::new(dump(&SMALL, KERNEL).0));
static SUMMARY: LazyLock<Arc<Vec<u8>>> = LazyLock::new(|| Arc::new(dump(&SMALL, Kind::Summary).0));
static RDMP: LazyLock<Arc<Vec<u8>>> = LazyLock::new(|| Arc::new(dump(&SMALL, Kind::RdmpFull).0));
static TRIAGE: LazyLock<Arc<Vec<u8>>> = LazyLock::new(|| Arc::new(dump(&SMALL, Kind::Triage).0));

/// Asks everything; how many questions were answered.
fn ask_all(dump: &OpenDump) -> usize {
    QUESTIONS.iter().filter(|question| question.ask(dump, Wanted::All).is_ok()).count()
}

/// Opens and asks everything. Whatever is wrong with the file, this ends soon, `info` is answered wherever the file
/// opens, and no process is listed that the machine has not.
fn survives(place: &str, source: Patched) -> Result<OpenDump, CoreError> {
    let start = Instant::now();
    let opened = source.open();
    match &opened {
        Ok(dump) => {
            assert!(ask_all(dump) > 0, "{place}: not even info is answered");
            assert_eq!(rows(dump, "info").len(), 1, "{place}");
            if let Ok(found) = dump.processes() {
                let known: BTreeSet<u64> = SMALL.truth().processes.iter().map(|process| process.eprocess).collect();
                for process in &found.processes {
                    assert!(known.contains(&process.eprocess().0), "{place}: {} is invented", process.eprocess());
                }
            }
        }
        Err(error) => assert!(!error.to_string().is_empty(), "{place}"),
    }
    assert!(start.elapsed() < PATIENCE, "{place}: {:?}", start.elapsed());
    opened
}

/// The process table by address.
fn eprocesses(dump: &OpenDump) -> BTreeSet<String> {
    rows(dump, "processes").iter().map(|row| row["eprocess"].as_str().unwrap().to_owned()).collect()
}

fn all_eprocesses() -> BTreeSet<String> {
    SMALL.truth().processes.iter().map(|process| address(process.eprocess).as_str().unwrap().to_owned()).collect()
}

/// What an answer complains of, as text.
fn complaints(dump: &OpenDump, table: &str) -> String {
    let incomplete = &document(dump, table)["incomplete"];
    if incomplete.as_array().unwrap().is_empty() { String::new() } else { incomplete.to_string() }
}

/// Where a kernel address lies in the full dump: its runs follow each other behind the header.
fn at(va: u64) -> u64 {
    at_in(&SMALL, va)
}

/// The same in the full dump of another machine.
fn at_in(image: &Image, va: u64) -> u64 {
    let space = image.space(4).unwrap();
    let physical = space.translate(image.memory(), va).unwrap_or_else(|| panic!("{va:#x} is not mapped")).physical;
    of_physical_in(image, physical)
}

fn of_physical(physical: u64) -> u64 {
    of_physical_in(&SMALL, physical)
}

/// File offset of a physical address in a complete dump of a machine.
fn of_physical_in(image: &Image, physical: u64) -> u64 {
    let mut offset = 0x2000;
    for run in image.memory().runs() {
        if (run.first..run.end()).contains(&(physical / 0x1000)) {
            return offset + physical - run.first * 0x1000;
        }
        offset += run.count * 0x1000;
    }
    panic!("{physical:#x} is no RAM")
}

fn refused(bytes: &[u8]) -> CoreError {
    match ntlens::open_bytes("refused", bytes.to_vec()) {
        Err(Error::Dump { error, .. }) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("{} was opened", bytes.escape_ascii()),
    }
}
