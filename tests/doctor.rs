//! `doctor`: what it lists is what is wrong, named by field, place, what was found and what was expected; it is quiet
//! about what is sound.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr, missing_docs)]

mod common;
#[path = "common/kit.rs"]
mod kit;

use common::{Tally, address, document, dump_file, files, hex, json, record, rows, shared};
use kit::{bare, dump, offset, open, read_u64, symbol, typical};
use ntlens::OpenDump;
use ntlens::report::QUESTIONS;
use ntlens_testkit::{HandleSpec, HandleTarget, Image, Kind, Placement, ProcessSpec};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const BUILDS: [u32; 8] = [7601, 9600, 14393, 17763, 18362, 19041, 20348, 22000];

/// The rows of one kind.
fn of_kind(dump: &OpenDump, kind: &str) -> Vec<Json> {
    rows(dump, "doctor").into_iter().filter(|row| row["kind"] == kind).collect()
}

/// What each question is answered with.
fn answers(dump: &OpenDump) -> BTreeMap<String, String> {
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    of_kind(dump, "answer").iter().map(|row| (text(&row["subject"]), text(&row["found"]))).collect()
}

/// A fault as one text: subject, address, found, expected.
fn told(row: &Json) -> String {
    let text = |column: &str| row[column].as_str().unwrap_or("?").to_owned();
    [text("subject"), text("address"), text("found"), text("expected")].join(" | ")
}

const LINKS: &str = "_EPROCESS.ActiveProcessLinks";

/// What the truth of a shared dump says is wrong with it, in the words of [`told`]; parts that say the same in other words
/// are cut off there.
fn expected_faults(truth: &Json, links: u64) -> BTreeSet<String> {
    let processes = truth["processes"].as_array().unwrap();
    let at = |pid: &Json| {
        hex(&processes.iter().find(|process| process["pid"] == *pid).unwrap()["eprocess"]).unwrap() + links
    };
    let active: Vec<&Json> = processes
        .iter()
        .filter(|process| process["in_active_list"] == json!(true))
        .map(|process| &process["pid"])
        .collect();
    let neighbour = |pid: &Json, step: isize| {
        let index = active.iter().position(|known| *known == pid).unwrap();
        at(active[index.checked_add_signed(step).unwrap()])
    };
    let modules = truth["modules"].as_array().unwrap();
    let module = |name: &Json| modules.iter().position(|module| module["name"] == *name).unwrap();
    let entry = |index: usize| hex(&modules[index]["entry"]).unwrap();
    let text = |value: u64| address(value).as_str().unwrap().to_owned();
    let link = |field: &str, at: u64, found: u64, expected: u64| {
        format!("{field} | {} | {} | {}", text(at), text(found), text(expected))
    };
    let mut expected = BTreeSet::new();
    for anomaly in truth["anomalies"].as_array().unwrap() {
        let pid = &anomaly["at_pid"];
        expected.extend(match anomaly["kind"].as_str().unwrap() {
            "active_list_loop" => {
                let (found, right) = (at(&anomaly["flink_to_pid"]), neighbour(pid, 1));
                Some(link(&format!("{LINKS}.Flink"), at(pid), found, right))
            }
            "active_list_dangling_flink" => {
                Some(link(&format!("{LINKS}.Flink"), at(pid), 0xffff_dead_beef_0008, neighbour(pid, 1)))
            }
            "active_list_noncanonical_blink" => {
                Some(link(&format!("{LINKS}.Blink"), at(pid), 0x4141_4141_4141_4141, neighbour(pid, -1)))
            }
            "module_list_loop" => {
                let (index, back) = (module(&anomaly["at"]), module(&anomaly["flink_to"]));
                let field = "_KLDR_DATA_TABLE_ENTRY.InLoadOrderLinks.Flink";
                Some(link(field, entry(index), entry(back), entry(index + 1)))
            }
            "bad_handle_entry" => {
                Some(format!("_HANDLE_TABLE_ENTRY.ObjectPointerBits | {}", anomaly["target"].as_str().unwrap()))
            }
            "dkom_hidden" => Some(format!("{LINKS} | {} | in no list", text(at(&anomaly["pid"])))),
            _ => None,
        });
    }
    expected
}

/// Structures that the makers of the shared dumps left as their image has them: the kernel's own image has them empty, or no
/// page for them at all. Of no running Windows that is true, and it is told.
const NEVER_MADE: [&str; 3] = ["MiSessionWsList.Flink", "MiSessionWsList.Blink", "_ETW_HASH_BUCKET.ListHead"];

