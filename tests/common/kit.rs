//! Machines of the testkit for the tests at the top level, and the comparison of answers with what is true of them.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use crate::common::{Tally, address, document};
use ntlens::layout::Layouts;
use ntlens::layout::source::{Given, ImageSymbols, LayoutSource, TableInfo};
use ntlens::{CoreError, OpenDump};
use ntlens_testkit::truth::{Handle, Process, Truth};
use ntlens_testkit::{
    CallbackKind, CallbackSpec, DumpOptions, Image, Kind, LoggerSpec, Machine, ProcessSpec, ProviderKind, ProviderSpec,
    TokenSpec, layouts, versions,
};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::time::Duration;

/// One kernel of each build that the tests go through; each is the first of its build in the embedded layouts.
pub(crate) fn kernel(build: u32) -> String {
    let known = versions();
    let version = known.iter().find(|version| version.build == build);
    version.unwrap_or_else(|| panic!("the embedded layouts have no kernel of build {build}")).to_string()
}

/// A machine with this build's kernel and nothing but System.
pub(crate) fn bare(build: u32) -> Machine {
    Machine::new(layouts(&kernel(build)).expect("a version that is listed")).memory(40 << 20)
}

/// A machine as people have them. It has no memory above 4 GiB, so that a raw image of it stays small.
pub(crate) fn typical(build: u32, seed: u64, processes: usize) -> Machine {
    let layouts = layouts(&kernel(build)).expect("a version that is listed");
    Machine::typical(layouts, seed, processes).memory(56 << 20)
}

/// A machine that is watched: trace sessions, providers and callbacks of every kind.
pub(crate) fn watched(layouts: Layouts) -> Machine {
    let build = layouts.version().map_or(0, |version| version.build);
    let mut machine = Machine::new(layouts).memory(40 << 20).seed(23);
    let log = machine.process(ProcessSpec::named("svchost.exe"));
    let defender = machine.process(ProcessSpec::named("MsMpEng.exe").protection(0x31));
    let user = machine.process(ProcessSpec::named("tool.exe").session(1).token(TokenSpec::user(1001, 0x2000)));
    machine.typical_modules(48);
    let kernel_events = "Circular Kernel Context Logger";
    machine
        .logger(LoggerSpec::named(kernel_events).mode(0x0280_0400).flag("KernelTrace"))
        .logger(LoggerSpec::named("Eventlog-Security").consumer(log).flag("RealTime").flag("SecurityTrace"))
        .logger(LoggerSpec::named("DefenderApiLogger").consumer(defender).flag("AutoLogger").started_by(4))
        .logger(LoggerSpec::named("трасса").slot(63).log_file("C:\\Users\\user\\трасса.etl").started_by(user))
        .provider(ProviderSpec::new(THREAT_INTELLIGENCE).enabled(4, 0xff, 0x3_ffff, 0).module(Some("ntoskrnl.exe")))
        .provider(ProviderSpec::new(SECURITY_AUDITING).enabled(3, 4, u64::MAX, 0).process(log).process(defender))
        .provider(ProviderSpec::new(KERNEL_PROCESS).enabled(4, 5, 0x50, 0x10).enabled(63, 2, 1, 1).process(user))
        .provider(
            ProviderSpec::new(0x1234_5678 << 96).kind(ProviderKind::Group).process(user).module(Some("tcpip.sys")),
        )
        .provider(ProviderSpec::new(0x1234_5678 << 96).kind(ProviderKind::Trace))
        .callback(CallbackSpec::new(CallbackKind::Process, Some("WdFilter.sys")).context(6))
        .callback(CallbackSpec::new(CallbackKind::Process, Some("cng.sys")).slot(63))
        .callback(CallbackSpec::new(CallbackKind::Thread, None).slot(5))
        .callback(CallbackSpec::new(CallbackKind::Image, Some("ntoskrnl.exe")))
        .callback(CallbackSpec::new(CallbackKind::Registry, Some("WdFilter.sys")).context(0xabc).altitude("360000.5"))
        .callback(CallbackSpec::new(CallbackKind::Registry, Some("ksecdd.sys")))
        .callback(CallbackSpec::new(CallbackKind::Object("Process"), Some("WdFilter.sys")).context(0xdef))
        .callback(CallbackSpec::new(CallbackKind::Object("Process"), Some("tcpip.sys")).altitude("40000").off())
        .callback(CallbackSpec::new(CallbackKind::Object("Thread"), Some("WdFilter.sys")));
    if build >= 14393 {
        machine
            .logger(LoggerSpec::named("inside").container_of(user).flag("RealTime"))
            .provider(ProviderSpec::new(THREAT_INTELLIGENCE).container_of(user));
    }
    machine
}

