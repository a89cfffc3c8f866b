//! Handle tables of any levels in the encoding of each build: a byte that chooses the build, then memory with the table at
//! its start.

use crate::input::Input;
use crate::kernels::{BUILDS, KERNELS};
use crate::words::{BASE, PAGES, Words};
use ntlens_core::address::VirtAddr;
use ntlens_core::nt::handle_table::HandleTables;
use std::collections::BTreeSet;
use std::sync::LazyLock;

static TABLES: LazyLock<Vec<HandleTables>> = LazyLock::new(|| KERNELS.iter().map(HandleTables::resolve).collect());

/// Entries of a page that are handles: the first is the kernel's own.
const ENTRIES: usize = 255;
/// What a handle allows, in every build.
const ACCESS: u64 = 0x1ff_ffff;

/// Reads the table.
pub fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let Some(choice) = input.u8() else { return };
    let build = usize::from(choice) % BUILDS.len();
    let memory = Words::read(&mut input);
    let tables = &TABLES[build];
    let _ = tables.count(&memory, VirtAddr(BASE));
    let Ok((entries, incomplete)) = tables.entries(&memory, VirtAddr(BASE)) else { return };
    let again = tables.entries(&memory, VirtAddr(BASE)).expect("what was read once is read again");
    assert_eq!((&entries, &incomplete), (&again.0, &again.1), "a table is read differently the second time");
    assert!(entries.len() <= ENTRIES * usize::from(PAGES), "more entries than memory has room for");
    let ascend = entries.windows(2).all(|pair| pair[0].handle < pair[1].handle);
    assert!(ascend, "handles are not in their order, or one is there twice");
    let places: BTreeSet<VirtAddr> = entries.iter().map(|entry| entry.at).collect();
    assert_eq!(places.len(), entries.len(), "an entry was taken twice");
    for entry in &entries {
        assert!(entry.handle != 0 && entry.handle.is_multiple_of(4), "no handle: {:#x}", entry.handle);
        let low = memory.word(entry.at).expect("an entry lies in memory");
        let high = memory.word(entry.at.wrapping_add(8)).expect("an entry lies in memory");
        // The two encodings, by hand.
        let pointer = if BUILDS[build] == 7601 { low & !7 } else { low >> 20 << 4 | 0xffff << 48 };
        assert_eq!(entry.pointer.0, pointer, "an entry leads elsewhere");
        assert_eq!(entry.granted_access.map(u64::from), Ok(high & ACCESS), "an entry grants something else");
    }
}
