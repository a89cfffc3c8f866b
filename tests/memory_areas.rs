//! Loaded images and areas of memory of processes against what is known of them: the truth files of the shared folder, and
//! machines of the testkit, whole and damaged.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr, missing_docs)]

mod common;
#[path = "common/kit.rs"]
mod kit;

use common::{Tally, address, document, document_with, dump_file, files, hex, machines, rows, shared};
use kit::{offset, read_u64, time};
use ntlens::OpenDump;
use ntlens::nt::FileTime;
use ntlens::report::{Argument, Arguments};
use ntlens_testkit::truth::{Dll, Process};
use ntlens_testkit::{Image, Kind, ProcessSpec};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const BUILDS: [u32; 8] = [7601, 9600, 14393, 17763, 18362, 19041, 20348, 22000];
const PAGE: u64 = 0x1000;

fn all() -> Arguments {
    Arguments::default().with("all", Argument::Flag)
}

fn finish(tally: Tally, what: &str) {
    if shared().is_some() {
        tally.finish(what);
    }
}

fn array(value: &Json) -> &[Json] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Rows by process id, in their order.
fn by_pid(document: &Json) -> BTreeMap<u64, Vec<&Json>> {
    let mut by_pid: BTreeMap<u64, Vec<&Json>> = BTreeMap::new();
    for row in array(&document["rows"]) {
        by_pid.entry(row["pid"].as_u64().unwrap()).or_default().push(row);
    }
    by_pid
}

/// Processes that are there.
fn present(truth: &Json) -> impl Iterator<Item = &Json> {
    array(&truth["processes"]).iter().filter(|process| process["freed"] != json!(true))
}

/// The names of the protections that the truth files and the testkit have.
fn protection(bits: u64) -> &'static str {
    match bits {
        1 => "PAGE_READONLY",
        4 => "PAGE_READWRITE",
        6 => "PAGE_EXECUTE_READWRITE",
        7 => "PAGE_EXECUTE_WRITECOPY",
        0x14 => "PAGE_READWRITE|PAGE_GUARD",
        other => panic!("protection {other}"),
    }
}

/// How often the same thing is told to be missing.
fn told(document: &Json, what: &str) -> u64 {
    let gaps = array(&document["incomplete"]).iter().filter(|gap| gap["what"].as_str().unwrap().contains(what));
    gaps.map(|gap| gap["count"].as_u64().unwrap()).sum()
}

#[test]
fn loaded_images_of_the_shared_machines() {
    let mut tally = Tally::default();
    machines(|name, dump, truth| {
        let held = truth["dump"]["user_pages_included"] == json!(true);
        let document = document_with(dump, "dlls", &all());
        let found = by_pid(&document);
        let mut gaps = 0;
        for process in present(truth) {
            let pid = process["pid"].as_u64().unwrap();
            let place = format!("{name} pid {pid}");
            let rows = found.get(&pid).map(Vec::as_slice).unwrap_or_default();
            let loaders = ["peb", "peb32"].iter().filter(|peb| !process[**peb].is_null()).count();
            // The generator gives one process a 32-bit environment block in memory that it does not map.
            let unmapped = process["peb"].is_null() && loaders > 0;
            if (!held && loaders > 0) || unmapped {
                gaps += loaders;
                tally.check("nothing to read", &place, &rows.len().into(), &0.into());
                continue;
            }
            // Its 32-bit environment blocks name no loader: all images are those of the 64-bit one.
            let dlls = array(&process["dlls"]);
            tally.check("images", &place, &rows.len().into(), &dlls.len().into());
            for (index, (row, dll)) in rows.iter().zip(dlls).enumerate() {
                let loaded = dll["load_time"].as_u64().map(|time| FileTime(time).to_string());
                let lists = if index == 0 { json!(["load", "memory"]) } else { json!(["load", "memory", "init"]) };
                for (column, expected) in [
                    ("process", process["image_name"].clone()),
                    ("base", address(hex(&dll["base"]).unwrap())),
                    ("size", dll["size"].clone()),
                    ("name", dll["name"].clone()),
                    ("path", dll["path"].clone()),
                    ("load_time", loaded.into()),
                    ("wow64", false.into()),
                    ("sources", lists),
                    ("in_vads", true.into()),
                ] {
                    tally.check(column, &place, &row[column], &expected);
                }
            }
        }
        tally.check("gaps", name, &told(&document, "loader lists").into(), &gaps.into());
    });
    finish(tally, "loaded images");
}