/// Well-known providers, as their GUIDs are spelled.
const THREAT_INTELLIGENCE: u128 = 0xf4e1_897c_bb5d_5668_f1d8_040f_4d8d_d344;
const SECURITY_AUDITING: u128 = 0x5484_9625_5478_4994_a5ba_3e3b_0328_c30d;
const KERNEL_PROCESS: u128 = 0x22fb_2cd6_0e7b_422b_a0c7_2fad_1fd0_e716;

/// The bytes of a dump, and what is true of it.
pub(crate) fn dump(image: &Image, options: impl Into<DumpOptions>) -> (Vec<u8>, Truth) {
    let mut file = Cursor::new(Vec::new());
    let truth = image.write(options, &mut file).expect("memory takes every write");
    let mut bytes = file.into_inner();
    // Zeros at the end were only skipped; what lies behind a cut goes away.
    bytes.resize(usize::try_from(truth.dump.as_ref().unwrap().file_size).unwrap(), 0);
    (bytes, truth)
}

/// Opens the bytes of a dump.
pub(crate) fn open(place: &str, bytes: Vec<u8>) -> OpenDump {
    ntlens::open_bytes(place, bytes).unwrap_or_else(|error| panic!("{place}: {error}"))
}

/// The address of a kernel symbol.
pub(crate) fn symbol(image: &Image, name: &str) -> u64 {
    let rva = image.layouts().symbol(name).unwrap_or_else(|_| panic!("the symbols have no {name}"));
    image.truth().kernel.base + rva.0
}

/// The offset of a field.
pub(crate) fn offset(image: &Image, structure: &str, field: &str) -> u64 {
    let place = image.layouts().place(structure, field);
    place.unwrap_or_else(|_| panic!("this build has no {structure}.{field}")).offset.into()
}

pub(crate) fn read_u64(image: &Image, at: u64) -> u64 {
    u64::from_le_bytes(image.read(at, 8).expect("mapped").try_into().unwrap())
}

/// A FILETIME as the output contract writes it; null for none. Days become dates by the well-known algorithm for the
/// proleptic Gregorian calendar, in years that start in March.
pub(crate) fn time(units: u64) -> Json {
    if units == 0 {
        return Json::Null;
    }
    let (seconds, fraction) = (units / 10_000_000, units % 10_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // From 0000-03-01 to 1601-01-01.
    let days = days + 584_694;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:07}Z").into()
}

/// What the testkit wrote, compared with every answer.
pub(crate) fn check_all(tally: &mut Tally, place: &str, dump: &OpenDump, truth: &Truth, kind: Kind) {
    check_info(tally, place, dump, truth, kind);
    check_processes(tally, place, dump, truth, kind);
    check_modules(tally, place, dump, truth, kind);
    check_unloaded(tally, place, dump, truth, kind);
    check_crash(tally, place, dump, truth, kind);
    check_coverage(tally, place, dump, truth, kind);
    check_translations(tally, place, dump, truth);
}

