//! `cargo xtask api`: what the libraries offer, item by item, so that a change of it shows in a diff.

use crate::failure::Failure;
use public_api::{Builder, Error};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// For the list of chores.
pub(crate) const ABOUT: &str = "write the public API of each library to docs/api [--check]";

/// The libraries: package and features.
const LIBRARIES: [(&str, &[&str]); 4] = [
    ("ntlens-core", &[]),
    ("ntlens-symbols", &["--features", "std"]),
    ("ntlens", &["--all-features"]),
    ("ntlens-testkit", &[]),
];

/// Writes the lists, or with `--check` compares them with those that are there.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let check = match arguments {
        [] => false,
        [only] if only == "--check" => true,
        _ => return Err(Failure::new(format!("unknown arguments; api: {ABOUT}"))),
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (package, features) in LIBRARIES {
        let Some(list) = list(&described(&root, package, features)?)? else {
            println!("== public API: skipped, rustdoc of this compiler writes another format than is read here");
            return Ok(());
        };
        let path = root.join("docs/api").join(format!("{package}.txt"));
        let failed = |why: std::io::Error| Failure::new(why.to_string()).in_file(&path);
        if check {
            let known = std::fs::read_to_string(&path).map_err(failed)?;
            same(&known, &list).map_err(|why| why.in_file(&path))?;
        } else {
            std::fs::write(&path, list).map_err(failed)?;
        }
    }
    println!("== public API: {}", if check { "as committed" } else { "written" });
    Ok(())
}

/// Has rustdoc describe a library; where the description is.
fn described(root: &Path, package: &str, features: &[&str]) -> Result<PathBuf, Failure> {
    // A folder of its own: some packages are built in another way when unstable options are allowed.
    let target = root.join("target/api");
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root).args(["rustdoc", "--quiet", "--lib", "--locked", "-p", package]).args(features);
    command.arg("--target-dir").arg(&target).args(["--", "-Z", "unstable-options", "--output-format", "json"]);
    // What rustdoc warns of is looked at where the documentation is built.
    command.args(["--cap-lints", "allow"]).env("RUSTC_BOOTSTRAP", "1").env_remove("RUSTDOCFLAGS");
    let status = command.status().map_err(|why| Failure::new(format!("rustdoc of {package}: {why}")))?;
    if !status.success() {
        return Err(Failure::new(format!("rustdoc of {package} failed")));
    }
    Ok(target.join("doc").join(format!("{}.json", package.replace('-', "_"))))
}

/// The items of a description, one a line; `None` if it is of another format.
fn list(described: &Path) -> Result<Option<String>, Failure> {
    let built = Builder::from_rustdoc_json(described)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build();
    match built {
        Ok(api) => Ok(Some(api.items().flat_map(|item| [item.to_string(), "\n".into()]).collect())),
        Err(Error::SerdeJsonError(_)) => Ok(None),
        Err(why) => Err(Failure::new(why.to_string()).in_file(described)),
    }
}

/// An error that shows what came and what went.
fn same(known: &str, now: &str) -> Result<(), Failure> {
    let (known, now): (BTreeSet<&str>, BTreeSet<&str>) = (known.lines().collect(), now.lines().collect());
    let gone = known.difference(&now).map(|line| format!("-{line}"));
    let come = now.difference(&known).map(|line| format!("+{line}"));
    let changes: Vec<String> = gone.chain(come).collect();
    if changes.is_empty() {
        return Ok(());
    }
    let text = changes.join("\n");
    Err(Failure::new(format!("the public API changed; if it should, run `cargo xtask api`:\n{text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_line_by_line() {
        assert!(same("pub fn a()\npub fn b()\n", "pub fn b()\npub fn a()\n").is_ok());
        let why = same("pub fn a()\npub fn b()\n", "pub fn a()\npub fn b(u8)\n").unwrap_err().to_string();
        assert!(why.ends_with("\n-pub fn b()\n+pub fn b(u8)"), "{why}");
    }
}
