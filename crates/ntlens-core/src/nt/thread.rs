//! Threads: `ETHREAD`.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::layout::field::{Bits, Embedded, Field, Scalar};
use crate::layout::view::StructView;
use crate::nt::list::Links;
use crate::nt::snapshot::Snapshot;
use crate::nt::time::FileTime;
use alloc::format;
use alloc::string::String;

crate::fields! {
    /// Fields of `_ETHREAD`.
    pub struct EthreadFields of "_ETHREAD" {
        /// `ThreadObject` (6) of the enumeration `_KOBJECTS`.
        object_type: Field<u8> = "Tcb.Header.Type" | "Tcb.Header" | "Tcb",
        /// Links of its process's list.
        thread_list_entry: Field<Embedded> = "ThreadListEntry",
        /// A value of the enumeration `_KTHREAD_STATE`.
        state: Field<u8> = "Tcb.State",
        /// A value of the enumeration `_KWAIT_REASON`.
        wait_reason: Field<u8> = "Tcb.WaitReason",
        /// When it was created.
        create_time: Field<u64> = "CreateTime",
        /// When it ended; before, the memory has another use.
        exit_time: Field<u64> = "ExitTime",
        /// It acts for somebody else.
        active_impersonation: Bits = "ActiveImpersonationInfo",
        /// The token it acts with, and bits beside that address.
        impersonation_data: Field<u64> = "ClientSecurity.ImpersonationData" | "ClientSecurity",
        /// How far it may act.
        impersonation_level: Bits = "ClientSecurity.ImpersonationLevel",
        /// Groups that are off stay off.
        effective_only: Bits = "ClientSecurity.EffectiveOnly",
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

/// `ThreadObject` of `_KOBJECTS`.
pub(crate) const THREAD_OBJECT: u8 = 6;
/// Bits beside the address of a thread's token.
const IMPERSONATION_BITS: u64 = 7;

/// States that are the same in every Windows: symbols of Windows 7 do not define `_KTHREAD_STATE`.
const STATES: [&str; 8] =
    ["Initialized", "Ready", "Running", "Standby", "Terminated", "Waiting", "Transition", "DeferredReady"];

/// `Terminated`, of these.
const TERMINATED: u8 = 4;

/// The token with which a thread acts for somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impersonation {
    /// The token.
    pub token: VirtAddr,
    /// `SECURITY_IMPERSONATION_LEVEL`: how far it may act.
    pub level: Result<u64, Absent>,
    /// Groups and privileges that are off cannot be switched on.
    pub effective_only: Result<bool, Absent>,
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

    /// Reads an address as a thread of a process; an error if what lies there is none.
    pub(crate) fn probe(snapshot: &Snapshot, ethread: VirtAddr) -> Result<Self, Absent> {
        if !ethread.is_kernel() {
            return Err(Absent::Malformed);
        }
        let thread = Self::at(snapshot, ethread);
        if thread.get(|fields| &fields.object_type)? == THREAD_OBJECT { Ok(thread) } else { Err(Absent::Malformed) }
    }

    /// Its links in its process's list.
    pub(crate) fn links(&self) -> Result<Links, Absent> {
        let at = self.view.address_of(&self.snapshot.fields().thread.thread_list_entry)?;
        Links::read(self.snapshot.space(), at)
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

    /// When it was created.
    pub fn create_time(&self) -> Result<Option<FileTime>, Absent> {
        self.get(|fields| &fields.create_time).map(FileTime::from_windows)
    }

    /// When it ended; `None` while it has not.
    pub fn exit_time(&self) -> Result<Option<FileTime>, Absent> {
        if self.get(|fields| &fields.state)? != TERMINATED {
            return Ok(None);
        }
        self.get(|fields| &fields.exit_time).map(FileTime::from_windows)
    }

    /// What the scheduler does with it, by the names of the kernel's own enumeration.
    pub fn state(&self) -> Result<String, Absent> {
        let state = self.get(|fields| &fields.state)?;
        let known = STATES.get(usize::from(state)).map(|name| (*name).into());
        let named = self.snapshot.layouts().name_of("_KTHREAD_STATE", state.into());
        Ok(named.unwrap_or_else(|_| known.unwrap_or_else(|| format!("Unknown({state})"))))
    }

    /// What it waits for, or waited for last, by the names of the kernel's own enumeration.
    pub fn wait_reason(&self) -> Result<String, Absent> {
        let reason = self.get(|fields| &fields.wait_reason)?;
        self.snapshot.layouts().name_of("_KWAIT_REASON", reason.into())
    }

    /// The token with which it acts for somebody else; `None` while it acts for its process.
    pub fn impersonation(&self) -> Result<Option<Impersonation>, Absent> {
        let fields = &self.snapshot.fields().thread;
        if !self.view.bit(&fields.active_impersonation)? {
            return Ok(None);
        }
        let token = VirtAddr(self.view.get(&fields.impersonation_data)? & !IMPERSONATION_BITS);
        if !token.is_kernel() {
            return Err(Absent::Malformed);
        }
        let level = self.view.bits(&fields.impersonation_level);
        Ok(Some(Impersonation { token, level, effective_only: self.view.bit(&fields.effective_only) }))
    }
}
