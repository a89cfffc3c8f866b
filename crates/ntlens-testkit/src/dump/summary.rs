//! Type 2: as a bitmap dump, with the narrower header of Windows 7.

use super::{DumpOptions, Written, bitmap, header, put, put_pages};
use crate::image::Image;
use crate::physical::{PAGE, Run};
use crate::truth::Dump;
use std::io::{self, Seek, Write};

pub(super) fn write<W: Write + Seek>(
    image: &Image,
    options: &DumpOptions,
    facts: &Dump,
    present: &[Run],
    out: &mut W,
) -> io::Result<Written> {
    let start = if options.packed_summary { 0x24 } else { 0x28 };
    let (bits, bitmap) = bitmap::bitmap(options, present);
    let first_page = (header::SIZE + start + bitmap.len() as u64).next_multiple_of(PAGE);
    let count: u64 = present.iter().map(|run| run.count).sum();
    let length = first_page + count * PAGE;
    let mut head = vec![0; start as usize];
    head[..8].copy_from_slice(b"SDMPDUMP");
    for (offset, value) in [(0x8, 1), (0xc, first_page), (0x10, bits), (0x14, count), (0x18, bits)] {
        head[offset..offset + 4].copy_from_slice(&(value as u32).to_le_bytes());
    }
    put(out, 0, &header::bytes(image, options.kind, facts, length))?;
    put(out, header::SIZE, &head)?;
    put(out, header::SIZE + start, &bitmap)?;
    let pages = put_pages(image, present, first_page, out)?;
    Ok(Written { length, first_page: Some(first_page), pages })
}
