//! `jobs`: every job, what is in it, and how it limits that.

use super::members::Members;
use super::value::{Code, Duration, Numbers};
use super::{Asked, Cell, Column, Kind, TableDef, screen};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::layout::field::Field;
use crate::nt::census::Processes;
use crate::nt::job::{Job, JobFields, JobFlagWord, limit_names, ui_restriction_names};
use crate::nt::object_name::Name;
use crate::nt::scheduling_group::SchedulingGroup;
use crate::nt::silo::SiloKind;
use crate::text;
use alloc::vec::Vec;
use core::ops::Deref;

/// A job, its name, and the processes in it.
#[derive(Debug)]
pub struct JobRow {
    job: Job,
    name: Name,
    /// The innermost silo that it is or lies in.
    silo: Result<Option<VirtAddr>, Absent>,
    nesting: usize,
    pids: Result<Vec<u64>, Absent>,
}

impl Deref for JobRow {
    type Target = Job;

    fn deref(&self) -> &Job {
        &self.job
    }
}

/// The table.
pub const JOBS: Asked<JobRow> = Asked {
    table: TableDef {
        name: "jobs",
        about: "every job that processes, other jobs, the kernel's list or handles lead to, and its limits",
        columns: COLUMNS,
        screen: &[
            screen("Job", "job").main(),
            screen("Id", "job_id").key(),
            screen("Session", "session_id"),
            screen("Parent", "parent_job"),
            screen("Kind", "silo_kind").main(),
            screen("PIDs", "processes").key(),
            screen("Active", "active_processes"),
            screen("Total", "total_processes"),
            screen("Kill", "kill_on_close"),
            screen("Limits", "limit_flags"),
            screen("UI", "ui_restrictions"),
            screen("Flags", "job_flags"),
            screen("Name", "name").main(),
        ],
        record: false,
    },
    parameters: &[],
    rows: |dump, _| {
        let kernel = dump.kernel()?;
        let Processes { processes, jobs, mut incomplete, .. } = dump.jobs()?;
        incomplete.extend(jobs.contradictions.iter().cloned());
        if let Err(why) = kernel.fields().job.process_list_head {
            incomplete.push(Incomplete::new("jobs", "_EJOB", why));
        }
        let mut names = jobs.names(kernel);
        let members = Members::new(&processes, |process| process.job().ok().flatten());
        let rows = jobs.iter().map(|job| JobRow {
            name: names.remove(&job.address()).unwrap_or(Ok(None)),
            silo: jobs.silo_around(job.address()).map(|silo| silo.map(Job::address)),
            nesting: jobs.chain(job.address()).jobs.len().saturating_sub(1),
            pids: members.pids(job.address(), job.members()),
            job: job.clone(),
        });
        Ok((rows.collect(), incomplete))
    },
    remarks: |_| Vec::new(),
};

/// Short for a column.
const fn column(name: &'static str, kind: Kind, about: &'static str, get: fn(&JobRow) -> Cell) -> Column<JobRow> {
    Column::new(name, kind, about, get)
}

/// A number that is a mask.
fn code(row: &JobRow, field: fn(&JobFields) -> &Result<Field<u32>, Absent>) -> Cell {
    row.get(field).map(|value| Code(value.into())).into()
}

/// A pointer, null if it is.
fn pointer(row: &JobRow, field: fn(&JobFields) -> &Result<Field<VirtAddr>, Absent>) -> Cell {
    row.get(field).map(|at| Some(at).filter(|at| !at.is_null())).into()
}

/// Something of the scheduling group, null if there is none.
fn of_group<T: Into<Cell>>(row: &JobRow, get: impl FnOnce(&SchedulingGroup) -> Result<T, Absent>) -> Cell {
    row.scheduling_group().and_then(|group| group.as_ref().map(get).transpose()).into()
}

/// A span of time.
fn time(row: &JobRow, field: fn(&JobFields) -> &Result<Field<u64>, Absent>) -> Cell {
    row.get(field).map(Duration).into()
}

/// The kind of a silo in words.
pub(super) fn kind_name(kind: Option<SiloKind>) -> &'static str {
    kind.map_or("none", SiloKind::name)
}

/// A GUID, null if it is zero.
pub(super) fn guid(bytes: Result<[u8; 16], Absent>) -> Cell {
    bytes.map(|bytes| (bytes != [0; 16]).then(|| text::guid(bytes))).into()
}

