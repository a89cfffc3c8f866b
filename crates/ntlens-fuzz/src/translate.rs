//! Any page tables: 41 bytes say where to start and how to read them, the rest is memory from frame 0 on.
use ntlens_core::address::{PAGE_SIZE, PagingLevels, Pfn, VirtAddr};
use ntlens_core::memory::frames::{Frames, Run, Runs};
use ntlens_core::memory::pte::PteRules;
use ntlens_core::memory::{PagedSpace, PhysicalImage, VirtualMemory};
use std::sync::Arc;

/// Frames of the machine: 64 KiB. Bytes that the input lacks are missing in the file, as in a dump that was cut.
const FRAMES: u64 = 16;

/// Walks.
pub fn run(bytes: &[u8]) {
    let Some(([how], rest)) = bytes.split_first_chunk() else { return };
    let Some((numbers, memory)) = rest.split_at_checked(40) else { return };
    let mut numbers = numbers.as_chunks::<8>().0.iter().map(|number| u64::from_le_bytes(*number));
    let mut number = || numbers.next().unwrap_or_default();
    let frames = Frames::Runs(Runs::new([Run { first: Pfn(0), count: FRAMES, offset: 0 }]));
    let physical = PhysicalImage::new(Arc::new(memory.to_vec()), frames);
    let mask = number();
    let rules = PteRules {
        page_file_low: if how & 1 == 0 { 1 } else { 12 },
        frame_bits: if how & 2 == 0 { 36 } else { 40 },
        invalid_mask: (how & 4 == 0).then_some(mask),
        file_backed_marker: how & 8 != 0,
        ..PteRules::unknown_kernel(Pfn(FRAMES))
    };
    let levels = if how & 16 == 0 { PagingLevels::Four } else { PagingLevels::Five };
    let space = PagedSpace::new(physical, number(), levels, rules);
    let _ = space.has_self_map();
    for _ in 0..3 {
        check(&space, VirtAddr(number()));
    }
}

/// What the walk finds is what a read gives, and a read over a page's end gives the same as reads of one byte each.
fn check(space: &PagedSpace, at: VirtAddr) {
    let mut whole = [0; 16];
    let end = space.read(at, &mut whole).map_or_else(|hole| hole.done, |()| whole.len());
    for (distance, expected) in (0_u64..).zip(whole.iter().take(end)) {
        let at = at.wrapping_add(distance);
        let Ok(found) = space.translate(at) else { panic!("a byte was read where no page is") };
        assert_eq!(found.at.0 % PAGE_SIZE, at.0 % PAGE_SIZE, "the offset in the page changed");
        let mut byte = [0];
        assert!(space.physical().read_in_frame(found.at, &mut byte).is_ok(), "a byte was read from no frame");
        assert_eq!(byte[0], *expected, "a read gives another byte than the walk leads to");
    }
}
