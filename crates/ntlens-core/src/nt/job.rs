//! Jobs: `EJOB`, groups of processes under common limits, which can lie inside one another. A silo is a job; see
//! [`silo`](crate::nt::silo).

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::layout::field::{Bits, Embedded, Field, Flags, Scalar};
use crate::layout::view::StructView;
use crate::memory::VirtualMemory;
use crate::nt::list::Links;
use crate::nt::object_name::{Name, Names};
use crate::nt::process::Process;
use crate::nt::snapshot::Snapshot;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use bitflags::bitflags;

crate::fields! {
    /// Fields of `_EJOB`.
    pub struct JobFields of "_EJOB" {
        /// Links of the kernel's list of all jobs.
        job_links: Field<Embedded> = "JobLinks",
        /// Head of the list of the processes that are in it directly.
        process_list_head: Field<Embedded> = "ProcessListHead",
        /// The job around it, since Windows 8.
        parent_job: Field<VirtAddr> = "ParentJob",
        /// The outermost job around it.
        root_job: Field<VirtAddr> = "RootJob",
        /// Jobs around it.
        nesting_depth: Field<u8> = "NestingDepth",
        /// Its number, since Windows 10.
        job_id: Field<u32> = "JobId",
        /// Number of its session.
        session_id: Field<u32> = "SessionId",
        /// What the job is and does at the moment.
        job_flags: Flags = "JobFlags",
        /// More of that.
        job_flags2: Flags = "JobFlags2",
        /// It is a silo.
        silo: Bits = "Silo",
        /// Globals of the container, if the job is one.
        server_silo_globals: Field<VirtAddr> = "ServerSiloGlobals",
        /// Number of the container.
        container_id: Field<[u8; 16]> = "ContainerId",
        /// Number of the container for telemetry.
        container_telemetry_id: Field<[u8; 16]> = "ContainerTelemetryId",
        /// Processes in it and in the jobs inside it that have not ended.
        active_processes: Field<u32> = "ActiveProcesses",
        /// Processes that ever were in it.
        total_processes: Field<u32> = "TotalProcesses",
        /// Processes that it ended because of a limit.
        total_terminated_processes: Field<u32> = "TotalTerminatedProcesses",
        /// The limits of its own that are on, by `winnt.h`.
        limit_flags: Field<u32> = "LimitFlags",
        /// The limits that are on, with those of the jobs around it.
        effective_limit_flags: Field<u32> = "EffectiveLimitFlags",
        /// What its processes may not do with windows, by `winnt.h`.
        ui_restrictions: Field<u32> = "UIRestrictionsClass",
        /// Processes that may be in it.
        active_process_limit: Field<u32> = "ActiveProcessLimit",
        /// Bytes that each process may commit.
        process_memory_limit: Field<u64> = "ProcessMemoryLimit",
        /// Bytes that all processes together may commit.
        job_memory_limit: Field<u64> = "JobMemoryLimit",
        /// The largest number of bytes that a process had committed.
        peak_process_memory_used: Field<u64> = "PeakProcessMemoryUsed",
        /// The largest number of bytes that all had.
        peak_job_memory_used: Field<u64> = "PeakJobMemoryUsed",
        /// Bytes that all processes have committed.
        current_job_memory_used: Field<u64> = "CurrentJobMemoryUsed",
        /// User time that each process may take.
        per_process_user_time_limit: Field<u64> = "PerProcessUserTimeLimit",
        /// User time that all processes together may take.
        per_job_user_time_limit: Field<u64> = "PerJobUserTimeLimit",
        /// User time that its processes took.
        total_user_time: Field<u64> = "TotalUserTime",
        /// Kernel time that its processes took.
        total_kernel_time: Field<u64> = "TotalKernelTime",
        /// Smallest working set of each process.
        minimum_working_set_size: Field<u64> = "MinimumWorkingSetSize",
        /// Largest working set of each process.
        maximum_working_set_size: Field<u64> = "MaximumWorkingSetSize",
        /// Priority class of its processes.
        priority_class: Field<u8> = "PriorityClass",
        /// Scheduling class of its processes.
        scheduling_class: Field<u32> = "SchedulingClass",
        /// Groups of processors that `affinity` holds.
        affinity_count: Field<u16> = "Affinity.Count",
        /// Processors of its processes, a mask for each group.
        affinity: Field<Embedded> = "Affinity.Bitmap",
        /// How the share of the processor is limited: a structure that public symbols do not define.
        cpu_rate_control: Field<VirtAddr> = "CpuRateControl",
        /// Where its messages go.
        completion_port: Field<VirtAddr> = "CompletionPort",
        /// How often its processes are frozen.
        freeze_count: Field<u32> = "EffectiveFreezeCount",
        /// What happens when the time of the job is used up.
        end_of_job_time_action: Field<u32> = "EndOfJobTimeAction",
        /// References that keep the silo alive.
        silo_hard_reference_count: Field<u64> = "SiloHardReferenceCount",
    }
}

