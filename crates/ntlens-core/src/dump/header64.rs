//! `DUMP_HEADER64`: the first 0x2000 bytes of every 64-bit dump.
//!
//! The writer paints the header with the text `PAGE` before it fills anything in: a field that still holds the paint is
//! absent, never a number. Offsets are those of the public SDK header `mindumpdef.h`, confirmed on real dumps.

use super::read_head;
use crate::address::{Pfn, VirtAddr};
use crate::error::Error;
use crate::source::ByteSource;
use alloc::string::String;
use alloc::vec::Vec;
use bitflags::bitflags;
use nom::IResult;
use nom::Parser;
use nom::bytes::complete::take;
use nom::multi::count;
use nom::number::complete::{le_u8, le_u32, le_u64};

/// Bytes of the header; what follows is the data of the dump's kind.
pub const HEADER_SIZE: u64 = 0x2000;

/// The paint of unused fields.
const PAINT: u32 = u32::from_le_bytes(*b"PAGE");

/// A run list longer than this does not fit into the header.
const MAX_RUNS: u32 = 42;

bitflags! {
    /// `DUMP_FILE_ATTRIBUTES`: how the dump was written.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct Attributes: u32 {
        /// Written while resuming from hibernation.
        const HIBER_CRASH = 1 << 0;
        /// The dump device was powered off.
        const DUMP_DEVICE_POWER_OFF = 1 << 1;
        /// The dump did not fit.
        const INSUFFICIENT_DUMPFILE_SIZE = 1 << 2;
        /// A triage dump written by the kernel.
        const KERNEL_GENERATED_TRIAGE_DUMP = 1 << 3;
        /// Written from the running system.
        const LIVE_DUMP_GENERATED_DUMP = 1 << 4;
        /// Written by firmware.
        const DUMP_IS_GENERATED_OFFLINE = 1 << 5;
        /// The system left out pages it judged irrelevant: an active dump.
        const FILTER_DUMP_FILE = 1 << 6;
        /// The system crashed while it started.
        const EARLY_BOOT_CRASH = 1 << 7;
        /// Everything behind the header is encrypted.
        const ENCRYPTED_DUMP_DATA = 1 << 8;
        /// Decrypted after it was written.
        const DECRYPTED_DUMP = 1 << 9;
        const _ = !0;
    }
}

/// A run of physical memory as the header lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderRun {
    /// First frame.
    pub base: Pfn,
    /// How many frames.
    pub count: u64,
}

/// `PhysicalMemoryBlock`: the runs of physical memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhysicalMemoryBlock {
    /// How many runs the header claims.
    pub number_of_runs: u32,
    /// How many frames all runs should have.
    pub number_of_pages: u64,
    /// The runs that fit into the header.
    pub runs: Vec<HeaderRun>,
    /// What stands behind them in the header, as runs: theirs if the number of runs is wrong.
    pub behind: Vec<HeaderRun>,
}

/// The exception that the header records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionRecord {
    /// The status code.
    pub code: u32,
    /// 1 if it cannot be continued.
    pub flags: u32,
    /// Where it was raised.
    pub address: VirtAddr,
    /// Its parameters, as many as it says it has (at most 15).
    pub parameters: Vec<u64>,
}

/// The header. A field that was not filled in is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header64 {
    /// 15 for a free build of Windows, 12 for a checked one.
    pub major_version: u32,
    /// The build that the writer gives: usually that of the kernel's family (19041 for 19045).
    pub build: Option<u32>,
    /// CR3 of the processor that wrote the dump, with its flags.
    pub directory_table_base: Option<u64>,
    /// Address of the variable that points to the PFN database.
    pub pfn_database: Option<VirtAddr>,
    /// Head of the list of loaded modules.
    pub ps_loaded_module_list: Option<VirtAddr>,
    /// Head of the list of active processes.
    pub ps_active_process_head: Option<VirtAddr>,
    /// The processor: 0x8664 for x64.
    pub machine: u32,
    /// How many processors.
    pub processors: Option<u32>,
    /// Bug check code.
    pub bugcheck_code: Option<u32>,
    /// Parameters of the bug check.
    pub bugcheck_parameters: [Option<u64>; 4],
    /// Address of `KdDebuggerDataBlock`.
    pub kd_debugger_data_block: Option<VirtAddr>,
    /// Runs of physical memory.
    pub physical_memory_block: Option<PhysicalMemoryBlock>,
    /// The registers of the processor that wrote the dump (`CONTEXT`, 0x4d0 bytes), if any were recorded.
    pub context: Vec<u8>,
    /// The exception.
    pub exception: Option<ExceptionRecord>,
    /// The kind of dump as a number.
    pub dump_type: u32,
    /// Bytes that the dump needs at most.
    pub required_dump_space: Option<u64>,
    /// When the dump was written: 100 ns units since 1601, UTC.
    pub system_time: Option<u64>,
    /// How long the system had run: 100 ns units.
    pub system_up_time: Option<u64>,
    /// The writer's remark.
    pub comment: Option<String>,
    /// What a triage dump holds (`MiniDumpFields`).
    pub mini_dump_fields: Option<u32>,
    /// 1 workstation, 2 domain controller, 3 server.
    pub product_type: Option<u32>,
    /// `VER_SUITE` bits.
    pub suite_mask: Option<u32>,
    /// How the dump was written.
    pub attributes: Option<Attributes>,
    /// Number of the boot.
    pub boot_id: Option<u32>,
}

