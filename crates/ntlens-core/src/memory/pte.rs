//! What an entry of the page tables says: the hardware's bits, and Windows' own use of entries that are not valid.

use crate::address::{PAGE_SIZE, Pfn, PhysAddr, VirtAddr};
use bitflags::bitflags;

bitflags! {
    /// Bits of an entry at any level of the page tables.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Pte: u64 {
        /// The processor may use the entry.
        const VALID = 1 << 0;
        /// Writes are allowed.
        const WRITE = 1 << 1;
        /// User mode may use the page.
        const USER = 1 << 2;
        /// Not valid entries only: the address was stored without being inverted against L1TF.
        const SWIZZLE = 1 << 4;
        /// In a PDPTE or PDE: the entry maps a page of 1 GiB or 2 MiB instead of pointing to a table.
        const LARGE = 1 << 7;
        /// Not valid entries only: the entry points to a prototype entry.
        const PROTOTYPE = 1 << 10;
        /// Not valid entries only: the page is still in memory, on the standby or modified list.
        const TRANSITION = 1 << 11;
        /// Code on the page must not run.
        const NO_EXECUTE = 1 << 63;
        const _ = !0;
    }
}

impl Pte {
    /// The frame of a valid entry that points to a table or a page of 4 KiB: bits 12 to 51. The bits above are
    /// Windows' own in a valid entry and never part of the frame.
    pub const fn frame(self) -> PhysAddr {
        PhysAddr::from_cr3(self.bits())
    }

    /// The base of a large page: `size` is its size in bytes. Bit 12 is a cache flag there.
    pub const fn large_frame(self, size: u64) -> PhysAddr {
        PhysAddr(self.frame().0 & !(size - 1))
    }
}

/// What a not valid entry means to Windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Software {
    /// All zero: nothing is known here; for a user address the VAD tree would tell.
    Zero,
    /// The prototype entry at this address decides.
    Prototype(VirtAddr),
    /// The VAD names the prototype entry.
    PrototypeOfVad,
    /// The page is still in memory.
    Transition(PhysAddr),
    /// The page is in a page file.
    PageFile {
        /// Number of the page file.
        file: u8,
        /// Page index in that file.
        page: u64,
    },
    /// Inside an array of prototype entries: the content lies in a mapped file.
    FileBacked,
    /// Never touched: reads as zeros.
    DemandZero,
}

/// How one kernel writes entries that are not valid. Kernels with the L1TF mitigation invert high bits of the address
/// there, so that the processor cannot speculate on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PteRules {
    /// Lowest bit of `_MMPTE_SOFTWARE.PageFileLow`: 12 since the L1TF mitigation, 1 before.
    pub page_file_low: u8,
    /// Bits of the frame number in `_MMPTE_TRANSITION`.
    pub frame_bits: u8,
    /// The bits that the kernel inverts (`MiInvalidPteMask`); `None` if it could not be read from the dump.
    pub invalid_mask: Option<u64>,
    /// One more than the highest frame of the dump: frames above show that high bits are inverted when the mask itself
    /// is not known.
    pub end: Pfn,
    /// Whether bits 47 to 63 all set with a zero low nibble mean "in a file" (Windows 11 22H2 on).
    pub file_backed_marker: bool,
}

impl PteRules {
    /// The rules before anything is known about the kernel: those of Windows 10 and later.
    pub const fn unknown_kernel(end: Pfn) -> Self {
        Self { page_file_low: 12, frame_bits: 40, invalid_mask: None, end, file_backed_marker: false }
    }

