//! Type 4: the small dump. Some blocks of virtual memory, copies of the crashing thread's structures, the module list.
//!
//! There is neither physical memory nor any page table. All offsets were read in real files.

use super::{Candidate, Content, DumpKind, Format, HEADER_SIZE, Opened, read_head};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::error::Error;
use crate::incomplete::{Incomplete, Place};
use crate::kdbg::Kdbg;
use crate::memory::BlockSpace;
use crate::memory::blocks::Block;
use crate::memory::space::VirtualMemory;
use crate::source::ByteSource;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use byteorder::{ByteOrder, LittleEndian};
use nom::multi::many0;
use nom::number::complete::{le_u32, le_u64};
use nom::{IResult, Parser};

pub(super) const FORMAT: Format = Format { name: "triage", types: &[4], matches: has_end_mark, open };

/// Whether the mark is there that the header says ends the dump.
fn has_end_mark(candidate: &Candidate<'_>) -> bool {
    let mut head = [0; 12];
    let mut mark = [0; 4];
    candidate.source.read_at(HEADER_SIZE, &mut head).is_ok()
        && candidate.source.read_at(LittleEndian::read_u32(head.get(8..).unwrap_or(&[0; 4])).into(), &mut mark).is_ok()
        && &mark == b"TRGD"
}

/// Bytes of `TRIAGE_DUMP64` that are read.
const TRIAGE_SIZE: u64 = 0x80;
const BLOCK_ENTRY: u64 = 0x10;
const DRIVER_ENTRY: u64 = 0x90;
const UNLOADED_ENTRY: u64 = 0x38;
/// More entries than this are not read from a file, whatever it claims.
const MAX_ENTRIES: u64 = 1 << 20;
/// Characters of a driver's name that are read.
const MAX_NAME: u64 = 0x8000;

/// What a triage dump holds.
#[derive(Clone, Debug)]
pub struct Triage {
    /// The blocks of virtual memory, and the copies of structures at the addresses they were taken from.
    pub space: BlockSpace,
    /// The kernel's block for debuggers, already decoded by the writer.
    pub kdbg: Option<Kdbg>,
    /// The process whose address space the crashing thread used.
    pub process: Result<VirtAddr, Absent>,
    /// The crashing thread.
    pub thread: Result<VirtAddr, Absent>,
    /// The crashing processor's control block; its own address is not always known.
    pub prcb: Result<VirtAddr, Absent>,
    /// Sizes of the copies of `_EPROCESS`, `_ETHREAD` and `_KPRCB`, as far as they show in the file.
    pub sizes: CopySizes,
    /// The modules that were loaded.
    pub drivers: Vec<TriageDriver>,
    /// Modules that had been unloaded.
    pub unloaded: Vec<TriageUnloaded>,
    /// Where the modules should end in the file, to tell a short one.
    size_of_dump: u64,
    file_len: u64,
    prcb_offset: u64,
}

/// Sizes of the structures whose copies the dump holds: the mark by which the kernel's revision is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopySizes {
    /// `_EPROCESS`
    pub eprocess: Option<u64>,
    /// `_ETHREAD`
    pub ethread: Option<u64>,
    /// `_KPRCB`
    pub kprcb: Option<u64>,
}

/// A loaded module as the triage dump lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriageDriver {
    /// The stored string, a path or a bare name.
    pub name: Result<String, Absent>,
    /// Where it is loaded.
    pub base: VirtAddr,
    /// Bytes of the loaded image.
    pub size: u64,
    /// Its entry point; zero in every real file seen.
    pub entry: VirtAddr,
    /// The checksum of the image header.
    pub checksum: u32,
    /// The time stamp of the image header.
    pub timestamp: u32,
}

/// An unloaded module as the triage dump lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriageUnloaded {
    /// The first twelve characters of its name.
    pub name: String,
    /// Where it was loaded.
    pub start: VirtAddr,
    /// Where it ended.
    pub end: VirtAddr,
}

