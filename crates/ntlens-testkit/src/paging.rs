//! Writes x64 page tables of four or five levels.

use crate::frames::{FrameUse, Frames};
use crate::physical::{PAGE, Physical};

/// Bit 0: the processor may use the entry.
pub(crate) const PRESENT: u64 = 1;
/// Bit 7 above the lowest level: the entry maps a large page.
pub(crate) const LARGE: u64 = 1 << 7;
/// Bit 63: no instructions are fetched from here.
pub(crate) const NO_EXECUTE: u64 = 1 << 63;
/// Valid, dirtied, accessed, writable, kernel only.
pub(crate) const KERNEL: u64 = 0x863;
/// As [`KERNEL`], for user memory too.
pub(crate) const USER: u64 = 0x867;
/// Readable for everybody, writable for nobody.
pub(crate) const USER_READ: u64 = 0x025;
const FRAME: u64 = 0x000f_ffff_ffff_f000;

/// The size of a mapping, as the level of page tables it ends at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageSize {
    /// 4 KiB, in a page table.
    Small,
    /// 2 MiB, in a page directory.
    Large,
    /// 1 GiB, in a page directory pointer table.
    Huge,
}

impl PageSize {
    /// Bytes.
    pub const fn bytes(self) -> u64 {
        PAGE << (9 * (self.level() - 1))
    }

    const fn level(self) -> u8 {
        match self {
            Self::Small => 1,
            Self::Large => 2,
            Self::Huge => 3,
        }
    }
}

/// One address space: the frame of its top table, and how many levels there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Frame number of the top table.
    pub root: u64,
    /// Four or five.
    pub levels: u8,
    /// The slot of the top table that maps the tables themselves.
    pub self_map: u64,
}

/// Where a virtual address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The physical address.
    pub physical: u64,
    /// The size of the page that holds it.
    pub size: PageSize,
}

impl Space {
    /// An address space with an empty top table that maps itself.
    pub(crate) fn new(memory: &mut Physical, root: u64, levels: u8, self_map: u64) -> Self {
        memory.write_u64(root * PAGE + self_map * 8, (root * PAGE) | KERNEL | NO_EXECUTE);
        Self { root, levels, self_map }
    }

    /// The virtual address at which the page tables themselves start (`MmPteBase`).
    pub const fn pte_base(self) -> u64 {
        let bits = 12 + 9 * self.levels as u32;
        let base = self.self_map << (bits - 9);
        (((base << (64 - bits)) as i64) >> (64 - bits)) as u64
    }

    /// Maps one page. A page that is mapped already is mapped anew.
    pub(crate) fn map(
        self,
        memory: &mut Physical,
        frames: &mut Frames,
        address: u64,
        frame: u64,
        size: PageSize,
        rights: u64,
    ) {
        assert!(
            (frame * PAGE).is_multiple_of(size.bytes()) && address.is_multiple_of(size.bytes()),
            "unaligned {address:#x}"
        );
        let large = if size == PageSize::Small { 0 } else { LARGE };
        self.set_entry(memory, frames, address, size, (frame * PAGE) | rights | large);
    }

    /// Writes any entry at the level of this page size, with the tables above it.
    pub(crate) fn set_entry(
        self,
        memory: &mut Physical,
        frames: &mut Frames,
        address: u64,
        size: PageSize,
        entry: u64,
    ) {
        let user = address >> 63 == 0;
        let mut table = self.root * PAGE;
        for level in (size.level() + 1..=self.levels).rev() {
            let slot = table + index(address, level) * 8;
            let mut next = memory.read_u64(slot);
            if next == 0 {
                let usage = if user { FrameUse::UserTable } else { FrameUse::Kernel };
                next = (frames.allocate(memory, usage) * PAGE) | if user { USER } else { KERNEL };
                memory.write_u64(slot, next);
                memory.write(next & FRAME, &[0; 8]);
            }
            assert!(next & LARGE == 0, "{address:#x} lies in a large page");
            table = next & FRAME;
        }
        memory.write_u64(table + index(address, size.level()) * 8, entry);
    }

    /// The entry that ends the walk for this address, and its level's page size; `None` where a table is missing.
    pub(crate) fn entry(self, memory: &Physical, address: u64) -> Option<(u64, PageSize)> {
        let mut table = self.root * PAGE;
        for level in (1..=self.levels).rev() {
            let entry = memory.read_u64(table + index(address, level) * 8);
            let size = match level {
                1 => PageSize::Small,
                2 => PageSize::Large,
                _ => PageSize::Huge,
            };
            if level == 1 || (entry & PRESENT != 0 && entry & LARGE != 0 && level <= 3) {
                return Some((entry, size));
            }
            if entry & PRESENT == 0 {
                return None;
            }
            table = entry & FRAME;
        }
        None
    }

    /// Translates an address whose page is present.
    pub fn translate(self, memory: &Physical, address: u64) -> Option<Mapping> {
        let (entry, size) = self.entry(memory, address)?;
        let offset = size.bytes() - 1;
        (entry & PRESENT != 0).then_some(Mapping { physical: entry & FRAME & !offset | address & offset, size })
    }

    /// Makes `self` what user code of `process` runs with: all user memory, and the part of the kernel around `entry`.
    pub(crate) fn shadow(self, memory: &mut Physical, process: Self, entry: u64) {
        for slot in (0..256).chain([index(entry, self.levels)]) {
            let value = memory.read_u64(process.root * PAGE + slot * 8);
            memory.write_u64(self.root * PAGE + slot * 8, value);
        }
    }

    /// Makes the kernel half of `self` that of `kernel`, apart from the self map.
    pub(crate) fn share_kernel_half(self, memory: &mut Physical, kernel: Self) {
        for slot in 256..512 {
            let entry = memory.read_u64(kernel.root * PAGE + slot * 8);
            if slot != self.self_map && entry != 0 {
                memory.write_u64(self.root * PAGE + slot * 8, entry);
            }
        }
    }
}

const fn index(address: u64, level: u8) -> u64 {
    address >> (12 + 9 * (level as u32 - 1)) & 0x1ff
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::Placement;
    use crate::physical::usual_runs;

    #[test]
    fn pages_of_every_size_translate_with_four_and_five_levels() {
        for levels in [4, 5] {
            let mut memory = Physical::new(usual_runs(0x4000));
            let mut frames = Frames::new(Placement::Ascending, 1);
            let root = frames.allocate(&memory, FrameUse::Kernel);
            let space = Space::new(&mut memory, root, levels, 0x1f0);
            for (address, frame, size) in [
                (0xffff_8000_0000_1000, 0x123, PageSize::Small),
                (0xffff_8000_0020_0000, 0x400, PageSize::Large),
                (0xffff_8000_8000_0000, 0x4_0000, PageSize::Huge),
                (0x7ff6_0000_0000, 0x321, PageSize::Small),
            ] {
                space.map(&mut memory, &mut frames, address, frame, size, KERNEL | NO_EXECUTE);
                let want = Mapping { physical: frame * PAGE + 0x321, size };
                assert_eq!(space.translate(&memory, address + 0x321), Some(want));
            }
            assert_eq!(space.translate(&memory, 0xffff_9000_0000_0000), None);
            assert_eq!(space.pte_base(), if levels == 4 { 0xffff_f800_0000_0000 } else { 0xfff0_0000_0000_0000 });
        }
    }
}
