//! `silos`: every job that is a silo, behind the host.

use super::info::{product, suites};
use super::jobs::guid;
use super::value::{Code, Numbers};
use super::{Asked, Cell, Column, Kind, TableDef, screen};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::layout::field::{Field, Scalar};
use crate::nt::census::Processes;
use crate::nt::job::{Job, JobFlagWord, Jobs};
use crate::nt::object_name::Name;
use crate::nt::process::Process;
use crate::nt::silo::{GlobalsFields, SharedDataFields, SiloGlobals, SiloKind};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A silo, or the host.
#[derive(Debug)]
pub struct SiloRow {
    /// None for the host.
    job: Option<Job>,
    name: Name,
    kind: &'static str,
    around: Result<Option<VirtAddr>, Absent>,
    globals: Result<SiloGlobals, Absent>,
    root: Result<Option<String>, Absent>,
    root_object: Result<VirtAddr, Absent>,
    inside: Inside,
    /// Ids of the processes whose addresses globals hold.
    pids: Arc<BTreeMap<VirtAddr, u64>>,
}

/// The processes in a silo and in what lies in it.
#[derive(Clone, Debug, Default)]
struct Inside {
    pids: Vec<u64>,
    session_ids: BTreeSet<u32>,
}

impl Inside {
    fn add(&mut self, process: &Process) {
        self.pids.extend(process.pid());
        self.session_ids.extend(process.session_id());
    }
}

/// The table.
pub const SILOS: Asked<SiloRow> = Asked {
    table: TableDef {
        name: "silos",
        about: "the host and every job that is a silo: its kind, its namespace, and the processes in it",
        columns: COLUMNS,
        screen: &[
            screen("Kind", "silo_kind").key(),
            screen("Id", "silo_id").key(),
            screen("Job", "job").main(),
            screen("State", "state"),
            screen("Processes", "process_count"),
            screen("Sessions", "session_ids").main(),
            screen("Services", "service_session_id"),
            screen("Console", "active_console_id"),
            screen("Root", "root_directory"),
            screen("Container", "container_id").main(),
        ],
        record: false,
    },
    parameters: &[],
    rows: |dump, _| {
        let kernel = dump.kernel()?;
        let Processes { processes, jobs, mut incomplete, .. } = dump.jobs()?;
        incomplete.extend(jobs.contradictions.iter().cloned());
        if jobs.have_no_silos() {
            return Ok((Vec::new(), incomplete));
        }
        let namespace = dump.namespace()?;
        incomplete.extend(namespace.incomplete);
        // One walk of the namespace gives every root.
        let roots: BTreeMap<String, VirtAddr> =
            namespace.objects.iter().map(|object| (object.path.to_lowercase(), object.object)).collect();
        let pids = processes.iter().filter_map(|process| Some((process.eprocess(), process.pid().ok()?)));
        let pids: Arc<BTreeMap<VirtAddr, u64>> = Arc::new(pids.collect());
        let (mut inside, host) = inside(&jobs, &processes);
        let names = jobs.names(kernel);
        let mut rows = Vec::new();
        match SiloGlobals::of_host(kernel) {
            Ok(globals) => rows.push(SiloRow {
                job: None,
                name: Ok(None),
                kind: "host",
                around: Ok(None),
                globals: Ok(globals),
                root: Ok(Some(HOST_ROOT.into())),
                root_object: roots.get(HOST_ROOT).copied().ok_or(Absent::SymbolsNeeded),
                inside: host,
                pids: pids.clone(),
            }),
            Err(why) => incomplete.push(Incomplete::new("globals of the host", "PspHostSiloGlobals", why)),
        }
        for job in jobs.iter() {
            let kind = match job.silo_kind() {
                Ok(Some(kind)) => kind,
                Ok(None) => continue,
                Err(why) => {
                    incomplete.push(Incomplete::new("whether a job is a silo", job.address(), why));
                    continue;
                }
            };
            let globals = job.silo_globals();
            let told = namespace.silos.iter().find(|silo| silo.job == job.address());
            let root = told.map_or(Err(Absent::NotApplicable), |silo| silo.root.clone());
            let path = root.clone().and_then(|root| root.ok_or(Absent::NotApplicable));
            let around = job.parent().ok().flatten().map_or(Ok(None), |parent| jobs.silo_around(parent));
            rows.push(SiloRow {
                name: names.get(&job.address()).cloned().unwrap_or(Ok(None)),
                kind: SiloKind::name(kind),
                around: around.map(|around| around.map(Job::address)),
                root_object: path.and_then(|path| roots.get(&path.to_lowercase()).copied().ok_or(Absent::Malformed)),
                root,
                globals,
                inside: inside.remove(&job.address()).unwrap_or_default(),
                pids: pids.clone(),
                job: Some(job.clone()),
            });
        }
        Ok((rows, incomplete))
    },
    remarks: |_| Vec::new(),
};

