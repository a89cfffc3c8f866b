//! Functions that drivers have the kernel call: when processes, threads and images come and go, when the registry is used,
//! and when handles to objects are made.
//!
//! No symbols describe what is registered; the layouts here are publicly known and the same in all builds from Windows 7 on.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::{Incomplete, Place};
use crate::layout::field::{Field, Scalar};
use crate::layout::view::StructView;
use crate::nt::list::{self, Links, ListName};
use crate::nt::object_type::ObjectTypes;
use crate::nt::snapshot::Snapshot;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// When a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A process begins or ends.
    Process,
    /// A thread begins or ends.
    Thread,
    /// An image is mapped.
    Image,
    /// The registry is used.
    Registry,
    /// Before a handle to an object is made.
    ObjectPre,
    /// After it was made.
    ObjectPost,
}

impl Kind {
    /// The name in the output contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Thread => "thread",
            Self::Image => "image",
            Self::Registry => "registry",
            Self::ObjectPre => "object-pre",
            Self::ObjectPost => "object-post",
        }
    }
}

/// The three arrays of the kernel, by the names of their symbols.
const ARRAYS: [(Kind, &str); 3] = [
    (Kind::Process, "PspCreateProcessNotifyRoutine"),
    (Kind::Thread, "PspCreateThreadNotifyRoutine"),
    (Kind::Image, "PspLoadImageNotifyRoutine"),
];
/// Slots of each, since Windows Vista.
const SLOTS: u32 = 64;

/// Entries of one list that are listed.
const MAX_ENTRIES: usize = 1 << 12;

const REGISTRY: ListName =
    ListName::short("list of registry callbacks", "CallbackListHead", "_LIST_ENTRY", MAX_ENTRIES);
const OBJECTS: ListName = ListName::short("", "_OBJECT_TYPE.CallbackList", "_LIST_ENTRY", MAX_ENTRIES);

/// A part of a structure that no symbols describe.
fn part<T: Scalar>(view: &StructView, offset: u32) -> Result<T, Absent> {
    view.get(&Ok(Field::at(offset)))
}

/// `EX_CALLBACK_ROUTINE_BLOCK`: a lock, the function, and what is passed to it.
mod block {
    pub(super) const SIZE: u32 = 0x18;
    pub(super) const FUNCTION: u32 = 8;
    pub(super) const CONTEXT: u32 = 0x10;
}

/// An entry of the list `CallbackListHead`.
mod registry {
    pub(super) const SIZE: u32 = 0x40;
    pub(super) const COOKIE: u32 = 0x18;
    pub(super) const CONTEXT: u32 = 0x20;
    pub(super) const FUNCTION: u32 = 0x28;
    pub(super) const ALTITUDE: u32 = 0x30;
}

/// An entry of the list of an object type (`OBJECT_TYPE.CallbackList`).
mod object {
    pub(super) const SIZE: u32 = 0x40;
    pub(super) const OPERATIONS: u32 = 0x10;
    pub(super) const ENABLED: u32 = 0x14;
    pub(super) const REGISTRATION: u32 = 0x18;
    pub(super) const OBJECT_TYPE: u32 = 0x20;
    pub(super) const PRE: u32 = 0x28;
    pub(super) const POST: u32 = 0x30;
}

/// The registration that such an entry is part of.
mod registration {
    pub(super) const SIZE: u32 = 0x20;
    pub(super) const CONTEXT: u32 = 8;
    pub(super) const ALTITUDE: u32 = 0x10;
}

/// The block behind a slot, which is an `EX_FAST_REF`; `None` for a free slot.
fn block_of(slot: VirtAddr) -> Option<VirtAddr> {
    Some(slot.without_fast_ref()).filter(|block| !block.is_null())
}

/// The function of a block and what is passed to it. A block without a function is none.
fn routine(view: &StructView) -> Result<(VirtAddr, u64), Absent> {
    match part::<VirtAddr>(view, block::FUNCTION)? {
        function if function.is_null() => Err(Absent::Malformed),
        function => Ok((function, part(view, block::CONTEXT)?)),
    }
}

/// Names of `OB_OPERATION` (`wdm.h`): which handles are meant.
pub fn operation_names(operations: u32) -> Vec<String> {
    let name = |bit: u32| match bit {
        0 => "create".into(),
        1 => "duplicate".into(),
        _ => format!("bit_{bit}"),
    };
    (0..32).filter(|bit| operations >> bit & 1 == 1).map(name).collect()
}

/// A function that is called.
#[derive(Clone, Debug)]
pub struct Callback {
    /// When.
    pub kind: Kind,
    /// Where it is.
    pub address: VirtAddr,
    /// Slot of the array; `None` for those of lists.
    pub slot: Option<u32>,
    /// The block or entry that holds it.
    pub entry: VirtAddr,
    /// What is passed to it. Of processes, threads and images it is flags of how it was registered.
    pub context: Result<u64, Absent>,
    /// Its place among others, of the registry and of objects.
    pub altitude: Result<Option<String>, Absent>,
    /// Number by which a function of the registry is taken back.
    pub cookie: Option<Result<u64, Absent>>,
    /// What is told of those for objects.
    pub object: Option<ObjectCallback>,
}

