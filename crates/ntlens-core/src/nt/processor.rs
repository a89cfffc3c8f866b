//! Processors: `KPRCB`.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::kdbg::Kdbg;
use crate::layout::Layouts;
use crate::layout::field::{Embedded, Field, Flags, Scalar};
use crate::memory::VirtualMemory;
use crate::memory::paging::Residence;
use crate::nt::context::Context;
use crate::nt::interrupt::InterruptFields;
use crate::nt::snapshot::Snapshot;
use crate::nt::space::Space;
use crate::nt::special_registers::{SpecialRegisterFields, SpecialRegisters};
use crate::nt::thread::Thread;
use crate::text;
use alloc::format;
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
        /// Objects of the interrupts that are connected: an array of pointers by vector.
        interrupt_object: Field<Embedded> = "InterruptObject",
        /// How the kernel keeps branch predictors apart (`BpbState` and its bits).
        bpb_state: Field<u8> = "BpbState",
        /// Names of the bits of `BpbState`.
        bpb_state_names: Flags = "BpbState",
        /// What of that is in use.
        bpb_features: Field<u8> = "BpbFeatures",
        /// Names of the bits of `BpbFeatures`.
        bpb_features_names: Flags = "BpbFeatures",
    }
}

crate::fields! {
    /// Fields of `_KPCR`, the block around the `KPRCB`.
    pub struct KpcrFields of "_KPCR" {
        /// Base of the global descriptor table.
        gdt_base: Field<VirtAddr> = "GdtBase",
        /// The task state segment.
        tss_base: Field<VirtAddr> = "TssBase",
        /// Base of the interrupt table.
        idt_base: Field<VirtAddr> = "IdtBase",
    }
}

/// The structures of processors.
#[derive(Clone, Debug)]
pub struct ProcessorFields {
    pub(crate) kprcb: KprcbFields,
    pub(crate) kpcr: KpcrFields,
    pub(crate) registers: SpecialRegisterFields,
    pub(crate) interrupt: InterruptFields,
}