/// The root directory of the host.
const HOST_ROOT: &str = "\\";

/// The processes of each silo by its job, and those of the host.
fn inside(jobs: &Jobs, processes: &[Process]) -> (BTreeMap<VirtAddr, Inside>, Inside) {
    let (mut inside, mut host): (BTreeMap<VirtAddr, Inside>, Inside) = (BTreeMap::new(), Inside::default());
    for process in processes {
        let chain = jobs.chain_of(process).map(|chain| chain.jobs).unwrap_or_default();
        let silos = chain.into_iter().filter(|job| job.silo_kind().is_ok_and(|kind| kind.is_some())).map(Job::address);
        let server_silo = jobs.server_silo_of(process);
        // The process itself names its container, whatever becomes of its jobs.
        let all: BTreeSet<VirtAddr> = silos.chain(server_silo.ok().flatten()).collect();
        for silo in all {
            inside.entry(silo).or_default().add(process);
        }
        if server_silo == Ok(None) {
            host.add(process);
        }
    }
    (inside, host)
}

impl SiloRow {
    fn of_job<T: Into<Cell>>(&self, get: impl FnOnce(&Job) -> Result<T, Absent>) -> Cell {
        self.job.as_ref().ok_or(Absent::NotApplicable).and_then(get).into()
    }

    fn globals<T: Into<Cell>>(&self, get: impl FnOnce(&SiloGlobals) -> Result<T, Absent>) -> Cell {
        self.globals.as_ref().map_err(|why| *why).and_then(get).into()
    }

    fn field<T: Scalar + Into<Cell>>(&self, field: fn(&GlobalsFields) -> &Result<Field<T>, Absent>) -> Cell {
        self.globals(|globals| globals.get(field))
    }

    fn shared<T: Scalar + Into<Cell>>(&self, field: fn(&SharedDataFields) -> &Result<Field<T>, Absent>) -> Cell {
        self.globals(|globals| globals.shared(field))
    }

    /// A pointer, null if it is.
    fn pointer(&self, field: fn(&GlobalsFields) -> &Result<Field<VirtAddr>, Absent>) -> Cell {
        self.globals(|globals| globals.get(field).map(|at| Some(at.without_fast_ref()).filter(|at| !at.is_null())))
    }

    /// The id of a process that a field points to.
    fn process(&self, field: fn(&GlobalsFields) -> &Result<Field<VirtAddr>, Absent>) -> Cell {
        self.globals(|globals| {
            let process = globals.get(field)?;
            let known = || self.pids.get(&process).copied().ok_or(Absent::Malformed);
            if process.is_null() { Ok(None) } else { known().map(Some) }
        })
    }
}

/// Short for a column.
const fn column(name: &'static str, kind: Kind, about: &'static str, get: fn(&SiloRow) -> Cell) -> Column<SiloRow> {
    Column::new(name, kind, about, get)
}

