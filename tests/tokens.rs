//! Tokens and threads against what is known of them: the truth files of the shared folder, and machines of the testkit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr, missing_docs)]

mod common;
#[path = "common/kit.rs"]
mod kit;

use common::{Sample, Tally, address, document, hex, rows, samples};
use ntlens::OpenDump;
use ntlens::nt::FileTime;
use ntlens_testkit::{Image, Kind, ProcessSpec, TokenSpec, truth};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

impl Sample {
    fn has_app_containers(&self) -> bool {
        self.truth["build"].as_u64() >= Some(9200)
    }
}

/// Rows by a column of addresses or texts.
fn by<'a>(rows: &'a [Json], column: &str) -> BTreeMap<&'a str, &'a Json> {
    rows.iter().map(|row| (row[column].as_str().unwrap(), row)).collect()
}

fn at(value: &Json) -> Json {
    hex(value).map_or(Json::Null, address)
}

/// The name of a level; the truth files have no odd one but medium plus.
fn level(rid: u64) -> &'static str {
    match rid {
        0 => "Untrusted",
        0x1000 => "Low",
        0x2000 => "Medium",
        0x2100 => "MediumPlus",
        0x3000 => "High",
        0x4000 => "System",
        other => panic!("level {other:#x}"),
    }
}

/// Attributes as `tokens` writes them.
fn attributes(value: &Json) -> Json {
    let text = match hex(value).unwrap() {
        0 => "",
        0x7 => "Mandatory|EnabledByDefault|Enabled",
        0xe => "EnabledByDefault|Enabled|Owner",
        0xf => "Mandatory|EnabledByDefault|Enabled|Owner",
        0x10 => "UseForDenyOnly",
        0x60 => "Integrity|IntegrityEnabled",
        0xc000_0007 => "Mandatory|EnabledByDefault|Enabled|LogonId",
        other => panic!("attributes {other:#x}"),
    };
    text.into()
}

/// What both tables tell of a token.
fn check_shared(tally: &mut Tally, place: &str, row: &Json, token: &Json, app_containers: bool) {
    let rid = token["integrity_rid"].as_u64().unwrap();
    let restricted = token["restricted_sids"].as_array().unwrap();
    for (column, expected) in [
        ("user_sid", token["user"].clone()),
        ("integrity", level(rid).into()),
        ("integrity_rid", rid.into()),
        ("token_session_id", token["session_id"].clone()),
        ("logon_id", hex(&token["auth_id"]).unwrap().into()),
        ("app_container", token["appcontainer"].clone()),
        ("privileges_enabled", token["privileges_on"].clone()),
        ("restricted", (!restricted.is_empty()).into()),
    ] {
        tally.check(column, place, &row[column], &expected);
    }
    if app_containers {
        let capabilities = token["capabilities"].as_array().unwrap();
        tally.check("capabilities", place, &row["capabilities"], &capabilities.len().into());
        tally.check("package_sid", place, &row["package_sid"], &token["package_sid"]);
        tally.check("trust_label", place, &row["trust_label"], &token["trust_level_sid"]);
    } else {
        for column in ["capabilities", "package_sid", "trust_label"] {
            tally.check_absent(column, place, row, &["no-such-field"]);
        }
    }
    let name = match token["user"].as_str().unwrap() {
        "S-1-5-18" => json!("LocalSystem"),
        "S-1-5-19" => json!("Local Service"),
        "S-1-5-20" => json!("Network Service"),
        sid => match sid.rsplit_once('-').unwrap() {
            ("S-1-5-90-0", session) => format!("DWM-{session}").into(),
            ("S-1-5-96-0", session) => format!("UMFD-{session}").into(),
            _ => Json::Null,
        },
    };
    tally.check("user_name", place, &row["user_name"], &name);
}

