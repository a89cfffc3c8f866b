//! Why one value is missing while the rest of the answer stands.

use crate::address::Pfn;
use core::fmt;

/// The level of page tables at which a translation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Level {
    /// Page map level 5 (LA57 only).
    Pml5,
    /// Page map level 4.
    Pml4,
    /// Page directory pointer table.
    Pdpt,
    /// Page directory.
    Pd,
    /// Page table.
    Pt,
}

/// Why a value is missing. It explains one empty cell; [`Error`](crate::Error) stops a whole operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Absent {
    /// This build of Windows has no such field.
    NoSuchField,
    /// Address translation worked, but the dump does not describe this frame.
    FrameNotInDump(Pfn),
    /// No block of virtual memory in the dump holds this address (triage dumps).
    AddressNotInDump,
    /// The dump describes the frame, but the file ends before its bytes.
    Truncated {
        /// Offset in the file at which the bytes should be.
        offset: u64,
    },
    /// The kernel had not saved the register whose place is in the dump: it is zero there.
    NotSaved,
    /// The file could not be read at this offset.
    ReadFailed {
        /// Offset in the file of the failed read.
        offset: u64,
    },
    /// No page is mapped here: the entry of this level is zero or not valid.
    NotPresent(Level),
    /// The page lies in a page file.
    PagedOut {
        /// Number of the page file.
        file: u8,
        /// Page index in that file.
        page: u64,
    },
    /// The page was never touched: it would read as zeros.
    DemandZero,
    /// The page is described by a prototype entry that could not be resolved.
    Prototype,
    /// The page's content lies in a mapped file.
    FileBacked,
    /// The page lies compressed in the memory compression store.
    Compressed,
    /// The address is not canonical.
    NonCanonical,
    /// The bytes are there but cannot be what they should be.
    Malformed,
    /// The question makes no sense for this object.
    NotApplicable,
    /// Only symbols of exactly this kernel could tell.
    SymbolsNeeded,
}

impl Absent {
    /// Whether the machine may have had it, and only the dump does not hold it.
    pub const fn is_missing_from_dump(self) -> bool {
        matches!(
            self,
            Self::FrameNotInDump(_) | Self::AddressNotInDump | Self::Truncated { .. } | Self::ReadFailed { .. }
        )
    }

    /// Whether nothing was ever at the address, in contrast to what is merely elsewhere: a pointer that leads there is wrong.
    pub const fn is_nowhere(self) -> bool {
        matches!(self, Self::NonCanonical | Self::NotPresent(_) | Self::Malformed)
    }

    /// Whether the dump says that it holds the bytes, and the file did not give them.
    pub const fn is_lost(self) -> bool {
        matches!(self, Self::Truncated { .. } | Self::ReadFailed { .. })
    }

    /// The reason's name in the output contract.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NoSuchField => "no-such-field",
            Self::FrameNotInDump(_) | Self::AddressNotInDump | Self::NotSaved => "not-in-dump",
            Self::Truncated { .. } => "truncated",
            Self::ReadFailed { .. } => "read-failed",
            Self::NotPresent(_) => "not-present",
            Self::PagedOut { .. } => "paged-out",
            Self::DemandZero => "demand-zero",
            Self::Prototype => "prototype",
            Self::FileBacked => "file-backed",
            Self::Compressed => "compressed",
            Self::NonCanonical => "non-canonical",
            Self::Malformed => "malformed",
            Self::NotApplicable => "not-applicable",
            Self::SymbolsNeeded => "symbols-needed",
        }
    }
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FrameNotInDump(pfn) => write!(f, "frame {:#x} is not in the dump", pfn.0),
            Self::Truncated { offset } => write!(f, "the file ends before offset {offset:#x}"),
            Self::ReadFailed { offset } => write!(f, "the file could not be read at offset {offset:#x}"),
            Self::NotPresent(level) => write!(f, "not mapped: the {level:?} entry is not present"),
            Self::PagedOut { file, page } => write!(f, "paged out to page file {file}, page {page:#x}"),
            Self::NotSaved => f.write_str("the kernel had not saved the register"),
            other => f.write_str(other.reason()),
        }
    }
}

impl core::error::Error for Absent {}
