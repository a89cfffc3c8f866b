//! Which page frames a dump describes, and where in the file each lies.
//!
//! Two shapes cover every kind of dump that stores frames: sorted runs, looked up by binary search, and a bitmap with a
//! directory of counts, looked up in constant time. Neither keeps an entry for each page.

use crate::address::{PAGE_SIZE, Pfn};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Frames that lie back to back in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first frame.
    pub first: Pfn,
    /// How many frames.
    pub count: u64,
    /// File offset of the first frame.
    pub offset: u64,
}

impl Run {
    const fn end(self) -> u64 {
        self.first.0.saturating_add(self.count)
    }
}

/// The frames of a dump.
#[derive(Clone, Debug)]
pub enum Frames {
    /// Runs, as in complete and RDMP dumps and raw images.
    Runs(Runs),
    /// A bitmap, as in all dumps that Windows writes today.
    Bitmap(Bitmap),
}

impl Frames {
    /// File offset of a frame that the dump describes.
    pub fn offset(&self, pfn: Pfn) -> Option<u64> {
        match self {
            Self::Runs(runs) => runs.offset(pfn),
            Self::Bitmap(bitmap) => bitmap.offset(pfn),
        }
    }

    /// How many frames are described.
    pub fn described(&self) -> u64 {
        match self {
            Self::Runs(runs) => runs.described,
            Self::Bitmap(bitmap) => bitmap.described,
        }
    }

    /// How many of the described frames lie wholly within the first `file_len` bytes of the file.
    pub fn present(&self, file_len: u64) -> u64 {
        match self {
            Self::Runs(runs) => {
                let held = |run: &Run| (file_len.saturating_sub(run.offset) / PAGE_SIZE).min(run.count);
                runs.sorted.iter().map(held).fold(0, u64::saturating_add)
            }
            Self::Bitmap(bitmap) => (file_len.saturating_sub(bitmap.first_page) / PAGE_SIZE).min(bitmap.described),
        }
    }

    /// One more than the highest frame described.
    pub fn end(&self) -> Pfn {
        match self {
            Self::Runs(runs) => Pfn(runs.sorted.last().map_or(0, |run| run.end())),
            Self::Bitmap(bitmap) => bitmap.end(),
        }
    }

    /// The described frames as runs in the order of their numbers.
    pub fn runs(&self) -> alloc::boxed::Box<dyn Iterator<Item = Run> + '_> {
        match self {
            Self::Runs(runs) => alloc::boxed::Box::new(runs.sorted.iter().copied()),
            Self::Bitmap(bitmap) => alloc::boxed::Box::new(bitmap.runs()),
        }
    }
}

/// Frames as sorted runs that do not overlap.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    sorted: Vec<Run>,
    described: u64,
    /// Frames that more than one run claimed; the run that comes first in the file keeps them.
    pub overlapping: u64,
}

impl Runs {
    /// Sorts runs given in the order of the file.
    pub fn new(claimed: impl IntoIterator<Item = Run>) -> Self {
        let mut claimed: Vec<_> = claimed.into_iter().filter(|run| run.count > 0).collect();
        claimed.sort_by_key(|run| (run.first, run.offset));
        let mut runs = Self::default();
        for run in claimed {
            let taken = runs.sorted.last().map_or(0, |last| last.end()).saturating_sub(run.first.0).min(run.count);
            runs.overlapping = runs.overlapping.saturating_add(taken);
            if taken == run.count {
                continue;
            }
            let rest = Run {
                first: Pfn(run.first.0.saturating_add(taken)),
                count: run.count - taken,
                offset: run.offset.saturating_add(taken.saturating_mul(PAGE_SIZE)),
            };
            runs.described = runs.described.saturating_add(rest.count);
            runs.sorted.push(rest);
        }
        runs
    }

