//! The frames that the dump describes, against the memory that the machine had.

use super::{Check, Exam, Severity};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::kdbg::Kdbg;
use crate::memory::VirtualMemory;
use crate::nt::snapshot::Snapshot;
use alloc::format;
use alloc::vec::Vec;

pub(super) const CHECK: Check = Check { name: "physical memory", run };

/// `_PHYSICAL_MEMORY_DESCRIPTOR`: u32 number of runs, u64 number of pages at 8, runs of two u64 at 0x10. The header of a
/// dump holds a copy, so its form is part of the file format.
const PAGES: u64 = 8;
const RUNS: u64 = 0x10;
/// A machine with more runs than this is not checked.
const MAX_RUNS: u32 = 4096;

const STRUCTURE: &str = "_PHYSICAL_MEMORY_DESCRIPTOR";

struct Descriptor {
    at: VirtAddr,
    pages: u64,
    runs: Vec<(u64, u64)>,
}

fn run(exam: &mut Exam<'_>) {
    let Some(kernel) = exam.whole_kernel() else { return };
    let descriptor = match read(kernel) {
        Ok(descriptor) => descriptor,
        Err(Some(wrong)) => {
            return exam.tell(wrong, Severity::Low, "the kernel's own account of the memory is not used");
        }
        Err(None) => return,
    };
    let Descriptor { at, pages, runs } = &descriptor;
    let sum = runs.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    if sum != *pages {
        let (found, expected) = (format!("{pages:#x}"), format!("{sum:#x}, the sum of its runs"));
        let wrong = Incomplete::wrong(STRUCTURE, "NumberOfPages", at.wrapping_add(PAGES), found, expected);
        return exam.tell(wrong, Severity::Low, "the kernel's own account of the memory is not used");
    }
    let Ok(image) = exam.dump.dump().physical() else { return };
    // Raw memory has the holes between the runs, too.
    if exam.dump.dump().header.is_none() {
        return;
    }
    let inside = |first: u64, count: u64| -> u64 {
        runs.iter()
            .map(|(base, length)| {
                let end = first.saturating_add(count).min(base.saturating_add(*length));
                end.saturating_sub(first.max(*base))
            })
            .fold(0, u64::saturating_add)
    };
    let mut outside = image.frames().runs().filter_map(|run| {
        let left = run.count.saturating_sub(inside(run.first.0, run.count));
        (left > 0).then_some((run.first.0, left))
    });
    for (first, count) in outside.by_ref().take(MAX_TOLD) {
        let found = format!("a run of frames from {first:#x} on of which {count:#x} are no memory of the machine");
        let wrong = Incomplete::wrong(
            "dump",
            "frames",
            crate::address::Pfn(first).base(),
            found,
            "frames of the kernel's runs",
        );
        exam.tell(wrong.times(count), Severity::Low, "the frames may be others than they are taken for");
    }
    let more = outside.map(|(_, count)| count).fold(0, u64::saturating_add);
    if more > 0 {
        let beyond = Incomplete::beyond("runs of frames that are no memory of the machine", "dump", MAX_TOLD);
        exam.tell(beyond.times(more), Severity::Low, "the frames may be others than they are taken for");
    }
}

/// Runs outside of memory that are told by themselves; the frames of the others are counted.
const MAX_TOLD: usize = 16;

/// The kernel's account; what is wrong with it, if it can be read and cannot be.
fn read(kernel: &Snapshot) -> Result<Descriptor, Option<Incomplete>> {
    let memory = kernel.space();
    let variable = kernel.kdbg().and_then(Kdbg::mm_physical_memory_block).ok_or(None)?;
    let unread = |_: Absent| None;
    let at = memory.read_pointer(variable).map_err(unread)?;
    if !at.is_kernel() {
        // Kernels that were made up have none.
        return Err(None);
    }
    let count = memory.read_u32(at).map_err(unread)?;
    if count == 0 || count > MAX_RUNS {
        let expected = format!("1 to {MAX_RUNS}");
        return Err(Some(Incomplete::wrong(STRUCTURE, "NumberOfRuns", at, count, expected)));
    }
    let run = |index: u32| {
        let at = at.wrapping_add(RUNS + u64::from(index) * 16);
        Ok((memory.read_u64(at)?, memory.read_u64(at.wrapping_add(8))?))
    };
    Ok(Descriptor {
        at,
        pages: memory.read_u64(at.wrapping_add(PAGES)).map_err(unread)?,
        runs: (0..count).map(run).collect::<Result<_, Absent>>().map_err(unread)?,
    })
}
