//! Where the parts of the kernel lie in virtual memory, by the generation of Windows and the seed.

use crate::rng::Rng;

/// Start addresses of kernel regions.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) kernel: u64,
    pub(crate) modules: u64,
    pub(crate) nonpaged: u64,
    pub(crate) paged: u64,
    pub(crate) system_ptes: u64,
    pub(crate) huge: u64,
    pub(crate) self_map: u64,
    /// Whether the kernel's image lies in 2 MiB pages.
    pub(crate) large_kernel: bool,
}

/// `KUSER_SHARED_DATA` as the kernel sees it, in every build.
pub(crate) const SHARED_DATA: u64 = 0xffff_f780_0000_0000;
/// The same page as processes see it.
pub(crate) const SHARED_DATA_USER: u64 = 0x7ffe_0000;

impl Plan {
    pub(crate) fn new(build: u32, levels: u8, large_kernel: bool, rng: &mut Rng) -> Self {
        if build < 14393 {
            let modern = build >= 9200;
            let base = if modern { 0xffff_f802_0000_0000 } else { 0xffff_f800_0280_0000 };
            return Self {
                kernel: base + rng.below(if modern { 0x8_0000 } else { 0x200 }) * 0x1000,
                modules: if modern { 0xffff_f804_0000_0000 } else { 0xffff_f880_00c0_0000 },
                nonpaged: if modern { 0xffff_e000_6f00_0000 } else { 0xffff_fa80_0400_0000 },
                paged: if modern { 0xffff_c000_0700_0000 } else { 0xffff_f8a0_0000_0000 },
                system_ptes: if modern { 0xffff_d000_2000_0000 } else { 0xffff_f880_0900_0000 },
                huge: 0xffff_a000_0000_0000,
                self_map: if levels == 5 { 0x1a0 } else { 0x1ed },
                large_kernel: false,
            };
        }
        let mut slots = Vec::new();
        while slots.len() < 5 {
            let slot = 0x110 + rng.below(0xd0);
            if !slots.contains(&slot) {
                slots.push(slot);
            }
        }
        let region = |slot: u64, rng: &mut Rng| 0xffff_0000_0000_0000 | slot << 39 | rng.below(0x1f0) << 30;
        Self {
            kernel: 0xffff_f800_0000_0000 + rng.below(0x3000) * 0x20_0000,
            modules: 0xffff_f809_0000_0000 + rng.below(0x1000) * 0x20_0000,
            nonpaged: region(slots[0], rng),
            paged: region(slots[1], rng),
            system_ptes: region(slots[2], rng),
            huge: region(slots[3], rng),
            self_map: slots[4],
            large_kernel,
        }
    }
}
