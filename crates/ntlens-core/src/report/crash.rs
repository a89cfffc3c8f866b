//! `crash`: the bug check, and the processor, thread and process in which it was.

use super::value::Code;
use super::{Asked, Cell, Column, Kind, TableDef, screen};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::nt::bugcheck;
use crate::nt::context::Context;
use crate::nt::crash::Crash;
use crate::nt::owner::Owners;
use crate::nt::process::Process;
use crate::nt::processor::Processor;
use crate::nt::thread::Thread;
use crate::opened::OpenDump;
use alloc::string::String;
use alloc::vec::Vec;

/// The crash and the dump it is in.
#[derive(Debug)]
pub struct CrashRow {
    dump: OpenDump,
    crash: Crash,
    process: Result<Process, Absent>,
    /// Whose code the thread ran.
    code: Result<CodePlace, Absent>,
}

/// Where an instruction pointer points.
#[derive(Debug)]
struct CodePlace {
    module: Option<String>,
    offset: Option<u64>,
    symbol: Result<Option<String>, Absent>,
}

impl CodePlace {
    fn of(owners: &Owners, at: VirtAddr) -> Self {
        let module = owners.module(at).map(|name| String::from(&**name));
        Self { module, offset: owners.offset(at), symbol: owners.symbol(at) }
    }
}

impl CrashRow {
    fn header<T: Into<Cell>>(&self, get: impl FnOnce(&crate::dump::Header64) -> Option<T>) -> Cell {
        self.dump.dump().header.as_ref().map_or(Cell::Absent(Absent::NotApplicable), |header| get(header).into())
    }

    fn thread<T: Into<Cell>>(&self, get: impl FnOnce(&Thread) -> Result<T, Absent>) -> Cell {
        self.crash.thread.as_ref().map_err(|why| *why).and_then(get).into()
    }

    fn processor<T: Into<Cell>>(&self, get: impl FnOnce(&Processor) -> Result<T, Absent>) -> Cell {
        self.crash.processor.as_ref().map_err(|why| *why).and_then(get).into()
    }

    fn process<T: Into<Cell>>(&self, get: impl FnOnce(&Process) -> Result<T, Absent>) -> Cell {
        self.process.as_ref().map_err(|why| *why).and_then(get).into()
    }

    fn register(&self, get: fn(&Context) -> u64) -> Cell {
        self.crash.context().map(|context| VirtAddr(get(&context))).into()
    }

    /// A register that people know in hexadecimal and that is no address.
    fn selector(&self, get: fn(&Context) -> u32) -> Cell {
        self.crash.context().map(|context| Code(get(&context).into())).into()
    }

    fn code<T: Into<Cell>>(&self, get: impl FnOnce(&CodePlace) -> Result<T, Absent>) -> Cell {
        self.code.as_ref().map_err(|why| *why).and_then(get).into()
    }
}

/// The table, of one row.
pub const CRASH: Asked<CrashRow> = Asked {
    table: TableDef {
        name: "crash",
        about: "the bug check, and the processor, thread and process in which it was",
        columns: COLUMNS,
        screen: &[
            screen("Bug check", "bugcheck_code"),
            screen("Name", "bugcheck_name"),
            screen("Parameters", "bugcheck_parameters"),
            screen("Exception", "exception_code"),
            screen("Exception at", "exception_address"),
            screen("Processor", "processor"),
            screen("Process", "eprocess"),
            screen("PID", "pid"),
            screen("Name", "name"),
            screen("Protection", "protection"),
            screen("Thread", "ethread"),
            screen("TID", "tid"),
            screen("Start", "start_address"),
            screen("Win32 start", "win32_start_address"),
            screen("Stack base", "stack_base"),
            screen("Stack limit", "stack_limit"),
            screen("Registers", "context_source"),
            screen("RIP", "rip"),
            screen("Module", "rip_module"),
            screen("Symbol", "rip_symbol"),
            screen("RSP", "rsp"),
            screen("RBP", "rbp"),
            screen("RAX", "rax"),
            screen("RBX", "rbx"),
            screen("RCX", "rcx"),
            screen("RDX", "rdx"),
            screen("RSI", "rsi"),
            screen("RDI", "rdi"),
            screen("R8", "r8"),
            screen("R9", "r9"),
            screen("R10", "r10"),
            screen("R11", "r11"),
            screen("R12", "r12"),
            screen("R13", "r13"),
            screen("R14", "r14"),
            screen("R15", "r15"),
            screen("EFLAGS", "eflags"),
            screen("CR0", "cr0"),
            screen("CR2", "cr2"),
            screen("CR3", "cr3"),
            screen("CR4", "cr4"),
        ],
        record: true,
    },
    parameters: &[],
    rows: |dump, _| {
        let kernel = dump.kernel()?;
        let crash = kernel.crash();
        let process = crash.process.and_then(|at| Process::probe(kernel, at));
        let code = crash.context().map(|context| CodePlace::of(&Owners::of(kernel), VirtAddr(context.rip)));
        Ok((Vec::from([CrashRow { dump: dump.clone(), crash, process, code }]), Vec::new()))
    },
    remarks: |_| Vec::new(),
};

