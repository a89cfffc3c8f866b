//! Totals that contradict what they are the totals of.

use super::{BITMAPS, FRAMES, field_at};
use crate::fault::{Class, Fault, Keeps, Must};
use crate::kit::{read_u64, symbol};

/// The kernel's own account of its memory.
pub(super) const PAGES_OF_THE_KERNEL: Class = Class {
    name: "totals: pages of the kernel",
    breaks: "_PHYSICAL_MEMORY_DESCRIPTOR.NumberOfPages",
    kinds: FRAMES,
    must: Must::Name,
    keeps: Keeps::Everything,
    every: false,
    make: |subject| {
        let block = read_u64(subject.image, symbol(subject.image, "MmPhysicalMemoryBlock"));
        let fault = |pages: u64| Some(Fault::at(format!("{pages:#x}"), subject.at(block + 8)?, &pages.to_le_bytes()));
        [0, 1, 1 << 40, u64::MAX].into_iter().filter_map(fault).collect()
    },
};

/// Bits of frames that the dump does not hold, and frames without a bit.
pub(super) const BITS: Class = Class {
    name: "totals: bits of frames",
    breaks: "the bitmap against TotalPresentPages",
    kinds: BITMAPS,
    must: Must::Name,
    keeps: Keeps::WhatIsLeft,
    every: false,
    make: |subject| {
        let bytes = &subject.bytes[0x2038..];
        let first = bytes.iter().position(|byte| *byte != 0).unwrap();
        let at = |byte: usize| 0x2038 + byte as u64;
        let cleared = bytes[first] & (bytes[first] - 1);
        let count = usize::try_from(subject.u64_at(0x2030) / 8).unwrap();
        let empty = bytes[..count].iter().rposition(|byte| *byte == 0).unwrap_or(count - 1);
        let named = |fault: Fault| fault.or_at(Some(0x2028));
        vec![
            named(Fault::at("a bit less", at(first), &[cleared])),
            named(Fault::at("eight bits more", at(empty), &[0xff])),
            named(Fault::at("no bit at all", 0x2038, &vec![0; count])),
        ]
    },
};

/// Ids of processes that are none, or those of others.
pub(super) const PROCESS_IDS: Class = Class {
    name: "totals: process ids",
    breaks: "_EPROCESS.UniqueProcessId",
    kinds: FRAMES,
    must: Must::Name,
    keeps: Keeps::Everything,
    every: false,
    make: |subject| {
        let process = subject.truth().named("two.exe").unwrap();
        let other = subject.truth().named("three.exe").unwrap();
        let at = field_at(subject, process.eprocess, "_EPROCESS", "UniqueProcessId");
        let fault = |pid: u64| {
            let fault = Fault::at(format!("{pid:#x}"), at?, &pid.to_le_bytes());
            let tables = ["handles", "vads", "dlls", "sessions", "jobs"];
            let fault = tables.into_iter().fold(fault, |fault, table| fault.touches(table, ""));
            let fault = fault.touches("processes", format!("{:#x}", process.eprocess));
            Some(fault.or_at(field_at(subject, other.eprocess, "_EPROCESS", "UniqueProcessId")))
        };
        [process.pid + 1, other.pid, u64::MAX, 3].into_iter().filter_map(fault).collect()
    },
};
