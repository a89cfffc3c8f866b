//! `HANDLE_TABLE`: handles to objects, in up to three levels of pages.

use crate::absent::Absent;
use crate::address::{PAGE_BYTES, PAGE_SIZE, VirtAddr};
use crate::incomplete::Incomplete;
use crate::layout::field::{Bits, Field, Flags};
use crate::layout::view::StructView;
use crate::memory::VirtualMemory;
use crate::nt::access::{ACCESS_BITS, ACCESS_MASK};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;
use bitflags::bitflags;

crate::fields! {
    /// Fields of `_HANDLE_TABLE`.
    pub struct HandleTableFields of "_HANDLE_TABLE" {
        /// Address of the top page, with the number of levels in the low bits.
        table_code: Field<u64> = "TableCode",
        /// Handles in use, where the table itself counts them (Windows 7).
        handle_count: Field<u32> = "HandleCount",
        /// The free list that counts handles in use (Windows 8 and later).
        free_lists: Field<u64> = "FreeLists",
        /// How it treats handles that are not valid.
        flags: Flags = "Flags",
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
        /// Windows 8 and later: protected from closing, inherited, audited.
        attributes: Bits = "Attributes",
        /// Windows 7: granted access, with the protection from closing above it.
        granted_access: Field<u32> = "GrantedAccess",
        /// Windows 8 and later: granted access.
        granted_access_bits: Bits = "GrantedAccessBits",
    }
}

/// Bytes of one entry, in every x64 Windows.
const ENTRY: usize = 16;
/// Entries of a page of handles.
const ENTRIES: usize = PAGE_BYTES / ENTRY;
/// Pointers of a page of pointers.
const POINTERS: u64 = PAGE_SIZE / 8;

/// Entries that are read of one table. Windows allows sixteen times as many; no process that works comes near.
const MAX_ENTRIES: usize = 1 << 20;

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
    /// Where the entry itself lies.
    pub at: VirtAddr,
    /// What the entry points at: an object's header, or in the table of ids an object's body.
    pub pointer: VirtAddr,
    /// What the holder may do with the object, as the lowest 25 bits of an access mask.
    pub granted_access: Result<u32, Absent>,
    /// How the handle behaves.
    pub attributes: Result<Attributes, Absent>,
}

bitflags! {
    /// How a handle behaves. The bits are the kernel's own (`OBJ_HANDLE_ATTRIBUTES`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct Attributes: u8 {
        /// The handle cannot be closed.
        const PROTECT = 1;
        /// Processes that the holder creates get the handle too.
        const INHERIT = 2;
        /// Closing the handle is noted in the security log.
        const AUDIT = 4;
    }
}

