//! Raw physical memory: the file's offset is the physical address.

use crate::address::{PAGE_SIZE, Pfn};
use crate::memory::PhysicalImage;
use crate::memory::frames::{Frames, Run, Runs};
use crate::source::ByteSource;
use alloc::sync::Arc;

/// All whole pages of the file.
pub(super) fn image(source: Arc<dyn ByteSource>) -> PhysicalImage {
    let run = Run { first: Pfn(0), count: source.len() / PAGE_SIZE, offset: 0 };
    PhysicalImage::new(source, Frames::Runs(Runs::new([run])))
}
