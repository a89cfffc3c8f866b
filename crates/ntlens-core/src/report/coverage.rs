//! `coverage`: what the dump describes, and what of it the file holds.

use super::{Asked, Column, Kind, TableDef, screen};
use crate::address::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::dump::Content;
use crate::memory::blocks::Block;
use crate::memory::frames::Run;
use alloc::vec::Vec;

/// A stretch of memory that the dump describes.
#[derive(Clone, Copy, Debug)]
pub enum Stretch {
    /// Frames.
    Physical(Run, u64),
    /// A block of virtual memory.
    Virtual(Block, u64),
}

impl Stretch {
    const fn space(self) -> &'static str {
        match self {
            Self::Physical(..) => "physical",
            Self::Virtual(..) => "virtual",
        }
    }

    fn start(self) -> u64 {
        match self {
            Self::Physical(run, _) => run.first.base().0,
            Self::Virtual(block, _) => block.start.0,
        }
    }

    const fn described(self) -> u64 {
        match self {
            Self::Physical(run, _) => run.count.saturating_mul(PAGE_SIZE),
            Self::Virtual(block, _) => block.len,
        }
    }

    const fn offset(self) -> u64 {
        match self {
            Self::Physical(run, _) => run.offset,
            Self::Virtual(block, _) => block.offset,
        }
    }

    /// Bytes in the file; of frames, whole ones.
    fn present(self) -> u64 {
        let (Self::Physical(_, file_len) | Self::Virtual(_, file_len)) = self;
        let held = file_len.saturating_sub(self.offset()).min(self.described());
        match self {
            Self::Physical(..) => held / PAGE_SIZE * PAGE_SIZE,
            Self::Virtual(..) => held,
        }
    }
}

/// The table.
pub const COVERAGE: Asked<Stretch> = Asked {
    table: TableDef {
        name: "coverage",
        about: "which memory the dump describes, and how much of it is in the file",
        columns: &[
            Column::new("space", Kind::Text, "physical or virtual", |s| s.space().into()),
            Column::new("start", Kind::Address, "first address", |s| match s {
                Stretch::Physical(..) => PhysAddr(s.start()).into(),
                Stretch::Virtual(..) => VirtAddr(s.start()).into(),
            }),
            Column::new("bytes_described", Kind::Uint, "bytes that the dump describes", |s| s.described().into()),
            Column::new("bytes_present", Kind::Uint, "bytes of them that are in the file", |s| s.present().into()),
            Column::new("file_offset", Kind::Address, "where they begin in the file", |s| VirtAddr(s.offset()).into()),
        ],
        screen: &[
            screen("Space", "space"),
            screen("Start", "start"),
            screen("Described", "bytes_described"),
            screen("Present", "bytes_present"),
            screen("File offset", "file_offset"),
        ],
        record: false,
    },
    parameters: &[],
    rows: |dump, _| {
        let file_len = dump.dump().source.len();
        let rows: Vec<Stretch> = match &dump.dump().content {
            Content::Physical(image) => image.frames().runs().map(|run| Stretch::Physical(run, file_len)).collect(),
            Content::Triage(triage) => {
                triage.space.blocks().iter().map(|block| Stretch::Virtual(*block, file_len)).collect()
            }
            Content::Nothing(why) => return Err(why.clone()),
        };
        Ok((rows, Vec::new()))
    },
    remarks: |_| Vec::new(),
};
