//! States of files, as data: what lies at the path of a dump, or of a file of symbols, and what becomes of a dump while it is
//! read.

use crate::judge::Answers;
use crate::measure::{guarded, measured};
use crate::patched::{LAYOUTS, Patched};
use crate::subject::{LISTED, Rows, SUBJECTS, Subject};
use crate::table::Met;
use crate::{ALONE, MOST_MEMORY, MOST_TIME, common};
use ntlens::nt::snapshot::Options;
use ntlens::report::{Wanted, question};
use ntlens::symbols::{SymbolError, file};
use ntlens::{CoreError, Error, FileSource, OpenDump};
use ntlens_testkit::Kind;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A pipe or a device is refused this quickly.
const AT_ONCE: Duration = Duration::from_millis(100);

/// How a path must be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    /// It is no file.
    NotAFile,
    /// The system says why.
    BySystem,
    /// It is no dump, and no file of symbols.
    Unknown,
}

/// What lies at a path.
struct State {
    name: &'static str,
    refused: Refused,
    /// Makes it in an empty folder; `None` where the system has no such thing.
    make: fn(&Path) -> Option<PathBuf>,
}

const fn state(name: &'static str, refused: Refused, make: fn(&Path) -> Option<PathBuf>) -> State {
    State { name, refused, make }
}

const STATES: &[State] = &[
    state("nothing", Refused::BySystem, |folder| Some(folder.join("nothing"))),
    state("a folder", Refused::NotAFile, |folder| Some(folder.into())),
    state("a name below a file", Refused::BySystem, |folder| Some(holding(folder, b"x").join("below"))),
    state("a name with a zero in it", Refused::BySystem, |folder| Some(folder.join("a\0b"))),
    state("a name of 5000 letters", Refused::BySystem, |folder| Some(folder.join("x".repeat(5000)))),
    state("no bytes", Refused::Unknown, |folder| Some(holding(folder, b""))),
    state("one byte", Refused::Unknown, |folder| Some(holding(folder, b"P"))),
    state("a signature alone", Refused::Unknown, |folder| Some(holding(folder, b"PAGEDU64"))),
    state("half a header", Refused::Unknown, |folder| Some(holding(folder, &dump()[..0x1000]))),
    state("a page of zeros", Refused::Unknown, |folder| Some(holding(folder, &[0; 0x1000]))),
    state("64 MiB of zeros", Refused::Unknown, |folder| Some(hole(folder, 64 << 20))),
    state("a page of ones", Refused::Unknown, |folder| Some(holding(folder, &[0xff; 0x1000]))),
    state("text", Refused::Unknown, |folder| Some(holding(folder, &b"Dear diary,\n".repeat(1000)))),
    state("a pipe", Refused::NotAFile, pipe),
    state("a link to a pipe", Refused::NotAFile, |folder| link(&pipe(folder)?, folder)),
    state("a socket", Refused::NotAFile, socket),
    state("/dev/zero", Refused::NotAFile, |_| device("/dev/zero")),
    state("/dev/null", Refused::NotAFile, |_| device("/dev/null")),
    state("/dev/random", Refused::NotAFile, |_| device("/dev/random")),
    state("/dev/tty", Refused::NotAFile, |_| device("/dev/tty")),
    state("a link to nothing", Refused::BySystem, |folder| link(&folder.join("nothing"), folder)),
    state("a link to itself", Refused::BySystem, |folder| link(&folder.join("link"), folder)),
    state("links to each other", Refused::BySystem, |folder| {
        let other = folder.join("other");
        let link = link(&other, folder)?;
        link_to(&link, &other)?;
        Some(link)
    }),
    state("a file that nobody may read", Refused::BySystem, forbidden),
];

fn dump() -> &'static [u8] {
    &subject(Kind::Full).bytes
}

fn subject(kind: Kind) -> &'static Subject {
    SUBJECTS.iter().find(|subject| subject.kind == kind).unwrap()
}

fn holding(folder: &Path, bytes: &[u8]) -> PathBuf {
    let path = folder.join("file");
    fs::write(&path, bytes).unwrap();
    path
}

fn hole(folder: &Path, length: u64) -> PathBuf {
    let path = holding(folder, b"");
    fs::File::options().write(true).open(&path).unwrap().set_len(length).unwrap();
    path
}

fn pipe(folder: &Path) -> Option<PathBuf> {
    let path = folder.join("pipe");
    std::process::Command::new("mkfifo").arg(&path).status().ok()?.success().then_some(path)
}

fn device(path: &str) -> Option<PathBuf> {
    Some(PathBuf::from(path)).filter(|path| path.exists())
}

#[cfg(unix)]
fn socket(folder: &Path) -> Option<PathBuf> {
    // The length of a socket's path is bounded: the folder of the tests may lie deep.
    let path = std::env::temp_dir().join(format!("ntlens-{}.socket", std::process::id()));
    let _ = fs::remove_file(&path);
    std::os::unix::net::UnixListener::bind(&path).ok()?;
    let own = folder.join("socket");
    fs::rename(&path, &own).ok().map(|()| own)
}

