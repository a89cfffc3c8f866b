//! Registers that only the kernel can read, as it saved them: `KSPECIAL_REGISTERS` inside a processor's `KPRCB`.
//!
//! The kernel saves them when a processor stops for a dump, and not all of them every time: a processor that was not
//! stopped has none, and real dumps have processors with control registers but without the MSRs. What was not saved is
//! zero there and [`Absent::NotSaved`] here, told by registers that are never zero while Windows runs. `EFER` has no place
//! in the structure, in any version of Windows.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::layout::field::Field;
use crate::layout::view::StructView;
use crate::memory::VirtualMemory;
use alloc::vec::Vec;

crate::fields! {
    /// Fields of `_KSPECIAL_REGISTERS`, by their places in `_KPRCB`.
    pub struct SpecialRegisterFields of "_KPRCB" {
        /// Control register 0.
        cr0: Field<u64> = "ProcessorState.SpecialRegisters.Cr0",
        /// Control register 2.
        cr2: Field<u64> = "ProcessorState.SpecialRegisters.Cr2",
        /// Control register 3.
        cr3: Field<u64> = "ProcessorState.SpecialRegisters.Cr3",
        /// Control register 4.
        cr4: Field<u64> = "ProcessorState.SpecialRegisters.Cr4",
        /// Control register 8.
        cr8: Field<u64> = "ProcessorState.SpecialRegisters.Cr8",
        /// Debug register 0.
        dr0: Field<u64> = "ProcessorState.SpecialRegisters.KernelDr0",
        /// Debug register 1.
        dr1: Field<u64> = "ProcessorState.SpecialRegisters.KernelDr1",
        /// Debug register 2.
        dr2: Field<u64> = "ProcessorState.SpecialRegisters.KernelDr2",
        /// Debug register 3.
        dr3: Field<u64> = "ProcessorState.SpecialRegisters.KernelDr3",
        /// Debug register 6.
        dr6: Field<u64> = "ProcessorState.SpecialRegisters.KernelDr6",
        /// Debug register 7.
        dr7: Field<u64> = "ProcessorState.SpecialRegisters.KernelDr7",
        /// Base of the descriptor table.
        gdt_base: Field<VirtAddr> = "ProcessorState.SpecialRegisters.Gdtr.Base",
        /// Last byte of the descriptor table.
        gdt_limit: Field<u16> = "ProcessorState.SpecialRegisters.Gdtr.Limit",
        /// Base of the interrupt table.
        idt_base: Field<VirtAddr> = "ProcessorState.SpecialRegisters.Idtr.Base",
        /// Last byte of the interrupt table.
        idt_limit: Field<u16> = "ProcessorState.SpecialRegisters.Idtr.Limit",
        /// Task register.
        tr: Field<u16> = "ProcessorState.SpecialRegisters.Tr",
        /// Local descriptor table register.
        ldtr: Field<u16> = "ProcessorState.SpecialRegisters.Ldtr",
        /// `IA32_GS_BASE`.
        gs_base: Field<VirtAddr> = "ProcessorState.SpecialRegisters.MsrGsBase",
        /// `IA32_KERNEL_GS_BASE`.
        gs_swap: Field<VirtAddr> = "ProcessorState.SpecialRegisters.MsrGsSwap",
        /// `IA32_STAR`.
        star: Field<u64> = "ProcessorState.SpecialRegisters.MsrStar",
        /// `IA32_LSTAR`.
        lstar: Field<VirtAddr> = "ProcessorState.SpecialRegisters.MsrLStar",
        /// `IA32_CSTAR`.
        cstar: Field<VirtAddr> = "ProcessorState.SpecialRegisters.MsrCStar",
        /// `IA32_FMASK`.
        sfmask: Field<u64> = "ProcessorState.SpecialRegisters.MsrSyscallMask",
        /// Extended control register 0.
        xcr0: Field<u64> = "ProcessorState.SpecialRegisters.Xcr0",
        /// `IA32_FS_BASE`.
        fs_base: Field<VirtAddr> = "ProcessorState.SpecialRegisters.MsrFsBase",
    }
}

