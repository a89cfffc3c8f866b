//! The synthetic machines of the shared folder, value by value against their truth files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr, missing_docs)]

mod common;

use common::{Sample, Tally, address, document, hex, rows, samples, shared};
use ntlens::address::VirtAddr;
use ntlens::nt::FileTime;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

fn time(value: &Json) -> Json {
    value.as_u64().map_or(Json::Null, |time| FileTime(time).to_string().into())
}

/// An address of the truth, null for none.
fn at(value: &Json) -> Json {
    hex(value).map_or(Json::Null, address)
}

#[test]
fn info() {
    let mut tally = Tally::default();
    for Sample { name, dump, truth } in samples() {
        let row = &rows(&dump, "info")[0];
        let header = &truth["dump"]["header"];
        let kind = match (truth["dump"]["dump_type"].as_u64().unwrap(), truth["generator"]["kind"].as_str().unwrap()) {
            (1, _) => "full",
            (2, _) => "kernel",
            (5, _) => "bitmap-full",
            (6, "livekernel") => "live",
            (6, _) => "bitmap-kernel",
            (8, _) => "rdmp-kernel",
            (9, _) => "rdmp-kernel-user",
            (10, _) => "rdmp-full",
            other => panic!("{other:?}"),
        };
        let pdb = &truth["isf"];
        let id = format!("{}{:X}", pdb["guid"].as_str().unwrap(), pdb["age"].as_u64().unwrap());
        let parameters: Vec<Json> = header["bugcheck_parameters"].as_array().unwrap().iter().map(at).collect();
        let uptime = header["system_uptime"].as_f64().unwrap() / 1e7;
        let pages = truth["dump"]["pages_in_dump"].clone();
        let attributes = hex(&header["attributes"]).unwrap();
        let origin = if name.starts_with("e8") { "build" } else { "exact" };
        for (column, expected) in [
            ("file_size", truth["dump"]["file_size"].clone()),
            ("dump_kind", kind.into()),
            ("dump_type", truth["dump"]["dump_type"].clone()),
            ("active", (attributes & 0x40 != 0).into()),
            ("windows_build", header["minor"].clone()),
            ("build_lab", truth["build_lab"].clone()),
            ("processors", header["processors"].clone()),
            ("dtb", at(&header["dtb"])),
            ("system_dtb", at(&truth["kernel"]["system_dtb"])),
            ("kernel_base", at(&truth["kernel"]["base"])),
            ("kernel_guid_age", id.into()),
            ("bugcheck_code", hex(&header["bugcheck_code"]).unwrap().into()),
            ("bugcheck_parameters", parameters.into()),
            ("crash_time", time(&header["system_time"])),
            ("uptime", uptime.into()),
            ("boot_time", time(&truth["kernel"]["boot_time"])),
            ("physical_pages_described", pages.clone()),
            ("physical_pages_present", pages),
            ("file_complete", true.into()),
            ("comment", header["comment"].clone()),
            ("layout_origin", origin.into()),
            ("layout_source", "embedded".into()),
        ] {
            tally.check(column, &name, &row[column], &expected);
        }
    }
    finish(tally, "info");
}

/// A tally of nothing is a skip, which only a missing shared folder excuses.
fn finish(tally: Tally, what: &str) {
    if shared().is_some() {
        tally.finish(what);
    }
}

#[test]
fn processes() {
    let mut tally = Tally::default();
    for Sample { name, dump, truth } in samples() {
        let user_pages = truth["dump"]["user_pages_included"].as_bool().unwrap();
        let document = document(&dump, "processes");
        let rows = document["rows"].as_array().unwrap();
        let by_address: BTreeMap<&str, &Json> =
            rows.iter().map(|row| (row["eprocess"].as_str().unwrap(), row)).collect();
        let expected: Vec<&Json> =
            truth["processes"].as_array().unwrap().iter().filter(|process| process["freed"] != json!(true)).collect();
        tally.check("row_count", &name, &document["row_count"], &expected.len().into());

        // The order is that of the active list, then the others by pid.
        let (active, others): (Vec<&Json>, Vec<&Json>) =
            expected.iter().copied().partition(|process| process["in_active_list"] == json!(true));
        let order: Vec<Json> = active.iter().chain(&others).map(|process| process["pid"].clone()).collect();
        let found: Vec<Json> = rows.iter().map(|row| row["pid"].clone()).collect();
        tally.check("order", &name, &found.into(), &order.into());

        for process in expected {
            let place = format!("{name} pid {}", process["pid"]);
            let Some(row) = by_address.get(at(&process["eprocess"]).as_str().unwrap()) else {
                tally.check("eprocess", &place, &Json::Null, &at(&process["eprocess"]));
                continue;
            };
            check_process(&mut tally, &place, row, process, user_pages);
        }
    }
    finish(tally, "processes");
}

