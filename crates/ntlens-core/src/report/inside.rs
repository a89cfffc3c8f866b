//! What is inside one process, by the two who know: the kernel's tree of areas and the loaders' lists.

use super::{Arguments, subject};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::error::Error;
use crate::incomplete::Incomplete;

use crate::nt::loader::{self, LoadedImages};
use crate::nt::process::Process;
use crate::nt::vad::{self, AreaKind, Areas};
use crate::opened::OpenDump;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Rows that are listed at once. A damaged dump can claim any number of processes with as many areas each.
const MAX_ROWS: usize = 1 << 19;

/// The areas and images of one process.
pub(super) struct Inside {
    pub(super) areas: Mapped,
    pub(super) loader: LoadedImages,
}

/// The areas of a process, and where images begin in them.
pub(super) struct Mapped(pub(super) Areas, BTreeSet<VirtAddr>);

impl Mapped {
    fn new(areas: Areas) -> Self {
        let images = areas.areas.iter().filter(|area| area.kind == Ok(AreaKind::Image)).map(|area| area.start);
        let images = images.collect();
        Self(areas, images)
    }

    /// Whether an image is mapped at an address, as far as the tree tells.
    pub(super) fn image_at(&self, base: VirtAddr) -> Result<bool, Absent> {
        let found = self.1.contains(&base);
        if found || self.0.incomplete.is_empty() { Ok(found) } else { Err(Absent::Malformed) }
    }
}

/// The bases of a process's images, as its loaders tell them.
pub(super) struct Bases(BTreeSet<VirtAddr>, Option<Absent>);

/// Takes the bases.
pub(super) fn bases(loader: &LoadedImages) -> Bases {
    Bases(loader.images.iter().filter_map(|image| image.base().ok()).collect(), loader.gap)
}

impl Bases {
    /// Whether an image with this base is listed, as far as the lists tell.
    pub(super) fn has(&self, base: VirtAddr) -> Result<bool, Absent> {
        match self.1 {
            Some(why) if !self.0.contains(&base) => Err(why),
            _ => Ok(self.0.contains(&base)),
        }
    }
}

/// Looks into each process that is meant, and makes its rows.
pub(super) fn each<R>(
    dump: &OpenDump,
    arguments: &Arguments,
    rows: &mut Vec<R>,
    mut make: impl FnMut(&Arc<Process>, Inside, &mut Vec<R>),
) -> Result<Vec<Incomplete>, Error> {
    let kernel = dump.kernel()?;
    let found = kernel.processes();
    let of = subject::of(arguments, &found.processes)?;
    let mut incomplete = found.incomplete;
    let mut left = 0;
    for process in found.processes.into_iter().filter(|process| of.includes(process)) {
        if rows.len() >= MAX_ROWS {
            left += 1;
            continue;
        }
        let process = Arc::new(process);
        let (areas, loader) = (vad::areas(kernel, &process), loader::images(kernel, &process));
        for gap in areas.incomplete.iter().chain(&loader.incomplete) {
            gap.clone().add_to(&mut incomplete);
        }
        make(&process, Inside { areas: Mapped::new(areas), loader }, rows);
    }
    if left > 0 {
        let what = "processes with rows";
        incomplete.push(Incomplete::beyond(what, "list of processes", MAX_ROWS).times(left));
    }
    Ok(incomplete)
}