/// File offsets of fields that errors and checks name.
pub mod offsets {
    /// `MajorVersion`
    pub const MAJOR_VERSION: u64 = 0x8;
    /// `MinorVersion`
    pub const MINOR_VERSION: u64 = 0xc;
    /// `DirectoryTableBase`
    pub const DIRECTORY_TABLE_BASE: u64 = 0x10;
    /// `PsLoadedModuleList`
    pub const PS_LOADED_MODULE_LIST: u64 = 0x20;
    /// `PsActiveProcessHead`
    pub const PS_ACTIVE_PROCESS_HEAD: u64 = 0x28;
    /// `MachineImageType`
    pub const MACHINE_IMAGE_TYPE: u64 = 0x30;
    /// `NumberProcessors`
    pub const NUMBER_PROCESSORS: u64 = 0x34;
    /// `KdDebuggerDataBlock`
    pub const KD_DEBUGGER_DATA_BLOCK: u64 = 0x80;
    /// `PhysicalMemoryBlock.NumberOfRuns`
    pub const NUMBER_OF_RUNS: u64 = 0x88;
    /// `PhysicalMemoryBlock.NumberOfPages`
    pub const NUMBER_OF_PAGES: u64 = 0x90;
    /// `PhysicalMemoryBlock.Run`
    pub const RUNS: u64 = 0x98;
    /// `ContextRecord`
    pub const CONTEXT: u64 = 0x348;
    /// `DumpType`
    pub const DUMP_TYPE: u64 = 0xf98;
    /// `RequiredDumpSpace`
    pub const REQUIRED_DUMP_SPACE: u64 = 0xfa0;
    /// `SystemTime`
    pub const SYSTEM_TIME: u64 = 0xfa8;
    /// `SystemUpTime`
    pub const SYSTEM_UP_TIME: u64 = 0x1030;
    /// `Comment`
    pub const COMMENT: u64 = 0xfb0;
    /// `Attributes`
    pub const ATTRIBUTES: u64 = 0x1050;
}

impl Header64 {
    /// Reads the header; the signature has been looked at before.
    pub fn read(source: &dyn ByteSource) -> Result<Self, Error> {
        let bytes = read_head(source, "DUMP_HEADER64", 0, HEADER_SIZE)?;
        parse(&bytes).map(|(_, header)| header).map_err(|_| Error::Malformed {
            structure: "DUMP_HEADER64",
            offset: 0,
            field: "size",
            found: alloc::format!("{:#x} bytes", bytes.len()),
            expected: alloc::format!("{HEADER_SIZE:#x} bytes"),
        })
    }
}

impl Header64 {
    /// Whether registers of an x64 processor are recorded: `CONTEXT_AMD64` in `ContextFlags`.
    pub(super) fn has_x64_context(&self) -> bool {
        const AMD64: u8 = 0x10;
        // The high bytes of the flags; those of other processors and the paint of the header have others.
        matches!(self.context.get(0x32..0x34), Some([AMD64, 0]))
    }
}

fn parse(bytes: &[u8]) -> IResult<&[u8], Header64> {
    let (rest, _signature) = take(8_usize).parse(bytes)?;
    let (rest, (major_version, build)) = (le_u32, painted_u32).parse(rest)?;
    let (rest, directory_table_base) = painted_u64(rest)?;
    let (rest, (pfn_database, ps_loaded_module_list, ps_active_process_head)) =
        (address, address, address).parse(rest)?;
    let (rest, (machine, processors, bugcheck_code)) = (le_u32, painted_u32, painted_u32).parse(rest)?;
    let (rest, _) = take(4_usize).parse(rest)?;
    let (rest, [p1, p2, p3, p4]) =
        (painted_u64, painted_u64, painted_u64, painted_u64).map(<[_; 4]>::from).parse(rest)?;
    let (rest, _version_user) = take(32_usize).parse(rest)?;
    let (rest, kd_debugger_data_block) = address(rest)?;
    let (rest, block) = take(0x2bc_usize).parse(rest)?;
    let (_, physical_memory_block) = physical_memory(block)?;
    let (rest, _) = take(4_usize).parse(rest)?;
    let (rest, context) = take(0xbb8_usize).parse(rest)?;
    let (rest, exception) = take(0x98_usize).parse(rest)?;
    let (_, exception) = exception_record(exception)?;
    let (rest, dump_type) = le_u32(rest)?;
    let (rest, _) = take(4_usize).parse(rest)?;
    let (rest, (required_dump_space, system_time)) = (painted_u64, painted_u64).parse(rest)?;
    let (rest, comment) = take(0x80_usize).parse(rest)?;
    let (rest, system_up_time) = painted_u64(rest)?;
    let (rest, (mini_dump_fields, _secondary_data_state)) = (painted_u32, painted_u32).parse(rest)?;
    let (rest, (product_type, suite_mask, _writer_status)) = (painted_u32, painted_u32, painted_u32).parse(rest)?;
    let (rest, _unused) = (le_u8, le_u8, take(2_usize)).parse(rest)?;
    let (rest, (attributes, boot_id)) = (painted_u32, painted_u32).parse(rest)?;
    let header = Header64 {
        major_version,
        build,
        directory_table_base,
        pfn_database,
        ps_loaded_module_list,
        ps_active_process_head,
        machine,
        processors,
        bugcheck_code,
        bugcheck_parameters: [p1, p2, p3, p4],
        kd_debugger_data_block,
        physical_memory_block,
        context: context.get(..CONTEXT_SIZE).unwrap_or_default().into(),
        exception,
        dump_type,
        required_dump_space,
        system_time,
        system_up_time,
        comment: text(comment),
        mini_dump_fields,
        product_type,
        suite_mask,
        attributes: attributes.map(Attributes::from_bits_retain),
        boot_id,
    };
    Ok((rest, header))
}

