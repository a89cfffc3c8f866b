//! `UNICODE_STRING`: lengths that are odd, zero, the largest, or larger than the room; buffers that are nowhere.

use super::{FRAMES, WILD};
use crate::fault::{Class, Fault, Keeps, Must};
use crate::kit::{offset, read_u64};
use crate::subject::Subject;

/// A string that cannot be one: doctor names it. Rows other than that which shows it are as before.
const fn string(name: &'static str, breaks: &'static str, make: fn(&Subject) -> Vec<Fault>) -> Class {
    Class { name, breaks, kinds: FRAMES, must: Must::Name, keeps: Keeps::Everything, every: true, make }
}

/// A string of the machine, by its address, and the row that shows it.
struct Told {
    at: u64,
    table: &'static str,
    key: String,
}

impl Told {
    fn fault(&self, subject: &Subject, field: &str, offset: u64, value: &[u8]) -> Option<Fault> {
        let number = value.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let fault = Fault::at(format!("{field} {number:#x}"), subject.at(self.at + offset)?, value);
        Some(fault.touches(self.table, &*self.key))
    }

    /// What no string has: odd lengths, more than there is room for, text where none of the kernel's can be.
    fn impossible(&self, subject: &Subject) -> Vec<Fault> {
        let length =
            |value: u16| Some(self.fault(subject, "Length", 0, &value.to_le_bytes())?.field("_UNICODE_STRING.Length"));
        let room = |value: u16| {
            Some(self.fault(subject, "MaximumLength", 2, &value.to_le_bytes())?.field("_UNICODE_STRING.Length"))
        };
        let buffer =
            |value: u64| Some(self.fault(subject, "Buffer", 8, &value.to_le_bytes())?.field("_UNICODE_STRING.Buffer"));
        let lengths = [1, 3, 0x7fff, 0xfffe, 0xffff].into_iter().map(length);
        let buffers = [0].into_iter().chain(WILD).map(buffer);
        lengths.chain([0, 1].map(room)).chain(buffers).flatten().collect()
    }

    /// What is unusual: no text, or room for more.
    fn unusual(&self, subject: &Subject) -> Vec<Fault> {
        let length = self.fault(subject, "Length", 0, &[0; 2]);
        let room = self.fault(subject, "MaximumLength", 2, &[0xff; 2]);
        length.into_iter().chain(room).collect()
    }
}

fn image_path(subject: &Subject) -> Told {
    let process = subject.truth().named("two.exe").unwrap();
    let name = offset(subject.image, "_EPROCESS", "SeAuditProcessCreationInfo.ImageFileName");
    let at = read_u64(subject.image, process.eprocess + name);
    Told { at, table: "processes", key: format!("{:#x}", process.eprocess) }
}

fn module_name(subject: &Subject, field: &str) -> Told {
    let module = &subject.truth().modules[3];
    let at = module.entry + offset(subject.image, "_KLDR_DATA_TABLE_ENTRY", field);
    Told { at, table: "modules", key: format!("{:#x}", module.base) }
}

fn logger_name(subject: &Subject) -> Told {
    let logger = &subject.truth().loggers[1];
    let at = logger.va + offset(subject.image, "_WMI_LOGGER_CONTEXT", "LoggerName");
    Told { at, table: "loggers", key: format!("{:#x}", logger.va) }
}

const MODULE_FIELDS: [&str; 2] = ["BaseDllName", "FullDllName"];

pub(super) const IMAGE_PATHS: Class = string("string: path of a process", "SeAuditProcessCreationInfo", |subject| {
    image_path(subject).impossible(subject)
});

pub(super) const MODULE_NAMES: Class = string("string: name of a module", "BaseDllName, FullDllName", |subject| {
    MODULE_FIELDS.into_iter().flat_map(|field| module_name(subject, field).impossible(subject)).collect()
});

pub(super) const LOGGER_NAMES: Class =
    string("string: name of a trace session", "LoggerName", |subject| logger_name(subject).impossible(subject));

pub(super) const UNUSUAL: Class = Class {
    must: Must::Nothing,
    ..string("string: empty, too much room", "the same strings, as they may be", |subject| {
        let modules = MODULE_FIELDS.into_iter().map(|field| module_name(subject, field));
        let all = modules.chain([image_path(subject), logger_name(subject)]);
        all.flat_map(|told| told.unusual(subject)).collect()
    })
};