/// What only `tokens` tells.
fn check_token(tally: &mut Tally, place: &str, row: &Json, token: &Json, app_containers: bool) {
    check_shared(tally, place, row, token, app_containers);
    let sids = token["sids"].as_array().unwrap();
    for (column, expected) in [
        ("groups", sids.iter().map(|entry| entry["sid"].clone()).collect::<Json>()),
        ("group_attributes", sids.iter().map(|entry| attributes(&entry["attributes"])).collect()),
        ("privileges_present", token["privileges"].clone()),
        ("privileges_present_raw", hex(&token["privileges_present"]).unwrap().into()),
        ("privileges_enabled_raw", hex(&token["privileges_enabled"]).unwrap().into()),
        ("privileges_default_raw", hex(&token["privileges_default"]).unwrap().into()),
        ("restricted_sids", token["restricted_sids"].clone()),
        ("flags_raw", hex(&token["token_flags"]).unwrap().into()),
    ] {
        tally.check(column, place, &row[column], &expected);
    }
    if app_containers {
        tally.check("capability_sids", place, &row["capability_sids"], &token["capabilities"]);
    } else {
        tally.check_absent("capability_sids", place, row, &["no-such-field"]);
    }
}

#[test]
fn tokens_of_processes() {
    let mut tally = Tally::default();
    for sample in samples() {
        let processes = rows(&sample.dump, "processes");
        let tokens = rows(&sample.dump, "tokens");
        let (by_process, by_token) = (by(&processes, "eprocess"), by(&tokens, "token"));
        for process in sample.processes() {
            let place = format!("{} pid {}", sample.name, process["pid"]);
            let token = &process["token"];
            // A page in transition is in memory; none of these is paged out.
            assert!(["resident", "transition"].contains(&token["state"].as_str().unwrap()));
            let row = by_process[at(&process["eprocess"]).as_str().unwrap()];
            check_shared(&mut tally, &place, row, token, sample.has_app_containers());
            let row = by_token[at(&token["va"]).as_str().unwrap()];
            check_token(&mut tally, &place, row, token, sample.has_app_containers());
            tally.check("used_by", &place, &row["used_by"], &json!([process["pid"].to_string()]));
            tally.check("type", &place, &row["type"], &"Primary".into());
            tally.check_absent("impersonation_level", &place, row, &["not-applicable"]);
        }
        let acting = sample.truth["impersonating_threads"].as_array().unwrap().len();
        tally.check("row_count", &sample.name, &tokens.len().into(), &(sample.processes().len() + acting).into());
    }
    tally.finish_shared("tokens");
}

const STATES: [&str; 6] = ["Initialized", "Ready", "Running", "Standby", "Terminated", "Waiting"];

/// `_KWAIT_REASON` as the kernels have it; 14 was renamed after Windows 7.
const REASONS: [&str; 38] = [
    "Executive",
    "FreePage",
    "PageIn",
    "PoolAllocation",
    "DelayExecution",
    "Suspended",
    "UserRequest",
    "WrExecutive",
    "WrFreePage",
    "WrPageIn",
    "WrPoolAllocation",
    "WrDelayExecution",
    "WrSuspended",
    "WrUserRequest",
    "WrEventPair|WrSpare0",
    "WrQueue",
    "WrLpcReceive",
    "WrLpcReply",
    "WrVirtualMemory",
    "WrPageOut",
    "WrRendezvous",
    "WrKeyedEvent",
    "WrTerminated",
    "WrProcessInSwap",
    "WrCpuRateControl",
    "WrCalloutStack",
    "WrKernel",
    "WrResource",
    "WrPushLock",
    "WrMutex",
    "WrQuantumEnd",
    "WrDispatchInt",
    "WrPreempted",
    "WrYieldExecution",
    "WrFastMutex",
    "WrGuardedMutex",
    "WrRundown",
    "MaximumWaitReason|WrAlertByThreadId",
];

/// The name of a wait reason.
fn reason(value: &Json, build: u64) -> &'static str {
    let name = REASONS[usize::try_from(value.as_u64().unwrap()).unwrap()];
    let names = name.split_once('|');
    names.map_or(name, |(on_7, later)| if build < 9200 { on_7 } else { later })
}

