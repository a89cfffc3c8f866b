//! Members of a list by what they point at, for a head that no longer leads to them.

use crate::address::{PAGE_BYTES, Pfn, PhysAddr, VirtAddr};
use crate::memory::PagedSpace;
use crate::nt::list::Links;
use crate::nt::space::Space;
use alloc::vec::Vec;

/// Frames that are looked through: 512 MiB.
const MAX_FRAMES: usize = 1 << 17;
/// Places that hold the head's address and are followed.
const MAX_FOUND: usize = 256;

/// The links of members next to a head. A link to the head is found in physical memory, and the neighbour on its other side
/// points back at it: that is its virtual address.
pub(crate) fn neighbours(memory: &Space, head: VirtAddr) -> Vec<VirtAddr> {
    let Some(space) = memory.paged() else { return Vec::new() };
    let mut found = Vec::new();
    for at in places(space, head).take(MAX_FOUND) {
        let word = |at: PhysAddr| space.physical().read_u64(at).ok().map(VirtAddr).filter(|at| at.is_kernel());
        // The word may be the Flink of the last member or the Blink of the first.
        let last = word(at.wrapping_add(8)).and_then(|before| Some(Links::read(space, before).ok()?.flink));
        let first = word(at.wrapping_sub(8)).and_then(|next| Some(Links::read(space, next).ok()?.blink));
        let lies_at =
            |member: &VirtAddr, link: u64| space.translate(member.wrapping_add(link)).is_ok_and(|found| found.at == at);
        found.extend(last.filter(|member| lies_at(member, 0)));
        found.extend(first.filter(|member| lies_at(member, 8)));
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Where in physical memory a pointer stands.
fn places(space: &PagedSpace, pointer: VirtAddr) -> impl Iterator<Item = PhysAddr> + '_ {
    let physical = space.physical();
    let frames = physical.frames().runs().flat_map(|run| (0..run.count).map(move |index| Pfn(run.first.0 + index)));
    frames.take(MAX_FRAMES).flat_map(move |pfn| {
        let mut page = [0; PAGE_BYTES];
        let held = physical.read_in_frame(pfn.base(), &mut page).is_ok();
        let (words, _) = page.as_chunks::<8>();
        let hits: Vec<PhysAddr> = (0_u64..)
            .zip(words)
            .filter(|(_, word)| held && u64::from_le_bytes(**word) == pointer.0)
            .map(|(index, _)| pfn.base().wrapping_add(index * 8))
            .collect();
        hits
    })
}
