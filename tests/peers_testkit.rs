//! Machines of the testkit as others read them: volatility3, MemProcFS and kdmp-parser agree with what the testkit says is
//! true, on every build and in every kind of dump that they open. Only the peers are asked here, not ntlens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod common;
#[path = "common/kit.rs"]
mod kit;
#[path = "common/peer.rs"]
mod peer;

use common::{Tally, record, shared};
use kdmp_parser::gxa::{Gpa, Gva};
use kdmp_parser::parse::KernelDumpParser;
use kdmp_parser::{phys, virt};
use ntlens_testkit::truth::{Handle, Process, Truth};
use ntlens_testkit::{Image, Kind, Machine, layouts};
use peer::{given_symbols, memprocfs, python, volatility_all};
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};

/// Kernels whose symbols volatility3 is given.
const KERNELS: [&str; 8] = [
    "6.1.7601.24540",
    "6.3.9600.20778",
    "10.0.14393.5125",
    "10.0.17763.3046",
    "10.0.18362.592",
    "10.0.19041.1288",
    "10.0.20348.1129",
    "10.0.22000.1098",
];
/// The kernel that is read in every kind of dump.
const MAIN: &str = "10.0.19041.1288";
const BITMAP: Kind = Kind::BitmapFull { active: false };
const ACTIVE: Kind = Kind::BitmapFull { active: true };
const KERNEL: Kind = Kind::BitmapKernel { live: false };
const LIVE: Kind = Kind::BitmapKernel { live: true };

/// Peers cut addresses to the 48 bits that page tables translate.
const CUT: u64 = 0xffff_ffff_ffff;

fn machine(version: &str) -> Image {
    let mut machine = Machine::typical(layouts(version).unwrap(), 21, 34).memory(60 << 20);
    machine.typical_crossings();
    machine.build()
}

fn write(image: &Image, peer: &str, kind: Kind) -> (PathBuf, Truth) {
    let build = image.truth().build;
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("peers-{peer}-{build}-{kind}.dmp"));
    let truth = image.write_file(kind, &path).unwrap();
    (path, truth)
}

/// Every build in one kind of dump, and one build in the others, with the machine's truth.
fn each(peer: &str, kinds: &[Kind], mut check: impl FnMut(&str, &Image, &Path, Kind, &Truth)) {
    for version in KERNELS {
        let image = machine(version);
        for kind in if version == MAIN { kinds } else { &kinds[..1] } {
            let (path, truth) = write(&image, peer, *kind);
            check(&format!("{version} {kind}"), &image, &path, *kind, &truth);
            std::fs::remove_file(path).unwrap();
        }
    }
}

fn listed(truth: &Truth) -> Vec<&Process> {
    truth.processes.iter().filter(|process| process.in_active_list).collect()
}

/// Whole seconds, as volatility3 writes them.
fn seconds(time: u64) -> Json {
    let text = kit::time(time).as_str().map(|text| text[..19].replace('T', " "));
    json!(text)
}

fn moment(peer: &Json) -> Json {
    json!(peer.as_str().map(|text| &text[..19]))
}

fn sorted(mut rows: Vec<Json>) -> Json {
    rows.sort_by_cached_key(ToString::to_string);
    rows.into()
}

/// Rows of the peer with these columns alone.
fn columns(rows: &Json, names: &[&str]) -> Vec<Json> {
    let row = |row: &Json| names.iter().map(|name| row[*name].clone()).collect::<Vec<_>>().into();
    rows.as_array().unwrap().iter().map(row).collect()
}

/// Compares row by row, in the order that both have.
fn same(tally: &mut Tally, what: &str, place: &str, found: &Json, expected: &Json) {
    let (found, expected) = (found.as_array().unwrap(), expected.as_array().unwrap());
    tally.check(what, &format!("{place} rows"), &found.len().into(), &expected.len().into());
    for (found, expected) in found.iter().zip(expected) {
        tally.check(what, place, found, expected);
    }
}

fn check_info(tally: &mut Tally, place: &str, rows: &Json, truth: &Truth) {
    let value = |name: &str| {
        rows.as_array()
            .unwrap()
            .iter()
            .find(|row| row["Variable"] == name)
            .map_or(Json::Null, |row| row["Value"].clone())
    };
    for (name, expected) in [
        ("Kernel Base", format!("{:#x}", truth.kernel.base & CUT)),
        ("DTB", format!("{:#x}", truth.kernel.system_dtb)),
        ("Is64Bit", "True".into()),
        ("KeNumberProcessors", truth.cpus.len().to_string()),
    ] {
        tally.check("info", &format!("{place} {name}"), &value(name), &expected.into());
    }
    // It reads at most 32 bytes of it.
    let lab: String = truth.build_lab.chars().take(32).collect();
    tally.check("info", &format!("{place} NTBuildLab"), &value("NTBuildLab"), &lab.into());
}

