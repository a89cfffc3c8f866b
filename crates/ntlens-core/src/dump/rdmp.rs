//! Types 8, 9 and 0xa: what the debugger writes, with ranges of frames behind an `RDMP` header.

use super::{Candidate, Content, DumpKind, Format, HEADER_SIZE, Opened, full};
use crate::address::{PAGE_SIZE, Pfn};
use crate::error::Error;
use crate::incomplete::Incomplete;
use crate::memory::PhysicalImage;
use crate::memory::frames::{Frames, Run, Runs};
use alloc::format;
use alloc::vec::Vec;
use nom::bytes::complete::take;
use nom::multi::many0;
use nom::number::complete::{le_u32, le_u64};
use nom::{IResult, Parser};

pub(super) const FORMAT: Format = Format {
    name: "RDMP",
    types: &[8, 9, 10],
    matches: |candidate| candidate.tag.ends_with(b"RDMP") || matches!(candidate.header.dump_type, 8..=10),
    open,
};

/// Offset of the list of ranges.
const RANGES: u64 = HEADER_SIZE + 0x30;

struct RdmpHeader {
    metadata_size: u64,
    first_page: u64,
    ranges: u32,
    pages: u64,
}

fn parse(bytes: &[u8]) -> IResult<&[u8], RdmpHeader> {
    let (rest, _) = take(0x10_usize).parse(bytes)?;
    let (rest, (metadata_size, first_page)) = (le_u64, le_u64).parse(rest)?;
    let (rest, (ranges, _, pages)) = (le_u32, le_u32, le_u64).parse(rest)?;
    Ok((rest, RdmpHeader { metadata_size, first_page, ranges, pages }))
}

fn ranges(bytes: &[u8]) -> IResult<&[u8], Vec<(u64, u64)>> {
    many0((le_u64, le_u64)).parse(bytes)
}

/// Bytes of the list that are read at once, and ranges that are read at all: the list ends at a range of frame 0, and
/// nothing else bounds it.
const PIECE: u64 = 0x1_0000;
const MAX_RANGES: u64 = 1 << 20;

/// Reads the list up to the range that ends it, or as far as the file goes.
fn read_ranges(
    candidate: &Candidate<'_>,
    first_page: u64,
    incomplete: &mut Vec<Incomplete>,
) -> Result<Vec<(u64, u64)>, Error> {
    let whole = (first_page - RANGES) & !0xf;
    let held = whole.min(candidate.source.len().saturating_sub(RANGES) & !0xf).min(MAX_RANGES * 16);
    let mut listed: Vec<(u64, u64)> = Vec::new();
    let mut done = 0;
    while done < held {
        let piece = PIECE.min(held - done);
        let bytes = candidate.source.read_vec(RANGES + done, piece)?;
        let found = ranges(&bytes).map(|(_, ranges)| ranges).unwrap_or_default();
        let end = found.iter().position(|(first, _)| *first == 0);
        listed.extend(found.into_iter().take(end.unwrap_or(usize::MAX)));
        if end.is_some() {
            return Ok(listed);
        }
        done += piece;
    }
    if held < whole {
        let at = RANGES + held;
        let why = crate::Absent::Truncated { offset: at };
        let missing = Incomplete::new("RDMP ranges", format_args!("file offset {at:#x}"), why);
        incomplete.push(missing.times((whole - held) / 16));
    }
    Ok(listed)
}

fn open(candidate: &Candidate<'_>) -> Result<Opened, Error> {
    let malformed = |offset, field, found, expected: &str| Error::Malformed {
        structure: "RDMP_HEADER64",
        offset,
        field,
        found,
        expected: expected.into(),
    };
    if !candidate.tag.ends_with(b"RDMP") {
        let found = format!("\"{}\"", candidate.tag.escape_ascii());
        return Err(malformed(HEADER_SIZE, "Signature", found, "0x40 and \"RDMP\""));
    }
    let head = candidate.source.read_vec(HEADER_SIZE, RANGES - HEADER_SIZE)?;
    let header = parse(&head).map(|(_, header)| header);
    let header = header.map_err(|_| malformed(HEADER_SIZE, "size", format!("{:#x}", head.len()), "0x30 bytes"))?;
    if !header.first_page.is_multiple_of(0x10) || header.first_page < RANGES {
        let found = format!("{:#x}", header.first_page);
        return Err(malformed(HEADER_SIZE + 0x18, "FirstPageOffset", found, "an offset behind the list of ranges"));
    }
    let mut incomplete = Vec::new();
    if header.metadata_size.checked_sub(0x20) != header.first_page.checked_sub(HEADER_SIZE + 0x40) {
        let found = format!("{:#x}", header.metadata_size);
        let expected = format!("{:#x}, up to the first page", header.first_page - (HEADER_SIZE + 0x20));
        let at = HEADER_SIZE + 0x10;
        incomplete.push(Incomplete::contradiction("RDMP_HEADER64", "MetadataSize", at, found, expected));
    }
    let full_form = candidate.header.dump_type == 10;
    let listed = read_ranges(candidate, header.first_page, &mut incomplete)?;
    let mut runs = Vec::new();
    let mut pages = 0_u64;
    for (index, (first, count)) in listed.into_iter().enumerate() {
        // The full form ends when all pages are accounted for.
        if full_form && pages >= header.pages {
            break;
        }
        let offset = pages.checked_mul(PAGE_SIZE).and_then(|bytes| bytes.checked_add(header.first_page));
        let end = first.checked_add(count).filter(|end| *end <= full::MAX_PFN);
        let (Some(offset), Some(_)) = (offset, end) else {
            let found = format!("first {first:#x}, count {count:#x}");
            let at = RANGES + index as u64 * 16;
            incomplete.push(Incomplete::contradiction("RDMP_HEADER64", "Range", at, found, "frames below 2^40"));
            break;
        };
        runs.push(Run { first: Pfn(first), count, offset });
        pages = pages.saturating_add(count);
    }
    if full_form && pages != header.pages {
        let found = format!("{:#x}", header.pages);
        let expected = format!("{pages:#x}, the sum of {} ranges", header.ranges);
        let at = HEADER_SIZE + 0x28;
        incomplete.push(Incomplete::contradiction("RDMP_HEADER64", "TotalNumberOfPages", at, found, expected));
    }
    let runs = Runs::new(runs);
    full::note_overlap(&runs, &mut incomplete);
    let kind = match candidate.header.dump_type {
        9 => DumpKind::RdmpKernelUser,
        10 => DumpKind::RdmpFull,
        _ => DumpKind::RdmpKernel,
    };
    let image = PhysicalImage::new(candidate.source.clone(), Frames::Runs(runs));
    Ok(Opened { kind, content: Content::Physical(image), incomplete })
}
