//! `LDR_DATA_TABLE_ENTRY`: the images that a process's loader knows, by three lists behind its environment block.
//!
//! All of it lies in the process's own memory, where the process itself can change it: an entry that is there proves
//! nothing, and neither does one that is missing. A 32-bit process has the lists twice: those of its 64-bit loader, and those
//! of the 32-bit one that the program sees.

use crate::absent::Absent;
use crate::address::{PAGE_SIZE, VirtAddr};
use crate::incomplete::{Incomplete, Place};
use crate::layout::Layouts;
use crate::layout::field::{Field, Flags};
use crate::layout::view::StructView;
use crate::nt::list::{self, Links, ListName};
use crate::nt::process::Process;
use crate::nt::snapshot::Snapshot;
use crate::nt::space::Space;
use crate::nt::time::FileTime;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bitflags::bitflags;

mod shape;

use shape::{Shape, Width};

crate::fields! {
    /// What only the entries of the 64-bit loader tell here: of the 32-bit ones, the kernel's symbols know nothing.
    struct EntryFields of "_LDR_DATA_TABLE_ENTRY" {
        flags: Flags = "Flags",
        load_time: Field<u64> = "LoadTime",
        load_reason: Field<i32> = "LoadReason",
        /// Windows 7: how often it was loaded.
        load_count: Field<u16> = "LoadCount",
        /// Since Windows 8: what loads it has in common with others that refer to each other.
        ddag_node: Field<VirtAddr> = "DdagNode",
    }
}

crate::fields! {
    /// Fields of `_LDR_DDAG_NODE`.
    struct DdagFields of "_LDR_DDAG_NODE" {
        load_count: Field<u32> = "LoadCount",
    }
}

/// The sets of fields of a loader's lists.
#[derive(Clone, Debug)]
pub struct LoaderFields {
    native: Shape,
    wow64: Shape,
    entry: EntryFields,
    ddag: DdagFields,
    /// Names of `_LDR_DLL_LOAD_REASON`.
    reasons: Vec<(i64, String)>,
}

impl LoaderFields {
    /// Takes the fields from the layouts.
    pub fn resolve(layouts: &Layouts) -> Self {
        let reasons = layouts.enumeration("_LDR_DLL_LOAD_REASON");
        let name = |name: &str| name.strip_prefix("LoadReason").unwrap_or(name).into();
        let entry = EntryFields::resolve(layouts);
        Self {
            native: Shape::native(layouts, entry.extent),
            wow64: Shape::wow64(layouts),
            entry,
            ddag: DdagFields::resolve(layouts),
            reasons: reasons
                .map(|def| def.constants.iter().map(|(text, value)| (*value, name(text))).collect())
                .unwrap_or_default(),
        }
    }
}

bitflags! {
    /// The lists of a loader.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct Lists: u8 {
        /// `InLoadOrderModuleList`
        const LOAD_ORDER = 1 << 0;
        /// `InMemoryOrderModuleList`
        const MEMORY_ORDER = 1 << 1;
        /// `InInitializationOrderModuleList`: without the program itself, which the loader does not initialise.
        const INITIALIZATION_ORDER = 1 << 2;
    }
}

impl Lists {
    const ALL: [(Self, &'static str); 3] =
        [(Self::LOAD_ORDER, "load"), (Self::MEMORY_ORDER, "memory"), (Self::INITIALIZATION_ORDER, "init")];

    /// The names in the output contract.
    pub fn names(self) -> Vec<&'static str> {
        Self::ALL.into_iter().filter(|(list, _)| self.contains(*list)).map(|(_, name)| name).collect()
    }
}

/// What is the same for all entries of one loader.
#[derive(Debug)]
struct Loader {
    snapshot: Snapshot,
    memory: Space,
    wow64: bool,
}

impl Loader {
    fn shape(&self) -> &Shape {
        let fields = &self.snapshot.fields().loader;
        if self.wow64 { &fields.wow64 } else { &fields.native }
    }
}

/// An image as a loader's lists have it.
#[derive(Clone, Debug)]
pub struct LoadedImage {
    loader: Arc<Loader>,
    view: StructView,
    lists: Lists,
}

impl LoadedImage {
    /// The lists that it is in.
    pub fn lists(&self) -> Lists {
        self.lists
    }

    /// It is in the lists of the 32-bit loader.
    pub fn wow64(&self) -> bool {
        self.loader.wow64
    }

    /// Where it is loaded.
    pub fn base(&self) -> Result<VirtAddr, Absent> {
        let shape = self.loader.shape();
        shape.pointer(&self.view, shape.base)
    }

    /// Bytes it takes.
    pub fn size(&self) -> Result<u32, Absent> {
        shape::number(&self.view, self.loader.shape().size)
    }

    /// Its entry point.
    pub fn entry(&self) -> Result<VirtAddr, Absent> {
        let shape = self.loader.shape();
        shape.pointer(&self.view, shape.entry)
    }