/// The name of a handle's object as the output contract has it, which writes processes and threads in its own way.
pub(crate) fn contract_name(truth: &Truth, handle: &Handle) -> Option<String> {
    match handle.kind.as_str() {
        "Process" => {
            let of = truth.processes.iter().find(|of| of.eprocess == handle.object).unwrap();
            Some(format!("PID {} {}", of.pid, of.image_name))
        }
        "Thread" => {
            let mut threads =
                truth.processes.iter().flat_map(|of| of.threads.iter().map(move |thread| (of.pid, thread)));
            let (pid, thread) = threads.find(|(_, thread)| thread.va == handle.object).unwrap();
            Some(format!("{pid}.{}", thread.tid))
        }
        _ => handle.name.clone(),
    }
}

/// The document of an answer. A dump without damage has nothing to complain of.
fn whole(tally: &mut Tally, place: &str, dump: &OpenDump, table: &str) -> Json {
    if let Err(error) = dump.kernel() {
        panic!("{place}: {error}");
    }
    let document = document(dump, table);
    tally.check("incomplete", &format!("{place} {table}"), &document["incomplete"], &json!([]));
    document
}

const fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Full => "full",
        Kind::Summary => "kernel",
        Kind::Triage => "triage",
        Kind::BitmapFull { .. } => "bitmap-full",
        Kind::BitmapKernel { live: false } => "bitmap-kernel",
        Kind::BitmapKernel { live: true } => "live",
        Kind::RdmpKernel => "rdmp-kernel",
        Kind::RdmpUser => "rdmp-kernel-user",
        Kind::RdmpFull => "rdmp-full",
        Kind::Raw => "raw",
    }
}

pub(crate) fn check_info(tally: &mut Tally, place: &str, dump: &OpenDump, truth: &Truth, kind: Kind) {
    let document = whole(tally, place, dump, "info");
    let row = &document["rows"][0];
    let facts = truth.dump.as_ref().unwrap();
    let header = &facts.header;
    let parameters: Vec<Json> = header.bugcheck_parameters.iter().map(|value| address(*value)).collect();
    let in_header = [
        ("dump_type", facts.dump_type.into()),
        ("active", (header.attributes.unwrap_or(0) & 0x40 != 0).into()),
        ("windows_build", truth.build.into()),
        ("machine", "x64".into()),
        ("processors", truth.cpus.len().into()),
        ("dtb", address(header.dtb)),
        ("bugcheck_code", header.bugcheck_code.into()),
        ("bugcheck_parameters", parameters.into()),
        ("crash_time", time(header.system_time)),
        ("uptime", Duration::from_nanos(header.system_uptime * 100).as_secs_f64().into()),
        ("product_type", "workstation".into()),
        ("comment", header.comment.as_str().into()),
    ];
    for (column, expected) in in_header {
        if kind == Kind::Raw {
            tally.check_absent(column, place, row, &["not-applicable"]);
        } else {
            tally.check(column, place, &row[column], &expected);
        }
    }
    for (column, expected) in [
        ("file_size", facts.file_size.into()),
        ("dump_kind", name_of(kind).into()),
        ("build_lab", truth.build_lab.as_str().into()),
        ("kernel_base", address(truth.kernel.base)),
        ("file_complete", true.into()),
        ("layout_source", "embedded".into()),
    ] {
        tally.check(column, place, &row[column], &expected);
    }
    if kind == Kind::Triage {
        // Nothing in it names the symbols, and no process but the current one is in it.
        tally.check("layout_origin", place, &row["layout_origin"], &"build".into());
        tally.check_absent("kernel_guid_age", place, row, &["not-in-dump"]);
        tally.check("physical_pages_described", place, &row["physical_pages_described"], &Json::Null);
        return;
    }
    // Raw memory begins at address 0, holes included.
    let pages = if kind == Kind::Raw { facts.file_size / 0x1000 } else { facts.pages_in_dump };
    for (column, expected) in [
        ("system_dtb", address(truth.kernel.system_dtb)),
        ("physical_pages_described", pages.into()),
        ("physical_pages_present", pages.into()),
        ("layout_origin", "exact".into()),
        ("os_version", truth.nt_version.as_str().into()),
    ] {
        tally.check(column, place, &row[column], &expected);
    }
}

