//! Faults that other readers of dumps were seen to have, each with the test that ntlens passes.
//!
//! Where another file holds such a test already, [`ELSEWHERE`] names it; those that nothing else holds are here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod common;
#[path = "common/kit.rs"]
mod kit;
#[path = "common/patched.rs"]
mod patched;

use common::{address, document, rows};
use kit::{bare, dump, offset, read_u64, symbol};
use ntlens::address::{PagingLevels, Pfn, PhysAddr, VirtAddr};
use ntlens::memory::frames::{Frames, Run, Runs};
use ntlens::memory::pte::PteRules;
use ntlens::memory::{PagedSpace, PhysicalImage, VirtualMemory};
use ntlens::{CoreError, Error, OpenDump};
use ntlens_testkit::{HandleSpec, HandleTarget, Image, Kind, Placement, ProcessSpec, TokenSpec};
use patched::Patched;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// A peer's fault, and the test that holds it: the file and the function.
const ELSEWHERE: [(&str, &str, &str); 24] = [
    ("kdmp-parser-rs: reads that cross page ends", "tests/peers.rs", "kdmp_parser_reads_the_same_bytes"),
    (
        "kdmp-parser: SIGBUS when the file is cut while open",
        "tests/faults/files.rs",
        "a_file_that_changes_while_it_is_read_gives_what_is_left_and_no_signal",
    ),
    ("kdmp-parser, vmi: a looped module list never ends", "tests/hostile/kernel.rs", "one_broken_link_loses_no_module"),
    ("vmi: a looped process list never ends", "tests/hostile/kernel.rs", "one_broken_link_loses_no_process"),
    ("kdmp-parser: dies on an empty file", "tests/hostile/files.rs", "files_that_are_something_else_are_named"),
    (
        "kdmp-parser, LeechCore: the last pages of a bitmap that ends inside a byte",
        "tests/machines.rs",
        "the_last_page_of_a_bitmap_that_ends_inside_a_byte_is_read",
    ),
    (
        "volatility3: objects whose encoded TypeIndex is 0",
        "tests/objects.rs",
        "no_object_is_lost_whose_stored_type_is_zero",
    ),
    (
        "volatility3, MemProcFS: tables of three levels",
        "tests/objects.rs",
        "handles_of_every_depth_keep_their_values_and_attributes",
    ),
    (
        "volatility3: names that steer the terminal, forge rows of CSV, or run from right to left",
        "tests/hostile/kernel.rs",
        "names_made_to_deceive_are_kept_in_json_and_shown_harmless_elsewhere",
    ),
    (
        "volatility3: names of trace sessions that do the same",
        "tests/hostile/sensors.rs",
        "names_of_sensors_are_kept_in_json_and_shown_harmless_elsewhere",
    ),
    ("volatility3: a bomb of xz", "crates/ntlens-symbols/src/file/tests.rs", "what_unpacks_without_end_is_cut_off"),
    ("all: a FIFO blocks the reader", "tests/faults/files.rs", "what_is_no_file_of_its_kind_is_refused_by_what_it_is"),
    ("all: the same, in time", "tests/faults/files.rs", "what_is_no_file_of_its_kind_is_refused_by_what_it_is"),
    (
        "kdmp-parser-rs: keeps bit 45 of a frame in transition",
        "crates/ntlens-core/src/memory/pte.rs",
        "a_transition_frame_survives_any_mask_above_memory",
    ),
    (
        "vmi: tokens and types in pages that are not simply mapped",
        "tests/machines.rs",
        "pages_that_are_not_simply_mapped_give_their_value_or_its_absence",
    ),
    ("vmi: panics on handles of build 9600", "tests/objects.rs", "made_up_machines_of_every_build"),
    (
        "ntoseye: PCID bits of the header's DTB",
        "tests/machines.rs",
        "the_page_tables_of_the_header_may_be_anybodys_and_carry_flags",
    ),
    (
        "ntoseye, volatility3: the rest of a damaged list is dropped without a word",
        "tests/doctor.rs",
        "the_shared_dumps_have_the_faults_that_their_truth_tells_and_no_others",
    ),
    (
        "all: totals that contradict each other",
        "tests/faults/main.rs",
        "every_fault_is_told_and_costs_only_what_it_breaks",
    ),
    ("LeechCore: any file is raw memory", "tests/hostile/files.rs", "files_that_are_something_else_are_named"),
    (
        "kdmp-parser, volatility3: bitmaps and runs of 2^40",
        "tests/faults/main.rs",
        "every_fault_is_told_and_costs_only_what_it_breaks",
    ),
    ("ntoseye: scans of handles end at a cap without a word", "tests/caps.rs", "more_handles_than_are_listed"),
    (
        "ntoseye, volatility3: the same, without the shared dumps",
        "tests/hostile/kernel.rs",
        "one_broken_link_loses_no_process",
    ),
    ("volatility3: one bad link ends the list", "tests/peers.rs", "volatility_lists_the_same_processes_and_modules"),
];