    /// `FullDllName`
    pub fn path(&self) -> Result<Option<String>, Absent> {
        self.text(self.loader.shape().path)
    }

    /// `BaseDllName`
    pub fn name(&self) -> Result<Option<String>, Absent> {
        self.text(self.loader.shape().name)
    }

    fn text(&self, offset: Result<u32, Absent>) -> Result<Option<String>, Absent> {
        let Loader { snapshot, memory, .. } = &*self.loader;
        match self.loader.shape().width {
            Width::Bits64 => snapshot.fields().unicode_string.read_in(&self.view, offset?, memory),
            Width::Bits32 => shape::text32(&self.view, offset?, memory),
        }
    }

    /// `Flags`
    pub fn flags(&self) -> Result<u32, Absent> {
        shape::number(&self.view, self.loader.shape().flags)
    }

    /// The names of the flags, which both loaders of a build share.
    pub fn flag_names(&self) -> Result<Vec<String>, Absent> {
        let names = self.loader.snapshot.fields().loader.entry.flags.as_ref().map_err(|why| *why)?;
        self.flags().map(|flags| names.names(flags))
    }

    /// Something that the kernel's symbols tell of a 64-bit loader only.
    fn native<T>(&self, get: impl FnOnce(&LoaderFields) -> Result<T, Absent>) -> Result<T, Absent> {
        if self.wow64() { Err(Absent::SymbolsNeeded) } else { get(&self.loader.snapshot.fields().loader) }
    }

    /// When it was loaded.
    pub fn load_time(&self) -> Result<Option<FileTime>, Absent> {
        self.native(|fields| self.view.get(&fields.entry.load_time).map(FileTime::from_windows))
    }

    /// Why it was loaded, since Windows 8: a name of `_LDR_DLL_LOAD_REASON` without its beginning.
    pub fn load_reason(&self) -> Result<String, Absent> {
        self.native(|fields| {
            let reason = i64::from(self.view.get(&fields.entry.load_reason)?);
            let known = fields.reasons.iter().find(|(value, _)| *value == reason);
            Ok(known.map_or_else(|| alloc::format!("Unknown({reason})"), |(_, name)| name.clone()))
        })
    }

