//! The handles of all processes turned around: who holds an object.

use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::nt::handle::{self, Handle, Of};
use crate::nt::snapshot::Snapshot;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// An object and the handles that lead to it.
#[derive(Clone, Debug)]
pub struct Holding {
    /// The session whose namespace the object is in.
    pub object_session_id: Result<Option<u32>, crate::absent::Absent>,
    /// The job of the server silo whose namespace the object is in.
    pub object_silo: Option<VirtAddr>,
    /// One handle to it.
    pub handle: Handle,
}

/// Who holds which object.
#[derive(Clone, Debug, Default)]
pub struct Holders {
    by_object: BTreeMap<VirtAddr, Vec<Holding>>,
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

    /// All of it, object after object.
    pub fn into_holdings(self) -> impl Iterator<Item = Holding> {
        self.by_object.into_values().flatten()
    }
}

/// Turns the handles of all processes around.
pub fn holders(snapshot: &Snapshot) -> Holders {
    let found = handle::handles(snapshot, Of::All);
    let places = snapshot.object_manager().places();
    let mut holders = Holders { by_object: BTreeMap::new(), incomplete: found.incomplete };
    for handle in found.handles {
        // What leads to no object is in `handles`, with the reason.
        let (Ok(object), Ok(_)) = (handle.target.object, &handle.target.object_type) else { continue };
        let path = handle.target.name.as_ref().ok().and_then(Option::as_deref).unwrap_or_default();
        let (object_session_id, object_silo) = places.of(path);
        holders.by_object.entry(object).or_default().push(Holding { object_session_id, object_silo, handle });
    }
    holders
}
