//! `OBJECT_TYPE`: what kinds of objects a kernel has, and of which kind an object is.
//!
//! The directory `\ObjectTypes` names every type and its number. An object's header holds that number; since Windows 10
//! it is mixed with a byte of the header's address and with a cookie that is made at each start. The cookie needs no
//! symbols: each type is itself an object whose type is known, and all of them must give the same one.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::{Incomplete, Place};
use crate::kdbg::Kdbg;
use crate::layout::field::{Bits, Embedded, Field};
use crate::layout::view::StructView;
use crate::memory::VirtualMemory;
use crate::nt::process::Process;
use crate::nt::snapshot::Snapshot;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

crate::fields! {
    /// Fields of `_OBJECT_TYPE`.
    pub struct ObjectTypeFields of "_OBJECT_TYPE" {
        /// The type's name.
        name: Field<Embedded> = "Name",
        /// The type's number.
        index: Field<u8> = "Index",
        /// Objects of the type.
        objects: Field<u32> = "TotalNumberOfObjects",
        /// Handles to objects of the type.
        handles: Field<u32> = "TotalNumberOfHandles",
        /// Head of the list of functions that are called when handles to objects of the type are made.
        callback_list: Field<Embedded> = "CallbackList",
        /// Whether they are called.
        supports_object_callbacks: Bits = "TypeInfo.SupportsObjectCallbacks",
    }
}

/// One type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectType {
    /// The number by which headers name it.
    pub index: u8,
    /// Its name, such as `Process`.
    pub name: Arc<str>,
    /// Where the type object lies.
    pub object: VirtAddr,
    /// Objects of the type, as the type counts them.
    pub objects: Result<u32, Absent>,
    /// Handles to objects of the type, as the type counts them.
    pub handles: Result<u32, Absent>,
}

/// How headers store the number of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    /// As it is.
    Plain,
    /// Mixed with the second byte of the header's address and with this cookie.
    Cookie(u8),
}

impl Encoding {
    fn decode(self, header: VirtAddr, stored: u8) -> u8 {
        match self {
            Self::Plain => stored,
            Self::Cookie(cookie) => stored ^ header.0.to_le_bytes()[1] ^ cookie,
        }
    }
}

/// The types of a kernel.
#[derive(Clone, Debug)]
pub struct ObjectTypes {
    root: Result<VirtAddr, Absent>,
    types: BTreeMap<u8, ObjectType>,
    encoding: Result<Encoding, Absent>,
    /// What of the types could not be read.
    pub incomplete: Vec<Incomplete>,
}

/// Numbers below this are no types: the first slots of the kernel's table are a null and an address that faults.
const FIRST_INDEX: u8 = 2;
/// Named objects of System that are looked at to find the root.
const MAX_TRIED: usize = 256;
/// Processes whose headers are held against the cookie.
const MAX_PROCESSES: usize = 64;

impl ObjectTypes {
    /// Finds the types of a kernel. `processes` are known objects of one type.
    pub fn find(snapshot: &Snapshot, processes: &[Process]) -> Self {
        let mut found = Self {
            root: Err(Absent::SymbolsNeeded),
            types: BTreeMap::new(),
            encoding: Err(Absent::SymbolsNeeded),
            incomplete: Vec::new(),
        };
        if snapshot.triage().is_some() {
            found.root = Err(Absent::NotApplicable);
            found.encoding = Err(Absent::NotApplicable);
            return found;
        }
        let mut directory = None;
        for root in roots(snapshot, processes) {
            if let Some(types) = type_directory(snapshot, root) {
                (found.root, directory) = (Ok(root), Some(types));
                break;
            }
        }
        match directory {
            Some(directory) => found.of_directory(snapshot, directory),
            None => found.note("root of the object directories", "ObpRootDirectoryObject", Absent::SymbolsNeeded),
        }
        found.of_table(snapshot);
        found.encoding = found.encoding(snapshot, directory, processes);
        if let Err(why) = found.encoding {
            found.note("cookie of the objects' types", "ObHeaderCookie", why);
        }
        found
    }

