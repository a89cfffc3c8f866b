//! Filters, descent and pages of processes against what is known of them: the truth files of the shared folder, and machines
//! of the testkit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr, missing_docs)]

mod common;
#[path = "common/kit.rs"]
mod kit;

use common::{Tally, address, rows, samples};
use ntlens::OpenDump;
use ntlens::render::{self, Format, Terminal};
use ntlens::report::page::{Page, page};
use ntlens::report::{Argument, Arguments, Cell, OneByOne, Table, Value, Wanted, question};
use ntlens_testkit::{Image, Kind, ProcessSpec};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// The ids of the processes that a filter leaves, in ascending order.
fn pids(dump: &OpenDump, table: &str, filter: &str, column: &str) -> Vec<u64> {
    let question = question(table).unwrap();
    let selection = question.selection(Wanted::All).filter(filter).unwrap().columns(column).unwrap();
    let answer = question.ask_selected(dump, &Arguments::default(), &selection, &OneByOne).unwrap();
    let mut found: Vec<u64> = answer.rows.iter().map(|row| number(&row[0])).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn number(cell: &Cell) -> u64 {
    match cell.value() {
        Some(Value::Uint(number)) => *number,
        other => panic!("{other:?} is no number"),
    }
}

fn text(cell: &Cell) -> String {
    match cell.value() {
        Some(Value::Text(text)) => text.to_string(),
        other => panic!("{other:?} is no text"),
    }
}

type Wants = fn(&Json) -> bool;

/// Filters, and the same said of the truth.
const FILTERS: &[(&str, Wants)] = &[
    ("critical", |p| p["critical"] == true),
    ("not critical", |p| p["critical"] == false),
    ("subsystem_process", |p| p["subsystem_process"] == true),
    ("session_id = 1", |p| p["session_id"] == 1),
    // A process without a session is in another one.
    ("session_id != 1", |p| p["session_id"] != 1),
    ("session_id is null", |p| p["session_id"].is_null()),
    ("session_id = 0", |p| p["session_id"] == 0),
    ("integrity_rid >= 0x3000 and session_id = 1", |p| {
        p["token"]["integrity_rid"].as_u64() >= Some(0x3000) && p["session_id"] == 1
    }),
    ("name ~ 'SVC*'", |p| p["image_name"].as_str().unwrap().to_lowercase().starts_with("svc")),
    ("name ~ '*host*' or pid in (4, 8)", |p| {
        p["image_name"].as_str().unwrap().to_lowercase().contains("host") || p["pid"] == 4
    }),
    ("exit_time is not null", |p| p["exit_time"].as_u64().is_some_and(|time| time != 0)),
    ("sources has active-list", |p| p["in_active_list"] == true),
    ("not sources has active-list", |p| p["in_active_list"] == false),
    ("privileges_enabled has sedebugprivilege", |p| {
        p["token"]["privileges_on"].as_array().unwrap().iter().any(|name| name == "SeDebugPrivilege")
    }),
    ("user_sid = S-1-5-18 and not (ppid = 4 or pid = 4)", |p| {
        p["token"]["user"] == "S-1-5-18" && p["ppid"] != 4 && p["pid"] != 4
    }),
];

#[test]
fn filters_leave_the_processes_that_the_truth_names() {
    let mut tally = Tally::default();
    for sample in samples() {
        for (filter, wants) in FILTERS {
            let found = pids(&sample.dump, "processes", filter, "pid");
            let mut expected: Vec<u64> =
                sample.processes().iter().filter(|p| wants(p)).map(|p| p["pid"].as_u64().unwrap()).collect();
            expected.sort_unstable();
            tally.check(filter, &sample.name, &found.into(), &expected.into());
        }
        // What has a protection is told by a byte, on Windows 7 by a bit.
        let found = pids(&sample.dump, "processes", "protection != None", "pid");
        let is = |p: &&&Json| p["protection"]["level"].as_u64().is_some_and(|l| l != 0) || p["protected_win7"] == true;
        let is = |p: &&&Json| is(p) || common::hex(&p["protection"]["level"]).is_some_and(|level| level != 0);
        let mut expected: Vec<u64> = sample.processes().iter().filter(is).map(|p| p["pid"].as_u64().unwrap()).collect();
        expected.sort_unstable();
        tally.check("protection != None", &sample.name, &found.into(), &expected.into());
    }
    tally.finish_shared("filters");
}

#[test]
fn parents_are_those_that_are_not_younger() {
    let mut tally = Tally::default();
    for sample in samples() {
        let processes = sample.processes();
        let by_pid: BTreeMap<u64, &Json> = processes.iter().map(|p| (p["pid"].as_u64().unwrap(), *p)).collect();
        assert_eq!(by_pid.len(), processes.len(), "no id is there twice");
        let parent = |process: &Json| {
            let parent = by_pid.get(&process["ppid"].as_u64().unwrap())?;
            (parent["create_time"].as_u64() <= process["create_time"].as_u64()).then_some(*parent)
        };
        let reused =
            processes.iter().filter(|p| by_pid.contains_key(&p["ppid"].as_u64().unwrap()) && parent(p).is_none());
        assert!(reused.count() > 0, "{}: one process has the id of another's parent", sample.name);
        let found = rows(&sample.dump, "processes");
        let rows: BTreeMap<u64, &Json> = found.iter().map(|row| (row["pid"].as_u64().unwrap(), row)).collect();
        for process in &processes {
            let place = format!("{} pid {}", sample.name, process["pid"]);
            let row = rows[&process["pid"].as_u64().unwrap()];
            let above = parent(process);
            let expected = above.map_or(Json::Null, |parent| address(common::hex(&parent["eprocess"]).unwrap()));
            tally.check("parent", &place, &row["parent"], &expected);
            let orphan = above.is_none() && process["ppid"] != 0;
            tally.check("orphan", &place, &row["orphan"], &orphan.into());
            let depth = std::iter::successors(above, |process| parent(process)).count();
            tally.check("depth", &place, &row["depth"], &depth.into());
        }
        // In the tree each stands behind its parent, and none between them is above.
        let tree = tree(&sample.dump, "pid is not null");
        tally.check("rows", &sample.name, &tree.rows.len().into(), &processes.len().into());
        let branches = &tree.outline.as_ref().unwrap().branches;
        let mut above: Vec<u64> = Vec::new();
        for (row, branch) in tree.rows.iter().zip(branches) {
            let pid = number(&row[0]);
            above.truncate(usize::try_from(branch.depth).unwrap());
            let expected = parent(by_pid[&pid]).map(|parent| parent["pid"].as_u64().unwrap());
            tally.check("tree", &format!("{} pid {pid}", sample.name), &above.last().copied().into(), &expected.into());
            above.push(pid);
        }
        // Above a process that fits stand its parents, marked.
        let filtered = self::tree(&sample.dump, "name ~ chrome*");
        let context = filtered.rows.iter().zip(&filtered.outline.as_ref().unwrap().branches);
        let shown: BTreeMap<u64, bool> = context.map(|(row, branch)| (number(&row[0]), branch.context)).collect();
        let fits = |p: &Json| p["image_name"].as_str().unwrap().starts_with("chrome");
        let mut expected: BTreeMap<u64, bool> = BTreeMap::new();
        for process in processes.iter().filter(|p| fits(p)) {
            for above in std::iter::successors(Some(*process), |process| parent(process)) {
                expected.insert(above["pid"].as_u64().unwrap(), !fits(above));
            }
        }
        let text = |map: BTreeMap<u64, bool>| Json::from(format!("{map:?}"));
        tally.check("filtered tree", &sample.name, &text(shown), &text(expected));
    }
    tally.finish_shared("parents");
}

/// The tree of the processes that fit, with their ids alone.
fn tree(dump: &OpenDump, filter: &str) -> Table {
    let processes = question("processes").unwrap();
    let selection = processes.selection(Wanted::All).filter(filter).unwrap().columns("pid").unwrap().outline();
    let arguments = Arguments::default().with("tree", Argument::Flag);
    processes.ask_selected(dump, &arguments, &selection, &OneByOne).unwrap()
}

#[test]
fn a_page_holds_what_the_tables_hold_of_its_process() {
    let mut tally = Tally::default();
    for sample in samples() {
        for process in sample.processes().iter().step_by(7) {
            let pid = process["pid"].as_u64().unwrap();
            let place = format!("{} pid {pid}", sample.name);
            let document = page_document(
                &page(&sample.dump, &pid.to_string(), &["handles"], Wanted::All, &OneByOne).unwrap(),
                &sample.dump,
            );
            tally.check("row_count", &place, &document["row_count"], &1.into());
            let row = &document["rows"][0];
            tally.check("pid", &place, &row["pid"], &process["pid"]);
            let token = &process["token"];
            let sections = &row["sections"];
            let column = |table: &str, column: &str, only: &dyn Fn(&Json) -> bool| -> Json {
                let rows = sections[table].as_array().unwrap_or_else(|| panic!("{place} has no {table}"));
                rows.iter().filter(|row| only(row)).map(|row| row[column].clone()).collect()
            };
            let list = |name: &'static str| move |row: &Json| row["list"] == name;
            let sids: Json = token["sids"].as_array().unwrap().iter().map(|entry| entry["sid"].clone()).collect();
            let groups = column("groups", "sid", &|row| ["user", "group"].contains(&row["list"].as_str().unwrap()));
            tally.check("groups", &place, &groups, &sids);
            tally.check("user", &place, &column("groups", "sid", &list("user")), &vec![token["user"].clone()].into());
            tally.check(
                "restricting",
                &place,
                &column("groups", "sid", &list("restricting")),
                &token["restricted_sids"],
            );
            let capabilities =
                if token["capabilities"].is_null() { Json::Array(Vec::new()) } else { token["capabilities"].clone() };
            tally.check("capabilities", &place, &column("groups", "sid", &list("capability")), &capabilities);
            let on = column("privileges", "privilege", &|row| row["enabled"] == true);
            tally.check("privileges on", &place, &on, &token["privileges_on"]);
            let present = column("privileges", "privilege", &|row| row["present"] == true);
            tally.check("privileges", &place, &present, &token["privileges"]);
            let threads: Json =
                process["threads"].as_array().unwrap().iter().map(|thread| thread["tid"].clone()).collect();
            let mut found = column("threads", "tid", &|_| true);
            found.as_array_mut().unwrap().sort_by_key(Json::as_u64);
            tally.check("threads", &place, &found, &threads);
            // A table that is in a page file is told of, and not read.
            let paged_out = process["handle_table"]["state"] == "paged_out";
            let handles = if paged_out { 0 } else { process["handles"].as_array().map_or(0, Vec::len) };
            let told =
                document["incomplete"].as_array().unwrap().iter().any(|missing| missing["reason"] == "paged-out");
            tally.check("paged out", &place, &(paged_out && !told).into(), &false.into());
            tally.check("handles", &place, &sections["handles"].as_array().unwrap().len().into(), &handles.into());
            let sum: u64 =
                sections["handle-types"].as_array().unwrap().iter().map(|row| row["handles"].as_u64().unwrap()).sum();
            tally.check("handle-types", &place, &sum.into(), &handles.into());
        }
    }
    tally.finish_shared("pages");
}

fn page_document(page: &Page, dump: &OpenDump) -> Json {
    let mut bytes = Vec::new();
    render::write_page(&mut bytes, Format::Json, dump, page, Terminal::default()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn open(place: &str, image: &Image) -> OpenDump {
    kit::open(place, kit::dump(image, Kind::BitmapKernel { live: false }).0)
}

/// A table as a terminal of a width shows it.
fn shown(table: &Table, width: u16) -> String {
    let mut bytes = Vec::new();
    let terminal = Terminal { width: Some(width), color: false };
    render::write(&mut bytes, Format::Table, None, table, terminal).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_machine_without_system_processes_but_with_subsystem_processes_stands_out() {
    for build in [18362, 19041, 20348, 22000] {
        let mut machine = kit::typical(build, 3, 33);
        machine.process(ProcessSpec::named("bash").subsystem());
        let mut image = machine.build();
        let subsystem =
            image.truth().processes.iter().filter(|process| process.subsystem_process == Some(true)).count();
        let all = image.truth().processes.len();
        assert!(subsystem > 0);
        let before = question("processes").unwrap().ask(&open("before", &image), Wanted::Screen).unwrap();
        assert!(!before.remarks.iter().any(|remark| remark.contains("SubsystemProcess")), "{:?}", before.remarks);
        // The bit by the facts: number 12 of Flags3.
        let flags3 = kit::offset(&image, "_EPROCESS", "Flags3");
        for eprocess in image.truth().processes.iter().map(|process| process.eprocess).collect::<Vec<_>>() {
            let at = eprocess + flags3;
            let word = u32::from_le_bytes(image.read(at, 4).unwrap().try_into().unwrap()) & !(1 << 12);
            image.write_kernel(at, &word.to_le_bytes());
        }
        let dump = open("after", &image);
        assert!(pids(&dump, "processes", "system_process", "pid").is_empty(), "{build}");
        assert_eq!(pids(&dump, "processes", "subsystem_process", "pid").len(), subsystem, "{build}");
        let after = question("processes").unwrap().ask(&dump, Wanted::Screen).unwrap();
        let remark =
            format!("none of {all} processes has the SystemProcess bit, while {subsystem} have SubsystemProcess");
        assert!(after.remarks.contains(&remark), "{build}: {:?}", after.remarks);
        for width in [60, 80, 120] {
            let text = shown(&after, width);
            let heading = text.lines().next().unwrap();
            let (sys, sub) = (heading.find("Sys").unwrap(), heading.find("Sub").unwrap());
            let yes = |at: usize| text.lines().skip(1).filter(|line| line.get(at..at + 3) == Some("yes")).count();
            assert_eq!((yes(sys), yes(sub)), (0, subsystem), "{build}, {width}:\n{text}");
            assert!(text.lines().all(|line| line.chars().count() <= width.into()), "{text}");
        }
    }
}

#[test]
fn processes_with_one_id_are_all_shown_and_kept_apart() {
    let mut machine = kit::typical(19041, 4, 33);
    let first = machine.process(ProcessSpec::named("first.exe").threads(2));
    let second = machine.process(ProcessSpec::named("second.exe").threads(3));
    let mut image = machine.build();
    let eprocess = |image: &Image, pid: u64| image.truth().process(pid).unwrap().eprocess;
    let (one, other) = (eprocess(&image, first), eprocess(&image, second));
    let at = other + kit::offset(&image, "_EPROCESS", "UniqueProcessId");
    image.write_kernel(at, &first.to_le_bytes());
    let dump = open("one id", &image);
    let found = page(&dump, &first.to_string(), &[], Wanted::All, &OneByOne).unwrap();
    let document = page_document(&found, &dump);
    let mut told: Vec<(&str, &str, usize)> = document["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let threads = row["sections"]["threads"].as_array().unwrap().len();
            (row["eprocess"].as_str().unwrap(), row["name"].as_str().unwrap(), threads)
        })
        .collect();
    told.sort_by_key(|(_, name, _)| *name);
    let (one, other) = (format!("{one:#018x}"), format!("{other:#018x}"));
    assert_eq!(told, [(one.as_str(), "first.exe", 2), (other.as_str(), "second.exe", 3)]);
    for (text, count) in [(other.as_str(), 1), ("SECOND.exe", 1)] {
        let page = page(&dump, text, &[], Wanted::All, &OneByOne).unwrap();
        assert_eq!(page.processes.len(), count, "{text}");
        // What lies in the memory of the process itself is not in a dump of the kernel.
        let left = page.incomplete.iter().filter(|missing| missing.what != "loader lists of a process");
        assert_eq!(left.count(), 0, "{:?}", page.incomplete);
    }
    for text in ["3", "0xffff800000000000", "nobody.exe", ""] {
        assert!(page(&dump, text, &[], Wanted::All, &OneByOne).is_err(), "{text}");
    }
}

#[test]
fn a_loop_of_parents_ends() {
    let mut machine = kit::typical(19041, 4, 33);
    let time = ntlens_testkit::RUNNING_AT;
    let pids: Vec<u64> =
        (0..40).map(|n| machine.process(ProcessSpec::named(format!("loop{n}")).created(time))).collect();
    for (index, pid) in pids.iter().enumerate() {
        let parent = pids[(index + 1) % pids.len()];
        *machine.spec(*pid) = ProcessSpec::named(format!("loop{index}")).pid(*pid).created(time).parent(parent);
    }
    let dump = open("loop", &machine.build());
    let tree = tree(&dump, "name ~ loop*");
    let found: Vec<(u64, u64)> = tree
        .rows
        .iter()
        .zip(&tree.outline.as_ref().unwrap().branches)
        .map(|(row, b)| (number(&row[0]), b.depth))
        .collect();
    assert_eq!(found.len(), pids.len());
    assert_eq!(found[0], (pids[0], 0), "the first that is met is on top");
    assert!(found.iter().zip(0..).all(|((_, depth), place)| *depth == place), "{found:?}");
    // Deep rows stay within the line.
    let answer = question("processes").unwrap();
    let selection = answer.selection(Wanted::Screen).outline();
    let arguments = Arguments::default().with("tree", Argument::Flag);
    let text = shown(&answer.ask_selected(&dump, &arguments, &selection, &OneByOne).unwrap(), 80);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("(39) "), "{text}");
}

#[test]
fn only_what_is_asked_for_is_told() {
    let image = kit::typical(19041, 4, 33).build();
    let dump = open("columns", &image);
    let processes = question("processes").unwrap();
    let selection =
        processes.selection(Wanted::Screen).columns("name,pid").unwrap().sort("-name,pid").unwrap().limit(5);
    let answer = processes.ask_selected(&dump, &Arguments::default(), &selection, &OneByOne).unwrap();
    assert_eq!(answer.columns.iter().map(|column| column.name).collect::<Vec<_>>(), ["name", "pid"]);
    let found: Vec<(String, u64)> = answer.rows.iter().map(|row| (text(&row[0]), number(&row[1]))).collect();
    let mut expected: Vec<(String, u64)> =
        image.truth().processes.iter().map(|process| (process.image_name.clone(), process.pid)).collect();
    expected.sort_by(|left, right| right.0.cmp(&left.0).then(left.1.cmp(&right.1)));
    assert_eq!(found, expected[..5]);
    assert!(answer.remarks.contains(&format!("the first 5 of {} rows", expected.len())), "{:?}", answer.remarks);
}