const COLUMNS: &[Column<SiloRow>] = &[
    column("job", Kind::Address, "address of the EJOB; null for the host", |s| s.job.as_ref().map(Job::address).into()),
    column("silo_kind", Kind::Text, "host, silo (of an application) or server-silo (a container)", |s| s.kind.into()),
    column("silo_id", Kind::Uint, "JobId of the silo", |s| s.of_job(Job::job_id)),
    column("name", Kind::Text, "full name of the job, if it has one", |s| {
        s.name.as_ref().map(Option::as_deref).map_err(|why| *why).into()
    }),
    column("parent_silo", Kind::Address, "job of the silo around it", |s| s.around.into()),
    column("container_id", Kind::Text, "ContainerId", |s| {
        s.job.as_ref().map_or(Cell::Absent(Absent::NotApplicable), |job| guid(job.get(|f| &f.container_id)))
    }),
    column("container_telemetry_id", Kind::Text, "ContainerTelemetryId", |s| {
        s.job.as_ref().map_or(Cell::Absent(Absent::NotApplicable), |job| guid(job.get(|f| &f.container_telemetry_id)))
    }),
    column("state", Kind::Text, "how far the container's life has gone (_SERVERSILO_STATE)", |s| {
        s.globals(SiloGlobals::state)
    }),
    column("state_raw", Kind::Uint, "State", |s| s.field(|f| &f.state)),
    column("exit_status", Kind::Code, "ExitStatus", |s| {
        s.globals(|globals| globals.get(|f| &f.exit_status).map(|status| Code(status.into())))
    }),
    column("session_id", Kind::Uint, "SessionId of the job: of a container, its own first session", |s| {
        s.of_job(Job::session_id)
    }),
    column("service_session_id", Kind::Uint, "ServiceSessionId: the session of its services", |s| {
        s.shared(|f| &f.service_session_id)
    }),
    column("active_console_id", Kind::Uint, "ActiveConsoleId: the session at its console", |s| {
        s.shared(|f| &f.active_console_id)
    }),
    column("console_foreground_process_id", Kind::Uint, "ConsoleSessionForegroundProcessId", |s| {
        s.shared(|f| &f.console_foreground_process_id)
    }),
    column("shared_user_session_id", Kind::Uint, "SharedUserSessionId", |s| s.shared(|f| &f.shared_user_session_id)),
    column("session_ids", Kind::Numbers, "sessions of the processes in it", |s| {
        Numbers(s.inside.session_ids.iter().map(|id| u64::from(*id)).collect()).into()
    }),
    column(
        "processes",
        Kind::Numbers,
        "ids of the processes in it and in silos inside it; of the host, of the others",
        |s| Numbers(s.inside.pids.clone()).into(),
    ),
    column("process_count", Kind::Uint, "how many these are", |s| Cell::from(s.inside.pids.len() as u64)),
    column("sources", Kind::List, "how its job was found: process, parent-job, job-list, handle", |s| {
        s.of_job(|job| Ok(job.sources().names()))
    }),
    column("root_directory", Kind::Text, "path of its root directory in the host's namespace", |s| {
        s.root.clone().into()
    }),
    column("root_directory_object", Kind::Address, "that directory", |s| s.root_object.into()),
    column("globals", Kind::Address, "address of the ESERVERSILO_GLOBALS", |s| s.globals(|g| Ok(g.address()))),
    column("is_downlevel_container", Kind::Bool, "its Windows is older than the host's", |s| {
        s.globals(|globals| globals.get(|f| &f.is_downlevel_container).map(|is| is != 0))
    }),
    column("product_type", Kind::Text, "workstation, domain-controller or server", |s| {
        s.globals(|globals| globals.shared(|f| &f.nt_product_type).map(product))
    }),
    column("suites", Kind::List, "VER_SUITE names", |s| {
        s.globals(|globals| globals.shared(|f| &f.suite_mask).map(suites))
    }),
    column("nt_system_root", Kind::Text, "NtSystemRoot: where its Windows is", |s| {
        s.globals(|globals| globals.text(|f| &f.nt_system_root))
    }),
    column("system_device_map", Kind::Address, "ObSiloState.SystemDeviceMap: its drive letters", |s| {
        s.pointer(|f| &f.system_device_map)
    }),
    column("etw_silo_state", Kind::Address, "EtwSiloState: its loggers and providers", |s| {
        s.pointer(|f| &f.etw_silo_state)
    }),
    column("system_logon_session", Kind::Address, "SeSiloState.SystemLogonSession", |s| {
        s.pointer(|f| &f.system_logon_session)
    }),
    column("session_leader_pid", Kind::Uint, "MiSessionLeaderProcess: the process that makes its sessions", |s| {
        s.process(|f| &f.session_leader_process)
    }),
    column(
        "default_error_port_pid",
        Kind::Uint,
        "ExpDefaultErrorPortProcess: the process that shows its errors",
        |s| s.process(|f| &f.default_error_port_process),
    ),
    column("silo_hard_reference_count", Kind::Uint, "SiloHardReferenceCount: what keeps it alive", |s| {
        s.of_job(|job| job.get(|f| &f.silo_hard_reference_count))
    }),
    column("job_flags", Kind::List, "what is set in JobFlags", |s| {
        s.of_job(|job| job.flags(JobFlagWord::JobFlags).map(|(_, names)| names))
    }),
    column("job_flags2", Kind::List, "what is set in JobFlags2", |s| {
        s.of_job(|job| job.flags(JobFlagWord::JobFlags2).map(|(_, names)| names))
    }),
];
