//! Trees and tables: of memory areas, of handles, of ids, of object directories.

use super::{FRAMES, WILD, field_at, variable_at};
use crate::fault::{Class, Fault, Keeps, Must};
use crate::kit::{offset, read_u64, symbol};

/// Faults of a pointer: nothing, wild addresses, and others.
fn pointer(what: &str, at: Option<u64>, others: &[u64]) -> Vec<Fault> {
    let values = [0].into_iter().chain(WILD).chain(others.iter().copied());
    let fault = |value: u64| Some(Fault::at(format!("{what} = {value:#x}"), at?, &value.to_le_bytes()));
    values.filter_map(fault).collect()
}

/// The tree of memory areas of a process: loops, cross-links, wild pointers in each link of its top nodes.
pub(super) const AREAS: Class = Class {
    name: "tree: memory areas",
    breaks: "VadRoot, Left, Right, ParentValue",
    kinds: FRAMES,
    must: Must::Name,
    keeps: Keeps::Everything,
    every: false,
    make: |subject| {
        let process = subject.truth().named("two.exe").unwrap();
        let other = subject.truth().named("three.exe").unwrap().vads[1].va;
        let root_at = process.eprocess + offset(subject.image, "_EPROCESS", "VadRoot.Root");
        let root = read_u64(subject.image, root_at);
        let link = |node: u64, field: &str| {
            let at = field_at(subject, node, "_MMVAD_SHORT", &format!("VadNode.{field}"));
            pointer(&format!("{field} of {node:#x}"), at, &[node, root, other])
        };
        let mut faults = pointer("VadRoot", subject.at(root_at), &[other]);
        for field in ["Left", "Right", "ParentValue"] {
            faults.extend(link(root, field));
        }
        let left = read_u64(subject.image, root + offset(subject.image, "_MMVAD_SHORT", "VadNode.Left"));
        for field in ["Left", "Right", "ParentValue"] {
            faults.extend(link(left, field));
        }
        let held = |fault: &Fault| !fault.changes_nothing(&subject.bytes);
        // What hangs on the link is lost, and may be told with an area of another process in it.
        let touched = |fault: Fault| {
            let fault = fault.touches("vads", process.pid.to_string()).touches("dlls", process.pid.to_string());
            [root_at, root, left, other].into_iter().fold(fault, |fault, at| fault.or_near(subject.at(at), 0x90))
        };
        faults.into_iter().filter(held).map(touched).collect()
    },
};

pub(super) const HANDLE_TABLES: Class = Class {
    name: "table: handles",
    breaks: "TableCode, the pages below it",
    kinds: FRAMES,
    must: Must::Name,
    keeps: Keeps::Everything,
    every: false,
    make: |subject| {
        let process = subject.truth().named("one.exe").unwrap();
        let table = process.handle_table.as_ref().unwrap().va;
        let code_at = table + offset(subject.image, "_HANDLE_TABLE", "TableCode");
        let code = read_u64(subject.image, code_at);
        let top = code & !7;
        let mut faults = pointer("TableCode", subject.at(code_at), &[top | 3, top | 7, top | 2, table | 1, 0x1001]);
        // The first pages of a table of two levels.
        faults.extend(pointer("a page", subject.at(top), &[top, table, read_u64(subject.image, top) + 8]));
        let own = subject.at(top).map(|at| Fault::at("all pages are the page", at, &top.to_le_bytes().repeat(0x200)));
        let touched = |fault: Fault| {
            let fault = fault.touches("handles", process.pid.to_string());
            let fault = fault.or_near(subject.at(top), 0x1000);
            [table, code_at].into_iter().fold(fault, |fault, at| fault.or_at(subject.at(at)))
        };
        faults.into_iter().chain(own).map(touched).collect()
    },
};