/// The path on the volume, without regard to case.
fn on_volume(path: &str) -> String {
    path.trim_start_matches("\\Device\\HarddiskVolume3").trim_start_matches("C:").to_lowercase()
}

#[test]
fn areas_of_the_shared_machines() {
    let mut tally = Tally::default();
    machines(|name, dump, truth| {
        let held = truth["dump"]["user_pages_included"] == json!(true);
        let document = document_with(dump, "vads", &all());
        let found = by_pid(&document);
        let mut overlaps = 0;
        let everywhere: Vec<&Json> = present(truth).flat_map(|process| array(&process["dlls"])).collect();
        for process in present(truth) {
            let pid = process["pid"].as_u64().unwrap();
            let place = format!("{name} pid {pid}");
            let rows = found.get(&pid).map(Vec::as_slice).unwrap_or_default();
            let vads = array(&process["vads"]);
            let limits: Vec<_> =
                vads.iter().map(|vad| (hex(&vad["start"]).unwrap(), hex(&vad["end"]).unwrap())).collect();
            overlaps += limits.windows(2).filter(|pair| pair[0].1 >= pair[1].0).count();
            tally.check("areas", &place, &rows.len().into(), &vads.len().into());
            for ((row, vad), (start, end)) in rows.iter().zip(vads).zip(limits) {
                let place = format!("{place} {start:#x}");
                let bits = vad["protection"].as_u64().unwrap();
                for (column, expected) in [
                    ("process", process["image_name"].clone()),
                    ("vad", address(hex(&vad["va"]).unwrap())),
                    ("start", address(start)),
                    ("end", address(end)),
                    ("size", (end - start + 1).into()),
                    ("type", vad["kind"].clone()),
                    ("protection", protection(bits).into()),
                    ("protection_raw", bits.into()),
                    ("private", (vad["kind"] == json!("private")).into()),
                ] {
                    tally.check(column, &place, &row[column], &expected);
                }
                if vad["kind"] != json!("image") {
                    tally.check("file", &place, &row["file"], &Json::Null);
                    continue;
                }
                // System has an image mapped without having a loader.
                let mut dlls = array(&process["dlls"]).iter().chain(everywhere.iter().copied());
                let dll = dlls.find(|dll| dll["base"] == vad["start"]).unwrap();
                let file = row["file"].as_str().map(on_volume);
                tally.check("file", &place, &file.into(), &on_volume(dll["path"].as_str().unwrap()).into());
                match (process["peb"].is_null(), held) {
                    (true, _) => tally.check_absent("in_loader", &place, row, &["not-applicable"]),
                    (_, false) => tally.check_absent("in_loader", &place, row, &["not-in-dump"]),
                    (_, true) => tally.check("in_loader", &place, &row["in_loader"], &true.into()),
                }
            }
        }
        // One machine has an area inside of another, which Windows does not allow.
        tally.check("overlaps", name, &told(&document, "before the one before them ends").into(), &overlaps.into());
        tally.check("whole", name, &told(&document, "tree of memory areas").into(), &overlaps.into());
    });
    finish(tally, "areas of memory");
}

/// Small dumps of real machines keep a few nodes of the tree. What Windows itself never breaks must hold for them.
#[test]
fn areas_of_real_machines_are_such_as_windows_makes() {
    let Some(shared) = shared() else { return };
    let (mut images, mut private, mut others) = (0, 0, 0);
    for path in files(&shared.join("real"), ".dmp.xz") {
        let Ok(dump) = ntlens::open(dump_file(&path)) else { continue };
        if dump.kernel().is_err() {
            continue;
        }
        let place = path.display();
        let rows = rows(&dump, "vads");
        let limits: Vec<_> = rows.iter().map(|row| (hex(&row["start"]).unwrap(), hex(&row["end"]).unwrap())).collect();
        assert!(limits.windows(2).all(|pair| pair[0].1 < pair[1].0), "{place}");
        for (row, (start, end)) in rows.iter().zip(limits) {
            assert!(start % PAGE == 0 && (end + 1) % PAGE == 0 && end < 1 << 47, "{place}: {row}");
            match row["type"].as_str().unwrap() {
                "image" => {
                    images += 1;
                    assert_eq!(row["protection"], "PAGE_EXECUTE_WRITECOPY", "{place}: {row}");
                    assert_eq!(start % 0x1_0000, 0, "{place}: {row}");
                }
                "private" => {
                    private += 1;
                    assert!(row["commit"].as_u64().unwrap() <= (end - start + 1) / PAGE, "{place}: {row}");
                }
                _ => others += 1,
            }
            // Physical memory that a process maps is its own as well.
            assert_eq!(row["private"], json!(row["type"] == "private" || row["type"] == "physical"), "{place}: {row}");
        }
    }
    common::record(&format!(
        "real machines: {images} images, {private} private areas and {others} others hold what Windows does"
    ));
    assert!(images > 0 && private > 0 && others > 0, "no area of a real machine was looked at");
}