impl Triage {
    /// The copy of the crashing processor's control block, and the address at which it is to be read. Where its own
    /// address is not known, one is made up that no kernel structure has.
    pub fn prcb_copy(&self) -> (BlockSpace, VirtAddr) {
        const MADE_UP: VirtAddr = VirtAddr(0x1000);
        let at = self.prcb.unwrap_or(MADE_UP);
        let len = self.sizes.kprcb.unwrap_or(0);
        let copy = Block { start: at, len, offset: self.prcb_offset };
        (BlockSpace::new(self.space.source().clone(), [copy]), at)
    }

    /// Whether the file reaches to the end that it gives.
    pub fn is_complete(&self) -> bool {
        self.size_of_dump <= self.file_len
    }
}

/// `TRIAGE_DUMP64`: file offsets of everything else.
struct Offsets {
    size_of_dump: u32,
    unloaded: u32,
    prcb: u32,
    process: u32,
    thread: u32,
    call_stack: u32,
    size_of_call_stack: u32,
    drivers: u32,
    driver_count: u32,
    top_of_stack: u64,
    data_page: (u64, u32, u32),
    debugger_data: u32,
    debugger_data_size: u32,
    blocks: u32,
    block_count: u32,
}

fn parse(bytes: &[u8]) -> IResult<&[u8], Offsets> {
    let (rest, (_service_pack, size_of_dump, _valid, _context)) = (le_u32, le_u32, le_u32, le_u32).parse(bytes)?;
    let (rest, (_exception, _mm, unloaded, prcb)) = (le_u32, le_u32, le_u32, le_u32).parse(rest)?;
    let (rest, (process, thread, call_stack, size_of_call_stack)) = (le_u32, le_u32, le_u32, le_u32).parse(rest)?;
    let (rest, (drivers, driver_count, _strings, _string_size)) = (le_u32, le_u32, le_u32, le_u32).parse(rest)?;
    let (rest, (_broken, _options, top_of_stack)) = (le_u32, le_u32, le_u64).parse(rest)?;
    let (rest, _backing_store) = (le_u64, le_u64).parse(rest)?;
    let (rest, data_page) = (le_u64, le_u32, le_u32).parse(rest)?;
    let (rest, (debugger_data, debugger_data_size)) = (le_u32, le_u32).parse(rest)?;
    let (rest, (blocks, block_count)) = (le_u32, le_u32).parse(rest)?;
    let offsets = Offsets {
        size_of_dump,
        unloaded,
        prcb,
        process,
        thread,
        call_stack,
        size_of_call_stack,
        drivers,
        driver_count,
        top_of_stack,
        data_page,
        debugger_data,
        debugger_data_size,
        blocks,
        block_count,
    };
    Ok((rest, offsets))
}

