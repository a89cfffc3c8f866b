//! The frames of a dump as a bitmap, which all dumps that Windows writes today have.

use crate::address::{PAGE_SIZE, Pfn};
use crate::memory::frames::Run;
use crate::source::{ByteSource, ReadError};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

/// Frames as a bitmap: bit i of byte b stands for frame 8 * b + i, and the frames of set bits follow each other in the
/// file.
///
/// The bitmap of a large machine has up to 256 MiB, most of it alike: it is kept as runs, unless these take more room.
#[derive(Clone, Debug)]
pub struct Bitmap {
    form: Form,
    described: u64,
    first_page: u64,
}

/// How a bitmap is kept.
#[derive(Clone, Debug)]
enum Form {
    /// As it is.
    Bits(Arc<Bits>),
    /// The runs of set bits, in order. Frames behind the largest offset of a file are in none.
    Runs(Arc<Vec<RunStart>>),
}

/// The bits, with a directory of counts.
#[derive(Clone, Debug)]
struct Bits {
    bytes: Vec<u8>,
    /// Set bits before each block of [`Bits::BLOCK`] bytes.
    ranks: Vec<u64>,
}

/// A run of set bits. How long it is shows in the rank of the next one.
#[derive(Clone, Copy, Debug)]
struct RunStart {
    first: u64,
    /// Set bits before it.
    rank: u64,
}

/// What a bitmap in a file holds, told without keeping it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BitmapCensus {
    /// Set bits.
    pub population: u64,
    /// Runs of set bits.
    pub runs: u64,
}

/// Bytes of a bitmap that are read at once.
const PIECE: usize = 0x1_0000;

/// Reads the `count` bits at a place of a file in pieces of whole words; bits behind these are cleared.
fn pieces(source: &dyn ByteSource, at: u64, count: u64, mut each: impl FnMut(&[u8])) -> Result<(), ReadError> {
    let whole = count.div_ceil(8);
    let end = at.saturating_add(whole);
    if end > source.len() {
        return Err(ReadError::PastEnd { offset: at, end });
    }
    let mut buffer = alloc::vec![0; usize::try_from(whole).unwrap_or(PIECE).min(PIECE)];
    let mut done = 0;
    while done < whole {
        let len = usize::try_from(whole - done).unwrap_or(PIECE).min(PIECE);
        let piece = buffer.get_mut(..len).unwrap_or_default();
        source.read_at(at + done, piece)?;
        done += len as u64;
        if done == whole {
            clear_tail(piece, count);
        }
        each(piece);
    }
    Ok(())
}

/// Clears the bits of the last byte that are behind the last bit that is meant.
fn clear_tail(bytes: &mut [u8], count: u64) {
    let tail = u32::try_from(count % 8).unwrap_or(0);
    if let Some(last) = bytes.last_mut().filter(|_| tail > 0) {
        *last &= 0xff >> (8 - tail);
    }
}

/// The bytes as words, zeros behind the last.
fn words(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    bytes.chunks(8).map(|bytes| {
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(bytes) {
            *to = *from;
        }
        u64::from_le_bytes(word)
    })
}

impl BitmapCensus {
    /// Counts the `count` bits at a place of a file.
    pub fn of(source: &dyn ByteSource, at: u64, count: u64) -> Result<Self, ReadError> {
        let mut census = Self::default();
        let mut before = 0;
        pieces(source, at, count, |piece| {
            for word in words(piece) {
                // A run starts where a bit is set and the one before it is not.
                let starts = word & !(word << 1 | before);
                census.population += u64::from(word.count_ones());
                census.runs += u64::from(starts.count_ones());
                before = word >> 63;
            }
        })?;
        Ok(census)
    }
}

/// The runs of set bits among bytes that come piece after piece.
struct Collected {
    runs: Vec<RunStart>,
    /// Bits that were looked at, and those of them that are set.
    bits: u64,
    rank: u64,
    /// The last bit was set.
    inside: bool,
}

