//! Every thread of a dump: the lists of the processes, and the table of process and thread ids.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::memory::VirtualMemory;
use crate::nt::list::{self, Links, ListName};
use crate::nt::process::Process;
use crate::nt::snapshot::Snapshot;
use crate::nt::thread::Thread;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// A thread, and where it was found.
#[derive(Clone, Debug)]
pub struct FoundThread {
    /// The thread.
    pub thread: Thread,
    /// It is in the list of its process.
    pub in_list: bool,
    /// It is in the table of ids.
    pub in_cid_table: bool,
}

/// The threads of a dump.
#[derive(Clone, Debug, Default)]
pub struct Threads {
    /// Process by process, in the order of the process's list; then those that only the table of ids knows.
    pub threads: Vec<FoundThread>,
    /// What could not be read.
    pub incomplete: Vec<Incomplete>,
}

/// Lists the threads of processes. Threads that their process's list lost, or that were taken out of it, are found in the
/// table of ids.
pub fn threads(snapshot: &Snapshot, processes: &[Process]) -> Threads {
    let mut found = Threads::default();
    if let Some(triage) = snapshot.triage() {
        match triage.thread.and_then(|at| Thread::probe(snapshot, at)) {
            Ok(thread) => found.threads.push(FoundThread { thread, in_list: false, in_cid_table: false }),
            Err(why) => found.incomplete.push(Incomplete::new("crashing thread", "triage dump", why)),
        }
        return found;
    }
    let mut by_id = by_id(snapshot, &mut found.incomplete);
    for process in processes {
        let eprocess = process.eprocess();
        let known = by_id.remove(&eprocess).unwrap_or_default();
        let before = found.threads.len();
        let listed = in_list(snapshot, process, &known, &mut found);
        let lost = known.into_iter().filter(|(at, _)| !listed.contains(at));
        found.threads.extend(lost.map(|(_, thread)| FoundThread { thread, in_list: false, in_cid_table: true }));
        if let Some(new) = found.threads.get_mut(before..) {
            new.sort_by_key(|found| (!found.in_list, if found.in_list { 0 } else { found.thread.tid().unwrap_or(0) }));
        }
    }
    found
}

/// The threads of the table of ids, by their processes and addresses.
fn by_id(snapshot: &Snapshot, incomplete: &mut Vec<Incomplete>) -> BTreeMap<VirtAddr, BTreeMap<VirtAddr, Thread>> {
    let mut by_process: BTreeMap<VirtAddr, BTreeMap<VirtAddr, Thread>> = BTreeMap::new();
    let memory = snapshot.space();
    let table = snapshot.heads().psp_cid_table.and_then(|at| memory.read_pointer(at));
    match table.and_then(|at| snapshot.fields().handle_tables.entries(memory, at)) {
        Ok((entries, missing)) => {
            incomplete.extend(missing);
            for entry in entries {
                let probed = Thread::probe(snapshot, entry.pointer).and_then(|thread| Ok((thread.process()?, thread)));
                match probed {
                    Ok((process, thread)) => {
                        by_process.entry(process).or_default().insert(entry.pointer, thread);
                    }
                    Err(why) if why.is_lost() => {
                        Incomplete::new("objects of the table of thread ids", entry.pointer, why).add_to(incomplete);
                    }
                    // Most others are processes.
                    Err(_) => {}
                }
            }
        }
        Err(why) => incomplete.push(Incomplete::new("table of thread ids", "PspCidTable", why)),
    }
    by_process
}

/// Walks one process's list; the addresses of its members.
fn in_list(
    snapshot: &Snapshot,
    process: &Process,
    known: &BTreeMap<VirtAddr, Thread>,
    found: &mut Threads,
) -> BTreeSet<VirtAddr> {
    const LIST: ListName =
        ListName::new("list of a process's threads", "_EPROCESS.ThreadListHead", "_ETHREAD.ThreadListEntry");
    let links = snapshot.fields().thread.thread_list_entry;
    let (head, links) = match (process.thread_list_head(), links) {
        (Ok(head), Ok(links)) => (head, u64::from(links.offset)),
        (Err(why), _) | (_, Err(why)) => {
            found.incomplete.push(Incomplete::new(LIST.what, process.eprocess(), why));
            return BTreeSet::new();
        }
    };
    let mut read: BTreeMap<VirtAddr, Thread> = BTreeMap::new();
    let member = |at: VirtAddr| {
        let at = at.wrapping_sub(links);
        if let Some(thread) = known.get(&at) {
            return thread.links();
        }
        let thread = Thread::probe(snapshot, at)?;
        if thread.process()? != process.eprocess() {
            return Err(Absent::Malformed);
        }
        let links = thread.links();
        read.insert(at, thread);
        links
    };
    let others = || known.keys().map(|at| at.wrapping_add(links)).collect();
    let list = list::walk(LIST, head, Links::read(snapshot.space(), head), member, others);
    found.incomplete.extend(list.incomplete);
    let members: Vec<VirtAddr> = list.members.iter().map(|at| at.wrapping_sub(links)).collect();
    for at in &members {
        let in_cid_table = known.contains_key(at);
        if let Some(thread) = known.get(at).or_else(|| read.get(at)) {
            found.threads.push(FoundThread { thread: thread.clone(), in_list: true, in_cid_table });
        }
    }
    members.into_iter().collect()
}
