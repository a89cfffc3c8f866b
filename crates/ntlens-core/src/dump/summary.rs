//! Type 2: the kernel dump of Windows 7 and older, a bitmap behind a header of 32-bit fields.
//!
//! Public descriptions disagree whether the bits start at 0x2024 or 0x2028. The count of set bits decides,
//! and where both counts fit, the place of the page tables.

use super::bitmap::{self, Claim};
use super::salvage::{Reading, choose};
use super::{Candidate, Content, DumpKind, Format, HEADER_SIZE, Opened, read_head};
use crate::error::Error;
use alloc::format;
use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::le_u32;

pub(super) const FORMAT: Format = Format {
    name: "summary",
    types: &[2],
    // The signature is that of both bitmap kinds: the numbers tell, and where they could be of both, the dump type.
    matches: |candidate| {
        let of_bitmap = || bitmap::read_claim(candidate).is_ok_and(|claim| claim.plausible());
        let tagged = candidate.tag.starts_with(b"SDMP") || candidate.tag.ends_with(b"DUMP");
        let plausible = tagged && claim(candidate, ALIGNED).is_ok_and(|claim| claim.plausible());
        plausible && (candidate.header.dump_type == 2 || !of_bitmap())
    },
    open,
};

/// Where the bits start behind the header with natural alignment, and with none.
const ALIGNED: u64 = 0x28;
const PACKED: u64 = 0x24;

fn claim(candidate: &Candidate<'_>, start: u64) -> Result<Claim, Error> {
    let head = read_head(candidate.source, "SUMMARY_DUMP", HEADER_SIZE, ALIGNED)?;
    let mut fields = (take(0xc_usize), le_u32, le_u32, le_u32);
    let parsed: nom::IResult<&[u8], _> = fields.parse(&head);
    let (_, (_, first_page, bits, pages)) = parsed.map_err(|_| Error::Malformed {
        structure: "SUMMARY_DUMP",
        offset: HEADER_SIZE,
        field: "size",
        found: format!("{:#x} bytes", head.len()),
        expected: "0x28 bytes".into(),
    })?;
    Ok(Claim {
        structure: "SUMMARY_DUMP",
        first_page: ("HeaderSize", HEADER_SIZE + 0xc, first_page.into()),
        bits: ("BitmapSize", HEADER_SIZE + 0x10, bits.into()),
        pages: ("Pages", HEADER_SIZE + 0x14, pages.into()),
        at: HEADER_SIZE + start,
    })
}

fn open(candidate: &Candidate<'_>) -> Result<Opened, Error> {
    let aligned = claim(candidate, ALIGNED)?;
    let mut readings = match aligned.readings(candidate) {
        Ok(readings) => readings,
        Err(error) => {
            // The header is worth as much without the frames.
            let cut = aligned.cut(candidate).ok_or_else(|| error.clone())?;
            let incomplete = bitmap::check_signature(candidate, aligned.structure).into_iter().chain([cut]).collect();
            return Ok(Opened { kind: DumpKind::Kernel, content: Content::Nothing(error), incomplete });
        }
    };
    let packed = claim(candidate, PACKED).and_then(|claim| claim.readings(candidate)).unwrap_or_default();
    // A reading without contradictions comes before one with some.
    let sound = |readings: &[Reading]| readings.first().is_some_and(|first| first.wrong.is_empty());
    let at = if sound(&packed) && !sound(&readings) { 0 } else { readings.len() };
    readings.splice(at..at, packed);
    let Some(Reading { image, wrong }) = choose(candidate, readings) else {
        let (field, offset, found) = aligned.bits;
        let (found, expected) = (format!("{found:#x}"), "a bitmap".into());
        return Err(Error::Malformed { structure: aligned.structure, offset, field, found, expected });
    };
    let signature = bitmap::check_signature(candidate, aligned.structure);
    let incomplete = signature.into_iter().chain(wrong).collect();
    Ok(Opened { kind: DumpKind::Kernel, content: Content::Physical(image), incomplete })
}