bitflags! {
    /// How a job was found.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct JobSources: u8 {
        /// A process is in it (`EPROCESS.Job`), or in a container that it is (`EPROCESS.ServerSilo`).
        const PROCESS = 1 << 0;
        /// It is around another job (`EJOB.ParentJob`).
        const PARENT_JOB = 1 << 1;
        /// The kernel's list of jobs (`PspJobList`).
        const JOB_LIST = 1 << 2;
        /// A process holds a handle to it.
        const HANDLE = 1 << 3;
    }
}

impl JobSources {
    /// The names that are shown.
    pub fn names(self) -> Vec<&'static str> {
        let all = [
            (Self::PROCESS, "process"),
            (Self::PARENT_JOB, "parent-job"),
            (Self::JOB_LIST, "job-list"),
            (Self::HANDLE, "handle"),
        ];
        all.into_iter().filter(|(source, _)| self.contains(*source)).map(|(_, name)| name).collect()
    }
}

/// The words of flags of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Windows' own")]
pub enum JobFlagWord {
    JobFlags,
    JobFlags2,
}

/// Groups of processors that a mask can have.
const MAX_GROUPS: u16 = 64;

/// One job.
#[derive(Clone, Debug)]
pub struct Job {
    snapshot: Snapshot,
    view: StructView,
    pub(crate) sources: JobSources,
    pub(crate) members: Result<Vec<VirtAddr>, Absent>,
}

impl Job {
    /// Reads an address as a job; an error if what lies there is none. One list that holds together is enough for a job,
    /// and so is memory that is missing: then nothing speaks against it.
    pub(crate) fn probe(snapshot: &Snapshot, at: VirtAddr, sources: JobSources) -> Result<Self, Absent> {
        /// Every object lies at a multiple of this.
        const ALIGNMENT: u64 = 8;
        if !at.is_kernel() || !at.0.is_multiple_of(ALIGNMENT) {
            return Err(Absent::Malformed);
        }
        let fields = &snapshot.fields().job;
        let view = StructView::read(snapshot.space(), at, fields.extent);
        let members = Err(Absent::AddressNotInDump);
        let job = Self { snapshot: snapshot.clone(), view, sources, members };
        let holds = |list: &Result<Field<Embedded>, Absent>| {
            let at = job.view.address_of(list)?;
            let links = Links::read(snapshot.space(), at)?;
            let forward = Links::read(snapshot.space(), links.flink).is_ok_and(|next| next.blink == at);
            Ok(forward || Links::read(snapshot.space(), links.blink).is_ok_and(|last| last.flink == at))
        };
        let lists: [Result<bool, Absent>; 2] = [holds(&fields.job_links), holds(&fields.process_list_head)];
        let is_none = lists.contains(&Ok(false)) && !lists.contains(&Ok(true));
        if is_none { Err(Absent::Malformed) } else { Ok(job) }
    }

    /// A field by its declaration in [`JobFields`].
    pub fn get<T: Scalar>(&self, field: impl Fn(&JobFields) -> &Result<Field<T>, Absent>) -> Result<T, Absent> {
        self.view.get(field(&self.snapshot.fields().job))
    }

    /// A pointer that may be null.
    fn pointer(
        &self,
        field: impl Fn(&JobFields) -> &Result<Field<VirtAddr>, Absent>,
    ) -> Result<Option<VirtAddr>, Absent> {
        self.get(field).map(|at| Some(at).filter(|at| !at.is_null()))
    }

    /// Address of the `EJOB`.
    pub fn address(&self) -> VirtAddr {
        self.view.at
    }

    /// How it was found.
    pub fn sources(&self) -> JobSources {
        self.sources
    }

    /// The processes that are in it and in no job inside it, by their `EPROCESS`, as its own list has them.
    pub fn members(&self) -> Result<&[VirtAddr], Absent> {
        self.members.as_deref().map_err(|why| *why)
    }

    /// Its number (`JobId`), since Windows 10.
    pub fn job_id(&self) -> Result<u32, Absent> {
        self.get(|fields| &fields.job_id)
    }

    /// Number of its session; of a container, the session that is its own first one.
    pub fn session_id(&self) -> Result<u32, Absent> {
        self.get(|fields| &fields.session_id)
    }

    /// The job around it, since Windows 8; `None` for an outermost one.
    pub fn parent(&self) -> Result<Option<VirtAddr>, Absent> {
        self.pointer(|fields| &fields.parent_job)
    }

    /// The outermost job around it; `None` if there is none.
    pub fn root(&self) -> Result<Option<VirtAddr>, Absent> {
        self.pointer(|fields| &fields.root_job)
    }

