//! `cpus`: the processors with their registers.

use super::value::Code;
use super::{Asked, Cell, Column, Kind, TableDef, screen};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::nt::descriptor::TaskState;
use crate::nt::owner::Owners;
use crate::nt::process::Process;
use crate::nt::processor::{self, Processor};
use crate::nt::security::{KvaShadow, Security};
use crate::nt::special_registers::{self, SpecialRegisters};
use crate::nt::thread::Thread;
use crate::nt::{descriptor_table, interrupt};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A place in code and whose it is.
#[derive(Debug)]
struct Entry {
    at: Result<VirtAddr, Absent>,
    module: Result<Option<String>, Absent>,
    symbol: Result<Option<String>, Absent>,
    in_kernel: bool,
}

impl Entry {
    fn of(owners: &Owners, at: Result<VirtAddr, Absent>) -> Self {
        Self {
            at,
            module: at.and_then(|at| owners.name(at)),
            symbol: at.and_then(|at| owners.nearest_symbol(at, "Ki")),
            in_kernel: at.is_ok_and(|at| owners.is_kernel(at)),
        }
    }
}

/// A processor, and what its registers lead to.
#[derive(Debug)]
pub struct CpuRow {
    processor: Processor,
    registers: SpecialRegisters,
    lstar: Entry,
    cstar: Entry,
    idt_base: Result<VirtAddr, Absent>,
    kva_shadow: Result<KvaShadow, Absent>,
    thread: Result<Thread, Absent>,
    process: Result<Process, Absent>,
    task_state: Result<(VirtAddr, TaskState), Absent>,
    no_execute_page: Result<Option<VirtAddr>, Absent>,
    /// Whether an address outside of all modules means anything.
    modules_known: bool,
}

impl CpuRow {
    fn of(processor: Processor, owners: &Owners, security: &Security, shadow: &Result<KvaShadow, Absent>) -> Self {
        let registers = processor.registers();
        let thread = processor.current_thread();
        let process = thread.as_ref().map_err(|why| *why).and_then(|thread| {
            let process = thread.apc_process()?;
            Process::probe(processor.snapshot(), process)
        });
        Self {
            lstar: Entry::of(owners, registers.lstar),
            cstar: Entry::of(owners, registers.cstar),
            idt_base: interrupt::table_of(&processor).map(|(base, _)| base),
            kva_shadow: security.kva_shadow_by_entry(registers.lstar).or_else(|_| shadow.clone()),
            task_state: descriptor_table::task_state(&processor),
            no_execute_page: processor.no_execute_page(),
            modules_known: owners.know_modules(),
            thread,
            process,
            registers,
            processor,
        }
    }

    fn of_thread<T: Into<Cell>>(&self, get: impl FnOnce(&Thread) -> Result<T, Absent>) -> Cell {
        self.thread.as_ref().map_err(|why| *why).and_then(get).into()
    }

    fn of_process<T: Into<Cell>>(&self, get: impl FnOnce(&Process) -> Result<T, Absent>) -> Cell {
        self.process.as_ref().map_err(|why| *why).and_then(get).into()
    }

    fn of_task_state<T: Into<Cell>>(&self, get: impl FnOnce(&VirtAddr, &TaskState) -> T) -> Cell {
        self.task_state.as_ref().map(|(at, state)| get(at, state)).map_err(|why| *why).into()
    }

    fn register(&self, get: impl FnOnce(&SpecialRegisters) -> Result<u64, Absent>) -> Cell {
        get(&self.registers).map(VirtAddr).into()
    }

    fn label(&self) -> String {
        processor::label(self.processor.number())
    }
}

/// The table.
pub const CPUS: Asked<CpuRow> = Asked {
    table: TableDef {
        name: "cpus",
        about: "the processors with their control registers, descriptor tables and entries into the kernel",
        columns: COLUMNS,
        screen: &[
            screen("CPU", "number"),
            screen("PRCB", "prcb"),
            screen("PID", "current_pid"),
            screen("TID", "current_tid"),
            screen("CR0", "cr0"),
            screen("CR3", "cr3"),
            screen("CR4", "cr4"),
            screen("Features", "features"),
            screen("NX", "nx"),
            screen("KVAS", "kva_shadow"),
            screen("LSTAR", "lstar"),
            screen("Module", "lstar_module"),
            screen("Symbol", "lstar_symbol"),
            screen("IDT", "idt_base"),
            screen("GDT", "gdt_base"),
        ],
        record: false,
    },
    parameters: &[],
    rows: |dump, _| {
        let kernel = dump.kernel()?;
        let owners = Owners::of(kernel);
        let security = Security::of(kernel);
        let shadow = security.kva_shadow();
        let mut incomplete = owners.missing().to_vec();
        let processors = processor::processors_and_gaps(kernel, &mut incomplete).into_iter();
        Ok((processors.map(|processor| CpuRow::of(processor, &owners, &security, &shadow)).collect(), incomplete))
    },
    remarks,
};