fn open(candidate: &Candidate<'_>) -> Result<Opened, Error> {
    let source = candidate.source;
    let head = read_head(source, "TRIAGE_DUMP64", HEADER_SIZE, TRIAGE_SIZE)?;
    let offsets = parse(&head).map(|(_, offsets)| offsets).map_err(|_| Error::Malformed {
        structure: "TRIAGE_DUMP64",
        offset: HEADER_SIZE,
        field: "size",
        found: format!("{:#x} bytes", head.len()),
        expected: format!("{TRIAGE_SIZE:#x} bytes"),
    })?;
    let mut incomplete = Vec::new();
    if u64::from(offsets.size_of_dump) > source.len() {
        let expected = format!("at most {:#x}, the file's size", source.len());
        let found = format!("{:#x}", offsets.size_of_dump);
        let at = HEADER_SIZE + 4;
        incomplete.push(Incomplete::contradiction("TRIAGE_DUMP64", "SizeOfDump", at, found, expected));
    }
    let kdbg = debugger_data(source, &offsets, &mut incomplete);
    let blocks = data_blocks(source, &offsets, &mut incomplete);
    let mut extra = Vec::from([Block {
        start: VirtAddr(offsets.top_of_stack),
        len: offsets.size_of_call_stack.into(),
        offset: offsets.call_stack.into(),
    }]);
    let (page, at, len) = offsets.data_page;
    extra.push(Block { start: VirtAddr(page), len: len.into(), offset: at.into() });
    if let Some(at) = candidate.header.kd_debugger_data_block.filter(|_| kdbg.is_some()) {
        let (len, offset) = (offsets.debugger_data_size.into(), offsets.debugger_data.into());
        extra.push(Block { start: at, len, offset });
    }
    let space = BlockSpace::new(source.clone(), blocks.into_iter().chain(extra));
    let copies = copies(source, &space, &offsets, kdbg.as_ref());
    let mut bounds = Bounds { source, incomplete: &mut incomplete };
    let drivers = drivers(&mut bounds, &offsets);
    let unloaded = unloaded(&mut bounds, offsets.unloaded);
    let triage = Triage {
        space: space.with(copies.blocks),
        kdbg,
        process: copies.process,
        thread: copies.thread,
        prcb: copies.prcb,
        sizes: copies.sizes,
        drivers,
        unloaded,
        size_of_dump: offsets.size_of_dump.into(),
        file_len: source.len(),
        prcb_offset: offsets.prcb.into(),
    };
    Ok(Opened { kind: DumpKind::Triage, content: Content::Triage(triage), incomplete })
}

fn debugger_data(source: &dyn ByteSource, offsets: &Offsets, incomplete: &mut Vec<Incomplete>) -> Option<Kdbg> {
    let (at, size) = (u64::from(offsets.debugger_data), offsets.debugger_data_size);
    if at == 0 || size == 0 {
        return None;
    }
    let size = u64::from(size.min(crate::kdbg::MAX_SIZE));
    let parsed = source.read_vec(at, size).map_err(|_| Absent::Truncated { offset: at });
    match parsed.and_then(|bytes| Kdbg::parse(&bytes)) {
        Ok(kdbg) => Some(kdbg),
        Err(why) => {
            let expected = "\"KDBG\" and a size of at most 0x1000";
            let block = Incomplete::new("KDDEBUGGER_DATA64", Place::File(at), why);
            incomplete.push(block.of_field("KDDEBUGGER_DATA64", "Header", why, expected));
            None
        }
    }
}

/// A table, and the field that says how many entries it has.
struct Table {
    what: &'static str,
    structure: &'static str,
    field: &'static str,
    field_at: u64,
}

impl Table {
    const fn of_header(what: &'static str, field: &'static str, offset: u64) -> Self {
        Self { what, structure: "TRIAGE_DUMP64", field, field_at: HEADER_SIZE + offset }
    }
}

/// Entries of a table that lie in the file, at most as many as claimed.
struct Bounds<'a> {
    source: &'a Arc<dyn ByteSource>,
    incomplete: &'a mut Vec<Incomplete>,
}

impl Bounds<'_> {
    fn table(&mut self, table: &Table, at: u64, claimed: u64, entry: u64) -> Vec<u8> {
        let held = self.source.len().saturating_sub(at) / entry;
        let count = claimed.min(held).min(MAX_ENTRIES);
        if count < claimed {
            let missing = Incomplete::new(
                table.what,
                Place::File(table.field_at),
                Absent::Truncated { offset: at + held * entry },
            );
            let expected = format!("at most {count}, which end in the file");
            let missing = missing.of_field(table.structure, table.field, claimed, expected);
            self.incomplete.push(missing.times(claimed - count));
        }
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
}

fn data_blocks(source: &Arc<dyn ByteSource>, offsets: &Offsets, incomplete: &mut Vec<Incomplete>) -> Vec<Block> {
    let mut bounds = Bounds { source, incomplete };
    let table = bounds.table(
        &Table::of_header("data blocks", "DataBlocksCount", 0x7c),
        offsets.blocks.into(),
        offsets.block_count.into(),
        BLOCK_ENTRY,
    );
    let parsed: IResult<&[u8], Vec<_>> = many0((le_u64, le_u32, le_u32)).parse(&table);
    let entries = parsed.map(|(_, entries)| entries).unwrap_or_default();
    let block = |(start, offset, len): (u64, u32, u32)| Block {
        start: VirtAddr(start),
        len: len.into(),
        offset: offset.into(),
    };
    entries.into_iter().map(block).collect()
}

