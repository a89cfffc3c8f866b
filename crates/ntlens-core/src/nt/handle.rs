//! Handles: who holds what, with which rights.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::nt::access;
pub use crate::nt::census::Of;
use crate::nt::handle_table::Attributes;
use crate::nt::object_name::Names;
use crate::nt::object_type::ObjectTypes;
use crate::nt::process::Process;
use crate::nt::snapshot::Snapshot;
use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A process that holds handles.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Address of its `EPROCESS`.
    pub eprocess: VirtAddr,
    /// Its id.
    pub pid: Result<u64, Absent>,
    /// Its `ImageFileName`.
    pub name: Result<String, Absent>,
    /// Number of its session.
    pub session_id: Result<u32, Absent>,
}

impl Holder {
    /// What is told of a process that holds something.
    pub fn of(process: &Process) -> Self {
        Self {
            eprocess: process.eprocess(),
            pid: process.pid(),
            name: process.name(),
            session_id: process.session_id(),
        }
    }
}

/// What a handle leads to.
#[derive(Clone, Debug)]
pub struct Target {
    /// Address of the object.
    pub object: Result<VirtAddr, Absent>,
    /// Name of its type.
    pub object_type: Result<Arc<str>, Absent>,
    /// Its full name; `None` for an object without one.
    pub name: Result<Option<Arc<str>>, Absent>,
}

/// One handle.
#[derive(Clone, Debug)]
pub struct Handle {
    /// Who holds it.
    pub holder: Arc<Holder>,
    /// Its value: four times its index, also in System's table, whose handles have their highest bits set besides.
    pub handle: u64,
    /// What it leads to.
    pub target: Arc<Target>,
    /// What the holder may do with the object, as the lowest 25 bits of an access mask.
    pub granted_access: Result<u32, Absent>,
    /// How the handle behaves.
    pub attributes: Result<Attributes, Absent>,
}

impl Handle {
    /// The names of the rights, by the object's type.
    pub fn access(&self) -> Result<Vec<Cow<'static, str>>, Absent> {
        let object_type = self.target.object_type.as_deref().map_err(|why| *why)?;
        Ok(access::names(object_type, self.granted_access?))
    }
}

/// Handles, and what could not be read.
#[derive(Clone, Debug, Default)]
pub struct Handles {
    /// In the order of the processes, then of the handles.
    pub handles: Vec<Handle>,
    /// What could not be read.
    pub incomplete: Vec<Incomplete>,
}

/// Handles that are listed. Windows allows more, and a damaged table can claim any number.
const MAX_HANDLES: usize = 1 << 20;
/// Bytes of all names together, counted once for each handle: an answer repeats them.
const MAX_TEXT: usize = 256 << 20;

/// Lists handles in one pass: every object is looked at once, whoever holds it.
pub fn handles(snapshot: &Snapshot, of: Of) -> Handles {
    let census = snapshot.processes();
    let types = ObjectTypes::find(snapshot, &census.processes);
    let mut found = Handles { handles: Vec::new(), incomplete: census.incomplete };
    found.incomplete.extend(types.incomplete.iter().cloned());
    let mut reader = Reader {
        snapshot,
        names: Names::new(snapshot, &census.processes),
        types: &types,
        targets: BTreeMap::new(),
        text: 0,
    };
    let mut left = 0;
    for process in census.processes.iter().filter(|process| of.includes(process)) {
        left += reader.of_process(process, &mut found);
    }
    if left > 0 {
        let what = "handles beyond those that are listed at once";
        found.incomplete.push(Incomplete::new(what, "handle tables", Absent::Malformed).times(left));
    }
    found
}

struct Reader<'a> {
    snapshot: &'a Snapshot,
    names: Names<'a>,
    types: &'a ObjectTypes,
    targets: BTreeMap<VirtAddr, Arc<Target>>,
    text: usize,
}

impl Reader<'_> {
    /// Adds the handles of a process; how many had no room.
    fn of_process(&mut self, process: &Process, found: &mut Handles) -> u64 {
        let table = match process.object_table() {
            Ok(table) => table,
            // It gave its handles back when it ended.
            Err(Absent::NotApplicable) => return 0,
            Err(why) => {
                found.incomplete.push(Incomplete::new("handle table", process.eprocess(), why));
                return 0;
            }
        };
        let entries = match self.snapshot.fields().handle_tables.entries(self.snapshot.space(), table) {
            Ok((entries, incomplete)) => {
                found.incomplete.extend(incomplete);
                entries
            }
            Err(why) => {
                let pid = process.pid().map_or_else(|why| alloc::format!("({why})"), |pid| alloc::format!("{pid}"));
                let what = alloc::format!("handle table of process {pid}");
                found.incomplete.push(Incomplete::new(what, table, why));
                return 0;
            }
        };
        let holder = Arc::new(Holder::of(process));
        let count = entries.len();
        for (index, entry) in entries.into_iter().enumerate() {
            if found.handles.len() >= MAX_HANDLES || self.text >= MAX_TEXT {
                return (count - index) as u64;
            }
            let target = self.target(entry.pointer);
            self.text += target.name.as_ref().ok().and_then(Option::as_ref).map_or(0, |name| name.len());
            found.handles.push(Handle {
                holder: holder.clone(),
                handle: entry.handle,
                target,
                granted_access: entry.granted_access,
                attributes: entry.attributes,
            });
        }
        0
    }

    /// The object whose header lies at an address.
    fn target(&mut self, header: VirtAddr) -> Arc<Target> {
        if let Some(known) = self.targets.get(&header) {
            return known.clone();
        }
        let target = Arc::new(self.read_target(header));
        self.targets.insert(header, target.clone());
        target
    }

    fn read_target(&mut self, at: VirtAddr) -> Target {
        if !at.is_kernel() {
            let why = Absent::Malformed;
            return Target { object: Err(why), object_type: Err(why), name: Err(why) };
        }
        let header = self.snapshot.fields().object.at(self.snapshot.space(), at);
        let found = header
            .type_index()
            .and_then(|stored| if header.is_held()? { self.types.of(at, stored) } else { Err(Absent::Malformed) });
        match found {
            Ok(found) => Target {
                object: header.body(),
                object_type: Ok(found.name.clone()),
                name: self.names.of(&found.name, &header),
            },
            Err(why) => {
                // What is no known object has no name either, unless it is the types that are not known.
                let name = if self.types.cookie().is_err() { self.names.path(&header) } else { Err(why) };
                Target { object: header.body(), object_type: Err(why), name }
            }
        }
    }
}
