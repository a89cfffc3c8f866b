//! Files that are no dump, broken dumps and dumps made to harm: a typed error or a partial answer, in bounded time, and
//! nothing that is not there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod common;
#[path = "common/kit.rs"]
mod kit;

use common::{address, document, rows};
use kit::{bare, dump, offset, read_u64, symbol};
use ntlens::nt::snapshot::Options;
use ntlens::render::{self, Format, Terminal};
use ntlens::report::{QUESTIONS, Wanted, question};
use ntlens::source::{ByteSource, ReadError};
use ntlens::symbols::Pack;
use ntlens::{CoreError, Error, FileSource, OpenDump};
use ntlens_testkit::{Image, Kind, Placement, ProcessSpec};
use proptest::prelude::*;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

const KERNEL: Kind = Kind::BitmapKernel { live: false };

/// Opening a file of 24 MiB and asking everything takes a fraction of a second; this is for slow and busy machines.
const PATIENCE: Duration = Duration::from_secs(10);

static LAYOUTS: LazyLock<Pack<'static>> = LazyLock::new(|| Pack::embedded().unwrap());

/// A small machine: five processes, six modules, and nothing else.
static SMALL: LazyLock<Image> = LazyLock::new(|| {
    let mut machine = bare(19041).memory(24 << 20).processors(1);
    for (name, session) in [("smss.exe", None), ("one.exe", Some(0)), ("two.exe", Some(1)), ("three.exe", Some(1))] {
        let spec = ProcessSpec::named(name);
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

/// A dump with some bytes overwritten and perhaps its end cut off, without a copy of the rest.
#[derive(Clone)]
struct Patched {
    bytes: Arc<Vec<u8>>,
    patches: Vec<(u64, Vec<u8>)>,
    length: u64,
}

impl Patched {
    fn of(bytes: &Arc<Vec<u8>>) -> Self {
        Self { bytes: bytes.clone(), patches: Vec::new(), length: bytes.len() }
    }

    fn set(mut self, offset: u64, bytes: &[u8]) -> Self {
        self.patches.push((offset, bytes.to_vec()));
        self
    }

    fn cut(self, length: u64) -> Self {
        Self { length, ..self }
    }

    fn open(self) -> Result<OpenDump, CoreError> {
        OpenDump::open("hostile", Arc::new(self), &*LAYOUTS, Options::default())
    }
}

impl ByteSource for Patched {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let end = offset.saturating_add(out.len() as u64);
        if end > self.length {
            return Err(ReadError::PastEnd { offset, end });
        }
        self.bytes.read_at(offset, out)?;
        for (at, bytes) in &self.patches {
            let (from, to) = (offset.max(*at), end.min(at + bytes.len() as u64));
            let index = |value: u64| usize::try_from(value).unwrap();
            if from < to {
                out[index(from - offset)..index(to - offset)].copy_from_slice(&bytes[index(from - at)..index(to - at)]);
            }
        }
        Ok(())
    }
}

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
    let space = SMALL.space(4).unwrap();
    let physical = space.translate(SMALL.memory(), va).unwrap_or_else(|| panic!("{va:#x} is not mapped")).physical;
    of_physical(physical)
}

fn of_physical(physical: u64) -> u64 {
    let mut offset = 0x2000;
    for run in SMALL.memory().runs() {
        if (run.first..run.end()).contains(&(physical / 0x1000)) {
            return offset + physical - run.first * 0x1000;
        }
        offset += run.count * 0x1000;
    }
    panic!("{physical:#x} is no RAM")
}

fn temporary(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("hostile");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    let _ = std::fs::remove_file(&path);
    path
}

fn refused(bytes: &[u8]) -> CoreError {
    match ntlens::open_bytes("refused", bytes.to_vec()) {
        Err(Error::Dump { error, .. }) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("{} was opened", bytes.escape_ascii()),
    }
}

#[test]
fn files_that_are_something_else_are_named() {
    assert!(matches!(refused(b""), CoreError::Unsupported { what, .. } if what.contains("empty")));
    for (start, name) in [(&b"MDMP\x93\xa7\0\0"[..], "user-mode"), (b"\x7fELF", "ELF")] {
        for length in [start.len(), 0x3000] {
            let mut bytes = start.to_vec();
            bytes.resize(length, 0);
            assert!(matches!(refused(&bytes), CoreError::Unsupported { what, .. } if what.contains(name)), "{name}");
        }
    }
    let long = [vec![0; 0x10_0000], vec![0xff; 0x10_0000], b"text\n".repeat(0x1_0000)];
    for bytes in long.into_iter().chain([b"x".to_vec(), b"Dear diary,\n".to_vec()]) {
        let error = refused(&bytes);
        assert!(matches!(error, CoreError::Malformed { offset: 0, field: "Signature", .. }), "{error}");
    }
    // A dump of a 32-bit kernel may open for what its header says, but has no kernel for us.
    let mut bytes = b"PAGEDUMP".to_vec();
    bytes.resize(0x3000, 0);
    let kernel = match ntlens::open_bytes("32-bit", bytes) {
        Ok(dump) => dump.kernel().map(|_| ()),
        Err(Error::Dump { error, .. }) => Err(error),
        Err(other) => panic!("{other}"),
    };
    assert!(matches!(kernel, Err(CoreError::Unsupported { what, .. }) if what.contains("32-bit")));
    // The signature alone is no dump.
    assert!(matches!(refused(b"PAGEDU64"), CoreError::Read(ReadError::PastEnd { .. })));
}

#[test]
fn a_folder_and_a_missing_file_are_refused() {
    assert!(matches!(ntlens::open(env!("CARGO_TARGET_TMPDIR")), Err(Error::NotAFile { .. })));
    assert!(matches!(ntlens::open(temporary("missing")), Err(Error::Io { .. })));
}

/// Opens in another thread, so that a read that blocks fails the test and does not hang it.
#[cfg(unix)]
fn open_in_time(path: PathBuf) -> Result<OpenDump, Error> {
    let (done, result) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        // The other side may have given up.
        let _ = done.send(ntlens::open(path));
    });
    result.recv_timeout(Duration::from_secs(2)).expect("opening does not block")
}

