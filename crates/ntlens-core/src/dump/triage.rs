//! Type 4: the small dump. Some blocks of virtual memory, copies of the crashing thread's structures, the module list.
//!
//! There is neither physical memory nor any page table. All offsets were read in real files.

mod tables;

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
const STRUCTURE: &str = "TRIAGE_DUMP64";

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
    pub(super) size_of_dump: u64,
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
    strings: u32,
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
    let (rest, (drivers, driver_count, strings, _string_size)) = (le_u32, le_u32, le_u32, le_u32).parse(rest)?;
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
        strings,
        top_of_stack,
        data_page,
        debugger_data,
        debugger_data_size,
        blocks,
        block_count,
    };
    Ok((rest, offsets))
}

/// A field of the header that is an offset in the file.
struct OffsetField {
    field: &'static str,
    /// Where the field lies in the header, and, where there is one, the field with the size or the number of what it leads to.
    at: usize,
    size_at: Option<usize>,
    /// The lowest offset that it can hold: some parts lie in `DUMP_HEADER64`.
    lowest: u64,
}

impl OffsetField {
    const fn new(field: &'static str, at: usize, size_at: Option<usize>) -> Self {
        Self { field, at, size_at, lowest: HEADER_SIZE + TRIAGE_SIZE }
    }
}

/// All of them, by the names of the public descriptions of `TRIAGE_DUMP64`.
const OFFSETS: [OffsetField; 15] = [
    OffsetField::new("ValidOffset", 0x8, None),
    OffsetField { lowest: 0, ..OffsetField::new("ContextOffset", 0xc, None) },
    OffsetField { lowest: 0, ..OffsetField::new("ExceptionOffset", 0x10, None) },
    OffsetField::new("MmOffset", 0x14, None),
    OffsetField::new("UnloadedDriversOffset", 0x18, None),
    OffsetField::new("PrcbOffset", 0x1c, None),
    OffsetField::new("ProcessOffset", 0x20, None),
    OffsetField::new("ThreadOffset", 0x24, None),
    OffsetField::new("CallStackOffset", 0x28, Some(0x2c)),
    OffsetField::new("DriverListOffset", 0x30, Some(0x34)),
    OffsetField::new("StringPoolOffset", 0x38, Some(0x3c)),
    OffsetField::new("BrokenDriverOffset", 0x40, None),
    OffsetField::new("DataPageOffset", 0x68, Some(0x6c)),
    OffsetField::new("DebuggerDataOffset", 0x70, Some(0x74)),
    OffsetField::new("DataBlocksOffset", 0x78, Some(0x7c)),
];

/// Tells the offsets that lead out of the file, or into the headers, and takes them for zero: what is not there. Where the file
/// is shorter than it says, what lies behind its end is missing and no field is wrong.
fn check_offsets(head: &mut [u8], file_len: u64, incomplete: &mut Vec<Incomplete>) {
    let word = |head: &[u8], at: usize| head.get(at..at + 4).map_or(0, LittleEndian::read_u32);
    let size_of_dump = u64::from(word(head, 4));
    for offset in &OFFSETS {
        let value = u64::from(word(head, offset.at));
        let is_used = value != 0 || offset.size_at.is_some_and(|at| word(head, at) != 0);
        if !is_used || (value != 0 && (offset.lowest..file_len).contains(&value)) {
            continue;
        }
        let expected = format!("an offset from {:#x} to {file_len:#x}, where the file ends", offset.lowest);
        let at = HEADER_SIZE + offset.at as u64;
        let wrong = Incomplete::contradiction(STRUCTURE, offset.field, at, format!("{value:#x}"), expected);
        let is_cut = (file_len..size_of_dump).contains(&value);
        incomplete.push(if is_cut { wrong.because(Absent::Truncated { offset: file_len }) } else { wrong });
        if let Some(field) = head.get_mut(offset.at..offset.at + 4) {
            field.fill(0);
        }
    }
}

fn open(candidate: &Candidate<'_>) -> Result<Opened, Error> {
    let source = candidate.source;
    let mut incomplete = Vec::new();
    let mut head = read_head(source, STRUCTURE, HEADER_SIZE, TRIAGE_SIZE)?;
    check_offsets(&mut head, source.len(), &mut incomplete);
    let offsets = parse(&head).map(|(_, offsets)| offsets).map_err(|_| Error::Malformed {
        structure: STRUCTURE,
        offset: HEADER_SIZE,
        field: "size",
        found: format!("{:#x} bytes", head.len()),
        expected: format!("{TRIAGE_SIZE:#x} bytes"),
    })?;
    if u64::from(offsets.size_of_dump) > source.len() {
        let expected = format!("at most {:#x}, the file's size", source.len());
        let found = format!("{:#x}", offsets.size_of_dump);
        let at = HEADER_SIZE + 4;
        incomplete.push(Incomplete::contradiction(STRUCTURE, "SizeOfDump", at, found, expected));
    }
    let kdbg = debugger_data(source, &offsets, &mut incomplete);
    let mut tables = tables::Tables { source, incomplete: &mut incomplete };
    let blocks = tables.data_blocks(&offsets);
    let drivers = tables.drivers(&offsets);
    let unloaded = tables.unloaded(offsets.unloaded);
    let (page, page_at, page_len) = offsets.data_page;
    let debugger_block = candidate.header.kd_debugger_data_block.filter(|_| kdbg.is_some());
    let extra = [
        (Some(VirtAddr(offsets.top_of_stack)), offsets.call_stack, offsets.size_of_call_stack),
        (Some(VirtAddr(page)), page_at, page_len),
        (debugger_block, offsets.debugger_data, offsets.debugger_data_size),
    ];
    let extra = extra
        .into_iter()
        .filter(|(_, offset, _)| *offset != 0)
        .filter_map(|(start, offset, len)| Some(Block { start: start?, len: len.into(), offset: offset.into() }));
    let space = BlockSpace::new(source.clone(), blocks.into_iter().chain(extra));
    let copies = copies(source, &space, &offsets, kdbg.as_ref());
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
