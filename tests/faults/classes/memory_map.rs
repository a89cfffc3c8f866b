//! The descriptions of physical memory: runs of the header, bitmaps, ranges of the debugger.

use super::{BITMAPS, RDMP as RDMP_KINDS, halves, words};
use crate::fault::{Class, Fault, Keeps, Kinds, Must};
use ntlens_testkit::Kind;

const fn named(
    name: &'static str,
    breaks: &'static str,
    kinds: Kinds,
    make: fn(&crate::subject::Subject) -> Vec<Fault>,
) -> Class {
    Class { name, breaks, kinds, must: Must::Name, keeps: Keeps::Everything, every: true, make }
}

const FULL: Kinds = |kind| kind == Kind::Full;

/// Zero, a page further, no page boundary, and what no file holds.
fn around(value: u64) -> [u64; 5] {
    [0, value + 0x1000, value + 1, 1 << 40, u64::MAX]
}

pub(super) const RUN_COUNT: Class = named("runs: number", "NumberOfRuns", FULL, |subject| {
    let runs = subject.u32_at(0x88);
    let values = [0, 1, runs - 1, runs + 1, 42, 43, u32::MAX].into_iter().filter(|value| *value != runs);
    halves(0x88, &values.collect::<Vec<_>>(), "DUMP_HEADER64.PhysicalMemoryBlock.NumberOfRuns")
});

pub(super) const RUN_PAGES: Class = named("runs: all pages", "NumberOfPages", FULL, |subject| {
    let pages = subject.u64_at(0x90);
    words(0x90, &[0, pages - 1, pages + 1, 1 << 40, u64::MAX], "DUMP_HEADER64.PhysicalMemoryBlock.NumberOfPages")
});

pub(super) const RUNS: Class = named("runs: pages of one", "Run[0], Run[1]", FULL, |subject| {
    let runs = [(0xa0, "DUMP_HEADER64.PhysicalMemoryBlock.Run[0]"), (0xb0, "DUMP_HEADER64.PhysicalMemoryBlock.Run[1]")];
    let wrong = |(at, field): (u64, &'static str)| {
        let count = subject.u64_at(usize::try_from(at).unwrap());
        words(at, &[count - 1, count + 1, 1 << 41, u64::MAX], field)
    };
    runs.into_iter().flat_map(wrong).collect()
});

pub(super) const OVERLAPS: Class = Class {
    keeps: Keeps::WhatIsLeft,
    ..named("runs: overlapping, far out", "Run[1].BasePage", FULL, |subject| {
        let first = subject.u64_at(0x98);
        words(0xa8, &[first, first + 1, 1 << 40, u64::MAX], "DUMP_HEADER64.PhysicalMemoryBlock.Run[1]")
    })
};

pub(super) const SUMMARY: Class = named(
    "summary: all fields",
    "SUMMARY_DUMP",
    |kind| kind == Kind::Summary,
    |subject| {
        let narrow = |value: u32| [0, value + 0x1000, value + 1, u32::MAX];
        let mut faults = halves(0x200c, &narrow(subject.u32_at(0x200c)), "SUMMARY_DUMP.HeaderSize");
        faults.extend(halves(0x2010, &[0, 8, u32::MAX], "SUMMARY_DUMP.BitmapSize"));
        faults.extend(halves(0x2014, &[0, subject.u32_at(0x2014) + 1, u32::MAX], "SUMMARY_DUMP.Pages"));
        faults.push(Fault::at("signature", 0x2000, b"????").field("SUMMARY_DUMP.Signature"));
        faults.push(Fault::at("ValidDump", 0x2004, b"????").field("SUMMARY_DUMP.ValidDump"));
        faults
    },
);

pub(super) const BITMAP: Class = named("bitmap: all fields", "BITMAP_DUMP", BITMAPS, |subject| {
    let mut faults = words(0x2020, &around(subject.u64_at(0x2020)), "BITMAP_DUMP.FirstPage");
    faults.extend(words(0x2028, &around(subject.u64_at(0x2028)), "BITMAP_DUMP.TotalPresentPages"));
    faults.extend(words(0x2030, &[0, 8, 1 << 32, 1 << 40, u64::MAX], "BITMAP_DUMP.BitmapSize"));
    faults.push(Fault::at("signature", 0x2000, b"????").field("BITMAP_DUMP.Signature"));
    faults.push(Fault::at("ValidDump", 0x2004, b"????").field("BITMAP_DUMP.ValidDump"));
    faults
});

pub(super) const BITMAP_OF_NOTHING: Class = Class {
    keeps: Keeps::Perhaps,
    ..named("bitmap: two fields", "BITMAP_DUMP", BITMAPS, |_| {
        let both = |what, pages: u64, bits: u64| {
            Fault::at(what, 0x2028, &pages.to_le_bytes()).and(0x2030, &bits.to_le_bytes())
        };
        vec![both("2^40 of both", u64::MAX, 1 << 40), both("2^31 of both", 1 << 31, 1 << 31), both("nothing", 0, 0)]
    })
};

pub(super) const RDMP: Class = named("rdmp: all fields", "RDMP_HEADER64", RDMP_KINDS, |subject| {
    let mut faults = words(0x2018, &around(subject.u64_at(0x2018)), "RDMP_HEADER64.FirstPageOffset");
    let size = subject.u64_at(0x2010);
    faults.extend(words(0x2010, &[0, size + 0x10, 1 << 40, u64::MAX], "RDMP_HEADER64.MetadataSize"));
    if subject.kind == Kind::RdmpFull {
        let pages = subject.u64_at(0x2028);
        faults.extend(words(0x2028, &[pages + 1, 1 << 40], "RDMP_HEADER64.TotalNumberOfPages"));
    }
    faults.push(Fault::at("marker", 0x2000, b"????").field("RDMP_HEADER64.Marker"));
    faults.push(Fault::at("signature", 0x2004, b"????").field("RDMP_HEADER64.Signature"));
    faults.push(Fault::at("ValidDump", 0x2008, b"????").field("RDMP_HEADER64.ValidDump"));
    faults
});

pub(super) const RDMP_RANGES: Class = named("rdmp: pages of a range", "Range[0]", RDMP_KINDS, |subject| {
    let count = subject.u64_at(0x2038);
    words(0x2038, &[count - 1, count + 1, 1 << 41, u64::MAX], "RDMP_HEADER64.Range[0]")
});
