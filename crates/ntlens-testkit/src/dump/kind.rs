//! The kinds of dump files.

use std::fmt;
use std::str::FromStr;

/// A kind of dump file. Its name is what [`Display`](fmt::Display) writes and [`FromStr`] takes.
///
/// ```
/// use ntlens_testkit::Kind;
///
/// let kind: Kind = "live".parse()?;
/// assert_eq!(kind, Kind::BitmapKernel { live: true });
/// assert_eq!((kind.name(), kind.dump_type()), ("live", Some(6)));
/// assert!(!kind.holds_user_memory());
/// # Ok::<(), ntlens_testkit::UnknownKind>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `DumpType` 1: all of RAM, by runs.
    Full,
    /// `DumpType` 2: kernel memory with the bitmap header of Windows 7.
    Summary,
    /// `DumpType` 4: a small dump with blocks of virtual memory.
    Triage,
    /// `DumpType` 5: all of RAM, by bitmap.
    BitmapFull {
        /// Only frames in use, as an active dump has it.
        active: bool,
    },
    /// `DumpType` 6: kernel memory, by bitmap.
    BitmapKernel {
        /// Of a machine that goes on running.
        live: bool,
    },
    /// `DumpType` 8: kernel memory, by ranges.
    RdmpKernel,
    /// `DumpType` 9: memory in use, by ranges.
    RdmpUser,
    /// `DumpType` 10: all of RAM, by ranges.
    RdmpFull,
    /// No header at all: the byte at offset `n` is that at physical address `n`.
    Raw,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Full,
        Self::Summary,
        Self::Triage,
        Self::BitmapFull { active: false },
        Self::BitmapFull { active: true },
        Self::BitmapKernel { live: false },
        Self::BitmapKernel { live: true },
        Self::RdmpKernel,
        Self::RdmpUser,
        Self::RdmpFull,
        Self::Raw,
    ];

    /// Its name, in one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Summary => "summary",
            Self::Triage => "triage",
            Self::BitmapFull { active: false } => "bitmap",
            Self::BitmapFull { active: true } => "active",
            Self::BitmapKernel { live: false } => "kernel",
            Self::BitmapKernel { live: true } => "live",
            Self::RdmpKernel => "rdmp-kernel",
            Self::RdmpUser => "rdmp-user",
            Self::RdmpFull => "rdmp-full",
            Self::Raw => "raw",
        }
    }

    /// What it holds, in a few words.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Full => "all of RAM, by runs: a complete dump",
            Self::Summary => "kernel memory, by the bitmap of Windows 7",
            Self::Triage => "a small dump: blocks of virtual memory around the crash",
            Self::BitmapFull { active: false } => "all of RAM, by bitmap: a complete dump of Windows 8 and later",
            Self::BitmapFull { active: true } => "memory in use, by bitmap: an active dump",
            Self::BitmapKernel { live: false } => "kernel memory, by bitmap: a kernel or automatic dump",
            Self::BitmapKernel { live: true } => "kernel memory, by bitmap, of a machine that goes on running",
            Self::RdmpKernel => "kernel memory, by ranges",
            Self::RdmpUser => "memory in use, by ranges",
            Self::RdmpFull => "all of RAM, by ranges",
            Self::Raw => "no header: the byte at offset n is that at physical address n",
        }
    }

    /// `DumpType` of the header; `None` where there is no header.
    pub const fn dump_type(self) -> Option<u32> {
        match self {
            Self::Raw => None,
            other => Some(other.number()),
        }
    }

    /// Whether the file has the memory of user space.
    pub const fn holds_user_memory(self) -> bool {
        match self {
            Self::Summary | Self::Triage | Self::BitmapKernel { .. } | Self::RdmpKernel => false,
            Self::Full | Self::BitmapFull { .. } | Self::RdmpUser | Self::RdmpFull | Self::Raw => true,
        }
    }

    pub(super) const fn number(self) -> u32 {
        match self {
            Self::Full | Self::Raw => 1,
            Self::Summary => 2,
            Self::Triage => 4,
            Self::BitmapFull { .. } => 5,
            Self::BitmapKernel { .. } => 6,
            Self::RdmpKernel => 8,
            Self::RdmpUser => 9,
            Self::RdmpFull => 10,
        }
    }

    pub(super) const fn attributes(self) -> u32 {
        match self {
            Self::BitmapFull { active: true } => 1 << 6,
            Self::BitmapKernel { live: true } => 1 << 4,
            _ => 0,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no [`Kind`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKind(String);

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Kind::ALL.map(Kind::name).join(", ");
        write!(f, "there is no kind of dump {:?}: {known}", self.0)
    }
}

impl std::error::Error for UnknownKind {}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| UnknownKind(name.into()))
    }
}
