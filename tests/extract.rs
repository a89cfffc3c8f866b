//! `extract`: a small dump that answers about its process as the large one does, that others open, and that holds no
//! memory of anybody else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr, missing_docs)]

mod common;
#[path = "common/kit.rs"]
mod kit;
#[path = "common/peer.rs"]
mod peer;

use common::{Tally, dump_file, files, record, rows, shared};
use kdmp_parser::gxa::{Gpa, Gxa};
use kdmp_parser::parse::KernelDumpParser;
use kit::{dump, open, typical};
use ntlens::address::{PAGE_SIZE, Pfn, PhysAddr};
use ntlens::extract::{Extract, Of};
use ntlens::nt::snapshot::Options;
use ntlens::report::{Argument, Arguments, OneByOne, QUESTIONS, Wanted, question};
use ntlens::{CoreError, Error, OpenDump, Symbols};
use ntlens_testkit::{Image, Kind, Mapping, Placement};
use peer::{given_symbols, python, volatility};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

const BUILDS: [u32; 8] = [7601, 9600, 14393, 17763, 18362, 19041, 20348, 22000];

fn extract(dump: &OpenDump, of: Of) -> Result<Extract, Error> {
    Extract::new(dump, &Symbols::embedded().unwrap(), Options::default(), of)
}

fn extracted(place: &str, dump: &OpenDump, of: Of) -> (Vec<u8>, OpenDump) {
    let extract = extract(dump, of).unwrap_or_else(|error| panic!("{place}: {error}"));
    let mut bytes = Vec::new();
    extract.write(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, extract.size(), "{place}");
    (bytes.clone(), open(place, bytes))
}

/// The rows of a table that are of a process.
fn of_process(dump: &OpenDump, table: &str, pid: u64) -> Vec<Json> {
    let asked = question(table).unwrap();
    if asked.parameters().iter().any(|parameter| parameter.name == "pid") {
        let arguments = Arguments::default().with("pid", Argument::Number(pid));
        let answer = asked.ask_with(dump, &arguments, Wanted::All, &OneByOne).unwrap();
        let mut bytes = Vec::new();
        ntlens::render::write(
            &mut bytes,
            ntlens::render::Format::Json,
            Some(dump),
            &answer,
            ntlens::render::Terminal::default(),
        )
        .unwrap();
        let document: Json = serde_json::from_slice(&bytes).unwrap();
        return document["rows"].as_array().unwrap().clone();
    }
    rows(dump, table).into_iter().filter(|row| row["pid"] == pid).collect()
}

/// Tables with rows of processes: these, and whatever else is narrowed to one.
fn tables() -> BTreeSet<&'static str> {
    let narrowed =
        QUESTIONS.iter().filter(|question| question.parameters().iter().any(|parameter| parameter.name == "pid"));
    ["processes", "threads"].into_iter().chain(narrowed.map(|question| question.name())).collect()
}

/// Every column of every row of a process, before and after, and the modules of both.
fn compare(tally: &mut Tally, place: &str, before: &OpenDump, after: &OpenDump, pid: u64) {
    for table in tables() {
        let (old, new) = (of_process(before, table, pid), of_process(after, table, pid));
        tally.check("row_count", &format!("{place} {table}"), &new.len().into(), &old.len().into());
        for (old, new) in old.iter().zip(&new) {
            for (column, value) in old.as_object().unwrap() {
                tally.check(table, &format!("{place} {table}.{column}"), &new[column], value);
            }
        }
    }
    // Whose tokens: the process's own.
    let own = |dump: &OpenDump| -> Vec<Json> {
        let token = of_process(dump, "processes", pid)[0]["token"].clone();
        rows(dump, "tokens").into_iter().filter(|row| row["token"] == token).collect()
    };
    tally.check("tokens", place, &own(after).into(), &own(before).into());
    // Raw memory has no header to say anything of a crash.
    let with_header = before.dump().header.is_some();
    for table in ["modules", "unloaded", "crash"].into_iter().filter(|table| with_header || *table != "crash") {
        tally.check(table, place, &rows(after, table).into(), &rows(before, table).into());
    }
}

