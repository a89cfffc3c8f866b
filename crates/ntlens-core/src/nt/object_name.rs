//! What an object is called: its place in the namespace, a file's path, a registry key's path, a process's number.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::layout::Layouts;
use crate::layout::field::{Bits, Embedded, Field};
use crate::layout::view::StructView;
use crate::memory::{Pages, VirtualMemory};
use crate::nt::object::ObjectHeader;
use crate::nt::object_type::ROOT;
use crate::nt::process::Process;
use crate::nt::snapshot::Snapshot;
use crate::nt::space::Space;
use crate::text;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

crate::fields! {
    /// Fields of `_FILE_OBJECT`.
    struct FileFields of "_FILE_OBJECT" {
        device_object: Field<VirtAddr> = "DeviceObject",
        vpb: Field<VirtAddr> = "Vpb",
        related_file_object: Field<VirtAddr> = "RelatedFileObject",
        /// The whole string, so that it is read along.
        file_name: Field<[u8; 16]> = "FileName",
    }
}

crate::fields! {
    /// Fields of `_CM_KEY_BODY`.
    struct KeyBodyFields of "_CM_KEY_BODY" {
        key_control_block: Field<VirtAddr> = "KeyControlBlock",
    }
}

crate::fields! {
    /// Fields of `_CM_KEY_CONTROL_BLOCK`.
    struct KeyControlBlockFields of "_CM_KEY_CONTROL_BLOCK" {
        parent: Field<VirtAddr> = "ParentKcb",
        name_block: Field<VirtAddr> = "NameBlock",
    }
}

crate::fields! {
    /// Fields of `_CM_NAME_CONTROL_BLOCK`.
    struct NameBlockFields of "_CM_NAME_CONTROL_BLOCK" {
        compressed: Bits = "Compressed",
        name_length: Field<u16> = "NameLength",
        name: Field<Embedded> = "Name",
    }
}

crate::fields! {
    /// Fields of `_SECTION`, since Windows 10.
    struct SectionFields of "_SECTION" {
        /// The control area; its low bits say that a file object of another machine's memory stands here instead.
        control_area: Field<VirtAddr> = "u1.ControlArea",
    }
}

crate::fields! {
    /// Fields of `_SECTION_OBJECT`, before Windows 10.
    struct SectionObjectFields of "_SECTION_OBJECT" {
        /// The segment; symbols name its type `_SEGMENT_OBJECT`, and it is a `_SEGMENT`.
        segment: Field<VirtAddr> = "Segment",
    }
}

crate::fields! {
    /// Fields of `_SEGMENT`.
    struct SegmentFields of "_SEGMENT" {
        control_area: Field<VirtAddr> = "ControlArea",
    }
}

crate::fields! {
    /// Fields of `_VPB`: what is mounted where.
    struct VpbFields of "_VPB" {
        /// The device of the volume; `DeviceObject` beside it is the file system's, which has no name.
        real_device: Field<VirtAddr> = "RealDevice",
    }
}

crate::fields! {
    /// Fields of `_CONTROL_AREA`.
    struct ControlAreaFields of "_CONTROL_AREA" {
        /// The file, a fast reference.
        file_pointer: Field<VirtAddr> = "FilePointer",
    }
}

/// The structures that names are in.
#[derive(Clone, Debug)]
pub struct NameFields {
    file: FileFields,
    key_body: KeyBodyFields,
    key_control_block: KeyControlBlockFields,
    name_block: NameBlockFields,
    section: SectionFields,
    section_object: SectionObjectFields,
    segment: SegmentFields,
    vpb: VpbFields,
    control_area: ControlAreaFields,
}

impl NameFields {
    /// Takes the fields from the layouts.
    pub fn resolve(layouts: &Layouts) -> Self {
        Self {
            file: FileFields::resolve(layouts),
            key_body: KeyBodyFields::resolve(layouts),
            key_control_block: KeyControlBlockFields::resolve(layouts),
            name_block: NameBlockFields::resolve(layouts),
            section: SectionFields::resolve(layouts),
            section_object: SectionObjectFields::resolve(layouts),
            segment: SegmentFields::resolve(layouts),
            vpb: VpbFields::resolve(layouts),
            control_area: ControlAreaFields::resolve(layouts),
        }
    }
}

/// Directories, keys or files above one another. The registry itself allows 512.
pub(crate) const MAX_DEPTH: usize = 512;
/// UTF-16 units of a path that is still one: what one `UNICODE_STRING` can hold. Each takes four bytes here at most.
pub(crate) const MAX_PATH: usize = 0x7fff;

/// A name, none, or the reason why it is not known. Names that many objects begin with are kept once.
pub(crate) type Name = Result<Option<Arc<str>>, Absent>;

