//! The command as a user runs it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use ntlens_testkit::{Kind, Machine, layouts};
use serde_json::Value as Json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ntlens-testkit")).args(arguments).output().unwrap()
}

fn done(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty());
    String::from_utf8(output.stdout).unwrap()
}

/// What is said when nothing is done, and nothing else is left behind.
fn refused(status: i32, arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

/// An empty folder of a test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("testkit-cli").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_kind_is_what_the_library_writes() {
    let folder = folder("kinds");
    let listed = done(&["kinds"]);
    assert_eq!(listed.lines().count(), Kind::ALL.len());
    let machine = Machine::typical(layouts("10.0.19041.1288").unwrap(), 7, 33).memory(60 << 20);
    let image = machine.build();
    for (line, kind) in listed.lines().zip(Kind::ALL) {
        assert!(line.starts_with(kind.name()));
        let (dump, truth) = (folder.join(format!("{kind}.dmp")), folder.join(format!("{kind}.json")));
        let made = ["make", "--build", "19041.1288", "--kind", kind.name(), "--seed", "7", "--processes", "33"];
        let rest = ["--memory", "60", dump.to_str().unwrap(), "--truth", truth.to_str().unwrap()];
        assert_eq!(done(&[&made[..], &rest[..]].concat()), "");
        assert!(fs::read(&dump).unwrap() == image.to_vec(kind), "{kind}");
        let truth: Json = serde_json::from_slice(&fs::read(&truth).unwrap()).unwrap();
        assert_eq!(truth["schema"], "ntlens-testkit/1");
        assert_eq!(truth["dump"]["file_size"], fs::metadata(&dump).unwrap().len());
        assert_eq!(truth["processes"].as_array().unwrap().len(), 33);
        fs::remove_file(dump).unwrap();
    }
}

#[test]
fn nothing_is_overwritten_unless_that_is_wanted() {
    let folder = folder("overwrite");
    let (dump, truth) = (folder.join("out.dmp"), folder.join("out.json"));
    let (dump_text, truth_text) = (dump.to_str().unwrap(), truth.to_str().unwrap());
    let make = ["make", dump_text, "--truth", truth_text, "--kind", "triage"];
    fs::write(&truth, "mine").unwrap();
    let said = refused(2, &make);
    assert!(said.contains("out.json is there; --force replaces it"), "{said}");
    assert_eq!((names(&folder), fs::read(&truth).unwrap()), (vec!["out.json".into()], b"mine".to_vec()));
    done(&[&make[..], &["--force"]].concat());
    let first = fs::read(&dump).unwrap();
    assert!(first.starts_with(b"PAGEDU64") && fs::read(&truth).unwrap().starts_with(b"{"));
    let said = refused(2, &make);
    assert!(said.contains("out.dmp is there; --force replaces it"), "{said}");
    done(&[&make[..], &["--force", "--seed", "2"]].concat());
    assert!(fs::read(&dump).unwrap() != first);
    assert_eq!(names(&folder), ["out.dmp", "out.json"]);
}

/// Neither a pipe nor a link becomes a file, whatever is forced.
#[cfg(unix)]
#[test]
fn a_pipe_is_not_replaced_and_a_link_stays() {
    use std::os::unix::fs::FileTypeExt;
    let folder = folder("pipe");
    let (pipe, link, file) = (folder.join("pipe"), folder.join("link"), folder.join("file"));
    if !Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
        return;
    }
    let make = |target: &Path| ["make", target.to_str().unwrap(), "--kind", "triage", "--force"].map(String::from);
    for target in [&pipe, &link] {
        if target == &link {
            std::os::unix::fs::symlink(&pipe, &link).unwrap();
        }
        let said = refused(2, &make(target).each_ref().map(String::as_str));
        assert!(said.contains("is a pipe or a device, and is not replaced"), "{said}");
        assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
    }
    fs::remove_file(&link).unwrap();
    fs::write(&file, "older").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    done(&make(&link).each_ref().map(String::as_str));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read(&file).unwrap().starts_with(b"PAGEDU64"));
    assert_eq!(names(&folder), ["file", "link", "pipe"]);
}

#[test]
fn wishes_that_cannot_be_met_leave_nothing() {
    let folder = folder("refused");
    let dump = folder.join("out.dmp");
    let dump = dump.to_str().unwrap();
    let nowhere = folder.join("none/out.dmp");
    for (status, arguments, words) in [
        (2, vec!["--build", "19042"], "there are 7601, 9600, 14393"),
        (2, vec!["--build", "19041.1"], "`ntlens-testkit builds` lists the revisions"),
        (2, vec!["--kind", "minidump"], "rdmp-kernel"),
        (2, vec!["--processes", "31"], "32"),
        (2, vec!["--memory", "32"], "need at least"),
        (2, vec!["--with", "rootkits"], "rootkits"),
        (2, vec!["--truth", dump], "the dump itself"),
        (2, vec!["--speed", "9"], "--speed"),
    ] {
        let said = refused(status, &[&["make", dump], &arguments[..]].concat());
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    assert!(refused(1, &["make", nowhere.to_str().unwrap(), "--kind", "triage"]).contains("none"));
    assert!(refused(1, &["make", folder.to_str().unwrap()]).contains("directory"));
    refused(2, &["make"]);
    assert!(names(&folder).is_empty());
}

/// A folder may have been named by somebody else.
#[test]
fn a_path_in_a_message_steers_no_terminal() {
    let folder = folder("hostile");
    let name = "\u{1b}[2J\u{202e}two\nlines.dmp";
    let below = folder.join(name).join("out.dmp");
    let said = refused(1, &["make", below.to_str().unwrap(), "--kind", "triage"]);
    assert_eq!(said.lines().count(), 1, "{said:?}");
    assert!(said.contains("\\u{1b}[2J\\u{202e}two\\u{a}lines.dmp"), "{said:?}");
    assert!(!said.contains(|char: char| (char.is_control() && char != '\n') || char == '\u{202e}'), "{said:?}");
}

#[test]
fn a_machine_has_the_parts_asked_for_with_the_least_memory() {
    let folder = folder("parts");
    let (dump, truth) = (folder.join("out.dmp"), folder.join("out.json"));
    let (dump, truth) = (dump.to_str().unwrap(), truth.to_str().unwrap());
    let all = "jobs,crossings,busy,pcid,la57,kva-shadow,encoded-kdbg,debugger-data";
    for (processes, mib) in [("32", "52"), ("200", "120")] {
        let make = ["make", dump, "--truth", truth, "--with", all, "--processes", processes, "--memory", mib];
        let rest = ["--build", "22000", "--placement", "scattered", "--exact-bits", "--force"];
        done(&[&make[..], &rest[..]].concat());
        let made: Json = serde_json::from_slice(&fs::read(truth).unwrap()).unwrap();
        assert_eq!(made["build"], 22000);
        assert_eq!(made["kernel"]["paging_levels"], 5);
        assert_eq!(made["kernel"]["kdbg"]["encoded"], true);
        for list in ["jobs", "hives", "cross_session", "cross_silo", "cross_integrity"] {
            assert!(!made[list].as_array().unwrap().is_empty(), "{list}");
        }
    }
}

#[test]
fn kernels_and_the_schema_are_listed() {
    let builds = done(&["builds"]);
    let of_2004 = builds.lines().find(|line| line.starts_with("19041 ")).unwrap();
    assert!(of_2004.split_whitespace().any(|revision| revision == "1288"));
    let schema: Json = serde_json::from_str(&done(&["schema"])).unwrap();
    assert_eq!(schema, ntlens_testkit::truth::schema());
}
