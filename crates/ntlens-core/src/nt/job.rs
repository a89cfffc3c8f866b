//! Jobs: `EJOB`, groups of processes under common limits, which can lie inside one another. A silo is a job; see
//! [`silo`](crate::nt::silo).

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::layout::field::{Bits, Embedded, Field, Flags, Scalar};
use crate::layout::view::StructView;
use crate::memory::VirtualMemory;
use crate::nt::fields::Fields;
use crate::nt::group::{Found, Group};
use crate::nt::list::{self, ListName};
use crate::nt::object_name::{Name, Names};
use crate::nt::process::Process;
use crate::nt::scheduling_group::SchedulingGroup;
use crate::nt::snapshot::Snapshot;
use crate::text;
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
        /// Pages that each process may commit.
        process_memory_limit: Field<u64> = "ProcessMemoryLimit",
        /// Pages that all processes together may commit.
        job_memory_limit: Field<u64> = "JobMemoryLimit",
        /// The largest number of pages that a process had committed.
        peak_process_memory_used: Field<u64> = "PeakProcessMemoryUsed",
        /// The largest number of pages that all had.
        peak_job_memory_used: Field<u64> = "PeakJobMemoryUsed",
        /// Pages that all processes have committed.
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
        /// What the scheduler made of its limits and those of the jobs around it.
        effective_scheduling_group: Field<VirtAddr> = "EffectiveSchedulingGroup",
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

/// Names of the bits of `LimitFlags` (`JOB_OBJECT_LIMIT_*` of `winnt.h`), from the lowest on. The last one is undocumented
/// and named as in the headers of System Informer.
const LIMITS: [&str; 23] = [
    "JOB_OBJECT_LIMIT_WORKINGSET",
    "JOB_OBJECT_LIMIT_PROCESS_TIME",
    "JOB_OBJECT_LIMIT_JOB_TIME",
    "JOB_OBJECT_LIMIT_ACTIVE_PROCESS",
    "JOB_OBJECT_LIMIT_AFFINITY",
    "JOB_OBJECT_LIMIT_PRIORITY_CLASS",
    "JOB_OBJECT_LIMIT_PRESERVE_JOB_TIME",
    "JOB_OBJECT_LIMIT_SCHEDULING_CLASS",
    "JOB_OBJECT_LIMIT_PROCESS_MEMORY",
    "JOB_OBJECT_LIMIT_JOB_MEMORY",
    "JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION",
    "JOB_OBJECT_LIMIT_BREAKAWAY_OK",
    "JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK",
    "JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE",
    "JOB_OBJECT_LIMIT_SUBSET_AFFINITY",
    "JOB_OBJECT_LIMIT_JOB_MEMORY_LOW",
    "JOB_OBJECT_LIMIT_JOB_READ_BYTES",
    "JOB_OBJECT_LIMIT_JOB_WRITE_BYTES",
    "JOB_OBJECT_LIMIT_CPU_RATE_CONTROL",
    "JOB_OBJECT_LIMIT_IO_RATE_CONTROL",
    "JOB_OBJECT_LIMIT_NET_RATE_CONTROL",
    "bit_21",
    "JOB_OBJECT_LIMIT_SILO_READY",
];

/// `JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE`
const KILL_ON_JOB_CLOSE: u32 = 1 << 13;

/// Names of the bits of `UIRestrictionsClass` (`JOB_OBJECT_UILIMIT_*` of `winnt.h`), from the lowest on.
const UI_RESTRICTIONS: [&str; 8] = [
    "JOB_OBJECT_UILIMIT_HANDLES",
    "JOB_OBJECT_UILIMIT_READCLIPBOARD",
    "JOB_OBJECT_UILIMIT_WRITECLIPBOARD",
    "JOB_OBJECT_UILIMIT_SYSTEMPARAMETERS",
    "JOB_OBJECT_UILIMIT_DISPLAYSETTINGS",
    "JOB_OBJECT_UILIMIT_GLOBALATOMS",
    "JOB_OBJECT_UILIMIT_DESKTOP",
    "JOB_OBJECT_UILIMIT_EXITWINDOWS",
];

/// The names of limits that are on.
pub fn limit_names(flags: u32) -> Vec<String> {
    text::bit_names(flags.into(), &LIMITS)
}

/// The names of what processes may not do with windows.
pub fn ui_restriction_names(class: u32) -> Vec<String> {
    text::bit_names(class.into(), &UI_RESTRICTIONS)
}

