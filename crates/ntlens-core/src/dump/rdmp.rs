//! Types 8, 9 and 0xa: what the debugger writes, with ranges of frames behind an `RDMP` header.

use super::salvage::{MAX_ENTRIES, Reading, RunList, choose, pages_from};
use super::{Candidate, Content, DumpKind, Format, HEADER_SIZE, Opened, read_head};
use crate::error::Error;
use crate::incomplete::{Incomplete, Place};
use alloc::format;
use alloc::vec::Vec;
use nom::bytes::complete::take;
use nom::multi::many0;
use nom::number::complete::{le_u32, le_u64};
use nom::{IResult, Parser};

pub(super) const FORMAT: Format = Format { name: "RDMP", types: &[8, 9, 10], matches: has_signature, open };

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
    let whole = first_page.saturating_sub(RANGES) & !0xf;
    let held = whole.min(candidate.source.len().saturating_sub(RANGES) & !0xf).min(MAX_RANGES * 16);
    let mut listed: Vec<(u64, u64)> = Vec::new();
    let mut done = 0;
    while done < held {
        let piece = PIECE.min(held - done);
        let bytes = candidate.source.read_vec(RANGES + done, piece)?;
        let found = ranges(&bytes).map(|(_, ranges)| ranges).unwrap_or_default();
        let end = found.iter().position(|(first, _)| *first == 0);
        if done == PIECE {
            // A long list takes its room at once: growing would take twice as much for a moment.
            listed.reserve_exact(usize::try_from(held / 16).unwrap_or(0).saturating_sub(listed.len()));
        }
        listed.extend(found.into_iter().take(end.unwrap_or(usize::MAX)));
        if end.is_some() {
            return Ok(listed);
        }
        done += piece;
    }
    if held < whole {
        let at = RANGES + held;
        let why = crate::Absent::Truncated { offset: at };
        let left = (whole - held) / 16;
        let missing = Incomplete::new("RDMP ranges", Place::File(at), why);
        let expected = format!("a range of frame 0 that ends the list, or {left} more ranges");
        incomplete.push(missing.of_field(STRUCTURE, "Range", "the end of what is read", expected).times(left));
    }
    Ok(listed)
}

/// Whether `RDMP` follows the marker; if that is damaged, whether the two numbers behind it that depend on each other do.
fn has_signature(candidate: &Candidate<'_>) -> bool {
    let mut valid = [0; 4];
    candidate.tag.ends_with(b"RDMP")
        || (candidate.source.read_at(HEADER_SIZE + 8, &mut valid).is_ok() && &valid == b"DUMP" && {
            read_header(candidate).is_ok_and(|header| header.agrees())
        })
}

impl RdmpHeader {
    /// The offset of the first page that the metadata's size gives.
    fn first_page_by_size(&self) -> Option<u64> {
        self.metadata_size.checked_add(HEADER_SIZE + 0x20)
    }

    fn agrees(&self) -> bool {
        valid(self.first_page) && self.first_page_by_size() == Some(self.first_page)
    }
}

/// Whether pages can begin at an offset.
fn valid(first_page: u64) -> bool {
    first_page.is_multiple_of(0x10) && first_page >= RANGES
}

fn read_header(candidate: &Candidate<'_>) -> Result<RdmpHeader, Error> {
    let head = read_head(candidate.source, STRUCTURE, HEADER_SIZE, RANGES - HEADER_SIZE)?;
    parse(&head).map(|(_, header)| header).map_err(|_| Error::Malformed {
        structure: STRUCTURE,
        offset: HEADER_SIZE,
        field: "size",
        found: format!("{:#x} bytes", head.len()),
        expected: "0x30 bytes".into(),
    })
}

const STRUCTURE: &str = "RDMP_HEADER64";