#[cfg(unix)]
#[test]
fn pipes_devices_and_loops_of_links_are_refused_at_once() {
    let pipe = temporary("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    assert!(matches!(open_in_time(pipe), Err(Error::NotAFile { .. })));
    assert!(matches!(open_in_time("/dev/zero".into()), Err(Error::NotAFile { .. })));
    let (one, two) = (temporary("one"), temporary("two"));
    std::os::unix::fs::symlink(&one, &two).unwrap();
    std::os::unix::fs::symlink(&two, &one).unwrap();
    assert!(matches!(open_in_time(one), Err(Error::Io { .. })));
}

#[test]
fn dumps_that_cannot_be_read_still_tell_what_they_are() {
    let build = SMALL.truth().build;
    let header_only = Patched::of(&BITMAP).set(0xf98, &3_u32.to_le_bytes()).cut(0x2000);
    let arm = Patched::of(&BITMAP).set(0x30, &0xaa64_u32.to_le_bytes());
    let x86 = Patched::of(&BITMAP).set(0x30, &0x14c_u32.to_le_bytes());
    let encrypted = Patched::of(&BITMAP).set(0x1050, &0x100_u32.to_le_bytes());
    for (source, kind, says, machine) in [
        (header_only, "header", "header and nothing else", "x64"),
        (arm, "bitmap-kernel", "ARM64", "ARM64"),
        (x86, "bitmap-kernel", "32-bit", "x86"),
        (encrypted, "bitmap-kernel", "encrypted", "x64"),
    ] {
        let opened = survives(says, source).unwrap();
        let info = &rows(&opened, "info")[0];
        assert_eq!(info["dump_kind"], kind);
        assert_eq!(info["windows_build"], build);
        assert_eq!(info["machine"], machine);
        assert_eq!(info["physical_pages_described"], Json::Null);
        match opened.kernel() {
            Err(CoreError::Unsupported { what, .. }) => assert!(what.contains(says), "{what}"),
            other => panic!("{says}: {other:?}"),
        }
        assert!(matches!(question("processes").unwrap().ask(&opened, Wanted::All), Err(CoreError::Unsupported { .. })));
    }
    // Type 7 is a setting, not a format: with a bitmap it is read as one.
    let seven = survives("type 7", Patched::of(&BITMAP).set(0xf98, &7_u32.to_le_bytes())).unwrap();
    assert_eq!(rows(&seven, "info")[0]["dump_kind"], "bitmap-kernel");
    assert_eq!(eprocesses(&seven), all_eprocesses());
    // Without one it is named as what it is.
    let without = Patched::of(&FULL).set(0xf98, &7_u32.to_le_bytes());
    assert!(matches!(survives("type 7", without), Err(CoreError::Malformed { structure: "BITMAP_DUMP", .. })));
}

const WORDS: [u64; 5] = [0, 1, 1 << 40, 1 << 63, u64::MAX];

/// Sets every one of these fields to every value that a field should not have.
fn break_fields(name: &str, bytes: &Arc<Vec<u8>>, narrow: &[u64], wide: &[u64]) {
    let mut opened = 0;
    for at in narrow {
        for value in [0, 1, u32::MAX, 1 << 31] {
            let place = format!("{name} {at:#x} = {value:#x}");
            opened += u32::from(survives(&place, Patched::of(bytes).set(*at, &value.to_le_bytes())).is_ok());
        }
    }
    for at in wide {
        for value in WORDS {
            let place = format!("{name} {at:#x} = {value:#x}");
            opened += u32::from(survives(&place, Patched::of(bytes).set(*at, &value.to_le_bytes())).is_ok());
        }
    }
    // Most fields are not needed to read a dump.
    assert!(opened > 0, "{name}: nothing opened");
}

#[test]
fn every_field_of_the_header_may_hold_anything() {
    const NARROW: [u64; 12] = [0x8, 0xc, 0x30, 0x34, 0x38, 0xf00, 0xf18, 0xf98, 0x1038, 0x1040, 0x1044, 0x1050];
    const WIDE: [u64; 8] = [0x18, 0x40, 0x3e0, 0x440, 0xf10, 0xfa0, 0xfa8, 0x1030];
    break_fields("header", &BITMAP, &NARROW, &WIDE);
}

#[test]
fn every_way_to_the_kernel_may_hold_anything() {
    break_fields("header", &BITMAP, &[], &[0x10, 0x20, 0x28, 0x80]);
}

#[test]
fn every_field_of_the_run_list_may_hold_anything() {
    break_fields("runs", &FULL, &[0x88], &[0x90, 0x98, 0xa0, 0xa8, 0xb0, 0xb8, 0xc0]);
}

#[test]
fn every_field_of_a_bitmap_header_may_hold_anything() {
    break_fields("bitmap", &BITMAP, &[0x2000, 0x2004, 0x2008], &[0x2020, 0x2028, 0x2030, 0x2038, 0x2078]);
    break_fields("summary", &SUMMARY, &[0x2000, 0x200c, 0x2010, 0x2014, 0x2018, 0x2028], &[]);
}

#[test]
fn every_field_of_an_rdmp_header_may_hold_anything() {
    let wide = [0x2008, 0x2010, 0x2018, 0x2028, 0x2030, 0x2038, 0x2040, 0x2048];
    break_fields("RDMP", &RDMP, &[0x2000, 0x2004, 0x2020], &wide);
}

#[test]
fn every_field_of_a_triage_header_may_hold_anything() {
    let narrow: Vec<u64> = (0x2004..0x2080).step_by(4).collect();
    let bytes = &TRIAGE;
    let u32_at = |at: usize| u64::from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()));
    // The first entries of the tables that it points at, and the fields of KDBG that lead on.
    let (drivers, blocks, kdbg) = (u32_at(0x2030), u32_at(0x2078), u32_at(0x2070));
    let entries = [drivers, drivers + 0x48, blocks + 8, blocks + 12, kdbg + 0x14, kdbg + 0x2a0, kdbg + 0x2b4];
    break_fields("triage", bytes, &[&narrow[..], &entries].concat(), &[0x2048, 0x20d0, blocks, kdbg + 0x218]);
}