/// The GUID and age of the kernel that a machine was given, as symbol stores write it.
pub(crate) fn check_guid(tally: &mut Tally, place: &str, dump: &OpenDump, image: &Image) {
    let id = image.layouts().id().expect("embedded layouts have a GUID");
    let row = &document(dump, "info")["rows"][0];
    tally.check("kernel_guid_age", place, &row["kernel_guid_age"], &format!("{:032X}{:X}", id.guid, id.age).into());
}

/// The processes of the active list in its order, then the others by their ids.
pub(crate) fn in_order(truth: &Truth) -> Vec<&Process> {
    let (active, mut others): (Vec<&Process>, Vec<&Process>) =
        truth.processes.iter().partition(|process| process.in_active_list);
    others.sort_by_key(|process| process.pid);
    active.into_iter().chain(others).collect()
}

pub(crate) fn check_processes(tally: &mut Tally, place: &str, dump: &OpenDump, truth: &Truth, kind: Kind) {
    let document = whole(tally, place, dump, "processes");
    check_process_rows(tally, place, &document, truth, kind);
}

/// As [`check_processes`], for a dump of which something else is damaged.
pub(crate) fn check_process_rows(tally: &mut Tally, place: &str, document: &Json, truth: &Truth, kind: Kind) {
    let rows = document["rows"].as_array().unwrap();
    let mut expected = in_order(truth);
    if kind == Kind::Triage {
        expected.retain(|process| process.pid == truth.kernel.current_process);
    }
    let order: Vec<Json> = expected.iter().map(|process| address(process.eprocess)).collect();
    let found: Vec<Json> = rows.iter().map(|row| row["eprocess"].clone()).collect();
    tally.check("order", place, &found.into(), &order.into());
    let by_address: BTreeMap<&str, &Json> = rows.iter().map(|row| (row["eprocess"].as_str().unwrap(), row)).collect();
    for process in expected {
        let place = format!("{place} pid {}", process.pid);
        match by_address.get(address(process.eprocess).as_str().unwrap()) {
            Some(row) => check_process(tally, &place, row, process, truth, kind),
            None => tally.check("eprocess", &place, &Json::Null, &address(process.eprocess)),
        }
    }
}

const ADDRESS_BITS: u64 = 0x000f_ffff_ffff_f000;

