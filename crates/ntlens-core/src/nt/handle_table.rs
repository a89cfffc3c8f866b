//! `HANDLE_TABLE`: handles to objects, in up to three levels of pages.

use crate::absent::Absent;
use crate::address::{PAGE_BYTES, PAGE_SIZE, VirtAddr};
use crate::incomplete::Incomplete;
use crate::layout::field::{Bits, Field};
use crate::layout::view::StructView;
use crate::memory::VirtualMemory;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

crate::fields! {
    /// Fields of `_HANDLE_TABLE`.
    pub struct HandleTableFields of "_HANDLE_TABLE" {
        /// Address of the top page, with the number of levels in the low bits.
        table_code: Field<u64> = "TableCode",
        /// Handles in use, where the table itself counts them (Windows 7).
        handle_count: Field<u32> = "HandleCount",
        /// The free list that counts handles in use (Windows 8 and later).
        free_lists: Field<u64> = "FreeLists",
        /// The first handle for which no page exists yet: where the table ends.
        next_handle_needing_pool: Field<u32> = "NextHandleNeedingPool",
    }
}

crate::fields! {
    /// Fields of `_HANDLE_TABLE_FREE_LIST`.
    pub struct FreeListFields of "_HANDLE_TABLE_FREE_LIST" {
        /// Handles in use.
        handle_count: Field<u32> = "HandleCount",
    }
}

crate::fields! {
    /// Fields of `_HANDLE_TABLE_ENTRY`.
    pub struct HandleEntryFields of "_HANDLE_TABLE_ENTRY" {
        /// Windows 7: the pointer with its flags.
        object: Field<u64> = "Object",
        /// Windows 8 and later: the pointer without its lowest four bits.
        object_pointer_bits: Bits = "ObjectPointerBits",
    }
}

/// Bytes of one entry, in every x64 Windows.
const ENTRY: usize = 16;
/// Entries of a page of handles.
const ENTRIES: usize = PAGE_BYTES / ENTRY;
/// Pointers of a page of pointers.
const POINTERS: u64 = PAGE_SIZE / 8;

/// How the entries of one kernel's tables are read.
#[derive(Clone, Debug)]
pub struct HandleTables {
    table: HandleTableFields,
    free_list: FreeListFields,
    entry: HandleEntryFields,
}

/// An entry in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandleEntry {
    /// The handle: four times its index.
    pub handle: u64,
    /// What the entry points at: an object's header, or in the table of ids an object's body.
    pub pointer: VirtAddr,
}

impl HandleTables {
    /// Takes the fields from the layouts.
    pub fn resolve(layouts: &crate::layout::Layouts) -> Self {
        Self {
            table: HandleTableFields::resolve(layouts),
            free_list: FreeListFields::resolve(layouts),
            entry: HandleEntryFields::resolve(layouts),
        }
    }

    /// Handles in use, as the table counts them.
    pub fn count<M: VirtualMemory + ?Sized>(&self, memory: &M, table: VirtAddr) -> Result<u32, Absent> {
        let at = match (self.table.handle_count, self.table.free_lists, self.free_list.handle_count) {
            (Ok(own), _, _) => own.offset,
            (Err(_), Ok(list), Ok(count)) => list.offset.saturating_add(count.offset),
            (Err(why), Err(_), _) | (_, _, Err(why)) => return Err(why),
        };
        memory.read_u32(table.wrapping_add(at.into()))
    }

    /// All entries in use, in the order of their handles, and what could not be read.
    pub fn entries<M: VirtualMemory + ?Sized>(
        &self,
        memory: &M,
        table: VirtAddr,
    ) -> Result<(Vec<HandleEntry>, Vec<Incomplete>), Absent> {
        let view = StructView::read(memory, table, self.table.extent);
        let code = view.get(&self.table.table_code)?;
        let (levels, top) = (code & 7, VirtAddr(code & !7));
        if levels > 2 || !top.is_kernel() {
            return Err(Absent::Malformed);
        }
        // The table itself says where it ends; a number that cannot be is bounded by the levels.
        let end = view.get(&self.table.next_handle_needing_pool).map_or(u64::MAX, u64::from) / 4;
        let mut walk =
            Walk { memory, tables: self, entries: Vec::new(), seen: BTreeSet::new(), missing: Vec::new(), lost: 0 };
        walk.page(top, levels, 0, end);
        let lost = walk.lost;
        let mut incomplete = walk.missing;
        if let Some(last) = incomplete.last_mut() {
            last.count = lost;
        }
        Ok((walk.entries, incomplete))
    }

    /// The pointer of an entry, `None` for a free one.
    fn pointer(&self, entry: [u8; ENTRY]) -> Result<Option<VirtAddr>, Absent> {
        let (words, _) = entry.as_chunks::<8>();
        let low = words.first().map_or(0, |word| u64::from_le_bytes(*word));
        let address = if let Ok(bits) = &self.entry.object_pointer_bits {
            let pointer = bits.of(low) << 4;
            if pointer == 0 {
                return Ok(None);
            }
            // The bits above are those that every kernel address has.
            let kept = u32::from(bits.length) + 4;
            VirtAddr(pointer | u64::MAX.checked_shl(kept).unwrap_or(0))
        } else {
            self.entry.object?;
            VirtAddr(low & !7)
        };
        Ok(address.is_kernel().then_some(address))
    }
}

struct Walk<'a, M: ?Sized> {
    memory: &'a M,
    tables: &'a HandleTables,
    entries: Vec<HandleEntry>,
    /// Pages that were read: a table never uses one twice.
    seen: BTreeSet<VirtAddr>,
    missing: Vec<Incomplete>,
    lost: u64,
}

/// A walk remembers this many missing pages by their address; the rest is counted.
const MAX_NAMED: usize = 8;

impl<M: VirtualMemory + ?Sized> Walk<'_, M> {
    /// Reads the page of entries that starts with index `first`, or the pages below a page of pointers.
    fn page(&mut self, at: VirtAddr, levels: u64, first: u64, end: u64) {
        if first >= end {
            return;
        }
        if !self.seen.insert(at) {
            return self.note(at, Absent::Malformed);
        }
        let mut page = [0; PAGE_BYTES];
        if let Err(hole) = self.memory.read(at, &mut page) {
            return self.note(at, hole.why);
        }
        if levels == 0 {
            let (entries, _) = page.as_chunks::<ENTRY>();
            // The first entry of a page is the kernel's own.
            for (index, entry) in entries.iter().enumerate().skip(1) {
                if let Ok(Some(pointer)) = self.tables.pointer(*entry) {
                    let handle = (first + index as u64) * 4;
                    self.entries.push(HandleEntry { handle, pointer });
                }
            }
            return;
        }
        let below = ENTRIES as u64 * if levels == 2 { POINTERS } else { 1 };
        let (pointers, _) = page.as_chunks::<8>();
        for (index, pointer) in pointers.iter().enumerate() {
            let pointer = VirtAddr(u64::from_le_bytes(*pointer));
            if !pointer.is_null() {
                self.page(pointer, levels - 1, first + index as u64 * below, end);
            }
        }
    }

    fn note(&mut self, at: VirtAddr, why: Absent) {
        if self.missing.len() < MAX_NAMED {
            self.missing.push(Incomplete::new("page of handles", at, why));
            self.lost = 1;
        } else {
            self.lost += 1;
        }
    }
}