#[test]
fn claims_that_no_file_can_keep_are_told() {
    let max = u64::MAX.to_le_bytes();
    for (place, source, says) in [
        ("2^40 pages", Patched::of(&FULL).set(0x90, &(1_u64 << 40).to_le_bytes()), "NumberOfPages"),
        ("a run of 2^40 pages", Patched::of(&FULL).set(0xb0, &(1_u64 << 40).to_le_bytes()), "Run"),
        ("a run at the end of numbers", Patched::of(&FULL).set(0xa8, &max), "Run"),
        ("2^32 - 1 runs", Patched::of(&FULL).set(0x88, &[0xff; 4]), "NumberOfRuns"),
        ("overlapping runs", Patched::of(&FULL).set(0xa8, &2_u64.to_le_bytes()), "claimed by more than one run"),
        ("2^40 pages in a bitmap", Patched::of(&BITMAP).set(0x2028, &(1_u64 << 40).to_le_bytes()), "TotalPresentPages"),
        ("2^40 pages in ranges", Patched::of(&RDMP).set(0x2028, &(1_u64 << 40).to_le_bytes()), "TotalNumberOfPages"),
        ("2^32 - 1 drivers", Patched::of(&TRIAGE).set(0x2034, &[0xff; 4]), "drivers"),
        ("2^32 - 1 blocks", Patched::of(&TRIAGE).set(0x207c, &[0xff; 4]), "data blocks"),
        ("2^64 - 1 unloaded", Patched::of(&TRIAGE).set(0x20d0, &max), "unloaded modules"),
        ("a size of 4 GiB", Patched::of(&TRIAGE).set(0x2004, &[0xff; 4]), "SizeOfDump"),
    ] {
        let opened = survives(place, source).unwrap_or_else(|error| panic!("{place}: {error}"));
        let said = complaints(&opened, "info");
        assert!(said.contains(says), "{place}: {said}");
    }
    for (place, source, structure) in [
        ("a bitmap of 2^40 bits", Patched::of(&BITMAP).set(0x2030, &(1_u64 << 40).to_le_bytes()), "BITMAP_DUMP"),
        ("a bitmap of no bits", Patched::of(&BITMAP).set(0x2030, &[0; 8]), "BITMAP_DUMP"),
        ("pages inside the bitmap", Patched::of(&BITMAP).set(0x2020, &0x2000_u64.to_le_bytes()), "BITMAP_DUMP"),
        ("pages inside the RDMP header", Patched::of(&RDMP).set(0x2018, &0x2010_u64.to_le_bytes()), "RDMP_HEADER64"),
    ] {
        match survives(place, source) {
            Err(CoreError::Malformed { structure: found, .. }) => assert_eq!(found, structure, "{place}"),
            Err(CoreError::Read(ReadError::PastEnd { .. })) if place.contains("2^40") => {}
            other => panic!("{place}: {:?}", other.map(|_| "opened")),
        }
    }
    // Ranges without an end: the list goes on through all pages of the file.
    let endless = Patched::of(&RDMP).set(0x2018, &(RDMP.len() & !0xfff).to_le_bytes());
    let _ = survives("endless ranges", endless);
}

