//! Page tables that lead to themselves, out of memory, or nowhere.

use super::{FRAMES, USER, field_at};
use crate::fault::{Class, Fault, Keeps, Must};
use crate::subject::Subject;

/// The entries of all levels on the way to a process, with their places in the file.
fn entries(subject: &Subject) -> Vec<(u32, u64)> {
    let process = subject.truth().named("two.exe").unwrap().eprocess;
    let mut table = subject.truth().kernel.system_dtb;
    let step = |shift: u32| {
        let entry = table + (process >> shift & 0x1ff) * 8;
        table = subject.image.memory().read_u64(entry) & 0x000f_ffff_ffff_f000;
        Some((shift, subject.of_physical(entry)?))
    };
    [39, 30, 21, 12].into_iter().filter_map(step).collect()
}

/// Each table leads back to the root, or to itself.
pub(super) const LOOPS: Class = Class {
    name: "page tables: loops",
    breaks: "an entry of each level",
    kinds: FRAMES,
    must: Must::Tell,
    keeps: Keeps::Perhaps,
    every: false,
    make: |subject| {
        let root = subject.truth().kernel.system_dtb;
        let back = root | 0x63;
        let one = entries(subject)
            .into_iter()
            .map(|(shift, at)| Fault::at(format!("the table of bit {shift} is the root"), at, &back.to_le_bytes()));
        let all = subject.of_physical(root).map(|at| {
            vec![
                Fault::at("every table is the root", at, &back.to_le_bytes().repeat(0x200)),
                Fault::at("the upper half is the root", at + 0x800, &back.to_le_bytes().repeat(0x100)),
            ]
        });
        one.chain(all.into_iter().flatten()).collect()
    },
};

/// Frames outside of memory, and entries that are not valid.
pub(super) const FAR_OUT: Class = Class {
    name: "page tables: far out",
    breaks: "an entry of each level",
    kinds: FRAMES,
    must: Must::Tell,
    keeps: Keeps::Perhaps,
    every: false,
    make: |subject| {
        let values = [0, 0x000f_ffff_ffff_f063, u64::MAX, 1 << 45 | 0x63, 0x0000_0040_0000_0c00, 0xe0];
        let of = |(shift, at): (u32, u64)| {
            values.map(|value: u64| Fault::at(format!("bit {shift}: {value:#x}"), at, &value.to_le_bytes()))
        };
        entries(subject).into_iter().flat_map(of).collect()
    },
};

pub(super) const ROOTS: Class = Class {
    name: "page tables: root of a process",
    breaks: "_EPROCESS.Pcb.DirectoryTableBase",
    // The others do not hold the root of a process: nobody can tell that it is another.
    kinds: USER,
    must: Must::Name,
    keeps: Keeps::Everything,
    every: false,
    make: |subject| {
        let process = subject.truth().named("two.exe").unwrap();
        let at = field_at(subject, process.eprocess, "_EPROCESS", "Pcb.DirectoryTableBase");
        let fault = |value: u64| {
            let fault = Fault::at(format!("{value:#x}"), at?, &value.to_le_bytes());
            // What lies in its user memory cannot be found.
            Some(fault.touches("dlls", process.pid.to_string()).field("_EPROCESS.Pcb.DirectoryTableBase"))
        };
        // A frame that holds something else, and frames that do not exist.
        let other = subject.image.space(4).unwrap().translate(subject.image.memory(), process.eprocess).unwrap();
        [0, other.physical & !0xfff, 1 << 40, 1 << 45, 0x000f_ffff_ffff_f000, u64::MAX]
            .into_iter()
            .filter_map(fault)
            .collect()
    },
};