    /// The root directory.
    pub fn root(&self) -> Result<VirtAddr, Absent> {
        self.root
    }

    /// The types in the order of their numbers.
    pub fn types(&self) -> impl Iterator<Item = &ObjectType> {
        self.types.values()
    }

    /// The type of the object whose header lies at an address and stores this number.
    pub fn of(&self, header: VirtAddr, stored: u8) -> Result<&ObjectType, Absent> {
        self.types.get(&self.encoding?.decode(header, stored)).ok_or(Absent::Malformed)
    }

    /// The cookie that is mixed into the types' numbers; `None` before Windows 10, which has none.
    pub fn cookie(&self) -> Result<Option<u8>, Absent> {
        self.encoding.map(|encoding| match encoding {
            Encoding::Plain => None,
            Encoding::Cookie(cookie) => Some(cookie),
        })
    }

    fn note(&mut self, what: &str, place: impl Into<Place>, why: Absent) {
        self.incomplete.push(Incomplete::new(what, place, why));
    }

    fn of_directory(&mut self, snapshot: &Snapshot, directory: VirtAddr) {
        match snapshot.fields().directory.objects(snapshot.space(), directory) {
            Ok((objects, incomplete)) => {
                self.incomplete.extend(incomplete);
                for object in objects {
                    self.add(snapshot, object);
                }
            }
            Err(why) => self.note("directory of the object types", directory, why),
        }
    }

    /// The kernel's own table of types, where symbols tell its place: it has also those that no directory leads to.
    fn of_table(&mut self, snapshot: &Snapshot) {
        let Ok(table) = snapshot.symbol("ObTypeIndexTable") else { return };
        for index in FIRST_INDEX..=u8::MAX {
            match snapshot.space().read_pointer(table.wrapping_add(u64::from(index) * 8)) {
                Ok(object) if !object.is_null() => {
                    if self.types.get(&index).is_none_or(|known| known.object != object) {
                        self.add(snapshot, object);
                    }
                }
                _ => break,
            }
        }
    }

    fn add(&mut self, snapshot: &Snapshot, object: VirtAddr) {
        let memory = snapshot.space();
        let fields = &snapshot.fields().object_type;
        let view = StructView::read(memory, object, fields.extent);
        let name = fields
            .name
            .and_then(|name| snapshot.fields().unicode_string.read(memory, object.wrapping_add(name.offset.into())));
        let fault =
            |name: Field<_>| snapshot.fields().unicode_string.fault(memory, object.wrapping_add(name.offset.into()));
        self.incomplete.extend(fields.name.ok().and_then(fault));
        let found = match (view.get(&fields.index), name) {
            (Ok(index), Ok(Some(name))) if index >= FIRST_INDEX => ObjectType {
                index,
                name: name.into(),
                object,
                objects: view.get(&fields.objects),
                handles: view.get(&fields.handles),
            },
            (Err(why), _) | (_, Err(why)) => return self.note("object type", object, why),
            _ => {
                let wrong =
                    Incomplete::wrong("_OBJECT_TYPE", "Index", object, "none or no name", "a number and a name");
                return self.incomplete.push(wrong);
            }
        };
        match self.types.get(&found.index) {
            Some(known) if known.object == object => {}
            Some(known) => {
                let expected = format!("another than that of {} at {}", known.name, known.object);
                self.incomplete.push(Incomplete::wrong("_OBJECT_TYPE", "Index", object, found.index, expected));
            }
            None => _ = self.types.insert(found.index, found),
        }
    }

    fn index(&self, name: &str) -> Option<u8> {
        self.types.values().find(|known| &*known.name == name).map(|known| known.index)
    }