fn check_process(tally: &mut Tally, place: &str, row: &Json, process: &Process, truth: &Truth, kind: Kind) {
    let user_dtb = Some(process.user_dtb).filter(|dtb| *dtb > 1).map(|dtb| address(dtb & ADDRESS_BITS));
    let alive = process.exit_time.is_none();
    for (column, expected) in [
        ("pid", process.pid.into()),
        ("ppid", process.ppid.into()),
        ("name", process.image_name.as_str().into()),
        ("create_time", time(process.create_time)),
        ("exit_time", time(process.exit_time.unwrap_or(0))),
        ("dtb", address(process.dtb & ADDRESS_BITS)),
        ("user_dtb", user_dtb.unwrap_or(Json::Null)),
        ("peb", process.peb.map_or(Json::Null, address)),
        ("wow64", process.wow64.into()),
        ("active_threads", process.threads.len().into()),
        ("critical", process.critical.into()),
        ("exiting", (!alive).into()),
        ("deleted", (!alive).into()),
        ("being_debugged", false.into()),
        ("token", address(process.token.va)),
        ("job", process.job.map_or(Json::Null, address)),
    ] {
        tally.check(column, place, &row[column], &expected);
    }
    for (column, expected) in [
        ("system_process", process.system_process.map(Json::from)),
        ("subsystem_process", process.subsystem_process.map(Json::from)),
        ("minimal", process.minimal.map(Json::from)),
        ("cross_session_create", process.cross_session_create.map(Json::from)),
        ("signature_level", process.signature_level.map(Json::from)),
        ("section_signature_level", process.section_signature_level.map(Json::from)),
        ("flags_raw", process.flags.flags.as_ref().map(|word| word.value.into())),
        ("flags2_raw", process.flags.flags2.as_ref().map(|word| word.value.into())),
        ("flags3_raw", process.flags.flags3.as_ref().map(|word| word.value.into())),
        ("mitigation_flags_raw", process.flags.mitigation_flags.as_ref().map(|word| word.value.into())),
        ("mitigation_flags2_raw", process.flags.mitigation_flags2.as_ref().map(|word| word.value.into())),
    ] {
        match expected {
            Some(expected) => tally.check(column, place, &row[column], &expected),
            None => tally.check_absent(column, place, row, &["no-such-field"]),
        }
    }
    // Windows 8 brought the count.
    if truth.build < 9200 {
        tally.check_absent("frozen", place, row, &["no-such-field"]);
    } else {
        tally.check("frozen", place, &row["frozen"], &false.into());
    }
    let flags = row["flags"].as_array().is_some_and(|names| names.contains(&"BreakOnTermination".into()));
    tally.check("flags", place, &flags.into(), &process.critical.into());
    check_protection(tally, place, row, process);
    check_pointers(tally, place, row, process, truth, kind);
    let sources = [
        ("active-list", process.in_active_list),
        ("cid-table", process.in_cid_table),
        ("session-list", process.session_id.is_some()),
        ("job-list", process.job.is_some()),
        ("crash-context", process.pid == truth.kernel.current_process && kind != Kind::Raw),
    ];
    let shown = |name: &str| kind != Kind::Triage || name == "crash-context";
    let sources: Vec<&str> =
        sources.into_iter().filter(|(name, found)| *found && shown(name)).map(|(name, _)| name).collect();
    tally.check("sources", place, &row["sources"], &sources.into());
}

fn check_protection(tally: &mut Tally, place: &str, row: &Json, process: &Process) {
    const COLUMNS: [&str; 4] = ["protection_level", "protection_type", "protection_signer", "protection_audit"];
    let Some(protection) = process.protection else {
        let expected = if process.protected_win7 == Some(true) { "Protected" } else { "None" };
        tally.check("protection", place, &row["protection"], &expected.into());
        for column in COLUMNS {
            tally.check_absent(column, place, row, &["no-such-field"]);
        }
        return;
    };
    let audit = if protection.audit != 0 { "-Audit" } else { "" };
    let text = match protection.kind {
        "None" => "None".to_string(),
        "ProtectedLight" => format!("PPL-{}{audit}", protection.signer),
        _ => format!("PP-{}{audit}", protection.signer),
    };
    tally.check("protection", place, &row["protection"], &text.into());
    let values =
        [protection.level.into(), protection.kind.into(), protection.signer.into(), Json::from(protection.audit != 0)];
    for (column, expected) in COLUMNS.into_iter().zip(&values) {
        tally.check(column, place, &row[column], expected);
    }
}

