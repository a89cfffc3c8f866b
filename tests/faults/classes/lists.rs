//! Doubly linked lists: one broken link costs nothing, whichever it is and wherever it leads.

use super::{FRAMES, USER, broken_links, variable_at};
use crate::fault::{Class, Fault, Keeps, Must};
use crate::kit::{offset, symbol};
use crate::subject::Subject;
use ntlens_testkit::truth::Process;

const fn list(name: &'static str, breaks: &'static str, make: fn(&Subject) -> Vec<Fault>) -> Class {
    Class { name, breaks, kinds: FRAMES, must: Must::Name, keeps: Keeps::Everything, every: false, make }
}

/// Links of all members of a list and of its head: what it is called, and its address.
fn of_members(subject: &Subject, members: &[(String, u64)], other_list: u64) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, (what, entry)) in members.iter().enumerate() {
        let others = [members[(index + 2) % members.len()].1, other_list];
        let neighbours =
            [members[(index + 1) % members.len()].1, members[(index + members.len() - 1) % members.len()].1];
        for fault in broken_links(subject, what, subject.at(*entry), *entry, &others) {
            // A link is named where it is, or where the one that should be answered by it is.
            let fault = neighbours.iter().fold(fault, |fault, at| fault.or_at(subject.at(*at)));
            faults.push(fault);
        }
    }
    faults
}

fn listed(subject: &Subject) -> impl Iterator<Item = &Process> {
    subject.truth().processes.iter().filter(|process| process.in_active_list)
}

pub(super) const ACTIVE_PROCESSES: Class = list("list: active processes", "ActiveProcessLinks", |subject| {
    let links = offset(subject.image, "_EPROCESS", "ActiveProcessLinks");
    let mut members: Vec<_> =
        listed(subject).map(|process| (process.image_name.clone(), process.eprocess + links)).collect();
    members.push(("head".into(), symbol(subject.image, "PsActiveProcessHead")));
    of_members(subject, &members, subject.truth().modules[1].entry)
});

pub(super) const MODULES: Class = list("list: loaded modules", "InLoadOrderLinks", |subject| {
    let mut members: Vec<_> =
        subject.truth().modules.iter().map(|module| (module.name.clone(), module.entry)).collect();
    members.push(("head".into(), symbol(subject.image, "PsLoadedModuleList")));
    of_members(subject, &members, symbol(subject.image, "PsActiveProcessHead"))
});

pub(super) const THREADS: Class = list("list: threads", "ThreadListEntry", |subject| {
    let links = offset(subject.image, "_ETHREAD", "ThreadListEntry");
    let process = subject.truth().named("two.exe").unwrap();
    let other = &subject.truth().named("three.exe").unwrap().threads[0];
    let mut members: Vec<_> =
        process.threads.iter().map(|thread| (format!("thread {}", thread.tid), thread.va + links)).collect();
    members.push(("head".into(), process.eprocess + offset(subject.image, "_EPROCESS", "ThreadListHead")));
    of_members(subject, &members, other.va + links)
});

pub(super) const SESSION_PROCESSES: Class = list("list: processes of a session", "SessionProcessLinks", |subject| {
    let links = offset(subject.image, "_EPROCESS", "SessionProcessLinks");
    let session = subject.truth().sessions.iter().find(|session| session.pids.len() > 2).unwrap();
    let member = |pid: &u64| {
        let process = subject.truth().process(*pid).unwrap();
        (process.image_name.clone(), process.eprocess + links)
    };
    let members: Vec<_> = session.pids.iter().map(member).collect();
    let other = listed(subject).find(|process| process.session_id != Some(session.session_id)).unwrap();
    of_members(subject, &members, other.eprocess + links)
});

pub(super) const JOBS: Class = list("list: jobs", "JobLinks", |subject| {
    let links = offset(subject.image, "_EJOB", "JobLinks");
    let members: Vec<_> = subject.truth().jobs.iter().map(|job| (format!("{:#x}", job.va), job.va + links)).collect();
    of_members(subject, &members, symbol(subject.image, "PsLoadedModuleList"))
});

pub(super) const JOB_PROCESSES: Class = list("list: processes of a job", "JobLinks of _EPROCESS", |subject| {
    let links = offset(subject.image, "_EPROCESS", "JobLinks");
    let job = subject.truth().jobs.iter().max_by_key(|job| job.processes.len()).unwrap();
    let member = |pid: &u64| {
        let process = subject.truth().process(*pid).unwrap();
        (process.image_name.clone(), process.eprocess + links)
    };
    let mut members: Vec<_> = job.processes.iter().map(member).collect();
    members.push(("head".into(), job.va + offset(subject.image, "_EJOB", "ProcessListHead")));
    of_members(subject, &members, symbol(subject.image, "PsLoadedModuleList"))
});

/// The loader's list of a process, in its own memory.
pub(super) const LOADER: Class = Class {
    kinds: USER,
    ..list("list: loaded images", "PEB_LDR_DATA", |subject| {
        const LOAD_ORDER: u64 = 0x10;
        let process = subject.truth().named("two.exe").unwrap();
        let space = subject.image.space(process.pid).unwrap();
        let word = |at: u64| {
            let bytes = subject.image.read_in(space, at, 8)?;
            Some(u64::from_le_bytes(bytes.try_into().unwrap()))
        };
        // PEB.Ldr and its first list, which have not moved in any version for x64.
        let head = word(process.peb.unwrap() + 0x18).unwrap() + LOAD_ORDER;
        let first = word(head).unwrap();
        let second = word(first).unwrap();
        [head, first, second]
            .into_iter()
            .flat_map(|entry| {
                broken_links(subject, &format!("{entry:#x}"), subject.at_of(process.pid, entry), entry, &[second, head])
            })
            .map(|fault| {
                let places = [head, first, second].map(|at| subject.at_of(process.pid, at));
                places.into_iter().fold(fault, Fault::or_at)
            })
            .collect()
    })
};

/// Heads without any link.
pub(super) const WIPED_HEADS: Class = list("list: wiped heads", "PsActiveProcessHead, PsLoadedModuleList", |subject| {
    let wiped = |name: &'static str| {
        let at = variable_at(subject, name)?;
        Some([0_u8, 0x41, 0xff].map(|byte| Fault::at(format!("{name} is {byte:#x}"), at, &[byte; 16])))
    };
    ["PsActiveProcessHead", "PsLoadedModuleList"].into_iter().filter_map(wiped).flatten().collect()
});