    /// How often it was loaded. All bits are set for one that stays until the process ends. Since Windows 8 the count lies
    /// beside the entry, and images that refer to each other share one.
    pub fn load_count(&self) -> Result<u32, Absent> {
        self.native(|fields| match self.view.get(&fields.entry.ddag_node) {
            Err(Absent::NoSuchField) => self.view.get(&fields.entry.load_count).map(u32::from),
            node => {
                let node = node?;
                if node.is_null() {
                    return Err(Absent::NotApplicable);
                }
                user(node)?;
                StructView::read(&self.loader.memory, node, fields.ddag.extent).get(&fields.ddag.load_count)
            }
        })
    }
}

/// The images that a process's loaders know.
#[derive(Clone, Debug, Default)]
pub struct LoadedImages {
    /// Those of the 64-bit loader, then those of the 32-bit one: in the order in which they were loaded, then what only the
    /// other lists know.
    pub images: Vec<LoadedImage>,
    /// What could not be read, and where lists are broken.
    pub incomplete: Vec<Incomplete>,
    /// Why an image that is not here may be in a list all the same; `None` if every list was read to its end.
    pub gap: Option<Absent>,
}

/// Entries of one list of a loader. No process that works comes near.
const MAX_IMAGES: usize = 1 << 14;

/// Reads the lists of a process. A process without user memory of its own has none; one that has ended had its memory taken
/// away.
pub fn images(snapshot: &Snapshot, process: &Process) -> LoadedImages {
    let mut found = LoadedImages::default();
    let loaders = [(false, process.peb()), (true, process.peb32())];
    if loaders.iter().all(|(_, peb)| *peb == Ok(None)) {
        found.gap = Some(Absent::NotApplicable);
    }
    for (wow64, peb) in loaders {
        match peb.and_then(|peb| peb.map(|peb| of_loader(snapshot, process, wow64, peb, &mut found)).transpose()) {
            Ok(_) => {}
            Err(_) if matches!(process.exit_time(), Ok(Some(_))) => found.gap = Some(Absent::NotApplicable),
            Err(why) => {
                found.gap = Some(why);
                Incomplete::new("loader lists of a process", process.eprocess(), why).add_to(&mut found.incomplete);
            }
        }
    }
    found
}

/// An address in user memory.
fn user(at: VirtAddr) -> Result<VirtAddr, Absent> {
    if at.is_kernel() { Err(Absent::Malformed) } else { Ok(at) }
}

/// Adds the images behind one environment block.
fn of_loader(
    snapshot: &Snapshot,
    process: &Process,
    wow64: bool,
    peb: VirtAddr,
    found: &mut LoadedImages,
) -> Result<(), Absent> {
    let memory = process.space()?;
    let loader = Arc::new(Loader { snapshot: snapshot.clone(), memory, wow64 });
    let (memory, shape) = (&loader.memory, loader.shape());
    let ldr = shape.read_pointer(memory, user(peb)?.wrapping_add(shape.ldr?.into()))?;
    // The loader has not begun, or never will.
    if ldr.is_null() {
        found.gap = Some(Absent::NotApplicable);
        return Ok(());
    }
    let ldr = user(ldr)?;
    let mut entries = Entries { memory, shape, views: BTreeMap::new() };
    let mut walked = Vec::new();
    for (head, name) in shape.lists.iter().zip(LIST_NAMES) {
        let head_at = ldr.wrapping_add(head.head?.into());
        let link = head.links?;
        // A list that cannot be begun is one gap, not one for each of its entries.
        let links = shape.read_links(memory, head_at)?;
        let list = list::walk(name, head_at, Ok(links), |at| entries.links(at, link), Vec::new);
        walked.push((head_at, link, list));
    }
    // What follows a broken link is found through the entries that the other lists know.
    let known: Vec<VirtAddr> = entries.views.keys().copied().collect();
    let mut order: Vec<(VirtAddr, Lists)> = Vec::new();
    let mut place: BTreeMap<VirtAddr, usize> = BTreeMap::new();
    for (((head_at, link, list), (flag, _)), name) in walked.into_iter().zip(Lists::ALL).zip(LIST_NAMES) {
        let list = if list.incomplete.is_empty() {
            list
        } else {
            let others = || known.iter().map(|entry| entry.wrapping_add(link.into())).collect();
            let links = shape.read_links(memory, head_at);
            list::walk(name.clone(), head_at, links, |at| entries.links(at, link), others)
        };
        for broken in &list.incomplete {
            found.gap = Some(Absent::Malformed);
            // The link lies in the memory of this process: its address alone does not tell where.
            let pid = process.pid().map_or_else(|why| format!("({why})"), |pid| format!("{pid}"));
            let what = format!("process {pid}: {}", broken.what);
            let place = match (&broken.place, process.dtb()) {
                (Place::Virtual(at), Ok(root)) => Place::User(*at, root),
                (place, _) => place.clone(),
            };
            Incomplete { what, place, ..broken.clone() }.add_to(&mut found.incomplete);
        }
        for member in list.members {
            let entry = member.wrapping_sub(link.into());
            let next = order.len();
            let index = *place.entry(entry).or_insert(next);
            if index == next {
                order.push((entry, flag));
            } else if let Some((_, lists)) = order.get_mut(index) {
                *lists |= flag;
            }
        }
    }
    let mut views = entries.views;
    let images = order.into_iter().filter_map(|(at, lists)| Some((views.remove(&at)?, lists)));
    found.images.extend(images.map(|(view, lists)| LoadedImage { loader: loader.clone(), view, lists }));
    Ok(())
}

/// The lists in the order of [`Lists::ALL`].
const LIST_NAMES: [ListName; 3] = [
    ListName::short(
        "loader's list in the order of loading",
        "_PEB_LDR_DATA.InLoadOrderModuleList",
        "_LDR_DATA_TABLE_ENTRY.InLoadOrderLinks",
        MAX_IMAGES,
    ),
    ListName::short(
        "loader's list in the order of memory",
        "_PEB_LDR_DATA.InMemoryOrderModuleList",
        "_LDR_DATA_TABLE_ENTRY.InMemoryOrderLinks",
        MAX_IMAGES,
    ),
    ListName::short(
        "loader's list in the order of initialization",
        "_PEB_LDR_DATA.InInitializationOrderModuleList",
        "_LDR_DATA_TABLE_ENTRY.InInitializationOrderLinks",
        MAX_IMAGES,
    ),
];

/// The entries that were met.
struct Entries<'l> {
    memory: &'l Space,
    shape: &'l Shape,
    views: BTreeMap<VirtAddr, StructView>,
}

impl Entries<'_> {
    /// The links of the entry around a link, if it is one.
    fn links(&mut self, at: VirtAddr, link: u32) -> Result<Links, Absent> {
        let shape = self.shape;
        let entry = user(at.wrapping_sub(link.into()))?;
        if !self.views.contains_key(&entry) {
            let view = StructView::read(self.memory, entry, shape.extent);
            let base = shape.pointer(&view, shape.base)?;
            if base.is_null() || !base.0.is_multiple_of(PAGE_SIZE) {
                return Err(Absent::Malformed);
            }
            self.views.insert(entry, view);
        }
        let view = self.views.get(&entry).ok_or(Absent::Malformed)?;
        shape.links(view, link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_with_more_images_than_are_taken_say_so() {
        for name in LIST_NAMES {
            assert_eq!(name.most, MAX_IMAGES);
            list::tests::check_that_the_cap_is_told(name);
        }
    }
}
