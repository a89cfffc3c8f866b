//! Entries of pages that are not simply mapped.

use crate::assembly::Assembly;
use crate::guest::compose;
use crate::paging::{PageSize, Space};
use crate::physical::PAGE;
use crate::pool::PoolKind;
use crate::process_spec::PageState;

/// `MM_READWRITE`, in the five bits of software entries.
const READ_WRITE: u64 = 4;

impl Assembly<'_> {
    /// Changes how the page at `address`, which is mapped, is there.
    pub(crate) fn set_page_state(&mut self, space: Space, address: u64, state: PageState) {
        if state == PageState::Resident {
            return;
        }
        let page = address & !(PAGE - 1);
        let (present, _) = space.entry(&self.guest.memory, page).expect("the page was mapped before");
        let frame = present >> 12 & 0xff_ffff_ffff;
        let layouts = self.guest.layouts.clone();
        let entry = match state {
            PageState::Resident => present,
            PageState::Transition => {
                let fields = [("Transition", 1), ("Protection", READ_WRITE), ("PageFrameNumber", frame)];
                compose(&layouts, "_MMPTE_TRANSITION", &fields) ^ self.invalid_pte_mask
            }
            PageState::PageFile { file, page } => {
                let fields = [
                    ("Protection", READ_WRITE),
                    ("PageFileAllocated", 1),
                    ("PageFileLow", u64::from(file)),
                    ("PageFileHigh", u64::from(page)),
                ];
                compose(&layouts, "_MMPTE_SOFTWARE", &fields) ^ self.invalid_pte_mask
            }
            // Kernels leave such entries without the mask.
            PageState::DemandZero => compose(&layouts, "_MMPTE_SOFTWARE", &[("Protection", READ_WRITE)]),
            PageState::Prototype => {
                let prototype = self.guest.alloc(PoolKind::Paged, 8, *b"MmSt");
                self.guest.write_u64(prototype, present);
                compose(
                    &layouts,
                    "_MMPTE_PROTOTYPE",
                    &[("Prototype", 1), ("ProtoAddress", prototype & 0xffff_ffff_ffff)],
                )
            }
            PageState::Unmapped => 0,
        };
        space.set_entry(&mut self.guest.memory, &mut self.guest.frames, page, PageSize::Small, entry);
    }
}
