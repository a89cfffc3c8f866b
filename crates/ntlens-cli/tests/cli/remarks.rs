//! What is said beside the answer, and how much of it.

use crate::support::{ntlens, sample};
use ntlens_testkit::{Kind, Machine, layouts};

#[test]
fn one_warning_counts_what_is_missing() {
    let run = ntlens(&["processes", &sample().truncated]);
    let warnings: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("warning: ")).collect();
    let [warning] = warnings[..] else { panic!("{}", run.stderr) };
    let count = warning.strip_prefix("warning: the answer is incomplete, ").unwrap().split(' ').next().unwrap();
    assert!(count.parse::<u64>().unwrap() > 0, "{warning}");

    let document = crate::support::document(&["processes", &sample().truncated]);
    let counts = document["incomplete"].as_array().unwrap().iter().map(|missing| missing["count"].as_u64().unwrap());
    assert_eq!(counts.sum::<u64>().to_string(), count, "the document tells the same");
}

#[test]
fn verbose_lists_all_that_is_missing() {
    let lists = |arguments: &[&str]| ntlens(arguments).stderr.matches(" x truncated)").count();
    let path = sample().truncated.as_str();
    // The names of the unloaded modules lie behind the cut.
    let all = crate::support::document(&["unloaded", path])["incomplete"].as_array().unwrap().len();
    assert!(all > 3, "{all}");
    assert_eq!(lists(&["unloaded", path, "-v"]), all);
    assert_eq!(lists(&["unloaded", path]), 3);
    assert!(ntlens(&["unloaded", path]).stderr.contains("; more with -v"));
}

#[test]
fn quiet_is_silent_except_for_errors() {
    for arguments in [&["processes", sample().truncated.as_str(), "-q"][..], &["demo", "-q"]] {
        let run = ntlens(arguments);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""));
        assert!(!run.stdout.is_empty());
    }
    let run = ntlens(&["info", &sample().text, "-q"]);
    assert_eq!(run.status, 1);
    assert!(run.stderr.starts_with("error: "), "{}", run.stderr);
}

#[test]
fn a_triage_dump_says_what_it_cannot_hold() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mini.dmp");
    let machine = Machine::new(layouts("10.0.19041.1288").expect("an embedded kernel"));
    machine.build().write_file(Kind::Triage, &path).unwrap();
    let run = ntlens(&["processes".as_ref(), path.as_os_str()]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert_eq!(run.stdout.lines().count(), 2, "the crashing process only:\n{}", run.stdout);
    assert!(run.stderr.contains("no tokens and handles"), "{}", run.stderr);
    let path = path.to_str().unwrap();
    let physical = ntlens(&["read", path, "0x1000", "16", "--physical"]);
    assert_eq!(physical.status, 1, "a triage dump has no physical memory");
    assert!(physical.stderr.starts_with("error: ") && physical.stderr.contains("triage"), "{}", physical.stderr);
}
