//! Interrupt tables, and the objects through which interrupts of devices reach their drivers: `KINTERRUPT`.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::layout::field::{Embedded, Field};
use crate::layout::view::StructView;
use crate::memory::VirtualMemory;
use crate::nt::descriptor::{GATE_SIZE, Gate};
use crate::nt::list::{self, Links, ListName};
use crate::nt::owner::Owners;
use crate::nt::processor::{self, Processor};
use crate::nt::snapshot::Snapshot;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

crate::fields! {
    /// Fields of `_KINTERRUPT`.
    pub struct InterruptFields of "_KINTERRUPT" {
        /// `InterruptObject` (22) of the enumeration `_KOBJECTS`.
        kind: Field<u16> = "Type",
        /// Links of the objects that share a vector.
        list_entry: Field<Embedded> = "InterruptListEntry",
        /// The driver's routine.
        service_routine: Field<VirtAddr> = "ServiceRoutine",
        /// The driver's routine for an interrupt that is a message; the other one is then the kernel's.
        message_service_routine: Field<VirtAddr> = "MessageServiceRoutine",
        /// The vector that raises it.
        vector: Field<u32> = "Vector",
        /// Code that the interrupt table leads to. Kernels without it reach the object through `KPRCB.InterruptObject`.
        dispatch_code: Field<Embedded> = "DispatchCode",
    }
}

/// `InterruptObject` of `_KOBJECTS`.
const INTERRUPT_OBJECT: u16 = 22;
/// The processor has so many vectors.
const VECTORS: usize = 256;
const VECTOR_COUNT: u64 = 256;
/// Bytes of `KPRCB.InterruptObject`: a pointer for each.
const OBJECTS_SIZE: u32 = 0x800;
/// Bytes that the entries of all vectors take.
const TABLE_SIZE: usize = VECTORS * GATE_SIZE;

/// Objects that share one vector and are listed; a few devices do.
const MAX_SHARED: usize = 1 << 10;
/// Every object is the head of the list for the others.
const SHARED: ListName =
    ListName::short("", "_KINTERRUPT.InterruptListEntry", "_KINTERRUPT.InterruptListEntry", MAX_SHARED);

/// An object that connects a vector with a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterruptObject {
    /// The `KINTERRUPT`.
    pub at: VirtAddr,
    /// The driver's routine.
    pub service_routine: Result<VirtAddr, Absent>,
}

/// One entry of a processor's interrupt table.
#[derive(Clone, Debug)]
pub struct Handler {
    /// Number of the processor.
    pub processor: Result<u32, Absent>,
    /// The vector.
    pub vector: u32,
    /// The entry.
    pub gate: Gate,
    /// The objects that the vector is connected with; several if devices share it.
    pub objects: Result<Vec<InterruptObject>, Absent>,
    /// Whether the handler is code inside of the first of these objects.
    pub in_object: bool,
}

/// Where the interrupt table of a processor is and what its last byte is: by the register `IDTR`, else by `KPCR.IdtBase`
/// and the processor's number of vectors.
pub fn table_of(processor: &Processor) -> Result<(VirtAddr, u16), Absent> {
    let registers = processor.registers();
    match (registers.idt_base, registers.idt_limit) {
        (Ok(base), Ok(limit)) => Ok((base, limit)),
        (Err(why), _) | (_, Err(why)) => {
            let base = processor.pcr_idt_base().ok().filter(|base| base.is_kernel()).ok_or(why)?;
            Ok((base, u16::try_from(TABLE_SIZE - 1).unwrap_or(u16::MAX)))
        }
    }
}

/// The entries of a processor's table that are in the dump, and what is not.
pub fn handlers(processor: &Processor, owners: &Owners) -> (Vec<Handler>, Vec<Incomplete>) {
    let snapshot = processor.snapshot();
    let number = processor.number();
    let what = format!("vectors of {}", processor::label(number));
    let (base, limit) = match table_of(processor) {
        Ok(found) => found,
        Err(why) => {
            let place = processor.prcb().map_or_else(|_| "KPRCB".into(), |at| format!("KPRCB {at}"));
            return (Vec::new(), Vec::from([Incomplete::new(what, place, why).times(VECTOR_COUNT)]));
        }
    };
    let len = (usize::from(limit) + 1).min(TABLE_SIZE) / GATE_SIZE * GATE_SIZE;
    let mut bytes = alloc::vec![0; len];
    let holes = snapshot.space().read_around_holes(base, &mut bytes);
    let mut incomplete = Incomplete::of_holes(&what, base, &holes, GATE_SIZE);
    let is_missing = |start: usize| holes.iter().any(|(hole, _)| hole.start < start + GATE_SIZE && start < hole.end);
    let mut connected = Connected::read(processor);
    let (entries, _) = bytes.as_chunks::<GATE_SIZE>();
    let mut handlers = Vec::new();
    for (vector, (entry, start)) in (0_u32..).zip(entries.iter().zip((0..).step_by(GATE_SIZE))) {
        if is_missing(start) {
            continue;
        }
        let gate = Gate::decode(entry);
        let inside = connected.around(&gate, vector, owners);
        let objects = connected.of_vector(vector, inside);
        handlers.push(Handler { processor: number, vector, gate, objects, in_object: inside.is_some() });
    }
    incomplete.append(&mut connected.incomplete);
    (handlers, incomplete)
}