impl Collected {
    fn add(&mut self, bytes: &[u8]) {
        for word in words(bytes) {
            let mut at = 0;
            while at < 64 {
                let rest = if self.inside { !word } else { word } >> at;
                let same = if rest == 0 { 64 - at } else { rest.trailing_zeros() };
                if self.inside {
                    self.rank += u64::from(same);
                }
                at += same;
                if at < 64 {
                    self.inside = !self.inside;
                    if self.inside {
                        self.runs.push(RunStart { first: self.bits + u64::from(at), rank: self.rank });
                    }
                }
            }
            self.bits += 64;
        }
    }
}

impl Bitmap {
    /// Bitmaps up to this size, of 256 GiB of memory, are kept as they are: that is the fastest.
    const SMALL: u64 = 8 << 20;

    /// Takes the bitmap's bytes, of which `count` bits are meant; bits behind these are cleared.
    pub fn new(mut bytes: Vec<u8>, count: u64, first_page: u64) -> Self {
        bytes.truncate(usize::try_from(count.div_ceil(8)).unwrap_or(usize::MAX));
        if bytes.len() as u64 == count.div_ceil(8) {
            clear_tail(&mut bytes, count);
        }
        let (bits, described) = Bits::new(bytes);
        Self { form: Form::Bits(Arc::new(bits)), described, first_page }
    }

    /// Reads the `count` bits at a place of a file.
    pub fn read(source: &dyn ByteSource, at: u64, count: u64, first_page: u64) -> Result<Self, ReadError> {
        let bytes = count.div_ceil(8);
        if bytes > Self::SMALL {
            let census = BitmapCensus::of(source, at, count)?;
            if census.runs.saturating_mul(size_of::<RunStart>() as u64) < bytes {
                return Self::read_as_runs(source, at, count, first_page, census);
            }
        }
        Ok(Self::new(source.read_vec(at, bytes)?, count, first_page))
    }

    fn read_as_runs(
        source: &dyn ByteSource,
        at: u64,
        count: u64,
        first_page: u64,
        census: BitmapCensus,
    ) -> Result<Self, ReadError> {
        let runs = Vec::with_capacity(usize::try_from(census.runs).unwrap_or(0));
        let mut found = Collected { runs, bits: 0, rank: 0, inside: false };
        pieces(source, at, count, |piece| found.add(piece))?;
        Ok(Self { form: Form::Runs(Arc::new(found.runs)), described: found.rank, first_page })
    }

    /// The same bits for frames that begin elsewhere in the file.
    #[must_use]
    pub fn with_first_page(&self, first_page: u64) -> Self {
        Self { first_page, ..self.clone() }
    }

    /// File offset of the first frame.
    pub(super) fn first_page(&self) -> u64 {
        self.first_page
    }

    /// Set bits, that is frames described.
    pub fn population(&self) -> u64 {
        self.described
    }

    /// File offset of a frame whose bit is set.
    pub(super) fn offset(&self, pfn: Pfn) -> Option<u64> {
        let rank = match &self.form {
            Form::Bits(bits) => bits.rank(pfn.0)?,
            Form::Runs(runs) => {
                let behind = runs.partition_point(|run| run.first <= pfn.0);
                let (first, count, rank) = self.run(runs, behind.checked_sub(1)?)?;
                Some(pfn.0 - first).filter(|index| *index < count)? + rank
            }
        };
        rank.checked_mul(PAGE_SIZE)?.checked_add(self.first_page)
    }

    /// First frame, length and rank of a run.
    fn run(&self, runs: &[RunStart], index: usize) -> Option<(u64, u64, u64)> {
        let run = runs.get(index)?;
        let end = runs.get(index + 1).map_or(self.described, |next| next.rank);
        Some((run.first, end - run.rank, run.rank))
    }

    /// One more than the highest frame whose bit is set.
    pub(super) fn end(&self) -> Pfn {
        match &self.form {
            Form::Bits(bits) => bits.end(),
            Form::Runs(runs) => {
                let last = runs.len().checked_sub(1).and_then(|last| self.run(runs, last));
                Pfn(last.map_or(0, |(first, count, _)| first + count))
            }
        }
    }

