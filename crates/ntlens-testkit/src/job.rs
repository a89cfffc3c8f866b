//! `_EJOB`: jobs, the processes in them, and the silos that some of them are.

use crate::assembly::Assembly;
use crate::namespace::namespace_session;
use crate::object::Named;
use crate::pool::PoolKind;
use crate::truth;
use ntlens_core::layout::Type;
use schemars::JsonSchema;
use serde::Serialize;

/// What kind of silo a job shall be. Builds that have none leave it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Silo {
    /// None.
    #[default]
    None,
    /// Of an application: a silo without globals.
    Application,
    /// A container.
    Server,
}

/// A job to be built. Fields that a build lacks are left out there.
///
/// Jobs that lie inside one another are a tree: each names the one around it.
///
/// ```
/// use ntlens_testkit::{JobSpec, Machine, ProcessSpec, Silo, layouts};
///
/// let mut machine = Machine::new(layouts("10.0.19041.1288").unwrap()).memory(32 << 20);
/// let outer = machine.job(JobSpec::of_session(1).limits(0x2000, 0));
/// let inner = machine.job(JobSpec::of_session(1).inside(outer).silo(Silo::Application));
/// let pid = machine.process(ProcessSpec::named("office.exe").session(1).job(inner));
/// let image = machine.build();
/// let [outer, inner] = &image.truth().jobs[..] else { panic!() };
/// assert_eq!((inner.parent, &outer.children), (Some(outer.va), &vec![inner.va]));
/// assert_eq!((&inner.processes, inner.silo, inner.server_silo), (&vec![pid], true, false));
/// ```
#[derive(Clone, Debug, Default)]
pub struct JobSpec {
    pub(crate) path: Option<String>,
    pub(crate) parent: Option<usize>,
    pub(crate) silo: Silo,
    pub(crate) session: u32,
    pub(crate) limit_flags: u32,
    pub(crate) ui_restrictions: u32,
    pub(crate) unlisted: bool,
    pub(crate) cpu: Option<CpuPolicy>,
}

impl JobSpec {
    /// A job of this session.
    pub fn of_session(session: u32) -> Self {
        Self { session, ..Self::default() }
    }

    /// Its full name.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// The job around it, by its number; Windows 7 has none.
    #[must_use]
    pub const fn inside(mut self, parent: usize) -> Self {
        self.parent = Some(parent);
        self
    }

    /// What kind of silo it is.
    #[must_use]
    pub const fn silo(mut self, silo: Silo) -> Self {
        self.silo = silo;
        self
    }

    /// `LimitFlags` and `UIRestrictionsClass`.
    #[must_use]
    pub const fn limits(mut self, flags: u32, ui_restrictions: u32) -> Self {
        (self.limit_flags, self.ui_restrictions) = (flags, ui_restrictions);
        self
    }

    /// How the share of the processors is limited, of this job and of those inside it that say nothing themselves.
    /// Windows 7 has no such thing.
    #[must_use]
    pub const fn cpu(mut self, policy: CpuPolicy) -> Self {
        self.cpu = Some(policy);
        self
    }

    /// Not in the kernel's list of jobs.
    #[must_use]
    pub const fn unlisted(mut self) -> Self {
        self.unlisted = true;
        self
    }
}

/// The policy of a scheduling group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct CpuPolicy {
    /// `Type`
    pub kind: u8,
    /// `Policy.MinRate`, which is `Policy.Weight` too; Windows 8.1 has no place for it.
    pub min_rate: u16,
    /// `Policy.MaxRate`, in Windows 8.1 `Value`.
    pub max_rate: u16,
    /// `HardCap`, which only Windows 8.1 has.
    pub hard_cap: u8,
}

const JOB: &str = "_EJOB";
const GROUP: &str = "_KSCHEDULING_GROUP";
const GLOBALS: &str = "_ESERVERSILO_GLOBALS";

/// `JobId` of the job with this number.
const fn id(number: u64) -> u64 {
    256 + number * 3
}

/// The root directory of the container that the job with this number is.
pub(crate) fn root_directory(number: u64) -> String {
    format!("\\Silos\\{}", id(number))
}

