//! The bytes of a structure of which no field is known yet.

use crate::address::VirtAddr;
use crate::memory::VirtualMemory;
use alloc::vec::Vec;
use byteorder::{ByteOrder, LittleEndian};
use core::ops::Range;

/// Some bytes of memory, with the holes remembered.
#[derive(Clone, Debug)]
pub(super) struct Body {
    /// Where they were read.
    pub(super) at: VirtAddr,
    bytes: Vec<u8>,
    holes: Vec<Range<usize>>,
}

impl Body {
    /// Reads `extent` bytes.
    pub(super) fn read<M: VirtualMemory + ?Sized>(memory: &M, at: VirtAddr, extent: u32) -> Self {
        let mut bytes = alloc::vec![0; usize::try_from(extent).unwrap_or(0)];
        let holes = memory.read_around_holes(at, &mut bytes).into_iter().map(|(hole, _)| hole).collect();
        Self { at, bytes, holes }
    }

    /// Bytes that were read.
    pub(super) fn extent(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }

    /// Some of the bytes; `None` if one of them is missing.
    pub(super) fn slice(&self, offset: u32, length: usize) -> Option<&[u8]> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(length)?;
        let missing = self.holes.iter().any(|hole| hole.start < end && start < hole.end);
        if missing { None } else { self.bytes.get(start..end) }
    }

    pub(super) fn u8(&self, offset: u32) -> Option<u8> {
        self.slice(offset, 1)?.first().copied()
    }

    pub(super) fn u32(&self, offset: u32) -> Option<u32> {
        self.slice(offset, 4).map(LittleEndian::read_u32)
    }

    pub(super) fn u64(&self, offset: u32) -> Option<u64> {
        self.slice(offset, 8).map(LittleEndian::read_u64)
    }

    /// Offsets at which a number of 8 bytes can lie.
    pub(super) fn words(&self) -> impl Iterator<Item = u32> + use<> {
        (0..self.extent().saturating_sub(7)).step_by(8)
    }
}

/// Whether a list entry can lie at an address: the neighbours are in the kernel, and those that are in the dump point
/// back. `None` if the entry itself is missing.
pub(super) fn is_list_entry<M: VirtualMemory + ?Sized>(
    memory: &M,
    at: VirtAddr,
    flink: Option<u64>,
    blink: Option<u64>,
) -> Option<bool> {
    let (flink, blink) = (VirtAddr(flink?), VirtAddr(blink?));
    let can_be = |neighbour: VirtAddr| neighbour.is_kernel() && neighbour.0.is_multiple_of(8);
    if !can_be(flink) || !can_be(blink) || (flink == at) != (blink == at) {
        return Some(false);
    }
    let next = memory.read_pointer(flink.wrapping_add(8));
    let previous = memory.read_pointer(blink);
    Some(next.map_or(true, |back| back == at) && previous.map_or(true, |back| back == at))
}

/// The members of a ring whose links were checked from both sides, without the head: first those that are reached
/// forward, then, where a link is broken, those that are reached backward.
pub(super) fn ring<M: VirtualMemory + ?Sized>(memory: &M, head: VirtAddr, most: usize) -> Vec<VirtAddr> {
    let mut members = run(memory, head, 0, most);
    let closed = members.last().is_none_or(|last| memory.read_pointer(*last) == Ok(head));
    if !closed || members.is_empty() {
        let known: alloc::collections::BTreeSet<VirtAddr> = members.iter().copied().collect();
        let tail = run(memory, head, 8, most);
        members.extend(tail.into_iter().take_while(|at| !known.contains(at)));
    }
    members
}

/// Follows one direction of links (offset 0 or 8 of an entry) as long as the entries point back.
fn run<M: VirtualMemory + ?Sized>(memory: &M, head: VirtAddr, direction: u64, most: usize) -> Vec<VirtAddr> {
    let mut members = Vec::new();
    let mut seen = alloc::collections::BTreeSet::new();
    let mut at = head;
    while members.len() < most {
        let Ok(next) = memory.read_pointer(at.wrapping_add(direction)) else { break };
        let back = memory.read_pointer(next.wrapping_add(8 - direction));
        if next == head || !next.is_kernel() || back != Ok(at) || !seen.insert(next) {
            break;
        }
        members.push(next);
        at = next;
    }
    members
}
