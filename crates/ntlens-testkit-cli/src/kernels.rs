//! Kernels by their build, or by build and revision.

use crate::Failure;
use ntlens_testkit::versions;
use std::collections::BTreeMap;

/// Revisions of the builds that can be had.
fn revisions() -> BTreeMap<u32, Vec<u32>> {
    let mut known: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for version in versions() {
        known.entry(version.build).or_default().extend(version.revision);
    }
    for revisions in known.values_mut() {
        revisions.sort_unstable();
        revisions.dedup();
    }
    known
}

/// The version that `BUILD` or `BUILD.REVISION` means: without a revision the first of the build.
pub(crate) fn find(text: &str) -> Result<String, Failure> {
    let (build, revision) = text.split_once('.').map_or((text, None), |(build, revision)| (build, Some(revision)));
    let mut of_build = versions().into_iter().filter(|version| version.build.to_string() == build).peekable();
    if of_build.peek().is_none() {
        let builds: Vec<String> = revisions().keys().map(u32::to_string).collect();
        return Err(Failure::Usage(format!("no kernel of build {build:?}; there are {}", builds.join(", "))));
    }
    let is_meant =
        |known: Option<u32>| revision.is_none_or(|wanted| known.is_some_and(|known| known.to_string() == wanted));
    let found = of_build.find(|version| is_meant(version.revision)).map(|version| version.to_string());
    found.ok_or_else(|| Failure::Usage(format!("no kernel {text}; `ntlens-testkit builds` lists the revisions")))
}

/// A line for each build, with its revisions.
pub(crate) fn list() -> String {
    let line = |(build, revisions): (u32, Vec<u32>)| {
        let revisions: Vec<String> = revisions.iter().map(u32::to_string).collect();
        format!("{build}  {}\n", revisions.join(" "))
    };
    revisions().into_iter().map(line).collect()
}
