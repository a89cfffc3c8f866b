//! Functions that drivers have the kernel call.

use super::{FRAMES, WILD, broken_links};
use crate::fault::{Class, Fault, Keeps, Must};
use crate::kit::symbol;
use crate::subject::Subject;

const fn callbacks(name: &'static str, breaks: &'static str, make: fn(&Subject) -> Vec<Fault>) -> Class {
    Class { name, breaks, kinds: FRAMES, must: Must::Name, keeps: Keeps::Everything, every: false, make }
}

pub(super) const SLOTS: Class = callbacks("callbacks: slots", "PspCreateProcessNotifyRoutine", |subject| {
    let slot = subject.at(symbol(subject.image, "PspCreateProcessNotifyRoutine"));
    let entry = subject.truth().callbacks.iter().find(|callback| callback.kind == "process").unwrap().entry;
    let fault = |wild: u64| {
        let fault = Fault::at(format!("{wild:#x}"), slot?, &wild.to_le_bytes());
        Some(fault.touches("callbacks", format!("{entry:#x}")))
    };
    WILD.into_iter().filter_map(fault).collect()
});

pub(super) const LISTS: Class = callbacks("callbacks: lists", "CallbackListHead, CallbackList", |subject| {
    let entries = |kind: &str| -> Vec<u64> {
        let of_kind = subject.truth().callbacks.iter().filter(|callback| callback.kind == kind);
        of_kind.map(|callback| callback.entry).collect()
    };
    let (registry, objects) = (entries("registry"), entries("object-pre"));
    let of = |own: u64, next: u64, other: u64| {
        let faults = broken_links(subject, "list", subject.at(own), own, &[other]);
        let head = crate::kit::read_u64(subject.image, own + 8);
        faults.into_iter().map(move |fault| fault.or_at(subject.at(next)).or_at(subject.at(head)))
    };
    of(registry[0], registry[1], objects[0]).chain(of(objects[0], objects[1], registry[0])).collect()
});