impl Assembly<'_> {
    /// Writes the jobs and puts the processes into them.
    pub(crate) fn jobs(&mut self) {
        let kernel = self.guest.kernel;
        let list = self.symbol("PspJobList");
        if let Some(head) = list {
            self.guest.empty_list(kernel, head);
        }
        if let Some(host) = self.symbol("PspHostSiloGlobals") {
            self.guest.at(host, GLOBALS).put("State", 1);
        }
        let machine = self.machine;
        for (spec, number) in machine.jobs.iter().zip(0..) {
            let job = self.job(spec, number);
            if let (Some(head), Some(links), false) = (list, self.guest.offset(JOB, "JobLinks"), spec.unlisted) {
                self.guest.append(kernel, head, job.va + links);
            }
            if let Some(parent) = job.parent {
                let of = |job: &&mut truth::Job| job.va == parent;
                self.truth.jobs.iter_mut().find(of).expect("the parent was written").children.push(job.va);
            }
            self.truth.jobs.push(job);
        }
        for (index, spec) in machine.processes.iter().enumerate() {
            if let Some(number) = spec.job {
                self.put_into(index, number);
            }
        }
    }

    fn job(&mut self, spec: &JobSpec, number: u64) -> truth::Job {
        let size = self.guest.size_of(JOB, 0x700);
        let named = spec.path.as_deref().map(|path| {
            let (above, name) = path.rsplit_once('\\').expect("a path starts with a backslash");
            Named { directory: self.directory(above), name }
        });
        let va = self.object(PoolKind::NonPaged, "Job", size, *b"Job ", named);
        if let Some(path) = &spec.path {
            let (path, kind) = (path.clone(), "Job".into());
            let namespace_session = namespace_session(&path);
            self.truth.named_objects.push(truth::NamedObject { path, kind, object: va, namespace_session });
        }
        let has = |assembly: &Self, field| assembly.guest.offset(JOB, field).is_some();
        let parent = spec.parent.filter(|_| has(self, "ParentJob")).map(|parent| self.truth.jobs[parent].va);
        let silo = has(self, "Silo") && spec.silo != Silo::None;
        let id = id(number);
        let root = parent.map_or(va, |parent| self.outermost(parent));
        let around = parent.map(|parent| self.written(parent)).and_then(|job| job.scheduling_group.zip(job.cpu_policy));
        let policy = spec.cpu.filter(|_| has(self, "EffectiveSchedulingGroup"));
        let own = policy.map(|policy| (self.scheduling_group(policy), policy));
        let (scheduling_group, cpu_policy) = own.or(around).unzip();
        self.guest
            .at(va, JOB)
            .ring("JobLinks")
            .ring("ProcessListHead")
            .ring("SiblingJobLinks")
            .ring("ChildJobListHead")
            .ring("IteratorListHead")
            .set("Event.Header.Size", 6)
            .set("SessionId", u64::from(spec.session))
            .set("JobId", id)
            .set("LimitFlags", u64::from(spec.limit_flags))
            .set("EffectiveLimitFlags", u64::from(spec.limit_flags))
            .set("UIRestrictionsClass", u64::from(spec.ui_restrictions))
            .set("ParentJob", parent.unwrap_or(0))
            .set("RootJob", root)
            .set("CpuRateControlActive", u64::from(scheduling_group.is_some()))
            .set("OwnCpuRateControl", u64::from(own.is_some()))
            .set("EffectiveSchedulingGroup", scheduling_group.unwrap_or(0))
            .set("Silo", u64::from(silo));
        let container_id = (silo && has(self, "ContainerId")).then(|| self.container_id(va));
        let server = silo && spec.silo == Silo::Server;
        let silo_globals = server.then(|| self.silo_globals(va, number, spec.session));
        truth::Job {
            va,
            job_id: has(self, "JobId").then_some(id),
            session_id: spec.session,
            name: spec.path.clone(),
            parent,
            children: Vec::new(),
            processes: Vec::new(),
            limit_flags: spec.limit_flags,
            ui_restrictions: spec.ui_restrictions,
            silo,
            server_silo: server,
            container_id,
            silo_globals,
            root_directory: server.then(|| root_directory(number)),
            listed: !spec.unlisted,
            scheduling_group,
            cpu_policy,
        }
    }

    fn scheduling_group(&mut self, policy: CpuPolicy) -> u64 {
        let size = self.guest.size_of(GROUP, 0x200);
        let at = self.guest.alloc(PoolKind::NonPaged, size, *b"PsJb");
        let (kind, min, max) = (u64::from(policy.kind), u64::from(policy.min_rate), u64::from(policy.max_rate));
        self.guest
            .at(at, GROUP)
            .set("Policy.MinRate", min)
            .set("Policy.MaxRate", max)
            .set("Policy.Type", kind)
            .set("Value", max)
            .set("Type", kind)
            .set("HardCap", u64::from(policy.hard_cap));
        at
    }

    /// Random bytes, and the GUID that they are: three little-endian numbers and eight bytes.
    fn container_id(&mut self, job: u64) -> String {
        let bytes: Vec<u8> = (0..16).map(|_| self.rng.next() as u8).collect();
        self.guest.at(job, JOB).bytes("ContainerId", &bytes);
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let behind = bytes[8..].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let (first, second, third) = (number(&bytes[..4]), number(&bytes[4..6]), number(&bytes[6..8]));
        format!("{first:08x}-{second:04x}-{third:04x}-{:04x}-{:012x}", behind >> 48, behind & 0xffff_ffff_ffff)
    }

    fn silo_globals(&mut self, job: u64, number: u64, session: u32) -> u64 {
        let path = root_directory(number);
        self.directory(&path);
        let (size, shared) = (self.guest.size_of(GLOBALS, 0x560), self.guest.size_of("_SILO_USER_SHARED_DATA", 0x270));
        let globals = self.guest.alloc(PoolKind::NonPaged, size, *b"PsSg");
        // The first build with containers keeps it inside.
        let inside = self.guest.layouts.place(GLOBALS, "UserSharedData").ok();
        let inside = inside.filter(|place| matches!(place.ty, Type::Struct(_)));
        let data = match &inside {
            Some(place) => globals + u64::from(place.offset),
            None => self.guest.alloc(PoolKind::NonPaged, shared, *b"PsSg"),
        };
        let (path, windows) = (self.guest.pool_text(&path), self.guest.pool_text("C:\\Windows"));
        self.guest
            .at(data, "_SILO_USER_SHARED_DATA")
            .set("ServiceSessionId", u64::from(session))
            .set("ActiveConsoleId", u64::from(session) + 1)
            .set("NtProductType", 3)
            .set("SuiteMask", 0x10);
        self.guest
            .at(globals, GLOBALS)
            .set("State", 1)
            .text("SiloRootDirectoryName", path)
            .text("NtSystemRoot", windows);
        if inside.is_none() {
            self.guest.at(globals, GLOBALS).put("UserSharedData", data);
        }
        self.guest.at(job, JOB).put("ServerSiloGlobals", globals);
        if let Some(of_silo) = self.truth.sessions.iter().find(|known| known.session_id == session) {
            self.guest.at(of_silo.va, "_MM_SESSION_SPACE").put("ServerSilo", job);
        }
        globals
    }

    fn written(&self, job: u64) -> &truth::Job {
        self.truth.jobs.iter().find(|known| known.va == job).expect("a job that was written")
    }

    fn outermost(&self, job: u64) -> u64 {
        self.written(job).parent.map_or(job, |parent| self.outermost(parent))
    }

    /// The container that a job is or lies in.
    fn server_silo(&self, job: u64) -> Option<u64> {
        let written = self.written(job);
        if written.server_silo { Some(job) } else { self.server_silo(written.parent?) }
    }

    fn put_into(&mut self, index: usize, number: usize) {
        let job = self.truth.jobs[number].va;
        let (kernel, eprocess) = (self.guest.kernel, self.built[index].eprocess);
        let silo = self.server_silo(job);
        let session = self.truth.processes[index].session_id;
        let space = self.truth.sessions.iter().find(|known| Some(known.session_id) == session).map(|known| known.va);
        if let (Some(silo), Some(space)) = (silo, space) {
            self.guest.at(space, "_MM_SESSION_SPACE").put("ServerSilo", silo);
        }
        let group = self.truth.jobs[number].scheduling_group.unwrap_or(0);
        let process = self.guest.at(eprocess, "_EPROCESS").set("Job", job).set("ServerSilo", silo.unwrap_or(0));
        process.set("Pcb.SchedulingGroup", group);
        let (head, links) = (self.guest.offset(JOB, "ProcessListHead"), self.guest.offset("_EPROCESS", "JobLinks"));
        self.guest.append(kernel, job + head.unwrap(), eprocess + links.unwrap());
        let (process, known) = (&mut self.truth.processes[index], &mut self.truth.jobs[number]);
        (process.job, process.server_silo_job) = (Some(job), silo);
        known.processes.push(process.pid);
        let count = known.processes.len() as u64;
        self.guest.at(job, JOB).set("ActiveProcesses", count).set("TotalProcesses", count + 1);
    }
}