/// A machine with a 32-bit program beside the usual ones.
fn machine(build: u32) -> (Image, u64) {
    let mut machine = kit::typical(build, 21, 34);
    let wow64 = machine.process(ProcessSpec::named("old.exe").session(1).wow64().threads(2));
    (machine.build(), wow64)
}

fn open(place: &str, image: &Image, kind: Kind) -> OpenDump {
    kit::open(place, kit::dump(image, kind).0)
}

/// Why the environment block of a process cannot be read, if it cannot.
fn hidden(process: &Process) -> bool {
    !matches!(process.peb_state, "resident" | "transition" | "prototype")
}

#[test]
fn loaded_images_of_the_testkit_on_every_build() {
    let mut tally = Tally::default();
    for build in BUILDS {
        let (image, _) = machine(build);
        for kind in [Kind::Raw, Kind::RdmpUser, Kind::BitmapKernel { live: false }] {
            let place = format!("{build} {kind:?}");
            let held = !matches!(kind, Kind::BitmapKernel { .. });
            let document = document_with(&open(&place, &image, kind), "dlls", &all());
            let found = by_pid(&document);
            let mut gaps = 0_u64;
            for process in &image.truth().processes {
                let place = format!("{place} pid {}", process.pid);
                let rows = found.get(&process.pid).map(Vec::as_slice).unwrap_or_default();
                let native = if held && !hidden(process) { process.dlls.as_slice() } else { &[] };
                let old = if held { process.dlls32.as_slice() } else { &[] };
                gaps += u64::from(process.peb.is_some() && native.is_empty());
                gaps += u64::from(process.peb32.is_some() && old.is_empty());
                tally.check("images", &place, &rows.len().into(), &(native.len() + old.len()).into());
                let native = native.iter().enumerate().map(|(index, dll)| (index, dll, false));
                let old = old.iter().enumerate().map(|(index, dll)| (index, dll, true));
                for (row, (index, dll, wow64)) in rows.iter().zip(native.chain(old)) {
                    check_image(&mut tally, &place, row, (index, dll, wow64), build);
                }
            }
            tally.check("gaps", &place, &told(&document, "loader lists").into(), &gaps.into());
        }
    }
    tally.finish("testkit images");
}

fn check_image(tally: &mut Tally, place: &str, row: &Json, (index, dll, wow64): (usize, &Dll, bool), build: u32) {
    let lists = if index == 0 { json!(["load", "memory"]) } else { json!(["load", "memory", "init"]) };
    for (column, expected) in [
        ("base", address(dll.base)),
        ("size", dll.size.into()),
        ("name", dll.name.as_str().into()),
        ("path", dll.path.as_str().into()),
        ("entry", address(dll.entry)),
        ("flags_raw", dll.flags.into()),
        ("wow64", wow64.into()),
        ("sources", lists),
        ("in_vads", true.into()),
    ] {
        tally.check(column, place, &row[column], &expected);
    }
    let set = match (dll.flags, build) {
        (0, _) => json!([]),
        (_, 7601) => json!(["bit_2", "bit_19"]),
        _ => json!(["ImageDll", "ProcessAttachCalled"]),
    };
    tally.check("flags", place, &row["flags"], &set);
    if wow64 {
        // Only symbols of the 32-bit ntdll know where these are.
        for column in ["load_time", "load_count", "load_reason"] {
            tally.check_absent(column, place, row, &["symbols-needed"]);
        }
        return;
    }
    tally.check("load_time", place, &row["load_time"], &time(dll.load_time.unwrap()));
    let count = dll.load_count.unwrap();
    let count = if build == 7601 { count & 0xffff } else { count };
    tally.check("load_count", place, &row["load_count"], &count.into());
    if build == 7601 {
        tally.check_absent("load_reason", place, row, &["no-such-field"]);
    } else {
        let reason = if dll.load_reason == Some(0) { "StaticDependency" } else { "DynamicLoad" };
        tally.check("load_reason", place, &row["load_reason"], &reason.into());
    }
}