/// Lengths around every structure's end, and a sample in between.
fn cuts(bytes: &[u8], borders: &[u64]) -> BTreeSet<u64> {
    let length = bytes.len() as u64;
    let general = [8, 0x2000, length];
    let around = borders.iter().chain(&general).flat_map(|border| [border - 1, *border, border + 1]);
    let sample = (1..12).map(|part| length / 12 * part + part);
    around.chain(sample).filter(|cut| *cut <= length).collect()
}

#[test]
fn a_dump_cut_short_opens_with_what_is_left() {
    let build = SMALL.truth().build;
    for (kind, bytes) in [(Kind::Full, &FULL), (KERNEL, &BITMAP), (Kind::Summary, &SUMMARY), (Kind::RdmpFull, &RDMP)] {
        let facts = dump(&SMALL, kind).1.dump.unwrap();
        let first = facts.first_page_offset.unwrap();
        for cut in cuts(bytes, &[0x2028, 0x2038, first, first + 0x1000, facts.file_size - 0x1000]) {
            let place = format!("{kind:?} cut at {cut:#x}");
            let opened = match survives(&place, Patched::of(bytes).cut(cut)) {
                Ok(opened) => opened,
                Err(error) => {
                    // Without its whole description there is no dump.
                    assert!(cut < first, "{place}: {error}");
                    continue;
                }
            };
            assert!(cut >= 0x2000, "{place} has no header");
            let info = &rows(&opened, "info")[0];
            assert_eq!(info["windows_build"], build, "{place}");
            assert_eq!(info["physical_pages_present"], cut.saturating_sub(first) / 0x1000, "{place}");
            assert_eq!(info["file_complete"], cut == facts.file_size, "{place}");
            if cut >= first {
                assert_eq!(info["physical_pages_described"], facts.pages_in_dump, "{place}");
            }
            if cut == facts.file_size {
                assert_eq!(eprocesses(&opened), all_eprocesses());
            }
        }
    }
}

