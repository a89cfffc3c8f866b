//! Every read fails, in the manner of sqlite's tests: nothing panics, and an answer that lacks something says so. It fails once,
//! or what it wanted cannot be read any more.
//!
//! Of a dump of each kind, each read of opening it fails in turn. Then the dump opens, and reads of each question fail:
//! each of them for a small dump, else as many as there is time for, spread over all. `NTLENS_READ_FAILURES` gives another
//! number.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod common;
#[path = "common/kit.rs"]
mod kit;

use common::record;
use kit::{bare, dump};
use ntlens::nt::snapshot::Options;
use ntlens::report::{Cell, QUESTIONS, Question, Table, Wanted};
use ntlens::source::{ByteSource, ReadError};
use ntlens::symbols::Pack;
use ntlens::{CoreError, OpenDump};
use ntlens_testkit::{HandleSpec, HandleTarget, Image, Kind, ProcessSpec};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

static LAYOUTS: LazyLock<Pack<'static>> = LazyLock::new(|| Pack::embedded().unwrap());

/// A small machine with something of each kind.
static SMALL: LazyLock<Image> = LazyLock::new(|| {
    let mut machine = bare(19041).memory(24 << 20).processors(1);
    machine.named_object("Event", "\\BaseNamedObjects\\Ready");
    for (name, session) in [("smss.exe", None), ("one.exe", Some(0)), ("two.exe", Some(1))] {
        let handle = |target| HandleSpec::new(target, 0x1f_ffff);
        let spec = ProcessSpec::named(name).threads(2).handle(handle(HandleTarget::Process(4)));
        let spec = spec.handle(handle(HandleTarget::Named("\\BaseNamedObjects\\Ready".into())));
        machine.process(session.map_or(spec.clone().no_session(), |session| spec.session(session)));
    }
    machine.typical_modules(4);
    machine.build()
});

/// How a read fails.
#[derive(Clone, Copy, Debug)]
enum Failure {
    /// The same bytes can be read again.
    Once,
    /// The disk has lost them.
    ForGood,
}

/// A dump of which one read fails.
struct Failing {
    bytes: Arc<Vec<u8>>,
    failure: Failure,
    reads: AtomicU64,
    fails: AtomicU64,
    /// Where the read that failed began, and how long it was.
    lost: Mutex<Option<(u64, usize)>>,
}

impl Failing {
    fn new(bytes: &Arc<Vec<u8>>, failure: Failure, fails: u64) -> Arc<Self> {
        let (reads, fails) = (AtomicU64::new(0), AtomicU64::new(fails));
        Arc::new(Self { bytes: bytes.clone(), failure, reads, fails, lost: Mutex::default() })
    }

    /// Counts from here on, and fails that one; 0 for none.
    fn restart(&self, fails: u64) {
        self.reads.store(0, Ordering::Relaxed);
        self.fails.store(fails, Ordering::Relaxed);
    }

    /// Whether bytes are lost that somebody wants.
    fn is_lost(&self, offset: u64, len: usize) -> bool {
        let overlaps = |lost: (u64, usize)| offset < lost.0 + lost.1 as u64 && lost.0 < offset + len as u64;
        matches!(self.failure, Failure::ForGood) && self.lost.lock().unwrap().is_some_and(overlaps)
    }

    fn open(self: &Arc<Self>) -> Result<OpenDump, CoreError> {
        OpenDump::open("failing", self.clone(), &*LAYOUTS, Options::default())
    }
}

impl ByteSource for Failing {
    fn len(&self) -> u64 {
        self.bytes.len()
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let number = self.reads.fetch_add(1, Ordering::Relaxed) + 1;
        let fails = number == self.fails.load(Ordering::Relaxed);
        if fails {
            *self.lost.lock().unwrap() = Some((offset, out.len()));
        }
        if fails || self.is_lost(offset, out.len()) {
            return Err(ReadError::Failed { offset, message: "the disk is worn out".into() });
        }
        self.bytes.read_at(offset, out)
    }
}

/// A row as text, an empty cell as its reason.
fn texts(row: &[Cell]) -> Vec<String> {
    row.iter().map(|cell| format!("{cell:?}")).collect()
}

struct Full {
    rows: BTreeSet<Vec<String>>,
    said: BTreeSet<String>,
    empty: usize,
    /// Cells that are empty because a read failed.
    failed: usize,
}

impl Full {
    fn of(table: &Table) -> Self {
        let empty = table.rows.iter().flatten().filter_map(Cell::absent);
        Self {
            failed: empty.clone().filter(|why| matches!(why, ntlens::Absent::ReadFailed { .. })).count(),
            empty: empty.count(),
            rows: table.rows.iter().map(|row| texts(row)).collect(),
            said: table.incomplete.iter().map(|missing| format!("{missing:?}")).collect(),
        }
    }
}

impl Full {
    /// Whether rows that are new say themselves that something is missing, as those of `doctor` do.
    fn reports(&self, full: &Self) -> bool {
        let says = |row: &Vec<String>| {
            row.iter()
                .any(|cell| ["\"gap\"", "\"partly\"", "\"no\"", "read-failed"].iter().any(|word| cell.contains(word)))
        };
        self.rows.difference(&full.rows).any(says) && self.rows.iter().any(|row| row[0].contains("answer"))
    }
}