#[test]
fn threads_and_for_whom_they_act() {
    let mut tally = Tally::default();
    for sample in samples() {
        let (found, tokens) = (rows(&sample.dump, "threads"), rows(&sample.dump, "tokens"));
        let (by_address, by_token) = (by(&found, "ethread"), by(&tokens, "token"));
        let build = sample.truth["build"].as_u64().unwrap();
        let mut count = 0;
        for process in sample.processes() {
            if process["in_active_list"] != json!(true) {
                continue;
            }
            for thread in process["threads"].as_array().unwrap() {
                count += 1;
                let place = format!("{} {}.{}", sample.name, process["pid"], thread["tid"]);
                let Some(row) = by_address.get(at(&thread["va"]).as_str().unwrap()) else {
                    tally.check("ethread", &place, &Json::Null, &at(&thread["va"]));
                    continue;
                };
                let state = STATES[usize::try_from(thread["state"].as_u64().unwrap()).unwrap()];
                for (column, expected) in [
                    ("pid", process["pid"].clone()),
                    ("tid", thread["tid"].clone()),
                    ("process_name", process["image_name"].clone()),
                    ("state", state.into()),
                    ("wait_reason", reason(&thread["wait_reason"], build).into()),
                    ("start_address", at(&thread["start"])),
                    ("win32_start_address", at(&thread["win32_start"])),
                    ("create_time", FileTime(thread["create_time"].as_u64().unwrap()).to_string().into()),
                    ("teb", hex(&thread["teb"]).filter(|teb| *teb != 0).map_or(Json::Null, address)),
                ] {
                    tally.check(column, &place, &row[column], &expected);
                }
                check_acting(&mut tally, &place, row, thread, &by_token, sample.has_app_containers());
            }
        }
        tally.check("row_count", &sample.name, &found.len().into(), &count.into());
        // The truth says it twice.
        let acting = found.iter().filter(|row| !row["impersonation"].is_null());
        let acting: Vec<Json> = acting.map(|row| json!([row["pid"], row["tid"], row["impersonation_token"]])).collect();
        let expected = sample.truth["impersonating_threads"].as_array().unwrap().iter();
        let mut expected: Vec<Json> = expected.map(|row| json!([row["pid"], row["tid"], at(&row["token"])])).collect();
        expected.sort_by_key(|row| acting.iter().position(|found| found == row));
        tally.check("impersonating_threads", &sample.name, &acting.into(), &expected.into());
    }
    tally.finish_shared("threads");
}

fn check_acting(
    tally: &mut Tally,
    place: &str,
    row: &Json,
    thread: &Json,
    tokens: &BTreeMap<&str, &Json>,
    app_containers: bool,
) {
    let acting = &thread["impersonation"];
    if acting.is_null() {
        for column in ["impersonation", "impersonation_token", "impersonation_user_sid", "effective_only"] {
            tally.check(column, place, &row[column], &Json::Null);
        }
        return;
    }
    for (column, expected) in [
        ("impersonation", acting["level_name"].clone()),
        ("impersonation_token", at(&acting["token"]["va"])),
        ("impersonation_user_sid", acting["token"]["user"].clone()),
        ("effective_only", acting["effective_only"].clone()),
    ] {
        tally.check(column, place, &row[column], &expected);
    }
    let token = tokens[at(&acting["token"]["va"]).as_str().unwrap()];
    check_token(tally, place, token, &acting["token"], app_containers);
    for (column, expected) in [
        ("type", json!("Impersonation")),
        ("impersonation_level", acting["level_name"].clone()),
        ("used_by", json!([])),
        ("impersonated_by", json!([format!("{}.{}", row["pid"], row["tid"])])),
    ] {
        tally.check(column, place, &token[column], &expected);
    }
}

const BUILDS: [u32; 8] = [7601, 9600, 14393, 17763, 18362, 19041, 20348, 22000];

fn open(place: &str, image: &Image, kind: Kind) -> OpenDump {
    kit::open(place, kit::dump(image, kind).0)
}

fn check_kit_token(tally: &mut Tally, place: &str, row: &Json, token: &truth::Token) {
    for (column, expected) in [
        ("token_session_id", token.session_id.into()),
        ("user_sid", token.user.as_str().into()),
        ("integrity_rid", token.integrity_rid.into()),
        ("logon_id", token.auth_id.into()),
        ("app_container", false.into()),
        ("restricted", false.into()),
        ("elevation", Json::Null),
    ] {
        tally.check(column, place, &row[column], &expected);
    }
}

