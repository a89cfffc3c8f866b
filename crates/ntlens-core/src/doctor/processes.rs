//! The views of the kernel in which a process must appear, against each other.

use super::{Check, Exam, Severity, found_by};
use crate::incomplete::Incomplete;
use crate::nt::process::{Process, Sources};
use alloc::collections::BTreeMap;
use alloc::format;

pub(super) const CHECK: Check = Check { name: "processes", run };

fn run(exam: &mut Exam<'_>) {
    let incomplete = exam.census.incomplete.clone();
    let consequence = "the views were put together: processes that only a broken stretch leads to may be missing";
    exam.tell_all(incomplete, Severity::Medium, consequence);
    let Some(kernel) = exam.whole_kernel() else { return };
    let processes = exam.processes();
    let offset = |field: &Result<u32, crate::absent::Absent>| field.ok().map(u64::from);
    let fields = &kernel.fields().process.eprocess;
    let links = offset(&fields.active_process_links.map(|field| field.offset));
    let id = offset(&fields.unique_process_id.map(|field| field.offset));
    let known = |source| processes.iter().any(|process| process.sources().contains(source));
    let (listed, numbered) = (known(Sources::ACTIVE_LIST), known(Sources::CID_TABLE));
    let mut ids: BTreeMap<u64, &Process> = BTreeMap::new();
    for process in &processes {
        let sources = process.sources();
        let at = |offset: Option<u64>| process.eprocess().wrapping_add(offset.unwrap_or(0));
        if listed && !sources.contains(Sources::ACTIVE_LIST) {
            let found = format!("in no list; the process is known to: {}", found_by(sources));
            let expected = "a member of the list of active processes";
            let wrong = Incomplete::wrong("_EPROCESS", "ActiveProcessLinks", at(links), found, expected);
            let wrong = Incomplete { what: format!("{} {}: {}", "process", told_id(process), wrong.what), ..wrong };
            exam.tell(wrong, Severity::Medium, "the process is hidden from whoever reads the list alone");
        }
        if numbered && !sources.contains(Sources::CID_TABLE) && process.exit_time() == Ok(None) {
            let found = format!("{}, which the table of ids does not lead to", told_id(process));
            let wrong = Incomplete::wrong("_EPROCESS", "UniqueProcessId", at(id), found, "the number of its entry");
            exam.tell(wrong, Severity::Medium, "the process cannot be opened by its id");
        }
        let Ok(pid) = process.pid() else { continue };
        if !pid.is_multiple_of(4) {
            let wrong = Incomplete::wrong("_EPROCESS", "UniqueProcessId", at(id), pid, "a multiple of 4");
            exam.tell(wrong, Severity::Low, "handles and parents that name this process by its id are not found");
        } else if let Some(other) = ids.insert(pid, process) {
            let expected = format!("another than that of the process at {}", other.eprocess());
            let wrong = Incomplete::wrong("_EPROCESS", "UniqueProcessId", at(id), pid, expected);
            exam.tell(wrong, Severity::Low, "the two are told apart by their addresses only");
        }
    }
}

fn told_id(process: &Process) -> alloc::string::String {
    process.pid().map_or_else(|why| format!("({why})"), |pid| format!("{pid}"))
}