/// Bytes of an x64 `CONTEXT`.
const CONTEXT_SIZE: usize = 0x4d0;

fn painted_u32(bytes: &[u8]) -> IResult<&[u8], Option<u32>> {
    le_u32.map(|value| (value != PAINT).then_some(value)).parse(bytes)
}

fn painted_u64(bytes: &[u8]) -> IResult<&[u8], Option<u64>> {
    let paint = u64::from(PAINT) << 32 | u64::from(PAINT);
    le_u64.map(move |value| (value != paint).then_some(value)).parse(bytes)
}

/// A pointer that is neither painted nor zero.
fn address(bytes: &[u8]) -> IResult<&[u8], Option<VirtAddr>> {
    painted_u64.map(|value| value.filter(|value| *value != 0).map(VirtAddr)).parse(bytes)
}

fn physical_memory(bytes: &[u8]) -> IResult<&[u8], Option<PhysicalMemoryBlock>> {
    let (rest, number_of_runs) = painted_u32(bytes)?;
    let (rest, _) = take(4_usize).parse(rest)?;
    let (rest, number_of_pages) = painted_u64(rest)?;
    let (Some(number_of_runs), Some(number_of_pages)) = (number_of_runs, number_of_pages) else {
        return Ok((rest, None));
    };
    let run = (le_u64, le_u64).map(|(base, count)| HeaderRun { base: Pfn(base), count });
    let (rest, mut runs) = count(run, MAX_RUNS as usize).parse(rest)?;
    let behind = runs.split_off(number_of_runs.min(MAX_RUNS) as usize);
    Ok((rest, Some(PhysicalMemoryBlock { number_of_runs, number_of_pages, runs, behind })))
}

fn exception_record(bytes: &[u8]) -> IResult<&[u8], Option<ExceptionRecord>> {
    let (rest, (code, flags, _record, address)) = (painted_u32, le_u32, le_u64, le_u64).parse(bytes)?;
    let (rest, (number, _)) = (le_u32, le_u32).parse(rest)?;
    let (rest, parameters) = count(le_u64, number.min(15) as usize).parse(rest)?;
    let record = code.map(|code| ExceptionRecord { code, flags, address: VirtAddr(address), parameters });
    Ok((rest, record))
}

/// Text up to its zero, unless it was never filled in.
pub(super) fn text(bytes: &[u8]) -> Option<String> {
    if bytes.starts_with(b"PAGE") {
        return None;
    }
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(bytes.get(..end)?).into_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    #[test]
    fn paint_is_absence() {
        let header = Header64::read(&b"PAGE".repeat(0x800)).unwrap();
        assert_eq!(header.build, None);
        assert_eq!(header.directory_table_base, None);
        assert_eq!(header.physical_memory_block, None);
        assert_eq!(header.attributes, None);
        assert_eq!(header.comment, None);
        assert_eq!(header.exception, None);
    }

    #[test]
    fn a_short_file_has_no_header() {
        let error = Header64::read(&vec![0_u8; 0x1fff]).unwrap_err();
        assert!(matches!(error, Error::Malformed { structure: "DUMP_HEADER64", field: "size", .. }), "{error}");
    }

    proptest! {
        #[test]
        fn any_header_reads_within_its_bounds(bytes in prop::collection::vec(any::<u8>(), 0x2000)) {
            let header = Header64::read(&bytes).unwrap();
            if let Some(block) = header.physical_memory_block {
                prop_assert!(block.runs.len() <= MAX_RUNS as usize);
            }
            if let Some(exception) = header.exception {
                prop_assert!(exception.parameters.len() <= 15);
            }
        }
    }
}
