//! What crosses a border: worked out from what was written, handle by handle.

use crate::assembly::Assembly;
use crate::namespace::namespace_session;
use crate::truth::{CrossIntegrity, CrossSession, CrossSilo, Handle, NamedObject, Process, Truth};
use std::collections::BTreeMap;

/// `SECTION_MAP_WRITE`, `SECTION_EXTEND_SIZE`, `DELETE`, `WRITE_DAC`, `WRITE_OWNER`
const WRITES_SECTION: u32 = 0xd_0012;
/// The last parts of the integrity SIDs "medium" and "high".
const MEDIUM: u32 = 0x2000;
const HIGH: u32 = 0x3000;

impl Assembly<'_> {
    /// Tells which handles cross which border, once all of them are written.
    pub(crate) fn crossings(&mut self) {
        let silos: Vec<Silo> = self.truth.jobs.iter().filter_map(Silo::of).collect();
        for object in &mut self.truth.named_objects {
            object.namespace_session = home(&silos, &object.path).0;
        }
        let (mut session, mut silo) = (Vec::new(), Vec::new());
        let named = named(&self.truth);
        let places: BTreeMap<u64, (Option<u32>, Option<u64>)> =
            named.iter().map(|(at, object)| (*at, home(&silos, &object.path))).collect();
        for process in &self.truth.processes {
            for handle in &process.handles {
                let (Some(object), Some((of_session, of_silo))) =
                    (named.get(&handle.object), places.get(&handle.object))
                else {
                    continue;
                };
                session.extend(cross_session(process, handle, object, *of_session));
                silo.extend(cross_silo(process, handle, object, *of_session, *of_silo));
            }
        }
        let integrity = cross_integrity(&self.truth, &named);
        self.truth.cross_session = session;
        self.truth.cross_silo = silo;
        self.truth.cross_integrity = integrity;
    }
}

/// A container's root directory, its job and its session.
struct Silo {
    root: String,
    job: u64,
    session: u32,
}

impl Silo {
    fn of(job: &crate::truth::Job) -> Option<Self> {
        Some(Self { root: job.root_directory.clone()?, job: job.va, session: job.session_id })
    }
}

/// The session and the container whose namespace a path is in.
fn home(silos: &[Silo], path: &str) -> (Option<u32>, Option<u64>) {
    let inside = |silo: &Silo| {
        let rest = path.strip_prefix(silo.root.as_str())?;
        (rest.is_empty() || rest.starts_with('\\')).then(|| (rest.to_owned(), silo.session, silo.job))
    };
    match silos.iter().find_map(inside) {
        None => (namespace_session(path), None),
        Some((rest, session, job)) => {
            // The container's first session has the names at its root.
            let is_first = rest == "\\BaseNamedObjects" || rest.starts_with("\\BaseNamedObjects\\");
            (if is_first { Some(session) } else { namespace_session(&rest) }, Some(job))
        }
    }
}

fn named(truth: &Truth) -> BTreeMap<u64, &NamedObject> {
    truth.named_objects.iter().map(|object| (object.object, object)).collect()
}

fn cross_session(
    process: &Process,
    handle: &Handle,
    object: &NamedObject,
    session: Option<u32>,
) -> Option<CrossSession> {
    let namespace_session = session?;
    let class = match (namespace_session, process.session_id) {
        (_, None) => "no_session",
        (home, Some(holder)) if home == holder => return None,
        (0, Some(_)) => "session_holds_global",
        (_, Some(0)) => "service_holds_session_object",
        (_, Some(_)) => "foreign_session",
    };
    Some(CrossSession {
        pid: process.pid,
        image_name: process.image_name.clone(),
        holder_session: process.session_id,
        handle: handle.handle,
        access: handle.access,
        object: handle.object,
        kind: handle.kind.clone(),
        path: object.path.clone(),
        namespace_session,
        class,
    })
}

fn cross_silo(
    process: &Process,
    handle: &Handle,
    object: &NamedObject,
    session: Option<u32>,
    home_silo: Option<u64>,
) -> Option<CrossSilo> {
    let holder_silo = process.server_silo_job;
    let direction = match (holder_silo, home_silo) {
        (holder, home) if holder == home => return None,
        (None, _) => "host_holds_silo",
        (Some(_), None) => "silo_holds_host",
        (Some(_), Some(_)) => "silo_holds_silo",
    };
    Some(CrossSilo {
        pid: process.pid,
        image_name: process.image_name.clone(),
        holder_silo,
        home_silo,
        handle: handle.handle,
        access: handle.access,
        object: handle.object,
        kind: handle.kind.clone(),
        path: object.path.clone(),
        scope: if session.is_some() { "named_objects" } else { "shared_root" },
        direction,
    })
}

/// Sections with a name that programs give, written to from below medium while somebody at high or above holds them.
fn cross_integrity(truth: &Truth, named: &BTreeMap<u64, &NamedObject>) -> Vec<CrossIntegrity> {
    let mut holders: BTreeMap<u64, Vec<(&Process, &Handle)>> = BTreeMap::new();
    for process in &truth.processes {
        for handle in process.handles.iter().filter(|handle| handle.kind == "Section") {
            if named.get(&handle.object).is_some_and(|object| object.path.contains("\\BaseNamedObjects\\")) {
                holders.entry(handle.object).or_default().push((process, handle));
            }
        }
    }
    let mut found = Vec::new();
    for (object, holders) in &holders {
        let level = |process: &Process| process.token.integrity_rid;
        let high = holders.iter().filter(|(process, _)| level(process) >= HIGH);
        let mut high_holders: Vec<u64> = high.map(|(process, _)| process.pid).collect();
        high_holders.dedup();
        let writers =
            holders.iter().filter(|(process, handle)| level(process) < MEDIUM && handle.access & WRITES_SECTION != 0);
        for (process, handle) in writers.filter(|_| !high_holders.is_empty()) {
            found.push(CrossIntegrity {
                path: named[object].path.clone(),
                kind: handle.kind.clone(),
                object: *object,
                holder_pid: process.pid,
                holder_integrity: level(process),
                handle: handle.handle,
                access: handle.access,
                high_holders: high_holders.clone(),
            });
        }
    }
    found
}