#[test]
fn what_lies_before_a_cut_is_found() {
    // Frames are taken from the lowest on: the last third of memory is free.
    let opened = survives("a third cut off", Patched::of(&FULL).cut(FULL.len() / 10 * 9)).unwrap();
    assert_eq!(eprocesses(&opened), all_eprocesses());
    assert_eq!(rows(&opened, "modules").len(), SMALL.truth().modules.len());
    // Taken from the highest down, everything hangs on the frames at the end.
    let mut machine = bare(19041).memory(24 << 20).placement(Placement::Descending);
    machine.process(ProcessSpec::named("a.exe"));
    let bytes = Arc::new(dump(&machine.build(), Kind::Full).0);
    let opened = Patched::of(&bytes).cut(bytes.len() / 2).open().unwrap();
    assert!(matches!(opened.kernel(), Err(CoreError::NoKernel { .. })));
    assert_eq!(rows(&opened, "info")[0]["file_complete"], false);
}

#[test]
fn a_small_dump_cut_short_opens_with_what_is_left() {
    let truth = SMALL.truth();
    let u32_at = |at: usize| u64::from(u32::from_le_bytes(TRIAGE[at..at + 4].try_into().unwrap()));
    let borders: Vec<u64> =
        [0x201c, 0x2020, 0x2024, 0x2028, 0x2070, 0x2030, 0x2038, 0x2078, 0x2008].map(u32_at).to_vec();
    let drivers = u32_at(0x2030);
    for cut in cuts(&TRIAGE, &[&borders[..], &[0x2080, 0x20d0, drivers + 0x90]].concat()) {
        let place = format!("triage cut at {cut:#x}");
        let opened = match survives(&place, Patched::of(&TRIAGE).cut(cut)) {
            Ok(opened) => opened,
            Err(error) => {
                assert!(cut < 0x2080, "{place}: {error}");
                continue;
            }
        };
        assert_eq!(rows(&opened, "info")[0]["file_complete"], cut >= u32_at(0x2004), "{place}");
        // Modules are listed as far as their entries are in the file.
        let held = usize::try_from(cut.saturating_sub(drivers) / 0x90).unwrap().min(truth.modules.len());
        if opened.kernel().is_ok() {
            let found = rows(&opened, "modules");
            assert_eq!(found.len(), held, "{place}");
            for (row, module) in found.iter().zip(&truth.modules) {
                assert_eq!(row["base"], address(module.base), "{place}");
            }
        }
    }
}

/// Values that a link should not have.
fn wrong_links(own: u64, other: u64) -> [u64; 5] {
    [0, own, other, SMALL.truth().kernel.base + 0x100, 0x4141_4141_4141_4141]
}

#[test]
fn one_broken_link_loses_no_process() {
    let links = offset(&SMALL, "_EPROCESS", "ActiveProcessLinks");
    let mut members: Vec<u64> = SMALL.truth().processes.iter().map(|process| process.eprocess + links).collect();
    members.push(symbol(&SMALL, "PsActiveProcessHead"));
    for (index, member) in members.iter().enumerate() {
        for side in [0, 8] {
            let right = read_u64(&SMALL, member + side);
            for wrong in wrong_links(*member, members[(index + 3) % members.len()]) {
                if wrong == right {
                    continue;
                }
                let place = format!("link {} + {side} is {wrong:#x}", member - links);
                let opened = survives(&place, Patched::of(&FULL).set(at(member + side), &wrong.to_le_bytes()));
                let opened = opened.unwrap();
                assert_eq!(eprocesses(&opened), all_eprocesses(), "{place}");
                assert_ne!(complaints(&opened, "processes"), "", "{place}");
                for row in rows(&opened, "processes") {
                    assert!(row["sources"].as_array().unwrap().contains(&"active-list".into()), "{place}: {row}");
                }
            }
        }
    }
}

#[test]
fn one_broken_link_loses_no_module() {
    let mut members: Vec<u64> = SMALL.truth().modules.iter().map(|module| module.entry).collect();
    members.push(symbol(&SMALL, "PsLoadedModuleList"));
    let expected: Vec<Json> = SMALL.truth().modules.iter().map(|module| module.name.as_str().into()).collect();
    for (index, member) in members.iter().enumerate() {
        for side in [0, 8] {
            let right = read_u64(&SMALL, member + side);
            for wrong in wrong_links(*member, members[(index + 3) % members.len()]) {
                if wrong == right {
                    continue;
                }
                let place = format!("link {member:#x} + {side} is {wrong:#x}");
                let opened = survives(&place, Patched::of(&FULL).set(at(member + side), &wrong.to_le_bytes()));
                let opened = opened.unwrap();
                let names: Vec<Json> = rows(&opened, "modules").iter().map(|row| row["name"].clone()).collect();
                assert_eq!(names, expected, "{place}");
                assert_ne!(complaints(&opened, "modules"), "", "{place}");
            }
        }
    }
}

