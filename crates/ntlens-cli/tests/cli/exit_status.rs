//! Exit status and standard error, which scripts go by.

use crate::support::{Run, command, finish, ntlens, sample};

#[test]
fn nothing_is_the_answer_of_no_dump() {
    let folder = env!("CARGO_TARGET_TMPDIR");
    let empty = tempfile::NamedTempFile::new().unwrap();
    for path in [&sample().text, "/no/such/file", folder, empty.path().to_str().unwrap()] {
        let Run { status, stdout, stderr } = ntlens(&["info", path]);
        assert_eq!((status, stdout.as_str()), (1, ""), "{path}: {stderr}");
        assert!(stderr.starts_with(&format!("error: {path}: ")), "the error names the file: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[test]
fn an_error_says_where_and_what_was_expected() {
    let run = ntlens(&["processes", &sample().text]);
    for part in ["file offset 0x0", "Signature", "\"no dump,\"", "PAGEDU64"] {
        assert!(run.stderr.contains(part), "{part} is not in {}", run.stderr);
    }
}

#[test]
fn wrong_usage_is_told_apart() {
    let path = sample().path.as_str();
    let wrong: &[&[&str]] = &[
        &[],
        &["no-such-command"],
        &["processes"],
        &["processes", path, "--format", "xml"],
        &["processes", path, "--no-such-option"],
        &["info", path, "--color", "sometimes"],
        &["read", path, "0x1000"],
        &["read", path, "not-an-address", "16"],
        &["read", path, "0x1000", "-1"],
        &["read", path, "0x1000", "99999999999"],
        &["read", path, "0x1000", "16", "--physical", "--pid", "4"],
        &["translate", path, "0x1000", "--pid", "four"],
        &["dt", "_EPROCESS"],
        &["dt", "_EPROCESS", "--build", "newest"],
        &["completions", "no-such-shell"],
    ];
    for arguments in wrong {
        let run = ntlens(arguments);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{arguments:?}: {}", run.stderr);
        assert!(arguments.is_empty() || run.stderr.starts_with("error: "), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn strict_tells_an_incomplete_answer() {
    for table in ["info", "processes", "threads", "tokens", "modules", "unloaded", "crash", "coverage"] {
        let usual = ntlens(&[table, &sample().truncated]);
        assert_eq!(usual.status, 0, "an incomplete answer is one: {}", usual.stderr);
        let strict = ntlens(&[table, &sample().truncated, "--strict"]);
        assert_eq!(strict.status, 3, "{table}: {}", strict.stderr);
        assert_eq!(strict.stdout, usual.stdout, "the answer is the same");
        assert_eq!(ntlens(&[table, &sample().path, "--strict"]).status, 0, "{table}");
    }
}

#[test]
fn data_and_remarks_go_separate_ways() {
    for (_, arguments) in sample().questions() {
        let run = ntlens(&arguments);
        assert_eq!(run.status, 0, "{arguments:?}: {}", run.stderr);
        assert!(!run.stdout.is_empty());
        for line in run.stderr.lines() {
            assert!(["error: ", "warning: ", "note: "].iter().any(|kind| line.starts_with(kind)), "{line}");
        }
        for line in run.stdout.lines() {
            assert!(!["error: ", "warning: ", "note: "].iter().any(|kind| line.starts_with(kind)), "{line}");
        }
    }
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let path = sample().path.as_str();
    let mut calls: Vec<Vec<&str>> =
        ["table", "json", "jsonl", "csv"].map(|format| vec!["processes", path, "-q", "--format", format]).to_vec();
    calls.extend([vec!["schema"], vec!["--version"], vec!["--licenses"], vec!["completions", "bash"]]);
    calls.extend([vec!["dt", "_EPROCESS", "--build", "19041"], vec!["dt", "_*", "--build", "19041"], vec!["--help"]]);
    for arguments in calls {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = command(&arguments);
        command.stdout(writer);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error() {
    for format in ["table", "json", "jsonl", "csv"] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = command(&["processes", &sample().path, "-q", "--format", format]);
        command.stdout(full);
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{format}: {stderr}");
        assert!(stderr.starts_with("error: the answer could not be written: "), "{format}: {stderr}");
    }
}

#[test]
fn colours_are_for_terminals() {
    let colored = |arguments: &[&str], no_color: bool| {
        let mut command = command(arguments);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let run = finish(command);
        assert!(run.stderr.contains("note"), "{}", run.stderr);
        (run.stdout.contains('\x1b'), run.stderr.contains('\x1b'))
    };
    assert_eq!(colored(&["demo"], false), (false, false), "nobody is at a terminal");
    assert_eq!(colored(&["demo", "--color", "never"], false), (false, false));
    assert_eq!(colored(&["demo"], true), (false, false));
    assert_eq!(colored(&["demo", "--color", "always"], false), (true, true));
    assert_eq!(colored(&["demo", "--color", "always"], true), (true, true), "an option is nearer than the environment");
    let json = ["demo", "--color", "always", "--format", "json"];
    assert_eq!(colored(&json, false), (false, true), "what programs read has none");
}