#[cfg(not(unix))]
fn socket(_: &Path) -> Option<PathBuf> {
    None
}

fn link(to: &Path, folder: &Path) -> Option<PathBuf> {
    let path = folder.join("link");
    link_to(to, &path).map(|()| path)
}

#[cfg(unix)]
fn link_to(to: &Path, at: &Path) -> Option<()> {
    std::os::unix::fs::symlink(to, at).ok()
}

#[cfg(not(unix))]
fn link_to(_: &Path, _: &Path) -> Option<()> {
    None
}

/// Who may read everything makes no such file.
#[cfg(unix)]
fn forbidden(folder: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let path = holding(folder, dump());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o0)).ok()?;
    fs::File::open(&path).is_err().then_some(path)
}

#[cfg(not(unix))]
fn forbidden(_: &Path) -> Option<PathBuf> {
    None
}

/// An empty folder of the tests' own.
fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("states");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// How opening a dump ends.
fn as_dump(path: &Path) -> (Result<(), Refused>, String) {
    match ntlens::open(path) {
        Ok(_) => (Ok(()), String::new()),
        Err(error) => {
            let how = match &error {
                Error::NotAFile { .. } => Refused::NotAFile,
                Error::Io { .. } => Refused::BySystem,
                Error::Dump { error: CoreError::Malformed { .. } | CoreError::Unsupported { .. }, .. } => {
                    Refused::Unknown
                }
                other => panic!("{other}"),
            };
            (Err(how), error.to_string())
        }
    }
}

/// How reading a file of symbols ends.
fn as_symbols(path: &Path) -> (Result<(), Refused>, String) {
    let identified = file::identify(path).map(|_| ());
    match file::read(path) {
        Ok(_) => (Ok(()), String::new()),
        Err(error) => {
            assert_eq!(identified.as_ref().err(), Some(&error));
            let how = match &error {
                SymbolError::NotAFile { .. } => Refused::NotAFile,
                SymbolError::Io { .. } => Refused::BySystem,
                SymbolError::NotSymbols { .. } => Refused::Unknown,
                other => panic!("{other}"),
            };
            (Err(how), error.to_string())
        }
    }
}

#[test]
fn what_is_no_file_of_its_kind_is_refused_by_what_it_is() {
    let _alone = ALONE.lock().unwrap();
    let mut lines = vec![format!("{:32}{:>14}{:>14}", "state of a file", "dump", "symbols")];
    for state in STATES {
        let folder = folder();
        let Some(path) = (state.make)(&folder) else {
            lines.push(format!("{:32}{:>14}{:>14}", state.name, "-", "-"));
            continue;
        };
        let mut cells = Vec::new();
        for open in [as_dump as fn(&Path) -> _, as_symbols] {
            // The best of several: a busy machine stops anybody for longer than that.
            let attempt = || {
                let path = path.clone();
                let start = Instant::now();
                let (how, text) =
                    guarded(state.name, move || open(&path)).unwrap_or_else(|panic| panic!("{}: {panic}", state.name));
                assert_eq!(how, Err(state.refused), "{}: {text}", state.name);
                assert!(text.starts_with(&format!("{}: ", path_of(&text, &folder, state))), "{}: {text}", state.name);
                start.elapsed()
            };
            let best = (0..3).map(|_| attempt()).min().unwrap();
            assert!(best < AT_ONCE, "{}: {best:?}", state.name);
            cells.push(format!("{:.1} ms", best.as_secs_f64() * 1000.0));
        }
        lines.push(format!("{:32}{:>14}{:>14}", state.name, cells[0], cells[1]));
        fs::remove_dir_all(&folder).unwrap();
    }
    common::record(&lines.join("\n"));
}

/// What the message must begin with: the path, as far as it can be shown.
fn path_of<'t>(text: &'t str, folder: &Path, state: &State) -> &'t str {
    let shown = text.split(": ").next().unwrap();
    assert!(shown.starts_with("/dev/") || Path::new(shown).starts_with(folder), "{}: {text}", state.name);
    shown
}

/// What becomes of a dump between two times that everything is asked.
struct Change {
    name: &'static str,
    /// The dump that is opened.
    before: fn() -> Vec<u8>,
    make: fn(&Path),
    /// What is read afterwards: all of it as before, or as much as is left.
    keeps: bool,
    /// The answers afterwards must say that the file changed.
    said: bool,
}

fn whole() -> Vec<u8> {
    dump().to_vec()
}

fn short() -> Vec<u8> {
    dump()[..dump().len() / 4 * 3].to_vec()
}

fn resize(path: &Path, length: usize) {
    fs::File::options().write(true).open(path).unwrap().set_len(length as u64).unwrap();
}