/// The interrupt objects of a processor.
struct Connected<'a> {
    snapshot: &'a Snapshot,
    fields: &'a InterruptFields,
    /// The array in the `KPRCB`.
    array: Result<StructView, Absent>,
    incomplete: Vec<Incomplete>,
}

impl<'a> Connected<'a> {
    fn read(processor: &'a Processor) -> Self {
        let snapshot = processor.snapshot();
        let array = processor.interrupt_objects().map(|at| StructView::read(processor.memory(), at, OBJECTS_SIZE));
        Self { snapshot, fields: &snapshot.fields().processor.interrupt, array, incomplete: Vec::new() }
    }

    /// The view of an address, if an interrupt object is there.
    fn view(&self, at: VirtAddr) -> Result<StructView, Absent> {
        if !at.is_kernel() {
            return Err(Absent::Malformed);
        }
        let view = StructView::read(self.snapshot.space(), at, self.fields.extent);
        if view.get(&self.fields.kind)? == INTERRUPT_OBJECT { Ok(view) } else { Err(Absent::Malformed) }
    }

    /// The object inside of which a handler lies. Drivers have no code in such places, so only a handler outside of all
    /// modules is looked at.
    fn around(&self, gate: &Gate, vector: u32, owners: &Owners) -> Option<VirtAddr> {
        let inside = self.fields.dispatch_code.ok()?;
        if !gate.offset.is_kernel() || owners.module(gate.offset).is_some() {
            return None;
        }
        let at = gate.offset.wrapping_sub(inside.offset.into());
        let view = self.view(at).ok()?;
        (view.get(&self.fields.vector) == Ok(vector)).then_some(at)
    }

    /// The objects of a vector: those that its handler or the array leads to, and what is chained to them.
    fn of_vector(&mut self, vector: u32, inside: Option<VirtAddr>) -> Result<Vec<InterruptObject>, Absent> {
        let first = match (inside, &self.array) {
            (Some(at), _) => at,
            (None, Ok(array)) => array.get(&Ok(Field::at(vector.saturating_mul(8))))?,
            (None, Err(why)) => return Err(*why),
        };
        if first.is_null() {
            return Ok(Vec::new());
        }
        let view = self.view(first)?;
        let mut found = Vec::from([self.object(&view)]);
        let Ok(links) = self.fields.list_entry else { return Ok(found) };
        let head = first.wrapping_add(links.offset.into());
        let memory = self.snapshot.space();
        let head_links = Links::read(memory, head);
        // An object alone on its vector may never have been linked.
        let alone = |links: Links| links.flink == head || links.flink.is_null();
        if head_links.is_ok_and(alone) {
            return Ok(found);
        }
        let mut views = BTreeMap::new();
        let member = |at: VirtAddr| {
            views.insert(at, self.view(at.wrapping_sub(links.offset.into()))?);
            Links::read(memory, at)
        };
        let name = SHARED.called(format!("interrupt objects of vector {vector}"));
        let list = list::walk(name, head, head_links, member, Vec::new);
        found.extend(list.members.iter().filter_map(|at| Some(self.object(views.get(at)?))));
        self.incomplete.extend(list.incomplete);
        Ok(found)
    }

    fn object(&self, view: &StructView) -> InterruptObject {
        let message = view.get(&self.fields.message_service_routine).ok().filter(|routine| !routine.is_null());
        let service_routine = message.map_or_else(|| view.get(&self.fields.service_routine), Ok);
        InterruptObject { at: view.at, service_routine }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_with_more_objects_than_are_taken_say_so() {
        assert_eq!(SHARED.most, MAX_SHARED);
        list::tests::check_that_the_cap_is_told(SHARED);
    }
}
