//! Mitigations and marks of processes, and how processes differ from their siblings, against what is known of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr, missing_docs)]

mod common;
#[path = "common/kit.rs"]
mod kit;

use common::{Tally, address, document_with, hex, machines, rows, shared};
use kit::offset;
use ntlens::OpenDump;
use ntlens::report::{Argument, Arguments};
use ntlens_testkit::{Image, Kind, ProcessSpec, TokenSpec};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

const BUILDS: [u32; 8] = [7601, 9600, 14393, 17763, 18362, 19041, 20348, 22000];

/// Policies of the mitigations that the truth files have.
const POLICIES: [(&str, &str); 12] = [
    ("ControlFlowGuardEnabled", "cfg"),
    ("HighEntropyASLREnabled", "aslr"),
    ("ForceRelocateImages", "aslr"),
    ("DisallowStrippedImages", "aslr"),
    ("StackRandomizationDisabled", "aslr"),
    ("DisableDynamicCode", "dynamic_code"),
    ("ExtensionPointDisable", "extension_points"),
    ("DisallowWin32kSystemCalls", "win32k"),
    ("SignatureMitigationOptIn", "signature"),
    ("ProhibitRemoteImageMap", "image_load"),
    ("CetUserShadowStacks", "cet"),
    ("RestrictIndirectBranchPrediction", "side_channels"),
];

/// Columns of policies whose bits lie in the `EPROCESS`, with the build that has them first.
const COLUMNS: [(&str, u64); 12] = [
    ("aslr", 7601),
    ("side_channels", 7601),
    ("cfg", 9600),
    ("dynamic_code", 9600),
    ("extension_points", 9600),
    ("win32k", 9600),
    ("signature", 14393),
    ("image_load", 14393),
    ("fonts", 14393),
    ("cet", 17763),
    ("payload", 17763),
    ("xfg", 20348),
];

fn all() -> Arguments {
    Arguments::default().with("all", Argument::Flag)
}

fn finish(tally: Tally, what: &str) {
    if shared().is_some() {
        tally.finish(what);
    }
}

fn present(truth: &Json) -> Vec<&Json> {
    truth["processes"].as_array().unwrap().iter().filter(|process| process["freed"] != json!(true)).collect()
}

/// What is set, by policy.
fn set(process: &Json, build: u64) -> BTreeSet<(&'static str, &'static str)> {
    let words =
        if build >= 17763 { &["MitigationFlags", "MitigationFlags2"][..] } else { &["Flags", "Flags2", "Flags3"] };
    let names: Vec<&Json> =
        words.iter().filter_map(|word| process["flags"][word]["set"].as_array()).flatten().collect();
    POLICIES
        .into_iter()
        .filter(|(name, _)| names.contains(&&json!(name)))
        .map(|(name, policy)| (policy, name))
        .collect()
}

/// The image by its path, where its page is in memory, and whether the process has ended.
fn kind_of(process: &Json) -> (String, bool) {
    let known = ["resident", "transition"].contains(&process["image_path_state"].as_str().unwrap_or_default());
    let path = process["image_path"].as_str().filter(|path| known && !path.is_empty());
    (path.unwrap_or_else(|| process["image_name"].as_str().unwrap()).to_lowercase(), !process["exit_time"].is_null())
}

fn texts(set: impl Iterator<Item = (&'static str, &'static str)>) -> BTreeSet<String> {
    set.map(|(policy, name)| format!("{policy}:{name}")).collect()
}

