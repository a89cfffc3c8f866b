//! Type 1: the runs stand in the main header, the pages follow it.

use super::{DumpOptions, Written, header, put, put_pages};
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
    assert_eq!(present, image.memory.runs(), "a full dump has no holes");
    let length = header::SIZE + image.memory.frame_count() * PAGE;
    put(out, 0, &header::bytes(image, options.kind, facts, length))?;
    let pages = put_pages(image, present, header::SIZE, out)?;
    Ok(Written { length, first_page: Some(header::SIZE), pages })
}
