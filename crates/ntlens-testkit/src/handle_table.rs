//! Handle tables: of processes, and `PspCidTable`, with entries as this build encodes them.

use crate::assembly::Assembly;
use crate::guest::{Guest, compose};
use crate::pool::PoolKind;
use ntlens_core::layout::Layouts;
use std::collections::BTreeMap;

/// Entries on one page.
const LEAF: u64 = 256;
/// Pointers on one page of the upper levels.
const FAN: u64 = 512;

/// One entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// What the entry points to: an object's header, or its body in `PspCidTable`.
    pub(crate) target: u64,
    pub(crate) access: u32,
    /// As in `OBJ_*` shifted to the entry's own three bits: 1 protected, 2 inherited, 4 audited.
    pub(crate) attributes: u8,
}

/// A table that was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table {
    pub(crate) address: u64,
    pub(crate) level: u8,
}

/// The two words of an entry.
pub(crate) fn encode(layouts: &Layouts, entry: Entry) -> [u64; 2] {
    if layouts.place("_HANDLE_TABLE_ENTRY", "ObjectPointerBits").is_err() {
        // Bit 0 set means unlocked; protection from closing is kept beside the access rights.
        let attributes = u64::from(entry.attributes) & 6;
        let protect = u64::from(entry.attributes & 1) << 25;
        return [entry.target | 1 | attributes, u64::from(entry.access) | protect];
    }
    let low = compose(
        layouts,
        "_HANDLE_TABLE_ENTRY",
        &[
            ("Unlocked", 1),
            ("RefCnt", 0x7fff),
            ("Attributes", u64::from(entry.attributes)),
            ("ObjectPointerBits", entry.target >> 4),
        ],
    );
    let granted = match layouts.place("_HANDLE_TABLE_ENTRY", "GrantedAccessBits") {
        Ok(_) => u64::from(entry.access & 0x01ff_ffff),
        Err(_) => u64::from(entry.access),
    };
    [low, granted]
}

impl Assembly<'_> {
    /// Writes a table with these entries by handle value; at least `level` levels of pointers.
    pub(crate) fn handle_table(&mut self, entries: &BTreeMap<u64, Entry>, level: u8) -> Table {
        let size = self.guest.size_of("_HANDLE_TABLE", 0x80);
        let address = self.guest.alloc(PoolKind::Paged, size, *b"Obtb");
        let highest = entries.keys().next_back().map_or(0, |handle| handle / 4);
        let level = level.max(match highest {
            0..LEAF => 0,
            index if index < LEAF * FAN => 1,
            _ => 2,
        });
        let leaves = highest / LEAF + 1;
        let mut pages = BTreeMap::new();
        for (handle, entry) in entries {
            let index = handle / 4;
            let page = *pages.entry(index / LEAF).or_insert_with(|| leaf(&mut self.guest));
            let [low, high] = encode(&self.guest.layouts, *entry);
            self.guest.write_u64(page + index % LEAF * 0x10, low);
            self.guest.write_u64(page + index % LEAF * 0x10 + 8, high);
        }
        // Real tables have no holes: a leaf without entries is there all the same.
        for index in 0..leaves {
            pages.entry(index).or_insert_with(|| leaf(&mut self.guest));
        }
        let code = match level {
            0 => pages[&0],
            1 => self.middle(&pages, 0),
            _ => {
                let top = self.guest.alloc(PoolKind::Paged, 0x1000, *b"Obtb");
                for middle in 0..=(leaves - 1) / FAN {
                    if pages.range(middle * FAN..(middle + 1) * FAN).next().is_some() {
                        let at = self.middle(&pages, middle);
                        self.guest.write_u64(top + middle * 8, at);
                    }
                }
                top
            }
        };
        let next_handle = leaves * LEAF * 4;
        self.guest
            .at(address, "_HANDLE_TABLE")
            .set("TableCode", code | u64::from(level))
            .set("HandleCount", entries.len() as u64)
            .set("NextHandleNeedingPool", next_handle)
            .ring("HandleTableList");
        // Since Windows 8 the first free list counts the handles in use.
        if let Some(free_lists) = self.guest.offset("_HANDLE_TABLE", "FreeLists") {
            self.guest.at(address + free_lists, "_HANDLE_TABLE_FREE_LIST").set("HandleCount", entries.len() as u64);
        }
        Table { address, level }
    }

    fn middle(&mut self, pages: &BTreeMap<u64, u64>, index: u64) -> u64 {
        let at = self.guest.alloc(PoolKind::Paged, 0x1000, *b"Obtb");
        for (leaf, page) in pages.range(index * FAN..(index + 1) * FAN) {
            self.guest.write_u64(at + leaf % FAN * 8, *page);
        }
        at
    }

    /// Names the owner of a table and links it where the kernel keeps all of them.
    pub(crate) fn own_handle_table(&mut self, table: u64, process: u64, pid: u64) {
        self.guest.at(table, "_HANDLE_TABLE").set("QuotaProcess", process).set("UniqueProcessId", pid);
        if let (Some(head), Some(links)) =
            (self.symbol("HandleTableListHead"), self.guest.offset("_HANDLE_TABLE", "HandleTableList"))
        {
            self.guest.append(self.guest.kernel, head, table + links);
        }
    }
}

/// A page of free entries. The first one is never used.
fn leaf(guest: &mut Guest) -> u64 {
    let page = guest.alloc(PoolKind::Paged, 0x1000, *b"Obtb");
    for index in 1..LEAF - 1 {
        guest.write_u64(page + index * 0x10 + 8, page + (index + 1) * 0x10);
    }
    page
}
