//! Address translation: the walk through four or five levels of page tables.

use crate::absent::{Absent, Level};
use crate::address::{PAGE_BYTES, PAGE_SIZE, PagingLevels, PhysAddr, VirtAddr};
use crate::memory::physical::PhysicalImage;
use crate::memory::pte::{ENTRIES, ENTRY, Pte, PteRules, Software};
use crate::memory::space::VirtualMemory;
use crate::memory::tlb::Tlb;

/// Size of the page behind an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageSize {
    /// 4 KiB
    Small,
    /// 2 MiB
    Large,
    /// 1 GiB
    Huge,
}

impl PageSize {
    /// Bytes of the page.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Small => PAGE_SIZE,
            Self::Large => PAGE_SIZE * ENTRIES,
            Self::Huge => PAGE_SIZE * ENTRIES * ENTRIES,
        }
    }
}

/// How a page is held in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Residence {
    /// The processor can use it.
    Mapped,
    /// It is on the standby or modified list: unmapped, with its content still in the frame.
    Transition,
    /// It is shared, and found through its prototype entry.
    Prototype,
}

impl Residence {
    /// The name in the output contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mapped => "mapped",
            Self::Transition => "transition",
            Self::Prototype => "prototype",
        }
    }
}

/// What the page tables allow on a page, over all levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Writes are allowed.
    pub write: bool,
    /// User mode may use the page.
    pub user: bool,
    /// Code may run, as far as the page tables decide it: a hypervisor may forbid it still.
    pub execute: bool,
}

/// A virtual address found in physical memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The physical address.
    pub at: PhysAddr,
    /// Size of the page it lies in.
    pub page: PageSize,
    /// How the page is held.
    pub residence: Residence,
    /// What the page tables allow; for pages that are not mapped, what the tables above them allow.
    pub rights: Rights,
}

/// Why an address is not mapped, and how much around it is not for the same reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The reason.
    pub why: Absent,
    /// Bytes of the aligned stretch that the failing entry or table stands for.
    pub bytes: u64,
}

/// An address space given by the root of its page tables.
#[derive(Clone, Debug)]
pub struct PagedSpace {
    physical: PhysicalImage,
    root: PhysAddr,
    levels: PagingLevels,
    rules: PteRules,
    /// Pages that reads met before, if they are kept.
    tlb: Option<Tlb>,
}

/// Levels in the order of the walk, with the lowest bit of the address that indexes each.
const WALK: [(Level, u32); 5] =
    [(Level::Pml5, 48), (Level::Pml4, 39), (Level::Pdpt, 30), (Level::Pd, 21), (Level::Pt, 12)];

/// Bits of an address inside a page: below them there is nothing to walk.
const WALK_END: u32 = 12;

impl PagedSpace {
    /// The address space below a root, which may be a CR3 value with its flags.
    pub fn new(physical: PhysicalImage, cr3: u64, levels: PagingLevels, rules: PteRules) -> Self {
        Self { physical, root: PhysAddr::from_cr3(cr3), levels, rules, tlb: None }
    }

    /// Another address space of the same machine.
    #[must_use]
    pub fn with_root(&self, cr3: u64) -> Self {
        Self { root: PhysAddr::from_cr3(cr3), tlb: None, ..self.clone() }
    }

    /// The same address space with other rules for entries that are not valid.
    #[must_use]
    pub fn with_rules(self, rules: PteRules) -> Self {
        Self { rules, tlb: None, ..self }
    }

    /// The same address space, keeping where pages were found: for one that is read much.
    #[must_use]
    pub fn keeping_pages(self) -> Self {
        Self { tlb: Some(Tlb::default()), ..self }
    }

    /// Physical memory below.
    pub fn physical(&self) -> &PhysicalImage {
        &self.physical
    }

    /// The root of the page tables.
    pub fn root(&self) -> PhysAddr {
        self.root
    }

    /// How many levels are walked.
    pub fn levels(&self) -> PagingLevels {
        self.levels
    }

    /// How entries that are not valid are read.
    pub fn rules(&self) -> &PteRules {
        &self.rules
    }