/// Areas of processes that the truth itself gives as overlapping, as the subject and the first address of the second.
fn overlapping(truth: &Json) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for process in truth["processes"].as_array().unwrap() {
        let range = |area: &Json| (hex(&area["start"]).unwrap(), hex(&area["end"]).unwrap());
        let mut areas: Vec<_> = process["vads"].as_array().into_iter().flatten().map(range).collect();
        areas.sort_unstable();
        let inside = areas.windows(2).filter(|pair| pair[1].0 <= pair[0].1);
        found.extend(inside.map(|pair| format!("_MMVAD_SHORT.StartingVpn | {}", address(pair[1].0).as_str().unwrap())));
    }
    found
}

/// A fault in the words of [`expected_faults`].
fn comparable(row: &Json) -> String {
    let text = told(row);
    let parts: Vec<&str> = text.split(" | ").collect();
    match parts[0] {
        "_HANDLE_TABLE_ENTRY.ObjectPointerBits" => format!("{} | {}", parts[0], parts[2].split(':').next().unwrap()),
        "_MMVAD_SHORT.StartingVpn" => format!("{} | {}", parts[0], parts[2]),
        "_EPROCESS.ActiveProcessLinks" => {
            format!("{} | {} | {}", parts[0], parts[1], parts[2].split(';').next().unwrap())
        }
        _ => text,
    }
}

