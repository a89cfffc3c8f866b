//! Commands that read no dump.

use crate::support::{answer, ntlens};

#[test]
fn dt_prints_as_the_debugger_does() {
    let of = |pattern| answer(&["dt", "nt!_eprocess", pattern, "--build", "18362"]);
    assert_eq!(of("system*"), "   +0x6fc SystemProcess    : Pos 12, 1 Bit\n");
    assert_eq!(of("subsystem*"), "   +0x6fc SubsystemProcess : Pos 6, 1 Bit\n");
    assert_eq!(of("no_such_field"), "");
}

#[test]
fn dt_finds_types_without_regard_to_case() {
    let whole = answer(&["dt", "_EPROCESS", "--build", "19041.1288"]);
    assert_eq!(whole, answer(&["dt", "NT!_eprocess", "--build", "19041.1288"]));
    assert!(whole.lines().any(|line| line.starts_with("   +0x440 UniqueProcessId ")), "{whole}");
    let types = answer(&["dt", "_eproc*", "--build", "19041"]);
    assert!(types.lines().any(|line| line.trim() == "_EPROCESS"), "{types}");
}

#[test]
fn dt_names_what_it_does_not_know() {
    for (kind, build) in [("_NO_SUCH_TYPE", "19041"), ("_EPROCESS", "19041.9999999"), ("_EPROCESS", "12345")] {
        let run = ntlens(&["dt", kind, "--build", build]);
        assert_eq!((run.status, run.stdout.as_str()), (1, ""), "{kind} {build}");
        assert!(run.stderr.starts_with("error: no "), "{}", run.stderr);
        assert!(run.stderr.contains(if build == "19041" { kind } else { build }), "{}", run.stderr);
    }
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = answer(&["completions", shell]);
        for word in ["processes", "translate", "format"] {
            assert!(script.contains(word), "{word} for {shell}");
        }
    }
}

#[test]
fn the_version_lists_the_embedded_builds() {
    let text = answer(&["--version"]);
    assert!(text.starts_with(&format!("ntlens {}\n", env!("CARGO_PKG_VERSION"))), "{text}");
    assert_eq!(text, answer(&["-V"]));
    let (head, builds) = text.split_once(" builds\n").unwrap();
    let count = |text: &str| text.rsplit(' ').next().unwrap().parse::<usize>().unwrap();
    let kernels = count(head.split_once(" kernels").unwrap().0);
    assert_eq!(builds.lines().count(), count(head), "{text}");
    assert_eq!(builds.lines().map(count).sum::<usize>(), kernels, "{text}");
    for build in ["6.1.7601", "6.3.9600", "10.0.18362", "10.0.19041", "10.0.26100"] {
        assert!(builds.lines().any(|line| line.split_whitespace().next() == Some(build)), "{build}");
    }
}

#[test]
fn licences_name_whose_facts_are_embedded() {
    let text = answer(&["--licenses"]);
    for part in ["Apache License", "JPCERT", "embedded layouts"] {
        assert!(text.contains(part), "{part}");
    }
}
