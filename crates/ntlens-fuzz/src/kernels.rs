//! Layouts of one kernel of each build, decoded once.

use ntlens_core::Error;
use ntlens_core::layout::Layouts;
use ntlens_core::layout::source::{LayoutSource, TableInfo};
use ntlens_testkit::{layouts, versions};
use std::sync::LazyLock;

/// The builds that Windows itself changed the structures between.
pub(crate) const BUILDS: [u32; 8] = [7601, 9600, 14393, 17763, 18362, 19041, 20348, 22000];

/// One kernel of each build, in the order of [`BUILDS`].
pub(crate) static KERNELS: LazyLock<Vec<Layouts>> = LazyLock::new(|| {
    let known = versions();
    let of_build = |build: &u32| {
        let version = known.iter().find(|version| version.build == *build).expect("each build is embedded");
        layouts(&version.to_string()).expect("a version that is listed")
    };
    BUILDS.iter().map(of_build).collect()
});

/// The kernel of a build.
pub(crate) fn kernel(build: u32) -> &'static Layouts {
    let place = BUILDS.iter().position(|known| *known == build).expect("a build that is listed");
    &KERNELS[place]
}

/// These kernels and no other. What is embedded would be decoded anew for every dump.
pub(crate) struct Known;

impl LayoutSource for Known {
    fn name(&self) -> &'static str {
        "known"
    }

    fn tables(&self) -> Vec<TableInfo> {
        let info = |layouts: &Layouts| Some(TableInfo { version: layouts.version()?, id: layouts.id() });
        KERNELS.iter().filter_map(info).collect()
    }

    fn load(&self, tables: &[usize]) -> Result<Vec<Layouts>, Error> {
        Ok(tables.iter().filter_map(|table| KERNELS.get(*table).cloned()).collect())
    }
}