pub(super) const HANDLE_ENTRIES: Class = Class {
    name: "table: entries of handles",
    breaks: "ObjectPointerBits",
    kinds: FRAMES,
    must: Must::Name,
    keeps: Keeps::Everything,
    every: false,
    make: |subject| {
        let process = subject.truth().named("two.exe").unwrap();
        let table = process.handle_table.as_ref().unwrap().va;
        let page = read_u64(subject.image, table + offset(subject.image, "_HANDLE_TABLE", "TableCode")) & !7;
        let handle = process.handles[0].handle;
        let at = subject.at(page + handle / 4 * 16);
        // 44 bits of the object's header, above 20 others of which the lowest unlocks the entry.
        let bits = |header: u64| (header & 0xffff_ffff_ffff) >> 4 << 20 | 1;
        let wild = [0xffff_8000_dead_0010, 0xffff_8000_0000_1000, subject.truth().kernel.base + 0x1000, page, table];
        let fault = |header: u64| {
            let fault = Fault::at(format!("entry of {header:#x}"), at?, &bits(header).to_le_bytes());
            Some(fault.touches("handles", format!("{} {handle}", process.pid)))
        };
        wild.into_iter().filter_map(fault).collect()
    },
};

/// The table of ids: the processes are found without it.
pub(super) const IDS: Class = Class {
    name: "table: ids",
    breaks: "PspCidTable, TableCode",
    kinds: FRAMES,
    must: Must::Name,
    keeps: Keeps::Everything,
    every: false,
    make: |subject| {
        let table = subject.truth().cid_table.va;
        let code_at = table + offset(subject.image, "_HANDLE_TABLE", "TableCode");
        let top = read_u64(subject.image, code_at) & !7;
        let mut faults = pointer("PspCidTable", variable_at(subject, "PspCidTable"), &[]);
        faults.extend(pointer("TableCode", subject.at(code_at), &[top | 7, top | 2, top | 3, 0x1001]));
        let variable = symbol(subject.image, "PspCidTable");
        let known =
            |fault: Fault| [variable, table, code_at].into_iter().fold(fault, |fault, at| fault.or_at(subject.at(at)));
        faults.into_iter().map(known).collect()
    },
};

/// The namespace: chains that come back, objects that are none.
pub(super) const DIRECTORIES: Class = Class {
    name: "tree: object directories",
    breaks: "HashBuckets, ChainLink, Object",
    kinds: FRAMES,
    must: Must::Name,
    keeps: Keeps::Everything,
    every: false,
    make: |subject| {
        let root = read_u64(subject.image, symbol(subject.image, "ObpRootDirectoryObject"));
        let buckets = root + offset(subject.image, "_OBJECT_DIRECTORY", "HashBuckets");
        let of = |index: u64| (buckets + index * 8, read_u64(subject.image, buckets + index * 8));
        let (bucket, entry) = (0..37).map(of).find(|(_, entry)| *entry != 0).unwrap();
        let link = entry + offset(subject.image, "_OBJECT_DIRECTORY_ENTRY", "ChainLink");
        let object = entry + offset(subject.image, "_OBJECT_DIRECTORY_ENTRY", "Object");
        let mut faults = pointer("HashBuckets", subject.at(bucket), &[root, 0x10]);
        faults.extend(pointer("ChainLink", subject.at(link), &[entry, 0x10]));
        faults.extend(pointer("Object", subject.at(object), &[0x10]));
        // An end of a chain that is earlier than it was contradicts nothing.
        let wrong = |fault: &Fault| !fault.what.ends_with("= 0x0") || fault.what.starts_with("Object");
        let touched = |fault: Fault| {
            let tables = ["objects", "handles"];
            let fault = tables.into_iter().fold(fault, |fault, table| fault.touches(table, ""));
            let fault = fault.or_near(subject.at(root), 0x160);
            [bucket, link, object].into_iter().fold(fault, |fault, at| fault.or_at(subject.at(at)))
        };
        faults.into_iter().filter(wrong).map(touched).collect()
    },
};