#[test]
fn every_fault_that_is_held_elsewhere_has_its_test_there() {
    for (fault, file, test) in ELSEWHERE {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file));
        let text = text.unwrap_or_else(|error| panic!("{fault}: {file}: {error}"));
        let at = text.find(&format!("fn {test}(")).unwrap_or_else(|| panic!("{fault}: {file} has no {test}"));
        let before = &text[..at];
        assert!(before.trim_end().ends_with("#[test]") || before.contains("proptest!"), "{fault}: {test} is no test");
    }
}

/// A machine whose pages follow each other nowhere.
static SCATTERED: LazyLock<Image> = LazyLock::new(|| {
    let mut machine = bare(19041).memory(32 << 20).placement(Placement::Scattered);
    for name in ["one.exe", "two.exe"] {
        machine.process(ProcessSpec::named(name).session(1).threads(2));
    }
    machine.typical_modules(6);
    machine.build()
});

fn opened(image: &Image, kind: Kind) -> OpenDump {
    kit::open("a peer's fault", dump(image, kind).0)
}

/// kdmp-parser-rs gives wrong bytes with `Ok` where a read starts inside a page and crosses two page ends.
#[test]
fn a_read_that_crosses_two_page_ends_is_that_of_its_pieces() {
    let dump = opened(&SCATTERED, Kind::Full);
    let space = dump.kernel().unwrap().space().clone();
    let base = SCATTERED.truth().kernel.base;
    let mapped = |at: u64| (0..4).all(|page| SCATTERED.read(at + page * 0x1000, 0x1000).is_some());
    let pages: Vec<u64> = (0..0x400).map(|page| base + page * 0x1000).filter(|at| mapped(*at)).take(64).collect();
    assert!(pages.len() > 8, "{}", pages.len());
    for at in pages {
        for start in [1, 0x7f8, 0xfff] {
            let mut found = vec![0; 0x2802];
            space.read(VirtAddr(at + start), &mut found).unwrap();
            assert_eq!(found, SCATTERED.read(at + start, 0x2802).unwrap(), "{at:#x} + {start:#x}");
        }
    }
    // Physical memory likewise.
    let physical = dump.dump().physical().unwrap();
    let run = SCATTERED.memory().runs().iter().find(|run| run.count > 8).unwrap();
    let start = run.first * 0x1000 + 0x123;
    let (mut found, mut expected) = (vec![0; 0x3000], vec![0; 0x3000]);
    physical.read(PhysAddr(start), &mut found).unwrap();
    SCATTERED.memory().read(start, &mut expected);
    assert_eq!(found, expected);
}

/// kdmp-parser-rs goes on behind the end of a page of 2 MiB in physical memory, where something else lies.
#[test]
fn a_read_past_the_end_of_a_large_page_goes_on_in_the_next_virtual_page() {
    const SIZE: usize = 0x1000;
    let mut memory = vec![0_u8; 0x40_0000 + 4 * SIZE];
    let mut set = |at: usize, entry: u64| memory[at..at + 8].copy_from_slice(&entry.to_le_bytes());
    // Root at 0x1000, then one table each; a large page of physical 0x200000, and behind it one of 4 KiB of 0x5000.
    set(0x1000, 0x2063);
    set(0x2000, 0x3063);
    set(0x3000, 0x20_0000 | 0xe3);
    set(0x3008, 0x4063);
    set(0x4000, 0x5063);
    memory[0x20_0000..0x40_0000].fill(0xaa);
    memory[0x40_0000..].fill(0xee);
    memory[0x5000..0x6000].fill(0xbb);
    let frames = Runs::new([Run { first: Pfn(0), count: memory.len() as u64 / 0x1000, offset: 0 }]);
    let image = PhysicalImage::new(Arc::new(memory), Frames::Runs(frames));
    let space = PagedSpace::new(image.clone(), 0x1000, PagingLevels::Four, PteRules::unknown_kernel(image.end()));
    let mut found = [0; 32];
    space.read(VirtAddr(0x20_0000 - 16), &mut found).unwrap();
    assert_eq!(found, [[0xaa; 16], [0xbb; 16]].concat()[..]);
    // And where nothing follows, the read ends there.
    let hole = space.read(VirtAddr(0x20_1000 - 16), &mut found).unwrap_err();
    assert_eq!(hole.done, 16);
}

