//! Every job of a dump: those that processes are in, those around them, and the kernel's own list.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::nt::census::Processes;
use crate::nt::handle::{self, Of};
use crate::nt::image::ImageHeaders;
use crate::nt::job::{Job, JobSources, Jobs};
use crate::nt::list::{self, Links};
use crate::nt::module;
use crate::nt::process::Process;
use crate::nt::snapshot::Snapshot;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

/// Jobs that are read: no system that works has so many.
const MAX_JOBS: usize = 1 << 14;
/// Contradictions of one kind that are told by their address; the rest is counted.
const MAX_NAMED: usize = 16;

/// The jobs that were met so far.
pub(crate) struct JobCensus<'s> {
    snapshot: &'s Snapshot,
    known: BTreeMap<VirtAddr, Result<Job, Absent>>,
    /// Jobs whose lists of processes nobody walked yet.
    fresh: Vec<VirtAddr>,
    /// The kernel's list was walked.
    listed: bool,
    /// Jobs for which there was no room.
    left: u64,
    incomplete: Vec<Incomplete>,
}

impl<'s> JobCensus<'s> {
    pub(crate) fn new(snapshot: &'s Snapshot) -> Self {
        let (known, fresh, incomplete) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { snapshot, known, fresh, listed: false, left: 0, incomplete }
    }

    /// Takes what something names as a job, and the jobs around that.
    pub(crate) fn meet(&mut self, what: &str, place: VirtAddr, job: VirtAddr, source: JobSources) {
        let (mut what, mut place, mut at, mut source) = (what, place, job, source);
        loop {
            if let Some(known) = self.known.get_mut(&at) {
                if let Ok(job) = known {
                    job.sources |= source;
                }
                return;
            }
            if self.known.len() >= MAX_JOBS {
                self.left += 1;
                return;
            }
            let found = Job::probe(self.snapshot, at, source);
            let parent = found.as_ref().ok().and_then(|job| job.parent().ok().flatten());
            if let Err(why) = found {
                let what = format!("{what} is {at}, which is no job");
                self.incomplete.push(Incomplete::new(what, place, why));
            } else {
                self.fresh.push(at);
            }
            self.known.insert(at, found);
            let Some(parent) = parent else { return };
            (what, place, at, source) = ("EJOB.ParentJob", at, parent, JobSources::PARENT_JOB);
        }
    }