/// What lies outside of the `EPROCESS`.
fn check_pointers(tally: &mut Tally, place: &str, row: &Json, process: &Process, truth: &Truth, kind: Kind) {
    let triage = kind == Kind::Triage;
    match process.session_id {
        Some(_) if triage => tally.check_absent("session_id", place, row, &["not-in-dump"]),
        Some(id) => tally.check("session_id", place, &row["session_id"], &id.into()),
        None => tally.check_absent("session_id", place, row, &["not-applicable"]),
    }
    match process.handle_table {
        Some(_) if triage => tally.check_absent("handle_count", place, row, &["not-in-dump"]),
        Some(table) => tally.check("handle_count", place, &row["handle_count"], &table.count.into()),
        None => tally.check_absent("handle_count", place, row, &["not-applicable"]),
    }
    let path = process.image_path.as_deref().map_or(Json::Null, Json::from);
    paged_value(tally, "image_path", place, row, &path, if triage { None } else { Some(process.image_path_state) });
    let held = truth.dump.as_ref().is_none_or(|dump| dump.user_pages_included);
    match &process.command_line {
        None => tally.check("command_line", place, &row["command_line"], &Json::Null),
        Some(line) => {
            // The page tables of user memory may be in a dump without that memory: they tell that a page is elsewhere.
            let told = row["absent"]["command_line"] == json!("paged-out") && process.peb_state == "paged_out";
            let state = (held || told).then_some(process.peb_state);
            paged_value(tally, "command_line", place, row, &line.as_str().into(), state);
        }
    }
}

/// A value on a page of a certain state; no state is a page that the dump does not hold.
fn paged_value(tally: &mut Tally, column: &str, place: &str, row: &Json, expected: &Json, state: Option<&str>) {
    let absent = match state {
        Some("resident" | "transition" | "prototype") => None,
        Some("paged_out") => Some("paged-out"),
        Some("demand_zero") => Some("demand-zero"),
        Some("unmapped") => Some("not-present"),
        None => Some("not-in-dump"),
        Some(other) => panic!("{other}"),
    };
    match absent {
        None => tally.check(column, place, &row[column], expected),
        Some(reason) => tally.check_absent(column, place, row, &[reason]),
    }
}

pub(crate) fn check_modules(tally: &mut Tally, place: &str, dump: &OpenDump, truth: &Truth, kind: Kind) {
    let document = whole(tally, place, dump, "modules");
    let rows = document["rows"].as_array().unwrap();
    let expected: Vec<_> = truth.modules.iter().filter(|module| kind == Kind::Triage || !module.hidden).collect();
    tally.check("row_count", place, &rows.len().into(), &expected.len().into());
    // Before Windows 10 the entry has no stamps; those in the image's own header may be paged out.
    let stamped = kind == Kind::Triage || truth.build >= 10240;
    for (row, module) in rows.iter().zip(expected) {
        let place = format!("{place} {}", module.name);
        tally.check("name", &place, &row["name"], &module.name.as_str().into());
        tally.check("base", &place, &row["base"], &address(module.base));
        tally.check("size", &place, &row["size"], &module.size.into());
        if kind == Kind::Triage {
            tally.check_absent("path", &place, row, &["not-in-dump"]);
            tally.check_absent("entry", &place, row, &["not-in-dump"]);
        } else {
            tally.check("path", &place, &row["path"], &module.path.as_str().into());
            tally.check("entry", &place, &row["entry"], &address(module.base + 0x1000));
        }
        for (column, expected) in [("timestamp", module.timestamp), ("checksum", module.checksum)] {
            if stamped || module.header == "present" {
                tally.check(column, &place, &row[column], &expected.into());
            } else {
                tally.check_absent(column, &place, row, &["no-such-field", "paged-out"]);
            }
        }
    }
}

pub(crate) fn check_unloaded(tally: &mut Tally, place: &str, dump: &OpenDump, truth: &Truth, kind: Kind) {
    // Small dumps keep twelve characters of the names, and no times.
    const KEPT: usize = 12;
    let document = whole(tally, place, dump, "unloaded");
    let rows = document["rows"].as_array().unwrap();
    tally.check("row_count", place, &rows.len().into(), &truth.unloaded_drivers.len().into());
    for (row, driver) in rows.iter().zip(&truth.unloaded_drivers) {
        let place = format!("{place} {}", driver.name);
        let name: String = driver.name.chars().take(if kind == Kind::Triage { KEPT } else { usize::MAX }).collect();
        tally.check("name", &place, &row["name"], &name.into());
        tally.check("start", &place, &row["start"], &address(driver.start));
        tally.check("end", &place, &row["end"], &address(driver.end));
        if kind == Kind::Triage {
            tally.check_absent("unload_time", &place, row, &["not-in-dump"]);
        } else {
            tally.check("unload_time", &place, &row["unload_time"], &time(driver.time));
        }
    }
}

