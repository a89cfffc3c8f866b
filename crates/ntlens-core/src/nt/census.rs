//! Every process of a dump: the views of the kernel in which one must appear, walked and put together.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::{Incomplete, Place};
use crate::memory::VirtualMemory;
use crate::nt::group::{Found, Group, Groups};
use crate::nt::job::{Job, Jobs};
use crate::nt::job_census;
use crate::nt::list::{self, Links, ListName};
use crate::nt::process::{PROCESS_OBJECT, Process, Sources};
use crate::nt::session::{self, Session, Sessions};
use crate::nt::snapshot::Snapshot;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// The processes of a dump.
#[derive(Clone, Debug, Default)]
pub struct Processes {
    /// In the order of the active list, then the others by their ids.
    pub processes: Vec<Process>,
    /// The jobs that the processes and the kernel's list lead to, with what contradicts itself in them.
    pub jobs: Jobs,
    /// The sessions that the processes are in.
    pub sessions: Sessions,
    /// What could not be read.
    pub incomplete: Vec<Incomplete>,
    /// Why a process may be missing that runs: neither of the two views that have all of them is whole.
    pub unseen: Option<Absent>,
}

const ACTIVE_LIST: ListName =
    ListName::new("list of active processes", "PsActiveProcessHead", "_EPROCESS.ActiveProcessLinks");

/// Which processes are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Of {
    /// Those in the active list.
    #[default]
    ActiveList,
    /// Every one that any source knows.
    All,
    /// Those with this id.
    Process(u64),
    /// The one with this `EPROCESS`.
    Eprocess(VirtAddr),
}

impl Of {
    /// Whether a process is meant.
    pub fn includes(self, process: &Process) -> bool {
        match self {
            // A triage dump has no list to be in.
            Self::ActiveList => process.sources().intersects(Sources::ACTIVE_LIST | Sources::CRASH_CONTEXT),
            Self::All => true,
            Self::Process(pid) => process.pid() == Ok(pid),
            Self::Eprocess(at) => process.eprocess() == at,
        }
    }
}

/// Lists the processes of all views.
pub fn processes(snapshot: &Snapshot) -> Processes {
    let mut census = Census {
        snapshot,
        known: BTreeMap::new(),
        sessions: Groups::new(snapshot, Found::default()),
        jobs: Groups::new(snapshot, Found::default()),
        incomplete: Vec::new(),
        list: None,
        table: None,
    };
    if let Some(triage) = snapshot.triage() {
        census.of_triage(triage.process);
        job_census::meet_those_of(&mut census.jobs, census.known.values().flatten());
        session::meet_those_of(&mut census.sessions, census.known.values().flatten());
        return census.finish(&[]);
    }
    census.cid_table();
    census.session_lists();
    let order = census.active_list();
    census.of_crash();
    // What one of these lists adds may be in further sessions and jobs.
    loop {
        let before = census.known.len();
        census.session_lists();
        census.job_lists();
        if census.known.len() == before {
            return census.finish(&order);
        }
    }
}

struct Census<'a> {
    snapshot: &'a Snapshot,
    known: BTreeMap<VirtAddr, Result<Process, Absent>>,
    sessions: Groups<'a, Session>,
    jobs: Groups<'a, Job>,
    incomplete: Vec<Incomplete>,
    /// Why the active list is not whole.
    list: Option<Absent>,
    /// Why the table of ids is not.
    table: Option<Absent>,
}

