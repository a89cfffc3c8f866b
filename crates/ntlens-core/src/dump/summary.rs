//! Type 2: the kernel dump of Windows 7 and older, a bitmap behind a header of 32-bit fields.
//!
//! Public descriptions disagree whether the bits start at 0x2024 or 0x2028. The count of set bits decides,
//! and where both counts fit, the place of the page tables.

use super::{Candidate, Content, DumpKind, Format, HEADER_SIZE, Opened, bitmap};
use crate::address::{PAGE_BYTES, PAGE_SIZE, PhysAddr};
use crate::error::Error;
use crate::incomplete::Incomplete;
use crate::memory::PhysicalImage;
use crate::memory::frames::Frames;
use crate::memory::paging::self_map_slot;
use alloc::format;
use alloc::vec::Vec;
use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::le_u32;

pub(super) const FORMAT: Format = Format {
    name: "summary",
    types: &[2],
    // With the signature of both bitmap kinds, the dump type decides; it alone is not enough to tell.
    matches: |candidate| candidate.header.dump_type == 2 && summary(candidate).is_ok_and(|found| found.plausible()),
    open,
};

struct Summary {
    first_page: u64,
    pages: u64,
    bits: u64,
}

impl Summary {
    fn plausible(&self) -> bool {
        self.bits > 0 && self.first_page.is_multiple_of(PAGE_SIZE) && self.first_page > HEADER_SIZE + self.bits / 8
    }
}

fn summary(candidate: &Candidate<'_>) -> Result<Summary, Error> {
    let malformed = |field, found| Error::Malformed {
        structure: "SUMMARY_DUMP",
        offset: HEADER_SIZE,
        field,
        found,
        expected: "\"SDMPDUMP\"".into(),
    };
    if !bitmap::has_signature(candidate) {
        return Err(malformed("Signature", format!("\"{}\"", candidate.tag.escape_ascii())));
    }
    let head = candidate.source.read_vec(HEADER_SIZE, 0x28)?;
    let mut fields = (take(0xc_usize), le_u32, le_u32, le_u32);
    let parsed: nom::IResult<&[u8], _> = fields.parse(&head);
    let (_, (_, first_page, bits, pages)) =
        parsed.map_err(|_| malformed("size", format!("{:#x} bytes", head.len())))?;
    Ok(Summary { first_page: first_page.into(), pages: pages.into(), bits: bits.into() })
}

fn open(candidate: &Candidate<'_>) -> Result<Opened, Error> {
    let summary = summary(candidate)?;
    let read = |start| {
        let bitmap = bitmap::read_bitmap(candidate, HEADER_SIZE + start, summary.bits, summary.first_page)?;
        Ok(PhysicalImage::new(candidate.source.clone(), Frames::Bitmap(bitmap)))
    };
    let fits = |image: &PhysicalImage| image.frames().described() == summary.pages;
    let (aligned, packed): (_, Result<_, Error>) = (read(0x28)?, read(0x24));
    // Where no frame is at either end of the bitmap both counts fit: then the header's page tables decide.
    let packed = packed.ok().filter(|packed| {
        fits(packed) && (!fits(&aligned) || (!holds_root(candidate, &aligned) && holds_root(candidate, packed)))
    });
    let mut incomplete = Vec::new();
    if packed.is_none() && !fits(&aligned) {
        let expected = format!("{:#x}, the number of set bits", aligned.frames().described());
        let found = format!("{:#x}", summary.pages);
        let at = HEADER_SIZE + 0x14;
        incomplete.push(Incomplete::contradiction("SUMMARY_DUMP", "Pages", at, found, expected));
    }
    let image = packed.unwrap_or(aligned);
    Ok(Opened { kind: DumpKind::Kernel, content: Content::Physical(image), incomplete })
}

/// Whether the frame that the header gives as the root of page tables points back at itself, as each root does.
fn holds_root(candidate: &Candidate<'_>, image: &PhysicalImage) -> bool {
    let root = PhysAddr::from_cr3(candidate.header.directory_table_base.unwrap_or(0));
    let mut table = [0; PAGE_BYTES];
    image.read_in_frame(root, &mut table).is_ok() && self_map_slot(&table, root).is_some()
}