    /// The runs of set bits of a range, in order. Frames behind the largest offset of a file are in none.
    pub(super) fn runs_in(&self, range: Range<Pfn>) -> impl Iterator<Item = Run> + '_ {
        let (mut from, mut rank) = (range.start.0, None);
        let mut index = match &self.form {
            Form::Bits(_) => 0,
            Form::Runs(runs) => runs.partition_point(|run| run.first <= from).saturating_sub(1),
        };
        core::iter::from_fn(move || {
            let (first, count, before) = match &self.form {
                Form::Bits(bits) => {
                    let first = bits.next(from..range.end.0, true)?;
                    from = bits.next(first..range.end.0, false).unwrap_or(range.end.0.min(bits.end_of_bytes()));
                    let before = rank.or_else(|| bits.rank(first))?;
                    rank = Some(before + (from - first));
                    (first, from - first, before)
                }
                Form::Runs(runs) => loop {
                    let (first, count, before) = self.run(runs, index)?;
                    index += 1;
                    let (start, end) = (first.max(range.start.0), (first + count).min(range.end.0));
                    if first >= range.end.0 {
                        return None;
                    }
                    // The run before the range may end before it.
                    if start < end {
                        break (start, end - start, before + (start - first));
                    }
                },
            };
            let offset = before.checked_mul(PAGE_SIZE)?.checked_add(self.first_page)?;
            Some(Run { first: Pfn(first), count, offset })
        })
    }
}

impl Bits {
    const BLOCK: usize = 64;

    /// Counts the bits; how many there are.
    fn new(bytes: Vec<u8>) -> (Self, u64) {
        let mut described = 0;
        let ranks = bytes
            .chunks(Self::BLOCK)
            .map(|block| {
                let before = described;
                described += count_ones(block);
                before
            })
            .collect();
        (Self { bytes, ranks }, described)
    }

    /// Set bits before this one, if it is set.
    fn rank(&self, pfn: u64) -> Option<u64> {
        let byte = usize::try_from(pfn / 8).ok()?;
        let bit = pfn % 8;
        let held = *self.bytes.get(byte)?;
        if held >> bit & 1 == 0 {
            return None;
        }
        let block = byte / Self::BLOCK;
        let before = self.bytes.get(block * Self::BLOCK..byte)?;
        let in_byte = (held & !(0xff << bit)).count_ones();
        Some(self.ranks.get(block)? + count_ones(before) + u64::from(in_byte))
    }

    fn end(&self) -> Pfn {
        let last = self.bytes.iter().enumerate().rev().find(|(_, byte)| **byte != 0);
        last.map_or(Pfn(0), |(index, byte)| Pfn(index as u64 * 8 + u64::from(u8::BITS - byte.leading_zeros())))
    }

    fn bit(&self, pfn: u64) -> bool {
        usize::try_from(pfn / 8)
            .ok()
            .and_then(|byte| self.bytes.get(byte))
            .is_some_and(|byte| byte >> (pfn % 8) & 1 == 1)
    }

    /// How many bits there are.
    fn end_of_bytes(&self) -> u64 {
        self.bytes.len() as u64 * 8
    }

    /// The first frame of a range whose bit is `set`.
    fn next(&self, range: Range<u64>, set: bool) -> Option<u64> {
        let (mut pfn, end) = (range.start, range.end.min(self.end_of_bytes()));
        let skip = if set { 0x00 } else { 0xff };
        while pfn < end {
            let byte = usize::try_from(pfn / 8).ok().and_then(|byte| self.bytes.get(byte))?;
            if pfn.is_multiple_of(8) && *byte == skip {
                pfn += 8 * self.same_bytes(pfn / 8..end.div_ceil(8), skip);
            } else if self.bit(pfn) == set {
                return Some(pfn);
            } else {
                pfn += 1;
            }
        }
        None
    }

