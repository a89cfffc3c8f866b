//! Every program of `examples/`, run over a machine whose truth is known. `cargo test` builds them beside the tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

use ntlens_testkit::truth::Process;
use ntlens_testkit::{
    CallbackKind, CallbackSpec, DumpOptions, Kind, LoggerSpec, Machine, ProviderSpec, Truth, layouts,
};
use serde_json::Value as Json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What an example's output is held against.
type Check = fn(&str, &Sample);

/// What each example must print. One without a line here fails the test.
const EXPECTED: &[(&str, Check)] = &[
    ("info", info),
    ("processes", processes),
    ("protected", protected),
    ("filter", filter),
    ("tree", tree),
    ("timeline", timeline),
    ("tokens", tokens),
    ("hidden", hidden),
    ("jobs", jobs),
    ("dlls", dlls),
    ("vads", vads),
    ("mitigations", mitigations),
    ("handles", handles),
    ("objects", objects),
    ("crossings", crossings),
    ("collisions", collisions),
    ("loggers", loggers),
    ("callbacks", callbacks),
    ("modules", modules),
    ("unloaded", unloaded),
    ("coverage", coverage),
    ("doctor", doctor),
    ("extract", extract),
    ("crash", crash),
    ("processors", processors),
    ("services", services),
    ("read_memory", read_memory),
    ("translate", translate),
    ("layouts", field_offsets),
    ("inferred_layout", inferred_layout),
    ("json", json),
    ("own_source", own_source),
    ("names", names),
    ("dt", dt),
    ("symbol_path", symbol_path),
    ("read_pdb", read_pdb),
    ("write_isf", write_isf),
];

/// A name that the global namespace has as well.
const SQUATTED: &str = "\\Sessions\\1\\BaseNamedObjects\\SvcctrlStartEvent_A3752DX";

struct Sample {
    path: PathBuf,
    truth: Truth,
    /// The first bytes of the kernel image.
    kernel_head: Vec<u8>,
    /// Where they lie in physical memory.
    kernel_physical: u64,
    /// Where the variable that points to System lies in the kernel image.
    system_variable: u64,
}

impl Sample {
    fn write() -> Self {
        let layouts = layouts("10.0.19041.1288").expect("an embedded kernel");
        let mut machine = Machine::typical(layouts, 11, 36).current_process(4);
        machine.named_object("Mutant", SQUATTED);
        machine
            .logger(LoggerSpec::named("EventLog-System"))
            .logger(LoggerSpec::named("a trace of my own").slot(9))
            .provider(ProviderSpec::new(1).enabled(2, 4, 1, 0).enabled(9, 4, 1, 0))
            .provider(ProviderSpec::new(2).enabled(9, 4, 1, 0))
            .callback(CallbackSpec::new(CallbackKind::Process, Some("WdFilter.sys")))
            .callback(CallbackSpec::new(CallbackKind::Object("Thread"), None));
        machine.typical_jobs();
        machine.hook_service(250);
        let image = machine.build();
        let base = image.truth().kernel.base;
        let system_variable = image.layouts().symbol("PsInitialSystemProcess").unwrap().0;
        let kernel_head = image.read(base, 16).expect("the kernel's header");
        let kernel_physical = image.space(4).unwrap().translate(image.memory(), base).unwrap().physical;
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("examples-{}.dmp", std::process::id()));
        let options = DumpOptions::new(Kind::BitmapFull { active: true }).bug_check(0x139, [3, 0, 0, 0]);
        let truth = image.write_file(options, &path).expect("room for a dump");
        Self { path, truth, kernel_head, kernel_physical, system_variable }
    }

    /// In the order of the output: the active list, then the others by process id.
    fn processes(&self) -> Vec<&Process> {
        let (mut processes, mut hidden): (Vec<_>, Vec<_>) =
            self.truth.processes.iter().partition(|process| process.in_active_list);
        hidden.sort_by_key(|process| process.pid);
        processes.append(&mut hidden);
        processes
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        // A dump that stays behind is in a folder for such things.
        let _ = fs::remove_file(&self.path);
    }
}