struct Copies {
    blocks: Vec<Block>,
    process: Result<VirtAddr, Absent>,
    thread: Result<VirtAddr, Absent>,
    prcb: Result<VirtAddr, Absent>,
    sizes: CopySizes,
}

/// The copies of KPRCB, EPROCESS and ETHREAD follow each other in the file; KDBG tells where in them the addresses of
/// the thread and of its process stand.
fn copies(source: &Arc<dyn ByteSource>, space: &BlockSpace, offsets: &Offsets, kdbg: Option<&Kdbg>) -> Copies {
    let gap = |from: u32, to: u32| to.checked_sub(from).filter(|_| from != 0).map(u64::from);
    let sizes = CopySizes {
        kprcb: gap(offsets.prcb, offsets.process),
        eprocess: gap(offsets.process, offsets.thread),
        ethread: gap(offsets.thread, offsets.call_stack),
    };
    let pointer = |copy: u32, field: Option<u64>| {
        let at = u64::from(copy) + field.filter(|_| copy != 0).ok_or(Absent::AddressNotInDump)?;
        let bytes = source.read_vec(at, 8).map_err(|_| Absent::Truncated { offset: at })?;
        let address = VirtAddr(LittleEndian::read_u64(&bytes));
        if address.is_kernel() { Ok(address) } else { Err(Absent::Malformed) }
    };
    let thread = pointer(offsets.prcb, kdbg.and_then(Kdbg::offset_prcb_current_thread));
    // ApcState.Process, not Process: on an idle processor they differ.
    let process = pointer(offsets.thread, kdbg.and_then(Kdbg::offset_kthread_apc_process));
    let prcb = own_prcb(source, space, offsets, kdbg);
    let copy = |start: &Result<VirtAddr, Absent>, offset: u32, len: Option<u64>| {
        Some(Block { start: (*start).ok()?, len: len?, offset: offset.into() })
    };
    let blocks = [
        copy(&process, offsets.process, sizes.eprocess),
        copy(&thread, offsets.thread, sizes.ethread),
        copy(&prcb, offsets.prcb, sizes.kprcb),
    ];
    Copies { blocks: blocks.into_iter().flatten().collect(), process, thread, prcb, sizes }
}

/// `KiProcessorBlock[Number]`, if that array was saved.
fn own_prcb(
    source: &Arc<dyn ByteSource>,
    space: &BlockSpace,
    offsets: &Offsets,
    kdbg: Option<&Kdbg>,
) -> Result<VirtAddr, Absent> {
    let kdbg = kdbg.ok_or(Absent::AddressNotInDump)?;
    let number = kdbg.offset_prcb_number().filter(|_| offsets.prcb != 0).ok_or(Absent::AddressNotInDump)?;
    let at = u64::from(offsets.prcb) + number;
    let number = source.read_vec(at, 4).map_err(|_| Absent::Truncated { offset: at })?;
    let number = u64::from(LittleEndian::read_u32(&number));
    let block = kdbg.ki_processor_block().ok_or(Absent::AddressNotInDump)?;
    space.read_pointer(block.wrapping_add(number.wrapping_mul(8)))
}