#[test]
fn areas_of_the_testkit_on_every_build() {
    let mut tally = Tally::default();
    for build in BUILDS {
        let (image, wow64) = machine(build);
        for kind in [Kind::Raw, Kind::BitmapKernel { live: false }] {
            let place = format!("{build} {kind:?}");
            let held = kind == Kind::Raw;
            let dump = open(&place, &image, kind);
            let document = document_with(&dump, "vads", &all());
            let found = by_pid(&document);
            tally.check("whole", &place, &told(&document, "tree of memory areas").into(), &0.into());
            for process in &image.truth().processes {
                let place = format!("{place} pid {}", process.pid);
                let rows = found.get(&process.pid).map(Vec::as_slice).unwrap_or_default();
                tally.check("areas", &place, &rows.len().into(), &process.vads.len().into());
                for (row, vad) in rows.iter().zip(&process.vads) {
                    let place = format!("{place} {:#x}", vad.start);
                    for (column, expected) in [
                        ("vad", address(vad.va)),
                        ("start", address(vad.start)),
                        ("end", address(vad.end)),
                        ("size", (vad.end - vad.start + 1).into()),
                        ("type", vad.kind.into()),
                        ("protection", protection(vad.protection.into()).into()),
                        ("protection_raw", vad.protection.into()),
                        ("commit", vad.commit.into()),
                        ("private", (vad.kind == "private").into()),
                        ("file", vad.file.as_deref().into()),
                        (
                            "flags",
                            if vad.kind == "private" && build != 7601 { json!(["MemCommit"]) } else { json!([]) },
                        ),
                    ] {
                        tally.check(column, &place, &row[column], &expected);
                    }
                    let known = held && (!hidden(process) || process.dlls32.iter().any(|dll| dll.base == vad.start));
                    match vad.kind {
                        "image" if known => tally.check("in_loader", &place, &row["in_loader"], &true.into()),
                        "image" => {
                            let why = ["not-in-dump", "paged-out", "demand-zero", "not-present"];
                            tally.check_absent("in_loader", &place, row, &why);
                        }
                        _ => tally.check("in_loader", &place, &row["in_loader"], &Json::Null),
                    }
                }
            }
            // One process asked alone has the same rows.
            let alone = document_with(&dump, "vads", &Arguments::default().with("pid", Argument::Number(wow64)));
            let expected: Vec<Json> = found[&wow64].iter().map(|row| (*row).clone()).collect();
            tally.check("--pid", &place, &alone["rows"], &expected.into());
        }
    }
    tally.finish("testkit areas");
}

/// Where a structure of a process lies in its own memory, and how to change that.
#[derive(Clone)]
struct Victim {
    image: Image,
    pid: u64,
}

impl Victim {
    fn new() -> Self {
        let mut machine = kit::bare(19041).memory(24 << 20).processors(1);
        let pid = machine.process(ProcessSpec::named("victim.exe").session(1));
        machine.process(ProcessSpec::named("other.exe").session(1));
        Self { image: machine.build(), pid }
    }

    fn process(&self) -> &Process {
        self.image.truth().process(self.pid).unwrap()
    }

    fn read(&self, at: u64) -> u64 {
        let bytes = self.image.read_in(self.image.space(self.pid).unwrap(), at, 8).unwrap();
        u64::from_le_bytes(bytes.try_into().unwrap())
    }

    fn write(&mut self, at: u64, value: u64) {
        let physical = self.image.space(self.pid).unwrap().translate(self.image.memory(), at).unwrap().physical;
        self.image.write_physical(physical, &value.to_le_bytes());
    }

