//! The classes of faults: one file for each subject, one line for each class.

mod callbacks;
mod counts;
mod cuts;
mod header;
mod lists;
mod memory_map;
mod page_tables;
mod pointers;
mod strings;
mod tokens;
mod totals;
mod tracing;
mod trees;
mod triage;

use crate::fault::{Class, Fault, Kinds};
use crate::subject::Subject;
use ntlens_testkit::Kind;

/// All classes, in the order in which a dump is read.
pub(crate) const CLASSES: &[&Class] = &[
    &header::SIGNATURE,
    &header::DUMP_TYPE,
    &header::MACHINE,
    &header::DIRECTORY_TABLE_BASE,
    &header::LOADED_MODULES,
    &header::ACTIVE_PROCESSES,
    &header::DEBUGGER_BLOCK,
    &header::PROCESSORS,
    &header::BUILD,
    &header::TIMES,
    &header::SPACE,
    &header::OTHER_FIELDS,
    &header::UNREADABLE,
    &memory_map::RUN_COUNT,
    &memory_map::RUN_PAGES,
    &memory_map::RUNS,
    &memory_map::OVERLAPS,
    &memory_map::SUMMARY,
    &memory_map::BITMAP,
    &memory_map::BITMAP_OF_NOTHING,
    &memory_map::RDMP,
    &memory_map::RDMP_RANGES,
    &triage::CLAIMS,
    &triage::OFFSETS,
    &triage::OTHER_FIELDS,
    &triage::TABLES,
    &cuts::IN_THE_HEADER,
    &cuts::IN_THE_DESCRIPTION,
    &cuts::IN_THE_PAGES,
    &cuts::OF_RAW_MEMORY,
    &cuts::LAST_PAGE,
    &page_tables::LOOPS,
    &page_tables::FAR_OUT,
    &page_tables::ROOTS,
    &lists::ACTIVE_PROCESSES,
    &lists::MODULES,
    &lists::THREADS,
    &lists::SESSION_PROCESSES,
    &lists::JOBS,
    &lists::JOB_PROCESSES,
    &lists::LOADER,
    &lists::WIPED_HEADS,
    &trees::AREAS,
    &trees::HANDLE_TABLES,
    &trees::HANDLE_ENTRIES,
    &trees::IDS,
    &trees::DIRECTORIES,
    &pointers::TOKEN,
    &pointers::JOB,
    &pointers::SESSION,
    &pointers::PARENT_JOB,
    &pointers::PEB,
    &pointers::OBJECT_TABLE,
    &pointers::VARIABLES,
    &pointers::KEYS,
    &pointers::NAMES_OF_KEYS,
    &pointers::PROCESSORS,
    &pointers::SERVICES,
    &counts::GROUPS,
    &counts::AREAS,
    &counts::IMAGE_SIZE,
    &counts::UNLOADED,
    &counts::TRACE_SLOTS,
    &tokens::SUB_AUTHORITIES,
    &tokens::SIDS,
    &tokens::INTEGRITY,
    &tokens::PRIVILEGES,
    &tokens::TYPE,
    &strings::IMAGE_PATHS,
    &strings::MODULE_NAMES,
    &strings::LOGGER_NAMES,
    &strings::UNUSUAL,
    &tracing::SLOTS,
    &tracing::PROVIDERS,
    &tracing::CONSUMERS,
    &callbacks::SLOTS,
    &callbacks::LISTS,
    &totals::PAGES_OF_THE_KERNEL,
    &totals::BITS,
    &totals::PROCESS_IDS,
];

/// The kinds with a header.
const WITH_HEADER: Kinds = |kind| kind != Kind::Raw;
/// Those that hold physical memory.
const FRAMES: Kinds = |kind| kind != Kind::Triage;
/// Those of them with a header.
const FRAMES_WITH_HEADER: Kinds = |kind| WITH_HEADER(kind) && FRAMES(kind);
const BITMAPS: Kinds = |kind| matches!(kind, Kind::BitmapFull { .. } | Kind::BitmapKernel { .. });
const RDMP: Kinds = |kind| matches!(kind, Kind::RdmpKernel | Kind::RdmpUser | Kind::RdmpFull);
/// Those that hold user memory, too.
const USER: Kinds =
    |kind| matches!(kind, Kind::Full | Kind::BitmapFull { .. } | Kind::RdmpUser | Kind::RdmpFull | Kind::Raw);

/// Faults of a field of eight bytes.
fn words(at: u64, values: &[u64], field: &'static str) -> Vec<Fault> {
    let fault = |value: &u64| Fault::at(format!("{field} = {value:#x}"), at, &value.to_le_bytes()).field(field);
    values.iter().map(fault).collect()
}

/// Faults of a field of four bytes.
fn halves(at: u64, values: &[u32], field: &'static str) -> Vec<Fault> {
    let fault = |value: &u32| Fault::at(format!("{field} = {value:#x}"), at, &value.to_le_bytes()).field(field);
    values.iter().map(fault).collect()
}

/// Addresses that lead to nothing good: user space, unmapped memory of the kernel, not canonical, the end of all addresses.
const WILD: [u64; 4] = [0x1000, 0xffff_8000_dead_0000, 0x4141_4141_4141_4141, u64::MAX - 7];

/// Where a field of a structure lies in the file.
fn field_at(subject: &Subject, base: u64, structure: &str, field: &str) -> Option<u64> {
    subject.at(base + crate::kit::offset(subject.image, structure, field))
}

/// Where a variable of the kernel lies in the file.
fn variable_at(subject: &Subject, name: &str) -> Option<u64> {
    subject.at(crate::kit::symbol(subject.image, name))
}

/// Both links of an entry of a list, set to wild addresses, to itself, to nothing and to members of other lists.
fn broken_links(subject: &Subject, what: &str, entry: Option<u64>, own: u64, others: &[u64]) -> Vec<Fault> {
    let Some(entry) = entry else { return Vec::new() };
    let held = |side: u64| subject.u64_at(usize::try_from(entry + side).unwrap());
    let values: Vec<u64> = [0, own].into_iter().chain(WILD).chain(others.iter().copied()).collect();
    let fault = |side: u64, value: u64| {
        let name = if side == 0 { "Flink" } else { "Blink" };
        Fault::at(format!("{what}.{name} = {value:#x}"), entry + side, &value.to_le_bytes())
    };
    [0, 8]
        .into_iter()
        .flat_map(|side| values.iter().map(move |value| (side, *value)))
        .filter(|(side, value)| held(*side) != *value)
        .map(|(side, value)| fault(side, value))
        .collect()
}
