//! Physical memory as a dump holds it.

use crate::absent::Absent;
use crate::address::{Pfn, PhysAddr};
use crate::memory::frames::Frames;
use crate::memory::space::Hole;
use crate::memory::spans::spans;
use crate::source::{ByteSource, ReadError};
use alloc::sync::Arc;
use core::fmt;

/// The page frames of a dump and the file they lie in.
#[derive(Clone)]
pub struct PhysicalImage {
    source: Arc<dyn ByteSource>,
    frames: Arc<Frames>,
    end: Pfn,
}

impl fmt::Debug for PhysicalImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PhysicalImage")
            .field("described", &self.frames.described())
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

impl PhysicalImage {
    /// Puts frames and file together.
    pub fn new(source: Arc<dyn ByteSource>, frames: Frames) -> Self {
        let end = frames.end();
        Self { source, frames: Arc::new(frames), end }
    }

    /// The frames that the dump describes.
    pub fn frames(&self) -> &Frames {
        &self.frames
    }

    /// The file behind the frames.
    pub fn source(&self) -> &Arc<dyn ByteSource> {
        &self.source
    }

    /// One more than the highest frame described.
    pub fn end(&self) -> Pfn {
        self.end
    }

    /// File offset of an address.
    pub fn file_offset(&self, at: PhysAddr) -> Result<u64, Absent> {
        let frame = self.frames.offset(at.pfn()).ok_or(Absent::FrameNotInDump(at.pfn()))?;
        frame.checked_add(at.page_offset()).ok_or(Absent::Truncated { offset: frame })
    }

    /// Reads bytes that lie inside one frame.
    pub fn read_in_frame(&self, at: PhysAddr, out: &mut [u8]) -> Result<(), Absent> {
        let offset = self.file_offset(at)?;
        self.source.read_at(offset, out).map_err(|error| match error {
            ReadError::PastEnd { .. } => Absent::Truncated { offset },
            ReadError::Failed { .. } => Absent::ReadFailed { offset },
        })
    }

    /// Reads bytes from any number of frames, up to the first that is missing.
    pub fn read(&self, at: PhysAddr, out: &mut [u8]) -> Result<(), Hole> {
        for span in spans(at.0, out.len()) {
            let done = span.bytes.start;
            let piece = out.get_mut(span.bytes).unwrap_or_default();
            self.read_in_frame(PhysAddr(span.start), piece).map_err(|why| Hole { done, why })?;
        }
        Ok(())
    }

    /// Reads a little-endian number of 8 bytes; it must not cross a frame's end.
    pub fn read_u64(&self, at: PhysAddr) -> Result<u64, Absent> {
        let mut bytes = [0; 8];
        self.read_in_frame(at, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
}
