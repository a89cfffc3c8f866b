//! Open a dump and list its processes, as a whole process, beside other readers in the same run: `cargo bench`.
//!
//! The dump is of this project's own writer: 4 GiB of memory, 400 processes. Every program is run in turn, so that what
//! else the machine does falls on all of them alike; figures are ratios of medians. A peer that is not at hand is named
//! and left out. Two more dumps show that the cost does not grow with the size of the memory.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout)]

use ntlens_testkit::{Kind, Machine, Placement, layouts};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use wait4::Wait4;

const KERNEL: &str = "10.0.19041.1288";
const PDB: &str = "pdb/19041.1288/ntkrnlmp.pdb.xz";
const ISF: &str = "isf/CA8E2F01B822EDE6357898BFBF862997-1.json.xz";
const MIB: u64 = 1 << 20;

/// A program that lists the processes of a dump.
struct Entry {
    name: &'static str,
    command: Command,
    rounds: usize,
    /// How many times faster ours should be.
    wanted: f64,
    walls: Vec<Duration>,
    cpu: Vec<Duration>,
    memory: u64,
}

impl Entry {
    fn new(name: &'static str, command: Command, rounds: usize, wanted: f64) -> Self {
        Self { name, command, rounds, wanted, walls: Vec::new(), cpu: Vec::new(), memory: 0 }
    }

    fn run(&mut self) {
        let start = Instant::now();
        let mut child = self.command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let result = child.wait4().unwrap();
        self.walls.push(start.elapsed());
        assert!(result.status.success(), "{} failed", self.name);
        self.cpu.push(result.rusage.utime + result.rusage.stime);
        self.memory = self.memory.max(result.rusage.maxrss);
    }

    fn median(&self) -> f64 {
        median(&self.walls)
    }
}

fn median(times: &[Duration]) -> f64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, Duration::as_secs_f64)
}

fn command(program: impl AsRef<std::ffi::OsStr>, arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments.iter().map(std::convert::AsRef::as_ref));
    command
}

