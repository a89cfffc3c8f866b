//! Open a dump and list its processes, as a whole process, beside other readers in the same run: `cargo bench`.
//!
//! The dump is of this project's own writer: 4 GiB of memory, 400 processes. Two more dumps show that the cost does not
//! grow with the size of the memory.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout)]

mod common;

use common::{Bench, Entry, command, compare, memory_below};

fn main() {
    let Some(bench) = Bench::start(Bench::typical) else { return };
    let dump = bench.dump("4-gib", 4096, 400);
    let mut entries = vec![
        Entry::own("ntlens processes", command(&bench.ours, &[&"processes", &dump])),
        Entry::own("ntlens, every column", command(&bench.ours, &[&"processes", &dump, &"--format", &"jsonl"])),
    ];
    let programs = bench.rust_peers();
    entries.push(Entry::peer("kdmp-parser, open only", command(programs.join("kdmp-open"), &[&dump]), 15, 4.0, 0));
    if let Some(profile) = bench.vmi_profile(&programs) {
        entries.push(Entry::peer("vmi", command(programs.join("vmi-processes"), &[&dump, &profile]), 15, 4.0, 0));
    }
    let memprocfs = bench.memprocfs("memprocfs_processes.py", &dump);
    entries.extend(memprocfs.map(|run| Entry::peer("MemProcFS (Python)", run, 15, 4.0, 0)));
    let volatility = bench.volatility("windows.pslist", &dump);
    entries.extend(volatility.map(|run| Entry::peer("volatility3 pslist, warm", run, 2, 100.0, 0)));
    compare(&mut entries);
    memory_below(&entries, 32);
    growth(&bench);
}

/// The same processes in 64 MiB and in 64 GiB of memory.
fn growth(bench: &Bench) {
    let entry = |name, dump| Entry::own(name, command(&bench.ours, &[&"processes", &dump]));
    let mut small = entry("64 MiB", bench.dump("64-mib", 64, 60));
    let mut large = entry("64 GiB", bench.dump("64-gib", 65536, 60));
    for _ in 0..small.rounds {
        small.run();
        large.run();
    }
    println!();
    for entry in [&small, &large] {
        let (time, memory) = (entry.median(), entry.memory / 1024);
        println!("60 processes in {}: {time:.4} s, {memory} KiB", entry.name);
    }
    println!("the bitmap of 64 GiB takes 2048 KiB; 64 GiB cost {:.2} times 64 MiB", large.median() / small.median());
}