#[test]
fn loops_in_page_tables_end() {
    let root = SMALL.truth().kernel.system_dtb;
    let back = (root | 0x63).to_le_bytes();
    let space = SMALL.space(4).unwrap();
    // Each table on the way to a process leads back to the root.
    let mut table = root;
    let process = SMALL.truth().processes[1].eprocess;
    for shift in [39, 30, 21, 12] {
        let entry = table + (process >> shift & 0x1ff) * 8;
        table = SMALL.memory().read_u64(entry) & 0x000f_ffff_ffff_f000;
        survives(&format!("table {shift}"), Patched::of(&FULL).set(of_physical(entry), &back)).unwrap();
    }
    // Every entry of the root is the root, and every page is a root.
    let all = back.repeat(0x200);
    survives("root", Patched::of(&FULL).set(of_physical(root), &all)).unwrap();
    let kernel = Patched::of(&FULL).set(of_physical(root) + 0x800, &all[..0x800]);
    survives("upper half", kernel).unwrap();
    // A process whose page tables are no page tables.
    let dtb = offset(&SMALL, "_EPROCESS", "Pcb.DirectoryTableBase");
    assert!(space.translate(SMALL.memory(), process).is_some());
    for wrong in [0, 1 << 40, root, u64::MAX, 0x3000] {
        let opened = survives("dtb", Patched::of(&FULL).set(at(process + dtb), &u64::to_le_bytes(wrong))).unwrap();
        assert_eq!(eprocesses(&opened), all_eprocesses(), "{wrong:#x}");
    }
}

#[test]
fn a_broken_table_of_ids_costs_nothing_but_its_own_answer() {
    let table = SMALL.truth().cid_table.va;
    let code = table + offset(&SMALL, "_HANDLE_TABLE", "TableCode");
    let end = table + offset(&SMALL, "_HANDLE_TABLE", "NextHandleNeedingPool");
    let top = read_u64(&SMALL, code) & !7;
    let own = top.to_le_bytes().repeat(0x200);
    for (place, source) in [
        ("no table", Patched::of(&FULL).set(at(code), &[0; 8])),
        ("seven levels", Patched::of(&FULL).set(at(code), &(top | 7).to_le_bytes())),
        ("two levels", Patched::of(&FULL).set(at(code), &(top | 2).to_le_bytes())),
        ("garbage", Patched::of(&FULL).set(at(code), &0xffff_8000_dead_0001_u64.to_le_bytes())),
        ("user memory", Patched::of(&FULL).set(at(code), &0x1_0001_u64.to_le_bytes())),
        ("a page of itself", Patched::of(&FULL).set(at(code), &(top | 2).to_le_bytes()).set(at(top), &own)),
        ("no end", Patched::of(&FULL).set(at(end), &[0xff; 4])),
        (
            "a page of itself without end",
            Patched::of(&FULL).set(at(code), &(top | 2).to_le_bytes()).set(at(top), &own).set(at(end), &[0xff; 4]),
        ),
        ("no variable", Patched::of(&FULL).set(at(symbol(&SMALL, "PspCidTable")), &[0; 8])),
    ] {
        let opened = survives(place, source).unwrap();
        assert_eq!(eprocesses(&opened), all_eprocesses(), "{place}");
        if place != "no end" {
            assert_ne!(complaints(&opened, "processes"), "", "{place}");
        }
    }
}

