//! How a kernel writes entries of page tables that are not valid, as far as its layouts and symbols tell.

use crate::address::VirtAddr;
use crate::layout::{Layouts, Type};
use crate::memory::pte::PteRules;
use crate::memory::{PagedSpace, VirtualMemory};
use crate::nt::builds;
use crate::nt::snapshot::symbol;

/// A frame number ends below bit 52, whatever a layout says.
const MAX_BIT: u8 = 51;

/// How this kernel writes entries of page tables that are not valid.
pub(super) fn of(space: &PagedSpace, base: VirtAddr, layouts: &Layouts, build: Option<u32>) -> PteRules {
    let bits = |structure, field| match layouts.place(structure, field).map(|place| place.ty) {
        Ok(Type::Bits { position, length, .. }) => Some((position, length)),
        _ => None,
    };
    let known = *space.rules();
    PteRules {
        page_file_low: bits("_MMPTE_SOFTWARE", "PageFileLow")
            .map_or(known.page_file_low, |(position, _)| position.min(MAX_BIT)),
        frame_bits: bits("_MMPTE_TRANSITION", "PageFrameNumber")
            .map_or(known.frame_bits, |(_, length)| length.min(MAX_BIT)),
        invalid_mask: invalid_mask(space, base, layouts),
        file_backed_marker: build.is_some_and(|build| build >= builds::FIRST_BUILD_WITH_FILE_BACKED_MARKER),
        ..known
    }
}

/// The bits that the kernel inverts in entries that are not valid.
fn invalid_mask(space: &PagedSpace, base: VirtAddr, layouts: &Layouts) -> Option<u64> {
    let symbol = |name| symbol(layouts, base, name).ok();
    let in_state = || {
        let place = layouts.place("_MI_SYSTEM_INFORMATION", "Hardware.InvalidPteMask").ok()?;
        Some(symbol("MiState")?.wrapping_add(place.offset.into()))
    };
    let at = symbol("MiInvalidPteMask").or_else(in_state)?;
    space.read_u64(at).ok()
}
