//! What every question about objects begins with, found once for each snapshot.

use crate::nt::census::Processes;
use crate::nt::namespace::Places;
use crate::nt::object_type::ObjectTypes;
use crate::nt::silo::{ServerSilo, server_silos};
use crate::nt::snapshot::Snapshot;
use alloc::vec::Vec;

/// The types of objects, the root of the namespace, and the silos that have namespaces of their own.
#[derive(Clone, Debug)]
pub struct ObjectManager {
    types: ObjectTypes,
    silos: Vec<ServerSilo>,
}

impl ObjectManager {
    /// Finds them with the help of the snapshot's processes and jobs.
    pub(crate) fn find(snapshot: &Snapshot, census: &Processes) -> Self {
        let types = ObjectTypes::find(snapshot, &census.processes);
        let silos = server_silos(snapshot, &census.jobs, types.root());
        Self { types, silos }
    }

    /// The types, with the root of the namespace.
    pub fn types(&self) -> &ObjectTypes {
        &self.types
    }

    /// The server silos among the jobs.
    pub fn server_silos(&self) -> &[ServerSilo] {
        &self.silos
    }

    /// To which session and container paths belong.
    pub(crate) fn places(&self) -> Places<'_> {
        Places::new(&self.silos)
    }
}