#[test]
fn every_example_tells_the_truth() {
    let sample = Sample::write();
    let mut names: Vec<String> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    for name in &names {
        let expected = EXPECTED.iter().find(|(known, _)| known == name);
        let (_, check) =
            expected.unwrap_or_else(|| panic!("tests/examples.rs does not say what examples/{name}.rs prints"));
        check(&run(name, &sample.path), &sample);
    }
    for (name, _) in EXPECTED {
        assert!(names.iter().any(|known| known == name), "examples/{name}.rs is gone");
    }
}

/// Runs an example, which finds its dump by the first argument; the one that needs none takes a build.
fn run(name: &str, dump: &Path) -> String {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap().with_file_name("examples");
    let program = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(program.exists(), "{} is not built: `cargo test` or `cargo build --examples` does it", program.display());
    let argument = match name {
        "layouts" | "write_isf" => Some("19041".as_ref()),
        "read_pdb" => None,
        _ => Some(dump.as_os_str()),
    };
    let output = Command::new(&program).args(argument).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {} {stderr}", output.status);
    assert_eq!(stderr, "", "{name}");
    String::from_utf8(output.stdout).expect("text")
}

/// The words of each line, without their padding.
fn words(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn info(text: &str, sample: &Sample) {
    let (truth, dump) = (&sample.truth, sample.truth.dump.as_ref().unwrap());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], format!("dump: bitmap-full, {} bytes, complete: true", dump.file_size));
    assert_eq!(lines[1], format!("kernel: {} at {:#018x}", truth.build_lab, truth.kernel.base));
    assert!(lines[2].starts_with("symbols: ") && lines[2].len() == "symbols: ".len() + 33, "{}", lines[2]);
    assert_eq!(lines[3..], ["layout: exact (embedded)"]);
}

fn processes(text: &str, sample: &Sample) {
    let line = |process: &&Process| {
        let protection = process.protection.unwrap();
        let prefix = match protection.kind {
            "None" => return format!("{} {} None", process.pid, process.image_name),
            "ProtectedLight" => "PPL",
            _ => "PP",
        };
        format!("{} {} {prefix}-{}", process.pid, process.image_name, protection.signer)
    };
    assert_eq!(words(text), sample.processes().iter().map(line).collect::<Vec<_>>());
}

fn protected(text: &str, sample: &Sample) {
    let expected: Vec<String> = sample
        .processes()
        .iter()
        .filter_map(|process| Some((process, process.protection.filter(|protection| protection.level != 0)?)))
        .map(|(process, protection)| {
            format!("{} {} {} by {}", process.pid, process.image_name, protection.kind, protection.signer)
        })
        .collect();
    assert!(expected.len() > 5, "a machine with protected processes");
    assert_eq!(words(text), expected);
}

fn filter(text: &str, sample: &Sample) {
    let mut expected: Vec<&Process> = sample.processes();
    expected.retain(|process| {
        let protection = process.protection.unwrap();
        let light = protection.kind == "ProtectedLight" && !process.critical;
        light || process.image_name == "System"
    });
    expected.sort_by_key(|process| std::cmp::Reverse(process.pid));
    let line = |process: &&Process| {
        let protection = process.protection.unwrap();
        let prefix = if protection.kind == "Protected" { "PP" } else { "PPL" };
        format!("{} {} {prefix}-{}", process.pid, process.image_name, protection.signer)
    };
    assert!(expected.len() > 1, "a machine with protected processes that are not critical");
    assert_eq!(words(text), expected.iter().map(line).collect::<Vec<_>>());
}

fn tree(text: &str, sample: &Sample) {
    let processes = sample.processes();
    let parent = |child: &Process| {
        let parent = processes.iter().find(|parent| parent.pid == child.ppid)?;
        (parent.create_time <= child.create_time).then_some(*parent)
    };
    assert_eq!(text.lines().count(), processes.len());
    let mut above: Vec<u64> = Vec::new();
    for line in text.lines() {
        let depth = (line.len() - line.trim_start().len()) / 2;
        let pid = line.trim_start().split(' ').next().unwrap().parse().unwrap();
        let process = sample.truth.process(pid).unwrap();
        above.truncate(depth);
        assert_eq!(above.last().copied(), parent(process).map(|parent| parent.pid), "{line}");
        assert_eq!(line.ends_with(" (its parent is gone)"), depth == 0 && process.ppid != 0, "{line}");
        above.push(pid);
    }
}