/// What belongs to functions for objects only.
#[derive(Clone, Debug)]
pub struct ObjectCallback {
    /// Name of the type of the objects.
    pub object_type: Arc<str>,
    /// Whether objects of the type call such functions at all (`SupportsObjectCallbacks`).
    pub supported: Result<bool, Absent>,
    /// `OB_OPERATION` bits.
    pub operations: Result<u32, Absent>,
    /// Whether the entry is on: it is while its driver has it registered.
    pub enabled: Result<bool, Absent>,
}

/// The functions of a dump.
#[derive(Clone, Debug, Default)]
pub struct Callbacks {
    /// In the order of their kinds, slots and lists.
    pub callbacks: Vec<Callback>,
    /// What could not be read.
    pub incomplete: Vec<Incomplete>,
}

/// Lists the functions. Those for objects are found through the types; the others only where symbols tell.
pub fn callbacks(snapshot: &Snapshot) -> Callbacks {
    let mut found = Callbacks::default();
    if snapshot.triage().is_some() {
        found.incomplete.push(Incomplete::new("callbacks", "triage dump", Absent::AddressNotInDump));
        return found;
    }
    for (kind, symbol) in ARRAYS {
        match snapshot.symbol(symbol) {
            Ok(at) => found.array(snapshot, kind, symbol, at),
            Err(why) => found.note(&format!("{} callbacks", kind.name()), symbol, why),
        }
    }
    match snapshot.symbol("CallbackListHead") {
        Ok(head) => found.registry(snapshot, head),
        Err(why) => found.note("registry callbacks", "CallbackListHead", why),
    }
    found.objects(snapshot);
    found
}

impl Callbacks {
    fn note(&mut self, what: &str, place: impl Into<Place>, why: Absent) {
        self.incomplete.push(Incomplete::new(what, place, why));
    }

    fn array(&mut self, snapshot: &Snapshot, kind: Kind, symbol: &'static str, at: VirtAddr) {
        let memory = snapshot.space();
        let what = format!("slot of {} callbacks", kind.name());
        let array = StructView::read(memory, at, SLOTS * 8);
        for slot in 0..SLOTS {
            let place = at.wrapping_add(u64::from(slot) * 8);
            let held = part::<VirtAddr>(&array, slot * 8);
            let found = part(&array, slot * 8).and_then(|pointer| match block_of(pointer) {
                None => Ok(None),
                Some(block) if block.is_kernel() => {
                    routine(&StructView::read(memory, block, block::SIZE)).map(|found| Some((block, found)))
                }
                Some(_) => Err(Absent::Malformed),
            });
            match found {
                Ok(None) => {}
                Ok(Some((entry, (address, context)))) => self.callbacks.push(Callback {
                    kind,
                    address,
                    slot: Some(slot),
                    entry,
                    context: Ok(context),
                    altitude: Ok(None),
                    cookie: None,
                    object: None,
                }),
                Err(why) => {
                    let mut missing = Incomplete::new(&*what, place, why);
                    // A slot that can be read and leads nowhere is wrong itself.
                    if let Some(held) = held.ok().filter(|_| why.is_nowhere()) {
                        let expected = "0, or the address of a block with a function";
                        missing = missing.of_field(symbol, format!("[{slot}]"), held, expected);
                    }
                    self.incomplete.push(missing);
                }
            }
        }
    }

    /// The entries of a list. What is no entry ends it.
    fn list(
        &mut self,
        snapshot: &Snapshot,
        name: ListName,
        head: VirtAddr,
        size: u32,
        is_entry: impl Fn(&StructView) -> Result<bool, Absent>,
    ) -> Vec<StructView> {
        let memory = snapshot.space();
        let mut views = BTreeMap::new();
        let member = |at: VirtAddr| {
            let view = StructView::read(memory, at, size);
            if !at.is_kernel() || !is_entry(&view)? {
                return Err(Absent::Malformed);
            }
            views.insert(at, view);
            Links::read(memory, at)
        };
        let found = list::walk(name, head, Links::read(memory, head), member, Vec::new);
        self.incomplete.extend(found.incomplete);
        found.members.iter().filter_map(|at| views.remove(at)).collect()
    }

    fn registry(&mut self, snapshot: &Snapshot, head: VirtAddr) {
        let is_entry = |view: &StructView| part(view, registry::FUNCTION).map(|function: VirtAddr| !function.is_null());
        for view in self.list(snapshot, REGISTRY, head, registry::SIZE, is_entry) {
            let Ok(address) = part(&view, registry::FUNCTION) else { continue };
            let strings = &snapshot.fields().unicode_string;
            if let Some(fault) = strings.fault_in(&view, registry::ALTITUDE, snapshot.space()) {
                fault.add_to(&mut self.incomplete);
            }
            self.callbacks.push(Callback {
                kind: Kind::Registry,
                address,
                slot: None,
                entry: view.at,
                context: part(&view, registry::CONTEXT),
                altitude: strings.read_in(&view, registry::ALTITUDE, snapshot.space()),
                cookie: Some(part(&view, registry::COOKIE)),
                object: None,
            });
        }
    }