/// Short for a column.
const fn column(name: &'static str, kind: Kind, about: &'static str, get: fn(&CpuRow) -> Cell) -> Column<CpuRow> {
    Column::new(name, kind, about, get)
}

const COLUMNS: &[Column<CpuRow>] = &[
    column("number", Kind::Uint, "its number", |c| c.processor.number().into()),
    column("pcr", Kind::Address, "address of its KPCR", |c| c.processor.pcr().into()),
    column("prcb", Kind::Address, "address of its KPRCB", |c| c.processor.prcb().into()),
    column("cr0", Kind::Address, "control register 0", |c| c.register(|r| r.cr0)),
    column("cr2", Kind::Address, "control register 2: address of the last page fault", |c| c.register(|r| r.cr2)),
    column("cr3", Kind::Address, "control register 3: root of page tables with flags", |c| c.register(|r| r.cr3)),
    column("cr4", Kind::Address, "control register 4", |c| c.register(|r| r.cr4)),
    column("cr8", Kind::Address, "control register 8: interrupt request level", |c| c.register(|r| r.cr8)),
    column("efer", Kind::Address, "extended features: no Windows keeps this register in its KPRCB", |_| {
        Cell::Absent(Absent::NoSuchField)
    }),
    column("lstar", Kind::Address, "where SYSCALL of 64-bit code enters the kernel", |c| c.lstar.at.into()),
    column("cstar", Kind::Address, "where SYSCALL of 32-bit code enters the kernel", |c| c.cstar.at.into()),
    column("star", Kind::Address, "segments of SYSCALL and SYSRET", |c| c.register(|r| r.star)),
    column("sfmask", Kind::Address, "flags that SYSCALL clears", |c| c.register(|r| r.sfmask)),
    column("gdt_base", Kind::Address, "base of the descriptor table: GDTR, else KPCR.GdtBase", |c| {
        c.registers.gdt_base.or_else(|why| c.processor.pcr_gdt_base().map_err(|_| why)).into()
    }),
    column("gdt_limit", Kind::Uint, "its last byte, counted from its begin", |c| {
        c.registers.gdt_limit.map(u32::from).into()
    }),
    column("idt_base", Kind::Address, "base of the interrupt table: IDTR, else KPCR.IdtBase", |c| c.idt_base.into()),
    column("idt_limit", Kind::Uint, "its last byte, counted from its begin", |c| {
        c.registers.idt_limit.map(u32::from).into()
    }),
    column("current_thread", Kind::Address, "thread that runs", |c| c.of_thread(|thread| Ok(thread.ethread()))),
    column("idle_thread", Kind::Address, "thread that runs when no other does", |c| c.processor.idle_thread().into()),
    column("features", Kind::List, "of SMEP SMAP UMIP CET PKE PCIDE FSGSBASE LA57 those that CR4 has on", |c| {
        c.registers.cr4.map(special_registers::features).into()
    }),
    column("next_thread", Kind::Address, "thread that runs next, if that is decided", |c| {
        c.processor.next_thread().into()
    }),
    column("current_tid", Kind::Uint, "id of the thread that runs", |c| c.of_thread(Thread::tid)),
    column("current_process", Kind::Address, "process whose address space that thread uses", |c| {
        c.of_process(|process| Ok(process.eprocess()))
    }),
    column("current_pid", Kind::Uint, "id of that process", |c| c.of_process(Process::pid)),
    column("current_process_name", Kind::Text, "ImageFileName of that process", |c| c.of_process(Process::name)),
    column("lstar_module", Kind::Text, "module that LSTAR leads into", |c| c.lstar.module.clone().into()),
    column("lstar_symbol", Kind::Text, "symbol there", |c| c.lstar.symbol.clone().into()),
    column("cstar_module", Kind::Text, "module that CSTAR leads into", |c| c.cstar.module.clone().into()),
    column("cstar_symbol", Kind::Text, "symbol there", |c| c.cstar.symbol.clone().into()),
    column("kva_shadow", Kind::Bool, "user mode runs on page tables of its own", |c| {
        c.kva_shadow.as_ref().map(|shadow| shadow.on).map_err(|why| *why).into()
    }),
    column("kva_shadow_evidence", Kind::Text, "what says so: MsrLStar, KiKvaShadow or UserDirectoryTableBase", |c| {
        c.kva_shadow.as_ref().map(|shadow| shadow.evidence).map_err(|why| *why).into()
    }),
    column("nx", Kind::Bool, "it obeys no-execute pages: it works with one, which it could not otherwise", |c| {
        c.no_execute_page.map(|page| page.map(|_| true)).into()
    }),
    column(
        "nx_evidence",
        Kind::Address,
        "a page that it works with and that is mapped without the right to run code",
        |c| c.no_execute_page.into(),
    ),
    column("cr0_flags", Kind::List, "bits of CR0 that are set", |c| {
        c.registers.cr0.map(special_registers::cr0_names).into()
    }),
    column("cr4_flags", Kind::List, "bits of CR4 that are set", |c| {
        c.registers.cr4.map(special_registers::cr4_names).into()
    }),
    column("xcr0", Kind::Address, "states that XSAVE may save", |c| c.register(|r| r.xcr0)),
    column("dr0", Kind::Address, "debug register 0", |c| c.register(|r| r.dr[0])),
    column("dr1", Kind::Address, "debug register 1", |c| c.register(|r| r.dr[1])),
    column("dr2", Kind::Address, "debug register 2", |c| c.register(|r| r.dr[2])),
    column("dr3", Kind::Address, "debug register 3", |c| c.register(|r| r.dr[3])),
    column("dr6", Kind::Address, "debug register 6: what breakpoint was hit", |c| c.register(|r| r.dr6)),
    column("dr7", Kind::Address, "debug register 7: what breakpoints are on", |c| c.register(|r| r.dr7)),
    column("tr", Kind::Code, "task register: selector of the task state segment", |c| selector(c.registers.tr)),
    column("ldtr", Kind::Code, "selector of a local descriptor table; Windows for x64 has none", |c| {
        selector(c.registers.ldtr)
    }),
    column("tss", Kind::Address, "the task state segment: by TR and the descriptor table", |c| {
        c.of_task_state(|at, _| *at)
    }),
    column("rsp0", Kind::Address, "stack that the processor changes to when it enters the kernel", |c| {
        c.of_task_state(|_, state| state.rsp[0])
    }),
    column("ist", Kind::Addresses, "stacks 1 to 7 of the interrupt table", |c| {
        c.of_task_state(|_, state| state.ist.iter().map(|at| at.0).collect::<Vec<_>>())
    }),
    column("gs_base", Kind::Address, "base of GS", |c| c.registers.gs_base.into()),
    column("gs_swap", Kind::Address, "base of GS after SWAPGS", |c| c.registers.gs_swap.into()),
    column("fs_base", Kind::Address, "base of FS", |c| c.registers.fs_base.into()),
    column("bpb_state", Kind::List, "BpbState: how branch predictors are kept apart", |c| {
        c.processor.bpb_state().into()
    }),
    column("bpb_features", Kind::List, "BpbFeatures: what of that is in use", |c| c.processor.bpb_features().into()),
    column("vendor", Kind::Text, "maker", |c| c.processor.vendor().into()),
    column("mhz", Kind::Uint, "clock in MHz", |c| c.processor.mhz().into()),
];

