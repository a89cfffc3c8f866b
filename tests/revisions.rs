//! Kernels whose own symbols are missing, read with those of other revisions of their build: every value is right or absent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr, missing_docs)]

mod common;
#[path = "common/others.rs"]
mod others;

use ntlens::layout::source::LayoutSource;
use ntlens::layout::{FieldDef, Layouts, StructDef};
use ntlens::nt::snapshot::Options;
use ntlens::{FileSource, OpenDump};
use others::others;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The same layouts with `bytes` more inside a structure, from an offset on.
fn grown(layouts: &Layouts, structure: &str, from: u32, bytes: u32) -> Layouts {
    let Some(def) = layouts.structure(structure) else { return layouts.clone() };
    let moved = |field: &FieldDef| {
        let offset = if field.offset >= from { field.offset + bytes } else { field.offset };
        FieldDef { offset, ..field.clone() }
    };
    let def = StructDef {
        size: def.size.map(|size| size + bytes),
        fields: def.fields.iter().map(moved).collect(),
        ..def.clone()
    };
    layouts.with_structure(def)
}

/// Whether all that one list has is in another.
fn is_part(found: &Json, of: &Json) -> bool {
    found.as_array().unwrap().iter().all(|name| of.as_array().unwrap().contains(name))
}

/// The fields of a structure that other revisions place wrongly.
fn wrong(structure: &str, exact: &Layouts, other: &Layouts) -> Vec<String> {
    let fields = exact.structure(structure).map_or(&[][..], |def| &def.fields);
    let elsewhere = |field: &&FieldDef| other.place(structure, &field.name).is_ok_and(|at| at.offset != field.offset);
    fields.iter().filter(elsewhere).map(|field| field.name.to_string()).collect()
}

/// Counts of cells that are as they should be, and of those that are absent for want of symbols.
#[derive(Default)]
struct Cells {
    equal: u64,
    absent: u64,
}

impl Cells {
    fn compare(&mut self, place: &str, table: &str, exact: &OpenDump, other: &OpenDump) {
        let needs_symbols = other.incomplete().iter().any(|missing| missing.reason == "symbols-needed");
        let (exact, other) = (common::rows(exact, table), common::rows(other, table));
        assert_eq!(exact.len(), other.len(), "{place}: rows of {table}");
        for (exact, other) in exact.iter().zip(&other) {
            // Other registers, and so named.
            if exact.get("context_source") != other.get("context_source") {
                continue;
            }
            for (column, value) in exact.as_object().unwrap() {
                let found = &other[column];
                let needed = other["absent"][column].as_str() == Some("symbols-needed");
                match column.as_str() {
                    // These tell of the layout itself.
                    "absent" | "layout_origin" | "layout_source" | "layout_versions" | "os_version" => {}
                    _ if found == value => self.equal += 1,
                    _ if *found == Json::Null && needed => self.absent += 1,
                    // A view that cannot be read finds nothing.
                    "sources" if is_part(found, value) && needs_symbols => self.absent += 1,
                    _ => panic!("{place}: {table}.{column} is {found}, expected {value}: {other}"),
                }
            }
        }
    }

    fn tables(&mut self, place: &str, exact: &OpenDump, other: &OpenDump) {
        for table in ["info", "processes", "modules", "unloaded", "crash"] {
            self.compare(place, table, exact, other);
        }
    }
}

#[test]
fn a_shared_dump_whose_own_revision_is_hidden() {
    let Some(folder) = common::shared() else { return };
    let mut noticed = BTreeMap::new();
    for packed in common::files(&folder.join("dumps"), ".dmp.xz") {
        let path = common::dump_file(&packed);
        let place = packed.file_name().unwrap().to_string_lossy().into_owned();
        let exact = ntlens::open(&path).unwrap();
        let kernel = exact.kernel().unwrap();
        let open = |source: &dyn LayoutSource| {
            OpenDump::open(
                path.to_string_lossy(),
                Arc::new(FileSource::open(&path).unwrap()),
                source,
                Options::default(),
            )
            .unwrap()
        };
        let id = kernel.kernel_id();
        let mut cells = Cells::default();
        let hidden = open(&others(id, |layouts| layouts));
        cells.tables(&place, &exact, &hidden);
        eprintln!("{place}: {} equal, {} absent", cells.equal, cells.absent);
        // As if Windows had moved a structure in just this revision.
        for (structure, from) in MOVED {
            for bytes in [0x18, 0x60] {
                let moved = open(&others(id, |layouts| grown(&layouts, structure, *from, bytes)));
                let place = format!("{place}, {structure} {bytes:#x} more at {from:#x}");
                let mut cells = Cells::default();
                cells.tables(&place, &exact, &moved);
                let seen = wrong(structure, kernel.layouts(), moved.kernel().unwrap().layouts()).is_empty();
                eprintln!("{place}: {} equal, {} absent, seen: {seen}", cells.equal, cells.absent);
                *noticed.entry(*structure).or_insert(0) += u32::from(seen);
            }
        }
    }
    // Where no process is in a server silo, nothing shows how its globals lie.
    common::record(&format!("structures moved in 12 dumps, and noticed: {noticed:?}"));
    assert!(
        noticed.iter().all(|(structure, count)| *count > if *structure == "_ESERVERSILO_GLOBALS" { 10 } else { 23 })
    );
}

/// Structures that Windows moves inside builds, and where they grow here.
const MOVED: &[(&str, u32)] = &[
    ("_EPROCESS", 0x300),
    ("_EPROCESS", 0x480),
    ("_EJOB", 0x28),
    ("_ESERVERSILO_GLOBALS", 0x100),
    ("_ETHREAD", 0x400),
    ("_KPRCB", 0x8),
];