    /// The entries of the list in load order.
    fn entries(&self) -> (u64, Vec<u64>) {
        let ldr = self.read(self.process().peb.unwrap() + offset(&self.image, "_PEB", "Ldr"));
        let head = ldr + offset(&self.image, "_PEB_LDR_DATA", "InLoadOrderModuleList");
        let (mut entries, mut at) = (Vec::new(), self.read(head));
        while at != head {
            entries.push(at);
            at = self.read(at);
        }
        (head, entries)
    }

    /// Asks; it must not take long, and the other process is as it was.
    fn ask(&self, table: &str) -> Json {
        let start = Instant::now();
        let document = document(&open("victim", &self.image, Kind::Full), table);
        assert!(start.elapsed() < Duration::from_secs(10), "{table}: {:?}", start.elapsed());
        let other = self.image.truth().processes.iter().find(|process| process.image_name == "other.exe").unwrap();
        let found = by_pid(&document).get(&other.pid).map_or(0, Vec::len);
        assert_eq!(found, if table == "dlls" { other.dlls.len() } else { other.vads.len() }, "{table} of the other");
        document
    }

    fn bases(&self, document: &Json, column: &str) -> Vec<Json> {
        by_pid(document).get(&self.pid).into_iter().flatten().map(|row| row[column].clone()).collect()
    }
}

#[test]
fn a_loop_in_one_list_loses_no_image_that_another_list_has() {
    let whole = Victim::new();
    let (head, entries) = whole.entries();
    let expected: Vec<Json> = whole.process().dlls.iter().map(|dll| address(dll.base)).collect();
    assert!(entries.len() > 3 && entries.len() == expected.len());
    for wrong in [entries[1], entries[0], entries[1] + 8, 0, head + 1, 0xffff_f800_0000_0000, u64::MAX] {
        for side in [0, 8] {
            let mut victim = whole.clone();
            victim.write(entries[1] + side, wrong);
            if victim.read(entries[1] + side) == whole.read(entries[1] + side) {
                continue;
            }
            let document = victim.ask("dlls");
            let mut found = victim.bases(&document, "base");
            found.sort_by_key(|base| expected.iter().position(|known| known == base));
            assert_eq!(found, expected, "{wrong:#x} at {side}");
            assert!(told(&document, "loader's list") > 0, "{wrong:#x} at {side}");
        }
    }
}

#[test]
fn an_image_that_is_unlinked_is_in_no_list_but_in_the_tree() {
    let mut victim = Victim::new();
    let (_, entries) = victim.entries();
    for list in [0_u64, 0x10, 0x20] {
        let (next, before) = (victim.read(entries[2] + list), victim.read(entries[2] + list + 8));
        victim.write(before, next);
        victim.write(next + 8, before);
    }
    let base = victim.process().dlls[2].base;
    let dlls = victim.ask("dlls");
    assert!(!victim.bases(&dlls, "base").contains(&address(base)));
    assert_eq!(array(&dlls["incomplete"]), [] as [Json; 0]);
    let vads = victim.ask("vads");
    let rows = by_pid(&vads);
    let of =
        |start: u64| rows[&victim.pid].iter().find(|row| row["start"] == address(start)).unwrap()["in_loader"].clone();
    assert_eq!((of(base), of(victim.process().dlls[1].base)), (json!(false), json!(true)));
}

#[test]
fn an_entry_that_names_no_image_says_so() {
    let mut victim = Victim::new();
    let (_, entries) = victim.entries();
    let forged = 0x1_8000_0000_u64;
    victim.write(entries[1] + offset(&victim.image, "_LDR_DATA_TABLE_ENTRY", "DllBase"), forged);
    let dlls = victim.ask("dlls");
    let rows = by_pid(&dlls);
    let row = rows[&victim.pid].iter().find(|row| row["base"] == address(forged)).unwrap();
    assert_eq!(row["in_vads"], json!(false));
}

#[test]
fn loader_data_elsewhere_is_not_followed() {
    let kernel = Victim::new().image.truth().kernel.base;
    for wrong in [kernel, 0xffff_8000_0000_0000, u64::MAX, 0x4141_4141_4140, 8] {
        let mut victim = Victim::new();
        let peb = victim.process().peb.unwrap();
        victim.write(peb + offset(&victim.image, "_PEB", "Ldr"), wrong);
        let document = victim.ask("dlls");
        assert_eq!((victim.bases(&document, "base").len(), told(&document, "loader lists")), (0, 1), "{wrong:#x}");
    }
}