/// The parts of the signature that are damaged.
fn check_signature(candidate: &Candidate<'_>) -> Option<Incomplete> {
    let mut valid = [0; 4];
    let read = candidate.source.read_at(HEADER_SIZE + 8, &mut valid);
    let (marker, signature) = candidate.tag.split_at(4);
    let parts: [(&'static str, u64, &[u8], &[u8]); 3] = [
        ("Marker", HEADER_SIZE, marker, &[0x40, 0, 0, 0]),
        ("Signature", HEADER_SIZE + 4, signature, b"RDMP"),
        ("ValidDump", HEADER_SIZE + 8, &valid, b"DUMP"),
    ];
    let wrong = parts.into_iter().find(|(_, _, found, expected)| read.is_ok() && found != expected);
    wrong.map(|(field, at, found, expected)| {
        let text = |bytes: &[u8]| format!("\"{}\"", bytes.escape_ascii());
        Incomplete::contradiction(STRUCTURE, field, at, text(found), text(expected))
    })
}

fn open(candidate: &Candidate<'_>) -> Result<Opened, Error> {
    let malformed = |offset, field, found, expected: &str| Error::Malformed {
        structure: STRUCTURE,
        offset,
        field,
        found,
        expected: expected.into(),
    };
    // Of a file that ends before the signature, that is what is wrong.
    let header = read_header(candidate)?;
    if !has_signature(candidate) {
        let found = format!("\"{}\"", candidate.tag.escape_ascii());
        return Err(malformed(HEADER_SIZE, "Signature", found, "0x40 and \"RDMP\""));
    }
    let mut readings = Vec::new();
    if valid(header.first_page) {
        readings.extend(self::readings(candidate, &header, header.first_page)?);
        if !header.agrees() {
            let found = format!("{:#x}", header.metadata_size);
            let expected = format!("{:#x}, up to the first page", header.first_page - (HEADER_SIZE + 0x20));
            let at = HEADER_SIZE + 0x10;
            let wrong = Incomplete::contradiction(STRUCTURE, "MetadataSize", at, found, expected);
            for reading in &mut readings {
                reading.wrong.push(wrong.clone());
            }
            // A list that takes megabytes is not kept twice.
            let short = readings.iter().all(|reading| reading.image.frames().runs().nth(MAX_ENTRIES).is_none());
            if let Some(by_size) = header.first_page_by_size().filter(|_| short) {
                readings.extend(by_size_of_metadata(candidate, &header, by_size)?);
            }
        }
    } else if let Some(by_size) = header.first_page_by_size() {
        readings.extend(by_size_of_metadata(candidate, &header, by_size)?);
    }
    let Some(Reading { image, wrong }) = choose(candidate, readings) else {
        let found = format!("{:#x}", header.first_page);
        return Err(malformed(HEADER_SIZE + 0x18, "FirstPageOffset", found, "an offset behind the list of ranges"));
    };
    let kind = match candidate.header.dump_type {
        9 => DumpKind::RdmpKernelUser,
        10 => DumpKind::RdmpFull,
        _ => DumpKind::RdmpKernel,
    };
    let incomplete = check_signature(candidate).into_iter().chain(wrong).collect();
    Ok(Opened { kind, content: Content::Physical(image), incomplete })
}

/// The readings with the first page where the metadata end.
fn by_size_of_metadata(candidate: &Candidate<'_>, header: &RdmpHeader, by_size: u64) -> Result<Vec<Reading>, Error> {
    // Sizes that lead out of the file are no witness.
    if !valid(by_size) || by_size > candidate.source.len() {
        return Ok(Vec::new());
    }
    let mut readings = readings(candidate, header, by_size)?;
    let (found, expected) = (format!("{:#x}", header.first_page), format!("{by_size:#x}, where the metadata end"));
    let wrong = Incomplete::contradiction(STRUCTURE, "FirstPageOffset", HEADER_SIZE + 0x18, found, expected);
    for reading in &mut readings {
        reading.wrong.push(wrong.clone());
    }
    Ok(readings)
}

/// The ways to read the ranges: as they are; if they contradict the number of pages, one range with another count.
fn readings(candidate: &Candidate<'_>, header: &RdmpHeader, first_page: u64) -> Result<Vec<Reading>, Error> {
    let mut cut = Vec::new();
    let mut entries = read_ranges(candidate, first_page, &mut cut)?;
    let full_form = candidate.header.dump_type == 10;
    if full_form {
        // The full form ends when all pages are accounted for, and counts its ranges besides.
        let mut pages = 0_u64;
        let end = entries.iter().position(|(_, count)| {
            pages = pages.saturating_add(*count);
            pages == header.pages
        });
        let counted = usize::try_from(header.ranges).ok().filter(|count| (1..=entries.len()).contains(count));
        entries.truncate(end.map(|end| end + 1).or(counted).unwrap_or(entries.len()));
    }
    let list = RunList { structure: STRUCTURE, entry: "Range", at: RANGES, first_page, entries: &entries };
    let mut reading = list.read(candidate);
    reading.wrong.extend(cut);
    let room = pages_from(candidate, first_page);
    let wrong_pages = full_form && list.pages() != header.pages;
    if wrong_pages {
        let found = format!("{:#x}", header.pages);
        let expected = format!("{:#x}, the sum of {} ranges", list.pages(), header.ranges);
        let at = HEADER_SIZE + 0x28;
        reading.wrong.push(Incomplete::contradiction(STRUCTURE, "TotalNumberOfPages", at, found, expected));
    }
    let mut readings = Vec::from([reading]);
    if list.pages() != room && first_page <= candidate.source.len() {
        let totals = [Some(header.pages).filter(|_| wrong_pages), Some(room)];
        for total in totals.into_iter().flatten() {
            readings.extend(list.with_one_other_count(candidate, total));
        }
    }
    Ok(readings)
}