fn check_process(tally: &mut Tally, place: &str, row: &Json, process: &Json, user_pages: bool) {
    let user_dtb =
        hex(&process["user_dtb"]).filter(|dtb| *dtb > 1).map_or(Json::Null, |dtb| address(dtb & 0x000f_ffff_ffff_f000));
    let dtb = hex(&process["dtb"]).map_or(Json::Null, |dtb| address(dtb & 0x000f_ffff_ffff_f000));
    for (column, expected) in [
        ("pid", process["pid"].clone()),
        ("ppid", process["ppid"].clone()),
        ("name", process["image_name"].clone()),
        ("create_time", time(&process["create_time"])),
        ("exit_time", time(&process["exit_time"])),
        ("dtb", dtb),
        ("user_dtb", user_dtb),
        ("wow64", process["wow64"].clone()),
        ("active_threads", process["active_threads"].clone()),
        ("critical", process["critical"].clone()),
        ("cross_session_create", process["cross_session_create"].clone()),
        ("job", at(&process["job"])),
        ("token", at(&process["token"]["va"])),
    ] {
        tally.check(column, place, &row[column], &expected);
    }
    // The truth leaves the PEB out where the dump has no user memory.
    if !process["peb"].is_null() {
        tally.check("peb", place, &row["peb"], &at(&process["peb"]));
    }
    // A field that the build has not is null in the truth.
    for column in
        ["system_process", "subsystem_process", "minimal", "pico", "signature_level", "section_signature_level"]
    {
        let truth = &process[column];
        let truth = if column.ends_with("level") { hex(truth).map_or(Json::Null, Json::from) } else { truth.clone() };
        if truth.is_null() {
            tally.check_absent(column, place, row, &["no-such-field"]);
        } else {
            tally.check(column, place, &row[column], &truth);
        }
    }
    match &process["protection"] {
        Json::Null => {
            let expected = if process["protected_win7"] == json!(true) { "Protected" } else { "None" };
            tally.check("protection", place, &row["protection"], &expected.into());
            for column in ["protection_level", "protection_type", "protection_signer", "protection_audit"] {
                tally.check_absent(column, place, row, &["no-such-field"]);
            }
        }
        truth => {
            let (kind, signer) = (truth["type"].as_str().unwrap(), truth["signer"].as_str().unwrap());
            let audit = truth["audit"] != json!(0);
            let text = match kind {
                "None" => "None".to_string(),
                "ProtectedLight" => format!("PPL-{signer}{}", if audit { "-Audit" } else { "" }),
                _ => format!("PP-{signer}{}", if audit { "-Audit" } else { "" }),
            };
            for (column, expected) in [
                ("protection", Json::from(text)),
                ("protection_level", hex(&truth["level"]).unwrap().into()),
                ("protection_type", kind.into()),
                ("protection_signer", signer.into()),
                ("protection_audit", audit.into()),
            ] {
                tally.check(column, place, &row[column], &expected);
            }
        }
    }
    match process["session_id"].as_u64() {
        Some(id) => tally.check("session_id", place, &row["session_id"], &id.into()),
        None => tally.check_absent("session_id", place, row, &["not-applicable"]),
    }
    match process["image_path_state"].as_str().unwrap() {
        "paged_out" => tally.check_absent("image_path", place, row, &["paged-out"]),
        _ => tally.check("image_path", place, &row["image_path"], &process["image_path"]),
    }
    match &process["command_line"] {
        // The truth tells no command line for what has none, and for dumps that cannot hold any.
        Json::Null if user_pages => tally.check("command_line", place, &row["command_line"], &Json::Null),
        Json::Null => {}
        _ if !user_pages => tally.check_absent("command_line", place, row, &["not-in-dump"]),
        line => tally.check("command_line", place, &row["command_line"], line),
    }
    match process["handle_table"]["count"].as_u64() {
        Some(count) if process["handle_table"]["state"] == json!("resident") => {
            tally.check("handle_count", place, &row["handle_count"], &count.into());
        }
        Some(_) => {}
        None => tally.check_absent("handle_count", place, row, &["not-applicable"]),
    }
    for (flags, column) in [
        ("Flags", "flags"),
        ("Flags2", "flags2"),
        ("Flags3", "flags3"),
        ("MitigationFlags", "mitigation_flags"),
        ("MitigationFlags2", "mitigation_flags2"),
    ] {
        let raw = format!("{column}_raw");
        let truth = &process["flags"][flags];
        let Some(value) = hex(&truth["value"]) else {
            tally.check_absent(&raw, place, row, &["no-such-field"]);
            continue;
        };
        tally.check(&raw, place, &row[&raw], &value.into());
        let set = truth["set"].as_array().unwrap();
        if column.starts_with("mitigation") {
            let found = row["mitigations"].as_array().unwrap();
            let all = set.iter().all(|name| found.contains(name));
            tally.check("mitigations", place, &all.into(), &true.into());
        } else {
            tally.check(column, place, &row[column], &truth["set"]);
        }
    }
    let set = process["flags"]["Flags"]["set"].as_array().unwrap();
    for (column, name) in [("exiting", "ProcessExiting"), ("deleted", "ProcessDelete")] {
        tally.check(column, place, &row[column], &set.contains(&name.into()).into());
    }
    let sources = row["sources"].as_array().unwrap();
    let has = |source: &str| Json::from(sources.contains(&source.into()));
    tally.check("sources", place, &has("active-list"), &process["in_active_list"]);
    tally.check("sources", place, &has("cid-table"), &process["in_cid_table"]);
    tally.check("sources", place, &has("session-list"), &(!process["session_id"].is_null()).into());
}

