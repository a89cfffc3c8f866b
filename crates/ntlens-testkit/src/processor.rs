//! `_KPCR` and `_KPRCB`: processors with their registers, interrupt tables and current threads.

use crate::assembly::Assembly;
use crate::physical::PAGE;
use crate::pool::PoolKind;
use crate::truth;

const KPCR: &str = "_KPCR";
const KPRCB: &str = "_KPRCB";
const KINTERRUPT: &str = "_KINTERRUPT";
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
        self.truth.no_module = self.guest.pages(PAGE);
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
        let objects = self.interrupt_objects(number, prcb);
        let handlers = self.interrupt_table(number, idt, &objects);
        let stacks = self.descriptor_table(gdt, tss);
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
        let entry = if self.machine.kva_shadow { "KiSystemCall64Shadow" } else { "KiSystemCall64" };
        let system_call = self.code(entry);
        let compatible = self.code("KiSystemCall32");
        let saved = !self.machine.unsaved.contains(&number);
        self.guest
            .at(prcb, KPRCB)
            .set("CurrentThread", running)
            .set("IdleThread", idle)
            .set("Number", u64::from(number))
            .set("MHz", 2400)
            .set("CpuType", 6)
            .set("MxCsr", 0x1f80)
            .bytes("VendorString", b"GenuineIntel\0");
        let truth = truth::Cpu {
            number,
            pcr,
            prcb,
            current_thread: running,
            cr3,
            cr4,
            idt,
            gdt,
            tss,
            stacks,
            lstar: system_call,
            saved,
            handlers,
        };
        self.processor_block(number, prcb);
        if !saved {
            return truth::Cpu { cr3: 0, cr4: 0, lstar: 0, ..truth };
        }
        self.guest
            .at(prcb, KPRCB)
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
        truth
    }

    fn processor_block(&mut self, number: u32, prcb: u64) {
        if let Some(array) = self.symbol("KiProcessorBlock") {
            self.guest.write_u64(array + u64::from(number) * 8, prcb);
        }
    }

    /// Writes the objects of devices' interrupts; the first of each vector is reached through the processor's array.
    fn interrupt_objects(&mut self, number: u32, prcb: u64) -> Vec<(u8, u64)> {
        let kernel = self.guest.kernel;
        let mut first: Vec<(u8, u64)> = Vec::new();
        let array = self.guest.offset(KPRCB, "InterruptObject");
        let size = self.guest.size_of(KINTERRUPT, 0x100);
        for (spec, index) in self.machine.interrupts.iter().zip(0..) {
            let object = self.guest.alloc(PoolKind::NonPaged, size, *b"KInt");
            let module = self.truth.modules.iter().find(|module| module.name == spec.module).expect("a loaded module");
            let routine = module.base + 0x1000 + index * 0x40;
            let kernels = self.plan.kernel + 0x1_8000;
            let (direct, message) = if spec.message { (kernels, routine) } else { (routine, 0) };
            self.guest
                .at(object, KINTERRUPT)
                .set("Type", 22)
                .set("Size", size)
                .ring("InterruptListEntry")
                .set("ServiceRoutine", direct)
                .set("MessageServiceRoutine", message)
                .set("Vector", spec.vector.into())
                .set("Irql", u64::from(spec.vector >> 4))
                .set("Number", number.into())
                .set("Connected", 1);
            let links = self.guest.offset(KINTERRUPT, "InterruptListEntry").expect("a list of shared vectors");
            let head = first.iter().find(|(vector, _)| *vector == spec.vector).map(|(_, head)| *head);
            if let Some(head) = head {
                self.guest.append(kernel, head + links, object + links);
            } else {
                first.push((spec.vector, object));
                if let Some(array) = array {
                    self.guest.write_u64(prcb + array + u64::from(spec.vector) * 8, object);
                }
            }
            let (vector, module) = (spec.vector, spec.module.clone());
            self.truth.interrupts.push(truth::Interrupt { processor: number, vector, object, routine, module });
        }
        first
    }

    fn interrupt_table(&mut self, number: u32, idt: u64, objects: &[(u8, u64)]) -> Vec<truth::Handler> {
        let other = self.code("KiUnexpectedInterrupt");
        let shadow = if self.machine.kva_shadow { "Shadow" } else { "" };
        let mut handlers = Vec::new();
        for vector in 0..=255_u8 {
            let name = VECTORS.iter().find(|(known, _)| *known == vector).map(|(_, name)| *name);
            let name = name.map(|name| format!("{name}{shadow}"));
            let handler = name.and_then(|name| self.symbol(&name)).unwrap_or(other + u64::from(vector) * 16);
            // Kernels that dispatch inside of the object lead there.
            let code = self.guest.offset(KINTERRUPT, "DispatchCode");
            let object =
                objects.iter().find(|(of, _)| *of == vector).zip(code).map(|((_, object), code)| object + code);
            let hooked = self.machine.hooked_vectors.contains(&(number, vector));
            let handler = if hooked { self.truth.no_module + u64::from(vector) } else { object.unwrap_or(handler) };
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
            let (ist, dpl) = (stack_table as u8, privilege as u8);
            handlers.push(truth::Handler { address: handler, ist, dpl, hooked });
        }
        handlers
    }

    /// Writes the segments and the task state segment; the stacks of the latter.
    fn descriptor_table(&mut self, gdt: u64, tss: u64) -> Vec<u64> {
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
        let stacks: Vec<u64> = (1..=5).map(|number| tss + number * 0x4000 - 0x50).collect();
        for (stack, at) in stacks.iter().zip([0x4, 0x24, 0x2c, 0x34, 0x3c]) {
            self.guest.write_u64(tss + at, *stack);
        }
        self.guest.write(tss + 0x66, &0x68_u16.to_le_bytes());
        stacks
    }
}