    /// Tells what a not valid entry means. `in_prototype` for entries of a prototype array, where the prototype bit
    /// stands for a mapped file.
    pub fn decode(&self, pte: Pte, in_prototype: bool) -> Software {
        let bits = pte.bits();
        if bits == 0 {
            return Software::Zero;
        }
        if pte.contains(Pte::PROTOTYPE) {
            return if in_prototype { Software::FileBacked } else { prototype(bits) };
        }
        if pte.contains(Pte::TRANSITION) {
            return Software::Transition(self.transition_frame(pte).base());
        }
        if self.file_backed_marker && bits >> 47 == 0x1_ffff && bits.trailing_zeros() >= 4 {
            return Software::FileBacked;
        }
        if bits >> 32 == 0 {
            return Software::DemandZero;
        }
        let mask = if pte.contains(Pte::SWIZZLE) { 0 } else { self.invalid_mask.unwrap_or(COMMON_MASK) };
        let known = self.invalid_mask.is_some();
        let high = if known { (bits ^ mask) >> 32 } else { (bits & !mask) >> 32 };
        let file = u8::try_from(bits >> self.page_file_low & 0xf).unwrap_or(0);
        Software::PageFile { file, page: high }
    }

    fn transition_frame(&self, pte: Pte) -> Pfn {
        let field = |bits: u64| Pfn(bits >> 12 & ((1 << self.frame_bits) - 1));
        let stored = field(pte.bits());
        match self.invalid_mask {
            _ if pte.contains(Pte::SWIZZLE) => stored,
            Some(mask) => field(pte.bits() ^ mask),
            None if stored < self.end => stored,
            // The inverted bits lie above the installed memory: without them the frame is what was stored.
            None => Pfn(stored.0 & (self.end.0.checked_next_power_of_two().unwrap_or(1) - 1)),
        }
    }
}

/// The inverted bit of most Intel machines, for page file offsets when the kernel's own mask is not known.
const COMMON_MASK: u64 = 0x2000_0000_0000;

fn prototype(bits: u64) -> Software {
    if bits >> 32 == 0xffff_ffff {
        return Software::PrototypeOfVad;
    }
    #[expect(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "the address is kept sign extended")]
    let address = (bits as i64 >> 16) as u64;
    Software::Prototype(VirtAddr(address))
}

/// Bytes of one entry, and entries of one table.
pub(crate) const ENTRY: u64 = 8;
/// Entries in one table.
pub(crate) const ENTRIES: u64 = PAGE_SIZE / ENTRY;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rules(invalid_mask: Option<u64>) -> PteRules {
        PteRules { invalid_mask, ..PteRules::unknown_kernel(Pfn(0x20_0000)) }
    }

    #[test]
    fn entries_mean_what_windows_writes() {
        let with = rules(Some(COMMON_MASK));
        for (entry, in_prototype, expected) in [
            (0, false, Software::Zero),
            (0x80, false, Software::DemandZero),
            (0x2000_1234_5000 | 0x860, false, Software::Transition(PhysAddr(0x1234_5000))),
            (0x1234_5000 | 0x870, false, Software::Transition(PhysAddr(0x1234_5000))),
            (0x0000_2042_0000_1080, false, Software::PageFile { file: 1, page: 0x42 }),
            (0x0000_0042_0000_1090, false, Software::PageFile { file: 1, page: 0x42 }),
            (0xc123_4567_89a0_0400, false, Software::Prototype(VirtAddr(0xffff_c123_4567_89a0))),
            (0xffff_ffff_0000_0400, false, Software::PrototypeOfVad),
            (0xc123_4567_89a0_0400, true, Software::FileBacked),
        ] {
            assert_eq!(with.decode(Pte::from_bits_retain(entry), in_prototype), expected, "{entry:#x}");
        }
    }

    proptest! {
        #[test]
        fn a_transition_frame_survives_any_mask_above_memory(pfn in 0_u64..0x20_0000, bit in 34_u32..51, swizzled: bool) {
            let mask = 1_u64 << bit;
            let plain = pfn << 12 | Pte::TRANSITION.bits();
            let stored = if swizzled { plain | Pte::SWIZZLE.bits() } else { plain ^ mask };
            for rules in [rules(Some(mask)), rules(None)] {
                let decoded = rules.decode(Pte::from_bits_retain(stored), false);
                prop_assert_eq!(decoded, Software::Transition(Pfn(pfn).base()));
            }
        }

        #[test]
        fn any_entry_decodes(bits: u64, in_prototype: bool, mask: Option<u64>) {
            let _ = rules(mask).decode(Pte::from_bits_retain(bits & !1), in_prototype);
        }
    }
}
