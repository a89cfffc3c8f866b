//! Which code a target is about, and whether it is the code that was fuzzed.

use crate::Target;
use sha1::{Digest, Sha1};
use std::io;
use std::path::{Path, PathBuf};

/// The folder of the workspace's crates.
fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Twelve hex digits that change with every change of the code that a target is about: its own file, and its files and folders
/// of [`Target::code`]. Errors: a file that is named and not there.
pub fn fingerprint(target: &Target) -> io::Result<String> {
    let own = format!("ntlens-fuzz/src/{}.rs", target.name);
    let mut files = Vec::new();
    for path in target.code.iter().copied().chain([own.as_str()]) {
        collect(&crates().join(path), &mut files)?;
    }
    files.sort();
    let mut digest = Sha1::new();
    for file in files {
        digest.update(std::fs::read(file)?);
    }
    let number = digest.finalize().iter().take(6).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    Ok(format!("{number:012x}"))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        collect(&entry?.path(), files)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TARGETS;
    use std::collections::BTreeSet;

    #[test]
    fn every_target_has_code_of_its_own() {
        let prints: BTreeSet<String> = TARGETS.iter().map(|target| fingerprint(target).expect(target.name)).collect();
        assert_eq!(prints.len(), TARGETS.len());
        assert!(TARGETS.iter().all(|target| !target.code.is_empty()));
        let nowhere = Target { code: &["ntlens-core/src/nowhere.rs"], ..TARGETS[0] };
        assert_eq!(fingerprint(&nowhere).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
