//! Processors: KDBG names the fields, and each must hold what it should.

use super::Evidence;
use super::found::{At, Found};
use super::threads::THREAD_OBJECT;
use super::votes::{Votes, Weight};
use crate::address::VirtAddr;
use crate::kdbg::Kdbg;
use crate::memory::VirtualMemory;
use crate::nt::space::Space;
use alloc::format;
use alloc::vec::Vec;

/// Bits of CR0 (paging, protection) and CR4 (physical address extension) that every processor with x64 Windows has.
const CR0: u64 = 0x8000_0001;
const CR4: u64 = 0x20;
/// Offsets in `_KSPECIAL_REGISTERS`, the same in every version of Windows for x64.
const REGISTERS: [(&str, u32); 4] = [
    ("ProcessorState.SpecialRegisters.Cr0", 0),
    ("ProcessorState.SpecialRegisters.Cr2", 8),
    ("ProcessorState.SpecialRegisters.Cr3", 0x10),
    ("ProcessorState.SpecialRegisters.Cr4", 0x18),
];
/// `CONTEXT.ContextFlags` (public header `winnt.h`) and its mark of x64.
const CONTEXT_FLAGS: u64 = 0x30;
const CONTEXT_AMD64: u32 = 0x10_0000;
const CONTEXT_KIND: u32 = 0x0fff_0000;
/// Clocks that a processor can have, in MHz.
const CLOCKS: core::ops::Range<u32> = 100..20_000;
/// So many processors are looked at.
const MAX: u64 = 256;

pub(super) fn find(evidence: &Evidence<'_>, found: &mut Found) {
    let Some(kdbg) = evidence.kdbg else { return };
    // The array is larger than the machine: it ends with a place that is empty.
    let block = |index: u64| {
        let at = evidence.space.read_pointer(kdbg.ki_processor_block()?.wrapping_add(index * 8)).ok()?;
        at.is_kernel().then_some(at)
    };
    let blocks: Vec<VirtAddr> = (0..MAX).map_while(block).collect();
    let space = Space::Paged(evidence.space.clone());
    let is_root = |cr3: u64| evidence.space.with_root(cr3).has_self_map();
    find_in(kdbg, &Memory { blocks: &space, others: &space }, &blocks, &is_root, found);
}

/// Where the blocks are read, and where what they point at is.
pub(super) struct Memory<'a> {
    pub(super) blocks: &'a Space,
    pub(super) others: &'a Space,
}

/// As [`find`], of some blocks.
pub(super) fn find_in(
    kdbg: &Kdbg,
    memory: &Memory<'_>,
    blocks: &[VirtAddr],
    is_root: &dyn Fn(u64) -> bool,
    found: &mut Found,
) {
    let offset = |offset: Option<u64>| offset.and_then(|offset| u32::try_from(offset).ok());
    let word = |at: VirtAddr, offset: u32| memory.blocks.read_u64(at.wrapping_add(offset.into())).ok();
    let count = |opinion: &dyn Fn(VirtAddr) -> Option<bool>| Votes::count(blocks.iter().map(|at| opinion(*at)));
    let mut add = |field, at: Option<u32>, what: &str, opinion: &dyn Fn(VirtAddr, u32) -> Option<bool>| {
        let Some(at) = at else { return };
        let votes = count(&|block| opinion(block, at));
        let text = format!("KDBG names it; {what} of {} of {} processors", votes.good, votes.all());
        found.add(At::new("_KPRCB", field, at), votes, Weight::Exact, text);
    };
    let is_thread = |block: VirtAddr, at: u32| {
        let thread = VirtAddr(word(block, at)?);
        Some(thread.is_kernel() && memory.others.read_array::<1>(thread).ok()? == [THREAD_OBJECT])
    };
    // One zero proves nothing.
    let number = offset(kdbg.offset_prcb_number()).filter(|_| blocks.len() > 1);
    add("Number", number, "the number", &|block, at| {
        let index = blocks.iter().position(|other| *other == block)?;
        Some(usize::try_from(memory.blocks.read_u32(block.wrapping_add(at.into())).ok()?).ok()? == index)
    });
    add("CurrentThread", offset(kdbg.offset_prcb_current_thread()), "a thread", &is_thread);
    add("IdleThread", offset(kdbg.offset_prcb_idle_thread()), "a thread", &is_thread);
    add("MHz", offset(kdbg.offset_prcb_mhz()), "a clock", &|block, at| {
        memory.blocks.read_u32(block.wrapping_add(at.into())).ok().map(|clock| CLOCKS.contains(&clock))
    });
    add("VendorString", offset(kdbg.offset_prcb_vendor_string()), "a maker's name", &|block, at| {
        let name = memory.blocks.read_array::<13>(block.wrapping_add(at.into())).ok()?;
        let (text, end) = name.split_at(12);
        Some(text.iter().all(|byte| (b' '..=b'~').contains(byte)) && end == [0])
    });
    add("Context", offset(kdbg.offset_prcb_context()), "recorded registers", &|block, at| {
        let context = VirtAddr(word(block, at)?);
        // A processor on which nothing happened has recorded nothing.
        let flags = memory.others.read_u32(context.wrapping_add(CONTEXT_FLAGS)).ok().filter(|flags| *flags != 0)?;
        Some(context.is_kernel() && flags & CONTEXT_KIND == CONTEXT_AMD64)
    });
    let special = offset(kdbg.offset_prcb_special_registers());
    let registers = |block: VirtAddr, special: u32| {
        let (cr0, cr3, cr4) = (word(block, special)?, word(block, special + 0x10)?, word(block, special + 0x18)?);
        let flags = cr0 & CR0 == CR0 && cr4 & CR4 == CR4 && (cr0 | cr4) >> 32 == 0;
        Some(flags && is_root(cr3))
    };
    for (field, inside) in REGISTERS {
        let at = special.map(|special| special + inside);
        add(field, at, "control registers", &|block, at| registers(block, at - inside));
    }
    if let Some(special) = special {
        found.inside("_KPRCB", "ProcessorState", special);
        found.inside("_KPRCB", "ProcessorState.SpecialRegisters", special);
    }
}