    /// `JobFlags.Silo`, since Windows 10.
    pub fn is_silo(&self) -> Result<bool, Absent> {
        self.view.bit(&self.snapshot.fields().job.silo)
    }

    /// The globals of the container that it is; `None` if it is none.
    pub fn server_silo_globals(&self) -> Result<Option<VirtAddr>, Absent> {
        match self.pointer(|fields| &fields.server_silo_globals)? {
            Some(globals) if !globals.is_kernel() => Err(Absent::Malformed),
            globals => Ok(globals),
        }
    }

    /// A word of flags as an integer and the names of what is set.
    pub fn flags(&self, word: JobFlagWord) -> Result<(u32, Vec<String>), Absent> {
        let fields = &self.snapshot.fields().job;
        let field = match word {
            JobFlagWord::JobFlags => &fields.job_flags,
            JobFlagWord::JobFlags2 => &fields.job_flags2,
        };
        let value = self.view.flags(field)?;
        Ok((value, field.as_ref().map(|field| field.names(value)).unwrap_or_default()))
    }

    /// The processors of its processes: a mask for each group of 64.
    pub fn affinity(&self) -> Result<Vec<u64>, Absent> {
        let groups = self.get(|fields| &fields.affinity_count)?;
        let first = self.view.address_of(&self.snapshot.fields().job.affinity)?;
        if groups > MAX_GROUPS {
            return Err(Absent::Malformed);
        }
        let mask = |group| self.snapshot.space().read_pointer(first.wrapping_add(u64::from(group) * 8));
        (0..groups).map(|group| mask(group).map(|mask| mask.0)).collect()
    }

    /// Where a list begins or goes on.
    pub(crate) fn list(
        &self,
        field: impl Fn(&JobFields) -> &Result<Field<Embedded>, Absent>,
    ) -> Result<VirtAddr, Absent> {
        self.view.address_of(field(&self.snapshot.fields().job))
    }
}

/// Jobs inside one another that are followed.
const MAX_NESTING: usize = 64;

/// The jobs around a process or a job.
#[derive(Clone, Debug, Default)]
pub struct Chain<'a> {
    /// From the innermost to the outermost that could be read.
    pub jobs: Vec<&'a Job>,
    /// Why there may be more; `None` if the last one is known to be the outermost.
    pub cut: Option<Absent>,
}

/// The jobs of a dump.
#[derive(Clone, Debug, Default)]
pub struct Jobs {
    pub(crate) by_address: BTreeMap<VirtAddr, Job>,
    /// The build has no silos.
    pub(crate) no_silos: bool,
    /// The kernel's list was found.
    pub(crate) listed: bool,
    /// What could not be read.
    pub(crate) unread: Vec<Incomplete>,
    /// Where jobs and processes contradict each other.
    pub(crate) contradictions: Vec<Incomplete>,
}

impl Jobs {
    /// The job at an address.
    pub fn get(&self, job: VirtAddr) -> Option<&Job> {
        self.by_address.get(&job)
    }

    /// All of them, in the order of their addresses.
    pub fn iter(&self) -> impl Iterator<Item = &Job> {
        self.by_address.values()
    }

    /// What could not be read, and where jobs and processes contradict each other.
    pub fn incomplete(&self) -> impl Iterator<Item = &Incomplete> {
        self.unread.iter().chain(&self.contradictions)
    }

    /// A job and the jobs around it.
    pub fn chain(&self, innermost: VirtAddr) -> Chain<'_> {
        let mut chain = Chain::default();
        let mut at = innermost;
        loop {
            let Some(job) = self.get(at) else {
                chain.cut = Some(Absent::Malformed);
                return chain;
            };
            let looped = chain.jobs.iter().any(|known| known.address() == at);
            if looped || chain.jobs.len() >= MAX_NESTING {
                chain.cut = Some(Absent::Malformed);
                return chain;
            }
            chain.jobs.push(job);
            match job.parent() {
                Ok(Some(parent)) => at = parent,
                // Jobs of Windows 7 do not lie inside one another.
                Ok(None) | Err(Absent::NoSuchField) => return chain,
                Err(why) => {
                    chain.cut = Some(why);
                    return chain;
                }
            }
        }
    }

    /// The jobs that a process is in; empty for a process in no job.
    pub fn chain_of(&self, process: &Process) -> Result<Chain<'_>, Absent> {
        Ok(process.job()?.map(|job| self.chain(job)).unwrap_or_default())
    }

    /// The names of the jobs in the namespace; most have none.
    pub fn names(&self, snapshot: &Snapshot) -> BTreeMap<VirtAddr, Name> {
        let mut names = Names::new(snapshot, &[]);
        let mut name = |job: &Job| {
            let header = snapshot.fields().object.of_body(snapshot.space(), job.address());
            (job.address(), header.and_then(|header| names.path(&header)))
        };
        self.iter().map(&mut name).collect()
    }
}
