//! Virtual memory as blocks of bytes: all that a triage dump has, with no page tables.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::memory::space::VirtualMemory;
use crate::source::{ByteSource, ReadError};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// Bytes of virtual memory in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Address of the first byte.
    pub start: VirtAddr,
    /// How many bytes.
    pub len: u64,
    /// File offset of the first byte.
    pub offset: u64,
}

impl Block {
    const fn end(self) -> u64 {
        self.start.0.saturating_add(self.len)
    }
}

/// Blocks sorted by address.
#[derive(Clone)]
pub struct BlockSpace {
    source: Arc<dyn ByteSource>,
    blocks: Vec<Block>,
}

impl fmt::Debug for BlockSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockSpace").field("blocks", &self.blocks.len()).finish_non_exhaustive()
    }
}

impl BlockSpace {
    /// Sorts the blocks; where two overlap, the one that starts first keeps the bytes.
    pub fn new(source: Arc<dyn ByteSource>, blocks: impl IntoIterator<Item = Block>) -> Self {
        let mut claimed: Vec<_> = blocks.into_iter().filter(|block| block.len > 0).collect();
        claimed.sort_by_key(|block| (block.start, block.offset));
        let mut blocks: Vec<Block> = Vec::with_capacity(claimed.len());
        for block in claimed {
            let taken = blocks.last().map_or(0, |last| last.end()).saturating_sub(block.start.0);
            if taken < block.len {
                let (start, offset) = (block.start.wrapping_add(taken), block.offset.saturating_add(taken));
                blocks.push(Block { start, len: block.len - taken, offset });
            }
        }
        Self { source, blocks }
    }

    /// The blocks in the order of their addresses.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The same space with further blocks.
    #[must_use]
    pub fn with(self, more: impl IntoIterator<Item = Block>) -> Self {
        Self::new(self.source, self.blocks.into_iter().chain(more))
    }

    /// The file behind the blocks.
    pub fn source(&self) -> &Arc<dyn ByteSource> {
        &self.source
    }

    /// File offset of an address, and how many bytes of its block follow from there on.
    pub fn file_offset(&self, at: VirtAddr) -> Result<(u64, u64), Absent> {
        let behind = self.blocks.partition_point(|block| block.start <= at);
        let block = behind.checked_sub(1).and_then(|index| self.blocks.get(index)).ok_or(Absent::AddressNotInDump)?;
        let skip = at.0 - block.start.0;
        let rest = block.len.checked_sub(skip).filter(|rest| *rest > 0).ok_or(Absent::AddressNotInDump)?;
        Ok((block.offset.saturating_add(skip), rest))
    }
}

impl VirtualMemory for BlockSpace {
    fn read_in_page(&self, at: VirtAddr, out: &mut [u8]) -> Result<(), Absent> {
        let mut done = 0;
        while let Some(rest) = out.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let (offset, held) = self.file_offset(at.wrapping_add(done as u64))?;
            let piece = rest.len().min(usize::try_from(held).unwrap_or(usize::MAX));
            let rest = rest.get_mut(..piece).unwrap_or_default();
            self.source.read_at(offset, rest).map_err(|error| match error {
                ReadError::PastEnd { .. } => Absent::Truncated { offset },
                ReadError::Failed { .. } => Absent::ReadFailed { offset },
            })?;
            done += piece;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block(start: u64, len: u64, offset: u64) -> Block {
        Block { start: VirtAddr(start), len, offset }
    }

    #[test]
    fn a_read_goes_on_in_the_next_block_and_stops_at_a_gap() {
        let source: Arc<dyn ByteSource> = Arc::new((0..64_u8).collect::<Vec<_>>());
        let space = BlockSpace::new(source, [block(0x1008, 8, 32), block(0x1000, 8, 0), block(0x1020, 8, 60)]);
        let mut out = [0; 16];
        space.read(VirtAddr(0x1000), &mut out).unwrap();
        assert_eq!(out, [0, 1, 2, 3, 4, 5, 6, 7, 32, 33, 34, 35, 36, 37, 38, 39]);
        assert_eq!(space.read(VirtAddr(0x1004), &mut out).unwrap_err().why, Absent::AddressNotInDump);
        assert_eq!(space.read(VirtAddr(0x1020), &mut out[..8]).unwrap_err().why, Absent::Truncated { offset: 60 });
    }

    proptest! {
        #[test]
        fn a_read_equals_its_one_byte_reads(
            blocks in prop::collection::vec((0_u64..200, 0_u64..40, 0_u64..256), 0..12),
            at in 0_u64..200,
            len in 0_usize..64,
        ) {
            let source: Arc<dyn ByteSource> = Arc::new((0..=255_u8).collect::<Vec<_>>());
            let space = BlockSpace::new(source, blocks.into_iter().map(|(start, len, offset)| block(start, len, offset)));
            let mut whole = alloc::vec![0; len];
            let result = space.read(VirtAddr(at), &mut whole);
            let ones: Result<Vec<u8>, Absent> = (0..len as u64)
                .map(|i| space.read_array::<1>(VirtAddr(at + i)).map(|[byte]| byte))
                .collect();
            prop_assert_eq!(result.is_ok(), ones.is_ok());
            if let Ok(ones) = ones {
                prop_assert_eq!(whole, ones);
            }
        }
    }
}