fn list(value: &Json) -> BTreeSet<String> {
    value.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn mitigations_of_the_shared_machines() {
    let mut tally = Tally::default();
    machines(|name, dump, truth| {
        let build = truth["build"].as_u64().unwrap();
        let document = document_with(dump, "mitigations", &all());
        let rows = document["rows"].as_array().unwrap();
        let by_address: BTreeMap<&str, &Json> =
            rows.iter().map(|row| (row["eprocess"].as_str().unwrap(), row)).collect();
        let processes = present(truth);
        tally.check("row_count", name, &rows.len().into(), &processes.len().into());
        for process in &processes {
            let place = format!("{name} pid {}", process["pid"]);
            let row = by_address[address(hex(&process["eprocess"]).unwrap()).as_str().unwrap()];
            let own = set(process, build);
            for (column, first) in COLUMNS {
                if build < first {
                    tally.check_absent(column, &place, row, &["no-such-field"]);
                    continue;
                }
                let expected: BTreeSet<String> =
                    own.iter().filter(|(policy, _)| *policy == column).map(|(_, name)| (*name).to_owned()).collect();
                tally.check(column, &place, &json!(list(&row[column])), &json!(expected));
            }
            let kind = kind_of(process);
            let others: Vec<_> = processes
                .iter()
                .filter(|other| other["eprocess"] != process["eprocess"] && kind_of(other) == kind)
                .map(|other| set(other, build))
                .collect();
            tally.check("siblings", &place, &row["siblings"], &others.len().into());
            if others.is_empty() {
                tally.check_absent("missing", &place, row, &["not-applicable"]);
                tally.check_absent("extra", &place, row, &["not-applicable"]);
                continue;
            }
            let count = |bit: &(&'static str, &'static str)| others.iter().filter(|other| other.contains(bit)).count();
            let everything: BTreeSet<_> = others.iter().flatten().copied().collect();
            let missing = everything.into_iter().filter(|bit| !own.contains(bit) && count(bit) * 2 > others.len());
            let extra = own.iter().copied().filter(|bit| (others.len() - count(bit)) * 2 > others.len());
            tally.check("missing", &place, &json!(list(&row["missing"])), &json!(texts(missing)));
            tally.check("extra", &place, &json!(list(&row["extra"])), &json!(texts(extra)));
        }
    });
    finish(tally, "mitigations");
}

#[test]
fn marks_of_the_shared_machines() {
    let mut tally = Tally::default();
    machines(|name, dump, truth| {
        let build = truth["build"].as_u64().unwrap();
        let rows = rows(dump, "processes");
        let by_address: BTreeMap<&str, &Json> =
            rows.iter().map(|row| (row["eprocess"].as_str().unwrap(), row)).collect();
        for process in present(truth) {
            let place = format!("{name} pid {}", process["pid"]);
            let row = by_address[address(hex(&process["eprocess"]).unwrap()).as_str().unwrap()];
            let peb32 = hex(&process["peb32"]).map_or(Json::Null, address);
            tally.check("peb32", &place, &row["peb32"], &peb32);
            // The generator marks no process as secure, and writes no pico context.
            if build < 14393 {
                tally.check_absent("secure", &place, row, &["no-such-field"]);
            } else {
                tally.check("secure", &place, &row["secure"], &false.into());
            }
            if build < 9600 {
                tally.check_absent("pico_context", &place, row, &["no-such-field"]);
            } else {
                tally.check("pico_context", &place, &row["pico_context"], &Json::Null);
            }
        }
    });
    finish(tally, "marks");
}

fn open(place: &str, image: &Image) -> OpenDump {
    kit::open(place, kit::dump(image, Kind::BitmapKernel { live: false }).0)
}

/// One value of a column.
fn row(rows: &[Json], pid: u64) -> &Json {
    rows.iter().find(|row| row["pid"] == json!(pid)).unwrap()
}

#[test]
fn mitigations_of_the_testkit_on_every_build() {
    const NO_CHILD_PROCESS: u32 = 0x8_0000;
    let mut tally = Tally::default();
    for build in BUILDS {
        let place = build.to_string();
        let mut machine = kit::bare(build);
        let guarded = |name: &str| {
            ProcessSpec::named(name)
                .bit("StackRandomizationDisabled")
                .bit("ControlFlowGuardEnabled")
                .bit("MitigationFlagsValues.StackRandomizationDisabled")
                .bit("MitigationFlagsValues.ControlFlowGuardEnabled")
                .bit("MitigationFlags2Values.EnableRopSimExec")
        };
        let three: Vec<u64> = (0..3).map(|_| machine.process(guarded("app.exe"))).collect();
        let odd = ProcessSpec::named("APP.exe")
            .bit("Pcb.Flags.ExecuteEnable")
            .bit("Pcb.Flags.DisableExceptionChainValidation");
        let mut token = TokenSpec::user(1001, 0x2000);
        token.flags |= NO_CHILD_PROCESS;
        let odd = machine.process(odd.token(token));
        let alone = machine.process(guarded("alone.exe").image_path("\\Device\\HarddiskVolume3\\Temp\\app.exe"));
        let image = machine.build();
        let rows = rows(&open(&place, &image), "mitigations");
        let names = |first: u32, names: &[&str]| if build >= first { json!(names) } else { Json::Null };
        let (aslr, cfg) = (json!(["StackRandomizationDisabled"]), names(9600, &["ControlFlowGuardEnabled"]));
        let payload = names(17763, &["EnableRopSimExec"]);
        for pid in three.iter().chain([&alone]) {
            let row = row(&rows, *pid);
            for (column, expected) in [("aslr", &aslr), ("cfg", &cfg), ("payload", &payload), ("dep", &json!([]))] {
                tally.check(column, &place, &row[column], expected);
            }
        }
        let found = row(&rows, odd);
        let child = names(10240, &["NoChildProcess"]);
        let compared = |parts: &[(&str, u32)]| -> Vec<String> {
            parts.iter().filter(|(_, first)| build >= *first).map(|(name, _)| (*name).to_owned()).collect()
        };
        let missing = [
            ("aslr:StackRandomizationDisabled", 0),
            ("cfg:ControlFlowGuardEnabled", 9600),
            ("payload:EnableRopSimExec", 17763),
        ];
        let extra = [
            ("dep:ExecuteEnable", 0),
            ("sehop:DisableExceptionChainValidation", 0),
            ("child_process:NoChildProcess", 10240),
        ];
        for (column, expected) in [
            ("dep", json!(["ExecuteEnable"])),
            ("sehop", json!(["DisableExceptionChainValidation"])),
            ("child_process", child),
            ("siblings", 3.into()),
            ("missing", compared(&missing).into()),
            ("extra", compared(&extra).into()),
        ] {
            tally.check(column, &place, &found[column], &expected);
        }
        // Three against one that differs: nobody else does.
        for pid in three {
            tally.check("missing", &place, &row(&rows, pid)["missing"], &json!([]));
            tally.check("extra", &place, &row(&rows, pid)["extra"], &json!([]));
        }
        // The same name in another folder is another image.
        tally.check("siblings", &place, &row(&rows, alone)["siblings"], &0.into());
    }
    tally.finish("testkit mitigations");
}

#[test]
fn trustlets_of_the_testkit_on_every_build() {
    let mut tally = Tally::default();
    for build in BUILDS {
        let place = build.to_string();
        let mut machine = kit::bare(build);
        let trustlet = machine.process(ProcessSpec::named("LsaIso.exe").secure());
        machine.process(ProcessSpec::named("plain.exe").wow64());
        let image = machine.build();
        let rows = rows(&open(&place, &image), "processes");
        for process in &image.truth().processes {
            let row = row(&rows, process.pid);
            tally.check("peb32", &place, &row["peb32"], &process.peb32.map_or(Json::Null, address));
            match process.secure {
                Some(secure) => tally.check("secure", &place, &row["secure"], &secure.into()),
                None => tally.check_absent("secure", &place, row, &["no-such-field"]),
            }
            // One of these builds notes the number of the trustlet in the process.
            if build == 14393 {
                let id = if process.pid == trustlet { 1.into() } else { Json::Null };
                tally.check("trustlet_id", &place, &row["trustlet_id"], &id);
            } else {
                tally.check_absent("trustlet_id", &place, row, &["no-such-field"]);
            }
        }
        let known = image.truth().process(trustlet).unwrap().secure;
        tally.check("marked", &place, &known.into(), &(build >= 14393).then_some(true).into());
    }
    tally.finish("testkit trustlets");
}

#[test]
fn a_pico_process_has_what_its_provider_keeps() {
    let mut machine = kit::bare(19041);
    let pico = machine.process(ProcessSpec::named("init").minimal().bit("PicoCreated").bit("PicoContext"));
    let mut image = machine.build();
    let at = image.truth().process(pico).unwrap().eprocess + offset(&image, "_EPROCESS", "PicoContext");
    let context = 0xffff_a000_1234_5000_u64;
    image.write_kernel(at, &context.to_le_bytes());
    let rows = rows(&open("pico", &image), "processes");
    let row = row(&rows, pico);
    assert_eq!((&row["pico"], &row["minimal"], &row["pico_context"]), (&json!(true), &json!(true), &address(context)));
}
