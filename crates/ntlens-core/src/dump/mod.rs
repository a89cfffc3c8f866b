//! Dump files: what kind a file is, and the memory it holds.
//!
//! A kind is one file of this folder and one line of `FORMATS`. Nothing here knows a kernel structure.

pub mod bitmap;
pub mod full;
mod header32;
pub mod header64;
pub mod raw;
pub mod rdmp;
mod salvage;
mod signature;
pub mod summary;
pub mod triage;

use crate::absent::Absent;
use crate::address::{PAGE_SIZE, PhysAddr};
use crate::error::Error;
use crate::incomplete::{Incomplete, Place};
use crate::memory::PhysicalImage;
use crate::source::{ByteSource, ReadError};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
pub use header64::{Attributes, HEADER_SIZE, Header64};
use signature::Width;
pub use triage::Triage;

/// What a dump holds, by the way it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DumpKind {
    /// Type 1: runs of physical memory.
    Full,
    /// Type 2: the kernel's memory, as Windows 7 and older wrote it.
    Kernel,
    /// Type 3: a header and nothing else.
    Header,
    /// Type 4: some blocks of virtual memory ("small" or "mini" dump).
    Triage,
    /// Type 5: a complete or active dump of Windows 8 and later.
    BitmapFull,
    /// Type 6: a kernel or automatic dump of Windows 8 and later.
    BitmapKernel,
    /// Type 6 written from the running system.
    Live,
    /// Type 8: the debugger's `.dump /k`.
    RdmpKernel,
    /// Type 9: the debugger's `.dump /ka`.
    RdmpKernelUser,
    /// Type 0xa: the debugger's `.dump /f`.
    RdmpFull,
    /// Physical memory without any header.
    Raw,
}

impl DumpKind {
    /// The name in the output contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Kernel => "kernel",
            Self::Header => "header",
            Self::Triage => "triage",
            Self::BitmapFull => "bitmap-full",
            Self::BitmapKernel => "bitmap-kernel",
            Self::Live => "live",
            Self::RdmpKernel => "rdmp-kernel",
            Self::RdmpKernelUser => "rdmp-kernel-user",
            Self::RdmpFull => "rdmp-full",
            Self::Raw => "raw",
        }
    }
}

/// The memory of a dump.
#[derive(Clone, Debug)]
pub enum Content {
    /// Page frames.
    Physical(PhysicalImage),
    /// Blocks of virtual memory.
    Triage(Triage),
    /// Nothing that can be read, and why.
    Nothing(Error),
}

/// A dump that was opened.
#[derive(Clone)]
pub struct Dump {
    /// The file.
    pub source: Arc<dyn ByteSource>,
    /// How it was written.
    pub kind: DumpKind,
    /// The header, if the kind has one.
    pub header: Option<Header64>,
    /// What it holds.
    pub content: Content,
    /// What in the file contradicts itself or could not be read.
    pub incomplete: Vec<Incomplete>,
}

impl fmt::Debug for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dump").field("kind", &self.kind).field("content", &self.content).finish_non_exhaustive()
    }
}

/// A file whose header was read, looked at by the formats in turn.
pub(crate) struct Candidate<'a> {
    source: &'a Arc<dyn ByteSource>,
    header: &'a Header64,
    /// The eight bytes behind the header, zeros if the file ends there.
    tag: [u8; 8],
}

/// What a format found.
pub(crate) struct Opened {
    kind: DumpKind,
    content: Content,
    incomplete: Vec<Incomplete>,
}