#[test]
fn strings_of_wrong_lengths_spoil_nothing_else() {
    let truth = &SMALL.truth().processes[2];
    let name = offset(&SMALL, "_EPROCESS", "SeAuditProcessCreationInfo.ImageFileName");
    let text = read_u64(&SMALL, truth.eprocess + name);
    let module = &SMALL.truth().modules[2];
    let driver = module.entry + offset(&SMALL, "_KLDR_DATA_TABLE_ENTRY", "BaseDllName");
    for length in [1_u16, 3, 0x7fff, 0xffff, 0xfffe] {
        let source = Patched::of(&FULL).set(at(text), &length.to_le_bytes()).set(at(driver), &length.to_le_bytes());
        let opened = survives(&format!("length {length}"), source).unwrap();
        let row = rows(&opened, "processes").into_iter().find(|row| row["pid"] == truth.pid).unwrap();
        assert_eq!(row["name"], truth.image_name, "{length}");
        assert_eq!(row["command_line"], truth.command_line.as_deref().unwrap(), "{length}");
        if length % 2 == 1 {
            assert_eq!(row["absent"]["image_path"], "malformed", "{length}");
        } else if let Some(path) = row["image_path"].as_str() {
            // What follows in memory belongs to it, if it is there: never more than the length says.
            assert!(path.starts_with(truth.image_path.as_deref().unwrap()), "{length}");
            assert!(path.encode_utf16().count() <= usize::from(length) / 2);
        } else {
            assert!(row["absent"]["image_path"].is_string(), "{length}");
        }
        let row = &rows(&opened, "modules")[2];
        assert_eq!((&row["path"], &row["base"]), (&module.path.as_str().into(), &address(module.base)));
        assert!(row["name"].as_str() != Some(&module.name), "{length}");
    }
    for pointer in [0, 1, 0xffff_8000_dead_0000, u64::MAX] {
        let opened = survives("pointer", Patched::of(&FULL).set(at(text + 8), &u64::to_le_bytes(pointer))).unwrap();
        let row = rows(&opened, "processes").into_iter().find(|row| row["pid"] == truth.pid).unwrap();
        assert_eq!((&row["image_path"], row["name"].as_str()), (&Json::Null, Some(truth.image_name.as_str())));
    }
}

#[test]
fn names_made_to_deceive_are_kept_in_json_and_shown_harmless_elsewhere() {
    const NAMES: [&str; 8] = [
        "\u{1b}[31mred\u{1b}[0m",
        "a\r\nb.exe",
        "\u{202e}gpj.exe",
        "=cmd|'/C c'!A",
        "+1\tx",
        "@SUM(1)",
        "\u{7}\u{8}\u{9b}2J",
        "a,\"b\";c",
    ];
    let mut machine = bare(19041).memory(24 << 20).processors(1);
    let pids: Vec<u64> = NAMES
        .iter()
        .map(|name| machine.process(ProcessSpec::named(*name).image_path(*name).command_line(*name)))
        .collect();
    let (bytes, truth) = dump(&machine.build(), Kind::Full);
    let opened = kit::open("names", bytes);
    let rows = rows(&opened, "processes");
    for (pid, name) in pids.iter().zip(NAMES) {
        let row = rows.iter().find(|row| row["pid"] == *pid).unwrap();
        // That name is bytes in no known encoding: only ASCII can be told.
        if name.is_ascii() {
            assert_eq!(row["name"], truth.process(*pid).unwrap().image_name);
        }
        assert_eq!(row["image_path"], name);
        assert_eq!(row["command_line"], name);
    }
    let answer = question("processes").unwrap().ask(&opened, Wanted::All).unwrap();
    for format in [Format::Table, Format::Csv, Format::Jsonl] {
        let mut out = Vec::new();
        render::write(&mut out, format, Some(&opened), &answer, Terminal::default()).unwrap();
        let text = String::from_utf8(out).unwrap();
        let steering = |char: char| char.is_control() && char != '\n' || ('\u{202a}'..='\u{202e}').contains(&char);
        let headings = usize::from(format != Format::Jsonl);
        assert_eq!(text.lines().count(), rows.len() + headings, "{text}");
        if format != Format::Jsonl {
            assert!(!text.contains(steering), "{format:?}: {text}");
        }
        if format == Format::Csv {
            let mut reader = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
            // Only the last of the names has a comma in it, and it stands behind the others.
            let cells: Vec<String> = reader.by_ref().flatten().map(|cell| cell.trim_matches('"').to_owned()).collect();
            assert!(!cells.iter().any(|cell| cell.starts_with(['=', '+', '-', '@'])), "{text}");
        }
    }
}

/// A source whose reads fail as a counter says.
struct Failing<F> {
    bytes: Arc<Vec<u8>>,
    reads: AtomicU64,
    fails: F,
}

impl<F: Fn(u64) -> bool + Send + Sync> ByteSource for Failing<F> {
    fn len(&self) -> u64 {
        self.bytes.len()
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let number = self.reads.fetch_add(1, Ordering::Relaxed) + 1;
        if (self.fails)(number) {
            return Err(ReadError::Failed { offset, message: "the disk is worn out".into() });
        }
        self.bytes.read_at(offset, out)
    }
}

