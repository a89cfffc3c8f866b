//! Type 1: the runs of the header, back to back behind it.

use super::header64::offsets;
use super::{Candidate, Content, DumpKind, Format, HEADER_SIZE, Opened};
use crate::address::PAGE_SIZE;
use crate::error::Error;
use crate::incomplete::Incomplete;
use crate::memory::PhysicalImage;
use crate::memory::frames::{Frames, Run, Runs};
use alloc::format;
use alloc::vec::Vec;

pub(super) const FORMAT: Format = Format {
    name: "complete memory",
    types: &[1],
    matches: |candidate| {
        let known = matches!(candidate.header.dump_type, 2..=10);
        candidate.header.dump_type == 1 || (!known && candidate.header.physical_memory_block.is_some())
    },
    open,
};

fn open(candidate: &Candidate<'_>) -> Result<Opened, Error> {
    let malformed = |offset, field, found, expected: &str| {
        Err(Error::Malformed { structure: "DUMP_HEADER64", offset, field, found, expected: expected.into() })
    };
    let Some(block) = &candidate.header.physical_memory_block else {
        let field = "PhysicalMemoryBlock.NumberOfRuns";
        return malformed(offsets::NUMBER_OF_RUNS, field, "not filled in".into(), "1 to 42 runs");
    };
    if block.number_of_runs == 0 {
        return malformed(offsets::NUMBER_OF_RUNS, "PhysicalMemoryBlock.NumberOfRuns", "0".into(), "1 to 42 runs");
    }
    let mut incomplete = Vec::new();
    let listed = block.runs.len() as u64;
    if u64::from(block.number_of_runs) != listed {
        let field = "PhysicalMemoryBlock.NumberOfRuns";
        let (found, expected) = (block.number_of_runs, "at most 42, which fit into the header");
        incomplete.push(Incomplete::contradiction("DUMP_HEADER64", field, offsets::NUMBER_OF_RUNS, found, expected));
    }
    let mut offset = Some(HEADER_SIZE);
    let mut runs = Vec::with_capacity(block.runs.len());
    let mut pages = 0_u64;
    for (index, run) in block.runs.iter().enumerate() {
        let end = run.base.0.checked_add(run.count).filter(|end| *end <= MAX_PFN);
        let bytes = run.count.checked_mul(PAGE_SIZE).zip(offset).and_then(|(bytes, at)| at.checked_add(bytes));
        let (Some(at), Some(_), Some(next)) = (offset, end, bytes) else {
            // A run that cannot be is left out, and with it what follows: where that would lie is not known.
            let at = offsets::RUNS + index as u64 * 16;
            let found = format!("base {:#x}, count {:#x}", run.base.0, run.count);
            let expected = "frames below 2^40";
            incomplete.push(Incomplete::contradiction("DUMP_HEADER64", "PhysicalMemoryBlock.Run", at, found, expected));
            break;
        };
        runs.push(Run { first: run.base, count: run.count, offset: at });
        pages += run.count;
        offset = Some(next);
    }
    if pages != block.number_of_pages {
        let field = "PhysicalMemoryBlock.NumberOfPages";
        let found = format!("{:#x}", block.number_of_pages);
        let expected = format!("{pages:#x}, the sum of the runs");
        incomplete.push(Incomplete::contradiction("DUMP_HEADER64", field, offsets::NUMBER_OF_PAGES, found, expected));
    }
    let runs = Runs::new(runs);
    note_overlap(&runs, &mut incomplete);
    let image = PhysicalImage::new(candidate.source.clone(), Frames::Runs(runs));
    Ok(Opened { kind: DumpKind::Full, content: Content::Physical(image), incomplete })
}

/// Frames past this cannot be addressed: the architecture has 52 bits of physical addresses.
pub(super) const MAX_PFN: u64 = 1 << 40;

/// Says that runs claim the same frames.
pub(super) fn note_overlap(runs: &Runs, incomplete: &mut Vec<Incomplete>) {
    if runs.overlapping > 0 {
        let what = "frames claimed by more than one run";
        let overlap = Incomplete::new(what, "run list", crate::Absent::Malformed);
        incomplete.push(overlap.times(runs.overlapping));
    }
}