    /// Finds the physical address of a virtual one, pages in transition and behind prototype entries included.
    pub fn translate(&self, at: VirtAddr) -> Result<Translation, Absent> {
        self.walk(at, true).map_err(|gap| gap.why)
    }

    /// Like [`Self::translate`], telling how far around an address nothing is mapped for the same reason.
    pub fn translate_or_gap(&self, at: VirtAddr) -> Result<Translation, Gap> {
        self.walk(at, true)
    }

    /// `prototypes`: whether a prototype entry may be followed. It is read through the page tables itself, and must not
    /// lead to another one.
    fn walk(&self, at: VirtAddr, prototypes: bool) -> Result<Translation, Gap> {
        let gap = |why, shift: u32| Gap { why, bytes: 1 << shift };
        if !at.is_canonical(self.levels) {
            return Err(gap(Absent::NonCanonical, WALK_END));
        }
        let steps = match self.levels {
            PagingLevels::Four => WALK.get(1..).unwrap_or_default(),
            PagingLevels::Five => &WALK,
        };
        let mut table = self.root;
        let mut rights = Rights { write: true, user: true, execute: true };
        for &(level, shift) in steps {
            let index = at.0 >> shift & (ENTRIES - 1);
            // A table that is missing takes all that it maps with it.
            let entry = self.physical.read_u64(PhysAddr(table.0 | (index * ENTRY)));
            let pte = Pte::from_bits_retain(entry.map_err(|why| gap(why, shift + ENTRIES.ilog2()))?);
            if !pte.contains(Pte::VALID) {
                if level == Level::Pt {
                    return self.not_valid(pte, at, rights, prototypes).map_err(|why| gap(why, shift));
                }
                // A page table can itself be on the standby list.
                table = match self.rules.decode(pte, false) {
                    Software::Transition(frame) => frame,
                    Software::PageFile { file, page } => return Err(gap(Absent::PagedOut { file, page }, shift)),
                    _ => return Err(gap(Absent::NotPresent(level), shift)),
                };
                continue;
            }
            rights.write &= pte.contains(Pte::WRITE);
            rights.user &= pte.contains(Pte::USER);
            rights.execute &= !pte.contains(Pte::NO_EXECUTE);
            let page = match level {
                Level::Pt => PageSize::Small,
                _ if !pte.contains(Pte::LARGE) => {
                    table = pte.frame();
                    continue;
                }
                Level::Pd => PageSize::Large,
                Level::Pdpt => PageSize::Huge,
                Level::Pml4 | Level::Pml5 => return Err(gap(Absent::Malformed, shift)),
            };
            let base = pte.large_frame(page.bytes());
            let at = PhysAddr(base.0 | at.0 & (page.bytes() - 1));
            return Ok(Translation { at, page, residence: Residence::Mapped, rights });
        }
        Err(gap(Absent::NotPresent(Level::Pt), WALK_END))
    }

    fn not_valid(&self, pte: Pte, at: VirtAddr, rights: Rights, prototypes: bool) -> Result<Translation, Absent> {
        let found = |frame: PhysAddr, residence| {
            let at = PhysAddr(frame.0 | at.0 & (PAGE_SIZE - 1));
            Ok(Translation { at, page: PageSize::Small, residence, rights })
        };
        match self.rules.decode(pte, false) {
            Software::Zero => Err(Absent::NotPresent(Level::Pt)),
            Software::Transition(frame) => found(frame, Residence::Transition),
            Software::PageFile { file, page } => Err(Absent::PagedOut { file, page }),
            Software::DemandZero => Err(Absent::DemandZero),
            Software::FileBacked => Err(Absent::FileBacked),
            Software::PrototypeOfVad => Err(Absent::Prototype),
            Software::Prototype(entry) => {
                // Prototype entries are 8 bytes in paged pool: an address elsewhere was never one.
                if !prototypes || !entry.is_kernel() || !entry.0.is_multiple_of(ENTRY) {
                    return Err(Absent::Prototype);
                }
                let entry = self.walk(entry, false).map_err(|_| Absent::Prototype)?;
                let pte = Pte::from_bits_retain(self.physical.read_u64(entry.at).map_err(|_| Absent::Prototype)?);
                if pte.contains(Pte::VALID) {
                    return found(pte.frame(), Residence::Prototype);
                }
                match self.rules.decode(pte, true) {
                    Software::Transition(frame) => found(frame, Residence::Prototype),
                    Software::PageFile { file, page } => Err(Absent::PagedOut { file, page }),
                    Software::FileBacked => Err(Absent::FileBacked),
                    Software::DemandZero => Err(Absent::DemandZero),
                    Software::Zero | Software::Prototype(_) | Software::PrototypeOfVad => Err(Absent::Prototype),
                }
            }
        }
    }

