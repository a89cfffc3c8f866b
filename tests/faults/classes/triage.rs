//! `TRIAGE_DUMP64` and the tables that it leads to.

use crate::fault::{Class, Fault, Keeps, Kinds, Must};
use crate::subject::Subject;
use ntlens_testkit::Kind;

const KINDS: Kinds = |kind| kind == Kind::Triage;

/// Numbers that the file cannot keep, or that the tables themselves contradict.
pub(super) const CLAIMS: Class = Class {
    name: "triage: counts",
    breaks: "SizeOfDump, DriverCount, DataBlocksCount, the count of unloaded modules",
    kinds: KINDS,
    must: Must::Name,
    keeps: Keeps::Everything,
    every: true,
    make: |subject| {
        let unloaded = u64::from(subject.u32_at(0x2018));
        let drivers = subject.u32_at(0x2034);
        let huge = [1 << 30, 0xffff_fff0, u32::MAX];
        let of_drivers = [0, 1, drivers - 1, drivers + 1, drivers + 49, huge[0], huge[1], huge[2]];
        let counts: [(u64, &[u32], _); 3] = [
            (0x2004, &huge, "TRIAGE_DUMP64.SizeOfDump"),
            (0x2034, &of_drivers, "TRIAGE_DUMP64.DriverCount"),
            (0x207c, &huge, "TRIAGE_DUMP64.DataBlocksCount"),
        ];
        let narrow = counts.into_iter().flat_map(|(at, values, field)| super::halves(at, values, field));
        let held = subject.truth().unloaded_drivers.len() as u64;
        let counts = [held + 1, held + 50, 1 << 40, u64::MAX];
        narrow.chain(super::words(unloaded, &counts, "DUMP_UNLOADED_DRIVERS.Count")).collect()
    },
};

/// The offsets of the header, leading out of the file.
pub(super) const OFFSETS: Class = Class {
    name: "triage: offsets",
    breaks: "all offsets, behind the end of the file",
    kinds: KINDS,
    must: Must::Name,
    keeps: Keeps::WhatIsLeft,
    every: true,
    make: |subject| {
        const FIELDS: [(u64, &str); 15] = [
            (0x2008, "TRIAGE_DUMP64.ValidOffset"),
            (0x200c, "TRIAGE_DUMP64.ContextOffset"),
            (0x2010, "TRIAGE_DUMP64.ExceptionOffset"),
            (0x2014, "TRIAGE_DUMP64.MmOffset"),
            (0x2018, "TRIAGE_DUMP64.UnloadedDriversOffset"),
            (0x201c, "TRIAGE_DUMP64.PrcbOffset"),
            (0x2020, "TRIAGE_DUMP64.ProcessOffset"),
            (0x2024, "TRIAGE_DUMP64.ThreadOffset"),
            (0x2028, "TRIAGE_DUMP64.CallStackOffset"),
            (0x2030, "TRIAGE_DUMP64.DriverListOffset"),
            (0x2038, "TRIAGE_DUMP64.StringPoolOffset"),
            (0x2040, "TRIAGE_DUMP64.BrokenDriverOffset"),
            (0x2068, "TRIAGE_DUMP64.DataPageOffset"),
            (0x2070, "TRIAGE_DUMP64.DebuggerDataOffset"),
            (0x2078, "TRIAGE_DUMP64.DataBlocksOffset"),
        ];
        let len = u32::try_from(subject.bytes.len()).unwrap();
        let of = |(at, field)| super::halves(at, &[len, len + 1, 1 << 31, 0xffff_fff0, u32::MAX], field);
        FIELDS.into_iter().flat_map(of).collect()
    },
};

/// Every word of the header, with what may be there.
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
        // What the first driver is listed as: under its base, or what of that was made.
        let base = subject.truth().modules[0].base;
        let key = |value: u32| format!("{:#x}", base & !0xffff_ffff | u64::from(value));
        let fault = |(at, value): (u64, u32)| {
            let fault = Fault::at(format!("{at:#x} = {value:#x}"), at, &value.to_le_bytes());
            if (drivers..drivers + 0x90).contains(&at) {
                fault.touches("modules", format!("{base:#x}")).touches("modules", key(value))
            } else {
                fault
            }
        };
        all.map(fault).collect()
    },
};
