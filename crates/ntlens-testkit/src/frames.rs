//! Hands out page frames and remembers what each is used for.

use crate::physical::{Physical, Run};
use crate::rng::Rng;
use std::collections::BTreeMap;

/// What a frame holds. Frames without a use are free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameUse {
    /// Kernel memory, kernel page tables and the top table of every process.
    Kernel,
    /// Page tables of the user half of a process.
    UserTable,
    /// User memory.
    User,
}

/// In which order frames are handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Placement {
    /// From low to high.
    #[default]
    Ascending,
    /// From the highest down: the last frames of memory then hold what everything hangs on.
    Descending,
    /// All over the machine, as after weeks of work.
    Scattered,
}

#[derive(Clone, Debug)]
pub(crate) struct Frames {
    used: BTreeMap<u64, FrameUse>,
    placement: Placement,
    next: u64,
    rng: Rng,
}

impl Frames {
    pub(crate) const fn new(placement: Placement, seed: u64) -> Self {
        Self { used: BTreeMap::new(), placement, next: 0x200, rng: Rng::new(seed) }
    }

    /// Takes certain frames, which must be free.
    pub(crate) fn take(&mut self, run: Run, usage: FrameUse) {
        for frame in run.first..run.end() {
            assert!(self.used.insert(frame, usage).is_none(), "frame {frame:#x} is in use");
        }
    }

    /// Takes one free frame.
    pub(crate) fn allocate(&mut self, memory: &Physical, usage: FrameUse) -> u64 {
        let count = memory.frame_count();
        for attempt in 0..count + 64 {
            let position = match self.placement {
                Placement::Scattered if attempt < 64 => self.rng.below(count),
                Placement::Ascending | Placement::Scattered => self.step(count),
                Placement::Descending => count - 1 - self.step(count),
            };
            let frame = memory.nth(position);
            if let std::collections::btree_map::Entry::Vacant(free) = self.used.entry(frame) {
                free.insert(usage);
                return frame;
            }
        }
        panic!("the machine is out of memory: give it more with Machine::memory")
    }

    const fn step(&mut self, count: u64) -> u64 {
        let position = if matches!(self.placement, Placement::Descending) { self.next - 0x200 } else { self.next };
        self.next += 1;
        position % count
    }

    /// Frames in use, ascending.
    pub(crate) fn used(&self) -> impl Iterator<Item = (u64, FrameUse)> {
        self.used.iter().map(|(frame, usage)| (*frame, *usage))
    }
}
