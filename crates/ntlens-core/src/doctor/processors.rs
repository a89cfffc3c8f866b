//! The blocks of the processors: each has the number of its place, and runs a thread.

use super::{Check, Exam, Severity, leads_nowhere};
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::kdbg::Kdbg;
use crate::memory::VirtualMemory;
use crate::nt::snapshot::Snapshot;
use alloc::collections::BTreeMap;
use alloc::format;

pub(super) const CHECK: Check = Check { name: "processors", run };

const STRUCTURE: &str = "_KPRCB";
const ARRAY: &str = "KiProcessorBlock";
/// The array has so many places.
const PLACES: u32 = 2048;

/// The place of each block in the kernel's array, and where that is.
fn slots(kernel: &Snapshot) -> BTreeMap<VirtAddr, (u32, VirtAddr)> {
    let array = kernel.kdbg().and_then(Kdbg::ki_processor_block).or_else(|| kernel.symbol(ARRAY).ok());
    let Some(array) = array else { return BTreeMap::new() };
    let slot = |index: u32| {
        let place = array.wrapping_add(u64::from(index) * 8);
        Some((kernel.space().read_pointer(place).ok()?, (index, place)))
    };
    (0..PLACES).map_while(slot).collect()
}

fn run(exam: &mut Exam<'_>) {
    let Some(kernel) = exam.whole_kernel() else { return };
    let slots = slots(kernel);
    for processor in kernel.processors() {
        let Ok(prcb) = processor.prcb() else { continue };
        let slot = slots.get(&prcb).copied();
        if let Some((index, place)) = slot.filter(|_| leads_nowhere(kernel.space(), prcb)) {
            let wrong = Incomplete::wrong(ARRAY, format!("[{index}]"), place, prcb, "the address of a block");
            exam.tell(wrong, Severity::Medium, "registers and tables of this processor are missing");
            continue;
        }
        if let (Some((index, _)), Ok(number)) = (slot, processor.number())
            && index != number
        {
            let place = kernel.place_of(STRUCTURE, prcb, "Number");
            let wrong = Incomplete::wrong(STRUCTURE, "Number", place, number, format!("{index}, its place in {ARRAY}"));
            exam.tell(wrong, Severity::Low, "tables of this processor are told under another number");
        }
        for (field, thread) in [
            ("CurrentThread", processor.current_thread().map(|thread| thread.ethread())),
            ("IdleThread", processor.idle_thread()),
        ] {
            if let Some(at) = thread.ok().filter(|at| leads_nowhere(kernel.space(), *at)) {
                let place = kernel.place_of(STRUCTURE, prcb, field);
                let wrong = Incomplete::wrong(STRUCTURE, field, place, at, "the address of a thread");
                exam.tell(wrong, Severity::Low, "what runs on this processor is not told");
            }
        }
    }
}