fn hidden(text: &str, sample: &Sample) {
    let hidden: Vec<&Process> = sample.truth.processes.iter().filter(|process| !process.in_active_list).collect();
    let lines = words(text);
    assert_eq!((hidden.len(), lines.len()), (2, 2), "{text}");
    for process in hidden {
        let start = format!("{} {} found by ", process.pid, process.image_name);
        let found_by = lines.iter().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(found_by.contains("cid-table"), process.in_cid_table, "{text}");
        assert_eq!(found_by.contains("job-list"), process.job.is_some(), "{text}");
        assert!(!found_by.contains("active-list"), "{text}");
    }
}

fn jobs(text: &str, sample: &Sample) {
    let truth = &sample.truth;
    let job = |at: u64| truth.jobs.iter().find(|job| job.va == at).unwrap();
    let mut lines: Vec<String> = truth
        .sessions
        .iter()
        .map(|session| format!("session {} has {} processes", session.session_id, session.pids.len()))
        .collect();
    // What nothing but a handle leads to is not asked for.
    for listed in truth.jobs.iter().filter(|job| job.listed) {
        let limits = match listed.limit_flags {
            0 => "",
            0x2000 => "JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE",
            0x2008 => "JOB_OBJECT_LIMIT_ACTIVE_PROCESS, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE",
            _ => "JOB_OBJECT_LIMIT_WORKINGSET, JOB_OBJECT_LIMIT_SILO_READY",
        };
        let around = std::iter::successors(listed.parent, |parent| job(*parent).parent).count();
        let members = listed.processes.len();
        let line =
            format!("job {:#018x} has {members} processes, {around} jobs around it, limits: {limits}", listed.va);
        lines.push(line.trim_end().into());
    }
    for process in sample.processes() {
        let mut jobs = std::iter::successors(process.job.map(job), |inner| inner.parent.map(job));
        let Some(silo) = jobs.find(|job| job.silo) else { continue };
        let kind = if silo.server_silo { "server-silo" } else { "silo" };
        let (pid, name, id) = (process.pid, &process.image_name, silo.job_id.unwrap());
        lines.push(format!("process {pid} {name} runs in {kind} {id}"));
    }
    assert!(lines.len() > 10);
    assert_eq!(words(text), lines);
}

fn tokens(text: &str, sample: &Sample) {
    const DEBUG: u64 = 1 << 20;
    let line = |process: &&Process| {
        let token = &process.token;
        let user = match token.user.as_str() {
            "S-1-5-18" => "LocalSystem".into(),
            "S-1-5-20" => "Network Service".into(),
            other => other.replace("S-1-5-90-0-", "DWM-"),
        };
        let level = match token.integrity_rid {
            0x1000 => "Low",
            0x2000 => "Medium",
            0x3000 => "High",
            _ => "System",
        };
        let debugs = if token.privileges_enabled & DEBUG == 0 { "" } else { " debugs others" };
        format!("{} {} {level} {user}{debugs}", process.pid, process.image_name)
    };
    assert_eq!(words(text), sample.processes().iter().map(line).collect::<Vec<_>>());
}

fn loggers(text: &str, _: &Sample) {
    assert_eq!(words(text), ["2 EventLog-System: 1 providers", "9 a trace of my own: 2 providers"]);
}

fn timeline(text: &str, sample: &Sample) {
    let started = |process: &Process| (process.create_time, format!("{} {}", process.pid, process.image_name));
    let mut expected: Vec<_> = sample.truth.processes.iter().map(started).collect();
    expected.sort_unstable();
    let mut told: Vec<_> = text.lines().map(|line| line.split_once(' ').unwrap()).collect();
    assert!(told.is_sorted_by_key(|(time, _)| *time));
    told.sort_unstable();
    assert_eq!(
        told.into_iter().map(|(_, who)| who).collect::<Vec<_>>(),
        expected.iter().map(|(_, who)| who).collect::<Vec<_>>()
    );
}

