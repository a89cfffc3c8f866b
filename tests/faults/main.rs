//! Faults as data: classes of damage, made in dumps of every kind, and what ntlens says of each.
//!
//! A class is one line in [`classes::CLASSES`]; a file of `classes/` holds those of one subject. Every class is made in each
//! kind of dump that it applies to, several times; the table that is printed tells how it was met. `NTLENS_FAULT_SEEDS` makes
//! more of each.
//!
//! The test counts its memory, so nothing else may run in this program at the same time: each test takes [`ALONE`].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/kit.rs"]
mod kit;
#[path = "../common/patched.rs"]
mod patched;

mod bounds;
mod classes;
mod extracts;
mod fault;
mod files;
mod judge;
mod measure;
mod peers;
mod place;
mod subject;
mod symbols;
mod table;

use classes::CLASSES;
use fault::{Fault, Must};
use judge::{Answers, judge};
use measure::{Cost, guarded, measured};
use peak_alloc::PeakAlloc;
use std::sync::Mutex;
use std::time::Duration;
use subject::SUBJECTS;
use table::{Matrix, Met};

/// Counts what is allocated, and the most that ever was.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Held by the test that runs.
static ALONE: Mutex<()> = Mutex::new(());

/// What a case may take: of the processor's time, and of memory beside the dump.
const MOST_TIME: Duration = Duration::from_secs(2);
const MOST_MEMORY: usize = 256 << 20;

/// How many of a class's faults are made in each kind; `NTLENS_FAULT_SEEDS` gives another number.
fn seeds() -> usize {
    std::env::var("NTLENS_FAULT_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

/// So many of them, others for each kind: over all kinds each is made.
fn chosen(faults: Vec<Fault>, kind: usize, count: usize) -> Vec<Fault> {
    let all = faults.len();
    let step = |seed: usize| (seed * all / count + kind) % all;
    if all <= count { faults } else { (0..count).map(|seed| faults[step(seed)].clone()).collect() }
}

#[test]
fn every_fault_is_told_and_costs_only_what_it_breaks() {
    let _alone = ALONE.lock().unwrap();
    let mut matrix = Matrix::default();
    let (mut cases, mut noticed, mut worst, mut wrong) = (0_u64, [0_u64; 2], Cost::default(), Vec::new());
    let most =
        |worst: Cost, cost: Cost| Cost { time: worst.time.max(cost.time), memory: worst.memory.max(cost.memory) };
    for (kind, subject) in SUBJECTS.iter().enumerate() {
        let sound = Answers::of(patched::Patched::of(&subject.bytes)).unwrap();
        let expected = subject.expected(&sound.rows);
        for listed in &subject::LISTED {
            let (is, should) = (&sound.rows[listed.table], &expected[listed.table]);
            let lost: Vec<_> = should.difference(is).take(3).collect();
            let more: Vec<_> = is.difference(should).filter(|_| !listed.more).take(3).collect();
            assert!(
                lost.is_empty() && more.is_empty(),
                "{:?} {}: without {lost:?}, with {more:?}",
                subject.kind,
                listed.table
            );
        }
        for (number, class) in CLASSES.iter().enumerate().filter(|(_, class)| (class.kinds)(subject.kind)) {
            let faults = (class.make)(subject).into_iter().filter(|fault| !fault.changes_nothing(&subject.bytes));
            let count = if class.every { usize::MAX } else { seeds() };
            for fault in chosen(faults.collect(), kind, count) {
                let place = format!("{} in {}: {}", class.name, subject.kind, fault.what);
                let source = fault.make(&subject.bytes);
                let done = guarded(&place, move || measured(|| Answers::of(source)));
                cases += 1;
                let (found, cost) = match done {
                    Ok(done) => done,
                    Err(panic) => {
                        wrong.push(format!("{place}: panics: {panic}"));
                        continue;
                    }
                };
                worst = most(worst, cost);
                if cost.time > MOST_TIME || cost.memory > MOST_MEMORY {
                    wrong.push(format!("{place}: takes {cost:?}"));
                }
                match judge(class, &fault, &found, &sound, &expected) {
                    Ok(met) => {
                        matrix.add(number, kind, met);
                        if class.must == Must::Name {
                            noticed[usize::from(met == Met::Named)] += 1;
                            if met != Met::Named && std::env::var_os("NTLENS_FAULT_SEEDS").is_some() {
                                common::record(&format!("not named whole: {place}"));
                            }
                        }
                    }
                    Err(why) => wrong.push(format!("{place}: {why}")),
                }
            }
        }
    }
    let names: Vec<&str> = CLASSES.iter().map(|class| class.name).collect();
    let whole = noticed[1] * 100;
    let all = noticed[0] + noticed[1];
    common::record(&format!(
        "{}\nfaults: {} classes in {} kinds, {cases} cases: {} ok, {} named, {} partial, {} wrong; at most {:?} and {} KiB each\n\
         faults that must be named: {} of {all} with offset, structure, field, found and expected",
        matrix.print(&names),
        CLASSES.len(),
        SUBJECTS.len(),
        matrix.total(Met::Ok),
        matrix.total(Met::Named),
        matrix.total(Met::Partial),
        wrong.len(),
        worst.time,
        worst.memory >> 10,
        noticed[1],
    ));
    assert!(CLASSES.iter().all(|class| !class.breaks.is_empty()));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(whole >= all * 99, "{} of {all} are named whole", noticed[1]);
}
