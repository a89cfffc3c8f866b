//! `cargo xtask test`: every check of the project, as a new machine and the CI run it.

use crate::failure::Failure;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

/// For the list of chores.
pub(crate) const ABOUT: &str = "run every check: format, lints, tests, documentation, no_std, generated files, peers";

/// Runs all checks; the first that fails ends the run.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    if !arguments.is_empty() {
        return Err(Failure::new("test takes no arguments"));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = peers(&root);
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(&root).args(arguments).envs([crate::python::ANY_PYTHON]);
        if let Some(python) = &python {
            command.env("NTLENS_PEERS_PYTHON", python);
        }
        command
    };
    step("format", &mut cargo(&["fmt", "--all", "--check"]))?;
    step("lints", &mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    step("tests", &mut cargo(&["test", "--workspace"]))?;
    let mut documentation = cargo(&["doc", "--workspace", "--no-deps"]);
    step("documentation", documentation.env("RUSTDOCFLAGS", "-D warnings"))?;
    crate::api::run(&["--check".into()])?;
    step("no_std", &mut cargo(&["build", "--manifest-path", "tests/nostd/Cargo.toml"]))?;
    control(&mut cargo(&["build", "--manifest-path", "tests/nostd/Cargo.toml", "--features", "control"]))?;
    crate::demo::run(&["--check".into()])?;
    println!("== sample dump: as committed");
    crate::python::run(&root, shared(&root).as_deref())?;
    match shared(&root) {
        Some(shared) => {
            let layouts = shared.join("layouts").to_string_lossy().into_owned();
            crate::pack::run(&["--layouts".into(), layouts, "--check".into()])?;
            println!("== layout pack: as committed");
        }
        None => println!("== layout pack: skipped, the tables that it is made of are not here"),
    }
    Ok(())
}

pub(crate) fn step(name: &str, command: &mut Command) -> Result<(), Failure> {
    println!("== {name}");
    let start = Instant::now();
    let status = command.status().map_err(|error| Failure::new(format!("{name}: {error}")))?;
    if !status.success() {
        return Err(Failure::new(format!("{name} failed")));
    }
    println!("== {name}: passed in {} s", start.elapsed().as_secs());
    Ok(())
}

/// The probe for `no_std` must fail once the standard library is in the graph: else it proves nothing.
fn control(command: &mut Command) -> Result<(), Failure> {
    let Output { status, stderr, .. } = command.output().map_err(|error| Failure::new(format!("no_std: {error}")))?;
    if status.success() || !String::from_utf8_lossy(&stderr).contains("E0152") {
        return Err(Failure::new("the no_std probe did not notice the standard library"));
    }
    println!("== no_std control: the standard library is noticed");
    Ok(())
}

fn shared(root: &Path) -> Option<PathBuf> {
    let named = std::env::var_os("NTLENS_SHARED").map(PathBuf::from);
    named.or_else(|| Some(root.canonicalize().ok()?.parent()?.join("shared"))).filter(|folder| folder.is_dir())
}

/// A Python with the peers that the tests compare with, made once; `None`, with a message, where that cannot be done.
fn peers(root: &Path) -> Option<PathBuf> {
    // Without jsonschema volatility3 takes any table for a valid one.
    // MemProcFS needs libusb-1.0 of the system besides, without which its tests say that they were skipped.
    const PACKAGES: [&str; 4] =
        ["volatility3==2.28.2", "kdmp-parser==0.7.4", "jsonschema==4.26.0", "memprocfs==5.19.0"];
    let python = environment("python3", &root.join("target/peers"), &PACKAGES);
    if python.is_none() {
        println!("== peers: skipped, Python or its packages {PACKAGES:?} cannot be had here");
    }
    python
}

/// The interpreter of an environment with some packages, made once; `None` where that cannot be done.
pub(crate) fn environment(python: &str, venv: &Path, packages: &[&str]) -> Option<PathBuf> {
    let interpreter = venv.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let complete = venv.join("complete");
    let wanted = packages.join(" ");
    if std::fs::read_to_string(&complete).is_ok_and(|held| held == wanted) {
        return Some(interpreter);
    }
    let runs = |command: &mut Command| command.status().is_ok_and(|status| status.success());
    let made = runs(Command::new(python).args(["-m", "venv", "--clear"]).arg(venv))
        && runs(Command::new(&interpreter).args(["-m", "pip", "install", "--quiet"]).args(packages))
        && std::fs::write(&complete, wanted).is_ok();
    made.then_some(interpreter)
}
