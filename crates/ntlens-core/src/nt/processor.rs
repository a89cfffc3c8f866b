//! Processors: `KPRCB`.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::kdbg::Kdbg;
use crate::layout::field::{Field, Scalar};
use crate::memory::VirtualMemory;
use crate::nt::context::Context;
use crate::nt::snapshot::Snapshot;
use crate::nt::space::Space;
use crate::nt::thread::Thread;
use crate::text;
use alloc::string::String;
use alloc::vec::Vec;

crate::fields! {
    /// Fields of `_KPRCB`. The structure is large: its fields are read one by one.
    pub struct KprcbFields of "_KPRCB" {
        /// The thread that runs.
        current_thread: Field<VirtAddr> = "CurrentThread",
        /// The thread that runs next.
        next_thread: Field<VirtAddr> = "NextThread",
        /// The thread that runs when no other does.
        idle_thread: Field<VirtAddr> = "IdleThread",
        /// The processor's number.
        number: Field<u32> = "Number",
        /// Its clock.
        mhz: Field<u32> = "MHz",
        /// Its maker.
        vendor_string: Field<[u8; 13]> = "VendorString",
        /// Registers as the bug check recorded them.
        context: Field<VirtAddr> = "Context",
        /// Control register 0.
        cr0: Field<u64> = "ProcessorState.SpecialRegisters.Cr0",
        /// Control register 2.
        cr2: Field<u64> = "ProcessorState.SpecialRegisters.Cr2",
        /// Control register 3.
        cr3: Field<u64> = "ProcessorState.SpecialRegisters.Cr3",
        /// Control register 4.
        cr4: Field<u64> = "ProcessorState.SpecialRegisters.Cr4",
    }
}

/// One processor.
#[derive(Clone, Debug)]
pub struct Processor {
    snapshot: Snapshot,
    /// Where the control block is read; in a triage dump, a copy of it.
    memory: Space,
    at: VirtAddr,
}

/// No machine has more processors than this.
const MAX_PROCESSORS: u32 = 2048;

impl Processor {
    fn get<T: Scalar>(&self, field: impl Fn(&KprcbFields) -> &Result<Field<T>, Absent>) -> Result<T, Absent> {
        let field = (*field(&self.snapshot.fields().kprcb))?;
        let mut bytes = alloc::vec![0; T::SIZE];
        self.memory.read(self.at.wrapping_add(field.offset.into()), &mut bytes).map_err(|hole| hole.why)?;
        T::decode(&bytes).ok_or(Absent::Malformed)
    }

    /// Address of the `KPRCB`; a triage dump may hold a copy without telling where it was taken from.
    pub fn prcb(&self) -> Result<VirtAddr, Absent> {
        self.snapshot.triage().map_or(Ok(self.at), |triage| triage.prcb)
    }

    /// Its number.
    pub fn number(&self) -> Result<u32, Absent> {
        self.get(|fields| &fields.number)
    }

    /// The thread that runs on it.
    pub fn current_thread(&self) -> Result<Thread, Absent> {
        self.get(|fields| &fields.current_thread).map(|at| Thread::at(&self.snapshot, at))
    }

    /// The thread that runs next; `None` if that is not decided.
    pub fn next_thread(&self) -> Result<Option<VirtAddr>, Absent> {
        self.get(|fields| &fields.next_thread).map(|at| Some(at).filter(|at| !at.is_null()))
    }

    /// The thread that runs when no other does.
    pub fn idle_thread(&self) -> Result<VirtAddr, Absent> {
        self.get(|fields| &fields.idle_thread)
    }

    /// Its clock in MHz.
    pub fn mhz(&self) -> Result<u32, Absent> {
        self.get(|fields| &fields.mhz)
    }

    /// Its maker.
    pub fn vendor(&self) -> Result<String, Absent> {
        self.get(|fields| &fields.vendor_string).map(|vendor| text::ascii_until_nul(&vendor))
    }

    /// Control register 0.
    pub fn cr0(&self) -> Result<u64, Absent> {
        self.get(|fields| &fields.cr0)
    }

    /// Control register 2: the address of the last page fault.
    pub fn cr2(&self) -> Result<u64, Absent> {
        self.get(|fields| &fields.cr2)
    }

    /// Control register 3: the root of page tables, with its flags.
    pub fn cr3(&self) -> Result<u64, Absent> {
        self.get(|fields| &fields.cr3)
    }

    /// Control register 4.
    pub fn cr4(&self) -> Result<u64, Absent> {
        self.get(|fields| &fields.cr4)
    }

    /// Where the kernel recorded the registers at the bug check.
    pub fn context_at(&self) -> Result<VirtAddr, Absent> {
        self.get(|fields| &fields.context)
    }

    /// The registers at the bug check, where the processor's block points at them.
    pub fn context(&self) -> Result<Context, Absent> {
        Context::read(self.snapshot.space(), self.context_at()?)
    }
}

/// The processors in the order of their numbers. A triage dump holds the crashing one only.
pub fn processors(snapshot: &Snapshot) -> Vec<Processor> {
    if let Some(triage) = snapshot.triage() {
        let (memory, at) = triage.prcb_copy();
        return Vec::from([Processor { snapshot: snapshot.clone(), memory: Space::Blocks(memory), at }]);
    }
    let block = snapshot.kdbg().and_then(Kdbg::ki_processor_block).or_else(|| snapshot.symbol("KiProcessorBlock").ok());
    let Some(block) = block else { return Vec::new() };
    let count = snapshot.dump().header.as_ref().and_then(|header| header.processors).filter(|count| *count > 0);
    let count = count.unwrap_or(1).min(MAX_PROCESSORS);
    let pointer = |index: u32| snapshot.space().read_pointer(block.wrapping_add(u64::from(index) * 8)).ok();
    let blocks = (0..count).filter_map(pointer).filter(|at| at.is_kernel());
    blocks.map(|at| Processor { snapshot: snapshot.clone(), memory: snapshot.space().clone(), at }).collect()
}
