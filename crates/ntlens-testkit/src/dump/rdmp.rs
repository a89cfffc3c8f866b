//! Types 8, 9 and 10: ranges of frames say which pages follow.

use super::{DumpOptions, Kind, Written, header, put, put_pages};
use crate::image::Image;
use crate::physical::{PAGE, Run};
use crate::truth::Dump;
use std::io::{self, Seek, Write};

const RANGES: u64 = 0x30;
/// From here on the header counts as metadata.
const METADATA: u64 = 0x20;

pub(super) fn write<W: Write + Seek>(
    image: &Image,
    options: &DumpOptions,
    facts: &Dump,
    present: &[Run],
    out: &mut W,
) -> io::Result<Written> {
    // A range of zeros ends the list.
    let room = (present.len() as u64 + 1) * 0x10;
    let first_page = (header::SIZE + RANGES + room).next_multiple_of(PAGE);
    let count: u64 = present.iter().map(|run| run.count).sum();
    let length = first_page + count * PAGE;
    let mut head = vec![0; RANGES as usize];
    head[..4].copy_from_slice(&0x40_u32.to_le_bytes());
    head[4..12].copy_from_slice(b"RDMPDUMP");
    head[0x10..0x18].copy_from_slice(&(first_page - header::SIZE - METADATA).to_le_bytes());
    head[0x18..0x20].copy_from_slice(&first_page.to_le_bytes());
    if options.kind == Kind::RdmpFull {
        head[0x20..0x24].copy_from_slice(&(present.len() as u32).to_le_bytes());
        head[0x28..0x30].copy_from_slice(&count.to_le_bytes());
    }
    for run in present {
        head.extend(run.first.to_le_bytes());
        head.extend(run.count.to_le_bytes());
    }
    put(out, 0, &header::bytes(image, options.kind, facts, length))?;
    put(out, header::SIZE, &head)?;
    let pages = put_pages(image, present, first_page, out)?;
    Ok(Written { length, first_page: Some(first_page), pages })
}
