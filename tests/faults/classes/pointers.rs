//! Pointers to user space, to nothing, not canonical, to objects of another kind.

use super::{FRAMES, USER, WILD, field_at, variable_at};
use crate::fault::{Class, Fault, Keeps, Must};
use crate::kit::{offset, read_u64, symbol};
use crate::subject::Subject;
use ntlens_testkit::truth::Process;

const fn pointer(name: &'static str, breaks: &'static str, must: Must, make: fn(&Subject) -> Vec<Fault>) -> Class {
    Class { name, breaks, kinds: FRAMES, must, keeps: Keeps::Everything, every: false, make }
}

fn process(subject: &Subject) -> &Process {
    subject.truth().named("two.exe").unwrap()
}

/// A pointer set to wild addresses and to an object of another kind.
fn wild(subject: &Subject, at: Option<u64>, field: &'static str, change: impl Fn(Fault) -> Fault) -> Vec<Fault> {
    let values = WILD.into_iter().chain([subject.truth().kernel.base + 0x1000]);
    let fault = |value: u64| Some(Fault::at(format!("{field} = {value:#x}"), at?, &value.to_le_bytes()));
    values.filter_map(fault).map(change).collect()
}

pub(super) const TOKEN: Class = pointer("pointer: token", "_EPROCESS.Token", Must::Name, |subject| {
    let process = process(subject);
    let at = field_at(subject, process.eprocess, "_EPROCESS", "Token");
    wild(subject, at, "_EPROCESS.Token", |fault| {
        let fault = fault.touches("processes", format!("{:#x}", process.eprocess));
        fault.touches("tokens", "").field("_EPROCESS.Token")
    })
});

pub(super) const JOB: Class = pointer("pointer: job", "_EPROCESS.Job", Must::Name, |subject| {
    let process = process(subject);
    let at = field_at(subject, process.eprocess, "_EPROCESS", "Job");
    wild(subject, at, "_EPROCESS.Job", |fault| fault.touches("jobs", format!("{:#x}", process.job.unwrap())))
});

pub(super) const SESSION: Class = pointer("pointer: session", "_EPROCESS.Session", Must::Name, |subject| {
    let process = process(subject);
    let at = field_at(subject, process.eprocess, "_EPROCESS", "Session");
    wild(subject, at, "_EPROCESS.Session", |fault| fault.touches("sessions", ""))
});

pub(super) const PARENT_JOB: Class = pointer("pointer: job around a job", "_EJOB.ParentJob", Must::Name, |subject| {
    let job = subject.truth().jobs.iter().find(|job| job.parent.is_some()).unwrap();
    let at = field_at(subject, job.va, "_EJOB", "ParentJob");
    let mut faults = wild(subject, at, "_EJOB.ParentJob", |fault| fault);
    faults.extend(at.map(|at| Fault::at("the job itself", at, &job.va.to_le_bytes())));
    faults
});

pub(super) const PEB: Class = Class {
    kinds: USER,
    ..pointer("pointer: PEB", "_EPROCESS.Peb", Must::Tell, |subject| {
        let process = process(subject);
        let at = field_at(subject, process.eprocess, "_EPROCESS", "Peb");
        let values = [0x1000, 0x7fff_ffff_f000, 0xffff_8000_dead_0000, 0x4141_4141_4141_4141, u64::MAX - 7];
        let fault = |value: u64| {
            let fault = Fault::at(format!("{value:#x}"), at?, &value.to_le_bytes());
            Some(fault.touches("dlls", process.pid.to_string()))
        };
        values.into_iter().filter_map(fault).collect()
    })
};

