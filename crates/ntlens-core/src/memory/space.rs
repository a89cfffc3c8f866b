//! Reading virtual memory, whatever kind of dump it comes from.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::memory::spans::spans;
use alloc::vec::Vec;

/// Where a read met a byte that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("after {done} bytes: {why}")]
pub struct Hole {
    /// Bytes that were read before it, counted from the read's start to the missing piece's.
    pub done: usize,
    /// Why the byte is missing.
    pub why: Absent,
}

/// Virtual memory of one address space.
pub trait VirtualMemory {
    /// Reads bytes that lie inside one 4 KiB page.
    fn read_in_page(&self, at: VirtAddr, out: &mut [u8]) -> Result<(), Absent>;

    /// Reads bytes from any number of pages, up to the first that is missing.
    fn read(&self, at: VirtAddr, out: &mut [u8]) -> Result<(), Hole> {
        for span in spans(at.0, out.len()) {
            let done = span.bytes.start;
            let piece = out.get_mut(span.bytes).unwrap_or_default();
            self.read_in_page(VirtAddr(span.start), piece).map_err(|why| Hole { done, why })?;
        }
        Ok(())
    }

    /// Reads what there is: bytes of missing pages stay as they are, and each missing page is listed.
    fn read_around_holes(&self, at: VirtAddr, out: &mut [u8]) -> Vec<(core::ops::Range<usize>, Absent)> {
        let mut holes = Vec::new();
        for span in spans(at.0, out.len()) {
            let piece = out.get_mut(span.bytes.clone()).unwrap_or_default();
            if let Err(why) = self.read_in_page(VirtAddr(span.start), piece) {
                holes.push((span.bytes, why));
            }
        }
        holes
    }

    /// Reads an array of bytes.
    fn read_array<const N: usize>(&self, at: VirtAddr) -> Result<[u8; N], Absent>
    where
        Self: Sized,
    {
        let mut bytes = [0; N];
        self.read(at, &mut bytes).map_err(|hole| hole.why)?;
        Ok(bytes)
    }

    /// Reads a little-endian number of 4 bytes.
    fn read_u32(&self, at: VirtAddr) -> Result<u32, Absent> {
        let mut bytes = [0; 4];
        self.read(at, &mut bytes).map_err(|hole| hole.why)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Reads a little-endian number of 8 bytes.
    fn read_u64(&self, at: VirtAddr) -> Result<u64, Absent> {
        let mut bytes = [0; 8];
        self.read(at, &mut bytes).map_err(|hole| hole.why)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Reads a pointer.
    fn read_pointer(&self, at: VirtAddr) -> Result<VirtAddr, Absent> {
        self.read_u64(at).map(VirtAddr)
    }
}