fn callbacks(text: &str, sample: &Sample) {
    let line = |callback: &ntlens_testkit::truth::Callback| {
        let module = callback.module.as_deref().unwrap_or("nobody");
        format!("{} {:#018x} of {module}", callback.kind, callback.function)
    };
    let expected: Vec<String> = sample.truth.callbacks.iter().map(line).collect();
    assert_eq!(expected.len(), 3);
    assert_eq!(words(text), expected);
}

fn modules(text: &str, sample: &Sample) {
    let line =
        |module: &ntlens_testkit::truth::Module| format!("{:#018x} {} {}", module.base, module.size, module.name);
    assert_eq!(words(text), sample.truth.modules.iter().map(line).collect::<Vec<_>>());
}

fn unloaded(text: &str, sample: &Sample) {
    let drivers = &sample.truth.unloaded_drivers;
    let lines = words(text);
    assert_eq!(lines.len(), drivers.len());
    for (line, driver) in lines.iter().zip(drivers) {
        assert!(line.starts_with(&format!("{:#018x} to {:#018x} 20", driver.start, driver.end)), "{line}");
        assert!(line.ends_with(&format!("Z {}", driver.name)), "{line}");
    }
}

fn coverage(text: &str, sample: &Sample) {
    let pages = sample.truth.dump.as_ref().unwrap().pages_in_dump;
    let (last, runs) = words(text).split_last().map(|(last, runs)| (last.clone(), runs.to_vec())).unwrap();
    assert_eq!(last, format!("{pages} of {pages} pages are in the file"));
    let counts = runs.iter().map(|run| run.split(' ').nth(1).unwrap().parse::<u64>().unwrap());
    assert_eq!(counts.sum::<u64>(), pages);
}

fn doctor(text: &str, sample: &Sample) {
    let hidden: Vec<_> = sample.truth.processes.iter().filter(|process| !process.in_active_list).collect();
    assert!(!hidden.is_empty());
    for process in hidden {
        let line = format!("medium process {}: _EPROCESS.ActiveProcessLinks is in no list", process.pid);
        assert!(text.contains(&line), "{text}");
    }
    assert!(text.lines().any(|line| line == "modules: yes "), "{text}");
}

fn extract(text: &str, sample: &Sample) {
    let last = *sample.processes().last().unwrap();
    let (pages, rest) = text.split_once(" pages of ").unwrap();
    let all = sample.truth.dump.as_ref().unwrap().pages_in_dump;
    assert!(pages.parse::<u64>().unwrap() < all && rest.starts_with(&format!("{all}\n")), "{text}");
    assert!(rest.contains(&format!("Ok({:?})", last.command_line)), "{text} {:?}", last.command_line);
}

fn crash(text: &str, sample: &Sample) {
    let kernel = &sample.truth.kernel;
    let process = sample.truth.process(kernel.current_process).unwrap();
    let thread = process.threads.iter().find(|thread| thread.va == kernel.current_thread).unwrap();
    let expected = [
        "bug check 0x139 KERNEL_SECURITY_CHECK_FAILURE".into(),
        format!("process {} {}", process.pid, process.image_name),
        format!("thread {} at {:#018x}", thread.tid, thread.va),
    ];
    assert_eq!(words(text), expected);
}

fn processors(text: &str, sample: &Sample) {
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let expected: Vec<String> = sample
        .truth
        .cpus
        .iter()
        .flat_map(|cpu| {
            let (entry, fault) = (cpu.lstar, cpu.handlers[14].address);
            [
                format!("{} SMEP SMAP UMIP FSGSBASE; system calls: {entry:#018x} in ntoskrnl.exe", cpu.number),
                format!("  page faults: {fault:#018x} in ntoskrnl.exe"),
            ]
        })
        .collect();
    assert_eq!(lines, expected);
}