/// One way in which dumps store memory.
struct Format {
    /// The data's name, for remarks.
    name: &'static str,
    /// Dump types that should be stored so.
    types: &'static [u32],
    /// Whether what lies behind the header shows that this file is stored so. That decides before the dump type does.
    matches: fn(&Candidate<'_>) -> bool,
    /// Reads where the memory lies.
    open: fn(&Candidate<'_>) -> Result<Opened, Error>,
}

/// All formats with a header, in the order in which they are asked.
const FORMATS: &[Format] = &[rdmp::FORMAT, summary::FORMAT, bitmap::FORMAT, triage::FORMAT, full::FORMAT, HEADER_ONLY];

const HEADER_ONLY: Format = Format {
    name: "header only",
    types: &[3],
    matches: |_| false,
    open: |_| {
        let content = Content::Nothing(Error::Unsupported {
            what: "this dump is a header and nothing else".into(),
            advice: "only `info` can be answered",
        });
        Ok(Opened { kind: DumpKind::Header, content, incomplete: Vec::new() })
    },
};

impl Dump {
    /// Opens a file of any kind that has a header. Errors: [`Error::Unsupported`] for files that are no 64-bit kernel
    /// dump, [`Error::Malformed`] where the description of the memory makes no sense.
    pub fn open(source: Arc<dyn ByteSource>) -> Result<Self, Error> {
        let (width, damaged) = signature::check(&*source)?;
        let header = match width {
            Width::Bits32 => header32::read(&*source)?,
            Width::Bits64 => Header64::read(&*source)?,
        };
        let mut tag = [0; 8];
        match source.read_at(HEADER_SIZE, &mut tag) {
            // A file that ends here has no tag; the formats then go by the dump type.
            Ok(()) | Err(ReadError::PastEnd { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let candidate = Candidate { source: &source, header: &header, tag };
        let opened = match unreadable(&header, width) {
            Some(why) => Opened {
                kind: kind_of_type(&header).unwrap_or(DumpKind::Header),
                content: Content::Nothing(why),
                incomplete: Vec::new(),
            },
            None => open_as(&candidate)?,
        };
        let Opened { kind, content, mut incomplete } = opened;
        incomplete.splice(0..0, damaged);
        let is_read = !matches!(&content, Content::Nothing(_));
        if header.machine != MACHINE_X64 && (is_read || !matches!(header.machine, MACHINE_ARM64 | MACHINE_X86)) {
            let found = format!("{:#x}", header.machine);
            let at = header64::offsets::MACHINE_IMAGE_TYPE;
            incomplete.push(Incomplete::contradiction("DUMP_HEADER64", "MachineImageType", at, found, "0x8664"));
        }
        let mut dump = Self { source, kind, header: Some(header), content, incomplete };
        dump.note_size();
        dump.note_times();
        dump.note_truncation();
        Ok(dump)
    }

    fn note_header(&mut self, field: &'static str, at: u64, found: u64, expected: &str) {
        let found = format!("{found:#x}");
        self.incomplete.push(Incomplete::contradiction("DUMP_HEADER64", field, at, found, expected));
    }

    /// Says which times of the header no clock can have shown.
    fn note_times(&mut self) {
        let Some(header) = &self.header else { return };
        let (now, up_time) = (header.system_time.unwrap_or(0), header.system_up_time.unwrap_or(0));
        if now != 0 && !CLOCK.contains(&now) {
            self.note_header("SystemTime", header64::offsets::SYSTEM_TIME, now, "a time from 1980 to 2261");
        } else if now != 0 && up_time > now {
            let expected = format!("at most {now:#x}, the SystemTime");
            self.note_header("SystemUpTime", header64::offsets::SYSTEM_UP_TIME, up_time, &expected);
        }
    }

    /// Says what of the size contradicts a description that is sound in itself: space that is less than what is described
    /// takes, or more than any memory; and bytes at the end that nothing describes. Windows reserves more space than it
    /// takes in the end, by megabytes in a small dump, so neither more space nor a file that is shorter than that is wrong.
    /// Of the kinds with a bitmap or ranges no real file shows whether the space is counted before some pages are left out.
    fn note_size(&mut self) {
        let required = self.header.as_ref().and_then(|header| header.required_dump_space);
        let end = self.expected_len().filter(|_| !self.incomplete.iter().any(Incomplete::is_contradiction));
        let (Some(required), Some(end)) = (required, end) else { return };
        let lowest = if matches!(self.kind, DumpKind::Full | DumpKind::Triage) { end } else { 0 };
        if !(lowest..=MOST_SPACE).contains(&required) {
            let expected =
                format!("{lowest:#x}, where what it describes ends, to {MOST_SPACE:#x}, all that can be addressed");
            self.note_header("RequiredDumpSpace", header64::offsets::REQUIRED_DUMP_SPACE, required, &expected);
        } else if self.source.len() > end.max(required) && self.has_unknown_tail(end) {
            let found = format!("{:#x} bytes behind the end of what is described", self.source.len() - end);
            let expected = "nothing, zeros, or the tagged data that begin with \"DumpBlob\"";
            self.incomplete.push(Incomplete::contradiction("file", "tail", end, found, expected));
        }
    }

    /// Whether something else than zeros or tagged data follows an offset.
    fn has_unknown_tail(&self, end: u64) -> bool {
        let mut tail = alloc::vec![0; usize::try_from(self.source.len().saturating_sub(end).min(TAIL)).unwrap_or(0)];
        // What cannot be read is said by whoever needs it.
        self.source.read_at(end, &mut tail).is_ok()
            && !tail.starts_with(b"DumpBlob")
            && tail.iter().any(|byte| *byte != 0)
    }

    /// Says how much of what is described lies behind the end of the file.
    fn note_truncation(&mut self) {
        let offset = self.source.len();
        let place = Place::File(offset);
        let why = crate::Absent::Truncated { offset };
        let missing = match (self.pages_described(), self.pages_present()) {
            (Some(described), Some(present)) => described - present,
            // A triage dump gives its size.
            _ => u64::from(!self.is_complete()),
        };
        if missing > 0 {
            let what = if self.pages_described().is_some() { "page frames" } else { "the end of the dump" };
            let expected =
                self.expected_len().map_or("the size that its header gives".into(), |len| format!("{len:#x}"));
            let found = format!("{offset:#x}");
            self.incomplete
                .push(Incomplete::new(what, place, why).of_field("file", "size", found, expected).times(missing));
        }
    }

    /// Where the last of the frames that are described ends, or the small dump by its own word.
    fn expected_len(&self) -> Option<u64> {
        if let Content::Triage(triage) = &self.content {
            return Some(triage.size_of_dump);
        }
        let end = |run: crate::memory::frames::Run| run.offset.saturating_add(run.count.saturating_mul(PAGE_SIZE));
        self.physical().ok()?.frames().runs().map(end).max()
    }

    /// Takes a file as physical memory from address 0 on, without any header.
    pub fn open_raw(source: Arc<dyn ByteSource>) -> Self {
        let content = Content::Physical(raw::image(source.clone()));
        Self { source, kind: DumpKind::Raw, header: None, content, incomplete: Vec::new() }
    }

    /// The page frames, or the reason why there are none.
    pub fn physical(&self) -> Result<&PhysicalImage, Error> {
        match &self.content {
            Content::Physical(image) => Ok(image),
            Content::Triage(_) => Err(Error::NotInKind { kind: self.kind.name(), what: "physical memory" }),
            Content::Nothing(why) => Err(why.clone()),
        }
    }

    /// Frames that the dump describes; `None` for kinds that store none.
    pub fn pages_described(&self) -> Option<u64> {
        self.physical().ok().map(|image| image.frames().described())
    }

    /// Frames that lie wholly inside the file.
    pub fn pages_present(&self) -> Option<u64> {
        self.physical().ok().map(|image| image.frames().present(self.source.len()))
    }

    /// Whether the file holds everything that it describes.
    pub fn is_complete(&self) -> bool {
        match &self.content {
            // The description itself may be cut off.
            Content::Physical(_) | Content::Nothing(_) => {
                let cut = Absent::Truncated { offset: 0 }.reason();
                let described = self.incomplete.iter().all(|missing| missing.reason != cut);
                described && self.pages_described() == self.pages_present()
            }
            Content::Triage(triage) => triage.is_complete(),
        }
    }

    /// The root of page tables that the header gives.
    pub fn header_dtb(&self) -> Option<PhysAddr> {
        let cr3 = self.header.as_ref()?.directory_table_base?;
        Some(PhysAddr::from_cr3(cr3)).filter(|root| root.0 != 0)
    }
}

/// From 1980, before which no clock of a PC is set, as far as 64 bits of nanoseconds since 1970 go.
const CLOCK: core::ops::Range<u64> = 119_600_064_000_000_000..208_591_200_000_000_000;
/// Bytes that 52 bits of physical addresses reach; no dump takes more.
const MOST_SPACE: u64 = 1 << 52;
/// Bytes at the end of a file that are looked at.
const TAIL: u64 = 1 << 16;

const MACHINE_X64: u32 = 0x8664;
const MACHINE_ARM64: u32 = 0xaa64;
const MACHINE_X86: u32 = 0x14c;

/// Reads the fixed part of a structure of the file. One that the file ends in is named.
pub(crate) fn read_head(
    source: &dyn ByteSource,
    structure: &'static str,
    at: u64,
    size: u64,
) -> Result<Vec<u8>, Error> {
    source.read_vec(at, size).map_err(|error| match error {
        ReadError::PastEnd { .. } => Error::Malformed {
            structure,
            offset: at,
            field: "size",
            found: format!("{:#x} bytes, where the file ends", source.len().saturating_sub(at)),
            expected: format!("{size:#x} bytes"),
        },
        error => error.into(),
    })
}

/// Why the memory of a dump with a sound header cannot be read.
fn unreadable(header: &Header64, width: Width) -> Option<Error> {
    let unsupported = |what: String, advice| Some(Error::Unsupported { what, advice });
    if width == Width::Bits32 {
        return unsupported("a dump of a 32-bit kernel".into(), "only `info` can be answered");
    }
    match header.machine {
        // The registers are those of the machine: where both are told they must agree.
        _ if header.has_x64_context() => {}
        MACHINE_ARM64 => return unsupported("a dump of an ARM64 machine".into(), "only `info` can be answered"),
        MACHINE_X86 => return unsupported("a dump of a 32-bit x86 machine".into(), "only `info` can be answered"),
        _ => {}
    }
    let encrypted = header.attributes.is_some_and(|attributes| {
        attributes.contains(Attributes::ENCRYPTED_DUMP_DATA) && !attributes.contains(Attributes::DECRYPTED_DUMP)
    });
    if encrypted {
        return unsupported(
            "an encrypted dump (DUMP_FILE_ATTRIBUTES bit 8)".into(),
            "decrypt it with the key of its owner first; only `info` can be answered",
        );
    }
    None
}

fn open_as(candidate: &Candidate<'_>) -> Result<Opened, Error> {
    let dump_type = candidate.header.dump_type;
    let at = header64::offsets::DUMP_TYPE;
    let by_content = FORMATS.iter().find(|format| (format.matches)(candidate));
    let by_type = || FORMATS.iter().find(|format| format.types.contains(&dump_type));
    let Some(format) = by_content.or_else(by_type) else {
        return Err(Error::Malformed {
            structure: "DUMP_HEADER64",
            offset: at,
            field: "DumpType",
            found: format!("{dump_type:#x}, and no known data header follows at {HEADER_SIZE:#x}"),
            expected: "1 to 10".into(),
        });
    };
    let mut opened = (format.open)(candidate)?;
    if !format.types.contains(&dump_type) {
        let expected = format!("one of {:?} ({} data follows)", format.types, format.name);
        opened.incomplete.push(Incomplete::contradiction("DUMP_HEADER64", "DumpType", at, dump_type, expected));
    }
    Ok(opened)
}

/// The kind by the header's word alone.
fn kind_of_type(header: &Header64) -> Option<DumpKind> {
    Some(match header.dump_type {
        1 => DumpKind::Full,
        2 => DumpKind::Kernel,
        3 => DumpKind::Header,
        4 => DumpKind::Triage,
        5 => DumpKind::BitmapFull,
        6 | 7 if is_live(header) => DumpKind::Live,
        6 | 7 => DumpKind::BitmapKernel,
        8 => DumpKind::RdmpKernel,
        9 => DumpKind::RdmpKernelUser,
        10 => DumpKind::RdmpFull,
        _ => return None,
    })
}

fn is_live(header: &Header64) -> bool {
    header.attributes.unwrap_or_default().contains(Attributes::LIVE_DUMP_GENERATED_DUMP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A dump of 64 KiB with a header, in which some words are other numbers.
    fn file(kind: u32, tag: [u8; 8], words: &[(u16, u64)]) -> Vec<u8> {
        let mut bytes = alloc::vec![0; 0x1_0000];
        bytes[..8].copy_from_slice(b"PAGEDU64");
        bytes[0x30..0x34].copy_from_slice(&MACHINE_X64.to_le_bytes());
        bytes[0xf98..0xf9c].copy_from_slice(&kind.to_le_bytes());
        bytes[0x2000..0x2008].copy_from_slice(&tag);
        for (at, value) in words {
            // In the run list, or in the description behind the header.
            let at = if at % 2 == 0 { 0x88 + usize::from(at % 0x20) * 4 } else { 0x2008 + usize::from(at % 0x100) * 4 };
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    proptest! {
        /// Any description of memory is read or refused, and what is read agrees with itself.
        #[test]
        fn any_description_is_read_or_refused(
            kind in 0_u32..12,
            tag in prop::sample::select(alloc::vec![b"FDMPDUMP", b"SDMPDUMP", b"@\0\0\0RDMP", b"\0\0\0\0\0\0\0\0", b"????DUMP"]),
            words in prop::collection::vec((any::<u16>(), prop_oneof![any::<u64>(), 0_u64..0x100, Just(0x3000), Just(1 << 40)]), 0..8),
        ) {
            let Ok(dump) = Dump::open(Arc::new(file(kind, *tag, &words))) else { return Ok(()) };
            if let Ok(image) = dump.physical() {
                let frames = image.frames();
                let runs: Vec<_> = frames.runs().take(1 << 16).collect();
                let described = runs.iter().fold(0_u64, |sum, run| sum.saturating_add(run.count));
                prop_assert_eq!(described, frames.described());
                prop_assert!(frames.present(0x1_0000) <= frames.described());
                for run in &runs {
                    prop_assert_eq!(frames.offset(run.first), Some(run.offset));
                    prop_assert!(run.first < frames.end());
                }
                // In order, and none in another.
                for pair in runs.windows(2) {
                    prop_assert!(pair[0].first.0 + pair[0].count <= pair[1].first.0);
                }
            }
            prop_assert!(dump.incomplete.iter().all(|missing| !missing.what.is_empty()));
        }
    }
}
