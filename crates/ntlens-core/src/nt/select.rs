//! Choosing the layout for a kernel, and saying how well it fits.

use crate::error::Error;
use crate::layout::source::{Given, ImageSymbols, LayoutSource};
use crate::layout::{Layouts, PdbId, StructDef, Version};
use crate::nt::builds;
use crate::nt::infer::{Inferred, InferredField};
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
    /// What the kernel's image says of its symbols.
    pub symbols: Option<ImageSymbols>,
    /// The build, as the dump's header or the kernel itself gives it.
    pub build: Option<u32>,
    /// The revision inside the build.
    pub revision: Option<u32>,
    /// Sizes of structures, by their names.
    pub sizes: Vec<(&'static str, u64)>,
    /// Whether the sizes are those of copies, which may be cut: they prefer a revision and refuse none.
    pub of_copies: bool,
}

impl KernelMarks {
    /// The identity of the kernel's symbols.
    pub fn id(&self) -> Option<PdbId> {
        self.symbols.as_ref().map(|symbols| symbols.id)
    }

    /// Whether a structure has the size that the kernel gives for it, if it gives one.
    pub fn agree(&self, def: &StructDef) -> bool {
        let given = self.sizes.iter().find(|(name, _)| *name == &*def.name).map(|(_, size)| *size);
        def.size.zip(given).is_none_or(|(known, given)| u64::from(known) == given)
    }

    /// Which definitions of other revisions the sizes that the kernel gives allow. A size between those of two revisions
    /// allows what both agree on.
    pub(crate) fn allow<'a>(&'a self, revisions: &[Layouts]) -> impl Fn(&StructDef) -> bool + use<'a> {
        let between = |(name, given): &&(&'static str, u64)| {
            let sizes = || revisions.iter().filter_map(|revision| revision.size_of(name).ok().map(u64::from));
            sizes().all(|size| size != *given) && sizes().any(|size| size < *given) && sizes().any(|size| size > *given)
        };
        let any = self.of_copies;
        let between: Vec<&str> = self.sizes.iter().filter(between).map(|(name, _)| *name).collect();
        move |def| any || between.contains(&&*def.name) || self.agree(def)
    }
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
    /// The revisions of which the layout is the agreement, if it is one.
    pub(crate) revisions: Vec<Layouts>,
}

impl Selected {
    fn one(given: Given, origin: Origin) -> Self {
        let Given { layouts, source } = given;
        let versions = layouts.version().into_iter().collect();
        Self { layouts, origin, source, versions, inferred: Vec::new(), revisions: Vec::new() }
    }

    /// What the dump itself tells.
    pub(crate) fn inferred(Inferred { layouts, fields }: Inferred) -> Self {
        let given = Given { layouts, source: "the dump itself".into() };
        Self { inferred: fields, ..Self::one(given, Origin::Inferred) }
    }
}

/// Chooses: what the user insists on; else the same GUID and age; else the revisions next below and above of the same
/// build; else what all revisions of the build agree on.
pub fn select(source: &dyn LayoutSource, marks: &KernelMarks) -> Result<Selected, Error> {
    if let Some(given) = source.forced()? {
        let same = given.layouts.id().is_some() && given.layouts.id() == marks.id();
        return Ok(Selected::one(given, if same { Origin::Exact } else { Origin::Forced }));
    }
    if let Some(given) = source.exact(marks.symbols.as_ref())? {
        return Ok(Selected::one(given, Origin::Exact));
    }
    let tables = source.tables();
    let build = marks.build.map(builds::kernel_build);
    let mut indexes: Vec<usize> = (0..tables.len())
        .filter(|index| tables.get(*index).is_some_and(|table| Some(table.version.build) == build))
        .collect();
    indexes.sort_by_key(|index| tables.get(*index).map(|table| table.version));
    if indexes.is_empty() {
        let kernel = describe(marks);
        let known = tables.len();
        let reason = format!("none of the {known} kernels in the {} layouts has its GUID or its build", source.name());
        return Err(Error::NoLayout { kernel, reason });
    }
    let mut revisions = source.load(&indexes)?;
    for (name, size) in &marks.sizes {
        let known = |revision: &Layouts| revision.size_of(name).ok().map(u64::from);
        // A size that no revision has tells of this structure only that it has changed.
        if revisions.iter().any(|revision| known(revision) == Some(*size)) {
            revisions.retain(|revision| known(revision).is_none_or(|known| known == *size));
        }
    }
    let revisions = around(revisions, marks.revision);
    Ok(Selected {
        layouts: Layouts::agreement_where(&revisions, &marks.allow(&revisions)),
        origin: Origin::Build,
        source: source.name().into(),
        versions: revisions.iter().filter_map(Layouts::version).collect(),
        inferred: Vec::new(),
        revisions,
    })
}

/// The revisions next below and above a known one; all of them for an unknown one.
fn around(revisions: Vec<Layouts>, revision: Option<u32>) -> Vec<Layouts> {
    let Some(revision) = revision else { return revisions };
    let number = |layouts: &Layouts| layouts.version().and_then(|version| version.revision);
    let below = revisions.iter().rposition(|layouts| number(layouts).is_some_and(|known| known <= revision));
    let above = revisions.iter().position(|layouts| number(layouts).is_some_and(|known| known >= revision));
    let mut around: Vec<usize> = below.into_iter().chain(above).collect();
    around.dedup();
    let around: Vec<_> = around.into_iter().filter_map(|index| revisions.get(index).cloned()).collect();
    if around.is_empty() { revisions } else { around }
}

/// The kernel in words.
pub(crate) fn describe(marks: &KernelMarks) -> String {
    let build = marks.build.map_or("unknown build".into(), |build| format!("build {build}"));
    let revision = marks.revision.map_or(String::new(), |revision| format!(".{revision}"));
    let id = marks.id().map_or("unknown GUID".into(), |id| id.to_string());
    format!("{build}{revision}, {id}")
}
