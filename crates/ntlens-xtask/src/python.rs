//! The Python package, as `cargo xtask test` checks it: built as a wheel, installed, and tested as it is installed.

use crate::failure::Failure;
use crate::test::{environment, step};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What builds and checks the wheel, the libraries that read its tables and draw them, and what runs notebooks and plugins.
const PACKAGES: [&str; 19] = [
    "maturin==1.16.0",
    "pytest==9.2.0",
    "mypy==2.4.1",
    "ruff==0.17.6",
    "abi3audit==0.0.26",
    "pyarrow==26.0.1",
    "pandas==3.1.1",
    "polars==2.1.0",
    "duckdb==2.0.1",
    "fsspec==2026.9.0",
    "matplotlib==3.11.2",
    "nbclient==0.11.0",
    "nbformat==5.11.1",
    "jupyter_client==8.10.0",
    "ipykernel==7.4.0",
    "pyright==1.1.414",
    "volatility3==2.28.2",
    "jsonschema==4.26.0",
    "ocsf-json-schema==1.2.0",
];
/// Interpreters that may be there, the oldest that the wheel is for first.
const PYTHONS: [&str; 3] = ["python3.11", "python3", "python"];
/// Succeeds where the wheel can be installed.
const NEW_ENOUGH: &str = "import sys; sys.exit(sys.version_info < (3, 11))";

/// Lets a build ask no Python what it is for: the package is for all of them, and what asks another one builds anew.
pub(crate) const ANY_PYTHON: (&str, &str) = ("PYO3_NO_PYTHON", "1");

/// A Python with everything that builds and checks the package, made once; `None` where that cannot be done.
pub(crate) fn tools(root: &Path) -> Option<PathBuf> {
    let fits =
        |name: &&&str| Command::new(name).args(["-c", NEW_ENOUGH]).output().is_ok_and(|output| output.status.success());
    PYTHONS.iter().find(fits).and_then(|python| environment(python, &root.join("target/python"), &PACKAGES))
}

/// Builds the wheel and checks it, or says why that is skipped.
pub(crate) fn run(root: &Path, shared: Option<&Path>) -> Result<(), Failure> {
    crate::stubs::run(&["--check".into()])?;
    println!("== Python stubs: as the registry has it");
    let Some(python) = tools(root) else {
        println!("== Python: skipped, Python 3.11 or later or the packages {PACKAGES:?} cannot be had here");
        return Ok(());
    };
    let module = |arguments: &[&str]| {
        let mut command = Command::new(&python);
        command.current_dir(root).arg("-m").args(arguments);
        command
    };
    step("Python style", &mut module(&["ruff", "check", "python", "examples", "benches/python_handles.py"]))?;
    step(
        "Python format",
        &mut module(&["ruff", "format", "--check", "python", "examples", "benches/python_handles.py"]),
    )?;
    let wheels = root.join("target/wheels");
    // A wheel of an earlier version is none of this run.
    let _ = std::fs::remove_dir_all(&wheels);
    let mut wheel = module(&["maturin", "build", "--locked", "--out"]);
    step("Python wheel", wheel.arg(&wheels).envs([ANY_PYTHON]))?;
    let wheel = only_wheel(&wheels)?;
    step("Python binary interface", module(&["abi3audit", "--strict"]).arg(&wheel))?;
    step("Python install", module(&["pip", "install", "--quiet", "--force-reinstall", "--no-deps"]).arg(&wheel))?;
    // Away from the sources, so that it is the installed package that is looked at.
    let mut stubs = module(&["mypy.stubtest", "ntlens", "--allowlist"]);
    stubs.arg(root.join("python/tests/stubtest.txt"));
    // The settings say which libraries have no types.
    stubs.arg("--mypy-config-file").arg(root.join("pyproject.toml"));
    step("Python stubs", stubs.current_dir(&wheels))?;
    // Of the package itself, which has stubs for the compiled half only.
    step("Python types", &mut module(&["mypy", "--strict", "python/ntlens"]))?;
    complete_types(&python, &wheels)?;
    let mut tests = module(&["pytest", "python/tests"]);
    if let Some(shared) = shared {
        tests.env("NTLENS_SHARED", shared);
    }
    step("Python tests", &mut tests)
}

/// Whether every public name has a type, as the users' editors see it. The checker runs on Node and comes from the npm
/// registry; neither need be there.
fn complete_types(python: &Path, away: &Path) -> Result<(), Failure> {
    // It looks for packages where the first Python of the path has them, and only there when it checks a package.
    let mut folders: Vec<_> = python.parent().map(Path::to_path_buf).into_iter().collect();
    folders.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    let path = std::env::join_paths(folders).map_err(|error| Failure::new(error.to_string()))?;
    let pyright = |arguments: &[&str]| {
        let mut command = Command::new(python);
        command.current_dir(away).env("PATH", &path).args(["-m", "pyright"]).args(arguments);
        command
    };
    if !pyright(&["--version"]).output().is_ok_and(|output| output.status.success()) {
        println!("== Python completeness of types: skipped, pyright cannot be had here");
        return Ok(());
    }
    step("Python completeness of types", &mut pyright(&["--ignoreexternal", "--verifytypes", "ntlens"]))
}

fn only_wheel(folder: &Path) -> Result<PathBuf, Failure> {
    let failed = |error: std::io::Error| Failure::new(error.to_string()).in_file(folder);
    let files = std::fs::read_dir(folder).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    match files.as_slice() {
        [file] => Ok(file.path()),
        files => Err(Failure::new(format!("{} wheels instead of one", files.len())).in_file(folder)),
    }
}
