//! `embedded`: the kernels whose layouts are part of the library.

use ntlens_core::layout::{Layouts, Version};
use ntlens_core::report::{Column, Kind, Table, TableDef, screen};
use ntlens_symbols::{Pack, PackError, Source, TableInfo};

/// One kernel of the pack.
#[derive(Clone, Debug)]
pub struct EmbeddedKernel {
    info: TableInfo,
    layouts: Layouts,
}

/// The table.
pub const EMBEDDED: TableDef<EmbeddedKernel> = TableDef {
    name: "embedded",
    about: "the kernels whose layouts are embedded",
    columns: &[
        Column::new("version", Kind::Text, "version of the kernel", |k: &EmbeddedKernel| {
            k.info.version.to_string().into()
        }),
        Column::new("build", Kind::Uint, "its build", |k| u64::from(k.info.version.build).into()),
        Column::new("revision", Kind::Uint, "its revision inside the build", |k| {
            k.info.version.revision.map(u64::from).into()
        }),
        Column::new("guid_age", Kind::Text, "identity of its symbols, in the form of symbol stores", |k| {
            k.info.id.map(|id| id.to_string()).into()
        }),
        Column::new("source", Kind::Text, "whose tables they are made of", |k| source(k.info.source).into()),
        Column::new("structures", Kind::Uint, "structures and unions that are known", |k| {
            (k.layouts.structures().count() as u64).into()
        }),
        Column::new("enumerations", Kind::Uint, "enumerations that are known", |k| {
            (k.layouts.enumerations().count() as u64).into()
        }),
        Column::new("symbols", Kind::Uint, "names with addresses that are known", |k| {
            (k.layouts.symbols().count() as u64).into()
        }),
    ],
    screen: &[
        screen("Version", "version"),
        screen("GUID and age", "guid_age"),
        screen("Source", "source"),
        screen("Structures", "structures"),
        screen("Enums", "enumerations"),
        screen("Symbols", "symbols"),
    ],
    record: false,
};

fn source(source: Source) -> &'static str {
    match source {
        Source::Isf => "public symbols (ISF)",
        Source::Vergilius => "Vergilius",
        Source::Ntdiff => "ntdiff",
        _ => "unknown",
    }
}

/// Lists the kernels of a pack, the oldest first.
pub fn embedded(pack: &Pack<'_>) -> Result<Table, PackError> {
    let mut kernels = Vec::new();
    for (index, info) in pack.tables().iter().enumerate() {
        kernels.push(EmbeddedKernel { info: *info, layouts: pack.all_layouts(index)? });
    }
    kernels.sort_by_key(|kernel: &EmbeddedKernel| kernel.info.version);
    Ok(EMBEDDED.fill(&kernels, Vec::new()))
}

/// The table of a version: of several revisions the newest, of several sources the one that knows most.
pub fn kernel(pack: &Pack<'_>, build: u32, revision: Option<u32>) -> Option<usize> {
    let build = ntlens_core::nt::builds::kernel_build(build);
    let fits = |version: Version| version.build == build && (revision.is_none() || version.revision == revision);
    let known = pack.tables().iter().enumerate().filter(|(_, table)| fits(table.version));
    known.max_by_key(|(_, table)| (table.source == Source::Isf, table.version)).map(|(index, _)| index)
}
