//! All frames that page tables lead to: the tables themselves, and the pages.

use super::MAX_BITS;
use super::frame_set::FrameSet;
use ntlens_core::Absent;
use ntlens_core::address::{PAGE_BYTES, PAGE_SIZE, PagingLevels, Pfn, PhysAddr, VirtAddr};
use ntlens_core::memory::PagedSpace;
use ntlens_core::memory::pte::{Pte, Software};

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
    /// How many frames of tables and pages are described and lie behind the end of the file. Those of small pages are told
    /// apart as long as there are not too many, and those of large pages in an extract's reach always.
    pub(super) missing: u64,
    /// Some of these.
    lost: FrameSet,
    /// Large pages that were met and are not looked at again, by their number among those of their level.
    large: [FrameSet; LEVELS],
}

/// Frames that are missing and told apart: what lies behind them is counted as often as it is met.
const MAX_LOST: u64 = 1 << 20;
/// Levels of page tables.
const LEVELS: usize = 5;

/// Entries of half a root.
const HALF: usize = 256;

impl Mapped {
    /// Adds what one half of an address space maps. The entry that shows the page tables themselves is left out.
    pub(super) fn add(&mut self, space: &PagedSpace, half: Half) {
        let root = space.root();
        let Some(table) = self.read(space, root) else { return };
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

    /// The tables and the pages.
    pub(super) fn frames(self) -> FrameSet {
        let mut frames = self.pages;
        for table in self.tables.iter() {
            frames.insert(table);
        }
        frames
    }

    /// Adds a table and what is below it. `level` 0 is that of pages of 4 KiB; there are five levels at most.
    fn table(&mut self, space: &PagedSpace, at: PhysAddr, level: u32, base: u64) {
        // What was met is not met again, and what is not in the dump is not looked for.
        if self.tables.contains(at.pfn()) {
            return;
        }
        let Some(entries) = self.read(space, at) else { return };
        self.tables.insert(at.pfn());
        for (index, entry) in entries.iter().copied().enumerate().filter(|(_, entry)| *entry != 0) {
            let va = part(base, index, level);
            let pte = Pte::from_bits_retain(entry);
            if level == 0 {
                let frame = if pte.contains(Pte::VALID) {
                    Some(pte.frame())
                } else {
                    space.translate(canonical(va, space.levels())).ok().map(|found| found.at)
                };
                if let Some(frame) = frame {
                    self.small(space, frame);
                }
            } else if pte.contains(Pte::VALID | Pte::LARGE) {
                let size = PAGE_SIZE << (9 * level);
                self.large(space, level, pte.large_frame(size).pfn(), size / PAGE_SIZE);
            } else if let Some(below) = table_of(space, entry) {
                self.table(space, below, level - 1, va);
            }
        }
    }

    /// Adds a frame, if the dump describes it and the file holds it.
    fn small(&mut self, space: &PagedSpace, frame: PhysAddr) {
        let image = space.physical();
        let Ok(offset) = image.file_offset(frame.pfn().base()) else { return };
        if offset.saturating_add(PAGE_SIZE) <= image.source().len() {
            self.pages.insert(frame.pfn());
        } else {
            self.lose(frame.pfn());
        }
    }

    /// Adds the frames of a large page that the file holds, once. What is claimed is not stepped through.
    fn large(&mut self, space: &PagedSpace, level: u32, first: Pfn, count: u64) {
        let Some(met) = usize::try_from(level).ok().and_then(|level| self.large.get_mut(level)) else { return };
        let number = Pfn(first.0 / count);
        if met.contains(number) {
            return;
        }
        let image = space.physical();
        let (len, mut steps) = (image.source().len(), 0_u64);
        for run in image.frames().runs_in(first..Pfn(first.0.saturating_add(count))) {
            let present = run.present(len);
            for frame in run.first.0..run.first.0 + present {
                self.pages.insert(Pfn(frame));
            }
            self.missing = self.missing.saturating_add(run.count - present);
            steps += 1 + present;
        }
        // Entries can name far more pages above the frames of an extract than there is memory to remember: of those only such
        // are remembered that took more than one step, and these are no more than frames and runs.
        if steps > 1 || first.0 < MAX_BITS {
            met.insert(number);
        }
    }

    /// Counts a frame that is missing.
    fn lose(&mut self, frame: Pfn) {
        if !self.lost.contains(frame) {
            if self.missing < MAX_LOST {
                self.lost.insert(frame);
            }
            self.missing = self.missing.saturating_add(1);
        }
    }

    /// The entries of a table. One that is cut off is counted.
    fn read(&mut self, space: &PagedSpace, table: PhysAddr) -> Option<Vec<u64>> {
        let mut bytes = [0; PAGE_BYTES];
        let read = space.physical().read_in_frame(table, &mut bytes);
        if matches!(read, Err(Absent::Truncated { .. })) {
            self.lose(table.pfn());
        }
        read.ok()?;
        let (words, _) = bytes.as_chunks::<8>();
        Some(words.iter().map(|word| u64::from_le_bytes(*word)).collect())
    }
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