    /// Takes the jobs of processes.
    pub(crate) fn meet_those_of<'p>(&mut self, processes: impl Iterator<Item = &'p Process>) {
        for process in processes {
            for (what, job) in [("EPROCESS.Job", process.job()), ("EPROCESS.ServerSilo", process.server_silo())] {
                if let Ok(Some(job)) = job {
                    self.meet(what, process.eprocess(), job, JobSources::PROCESS);
                }
            }
        }
    }

    /// Walks the kernel's list of jobs, once it is found.
    pub(crate) fn kernel_list(&mut self) {
        let Ok(links) = self.snapshot.fields().job.job_links else { return };
        if self.listed {
            return;
        }
        let (memory, links) = (self.snapshot.space(), u64::from(links.offset));
        let head = match self.snapshot.symbol("PspJobList") {
            Ok(head) => head,
            Err(_) => match self.head_beside_a_job(links) {
                Some(head) => head,
                // A job that is met later may lead to it.
                None => return,
            },
        };
        self.listed = true;
        let known = &self.known;
        let member = |at: VirtAddr| {
            let job = at.wrapping_sub(links);
            match known.get(&job) {
                Some(Ok(_)) => {}
                Some(Err(why)) => return Err(*why),
                None => drop(Job::probe(self.snapshot, job, JobSources::JOB_LIST)?),
            }
            Links::read(memory, at)
        };
        let others = || known.keys().map(|at| at.wrapping_add(links)).collect();
        let list = list::walk("list of jobs", head, Links::read(memory, head), member, others);
        self.incomplete.extend(list.incomplete);
        for at in list.members {
            self.meet("list of jobs", head, at.wrapping_sub(links), JobSources::JOB_LIST);
        }
    }

    /// The head of the kernel's list without symbols: what of the ring around a job lies inside the kernel's image.
    fn head_beside_a_job(&self, links: u64) -> Option<VirtAddr> {
        let memory = self.snapshot.space();
        let image: &ImageHeaders = self.snapshot.kernel_headers()?;
        let directions: [fn(Links) -> VirtAddr; 2] = [|links| links.flink, |links| links.blink];
        directions.into_iter().find_map(|follow| {
            let mut seen = BTreeSet::new();
            self.known.values().flatten().find_map(|job| {
                let mut at = job.address().wrapping_add(links);
                while seen.len() < list::MAX_MEMBERS && seen.insert(at) {
                    at = follow(Links::read(memory, at).ok()?);
                    if image.contains(at) {
                        return module::is_list_head(memory, at).then_some(at);
                    }
                }
                None
            })
        })
    }

    /// Walks the lists of processes of the jobs that were met since. `is_process` says why what lies at an address is none.
    pub(crate) fn walk_members(&mut self, mut is_process: impl FnMut(VirtAddr) -> Result<(), Absent>) -> Vec<VirtAddr> {
        let (memory, mut found) = (self.snapshot.space(), Vec::new());
        let Ok(links) = self.snapshot.fields().process.eprocess.job_links else { return found };
        let offset = u64::from(links.offset);
        for at in core::mem::take(&mut self.fresh) {
            let Some(Ok(job)) = self.known.get_mut(&at) else { continue };
            let Ok(head) = job.list(|fields| &fields.process_list_head) else { continue };
            let member = |at: VirtAddr| {
                is_process(at.wrapping_sub(offset))?;
                Links::read(memory, at)
            };
            let list = list::walk("list of a job's processes", head, Links::read(memory, head), member, Vec::new);
            let members: Vec<VirtAddr> = list.members.iter().map(|at| at.wrapping_sub(offset)).collect();
            found.extend(&members);
            job.members = Ok(members);
            self.incomplete.extend(list.incomplete);
        }
        found
    }

    /// The jobs, held against what the processes say.
    pub(crate) fn finish(self, processes: &[Process]) -> Jobs {
        let by_address = self.known.into_iter().filter_map(|(at, job)| Some((at, job.ok()?))).collect();
        let no_silos = self.snapshot.fields().job.silo == Err(Absent::NoSuchField);
        let mut unread = self.incomplete;
        if self.left > 0 {
            let what = "jobs beyond those that are listed at once";
            unread.push(Incomplete::new(what, "jobs", Absent::Malformed).times(self.left));
        }
        let jobs = Jobs { by_address, no_silos, listed: self.listed, unread, contradictions: Vec::new() };
        let mut contradictions = Vec::new();
        for (what, wrong) in [
            ("EPROCESS.Job and the lists of the jobs contradict each other", membership(&jobs, processes)),
            ("EPROCESS.ServerSilo is not the container around the process's job", containers(&jobs, processes)),
        ] {
            let left = wrong.len().saturating_sub(MAX_NAMED) as u64;
            let named = wrong.into_iter().take(MAX_NAMED);
            contradictions.extend(named.map(|at| Incomplete::new(what, at, Absent::Malformed)));
            if left > 0 {
                contradictions.push(Incomplete::new(what, "further processes", Absent::Malformed).times(left));
            }
        }
        Jobs { contradictions, ..jobs }
    }
}

/// The processes with every job, also those that only handles lead to. This costs a pass over all handles.
pub fn with_handles(snapshot: &Snapshot) -> Processes {
    let Processes { processes, jobs, .. } = snapshot.processes();
    let mut census = JobCensus {
        known: jobs.by_address.into_iter().map(|(at, job)| (at, Ok(job))).collect(),
        listed: jobs.listed,
        incomplete: jobs.unread,
        ..JobCensus::new(snapshot)
    };
    let found = handle::handles(snapshot, Of::All);
    for handle in found.handles.iter().filter(|handle| handle.target.object_type.as_deref() == Ok("Job")) {
        if let Ok(job) = handle.target.object {
            census.meet("a handle", handle.holder.eprocess, job, JobSources::HANDLE);
        }
    }
    census.kernel_list();
    census.walk_members(|at| Process::probe(snapshot, at).map(|_| ()));
    let jobs = census.finish(&processes);
    Processes { processes, jobs, incomplete: found.incomplete }
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
