//! Members of a list by what they point at, for a head that no longer leads to them.

use crate::address::{PAGE_BYTES, Pfn, PhysAddr, VirtAddr};
use crate::incomplete::Incomplete;
use crate::memory::PagedSpace;
use crate::nt::list::Links;
use crate::nt::space::Space;
use alloc::vec::Vec;

/// Frames that are looked through: 512 MiB.
const MAX_FRAMES: usize = 1 << 17;
/// Places that hold the head's address and are followed.
const MAX_FOUND: usize = 256;

/// The links of members next to a head. A link to the head is found in physical memory, and the neighbour on its other side
/// points back at it: that is its virtual address. What was not looked through is added to `incomplete`.
pub(crate) fn neighbours(memory: &Space, head: VirtAddr, incomplete: &mut Vec<Incomplete>) -> Vec<VirtAddr> {
    let Some(space) = memory.paged() else { return Vec::new() };
    let frames = space.physical().frames().runs().map(|run| run.count).fold(0, u64::saturating_add);
    let more = frames.saturating_sub(MAX_FRAMES as u64);
    if more > 0 {
        let what = "frames that may hold a link to the head of a list";
        incomplete.push(Incomplete::beyond(what, head, MAX_FRAMES).times(more));
    }
    let mut found = Vec::new();
    let mut places = places(space, head);
    for at in places.by_ref().take(MAX_FOUND) {
        let word = |at: PhysAddr| space.physical().read_u64(at).ok().map(VirtAddr).filter(|at| at.is_kernel());
        // The word may be the Flink of the last member or the Blink of the first.
        let last = word(at.wrapping_add(8)).and_then(|before| Some(Links::read(space, before).ok()?.flink));
        let first = word(at.wrapping_sub(8)).and_then(|next| Some(Links::read(space, next).ok()?.blink));
        let lies_at =
            |member: &VirtAddr, link: u64| space.translate(member.wrapping_add(link)).is_ok_and(|found| found.at == at);
        found.extend(last.filter(|member| lies_at(member, 0)));
        found.extend(first.filter(|member| lies_at(member, 8)));
    }
    if places.next().is_some() {
        incomplete.push(Incomplete::beyond("links to the head of a list", head, MAX_FOUND));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::PagingLevels;
    use crate::memory::PhysicalImage;
    use crate::memory::frames::{Frames, Run, Runs};
    use crate::memory::pte::PteRules;
    use alloc::string::String;
    use alloc::sync::Arc;

    const HEAD: VirtAddr = VirtAddr(0xffff_8000_0000_1000);

    fn told(bytes: Vec<u8>, count: u64) -> Vec<String> {
        let runs = Runs::new([Run { first: Pfn(0), count, offset: 0 }]);
        let physical = PhysicalImage::new(Arc::new(bytes), Frames::Runs(runs));
        let rules = PteRules::unknown_kernel(Pfn(count));
        let mut incomplete = Vec::new();
        neighbours(&Space::Paged(PagedSpace::new(physical, 0, PagingLevels::Four, rules)), HEAD, &mut incomplete);
        incomplete.into_iter().map(|missing| missing.what).collect()
    }

    #[test]
    fn what_is_not_looked_through_is_told() {
        let links = |count: usize| HEAD.0.to_le_bytes().repeat(count);
        let page = |count: usize| [links(count), alloc::vec![0; 2 * PAGE_BYTES - count * 8]].concat();
        assert!(told(page(MAX_FOUND), 2).is_empty());
        assert_eq!(
            told(page(MAX_FOUND + 1), 2),
            [alloc::format!("links to the head of a list beyond the first {MAX_FOUND}")]
        );
        let frames = told(page(0), MAX_FRAMES as u64 + 5);
        assert_eq!(
            frames,
            [alloc::format!("frames that may hold a link to the head of a list beyond the first {MAX_FRAMES}")]
        );
    }
}
