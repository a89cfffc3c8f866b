//! Faults of files of symbols: classes of damage in a PDB and in a table of the machine's own kernel, and what is answered
//! with them.
//!
//! A class is one line in [`CLASSES`]. A file is refused by an error that names it, the place in it and what was expected
//! there; or it is read, and then every answer that it helps to give must be the truth.

mod isf;
mod kernel_pdb;
mod packed;
mod pdb;

use crate::judge::Answers;
use crate::kit::One;
use crate::measure::{Cost, guarded, measured};
use crate::patched::LAYOUTS;
use crate::subject::{LISTED, Rows, SUBJECTS, Subject};
use crate::table::Met;
use crate::{ALONE, MOST_MEMORY, MOST_TIME, common, seeds};
use ntlens::layout::source::LayoutSource;
use ntlens::layout::{Layouts, PdbId};
use ntlens::nt::snapshot::Options;
use ntlens::symbols::path::SymbolPath;
use ntlens::symbols::{SymbolError, SymbolTable, file, isf as isf_file};
use ntlens::{CoreError, OpenDump, Symbols};
use ntlens_testkit::Kind;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

/// How a file of symbols is written: the columns of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    Pdb,
    Isf,
    Packed,
}

/// What must become of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Must {
    /// The file is refused.
    Refuse,
    /// It is refused, or helps to true answers.
    BeTrue,
}

/// A class of faults.
struct Class {
    name: &'static str,
    form: Form,
    must: Must,
    /// Every one of its faults is made each time.
    every: bool,
    make: fn(&Sound) -> Vec<Made>,
}

/// A file with one fault.
struct Made {
    what: String,
    bytes: Vec<u8>,
}

impl Made {
    fn new(what: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { what: what.into(), bytes: bytes.into() }
    }
}

const fn refused(name: &'static str, form: Form, make: fn(&Sound) -> Vec<Made>) -> Class {
    Class { name, form, must: Must::Refuse, every: false, make }
}

const fn true_or_refused(name: &'static str, form: Form, make: fn(&Sound) -> Vec<Made>) -> Class {
    Class { name, form, must: Must::BeTrue, every: false, make }
}

/// All classes, in the order in which a file is read.
const CLASSES: &[&[Class]] = &[pdb::CLASSES, isf::CLASSES, packed::CLASSES];

/// Sound files of the symbols of one kernel.
struct Sound {
    id: PdbId,
    pdb: Vec<u8>,
    isf: Vec<u8>,
    layouts: Layouts,
    /// What is read of them.
    tables: [SymbolTable; 2],
}

impl Sound {
    /// What the library reads of the machine's kernel.
    fn new() -> Self {
        let id = ntlens_testkit::layouts(&crate::kit::kernel(19041)).unwrap().id().unwrap();
        let index = LAYOUTS.tables().iter().position(|table| table.id == Some(id)).expect("an embedded kernel");
        let layouts = LAYOUTS.kernel_layouts(index).unwrap();
        let mut isf = Vec::new();
        isf_file::write(&mut isf, &layouts, id, "ntkrnlmp.pdb").unwrap();
        let pdb = kernel_pdb::write(&layouts, id);
        let tables = [&pdb, &isf].map(|bytes| file::read_bytes("sound".as_ref(), bytes).unwrap());
        Self { id, pdb, isf, layouts, tables }
    }

    fn table(&self, form: Form) -> &SymbolTable {
        &self.tables[usize::from(form != Form::Pdb)]
    }
}

static SOUND: LazyLock<Sound> = LazyLock::new(Sound::new);

/// Answers with the sound table, and the rows that the truth tells.
static TRUTH: LazyLock<(Answers, Rows)> = LazyLock::new(|| {
    let sound = answers(&as_given(&written(&SOUND.isf))).unwrap();
    let expected = subject().expected(&sound.rows);
    (sound, expected)
});

fn subject() -> &'static Subject {
    SUBJECTS.iter().find(|subject| subject.kind == Kind::Full).unwrap()
}

