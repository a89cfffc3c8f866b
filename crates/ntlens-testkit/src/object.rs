//! Kernel objects: types, headers with their optional parts, and the header cookie.

use crate::assembly::Assembly;
use crate::guest::Guest;
use crate::pool::PoolKind;

/// The types of Windows 10 in the order of their indices, from 2 on.
const MODERN: &[&str] = &[
    "Type",
    "Directory",
    "SymbolicLink",
    "Token",
    "Job",
    "Process",
    "Thread",
    "Partition",
    "UserApcReserve",
    "IoCompletionReserve",
    "ActivityReference",
    "PsSiloContextPaged",
    "PsSiloContextNonPaged",
    "DebugObject",
    "Event",
    "Mutant",
    "Callback",
    "Semaphore",
    "Timer",
    "IRTimer",
    "Profile",
    "KeyedEvent",
    "WindowStation",
    "Desktop",
    "Composition",
    "RawInputManager",
    "CoreMessaging",
    "TpWorkerFactory",
    "Adapter",
    "Controller",
    "Device",
    "Driver",
    "IoCompletion",
    "WaitCompletionPacket",
    "File",
    "TmTm",
    "TmTx",
    "TmRm",
    "TmEn",
    "Section",
    "Session",
    "Key",
    "RegistryTransaction",
    "ALPC Port",
    "EnergyTracker",
    "PowerRequest",
    "WmiGuid",
    "EtwRegistration",
    "EtwSessionDemuxEntry",
    "EtwConsumer",
    "DmaDomain",
    "PcwObject",
    "FilterConnectionPort",
    "FilterCommunicationPort",
];

/// The types of Windows 7 and 8.1.
const CLASSIC: &[&str] = &[
    "Type",
    "Directory",
    "SymbolicLink",
    "Token",
    "Job",
    "Process",
    "Thread",
    "UserApcReserve",
    "IoCompletionReserve",
    "DebugObject",
    "Event",
    "EventPair",
    "Mutant",
    "Callback",
    "Semaphore",
    "Timer",
    "Profile",
    "KeyedEvent",
    "WindowStation",
    "Desktop",
    "TpWorkerFactory",
    "Adapter",
    "Controller",
    "Device",
    "Driver",
    "IoCompletion",
    "File",
    "TmTm",
    "TmTx",
    "TmRm",
    "TmEn",
    "Section",
    "Session",
    "Key",
    "ALPC Port",
    "PowerRequest",
    "WmiGuid",
    "EtwRegistration",
    "EtwConsumer",
    "FilterConnectionPort",
    "FilterCommunicationPort",
    "PcwObject",
];

/// Variables that point to type objects.
const VARIABLES: &[(&str, &str)] = &[
    ("ObpTypeObjectType", "Type"),
    ("ObpDirectoryObjectType", "Directory"),
    ("ObpSymbolicLinkObjectType", "SymbolicLink"),
    ("SeTokenObjectType", "Token"),
    ("PsJobType", "Job"),
    ("PsProcessType", "Process"),
    ("PsThreadType", "Thread"),
    ("ExEventObjectType", "Event"),
    ("ExMutantObjectType", "Mutant"),
    ("ExSemaphoreObjectType", "Semaphore"),
    ("ExTimerObjectType", "Timer"),
    ("ExDesktopObjectType", "Desktop"),
    ("ExWindowStationObjectType", "WindowStation"),
    ("IoFileObjectType", "File"),
    ("IoDriverObjectType", "Driver"),
    ("IoDeviceObjectType", "Device"),
    ("MmSectionObjectType", "Section"),
    ("CmKeyObjectType", "Key"),
    ("AlpcPortObjectType", "ALPC Port"),
];

/// Bytes from an object's header to its body.
pub(crate) const BODY: u64 = 0x30;
/// Bytes of the header with a name, before the object's header.
pub(crate) const NAME_INFO: u64 = 0x20;
const QUOTA_INFO: u64 = 0x20;

/// The object types of a machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct ObjectTypes {
    names: &'static [&'static str],
    /// The type objects, in the order of the names.
    pub(crate) objects: Vec<u64>,
    pub(crate) cookie: Option<u8>,
}

/// A name and the directory it stands in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    pub(crate) directory: u64,
    pub(crate) name: &'a str,
}

impl ObjectTypes {
    pub(crate) fn index(&self, name: &str) -> u8 {
        self.names.iter().position(|known| *known == name).unwrap_or_else(|| panic!("no type {name}")) as u8 + 2
    }

    pub(crate) fn list(&self) -> impl Iterator<Item = (u8, &'static str, u64)> {
        self.names.iter().zip(&self.objects).zip(2..).map(|((name, object), index)| (index, *name, *object))
    }
}

