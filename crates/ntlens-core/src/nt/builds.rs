//! What symbols cannot tell about a build of Windows: one row a range of builds.

use crate::layout::Version;

/// Releases that share the kernel of an older one: what they call themselves, and the build of that kernel.
const FAMILIES: &[(core::ops::RangeInclusive<u32>, u32)] =
    &[(18363..=18363, 18362), (19042..=19045, 19041), (22631..=22635, 22621), (26200..=26299, 26100)];

/// The build whose kernel a release runs: 19041 for 19045.
pub fn kernel_build(build: u32) -> u32 {
    FAMILIES.iter().find(|(releases, _)| releases.contains(&build)).map_or(build, |(_, kernel)| *kernel)
}

/// First builds of versions of Windows, and what those call themselves.
const VERSIONS: &[(u32, u16, u16)] = &[(10240, 10, 0), (9600, 6, 3), (9200, 6, 2), (7600, 6, 1), (6000, 6, 0)];

/// The version that the kernel of a build has: 10.0.19041 for 19045.
pub fn version(build: u32) -> Version {
    let build = kernel_build(build);
    let known = VERSIONS.iter().find(|(first, _, _)| build >= *first);
    let (major, minor) = known.map_or((0, 0), |(_, major, minor)| (*major, *minor));
    Version { major, minor, build, revision: None }
}

/// Before Windows 10, `NtBuildLab` gives the revision behind the build (`9600.18821.amd64fre...`); since then it gives
/// that of the compiler's branch.
pub const FIRST_BUILD_WITHOUT_REVISION_IN_LAB: u32 = 10240;

/// Windows 11 22H2: entries of page tables that are not valid mark pages whose content is in a file.
pub const FIRST_BUILD_WITH_FILE_BACKED_MARKER: u32 = 22621;

/// Windows 10: tokens can forbid that processes are started. Before that, these bits of their flags had no meaning.
pub const FIRST_BUILD_WITH_CHILD_PROCESS_POLICY: u32 = 10240;

/// Build and, where it is one, revision at the start of `NtBuildLab`.
pub fn parse_build_lab(lab: &str) -> Option<(u32, Option<u32>)> {
    let mut parts = lab.split('.');
    let build = parts.next()?.parse().ok()?;
    let revision = parts.next()?.parse().ok();
    Some((build, revision.filter(|_| build < FIRST_BUILD_WITHOUT_REVISION_IN_LAB)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_release_has_the_kernel_of_its_family() {
        assert_eq!(kernel_build(19045), 19041);
        assert_eq!(kernel_build(20348), 20348);
        for (build, text) in [(7601, "6.1.7601"), (9600, "6.3.9600"), (19045, "10.0.19041"), (30000, "10.0.30000")] {
            assert_eq!(version(build).to_string(), text);
        }
    }

    #[test]
    fn the_lab_text_has_a_revision_only_before_windows_10() {
        assert_eq!(parse_build_lab("9600.18821.amd64fre.winblue_ltsb.170914-0600"), Some((9600, Some(18821))));
        assert_eq!(parse_build_lab("19041.1.amd64fre.vb_release.191206-1406"), Some((19041, None)));
        assert_eq!(parse_build_lab("nonsense"), None);
    }
}
