//! What a triage dump tells of the layout: it has one process, one thread and one processor, so that only what KDBG or the
//! header confirms is known.

use super::body::{Body, is_list_entry};
use super::found::{At, Found};
use super::ids::is_id;
use super::peb::{NEAR, is_page_of_user};
use super::population::{DTB, THREAD_LIST};
use super::processors::{self, Memory};
use super::threads::{APC_STATE_PROCESS, THREAD_OBJECT};
use crate::address::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::dump::Triage;
use crate::nt::process::PROCESS_OBJECT;
use crate::nt::space::Space;
use alloc::string::String;

/// No structure that is looked at is larger.
const MAX_EXTENT: u64 = 0x2000;
/// How sure a single witness makes.
const ONE_WITNESS: f32 = 0.9;

/// Finds out what can be established; `None` if not even the process's page tables are found.
pub(crate) fn infer(triage: &Triage, dtb: Option<PhysAddr>, stack: Option<u64>) -> Option<super::Inferred> {
    let kdbg = triage.kdbg.as_ref()?;
    let memory = Space::Blocks(triage.space.clone());
    let mut found = Found::default();
    // Behind a copy lies nothing: a read that goes further would miss the copy's end with it.
    let extent = |copy: Option<u64>, size: Option<u64>| u32::try_from(copy.or(size)?.min(MAX_EXTENT)).ok();
    let process = Body::read(&memory, triage.process.ok()?, extent(triage.sizes.eprocess, kdbg.size_eprocess())?);
    let shape = process.u8(0)? == PROCESS_OBJECT
        && [8, 0x18, THREAD_LIST].into_iter().all(|list| {
            let at = process.at.wrapping_add(list.into());
            is_list_entry(&memory, at, process.u64(list), process.u64(list + 8)) == Some(true)
        });
    let root = process.u64(DTB).map(PhysAddr::from_cr3).filter(|root| root.0 != 0);
    if !shape || root != dtb || root.is_none() || kdbg.offset_eprocess_directory_table_base() != Some(DTB.into()) {
        return None;
    }
    let mut add = |at: At, evidence: &str| found.add_sure(at, ONE_WITNESS, String::from(evidence));
    add(At::eprocess("Pcb.Header.Type", 0), "3 where the crashing thread says that its process is");
    add(At::eprocess("Pcb.DirectoryTableBase", DTB), "KDBG names it; the same as the header's");
    let declared = |offset: Option<u64>| offset.and_then(|at| u32::try_from(at).ok());
    if let Some(at) = declared(kdbg.offset_eprocess_parent_cid())
        && process.u64(at).is_some_and(is_id)
    {
        add(At::eprocess("InheritedFromUniqueProcessId", at), "KDBG names it; the id of a process");
    }
    if let (Ok(thread), Some(extent)) = (triage.thread, extent(triage.sizes.ethread, kdbg.size_ethread())) {
        let thread = Body::read(&memory, thread, extent);
        let word = |at: Option<u64>| Some((declared(at)?, thread.u64(declared(at)?)?));
        let apc = word(kdbg.offset_kthread_apc_process()).filter(|(_, at)| VirtAddr(*at) == process.at);
        if let Some((apc, _)) = apc.filter(|_| thread.u8(0) == Some(THREAD_OBJECT)) {
            add(At::new("_ETHREAD", "Tcb.ApcState.Process", apc), "KDBG names it; leads to a process");
            let peb = declared(kdbg.offset_eprocess_peb()).and_then(|at| Some((at, process.u64(at)?)));
            if let (Some((teb_at, teb)), Some((peb_at, peb))) = (word(kdbg.offset_kthread_teb()), peb)
                && is_page_of_user(teb)
                && is_page_of_user(peb)
                && teb != peb
                && teb.abs_diff(peb) < NEAR
            {
                add(At::eprocess("Peb", peb_at), "KDBG names it; a page of user memory near the thread's");
                add(At::new("_ETHREAD", "Tcb.Teb", teb_at), "KDBG names it; a page of user memory near the process's");
            }
            let (limit, base) = (word(kdbg.offset_kthread_stack_limit()), word(kdbg.offset_kthread_stack_base()));
            if let (Some((limit, low)), Some((base, high)), Some(stack)) = (limit, base, stack)
                && (low | high).is_multiple_of(PAGE_SIZE)
                && (low..high).contains(&stack)
            {
                add(At::new("_ETHREAD", "Tcb.StackLimit", limit), "KDBG names it; below the recorded stack pointer");
                add(At::new("_ETHREAD", "Tcb.StackBase", base), "KDBG names it; above the recorded stack pointer");
            }
            let offset = apc.saturating_sub(APC_STATE_PROCESS);
            found.inside("_ETHREAD", "Tcb.ApcState", offset);
        }
    }
    let (copy, at) = triage.prcb_copy();
    let memory = Memory { blocks: &Space::Blocks(copy), others: &memory };
    processors::find_in(kdbg, &memory, &[at], &|cr3| Some(PhysAddr::from_cr3(cr3)) == dtb, &mut found);
    Some(found.finish(&[]))
}
