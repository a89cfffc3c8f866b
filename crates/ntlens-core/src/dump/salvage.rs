//! Choosing among readings of a description of memory that contradicts itself.
//!
//! The root of page tables that the header gives is the witness: each root of Windows points back at itself, and does so
//! only where its frame is looked for in the right place of the file.

use super::{Candidate, header64};
use crate::address::{PAGE_BYTES, PAGE_SIZE, PagingLevels, Pfn, PhysAddr, VirtAddr};
use crate::incomplete::Incomplete;
use crate::memory::frames::{Frames, Run, Runs};
use crate::memory::paging::self_map_slot;
use crate::memory::pte::PteRules;
use crate::memory::{PagedSpace, PhysicalImage, VirtualMemory};
use alloc::format;
use alloc::vec::Vec;

/// One way to read the description, with what of the file it says is wrong.
pub(super) struct Reading {
    pub(super) image: PhysicalImage,
    pub(super) wrong: Vec<Incomplete>,
}

/// Takes the reading under which most of the kernel is where the header says; of several, the one that contradicts least,
/// then one that fills the file to its end, then the first. A description without contradictions is one reading and is not
/// questioned.
pub(super) fn choose(candidate: &Candidate<'_>, readings: Vec<Reading>) -> Option<Reading> {
    let len = candidate.source.len();
    let mut left = readings;
    let chosen = if left.len() > 1 {
        let key = |reading: &Reading| {
            let (witnesses, wrong) = (witnesses(candidate, &reading.image), reading.wrong.len());
            (core::cmp::Reverse(witnesses), wrong, !fills(&reading.image, len))
        };
        let keys: Vec<_> = left.iter().map(key).collect();
        keys.iter().enumerate().min_by_key(|(_, key)| **key).map_or(0, |(index, _)| index)
    } else {
        0
    };
    (chosen < left.len()).then(|| left.swap_remove(chosen))
}

/// Frames that are looked at for a root where the header's own is of no help.
const SEARCHED: usize = 1 << 14;
/// Members of a list that are followed.
const MAX_MEMBERS: u64 = 1 << 12;

/// How much of the kernel is found where it should be: the header's root of page tables, and the members of its two lists
/// that point at each other. Without such a root, any root counts.
pub(super) fn witnesses(candidate: &Candidate<'_>, image: &PhysicalImage) -> u64 {
    let header = candidate.header;
    let root = PhysAddr::from_cr3(header.directory_table_base.unwrap_or(0));
    if root.0 == 0 || !is_root(image, root) {
        return u64::from(self_mapped_roots(image).next().is_some());
    }
    let space = PagedSpace::new(image.clone(), root.0, PagingLevels::Four, PteRules::unknown_kernel(image.end()));
    let lists = [header.ps_loaded_module_list, header.ps_active_process_head];
    lists.into_iter().flatten().map(|head| members(&space, head)).fold(2, u64::saturating_add)
}

/// Members of a list up to the first that does not point back.
fn members(space: &PagedSpace, head: VirtAddr) -> u64 {
    let mut at = head;
    let mut count = 0;
    while let Ok(next) = space.read_pointer(at) {
        if space.read_pointer(next.wrapping_add(8)) != Ok(at) || next == head || count >= MAX_MEMBERS {
            break;
        }
        (at, count) = (next, count + 1);
    }
    count
}

/// Whether the last frame ends with the file.
fn fills(image: &PhysicalImage, len: u64) -> bool {
    let end = |run: Run| run.offset.saturating_add(run.count.saturating_mul(PAGE_SIZE));
    image.frames().runs().map(end).max() == Some(len)
}

/// Whether a frame points back at itself.
pub(super) fn is_root(image: &PhysicalImage, root: PhysAddr) -> bool {
    let mut table = [0; PAGE_BYTES];
    image.read_in_frame(root, &mut table).is_ok() && self_map_slot(&table, root).is_some()
}

fn self_mapped_roots(image: &PhysicalImage) -> impl Iterator<Item = Pfn> + '_ {
    let frames = image.frames().runs().flat_map(|run| (0..run.count).map(move |index| Pfn(run.first.0 + index)));
    frames.take(SEARCHED).filter(|pfn| is_root(image, pfn.base()))
}

/// A list of runs of frames as a file gives it.
#[derive(Clone, Copy)]
pub(super) struct RunList<'a> {
    /// The structure that holds it.
    pub(super) structure: &'static str,
    /// What an entry is called.
    pub(super) entry: &'static str,
    /// File offset of the first entry.
    pub(super) at: u64,
    /// File offset of the first page.
    pub(super) first_page: u64,
    /// The entries as first frame and count.
    pub(super) entries: &'a [(u64, u64)],
}

/// Overlaps that are told by themselves; the rest is counted.
const MAX_NAMED: usize = 8;