/// The registers of one processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpecialRegisters {
    /// Control register 0.
    pub cr0: Result<u64, Absent>,
    /// Control register 2: the address of the last page fault.
    pub cr2: Result<u64, Absent>,
    /// Control register 3: the root of page tables, with its flags.
    pub cr3: Result<u64, Absent>,
    /// Control register 4.
    pub cr4: Result<u64, Absent>,
    /// Control register 8: the interrupt request level.
    pub cr8: Result<u64, Absent>,
    /// Debug registers 0 to 3: breakpoints.
    pub dr: [Result<u64, Absent>; 4],
    /// Debug register 6: what breakpoint was hit.
    pub dr6: Result<u64, Absent>,
    /// Debug register 7: what breakpoints are on.
    pub dr7: Result<u64, Absent>,
    /// Base of the global descriptor table.
    pub gdt_base: Result<VirtAddr, Absent>,
    /// Its last byte, counted from its begin.
    pub gdt_limit: Result<u16, Absent>,
    /// Base of the interrupt table.
    pub idt_base: Result<VirtAddr, Absent>,
    /// Its last byte, counted from its begin.
    pub idt_limit: Result<u16, Absent>,
    /// Task register: the selector of the task state segment.
    pub tr: Result<u16, Absent>,
    /// Local descriptor table register; Windows for x64 has no such table.
    pub ldtr: Result<u16, Absent>,
    /// Base of the segment GS, the `KPCR` while the kernel runs.
    pub gs_base: Result<VirtAddr, Absent>,
    /// The other base of GS, which `SWAPGS` exchanges with it.
    pub gs_swap: Result<VirtAddr, Absent>,
    /// `STAR`: the segments of `SYSCALL` and `SYSRET`.
    pub star: Result<u64, Absent>,
    /// `LSTAR`: where `SYSCALL` of 64-bit code enters the kernel.
    pub lstar: Result<VirtAddr, Absent>,
    /// `CSTAR`: where `SYSCALL` of 32-bit code does.
    pub cstar: Result<VirtAddr, Absent>,
    /// `SFMASK`: the flags that `SYSCALL` clears.
    pub sfmask: Result<u64, Absent>,
    /// Extended control register 0: what states `XSAVE` may save.
    pub xcr0: Result<u64, Absent>,
    /// Base of the segment FS.
    pub fs_base: Result<VirtAddr, Absent>,
}

/// `not_zero` decides of a group of registers whether it was saved: `Err` if it is zero. A layout that lacks it decides
/// nothing.
fn saved(not_zero: Result<u64, Absent>) -> Result<(), Absent> {
    if not_zero == Ok(0) { Err(Absent::NotSaved) } else { Ok(()) }
}

impl SpecialRegisters {
    /// Reads the registers of the processor whose `KPRCB` is at an address.
    pub(crate) fn read<M: VirtualMemory + ?Sized>(memory: &M, fields: &SpecialRegisterFields, prcb: VirtAddr) -> Self {
        let view = StructView::read(memory, prcb, fields.extent);
        let number = |field: &Result<Field<u64>, Absent>| view.get(field);
        let address = |field: &Result<Field<VirtAddr>, Absent>| view.get(field);
        let short = |field: &Result<Field<u16>, Absent>| view.get(field);
        let zero_or = |value: Result<VirtAddr, Absent>| value.map(|at| at.0);
        // Paging is on in 64-bit mode, so CR0 is never zero; no table lies at address 0; SYSCALL must lead somewhere; GS
        // is the KPCR; the lowest bit of XCR0 cannot be cleared; Windows loads a task register.
        let control = saved(number(&fields.cr0));
        let gdtr = saved(zero_or(address(&fields.gdt_base)));
        let idtr = saved(zero_or(address(&fields.idt_base)));
        let call = saved(zero_or(address(&fields.lstar)));
        let segments = saved(zero_or(address(&fields.gs_base)));
        let with = |group: Result<(), Absent>, field: &Result<Field<u64>, Absent>| group.and_then(|()| number(field));
        let at =
            |group: Result<(), Absent>, field: &Result<Field<VirtAddr>, Absent>| group.and_then(|()| address(field));
        Self {
            cr0: with(control, &fields.cr0),
            cr2: with(control, &fields.cr2),
            cr3: with(control, &fields.cr3),
            cr4: with(control, &fields.cr4),
            cr8: with(control, &fields.cr8),
            dr: [&fields.dr0, &fields.dr1, &fields.dr2, &fields.dr3].map(|field| with(control, field)),
            dr6: with(control, &fields.dr6),
            dr7: with(control, &fields.dr7),
            gdt_base: at(gdtr, &fields.gdt_base),
            gdt_limit: gdtr.and_then(|()| short(&fields.gdt_limit)),
            idt_base: at(idtr, &fields.idt_base),
            idt_limit: idtr.and_then(|()| short(&fields.idt_limit)),
            tr: short(&fields.tr).and_then(|tr| saved(Ok(tr.into())).map(|()| tr)),
            ldtr: control.and_then(|()| short(&fields.ldtr)),
            gs_base: at(segments, &fields.gs_base),
            gs_swap: at(segments, &fields.gs_swap),
            star: with(call, &fields.star),
            lstar: at(call, &fields.lstar),
            cstar: at(call, &fields.cstar),
            sfmask: with(call, &fields.sfmask),
            xcr0: number(&fields.xcr0).and_then(|xcr0| saved(Ok(xcr0)).map(|()| xcr0)),
            fs_base: at(segments, &fields.fs_base),
        }
    }
}

