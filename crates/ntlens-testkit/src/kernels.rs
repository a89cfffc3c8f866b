//! Real kernels whose layouts a machine can take.

use ntlens_core::layout::{Layouts, Version};
use ntlens_symbols::{Pack, Source};

/// The versions of all kernels that the embedded layouts know completely, ascending; some revisions come in two builds.
pub fn versions() -> Vec<Version> {
    let pack = Pack::embedded().expect("the embedded pack is sound");
    pack.tables().iter().filter(|table| table.source == Source::Isf).map(|table| table.version).collect()
}

/// Every type, and the symbols, of the kernel with this version, such as `10.0.19041.1288`. Layouts from elsewhere, such as
/// your own symbols, do as well.
///
/// ```
/// use ntlens_testkit::{layouts, versions};
///
/// for version in versions() {
///     assert!(version.build >= 7601);
/// }
/// assert!(layouts("10.0.19041.1288").unwrap().place("_EPROCESS", "Protection").is_ok());
/// assert!(layouts("10.0.19041.0").is_none());
/// ```
pub fn layouts(version: &str) -> Option<Layouts> {
    let pack = Pack::embedded().expect("the embedded pack is sound");
    let known = |table: &ntlens_symbols::TableInfo| table.source == Source::Isf && table.version.to_string() == version;
    let table = pack.tables().iter().position(known)?;
    Some(pack.all_layouts(table).expect("the embedded pack is sound"))
}