    /// Whether this can be the root of a Windows address space: one entry of the upper half points back at the root, as
    /// Windows needs it to reach its page tables.
    pub fn has_self_map(&self) -> bool {
        let mut table = [0; PAGE_BYTES];
        self.physical.read_in_frame(self.root, &mut table).is_ok() && self_map_slot(&table, self.root).is_some()
    }
}

/// The entry of the upper half of a root table that points back at it.
pub fn self_map_slot(table: &[u8; PAGE_BYTES], root: PhysAddr) -> Option<usize> {
    let (entries, _) = table.as_chunks::<8>();
    let half = entries.len() / 2;
    entries.iter().enumerate().skip(half).find_map(|(slot, entry)| {
        let pte = Pte::from_bits_retain(u64::from_le_bytes(*entry));
        (pte.contains(Pte::VALID) && !pte.contains(Pte::LARGE) && pte.frame() == root).then_some(slot)
    })
}

impl VirtualMemory for PagedSpace {
    fn read_in_page(&self, at: VirtAddr, out: &mut [u8]) -> Result<(), Absent> {
        if let Some(known) = self.tlb.as_ref().and_then(|tlb| tlb.get(at)) {
            return self.physical.read_in_frame(known, out);
        }
        let found = self.translate(at)?.at;
        if let Some(tlb) = &self.tlb {
            tlb.keep(at, found);
        }
        self.physical.read_in_frame(found, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Pfn;
    use crate::memory::frames::{Frames, Run, Runs};
    use crate::source::ByteSource;
    use alloc::sync::Arc;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// A machine of 64 frames whose page tables are written by hand: root in frame 1.
    struct Tables(Vec<u8>);

    impl Tables {
        fn new() -> Self {
            let mut memory: Vec<u8> = (0..64 * 0x1000_u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 24) as u8).collect();
            memory[..16 * 0x1000].fill(0);
            Self(memory)
        }

        fn set(mut self, frame: usize, index: usize, entry: u64) -> Self {
            let at = frame * 0x1000 + index * 8;
            self.0[at..at + 8].copy_from_slice(&entry.to_le_bytes());
            self
        }

        fn space(&self, levels: PagingLevels) -> PagedSpace {
            let source: Arc<dyn ByteSource> = Arc::new(self.0.clone());
            let frames = Frames::Runs(Runs::new([Run { first: Pfn(0), count: 64, offset: 0 }]));
            let physical = PhysicalImage::new(source, frames);
            let rules = PteRules { invalid_mask: Some(0), ..PteRules::unknown_kernel(Pfn(64)) };
            PagedSpace::new(physical, 0x1002, levels, rules)
        }
    }

    const BASE: u64 = 0xffff_8000_0000_0000;

    fn typical() -> Tables {
        Tables::new()
            .set(1, 256, 0x2003)
            .set(2, 0, 0x3003)
            .set(2, 1, 0x83)
            .set(3, 0, 0x4003)
            .set(3, 1, 0x83 | 1 << 12)
            .set(4, 0, 0x2_0003 | 0x7f0 << 52)
            .set(4, 1, 0x2_4000 | Pte::TRANSITION.bits())
            .set(4, 2, 0x2_1003 | Pte::NO_EXECUTE.bits())
            .set(4, 3, (BASE + 0x8000) << 16 | Pte::PROTOTYPE.bits())
            .set(4, 4, 0x42 << 32 | 0x1080)
            .set(4, 5, 0x80)
            .set(4, 8, 0x5003)
            .set(5, 0, 0x2_2003)
            .set(1, 257, 0x1003)
    }

    #[test]
    fn every_kind_of_page_is_told_apart() {
        let space = typical().space(PagingLevels::Four);
        for (offset, page, at, residence) in [
            (0x123, PageSize::Small, 0x2_0123, Residence::Mapped),
            (0x1004, PageSize::Small, 0x2_4004, Residence::Transition),
            (0x2fff, PageSize::Small, 0x2_1fff, Residence::Mapped),
            (0x3010, PageSize::Small, 0x2_2010, Residence::Prototype),
            (0x20_5678, PageSize::Large, 0x5678, Residence::Mapped),
            (0x4000_1234, PageSize::Huge, 0x1234, Residence::Mapped),
        ] {
            let found = space.translate(VirtAddr(BASE + offset)).unwrap();
            assert_eq!((found.page, found.at, found.residence), (page, PhysAddr(at), residence), "{offset:#x}");
        }
        for (at, why) in [
            (BASE + 0x4000, Absent::PagedOut { file: 1, page: 0x42 }),
            (BASE + 0x5000, Absent::DemandZero),
            (BASE + 0x6000, Absent::NotPresent(Level::Pt)),
            (BASE + 0x40_0000, Absent::NotPresent(Level::Pd)),
            (BASE + 0x8000_0000, Absent::NotPresent(Level::Pdpt)),
            (0, Absent::NotPresent(Level::Pml4)),
            (0x8000_0000_0000, Absent::NonCanonical),
        ] {
            assert_eq!(space.translate(VirtAddr(at)), Err(why), "{at:#x}");
        }
        assert!(!space.translate(VirtAddr(BASE + 0x2000)).unwrap().rights.execute);
    }

    #[test]
    fn five_levels_walk_the_same_tables_one_step_later() {
        let space = typical().set(6, 256, 0x1003).space(PagingLevels::Five).with_root(0x6000);
        let at = VirtAddr(0xff00_0000_0000_0000 + (256 << 39) + 0x123);
        assert_eq!(space.translate(at).unwrap().at, PhysAddr(0x2_0123));
        assert_eq!(space.translate(VirtAddr(0x100_0000_0000_0000)), Err(Absent::NonCanonical));
    }

    #[test]
    fn a_table_that_points_at_itself_ends_after_its_levels() {
        let space = typical().space(PagingLevels::Four);
        assert!(space.has_self_map());
        assert!(space.translate(VirtAddr(BASE | 257 << 39)).is_err());
        let looped = (0..4).fold(0, |at, _| at << 9 | 0x101) << 12 | 0xffff_0000_0000_0000;
        assert_eq!(space.translate(VirtAddr(looped | 8)).unwrap().at, PhysAddr(0x1008));
    }

    proptest! {
        #[test]
        fn a_read_equals_its_one_byte_reads(offset in 0_u64..0x3000, page in prop::sample::select(vec![0, 0x20_0000, 0x4000_0000]), len in 0_usize..0x2800, keeping: bool) {
            let space = typical().space(PagingLevels::Four);
            let space = if keeping { space.keeping_pages() } else { space };
            let at = BASE + page + offset;
            let mut whole = vec![0; len];
            let result = space.read(VirtAddr(at), &mut whole);
            let mut byte = [0];
            for (index, expected) in whole.iter().enumerate() {
                let one = space.read(VirtAddr(at + index as u64), &mut byte);
                match result {
                    Err(hole) if index >= hole.done => {
                        if index == hole.done {
                            prop_assert_eq!(one.unwrap_err().why, hole.why);
                        }
                    }
                    _ => {
                        prop_assert!(one.is_ok());
                        prop_assert_eq!(byte[0], *expected, "{:#x}", index);
                    }
                }
            }
        }

        #[test]
        fn any_tables_end(memory in prop::collection::vec(any::<u64>(), 2048), at: u64, five: bool) {
            let mut bytes: Vec<u8> = memory.iter().flat_map(|word| word.to_le_bytes()).collect();
            bytes.resize(64 * 0x1000, 0xff);
            let levels = if five { PagingLevels::Five } else { PagingLevels::Four };
            let space = Tables(bytes).space(levels);
            let _ = space.translate(VirtAddr(at));
            let _ = space.translate(VirtAddr(at | 0xffff_8000_0000_0000));
        }
    }
}
