//! Dump files: one writer per kind.

mod bitmap;
mod full;
mod header;
mod kind;
mod raw;
mod rdmp;
mod summary;
mod triage;

use crate::frames::FrameUse;
use crate::image::Image;
use crate::physical::{PAGE, Run};
use crate::truth::{Dump, PhysicalRun};
use std::io::{self, Seek, SeekFrom, Write};

pub use kind::{Kind, UnknownKind};

/// Which signature stands before a bitmap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitmapSignature {
    /// `FDMP`
    Full,
    /// `SDMP`
    Summary,
}

/// How a dump shall be written: its kind, and what is unusual about it.
///
/// Every method that writes a dump takes a [`Kind`] alone as well.
///
/// ```
/// use ntlens_testkit::{BitmapSignature, DumpOptions, Kind, Machine, layouts};
///
/// let image = Machine::new(layouts("10.0.19041.1288").unwrap()).memory(32 << 20).build();
/// let options = DumpOptions::new(Kind::BitmapFull { active: true })
///     .signature(BitmapSignature::Summary)
///     .bug_check(0x1e, [0xc000_0005, 0, 0, 0])
///     .comment("a test of mine")
///     // Damage: another type in the header, and the end is missing.
///     .patch(0xf98, &[9])
///     .truncate(0x10_0000);
/// let bytes = image.to_vec(options);
/// assert_eq!((bytes.len(), bytes[0xf98]), (0x10_0000, 9));
/// ```
#[derive(Clone, Debug)]
pub struct DumpOptions {
    pub(crate) kind: Kind,
    pub(crate) dtb: Option<u64>,
    pub(crate) dtb_of: Option<u64>,
    pub(crate) dtb_bits: u64,
    pub(crate) attributes: Option<u32>,
    pub(crate) bug_check: (u32, [u64; 4]),
    pub(crate) comment: String,
    pub(crate) signature: Option<BitmapSignature>,
    pub(crate) bitmap_bits: Option<u64>,
    pub(crate) exact_bits: bool,
    pub(crate) packed_summary: bool,
    pub(crate) user_page_tables: bool,
    pub(crate) without: Vec<Run>,
    pub(crate) secondary_data: bool,
    pub(crate) patches: Vec<(u64, Vec<u8>)>,
    pub(crate) truncate: Option<u64>,
}

impl From<Kind> for DumpOptions {
    fn from(kind: Kind) -> Self {
        Self {
            kind,
            dtb: None,
            dtb_of: None,
            dtb_bits: 0,
            attributes: None,
            bug_check: (0xe2, [0; 4]),
            comment: "synthetic machine of ntlens-testkit".into(),
            signature: None,
            bitmap_bits: None,
            exact_bits: false,
            packed_summary: false,
            user_page_tables: false,
            without: Vec::new(),
            secondary_data: false,
            patches: Vec::new(),
            truncate: None,
        }
    }
}

impl DumpOptions {
    /// The usual file of this kind.
    pub fn new(kind: Kind) -> Self {
        kind.into()
    }

    /// The header's `DirectoryTableBase`; by default that of System.
    #[must_use]
    pub const fn dtb(mut self, value: u64) -> Self {
        self.dtb = Some(value);
        self
    }

    /// The header's `DirectoryTableBase` is that of this process.
    #[must_use]
    pub const fn dtb_of(mut self, pid: u64) -> Self {
        self.dtb_of = Some(pid);
        self
    }

    /// Bits to set in the header's `DirectoryTableBase`.
    #[must_use]
    pub const fn dtb_bits(mut self, bits: u64) -> Self {
        self.dtb_bits = bits;
        self
    }

    /// The header's `Attributes`; by default what the kind needs.
    #[must_use]
    pub const fn attributes(mut self, bits: u32) -> Self {
        self.attributes = Some(bits);
        self
    }

    /// Why Windows stopped.
    #[must_use]
    pub const fn bug_check(mut self, code: u32, parameters: [u64; 4]) -> Self {
        self.bug_check = (code, parameters);
        self
    }

    /// The header's `Comment`.
    #[must_use]
    pub fn comment(mut self, text: impl Into<String>) -> Self {
        self.comment = text.into();
        self
    }

    /// The signature before the bitmap.
    #[must_use]
    pub const fn signature(mut self, signature: BitmapSignature) -> Self {
        self.signature = Some(signature);
        self
    }

    /// How many bits the bitmap has, at least up to the last frame present.
    #[must_use]
    pub const fn bitmap_bits(mut self, bits: u64) -> Self {
        self.bitmap_bits = Some(bits);
        self
    }

    /// The bitmap ends with the last frame present, not at a multiple of 64.
    #[must_use]
    pub const fn exact_bits(mut self) -> Self {
        self.exact_bits = true;
        self
    }

    /// The bits of a summary dump start at 2024 (hex) and not at 2028.
    #[must_use]
    pub const fn packed_summary(mut self) -> Self {
        self.packed_summary = true;
        self
    }

    /// Kernel dumps hold the page tables of user memory too.
    #[must_use]
    pub const fn user_page_tables(mut self) -> Self {
        self.user_page_tables = true;
        self
    }

