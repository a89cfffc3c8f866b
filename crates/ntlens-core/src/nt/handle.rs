//! Handles: who holds what, with which rights.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::memory::VirtualMemory;
use crate::nt::access;
pub use crate::nt::census::Of;
use crate::nt::census::Processes;
use crate::nt::handle_table::{Attributes, HandleEntry};
use crate::nt::object_name::Names;
use crate::nt::object_type::ObjectTypes;
use crate::nt::process::Process;
use crate::nt::snapshot::Snapshot;
use crate::spread;
use alloc::borrow::Cow;
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
    pub name: Result<Arc<str>, Absent>,
    /// Number of its session.
    pub session_id: Result<u32, Absent>,
    /// Whether it was created for another session than its creator's (`CrossSessionCreate`).
    pub cross_session_create: Result<bool, Absent>,
}

impl Holder {
    /// What is told of a process that holds something.
    pub fn of(process: &Process) -> Self {
        Self {
            eprocess: process.eprocess(),
            pid: process.pid(),
            name: process.name().map(Arc::from),
            session_id: process.session_id(),
            cross_session_create: process.cross_session_create(),
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
    /// The file that a section maps, which its name need not tell; `None` for other objects and for sections that the page
    /// file backs.
    pub section_file: Result<Option<Arc<str>>, Absent>,
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

/// Fewer objects are read before a thread has started.
const FEW: usize = 256;

/// Lists handles in one pass: every object is looked at once, whoever holds it.
pub fn handles(snapshot: &Snapshot, of: Of) -> Handles {
    handles_of(snapshot, &snapshot.processes(), of)
}

/// The same, for who has the processes already.
pub(crate) fn handles_of(snapshot: &Snapshot, census: &Processes, of: Of) -> Handles {
    let types = snapshot.object_manager_with(|| census).types();
    let mut found = Handles { handles: Vec::new(), incomplete: census.incomplete.clone() };
    found.incomplete.extend(types.incomplete.iter().cloned());
    let wanted = census.processes.iter().filter(|process| of.includes(process));
    let mut tables = Tables { snapshot, held: Vec::new(), left: 0 };
    for process in wanted {
        tables.add(process, &mut found.incomplete);
    }
    let Tables { held, mut left, .. } = tables;
    let mut headers: Vec<VirtAddr> = held.iter().map(|(_, entry)| entry.pointer).collect();
    headers.sort_unstable();
    headers.dedup();
    let read = |headers: &[VirtAddr]| Reader { names: Names::new(snapshot, &census.processes), types }.targets(headers);
    let targets = spread::pieces(snapshot.spread(), &headers, FEW, read).concat();
    let mut text = 0;
    found.handles.reserve_exact(held.len());
    for (holder, entry) in held {
        let target = headers.binary_search(&entry.pointer).ok().and_then(|index| targets.get(index)?.as_ref());
        let Some(target) = target.filter(|_| text < MAX_TEXT) else {
            left += 1;
            continue;
        };
        text += target.text();
        found.handles.push(Handle {
            holder,
            handle: entry.handle,
            target: target.clone(),
            granted_access: entry.granted_access,
            attributes: entry.attributes,
        });
    }
    if left > 0 {
        let what = "names (in bytes) or handles";
        let most = alloc::format!("{MAX_TEXT} or {MAX_HANDLES}");
        found.incomplete.push(Incomplete::beyond(what, "handle tables", most).times(left));
    }
    found
}

/// The entries of the processes' tables.
struct Tables<'a> {
    snapshot: &'a Snapshot,
    held: Vec<(Arc<Holder>, HandleEntry)>,
    /// Entries that had no room.
    left: u64,
}

impl Tables<'_> {
    /// Adds the entries of a process.
    fn add(&mut self, process: &Process, incomplete: &mut Vec<Incomplete>) {
        let table = match self.table(process) {
            Ok(table) => table,
            // It gave its handles back when it ended.
            Err(Absent::NotApplicable) => return,
            Err(why) => return incomplete.push(Incomplete::new("handle table", process.eprocess(), why)),
        };
        let entries = match self.snapshot.fields().handle_tables.entries(self.snapshot.space(), table) {
            Ok((entries, missing)) => {
                incomplete.extend(missing);
                entries
            }
            Err(why) => {
                let pid = process.pid().map_or_else(|why| alloc::format!("({why})"), |pid| alloc::format!("{pid}"));
                let what = alloc::format!("handle table of process {pid}");
                let tables = &self.snapshot.fields().handle_tables;
                let fault = tables.fault(self.snapshot.space(), table, why, process.object_table_field());
                return incomplete.push(Incomplete { what, ..fault });
            }
        };
        let holder = Arc::new(Holder::of(process));
        let room = MAX_HANDLES.saturating_sub(self.held.len());
        self.left += entries.len().saturating_sub(room) as u64;
        self.held.extend(entries.into_iter().take(room).map(|entry| (holder.clone(), entry)));
    }

    /// The table of a process. System's is also the kernel's own, which a variable points to.
    fn table(&self, process: &Process) -> Result<VirtAddr, Absent> {
        let own = process.object_table();
        if own.is_ok() || process.pid() != Ok(SYSTEM) {
            return own;
        }
        let kernels =
            self.snapshot.symbol("ObpKernelHandleTable").and_then(|at| self.snapshot.space().read_pointer(at));
        kernels.ok().filter(|table| table.is_kernel()).map_or(own, Ok)
    }
}

/// Process id of System.
const SYSTEM: u64 = 4;

struct Reader<'a> {
    names: Names<'a>,
    types: &'a ObjectTypes,
}

