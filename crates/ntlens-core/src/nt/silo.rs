//! Silos: jobs with a view of their own on the system. A server silo is a container; one without globals only virtualizes
//! something for an application.
//!
//! Which silo a process is in is told as the kernel does it (`PsGetJobSilo`, `PsGetJobServerSilo`): by the first silo of
//! the chain of jobs from the innermost outward. Since build 17763 a process also names its container itself.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::layout::field::{Field, Scalar};
use crate::layout::view::StructView;
use crate::layout::{Layouts, Type};
use crate::memory::VirtualMemory;
use crate::nt::job::{Chain, Job, Jobs};
use crate::nt::process::Process;
use crate::nt::snapshot::Snapshot;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

crate::fields! {
    /// Fields of `_ESERVERSILO_GLOBALS`: what of the kernel each container has for itself.
    pub struct GlobalsFields of "_ESERVERSILO_GLOBALS" {
        /// Its drive letters, a fast reference to a device map.
        system_device_map: Field<VirtAddr> = "ObSiloState.SystemDeviceMap",
        /// Its logon session of the system.
        system_logon_session: Field<VirtAddr> = "SeSiloState.SystemLogonSession",
        /// Its loggers and providers.
        etw_silo_state: Field<VirtAddr> = "EtwSiloState",
        /// The process that makes its sessions.
        session_leader_process: Field<VirtAddr> = "MiSessionLeaderProcess",
        /// The process that shows its errors.
        default_error_port_process: Field<VirtAddr> = "ExpDefaultErrorPortProcess",
        /// Path of its root directory.
        silo_root_directory_name: Field<[u8; 16]> = "SiloRootDirectoryName",
        /// Path of its Windows.
        nt_system_root: Field<[u8; 16]> = "NtSystemRoot",
        /// A value of the enumeration `_SERVERSILO_STATE`.
        state: Field<u32> = "State",
        /// Why it ended.
        exit_status: Field<u32> = "ExitStatus",
        /// Its Windows is older than the host's.
        is_downlevel_container: Field<u8> = "IsDownlevelContainer",
    }
}

crate::fields! {
    /// Fields of `_SILO_USER_SHARED_DATA`.
    pub struct SharedDataFields of "_SILO_USER_SHARED_DATA" {
        /// The session of its services: its session 0.
        service_session_id: Field<u32> = "ServiceSessionId",
        /// The session at its console.
        active_console_id: Field<u32> = "ActiveConsoleId",
        /// The process in the foreground of that session.
        console_foreground_process_id: Field<u64> = "ConsoleSessionForegroundProcessId",
        /// A value of the enumeration `NT_PRODUCT_TYPE`.
        nt_product_type: Field<u32> = "NtProductType",
        /// Bits of its edition.
        suite_mask: Field<u32> = "SuiteMask",
        /// The session that its processes share.
        shared_user_session_id: Field<u32> = "SharedUserSessionId",
    }
}

/// Where the globals have what processes of the container read without a system call.
#[derive(Clone, Copy, Debug)]
enum SharedData {
    /// In themselves, at this offset: the first build with containers.
    Inside(u32),
    /// Behind a pointer.
    Behind(Field<VirtAddr>),
}

/// The structures of server silos.
#[derive(Clone, Debug)]
pub struct SiloFields {
    globals: GlobalsFields,
    shared_data: SharedDataFields,
    place_of_shared_data: Result<SharedData, Absent>,
}

impl SiloFields {
    /// Takes the fields from the layouts.
    pub fn resolve(layouts: &Layouts) -> Self {
        let place = layouts.place("_ESERVERSILO_GLOBALS", "UserSharedData");
        Self {
            globals: GlobalsFields::resolve(layouts),
            shared_data: SharedDataFields::resolve(layouts),
            place_of_shared_data: place.map(|place| match place.ty {
                Type::Struct(_) => SharedData::Inside(place.offset),
                _ => SharedData::Behind(Field::at(place.offset)),
            }),
        }
    }
}