    fn objects(&mut self, snapshot: &Snapshot) {
        let types = ObjectTypes::find(snapshot, &snapshot.processes().processes);
        if types.types().next().is_none() {
            // Without the types there is nothing to find; what of them is missing says why.
            self.incomplete.extend(types.incomplete.iter().cloned());
        }
        for object_type in types.types() {
            self.of_type(snapshot, object_type.object, &object_type.name);
        }
    }

    fn of_type(&mut self, snapshot: &Snapshot, type_object: VirtAddr, name: &Arc<str>) {
        let fields = &snapshot.fields().object_type;
        let memory = snapshot.space();
        let what = format!("callbacks for objects of type {name}");
        let type_view = StructView::read(memory, type_object, fields.extent);
        let head = match type_view.address_of(&fields.callback_list) {
            Ok(head) => head,
            Err(why) => return self.note(&what, type_object, why),
        };
        let supported = type_view.bit(&fields.supports_object_callbacks);
        let is_entry = |view: &StructView| part(view, object::OBJECT_TYPE).map(|of: VirtAddr| of == type_object);
        let mut entries = Vec::new();
        for view in self.list(snapshot, OBJECTS.called(what.clone()), head, object::SIZE, is_entry) {
            let registration = part(&view, object::REGISTRATION);
            let registration = registration.map(|at| StructView::read(memory, at, registration::SIZE));
            let registration = registration.as_ref().map_err(|why| *why);
            let context = registration.and_then(|view| part(view, registration::CONTEXT));
            let strings = &snapshot.fields().unicode_string;
            let fault = registration.ok().and_then(|view| strings.fault_in(view, registration::ALTITUDE, memory));
            if let Some(fault) = fault {
                fault.add_to(&mut self.incomplete);
            }
            let altitude = registration.and_then(|view| strings.read_in(view, registration::ALTITUDE, memory));
            let before = entries.len();
            for (kind, offset) in [(Kind::ObjectPre, object::PRE), (Kind::ObjectPost, object::POST)] {
                match part::<VirtAddr>(&view, offset) {
                    Ok(address) if address.is_null() => {}
                    Ok(address) => entries.push(Callback {
                        kind,
                        address,
                        slot: None,
                        entry: view.at,
                        context,
                        altitude: altitude.clone(),
                        cookie: None,
                        object: Some(ObjectCallback {
                            object_type: name.clone(),
                            supported,
                            operations: part(&view, object::OPERATIONS),
                            enabled: part(&view, object::ENABLED).map(|enabled: u32| enabled != 0),
                        }),
                    }),
                    Err(why) => self.note(&what, view.at, why),
                }
            }
            // Nobody registers nothing.
            if entries.len() == before {
                self.note(&format!("{what}: an entry without functions"), view.at, Absent::Malformed);
            }
        }
        self.callbacks.extend(entries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::blocks::{Block, BlockSpace};
    use proptest::prelude::*;

    #[test]
    fn lists_with_more_entries_than_are_taken_say_so() {
        for name in [REGISTRY, OBJECTS] {
            assert_eq!(name.most, MAX_ENTRIES);
            list::tests::check_that_the_cap_is_told(name);
        }
    }

    #[test]
    fn operations_have_names() {
        assert_eq!(operation_names(3), ["create", "duplicate"]);
        assert_eq!(operation_names(0x8000_0002), ["duplicate", "bit_31"]);
        assert!(operation_names(0).is_empty());
    }

    proptest! {
        /// A slot is the block's address, which is a multiple of 16, and a count of references below it.
        #[test]
        fn a_slot_leads_to_its_block(block: u64, references in 0_u64..16) {
            let block = block & !0xf;
            let found = block_of(VirtAddr(block | references));
            prop_assert_eq!(found, (block != 0).then_some(VirtAddr(block)));
        }

        #[test]
        fn a_block_holds_a_lock_a_function_and_what_is_passed(lock: u64, function: u64, context: u64, held in 0_usize..=0x18) {
            let at = VirtAddr(0xffff_8000_0000_1000);
            let bytes = [lock, function, context].map(u64::to_le_bytes).concat()[..held].to_vec();
            let block = Block { start: at, len: bytes.len() as u64, offset: 0 };
            let memory = BlockSpace::new(Arc::new(bytes), [block]);
            let found = routine(&StructView::read(&memory, at, block::SIZE));
            let expected = match (held, function) {
                (0x18, 0) => Err(Absent::Malformed),
                (0x18, _) => Ok((VirtAddr(function), context)),
                (0x10.., 0) => Err(Absent::Malformed),
                _ => Err(Absent::AddressNotInDump),
            };
            prop_assert_eq!(found, expected);
        }
    }
}
