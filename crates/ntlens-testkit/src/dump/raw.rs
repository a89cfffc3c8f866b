//! Physical memory as it is, holes as zeros.

use super::{Written, put};
use crate::image::Image;
use crate::physical::PAGE;
use std::io::{self, Seek, Write};

pub(super) fn write<W: Write + Seek>(image: &Image, out: &mut W) -> io::Result<Written> {
    for (frame, page) in image.memory.pages() {
        put(out, frame * PAGE, page)?;
    }
    Ok(Written { length: image.memory.end() * PAGE, first_page: Some(0), pages: image.memory.frame_count() })
}
