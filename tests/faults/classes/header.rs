//! `DUMP_HEADER64`: every field at its extremes. Offsets are those of the public header `mindumpdef.h`.

use super::{FRAMES_WITH_HEADER, WITH_HEADER, halves, words};
use crate::fault::{Class, Fault, Keeps, Must};
use ntlens_testkit::Kind;

const fn named(name: &'static str, breaks: &'static str, make: fn(&crate::subject::Subject) -> Vec<Fault>) -> Class {
    Class { name, breaks, kinds: FRAMES_WITH_HEADER, must: Must::Name, keeps: Keeps::Everything, every: true, make }
}

pub(super) const SIGNATURE: Class = Class {
    kinds: WITH_HEADER,
    ..named("header: signature", "Signature, ValidDump", |_| {
        vec![
            Fault::at("PAGX", 0, b"PAGX").field("DUMP_HEADER64.Signature"),
            Fault::at("no ValidDump", 4, &[0; 4]).field("DUMP_HEADER64.ValidDump"),
            Fault::at("neither", 0, &[0; 8]).field("DUMP_HEADER64.Signature"),
        ]
    })
};

fn type_of(kind: Kind) -> u32 {
    match kind {
        Kind::Full => 1,
        Kind::Summary => 2,
        Kind::Triage => 4,
        Kind::BitmapFull { .. } => 5,
        Kind::BitmapKernel { .. } => 6,
        Kind::RdmpKernel => 8,
        Kind::RdmpUser => 9,
        Kind::RdmpFull => 10,
        Kind::Raw => panic!("raw memory has no type"),
    }
}

pub(super) const DUMP_TYPE: Class = Class {
    kinds: WITH_HEADER,
    ..named("header: dump type", "DumpType", |subject| {
        // Of one format several types are in use.
        let own = type_of(subject.kind);
        let same = |value: &u32| match own {
            5 | 6 => (5..=7).contains(value),
            8..=10 => (8..=10).contains(value),
            _ => *value == own,
        };
        let types: Vec<u32> = (0..12).chain([1 << 31, u32::MAX]).filter(|value| !same(value)).collect();
        halves(0xf98, &types, "DUMP_HEADER64.DumpType")
    })
};

pub(super) const MACHINE: Class = Class {
    kinds: WITH_HEADER,
    ..named("header: machine", "MachineImageType", |_| {
        halves(0x30, &[0, 0x14c, 0xaa64, u32::MAX], "DUMP_HEADER64.MachineImageType")
    })
};

pub(super) const DIRECTORY_TABLE_BASE: Class = named("header: page tables", "DirectoryTableBase", |_| {
    words(0x10, &[0, 0x3000, 1 << 48, u64::MAX], "DUMP_HEADER64.DirectoryTableBase")
});

/// Zero, user memory, memory that is something else, not mapped, not canonical.
fn pointers(subject: &crate::subject::Subject, at: u64, field: &'static str) -> Vec<Fault> {
    let values = [0, 0x1000, subject.truth().kernel.base, 0xffff_8000_dead_0000, 0x4141_4141_4141_4141, u64::MAX];
    words(at, &values, field)
}

pub(super) const LOADED_MODULES: Class = named("header: module list", "PsLoadedModuleList", |subject| {
    pointers(subject, 0x20, "DUMP_HEADER64.PsLoadedModuleList")
});

pub(super) const ACTIVE_PROCESSES: Class = named("header: process list", "PsActiveProcessHead", |subject| {
    pointers(subject, 0x28, "DUMP_HEADER64.PsActiveProcessHead")
});

pub(super) const DEBUGGER_BLOCK: Class = named("header: debugger block", "KdDebuggerDataBlock", |subject| {
    pointers(subject, 0x80, "DUMP_HEADER64.KdDebuggerDataBlock")
});

pub(super) const PROCESSORS: Class = named("header: processors", "NumberProcessors", |_| {
    halves(0x34, &[0, 77, 1 << 31, u32::MAX], "DUMP_HEADER64.NumberProcessors")
});

pub(super) const BUILD: Class =
    named("header: build", "MinorVersion", |_| halves(0xc, &[0, 1, 7601, u32::MAX], "DUMP_HEADER64.MinorVersion"));

/// Times that no clock can have shown.
pub(super) const TIMES: Class = Class {
    kinds: WITH_HEADER,
    ..named("header: times", "SystemTime, SystemUpTime", |_| {
        let times = words(0xfa8, &[1, 1 << 40, 1 << 63, u64::MAX], "DUMP_HEADER64.SystemTime");
        times.into_iter().chain(words(0x1030, &[1 << 63, u64::MAX], "DUMP_HEADER64.SystemUpTime")).collect()
    })
};

/// Space that is less than what is described takes, or more than there is memory; of kinds of which no real file shows how it
/// is counted, the latter alone.
pub(super) const SPACE: Class = Class {
    kinds: WITH_HEADER,
    ..named("header: space", "RequiredDumpSpace", |subject| {
        let small = if matches!(subject.kind, Kind::Full | Kind::Triage) { &[0, 1, 0x2000][..] } else { &[] };
        words(0xfa0, &[small, &[1 << 63, u64::MAX]].concat(), "DUMP_HEADER64.RequiredDumpSpace")
    })
};

/// Fields that may hold anything: nothing else in a dump tells what is right.
pub(super) const OTHER_FIELDS: Class = Class {
    name: "header: other fields",
    breaks: "all fields that nothing contradicts",
    kinds: WITH_HEADER,
    must: Must::Nothing,
    keeps: Keeps::Everything,
    every: true,
    make: |_| {
        const NARROW: [u64; 12] =
            [0x8, 0x38, 0xf00, 0xf04, 0xf18, 0x1038, 0x103c, 0x1040, 0x1044, 0x1048, 0x1054, 0x1058];
        const WIDE: [u64; 12] = [0x18, 0x40, 0x48, 0x50, 0x58, 0xf08, 0xf10, 0xf20, 0xfa0, 0xfa8, 0x1030, 0x1060];
        let narrow = NARROW.into_iter().flat_map(|at| [0, 1, 1 << 31, u32::MAX].map(|value| (at, value)));
        let wide = WIDE.into_iter().flat_map(|at| [0, 1, 1 << 40, 1 << 63, u64::MAX].map(|value| (at, value)));
        let narrow = narrow.map(|(at, value): (u64, u32)| Fault::at(format!("{at:#x}"), at, &value.to_le_bytes()));
        let wide = wide.map(|(at, value): (u64, u64)| Fault::at(format!("{at:#x}"), at, &value.to_le_bytes()));
        // Comment and the registers behind their flags: text and numbers of any kind.
        let blocks = [(0xfb0, 0x80), (0x37c, 0x400)].map(|(at, len)| Fault::at("a block", at, &vec![0xff; len]));
        narrow.chain(wide).chain(blocks).collect()
    },
};

/// What makes a dump one that is not read, and says so.
pub(super) const UNREADABLE: Class = Class {
    name: "header: not readable",
    breaks: "Attributes (encrypted), machine and registers of others",
    kinds: FRAMES_WITH_HEADER,
    must: Must::Tell,
    keeps: Keeps::WhatIsLeft,
    every: true,
    make: |_| {
        let arm = Fault::at("ARM64", 0x30, &0xaa64_u32.to_le_bytes()).and(0x378, &0x40_0007_u32.to_le_bytes());
        let x86 = Fault::at("x86", 0x30, &0x14c_u32.to_le_bytes()).and(0x378, &[0; 4]);
        vec![Fault::at("encrypted", 0x1050, &0x100_u32.to_le_bytes()), arm, x86]
    },
};
