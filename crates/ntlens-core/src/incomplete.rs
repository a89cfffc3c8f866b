//! What an answer could not take into account.

use crate::absent::Absent;
use crate::address::{PhysAddr, VirtAddr};
use alloc::borrow::Cow;
use alloc::boxed::Box;
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
    /// Where it is.
    pub place: Place,
    /// The reason's name in the output contract.
    pub reason: &'static str,
    /// How many such things.
    pub count: u64,
    /// The field that is wrong, where one field is.
    pub wrong: Option<Box<Wrong>>,
}

/// Things of one list that are told by themselves; what is beyond is counted.
const MAX_APART: usize = 1 << 8;

/// Where something is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// An offset in the file.
    File(u64),
    /// A virtual address.
    Virtual(VirtAddr),
    /// An address of user memory, with the root of the page tables of its process.
    User(VirtAddr, PhysAddr),
    /// A physical address.
    Physical(PhysAddr),
    /// Something by its name.
    Named(Cow<'static, str>),
}

/// A field that holds what it should not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The structure's name, or that of a variable of the kernel.
    pub structure: Cow<'static, str>,
    /// The field's name.
    pub field: Cow<'static, str>,
    /// What it holds.
    pub found: String,
    /// What it should hold, as far as the rest of the dump tells.
    pub expected: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(offset) => write!(f, "file offset {offset:#x}"),
            Self::Virtual(at) | Self::User(at, _) => at.fmt(f),
            Self::Physical(at) => write!(f, "physical {at}"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

impl From<VirtAddr> for Place {
    fn from(at: VirtAddr) -> Self {
        Self::Virtual(at)
    }
}

impl From<PhysAddr> for Place {
    fn from(at: PhysAddr) -> Self {
        Self::Physical(at)
    }
}

impl From<&VirtAddr> for Place {
    fn from(at: &VirtAddr) -> Self {
        Self::Virtual(*at)
    }
}

impl From<&str> for Place {
    fn from(name: &str) -> Self {
        Self::Named(String::from(name).into())
    }
}

impl From<String> for Place {
    fn from(name: String) -> Self {
        Self::Named(name.into())
    }
}

impl Incomplete {
    /// One thing that is missing for a reason.
    pub fn new(what: impl Into<String>, place: impl Into<Place>, why: Absent) -> Self {
        Self { what: what.into(), place: place.into(), reason: why.reason(), count: 1, wrong: None }
    }

    /// A field that contradicts the rest of the dump.
    pub fn wrong(
        structure: impl Into<Cow<'static, str>>,
        field: impl Into<Cow<'static, str>>,
        place: impl Into<Place>,
        found: impl fmt::Display,
        expected: impl fmt::Display,
    ) -> Self {
        let (structure, field) = (structure.into(), field.into());
        let name = if field.is_empty() { structure.to_string() } else { format!("{structure}.{field}") };
        let what = format!("{name} is {found}, expected {expected}");
        Self::new(what, place, Absent::Malformed).of_field(structure, field, found, expected)
    }

    /// A field of the file that contradicts the rest of it.
    pub(crate) fn contradiction(
        structure: &'static str,
        field: impl Into<Cow<'static, str>>,
        offset: u64,
        found: impl fmt::Display,
        expected: impl fmt::Display,
    ) -> Self {
        Self::wrong(structure, field, Place::File(offset), found, expected)
    }

    /// The same thing, so many times.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self { count, ..self }
    }

    /// What of an array could not be read: one entry a reason, with the number of elements of `size` bytes that it costs.
    pub(crate) fn of_holes(
        what: &str,
        place: impl Into<Place>,
        holes: &[(Range<usize>, Absent)],
        size: usize,
    ) -> Vec<Self> {
        let (place, mut all): (Place, Vec<Self>) = (place.into(), Vec::new());
        for (hole, why) in holes {
            let count = u64::try_from(hole.len().div_ceil(size.max(1))).unwrap_or(u64::MAX);
            Self::new(what, place.clone(), *why).times(count).add_to(&mut all);
        }
        all
    }

    /// What a walker did not look at, because there was more of it than it takes.
    pub(crate) fn beyond(what: impl fmt::Display, place: impl Into<Place>, most: impl fmt::Display) -> Self {
        Self::new(format!("{what} beyond the first {most}"), place, Absent::Malformed)
    }

    /// Adds a thing to a list: as one more of the same, if the list has it already for the same reason. A field that is wrong
    /// is another one at each place.
    pub(crate) fn add_to(self, list: &mut Vec<Self>) {
        let place = self.wrong.is_some().then_some(&self.place);
        let same = |known: &&mut Self| {
            known.what == self.what && known.reason == self.reason && place.is_none_or(|place| known.place == *place)
        };
        if let Some(known) = list.iter_mut().find(same) {
            known.count = known.count.saturating_add(self.count);
        } else if list.len() < MAX_APART {
            list.push(self);
        } else {
            let more = Self::beyond("faults and gaps", "this answer", MAX_APART);
            match list.last_mut().filter(|last| last.what == more.what) {
                Some(last) => last.count = last.count.saturating_add(self.count),
                None => list.push(more.times(self.count)),
            }
        }
    }

    /// The same thing for another reason than a contradiction.
    #[must_use]
    pub fn because(self, why: Absent) -> Self {
        Self { reason: why.reason(), ..self }
    }

    /// The same thing, with the field that it is about.
    #[must_use]
    pub fn of_field(
        self,
        structure: impl Into<Cow<'static, str>>,
        field: impl Into<Cow<'static, str>>,
        found: impl fmt::Display,
        expected: impl fmt::Display,
    ) -> Self {
        let (structure, field) = (structure.into(), field.into());
        let wrong = Wrong { structure, field, found: found.to_string(), expected: expected.to_string() };
        Self { wrong: Some(Box::new(wrong)), ..self }
    }

    /// Whether bytes contradict others. The alternative is a gap: bytes that the dump does not hold.
    pub fn is_contradiction(&self) -> bool {
        self.wrong.is_some() || [Absent::Malformed, Absent::NonCanonical].iter().any(|why| why.reason() == self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_apart_is_bounded_and_the_rest_is_counted() {
        let mut list = Vec::new();
        // The same text at two places is two faults, and one gap.
        for at in [1, 2] {
            Incomplete::wrong("A", "B", VirtAddr(at), 0, 1).add_to(&mut list);
            Incomplete::new("page", VirtAddr(at), Absent::DemandZero).add_to(&mut list);
        }
        assert_eq!(list.iter().map(|one| one.count).collect::<Vec<_>>(), [1, 2, 1]);
        let faults = MAX_APART as u64 + 5;
        let mut list = Vec::new();
        (0..faults).for_each(|at| Incomplete::wrong("A", "B", VirtAddr(at), 0, 1).add_to(&mut list));
        assert_eq!(list.len(), MAX_APART + 1);
        assert_eq!(list[MAX_APART].what, format!("faults and gaps beyond the first {MAX_APART}"));
        assert_eq!(list.iter().map(|one| one.count).sum::<u64>(), faults);
    }

    #[test]
    fn a_wrong_field_tells_itself_in_words_and_in_parts() {
        let wrong = Incomplete::wrong("DUMP_HEADER64", "DumpType", Place::File(0xf98), 9, 5);
        assert_eq!(wrong.what, "DUMP_HEADER64.DumpType is 9, expected 5");
        assert_eq!((wrong.place.to_string().as_str(), wrong.reason), ("file offset 0xf98", "malformed"));
        let parts = wrong.wrong.clone().unwrap();
        assert_eq!(
            (&*parts.structure, &*parts.field, &*parts.found, &*parts.expected),
            ("DUMP_HEADER64", "DumpType", "9", "5")
        );
        assert!(wrong.is_contradiction());
        let gap = Incomplete::new("page", VirtAddr(0x1000), Absent::DemandZero).times(3);
        assert!(!gap.is_contradiction());
        assert_eq!((gap.count, gap.place.to_string().as_str()), (3, "0x0000000000001000"));
    }
}
