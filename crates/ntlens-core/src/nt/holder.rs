//! The handles of all processes turned around: who holds an object.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::nt::handle::{self, Handle, Of};
use crate::nt::integrity::Integrity;
use crate::nt::job::Jobs;
use crate::nt::process::{Process, Sources};
use crate::nt::snapshot::Snapshot;
use crate::nt::token::Tokens;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// An object and the handles that lead to it.
#[derive(Clone, Debug)]
pub struct Holding {
    /// The session whose namespace the object is in.
    pub object_session_id: Result<Option<u32>, Absent>,
    /// The job of the server silo whose namespace the object is in.
    pub object_silo: Option<VirtAddr>,
    /// One handle to it.
    pub handle: Handle,
}

/// Who holds which object.
#[derive(Clone, Debug, Default)]
pub struct Holders {
    by_object: BTreeMap<VirtAddr, Vec<Holding>>,
    parties: BTreeMap<VirtAddr, Party>,
    /// What could not be read.
    pub incomplete: Vec<Incomplete>,
}

impl Holders {
    /// The handles to the object at an address, in the order of the processes.
    pub fn of(&self, object: VirtAddr) -> &[Holding] {
        self.by_object.get(&object).map_or(&[], Vec::as_slice)
    }

    /// Every object that somebody holds, in the order of their addresses.
    pub fn objects(&self) -> impl Iterator<Item = (VirtAddr, &[Holding])> {
        self.by_object.iter().map(|(object, holdings)| (*object, holdings.as_slice()))
    }

    /// What matters of a process, by its `EPROCESS`.
    pub fn party(&self, eprocess: VirtAddr) -> Option<&Party> {
        self.parties.get(&eprocess)
    }

    /// All of it, object after object.
    pub fn into_holdings(self) -> impl Iterator<Item = Holding> {
        self.by_object.into_values().flatten()
    }
}

/// What matters of a process that holds objects, or is one.
#[derive(Clone, Debug)]
pub struct Party {
    /// Whether the list of active processes has it.
    pub active: bool,
    /// Number of its session; not applicable for a process of none, such as System.
    pub session_id: Result<u32, Absent>,
    /// The job of the server silo that it runs in; `None` for the host.
    pub silo: Result<Option<VirtAddr>, Absent>,
    /// The integrity level of its primary token; `None` for a token without a label.
    pub integrity: Result<Option<Integrity>, Absent>,
}

impl Party {
    fn new(snapshot: &Snapshot, jobs: &Jobs, tokens: &mut Tokens, process: &Process) -> Self {
        let token = process.token().and_then(|at| at.map(|at| tokens.get(snapshot, at)).transpose());
        Self {
            active: process.sources().intersects(Sources::ACTIVE_LIST | Sources::CRASH_CONTEXT),
            session_id: process.session_id(),
            silo: jobs.server_silo_of(process),
            integrity: token.and_then(|token| token.map_or(Ok(None), |token| token.integrity())),
        }
    }
}

/// Turns the handles of all processes around.
pub fn holders(snapshot: &Snapshot) -> Holders {
    let census = snapshot.processes();
    let found = handle::handles_of(snapshot, &census, Of::All);
    let places = snapshot.object_manager().places();
    let mut tokens = Tokens::default();
    let party = |process: &Process| (process.eprocess(), Party::new(snapshot, &census.jobs, &mut tokens, process));
    let parties = census.processes.iter().map(party).collect();
    let mut by_object: BTreeMap<VirtAddr, Vec<Holding>> = BTreeMap::new();
    for handle in found.handles {
        // What leads to no object is in `handles`, with the reason.
        let (Ok(object), Ok(_)) = (handle.target.object, &handle.target.object_type) else { continue };
        let holdings = by_object.entry(object).or_default();
        let (object_session_id, object_silo) = match holdings.first() {
            Some(known) => (known.object_session_id, known.object_silo),
            None => handle.target.path().map_or((Ok(None), None), |path| places.of(path)),
        };
        holdings.push(Holding { object_session_id, object_silo, handle });
    }
    Holders { by_object, parties, incomplete: found.incomplete }
}