fn services(text: &str, sample: &Sample) {
    let (of_nt, hooked) = (sample.truth.services.len(), &sample.truth.services[250]);
    let expected = format!(
        "{of_nt} services, 1 of them outside of the kernel\n{:>4} {:#018x} in no module\n",
        hooked.index, hooked.address
    );
    assert_eq!(text, expected);
}

fn read_memory(text: &str, sample: &Sample) {
    let bytes = &sample.kernel_head;
    assert_eq!(bytes[..2], *b"MZ");
    let line = |kind, at: u64| format!("{kind} {at:#018x} {bytes:02x?}");
    assert_eq!(words(text), [line("virtual", sample.truth.kernel.base), line("physical", sample.kernel_physical)]);
}

fn translate(text: &str, sample: &Sample) {
    let (base, physical) = (sample.truth.kernel.base, sample.kernel_physical);
    assert!(text.starts_with(&format!("{base:#018x} -> {physical:#018x}, page of ")), "{text}");
    assert!(text.trim_end().ends_with(" bytes, mapped"), "{text}");
}

/// The debugger's own numbers for Windows 10 2004 and the builds that share its kernel.
fn field_offsets(text: &str, _: &Sample) {
    let (kernel, fields) = text.split_once('\n').unwrap();
    assert!(kernel.starts_with("kernel 10.0.19041."), "{kernel}");
    let expected = [
        "+0x028 Pcb.DirectoryTableBase",
        "+0x440 UniqueProcessId",
        "+0x4b8 Token",
        "+0x5a8 ImageFileName",
        "+0x87a Protection",
    ];
    assert_eq!(words(fields), expected);
}

/// The same numbers as above, from the dump alone.
fn inferred_layout(text: &str, sample: &Sample) {
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], format!("layout: inferred, {} fields", lines.len() - 1));
    for expected in [
        "+0x028 _EPROCESS.Pcb.DirectoryTableBase: ",
        "+0x440 _EPROCESS.UniqueProcessId: 4 for System; ",
        "+0x4b8 _EPROCESS.Token: ",
        "+0x5a8 _EPROCESS.ImageFileName: \"System\" ",
        "+0x87a _EPROCESS.Protection: ",
    ] {
        assert!(lines.iter().any(|line| line.starts_with(expected)), "{expected} is not in:\n{text}");
    }
    let ended = sample.truth.processes.iter().filter(|process| process.exit_time.is_some()).count();
    let ended = format!("+0x840 _EPROCESS.ExitTime: a time behind that of creation in {ended} processes ");
    assert!(text.contains(&ended), "{ended} is not in:\n{text}");
}

fn json(text: &str, sample: &Sample) {
    let document: Json = serde_json::from_str(text).expect("a JSON document");
    assert_eq!(document["schema"], "ntlens/1");
    let rows = document["rows"].as_array().unwrap();
    let found: Vec<_> = rows.iter().map(|row| (row["pid"].as_u64().unwrap(), row["command_line"].as_str())).collect();
    let truth = |process: &&Process| {
        // The page that leads to a command line may be gone; then it is null.
        let known = matches!(process.peb_state, "resident" | "transition") && process.exit_time.is_none();
        (process.pid, sample.truth.process(process.pid).unwrap().command_line.as_deref().filter(|_| known))
    };
    assert_eq!(found, sample.processes().iter().map(truth).collect::<Vec<_>>());
}

fn own_source(text: &str, sample: &Sample) {
    let numbers: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [processes, reads, bytes, size] = numbers[..] else { panic!("{text}") };
    assert_eq!(processes, sample.truth.processes.len() as u64);
    assert_eq!(size, sample.truth.dump.as_ref().unwrap().file_size);
    assert!(reads > 0 && bytes < size / 2, "a table of processes needs a small part of a dump: {text}");
}

fn symbol_path(text: &str, _: &Sample) {
    let lines = words(text);
    let (last, tried) = lines.split_last().unwrap();
    let expected = [
        "symbols: nothing",
        "https://symbols.example: not asked: downloads are off",
        "nonsense*: not understood: neither a folder nor srv*, symsrv* or cache*",
    ];
    assert_eq!(tried, expected);
    assert_eq!(last.strip_prefix("no symbols of ").map(str::len), Some(33), "{last}");
}

