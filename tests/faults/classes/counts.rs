//! Counts and sizes at their extremes.

use super::{FRAMES, field_at, variable_at};
use crate::fault::{Class, Fault, Keeps, Must};
use crate::kit::{read_u64, symbol};
use crate::subject::Subject;

const fn count(name: &'static str, breaks: &'static str, must: Must, make: fn(&Subject) -> Vec<Fault>) -> Class {
    Class { name, breaks, kinds: FRAMES, must, keeps: Keeps::Everything, every: false, make }
}

fn values(at: Option<u64>, values: &[u64], size: usize, change: impl Fn(Fault) -> Fault) -> Vec<Fault> {
    let fault = |value: &u64| Some(Fault::at(format!("{value:#x}"), at?, &value.to_le_bytes()[..size]));
    values.iter().filter_map(fault).map(change).collect()
}

pub(super) const GROUPS: Class = count("count: groups of a token", "UserAndGroupCount", Must::Name, |subject| {
    let token = subject.truth().named("two.exe").unwrap().token.va;
    let groups = field_at(subject, token, "_TOKEN", "UserAndGroups");
    let at = field_at(subject, token, "_TOKEN", "UserAndGroupCount");
    values(at, &[0, 0x1001, 1 << 31, u64::MAX], 4, |fault| fault.touches("tokens", format!("{token:#x}")).or_at(groups))
});

pub(super) const AREAS: Class = count("count: memory areas", "VadCount", Must::Name, |subject| {
    let process = subject.truth().named("two.exe").unwrap();
    let at = field_at(subject, process.eprocess, "_EPROCESS", "VadCount");
    values(at, &[0, 1, 1 << 40, u64::MAX], 8, |fault| fault)
});

pub(super) const IMAGE_SIZE: Class = count("count: size of a module", "SizeOfImage", Must::Name, |subject| {
    // One that then reaches into the next.
    let mut modules: Vec<_> = subject.truth().modules.iter().collect();
    modules.sort_by_key(|module| module.base);
    let nearest = modules.windows(2).min_by_key(|pair| pair[1].base - pair[0].base).unwrap();
    let (module, gap) = (nearest[0], nearest[1].base - nearest[0].base);
    let at = field_at(subject, module.entry, "_KLDR_DATA_TABLE_ENTRY", "SizeOfImage");
    values(at, &[gap + 0x1000, 1 << 31, 0xffff_ffff], 4, |fault| {
        fault.touches("modules", format!("{:#x}", module.base))
    })
});

pub(super) const UNLOADED: Class = count("count: unloaded modules", "MmLastUnloadedDriver", Must::Nothing, |subject| {
    values(variable_at(subject, "MmLastUnloadedDriver"), &[0, 51, 1 << 31, 0xffff_ffff], 4, |fault| {
        fault.touches("unloaded", "")
    })
});

pub(super) const TRACE_SLOTS: Class = count("count: slots of trace sessions", "MaxLoggers", Must::Name, |subject| {
    let state = read_u64(subject.image, symbol(subject.image, "EtwpHostSiloState"));
    let at = field_at(subject, state, "_ETW_SILODRIVERSTATE", "MaxLoggers");
    values(at, &[257, 1 << 31, 0xffff_ffff], 4, |fault| fault)
});
