//! Types 5 and 6: a bitmap of frames behind the header, then the frames whose bits are set.

use super::salvage::{MAX_PFN, Reading, choose};
use super::{Candidate, Content, DumpKind, Format, HEADER_SIZE, Opened, is_live, read_head};
use crate::absent::Absent;
use crate::address::PAGE_SIZE;
use crate::error::Error;
use crate::incomplete::{Incomplete, Place};
use crate::memory::PhysicalImage;
use crate::memory::bitmap::{Bitmap, BitmapCensus};
use crate::memory::frames::Frames;
use crate::source::ReadError;
use alloc::format;
use alloc::vec::Vec;
use nom::bytes::complete::take;
use nom::number::complete::le_u64;
use nom::{IResult, Parser};

pub(super) const FORMAT: Format = Format {
    name: "bitmap",
    types: &[5, 6, 7],
    // The older kind has the same signature: of a header that makes no sense, the dump type tells which it is.
    matches: |candidate| {
        let plausible = || read_claim(candidate).is_ok_and(|claim| claim.plausible());
        has_signature(candidate) && (candidate.header.dump_type != 2 || plausible())
    },
    open,
};

/// Offset of the first byte of the bitmap.
const BITS: u64 = HEADER_SIZE + 0x38;

/// Whether `FDMP` or `SDMP`, and `DUMP`, follow the header; one of the two may be damaged.
pub(super) fn has_signature(candidate: &Candidate<'_>) -> bool {
    let (signature, valid) = candidate.tag.split_at(4);
    // `DUMP` alone would be that of any kind with a header of its own.
    matches!(signature, b"FDMP" | b"SDMP") || (valid == b"DUMP" && read_claim(candidate).is_ok_and(|c| c.plausible()))
}

/// What of a damaged signature is wrong.
pub(super) fn check_signature(candidate: &Candidate<'_>, structure: &'static str) -> Option<Incomplete> {
    let (signature, valid) = candidate.tag.split_at(4);
    let text = |bytes: &[u8]| format!("\"{}\"", bytes.escape_ascii());
    if !matches!(signature, b"FDMP" | b"SDMP") {
        let expected = "\"FDMP\" or \"SDMP\"";
        return Some(Incomplete::contradiction(structure, "Signature", HEADER_SIZE, text(signature), expected));
    }
    let (at, expected) = (HEADER_SIZE + 4, "\"DUMP\"");
    (valid != b"DUMP").then(|| Incomplete::contradiction(structure, "ValidDump", at, text(valid), expected))
}