/// kdmp-parser-rs takes an entry with bit 11 for one in transition, also where bit 10 says that it is a prototype's.
#[test]
fn bit_11_alone_does_not_make_a_page_in_transition() {
    let read = |entry: u64| {
        let mut memory = vec![0_u8; 0x6000];
        for (at, entry) in [(0x1000, 0x2063), (0x2000, 0x3063), (0x3000, 0x4063), (0x4000, entry)] {
            memory[at..at + 8].copy_from_slice(&u64::to_le_bytes(entry));
        }
        memory[0x5000..].fill(0xcc);
        let frames = Runs::new([Run { first: Pfn(0), count: 6, offset: 0 }]);
        let image = PhysicalImage::new(Arc::new(memory), Frames::Runs(frames));
        let space = PagedSpace::new(image.clone(), 0x1000, PagingLevels::Four, PteRules::unknown_kernel(image.end()));
        space.read_u64(VirtAddr(0))
    };
    assert_eq!(read(0x5863 & !1), Ok(0xcccc_cccc_cccc_cccc), "transition");
    assert!(read(0x5c60).is_err(), "a prototype");
    assert!(read(0x5462 & !3).is_err(), "neither");
}

/// kdmp-parser takes gigabytes for a run that claims 2^28 pages.
#[test]
fn a_run_of_2_28_pages_is_named_and_costs_nothing() {
    let bytes = Arc::new(dump(&SCATTERED, Kind::Full).0);
    let start = Instant::now();
    let dump = Patched::of(&bytes).set(0xa0, &(1_u64 << 28).to_le_bytes()).open().unwrap();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!(rows(&dump, "processes").len(), SCATTERED.truth().processes.len());
    assert!(document(&dump, "info")["incomplete"].to_string().contains("PhysicalMemoryBlock.Run[0]"));
}

/// volatility3's psxview drops every process whose name has a digit, `_` or `-`.
#[test]
fn names_with_digits_and_signs_are_names() {
    const NAMES: [&str; 6] = ["a1.exe", "_b.exe", "c-d.exe", "7", "Win32_x-64", "{e}~.exe"];
    let mut machine = bare(19041).memory(24 << 20).processors(1);
    for name in NAMES {
        machine.process(ProcessSpec::named(name).session(1));
    }
    let rows = rows(&opened(&machine.build(), Kind::Full), "processes");
    for name in NAMES {
        let row = rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}"));
        let sources = row["sources"].as_array().unwrap();
        for source in ["active-list", "cid-table", "session-list"] {
            assert!(sources.contains(&source.into()), "{name}: {source}");
        }
    }
}

/// LeechCore opens types that it does not know as raw memory.
#[test]
fn a_type_that_is_not_known_is_not_taken_for_raw_memory() {
    let header = dump(&SCATTERED, Kind::Full).0;
    for kind in [0_u32, 11, 77, u32::MAX] {
        // A header of such a type, without runs, and memory of something else.
        let mut bytes = header[..0x2000].to_vec();
        bytes[0xf98..0xf9c].copy_from_slice(&kind.to_le_bytes());
        bytes[0x88..0x98].fill(0);
        bytes.resize(1 << 20, 0x5a);
        match ntlens::open_bytes("unknown", bytes) {
            Err(Error::Dump { error: CoreError::Malformed { field, offset, .. }, .. }) => {
                assert_eq!((field, offset), ("DumpType", 0xf98), "{kind}");
            }
            other => panic!("{kind}: {:?}", other.map(|dump| dump.dump().kind)),
        }
    }
}

/// LeechCore refuses files under 16 MiB.
#[test]
fn a_dump_of_few_pages_is_opened() {
    let (bytes, truth) = dump(&SCATTERED, Kind::BitmapKernel { live: false });
    assert!(bytes.len() < 16 << 20, "{}", bytes.len());
    assert_eq!(rows(&kit::open("small", bytes), "processes").len(), truth.processes.len());
}

/// MemProcFS names integrity only by seven exact SIDs.
#[test]
fn an_integrity_between_two_names_is_told_by_its_number() {
    let mut machine = bare(19041).memory(24 << 20).processors(1);
    let levels = [0, 0x800, 0x1000, 0x1fff, 0x2010, 0x2100, 0x2ffe, 0x3010, 0x4000, 0x5000];
    let pids: Vec<u64> = levels
        .iter()
        .map(|level| machine.process(ProcessSpec::named("a.exe").session(1).token(TokenSpec::user(1001, *level))))
        .collect();
    let rows = rows(&opened(&machine.build(), Kind::Full), "processes");
    for (pid, level) in pids.iter().zip(levels) {
        let row = rows.iter().find(|row| row["pid"] == *pid).unwrap();
        assert_eq!(row["integrity_rid"], level);
        assert!(row["integrity"].is_string(), "{level:#x}: {row}");
    }
}

