//! `cargo xtask wheels`: the wheels of a release, one for all Pythons with a global lock, one for the version without.

use crate::failure::Failure;
use crate::python::{ANY_PYTHON, tools};
use crate::test::step;
use std::path::Path;
use std::process::Command;

/// For the list of chores.
pub(crate) const ABOUT: &str = "build the wheels of a release below target/dist: cp311-abi3, and cp314t without a lock";

/// Tells pyo3 of an interpreter that need not be here. Before Python 3.15 those without a lock have no stable interface, and
/// each version has a wheel of its own.
const WITHOUT_LOCK: &str = "implementation=CPython
version=3.14
shared=true
build_flags=Py_GIL_DISABLED
pointer_width=64
suppress_build_script_link_lines=true
";

pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    if !arguments.is_empty() {
        return Err(Failure::new("wheels takes no arguments"));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().map_err(|error| Failure::new(error.to_string()))?;
    let python = tools(&root).ok_or_else(|| Failure::new("no Python 3.11 or later with maturin can be had here"))?;
    let dist = root.join("target/dist");
    let _ = std::fs::remove_dir_all(&dist);
    let written = std::fs::create_dir_all(&dist).and_then(|()| std::fs::write(dist.join("cp314t.txt"), WITHOUT_LOCK));
    written.map_err(|error| Failure::new(error.to_string()).in_file(&dist))?;
    let module = |arguments: &[&str]| {
        let mut command = Command::new(&python);
        command.current_dir(&root).arg("-m").args(arguments);
        command
    };
    let build = ["maturin", "build", "--release", "--locked", "--out"];
    step("wheel for Pythons with a lock", module(&build).arg(&dist).envs([ANY_PYTHON]))?;
    let stable = std::fs::read_dir(&dist).map_err(|error| Failure::new(error.to_string()).in_file(&dist))?;
    let wheels = stable.filter_map(|entry| Some(entry.ok()?.path()));
    let wheels = wheels.filter(|path| path.extension().is_some_and(|extension| extension == "whl"));
    step("its binary interface", module(&["abi3audit", "--strict"]).args(wheels))?;
    let mut without = module(&build);
    without.arg(&dist).args(["--interpreter", "python3.14t"]).env("PYO3_CONFIG_FILE", dist.join("cp314t.txt"));
    step("wheel for Python 3.14 without a lock", &mut without)
}