impl Attributes {
    /// The names in the output contract.
    pub fn names(self) -> Vec<&'static str> {
        let all = [(Self::INHERIT, "inherit"), (Self::PROTECT, "protect"), (Self::AUDIT, "audit")];
        all.into_iter().filter(|(attribute, _)| self.contains(*attribute)).map(|(_, name)| name).collect()
    }
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

    /// Where the flags of a table are, and their names.
    pub(crate) fn flags(&self) -> &Result<Flags, Absent> {
        &self.table.flags
    }

    /// The flags of a table.
    pub(crate) fn flags_of<M: VirtualMemory + ?Sized>(&self, memory: &M, table: VirtAddr) -> Result<u64, Absent> {
        StructView::read(memory, table, self.table.extent).word(&self.table.flags)
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
        let pages = (0..levels).fold(1, |pages, _| pages * POINTERS);
        let believed = end <= pages * ENTRIES as u64;
        let mut walk = Walk {
            memory,
            tables: self,
            entries: Vec::new(),
            seen: BTreeSet::new(),
            believed,
            missing: Vec::new(),
            lost: 0,
            beyond: 0,
        };
        walk.page(table, top, levels, 0, end);
        let lost = walk.lost;
        let mut incomplete = walk.missing;
        if let Some(last) = incomplete.last_mut() {
            last.count = lost;
        }
        if walk.beyond > 0 {
            let beyond = Incomplete::beyond("entries of a handle table", table, MAX_ENTRIES);
            let field = beyond.of_field("_HANDLE_TABLE", "TableCode", format!("{code:#x}"), "a smaller table");
            incomplete.push(field.times(walk.beyond));
        }
        Ok((walk.entries, incomplete))
    }

    /// Why a table has no entries, with the field that is to blame: its own, or the pointer that leads to it, as structure,
    /// field and place.
    pub(crate) fn fault<M: VirtualMemory + ?Sized>(
        &self,
        memory: &M,
        table: VirtAddr,
        why: Absent,
        (structure, field, place): (&'static str, &'static str, VirtAddr),
    ) -> Incomplete {
        let code = self.table.table_code.and_then(|field| {
            let at = table.wrapping_add(field.offset.into());
            Ok((at, memory.read_u64(at)?))
        });
        match code {
            Ok((at, code)) => {
                let expected = "a kernel address with 0, 1 or 2 in its low bits";
                Incomplete::wrong("_HANDLE_TABLE", "TableCode", at, format!("{code:#x}"), expected).because(why)
            }
            Err(never) if never.is_nowhere() => {
                Incomplete::wrong(structure, field, place, table, "the address of a handle table").because(why)
            }
            Err(_) => Incomplete::new("handle table", table, why),
        }
    }

    /// Which field of an entry leads to the object.
    pub(crate) fn pointer_field(&self) -> &'static str {
        if self.entry.object_pointer_bits.is_ok() { "ObjectPointerBits" } else { "Object" }
    }

    /// What an entry holds; `None` for a free one.
    fn entry(&self, handle: u64, at: VirtAddr, entry: [u8; ENTRY]) -> Option<HandleEntry> {
        let (words, _) = entry.as_chunks::<8>();
        let word = |index: usize| words.get(index).map_or(0, |word| u64::from_le_bytes(*word));
        let bits = |field: &Result<Bits, Absent>| {
            let field = (*field)?;
            let word = word(usize::try_from(field.offset / 8).unwrap_or(usize::MAX));
            Ok(field.of(word >> (field.offset % 8 * 8)))
        };
        if let Ok(field) = self.entry.object_pointer_bits {
            let pointer = bits(&Ok(field)).ok().filter(|pointer| *pointer != 0)?;
            // The bits above are those that every kernel address has.
            let kept = u32::from(field.length) + 4;
            let pointer = VirtAddr(pointer << 4 | u64::MAX.checked_shl(kept).unwrap_or(0));
            let granted_access =
                bits(&self.entry.granted_access_bits).map(|access| u32::try_from(access).unwrap_or(0) & ACCESS_MASK);
            let attributes = bits(&self.entry.attributes)
                .map(|attributes| Attributes::from_bits_retain(u8::try_from(attributes).unwrap_or(0)));
            return Some(HandleEntry { handle, at, pointer, granted_access, attributes });
        }
        self.entry.object.ok()?;
        let low = word(0);
        let pointer = VirtAddr(low & !FLAGS);
        let access = self.entry.granted_access.map(|field| {
            u32::try_from(word(usize::try_from(field.offset / 8).unwrap_or(usize::MAX)) & 0xffff_ffff).unwrap_or(0)
        });
        let attributes = access.map(|access| {
            let protect = access >> ACCESS_BITS & 1 == 1;
            let low = Attributes::from_bits_truncate(u8::try_from(low & FLAGS).unwrap_or(0));
            (low & !Attributes::PROTECT) | if protect { Attributes::PROTECT } else { Attributes::empty() }
        });
        let granted_access = access.map(|access| access & ACCESS_MASK);
        (!pointer.is_null()).then_some(HandleEntry { handle, at, pointer, granted_access, attributes })
    }
}

/// Windows 7: bits of the pointer that hold the lock and two attributes.
const FLAGS: u64 = 7;

struct Walk<'a, M: ?Sized> {
    memory: &'a M,
    tables: &'a HandleTables,
    entries: Vec<HandleEntry>,
    /// Pages that were read: a table never uses one twice.
    seen: BTreeSet<VirtAddr>,
    /// The table's own word of where it ends can be true: it then has every page before that.
    believed: bool,
    missing: Vec<Incomplete>,
    lost: u64,
    /// Pages whose entries there was no room for.
    beyond: u64,
}

/// A walk remembers this many missing pages by their address; the rest is counted.
const MAX_NAMED: usize = 8;