impl Assembly<'_> {
    /// Allocates an object of `size` bytes with its header; the address of its body.
    pub(crate) fn object(
        &mut self,
        kind: PoolKind,
        type_name: &str,
        size: u64,
        tag: [u8; 4],
        name: Option<Named<'_>>,
    ) -> u64 {
        let prefix = if name.is_some() { NAME_INFO } else { QUOTA_INFO };
        let start = self.guest.alloc(kind, prefix + BODY + size, tag);
        let header = start + prefix;
        let index = self.types.index(type_name);
        let encoded = self.types.cookie.map_or(index, |cookie| index ^ cookie ^ (header >> 8) as u8);
        let info_mask = if name.is_some() { 2 } else { 8 };
        self.guest
            .at(header, "_OBJECT_HEADER")
            .set("PointerCount", 0x8000 + self.rng.below(0x100))
            .set("HandleCount", 1 + self.rng.below(8))
            .set("TypeIndex", u64::from(encoded))
            .set("InfoMask", info_mask)
            .set("Flags", if name.is_some() { 0x10 } else { 0 });
        if let Some(Named { directory, name }) = name {
            let text = self.guest.pool_text(name);
            self.guest
                .at(start, "_OBJECT_HEADER_NAME_INFO")
                .set("Directory", directory)
                .text("Name", text)
                .set("ReferenceCount", 1);
            if directory != 0 {
                self.insert(directory, header + BODY, name);
            }
        }
        header + BODY
    }

    /// Puts an object into a directory.
    pub(crate) fn insert(&mut self, directory: u64, object: u64, name: &str) {
        let hash = name.to_uppercase().encode_utf16().fold(0_u32, |hash, unit| {
            hash.wrapping_add(hash << 1).wrapping_add(hash >> 1).wrapping_add(u32::from(unit))
        });
        let bucket = directory + u64::from(hash % 37) * 8;
        let next = self.guest.read_u64(bucket);
        let entry = self.guest.alloc(PoolKind::Paged, 0x18, *b"ObDi");
        self.guest.write_u64(entry, next);
        self.guest.write_u64(entry + 8, object);
        self.guest.write_u32(entry + 0x10, hash);
        self.guest.write_u64(bucket, entry);
    }

    /// Creates the type objects, their table and the cookie.
    pub(crate) fn object_types(&mut self) {
        let modern = self.build >= 10240;
        self.types.names = if modern { MODERN } else { CLASSIC };
        if let Some(address) = self.symbol("ObHeaderCookie").filter(|_| modern) {
            let cookie = self.rng.next() as u8;
            self.types.cookie = Some(cookie);
            self.guest.write(address, &[cookie]);
            self.truth.kernel.ob_header_cookie = Some(cookie);
        }
        // The second slot is no type: it holds an address that faults.
        if let Some(table) = self.symbol("ObTypeIndexTable") {
            let bad = if modern { self.plan.system_ptes - 0x1000 } else { 0xbad0_b0b0 };
            self.guest.write_u64(table + 8, bad);
            self.set_symbol("MmBadPointer", bad);
        }
        let size = self.guest.size_of("_OBJECT_TYPE", 0xd8);
        for (index, name) in self.types.names.iter().enumerate() {
            let body = self.object(PoolKind::NonPaged, "Type", size, *b"ObjT", Some(Named { directory: 0, name }));
            fill_type(&mut self.guest, body, name, index as u64 + 2);
            self.types.objects.push(body);
            if let Some(table) = self.symbol("ObTypeIndexTable") {
                self.guest.write_u64(table + (index as u64 + 2) * 8, body);
            }
        }
        for (variable, name) in VARIABLES {
            if let Some(position) = self.types.names.iter().position(|known| known == name) {
                self.set_symbol(variable, self.types.objects[position]);
            }
        }
        if let Some(table) = self.symbol("ObpInfoMaskToOffset") {
            let sizes = [0x20_u8, 0x20, 0x10, 0x20, 0x10, 0x10, 0x10, 4];
            let total =
                |mask: usize| (0..8).filter(|bit| mask >> bit & 1 == 1).map(|bit| u32::from(sizes[bit])).sum::<u32>();
            let bytes: Vec<u8> = (0..256).map(|mask| total(mask) as u8).collect();
            self.guest.write(table, &bytes);
        }
        self.truth.object_types = self
            .types
            .list()
            .map(|(index, name, va)| crate::truth::ObjectType { index, name: name.into(), va })
            .collect();
    }
}

fn fill_type(guest: &mut Guest, body: u64, name: &str, index: u64) {
    let text = guest.pool_text(name);
    let length = guest.size_of("_OBJECT_TYPE_INITIALIZER", 0x78);
    guest
        .at(body, "_OBJECT_TYPE")
        .ring("TypeList")
        .text("Name", text)
        .set("Index", index)
        .set("TotalNumberOfObjects", 16)
        .set("TotalNumberOfHandles", 32)
        .set("TypeInfo.Length", length)
        .set("TypeInfo.ValidAccessMask", 0x001f_ffff)
        .set("TypeInfo.PoolType", 1)
        .set("Key", u64::from(u32::from_le_bytes(*b"ObjT")))
        .ring("CallbackList");
}
