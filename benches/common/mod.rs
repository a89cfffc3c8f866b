//! What the benches of whole programs share: the dump, the programs, and the table of their times.
//!
//! Every program is run in turn, so that what else the machine does falls on all of them alike; figures are ratios of
//! medians. A peer that is not at hand is named and left out.
#![allow(dead_code)]

use ntlens_testkit::{Kind, Machine, Placement, layouts};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use wait4::Wait4;

const KERNEL: &str = "10.0.19041.1288";
const PDB: &str = "pdb/19041.1288/ntkrnlmp.pdb.xz";
const ISF: &str = "isf/CA8E2F01B822EDE6357898BFBF862997-1.json.xz";
/// Bytes of a MiB.
pub(crate) const MIB: u64 = 1 << 20;

/// A program that answers a question about a dump.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    command: Command,
    pub(crate) rounds: usize,
    /// How many times faster ours should be, and which of the entries ours is.
    wanted: Option<(f64, usize)>,
    walls: Vec<Duration>,
    cpu: Vec<Duration>,
    pub(crate) memory: u64,
}

impl Entry {
    /// One of ours.
    pub(crate) fn own(name: &'static str, command: Command) -> Self {
        Self::new(name, command, 21, None)
    }

    /// One that ours, the entry of a number, should be so many times faster than.
    pub(crate) fn peer(name: &'static str, command: Command, rounds: usize, wanted: f64, own: usize) -> Self {
        Self::new(name, command, rounds, Some((wanted, own)))
    }

    fn new(name: &'static str, command: Command, rounds: usize, wanted: Option<(f64, usize)>) -> Self {
        Self { name, command, rounds, wanted, walls: Vec::new(), cpu: Vec::new(), memory: 0 }
    }

    pub(crate) fn run(&mut self) {
        let start = Instant::now();
        let mut child = self.command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let result = child.wait4().unwrap();
        self.walls.push(start.elapsed());
        assert!(result.status.success(), "{} failed", self.name);
        self.cpu.push(result.rusage.utime + result.rusage.stime);
        self.memory = self.memory.max(result.rusage.maxrss);
    }

    pub(crate) fn median(&self) -> f64 {
        median(&self.walls)
    }
}

/// The median in seconds.
pub(crate) fn median(times: &[Duration]) -> f64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, Duration::as_secs_f64)
}

/// Runs all entries in turn and prints their times.
pub(crate) fn compare(entries: &mut [Entry]) {
    let most = entries.iter().map(|entry| entry.rounds).max().unwrap_or(0);
    for round in 0..most {
        for entry in entries.iter_mut().filter(|entry| round < entry.rounds) {
            entry.run();
        }
    }
    println!("{:<30} {:>9} {:>9} {:>9} {:>9} {:>8} {:>7}", "", "min", "median", "max", "CPU", "memory", "ratio");
    for entry in entries.iter() {
        let (min, max) = (entry.walls.iter().min().unwrap(), entry.walls.iter().max().unwrap());
        let seconds = |time: f64| format!("{time:.4} s");
        let own = entries[entry.wanted.map_or(0, |(_, own)| own)].median();
        let ratio = entry.median() / own;
        let verdict = entry
            .wanted
            .map(|(wanted, _)| format!("(at least {wanted}: {})", if ratio >= wanted { "yes" } else { "NO" }));
        println!(
            "{:<30} {:>9} {:>9} {:>9} {:>9} {:>5} MiB {ratio:>6.1} {}",
            entry.name,
            seconds(min.as_secs_f64()),
            seconds(entry.median()),
            seconds(max.as_secs_f64()),
            seconds(median(&entry.cpu)),
            entry.memory / MIB,
            verdict.unwrap_or_default(),
        );
    }
}

/// Says whether ours keep below so many MiB.
pub(crate) fn memory_below(entries: &[Entry], mib: u64) {
    let memory = entries.iter().filter(|entry| entry.wanted.is_none()).map(|entry| entry.memory).max().unwrap_or(0);
    println!("memory of ntlens at most {mib} MiB: {}", if memory <= mib * MIB { "yes" } else { "NO" });
}

/// A program with its arguments.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>, arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments.iter().map(std::convert::AsRef::as_ref));
    command
}

/// Where everything is.
pub(crate) struct Bench {
    root: PathBuf,
    work: PathBuf,
    /// The command `ntlens`, built for release.
    pub(crate) ours: PathBuf,
}

impl Bench {
    /// Builds ours; `None` in a process that only makes a dump of a machine.
    pub(crate) fn start(machine: impl Fn(usize) -> Machine) -> Option<Self> {
        if let [_, flag, path, mib, processes] = std::env::args().collect::<Vec<_>>().as_slice()
            && flag == "--make-dump"
        {
            let machine = machine(processes.parse().unwrap()).memory(mib.parse::<u64>().unwrap() * MIB);
            let image = machine.placement(Placement::Scattered).build();
            image.write_file(Kind::BitmapFull { active: false }, path).unwrap();
            return None;
        }
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let work = root.join("target/bench");
        std::fs::create_dir_all(&work).unwrap();
        let ours = build(&root, &root, &["--package", "ntlens-cli"]).join("ntlens");
        Some(Self { root, work, ours })
    }

