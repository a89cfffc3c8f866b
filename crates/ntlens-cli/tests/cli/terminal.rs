//! Tables as terminals show them: widths, descent, colours, and the page of a process.

use crate::support::{answer, command, document, finish, ntlens, sample};
use ntlens_testkit::{DumpOptions, Kind, Machine, ProcessSpec, TokenSpec, layouts};

/// A small machine whose answers fit a page.
fn small() -> String {
    let mut machine = Machine::new(layouts("10.0.19041.1288").expect("an embedded kernel")).seed(3);
    let smss = machine.process(ProcessSpec::named("smss.exe").protection(0x61).signature(0x3e, 0xe).critical());
    let services = ProcessSpec::named("services.exe").parent(9996).protection(0x61).signature(0x3e, 0xe).critical();
    let services = machine.process(services);
    machine.process(ProcessSpec::named("MsMpEng.exe").parent(services).protection(0x31).signature(0x37, 7));
    let shell = ProcessSpec::named("explorer.exe").parent(9992).session(1).token(TokenSpec::user(1001, 0x2000));
    let shell = machine.process(shell);
    let child = ProcessSpec::named("\u{1b}[31mred.exe").parent(shell).session(1).token(TokenSpec::user(1001, 0x2000));
    let child = machine.process(child.command_line("red.exe --long \"C:\\Program Files\\Some\\Where\\file.txt\""));
    machine.process(ProcessSpec::named("grandchild.exe").parent(child).session(1).token(TokenSpec::user(1001, 0x2000)));
    // Its id is that of a process that is younger than the one that names it.
    machine.process(ProcessSpec::named("late.exe").pid(9000).created(ntlens_testkit::RUNNING_AT));
    machine.process(ProcessSpec::named("early.exe").pid(8000).parent(9000));
    assert!(smss > 0);
    let image = machine.build();
    crate::support::write("small.dmp", |path| {
        let options = DumpOptions::new(Kind::BitmapKernel { live: false });
        drop(image.write_file(options, path).expect("a dump"));
    })
}

#[test]
fn processes_in_every_width() {
    let path = small();
    for width in ["60", "80", "120", "200", "0"] {
        let run = ntlens(&["processes", &path, "--width", width]);
        assert_eq!(run.status, 0, "{}", run.stderr);
        let most: usize = width.parse().unwrap();
        assert!(most == 0 || run.stdout.lines().all(|line| line.chars().count() <= most), "{}", run.stdout);
        insta::assert_snapshot!(format!("processes_{width}"), run.stdout + &run.stderr);
    }
}

#[test]
fn a_pipe_has_no_width() {
    let path = small();
    assert_eq!(answer(&["processes", &path]), answer(&["processes", &path, "--width", "0"]));
}

#[test]
fn processes_below_the_ones_that_started_them() {
    let path = small();
    let run = ntlens(&["processes", &path, "--tree", "--columns", "pid,ppid,name,protection"]);
    insta::assert_snapshot!("tree", run.stdout + &run.stderr);
    let run = ntlens(&["processes", &path, "--tree", "--columns", "name,pid", "--where", "name ~ 'g*' or name ~ ms*"]);
    insta::assert_snapshot!("tree_filtered", run.stdout + &run.stderr);
    // Other programs get the rows that fit, and the depth.
    let arguments = ["processes", path.as_str(), "--tree", "--columns", "name,depth", "--where", "name ~ g*"];
    let rows = document(&arguments)["rows"].clone();
    assert_eq!(rows, serde_json::json!([{"name": "grandchild.exe", "depth": 2, "absent": {}}]));
}

#[test]
fn the_page_of_a_process() {
    let path = small();
    let run = ntlens(&["process", &path, "MSMPENG.EXE", "--width", "80"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    insta::assert_snapshot!("page", run.stdout + &run.stderr);
    let pid = document(&["processes", &path, "--where", "name = MsMpEng.exe"])["rows"][0]["pid"].to_string();
    let page = document(&["process", &path, &pid]);
    assert_eq!((&page["table"], &page["row_count"]), (&"process".into(), &1.into()));
    let sections = page["rows"][0]["sections"].as_object().unwrap();
    assert!(!sections.contains_key("handles") && sections.contains_key("threads"));
    let all = document(&["process", &path, &pid, "--handles"]);
    assert!(all["rows"][0]["sections"]["handles"].is_array());
    let lines = answer(&["process", &path, &pid, "--format", "jsonl"]);
    let line: serde_json::Value = serde_json::from_str(&lines).unwrap();
    assert_eq!(line, page["rows"][0], "one line");
}

#[test]
fn a_page_that_cannot_be_given() {
    let path = small();
    let run = ntlens(&["process", &path, "4", "--format", "csv"]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{}", run.stderr);
    assert!(run.stderr.contains("--where"), "{}", run.stderr);
    for process in ["5", "nobody.exe", "0xffffffffffffffff"] {
        let run = ntlens(&["process", &path, process]);
        assert_eq!((run.status, run.stdout.as_str()), (1, ""), "{}", run.stderr);
        assert!(run.stderr.starts_with("error: no process "), "{}", run.stderr);
    }
    for table in ["threads", "tokens", "groups", "privileges", "handles", "handle-types"] {
        let run = ntlens(&[table, &path, "--pid", "5"]);
        assert_eq!(run.status, 1, "{table}: {}", run.stderr);
    }
}

#[test]
fn colours_add_nothing_to_the_text() {
    let colored = |arguments: &[&str]| finish(command(&[arguments, &["--color", "always"]].concat())).stdout;
    let sample = sample().path.as_str();
    for arguments in [&["processes", sample][..], &["processes", sample, "--tree"], &["process", sample, "4"]] {
        let text = colored(arguments);
        assert!(text.contains("\x1b["), "{arguments:?}");
        let mut plain = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("\x1b[") {
            let (code, after) = after.split_once('m').unwrap();
            assert!(["0", "1", "2", "32"].contains(&code), "{code:?} is none of ours");
            plain += before;
            rest = after;
        }
        assert_eq!(plain + rest, answer(arguments), "{arguments:?}");
    }
}

#[test]
fn hostile_names_break_no_line() {
    let path = sample().path.as_str();
    let rows = document(&["processes", path])["row_count"].as_u64().unwrap();
    for width in ["40", "60", "80", "200"] {
        for arguments in [&["processes", path, "--width", width][..], &["processes", path, "--width", width, "--tree"]]
        {
            let text = answer(arguments);
            assert_eq!(text.lines().count() as u64, rows + 1, "{text}");
            assert!(!text.contains(['\x1b', '\u{202e}']), "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= width.parse().unwrap()), "{text}");
            // An escaped character is there as a whole, or not at all.
            let whole = |piece: &str| piece.find('}').is_some_and(|end| end <= 6);
            assert!(text.split("\\u{").skip(1).all(whole), "{text}");
        }
    }
}