fn names(text: &str, sample: &Sample) {
    let at = sample.truth.kernel.base + sample.system_variable;
    let name = "nt!PsInitialSystemProcess";
    assert_eq!(text, format!("{name} is at {at:#018x}\n{:#018x} is {name}+0x4\n", at + 4));
}

fn dt(text: &str, _: &Sample) {
    assert_eq!(
        words(text),
        [
            "+0x440 UniqueProcessId : 0x00000000`00000004 Void",
            "+0x5a8 ImageFileName : [15] \"System\"",
            "~ +0x87a Protection : _PS_PROTECTION (was at +0x6fa)",
        ]
    );
}

/// What the image's RSDS record and `llvm-pdbutil dump` say of the same PDB.
fn read_pdb(text: &str, _: &Sample) {
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "symbols 1C00BC34AB8819474C4C44205044422E1");
    assert_eq!(lines[1], "3 structures, 1 enumerations, 4 symbols");
    let fields = ["Links", "State", "Value", "Routine", "Time"].iter().zip([0, 16, 20, 32, 40]);
    for (line, (name, offset)) in lines[2..].iter().zip(fields) {
        assert!(line.starts_with(&format!("   +0x{offset:03x} {name} ")), "{line}");
    }
    assert_eq!(lines.len(), 7);
}

/// The debugger's own numbers for Windows 10 2004.
fn write_isf(text: &str, _: &Sample) {
    let table: Json = serde_json::from_str(text).expect("a JSON document");
    assert_eq!(table["metadata"]["format"], "6.2.0");
    assert_eq!(table["metadata"]["windows"]["pe"]["revision"], 19041);
    let fields = &table["user_types"]["_EPROCESS"]["fields"];
    let offsets = ["UniqueProcessId", "Token", "ImageFileName", "Protection"].map(|name| &fields[name]["offset"]);
    assert_eq!(offsets, [0x440, 0x4b8, 0x5a8, 0x87a].map(Json::from).each_ref());
}

fn handles(text: &str, sample: &Sample) {
    let mut expected = Vec::new();
    for process in sample.processes().into_iter().filter(|process| process.in_active_list) {
        for handle in process.handles.iter().filter(|handle| handle.kind == "Process") {
            let of = sample.truth.processes.iter().find(|of| of.eprocess == handle.object).unwrap();
            if of.pid != process.pid {
                expected.push(format!("{} {:#x} -> PID {} {}:", process.pid, handle.handle, of.pid, of.image_name));
            }
        }
    }
    assert!(!expected.is_empty());
    let found: Vec<String> = text.lines().map(|line| line.rsplit_once(": ").unwrap().0.to_owned() + ":").collect();
    assert_eq!(found, expected);
    let rights = ["PROCESS_QUERY_LIMITED_INFORMATION", "PROCESS_TERMINATE", "SYNCHRONIZE"];
    assert!(rights.iter().any(|right| text.contains(right)), "{text}");
}

fn objects(text: &str, sample: &Sample) {
    let mut expected: Vec<String> = sample
        .truth
        .named_objects
        .iter()
        .filter_map(|object| {
            let session = object.namespace_session?;
            let holds = |process: &&Process| process.handles.iter().any(|handle| handle.object == object.object);
            let holders = sample.truth.processes.iter().filter(holds).count();
            Some(format!("{session} {} {}: {holders}", object.kind, object.path))
        })
        .collect();
    expected.sort();
    assert!(!expected.is_empty());
    let mut found: Vec<&str> = text.lines().collect();
    found.sort_unstable();
    assert_eq!(found, expected);
}

