//! The tables of a triage dump: blocks of memory, drivers, unloaded ones. Each ends where its entries can be none any more,
//! whatever number the file claims.

use super::{Offsets, STRUCTURE, TriageDriver, TriageUnloaded};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::dump::HEADER_SIZE;
use crate::incomplete::{Incomplete, Place};
use crate::memory::blocks::Block;
use crate::source::ByteSource;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use byteorder::{ByteOrder, LittleEndian};
use nom::IResult;
use nom::Parser;
use nom::multi::many0;
use nom::number::complete::{le_u32, le_u64};

const BLOCK_ENTRY: u64 = 0x10;
const DRIVER_ENTRY: u64 = 0x90;
const UNLOADED_ENTRY: u64 = 0x38;
/// More entries than this are not read from a file, whatever it claims.
const MAX_ENTRIES: u64 = 1 << 20;
/// Characters of a driver's name that are read.
const MAX_NAME: u64 = 0x8000;

/// A table, and the field that says how many entries it has.
struct Table {
    what: &'static str,
    structure: &'static str,
    field: &'static str,
    field_at: u64,
}

impl Table {
    const fn of_header(what: &'static str, field: &'static str, offset: u64) -> Self {
        Self { what, structure: STRUCTURE, field, field_at: HEADER_SIZE + offset }
    }

    /// The number of entries is another one than the field says.
    fn wrong(&self, claimed: u64, expected: &str) -> Incomplete {
        Incomplete::contradiction(self.structure, self.field, self.field_at, claimed, expected)
    }
}

/// What of the tables lies in the file.
pub(super) struct Tables<'a> {
    pub(super) source: &'a Arc<dyn ByteSource>,
    pub(super) incomplete: &'a mut Vec<Incomplete>,
}