#[derive(Default)]
struct Counts {
    cases: u64,
    /// Dumps that do not open, or whose kernel is not found.
    unopened: u64,
    /// Questions that end in an error.
    errors: Vec<String>,
    whole: u64,
    partial: u64,
    silent: Vec<String>,
}

/// Holds an answer with a failed read against that without: what differs must be said.
fn compare(place: &str, full: &Full, answer: Result<Table, CoreError>, counts: &mut Counts) {
    counts.cases += 1;
    let table = match answer {
        Ok(table) => Full::of(&table),
        Err(error) => {
            counts.errors.push(format!("{place}: {error}"));
            return;
        }
    };
    if table.rows == full.rows {
        counts.whole += 1;
    } else if table.said != full.said || table.empty > full.empty || table.failed > 0 || table.reports(full) {
        counts.partial += 1;
    } else {
        let lost: Vec<_> = full.rows.difference(&table.rows).take(1).collect();
        let new: Vec<_> = table.rows.difference(&full.rows).take(1).collect();
        counts.silent.push(format!("{place}: {lost:?} became {new:?}"));
    }
}

/// Numbers from 1 to `all`, at most so many, spread.
fn spread(all: u64, most: u64) -> impl Iterator<Item = u64> {
    let count = all.min(most);
    (0..count).map(move |index| 1 + index * all / count.max(1))
}

fn most(of_kind: u64) -> u64 {
    std::env::var("NTLENS_READ_FAILURES").ok().and_then(|text| text.parse().ok()).unwrap_or(of_kind)
}

fn each_read_fails(kind: Kind, failure: Failure, opening: u64, of_question: u64) {
    let bytes = Arc::new(dump(&SMALL, kind).0);
    let source = Failing::new(&bytes, failure, 0);
    source.open().unwrap();
    let reads_of_open = source.reads.load(Ordering::Relaxed);
    let full: Vec<(&dyn Question, Full, u64)> = QUESTIONS
        .iter()
        .map(|question| {
            // Asked of a fresh dump, as below: what was read once is kept.
            let source = Failing::new(&bytes, failure, 0);
            let dump = source.open().unwrap();
            source.restart(0);
            let table = question.ask(&dump, Wanted::All);
            let table = table.unwrap_or_else(|error| panic!("{kind:?} {}: {error}", question.name()));
            (*question, Full::of(&table), source.reads.load(Ordering::Relaxed))
        })
        .collect();
    let mut counts = Counts::default();
    for number in spread(reads_of_open, most(opening)) {
        let source = Failing::new(&bytes, failure, number);
        counts.cases += 1;
        match source.open() {
            Err(
                CoreError::Read(_)
                | CoreError::NoKernel { .. }
                | CoreError::NoLayout { .. }
                | CoreError::Malformed { .. },
            ) => {
                counts.unopened += 1;
            }
            Err(other) => panic!("{kind:?} read {number}: {other}"),
            // Without a kernel there is no answer of its objects, and the error of asking for it says why.
            Ok(dump) if dump.kernel().is_err() => counts.unopened += 1,
            Ok(dump) => {
                source.restart(0);
                for (question, full, _) in
                    full.iter().filter(|(question, ..)| ["info", "processes", "modules"].contains(&question.name()))
                {
                    let place = format!("{kind:?} opening, read {number} of {reads_of_open}, {}", question.name());
                    compare(&place, full, question.ask(&dump, Wanted::All), &mut counts);
                }
            }
        }
    }
    let mut all = reads_of_open;
    for (question, full, reads) in &full {
        all += reads;
        for number in spread(*reads, most(of_question)) {
            let source = Failing::new(&bytes, failure, 0);
            let dump = source.open().unwrap();
            source.restart(number);
            let place = format!("{kind:?} {}, read {number} of {reads}", question.name());
            compare(&place, full, question.ask(&dump, Wanted::All), &mut counts);
        }
    }
    record(&format!(
        "read failures {failure:?}, {kind:?}: {all} reads, {} cases: {} whole, {} partial and said, {} unopened, {} refused, \
         {} silent",
        counts.cases,
        counts.whole,
        counts.partial,
        counts.unopened,
        counts.errors.len(),
        counts.silent.len()
    ));
    assert!(counts.errors.is_empty(), "{}", counts.errors.join("\n"));
    assert!(counts.silent.is_empty(), "{}", counts.silent[..counts.silent.len().min(12)].join("\n"));
    assert!(counts.cases > 100, "{}", counts.cases);
}

#[test]
fn each_read_of_a_small_dump_fails() {
    for failure in [Failure::Once, Failure::ForGood] {
        each_read_fails(Kind::Triage, failure, u64::MAX, u64::MAX);
    }
}

#[test]
fn each_read_of_opening_a_bitmap_dump_fails() {
    each_read_fails(Kind::BitmapKernel { live: false }, Failure::Once, u64::MAX, 12);
}

#[test]
fn what_a_bitmap_dump_is_opened_with_is_lost() {
    each_read_fails(Kind::BitmapKernel { live: false }, Failure::ForGood, u64::MAX, 6);
}

#[test]
fn reads_of_every_other_kind_fail() {
    let above = |kind: &Kind| matches!(kind, Kind::Triage | Kind::BitmapKernel { live: false });
    for kind in Kind::ALL.into_iter().filter(|kind| !above(kind)) {
        each_read_fails(kind, Failure::Once, 30, 2);
        each_read_fails(kind, Failure::ForGood, 20, 2);
    }
}