fn drivers(bounds: &mut Bounds<'_>, offsets: &Offsets) -> Vec<TriageDriver> {
    let table = bounds.table(
        &Table::of_header("drivers", "DriverCount", 0x34),
        offsets.drivers.into(),
        offsets.driver_count.into(),
        DRIVER_ENTRY,
    );
    let entry_size = usize::try_from(DRIVER_ENTRY).unwrap_or(usize::MAX);
    let source = bounds.source;
    let driver = |entry: &[u8]| {
        let u32_at = |at: usize| entry.get(at..at + 4).map_or(0, LittleEndian::read_u32);
        let u64_at = |at: usize| entry.get(at..at + 8).map_or(0, LittleEndian::read_u64);
        TriageDriver {
            name: string(source, u32_at(0).into()),
            base: VirtAddr(u64_at(0x38)),
            entry: VirtAddr(u64_at(0x40)),
            size: u32_at(0x48).into(),
            checksum: u32_at(0x80),
            timestamp: u32_at(0x88),
        }
    };
    let drivers: Vec<_> = table.chunks_exact(entry_size).map(driver).collect();
    let unnamed = drivers.iter().filter(|driver| driver.name.is_err()).count() as u64;
    if let Some(why) = drivers.iter().find_map(|driver| driver.name.as_ref().err()) {
        bounds.incomplete.push(Incomplete::new("driver names", "string pool", *why).times(unnamed));
    }
    drivers
}

/// A string of the pool: its length in characters, then UTF-16.
fn string(source: &Arc<dyn ByteSource>, at: u64) -> Result<String, Absent> {
    let truncated = |_| Absent::Truncated { offset: at };
    let count = source.read_vec(at, 4).map(|bytes| u64::from(LittleEndian::read_u32(&bytes))).map_err(truncated)?;
    if at == 0 || count > MAX_NAME {
        return Err(Absent::Malformed);
    }
    let bytes = source.read_vec(at + 4, count * 2).map_err(truncated)?;
    Ok(crate::text::utf16(&bytes))
}

fn unloaded(bounds: &mut Bounds<'_>, at: u32) -> Vec<TriageUnloaded> {
    let at = u64::from(at);
    if at == 0 {
        return Vec::new();
    }
    let Ok(count) = bounds.source.read_vec(at, 8).map(|bytes| LittleEndian::read_u64(&bytes)) else {
        let missing = Incomplete::new("unloaded modules", Place::File(at), Absent::Truncated { offset: at });
        let expected = format!("an offset below {:#x}, the file's size", bounds.source.len());
        let found = format!("{at:#x}");
        bounds.incomplete.push(missing.of_field("TRIAGE_DUMP64", "UnloadedDriversOffset", found, expected));
        return Vec::new();
    };
    let table = bounds.table(
        &Table { what: "unloaded modules", structure: "DUMP_UNLOADED_DRIVERS", field: "Count", field_at: at },
        at + 8,
        count,
        UNLOADED_ENTRY,
    );
    let entry_size = usize::try_from(UNLOADED_ENTRY).unwrap_or(usize::MAX);
    let module = |entry: &[u8]| {
        let u64_at = |at: usize| entry.get(at..at + 8).map_or(0, LittleEndian::read_u64);
        // The name is cut at its own length, and at the twelve characters that the entry has room for.
        let length = entry.get(..2).map_or(0, LittleEndian::read_u16);
        let name = entry.get(0x10..0x28).unwrap_or_default();
        let name = name.get(..usize::from(length & !1)).unwrap_or(name);
        TriageUnloaded {
            name: crate::text::utf16_until_nul(name),
            start: VirtAddr(u64_at(0x28)),
            end: VirtAddr(u64_at(0x30)),
        }
    };
    table.chunks_exact(entry_size).map(module).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_behind_the_end_misses_what_it_claims_and_nothing_else() {
        let source: Arc<dyn ByteSource> = Arc::new(alloc::vec![0_u8; 0x100]);
        for (claimed, told) in [(0, &[][..]), (3, &[3])] {
            let mut incomplete = Vec::new();
            let mut bounds = Bounds { source: &source, incomplete: &mut incomplete };
            let table = Table::of_header("data blocks", "DataBlocksCount", 0x7c);
            assert!(bounds.table(&table, 0x200, claimed, BLOCK_ENTRY).is_empty());
            let counts: Vec<u64> = incomplete.iter().map(|missing| missing.count).collect();
            assert_eq!(counts, told, "{incomplete:?}");
        }
    }
}
