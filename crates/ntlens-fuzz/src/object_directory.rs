//! Object directories: a byte that chooses the build, then memory with the directory at its start.

use crate::input::Input;
use crate::kernels::KERNELS;
use crate::words::{BASE, Words};
use ntlens_core::address::VirtAddr;
use ntlens_core::nt::directory::DirectoryFields;
use std::collections::BTreeSet;
use std::sync::LazyLock;

static FIELDS: LazyLock<Vec<DirectoryFields>> =
    LazyLock::new(|| KERNELS.iter().map(DirectoryFields::resolve).collect());

/// Chains of a directory.
const BUCKETS: u64 = 37;
/// Breaks that are named by themselves.
const MOST_BREAKS: usize = 8;

/// Lists the objects.
pub fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let Some(fields) = input.one_of(&FIELDS) else { return };
    let memory = Words::read(&mut input);
    let Ok((objects, incomplete)) = fields.objects(&memory, VirtAddr(BASE)) else { return };
    let (expected, breaks) = by_hand(&memory);
    assert_eq!(objects, expected, "other objects than its chains have");
    assert_eq!(incomplete.iter().map(|missing| missing.count).sum::<u64>(), breaks, "breaks are not all told");
    assert!(incomplete.len() <= MOST_BREAKS, "breaks are told without end");
}

/// The objects by hand, and how many links were wrong: entries of a link, an object and a hash, in every build.
fn by_hand(memory: &Words) -> (Vec<VirtAddr>, u64) {
    let pointer = |at: VirtAddr| read(memory, at);
    let (mut objects, mut breaks, mut seen) = (Vec::new(), 0, BTreeSet::new());
    for bucket in 0..BUCKETS {
        let mut next = pointer(VirtAddr(BASE + bucket * 8));
        while next != Some(VirtAddr(0)) {
            let Some(entry) = next.filter(|at| at.is_kernel() && seen.insert(*at)) else {
                breaks += 1;
                break;
            };
            match pointer(entry.wrapping_add(8)).filter(|object| object.is_kernel()) {
                Some(object) => objects.push(object),
                None => breaks += 1,
            }
            next = pointer(entry);
        }
    }
    (objects, breaks)
}

/// A pointer at any address.
fn read(memory: &Words, at: VirtAddr) -> Option<VirtAddr> {
    let byte = |distance| {
        let at = at.wrapping_add(distance);
        Some(memory.word(VirtAddr(at.0 & !7))?.to_le_bytes()[usize::try_from(at.0 % 8).ok()?])
    };
    let mut bytes = [0; 8];
    for (place, distance) in bytes.iter_mut().zip(0..) {
        *place = byte(distance)?;
    }
    Some(VirtAddr(u64::from_le_bytes(bytes)))
}