#[test]
fn tokens_of_the_testkit_on_every_build() {
    let mut tally = Tally::default();
    for build in BUILDS {
        let mut machine = kit::typical(build, 7, 34);
        // A level between two that have names, and a user whose name nobody knows.
        let token = TokenSpec { integrity: 0x2010, ..TokenSpec::user(4242, 0) };
        let odd = machine.process(ProcessSpec::named("odd.exe").session(1).token(token));
        let image = machine.build();
        for kind in [Kind::BitmapKernel { live: false }, Kind::Raw] {
            let place = format!("{build} {kind:?}");
            let dump = open(&place, &image, kind);
            let (processes, tokens) = (rows(&dump, "processes"), rows(&dump, "tokens"));
            let (by_process, by_token) = (by(&processes, "eprocess"), by(&tokens, "token"));
            tally.check("tokens", &place, &tokens.len().into(), &image.truth().processes.len().into());
            for process in &image.truth().processes {
                let place = format!("{place} pid {}", process.pid);
                let token = &process.token;
                check_kit_token(&mut tally, &place, by_process[address(process.eprocess).as_str().unwrap()], token);
                let row = by_token[address(token.va).as_str().unwrap()];
                check_kit_token(&mut tally, &place, row, token);
                let sids: Vec<&str> = token.sids.iter().map(|entry| entry.sid.as_str()).collect();
                for (column, expected) in [
                    ("groups", sids.into()),
                    ("privileges_present_raw", token.privileges_present.into()),
                    ("privileges_enabled_raw", token.privileges_enabled.into()),
                    ("privileges_default_raw", token.privileges_default.into()),
                    ("flags_raw", token.token_flags.into()),
                    ("type", "Primary".into()),
                    ("used_by", json!([process.pid.to_string()])),
                    ("primary_group", token.user.as_str().into()),
                    ("source_name", if token.auth_id == 0x3e7 { "*SYSTEM*" } else { "User32" }.into()),
                ] {
                    tally.check(column, &place, &row[column], &expected);
                }
            }
            let row = processes.iter().find(|row| row["pid"] == json!(odd)).unwrap();
            tally.check("integrity", &place, &row["integrity"], &"Medium+0x10".into());
            tally.check("user_name", &place, &row["user_name"], &Json::Null);
        }
    }
    tally.finish("testkit tokens");
}

#[test]
fn threads_of_the_testkit_on_every_build() {
    let mut tally = Tally::default();
    for build in BUILDS {
        let image = kit::typical(build, 8, 34).build();
        for kind in [Kind::BitmapKernel { live: false }, Kind::Raw] {
            let place = format!("{build} {kind:?}");
            let document = document(&open(&place, &image, kind), "threads");
            tally.check("incomplete", &place, &document["incomplete"], &json!([]));
            let found = document["rows"].as_array().unwrap();
            let by_address = by(found, "ethread");
            let active = image.truth().processes.iter().filter(|process| process.in_active_list);
            let mut count = 0;
            for (process, thread) in
                active.flat_map(|process| process.threads.iter().map(move |thread| (process, thread)))
            {
                count += 1;
                let place = format!("{place} {}.{}", process.pid, thread.tid);
                let row = by_address[address(thread.va).as_str().unwrap()];
                let running = image.truth().cpus.iter().any(|cpu| cpu.current_thread == thread.va);
                // The first entry of a page of handles is reserved: Windows gives no such id, and the table shows none.
                let both = ["thread-list", "cid-table"];
                let sources = if thread.tid % 1024 == 0 { &both[..1] } else { &both[..] };
                for (column, expected) in [
                    ("pid", process.pid.into()),
                    ("tid", thread.tid.into()),
                    ("state", if running { "Running" } else { "Waiting" }.into()),
                    ("wait_reason", "UserRequest".into()),
                    ("start_address", address(thread.start)),
                    ("start_module", "ntoskrnl.exe".into()),
                    ("create_time", FileTime(thread.create_time).to_string().into()),
                    ("impersonation", Json::Null),
                    ("sources", sources.into()),
                ] {
                    tally.check(column, &place, &row[column], &expected);
                }
            }
            tally.check("row_count", &place, &found.len().into(), &count.into());
        }
    }
    tally.finish("testkit threads");
}

#[test]
fn a_triage_dump_has_one_thread_and_no_token() {
    let image = kit::typical(19041, 9, 34).build();
    let dump = open("triage", &image, Kind::Triage);
    let row = &rows(&dump, "processes")[0];
    for column in ["integrity", "integrity_rid", "user_sid", "user_name", "logon_id", "app_container", "trust_label"] {
        assert_eq!((&row[column], &row["absent"][column]), (&Json::Null, &json!("not-in-dump")), "{column}");
    }
    let threads = rows(&dump, "threads");
    assert_eq!((threads.len(), &threads[0]["ethread"]), (1, &address(image.truth().kernel.current_thread)));
}