    fn offset(&self, pfn: Pfn) -> Option<u64> {
        let behind = self.sorted.partition_point(|run| run.first <= pfn);
        let run = self.sorted.get(behind.checked_sub(1)?)?;
        let index = pfn.0 - run.first.0;
        let in_run = index < run.count;
        in_run.then_some(index.checked_mul(PAGE_SIZE)?.checked_add(run.offset)?)
    }
}

/// Frames as a bitmap: bit i of byte b stands for frame 8 * b + i, and the frames of set bits follow each other in the
/// file.
#[derive(Clone, Debug)]
pub struct Bitmap {
    bits: Arc<Vec<u8>>,
    /// Set bits before each block of [`Self::BLOCK`] bytes.
    ranks: Arc<Vec<u64>>,
    described: u64,
    first_page: u64,
}

impl Bitmap {
    const BLOCK: usize = 64;

    /// Takes the bitmap's bytes, of which `count` bits are meant; bits behind these are cleared.
    pub fn new(mut bits: Vec<u8>, count: u64, first_page: u64) -> Self {
        let whole = usize::try_from(count.div_ceil(8)).unwrap_or(usize::MAX);
        bits.truncate(whole);
        let tail = u32::try_from(count % 8).unwrap_or(0);
        if let Some(last) = bits.get_mut(whole.wrapping_sub(1)).filter(|_| tail > 0) {
            *last &= 0xff >> (8 - tail);
        }
        let mut described = 0;
        let ranks = bits
            .chunks(Self::BLOCK)
            .map(|block| {
                let before = described;
                described += count_ones(block);
                before
            })
            .collect();
        Self { bits: Arc::new(bits), ranks: Arc::new(ranks), described, first_page }
    }

    /// The same bits for frames that begin elsewhere in the file.
    #[must_use]
    pub fn with_first_page(&self, first_page: u64) -> Self {
        Self { first_page, ..self.clone() }
    }

    /// Set bits, that is frames described.
    pub fn population(&self) -> u64 {
        self.described
    }

    fn offset(&self, pfn: Pfn) -> Option<u64> {
        let byte = usize::try_from(pfn.0 / 8).ok()?;
        let bit = pfn.0 % 8;
        let held = *self.bits.get(byte)?;
        if held >> bit & 1 == 0 {
            return None;
        }
        let block = byte / Self::BLOCK;
        let before = self.bits.get(block * Self::BLOCK..byte)?;
        let in_byte = (held & !(0xff << bit)).count_ones();
        let rank = self.ranks.get(block)? + count_ones(before) + u64::from(in_byte);
        rank.checked_mul(PAGE_SIZE)?.checked_add(self.first_page)
    }

    /// One more than the highest frame whose bit is set.
    fn end(&self) -> Pfn {
        let last = self.bits.iter().enumerate().rev().find(|(_, byte)| **byte != 0);
        last.map_or(Pfn(0), |(index, byte)| Pfn(index as u64 * 8 + u64::from(u8::BITS - byte.leading_zeros())))
    }

    fn bit(&self, pfn: u64) -> bool {
        usize::try_from(pfn / 8)
            .ok()
            .and_then(|byte| self.bits.get(byte))
            .is_some_and(|byte| byte >> (pfn % 8) & 1 == 1)
    }

    /// The first frame from `pfn` on whose bit is `set`.
    fn next(&self, mut pfn: u64, set: bool) -> Option<u64> {
        let end = self.bits.len() as u64 * 8;
        let skip = if set { 0x00 } else { 0xff };
        while pfn < end {
            let byte = usize::try_from(pfn / 8).ok().and_then(|byte| self.bits.get(byte))?;
            if pfn.is_multiple_of(8) && *byte == skip {
                pfn += 8 * self.same_bytes(pfn / 8, skip);
            } else if self.bit(pfn) == set {
                return Some(pfn);
            } else {
                pfn += 1;
            }
        }
        None
    }