/// Bits of CR0 by their names in the Intel 64 manual, volume 3.
const CR0_BITS: [(u32, &str); 11] = [
    (0, "PE"),
    (1, "MP"),
    (2, "EM"),
    (3, "TS"),
    (4, "ET"),
    (5, "NE"),
    (16, "WP"),
    (18, "AM"),
    (29, "NW"),
    (30, "CD"),
    (31, "PG"),
];

/// Bits of CR4 by their names there.
const CR4_BITS: [(u32, &str); 25] = [
    (0, "VME"),
    (1, "PVI"),
    (2, "TSD"),
    (3, "DE"),
    (4, "PSE"),
    (5, "PAE"),
    (6, "MCE"),
    (7, "PGE"),
    (8, "PCE"),
    (9, "OSFXSR"),
    (10, "OSXMMEXCPT"),
    (11, "UMIP"),
    (12, "LA57"),
    (13, "VMXE"),
    (14, "SMXE"),
    (16, "FSGSBASE"),
    (17, "PCIDE"),
    (18, "OSXSAVE"),
    (19, "KL"),
    (20, "SMEP"),
    (21, "SMAP"),
    (22, "PKE"),
    (23, "CET"),
    (24, "PKS"),
    (25, "UINTR"),
];

/// What of CR4 protects, or widens addresses, in the order of the output contract.
const FEATURES: [&str; 8] = ["SMEP", "SMAP", "UMIP", "CET", "PKE", "PCIDE", "FSGSBASE", "LA57"];

fn names(value: u64, known: &[(u32, &'static str)]) -> Vec<&'static str> {
    known.iter().filter(|(bit, _)| value >> bit & 1 == 1).map(|(_, name)| *name).collect()
}

/// The names of the bits of CR0 that are set.
pub fn cr0_names(cr0: u64) -> Vec<&'static str> {
    names(cr0, &CR0_BITS)
}

/// The names of the bits of CR4 that are set.
pub fn cr4_names(cr4: u64) -> Vec<&'static str> {
    names(cr4, &CR4_BITS)
}

/// The features of the output contract that CR4 has on.
pub fn features(cr4: u64) -> Vec<&'static str> {
    let set = cr4_names(cr4);
    FEATURES.into_iter().filter(|name| set.contains(name)).collect()
}

/// `CR0.WP`: the kernel, too, cannot write to pages that are not writable.
pub const fn write_protect(cr0: u64) -> bool {
    cr0 >> 16 & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_bits_of_cr4() {
        // The value that Windows 10 has on most machines.
        assert_eq!(features(0x35_0ef8), ["SMEP", "SMAP", "UMIP", "FSGSBASE"]);
        assert_eq!(features(1 << 22 | 1 << 23 | 1 << 17 | 1 << 12), ["CET", "PKE", "PCIDE", "LA57"]);
        assert_eq!(cr4_names(0x15_06f8).last(), Some(&"SMEP"));
        assert_eq!(cr0_names(0x8005_0033), ["PE", "MP", "ET", "NE", "WP", "AM", "PG"]);
        assert!(write_protect(0x8005_0033) && !write_protect(0x8004_0033));
    }

    #[test]
    fn what_was_not_saved_is_not_zero() {
        assert_eq!(saved(Ok(0)), Err(Absent::NotSaved));
        assert_eq!([saved(Ok(1)), saved(Err(Absent::NoSuchField))], [Ok(()), Ok(())]);
    }
}