/// Short for a column.
const fn column(name: &'static str, kind: Kind, about: &'static str, get: fn(&CrashRow) -> Cell) -> Column<CrashRow> {
    Column::new(name, kind, about, get)
}

const COLUMNS: &[Column<CrashRow>] = &[
    column("bugcheck_code", Kind::Code, "bug check code", |c| {
        c.header(|h| h.bugcheck_code.map(|code| Code(code.into())))
    }),
    column("bugcheck_name", Kind::Text, "the code's name", |c| c.header(|h| h.bugcheck_code.and_then(bugcheck::name))),
    column("bugcheck_parameters", Kind::Addresses, "the four parameters", |c| {
        c.header(|h| h.bugcheck_parameters.into_iter().collect::<Option<Vec<u64>>>())
    }),
    column("exception_code", Kind::Code, "status code of the recorded exception", |c| {
        c.header(|h| h.exception.as_ref().map(|exception| Code(exception.code.into())))
    }),
    column("exception_address", Kind::Address, "where it was raised", |c| {
        c.header(|h| h.exception.as_ref().map(|exception| exception.address))
    }),
    column("processor", Kind::Uint, "number of the processor", |c| c.processor(Processor::number)),
    column("prcb", Kind::Address, "address of its KPRCB", |c| c.processor(Processor::prcb)),
    column("eprocess", Kind::Address, "process whose address space the thread used", |c| c.crash.process.into()),
    column("pid", Kind::Uint, "its id", |c| c.process(Process::pid)),
    column("name", Kind::Text, "its ImageFileName", |c| c.process(Process::name)),
    column("protection", Kind::Text, "its protection", |c| c.process(super::processes::protection)),
    column("ethread", Kind::Address, "the thread", |c| c.thread(|thread| Ok(thread.ethread()))),
    column("tid", Kind::Uint, "its id", |c| c.thread(Thread::tid)),
    column("thread_pid", Kind::Uint, "id of the process that the thread belongs to", |c| c.thread(Thread::pid)),
    column("start_address", Kind::Address, "where the thread starts for the kernel", |c| {
        c.thread(Thread::start_address)
    }),
    column("win32_start_address", Kind::Address, "where it starts for the program", |c| {
        c.thread(Thread::win32_start_address)
    }),
    column("teb", Kind::Address, "thread environment block", |c| c.thread(Thread::teb)),
    column("trap_frame", Kind::Address, "registers at its last entry to the kernel", |c| c.thread(Thread::trap_frame)),
    column("stack_base", Kind::Address, "highest address of its kernel stack", |c| c.thread(Thread::stack_base)),
    column("stack_limit", Kind::Address, "lowest address of its kernel stack", |c| c.thread(Thread::stack_limit)),
    column("kernel_stack", Kind::Address, "where its kernel stack was when it last ran", |c| {
        c.thread(Thread::kernel_stack)
    }),
    column("context_source", Kind::Text, "bugcheck (KPRCB.Context) or header", |c| {
        let bugcheck = c.crash.bugcheck_context.map(|_| "bugcheck");
        bugcheck.or_else(|_| c.crash.header_context.map(|_| "header")).into()
    }),
    column("rip", Kind::Address, "register", |c| c.register(|r| r.rip)),
    column("rip_module", Kind::Text, "kernel module that rip points into", |c| c.code(|at| Ok(at.module.clone()))),
    column("rip_offset", Kind::Code, "bytes from the start of that module", |c| c.code(|at| Ok(at.offset.map(Code)))),
    column("rip_symbol", Kind::Text, "symbol of the kernel that begins at rip", |c| c.code(|at| at.symbol.clone())),
    column("rsp", Kind::Address, "register", |c| c.register(|r| r.rsp)),
    column("rbp", Kind::Address, "register", |c| c.register(|r| r.rbp)),
    column("rax", Kind::Address, "register", |c| c.register(|r| r.rax)),
    column("rbx", Kind::Address, "register", |c| c.register(|r| r.rbx)),
    column("rcx", Kind::Address, "register", |c| c.register(|r| r.rcx)),
    column("rdx", Kind::Address, "register", |c| c.register(|r| r.rdx)),
    column("rsi", Kind::Address, "register", |c| c.register(|r| r.rsi)),
    column("rdi", Kind::Address, "register", |c| c.register(|r| r.rdi)),
    column("r8", Kind::Address, "register", |c| c.register(|r| r.r8)),
    column("r9", Kind::Address, "register", |c| c.register(|r| r.r9)),
    column("r10", Kind::Address, "register", |c| c.register(|r| r.r10)),
    column("r11", Kind::Address, "register", |c| c.register(|r| r.r11)),
    column("r12", Kind::Address, "register", |c| c.register(|r| r.r12)),
    column("r13", Kind::Address, "register", |c| c.register(|r| r.r13)),
    column("r14", Kind::Address, "register", |c| c.register(|r| r.r14)),
    column("r15", Kind::Address, "register", |c| c.register(|r| r.r15)),
    column("eflags", Kind::Code, "register", |c| c.selector(|r| r.eflags)),
    column("cs", Kind::Code, "register", |c| c.selector(|r| r.cs.into())),
    column("ds", Kind::Code, "register", |c| c.selector(|r| r.ds.into())),
    column("es", Kind::Code, "register", |c| c.selector(|r| r.es.into())),
    column("fs", Kind::Code, "register", |c| c.selector(|r| r.fs.into())),
    column("gs", Kind::Code, "register", |c| c.selector(|r| r.gs.into())),
    column("ss", Kind::Code, "register", |c| c.selector(|r| r.ss.into())),
    column("mxcsr", Kind::Code, "register", |c| c.selector(|r| r.mxcsr)),
    column("dr0", Kind::Address, "debug register", |c| c.register(|r| r.dr0)),
    column("dr1", Kind::Address, "debug register", |c| c.register(|r| r.dr1)),
    column("dr2", Kind::Address, "debug register", |c| c.register(|r| r.dr2)),
    column("dr3", Kind::Address, "debug register", |c| c.register(|r| r.dr3)),
    column("dr6", Kind::Code, "debug register", |c| c.crash.context().map(|r| Code(r.dr6)).into()),
    column("dr7", Kind::Code, "debug register", |c| c.crash.context().map(|r| Code(r.dr7)).into()),
    column("cr0", Kind::Address, "control register, from KPRCB", |c| c.processor(|p| p.registers().cr0.map(VirtAddr))),
    column("cr2", Kind::Address, "control register, from KPRCB", |c| c.processor(|p| p.registers().cr2.map(VirtAddr))),
    column("cr3", Kind::Address, "control register, from KPRCB", |c| c.processor(|p| p.registers().cr3.map(VirtAddr))),
    column("cr4", Kind::Address, "control register, from KPRCB", |c| c.processor(|p| p.registers().cr4.map(VirtAddr))),
];