/// vmi garbles names of registry keys that have one byte a character and are not ASCII.
#[test]
fn names_of_keys_in_latin_1_are_read() {
    const KEY: &str = "\\REGISTRY\\MACHINE\\SOFTWARE\\Größe-Ñandú";
    let mut machine = bare(19041).memory(24 << 20).processors(1);
    let spec = ProcessSpec::named("a.exe").handle(HandleSpec::new(HandleTarget::Key(KEY.into()), 0x2_0019));
    let pid = machine.process(spec);
    let rows = rows(&opened(&machine.build(), Kind::Full), "handles");
    let row = rows.iter().find(|row| row["pid"] == pid && row["type"] == "Key").unwrap();
    assert_eq!(row["name"], KEY);
}

/// ntoseye shows a token's session for processes that have none.
#[test]
fn a_process_without_a_session_has_none() {
    let mut machine = bare(19041).memory(24 << 20).processors(1);
    let pid = machine.process(ProcessSpec::named("smss.exe").no_session());
    let rows = rows(&opened(&machine.build(), Kind::Full), "processes");
    let row = rows.iter().find(|row| row["pid"] == pid).unwrap();
    assert_eq!(
        (&row["session_id"], &row["absent"]["session_id"]),
        (&serde_json::Value::Null, &"not-applicable".into())
    );
    assert_eq!(row["token_session_id"], 0);
}

/// No peer holds Flink against Blink, or runs against their totals.
#[test]
fn links_that_contradict_each_other_are_told() {
    let links = offset(&SCATTERED, "_EPROCESS", "ActiveProcessLinks");
    let process = SCATTERED.truth().named("one.exe").unwrap();
    let before = read_u64(&SCATTERED, process.eprocess + links + 8);
    let mut image = SCATTERED.clone();
    // Taken out of the list in one direction only.
    let after = read_u64(&SCATTERED, process.eprocess + links);
    image.write_kernel(before, &after.to_le_bytes());
    let dump = opened(&image, Kind::Full);
    let found: BTreeSet<_> = rows(&dump, "processes").iter().map(|row| row["eprocess"].to_string()).collect();
    let all = SCATTERED.truth().processes.iter().map(|process| address(process.eprocess).to_string()).collect();
    assert_eq!(found, all);
    let told = document(&dump, "processes")["incomplete"].clone();
    let link = told.as_array().unwrap().iter().find(|missing| missing["address"] == address(before)).unwrap();
    assert!(link["field"].as_str().unwrap().ends_with("Flink"), "{link}");
    assert_eq!((&link["found"], &link["expected"]), (&address(after), &address(process.eprocess + links)));
    assert_ne!(symbol(&SCATTERED, "PsActiveProcessHead"), 0);
}

/// LeechCore and others map or read the file for as long as it is open: one that is replaced is another file.
#[test]
fn a_file_that_is_replaced_while_it_is_open_is_read_as_it_was_or_told_as_cut() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers_faults");
    std::fs::create_dir_all(&folder).unwrap();
    let (path, other) = (folder.join("open.dmp"), folder.join("other.dmp"));
    let bytes = dump(&SCATTERED, Kind::BitmapKernel { live: false }).0;
    std::fs::write(&path, &bytes).unwrap();
    let opened = ntlens::open(&path).unwrap();
    let before = rows(&opened, "processes");
    // Replaced by its name: the open file stays.
    std::fs::write(&other, [0x5a; 0x4000]).unwrap();
    std::fs::rename(&other, &path).unwrap();
    assert_eq!(rows(&opened, "processes"), before);
    // Overwritten in place: an answer, an error, or an absence, and nothing else.
    std::fs::write(&path, &bytes).unwrap();
    let opened = ntlens::open(&path).unwrap();
    let mut garbage = bytes.clone();
    garbage[0x3000..].fill(0xa5);
    for content in [&garbage[..], &garbage[..0x3000], &[]] {
        std::fs::write(&path, content).unwrap();
        for question in ntlens::report::QUESTIONS {
            if let Err(error) = question.ask(&opened, ntlens::report::Wanted::All) {
                assert!(!error.to_string().is_empty());
            }
        }
    }
    std::fs::remove_file(&path).unwrap();
}
