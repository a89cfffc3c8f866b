//! The real dumps of the shared folder, fact by fact. Their content stays in the test: nothing of it is printed or kept.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr, missing_docs)]

mod common;

use common::{Tally, address, document, dump_file, files, hex, json, rows, shared};
use ntlens::OpenDump;
use ntlens::nt::context::Context;
use serde_json::{Value as Json, json};
use std::path::Path;

/// Dumps whose facts tell of a process: all but the file of zeros and the head of a complete dump.
fn triage_dumps() -> Vec<(String, OpenDump, Json)> {
    let Some(shared) = shared() else { return Vec::new() };
    let all = files(&shared.join("real"), ".dmp.xz");
    assert!(all.len() >= 15, "{} real dumps", all.len());
    let with_facts = all.iter().map(|path| (path, facts(path))).filter(|(_, facts)| facts.get("process").is_some());
    let found: Vec<_> = with_facts
        .map(|(path, facts)| {
            let name = facts["name"].as_str().unwrap().to_string();
            let dump = ntlens::open(dump_file(path)).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, dump, facts)
        })
        .collect();
    assert!(found.len() >= 13, "{} triage dumps", found.len());
    found
}

fn facts(packed: &Path) -> Json {
    let name = packed.file_name().unwrap().to_string_lossy().replace(".dmp.xz", ".facts.json");
    json(&packed.with_file_name(name))
}

fn finish(tally: Tally, what: &str) {
    if shared().is_some() {
        tally.finish(what);
    }
}

fn at(value: &Json) -> Json {
    hex(value).map_or(Json::Null, address)
}

/// An address that is null where Windows stores zero for "none".
fn pointer(value: &Json) -> Json {
    hex(value).filter(|value| *value != 0).map_or(Json::Null, address)
}

/// Whether two times are the same to the microsecond that the facts give.
fn same_time(found: &Json, expected: &Json) -> bool {
    let micro =
        |text: &Json| text.as_str().map(|text| text.trim_end_matches('Z').get(..26).unwrap_or(text).to_string());
    match (micro(found), micro(expected)) {
        (Some(found), Some(expected)) => found.get(..25) == expected.get(..25),
        _ => false,
    }
}

#[test]
fn headers() {
    let mut tally = Tally::default();
    for (name, dump, facts) in triage_dumps() {
        let row = &rows(&dump, "info")[0];
        let header = &facts["header"];
        check_header(&mut tally, &name, row, header);
        tally.check("dump_kind", &name, &row["dump_kind"], &"triage".into());
        tally.check("file_size", &name, &row["file_size"], &facts["file"]["size"]);
        tally.check("kernel_base", &name, &row["kernel_base"], &at(&facts["kdbg"]["kern_base"]));
        if let Some(lab) = facts["build_lab_string"]["text"].as_str() {
            tally.check("build_lab", &name, &row["build_lab"], &lab.into());
        }
        tally.check("layout_origin", &name, &row["layout_origin"], &"build".into());
        tally.check("physical_pages_described", &name, &row["physical_pages_described"], &Json::Null);
        let complete = hex(&facts["triage_header"]["SizeOfDump"]) <= facts["file"]["size"].as_u64();
        tally.check("file_complete", &name, &row["file_complete"], &complete.into());

        let held = dump.dump().header.as_ref().unwrap();
        for (field, found) in [
            ("pfn_database", held.pfn_database),
            ("ps_loaded_module_list", held.ps_loaded_module_list),
            ("ps_active_process_head", held.ps_active_process_head),
            ("kd_debugger_data_block", held.kd_debugger_data_block),
        ] {
            tally.check(field, &name, &found.map_or(Json::Null, |found| address(found.0)), &at(&header[field]));
        }
        tally.check("major_version", &name, &held.major_version.into(), &header["major_version"]);
        tally.check(
            "required_dump_space",
            &name,
            &held.required_dump_space.map_or(Json::Null, address),
            &at(&header["required_dump_space"]),
        );
        tally.check("mini_dump_fields", &name, &held.mini_dump_fields.into(), &hex(&header["mini_dump_fields"]).into());
        let block = &facts["physical_memory_block"];
        let runs = held.physical_memory_block.as_ref().map_or(Json::Null, |block| {
            block.runs.iter().map(|run| json!([format!("{:#x}", run.base.0), format!("{:#x}", run.count)])).collect()
        });
        tally.check("runs", &name, &runs, block.get("runs").unwrap_or(&Json::Null));
        let exception = held.exception.as_ref().unwrap();
        tally.check("exception", &name, &address(exception.address.0), &at(&facts["exception"]["address"]));
        tally.check(
            "exception_code",
            &name,
            &u64::from(exception.code).into(),
            &hex(&facts["exception"]["code"]).into(),
        );
        tally.check("exception_parameters", &name, &exception.parameters.len().into(), &facts["exception"]["n_params"]);
    }
    finish(tally, "headers of real dumps");
}