pub(crate) fn check_crash(tally: &mut Tally, place: &str, dump: &OpenDump, truth: &Truth, kind: Kind) {
    let document = whole(tally, place, dump, "crash");
    let row = &document["rows"][0];
    let process = truth.process(truth.kernel.current_process).unwrap();
    let thread = process.threads.iter().find(|thread| thread.va == truth.kernel.current_thread).unwrap();
    let cpu = &truth.cpus[0];
    if kind == Kind::Raw {
        // Memory of a machine that nobody stopped.
        tally.check("eprocess", place, &row["eprocess"], &Json::Null);
        tally.check("rip", place, &row["rip"], &Json::Null);
        return;
    }
    for (column, expected) in [
        ("processor", 0.into()),
        ("prcb", address(cpu.prcb)),
        ("eprocess", address(process.eprocess)),
        ("pid", process.pid.into()),
        ("name", process.image_name.as_str().into()),
        ("ethread", address(thread.va)),
        ("tid", thread.tid.into()),
        ("thread_pid", process.pid.into()),
        ("start_address", address(thread.start)),
        ("stack_base", address(thread.stack_base)),
        ("stack_limit", address(thread.stack_limit)),
        ("cr3", address(cpu.cr3)),
        ("cr4", address(cpu.cr4)),
    ] {
        tally.check(column, place, &row[column], &expected);
    }
    let header = &truth.dump.as_ref().unwrap().header;
    tally.check("rip", place, &row["rip"], &address(header.context_rip));
    let module = truth.modules.iter().find(|module| {
        (module.base..module.base + module.size).contains(&header.context_rip)
            && (kind == Kind::Triage || !module.hidden)
    });
    tally.check("rip_module", place, &row["rip_module"], &module.map(|module| module.name.as_str()).into());
    let offset = module.map(|module| header.context_rip - module.base);
    tally.check("rip_offset", place, &row["rip_offset"], &offset.into());
    tally.check("exception_address", place, &row["exception_address"], &address(header.context_rip));
    tally.check("exception_code", place, &row["exception_code"], &0x8000_0003_u32.into());
}

pub(crate) fn check_coverage(tally: &mut Tally, place: &str, dump: &OpenDump, truth: &Truth, kind: Kind) {
    let document = whole(tally, place, dump, "coverage");
    let rows = document["rows"].as_array().unwrap();
    let sum = |column: &str| rows.iter().map(|row| row[column].as_u64().unwrap()).sum::<u64>();
    tally.check("bytes_present", place, &sum("bytes_present").into(), &sum("bytes_described").into());
    let space = if kind == Kind::Triage { "virtual" } else { "physical" };
    let all = rows.iter().all(|row| row["space"] == json!(space));
    tally.check("space", place, &all.into(), &true.into());
    if matches!(kind, Kind::Full | Kind::BitmapFull { active: false } | Kind::RdmpFull) {
        let runs: Vec<Json> = truth
            .dump
            .iter()
            .flat_map(|dump| &dump.physical_runs)
            .map(|run| json!([address(run.base_pfn * 0x1000), run.count * 0x1000]))
            .collect();
        let found: Vec<Json> = rows.iter().map(|row| json!([row["start"], row["bytes_described"]])).collect();
        tally.check("runs", place, &found.into(), &runs.into());
    }
    if kind != Kind::Triage && kind != Kind::Raw {
        let pages = truth.dump.as_ref().unwrap().pages_in_dump;
        tally.check("bytes_described", place, &sum("bytes_described").into(), &(pages * 0x1000).into());
    }
}