impl RunList<'_> {
    fn wrong(&self, index: usize, expected: &str) -> Incomplete {
        let (first, count) = self.entries.get(index).copied().unwrap_or_default();
        let found = format!("first {first:#x}, count {count:#x}");
        Incomplete::contradiction(
            self.structure,
            format!("{}[{index}]", self.entry),
            self.entry_at(index),
            found,
            expected,
        )
    }

    fn entry_at(&self, index: usize) -> u64 {
        self.at + index as u64 * 16
    }

    /// All pages of the entries.
    pub(super) fn pages(&self) -> u64 {
        self.entries.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// The frames of the list. An entry that cannot be is left out, and with it what follows: where that would lie is not
    /// known.
    pub(super) fn read(&self, candidate: &Candidate<'_>) -> Reading {
        let mut wrong = Vec::new();
        let mut runs = Vec::with_capacity(self.entries.len());
        let mut offset = Some(self.first_page);
        for (index, (first, count)) in self.entries.iter().enumerate() {
            let end = first.checked_add(*count).filter(|end| *end <= MAX_PFN);
            let bytes = count.checked_mul(PAGE_SIZE).zip(offset).and_then(|(bytes, at)| at.checked_add(bytes));
            let (Some(at), Some(_), Some(next)) = (offset, end, bytes) else {
                wrong.push(self.wrong(index, "frames below 2^40"));
                break;
            };
            runs.push(Run { first: Pfn(*first), count: *count, offset: at });
            offset = Some(next);
        }
        wrong.extend(self.overlaps(&runs));
        let frames = Frames::Runs(Runs::new(runs));
        Reading { image: PhysicalImage::new(candidate.source.clone(), frames), wrong }
    }

    /// Entries that claim frames of others.
    fn overlaps(&self, runs: &[Run]) -> Vec<Incomplete> {
        // In order, as nearly all are, they need no list of their own.
        let in_order = runs.is_sorted_by_key(|run| (run.first, run.offset));
        let mut order: Vec<u32> = if in_order { Vec::new() } else { (0..).zip(runs).map(|(index, _)| index).collect() };
        let at = |index: u32| usize::try_from(index).unwrap_or(usize::MAX);
        order.sort_unstable_by_key(|index| runs.get(at(*index)).map(|run| (run.first, run.offset)));
        let mut found: Vec<Incomplete> = Vec::new();
        let mut end = 0;
        for place in 0..runs.len() {
            let index = if in_order { place } else { order.get(place).map_or(usize::MAX, |index| at(*index)) };
            let Some(run) = runs.get(index).filter(|run| run.count > 0) else { continue };
            let taken = u64::saturating_sub(end, run.first.0).min(run.count);
            end = end.max(run.first.0.saturating_add(run.count));
            if taken == 0 {
                continue;
            }
            if let Some(last) = found.last_mut().filter(|_| index >= MAX_NAMED) {
                last.count = last.count.saturating_add(taken);
            } else {
                let wrong = self.wrong(index, "frames that no other run claims");
                let what = format!("frames claimed by more than one run: {}", wrong.what);
                found.push(Incomplete { what, ..wrong }.times(taken));
            }
        }
        found
    }

    /// Readings in which one entry has another count, so that all together have `pages`.
    pub(super) fn with_one_other_count(&self, candidate: &Candidate<'_>, pages: u64) -> Vec<Reading> {
        let mut readings = Vec::new();
        if self.entries.len() > MAX_ENTRIES {
            return readings;
        }
        for (index, (first, count)) in self.entries.iter().enumerate().take(MAX_TRIED) {
            let mut others = self.entries.iter().enumerate().filter(|(other, _)| *other != index);
            let others = others.try_fold(0_u64, |sum, (_, (_, count))| sum.checked_add(*count));
            let right =
                others.and_then(|others| pages.checked_sub(others)).filter(|right| *right > 0 && right != count);
            let Some(right) = right else { continue };
            let mut entries = self.entries.to_vec();
            if let Some(entry) = entries.get_mut(index) {
                *entry = (*first, right);
            }
            let mut reading = RunList { entries: &entries, ..*self }.read(candidate);
            if reading.wrong.is_empty() {
                reading.wrong.push(self.wrong(index, &format!("count {right:#x}, by the number of all pages")));
                readings.push(reading);
            }
        }
        readings
    }
}

/// Longer lists are taken as they are.
pub(super) const MAX_ENTRIES: usize = 1 << 12;
/// Entries whose counts are tried.
const MAX_TRIED: usize = 64;

/// Frames past this cannot be addressed: the architecture has 52 bits of physical addresses.
pub(super) const MAX_PFN: u64 = 1 << 40;

/// Pages that the file has room for from an offset on.
pub(super) fn pages_from(candidate: &Candidate<'_>, first_page: u64) -> u64 {
    candidate.source.len().saturating_sub(first_page) / PAGE_SIZE
}

/// Whether the runs of the header have as many pages as the header says.
pub(super) fn header_runs_agree(candidate: &Candidate<'_>) -> bool {
    let Some(block) = &candidate.header.physical_memory_block else { return false };
    let sum = block.runs.iter().fold(0_u64, |sum, run| sum.saturating_add(run.count));
    sum > 0 && sum == block.number_of_pages
}

/// Marks of a 64-bit dump of x64 in a header whose signature is damaged; there are seven.
pub(super) fn marks_of_header(header: &header64::Header64) -> usize {
    let kernel = |at: Option<VirtAddr>| at.is_some_and(|at| at.0 >> 47 == 0x1_ffff);
    let marks = [
        header.machine == super::MACHINE_X64,
        matches!(header.dump_type, 1..=10),
        kernel(header.ps_active_process_head),
        kernel(header.ps_loaded_module_list),
        kernel(header.kd_debugger_data_block),
        header.processors.is_some_and(|count| (1..=2048).contains(&count)),
        header.directory_table_base.is_some_and(|cr3| PhysAddr::from_cr3(cr3).0 != 0),
    ];
    marks.iter().filter(|mark| **mark).count()
}