fn selector(value: Result<u16, Absent>) -> Cell {
    value.map(|value| Code(value.into())).into()
}

/// What of the registers contradicts itself, or what Windows does not do.
fn remarks(rows: &[CpuRow]) -> Vec<String> {
    let mut remarks = Vec::new();
    let unsaved = rows.iter().filter(|row| row.registers.cr0 == Err(Absent::NotSaved)).count();
    if unsaved > 0 {
        remarks.push(format!("the control registers of {unsaved} of {} processors were not saved", rows.len()));
    }
    for row in rows {
        let label = row.label();
        if row.registers.cr0.is_ok_and(|cr0| !special_registers::write_protect(cr0)) {
            remarks.push(format!("{label} has CR0.WP off: the kernel can write to pages that are not writable"));
        }
        for (name, entry) in [("LSTAR", &row.lstar), ("CSTAR", &row.cstar)] {
            if let (Ok(at), false, true) = (entry.at, entry.in_kernel, row.modules_known) {
                let module = entry.module.clone().ok().flatten();
                let module = module.map_or_else(|| "no module".into(), |name| format!("{name}, not the kernel"));
                remarks.push(format!("{label}: {name} leads to {at}, in {module}"));
            }
        }
        let register = row.registers.idt_base.ok();
        let pcr = row.processor.pcr_idt_base().ok();
        if let Some((register, pcr)) = register.zip(pcr).filter(|(register, pcr)| register != pcr) {
            remarks.push(format!("{label}: IDTR leads to {register}, KPCR.IdtBase to {pcr}"));
        }
    }
    let saved: Vec<_> =
        rows.iter().filter_map(|row| Some((row, special_registers::features(row.registers.cr4.ok()?)))).collect();
    let (Some((_, first)), true) = (saved.first(), saved.len() > 1) else { return remarks };
    let differs = saved.iter().any(|(_, features)| features != first);
    if differs {
        let each = saved.iter().map(|(row, features)| format!("{}: {}", row.label(), features.join(" ")));
        remarks.push(format!("CR4 differs between processors: {}", each.collect::<Vec<_>>().join("; ")));
    }
    remarks
}
