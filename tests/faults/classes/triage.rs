//! `TRIAGE_DUMP64` and the tables that it leads to.

use crate::fault::{Class, Fault, Keeps, Kinds, Must};
use crate::subject::Subject;
use ntlens_testkit::Kind;

const KINDS: Kinds = |kind| kind == Kind::Triage;

/// Numbers that the file cannot keep.
pub(super) const CLAIMS: Class = Class {
    name: "triage: counts",
    breaks: "SizeOfDump, DriverCount, DataBlocksCount, the count of unloaded modules",
    kinds: KINDS,
    must: Must::Name,
    keeps: Keeps::WhatIsLeft,
    every: true,
    make: |subject| {
        let unloaded = u64::from(subject.u32_at(0x2018));
        let counts = [
            (0x2004, "TRIAGE_DUMP64.SizeOfDump"),
            (0x2034, "TRIAGE_DUMP64.DriverCount"),
            (0x207c, "TRIAGE_DUMP64.DataBlocksCount"),
        ];
        let narrow = counts.into_iter().flat_map(|(at, field)| super::halves(at, &[1 << 30, u32::MAX], field));
        narrow.chain(super::words(unloaded, &[1 << 40, u64::MAX], "DUMP_UNLOADED_DRIVERS.Count")).collect()
    },
};

/// Every other word of the header.
pub(super) const OTHER_FIELDS: Class = Class {
    name: "triage: every word",
    breaks: "all offsets and sizes",
    kinds: KINDS,
    must: Must::Nothing,
    keeps: Keeps::WhatIsLeft,
    every: true,
    make: |_| {
        let places = (0x2000..0x2080).step_by(4).flat_map(|at| [0, 1, 1 << 31, u32::MAX].map(|value| (at, value)));
        places
            .map(|(at, value): (u64, u32)| Fault::at(format!("{at:#x} = {value:#x}"), at, &value.to_le_bytes()))
            .collect()
    },
};

/// The first entries of its tables, and fields of the debugger block that lead on.
pub(super) const TABLES: Class = Class {
    name: "triage: tables",
    breaks: "entries of drivers and blocks, offsets of KDDEBUGGER_DATA64",
    kinds: KINDS,
    must: Must::Nothing,
    keeps: Keeps::WhatIsLeft,
    every: true,
    make: |subject: &Subject| {
        let [drivers, blocks, kdbg] = [0x2030, 0x2078, 0x2070].map(|at| u64::from(subject.u32_at(at)));
        let places = [
            drivers,
            drivers + 0x38,
            drivers + 0x48,
            blocks,
            blocks + 8,
            blocks + 12,
            kdbg + 0x14,
            kdbg + 0x218,
            kdbg + 0x2a0,
            kdbg + 0x2b4,
        ];
        let all = places.into_iter().flat_map(|at| [0, 1, u32::MAX].map(|value: u32| (at, value)));
        all.map(|(at, value)| Fault::at(format!("{at:#x} = {value:#x}"), at, &value.to_le_bytes())).collect()
    },
};