    /// Leaves frames out.
    #[must_use]
    pub fn without(mut self, frames: Run) -> Self {
        self.without.push(frames);
        self
    }

    /// Appends tagged data, as small dumps have it.
    #[must_use]
    pub const fn secondary_data(mut self) -> Self {
        self.secondary_data = true;
        self
    }

    /// Overwrites bytes of the finished file.
    #[must_use]
    pub fn patch(mut self, offset: u64, bytes: &[u8]) -> Self {
        self.patches.push((offset, bytes.to_vec()));
        self
    }

    /// Ends the file after so many bytes.
    #[must_use]
    pub const fn truncate(mut self, length: u64) -> Self {
        self.truncate = Some(length);
        self
    }
}

/// What a writer did.
struct Written {
    /// Bytes of the file, zeros at the end included.
    length: u64,
    first_page: Option<u64>,
    pages: u64,
}

/// Writes a dump of any kind.
pub(crate) fn dump<W: Write + Seek>(image: &Image, options: &DumpOptions, out: &mut W) -> io::Result<Dump> {
    let mut facts = header::facts(image, options);
    let present = present(image, options);
    let written = match options.kind {
        Kind::Full => full::write(image, options, &facts, &present, out)?,
        Kind::Summary => summary::write(image, options, &facts, &present, out)?,
        Kind::Triage => triage::write(image, options, &facts, out)?,
        Kind::BitmapFull { .. } | Kind::BitmapKernel { .. } => bitmap::write(image, options, &facts, &present, out)?,
        Kind::RdmpKernel | Kind::RdmpUser | Kind::RdmpFull => rdmp::write(image, options, &facts, &present, out)?,
        Kind::Raw => raw::write(image, out)?,
    };
    for (offset, bytes) in &options.patches {
        put(out, *offset, bytes)?;
    }
    facts.dump_type = options.kind.number();
    facts.file_size = options.truncate.unwrap_or(written.length).min(written.length);
    facts.first_page_offset = written.first_page;
    facts.pages_in_dump = written.pages;
    facts.user_pages_included = options.kind.holds_user_memory();
    let runs = image.memory.runs().iter();
    facts.physical_runs = runs.map(|run| PhysicalRun { base_pfn: run.first, count: run.count }).collect();
    Ok(facts)
}

/// The frames that a dump holds.
pub(crate) fn present(image: &Image, options: &DumpOptions) -> Vec<Run> {
    let runs = match options.kind {
        Kind::Full | Kind::BitmapFull { active: false } | Kind::RdmpFull | Kind::Raw => image.memory.runs().to_vec(),
        Kind::BitmapFull { active: true } | Kind::RdmpUser => image.used_runs(|_| true),
        Kind::Summary | Kind::BitmapKernel { .. } | Kind::RdmpKernel | Kind::Triage => image
            .used_runs(|usage| usage == FrameUse::Kernel || usage == FrameUse::UserTable && options.user_page_tables),
    };
    options.without.iter().fold(runs, |runs, hole| runs.into_iter().flat_map(|run| cut(run, *hole)).collect())
}

/// What is left of a run beside a hole.
fn cut(run: Run, hole: Run) -> impl Iterator<Item = Run> {
    let before = Run { first: run.first, count: hole.first.clamp(run.first, run.end()) - run.first };
    let rest = hole.end().clamp(run.first, run.end());
    let after = Run { first: rest, count: run.end() - rest };
    let apart = hole.end() <= run.first || hole.first >= run.end();
    let pieces = if apart { [run, Run { first: 0, count: 0 }] } else { [before, after] };
    pieces.into_iter().filter(|run| run.count > 0)
}

fn put<W: Write + Seek>(out: &mut W, offset: u64, bytes: &[u8]) -> io::Result<()> {
    out.seek(SeekFrom::Start(offset))?;
    out.write_all(bytes)
}

/// Writes the frames of these runs back to back; how many there are. Frames of zeros are skipped.
fn put_pages<W: Write + Seek>(image: &Image, runs: &[Run], first_page: u64, out: &mut W) -> io::Result<u64> {
    let mut pages = image.memory.pages().peekable();
    let mut before = 0;
    for run in runs {
        while let Some((frame, page)) = pages.next_if(|(frame, _)| *frame < run.end()) {
            if frame >= run.first && page.iter().any(|byte| *byte != 0) {
                put(out, first_page + (before + frame - run.first) * PAGE, page)?;
            }
        }
        before += run.count;
    }
    Ok(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_leaves_what_is_beside_it() {
        let run = Run { first: 10, count: 10 };
        let left = |first, count| cut(run, Run { first, count }).map(|run| (run.first, run.count)).collect::<Vec<_>>();
        assert_eq!(left(0, 10), [(10, 10)]);
        assert_eq!(left(0, 15), [(15, 5)]);
        assert_eq!(left(12, 2), [(10, 2), (14, 6)]);
        assert_eq!(left(15, 50), [(10, 5)]);
        assert_eq!(left(5, 50), []);
    }
}
