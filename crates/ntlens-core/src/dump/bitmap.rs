//! Types 5 and 6: a bitmap of frames behind the header, then the frames whose bits are set.

use super::{Candidate, Content, DumpKind, Format, HEADER_SIZE, Opened, full, is_live};
use crate::address::PAGE_SIZE;
use crate::error::Error;
use crate::incomplete::Incomplete;
use crate::memory::PhysicalImage;
use crate::memory::frames::{Bitmap, Frames};
use alloc::format;
use alloc::vec::Vec;
use nom::bytes::complete::take;
use nom::number::complete::le_u64;
use nom::{IResult, Parser};

pub(super) const FORMAT: Format = Format {
    name: "bitmap",
    types: &[5, 6, 7],
    matches: |candidate| has_signature(candidate) || matches!(candidate.header.dump_type, 5..=7),
    open,
};

/// Offset of the first byte of the bitmap.
const BITS: u64 = HEADER_SIZE + 0x38;

/// Whether `FDMP` or `SDMP`, and `DUMP`, follow the header.
pub(super) fn has_signature(candidate: &Candidate<'_>) -> bool {
    matches!(&candidate.tag, b"FDMPDUMP" | b"SDMPDUMP")
}

struct BitmapHeader {
    first_page: u64,
    pages: u64,
    bits: u64,
}

fn parse(bytes: &[u8]) -> IResult<&[u8], BitmapHeader> {
    let (rest, _) = take(0x20_usize).parse(bytes)?;
    let (rest, (first_page, pages, bits)) = (le_u64, le_u64, le_u64).parse(rest)?;
    Ok((rest, BitmapHeader { first_page, pages, bits }))
}

fn open(candidate: &Candidate<'_>) -> Result<Opened, Error> {
    let malformed = |offset, field, found, expected: &str| Error::Malformed {
        structure: "BITMAP_DUMP",
        offset,
        field,
        found,
        expected: expected.into(),
    };
    if !has_signature(candidate) {
        let found = format!("\"{}\"", candidate.tag.escape_ascii());
        return Err(malformed(HEADER_SIZE, "Signature", found, "\"FDMPDUMP\" or \"SDMPDUMP\""));
    }
    let head = candidate.source.read_vec(HEADER_SIZE, BITS - HEADER_SIZE)?;
    let BitmapHeader { first_page, pages, bits } = parse(&head)
        .map(|(_, header)| header)
        .map_err(|_| malformed(HEADER_SIZE, "size", format!("{:#x} bytes", head.len()), "0x38 bytes"))?;
    let (at_first, at_pages, at_bits) = (HEADER_SIZE + 0x20, HEADER_SIZE + 0x28, HEADER_SIZE + 0x30);
    if bits == 0 || bits > full::MAX_PFN {
        return Err(malformed(at_bits, "BitmapSize", format!("{bits:#x} bits"), "1 to 2^40 bits"));
    }
    let bytes = bits.div_ceil(8);
    if first_page < BITS + bytes || !first_page.is_multiple_of(PAGE_SIZE) {
        let found = format!("{first_page:#x} with a bitmap of {bytes:#x} bytes");
        return Err(malformed(at_first, "FirstPage", found, "a page boundary behind the bitmap"));
    }
    let bitmap = read_bitmap(candidate, BITS, bits, first_page)?;
    let mut incomplete = Vec::new();
    if bitmap.population() != pages {
        let expected = format!("{:#x}, the number of set bits", bitmap.population());
        let found = format!("{pages:#x}");
        incomplete.push(Incomplete::contradiction("BITMAP_DUMP", "TotalPresentPages", at_pages, found, expected));
    }
    let kind = match candidate.header.dump_type {
        5 => DumpKind::BitmapFull,
        6 | 7 if is_live(candidate.header) => DumpKind::Live,
        6 | 7 => DumpKind::BitmapKernel,
        _ if candidate.tag.starts_with(b"FDMP") => DumpKind::BitmapFull,
        _ => DumpKind::BitmapKernel,
    };
    let image = PhysicalImage::new(candidate.source.clone(), Frames::Bitmap(bitmap));
    Ok(Opened { kind, content: Content::Physical(image), incomplete })
}

/// A bitmap for more memory than this is refused: 8 TiB take 256 MiB of bits.
const MAX_BITS: u64 = 1 << 31;

/// Reads the bits at a file offset; all of them must lie in the file, however many pages are missing behind them.
pub(super) fn read_bitmap(candidate: &Candidate<'_>, at: u64, bits: u64, first_page: u64) -> Result<Bitmap, Error> {
    if bits > MAX_BITS {
        return Err(Error::Malformed {
            structure: "BITMAP_DUMP",
            offset: at,
            field: "BitmapSize",
            found: format!("{bits:#x} bits"),
            expected: format!("at most {MAX_BITS:#x} bits, for 8 TiB of memory"),
        });
    }
    let bytes = candidate.source.read_vec(at, bits.div_ceil(8))?;
    Ok(Bitmap::new(bytes, bits, first_page))
}
