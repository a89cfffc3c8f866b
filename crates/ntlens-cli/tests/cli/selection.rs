//! Rows and columns that are chosen: `--where`, `--columns`, `--sort`, `--limit`.

use crate::schema::columns;
use crate::support::{answer, document, ntlens, sample};
use serde_json::Value as Json;

fn choose(arguments: &[&str]) -> Vec<String> {
    let text = answer(&[&["processes", sample().path.as_str(), "--format", "jsonl"], arguments].concat());
    text.lines().map(String::from).collect()
}

#[test]
fn a_filter_leaves_the_same_rows_in_every_format() {
    let truth = sample().image.truth();
    let critical = truth.processes.iter().filter(|process| process.critical).count();
    assert!(critical > 3);
    let path = sample().path.as_str();
    let lines = |format: &str| answer(&["processes", path, "--where", "critical", "--format", format]).lines().count();
    assert_eq!([lines("table"), lines("csv"), lines("jsonl")], [critical + 1, critical + 1, critical]);
    assert_eq!(document(&["processes", path, "--where", "critical"])["row_count"], critical);
}

#[test]
fn a_column_need_not_be_shown_to_be_asked_about() {
    let filter = "sources has cid-table and not sources has active-list";
    let lines = choose(&["--where", filter, "--columns", "pid"]);
    let hidden: Vec<u64> =
        sample().image.truth().processes.iter().filter(|process| !process.in_active_list).map(|p| p.pid).collect();
    let expected: Vec<String> = hidden.iter().map(|pid| format!("{{\"pid\":{pid},\"absent\":{{}}}}")).collect();
    assert_eq!(lines, expected);
}

#[test]
fn columns_are_those_that_were_asked_for_in_that_order() {
    let path = sample().path.as_str();
    let heading = |names: &str| {
        let text = answer(&["processes", path, "--columns", names, "--format", "csv"]);
        text.lines().next().unwrap().to_owned()
    };
    assert_eq!(heading("name,pid"), "name,pid,absent");
    assert_eq!(heading(" name , PID,name"), "name,pid,absent");
    let all: Vec<String> = columns("processes").into_iter().map(|(name, _)| name).collect();
    assert_eq!(heading("all"), format!("{},absent", all.join(",")));
    assert_eq!(
        heading("+parent"),
        "pid,ppid,name,session_id,protection,signature_level_name,integrity,system_process,subsystem_process,critical,\
         cross_session_create,job,silo_id,app_container,exit_time,parent,absent"
    );
    let text = answer(&["processes", path, "--columns", "name,eprocess,protection"]);
    let words: Vec<&str> = text.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(words, ["Name", "eprocess", "Protection"], "a terminal shows what was asked for");
    let text = answer(&["processes", path, "--columns", "+parent"]);
    assert!(text.lines().next().unwrap().ends_with("  Exit  parent") || text.contains("parent"), "{text}");
}

#[test]
fn rows_are_sorted_and_cut() {
    let mut pids: Vec<u64> = sample().image.truth().processes.iter().map(|process| process.pid).collect();
    pids.sort_unstable_by(|left, right| right.cmp(left));
    let lines = choose(&["--sort", "-pid", "--limit", "3", "--columns", "pid"]);
    let found: Vec<u64> =
        lines.iter().map(|line| serde_json::from_str::<Json>(line).unwrap()["pid"].as_u64().unwrap()).collect();
    assert_eq!(found, pids[..3]);
    let run = ntlens(&["processes", sample().path.as_str(), "--limit", "3"]);
    assert!(run.stderr.contains(&format!("note: the first 3 of {} rows\n", pids.len())), "{}", run.stderr);
}

#[test]
fn every_question_can_be_filtered() {
    let path = sample().path.as_str();
    for (table, filter) in [
        ("info", "dump_kind = bitmap-full"),
        ("threads", "process_name = System and state is not null"),
        ("tokens", "groups has S-1-5-32-544"),
        ("groups", "list = user and sid = S-1-5-18"),
        ("privileges", "privilege = SeDebugPrivilege and enabled"),
        ("objects", "type = Directory and path ~ \\Device*"),
        ("modules", "base >= 0xfffff80000000000"),
        ("coverage", "bytes_present > 0"),
    ] {
        let all = document(&[table, path])["row_count"].as_u64().unwrap();
        let some = document(&[table, path, "--where", filter])["row_count"].as_u64().unwrap();
        let others = document(&[table, path, "--where", &format!("not ({filter})")])["row_count"].as_u64().unwrap();
        assert!(some > 0, "{table}: {filter}");
        assert_eq!(some + others, all, "{table}: {filter}");
    }
}

#[test]
fn wrong_filters_and_columns_are_wrong_usage() {
    let path = sample().path.as_str();
    for (arguments, parts) in [
        (&["--where", "protectoin != None"][..], &["--where", "position 1", "protectoin", "protection"][..]),
        (&["--where", "session_id > one"], &["position 14", "session_id", "a number", "\"one\""]),
        (&["--where", "name = \"x"], &["position 8", "quote"]),
        (&["--where", "Session = 1"], &["session_id"]),
        (&["--columns", "pid,nmae"], &["--columns", "\"nmae\""]),
        (&["--columns", ""], &["\"\""]),
        (&["--sort", "-pdi"], &["--sort", "\"pdi\"", "pid"]),
        (&["--limit", "-1"], &["-1"]),
        (&["--tree", "--sort", "pid"], &["--tree"]),
        (&["--where", "\u{1b}[31m = 1"], &["\\u{1b}"]),
    ] {
        let run = ntlens(&[&["processes", path], arguments].concat());
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{arguments:?}: {}", run.stderr);
        for part in parts {
            assert!(run.stderr.contains(part), "{arguments:?}: {} lacks {part}", run.stderr);
        }
        assert!(!run.stderr.contains('\x1b'), "{}", run.stderr);
    }
    // Before the dump is looked at.
    let run = ntlens(&["processes", "/no/such/file", "--where", "pid ="]);
    assert_eq!(run.status, 2, "{}", run.stderr);
}

#[test]
fn rows_that_cannot_be_decided_are_counted() {
    let path = sample().truncated.as_str();
    let document = document(&["processes", path, "--where", "handle_count >= 0", "--columns", "pid"]);
    let all = crate::support::document(&["processes", path, "--columns", "handle_count"]);
    let rows = all["rows"].as_array().unwrap();
    let missing = rows.iter().filter(|row| row["absent"]["handle_count"] == "truncated").count();
    assert!(missing > 0, "the file ends before some");
    let undecided: Vec<&Json> = document["incomplete"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["where"] == "column handle_count" && entry["reason"] == "truncated")
        .collect();
    assert_eq!(undecided.len(), 1);
    assert_eq!(undecided[0]["count"], missing);
    assert!(rows.len() as u64 - missing as u64 >= document["row_count"].as_u64().unwrap());
}