/// Finds names. What many names begin with - directories, devices, keys - is read once.
#[derive(Debug)]
pub struct Names<'s> {
    snapshot: &'s Snapshot,
    memory: Pages<'s, Space>,
    /// Paths of objects that others stand below, by their bodies.
    named: BTreeMap<VirtAddr, Name>,
    /// Paths of registry keys by their control blocks.
    keys: BTreeMap<VirtAddr, Result<Arc<str>, Absent>>,
    /// Names of processes by their bodies.
    processes: BTreeMap<VirtAddr, Arc<str>>,
}

impl<'s> Names<'s> {
    /// Begins with the processes that are known already.
    pub fn new(snapshot: &'s Snapshot, processes: &[Process]) -> Self {
        let named = |process: &Process| {
            let pid = process.pid().ok()?;
            Some((process.eprocess(), process_name(pid, &process.name().ok()?).into()))
        };
        let processes = processes.iter().filter_map(named).collect();
        Self {
            snapshot,
            memory: Pages::new(snapshot.space()),
            named: BTreeMap::new(),
            keys: BTreeMap::new(),
            processes,
        }
    }

    /// The headers of an object, by the address of the first.
    pub(crate) fn header(&self, at: VirtAddr) -> ObjectHeader<'s> {
        self.snapshot.fields().object.at(&self.memory, at)
    }

    /// The full name of an object of a type. A section without one has that of its file, which is another question.
    pub fn of(&mut self, object_type: &str, header: &ObjectHeader<'_>) -> Result<Option<Arc<str>>, Absent> {
        let body = header.body()?;
        match object_type {
            "Process" => self.process(body).map(Some),
            "Thread" => self.thread(body).map(|name| Some(name.into())),
            "File" => self.file(body, 0).map(|name| Some(name.into())),
            "Key" => self.key(body).map(Some),
            "Token" => Ok(None),
            _ => self.path(header),
        }
    }

    /// An object's place in the namespace: the names of the directories above it, and its own.
    pub fn path(&mut self, header: &ObjectHeader<'_>) -> Result<Option<Arc<str>>, Absent> {
        let Some(own) = header.name(&self.memory)? else { return Ok(None) };
        let Some(directory) = own.directory else { return Ok(Some(own.name.into())) };
        let above = self.directory(directory)?;
        Ok(Some(below(&above, &own.name)?))
    }

    /// The path of a directory, or of another object by its body.
    fn directory(&mut self, directory: VirtAddr) -> Result<Arc<str>, Absent> {
        // Up to a directory that is known, or that has none above it.
        let mut chain = Vec::new();
        let mut at = directory;
        let mut path: Arc<str> = loop {
            match self.named.get(&at) {
                Some(Ok(Some(known))) => break known.clone(),
                Some(other) => return Err(other.clone().err().unwrap_or(Absent::Malformed)),
                None => {}
            }
            let own = self.snapshot.fields().object.of_body(&self.memory, at).and_then(|header| {
                let name = header.name(&self.memory)?;
                name.ok_or(Absent::Malformed)
            });
            let own = match own {
                Ok(own) => own,
                Err(why) => return self.unnamed(&chain, at, why),
            };
            let Some(next) = own.directory else {
                let top: Arc<str> = own.name.into();
                self.named.insert(at, Ok(Some(top.clone())));
                break top;
            };
            chain.push((at, own.name));
            if chain.len() > MAX_DEPTH || chain.iter().any(|(met, _)| *met == next) {
                return self.unnamed(&chain, at, Absent::Malformed);
            }
            at = next;
        };
        while let Some((at, name)) = chain.pop() {
            path = match below(&path, &name) {
                Ok(path) => path,
                Err(why) => return self.unnamed(&chain, at, why),
            };
            self.named.insert(at, Ok(Some(path.clone())));
        }
        Ok(path)
    }

    /// What stands below a directory without a path has none either.
    fn unnamed<T>(&mut self, chain: &[(VirtAddr, String)], at: VirtAddr, why: Absent) -> Result<T, Absent> {
        for at in chain.iter().map(|(at, _)| *at).chain([at]) {
            self.named.insert(at, Err(why));
        }
        Err(why)
    }

    fn process(&mut self, body: VirtAddr) -> Result<Arc<str>, Absent> {
        if let Some(known) = self.processes.get(&body) {
            return Ok(known.clone());
        }
        let process = Process::probe(self.snapshot, body)?;
        let name: Arc<str> = process_name(process.pid()?, &process.name()?).into();
        self.processes.insert(body, name.clone());
        Ok(name)
    }

    fn thread(&self, body: VirtAddr) -> Result<String, Absent> {
        let fields = &self.snapshot.fields().thread;
        let id = |field: Result<Field<u64>, Absent>| self.memory.read_u64(body.wrapping_add(field?.offset.into()));
        Ok(format!("{}.{}", id(fields.unique_process)?, id(fields.unique_thread)?))
    }

    /// The device's name and the path on it. A path that does not begin at the device's root begins at another file.
    fn file(&mut self, body: VirtAddr, depth: usize) -> Result<String, Absent> {
        let memory = &self.memory;
        let fields = &self.snapshot.fields().object_name.file;
        let view = StructView::read(memory, body, fields.extent);
        let name_at = fields.file_name?.offset;
        let name = self.snapshot.fields().unicode_string.read_in(&view, name_at, memory)?.unwrap_or_default();
        let related = view.get(&fields.related_file_object)?;
        if !name.is_empty() && !name.starts_with('\\') && related.is_kernel() {
            if depth >= MAX_RELATED {
                return Err(Absent::Malformed);
            }
            let above = self.file(related, depth + 1)?;
            let path = format!("{}\\{name}", above.strip_suffix('\\').unwrap_or(&above));
            return if path.len() > MAX_PATH * 4 { Err(Absent::Malformed) } else { Ok(path) };
        }
        let device = view.get(&fields.device_object)?;
        let named = if device.is_kernel() { self.device(device)? } else { None };
        // The file system's own device has no name; the volume that is mounted there has.
        let named = match named {
            None => view.get(&fields.vpb).map_or(Ok(None), |vpb| self.volume(vpb))?,
            named => named,
        };
        let device = named.unwrap_or_default();
        Ok(format!("{device}{}{name}", if name.is_empty() || name.starts_with('\\') { "" } else { "\\" }))
    }

    fn volume(&mut self, vpb: VirtAddr) -> Name {
        if !vpb.is_kernel() {
            return Ok(None);
        }
        let fields = &self.snapshot.fields().object_name.vpb;
        let device = StructView::read(&self.memory, vpb, fields.extent).get(&fields.real_device)?;
        if device.is_kernel() { self.device(device) } else { Ok(None) }
    }

    /// The name of a device by its body.
    fn device(&mut self, body: VirtAddr) -> Name {
        if let Some(known) = self.named.get(&body) {
            return known.clone();
        }
        let header = self.snapshot.fields().object.of_body(&self.memory, body);
        let name = header.and_then(|header| self.path(&header));
        self.named.insert(body, name.clone());
        name
    }

    fn key(&mut self, body: VirtAddr) -> Result<Arc<str>, Absent> {
        let fields = &self.snapshot.fields().object_name.key_body;
        let view = StructView::read(&self.memory, body, fields.extent);
        self.key_control_block(view.get(&fields.key_control_block)?)
    }

    /// What a key without a path lacks it for; `None` for one that has a path. A pointer is to blame that leads to no control
    /// block or to none with a name, and one to a block that was met before; what is not in the dump is no pointer's fault.
    pub(crate) fn key_fault(&mut self, body: VirtAddr) -> Option<Incomplete> {
        const WHAT: &str = "path of a registry key";
        let why = self.key(body).err()?;
        let fields = &self.snapshot.fields().object_name;
        let view = StructView::read(&self.memory, body, fields.key_body.extent);
        let mut link = ("_CM_KEY_BODY", "KeyControlBlock", view.address_of(&fields.key_body.key_control_block).ok()?);
        let Ok(mut at) = view.get(&fields.key_body.key_control_block) else {
            return Some(Incomplete::new(WHAT, body, why));
        };
        let mut met = BTreeSet::new();
        loop {
            let wrong = |(structure, field, place): (&'static str, &'static str, VirtAddr), found, expected| {
                Some(Incomplete::wrong(structure, field, place, found, expected))
            };
            if met.len() > MAX_DEPTH || !met.insert(at) {
                return wrong(link, at, "a key control block that no other stands below");
            }
            let Err(own) = self.key_name(at) else {
                let view = StructView::read(&self.memory, at, fields.key_control_block.extent);
                let parent = &fields.key_control_block.parent;
                link = ("_CM_KEY_CONTROL_BLOCK", "ParentKcb", view.address_of(parent).ok()?);
                at = view.get(parent).ok()?;
                if at.is_null() {
                    // Each name is there: together they are longer than a path.
                    return Some(Incomplete::new(WHAT, body, why));
                }
                continue;
            };
            let view = StructView::read(&self.memory, at, fields.key_control_block.extent);
            let name = &fields.key_control_block.name_block;
            // A block without a name is one if what is above it is a block.
            let is_block = view.get(&fields.key_control_block.parent).is_ok_and(|above| self.key_name(above).is_ok());
            return match (view.get(name), view.address_of(name)) {
                _ if !own.is_nowhere() => Some(Incomplete::new(WHAT, at, own)),
                (Ok(found), Ok(place)) if is_block => {
                    wrong(("_CM_KEY_CONTROL_BLOCK", "NameBlock", place), found, "the address of a name")
                }
                _ => wrong(link, at, "the address of a key control block"),
            };
        }
    }

    /// The path of a key: the names of the key control blocks up to that of `\REGISTRY`.
    fn key_control_block(&mut self, block: VirtAddr) -> Result<Arc<str>, Absent> {
        let mut chain: Vec<(VirtAddr, String)> = Vec::new();
        let mut at = block;
        let mut path: Result<Arc<str>, Absent> = loop {
            if at.is_null() && !chain.is_empty() {
                break Ok(ROOT.into());
            }
            if let Some(known) = self.keys.get(&at) {
                break known.clone();
            }
            if chain.len() >= MAX_DEPTH || chain.iter().any(|(met, _)| *met == at) {
                break Err(Absent::Malformed);
            }
            match self.key_name(at) {
                Ok((name, parent)) => {
                    chain.push((at, name));
                    at = parent;
                }
                Err(why) => {
                    self.keys.insert(at, Err(why));
                    break Err(why);
                }
            }
        };
        while let Some((at, name)) = chain.pop() {
            path = path.and_then(|path| below(&path, &name));
            self.keys.insert(at, path.clone());
        }
        path
    }

    /// A key's own name and the control block above it.
    fn key_name(&self, block: VirtAddr) -> Result<(String, VirtAddr), Absent> {
        let memory = &self.memory;
        let fields = &self.snapshot.fields().object_name;
        if !block.is_kernel() {
            return Err(Absent::Malformed);
        }
        let view = StructView::read(memory, block, fields.key_control_block.extent);
        let parent = view.get(&fields.key_control_block.parent)?;
        let name = view.get(&fields.key_control_block.name_block)?;
        let view = StructView::read(memory, name, fields.name_block.extent);
        let compressed = view.bit(&fields.name_block.compressed)?;
        let mut bytes = alloc::vec![0; usize::from(view.get(&fields.name_block.name_length)?)];
        let at = view.address_of(&fields.name_block.name)?;
        memory.read(at, &mut bytes).map_err(|hole| hole.why)?;
        // A compressed name is one byte a character, the first 256 characters of Unicode.
        let name = if compressed { bytes.into_iter().map(char::from).collect() } else { text::utf16(&bytes) };
        Ok((name, parent))
    }

    /// The file behind a section by its body; `None` for one that is backed by the page file.
    pub(crate) fn section_file(&mut self, body: VirtAddr) -> Name {
        let memory = &self.memory;
        let fields = &self.snapshot.fields().object_name;
        let area = if fields.section.control_area.is_ok() {
            StructView::read(memory, body, fields.section.extent).get(&fields.section.control_area)?
        } else {
            let view = StructView::read(memory, body, fields.section_object.extent);
            let segment = view.get(&fields.section_object.segment)?;
            if segment.is_null() {
                return Ok(None);
            }
            StructView::read(memory, segment, fields.segment.extent).get(&fields.segment.control_area)?
        };
        // The low bits mark sections of files on other machines, which have no control area.
        if area.0 & 3 != 0 { Ok(None) } else { self.control_area(area) }
    }

    /// The file that a control area maps; `None` for one that is backed by the page file.
    pub(crate) fn control_area(&mut self, area: VirtAddr) -> Name {
        if area.is_null() {
            return Ok(None);
        }
        if !area.is_kernel() {
            return Err(Absent::Malformed);
        }
        let fields = &self.snapshot.fields().object_name;
        let view = StructView::read(&self.memory, area, fields.control_area.extent);
        let file = view.get(&fields.control_area.file_pointer)?.without_fast_ref();
        if file.is_null() { Ok(None) } else { self.file(file, 0).map(|name| Some(name.into())) }
    }
}

/// Files that were opened relative to one another.
const MAX_RELATED: usize = 8;

fn process_name(pid: u64, name: &str) -> String {
    format!("PID {pid} {name}")
}

/// A path and a name below it.
pub(crate) fn below(path: &str, name: &str) -> Result<Arc<str>, Absent> {
    let between = if path.ends_with('\\') { "" } else { ROOT };
    if path.len() + between.len() + name.len() > MAX_PATH * 4 {
        return Err(Absent::Malformed);
    }
    Ok([path, between, name].concat().into())
}