    /// A typical machine with the kernel that the peers have symbols for.
    pub(crate) fn typical(processes: usize) -> Machine {
        Machine::typical(layouts(KERNEL).unwrap(), 7, processes)
    }

    /// The same with 60,000 handles, if it has 400 processes.
    pub(crate) fn busy(processes: usize) -> Machine {
        let mut machine = Self::typical(processes);
        machine.busy(140);
        machine
    }

    /// Makes a dump in a process of its own: the memory of this one is counted to each program that it starts.
    pub(crate) fn dump(&self, name: &str, mib: u64, processes: usize) -> PathBuf {
        let path = self.work.join(format!("{name}.dmp"));
        let (mib, processes) = (mib.to_string(), processes.to_string());
        let own = std::env::current_exe().unwrap();
        let made = command(own, &[&"--make-dump", &path, &mib, &processes]).status().unwrap();
        assert!(made.success());
        path
    }

    /// The folder with the programs over Rust peers.
    pub(crate) fn rust_peers(&self) -> PathBuf {
        build(&self.root, &self.root.join("benches/peers"), &[])
    }

    fn shared(&self) -> Option<PathBuf> {
        let named = std::env::var_os("NTLENS_SHARED").map(PathBuf::from);
        named.or_else(|| Some(self.root.parent()?.join("shared"))).filter(|folder| folder.is_dir())
    }

    /// vmi's profile of the kernel's symbols. It keeps profiles: making one is no part of the time.
    pub(crate) fn vmi_profile(&self, programs: &Path) -> Option<PathBuf> {
        let Some(shared) = self.shared() else {
            println!("vmi is left out: no shared folder with the kernel's PDB");
            return None;
        };
        let (pdb, profile) = (self.work.join("ntkrnlmp.pdb"), self.work.join("profile.vmi"));
        let packed = std::io::BufReader::new(std::fs::File::open(shared.join(PDB)).unwrap());
        let mut bytes = Vec::new();
        lzma_rust2::XzReader::new(packed, true).read_to_end(&mut bytes).unwrap();
        std::fs::write(&pdb, bytes).unwrap();
        let made = command(programs.join("vmi-profile"), &[&pdb, &profile]).status().unwrap();
        assert!(made.success());
        Some(profile)
    }

    fn python(&self) -> PathBuf {
        let named = std::env::var_os("NTLENS_PEERS_PYTHON").map(PathBuf::from);
        named.unwrap_or_else(|| self.root.join("target/peers/bin/python"))
    }

    fn has(&self, module: &str) -> bool {
        let import = format!("import {module}");
        command(self.python(), &[&"-c", &import]).output().is_ok_and(|output| output.status.success())
    }

    /// Python with this project's package, built for release, and pandas: by the environment that `cargo xtask test` makes,
    /// or the one of `NTLENS_PYTHON`.
    pub(crate) fn package(&self) -> Option<Command> {
        let named = std::env::var_os("NTLENS_PYTHON").map(PathBuf::from);
        let python = named.unwrap_or_else(|| self.root.join("target/python/bin/python"));
        let has = command(&python, &[&"-c", &"import maturin, pandas, pyarrow"]).output();
        if !has.is_ok_and(|output| output.status.success()) {
            println!("the package is left out: {} has no maturin, pandas and pyarrow", python.display());
            return None;
        }
        let (wheels, package) = (self.work.join("wheels"), self.work.join("package"));
        for old in [&wheels, &package] {
            let _ = std::fs::remove_dir_all(old);
        }
        let build: [&dyn AsRef<std::ffi::OsStr>; 6] =
            [&"maturin", &"build", &"--release", &"--locked", &"--out", &wheels];
        let install: [&dyn AsRef<std::ffi::OsStr>; 9] =
            [&"pip", &"install", &"--quiet", &"--no-index", &"--find-links", &wheels, &"--target", &package, &"ntlens"];
        for arguments in [&build[..], &install[..]] {
            let done = command(&python, &[&"-m"])
                .args(arguments.iter().map(AsRef::as_ref))
                .current_dir(&self.root)
                .status()
                .unwrap();
            assert!(done.success(), "the package cannot be built and installed");
        }
        let mut command = Command::new(python);
        command.env("PYTHONPATH", package);
        Some(command)
    }

    fn script(&self, name: &str) -> PathBuf {
        self.root.join("benches/peers").join(name)
    }

    /// A script over MemProcFS.
    pub(crate) fn memprocfs(&self, script: &str, dump: &Path) -> Option<Command> {
        if self.has("memprocfs") {
            return Some(command(self.python(), &[&self.script(script), &dump]));
        }
        println!("MemProcFS is left out: {} has no memprocfs (it needs libusb-1.0)", self.python().display());
        None
    }

    /// A plugin of volatility3, whose search for the kernel is in its cache already.
    pub(crate) fn volatility(&self, plugin: &str, dump: &Path) -> Option<Command> {
        let Some(shared) = self.shared().filter(|_| self.has("volatility3")) else {
            println!("volatility3 is left out: no Python with it, or no shared folder with its symbols");
            return None;
        };
        let (isf, folder) = (shared.join(ISF), self.work.join("volatility"));
        let script = self.script("volatility3_plugin.py");
        let run = |plugin: &str| command(self.python(), &[&script, &dump, &isf, &folder, &plugin]);
        let filled = run("windows.info").stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(filled.success(), "volatility3 failed");
        Some(run(plugin))
    }
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