impl<M: VirtualMemory + ?Sized> Walk<'_, M> {
    /// Reads the page of entries that starts with index `first`, or the pages below a page of pointers. `from` is where the
    /// pointer to it stands.
    fn page(&mut self, from: VirtAddr, at: VirtAddr, levels: u64, first: u64, end: u64) {
        if first >= end {
            return;
        }
        if self.entries.len() >= MAX_ENTRIES {
            self.beyond += 1;
            return;
        }
        // Windows gives whole pages to entries and to the pointers below the top. Other pages would overlap.
        if levels < 2 && !at.0.is_multiple_of(PAGE_SIZE) {
            return self.note(at, Absent::Malformed, Some((from, "the start of a page")));
        }
        if !self.seen.insert(at) {
            return self.note(at, Absent::Malformed, Some((from, "a page that the table does not use elsewhere")));
        }
        let mut page = [0; PAGE_BYTES];
        if let Err(hole) = self.memory.read(at, &mut page) {
            let never = !at.is_kernel() || matches!(hole.why, Absent::NonCanonical | Absent::NotPresent(_));
            return self.note(at, hole.why, never.then_some((from, "the address of a page of handles")));
        }
        if levels == 0 {
            let (entries, _) = page.as_chunks::<ENTRY>();
            // The first entry of a page is the kernel's own.
            for (index, entry) in entries.iter().enumerate().skip(1) {
                let handle = first.saturating_add(index as u64) * 4;
                let at = at.wrapping_add((index * ENTRY) as u64);
                self.entries.extend(self.tables.entry(handle, at, *entry));
            }
            return;
        }
        let below = ENTRIES as u64 * if levels == 2 { POINTERS } else { 1 };
        let (pointers, _) = page.as_chunks::<8>();
        for (index, pointer) in pointers.iter().enumerate() {
            let pointer = VirtAddr(u64::from_le_bytes(*pointer));
            let from = at.wrapping_add(index as u64 * 8);
            let first = first + index as u64 * below;
            if !pointer.is_null() {
                self.page(from, pointer, levels - 1, first, end);
            } else if self.believed && first < end {
                self.note(pointer, Absent::Malformed, Some((from, "a page: the table goes on behind it")));
            }
        }
    }

    /// Notes a page that is missing; `expected` where the pointer to it is wrong, with that pointer's own place.
    fn note(&mut self, at: VirtAddr, why: Absent, expected: Option<(VirtAddr, &'static str)>) {
        let missing = |place| Incomplete::new("page of handles", place, why);
        if self.missing.len() < MAX_NAMED {
            self.missing.push(match expected {
                Some((from, expected)) => missing(from).of_field("_HANDLE_TABLE", "TableCode", at, expected),
                None => missing(at),
            });
            self.lost = 1;
        } else {
            self.lost += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn unresolved() -> HandleTables {
        HandleTables::resolve(&crate::layout::Layouts::default())
    }

    /// Windows 7: a pointer with three flags.
    fn pointers() -> HandleTables {
        let mut tables = unresolved();
        tables.table.table_code = Ok(Field::at(0));
        tables.table.extent = 8;
        tables.entry.object = Ok(Field::at(0));
        tables.entry.granted_access = Ok(Field::at(8));
        tables
    }

    /// Windows 8.1 and later: bits.
    fn bits() -> HandleTables {
        let mut tables = unresolved();
        tables.table.table_code = Ok(Field::at(0));
        tables.table.extent = 8;
        tables.entry.object_pointer_bits = Ok(Bits { offset: 0, position: 20, length: 44 });
        tables.entry.attributes = Ok(Bits { offset: 0, position: 17, length: 3 });
        tables.entry.granted_access_bits = Ok(Bits { offset: 8, position: 0, length: 25 });
        tables
    }

    fn entry(low: u64, high: u64) -> [u8; ENTRY] {
        let mut entry = [0; ENTRY];
        entry[..8].copy_from_slice(&low.to_le_bytes());
        entry[8..].copy_from_slice(&high.to_le_bytes());
        entry
    }

    #[test]
    fn both_encodings_tell_the_same() {
        let header = 0xffff_8a80_0004_5670_u64;
        for (attributes, names) in
            [(0, vec![]), (1, vec!["protect"]), (2, vec!["inherit"]), (7, vec!["inherit", "protect", "audit"])]
        {
            let old = entry(header | 1 | (attributes & 6), 0x1f_ffff | (attributes & 1) << 25);
            let new = entry((header >> 4) << 20 | attributes << 17 | 0xffff, 0x1f_ffff | 1 << 25);
            for (tables, entry) in [(pointers(), old), (bits(), new)] {
                let found = tables.entry(8, VirtAddr(0), entry).unwrap();
                assert_eq!((found.handle, found.pointer, found.granted_access), (8, VirtAddr(header), Ok(0x1f_ffff)));
                assert_eq!(found.attributes.unwrap().names(), names);
            }
        }
    }

    #[test]
    fn what_is_free_is_no_entry() {
        assert_eq!(pointers().entry(4, VirtAddr(0), entry(0, 0x2c)), None);
        assert_eq!(pointers().entry(4, VirtAddr(0), entry(6, 0x2c)), None);
        assert_eq!(bits().entry(4, VirtAddr(0), entry(0xf_ffff, 0xffff_8000_0000_1000)), None);
        assert_eq!(unresolved().entry(4, VirtAddr(0), entry(u64::MAX, u64::MAX)), None);
    }

    /// Memory in which every page of the kernel's half is the same.
    struct Everywhere(Vec<u8>);

    impl VirtualMemory for Everywhere {
        fn read_in_page(&self, at: VirtAddr, out: &mut [u8]) -> Result<(), Absent> {
            if !at.is_kernel() {
                return Err(Absent::NonCanonical);
            }
            let start = usize::try_from(at.0 % PAGE_SIZE).unwrap();
            out.copy_from_slice(&self.0[start..start + out.len()]);
            Ok(())
        }
    }

    #[test]
    fn a_table_that_claims_everything_is_cut_off_and_says_so() {
        // Each pointer but the first leads to another page that is like this one, three levels deep.
        let words = (0..512_u64).map(|n| 0xffff_8000_0000_0000 | n << 24 | if n == 0 { 2 } else { 0 });
        let memory = Everywhere(words.flat_map(u64::to_le_bytes).collect());
        let (entries, incomplete) = pointers().entries(&memory, VirtAddr(0xffff_8000_0000_0000)).unwrap();
        assert!(entries.len() < MAX_ENTRIES + ENTRIES);
        // The pages that are wrong: the first are named, the others are counted.
        assert_eq!(incomplete.len(), MAX_NAMED);
        assert!(incomplete[MAX_NAMED - 1].count > 1);
    }

    /// A table of three levels, all of whose pages are there and full.
    struct Full;

    impl VirtualMemory for Full {
        fn read_in_page(&self, at: VirtAddr, out: &mut [u8]) -> Result<(), Absent> {
            const BASE: u64 = 0xffff_8000_0000_0000;
            let number = (at.0 - BASE) / PAGE_SIZE;
            let words = (at.0 % PAGE_SIZE / 8..).map(|index| match number {
                // The table itself.
                0 => (BASE + PAGE_SIZE) | 2,
                // Pages of pointers: to the 512 that follow, and these each to 512 behind them.
                1 => BASE + (2 + index) * PAGE_SIZE,
                2..=513 => BASE + (number * 512 + index) * PAGE_SIZE,
                _ => BASE,
            });
            for (word, value) in out.chunks_mut(8).zip(words) {
                word.copy_from_slice(&value.to_le_bytes()[..word.len()]);
            }
            Ok(())
        }
    }

    #[test]
    fn more_entries_than_are_taken_are_told() {
        let (entries, incomplete) = pointers().entries(&Full, VirtAddr(0xffff_8000_0000_0000)).unwrap();
        assert!((MAX_ENTRIES..MAX_ENTRIES + ENTRIES).contains(&entries.len()));
        let told: Vec<_> = incomplete.iter().map(|missing| missing.what.as_str()).collect();
        assert_eq!(told, [format!("entries of a handle table beyond the first {MAX_ENTRIES}")]);
    }

    #[test]
    fn pages_that_overlap_give_no_entry_twice() {
        // Two pointers: to a page, and to the middle of the same one.
        let base = 0xffff_8000_0000_0000_u64;
        let mut words = vec![0; 512];
        (words[0], words[2], words[3]) = (base | 1, base + 0x5000, base + 0x5010);
        let memory = Everywhere(words.into_iter().flat_map(u64::to_le_bytes).collect());
        let (entries, incomplete) = pointers().entries(&memory, VirtAddr(base)).unwrap();
        let places: BTreeSet<_> = entries.iter().map(|entry| entry.at).collect();
        assert_eq!((places.len(), entries.len()), (1, 1));
        // The first pointer is the table's own code here.
        assert_eq!(incomplete.iter().map(|missing| missing.count).sum::<u64>(), 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn any_page_is_a_bounded_table(words in prop::collection::vec(any::<u64>(), 16), level in 0_u64..8) {
            let mut page: Vec<u8> = words.iter().cycle().take(512).flat_map(|word| word.to_le_bytes()).collect();
            page[..8].copy_from_slice(&(0xffff_8000_0000_0000 | level).to_le_bytes());
            let memory = Everywhere(page);
            for tables in [pointers(), bits()] {
                if let Ok((entries, _)) = tables.entries(&memory, VirtAddr(0xffff_8000_0000_0000)) {
                    prop_assert!(entries.len() < MAX_ENTRIES + ENTRIES);
                }
            }
        }
    }
}
