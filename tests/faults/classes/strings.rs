//! `UNICODE_STRING`: lengths that are odd, zero, the largest, or larger than the room; buffers that are nowhere.

use super::{FRAMES, WILD};
use crate::fault::{Class, Fault, Keeps, Must};
use crate::kit::{offset, read_u64};
use crate::subject::Subject;

/// What a string must not spoil: rows other than that which shows it.
const fn string(name: &'static str, breaks: &'static str, make: fn(&Subject) -> Vec<Fault>) -> Class {
    Class { name, breaks, kinds: FRAMES, must: Must::Nothing, keeps: Keeps::Everything, every: false, make }
}

/// Faults of the string at an address.
fn faults(subject: &Subject, at: u64, table: &'static str, key: &str) -> Vec<Fault> {
    let place = |offset: u64| subject.at(at + offset);
    let length = |value: u16| Some(Fault::at(format!("Length {value:#x}"), place(0)?, &value.to_le_bytes()));
    let lengths = [0, 1, 3, 0x7fff, 0xfffe, 0xffff].into_iter().map(length);
    let room = [0_u16, 1, 0xffff].map(|value| Some(Fault::at("MaximumLength", place(2)?, &value.to_le_bytes())));
    let buffer = |value: u64| Some(Fault::at(format!("Buffer {value:#x}"), place(8)?, &value.to_le_bytes()));
    let buffers = [0].into_iter().chain(WILD).map(buffer);
    lengths.chain(room).chain(buffers).flatten().map(|fault| fault.touches(table, key)).collect()
}

pub(super) const IMAGE_PATHS: Class = string("string: path of a process", "SeAuditProcessCreationInfo", |subject| {
    let process = subject.truth().named("two.exe").unwrap();
    let name = offset(subject.image, "_EPROCESS", "SeAuditProcessCreationInfo.ImageFileName");
    faults(subject, read_u64(subject.image, process.eprocess + name), "processes", &format!("{:#x}", process.eprocess))
});

pub(super) const MODULE_NAMES: Class = string("string: name of a module", "BaseDllName, FullDllName", |subject| {
    let module = &subject.truth().modules[3];
    let of = |field: &str| {
        let at = module.entry + offset(subject.image, "_KLDR_DATA_TABLE_ENTRY", field);
        faults(subject, at, "modules", &format!("{:#x}", module.base))
    };
    ["BaseDllName", "FullDllName"].into_iter().flat_map(of).collect()
});

pub(super) const LOGGER_NAMES: Class = string("string: name of a trace session", "LoggerName", |subject| {
    let logger = &subject.truth().loggers[1];
    let at = logger.va + offset(subject.image, "_WMI_LOGGER_CONTEXT", "LoggerName");
    faults(subject, at, "loggers", &format!("{:#x}", logger.va))
});