/// Bytes into the same file, as other tools write.
fn overwrite(path: &Path, bytes: &[u8]) {
    use std::io::Write;
    let mut file = fs::File::options().write(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

/// Another file of the same name.
fn replace(path: &Path, bytes: &[u8]) {
    let other = path.with_extension("new");
    fs::write(&other, bytes).unwrap();
    fs::rename(&other, path).unwrap();
}

const CHANGES: &[Change] = &[
    Change { name: "nothing", before: whole, make: |_| {}, keeps: true, said: false },
    Change {
        name: "cut in the middle",
        before: whole,
        make: |path| resize(path, dump().len() / 2),
        keeps: false,
        said: true,
    },
    Change {
        name: "cut behind the header",
        before: whole,
        make: |path| resize(path, 0x2000),
        keeps: false,
        said: true,
    },
    Change { name: "cut to nothing", before: whole, make: |path| resize(path, 0), keeps: false, said: true },
    Change {
        name: "grows by zeros",
        before: whole,
        make: |path| resize(path, dump().len() * 2),
        keeps: true,
        said: true,
    },
    Change { name: "grows to its end", before: short, make: |path| overwrite(path, dump()), keeps: true, said: true },
    Change {
        name: "another file takes its name",
        before: whole,
        make: |path| replace(path, b"something else"),
        keeps: true,
        said: false,
    },
    Change {
        name: "another dump takes its name",
        before: whole,
        make: |path| replace(path, &subject(Kind::BitmapFull { active: false }).bytes),
        keeps: true,
        said: false,
    },
    Change { name: "removed", before: whole, make: |path| fs::remove_file(path).unwrap(), keeps: true, said: false },
    Change {
        name: "cut and written anew",
        before: whole,
        make: |path| fs::write(path, dump()).unwrap(),
        keeps: true,
        said: true,
    },
    Change {
        name: "overwritten by another dump",
        before: whole,
        make: |path| overwrite(path, &subject(Kind::BitmapFull { active: false }).bytes),
        keeps: false,
        said: true,
    },
    Change {
        name: "overwritten by zeros",
        before: whole,
        make: |path| overwrite(path, &vec![0; dump().len()]),
        keeps: false,
        said: true,
    },
    Change {
        name: "overwritten by noise",
        before: whole,
        make: |path| overwrite(path, &noise()),
        keeps: false,
        said: true,
    },
];

fn noise() -> Vec<u8> {
    let mut state = 5_u64;
    let word = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_le_bytes()
    };
    (0..dump().len() / 8).flat_map(word).collect()
}

fn open(path: &Path) -> OpenDump {
    let source = FileSource::open(path).unwrap();
    OpenDump::open("changing", Arc::new(source), &*LAYOUTS, Options::default()).unwrap()
}

/// Rows of a dump that stays as it is.
fn rows_of(bytes: Vec<u8>) -> Rows {
    Answers::of(Patched::of(&Arc::new(bytes))).unwrap().rows
}

fn says_changed(dump: &OpenDump) -> bool {
    let info = question("info").unwrap().ask(dump, Wanted::All).unwrap();
    info.incomplete.iter().any(|missing| missing.what.contains("changed after it was opened"))
}

#[test]
fn a_file_that_changes_while_it_is_read_gives_what_is_left_and_no_signal() {
    let _alone = ALONE.lock().unwrap();
    let mut lines = vec![format!("{:32}{:>14}{:>14}", "while a dump is read", "read before", "not read yet")];
    for change in CHANGES {
        let path = folder().join("dump");
        fs::write(&path, (change.before)()).unwrap();
        // The clock of a file system may tick only every few milliseconds.
        std::thread::sleep(Duration::from_millis(20));
        let expected = rows_of((change.before)());
        let (asked, fresh) = (open(&path), open(&path));
        assert_eq!(Answers::of_dump(&asked).rows, expected, "{}: before", change.name);
        assert!(!says_changed(&asked), "{}: before", change.name);
        (change.make)(&path);
        let mut cells = Vec::new();
        for (dump, how) in [(asked, "read before"), (fresh, "not read yet")] {
            let place = format!("{}, {how}", change.name);
            let told = says_changed(&dump);
            assert_eq!(told, change.said, "{place}");
            let ((answers, partial), cost) = guarded(&place, move || {
                measured(|| {
                    let partial = dump.processes().map_or(0, |found| found.processes.len());
                    (Answers::of_dump(&dump), partial)
                })
            })
            .unwrap_or_else(|panic| panic!("{place}: {panic}"));
            assert!(cost.time < MOST_TIME && cost.memory < MOST_MEMORY, "{place}: {cost:?}");
            if change.keeps {
                assert_eq!(answers.rows, expected, "{place}");
            } else if !change.name.starts_with("overwritten") {
                // Nothing is made up where nothing was put in its place.
                for listed in &LISTED {
                    let keys = |rows: &Rows| {
                        rows[listed.table].iter().map(|row| row.0.clone()).collect::<std::collections::BTreeSet<_>>()
                    };
                    let (is, was) = (keys(&answers.rows), keys(&expected));
                    assert!(is.is_subset(&was), "{place}: {} has {:?}", listed.table, is.difference(&was).next());
                }
            }
            let met = if change.keeps { Met::Ok } else { Met::Partial };
            cells.push(format!("{}, {partial}", if met == Met::Ok { "whole" } else { "part" }));
        }
        lines.push(format!("{:32}{:>14}{:>14}", change.name, cells[0], cells[1]));
    }
    common::record(&lines.join("\n"));
}