/// What a header says of the bitmap and the pages behind it, and where it says so.
pub(super) struct Claim {
    pub(super) structure: &'static str,
    /// Name, file offset and value of the offset of the first page.
    pub(super) first_page: (&'static str, u64, u64),
    /// The same of the number of pages.
    pub(super) pages: (&'static str, u64, u64),
    /// The same of the number of bits.
    pub(super) bits: (&'static str, u64, u64),
    /// File offset of the bits.
    pub(super) at: u64,
}

impl Claim {
    /// Whether the numbers can be those of a bitmap.
    pub(super) fn plausible(&self) -> bool {
        let (bits, first_page) = (self.bits.2, self.first_page.2);
        (1..=MAX_PFN).contains(&bits)
            && first_page.is_multiple_of(PAGE_SIZE)
            && first_page >= self.at.saturating_add(bits.div_ceil(8))
    }

    /// What of a sound claim the file does not hold: it ends inside the bits, and no frame is known.
    pub(super) fn cut(&self, candidate: &Candidate<'_>) -> Option<Incomplete> {
        let (len, bits) = (candidate.source.len(), self.bits.2);
        if !self.plausible() || bits > MAX_BITS || self.at.saturating_add(bits.div_ceil(8)) <= len {
            return None;
        }
        let missing = Incomplete::new("page frames", Place::File(len), Absent::Truncated { offset: len });
        let expected = format!("more than {:#x}, where the bitmap ends and the first page lies", self.first_page.2);
        Some(missing.of_field("file", "size", format!("{len:#x}"), expected).times(self.pages.2))
    }

    fn wrong(&self, of: (&'static str, u64, u64), expected: &str) -> Incomplete {
        Incomplete::contradiction(self.structure, of.0, of.1, format!("{:#x}", of.2), expected)
    }

    fn error(&self, of: (&'static str, u64, u64), expected: &str) -> Error {
        let found = format!("{:#x}", of.2);
        Error::Malformed { structure: self.structure, offset: of.1, field: of.0, found, expected: expected.into() }
    }

    /// The bits, and what of their number is wrong. They end where the first page begins, at the latest: if that many have
    /// as many pages as there should be and those of the header's number have not, the number is wrong.
    fn read_bits(&self, candidate: &Candidate<'_>) -> Result<(Bitmap, u64, Vec<Incomplete>), Error> {
        let (_, _, bits) = self.bits;
        let room = self.first_page.2.checked_sub(self.at).filter(|_| self.first_page.2.is_multiple_of(PAGE_SIZE));
        let room = room.unwrap_or(0).saturating_mul(8).min(MAX_BITS);
        let sound = (1..=MAX_BITS).contains(&bits);
        // Only one bitmap is kept at a time: it can be the largest thing that opening a dump keeps.
        let read = |bits: u64| Bitmap::read(&**candidate.source, self.at, bits, self.first_page.2);
        let has_pages = |bits: u64| {
            BitmapCensus::of(&**candidate.source, self.at, bits).is_ok_and(|census| census.population == self.pages.2)
        };
        let as_said = sound && has_pages(bits);
        if !as_said && room > 0 && room != bits && has_pages(room) {
            let expected = format!("the bits up to the first page, of which {:#x} are set", self.pages.2);
            return Ok((read(room)?, room, Vec::from([self.wrong(self.bits, &expected)])));
        }
        if !sound {
            return Err(self.error(self.bits, &format!("1 to {MAX_BITS:#x} bits, which are 8 TiB of memory")));
        }
        let bitmap = read(bits).map_err(|error| match error {
            ReadError::PastEnd { .. } => {
                let held = candidate.source.len().saturating_sub(self.at).saturating_mul(8);
                self.error(self.bits, &format!("at most {held:#x} bits, where the file ends"))
            }
            error => error.into(),
        })?;
        if as_said {
            return Ok((bitmap, bits, Vec::new()));
        }
        let expected = format!("{:#x}, the number of set bits", bitmap.population());
        Ok((bitmap, bits, Vec::from([self.wrong(self.pages, &expected)])))
    }

    /// The ways to read the bitmap: the pages begin where the header says, on the first page behind the bits, or so that
    /// they end with the file.
    pub(super) fn readings(&self, candidate: &Candidate<'_>) -> Result<Vec<Reading>, Error> {
        let (bitmap, bits, wrong) = self.read_bits(candidate)?;
        let end = self.at + bits.div_ceil(8);
        let pages = bitmap.population();
        let declared = self.first_page.2;
        let valid = |first: u64| first >= end && first.is_multiple_of(PAGE_SIZE);
        let to_end = pages.checked_mul(PAGE_SIZE).and_then(|bytes| candidate.source.len().checked_sub(bytes));
        let fits = to_end.is_some_and(|at| (declared..declared.saturating_add(PAGE_SIZE)).contains(&at));
        let mut firsts = Vec::from_iter(Some(declared).filter(|first| valid(*first)));
        // A file that ends with its last page is as it should be.
        if !wrong.is_empty() || !valid(declared) || !fits {
            firsts
                .extend([Some(end.next_multiple_of(PAGE_SIZE)), to_end].into_iter().flatten().filter(|at| valid(*at)));
        }
        firsts.dedup();
        if firsts.is_empty() {
            return Err(self.error(self.first_page, "a page boundary behind the bitmap"));
        }
        let reading = |first: u64| {
            let frames = Frames::Bitmap(bitmap.with_first_page(first));
            let mut wrong = wrong.clone();
            if first != declared {
                let expected = format!("{first:#x}, where the page tables are page tables");
                wrong.push(self.wrong(self.first_page, &expected));
            }
            Reading { image: PhysicalImage::new(candidate.source.clone(), frames), wrong }
        };
        Ok(firsts.into_iter().map(reading).collect())
    }
}

/// Reads what the header says.
pub(super) fn read_claim(candidate: &Candidate<'_>) -> Result<Claim, Error> {
    let head = read_head(candidate.source, "BITMAP_DUMP", HEADER_SIZE, BITS - HEADER_SIZE)?;
    let fields: IResult<&[u8], _> = (take(0x20_usize), le_u64, le_u64, le_u64).parse(&head);
    let (_, (_, first_page, pages, bits)) = fields.map_err(|_| Error::Malformed {
        structure: "BITMAP_DUMP",
        offset: HEADER_SIZE,
        field: "size",
        found: format!("{:#x} bytes", head.len()),
        expected: "0x38 bytes".into(),
    })?;
    Ok(Claim {
        structure: "BITMAP_DUMP",
        first_page: ("FirstPage", HEADER_SIZE + 0x20, first_page),
        pages: ("TotalPresentPages", HEADER_SIZE + 0x28, pages),
        bits: ("BitmapSize", HEADER_SIZE + 0x30, bits),
        at: BITS,
    })
}

fn open(candidate: &Candidate<'_>) -> Result<Opened, Error> {
    let claim = read_claim(candidate)?;
    let signature = check_signature(candidate, claim.structure);
    // Without a signature the numbers must speak for themselves.
    if !has_signature(candidate) && !claim.plausible() {
        return Err(Error::Malformed {
            structure: claim.structure,
            offset: HEADER_SIZE,
            field: "Signature",
            found: format!("\"{}\"", candidate.tag.escape_ascii()),
            expected: "\"FDMPDUMP\" or \"SDMPDUMP\"".into(),
        });
    }
    let (content, wrong) = match claim.readings(candidate) {
        Err(error) => {
            // The header is worth as much without the frames.
            let cut = claim.cut(candidate).ok_or_else(|| error.clone())?;
            (Content::Nothing(error), Vec::from([cut]))
        }
        Ok(readings) => {
            let Reading { image, wrong } =
                choose(candidate, readings).ok_or_else(|| claim.error(claim.bits, "a bitmap"))?;
            (Content::Physical(image), wrong)
        }
    };
    let kind = match candidate.header.dump_type {
        5 => DumpKind::BitmapFull,
        6 | 7 if is_live(candidate.header) => DumpKind::Live,
        6 | 7 => DumpKind::BitmapKernel,
        _ if candidate.tag.starts_with(b"FDMP") => DumpKind::BitmapFull,
        _ if is_live(candidate.header) => DumpKind::Live,
        _ => DumpKind::BitmapKernel,
    };
    let incomplete = signature.into_iter().chain(wrong).collect();
    Ok(Opened { kind, content, incomplete })
}

/// A bitmap for more memory than this is refused: 8 TiB take 256 MiB of bits.
const MAX_BITS: u64 = 1 << 31;
