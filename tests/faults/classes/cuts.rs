//! Files that end too early, or too late.

use super::{FRAMES_WITH_HEADER, WITH_HEADER};
use crate::fault::{Class, Fault, Keeps, Must};
use ntlens_testkit::Kind;

fn cut(length: u64) -> Fault {
    Fault::cut(format!("cut at {length:#x}"), length)
}

pub(super) const IN_THE_HEADER: Class = Class {
    name: "cut: in the header",
    breaks: "the file ends inside the header",
    kinds: WITH_HEADER,
    must: Must::Name,
    keeps: Keeps::Perhaps,
    every: false,
    make: |_| [0, 1, 4, 7, 8, 9, 0x98, 0xf98, 0x1fff].into_iter().map(cut).collect(),
};

pub(super) const IN_THE_DESCRIPTION: Class = Class {
    name: "cut: before the pages",
    breaks: "the file ends before the first page",
    kinds: WITH_HEADER,
    must: Must::Name,
    keeps: Keeps::Perhaps,
    every: false,
    make: |subject| {
        let end = if subject.kind == Kind::Triage { 0x2080 } else { subject.first_page };
        let inside = [0x2000, 0x2001, 0x2007, 0x2008, 0x2024, 0x2028, 0x2030, 0x2037, 0x2038, 0x2039, end - 1, end];
        inside.into_iter().filter(|at| *at <= end).map(cut).collect()
    },
};

pub(super) const IN_THE_PAGES: Class = Class {
    name: "cut: in the pages",
    breaks: "the file ends before the last page",
    kinds: WITH_HEADER,
    must: Must::Name,
    keeps: Keeps::WhatIsLeft,
    every: false,
    make: |subject| {
        let (len, first) = (subject.bytes.len() as u64, subject.first_page.max(0x20d0));
        let inside = (1..8).map(|part| first + (len - first) / 8 * part + part);
        inside.chain([first + 1, first + 0xfff, first + 0x1000, len - 0x1000, len - 1]).map(cut).collect()
    },
};

/// Raw memory tells nowhere how long it should be.
pub(super) const OF_RAW_MEMORY: Class = Class {
    name: "cut: raw memory",
    breaks: "the file ends early",
    kinds: |kind| kind == Kind::Raw,
    must: Must::Nothing,
    keeps: Keeps::Perhaps,
    every: false,
    make: |subject| {
        let len = subject.bytes.len() as u64;
        [0, 1, 0x1000, 0xf_f000, 0x10_0000, (len / 2) & !0xfff, len / 2 + 1, len - 0x1000]
            .into_iter()
            .map(cut)
            .collect()
    },
};

/// The end that a copy loses first.
pub(super) const LAST_PAGE: Class = Class {
    name: "cut: in the last pages",
    breaks: "the last page is missing",
    kinds: FRAMES_WITH_HEADER,
    must: Must::Name,
    keeps: Keeps::WhatIsLeft,
    every: false,
    make: |subject| (1..4).map(|pages| cut(subject.bytes.len() as u64 - pages * 0x800)).collect(),
};
