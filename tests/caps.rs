//! Caps: whatever is not looked at because there is too much of it is told, with the number that was the limit.
//!
//! Each `MAX` of the core and of extracts has a line in [`CAPS`], which names the test that goes beyond it, or says why nothing
//! is lost there. A new one without a line fails here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod common;
#[path = "common/kit.rs"]
mod kit;
#[path = "common/patched.rs"]
mod patched;

use common::{files_below, record};
use kit::{bare, dump, offset, open, read_u64, symbol};
use ntlens::incomplete::Incomplete;
use ntlens::nt::handle::Of;
use ntlens::report::doctor::diagnose;
use ntlens::report::{Table, Wanted, question};
use ntlens::{CoreError, OpenDump};
use ntlens_testkit::{HandleSpec, Image, JobSpec, Kind, Placement, ProcessSpec};
use patched::Patched;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// Where a cap is, and what becomes of what is beyond it.
struct Cap(&'static str, &'static str, Beyond);

/// What becomes of what is beyond a cap.
enum Beyond {
    /// It is told: the test of this name in this file goes beyond. One of a source file names the constant.
    Told(&'static str, &'static str),
    /// There is nothing beyond: a field is not wide enough, or a structure has no more room.
    Impossible(&'static str),
    /// What is larger is not taken for what it should be; the cell or the fault says so.
    Judged(&'static str),
    /// More would not change the answer: a sample is enough, or another way is taken.
    Sample(&'static str),
    /// What is beyond is counted in the last that is told, or the number is in the text.
    Counted(&'static str),
    /// It bounds what a user or a symbol file gives.
    Given(&'static str),
}
use Beyond::{Counted, Given, Impossible, Judged, Sample, Told};

const HERE: &str = "tests/caps.rs";

/// Every cap of the core, and those of extracts.
const CAPS: &[Cap] = &[
    Cap("incomplete.rs", "MAX_APART", Told("incomplete.rs", "what_is_told_apart_is_bounded_and_the_rest_is_counted")),
    Cap("kdbg.rs", "MAX_SIZE", Judged("a larger block is none")),
    Cap("layout/field.rs", "MAX_EXTENT", Given("a field behind it is absent")),
    Cap("dump/bitmap.rs", "MAX_BITS", Told(HERE, "files_with_more_than_is_read")),
    Cap("dump/header64.rs", "MAX_RUNS", Told(HERE, "files_with_more_than_is_read")),
    Cap("dump/rdmp.rs", "MAX_RANGES", Told(HERE, "files_with_more_than_is_read")),
    Cap("dump/triage/tables.rs", "MAX_ENTRIES", Told(HERE, "files_with_more_than_is_read")),
    Cap("dump/triage/tables.rs", "MAX_NAME", Told(HERE, "files_with_more_than_is_read")),
    Cap("dump/salvage.rs", "MAX_MEMBERS", Sample("so many members prove a reading")),
    Cap("dump/salvage.rs", "MAX_NAMED", Counted("frames that overlap")),
    Cap("dump/salvage.rs", "MAX_ENTRIES", Sample("a longer list is not mended: what contradicts its total is told")),
    Cap("dump/salvage.rs", "MAX_TRIED", Sample("a list is mended in its first entries or not at all")),
    Cap("dump/salvage.rs", "MAX_PFN", Judged("no processor addresses more; the run is told as wrong")),
    Cap("doctor/file.rs", "MAX_PROCESSORS", Impossible("the kernel's array has no more places")),
    Cap("doctor/handles.rs", "MAX_ENTRIES", Told(HERE, "more_handles_than_are_listed")),
    Cap("doctor/memory.rs", "MAX_RUNS", Told(HERE, "variables_that_claim_too_much")),
    Cap("doctor/memory.rs", "MAX_TOLD", Told(HERE, "more_runs_than_the_machine_had")),
    Cap("doctor/mod.rs", "MAX_FAULTS", Told(HERE, "more_faults_than_are_listed")),
    Cap("report/doctor.rs", "MAX_COLUMNS", Counted("columns of an answer that lack something")),
    Cap("report/doctor.rs", "MAX_NAMED", Counted("what an answer lacks")),
    Cap("report/filter/mod.rs", "MAX_DEPTH", Given("an error of the filter")),
    Cap("report/inside.rs", "MAX_ROWS", Told(HERE, "more_areas_than_are_listed")),
    Cap("report/selection.rs", "MAX_DISTANCE", Given("a name that is nearly a column's")),
    Cap("report/selection.rs", "MAX_NAME", Given("a name that is nearly a column's")),
    Cap("nt/callback.rs", "MAX_ENTRIES", Told("nt/callback.rs", "lists_with_more_entries_than_are_taken_say_so")),
    Cap(
        "nt/crossing/mod.rs",
        "MAX_CROSSINGS",
        Counted("as many as handles are listed, of which each crosses few borders"),
    ),
    Cap("nt/descriptor_table.rs", "MAX_PLACES", Impossible("a limit has 16 bits")),
    Cap("nt/directory.rs", "MAX_ENTRIES", Told("nt/directory.rs", "more_entries_than_are_taken_are_told")),
    Cap("nt/directory.rs", "MAX_NAMED", Told("nt/directory.rs", "what_is_wrong_beyond_the_first_few_is_counted")),
    Cap(
        "nt/etw/logger.rs",
        "MAX_CONSUMERS",
        Told("nt/etw/logger.rs", "lists_with_more_consumers_than_are_taken_say_so"),
    ),
    Cap("nt/etw/mod.rs", "MAX_SLOTS", Told(HERE, "variables_that_claim_too_much")),
    Cap(
        "nt/etw/provider.rs",
        "MAX_PROVIDERS",
        Told("nt/etw/provider.rs", "lists_with_more_members_than_are_taken_say_so"),
    ),
    Cap(
        "nt/etw/provider.rs",
        "MAX_REGISTRATIONS",
        Told("nt/etw/provider.rs", "lists_with_more_members_than_are_taken_say_so"),
    ),
    Cap("nt/fit.rs", "MAX_INSTANCES", Sample("so many tell which layout fits")),
    Cap("nt/group.rs", "MAX", Told(HERE, "more_jobs_than_are_listed")),
    Cap("nt/job.rs", "MAX", Told(HERE, "more_jobs_than_are_listed")),
    Cap("nt/session.rs", "MAX", Counted("by the same line as jobs")),
    Cap("nt/handle.rs", "MAX_HANDLES", Told(HERE, "more_handles_than_are_listed")),
    Cap("nt/handle.rs", "MAX_TEXT", Told(HERE, "longer_names_than_are_kept")),
    Cap("nt/handle_table.rs", "MAX_ENTRIES", Told("nt/handle_table.rs", "more_entries_than_are_taken_are_told")),
    Cap(
        "nt/handle_table.rs",
        "MAX_NAMED",
        Told("nt/handle_table.rs", "a_table_that_claims_everything_is_cut_off_and_says_so"),
    ),
    Cap(
        "nt/image.rs",
        "MAX_DEBUG_ENTRIES",
        Told("nt/image.rs", "entries_that_are_not_looked_at_are_not_said_to_be_none"),
    ),
    Cap("nt/image.rs", "MAX_EXPORTS", Impossible("ordinals have 16 bits")),
    Cap("nt/image.rs", "MAX_IMAGE", Judged("headers of a larger image are none")),
    Cap("nt/image.rs", "MAX_PDB_PATH", Told("nt/image.rs", "a_path_of_symbols_that_does_not_end_is_none")),
    Cap("nt/infer/ids.rs", "MAX", Judged("no id is larger")),
    Cap("nt/infer/modules.rs", "MAX_MODULES", Sample("a place of a field is voted on")),
    Cap("nt/infer/name.rs", "MAX_PATH", Sample("a place of a field is voted on")),
    Cap("nt/infer/population.rs", "MAX_PROCESSES", Sample("a place of a field is voted on")),
    Cap("nt/infer/population.rs", "MAX_SAMPLE", Sample("a place of a field is voted on")),
    Cap("nt/infer/processors.rs", "MAX", Sample("a place of a field is voted on")),
    Cap("nt/infer/threads.rs", "MAX_OF_PROCESS", Sample("a place of a field is voted on")),
    Cap("nt/infer/threads.rs", "MAX_STACK", Judged("no stack of the kernel is larger")),
    Cap("nt/infer/threads.rs", "MAX_THREADS", Sample("a place of a field is voted on")),
    Cap("nt/infer/triage.rs", "MAX_EXTENT", Judged("no structure that a small dump copies is larger")),
    Cap("nt/interrupt.rs", "MAX_SHARED", Told("nt/interrupt.rs", "vectors_with_more_objects_than_are_taken_say_so")),
    Cap("nt/job.rs", "MAX_GROUPS", Judged("no machine has more groups of processors")),
    Cap("nt/job.rs", "MAX_NESTING", Told(HERE, "deeper_than_is_followed")),
    Cap("nt/job_census.rs", "MAX_NAMED", Counted("processes that contradict their jobs")),
    Cap("nt/list.rs", "MAX_MEMBERS", Told("nt/list.rs", "a_list_with_more_members_than_are_taken_says_so")),
    Cap("nt/list.rs", "MAX_PASSES", Told("nt/list.rs", "pieces_that_would_take_too_many_passes_are_counted")),
    Cap("nt/list_search.rs", "MAX_FOUND", Told("nt/list_search.rs", "what_is_not_looked_through_is_told")),
    Cap("nt/list_search.rs", "MAX_FRAMES", Told("nt/list_search.rs", "what_is_not_looked_through_is_told")),
    Cap("nt/loader.rs", "MAX_IMAGES", Told("nt/loader.rs", "lists_with_more_images_than_are_taken_say_so")),
    Cap("nt/locate.rs", "MAX_BELOW", Judged("no kernel is larger")),
    Cap("nt/locate.rs", "MAX_BLANK_FRAMES", Told(HERE, "a_kernel_that_is_not_found")),
    Cap("nt/locate.rs", "MAX_SEARCHED_FRAMES", Counted("the number of frames is in the error, as for blank ones")),
    Cap("nt/locate.rs", "MAX_SEARCHED_PAGES", Counted("the number of pages is in the error")),
    Cap("nt/namespace.rs", "MAX_NAMED", Counted("objects without a name")),
    Cap("nt/namespace.rs", "MAX_OBJECTS", Told(HERE, "longer_names_than_are_kept")),
    Cap("nt/namespace.rs", "MAX_TEXT", Told(HERE, "longer_names_than_are_kept")),
    Cap("nt/object.rs", "MAX_HANDLES", Judged("no object has more handles")),
    Cap("nt/object.rs", "MAX_POINTERS", Judged("no object has more references")),
    Cap("nt/object_name.rs", "MAX_DEPTH", Told(HERE, "deeper_than_is_followed")),
    Cap("nt/object_name.rs", "MAX_PATH", Judged("Windows has no longer path; the cell says so")),
    Cap("nt/object_name.rs", "MAX_RELATED", Judged("the cell says so")),
    Cap("nt/object_type.rs", "MAX_PROCESSES", Sample("the key of the types is voted on")),
    Cap("nt/object_type.rs", "MAX_TRIED", Sample("the key of the types is voted on")),
    Cap("nt/processor.rs", "MAX_PROCESSORS", Told(HERE, "variables_that_claim_too_much")),
    Cap("nt/security.rs", "MAX_CI_CALLBACKS", Judged("the cell says so")),
    Cap("nt/security.rs", "MAX_LAB", Judged("a text that does not end is none; the cell says so")),
    Cap("nt/service_table.rs", "MAX_IMAGE", Sample("without its descriptions the table is said to need symbols")),
    Cap("nt/service_table.rs", "MAX_PROOFS", Sample("without its descriptions the table is said to need symbols")),
    Cap("nt/service_table.rs", "MAX_SERVICES", Told(HERE, "variables_that_claim_too_much")),
    Cap("nt/sid.rs", "MAX_ENTRIES", Told(HERE, "variables_that_claim_too_much")),
    Cap("nt/sid.rs", "MAX_PARTS", Judged("no SID has more; the cell says so")),
    Cap("nt/pte_rules.rs", "MAX_BIT", Impossible("an entry of a page table has 64 bits")),
    Cap("nt/snapshot.rs", "MAX_PID", Judged("no id is larger")),
    Cap(
        "nt/symbolic_link.rs",
        "MAX_LINKS",
        Told("nt/symbolic_link.rs", "more_links_than_windows_follows_lead_nowhere_and_say_so"),
    ),
    Cap("extract/header.rs", "MAX_RUNS", Sample("the bitmap tells the frames; the runs are what the machine had")),
    Cap("extract/mod.rs", "MAX_BITS", Counted("frames for which the bitmap would be out of proportion")),
    Cap("extract/mod.rs", "MAX_IMAGE", Judged("no kernel is larger")),
    Cap("extract/mod.rs", "MAX_STACK", Judged("no stack of the kernel is larger")),
    Cap("extract/walk.rs", "MAX_LOST", Counted("what is beyond is counted as often as it is met")),
    Cap("nt/vad.rs", "MAX_AREAS", Told("nt/vad.rs", "a_chain_as_deep_as_the_bound_needs_no_stack_and_ends")),
];

#[test]
fn every_cap_has_a_line_and_every_line_its_test() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let (core, extract) = (crates.join("ntlens-core/src"), crates.join("ntlens/src/extract"));
    let mut found = BTreeSet::new();
    for path in files_below(&core, "rs").into_iter().chain(files_below(&extract, "rs")) {
        let name = path.strip_prefix(&core).or_else(|_| path.strip_prefix(extract.parent().unwrap())).unwrap();
        let name = name.to_str().unwrap().replace('\\', "/");
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let cap = line.split("const ").nth(1).and_then(|rest| rest.split(':').next());
            found.extend(cap.filter(|cap| cap.starts_with("MAX")).map(|cap| (name.clone(), cap.to_owned())));
        }
    }
    let listed: BTreeSet<_> = CAPS.iter().map(|Cap(file, cap, _)| ((*file).to_owned(), (*cap).to_owned())).collect();
    assert_eq!(listed.len(), CAPS.len(), "a cap has two lines");
    let unlisted: Vec<_> = found.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&found).collect();
    assert!(unlisted.is_empty() && gone.is_empty(), "without a line: {unlisted:?}; without a cap: {gone:?}");
    let mut counts = [0; 2];
    for Cap(file, cap, beyond) in CAPS {
        let reason = match beyond {
            Told(place, test) => {
                counts[0] += 1;
                let path =
                    if *place == HERE { Path::new(env!("CARGO_MANIFEST_DIR")).join(place) } else { core.join(place) };
                let text = std::fs::read_to_string(path).unwrap();
                let body =
                    text.split(&format!("fn {test}() {{")).nth(1).unwrap_or_else(|| panic!("{file} {cap}: {test}"));
                let body = body.split("#[test]").next().unwrap();
                assert!(*place == HERE || body.contains(cap), "{test} does not name {cap}");
                continue;
            }
            Impossible(why) | Judged(why) | Sample(why) | Counted(why) | Given(why) => why,
        };
        counts[1] += 1;
        assert!(!reason.is_empty(), "{file} {cap}");
    }
    record(&format!("caps: {} are gone beyond, {} lose nothing or count it", counts[0], counts[1]));
}

fn ask(dump: &OpenDump, table: &str) -> Table {
    question(table).unwrap().ask(dump, Wanted::All).unwrap_or_else(|error| panic!("{table}: {error}"))
}

/// Whether something that is told has all of these words.
fn tells(told: &[Incomplete], words: &[&str]) -> bool {
    let text = |one: &Incomplete| {
        let wrong =
            one.wrong.as_deref().map(|wrong| format!(" {} {}: {}", wrong.structure, wrong.field, wrong.expected));
        [one.what.clone(), wrong.unwrap_or_default()].concat()
    };
    told.iter().map(text).any(|text| words.iter().all(|word| text.contains(word)))
}

#[track_caller]
fn must_tell(place: &str, told: &[Incomplete], words: &[&str]) {
    let shown: Vec<_> = told.iter().take(8).map(|one| &one.what).collect();
    assert!(tells(told, words), "{place}: nothing says {words:?}, but {shown:?}");
}

/// All that `doctor` tells.
fn examined(dump: &OpenDump) -> Vec<Incomplete> {
    diagnose(dump).faults.into_iter().map(|fault| fault.incomplete).collect()
}

const EVENT: &str = "\\Sessions\\1\\BaseNamedObjects\\Event";

/// Pages of handles of the first process, and processes beside it.
const PAGES: u64 = 500;
const OTHERS: u64 = 45;

/// A machine with a process that has 500 pages of handles, and with many small processes.
static BUSY: LazyLock<Image> = LazyLock::new(|| {
    let mut machine = bare(19041).memory(64 << 20).placement(Placement::Scattered);
    machine.named_object("Event", EVENT);
    let holder = ProcessSpec::named("holder.exe").session(2).handle_levels(1);
    let handles = (0..PAGES * 255).map(|_| HandleSpec::named(EVENT, 0x1f_0003));
    machine.process(handles.fold(holder, ProcessSpec::handle));
    for _ in 0..OTHERS {
        machine.process(ProcessSpec::named("other.exe").session(2).threads(1));
    }
    machine.build()
});

fn full(image: &Image) -> OpenDump {
    open("caps", dump(image, Kind::Full).0)
}

fn others(image: &Image) -> impl Iterator<Item = u64> {
    image.truth().processes.iter().filter(|process| process.image_name == "other.exe").map(|process| process.eprocess)
}

/// The pages of handles of the first process.
fn pages(image: &Image) -> Vec<u64> {
    let table = image.truth().named("holder.exe").unwrap().handle_table.as_ref().unwrap().va;
    let top = read_u64(image, table + offset(image, "_HANDLE_TABLE", "TableCode")) & !7;
    (0..PAGES).map(|index| read_u64(image, top + index * 8)).collect()
}

#[test]
fn more_handles_than_are_listed() {
    let mut image = BUSY.clone();
    let table = image.truth().named("holder.exe").unwrap().handle_table.as_ref().unwrap().va;
    let field = offset(&image, "_EPROCESS", "ObjectTable");
    for process in others(&BUSY).take(9) {
        image.write_kernel(process + field, &table.to_le_bytes());
    }
    let opened = full(&image);
    let found = opened.handles(Of::All).unwrap();
    assert_eq!(found.handles.len(), 1 << 20);
    must_tell("handles", &found.incomplete, &["handles beyond the first", "1048576"]);
    drop(found);
    must_tell("doctor", &examined(&opened), &["entries of handle tables beyond the first 1048576"]);
}

#[test]
fn more_areas_than_are_listed() {
    let mut image = BUSY.clone();
    let at = |field: &str| offset(&image, "_MMVAD_SHORT", field);
    let (left, right, above) = (at("VadNode.Left"), at("VadNode.Right"), at("VadNode.ParentValue"));
    let (start, end) = (at("StartingVpn"), at("EndingVpn"));
    let size = u64::from(image.layouts().size_of("_MMVAD_SHORT").unwrap()).next_multiple_of(16);
    // A chain of nodes, each on the right of the one before it.
    let nodes: Vec<u64> =
        pages(&image).iter().flat_map(|page| (0..0x1000 / size).map(move |index| page + index * size)).collect();
    let mut bytes = vec![0; usize::try_from(size).unwrap()];
    for (index, node) in nodes.iter().enumerate() {
        let mut set = |at: u64, value: &[u8]| {
            let at = usize::try_from(at).unwrap();
            bytes[at..at + value.len()].copy_from_slice(value);
        };
        let page = u32::try_from(index + 0x100).unwrap().to_le_bytes();
        set(left, &[0; 8]);
        set(right, &nodes.get(index + 1).copied().unwrap_or(0).to_le_bytes());
        set(above, &index.checked_sub(1).map_or(0, |before| nodes[before]).to_le_bytes());
        set(start, &page);
        set(end, &page);
        image.write_kernel(*node, &bytes);
    }
    let root = offset(&image, "_EPROCESS", "VadRoot.Root");
    let count = offset(&image, "_EPROCESS", "VadCount");
    for process in others(&BUSY) {
        image.write_kernel(process + root, &nodes[0].to_le_bytes());
        image.write_kernel(process + count, &(nodes.len() as u64).to_le_bytes());
    }
    assert!(nodes.len() as u64 * OTHERS > 1 << 19, "{} nodes", nodes.len());
    let opened = full(&image);
    let vads = question("vads").unwrap().ask(&opened, Wanted::Screen).unwrap();
    assert!(vads.rows.len() >= 1 << 19);
    must_tell("vads", &vads.incomplete, &["processes with rows beyond the first 524288"]);
}

#[test]
fn more_faults_than_are_listed() {
    let mut image = BUSY.clone();
    let page = pages(&image)[0];
    for index in 1..=255_u64 {
        // Each leads to another place where nothing is.
        let entry = (0x8000_dead_0000_u64 + index * 0x100) >> 4 << 20 | 1;
        image.write_kernel(page + index * 16, &entry.to_le_bytes());
    }
    let page = pages(&image)[1];
    image.write_kernel(page + 16, &(0x8000_dead_0000_u64 >> 4 << 20 | 1).to_le_bytes());
    let told = examined(&full(&image));
    must_tell("doctor", &told, &["faults and gaps of this check beyond the first 255"]);
    let counted =
        told.iter().filter(|one| one.wrong.as_deref().is_some_and(|wrong| wrong.field == "ObjectPointerBits"));
    let more = told.iter().find(|one| one.what.starts_with("faults and gaps of this check")).unwrap();
    assert_eq!(counted.count() as u64 + more.count, 256);
}

#[test]
fn more_runs_than_the_machine_had() {
    let mut image = BUSY.clone();
    let descriptor = read_u64(&image, symbol(&image, "MmPhysicalMemoryBlock"));
    // One run of one page, where the dump has many.
    image.write_kernel(descriptor, &1_u32.to_le_bytes());
    image.write_kernel(descriptor + 8, &[1_u64, 1, 1].map(u64::to_le_bytes).concat());
    let opened = open("runs", dump(&image, Kind::BitmapKernel { live: false }).0);
    let runs = opened.dump().physical().unwrap().frames().runs().count();
    assert!(runs > 17, "{runs}");
    must_tell("doctor", &examined(&opened), &["runs of frames that are no memory of the machine beyond the first 16"]);
}

#[test]
fn more_jobs_than_are_listed() {
    let mut machine = bare(19041).memory(96 << 20);
    for _ in 0..(1 << 14) + 5 {
        machine.job(JobSpec::of_session(1));
    }
    let jobs = ask(&full(&machine.build()), "jobs");
    assert_eq!(jobs.rows.len(), 1 << 14);
    must_tell("jobs", &jobs.incomplete, &["job beyond the first 16384"]);
}

#[test]
fn longer_names_than_are_kept() {
    let mut machine = bare(19041).memory(192 << 20);
    let long = "n".repeat(30_000);
    let event = format!("\\BaseNamedObjects\\{long}");
    machine.named_object("Event", event.as_str());
    let holder = ProcessSpec::named("holder.exe").handle_levels(1);
    let handles = (0..9_500).map(|_| HandleSpec::named(event.as_str(), 0x1f_0003));
    machine.process(handles.fold(holder, ProcessSpec::handle));
    for number in 0..2_500 {
        machine.named_object("Event", format!("\\{long}\\{number}"));
    }
    let opened = full(&machine.build());
    must_tell("handles", &opened.handles(Of::All).unwrap().incomplete, &["names (in bytes)", "268435456"]);
    must_tell("objects", &ask(&opened, "objects").incomplete, &["objects beyond the first", "262144", "67108864"]);
}

/// The cells of a column that are empty, with the reason.
fn empty(table: &Table, column: &str) -> Vec<&'static str> {
    let place = table.columns.iter().position(|heading| heading.name == column).unwrap();
    table.rows.iter().filter_map(|row| Some(row[place].absent()?.reason())).collect()
}

#[test]
fn deeper_than_is_followed() {
    let mut machine = bare(19041);
    let mut job = machine.job(JobSpec::of_session(1));
    for _ in 0..70 {
        job = machine.job(JobSpec::of_session(1).inside(job));
    }
    let key = HandleSpec::key(format!("\\REGISTRY{}", "\\k".repeat(520)), 0x2_0019);
    machine.process(ProcessSpec::named("a.exe").session(1).job(job).handle(key));
    let opened = full(&machine.build());
    // Whether a silo lies around the jobs that are too deep is not known.
    assert!(empty(&ask(&opened, "jobs"), "silo").contains(&"malformed"));
    assert_eq!(empty(&ask(&opened, "handles"), "name"), ["malformed"]);
}

#[test]
fn variables_that_claim_too_much() {
    let mut machine = bare(19041);
    machine.process(ProcessSpec::named("a.exe").session(1));
    let image = machine.build();
    let with = |at: u64, bytes: &[u8]| {
        let mut image = image.clone();
        image.write_kernel(at, bytes);
        full(&image)
    };
    let limit = with(symbol(&image, "KeServiceDescriptorTable") + 16, &0x1001_u32.to_le_bytes());
    must_tell("ssdt", &ask(&limit, "ssdt").incomplete, &["4097 services", "at most 4096"]);
    must_tell("doctor", &examined(&limit), &["KSERVICE_TABLE_DESCRIPTOR Limit", "at most 4096"]);

    let state = read_u64(&image, symbol(&image, "EtwpHostSiloState"));
    let slots = with(state + offset(&image, "_ETW_SILODRIVERSTATE", "MaxLoggers"), &257_u32.to_le_bytes());
    must_tell("loggers", &ask(&slots, "loggers").incomplete, &["257 slots, at most 256"]);

    let descriptor = read_u64(&image, symbol(&image, "MmPhysicalMemoryBlock"));
    let runs = with(descriptor, &4097_u32.to_le_bytes());
    must_tell("doctor", &examined(&runs), &["_PHYSICAL_MEMORY_DESCRIPTOR NumberOfRuns", "1 to 4096"]);

    let token = image.truth().named("a.exe").unwrap().token.va;
    let sids = with(token + offset(&image, "_TOKEN", "UserAndGroupCount"), &4097_u32.to_le_bytes());
    must_tell("doctor", &examined(&sids), &["_TOKEN UserAndGroups"]);
    assert!(empty(&ask(&sids, "tokens"), "user_sid").contains(&"malformed"));

    let mut bytes = dump(&image, Kind::Full).0;
    bytes[0x34..0x38].copy_from_slice(&3000_u32.to_le_bytes());
    let cpus = ask(&open("processors", bytes), "cpus");
    must_tell("cpus", &cpus.incomplete, &["processors beyond the first 2048"]);
}

/// Opens a dump of a small machine of a kind with bytes changed, at its end perhaps with zeros more.
fn changed(kind: Kind, more: usize, patches: &[(u64, &[u8])]) -> Result<OpenDump, CoreError> {
    static MACHINE: LazyLock<Image> = LazyLock::new(|| bare(19041).build());
    let mut bytes = dump(&MACHINE, kind).0;
    bytes.resize(bytes.len() + more, 0);
    let source = Patched::of(&Arc::new(bytes));
    patches.iter().fold(source, |source, (at, bytes)| source.set(*at, bytes)).open()
}

#[test]
fn files_with_more_than_is_read() {
    // More bits than there can be memory for: refused, or told with what was taken instead.
    let bits = ((1_u64 << 31) + 8).to_le_bytes();
    match changed(Kind::BitmapFull { active: false }, 0, &[(0x2030, &bits)]) {
        Ok(dump) => must_tell("bitmap", dump.incomplete(), &["BITMAP_DUMP"]),
        Err(error) => assert!(error.to_string().contains("0x80000000 bits"), "{error}"),
    }
    let runs = changed(Kind::Full, 0, &[(0x88, &43_u32.to_le_bytes())]).unwrap();
    must_tell("full", runs.incomplete(), &["NumberOfRuns"]);

    let ranges = (1_u64 << 20) + 5;
    let list: Vec<u8> =
        (1..=ranges).flat_map(|entry| [(entry * 2).to_le_bytes(), 1_u64.to_le_bytes()].concat()).collect();
    let first = 0x2030 + ranges * 16;
    let (first, metadata) = (first.to_le_bytes(), (first - 0x2020).to_le_bytes());
    let patches: [(u64, &[u8]); 3] = [(0x2018, &first), (0x2010, &metadata), (0x2030, &list)];
    let rdmp = changed(Kind::RdmpKernel, 17 << 20, &patches).unwrap();
    must_tell("rdmp", rdmp.incomplete(), &["RDMP ranges", "5 more ranges"]);

    let length = u32::try_from(dump(&bare(19041).build(), Kind::Triage).0.len()).unwrap();
    let blocks: [(u64, &[u8]); 2] = [(0x2078, &length.to_le_bytes()), (0x207c, &((1_u32 << 20) + 5).to_le_bytes())];
    let triage = changed(Kind::Triage, 17 << 20, &blocks).unwrap();
    must_tell("triage", triage.incomplete(), &["DataBlocksCount", "at most 1048576"]);

    // The name of the first driver, longer than any.
    let bytes = dump(&bare(19041).build(), Kind::Triage).0;
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let name = word(usize::try_from(word(0x2030)).unwrap());
    let triage = changed(Kind::Triage, 1 << 20, &[(name.into(), &0x8001_u32.to_le_bytes())]).unwrap();
    must_tell("triage", triage.incomplete(), &["driver names"]);
}

#[test]
fn a_kernel_that_is_not_found() {
    // Blank memory, and no page tables that the header names.
    let blank = vec![0; 0x2000 + ((1 << 16) + 16) * 0x1000];
    let mut bytes = dump(&bare(19041).build(), Kind::Full).0;
    bytes.truncate(0x2000);
    bytes.resize(blank.len(), 0);
    bytes[0x10..0x18].fill(0);
    let pages = (1_u64 << 16) + 16;
    bytes[0x88..0x8c].copy_from_slice(&1_u32.to_le_bytes());
    bytes[0x90..0xa8].copy_from_slice(&[pages, 1, pages].map(u64::to_le_bytes).concat());
    let why = open("blank", bytes).kernel().unwrap_err().to_string();
    assert!(why.contains("the search ended after 65536 frames, 65536 of them blank"), "{why}");
}
