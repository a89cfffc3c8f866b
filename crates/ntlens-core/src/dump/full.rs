//! Type 1: the runs of the header, back to back behind it.

use super::header64::{PhysicalMemoryBlock, offsets};
use super::salvage::{Reading, RunList, choose, header_runs_agree, is_root, pages_from, witnesses};
use super::{Candidate, Content, DumpKind, Format, HEADER_SIZE, Opened};
use crate::error::Error;
use crate::incomplete::Incomplete;
use alloc::format;
use alloc::vec::Vec;

pub(super) const FORMAT: Format = Format { name: "complete memory", types: &[1], matches: holds_kernel, open };

/// Whether the kernel is where the runs of the header say. Dumps of other kinds list the machine's runs, too, and hold their
/// pages elsewhere.
fn holds_kernel(candidate: &Candidate<'_>) -> bool {
    let block = candidate.header.physical_memory_block.as_ref().filter(|_| header_runs_agree(candidate));
    let reading = block.and_then(|block| readings(candidate, block).into_iter().next());
    reading.is_some_and(|reading| witnesses(candidate, &reading.image) > 0)
}

const STRUCTURE: &str = "DUMP_HEADER64";
const NUMBER_OF_RUNS: &str = "PhysicalMemoryBlock.NumberOfRuns";

fn open(candidate: &Candidate<'_>) -> Result<Opened, Error> {
    let block = candidate.header.physical_memory_block.as_ref();
    let mut readings = block.map(|block| readings(candidate, block)).unwrap_or_default();
    if readings.is_empty() {
        readings.extend(from_zero(candidate));
    }
    let Some(Reading { image, wrong }) = choose(candidate, readings) else {
        return Err(Error::Malformed {
            structure: STRUCTURE,
            offset: offsets::NUMBER_OF_RUNS,
            field: NUMBER_OF_RUNS,
            found: block.map_or("not filled in".into(), |block| format!("{}", block.number_of_runs)),
            expected: "1 to 42 runs".into(),
        });
    };
    Ok(Opened { kind: DumpKind::Full, content: Content::Physical(image), incomplete: wrong })
}

/// The ways to read the runs: as they are; if that contradicts the number of pages, another number of runs, or one run with
/// another count.
fn readings(candidate: &Candidate<'_>, block: &PhysicalMemoryBlock) -> Vec<Reading> {
    let all: Vec<(u64, u64)> = block.runs.iter().chain(&block.behind).map(|run| (run.base.0, run.count)).collect();
    let list = |entries| RunList {
        structure: STRUCTURE,
        entry: "PhysicalMemoryBlock.Run",
        at: offsets::RUNS,
        first_page: HEADER_SIZE,
        entries,
    };
    let entries = all.get(..block.runs.len()).unwrap_or_default();
    let as_listed = list(entries);
    let pages = as_listed.pages();
    let mut readings = Vec::new();
    if block.number_of_runs > 0 {
        let mut reading = as_listed.read(candidate);
        if u64::from(block.number_of_runs) != entries.len() as u64 {
            reading.wrong.push(wrong_number(block, "at most 42, which fit into the header"));
        }
        if pages != block.number_of_pages {
            let field = "PhysicalMemoryBlock.NumberOfPages";
            let found = format!("{:#x}", block.number_of_pages);
            let expected = format!("{pages:#x}, the sum of the runs");
            reading.wrong.push(Incomplete::contradiction(STRUCTURE, field, offsets::NUMBER_OF_PAGES, found, expected));
        }
        if reading.wrong.is_empty() {
            return Vec::from([reading]);
        }
        // Where the runs fill the file to its last page it is the number of pages that is wrong.
        if pages == pages_from(candidate, HEADER_SIZE) && reading.wrong.len() == 1 {
            return Vec::from([reading]);
        }
        readings.push(reading);
    }
    for total in [block.number_of_pages, pages_from(candidate, HEADER_SIZE)] {
        if let Some(count) = runs_with(&all, total) {
            let mut reading = list(all.get(..count).unwrap_or_default()).read(candidate);
            let expected = format!("{count}, whose pages are {total:#x} together");
            reading.wrong.push(wrong_number(block, &expected));
            // Fewer contradictions than the header's own number come first.
            let better = readings.first().is_none_or(|first: &Reading| first.wrong.len() > reading.wrong.len());
            readings.insert(if better { 0 } else { readings.len() }, reading);
        }
        readings.extend(as_listed.with_one_other_count(candidate, total));
    }
    readings
}

fn wrong_number(block: &PhysicalMemoryBlock, expected: &str) -> Incomplete {
    Incomplete::contradiction(STRUCTURE, NUMBER_OF_RUNS, offsets::NUMBER_OF_RUNS, block.number_of_runs, expected)
}

/// How many of the runs, all in order and apart, have so many pages together.
fn runs_with(runs: &[(u64, u64)], pages: u64) -> Option<usize> {
    let (mut sum, mut end) = (0_u64, 0);
    for (index, (first, count)) in runs.iter().enumerate() {
        if *count == 0 || *first < end {
            return None;
        }
        end = first.checked_add(*count)?;
        sum = sum.checked_add(*count)?;
        if sum >= pages {
            return (sum == pages).then_some(index + 1);
        }
    }
    None
}

/// Memory without holes, if page tables are where they should be then: writers that know no runs describe it so.
fn from_zero(candidate: &Candidate<'_>) -> Option<Reading> {
    let pages = pages_from(candidate, HEADER_SIZE);
    let entries = [(0, pages)];
    let list =
        RunList { structure: STRUCTURE, entry: "", at: offsets::RUNS, first_page: HEADER_SIZE, entries: &entries };
    let mut reading = list.read(candidate);
    let root = crate::address::PhysAddr::from_cr3(candidate.header.directory_table_base?);
    if !is_root(&reading.image, root) {
        return None;
    }
    let expected = format!("1 run of {pages:#x} pages from 0 on, as the page tables lie");
    let at = offsets::NUMBER_OF_RUNS;
    reading.wrong.push(Incomplete::contradiction(STRUCTURE, NUMBER_OF_RUNS, at, "no number", expected));
    Some(reading)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_counted_by_their_pages() {
        let runs = [(1, 0x9e), (0x100, 0x700), (0x1000, 0x800), (0x4547_4150, 7)];
        assert_eq!(runs_with(&runs, 0x9e + 0x700), Some(2));
        assert_eq!(runs_with(&runs, 0x9e + 0xf00), Some(3));
        assert_eq!(runs_with(&runs, 0x9f), None);
        assert_eq!(runs_with(&[(5, 5), (6, 5)], 10), None);
    }
}
