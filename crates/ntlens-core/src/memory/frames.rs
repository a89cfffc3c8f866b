//! Which page frames a dump describes, and where in the file each lies.
//!
//! Two shapes cover every kind of dump that stores frames: sorted runs, looked up by binary search, and a bitmap with a
//! directory of counts, looked up in constant time. Neither keeps an entry for each page, and neither takes more than 16 to
//! 24 bytes for each run beside 9 MiB.

use crate::address::{PAGE_SIZE, Pfn};
use crate::memory::bitmap::Bitmap;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

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
    pub(super) const fn end(self) -> u64 {
        self.first.0.saturating_add(self.count)
    }

    /// How many of its frames lie wholly within the first `file_len` bytes of the file.
    pub fn present(self, file_len: u64) -> u64 {
        (file_len.saturating_sub(self.offset) / PAGE_SIZE).min(self.count)
    }

    /// The frames of it that are in a range, if there are any.
    fn clipped(self, range: &Range<Pfn>) -> Option<Self> {
        let first = self.first.max(range.start);
        let count = self.end().min(range.end.0).checked_sub(first.0).filter(|count| *count > 0)?;
        let offset = (first.0 - self.first.0).checked_mul(PAGE_SIZE)?.checked_add(self.offset)?;
        Some(Self { first, count, offset })
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
            Self::Bitmap(bitmap) => bitmap.population(),
        }
    }

    /// How many of the described frames lie wholly within the first `file_len` bytes of the file.
    pub fn present(&self, file_len: u64) -> u64 {
        match self {
            Self::Runs(runs) => runs.sorted.iter().map(|run| run.present(file_len)).fold(0, u64::saturating_add),
            Self::Bitmap(bitmap) => (file_len.saturating_sub(bitmap.first_page()) / PAGE_SIZE).min(bitmap.population()),
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
    pub fn runs(&self) -> Box<dyn Iterator<Item = Run> + '_> {
        match self {
            Self::Runs(runs) => Box::new(runs.sorted.iter().copied()),
            Self::Bitmap(bitmap) => Box::new(bitmap.runs_in(Pfn(0)..Pfn(u64::MAX))),
        }
    }

    /// The described frames of a range, as [`runs`](Self::runs) gives them. What lies before and behind the range is not
    /// looked at.
    pub fn runs_in(&self, range: Range<Pfn>) -> Box<dyn Iterator<Item = Run> + '_> {
        match self {
            Self::Runs(runs) => Box::new(runs.among(range)),
            Self::Bitmap(bitmap) => Box::new(bitmap.runs_in(range)),
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
    /// Sorts runs given in the order of the file. A list in a vector is sorted where it is: there can be a million.
    pub fn new(claimed: impl IntoIterator<Item = Run>) -> Self {
        let mut sorted: Vec<Run> = claimed.into_iter().collect();
        sorted.sort_unstable_by_key(|run| (run.first, run.offset));
        let (mut end, mut overlapping, mut described) = (0, 0_u64, 0_u64);
        sorted.retain_mut(|run| {
            let taken = u64::saturating_sub(end, run.first.0).min(run.count);
            overlapping = overlapping.saturating_add(taken);
            *run = Run {
                first: Pfn(run.first.0.saturating_add(taken)),
                count: run.count - taken,
                offset: run.offset.saturating_add(taken.saturating_mul(PAGE_SIZE)),
            };
            if run.count > 0 {
                end = run.end();
                described = described.saturating_add(run.count);
            }
            run.count > 0
        });
        Self { sorted, described, overlapping }
    }

    /// The runs of a range.
    fn among(&self, range: Range<Pfn>) -> impl Iterator<Item = Run> + '_ {
        let from = self.sorted.partition_point(|run| run.end() <= range.start.0);
        let rest = self.sorted.get(from..).unwrap_or_default();
        rest.iter().map_while(move |run| run.clipped(&range))
    }

    fn offset(&self, pfn: Pfn) -> Option<u64> {
        let behind = self.sorted.partition_point(|run| run.first <= pfn);
        let run = self.sorted.get(behind.checked_sub(1)?)?;
        let index = pfn.0 - run.first.0;
        let in_run = index < run.count;
        in_run.then_some(index.checked_mul(PAGE_SIZE)?.checked_add(run.offset)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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

    proptest! {
        #[test]
        fn runs_describe_each_frame_once_whatever_is_claimed(
            claimed in proptest::collection::vec((0_u64..60, 0_u64..20), 0..12),
        ) {
            let mut offset = 0x2000;
            let list: Vec<Run> = claimed.iter().map(|(first, count)| {
                let run = Run { first: Pfn(*first), count: *count, offset };
                offset += count * PAGE_SIZE;
                run
            }).collect();
            let runs = Runs::new(list.iter().copied());
            let claims = |pfn: u64| list.iter().filter(|run| (run.first.0..run.end()).contains(&pfn)).count() as u64;
            let once = (0..80).filter(|pfn| claims(*pfn) > 0).count() as u64;
            let all: u64 = claimed.iter().map(|(_, count)| count).sum();
            prop_assert_eq!((runs.described, runs.overlapping), (once, all - once));
            for pfn in 0..80 {
                prop_assert_eq!(runs.offset(Pfn(pfn)).is_some(), claims(pfn) > 0);
            }
            let again = Runs::new(runs.sorted.iter().copied());
            prop_assert_eq!((again.sorted, again.overlapping), (runs.sorted, 0));
        }
    }
}