#[test]
fn modules() {
    let mut tally = Tally::default();
    for Sample { name, dump, truth } in samples() {
        let rows = rows(&dump, "modules");
        let expected = truth["modules"].as_array().unwrap();
        tally.check("row_count", &name, &rows.len().into(), &expected.len().into());
        for (row, module) in rows.iter().zip(expected) {
            let place = format!("{name} {}", module["name"]);
            for column in ["name", "path", "size"] {
                tally.check(column, &place, &row[column], &module[column]);
            }
            tally.check("base", &place, &row["base"], &at(&module["base"]));
            // The truth's `entry` is where the list entry lies in pool, not the image's entry point.
            let inside = hex(&row["entry"]).zip(hex(&module["base"])).zip(module["size"].as_u64());
            let inside = inside.is_some_and(|((entry, base), size)| (base..base + size).contains(&entry));
            tally.check("entry", &place, &inside.into(), &true.into());
            for column in ["timestamp", "checksum"] {
                if row[column].is_null() {
                    // Before Windows 10 only the image's own headers tell, and these may not be in memory.
                    let known = module["header"] == json!("present") || dump.kernel().unwrap().build() >= Some(10240);
                    tally.check_absent(column, &place, row, if known { &[] } else { &["no-such-field"] });
                } else {
                    tally.check(column, &place, &row[column], &module[column]);
                }
            }
        }
    }
    finish(tally, "modules");
}

#[test]
fn unloaded() {
    let mut tally = Tally::default();
    for Sample { name, dump, truth } in samples() {
        let mut rows = rows(&dump, "unloaded");
        rows.sort_by_key(|row| row["unload_time"].to_string());
        let mut expected = truth["unloaded_drivers"].as_array().unwrap().clone();
        expected.sort_by_key(|module| module["time"].as_u64());
        tally.check("row_count", &name, &rows.len().into(), &expected.len().into());
        for (row, module) in rows.iter().zip(&expected) {
            let place = format!("{name} {}", module["name"]);
            tally.check("name", &place, &row["name"], &module["name"]);
            tally.check("start", &place, &row["start"], &at(&module["start"]));
            tally.check("end", &place, &row["end"], &at(&module["end"]));
            tally.check("unload_time", &place, &row["unload_time"], &time(&module["time"]));
        }
    }
    finish(tally, "unloaded");
}

#[test]
fn translations() {
    let mut tally = Tally::default();
    for Sample { name, dump, truth } in samples() {
        let kernel = dump.kernel().unwrap();
        let space = kernel.space().paged().unwrap();
        for expected in truth["translations"].as_array().unwrap() {
            let space = space.with_root(hex(&expected["dtb"]).unwrap());
            let va = VirtAddr(hex(&expected["va"]).unwrap());
            let place = format!("{name} {va} ({})", expected["note"]);
            let found = space.translate(va);
            let state = match found {
                Ok(found) => found.residence.name(),
                Err(why) => why.reason(),
            };
            let (expected_state, user) = (expected["state"].as_str().unwrap(), !va.is_kernel());
            let missing = !truth["dump"]["user_pages_included"].as_bool().unwrap() && user;
            let expected_state = match expected_state {
                // The tables of user space are not in a kernel dump.
                "present" | "transition" | "pagefile" | "demand_zero" | "unmapped"
                    if missing && state == "not-in-dump" =>
                {
                    "not-in-dump"
                }
                "present" if state == "prototype" => "prototype",
                "present" => "mapped",
                "transition" => "transition",
                "pagefile" => "paged-out",
                "demand_zero" => "demand-zero",
                "unmapped" => "not-present",
                "noncanonical" => "non-canonical",
                other => panic!("{other}"),
            };
            tally.check("state", &place, &state.into(), &expected_state.into());
            let (Ok(found), Some(pa)) = (found, hex(&expected["pa"])) else { continue };
            tally.check("pa", &place, &address(found.at.0), &address(pa));
            if let Some(size) = expected["page_size"].as_u64() {
                tally.check("page_size", &place, &found.page.bytes().into(), &size.into());
            }
            if let Some(bytes) = expected["bytes16"].as_str() {
                let mut held = [0; 16];
                let result = space.physical().read(ntlens::address::PhysAddr(pa & !0xf), &mut held);
                let text: String = held
                    .iter()
                    .flat_map(|byte| [byte >> 4, byte & 0xf])
                    .map(|n| char::from_digit(n.into(), 16).unwrap())
                    .collect();
                if expected["in_dump"] == json!(true) {
                    tally.check("bytes16", &place, &text.into(), &bytes.into());
                } else {
                    tally.check("bytes16", &place, &result.is_err().into(), &true.into());
                }
            }
        }
    }
    finish(tally, "translations");
}
