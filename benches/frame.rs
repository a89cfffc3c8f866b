//! How long all handles of a dump take to be a pandas frame, beside the bare query in Rust in the same run:
//! `cargo bench --bench frame`.
//!
//! Both have the dump open, ask for every column with all processors, and take turns, so that what else the machine does
//! falls on both alike. They have the same allocator, too: what Python adds is what is measured. The Python package is built
//! for release and lies below `target/bench`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout)]

mod common;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use common::{Bench, median};
use ntlens::Threads;
use ntlens::report::{Arguments, Wanted, question};
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 15;
/// How many times the bare query a frame may take.
const WANTED: f64 = 2.0;

fn main() {
    let Some(bench) = Bench::start(Bench::busy) else { return };
    let Some(python) = bench.package() else { return };
    let dump = bench.dump("4-gib-busy", 4096, 400);
    let (rows, bare, asked, frame) = turns(python, &dump);
    println!("{rows} rows, medians of {ROUNDS} rounds");
    println!("{:<30} {:>8.1} ms", "query in Rust", bare * 1e3);
    println!("{:<30} {:>8.1} ms {:>6.2}", "query in Python", asked * 1e3, asked / bare);
    let verdict = if frame <= WANTED * bare { "yes" } else { "NO" };
    println!("{:<30} {:>8.1} ms {:>6.2} (at most {WANTED}: {verdict})", "query and frame", frame * 1e3, frame / bare);
}

/// How many rows there are, and the medians of the query in Rust, of that in Python, and of Python's with the frame.
fn turns(mut python: Command, path: &Path) -> (usize, f64, f64, f64) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/python_handles.py");
    let mut python = python.arg(script).arg(path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut say, mut said) = (python.stdin.take().unwrap(), BufReader::new(python.stdout.take().unwrap()));
    let dump = ntlens::open(path).unwrap();
    let handles = question("handles").unwrap();
    let (mut bare, mut asked, mut frame, mut rows) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for round in 0..=ROUNDS {
        let start = Instant::now();
        let table = handles.ask_with(&dump, &Arguments::default(), Wanted::All, &Threads).unwrap();
        let time = start.elapsed();
        rows = black_box(&table).rows.len();
        drop(table);
        say.write_all(b"\n").unwrap();
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let (count, times) = line.split_once(' ').unwrap();
        assert_eq!(count.parse::<usize>().unwrap(), rows, "both have the same rows");
        let told: Vec<f64> = times.split_whitespace().map(|word| word.parse().unwrap()).collect();
        // The first round warms both.
        if round > 0 {
            bare.push(time);
            asked.push(Duration::from_secs_f64(told[0]));
            frame.push(Duration::from_secs_f64(told[1]));
        }
    }
    drop(say);
    assert!(python.wait().unwrap().success());
    (rows, median(&bare), median(&asked), median(&frame))
}