/// Some processes of a machine: those that differ, and some others.
fn some(dump: &OpenDump) -> Vec<u64> {
    let pids: Vec<u64> = rows(dump, "processes").iter().filter_map(|row| row["pid"].as_u64()).collect();
    let last = pids.len() - 1;
    [0, 1, last / 2, last - 1, last].map(|index| pids[index]).into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

#[test]
fn the_shared_dumps_answer_the_same_about_a_process_before_and_after() {
    let Some(shared) = shared() else { return };
    let mut tally = Tally::default();
    let packed = files(&shared.join("dumps"), ".dmp.xz");
    assert!(packed.len() >= 12, "{} dumps", packed.len());
    for path in packed {
        let before = ntlens::open(dump_file(&path)).unwrap();
        for pid in some(&before) {
            let place = format!("{} {pid}", path.file_stem().unwrap().to_string_lossy());
            let (bytes, after) = extracted(&place, &before, Of::Process(pid));
            tally.check("smaller", &place, &(bytes.len() as u64 <= before.dump().source.len()).into(), &true.into());
            compare(&mut tally, &place, &before, &after, pid);
        }
    }
    tally.finish("extract");
}

#[test]
fn every_build_and_kind_can_be_extracted_from() {
    let mut tally = Tally::default();
    for build in BUILDS {
        let image = typical(build, 9, 12).placement(Placement::Scattered).build();
        // A small dump holds no frames.
        let more = Kind::ALL.into_iter().filter(|kind| build == 19041 && !matches!(kind, Kind::Full | Kind::Triage));
        for kind in [Kind::Full].into_iter().chain(more) {
            let before = open("before", dump(&image, kind).0);
            let pid = image.truth().processes.iter().find(|process| process.peb.is_some()).unwrap().pid;
            let place = format!("{build} {kind:?}");
            let (bytes, after) = extracted(&place, &before, Of::Process(pid));
            compare(&mut tally, &place, &before, &after, pid);
            let of_kernel = extracted(&place, &before, Of::Kernel);
            for table in ["threads", "tokens", "handles", "objects", "modules", "unloaded"] {
                tally.check(
                    table,
                    &format!("{place} kernel"),
                    &rows(&of_kernel.1, table).into(),
                    &rows(&before, table).into(),
                );
            }
            for bytes in [bytes, of_kernel.0] {
                opens_for_a_peer(&place, &bytes, truth_modules(&image));
            }
            // What was put right stays right, and the extract says what it is.
            let row = &rows(&after, "info")[0];
            tally.check("dump_kind", &place, &row["dump_kind"], &"bitmap-full".into());
            tally.check("comment", &place, &row["comment"], &format!("ntlens extract: process {pid}").into());
            tally.check("file_complete", &place, &row["file_complete"], &true.into());
        }
    }
    tally.finish("extract of every build");
}

fn truth_modules(image: &Image) -> usize {
    image.truth().modules.iter().filter(|module| !module.hidden).count()
}

/// kdmp-parser opens it and lists as many modules as there are.
fn opens_for_a_peer(place: &str, bytes: &[u8], modules: usize) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("extract-of-a-kind.dmp");
    std::fs::write(&path, bytes).unwrap();
    let peer = KernelDumpParser::new(&path).unwrap_or_else(|error| panic!("{place}: {error}"));
    assert_eq!(peer.kernel_modules().len(), modules, "{place}");
}

