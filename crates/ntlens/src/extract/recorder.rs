//! A source that notes which frames are read: what answering a question needs is what it reads.

use super::frame_set::FrameSet;
use ntlens_core::address::{PAGE_SIZE, Pfn};
use ntlens_core::memory::PhysicalImage;
use ntlens_core::memory::frames::Run;
use ntlens_core::source::{ByteSource, ReadError};
use std::sync::{Arc, Mutex, PoisonError};

/// The file of a dump, and the frames of it that were read.
pub(super) struct Recorder {
    source: Arc<dyn ByteSource>,
    /// The runs of the dump in the order of the file.
    runs: Vec<Run>,
    read: Mutex<FrameSet>,
    /// Frames that should have been read, and are described but not in the file.
    missing: Mutex<FrameSet>,
}

impl Recorder {
    pub(super) fn new(image: &PhysicalImage) -> Self {
        let mut runs: Vec<Run> = image.frames().runs().collect();
        runs.sort_by_key(|run| run.offset);
        Self { source: image.source().clone(), runs, read: Mutex::default(), missing: Mutex::default() }
    }

    /// The frame that lies at a file offset.
    fn frame_at(&self, offset: u64) -> Option<Pfn> {
        let behind = self.runs.partition_point(|run| run.offset <= offset);
        let run = self.runs.get(behind.checked_sub(1)?)?;
        let index = (offset - run.offset) / PAGE_SIZE;
        (index < run.count).then_some(Pfn(run.first.0 + index))
    }

    /// The frames that were read so far.
    pub(super) fn frames(&self) -> FrameSet {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many frames should have been read and are behind the end of the file.
    pub(super) fn missing(&self) -> u64 {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl ByteSource for Recorder {
    fn len(&self) -> u64 {
        self.source.len()
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let done = self.source.read_at(offset, out);
        let noted = match &done {
            Ok(()) => &self.read,
            Err(ReadError::PastEnd { .. }) => &self.missing,
            Err(_) => return done,
        };
        let last = offset.saturating_add(out.len() as u64).saturating_sub(1);
        // No read of a frame crosses its end.
        let frames = [self.frame_at(offset), self.frame_at(last)];
        let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
        for frame in frames.into_iter().flatten() {
            noted.insert(frame);
        }
        done
    }
}
