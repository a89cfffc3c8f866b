//! `KDDEBUGGER_DATA64` against what it describes.

use super::{Check, Exam, Severity};
use crate::address::VirtAddr;
use crate::incomplete::{Incomplete, Place};
use crate::kdbg;
use crate::memory::paging::self_map_slot;
use crate::nt::select::Origin;
use crate::nt::snapshot::Snapshot;
use alloc::format;

pub(super) const CHECK: Check = Check { name: "block for debuggers", run };

const STRUCTURE: &str = "KDDEBUGGER_DATA64";

fn run(exam: &mut Exam<'_>) {
    let Some(kernel) = exam.kernel else { return };
    let Some(block) = kernel.kdbg() else {
        let what = "the block for debuggers (KDDEBUGGER_DATA64)";
        let none = Incomplete::new(what, "kernel image", crate::absent::Absent::SymbolsNeeded);
        return exam.tell(none, Severity::Low, "the kernel's variables are known by exact symbols only");
    };
    let place =
        |offset: u64| kernel.kdbg_address().map_or(Place::Named(STRUCTURE.into()), |at| at.wrapping_add(offset).into());
    let mut expect = |field: &'static str, offset: u64, found: Option<u64>, expected: Option<u64>, severity| {
        if let (Some(found), Some(expected)) = (found, expected)
            && found != expected
        {
            let wrong =
                Incomplete::wrong(STRUCTURE, field, place(offset), format!("{found:#x}"), format!("{expected:#x}"));
            exam.tell(wrong, severity, "what the kernel itself says was used");
        }
    };
    let address = |at: Option<VirtAddr>| at.map(|at| at.0);
    let base = kernel.kernel_base().ok();
    expect("KernBase", kdbg::KERN_BASE as u64, address(block.kern_base()), address(base), Severity::Low);
    if kernel.triage().is_some() {
        return;
    }
    let heads = kernel.heads();
    for (field, offset, found, head) in [
        ("PsLoadedModuleList", 0x48, block.ps_loaded_module_list(), heads.ps_loaded_module_list),
        ("PsActiveProcessHead", 0x50, block.ps_active_process_head(), heads.ps_active_process_head),
    ] {
        expect(field, offset, address(found), head.ok().map(|at| at.0), Severity::Low);
    }
    expect("PteBase", 0x360, address(block.pte_base()), pte_base(kernel), Severity::Low);
    if kernel.selected().origin == Origin::Exact {
        let size = |name| kernel.layouts().size_of(name).ok().map(u64::from);
        for (field, offset, found, name) in [
            ("SizeEProcess", 0x2a8, block.size_eprocess(), "_EPROCESS"),
            ("SizePrcb", 0x2b0, block.size_prcb(), "_KPRCB"),
            ("SizeEThread", 0x2c0, block.size_ethread(), "_ETHREAD"),
        ] {
            expect(field, offset, found, size(name), Severity::Low);
        }
    }
}

/// Where System's page tables show themselves: the address space that the slot stands for which points back at the root.
fn pte_base(kernel: &Snapshot) -> Option<u64> {
    let space = kernel.space().paged()?;
    let mut table = [0; crate::address::PAGE_BYTES];
    space.physical().read_in_frame(space.root(), &mut table).ok()?;
    let slot = self_map_slot(&table, space.root())? as u64;
    match space.levels() {
        crate::address::PagingLevels::Four => Some(0xffff << 48 | slot << 39),
        crate::address::PagingLevels::Five => Some(0xff << 56 | slot << 48),
    }
}