/// Frames that the user half of a process maps, by the testkit's own page tables.
fn user_frames(image: &Image, pid: u64) -> BTreeSet<u64> {
    let truth = image.truth();
    let at = |va: u64| image.space(pid).and_then(|space| space.translate(image.memory(), va));
    let frame = |mapping: Mapping| mapping.physical / PAGE_SIZE;
    let process = truth.process(pid).unwrap();
    // Where the truth knows user memory: PEB, parameters, images and areas.
    let known = [process.peb, process.image_base].into_iter().flatten();
    let areas = process.vads.iter().flat_map(|vad| (vad.start..=vad.end).step_by(0x1000).take(64));
    known.chain(areas).filter_map(at).map(frame).collect()
}

#[test]
fn no_page_of_another_process_is_in_an_extract() {
    let (mut checked, mut kernel_checked) = (0, 0);
    for build in [7601, 19041, 22000] {
        let image = typical(build, 4, 16).build();
        let before = open("before", dump(&image, Kind::Full).0);
        let truth = image.truth();
        let all: Vec<(u64, BTreeSet<u64>)> = truth
            .processes
            .iter()
            .filter(|process| process.peb.is_some())
            .map(|process| (process.pid, user_frames(&image, process.pid)))
            .collect();
        assert!(all.len() > 3);
        // The page of data that everybody shares is nobody's.
        let shared_data =
            image.space(4).unwrap().translate(image.memory(), 0xffff_f780_0000_0000).unwrap().physical / PAGE_SIZE;
        for (pid, own) in &all {
            let extract = extract(&before, Of::Process(*pid)).unwrap();
            for (_, frames) in all.iter().filter(|(other, _)| other != pid) {
                for frame in frames.difference(own).filter(|frame| **frame != shared_data) {
                    assert!(!extract.contains(Pfn(*frame)), "{build}: frame {frame:#x} is another's");
                    checked += 1;
                }
            }
            // Its own pages are all there.
            for frame in own {
                assert!(extract.contains(Pfn(*frame)), "{build} {pid}: frame {frame:#x} is missing");
            }
        }
        let extract = extract(&before, Of::Kernel).unwrap();
        for frame in all.iter().flat_map(|(_, frames)| frames).filter(|frame| **frame != shared_data) {
            assert!(!extract.contains(Pfn(*frame)), "{build}: frame {frame:#x} is user memory");
            kernel_checked += 1;
        }
    }
    record(&format!("extract: {checked} frames of other processes and {kernel_checked} of all left out"));
    assert!(checked > 1000 && kernel_checked > 100, "{checked} {kernel_checked}");
}

#[test]
fn the_kernel_alone_answers_as_a_kernel_dump_does() {
    let mut tally = Tally::default();
    for build in BUILDS {
        let image = typical(build, 6, 16).build();
        let (whole, kernel) = (
            open("whole", dump(&image, Kind::Full).0),
            open("kernel", dump(&image, Kind::BitmapKernel { live: false }).0),
        );
        let place = format!("{build}");
        let (_, after) = extracted(&place, &whole, Of::Kernel);
        tally.check("dump_kind", &place, &rows(&after, "info")[0]["dump_kind"], &"bitmap-kernel".into());
        for table in ["threads", "tokens", "handles", "objects", "modules", "unloaded", "crash"] {
            tally.check(table, &place, &rows(&after, table).into(), &rows(&whole, table).into());
        }
        for (new, old) in rows(&after, "processes").iter().zip(rows(&kernel, "processes")) {
            for (column, value) in old.as_object().unwrap() {
                tally.check("processes", &format!("{place} {column}"), &new[column], value);
            }
        }
        // An extract of an extract is the same.
        let again = extract(&after, Of::Kernel).unwrap();
        tally.check("pages", &place, &again.pages().into(), &extract(&whole, Of::Kernel).unwrap().pages().into());
    }
    tally.finish("extract of the kernel");
}