/// What kind of silo a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiloKind {
    /// A silo of an application: the job has no globals.
    Silo,
    /// A container: the job has globals (`ServerSiloGlobals`).
    ServerSilo,
}

impl SiloKind {
    /// The name in the output contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Silo => "silo",
            Self::ServerSilo => "server-silo",
        }
    }
}

impl fmt::Display for SiloKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Job {
    /// What kind of silo it is; `None` for a job that is none. Builds before Windows 10 have no silos.
    pub fn silo_kind(&self) -> Result<Option<SiloKind>, Absent> {
        match (self.server_silo_globals(), self.is_silo()) {
            (Ok(Some(_)), _) => Ok(Some(SiloKind::ServerSilo)),
            (_, Ok(false)) => Ok(None),
            (Ok(None), Ok(true)) => Ok(Some(SiloKind::Silo)),
            (_, Err(why)) | (Err(why), _) => Err(why),
        }
    }
}

impl Jobs {
    /// The innermost silo that a process is in, container or not; `None` for a process in no silo.
    pub fn silo_of(&self, process: &Process) -> Result<Option<&Job>, Absent> {
        self.first(self.chain_of(process)?, |_| true)
    }

    /// The container that a process runs in; `None` for a process of the host. It is `EPROCESS.ServerSilo` where the build
    /// has that field, else what the chain of jobs says.
    pub fn server_silo_of(&self, process: &Process) -> Result<Option<VirtAddr>, Absent> {
        match process.server_silo() {
            Err(Absent::NoSuchField) => Ok(self.server_silo_around(process)?.map(Job::address)),
            told => told,
        }
    }

    /// The container that the jobs around a process say it runs in.
    pub(crate) fn server_silo_around(&self, process: &Process) -> Result<Option<&Job>, Absent> {
        self.first(self.chain_of(process)?, |kind| kind == SiloKind::ServerSilo)
    }

    /// The innermost silo that a job is or lies in; `None` for a job in no silo.
    pub fn silo_around(&self, job: VirtAddr) -> Result<Option<&Job>, Absent> {
        self.first(self.chain(job), |_| true)
    }

    /// The innermost silo of a chain that is wanted.
    fn first<'a>(&self, chain: Chain<'a>, wanted: fn(SiloKind) -> bool) -> Result<Option<&'a Job>, Absent> {
        let Chain { jobs, cut } = chain;
        // Jobs that there are say it themselves: a container names its globals, whatever else is known.
        if let Some(why) = self.no_silos.filter(|why| jobs.is_empty() || *why == Absent::NoSuchField) {
            return Err(why);
        }
        for job in jobs {
            if job.silo_kind()?.is_some_and(wanted) {
                return Ok(Some(job));
            }
        }
        cut.map_or(Ok(None), Err)
    }
}

/// What of the kernel a container, or the host, has for itself.
#[derive(Clone, Debug)]
pub struct SiloGlobals {
    snapshot: Snapshot,
    view: StructView,
    shared_data: Result<StructView, Absent>,
}

impl SiloGlobals {
    fn read(snapshot: &Snapshot, at: VirtAddr) -> Self {
        let fields = &snapshot.fields().silo;
        let view = StructView::read(snapshot.space(), at, fields.globals.extent);
        let shared = fields.place_of_shared_data.and_then(|place| {
            let pointer = match place {
                SharedData::Inside(offset) => return Ok(at.wrapping_add(offset.into())),
                SharedData::Behind(field) => snapshot.space().read_pointer(at.wrapping_add(field.offset.into()))?,
            };
            let why = if pointer.is_null() { Absent::NotApplicable } else { Absent::Malformed };
            if pointer.is_kernel() { Ok(pointer) } else { Err(why) }
        });
        let shared_data = shared.map(|at| StructView::read(snapshot.space(), at, fields.shared_data.extent));
        Self { snapshot: snapshot.clone(), view, shared_data }
    }

    /// Those of the host, which lie in the kernel's image; only symbols tell where.
    pub fn of_host(snapshot: &Snapshot) -> Result<Self, Absent> {
        snapshot.symbol("PspHostSiloGlobals").map(|at| Self::read(snapshot, at))
    }

