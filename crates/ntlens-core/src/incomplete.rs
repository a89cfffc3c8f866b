//! What an answer could not take into account.

use crate::absent::Absent;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

/// One thing that could not be read, or that contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incomplete {
    /// What is missing or wrong.
    pub what: String,
    /// Where: an address or a file offset, and the structure.
    pub place: String,
    /// The reason's name in the output contract.
    pub reason: &'static str,
    /// How many such things.
    pub count: u64,
}

impl Incomplete {
    /// One thing that is missing for a reason.
    pub fn new(what: impl Into<String>, place: impl fmt::Display, why: Absent) -> Self {
        Self { what: what.into(), place: place.to_string(), reason: why.reason(), count: 1 }
    }

    /// The same thing, so many times.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self { count, ..self }
    }

    /// What of an array could not be read: one entry a reason, with the number of elements of `size` bytes that it costs.
    pub(crate) fn of_holes(
        what: &str,
        place: impl fmt::Display + Copy,
        holes: &[(Range<usize>, Absent)],
        size: usize,
    ) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for (hole, why) in holes {
            let count = u64::try_from(hole.len().div_ceil(size.max(1))).unwrap_or(u64::MAX);
            Self::new(what, place, *why).times(count).add_to(&mut all);
        }
        all
    }

    /// Adds a thing to a list: as one more of the same, if the list has it already for the same reason.
    pub(crate) fn add_to(self, list: &mut Vec<Self>) {
        match list.iter_mut().find(|known| known.what == self.what && known.reason == self.reason) {
            Some(known) => known.count = known.count.saturating_add(self.count),
            None => list.push(self),
        }
    }

    /// A field of the file that contradicts the rest of it.
    pub(crate) fn contradiction(
        structure: &str,
        field: &str,
        offset: u64,
        found: impl fmt::Display,
        expected: impl fmt::Display,
    ) -> Self {
        let what = format!("{structure}.{field} is {found}, expected {expected}");
        Self::new(what, format_args!("file offset {offset:#x}"), Absent::Malformed)
    }
}
