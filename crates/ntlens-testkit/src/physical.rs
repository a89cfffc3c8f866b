//! Sparse physical memory: which frames the machine has, and the bytes of those that were written.

use std::collections::BTreeMap;

/// Bytes in one page frame.
pub const PAGE: u64 = 0x1000;

/// The bytes of one frame.
pub type Page = [u8; PAGE as usize];

/// Frames that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first frame's number.
    pub first: u64,
    /// How many frames.
    pub count: u64,
}

impl Run {
    /// The frame number after the last one.
    pub const fn end(self) -> u64 {
        self.first + self.count
    }
}

/// The physical memory of a machine. Frames that were never written read as zeros and take no space.
#[derive(Clone, Debug)]
pub struct Physical {
    runs: Vec<Run>,
    pages: BTreeMap<u64, Box<Page>>,
}

impl Physical {
    /// Memory with these frames, in ascending order.
    pub(crate) const fn new(runs: Vec<Run>) -> Self {
        Self { runs, pages: BTreeMap::new() }
    }

    /// The frames that exist, ascending and without overlap.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// How many frames exist.
    pub fn frame_count(&self) -> u64 {
        self.runs.iter().map(|run| run.count).sum()
    }

    /// The frame number after the highest one.
    pub fn end(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.end())
    }

    /// Whether this frame is RAM.
    pub fn exists(&self, frame: u64) -> bool {
        self.runs.iter().any(|run| (run.first..run.end()).contains(&frame))
    }

    /// The frame at this position, counted over all runs.
    pub(crate) fn nth(&self, mut position: u64) -> u64 {
        for run in &self.runs {
            if position < run.count {
                return run.first + position;
            }
            position -= run.count;
        }
        panic!("position past the end of memory")
    }

    /// Frames that were written, ascending.
    pub fn pages(&self) -> impl Iterator<Item = (u64, &Page)> {
        self.pages.iter().map(|(frame, page)| (*frame, &**page))
    }

    /// One frame's bytes, if it was written.
    pub fn page(&self, frame: u64) -> Option<&Page> {
        self.pages.get(&frame).map(|page| &**page)
    }

    /// Fills `out` from a physical address. Frames that were not written read as zeros.
    pub fn read(&self, address: u64, out: &mut [u8]) {
        for (at, piece) in pieces(address, out.len()) {
            let out = &mut out[piece.clone()];
            match self.pages.get(&(at / PAGE)) {
                Some(page) => out.copy_from_slice(&page[(at % PAGE) as usize..][..piece.len()]),
                None => out.fill(0),
            }
        }
    }

    /// The eight bytes at a physical address as a number.
    pub fn read_u64(&self, address: u64) -> u64 {
        let mut bytes = [0; 8];
        self.read(address, &mut bytes);
        u64::from_le_bytes(bytes)
    }

    pub(crate) fn write(&mut self, address: u64, bytes: &[u8]) {
        for (at, piece) in pieces(address, bytes.len()) {
            let frame = at / PAGE;
            if !self.pages.contains_key(&frame) {
                assert!(self.exists(frame), "frame {frame:#x} is no RAM");
                self.pages.insert(frame, Box::new([0; PAGE as usize]));
            }
            let page = self.pages.get_mut(&frame).unwrap();
            page[(at % PAGE) as usize..][..piece.len()].copy_from_slice(&bytes[piece]);
        }
    }

    pub(crate) fn write_u64(&mut self, address: u64, value: u64) {
        self.write(address, &value.to_le_bytes());
    }
}

/// Cuts `length` bytes at `address` at page borders: the address of each piece and its place among the bytes.
pub(crate) fn pieces(address: u64, length: usize) -> impl Iterator<Item = (u64, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == length {
            return None;
        }
        let at = address + done as u64;
        let start = done;
        done = length.min(start + (PAGE - at % PAGE) as usize);
        Some((at, start..done))
    })
}

/// The runs of a machine with so many frames, shaped as on a real one: a hole under 1 MiB, one inside low memory,
/// a large one below 4 GiB, and the rest above.
pub(crate) fn usual_runs(frames: u64) -> Vec<Run> {
    const LOW_END: u64 = 0xb_ff00;
    const HIGH: u64 = 0x10_0000;
    assert!(frames >= 0x1000, "a machine needs 16 MiB");
    let first = Run { first: 1, count: 0x9e };
    let rest = frames - first.count;
    let high = if frames < 0x4000 { 0 } else { rest / 8 };
    let low = (rest - high).min(LOW_END - 0x200);
    let second = Run { first: 0x100, count: low - low / 4 };
    let third = Run { first: second.end() + 0x40, count: low / 4 };
    let mut runs = vec![first, second, third];
    if rest > low {
        runs.push(Run { first: HIGH, count: rest - low });
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_hold_exactly_the_frames_asked_for() {
        for frames in [0x1000, 0x4001, 0x10_0000, 0x100_0000] {
            let memory = Physical::new(usual_runs(frames));
            assert_eq!(memory.frame_count(), frames);
            assert!(memory.runs().windows(2).all(|pair| pair[0].end() < pair[1].first));
            assert_eq!(memory.nth(frames - 1) + 1, memory.end());
        }
    }

    #[test]
    fn bytes_cross_page_borders() {
        let mut memory = Physical::new(vec![Run { first: 1, count: 4 }]);
        memory.write(0x1ffe, &[1, 2, 3, 4]);
        assert_eq!(memory.read_u64(0x1ffc), 0x0403_0201_0000);
        assert_eq!(memory.pages().count(), 2);
        assert_eq!(memory.read_u64(0x4000), 0);
    }
}