    /// Objects whose types are known, against what their headers store.
    fn encoding(
        &self,
        snapshot: &Snapshot,
        directory: Option<VirtAddr>,
        processes: &[Process],
    ) -> Result<Encoding, Absent> {
        let known = [
            (self.index("Type"), self.types.values().map(|known| known.object).collect::<Vec<_>>()),
            (self.index("Directory"), self.root.ok().into_iter().chain(directory).collect()),
            (self.index("Process"), processes.iter().take(MAX_PROCESSES).map(Process::eprocess).collect()),
        ];
        let mut plain = true;
        let mut cookies = BTreeSet::new();
        for (index, objects) in known {
            let Some(index) = index else { continue };
            for object in objects {
                let header = snapshot.fields().object.of_body(snapshot.space(), object)?;
                let Ok(stored) = header.type_index() else { continue };
                plain &= stored == index;
                cookies.insert(stored ^ header.address().0.to_le_bytes()[1] ^ index);
            }
        }
        let symbol = snapshot.symbol("ObHeaderCookie").and_then(|at| snapshot.space().read_array::<1>(at));
        match (cookies.first(), symbol) {
            // The kernel's own variable against objects that somebody may have changed.
            (_, Ok([cookie])) => Ok(Encoding::Cookie(cookie)),
            (Some(_), Err(_)) if plain => Ok(Encoding::Plain),
            (Some(cookie), Err(_)) if cookies.len() == 1 => Ok(Encoding::Cookie(*cookie)),
            (Some(_), Err(_)) => Err(Absent::Malformed),
            (None, Err(why)) => Err(why),
        }
    }
}

/// Where the root directory may be: where the block for debuggers says, where symbols say, and what stands above the
/// objects that System has handles to.
fn roots(snapshot: &Snapshot, processes: &[Process]) -> impl Iterator<Item = VirtAddr> {
    let kdbg = snapshot.kdbg().and_then(Kdbg::obp_root_directory_object);
    let variables = [kdbg, snapshot.symbol("ObpRootDirectoryObject").ok()];
    let told: Vec<_> =
        variables.into_iter().flatten().filter_map(|at| snapshot.space().read_pointer(at).ok()).collect();
    let above = core::iter::once_with(move || processes.first().map(|system| above_handles(snapshot, system)));
    told.into_iter().chain(above.flatten().flatten())
}

/// The directories that have no other above them, over the objects of a process's handles.
fn above_handles(snapshot: &Snapshot, process: &Process) -> BTreeSet<VirtAddr> {
    let memory = snapshot.space();
    let fields = snapshot.fields();
    let entries = process.object_table().and_then(|table| fields.handle_tables.entries(memory, table));
    let entries = entries.map(|(entries, _)| entries).unwrap_or_default();
    let above = |header: VirtAddr| {
        let mut directory = fields.object.at(memory, header).name(memory).ok()??.directory?;
        for _ in 0..super::object_name::MAX_DEPTH {
            let name = fields.object.of_body(memory, directory).ok()?.name(memory).ok()??;
            match name.directory {
                Some(next) => directory = next,
                None => return (name.name == ROOT).then_some(directory),
            }
        }
        None
    };
    entries.iter().take(MAX_TRIED).filter_map(|entry| above(entry.pointer)).collect()
}

/// The name of the root directory.
pub(crate) const ROOT: &str = "\\";

/// The directory of types in what may be the root.
fn type_directory(snapshot: &Snapshot, root: VirtAddr) -> Option<VirtAddr> {
    let memory = snapshot.space();
    let fields = snapshot.fields();
    let (objects, _) = fields.directory.objects(memory, root).ok()?;
    let is_types = |object: &VirtAddr| {
        let name = fields.object.of_body(memory, *object).and_then(|header| header.name(memory));
        name.is_ok_and(|name| name.is_some_and(|name| name.name == "ObjectTypes" && name.directory == Some(root)))
    };
    objects.into_iter().find(is_types)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_byte_of_zero_is_a_number_like_any_other() {
        let header = VirtAddr(0xffff_eb8b_c001_2330);
        let cookie = Encoding::Cookie(0x23 ^ 7);
        assert_eq!(cookie.decode(header, 0), 7);
        assert_eq!(Encoding::Plain.decode(header, 5), 5);
    }
}
