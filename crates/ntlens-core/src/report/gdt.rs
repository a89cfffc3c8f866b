//! `gdt`: the segments of each processor, and the stacks of its task state segment.

use super::idt::{PROCESSOR, processors};
use super::value::Code;
use super::{Asked, Cell, Column, Kind, TableDef, screen};
use crate::absent::Absent;
use crate::nt::descriptor::{SegmentKind, SystemKind, TaskState};
use crate::nt::descriptor_table::{self, Descriptor};
use crate::nt::processor;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The table.
pub const GDT: Asked<Descriptor> = Asked {
    table: TableDef {
        name: "gdt",
        about: "the segments of each processor, and the stacks of its task state segment",
        columns: COLUMNS,
        screen: &[
            screen("CPU", "processor"),
            screen("Selector", "selector"),
            screen("Name", "name"),
            screen("Kind", "kind"),
            screen("Base", "base"),
            screen("Limit", "limit"),
            screen("DPL", "dpl"),
            screen("Present", "present"),
            screen("Flags", "flags"),
            screen("RSP0", "rsp0"),
        ],
        record: false,
    },
    parameters: &[PROCESSOR],
    rows: |dump, arguments| {
        let (mut rows, mut incomplete) = (Vec::new(), Vec::new());
        for processor in processors(dump, arguments, &mut incomplete)? {
            let (descriptors, missing) = descriptor_table::descriptors(&processor);
            rows.extend(descriptors);
            incomplete.extend(missing);
        }
        Ok((rows, incomplete))
    },
    remarks,
};

/// Short for a column.
const fn column(
    name: &'static str,
    kind: Kind,
    about: &'static str,
    get: fn(&Descriptor) -> Cell,
) -> Column<Descriptor> {
    Column::new(name, kind, about, get)
}

/// Something of a task state segment; null for other descriptors.
fn task_state<T: Into<Cell>>(descriptor: &Descriptor, get: impl FnOnce(&TaskState) -> T) -> Cell {
    descriptor
        .task_state
        .as_ref()
        .map(|state| state.as_ref().map(get).map_err(|why| *why))
        .map_or(Cell::Null, Into::into)
}

const COLUMNS: &[Column<Descriptor>] = &[
    column("processor", Kind::Uint, "number of the processor", |d| d.processor.into()),
    column("selector", Kind::Code, "place in the table, as code names it", |d| Code(d.selector.into()).into()),
    column("name", Kind::Text, "what Windows uses the place for", |d| d.name().into()),
    column("kind", Kind::Text, "code, data, tss-busy, tss-available, ldt or a gate", |d| {
        d.segment.kind.name().ok_or(Absent::Malformed).into()
    }),
    column("base", Kind::Address, "where the segment begins; of a gate, where it leads to", |d| d.segment.base.into()),
    column("limit", Kind::Code, "its last byte, counted from its begin", |d| Code(d.segment.limit).into()),
    column("dpl", Kind::Uint, "least privileged level that may use it", |d| d.segment.dpl.into()),
    column("present", Kind::Bool, "the processor may use it", |d| d.segment.present.into()),
    column("flags", Kind::List, "its other bits that are set", |d| d.segment.flags().into()),
    column("raw", Kind::Code, "its first eight bytes", |d| Code(d.segment.raw).into()),
    column("rsp0", Kind::Address, "of a task state: the stack of the kernel", |d| task_state(d, |state| state.rsp[0])),
    column("ist", Kind::Addresses, "of a task state: stacks 1 to 7 of the interrupt table", |d| {
        task_state(d, |state| state.ist.iter().map(|at| at.0).collect::<Vec<_>>())
    }),
    column("io_map_base", Kind::Code, "of a task state: where the map of ports begins", |d| {
        task_state(d, |state| Code(state.io_map_base.into()))
    }),
];

/// Gates into more privileged code: Windows has none.
fn remarks(rows: &[Descriptor]) -> Vec<String> {
    let is_gate = |row: &&Descriptor| {
        matches!(row.segment.kind, SegmentKind::System(SystemKind::CallGate)) && row.segment.present
    };
    let text = |row: &Descriptor| {
        let at = row.segment.base;
        format!("{}: selector {:#x} is a call gate to {at}", processor::label(row.processor), row.selector)
    };
    rows.iter().filter(is_gate).map(text).collect()
}