/// Columns of pslist and psscan.
const OF_PROCESSES: [&str; 7] = ["PID", "PPID", "ImageFileName", "Offset(V)", "Threads", "SessionId", "Wow64"];

fn check_processes(tally: &mut Tally, place: &str, tables: &Json, image: &Image, truth: &Truth) {
    let row = |process: &Process, at: u64| {
        json!([
            process.pid,
            process.ppid,
            process.image_name,
            at,
            process.threads.len(),
            process.session_id,
            process.wow64,
        ])
    };
    let active = listed(truth);
    let expected: Vec<Json> = active.iter().map(|process| row(process, process.eprocess & CUT)).collect();
    let found = columns(&tables["windows.pslist"], &OF_PROCESSES);
    same(tally, "pslist", place, &found.into(), &expected.into());
    let times = tables["windows.pslist"].as_array().unwrap().iter();
    let times: Vec<Json> = times.map(|row| json!([moment(&row["CreateTime"]), moment(&row["ExitTime"])])).collect();
    let expected = active
        .iter()
        .map(|process| json!([seconds(process.create_time), process.exit_time.map_or(Json::Null, seconds)]));
    same(tally, "pslist times", place, &times.into(), &expected.collect::<Vec<_>>().into());
    // The scan finds those that are in no list, too.
    // Before Windows 10 it goes through physical memory, and says where it found what there.
    let space = image.space(4).unwrap();
    let place_of = |at: u64| match truth.build {
        ..10240 => space.translate(image.memory(), at).unwrap().physical,
        _ => at & CUT,
    };
    let expected: Vec<Json> = truth.processes.iter().map(|process| row(process, place_of(process.eprocess))).collect();
    let found = columns(&tables["windows.psscan"], &OF_PROCESSES);
    same(tally, "psscan", place, &sorted(found), &sorted(expected));
}

/// How many handles the peer left out because their objects store zero for their type, which is its known fault.
fn check_handles(tally: &mut Tally, place: &str, rows: &Json, image: &Image, truth: &Truth) -> usize {
    let mut found = columns(rows, &["PID", "HandleValue", "Offset", "Type", "GrantedAccess"]);
    // Known fault of the peer: in the entries before Windows 8 it takes the bit that protects from closing for a right.
    let protected = image.layouts().place("_HANDLE_TABLE_ENTRY", "GrantedAccessBits").is_err();
    for access in found.iter_mut().filter(|_| protected).map(|row| &mut row[4]) {
        *access = (access.as_u64().unwrap() & 0x1ff_ffff).into();
    }
    let (header, index) = (0x30, kit::offset(image, "_OBJECT_HEADER", "TypeIndex"));
    let stores_zero = |object: u64| image.read(object - header + index, 1) == Some(vec![0]);
    let (mut expected, mut dropped) = (Vec::new(), 0);
    for process in listed(truth) {
        for handle in &process.handles {
            let row = json!([process.pid, handle.handle, handle.object & CUT, handle.kind, handle.access]);
            if stores_zero(handle.object) && !found.contains(&row) {
                dropped += 1;
            } else {
                expected.push(row);
            }
        }
    }
    same(tally, "handles", place, &sorted(found), &sorted(expected));
    // Names of keys are below `\REGISTRY`, which the peer leaves out.
    let keys = rows.as_array().unwrap().iter().filter(|row| row["Type"] == "Key");
    let keys: Vec<Json> = keys.map(|row| json!([row["PID"], row["HandleValue"], row["Name"]])).collect();
    let expected = listed(truth).into_iter().flat_map(|process| {
        let keys = process.handles.iter().filter(|handle| handle.kind == "Key" && !stores_zero(handle.object));
        let short =
            |name: &Option<String>| name.as_ref().map(|name| name.trim_start_matches("\\REGISTRY\\").to_owned());
        keys.map(|handle| json!([process.pid, handle.handle, short(&handle.name)])).collect::<Vec<_>>()
    });
    same(tally, "names of keys", place, &sorted(keys), &sorted(expected.collect()));
    dropped
}

