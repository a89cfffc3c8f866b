//! Threads: `ETHREAD`.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::layout::field::{Field, Scalar};
use crate::layout::view::StructView;
use crate::nt::snapshot::Snapshot;

crate::fields! {
    /// Fields of `_ETHREAD`.
    pub struct EthreadFields of "_ETHREAD" {
        /// Id of the process it belongs to.
        unique_process: Field<u64> = "Cid.UniqueProcess",
        /// Its own id.
        unique_thread: Field<u64> = "Cid.UniqueThread",
        /// Process it belongs to.
        process: Field<VirtAddr> = "Tcb.Process",
        /// Process whose address space it uses.
        apc_process: Field<VirtAddr> = "Tcb.ApcState.Process",
        /// Highest address of its kernel stack.
        stack_base: Field<VirtAddr> = "Tcb.StackBase",
        /// Lowest address of its kernel stack.
        stack_limit: Field<VirtAddr> = "Tcb.StackLimit",
        /// Where its kernel stack was when it last ran.
        kernel_stack: Field<VirtAddr> = "Tcb.KernelStack",
        /// Thread environment block, in user memory.
        teb: Field<VirtAddr> = "Tcb.Teb",
        /// Registers at its last entry to the kernel.
        trap_frame: Field<VirtAddr> = "Tcb.TrapFrame",
        /// Where it starts for the kernel.
        start_address: Field<VirtAddr> = "StartAddress",
        /// Where it starts for the program.
        win32_start_address: Field<VirtAddr> = "Win32StartAddress",
    }
}

/// One thread.
#[derive(Clone, Debug)]
pub struct Thread {
    snapshot: Snapshot,
    view: StructView,
}

impl Thread {
    /// Reads the thread at an address.
    pub(crate) fn at(snapshot: &Snapshot, ethread: VirtAddr) -> Self {
        let view = StructView::read(snapshot.space(), ethread, snapshot.fields().thread.extent);
        Self { snapshot: snapshot.clone(), view }
    }

    fn get<T: Scalar>(&self, field: impl Fn(&EthreadFields) -> &Result<Field<T>, Absent>) -> Result<T, Absent> {
        self.view.get(field(&self.snapshot.fields().thread))
    }

    /// Address of the `ETHREAD`.
    pub fn ethread(&self) -> VirtAddr {
        self.view.at
    }

    /// Id of the process it belongs to.
    pub fn pid(&self) -> Result<u64, Absent> {
        self.get(|fields| &fields.unique_process)
    }

    /// Its own id.
    pub fn tid(&self) -> Result<u64, Absent> {
        self.get(|fields| &fields.unique_thread)
    }

    /// The process it belongs to.
    pub fn process(&self) -> Result<VirtAddr, Absent> {
        self.get(|fields| &fields.process)
    }

    /// The process whose address space it uses: another one while it is attached, and on an idle processor.
    pub fn apc_process(&self) -> Result<VirtAddr, Absent> {
        self.get(|fields| &fields.apc_process)
    }

    /// Highest address of its kernel stack.
    pub fn stack_base(&self) -> Result<VirtAddr, Absent> {
        self.get(|fields| &fields.stack_base)
    }

    /// Lowest address of its kernel stack.
    pub fn stack_limit(&self) -> Result<VirtAddr, Absent> {
        self.get(|fields| &fields.stack_limit)
    }

    /// Where its kernel stack was when it last ran.
    pub fn kernel_stack(&self) -> Result<VirtAddr, Absent> {
        self.get(|fields| &fields.kernel_stack)
    }

    /// Thread environment block, in user memory; `None` for a thread of the kernel.
    pub fn teb(&self) -> Result<Option<VirtAddr>, Absent> {
        self.get(|fields| &fields.teb).map(|teb| Some(teb).filter(|teb| !teb.is_null()))
    }

    /// Registers at its last entry to the kernel.
    pub fn trap_frame(&self) -> Result<Option<VirtAddr>, Absent> {
        self.get(|fields| &fields.trap_frame).map(|frame| Some(frame).filter(|frame| !frame.is_null()))
    }

    /// Where it starts for the kernel.
    pub fn start_address(&self) -> Result<VirtAddr, Absent> {
        self.get(|fields| &fields.start_address)
    }

    /// Where it starts for the program.
    pub fn win32_start_address(&self) -> Result<VirtAddr, Absent> {
        self.get(|fields| &fields.win32_start_address)
    }
}