impl ProcessorFields {
    /// Takes the fields from the layouts.
    pub fn resolve(layouts: &Layouts) -> Self {
        Self {
            kprcb: KprcbFields::resolve(layouts),
            kpcr: KpcrFields::resolve(layouts),
            registers: SpecialRegisterFields::resolve(layouts),
            interrupt: InterruptFields::resolve(layouts),
        }
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

/// Where the `KPRCB` lies in the `KPCR`: `PcPrcb` of the public header `ksamd64.inc`. Every driver for x64 has it compiled
/// in, for it finds its thread at `gs:[188h]`.
const PRCB_IN_PCR: u64 = 0x180;

/// No machine has more processors than this.
const MAX_PROCESSORS: u32 = 2048;

impl Processor {
    fn get<T: Scalar>(&self, field: impl Fn(&KprcbFields) -> &Result<Field<T>, Absent>) -> Result<T, Absent> {
        let field = (*field(&self.snapshot.fields().processor.kprcb))?;
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

    /// Control registers, segment and debug registers and MSRs, as the kernel saved them.
    pub fn registers(&self) -> SpecialRegisters {
        SpecialRegisters::read(&self.memory, &self.snapshot.fields().processor.registers, self.at)
    }

    /// Address of the `KPCR`, which the `KPRCB` is a part of.
    pub fn pcr(&self) -> Result<VirtAddr, Absent> {
        self.prcb().map(|prcb| prcb.wrapping_sub(PRCB_IN_PCR))
    }

    fn of_pcr(&self, field: &Result<Field<VirtAddr>, Absent>) -> Result<VirtAddr, Absent> {
        let at = self.pcr()?.wrapping_add((*field)?.offset.into());
        self.snapshot.space().read_pointer(at)
    }

    /// Base of the global descriptor table as `KPCR.GdtBase` tells it.
    pub fn pcr_gdt_base(&self) -> Result<VirtAddr, Absent> {
        self.of_pcr(&self.snapshot.fields().processor.kpcr.gdt_base)
    }

    /// Base of the interrupt table as `KPCR.IdtBase` tells it.
    pub fn pcr_idt_base(&self) -> Result<VirtAddr, Absent> {
        self.of_pcr(&self.snapshot.fields().processor.kpcr.idt_base)
    }

    /// The task state segment (`KPCR.TssBase`).
    pub fn tss_base(&self) -> Result<VirtAddr, Absent> {
        self.of_pcr(&self.snapshot.fields().processor.kpcr.tss_base)
    }

    /// The kernel it is of.
    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Where the block itself is read; in a triage dump, from the copy of it.
    pub(crate) fn memory(&self) -> &Space {
        &self.memory
    }

    /// Where the array of interrupt objects is, one pointer for each vector.
    pub(crate) fn interrupt_objects(&self) -> Result<VirtAddr, Absent> {
        let field = self.snapshot.fields().processor.kprcb.interrupt_object?;
        Ok(self.at.wrapping_add(field.offset.into()))
    }

    fn named_byte(
        &self,
        value: impl Fn(&KprcbFields) -> &Result<Field<u8>, Absent>,
        names: impl Fn(&KprcbFields) -> &Result<Flags, Absent>,
    ) -> Result<Vec<String>, Absent> {
        let names = names(&self.snapshot.fields().processor.kprcb).as_ref().map_err(|why| *why)?;
        Ok(names.names(self.get(value)?))
    }

    /// How branch predictors are kept apart: the bits of `BpbState` by their Windows names.
    pub fn bpb_state(&self) -> Result<Vec<String>, Absent> {
        self.named_byte(|fields| &fields.bpb_state, |fields| &fields.bpb_state_names)
    }

    /// What of that is in use: the bits of `BpbFeatures` by their Windows names.
    pub fn bpb_features(&self) -> Result<Vec<String>, Absent> {
        self.named_byte(|fields| &fields.bpb_features, |fields| &fields.bpb_features_names)
    }

    /// A page that the kernel mapped without the right to run code and that this processor works with. Only a processor
    /// whose `EFER.NXE` is set can use such a page: the bit is reserved otherwise, and every access would fault. `None`
    /// says nothing about the processor.
    pub fn no_execute_page(&self) -> Result<Option<VirtAddr>, Absent> {
        let space = self.snapshot.space().paged().ok_or(Absent::AddressNotInDump)?;
        let thread = self.current_thread();
        let stack = thread.as_ref().map_err(|why| *why).and_then(|thread| Ok(thread.stack_base()?.wrapping_sub(1)));
        let pages = [self.prcb(), thread.map(|thread| thread.ethread()), stack];
        let is_mapped_so = |at: &VirtAddr| {
            space.translate(*at).is_ok_and(|found| found.residence == Residence::Mapped && !found.rights.execute)
        };
        Ok(pages.into_iter().flatten().find(is_mapped_so))
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

/// A processor in words, by its number: `processor 2`.
pub(crate) fn label(number: Result<u32, Absent>) -> String {
    number.map_or_else(|why| format!("processor without a number ({why})"), |number| format!("processor {number}"))
}

/// The processors in the order of their numbers. A triage dump holds the crashing one only.
pub fn processors(snapshot: &Snapshot) -> Vec<Processor> {
    processors_and_gaps(snapshot, &mut Vec::new())
}

/// The same, with those that should be there and are not.
pub(crate) fn processors_and_gaps(snapshot: &Snapshot, incomplete: &mut Vec<Incomplete>) -> Vec<Processor> {
    if let Some(triage) = snapshot.triage() {
        let (memory, at) = triage.prcb_copy();
        return Vec::from([Processor { snapshot: snapshot.clone(), memory: Space::Blocks(memory), at }]);
    }
    let block = snapshot.kdbg().and_then(Kdbg::ki_processor_block).or_else(|| snapshot.symbol("KiProcessorBlock").ok());
    let Some(block) = block else { return Vec::new() };
    let count = snapshot.dump().header.as_ref().and_then(|header| header.processors).filter(|count| *count > 0);
    if let Some(more) = count.and_then(|count| count.checked_sub(MAX_PROCESSORS)).filter(|more| *more > 0) {
        incomplete.push(Incomplete::beyond("processors", block, MAX_PROCESSORS).times(more.into()));
    }
    let pointer = |index: u32| {
        let at = block.wrapping_add(u64::from(index) * 8);
        let found = snapshot.space().read_pointer(at);
        if let Some(why) = found.err().filter(|why| count.is_some() || why.is_lost()) {
            Incomplete::new("processors", at, why).add_to(incomplete);
        }
        found.ok()
    };
    let pointers = (0..count.unwrap_or(MAX_PROCESSORS).min(MAX_PROCESSORS)).map(pointer);
    // Where no header says how many there are, the array does: it ends with a place that is empty.
    let is_end = |at: &Option<VirtAddr>| count.is_none() && at.is_none_or(|at| !at.is_kernel());
    let blocks = pointers.take_while(|at| !is_end(at)).flatten().filter(|at| at.is_kernel());
    blocks.map(|at| Processor { snapshot: snapshot.clone(), memory: snapshot.space().clone(), at }).collect()
}
