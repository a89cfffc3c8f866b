//! `cargo xtask fuzz`: libFuzzer on the fuzz targets one after the other, and the log of what was run.

use crate::failure::Failure;
use ntlens_fuzz::log::{self, Entry};
use ntlens_fuzz::{ENOUGH, TARGETS, Target, code};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// For the list of chores.
pub(crate) const ABOUT: &str =
    "run libFuzzer on all targets or some [--seconds N | --runs N] [--fast] [--changed] [TARGET...]";

/// Seconds for each target if nothing is said.
const SECONDS: &str = "60";
/// What makes a run fast.
const FAST: [&str; 2] = ["--release", "--no-trace-compares"];
/// Bounds of one input: memory in MiB, and seconds by the clock, many times what any takes, since other work may have the
/// processors.
const BOUNDS: [&str; 2] = ["-rss_limit_mb=512", "-timeout=10"];
/// How libFuzzer's files begin that hold an input which failed.
const FAILED: [&str; 4] = ["crash-", "oom-", "timeout-", "leak-"];

/// Runs the targets.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let path = folder.join("EXECUTIONS.md");
    let read = || std::fs::read_to_string(&path).unwrap_or_default();
    let (mut limit, mut fast, mut wanted) = (format!("-max_total_time={SECONDS}"), false, Vec::new());
    let (mut rest, mut changed) = (arguments.iter(), false);
    while let Some(argument) = rest.next() {
        let option = match argument.as_str() {
            "--fast" => {
                fast = true;
                continue;
            }
            "--changed" => {
                changed = true;
                continue;
            }
            "--seconds" => "-max_total_time",
            "--runs" => "-runs",
            name => {
                let target = TARGETS.iter().find(|target| target.name == name);
                wanted.push(target.ok_or_else(|| {
                    let known: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
                    Failure::new(format!("{name:?} is no target; there are {}", known.join(", ")))
                })?);
                continue;
            }
        };
        let number = rest.next().and_then(|number| number.replace('_', "").parse::<u64>().ok());
        let number = number.ok_or_else(|| Failure::new(format!("{argument} takes a number")))?;
        limit = format!("{option}={number}");
    }
    is_there()?;
    let mut wanted = if wanted.is_empty() { TARGETS.iter().collect() } else { wanted };
    if changed {
        let known = log::entries(&read());
        wanted.retain(|target| {
            let fuzzed = known.get(target.name).map(|entry| entry.code.as_str());
            fuzzed.is_none() || fuzzed != code::fingerprint(target).ok().as_deref()
        });
    }
    let mut failed = Vec::new();
    for target in wanted {
        println!("== {}", target.name);
        let (found, sound) = one(&folder, target, &limit, fast)?;
        std::fs::write(&path, log::with(&read(), target.name, &found))
            .map_err(|why| Failure::new(why.to_string()).in_file(&path))?;
        println!("== {}: {} executions, {} edges", target.name, found.executions, found.edges);
        if !sound {
            failed.push(target.name);
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("{} failed: the inputs are in fuzz/artifacts", failed.join(", "))))
}

/// Says what is missing; installs nothing.
fn is_there() -> Result<(), Failure> {
    let found = Command::new(env!("CARGO")).args(["fuzz", "--version"]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    Err(Failure::new(
        "cargo-fuzz is not here: `cargo install cargo-fuzz --locked`; a C++ compiler is needed, too. \
         `cargo test -p ntlens-fuzz` runs the same targets without both",
    ))
}

/// Runs libFuzzer on one target; what it says of itself, and whether it found nothing.
///
/// Fast is as the library is released, overflow checks and all, and without a look at what is compared: fewer inputs are
/// found, and several times as many run.
fn one(folder: &Path, target: &Target, limit: &str, fast: bool) -> Result<(Entry, bool), Failure> {
    let failed = |why: std::io::Error| Failure::new(format!("{}: {why}", target.name));
    let code = code::fingerprint(target).map_err(failed)?;
    let target = target.name;
    let corpus = folder.join("corpus").join(target);
    std::fs::create_dir_all(&corpus).map_err(|why| Failure::new(why.to_string()).in_file(&corpus))?;
    let mut command = Command::new(env!("CARGO"));
    // No code here is unsafe: a sanitizer would only halve the speed.
    command.args(["fuzz", "run", "--sanitizer", "none"]).args(FAST.iter().filter(|_| fast));
    command.arg(target).arg(&corpus).arg(Path::new("seeds").join(target));
    command.args(["--", limit, "-print_final_stats=1"]).args(BOUNDS);
    // The instrumentation is an unstable option of the compiler; no other unstable thing is used.
    command.current_dir(folder).env("RUSTC_BOOTSTRAP", "1").stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let mut found = Entry { day: today(), ..Entry::default() };
    let mut start = None;
    for line in child.stderr.take().into_iter().flat_map(|stderr| BufReader::new(stderr).lines()) {
        let line = line.map_err(failed)?;
        // Before its first line with a number it is built.
        if line.starts_with('#') {
            start.get_or_insert_with(Instant::now);
        }
        if !take(&mut found, &line) {
            eprintln!("{line}");
        }
    }
    let sound = child.wait().map_err(failed)?.success();
    let artifacts = std::fs::read_dir(folder.join("artifacts").join(target)).into_iter().flatten().flatten();
    let is_failed = |name: &str| FAILED.iter().any(|start| name.starts_with(start));
    found.open = artifacts.filter(|entry| entry.file_name().to_str().is_some_and(is_failed)).count();
    if sound && start.is_some_and(|start| start.elapsed() >= ENOUGH) {
        found.code = code;
    }
    Ok((found, sound))
}

/// Takes the numbers of a line of progress or of the last ones; whether it is one of these.
fn take(entry: &mut Entry, line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |name: &str| {
        let place = words.iter().position(|word| *word == name)?;
        words.get(place + 1)?.parse().ok()
    };
    if let Some(executions) = number("stat::number_of_executed_units:") {
        entry.executions = executions;
        return true;
    }
    let (Some(edges), Some(features)) = (number("cov:"), number("ft:")) else { return line.starts_with("stat::") };
    (entry.edges, entry.features) = (edges, features);
    true
}

/// Today's date in UTC, by the algorithm for the proleptic Gregorian calendar in years that begin in March.
fn today() -> String {
    let days =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since: Duration| since.as_secs() / 86_400);
    date(days)
}

/// The date so many days after 1970-01-01.
fn date(days: u64) -> String {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year + u64::from(month <= 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libfuzzer_says_of_itself_is_taken() {
        let mut entry = Entry::default();
        assert!(take(&mut entry, "#4096\tpulse  cov: 612 ft: 1033 corp: 85/12Kb lim: 4096 exec/s: 2048 rss: 61Mb"));
        assert!(take(&mut entry, "#5000\tDONE   cov: 613 ft: 1034 corp: 86/12Kb lim: 4096 exec/s: 2500 rss: 61Mb"));
        assert!(take(&mut entry, "stat::number_of_executed_units: 5000"));
        assert!(take(&mut entry, "stat::average_exec_per_sec:     2500"));
        assert!(!take(&mut entry, "thread '<unnamed>' panicked at src/lib.rs:1:1:"));
        assert_eq!((entry.executions, entry.edges, entry.features), (5000, 613, 1034));
    }

    #[test]
    fn days_are_dates() {
        let cases = [(0, "1970-01-01"), (11_016, "2000-02-29"), (19_723, "2024-01-01"), (20_453, "2025-12-31")];
        for (days, expected) in cases {
            assert_eq!(date(days), expected);
        }
    }
}
