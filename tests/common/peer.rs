//! volatility3 and MemProcFS, run as processes.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stderr, clippy::panic)]

use crate::common::files;
use serde_json::Value as Json;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A Python that has volatility3; `None`, with a message, where none is named.
pub(crate) fn python() -> Option<PathBuf> {
    with_package("volatility3")
}

/// A Python that has MemProcFS; `None`, with a message, where it cannot be had.
pub(crate) fn memprocfs() -> Option<PathBuf> {
    let found = with_package("memprocfs");
    if found.is_none() {
        eprintln!("memprocfs needs libusb-1.0 of the system (Debian: apt-get install libusb-1.0-0)");
    }
    found
}

fn with_package(package: &str) -> Option<PathBuf> {
    let named = std::env::var_os("NTLENS_PEERS_PYTHON").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/bin/python");
    let python = named.unwrap_or(beside);
    let import = format!("import {package}");
    let has = Command::new(&python).args(["-c", &import]).output().is_ok_and(|output| output.status.success());
    if !has {
        eprintln!("skipped: no Python with {package} ({}); `cargo xtask test` makes one", python.display());
    }
    has.then_some(python)
}

/// Runs a command that must succeed; what it prints.
pub(crate) fn run(command: &mut Command, what: &str) -> String {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {error}");
    String::from_utf8(output.stdout).unwrap_or_else(|why| panic!("{what}: {why}"))
}

/// A script beside this file.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common").join(name)
}

/// What MemProcFS finds in a dump.
pub(crate) fn memprocfs_tables(python: &Path, dump: &Path) -> Json {
    let text = run(Command::new(python).arg(script("memprocfs_tables.py")).arg(dump), &dump.display().to_string());
    serde_json::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}: {text}", dump.display()))
}

/// The rows of several plugins of volatility3, from one process.
pub(crate) fn volatility_all(python: &Path, symbols: &Path, dump: &Path, plugins: &[&str]) -> Json {
    let cache = symbols.with_file_name("cache");
    std::fs::create_dir_all(&cache).unwrap();
    let mut command = Command::new(python);
    command.arg(script("volatility.py")).arg(cache).arg(symbols).arg(dump).args(plugins);
    let text = run(&mut command, &dump.display().to_string());
    serde_json::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}: {text}", dump.display()))
}

/// A folder of symbols for volatility3. They are copies: it writes into the folder that it is given. They are made once, before
/// any of the tests that run side by side reads them.
pub(crate) fn given_symbols(shared: &Path) -> PathBuf {
    static GIVEN: OnceLock<PathBuf> = OnceLock::new();
    let copied = || {
        let symbols = Path::new(env!("CARGO_TARGET_TMPDIR")).join("volatility/symbols");
        let folder = symbols.join("windows/ntkrnlmp.pdb");
        std::fs::create_dir_all(&folder).unwrap();
        for isf in files(&shared.join("isf"), ".json.xz") {
            let copy = folder.join(isf.file_name().unwrap());
            if !copy.exists() {
                std::fs::copy(&isf, copy).unwrap();
            }
        }
        symbols
    };
    GIVEN.get_or_init(copied).clone()
}

/// Runs a plugin, with its options behind its name, and gives its rows. What it keeps for later runs is kept beside the folder of symbols.
pub(crate) fn volatility(python: &Path, symbols: &Path, dump: &Path, plugin: &str) -> Vec<Json> {
    let cache = symbols.with_file_name("cache");
    std::fs::create_dir_all(&cache).unwrap();
    let output = Command::new(python)
        .args([
            "-c",
            "import sys; sys.argv[0] = 'vol'; from volatility3.cli import main; main()",
            "-q",
            "--offline",
            "-r",
            "json",
        ])
        .arg("--cache-path")
        .arg(cache)
        .arg("-s")
        .arg(symbols)
        .arg("-f")
        .arg(dump)
        .args(plugin.split(' '))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{plugin} of {}: {error}", dump.display());
    let rows: Json = serde_json::from_str(&text).unwrap_or_else(|why| panic!("{plugin}: {why}: {text}{error}"));
    rows.as_array().unwrap().clone()
}