impl Tables<'_> {
    /// How many of so many entries lie in the file.
    fn held(&self, at: u64, claimed: u64, entry: u64) -> u64 {
        claimed.min(self.source.len().saturating_sub(at) / entry).min(MAX_ENTRIES)
    }

    /// Tells the entries that the file does not hold.
    fn tell_missing(&mut self, table: &Table, at: u64, claimed: u64, entry: u64) {
        let held = self.held(at, claimed, entry);
        if held < claimed {
            let why = Absent::Truncated { offset: at.saturating_add(held * entry) };
            let missing = Incomplete::new(table.what, Place::File(table.field_at), why);
            let expected = format!("at most {held}, which end in the file");
            let missing = missing.of_field(table.structure, table.field, claimed, expected);
            self.incomplete.push(missing.times(claimed - held));
        }
    }

    /// So many entries as the file holds of those claimed.
    fn read(&mut self, table: &Table, at: u64, claimed: u64, entry: u64) -> Vec<u8> {
        let count = self.held(at, claimed, entry);
        // A table that begins behind the end has nothing that could fail to be read.
        if count == 0 {
            return Vec::new();
        }
        self.source.read_vec(at, count * entry).unwrap_or_else(|_| {
            let missing = Incomplete::new(table.what, Place::File(at), Absent::ReadFailed { offset: at });
            self.incomplete.push(missing.times(count));
            Vec::new()
        })
    }

    /// The blocks of virtual memory.
    pub(super) fn data_blocks(&mut self, offsets: &Offsets) -> Vec<Block> {
        let (at, claimed) = (u64::from(offsets.blocks), u64::from(offsets.block_count));
        if at == 0 {
            return Vec::new();
        }
        let table = Table::of_header("data blocks", "DataBlocksCount", 0x7c);
        self.tell_missing(&table, at, claimed, BLOCK_ENTRY);
        let bytes = self.read(&table, at, claimed, BLOCK_ENTRY);
        let parsed: IResult<&[u8], Vec<_>> = many0((le_u64, le_u32, le_u32)).parse(&bytes);
        let entries = parsed.map(|(_, entries)| entries).unwrap_or_default();
        let block = |(start, offset, len): (u64, u32, u32)| Block {
            start: VirtAddr(start),
            len: len.into(),
            offset: offset.into(),
        };
        entries.into_iter().map(block).collect()
    }

    /// The loaded modules. The strings of their names follow the table at once, in every real file seen: that witnesses how
    /// many entries there are.
    pub(super) fn drivers(&mut self, offsets: &Offsets) -> Vec<TriageDriver> {
        let (at, claimed) = (u64::from(offsets.drivers), u64::from(offsets.driver_count));
        if at == 0 {
            return Vec::new();
        }
        let room = u64::from(offsets.strings).checked_sub(at).filter(|room| room.is_multiple_of(DRIVER_ENTRY));
        let room = room.map_or(0, |room| room / DRIVER_ENTRY);
        let table = Table::of_header("drivers", "DriverCount", 0x34);
        let bytes = self.read(&table, at, claimed.max(room), DRIVER_ENTRY);
        let (mut drivers, mut broken, mut end, mut ended) = (Vec::new(), Vec::new(), 0, false);
        for (index, entry) in (0_u64..).zip(bytes.chunks_exact(usize::try_from(DRIVER_ENTRY).unwrap_or(usize::MAX))) {
            if let Some(driver) = self.driver(entry) {
                drivers.push(driver);
            } else if index < room.min(claimed) {
                // One that is damaged, among others.
                broken_driver(at + index * DRIVER_ENTRY, entry).add_to(&mut broken);
            } else {
                ended = true;
                break;
            }
            end = index + 1;
        }
        if drivers.is_empty() && claimed > 0 && !bytes.is_empty() {
            let expected = format!("the offset of a table of {claimed} drivers");
            let (field, field_at) = ("DriverListOffset", HEADER_SIZE + 0x30);
            self.incomplete.push(Incomplete::contradiction(STRUCTURE, field, field_at, format!("{at:#x}"), expected));
            return drivers;
        }
        self.incomplete.append(&mut broken);
        if end > claimed || (ended && end < claimed) {
            let expected = format!("{end}, as many entries as are drivers");
            self.incomplete.push(table.wrong(claimed, &expected).times(end.abs_diff(claimed)));
        } else {
            self.tell_missing(&table, at, claimed, DRIVER_ENTRY);
        }
        let unnamed = drivers.iter().filter(|driver| driver.name.is_err()).count() as u64;
        if let Some(why) = drivers.iter().find_map(|driver| driver.name.as_ref().err()) {
            self.incomplete.push(Incomplete::new("driver names", "string pool", *why).times(unnamed));
        }
        drivers
    }

    /// A driver, unless the entry cannot be one: images begin on pages of the kernel.
    fn driver(&self, entry: &[u8]) -> Option<TriageDriver> {
        let (base, size) = (VirtAddr(u64_at(entry, DLL_BASE)), u32_at(entry, SIZE_OF_IMAGE));
        (base.is_page_of_kernel() && size > 0).then(|| TriageDriver {
            name: self.string(u32_at(entry, 0).into()),
            base,
            entry: VirtAddr(u64_at(entry, 0x40)),
            size: size.into(),
            checksum: u32_at(entry, 0x80),
            timestamp: u32_at(entry, 0x88),
        })
    }

    /// A string of the pool: its length in characters, then UTF-16.
    fn string(&self, at: u64) -> Result<String, Absent> {
        let truncated = |_| Absent::Truncated { offset: at };
        let count = self.source.read_vec(at, 4).map(|bytes| u64::from(u32_at(&bytes, 0))).map_err(truncated)?;
        if at == 0 || count > MAX_NAME {
            return Err(Absent::Malformed);
        }
        let bytes = self.source.read_vec(at + 4, count * 2).map_err(truncated)?;
        Ok(crate::text::utf16(&bytes))
    }

    /// The unloaded modules. Nothing witnesses how many there are but that the entries can be some.
    pub(super) fn unloaded(&mut self, at: u32) -> Vec<TriageUnloaded> {
        let at = u64::from(at);
        if at == 0 {
            return Vec::new();
        }
        let Ok(count) = self.source.read_vec(at, 8).map(|bytes| LittleEndian::read_u64(&bytes)) else {
            let missing =
                Incomplete::new("unloaded modules", Place::File(HEADER_SIZE + 0x18), Absent::Truncated { offset: at });
            let expected = format!("an offset with 8 bytes behind it, in a file of {:#x}", self.source.len());
            let found = format!("{at:#x}");
            self.incomplete.push(missing.of_field(STRUCTURE, "UnloadedDriversOffset", found, expected));
            return Vec::new();
        };
        let table =
            Table { what: "unloaded modules", structure: "DUMP_UNLOADED_DRIVERS", field: "Count", field_at: at };
        let bytes = self.read(&table, at + 8, count, UNLOADED_ENTRY);
        let entries = bytes.chunks_exact(usize::try_from(UNLOADED_ENTRY).unwrap_or(usize::MAX));
        let held = entries.len();
        let modules: Vec<_> = entries.map_while(unloaded).collect();
        if modules.len() < held {
            let expected = format!("{}, as many entries as are unloaded modules", modules.len());
            self.incomplete.push(table.wrong(count, &expected).times(count - modules.len() as u64));
        } else {
            self.tell_missing(&table, at + 8, count, UNLOADED_ENTRY);
        }
        modules
    }
}

