//! The page tables of each process: the root points back at itself, in the slot where System's does, and maps the kernel as
//! System's does.

use super::{Check, Exam, Severity};
use crate::absent::Absent;
use crate::address::{PAGE_BYTES, PhysAddr, VirtAddr};
use crate::incomplete::Incomplete;
use crate::memory::PagedSpace;
use crate::memory::paging::self_map_slot;
use crate::nt::process::Process;
use crate::nt::snapshot::Snapshot;
use alloc::format;

pub(super) const CHECK: Check = Check { name: "page tables", run };

fn run(exam: &mut Exam<'_>) {
    let Some(kernel) = exam.whole_kernel() else { return };
    let Some(system) = kernel.space().paged() else { return };
    let Ok(slot) = slot_of(system, system.root()) else { return };
    let processes = exam.processes();
    // A process that ended has given its page tables back.
    for process in processes.iter().filter(|process| process.exit_time() == Ok(None)) {
        let Ok(root) = process.dtb() else { continue };
        if let Some(wrong) = wrong_root(kernel, system, process, root, slot) {
            exam.tell(wrong, Severity::Medium, "memory of this process, such as its command line, cannot be read");
        }
    }
}

/// The slot of a root that points back at it; `None` if none does.
fn slot_of(space: &PagedSpace, root: PhysAddr) -> Result<Option<usize>, Absent> {
    let mut table = [0; PAGE_BYTES];
    space.physical().read_in_frame(root, &mut table)?;
    Ok(self_map_slot(&table, root))
}

fn wrong_root(
    kernel: &Snapshot,
    system: &PagedSpace,
    process: &Process,
    root: PhysAddr,
    slot: Option<usize>,
) -> Option<Incomplete> {
    let field = kernel.fields().process.eprocess.directory_table_base.ok()?;
    let at = process.eprocess().wrapping_add(field.offset.into());
    let wrong = |found: &dyn core::fmt::Display, expected: &str| {
        Some(Incomplete::wrong("_EPROCESS", "Pcb.DirectoryTableBase", at, format!("{root}, {found}"), expected))
    };
    if root.0 == 0 {
        return wrong(&"no frame", "a frame of page tables");
    }
    match slot_of(system, root) {
        // The root of a process may have been left out of the dump; the end of memory is another matter.
        Err(Absent::FrameNotInDump(pfn)) if pfn >= system.physical().end() => {
            wrong(&"behind the end of memory", "a frame of page tables")
        }
        Err(_) => None,
        Ok(own) if own != slot || own.is_none() => {
            let found = own.map_or("no slot of which points back at it".into(), |own| {
                format!("slot {own:#x} of which points back at it")
            });
            let expected =
                slot.map_or("a root".into(), |slot| format!("a root whose slot {slot:#x} points back at it"));
            wrong(&found, &expected)
        }
        Ok(_) => maps_kernel_otherwise(kernel, system, root).and_then(|other| {
            wrong(
                &format!("which maps the kernel's image to {other}"),
                "page tables that map the kernel as System's do",
            )
        }),
    }
}

/// Where page tables map the kernel's variables, if they map them elsewhere than System's.
fn maps_kernel_otherwise(kernel: &Snapshot, system: &PagedSpace, root: PhysAddr) -> Option<PhysAddr> {
    let at: VirtAddr = kernel.heads().ps_active_process_head.ok()?;
    let of_system = system.translate(at).ok()?.at;
    system.with_root(root.0).translate(at).ok().map(|found| found.at).filter(|found| *found != of_system)
}
