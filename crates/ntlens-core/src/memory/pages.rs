//! Pages that are read whole, for a pass that reads many small things of few pages.

use crate::absent::Absent;
use crate::address::{PAGE_BYTES, PAGE_SIZE, VirtAddr};
use crate::memory::space::VirtualMemory;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::RefCell;

/// Slots, a power of two: together 16 MiB at most.
const SLOTS: u64 = 1 << 12;

/// Memory with its last pages kept. One pass has it for itself.
#[derive(Debug)]
pub struct Pages<'m, M: ?Sized> {
    memory: &'m M,
    slots: RefCell<Vec<Slot>>,
}

/// The page that was last read into a slot.
#[derive(Debug, Default)]
struct Slot {
    page: Option<u64>,
    bytes: Option<Box<[u8; PAGE_BYTES]>>,
}

impl<'m, M: VirtualMemory + ?Sized> Pages<'m, M> {
    /// Keeps no page yet.
    pub fn new(memory: &'m M) -> Self {
        let slots = (0..SLOTS).map(|_| Slot::default()).collect();
        Self { memory, slots: RefCell::new(slots) }
    }
}

impl<M: VirtualMemory + ?Sized> VirtualMemory for Pages<'_, M> {
    fn read_in_page(&self, at: VirtAddr, out: &mut [u8]) -> Result<(), Absent> {
        let page = at.0 / PAGE_SIZE;
        // Pages a power of two apart do not share a slot.
        let hash = page.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SLOTS.ilog2());
        let mut slots = self.slots.borrow_mut();
        let slot = usize::try_from(hash).ok().and_then(|index| slots.get_mut(index));
        let Some(slot) = slot else { return self.memory.read_in_page(at, out) };
        let Slot { page: held, bytes } = slot;
        let bytes = bytes.get_or_insert_with(|| Box::new([0; PAGE_BYTES]));
        if *held != Some(page) {
            *held = None;
            if self.memory.read_in_page(VirtAddr(page * PAGE_SIZE), &mut bytes[..]).is_err() {
                // A part of the page may be there, and it is the part that says why not.
                return self.memory.read_in_page(at, out);
            }
            *held = Some(page);
        }
        let start = usize::try_from(at.0 % PAGE_SIZE).unwrap_or(0);
        let piece = start.checked_add(out.len()).and_then(|end| bytes.get(start..end));
        out.copy_from_slice(piece.ok_or(Absent::Malformed)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Pages of which each third is missing, and each fifth but for its second half.
    struct Holed;

    impl VirtualMemory for Holed {
        fn read_in_page(&self, at: VirtAddr, out: &mut [u8]) -> Result<(), Absent> {
            let page = at.0 / PAGE_SIZE;
            if page.is_multiple_of(3) || page.is_multiple_of(5) && at.0 % PAGE_SIZE < PAGE_SIZE / 2 {
                return Err(Absent::AddressNotInDump);
            }
            for (byte, at) in out.iter_mut().zip(at.0..) {
                *byte = at.wrapping_mul(0x9e37_79b9).to_le_bytes()[2];
            }
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn kept_pages_are_the_memory(reads in prop::collection::vec((0_u64..0x40, 0_u64..PAGE_SIZE, 0_usize..0x1800), 1..60)) {
            let pages = Pages::new(&Holed);
            for (page, start, length) in reads {
                let at = VirtAddr((page << 9) * PAGE_SIZE + start);
                let (mut kept, mut memory) = (alloc::vec![0; length], alloc::vec![0; length]);
                prop_assert_eq!(pages.read(at, &mut kept), Holed.read(at, &mut memory));
                prop_assert_eq!(pages.read_around_holes(at, &mut kept), Holed.read_around_holes(at, &mut memory));
                prop_assert_eq!(kept, memory);
            }
        }
    }
}
