//! Translations that were made already.
//!
//! The kernel's structures lie on few pages, and each read of one walks four tables. What a page's address led to is kept,
//! as a processor keeps it: memory of a dump does not change.

use crate::address::{PAGE_SIZE, PhysAddr, VirtAddr};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

/// Slots, a power of two: 128 KiB for one space.
const SLOTS: u64 = 1 << 14;
/// Bits of a slot that hold the frame's number; what is above holds the part of the page's number that does not choose
/// the slot.
const FRAME_BITS: u32 = 40;
/// Bits of an address that are kept: all, where four levels translate; others are not kept at all.
const ADDRESS_BITS: u32 = 48;

/// Small pages by their addresses. Threads share it without waiting: each slot is one number.
#[derive(Clone)]
pub(super) struct Tlb(Arc<[AtomicU64]>);

impl Default for Tlb {
    fn default() -> Self {
        let slots: Box<[AtomicU64]> = (0..SLOTS).map(|_| AtomicU64::new(0)).collect();
        Self(slots.into())
    }
}

impl core::fmt::Debug for Tlb {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Tlb").finish_non_exhaustive()
    }
}

/// The slot of a page, and what distinguishes it from the others that share the slot; `None` for an address that a slot
/// has no room for.
fn place(at: VirtAddr) -> Option<(usize, u64)> {
    let low = at.0 << (u64::BITS - ADDRESS_BITS) >> (u64::BITS - ADDRESS_BITS);
    let upper = at.0 >> (ADDRESS_BITS - 1);
    if upper != 0 && upper != u64::MAX >> (ADDRESS_BITS - 1) {
        return None;
    }
    let page = low / PAGE_SIZE;
    Some((usize::try_from(page % SLOTS).ok()?, page / SLOTS))
}

impl Tlb {
    /// Where an address leads, if its page was met before.
    pub(super) fn get(&self, at: VirtAddr) -> Option<PhysAddr> {
        let (slot, tag) = place(at)?;
        let held = self.0.get(slot)?.load(Ordering::Relaxed);
        let frame = held & ((1 << FRAME_BITS) - 1);
        // Frame 0 is never kept, so that an empty slot is no translation.
        (held >> FRAME_BITS == tag && frame != 0).then_some(PhysAddr(frame * PAGE_SIZE + at.0 % PAGE_SIZE))
    }

    /// Keeps where an address leads.
    pub(super) fn keep(&self, at: VirtAddr, found: PhysAddr) {
        let frame = found.0 / PAGE_SIZE;
        let Some((slot, tag)) = place(at).filter(|_| frame >> FRAME_BITS == 0) else { return };
        if let Some(slot) = self.0.get(slot) {
            slot.store(tag << FRAME_BITS | frame, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Pages that share slots never answer for one another.
        #[test]
        fn what_is_found_is_what_was_kept_for_that_page(
            kept in prop::collection::vec((0_usize..4, 0_u64..6, prop::sample::select(alloc::vec![0, 1, 7, (1 << 40) - 1, 1 << 40])), 0..40),
        ) {
            let tlb = Tlb::default();
            let mut known = alloc::collections::BTreeMap::new();
            let tops = [0, 0x7fff_c000_0000, 0xffff_8000_0000_0000, 0xff00_0000_0000_0000];
            for (top, page, frame) in kept {
                let at = VirtAddr(tops[top] + page * PAGE_SIZE * SLOTS / 2);
                // A page never moves.
                let frame = *known.entry(at).or_insert(frame);
                tlb.keep(at, PhysAddr(frame * PAGE_SIZE));
                for (at, frame) in &known {
                    let found = tlb.get(VirtAddr(at.0 + 0x123));
                    prop_assert!(found.is_none_or(|found| found == PhysAddr(frame * PAGE_SIZE + 0x123)), "{at}");
                }
            }
        }
    }

    #[test]
    fn a_page_is_found_again() {
        let tlb = Tlb::default();
        let at = VirtAddr(0xffff_f801_2345_6789);
        assert_eq!(tlb.get(at), None);
        tlb.keep(at, PhysAddr(0x1_2345_6789));
        assert_eq!(tlb.get(VirtAddr(at.0 & !0xfff)), Some(PhysAddr(0x1_2345_6000)));
    }
}
