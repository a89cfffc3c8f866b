//! Runs the command, and writes the dumps that it reads.

use ntlens_testkit::{
    CallbackKind, CallbackSpec, DumpOptions, Image, Kind, LoggerSpec, Machine, ModuleSpec, ProcessSpec, ProviderSpec,
    layouts,
};
use serde_json::Value as Json;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// What a run left.
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The command, without what the caller's environment says about colours and symbols.
pub(crate) fn command<A: AsRef<OsStr>>(arguments: &[A]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ntlens"));
    command.args(arguments).stdin(Stdio::null());
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "_NT_SYMBOL_PATH"] {
        command.env_remove(name);
    }
    command
}

/// Runs a prepared command to its end.
pub(crate) fn finish(mut command: Command) -> Run {
    let output = command.output().expect("the command runs");
    Run {
        status: output.status.code().expect("an exit status, not a signal"),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// Runs the command to its end.
pub(crate) fn ntlens<A: AsRef<OsStr>>(arguments: &[A]) -> Run {
    finish(command(arguments))
}

/// Runs the command, which must give an answer.
pub(crate) fn answer<A: AsRef<OsStr>>(arguments: &[A]) -> String {
    let run = ntlens(arguments);
    assert_eq!(run.status, 0, "{}", run.stderr);
    run.stdout
}

/// The answer as a JSON document.
pub(crate) fn document(arguments: &[&str]) -> Json {
    let text = answer(&[arguments, &["--format", "json"]].concat());
    serde_json::from_str(&text).expect("a JSON document")
}

/// Names that try to do something to the reader of an output, all short enough for `ImageFileName`.
pub(crate) const HOSTILE_NAMES: [&str; 3] = ["\x1b[31mred\x1b[0m", "two\nlines\r", "=cmd|'/c'!A0"];
/// An image that looks like a document where text may turn around.
pub(crate) const HOSTILE_PATH: &str = "\\Device\\HarddiskVolume3\\\u{202e}fdp.exe\nPID 4";
/// The same as a module.
pub(crate) const HOSTILE_MODULE: &str = "\u{202e}sys.nt\x1b]0;owned\x07";

/// A machine, and dumps of it.
pub(crate) struct Sample {
    pub(crate) image: Image,
    /// All of its memory in use.
    pub(crate) path: String,
    /// A file that was cut.
    pub(crate) truncated: String,
    /// No dump at all.
    pub(crate) text: String,
}

impl Sample {
    /// The process of this name.
    pub(crate) fn process(&self, name: &str) -> &ntlens_testkit::truth::Process {
        self.image.truth().named(name).expect("a process of this name")
    }

    /// Every command that reads a dump, with the table that it answers with.
    pub(crate) fn questions(&self) -> Vec<(&'static str, Vec<String>)> {
        let base = format!("{:#x}", self.image.truth().kernel.base);
        let mut commands: Vec<(&'static str, Vec<String>)> = [
            "info",
            "processes",
            "threads",
            "tokens",
            "groups",
            "privileges",
            "handles",
            "handle-types",
            "objects",
            "loggers",
            "providers",
            "callbacks",
            "modules",
            "unloaded",
            "crash",
            "timeline",
            "coverage",
            "inferred",
            "doctor",
        ]
        .into_iter()
        .map(|table| (table, vec![table.into(), self.path.clone()]))
        .collect();
        let event = ["holders", self.path.as_str(), "--type", "Event"].map(String::from);
        commands.push(("holders", event.into()));
        commands.push(("memory", vec!["read".into(), self.path.clone(), base.clone(), "100".into()]));
        commands.push(("translation", vec!["translate".into(), self.path.clone(), base]));
        commands.push(("symbols", vec!["symbols".into(), self.path.clone()]));
        commands.push(("symbol", vec!["symbols".into(), self.path.clone(), "nt!Ps*".into()]));
        commands.push(("processes", vec!["demo".into()]));
        commands
    }
}

/// The machine of all tests, built once.
pub(crate) fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let mut machine = Machine::typical(layouts("10.0.19041.1288").expect("an embedded kernel"), 5, 33);
        for name in HOSTILE_NAMES {
            machine.process(ProcessSpec::named(name));
        }
        machine.process(ProcessSpec::named("document").image_path(HOSTILE_PATH).command_line("@SUM(1)"));
        machine.process(ProcessSpec::named("\x1b[2Jgone").hidden());
        machine.module(ModuleSpec::named(HOSTILE_MODULE));
        machine
            .logger(LoggerSpec::named(HOSTILE_NAMES[0]).log_file(HOSTILE_PATH))
            .provider(ProviderSpec::new(1).enabled(2, 4, 1, 0).module(Some(HOSTILE_MODULE)))
            .callback(CallbackSpec::new(CallbackKind::Image, Some(HOSTILE_MODULE)))
            .callback(CallbackSpec::new(CallbackKind::Registry, None).altitude(HOSTILE_NAMES[2]));
        let image = machine.build();

        let whole = DumpOptions::new(Kind::BitmapFull { active: true });
        let size = image.to_vec(whole.clone()).len() as u64;
        let path = write("whole.dmp", |path| drop(image.write_file(whole.clone(), path).expect("a dump")));
        let cut = whole.clone().truncate(size / 10 * 9);
        let truncated = write("truncated.dmp", |path| drop(image.write_file(cut.clone(), path).expect("a dump")));
        let text = write("notes.txt", |path| fs::write(path, "no dump, but a text\n".repeat(1000)).expect("a file"));
        Sample { image, path, truncated, text }
    })
}

/// A file of the tests' own. It appears whole or not at all: tests run side by side, in threads and in processes.
pub(crate) fn write(name: &str, fill: impl FnOnce(&Path)) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let part = tempfile::NamedTempFile::new_in(folder).expect("a file beside the tests").into_temp_path();
    fill(&part);
    let path: PathBuf = folder.join(name);
    part.persist(&path).expect("a rename");
    path.into_os_string().into_string().expect("a path in Unicode")
}
