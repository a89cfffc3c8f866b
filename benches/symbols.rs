//! Loading a kernel's PDB, beside volatility3's own reader in the same run, and choosing embedded layouts:
//! `cargo bench --bench symbols`.
//!
//! Ours is measured from opening the file to the last field resolved; volatility3's reader without Python's start and
//! without writing anything. They run in turn, so that what else the machine does falls on both; figures are medians.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout)]

use ntlens::nt::fields::Fields;
use ntlens::symbols::{EMBEDDED, Pack, file};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const PDB: &str = "pdb/22000.1098/ntkrnlmp.pdb.xz";
const ISF: &str = "isf/666A1F1CDEE669FCCBC9135C82001220-1.json.xz";

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    embedded();
    let named = std::env::var_os("NTLENS_SHARED").map(PathBuf::from);
    let shared = named.or_else(|| Some(root.parent()?.join("shared"))).filter(|folder| folder.is_dir());
    match shared {
        Some(shared) => pdb(root, &shared),
        None => println!("no shared folder with a kernel's PDB"),
    }
}

/// From the bytes of the pack to one kernel's layouts, with every field resolved.
fn embedded() {
    let pack = Pack::embedded().unwrap();
    let versions: std::collections::BTreeSet<_> = pack.tables().iter().map(|table| table.version).collect();
    println!("embedded pack: {} bytes, {} kernels, {} versions", EMBEDDED.len(), pack.tables().len(), versions.len());
    let table = pack.tables().iter().position(|table| table.version.to_string() == "10.0.22000.1098").unwrap();
    let parse = times(200, || Pack::embedded().unwrap());
    let choose = times(200, || Fields::resolve(&Pack::embedded().unwrap().kernel_layouts(table).unwrap()));
    let layouts = pack.kernel_layouts(table).unwrap();
    println!("embedded pack parsed: {:?}", median(parse));
    println!("one kernel decoded: {:?}", median(times(200, || pack.kernel_layouts(table).unwrap())));
    println!("fields resolved: {:?}", median(times(200, || Fields::resolve(&layouts))));
    println!("one kernel chosen and its fields resolved, at best: {:?}", choose.iter().min().unwrap());
    let time = median(choose);
    let verdict = if time < Duration::from_millis(1) { "yes" } else { "NO" };
    println!("one kernel chosen and its fields resolved: {time:?} (less than 1 ms: {verdict})");
}

fn pdb(root: &Path, shared: &Path) {
    let work = root.join("target/bench");
    std::fs::create_dir_all(&work).unwrap();
    let path = work.join("ntkrnlmp.pdb");
    let packed = std::fs::File::open(shared.join(PDB)).unwrap();
    std::io::copy(&mut lzma_rust2::XzReader::new(packed, true), &mut std::fs::File::create(&path).unwrap()).unwrap();
    let load = |path: &Path| Fields::resolve(&file::read(path).unwrap().layouts);
    let named = std::env::var_os("NTLENS_PEERS_PYTHON").map(PathBuf::from);
    let python = named.unwrap_or_else(|| root.join("target/peers/bin/python"));
    let script = root.join("benches/peers/volatility3_pdbconv.py");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        ours.extend(times(9, || load(&path)));
        let output = Command::new(&python).arg(&script).arg(&path).output();
        if let Some(output) = output.ok().filter(|output| output.status.success()) {
            let seconds: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap();
            theirs.push(Duration::from_secs_f64(seconds));
        }
    }
    let ours = median(ours);
    println!("PDB of {} bytes loaded, fields resolved: {ours:?}", std::fs::metadata(&path).unwrap().len());
    println!("PDB identified: {:?}", median(times(50, || file::identify(&path).unwrap())));
    println!("the same, packed by xz: {:?}", median(times(9, || load(&shared.join(PDB)))));
    println!("ISF of the same kernel, packed by xz: {:?}", median(times(9, || load(&shared.join(ISF)))));
    println!("ISF identified: {:?}", median(times(9, || file::identify(&shared.join(ISF)).unwrap())));
    if theirs.is_empty() {
        println!("volatility3 is left out: {} has none", python.display());
        return;
    }
    let theirs = median(theirs);
    let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
    let verdict = if ratio >= 100.0 { "yes" } else { "NO" };
    println!("volatility3's reader: {theirs:?}, {ratio:.0} times as long (at least 100: {verdict})");
}

fn times<T>(rounds: usize, mut run: impl FnMut() -> T) -> Vec<Duration> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        black_box(run());
        times.push(start.elapsed());
    }
    times
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
