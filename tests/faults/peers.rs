//! What other readers do with the same files: the columns of `docs/faults.md`.
//!
//! `cargo test --test faults -- --ignored --exact peers::what_peers_do_with_the_same_files --nocapture` prints its table. Each
//! reader runs as a process of its own, with 4 GiB of memory and some time; what it says is not judged.

use crate::classes::CLASSES;
use crate::common::shared;
use crate::subject::{SUBJECTS, Subject};
use crate::{ALONE, common};
use ntlens_testkit::Kind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[path = "../common/peer.rs"]
mod peer;

const FILE: &str = "NTLENS_PEER_FILE";
/// Seconds that a reader gets: many times what a sound file takes.
const SECONDS: u32 = 60;
/// KiB of address space.
const MEMORY: u32 = 4 << 20;

/// A program with its bounds.
fn bounded(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    let script = format!("ulimit -v {MEMORY}; exec timeout {SECONDS} \"$@\"");
    command.args(["-c", &script, "sh"]).arg(program).args(arguments);
    command
}

/// How it ended, if not by itself.
fn ended(output: &Output) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = output.status.signal() {
            return Some(format!("killed by signal {signal}"));
        }
    }
    match output.status.code() {
        Some(124) => Some(format!("no end after {SECONDS} s")),
        Some(134) => Some("aborts".into()),
        Some(code) if code > 128 => Some(format!("killed by signal {}", code - 128)),
        _ => None,
    }
}

/// Opens the file that the variable names with kdmp-parser, and prints what it finds.
#[test]
#[ignore = "run as a process by the test below"]
fn kdmp_parser_alone() {
    let path = std::env::var(FILE).unwrap();
    match kdmp_parser::parse::KernelDumpParser::new(&path) {
        Ok(parser) => println!("answer: {} modules", parser.kernel_modules().len()),
        Err(error) => println!("answer: refuses: {error}"),
    }
}

fn kdmp_parser(path: &Path) -> String {
    let own = std::env::current_exe().unwrap();
    let arguments = ["--ignored", "--exact", "peers::kdmp_parser_alone", "--nocapture"];
    let output = bounded(&own, &arguments).env(FILE, path).env("RUST_BACKTRACE", "0").output().unwrap();
    if let Some(how) = ended(&output) {
        return how;
    }
    let (text, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let said = text.lines().find_map(|line| Some(line.split_once("answer: ")?.1.to_owned()));
    let said = said.map(|said| said.split(':').next().unwrap_or_default().to_owned());
    said.unwrap_or_else(|| if error.contains("panicked") { "panics".into() } else { "fails".into() })
}

fn volatility(python: &Path, symbols: &Path, path: &Path) -> String {
    let code = "import sys; sys.argv[0] = 'vol'; from volatility3.cli import main; main()";
    let (symbols, path) = (symbols.to_string_lossy(), path.to_string_lossy());
    let arguments = ["-c", code, "-q", "--offline", "-r", "json", "-s", &symbols, "-f", &path, "windows.pslist"];
    let output = bounded(python, &arguments).output().unwrap();
    if let Some(how) = ended(&output) {
        return how;
    }
    let error = String::from_utf8_lossy(&output.stderr);
    match serde_json::from_slice::<serde_json::Value>(&output.stdout) {
        Ok(rows) if output.status.success() => format!("{} processes", rows.as_array().map_or(0, Vec::len)),
        _ if error.contains("Traceback") => "exception".into(),
        _ => "refuses".into(),
    }
}

/// Values of counts of pages and runs with which other readers are known to end.
const KNOWN: [&str; 2] = ["= 0x10000000000", "= 0xffffffff"];

/// The middle fault of each class in the first of these kinds of dumps that has it, and the known ones.
fn selection() -> Vec<(&'static str, &'static Subject, crate::fault::Fault)> {
    let kinds =
        [Kind::Full, Kind::BitmapFull { active: false }, Kind::RdmpFull, Kind::Summary, Kind::Triage, Kind::Raw];
    let subjects = || kinds.iter().filter_map(|kind| SUBJECTS.iter().find(|subject| subject.kind == *kind));
    let of = |class: &&'static crate::fault::Class| {
        let made = subjects().filter(|subject| (class.kinds)(subject.kind)).map(|on| (on, (class.make)(on)));
        let (on, faults) = made.into_iter().find(|(_, faults)| !faults.is_empty())?;
        let middle = faults.len() / 2;
        let counts = class.name.starts_with("runs: ") || class.name.starts_with("bitmap: ");
        let known = |what: &str| counts && KNOWN.iter().any(|value| what.ends_with(value));
        let chosen = faults.into_iter().enumerate().filter(|(index, fault)| *index == middle || known(&fault.what));
        Some(chosen.map(|(_, fault)| (class.name, on, fault)).collect::<Vec<_>>())
    };
    CLASSES.iter().filter_map(of).flatten().collect()
}

#[test]
#[ignore = "runs other readers for minutes"]
fn what_peers_do_with_the_same_files() {
    let _alone = ALONE.lock().unwrap();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("faulty");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("faulty.dmp");
    let symbols = shared().map(|shared| peer::given_symbols(&shared));
    let python = peer::python().zip(symbols);
    common::record("| class | fault | ntlens | kdmp-parser | volatility3 |\n|---|---|---|---|---|");
    let mut lines = 0;
    let sound = SUBJECTS.iter().find(|subject| subject.kind == Kind::Full).unwrap();
    let none = ("none", sound, crate::fault::Fault::at("sound", 0, b"PAGEDU64"));
    for (class, subject, fault) in std::iter::once(none).chain(selection()) {
        let made = fault.make(&subject.bytes);
        let length = ntlens::source::ByteSource::len(&made);
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        ntlens::source::ByteSource::read_at(&made, 0, &mut bytes).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        let own = match ntlens::open(&path) {
            Ok(dump) => format!("{} processes", dump.processes().map_or(0, |found| found.processes.len())),
            Err(_) => "refuses".into(),
        };
        let theirs = python.as_ref().map_or("-".into(), |(python, symbols)| volatility(python, symbols, &path));
        let kind = subject.kind;
        lines += 1;
        common::record(&format!("| {class} | {kind}: {} | {own} | {} | {theirs} |", fault.what, kdmp_parser(&path)));
    }
    std::fs::remove_file(&path).unwrap();
    assert!(lines > 40, "{lines}");
}