fn check_others(tally: &mut Tally, place: &str, tables: &Json, truth: &Truth) {
    let found = columns(&tables["windows.getsids"], &["PID", "SID"]);
    let expected = listed(truth)
        .into_iter()
        .flat_map(|process| process.token.sids.iter().map(|group| json!([process.pid, group.sid])));
    same(tally, "getsids", place, &found.into(), &expected.collect::<Vec<_>>().into());
    let found = columns(&tables["windows.modules"], &["Base", "Size", "Name", "Path"]);
    let modules = truth.modules.iter().filter(|module| !module.hidden);
    let expected = modules.map(|module| json!([module.base & CUT, module.size, module.name, module.path]));
    same(tally, "modules", place, &found.into(), &expected.collect::<Vec<_>>().into());
    let found = columns(&tables["windows.registry.hivelist"], &["Offset"]);
    let expected: Vec<Json> = truth.hives.iter().map(|hive| json!([hive.va & CUT])).collect();
    same(tally, "hivelist", place, &sorted(found), &sorted(expected));
}

#[test]
fn volatility3() {
    const PLUGINS: [&str; 7] = [
        "windows.info",
        "windows.pslist",
        "windows.psscan",
        "windows.handles",
        "windows.getsids",
        "windows.modules",
        "windows.registry.hivelist",
    ];
    let (Some(shared), Some(python)) = (shared(), python()) else { return };
    let symbols = given_symbols(&shared);
    let (mut tally, mut dropped) = (Tally::default(), 0);
    each("volatility", &[ACTIVE, BITMAP, Kind::Full, Kind::Raw], |place, image, path, _, truth| {
        let tables = volatility_all(&python, &symbols, path, &PLUGINS);
        check_info(&mut tally, place, &tables["windows.info"], truth);
        check_processes(&mut tally, place, &tables, image, truth);
        dropped += check_handles(&mut tally, place, &tables["windows.handles"], image, truth);
        check_others(&mut tally, place, &tables, truth);
    });
    record(&format!("volatility3 of the testkit: it drops {dropped} handles to objects whose stored type is 0"));
    tally.finish("testkit by volatility3");
}

/// What MemProcFS calls levels of integrity.
fn level(rid: u32) -> u32 {
    match rid {
        0..0x1000 => 1,
        0x1000..0x2000 => 2,
        0x2000 => 3,
        0x2001..0x3000 => 4,
        0x3000 => 5,
        _ => 6,
    }
}

#[test]
fn memprocfs_reads_the_same() {
    let Some(python) = memprocfs() else { return };
    let mut tally = Tally::default();
    // Files of less than 16 MiB are refused, as are RDMP and the old kernel dumps.
    each("memprocfs", &[Kind::Full, BITMAP, ACTIVE, KERNEL, LIVE], |place, _, path, _, truth| {
        let found = peer::memprocfs_tables(&python, path);
        tally.check("build", place, &found["build"], &truth.build.into());
        let mut processes = found["processes"].as_array().unwrap().clone();
        processes.sort_by_key(|process| process["pid"].as_u64());
        // Known limits of the peer: it leaves out what has ended; without a server's symbols it has, for Windows 7, the list
        // alone and no names of types.
        let old = truth.build < 9200;
        let mut expected: Vec<&Process> =
            truth.processes.iter().filter(|process| process.exit_time.is_none()).collect();
        expected.retain(|process| process.in_active_list || !old);
        expected.sort_by_key(|process| process.pid);
        tally.check("processes", place, &processes.len().into(), &expected.len().into());
        for (found, expected) in processes.iter().zip(expected) {
            let place = format!("{place} pid {}", expected.pid);
            for (column, expected) in [
                ("pid", json!(expected.pid)),
                ("ppid", json!(expected.ppid)),
                ("name", json!(expected.image_name)),
                ("eprocess", json!(expected.eprocess)),
                ("dtb", json!(expected.dtb)),
                ("session", json!(expected.session_id.unwrap_or(0))),
                ("sid", json!(expected.token.user)),
                ("integrity", json!(level(expected.token.integrity_rid))),
            ] {
                tally.check(column, &place, &found[column], &expected);
            }
            let kind = |handle: &Handle| if old { "" } else { &*handle.kind }.to_owned();
            let handles = expected.handles.iter();
            let handles = handles.map(|handle| json!([handle.handle, handle.object, kind(handle), handle.access]));
            let found = found["handles"].as_array().unwrap().clone();
            same(&mut tally, "handles", &place, &sorted(found), &sorted(handles.collect()));
        }
        let modules = truth.modules.iter().filter(|module| !module.hidden);
        let expected: Vec<Json> = modules.map(|module| json!([module.name, module.base, module.size])).collect();
        let found = found["modules"].as_array().unwrap().clone();
        same(&mut tally, "modules", place, &sorted(found), &sorted(expected));
    });
    tally.finish("testkit by MemProcFS");
}