/// Dumps of the kit, and what they are extracted to, as files.
fn files_for_peers() -> Vec<(PathBuf, PathBuf, Of)> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let image = typical(19041, 8, 20).build();
    let path = folder.join("extract-from.dmp");
    image.write_file(Kind::Full, &path).unwrap();
    let dump = ntlens::open(&path).unwrap();
    let pid = image.truth().processes.iter().find(|process| process.peb.is_some()).unwrap().pid;
    [Of::Process(pid), Of::Kernel]
        .into_iter()
        .map(|of| {
            let target = folder.join(format!("extract-{}.dmp", if of == Of::Kernel { "kernel" } else { "process" }));
            let mut file = std::fs::File::create(&target).unwrap();
            extract(&dump, of).unwrap().write(&mut file).unwrap();
            (path.clone(), target, of)
        })
        .collect()
}

#[test]
fn kdmp_parser_opens_extracts_and_reads_the_same_pages() {
    let mut pages = 0;
    for (source, target, of) in files_for_peers() {
        let dump = ntlens::open(&source).unwrap();
        let peer = KernelDumpParser::new(&target).unwrap_or_else(|error| panic!("{of:?}: {error}"));
        let reader = kdmp_parser::phys::Reader::new(&peer);
        let extract = extract(&dump, of).unwrap();
        for frame in (0..dump.dump().physical().unwrap().end().0).filter(|frame| extract.contains(Pfn(*frame))) {
            let (mut theirs, mut ours) = (vec![0; 0x1000], vec![0; 0x1000]);
            reader.read_exact(Gpa::new(frame * PAGE_SIZE), &mut theirs).unwrap();
            dump.dump().physical().unwrap().read(PhysAddr(frame * PAGE_SIZE), &mut ours).unwrap();
            assert!(theirs == ours, "{of:?}: frame {frame:#x}");
            pages += 1;
        }
        assert_eq!(peer.physmem().len() as u64, extract.pages(), "{of:?}");
        assert_eq!(peer.headers().directory_table_base, dump.dump().header_dtb().unwrap().0);
    }
    record(&format!("extract: kdmp-parser reads {pages} pages the same"));
    assert!(pages > 500, "{pages}");
    assert_eq!(Gpa::new(0).u64(), 0);
}

#[test]
fn volatility_lists_the_same_processes_of_extracts_of_all_kinds() {
    let (Some(shared), Some(python)) = (shared(), python()) else { return };
    let symbols = given_symbols(&shared);
    let (dumps, next) = (files(&shared.join("dumps"), ".dmp.xz"), AtomicUsize::new(0));
    let tally = Mutex::new((Tally::default(), 0));
    let work = |number: usize| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("extract-volatility-{number}.dmp"));
        while let Some(packed) = dumps.get(next.fetch_add(1, Ordering::Relaxed)) {
            let dump = ntlens::open(dump_file(packed)).unwrap();
            let id = rows(&dump, "info")[0]["kernel_guid_age"].as_str().unwrap().to_owned();
            let (guid, age) = id.split_at(32);
            if !symbols.join(format!("windows/ntkrnlmp.pdb/{guid}-{age}.json.xz")).exists() {
                continue;
            }
            let (ours, pid) = active_processes(&dump);
            let mut file = std::fs::File::create(&target).unwrap();
            extract(&dump, Of::Process(pid)).unwrap().write(&mut file).unwrap();
            let theirs = volatility(&python, &symbols, &target, "windows.pslist");
            let (tally, opened) = &mut *tally.lock().unwrap();
            compare_with_volatility(tally, dump.name(), &ours, &theirs);
            *opened += 1;
        }
    };
    std::thread::scope(|scope| {
        [0, 1].map(|number| scope.spawn(move || work(number))).map(|thread| thread.join().unwrap())
    });
    let (tally, opened) = tally.into_inner().unwrap();
    record(&format!("extract: volatility3 opens extracts of {opened} dumps"));
    assert!(opened > 5, "{opened}");
    tally.finish("volatility3 on extracts");
}

