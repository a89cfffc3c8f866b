//! Material that lies beside the project: real and synthetic dumps with facts that were established elsewhere.
//!
//! Nothing of it is part of the project. Where it is absent, a test says that it was skipped.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr)]

use ntlens::OpenDump;
use ntlens::render::{self, Format, Terminal};
use ntlens::report::{Arguments, Cell, OneByOne, Wanted, question};
use serde_json::Value as Json;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// The folder named by `NTLENS_SHARED`, else `shared` beside the project; `None`, with a message, if there is none.
pub(crate) fn shared() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(|parent| parent.join("shared"));
    let folder = std::env::var_os("NTLENS_SHARED").map(PathBuf::from).or(beside)?;
    if folder.join("dumps").is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("NTLENS_SHARED").is_none(),
        "NTLENS_SHARED names {}, which has no dumps",
        folder.display()
    );
    record("skipped: no shared folder with dumps (NTLENS_SHARED names it)");
    None
}

/// Prints a result that belongs into the record of a run, where tests that pass are otherwise silent.
pub(crate) fn record(text: &str) {
    // Nothing depends on its being read.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A file of the shared folder, unpacked.
pub(crate) fn unpack(packed: &Path) -> Vec<u8> {
    let file = fs::File::open(packed).unwrap_or_else(|error| panic!("{}: {error}", packed.display()));
    let mut bytes = Vec::new();
    lzma_rust2::XzReader::new(std::io::BufReader::new(file), true).read_to_end(&mut bytes).expect("an xz file");
    bytes
}

/// A dump of the shared folder as a file of the tests' own.
pub(crate) fn dump_file(packed: &Path) -> PathBuf {
    let name = packed.file_stem().expect("a name");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let fresh =
        |path: &Path| Some(fs::metadata(path).ok()?.modified().ok()? >= fs::metadata(packed).ok()?.modified().ok()?);
    if fresh(&path) != Some(true) {
        // Tests run side by side: the file appears whole or not at all.
        let part = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a file beside the tests");
        fs::write(part.path(), unpack(packed)).expect("room for an unpacked dump");
        part.persist(&path).expect("a rename");
    }
    path
}

/// Files of a folder with an ending, in order.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    found.sort();
    found
}

/// Files of a folder and of those below it with an extension, in order.
pub(crate) fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|is| is == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A file of JSON, packed or not.
pub(crate) fn json(path: &Path) -> Json {
    let packed = path.extension().is_some_and(|extension| extension == "xz");
    let bytes = if packed { unpack(path) } else { fs::read(path).expect("a readable file") };
    serde_json::from_slice(&bytes).expect("a JSON file")
}

/// The dumps of the shared folder, packed; none, with a message, if there is no such folder.
pub(crate) fn dumps() -> Vec<PathBuf> {
    let Some(shared) = shared() else { return Vec::new() };
    let packed = files(&shared.join("dumps"), ".dmp.xz");
    assert!(packed.len() >= 12, "{} dumps", packed.len());
    packed
}

/// The name of a machine of the shared folder and what is true of it, by its packed dump.
pub(crate) fn told(packed: &Path) -> (String, Json) {
    let name = packed.file_name().expect("a name").to_string_lossy().replace(".dmp.xz", "");
    let truth = json(&packed.with_file_name(format!("{name}.truth.json.xz")));
    (name, truth)
}

/// A machine of the shared folder, opened with the embedded layouts.
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) dump: OpenDump,
    /// What is true of it.
    pub(crate) truth: Json,
}

impl Sample {
    /// By its packed dump.
    pub(crate) fn of(packed: &Path) -> Self {
        let (name, truth) = told(packed);
        let dump = ntlens::open(dump_file(packed)).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { name, dump, truth }
    }

    /// Processes that are there.
    pub(crate) fn processes(&self) -> Vec<&Json> {
        let all = self.truth["processes"].as_array().expect("processes");
        all.iter().filter(|process| process["freed"] != Json::Bool(true)).collect()
    }
}

/// Every machine of the shared folder.
pub(crate) fn samples() -> Vec<Sample> {
    dumps().iter().map(|packed| Sample::of(packed)).collect()
}