#[test]
fn the_shared_dumps_have_the_faults_that_their_truth_tells_and_no_others() {
    let Some(shared) = shared() else { return };
    let mut tally = Tally::default();
    let packed = files(&shared.join("dumps"), ".dmp.xz");
    assert!(packed.len() >= 12, "{} dumps", packed.len());
    for path in packed {
        let name = path.file_name().unwrap().to_string_lossy().replace(".dmp.xz", "");
        let truth = json(&path.with_file_name(format!("{name}.truth.json.xz")));
        let file = dump_file(&path);
        let dump = ntlens::open(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
        let start = Instant::now();
        let rows = rows(&dump, "doctor");
        // It takes a fraction of a second; this is for slow and busy machines.
        assert!(start.elapsed() < Duration::from_secs(5), "{name}: {:?}", start.elapsed());
        // Where the links are is in the symbols, and the truth gives both ends of one list.
        let place = dump.kernel().unwrap().layouts().place("_EPROCESS", "ActiveProcessLinks").unwrap();
        let mut expected = expected_faults(&truth, place.offset.into());
        expected.extend(overlapping(&truth));
        let bytes = std::fs::read(&file).unwrap();
        let at_offset = |row: &Json| usize::try_from(hex(&row["file_offset"])?).ok();
        let (never_made, faults): (Vec<&Json>, Vec<&Json>) = rows
            .iter()
            .filter(|row| row["kind"] == "fault")
            .partition(|row| NEVER_MADE.contains(&row["subject"].as_str().unwrap()));
        for row in never_made {
            // The file itself says that nothing was put there; or it has no page for it, and so no place.
            let empty = at_offset(row).is_none_or(|at| bytes[at..at + 16] == [0; 16]);
            tally.check("never made", &format!("{name}: {row}"), &empty.into(), &true.into());
        }
        let found: BTreeSet<String> = faults.iter().map(|row| comparable(row)).collect();
        for fault in found.union(&expected) {
            let (is, should) = (found.contains(fault), expected.contains(fault));
            tally.check("fault", &format!("{name}: {fault}"), &is.into(), &should.into());
        }
        for row in &faults {
            let whole = ["subject", "structure", "field", "found", "expected", "consequence", "file_offset", "address"];
            let missing = whole.iter().filter(|column| row[**column].is_null()).count();
            tally.check("named whole", &format!("{name}: {row}"), &missing.into(), &0.into());
            // The place in the file holds what the fault says was found: the two are told independently.
            let at = at_offset(row).unwrap();
            if let Some(found) = hex(&row["found"]).filter(|_| row["field"] != "StartingVpn") {
                let at = if row["field"].as_str().unwrap().ends_with("Blink") { at + 8 } else { at };
                let held = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
                tally.check("bytes of the file", &name, &address(held), &address(found));
            }
        }
        let paged_out = truth["processes"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|process| process["freed"] != json!(true) && process["handle_table"]["state"] == "paged_out");
        let gaps = |check: &'static str| rows.iter().filter(move |row| row["kind"] == "gap" && row["check"] == check);
        tally.check("gaps", &name, &gaps("handle tables").count().into(), &paged_out.count().into());
        // Kernel memory alone has no loader lists; where there is user memory, they are missing for who has an environment
        // block by its EPROCESS and none in its memory.
        let with_user_memory = truth["dump"]["user_pages_included"].as_bool().unwrap();
        let without = |process: &&Json| {
            let blocks = [!process["peb"].is_null(), process.get("peb32").is_some_and(|peb| !peb.is_null())];
            if with_user_memory { blocks == [false, true] } else { blocks[0] }
        };
        let lists = truth["processes"].as_array().unwrap().iter().filter(without).count() as u64;
        let lost = gaps("dlls").map(|row| row["count"].as_u64().unwrap()).sum::<u64>();
        tally.check("processes without loader lists", &name, &lost.into(), &lists.into());
    }
    tally.finish("doctor");
}

#[test]
fn sound_machines_of_every_build_and_kind_have_no_faults() {
    let mut machines = 0;
    for build in BUILDS {
        let machine = typical(build, 5, 24).placement(Placement::Scattered);
        let image = machine.build();
        let kinds = [Kind::Full, Kind::BitmapFull { active: true }, Kind::RdmpFull, Kind::Raw];
        for kind in kinds
            .into_iter()
            .chain([Kind::Summary, Kind::RdmpKernel, Kind::Triage].into_iter().take(if build == 19041 { 3 } else { 0 }))
        {
            let place = format!("{build} {kind:?}");
            let (bytes, truth) = dump(&image, kind);
            let opened = open(&place, bytes);
            let hidden: BTreeSet<u64> = truth
                .processes
                .iter()
                .filter(|process| !process.in_active_list && kind != Kind::Triage)
                .map(|process| process.eprocess)
                .collect();
            let links = offset(&image, "_EPROCESS", "ActiveProcessLinks");
            let found: BTreeSet<u64> = of_kind(&opened, "fault")
                .iter()
                .map(|row| {
                    assert_eq!(row["subject"], "_EPROCESS.ActiveProcessLinks", "{place}: {}", told(row));
                    hex(&row["address"]).unwrap() - links
                })
                .collect();
            assert_eq!(found, hidden, "{place}");
            machines += 1;
        }
    }
    record(&format!("doctor: {machines} sound dumps of {} builds, nothing false", BUILDS.len()));
}

/// A machine with something of everything, and the processes that faults are made in.
fn patient() -> (Image, u64) {
    let mut machine = bare(19041);
    machine.process(ProcessSpec::named("smss.exe").no_session());
    for name in ["one.exe", "two.exe", "three.exe"] {
        let event = |path: &str| HandleSpec::new(HandleTarget::Named(path.into()), 0x1f_0003);
        machine.process(ProcessSpec::named(name).session(1).threads(3).handle(event("\\BaseNamedObjects\\Event")));
    }
    machine.named_object("Event", "\\BaseNamedObjects\\Event");
    machine.typical_modules(6);
    let image = machine.build();
    let pid = image.truth().named("two.exe").unwrap().pid;
    (image, pid)
}

/// One fault that is made: where, with which bytes, and how it must be named.
struct Made {
    name: &'static str,
    at: u64,
    bytes: Vec<u8>,
    subject: &'static str,
    /// Where the fault must be said to be, if it is elsewhere than where the bytes are.
    place: Option<u64>,
}

fn made(name: &'static str, at: u64, bytes: &[u8], subject: &'static str) -> Made {
    Made { name, at, bytes: bytes.to_vec(), subject, place: None }
}

fn faults_of(image: &Image, pid: u64) -> Vec<Made> {
    let truth = image.truth();
    let process = truth.process(pid).unwrap();
    let eprocess = |field: &str| process.eprocess + offset(image, "_EPROCESS", field);
    let token = |field: &str| process.token.va + offset(image, "_TOKEN", field);
    let thread = |index: usize| process.threads[index].va + offset(image, "_ETHREAD", "ThreadListEntry");
    let table = process.handle_table.as_ref().unwrap().va;
    let code_at = table + offset(image, "_HANDLE_TABLE", "TableCode");
    let page = read_u64(image, code_at) & !7;
    let entry = page + process.handles[0].handle / 4 * 16;
    let root = read_u64(image, symbol(image, "ObpRootDirectoryObject"));
    let kdbg = truth.kernel.kdbg.va;
    let module =
        |index: usize, field: &str| truth.modules[index].entry + offset(image, "_KLDR_DATA_TABLE_ENTRY", field);
    let cid = truth.cid_table.va + offset(image, "_HANDLE_TABLE", "TableCode");
    // The two that lie nearest to each other.
    let mut order: Vec<usize> = (0..truth.modules.len()).collect();
    order.sort_by_key(|index| truth.modules[*index].base);
    let gap = |pair: &[usize]| truth.modules[pair[1]].base - truth.modules[pair[0]].base;
    let nearest = order.windows(2).min_by_key(|pair| gap(pair)).unwrap();
    let size = u32::try_from(gap(nearest) + 0x1000).unwrap().to_le_bytes();
    let wild = 0xffff_8000_dead_0000_u64.to_le_bytes();
    let groups = token("UserAndGroups");
    let mut faults = vec![
        made("links", eprocess("ActiveProcessLinks"), &wild, "_EPROCESS.ActiveProcessLinks.Flink"),
        Made {
            place: Some(eprocess("ActiveProcessLinks")),
            ..made("back link", eprocess("ActiveProcessLinks") + 8, &wild, "_EPROCESS.ActiveProcessLinks.Blink")
        },
        made(
            "page tables",
            eprocess("Pcb.DirectoryTableBase"),
            &0x5000_u64.to_le_bytes(),
            "_EPROCESS.Pcb.DirectoryTableBase",
        ),
        made(
            "page tables far out",
            eprocess("Pcb.DirectoryTableBase"),
            &(1_u64 << 45).to_le_bytes(),
            "_EPROCESS.Pcb.DirectoryTableBase",
        ),
        made("odd id", eprocess("UniqueProcessId"), &(pid + 1).to_le_bytes(), "_EPROCESS.UniqueProcessId"),
        made("token", eprocess("Token"), &wild, "_EPROCESS.Token"),
        made("token of another type", eprocess("Token"), &process.eprocess.to_le_bytes(), "_EPROCESS.Token"),
        made("no groups", groups, &[0; 8], "_TOKEN.UserAndGroups"),
        made("privileges", token("Privileges.Enabled"), &u64::MAX.to_le_bytes(), "_TOKEN.Privileges.Enabled"),
        made("token type", token("TokenType"), &[9, 0, 0, 0], "_TOKEN.TokenType"),
        made("thread link", thread(1), &wild, "_ETHREAD.ThreadListEntry.Flink"),
        made("table code", code_at, &(page | 7).to_le_bytes(), "_HANDLE_TABLE.TableCode"),
        made(
            "handle",
            entry,
            &(0x0000_8000_dead_0010_u64 >> 4 << 20 | 1).to_le_bytes(),
            "_HANDLE_TABLE_ENTRY.ObjectPointerBits",
        ),
        made("module link", module(2, "InLoadOrderLinks"), &wild, "_KLDR_DATA_TABLE_ENTRY.InLoadOrderLinks.Flink"),
        made("module size", module(nearest[0], "SizeOfImage"), &size, "_KLDR_DATA_TABLE_ENTRY.SizeOfImage"),
        made("directory", root, &0x10_u64.to_le_bytes(), "_OBJECT_DIRECTORY.HashBuckets"),
        made("ids", cid, &[7], "_HANDLE_TABLE.TableCode"),
    ];
    // What KDBG says can be wrong where it is not encoded.
    if !truth.kernel.kdbg.encoded {
        faults.push(made("KDBG head", kdbg + 0x50, &wild, "KDDEBUGGER_DATA64.PsActiveProcessHead"));
        faults.push(made("KDBG self map", kdbg + 0x360, &wild, "KDDEBUGGER_DATA64.PteBase"));
        faults.push(made("KDBG size", kdbg + 0x2a8, &[1, 2], "KDDEBUGGER_DATA64.SizeEProcess"));
    }
    faults
}

#[test]
fn each_fault_is_named_with_its_place_and_costs_nothing_else() {
    let (image, pid) = patient();
    let sound = open("sound", dump(&image, Kind::Full).0);
    let before: BTreeSet<String> = of_kind(&sound, "fault").iter().map(told).collect();
    assert!(before.is_empty(), "{before:?}");
    let all: BTreeSet<String> = rows(&sound, "processes").iter().map(|row| row["eprocess"].to_string()).collect();
    let (mut cases, mut named) = (0, 0);
    let mut wrong = Vec::new();
    for fault in faults_of(&image, pid) {
        let mut broken = image.clone();
        broken.write_kernel(fault.at, &fault.bytes);
        let opened = open(fault.name, dump(&broken, Kind::BitmapFull { active: false }).0);
        let faults = of_kind(&opened, "fault");
        let place = address(fault.place.unwrap_or(fault.at));
        let is_it = |row: &&Json| row["subject"] == fault.subject && row["address"] == place;
        cases += 1;
        match faults.iter().find(is_it) {
            Some(row) if row["found"].is_string() && row["expected"].is_string() => named += 1,
            other => {
                wrong.push(format!("{}: {other:?} of {:?}", fault.name, faults.iter().map(told).collect::<Vec<_>>()));
            }
        }
        let found: BTreeSet<String> =
            rows(&opened, "processes").iter().map(|row| row["eprocess"].to_string()).collect();
        assert_eq!(found, all, "{}", fault.name);
    }
    record(&format!("doctor: {cases} faults made, {named} named with place, field, found and expected"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_header_that_contradicts_the_kernel_is_named() {
    let (image, _) = patient();
    let bytes = dump(&image, Kind::Full).0;
    for (at, value, subject, offset) in [
        (0x34, 77_u32, "DUMP_HEADER64.NumberProcessors", 0x34_u64),
        (0xc, 7601, "DUMP_HEADER64.MinorVersion", 0xc),
        (0x30, 0x14c, "DUMP_HEADER64.MachineImageType", 0x30),
        (0xf98, 6, "DUMP_HEADER64.DumpType", 0xf98),
    ] {
        let mut bytes = bytes.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let opened = open(subject, bytes);
        let faults = of_kind(&opened, "fault");
        assert_eq!(faults.iter().map(|row| row["subject"].clone()).collect::<Vec<_>>(), [subject], "{faults:?}");
        assert_eq!(faults[0]["file_offset"], address(offset));
        assert_eq!(answers(&opened)["processes"], "yes", "{subject}");
    }
}

#[test]
fn every_question_is_answered_for() {
    let (image, _) = patient();
    let names: BTreeSet<String> =
        QUESTIONS.iter().map(|question| question.name().to_owned()).filter(|name| name != "doctor").collect();
    let of = |place: &str, bytes: Vec<u8>| {
        let answers = answers(&open(place, bytes));
        assert_eq!(answers.keys().cloned().collect::<BTreeSet<_>>(), names, "{place}");
        answers
    };
    let whole = of("whole", dump(&image, Kind::BitmapFull { active: false }).0);
    for name in ["info", "processes", "threads", "tokens", "handles", "objects", "modules", "coverage"] {
        assert_eq!(whole[name], "yes", "{name}");
    }
    // A kernel dump has no command lines; a small dump has one process; a header alone has nothing.
    let kernel = of("kernel", dump(&image, Kind::BitmapKernel { live: false }).0);
    assert_eq!((kernel["processes"].as_str(), kernel["handles"].as_str()), ("partly", "yes"));
    let opened = open("kernel", dump(&image, Kind::BitmapKernel { live: false }).0);
    let rows = of_kind(&opened, "answer");
    let why = &rows.iter().find(|row| row["subject"] == "processes").unwrap()["consequence"];
    assert!(why.as_str().unwrap().contains("command_line: ") && why.as_str().unwrap().contains("not-in-dump"), "{why}");
    let small = of("triage", dump(&image, Kind::Triage).0);
    assert_eq!((small["processes"].as_str(), small["modules"].as_str()), ("partly", "partly"));
    let mut header = dump(&image, Kind::BitmapKernel { live: false }).0;
    header[0xf98..0xf9c].copy_from_slice(&3_u32.to_le_bytes());
    header.truncate(0x2000);
    let alone = of("header", header.clone());
    assert_eq!((alone["info"].as_str(), alone["processes"].as_str()), ("yes", "no"));
    let faults = of_kind(&open("header", header), "fault");
    assert_eq!((&faults[0]["subject"], &faults[0]["severity"]), (&json!("Windows kernel"), &json!("high")));
}

#[test]
fn a_short_file_says_what_it_lacks() {
    let (image, _) = patient();
    let (mut bytes, truth) = dump(&image, Kind::Full);
    bytes.truncate(bytes.len() / 8 * 7);
    let len = bytes.len() as u64;
    let opened = open("short", bytes);
    let faults = of_kind(&opened, "fault");
    let file = faults.iter().find(|row| row["subject"] == "file.size").unwrap();
    assert_eq!((&file["found"], &file["file_offset"]), (&json!(format!("{len:#x}")), &address(len)));
    assert_eq!(file["expected"], format!("{:#x}", truth.dump.unwrap().file_size));
    assert_eq!(document(&opened, "processes")["row_count"], truth.processes.len());
}