impl Reader<'_> {
    /// What lies behind headers, which are in the order of their addresses: neighbours lie on one page. `None` for those
    /// that are left if all names together grow beyond measure.
    fn targets(mut self, headers: &[VirtAddr]) -> Vec<Option<Arc<Target>>> {
        let mut text = 0;
        let read = |header: &VirtAddr| {
            (text < MAX_TEXT).then(|| {
                let target = self.target(*header);
                text += target.text();
                Arc::new(target)
            })
        };
        headers.iter().map(read).collect()
    }

    fn target(&mut self, at: VirtAddr) -> Target {
        if !at.is_kernel() {
            let why = Absent::Malformed;
            return Target { object: Err(why), object_type: Err(why), name: Err(why), section_file: Err(why) };
        }
        let header = self.names.header(at);
        let found = header
            .type_index()
            .and_then(|stored| if header.is_held()? { self.types.of(at, stored) } else { Err(Absent::Malformed) });
        let object = header.body();
        match found {
            Ok(found) => {
                let is_section = &*found.name == SECTION;
                let section_file =
                    if is_section { object.and_then(|body| self.names.section_file(body)) } else { Ok(None) };
                let name = match self.names.of(&found.name, &header) {
                    Ok(None) if is_section => section_file.clone(),
                    name => name,
                };
                Target { object, object_type: Ok(found.name.clone()), name, section_file }
            }
            Err(why) => {
                // What is no known object has no name either, unless it is the types that are not known.
                let name = if self.types.cookie().is_err() { self.names.path(&header) } else { Err(why) };
                Target { object, object_type: Err(why), name, section_file: Err(why) }
            }
        }
    }
}

/// The name of the type of sections.
const SECTION: &str = "Section";

/// Types whose names say what an object stands for, and not where it stands in the namespace.
const NAMED_OTHERWISE: [&str; 4] = ["File", "Key", "Process", "Thread"];

impl Target {
    /// The object's path, if it has a place in the namespace of objects.
    pub fn path(&self) -> Option<&str> {
        let object_type = self.object_type.as_deref().ok()?;
        let name = self.name.as_ref().ok()?.as_deref()?;
        let placed = name.starts_with('\\') && !NAMED_OTHERWISE.contains(&object_type) && !self.is_named_by_file();
        placed.then_some(name)
    }

    /// Whether it is an object that could have a name of its own, and has none: only handles lead to it.
    pub fn is_unnamed(&self) -> bool {
        matches!(self.name, Ok(None)) || self.is_named_by_file()
    }

    /// Whether the name is that of the file behind a section.
    fn is_named_by_file(&self) -> bool {
        matches!((&self.name, &self.section_file), (Ok(Some(name)), Ok(Some(file))) if name == file)
    }

    /// Bytes of its texts.
    fn text(&self) -> usize {
        let length = |text: &Result<Option<Arc<str>>, Absent>| {
            text.as_ref().ok().and_then(Option::as_ref).map_or(0, |text| text.len())
        };
        length(&self.name) + length(&self.section_file)
    }
}
