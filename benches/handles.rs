//! All handles of a dump with types, names and rights, and all tokens, as whole processes, beside other readers in the
//! same run: `cargo bench --bench handles`. volatility3 alone takes minutes of it, and is run once.
//!
//! The dump is of this project's own writer: 4 GiB of memory, 400 processes, 60,000 handles.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout)]

mod common;

use common::{Bench, Entry, command, compare, memory_below};

/// What vmi is asked for, and the names of the rights.
const COLUMNS: &str = "pid,handle,type,granted_access,access,name";

fn main() {
    let Some(bench) = Bench::start(Bench::busy) else { return };
    let dump = bench.dump("4-gib-busy", 4096, 400);
    let own = |question: &str, format: &str| command(&bench.ours, &[&question, &dump, &"--format", &format]);
    let rights = command(&bench.ours, &[&"handles", &dump, &"--format", &"jsonl", &"--columns", &COLUMNS]);
    let mut entries = vec![
        Entry::own("ntlens handles", own("handles", "table")),
        Entry::own("ntlens handles, every column", own("handles", "jsonl")),
        Entry::own("ntlens tokens, every column", own("tokens", "jsonl")),
        Entry::own("ntlens handles, names and rights", rights),
    ];
    let programs = bench.rust_peers();
    if let Some(profile) = bench.vmi_profile(&programs) {
        let run = command(programs.join("vmi-handles"), &[&dump, &profile, &"-v"]);
        entries.push(Entry::peer("vmi handles", run, 21, 4.0, 3));
    }
    let memprocfs = bench.memprocfs("memprocfs_handles.py", &dump);
    entries.extend(memprocfs.map(|run| Entry::peer("MemProcFS handle maps (Python)", run, 2, 20.0, 1)));
    let handles = bench.volatility("windows.handles", &dump);
    entries.extend(handles.map(|run| Entry::peer("volatility3 handles, warm", run, 1, 500.0, 1)));
    let getsids = bench.volatility("windows.getsids", &dump);
    entries.extend(getsids.map(|run| Entry::peer("volatility3 getsids, warm", run, 1, 500.0, 2)));
    compare(&mut entries);
    memory_below(&entries, 128);
}