pub(super) const OBJECT_TABLE: Class =
    pointer("pointer: handle table", "_EPROCESS.ObjectTable", Must::Name, |subject| {
        let process = process(subject);
        let at = field_at(subject, process.eprocess, "_EPROCESS", "ObjectTable");
        let table = process.handle_table.as_ref().unwrap().va;
        wild(subject, at, "_EPROCESS.ObjectTable", |fault| {
            let other = subject.truth().kernel.base + 0x1000;
            let fault = fault.touches("handles", process.pid.to_string());
            [table, other].into_iter().fold(fault, |fault, at| fault.or_near(subject.at(at), 0x80))
        })
    });

/// Variables of the kernel that lead to what it keeps.
pub(super) const VARIABLES: Class = Class {
    keeps: Keeps::WhatIsLeft,
    ..pointer(
        "pointer: variables of the kernel",
        "ObpRootDirectoryObject, MmUnloadedDrivers and others",
        Must::Tell,
        |subject| {
            let names = ["ObpRootDirectoryObject", "PspCidTable", "MmUnloadedDrivers", "EtwpHostSiloState"];
            let of = |name: &'static str| wild(subject, variable_at(subject, name), name, |fault| fault);
            names.into_iter().flat_map(of).collect()
        },
    )
};

/// Where the body of a key that a process holds is.
fn key(subject: &Subject) -> u64 {
    process(subject).handles.iter().find(|handle| handle.kind == "Key").unwrap().object
}

pub(super) const KEYS: Class = pointer("pointer: key control block", "KeyControlBlock", Must::Name, |subject| {
    let at = field_at(subject, key(subject), "_CM_KEY_BODY", "KeyControlBlock");
    wild(subject, at, "_CM_KEY_BODY.KeyControlBlock", |fault| fault.field("_CM_KEY_BODY.KeyControlBlock"))
});

pub(super) const NAMES_OF_KEYS: Class =
    pointer("pointer: name of a key", "NameBlock, ParentKcb", Must::Name, |subject| {
        let body = key(subject) + offset(subject.image, "_CM_KEY_BODY", "KeyControlBlock");
        let block = read_u64(subject.image, body);
        let parent = field_at(subject, block, "_CM_KEY_CONTROL_BLOCK", "ParentKcb");
        let mut faults: Vec<Fault> = WILD
            .into_iter()
            .filter_map(|value| {
                Some(Fault::at(
                    format!("NameBlock = {value:#x}"),
                    field_at(subject, block, "_CM_KEY_CONTROL_BLOCK", "NameBlock")?,
                    &value.to_le_bytes(),
                ))
            })
            .collect();
        faults.extend(parent.map(|at| Fault::at("its own parent", at, &block.to_le_bytes())));
        faults
    });

pub(super) const PROCESSORS: Class =
    pointer("pointer: of a processor's block", "Number, CurrentThread", Must::Name, |subject| {
        let block = read_u64(subject.image, symbol(subject.image, "KiProcessorBlock"));
        let thread = field_at(subject, block, "_KPRCB", "CurrentThread");
        let number = field_at(subject, block, "_KPRCB", "Number");
        let mut faults: Vec<Fault> = WILD
            .into_iter()
            .filter_map(|value| {
                Some(
                    Fault::at(format!("CurrentThread = {value:#x}"), thread?, &value.to_le_bytes())
                        .field("_KPRCB.CurrentThread"),
                )
            })
            .collect();
        faults.extend(number.map(|at| Fault::at("another number", at, &7_u32.to_le_bytes()).field("_KPRCB.Number")));
        faults
    });

pub(super) const SERVICES: Class =
    pointer("pointer: system services", "KeServiceDescriptorTable", Must::Name, |subject| {
        let Some(at) = variable_at(subject, "KeServiceDescriptorTable") else { return Vec::new() };
        let bases =
            [0, 0x1000, 0x4141_4141_4141_4141_u64].map(|base| Fault::at(format!("{base:#x}"), at, &base.to_le_bytes()));
        let limits = [0x1001_u32, 0x8000_0000]
            .map(|limit| Fault::at(format!("{limit:#x} services"), at + 16, &limit.to_le_bytes()));
        bases.into_iter().chain(limits).collect()
    });
