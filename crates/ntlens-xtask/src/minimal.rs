//! `cargo xtask minimal`: whether the lowest versions that the manifests ask for are enough.
//!
//! Only what our own manifests ask for is lowered. With `-Z minimal-versions` those of our dependencies are lowered, too, and
//! some ask for less than they need: cab 0.6 for time 0.3.0, arrow-buffer 60 for bytes 1.4.

use crate::failure::Failure;
use crate::test::step;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

/// For the list of chores.
pub(crate) const ABOUT: &str = "check that the lowest versions of all dependencies are enough; needs the registry";

/// What other people build.
const PACKAGES: [&str; 5] = ["ntlens-core", "ntlens-symbols", "ntlens", "ntlens-cli", "ntlens-testkit"];
/// Sections that are of no use to them, and whose versions would be lowered as well.
const LEFT_OUT: [&str; 2] = ["[dev-dependencies]", "[[bench]]"];

/// Checks a copy of the tree whose lock file has the lowest versions.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    if !arguments.is_empty() {
        return Err(Failure::new("minimal takes no arguments"));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let tree = root.join("target/minimal/tree");
    let failed = |why: io::Error| Failure::new(why.to_string()).in_file(&tree);
    // Dates of files are kept as they are where nothing changed, so that a second run is quick.
    copy(&root.join("crates"), &tree.join("crates")).map_err(failed)?;
    let members = PACKAGES.map(|package| format!("\"crates/{package}\""));
    let members: Vec<&str> =
        members.iter().map(String::as_str).filter(|member| !member.ends_with("/ntlens\"")).collect();
    let workspace = fs::read_to_string(root.join("Cargo.toml")).map_err(failed)?;
    let workspace =
        workspace.replace("members = [\"crates/ntlens-*\"]", &format!("members = [{}]", members.join(", ")));
    fs::write(tree.join("Cargo.toml"), lowered(&workspace)).map_err(failed)?;
    for name in ["README.md", "LICENSE"] {
        fs::copy(root.join(name), tree.join(name)).map_err(failed)?;
    }
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(&tree).args(arguments);
        command
    };
    // The resolver's option is unstable; what is built is not.
    let mut update = cargo(&["update", "--quiet", "-Z", "direct-minimal-versions"]);
    step("lowest versions", update.env("RUSTC_BOOTSTRAP", "1"))?;
    let packages = PACKAGES.iter().flat_map(|package| ["-p", package]);
    step(
        "check with the lowest versions",
        cargo(&["check", "--all-features", "--target-dir", "../build"]).args(packages),
    )
}

/// Copies sources; manifests as [`lowered`] has them.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target)?;
            continue;
        }
        let bytes =
            if path.ends_with("Cargo.toml") { lowered(&fs::read_to_string(&path)?).into() } else { fs::read(&path)? };
        if fs::read(&target).ok().as_ref() != Some(&bytes) {
            fs::write(&target, bytes)?;
        }
    }
    Ok(())
}

/// A manifest without the sections that are left out.
fn lowered(manifest: &str) -> String {
    let mut keep = true;
    let mut kept = String::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            keep = !LEFT_OUT.contains(&line);
        }
        if keep {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_tests_need_is_left_out() {
        let manifest =
            "[dependencies]\na = \"1\"\n\n[dev-dependencies]\nb = \"1\"\n\n[[bench]]\nname = \"c\"\n\n[lints]\nd = 1\n";
        assert_eq!(lowered(manifest), "[dependencies]\na = \"1\"\n\n[lints]\nd = 1\n");
    }
}