const COLUMNS: &[Column<JobRow>] = &[
    column("job", Kind::Address, "address of the EJOB", |j| j.address().into()),
    column("name", Kind::Text, "the job's full name, if it has one", |j| {
        j.name.as_ref().map(Option::as_deref).map_err(|why| *why).into()
    }),
    column("job_id", Kind::Uint, "JobId", |j| j.job_id().into()),
    column("session_id", Kind::Uint, "SessionId", |j| j.session_id().into()),
    column("parent_job", Kind::Address, "the job around it", |j| j.parent().into()),
    column("root_job", Kind::Address, "RootJob: the outermost job around it", |j| j.root().into()),
    column("nesting_depth", Kind::Uint, "jobs around it, as far as they can be followed", |j| {
        Cell::from(j.nesting as u64)
    }),
    column("silo_kind", Kind::Text, "none, silo or server-silo: what the job itself is", |j| {
        j.silo_kind().map(kind_name).into()
    }),
    column("silo_id", Kind::Uint, "JobId of a job that is a silo", |j| {
        j.silo_kind().and_then(|kind| kind.map(|_| j.job_id()).transpose()).into()
    }),
    column("silo", Kind::Address, "job of the innermost silo that it is or lies in", |j| j.silo.into()),
    column("processes", Kind::Numbers, "ids of the processes that are in it and in no job inside it", |j| {
        j.pids.clone().map(Numbers).into()
    }),
    column("sources", Kind::List, "how it was found: process, parent-job, job-list, handle", |j| {
        j.sources().names().into()
    }),
    column("active_processes", Kind::Uint, "ActiveProcesses: those that run, in jobs inside it too", |j| {
        j.get(|f| &f.active_processes).into()
    }),
    column("total_processes", Kind::Uint, "TotalProcesses: those that ever were in it", |j| {
        j.get(|f| &f.total_processes).into()
    }),
    column("total_terminated_processes", Kind::Uint, "TotalTerminatedProcesses: those that a limit ended", |j| {
        j.get(|f| &f.total_terminated_processes).into()
    }),
    column("job_flags", Kind::List, "what is set in JobFlags", |j| {
        j.flags(JobFlagWord::JobFlags).map(|(_, names)| names).into()
    }),
    column("job_flags_raw", Kind::Code, "JobFlags", |j| {
        j.flags(JobFlagWord::JobFlags).map(|(value, _)| Code(value.into())).into()
    }),
    column("job_flags2", Kind::List, "what is set in JobFlags2", |j| {
        j.flags(JobFlagWord::JobFlags2).map(|(_, names)| names).into()
    }),
    column("job_flags2_raw", Kind::Code, "JobFlags2", |j| {
        j.flags(JobFlagWord::JobFlags2).map(|(value, _)| Code(value.into())).into()
    }),
    column("limit_flags", Kind::List, "limits that are on, by winnt.h", |j| {
        j.get(|f| &f.limit_flags).map(limit_names).into()
    }),
    column("limit_flags_raw", Kind::Code, "LimitFlags", |j| code(j, |f| &f.limit_flags)),
    column("effective_limit_flags", Kind::List, "the same with those of the jobs around it", |j| {
        j.get(|f| &f.effective_limit_flags).map(limit_names).into()
    }),
    column("effective_limit_flags_raw", Kind::Code, "EffectiveLimitFlags", |j| code(j, |f| &f.effective_limit_flags)),
    column("kill_on_close", Kind::Bool, "closing the last handle ends its processes", |j| j.kill_on_close().into()),
    column("ui_restrictions", Kind::List, "what its processes may not do with windows, by winnt.h", |j| {
        j.get(|f| &f.ui_restrictions).map(ui_restriction_names).into()
    }),
    column("ui_restrictions_raw", Kind::Code, "UIRestrictionsClass", |j| code(j, |f| &f.ui_restrictions)),
    column("active_process_limit", Kind::Uint, "ActiveProcessLimit", |j| j.get(|f| &f.active_process_limit).into()),
    column("process_memory_limit", Kind::Uint, "ProcessMemoryLimit: pages that each process may commit", |j| {
        j.get(|f| &f.process_memory_limit).into()
    }),
    column("job_memory_limit", Kind::Uint, "JobMemoryLimit: pages that all processes may commit", |j| {
        j.get(|f| &f.job_memory_limit).into()
    }),
    column("peak_process_memory_used", Kind::Uint, "PeakProcessMemoryUsed, in pages", |j| {
        j.get(|f| &f.peak_process_memory_used).into()
    }),
    column("peak_job_memory_used", Kind::Uint, "PeakJobMemoryUsed, in pages", |j| {
        j.get(|f| &f.peak_job_memory_used).into()
    }),
    column("current_job_memory_used", Kind::Uint, "CurrentJobMemoryUsed, in pages", |j| {
        j.get(|f| &f.current_job_memory_used).into()
    }),
    column("per_process_user_time_limit", Kind::Duration, "PerProcessUserTimeLimit, in seconds", |j| {
        time(j, |f| &f.per_process_user_time_limit)
    }),
    column("per_job_user_time_limit", Kind::Duration, "PerJobUserTimeLimit, in seconds", |j| {
        time(j, |f| &f.per_job_user_time_limit)
    }),
    column("total_user_time", Kind::Duration, "TotalUserTime, in seconds", |j| time(j, |f| &f.total_user_time)),
    column("total_kernel_time", Kind::Duration, "TotalKernelTime, in seconds", |j| time(j, |f| &f.total_kernel_time)),
    column("minimum_working_set_size", Kind::Uint, "MinimumWorkingSetSize of each process, in bytes", |j| {
        j.get(|f| &f.minimum_working_set_size).into()
    }),
    column("maximum_working_set_size", Kind::Uint, "MaximumWorkingSetSize of each process, in bytes", |j| {
        j.get(|f| &f.maximum_working_set_size).into()
    }),
    column("priority_class", Kind::Uint, "PriorityClass of its processes", |j| j.get(|f| &f.priority_class).into()),
    column("scheduling_class", Kind::Uint, "SchedulingClass of its processes", |j| {
        j.get(|f| &f.scheduling_class).into()
    }),
    column("affinity", Kind::Addresses, "Affinity: a mask of processors for each group", |j| j.affinity().into()),
    column("cpu_rate_control", Kind::Address, "CpuRateControl: how its share of the processor is limited", |j| {
        pointer(j, |f| &f.cpu_rate_control)
    }),
    column(
        "scheduling_group",
        Kind::Address,
        "EffectiveSchedulingGroup: what the scheduler made of that, and of the jobs around it",
        |j| j.scheduling_group().map(|group| group.map(|group| group.address())).into(),
    ),
    column("cpu_rate", Kind::Uint, "its rate or weight in Windows 8 and 8.1, by cpu_policy", |j| {
        of_group(j, |g| g.get(|f| &f.value).map(u32::from))
    }),
    column("cpu_min_rate", Kind::Uint, "share of the processors that it is sure of, in hundredths of a percent", |j| {
        of_group(j, |g| g.get(|f| &f.min_rate).map(u32::from))
    }),
    column("cpu_max_rate", Kind::Uint, "share that it never exceeds, in hundredths of a percent", |j| {
        of_group(j, |g| g.get(|f| &f.max_rate).map(u32::from))
    }),
    column("cpu_weight", Kind::Uint, "its weight, in the place of cpu_min_rate: cpu_policy tells which it is", |j| {
        of_group(j, |g| g.get(|f| &f.weight).map(u32::from))
    }),
    column("cpu_policy", Kind::Uint, "Type of its scheduling group, by weight or by rate, as stored", |j| {
        of_group(j, SchedulingGroup::kind)
    }),
    column("cpu_hard_cap", Kind::Uint, "HardCap of its scheduling group in Windows 8 and 8.1, as stored", |j| {
        of_group(j, |g| g.get(|f| &f.hard_cap).map(u32::from))
    }),
    column("completion_port", Kind::Address, "CompletionPort: who is told what happens in it", |j| {
        pointer(j, |f| &f.completion_port)
    }),
    column("effective_freeze_count", Kind::Uint, "EffectiveFreezeCount: its processes are frozen if not 0", |j| {
        j.get(|f| &f.freeze_count).into()
    }),
    column("end_of_job_time_action", Kind::Uint, "EndOfJobTimeAction: 0 ends the processes, 1 tells the port", |j| {
        j.get(|f| &f.end_of_job_time_action).into()
    }),
    column("container_id", Kind::Text, "ContainerId", |j| guid(j.get(|f| &f.container_id))),
    column("container_telemetry_id", Kind::Text, "ContainerTelemetryId", |j| {
        guid(j.get(|f| &f.container_telemetry_id))
    }),
    column("server_silo_globals", Kind::Address, "ServerSiloGlobals of a container", |j| {
        j.server_silo_globals().into()
    }),
];