fn crossings(text: &str, sample: &Sample) {
    let mut expected = Vec::new();
    for process in sample.processes().into_iter().filter(|process| process.in_active_list) {
        for handle in &process.handles {
            let named = sample.truth.named_objects.iter().find(|object| object.object == handle.object);
            let Some((object, path)) = named.and_then(|named| Some((named.namespace_session?, &named.path))) else {
                continue;
            };
            let relation = match (object, process.session_id) {
                (object, Some(holder)) if object == holder => continue,
                (_, None) => "no-session",
                (0, Some(_)) => "session-holds-global",
                (_, Some(0)) => "service-holds-session-object",
                _ => "foreign-session",
            };
            expected.push(format!("{} {path}: {relation}", process.pid));
        }
    }
    let mut found: Vec<String> = text.lines().map(|line| line.replace(" (created for another session)", "")).collect();
    expected.sort();
    found.sort();
    assert!(expected.iter().any(|line| line.contains("foreign-session")));
    assert_eq!(found, expected);
}

fn collisions(text: &str, sample: &Sample) {
    let holders = |path: &str| {
        let object = sample.truth.named_objects.iter().find(|object| object.path == path).unwrap();
        let holds = |process: &&Process| process.handles.iter().any(|handle| handle.object == object.object);
        sample.truth.processes.iter().filter(holds).count()
    };
    let global = SQUATTED.trim_start_matches("\\Sessions\\1");
    let expected = format!("{global} ({} holders) and {SQUATTED} ({} holders)", holders(global), holders(SQUATTED));
    assert_eq!(text.trim_end(), expected);
}

/// Whether the lists behind the environment block of a process are there to be read.
fn readable(process: &Process) -> bool {
    matches!(process.peb_state, "resident" | "transition" | "prototype")
}

fn dlls(text: &str, sample: &Sample) {
    let mut expected = Vec::new();
    for process in sample.processes() {
        let native = if readable(process) { process.dlls.as_slice() } else { &[] };
        let old = process.dlls32.iter().map(|dll| (32, dll));
        for (bits, dll) in native.iter().map(|dll| (64, dll)).chain(old) {
            expected.push(format!("{} {:#018x} {bits} {}", process.pid, dll.base, dll.name));
        }
    }
    assert_eq!(words(text), expected);
}

fn vads(text: &str, sample: &Sample) {
    const ANYTHING: u8 = 6;
    let mut expected = Vec::new();
    for process in sample.processes() {
        for vad in process.vads.iter().filter(|vad| vad.protection == ANYTHING) {
            let size = vad.end - vad.start + 1;
            expected.push(format!("{} {:#018x} {size} bytes PAGE_EXECUTE_READWRITE", process.pid, vad.start));
        }
    }
    assert!(expected.len() > 5, "a machine with such memory");
    assert_eq!(words(text), expected);
}

/// The bits of Windows' own headers that processes of the machine have: word, number and name.
fn mitigations(text: &str, sample: &Sample) {
    const BITS: [(usize, u32, &str); 8] = [
        (0, 4, "aslr:ForceRelocateImages"),
        (0, 5, "aslr:HighEntropyASLREnabled"),
        (0, 0, "cfg:ControlFlowGuardEnabled"),
        (0, 2, "cfg:ControlFlowGuardStrict"),
        (1, 14, "cet:CetUserShadowStacks"),
        (0, 8, "dynamic_code:DisableDynamicCode"),
        (0, 17, "fonts:AuditNonSystemFontLoading"),
        (0, 12, "win32k:DisallowWin32kSystemCalls"),
    ];
    let line = |process: &&Process| {
        let flags = &process.flags;
        let words = [&flags.mitigation_flags, &flags.mitigation_flags2].map(|word| word.as_ref().unwrap().value);
        let set = BITS.iter().filter(|(word, bit, _)| words[*word] >> bit & 1 == 1);
        let known = BITS.iter().fold([0, 0], |mut known, (word, bit, _)| {
            known[*word] |= 1 << bit;
            known
        });
        assert!(words[0] & !known[0] == 0 && words[1] & !known[1] == 0, "another mitigation of {}", process.pid);
        let start = [process.pid.to_string(), process.image_name.clone()];
        start.into_iter().chain(set.map(|(.., name)| (*name).to_owned())).collect::<Vec<_>>().join(" ")
    };
    let expected: Vec<String> = sample.processes().iter().map(line).collect();
    assert!(expected.iter().any(|line| line.contains("win32k:")), "a machine with mitigations");
    assert_eq!(words(text), expected);
}
