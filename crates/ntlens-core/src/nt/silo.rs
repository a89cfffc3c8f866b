//! Silos: jobs with a view of their own on the system. A server silo is a container; one without globals only virtualizes
//! something for an application.
//!
//! Which silo a process is in is told as the kernel does it (`PsGetJobSilo`, `PsGetJobServerSilo`): by the first silo of
//! the chain of jobs from the innermost outward. Since build 17763 a process also names its container itself.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::layout::Layouts;
use crate::layout::field::Field;
use crate::layout::view::StructView;
use crate::nt::job::{Chain, Job, Jobs};
use crate::nt::process::Process;
use crate::nt::snapshot::Snapshot;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

crate::fields! {
    /// Fields of `_ESERVERSILO_GLOBALS`.
    struct GlobalsFields of "_ESERVERSILO_GLOBALS" {
        silo_root_directory_name: Field<[u8; 16]> = "SiloRootDirectoryName",
    }
}

/// The structures of server silos.
#[derive(Clone, Debug)]
pub struct SiloFields {
    globals: GlobalsFields,
}

impl SiloFields {
    /// Takes the fields from the layouts.
    pub fn resolve(layouts: &Layouts) -> Self {
        Self { globals: GlobalsFields::resolve(layouts) }
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
        self.first(process, |_| true)
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
        self.first(process, |kind| kind == SiloKind::ServerSilo)
    }

    /// The innermost silo around a process that is wanted.
    fn first(&self, process: &Process, wanted: fn(SiloKind) -> bool) -> Result<Option<&Job>, Absent> {
        if self.no_silos {
            return Err(Absent::NoSuchField);
        }
        let Chain { jobs, cut } = self.chain_of(process)?;
        for job in jobs {
            if job.silo_kind()?.is_some_and(wanted) {
                return Ok(Some(job));
            }
        }
        cut.map_or(Ok(None), Err)
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
    let fields = &snapshot.fields().silo.globals;
    let silo = |job: &Job| {
        let globals = job.server_silo_globals().ok().flatten()?;
        let globals = StructView::read(snapshot.space(), globals, fields.extent);
        let name = fields.silo_root_directory_name;
        let root =
            name.and_then(|name| snapshot.fields().unicode_string.read_in(&globals, name.offset, snapshot.space()));
        // Where the layout does not tell where the name is, the directory that Windows makes for the job does.
        let root = root.or_else(|why| {
            let number = job.job_id()?.to_string();
            let found = directories.is_ok_and(|root| exists(snapshot, root, &["Silos", &number]));
            if found { Ok(Some(format!("\\Silos\\{number}"))) } else { Err(why) }
        });
        Some(ServerSilo { job: job.address(), session_id: job.session_id(), root })
    };
    jobs.iter().filter_map(silo).collect()
}

/// Whether names lead from a directory to an object.
fn exists(snapshot: &Snapshot, root: VirtAddr, names: &[&str]) -> bool {
    let memory = snapshot.space();
    let fields = snapshot.fields();
    let below = |directory: VirtAddr, wanted: &&str| {
        let (objects, _) = fields.directory.objects(memory, directory).ok()?;
        objects.into_iter().find(|object| {
            let name = fields.object.of_body(memory, *object).and_then(|header| header.name(memory));
            name.is_ok_and(|name| name.is_some_and(|name| name.name.eq_ignore_ascii_case(wanted)))
        })
    };
    names.iter().try_fold(root, below).is_some()
}
