//! `_KPCR` and `_KPRCB`: processors with their registers, interrupt tables and current threads.

use crate::assembly::Assembly;
use crate::physical::PAGE;
use crate::truth;

const KPCR: &str = "_KPCR";
const KPRCB: &str = "_KPRCB";
/// SMEP, SMAP, OSXSAVE, FSGSBASE and the usual lower bits.
const CR4: u64 = 0x35_0ef8;
const CR4_PCIDE: u64 = 1 << 17;
const CR4_LA57: u64 = 1 << 12;
const GDT_LIMIT: u64 = 0x57;
const IDT_LIMIT: u64 = 0xfff;

/// The routines of the first interrupt vectors.
const VECTORS: &[(u8, &str)] = &[
    (0, "KiDivideErrorFault"),
    (1, "KiDebugTrapOrFault"),
    (2, "KiNmiInterrupt"),
    (3, "KiBreakpointTrap"),
    (4, "KiOverflowTrap"),
    (5, "KiBoundFault"),
    (6, "KiInvalidOpcodeFault"),
    (7, "KiNpxNotAvailableFault"),
    (8, "KiDoubleFaultAbort"),
    (10, "KiInvalidTssFault"),
    (11, "KiSegmentNotPresentFault"),
    (12, "KiStackFault"),
    (13, "KiGeneralProtectionFault"),
    (14, "KiPageFault"),
    (16, "KiFloatingErrorFault"),
    (17, "KiAlignmentFault"),
    (18, "KiMcheckAbort"),
    (19, "KiXmmException"),
    (0x29, "KiRaiseSecurityCheckFailure"),
    (0x2d, "KiDebugServiceTrap"),
    (0x2f, "KiDpcInterrupt"),
    (0xe1, "KiIpiInterrupt"),
];