fn with_failures(fails: impl Fn(u64) -> bool + Send + Sync + 'static) -> (Result<BTreeSet<u64>, CoreError>, u64) {
    let source = Arc::new(Failing { bytes: BITMAP.clone(), reads: AtomicU64::new(0), fails });
    let start = Instant::now();
    let opened = OpenDump::open("failing", source.clone(), &*LAYOUTS, Options::default());
    let found = opened.and_then(|dump| dump.processes());
    let found = found.map(|found| found.processes.iter().map(|process| process.eprocess().0).collect());
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    (found, source.reads.load(Ordering::Relaxed))
}

#[test]
fn reads_that_fail_leave_a_partial_answer_or_a_typed_error() {
    let known: BTreeSet<u64> = SMALL.truth().processes.iter().map(|process| process.eprocess).collect();
    let (found, reads) = with_failures(|_| false);
    assert_eq!(found.unwrap(), known);
    assert!(reads > 50, "{reads} reads");
    let mut partial = 0;
    let mut check = |place: String, found: Result<BTreeSet<u64>, CoreError>| match found {
        Ok(found) => {
            assert!(found.is_subset(&known), "{place}");
            partial += 1;
        }
        Err(CoreError::Read(_) | CoreError::NoKernel { .. } | CoreError::NoLayout { .. }) => {}
        Err(other) => panic!("{place}: {other}"),
    };
    // One read alone, all over the run; then every n-th.
    for part in 0..40 {
        let number = if part < 16 { part + 1 } else { reads * part / 40 };
        check(format!("read {number}"), with_failures(move |read| read == number).0);
    }
    for n in [1, 2, 3, 5, 8, 16, 50, 100, 1000, reads - 1] {
        check(format!("every {n}. read"), with_failures(move |read| read % n == 0).0);
    }
    assert!(partial > 20, "{partial} answers");
}

#[test]
fn a_file_that_is_cut_while_it_is_open_gives_an_error_and_no_signal() {
    let path = temporary("cut.dmp");
    std::fs::write(&path, &**FULL).unwrap();
    let source = FileSource::open(&path).unwrap();
    let opened = OpenDump::open("cut", Arc::new(source), &*LAYOUTS, Options::default()).unwrap();
    assert_eq!(eprocesses(&opened), all_eprocesses());
    let fresh =
        OpenDump::open("cut", Arc::new(FileSource::open(&path).unwrap()), &*LAYOUTS, Options::default()).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    for length in [FULL.len() / 2, 0x2000, 0] {
        file.set_len(length).unwrap();
        for dump in [&opened, &fresh] {
            assert!(ask_all(dump) > 0);
            assert!(eprocesses(dump).is_subset(&all_eprocesses()));
        }
        // Bytes that nobody has read before are gone.
        let end = ntlens::address::PhysAddr((SMALL.memory().end() - 1) * 0x1000);
        let read = fresh.dump().physical().unwrap().read_u64(end);
        assert_eq!(read.map_err(ntlens::Absent::reason), Err("truncated"));
    }
    std::fs::remove_file(&path).unwrap();
}

/// File offsets of the frames that hold something.
static USED: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let frames = SMALL.memory().pages().filter(|(_, page)| page.iter().any(|byte| *byte != 0));
    frames.map(|(frame, _)| of_physical(frame * 0x1000)).collect()
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bits_end_in_an_answer_or_an_error(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u64..0x1000, 0_u8..8), 1..400),
        header in prop::collection::vec((0_u64..0x2000, 0_u8..8), 0..4),
    ) {
        let in_memory = flips.iter().map(|(frame, byte, bit)| (frame.get(&USED) + byte, bit));
        let in_header = header.iter().map(|(byte, bit)| (*byte + 8, bit));
        let mut source = Patched::of(&FULL);
        for (offset, bit) in in_memory.chain(in_header) {
            let byte = FULL[usize::try_from(offset).unwrap()] ^ 1 << bit;
            source = source.set(offset, &[byte]);
        }
        let start = Instant::now();
        if let Ok(dump) = source.open() {
            prop_assert!(ask_all(&dump) > 0);
        }
        prop_assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    }

    #[test]
    fn flipped_bits_of_a_small_dump_end_in_an_answer_or_an_error(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..200),
    ) {
        let offsets: Vec<u64> = (8..TRIAGE.len()).collect();
        let mut source = Patched::of(&TRIAGE);
        for (offset, bit) in flips {
            let offset = *offset.get(&offsets);
            source = source.set(offset, &[TRIAGE[usize::try_from(offset).unwrap()] ^ 1 << bit]);
        }
        let start = Instant::now();
        if let Ok(dump) = source.open() {
            prop_assert!(ask_all(&dump) > 0);
        }
        prop_assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    }
}
