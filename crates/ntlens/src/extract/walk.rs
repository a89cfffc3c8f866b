//! All frames that page tables lead to: the tables themselves, and the pages.

use super::frame_set::FrameSet;
use ntlens_core::address::{PAGE_BYTES, PAGE_SIZE, PagingLevels, Pfn, PhysAddr, VirtAddr};
use ntlens_core::memory::PagedSpace;
use ntlens_core::memory::pte::{Pte, Software};
use std::collections::BTreeSet;

/// Which half of an address space.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    User,
    Kernel,
}

/// What was found below some roots. A table is walked once, however often it is met: loops end.
#[derive(Default)]
pub(super) struct Mapped {
    pub(super) tables: FrameSet,
    pub(super) pages: FrameSet,
    /// Large pages that were met, by their first frame and size.
    large: BTreeSet<(PhysAddr, u64)>,
}

/// Entries of half a root.
const HALF: usize = 256;

impl Mapped {
    /// Adds what one half of an address space maps. The entry that shows the page tables themselves is left out.
    pub(super) fn add(&mut self, space: &PagedSpace, half: Half) {
        let root = space.root();
        let Some(table) = read(space, root) else { return };
        self.tables.insert(root.pfn());
        let levels = match space.levels() {
            PagingLevels::Four => 3,
            PagingLevels::Five => 4,
        };
        let entries = if half == Half::User { 0..HALF } else { HALF..2 * HALF };
        for index in entries {
            let Some(entry) = table.get(index).copied() else { continue };
            if let Some(below) = table_of(space, entry).filter(|below| *below != root) {
                self.table(space, below, levels - 1, part(0, index, levels));
            }
        }
    }

    /// Adds a table and what is below it. `level` 0 is that of pages of 4 KiB; there are five levels at most.
    fn table(&mut self, space: &PagedSpace, at: PhysAddr, level: u32, base: u64) {
        // What is not in the dump is not looked for, and what was met is not met again.
        let Some(entries) = read(space, at) else { return };
        if !self.tables.insert(at.pfn()) {
            return;
        }
        for (index, entry) in entries.iter().copied().enumerate().filter(|(_, entry)| *entry != 0) {
            let va = part(base, index, level);
            let pte = Pte::from_bits_retain(entry);
            if level == 0 {
                let frame = if pte.contains(Pte::VALID) {
                    Some(pte.frame())
                } else {
                    space.translate(canonical(va, space.levels())).ok().map(|found| found.at)
                };
                self.pages.extend(space, frame, 1);
            } else if pte.contains(Pte::VALID | Pte::LARGE) {
                let size = PAGE_SIZE << (9 * level);
                let first = pte.large_frame(size);
                if self.large.insert((first, size)) {
                    self.pages.extend(space, Some(first), size / PAGE_SIZE);
                }
            } else if let Some(below) = table_of(space, entry) {
                self.table(space, below, level - 1, va);
            }
        }
    }
}

impl FrameSet {
    /// Adds frames that follow each other, as far as the dump describes them.
    fn extend(&mut self, space: &PagedSpace, first: Option<PhysAddr>, count: u64) {
        let Some(first) = first else { return };
        let (first, end) = (first.pfn().0, space.physical().end().0);
        let frames = (first..first.saturating_add(count).min(end)).map(Pfn);
        for frame in frames.filter(|frame| space.physical().file_offset(frame.base()).is_ok()) {
            self.insert(frame);
        }
    }
}

fn read(space: &PagedSpace, table: PhysAddr) -> Option<Vec<u64>> {
    let mut bytes = [0; PAGE_BYTES];
    space.physical().read_in_frame(table, &mut bytes).ok()?;
    let (words, _) = bytes.as_chunks::<8>();
    Some(words.iter().map(|word| u64::from_le_bytes(*word)).collect())
}

/// The table that an entry points at; it may be on the standby list.
fn table_of(space: &PagedSpace, entry: u64) -> Option<PhysAddr> {
    let pte = Pte::from_bits_retain(entry);
    if pte.contains(Pte::VALID) {
        return (!pte.contains(Pte::LARGE)).then_some(pte.frame());
    }
    match space.rules().decode(pte, false) {
        Software::Transition(frame) => Some(frame),
        _ => None,
    }
}

/// The address that an entry stands for, its highest bits left at zero.
fn part(base: u64, index: usize, level: u32) -> u64 {
    base | (index as u64) << (12 + 9 * level)
}

fn canonical(at: u64, levels: PagingLevels) -> VirtAddr {
    let top = match levels {
        PagingLevels::Four => 47,
        PagingLevels::Five => 56,
    };
    VirtAddr(if at >> top & 1 == 1 { at | u64::MAX << top } else { at })
}
