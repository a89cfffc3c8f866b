//! Types 5 and 6: one bit per frame says which pages follow.

use super::{BitmapSignature, DumpOptions, Kind, Written, header, put, put_pages};
use crate::image::Image;
use crate::physical::{PAGE, Run};
use crate::truth::Dump;
use std::io::{self, Seek, Write};

const BITS: u64 = 0x38;

pub(super) fn write<W: Write + Seek>(
    image: &Image,
    options: &DumpOptions,
    facts: &Dump,
    present: &[Run],
    out: &mut W,
) -> io::Result<Written> {
    let (bits, bitmap) = bitmap(options, present);
    let first_page = (header::SIZE + BITS + bitmap.len() as u64).next_multiple_of(PAGE);
    let count: u64 = present.iter().map(|run| run.count).sum();
    let length = first_page + count * PAGE;
    let default =
        if matches!(options.kind, Kind::BitmapFull { .. }) { BitmapSignature::Full } else { BitmapSignature::Summary };
    let mut head = vec![0; BITS as usize];
    head[..8].copy_from_slice(match options.signature.unwrap_or(default) {
        BitmapSignature::Full => b"FDMPDUMP",
        BitmapSignature::Summary => b"SDMPDUMP",
    });
    for (offset, value) in [(0x20, first_page), (0x28, count), (0x30, bits)] {
        head[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
    }
    put(out, 0, &header::bytes(image, options.kind, facts, length))?;
    put(out, header::SIZE, &head)?;
    put(out, header::SIZE + BITS, &bitmap)?;
    let pages = put_pages(image, present, first_page, out)?;
    Ok(Written { length, first_page: Some(first_page), pages })
}

/// How many bits there are, and the bits.
pub(super) fn bitmap(options: &DumpOptions, present: &[Run]) -> (u64, Vec<u8>) {
    let end = present.last().map_or(0, |run| run.end());
    let usual = if options.exact_bits { end } else { end.next_multiple_of(64) };
    let bits = options.bitmap_bits.unwrap_or(usual);
    assert!(bits >= end, "the bitmap must reach the last frame");
    let mut bytes = vec![0_u8; bits.div_ceil(8) as usize];
    for run in present {
        let mut frame = run.first;
        while frame < run.end() {
            if frame % 8 == 0 && frame + 8 <= run.end() {
                bytes[(frame / 8) as usize] = 0xff;
                frame += 8;
            } else {
                bytes[(frame / 8) as usize] |= 1 << (frame % 8);
                frame += 1;
            }
        }
    }
    (bits, bytes)
}
