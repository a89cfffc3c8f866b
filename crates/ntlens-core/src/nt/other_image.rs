//! Images other than the kernel whose variables are read, by symbols of their own.
//!
//! The embedded layouts have the kernel's symbols only: those of another image come from what the user has.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::layout::source::{Given, ImageSymbols, LayoutSource};
use crate::nt::image::ImageHeaders;
use crate::nt::module::Module;
use crate::nt::snapshot::Snapshot;
use alloc::vec::Vec;
use core::cell::OnceCell;

/// Code integrity: the module that decides which code may be loaded.
pub(crate) const CI: &str = "CI.dll";

/// The images, as the list of loaded modules names them.
const WANTED: [&str; 1] = [CI];

/// A loaded image with its symbols.
#[derive(Clone, Debug)]
pub(crate) struct OtherImage {
    /// As [`WANTED`] has it.
    pub(crate) name: &'static str,
    /// Where it is loaded.
    base: VirtAddr,
    symbols: Given,
}

impl OtherImage {
    /// The address of a symbol.
    pub(crate) fn symbol(&self, name: &str) -> Result<VirtAddr, Absent> {
        self.symbols.layouts.symbol(name).map(|rva| self.base.wrapping_add(rva.0))
    }

    /// Where the symbols came from, as shown to the user.
    pub(crate) fn source(&self) -> &str {
        &self.symbols.source
    }
}

/// The images that a source has symbols of. The modules are only gone through for a source that may have some.
pub(crate) fn find(snapshot: &Snapshot, source: &dyn LayoutSource) -> Vec<OtherImage> {
    let found = |name| {
        let image = OnceCell::new();
        let of = || image.get_or_init(|| loaded(snapshot, name)).as_ref().map(|(_, symbols)| symbols.clone());
        let symbols = source.of_other(&of)?;
        let (base, _) = image.get()?.as_ref()?;
        Some(OtherImage { name, base: *base, symbols })
    };
    WANTED.into_iter().filter_map(found).collect()
}

/// Where an image is loaded, and what it says of its symbols.
fn loaded(snapshot: &Snapshot, name: &str) -> Option<(VirtAddr, ImageSymbols)> {
    let is_named = |module: &Module| matches!(&module.name, Ok(Some(known)) if known.eq_ignore_ascii_case(name));
    let base = snapshot.modules().modules.iter().find(|module| is_named(module))?.base.ok()?;
    let headers = ImageHeaders::read(snapshot.space(), base).ok()?;
    Some((base, headers.codeview(snapshot.space()).ok()?))
}