    /// How many bytes from the first of a range on hold the same value, at least 1.
    fn same_bytes(&self, range: Range<u64>, value: u8) -> u64 {
        let range = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        let rest = range.and_then(|(start, end)| self.bytes.get(start..end)).unwrap_or_default();
        let (words, _) = rest.as_chunks::<8>();
        let same = words.iter().take_while(|word| **word == [value; 8]).count() as u64;
        (same * 8).max(1)
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
    use crate::memory::frames::{Frames, Runs};
    use alloc::vec;
    use proptest::prelude::*;

    #[test]
    fn the_tail_of_a_partial_byte_counts_and_bits_behind_it_do_not() {
        let bitmap = Bitmap::new(vec![0xff, 0xff], 11, 0x3000);
        assert_eq!(bitmap.described, 11);
        assert_eq!(bitmap.offset(Pfn(10)), Some(0x3000 + 10 * 0x1000));
        assert_eq!(bitmap.offset(Pfn(11)), None);
    }

    #[test]
    fn frames_behind_the_end_of_numbers_are_in_no_run() {
        // Two pages have a place, the third would begin beyond it.
        let frames = Frames::Bitmap(Bitmap::new(vec![0b1101_0001, 0], 16, u64::MAX - 0x1fff));
        let runs: Vec<_> = frames.runs().collect();
        assert_eq!(runs.iter().map(|run| (run.first, run.count)).collect::<Vec<_>>(), [(Pfn(0), 1), (Pfn(4), 1)]);
        assert!(runs.iter().all(|run| frames.offset(run.first) == Some(run.offset)));
        assert_eq!(frames.offset(Pfn(6)), None);
    }

    #[test]
    fn bits_that_the_file_does_not_hold_are_an_error() {
        let past_end =
            |at, count| matches!(Bitmap::read(&vec![0xff_u8; 16], at, count, 0), Err(ReadError::PastEnd { .. }));
        assert!(past_end(0, 129) && past_end(9, 64) && past_end(u64::MAX, 8) && past_end(0, u64::MAX));
        assert_eq!(Bitmap::read(&vec![0xff_u8; 16], 8, 64, 0).unwrap().population(), 64);
    }

    proptest! {
        #[test]
        fn a_bitmap_agrees_with_counting_by_hand(bits in proptest::collection::vec(any::<u8>(), 0..300), cut in 0_u64..2400, part in (0_u64..2500, 0_u64..2500)) {
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
            let census = BitmapCensus::of(&bits, 0, count).unwrap();
            prop_assert_eq!(census, BitmapCensus { population: rank, runs: frames.runs().count() as u64 });
            // Read from a file, and kept as runs as large ones are.
            let read = Frames::Bitmap(Bitmap::read(&bits, 0, count, 0x5000).unwrap());
            let kept = Frames::Bitmap(Bitmap::read_as_runs(&bits, 0, count, 0x5000, census).unwrap());
            for other in [&read, &kept] {
                prop_assert!(other.runs().eq(frames.runs()));
                prop_assert_eq!((other.end(), other.described()), (frames.end(), rank));
                for pfn in 0..bits.len() as u64 * 8 + 9 {
                    prop_assert_eq!(other.offset(Pfn(pfn)), frames.offset(Pfn(pfn)));
                }
            }
            // A part of it is what the whole has there.
            let (start, end) = (part.0.min(part.1), part.0.max(part.1));
            for all in [&frames, &by_runs, &kept] {
                let runs: Vec<_> = all.runs_in(Pfn(start)..Pfn(end)).collect();
                let inside: Vec<u64> = runs.iter().flat_map(|run| run.first.0..run.first.0 + run.count).collect();
                prop_assert_eq!(inside, (start..end).filter(|pfn| set(*pfn)).collect::<Vec<_>>());
                prop_assert!(runs.iter().all(|run| all.offset(run.first) == Some(run.offset)));
            }
            prop_assert_eq!(frames.present(0x5000 + 0x1000 * 3 + 1), rank.min(3));
            prop_assert_eq!(by_runs.present(0x5000 + 0x1000 * 3 + 1), rank.min(3));
        }
    }
}