fn main() {
    if let [_, flag, path, mib, processes] = std::env::args().collect::<Vec<_>>().as_slice()
        && flag == "--make-dump"
    {
        return make_dump(Path::new(path), mib.parse().unwrap(), processes.parse().unwrap());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let work = root.join("target/bench");
    std::fs::create_dir_all(&work).unwrap();
    let ours = build(root, root, &["--package", "ntlens-cli"]).join("ntlens");
    let big = dump(&work, "4-gib", 4096, 400);
    compare(root, &work, &ours, &big);
    growth(&work, &ours);
}

/// Builds the programs of a workspace; the folder they are in.
fn build(root: &Path, workspace: &Path, arguments: &[&str]) -> PathBuf {
    let manifest = workspace.join("Cargo.toml");
    let target = if root == workspace { root.join("target") } else { workspace.join("target") };
    let mut cargo = command(env!("CARGO"), &[&"build", &"--release", &"--quiet", &"--manifest-path", &manifest]);
    let built = cargo.args(arguments).arg("--target-dir").arg(&target).status().unwrap();
    assert!(built.success(), "{} does not build", manifest.display());
    target.join("release")
}

/// Makes a dump in a process of its own: the memory of this one is counted to each program that it starts.
fn dump(work: &Path, name: &str, mib: u64, processes: usize) -> PathBuf {
    let path = work.join(format!("{name}.dmp"));
    let (mib, processes) = (mib.to_string(), processes.to_string());
    let own = std::env::current_exe().unwrap();
    let made = command(own, &[&"--make-dump", &path, &mib, &processes]).status().unwrap();
    assert!(made.success());
    path
}

fn make_dump(path: &Path, mib: u64, processes: usize) {
    let machine = Machine::typical(layouts(KERNEL).unwrap(), 7, processes).memory(mib * MIB);
    machine.placement(Placement::Scattered).build().write_file(Kind::BitmapFull { active: false }, path).unwrap();
}

fn compare(root: &Path, work: &Path, ours: &Path, dump: &Path) {
    let mut entries = vec![
        Entry::new("ntlens processes", command(ours, &[&"processes", &dump]), 21, 0.0),
        Entry::new("ntlens, every column", command(ours, &[&"processes", &dump, &"--format", &"jsonl"]), 21, 0.0),
    ];
    entries.extend(rust_peers(root, work, dump));
    entries.extend(python_peers(root, work, dump));
    let most = entries.iter().map(|entry| entry.rounds).max().unwrap_or(0);
    for round in 0..most {
        for entry in entries.iter_mut().filter(|entry| round < entry.rounds) {
            entry.run();
        }
    }
    let own = entries[0].median();
    println!("{:<26} {:>9} {:>9} {:>9} {:>9} {:>8} {:>7}", "", "min", "median", "max", "CPU", "memory", "ratio");
    for entry in &entries {
        let (min, max) = (entry.walls.iter().min().unwrap(), entry.walls.iter().max().unwrap());
        let seconds = |time: f64| format!("{time:.4} s");
        let verdict = match entry.wanted {
            0.0 => String::new(),
            wanted if entry.median() / own >= wanted => format!("(at least {wanted}: yes)"),
            wanted => format!("(at least {wanted}: NO)"),
        };
        println!(
            "{:<26} {:>9} {:>9} {:>9} {:>9} {:>5} MiB {:>6.1} {verdict}",
            entry.name,
            seconds(min.as_secs_f64()),
            seconds(entry.median()),
            seconds(max.as_secs_f64()),
            seconds(median(&entry.cpu)),
            entry.memory / MIB,
            entry.median() / own,
        );
    }
    let memory = entries[0].memory.max(entries[1].memory);
    println!("memory of ntlens at most 32 MiB: {}", if memory <= 32 * MIB { "yes" } else { "NO" });
}

fn shared(root: &Path) -> Option<PathBuf> {
    let named = std::env::var_os("NTLENS_SHARED").map(PathBuf::from);
    named.or_else(|| Some(root.parent()?.join("shared"))).filter(|folder| folder.is_dir())
}

fn rust_peers(root: &Path, work: &Path, dump: &Path) -> Vec<Entry> {
    let programs = build(root, &root.join("benches/peers"), &[]);
    let mut peers = vec![Entry::new("kdmp-parser, open only", command(programs.join("kdmp-open"), &[&dump]), 15, 4.0)];
    let Some(shared) = shared(root) else {
        println!("vmi is left out: no shared folder with the kernel's PDB");
        return peers;
    };
    // vmi keeps a profile of the symbols: making it is no part of the time.
    let (pdb, profile) = (work.join("ntkrnlmp.pdb"), work.join("profile.vmi"));
    let packed = std::io::BufReader::new(std::fs::File::open(shared.join(PDB)).unwrap());
    let mut bytes = Vec::new();
    lzma_rust2::XzReader::new(packed, true).read_to_end(&mut bytes).unwrap();
    std::fs::write(&pdb, bytes).unwrap();
    let made = command(programs.join("vmi-profile"), &[&pdb, &profile]).status().unwrap();
    assert!(made.success());
    peers.push(Entry::new("vmi", command(programs.join("vmi-processes"), &[&dump, &profile]), 15, 4.0));
    peers
}

fn python_peers(root: &Path, work: &Path, dump: &Path) -> Vec<Entry> {
    let named = std::env::var_os("NTLENS_PEERS_PYTHON").map(PathBuf::from);
    let python = named.unwrap_or_else(|| root.join("target/peers/bin/python"));
    let has = |module: &str| {
        let import = format!("import {module}");
        command(&python, &[&"-c", &import]).output().is_ok_and(|output| output.status.success())
    };
    let script = |name: &str| root.join("benches/peers").join(name);
    let mut peers = Vec::new();
    if has("memprocfs") {
        let run = command(&python, &[&script("memprocfs_processes.py"), &dump]);
        peers.push(Entry::new("MemProcFS (Python)", run, 15, 4.0));
    } else {
        println!("MemProcFS is left out: {} has no memprocfs (it needs libusb-1.0)", python.display());
    }
    match shared(root).filter(|_| has("volatility3")) {
        Some(shared) => {
            let (isf, folder) = (shared.join(ISF), work.join("volatility"));
            let run = || command(&python, &[&script("volatility3_pslist.py"), &dump, &isf, &folder]);
            // The first run fills its caches.
            let filled = run().stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
            assert!(filled.success(), "volatility3 failed");
            peers.push(Entry::new("volatility3 pslist, warm", run(), 2, 100.0));
        }
        None => println!("volatility3 is left out: no Python with it, or no shared folder with its symbols"),
    }
    peers
}

/// The same processes in 64 MiB and in 64 GiB of memory.
fn growth(work: &Path, ours: &Path) {
    let mut small = Entry::new("64 MiB", command(ours, &[&"processes", &dump(work, "64-mib", 64, 60)]), 21, 0.0);
    let mut large = Entry::new("64 GiB", command(ours, &[&"processes", &dump(work, "64-gib", 65536, 60)]), 21, 0.0);
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