/// Every machine of the shared folder, one after the other: its name, its dump and what is true of it.
pub(crate) fn machines(mut each: impl FnMut(&str, &OpenDump, &Json)) {
    for packed in dumps() {
        let Sample { name, dump, truth } = Sample::of(&packed);
        each(&name, &dump, &truth);
    }
}

/// The document that the command would print.
pub(crate) fn document(dump: &OpenDump, table: &str) -> Json {
    document_with(dump, table, &Arguments::default())
}

/// The document that the command would print with these arguments.
pub(crate) fn document_with(dump: &OpenDump, table: &str, arguments: &Arguments) -> Json {
    let question = question(table).expect("a question");
    let answer = question.ask_with(dump, arguments, Wanted::All, &OneByOne);
    let answer = answer.unwrap_or_else(|error| panic!("{table}: {error}"));
    let mut bytes = Vec::new();
    render::write(&mut bytes, Format::Json, Some(dump), &answer, Terminal::default()).expect("JSON");
    serde_json::from_slice(&bytes).expect("valid JSON")
}

/// The rows of an answer.
pub(crate) fn rows(dump: &OpenDump, table: &str) -> Vec<Json> {
    document(dump, table)["rows"].as_array().expect("rows").clone()
}

/// A tally that many machines share.
pub(crate) fn tallied(what: &str, check: impl Fn(&mut Tally, &str, &OpenDump, &Json)) {
    let tally = std::cell::RefCell::new(Tally::default());
    machines(|name, dump, truth| check(&mut tally.borrow_mut(), name, dump, truth));
    if shared().is_some() {
        tally.into_inner().finish(what);
    }
}

/// An answer, narrowed.
pub(crate) fn narrowed(dump: &OpenDump, table: &str, arguments: &Arguments) -> Vec<Vec<Cell>> {
    let question = question(table).unwrap();
    question.ask_with(dump, arguments, Wanted::All, &OneByOne).unwrap_or_else(|error| panic!("{table}: {error}")).rows
}

/// A number written as hex text.
pub(crate) fn hex(value: &Json) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}

/// An address as the output writes it.
pub(crate) fn address(value: u64) -> Json {
    format!("{value:#018x}").into()
}

/// Counts of a comparison, printed by the test that makes it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    equal: std::collections::BTreeMap<String, u64>,
    absent: std::collections::BTreeMap<String, u64>,
    different: Vec<String>,
}

impl Tally {
    /// Compares one value with what it should be.
    pub(crate) fn check(&mut self, column: &str, place: &str, found: &Json, expected: &Json) {
        if found == expected {
            *self.equal.entry(column.into()).or_default() += 1;
        } else {
            self.different.push(format!("{place}: {column} is {found}, expected {expected}"));
        }
    }

    /// Counts a value that is rightly missing for a reason.
    pub(crate) fn check_absent(&mut self, column: &str, place: &str, row: &Json, reasons: &[&str]) {
        let reason = row["absent"][column].as_str();
        if row[column].is_null() && reason.is_some_and(|reason| reasons.contains(&reason)) {
            *self.absent.entry(column.into()).or_default() += 1;
        } else {
            let found = &row[column];
            self.different.push(format!("{place}: {column} is {found} ({reason:?}), expected absence by {reasons:?}"));
        }
    }

    /// The same for a test of the shared folder, which has nothing to say without it.
    pub(crate) fn finish_shared(self, what: &str) {
        if shared().is_some() {
            self.finish(what);
        }
    }

    /// Prints the counts and fails on any difference.
    pub(crate) fn finish(self, what: &str) {
        record(&format!(
            "{what}: {} values equal, {} rightly absent, {} different",
            self.equal.values().sum::<u64>(),
            self.absent.values().sum::<u64>(),
            self.different.len()
        ));
        for (column, count) in &self.equal {
            eprintln!("  {column}: {count} equal, {} absent", self.absent.get(column).unwrap_or(&0));
        }
        assert!(!self.equal.is_empty(), "nothing was compared");
        let shown: Vec<_> = self.different.iter().take(40).cloned().collect();
        assert!(self.different.is_empty(), "{} differences:\n{}", self.different.len(), shown.join("\n"));
    }
}
