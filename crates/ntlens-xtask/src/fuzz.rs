//! `cargo xtask fuzz`: libFuzzer on the fuzz targets one after the other, and the log of what was run.

use crate::failure::Failure;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

/// For the list of chores.
pub(crate) const ABOUT: &str = "run libFuzzer on all targets or some [--seconds N | --runs N] [--fast] [TARGET...]";

/// Seconds for each target if nothing is said.
const SECONDS: &str = "60";
/// What makes a run fast.
const FAST: [&str; 2] = ["--release", "--no-trace-compares"];
/// Bounds of one input: memory in MiB, and seconds by the clock, many times what any takes, since other work may have the
/// processors.
const BOUNDS: [&str; 2] = ["-rss_limit_mb=512", "-timeout=10"];
/// The head of the log's table.
const HEAD: &str =
    "| target | executions | last run | edges | features | open crashes |\n|---|---:|---|---:|---:|---:|\n";
/// How libFuzzer's files begin that hold an input which failed.
const FAILED: [&str; 4] = ["crash-", "oom-", "timeout-", "leak-"];

/// What the log says of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry {
    /// Inputs that were run so far, over all changes of the code.
    executions: u64,
    /// The day of the last run.
    day: String,
    /// Edges of the code that the inputs found so far reach (`cov`).
    edges: u64,
    /// The same with how often, and with what was compared (`ft`).
    features: u64,
    /// Inputs that failed and still are in `artifacts`.
    open: usize,
}

/// Runs the targets.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let known = names(&folder.join("fuzz_targets"))?;
    let (mut limit, mut fast, mut wanted) = (format!("-max_total_time={SECONDS}"), false, Vec::new());
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let option = match argument.as_str() {
            "--fast" => {
                fast = true;
                continue;
            }
            "--seconds" => "-max_total_time",
            "--runs" => "-runs",
            target if known.iter().any(|name| name == target) => {
                wanted.push(target.to_owned());
                continue;
            }
            other => return Err(Failure::new(format!("{other:?} is no target; there are {}", known.join(", ")))),
        };
        let number = rest.next().and_then(|number| number.replace('_', "").parse::<u64>().ok());
        let number = number.ok_or_else(|| Failure::new(format!("{argument} takes a number")))?;
        limit = format!("{option}={number}");
    }
    is_there()?;
    let wanted = if wanted.is_empty() { known } else { wanted };
    let mut failed = Vec::new();
    for target in wanted {
        println!("== {target}");
        let (found, sound) = one(&folder, &target, &limit, fast)?;
        let path = folder.join("EXECUTIONS.md");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let text = with(&text, &target, &found);
        std::fs::write(&path, text).map_err(|why| Failure::new(why.to_string()).in_file(&path))?;
        println!("== {target}: {} executions, {} edges", found.executions, found.edges);
        if !sound {
            failed.push(target);
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

/// Names of the files of a folder without their endings, in order.
fn names(folder: &Path) -> Result<Vec<String>, Failure> {
    let entries = std::fs::read_dir(folder).map_err(|why| Failure::new(why.to_string()).in_file(folder))?;
    let name = |path: &Path| Some(path.file_stem()?.to_str()?.to_owned());
    let mut names: Vec<String> = entries.flatten().filter_map(|entry| name(&entry.path())).collect();
    names.sort();
    Ok(names)
}

/// Runs libFuzzer on one target; what it says of itself, and whether it found nothing.
///
/// Fast is as the library is released, overflow checks and all, and without a look at what is compared: fewer inputs are
/// found, and several times as many run.
fn one(folder: &Path, target: &str, limit: &str, fast: bool) -> Result<(Entry, bool), Failure> {
    let corpus = folder.join("corpus").join(target);
    std::fs::create_dir_all(&corpus).map_err(|why| Failure::new(why.to_string()).in_file(&corpus))?;
    let mut command = Command::new(env!("CARGO"));
    // No code here is unsafe: a sanitizer would only halve the speed.
    command.args(["fuzz", "run", "--sanitizer", "none"]).args(FAST.iter().filter(|_| fast));
    command.arg(target).arg(&corpus).arg(Path::new("seeds").join(target));
    command.args(["--", limit, "-print_final_stats=1"]).args(BOUNDS);
    // The instrumentation is an unstable option of the compiler; no other unstable thing is used.
    command.current_dir(folder).env("RUSTC_BOOTSTRAP", "1").stderr(Stdio::piped());
    let failed = |why: std::io::Error| Failure::new(format!("{target}: {why}"));
    let mut child = command.spawn().map_err(failed)?;
    let mut found = Entry { day: today(), ..Entry::default() };
    for line in child.stderr.take().into_iter().flat_map(|stderr| BufReader::new(stderr).lines()) {
        let line = line.map_err(failed)?;
        if !take(&mut found, &line) {
            eprintln!("{line}");
        }
    }
    let sound = child.wait().map_err(failed)?.success();
    let artifacts = names(&folder.join("artifacts").join(target)).unwrap_or_default();
    found.open = artifacts.iter().filter(|name| FAILED.iter().any(|start| name.starts_with(start))).count();
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

/// The log with a run added: executions add up, the rest is as the last run says.
fn with(log: &str, target: &str, run: &Entry) -> String {
    let start = log.find(HEAD);
    let introduction = log.get(..start.unwrap_or(log.len())).unwrap_or_default();
    let rows = start.and_then(|start| log.get(start + HEAD.len()..)).unwrap_or_default();
    let mut entries: BTreeMap<String, Entry> = rows.lines().filter_map(parse).collect();
    let entry = entries.entry(target.to_owned()).or_default();
    *entry = Entry { executions: entry.executions + run.executions, ..run.clone() };
    let mut text = format!("{introduction}{HEAD}");
    for (target, entry) in entries {
        let Entry { executions, day, edges, features, open } = entry;
        // A string takes everything.
        let _ = writeln!(text, "| `{target}` | {executions} | {day} | {edges} | {features} | {open} |");
    }
    text
}

fn parse(row: &str) -> Option<(String, Entry)> {
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    let &[target, executions, day, edges, features, open] = cells.as_slice() else { return None };
    let entry = Entry {
        executions: executions.parse().ok()?,
        day: day.into(),
        edges: edges.parse().ok()?,
        features: features.parse().ok()?,
        open: open.parse().ok()?,
    };
    Some((target.trim_matches('`').into(), entry))
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
    fn runs_add_up_in_the_log() {
        let run = |executions, edges| Entry { executions, edges, features: 9, day: "2026-01-02".into(), open: 0 };
        let first = with("# Executions\n\n", "sid", &run(100, 50));
        let both = with(&first, "kdbg", &run(7, 5));
        let again = with(&both, "sid", &run(23, 40));
        let rows = "| `kdbg` | 7 | 2026-01-02 | 5 | 9 | 0 |\n| `sid` | 123 | 2026-01-02 | 40 | 9 | 0 |\n";
        assert_eq!(again, format!("# Executions\n\n{HEAD}{rows}"));
    }

    #[test]
    fn days_are_dates() {
        let cases = [(0, "1970-01-01"), (11_016, "2000-02-29"), (19_723, "2024-01-01"), (20_453, "2025-12-31")];
        for (days, expected) in cases {
            assert_eq!(date(days), expected);
        }
    }
}