    /// A field by its declaration in [`GlobalsFields`].
    pub fn get<T: Scalar>(&self, field: impl Fn(&GlobalsFields) -> &Result<Field<T>, Absent>) -> Result<T, Absent> {
        self.view.get(field(&self.snapshot.fields().silo.globals))
    }

    /// A field of what its processes read without a system call, by its declaration in [`SharedDataFields`].
    pub fn shared<T: Scalar>(
        &self,
        field: impl Fn(&SharedDataFields) -> &Result<Field<T>, Absent>,
    ) -> Result<T, Absent> {
        self.shared_data.as_ref().map_err(|why| *why)?.get(field(&self.snapshot.fields().silo.shared_data))
    }

    /// Where the structure lies.
    pub fn address(&self) -> VirtAddr {
        self.view.at
    }

    /// How far its life has gone, by the names of the kernel's own enumeration.
    pub fn state(&self) -> Result<String, Absent> {
        let state = self.get(|fields| &fields.state)?;
        self.snapshot.layouts().name_of("_SERVERSILO_STATE", state)
    }

    /// A text that the structure names; `None` if there is none yet.
    pub fn text(
        &self,
        field: impl Fn(&GlobalsFields) -> &Result<Field<[u8; 16]>, Absent>,
    ) -> Result<Option<String>, Absent> {
        let offset = (*field(&self.snapshot.fields().silo.globals))?.offset;
        self.snapshot.fields().unicode_string.read_in(&self.view, offset, self.snapshot.space())
    }
}

impl Job {
    /// The globals of the container that it is; not applicable if it is none.
    pub fn silo_globals(&self) -> Result<SiloGlobals, Absent> {
        let at = self.server_silo_globals()?.ok_or(Absent::NotApplicable)?;
        Ok(SiloGlobals::read(self.snapshot(), at))
    }
}

/// A server silo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSilo {
    /// Its job.
    pub job: VirtAddr,
    /// The session that is the container's own first one.
    pub session_id: Result<u32, Absent>,
    /// Path of its root directory in the host's namespace, such as `\Silos\278`; `None` if it has none yet.
    pub root: Result<Option<String>, Absent>,
}

/// The server silos among the jobs. `directories` is the root of the namespace.
pub(crate) fn server_silos(snapshot: &Snapshot, jobs: &Jobs, directories: Result<VirtAddr, Absent>) -> Vec<ServerSilo> {
    let mut made = None;
    let silo = |job: &Job| {
        let root = job.silo_globals().ok()?.text(|fields| &fields.silo_root_directory_name);
        // Where the layout does not tell where the name is, the directory that Windows makes for the job does.
        let root = root.or_else(|why| {
            let number = job.job_id()?.to_string();
            let made = made.get_or_insert_with(|| directories_of_silos(snapshot, directories).unwrap_or_default());
            if made.contains(&number) { Ok(Some(format!("\\Silos\\{number}"))) } else { Err(why) }
        });
        Some(ServerSilo { job: job.address(), session_id: job.session_id(), root })
    };
    jobs.iter().filter_map(silo).collect()
}

/// The names in the directory `\Silos`.
fn directories_of_silos(snapshot: &Snapshot, root: Result<VirtAddr, Absent>) -> Result<BTreeSet<String>, Absent> {
    let (memory, fields) = (snapshot.space(), snapshot.fields());
    let members = |directory| {
        let (objects, _) = fields.directory.objects(memory, directory)?;
        let named = objects.into_iter().filter_map(|object| {
            let header = fields.object.of_body(memory, object).ok()?;
            Some((header.name(memory).ok()??.name, object))
        });
        Ok(named.collect::<BTreeMap<String, VirtAddr>>())
    };
    let of_root = members(root?)?;
    let silos = of_root.iter().find(|(name, _)| name.eq_ignore_ascii_case("Silos"));
    silos.map_or(Ok(BTreeSet::new()), |(_, silos)| Ok(members(*silos)?.into_keys().collect()))
}