pub(crate) fn check_translations(tally: &mut Tally, place: &str, dump: &OpenDump, truth: &Truth) {
    let kernel = dump.kernel().unwrap_or_else(|error| panic!("{place}: {error}"));
    // A dump of blocks has no page tables.
    let Some(space) = kernel.space().paged() else { return };
    let user_memory = truth.dump.as_ref().unwrap().user_pages_included;
    for expected in &truth.translations {
        let space = space.with_root(expected.dtb);
        let at = ntlens::address::VirtAddr(expected.va);
        let place = format!("{place} {:#x} below {:#x}", expected.va, expected.dtb);
        let found = space.translate(at);
        let state = match &found {
            Ok(found) => found.residence.name(),
            Err(why) => why.reason(),
        };
        let is_user = expected.va >> 63 == 0 && expected.state != "noncanonical";
        let wanted = match expected.state {
            // The tables of user space are not in a kernel dump.
            _ if is_user && !user_memory && state == "not-in-dump" => "not-in-dump",
            "present" => "mapped",
            "transition" => "transition",
            "pagefile" => "paged-out",
            "demand_zero" => "demand-zero",
            "prototype" => "prototype",
            "unmapped" => "not-present",
            "noncanonical" => "non-canonical",
            other => panic!("{other}"),
        };
        tally.check("state", &place, &state.into(), &wanted.into());
        let (Ok(found), Some(pa)) = (found, expected.pa) else { continue };
        tally.check("pa", &place, &address(found.at.0), &address(pa));
        tally.check("page_size", &place, &found.page.bytes().into(), &expected.page_size.into());
        let mut held = [0; 16];
        let read = space.physical().read(ntlens::address::PhysAddr(pa & !0xf), &mut held);
        if expected.in_dump == Some(true) {
            let nibbles = held.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
            let text: String = nibbles.filter_map(|nibble| char::from_digit(nibble.into(), 16)).collect();
            tally.check("bytes16", &place, &text.into(), &expected.bytes16.as_deref().unwrap().into());
        } else {
            tally.check("bytes16", &place, &read.is_err().into(), &true.into());
        }
    }
}

/// Memory of processes, read through their own page tables.
pub(crate) fn check_user_memory(tally: &mut Tally, place: &str, dump: &OpenDump, image: &Image, held: bool) {
    use ntlens::memory::VirtualMemory;
    let processes = dump.processes().unwrap_or_else(|error| panic!("{place}: {error}"));
    for process in &processes.processes {
        let truth = image.truth().processes.iter().find(|truth| truth.eprocess == process.eprocess().0).unwrap();
        let Some(base) = truth.image_base else { continue };
        let place = format!("{place} pid {}", truth.pid);
        let mut found = vec![0; 0x40];
        let read = process.space().unwrap().read(ntlens::address::VirtAddr(base), &mut found);
        if held {
            let expected = image.read_in(image.space(truth.pid).unwrap(), base, 0x40).unwrap();
            tally.check("user memory", &place, &found.into(), &expected.into());
        } else {
            let reason = read.err().map(|hole| hole.why.reason());
            tally.check("user memory", &place, &reason.into(), &"not-in-dump".into());
        }
    }
}

/// Layouts of one kernel, whatever its symbols are.
pub(crate) struct One(pub(crate) Layouts);

impl LayoutSource for One {
    fn name(&self) -> &'static str {
        "one"
    }

    fn tables(&self) -> Vec<TableInfo> {
        Vec::new()
    }

    fn load(&self, _: &[usize]) -> Result<Vec<Layouts>, CoreError> {
        Ok(Vec::new())
    }

    fn exact(&self, _: Option<&ImageSymbols>) -> Result<Option<Given>, CoreError> {
        Ok(Some(Given { layouts: self.0.clone(), source: "one".into() }))
    }
}