impl Census<'_> {
    fn probe(&mut self, eprocess: VirtAddr) -> Result<&mut Process, Absent> {
        let snapshot = self.snapshot;
        let found = self.known.entry(eprocess).or_insert_with(|| Process::probe(snapshot, eprocess));
        found.as_mut().map_err(|why| *why)
    }

    fn note(&mut self, what: &str, place: impl Into<Place>, why: Absent) {
        self.incomplete.push(Incomplete::new(what, place, why));
    }

    /// The one process of a triage dump.
    fn of_triage(&mut self, eprocess: Result<VirtAddr, Absent>) {
        let found = eprocess.and_then(|at| self.probe(at).map(|process| process.add_source(Sources::CRASH_CONTEXT)));
        if let Err(why) = found {
            self.note("process of the crashing thread", "triage dump", why);
        }
    }

    /// The process of the crashing thread, unless that is the idle one: it is in no list, and no process that a user knows.
    fn of_crash(&mut self) {
        let at = match self.snapshot.crash().process {
            Ok(at) => at,
            Err(Absent::NotApplicable) => return,
            Err(why) => return self.note("process of the crashing thread", "processors", why),
        };
        if let Ok(process) = self.probe(at)
            && process.pid() != Ok(0)
        {
            process.add_source(Sources::CRASH_CONTEXT);
        }
    }

    /// The processes of the table of ids.
    fn cid_table(&mut self) {
        let memory = self.snapshot.space();
        let tables = &self.snapshot.fields().handle_tables;
        let variable = self.snapshot.heads().psp_cid_table;
        let table = variable.and_then(|at| memory.read_pointer(at));
        let entries = table.and_then(|at| tables.entries(memory, at));
        let (entries, incomplete) = match entries {
            Ok(found) => found,
            Err(why) => {
                const WHAT: &str = "table of process ids";
                self.table = Some(why);
                let fault = |variable| Ok(tables.fault(memory, table?, why, ("PspCidTable", "", variable)));
                let missing = match variable.and_then(fault) {
                    Ok(fault) => Incomplete { what: WHAT.into(), ..fault },
                    Err(why) => Incomplete::new(WHAT, "PspCidTable", why),
                };
                return self.incomplete.push(missing);
            }
        };
        self.table = (!incomplete.is_empty()).then_some(Absent::Malformed);
        self.incomplete.extend(incomplete);
        let object_type = match self.snapshot.fields().process.eprocess.object_type {
            Ok(object_type) => object_type,
            Err(why) => return self.table = Some(why),
        };
        // Most entries are threads: one byte tells.
        let (mut lost, mut unread) = (Vec::new(), None);
        let mut is_process = |at: VirtAddr| {
            let byte = memory.read_array::<1>(at.wrapping_add(object_type.offset.into()));
            if let Some(why) = byte.err().filter(|why| why.is_lost()) {
                unread = Some(why);
                Incomplete::new("objects of the table of process ids", at, why).add_to(&mut lost);
            }
            byte == Ok([PROCESS_OBJECT])
        };
        let mut found = false;
        for entry in entries.into_iter().filter(|entry| entry.pointer.is_kernel() && is_process(entry.pointer)) {
            if let Ok(process) = self.probe(entry.pointer) {
                process.add_source(Sources::CID_TABLE);
                found = true;
            }
        }
        self.incomplete.append(&mut lost);
        self.table = self.table.or(unread);
        // System at least is always in it.
        if !found {
            self.table = Some(Absent::Malformed);
            let place = variable.map_or_else(|_| "PspCidTable".into(), Place::from);
            let missing = Incomplete::new("table of process ids", place, Absent::Malformed);
            self.incomplete.push(missing.of_field("PspCidTable", "", "no process in the table", "System at least"));
        }
    }

    /// The active list in its order. Stretches that are cut off are found through the processes known so far.
    fn active_list(&mut self) -> Vec<VirtAddr> {
        let memory = self.snapshot.space();
        let links = self.snapshot.fields().process.eprocess.active_process_links;
        let (head, links) = match (self.snapshot.heads().ps_active_process_head, links) {
            (Ok(head), Ok(links)) => (head, u64::from(links.offset)),
            (Err(why), _) | (_, Err(why)) => {
                self.list = Some(why);
                self.note("list of active processes", "PsActiveProcessHead", why);
                return Vec::new();
            }
        };
        let others = self.known.keys().map(|at| at.wrapping_add(links)).collect();
        let member = |at: VirtAddr| self.probe(at.wrapping_sub(links))?.links();
        let list = list::walk(ACTIVE_LIST, head, Links::read(memory, head), member, || others);
        self.list = (!list.incomplete.is_empty()).then_some(Absent::Malformed);
        self.incomplete.extend(list.incomplete);
        let order: Vec<_> = list.members.iter().map(|at| at.wrapping_sub(links)).collect();
        for at in &order {
            if let Ok(process) = self.probe(*at) {
                process.add_source(Sources::ACTIVE_LIST);
            }
        }
        order
    }

    /// The lists of the sessions that the processes known so far are in.
    fn session_lists(&mut self) {
        let mut sessions = core::mem::replace(&mut self.sessions, Groups::new(self.snapshot, Found::default()));
        session::meet_those_of(&mut sessions, self.known.values().flatten());
        self.members(&mut sessions, Sources::SESSION_LIST);
        self.sessions = sessions;
    }

    /// The lists of the jobs that the processes known so far and the kernel's list lead to.
    fn job_lists(&mut self) {
        let mut jobs = core::mem::replace(&mut self.jobs, Groups::new(self.snapshot, Found::default()));
        job_census::meet_those_of(&mut jobs, self.known.values().flatten());
        job_census::kernel_list(&mut jobs);
        self.members(&mut jobs, Sources::JOB_LIST);
        self.jobs = jobs;
    }

    /// The processes of lists that nobody walked yet.
    fn members<G: Group>(&mut self, groups: &mut Groups<'_, G>, source: Sources) {
        for at in groups.walk_members(|at| self.probe(at).map(|_| ())) {
            if let Ok(process) = self.probe(at) {
                process.add_source(source);
            }
        }
    }

    fn finish(mut self, order: &[VirtAddr]) -> Processes {
        let (mut jobs, mut sessions) = (self.jobs.finish(), self.sessions.finish());
        self.incomplete.append(&mut sessions.incomplete);
        self.incomplete.append(&mut jobs.incomplete);
        let place: BTreeMap<_, _> = order.iter().enumerate().map(|(index, at)| (*at, index)).collect();
        let mut processes: Vec<Process> =
            self.known.into_values().flatten().filter(|process| !process.sources().is_empty()).collect();
        processes.sort_by_key(|process| {
            let index = place.get(&process.eprocess()).copied().unwrap_or(usize::MAX);
            (index, process.pid().unwrap_or(u64::MAX))
        });
        let jobs = job_census::finish(self.snapshot, jobs, &processes);
        let unseen = self.table.and(self.list);
        Processes { processes, jobs, sessions: Sessions::new(sessions), incomplete: self.incomplete, unseen }
    }
}