#[test]
fn kdmp_parser_reads_the_same() {
    let mut tally = Tally::default();
    let kinds = [KERNEL, LIVE, ACTIVE, BITMAP, Kind::Full, Kind::RdmpKernel, Kind::RdmpUser, Kind::RdmpFull];
    each("kdmp", &kinds, |place, image, path, kind, truth| {
        let parser = KernelDumpParser::new(path).unwrap_or_else(|error| panic!("{place}: {error}"));
        let facts = truth.dump.as_ref().unwrap();
        let header = parser.headers();
        for (field, found, expected) in [
            ("DumpType", u64::from(header.dump_type), u64::from(kind.dump_type().unwrap())),
            ("DirectoryTableBase", header.directory_table_base, facts.header.dtb),
            ("PsActiveProcessHead", header.ps_active_process_head, facts.header.ps_active_process_head),
            ("PsLoadedModuleList", header.ps_loaded_module_list, facts.header.ps_loaded_module_list),
            ("BugCheckCode", u64::from(header.bug_check_code), facts.header.bugcheck_code),
            ("Rip", parser.context_record().rip, facts.header.context_rip),
            ("pages", parser.physmem().len() as u64, facts.pages_in_dump),
        ] {
            tally.check(field, place, &found.into(), &expected.into());
        }
        // Every page that holds something is the machine's.
        let reader = phys::Reader::new(&parser);
        let (mut pages, mut wrong) = (0_u64, 0_u64);
        for (gpa, _) in parser.physmem() {
            let Some(expected) = image.memory().page(u64::from(gpa) / 0x1000) else { continue };
            let mut page = [0; 0x1000];
            pages += 1;
            wrong += u64::from(reader.read_exact(gpa, &mut page).is_err() || page != *expected);
        }
        tally.check("bytes of pages", &format!("{place}, {pages} pages"), &wrong.into(), &0.into());
        for known in truth.translations.iter().filter(|known| known.state == "present" && known.in_dump == Some(true)) {
            let user = known.va >> 63 == 0;
            // The tables of user memory are not in a kernel dump.
            if user && !facts.user_pages_included {
                continue;
            }
            let reader = virt::Reader::with_dtb(&parser, Gpa::new(known.dtb));
            let found = reader.translate(Gva::new(known.va)).ok().map(|found| u64::from(found.gpa()));
            tally.check("translations", &format!("{place} {:#x}", known.va), &json!(found), &json!(known.pa));
        }
        let mut modules: Vec<&str> = parser.kernel_modules().map(|(_, path)| path).collect();
        modules.sort_unstable();
        let shown = truth.modules.iter().filter(|module| !module.hidden);
        let mut expected: Vec<&str> = shown.map(|module| module.path.as_str()).collect();
        expected.sort_unstable();
        tally.check("modules", place, &json!(modules), &json!(expected));
    });
    tally.finish("testkit by kdmp-parser");
}

#[test]
fn the_truth_is_what_its_schema_says() {
    let Some(python) = python() else { return };
    let mut machine = Machine::typical(layouts(MAIN).unwrap(), 4, 34).memory(60 << 20);
    machine.typical_jobs().typical_crossings();
    let (_, truth) = write(&kit::watched(layouts(MAIN).unwrap()).build(), "schema", Kind::Triage);
    let rich = machine.build().truth().to_json();
    let documents = json!([ntlens_testkit::truth::schema(), truth.to_json(), rich]);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers-truth.json");
    std::fs::write(&path, documents.to_string()).unwrap();
    let check = "import json, sys, jsonschema
schema, *documents = json.load(open(sys.argv[1]))
validator = jsonschema.Draft202012Validator(schema)
validator.check_schema(schema)
for document in documents: validator.validate(document)
document['kernel']['base'] = 7
assert not validator.is_valid(document)";
    peer::run(std::process::Command::new(python).args(["-c", check]).arg(&path), "jsonschema");
}