    /// How many bytes from one on hold the same value, at least 1.
    fn same_bytes(&self, first: u64, value: u8) -> u64 {
        let rest = usize::try_from(first).ok().and_then(|first| self.bits.get(first..)).unwrap_or_default();
        let (words, _) = rest.as_chunks::<8>();
        let same = words.iter().take_while(|word| **word == [value; 8]).count() as u64;
        (same * 8).max(1)
    }

    fn runs(&self) -> impl Iterator<Item = Run> + '_ {
        let mut from = 0;
        let mut offset = self.first_page;
        core::iter::from_fn(move || {
            let first = self.next(from, true)?;
            from = self.next(first, false).unwrap_or(self.bits.len() as u64 * 8);
            let run = Run { first: Pfn(first), count: from - first, offset };
            offset = offset.saturating_add(run.count.saturating_mul(PAGE_SIZE));
            Some(run)
        })
    }
}

fn count_ones(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let words: u64 = words.iter().map(|word| u64::from(u64::from_le_bytes(*word).count_ones())).sum();
    words + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    #[test]
    fn overlapping_runs_describe_a_frame_once() {
        let run = |first, count, offset| Run { first: Pfn(first), count, offset };
        let runs = Runs::new([run(0x10, 4, 0x2000), run(0x12, 4, 0x6000), run(0x11, 1, 0xa000), run(1, 0, 0)]);
        assert_eq!((runs.described, runs.overlapping), (6, 3));
        assert_eq!(runs.offset(Pfn(0x13)), Some(0x5000));
        assert_eq!(runs.offset(Pfn(0x14)), Some(0x8000));
        assert_eq!(runs.offset(Pfn(0x16)), None);
    }

    #[test]
    fn runs_at_the_end_of_numbers_do_not_overflow() {
        let frames = Frames::Runs(Runs::new([Run { first: Pfn(u64::MAX - 1), count: u64::MAX, offset: u64::MAX }]));
        assert_eq!(frames.offset(Pfn(u64::MAX)), None);
        assert_eq!(frames.present(0x1000), 0);
        assert_eq!(frames.end(), Pfn(u64::MAX));
    }

    #[test]
    fn the_tail_of_a_partial_byte_counts_and_bits_behind_it_do_not() {
        let bitmap = Bitmap::new(vec![0xff, 0xff], 11, 0x3000);
        assert_eq!(bitmap.described, 11);
        assert_eq!(bitmap.offset(Pfn(10)), Some(0x3000 + 10 * 0x1000));
        assert_eq!(bitmap.offset(Pfn(11)), None);
    }

    proptest! {
        #[test]
        fn a_bitmap_agrees_with_counting_by_hand(bits in proptest::collection::vec(any::<u8>(), 0..300), cut in 0_u64..2400) {
            let count = cut.min(bits.len() as u64 * 8);
            let set = |pfn: u64| pfn < count && bits[(pfn / 8) as usize] >> (pfn % 8) & 1 == 1;
            let frames = Frames::Bitmap(Bitmap::new(bits.clone(), count, 0x5000));
            let mut rank = 0;
            for pfn in 0..bits.len() as u64 * 8 + 9 {
                prop_assert_eq!(frames.offset(Pfn(pfn)), set(pfn).then_some(0x5000 + rank * 0x1000));
                rank += u64::from(set(pfn));
            }
            prop_assert_eq!(frames.described(), rank);
            let by_runs = Frames::Runs(Runs::new(frames.runs()));
            for pfn in 0..bits.len() as u64 * 8 {
                prop_assert_eq!(frames.offset(Pfn(pfn)), by_runs.offset(Pfn(pfn)));
            }
            prop_assert_eq!(frames.end(), by_runs.end());
            prop_assert_eq!(frames.present(0x5000 + 0x1000 * 3 + 1), rank.min(3));
            prop_assert_eq!(by_runs.present(0x5000 + 0x1000 * 3 + 1), rank.min(3));
        }
    }
}
