//! Every fuzz target for a bounded number of runs, on any toolchain: its seeds, and mutations of them that are the same each
//! time. libFuzzer's own runs are in `fuzz/`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, missing_docs)]

use ntlens_fuzz::mutate::{Numbers, mutated};
use ntlens_fuzz::seeds::{self, Seed};
use ntlens_fuzz::{ENOUGH, TARGETS, Target, code, log};
use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// No input may take longer, on the slowest machine and without optimisation.
const PATIENCE: Duration = Duration::from_secs(10);

/// The time that two threads have for targets whose code is new.
const ROOM: Duration = Duration::from_secs(240);

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Runs one input. What fails is written where the message says.
fn run(target: &Target, bytes: &[u8]) {
    let start = Instant::now();
    let done = catch_unwind(|| (target.run)(bytes));
    if done.is_err() || start.elapsed() > PATIENCE {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("crash-{}", target.name));
        fs::write(&path, bytes).unwrap();
        panic!("{} failed after {:?} with the input in {}", target.name, start.elapsed(), path.display());
    }
}

#[test]
fn seeds_and_mutations_of_them_break_no_promise() {
    let next = AtomicUsize::new(0);
    let seeds = seeds::all();
    let log = log::entries(&fs::read_to_string(fuzz().join("EXECUTIONS.md")).unwrap());
    let is_new = |target: &Target| {
        let code = code::fingerprint(target).unwrap();
        log.get(target.name).is_none_or(|entry| entry.code != code)
    };
    // What was not fuzzed as it is now runs longer, in the time that there is for all of it.
    let new = TARGETS.iter().filter(|target| is_new(target)).count();
    let longer = u32::try_from(new).unwrap().checked_div(2).map_or(ENOUGH, |pairs| ENOUGH.min(ROOM / pairs.max(1)));
    let work = || {
        while let Some(target) = TARGETS.get(next.fetch_add(1, Ordering::Relaxed)) {
            let own: Vec<&Seed> = seeds.iter().filter(|seed| seed.target == target.name).collect();
            assert!(!own.is_empty(), "{} has no seeds", target.name);
            let start = Instant::now();
            for seed in &own {
                run(target, &seed.bytes);
            }
            let (mut numbers, mut runs) = (Numbers::of(target.name), 0);
            let least = if is_new(target) { longer } else { Duration::ZERO };
            while runs < target.smoke_runs || start.elapsed() < least {
                runs += 1;
                let (one, other) = (own[numbers.below(own.len())], own[numbers.below(own.len())]);
                let input = mutated(&mut numbers, &one.bytes, &other.bytes);
                run(target, &input);
            }
            eprintln!("{}: {runs} runs in {:.1?}", target.name, start.elapsed());
        }
    };
    std::thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        assert!(threads.map(|thread| thread.join().is_ok()).iter().all(|done| *done), "a target failed, see above");
    });
}

#[test]
fn the_committed_seeds_are_those_that_are_made() {
    let mut expected = BTreeSet::new();
    for seed in seeds::all() {
        let path = fuzz().join("seeds").join(seed.target).join(&seed.name);
        let committed = fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        assert!(committed == seed.bytes, "{} is another: run the example write_seeds", path.display());
        expected.insert(format!("{}/{}", seed.target, seed.name));
    }
    let folders = names(&fuzz().join("seeds"));
    let found = folders.iter().flat_map(|folder| {
        names(&fuzz().join("seeds").join(folder)).into_iter().map(move |name| format!("{folder}/{name}"))
    });
    assert_eq!(found.collect::<BTreeSet<_>>(), expected, "seeds that nobody makes");
}

#[test]
fn every_target_has_a_program_and_the_other_way_round() {
    let expected: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let programs = names(&fuzz().join("fuzz_targets"));
    let programs = programs.iter().map(|file| file.trim_end_matches(".rs").to_owned());
    assert_eq!(programs.collect::<BTreeSet<_>>(), expected);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in &expected {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not in fuzz/Cargo.toml");
    }
}