fn check_header(tally: &mut Tally, name: &str, row: &Json, header: &Json) {
    let parameters: Vec<Json> = header["bugcheck_parameters"].as_array().unwrap().iter().map(at).collect();
    for (column, expected) in [
        ("dump_type", header["dump_type"].clone()),
        ("windows_build", header["minor_version_build"].clone()),
        ("processors", header["number_processors"].clone()),
        ("dtb", at(&header["directory_table_base"])),
        ("bugcheck_code", hex(&header["bugcheck_code"]).into()),
        ("bugcheck_parameters", parameters.into()),
        ("machine", "x64".into()),
        ("product_type", if header["product_type"] == json!(1) { "workstation".into() } else { Json::Null }),
    ] {
        tally.check(column, name, &row[column], &expected);
    }
    tally.check("crash_time", name, &same_time(&row["crash_time"], &header["system_time_utc"]).into(), &true.into());
    let close = (row["uptime"].as_f64().unwrap() - header["system_up_time_s"].as_f64().unwrap()).abs() < 0.001;
    tally.check("uptime", name, &close.into(), &true.into());
    let suites = row["suites"].as_array().unwrap();
    let mask = hex(&header["suite_mask"]).unwrap();
    tally.check("suites", name, &suites.len().into(), &mask.count_ones().into());
}

#[test]
fn modules() {
    let mut tally = Tally::default();
    for (name, dump, facts) in triage_dumps() {
        let rows = rows(&dump, "modules");
        tally.check("row_count", &name, &rows.len().into(), &facts["driver_count"]);
        for (row, driver) in rows.iter().zip(facts["drivers"].as_array().unwrap()) {
            let stored = driver["name"].as_str().unwrap();
            let leaf = stored.rsplit('\\').next().unwrap();
            tally.check("name", &name, &row["name"], &leaf.into());
            if stored.contains('\\') {
                tally.check("path", &name, &row["path"], &stored.into());
            } else {
                tally.check_absent("path", &name, row, &["not-in-dump"]);
            }
            tally.check("base", &name, &row["base"], &at(&driver["base"]));
            for column in ["size", "timestamp", "checksum"] {
                tally.check(column, &name, &row[column], &hex(&driver[column]).into());
            }
        }
        let unloaded = common::rows(&dump, "unloaded");
        tally.check("unloaded", &name, &unloaded.len().into(), &facts["unloaded_count"]);
        for (row, module) in unloaded.iter().zip(facts["unloaded_drivers"].as_array().unwrap()) {
            // The facts keep what stands in the twelve characters behind a shorter name: the length cuts it.
            let characters = usize::try_from(module["full_name_length"].as_u64().unwrap() / 2).unwrap();
            let stored: String = module["name"].as_str().unwrap().chars().take(characters).collect();
            tally.check("unloaded.name", &name, &row["name"], &stored.into());
            tally.check("unloaded.start", &name, &row["start"], &at(&module["start"]));
            tally.check("unloaded.end", &name, &row["end"], &at(&module["end"]));
            tally.check_absent("unload_time", &name, row, &["not-in-dump"]);
        }
    }
    finish(tally, "modules of real dumps");
}