impl Assembly<'_> {
    pub(crate) fn processors(&mut self) {
        let machine = self.machine;
        let current = self.truth.processes.iter().position(|process| process.pid == machine.current);
        let current = current.expect("the current process was added");
        let thread = self.truth.processes[current].threads.first().expect("the current process has a thread").clone();
        self.truth.kernel.current_process = machine.current;
        self.truth.kernel.current_thread = thread.va;
        self.guest.at(thread.va, "_ETHREAD").put("Tcb.State", 2);
        for name in ["KeNumberProcessors", "KeNumberProcessors_0"] {
            if let Some(at) = self.symbol(name) {
                self.guest.write_u32(at, machine.processors);
            }
        }
        for number in 0..machine.processors {
            let idle = self.idle_thread(number);
            let (running, dtb) =
                if number == 0 { (thread.va, self.built[current].dtb) } else { (idle, self.guest.kernel.root * PAGE) };
            let cpu = self.processor(number, running, idle, dtb, thread.stack_base - 0x400);
            self.truth.cpus.push(cpu);
        }
    }

    fn processor(&mut self, number: u32, running: u64, idle: u64, cr3: u64, stack: u64) -> truth::Cpu {
        let size = self.guest.size_of(KPCR, 0xc000);
        let pcr = self.guest.pages(size);
        let prcb = pcr + self.guest.offset(KPCR, "Prcb").unwrap_or(0x180);
        let tables = self.guest.pages(2 * PAGE);
        let (idt, gdt, tss) = (tables, tables + PAGE, tables + PAGE + 0x100);
        self.interrupt_table(idt);
        self.descriptor_table(gdt, tss);
        let cr4 =
            CR4 | if self.machine.levels == 5 { CR4_LA57 } else { 0 } | if self.machine.pcid { CR4_PCIDE } else { 0 };
        self.guest
            .at(pcr, KPCR)
            .set("GdtBase", gdt)
            .set("TssBase", tss)
            .set("Self", pcr)
            .set("CurrentPrcb", prcb)
            .set("Used_Self", 0)
            .set("IdtBase", idt)
            .set("MajorVersion", 1)
            .set("MinorVersion", 1);
        let rip = self.code("KeBugCheckEx");
        let system_call = self.code("KiSystemCall64");
        let compatible = self.code("KiSystemCall32");
        self.guest
            .at(prcb, KPRCB)
            .set("CurrentThread", running)
            .set("IdleThread", idle)
            .set("Number", u64::from(number))
            .set("MHz", 2400)
            .set("CpuType", 6)
            .set("MxCsr", 0x1f80)
            .bytes("VendorString", b"GenuineIntel\0")
            .set("ProcessorState.SpecialRegisters.Cr0", 0x8005_0033)
            .set("ProcessorState.SpecialRegisters.Cr3", cr3)
            .set("ProcessorState.SpecialRegisters.Cr4", cr4)
            .set("ProcessorState.SpecialRegisters.KernelDr6", 0xffff_0ff0)
            .set("ProcessorState.SpecialRegisters.KernelDr7", 0x400)
            .set("ProcessorState.SpecialRegisters.Gdtr.Limit", GDT_LIMIT)
            .set("ProcessorState.SpecialRegisters.Gdtr.Base", gdt)
            .set("ProcessorState.SpecialRegisters.Idtr.Limit", IDT_LIMIT)
            .set("ProcessorState.SpecialRegisters.Idtr.Base", idt)
            .set("ProcessorState.SpecialRegisters.Tr", 0x40)
            .set("ProcessorState.SpecialRegisters.MxCsr", 0x1f80)
            .set("ProcessorState.SpecialRegisters.Cr8", 0xf)
            .set("ProcessorState.SpecialRegisters.MsrGsBase", pcr)
            .set("ProcessorState.SpecialRegisters.MsrStar", 0x0023_0010_0000_0000)
            .set("ProcessorState.SpecialRegisters.MsrLStar", system_call)
            .set("ProcessorState.SpecialRegisters.MsrCStar", compatible)
            .set("ProcessorState.SpecialRegisters.MsrSyscallMask", 0x4700)
            .set("ProcessorState.SpecialRegisters.Xcr0", 0x1f)
            .set("ProcessorState.ContextFrame.ContextFlags", 0x10_001f)
            .set("ProcessorState.ContextFrame.SegCs", 0x10)
            .set("ProcessorState.ContextFrame.SegSs", 0x18)
            .set("ProcessorState.ContextFrame.EFlags", 0x246)
            .set("ProcessorState.ContextFrame.Rip", rip)
            .set("ProcessorState.ContextFrame.Rsp", stack);
        if let Some(array) = self.symbol("KiProcessorBlock") {
            self.guest.write_u64(array + u64::from(number) * 8, prcb);
        }
        truth::Cpu { number, pcr, prcb, current_thread: running, cr3, cr4, idt, gdt }
    }

    fn interrupt_table(&mut self, idt: u64) {
        let other = self.code("KiUnexpectedInterrupt");
        for vector in 0..=255_u8 {
            let name = VECTORS.iter().find(|(known, _)| *known == vector).map(|(_, name)| *name);
            let handler = name.and_then(|name| self.symbol(name)).unwrap_or(other + u64::from(vector) * 16);
            let stack_table = match vector {
                1 => 4,
                2 => 3,
                8 => 1,
                18 => 2,
                _ => 0,
            };
            let privilege = if matches!(vector, 3 | 4 | 0x29 | 0x2d) { 3 } else { 0 };
            let mut entry = [0; 16];
            entry[..2].copy_from_slice(&(handler as u16).to_le_bytes());
            entry[2..4].copy_from_slice(&0x10_u16.to_le_bytes());
            entry[4..6].copy_from_slice(&(stack_table | 0xe << 8 | privilege << 13 | 1_u16 << 15).to_le_bytes());
            entry[6..12].copy_from_slice(&handler.to_le_bytes()[2..]);
            self.guest.write(idt + u64::from(vector) * 16, &entry);
        }
    }

    fn descriptor_table(&mut self, gdt: u64, tss: u64) {
        let limit = 0x67;
        let low = limit | (tss & 0xff_ffff) << 16 | 0x8b << 40 | (tss >> 24 & 0xff) << 56;
        for (selector, value) in [
            (0x10, 0x0020_9b00_0000_0000),
            (0x18, 0x00cf_9300_0000_ffff),
            (0x20, 0x00cf_fb00_0000_ffff),
            (0x28, 0x00cf_f300_0000_ffff),
            (0x30, 0x0020_fb00_0000_0000),
            (0x40, low),
            (0x48, tss >> 32),
            (0x50, 0x0040_f300_0000_3c00),
        ] {
            self.guest.write_u64(gdt + selector, value);
        }
    }
}
