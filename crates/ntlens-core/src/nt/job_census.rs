//! Every job of a dump: those that processes are in, those around them, and the kernel's own list.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::memory::VirtualMemory;
use crate::nt::census::Processes;
use crate::nt::group::{Found, Groups};
use crate::nt::handle::{self, Of};
use crate::nt::job::{Job, JobSources, Jobs};
use crate::nt::list::{self, Links};
use crate::nt::process::{Process, Sources};
use crate::nt::snapshot::Snapshot;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::ToString;
use alloc::vec::Vec;

/// Contradictions of one kind that are told by their address; the rest is counted.
const MAX_NAMED: usize = 16;

/// Takes the jobs of processes.
pub(crate) fn meet_those_of<'p>(jobs: &mut Groups<'_, Job>, processes: impl Iterator<Item = &'p Process>) {
    for process in processes {
        for (what, job) in [("EPROCESS.Job", process.job()), ("EPROCESS.ServerSilo", process.server_silo())] {
            if let Ok(Some(job)) = job {
                jobs.meet(what, process.eprocess(), job, JobSources::PROCESS);
            }
        }
    }
}

/// Takes the jobs of the kernel's list. Without symbols its head is found beside a job.
pub(crate) fn kernel_list(jobs: &mut Groups<'_, Job>) {
    jobs.kernel_list(JobSources::JOB_LIST, |jobs, links| {
        jobs.snapshot.symbol("PspJobList").ok().or_else(|| head_beside_a_job(jobs, links))
    });
}

/// What of the ring around a job lies inside the kernel's image.
fn head_beside_a_job(jobs: &Groups<'_, Job>, links: u64) -> Option<VirtAddr> {
    let memory = jobs.snapshot.space();
    let image = jobs.snapshot.kernel_headers()?;
    let directions: [fn(Links) -> VirtAddr; 2] = [|links| links.flink, |links| links.blink];
    directions.into_iter().find_map(|follow| {
        let mut seen = BTreeSet::new();
        jobs.iter().find_map(|(job, _)| {
            let mut at = job.wrapping_add(links);
            while seen.len() < list::MAX_MEMBERS && seen.insert(at) {
                at = follow(Links::read(memory, at).ok()?);
                if image.contains(at) {
                    return list::is_linked(memory, at).then_some(at);
                }
            }
            None
        })
    })
}

/// Jobs that lie in themselves, by whatever way.
fn loops(jobs: &Jobs) -> Vec<VirtAddr> {
    let in_itself = |job: &&Job| {
        let chain = jobs.chain(job.address());
        let outermost = chain.jobs.last().and_then(|job| job.parent().ok().flatten());
        chain.cut.is_some() && outermost == Some(job.address())
    };
    jobs.iter().filter(in_itself).map(Job::address).collect()
}

/// The jobs that were found, held against what the processes say.
pub(crate) fn finish(snapshot: &Snapshot, found: Found<Job>, processes: &[Process]) -> Jobs {
    let no_silos = snapshot.fields().job.silo.err();
    let jobs = Jobs { found, no_silos, contradictions: Vec::new() };
    let mut contradictions = Vec::new();
    for (what, structure, field, expected, wrong) in [
        (
            "EPROCESS.Job and the lists of the jobs contradict each other",
            "_EPROCESS",
            "Job",
            "the job in whose list the process is",
            membership(&jobs, processes),
        ),
        (
            "EPROCESS.ServerSilo is not the container around the process's job",
            "_EPROCESS",
            "ServerSilo",
            "the container around the process's job",
            containers(&jobs, processes),
        ),
        ("EJOB.ParentJob leads back to the job", "_EJOB", "ParentJob", "a job outside of this one", loops(&jobs)),
    ] {
        let left = wrong.len().saturating_sub(MAX_NAMED) as u64;
        let named = wrong.into_iter().take(MAX_NAMED);
        contradictions.extend(named.map(|at| {
            let at = snapshot.place_of(structure, at, field);
            let found = snapshot.space().read_pointer(at).map_or_else(|why| why.to_string(), |found| found.to_string());
            Incomplete::new(what, at, Absent::Malformed).of_field(structure, field, found, expected)
        }));
        if left > 0 {
            contradictions.push(Incomplete::new(what, "further processes", Absent::Malformed).times(left));
        }
    }
    Jobs { contradictions, ..jobs }
}

/// The processes with every job, also those that only handles lead to. This costs a pass over all handles.
pub fn with_handles(snapshot: &Snapshot) -> Processes {
    let mut census = snapshot.processes();
    let mut jobs = Groups::new(snapshot, census.jobs.found);
    let held = handle::handles(snapshot, Of::All);
    for handle in held.handles.iter().filter(|handle| handle.target.object_type.as_deref() == Ok("Job")) {
        if let Ok(job) = handle.target.object {
            jobs.meet("a handle", handle.holder.eprocess, job, JobSources::HANDLE);
        }
    }
    kernel_list(&mut jobs);
    let mut known: BTreeSet<VirtAddr> = census.processes.iter().map(Process::eprocess).collect();
    for at in jobs.walk_members(|at| Process::probe(snapshot, at).map(|_| ())) {
        if known.insert(at)
            && let Ok(mut process) = Process::probe(snapshot, at)
        {
            process.add_source(Sources::JOB_LIST);
            census.processes.push(process);
        }
    }
    let (mut jobs, mut incomplete) = (jobs.finish(), held.incomplete);
    incomplete.append(&mut jobs.incomplete);
    let jobs = finish(snapshot, jobs, &census.processes);
    Processes { jobs, incomplete, ..census }
}

/// Processes that name a job whose list does not have them, or that are in the list of a job which they do not name.
fn membership(jobs: &Jobs, processes: &[Process]) -> Vec<VirtAddr> {
    let mut lists: BTreeMap<VirtAddr, BTreeSet<VirtAddr>> = BTreeMap::new();
    for job in jobs.iter() {
        for member in job.members().unwrap_or_default() {
            lists.entry(*member).or_default().insert(job.address());
        }
    }
    let wrong = |process: &&Process| {
        let Ok(named) = process.job() else { return false };
        let listed = lists.get(&process.eprocess());
        match named.and_then(|job| jobs.get(job)) {
            // A list that was not walked says nothing.
            Some(job) if job.members().is_err() => false,
            Some(job) => listed.is_none_or(|listed| *listed != BTreeSet::from([job.address()])),
            // What is no job is told where it was met.
            None => listed.is_some(),
        }
    };
    processes.iter().filter(wrong).map(Process::eprocess).collect()
}

/// Processes whose container is not the one that their jobs lie in.
fn containers(jobs: &Jobs, processes: &[Process]) -> Vec<VirtAddr> {
    let wrong = |process: &&Process| match (process.server_silo(), jobs.server_silo_around(process)) {
        (Ok(named), Ok(around)) => named != around.map(Job::address),
        _ => false,
    };
    processes.iter().filter(wrong).map(Process::eprocess).collect()
}