/// A file of the tests' own.
fn written(bytes: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faulty-symbols");
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Answers with symbols of a file.
fn answers(source: &dyn LayoutSource) -> Result<Answers, CoreError> {
    let bytes = Arc::new(crate::patched::Patched::of(&subject().bytes));
    Ok(Answers::of_dump(&OpenDump::open("symbols", bytes, source, Options::default())?))
}

/// As a user gives it: `--symbols FILE`.
fn as_given(path: &Path) -> Symbols {
    let mut search = SymbolPath::new();
    search.push(path).unwrap();
    Symbols::embedded().unwrap().with_path(search)
}

/// Whether two tables say the same.
fn same(one: &SymbolTable, other: &SymbolTable) -> bool {
    let (a, b) = (&one.layouts, &other.layouts);
    one.id == other.id
        && a.structures().eq(b.structures())
        && a.enumerations().eq(b.enumerations())
        && a.symbols().eq(b.symbols())
}

/// Whether an error tells the file, the place in it and what should be there.
fn tells(error: &SymbolError, name: &str) -> Result<(), String> {
    let text = error.to_string();
    let whole = match error {
        SymbolError::Malformed { place, expected, .. } => !place.is_empty() && !expected.is_empty(),
        SymbolError::Unpack { message, .. } => !message.is_empty(),
        SymbolError::NotSymbols { .. } | SymbolError::OldPdb { .. } | SymbolError::TooLarge { .. } => true,
        _ => false,
    };
    if whole && text.starts_with(&format!("{name}: ")) { Ok(()) } else { Err(format!("a poor error: {text}")) }
}

/// What of the answers is not true: rows that are made up, or lost without a word.
fn untrue(found: &Answers) -> Result<Met, String> {
    let (sound, expected) = &*TRUTH;
    let says_more = found.says_more(sound);
    for listed in &LISTED {
        let (is, should) = (&found.rows[listed.table], &expected[listed.table]);
        let before = &sound.rows[listed.table];
        // A cell that is empty makes another row; a wrong one is in no row of the truth.
        let made_up = is.iter().find(|row| {
            let fits = |known: &(String, String)| only_empties(&row.0, &known.0) && only_empties(&row.1, &known.1);
            !should.iter().any(fits) && !before.iter().any(fits)
        });
        if let Some(row) = made_up {
            return Err(format!("{} has {row:?}", listed.table));
        }
        if let Some(row) = should.difference(is).next().filter(|_| !says_more) {
            return Err(format!("{} loses {row:?} without a word", listed.table));
        }
    }
    Ok(if says_more { Met::Partial } else { Met::Ok })
}

/// Whether two texts of cells are the same but for cells that are empty.
fn only_empties(found: &str, known: &str) -> bool {
    if !found.contains('?') {
        return found == known;
    }
    let mut known = known.split(' ');
    found.split(' ').filter(|word| *word != "?").all(|word| known.any(|known| known == word))
}

/// What became of a file.
struct Outcome {
    met: Met,
    /// It was read, and says something else than the sound one.
    lie: Option<SymbolTable>,
}

fn judged(class: &Class, bytes: &[u8]) -> Result<Outcome, String> {
    let named = |lie| Ok(Outcome { met: Met::Named, lie });
    let table = match file::read_bytes("broken".as_ref(), bytes) {
        Err(error) => return tells(&error, "broken").and_then(|()| named(None)),
        Ok(table) => table,
    };
    if class.must == Must::Refuse && table.id == SOUND.id {
        return Err("is read".into());
    }
    if same(&table, SOUND.table(class.form)) {
        return Ok(Outcome { met: Met::Ok, lie: None });
    }
    let path = written(bytes);
    let found = answers(&as_given(&path));
    let told = |source: &str, text: &str| source == path.display().to_string() && !text.is_empty();
    match found {
        Err(CoreError::LayoutSource { source_name, message }) if told(&source_name, &message) => named(Some(table)),
        Err(CoreError::OtherSymbols(other)) if told(&other.source_name, "other") && table.id != SOUND.id => named(None),
        Err(error) => Err(format!("a poor error: {error}")),
        Ok(found) => Ok(Outcome { met: untrue(&found)?, lie: Some(table) }),
    }
}

/// Counts of each cell.
#[derive(Default)]
struct Counts(BTreeMap<(usize, Form), BTreeMap<Met, u64>>);

impl Counts {
    fn print(&self, classes: &[&Class]) -> String {
        // Writing to a string does not fail.
        let mut text = format!("{:40}{:>12}{:>12}{:>12}", "class of files of symbols", "pdb", "isf", "packed");
        for (number, class) in classes.iter().enumerate() {
            let _ = write!(text, "\n{:40}", class.name);
            for form in [Form::Pdb, Form::Isf, Form::Packed] {
                let cell = self.0.get(&(number, form)).map_or("-".into(), crate::table::cell);
                let _ = write!(text, "{cell:>12}");
            }
        }
        text
    }
}

#[test]
fn every_fault_of_a_file_of_symbols_is_refused_or_does_no_harm() {
    let _alone = ALONE.lock().unwrap();
    let of_pdb = answers(&as_given(&written(&SOUND.pdb))).unwrap();
    for sound in [&TRUTH.0, &of_pdb] {
        assert_eq!(untrue(sound), Ok(Met::Ok));
        for listed in &LISTED {
            let lost: Vec<_> = TRUTH.1[listed.table].difference(&sound.rows[listed.table]).take(3).collect();
            assert!(lost.is_empty(), "{}: {lost:?}", listed.table);
        }
    }
    let classes: Vec<&'static Class> = CLASSES.iter().copied().flatten().collect();
    let (mut counts, mut cases, mut worst, mut wrong) = (Counts::default(), 0_u64, Cost::default(), Vec::new());
    let (mut believed, mut silent, mut lies) = (Vec::new(), 0_u64, 0);
    for (number, class) in classes.iter().enumerate() {
        let made = (class.make)(&SOUND);
        assert!(!made.is_empty(), "{} makes nothing", class.name);
        let count = if class.every { made.len() } else { seeds().min(made.len()) };
        let step = |seed: usize| seed * made.len() / count;
        for fault in (0..count).map(|seed| &made[step(seed)]) {
            let place = format!("{}: {}", class.name, fault.what);
            cases += 1;
            let (class, bytes) = (*class, fault.bytes.clone());
            let (outcome, cost) = match guarded(&place, move || measured(|| judged(class, &bytes))) {
                Ok(done) => done,
                Err(panic) => {
                    wrong.push(format!("{place}: panics: {panic}"));
                    continue;
                }
            };
            worst = Cost { time: worst.time.max(cost.time), memory: worst.memory.max(cost.memory) };
            if cost.time > MOST_TIME || cost.memory > MOST_MEMORY {
                wrong.push(format!("{place}: takes {cost:?}"));
            }
            match outcome {
                Err(why) => wrong.push(format!("{place}: {why}")),
                Ok(outcome) => {
                    *counts.0.entry((number, class.form)).or_default().entry(outcome.met).or_default() += 1;
                    // The same of a kernel that is not embedded: nothing but the dump can contradict the file.
                    if let Some(table) = outcome.lie {
                        lies += 1;
                        if let Ok(found) = answers(&One(table.layouts))
                            && let Err(why) = untrue(&found)
                        {
                            let word = if found.says_more(&TRUTH.0) { "with" } else { "without" };
                            silent += u64::from(word == "without");
                            believed.push(format!("{word} a word, {place}: {why}"));
                        }
                    }
                }
            }
        }
    }
    common::record(&format!(
        "{}\nfiles of symbols: {} classes, {cases} files, {} wrong; at most {:?} and {} KiB each\n\
         files that can be read and say something else: {lies}; none misleads of an embedded kernel, \
         {} do of another one, {silent} without a word",
        counts.print(&classes),
        classes.len(),
        wrong.len(),
        worst.time,
        worst.memory >> 10,
        believed.len(),
    ));
    if std::env::var_os("NTLENS_FAULT_SEEDS").is_some() {
        common::record(&believed.join("\n"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(silent, 0, "of a kernel that is not embedded, without a word: {}", believed.join("\n"));
}

/// A real PDB, where one is at hand: cut, and with bits that are another.
#[test]
fn a_real_pdb_with_faults_is_refused_or_read() {
    let Some(shared) = common::shared() else { return };
    let _alone = ALONE.lock().unwrap();
    let whole = common::unpack(&shared.join("pdb/19041.1288/ntkrnlmp.pdb.xz"));
    let sound = file::read_bytes("sound".as_ref(), &whole).unwrap();
    let mut state = 13_u64;
    let (mut refused, mut read, mut worst) = (0, 0, Cost::default());
    for number in 0..24_usize {
        let mut bytes = whole.clone();
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(state >> 20).unwrap() % bytes.len();
        match number % 4 {
            0 => bytes.truncate(at),
            1 => bytes[at % 0x40] ^= 1 << (number / 4),
            // In blocks of types, which lie anywhere: many bits, so that some are met.
            _ => (0..64).for_each(|step| bytes[(at + step * 0x1_0001) % whole.len()] ^= 0x40),
        }
        let (table, cost) =
            guarded("a real PDB", move || measured(|| file::read_bytes("broken".as_ref(), &bytes))).unwrap();
        worst = Cost { time: worst.time.max(cost.time), memory: worst.memory.max(cost.memory) };
        match table {
            Err(error) => {
                assert_eq!(tells(&error, "broken"), Ok(()));
                refused += 1;
            }
            Ok(table) => {
                assert_eq!(table.id, sound.id);
                read += 1;
            }
        }
    }
    common::record(&format!(
        "a real PDB: {refused} refused, {read} read, at most {:?} and {} KiB",
        worst.time,
        worst.memory >> 10
    ));
    assert!(worst.time < MOST_TIME && worst.memory < MOST_MEMORY, "{worst:?}");
    assert!(refused > 6, "{refused}");
}
