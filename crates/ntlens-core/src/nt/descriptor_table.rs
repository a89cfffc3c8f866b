//! The global descriptor table of a processor, and the stacks of its task state segment.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::memory::VirtualMemory;
use crate::nt::descriptor::{SEGMENT_SIZE, Segment, SegmentKind, SystemKind, TSS_SIZE, TaskState};
use crate::nt::processor::{self, Processor};
use alloc::format;
use alloc::vec::Vec;

/// The table of Windows has less than twenty places; one that is as large as its register allows costs 64 KiB.
const MAX_PLACES: usize = 0x1_0000 / SEGMENT_SIZE;

/// What Windows uses the places of the table for, by their names in public headers for assembler code (`ksamd64.inc`).
const NAMES: [(u16, &str); 7] = [
    (0x10, "KGDT64_R0_CODE"),
    (0x18, "KGDT64_R0_DATA"),
    (0x20, "KGDT64_R3_CMCODE"),
    (0x28, "KGDT64_R3_DATA"),
    (0x30, "KGDT64_R3_CODE"),
    (0x40, "KGDT64_SYS_TSS"),
    (0x50, "KGDT64_R3_CMTEB"),
];

/// One descriptor of a processor's table.
#[derive(Clone, Debug)]
pub struct Descriptor {
    /// Number of the processor.
    pub processor: Result<u32, Absent>,
    /// Its place in the table, as code names it.
    pub selector: u16,
    /// The descriptor.
    pub segment: Segment,
    /// Of a task state segment, its content.
    pub task_state: Option<Result<TaskState, Absent>>,
}

impl Descriptor {
    /// What Windows uses the place for.
    pub fn name(&self) -> Option<&'static str> {
        NAMES.iter().find(|(selector, _)| *selector == self.selector).map(|(_, name)| *name)
    }
}

/// The descriptors of a processor's table that are in the dump, and what is not. Places that are all zero are left out.
pub fn descriptors(processor: &Processor) -> (Vec<Descriptor>, Vec<Incomplete>) {
    let memory = processor.snapshot().space();
    let registers = processor.registers();
    let number = processor.number();
    let what = format!("descriptors of {}", processor::label(number));
    let (base, limit) = match (registers.gdt_base, registers.gdt_limit) {
        (Ok(base), Ok(limit)) => (base, limit),
        (Err(why), _) | (_, Err(why)) => {
            let place = processor.prcb().map_or_else(|_| "KPRCB".into(), |at| format!("KPRCB {at}"));
            return (Vec::new(), Vec::from([Incomplete::new(what, place, why)]));
        }
    };
    let places = ((usize::from(limit) + 1) / SEGMENT_SIZE).min(MAX_PLACES);
    let mut bytes = alloc::vec![0; places * SEGMENT_SIZE];
    let holes = memory.read_around_holes(base, &mut bytes);
    let incomplete = Incomplete::of_holes(&what, base, &holes, SEGMENT_SIZE);
    // What is missing reads as zero, and is left out as places are that are zero.
    let (entries, _) = bytes.as_chunks::<SEGMENT_SIZE>();
    let word = |index: usize| entries.get(index).map_or(0, |entry| u64::from_le_bytes(*entry));
    let mut found = Vec::new();
    let mut index = 0;
    while index < places {
        let segment = Segment::decode(word(index), word(index + 1));
        if segment.raw == 0 {
            index += 1;
            continue;
        }
        let is_tss = matches!(segment.kind, SegmentKind::System(SystemKind::TssAvailable | SystemKind::TssBusy));
        let task_state =
            is_tss.then(|| memory.read_array::<TSS_SIZE>(segment.base).map(|bytes| TaskState::decode(&bytes)));
        let selector = u16::try_from(index * SEGMENT_SIZE).unwrap_or(u16::MAX);
        found.push(Descriptor { processor: number, selector, segment, task_state });
        index += segment.places();
    }
    (found, incomplete)
}

/// The stacks of a processor: of the task state segment that its task register names.
pub fn task_state(processor: &Processor) -> Result<(VirtAddr, TaskState), Absent> {
    let tr = processor.registers().tr?;
    let (descriptors, _) = descriptors(processor);
    // The low bits of a selector are a privilege level and the choice of the table.
    let named =
        descriptors.into_iter().find(|descriptor| descriptor.selector == tr & !7).ok_or(Absent::AddressNotInDump)?;
    let state = named.task_state.ok_or(Absent::Malformed)??;
    Ok((named.segment.base, state))
}
