//! Choosing the layout for a kernel, and saying how well it fits.

use crate::error::Error;
use crate::layout::source::{LayoutSource, TableInfo};
use crate::layout::{Layouts, PdbId, Version};
use crate::nt::builds;
use crate::nt::infer::InferredField;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// How a layout was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Symbols of exactly this kernel: the same GUID and age.
    Exact,
    /// Other revisions of the same build, as far as they agree. Structure offsets only: addresses of symbols do not carry
    /// over.
    Build,
    /// Found out from the dump itself, for a build of which no layout is known.
    Inferred,
    /// The user insisted on symbols of another kernel.
    Forced,
}

impl Origin {
    /// The name in the output contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Build => "build",
            Self::Inferred => "inferred",
            Self::Forced => "forced",
        }
    }
}

/// What is known about the kernel before its layout is.
#[derive(Clone, Debug, Default)]
pub struct KernelMarks {
    /// The identity of its symbols.
    pub id: Option<PdbId>,
    /// The build, as the dump's header or the kernel itself gives it.
    pub build: Option<u32>,
    /// The revision inside the build.
    pub revision: Option<u32>,
    /// Sizes of structures, by their names.
    pub sizes: Vec<(&'static str, u64)>,
}

/// A layout that was chosen.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The layout.
    pub layouts: Layouts,
    /// How it was chosen.
    pub origin: Origin,
    /// The source's name.
    pub source: String,
    /// The versions behind it.
    pub versions: Vec<Version>,
    /// What was found out from the dump itself, field by field, if the layout is inferred.
    pub inferred: Vec<InferredField>,
}

/// Chooses: the same GUID and age first; else the revisions next below and above of the same build; else what all
/// revisions of the build agree on.
pub fn select(source: &dyn LayoutSource, marks: &KernelMarks) -> Result<Selected, Error> {
    let tables = source.tables();
    let selected = |layouts, origin, versions| Selected {
        layouts,
        origin,
        source: source.name().into(),
        versions,
        inferred: Vec::new(),
    };
    if let Some(index) = tables.iter().position(|table| marks.id.is_some() && table.id == marks.id) {
        let layouts = load(source, &[index])?;
        if let [layouts] = layouts.as_slice() {
            return Ok(selected(layouts.clone(), Origin::Exact, of(&tables, &[index])));
        }
    }
    let build = marks.build.map(builds::kernel_build);
    let mut revisions: Vec<usize> = (0..tables.len())
        .filter(|index| tables.get(*index).is_some_and(|table| Some(table.version.build) == build))
        .collect();
    revisions.sort_by_key(|index| tables.get(*index).map(|table| table.version));
    if revisions.is_empty() {
        let kernel = describe(marks);
        let known = tables.len();
        let reason = format!("none of the {known} kernels in the {} layouts has its GUID or its build", source.name());
        return Err(Error::NoLayout { kernel, reason });
    }
    let layouts = load(source, &revisions)?;
    let candidates: Vec<(usize, Layouts)> = revisions.into_iter().zip(layouts).collect();
    let fitting: Vec<_> = candidates.iter().filter(|(_, layouts)| sizes_fit(layouts, marks)).cloned().collect();
    let candidates = if fitting.is_empty() { candidates } else { fitting };
    let chosen = around(&tables, &candidates, marks.revision);
    let indexes: Vec<usize> = chosen.iter().map(|(index, _)| *index).collect();
    let layouts: Vec<Layouts> = chosen.into_iter().map(|(_, layouts)| layouts).collect();
    Ok(selected(Layouts::agreement(&layouts), Origin::Build, of(&tables, &indexes)))
}

fn load(source: &dyn LayoutSource, tables: &[usize]) -> Result<Vec<Layouts>, Error> {
    source.load(tables)
}

fn of(tables: &[TableInfo], indexes: &[usize]) -> Vec<Version> {
    indexes.iter().filter_map(|index| tables.get(*index)).map(|table| table.version).collect()
}

/// Whether no structure of a known size has another size in these layouts.
pub(crate) fn sizes_fit(layouts: &Layouts, marks: &KernelMarks) -> bool {
    marks.sizes.iter().all(|(name, size)| layouts.size_of(name).map_or(true, |known| u64::from(known) == *size))
}

/// The revisions next below and above a known one; all of them for an unknown one.
fn around(tables: &[TableInfo], candidates: &[(usize, Layouts)], revision: Option<u32>) -> Vec<(usize, Layouts)> {
    let Some(revision) = revision else { return candidates.to_vec() };
    let of = |candidate: &&(usize, Layouts)| tables.get(candidate.0).and_then(|table| table.version.revision);
    let below = candidates.iter().rfind(|candidate| of(candidate).is_some_and(|r| r <= revision));
    let above = candidates.iter().find(|candidate| of(candidate).is_some_and(|r| r >= revision));
    let mut around: Vec<_> = below.into_iter().chain(above).cloned().collect();
    around.dedup_by_key(|candidate| candidate.0);
    if around.is_empty() { candidates.to_vec() } else { around }
}

/// The kernel in words.
pub(crate) fn describe(marks: &KernelMarks) -> String {
    let build = marks.build.map_or("unknown build".into(), |build| format!("build {build}"));
    let revision = marks.revision.map_or(String::new(), |revision| format!(".{revision}"));
    let id = marks.id.map_or("unknown GUID".into(), |id| id.to_string());
    format!("{build}{revision}, {id}")
}
