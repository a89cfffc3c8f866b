//! Server silos - containers - and where each keeps its own namespace.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::layout::Layouts;
use crate::layout::field::{Embedded, Field};
use crate::layout::view::StructView;
use crate::nt::process::Process;
use crate::nt::snapshot::Snapshot;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

crate::fields! {
    /// Fields of `_EJOB`: what a job is, and what makes it the silo of a container.
    pub struct JobFields of "_EJOB" {
        /// Head of the list of its processes.
        process_list_head: Field<Embedded> = "ProcessListHead",
        /// The job around it.
        parent_job: Field<VirtAddr> = "ParentJob",
        /// Number of its session.
        session_id: Field<u32> = "SessionId",
        /// Globals of the container, if the job is one.
        server_silo_globals: Field<VirtAddr> = "ServerSiloGlobals",
        /// Its number.
        job_id: Field<u32> = "JobId",
    }
}

crate::fields! {
    /// Fields of `_ESERVERSILO_GLOBALS`.
    struct GlobalsFields of "_ESERVERSILO_GLOBALS" {
        silo_root_directory_name: Field<[u8; 16]> = "SiloRootDirectoryName",
    }
}

/// The structures of server silos.
#[derive(Clone, Debug)]
pub struct SiloFields {
    job: JobFields,
    globals: GlobalsFields,
}

impl SiloFields {
    /// Takes the fields from the layouts.
    pub fn resolve(layouts: &Layouts) -> Self {
        Self { job: JobFields::resolve(layouts), globals: GlobalsFields::resolve(layouts) }
    }
}

/// Jobs inside one another.
const MAX_NESTING: usize = 64;

/// A server silo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSilo {
    /// Its job.
    pub job: VirtAddr,
    /// Its globals (`ESERVERSILO_GLOBALS`).
    pub globals: VirtAddr,
    /// The session that is the container's own first one.
    pub session_id: Result<u32, Absent>,
    /// Path of its root directory in the host's namespace, such as `\Silos\278`; `None` if it has none yet.
    pub root: Result<Option<String>, Absent>,
}

/// The server silos that processes live in, found through the jobs around them. `directories` is the root of the
/// namespace.
pub(crate) fn server_silos(
    snapshot: &Snapshot,
    processes: &[Process],
    directories: Result<VirtAddr, Absent>,
) -> Vec<ServerSilo> {
    let memory = snapshot.space();
    let fields = &snapshot.fields().silo;
    let mut seen = BTreeSet::new();
    let mut found = BTreeMap::new();
    for process in processes {
        let mut next = process.job().ok().flatten();
        for _ in 0..MAX_NESTING {
            let Some(job) = next.filter(|job| job.is_kernel() && seen.insert(*job)) else { break };
            let view = StructView::read(memory, job, fields.job.extent);
            if let Ok(globals) = view.get(&fields.job.server_silo_globals)
                && globals.is_kernel()
            {
                let view_of_globals = StructView::read(memory, globals, fields.globals.extent);
                let name = fields.globals.silo_root_directory_name;
                let root = name
                    .and_then(|name| snapshot.fields().unicode_string.read_in(&view_of_globals, name.offset, memory));
                // Where the layout does not tell where the name is, the directory that Windows makes for the job does.
                let root = root.or_else(|why| {
                    let number = view.get(&fields.job.job_id)?.to_string();
                    let found = directories.is_ok_and(|root| exists(snapshot, root, &["Silos", &number]));
                    if found { Ok(Some(format!("\\Silos\\{number}"))) } else { Err(why) }
                });
                found.insert(job, ServerSilo { job, globals, session_id: view.get(&fields.job.session_id), root });
            }
            next = view.get(&fields.job.parent_job).ok();
        }
    }
    found.into_values().collect()
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