/// Groups of processors that a mask can have.
const MAX_GROUPS: u16 = 64;

/// One job.
#[derive(Clone, Debug)]
pub struct Job {
    snapshot: Snapshot,
    view: StructView,
    sources: JobSources,
    members: Result<Vec<VirtAddr>, Absent>,
}

impl Job {
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

    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
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

    /// Closing the last handle ends its processes.
    pub fn kill_on_close(&self) -> Result<bool, Absent> {
        self.get(|fields| &fields.limit_flags).map(|flags| flags & KILL_ON_JOB_CLOSE != 0)
    }

    /// The scheduling group of its processes; `None` if nothing limits their share of the processors.
    pub fn scheduling_group(&self) -> Result<Option<SchedulingGroup>, Absent> {
        SchedulingGroup::at(&self.snapshot, self.get(|fields| &fields.effective_scheduling_group)?)
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
}

impl Group for Job {
    type Source = JobSources;

    const NAME: &'static str = "job";
    const LIST: ListName = ListName::new("list of jobs", "PspJobList", "_EJOB.JobLinks");
    const MEMBERS: ListName = ListName::new("list of a job's processes", "_EJOB.ProcessListHead", "_EPROCESS.JobLinks");
    const AROUND: Option<(&'static str, JobSources)> = Some(("EJOB.ParentJob", JobSources::PARENT_JOB));
    const MAX: usize = 1 << 14;

    fn probe(snapshot: &Snapshot, at: VirtAddr) -> Result<Self, Absent> {
        /// Every object lies at a multiple of this.
        const ALIGNMENT: u64 = 8;
        if !at.is_kernel() || !at.0.is_multiple_of(ALIGNMENT) {
            return Err(Absent::Malformed);
        }
        let fields = &snapshot.fields().job;
        let view = StructView::read(snapshot.space(), at, fields.extent);
        let lists = [view.address_of(&fields.job_links), view.address_of(&fields.process_list_head)];
        if list::speak_against(snapshot.space(), &lists) {
            return Err(Absent::Malformed);
        }
        let (snapshot, members) = (snapshot.clone(), Err(Absent::AddressNotInDump));
        Ok(Self { snapshot, view, sources: JobSources::empty(), members })
    }

    fn add_source(&mut self, source: JobSources) {
        self.sources |= source;
    }

    fn around(&self) -> Option<VirtAddr> {
        self.parent().ok().flatten()
    }

    fn links(fields: &Fields) -> Result<Field<Embedded>, Absent> {
        fields.job.job_links
    }

    fn members_head(&self) -> Result<VirtAddr, Absent> {
        self.view.address_of(&self.snapshot.fields().job.process_list_head)
    }

    fn process_links(fields: &Fields) -> Result<Field<Embedded>, Absent> {
        fields.process.eprocess.job_links
    }

    fn set_members(&mut self, members: Vec<VirtAddr>) {
        self.members = Ok(members);
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
    pub(crate) found: Found<Job>,
    /// Why no job can be told to be a silo: the build has none, or the layout does not say.
    pub(crate) no_silos: Option<Absent>,
    /// Where jobs and processes contradict each other.
    pub contradictions: Vec<Incomplete>,
}

impl Jobs {
    /// The job at an address.
    pub fn get(&self, job: VirtAddr) -> Option<&Job> {
        self.found.by_address.get(&job)
    }

    /// All of them, in the order of their addresses.
    pub fn iter(&self) -> impl Iterator<Item = &Job> {
        self.found.by_address.values()
    }

    /// Whether the build has no silos at all.
    pub fn have_no_silos(&self) -> bool {
        self.no_silos == Some(Absent::NoSuchField)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Values as `winnt.h` defines them.
    #[test]
    fn limits_have_the_headers_names() {
        assert_eq!(limit_names(KILL_ON_JOB_CLOSE), ["JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE"]);
        assert_eq!(limit_names(0x100), ["JOB_OBJECT_LIMIT_PROCESS_MEMORY"]);
        assert_eq!(limit_names(0x4_0200), ["JOB_OBJECT_LIMIT_JOB_MEMORY", "JOB_OBJECT_LIMIT_CPU_RATE_CONTROL"]);
        assert_eq!(limit_names(0x8020_0000), ["bit_21", "bit_31"]);
        assert_eq!(ui_restriction_names(0x41), ["JOB_OBJECT_UILIMIT_HANDLES", "JOB_OBJECT_UILIMIT_DESKTOP"]);
    }
}