/// The rows of the active list, and the id of lsass.exe.
fn active_processes(dump: &OpenDump) -> (Vec<Json>, u64) {
    let mut ours = rows(dump, "processes");
    ours.retain(|row| row["sources"].as_array().unwrap().contains(&"active-list".into()));
    let pid = ours.iter().find(|row| row["name"] == "lsass.exe").unwrap()["pid"].as_u64().unwrap();
    (ours, pid)
}

fn compare_with_volatility(tally: &mut Tally, name: &str, ours: &[Json], theirs: &[Json]) {
    // One bad Flink shortens the peer's list.
    if name.contains("corrupt") {
        assert!(theirs.len() < ours.len(), "{name}: {} of {}", theirs.len(), ours.len());
    } else {
        tally.check("rows", name, &theirs.len().into(), &ours.len().into());
    }
    for row in theirs {
        let own = ours.iter().find(|own| own["pid"] == row["PID"]).unwrap_or(&Json::Null);
        for (column, field) in [("ppid", "PPID"), ("name", "ImageFileName"), ("session_id", "SessionId")] {
            tally.check(column, &format!("{name} pid {}", row["PID"]), &row[field], &own[column]);
        }
    }
}

#[test]
fn a_file_that_changes_is_not_extracted_from() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("extract-changes.dmp");
    std::fs::write(&path, dump(&typical(19041, 2, 8).build(), Kind::Full).0).unwrap();
    let open_file = ntlens::open(&path).unwrap();
    let extract = extract(&open_file, Of::Kernel).unwrap();
    assert!(extract.write(&mut std::io::sink()).is_ok());
    // Bytes behind the dump: all that was chosen is still there.
    let mut file = std::fs::File::options().append(true).open(&path).unwrap();
    file.write_all(b"more").unwrap();
    assert!(matches!(extract.write(&mut std::io::sink()), Err(Error::Changed)));
}

/// Each frame that the extract of the whole dump has, and the cut file not, is counted.
#[test]
fn frames_that_are_cut_off_are_counted() {
    let image = typical(19041, 4, 16).build();
    let pid = image.truth().processes.iter().rfind(|process| process.peb.is_some()).unwrap().pid;
    let bytes = dump(&image, Kind::Full).0;
    let whole = open("whole", bytes.clone());
    let physical = whole.dump().physical().unwrap();
    let mut lost = 0;
    for of in [Of::Kernel, Of::Process(pid)] {
        let all = extract(&whole, of).unwrap();
        assert_eq!(all.incomplete(), []);
        for pages in [1, 8, 40] {
            let len = bytes.len() as u64 - pages * PAGE_SIZE;
            let cut = open("cut", bytes[..usize::try_from(len).unwrap()].to_vec());
            let behind = (0..physical.end().0).map(Pfn).filter(|frame| {
                all.contains(*frame) && physical.file_offset(frame.base()).is_ok_and(|offset| offset >= len)
            });
            let (behind, part) = (behind.count() as u64, extract(&cut, of).unwrap());
            let told = part.incomplete().iter().skip(cut.incomplete().len());
            let told: u64 = told.filter(|missing| missing.reason == "truncated").map(|missing| missing.count).sum();
            assert_eq!(part.incomplete()[..cut.incomplete().len()], *cut.incomplete());
            assert_eq!((told, part.pages()), (behind, all.pages() - behind), "{of:?} without {pages} pages");
            lost += told;
        }
    }
    assert!(lost > 10, "{lost}");
}

#[test]
fn what_cannot_be_extracted_is_refused() {
    let image = typical(19041, 2, 8).build();
    let small = open("triage", dump(&image, Kind::Triage).0);
    assert!(matches!(extract(&small, Of::Kernel), Err(Error::Core(_))));
    let whole = open("whole", dump(&image, Kind::Full).0);
    assert!(matches!(extract(&whole, Of::Process(2)), Err(Error::Core(CoreError::NotFound { .. }))));
}
