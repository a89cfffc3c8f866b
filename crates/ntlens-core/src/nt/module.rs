//! Loaded kernel modules: the list behind `PsLoadedModuleList`, or what a triage dump keeps of it.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::dump::triage::TriageDriver;
use crate::incomplete::Incomplete;
use crate::layout::field::{Embedded, Field};
use crate::layout::view::StructView;
use crate::nt::image::ImageHeaders;
use crate::nt::list::{self, Links, ListName};
use crate::nt::list_search;
use crate::nt::snapshot::Snapshot;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

crate::fields! {
    /// Fields of `_KLDR_DATA_TABLE_ENTRY`. Symbols before Windows 10 lack that name; the structure they have for user mode
    /// begins with the same fields.
    pub struct ModuleEntryFields of "_KLDR_DATA_TABLE_ENTRY" | "_LDR_DATA_TABLE_ENTRY" {
        /// Links of the list.
        links: Field<Embedded> = "InLoadOrderLinks",
        /// Where the image is loaded.
        base: Field<VirtAddr> = "DllBase",
        /// Its entry point.
        entry: Field<VirtAddr> = "EntryPoint",
        /// Bytes it takes.
        size: Field<u32> = "SizeOfImage",
        /// Its path.
        path: Field<Embedded> = "FullDllName",
        /// Its name.
        name: Field<Embedded> = "BaseDllName",
    }
}

crate::fields! {
    /// Fields that only the kernel's own structure has.
    pub struct ModuleStampFields of "_KLDR_DATA_TABLE_ENTRY" {
        /// Checksum of the image header.
        checksum: Field<u32> = "CheckSum",
        /// Time stamp of the image header.
        timestamp: Field<u32> = "TimeDateStamp",
    }
}

/// Both sets.
#[derive(Clone, Debug)]
pub struct ModuleFields {
    pub(crate) entry: ModuleEntryFields,
    stamp: ModuleStampFields,
}

impl ModuleFields {
    /// Takes the fields from the layouts.
    pub fn resolve(layouts: &crate::layout::Layouts) -> Self {
        Self { entry: ModuleEntryFields::resolve(layouts), stamp: ModuleStampFields::resolve(layouts) }
    }
}

/// A loaded module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Where the list's entry for it lies.
    pub list_entry: Result<VirtAddr, Absent>,
    /// Where it is loaded.
    pub base: Result<VirtAddr, Absent>,
    /// Bytes it takes.
    pub size: Result<u64, Absent>,
    /// Its name.
    pub name: Result<Option<String>, Absent>,
    /// Its path.
    pub path: Result<Option<String>, Absent>,
    /// Its entry point.
    pub entry: Result<VirtAddr, Absent>,
    /// Time stamp of the image header.
    pub timestamp: Result<u32, Absent>,
    /// Checksum of the image header.
    pub checksum: Result<u32, Absent>,
}

/// The modules of a dump.
#[derive(Clone, Debug, Default)]
pub struct Modules {
    /// In the order of the list: the kernel first.
    pub modules: Vec<Module>,
    /// Where the list is broken.
    pub incomplete: Vec<Incomplete>,
}

impl Module {
    fn of_triage(driver: &TriageDriver) -> Self {
        // A stored string with a backslash is the path and its last part the name.
        let (name, path) = match &driver.name {
            Err(why) => (Err(*why), Err(*why)),
            Ok(text) => match text.rsplit_once('\\') {
                Some((_, leaf)) => (Ok(Some(leaf.into())), Ok(Some(text.clone()))),
                None => (Ok(Some(text.clone())), Err(Absent::AddressNotInDump)),
            },
        };
        Self {
            list_entry: Err(Absent::AddressNotInDump),
            base: Ok(driver.base),
            size: Ok(driver.size),
            name,
            path,
            // Triage dumps leave the entry point at zero.
            entry: if driver.entry.is_null() { Err(Absent::AddressNotInDump) } else { Ok(driver.entry) },
            timestamp: Ok(driver.timestamp),
            checksum: Ok(driver.checksum),
        }
    }

    fn read(snapshot: &Snapshot, fields: &ModuleFields, view: &StructView) -> Self {
        let memory = snapshot.space();
        let stamp = StructView::read(memory, view.at, fields.stamp.extent);
        let base = view.get(&fields.entry.base);
        // Where the entry has no stamp, the image's own headers do.
        let headers = || base.and_then(|base| ImageHeaders::read(memory, base));
        let text = |field| view.address_of(field).and_then(|at| snapshot.fields().unicode_string.read(memory, at));
        Self {
            list_entry: Ok(view.at),
            base,
            size: view.get(&fields.entry.size).map(u64::from),
            name: text(&fields.entry.name),
            path: text(&fields.entry.path),
            entry: view.get(&fields.entry.entry),
            timestamp: stamp
                .get(&fields.stamp.timestamp)
                .or_else(|why| headers().map(|h| h.timestamp).map_err(|_| why)),
            checksum: stamp.get(&fields.stamp.checksum).or_else(|why| headers().map(|h| h.checksum).map_err(|_| why)),
        }
    }
}

const LIST: ListName =
    ListName::new("list of loaded modules", "PsLoadedModuleList", "_KLDR_DATA_TABLE_ENTRY.InLoadOrderLinks");

/// Lists the modules.
pub fn modules(snapshot: &Snapshot) -> Modules {
    if let Some(triage) = snapshot.triage() {
        let modules = triage.drivers.iter().map(Module::of_triage).collect();
        return Modules { modules, incomplete: Vec::new() };
    }
    let memory = snapshot.space();
    let fields = &snapshot.fields().module;
    let (head, links) = match (snapshot.heads().ps_loaded_module_list, fields.entry.links) {
        (Ok(head), Ok(links)) => (head, links),
        (Err(why), _) | (_, Err(why)) => {
            let incomplete = Vec::from([Incomplete::new(LIST.what, LIST.head, why)]);
            return Modules { modules: Vec::new(), incomplete };
        }
    };
    let mut views = BTreeMap::new();
    let member = |at: VirtAddr| {
        let entry = at.wrapping_sub(links.offset.into());
        let view = StructView::read(memory, entry, fields.entry.extent);
        let base = view.get(&fields.entry.base)?;
        if !base.is_kernel() || view.get(&fields.entry.size)? == 0 {
            return Err(Absent::Malformed);
        }
        views.insert(at, view);
        Links::read(memory, at)
    };
    // The kernel has no second list of them: a head that leads nowhere is found again through what points at it.
    let mut unsearched = Vec::new();
    let others = || {
        let searched = !list::is_linked(memory, head);
        if searched { list_search::neighbours(memory, head, &mut unsearched) } else { Vec::new() }
    };
    let list = list::walk(LIST, head, Links::read(memory, head), member, others);
    let read = |at: &VirtAddr| views.get(at).map(|view| Module::read(snapshot, fields, view));
    let mut incomplete = [list.incomplete, unsearched].concat();
    let strings = &snapshot.fields().unicode_string;
    for view in list.members.iter().filter_map(|at| views.get(at)) {
        for field in [&fields.entry.name, &fields.entry.path] {
            if let Some(fault) = view.address_of(field).ok().and_then(|at| strings.fault(memory, at)) {
                fault.add_to(&mut incomplete);
            }
        }
    }
    Modules { modules: list.members.iter().filter_map(read).collect(), incomplete }
}
