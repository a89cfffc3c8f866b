//! The crash: on which processor it was, in which thread and process, and with which registers.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::nt::context::Context;
use crate::nt::processor::{Processor, processors};
use crate::nt::snapshot::Snapshot;
use crate::nt::thread::Thread;

/// The crashing thread and what surrounds it.
#[derive(Clone, Debug)]
pub struct Crash {
    /// The processor that crashed.
    pub processor: Result<Processor, Absent>,
    /// The thread that ran on it.
    pub thread: Result<Thread, Absent>,
    /// The process whose address space that thread used.
    pub process: Result<VirtAddr, Absent>,
    /// The registers that the header records: of the exception, if there was one.
    pub header_context: Result<Context, Absent>,
    /// The registers at the bug check itself, where the processor's block points.
    pub bugcheck_context: Result<Context, Absent>,
}

impl Crash {
    /// The registers: those at the bug check if the dump holds them, else the header's.
    pub fn context(&self) -> Result<Context, Absent> {
        self.bugcheck_context.or(self.header_context)
    }
}

/// Finds the crash. In a triage dump the writer tells; elsewhere it is the processor whose thread owns the stack that the
/// recorded registers point into. A live dump may record none.
pub fn crash(snapshot: &Snapshot) -> Crash {
    let header = snapshot.dump().header.as_ref();
    let header_context = header.map_or(Err(Absent::NotApplicable), |header| Context::parse(&header.context));
    let processor = match snapshot.triage() {
        Some(_) => processors(snapshot).into_iter().next().ok_or(Absent::AddressNotInDump),
        None => header_context.and_then(|context| by_stack(snapshot, context.rsp)),
    };
    let of_processor = || processor.as_ref().map_err(|why| *why);
    let thread = match snapshot.triage() {
        Some(triage) => triage.thread.map(|at| Thread::at(snapshot, at)),
        None => of_processor().and_then(Processor::current_thread),
    };
    let process = match snapshot.triage() {
        Some(triage) => triage.process,
        None => thread.as_ref().map_err(|why| *why).and_then(Thread::apc_process),
    };
    let bugcheck_context = of_processor().and_then(Processor::context);
    Crash { processor, thread, process, header_context, bugcheck_context }
}

/// The processor whose thread owns a stack. One whose thread cannot be read may be it.
fn by_stack(snapshot: &Snapshot, rsp: u64) -> Result<Processor, Absent> {
    let mut why = Absent::NotApplicable;
    for processor in processors(snapshot) {
        match owns_stack(&processor, rsp) {
            Ok(true) => return Ok(processor),
            Ok(false) => {}
            Err(unread) => why = unread,
        }
    }
    Err(why)
}

fn owns_stack(processor: &Processor, rsp: u64) -> Result<bool, Absent> {
    let thread = processor.current_thread()?;
    Ok((thread.stack_limit()?.0..thread.stack_base()?.0).contains(&rsp))
}
