//! A cache of blocks in front of a source whose reads are expensive.

use ntlens_core::source::{ByteSource, ReadError};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Neither a block nor the number of slots is larger than 2 to this.
const MAX_BITS: u8 = 24;

/// A source that keeps the blocks that were read last.
///
/// Each block of the source has one slot of the cache, whose memory is used again and again: most reads of a dump are of
/// pages that are needed once, and an allocation for each costs as much as the read.
pub struct BlockCache<S> {
    source: S,
    /// A block's size is a power of two: every read of a dump comes through here, and division is slow.
    block_bits: u8,
    slots: Vec<Mutex<Slot>>,
}

/// The block that was last read into a slot.
#[derive(Default)]
struct Slot {
    number: Option<u64>,
    bytes: Vec<u8>,
}

impl<S: fmt::Debug> fmt::Debug for BlockCache<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockCache").field("source", &self.source).finish_non_exhaustive()
    }
}

impl<S: ByteSource> BlockCache<S> {
    /// Puts a cache in front of a source: blocks of `2^block_bits` bytes, and room for `2^slot_bits` of them.
    pub fn new(source: S, block_bits: u8, slot_bits: u8) -> Self {
        let slots = (0..1_usize << slot_bits.min(MAX_BITS)).map(|_| Mutex::default()).collect();
        Self { source, block_bits: block_bits.min(MAX_BITS), slots }
    }

    fn block_size(&self) -> usize {
        1 << self.block_bits
    }

    /// The slot of a block, holding it.
    fn block(&self, number: u64) -> Result<MutexGuard<'_, Slot>, ReadError> {
        // Neighbours lie in different slots, and so do blocks that are powers of two apart.
        let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(self.slots.len().ilog2());
        let slot = usize::try_from(hash % self.slots.len() as u64).ok().and_then(|index| self.slots.get(index));
        let slot = slot.ok_or(ReadError::PastEnd { offset: 0, end: 0 })?;
        // A thread that panicked while it held a slot left it with a number only if its bytes were read.
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.number != Some(number) {
            slot.number = None;
            slot.bytes.resize(self.block_size(), 0);
            self.source.read_at(number << self.block_bits, &mut slot.bytes)?;
            slot.number = Some(number);
        }
        Ok(slot)
    }
}

impl<S: ByteSource> ByteSource for BlockCache<S> {
    fn len(&self) -> u64 {
        self.source.len()
    }

    fn has_changed(&self) -> bool {
        self.source.has_changed()
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let len = self.len();
        let inside = self.block_size() as u64 - 1;
        let end = offset.saturating_add(out.len() as u64);
        if end > len {
            return Err(ReadError::PastEnd { offset, end });
        }
        // Large reads would empty the cache. The last block may be short, and is not worth a case in it.
        let cached = out.len() < 2 * self.block_size() && end <= len & !inside;
        if !cached {
            return self.source.read_at(offset, out);
        }
        let mut done = 0;
        while let Some(rest) = out.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset + done as u64;
            let held = self.block(at >> self.block_bits)?;
            let skip = usize::try_from(at & inside).unwrap_or(0);
            let held = held.bytes.get(skip..).unwrap_or_default();
            let piece = held.len().min(rest.len());
            if let (Some(to), Some(from)) = (rest.get_mut(..piece), held.get(..piece)) {
                to.copy_from_slice(from);
            }
            done += piece;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    proptest! {
        #[test]
        fn reads_are_those_of_the_source(bytes: Vec<u8>, reads in prop::collection::vec((0..300_u64, 0..80_usize), 1..40)) {
            let cache = BlockCache::new(bytes.clone(), 4, 2);
            for (offset, len) in reads {
                let (mut found, mut wanted) = (vec![0; len], vec![0; len]);
                prop_assert_eq!(cache.read_at(offset, &mut found), bytes.read_at(offset, &mut wanted));
                prop_assert_eq!(found, wanted);
            }
        }
    }

    #[test]
    fn a_block_is_read_once() {
        struct Counted(Vec<u8>, AtomicUsize);
        impl ByteSource for Counted {
            fn len(&self) -> u64 {
                ByteSource::len(&self.0)
            }
            fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
                self.1.fetch_add(1, Relaxed);
                self.0.read_at(offset, out)
            }
        }
        let cache = BlockCache::new(Counted(vec![7; 64], AtomicUsize::new(0)), 4, 2);
        for offset in 0..64 {
            cache.read_at(offset, &mut [0]).unwrap();
        }
        assert_eq!(cache.source.1.load(Relaxed), 4);
    }
}