/// `LdrEntry.DllBase` and `LdrEntry.SizeOfImage` in `DUMP_DRIVER_ENTRY64`.
const DLL_BASE: usize = 0x38;
const SIZE_OF_IMAGE: usize = 0x48;

/// Why an entry is no driver.
fn broken_driver(at: u64, entry: &[u8]) -> Incomplete {
    const ENTRY: &str = "DUMP_DRIVER_ENTRY64";
    let base = VirtAddr(u64_at(entry, DLL_BASE));
    if base.is_page_of_kernel() {
        let expected = "the bytes of an image";
        return Incomplete::contradiction(ENTRY, "LdrEntry.SizeOfImage", at + SIZE_OF_IMAGE as u64, 0, expected);
    }
    let expected = "a page of the kernel where an image begins";
    Incomplete::contradiction(ENTRY, "LdrEntry.DllBase", at + DLL_BASE as u64, base, expected)
}

fn u32_at(entry: &[u8], at: usize) -> u32 {
    entry.get(at..at + 4).map_or(0, LittleEndian::read_u32)
}

fn u64_at(entry: &[u8], at: usize) -> u64 {
    entry.get(at..at + 8).map_or(0, LittleEndian::read_u64)
}

/// An unloaded module, unless the entry cannot be one.
fn unloaded(entry: &[u8]) -> Option<TriageUnloaded> {
    let (start, end) = (VirtAddr(u64_at(entry, 0x28)), VirtAddr(u64_at(entry, 0x30)));
    // The name is cut at its own length, and at the twelve characters that the entry has room for.
    let length = entry.get(..2).map_or(0, LittleEndian::read_u16);
    let name = entry.get(0x10..0x28).unwrap_or_default();
    let name = name.get(..usize::from(length & !1)).unwrap_or(name);
    let name = crate::text::utf16_until_nul(name);
    (start.is_page_of_kernel() && end > start).then_some(TriageUnloaded { name, start, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables of these bytes, and what is told of them.
    fn of<T>(bytes: Vec<u8>, read: impl FnOnce(&mut Tables<'_>) -> T) -> (T, Vec<Incomplete>) {
        let (source, mut incomplete): (Arc<dyn ByteSource>, Vec<Incomplete>) = (Arc::new(bytes), Vec::new());
        let read = read(&mut Tables { source: &source, incomplete: &mut incomplete });
        (read, incomplete)
    }

    #[test]
    fn a_table_behind_the_end_misses_what_it_claims_and_nothing_else() {
        for (claimed, told) in [(0, &[][..]), (3, &[3])] {
            let table = Table::of_header("data blocks", "DataBlocksCount", 0x7c);
            let (bytes, incomplete) = of(alloc::vec![0_u8; 0x100], |tables| {
                tables.tell_missing(&table, 0x200, claimed, BLOCK_ENTRY);
                tables.read(&table, 0x200, claimed, BLOCK_ENTRY)
            });
            assert!(bytes.is_empty());
            let counts: Vec<u64> = incomplete.iter().map(|missing| missing.count).collect();
            assert_eq!(counts, told, "{incomplete:?}");
        }
    }

    /// A file of so many drivers at 0x100, their strings behind them, text up to the end.
    fn file(drivers: u64) -> (Vec<u8>, u64) {
        let strings = 0x100 + drivers * DRIVER_ENTRY;
        let mut bytes = b"a\0".repeat(0x2000);
        for index in 0..drivers {
            let at = usize::try_from(0x100 + index * DRIVER_ENTRY).unwrap();
            let end = at + usize::try_from(DRIVER_ENTRY).unwrap();
            bytes[at..end].fill(0);
            bytes[at..at + 8].copy_from_slice(&strings.to_le_bytes());
            bytes[at + DLL_BASE..at + DLL_BASE + 8].copy_from_slice(&(u64::MAX << 32 | index << 12).to_le_bytes());
            bytes[at + 0x48] = 1;
        }
        let at = usize::try_from(strings).unwrap();
        bytes[at..at + 4].copy_from_slice(&4_u32.to_le_bytes());
        (bytes, strings)
    }

    fn offsets(drivers: u32, strings: u64, driver_count: u32) -> Offsets {
        let zeros = [0; 0x80];
        let (_, offsets) = super::super::parse(&zeros).unwrap();
        Offsets { drivers, driver_count, strings: u32::try_from(strings).unwrap(), ..offsets }
    }

    #[test]
    fn a_wrong_number_of_drivers_makes_none_up_and_loses_none() {
        let (bytes, strings) = file(5);
        for claimed in [0, 1, 4, 5, 6, 7, 20, 1 << 30, u32::MAX] {
            let (drivers, told) = of(bytes.clone(), |tables| tables.drivers(&offsets(0x100, strings, claimed)));
            assert_eq!(drivers.len(), 5, "{claimed}");
            let told: Vec<_> = told.iter().map(|one| one.what.as_str()).collect();
            let expected =
                format!("TRIAGE_DUMP64.DriverCount is {claimed}, expected 5, as many entries as are drivers");
            assert_eq!(told, if claimed == 5 { Vec::new() } else { Vec::from([expected.as_str()]) });
        }
        // Without the place of the strings no more than is claimed.
        for (claimed, held) in [(4, 4), (5, 5), (6, 5), (u32::MAX, 5)] {
            let (drivers, told) = of(bytes.clone(), |tables| tables.drivers(&offsets(0x100, 0, claimed)));
            assert_eq!((drivers.len(), told.len()), (held, usize::from(claimed > 5)), "{claimed}: {told:?}");
        }
    }

    #[test]
    fn one_damaged_driver_costs_no_other() {
        let (mut bytes, strings) = file(5);
        let at = 0x100 + 2 * usize::try_from(DRIVER_ENTRY).unwrap() + DLL_BASE;
        bytes[at] = 1;
        let (drivers, told) = of(bytes.clone(), |tables| tables.drivers(&offsets(0x100, strings, 5)));
        assert_eq!((drivers.len(), told.len()), (4, 1), "{told:?}");
        assert_eq!(told[0].place, Place::File(at as u64));
        bytes[at] = 0;
        bytes[at - DLL_BASE + SIZE_OF_IMAGE] = 0;
        let (drivers, told) = of(bytes.clone(), |tables| tables.drivers(&offsets(0x100, strings, 5)));
        assert_eq!((drivers.len(), told.len()), (4, 1), "{told:?}");
        assert_eq!(told[0].place, Place::File((at - DLL_BASE + SIZE_OF_IMAGE) as u64));
        // A table of which nothing is a driver is not there.
        let (drivers, told) = of(bytes, |tables| tables.drivers(&offsets(0x104, strings, 5)));
        assert!(drivers.is_empty());
        assert_eq!(
            told[0].what,
            "TRIAGE_DUMP64.DriverListOffset is 0x104, expected the offset of a table of 5 drivers"
        );
    }
}