#[test]
fn processes() {
    let mut tally = Tally::default();
    let mut protections = Vec::new();
    for (name, dump, facts) in triage_dumps() {
        let document = document(&dump, "processes");
        let truth = &facts["process"];
        tally.check("row_count", &name, &document["row_count"], &1.into());
        let row = &document["rows"][0];
        let session = hex(&truth["session"]);
        let protection = hex(&truth["protection"]["level"]).unwrap();
        protections.push((dump.kernel().unwrap().build(), row["name"].clone(), protection));
        for (column, expected) in [
            ("eprocess", at(&facts["thread"]["apc_state_process"])),
            ("pid", truth["unique_process_id"].clone()),
            ("ppid", truth["inherited_from"].clone()),
            ("name", truth["image_file_name"].clone()),
            ("dtb", at(&truth["directory_table_base"])),
            ("token", at(&truth["token_pointer"])),
            ("peb", pointer(&truth["peb"])),
            ("job", pointer(&truth["job"])),
            ("active_threads", truth["active_threads"].clone()),
            ("protection_level", protection.into()),
            ("protection_audit", (truth["protection"]["audit"] == json!(1)).into()),
            ("signature_level", hex(&truth["signature_level"]).into()),
            ("section_signature_level", hex(&truth["section_signature_level"]).into()),
            ("wow64", (hex(&truth["wow64_process"]) != Some(0)).into()),
            ("sources", json!(["crash-context"])),
        ] {
            tally.check(column, &name, &row[column], &expected);
        }
        tally.check(
            "create_time",
            &name,
            &same_time(&row["create_time"], &truth["create_time_utc"]).into(),
            &true.into(),
        );
        // The session's own structure is in few triage dumps.
        let blocks = facts["data_blocks"].as_array().unwrap();
        let block = |b: &Json| hex(&b[0]).unwrap()..hex(&b[0]).unwrap() + hex(&b[1]).unwrap();
        let holds = |at: u64| blocks.iter().any(|b| block(b).contains(&at));
        match session.unwrap() {
            0 => tally.check_absent("session_id", &name, row, &["not-applicable"]),
            at if holds(at + 8) => {
                let small = row["session_id"].as_u64().is_some_and(|id| id < 16);
                tally.check("session_id", &name, &small.into(), &true.into());
            }
            _ => tally.check_absent("session_id", &name, row, &["not-in-dump"]),
        }
        for (flags, column) in [
            ("flags", "flags"),
            ("flags2", "flags2"),
            ("flags3", "flags3"),
            ("mitigationflags", "mitigation_flags"),
            ("mitigationflags2", "mitigation_flags2"),
        ] {
            let raw = format!("{column}_raw");
            match hex(&truth[flags]["value"]) {
                Some(value) => tally.check(&raw, &name, &row[&raw], &value.into()),
                None => tally.check_absent(&raw, &name, row, &["no-such-field"]),
            }
            if flags.starts_with("flags") {
                tally.check(column, &name, &row[column], &truth[flags]["set"]);
            }
        }
    }
    if shared().is_some() {
        // What the debugger shows: System is PP-WinSystem on build 19041 and PP-WinTcb on 9600.
        assert!(protections.contains(&(Some(19041), "System".into(), 0x72)));
        assert!(protections.contains(&(Some(9600), "System".into(), 0x62)));
    }
    finish(tally, "processes of real dumps");
}

#[test]
fn crashes() {
    let mut tally = Tally::default();
    for (name, dump, facts) in triage_dumps() {
        let row = &rows(&dump, "crash")[0];
        let (thread, prcb) = (&facts["thread"], &facts["prcb"]);
        for (column, expected) in [
            ("eprocess", at(&thread["apc_state_process"])),
            ("ethread", at(&prcb["current_thread"])),
            ("tid", thread["cid_thread"].clone()),
            ("thread_pid", thread["cid_process"].clone()),
            ("stack_base", at(&thread["stack_base"])),
            ("stack_limit", at(&thread["stack_limit"])),
            ("kernel_stack", at(&thread["kernel_stack"])),
            ("teb", pointer(&thread["teb"])),
            ("trap_frame", pointer(&thread["trap_frame"])),
            ("start_address", at(&thread["start_address"])),
            ("win32_start_address", at(&thread["win32_start_address"])),
            ("processor", prcb["number"].clone()),
            ("cr0", at(&prcb["cr0"])),
            ("cr3", at(&prcb["cr3_in_special_registers"])),
            ("cr4", at(&prcb["cr4"])),
        ] {
            tally.check(column, &name, &row[column], &expected);
        }
        let crash = dump.kernel().unwrap().crash();
        let processor = crash.processor.as_ref().unwrap();
        tally.check("mhz", &name, &processor.mhz().unwrap().into(), &prcb["mhz"]);
        tally.check("idle_thread", &name, &address(processor.idle_thread().unwrap().0), &at(&prcb["idle_thread"]));
        if let Some(vendor) = prcb["vendor_string"].as_str() {
            tally.check("vendor", &name, &processor.vendor().unwrap().into(), &vendor.into());
        }
        check_context(&mut tally, &name, &crash.header_context.unwrap(), &facts["context"]);
        if let Some(context_at) = hex(&prcb["context_pointer"]) {
            tally.check("context_at", &name, &address(processor.context_at().unwrap().0), &address(context_at));
        }
        let present = prcb["context_present_in_blocks"] == json!(true);
        tally.check("bugcheck_context", &name, &crash.bugcheck_context.is_ok().into(), &present.into());
        if present {
            check_context(&mut tally, &name, &crash.bugcheck_context.unwrap(), &prcb["context_at_bugcheck"]);
        }
    }
    finish(tally, "crashes of real dumps");
}