#[test]
fn damage_to_the_tree_of_areas_ends_and_is_told() {
    let whole = Victim::new();
    let all: Vec<Json> = whole.process().vads.iter().map(|vad| address(vad.va)).collect();
    let (left, right) =
        (offset(&whole.image, "_MMVAD_SHORT", "VadNode.Left"), offset(&whole.image, "_MMVAD_SHORT", "VadNode.Right"));
    let parent = offset(&whole.image, "_MMVAD_SHORT", "VadNode.ParentValue");
    let top = read_u64(&whole.image, whole.process().eprocess + offset(&whole.image, "_EPROCESS", "VadRoot.Root"));
    let other = whole.image.truth().processes.iter().find(|process| process.image_name == "other.exe").unwrap();
    let foreign = read_u64(&whole.image, other.eprocess + offset(&whole.image, "_EPROCESS", "VadRoot.Root"));
    let nodes: Vec<u64> = whole.process().vads.iter().map(|vad| vad.va).collect();
    for node in &nodes {
        for field in [left, right, parent] {
            // Itself, the top, another process's tree, nothing that is mapped, user memory, an odd address.
            for wrong in [*node, top, foreign, 0xffff_8000_0000_0008, 0x10_0000, top | 1, u64::MAX] {
                let mut victim = whole.clone();
                if read_u64(&victim.image, node + field) & !7 == wrong & !7 && field == parent {
                    continue;
                }
                victim.image.write_kernel(node + field, &wrong.to_le_bytes());
                let document = victim.ask("vads");
                let found = victim.bases(&document, "vad");
                let place = format!("{node:#x} + {field} is {wrong:#x}");
                assert!(told(&document, "tree of memory areas") > 0, "{place}");
                let mut once = found.clone();
                once.sort_by_key(ToString::to_string);
                once.dedup();
                assert_eq!(once.len(), found.len(), "{place}");
                assert!(found.contains(&address(top)), "{place}");
                assert!(field != parent || found == all, "{place}");
            }
        }
    }
}

#[test]
fn a_wrong_top_or_count_is_told() {
    let root = offset(&Victim::new().image, "_EPROCESS", "VadRoot.Root");
    let count = offset(&Victim::new().image, "_EPROCESS", "VadCount");
    for (field, wrong) in [(root, 0), (root, 8), (root, u64::MAX), (count, 0), (count, u64::MAX)] {
        let mut victim = Victim::new();
        let at = victim.process().eprocess + field;
        victim.image.write_kernel(at, &u64::to_le_bytes(wrong));
        let document = victim.ask("vads");
        assert_eq!(told(&document, "tree of memory areas"), 1, "{field:#x} is {wrong:#x}");
        let expected = if field == count { victim.process().vads.len() } else { 0 };
        assert_eq!(victim.bases(&document, "vad").len(), expected);
    }
}

#[test]
fn areas_end_where_they_say_and_nothing_begins_behind_its_end() {
    let mut victim = Victim::new();
    let vad = victim.process().vads[1].clone();
    let end = offset(&victim.image, "_MMVAD_SHORT", "EndingVpn");
    victim.image.write_kernel(vad.va + end, &0_u32.to_le_bytes());
    victim.image.write_kernel(vad.va + offset(&victim.image, "_MMVAD_SHORT", "EndingVpnHigh"), &[0]);
    let document = victim.ask("vads");
    assert!(told(&document, "tree of memory areas") > 0);
    for row in array(&document["rows"]) {
        let (start, end) = (hex(&row["start"]).unwrap(), hex(&row["end"]).unwrap());
        assert!(start < end && (end + 1) % PAGE == 0, "{row}");
    }
}

#[test]
fn a_triage_dump_has_no_memory_of_its_process() {
    let image = kit::typical(19041, 9, 34).build();
    let dump = open("triage", &image, Kind::Triage);
    for table in ["dlls", "vads"] {
        let document = document(&dump, table);
        assert_eq!(array(&document["rows"]).len(), 0, "{table}");
        assert!(array(&document["incomplete"]).iter().all(|gap| gap["reason"] == "not-in-dump"), "{document}");
        assert!(!array(&document["incomplete"]).is_empty(), "{table}");
    }
    assert_eq!(rows(&dump, "mitigations").len(), 1);
}
