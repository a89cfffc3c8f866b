//! The threads of each process, by its list and by the table of ids.

use super::{Check, Exam, Severity};
use crate::incomplete::Incomplete;
use crate::nt::process::Sources;
use crate::nt::thread_census;
use alloc::format;
use alloc::vec::Vec;

pub(super) const CHECK: Check = Check { name: "threads", run };

fn run(exam: &mut Exam<'_>) {
    let Some(kernel) = exam.kernel else { return };
    let processes: Vec<_> = exam.processes();
    let known: Vec<Incomplete> = exam.census.incomplete.clone();
    let mut threads = thread_census::threads(kernel, &processes);
    // The table of ids was told as that of the processes.
    threads
        .incomplete
        .retain(|found| !known.iter().any(|told| told.place == found.place && told.reason == found.reason));
    let consequence = "the list was put together from its other links and the table of ids";
    exam.tell_all(threads.incomplete, Severity::Medium, consequence);
    let links = kernel.fields().thread.thread_list_entry.map(|field| u64::from(field.offset));
    let in_list = |eprocess| {
        let listed = |process: &&crate::nt::Process| process.sources().contains(Sources::ACTIVE_LIST);
        processes.iter().filter(listed).any(|process| Ok(process.eprocess()) == eprocess)
    };
    for found in threads.threads.iter().filter(|found| found.in_cid_table && !found.in_list) {
        let thread = &found.thread;
        // A thread that has ended may leave the list first.
        if !in_list(thread.process()) || thread.state().is_ok_and(|state| state == "Terminated") {
            continue;
        }
        let at = thread.ethread().wrapping_add(links.unwrap_or(0));
        let id = thread.tid().map_or_else(|why| format!("({why})"), |id| format!("{id}"));
        let found = format!("in no list; thread {id} is in the table of ids");
        let wrong = Incomplete::wrong("_ETHREAD", "ThreadListEntry", at, found, "a member of its process's list");
        exam.tell(wrong, Severity::Medium, "the thread is hidden from whoever reads the list alone");
    }
}