fn check_context(tally: &mut Tally, name: &str, found: &Context, facts: &Json) {
    let Context { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15, rip, .. } = *found;
    for (register, value) in [
        ("rax", rax),
        ("rcx", rcx),
        ("rdx", rdx),
        ("rbx", rbx),
        ("rsp", rsp),
        ("rbp", rbp),
        ("rsi", rsi),
        ("rdi", rdi),
        ("r8", r8),
        ("r9", r9),
        ("r10", r10),
        ("r11", r11),
        ("r12", r12),
        ("r13", r13),
        ("r14", r14),
        ("r15", r15),
        ("rip", rip),
        ("eflags", found.eflags.into()),
        ("context_flags", found.context_flags.into()),
    ] {
        tally.check(register, name, &address(value), &at(&facts[register]));
    }
}

/// Windows wrote them: of the file itself, its tables and the kernel's strings nothing is wrong.
#[test]
fn no_false_alarm() {
    let mut dumps: Vec<(String, OpenDump)> = triage_dumps().into_iter().map(|(name, dump, _)| (name, dump)).collect();
    if let Some(shared) = shared() {
        for path in files(&shared.join("dumps"), ".dmp.xz") {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            dumps.push((name, ntlens::open(dump_file(&path)).unwrap()));
        }
    }
    for (name, dump) in dumps {
        let faults = ntlens::report::doctor::diagnose(&dump).faults;
        let of_file = |structure: &str| {
            ["DUMP_", "TRIAGE_DUMP64", "BITMAP_DUMP", "SUMMARY_DUMP", "RDMP_HEADER64", "file", "_UNICODE_STRING"]
                .iter()
                .any(|start| structure.starts_with(start))
        };
        let wrong = faults.iter().filter_map(|fault| fault.incomplete.wrong.as_deref());
        let alarms: Vec<_> = wrong.filter(|wrong| of_file(&wrong.structure)).collect();
        assert!(alarms.is_empty(), "{name}: {alarms:?}");
    }
}

/// Every byte that the facts list as a block is there, and no more.
#[test]
fn coverage() {
    let mut tally = Tally::default();
    for (name, dump, facts) in triage_dumps() {
        let triage = dump.kernel().unwrap().triage().unwrap().clone();
        for block in facts["data_blocks"].as_array().unwrap() {
            let (start, len) = (hex(&block[0]).unwrap(), hex(&block[1]).unwrap());
            let offset = |at: u64| triage.space.file_offset(ntlens::address::VirtAddr(at)).is_ok();
            let held = len == 0 || (offset(start) && offset(start + len - 1));
            tally.check("data_block", &name, &held.into(), &true.into());
        }
    }
    finish(tally, "data blocks of real dumps");
}

#[test]
fn a_file_of_zeros_and_the_head_of_a_complete_dump_get_the_answer_they_deserve() {
    let Some(shared) = shared() else { return };
    let real = shared.join("real");
    let zeros = dump_file(&real.join("criticalrocket_111217-47250-01.dmp.xz"));
    let error = ntlens::open(zeros).unwrap_err().to_string();
    assert!(error.contains("zero bytes") && error.contains("no kernel dump"), "{error}");

    let packed = real.join("imhex_dumpit_full_head.dmp.xz");
    let dump = ntlens::open(dump_file(&packed)).unwrap();
    let facts = facts(&packed);
    let mut tally = Tally::default();
    let row = &rows(&dump, "info")[0];
    check_header(&mut tally, "head", row, &facts["header"]);
    for (column, expected) in [
        ("dump_kind", Json::from("full")),
        ("physical_pages_described", facts["physical_memory_block"]["number_of_pages"].clone()),
        ("physical_pages_present", 2.into()),
        ("file_complete", false.into()),
    ] {
        tally.check(column, "head", &row[column], &expected);
    }
    tally.finish("the head of a complete dump");
    let physical = dump.dump().physical().unwrap();
    for (pfn, reason) in
        [(2, None), (3, None), (4, Some("truncated")), (0x9f, Some("truncated")), (0xa0, Some("not-in-dump"))]
    {
        let found = physical.read_in_frame(ntlens::address::Pfn(pfn).base(), &mut [0; 16]);
        assert_eq!(found.err().map(ntlens::Absent::reason), reason, "frame {pfn:#x}");
    }
    let error = dump.processes().unwrap_err().to_string();
    assert!(error.contains("no Windows kernel"), "{error}");
}
